package verify

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
)

// source is whose data are read, or pictures taken.
type source struct {
	view         tableau.View
	customViewID string
}

// noData says that a view's data cannot be read, or not be compared.
type noData struct {
	message string // for people
	err     error
}

func (e *noData) Error() string { return e.err.Error() }
func (e *noData) Unwrap() error { return e.err }

const (
	// unfilteredFresh is how long data without filters are compared with others:
	// behind the view they may change at any time.
	unfilteredFresh = 10 * time.Minute

	// controlField is one that no view has. Tableau ignores it, and does not take
	// the answer from its cache.
	controlField = "vizpost - no such field"
)

// known is what is remembered of fields that are filtered together on a view.
type known struct {
	Fields map[string]finding // by field and kind of value

	changed bool
}

// unfiltered is what is remembered of a view's data without filters on fields.
type unfiltered struct {
	Data   digest
	ReadAt time.Time
}

// remains is what is remembered of a filter's values.
type remains struct {
	Findings []finding
	Rows     int
}

// data looks at the filters on fields by a source's data.
func (k *check) data(ctx context.Context, from source) (report, error) {
	out := report{on: from.view.Name}
	fieldsKey := k.key(from, "fields", k.parameters, kinds(k.fields))
	release, err := k.hold(ctx, fieldsKey+"/"+k.key(from, "values", k.parameters, k.fields))
	if err != nil {
		return out, err
	}
	defer release()

	if k.saving && k.subject.ofData() {
		if r, ok, err := k.byFields(ctx, from, fieldsKey); ok || err != nil {
			return r, err
		}
	}
	var left digest
	valuesKey := k.key(from, "values", k.parameters, k.fields)
	switch {
	case k.file != nil:
		left = *k.file
	default:
		var before remains
		if ok, err := k.recall(ctx, valuesKey, &before); err != nil {
			return out, err
		} else if ok {
			out.findings, out.rows = before.Findings, &before.Rows
			return out, nil
		}
		if left, err = k.read(ctx, from, slices.Concat(k.parameters, k.fields)); err != nil {
			return out, err
		}
	}
	out.rows, out.columns = &left.Rows, columnsOf(left)

	j := &judging{check: k, from: from, key: fieldsKey, left: left}
	defer j.release()
	for _, f := range k.fields {
		finding, err := j.filter(ctx, f)
		if err != nil {
			return out, err
		}
		out.findings = append(out.findings, finding)
	}
	if len(out.columns) == 0 && j.before != nil {
		out.columns = columnsOf(j.before.Data)
	}
	if err := j.keep(ctx); err != nil {
		return out, err
	}
	// No row at all is looked for again: what has none today may have one soon.
	applied := !slices.ContainsFunc(out.findings, func(f finding) bool { return f.Verdict != Applied })
	if applied && left.Rows > 0 && k.file == nil {
		return out, k.remember(ctx, valuesKey, remains{out.findings, left.Rows})
	}
	return out, nil
}

// byFields gives the verdict on filters by what is known of their fields, if
// that is enough: an export of data shows its rows itself.
func (k *check) byFields(ctx context.Context, from source, key string) (report, bool, error) {
	j := &judging{check: k, from: from, key: key}
	defer j.release()
	if err := j.load(ctx); err != nil {
		return report{}, false, err
	}
	out := report{on: from.view.Name}
	for _, f := range k.fields {
		finding, ok := j.known.Fields[nameAndKind(f)]
		if !ok || finding.Verdict != Applied {
			return report{}, false, nil
		}
		before, err := j.unfiltered(ctx, false)
		if err != nil {
			return report{}, false, err
		}
		if wrong, ok := misspelled(f, before); ok {
			finding, out.columns = wrong, columnsOf(before)
		}
		out.findings = append(out.findings, finding)
	}
	return out, true, j.keep(ctx)
}

// judging gives the verdicts on the filters of one read of data.
type judging struct {
	*check
	from   source
	key    string // of what is known of the fields
	left   digest // the data with all filters
	known  known
	before *unfiltered // nil until they were needed

	loaded  bool
	unlock  func()
	readNow bool // the data without filters were read in this check
}

func (j *judging) release() {
	if j.unlock != nil {
		j.unlock()
	}
}

// load reads what is known of the fields, and keeps others from finding it out
// at the same time.
func (j *judging) load(ctx context.Context) error {
	if j.loaded {
		return nil
	}
	var err error
	if j.unlock, err = j.hold(ctx, j.key); err != nil {
		return err
	}
	if _, err := j.recall(ctx, j.key, &j.known); err != nil {
		return err
	}
	if j.known.Fields == nil {
		j.known.Fields = map[string]finding{}
	}
	j.loaded = true
	return nil
}

func (j *judging) keep(ctx context.Context) error {
	if !j.known.changed {
		return nil
	}
	return j.remember(ctx, j.key, j.known)
}

func (j *judging) note(f tableau.Filter, finding finding) {
	j.known.Fields[nameAndKind(f)] = finding
	j.known.changed = true
}

// unfiltered gives the data without the filters on fields. Where they are
// compared with others they must be fresh; for the values that a field has, those
// of today do.
func (j *judging) unfiltered(ctx context.Context, fresh bool) (digest, error) {
	good := func() bool {
		return j.before != nil && (!fresh || j.readNow || j.Now().Sub(j.before.ReadAt).Abs() < unfilteredFresh)
	}
	if good() {
		return j.before.Data, nil
	}
	key := j.check.key(j.from, "unfiltered", j.parameters, nil)
	release, err := j.hold(ctx, key)
	if err != nil {
		return digest{}, err
	}
	defer release()
	var before unfiltered
	if ok, err := j.recall(ctx, key, &before); err != nil {
		return digest{}, err
	} else if ok {
		if j.before = &before; good() {
			return before.Data, nil
		}
	}
	d, err := j.readAll(ctx, j.from, j.parameters)
	if err != nil {
		return digest{}, err
	}
	j.before, j.readNow = &unfiltered{d, j.Now()}, true
	return d, j.remember(ctx, key, *j.before)
}

// filter gives the verdict on one filter.
func (j *judging) filter(ctx context.Context, f tableau.Filter) (finding, error) {
	column := j.left.Values[f.Field]
	if finding, ok := inRows(f, j.left); ok {
		if j.saving && j.subject.ofData() { // so that the next value needs no rows of its own
			if err := j.load(ctx); err != nil {
				return finding, err
			}
			j.note(f, finding)
		}
		if !slices.ContainsFunc(f.Values, func(v string) bool { return !column.Seen[v] }) {
			return finding, nil
		}
		// A value that no row has may be misspelled.
		before, err := j.unfiltered(ctx, false)
		if err != nil {
			return finding, err
		}
		if wrong, ok := misspelled(f, before); ok {
			return wrong, nil
		}
		return finding, nil
	}
	if err := j.load(ctx); err != nil {
		return finding{}, err
	}
	if known := j.known.Fields[nameAndKind(f)]; known.Verdict == Applied && !known.Column {
		before, err := j.unfiltered(ctx, false)
		if err != nil {
			return finding{}, err
		}
		// Data that are still the same as without any filter are looked at anew.
		if before.Values[f.Field] == nil && column == nil && !before.same(j.left) {
			return known, nil
		}
	}
	return j.examine(ctx, f)
}

// examine finds out whether Tableau applies a filter.
func (j *judging) examine(ctx context.Context, f tableau.Filter) (finding, error) {
	before, err := j.unfiltered(ctx, true)
	if err != nil {
		return finding{}, err
	}
	if before.Rows == 0 {
		return found(f, Unknown, "The view has no data without the filter either."), nil
	}
	if wrong, ok := misspelled(f, before); ok {
		return wrong, nil
	}
	alone := j.left
	column := alone.Rows > 0 && alone.Values[f.Field] != nil
	// An export may be of a result that Tableau kept, and older than what it is
	// compared with; but the values in it are its own.
	if len(j.fields) > 1 || j.file != nil && !column {
		if alone, err = j.read(ctx, j.from, slices.Concat(j.parameters, []tableau.Filter{f})); err != nil {
			return finding{}, err
		}
	}
	got := judge(f, before, alone)
	if got.Verdict == "" {
		if got, err = j.probe(ctx, f, before, alone); err != nil {
			return finding{}, err
		}
	}
	if got, err = j.confirm(ctx, f, got, before); err != nil {
		return finding{}, err
	}
	if got.Verdict == Applied && !got.differ && j.file != nil && column {
		return found(f, NotApplied, "Rows of the export hold other values of the field than the data do that Tableau gives now."), nil
	}
	got.Column = before.Values[f.Field] != nil || alone.Values[f.Field] != nil
	if got.Verdict == Applied {
		j.note(f, got)
	}
	return got, nil
}

// probe decides where the data are the same with and without a filter: a value
// that no data have leaves nothing, if Tableau knows the field.
func (j *judging) probe(ctx context.Context, f tableau.Filter, before, alone digest) (finding, error) {
	other, ok := another(f)
	if !ok {
		return found(f, Unknown, "There is no other value to try: %s with the filter, %d without.", rows(alone.Rows), before.Rows), nil
	}
	got, err := j.read(ctx, j.from, slices.Concat(j.parameters, []tableau.Filter{other}))
	switch {
	case refused(err):
		return found(f, Unknown, "Tableau refused another value to compare with: %s with the filter, %d without.", rows(alone.Rows), before.Rows), nil
	case err != nil:
		return finding{}, err
	case !got.same(before) && !alone.same(before):
		return differs(f, "The data differ: %s with the filter, %d without, %d with another value.", rows(alone.Rows), before.Rows, got.Rows), nil
	case !got.same(before):
		return differs(f, "All %s match the filter. With another value there are %d.", rows(alone.Rows), got.Rows), nil
	}
	if !alone.same(before) {
		return found(f, Unknown, "The data differ with the filter, and not with another value: %s.", rows(alone.Rows)), nil
	}
	evidence := "The data are the same without the filter, with it, and with another value: %s."
	for _, name := range before.Header {
		if name != f.Field && nameKey(name) == nameKey(f.Field) && nameKey(name) != "" {
			return found(f, NotApplied, evidence+" The view has the field %s.", rows(alone.Rows), quoted(name)), nil
		}
	}
	return found(f, NotApplied, evidence, rows(alone.Rows)), nil
}

// confirm reads the data without the filter once more where a finding rests on
// their being different: those that hold the time of day differ in any case.
func (j *judging) confirm(ctx context.Context, f tableau.Filter, got finding, before digest) (finding, error) {
	if got.Verdict != Applied || !got.differ {
		return got, nil
	}
	control, err := j.read(ctx, j.from, slices.Concat(j.parameters, []tableau.Filter{{Field: controlField, Values: []string{"x"}}}))
	switch {
	case refused(err):
		return found(f, Unknown, "Whether the data change by themselves cannot be seen."), nil
	case err != nil:
		return finding{}, err
	case !control.same(before):
		return found(f, Unknown, "The data differ, and change by themselves too: %s without the filter, and %d a moment later.", rows(before.Rows), control.Rows), nil
	}
	return got, nil
}

// refused reports whether Tableau refused a value.
func refused(err error) bool {
	var t *tableau.Error
	return errors.As(err, &t) && (t.Cause == tableau.BadParameter || t.Cause == tableau.RenderFailed)
}

// read reads a source's data with some filters, and keeps the values of the
// fields that are filtered.
func (k *check) read(ctx context.Context, from source, filters []tableau.Filter) (digest, error) {
	fields := make([]string, len(k.fields))
	for i, f := range k.fields {
		fields[i] = f.Field
	}
	return k.readFields(ctx, from, filters, fields)
}

// readAll keeps the values of all fields.
func (k *check) readAll(ctx context.Context, from source, filters []tableau.Filter) (digest, error) {
	return k.readFields(ctx, from, filters, nil)
}

func (k *check) readFields(ctx context.Context, from source, filters []tableau.Filter, fields []string) (digest, error) {
	request := k.request(from, filters)
	request.Format = tableau.CSV
	var got digest
	var unreadable error
	err := k.do(ctx, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		if err := session.Supports(request); err != nil {
			return err
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
		_, err := client.Export(ctx, session, request, w)
		_ = w.CloseWithError(err)
		out := <-done
		got, unreadable = out.digest, nil
		if out.err != nil && !errors.As(err, new(*tableau.Error)) {
			unreadable = out.err // what the writer met is the reader's
			return nil
		}
		return err
	})
	switch why := (*tableau.Error)(nil); {
	case unreadable != nil:
		return digest{}, &noData{"The view's data are not in a form that vizpost can compare.", unreadable}
	case errors.As(err, &why) && why.Cause == tableau.NoData:
		return digest{}, nil
	case errors.As(err, &why) && unavailable(why):
		return digest{}, &noData{why.Message(), err}
	case err != nil:
		return digest{}, err
	}
	return got, nil
}

// unavailable reports whether what a view is to show by cannot be had, and will
// not be when asked again.
func unavailable(err *tableau.Error) bool {
	switch err.Cause {
	case tableau.NotPermitted, tableau.ExportDisabled, tableau.NotSupported, tableau.TooLarge,
		tableau.ViewNotFound, tableau.CustomViewNotFound:
		return true
	}
	return false
}

func (k *check) request(from source, filters []tableau.Filter) tableau.ExportRequest {
	r := tableau.ExportRequest{ViewID: from.view.ID, Filters: filters, MaxAge: 1, Language: k.subject.Language}
	if from.customViewID != "" {
		r.ViewID, r.CustomViewID = "", from.customViewID
	}
	return r
}
