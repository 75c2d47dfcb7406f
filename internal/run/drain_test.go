package run_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestDeliver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo, content(
			report.Content{View: overview, Format: tableau.CSV},
			report.Content{View: overview, Format: tableau.PDF, FileName: "{{ report.name }}"},
		), func(r *report.Report) {
			r.Destinations[0].To = []string{"ana@example.com", "rui@example.com", "ANA@example.com"}
		})
		id := w.start("r")
		if got := w.bell.take(); len(got) != 1 || got[0] != site {
			w.Errorf("got bells for %q, want %q", got, site)
		}
		w.work()
		r := w.wantRun(id, run.Delivered, "")
		if r.StartedAt.IsZero() || r.Attempts != 0 || r.Resumed != 0 || len(r.Files) != 2 {
			w.Errorf("got run %+v, want a first try with two files", r)
		}
		for _, d := range w.wantDeliveries(id, run.Sent, run.Sent, run.Sent) {
			if d.SentAt.IsZero() || d.Attempts != 1 || d.PossibleRepeat || d.Type == report.Email && d.ProviderID != "mail-1" {
				w.Errorf("got delivery %+v, want one that was sent at once", d)
			}
		}
		for _, f := range r.Files {
			file, body, err := w.runs.OpenFile(w.Context(), id, f.ID)
			w.succeed(err)
			b, err := io.ReadAll(body)
			w.succeed(err)
			w.succeed(body.Close())
			sum := sha256.Sum256(b)
			if int64(len(b)) != file.Size || hex.EncodeToString(sum[:]) != file.SHA256 || file.View != "Overview" || file.Workbook != "Superstore" {
				w.Errorf("got file %+v that does not describe its %d bytes", file, len(b))
			}
		}
		mails := w.wantMail("ana@example.com", 1)
		w.wantMail("rui@example.com", 1)
		var names []string
		for _, a := range mails[0].Attachments {
			names = append(names, a.FileName)
		}
		if got := strings.Join(names, " "); got != "Overview.csv Numbers of r.pdf" {
			w.Errorf("got attachments %q, want both files by their names", got)
		}
		if len(w.slack.arrived) != 1 || !strings.Contains(w.slack.arrived[0], "Numbers of r") {
			w.Errorf("got Slack messages %q, want one about the report", w.slack.arrived)
		}
		w.wantIdle()
		if got := w.tableau.Stats().SignIns; got != 1 {
			w.Errorf("got %d sign-ins, want that of the connection", got)
		}
		// Nothing is left to do.
		w.work()
		w.wantMail("ana@example.com", 1)
	})
}

func TestSameExportOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", content(
			report.Content{View: overview, Format: tableau.CSV, FileName: "One"},
			report.Content{View: overview, Format: tableau.CSV, FileName: "Two"},
			report.Content{View: overview, Format: tableau.CSV, FileName: "Two"},
			report.Content{View: overview, Format: tableau.CSV, FileName: "West", Filters: map[string][]string{"Region": {"West"}}},
		))
		id := w.start("r")
		before := w.tableau.Stats().Exports["csv"] // while its filters were looked at
		w.work()
		r := w.wantRun(id, run.Delivered, "")
		if got := w.tableau.Stats().Exports["csv"] - before; got != 2 || len(r.Files) != 2 {
			w.Errorf("got %d exports and %d files, want 2: all and the west", got, len(r.Files))
		}
		mail := w.wantMail("ana@example.com", 1)[0]
		var names []string
		for _, a := range mail.Attachments {
			names = append(names, a.FileName)
		}
		if got := strings.Join(names, ", "); got != "One.csv, Two.csv, Two (2).csv, West.csv" {
			w.Errorf("got attachments %q, want each content with a name of its own", got)
		}
	})
}

func TestExportsAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.SetLatency(10 * time.Second)
		w.drain.Exports = 3
		views := []string{"Superstore/sheets/Overview", "Superstore/sheets/SalesbyRegion", "Finance/sheets/Overview"}
		var ids []string
		for i := range 4 {
			var items []report.Content
			for _, view := range views {
				items = append(items, report.Content{View: view, Format: tableau.CSV})
			}
			w.makeReport(fmt.Sprint("r", i), content(items...))
			ids = append(ids, w.start(fmt.Sprint("r", i)))
		}
		begun := time.Now()
		w.work()
		for _, id := range ids {
			w.wantRun(id, run.Delivered, "")
		}
		if got := w.tableau.Stats().ExportsInFlightMax; got != 3 {
			w.Errorf("got %d exports at once, want 3", got)
		}
		if took := time.Since(begun); took > 45*time.Second {
			w.Errorf("it took %v, want about four rounds of 10 s", took)
		}
	})
}

// A drain lives longer than the site's lease: it renews it.
func TestLongDrainKeepsItsLease(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.SetLatency(4 * time.Minute)
		w.makeReport("r")
		id := w.start("r")
		done := make(chan error)
		go func() { done <- w.drain.Site(w.Context(), site) }()
		for range 3 {
			time.Sleep(70 * time.Second)
			w.work() // another drain finds the site leased
		}
		w.succeed(<-done)
		w.wantRun(id, run.Delivered, "")
		if got := w.tableau.Stats().Exports["csv"]; got != 1 {
			w.Errorf("got %d exports, want 1", got)
		}
		w.wantMail("ana@example.com", 1)
	})
}

// A drain dies right after it has leased the site. Another process, which ticks
// every few seconds, has the site at work again within half a minute.
func TestDeadDrainBlocksForHalfAMinute(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		inHand := w.start("r")
		dying := &failing{store: w.store, forever: true, only: func(what string) bool { return what != "LeaseSite" }}
		dying.left.Store(2) // it has taken the run in hand
		w.wire(dying)
		_ = w.drain.Site(w.Context(), site)
		w.wantRunState(inHand, run.Running)

		w.wire(w.store)
		waiting := w.start("r")
		w.liveEach(5*time.Second, 30*time.Second)
		for _, id := range []string{inHand, waiting} {
			w.wantRun(id, run.Delivered, "")
		}
		w.wantMail("ana@example.com", 2)
	})
}

// A renewal that hangs, as over a connection that is gone, does not lose the
// lease: the next one is made in time.
func TestHangingRenewalKeepsTheLease(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.SetLatency(2 * time.Minute)
		w.makeReport("r")
		id := w.start("r")
		hanging := w.drainOver(&hangingRenewal{store: w.store})
		done := make(chan error)
		go func() { done <- hanging.Site(w.Context(), site) }()
		for range 10 {
			time.Sleep(5 * time.Second)
			w.work() // another drain finds the site leased
		}
		w.succeed(<-done)
		if r := w.wantRun(id, run.Delivered, ""); r.Resumed != 0 {
			w.Errorf("got a run resumed %d times, want none", r.Resumed)
		}
	})
}

// hangingRenewal is a store whose first renewal of a lease is never answered.
type hangingRenewal struct {
	store
	renewals atomic.Int64
}

func (h *hangingRenewal) RenewSite(ctx context.Context, lease run.Lease, until time.Time) error {
	if h.renewals.Add(1) == 1 {
		<-ctx.Done()
		return ctx.Err()
	}
	return h.store.RenewSite(ctx, lease, until)
}

// A drain that was stopped for a while, as a process is whose machine sleeps,
// finds its lease gone and writes nothing.
func TestFencedDrainWritesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.tableau.SetLatency(30 * time.Second)
		frozen := &frozen{store: w.store}
		first := w.drainOver(frozen)
		done := make(chan error)
		go func() { done <- first.Site(w.Context(), site) }()
		time.Sleep(10 * time.Second)
		frozen.stop.Store(true) // no renewal gets through
		time.Sleep(15 * time.Second)
		// Its lease has run out, and another drain works the site off.
		lease, err := w.store.LeaseSite(w.Context(), site, "another", time.Now().Add(time.Minute), time.Now().Add(2*time.Minute))
		w.succeed(err)
		w.succeed(w.store.ReleaseSite(w.Context(), lease))
		frozen.stop.Store(false)
		w.work()
		w.succeed(<-done)
		r := w.wantRun(id, run.Delivered, "")
		if r.Resumed != 1 {
			w.Errorf("got a run resumed %d times, want once", r.Resumed)
		}
		w.wantMail("ana@example.com", 1)
		if !strings.Contains(w.log.String(), "went to another drain") {
			w.Error("the first drain did not notice")
		}
		w.wantIdle()
	})
}

// A process stands still between a claim and its send, for longer than the claim
// lasts: it must not send what another may send by then.
func TestLateClaimIsNotUsed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		stopped := w.drainOver(&slowClaim{store: w.store})
		done := make(chan error)
		go func() { done <- stopped.Site(w.Context(), site) }()
		time.Sleep(time.Second)  // it is the one that has the site
		w.live(14 * time.Minute) // the claim has run out, and it may have been sent
		w.succeed(<-done)
		w.live(10 * time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
	})
}

// slowClaim is a store that takes a quarter of an hour for the first claim of a
// delivery, while no renewal of a lease gets through.
type slowClaim struct {
	store
	claims atomic.Int64
}

func (s *slowClaim) UpdateDelivery(ctx context.Context, lease *run.Lease, d run.Delivery) (run.Delivery, error) {
	claimed, err := s.store.UpdateDelivery(ctx, lease, d)
	if d.State == run.Sending && s.claims.Add(1) == 1 {
		time.Sleep(15 * time.Minute)
	}
	return claimed, err
}

func (s *slowClaim) RenewSite(context.Context, run.Lease, time.Time) error { return errStore }

// A drain loses its site while it waits for a channel's answer: the answer still
// counts, and the message is not sent again for want of it.
func TestLostLeaseDoesNotCutASendOff(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		losing := w.drainOver(&lateRenewals{store: w.store})
		losing.Mail = slowMail{w.mail}
		done := make(chan error)
		go func() { done <- losing.Site(w.Context(), site) }()
		time.Sleep(time.Second) // it is the one that has the site
		w.liveEach(4*time.Second, 15*time.Minute)
		w.succeed(<-done)
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
	})
}

// lateRenewals is a store that does not answer the first renewals of a lease,
// until it has run out.
type lateRenewals struct {
	store
	renewals atomic.Int64
}

func (l *lateRenewals) RenewSite(ctx context.Context, lease run.Lease, until time.Time) error {
	if l.renewals.Add(1) <= 6 {
		return errStore
	}
	return l.store.RenewSite(ctx, lease, until)
}

// slowMail is a carrier that takes a message at once, and says so after 45
// seconds to whoever still listens.
type slowMail struct{ deliver.Mailer }

func (m slowMail) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	receipt, err := m.Mailer.Send(ctx, e)
	select {
	case <-time.After(45 * time.Second):
		return receipt, err
	case <-ctx.Done():
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Unknown, Code: "no_answer", Err: ctx.Err()}
	}
}

// A run that is cut off by the function's deadline is no attempt, and the bell
// is rung for the rest.
func TestCutOffByDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.SetLatency(time.Minute)
		w.makeReport("r")
		id := w.start("r")
		w.bell.take()
		ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
		defer cancel()
		w.succeed(w.drain.Site(ctx, site))
		r := w.wantRun(id, run.Queued, "")
		if r.Attempts != 0 || r.Resumed != 0 {
			w.Errorf("got %d attempts, resumed %d times, want none", r.Attempts, r.Resumed)
		}
		if got := w.bell.take(); len(got) != 1 {
			w.Errorf("got bells for %q, want the site", got)
		}
		w.work()
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
	})
}

func TestNothingIsBegunNearTheDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.drain.Reserve = 2 * time.Minute
		w.drain.Exports = 1 // two workers
		w.tableau.SetLatency(20 * time.Second)
		var ids []string
		for i := range 6 {
			w.makeReport(fmt.Sprint("r", i))
			ids = append(ids, w.start(fmt.Sprint("r", i)))
		}
		w.bell.take()
		ctx, cancel := context.WithTimeout(w.Context(), 170*time.Second)
		defer cancel()
		w.succeed(w.drain.Site(ctx, site))
		states := map[run.State]int{}
		for _, id := range ids {
			r, _ := w.get(id)
			states[r.State]++
			if r.Attempts != 0 || r.Resumed != 0 || r.State == run.Queued && !r.StartedAt.IsZero() {
				w.Errorf("got run %+v, want it delivered or not begun", r)
			}
		}
		if states[run.Delivered] < 3 || states[run.Queued] < 1 || len(states) != 2 {
			w.Errorf("got %v, want the first delivered and the rest queued", states)
		}
		if got := w.bell.take(); len(got) != 1 {
			w.Errorf("got bells for %q, want the site", got)
		}
		w.work()
		for _, id := range ids {
			w.wantRun(id, run.Delivered, "")
		}
		if got := w.bell.take(); len(got) != 0 {
			w.Errorf("got bells for %q when nothing was left", got)
		}
		w.wantIdle()
	})
}

// A run that is asked for while a long one is in hand does not wait for it.
func TestWorkThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("long")
		w.makeReport("short", content(report.Content{View: "Finance/sheets/Overview", Format: tableau.CSV}))
		long := w.start("long")
		w.fault(tableautest.Fault{Kind: tableautest.FaultSlow, Route: "export", View: overview, Delay: tableautest.Duration(5 * time.Minute)})
		done := make(chan error)
		go func() { done <- w.drain.Site(w.Context(), site) }()
		time.Sleep(time.Minute)
		short := w.start("short")
		w.work() // what the bell wakes finds the site leased
		time.Sleep(10 * time.Second)
		w.wantRun(short, run.Delivered, "")
		w.wantRunState(long, run.Running)
		w.succeed(<-done)
		w.wantRun(long, run.Delivered, "")
	})
}

// A list of work is as old as its reading: a run that was put off since is not
// due.
func TestOldListOfWork(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.fault(tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "export", Times: -1})
		w.wire(&oldList{store: w.store})
		w.work()
		if r := w.wantRun(id, run.Queued, ""); r.Attempts != 1 || w.tableau.Stats().Calls["data"] != 3 {
			w.Errorf("got %d attempts and %d calls, want one attempt of three", r.Attempts, w.tableau.Stats().Calls["data"])
		}
	})
}

// oldList gives a site's work as it was at the first reading.
type oldList struct {
	store
	work []run.Work
}

func (o *oldList) Work(ctx context.Context, site string, now time.Time, limit int) (_ []run.Work, err error) {
	if o.work == nil {
		o.work, err = o.store.Work(ctx, site, now, limit)
	}
	return o.work, err
}

func TestTwoDrainsOfOneSite(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.SetLatency(5 * time.Second)
		var ids []string
		for i := range 5 {
			w.makeReport(fmt.Sprint("r", i), slackToo)
			ids = append(ids, w.start(fmt.Sprint("r", i)))
		}
		done := make(chan error)
		for range 4 {
			go func() { done <- w.drain.Site(w.Context(), site) }()
		}
		for range 4 {
			w.succeed(<-done)
		}
		for _, id := range ids {
			w.wantRun(id, run.Delivered, "")
		}
		w.wantMail("ana@example.com", 5)
		if got := len(w.slack.arrived); got != 5 {
			w.Errorf("got %d Slack messages, want 5", got)
		}
	})
}

func TestPausedAndDeletedReports(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("paused", each("0 * * * *", ""))
		w.makeReport("deleted")
		time.Sleep(time.Hour)
		_, err := w.tick.Run(w.Context())
		w.succeed(err)
		scheduled := w.runsOf("paused")[0].ID
		deleted := w.start("deleted")
		// The store alone: as when the process dies before it skips the runs.
		r, err := w.store.Report(w.Context(), "paused")
		w.succeed(err)
		r.Enabled, r.NextRunAt = false, time.Time{}
		w.succeed(w.store.UpdateReport(w.Context(), r))
		byHand := w.start("paused")
		r, err = w.store.Report(w.Context(), "deleted")
		w.succeed(err)
		w.succeed(w.store.DeleteReport(w.Context(), "deleted", r.Rev))

		w.work()
		w.wantRun(scheduled, run.Skipped, "paused")
		w.wantRun(deleted, run.Skipped, "deleted")
		w.wantRun(byHand, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
		w.wantIdle()
	})
}

func TestDeletedConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		r, _ := w.get(id)
		r.ConnectionID = "gone"
		_, err := w.store.UpdateRun(w.Context(), nil, r)
		w.succeed(err)
		w.work()
		w.wantRun(id, run.Failed, "connection was deleted")
		w.wantMail(owner, 1)
		w.wantIdle()
	})
}
