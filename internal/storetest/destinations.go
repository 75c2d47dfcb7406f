package storetest

import (
	"fmt"
	"testing"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

func destinationChecks() []check {
	return []check{
		{"every field comes back", destinationFields},
		{"an id is used once", destinationIDOnce},
		{"what is missing is not found", destinationMissing},
		{"an update counts and needs the current Rev", destinationUpdate},
		{"of updates at once one wins", destinationUpdateRace},
		{"delete is refused while reports use it", destinationInUse},
		{"delete races with a new report", destinationDeleteRace},
		{"the list is in order of id, page by page", destinationList},
	}
}

func readDestination(t tester, s Store, id string) deliver.Destination {
	t.Helper()
	return must[deliver.Destination](t)(s.Destination(t.Context(), id))
}

func destinationFields(t *testing.T, s Store) {
	d := fill[deliver.Destination](t)
	succeed(t, s.CreateDestination(t.Context(), d))
	want := kept(d)
	want.Rev = 1
	same(t, readDestination(t, s, d.ID), want)
	eventually(t, func() string {
		list, _, err := s.Destinations(t.Context(), "", 10)
		succeed(t, err)
		return differs(list, []deliver.Destination{want})
	})
	succeed(t, s.UpdateDestination(t.Context(), deliver.Destination{ID: d.ID, Rev: 1}))
	same(t, readDestination(t, s, d.ID), deliver.Destination{ID: d.ID, Rev: 2})
}

func destinationIDOnce(t *testing.T, s Store) {
	d := storeDestination(t, s, newDestination("d"))
	other := newDestination("d")
	other.Name = "Other"
	wantKind(t, s.CreateDestination(t.Context(), other), problem.Stale)
	same(t, readDestination(t, s, "d"), d)
}

func destinationMissing(t *testing.T, s Store) {
	_, err := s.Destination(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	wantKind(t, s.UpdateDestination(t.Context(), newDestination("none")), problem.NotFound)
	wantKind(t, s.DeleteDestination(t.Context(), "none", 1), problem.NotFound)
	_, err = s.Destination(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
}

func destinationUpdate(t *testing.T, s Store) {
	d := storeDestination(t, s, newDestination("d"))
	d.State, d.Problem = deliver.DestinationBroken, "Slack says that the channel is gone."
	succeed(t, s.UpdateDestination(t.Context(), d))
	d.Rev++
	same(t, readDestination(t, s, "d"), d)
	for _, rev := range []int64{0, 1, 3} {
		late := newDestination("d")
		late.Rev = rev
		wantKind(t, s.UpdateDestination(t.Context(), late), problem.Stale)
		wantKind(t, s.DeleteDestination(t.Context(), "d", rev), problem.Stale)
	}
	same(t, readDestination(t, s, "d"), d)
}

func destinationUpdateRace(t *testing.T, s Store) {
	d := storeDestination(t, s, newDestination("d"))
	winner := oneWins(t, race(4, func(i int) error {
		edit := d
		edit.Name = fmt.Sprint("Edit ", i)
		return s.UpdateDestination(t.Context(), edit)
	}), isKind(problem.Stale))
	d.Name, d.Rev = fmt.Sprint("Edit ", winner), 2
	same(t, readDestination(t, s, "d"), d)
}

func destinationInUse(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	for _, id := range []string{"a", "b"} {
		storeDestination(t, s, newDestination(id))
	}
	inUse := func(id string) {
		t.Helper()
		wantCode(t, s.DeleteDestination(t.Context(), id, 1), problem.Conflict, problem.CodeInUse)
		same(t, readDestination(t, s, id).Rev, 1)
	}
	one := storeReport(t, s, newReport("one", "c", "a", "a")) // twice in one report is one use
	two := storeReport(t, s, newReport("two", "c", "a", "b"))
	inUse("a")
	inUse("b")

	two.Destinations = two.Destinations[:2] // without b
	succeed(t, s.UpdateReport(t.Context(), two))
	two.Rev++
	inUse("a")
	succeed(t, s.DeleteDestination(t.Context(), "b", 1))

	one.Destinations = one.Destinations[:2] // a once
	succeed(t, s.UpdateReport(t.Context(), one))
	succeed(t, s.DeleteReport(t.Context(), "two", two.Rev))
	inUse("a")
	succeed(t, s.DeleteReport(t.Context(), "one", one.Rev+1))
	succeed(t, s.DeleteDestination(t.Context(), "a", 1))
	_, err := s.Destination(t.Context(), "a")
	wantKind(t, err, problem.NotFound)
}

func destinationDeleteRace(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("c"))
	for round := range 10 {
		d := storeDestination(t, s, newDestination(fmt.Sprint("d-", round)))
		r := storeReport(t, s, newReport(fmt.Sprint("edited-", round), "c"))
		errs := race(2, func(i int) error {
			switch {
			case i == 0:
				return s.DeleteDestination(t.Context(), d.ID, d.Rev)
			case round%2 == 0:
				return s.CreateReport(t.Context(), newReport(fmt.Sprint("new-", round), "c", d.ID))
			default:
				edit := r.Clone()
				edit.Destinations = append(edit.Destinations, report.Destination{ID: "slack", Type: report.Slack, DestinationID: d.ID})
				return s.UpdateReport(t.Context(), edit)
			}
		})
		_, err := s.Destination(t.Context(), d.ID)
		switch {
		case errs[0] == nil && problem.Is(errs[1], problem.Invalid):
			wantKind(t, err, problem.NotFound)
		case problem.HasCode(errs[0], problem.CodeInUse) && errs[1] == nil:
			succeed(t, err)
		default:
			t.Fatalf("delete got error %v, its use %v; want exactly one to succeed", errs[0], errs[1])
		}
	}
}

func destinationList(t *testing.T, s Store) {
	var name names
	checkList(t, listing[deliver.Destination]{
		add: func() string { return storeDestination(t, s, newDestination(name.next())).ID },
		page: func(after string, limit int) ([]deliver.Destination, string, error) {
			return s.Destinations(t.Context(), after, limit)
		},
		id: func(d deliver.Destination) string { return d.ID },
	})
}
