package deliver

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm"

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
// file view, workbook and filters. The values of filters that were not verified
// are empty.
type Template struct {
	parts   []part
	filters bool
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
		t.filters = t.filters || namesFilters(expression)
		rest = source[end+2:]
	}
	return t, nil
}

// NamesFilters reports whether an expression of the template names the filters
// of a file.
func (t *Template) NamesFilters() bool { return t.filters }

func namesFilters(expression string) bool {
	return slices.Contains(strings.FieldsFunc(expression, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), "filters")
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
