// Package mailview is what a mail shows to people, and reads its head. Package
// parse reads the rest.
package mailview

import (
	"fmt"
	"io"
	"mime"
	"net/mail"
	"strings"
	"time"
)

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
	return HeaderOf(m.Header.Get), nil
}

// HeaderOf reads a head by the values of its fields, which are still encoded.
func HeaderOf(get func(string) string) Header {
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
