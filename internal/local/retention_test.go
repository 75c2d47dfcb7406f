package local_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/run"
)

const day = 24 * time.Hour

// attic is an installation with what was finished at different times.
type attic struct {
	*testing.T
	dir   string
	store *local.Store
	clock time.Time
	*local.Retention
}

func newAttic(t *testing.T) *attic {
	t.Helper()
	path := databasePath(t)
	a := &attic{T: t, dir: filepath.Dir(path), store: openStore(t, path), clock: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	a.Retention = &local.Retention{Store: a.store, Files: local.Files{Dir: filepath.Join(a.dir, "files")},
		Outbox: &local.Outbox{Dir: filepath.Join(a.dir, "outbox")}, Keep: local.DefaultRetention,
		Now: func() time.Time { return a.clock }, Log: slog.New(slog.DiscardHandler)}
	return a
}

// days lets days pass with a round in each.
func (a *attic) days(n int) {
	a.Helper()
	for range n {
		a.clock = a.clock.Add(day)
		if err := a.Retention.Run(a.Context()); err != nil {
			a.Fatal(err)
		}
	}
}

func (a *attic) id(at time.Time, n byte) string {
	var id ulid.ULID
	if err := id.SetTime(uint64(at.UnixMilli())); err != nil {
		a.Fatal(err)
	}
	id[15] = n
	return id.String()
}

// run makes a run that began and ended at a time, with a file and a delivery.
func (a *attic) run(n byte, state run.State, began, ended time.Time, delivery run.DeliveryState) string {
	a.Helper()
	r := newRun(a.id(began, n))
	r.State, r.FinishedAt = state, ended
	if state.Open() {
		r.FinishedAt = time.Time{}
	}
	_, err := a.store.CreateRun(a.Context(), r)
	if err == nil {
		err = a.store.CreateDeliveries(a.Context(), nil, []run.Delivery{{Key: r.ID + ".mail.1", RunID: r.ID, State: delivery, CreatedAt: began}})
	}
	if err == nil {
		err = a.Files.Put(a.Context(), "runs/"+r.ID+"/f.csv", "text/csv", strings.NewReader("a"), 1)
	}
	if err != nil {
		a.Fatal(err)
	}
	return r.ID
}

// left gives the runs, deliveries and files that there are of runs.
func (a *attic) left(ids ...string) (left []string) {
	a.Helper()
	for i, id := range ids {
		_, runErr := a.store.Run(a.Context(), id)
		_, deliveryErr := a.store.Delivery(a.Context(), id+".mail.1")
		_, fileErr := os.Stat(filepath.Join(a.dir, "files", "runs", id, "f.csv"))
		switch {
		case runErr == nil && deliveryErr == nil && fileErr == nil:
			left = append(left, fmt.Sprint(i))
		case runErr == nil || deliveryErr == nil || fileErr == nil:
			a.Errorf("run %d is half there: %v, %v, %v", i, runErr, deliveryErr, fileErr)
		}
	}
	return left
}

func (a *attic) wantLeft(ids []string, want ...string) {
	a.Helper()
	if got := a.left(ids...); !slices.Equal(got, want) {
		a.Errorf("got the runs %v, want %v", got, want)
	}
}

func TestWhatWasFinishedLongAgoIsDeleted(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	long, lately := a.clock.Add(-200*day), a.clock.Add(-20*day)
	ids := []string{
		a.run(0, run.Delivered, long, long, run.Sent),
		a.run(1, run.PartlyDelivered, long, long, run.Bounced),
		a.run(2, run.Failed, long, long, run.DeliveryFailed),
		a.run(3, run.Skipped, long, long, run.Confirmed),
		a.run(4, run.Held, long, time.Time{}, run.Waiting),   // open
		a.run(5, run.Queued, long, time.Time{}, run.Waiting), // open
		a.run(6, run.Failed, long, long, run.Unsure),         // unsettled
		a.run(7, run.Delivered, long, lately, run.Sent),      // was held
		a.run(8, run.Delivered, lately, lately, run.Sent),
	}
	notice := func(key string, at time.Time, state run.DeliveryState) {
		d := run.Delivery{Key: key, Site: "site", Notice: &run.Notice{Subject: "s"}, State: state, CreatedAt: at, NotBefore: at}
		if err := a.store.CreateDeliveries(t.Context(), nil, []run.Delivery{d}); err != nil {
			t.Fatal(err)
		}
	}
	notice("old", long, run.Sent)
	notice("old-open", long, run.Waiting)
	notice("new", lately, run.Sent)
	for name, at := range map[string]time.Time{"old": long, "new": lately} {
		if _, err := a.Outbox.Send(t.Context(), deliver.Envelope{Key: name, Message: strings.NewReader("mail")}); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(a.dir, "outbox", name+".eml"), at, at); err != nil {
			t.Fatal(err)
		}
	}

	// Nothing goes in the first seven days, of which people are told.
	told, err := a.Begin(t.Context())
	want := local.RetentionNotice{Days: 90, From: a.clock.Add(7 * day), Upgraded: true}
	if err != nil || told != want {
		t.Errorf("got %+v, error %v; want %+v", told, err, want)
	}
	a.days(6)
	a.wantLeft(ids, "0", "1", "2", "3", "4", "5", "6", "7", "8")

	a.days(1)
	a.wantLeft(ids, "4", "5", "6", "7", "8")
	for key, there := range map[string]bool{"old": false, "old-open": true, "new": true} {
		if _, err := a.store.Delivery(t.Context(), key); (err == nil) != there {
			t.Errorf("notice %s: error %v, want it there: %t", key, err, there)
		}
	}
	for name, there := range map[string]bool{"old": false, "new": true} {
		if _, err := os.Stat(filepath.Join(a.dir, "outbox", name+".eml")); (err == nil) != there {
			t.Errorf("mail %s: error %v, want it there: %t", name, err, there)
		}
	}

	a.days(80)
	a.wantLeft(ids, "4", "5", "6")
}

// A crash between a run's record and its files leaves files, which the next
// round deletes.
func TestFilesThatACrashLeftAreDeleted(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	old, lately := a.id(a.clock.Add(-200*day), 1), a.id(a.clock.Add(-day), 2)
	for _, id := range []string{old, lately} {
		if err := a.Files.Put(t.Context(), "runs/"+id+"/f.csv", "text/csv", strings.NewReader("a"), 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.days(8)
	for id, there := range map[string]bool{old: false, lately: true} { // the latter may be about to be recorded
		if _, err := os.Stat(filepath.Join(a.dir, "files", "runs", id)); (err == nil) != there {
			t.Errorf("files of %s: error %v, want them there: %t", id, err, there)
		}
	}
}

// A clock that is a year ahead for a while deletes nothing of that year.
func TestAClockThatIsAheadDeletesNothing(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	if _, err := a.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.days(10)
	ids := []string{a.run(0, run.Delivered, a.clock.Add(-60*day), a.clock.Add(-60*day), run.Sent)}
	right := a.clock
	for _, ahead := range []time.Duration{366 * day, 0, 366 * day} {
		a.clock = right.Add(ahead)
		if err := a.Retention.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a.wantLeft(ids, "0")
	a.clock = right
	a.days(20)
	a.wantLeft(ids, "0")
	a.days(15)
	a.wantLeft(ids)
}

// Nothing is deleted where everything is to be kept; and a round takes no more
// than it may, so that the next goes on.
func TestARoundIsBounded(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	long := a.clock.Add(-200 * day)
	for i := range 2105 {
		r := newRun(a.id(long.Add(time.Duration(i)*time.Second), 1))
		r.State, r.FinishedAt = run.Delivered, long
		if _, err := a.store.CreateRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		runs, _, err := a.store.Runs(t.Context(), run.Filter{}, "", 5000)
		if err != nil {
			t.Fatal(err)
		}
		return len(runs)
	}
	if _, err := a.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Keep = -1
	a.days(8)
	if got := count(); got != 2105 {
		t.Errorf("%d runs are left where all are kept", got)
	}
	a.Keep = local.DefaultRetention
	a.days(1)
	if got := count(); got != 105 {
		t.Errorf("%d runs are left after a round, want 105", got)
	}
	a.days(1)
	if got := count(); got != 0 {
		t.Errorf("%d runs are left after two rounds, want none", got)
	}
}
