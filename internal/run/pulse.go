package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// Pulse is kept by the scheduler: when it was last alive, and for how long it has
// been so in all. The time that runs have is counted by the latter, so that
// neither downtime nor a wrong clock uses it up.
type Pulse struct {
	Rev    int64 // counts all writes; the store's optimistic lock; 0: never written
	At     time.Time
	Worked time.Duration // grows by at most longestBeat at a time; never 0 once written

	// The clock has gone on steadily since Since. If it had been ahead before,
	// From is when it was last right, by which what it did wrong is put right;
	// else From is Since. Before is the last beat before it jumped ahead.
	Since, From, Before time.Time

	// HealedAt is when the stored times were last compared with the clock and
	// the schedules.
	HealedAt time.Time
}

const (
	// beat is how often the pulse is written, at most; longestBeat is the longest
	// time between two that still counts as having been alive in between.
	beat        = 20 * time.Second
	longestBeat = 2 * time.Minute

	// healEvery is how often stored times are compared with the clock where
	// nothing points to one that jumped.
	healEvery = time.Hour

	// longestOff is how long vizpost may have been off before it is as likely that
	// the clock is wrong.
	longestOff = 24 * time.Hour

	// longestWait is the longest that anything waits to be looked at again. A time
	// further ahead was written by a clock that was wrong, or at the wish of a
	// server that does no harm to ask earlier.
	longestWait = time.Hour

	// longestNotice is the same of notices, which are tried for as long as it takes.
	longestNotice = 24 * time.Hour

	// longestClaim is longer than any claim of a delivery.
	longestClaim = 15 * time.Minute
)

// farFuture is later than any time that is stored.
func farFuture() time.Time { return time.Date(9000, time.January, 1, 0, 0, 0, 0, time.UTC) }

// worked gives for how long vizpost has been at work by now.
func (p Pulse) worked(now time.Time) time.Duration {
	if p.Rev == 0 {
		return 0
	}
	return p.Worked + min(max(now.Sub(p.At), 0), longestBeat)
}

// jumped reports whether the clock may be another than that of the last beat: it
// went back, or on by more than it does between two beats.
func (p Pulse) jumped(now time.Time) bool {
	return p.At.After(now.Add(longestBeat)) || now.Sub(p.At) > longestBeat
}

// doubtful reports whether the clock has just gone on by so much that it may be
// wrong, and not yet steadily for a little since. What is due by it may be due in
// a year.
func (p Pulse) doubtful(now time.Time) bool {
	return !p.Before.IsZero() && p.Since.Sub(p.Before) > longestOff && now.Sub(p.Since) < longestBeat
}

// next is the pulse of a beat after p.
func (p Pulse) next(now time.Time) Pulse {
	n := p
	n.At, n.Worked = now, max(p.worked(now), time.Second)
	switch back := p.At.After(now); {
	case !p.jumped(now):
		if back { // of another machine, whose clock is a little ahead
			n.At = p.At
		}
	case !back: // or vizpost was not running
		n.Since, n.From, n.Before = now, now, p.At
	case p.Before.IsZero() || p.Before.After(now):
		n.Since, n.From, n.Before = now, now, time.Time{}
	default:
		n.Since, n.From = now, p.Before
	}
	return n
}

// healDue reports whether stored times are to be compared with the clock: once
// after a jump, when it has gone on steadily for a little, and then each hour.
func (p Pulse) healDue(now time.Time) bool {
	return now.Sub(p.Since) >= longestBeat && (p.HealedAt.Before(p.Since) || p.HealedAt.After(now) || now.Sub(p.HealedAt) >= healEvery)
}

// pulse notes that the scheduler is alive, and has the stored times looked at
// when that is due.
func (t *Tick) pulse(ctx context.Context, now time.Time) (Pulse, error) {
	p, err := t.Store.Pulse(ctx)
	if err != nil {
		return p, fmt.Errorf("reading the scheduler's pulse: %w", err)
	}
	if !p.jumped(now) && now.Sub(p.At) < beat {
		return p, nil
	}
	if p.Rev > 0 && p.jumped(now) {
		t.Log.Warn("the clock jumped, or vizpost was not running", "before", p.At, "now", now)
	}
	next := p.next(now)
	var failures []error
	if next.healDue(now) {
		from := now
		if next.HealedAt.Before(next.Since) || next.HealedAt.After(now) {
			from = next.From
		}
		if err := t.heal(ctx, from, now); err != nil {
			failures = append(failures, err) // the next tick tries again
		} else {
			next.HealedAt = now
		}
	}
	// Of two that tick at the same time, one is enough.
	if err := t.Store.PutPulse(ctx, next); err != nil && !problem.Is(err, problem.Stale) {
		failures = append(failures, fmt.Errorf("writing the scheduler's pulse: %w", err))
	}
	return next, errors.Join(failures...)
}

// heal compares what is stored of times to come with what they can be.
func (t *Tick) heal(ctx context.Context, from, now time.Time) error {
	return errors.Join(t.healReports(ctx, from, now), t.healWork(ctx, now))
}

// healReports moves the next time of reports to what their schedule says, from a
// time on at which the clock was right, where it is later, or none. A time that
// has come is left: it is due. What was made of an occurrence before its time
// stays made: there is one run for each.
func (t *Tick) healReports(ctx context.Context, from, now time.Time) error {
	var failures []error
	after := ""
	for {
		page, next, err := t.Store.Reports(ctx, "", after, duePage)
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("reading reports: %w", err))...)
		}
		for _, r := range page {
			at, wrong := healed(r, from, now)
			if !wrong {
				continue
			}
			t.Log.Warn("a report was to run later than its schedule says", "report", r.ID, "stored", r.NextRunAt, "schedule", at)
			err := t.Store.Fire(ctx, r, at, nil)
			if err != nil && !problem.Is(err, problem.Stale) && !problem.Is(err, problem.NotFound) {
				failures = append(failures, fmt.Errorf("report %s: setting its next time: %w", r.ID, err))
			}
		}
		if next == "" {
			return errors.Join(failures...)
		}
		after = next
	}
}

// healed gives when a report is to run next, if that is not what is stored.
func healed(r report.Report, from, now time.Time) (time.Time, bool) {
	if !r.Enabled || r.Schedule == nil {
		return time.Time{}, false
	}
	if r.UpdatedAt.After(from) && !r.UpdatedAt.After(now) {
		from = r.UpdatedAt
	}
	at, ok := r.Schedule.Next(from)
	if !ok || at.IsZero() {
		return time.Time{}, false
	}
	return at, r.NextRunAt.IsZero() || r.NextRunAt.After(at)
}

// healWork has work done at once that is put off for longer than anything is.
func (t *Tick) healWork(ctx context.Context, now time.Time) error {
	sites, err := t.Store.WorkSites(ctx, farFuture())
	if err != nil {
		return fmt.Errorf("looking for sites with work: %w", err)
	}
	var failures []error
	for _, site := range sites {
		failures = append(failures, t.healSite(ctx, site, now))
	}
	return errors.Join(failures...)
}

func (t *Tick) healSite(ctx context.Context, site string, now time.Time) error {
	var failures []error
	for after := now.Add(longestWait + longestClaim); ; {
		work, err := t.Store.FutureWork(ctx, site, after, duePage)
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("reading the work of site %s: %w", site, err))...)
		}
		for _, w := range work {
			after = w.NotBefore
			err := pullForward(ctx, t.Store, w, now)
			if err != nil && !problem.Is(err, problem.Stale) && !problem.Is(err, problem.NotFound) {
				failures = append(failures, fmt.Errorf("work %s of site %s: %w", w.name(), site, err))
			}
		}
		if len(work) < duePage {
			return errors.Join(failures...)
		}
	}
}

// pullForward has work done at a time.
func pullForward(ctx context.Context, store Store, w Work, at time.Time) error {
	switch w.Kind {
	case WorkRun:
		r, err := store.Run(ctx, w.Ref)
		if err != nil {
			return err
		}
		if r.State != Queued && r.State != Running || !r.NotBefore.After(at) {
			return nil
		}
		r.NotBefore = at
		_, err = store.UpdateRun(ctx, nil, r)
		return err
	case SendNote:
		n, err := store.Delivery(ctx, w.Ref)
		if err != nil {
			return err
		}
		if !n.heal(at) {
			return nil
		}
		_, err = store.UpdateDelivery(ctx, nil, n)
		return err
	default: // of a connection: the hourly care puts it at its time
		return nil
	}
}

// heal brings the times of a delivery back that lie further ahead than any can,
// and reports whether one did. A send may be under way under a claim, whatever
// the clock was: it keeps the longest time that one has.
func (d *Delivery) heal(now time.Time) bool {
	before := *d
	if d.State == Sending && d.ClaimedUntil.After(now.Add(longestClaim)) {
		d.ClaimedUntil, d.NotBefore = now.Add(longestClaim), now.Add(longestClaim)
	}
	longest := longestWait
	if d.Notice != nil {
		longest = longestNotice
	}
	if d.State != Sending && !d.State.Settled() && d.NotBefore.After(now.Add(longest)) {
		d.NotBefore = now
	}
	return !d.NotBefore.Equal(before.NotBefore) || !d.ClaimedUntil.Equal(before.ClaimedUntil)
}

// worked gives for how long vizpost has been at work by now; 0 where that is not
// known yet.
func (d *drain) worked(ctx context.Context) (time.Duration, error) {
	p, err := d.Store.Pulse(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the scheduler's pulse: %w", err)
	}
	return p.worked(d.Now()), nil
}

// left is how much of its time a run still has.
func (r Run) left(worked time.Duration) time.Duration {
	if r.Begun == 0 || worked < r.Begun { // not begun, or of another installation's clock
		return report.DefaultDeadline
	}
	return report.DefaultDeadline - (worked - r.Begun)
}
