package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

func runChecks() []check {
	return []check{
		{"every field comes back", runFields},
		{"what was given and what came back is not shared", runNotShared},
		{"a key has one run", runKeyOnce},
		{"of runs made at once with one key one stays", runKeyRace},
		{"an id is used once", runIDOnce},
		{"what is missing is not found", runMissing},
		{"an update counts and needs the current Rev", runUpdate},
		{"of updates at once one wins", runUpdateRace},
		{"the list has the newest first, page by page", runList},
		{"the list of a report has its runs alone", runListOfReport},
		{"the list of states has those alone", runListOfStates},
		{"the list of a report and states has both", runListOfReportAndStates},
		{"the list of a connection's runs in several states", runListOfConnectionAndStates},
		{"held runs are their site's, the oldest first", runsHeld},
	}
}

func runID(r run.Run) string { return r.ID }

func readRun(t tester, s Store, id string) run.Run {
	t.Helper()
	return must[run.Run](t)(s.Run(t.Context(), id))
}

func updateRun(t tester, s Store, r run.Run) run.Run {
	t.Helper()
	return must[run.Run](t)(s.UpdateRun(t.Context(), nil, r))
}

func filledRun(t tester) run.Run {
	r := fill[run.Run](t)
	r.State, r.Trigger = run.Held, run.Scheduled
	return r
}

func runFields(t *testing.T, s Store) {
	r := filledRun(t)
	want := kept(r)
	want.Rev = 1
	same(t, storeRun(t, s, r), want)
	same(t, readRun(t, s, r.ID), want)
	eventually(t, func() string {
		list, _, err := s.Runs(t.Context(), run.Filter{}, "", 10)
		succeed(t, err)
		return differs(list, []run.Run{want})
	})
	eventually(t, func() string {
		held, err := s.HeldRuns(t.Context(), r.Site, r.ConnectionID, "", 10)
		succeed(t, err)
		return differs(held, []run.Run{want})
	})
	// Once more, all of it changed.
	r.Rev, r.Reason, r.StartedAt = 1, "waits for the connection", r.StartedAt.Add(time.Hour)
	want = kept(r)
	want.Rev = 2
	same(t, updateRun(t, s, r), want)
	same(t, readRun(t, s, r.ID), want)
	empty := run.Run{ID: r.ID, Key: r.Key, ReportID: r.ReportID, Site: r.Site, State: run.Skipped, Rev: 2}
	updateRun(t, s, empty)
	empty.Rev = 3
	same(t, readRun(t, s, r.ID), empty)
}

func runNotShared(t *testing.T, s Store) {
	r := filledRun(t)
	before := r.Clone()
	want := kept(before)
	want.Rev = 1
	scribble(storeRun(t, s, r))
	unchanged(t, r, before)
	same(t, readRun(t, s, want.ID), want)
	scribble(r)
	for range 2 {
		got := readRun(t, s, want.ID)
		same(t, got, want)
		scribble(updateRun(t, s, got))
		same(t, got, want)
		scribble(got)
		want.Rev++
	}
	same(t, readRun(t, s, want.ID), want)
	twice := newRun("twice", "site")
	twice.Key = want.Key
	scribble(storeRun(t, s, twice))
	same(t, readRun(t, s, want.ID), want)
}

func runKeyOnce(t *testing.T, s Store) {
	first := storeRun(t, s, newRun("first", "site"))
	same(t, first.Rev, 1)
	second := newRun("second", "other site")
	second.Key = first.Key
	same(t, storeRun(t, s, second), first)
	_, err := s.Run(t.Context(), "second")
	wantKind(t, err, problem.NotFound)
	wantWork(t, s, "other site", start())

	// Also when the run has moved on.
	first.State = run.Delivered
	first = updateRun(t, s, first)
	same(t, storeRun(t, s, second), first)
	wantWork(t, s, "site", start())
}

func runKeyRace(t *testing.T, s Store) {
	for round := range 5 {
		made := make([]run.Run, 4)
		for _, err := range race(len(made), func(i int) (err error) {
			r := newRun(fmt.Sprintf("run-%d-%d", round, i), "site")
			r.Key = fmt.Sprint("key-", round)
			made[i], err = s.CreateRun(t.Context(), r)
			return err
		}) {
			succeed(t, err)
		}
		for i := range made {
			same(t, made[i], made[0])
			if _, err := s.Run(t.Context(), fmt.Sprintf("run-%d-%d", round, i)); made[0].ID == fmt.Sprintf("run-%d-%d", round, i) {
				succeed(t, err)
			} else {
				wantKind(t, err, problem.NotFound)
			}
		}
	}
}

func runIDOnce(t *testing.T, s Store) {
	first := storeRun(t, s, newRun("r", "site"))
	other := newRun("r", "site")
	other.Key = "another key"
	_, err := s.CreateRun(t.Context(), other)
	wantKind(t, err, problem.Stale)
	same(t, readRun(t, s, "r"), first)
	other.ID = "other"
	same(t, storeRun(t, s, other).ID, "other")
}

func runMissing(t *testing.T, s Store) {
	_, err := s.Run(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	_, err = s.UpdateRun(t.Context(), nil, newRun("none", "site"))
	wantKind(t, err, problem.NotFound)
	_, err = s.Run(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	wantWork(t, s, "site", start())
}

func runUpdate(t *testing.T, s Store) {
	r := storeRun(t, s, newRun("r", "site"))
	r.Reason, r.Attempts = "Tableau is busy", 1
	want := r
	want.Rev = 2
	same(t, updateRun(t, s, r), want)
	for _, rev := range []int64{0, 1, 3} {
		late := newRun("r", "site")
		late.State, late.Rev = run.Failed, rev
		_, err := s.UpdateRun(t.Context(), nil, late)
		wantKind(t, err, problem.Stale)
	}
	same(t, readRun(t, s, "r"), want)
	wantWork(t, s, "site", start(), workOf(want))
}

func runUpdateRace(t *testing.T, s Store) {
	r := storeRun(t, s, newRun("r", "site"))
	for round := range 5 {
		winner := oneWins(t, race(4, func(i int) error {
			edit := r
			edit.Reason = fmt.Sprintf("edit %d of round %d", i, round)
			_, err := s.UpdateRun(t.Context(), nil, edit)
			return err
		}), isKind(problem.Stale))
		r.Reason, r.Rev = fmt.Sprintf("edit %d of round %d", winner, round), r.Rev+1
		same(t, readRun(t, s, "r"), r)
	}
}

func checkRunList(t *testing.T, s Store, f run.Filter, add func(id string) run.Run) {
	var name names
	other := run.Run{ReportID: "another report", Site: "site", State: run.Skipped}
	checkList(t, listing[run.Run]{
		add: func() string {
			if f.ReportID != "" || len(f.States) > 0 {
				other.ID = name.next()
				other.Key = "key of " + other.ID
				storeRun(t, s, other)
			}
			return storeRun(t, s, add(name.next())).ID
		},
		page:   func(after string, limit int) ([]run.Run, string, error) { return s.Runs(t.Context(), f, after, limit) },
		id:     runID,
		newest: true,
	})
}

func runList(t *testing.T, s Store) {
	states := []run.State{run.Queued, run.Held, run.Delivered, run.Failed}
	n := 0
	checkRunList(t, s, run.Filter{}, func(id string) run.Run {
		r := newRun(id, "site")
		r.State = states[n%len(states)]
		n++
		return r
	})
}

func runListOfReport(t *testing.T, s Store) {
	states := []run.State{run.Queued, run.Running, run.Held, run.Delivered, run.PartlyDelivered, run.Failed, run.Skipped}
	n := 0
	checkRunList(t, s, run.Filter{ReportID: "report"}, func(id string) run.Run {
		r := newRun(id, "site")
		r.ReportID, r.State = "report", states[n%len(states)]
		n++
		return r
	})
}

func runListOfStates(t *testing.T, s Store) {
	filter := run.Filter{States: []run.State{run.Failed, run.Queued, run.PartlyDelivered, run.Failed}}
	n := 0
	checkRunList(t, s, filter, func(id string) run.Run {
		r := newRun(id, "site")
		r.State = filter.States[n%len(filter.States)]
		n++
		return r
	})
	// A run that changes its state changes the list.
	r := storeRun(t, s, newRun("zzz", "site"))
	listed := func() []string {
		list, _, err := s.Runs(t.Context(), filter, "", 1)
		succeed(t, err)
		return ids(list, runID)
	}
	eventually(t, func() string { return differs(listed(), []string{"zzz"}) })
	r.State = run.Delivered
	updateRun(t, s, r)
	eventually(t, func() string {
		if slices.Contains(listed(), "zzz") {
			return "a delivered run is listed with the failed, queued and partly delivered"
		}
		return ""
	})
}

func runListOfReportAndStates(t *testing.T, s Store) {
	filter := run.Filter{ReportID: "report", States: []run.State{run.Queued, run.Held}}
	var name names
	n := 0
	checkRunList(t, s, filter, func(id string) run.Run {
		delivered := newRun("0"+name.next(), "site")
		delivered.ReportID, delivered.State = "report", run.Delivered
		storeRun(t, s, delivered)
		r := newRun(id, "site")
		r.ReportID, r.State = "report", filter.States[n%2]
		n++
		return r
	})
}

func runListOfConnectionAndStates(t *testing.T, s Store) {
	filter := run.Filter{ConnectionID: "connection", States: []run.State{run.Queued, run.Held}}
	var name names
	n := 0
	checkRunList(t, s, filter, func(id string) run.Run {
		another := newRun("0"+name.next(), "site")
		another.State = run.Held
		storeRun(t, s, another)
		r := newRun(id, "site")
		r.ConnectionID, r.State = "connection", filter.States[n%2]
		n++
		return r
	})
}

func runsHeld(t *testing.T, s Store) {
	var name names
	var want []string
	add := func(site string, state run.State) run.Run {
		r := newRun(name.next(), site)
		r.State = state
		return storeRun(t, s, r)
	}
	for range 3 {
		want = append(want, add("site", run.Held).ID)
		add("site", run.Queued)
		add("other site", run.Held)
		other := newRun(name.next(), "site")
		other.State, other.ConnectionID = run.Held, "connection-of-site-2"
		storeRun(t, s, other)
		add("site", run.Skipped)
	}
	queued := add("site", run.Queued)
	queued.State = run.Held
	held := updateRun(t, s, queued)
	want = append(want, held.ID)
	list := func(after string, limit int) []string {
		return ids(must[[]run.Run](t)(s.HeldRuns(t.Context(), "site", "connection-of-site", after, limit)), runID)
	}
	eventually(t, func() string { return differs(list("", 10), want) })
	same(t, list("", 2), want[:2])
	same(t, list(want[1], 10), want[2:])
	same(t, list(want[3], 10), nil)
	wantCount := func(connection string, want int) {
		t.Helper()
		eventually(t, func() string {
			return differs(must[int](t)(s.HeldCount(t.Context(), "site", connection)), want)
		})
	}
	wantCount("connection-of-site", 4)
	wantCount("connection-of-site-2", 3)
	wantCount("none", 0)

	held.State = run.Queued
	held = updateRun(t, s, held)
	eventually(t, func() string { return differs(list("", 10), want[:3]) })
	wantCount("connection-of-site", 3)
	eventually(t, func() string {
		work := must[[]run.Work](t)(s.Work(t.Context(), "site", start(), 100))
		if !slices.Contains(work, workOf(held)) {
			return "a run that was released is no work"
		}
		return ""
	})
}
