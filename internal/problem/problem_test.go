package problem_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/problem"
)

func TestFromFindsTheProblemInAChain(t *testing.T) {
	t.Parallel()
	missing := problem.Missing("report", "R")
	tests := map[string]struct {
		err  error
		kind problem.Kind
		code string
	}{
		"a problem":         {missing, problem.NotFound, problem.CodeNotFound},
		"a wrapped problem": {fmt.Errorf("reading: %w", missing), problem.NotFound, problem.CodeNotFound},
		"a joined problem":  {errors.Join(errors.New("other"), missing), problem.NotFound, problem.CodeNotFound},
		"no problem":        {errors.New("disk full"), problem.Internal, problem.CodeInternal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := problem.From(test.err)
			if p.Kind != test.kind || p.Code != test.code {
				t.Errorf("From() = kind %v, code %q; want %v, %q", p.Kind, p.Code, test.kind, test.code)
			}
			if !errors.Is(test.err, p.Err) && p.Kind == problem.Internal {
				t.Error("the cause is lost")
			}
			if got := problem.Is(test.err, problem.Internal); got {
				t.Error("an error that is no problem has a kind by Is")
			}
		})
	}
}

func TestInternalErrorsKeepTheirTextFromUsers(t *testing.T) {
	t.Parallel()
	p, known := problem.From(errors.New("dial tcp 10.0.0.7: refused"))
	if known {
		t.Error("an internal error counts as a problem")
	}
	if want := "Something went wrong inside vizpost. The log has the details."; p.Message != want {
		t.Errorf("the message is %q, want %q", p.Message, want)
	}
}

func TestFieldsTellAllAtOnce(t *testing.T) {
	t.Parallel()
	var none problem.Fields
	if err := none.Err(); err != nil {
		t.Errorf("no field gives %v", err)
	}
	var inner, fields problem.Fields
	inner.Add("cron", "There must be five fields.")
	inner.Add("[2]", "This is no address.")
	inner.Add("", "There is none.")
	fields.Add("name", "Give it a name of at most %d characters.", 200)
	fields.AddErr("schedule", inner.Err())
	fields.AddErr("", problem.InvalidField("view", "There is no such view."))
	fields.AddErr("connection_id", problem.Missing("connection", "C"))

	p, _ := problem.From(fields.Err())
	want := []problem.Field{
		{Name: "name", Message: "Give it a name of at most 200 characters."},
		{Name: "schedule.cron", Message: "There must be five fields."},
		{Name: "schedule[2]", Message: "This is no address."},
		{Name: "schedule", Message: "There is none."},
		{Name: "view", Message: "There is no such view."},
		{Name: "connection_id", Message: `There is no connection with the id "C".`},
	}
	if diff := cmp.Diff(want, p.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if p.Kind != problem.Invalid || p.Code != problem.CodeInvalid {
		t.Errorf("kind %v, code %q; want Invalid", p.Kind, p.Code)
	}
}

// Whoever asks for what is not there may have put a secret in place of an id.
func TestMissingTellsOnlyOurIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"01K8ZK3V9T0R6M8Q2C4X5N7B1D":       `There is no run with the id "01K8ZK3V9T0R6M8Q2C4X5N7B1D".`,
		"qlE1g9MMh9vbrjjg==:rZTHhPpP2tUW1": "There is no such run.",
		"operator-5f1d20a7b3":              "There is no such run.",
		"01K8ZK3V9T0R6M8Q2C4X5N7B1D2":      "There is no such run.",
	} {
		if got := problem.Missing("run", id).Message; got != want {
			t.Errorf("Missing(%q) says %q, want %q", id, got, want)
		}
	}
}

// Of many wrong fields some are told and the others counted, however they were
// put together.
func TestManyFields(t *testing.T) {
	t.Parallel()
	add := func(f *problem.Fields, n int) {
		for range n {
			f.Add("a", "b")
		}
	}
	var nested problem.Fields
	add(&nested, 130)
	tests := map[string]struct {
		collect func(*problem.Fields)
		told    int
		message string // of the last
		whole   string
	}{
		"one":         {func(f *problem.Fields) { add(f, 1) }, 1, "b", "The request has a field that cannot be used."},
		"as many":     {func(f *problem.Fields) { add(f, 50) }, 50, "b", "The request has 50 fields that cannot be used."},
		"one more":    {func(f *problem.Fields) { add(f, 51) }, 51, "There is one more field that cannot be used.", "The request has 51 fields that cannot be used."},
		"many more":   {func(f *problem.Fields) { add(f, 95_000) }, 51, "There are 94950 more fields that cannot be used.", "The request has 95000 fields that cannot be used."},
		"nested ones": {func(f *problem.Fields) { f.AddErr("x", nested.Err()) }, 51, "There are 80 more fields that cannot be used.", "The request has 130 fields that cannot be used."},
		"nested ones between others": {func(f *problem.Fields) { add(f, 20); f.AddErr("x", nested.Err()); add(f, 5) }, 51,
			"There are 105 more fields that cannot be used.", "The request has 155 fields that cannot be used."},
		"other errors": {func(f *problem.Fields) {
			for range 60 {
				f.AddErr("x", errors.New("100% wrong"))
			}
		}, 51, "There are 10 more fields that cannot be used.", "The request has 60 fields that cannot be used."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f problem.Fields
			test.collect(&f)
			p, _ := problem.From(f.Err())
			last := p.Fields[len(p.Fields)-1]
			if len(p.Fields) != test.told || last.Message != test.message || p.Message != test.whole {
				t.Errorf("%d fields, the last %q, in all %q; want %d, %q, %q", len(p.Fields), last.Message, p.Message, test.told, test.message, test.whole)
			}
			if more := last.More > 0; more && last.Name != "" || more != (test.told > problem.MaxFields) {
				t.Errorf("the last field is %+v", last)
			}
		})
	}
}
