package run_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// skewed has vizpost go by a clock that is wrong by a time from now on, with
// other parts, as a process that is started under it has.
func (w *world) skewed(by time.Duration) {
	clock := func() time.Time { return time.Now().Add(by) }
	w.wire(w.store)
	w.tick.Now, w.care.Now, w.drain.Now, w.runs.Now, w.reports.Now, w.connections.Now, w.destinations.Now =
		clock, clock, clock, clock, clock, clock, clock
	w.connections.Holds = &run.Holds{Store: w.store, Bell: w.bell, Now: clock}
}

// blink has vizpost work for ten seconds by a clock that is wrong.
func (w *world) blink(by time.Duration) {
	w.Helper()
	w.skewed(by)
	for range 2 {
		_, err := w.tick.Run(w.Context())
		w.succeed(err)
		for _, site := range w.bell.take() {
			w.succeed(w.drain.Site(w.Context(), site))
		}
		w.succeed(w.care.Run(w.Context()))
		time.Sleep(5 * time.Second)
	}
	w.skewed(0)
}

// TestWrongClock has the clock wrong for ten seconds, within an hour and over its
// end. Each report goes on as its schedule says, what waited is delivered, and no
// occurrence is run twice.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	policies := []report.CatchUp{report.CatchUpLatest, report.CatchUpAll, report.CatchUpNone}
	for i, by := range []time.Duration{366 * day, 366 * day, 366 * day, 26 * time.Hour, 3 * time.Hour, 3 * time.Hour, -3 * time.Hour, -366 * day} {
		at, policy := []time.Duration{150 * time.Minute, 3*time.Hour - 5*time.Second}[i%2], policies[i%len(policies)]
		t.Run(fmt.Sprint(by, " ", policy), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) { wrongClock(w, at, by, policy) })
		})
	}
}

func wrongClock(w *world, at, by time.Duration, policy report.CatchUp) {
	w.makeReport("hourly", each("0 * * * *", policy))
	w.makeReport("daily", each("30 7 * * *", policy), to(email("mail", "daily@example.com")))
	// A schedule that has ended by the wrong clock.
	ends := report.Date{Year: 2000, Month: 1, Day: 20}
	w.makeReport("ends", each("15 6 * * *", policy), to(email("mail", "ends@example.com")),
		func(r *report.Report) { r.Schedule.EndsOn = &ends })
	w.live(at - 2*time.Minute)
	// Two messages wait: one for an answer, one to be taken.
	w.makeReport("waits", to(email("mail", "unsure@example.com", "later@example.com")))
	w.mail.answer = func(to string, n int) (bool, error) {
		switch {
		case to == "unsure@example.com" && n == 1:
			return false, unknown()
		case to == "later@example.com" && n == 1:
			return false, deferred(0)
		}
		return true, nil
	}
	waits := w.start("waits")
	w.work()
	w.wantRun(waits, run.Queued, "")
	w.idle(2 * time.Minute)
	wrongAt := time.Now()

	w.blink(by)

	w.live(4 * time.Hour)
	w.wantRun(waits, run.Delivered, "")
	w.liveEach(10*time.Minute, 30*time.Hour)
	w.live(4 * time.Minute)
	for id, cron := range map[string]string{"hourly": "0 * * * *", "daily": "30 7 * * *", "ends": "15 6 * * *"} {
		runs := map[int64]int{}
		stoodFor := map[int64]bool{} // or missed by more than ten minutes, which is what the policy says
		for _, r := range w.runsOf(id) {
			if r.State.Open() {
				w.Errorf("the run of %s for %v is %s", id, r.ScheduledFor, r.State)
			}
			if r.State == run.Skipped {
				stoodFor[r.ScheduledFor.Unix()] = true
				continue
			}
			runs[r.ScheduledFor.Unix()]++
		}
		for at, n := range runs {
			if n > 1 {
				w.Errorf("the occurrence of %s at %v was run %d times", id, time.Unix(at, 0).UTC(), n)
			}
		}
		s := report.Schedule{Cron: cron, TimeZone: "UTC"}
		for at, _ := s.Next(wrongAt.Add(-10 * time.Minute)); at.Before(wrongAt.Add(4 * time.Hour)); at, _ = s.Next(at) {
			if runs[at.Unix()] == 0 {
				w.Errorf("the occurrence of %s at %v was lost", id, at)
			}
		}
		for at, _ := s.Next(wrongAt.Add(4 * time.Hour)); at.Before(time.Now().Add(-time.Hour)); at, _ = s.Next(at) {
			if runs[at.Unix()] == 0 && !stoodFor[at.Unix()] {
				w.Errorf("the occurrence of %s at %v was lost", id, at)
			}
		}
	}
}

// What is due by a clock that is a year ahead for a minute is not sent. Where
// vizpost was off for as long, it is two minutes later.
func TestFarAheadForAMinute(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		for _, policy := range []report.CatchUp{report.CatchUpLatest, report.CatchUpAll, report.CatchUpNone} {
			w.makeReport(string(policy), each("0 * * * *", policy))
		}
		w.live(90 * time.Minute)
		w.skewed(366 * day)
		w.liveEach(10*time.Second, 50*time.Second)
		w.skewed(0)
		w.live(time.Hour)
		for _, policy := range []string{"latest", "all", "none"} {
			if runs := w.runsOf(policy); len(runs) != 2 || runs[1].ScheduledFor.After(time.Now()) {
				w.Errorf("got %d runs of %s in two and a half hours, want two", len(runs), policy)
			}
		}
		w.wantMail("ana@example.com", 6)

		time.Sleep(3 * day)
		w.live(time.Minute)
		w.wantMail("ana@example.com", 6)
		w.live(time.Minute)
		if runs := w.runsOf("latest"); len(runs) != 3 || runs[2].StandsFor != 72 {
			w.Errorf("got %d runs, the last of which stands for %d occurrences, want the third for 72", len(runs), runs[len(runs)-1].StandsFor)
		}
	})
}

// A process dies under a clock that is a year ahead, with a message in hand and a
// run that waits: both are gone on with.
func TestKilledUnderAWrongClock(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.makeReport("waits", content(report.Content{View: overview, Format: "pdf"}), to(email("mail", "waits@example.com")))
		inHand, waits := w.start("r"), w.start("waits")
		w.fault(tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "pdf", Times: 3})
		w.skewed(366 * day)
		s := &failing{store: w.store, forever: true}
		s.left.Store(1 << 40)
		clock := w.drain.Now
		w.wire(s)
		w.tick.Now, w.drain.Now = clock, clock
		w.mail.answer = func(string, int) (bool, error) { s.left.Store(0); return true, nil }
		_, _ = w.tick.Run(w.Context())
		_ = w.drain.Site(w.Context(), site)
		w.mail.answer = nil
		w.skewed(0)
		w.live(2 * time.Hour)
		w.wantRun(inHand, run.Delivered, "")
		w.wantRun(waits, run.Delivered, "")
		wantOnce(w, "ana@example.com", decoded(w, "ana@example.com"))
		w.wantIdle()
	})
}

// vizpost was off for longer than a run's whole time. It goes on with it as if
// nothing had been.
func TestDowntimeIsNoTry(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{"not taken": deferred(0), "no answer": unknown()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				w.mail.answer = func(_ string, n int) (bool, error) {
					if n == 1 {
						return true, answer
					}
					return true, nil
				}
				id := w.start("r")
				w.live(0)
				w.wantRun(id, run.Queued, "")
				time.Sleep(40 * time.Hour) // off
				w.live(2 * time.Minute)
				w.wantRun(id, run.Delivered, "")
				w.wantMail(owner, 0)
				if texts := decoded(w, "ana@example.com"); name == "no answer" {
					wantOnce(w, "ana@example.com", texts)
				}
			})
		})
	}
}

// Only the time in which vizpost was alive counts: with nights off, a run has its
// four hours all the same, and then fails in the channel's own words.
func TestDeadlineCountsWork(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == owner {
				return true, nil
			}
			return false, deferred(0)
		}
		id := w.start("r")
		for range 3 {
			w.live(time.Hour)
			time.Sleep(12 * time.Hour)
		}
		w.wantRun(id, run.Queued, "tried again later. Later, please.")
		w.live(50 * time.Minute)
		w.wantRun(id, run.Queued, "")
		w.live(20 * time.Minute)
		r := w.wantRun(id, run.Failed, "It could not be delivered in time. Later, please.")
		if r.Reason != "It could not be delivered in time. Later, please." {
			w.Errorf("got reason %q, want the channel's words alone", r.Reason)
		}
		w.wantMail(owner, 1)
	})
}

// Tableau ends sessions for a while, and runs wait longer and longer. When it is
// calm again, those that wait go before new ones.
func TestOlderRunsGoFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		const n = 6
		w.fault(tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "export", Times: -1, RetryAfter: tableautest.Duration(5 * time.Minute)})
		var old []string
		for i := range n {
			w.makeReport(fmt.Sprint("old", i), to(email("mail", fmt.Sprintf("old%d@example.com", i))))
			old = append(old, w.start(fmt.Sprint("old", i)))
		}
		w.live(65 * time.Minute) // they wait for up to half an hour each by now
		for _, id := range old {
			if r := w.wantRun(id, run.Queued, "busy"); time.Until(r.NotBefore) < 5*time.Minute {
				t.Fatalf("got a run that is tried in %v, want it to wait", time.Until(r.NotBefore))
			}
		}
		w.tableau.ClearFaults()
		w.makeReport("new")
		first := w.start("new")
		w.live(0)
		w.wantRun(first, run.Delivered, "")
		for _, id := range old {
			w.wantRun(id, run.Delivered, "")
		}
	})
}

// The mail server is away for a while; when it is back, what waits goes at once.
func TestOlderMailGoesFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		away := true
		w.mail.answer = func(string, int) (bool, error) {
			if away {
				return false, unreachableMail()
			}
			return true, nil
		}
		var old []string
		for i := range 5 {
			w.makeReport(fmt.Sprint("old", i), to(email("mail", fmt.Sprintf("old%d@example.com", i))))
			old = append(old, w.start(fmt.Sprint("old", i)))
		}
		w.live(65 * time.Minute)
		away = false
		w.makeReport("new")
		w.start("new")
		w.live(0)
		for _, id := range old {
			w.wantRun(id, run.Delivered, "")
		}
	})
}
