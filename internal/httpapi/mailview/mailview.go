// Package mailview reads a mail back to show it to people.
package mailview

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// maxMail is the most that is read of a mail, in bytes. SES takes 40 MB.
const maxMail = 64 << 20

// Header is what stands at a mail's head.
type Header struct {
	Subject string
	From    string
	To      []string
	Cc      []string
	Date    time.Time // zero when there is none that can be read
}

// Mail is a mail taken apart.
type Mail struct {
	Header
	Text        string
	HTML        string // its pictures are in data: URIs; everything else is as it was written
	Attachments []Attachment
}

// Attachment is a file that a mail carries.
type Attachment struct {
	Name        string
	ContentType string
	Content     []byte
}

// ReadHeader reads a mail's head and nothing behind it.
func ReadHeader(r io.Reader) (Header, error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return Header{}, fmt.Errorf("reading a mail's header: %w", err)
	}
	return header(m.Header.Get), nil
}

// Read reads a whole mail.
func Read(r io.Reader) (Mail, error) {
	limited := &io.LimitedReader{R: r, N: maxMail + 1}
	envelope, err := enmime.ReadEnvelope(limited)
	if err != nil {
		return Mail{}, fmt.Errorf("reading a mail: %w", err)
	}
	if limited.N == 0 {
		return Mail{}, errors.New("reading a mail: it is too large")
	}
	m := Mail{Header: header(envelope.Root.Header.Get), Text: envelope.Text, HTML: envelope.HTML}

	pictures := map[string]string{}
	for _, parts := range [][]*enmime.Part{envelope.Inlines, envelope.OtherParts} {
		for _, part := range parts {
			if part.ContentID != "" && isPicture(part.ContentType) {
				pictures[part.ContentID] = "data:" + part.ContentType + ";base64," + base64.StdEncoding.EncodeToString(part.Content)
				continue
			}
			m.Attachments = append(m.Attachments, attachment(part))
		}
	}
	for _, part := range envelope.Attachments {
		m.Attachments = append(m.Attachments, attachment(part))
	}
	m.HTML = contentID.ReplaceAllStringFunc(m.HTML, func(reference string) string {
		id, err := url.PathUnescape(strings.TrimPrefix(reference, "cid:"))
		if err != nil {
			return reference
		}
		if picture, ok := pictures[id]; ok {
			return picture
		}
		return reference
	})
	return m, nil
}

// contentID is a reference to another part of the same mail (RFC 2392).
var contentID = regexp.MustCompile(`cid:[^"'\s<>()]+`)

// isPicture is true of the types that a browser shows and that hold no script.
func isPicture(contentType string) bool {
	switch contentType {
	case "image/png", "image/jpeg", "image/gif":
		return true
	default:
		return false
	}
}

func attachment(part *enmime.Part) Attachment {
	return Attachment{Name: part.FileName, ContentType: part.ContentType, Content: part.Content}
}

func header(get func(string) string) Header {
	h := Header{Subject: decoded(get("Subject")), From: decoded(get("From")), To: addresses(get("To")), Cc: addresses(get("Cc"))}
	if date, err := mail.ParseDate(get("Date")); err == nil {
		h.Date = date.UTC()
	}
	return h
}

// addresses splits a list of addresses; one that cannot be read is one text.
func addresses(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	parsed, err := mail.ParseAddressList(list)
	if err != nil {
		return []string{decoded(list)}
	}
	var out []string
	for _, a := range parsed {
		if a.Name == "" {
			out = append(out, a.Address)
		} else {
			out = append(out, a.Name+" <"+a.Address+">")
		}
	}
	return out
}

// decoded reads encoded words (RFC 2047); what cannot be read stays.
func decoded(text string) string {
	var d mime.WordDecoder
	if plain, err := d.DecodeHeader(text); err == nil {
		return plain
	}
	return text
}
