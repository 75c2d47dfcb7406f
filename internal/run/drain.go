package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/scratch"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

const (
	// A drain that died blocks its site for no more than half a minute: until
	// its lease has run out, and a process that ticks every few seconds has
	// seen it; on AWS, until the next minute's tick after that. The lease outlasts four renewals that fail. One that is lost all
	// the same, to a slow store or a process that stood still, loses no work
	// and doubles none: each write of a drain is refused once another has
	// leased the site since.
	siteLease = 25 * time.Second
	siteRenew = 5 * time.Second

	// lookAgain is how often a drain that waits for what it has in hand looks
	// for work that has come since: a bell for a site that is leased goes
	// unheard.
	lookAgain = 2 * time.Second

	// DefaultExports is how many exports run at once on a site. Tableau Cloud
	// answers 429 above 20.
	DefaultExports = 8

	// aloneAfter is how often in a row a run may be in hand when its process dies
	// before it is tried by itself alone, at growing distance: it may be what kills
	// the process, and is not to take others with it. No count of deaths ends it.
	aloneAfter = 2

	// maxTaken is how often a drain takes work that stays as it was, since what
	// became of it could not be written. Then it is left to the next drain.
	maxTaken = 3
)

// Drain works off the open work of sites: it exports, delivers, and records
// what became of it. Its fields are set before its first use and not changed
// after it; it is safe for concurrent use.
type Drain struct {
	Store        Store
	Reports      Reports
	Connections  Connections
	Destinations Destinations
	Filters      *verify.Service
	Files        Files
	Bell         Bell

	Mail   deliver.Mailer
	Emails *deliver.EmailBuilder
	Slack  SlackPoster
	// MailRepeats says that sending the same email again does no harm, since
	// its carrier names what it stores by the delivery's key.
	MailRepeats bool
	MailFrom    string

	// MailTimeout is how long the carrier may take over an email of so many bytes;
	// nil means a minute. It may be longer than a process lives: the claim is
	// renewed meanwhile.
	MailTimeout func(bytes int64) time.Duration

	Unsubscribe string // address that takes mails which ask to leave a report; "" if there is none

	Administrators []string // who is told where a report and its connection name nobody
	PublicURL      string   // where the page is, that notices link to; "": they have no links

	Exports int            // at once on a site; 0 means DefaultExports
	Scratch *scratch.Space // for exports before they are stored

	// Reserve is what must be left until the context's deadline for a run to
	// be begun.
	Reserve time.Duration

	// LongestExport is how long an export may take. A run that was cut off once
	// is begun only where so much is left until the context's deadline.
	LongestExport time.Duration

	Now    func() time.Time
	NewID  func() string
	Jitter func(time.Duration) time.Duration // a random duration below the one given
	Log    *slog.Logger
}

// Reports reads reports.
type Reports interface {
	// Report reads one, consistently. NotFound when there is none.
	Report(ctx context.Context, id string) (report.Report, error)

	// Reports lists in order of id, beginning behind the id after; only those
	// of one connection when connectionID is not "". The second result is the
	// id to go on behind, "" at the end.
	Reports(ctx context.Context, connectionID, after string, limit int) ([]report.Report, string, error)
}

// Connections gives the shared sessions; see [connection.Service].
type Connections interface {
	getter
	Do(ctx context.Context, id string, call connection.Call) error
	Probe(ctx context.Context, id string) (bool, error)
	Unreachable(ctx context.Context, c connection.Connection, why error) (connection.Connection, error)
	KeepAlive(ctx context.Context, id string) error

	// View and Workbook give what a content URL leads to in Tableau, or led to at
	// most the given time ago.
	View(ctx context.Context, id, contentURL string, age time.Duration) (tableau.View, error)
	Workbook(ctx context.Context, id, contentURL string, age time.Duration) (tableau.Workbook, error)

	// NoteReleased notes in the connection's history which runs it holds no
	// longer. NotFound when the connection is gone.
	NoteReleased(ctx context.Context, id string, runs []connection.HeldRun) error
}

// Destinations gives named destinations with their secret.
type Destinations interface {
	// Reveal gives a destination and its address. NotFound when there is none.
	Reveal(ctx context.Context, id string) (secret.Text, deliver.Destination, error)

	// Works notes that a destination, as it was read, accepted a message.
	Works(ctx context.Context, used deliver.Destination) error

	// Get reads a destination without its address. NotFound when there is none.
	Get(ctx context.Context, id string) (deliver.Destination, error)

	// Break notes that a destination refused for good, and why, for people.
	Break(ctx context.Context, id, why string) error
}

// SlackPoster posts to a Slack incoming webhook. Errors are
// [deliver.SendError]s.
type SlackPoster interface {
	Post(ctx context.Context, webhook secret.Text, body []byte, begin deliver.Begin) (deliver.Receipt, error)
}

// drain is the work on one site under one lease.
type drain struct {
	*Drain
	lease Lease
	stop  context.CancelCauseFunc // ends the work, when the lease was lost
	slots chan struct{}           // one for each export that may run
	mu    sync.Mutex
	taken map[string]taken     // by kind and ref
	done  chan struct{}        // receives when work that was in hand is not any more
	room  chan struct{}        // one for each piece of work in hand
	only  chan struct{}        // one for the run that is tried alone
	late  atomic.Bool          // too little time is left for a send
	asked map[string]time.Time // when it was looked at last what waits for something
}

// taken is work that this drain took in hand.
type taken struct {
	inHand    bool
	notBefore time.Time // of the work as it was when it was taken
	times     int       // that it was taken as it was
}

// Site works off a site until nothing is left that can be done now, or the
// context's deadline is near: then it rings the bell again. While another drain
// has the site it does nothing.
func (d *Drain) Site(ctx context.Context, site string) error {
	now := d.Now()
	lease, err := d.Store.LeaseSite(ctx, site, d.NewID(), now, now.Add(siteLease))
	if errors.Is(err, ErrLeaseHeld) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("leasing the site: %w", err)
	}
	exports := d.Exports
	if exports <= 0 {
		exports = DefaultExports
	}
	w := &drain{Drain: d, lease: lease, slots: make(chan struct{}, exports), taken: map[string]taken{},
		done: make(chan struct{}, 1), room: make(chan struct{}, 2*exports), only: make(chan struct{}, 1), asked: map[string]time.Time{}}

	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w.stop = stop
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		w.renew(working)
	}()
	more, err := w.work(working, 2*exports)
	stop(nil)
	<-renewed

	ctx = context.WithoutCancel(ctx)
	if errors.Is(err, ErrFenced) || errors.Is(context.Cause(working), ErrFenced) {
		d.Log.Warn("the site went to another drain", "site", site)
		return nil
	}
	err = errors.Join(err, d.Store.ReleaseSite(ctx, lease))
	if more {
		err = errors.Join(err, d.Bell.Ring(ctx, site))
	}
	return err
}

// renew keeps the lease until the context ends, and ends it when the lease was
// lost.
func (d *drain) renew(ctx context.Context) {
	t := time.NewTicker(siteRenew)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		// A renewal that hangs must not keep the next from being tried.
		renewCtx, cancel := context.WithTimeout(ctx, siteRenew)
		err := d.Store.RenewSite(renewCtx, d.lease, d.Now().Add(siteLease))
		cancel()
		if errors.Is(err, ErrFenced) {
			d.stop(err)
			return
		}
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("the site's lease was not renewed", "site", d.lease.Site, "error", err)
		}
	}
}

// work hands out the site's work to as many workers, and reports whether some
// is left that could have been done. There are more workers than exports, so
// that rendering and sending one run does not keep the next from being
// exported.
func (d *drain) work(ctx context.Context, workers int) (more bool, err error) {
	var group sync.WaitGroup
	defer group.Wait()
	if err := d.resume(ctx); err != nil {
		return false, err
	}
	for {
		work, err := d.Store.Work(ctx, d.lease.Site, d.Now(), 4*workers)
		if ctx.Err() != nil {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("reading the site's work: %w", err)
		}
		begun, busy := 0, 0
		for _, w := range work {
			t := d.known(w)
			if t.inHand {
				busy++
			}
			if t.inHand || t.times >= maxTaken {
				continue
			}
			if d.ending(ctx) {
				return true, nil
			}
			select {
			case d.room <- struct{}{}:
			case <-ctx.Done():
				return true, nil
			}
			begun++
			d.take(w)
			group.Go(func() {
				defer func() { <-d.room }()
				defer d.leave(w)
				d.handle(ctx, w)
			})
		}
		if begun > 0 {
			continue
		}
		if busy == 0 {
			return false, nil
		}
		select {
		case <-d.done:
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return true, nil
		}
	}
}

// resume takes up what a drain had in hand when it died, one at a time, so that
// a run which kills its drain takes no other with it twice.
func (d *drain) resume(ctx context.Context) error {
	work, err := d.Store.Work(ctx, d.lease.Site, d.Now(), duePage)
	if err != nil {
		return fmt.Errorf("reading the site's work: %w", err)
	}
	for _, w := range work {
		if w.Running && !d.ending(ctx) {
			d.room <- struct{}{} // there is: nothing else is in hand yet
			d.handle(ctx, w)
			<-d.room
		}
	}
	return nil
}

// alone has a run tried while nothing else is in hand. Where another run waits
// for that already it is put aside.
func (d *drain) alone(ctx context.Context, r Run, try func() error) error {
	select {
	case d.only <- struct{}{}:
		defer func() { <-d.only }()
	default:
		return d.setAside(ctx, r, d.Now().Add(retryAfter(1)))
	}
	mine := 1 // the one that it has already
	defer func() {
		for ; mine > 1; mine-- {
			<-d.room
		}
	}()
	for mine < cap(d.room) {
		select {
		case d.room <- struct{}{}:
			mine++
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if d.ending(ctx) {
		return nil
	}
	return try()
}

// setAside queues a run that was in hand when its process died several times.
func (d *drain) setAside(ctx context.Context, r Run, at time.Time) error {
	if err := r.putBack(at, "vizpost stopped in the middle of it several times. It is tried by itself, in case that it is the cause."); err != nil {
		return err
	}
	_, err := d.Store.UpdateRun(ctx, &d.lease, r)
	return err
}

// ending reports whether it is too late to begin with anything.
func (d *drain) ending(ctx context.Context) bool {
	if ctx.Err() != nil || d.late.Load() {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && d.Reserve > 0 && time.Until(deadline) < d.Reserve
}

func (w Work) name() string { return string(w.Kind) + "/" + w.Ref }

// known gives what this drain knows of work. Work that was moved since is new.
func (d *drain) known(w Work) taken {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.taken[w.name()]
	if !t.inHand && !t.notBefore.Equal(w.NotBefore) {
		t = taken{notBefore: w.NotBefore}
	}
	return t
}

func (d *drain) take(w Work) {
	t := d.known(w)
	t.inHand = true
	t.times++
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken[w.name()] = t
}

func (d *drain) leave(w Work) {
	d.mu.Lock()
	t := d.taken[w.name()]
	t.inHand = false
	d.taken[w.name()] = t
	d.mu.Unlock()
	select {
	case d.done <- struct{}{}:
	default:
	}
}

// handle does one piece of work. What goes wrong inside is written to the work
// itself; what cannot be written is logged, and the work stays in the store.
func (d *drain) handle(ctx context.Context, w Work) {
	log := d.Log.With("site", d.lease.Site, string(w.Kind), w.Ref)
	var err error
	switch w.Kind {
	case WorkRun:
		err = d.run(ctx, w)
	case SendNote:
		err = d.sendNotice(ctx, w.Ref)
	case Probe:
		err = d.probe(ctx, w)
	case KeepAlive:
		err = d.keepAlive(ctx, w)
	default:
		err = fmt.Errorf("unknown kind of work")
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrFenced):
		d.stop(err)
	case ctx.Err() != nil || problem.Is(err, problem.Stale):
		log.Info("work was left to the next drain", "error", err)
	default:
		log.Error("work failed", "error", err)
		d.pause(ctx, w, log)
	}
}

// pause keeps work that failed inside vizpost from being tried again at once.
func (d *drain) pause(ctx context.Context, w Work, log *slog.Logger) {
	notBefore := d.Now().Add(retryAfter(1))
	var err error
	switch w.Kind {
	case WorkRun:
		var r Run
		if r, err = d.Store.Run(ctx, w.Ref); err == nil && (r.State == Queued || r.State == Running) {
			err = d.again(ctx, r, d.Now().Add(retryAfter(r.Attempts+1)), "Something went wrong inside vizpost. The log has the details.")
		}
	case SendNote:
		var n Delivery
		if n, err = d.Store.Delivery(ctx, w.Ref); err == nil {
			n.NotBefore = notBefore
			_, err = d.Store.UpdateDelivery(ctx, &d.lease, n)
		}
	default:
		w.NotBefore = notBefore
		err = d.Store.PutWork(ctx, w)
	}
	if err != nil {
		log.Error("the failure could not be noted", "error", err)
	}
}

// retryPauses are the pauses after a run's transient failures; the last one
// goes on until the run's deadline.
var retryPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}

func retryAfter(attempts int) time.Duration {
	return retryPauses[min(max(attempts, 1), len(retryPauses))-1]
}

// discard closes what is only read.
func discard(c io.Closer) { _ = c.Close() }
