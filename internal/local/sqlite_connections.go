package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// recentSignIns is how long a sign-in is kept in [connection.SignIn.Recent].
const recentSignIns = 10 * time.Minute

// attemptsKept is how long an attempt is kept at least.
const attemptsKept = 24 * time.Hour

// CreateConnection implements [connection.Store].
func (s *Store) CreateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return s.update(ctx, "storing a connection", func(tx *sql.Tx) error {
		if taken, err := exists(ctx, tx, "SELECT 1 FROM connections WHERE id = ?", c.ID); err != nil {
			return err
		} else if taken {
			return problem.Changed("connection")
		}
		c.Rev = 1
		if err := putConnection(ctx, tx, c); err != nil {
			return err
		}
		if err := putSession(ctx, tx, c.Fingerprint, session); err != nil {
			return err
		}
		return putEvents(ctx, tx, c.ID, events)
	})
}

// Connection implements [connection.Store].
func (s *Store) Connection(ctx context.Context, id string) (connection.Connection, error) {
	c, err := connectionByID(ctx, s.read, id)
	if err != nil {
		return connection.Connection{}, storeError("reading a connection", err)
	}
	return c, nil
}

func connectionByID(ctx context.Context, q querier, id string) (connection.Connection, error) {
	c, found, err := document[connection.Connection](ctx, q, "SELECT doc FROM connections WHERE id = ?", id)
	if err == nil && !found {
		err = problem.Missing("connection", id)
	}
	return c, err
}

// Connections implements [connection.Store].
func (s *Store) Connections(ctx context.Context, after string, limit int) ([]connection.Connection, string, error) {
	list, err := documents[connection.Connection](ctx, s.read,
		"SELECT doc FROM connections WHERE id > ? ORDER BY id LIMIT ?", after, fetch(limit))
	if err != nil {
		return nil, "", storeError("listing connections", err)
	}
	list, next := page(list, limit, func(c connection.Connection) string { return c.ID })
	return list, next, nil
}

// UpdateConnection implements [connection.Store].
func (s *Store) UpdateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return s.update(ctx, "storing a connection", func(tx *sql.Tx) error {
		old, err := connectionByID(ctx, tx, c.ID)
		if err != nil {
			return err
		}
		if old.Rev != c.Rev {
			return problem.Changed("connection")
		}
		if old.Fingerprint != c.Fingerprint {
			if err := forgetSession(ctx, tx, old); err != nil {
				return err
			}
		}
		c.Rev++
		if err := putConnection(ctx, tx, c); err != nil {
			return err
		}
		if err := putSession(ctx, tx, c.Fingerprint, session); err != nil {
			return err
		}
		return putEvents(ctx, tx, c.ID, events)
	})
}

// DeleteConnection implements [connection.Store].
func (s *Store) DeleteConnection(ctx context.Context, id string, rev int64, events ...connection.Event) error {
	return s.update(ctx, "deleting a connection", func(tx *sql.Tx) error {
		old, err := connectionByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if old.Rev != rev {
			return problem.Changed("connection")
		}
		if used, err := exists(ctx, tx, "SELECT 1 FROM reports WHERE connection_id = ?", id); err != nil {
			return err
		} else if used {
			return problem.New(problem.Conflict, problem.CodeInUse,
				"Reports use this connection. Move them to another connection or delete them first.")
		}
		if err := forgetSession(ctx, tx, old); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM connections WHERE id = ?", id); err != nil {
			return err
		}
		return putEvents(ctx, tx, id, events)
	})
}

// putConnection writes a connection's row and its claim.
func putConnection(ctx context.Context, tx *sql.Tx, c connection.Connection) error {
	c.TokenLife.ExpiresAt, c.TokenLife.LastUsedAt = utc(c.TokenLife.ExpiresAt), utc(c.TokenLife.LastUsedAt)
	c.ProbeAt, c.CreatedAt, c.UpdatedAt = utc(c.ProbeAt), utc(c.CreatedAt), utc(c.UpdatedAt)
	if c.Problem != nil {
		p := *c.Problem
		p.Since = utc(p.Since)
		c.Problem = &p
	}
	var claim sql.NullString
	if c.Auth.Method == tableau.PersonalAccessToken {
		claim = sql.NullString{String: c.Fingerprint, Valid: true}
		if taken, err := exists(ctx, tx, "SELECT 1 FROM connections WHERE claimed_fingerprint = ? AND id <> ?", claim, c.ID); err != nil {
			return err
		} else if taken {
			return problem.New(problem.Conflict, problem.CodeTokenInUse,
				"Another connection uses this personal access token. Tableau gives a token one session at a time: make a token of its own for each connection.")
		}
	}
	doc, err := encode(c)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO connections (id, rev, credential_version, fingerprint, claimed_fingerprint, doc)
		VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET rev = excluded.rev, credential_version = excluded.credential_version,
			fingerprint = excluded.fingerprint, claimed_fingerprint = excluded.claimed_fingerprint, doc = excluded.doc`,
		c.ID, c.Rev, c.CredentialVersion, c.Fingerprint, claim, doc)
	return err
}

// FingerprintOwner implements [connection.Store].
func (s *Store) FingerprintOwner(ctx context.Context, fingerprint string) (string, error) {
	var id string
	err := s.read.QueryRowContext(ctx, "SELECT id FROM connections WHERE claimed_fingerprint = ?", fingerprint).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", problem.New(problem.NotFound, problem.CodeNotFound, "No connection uses this personal access token.")
	}
	if err != nil {
		return "", storeError("looking for a token's connection", err)
	}
	return id, nil
}

// signIn is a row of sign_ins.
type signIn struct {
	connection.SignIn
	leasedAt time.Time // what the lease added to Recent; zero: nothing
}

func readSignIn(ctx context.Context, q querier, fingerprint string) (signIn, error) {
	in := signIn{SignIn: connection.SignIn{Fingerprint: fingerprint}}
	var leaseUntil, leasedAt int64
	var recent []byte
	var session sql.NullString
	err := q.QueryRowContext(ctx, "SELECT fence, holder, lease_until, leased_at, recent, session FROM sign_ins WHERE fingerprint = ?", fingerprint).
		Scan(&in.Fence, &in.Holder, &leaseUntil, &leasedAt, &recent, &session)
	if errors.Is(err, sql.ErrNoRows) {
		return in, nil
	}
	if err != nil {
		return signIn{}, err
	}
	in.LeaseUntil, in.leasedAt = fromMicros(leaseUntil), fromMicros(leasedAt)
	var times []int64
	if err := json.Unmarshal(recent, &times); err != nil {
		return signIn{}, fmt.Errorf("decoding recent sign-ins: %w", err)
	}
	for _, t := range times {
		in.Recent = append(in.Recent, fromMicros(t))
	}
	if session.Valid {
		if err := json.Unmarshal([]byte(session.String), &in.Session); err != nil {
			return signIn{}, fmt.Errorf("decoding a session: %w", err)
		}
	}
	return in, nil
}

func writeSignIn(ctx context.Context, tx *sql.Tx, in signIn) error {
	times := make([]int64, len(in.Recent))
	for i, t := range in.Recent {
		times[i] = micros(t)
	}
	recent, err := encode(times)
	if err != nil {
		return err
	}
	var session sql.NullString
	if in.Session.Generation != 0 {
		in.Session.SignedInAt = utc(in.Session.SignedInAt)
		if session.String, err = encode(in.Session); err != nil {
			return err
		}
		session.Valid = true
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO sign_ins (fingerprint, fence, holder, lease_until, leased_at, recent, session)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (fingerprint) DO UPDATE SET fence = excluded.fence, holder = excluded.holder, lease_until = excluded.lease_until,
			leased_at = excluded.leased_at, recent = excluded.recent, session = excluded.session`,
		in.Fingerprint, in.Fence, in.Holder, micros(in.LeaseUntil), micros(in.leasedAt), recent, session)
	return err
}

// putSession stores a session, if there is one to store, and leaves the lease
// as it is.
func putSession(ctx context.Context, tx *sql.Tx, fingerprint string, session *connection.Session) error {
	if session == nil {
		return nil
	}
	in, err := readSignIn(ctx, tx, fingerprint)
	if err != nil {
		return err
	}
	in.Session = *session
	return writeSignIn(ctx, tx, in)
}

// forgetSession forgets a connection's session. Fence and recent sign-ins stay:
// the token is the same if it comes back.
func forgetSession(ctx context.Context, tx *sql.Tx, c connection.Connection) error {
	_, err := tx.ExecContext(ctx, "UPDATE sign_ins SET session = NULL WHERE fingerprint = ?", c.Fingerprint)
	return err
}

// SignIn implements [connection.Store].
func (s *Store) SignIn(ctx context.Context, fingerprint string) (connection.SignIn, error) {
	in, err := readSignIn(ctx, s.read, fingerprint)
	if err != nil {
		return connection.SignIn{}, storeError("reading a token's sign-in", err)
	}
	return in.SignIn, nil
}

// LeaseSignIn implements [connection.Store].
func (s *Store) LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (connection.SignIn, error) {
	now = utc(now)
	var leased signIn
	err := s.update(ctx, "leasing a sign-in", func(tx *sql.Tx) error {
		in, err := readSignIn(ctx, tx, fingerprint)
		if err != nil {
			return err
		}
		if in.Holder != holder && in.Held(now) {
			return connection.ErrLeaseHeld
		}
		in.Fence++
		in.Holder, in.LeaseUntil, in.leasedAt = holder, utc(until), now
		in.Recent = slices.DeleteFunc(in.Recent, func(t time.Time) bool { return now.Sub(t).Abs() >= recentSignIns })
		in.Recent = append(in.Recent, now)
		slices.SortFunc(in.Recent, time.Time.Compare)
		leased = in
		return writeSignIn(ctx, tx, in)
	})
	if err != nil {
		return connection.SignIn{}, err
	}
	return leased.SignIn, nil
}

// StoreSession implements [connection.Store].
func (s *Store) StoreSession(ctx context.Context, fingerprint string, fence int64, session connection.Session) error {
	return s.update(ctx, "storing a session", func(tx *sql.Tx) error {
		in, err := readSignIn(ctx, tx, fingerprint)
		if err != nil {
			return err
		}
		named, err := exists(ctx, tx, "SELECT 1 FROM connections WHERE id = ? AND credential_version = ?",
			session.ConnectionID, session.CredentialVersion)
		if err != nil {
			return err
		}
		if in.Fence != fence || fence == 0 || !named {
			return connection.ErrFenced
		}
		in.Session = session
		in.endLease()
		return writeSignIn(ctx, tx, in)
	})
}

// ReleaseSignIn implements [connection.Store].
func (s *Store) ReleaseSignIn(ctx context.Context, fingerprint string, fence int64, counted bool) error {
	return s.update(ctx, "releasing a sign-in", func(tx *sql.Tx) error {
		in, err := readSignIn(ctx, tx, fingerprint)
		if err != nil || in.Fence != fence || fence == 0 {
			return err
		}
		if i := slices.IndexFunc(in.Recent, in.leasedAt.Equal); i >= 0 && !counted {
			in.Recent = slices.Delete(in.Recent, i, i+1)
		}
		in.endLease()
		return writeSignIn(ctx, tx, in)
	})
}

func (in *signIn) endLease() { in.Holder, in.LeaseUntil, in.leasedAt = "", time.Time{}, time.Time{} }

// CountAttempt implements [connection.Store].
func (s *Store) CountAttempt(ctx context.Context, key string, now, since time.Time, limit int) error {
	return s.update(ctx, "counting an attempt", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE key = ? AND at > ?", key, micros(now.Add(now.Sub(since)))); err != nil {
			return err
		}
		var count int
		var oldest sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT count(*), min(at) FROM
			(SELECT at FROM attempts WHERE key = ? AND at >= ? ORDER BY at DESC LIMIT ?)`, key, micros(since), max(limit, 0)).
			Scan(&count, &oldest); err != nil {
			return err
		}
		if count >= limit {
			p := problem.New(problem.TooMany, problem.CodeTooMany, "There were too many attempts in a short time. Wait some minutes and try again.")
			if oldest.Valid {
				p.After = max(fromMicros(oldest.Int64).Sub(since), 0)
			}
			return p
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE key = ? AND at < ?",
			key, min(micros(since), micros(now.Add(-attemptsKept)))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO attempts (key, at) VALUES (?, ?)", key, micros(now))
		return err
	})
}

// ForgetAttempt implements [connection.Store].
func (s *Store) ForgetAttempt(ctx context.Context, key string) error {
	return s.update(ctx, "forgetting an attempt", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			"DELETE FROM attempts WHERE rowid = (SELECT rowid FROM attempts WHERE key = ? ORDER BY at DESC LIMIT 1)", key)
		return err
	})
}

// Attempts implements [connection.Store].
func (s *Store) Attempts(ctx context.Context, key string, since time.Time) (int, error) {
	var n int
	if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM attempts WHERE key = ? AND at >= ?", key, micros(since)).Scan(&n); err != nil {
		return 0, storeError("counting attempts", err)
	}
	return n, nil
}
