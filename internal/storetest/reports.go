package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

func reportChecks() []check {
	return []check{
		{"every field comes back", reportFields},
		{"what was given and what came back is not shared", reportNotShared},
		{"an id is used once", reportIDOnce},
		{"what is missing is not found", reportMissing},
		{"an update counts and needs the current Rev", reportUpdate},
		{"of updates at once one wins", reportUpdateRace},
		{"what it uses must exist", reportUses},
		{"the list is in order of id, page by page", reportList},
		{"the list of a connection has its reports alone", reportListOfConnection},
	}
}

func readReport(t tester, s Store, id string) report.Report {
	t.Helper()
	return must[report.Report](t)(s.Report(t.Context(), id))
}

// filledReport makes a report with every field, and what it uses.
func filledReport(t tester, s Store) report.Report {
	r := fill[report.Report](t)
	storeConnection(t, s, newConnection(r.ConnectionID))
	for _, d := range r.Destinations {
		storeDestination(t, s, newDestination(d.DestinationID))
	}
	return r
}

func reportFields(t *testing.T, s Store) {
	r := filledReport(t, s)
	succeed(t, s.CreateReport(t.Context(), r))
	want := kept(r)
	want.Rev = 1
	same(t, readReport(t, s, r.ID), want)
	eventually(t, func() string {
		list, _, err := s.Reports(t.Context(), "", "", 10)
		succeed(t, err)
		return differs(list, []report.Report{want})
	})
	eventually(t, func() string {
		list, _, err := s.Reports(t.Context(), r.ConnectionID, "", 10)
		succeed(t, err)
		return differs(list, []report.Report{want})
	})
	eventually(t, func() string {
		due, err := s.DueReports(t.Context(), r.NextRunAt, 10)
		succeed(t, err)
		return differs(due, []report.Report{want})
	})
	succeed(t, s.UpdateReport(t.Context(), report.Report{ID: r.ID, ConnectionID: r.ConnectionID, Rev: 1}))
	same(t, readReport(t, s, r.ID), report.Report{ID: r.ID, ConnectionID: r.ConnectionID, Rev: 2})
}

func reportNotShared(t *testing.T, s Store) {
	r := filledReport(t, s)
	before := r.Clone()
	want := kept(before)
	want.Rev = 1
	succeed(t, s.CreateReport(t.Context(), r))
	unchanged(t, r, before)
	scribble(r)
	for range 2 {
		got := readReport(t, s, want.ID)
		same(t, got, want)
		scribble(got)
		eventually(t, func() string {
			due, err := s.DueReports(t.Context(), want.NextRunAt, 10)
			succeed(t, err)
			wrong := differs(due, []report.Report{want})
			scribble(due)
			return wrong
		})
	}
}

func reportIDOnce(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	r := storeReport(t, s, newReport("r", "c"))
	other := newReport("r", "c")
	other.Name = "Other"
	wantKind(t, s.CreateReport(t.Context(), other), problem.Stale)
	same(t, readReport(t, s, "r"), r)
	// Counted once all the same.
	succeed(t, s.DeleteReport(t.Context(), "r", 1))
	succeed(t, s.DeleteConnection(t.Context(), "c", 1))
}

func reportMissing(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	_, err := s.Report(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	wantKind(t, s.UpdateReport(t.Context(), newReport("none", "c")), problem.NotFound)
	wantKind(t, s.DeleteReport(t.Context(), "none", 1), problem.NotFound)
	_, err = s.Report(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	succeed(t, s.DeleteConnection(t.Context(), "c", 1))
}

func reportUpdate(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	r := storeReport(t, s, newReport("r", "c"))
	same(t, r.Rev, 1)
	r.Name, r.Version, r.Enabled = "Renamed", 2, false
	succeed(t, s.UpdateReport(t.Context(), r))
	r.Rev = 2
	same(t, readReport(t, s, "r"), r)
	for _, rev := range []int64{0, 1, 3} {
		late := newReport("r", "c")
		late.Rev = rev
		wantKind(t, s.UpdateReport(t.Context(), late), problem.Stale)
		wantKind(t, s.DeleteReport(t.Context(), "r", rev), problem.Stale)
	}
	same(t, readReport(t, s, "r"), r)
	succeed(t, s.DeleteReport(t.Context(), "r", 2))
	wantKind(t, s.UpdateReport(t.Context(), r), problem.NotFound)
	_, err := s.Report(t.Context(), "r")
	wantKind(t, err, problem.NotFound)
}

func reportUpdateRace(t *testing.T, s Store) {
	for _, id := range []string{"a", "b", "c", "d"} {
		storeConnection(t, s, newConnection(id))
	}
	// Each edit moves it to another connection, so that the uses are at stake.
	at := []string{"a", "b", "c", "d"}
	r := storeReport(t, s, newReport("r", "a"))
	for range 5 {
		winner := oneWins(t, race(4, func(i int) error {
			edit := r
			edit.ConnectionID = at[i]
			return s.UpdateReport(t.Context(), edit)
		}), isKind(problem.Stale))
		r.ConnectionID, r.Rev = at[winner], r.Rev+1
		same(t, readReport(t, s, "r"), r)
	}
	for _, id := range at {
		if err := s.DeleteConnection(t.Context(), id, 1); id == r.ConnectionID {
			wantCode(t, err, problem.Conflict, problem.CodeInUse)
		} else {
			succeed(t, err)
		}
	}
}

func reportUses(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	storeDestination(t, s, newDestination("d"))

	wantField(t, s.CreateReport(t.Context(), newReport("r", "none")), "connection_id")
	wantField(t, s.CreateReport(t.Context(), newReport("r", "c", "d", "none")), "destinations")
	_, err := s.Report(t.Context(), "r")
	wantKind(t, err, problem.NotFound)

	r := storeReport(t, s, newReport("r", "c"))
	edit := r
	edit.ConnectionID = "none"
	wantField(t, s.UpdateReport(t.Context(), edit), "connection_id")
	edit = newReport("r", "c", "d", "none")
	edit.Rev = r.Rev
	wantField(t, s.UpdateReport(t.Context(), edit), "destinations")
	same(t, readReport(t, s, "r"), r)

	// What was refused is no use.
	succeed(t, s.DeleteDestination(t.Context(), "d", 1))
	succeed(t, s.DeleteReport(t.Context(), "r", 1))
	succeed(t, s.DeleteConnection(t.Context(), "c", 1))
}

func reportList(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	var name names
	checkList(t, listing[report.Report]{
		add: func() string { return storeReport(t, s, newReport(name.next(), "c")).ID },
		page: func(after string, limit int) ([]report.Report, string, error) {
			return s.Reports(t.Context(), "", after, limit)
		},
		id: reportID,
	})
}

func reportID(r report.Report) string { return r.ID }

func reportListOfConnection(t *testing.T, s Store) {
	for _, id := range []string{"c", "other", "empty"} {
		storeConnection(t, s, newConnection(id))
	}
	var name names
	var last report.Report
	checkList(t, listing[report.Report]{
		add: func() string {
			storeReport(t, s, newReport(name.next(), "other"))
			last = storeReport(t, s, newReport(name.next(), "c"))
			return last.ID
		},
		page: func(after string, limit int) ([]report.Report, string, error) {
			return s.Reports(t.Context(), "c", after, limit)
		},
		id: reportID,
	})
	last.ConnectionID = "empty"
	succeed(t, s.UpdateReport(t.Context(), last))
	eventually(t, func() string {
		moved, _, err := s.Reports(t.Context(), "empty", "", 10)
		succeed(t, err)
		rest := pages(t, func(after string) ([]report.Report, string, error) { return s.Reports(t.Context(), "c", after, 1000) }, nil)
		if slices.Contains(ids(rest, reportID), last.ID) {
			return "a report that moved to another connection is listed with the old one"
		}
		return differs(ids(moved, reportID), []string{last.ID})
	})
}

func dueChecks() []check {
	return []check{
		{"what is due comes, the longest due first", dueOrder},
		{"what changes follows", dueFollows},
		{"a report fires: runs, work and next time", fire},
		{"a run whose key exists is left out", fireLeavesOut},
		{"a report that was changed does not fire", fireStale},
		{"of tickers at once one fires", fireRace},
		{"a ticker races with an edit", fireEditRace},
		{"many runs fire at once", fireMany},
	}
}

// due reads the ids of the due reports.
func due(t tester, s Store, now time.Time, limit int) []string {
	t.Helper()
	reports := must[[]report.Report](t)(s.DueReports(t.Context(), now, limit))
	return ids(reports, reportID)
}

func wantDue(t tester, s Store, now time.Time, want ...string) {
	t.Helper()
	eventually(t, func() string { return differs(due(t, s, now, 100), want) })
}

// newDueReport makes a report with a next time; zero: none.
func newDueReport(id string, next time.Time) report.Report {
	r := newReport(id, "c")
	r.NextRunAt = next
	r.Schedule = &report.Schedule{Cron: "0 * * * *", TimeZone: "UTC"}
	return r
}

func dueOrder(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	now := start()
	for id, next := range map[string]time.Time{
		"late":   now.Add(-time.Hour),
		"later":  now.Add(-2 * time.Hour),
		"oldest": now.AddDate(-3, 0, 0),
		"now":    now,
		"soon":   now.Add(time.Microsecond),
		"future": now.Add(time.Hour),
		"none":   {},
	} {
		storeReport(t, s, newDueReport(id, next))
	}
	wantDue(t, s, now, "oldest", "later", "late", "now")
	wantDue(t, s, now.Add(time.Hour), "oldest", "later", "late", "now", "soon", "future")
	wantDue(t, s, now.Add(-time.Minute), "oldest", "later", "late")
	wantDue(t, s, now.AddDate(-9, 0, 0))
	same(t, due(t, s, now, 2), []string{"oldest", "later"})
	got := must[[]report.Report](t)(s.DueReports(t.Context(), now, 1))
	same(t, got, []report.Report{readReport(t, s, "oldest")})
}

func dueFollows(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	now := start()
	r := storeReport(t, s, newDueReport("r", now))
	storeReport(t, s, newDueReport("other", now.Add(-time.Hour)))
	wantDue(t, s, now, "other", "r")

	r.Enabled, r.NextRunAt = false, time.Time{} // paused
	succeed(t, s.UpdateReport(t.Context(), r))
	wantDue(t, s, now.AddDate(10, 0, 0), "other")
	r.Rev, r.Enabled, r.NextRunAt = 2, true, now.Add(-2*time.Hour)
	succeed(t, s.UpdateReport(t.Context(), r))
	wantDue(t, s, now, "r", "other")
	succeed(t, s.DeleteReport(t.Context(), "r", 3))
	wantDue(t, s, now, "other")
}

// scheduled makes the run of a report's occurrence.
func scheduled(id string, r report.Report, at time.Time) run.Run {
	fired := newRun(id, "site")
	fired.ReportID, fired.ReportName, fired.ConnectionID = r.ID, r.Name, r.ConnectionID
	fired.Key, fired.ScheduledFor, fired.Trigger = run.ScheduledKey(r.ID, at), at, run.Scheduled
	return fired
}

func fire(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	now := start()
	r := storeReport(t, s, newDueReport("r", now))
	first, second, skipped := scheduled("run-1", r, now.Add(-time.Hour)), scheduled("run-2", r, now), scheduled("run-3", r, now.Add(time.Hour))
	second.NotBefore = now.Add(-time.Minute)
	skipped.State = run.Skipped
	succeed(t, s.Fire(t.Context(), r, now.Add(time.Hour), []run.Run{first, second, skipped}))

	r.NextRunAt, r.Rev = now.Add(time.Hour), 2
	same(t, readReport(t, s, "r"), r)
	for _, made := range []*run.Run{&first, &second, &skipped} {
		made.Rev = 1
		same(t, must[run.Run](t)(s.Run(t.Context(), made.ID)), *made)
	}
	wantWork(t, s, "site", now, workOf(second), workOf(first))
	wantDue(t, s, now)
	wantDue(t, s, now.Add(time.Hour), "r")
	eventually(t, func() string {
		list, _, err := s.Runs(t.Context(), run.Filter{ReportID: "r"}, "", 10)
		succeed(t, err)
		return differs(ids(list, runID), []string{"run-3", "run-2", "run-1"})
	})

	// The last occurrence: no next time.
	succeed(t, s.Fire(t.Context(), r, time.Time{}, []run.Run{scheduled("run-4", r, now.Add(time.Hour))}))
	r.NextRunAt, r.Rev = time.Time{}, 3
	same(t, readReport(t, s, "r"), r)
	wantDue(t, s, now.AddDate(10, 0, 0))

	// An occurrence that makes no run still moves the next time.
	succeed(t, s.Fire(t.Context(), r, now, nil))
	r.NextRunAt, r.Rev = now, 4
	same(t, readReport(t, s, "r"), r)
	wantDue(t, s, now, "r")
	wantCode(t, s.DeleteConnection(t.Context(), "c", 1), problem.Conflict, problem.CodeInUse)
}

func fireLeavesOut(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	now := start()
	r := storeReport(t, s, newDueReport("r", now))
	before := storeRun(t, s, scheduled("before", r, now))
	again, other := scheduled("again", r, now), scheduled("other", r, now.Add(time.Minute))
	succeed(t, s.Fire(t.Context(), r, now.Add(time.Hour), []run.Run{again, other}))

	same(t, must[run.Run](t)(s.Run(t.Context(), "before")), before)
	_, err := s.Run(t.Context(), "again")
	wantKind(t, err, problem.NotFound)
	same(t, must[run.Run](t)(s.Run(t.Context(), "other")).Key, other.Key)
	wantWork(t, s, "site", now, workOf(before), workOf(other))
	same(t, readReport(t, s, "r").NextRunAt, now.Add(time.Hour))
}

func fireStale(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	now := start()
	r := storeReport(t, s, newDueReport("r", now))
	edited := r
	edited.Name = "Edited"
	succeed(t, s.UpdateReport(t.Context(), edited))
	edited.Rev++
	wantKind(t, s.Fire(t.Context(), r, now.Add(time.Hour), []run.Run{scheduled("run-1", r, now)}), problem.Stale)
	same(t, readReport(t, s, "r"), edited)

	succeed(t, s.DeleteReport(t.Context(), "r", edited.Rev))
	wantKind(t, s.Fire(t.Context(), edited, now.Add(time.Hour), []run.Run{scheduled("run-2", r, now)}), problem.NotFound)
	_, err := s.Report(t.Context(), "r")
	wantKind(t, err, problem.NotFound)
	for _, id := range []string{"run-1", "run-2"} {
		_, err := s.Run(t.Context(), id)
		wantKind(t, err, problem.NotFound)
	}
	wantWork(t, s, "site", now)
	// Its key is free.
	kept := storeRun(t, s, scheduled("run-3", r, now))
	same(t, kept.ID, "run-3")
}

func fireRace(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	for round := range 10 {
		now := start().Add(time.Duration(round) * time.Hour)
		r := storeReport(t, s, newDueReport(fmt.Sprint("r-", round), now))
		winner := oneWins(t, race(3, func(i int) error {
			return s.Fire(t.Context(), r, now.Add(time.Hour), []run.Run{scheduled(fmt.Sprintf("run-%d-%d", round, i), r, now)})
		}), isKind(problem.Stale))
		for i := range 3 {
			if _, err := s.Run(t.Context(), fmt.Sprintf("run-%d-%d", round, i)); i == winner {
				succeed(t, err)
			} else {
				wantKind(t, err, problem.NotFound)
			}
		}
		same(t, readReport(t, s, r.ID).NextRunAt, now.Add(time.Hour))
	}
}

func fireEditRace(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	now := start()
	for round := range 10 {
		r := storeReport(t, s, newDueReport(fmt.Sprint("r-", round), now))
		runID := fmt.Sprint("run-", round)
		errs := race(2, func(i int) error {
			if i == 0 {
				return s.Fire(t.Context(), r, now.Add(time.Hour), []run.Run{scheduled(runID, r, now)})
			}
			paused := r
			paused.Enabled, paused.NextRunAt = false, time.Time{}
			return s.UpdateReport(t.Context(), paused)
		})
		oneWins(t, errs, isKind(problem.Stale))
		got := readReport(t, s, r.ID)
		_, err := s.Run(t.Context(), runID)
		if errs[0] == nil {
			succeed(t, err)
			same(t, got.NextRunAt, now.Add(time.Hour))
		} else {
			wantKind(t, err, problem.NotFound)
			same(t, got.NextRunAt, time.Time{})
		}
	}
}

func fireMany(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	now := start()
	r := storeReport(t, s, newDueReport("r", now))
	var runs []run.Run
	var want []run.Work
	for i := range 100 {
		made := scheduled(fmt.Sprintf("run-%03d", i), r, now.Add(time.Duration(i)*time.Minute))
		runs = append(runs, made)
		want = append(want, workOf(made))
	}
	tooMany := append(runs[:100:100], scheduled("run-100", r, now))
	if err := s.Fire(t.Context(), r, now.AddDate(0, 0, 1), tooMany); err == nil {
		t.Fatalf("more than 100 runs were fired at once")
	}
	same(t, readReport(t, s, "r"), r)
	succeed(t, s.Fire(t.Context(), r, now.AddDate(0, 0, 1), runs))
	wantWork(t, s, "site", now, want...)
}
