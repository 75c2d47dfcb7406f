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
