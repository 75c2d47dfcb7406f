package deliver

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"github.com/expr-lang/expr/vm/runtime"
	"github.com/ncruces/go-strftime"

	"github.com/vizpost/vizpost/internal/problem"
)

// Bounds of a template. An expression can neither run long nor grow large: the
// language has no ranges, no variables and no regular expressions, every turn
// of a loop costs a step, and every text that is made counts.
const (
	maxTemplate    = 64 << 10  // bytes of a template
	maxExpressions = 200       // in one template
	maxExpression  = 2000      // bytes of one expression
	maxNodes       = 300       // of one expression's syntax tree
	maxSteps       = 10_000    // turns of all loops in one rendering
	maxOutput      = 256 << 10 // bytes of the result, and of any text on the way
	maxMade        = 1 << 20   // bytes of all texts made in one rendering
	maxCells       = 100_000   // memory budget of expr-lang/expr, in values
)

// Template is a text with {{ expressions }} in it, checked and ready to be
// rendered many times, also at once.
//
// Expressions are in the language of expr-lang/expr, without what could make
// them endless: conditions, lists of constants, members, and
//
//	date(run.scheduled_for, "%d %B %Y")   a time as strftime writes it, in the report's zone
//	add_days(run.scheduled_for, -1)       the same time of another day
//	join(filters.Region, ", ")            a list as one text
//	upper lower trim replace string       texts
//	file_size(files[0].size)              "1.2 MB"
//	len first last round floor ceil abs int float
//	filter map find findLast sortBy all any none one count sum
//
// The names are report.name, report.id, run.id, run.scheduled_for,
// run.stands_for, run.test, connection.name, files (each with name, format,
// size, view, workbook, url, link, filters, exported_at), and of the first
// file view, workbook and filters.
type Template struct {
	parts []part
}

// part is a literal text, or a program and where it stands.
type part struct {
	text    string
	program *vm.Program
	at      position
}

// position counts from 1, columns in characters.
type position struct{ line, column int }

func (p position) String() string { return fmt.Sprintf("line %d, column %d", p.line, p.column) }

// Env is what a template may name. Of Files, what their View, Workbook and
// Filters say of the first also stands for the whole message.
type Env struct {
	ReportID, ReportName string
	RunID                string
	ConnectionName       string
	ScheduledFor         time.Time
	Location             *time.Location // nil is UTC
	StandsFor            int
	Test                 bool
	Files                []File
}

// Env gives what the post's own templates may name.
func (p Post) Env() Env {
	return Env{
		ReportID: p.ReportID, ReportName: p.ReportName, RunID: p.RunID,
		ConnectionName: p.ConnectionName,
		ScheduledFor:   p.ScheduledFor, Location: p.Location,
		StandsFor: p.StandsFor, Test: p.Test, Files: p.Files,
	}
}

// CompileTemplate checks a template of any number of lines. The error is a
// [problem.Error] of kind Invalid that says where and what is wrong; its field
// has no name, so that [problem.Fields.AddErr] gives it one.
func CompileTemplate(text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, invalid("The text is too long: at most %d characters are possible.", maxTemplate)
	}
	if !utf8.ValidString(text) {
		return nil, invalid("The text is not valid UTF-8.")
	}
	t := &Template{}
	expressions := 0
	for rest := text; rest != ""; {
		open := strings.Index(rest, "{{")
		if open < 0 {
			t.parts = append(t.parts, part{text: rest})
			break
		}
		if open > 0 {
			t.parts = append(t.parts, part{text: rest[:open]})
		}
		source := rest[open+2:]
		end := closing(source)
		if end < 0 {
			return nil, invalid("The expression at %s has no closing }}.", positionIn(text, len(text)-len(source)-2))
		}
		if expressions++; expressions > maxExpressions {
			return nil, invalid("The text has too many expressions: at most %d are possible.", maxExpressions)
		}
		expression := strings.TrimLeftFunc(source[:end], unicode.IsSpace)
		at := positionIn(text, len(text)-len(source)+end-len(expression))
		program, err := compileExpression(expression, at)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part{program: program, at: at})
		rest = source[end+2:]
	}
	return t, nil
}

// CompileLine is [CompileTemplate] for what must be one line: a subject, a
// file name. Line breaks and other control characters are refused in the text
// itself; [Header] and [FileName] neutralise those that an expression brings.
func CompileLine(text string) (*Template, error) {
	t, err := CompileTemplate(text)
	if err != nil {
		return nil, err
	}
	for _, p := range t.parts {
		if strings.ContainsFunc(p.text, isUnsafe) {
			return nil, invalid("The text must be one line without control characters.")
		}
	}
	return t, nil
}

// Literal gives the template that renders as this very text, whatever it
// holds.
func Literal(text string) string {
	return strings.ReplaceAll(text, "{{", `{{ "{{" }}`)
}

// Render gives the text for one place. The error is a [problem.Error] of kind
// Invalid: the same template with the same Env fails again.
func (t *Template) Render(env Env, as Escape) (string, error) {
	r := newRendering(env)
	var out strings.Builder
	for _, p := range t.parts {
		text := p.text
		if p.program != nil {
			value, err := r.run(p.program)
			if err != nil {
				return "", runError(err, p.at)
			}
			if text, err = r.text(value); err != nil {
				return "", runError(err, p.at)
			}
		}
		if out.WriteString(as.escape(text)); out.Len() > maxOutput {
			return "", invalid("The text becomes too long: at most %d characters are possible.", maxOutput)
		}
	}
	return as.finish(out.String()), nil
}

func invalid(format string, args ...any) error {
	return problem.InvalidField("", fmt.Sprintf(format, args...))
}

// positionIn gives the place of a byte offset.
func positionIn(text string, offset int) position {
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return position{line: strings.Count(before, "\n") + 1, column: utf8.RuneCountInString(before[start:]) + 1}
}

// after gives the place some characters behind p within source.
func (p position) after(source string, chars int) position {
	for _, r := range source {
		if chars == 0 {
			break
		}
		chars--
		if p.column++; r == '\n' {
			p.line, p.column = p.line+1, 1
		}
	}
	return p
}

// closing finds the }} that ends an expression: not one within a string, nor
// one that closes the braces of a predicate. It is -1 if there is none.
func closing(source string) int {
	depth := 0
	for i := 0; i < len(source); i++ {
		switch c := source[i]; c {
		case '"', '\'', '`':
			for i++; i < len(source) && source[i] != c; i++ {
				if source[i] == '\\' && c != '`' {
					i++
				}
			}
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(source[i:], "}}") {
				return i
			}
		}
	}
	return -1
}

// moment is a time without the methods of one: an expression can write it by
// date alone.
type moment struct{ t time.Time }

type reportVars struct {
	ID   string `expr:"id"`
	Name string `expr:"name"`
}

type runVars struct {
	ID           string `expr:"id"`
	ScheduledFor moment `expr:"scheduled_for"`
	StandsFor    int    `expr:"stands_for"`
	Test         bool   `expr:"test"`
}

type connectionVars struct {
	Name string `expr:"name"`
}

type fileVars struct {
	Name       string              `expr:"name"`
	Format     string              `expr:"format"`
	Size       int                 `expr:"size"`
	View       string              `expr:"view"`
	Workbook   string              `expr:"workbook"`
	URL        string              `expr:"url"`
	Link       string              `expr:"link"`
	Filters    map[string][]string `expr:"filters"`
	ExportedAt moment              `expr:"exported_at"`
}

// scope is all that an expression sees: data, and functions that charge the
// rendering they belong to.
type scope struct {
	Report     reportVars          `expr:"report"`
	Run        runVars             `expr:"run"`
	Connection connectionVars      `expr:"connection"`
	Files      []fileVars          `expr:"files"`
	View       string              `expr:"view"`
	Workbook   string              `expr:"workbook"`
	Filters    map[string][]string `expr:"filters"`

	Date     func(m moment, layout string) (string, error)       `expr:"date"`
	AddDays  func(m moment, days int) (moment, error)            `expr:"add_days"`
	Join     func(list any, separator ...string) (string, error) `expr:"join"`
	Upper    func(s string) (string, error)                      `expr:"upper"`
	Lower    func(s string) (string, error)                      `expr:"lower"`
	Trim     func(s string) (string, error)                      `expr:"trim"`
	Replace  func(s, old, new string) (string, error)            `expr:"replace"`
	String   func(v any) (string, error)                         `expr:"string"`
	FileSize func(bytes int) (string, error)                     `expr:"file_size"`

	// Put in by limits, out of reach of the expression's author.
	Step   func() (bool, error)           `expr:"_step"`
	Append func(a, b any) (string, error) `expr:"_append"` // + where one side is a text
	Plus   func(a, b any) (any, error)    `expr:"_plus"`   // + where that is known only when it runs
}

const knownNames = "report, run, connection, files, view, workbook and filters"

func compileExpression(source string, at position) (*vm.Program, error) {
	if len(source) > maxExpression {
		return nil, invalid("The expression at %s is too long: at most %d characters are possible.", at, maxExpression)
	}
	if source == "" {
		return nil, invalid("The expression at %s is empty.", at)
	}
	limits := &limits{}
	options := []expr.Option{
		expr.Env(&scope{}),
		expr.MaxNodes(maxNodes),
		// Without the optimizer no constant range is made while compiling, and
		// loops stay as limits has seen them.
		expr.Optimize(false),
		expr.Patch(limits),
		expr.DisableAllBuiltins(),
	}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	if limits.refusal != "" {
		return nil, invalid("The expression at %s cannot be used: %s.", at.after(source, limits.at.From), limits.refusal)
	}
	if err != nil {
		message := "it cannot be read"
		var fe *file.Error
		if errors.As(err, &fe) {
			at, message = at.after(source, fe.From), people(fe.Message)
		}
		return nil, invalid("The expression at %s cannot be used: %s.", at, message)
	}
	if t := program.Node().Type(); !isWritable(t) {
		return nil, invalid("The expression at %s cannot be used: its result is no text; name a member of it, such as report.name.", at)
	}
	return program, nil
}

// isWritable is true of the types that text can write.
func isWritable(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[moment](), reflect.TypeFor[fileVars](), reflect.TypeFor[map[string][]string]():
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Func, reflect.Pointer:
		return false
	default:
		return true
	}
}

// people puts the names of this package's types in words.
func people(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	if strings.HasPrefix(message, "unknown name ") {
		return message + "; the names are " + knownNames
	}
	switch message {
	case "unexpected token EOF":
		return "it ends too early"
	case "compilation failed: expression exceeds maximum allowed nodes":
		return "it has too many parts"
	}
	return strings.NewReplacer(
		"type deliver.reportVars", "a report", "type deliver.runVars", "a run",
		"type deliver.connectionVars", "a connection", "type deliver.fileVars", "a file",
		"type deliver.moment", "a time", "deliver.moment", "time",
		"[]deliver.fileVars", "files", "deliver.fileVars", "file",
		"*deliver.scope", "template", "interface {}", "any value",
	).Replace(message)
}

// builtins are those of expr-lang/expr whose cost is bounded by the data: the
// loops among them pay for each turn.
var builtins = []string{
	"all", "any", "none", "one", "filter", "map", "find", "findLast", "count", "sum", "sortBy",
	"len", "first", "last", "round", "floor", "ceil", "abs", "int", "float",
}

// limits is the visitor that keeps expressions within bounds: it refuses what
// cannot be bounded, makes each turn of a loop pay, and joins texts by a
// function that counts.
type limits struct {
	refusal string
	at      file.Location
}

func (l *limits) refuse(node ast.Node, format string, args ...any) {
	if l.refusal == "" {
		l.refusal, l.at = fmt.Sprintf(format, args...), node.Location()
	}
}

// Visit implements [ast.Visitor].
func (l *limits) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode,
		*ast.UnaryNode, *ast.ChainNode, *ast.SliceNode, *ast.PointerNode, *ast.ConditionalNode:
	case *ast.IdentifierNode:
		if strings.HasPrefix(n.Value, "_") || strings.HasPrefix(n.Value, "$") {
			l.refuse(n, "unknown name %s; the names are %s", n.Value, knownNames)
		}
	case *ast.MemberNode:
		if n.Node.Type().Kind() == reflect.String {
			l.refuse(n, "a text has no members; a part of it is written text[0:3]")
		}
	case *ast.CallNode:
		l.call(n)
	case *ast.BuiltinNode:
		if !slices.Contains(builtins, n.Name) {
			l.refuse(n, "%s cannot be used here", n.Name)
		}
	case *ast.PredicateNode:
		n.Node = &ast.SequenceNode{Nodes: []ast.Node{
			&ast.CallNode{Callee: &ast.IdentifierNode{Value: "_step"}}, n.Node,
		}}
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			switch item.(type) {
			case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.UnaryNode:
			default:
				l.refuse(n, "a list may hold constants only")
			}
		}
	case *ast.BinaryNode:
		l.binary(node, n)
	default:
		l.refuse(n, "variables, maps and several steps cannot be used here")
	}
}

func (l *limits) call(n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		l.refuse(n, "only the functions of templates can be called")
		return
	}
	if callee.Value != "date" || len(n.Arguments) != 2 {
		return
	}
	if layout, ok := n.Arguments[1].(*ast.StringNode); ok && !strings.Contains(layout.Value, "%") {
		l.refuse(n, "%s", errLayout)
	}
}

var errLayout = errors.New(`the form of a date is written with % codes, such as "%d %B %Y"`)

func (l *limits) binary(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "..", "matches":
		l.refuse(n, "the operator %s cannot be used here", n.Operator)
	case "==", "!=":
		// Comparing lists takes time that no step counts.
		for _, side := range []ast.Node{n.Left, n.Right} {
			switch side.Type().Kind() {
			case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
				if _, isNil := other(n, side).(*ast.NilNode); !isNil {
					l.refuse(n, "only single values can be compared")
				}
			}
		}
	case "+":
		name := ""
		switch left, right := n.Left.Type().Kind(), n.Right.Type().Kind(); {
		case left == reflect.String || right == reflect.String:
			name = "_append"
		case left == reflect.Interface || right == reflect.Interface:
			name = "_plus"
		default:
			return
		}
		ast.Patch(node, &ast.CallNode{
			Callee:    &ast.IdentifierNode{Value: name},
			Arguments: []ast.Node{n.Left, n.Right},
		})
	}
}

func other(n *ast.BinaryNode, side ast.Node) ast.Node {
	if side == n.Left {
		return n.Right
	}
	return n.Left
}

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
			URL: f.ViewURL, Link: f.Link, Filters: f.Filters, ExportedAt: momentIn(f.ExportedAt, location),
		}
	}
	if len(s.Files) > 0 {
		s.View, s.Workbook, s.Filters = s.Files[0].View, s.Files[0].Workbook, s.Files[0].Filters
	}

	s.Date = func(m moment, layout string) (string, error) {
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
	s.AddDays = func(m moment, days int) (moment, error) {
		if days < -36600 || days > 36600 {
			return moment{}, errors.New("add_days reaches a hundred years at most")
		}
		if m.t.IsZero() {
			return m, nil
		}
		return moment{m.t.AddDate(0, 0, days)}, nil
	}
	s.Join = func(list any, separator ...string) (string, error) {
		if len(separator) == 0 {
			separator = []string{", "}
		}
		return r.join(reflect.ValueOf(list), separator[0])
	}
	s.Upper = func(v string) (string, error) { return r.charge(strings.ToUpper(v)) }
	s.Lower = func(v string) (string, error) { return r.charge(strings.ToLower(v)) }
	s.Trim = func(v string) (string, error) { return strings.TrimSpace(v), nil }
	s.Replace = func(v, old, new string) (string, error) {
		if grown := len(v) + strings.Count(v, old)*(len(new)-len(old)); grown > maxOutput {
			return "", errSize
		}
		return r.charge(strings.ReplaceAll(v, old, new))
	}
	s.String = r.text
	s.FileSize = func(bytes int) (string, error) { return r.charge(sizeText(int64(bytes))) }
	s.Step = func() (bool, error) {
		if r.steps--; r.steps < 0 {
			return false, errSteps
		}
		return true, nil
	}
	s.Append = func(a, b any) (string, error) {
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
	s.Plus = func(a, b any) (any, error) {
		if isNumber(a) && isNumber(b) {
			return runtime.Add(a, b), nil
		}
		return s.Append(a, b)
	}
	return r
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
		if _, err := r.scope.Step(); err != nil {
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
