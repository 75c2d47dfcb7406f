package tableau

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
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
//     no column; or they are the same, since every row is wanted, and change with
//     a member that no data have.
//   - not applied: rows hold other members, as they do without the filter; or the
//     data are the same with the filter, without it, and with a member that no
//     data have.
//   - unknown: no row is left, so nothing matches; a parameter, or taking a
//     filter away, changes nothing; the values in the data cannot be compared,
//     such as dates and numbers in the form in which they are displayed.
//
// Only the view, or custom view, the filters and the language of the request
// count; its format does not. Of a dashboard Tableau gives the data of the first
// worksheet by name. A custom view's data need version 3.23, and a workbook has
// none: both are unknown then, and say so without a request.
//
// It makes two requests for a view's data, with a maxAge of 1, and for each of
// the first ten fields one more where there are several, and one more where the
// data are the same. Further fields are unknown. The error is that of a request
// as of [Client.Export], or of [ExportRequest.Validate].
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
	before  digest // the data without filters
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
		field := FieldProof{Field: f.Field, Verdict: FilterUnknown, Evidence: fmt.Sprintf("Only the first %d fields are checked.", maxProvenFields)}
		if i < maxProvenFields {
			if field.Verdict, field.Evidence, err = p.field(ctx, f, together); err != nil {
				return FilterProof{}, err
			}
		}
		proof.Fields = append(proof.Fields, field)
		proof.Verdict = worse(proof.Verdict, field.Verdict)
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
func (p *prover) field(ctx context.Context, f Filter, together digest) (FilterVerdict, string, error) {
	alone := together
	if len(p.request.Filters) > 1 {
		if verdict, evidence := judge(f, p.before, together); verdict == FilterApplied && together.values[f.Field] != nil {
			return verdict, evidence, nil
		}
		var err error
		if alone, err = p.read(ctx, []Filter{f}); err != nil {
			return "", "", err
		}
	}
	if verdict, evidence := judge(f, p.before, alone); verdict != "" {
		return verdict, evidence, nil
	}
	return p.probe(ctx, f, alone)
}

// probe decides where the data are the same with and without a filter: a member
// that no data have leaves nothing, if Tableau knows the field.
func (p *prover) probe(ctx context.Context, f Filter, alone digest) (FilterVerdict, string, error) {
	missing, ok := missingMember(f.Values)
	if !ok {
		return FilterUnknown, fmt.Sprintf("The data are the same with and without the filter: %s.", rows(alone.rows)), nil
	}
	got, err := p.read(ctx, []Filter{{Field: f.Field, Values: []string{missing}}})
	switch {
	case isCause(err, BadParameter) || isCause(err, RenderFailed):
		return FilterUnknown, fmt.Sprintf("The data are the same with and without the filter: %s. Tableau refused another value.", rows(alone.rows)), nil
	case err != nil:
		return "", "", err
	case !got.same(p.before):
		return FilterApplied, fmt.Sprintf("All %s match the filter. With another value there are %d.", rows(alone.rows), got.rows), nil
	}
	return FilterNotApplied, fmt.Sprintf("The data are the same without the filter, with it, and with another value: %s.%s", rows(alone.rows), p.similar(f.Field)), nil
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

// judge gives the verdict that the data with a filter and without it allow, and
// "" where they are the same and another request could tell.
func judge(f Filter, before, after digest) (FilterVerdict, string) {
	counts := fmt.Sprintf("%s with it, %d without", rows(after.rows), before.rows)
	same := before.same(after)
	takesAway := !f.isParameter() && !f.combines()
	switch column := after.values[f.Field]; {
	case after.rows == 0:
		return FilterUnknown, fmt.Sprintf("No row is left of %d: nothing in the data matches. Check the spelling of the values, upper and lower case included.", before.rows)
	case f.isParameter() && same:
		return FilterUnknown, fmt.Sprintf("The data are the same with the parameter and without it: %s. The parameter may have this value already, or another name.", rows(after.rows))
	case takesAway && same:
		return FilterUnknown, fmt.Sprintf("The data are the same: %s. The view may have no filter on this field.", rows(after.rows))
	case f.isParameter(), takesAway:
		return FilterApplied, fmt.Sprintf("The data differ: %s.", counts)
	case column != nil:
		return judgeColumn(f, before, after, counts)
	case same:
		return "", ""
	case after.rows > before.rows:
		return FilterUnknown, fmt.Sprintf("There are more rows than without the filter: %s. The data may have changed meanwhile.", counts)
	default:
		return FilterApplied, fmt.Sprintf("The data differ: %s. The field is no column of them.", counts)
	}
}

func judgeColumn(f Filter, before, after digest, counts string) (FilterVerdict, string) {
	left := after.values[f.Field]
	all := before.values[f.Field]
	if all == nil { // a column that comes with the filter only
		all = &values{}
	}
	same := before.same(after)
	fewer := !left.more && (all.more || len(left.seen) < len(all.seen))
	switch {
	case left.only(f.Values) && !all.only(f.Values):
		return FilterApplied, fmt.Sprintf("Every row holds a wanted value in the column of the field: %s.", counts)
	case left.only(f.Values) && same:
		return "", ""
	case left.only(f.Values):
		return FilterUnknown, fmt.Sprintf("Every row holds a wanted value, with the filter and without: %s. The data may have changed meanwhile.", counts)
	case same && left.any(f.Values):
		return FilterNotApplied, fmt.Sprintf("The data are the same with and without the filter, and hold other values in the column of the field: %s.", rows(after.rows))
	case same:
		return "", ""
	case left.any(f.Values) && !fewer:
		return FilterNotApplied, fmt.Sprintf("Rows hold other values in the column of the field, as without the filter: %s.", counts)
	case fewer && !left.any(f.Values) && len(left.seen) <= len(f.Values):
		return FilterApplied, fmt.Sprintf("The column of the field has %d different values left, displayed in another form: %s.", len(left.seen), counts)
	default:
		return FilterUnknown, fmt.Sprintf("The data differ, and the column of the field holds other values too, perhaps displayed in another form: %s.", counts)
	}
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

var (
	datePattern   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?$`)
	numberPattern = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
)

// missingMember gives a member that no data have, of the kind of the given ones.
func missingMember(wanted []string) (string, bool) {
	fits := func(fits func(string) bool) bool {
		return !slices.ContainsFunc(wanted, func(v string) bool { return !fits(v) })
	}
	var candidate string
	switch {
	case fits(func(v string) bool { return v == "true" || v == "false" }):
		if slices.Contains(wanted, "true") {
			candidate = "false"
		} else {
			candidate = "true"
		}
	case fits(datePattern.MatchString):
		candidate = "1601-01-01"
		if len(wanted[0]) > len(candidate) {
			candidate += " 00:00:00"
		}
	case fits(numberPattern.MatchString):
		candidate = "-987654321"
	default:
		candidate = "vizpost - no such member"
	}
	return candidate, !slices.Contains(wanted, candidate)
}
