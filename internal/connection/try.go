package connection

import (
	"context"
	"errors"
	"fmt"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// TestResult is what a try of a connection showed.
type TestResult struct {
	Auth      Auth
	Identity  Identity
	Server    Server
	TokenLife TokenLife
}

// Test tries a stored connection. It uses the session that there is, so it
// disturbs no export; success restores a broken connection.
func (s *Service) Test(ctx context.Context, id string) (TestResult, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return TestResult{}, err
	}
	attempt := func(ctx context.Context) error { return s.tryExplicitly(ctx, c) }
	if c.State == NeedsCredentials {
		err = s.attempt(ctx, c, attempt)
	} else {
		err = attempt(ctx)
	}
	if err != nil {
		err = s.answer(ctx, err, c, c, Connection{})
		known, _ := problem.From(err)
		s.noteOnly(ctx, id, Tested, "The test failed: "+brief(known))
		return TestResult{}, err
	}
	s.noteOnly(ctx, id, Tested, "The test succeeded.")
	if c, err = s.Store.Connection(ctx, id); err != nil {
		return TestResult{}, err
	}
	return TestResult{Auth: c.Auth, Identity: c.Identity, Server: c.Server, TokenLife: c.TokenLife}, nil
}

// Probe tries a broken connection of vizpost's own accord and reports
// whether it works. If it does not, it notes when to try again.
func (s *Service) Probe(ctx context.Context, id string) (bool, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return false, err
	}
	if c.State.Works() {
		return true, nil
	}
	tryErr := s.tryExplicitly(ctx, c)
	if tryErr == nil {
		return true, nil
	}
	err = s.change(ctx, c, func(c *Connection) (bool, []Event) {
		if c.State.Works() {
			return false, nil
		}
		c.Probes++
		pause := unreachableProbe(c.Probes)
		if hasCause(tryErr, tableau.CredentialsRejected) || c.Problem != nil && c.Problem.Code == codeRefused {
			pause = refusedPause(c.Probes)
		}
		if c.Problem != nil && c.Problem.Code == CodeSecretMissing {
			pause = missingProbe
		}
		c.ProbeAt = s.Now().Add(pause)
		return true, nil
	})
	if errors.Is(err, ErrFenced) { // another credential by now, whose state is its own
		c, err = s.Store.Connection(ctx, id)
		return err == nil && c.State.Works(), err
	}
	if err != nil {
		return false, err
	}
	s.Log.Info("a connection is still broken", "connection", id, "error", tryErr)
	return false, nil
}

func (s *Service) tryExplicitly(ctx context.Context, c Connection) error {
	return s.do(ctx, c.ID, use{despite: c.State}, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		_, err := client.User(ctx, session, session.UserID)
		return err
	})
}

// Unreachable notes that the server of a connection does not answer, and gives
// the connection as it is stored. Its runs are held until a probe succeeds. The
// connection is given as it was read before the calls that failed: with another
// credential by now, it is left as it is.
func (s *Service) Unreachable(ctx context.Context, c Connection, why error) (Connection, error) {
	if c.State.Works() {
		s.look(ctx, c)
	}
	broken := c
	err := s.change(ctx, c, func(c *Connection) (bool, []Event) {
		if !c.State.Works() {
			broken = *c
			return false, nil
		}
		now := s.Now()
		c.State, c.Problem, c.Probes = Unreachable, unreachable(*c, why, now), 0
		c.ProbeAt = now.Add(unreachableProbe(0))
		events := []Event{s.noteBroke(ctx, c)}
		broken = *c
		return true, events
	})
	if errors.Is(err, ErrFenced) { // another credential by now, whose state is its own
		return s.Store.Connection(ctx, c.ID)
	}
	return broken, err
}

// KeepAlive makes a sign-in for the token's own sake, if one is due. The
// session before it ends; those who use it take the new one.
func (s *Service) KeepAlive(ctx context.Context, id string) error {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return err
	}
	if !c.KeepAliveDue(s.Now()) {
		return nil
	}
	row, err := s.Store.SignIn(ctx, c.Fingerprint)
	if err != nil {
		return fmt.Errorf("looking for a session: %w", err)
	}
	// Whoever signed in last may have stopped before noting that with the
	// connection, or is just about to.
	if made := row.Session; made.CredentialVersion == c.CredentialVersion && made.SignedInAt.After(c.TokenLife.LastUsedAt) {
		c.TokenLife.LastUsedAt = made.SignedInAt
		if err := s.change(ctx, c, func(c *Connection) (bool, []Event) {
			late := c.TokenLife.LastUsedAt.Before(made.SignedInAt)
			c.TokenLife.LastUsedAt = made.SignedInAt
			return late, nil
		}); err != nil {
			return err
		}
		if !c.KeepAliveDue(s.Now()) {
			return nil
		}
	}
	_, err = s.session(ctx, c, row.Session.Generation, use{keepAlive: true})
	return err
}

// TestSettings tries settings that are not stored. A token that a connection
// has is tried through that connection's session, since a sign-in of its own
// would end it.
func (s *Service) TestSettings(ctx context.Context, in Settings) (TestResult, error) {
	in, err := s.check(ctx, in, true)
	if err != nil {
		return TestResult{}, err
	}
	c := Connection{ID: s.NewID(), Name: in.Name, ServerURL: in.ServerURL, Site: in.Site}
	fp, err := fingerprint(in.Credential, s.NewID())
	if err != nil {
		return TestResult{}, err
	}
	owner, err := s.owner(ctx, fp)
	switch {
	case err == nil:
		if owner.SiteKey() != c.SiteKey() || owner.Auth.TokenName != in.Credential.TokenName {
			return TestResult{}, tokenInUse(owner)
		}
		return s.Test(ctx, owner.ID)
	case !problem.Is(err, problem.NotFound):
		return TestResult{}, err
	}
	t, err := s.try(ctx, c, c, in.Credential)
	if err != nil {
		return TestResult{}, err
	}
	s.abandon(ctx, t)
	return TestResult{Auth: t.connection.Auth, Identity: t.connection.Identity, Server: t.connection.Server, TokenLife: t.connection.TokenLife}, nil
}
