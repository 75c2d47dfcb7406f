package run

import (
	"context"
	"io"
	"time"

	"github.com/vizpost/vizpost/internal/report"
)

// Store keeps runs, their deliveries and the open work of each site. All
// methods are safe for concurrent use by many processes; what they return is
// the caller's.
//
// Where a comment names NotFound or Stale, the error is a [problem.Error] of
// that kind. A method that takes a lease refuses with [ErrFenced], and writes
// nothing, when another drain has leased the site since; a nil lease is for
// writers that are no drain.
type Store interface {
	// DueReports reads reports whose NextRunAt is at or before now, the
	// longest due first, at most limit. It reads no others.
	DueReports(ctx context.Context, now time.Time, limit int) ([]report.Report, error)

	// Reports reads reports as [report.Store] has it.
	Reports(ctx context.Context, connectionID, after string, limit int) ([]report.Report, string, error)

	// Fire makes the runs of a due report, with their open work, and moves the
	// report's NextRunAt to next (zero: no more), in one transaction, if the
	// report's Rev is still r.Rev. A run whose key exists is left out. At most
	// 100 runs. Stale when the report was changed, NotFound when it is gone.
	Fire(ctx context.Context, r report.Report, next time.Time, runs []Run) error

	// CreateRun stores a new run with its open work and gives it back; when
	// its key exists, the run that has it.
	CreateRun(ctx context.Context, r Run) (Run, error)

	// Run reads one, consistently. NotFound when there is none.
	Run(ctx context.Context, id string) (Run, error)

	// Runs lists, the newest id first, beginning behind the id after. The
	// second result is the id to go on behind, "" at the end.
	Runs(ctx context.Context, f Filter, after string, limit int) ([]Run, string, error)

	// UpdateRun replaces the stored run if its Rev is still r.Rev, stores
	// Rev+1 and gives it back. The run's open work follows its state in the
	// same transaction: queued and running runs are work not before NotBefore,
	// held ones are held work, and the others none. Stale, NotFound.
	UpdateRun(ctx context.Context, lease *Lease, r Run) (Run, error)

	// CreateDeliveries stores deliveries; those whose key exists are left as
	// they are. A notice becomes open work of its site, not before NotBefore.
	CreateDeliveries(ctx context.Context, lease *Lease, deliveries []Delivery) error

	// Deliveries reads a run's deliveries in order of key, consistently.
	Deliveries(ctx context.Context, runID string) ([]Delivery, error)

	// Delivery reads one by its key, consistently. NotFound.
	Delivery(ctx context.Context, key string) (Delivery, error)

	// OpenNotices reads the notices that are not settled and whose keys begin
	// with a prefix, in order of key, beginning behind the key after. The second
	// result is the key to go on behind, "" at the end.
	OpenNotices(ctx context.Context, prefix, after string, limit int) ([]Delivery, string, error)

	// UpdateDelivery replaces the stored delivery if its Rev is still d.Rev,
	// stores Rev+1 and gives it back. A notice's open work follows it: none
	// once it is settled. Stale, NotFound.
	UpdateDelivery(ctx context.Context, lease *Lease, d Delivery) (Delivery, error)

	// WorkSites names the sites that have work not before now or earlier, not
	// held, and no lease that holds at now.
	WorkSites(ctx context.Context, now time.Time) ([]string, error)

	// Work reads a site's work that is not held and due at now, the earliest
	// NotBefore first and of the same time the lowest Ref, at most limit; that
	// in hand is among it.
	Work(ctx context.Context, site string, now time.Time, limit int) ([]Work, error)

	// FutureWork reads a site's work that is not held and due only after a time, at
	// most limit. It reads no other.
	FutureWork(ctx context.Context, site string, after time.Time, limit int) ([]Work, error)

	// HeldRuns reads the runs that a connection of a site holds, the oldest id
	// first, beginning behind the id after, at most limit.
	HeldRuns(ctx context.Context, site, connectionID, after string, limit int) ([]Run, error)

	// HeldCount counts them. It may lag behind what was written.
	HeldCount(ctx context.Context, site, connectionID string) (int, error)

	// SomeRuns reads those of the runs that there are, consistently and in no
	// particular order.
	SomeRuns(ctx context.Context, ids []string) ([]Run, error)

	// PutWork adds work of the kinds [Probe] and [KeepAlive], or moves its
	// NotBefore when it is there.
	PutWork(ctx context.Context, w Work) error

	// DropWork takes work of the kinds [Probe] and [KeepAlive] away; none is
	// no error.
	DropWork(ctx context.Context, w Work) error

	// LeaseSite makes holder the only drain of a site until the time given,
	// with a fence above all earlier ones. [ErrLeaseHeld] while another's
	// lease holds at now: while its end is to come, and no further ahead than
	// [LongestLease].
	LeaseSite(ctx context.Context, site, holder string, now, until time.Time) (Lease, error)

	// RenewSite moves the end of a lease. [ErrFenced] when it was lost or
	// released.
	RenewSite(ctx context.Context, lease Lease, until time.Time) error

	// ReleaseSite ends a lease; one that was lost is no error.
	ReleaseSite(ctx context.Context, lease Lease) error

	// Pulse reads the scheduler's pulse, consistently; the zero value when there
	// is none yet.
	Pulse(ctx context.Context) (Pulse, error)

	// PutPulse stores the pulse with Rev+1 if the stored Rev is still p.Rev. Stale.
	PutPulse(ctx context.Context, p Pulse) error
}

// Filter says which runs to list; the zero value means all.
type Filter struct {
	ReportID     string
	States       []State
	ConnectionID string // only with States, all of them open: no list goes by connection
}

// Lease is the right to work off a site.
type Lease struct {
	Site   string
	Holder string
	Fence  int64
	Until  time.Time
}

// LongestLease is more than any lease of a site runs for. One that would run for
// longer yet was taken by a clock that was wrong.
const LongestLease = 2 * time.Minute

// Work is one thing that a site's drain has to do. The store holds it; a bell
// only says that there is some.
type Work struct {
	Site      string
	Kind      WorkKind
	Ref       string // id of the run or connection, or key of the delivery
	NotBefore time.Time
	Running   bool // a run that a drain has, or had when it crashed, in hand
}

// WorkKind says what sort of work it is.
type WorkKind string

// The kinds of work.
const (
	WorkRun   WorkKind = "run"       // Ref is a run's id
	SendNote  WorkKind = "notice"    // Ref is a notice's delivery key
	Probe     WorkKind = "probe"     // Ref is the id of a broken connection to be tried
	KeepAlive WorkKind = "keepalive" // Ref is the id of a connection whose token needs a sign-in
)

// Files keeps exported files. On AWS it is S3, on one machine a directory.
type Files interface {
	// Put stores size bytes under a name, whole or not at all; what the name
	// held before is replaced. The reader is not kept.
	Put(ctx context.Context, name, contentType string, r io.Reader, size int64) error

	// Open reads a file. A NotFound problem when there is none. The caller
	// closes it.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Bell tells a site's drain that there is work. A bell that goes unheard, comes
// late or rings twice does no harm: the store holds the work.
type Bell interface {
	Ring(ctx context.Context, site string) error
}
