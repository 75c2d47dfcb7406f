package tableau

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// FilterVerdict says whether Tableau applied a filter. The values are stable.
type FilterVerdict string

// The verdicts.
const (
	FilterApplied    FilterVerdict = "applied"
	FilterNotApplied FilterVerdict = "not_applied"
	FilterUnknown    FilterVerdict = "unknown" // cannot be told from the data
)

// FieldProof is the verdict on one filter.
type FieldProof struct {
	Field    string
	Verdict  FilterVerdict
	Evidence string // what was seen, for people: counts of rows, and no data
}

// FilterProof is the verdict on all filters of a request: applied if each of
// them was, not applied if one was not.
type FilterProof struct {
	Verdict FilterVerdict
	Fields  []FieldProof // in the request's order
	Note    string       // on all filters together; may be empty
}

// Message says to people what was found and what to do.
func (p FilterProof) Message() string {
	var about []string
	for _, f := range p.Fields {
		if f.Verdict == p.Verdict && f.Verdict != FilterApplied {
			about = append(about, fmt.Sprintf("%s: %s", strconv.Quote(f.Field), f.Evidence))
		}
	}
	if p.Note != "" {
		about = append(about, p.Note)
	}
	detail := strings.Join(about, " ")
	switch p.Verdict {
	case FilterApplied:
		return "Tableau applies the filters."
	case FilterNotApplied:
		return "Tableau does not apply the filters. " + detail + " Name each field exactly as the view shows it, upper and lower case and spaces included. Of a dashboard, only its first worksheet by name can be checked."
	default:
		return strings.TrimSpace("Whether Tableau applies the filters cannot be told. " + detail)
	}
}

// maxProvenFields bounds the requests of a proof.
const maxProvenFields = 10

// ProveFilters says whether Tableau applies the filters of a request. Tableau
// ignores a field that it does not know and answers with everything, so an
// export alone proves nothing. The view's data are read with the filters and
// without, and compared as they arrive; what is kept of them is small.
//
// The verdict on a filter, and its evidence:
//
//   - applied: every row holds a wanted member in the column of the field, and
//     without the filter there are others; or the data differ, where the field is
//     no column or a parameter; or they are the same, since every row is wanted,
//     and change with a member that no data have.
//   - not applied: rows hold other members, as they do without the filter; or the
//     data are the same with the filter, without it, and with a member that no
//     data have.
//   - unknown: no row is left, so nothing matches; a parameter, or taking a
//     filter away, changes nothing; the values in the data cannot be compared,
//     such as dates and numbers in the form in which they are displayed; the data
//     differ, and do so without the filter too.
//
// Where a verdict rests on the data being different, they are read once more
// with a field that no view has, and are unknown if they change by themselves.
//
// Only the view, or custom view, the filters and the language of the request
// count; its format does not. Of a dashboard Tableau gives the data of the first
// worksheet by name. A custom view's data need version 3.23, and a workbook has
// none: both are unknown then, and say so without a request.
//
// It makes two requests for a view's data, with a maxAge of 1, and for each of
// the first ten fields one more where there are several, and one more where the
// data are the same; and in all one more where they differ. Further fields are
// unknown. The error is that of a request as of [Client.Export], or of
// [ExportRequest.Validate].
func (c *Client) ProveFilters(ctx context.Context, s Session, r ExportRequest) (FilterProof, error) {
	if err := r.validateSubject(); err != nil {
		return FilterProof{}, err
	}
	if len(r.Filters) == 0 {
		return FilterProof{Verdict: FilterUnknown, Note: "There are no filters."}, nil
	}
	if r.subject() == aWorkbook {
		return unproven(r.Filters, "Tableau gives no data of a whole workbook. Check the filters with one of its views."), nil
	}
	r.Format, r.Image, r.PDF, r.MaxAge = CSV, ImageOptions{}, PDFOptions{}, 1
	if err := r.Validate(); err != nil {
		return FilterProof{}, err
	}
	if err := r.supportedBy(s); err != nil {
		if e, ok := asError(err); ok {
			return unproven(r.Filters, e.Message()), nil
		}
		return FilterProof{}, err
	}
	return (&prover{client: c, session: s, request: r}).prove(ctx)
}

// unproven is the proof where nothing could be tried.
func unproven(filters []Filter, evidence string) FilterProof {
	p := FilterProof{Verdict: FilterUnknown}
	for _, f := range filters {
		p.Fields = append(p.Fields, FieldProof{f.Field, FilterUnknown, evidence})
	}
	return p
}

type prover struct {
	client  *Client
	session Session
	request ExportRequest
	before  digest  // the data without filters
	control *digest // the same again, where it was needed
}

func (p *prover) prove(ctx context.Context) (FilterProof, error) {
	filters := p.request.Filters
	var err error
	if p.before, err = p.read(ctx, nil); err != nil {
		return FilterProof{}, err
	}
	if p.before.rows == 0 {
		return unproven(filters, "The view has no data without the filter either."), nil
	}
	together, err := p.read(ctx, filters)
	if err != nil {
		return FilterProof{}, err
	}
	proof := FilterProof{Verdict: FilterApplied}
	for i, f := range filters {
		found := unsure("Only the first %d fields are checked.", maxProvenFields)
		if i < maxProvenFields {
			if found, err = p.field(ctx, f, together); err != nil {
				return FilterProof{}, err
			}
		}
		proof.Fields = append(proof.Fields, FieldProof{f.Field, found.verdict, found.evidence})
		proof.Verdict = worse(proof.Verdict, found.verdict)
	}
	if len(filters) > 1 && proof.Verdict == FilterApplied {
		switch {
		case together.rows == 0:
			proof.Verdict, proof.Note = FilterUnknown, "Each filter is applied, and no row matches all of them together."
		case together.same(p.before) && !p.onlyWanted():
			proof.Verdict, proof.Note = FilterNotApplied, "Each filter is applied alone, and together they change nothing."
		}
	}
	return proof, nil
}

// onlyWanted reports whether the filters need change nothing, as far as the
// columns show.
func (p *prover) onlyWanted() bool {
	return !slices.ContainsFunc(p.request.Filters, func(f Filter) bool {
		column := p.before.values[f.Field]
		return column != nil && !column.only(f.Values)
	})
}

func worse(a, b FilterVerdict) FilterVerdict {
	order := []FilterVerdict{FilterApplied, FilterUnknown, FilterNotApplied}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// field gives the verdict on one filter. together are the data with all of them.
func (p *prover) field(ctx context.Context, f Filter, together digest) (finding, error) {
	alone := together
	if len(p.request.Filters) > 1 {
		if found := judge(f, p.before, together); found.verdict == FilterApplied && together.values[f.Field] != nil {
			return p.confirm(ctx, found)
		}
		var err error
		if alone, err = p.read(ctx, []Filter{f}); err != nil {
			return finding{}, err
		}
	}
	found := judge(f, p.before, alone)
	if found.verdict == "" {
		var err error
		if found, err = p.probe(ctx, f, alone); err != nil {
			return finding{}, err
		}
	}
	return p.confirm(ctx, found)
}

// probe decides where the data are the same with and without a filter: a member
// that no data have leaves nothing, if Tableau knows the field.
func (p *prover) probe(ctx context.Context, f Filter, alone digest) (finding, error) {
	missing, ok := missingMember(f.Values)
	if !ok {
		return unsure("The data are the same with and without the filter: %s.", rows(alone.rows)), nil
	}
	got, err := p.read(ctx, []Filter{{Field: f.Field, Values: []string{missing}}})
	switch {
	case isCause(err, BadParameter) || isCause(err, RenderFailed):
		return unsure("The data are the same with and without the filter: %s. Tableau refused another value.", rows(alone.rows)), nil
	case err != nil:
		return finding{}, err
	case !got.same(p.before):
		return finding{FilterApplied, fmt.Sprintf("All %s match the filter. With another value there are %d.", rows(alone.rows), got.rows), got.rows > 0}, nil
	}
	return finding{verdict: FilterNotApplied, evidence: fmt.Sprintf("The data are the same without the filter, with it, and with another value: %s.%s", rows(alone.rows), p.similar(f.Field))}, nil
}

// controlField is one that no view has. Tableau ignores it, and does not take
// the answer from its cache.
const controlField = "vizpost - no such field"

// confirm reads the data without the filter once more where a finding rests on
// their being different: those that hold the time of day differ in any case.
func (p *prover) confirm(ctx context.Context, found finding) (finding, error) {
	if found.verdict != FilterApplied || !found.differ {
		return found, nil
	}
	if p.control == nil {
		control, err := p.read(ctx, []Filter{{Field: controlField, Values: []string{"x"}}})
		switch {
		case isCause(err, BadParameter) || isCause(err, RenderFailed):
			return unsure("Whether the data change by themselves cannot be seen."), nil
		case err != nil:
			return finding{}, err
		}
		p.control = &control
	}
	if !p.control.same(p.before) {
		return unsure("The data differ, and change by themselves too: %s without the filter, and %d a moment later.", rows(p.before.rows), p.control.rows), nil
	}
	return found, nil
}

// similar names the column that differs from a field in upper and lower case
// or spaces alone.
func (p *prover) similar(field string) string {
	for _, name := range p.before.header {
		if name != field && nameKey(name) != "" && nameKey(name) == nameKey(field) {
			return fmt.Sprintf(" The view has a field %q.", bounded(name, maxSummary))
		}
	}
	return ""
}

// read reads the view's data with some filters.
func (p *prover) read(ctx context.Context, filters []Filter) (digest, error) {
	ask := p.request
	ask.Filters = filters
	fields := make([]string, len(p.request.Filters))
	for i, f := range p.request.Filters {
		fields[i] = f.Field
	}
	r, w := io.Pipe()
	type result struct {
		digest digest
		err    error
	}
	done := make(chan result, 1)
	go func() {
		d, err := readDigest(r, fields)
		_ = r.CloseWithError(err) // nil, too, ends a writer that has more
		done <- result{d, err}
	}()
	_, err := p.client.export(ctx, p.session, ask, p.client.options.MaxExportBytes, w)
	_ = w.CloseWithError(err)
	got := <-done
	switch {
	case isCause(err, NoData):
		return digest{}, nil
	case err != nil && got.err == nil:
		return digest{}, err
	case got.err != nil && (err == nil || !isCallError(err)):
		return digest{}, &Error{Op: ask.op(), Cause: Unknown, Retry: true, Err: got.err,
			hint: "The view's data are not in a form that vizpost can compare, so its filters cannot be checked."}
	}
	return got.digest, err
}

func isCallError(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
