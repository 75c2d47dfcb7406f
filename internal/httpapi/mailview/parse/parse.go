// Package parse takes a mail apart. It stands by itself because its parser is
// large: an installation that sends its mail has no use for it.
package parse

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"github.com/jhillyerd/enmime/v2"

	"github.com/vizpost/vizpost/internal/httpapi/mailview"
)

// maxMail is the most that is read of a mail, in bytes. SES takes 40 MB.
const maxMail = 64 << 20

// Mail reads a whole mail.
func Mail(r io.Reader) (mailview.Mail, error) {
	limited := &io.LimitedReader{R: r, N: maxMail + 1}
	envelope, err := enmime.ReadEnvelope(limited)
	if err != nil {
		return mailview.Mail{}, fmt.Errorf("reading a mail: %w", err)
	}
	if limited.N == 0 {
		return mailview.Mail{}, errors.New("reading a mail: it is too large")
	}
	m := mailview.Mail{Header: mailview.HeaderOf(envelope.Root.Header.Get), Text: envelope.Text, HTML: envelope.HTML}

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

func attachment(part *enmime.Part) mailview.Attachment {
	return mailview.Attachment{Name: part.FileName, ContentType: part.ContentType, Content: part.Content}
}
