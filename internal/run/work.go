package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/tableau"
)

// run works on one run as far as it can be done now.
func (d *drain) run(ctx context.Context, w Work) error {
	r, err := d.Store.Run(ctx, w.Ref)
	if err != nil {
		return fmt.Errorf("reading the run: %w", err)
	}
	now := d.Now()
	switch r.State {
	case Queued:
		if now.Before(r.NotBefore) {
			return nil // it was moved since the list of work was read
		}
		if r.Resumed >= aloneAfter {
			return d.alone(ctx, r, func() error { return d.try(ctx, r, now) })
		}
	case Running:
		r.Resumed++
	default:
		return nil
	}
	return d.try(ctx, r, now)
}

// try has a run tried once, or ends it where it is no longer to be tried.
func (d *drain) try(ctx context.Context, r Run, now time.Time) error {
	if r.Ending != "" {
		return d.finish(ctx, r, r.Ending, r.Reason)
	}
	if r.CutOff && exporting(r) && d.short(ctx) {
		return nil // the next worker, which has all its time before it, begins with it
	}
	if reason, err := d.obsolete(ctx, r); err != nil {
		return err
	} else if reason != "" {
		return d.finish(ctx, r, Skipped, reason)
	}
	worked, err := d.worked(ctx)
	if err != nil {
		return err
	}
	switch over := r.left(worked) <= 0; {
	case over && r.Attempts > 0:
		return d.failLate(ctx, r)
	case over && r.Resumed > aloneAfter: // each of its tries by itself ended with the process
		return d.fail(ctx, r, "vizpost stopped in the middle of it each time it was tried. Run it again once the cause is found in the log.")
	case r.State == Running && r.Resumed >= aloneAfter:
		return d.setAside(ctx, r, now.Add(retryAfter(r.Resumed-aloneAfter+1)))
	}
	c, err := d.Connections.Get(ctx, r.ConnectionID)
	if problem.Is(err, problem.NotFound) {
		return d.fail(ctx, r, "Its connection was deleted.")
	}
	if err != nil {
		return fmt.Errorf("reading the connection: %w", err)
	}
	if !c.State.Works() {
		return d.hold(ctx, r, c)
	}
	if err := r.take(now, worked); err != nil {
		return err
	}
	if r, err = d.Store.UpdateRun(ctx, &d.lease, r); err != nil {
		return fmt.Errorf("taking the run in hand: %w", err)
	}

	for range 2 {
		had := len(r.Files)
		r, err = d.exportAll(ctx, r, c)
		if err == nil && len(r.Files) > had {
			d.worksAgain(ctx, waitsForTableau(c.ID))
		}
		if err == nil {
			if reason := noDataReason(r); reason != "" {
				return d.skipEmpty(ctx, r, reason)
			}
			if r.DryRun {
				err = d.rehearse(ctx, r, c)
			} else {
				r, err = d.deliverAll(ctx, r, c, r.left(worked) <= lastTry)
			}
		}
		damaged := (*damagedError)(nil)
		if !errors.As(err, &damaged) {
			break
		}
		// It is exported again at once; where that is damaged too, in the run's
		// next try.
		d.Log.Error("a stored file is not what was exported", "run", r.ID, "error", err)
		r, err = exportAgain(r, damaged)
	}
	return d.settle(ctx, r, err)
}

// maxSlow is how often a run may have an export that takes all the time that one
// may take. A view that is so slow twice is not waited for a third time.
const maxSlow = 2

// exporting reports whether a run has an export to make.
func exporting(r Run) bool {
	return slices.ContainsFunc(r.Content, func(what report.Content) bool {
		key := ExportKey(what)
		return !slices.ContainsFunc(r.Files, func(f File) bool { return f.Export == key })
	})
}

// short reports whether less time is left than an export may take.
func (d *drain) short(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < d.LongestExport
}

// obsolete says why a run is no longer wanted, "" if it is.
func (d *drain) obsolete(ctx context.Context, r Run) (string, error) {
	rep, err := d.Reports.Report(ctx, r.ReportID)
	switch {
	case problem.Is(err, problem.NotFound):
		return "Its report was deleted.", nil
	case err != nil:
		return "", fmt.Errorf("reading the report: %w", err)
	case !rep.Enabled && r.Trigger == Scheduled && r.StartedAt.IsZero():
		return "Its report was paused.", nil
	}
	return "", nil
}

// settle writes what became of a run after a try.
func (d *drain) settle(ctx context.Context, r Run, err error) error {
	if errors.Is(err, ErrFenced) || errors.Is(context.Cause(ctx), ErrFenced) {
		return ErrFenced
	}
	if errors.Is(err, errNoTime) {
		d.late.Store(true)
	}
	if ctx.Err() != nil || errors.Is(err, errNoTime) {
		// Cut off by the deadline or a stop: no attempt, and not in hand.
		r.CutOff = r.CutOff || errors.Is(ctx.Err(), context.DeadlineExceeded) && exporting(r)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := r.putBack(d.Now(), r.Reason); err != nil {
			return err
		}
		_, updateErr := d.Store.UpdateRun(ctx, &d.lease, r)
		return updateErr
	}
	var broken *connection.BrokenError
	var later *laterError
	var never *neverError
	switch {
	case err == nil && r.DryRun:
		if err := r.end(Skipped, "A dry run: everything was exported and rendered, nothing was sent.", d.Now()); err != nil {
			return err
		}
		_, err := d.Store.UpdateRun(ctx, &d.lease, r)
		return err
	case err == nil:
		return d.close(ctx, r)
	case errors.As(err, &broken):
		return d.hold(ctx, r, broken.Connection)
	case errors.As(err, &never):
		d.Log.Warn("a run failed", "run", r.ID, "error", err)
		return d.fail(ctx, r, never.message)
	case errors.As(err, &later):
		d.Log.Info("a run is tried again later", "run", r.ID, "error", err)
		pause := max(retryAfter(r.Attempts+1), later.after)
		if later.slow {
			if r.Slow++; r.Slow == maxSlow {
				return d.fail(ctx, r, later.message)
			}
		}
		if later.wide {
			r.WaitsFor = waitsForTableau(r.ConnectionID)
		}
		return d.again(ctx, r, d.Now().Add(pause+d.Jitter(pause/10)), later.message)
	default:
		return err
	}
}

// lastTry is how long before its deadline a run is tried for the last time,
// whatever is left of a pause: what it waits for may work again.
const lastTry = 5 * time.Minute

// again queues a run for another try, at the latest for its last one, and after
// that for its deadline: then its people hear of it.
func (d *drain) again(ctx context.Context, r Run, at time.Time, reason string) error {
	worked, err := d.worked(ctx)
	if err != nil {
		return err
	}
	now := d.Now()
	left := max(r.left(worked), 0)
	if left > lastTry {
		left -= lastTry
	}
	if last := now.Add(min(left, longestWait)); at.After(last) {
		at = last
	}
	if err := r.putBack(at, reason); err != nil {
		return err
	}
	r.Attempts++
	r.Resumed = 0 // a try that came to an end
	_, err = d.Store.UpdateRun(ctx, &d.lease, r)
	return err
}

// close ends a run whose messages have been tried, or queues it again for
// those that are to be tried later.
func (d *drain) close(ctx context.Context, r Run) error {
	deliveries, err := d.Store.Deliveries(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading the run's deliveries: %w", err)
	}
	t := count(deliveries)
	if t.open > 0 {
		r.WaitsFor = waitsForChannel(deliveries)
		if err := d.noteLate(ctx, r, deliveries, t.next); err != nil {
			return err
		}
		return d.again(ctx, r, t.next, strings.TrimSpace("A message is tried again later. "+words(deliveries)))
	}
	state, reason := t.outcome(r, len(deliveries))
	if err := r.end(state, reason, d.Now()); err != nil {
		return err
	}
	if t.failed > 0 || t.partial > 0 {
		// The notice comes first: a crash in between tells it once all the same.
		if err := d.noteFailed(ctx, r, deliveries); err != nil {
			return err
		}
	}
	if r, err = d.Store.UpdateRun(ctx, &d.lease, r); err != nil {
		return err
	}
	return reconcile(ctx, d.Store, &d.lease, r, d.Now)
}

func standsForReason(r Run) string {
	if r.StandsFor > 1 {
		return fmt.Sprintf("Stands for %d occurrences.", r.StandsFor)
	}
	return ""
}

// failLate ends a run whose time is over, with what kept it in the words of the
// channel or of Tableau.
func (d *drain) failLate(ctx context.Context, r Run) error {
	deliveries, err := d.Store.Deliveries(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading the run's deliveries: %w", err)
	}
	why := r.Reason
	if len(deliveries) > 0 {
		why = words(deliveries)
	}
	return d.fail(ctx, r, strings.TrimSpace("It could not be delivered in time. "+why))
}

// maxWords bounds the different failures that a reason names.
const maxWords = 3

// words gives what the channels said last of the messages that are open.
func words(deliveries []Delivery) string {
	var said []string
	for _, d := range deliveries {
		if !d.State.Settled() && d.Message != "" && !slices.Contains(said, d.Message) {
			said = append(said, d.Message)
		}
	}
	if len(said) > maxWords {
		said = append(said[:maxWords], "The run shows the others.")
	}
	return strings.Join(said, " ")
}

// fail ends a run for good, with a notice to the report's people.
func (d *drain) fail(ctx context.Context, r Run, reason string) error {
	return d.finish(ctx, r, Failed, reason)
}

// finish ends a run whatever has become of its messages, and tells the report's
// people if some did not arrive. While one may be under way, or may turn up, the
// run stays open: it sends nothing more, and is looked at again when that is
// known.
func (d *drain) finish(ctx context.Context, r Run, as State, reason string) error {
	deliveries, err := d.Store.Deliveries(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading the run's deliveries: %w", err)
	}
	for i := range deliveries {
		healed := deliveries[i].heal(d.Now())
		changed, err := deliveries[i].giveUp(d.Now(), reason)
		if err != nil {
			return err
		}
		if !changed && !healed {
			continue
		}
		if deliveries[i], err = d.Store.UpdateDelivery(ctx, &d.lease, deliveries[i]); err != nil {
			return fmt.Errorf("ending a delivery: %w", err)
		}
	}
	t := count(deliveries)
	if t.open > 0 {
		if err := r.endAs(as, reason, t.next); err != nil {
			return err
		}
		if _, err := d.Store.UpdateRun(ctx, &d.lease, r); err != nil {
			return fmt.Errorf("ending the run: %w", err)
		}
		return nil
	}
	switch {
	case len(deliveries) == 0:
	case t.failed == 0:
		as, reason = Delivered, standsForReason(r)
	case t.arrived > 0:
		as = PartlyDelivered
	case t.doubtful > 0: // somebody has to hear of it
		as = Failed
	}
	if err := r.end(as, reason, d.Now()); err != nil {
		return err
	}
	if as == Failed || as == PartlyDelivered {
		// The notice comes first: a crash in between tells it once all the same.
		if err := d.noteFailed(ctx, r, deliveries); err != nil {
			return err
		}
	}
	if r, err = d.Store.UpdateRun(ctx, &d.lease, r); err != nil {
		return fmt.Errorf("ending the run: %w", err)
	}
	return reconcile(ctx, d.Store, &d.lease, r, d.Now)
}

// exportAll exports what the run has no file of yet, several at once, and
// stores each file with the run, so that a crash repeats none.
func (d *drain) exportAll(ctx context.Context, r Run, c connection.Connection) (Run, error) {
	var wanted []int
	var seen []string
	for i, content := range r.Content {
		key := ExportKey(content)
		if slices.Contains(seen, key) || slices.ContainsFunc(r.Files, func(f File) bool { return f.Export == key }) {
			continue
		}
		seen = append(seen, key)
		wanted = append(wanted, i)
	}
	if len(wanted) == 0 {
		return r, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var failures []error
	var group sync.WaitGroup
	begun := r // r itself changes as files are stored
	for _, i := range wanted {
		group.Go(func() {
			file, err := d.export(ctx, begun, begun.Content[i], c)
			if len(begun.Content) > 1 {
				err = naming(begun.Content[i], err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				latest := r.Clone()
				latest.Files = append(latest.Files, file)
				if latest, err = d.Store.UpdateRun(ctx, &d.lease, latest); err == nil {
					r = latest
				}
			}
			if err != nil {
				failures = append(failures, err)
				if is[*neverError](err) {
					cancel() // the run cannot be delivered: the others are in vain
				}
			}
		})
	}
	group.Wait()
	return r, worst(failures)
}

// worst gives the failure that decides about the run: one for good before one
// that holds it, before one that passes, before those that only follow from
// the others.
func worst(failures []error) error {
	for _, is := range []func(error) bool{is[*neverError], is[*connection.BrokenError], is[*laterError]} {
		if i := slices.IndexFunc(failures, is); i >= 0 {
			return failures[i]
		}
	}
	return errors.Join(failures...)
}

func is[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

// naming gives the failure of an export with the view or workbook whose it is.
// What is wrong with the connection concerns them all and stays as it is, and so
// does what names it already.
func naming(what report.Content, err error) error {
	var (
		session *connection.BusyError
		failed  *tableau.Error
	)
	if errors.Is(err, errNoData) || errors.As(err, &session) || problem.Is(err, problem.NotFound) || errors.As(err, &failed) && failed.Cause == tableau.SessionEnded {
		return err
	}
	name := capital(named(what)) + ": "

	var (
		never *neverError
		later *laterError
	)
	switch {
	case errors.As(err, &never):
		return &neverError{message: name + never.message, err: never.err}
	case errors.As(err, &later):
		return &laterError{message: name + later.message, after: later.after, wide: later.wide, slow: later.slow, err: later.err}
	}
	return err
}

// neverError says that trying again is useless.
type neverError struct {
	message string // for people
	err     error
}

func (e *neverError) Error() string { return fmt.Sprintf("%s: %v", e.message, e.err) }
func (e *neverError) Unwrap() error { return e.err }

// laterError says that the same may succeed later.
type laterError struct {
	message string        // for people
	after   time.Duration // at the earliest; 0 if not known
	wide    bool          // it concerns all that the connection is asked for
	slow    bool          // an export took all the time that it may take
	err     error
}

func (e *laterError) Error() string { return fmt.Sprintf("%s: %v", e.message, e.err) }
func (e *laterError) Unwrap() error { return e.err }
