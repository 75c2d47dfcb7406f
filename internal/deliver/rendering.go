package deliver

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"github.com/expr-lang/expr/vm/runtime"
	"github.com/ncruces/go-strftime"
)

// rendering is one run of a template: its data and what is left of its bounds.
type rendering struct {
	scope scope
	steps int
	made  int
}

var (
	errSteps = errors.New("it takes too many steps")
	errSize  = errors.New("it makes too much text")
)

func newRendering(env Env) *rendering {
	location := env.Location
	if location == nil {
		location = time.UTC
	}
	r := &rendering{steps: maxSteps, made: maxMade}
	s := &r.scope
	s.Report = reportVars{ID: env.ReportID, Name: env.ReportName}
	s.Run = runVars{ID: env.RunID, ScheduledFor: momentIn(env.ScheduledFor, location), StandsFor: env.StandsFor, Test: env.Test}
	s.Connection = connectionVars{Name: env.ConnectionName}
	s.Files = make([]fileVars, len(env.Files))
	for i, f := range env.Files {
		s.Files[i] = fileVars{
			Name: f.Name, Format: f.Format, Size: int(f.Size), View: f.View, Workbook: f.Workbook,
			URL: f.ViewURL, Link: f.Link, Filters: verifiedFilters(f), ExportedAt: momentIn(f.ExportedAt, location),
		}
	}
	if len(s.Files) > 0 {
		s.View, s.Workbook, s.Filters = s.Files[0].View, s.Files[0].Workbook, s.Files[0].Filters
	}

	s.Date, s.AddDays = r.date, addDays
	s.Join = r.joined
	s.Upper = func(v string) (string, error) { return r.charge(strings.ToUpper(v)) }
	s.Lower = func(v string) (string, error) { return r.charge(strings.ToLower(v)) }
	s.Trim = func(v string) (string, error) { return strings.TrimSpace(v), nil }
	s.Replace = r.replace
	s.String = r.text
	s.FileSize = func(bytes int) (string, error) { return r.charge(sizeText(int64(bytes))) }
	s.Step, s.Append, s.Plus = r.step, r.append, r.plus
	return r
}

// verifiedFilters is what a template may say of a file's filters. Those that
// were not verified have one empty value each, so that an expression for the
// first value has a result.
func verifiedFilters(f File) map[string][]string {
	if f.VerifiedOn != "" {
		return f.Filters
	}
	out := make(map[string][]string, len(f.Filters))
	for name := range f.Filters {
		out[name] = []string{""}
	}
	return out
}

// sayAnything reports whether a filter has a value that is not empty.
func sayAnything(filters map[string][]string) bool {
	for _, values := range filters {
		if strings.Join(values, "") != "" {
			return true
		}
	}
	return false
}

// date implements the function date.
func (r *rendering) date(m moment, layout string) (string, error) {
	if !strings.Contains(layout, "%") {
		return "", errLayout
	}
	if m.t.IsZero() {
		return "", nil
	}
	// A code of two characters becomes at most about thirty.
	if len(layout) > maxExpression {
		return "", errSize
	}
	return r.charge(strftime.Format(layout, m.t))
}

// addDays implements the function add_days.
func addDays(m moment, days int) (moment, error) {
	if days < -36600 || days > 36600 {
		return moment{}, errors.New("add_days reaches a hundred years at most")
	}
	if m.t.IsZero() {
		return m, nil
	}
	return moment{m.t.AddDate(0, 0, days)}, nil
}

// joined implements the function join.
func (r *rendering) joined(list any, separator ...string) (string, error) {
	if len(separator) == 0 {
		separator = []string{", "}
	}
	return r.join(reflect.ValueOf(list), separator[0])
}

// replace implements the function replace. What would grow too large is not
// made first.
func (r *rendering) replace(v, old, new string) (string, error) {
	if grown := len(v) + strings.Count(v, old)*(len(new)-len(old)); grown > maxOutput {
		return "", errSize
	}
	return r.charge(strings.ReplaceAll(v, old, new))
}

// step pays for one turn of a loop.
func (r *rendering) step() (bool, error) {
	if r.steps--; r.steps < 0 {
		return false, errSteps
	}
	return true, nil
}

// append implements + where one side is a text.
func (r *rendering) append(a, b any) (string, error) {
	left, err := r.text(a)
	if err != nil {
		return "", err
	}
	right, err := r.text(b)
	if err != nil {
		return "", err
	}
	if len(left)+len(right) > maxOutput {
		return "", errSize
	}
	return r.charge(left + right)
}

// plus implements + where what it adds is known only when it runs.
func (r *rendering) plus(a, b any) (any, error) {
	if isNumber(a) && isNumber(b) {
		return runtime.Add(a, b), nil
	}
	return r.append(a, b)
}

func isNumber(v any) bool {
	switch reflect.ValueOf(v).Kind() {
	case reflect.Int, reflect.Float64:
		return true
	default:
		return false
	}
}

func momentIn(t time.Time, location *time.Location) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{t.In(location)}
}

// charge counts a text that was made.
func (r *rendering) charge(s string) (string, error) {
	if r.made -= len(s); r.made < 0 || len(s) > maxOutput {
		return "", errSize
	}
	return s, nil
}

func (r *rendering) run(program *vm.Program) (any, error) {
	machine := vm.VM{MemoryBudget: maxCells}
	return machine.Run(program, &r.scope)
}

// text writes a value as people read it.
func (r *rendering) text(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return r.charge(strconv.FormatFloat(v, 'f', -1, 64))
	case moment:
		if v.t.IsZero() {
			return "", nil
		}
		return r.charge(v.t.Format("2006-01-02 15:04"))
	case fileVars:
		return v.Name, nil
	case map[string][]string:
		if !sayAnything(v) {
			return "", nil
		}
		return r.charge(filterText(v))
	}
	v := reflect.ValueOf(value)
	switch {
	case v.CanInt():
		return r.charge(strconv.FormatInt(v.Int(), 10))
	case v.Kind() == reflect.Slice:
		return r.join(v, ", ")
	}
	return "", errors.New("its result cannot be written as text")
}

// join writes a list. Lists within it are written too, each paying for itself.
func (r *rendering) join(list reflect.Value, separator string) (string, error) {
	if list.Kind() != reflect.Slice {
		return "", errors.New("join needs a list")
	}
	var b strings.Builder
	for i := range list.Len() {
		if _, err := r.step(); err != nil {
			return "", err
		}
		item, err := r.text(list.Index(i).Interface())
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(separator)
		}
		if b.WriteString(item); b.Len() > maxOutput {
			return "", errSize
		}
	}
	return r.charge(b.String())
}

// runError says where an expression failed and why, without expr's snippet.
func runError(err error, at position) error {
	for _, known := range []error{errSteps, errSize} {
		if errors.Is(err, known) {
			return invalid("The expression at %s was stopped: %v.", at, known)
		}
	}
	message := err.Error()
	var fe *file.Error
	if errors.As(err, &fe) {
		message = people(fe.Message)
	}
	return invalid("The expression at %s has no result: %s.", at, message)
}

// sizeText writes a number of bytes in decimal units: "1.2 MB".
func sizeText(bytes int64) string {
	return humanize.Bytes(uint64(max(bytes, 0)))
}

// filterText writes filters in order of their names: "Region: East, West; Year: 2026".
func filterText(filters map[string][]string) string {
	names := make([]string, 0, len(filters))
	for name := range filters {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = name + ": " + strings.Join(filters[name], ", ")
	}
	return strings.Join(names, "; ")
}
