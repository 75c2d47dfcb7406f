package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// Holds has the runs looked at that a broken connection holds. The work is a
// probe: a drain that meets one of a connection that works releases its runs.
type Holds struct {
	Store Store
	Bell  Bell
	Now   func() time.Time
}

// Prepare implements [connection.Holds].
func (h *Holds) Prepare(ctx context.Context, c connection.Connection) error {
	return h.Store.PutWork(ctx, Work{Site: c.SiteKey(), Kind: Probe, Ref: c.ID, NotBefore: h.Now().Add(time.Minute)})
}

// Release implements [connection.Holds].
func (h *Holds) Release(ctx context.Context, c connection.Connection) error {
	if err := h.Store.PutWork(ctx, Work{Site: c.SiteKey(), Kind: Probe, Ref: c.ID, NotBefore: h.Now()}); err != nil {
		return err
	}
	return h.Bell.Ring(ctx, c.SiteKey())
}

var _ connection.Holds = (*Holds)(nil)

// probe tries a broken connection if it is time, and releases what a
// connection that works holds.
func (d *drain) probe(ctx context.Context, w Work) error {
	c, err := d.Connections.Get(ctx, w.Ref)
	if err == nil && !c.State.Works() && !d.Now().Before(c.ProbeDue(d.Now())) && c.SiteKey() == d.lease.Site {
		if _, err = d.Connections.Probe(ctx, c.ID); err == nil {
			c, err = d.Connections.Get(ctx, c.ID)
		}
	}
	switch {
	case problem.Is(err, problem.NotFound): // its runs are to fail, and to say so
	case err != nil:
		return fmt.Errorf("probing the connection: %w", err)
	case !c.State.Works():
		return d.noteBroken(ctx, c)
	default:
		if err := problemNotices(ctx, d.Store, &d.lease, c, d.Now); err != nil {
			return err
		}
	}
	waiting, err := d.held(ctx, w.Ref)
	if err != nil {
		return err
	}
	if err := d.release(ctx, w.Ref); err != nil {
		return err
	}
	if err := d.mended(ctx, w.Ref, len(waiting)); err != nil {
		return err
	}
	if err := d.Store.DropWork(ctx, w); err != nil {
		return err
	}
	// A run that was held in between counts on the probe just dropped.
	held, err := d.held(ctx, w.Ref)
	if err != nil || len(held) == 0 {
		return err
	}
	return d.probeAt(ctx, w.Ref, d.Now())
}

func (d *drain) probeAt(ctx context.Context, connectionID string, at time.Time) error {
	return putProbe(ctx, d.Store, d.lease.Site, connectionID, at)
}

func putProbe(ctx context.Context, store Store, site, connectionID string, at time.Time) error {
	if err := store.PutWork(ctx, Work{Site: site, Kind: Probe, Ref: connectionID, NotBefore: at}); err != nil {
		return fmt.Errorf("noting a probe: %w", err)
	}
	return nil
}

// probeBroken has a connection that was read broken probed when it is time. If
// somebody has mended it since, it is looked at now: the time just written may
// stand in the place of theirs.
func probeBroken(ctx context.Context, store Store, connections getter, site string, c connection.Connection, now time.Time) error {
	if err := putProbe(ctx, store, site, c.ID, probeTime(c, site, now)); err != nil {
		return err
	}
	latest, err := connections.Get(ctx, c.ID)
	switch {
	case problem.Is(err, problem.NotFound):
		return nil
	case err != nil:
		return fmt.Errorf("reading the connection: %w", err)
	case !latest.State.Works():
		return nil
	}
	return putProbe(ctx, store, site, c.ID, now)
}

// strayLook is how often a site looks at a connection that has left it, and still
// holds runs there: whoever mends it rings at its new site, which also tries it.
const strayLook = 5 * time.Minute

// probeTime is when a site looks at a broken connection again.
func probeTime(c connection.Connection, site string, now time.Time) time.Time {
	if c.SiteKey() != site {
		return now.Add(strayLook)
	}
	return c.ProbeDue(now)
}

// getter reads connections.
type getter interface {
	// Get reads one, consistently. NotFound when there is none.
	Get(ctx context.Context, id string) (connection.Connection, error)
}

// keepAlive makes a sign-in for a token's own sake. One that fails is tried
// again by the next round of care, unless it shows that the connection is
// broken.
func (d *drain) keepAlive(ctx context.Context, w Work) error {
	c, err := d.Connections.Get(ctx, w.Ref)
	if err == nil {
		err = d.tryOften(ctx, c, func() error { return d.Connections.KeepAlive(ctx, c.ID) })
	}
	var broken *connection.BrokenError
	if errors.As(err, &broken) {
		if err := d.noteBroken(ctx, broken.Connection); err != nil {
			return err
		}
	}
	if err != nil {
		d.Log.Warn("a token was not kept alive", "connection", w.Ref, "error", err)
	}
	return d.Store.DropWork(ctx, w)
}

// hold puts a run aside until its connection works again, and tells the
// connection's people once.
func (d *drain) hold(ctx context.Context, r Run, c connection.Connection) error {
	// First the probe and the notice: a crash in between leaves no held run
	// that nobody looks at or hears of.
	if err := d.noteBroken(ctx, c); err != nil {
		return err
	}
	reason := "The connection does not work; the run is delivered once it does."
	if c.Problem != nil {
		reason = c.Problem.Message + " The run is held and delivered once the connection works again."
	}
	if err := r.hold(d.Now(), reason); err != nil {
		return err
	}
	if _, err := d.Store.UpdateRun(ctx, &d.lease, r); err != nil {
		return fmt.Errorf("holding the run: %w", err)
	}
	// Whoever mended the connection since has released what was held then, and
	// may have dropped the probe.
	at := d.Now()
	latest, err := d.Connections.Get(ctx, c.ID)
	switch {
	case problem.Is(err, problem.NotFound):
	case err != nil:
		return fmt.Errorf("reading the connection: %w", err)
	case !latest.State.Works():
		at = probeTime(latest, d.lease.Site, at)
	}
	return d.probeAt(ctx, c.ID, at)
}

// release queues the held runs of a connection that works again, by the
// catch-up policy of their reports. Runs that somebody asked for always go on.
func (d *drain) release(ctx context.Context, connectionID string) error {
	held, err := d.held(ctx, connectionID)
	if err != nil || len(held) == 0 {
		return err
	}
	// The history is told first: a crash in between tells of a run twice rather
	// than not at all.
	if err := d.Connections.NoteReleased(ctx, connectionID, heldRunsOf(held)); err != nil && !problem.Is(err, problem.NotFound) {
		return fmt.Errorf("noting the release: %w", err)
	}
	byReport := map[string][]Run{}
	for _, r := range held {
		byReport[r.ReportID] = append(byReport[r.ReportID], r)
	}
	for id, runs := range byReport {
		policy := report.CatchUpLatest
		rep, err := d.Reports.Report(ctx, id)
		switch {
		case err == nil && rep.Schedule != nil && rep.Schedule.CatchUp != "":
			policy = rep.Schedule.CatchUp
		case err != nil && !problem.Is(err, problem.NotFound):
			return fmt.Errorf("reading a report: %w", err)
		}
		// What is folded is written before what it is folded into, so that a
		// crash between them sends nothing twice.
		runs, err := released(runs, policy, d.Now())
		if err != nil {
			return err
		}
		for _, r := range runs {
			if _, err := d.Store.UpdateRun(ctx, &d.lease, r); err != nil && !problem.Is(err, problem.Stale) {
				return fmt.Errorf("releasing a held run: %w", err)
			}
		}
	}
	return nil
}

func heldRunsOf(runs []Run) []connection.HeldRun {
	held := make([]connection.HeldRun, 0, len(runs))
	for _, r := range runs {
		held = append(held, connection.HeldRun{ID: r.ID, ReportID: r.ReportID, ReportName: r.ReportName,
			ScheduledFor: r.ScheduledFor, StandsFor: r.StandsFor})
	}
	return held
}

// held gives the runs that a connection of the site holds.
func (d *drain) held(ctx context.Context, connectionID string) ([]Run, error) {
	var held []Run
	after := ""
	for {
		page, err := d.Store.HeldRuns(ctx, d.lease.Site, connectionID, after, duePage)
		if err != nil {
			return nil, fmt.Errorf("reading held runs: %w", err)
		}
		held = append(held, page...)
		if len(page) < duePage {
			return held, nil
		}
		after = page[len(page)-1].ID
	}
}

// released says what becomes of a report's held runs: those that are skipped
// come first.
func released(runs []Run, policy report.CatchUp, now time.Time) ([]Run, error) {
	var scheduled, skipped, queued []Run
	var failures []error
	queue := func(r Run) {
		failures = append(failures, r.release(now))
		queued = append(queued, r)
	}
	skip := func(r Run, reason string) {
		if r.StartedAt.IsZero() {
			failures = append(failures, r.end(Skipped, reason, now))
		} else { // some of its messages may have been sent
			failures = append(failures, r.endAs(Skipped, reason, now))
		}
		skipped = append(skipped, r)
	}
	for _, r := range runs {
		if r.Trigger == Scheduled {
			scheduled = append(scheduled, r)
		} else {
			queue(r)
		}
	}
	if len(scheduled) == 0 {
		return queued, errors.Join(failures...)
	}
	slices.SortFunc(scheduled, func(a, b Run) int {
		return cmp.Or(a.ScheduledFor.Compare(b.ScheduledFor), cmp.Compare(a.ID, b.ID))
	})
	keep := 1
	switch policy {
	case report.CatchUpNone:
		keep = 0
	case report.CatchUpAll:
		keep = maxCatchUp
	}
	over := scheduled[:max(0, len(scheduled)-keep)]
	kept := scheduled[len(over):]
	folded := 0
	for _, r := range over {
		folded += r.StandsFor
		if keep == 0 {
			skip(r, "Held while the connection was broken; the report's catch-up policy is \"none\".")
		} else {
			skip(r, "Held while the connection was broken; the run of "+kept[0].ScheduledFor.UTC().Format("2 January 15:04")+" UTC stands for it.")
		}
	}
	for i, r := range kept {
		if i == 0 {
			r.StandsFor += folded
		}
		queue(r)
	}
	return append(skipped, queued...), errors.Join(failures...)
}
