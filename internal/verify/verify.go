// Package verify finds out whether Tableau applied the filters of an export.
//
// Tableau ignores a filter on a field that it does not know, and answers with
// everything. So an export alone says nothing of its filters: the data of its
// view do, or pictures of it.
//
//   - Where the field is a column of the data, each of their rows must hold a
//     wanted value.
//   - Where it is none, the data must differ from those without the filter, and
//     those without it must not change by themselves.
//   - A dashboard's data are those of one of its worksheets. Unless a worksheet
//     is named whose data stand for it, and for parameters, pictures are compared:
//     without the filter, with it, and without it once more.
//
// What is the same with a filter and without it is tried with a value that no
// data have: if nothing changes, Tableau does not apply the filter.
//
// What was found of a field is remembered for a day for the Tableau user, the
// view as it was published, and the fields that are filtered together, and so
// are the rows that a value has left.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Verdict says whether Tableau applied the filters of an export. The values are
// stored and shown by the API.
type Verdict string

// The verdicts.
const (
	Applied    Verdict = "applied"
	NotApplied Verdict = "not_applied"
	Unknown    Verdict = "unknown" // it cannot be told
)

func worse(a, b Verdict) Verdict {
	order := []Verdict{Applied, Unknown, NotApplied}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// Subject is an export with filters.
type Subject struct {
	View         tableau.View // as it is now; its UpdatedAt is the version of its workbook. Zero of a whole workbook
	CustomViewID string       // of the custom view of it; "" if it is the view itself
	CheckView    tableau.View // the worksheet whose data stand for a dashboard; zero if there is none
	Format       tableau.Format
	Filters      []tableau.Filter
	Language     string
}

// ofData reports whether the export is data itself, so that it can be looked at.
func (s Subject) ofData() bool { return s.Format == tableau.CSV || s.Format == tableau.XLSX }

// Result is what was found of all filters of a subject: applied if each of them
// was, not applied if one was not.
type Result struct {
	Verdict  Verdict
	Evidence string   // what was seen, for people: counts of rows, and no data
	On       string   // names of the views on which the filters were seen to be applied; "" unless they were
	Rows     *int     // that the data with the filters have; nil where none were read
	Fields   []string // where a filter was not applied: the fields that the data have
	ofOne    bool     // the data are those of one worksheet of a dashboard
	Wrong    []string // the fields of the filters that were not applied, or of which it cannot be told
	Advice   string   // where it cannot be told: what would make it so
}

// Message says to people what was found and what to do.
func (r Result) Message() string {
	names := make([]string, len(r.Wrong))
	for i, name := range r.Wrong {
		names[i] = quoted(name)
	}
	what := "the filter on " + strings.Join(names, " and ")
	if len(names) > 1 {
		what = "the filters on " + strings.Join(names, ", ")
	}
	switch r.Verdict {
	case Applied:
		return "Tableau applies the filters. " + r.Evidence
	case NotApplied:
		message := fmt.Sprintf("Tableau does not apply %s. %s", what, r.Evidence)
		switch fields := strings.Join(r.Fields, ", "); {
		case len(r.Fields) > 0 && r.ofOne:
			message += fmt.Sprintf(" The view's data have the fields: %s (of a dashboard, those of one worksheet).", fields)
		case len(r.Fields) > 0:
			message += " The view's fields are: " + fields + "."
		}
		return message + " Name fields and values exactly as the view shows them, upper and lower case and spaces included, and a parameter as \"Parameters.Name\"."
	default:
		return strings.TrimSpace(fmt.Sprintf("Whether Tableau applies %s cannot be told. %s %s", what, r.Evidence, r.Advice))
	}
}

// Do makes a call to Tableau as a connection's user; see [connection.Service.Do].
type Do func(ctx context.Context, call connection.Call) error

// Connections gives the sessions of connections.
type Connections interface {
	// Get reads a connection. NotFound when there is none.
	Get(ctx context.Context, id string) (connection.Connection, error)

	// Do makes a call with the connection's session.
	Do(ctx context.Context, id string, call connection.Call) error
}

// Service finds out whether filters were applied. Its fields are set before its
// first use and not changed after it; it is safe for concurrent use.
type Service struct {
	Store       Store
	Connections Connections // for [Service.Before]
	Now         func() time.Time
	Log         *slog.Logger

	mu    sync.Mutex
	locks map[string]*lock
}

// lock lets one at a time find something out: the others then know it.
type lock struct {
	held  chan struct{}
	users int
}

// Before looks whether the filters of an export will be applied, before there is
// one. It believes what is remembered of filters that are applied, and nothing
// else. Of an export of data it may rest on what is known of the fields: the
// rows are those of the export.
//
// The error is that of a call to Tableau which may succeed later, of the
// context, or of the store.
func (s *Service) Before(ctx context.Context, connectionID string, subject Subject) (Result, error) {
	c, err := s.Connections.Get(ctx, connectionID)
	if err != nil {
		return Result{}, err
	}
	do := func(ctx context.Context, call connection.Call) error {
		return s.Connections.Do(ctx, connectionID, call)
	}
	return s.begin(c, do, subject, true).run(ctx)
}

// Check looks whether the filters of an export are applied. Errors are as of
// [Service.Before].
func (s *Service) Check(ctx context.Context, c connection.Connection, do Do, subject Subject) (Result, error) {
	return s.begin(c, do, subject, false).run(ctx)
}

// CheckFile looks at an export of data itself, row by row, and asks Tableau only
// where that does not tell.
func (s *Service) CheckFile(ctx context.Context, c connection.Connection, do Do, subject Subject, file io.ReaderAt, size int64) (Result, error) {
	k := s.begin(c, do, subject, false)
	fields := k.names()
	var d digest
	var err error
	if subject.Format == tableau.XLSX {
		d, err = readSheet(ctx, file, size, fields)
	} else {
		d, err = readDigest(contextReader{ctx, io.NewSectionReader(file, 0, size)}, fields)
	}
	switch {
	case ctx.Err() != nil:
		return Result{}, ctx.Err()
	case err != nil:
		s.Log.Info("an export's rows cannot be compared", "format", subject.Format, "error", err)
	case subject.Format == tableau.CSV || k.onlyWanted(d):
		// A crosstab shows numbers and dates otherwise than the data do: what it
		// does not prove, they decide.
		k.file = &d
	}
	result, err := k.run(ctx)
	if err == nil && result.Rows == nil && d.Header != nil {
		result.Rows = &d.Rows
	}
	return result, err
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// check is one look at one subject.
type check struct {
	*Service
	do      Do
	user    string // whose eyes it is seen with
	subject Subject
	saving  bool    // before there is an export
	file    *digest // the rows of the export itself; nil unless it is of data

	fields, parameters []tableau.Filter
}

func (s *Service) begin(c connection.Connection, do Do, subject Subject, saving bool) *check {
	k := &check{Service: s, do: do, user: c.SiteKey() + "\n" + c.Identity.UserID, subject: subject, saving: saving}
	for _, f := range subject.Filters {
		if f.IsParameter() {
			k.parameters = append(k.parameters, f)
		} else {
			k.fields = append(k.fields, f)
		}
	}
	return k
}

func (k *check) names() []string {
	names := make([]string, len(k.subject.Filters))
	for i, f := range k.subject.Filters {
		names[i] = f.Field
	}
	return names
}

func (k *check) onlyWanted(d digest) bool {
	for _, f := range k.fields {
		if _, ok := inRows(f, d); !ok {
			return false
		}
	}
	return true
}

// report is what was found of some of the filters on one view.
type report struct {
	findings []finding
	on       string
	rows     *int
	columns  []string
}

// advice is what would make filters of a view verifiable.
func (k *check) advice() string {
	switch {
	case k.subject.View.ID == "":
		return "Export its views one by one, whose filters can be verified, or turn off Verify filters (verify_filters): then messages do not name them."
	case len(k.fields) > 0 && k.subject.CheckView.ID == "" && !k.subject.View.IsWorksheet():
		return "Name one of its worksheets that is published as a view of its own (check_view), so that its data show whether they are applied, or turn off Verify filters (verify_filters): then messages do not name them."
	case len(k.parameters) > 0:
		return "Edit the workbook in Tableau: its Data pane lists the parameters. Write the name exactly as it stands there, after \"Parameters.\". " +
			"If it is right already, turn off Verify filters (verify_filters): then messages do not name the filters."
	default:
		return "Check the names in Tableau. To send it without verifying, turn off Verify filters (verify_filters): then messages do not name the filters."
	}
}

func (k *check) run(ctx context.Context) (Result, error) {
	if len(k.subject.Filters) == 0 {
		return Result{Verdict: Unknown, Evidence: "There are no filters."}, nil
	}
	if k.subject.View.ID == "" {
		return k.sum([]report{k.unknown(k.subject.Filters, "Tableau gives no data and no picture of a whole workbook that show it.")}), nil
	}
	var reports []report
	if len(k.fields) > 0 {
		r, err := k.ofFields(ctx)
		if err != nil {
			return Result{}, err
		}
		reports = append(reports, r)
	}
	if len(k.parameters) > 0 {
		r, err := k.pictures(ctx, k.parameters)
		if err != nil {
			return Result{}, err
		}
		reports = append(reports, r)
	}
	result := k.sum(reports)
	if result.Verdict == NotApplied && len(result.Fields) == 0 {
		result.Fields = k.columns(ctx)
		result.ofOne = k.subject.CheckView.ID == "" && !k.subject.View.IsWorksheet()
	}
	return result, nil
}

func (k *check) sum(reports []report) Result {
	out := Result{Verdict: Applied}
	for _, r := range reports {
		for _, f := range r.findings {
			out.Verdict = worse(out.Verdict, f.Verdict)
		}
	}
	var on, seen []string
	for _, r := range reports {
		if out.Rows == nil {
			out.Rows = r.rows
		}
		if r.on != "" && !slices.Contains(on, r.on) {
			on = append(on, r.on)
		}
		for _, f := range r.findings {
			if f.Verdict != out.Verdict {
				continue
			}
			if out.Verdict != Applied {
				out.Wrong = append(out.Wrong, f.Field)
				if out.Verdict == NotApplied {
					out.Fields = r.columns
				}
			}
			if !slices.Contains(seen, f.Evidence) {
				seen = append(seen, f.Evidence)
			}
		}
	}
	out.Evidence = strings.Join(seen, " ")
	switch out.Verdict {
	case Applied:
		out.On = strings.Join(on, " and ")
	case Unknown:
		out.Advice = k.advice()
	}
	return out
}

func (k *check) unknown(filters []tableau.Filter, evidence string) report {
	var r report
	for _, f := range filters {
		r.findings = append(r.findings, found(f, Unknown, "%s", evidence))
	}
	return r
}

// ofFields looks at the filters on fields, where their verdict can be had.
func (k *check) ofFields(ctx context.Context) (report, error) {
	view := source{view: k.subject.View, customViewID: k.subject.CustomViewID}
	if k.subject.ofData() {
		r, err := k.data(ctx, view)
		if !errors.As(err, new(*noData)) || k.subject.CheckView.ID == "" {
			if why := (*noData)(nil); errors.As(err, &why) {
				return k.unknown(k.fields, why.message), nil
			}
			return r, err
		}
	}
	for _, s := range []source{{view: k.subject.CheckView}, view} {
		if s.view.ID == "" || s == view && !view.view.IsWorksheet() {
			continue
		}
		r, err := k.data(ctx, s)
		if why := (*noData)(nil); errors.As(err, &why) {
			k.Log.Info("the data of a view do not show its filters", "view", s.view.ID, "error", err)
			continue
		}
		return r, err
	}
	return k.pictures(ctx, k.fields)
}

// columns names the fields that the view's data have, as far as that can be
// had.
func (k *check) columns(ctx context.Context) []string {
	view := source{view: k.subject.View, customViewID: k.subject.CustomViewID}
	if k.subject.CheckView.ID != "" {
		view = source{view: k.subject.CheckView}
	}
	d, err := k.read(ctx, view, nil)
	if err != nil {
		return nil
	}
	return columnsOf(d)
}

const maxColumnsTold = 30

func columnsOf(d digest) []string {
	var names []string
	for _, name := range d.Header {
		if len(names) < maxColumnsTold && name != "" {
			names = append(names, name)
		}
	}
	return names
}
