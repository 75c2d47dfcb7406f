package connection

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Create signs in with the settings and, if that works, stores them as a new
// connection. Stale when the id exists; Conflict when the token belongs to
// another connection; Invalid when a field or the credential is wrong.
func (s *Service) Create(ctx context.Context, id string, in Settings) (Connection, error) {
	now := s.Now()
	in, err := s.check(ctx, in, true)
	if err != nil {
		return Connection{}, err
	}
	if err := s.checkEnd("auth.expires_on", in.ExpiresAt); err != nil {
		return Connection{}, err
	}
	c := Connection{
		ID: id, Name: in.Name, ServerURL: in.ServerURL, Site: in.Site, Notify: in.Notify,
		State: Connected, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	t, err := s.try(ctx, c, c, in.Credential)
	if err != nil {
		return Connection{}, err
	}
	c = t.connection
	if !in.ExpiresAt.IsZero() {
		c.TokenLife = c.TokenLife.told(in.ExpiresAt)
	}
	if err := s.store(ctx, t, c, func(ctx context.Context, c Connection, session *Session) error {
		e := s.note(ctx, &c, Created, fmt.Sprintf("Connected to %s, %s, as %s with %s.", c.ServerURL, siteName(c.Site), c.Identity.UserName, c.Auth.describe()))
		return s.Store.CreateConnection(ctx, c, session, e)
	}); err != nil {
		return Connection{}, err
	}
	return s.Store.Connection(context.WithoutCancel(ctx), id) // it is stored, also if the time is up
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
	in := Settings{Name: old.Name, ServerURL: old.ServerURL, Site: old.Site, Credential: *e.Credential, Wrong: e.Wrong}
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
	if e.ExpiresAt != nil {
		if !e.ExpiresAt.IsZero() && in.Credential.Method != tableau.PersonalAccessToken {
			return Connection{}, noEnd()
		}
		if err := s.checkEnd("auth.expires_on", *e.ExpiresAt); err != nil {
			return Connection{}, err
		}
	}

	c := old.Clone()
	c.Name, c.ServerURL, c.Site = in.Name, in.ServerURL, in.Site
	if e.Notify != nil { // what is stored may be older than the rule for it, and does not keep a credential from being replaced
		c.Notify = in.Notify
	}
	t, err := s.try(ctx, old, c, in.Credential)
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
	if e.ExpiresAt != nil && !e.ExpiresAt.IsZero() {
		c.TokenLife = c.TokenLife.told(*e.ExpiresAt)
	}
	c.mend()
	c.Version, c.UpdatedAt = old.Version+1, s.Now()

	if err := s.Holds.Prepare(ctx, old); err != nil {
		s.abandon(ctx, t)
		return Connection{}, fmt.Errorf("preparing to release held runs: %w", err)
	}
	// Tableau may have taken long. To put a secret for a connection that was
	// deleted meanwhile would take the place of the one that can be recovered.
	if err := s.unedited(ctx, old); err != nil {
		s.abandon(ctx, t)
		return Connection{}, err
	}
	if err := s.store(ctx, t, c, func(ctx context.Context, c Connection, session *Session) error {
		return s.replace(ctx, old, c, session)
	}); err != nil {
		return Connection{}, err
	}
	s.forget(id)
	// The new credential is in force: what follows is tidying up, and does not
	// turn a success into a failure, nor is it left undone when the time is up.
	ctx = context.WithoutCancel(ctx)
	s.drop(ctx, id, old.CredentialVersion)
	s.release(ctx, old)
	return s.Store.Connection(ctx, id)
}

// replace stores an edited connection. What the machine wrote in between is of
// the old credential and gives way; what a person wrote does not.
func (s *Service) replace(ctx context.Context, old, c Connection, session *Session) error {
	for now := old; ; {
		c.Rev, c.Noted = now.Rev, now.Noted
		events := []Event{s.note(ctx, &c, CredentialChanged,
			fmt.Sprintf("The credential was replaced: it is %s now, and signs in as %s.", c.Auth.describe(), c.Identity.UserName),
			changes(old, c, true)...)}
		if now.Problem != nil {
			events = append(events, s.note(ctx, &c, Mended, "With the new credential, the connection works again."))
		}
		err := s.Store.UpdateConnection(ctx, c, session, events...)
		if !problem.Is(err, problem.Stale) {
			return err
		}
		var readErr error
		if now, readErr = s.Store.Connection(ctx, c.ID); readErr != nil {
			return readErr
		}
		if now.CredentialVersion == c.CredentialVersion {
			return nil // it is written: that refusal was of its own repeat
		}
		if now.Version != old.Version || now.CredentialVersion != old.CredentialVersion {
			return problem.Changed("connection")
		}
	}
}

// editPlain changes what needs no sign-in.
func (s *Service) editPlain(ctx context.Context, old Connection, e Edit) (Connection, error) {
	in := Settings{Name: old.Name, ServerURL: old.ServerURL, Site: old.Site, Wrong: e.Wrong}
	set(&in.Name, e.Name)
	set(&in.ServerURL, e.ServerURL)
	set(&in.Site, e.Site)
	set(&in.Notify, e.Notify)
	in, err := s.check(ctx, in, false)
	if err != nil {
		return Connection{}, err
	}
	in.ServerURL = secured(in.ServerURL, old.ServerURL)
	if in.ServerURL != old.ServerURL || !strings.EqualFold(in.Site, old.Site) {
		return Connection{}, problem.InvalidField("auth", "Enter the credential together with another server or site: a stored secret is never sent to a new address.")
	}
	base := old
	for {
		c := base.Clone()
		if e.Name != nil {
			c.Name = in.Name
		}
		if e.Notify != nil {
			c.Notify = in.Notify
		}
		if e.ExpiresAt != nil {
			if err := checkEntered(c); err != nil {
				return Connection{}, err
			}
			if err := s.checkEnd("token_expires_on", *e.ExpiresAt); err != nil {
				return Connection{}, err
			}
			c.TokenLife = c.TokenLife.entered(*e.ExpiresAt)
		}
		c.Version, c.UpdatedAt = base.Version+1, s.Now()
		var events []Event
		if what := changes(base, c, false); len(what) > 0 {
			events = append(events, s.note(ctx, &c, Edited, editedSummary(what), what...))
		}
		err := s.Store.UpdateConnection(ctx, c, nil, events...)
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
}

// checkEntered refuses the end of a token where there is none to enter.
func checkEntered(c Connection) error {
	if c.Auth.Method != tableau.PersonalAccessToken {
		return noEnd()
	}
	return nil
}

func noEnd() error {
	return problem.InvalidField("token_expires_on", "Only a personal access token has an end. Leave this out.")
}

// checkEnd refuses a day that has passed as the end of a token that works.
func (s *Service) checkEnd(field string, day time.Time) error {
	if !day.IsZero() && !day.AddDate(0, 0, 1).After(s.Now()) {
		return problem.InvalidField(field, "This day has passed. Give the day on which the token ends, as Tableau shows it in the account settings.")
	}
	return nil
}

// editedSummary says in a sentence what an edit changed.
func editedSummary(what []Change) string {
	var names []string
	for _, c := range what {
		name, ok := fieldNames[c.Field]
		if !ok {
			name = c.Field
		}
		names = append(names, name)
	}
	last := len(names) - 1
	if last == 0 {
		return "Changed " + names[0] + "."
	}
	return "Changed " + strings.Join(names[:last], ", ") + " and " + names[last] + "."
}

// fieldNames are the fields that an edit without a credential changes, in words.
var fieldNames = map[string]string{
	"name": "the name", "notify": "who is told of problems", "token_expires_on": "the day on which the token ends", "site": "how the site is written",
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
	if err := s.Vault.RemoveSecret(context.WithoutCancel(ctx), VaultOwner(id)); err != nil {
		return fmt.Errorf("removing the connection's secret: %w", err)
	}
	return deleteErr
}

func (s *Service) delete(ctx context.Context, id string, ifVersion int64) error {
	for {
		c, err := s.Store.Connection(ctx, id)
		if err != nil {
			return err
		}
		if ifVersion != 0 && ifVersion != c.Version {
			return problem.Changed("connection")
		}
		e := s.note(ctx, &c, Deleted, fmt.Sprintf("The connection %q to %s, %s, was deleted. An operator can recover its secret until %s.",
			c.Name, c.ServerURL, siteName(c.Site), s.Now().Add(SecretKept).UTC().Format("2 January 2006")), changes(c, Connection{}, false)...)
		err = s.Store.DeleteConnection(ctx, id, c.Rev, e)
		if !problem.Is(err, problem.Stale) {
			return err
		}
	}
}
