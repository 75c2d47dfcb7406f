package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
)

// What a sign-in or a call says of its connection is written here: that the
// credential is refused, that the token is used elsewhere, that all is well
// again.

// signInFailed notes a refusal, after which only the rare probes try again by
// themselves since nine refusals lock the account, and ends the lease if it is
// known that no session was made.
func (s *Service) signInFailed(ctx context.Context, c Connection, lease SignIn, err error) error {
	unknown := unanswered(err)
	if why, others := s.refusal(ctx, c, err); why != nil {
		broken, changeErr := s.refuse(ctx, c, why)
		if changeErr == nil {
			s.rankAgain(ctx, broken, others)
		}
		s.forget(c.ID)
		err = errors.Join(&BrokenError{Connection: broken}, err, changeErr)
	}
	if unknown {
		return err
	}
	return errors.Join(err, s.Store.ReleaseSignIn(ctx, c.Fingerprint, lease.Fence, false))
}

// refusal gives the problem that a failed sign-in is of the connection; nil
// where it may pass, or is of the way to the server. Where the credential is
// refused, it gives the other connections of the site too.
func (s *Service) refusal(ctx context.Context, c Connection, err error) (*Problem, []Connection) {
	var t *tableau.Error
	if !errors.As(err, &t) {
		return nil, nil
	}
	switch t.Cause {
	case tableau.CredentialsRejected:
		known, others := s.known(ctx, c, c)
		return rejected(c, s.Now(), known), others
	case tableau.Unreachable, tableau.Certificate, tableau.NotTableau, tableau.Blocked:
		return nil, nil
	}
	if t.Retry {
		return nil, nil
	}
	return signInRefused(c, t, s.Now()), nil
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
			again := *why
			again.Since = c.Problem.Since // it has not worked in between
			c.Problem = &again
		} else {
			c.State, c.Problem, c.Probes, c.ProbeAt = NeedsCredentials, why, 0, s.Now().Add(probePause(why.Code, 0))
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
