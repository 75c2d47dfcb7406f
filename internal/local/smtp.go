package local

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

// Times of one sending (RFC 5321, section 4.5.3.2). The context's own deadline
// holds where it is earlier.
const (
	smtpHandshake = 30 * time.Second // to the end of signing in
	smtpCommand   = 5 * time.Minute  // for an answer before the message
	smtpBlock     = 3 * time.Minute  // for the next bytes of the message to leave
	smtpFinal     = 10 * time.Minute // for the answer at its end: less makes doubles
	smtpRate      = 4 << 10          // bytes a second, of a slow line
)

// How long it is good for what the server said of its limit, and that it could
// not be asked. Each message that is sent looks anew.
const (
	limitKnown   = time.Hour
	limitUnknown = time.Minute
)

// SMTPTimeout is how long the sending of so many bytes may take.
func SMTPTimeout(bytes int64) time.Duration {
	upload := time.Duration(max(bytes, 0)/smtpRate) * time.Second
	return smtpHandshake + smtpCommand + smtpBlock + upload + smtpFinal
}

// SMTP sends emails through an SMTP server, each on a connection of its own.
// It implements [deliver.Mailer] and is safe for concurrent use.
type SMTP struct {
	// RootCAs are the authorities that the server's certificate is checked
	// against; nil is those of the system.
	RootCAs *x509.CertPool
	// Now says how old it is what the server said of its limit; nil is time.Now.
	Now func() time.Time

	host       string
	port       int
	user       string
	password   secret.Text
	implicit   bool // TLS from the first byte
	encryption mail.TLSPolicy
	plain      func(ctx context.Context, network, address string) (net.Conn, error) // dials without TLS; nil: the network

	asking sync.Mutex // held while the server is asked for its limit
	mu     sync.Mutex
	limit  int64     // bytes that the server takes of one message; 0: it has no limit, or it is not known
	until  time.Time // the limit is good
}

var _ deliver.Mailer = (*SMTP)(nil)

// NewSMTP reads the address of an SMTP server:
//
//	smtp://user:password@host:587     STARTTLS; the default port is 587
//	smtps://user:password@host:465    TLS from the start; the default port is 465
//
// User and password are optional. With them, the connection must be encrypted
// unless the host is this machine. Without them, it is encrypted if the server
// offers it; "?tls=required" insists on it, and "?tls=none" never asks. The
// error is a [problem.Error] of kind Invalid that does not repeat the address.
func NewSMTP(address secret.Text) (*SMTP, error) {
	const form = "The SMTP server's address has the form smtp://user:password@host:587 or smtps://user:password@host:465; special characters in the password are written as %XX."
	invalid := func(message string) error { return problem.InvalidField("smtp_url", message) }
	u, err := url.Parse(strings.TrimSpace(address.Reveal()))
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return nil, invalid(form)
	}
	s := &SMTP{host: u.Hostname(), implicit: u.Scheme == "smtps", port: 587, encryption: mail.TLSOpportunistic}
	if s.implicit {
		s.port = 465
	}
	if port := u.Port(); port != "" {
		if s.port, err = strconv.Atoi(port); err != nil || s.port < 1 || s.port > 65535 {
			return nil, invalid("The port of the SMTP server must be a number from 1 to 65535.")
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.user, s.password = u.User.Username(), secret.New(password)
		if s.user == "" || password == "" {
			return nil, invalid("The SMTP server's address has a user name without a password, or the other way around.")
		}
		if !isThisMachine(s.host) {
			s.encryption = mail.TLSMandatory
		}
	}
	for name, values := range u.Query() {
		switch {
		case name != "tls" || len(values) != 1:
			return nil, invalid("The SMTP server's address takes no parameter but one tls.")
		case values[0] == "required":
			s.encryption = mail.TLSMandatory
		case values[0] == "none" && s.encryption == mail.TLSOpportunistic && !s.implicit:
			s.encryption = mail.NoTLS
		case values[0] == "none":
			return nil, invalid("tls=none would send the user name and password in the clear. It is possible without them, or with a server on this machine.")
		default:
			return nil, invalid("The parameter tls of the SMTP server's address is required or none.")
		}
	}
	return s, nil
}

func isThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// Limit returns how many bytes the server takes of one message, as it says after
// EHLO (RFC 1870). It is 0 where the server has no limit, and where it cannot be
// asked at present: then a message that is too large is refused by [SMTP.Send].
func (s *SMTP) Limit(ctx context.Context) int64 {
	known := func() (int64, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.limit, s.now().Before(s.until)
	}
	if limit, ok := known(); ok {
		return limit
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	if limit, ok := known(); ok { // another has asked meanwhile
		return limit
	}
	var line smtpLine
	defer line.hangUp()
	stop := context.AfterFunc(ctx, line.hangUp)
	defer stop()
	// It is asked without signing in: a password that is refused must not be
	// tried twice as often.
	client, err := s.connect(ctx, &line, false)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.until = s.now().Add(limitUnknown)
		return s.limit
	}
	limit := s.noteLimit(client)
	_ = client.Quit() // what was asked is answered
	return limit
}

func (s *SMTP) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// noteLimit keeps the limit that the server said to a client. A parameter that is
// missing, 0, or no number is no limit (RFC 1870, section 4).
func (s *SMTP) noteLimit(client *smtp.Client) int64 {
	_, parameter := client.Extension("SIZE")
	limit, err := strconv.ParseInt(strings.TrimSpace(parameter), 10, 64)
	if err != nil || limit < 0 {
		limit = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.until = limit, s.now().Add(limitKnown)
	return limit
}

// Send implements [deliver.Mailer]. A recipient that the server does not accept
// keeps the message from nobody else.
func (s *SMTP) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	// The library ends its waiting by deadlines of its own, not by the context:
	// a context that ends takes the connection away.
	var line smtpLine
	defer line.hangUp()
	stop := context.AfterFunc(ctx, line.hangUp)
	defer stop()
	client, err := s.connect(ctx, &line, true)
	if err != nil {
		return deliver.Receipt{}, s.notConnected(ctx, err)
	}
	if limit := s.noteLimit(client); limit > 0 && e.Size > limit {
		_ = client.Quit() // nothing was sent
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Refused, Code: deliver.TooLarge, MaxBytes: limit,
			Message: fmt.Sprintf("The message has %d bytes, and the mail server takes %d.", e.Size, limit)}
	}
	from := "<" + e.From + ">"
	if sized, _ := client.Extension("SIZE"); sized && e.Size > 0 {
		from += " SIZE=" + strconv.FormatInt(e.Size, 10)
	}
	if err := unlessTaken(client.Mail(from)); err != nil {
		return deliver.Receipt{}, messageFailure(ctx, "The mail server does not accept the sender's address", err)
	}
	rejected, failure := s.recipients(ctx, client, e.Recipients)
	if failure != nil {
		_ = client.Quit() // nothing was sent
		return deliver.Receipt{}, failure
	}
	body, err := client.Data()
	if err != nil {
		return deliver.Receipt{}, messageFailure(ctx, "The mail server does not accept the message", err)
	}
	if _, err := e.Message.WriteTo(&smtpUpload{client: client, body: body}); err != nil {
		// Without the final dot the server must forget what it was sent (RFC
		// 5321, section 4.1.1.4), so the body is not closed.
		return deliver.Receipt{}, smtpFailure(ctx, "The message could not be sent to the mail server", err)
	}
	// All but the final dot is there, and without it nothing is sent.
	if err := e.Begin.Do(ctx); err != nil {
		return deliver.Receipt{}, err
	}
	if err := client.UpdateDeadline(smtpFinal); err != nil {
		return deliver.Receipt{}, smtpFailure(ctx, "The message could not be sent to the mail server", err)
	}
	if err := unlessTaken(body.Close()); err != nil {
		if reply, ok := smtpReply(err); ok && reply.Code >= 400 {
			return deliver.Receipt{}, messageFailure(ctx, "The mail server does not accept the message", err)
		}
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Unknown, Code: "no_answer", Err: smtpCause(ctx, err),
			Message: "The mail server did not answer at the end of the message, so it is not known whether it was sent."}
	}
	receipt := deliver.Receipt{Rejected: rejected}
	if answered, ok := body.(interface{ ServerResponse() string }); ok {
		receipt.ProviderID = smtpText(answered.ServerResponse())
	}
	_ = client.Quit() // the message is accepted, whatever comes of this
	return receipt, nil
}

// recipients names the recipients to the server and returns those that it does
// not accept. Where it accepts none, or ends the session, that is a failure.
func (s *SMTP) recipients(ctx context.Context, client *smtp.Client, all []string) ([]deliver.Rejection, *deliver.SendError) {
	var rejected []deliver.Rejection
	worst := (*deliver.SendError)(nil)
	for _, to := range all {
		err := unlessTaken(client.Rcpt("<" + to + ">"))
		if err == nil {
			continue
		}
		failure := smtpFailure(ctx, "The mail server does not accept the recipient's address", err)
		reply, replied := smtpReply(err)
		if !replied || reply.Code == 421 || needsSignIn(reply) {
			return nil, failure // of the session
		}
		if status := enhancedStatus(reply); len(all) == 1 && (status == "5.3.4" || status == "5.2.3") {
			failure.Code = deliver.TooLarge // the size was declared before
		}
		rejected = append(rejected, deliver.Rejection{Recipient: to, Outcome: failure.Outcome, Code: failure.Code, Message: failure.Message})
		if worst == nil || worst.Outcome == deliver.Refused && failure.Outcome == deliver.Deferred {
			worst = failure // one that may be accepted later decides
		}
	}
	if len(rejected) < len(all) {
		return rejected, nil
	}
	if len(all) > 1 {
		worst.Rejected = rejected
	}
	return nil, worst
}

// unlessTaken is an answer of a server that refused something. The library takes
// one code alone for success; each that begins with 2 is one (RFC 5321, section
// 4.2.1).
func unlessTaken(err error) error {
	if reply, ok := smtpReply(err); ok && reply.Code >= 200 && reply.Code < 300 {
		return nil
	}
	return err
}

// smtpUpload writes a message, and waits as long as the server reads on.
type smtpUpload struct {
	client *smtp.Client
	body   io.Writer
}

func (u *smtpUpload) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		if err = u.client.UpdateDeadline(smtpBlock); err != nil {
			return n, err
		}
		var m int
		m, err = u.body.Write(p[:min(len(p), 4<<10)])
		n, p = n+m, p[m:]
	}
	return n, err
}

// smtpLine is the connection of one sending, which ends with it or with its
// context.
type smtpLine struct {
	mu   sync.Mutex
	conn net.Conn
}

func (l *smtpLine) set(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
}

func (l *smtpLine) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// connect dials, encrypts and, if it is wanted, signs in.
func (s *SMTP) connect(ctx context.Context, line *smtpLine, signIn bool) (*smtp.Client, error) {
	client, err := mail.NewClient(s.host, s.options(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := s.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		line.set(conn)
		return conn, ctx.Err()
	}, signIn)...)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, err
	}
	if err := session.UpdateDeadline(smtpCommand); err != nil {
		return nil, err
	}
	return session, nil
}

func (s *SMTP) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := s.plain
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn = &briefConn{Conn: conn}
	if !s.implicit || s.plain != nil {
		return conn, nil
	}
	encrypted := tls.Client(conn, s.tls())
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return encrypted, nil
}

// maxSMTPAnswer is what a server may send without being asked anew, in bytes: its
// answer to a command, or its certificates.
const maxSMTPAnswer = 256 << 10

var errSMTPAnswer = errors.New("the mail server's answer is too long")

// briefConn is a connection whose other end is to be brief: the library keeps all
// lines of an answer in memory.
type briefConn struct {
	net.Conn
	read atomic.Int64 // since the last write
}

func (c *briefConn) Read(p []byte) (int, error) {
	if c.read.Load() > maxSMTPAnswer {
		return 0, errSMTPAnswer
	}
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c *briefConn) Write(p []byte) (int, error) {
	c.read.Store(0)
	return c.Conn.Write(p)
}

func (s *SMTP) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.RootCAs}
}

func (s *SMTP) options(dial mail.DialContextFunc, signIn bool) []mail.Option {
	options := []mail.Option{
		mail.WithPort(s.port), mail.WithTimeout(smtpHandshake), mail.WithDialContextFunc(dial),
		mail.WithTLSPolicy(s.encryption), mail.WithTLSConfig(s.tls()),
		mail.WithoutSMTPUTF8(), // addresses are in ASCII, so no server on the way needs it
	}
	if s.implicit {
		options = append(options, mail.WithSSL())
	}
	if s.user != "" && signIn {
		mechanisms := []mail.SMTPAuthType{mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthCramMD5}
		if isThisMachine(s.host) {
			mechanisms = []mail.SMTPAuthType{mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc, mail.SMTPAuthCramMD5}
		}
		options = append(options, mail.WithUsername(s.user), mail.WithPassword(s.password.Reveal()),
			mail.WithOpportunisticSMTPAuth(mechanisms...))
	}
	return options
}

// notConnected is a failure before the message: nothing was sent. A refused
// password is no fault of the message, so it is deferred until the operator
// has mended it.
func (s *SMTP) notConnected(ctx context.Context, err error) *deliver.SendError {
	e := &deliver.SendError{Outcome: deliver.Deferred, Err: s.withoutPassword(smtpCause(ctx, err))}
	reply, replied := smtpReply(err)
	var network net.Error
	switch {
	case errors.Is(err, errSMTPAnswer):
		e.Code, e.Message = "smtp_answer", "What answers at the mail server's address sends more than a mail server does. Check the SMTP address."
	case ctx.Err() != nil || errors.Is(err, io.EOF) || errors.As(err, &network):
		e.Code = "smtp_unreachable"
		e.Message = fmt.Sprintf("The mail server %s could not be reached. The message will be tried again.", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	case replied && needsSignIn(reply):
		e.Code, e.Message = smtpCode(reply), wrongPassword
	case replied:
		e.Code, e.Message = smtpCode(reply), "The mail server turned the connection away: "+s.withoutPassword(errors.New(smtpAnswer(reply))).Error()
	default:
		e.Code, e.Message = "smtp_setup", "The mail server has no valid certificate for its name, or offers no encryption or no way to sign in that can be used. Check the SMTP address."
	}
	return e
}

// withoutPassword gives an error whose text does not hold the password, should
// the server have repeated what it was sent.
func (s *SMTP) withoutPassword(err error) error {
	password := s.password.Reveal()
	if password == "" {
		return err
	}
	text := err.Error()
	for _, sent := range []string{password,
		base64.StdEncoding.EncodeToString([]byte(password)),
		base64.StdEncoding.EncodeToString([]byte("\x00" + s.user + "\x00" + password))} {
		text = strings.ReplaceAll(text, sent, "[redacted]")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

const wrongPassword = "The mail server does not accept the user name and password. Check the SMTP address."

// needsSignIn is true of the replies about signing in (RFC 4954, section 6).
func needsSignIn(reply *textproto.Error) bool {
	return slices.Contains([]int{530, 534, 535, 538}, reply.Code)
}

// smtpFailure is a failure before the message was accepted: the server's
// answer says whether trying again can help, and without one it can.
func smtpFailure(ctx context.Context, what string, err error) *deliver.SendError {
	e := &deliver.SendError{Outcome: deliver.Deferred, Err: smtpCause(ctx, err)}
	switch reply, replied := smtpReply(err); {
	case !replied:
		e.Code, e.Message = "smtp_connection", what+", because the connection ended. The message will be tried again."
	case needsSignIn(reply):
		e.Code, e.Message = smtpCode(reply), wrongPassword
	default:
		e.Code, e.Message = smtpCode(reply), what+": "+smtpAnswer(reply)
		if reply.Code >= 500 {
			e.Outcome = deliver.Refused
		}
	}
	return e
}

// messageFailure is such a failure of the message itself, not of a recipient.
func messageFailure(ctx context.Context, what string, err error) *deliver.SendError {
	e := smtpFailure(ctx, what, err)
	if reply, replied := smtpReply(err); replied && saysTooLarge(reply) {
		e.Code = deliver.TooLarge
	}
	return e
}

// saysTooLarge is true of the replies to a message that is larger than the server
// takes (RFC 1870, section 6; RFC 3463, X.3.4 and X.2.3). A 552 with another
// status is about a mailbox that is full, say.
func saysTooLarge(reply *textproto.Error) bool {
	switch status := enhancedStatus(reply); status {
	case "5.3.4", "5.2.3":
		return true
	default:
		return status == "" && reply.Code == 552
	}
}

// enhancedStatus is the status, such as 5.3.4, that a reply begins with (RFC
// 2034); "" if it has none.
func enhancedStatus(reply *textproto.Error) string {
	status, _, _ := strings.Cut(reply.Msg, " ")
	parts := strings.Split(status, ".")
	if len(parts) != 3 || parts[0] != "2" && parts[0] != "4" && parts[0] != "5" {
		return ""
	}
	for _, part := range parts {
		if n, err := strconv.Atoi(part); err != nil || n < 0 {
			return ""
		}
	}
	return status
}

func smtpReply(err error) (*textproto.Error, bool) { return errors.AsType[*textproto.Error](err) }

func smtpCode(reply *textproto.Error) string { return "smtp_" + strconv.Itoa(reply.Code) }

func smtpAnswer(reply *textproto.Error) string {
	return fmt.Sprintf("%d %s", reply.Code, cmp.Or(smtpText(reply.Msg), "without a reason"))
}

// smtpText makes one short line of what a server says.
func smtpText(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if runes := []rune(s); len(runes) > 200 {
		s = string(runes[:199]) + "…"
	}
	return s
}

// smtpCause names the context's end as the cause where it took the connection
// away.
func smtpCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the server closed the connection")
	}
	return err
}
