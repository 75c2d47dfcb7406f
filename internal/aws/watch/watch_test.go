package watch_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/aws/watch"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

// account is AWS as far as it is looked at.
type account struct {
	pulse              run.Pulse
	runs, app, secrets error
	hangs              bool
	asked              int
}

func (a *account) Pulse(ctx context.Context) (run.Pulse, error) {
	a.asked++
	if a.hangs {
		<-ctx.Done()
		return run.Pulse{}, ctx.Err()
	}
	return a.pulse, a.runs
}

func (a *account) Connection(context.Context, string) (connection.Connection, error) {
	if a.app == nil {
		return connection.Connection{}, problem.Missing("connection", "health")
	}
	return connection.Connection{}, a.app
}

func (a *account) Secret(context.Context, string, string) ([]byte, error) {
	if a.secrets == nil {
		return nil, problem.Missing("secret", "health")
	}
	return nil, a.secrets
}

func TestTroubles(t *testing.T) {
	t.Parallel()
	denied := errors.New("AccessDeniedException: canary")
	alive := func(ago time.Duration) func(*account) {
		return func(a *account) { a.pulse.At = a.pulse.At.Add(-ago) }
	}
	tests := map[string]struct {
		change  func(*account)
		want    string // codes
		message string
	}{
		"all is well":                   {alive(0), "", ""},
		"a tick was missed":             {alive(4 * time.Minute), "", ""},
		"the scheduler stands still":    {alive(2 * time.Hour), "scheduler", "120 minutes"},
		"the scheduler has not run":     {func(a *account) { a.pulse = run.Pulse{} }, "scheduler", "not run yet"},
		"the clock of another is ahead": {alive(-time.Minute), "", ""},
		"the table of runs":             {func(a *account) { a.runs = denied }, "database", "runs"},
		"the table of connections":      {func(a *account) { a.app = denied }, "database", "connections"},
		"the secrets":                   {func(a *account) { a.secrets = denied }, "secrets", "Secrets Manager"},
		"a table that does not answer":  {func(a *account) { a.hangs = true }, "database", "runs"},
		"everything":                    {func(a *account) { a.runs, a.app, a.secrets = denied, denied, denied }, "database database secrets", "runs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &account{pulse: run.Pulse{Rev: 1, At: time.Now()}}
				test.change(a)
				w := watch.New(a, a, time.Now, slog.New(slog.DiscardHandler))
				var codes, messages []string
				for _, trouble := range w.Troubles(t.Context()) {
					codes, messages = append(codes, trouble.Code), append(messages, trouble.Message)
					if trouble.ToDo == "" || trouble.Since.IsZero() || strings.Contains(trouble.Message+trouble.ToDo, "canary") {
						t.Errorf("got %+v, want what to do and no internals", trouble)
					}
				}
				if got := strings.Join(codes, " "); got != test.want || !strings.Contains(strings.Join(messages, " "), test.message) {
					t.Errorf("got %q: %q, want %q with %q", got, messages, test.want, test.message)
				}
			})
		})
	}
}

// An answer is good for half a minute, and a trouble that is over is gone.
func TestTroublesAreLookedForSparingly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &account{pulse: run.Pulse{Rev: 1, At: time.Now()}, secrets: errors.New("no")}
		w := watch.New(a, a, time.Now, slog.New(slog.DiscardHandler))
		first := w.Troubles(t.Context())
		a.secrets = nil
		time.Sleep(29 * time.Second)
		if again := w.Troubles(t.Context()); a.asked != 1 || len(first) != 1 || len(again) != 1 {
			t.Errorf("asked %d times, got %v and then %v, want one answer for both", a.asked, first, again)
		}
		time.Sleep(time.Second)
		if last := w.Troubles(t.Context()); a.asked != 2 || len(last) != 0 {
			t.Errorf("asked %d times, got %v, want another look at what is well again", a.asked, last)
		}
	})
}
