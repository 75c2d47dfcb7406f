package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// Service is what people do with runs. Its fields are set before its first use
// and not changed after it; it is safe for concurrent use.
type Service struct {
	Store       Store
	Reports     Reports
	Connections interface {
		// Connection reads one, consistently. NotFound when there is none.
		Connection(ctx context.Context, id string) (connection.Connection, error)
	}
	Files interface {
		// Open reads a file. A NotFound problem when there is none. The caller
		// closes it.
		Open(ctx context.Context, name string) (io.ReadCloser, error)
	}
	Bell  Bell
	Now   func() time.Time
	NewID func() string
	Log   *slog.Logger
}

// Start says how to run a report now.
type Start struct {
	OnlyTo  []string // send to these addresses alone, as a test
	DryRun  bool     // export and render, send nothing
	Request string   // the same request makes the same run; "" makes a new one
}

// testDestination is the destination of a run that goes to a few alone.
const testDestination = "test"

// Start makes a run of a report and rings for it. NotFound when there is no
// such report; Conflict when the same request asked for something else before.
func (s *Service) Start(ctx context.Context, reportID string, o Start) (Run, error) {
	rep, err := s.Reports.Report(ctx, reportID)
	if err != nil {
		return Run{}, err
	}
	c, err := s.Connections.Connection(ctx, rep.ConnectionID)
	if err != nil {
		return Run{}, fmt.Errorf("reading the report's connection: %w", err)
	}
	now := s.Now()
	r := newRun(rep, c.SiteKey(), now, s.NewID())
	r.ScheduledFor, r.Trigger, r.DryRun = now, Manual, o.DryRun
	if o.Request == "" {
		o.Request = r.ID
	}
	r.Key = ManualKey(reportID, o.Request)
	if len(o.OnlyTo) > 0 {
		var fields problem.Fields
		to, err := address.List(o.OnlyTo)
		if err != nil {
			fields.AddErr("only_to", err)
		}
		if len(to) > maxRecipients {
			fields.Add("only_to", "A test goes to at most %d addresses.", maxRecipients)
		}
		if err := fields.Err(); err != nil {
			return Run{}, err
		}
		test := report.Destination{ID: testDestination, Type: report.Email, To: to}
		if i := slices.IndexFunc(rep.Destinations, func(d report.Destination) bool { return d.Type == report.Email }); i >= 0 {
			test.Subject, test.Body = rep.Destinations[i].Subject, rep.Destinations[i].Body
		}
		r.OnlyTo, r.Destinations = to, []report.Destination{test}
	}
	kept, err := s.Store.CreateRun(ctx, r)
	if err != nil {
		return Run{}, fmt.Errorf("making the run: %w", err)
	}
	if kept.DryRun != r.DryRun || !slices.Equal(kept.OnlyTo, r.OnlyTo) {
		return Run{}, problem.KeyReused()
	}
	s.ring(ctx, kept.Site)
	return kept, nil
}

// ring rings for a site. The run is stored, so a bell that fails delays it to
// the next tick and is no failure of the request.
func (s *Service) ring(ctx context.Context, site string) {
	if err := s.Bell.Ring(ctx, site); err != nil {
		s.Log.Warn("the bell failed; the next tick rings", "site", site, "error", err)
	}
}

// Get reads a run with its deliveries. NotFound when there is none.
func (s *Service) Get(ctx context.Context, id string) (Run, []Delivery, error) {
	r, err := s.Store.Run(ctx, id)
	if err != nil {
		return Run{}, nil, err
	}
	deliveries, err := s.Store.Deliveries(ctx, id)
	if err != nil {
		return Run{}, nil, fmt.Errorf("reading the run's deliveries: %w", err)
	}
	return r, deliveries, nil
}

// List reads runs, the newest first, beginning behind the id after. The second
// result is the id to go on behind, "" at the end.
func (s *Service) List(ctx context.Context, f Filter, after string, limit int) ([]Run, string, error) {
	return s.Store.Runs(ctx, f, after, limit)
}

// Some reads those of the runs that there are, in no particular order.
func (s *Service) Some(ctx context.Context, ids []string) ([]Run, error) {
	return s.Store.SomeRuns(ctx, ids)
}

// Notices lists the notices that were not delivered yet, those alone that nobody
// can be told of if undeliverable, beginning behind the key after. The second
// result is the key to go on behind, "" at the end. What waits to tell people
// that a connection or destination works again is not among them.
func (s *Service) Notices(ctx context.Context, undeliverable bool, after string, limit int) ([]Delivery, string, error) {
	var found []Delivery
	for {
		list, next, err := s.Store.OpenNotices(ctx, "notice.", after, limit)
		if err != nil {
			return nil, "", err
		}
		for i, d := range list {
			after = d.Key
			if d.Notice.Kind == ConnectionMended || d.Notice.Kind == DestinationMended || undeliverable && !d.Notice.Undeliverable {
				continue
			}
			found = append(found, d)
			if more := next != "" || i < len(list)-1; len(found) == limit && more {
				return found, after, nil
			}
		}
		if next == "" {
			return found, "", nil
		}
	}
}

// HeldCount counts the runs that a connection holds.
func (s *Service) HeldCount(ctx context.Context, c connection.Connection) (int, error) {
	return s.Store.HeldCount(ctx, c.SiteKey(), c.ID)
}

// Retry queues a run that failed again, for what was not delivered alone.
// Conflict when the run is open or everything arrived.
func (s *Service) Retry(ctx context.Context, id string) (Run, error) {
	r, deliveries, err := s.Get(ctx, id)
	if err != nil {
		return Run{}, err
	}
	if r.State != Failed && r.State != PartlyDelivered {
		return Run{}, problem.Newf(problem.Conflict, problem.CodeConflict,
			"Only a run that failed can be tried again; this one is %s.", r.State)
	}
	if t := count(deliveries); t.partial > 0 && t.failed == 0 {
		return Run{}, problem.Newf(problem.Conflict, problem.CodeConflict,
			"All messages of this run arrived; the files that they lack are too large for an email. Download them from the run, or make them smaller.")
	}
	now := s.Now()
	for _, d := range deliveries {
		if d.State != DeliveryFailed && d.State != Bounced {
			continue
		}
		if err := d.retry(now); err != nil {
			return Run{}, err
		}
		if _, err := s.Store.UpdateDelivery(ctx, nil, d); err != nil {
			return Run{}, fmt.Errorf("queueing a delivery again: %w", err)
		}
	}
	if err := r.retry(now); err != nil {
		return Run{}, err
	}
	if r, err = s.Store.UpdateRun(ctx, nil, r); err != nil {
		return Run{}, fmt.Errorf("queueing the run again: %w", err)
	}
	s.ring(ctx, r.Site)
	return r, nil
}

// File gives a file of a run. NotFound when the run has no such file.
func (s *Service) File(ctx context.Context, runID, fileID string) (File, error) {
	r, err := s.Store.Run(ctx, runID)
	if err != nil {
		return File{}, err
	}
	i := slices.IndexFunc(r.Files, func(f File) bool { return f.ID == fileID })
	if i < 0 {
		return File{}, problem.Missing("file", fileID)
	}
	return r.Files[i], nil
}

// OpenFile opens a file of a run. NotFound when the run has no such file, it is
// no longer kept, or what is kept is not what was exported. The caller closes it.
func (s *Service) OpenFile(ctx context.Context, runID, fileID string) (File, io.ReadCloser, error) {
	f, err := s.File(ctx, runID, fileID)
	if err != nil {
		return File{}, nil, err
	}
	err = intact(ctx, s.Files, f)
	if errors.Is(err, errNotExported) {
		return File{}, nil, problem.Newf(problem.NotFound, "file_damaged",
			"The stored file %q is damaged: it is no longer what was exported. Run the report again to export it.", f.Name)
	}
	if err != nil {
		return File{}, nil, err
	}
	body, err := openExported(ctx, s.Files, f)
	if err != nil {
		return File{}, nil, err
	}
	return f, body, nil
}

// SkipQueued skips a report's runs that are queued or held, for a reason that
// people are shown. Runs in hand go on, and one of which a message may have been
// sent is left to its worker, which ends it once that is known.
func (s *Service) SkipQueued(ctx context.Context, reportID, reason string) error {
	sites := map[string]bool{}
	defer func() {
		for site := range sites {
			s.ring(ctx, site)
		}
	}()
	after := ""
	for {
		runs, next, err := s.Store.Runs(ctx, Filter{ReportID: reportID, States: []State{Queued, Held}}, after, 100)
		if err != nil {
			return fmt.Errorf("reading the report's runs: %w", err)
		}
		for _, r := range runs {
			begun, err := s.Store.Deliveries(ctx, r.ID)
			if err != nil {
				return fmt.Errorf("reading a run's deliveries: %w", err)
			}
			if len(begun) == 0 {
				err = r.end(Skipped, reason, s.Now())
			} else {
				err = r.endAs(Skipped, reason, s.Now())
				sites[r.Site] = true
			}
			if err != nil {
				return err
			}
			if _, err := s.Store.UpdateRun(ctx, nil, r); err != nil && !problem.Is(err, problem.Stale) {
				return fmt.Errorf("skipping a run: %w", err)
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}
