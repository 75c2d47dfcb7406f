package deliver_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

// reportEnv is the data that the tests' templates name: Monday, 23 November
// 2026, 00:30 in Auckland, which is still Sunday in UTC.
func reportEnv(t testing.TB) deliver.Env {
	t.Helper()
	auckland, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatalf("loading the time zone: %v", err)
	}
	return deliver.Env{
		ReportID: "01R", ReportName: "Tom & <Jerry>", RunID: "01N", ConnectionName: "Sales",
		ScheduledFor: time.Date(2026, 11, 22, 11, 30, 0, 0, time.UTC), Location: auckland, StandsFor: 3,
		Files: []deliver.File{
			{Name: "Overview.pdf", Format: "pdf", Size: 1_234_567, View: "Overview", Workbook: "Superstore",
				ViewURL: "https://tableau.example.com/v", Filters: map[string][]string{"Region": {"West", "East"}, "Year": {"2026"}}, VerifiedOn: "Overview"},
			{Name: "Detail.png", Format: "png", Size: 5, View: "Detail", Workbook: "Superstore", Filters: map[string][]string{"Region": {"North"}}},
		},
	}
}

func TestTemplateRender(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		as         deliver.Escape
		want       string
	}{
		{"nothing", "", deliver.Plain, ""},
		{"text alone", "Good morning,\nall", deliver.Plain, "Good morning,\nall"},
		{"name", "{{ report.name }}", deliver.Plain, "Tom & <Jerry>"},
		{"without spaces", "a{{report.name}}b{{connection.name}}", deliver.Plain, "aTom & <Jerry>bSales"},
		{"single braces are text", "{ } {} }} a", deliver.Plain, "{ } {} }} a"},
		{"braces within strings", `{{ "}}" + "{{" + '}}' }}`, deliver.Plain, "}}{{}}"},
		{"braces of a predicate", "{{ join(map(files, {.view})) }}", deliver.Plain, "Overview, Detail"},
		{"escaped quote", `{{ "a\"}}b" }}`, deliver.Plain, `a"}}b`},
		{"all ids", "{{ report.id }} {{ run.id }} {{ run.stands_for }} {{ run.test }}", deliver.Plain, "01R 01N 3 false"},

		{"time in the report's zone", "{{ run.scheduled_for }}", deliver.Plain, "2026-11-23 00:30"},
		{"date", `{{ date(run.scheduled_for, "%A, %-d %B %Y") }}`, deliver.Plain, "Monday, 23 November 2026"},
		{"yesterday", `{{ date(add_days(run.scheduled_for, -1), "%F") }}`, deliver.Plain, "2026-11-22"},
		{"a time that is not known", `[{{ date(files[0].exported_at, "%F") }}{{ files[0].exported_at }}]`, deliver.Plain, "[]"},

		{"first file", "{{ view }} of {{ workbook }}", deliver.Plain, "Overview of Superstore"},
		{"filters", "{{ filters }}", deliver.Plain, "Region: West, East; Year: 2026"},
		{"one filter", "{{ filters.Region }}", deliver.Plain, "West, East"},
		{"joined", `{{ join(filters.Region, " + ") }}`, deliver.Plain, "West + East"},
		{"missing filter", `{{ filters["Segment"] ?? "all" }}`, deliver.Plain, "all"},
		{"missing filter is empty", "[{{ filters.Segment }}]", deliver.Plain, "[]"},
		{"unverified filters", "[{{ files[1].filters }}]", deliver.Plain, "[]"},
		{"a value of an unverified filter", `[{{ files[1].filters.Region[0] }}{{ join(files[1].filters.Region) }}]`, deliver.Plain, "[]"},
		{"in", `{{ "West" in filters.Region ? "west" : "not west" }}`, deliver.Plain, "west"},
		{"pipe", `{{ files | map(.name) | join("; ") }}`, deliver.Plain, "Overview.pdf; Detail.png"},
		{"list of files", "{{ filter(files, .size > 10) }}", deliver.Plain, "Overview.pdf"},
		{"sizes", "{{ file_size(files[0].size) }} {{ sum(files, .size) }}", deliver.Plain, "1.2 MB 1234572"},
		{"sorted", "{{ sortBy(files, .size)[0].name }}", deliver.Plain, "Detail.png"},
		{"found", `{{ find(files, .format == "png").name }}`, deliver.Plain, "Detail.png"},
		{"counted", "{{ len(files) }} files, {{ count(files, .size > 10) }} large", deliver.Plain, "2 files, 1 large"},
		{"if", `{{ if run.stands_for > 1 { "several" } else { "one" } }}`, deliver.Plain, "several"},
		{"texts", `{{ upper("a") + lower("B") + trim(" c ") + replace("dxd", "x", "-") }}`, deliver.Plain, "Abcd-d"},
		{"text and number", `{{ "n = " + len(files) }}`, deliver.Plain, "n = 2"},
		{"number and text", `{{ 1.5 + "" }}`, deliver.Plain, "1.5"},
		{"part of a text", "{{ view[0:4] }}", deliver.Plain, "Over"},
		{"numbers", "{{ 1 + 2 * 3 }} {{ 10 / 4 }} {{ 1e21 }}", deliver.Plain, "7 2.5 1000000000000000000000"},
		{"values of unknown type", `{{ first([1, "a"]) + last([1, 2]) }}`, deliver.Plain, "3"},
		{"nil", "[{{ nil }}]", deliver.Plain, "[]"},
		{"compared with nil", `{{ filters["X"] == nil }}`, deliver.Plain, "true"},

		{"HTML", `<p title="x">{{ report.name }}`, deliver.HTML, "&lt;p title=&#34;x&#34;&gt;Tom &amp; &lt;Jerry&gt;"},
		{"Slack", "<!channel> {{ report.name }}", deliver.Slack, "&lt;!channel&gt; Tom &amp; &lt;Jerry&gt;"},
		{"header", "a\r\nBcc: x@example.com{{ \"\\r\\n\\u2028b\\u202Ec\" }}\x00\t d ", deliver.Header, "a Bcc: x@example.com b c d"},
		{"broken UTF-8 from a cut", `{{ "é"[0:1] }}`, deliver.Plain, "\uFFFD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			template, err := deliver.CompileTemplate(tt.text)
			if err != nil {
				t.Fatalf("CompileTemplate(%q): %v", tt.text, err)
			}
			got, err := template.Render(reportEnv(t), tt.as)
			if err != nil {
				t.Fatalf("Render: %v", err)
			}
			if got != tt.want {
				t.Errorf("Render gives %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTemplateOfNoFiles(t *testing.T) {
	t.Parallel()
	template, err := deliver.CompileTemplate(`{{ view }}{{ filters }}{{ len(files) }}{{ date(run.scheduled_for, "%F") }}`)
	if err != nil {
		t.Fatalf("CompileTemplate: %v", err)
	}
	if got, err := template.Render(deliver.Env{}, deliver.Plain); err != nil || got != "0" {
		t.Errorf("Render gives %q, %v, want \"0\"", got, err)
	}
}

func TestHeaderIsShort(t *testing.T) {
	t.Parallel()
	template, err := deliver.CompileTemplate(strings.Repeat("ä", 300))
	if err != nil {
		t.Fatalf("CompileTemplate: %v", err)
	}
	got, err := template.Render(deliver.Env{}, deliver.Header)
	if want := strings.Repeat("ä", 249) + "…"; err != nil || got != want {
		t.Errorf("Render gives %q, %v, want %q", got, err, want)
	}
}

// fieldMessage gives the one message of an Invalid problem without field name.
func fieldMessage(t *testing.T, err error) string {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != problem.Invalid || len(p.Fields) != 1 || p.Fields[0].Name != "" {
		t.Fatalf("error is %#v, want a problem of kind Invalid with one field without name", err)
	}
	return p.Fields[0].Message
}

func TestCompileTemplateRefuses(t *testing.T) {
	t.Parallel()
	const names = "; the names are report, run, connection, files, view, workbook and filters."
	tests := []struct {
		name, text, want string
	}{
		{"not closed", "Hello {{ report.name", "The expression at line 1, column 7 has no closing }}."},
		{"not closed in a string", "{{ \"a }}", "The expression at line 1, column 1 has no closing }}."},
		{"empty", "a\nb {{ }}", "The expression at line 2, column 6 is empty."},
		{"unknown name", "a\n\nä {{ reprot.name }}", "The expression at line 3, column 6 cannot be used: unknown name reprot" + names},
		{"unknown member", "{{ report.nam }}", "The expression at line 1, column 11 cannot be used: a report has no field nam."},
		{"unknown member of a file", "{{ map(files, .nam) }}", "The expression at line 1, column 16 cannot be used: a file has no field nam."},
		{"inside of a time", "{{ run.scheduled_for.t }}", "The expression at line 1, column 22 cannot be used: a time has no field t."},
		{"inside of a time by index", `{{ run.scheduled_for["t"] }}`, "The expression at line 1, column 21 cannot be used: a time has no field t."},
		{"position after a line break", "{{ 1 +\n  foo }}", "The expression at line 2, column 3 cannot be used: unknown name foo" + names},
		{"syntax", "{{ 1 + }}", "The expression at line 1, column 7 cannot be used: it ends too early."},
		{"not a text", "{{ report }}", "The expression at line 1, column 4 cannot be used: its result is no text; name a member of it, such as report.name."},
		{"a function", "{{ upper }}", "The expression at line 1, column 4 cannot be used: its result is no text; name a member of it, such as report.name."},
		{"wrong type", "{{ upper(1) }}", "The expression at line 1, column 10 cannot be used: cannot use int as argument (type string) to call upper ."},
		{"date without codes", `{{ date(run.scheduled_for, "2006-01-02") }}`, `The expression at line 1, column 4 cannot be used: the form of a date is written with % codes, such as "%d %B %Y".`},
		{"member of a text", "{{ view[0] }}", "The expression at line 1, column 8 cannot be used: a text has no members; a part of it is written text[0:3]."},

		{"range", "{{ 1..1000000000 }}", "The expression at line 1, column 5 cannot be used: the operator .. cannot be used here."},
		{"regular expression", `{{ view matches "(a+)+$" }}`, "The expression at line 1, column 9 cannot be used: the operator matches cannot be used here."},
		{"repeat", `{{ repeat("x", 1000000000) }}`, "The expression at line 1, column 4 cannot be used: unknown name repeat" + names},
		{"reduce", `{{ reduce(files, #acc + #acc, "x") }}`, "The expression at line 1, column 4 cannot be used: reduce cannot be used here."},
		{"groupBy", "{{ groupBy(files, .view) }}", "The expression at line 1, column 4 cannot be used: groupBy cannot be used here."},
		{"now", "{{ now() }}", "The expression at line 1, column 4 cannot be used: unknown name now" + names},
		{"variables", `{{ let a = "x"; a + a }}`, "The expression at line 1, column 8 cannot be used: variables, maps and several steps cannot be used here."},
		{"calling no function", "{{ report.name() }}", "The expression at line 1, column 11 cannot be used: only the functions of templates can be called."},
		{"maps", `{{ {"a": 1}.a }}`, "The expression at line 1, column 4 cannot be used: variables, maps and several steps cannot be used here."},
		{"lists of lists", "{{ [files, files] }}", "The expression at line 1, column 4 cannot be used: a list may hold constants only."},
		{"comparing lists", "{{ files == files }}", "The expression at line 1, column 10 cannot be used: only single values can be compared."},
		{"the whole environment", `{{ $env["report"] }}`, "The expression at line 1, column 4 cannot be used: unknown name $env" + names},
		{"the bounds' own functions", "{{ _step() }}", "The expression at line 1, column 4 cannot be used: unknown name _step" + names},

		{"too long", strings.Repeat("x", 64<<10+1), "The text is too long: at most 65536 characters are possible."},
		{"too many", strings.Repeat("{{1}}", 201), "The text has too many expressions: at most 200 are possible."},
		{"too long an expression", "{{ " + strings.Repeat("1 ", 1001) + "}}", "The expression at line 1, column 4 is too long: at most 2000 characters are possible."},
		{"too large an expression", "{{ 1" + strings.Repeat("+1", 300) + " }}", "The expression at line 1, column 305 cannot be used: it has too many parts."},
		{"not UTF-8", "a\xffb", "The text is not valid UTF-8."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := deliver.CompileTemplate(tt.text)
			if diff := cmp.Diff(tt.want, fieldMessage(t, err)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Numbers", `{{ report.name }} – {{ "a\nb" }}`, "{{ 1 +\n 1 }}", ""} {
		if _, err := deliver.CompileLine(text); err != nil {
			t.Errorf("CompileLine(%q): %v", text, err)
		}
	}
	_, err := deliver.CompileLine("{{ foo }}")
	if got := fieldMessage(t, err); !strings.Contains(got, "unknown name foo") {
		t.Errorf("CompileLine of an unknown name says %q", got)
	}
	for _, text := range []string{"a\nb", "a\r\nBcc: x@example.com", "a\tb", "a\x00", "a\u2028b", "a\u202Eb", "{{ 1 }}\n"} {
		_, err := deliver.CompileLine(text)
		if got, want := fieldMessage(t, err), "The text must be one line without control characters."; got != want {
			t.Errorf("CompileLine(%q) says %q, want %q", text, got, want)
		}
	}
}

func TestRenderStops(t *testing.T) {
	t.Parallel()
	nested := "true"
	for range 14 {
		nested = "count(files, " + nested + ") > 0"
	}
	long := strings.Repeat("a", 1000)
	doubled := "view"
	for range 40 {
		doubled = "replace(" + doubled + `, "", "aaaaaaaaaa")`
	}
	tests := []struct {
		name, text, want string
	}{
		{"endless loops", "{{ " + nested + " }}", "The expression at line 1, column 4 was stopped: it takes too many steps."},
		{"large text", `{{ replace("` + long + `", "", "` + long[:900] + `") }}`, "The expression at line 1, column 4 was stopped: it makes too much text."},
		{"growing text", "{{ " + doubled + " }}", "The expression at line 1, column 4 was stopped: it makes too much text."},
		{"many texts", "{{ map(files, map(files, map(files, map(files, map(files, map(files, map(files, map(files, map(files, map(files, '" + long + "' + .name)))))))))) }}",
			"The expression at line 1, column 4 was stopped: it makes too much text."},
		{"long output", strings.Repeat(`{{ map(files, map(files, map(files, "`+long+`")))}}`, 35), "The text becomes too long: at most 262144 characters are possible."},
		{"no such file", "{{ files[7].name }}", "The expression at line 1, column 4 has no result: index out of range: 7 (array length is 2)."},
		{"division", "{{ 1 % 0 }}", "The expression at line 1, column 4 has no result: runtime error: integer divide by zero."},
		{"date of unknown form", "{{ date(run.scheduled_for, view) }}", `The expression at line 1, column 4 has no result: the form of a date is written with % codes, such as "%d %B %Y".`},
		{"days", "{{ add_days(run.scheduled_for, 99999999) }}", "The expression at line 1, column 4 has no result: add_days reaches a hundred years at most."},
		{"a text that cannot be joined", "{{ 'a' + find(files, .size > 1).filters.Region[7] }}", "The expression at line 1, column 4 has no result: index out of range: 7 (array length is 2)."},
		{"joining no list", "{{ join(view) }}", "The expression at line 1, column 4 has no result: join needs a list."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			template, err := deliver.CompileTemplate(tt.text)
			if err != nil {
				t.Fatalf("CompileTemplate: %v", err)
			}
			_, err = template.Render(reportEnv(t), deliver.Plain)
			if diff := cmp.Diff(tt.want, fieldMessage(t, err)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEscapedOutputIsBounded(t *testing.T) {
	t.Parallel()
	template, err := deliver.CompileTemplate(strings.Repeat("&", 60_000))
	if err != nil {
		t.Fatalf("CompileTemplate: %v", err)
	}
	if _, err := template.Render(deliver.Env{}, deliver.Plain); err != nil {
		t.Errorf("Render as it is: %v", err)
	}
	_, err = template.Render(deliver.Env{}, deliver.HTML)
	if got, want := fieldMessage(t, err), "The text becomes too long: at most 262144 characters are possible."; got != want {
		t.Errorf("Render as HTML says %q, want %q", got, want)
	}
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain", "{{ report.name }}", "{{", "}}", "{{{{{", "a {{ b }} c \n {{"} {
		template, err := deliver.CompileTemplate(deliver.Literal(text))
		if err != nil {
			t.Errorf("CompileTemplate(Literal(%q)): %v", text, err)
			continue
		}
		if got, err := template.Render(deliver.Env{}, deliver.Plain); err != nil || got != text {
			t.Errorf("Literal(%q) renders as %q, %v", text, got, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"", "a {{ report.name }} b", `{{ date(run.scheduled_for, "%d %B %Y") }}`, "{{ files | map(.name) | join(\"; \") }}",
		"{{ count(files, count(files, true) > 0) > 0 }}", `{{ filters["Region"] ?? "all" }}`, "{{ 1..1e9 }}", "{{ {a: 1} }}", "{{ [1, 2][0] }}",
		"{{ let a = 1; a }}", `{{ replace("aaaa", "", "bbbb") }}`, "{{ files[0].filters.Region[0] }}", "{{ if true { 1 } else { 2 } }}",
		"{{ first(files)?.name }}", `{{ "a" + 1 + 2.5 + nil }}`, "{{ sortBy(files, .size, \"desc\")[0:1] }}", "{{ -1 ** 2 }}", "{{ not (view contains \"a\") }}",
		"{{ float(\"1\") }}", "{{ int(\"x\") }}", "{{ `a` }}", "{{ # }}", "{{ .a }}", "{{ /* }} */ 1 }}",
	} {
		f.Add(seed)
	}
	env := reportEnv(f)
	f.Fuzz(func(t *testing.T, text string) {
		template, err := deliver.CompileTemplate(text)
		if err != nil {
			fieldMessage(t, err)
			return
		}
		for _, as := range []deliver.Escape{deliver.Plain, deliver.HTML, deliver.Slack, deliver.Header} {
			got, err := template.Render(env, as)
			if err != nil {
				fieldMessage(t, err)
				continue
			}
			// Each broken byte becomes U+FFFD, of three bytes.
			if len(got) > 3*256<<10 {
				t.Errorf("the output has %d bytes", len(got))
			}
			if as == deliver.Header && strings.ContainsAny(got, "\r\n\x00\t") {
				t.Errorf("the header %q has control characters", got)
			}
			if (as == deliver.HTML || as == deliver.Slack) && strings.ContainsAny(got, "<>") {
				t.Errorf("%q is not escaped", got)
			}
		}
	})
}
