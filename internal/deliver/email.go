package deliver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	netmail "net/mail"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/vizpost/vizpost/internal/address"
)

// EmailBuilder gives a [Post] the form of an email: text and HTML, pictures in
// the text, other files attached.
type EmailBuilder struct {
	// MaxBytes bounds the whole message as it is sent; files that do not fit
	// become links. 0 is what Limit says, or [DefaultMaxEmail] without it.
	MaxBytes int64
	// Limit says how many bytes the carrier takes of one message; 0: it has no
	// limit, or cannot be asked at present. Nil: it is not asked.
	Limit func(context.Context) int64
	// Domain is the right side of the Message-ID; "" is the sender's.
	Domain string
	Budget *Budget
	Now    func() time.Time
}

// DefaultMaxEmail is the 10 MB that SES v1 takes of a message, attachments
// encoded (Amazon SES, Service quotas): room for about 7 MB of files.
const DefaultMaxEmail = 10_000_000

// Email is a finished message. It holds its attachments in memory until
// Release.
type Email struct {
	From       string   // address alone
	Recipients []string // addresses alone: To, Cc and Bcc, each once
	Subject    string
	Linked     []string // names of the files that are too large and went as a link
	LeftOut    []string // names of the files that are too large and have no link
	Carried    int      // files in the message
	Size       int64    // bytes of the message, at most

	msg     *mail.Msg
	release func()
}

// Build makes the email of a post. It waits for the budget and reads the
// files. A [problem.Error] of kind Invalid means that the post itself cannot
// become an email; every other error may pass.
func (b *EmailBuilder) Build(ctx context.Context, p Post) (*Email, error) {
	e, err := b.address(p)
	if err != nil {
		return nil, err
	}
	w, err := renderWords(p)
	if err != nil {
		return nil, err
	}
	e.Subject = w.subject
	e.msg.Subject(w.subject)

	var plan []place
	if plan, e.Size, err = b.write(e.msg, p, w, b.limit(ctx, p)); err != nil {
		return nil, err
	}
	var carried int64
	for i, f := range p.Files {
		switch plan[i] {
		case placeLink:
			e.Linked = append(e.Linked, f.Name)
		case placeNowhere:
			e.LeftOut = append(e.LeftOut, f.Name)
		default:
			carried += f.Size
			e.Carried++
		}
	}
	release, err := b.Budget.take(ctx, carried)
	if err != nil {
		return nil, err
	}
	e.release = sync.OnceFunc(release)
	names := make(map[string]bool, len(p.Files))
	for i, f := range p.Files {
		if !plan[i].carried() {
			continue
		}
		if err := attach(ctx, e.msg, f, plan[i], contentID(p.Key, i), UniqueName(f.Name, names)); err != nil {
			e.Release()
			return nil, err
		}
	}
	return e, nil
}

// limit is how large the email of a post may be: the least of what is set, what
// the carrier takes and what the post itself says.
func (b *EmailBuilder) limit(ctx context.Context, p Post) int64 {
	limits := []int64{b.MaxBytes, p.MaxBytes}
	switch {
	case b.Limit != nil:
		limits = append(limits, b.Limit(ctx))
	case b.MaxBytes == 0:
		limits = append(limits, DefaultMaxEmail)
	}
	limit := int64(math.MaxInt64)
	for _, l := range limits {
		if l > 0 {
			limit = min(limit, l)
		}
	}
	return limit
}

// write puts the text into the message and decides which files go with it.
// What the text says depends on that, and what fits depends on the text: a
// file more leaves until the whole is small enough.
func (b *EmailBuilder) write(msg *mail.Msg, p Post, w words, limit int64) (_ []place, size int64, err error) {
	for room := limit; ; {
		plan := planFiles(p.Files, room)
		html, text, err := newEmailView(p, w, plan).render()
		if err != nil {
			return nil, 0, err
		}
		msg.SetBodyString(mail.TypeTextPlain, text)
		msg.AddAlternativeString(mail.TypeTextHTML, html)
		size, err := msg.WriteTo(io.Discard)
		if err != nil {
			return nil, 0, fmt.Errorf("measuring the email: %w", err)
		}
		var carried int64
		for i, f := range p.Files {
			if plan[i].carried() {
				carried += f.Size
				size += encodedSize(f.Size)
			}
		}
		if size <= limit || carried == 0 {
			return plan, size, nil
		}
		room = carried - 1
	}
}

// encodedSize gives the bytes that a file takes in a message: base64 makes 78
// bytes of 57, line ends included, and its headers take up to a kilobyte.
func encodedSize(n int64) int64 { return n + n/57*21 + 1024 }

// address makes the message's headers but for the subject.
func (b *EmailBuilder) address(p Post) (*Email, error) {
	name, from, err := address.ParseNamed(p.From)
	if err != nil {
		return nil, fmt.Errorf("reading the sender: %w", err)
	}
	e := &Email{From: from, msg: mail.NewMsg(mail.WithNoDefaultUserAgent()), release: func() {}}
	e.msg.FromMailAddress(&netmail.Address{Name: name, Address: from})
	seen := map[string]bool{}
	for _, list := range []struct {
		addresses []string
		set       func(...string) error
	}{{p.To, e.msg.To}, {p.Cc, e.msg.Cc}, {p.Bcc, nil}} {
		var header []string
		for _, entry := range list.addresses {
			recipient, err := address.Parse(entry)
			if err != nil {
				return nil, fmt.Errorf("reading a recipient: %w", err)
			}
			if seen[address.Key(recipient)] {
				continue
			}
			seen[address.Key(recipient)] = true
			header = append(header, recipient)
		}
		e.Recipients = append(e.Recipients, header...)
		if list.set == nil || len(header) == 0 {
			continue
		}
		if err := list.set(header...); err != nil {
			return nil, fmt.Errorf("reading a recipient: %w", err)
		}
	}
	if len(e.Recipients) == 0 {
		return nil, invalid("The email has no recipient.")
	}
	if len(e.msg.GetTo()) == 0 {
		e.msg.SetGenHeaderPreformatted("To", "undisclosed-recipients:;")
	}

	domain := b.Domain
	if domain == "" {
		domain = from[strings.LastIndexByte(from, '@')+1:]
	}
	e.msg.SetMessageIDWithValue(digest(p.Key) + "@" + domain)
	e.msg.SetDateWithValue(b.Now())
	// RFC 3834: keeps vacation notes and other responders quiet.
	e.msg.SetGenHeader("Auto-Submitted", "auto-generated")
	return e, b.unsubscribe(e.msg, p)
}

// unsubscribe writes the headers by which mail programs offer to leave
// (RFC 2369, RFC 8058).
func (b *EmailBuilder) unsubscribe(msg *mail.Msg, p Post) error {
	var mailto []string
	if p.UnsubscribeAddress != "" {
		leave, err := address.Parse(p.UnsubscribeAddress)
		if err != nil {
			return fmt.Errorf("reading the address to unsubscribe: %w", err)
		}
		mailto = append(mailto, "mailto:"+leave+"?subject=unsubscribe")
	}
	if p.UnsubscribeURL != "" {
		u, err := url.Parse(p.UnsubscribeURL)
		if err != nil || u.Scheme != "https" || len(p.UnsubscribeURL) > 500 {
			return invalid("The address to unsubscribe is not an https address.")
		}
		return msg.SetListUnsubscribeOneClick(u.String(), mailto...)
	}
	if len(mailto) > 0 {
		msg.SetListUnsubscribe(mailto...)
	}
	return nil
}

// WriteTo writes the message in the form of RFC 5322, lines ending in CRLF. It
// may be called again, but not at the same time.
func (e *Email) WriteTo(w io.Writer) (int64, error) {
	if e.msg == nil {
		return 0, errors.New("writing an email that was released")
	}
	n, err := e.msg.WriteTo(w)
	if err != nil {
		return n, fmt.Errorf("writing the email: %w", err)
	}
	return n, nil
}

// Release gives the memory of the attachments back. The email cannot be used
// any more; a second call does nothing.
func (e *Email) Release() {
	e.msg = nil
	e.release()
}

// Envelope addresses the email for a [Mailer].
func (e *Email) Envelope(key string, tags map[string]string) Envelope {
	return Envelope{Key: key, From: e.From, Recipients: e.Recipients, Message: e, Size: e.Size, Tags: tags}
}

// place is where a file goes in an email.
type place int

const (
	placeNowhere place = iota // too large, and without a link
	placeLink                 // too large
	placeText                 // a picture, shown in the text
	placeAttached
)

func (p place) carried() bool { return p == placeText || p == placeAttached }

// planFiles decides where each file goes so that those carried take no more
// than room bytes: the largest leave first.
func planFiles(files []File, room int64) []place {
	plan := make([]place, len(files))
	order := make([]int, len(files))
	var total int64
	for i, f := range files {
		order[i] = i
		total += f.Size
		plan[i] = placeAttached
		if f.Format == "png" {
			plan[i] = placeText
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(files[b].Size, files[a].Size) })
	for _, i := range order {
		if total <= room {
			break
		}
		total -= files[i].Size
		plan[i] = placeNowhere
		if isWebAddress(files[i].Link) {
			plan[i] = placeLink
		}
	}
	return plan
}

func attach(ctx context.Context, msg *mail.Msg, f File, where place, cid, name string) error {
	content, err := read(ctx, f)
	if err != nil {
		return fmt.Errorf("reading %s for an email: %w", f.Name, err)
	}
	disposition, mediaType := "attachment", "application/octet-stream"
	if where == placeText {
		disposition, mediaType = "inline", "image/png"
	}
	if given, params, err := mime.ParseMediaType(f.ContentType); err == nil {
		mediaType = given
		if charset := params["charset"]; charset != "" { // older readers take ASCII for granted (RFC 2046, section 4.1.2)
			mediaType = mime.FormatMediaType(given, map[string]string{"charset": charset})
		}
	}
	options := []mail.FileOption{
		mail.WithFileContentType(mail.ContentType(mediaType)),
		// RFC 2231 for what is not ASCII; the name of the Content-Type, which
		// older programs read, is an encoded word.
		func(file *mail.File) {
			file.Header.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": name}))
		},
	}
	if where == placeText {
		msg.EmbedReadSeeker(name, bytes.NewReader(content), append(options, mail.WithFileContentID("<"+cid+">"))...)
		return nil
	}
	msg.AttachReadSeeker(name, bytes.NewReader(content), options...)
	return nil
}

// read takes a file into memory. A file of another size than was said is an
// error: the budget was asked for that size.
func read(ctx context.Context, f File) (_ []byte, err error) {
	if f.Size < 0 {
		return nil, errors.New("its size is not known")
	}
	r, err := f.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
	}()
	content := make([]byte, f.Size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, fmt.Errorf("it is shorter than %d bytes: %w", f.Size, err)
	}
	var more [1]byte
	n, err := r.Read(more[:])
	if n > 0 {
		return nil, fmt.Errorf("it is longer than %d bytes", f.Size)
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("at its end: %w", err)
	}
	return content, nil
}

// digest makes a short name of a key that may hold any character.
func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

func contentID(key string, i int) string {
	return fmt.Sprintf("picture-%d.%s@vizpost", i+1, digest(key))
}

// isWebAddress is true of an http or https address with a host.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
