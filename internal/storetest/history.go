package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

func historyChecks() []check {
	return []check{
		{"every field comes back", eventFields},
		{"an event is written with its connection or not at all", eventWithConnection},
		{"the newest come first, page by page", eventList},
		{"a slot has the last event that was put there", eventSlot},
		{"old events are not told", eventSince},
		{"events outlive their connection", eventOutlives},
		{"writers at once lose no event", eventRace},
		{"reports that use connections are counted", reportCounts},
		{"some runs are read at once", someRuns},
	}
}

func newEvent(id string, at time.Time) connection.Event {
	return connection.Event{ID: id, At: at, Action: connection.Edited, Summary: "Changed " + id, Slot: "slot-" + id}
}

func eventsOf(t tester, s Store, id string) []connection.Event {
	t.Helper()
	events, next, err := s.Events(t.Context(), id, time.Time{}, "", 1000)
	succeed(t, err)
	if next != "" {
		t.Errorf("got next %q at the end, want none", next)
	}
	return events
}

func eventID(e connection.Event) string { return e.ID }

func eventFields(t *testing.T, s Store) {
	c := newConnection("c")
	created, edited := fill[connection.Event](t), fill[connection.Event](t)
	created.ID, created.Slot = "1", "first"
	edited.ID, edited.Slot = "2", "second"
	before := kept(created)
	succeed(t, s.CreateConnection(t.Context(), c, nil, created))
	scribble(created)
	c.Rev = 1
	succeed(t, s.UpdateConnection(t.Context(), c, nil, edited))
	for range 2 {
		got := eventsOf(t, s, "c")
		same(t, got, []connection.Event{kept(edited), before})
		scribble(got)
	}
}

func eventWithConnection(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	wantKind(t, s.CreateConnection(t.Context(), newConnection("c"), nil, newEvent("1", start())), problem.Stale)
	late := c
	late.Rev = 7
	wantKind(t, s.UpdateConnection(t.Context(), late, nil, newEvent("2", start())), problem.Stale)
	wantKind(t, s.DeleteConnection(t.Context(), "c", 7, newEvent("3", start())), problem.Stale)
	other := newConnection("other")
	other.Fingerprint = c.Fingerprint
	wantKind(t, s.CreateConnection(t.Context(), other, nil, newEvent("4", start())), problem.Conflict)
	succeed(t, s.CreateReport(t.Context(), report.Report{ID: "r", ConnectionID: "c"}))
	wantKind(t, s.DeleteConnection(t.Context(), "c", c.Rev, newEvent("5", start())), problem.Conflict)
	for _, id := range []string{"c", "other", "none"} {
		same(t, ids(eventsOf(t, s, id), eventID), nil)
	}
}

func eventList(t *testing.T, s Store) {
	c := newConnection("c")
	succeed(t, s.CreateConnection(t.Context(), c, nil, newEvent("01", start())))
	another := newConnection("c2") // whose id begins like the other's
	succeed(t, s.CreateConnection(t.Context(), another, nil, newEvent("99", start())))
	for i := range 4 {
		c.Rev++
		succeed(t, s.UpdateConnection(t.Context(), c, nil,
			newEvent(fmt.Sprintf("%02d", 2*i+2), start()), newEvent(fmt.Sprintf("%02d", 2*i+3), start())))
	}
	var got []string
	after, pages := "", 0
	for {
		page, next, err := s.Events(t.Context(), "c", time.Time{}, after, 4)
		succeed(t, err)
		got = append(got, ids(page, eventID)...)
		pages++
		if next == "" {
			break
		}
		after = next
	}
	same(t, got, []string{"09", "08", "07", "06", "05", "04", "03", "02", "01"})
	same(t, pages, 3)
	same(t, ids(eventsOf(t, s, "c2"), eventID), []string{"99"})
}

func eventSlot(t *testing.T, s Store) {
	c := newConnection("c")
	succeed(t, s.CreateConnection(t.Context(), c, nil, newEvent("1", start())))
	for i, id := range []string{"2", "3", "4"} {
		c.Rev = int64(i + 1)
		e := newEvent(id, start())
		e.Slot = []string{"a", "b"}[i%2]
		succeed(t, s.UpdateConnection(t.Context(), c, nil, e))
	}
	same(t, ids(eventsOf(t, s, "c"), eventID), []string{"4", "3", "1"})
}

func eventSince(t *testing.T, s Store) {
	succeed(t, s.CreateConnection(t.Context(), newConnection("c"), nil,
		newEvent("1", start().Add(-time.Hour)), newEvent("2", start()), newEvent("3", start().Add(time.Hour))))
	events, _, err := s.Events(t.Context(), "c", start(), "", 10)
	succeed(t, err)
	same(t, ids(events, eventID), []string{"3", "2"})
}

func eventOutlives(t *testing.T, s Store) {
	c := newConnection("c")
	succeed(t, s.CreateConnection(t.Context(), c, nil, newEvent("1", start())))
	succeed(t, s.DeleteConnection(t.Context(), "c", 1, newEvent("2", start())))
	same(t, ids(eventsOf(t, s, "c"), eventID), []string{"2", "1"})
}

func eventRace(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	const writers = 8
	for _, err := range race(writers, func(i int) error {
		for {
			c, err := s.Connection(t.Context(), "c")
			if err != nil {
				return err
			}
			c.Probes++
			err = s.UpdateConnection(t.Context(), c, nil, newEvent(fmt.Sprint(i), start()))
			if !problem.Is(err, problem.Stale) && !problem.Is(err, problem.Unavailable) {
				return err
			}
		}
	}) {
		succeed(t, err)
	}
	same(t, len(eventsOf(t, s, "c")), writers)
	same(t, must[connection.Connection](t)(s.Connection(t.Context(), "c")).Probes, writers)
}

func reportCounts(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("a"))
	storeConnection(t, s, newConnection("b"))
	want := func(a, b int) {
		t.Helper()
		counts := must[map[string]int](t)(s.ReportCounts(t.Context(), []string{"a", "b", "none"}))
		if counts["a"] != a || counts["b"] != b || counts["none"] != 0 {
			t.Errorf("got %v, want %d for a and %d for b", counts, a, b)
		}
	}
	want(0, 0)
	for _, id := range []string{"1", "2", "3"} {
		succeed(t, s.CreateReport(t.Context(), report.Report{ID: id, ConnectionID: "a"}))
	}
	want(3, 0)
	r := must[report.Report](t)(s.Report(t.Context(), "2"))
	r.ConnectionID = "b"
	succeed(t, s.UpdateReport(t.Context(), r))
	want(2, 1)
	succeed(t, s.DeleteReport(t.Context(), "3", 1))
	want(1, 1)
	same(t, len(must[map[string]int](t)(s.ReportCounts(t.Context(), nil))), 0)
}

func someRuns(t *testing.T, s Store) {
	var name names
	var all []string
	for range 3 {
		all = append(all, storeRun(t, s, newRun(name.next(), "site")).ID)
	}
	got := ids(must[[]run.Run](t)(s.SomeRuns(t.Context(), []string{all[2], "none", all[0], all[2]})), runID)
	slices.Sort(got)
	same(t, slices.Compact(got), []string{all[0], all[2]})
	same(t, len(must[[]run.Run](t)(s.SomeRuns(t.Context(), nil))), 0)
}
