package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vizpost/vizpost/internal/httpapi/mailview"
	"github.com/vizpost/vizpost/internal/problem"
)

type mailEntryJSON struct {
	Name      string    `json:"name" doc:"The mail's file in the outbox."`
	Size      int64     `json:"size" doc:"In bytes."`
	WrittenAt time.Time `json:"written_at"`
	Subject   string    `json:"subject"`
	From      string    `json:"from"`
	To        []string  `json:"to" nullable:"false"`
}

type outboxJSON struct {
	Mails      []mailEntryJSON `json:"mails" nullable:"false"`
	NextCursor *string         `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

type mailJSON struct {
	Name        string           `json:"name"`
	Subject     string           `json:"subject"`
	From        string           `json:"from"`
	To          []string         `json:"to" nullable:"false"`
	Cc          []string         `json:"cc" nullable:"false"`
	Date        *time.Time       `json:"date"`
	Text        string           `json:"text"`
	HTML        string           `json:"html" doc:"As it was written, with its pictures in data: URIs. Show it only where scripts cannot run, such as a sandboxed frame."`
	Attachments []attachmentJSON `json:"attachments" nullable:"false"`
}

type attachmentJSON struct {
	Name        string `json:"name"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size" doc:"In bytes, decoded."`
}

// ByName is the input of what concerns one mail.
type ByName struct {
	Name string `path:"name" maxLength:"255" doc:"The mail's file in the outbox."`
}

func (a *api) registerOutbox() {
	const tag = tagOutbox

	register(a, operation{id: "list-mails", method: http.MethodGet, path: "/v1/outbox", tag: tag, role: Viewer,
		summary: "List the mails in the outbox", detail: "The newest first. Mail lies here where no mail server is configured; it was not sent."},
		a.listMails)

	register(a, operation{id: "get-mail", method: http.MethodGet, path: "/v1/outbox/{name}", tag: tag, role: Viewer,
		summary: "Read a mail", detail: "Taken apart: its headers, text, HTML and attachments."},
		a.getMail)

	register(a, operation{id: "get-raw-mail", method: http.MethodGet, path: "/v1/outbox/{name}/raw", tag: tag, role: Viewer,
		produces: []string{"message/rfc822"},
		summary:  "Download a mail", detail: "As it was written, for a mail program (message/rfc822)."},
		a.getRawMail)

	register(a, operation{id: "get-mail-attachment", method: http.MethodGet, path: "/v1/outbox/{name}/attachments/{number}", tag: tag, role: Viewer,
		produces: []string{"image/png", "application/octet-stream"},
		summary:  "Download a mail's attachment", detail: "By its place among the mail's attachments, from 0. Pictures are shown; anything else is an attachment."},
		a.getMailAttachment)
}

func (a *api) listMails(ctx context.Context, in *struct{ Paging }) (*plain[outboxJSON], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	files, err := a.deps.Outbox.List(ctx)
	if err != nil {
		return nil, err
	}
	return a.mailPage(ctx, files, after, in.Limit)
}

func (a *api) getMail(ctx context.Context, in *struct{ ByName }) (*plain[mailJSON], error) {
	m, err := a.readMail(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	out := mailJSON{Name: in.Name, Subject: m.Subject, From: m.From, To: list(m.To), Cc: list(m.Cc), Date: moment(m.Date),
		Text: m.Text, HTML: m.HTML, Attachments: []attachmentJSON{}}
	for _, file := range m.Attachments {
		out.Attachments = append(out.Attachments, attachmentJSON{Name: file.Name, ContentType: file.ContentType, Size: int64(len(file.Content))})
	}
	return &plain[mailJSON]{out}, nil
}

func (a *api) getRawMail(ctx context.Context, in *struct{ ByName }) (*huma.StreamResponse, error) {
	body, err := a.deps.Outbox.Open(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer body.Close()
		ctx.SetHeader("Content-Type", "message/rfc822")
		ctx.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": in.Name}))
		ctx.SetHeader("Content-Security-Policy", untrustedContent)
		ctx.SetStatus(http.StatusOK)
		if _, err := io.Copy(ctx.BodyWriter(), body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

func (a *api) getMailAttachment(ctx context.Context, in *struct {
	ByName
	Number int `path:"number" minimum:"0" doc:"From 0."`
}) (*attachment, error) {
	m, err := a.readMail(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if in.Number >= len(m.Attachments) {
		return nil, problem.Missing("attachment", strconv.Itoa(in.Number))
	}
	file := m.Attachments[in.Number]
	out := &attachment{ContentType: "application/octet-stream", ContentSecurityPolicy: untrustedContent, Body: file.Content,
		ContentDisposition: mime.FormatMediaType("attachment", map[string]string{"filename": file.Name})}
	if file.ContentType == "image/png" {
		out.ContentType = file.ContentType
	}
	return out, nil
}

// attachment is the answer of an attachment.
type attachment struct {
	ContentType           string `header:"Content-Type" hidden:"true"`
	ContentDisposition    string `header:"Content-Disposition" hidden:"true"`
	ContentSecurityPolicy string `header:"Content-Security-Policy" hidden:"true"`
	Body                  []byte
}

// mailPage gives the mails behind the one that after names, the newest first.
func (a *api) mailPage(ctx context.Context, files []fs.FileInfo, after string, limit int) (*plain[outboxJSON], error) {
	position := func(f fs.FileInfo) string {
		// Fixed width, so that positions compare as the mails are ordered.
		return f.ModTime().UTC().Format("20060102T150405.000000000") + " " + f.Name()
	}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return cmp.Compare(position(b), position(a)) })
	if after != "" {
		files = slices.DeleteFunc(files, func(f fs.FileInfo) bool { return position(f) >= after })
	}
	out := outboxJSON{Mails: []mailEntryJSON{}}
	if len(files) > limit {
		files = files[:limit]
		out.NextCursor = cursor(position(files[limit-1]))
	}
	for _, f := range files {
		entry := mailEntryJSON{Name: f.Name(), Size: f.Size(), WrittenAt: f.ModTime().UTC(), To: []string{}}
		body, err := a.deps.Outbox.Open(ctx, f.Name())
		if problem.Is(err, problem.NotFound) {
			continue // removed in between
		}
		if err != nil {
			return nil, err
		}
		// A mail that cannot be read stands there with its name alone.
		if h, err := mailview.ReadHeader(body); err == nil {
			entry.Subject, entry.From, entry.To = h.Subject, h.From, list(h.To)
		}
		if err := body.Close(); err != nil {
			return nil, fmt.Errorf("reading a mail: %w", err)
		}
		out.Mails = append(out.Mails, entry)
	}
	return &plain[outboxJSON]{out}, nil
}

func (a *api) readMail(ctx context.Context, name string) (mailview.Mail, error) {
	body, err := a.deps.Outbox.Open(ctx, name)
	if err != nil {
		return mailview.Mail{}, err
	}
	defer body.Close()
	m, err := a.deps.ReadMail(body)
	if err != nil {
		return mailview.Mail{}, fmt.Errorf("reading the mail %s: %w", strings.ToValidUTF8(name, "?"), err)
	}
	return m, nil
}
