package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
)

const (
	// recentSignIns is how long a sign-in is kept in [connection.SignIn.Recent].
	recentSignIns = 10 * time.Minute

	// signInsKept is how long the state of a fingerprint is kept that nobody
	// signs in with. Tableau's sessions end within hours, and a fence that
	// begins anew after that time meets no holder of an old one.
	signInsKept = 30 * 24 * time.Hour

	// attemptsKept is how long an attempt is kept at least.
	attemptsKept = 24 * time.Hour
)

// Attributes of a sign-in. Its rev counts all writes, so that each is made on
// what was read.
const (
	fence            = "fence"
	holder           = "holder"
	leaseUntil       = "lease_until"
	leasedAt         = "leased_at" // what the lease added to recent
	recent           = "recent"
	sessionAttribute = "session_doc"
)

func signInKey(fingerprint string) item { return key(fingerprints+separator+fingerprint, "sign-in") }

// expiry gives the attribute by which DynamoDB deletes an item.
func (s *Store) expiry(after time.Duration) types.AttributeValue {
	return number(s.Now().Add(after).Unix())
}

// setSession stores a session and leaves the lease as it is.
func (s *Store) setSession(fingerprint string, session *connection.Session) (action, error) {
	doc, err := encode(keptSession(*session))
	if err != nil {
		return action{}, err
	}
	return update(s.app, signInKey(fingerprint), "SET session_doc = :session, expires_at = :expires ADD rev :one",
		item{":session": doc, ":expires": s.expiry(signInsKept), ":one": number(1)}, condition{}), nil
}

func keptSession(session connection.Session) connection.Session {
	session.SignedInAt = utc(session.SignedInAt)
	return session
}

// forgetSession forgets a session. Fence and recent sign-ins stay: the token is
// the same if it comes back.
func (s *Store) forgetSession(fingerprint string) action {
	return update(s.app, signInKey(fingerprint), "SET expires_at = :expires REMOVE session_doc ADD rev :one",
		item{":expires": s.expiry(signInsKept), ":one": number(1)}, condition{})
}

// signIn is a fingerprint's state with what is not told of it.
type signIn struct {
	connection.SignIn
	leasedAt time.Time // what the lease added to Recent; zero: nothing
	rev      int64
}

func (s *Store) readSignIn(ctx context.Context, fingerprint string) (signIn, error) {
	in := signIn{SignIn: connection.SignIn{Fingerprint: fingerprint}}
	it, found, err := s.get(ctx, s.app, signInKey(fingerprint))
	if err != nil || !found {
		return in, err
	}
	in.rev, in.Fence, in.Holder = numberOf(it, revAttribute), numberOf(it, fence), textOf(it, holder)
	for attribute, at := range map[string]*time.Time{leaseUntil: &in.LeaseUntil, leasedAt: &in.leasedAt} {
		if s := textOf(it, attribute); s != "" {
			if *at, err = unstamp(s); err != nil {
				return signIn{}, err
			}
		}
	}
	if textOf(it, recent) != "" {
		if in.Recent, err = decode[[]time.Time](it, recent); err != nil {
			return signIn{}, err
		}
	}
	if textOf(it, sessionAttribute) != "" {
		if in.Session, err = decode[connection.Session](it, sessionAttribute); err != nil {
			return signIn{}, err
		}
	}
	return in, nil
}

// unchanged holds when a sign-in is as it was read.
func (in signIn) unchanged() condition {
	if in.rev == 0 {
		return condition{"attribute_not_exists(rev)", nil, overtaken}
	}
	return condition{"rev = :seen", item{":seen": number(in.rev)}, overtaken}
}

func overtaken(item) error { return errOvertaken }

// SignIn implements [connection.Store].
func (s *Store) SignIn(ctx context.Context, fingerprint string) (connection.SignIn, error) {
	in, err := s.readSignIn(ctx, fingerprint)
	return in.SignIn, storeError("reading a token's sign-in", err)
}

// LeaseSignIn implements [connection.Store].
func (s *Store) LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (connection.SignIn, error) {
	var leased connection.SignIn
	err := s.retry(ctx, func() error {
		in, err := s.readSignIn(ctx, fingerprint)
		if err != nil {
			return err
		}
		leased, err = s.leaseSignIn(ctx, in, holder, utc(now), utc(until))
		return err
	})
	if err != nil {
		return connection.SignIn{}, storeError("leasing a sign-in", err)
	}
	return leased, nil
}

func (s *Store) leaseSignIn(ctx context.Context, in signIn, holder string, now, until time.Time) (connection.SignIn, error) {
	if in.Holder != holder && in.Held(now) {
		return connection.SignIn{}, connection.ErrLeaseHeld
	}
	unchanged := in.unchanged()
	in.Fence++
	in.Holder, in.LeaseUntil = holder, until
	in.Recent = slices.DeleteFunc(in.Recent, func(t time.Time) bool { return now.Sub(t).Abs() >= recentSignIns })
	in.Recent = append(in.Recent, now)
	slices.SortFunc(in.Recent, time.Time.Compare)
	times, err := encode(in.Recent)
	if err != nil {
		return connection.SignIn{}, err
	}
	return in.SignIn, s.transact(ctx, update(s.app, signInKey(in.Fingerprint),
		"SET fence = :fence, holder = :holder, lease_until = :until, leased_at = :now, recent = :recent, expires_at = :expires ADD rev :one",
		item{":fence": number(in.Fence), ":holder": text(holder), ":until": text(stamp(until)), ":now": text(stamp(now)),
			":recent": times, ":expires": s.expiry(signInsKept), ":one": number(1)}, unchanged))
}

// StoreSession implements [connection.Store].
func (s *Store) StoreSession(ctx context.Context, fingerprint string, fence int64, session connection.Session) error {
	doc, err := encode(keptSession(session))
	if err != nil {
		return storeError("storing a session", err)
	}
	fenced := func(item) error { return connection.ErrFenced }
	return storeError("storing a session", s.transact(ctx,
		check(s.app, connectionKey(session.ConnectionID), condition{"credential_version = :version",
			item{":version": text(session.CredentialVersion)}, fenced}),
		update(s.app, signInKey(fingerprint),
			"SET session_doc = :session, expires_at = :expires REMOVE holder, lease_until, leased_at ADD rev :one",
			item{":session": doc, ":expires": s.expiry(signInsKept), ":one": number(1)},
			condition{"fence = :fence", item{":fence": number(fence)}, fenced})))
}

// ReleaseSignIn implements [connection.Store].
func (s *Store) ReleaseSignIn(ctx context.Context, fingerprint string, fence int64, counted bool) error {
	return storeError("releasing a sign-in", s.retry(ctx, func() error {
		in, err := s.readSignIn(ctx, fingerprint)
		if err != nil || in.Fence != fence || fence == 0 {
			return err
		}
		if i := slices.IndexFunc(in.Recent, in.leasedAt.Equal); i >= 0 && !counted {
			in.Recent = slices.Delete(in.Recent, i, i+1)
		}
		times, err := encode(in.Recent)
		if err != nil {
			return err
		}
		return s.transact(ctx, update(s.app, signInKey(fingerprint),
			"SET recent = :recent REMOVE holder, lease_until, leased_at ADD rev :one",
			item{":recent": times, ":one": number(1)}, in.unchanged()))
	}))
}

// attemptsKey names attempts by a hash: what they are kept under may be long,
// and a person's name.
func attemptsKey(name string) item { return key("attempts"+separator+hash(name), "attempts") }

// hash makes a key of texts so that no others give the same.
func hash(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(t), t) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// attempts are what was tried under one key, the oldest first.
type attempts struct {
	times []time.Time
	rev   int64
}

func (s *Store) readAttempts(ctx context.Context, name string) (attempts, error) {
	it, found, err := s.get(ctx, s.app, attemptsKey(name))
	if err != nil || !found {
		return attempts{}, err
	}
	times, err := decode[[]time.Time](it, docAttribute)
	return attempts{times, numberOf(it, revAttribute)}, err
}

func (s *Store) writeAttempts(ctx context.Context, name string, a attempts, kept time.Duration) error {
	doc, err := encode(a.times)
	if err != nil {
		return err
	}
	it := attemptsKey(name)
	it[revAttribute], it[docAttribute], it[TTLAttribute] = number(a.rev+1), doc, s.expiry(kept)
	return s.transact(ctx, put(s.app, it, signIn{rev: a.rev}.unchanged()))
}

// CountAttempt implements [connection.Store].
func (s *Store) CountAttempt(ctx context.Context, key string, now, since time.Time, limit int) error {
	now, since = utc(now), utc(since)
	kept := max(attemptsKept, now.Sub(since))
	return storeError("counting an attempt", s.retry(ctx, func() error {
		a, err := s.readAttempts(ctx, key)
		if err != nil {
			return err
		}
		ahead := now.Add(now.Sub(since))
		a.times = slices.DeleteFunc(a.times, func(t time.Time) bool { return t.After(ahead) })
		counted := slices.DeleteFunc(slices.Clone(a.times), func(t time.Time) bool { return t.Before(since) })
		if len(counted) >= limit {
			p := problem.New(problem.TooMany, problem.CodeTooMany, "There were too many attempts in a short time. Wait some minutes and try again.")
			if limit > 0 {
				p.After = counted[len(counted)-limit].Sub(since)
			}
			return p
		}
		a.times = slices.DeleteFunc(a.times, func(t time.Time) bool { return t.Before(now.Add(-kept)) })
		a.times = append(a.times, now)
		slices.SortFunc(a.times, time.Time.Compare)
		return s.writeAttempts(ctx, key, a, kept)
	}))
}

// ForgetAttempt implements [connection.Store].
func (s *Store) ForgetAttempt(ctx context.Context, key string) error {
	return storeError("forgetting an attempt", s.retry(ctx, func() error {
		a, err := s.readAttempts(ctx, key)
		if err != nil || len(a.times) == 0 {
			return err
		}
		a.times = a.times[:len(a.times)-1]
		return s.writeAttempts(ctx, key, a, attemptsKept)
	}))
}

// Attempts implements [connection.Store].
func (s *Store) Attempts(ctx context.Context, key string, since time.Time) (int, error) {
	a, err := s.readAttempts(ctx, key)
	if err != nil {
		return 0, storeError("counting attempts", err)
	}
	since = utc(since)
	return len(slices.DeleteFunc(a.times, func(t time.Time) bool { return t.Before(since) })), nil
}
