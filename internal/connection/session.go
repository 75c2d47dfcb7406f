package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
)

// One personal access token has one session: Tableau ends the earlier one at
// each sign-in (Tableau help, Personal Access Tokens). So everyone who needs a
// session gets the same, and only the holder of the sign-in lease makes one.
const (
	signInDeadline = 15 * time.Second
	signInLease    = 30 * time.Second
	leasePoll      = 100 * time.Millisecond

	// A try that is given up has used its caller's time already.
	abandonDeadline = 3 * time.Second

	// What signs in with the token outside of vizpost ends our session each
	// time. Going on forever would end theirs each time.
	signInWindow = 10 * time.Minute
	maxSignIns   = 3
)

// BrokenError is returned instead of a session while a connection is known not
// to work. Runs that meet it are held.
type BrokenError struct {
	Connection Connection // as it is stored, with its problem
}

// Error gives the text for logs.
func (e *BrokenError) Error() string {
	if e.Connection.Problem != nil {
		return fmt.Sprintf("connection %s: %s", e.Connection.State, e.Connection.Problem.Message)
	}
	return fmt.Sprintf("connection %s", e.Connection.State)
}

// BusyError says that a session cannot be had right now although nothing is
// broken. It is transient.
type BusyError struct {
	Message string        // for people
	Causes  []Cause       // what it may come from, where that is known
	After   time.Duration // when to try again
}

// Error gives the text for logs.
func (e *BusyError) Error() string { return e.Message }

func busy() error {
	return &BusyError{Message: "Another part of vizpost is signing in with this credential. Try again in a moment.", After: time.Second}
}

// Call uses a session. It must not keep it.
type Call func(ctx context.Context, client *tableau.Client, session tableau.Session) error

// Do runs a call with the session that all users of the connection share,
// signing in only if there is none. When Tableau says that the session has
// ended, Do takes the one that somebody else made since, or makes one, and
// repeats the call once.
//
// Errors: a [BrokenError] while the connection does not work, also when it is
// this call that found out; a [BusyError] when signing in must wait; NotFound
// when the connection is gone; otherwise what the call returned.
func (s *Service) Do(ctx context.Context, id string, call Call) error {
	return s.do(ctx, id, use{}, call)
}

// use says what a session is wanted for.
type use struct {
	// despite is the state that the caller has seen and means to try: one who
	// has seen a connection broken in this way tries it nevertheless.
	despite State

	// keepAlive says that it is wanted for its sign-in alone.
	keepAlive bool
}

// session gives a session of the connection's credential later than the
// generation dead.
func (s *Service) session(ctx context.Context, c Connection, dead int64, use use) (live, error) {
	if l, ok := s.remembered(c, dead); ok {
		return l, nil
	}
	credential, err := s.credential(ctx, c)
	if err != nil {
		return live{}, err
	}

	// Waiting here rather than at the store's lease lets the callers of this
	// process through the moment there is a session.
	lock := s.memory.renewal(c.Fingerprint)
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return live{}, busy()
	}
	if l, ok := s.remembered(c, dead); ok {
		return l, nil
	}

	for {
		row, err := s.Store.SignIn(ctx, c.Fingerprint)
		if err != nil {
			return live{}, fmt.Errorf("looking for a session: %w", err)
		}
		if l, ok := s.open(c, credential, row.Session, dead); ok {
			return l, nil
		}
		now := s.Now()
		if row.Held(now) {
			// The newest of the recent sign-ins is under way: what it brings is
			// not known yet, and it may well be the session to use.
			if err := sleep(ctx, leasePoll); err != nil {
				return live{}, busy()
			}
			continue
		}
		if wait, ok := tooManySignIns(row.Recent, now); ok {
			return live{}, s.tooMany(ctx, c, row, now, wait)
		}
		lease, err := s.Store.LeaseSignIn(ctx, c.Fingerprint, s.NewID(), now, now.Add(signInLease))
		if errors.Is(err, ErrLeaseHeld) {
			if err := sleep(ctx, leasePoll); err != nil {
				return live{}, busy()
			}
			continue
		}
		if err != nil {
			return live{}, fmt.Errorf("leasing the sign-in: %w", err)
		}
		if l, ok := s.open(c, credential, lease.Session, dead); ok {
			return l, s.Store.ReleaseSignIn(ctx, c.Fingerprint, lease.Fence, false)
		}
		// Others may have signed in since the row was read.
		if earlier := lease.Recent[:len(lease.Recent)-1]; len(earlier) > 0 {
			if wait, ok := tooManySignIns(earlier, now); ok {
				lease.Recent = earlier
				return live{}, errors.Join(s.tooMany(ctx, c, lease, now, wait), s.Store.ReleaseSignIn(ctx, c.Fingerprint, lease.Fence, false))
			}
		}
		// Whoever had the lease before may have found the credential rejected,
		// and trying it once more for each of us would lock the account.
		latest, err := s.Store.Connection(ctx, c.ID)
		switch {
		case err != nil:
			err = fmt.Errorf("reading the connection: %w", err)
		case latest.CredentialVersion != c.CredentialVersion:
			err = fmt.Errorf("the credential was replaced: %w", ErrFenced)
		case !latest.State.Works() && latest.State != use.despite:
			err = &BrokenError{Connection: latest}
		case lease.late(s.Now()):
			err = busy()
		}
		if err != nil {
			return live{}, errors.Join(err, s.Store.ReleaseSignIn(ctx, c.Fingerprint, lease.Fence, false))
		}
		// A sign-in is finished even if its caller has gone: others wait for it.
		// What is not stored by the end of the lease may not be stored any more.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signInLease)
		defer cancel()
		return s.signIn(ctx, latest, credential, lease, dead, use)
	}
}

// late reports whether a sign-in that begins now could outlast its lease, and
// so overlap with that of another: the store took long to give it.
func (in SignIn) late(now time.Time) bool { return now.After(in.LeaseUntil.Add(-signInDeadline)) }

// signIn makes a session. The caller holds the lease.
func (s *Service) signIn(ctx context.Context, c Connection, credential sealed, lease SignIn, dead int64, use use) (live, error) {
	client, err := s.Dial(c.ServerURL)
	if err != nil {
		return live{}, errors.Join(fmt.Errorf("preparing the sign-in: %w", err), s.Store.ReleaseSignIn(ctx, c.Fingerprint, lease.Fence, false))
	}
	signInCtx, cancel := context.WithTimeout(ctx, signInDeadline)
	session, err := client.SignIn(signInCtx, credential.Credential, c.Site)
	cancel()
	if err != nil {
		return live{}, s.signInFailed(ctx, c, lease, err)
	}
	now := s.Now()
	record, err := credential.sealSession(session, Session{ConnectionID: c.ID, CredentialVersion: c.CredentialVersion,
		Generation: max(lease.Session.Generation, dead) + 1, SignedInAt: now}, s.Random)
	if err != nil {
		return live{}, err
	}
	if err := s.Store.StoreSession(ctx, c.Fingerprint, lease.Fence, record); err != nil {
		return live{}, fmt.Errorf("keeping the session: %w", err)
	}
	if err := s.change(ctx, c, func(c *Connection) (bool, []Event) {
		var events []Event
		c.TokenLife = c.TokenLife.used(c.Auth.Method, now, session.TokenExpiresIn)
		c.Server = Server{ProductVersion: session.ProductVersion, RESTAPIVersion: session.APIVersion}
		if c.Problem != nil && c.Problem.Code == CodeTokenUsedElsewhere && len(lease.Recent) <= 1 {
			c.Problem = nil
			events = append(events, s.note(ctx, c, Mended, "In ten minutes it had to sign in only once."))
		}
		if use.keepAlive {
			events = append(events, s.note(ctx, c, KeptAlive, "Signed in for the token's own sake, since Tableau deletes one that is not used for 15 days."))
		}
		return true, events
	}); err != nil {
		return live{}, err
	}
	l := live{version: c.CredentialVersion, generation: record.Generation, signedInAt: now, session: session}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	remember(&s.memory.sessions, c.ID, l)
	return l, nil
}

// signInFailed notes a refusal, after which only the rare probes try again by
// themselves since nine refusals lock the account, and ends the lease if it is
// known that no session was made.
func (s *Service) signInFailed(ctx context.Context, c Connection, lease SignIn, err error) error {
	unknown := unanswered(err)
	if why := s.refusal(c, err); why != nil {
		broken, changeErr := s.refuse(ctx, c, why)
		s.forget(c.ID)
		err = errors.Join(&BrokenError{Connection: broken}, err, changeErr)
	}
	if unknown {
		return err
	}
	return errors.Join(err, s.Store.ReleaseSignIn(ctx, c.Fingerprint, lease.Fence, false))
}

// refusal gives the problem that a failed sign-in is of the connection; nil
// where it may pass, or is of the way to the server.
func (s *Service) refusal(c Connection, err error) *Problem {
	var t *tableau.Error
	if !errors.As(err, &t) {
		return nil
	}
	switch t.Cause {
	case tableau.CredentialsRejected:
		return rejected(c, s.Now(), past{})
	case tableau.Unreachable, tableau.Certificate, tableau.NotTableau, tableau.Blocked:
		return nil
	}
	if t.Retry {
		return nil
	}
	return signInRefused(c, t, s.Now())
}

// refuse notes that a connection needs another credential, and gives it as it
// is stored.
func (s *Service) refuse(ctx context.Context, c Connection, why *Problem) (Connection, error) {
	if c.State != NeedsCredentials {
		s.look(ctx, c)
	}
	broken := c
	err := s.change(ctx, c, func(c *Connection) (bool, []Event) {
		var events []Event
		if c.State == NeedsCredentials && c.Problem != nil && c.Problem.Code == why.Code {
			since := c.Problem.Since // it has not worked in between
			c.Problem = why
			c.Problem.Since = since
		} else {
			c.State, c.Problem, c.Probes, c.ProbeAt = NeedsCredentials, why, 0, s.Now().Add(refusedPause(0))
			events = append(events, s.noteBroke(ctx, c))
		}
		broken = *c
		return true, events
	})
	return broken, err
}

// look has the connection looked at soon, whose people are to hear of its
// problem whoever finds it. Care looks at all connections, so a failure only
// delays that.
func (s *Service) look(ctx context.Context, c Connection) {
	if err := s.Holds.Prepare(ctx, c); err != nil {
		s.Log.Warn("people hear of a problem later", "connection", c.ID, "error", err)
	}
}

// unanswered reports whether Tableau may have made a session that nobody knows.
// The lease runs its course then, so that the next sign-in does not overlap
// with this one.
func unanswered(err error) bool {
	var t *tableau.Error
	return errors.As(err, &t) && t.Retry && t.Code == "" && t.Cause != tableau.Unreachable && t.Cause != tableau.TooManyRequests
}

func hasCause(err error, cause tableau.Cause) bool {
	var t *tableau.Error
	return errors.As(err, &t) && t.Cause == cause
}

// tooMany says why a credential may not sign in for a while. Sessions that were
// made and ended are a problem of the connection; sign-ins that brought none
// are not.
func (s *Service) tooMany(ctx context.Context, c Connection, row SignIn, now time.Time, wait time.Duration) error {
	if row.Session.SignedInAt.Before(row.Recent[len(row.Recent)-1]) {
		return &BusyError{Message: "vizpost tried to sign in several times within ten minutes without getting an answer, and waits before it tries again.", After: wait}
	}
	why := usedElsewhere(c, now)
	if c.Problem == nil {
		s.look(ctx, c)
	}
	err := s.change(ctx, c, func(c *Connection) (bool, []Event) {
		if c.Problem != nil {
			return false, nil
		}
		c.Problem = why
		return true, []Event{s.noteBroke(ctx, c)}
	})
	if err != nil {
		return err
	}
	return &BusyError{Message: why.Message, Causes: why.Causes, After: wait}
}

// change writes what was learned with c's credential, unless the connection has
// another credential by now: then [ErrFenced]. The edit says whether there is
// anything to write, and what to note of it; it may run more than once.
func (s *Service) change(ctx context.Context, c Connection, edit func(*Connection) (bool, []Event)) error {
	return s.rewrite(ctx, c.ID, func(now *Connection) (bool, []Event, error) {
		if now.CredentialVersion != c.CredentialVersion {
			return false, nil, fmt.Errorf("noting the connection's state: %w", ErrFenced)
		}
		write, events := edit(now)
		return write, events, nil
	})
}

// worked notes what a call that succeeded says of its connection, if that is
// news: it works, and a session that has lasted is not being ended by others.
func (s *Service) worked(ctx context.Context, c Connection, l live) error {
	lasted := s.Now().Sub(l.signedInAt) >= signInWindow
	if c.State == Connected && (c.Problem == nil || !lasted) {
		return nil
	}
	if err := s.Holds.Prepare(ctx, c); err != nil {
		return fmt.Errorf("preparing to release held runs: %w", err)
	}
	err := s.change(ctx, c, func(c *Connection) (bool, []Event) {
		var events []Event
		if c.Problem != nil {
			events = append(events, s.note(ctx, c, Mended, "The connection works again."))
		}
		c.mend()
		return true, events
	})
	if errors.Is(err, ErrFenced) {
		return nil // the new credential's state is its own
	}
	if err != nil {
		return err
	}
	s.release(ctx, c)
	return nil
}

// release has the runs of a connection that works looked at. They were prepared
// for that, so a failure only delays them.
func (s *Service) release(ctx context.Context, c Connection) {
	if err := s.Holds.Release(ctx, c); err != nil {
		s.Log.Warn("held runs are released by the next tick", "connection", c.ID, "error", err)
	}
}

// tooManySignIns tells how long to wait when the credential has signed in as
// often as it may.
func tooManySignIns(recent []time.Time, now time.Time) (time.Duration, bool) {
	var within []time.Time
	for _, t := range recent {
		if now.Sub(t).Abs() < signInWindow {
			within = append(within, t)
		}
	}
	if len(within) < maxSignIns {
		return 0, false
	}
	return within[len(within)-maxSignIns].Add(signInWindow).Sub(now), true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
