package run

import (
	"cmp"
	"context"
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
	if problem.Is(err, problem.NotFound) {
		return d.Store.DropWork(ctx, w)
	}
	if err != nil {
		return fmt.Errorf("reading the connection: %w", err)
	}
	works := c.State.Works()
	if !works && !d.Now().Before(c.ProbeAt) {
		if works, err = d.Connections.Probe(ctx, c.ID); err != nil {
			return fmt.Errorf("probing the connection: %w", err)
		}
		if c, err = d.Connections.Get(ctx, w.Ref); err != nil {
			return fmt.Errorf("reading the connection: %w", err)
		}
	}
	if !works {
		w.NotBefore = c.ProbeAt
		return d.Store.PutWork(ctx, w)
	}
	if err := d.release(ctx, c.ID); err != nil {
		return err
	}
	return d.Store.DropWork(ctx, w)
}

// hold puts a run aside until its connection works again, and tells the
// connection's people once.
func (d *drain) hold(ctx context.Context, r Run, c connection.Connection) error {
	r.State, r.Reason = Held, "The connection does not work; the run is delivered once it does."
	if c.Problem != nil {
		r.Reason = c.Problem.Message + " The run is held and delivered once the connection works again."
	}
	if _, err := d.Store.UpdateRun(ctx, &d.lease, r); err != nil {
		return fmt.Errorf("holding the run: %w", err)
	}
	probe := Work{Site: d.lease.Site, Kind: Probe, Ref: c.ID, NotBefore: c.ProbeAt}
	if err := d.Store.PutWork(ctx, probe); err != nil {
		return fmt.Errorf("noting a probe: %w", err)
	}
	return d.noteBroken(ctx, c)
}

// release queues the held runs of a connection that works again, by the
// catch-up policy of their reports. Runs that somebody asked for always go on.
func (d *drain) release(ctx context.Context, connectionID string) error {
	byReport := map[string][]Run{}
	after := ""
	for {
		page, err := d.Store.HeldRuns(ctx, d.lease.Site, after, duePage)
		if err != nil {
			return fmt.Errorf("reading held runs: %w", err)
		}
		for _, r := range page {
			if r.ConnectionID == connectionID {
				byReport[r.ReportID] = append(byReport[r.ReportID], r)
			}
		}
		if len(page) < duePage {
			break
		}
		after = page[len(page)-1].ID
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
		for _, r := range released(runs, policy, d.Now()) {
			if _, err := d.Store.UpdateRun(ctx, &d.lease, r); err != nil && !problem.Is(err, problem.Stale) {
				return fmt.Errorf("releasing a held run: %w", err)
			}
		}
	}
	return nil
}

// released says what becomes of a report's held runs: those that are skipped
// come first.
func released(runs []Run, policy report.CatchUp, now time.Time) []Run {
	var scheduled, skipped, queued []Run
	queue := func(r Run) {
		r.State, r.Reason, r.NotBefore, r.Deadline = Queued, "", now, now.Add(report.DefaultDeadline)
		if r.StandsFor > 1 {
			r.Reason = fmt.Sprintf("Stands for %d occurrences.", r.StandsFor)
		}
		queued = append(queued, r)
	}
	skip := func(r Run, reason string) {
		r.State, r.Reason, r.FinishedAt = Skipped, reason, now
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
		return queued
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
	return append(skipped, queued...)
}
