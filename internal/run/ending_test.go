package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// TestEndsWithoutAnswer ends a run in each way in which one can end while a
// message may have been sent, by one that nobody answered for and by one in
// whose sending the process died. What is recorded stays true, somebody is told,
// and what is sent after it is marked.
func TestEndsWithoutAnswer(t *testing.T) {
	t.Parallel()
	ways := map[string]struct {
		end     func(w *world, id string)
		reason  string
		wait    time.Duration
		retried bool // it can be tried again by hand
	}{
		"its report is deleted": {func(w *world, _ string) { w.succeed(w.reports.Delete(w.Context(), "r", 0)) }, "report was deleted", time.Hour, false},
		"its report is paused": {func(w *world, _ string) {
			paused := false
			_, err := w.reports.Edit(w.Context(), "r", report.Edit{Enabled: &paused})
			w.succeed(err)
		}, "report was paused", time.Hour, true},
		"its connection is deleted": {func(w *world, _ string) {
			_, err := w.connections.Create(w.Context(), "other", connection.Settings{
				Name: "Other", ServerURL: serverURL, Site: w.tableau.Site(), Credential: *w.newToken("other")})
			w.succeed(err)
			other := "other"
			_, err = w.reports.Edit(w.Context(), "r", report.Edit{ConnectionID: &other})
			w.succeed(err)
			w.succeed(w.connections.Delete(w.Context(), "c", 0))
		}, "connection was deleted", time.Hour, true},
		"its time is over": {func(w *world, _ string) {
			w.mail.answer = func(to string, _ int) (bool, error) {
				if to == owner {
					return true, nil
				}
				return true, unknown()
			}
		}, "could not be delivered in time", 8 * time.Hour, true},
	}
	for name, way := range ways {
		for _, dies := range []bool{false, true} {
			if dies && name == "its report is paused" {
				continue // what is in hand goes on
			}
			title := name + ", no answer"
			if dies {
				title = name + ", killed in between"
			}
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(w *world) {
					w.makeReport("r")
					id := w.start("r")
					if dies {
						s := &failing{store: w.store, forever: true}
						s.left.Store(1 << 40)
						w.wire(s)
						w.mail.answer = func(string, int) (bool, error) { s.left.Store(0); return true, nil }
						_ = w.drain.Site(w.Context(), site)
						w.wire(w.store)
						w.mail.answer = nil
						w.wantDeliveries(id, run.Sending)
					} else {
						w.mail.answer = func(string, int) (bool, error) { return true, unknown() }
						w.work()
						w.mail.answer = nil
						w.wantDeliveries(id, run.Unsure)
					}
					way.end(w, id)
					r, deliveries := w.get(id)
					if !r.State.Open() {
						t.Fatalf("got run %s: %q at once, want it open until the message is known of", r.State, r.Reason)
					}
					if got := deliveries[0].State; got != run.Sending && got != run.Unsure {
						t.Fatalf("got a delivery that is %s at once, want it left open", got)
					}
					w.live(way.wait)
					w.mail.answer = nil
					w.live(10 * time.Minute)
					w.wantRun(id, run.Failed, way.reason)
					d := w.wantDeliveries(id, run.DeliveryFailed)[0]
					if !d.PossibleRepeat || !strings.Contains(d.Message, "may have arrived") {
						t.Errorf("got %+v, want it to be said that it may have arrived", d)
					}
					if text := w.wantMail(owner, 1)[0].Text; !strings.Contains(text, "may have arrived") {
						t.Errorf("got notice %q, want what is known", text)
					}
					w.wantIdle()
					wantOnce(w, "ana@example.com", decoded(w, "ana@example.com"))
					if !way.retried {
						return
					}
					before := len(decoded(w, "ana@example.com"))
					_, err := w.runs.Retry(w.Context(), id)
					w.succeed(err)
					w.live(time.Hour)
					texts := decoded(w, "ana@example.com")
					wantOnce(w, "ana@example.com", texts)
					if name == "its time is over" && len(texts) != before+1 {
						t.Errorf("got %d messages after a retry, want one more than %d", len(texts), before)
					}
				})
			})
		}
	}
}

// A notice that a deletion ended a run is tried until it is taken, like any
// other: that its report is gone is no reason to stop.
func TestNoticeOfADeletedReportIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{"deferred": deferred(0), "no answer": unknown()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				id := w.start("r")
				w.mail.answer = func(to string, n int) (bool, error) {
					if to == owner && n > 1 {
						return true, nil
					}
					if to == owner {
						return false, fails
					}
					return true, unknown()
				}
				w.work()
				w.succeed(w.reports.Delete(w.Context(), "r", 0))
				w.live(3 * time.Hour)
				w.wantRun(id, run.Failed, "report was deleted")
				w.wantMail(owner, 1)
				w.wantIdle()
			})
		})
	}
}
