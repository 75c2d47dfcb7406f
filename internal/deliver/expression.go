package deliver

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

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
