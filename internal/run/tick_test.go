package run_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// wantTick makes a tick and compares what it did.
func (w *world) wantTick(want run.Tally) {
	w.Helper()
	got, err := w.tick.Run(w.Context())
	w.succeed(err)
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("the tally differs (-want +got):\n%s", diff)
	}
}

func TestTick(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		r := w.makeReport("r", each("0 9 * * *", report.CatchUpLatest), slackToo, func(r *report.Report) { r.Schedule.TimeZone = "Europe/Berlin" })
		w.makeReport("hand") // has no schedule
		w.wantTick(run.Tally{})
		due := time.Date(2000, 1, 1, 8, 0, 0, 0, time.UTC)
		time.Sleep(time.Until(due) - time.Microsecond)
		w.wantTick(run.Tally{})
		time.Sleep(time.Microsecond)
		w.wantTick(run.Tally{Due: 1, Runs: 1, Occurrences: 1, Sites: 1})

		runs := w.runsOf("r")
		if len(runs) != 1 {
			w.Fatalf("got %d runs, want 1", len(runs))
		}
		want := run.Run{
			ID: runs[0].ID, Key: run.ScheduledKey("r", due), ReportID: "r", ReportName: r.Name, ConnectionID: "c", Site: site,
			ScheduledFor: due, TimeZone: "Europe/Berlin", Trigger: run.Scheduled, StandsFor: 1,
			Content: r.Content, Destinations: r.Destinations, Notify: r.Notify,
			State: run.Queued, NotBefore: due, Deadline: due.Add(4 * time.Hour), Rev: 1, CreatedAt: due,
		}
		if diff := cmp.Diff(want, runs[0]); diff != "" {
			w.Errorf("the run differs (-want +got):\n%s", diff)
		}
		stored, err := w.store.Report(w.Context(), "r")
		w.succeed(err)
		if next := due.AddDate(0, 0, 1); !stored.NextRunAt.Equal(next) {
			w.Errorf("got the next run at %v, want %v", stored.NextRunAt, next)
		}
		// The bell was not heard: the next tick rings again, unless a drain is
		// at it.
		w.bell.take()
		w.wantTick(run.Tally{Sites: 1})
		lease, err := w.store.LeaseSite(w.Context(), site, "drain", time.Now(), time.Now().Add(time.Minute))
		w.succeed(err)
		w.wantTick(run.Tally{})
		w.succeed(w.store.ReleaseSite(w.Context(), lease))
		w.work()
		w.wantRun(runs[0].ID, run.Delivered, "")
		w.wantTick(run.Tally{})
	})
}

func TestMissedOccurrences(t *testing.T) {
	t.Parallel()
	type made struct {
		at        time.Duration // after midnight
		state     run.State
		standsFor int
	}
	for name, test := range map[string]struct {
		catchUp report.CatchUp
		now     time.Duration
		want    []made
		reason  string
	}{
		"latest":              {report.CatchUpLatest, 10*time.Hour + 30*time.Minute, []made{{10 * time.Hour, run.Queued, 10}}, "Stands for 10 occurrences, of which 9 were missed."},
		"no policy":           {"", 10*time.Hour + 30*time.Minute, []made{{10 * time.Hour, run.Queued, 10}}, "9 were missed"},
		"all":                 {report.CatchUpAll, 3*time.Hour + 30*time.Minute, []made{{time.Hour, run.Queued, 1}, {2 * time.Hour, run.Queued, 1}, {3 * time.Hour, run.Queued, 1}}, ""},
		"none":                {report.CatchUpNone, 10*time.Hour + 30*time.Minute, []made{{10 * time.Hour, run.Skipped, 10}}, "10 occurrences were missed"},
		"none, one":           {report.CatchUpNone, time.Hour + 30*time.Minute, []made{{time.Hour, run.Skipped, 1}}, "This occurrence was missed"},
		"none, but in time":   {report.CatchUpNone, 10*time.Hour + 10*time.Minute, []made{{9 * time.Hour, run.Skipped, 9}, {10 * time.Hour, run.Queued, 1}}, "9 occurrences were missed"},
		"latest, one in time": {report.CatchUpLatest, time.Hour + time.Minute, []made{{time.Hour, run.Queued, 1}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				midnight := time.Now()
				w.makeReport("r", each("0 * * * *", test.catchUp))
				time.Sleep(test.now)
				tally, err := w.tick.Run(w.Context())
				w.succeed(err)
				total := 0
				var got []made
				runs := w.runsOf("r")
				slices.SortFunc(runs, func(a, b run.Run) int { return a.ScheduledFor.Compare(b.ScheduledFor) })
				for _, r := range runs {
					got = append(got, made{r.ScheduledFor.Sub(midnight), r.State, r.StandsFor})
					total += r.StandsFor
				}
				if !slices.Equal(got, test.want) || !strings.Contains(runs[0].Reason, test.reason) {
					w.Errorf("got runs %v, the first with reason %q; want %v, %q", got, runs[0].Reason, test.want, test.reason)
				}
				if tally.Runs != len(got) || tally.Occurrences != total || total != int(test.now/time.Hour) {
					w.Errorf("got %+v, want %d runs for %d occurrences", tally, len(got), int(test.now/time.Hour))
				}
				late := 0
				if test.now > time.Hour+10*time.Minute {
					late = 1
				}
				if tally.Late != late {
					w.Errorf("got %d late reports, want %d", tally.Late, late)
				}
				w.wantTick(run.Tally{Sites: tally.Sites})
			})
		})
	}
}

func TestManyMissedOccurrences(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("all", each("* * * * *", report.CatchUpAll))
		w.makeReport("latest", each("* * * * *", report.CatchUpLatest))
		time.Sleep(250 * time.Minute)
		_, err := w.tick.Run(w.Context())
		w.succeed(err)
		all := w.runsOf("all")
		slices.SortFunc(all, func(a, b run.Run) int { return a.ScheduledFor.Compare(b.ScheduledFor) })
		if len(all) != 100 || all[0].StandsFor != 151 || all[1].StandsFor != 1 || !all[99].ScheduledFor.Equal(time.Now()) {
			w.Errorf("got %d runs, the first of which stands for %d; want the last 100, the first standing for 151", len(all), all[0].StandsFor)
		}

		// More than are counted: the latest is the latest all the same.
		time.Sleep(9 * day)
		w.idle(2 * time.Minute) // until the clock is believed
		latest := w.runsOf("latest")
		if last := latest[len(latest)-1]; !last.ScheduledFor.Equal(time.Now()) || last.StandsFor < report.OccurrenceCountLimit {
			w.Errorf("got a run for %v that stands for %d, want one for now that stands for all", last.ScheduledFor, last.StandsFor)
		}
		after := w.runsOf("all")
		if last := after[len(after)-1]; !last.ScheduledFor.Equal(time.Now()) {
			w.Errorf("got the last run for %v, want now", last.ScheduledFor)
		}
	})
}

func TestTicksAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		for i := range 20 {
			w.makeReport(fmt.Sprint("r", i), each("0 * * * *", report.CatchUpLatest))
		}
		time.Sleep(time.Hour)
		done := make(chan error)
		for range 4 {
			go func() {
				_, err := w.tick.Run(w.Context())
				done <- err
			}()
		}
		for range 4 {
			w.succeed(<-done)
		}
		for i := range 20 {
			if got := len(w.runsOf(fmt.Sprint("r", i))); got != 1 {
				w.Errorf("got %d runs of report %d, want 1", got, i)
			}
		}
	})
}

// The last occurrence of a schedule that ends, a report that is paused, and one
// that is edited while a tick looks at it.
func TestReportsThatEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		ends := report.Date{Year: 2000, Month: 1, Day: 1}
		w.makeReport("ends", each("0 12 * * *", ""), func(r *report.Report) { r.Schedule.EndsOn = &ends })
		w.makeReport("paused", each("0 12 * * *", ""))
		paused := false
		_, err := w.reports.Edit(w.Context(), "paused", report.Edit{Enabled: &paused})
		w.succeed(err)
		w.live(3 * day)
		if got := w.runsOf("ends"); len(got) != 1 {
			w.Errorf("got %d runs of a report that ended, want 1", len(got))
		}
		r, err := w.store.Report(w.Context(), "ends")
		w.succeed(err)
		if !r.NextRunAt.IsZero() {
			w.Errorf("got a next run at %v, want none", r.NextRunAt)
		}
		if got := w.runsOf("paused"); len(got) != 0 {
			w.Errorf("got %d runs of a paused report, want none", len(got))
		}
	})
}

// What fails for one report does not stop the others, and comes again.
func TestTickFailsInPart(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("a", each("0 * * * *", ""))
		w.makeReport("b", each("0 * * * *", ""))
		time.Sleep(time.Hour)
		s := &failing{store: w.store, only: func(what string) bool { return what == "Fire" }}
		s.left.Store(1)
		w.wire(s)
		tally, err := w.tick.Run(w.Context())
		if !errors.Is(err, errStore) || tally.Runs != 1 || tally.Sites != 1 {
			w.Errorf("got %+v, error %v; want one run, the site's bell and the failure of the other", tally, err)
		}
		time.Sleep(11 * time.Minute)
		w.wantTick(run.Tally{Due: 1, Runs: 1, Occurrences: 1, Late: 1, Sites: 1})
		for _, id := range []string{"a", "b"} {
			if got := len(w.runsOf(id)); got != 1 {
				w.Errorf("got %d runs of %s, want 1", got, id)
			}
		}
	})
}

// memory is a store of one due report, and of runs that are held.
type memory struct {
	run.Store
	mu     sync.Mutex
	report report.Report
	next   time.Time
	fired  []run.Run
	held   []run.Run
	probe  bool
	wrote  []run.Run
}

func (m *memory) DueReports(context.Context, time.Time, int) ([]report.Report, error) {
	if len(m.fired) > 0 {
		return nil, nil
	}
	return []report.Report{m.report}, nil
}

func (m *memory) Fire(_ context.Context, _ report.Report, next time.Time, runs []run.Run) error {
	m.next, m.fired = next, runs
	return nil
}

func (m *memory) Pulse(context.Context) (run.Pulse, error) { return run.Pulse{}, nil }

func (m *memory) PutPulse(context.Context, run.Pulse) error { return nil }

func (m *memory) WorkSites(context.Context, time.Time) ([]string, error) { return nil, nil }

func (m *memory) Connection(context.Context, string) (connection.Connection, error) {
	return connection.Connection{ID: "c", ServerURL: serverURL, Site: "demo"}, nil
}

func (m *memory) Reports(context.Context, string, string, int) ([]report.Report, string, error) {
	return []report.Report{m.report}, "", nil
}

func (m *memory) OpenNotices(context.Context, string, string, int) ([]run.Delivery, string, error) {
	return nil, "", nil
}

func (m *memory) Report(context.Context, string) (report.Report, error) {
	if m.report.ID == "" {
		return report.Report{}, problem.Missing("report", "r")
	}
	return m.report, nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// However long vizpost was away, each occurrence is accounted for once: by the
// run that it has, or by the one that stands for it.
func TestOccurrencesAreConserved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		schedule := report.Schedule{
			Cron:     rapid.SampledFrom([]string{"*/7 * * * *", "0 * * * *", "30 2 * * *", "0 9 * * MON-FRI", "15 */5 * * *", "0 0 1 * *"}).Draw(t, "cron"),
			TimeZone: rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"}).Draw(t, "zone"),
			CatchUp:  rapid.SampledFrom([]report.CatchUp{report.CatchUpLatest, report.CatchUpAll, report.CatchUpNone, ""}).Draw(t, "policy"),
		}
		from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 400*24*60).Draw(t, "from")) * time.Minute)
		first, _ := schedule.Next(from)
		now := first.Add(time.Duration(rapid.Int64Range(0, int64(40*day/time.Second)).Draw(t, "away")) * time.Second)
		var want []time.Time
		for at := first; !at.After(now); at, _ = schedule.Next(at) {
			want = append(want, at)
		}

		m := &memory{report: report.Report{ID: "r", ConnectionID: "c", Enabled: true, NextRunAt: first, Schedule: &schedule}}
		ids := 0
		tick := run.Tick{Store: m, Connections: m, Bell: &bell{}, Now: func() time.Time { return now }, Log: quiet(),
			NewID: func() string { ids++; return fmt.Sprint(ids) }}
		if _, err := tick.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		stands, queued := 0, 0
		seen := map[string]bool{}
		for _, r := range m.fired {
			stands += r.StandsFor
			if r.State == run.Queued {
				queued++
			}
			if seen[r.Key] || !slices.ContainsFunc(want, r.ScheduledFor.Equal) || r.StandsFor < 1 {
				t.Errorf("got a run for %v under the key %s that stands for %d", r.ScheduledFor, r.Key, r.StandsFor)
			}
			seen[r.Key] = true
		}
		if stands != len(want) {
			t.Errorf("got runs that stand for %d occurrences, want %d", stands, len(want))
		}
		last := want[len(want)-1]
		wantQueued := map[report.CatchUp]int{report.CatchUpLatest: 1, "": 1, report.CatchUpAll: min(len(want), 100)}[schedule.CatchUp]
		if schedule.CatchUp == report.CatchUpNone && now.Sub(last) <= 10*time.Minute {
			wantQueued = 1
		}
		if queued != wantQueued {
			t.Errorf("got %d runs, want %d", queued, wantQueued)
		}
		if !slices.ContainsFunc(m.fired, func(r run.Run) bool { return r.ScheduledFor.Equal(last) }) {
			t.Errorf("no run is for the last occurrence %v", last)
		}
		if next, _ := schedule.Next(now); !m.next.Equal(next) {
			t.Errorf("got the next run at %v, want %v", m.next, next)
		}
	})
}

func (m *memory) LeaseSite(context.Context, string, string, time.Time, time.Time) (run.Lease, error) {
	return run.Lease{Site: site}, nil
}

func (m *memory) ReleaseSite(context.Context, run.Lease) error { return nil }

func (m *memory) Work(context.Context, string, time.Time, int) ([]run.Work, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.probe {
		return nil, nil
	}
	return []run.Work{{Site: site, Kind: run.Probe, Ref: "c"}}, nil
}

func (m *memory) DropWork(context.Context, run.Work) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.probe = false
	return nil
}

func (m *memory) HeldRuns(_ context.Context, _, _, after string, limit int) ([]run.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var page []run.Run
	for _, r := range m.held {
		if r.ID > after && len(page) < limit {
			page = append(page, r)
		}
	}
	return page, nil
}

func (m *memory) UpdateRun(_ context.Context, _ *run.Lease, r run.Run) (run.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrote = append(m.wrote, r)
	m.held = slices.DeleteFunc(m.held, func(h run.Run) bool { return h.ID == r.ID })
	return r, nil
}

// works is a connection that works.
type works struct{ run.Connections }

func (works) Get(context.Context, string) (connection.Connection, error) {
	return connection.Connection{ID: "c", State: connection.Connected}, nil
}

func (works) NoteReleased(context.Context, string, []connection.HeldRun) error { return nil }

// What a connection held is released by the report's policy: what is not sent
// is counted by the run that stands for it, and written before it.
func TestReleasedRunsAreConserved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := rapid.SampledFrom([]report.CatchUp{report.CatchUpLatest, report.CatchUpAll, report.CatchUpNone, ""}).Draw(t, "policy")
		m := &memory{probe: true, report: report.Report{ID: "r", Schedule: &report.Schedule{CatchUp: policy}}}
		if rapid.Bool().Draw(t, "deleted") {
			m.report = report.Report{} // nobody can say what the policy was
			policy = report.CatchUpLatest
		}
		scheduled, byHand, stands := 0, 0, 0
		now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		for i := range rapid.IntRange(0, 130).Draw(t, "runs") {
			r := run.Run{ID: fmt.Sprintf("%04d", i), ReportID: "r", ConnectionID: "c", State: run.Held, StandsFor: 1, Trigger: run.Manual,
				ScheduledFor: now.Add(-time.Duration(rapid.IntRange(0, 10000).Draw(t, "age")) * time.Minute)}
			if rapid.IntRange(0, 9).Draw(t, "kind") > 0 {
				r.Trigger, r.StandsFor = run.Scheduled, rapid.IntRange(1, 5).Draw(t, "stands for")
				scheduled, stands = scheduled+1, stands+r.StandsFor
			} else {
				byHand++
			}
			m.held = append(m.held, r)
		}
		drain := run.Drain{Store: m, Reports: m, Connections: works{}, Bell: &bell{}, Now: func() time.Time { return now },
			NewID: func() string { return "drain" }, Log: quiet()}
		if err := drain.Site(t.Context(), site); err != nil {
			t.Fatal(err)
		}
		keep := map[report.CatchUp]int{report.CatchUpLatest: 1, "": 1, report.CatchUpAll: 100}[policy]
		queued, queuedByHand, gotStands, skipped := 0, 0, 0, 0
		newest := time.Time{}
		for i, r := range m.wrote {
			switch {
			case r.State == run.Skipped:
				skipped++
				if queued > 0 || r.Reason == "" || r.FinishedAt.IsZero() || r.Trigger == run.Manual {
					t.Errorf("got run %d skipped with reason %q", i, r.Reason)
				}
				if r.ScheduledFor.After(newest) {
					newest = r.ScheduledFor
				}
			case r.State == run.Queued && r.Trigger == run.Manual:
				queuedByHand++
			case r.State == run.Queued:
				queued++
				gotStands += r.StandsFor
				if r.ScheduledFor.Before(newest) {
					t.Errorf("a run for %v goes on although one for %v was skipped", r.ScheduledFor, newest)
				}
			}
		}
		if queuedByHand != byHand || queued != min(keep, scheduled) || skipped != scheduled-queued {
			t.Errorf("got %d by hand, %d scheduled, %d skipped; want %d, %d, %d", queuedByHand, queued, skipped, byHand, min(keep, scheduled), scheduled-queued)
		}
		if keep > 0 && gotStands != stands {
			t.Errorf("got runs that stand for %d occurrences, want %d", gotStands, stands)
		}
		if m.probe {
			t.Error("the probe was not dropped")
		}
	})
}
