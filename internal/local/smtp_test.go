package local_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

const smtpPassword = "canary-91b7"

// smtpServer is a mail server on this machine that keeps what it is sent.
type smtpServer struct {
	replies  map[string]string // by command or whole line, and "." for the end of a message; "" hangs up
	implicit bool              // TLS from the start
	startTLS bool              // offers STARTTLS
	auth     bool              // offers to sign in
	size     string            // the parameter of SIZE; "": it is not offered
	pause    func(command string)

	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool

	mu       sync.Mutex
	commands []string
	messages []string
}

func (s *smtpServer) start(t *testing.T) {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate alone
	certified.Close()
	s.tls = &tls.Config{Certificates: certified.TLS.Certificates}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(certified.Certificate())
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatalf("listening: %v", err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		s.listener.Close()
		conns.Wait()
	})
}

func (s *smtpServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	if s.implicit {
		conn = tls.Server(conn, s.tls)
	}
	lines := bufio.NewReader(conn)
	current := "" // the line that is answered
	say := func(command, usual string) bool {
		reply, ok := s.replies[command]
		if line, said := s.replies[current]; said {
			reply, ok = line, true
		}
		if !ok {
			reply = usual
		}
		if reply != "" {
			fmt.Fprintf(conn, "%s\r\n", reply)
		}
		return reply != "" && !strings.HasPrefix(reply, "421")
	}
	if !say("greeting", "220 mail.example.com ready") {
		return
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		current = line
		command, _, _ := strings.Cut(strings.ToUpper(line), " ")
		if s.pause != nil {
			s.pause(command)
		}
		s.mu.Lock()
		s.commands = append(s.commands, line)
		s.mu.Unlock()
		usual := "250 2.0.0 ok"
		switch command {
		case "EHLO":
			usual = "250-mail.example.com"
			if s.startTLS {
				usual += "\r\n250-STARTTLS"
			}
			if s.auth {
				usual += "\r\n250-AUTH PLAIN LOGIN"
			}
			s.mu.Lock()
			if s.size != "" {
				usual += "\r\n250-SIZE" + s.size
			}
			s.mu.Unlock()
			usual += "\r\n250 8BITMIME"
		case "STARTTLS":
			if !say(command, "220 go ahead") {
				return
			}
			conn = tls.Server(conn, s.tls)
			lines = bufio.NewReader(conn)
			s.startTLS = false
			continue
		case "AUTH":
			usual = "235 2.7.0 signed in"
			if line != "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00us/er\x00"+smtpPassword)) {
				usual = "535 5.7.8 wrong password"
			}
		case "DATA":
			if !say(command, "354 end with a dot") {
				return
			}
			var message strings.Builder
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				message.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mu.Lock()
			s.messages = append(s.messages, message.String())
			s.mu.Unlock()
			if s.pause != nil {
				s.pause(".")
			}
			command, usual = ".", "250 2.0.0 queued as\x01 A1B2C3"
		case "QUIT":
			say(command, "221 bye")
			return
		}
		if !say(command, usual) {
			return
		}
	}
}

func (s *smtpServer) setSize(size string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size = size
}

func (s *smtpServer) received() (commands, messages []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...), append([]string(nil), s.messages...)
}

// mailer makes the mailer for an address whose host and port are the server's.
func (s *smtpServer) mailer(t *testing.T, form string) *local.SMTP {
	t.Helper()
	m, err := local.NewSMTP(secret.New(strings.Replace(form, "HOST", s.listener.Addr().String(), 1)))
	if err != nil {
		t.Fatalf("NewSMTP: %v", err)
	}
	m.RootCAs = s.roots
	return m
}

func smtpEnvelope() deliver.Envelope {
	return deliver.Envelope{Key: "k", From: "reports@example.com", Recipients: []string{"ann@example.com", "bob@example.com"},
		Message: mailText("Subject: hello\r\n\r\n.a dot\r\nend\r\n")}
}

// smtpError checks that an error is a SendError that does not show the
// password.
func smtpError(t *testing.T, err error) *deliver.SendError {
	t.Helper()
	e, ok := errors.AsType[*deliver.SendError](err)
	if !ok {
		t.Fatalf("the error is %v, want a SendError", err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", err, e, e.Err); strings.Contains(shown, smtpPassword) {
		t.Errorf("the error shows the password: %s", shown)
	}
	if e.Message == "" || e.Code == "" || e.BreaksDestination {
		t.Errorf("the error is %+v", e)
	}
	return e
}

func TestSMTPSend(t *testing.T) {
	t.Parallel()
	const user = "us%2Fer:" + smtpPassword + "@"
	signIn := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00us/er\x00"+smtpPassword))
	transfer := []string{"MAIL FROM:<reports@example.com> BODY=8BITMIME", "RCPT TO:<ann@example.com>", "RCPT TO:<bob@example.com>", "DATA", "QUIT"}
	tests := []struct {
		name   string
		server *smtpServer
		form   string
		want   []string // commands after the first EHLO
	}{
		{"in the clear", &smtpServer{}, "smtp://HOST", transfer},
		{"encrypted where offered", &smtpServer{startTLS: true}, "smtp://HOST", append([]string{"STARTTLS", "EHLO"}, transfer...)},
		{"not encrypted if not wanted", &smtpServer{startTLS: true}, "smtp://HOST?tls=none", transfer},
		{"encrypted if required", &smtpServer{startTLS: true}, "smtp://HOST/?tls=required", append([]string{"STARTTLS", "EHLO"}, transfer...)},
		{"signed in on this machine", &smtpServer{auth: true}, "smtp://" + user + "HOST", append([]string{signIn}, transfer...)},
		{"signed in, encrypted", &smtpServer{auth: true, startTLS: true}, "smtp://" + user + "HOST?tls=required", append([]string{"STARTTLS", "EHLO", signIn}, transfer...)},
		{"TLS from the start", &smtpServer{auth: true, implicit: true}, "smtps://" + user + "HOST", append([]string{signIn}, transfer...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.server.start(t)
			receipt, err := tt.server.mailer(t, tt.form).Send(t.Context(), smtpEnvelope())
			if err != nil {
				t.Fatalf("Send: %v", err)
			}
			if want := (deliver.Receipt{ProviderID: "2.0.0 queued as A1B2C3"}); !cmp.Equal(receipt, want) {
				t.Errorf("the receipt is %+v, want %+v", receipt, want)
			}
			commands, messages := tt.server.received()
			for i, c := range commands {
				if strings.HasPrefix(c, "EHLO ") {
					commands[i] = "EHLO"
				}
			}
			if diff := cmp.Diff(append([]string{"EHLO"}, tt.want...), commands); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"Subject: hello\r\n\r\n.a dot\r\nend\r\n"}, messages); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSMTPOutcomes(t *testing.T) {
	t.Parallel()
	const user = "smtp://us%2Fer:" + smtpPassword + "@HOST"
	tests := []struct {
		name    string
		server  *smtpServer
		form    string
		want    deliver.Outcome
		code    string
		message string // that the text for people holds
		sent    int    // messages that the server has
	}{
		{"busy at the greeting", &smtpServer{replies: map[string]string{"greeting": "421 too busy"}}, "smtp://HOST", deliver.Deferred, "smtp_421", "421 too busy", 0},
		{"turned away at the greeting", &smtpServer{replies: map[string]string{"greeting": "554 not you"}}, "smtp://HOST", deliver.Deferred, "smtp_554", "554 not you", 0},
		{"hangs up at once", &smtpServer{replies: map[string]string{"greeting": ""}}, "smtp://HOST", deliver.Deferred, "smtp_unreachable", "127.0.0.1", 0},
		{"no STARTTLS", &smtpServer{}, "smtp://HOST?tls=required", deliver.Deferred, "smtp_setup", "encryption", 0},
		{"no way to sign in", &smtpServer{}, user, deliver.Deferred, "smtp_setup", "sign in", 0},
		{"wrong password", &smtpServer{auth: true}, "smtp://other:" + smtpPassword + "@HOST", deliver.Deferred, "smtp_535", "user name and password", 0},
		{"repeats the password", &smtpServer{auth: true, replies: map[string]string{"AUTH": "501 what is " + smtpPassword + " for?"}}, user, deliver.Deferred, "smtp_501", "501 what is [redacted] for?", 0},
		{"sender refused", &smtpServer{replies: map[string]string{"MAIL": "550 5.7.1 not yours"}}, "smtp://HOST", deliver.Refused, "smtp_550", "550 5.7.1 not yours", 0},
		{"sender must sign in", &smtpServer{replies: map[string]string{"MAIL": "530 5.7.0 sign in first"}}, "smtp://HOST", deliver.Deferred, "smtp_530", "user name and password", 0},
		{"sender deferred", &smtpServer{replies: map[string]string{"MAIL": "451 later"}}, "smtp://HOST", deliver.Deferred, "smtp_451", "451 later", 0},
		{"hangs up at the sender", &smtpServer{replies: map[string]string{"MAIL": ""}}, "smtp://HOST", deliver.Deferred, "smtp_connection", "tried again", 0},
		{"recipient refused", &smtpServer{replies: map[string]string{"RCPT": "550 5.1.1\tno such\x07 mailbox"}}, "smtp://HOST", deliver.Refused, "smtp_550", "recipient's address: 550 5.1.1 no such mailbox", 0},
		{"recipient refused at length", &smtpServer{replies: map[string]string{"RCPT": "550 " + strings.Repeat("no ", 200)}}, "smtp://HOST", deliver.Refused, "smtp_550", "…", 0},
		{"recipient refused without words", &smtpServer{replies: map[string]string{"RCPT": "550 "}}, "smtp://HOST", deliver.Refused, "smtp_550", "550 without a reason", 0},
		{"recipient greylisted", &smtpServer{replies: map[string]string{"RCPT": "450 4.7.1 greylisted"}}, "smtp://HOST", deliver.Deferred, "smtp_450", "450", 0},
		{"DATA refused", &smtpServer{replies: map[string]string{"DATA": "554 no"}}, "smtp://HOST", deliver.Refused, "smtp_554", "554 no", 0},
		{"hangs up at DATA", &smtpServer{replies: map[string]string{"DATA": ""}}, "smtp://HOST", deliver.Deferred, "smtp_connection", "", 0},
		{"message refused", &smtpServer{replies: map[string]string{".": "554 5.6.0 not like this"}}, "smtp://HOST", deliver.Refused, "smtp_554", "554 5.6.0 not like this", 1},
		{"message too large", &smtpServer{replies: map[string]string{".": "552 5.3.4 too large"}}, "smtp://HOST", deliver.Refused, deliver.TooLarge, "552 5.3.4 too large", 1},
		{"message too large, without a status", &smtpServer{replies: map[string]string{".": "552 too large"}}, "smtp://HOST", deliver.Refused, deliver.TooLarge, "552 too large", 1},
		{"message too large for a mailbox", &smtpServer{replies: map[string]string{".": "550 5.2.3 too large"}}, "smtp://HOST", deliver.Refused, deliver.TooLarge, "550 5.2.3", 1},
		{"too large, said of the sender", &smtpServer{replies: map[string]string{"MAIL": "552 5.3.4 too large"}}, "smtp://HOST", deliver.Refused, deliver.TooLarge, "552 5.3.4", 0},
		{"mailbox full after the message", &smtpServer{replies: map[string]string{".": "552 5.2.2 full"}}, "smtp://HOST", deliver.Refused, "smtp_552", "552 5.2.2 full", 1},
		{"mailbox full", &smtpServer{replies: map[string]string{"RCPT": "552 full"}}, "smtp://HOST", deliver.Refused, "smtp_552", "552 full", 0},
		{"message deferred", &smtpServer{replies: map[string]string{".": "452 4.3.1 disk full"}}, "smtp://HOST", deliver.Deferred, "smtp_452", "452", 1},
		{"hangs up after the message", &smtpServer{replies: map[string]string{".": ""}}, "smtp://HOST", deliver.Unknown, "no_answer", "not known", 1},
		{"babbles after the message", &smtpServer{replies: map[string]string{".": "hello"}}, "smtp://HOST", deliver.Unknown, "no_answer", "not known", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.server.start(t)
			_, err := tt.server.mailer(t, tt.form).Send(t.Context(), smtpEnvelope())
			e := smtpError(t, err)
			if e.Outcome != tt.want || e.Code != tt.code || !strings.Contains(e.Message, tt.message) {
				t.Errorf("Send gives %v, want %v, %s and a message with %q", e, tt.want, tt.code, tt.message)
			}
			if strings.Contains(e.Error(), smtpPassword) {
				t.Error("the error shows the password")
			}
			if _, messages := tt.server.received(); len(messages) != tt.sent {
				t.Errorf("the server has %d messages, want %d", len(messages), tt.sent)
			}
		})
	}
}

// A server's limit is what it says after EHLO. A message that is larger is not
// sent to it, and of one that is not the size is declared.
func TestSMTPSize(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		size    string // what the server says
		message int64
		limit   int64
		refused bool
	}{
		"none":             {"", 1 << 40, 0, false},
		"without a number": {" ", 1 << 40, 0, false},
		"zero":             {" 0", 1 << 40, 0, false},
		"no number":        {" many", 1 << 40, 0, false},
		"large enough":     {" 2000", 2000, 2000, false},
		"too small":        {" 2000", 2001, 2000, true},
		"not known":        {" 2000", 0, 2000, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &smtpServer{size: test.size, auth: true}
			s.start(t)
			m := s.mailer(t, "smtp://us%2Fer:"+smtpPassword+"@HOST")
			for range 3 {
				if got := m.Limit(t.Context()); got != test.limit {
					t.Errorf("got limit %d, want %d", got, test.limit)
				}
			}
			commands, _ := s.received()
			if len(commands) != 2 || !strings.HasPrefix(commands[0], "EHLO") || commands[1] != "QUIT" {
				t.Errorf("the server was asked by %q, want it asked once, without a sign-in", commands)
			}
			envelope := smtpEnvelope()
			envelope.Size = test.message
			_, err := m.Send(t.Context(), envelope)
			commands, messages := s.received()
			if test.refused {
				if e := smtpError(t, err); e.Outcome != deliver.Refused || e.Code != deliver.TooLarge || e.MaxBytes != test.limit || len(messages) > 0 {
					t.Errorf("got %v of a limit of %d and %d messages, want it refused", e, e.MaxBytes, len(messages))
				}
				return
			}
			if err != nil || len(messages) != 1 {
				t.Errorf("got error %v and %d messages, want one", err, len(messages))
			}
			declared := fmt.Sprintf(" SIZE=%d", test.message)
			i := slices.IndexFunc(commands, func(c string) bool { return strings.HasPrefix(c, "MAIL") })
			if want := test.size != "" && test.message > 0; strings.Contains(commands[i], declared) != want {
				t.Errorf("got %q, want the size in it: %v", commands[i], want)
			}
		})
	}
}

// What the server said is good for a while, and each message that is sent looks
// anew. A server that cannot be asked keeps the limit that is known.
func TestSMTPSizeIsKept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	s := &smtpServer{size: " 1000"}
	s.start(t)
	m := s.mailer(t, "smtp://HOST")
	m.Now = func() time.Time { return now }
	want := func(limit int64, when string) {
		t.Helper()
		if got := m.Limit(t.Context()); got != limit {
			t.Errorf("got limit %d %s, want %d", got, when, limit)
		}
	}
	want(1000, "at first")
	s.setSize(" 2000")
	want(1000, "soon after it has changed")
	now = now.Add(time.Hour)
	want(2000, "an hour later")
	s.setSize(" 3000")
	if _, err := m.Send(t.Context(), smtpEnvelope()); err != nil {
		t.Fatal(err)
	}
	want(3000, "after a message")
	s.listener.Close()
	now = now.Add(time.Hour)
	want(3000, "of a server that is down")
}

// A recipient that the server does not accept keeps the message from nobody else.
func TestSMTPRecipients(t *testing.T) {
	t.Parallel()
	const ann, bob, cid = "ann@example.com", "bob@example.com", "cid@example.com"
	tests := map[string]struct {
		replies  map[string]string // by recipient
		outcome  deliver.Outcome   // of the failure, if the message is not sent
		rejected string
		sent     bool
	}{
		"one refused":              {map[string]string{bob: "550 5.1.1 unknown"}, 0, "bob refused smtp_550", true},
		"one greylisted":           {map[string]string{bob: "451 4.7.1 later"}, 0, "bob deferred smtp_451", true},
		"one of each":              {map[string]string{ann: "451 4.7.1 later", cid: "550 5.1.1 unknown"}, 0, "ann deferred smtp_451, cid refused smtp_550", true},
		"too many at once":         {map[string]string{cid: "452 4.5.3 too many recipients"}, 0, "cid deferred smtp_452", true},
		"all refused":              {map[string]string{ann: "550 no", bob: "553 no", cid: "550 no"}, deliver.Refused, "ann refused smtp_550, bob refused smtp_553, cid refused smtp_550", false},
		"none accepted, one later": {map[string]string{ann: "550 no", bob: "450 later", cid: "550 no"}, deliver.Deferred, "ann refused smtp_550, bob deferred smtp_450, cid refused smtp_550", false},
		"the server closes":        {map[string]string{bob: "421 closing"}, deliver.Deferred, "", false},
		"not signed in":            {map[string]string{bob: "530 5.7.0 sign in first"}, deliver.Deferred, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &smtpServer{replies: map[string]string{}}
			for to, reply := range test.replies {
				s.replies["RCPT TO:<"+to+">"] = reply
			}
			s.start(t)
			envelope := smtpEnvelope()
			envelope.Recipients = []string{ann, bob, cid}
			receipt, err := s.mailer(t, "smtp://HOST").Send(t.Context(), envelope)
			rejected := receipt.Rejected
			if !test.sent {
				e := smtpError(t, err)
				if rejected = e.Rejected; e.Outcome != test.outcome {
					t.Errorf("got %v, want it %s", e, test.outcome)
				}
			} else if err != nil {
				t.Errorf("got error %v, want it sent", err)
			}
			var got []string
			for _, r := range rejected {
				user, _, _ := strings.Cut(r.Recipient, "@")
				got = append(got, fmt.Sprintf("%s %s %s", user, r.Outcome, r.Code))
			}
			if strings.Join(got, ", ") != test.rejected {
				t.Errorf("got %q, want %q", got, test.rejected)
			}
			if _, messages := s.received(); (len(messages) == 1) != test.sent {
				t.Errorf("the server has %d messages, want one: %v", len(messages), test.sent)
			}
		})
	}
}

func TestSMTPAfterAcceptance(t *testing.T) {
	t.Parallel()
	s := &smtpServer{replies: map[string]string{"QUIT": ""}}
	s.start(t)
	if _, err := s.mailer(t, "smtp://HOST").Send(t.Context(), smtpEnvelope()); err != nil {
		t.Errorf("Send gives %v although the message was accepted", err)
	}
}

func TestSMTPUnknownCertificate(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"smtp://HOST", "smtps://HOST"} {
		s := &smtpServer{startTLS: true, implicit: strings.HasPrefix(form, "smtps")}
		s.start(t)
		m := s.mailer(t, form)
		m.RootCAs = x509.NewCertPool()
		_, err := m.Send(t.Context(), smtpEnvelope())
		if e := smtpError(t, err); e.Outcome != deliver.Deferred || e.Code != "smtp_setup" || !strings.Contains(e.Message, "certificate") {
			t.Errorf("Send by %s gives %v, want Deferred because of the certificate", form, e)
		}
		if _, messages := s.received(); len(messages) != 0 {
			t.Errorf("%s: a message went to a server that is not known", form)
		}
	}
}

func TestSMTPUnreachable(t *testing.T) {
	t.Parallel()
	s := &smtpServer{}
	s.start(t)
	m := s.mailer(t, "smtp://HOST")
	s.listener.Close()
	_, err := m.Send(t.Context(), smtpEnvelope())
	if e := smtpError(t, err); e.Outcome != deliver.Deferred || e.Code != "smtp_unreachable" {
		t.Errorf("Send gives %v, want Deferred", e)
	}
}

// A server that never comes to the end of an answer is left, whatever it answers.
func TestSMTPEndlessAnswers(t *testing.T) {
	t.Parallel()
	const much = 64 << 20
	for name, script := range map[string]struct {
		greeting, ehlo, rest string
		endless              string
		want                 string
	}{
		"greeting":         {"", "", "", "220-mail.test\r\n", "smtp_answer"},
		"greeting, a line": {"", "", "", "220 mail.test ", "smtp_answer"},
		"hello":            {"220 mail.test\r\n", "", "", "250-X\r\n", "smtp_answer"},
		"sender":           {"220 mail.test\r\n", "250 mail.test\r\n", "", "250-X\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			sent := make(chan int, 1)
			go func() {
				n := 0
				defer func() { sent <- n }()
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				for _, answer := range []string{script.greeting, script.ehlo} {
					if answer == "" {
						break
					}
					_, _ = io.WriteString(conn, answer)
					_, _ = in.ReadString('\n')
				}
				for block := strings.Repeat(script.endless, 1000); n < much; n += len(block) {
					if _, err := io.WriteString(conn, block); err != nil {
						return
					}
				}
			}()
			s, err := local.NewSMTP(secret.New("smtp://" + l.Addr().String()))
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Send(t.Context(), deliver.Envelope{From: "a@example.com", Recipients: []string{"b@example.com"}, Message: mailText("x")})
			var failed *deliver.SendError
			if !errors.As(err, &failed) || failed.Outcome != deliver.Deferred || script.want != "" && failed.Code != script.want {
				t.Errorf("Send: %v, want a failure that is tried again", err)
			}
			if n := <-sent; n >= much {
				t.Errorf("all of %d bytes were read", n)
			}
		})
	}
}

func TestSMTPBrokenMessage(t *testing.T) {
	t.Parallel()
	s := &smtpServer{}
	s.start(t)
	lost := errors.New("lost")
	envelope := smtpEnvelope()
	envelope.Message = mailBroken{lost}
	_, err := s.mailer(t, "smtp://HOST").Send(t.Context(), envelope)
	if e := smtpError(t, err); e.Outcome != deliver.Deferred || !errors.Is(err, lost) {
		t.Errorf("Send gives %v, want Deferred because of %v", e, lost)
	}
	if _, messages := s.received(); len(messages) != 0 {
		t.Errorf("the server took half a message: %q", messages)
	}
}

// The context's end takes the connection away at each step, and what is known
// then depends on the step.
func TestSMTPContextEnds(t *testing.T) {
	t.Parallel()
	for step, want := range map[string]deliver.Outcome{
		"EHLO": deliver.Deferred, "MAIL": deliver.Deferred, "DATA": deliver.Deferred, ".": deliver.Unknown,
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			answered := make(chan struct{})
			s := &smtpServer{pause: func(command string) {
				if command == step {
					cancel()
					<-answered
				}
			}}
			s.start(t)
			_, err := s.mailer(t, "smtp://HOST").Send(ctx, smtpEnvelope())
			close(answered)
			if e := smtpError(t, err); e.Outcome != want || !errors.Is(err, context.Canceled) {
				t.Errorf("Send gives %v, want %v because of %v", e, want, context.Canceled)
			}
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	s := &smtpServer{}
	s.start(t)
	_, err := s.mailer(t, "smtp://HOST").Send(ended, smtpEnvelope())
	if e := smtpError(t, err); e.Outcome != deliver.Deferred {
		t.Errorf("Send with a context that has ended gives %v, want Deferred", e)
	}
}

func TestNewSMTPRefuses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://user:" + smtpPassword + "@", "smtp://mail.example.com/path",
		"smtp://mail.example.com:0", "smtp://mail.example.com:99999", "smtp://mail.example.com:" + smtpPassword, "smtp://user:" + smtpPassword + "%zz@mail.example.com",
		"smtp://user@mail.example.com", "smtp://:" + smtpPassword + "@mail.example.com", "smtp://mail.example.com#" + smtpPassword,
		"smtp://mail.example.com?tls=maybe", "smtp://mail.example.com?tls=none&tls=required", "smtp://mail.example.com?password=" + smtpPassword,
		"smtp://user:" + smtpPassword + "@mail.example.com?tls=none", "smtps://mail.example.com?tls=none",
	} {
		_, err := local.NewSMTP(secret.New(address))
		if !problem.Is(err, problem.Invalid) || strings.Contains(err.Error(), smtpPassword) {
			t.Errorf("NewSMTP(%q) gives %v, want a problem of kind Invalid without the address", address, err)
		}
	}
	for _, address := range []string{
		"smtp://mail.example.com", " smtps://mail.example.com/ ", "smtp://user:p%40ss@mail.example.com:2525", "smtp://[::1]:25", "smtp://user:x@localhost?tls=none",
	} {
		if _, err := local.NewSMTP(secret.New(address)); err != nil {
			t.Errorf("NewSMTP(%q): %v", address, err)
		}
	}
}

func TestSMTPDoesNotShowThePassword(t *testing.T) {
	t.Parallel()
	m, err := local.NewSMTP(secret.New("smtp://user:" + smtpPassword + "@mail.example.com"))
	if err != nil {
		t.Fatalf("NewSMTP: %v", err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", m, m, m); strings.Contains(shown, smtpPassword) {
		t.Errorf("the mailer shows the password: %s", shown)
	}
}
