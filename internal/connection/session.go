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

	// A sign-in takes a few seconds, and what follows it less. Who has less time
	// left does not begin one.
	leastSignIn = 5 * time.Second
	afterSignIn = 2 * time.Second

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
		if s.Hold != nil {
			if err := s.Hold(ctx); err != nil {
				return live{}, err
			}
		}
		if wait, ok := tooManySignIns(row.Recent, now); ok {
			return live{}, s.tooMany(ctx, c, row, now, wait)
		}
		if _, ok := timeToSignIn(ctx); !ok {
			return live{}, busy()
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
		// But a caller who has not gone hears of it in time.
		within, _ := timeToSignIn(ctx)
		// What is not stored by the end of the lease may not be stored any more.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signInLease)
		defer cancel()
		return s.signIn(ctx, within, latest, credential, lease, dead, use)
	}
}

// timeToSignIn tells how long a sign-in may take under a context, and whether
// that is long enough to begin one.
func timeToSignIn(ctx context.Context) (time.Duration, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return signInDeadline, true
	}
	left := time.Until(deadline) - afterSignIn
	return min(max(left, leastSignIn), signInDeadline), left >= leastSignIn
}

// late reports whether a sign-in that begins now could outlast its lease, and
// so overlap with that of another: the store took long to give it.
func (in SignIn) late(now time.Time) bool { return now.After(in.LeaseUntil.Add(-signInDeadline)) }

// signIn makes a session, within a time. The caller holds the lease.
func (s *Service) signIn(ctx context.Context, within time.Duration, c Connection, credential sealed, lease SignIn, dead int64, use use) (live, error) {
	client, err := s.Dial(c.ServerURL)
	if err != nil {
		return live{}, errors.Join(fmt.Errorf("preparing the sign-in: %w", err), s.Store.ReleaseSignIn(ctx, c.Fingerprint, lease.Fence, false))
	}
	signInCtx, cancel := context.WithTimeout(ctx, within)
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
