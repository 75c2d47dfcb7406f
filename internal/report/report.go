// Package report is about what is sent when and to whom: the content of a
// report, its schedule, its destinations, and what is due.
package report

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

// DefaultDeadline is how long a run of a report is tried.
const DefaultDeadline = 4 * time.Hour

// Report is what to export, when, and to whom.
type Report struct {
	ID           string
	Name         string
	ConnectionID string
	Enabled      bool
	Content      []Content
	Schedule     *Schedule // nil: it runs only when it is asked to
	Destinations []Destination
	Notify       []string // addresses that are told when a run fails

	// NextRunAt is the next occurrence; zero when there is none, when the
	// report is paused and when it has no schedule. Only reports that have one
	// are in the store's due index.
	NextRunAt time.Time

	Version   int64 // counts edits by people
	Rev       int64 // counts all writes; the store's optimistic lock
	CreatedAt time.Time
	UpdatedAt time.Time // of the last edit by people

	// Warnings say what whoever saved it should know, such as that Tableau was
	// too slow for a check. They are of that one answer, and not stored.
	Warnings []Warning `json:"-"`
}

// Warning is about one field of a report that was saved all the same.
type Warning struct {
	Field   string // as in the API, such as "content[0].filters"
	Message string // for people
}

// Scope says how much of a workbook is exported.
type Scope string

// The scopes of a [Content].
const (
	OfView     Scope = "view"     // one view, or a custom view of it; also the empty Scope
	OfWorkbook Scope = "workbook" // all sheets that the workbook shows as tabs
)

// IfEmpty says what becomes of content that has no data.
type IfEmpty string

// What becomes of a [Content] without a row of data.
const (
	SkipEmpty IfEmpty = "skip" // it is left out of the messages
	SendEmpty IfEmpty = "send" // it is sent as it is; also the empty IfEmpty, of content stored before there was a choice
	FailEmpty IfEmpty = "fail" // the run fails
)

// Content is one export: of a view, of a custom view, or of a workbook. The
// ids are those that Tableau had when the report was saved.
type Content struct {
	Scope Scope `json:",omitzero"`

	View         string // content URL, such as "Superstore/sheets/Overview"; of a workbook the view that named it, or ""
	ViewID       string
	ViewName     string
	WorkbookName string

	WorkbookURL  string `json:",omitzero"` // of a workbook: its content URL, such as "Superstore"
	WorkbookID   string `json:",omitzero"` // of a workbook
	WorkbookPage string `json:",omitzero"` // of a workbook: opens it in Tableau; "" where Tableau did not say

	CustomViewID   string `json:",omitzero"` // of a custom view
	CustomViewName string `json:",omitzero"`

	Format        tableau.Format
	Filters       map[string][]string // field caption, or Parameters.Name, to values
	PDF           tableau.PDFOptions
	Image         tableau.ImageOptions
	MaxAgeMinutes int
	Language      string `json:",omitzero"` // of labels and numbers, such as "de"; "" for the user's own
	FileName      string // template, without the extension; "" for the title

	// IfEmpty is what becomes of it without a row of data: in a CSV or Excel
	// file, or, of a picture, in the check of its filters.
	IfEmpty IfEmpty `json:",omitzero"`

	// EscapeFormulas has values of a CSV that a spreadsheet would run exported
	// with an apostrophe before them.
	EscapeFormulas bool `json:",omitzero"`

	// AllowBlank permits a picture, a page or a slide with nothing on it.
	AllowBlank bool `json:",omitzero"`

	// Unverified says that nobody asks whether Tableau applied the filters. Its
	// zero value is what all content has that was stored before it was there.
	Unverified bool `json:",omitzero"`

	// The worksheet whose data show whether the filters were applied, where the
	// view itself is a dashboard: content URL, and the id and name that it had
	// when the report was saved. "" where there is none.
	CheckView     string `json:",omitzero"`
	CheckViewID   string `json:",omitzero"`
	CheckViewName string `json:",omitzero"`

	// RequireFilterProof is of content that was stored when nothing was verified
	// unless it was asked for: then nothing is sent either where it cannot be
	// told whether the filters were applied. No content gets it any more.
	RequireFilterProof bool `json:",omitzero"`
}

// Verified reports whether what is sent of the content must have its filters
// applied.
func (c Content) Verified() bool { return len(c.Filters) > 0 && !c.Unverified }

// FilterList gives the filters in order of their fields.
func (c Content) FilterList() []tableau.Filter {
	filters := make([]tableau.Filter, 0, len(c.Filters))
	for _, field := range slices.Sorted(maps.Keys(c.Filters)) {
		filters = append(filters, tableau.Filter{Field: field, Values: c.Filters[field]})
	}
	return filters
}

// Subject is what is looked at to verify the filters. The views are as they are
// now; check is zero where the content names none.
func (c Content) Subject(view, check tableau.View) verify.Subject {
	if c.Scope == OfWorkbook {
		view = tableau.View{}
	}
	return verify.Subject{View: view, CustomViewID: c.CustomViewID, CheckView: check, Format: c.Format, Filters: c.FilterList(), Language: c.Language}
}

// Title is what people call what is exported.
func (c Content) Title() string {
	switch {
	case c.Scope == OfWorkbook:
		return c.WorkbookName
	case c.CustomViewID != "":
		return c.ViewName + " – " + c.CustomViewName
	default:
		return c.ViewName
	}
}

// Address is what names the content again on its connection's site, as people
// may enter it.
func (c Content) Address() string {
	switch {
	case c.Scope == OfWorkbook:
		return "workbooks/" + url.PathEscape(c.WorkbookURL) + ".twbx"
	case c.CustomViewID != "":
		return c.View + "/" + c.CustomViewID
	default:
		return c.View
	}
}

// The types of a [Destination].
const (
	Email = "email"
	Slack = "slack"
)

// Destination is to whom a report goes: recipients of email, or a named
// destination that is kept with its secret.
type Destination struct {
	ID   string // of the report's choosing, unique in the report
	Type string

	// Email.
	To       []string
	Cc       []string // only with Together
	Bcc      []string // only with Together
	Together bool     // one message to all, rather than one each
	Subject  string   // template
	Body     string   // template

	// Slack.
	DestinationID string // the named destination
	Text          string // template
}

// Clone gives a copy that shares nothing with the original.
func (r Report) Clone() Report {
	r.Content = CloneContent(r.Content)
	r.Destinations = CloneDestinations(r.Destinations)
	r.Notify = slices.Clone(r.Notify)
	if r.Schedule != nil {
		s := *r.Schedule
		r.Schedule = &s
	}
	return r
}

// CloneContent copies a report's content.
func CloneContent(content []Content) []Content {
	content = slices.Clone(content)
	for i := range content {
		filters := maps.Clone(content[i].Filters)
		for field, values := range filters {
			filters[field] = slices.Clone(values)
		}
		content[i].Filters = filters
	}
	return content
}

// CloneDestinations copies a report's destinations.
func CloneDestinations(destinations []Destination) []Destination {
	destinations = slices.Clone(destinations)
	for i := range destinations {
		d := &destinations[i]
		d.To, d.Cc, d.Bcc = slices.Clone(d.To), slices.Clone(d.Cc), slices.Clone(d.Bcc)
	}
	return destinations
}
