package report

import (
	"context"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

// Connections finds what is on a connection's site.
type Connections interface {
	// Resolve finds the view, custom view or workbook that an address or a
	// content URL names on the connection's site. The address it gives back is
	// what was read from the text. An Invalid problem with the field "view" when
	// the text names nothing of this site; NotFound when there is no such
	// connection; any other error means that Tableau could not be asked.
	Resolve(ctx context.Context, connectionID, pasted string) (tableau.Target, tableau.Address, error)

	// Supports returns what keeps the connection's server from an export: a
	// [*tableau.Error] with the cause NotSupported where it is too old for it.
	// NotFound when there is no such connection.
	Supports(ctx context.Context, connectionID string, r tableau.ExportRequest) error
}

// Destinations finds named destinations.
type Destinations interface {
	// Get reads one. NotFound when there is none.
	Get(ctx context.Context, id string) (deliver.Destination, error)
}

// Filters looks whether Tableau applies filters.
type Filters interface {
	// Before looks before there is an export. An error means that Tableau could
	// not be asked, or not in the context's time.
	Before(ctx context.Context, connectionID string, s verify.Subject) (verify.Result, error)
}

// RunSkipper takes back runs that have not begun.
type RunSkipper interface {
	// SkipQueued makes a report's queued and held runs skipped, with a reason
	// for people. None is no error, and neither is a report that is gone.
	SkipQueued(ctx context.Context, reportID, reason string) error
}

// Service is what people do with reports. It checks what they ask for and
// keeps the next occurrence in step with it.
//
// Its errors are problems of the problem package where it says so; any other is
// internal, or one of Tableau's that came through [Connections].
type Service struct {
	Store        Store
	Connections  Connections
	Filters      Filters
	Destinations Destinations
	Runs         RunSkipper
	Now          func() time.Time
}

// editTries is how often an edit is repeated when another write of the report
// came in between: the tick's, or that of somebody else who edits at once. Of
// those who meet, each time one gets through, so this is also how many may.
const editTries = 25

// Create stores a new report under an id. Of in, the fields that a person sets
// are used, and the rest is filled in. Invalid with all wrong fields; Stale
// when the id exists.
func (s *Service) Create(ctx context.Context, id string, in Report) (Report, error) {
	now := s.Now().UTC()
	r := in.Clone()
	r.ID, r.Version, r.Rev = id, 1, 0
	r.CreatedAt, r.UpdatedAt = now, now
	r.NextRunAt = time.Time{}

	check := checker{service: s, now: now}
	skipIfEmpty(r.Content)
	check.name(&r)
	if err := check.content(ctx, &r); err != nil {
		return Report{}, err
	}
	check.schedule(&r)
	if err := check.destinations(ctx, &r); err != nil {
		return Report{}, err
	}
	check.notify(&r)
	if err := check.err(); err != nil {
		return Report{}, err
	}
	r.Warnings = nil
	if err := check.filters(ctx, &r, nil); err != nil {
		return Report{}, err
	}
	warnOfUnverified(&r)

	r.NextRunAt = r.nextAfter(now)
	if err := s.Store.CreateReport(ctx, r); err != nil {
		return Report{}, fmt.Errorf("storing a new report: %w", err)
	}
	r.Rev = 1
	return r, nil
}

// Get reads a report. NotFound.
func (s *Service) Get(ctx context.Context, id string) (Report, error) {
	r, err := s.Store.Report(ctx, id)
	if err != nil {
		return Report{}, fmt.Errorf("reading a report: %w", err)
	}
	return r, nil
}

// List gives reports in order of id, beginning behind the id after; only those
// of one connection when connectionID is not "". The second result is the id
// to go on behind, "" at the end.
func (s *Service) List(ctx context.Context, connectionID, after string, limit int) ([]Report, string, error) {
	reports, next, err := s.Store.Reports(ctx, connectionID, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("listing reports: %w", err)
	}
	return reports, next, nil
}

// Edit changes a report. Only what is given is checked, so that a report whose
// connection does not work at the moment can still be paused. Pausing skips
// the runs that have not begun.
//
// Invalid with all wrong fields; NotFound; Stale when e.IfVersion is not the
// report's version any more.
func (s *Service) Edit(ctx context.Context, id string, e Edit) (Report, error) {
	r, err := s.edit(ctx, id, e)
	if err != nil {
		return Report{}, err
	}
	if e.Enabled != nil && !*e.Enabled {
		// Also for a report that is paused already: it repeats what an earlier
		// try may have left undone.
		if err := s.Runs.SkipQueued(ctx, id, "The report was paused."); err != nil {
			return Report{}, fmt.Errorf("skipping the runs of a paused report: %w", err)
		}
	}
	return r, nil
}

func (s *Service) edit(ctx context.Context, id string, e Edit) (Report, error) {
	check := checker{service: s, now: s.Now().UTC()}
	for try := 1; ; try++ {
		before, err := s.Store.Report(ctx, id)
		if err != nil {
			return Report{}, fmt.Errorf("reading a report: %w", err)
		}
		if e.IfVersion != 0 && e.IfVersion != before.Version {
			return Report{}, problem.Changed("report")
		}
		after := before.Clone()
		if err := check.apply(ctx, &after, e); err != nil {
			return Report{}, err
		}
		after.Version++
		after.UpdatedAt = check.now
		after.NextRunAt = nextOfEdited(before, after, check.now)

		err = s.Store.UpdateReport(ctx, after)
		switch {
		case err == nil:
			after.Rev++
			return after, nil
		case problem.Is(err, problem.Stale) && try < editTries:
			continue
		case problem.Is(err, problem.Stale):
			return Report{}, problem.Changed("report")
		}
		return Report{}, fmt.Errorf("storing a report: %w", err)
	}
}

// Delete removes a report and skips its runs that have not begun. NotFound;
// Stale when ifVersion, unless it is 0, is not the report's version any more.
func (s *Service) Delete(ctx context.Context, id string, ifVersion int64) error {
	deleteErr := s.delete(ctx, id, ifVersion)
	if deleteErr != nil && !problem.Is(deleteErr, problem.NotFound) {
		return deleteErr
	}
	// Also for a report that is gone already: it finishes a deletion that broke
	// off here.
	if err := s.Runs.SkipQueued(ctx, id, "The report was deleted."); err != nil {
		return fmt.Errorf("skipping the runs of a deleted report: %w", err)
	}
	return deleteErr
}

func (s *Service) delete(ctx context.Context, id string, ifVersion int64) error {
	for try := 1; ; try++ {
		r, err := s.Store.Report(ctx, id)
		if err != nil {
			return fmt.Errorf("reading a report: %w", err)
		}
		if ifVersion != 0 && ifVersion != r.Version {
			return problem.Changed("report")
		}
		err = s.Store.DeleteReport(ctx, id, r.Rev)
		switch {
		case err == nil:
			return nil
		case problem.Is(err, problem.Stale) && try < editTries:
			continue
		case problem.Is(err, problem.Stale):
			return problem.Changed("report")
		}
		return fmt.Errorf("deleting a report: %w", err)
	}
}

// nextAfter gives the report's next occurrence after an instant; zero when it
// has none.
func (r Report) nextAfter(now time.Time) time.Time {
	if !r.Enabled || r.Schedule == nil {
		return time.Time{}
	}
	next, ok := r.Schedule.Next(now)
	if !ok {
		return time.Time{}
	}
	return next
}

// nextOfEdited gives the next occurrence of a report after an edit. One that
// is due already and has not been made a run yet is kept, so that an edit in
// the minute between does not lose it.
func nextOfEdited(before, after Report, now time.Time) time.Time {
	due := !before.NextRunAt.IsZero() && !before.NextRunAt.After(now)
	if due && after.Enabled && after.Schedule != nil {
		return before.NextRunAt
	}
	return after.nextAfter(now)
}
