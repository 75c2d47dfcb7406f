package health_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/health"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func codes(r *health.Registry) string {
	all := ""
	for _, t := range r.Troubles(context.Background()) {
		all += t.Code + " "
	}
	return all
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)}
	r := health.New(c.Now)
	if got := codes(r); got != "" {
		t.Errorf("got %q, want nothing wrong at first", got)
	}
	began := c.now
	r.Set("store", &health.Trouble{Code: health.DiskFull})
	c.now = c.now.Add(time.Minute)
	r.Set("store", &health.Trouble{Code: health.DiskFull, Message: "still"})
	r.Set("mail", &health.Trouble{Code: health.Mail})
	all := r.Troubles(context.Background())
	if codes(r) != "disk_full mail " || !all[0].Since.Equal(began) || all[0].Message != "still" {
		t.Errorf("got %+v, want the disk since the beginning, then mail", all)
	}
	c.now = c.now.Add(time.Minute)
	r.Set("store", &health.Trouble{Code: health.DatabaseLocked})
	if got := r.Troubles(context.Background())[1]; got.Code != health.DatabaseLocked || !got.Since.Equal(c.now) {
		t.Errorf("got %+v, want another trouble since now", got)
	}
	r.Set("store", nil)
	r.Set("mail", nil)
	if got := codes(r); got != "" {
		t.Errorf("got %q, want nothing wrong any more", got)
	}
}

type carrier struct{ err error }

func (c *carrier) Send(context.Context, deliver.Envelope) (deliver.Receipt, error) {
	return deliver.Receipt{}, c.err
}

func TestMailer(t *testing.T) {
	t.Parallel()
	deferred := &deliver.SendError{Outcome: deliver.Deferred, Message: "Busy."}
	refused := &deliver.SendError{Outcome: deliver.Refused, Message: "No such mailbox."}
	tooLarge := &deliver.SendError{Outcome: deliver.Refused, Code: deliver.TooLarge, Message: "Too large."}
	tests := map[string]struct {
		err   error
		to    []string // one message each
		pause time.Duration
		want  string
	}{
		"down for long":               {deferred, []string{"a", "a", "a"}, 6 * time.Minute, "mail "},
		"down for a while":            {deferred, []string{"a", "b", "c"}, 2 * time.Minute, ""},
		"put off twice":               {deferred, []string{"a", "a"}, time.Hour, ""},
		"one address that is refused": {refused, []string{"a", "A", "a", "a"}, time.Hour, ""},
		"every address is refused":    {refused, []string{"a", "b", "c"}, time.Hour, "mail "},
		"all are too large":           {tooLarge, []string{"a", "b", "c"}, time.Hour, ""},
		"no clear answer":             {errors.New("broken"), []string{"a", "a", "a"}, time.Hour, "mail "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)}
			r, inner := health.New(c.Now), &carrier{test.err}
			m := &health.Mailer{Mailer: inner, Registry: r}
			for _, to := range test.to {
				_, _ = m.Send(t.Context(), deliver.Envelope{Recipients: []string{to}})
				c.now = c.now.Add(test.pause)
			}
			if got := codes(r); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			inner.err = nil
			_, _ = m.Send(t.Context(), deliver.Envelope{Recipients: []string{"a"}})
			if got := codes(r); got != "" {
				t.Errorf("got %q after a message was taken, want nothing", got)
			}
		})
	}
}
