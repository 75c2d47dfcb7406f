package deliver

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	htmltemplate "html/template"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"
)

// The two forms of one email. They are parsed at each use, which takes less
// than a millisecond, so that nothing of the package has state.
var (
	//go:embed email.html
	emailHTML string
	//go:embed email.txt
	emailText string
)

// words are the report's own texts, rendered.
type words struct {
	subject string
	body    string
}

// defaultSubject names the report and its date.
const defaultSubject = `{{ report.name }} – {{ date(run.scheduled_for, "%-d %B %Y") }}`

// defaultBody is one sentence.
const defaultBody = `Here is {{ report.name }} for {{ date(run.scheduled_for, "%A, %-d %B %Y") }}.`

func renderWords(p Post) (words, error) {
	subject, body := p.Subject, p.Body
	if subject == "" {
		subject = defaultSubject
		if p.ScheduledFor.IsZero() {
			subject = `{{ report.name }}`
		}
	}
	if body == "" && p.ReportName != "" && !p.ScheduledFor.IsZero() {
		body = defaultBody
	}
	var w words
	line, err := CompileLine(subject)
	if err != nil {
		return words{}, fmt.Errorf("reading the subject: %w", err)
	}
	env := p.Env()
	if w.subject, err = line.Render(env, Header); err != nil {
		return words{}, fmt.Errorf("writing the subject: %w", err)
	}
	if w.subject == "" {
		w.subject = cmp.Or(headerText(p.ReportName), "Message from vizpost")
	}
	if p.Test {
		w.subject = "[Test] " + w.subject
	}
	text, err := CompileTemplate(body)
	if err != nil {
		return words{}, fmt.Errorf("reading the text: %w", err)
	}
	if w.body, err = text.Render(env, Plain); err != nil {
		return words{}, fmt.Errorf("writing the text: %w", err)
	}
	return w, nil
}

// emailView is what both forms of an email show.
type emailView struct {
	Subject    string
	Preheader  string // what inboxes show beside the subject
	Heading    string
	When       string
	Notes      []string
	Paragraphs [][]string // lines each
	Pictures   []pictureView
	Files      []fileView
	Sections   []sectionView
	Link       string
	LinkText   string
	Because    string

	Report             string
	Connection         string
	Test               bool
	UnsubscribeURL     string
	UnsubscribeAddress string
}

type pictureView struct {
	Source  htmltemplate.URL // "cid:…"
	Width   int              // pixels in the message
	Alt     string
	Title   string
	Detail  string
	ViewURL string
}

type fileView struct {
	Name    string
	Format  string // "PDF"
	Detail  string
	Link    string
	ViewURL string
	State   string // "attached", "link", "left out"
}

// pictureWidth is the room inside the message, in pixels.
const pictureWidth = 590

func newEmailView(p Post, w words, plan []place) emailView {
	v := emailView{
		Subject: w.subject, Heading: p.ReportName, When: whenText(p.ScheduledFor, p.Location),
		Notes: notes(p), Paragraphs: paragraphs(w.body),
		Report: p.ReportName, Connection: p.ConnectionName, Test: p.Test,
		UnsubscribeURL: p.UnsubscribeURL, UnsubscribeAddress: p.UnsubscribeAddress,
		Link: webAddress(p.Link), LinkText: p.LinkText, Because: p.Because,
	}
	for _, s := range p.Sections {
		v.Sections = append(v.Sections, newSectionView(s))
	}
	if len(v.Paragraphs) == 0 && len(v.Sections) > 0 && len(v.Sections[0].Parts) > 0 {
		v.Preheader = cutRunes(strings.Join(v.Sections[0].Parts[0].Lines, " "), 140)
	}
	if v.Heading == "" {
		v.Heading = w.subject
	}
	if len(v.Paragraphs) > 0 {
		v.Preheader = cutRunes(strings.Join(v.Paragraphs[0], " "), 140)
	}
	reached := map[string]bool{} // views that the message has a link to
	for i, f := range p.Files {
		if plan[i] == placeText {
			v.Pictures = append(v.Pictures, newPictureView(p, f, contentID(p.Key, i)))
			reached[f.ViewURL] = true
		}
	}
	var linked, leftOut []string
	for i, f := range p.Files {
		if plan[i] == placeText {
			continue
		}
		row := fileView{Name: f.Name, Format: strings.ToUpper(f.Format), Detail: detail(p, f, sizeText(f.Size))}
		if plan[i] == placeNowhere || !reached[f.ViewURL] {
			row.ViewURL = webAddress(f.ViewURL)
			reached[f.ViewURL] = true
		}
		switch plan[i] {
		case placeAttached:
			row.State = "attached"
		case placeLink:
			row.State, row.Link = "link", f.Link
			linked = append(linked, f.Name)
		case placeNowhere:
			row.State = "left out"
			leftOut = append(leftOut, f.Name)
		}
		v.Files = append(v.Files, row)
	}
	if len(linked) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%s too large for an email. Follow the link below to open %s.",
			namesAre(linked), plural(len(linked), "it", "them")))
	}
	if len(leftOut) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%s too large for an email and %s left out. Open the view in Tableau to see it, or ask the owner of the report to send less in one message.",
			namesAre(leftOut), plural(len(leftOut), "was", "were")))
	}
	return v
}

func newPictureView(p Post, f File, cid string) pictureView {
	v := pictureView{
		Source: htmltemplate.URL("cid:" + cid), Width: pictureWidth,
		Title: title(f), Detail: detail(p, f), ViewURL: webAddress(f.ViewURL),
	}
	if f.Width > 0 {
		v.Width = min(f.Width, pictureWidth)
	}
	v.Alt = v.Title
	if workbook := book(f); workbook != "" {
		v.Alt += " (" + workbook + ")"
	}
	return v
}

// sectionView is a section of a notice: paragraphs and lists, in order.
type sectionView struct {
	Heading string
	Parts   []partView
}

// partView is a paragraph of some lines, or the items of a list.
type partView struct {
	Lines []string
	Items []string
}

func newSectionView(s Section) sectionView {
	v := sectionView{Heading: headerText(s.Heading)}
	for _, lines := range paragraphs(s.Text) {
		var part partView
		for _, line := range lines {
			item, isItem := strings.CutPrefix(line, "- ")
			switch {
			case isItem:
				part.Items = append(part.Items, item)
			case len(part.Items) > 0:
				v.Parts = append(v.Parts, part)
				part = partView{Lines: []string{line}}
			default:
				part.Lines = append(part.Lines, line)
			}
		}
		v.Parts = append(v.Parts, part)
	}
	if len(s.Items) > 0 {
		v.Parts = append(v.Parts, partView{Items: s.Items})
	}
	return v
}

// render writes the message as HTML and as plain text.
func (v emailView) render() (html, text string, err error) {
	h, err := htmltemplate.New("email.html").Parse(emailHTML)
	if err != nil {
		return "", "", fmt.Errorf("reading the form of emails: %w", err)
	}
	var out bytes.Buffer
	if err := h.Execute(&out, v); err != nil {
		return "", "", fmt.Errorf("writing an email as HTML: %w", err)
	}
	html = out.String()
	t, err := texttemplate.New("email.txt").Parse(emailText)
	if err != nil {
		return "", "", fmt.Errorf("reading the form of emails: %w", err)
	}
	out.Reset()
	if err := t.Execute(&out, v); err != nil {
		return "", "", fmt.Errorf("writing an email as text: %w", err)
	}
	return html, strings.TrimLeft(out.String(), "\n"), nil
}

// notes says what the reader must know of this message beyond its content.
func notes(p Post) []string {
	var notes []string
	if p.Test {
		notes = append(notes, "This is a test. The other recipients of the report did not get it.")
	}
	if p.StandsFor > 1 {
		notes = append(notes, fmt.Sprintf("This report stands for %d occurrences that were missed.", p.StandsFor))
	}
	if p.PossibleRepeat {
		notes = append(notes, "You may have received this message before: the first sending was never confirmed, so it was sent once more.")
	}
	if len(p.NoData) > 0 {
		names := make([]string, len(p.NoData))
		for i, f := range p.NoData {
			names[i] = title(f) + " (" + strings.ToUpper(f.Format) + ")"
		}
		one := len(names) == 1
		more := ""
		if len(names) > maxNoDataNamed {
			names, more = names[:maxNoDataNamed], fmt.Sprintf(", and %d more", len(names)-maxNoDataNamed)
		}
		if one {
			notes = append(notes, names[0]+" has no data this time, so it was left out.")
		} else {
			notes = append(notes, "These have no data this time, so they were left out: "+strings.Join(names, ", ")+more+".")
		}
	}
	return notes
}

// maxNoDataNamed is how many files without data a message names.
const maxNoDataNamed = 10

// maxParagraphs bounds the markup that a body of blank lines can make.
const maxParagraphs = 200

// paragraphs splits a body at its blank lines.
func paragraphs(body string) [][]string {
	var all [][]string
	var lines []string
	flush := func() {
		if len(lines) > 0 {
			all = append(all, lines)
			lines = nil
		}
	}
	for line := range strings.Lines(strings.ReplaceAll(body, "\r\n", "\n")) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if line == "" && len(all) < maxParagraphs {
			flush()
			continue
		}
		lines = append(lines, line)
	}
	flush()
	return all
}

// whenText gives the time of a run as its readers count it.
func whenText(t time.Time, location *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return inZone(t, location).Format("Monday, 2 January 2006 at 15:04 MST")
}

// title names a file by its view, else its workbook, else itself, in one line.
func title(f File) string {
	return cmp.Or(headerText(f.View), headerText(f.Workbook), headerText(f.Name), "File")
}

// book is the workbook's name where the title is that of a view.
func book(f File) string {
	if workbook := headerText(f.Workbook); workbook != title(f) {
		return workbook
	}
	return ""
}

// detail is the line below a file: more facts first, then its filters and when
// it was exported. The date is left out where it is that of the message.
func detail(p Post, f File, more ...string) string {
	facts := slices.Clone(more)
	if len(f.Filters) > 0 && f.VerifiedOn != "" {
		facts = append(facts, fmt.Sprintf("%s (verified on %s)", cutRunes(filterText(f.Filters), 200), cutRunes(headerText(f.VerifiedOn), 100)))
	}
	if !f.ExportedAt.IsZero() {
		const day = "2 January 2006"
		at, run := inZone(f.ExportedAt, p.Location), inZone(p.ScheduledFor, p.Location)
		if at.Format(day) == run.Format(day) {
			facts = append(facts, at.Format("exported at 15:04"))
		} else {
			facts = append(facts, at.Format("exported 2 January 2006, 15:04"))
		}
	}
	return strings.Join(facts, " · ")
}

func inZone(t time.Time, location *time.Location) time.Time {
	if location == nil {
		location = time.UTC
	}
	return t.In(location)
}

func webAddress(s string) string {
	if isWebAddress(s) {
		return s
	}
	return ""
}

// namesAre begins a sentence about files: "A is", "A and B are", "A, B and 3
// more are".
func namesAre(names []string) string {
	switch n := len(names); {
	case n == 1:
		return names[0] + " is"
	case n == 2:
		return names[0] + " and " + names[1] + " are"
	case n == 3:
		return names[0] + ", " + names[1] + " and " + names[2] + " are"
	default:
		return fmt.Sprintf("%s, %s and %d more are", names[0], names[1], n-2)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
