package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

const (
	duePage = 500

	// maxCatchUp bounds the runs that one report gets for occurrences that
	// were missed.
	maxCatchUp = 100

	// onTime is how late an occurrence may be and still not count as missed.
	onTime = 10 * time.Minute
)

// Tick makes runs of what is due and has the bells rung that went unheard. It
// runs each minute; what one tick misses, the next picks up.
type Tick struct {
	Store       Store
	Connections interface {
		// Connection reads one, consistently. NotFound when there is none.
		Connection(ctx context.Context, id string) (connection.Connection, error)
	}
	Repeats Repeats // nil where nothing was restored from a backup
	Bell    Bell
	Now     func() time.Time
	NewID   func() string
	Log     *slog.Logger
}

// Tally is what a tick did.
type Tally struct {
	Due         int // reports that the due query returned
	Runs        int // runs made, skipped ones among them
	Occurrences int // occurrences that they stand for
	Late        int // reports that were due for more than ten minutes
	Sites       int // bells rung
}

// Run makes one tick. What fails for one report does not stop the others; the
// errors come joined.
func (t *Tick) Run(ctx context.Context) (Tally, error) {
	now := t.Now()
	var tally Tally
	var failures []error
	sites := map[string]bool{}
	connections := map[string]string{} // id to site key
	var repeats time.Time
	if t.Repeats != nil {
		var err error
		if repeats, err = t.Repeats.MayRepeatUntil(ctx); err != nil {
			return tally, fmt.Errorf("looking for what may be a repeat: %w", err)
		}
	}

	// First of all: what a wrong clock wrote is put right before it is gone by.
	pulse, err := t.pulse(ctx, now)
	if err != nil {
		failures = append(failures, err)
	}
	for !pulse.doubtful(now) {
		due, err := t.Store.DueReports(ctx, now, duePage)
		if err != nil {
			return tally, errors.Join(append(failures, fmt.Errorf("reading due reports: %w", err))...)
		}
		tally.Due += len(due)
		fired := 0
		for _, r := range due {
			if now.Sub(r.NextRunAt) > onTime {
				tally.Late++
			}
			site, ok := connections[r.ConnectionID]
			if !ok {
				c, err := t.Connections.Connection(ctx, r.ConnectionID)
				if err != nil {
					failures = append(failures, fmt.Errorf("report %s: reading its connection: %w", r.ID, err), t.overdue(ctx, r, "", err, now))
					continue
				}
				site = c.SiteKey()
				connections[r.ConnectionID] = site
			}
			runs, next := occurrences(r, site, now, t.NewID)
			for i := range runs {
				runs[i].PossibleRepeat = !runs[i].ScheduledFor.After(repeats)
			}
			err := t.Store.Fire(ctx, r, next, runs)
			if problem.Is(err, problem.Stale) || problem.Is(err, problem.NotFound) {
				continue // edited or deleted in between: the next tick looks again
			}
			if err != nil {
				failures = append(failures, fmt.Errorf("report %s: making its run: %w", r.ID, err), t.overdue(ctx, r, site, err, now))
				continue
			}
			if next.IsZero() && r.Schedule != nil && r.Schedule.EndsOn == nil {
				failures = append(failures, t.without(ctx, r, site))
			}
			fired++
			tally.Runs += len(runs)
			for _, run := range runs {
				tally.Occurrences += run.StandsFor
				if run.State == Queued {
					sites[site] = true
				}
			}
		}
		if len(due) < duePage || fired == 0 {
			break
		}
	}

	waiting, err := t.Store.WorkSites(ctx, now)
	if err != nil {
		failures = append(failures, fmt.Errorf("looking for sites with work: %w", err))
	}
	for _, site := range waiting {
		sites[site] = true
	}
	for site := range sites {
		if err := t.Bell.Ring(ctx, site); err != nil {
			failures = append(failures, fmt.Errorf("ringing for a site: %w", err))
			continue
		}
		tally.Sites++
	}
	if tally.Late > 0 {
		t.Log.Warn("reports were due for more than ten minutes", "reports", tally.Late)
	}
	return tally, errors.Join(failures...)
}

// occurrences makes the runs for all occurrences of a report from its next run
// up to now, by its catch-up policy, and gives the next time after now.
func occurrences(r report.Report, site string, now time.Time, newID func() string) ([]Run, time.Time) {
	if r.Schedule == nil {
		return nil, time.Time{}
	}
	next, _ := r.Schedule.Next(now)
	list, counted := r.Schedule.Occurrences(r.NextRunAt, now, report.OccurrenceCountLimit)
	list = append([]time.Time{r.NextRunAt}, list...)
	total, latest := len(list), list[len(list)-1]
	uncounted := counted == report.OccurrenceCountLimit // so many, or more
	if uncounted {
		latest, _ = r.Schedule.Latest(r.NextRunAt, now)
	}

	one := func(scheduledFor time.Time, standsFor int) Run {
		run := newRun(r, site, now, newID())
		run.Key = ScheduledKey(r.ID, scheduledFor)
		run.ScheduledFor, run.Trigger, run.StandsFor = scheduledFor, Scheduled, standsFor
		return run
	}
	skip := func(run Run) Run {
		run.Key = MissedKey(r.ID, run.ScheduledFor)
		run.miss(now, missed(run.StandsFor)+" while vizpost was not running; the report's catch-up policy is \"none\".")
		return run
	}

	switch r.Schedule.CatchUp {
	case report.CatchUpAll:
		if uncounted {
			return []Run{one(latest, total)}, next
		}
		var runs []Run
		over := max(0, len(list)-maxCatchUp)
		for i, at := range list[over:] {
			standsFor := 1
			if i == 0 {
				standsFor += over
			}
			runs = append(runs, one(at, standsFor))
		}
		return runs, next
	case report.CatchUpNone:
		if now.Sub(latest) > onTime {
			return []Run{skip(one(latest, total))}, next
		}
		runs := []Run{one(latest, 1)}
		if total > 1 {
			runs = append(runs, skip(one(list[len(list)-2], total-1)))
		}
		return runs, next
	default:
		run := one(latest, total)
		if total > 1 {
			run.Reason = fmt.Sprintf("Stands for %d occurrences, of which %d were missed.", total, total-1)
		}
		return []Run{run}, next
	}
}

func missed(n int) string {
	if n == 1 {
		return "This occurrence was missed"
	}
	return fmt.Sprintf("%d occurrences were missed", n)
}

// newRun makes a queued run with the report's snapshot.
func newRun(r report.Report, site string, now time.Time, id string) Run {
	r = r.Clone()
	zone := "UTC"
	if r.Schedule != nil {
		zone = r.Schedule.TimeZone
	}
	made := Run{
		ID: id, ReportID: r.ID, ReportName: r.Name, ConnectionID: r.ConnectionID, Site: site, TimeZone: zone,
		StandsFor: 1, Content: r.Content, Destinations: r.Destinations, Notify: r.Notify,
	}
	made.queue(now)
	return made
}
