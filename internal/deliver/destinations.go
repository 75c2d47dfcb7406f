package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

// TypeSlack is the type of a [Destination] that is a Slack incoming webhook.
const TypeSlack = "slack"

const (
	maxDestinationName = 200 // characters
	destinationTries   = 5   // of a write that something else overtook
	vaultOwnerPrefix   = "destination/"
)

// Vault keeps the addresses of destinations by owner and version.
type Vault interface {
	// PutSecret stores value as a version of the owner's secret beside those
	// that exist. The value is kept whole or not at all.
	PutSecret(ctx context.Context, owner, version string, value []byte) error

	// Secret reads a version. A NotFound problem when the owner has no such
	// version or was removed.
	Secret(ctx context.Context, owner, version string) ([]byte, error)

	// SecretVersions lists the versions of an owner's secret that can be read, in
	// no particular order: none when it has none or was removed.
	SecretVersions(ctx context.Context, owner string) ([]secret.Version, error)

	// DropSecret forgets a version; one that does not exist is no error.
	DropSecret(ctx context.Context, owner, version string) error

	// RemoveSecret removes all versions of an owner's secret; an owner without
	// any is no error.
	RemoveSecret(ctx context.Context, owner string) error
}

// Poster sends a message to a webhook; [SlackPoster] is one.
type Poster interface {
	// Post sends a body that [BuildSlack] made. Every error is a
	// [*SendError], and none holds the address.
	Post(ctx context.Context, webhook secret.Text, body []byte, begin Begin) (Receipt, error)
}

// Destinations is what people do with named destinations, and what delivers to
// them. An address lies in the vault under a version of its own; the
// destination names the version that is in force. A new address is put beside
// the old one, then the destination is switched over by a conditional write,
// then the old one is dropped: at each moment the one or the other is whole.
type Destinations struct {
	Store  DestinationStore
	Vault  Vault
	Poster Poster

	// AllowedOrigins are the origins beside Slack's that a webhook may have;
	// see [CheckSlackURL].
	AllowedOrigins []string

	// Notices has those looked at who were told that a destination is broken, once
	// it works again; nil: nobody was.
	Notices interface {
		DestinationWorks(ctx context.Context, id string) error
	}

	Now   func() time.Time
	NewID func() string // names versions of addresses
	Log   *slog.Logger
}

// DestinationEdit says what to change; what is nil stays as it is.
type DestinationEdit struct {
	Name *string
	URL  *secret.Text

	IfVersion int64 // the version that the edit was made from; 0: any
}

// Create stores a new destination under an id. Invalid with all wrong fields;
// Stale when the id exists.
func (s *Destinations) Create(ctx context.Context, id, name, kind string, address secret.Text) (Destination, error) {
	var wrong problem.Fields
	name = checkDestinationName(name, &wrong)
	if kind != TypeSlack {
		wrong.Add("type", "Choose %s.", TypeSlack)
	}
	s.checkAddress(address, &wrong)
	if err := wrong.Err(); err != nil {
		return Destination{}, err
	}

	now := s.Now().UTC()
	d := Destination{ID: id, Name: name, Type: kind, SecretVersion: s.NewID(), State: DestinationUntested,
		Version: 1, CreatedAt: now, UpdatedAt: now}
	if err := s.put(ctx, d, address); err != nil {
		return Destination{}, err
	}
	if err := s.Store.CreateDestination(ctx, d); err != nil {
		if now, ok := s.inForce(ctx, d); ok {
			return now, nil
		}
		return Destination{}, errors.Join(fmt.Errorf("storing a new destination: %w", err), s.abandon(ctx, d, err))
	}
	d.Rev = 1
	return d, nil
}

// Get reads a destination. NotFound.
func (s *Destinations) Get(ctx context.Context, id string) (Destination, error) {
	d, err := s.Store.Destination(ctx, id)
	if err != nil {
		return Destination{}, fmt.Errorf("reading a destination: %w", err)
	}
	return d, nil
}

// List gives destinations in order of id, beginning behind the id after. The
// second result is the id to go on behind, "" at the end.
func (s *Destinations) List(ctx context.Context, after string, limit int) ([]Destination, string, error) {
	list, next, err := s.Store.Destinations(ctx, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("listing destinations: %w", err)
	}
	return list, next, nil
}

// Edit changes a destination. A new address repairs one that was broken, and is
// untested.
// Invalid with all wrong fields; NotFound; Stale when e.IfVersion is not the
// destination's version any more.
func (s *Destinations) Edit(ctx context.Context, id string, e DestinationEdit) (Destination, error) {
	var wrong problem.Fields
	var name string
	if e.Name != nil {
		name = checkDestinationName(*e.Name, &wrong)
	}
	if e.URL != nil {
		s.checkAddress(*e.URL, &wrong)
	}
	if err := wrong.Err(); err != nil {
		return Destination{}, err
	}

	stored := "" // version of the new address, once it lies in the vault
	var replaced Destination
	after, err := s.change(ctx, id, func(d *Destination) error {
		if stored != "" && d.SecretVersion == stored {
			return errInForce // by a write that seemed to be refused
		}
		if e.IfVersion != 0 && e.IfVersion != d.Version {
			return problem.Changed("destination")
		}
		replaced = *d
		if e.Name != nil {
			d.Name = name
		}
		if e.URL != nil {
			if stored == "" {
				next := Destination{ID: id, SecretVersion: s.NewID()}
				if err := s.put(ctx, next, *e.URL); err != nil {
					return err
				}
				stored = next.SecretVersion
			}
			d.SecretVersion, d.State, d.Problem, d.ProblemCode, d.BrokenAt = stored, DestinationUntested, "", "", time.Time{}
		}
		d.Version++
		d.UpdatedAt = s.Now().UTC()
		return nil
	})
	if err != nil {
		own := false
		if stored != "" {
			next := Destination{ID: id, SecretVersion: stored}
			if after, own = s.inForce(ctx, next); !own {
				err = errors.Join(err, s.abandon(ctx, next, err))
			}
		}
		if !own {
			return Destination{}, err
		}
	}
	if stored != "" && replaced.SecretVersion != stored {
		// The new address is in force: what follows is tidying up, and does not
		// turn a success into a failure.
		if err := s.drop(ctx, replaced); err != nil {
			s.Log.WarnContext(ctx, "a replaced address was not dropped", "destination", id, "error", err)
		}
	}
	return after, nil
}

// Delete removes a destination and its address. Conflict while reports use it;
// NotFound; Stale when ifVersion, unless it is 0, is not the destination's
// version any more.
func (s *Destinations) Delete(ctx context.Context, id string, ifVersion int64) error {
	for try := 1; ; try++ {
		d, err := s.Store.Destination(ctx, id)
		if err != nil {
			return fmt.Errorf("reading a destination: %w", err)
		}
		if ifVersion != 0 && ifVersion != d.Version {
			return problem.Changed("destination")
		}
		err = s.Store.DeleteDestination(ctx, id, d.Rev)
		switch {
		case err == nil:
		case problem.Is(err, problem.Stale) && try < destinationTries:
			continue
		case problem.Is(err, problem.Stale):
			return problem.Changed("destination")
		default:
			return fmt.Errorf("deleting a destination: %w", err)
		}
		if err := s.Vault.RemoveSecret(ctx, vaultOwnerPrefix+id); err != nil {
			return fmt.Errorf("removing a destination's address: %w", err)
		}
		return nil
	}
}

// Test sends a short message and gives the destination as it is afterwards: a
// success repairs one that was broken, and a refusal for good breaks it. The
// error of a message that did not arrive is a problem: Conflict when it was
// refused, Unavailable when trying again may help.
func (s *Destinations) Test(ctx context.Context, id string) (Destination, error) {
	address, d, err := s.Reveal(ctx, id)
	if err != nil {
		return Destination{}, err
	}
	body, err := BuildSlack(Post{Key: s.NewID(), Subject: "vizpost can post here",
		Text: "This is a test of the destination " + Literal(d.Name) + ". Reports that name it will arrive in this channel."})
	if err != nil {
		return Destination{}, fmt.Errorf("writing a test message: %w", err)
	}
	_, sendErr := s.Poster.Post(ctx, address, body, nil)
	if sendErr == nil {
		return s.mark(ctx, d, DestinationWorks, "", "")
	}

	var failed *SendError
	if !errors.As(sendErr, &failed) {
		return Destination{}, fmt.Errorf("sending a test message: %w", sendErr)
	}
	p := &problem.Error{Kind: problem.Unavailable, Code: failed.Code, Message: failed.Message, After: failed.RetryAfter, Err: sendErr}
	switch failed.Outcome {
	case Refused:
		p.Kind = problem.Conflict
	case Deferred: // whose own message promises another try, which a test does not get
		p.Message = "Slack could not be reached, or asks to wait, so the test message was not sent. Try again later."
	}
	if failed.BreaksDestination {
		if _, err := s.mark(ctx, d, DestinationBroken, failed.Code, failed.Message); err != nil {
			return Destination{}, errors.Join(p, err)
		}
	}
	return Destination{}, p
}

// Reveal gives a destination with its address. NotFound when there is none;
// Conflict with [CodeSecretMissing] when its address is gone, and then it is
// broken. An address that was brought back mends it.
func (s *Destinations) Reveal(ctx context.Context, id string) (secret.Text, Destination, error) {
	version := ""
	for try := 1; ; try++ {
		d, err := s.Store.Destination(ctx, id)
		if err != nil {
			return secret.Text{}, Destination{}, fmt.Errorf("reading a destination: %w", err)
		}
		value, err := s.Vault.Secret(ctx, vaultOwnerPrefix+id, d.SecretVersion)
		missing := d.State == DestinationBroken && d.ProblemCode == CodeSecretMissing
		switch {
		case err == nil && missing:
			if d, err = s.mark(ctx, d, DestinationUntested, "", ""); err != nil {
				return secret.Text{}, Destination{}, err
			}
			return secret.New(string(value)), d, nil
		case err == nil:
			return secret.New(string(value)), d, nil
		case !problem.Is(err, problem.NotFound):
			return secret.Text{}, Destination{}, fmt.Errorf("reading a destination's address: %w", err)
		case d.SecretVersion != version:
			version = d.SecretVersion
			continue // the address may have been switched between the two reads
		case !missing && try < destinationTries:
			// What was put a moment ago may not be seen at once.
			if err := pause(ctx, missingPause); err != nil {
				return secret.Text{}, Destination{}, fmt.Errorf("reading a destination's address: %w", err)
			}
			continue
		}
		const why = "The stored address of this destination does not exist any more. Enter it again."
		if d, err = s.mark(ctx, d, DestinationBroken, CodeSecretMissing, why); err != nil {
			return secret.Text{}, Destination{}, err
		}
		return secret.Text{}, d, &problem.Error{Kind: problem.Conflict, Code: CodeSecretMissing,
			Message: fmt.Sprintf("The stored address of the destination %q does not exist any more. Enter the address again.", d.Name)}
	}
}

// missingPause is the pause between looks for an address that is not there.
const missingPause = 500 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// editLasts is longer than an edit takes from the moment at which it puts an
// address to that at which the destination names it.
const editLasts = time.Hour

// Care looks after the addresses of all destinations: it drops those that
// interrupted edits left, and mends a destination whose address was brought back.
// What fails for one does not stop the others; the errors come joined.
func (s *Destinations) Care(ctx context.Context) error {
	var failures []error
	after := ""
	for {
		page, next, err := s.Store.Destinations(ctx, after, 100)
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("listing destinations: %w", err))...)
		}
		for _, d := range page {
			if err := s.care(ctx, d.ID); err != nil {
				failures = append(failures, fmt.Errorf("destination %s: %w", d.ID, err))
			}
		}
		if next == "" {
			return errors.Join(failures...)
		}
		after = next
	}
}

func (s *Destinations) care(ctx context.Context, id string) error {
	versions, err := s.Vault.SecretVersions(ctx, vaultOwnerPrefix+id)
	if err != nil {
		return err
	}
	// Read after the versions were listed: what it does not name then was put
	// by an edit that is over, or by one that began lately.
	d, err := s.Store.Destination(ctx, id)
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(versions, func(v secret.Version) bool { return v.Name == d.SecretVersion }) {
		return nil // an operator may be bringing it back; whoever needs it finds it missing
	}
	if d.State == DestinationBroken && d.ProblemCode == CodeSecretMissing {
		if _, err := s.mark(ctx, d, DestinationUntested, "", ""); err != nil {
			return err
		}
	}
	before := s.Now().Add(-editLasts)
	for _, v := range versions {
		if v.Name == d.SecretVersion || !v.PutAt.Before(before) {
			continue
		}
		if err := s.drop(ctx, Destination{ID: id, SecretVersion: v.Name}); err != nil {
			return err
		}
		s.Log.InfoContext(ctx, "an address was dropped that an interrupted edit left", "destination", id)
	}
	return nil
}

// Break notes that a destination can no longer be delivered to, and why, for
// people. One that is gone is no error.
func (s *Destinations) Break(ctx context.Context, id, why string) error {
	d, err := s.Store.Destination(ctx, id)
	if err == nil {
		_, err = s.mark(ctx, d, DestinationBroken, "", why)
	}
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("noting a broken destination: %w", err)
	}
	return nil
}

// Works notes that a destination, as it was read, accepted a message. One that
// is gone is no error.
func (s *Destinations) Works(ctx context.Context, used Destination) error {
	_, err := s.mark(ctx, used, DestinationWorks, "", "")
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("noting that a destination works: %w", err)
	}
	return nil
}

// mark notes what was learned of a destination's address, unless it has been
// replaced since.
func (s *Destinations) mark(ctx context.Context, used Destination, state, code, why string) (Destination, error) {
	if used.State == state && used.Problem == why {
		return used, nil
	}
	marked := false
	after, err := s.change(ctx, used.ID, func(d *Destination) error {
		if marked = d.SecretVersion == used.SecretVersion; !marked {
			return nil
		}
		switch {
		case state != DestinationBroken:
			d.BrokenAt = time.Time{}
		case d.State != DestinationBroken:
			d.BrokenAt = s.Now().UTC()
		}
		d.State, d.ProblemCode, d.Problem = state, code, why
		return nil
	})
	if err == nil && marked && state == DestinationWorks && s.Notices != nil {
		// They are looked at once a day all the same.
		if err := s.Notices.DestinationWorks(ctx, used.ID); err != nil {
			s.Log.WarnContext(ctx, "it was not told yet that a destination works again", "destination", used.ID, "error", err)
		}
	}
	return after, err
}

// change repeats a change until no other write comes in between.
func (s *Destinations) change(ctx context.Context, id string, edit func(*Destination) error) (Destination, error) {
	for try := 1; ; try++ {
		d, err := s.Store.Destination(ctx, id)
		if err != nil {
			return Destination{}, fmt.Errorf("reading a destination: %w", err)
		}
		if err := edit(&d); err != nil {
			return Destination{}, err
		}
		err = s.Store.UpdateDestination(ctx, d)
		switch {
		case err == nil:
			d.Rev++
			return d, nil
		case problem.Is(err, problem.Stale) && try < destinationTries:
			continue
		case problem.Is(err, problem.Stale):
			return Destination{}, problem.Changed("destination")
		}
		return Destination{}, fmt.Errorf("storing a destination: %w", err)
	}
}

func (s *Destinations) put(ctx context.Context, d Destination, address secret.Text) error {
	if err := s.Vault.PutSecret(ctx, vaultOwnerPrefix+d.ID, d.SecretVersion, []byte(strings.TrimSpace(address.Reveal()))); err != nil {
		return fmt.Errorf("storing a destination's address: %w", err)
	}
	return nil
}

func (s *Destinations) drop(ctx context.Context, d Destination) error {
	if err := s.Vault.DropSecret(ctx, vaultOwnerPrefix+d.ID, d.SecretVersion); err != nil {
		return fmt.Errorf("dropping a destination's address: %w", err)
	}
	return nil
}

// errInForce says that an edit is in force already.
var errInForce = errors.New("the new address is in force")

// inForce reads a destination and reports whether it names the version of the
// address that was put for it. A version has one writer, so it is that one's own
// write, whatever its answer said.
func (s *Destinations) inForce(ctx context.Context, put Destination) (Destination, bool) {
	now, err := s.Store.Destination(context.WithoutCancel(ctx), put.ID)
	return now, err == nil && now.SecretVersion == put.SecretVersion
}

// abandon drops an address whose destination was refused, once it has read that
// nothing names it. After an error that leaves it open whether it was stored,
// the address is kept; care drops it when nothing came to name it.
func (s *Destinations) abandon(ctx context.Context, d Destination, why error) error {
	p, told := problem.From(why)
	if !told || p.Unsure || p.Kind == problem.Unavailable || p.Kind == problem.Timeout {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	now, err := s.Store.Destination(ctx, d.ID)
	if err == nil && now.SecretVersion == d.SecretVersion || err != nil && !problem.Is(err, problem.NotFound) {
		return nil
	}
	return s.drop(ctx, d)
}

func (s *Destinations) checkAddress(address secret.Text, wrong *problem.Fields) {
	if strings.TrimSpace(address.Reveal()) == "" {
		wrong.Add("url", "Give the webhook's address as Slack shows it; it begins with https://hooks.slack.com/services/.")
		return
	}
	if err := CheckSlackURL(address.Reveal(), s.AllowedOrigins); err != nil {
		wrong.AddErr("url", err)
	}
}

func checkDestinationName(name string, wrong *problem.Fields) string {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		wrong.Add("name", "Give the destination a name.")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		wrong.Add("name", "A name is one line of text without control characters.")
	case utf8.RuneCountInString(name) > maxDestinationName:
		wrong.Add("name", "A name has at most %d characters.", maxDestinationName)
	}
	return name
}
