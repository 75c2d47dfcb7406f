package connection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Service makes, edits, tries and uses connections. Its fields are set before
// its first use and not changed after it; it is safe for concurrent use.
type Service struct {
	Store Store
	Vault Vault
	Holds Holds

	// Dial gives a client for a server.
	Dial func(serverURL string) (*tableau.Client, error)

	// CheckServer says why vizpost does not call a server, before its address
	// is stored and before anything is sent there. An error's text is shown.
	CheckServer func(ctx context.Context, serverURL string) error

	Now    func() time.Time
	NewID  func() string
	Random io.Reader
	Log    *slog.Logger

	memory memory
}

// Holds keeps the runs that wait for broken connections.
type Holds interface {
	// Prepare makes sure that what the connection holds is looked at within
	// minutes, also if the caller dies now.
	Prepare(ctx context.Context, c Connection) error

	// Release has it looked at now.
	Release(ctx context.Context, c Connection) error
}

// Settings are what somebody enters to make or try a connection.
type Settings struct {
	Name       string
	ServerURL  string // also as pasted from a browser
	Site       string
	Credential tableau.Credential
	Notify     []string
	ExpiresAt  time.Time // end of the token as a person entered it; zero when unknown
}

// Edit says what to change; what is nil stays.
type Edit struct {
	Name       *string
	ServerURL  *string
	Site       *string
	Notify     *[]string
	Credential *tableau.Credential
	ExpiresAt  *time.Time

	AcceptIdentityChange bool  // another user or site than before is meant
	IfVersion            int64 // the version that is edited; 0 for whichever there is
}

// TestResult is what a try of a connection showed.
type TestResult struct {
	Auth      Auth
	Identity  Identity
	Server    Server
	TokenLife TokenLife
}

const (
	// maxAttempts bounds the tries of credentials that Tableau refused, for a
	// server and user: nine lock the account.
	maxAttempts   = 5
	attemptWindow = 10 * time.Minute

	maxEdits = 8 // how often an edit is begun anew because of somebody else's
)

// Get reads a connection. NotFound when there is none.
func (s *Service) Get(ctx context.Context, id string) (Connection, error) {
	return s.Store.Connection(ctx, id)
}

// List reads connections in order of id, beginning behind the id after. The
// second result is the id to go on behind, "" at the end.
func (s *Service) List(ctx context.Context, after string, limit int) ([]Connection, string, error) {
	return s.Store.Connections(ctx, after, limit)
}

// Create signs in with the settings and, if that works, stores them as a new
// connection. Stale when the id exists; Conflict when the token belongs to
// another connection; Invalid when a field or the credential is wrong.
func (s *Service) Create(ctx context.Context, id string, in Settings) (Connection, error) {
	now := s.Now()
	in, err := s.check(ctx, in, true)
	if err != nil {
		return Connection{}, err
	}
	c := Connection{
		ID: id, Name: in.Name, ServerURL: in.ServerURL, Site: in.Site, Notify: in.Notify,
		State: Connected, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	t, err := s.try(ctx, c, in.Credential)
	if err != nil {
		return Connection{}, err
	}
	c = t.connection
	c.TokenLife = c.TokenLife.entered(in.ExpiresAt)
	if err := s.store(ctx, t, c, s.Store.CreateConnection); err != nil {
		return Connection{}, err
	}
	return s.Store.Connection(ctx, id)
}

// Edit changes a connection. A new credential, server or site is tried first;
// if it does not work, nothing is changed.
func (s *Service) Edit(ctx context.Context, id string, e Edit) (Connection, error) {
	old, err := s.Store.Connection(ctx, id)
	if err != nil {
		return Connection{}, err
	}
	if e.IfVersion != 0 && e.IfVersion != old.Version {
		return Connection{}, problem.Changed("connection")
	}
	if e.Credential == nil {
		return s.editPlain(ctx, old, e)
	}
	in := Settings{Name: old.Name, ServerURL: old.ServerURL, Site: old.Site, Notify: old.Notify, Credential: *e.Credential}
	set(&in.Name, e.Name)
	set(&in.ServerURL, e.ServerURL)
	if e.ServerURL != nil && e.Site == nil {
		in.Site = "" // that of the pasted address, if it names one
	}
	set(&in.Site, e.Site)
	set(&in.Notify, e.Notify)
	if in, err = s.check(ctx, in, true); err != nil {
		return Connection{}, err
	}
	if e.ServerURL != nil && e.Site == nil && in.Site == "" {
		in.Site = old.Site
	}

	c := old.Clone()
	c.Name, c.ServerURL, c.Site, c.Notify = in.Name, in.ServerURL, in.Site, in.Notify
	t, err := s.try(ctx, c, in.Credential)
	if err != nil {
		return Connection{}, err
	}
	if !e.AcceptIdentityChange {
		if p := identityChange(old, t.connection); p != nil {
			s.abandon(ctx, t)
			return Connection{}, p
		}
	}
	c = t.connection
	if e.ExpiresAt != nil {
		c.TokenLife = c.TokenLife.entered(*e.ExpiresAt)
	}
	c.State, c.Problem, c.ProbeAt, c.Probes = Connected, nil, time.Time{}, 0
	c.Version, c.UpdatedAt = old.Version+1, s.Now()

	if err := s.Holds.Prepare(ctx, old); err != nil {
		s.abandon(ctx, t)
		return Connection{}, fmt.Errorf("preparing to release held runs: %w", err)
	}
	if err := s.store(ctx, t, c, func(ctx context.Context, c Connection, session *Session) error {
		return s.replace(ctx, old, c, session)
	}); err != nil {
		return Connection{}, err
	}
	s.forget(id)
	// The new credential is in force: what follows is tidying up, and does not
	// turn a success into a failure.
	s.drop(ctx, id, old.CredentialVersion)
	s.release(ctx, old)
	return s.Store.Connection(ctx, id)
}

// replace stores an edited connection. What the machine wrote in between is of
// the old credential and gives way; what a person wrote does not.
func (s *Service) replace(ctx context.Context, old, c Connection, session *Session) error {
	for range maxEdits {
		err := s.Store.UpdateConnection(ctx, c, session)
		if !problem.Is(err, problem.Stale) {
			return err
		}
		now, readErr := s.Store.Connection(ctx, c.ID)
		if readErr != nil {
			return readErr
		}
		if now.Version != old.Version || now.CredentialVersion != old.CredentialVersion {
			return problem.Changed("connection")
		}
		c.Rev = now.Rev
	}
	return problem.Changed("connection")
}

// editPlain changes what needs no sign-in.
func (s *Service) editPlain(ctx context.Context, old Connection, e Edit) (Connection, error) {
	in := Settings{Name: old.Name, ServerURL: old.ServerURL, Site: old.Site, Notify: old.Notify}
	set(&in.Name, e.Name)
	set(&in.ServerURL, e.ServerURL)
	set(&in.Site, e.Site)
	set(&in.Notify, e.Notify)
	in, err := s.check(ctx, in, false)
	if err != nil {
		return Connection{}, err
	}
	if in.ServerURL != old.ServerURL || !strings.EqualFold(in.Site, old.Site) {
		return Connection{}, problem.InvalidField("auth", "Enter the credential together with another server or site: a stored secret is never sent to a new address.")
	}
	base := old
	for range maxEdits {
		c := base.Clone()
		if e.Name != nil {
			c.Name = in.Name
		}
		if e.Notify != nil {
			c.Notify = in.Notify
		}
		if e.ExpiresAt != nil {
			c.TokenLife = c.TokenLife.entered(*e.ExpiresAt)
		}
		c.Version, c.UpdatedAt = base.Version+1, s.Now()
		err := s.Store.UpdateConnection(ctx, c, nil)
		if err == nil {
			return s.Store.Connection(ctx, old.ID)
		}
		if !problem.Is(err, problem.Stale) {
			return Connection{}, err
		}
		if base, err = s.Store.Connection(ctx, old.ID); err != nil {
			return Connection{}, err
		}
		if e.IfVersion != 0 && e.IfVersion != base.Version {
			return Connection{}, problem.Changed("connection")
		}
	}
	return Connection{}, problem.Changed("connection")
}

// Delete removes a connection and its secret. Conflict while reports use it.
func (s *Service) Delete(ctx context.Context, id string, ifVersion int64) error {
	deleteErr := s.delete(ctx, id, ifVersion)
	if deleteErr != nil && !problem.Is(deleteErr, problem.NotFound) {
		return deleteErr
	}
	s.forget(id)
	// Also of a connection that is gone already: it finishes a deletion that
	// broke off here.
	if err := s.Vault.RemoveSecret(ctx, vaultOwner(id)); err != nil {
		return fmt.Errorf("removing the connection's secret: %w", err)
	}
	return deleteErr
}

func (s *Service) delete(ctx context.Context, id string, ifVersion int64) error {
	for range maxEdits {
		c, err := s.Store.Connection(ctx, id)
		if err != nil {
			return err
		}
		if ifVersion != 0 && ifVersion != c.Version {
			return problem.Changed("connection")
		}
		err = s.Store.DeleteConnection(ctx, id, c.Rev)
		if !problem.Is(err, problem.Stale) {
			return err
		}
	}
	return problem.Changed("connection")
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
		return TestResult{}, s.answer(err, c)
	}
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
	err = s.change(ctx, c, func(c *Connection) bool {
		if c.State.Works() {
			return false
		}
		c.Probes++
		pause := unreachableProbe(c.Probes)
		if hasCause(tryErr, tableau.CredentialsRejected) {
			pause = rejectedProbe
		}
		c.ProbeAt = s.Now().Add(pause)
		return true
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
	return s.do(ctx, c.ID, c.State, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		_, err := client.User(ctx, session, session.UserID)
		return err
	})
}

// Unreachable notes that the connection's server does not answer, and gives the
// connection as it is stored. Its runs are held until a probe succeeds.
func (s *Service) Unreachable(ctx context.Context, id string, why error) (Connection, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return Connection{}, err
	}
	broken := c
	err = s.change(ctx, c, func(c *Connection) bool {
		news := c.State.Works()
		if news {
			now := s.Now()
			c.State, c.Problem, c.Probes = Unreachable, unreachable(*c, why, now), 0
			c.ProbeAt = now.Add(unreachableProbe(0))
		}
		broken = *c
		return news
	})
	if errors.Is(err, ErrFenced) { // another credential by now, whose state is its own
		return s.Store.Connection(ctx, id)
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
	_, err = s.session(ctx, c, row.Session.Generation, Connected)
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
	owner, err := s.Store.FingerprintOwner(ctx, fp)
	switch {
	case err == nil:
		known, err := s.Store.Connection(ctx, owner)
		if err != nil {
			return TestResult{}, err
		}
		if known.SiteKey() != c.SiteKey() || known.Auth.TokenName != in.Credential.TokenName {
			return TestResult{}, tokenInUse(known)
		}
		return s.Test(ctx, owner)
	case !problem.Is(err, problem.NotFound):
		return TestResult{}, fmt.Errorf("looking for the token's connection: %w", err)
	}
	t, err := s.try(ctx, c, in.Credential)
	if err != nil {
		return TestResult{}, err
	}
	s.abandon(ctx, t)
	return TestResult{Auth: t.connection.Auth, Identity: t.connection.Identity, Server: t.connection.Server, TokenLife: t.connection.TokenLife}, nil
}

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

// try signs in with a credential for c, which need not be stored. When the
// credential is the one that c has and its session lives, that is used.
func (s *Service) try(ctx context.Context, c Connection, entered tableau.Credential) (trial, error) {
	version := s.NewID()
	fp, err := fingerprint(entered, version)
	if err != nil {
		return trial{}, err
	}
	credential, err := newSealed(entered, s.Random)
	if err != nil {
		return trial{}, err
	}
	if err := s.unclaimed(ctx, fp, c); err != nil {
		return trial{}, err
	}
	stored := c // as it is known so far, to find its session
	c.CredentialVersion, c.Fingerprint = version, fp
	c.Auth = Auth{Method: entered.Method, TokenName: entered.TokenName, Username: entered.Username}
	c.TokenLife = TokenLife{Source: ExpiryUnknown}
	if stored.Fingerprint == fp {
		c.TokenLife = stored.TokenLife
	}

	t := trial{connection: c, credential: credential}
	err = s.attempt(ctx, c, func(ctx context.Context) error {
		lease, err := s.leaseSignIn(ctx, fp)
		if err != nil {
			return err
		}
		t.fence = lease.Fence
		// Somebody else may have connected with the same token since.
		if err := s.unclaimed(ctx, fp, stored); err != nil {
			return err
		}
		t.record.Generation = lease.Session.Generation + 1
		if s.tryShared(ctx, &t, stored, lease.Session) {
			return nil
		}
		return s.tryNew(ctx, &t)
	})
	if err != nil {
		s.abandon(ctx, t)
		return trial{}, s.answer(err, c)
	}
	return t, nil
}

// unclaimed refuses a token that another connection has, and a new connection
// that was made since.
func (s *Service) unclaimed(ctx context.Context, fingerprint string, c Connection) error {
	id, err := s.Store.FingerprintOwner(ctx, fingerprint)
	switch {
	case problem.Is(err, problem.NotFound):
		return nil
	case err != nil:
		return fmt.Errorf("looking for the token's connection: %w", err)
	case id == c.ID && c.Rev == 0:
		return problem.Changed("connection")
	case id == c.ID:
		return nil
	}
	owner, err := s.Store.Connection(ctx, id)
	if err != nil {
		return err
	}
	return tokenInUse(owner)
}

// tryShared tries a credential through the session that it has already, and
// reports whether that lives.
func (s *Service) tryShared(ctx context.Context, t *trial, stored Connection, session Session) bool {
	if stored.Fingerprint != t.connection.Fingerprint || stored.SiteKey() != t.connection.SiteKey() || stored.Auth != t.connection.Auth {
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
	t.connection.Identity = Identity{SiteID: t.session.SiteID, UserID: t.session.UserID, UserName: user.Name}
	t.connection.Server = Server{ProductVersion: t.session.ProductVersion, RESTAPIVersion: t.session.APIVersion}
	t.record.ConnectionID, t.record.CredentialVersion = t.connection.ID, t.connection.CredentialVersion
	t.record, err = t.credential.sealSession(t.session, t.record, s.Random)
	return err
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
	if err := s.Vault.PutSecret(ctx, vaultOwner(c.ID), c.CredentialVersion, value); err != nil {
		s.drop(ctx, c.ID, c.CredentialVersion)
		s.abandon(ctx, t)
		return fmt.Errorf("storing the credential: %w", err)
	}
	err = write(ctx, c, &t.record)
	if problem.Is(err, problem.Stale) || problem.Is(err, problem.Conflict) || problem.Is(err, problem.NotFound) {
		s.drop(ctx, c.ID, c.CredentialVersion)
		s.abandon(ctx, t)
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
	if err := s.Vault.DropSecret(ctx, vaultOwner(id), version); err != nil {
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

// attempt runs a try of a credential that Tableau may refuse, within the bound
// that keeps the account from being locked. Only refusals count.
func (s *Service) attempt(ctx context.Context, c Connection, try func(context.Context) error) error {
	// A name may be a secret that was entered in the wrong field.
	name := sha256.Sum256([]byte(strings.ToLower(c.Auth.Name())))
	key := c.SiteKey() + "/" + string(c.Auth.Method) + "/" + hex.EncodeToString(name[:16])
	now := s.Now()
	err := s.Store.CountAttempt(ctx, key, now, now.Add(-attemptWindow), maxAttempts)
	if problem.Is(err, problem.TooMany) {
		return &problem.Error{Kind: problem.TooMany, Code: problem.CodeTooMany, After: attemptWindow, Err: err,
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

// answer makes of what went wrong in a try of a credential the problem that its
// user gets.
func (s *Service) answer(err error, c Connection) error {
	var known *problem.Error
	var t *tableau.Error
	if !errors.As(err, &known) && errors.As(err, &t) {
		return asProblem(t, c, s.Now())
	}
	return answerUse(err)
}

// answerUse makes of what went wrong in the use of a connection the problem
// that its user gets. What Tableau said of the call itself is left as it is.
func answerUse(err error) error {
	var busy *BusyError
	var broken *BrokenError
	switch {
	case errors.As(err, &busy):
		return &problem.Error{Kind: problem.TooMany, Code: problem.CodeTooMany, Message: busy.Message, After: busy.After, Err: err}
	case errors.As(err, &broken):
		return brokenProblem(broken)
	case errors.Is(err, context.DeadlineExceeded):
		return tooSlow(err)
	}
	return err
}

// tooSlow says that the time for an answer was up.
func tooSlow(err error) error {
	return &problem.Error{Kind: problem.Timeout, Code: problem.CodeTableauTimeout,
		Message: "Tableau did not answer in time. Nothing was changed; try again.", Err: err}
}

func brokenProblem(e *BrokenError) *problem.Error {
	p := &problem.Error{Kind: problem.Conflict, Code: "connection_broken", Err: e,
		Message: fmt.Sprintf("The connection %q does not work at present.", e.Connection.Name)}
	if why := e.Connection.Problem; why != nil {
		p.Code = why.Code
		p.Message += " " + why.Message
		if len(why.Causes) > 0 {
			p.Message += " " + why.Causes[0].Remedy
		}
	}
	return p
}

func tokenInUse(owner Connection) error {
	return &problem.Error{Kind: problem.Conflict, Code: problem.CodeTokenInUse,
		Message: fmt.Sprintf("The connection %q (%s) uses this token already. A token allows one session, so two connections would keep ending each other's: "+
			"use that connection, or make a second token in Tableau.", owner.Name, owner.ID),
		Fields: []problem.Field{{Name: "auth.token_secret", Message: fmt.Sprintf("This token belongs to the connection %q.", owner.Name)}}}
}

// identityChange says what it means that a new credential is of another user
// or site than the one before; nil when it is of the same.
func identityChange(old, c Connection) *problem.Error {
	was, is := old.Identity, c.Identity
	if was.UserID == "" || was == is || (was.UserID == is.UserID && was.SiteID == is.SiteID) {
		return nil
	}
	what := fmt.Sprintf("The credential signs in as %s; so far the connection signed in as %s.", is.UserName, was.UserName)
	if was.SiteID != is.SiteID {
		what = fmt.Sprintf("The credential signs in to another site (%s) than so far (%s), as %s.", siteName(c.Site), siteName(old.Site), is.UserName)
	}
	return &problem.Error{Kind: problem.Conflict, Code: problem.CodeIdentityChange,
		Message: what + " Its reports would show what this user may see, and views that are not there would fail. " +
			"Nothing was changed. If this is meant, send accept_identity_change: true with the same request."}
}

// entered notes the end of a token that a person gave; Tableau's own word
// stands above it.
func (l TokenLife) entered(expiresAt time.Time) TokenLife {
	if expiresAt.IsZero() || l.Source == ExpiryTableau {
		return l
	}
	l.ExpiresAt, l.Source = expiresAt.UTC(), ExpiryEntered
	return l
}

// check validates settings and puts them in their stored form. All wrong
// fields are told at once, and no value is repeated.
func (s *Service) check(ctx context.Context, in Settings, withCredential bool) (Settings, error) {
	var fields problem.Fields
	in.Name = strings.TrimSpace(in.Name)
	checkName(&fields, in.Name)

	server, site, err := tableau.NormalizeServerURL(in.ServerURL)
	if err != nil {
		fields.AddErr("", fieldNamed("server_url", err))
	} else if withCredential { // which would be sent there
		if err := s.CheckServer(ctx, server); err != nil {
			fields.AddErr("", fieldNamed("server_url", err))
		}
	}
	in.ServerURL = server
	in.Site = strings.TrimSpace(in.Site)
	if in.Site == "" {
		in.Site = site
	}
	if len(in.Site) > 255 || strings.ContainsAny(in.Site, "/?#\\ ") || hasControl(in.Site) {
		fields.Add("site", "Give the site's part of the address in the browser, between /site/ and the next slash. Leave it empty for the default site.")
	}
	if in.Notify, err = Recipients(in.Notify); err != nil {
		fields.AddErr("notify", err)
	}
	if withCredential {
		checkCredential(&fields, in.Credential)
	}
	return in, fields.Err()
}

func checkCredential(fields *problem.Fields, c tableau.Credential) {
	text := func(name, value string) {
		switch {
		case value == "":
			fields.Add("auth."+name, "This is missing.")
		case len(value) > 1024 || !utf8.ValidString(value) || hasControl(value):
			fields.Add("auth."+name, "This must be one line of at most 1024 bytes.")
		}
	}
	switch c.Method {
	case tableau.PersonalAccessToken:
		text("token_name", c.TokenName)
		text("token_secret", c.Secret.Reveal())
	case tableau.UsernamePassword:
		text("username", c.Username)
		text("password", c.Secret.Reveal())
	default:
		fields.Add("auth.method", "Choose %s or %s.", tableau.PersonalAccessToken, tableau.UsernamePassword)
	}
}

// Recipients checks addresses that are told of problems and drops doubles.
func Recipients(addresses []string) ([]string, error) {
	const most = 20
	var fields problem.Fields
	var out []string
	for i, a := range addresses {
		a = strings.TrimSpace(a)
		parsed, err := mail.ParseAddress(a)
		if err != nil || parsed.Name != "" || parsed.Address != a || hasControl(a) || len(a) > 320 {
			fields.Add(fmt.Sprintf("[%d]", i), "This is not a plain email address, such as ana@example.com.")
			continue
		}
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	if len(out) > most {
		fields.Add("", "At most %d addresses are possible.", most)
	}
	return out, fields.Err()
}

const maxName = 200 // characters

func checkName(fields *problem.Fields, name string) {
	switch {
	case name == "":
		fields.Add("name", "Give the connection a name.")
	case utf8.RuneCountInString(name) > maxName:
		fields.Add("name", "A name has at most %d characters.", maxName)
	case !utf8.ValidString(name) || hasControl(name):
		fields.Add("name", "A name is one line of text without control characters.")
	}
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// fieldNamed puts the text of an error under a field.
func fieldNamed(name string, err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		if len(p.Fields) > 0 {
			return problem.InvalidField(name, p.Fields[0].Message)
		}
		return problem.InvalidField(name, p.Message)
	}
	var m interface{ Message() string }
	if errors.As(err, &m) {
		return problem.InvalidField(name, m.Message())
	}
	return problem.InvalidField(name, err.Error())
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
