package run_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

var errStore = errors.New("the store failed")

// frozen is a store that does not renew leases while it is stopped.
type frozen struct {
	store
	stop atomic.Bool
}

func (f *frozen) RenewSite(ctx context.Context, lease run.Lease, until time.Time) error {
	if f.stop.Load() {
		return errStore
	}
	return f.store.RenewSite(ctx, lease, until)
}

// failing is a store whose n-th write fails. With forever, no later write comes
// through, as after a crash; else only that one fails.
type failing struct {
	store
	after   bool // the write took effect all the same: only its answer is lost
	forever bool
	left    atomic.Int64
	only    func(what string) bool // the writes that count; nil for all
}

func (f *failing) write(what string, do func() error) error {
	if f.only != nil && !f.only(what) {
		return do()
	}
	switch left := f.left.Add(-1); {
	case left > 0, left < 0 && !f.forever:
		return do()
	case left == 0 && f.after:
		return errors.Join(errStore, do())
	}
	return errStore
}

func (f *failing) Fire(ctx context.Context, r report.Report, next time.Time, runs []run.Run) error {
	return f.write("Fire", func() error { return f.store.Fire(ctx, r, next, runs) })
}

func (f *failing) UpdateRun(ctx context.Context, lease *run.Lease, r run.Run) (out run.Run, err error) {
	err = f.write("UpdateRun", func() error { out, err = f.store.UpdateRun(ctx, lease, r); return err })
	return out, err
}

func (f *failing) CreateDeliveries(ctx context.Context, lease *run.Lease, deliveries []run.Delivery) error {
	return f.write("CreateDeliveries", func() error { return f.store.CreateDeliveries(ctx, lease, deliveries) })
}

func (f *failing) UpdateDelivery(ctx context.Context, lease *run.Lease, d run.Delivery) (out run.Delivery, err error) {
	err = f.write("UpdateDelivery", func() error { out, err = f.store.UpdateDelivery(ctx, lease, d); return err })
	return out, err
}

func (f *failing) PutWork(ctx context.Context, w run.Work) error {
	return f.write("PutWork", func() error { return f.store.PutWork(ctx, w) })
}

func (f *failing) DropWork(ctx context.Context, w run.Work) error {
	return f.write("DropWork", func() error { return f.store.DropWork(ctx, w) })
}

func (f *failing) LeaseSite(ctx context.Context, site, holder string, now, until time.Time) (lease run.Lease, err error) {
	err = f.write("LeaseSite", func() error { lease, err = f.store.LeaseSite(ctx, site, holder, now, until); return err })
	return lease, err
}

func (f *failing) RenewSite(ctx context.Context, lease run.Lease, until time.Time) error {
	return f.write("RenewSite", func() error { return f.store.RenewSite(ctx, lease, until) })
}

func (f *failing) ReleaseSite(ctx context.Context, lease run.Lease) error {
	return f.write("ReleaseSite", func() error { return f.store.ReleaseSite(ctx, lease) })
}

func (f *failing) UpdateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return f.write("UpdateConnection", func() error { return f.store.UpdateConnection(ctx, c, session, events...) })
}

func (f *failing) LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (in connection.SignIn, err error) {
	err = f.write("LeaseSignIn", func() error { in, err = f.store.LeaseSignIn(ctx, fingerprint, holder, now, until); return err })
	return in, err
}

func (f *failing) StoreSession(ctx context.Context, fingerprint string, fence int64, session connection.Session) error {
	return f.write("StoreSession", func() error { return f.store.StoreSession(ctx, fingerprint, fence, session) })
}

func (f *failing) ReleaseSignIn(ctx context.Context, fingerprint string, fence int64, counted bool) error {
	return f.write("ReleaseSignIn", func() error { return f.store.ReleaseSignIn(ctx, fingerprint, fence, counted) })
}
