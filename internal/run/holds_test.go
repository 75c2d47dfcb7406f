package run_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// A token is revoked. Five hours later somebody enters a new one: what waited
// is released by each report's policy, and what was asked for by hand always.
func TestRejectedCredentialHoldsRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		for _, policy := range []report.CatchUp{report.CatchUpLatest, report.CatchUpAll, report.CatchUpNone} {
			w.makeReport(string(policy), each("30 * * * *", policy), to(email("mail", string(policy)+"@example.com")))
		}
		w.makeReport("hand", to(email("mail", "hand@example.com")))
		w.tableau.RevokeTokens("")
		w.live(time.Hour)
		byHand := []string{w.start("hand"), w.start("none")}
		w.live(4 * time.Hour)
		w.tableau.ResetStats()
		for _, policy := range []string{"latest", "all", "none"} {
			for _, r := range w.runsOf(policy) {
				w.wantRun(r.ID, run.Held, "refuses the personal access token")
			}
		}
		notice := w.wantMail(ops, 1)[0]
		if !strings.Contains(notice.Text, "refuses the personal access token") || !strings.Contains(notice.Text, "none is lost") {
			w.Errorf("got notice %q, want what happened and what becomes of the reports", notice.Text)
		}
		w.wantMail(owner, 0)
		work := w.openWork()
		if len(work) != 1 || work[0].Kind != run.Probe || work[0].Ref != "c" {
			w.Errorf("got open work %+v, want one probe", work)
		}

		w.bell.take()
		_, err := w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		if got := w.bell.take(); len(got) != 1 {
			w.Errorf("got bells for %q, want the site's", got)
		}
		w.work()
		for _, id := range byHand {
			w.wantRun(id, run.Delivered, "")
		}
		for policy, want := range map[string]struct {
			delivered, skipped, mails int
		}{"latest": {1, 4, 1}, "all": {5, 0, 5}, "none": {0, 5, 1}} {
			states := map[run.State]int{}
			for _, r := range w.runsOf(policy) {
				if r.Trigger == run.Scheduled {
					states[r.State]++
				}
			}
			if states[run.Delivered] != want.delivered || states[run.Skipped] != want.skipped || len(states) > 2 {
				w.Errorf("%s: got %v, want %d delivered and %d skipped", policy, states, want.delivered, want.skipped)
			}
			w.wantMail(policy+"@example.com", want.mails)
		}
		for _, r := range w.runsOf("latest") {
			if r.HeldAt.IsZero() || r.ReleasedAt.Before(r.HeldAt) {
				w.Errorf("got a run held at %v and released at %v, want both times", r.HeldAt, r.ReleasedAt)
			}
		}
		told := w.historyOf("c")
		if got := strings.Join(actionsOf(told), " "); got != "runs_released mended credential_changed broke created" {
			w.Errorf("got the history %s, want what broke, what mended it and what was released", got)
		}
		if got := told[0]; len(got.Runs) != 17 || got.Person != "" || got.Summary != "17 runs that were held are released." || got.Runs[0].ReportName == "" || got.Runs[0].ScheduledFor.IsZero() {
			w.Errorf("got %+v, want all of the 17 runs", got)
		}
		latest := w.runsOf("latest")
		last := w.wantRun(latest[4].ID, run.Delivered, "5 occurrences")
		if last.StandsFor != 5 {
			w.Errorf("got a run that stands for %d occurrences, want 5", last.StandsFor)
		}
		w.wantRun(latest[0].ID, run.Skipped, last.ScheduledFor.Format("2 January 15:04"))
		if text := w.wantMail("latest@example.com", 1)[0].Text; !strings.Contains(text, "5 occurrences") {
			w.Errorf("got %q, want the mail to say how many it stands for", text)
		}
		w.wantMail(ops, 1)
		w.wantMail("hand@example.com", 1)
		w.wantIdle()
	})
}

// A credential that was mended in Tableau is found by a probe.
func TestProbeReleasesRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.fault(tableautest.Fault{Kind: tableautest.FaultSessionEnded, Route: "export"})
		w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin", Times: -1})
		w.live(2*24*time.Hour + time.Hour)
		w.wantRun(id, run.Held, "refuses")
		if got := w.tableau.Stats().SignInsFailed + w.tableau.Stats().Calls["signin"]; got != 1+3 {
			w.Errorf("got %d sign-ins, want the connection's, the one that was refused and a probe each day", got)
		}
		w.wantMail(ops, 1)
		w.tableau.ClearFaults()
		w.live(24 * time.Hour)
		w.wantRun(id, run.Delivered, "")
		w.wantMail(ops, 1)
		w.wantIdle()
	})
}

func TestUnreachableHoldsRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", each("0 * * * *", report.CatchUpLatest))
		w.network.down.Store(true)
		w.live(3*time.Hour + 30*time.Minute)
		runs := w.runsOf("r")
		if len(runs) != 3 {
			w.Fatalf("got %d runs, want 3", len(runs))
		}
		for _, r := range runs {
			if r := w.wantRun(r.ID, run.Held, "cannot be reached"); r.Attempts != 0 {
				w.Errorf("got %d attempts, want none: it was not the run's fault", r.Attempts)
			}
		}
		w.wantMail(ops, 1)
		w.network.down.Store(false)
		w.live(28 * time.Minute) // until after the next probe
		w.wantRun(runs[2].ID, run.Delivered, "3 occurrences")
		w.wantMail("ana@example.com", 1)

		// It breaks again: that is told anew.
		w.network.down.Store(true)
		w.live(time.Hour)
		w.wantMail(ops, 2)
		w.network.down.Store(false)
		w.live(time.Hour)
		w.wantMail("ana@example.com", 2)
		w.wantMail(owner, 0)
	})
}

// The server does not answer while somebody enters a credential: what failed
// with the old one says nothing of the new one, and the run goes on with it.
func TestEditedWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.network.down.Store(true)
		done := make(chan error)
		go func() { done <- w.drain.Site(w.Context(), site) }()
		time.Sleep(5 * time.Second) // between two tries
		w.network.down.Store(false)
		_, err := w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.network.down.Store(true)
		w.succeed(<-done)
		w.wantRun(id, run.Queued, "cannot be reached")
		if got := w.state(); got != connection.Connected {
			w.Errorf("got %s, want what the edit left", got)
		}
		w.network.down.Store(false)
		w.live(2 * time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantMail(ops, 0)
	})
}

// Somebody mends the connection after the drain has seen it broken and before
// it has put the run aside: the run must not wait for the next day's probe.
func TestMendedWhileARunIsHeld(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.tableau.RevokeTokens("")
		edit := func() {
			_, err := w.connections.Edit(w.Context(), "c", w.newCredential())
			w.succeed(err)
			// Another worker of this drain looks at the probe at once: nothing is
			// held yet.
			w.succeed(w.store.DropWork(w.Context(), run.Work{Site: site, Kind: run.Probe, Ref: "c"}))
		}
		s := &hooked{store: w.store}
		s.updateRun = func(r run.Run) {
			if r.State == run.Held {
				s.updateRun = nil
				edit()
			}
		}
		w.wire(s)
		w.work()
		w.live(2 * time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantIdle()
	})
}

// A drain's probe has seen the connection broken when somebody mends it: that
// the next probe is in a day must not undo that the runs are looked at now.
func TestMendedWhileAProbeIsPutOff(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.tableau.RevokeTokens("")
		w.live(2 * time.Minute)
		w.wantRun(id, run.Held, "")
		s := &hooked{store: w.store}
		s.moveWork = func() { // to the next probe's time
			s.moveWork = nil
			_, err := w.connections.Edit(w.Context(), "c", w.newCredential())
			w.succeed(err)
		}
		w.wire(s)
		w.live(25 * time.Hour)
		if s.moveWork != nil {
			w.Fatal("there was no probe")
		}
		if r := w.wantRun(id, run.Delivered, ""); r.FinishedAt.Sub(r.ReleasedAt) > time.Minute || time.Since(r.ReleasedAt) < 50*time.Minute {
			w.Errorf("the run was released at %v and finished at %v, want both when the connection was mended", r.ReleasedAt, r.FinishedAt)
		}
		w.wantIdle()
	})
}

// A run is held while the drain drops the probe whose release did not see it.
func TestHeldWhileTheProbeIsDropped(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.succeed((&run.Holds{Store: w.store, Bell: w.bell, Now: time.Now}).Release(w.Context(), connection.Connection{ID: "c", ServerURL: serverURL, Site: "demo"}))
		r, _ := w.get(id)
		r.NotBefore = time.Now().Add(time.Hour) // only the probe is due
		r, err := w.store.UpdateRun(w.Context(), nil, r)
		w.succeed(err)
		s := &hooked{store: w.store}
		s.dropWork = func() {
			s.dropWork = nil
			r.State = run.Held
			_, err := w.store.UpdateRun(w.Context(), nil, r)
			w.succeed(err)
		}
		w.wire(s)
		w.work()
		w.live(2 * time.Minute)
		w.wantRun(id, run.Delivered, "")
	})
}

// hooked lets something happen just before a write.
type hooked struct {
	store
	updateRun func(run.Run)
	dropWork  func()
	moveWork  func()
}

func (h *hooked) PutWork(ctx context.Context, w run.Work) error {
	if h.moveWork != nil && w.Kind == run.Probe {
		h.moveWork()
	}
	return h.store.PutWork(ctx, w)
}

func (h *hooked) UpdateRun(ctx context.Context, lease *run.Lease, r run.Run) (run.Run, error) {
	if h.updateRun != nil {
		h.updateRun(r)
	}
	return h.store.UpdateRun(ctx, lease, r)
}

func (h *hooked) DropWork(ctx context.Context, w run.Work) error {
	if h.dropWork != nil {
		h.dropWork()
	}
	return h.store.DropWork(ctx, w)
}

// A report moves to another connection, and the broken one is deleted: the run
// that it held fails, and says why.
func TestHeldRunOfADeletedConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.tableau.RevokeTokens("")
		w.work()
		w.wantRun(id, run.Held, "")
		_, err := w.connections.Create(w.Context(), "other", connection.Settings{Name: "Other", ServerURL: serverURL, Site: "demo", Credential: *w.newToken("other")})
		w.succeed(err)
		other := "other"
		_, err = w.reports.Edit(w.Context(), "r", report.Edit{ConnectionID: &other})
		w.succeed(err)
		w.succeed(w.connections.Delete(w.Context(), "c", 0))
		w.live(25 * time.Hour)
		w.wantRun(id, run.Failed, "connection was deleted")
		w.wantMail(owner, 1)
		w.wantIdle()
	})
}

// A run was queued for the site that the connection was of then. What holds it,
// and what mends that, happens at another.
func TestHeldRunOfAConnectionThatMoved(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		moved := w.newCredential()
		address := "https://elsewhere.test"
		moved.ServerURL, moved.AcceptIdentityChange = &address, true
		_, err := w.connections.Edit(w.Context(), "c", moved)
		w.succeed(err)
		w.bell.take()
		w.tableau.RevokeTokens("")
		w.work()
		w.wantRun(id, run.Held, "")
		w.live(2 * time.Hour)
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.live(10 * time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantMail(ops, 1)
		w.wantIdle()
	})
}

// Connections to one site share its drain: one that is broken does not hold
// the other's runs.
func TestBrokenConnectionBesideAWorkingOne(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		_, err := w.connections.Create(w.Context(), "other", connection.Settings{Name: "Other", ServerURL: serverURL, Site: "demo", Notify: []string{"other@example.com"},
			Credential: *w.newToken("other")})
		w.succeed(err)
		w.makeReport("good")
		w.makeReport("bad", func(r *report.Report) { r.ConnectionID = "other" }, to(email("mail", "rui@example.com")))
		bad := w.start("bad")
		_, err = w.connections.Unreachable(w.Context(), w.stored("other"), &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		good := w.start("good")
		w.work()
		w.wantRun(good, run.Delivered, "")
		w.wantRun(bad, run.Held, "")
		w.wantMail("other@example.com", 1)
		w.wantMail(ops, 0)
		// Mending the first one releases none of the other's.
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.work()
		w.wantRun(bad, run.Held, "")
		w.live(2 * time.Minute)
		w.wantRun(bad, run.Delivered, "")
	})
}

// More runs than a page are held.
func TestManyHeldRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", each("0 0 1 1 *", report.CatchUpAll))
		const many = 130
		var fired []run.Run
		for i := range many {
			at := time.Now().Add(time.Duration(i) * time.Minute).UTC()
			fired = append(fired, run.Run{ID: w.newID(), Key: run.ScheduledKey("r", at), ReportID: "r", ConnectionID: "c", Site: site, TimeZone: "UTC",
				ScheduledFor: at, Trigger: run.Scheduled, StandsFor: 1, State: run.Held, Content: []report.Content{{View: overview, Format: tableau.CSV}}})
		}
		for _, r := range fired {
			_, err := w.store.CreateRun(w.Context(), r)
			w.succeed(err)
		}
		var released atomic.Int64
		s := &hooked{store: w.store, updateRun: func(r run.Run) {
			if r.State == run.Queued {
				released.Add(int64(r.StandsFor))
			}
		}}
		w.wire(s)
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		s.dropWork = cancel // the release is what this is about
		w.succeed((&run.Holds{Store: w.store, Bell: w.bell, Now: time.Now}).Release(ctx, connection.Connection{ID: "c", ServerURL: serverURL, Site: "demo"}))
		_ = w.drain.Site(ctx, site) // ends with its context
		queued, _, err := w.store.Runs(w.Context(), run.Filter{ReportID: "r", States: []run.State{run.Queued}}, "", 1000)
		w.succeed(err)
		skipped, _, err := w.store.Runs(w.Context(), run.Filter{ReportID: "r", States: []run.State{run.Skipped}}, "", 1000)
		w.succeed(err)
		if len(queued) != 100 || len(skipped) != many-100 || released.Load() != many {
			w.Errorf("got %d queued that stand for %d, and %d skipped; want 100 that stand for %d", len(queued), released.Load(), len(skipped), many)
		}
		if oldest := queued[len(queued)-1]; oldest.StandsFor != 31 || oldest.Key != fired[30].Key {
			w.Errorf("got %+v, want the oldest released one to stand for those before it", oldest)
		}
	})
}

// newCredential enters a new token.
func (w *world) newCredential() connection.Edit {
	return connection.Edit{Credential: w.newToken("new")}
}

func (w *world) historyOf(id string) []connection.Event {
	w.Helper()
	events, _, err := w.connections.History(w.Context(), id, "", 100)
	w.succeed(err)
	return events
}

func actionsOf(events []connection.Event) []string {
	var actions []string
	for _, e := range events {
		actions = append(actions, string(e.Action))
	}
	return actions
}

// A view whose data source Tableau cannot sign in to does not heal by itself:
// the run fails at once, and the report's people learn how to embed the
// credentials.
func TestDataSourceWithoutCredentials(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]tableautest.Fault{
		"an image": {Code: 400074, Detail: "There was a problem querying the image for view 'x'. (0x5CE10192 : ExportViewException: Error: data sources not connected)"},
		"data":     {Code: 400081, Detail: "com.tableau.FederatedDataSourceException: connection failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				fault.Kind, fault.Route, fault.Times = tableautest.FaultError, "export", -1
				w.fault(fault)
				id := w.start("r")
				w.work()
				w.wantRun(id, run.Failed, "Edit Connection")
				if got := w.tableau.Stats().Calls["export-data"]; got > 1 {
					w.Errorf("got %d exports, want one: it does not heal by itself", got)
				}
				w.live(time.Hour)
				if notice := w.wantMail(owner, 1)[0]; !strings.Contains(notice.Text, "embedded in the connection") {
					w.Errorf("got notice %q, want how to embed credentials", notice.Text)
				}
				w.wantMail(ops, 0) // the connection is well
				c, err := w.connections.Get(w.Context(), "c")
				w.succeed(err)
				if c.State != connection.Connected {
					w.Errorf("got the connection %s, want it connected", c.State)
				}
			})
		})
	}
}
