package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/report"
)

// The run of a report cannot be made. Its people hear of it within a quarter of
// an hour, once, and no more once it has run.
func TestReportThatDoesNotRun(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("a", func(r *report.Report) {
			r.Schedule = &report.Schedule{Cron: "0 * * * *", TimeZone: "Europe/Berlin"}
		})
		time.Sleep(time.Hour)
		s := &failing{store: w.store, forever: true, only: func(what string) bool { return what == "Fire" }}
		w.wire(s)
		tick := func(minutes int) {
			for range minutes {
				_, _ = w.tick.Run(w.Context())
				for _, site := range w.bell.take() {
					w.succeed(w.drain.Site(w.Context(), site))
				}
				time.Sleep(time.Minute)
			}
		}
		tick(10)
		w.wantMail(owner, 0)
		tick(5)
		mail := w.wantMail(owner, 1)[0]
		if got := mail.GetHeader("Subject"); got != `The report "Numbers of a" did not run` {
			w.Errorf("got the subject %q", got)
		}
		if !strings.Contains(mail.Text, "was due on Saturday, 1 January 2000 at 02:00 CET") || strings.Contains(mail.Text, "store failed") {
			w.Errorf("got %q, want when it was due and no internals", mail.Text)
		}
		tick(60)
		w.wantMail(owner, 1)

		w.wire(w.store)
		tick(2)
		if got := len(w.runsOf("a")); got != 1 {
			w.Errorf("got %d runs, want one", got)
		}
		w.wantMail(owner, 1)
		w.wantIdle()
	})
}

// A report whose people cannot be told before it runs after all is not told of.
func TestReportThatRunsAfterAll(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("a", each("0 * * * *", ""))
		time.Sleep(time.Hour + 20*time.Minute)
		s := &failing{store: w.store, forever: true, only: func(what string) bool { return what == "Fire" }}
		w.wire(s)
		_, _ = w.tick.Run(w.Context())
		if got := len(w.notices()); got != 1 {
			w.Fatalf("got %d notices, want one", got)
		}
		w.wire(w.store)
		w.live(time.Minute)
		w.wantMail(owner, 0)
		w.wantIdle()
	})
}
