package connection

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// trial is a credential that has just worked, before it is stored.
type trial struct {
	connection Connection // with what was learned
	credential sealed
	client     *tableau.Client
	session    tableau.Session
	record     Session // the session, sealed for the connection

	// fence is of the sign-in lease, which the trial has until it is stored or
	// abandoned: the session is ended by nobody else meanwhile.
	fence   int64
	made    bool // the session was made for the trial
	unknown bool // whether one was made is not known
}

// try signs in with a credential for c, as it is to become; stored is what there
// is of it so far, without a Rev when there is nothing. When the credential is
// the one that it has, for the same site, and its session lives, that is used.
func (s *Service) try(ctx context.Context, stored, c Connection, entered tableau.Credential) (trial, error) {
	version := s.NewID()
	fp, err := fingerprint(entered, version)
	if err != nil {
		return trial{}, err
	}
	credential, err := newSealed(entered, s.Random)
	if err != nil {
		return trial{}, err
	}
	if err := s.unclaimed(ctx, fp, stored); err != nil {
		return trial{}, err
	}
	c.CredentialVersion, c.Fingerprint = version, fp
	c.Auth = Auth{Method: entered.Method, TokenName: entered.TokenName, Username: entered.Username}
	c.TokenLife = TokenLife{Source: ExpiryUnknown}
	if sameUse(stored, c) {
		c.TokenLife = stored.TokenLife
	}

	t := trial{connection: c, credential: credential}
	err = s.attempt(ctx, c, func(ctx context.Context) error {
		lease, err := s.leaseSignIn(ctx, fp)
		if err != nil {
			return err
		}
		t.fence = lease.Fence
		// Somebody else may have connected with the same token since, or have
		// edited this connection: signing in would end the session of theirs.
		if err := s.unclaimed(ctx, fp, stored); err != nil {
			return err
		}
		if err := s.unedited(ctx, stored); err != nil {
			return err
		}
		if lease.late(s.Now()) {
			return busy()
		}
		t.record.Generation = lease.Session.Generation + 1
		if s.tryShared(ctx, &t, stored, lease.Session) {
			return nil
		}
		return s.tryNew(ctx, &t)
	})
	if err != nil {
		s.abandon(ctx, t)
		var worked Connection
		if stored.Fingerprint == fp && stored.Auth == c.Auth && stored.State.Works() && !sameUse(stored, c) {
			worked = stored
		}
		return trial{}, s.answer(ctx, err, c, stored, worked)
	}
	return t, nil
}

// sameUse reports whether a credential is entered once more, just as it worked:
// what is known of it holds only then.
func sameUse(stored, c Connection) bool {
	return stored.Fingerprint == c.Fingerprint && stored.Auth == c.Auth &&
		stored.ServerURL == secured(c.ServerURL, stored.ServerURL) && strings.EqualFold(stored.Site, c.Site)
}

// unclaimed refuses a token that another connection has, and a new connection
// that was made since.
func (s *Service) unclaimed(ctx context.Context, fingerprint string, c Connection) error {
	owner, err := s.owner(ctx, fingerprint)
	switch {
	case problem.Is(err, problem.NotFound):
		return nil
	case err != nil:
		return err
	case owner.ID == c.ID && c.Rev == 0:
		return problem.Changed("connection")
	case owner.ID == c.ID:
		return nil
	}
	return tokenInUse(owner)
}

// owner gives the connection that a token belongs to. NotFound when it belongs
// to none, also if one has just given it up.
func (s *Service) owner(ctx context.Context, fingerprint string) (Connection, error) {
	id, err := s.Store.FingerprintOwner(ctx, fingerprint)
	var c Connection
	if err == nil {
		c, err = s.Store.Connection(ctx, id)
	}
	if err == nil && c.Fingerprint != fingerprint {
		err = problem.Missing("connection", id)
	}
	if err != nil {
		return Connection{}, fmt.Errorf("looking for the token's connection: %w", err)
	}
	return c, nil
}

// unedited refuses to go on with a connection that somebody edited since.
func (s *Service) unedited(ctx context.Context, c Connection) error {
	if c.Rev == 0 { // not stored yet
		return nil
	}
	now, err := s.Store.Connection(ctx, c.ID)
	if err == nil && now.Version != c.Version {
		err = problem.Changed("connection")
	}
	return err
}

// tryShared tries a credential through the session that it has already, and
// reports whether that lives.
func (s *Service) tryShared(ctx context.Context, t *trial, stored Connection, session Session) bool {
	if !sameUse(stored, t.connection) {
		return false
	}
	old, err := s.credential(ctx, stored)
	if err != nil {
		return false
	}
	l, ok := s.open(stored, old, session, 0)
	if !ok {
		return false
	}
	if t.client, err = s.Dial(l.session.ServerURL); err != nil {
		return false
	}
	t.session, t.record.SignedInAt = l.session, l.signedInAt
	return s.learn(ctx, t) == nil
}

// tryNew signs in with a credential.
func (s *Service) tryNew(ctx context.Context, t *trial) error {
	var err error
	if t.client, err = s.Dial(t.connection.ServerURL); err != nil {
		return err
	}
	signInCtx, cancel := context.WithTimeout(ctx, signInDeadline)
	defer cancel()
	if t.session, err = t.client.SignIn(signInCtx, t.credential.Credential, t.connection.Site); err != nil {
		t.unknown = unanswered(err)
		return err
	}
	now := s.Now()
	t.made, t.record.SignedInAt = true, now
	t.connection.TokenLife = t.connection.TokenLife.used(t.credential.Method, now, t.session.TokenExpiresIn)
	return s.learn(ctx, t)
}

// learn asks who the session belongs to and seals it for the connection.
func (s *Service) learn(ctx context.Context, t *trial) error {
	user, err := t.client.User(ctx, t.session, t.session.UserID)
	if err != nil {
		return err
	}
	t.connection.ServerURL = secured(t.connection.ServerURL, t.session.ServerURL)
	t.connection.Identity = Identity{SiteID: t.session.SiteID, UserID: t.session.UserID, UserName: user.Name}
	t.connection.Server = Server{ProductVersion: t.session.ProductVersion, RESTAPIVersion: t.session.APIVersion}
	t.record.ConnectionID, t.record.CredentialVersion = t.connection.ID, t.connection.CredentialVersion
	t.record, err = t.credential.sealSession(t.session, t.record, s.Random)
	return err
}

// secured gives the address of a server that is known by https:// where http://
// was entered for it. Of another host it stays as entered: what a load balancer
// or Tableau Cloud redirects to may change.
func secured(entered, known string) string {
	from, err := url.Parse(entered)
	if err != nil || from.Scheme != "http" {
		return entered
	}
	to, err := url.Parse(known)
	if err != nil || to.Scheme != "https" || !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return entered
	}
	return known
}

// store keeps a trial's credential and then the connection that names it, in
// this order: a crash between them leaves the old credential in force.
func (s *Service) store(ctx context.Context, t trial, c Connection, write func(context.Context, Connection, *Session) error) error {
	value, err := t.credential.encode()
	if err != nil {
		s.abandon(ctx, t)
		return fmt.Errorf("encoding the credential: %w", err)
	}
	if err := ctx.Err(); err != nil {
		s.abandon(ctx, t)
		return tooSlow(err)
	}
	ctx = context.WithoutCancel(ctx) // from here on it is ours to finish
	if err := s.Vault.PutSecret(ctx, VaultOwner(c.ID), c.CredentialVersion, value); err != nil {
		s.drop(ctx, c.ID, c.CredentialVersion)
		s.abandon(ctx, t)
		return fmt.Errorf("storing the credential: %w", err)
	}
	err = write(ctx, c, &t.record)
	refused := problem.Is(err, problem.Stale) || problem.Is(err, problem.Conflict) || problem.Is(err, problem.NotFound)
	if refused {
		// "Refused" is not "not written": the answer to the write that was made
		// may be lost, and its repeat refused. A version has one writer, so a
		// connection that names it was written by this one.
		now, readErr := s.Store.Connection(ctx, c.ID)
		switch {
		case readErr == nil && now.CredentialVersion == c.CredentialVersion:
			refused, err = false, nil
		case readErr != nil && !problem.Is(readErr, problem.NotFound):
			return fmt.Errorf("storing the connection: %w", errors.Join(err, readErr)) // the credential stays
		}
	}
	if refused {
		s.drop(ctx, c.ID, c.CredentialVersion)
		s.abandon(ctx, t)
		if problem.HasCode(err, problem.CodeTokenInUse) { // which the store does not name
			return cmp.Or(s.unclaimed(ctx, c.Fingerprint, c), err)
		}
		return err
	}
	if err != nil {
		// It may have been written all the same: the credential stays, and the
		// lease runs its course.
		return fmt.Errorf("storing the connection: %w", err)
	}
	if err := s.Store.ReleaseSignIn(ctx, c.Fingerprint, t.fence, t.made); err != nil {
		s.Log.Warn("the sign-in lease runs its course", "connection", c.ID, "error", err)
	}
	return nil
}

// drop removes a version of a credential that no connection names.
func (s *Service) drop(ctx context.Context, id, version string) {
	if err := s.Vault.DropSecret(ctx, VaultOwner(id), version); err != nil {
		s.Log.Warn("a credential that is not used was not dropped", "connection", id, "error", err)
	}
}

// abandon ends a trial that is not stored. A session that others use is left
// alone.
func (s *Service) abandon(ctx context.Context, t trial) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonDeadline)
	defer cancel()
	if t.made {
		if err := t.client.SignOut(ctx, t.session); err != nil {
			s.Log.Info("a tried session ends by itself", "error", err)
		}
	}
	if t.fence == 0 || t.unknown {
		return
	}
	if err := s.Store.ReleaseSignIn(ctx, t.connection.Fingerprint, t.fence, false); err != nil {
		s.Log.Warn("the sign-in lease runs its course", "error", err)
	}
}

// leaseSignIn waits for the right to sign in with a credential.
func (s *Service) leaseSignIn(ctx context.Context, fingerprint string) (SignIn, error) {
	for {
		now := s.Now()
		lease, err := s.Store.LeaseSignIn(ctx, fingerprint, s.NewID(), now, now.Add(signInLease))
		if !errors.Is(err, ErrLeaseHeld) {
			return lease, err
		}
		if sleep(ctx, leasePoll) != nil {
			return SignIn{}, busy()
		}
	}
}

// attemptKey names what Tableau would lock: a server's user. A token's name is
// known on one site only. The name goes in as a digest, since it may be a secret
// that was entered in the wrong field.
func attemptKey(c Connection) string {
	where := c.SiteKey()
	if c.Auth.Method == tableau.UsernamePassword {
		where = SiteKey(c.ServerURL, "")
	}
	name := sha256.Sum256([]byte(strings.ToLower(c.Auth.Name())))
	return where + "/" + string(c.Auth.Method) + "/" + hex.EncodeToString(name[:16])
}

// attempt runs a try of a credential that Tableau may refuse, within the bound
// that keeps the account from being locked. Only refusals count.
func (s *Service) attempt(ctx context.Context, c Connection, try func(context.Context) error) error {
	key, now := attemptKey(c), s.Now()
	err := s.Store.CountAttempt(ctx, key, now, now.Add(-attemptWindow), maxAttempts)
	if problem.Is(err, problem.TooMany) {
		return &problem.Error{Kind: problem.TooMany, Code: problem.CodeTooMany, After: attemptWindow, Err: err, Causes: told([]Cause{lockedOut()}),
			Message: "This credential was refused five times within ten minutes. Further tries could lock the account: wait ten minutes, and check it in Tableau meanwhile."}
	}
	if err != nil {
		return fmt.Errorf("counting the attempt: %w", err)
	}
	err = try(ctx)
	if hasCause(err, tableau.CredentialsRejected) {
		return err
	}
	if err := s.Store.ForgetAttempt(context.WithoutCancel(ctx), key); err != nil {
		s.Log.Warn("a try that was not refused counts for some minutes", "error", err)
	}
	return err
}
