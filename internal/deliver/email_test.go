package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jhillyerd/enmime/v2"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

// fileOf makes a file of the view Overview with so many bytes.
func fileOf(name, format, contentType string, content []byte) deliver.File {
	return deliver.File{
		Name: name, Format: format, ContentType: contentType, Size: int64(len(content)),
		View: "Overview", Workbook: "Superstore", ViewURL: "https://tableau.example.com/#/views/Superstore/Overview",
		Filters:    map[string][]string{"Region": {"West", "East"}},
		VerifiedOn: "Sales by Region",
		ExportedAt: time.Date(2026, 11, 23, 8, 0, 7, 0, time.UTC),
		Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content)), nil
		},
	}
}

func pngOf(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4, 3))); err != nil {
		t.Fatalf("encoding a picture: %v", err)
	}
	return b.Bytes()
}

func pdfOf(size int) []byte {
	return append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte{0xff}, size-9)...)
}

// morning is a post with a picture and a PDF.
func morning(t testing.TB) deliver.Post {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatalf("loading the time zone: %v", err)
	}
	picture := fileOf("Overview.png", "png", "image/png", pngOf(t))
	picture.Width, picture.Height = 400, 300
	return deliver.Post{
		Key: "01N#mail#ann@example.com", RunID: "01N", ReportID: "01R", ReportName: "Morning numbers", ConnectionName: "Sales",
		ScheduledFor: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), Location: berlin, StandsFor: 1,
		Files: []deliver.File{picture, fileOf("Übersicht.pdf", "pdf", "application/pdf", pdfOf(3000))},
		From:  `"Reports, daily" <reports@example.com>`, To: []string{"ann@example.com"},
	}
}

func builder() *deliver.EmailBuilder {
	return &deliver.EmailBuilder{Now: func() time.Time { return time.Date(2026, 11, 23, 8, 0, 20, 0, time.UTC) }}
}

// sent builds a post and reads the message back.
func sent(t testing.TB, b *deliver.EmailBuilder, p deliver.Post) (*deliver.Email, *enmime.Envelope) {
	t.Helper()
	e, err := b.Build(t.Context(), p)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	t.Cleanup(e.Release)
	return e, readBack(t, e)
}

func readBack(t testing.TB, e *deliver.Email) *enmime.Envelope {
	t.Helper()
	var raw bytes.Buffer
	n, err := e.WriteTo(&raw)
	if err != nil {
		t.Fatalf("WriteTo: %v", err)
	}
	if n != int64(raw.Len()) {
		t.Errorf("WriteTo says %d bytes and writes %d", n, raw.Len())
	}
	for i, line := range bytes.SplitAfter(raw.Bytes(), []byte("\n")) {
		if len(line) > 1000 || bytes.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) || len(line) > 0 && !bytes.HasSuffix(line, []byte("\r\n")) {
			t.Fatalf("line %d is not one of at most 1000 characters of ASCII with CRLF: %q", i+1, line)
		}
	}
	m, err := enmime.ReadEnvelope(&raw)
	if err != nil {
		t.Fatalf("reading the message back: %v", err)
	}
	for _, e := range m.Errors {
		t.Errorf("reading the message back: %v", e)
	}
	return m
}

func header(t testing.TB, m *enmime.Envelope, names ...string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, name := range names {
		if values := m.GetHeaderValues(name); len(values) > 1 {
			t.Errorf("the header %s is there %d times", name, len(values))
		}
		got[name] = m.GetHeader(name)
	}
	return got
}

func TestEmail(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Body = "Good morning,\n\nnumbers for {{ filters.Region }} & <all>.\nSee you"
	p.UnsubscribeURL, p.UnsubscribeAddress = "https://reports.example.com/unsubscribe/tok", "leave@example.com"
	e, m := sent(t, builder(), p)

	want := map[string]string{
		"Subject":               "Morning numbers – 23 November 2026",
		"From":                  `"Reports, daily" <reports@example.com>`,
		"To":                    "<ann@example.com>",
		"Cc":                    "",
		"Bcc":                   "",
		"Date":                  "Mon, 23 Nov 2026 08:00:20 +0000",
		"Auto-Submitted":        "auto-generated",
		"List-Unsubscribe":      "<https://reports.example.com/unsubscribe/tok>, <mailto:leave@example.com?subject=unsubscribe>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"User-Agent":            "",
		"X-Mailer":              "",
		"Mime-Version":          "1.0",
	}
	names := make([]string, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	if diff := cmp.Diff(want, header(t, m, names...)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if e.Subject != want["Subject"] || e.From != "reports@example.com" {
		t.Errorf("the email has the subject %q and is from %q", e.Subject, e.From)
	}

	wantText := `Morning numbers
Monday, 23 November 2026 at 09:00 CET

Good morning,

numbers for West, East & <all>.
See you

Overview (Region: West, East (verified on Sales by Region) · exported at 09:00)
Open in Tableau: https://tableau.example.com/#/views/Superstore/Overview

Files

- Übersicht.pdf (3.0 kB · Region: West, East (verified on Sales by Region) · exported at 09:00)
  Attached.

-- 
You receive this message because your address is on the report "Morning numbers", made from the Tableau connection "Sales".
Sent by vizpost.
Unsubscribe: https://reports.example.com/unsubscribe/tok
`
	if diff := cmp.Diff(wantText, strings.ReplaceAll(m.Text, "\r\n", "\n")); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}

	if len(m.Inlines) != 1 || len(m.Attachments) != 1 || len(m.OtherParts) != 0 {
		t.Fatalf("there are %d pictures, %d attachments and %d other parts, want 1, 1 and 0", len(m.Inlines), len(m.Attachments), len(m.OtherParts))
	}
	picture, pdf := m.Inlines[0], m.Attachments[0]
	if picture.FileName != "Overview.png" || picture.ContentType != "image/png" || !bytes.Equal(picture.Content, pngOf(t)) {
		t.Errorf("the picture is %q of type %q", picture.FileName, picture.ContentType)
	}
	if pdf.FileName != "Übersicht.pdf" || pdf.ContentType != "application/pdf" || !bytes.Equal(pdf.Content, pdfOf(3000)) {
		t.Errorf("the attachment is %q of type %q", pdf.FileName, pdf.ContentType)
	}
	for _, part := range []string{
		`<a href="https://tableau.example.com/#/views/Superstore/Overview"><img class="picture" src="cid:` + picture.ContentID + `" width="400" alt="Overview (Superstore)"`,
		"Good morning,</p>",
		"numbers for West, East &amp; &lt;all&gt;.<br>\nSee you</p>",
		`<a class="link" href="https://reports.example.com/unsubscribe/tok"`,
		`name="color-scheme" content="light dark"`,
	} {
		if !strings.Contains(strings.ReplaceAll(m.HTML, "\r\n", "\n"), part) {
			t.Errorf("the HTML lacks %q:\n%s", part, m.HTML)
		}
	}
}

func TestEmailIsTheSameAgain(t *testing.T) {
	t.Parallel()
	b, p := builder(), morning(t)
	e, first := sent(t, b, p)
	id := first.GetHeader("Message-Id")
	if !strings.HasSuffix(id, "@example.com>") || strings.Contains(id, "#") {
		t.Errorf("the Message-ID is %s, want one at example.com without the key's signs", id)
	}
	if again := readBack(t, e); again.Text != first.Text || again.HTML != first.HTML || len(again.Attachments) != 1 ||
		!bytes.Equal(again.Attachments[0].Content, first.Attachments[0].Content) {
		t.Error("writing the email a second time gives another one")
	}
	if _, other := sent(t, b, p); other.GetHeader("Message-Id") != id {
		t.Errorf("the same delivery has the Message-IDs %s and %s", id, other.GetHeader("Message-Id"))
	}
	p.Key = "01N#mail#bob@example.com"
	b.Domain = "vizpost.example.org"
	if _, other := sent(t, b, p); other.GetHeader("Message-Id") == id || !strings.HasSuffix(other.GetHeader("Message-Id"), "@vizpost.example.org>") {
		t.Errorf("another delivery has the Message-ID %s", other.GetHeader("Message-Id"))
	}
}

func TestEmailRecipients(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.To = []string{"Ann <ann@example.com>", "bob@EXAMPLE.com", "Ann@example.com"}
	p.Cc = []string{"cy@example.com", "bob@example.com"}
	p.Bcc = []string{"dee@bücher.example"}
	e, m := sent(t, builder(), p)
	if diff := cmp.Diff([]string{"ann@example.com", "bob@example.com", "cy@example.com", "dee@xn--bcher-kva.example"}, e.Recipients); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
	want := map[string]string{"To": "<ann@example.com>, <bob@example.com>", "Cc": "<cy@example.com>", "Bcc": ""}
	if diff := cmp.Diff(want, header(t, m, "To", "Cc", "Bcc")); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}

	p.To, p.Cc = nil, nil
	e, m = sent(t, builder(), p)
	if got := m.GetHeader("To"); got != "undisclosed-recipients:;" {
		t.Errorf("To is %q without open recipients", got)
	}
	envelope := e.Envelope("k", map[string]string{"run": "01N"})
	if envelope.Key != "k" || envelope.From != "reports@example.com" || envelope.Message != io.WriterTo(e) || envelope.Tags["run"] != "01N" ||
		len(envelope.Recipients) != 1 {
		t.Errorf("Envelope is %+v", envelope)
	}
}

func TestEmailSaysWhatItIs(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Test, p.PossibleRepeat, p.StandsFor = true, true, 10
	_, m := sent(t, builder(), p)
	if got, want := m.GetHeader("Subject"), "[Test] Morning numbers – 23 November 2026"; got != want {
		t.Errorf("the subject is %q, want %q", got, want)
	}
	for _, said := range []string{
		"This is a test. The other recipients of the report did not get it.",
		"This report stands for 10 occurrences that were missed.",
		"You may have received this message before: the first sending was never confirmed, so it was sent once more.",
		"Here is Morning numbers for Monday, 23 November 2026.",
	} {
		if !strings.Contains(m.Text, said) {
			t.Errorf("the text does not say %q:\n%s", said, m.Text)
		}
		if !strings.Contains(m.HTML, said) {
			t.Errorf("the HTML does not say %q:\n%s", said, m.HTML)
		}
	}
}

func TestNotice(t *testing.T) {
	t.Parallel()
	p := deliver.Post{
		Key: "c", Subject: deliver.Literal("The token of {{ Sales }} ends soon"), Body: deliver.Literal("Make a new one.\n\nThe old {{ one }} ends on Friday."),
		From: "reports@example.com", To: []string{"ops@example.com"}, UnsubscribeAddress: "leave@example.com",
	}
	_, m := sent(t, builder(), p)
	want := "The token of {{ Sales }} ends soon\n\nMake a new one.\n\nThe old {{ one }} ends on Friday.\n\n-- \n" +
		"You receive this message because your address is entered in vizpost for notices.\nSent by vizpost.\nTo unsubscribe, write to leave@example.com\n"
	if diff := cmp.Diff(want, strings.ReplaceAll(m.Text, "\r\n", "\n")); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	wantHeader := map[string]string{
		"Subject": "The token of {{ Sales }} ends soon", "List-Unsubscribe": "<mailto:leave@example.com?subject=unsubscribe>", "List-Unsubscribe-Post": "",
	}
	if diff := cmp.Diff(wantHeader, header(t, m, "Subject", "List-Unsubscribe", "List-Unsubscribe-Post")); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if !strings.Contains(m.HTML, `href="mailto:leave@example.com?subject=unsubscribe"`) {
		t.Error("the HTML has no link to unsubscribe")
	}

	_, m = sent(t, builder(), deliver.Post{From: "reports@example.com", To: []string{"ops@example.com"}})
	if got, want := m.GetHeader("Subject"), "Message from vizpost"; got != want {
		t.Errorf("without any words the subject is %q, want %q", got, want)
	}
}

func TestEmailCannotBeInjectedInto(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.ReportName = "x\r\nBcc: evil@example.com\r\n\r\n<script>alert(1)</script>"
	p.Subject = "{{ report.name }}"
	p.Files[1].Name = "a\"\r\nX-Evil: 1\r\n\r\n/../b.pdf"
	p.Files[0].View = `"><script>alert(2)</script>`
	p.Files[0].ViewURL = "javascript:alert(3)"
	p.Files[1].ViewURL = `https://tableau.example.com/"><script>alert(4)</script>`
	_, m := sent(t, builder(), p)
	want := map[string]string{"Subject": "x Bcc: evil@example.com <script>alert(1)</script>", "Bcc": "", "X-Evil": ""}
	if diff := cmp.Diff(want, header(t, m, "Subject", "Bcc", "X-Evil")); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got, want := m.Attachments[0].FileName, "a_ X-Evil_ 1 _.._b.pdf"; got != want {
		t.Errorf("the attachment is named %q, want %q", got, want)
	}
	if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, "javascript:") {
		t.Errorf("the HTML holds a script:\n%s", m.HTML)
	}
}

func TestFilesOfOneName(t *testing.T) {
	t.Parallel()
	p := morning(t)
	long := strings.Repeat("n", 130) + ".csv"
	p.Files = nil
	for _, name := range []string{"a.csv", "A.csv", "a.csv", "a (2).csv", long, long, "noextension"} {
		p.Files = append(p.Files, fileOf(name, "csv", "text/csv; charset=utf-8", []byte(name)))
	}
	_, m := sent(t, builder(), p)
	var got []string
	for _, a := range m.Attachments {
		got = append(got, a.FileName)
	}
	want := []string{"a.csv", "A (2).csv", "a (3).csv", "a (2) (2).csv",
		strings.Repeat("n", 116) + ".csv", strings.Repeat("n", 112) + " (2).csv", "noextension"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestExportedOnAnotherDay(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Location = nil
	p.Files[0].ExportedAt = p.ScheduledFor.Add(20 * time.Hour)
	_, m := sent(t, builder(), p)
	for _, said := range []string{"Monday, 23 November 2026 at 08:00 UTC", "exported 24 November 2026, 04:00", "exported at 08:00"} {
		if !strings.Contains(m.Text, said) {
			t.Errorf("the message does not say %q:\n%s", said, m.Text)
		}
	}
}

func TestEmailRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*deliver.Post)
		want   string
	}{
		{"sender", func(p *deliver.Post) { p.From = "reports" }, "reading the sender: "},
		{"recipient", func(p *deliver.Post) { p.To = []string{"a@example.com\r\nBcc: b@example.com"} }, "reading a recipient: "},
		{"no recipient", func(p *deliver.Post) { p.To = nil }, ""},
		{"subject of two lines", func(p *deliver.Post) { p.Subject = "a\nb" }, "reading the subject: "},
		{"subject that fails", func(p *deliver.Post) { p.Subject = "{{ files[9].name }}" }, "writing the subject: "},
		{"body", func(p *deliver.Post) { p.Body = "{{ foo }}" }, "reading the text: "},
		{"body that fails", func(p *deliver.Post) { p.Body = "{{ files[9].name }}" }, "writing the text: "},
		{"unsubscribe by http", func(p *deliver.Post) { p.UnsubscribeURL = "http://reports.example.com/u/secret-token" }, ""},
		{"unsubscribe by a word", func(p *deliver.Post) { p.UnsubscribeAddress = "leave" }, "reading the address to unsubscribe: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := morning(t)
			tt.change(&p)
			_, err := builder().Build(t.Context(), p)
			if !problem.Is(err, problem.Invalid) || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "secret-token") {
				t.Errorf("Build gives %v, want a problem of kind Invalid that begins with %q", err, tt.want)
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	tests := []struct {
		name   string
		change func(*deliver.File)
		want   string
	}{
		{"not opened", func(f *deliver.File) {
			f.Open = func(context.Context) (io.ReadCloser, error) { return nil, lost }
		}, "reading Overview.png for an email: lost"},
		{"shorter", func(f *deliver.File) { f.Size += 5 }, "reading Overview.png for an email: it is shorter than"},
		{"longer", func(f *deliver.File) { f.Size -= 5 }, "reading Overview.png for an email: it is longer than"},
		{"size not known", func(f *deliver.File) { f.Size = -1 }, "reading Overview.png for an email: its size is not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := morning(t)
			tt.change(&p.Files[0])
			b := builder()
			b.Budget = deliver.NewBudget(100_000)
			_, err := b.Build(t.Context(), p)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("Build gives %v, want an error that begins with %q", err, tt.want)
			}
			if p, known := problem.From(err); known {
				t.Errorf("the error is of kind %d, want one that may pass", p.Kind)
			}
			// What the failed email held is free again: this one needs it all.
			p = morning(t)
			p.Files = []deliver.File{fileOf("all.pdf", "pdf", "application/pdf", pdfOf(22_222))}
			if _, err := b.Build(t.Context(), p); err != nil {
				t.Errorf("Build after the failure: %v", err)
			}
		})
	}
}

// A CSV says that it is UTF-8: readers of mail may take it for ASCII otherwise.
func TestAttachmentKeepsItsCharset(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Files = []deliver.File{fileOf("a.csv", "csv", "text/csv; charset=utf-8", []byte("Région\nÎle\n")), fileOf("b.pdf", "pdf", "application/pdf", []byte("%PDF"))}
	_, m := sent(t, builder(), p)
	var got []string
	for _, a := range m.Attachments {
		got = append(got, a.Header.Get("Content-Type"))
	}
	want := []string{`text/csv; charset=utf-8; name="a.csv"`, `application/pdf; name="b.pdf"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("content types (-want +got):\n%s", diff)
	}
}
