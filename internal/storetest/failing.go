package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/secret"
)

// ErrFailed is what a [Failing] store answers.
var ErrFailed = errors.New("the store failed")

// Failing is a store of connections and their secrets of which the n-th write
// fails. The zero value fails at none.
type Failing struct {
	Store interface {
		connection.Store
		connection.Vault
	}
	After   bool // the write took effect all the same: only its answer is lost
	Forever bool // as after a crash, no later write comes through
	Secrets bool // it is the vault that fails, at reads too, and nothing else

	left atomic.Int64
}

// FailAt has the n-th write from now on fail, the first being 1.
func (f *Failing) FailAt(n int64) { f.left.Store(n) }

// Failed reports whether the write was reached.
func (f *Failing) Failed() bool { return f.left.Load() <= 0 }

func (f *Failing) do(secrets bool, act func() error) error {
	if f.Secrets && !secrets {
		return act()
	}
	switch left := f.left.Add(-1); {
	case left > 0, left < 0 && !f.Forever:
		return act()
	case left == 0 && f.After:
		return errors.Join(ErrFailed, act())
	}
	return ErrFailed
}

func (f *Failing) write(act func() error) error  { return f.do(false, act) }
func (f *Failing) secret(act func() error) error { return f.do(true, act) }

func (f *Failing) CreateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return f.write(func() error { return f.Store.CreateConnection(ctx, c, session, events...) })
}

func (f *Failing) UpdateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return f.write(func() error { return f.Store.UpdateConnection(ctx, c, session, events...) })
}

func (f *Failing) DeleteConnection(ctx context.Context, id string, rev int64, events ...connection.Event) error {
	return f.write(func() error { return f.Store.DeleteConnection(ctx, id, rev, events...) })
}

func (f *Failing) LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (in connection.SignIn, err error) {
	err = f.write(func() error { in, err = f.Store.LeaseSignIn(ctx, fingerprint, holder, now, until); return err })
	return in, err
}

func (f *Failing) StoreSession(ctx context.Context, fingerprint string, fence int64, session connection.Session) error {
	return f.write(func() error { return f.Store.StoreSession(ctx, fingerprint, fence, session) })
}

func (f *Failing) ReleaseSignIn(ctx context.Context, fingerprint string, fence int64, counted bool) error {
	return f.write(func() error { return f.Store.ReleaseSignIn(ctx, fingerprint, fence, counted) })
}

func (f *Failing) CountAttempt(ctx context.Context, key string, now, since time.Time, limit int) error {
	return f.write(func() error { return f.Store.CountAttempt(ctx, key, now, since, limit) })
}

func (f *Failing) ForgetAttempt(ctx context.Context, key string) error {
	return f.write(func() error { return f.Store.ForgetAttempt(ctx, key) })
}

func (f *Failing) PutSecret(ctx context.Context, owner, version string, value []byte) error {
	return f.secret(func() error { return f.Store.PutSecret(ctx, owner, version, value) })
}

func (f *Failing) SecretVersions(ctx context.Context, owner string) ([]secret.Version, error) {
	return f.Store.SecretVersions(ctx, owner)
}

func (f *Failing) DropSecret(ctx context.Context, owner, version string) error {
	return f.secret(func() error { return f.Store.DropSecret(ctx, owner, version) })
}

func (f *Failing) RemoveSecret(ctx context.Context, owner string) error {
	return f.secret(func() error { return f.Store.RemoveSecret(ctx, owner) })
}

func (f *Failing) Secret(ctx context.Context, owner, version string) (value []byte, err error) {
	if !f.Secrets { // a read
		return f.Store.Secret(ctx, owner, version)
	}
	err = f.secret(func() error { value, err = f.Store.Secret(ctx, owner, version); return err })
	return value, err
}

// What only reads goes through.

func (f *Failing) Connection(ctx context.Context, id string) (connection.Connection, error) {
	return f.Store.Connection(ctx, id)
}

func (f *Failing) Connections(ctx context.Context, after string, limit int) ([]connection.Connection, string, error) {
	return f.Store.Connections(ctx, after, limit)
}

func (f *Failing) FingerprintOwner(ctx context.Context, fingerprint string) (string, error) {
	return f.Store.FingerprintOwner(ctx, fingerprint)
}

func (f *Failing) SignIn(ctx context.Context, fingerprint string) (connection.SignIn, error) {
	return f.Store.SignIn(ctx, fingerprint)
}

func (f *Failing) Events(ctx context.Context, id string, since time.Time, after string, limit int) ([]connection.Event, string, error) {
	return f.Store.Events(ctx, id, since, after, limit)
}

func (f *Failing) ReportCounts(ctx context.Context, ids []string) (map[string]int, error) {
	return f.Store.ReportCounts(ctx, ids)
}

func (f *Failing) Attempts(ctx context.Context, key string, since time.Time) (int, error) {
	return f.Store.Attempts(ctx, key, since)
}
