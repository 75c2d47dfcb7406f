package connection

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Event is something that happened to a connection, for people to read: who
// did it, when, and what it changed. It never holds a secret.
//
// A connection's history keeps the newest [maxChanges] changes by people and,
// apart from them, the newest [maxNews] other events, so that a server that
// comes and goes all day does not push out who changed the credential. It
// outlives the connection, and nothing in it is kept longer than [HistoryKept].
type Event struct {
	ID      string
	At      time.Time
	Person  string // who did it; "" when vizpost did, by itself
	Action  Action
	Summary string    // one sentence
	Changes []Change  // of an edit
	Runs    []HeldRun // of RunsReleased, at most maxTold
	Slot    string    // its place in the history: the event that has it gives way
}

// HistoryKept is how long events are kept.
const HistoryKept = 2 * 365 * 24 * time.Hour

const (
	maxChanges = 500
	maxNews    = 200

	// maxTold is how many runs one event names.
	maxTold = 100
)

// Action is what an event is about.
type Action string

// The actions.
const (
	Created           Action = "created"
	Edited            Action = "edited"
	CredentialChanged Action = "credential_changed"
	Deleted           Action = "deleted"
	Tested            Action = "tested"
	Broke             Action = "broke"
	Mended            Action = "mended"
	RunsReleased      Action = "runs_released"
	KeptAlive         Action = "kept_alive"
	Warned            Action = "warned"
)

// byPeople reports whether an action changes what people have set up.
func (a Action) byPeople() bool {
	return a == Created || a == Edited || a == CredentialChanged || a == Deleted
}

// Change is one field that an edit changed. Of a secret it says only that it
// was replaced.
type Change struct {
	Field    string // its path in the API, such as "auth.token_name"
	From, To string
}

// HeldRun is a run that a broken connection held.
type HeldRun struct {
	ID           string
	ReportID     string
	ReportName   string
	ScheduledFor time.Time
	StandsFor    int // occurrences, itself among them
}

// Noted counts the events of a connection, of each kind that is kept apart.
type Noted struct {
	Edits int64
	News  int64
}

// next gives the slot of the next event.
func (n *Noted) next(a Action) string {
	if a.byPeople() {
		n.Edits++
		return fmt.Sprintf("edit-%03d", (n.Edits-1)%maxChanges)
	}
	n.News++
	return fmt.Sprintf("news-%03d", (n.News-1)%maxNews)
}

type personKey struct{}

// WithPerson gives a context under which what is done is noted as done by a
// person. Without it, it is vizpost that does it.
func WithPerson(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, personKey{}, name)
}

// PersonOf gives the person under whose context something is done, "" for
// vizpost.
func PersonOf(ctx context.Context) string {
	name, _ := ctx.Value(personKey{}).(string)
	return name
}

// note makes an event of the connection, to be written together with it.
func (s *Service) note(ctx context.Context, c *Connection, a Action, summary string, changes ...Change) Event {
	return Event{ID: s.NewID(), At: s.Now(), Person: PersonOf(ctx), Action: a, Summary: summary, Changes: changes, Slot: c.Noted.next(a)}
}

// noteOnly writes an event that changes nothing else. It is not worth failing
// for: what cannot be noted is logged.
func (s *Service) noteOnly(ctx context.Context, id string, a Action, summary string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonDeadline)
	defer cancel()
	if err := s.rewrite(ctx, id, func(c *Connection) (bool, []Event, error) {
		return true, []Event{s.note(ctx, c, a, summary)}, nil
	}); err != nil {
		s.Log.Warn("an event was not noted", "connection", id, "action", string(a), "error", err)
	}
}

// noteBroke makes the event of the problem that the connection has just got.
// That a person's request found out does not make it theirs.
func (s *Service) noteBroke(ctx context.Context, c *Connection) Event {
	summary := c.Problem.Message
	if len(c.Problem.Causes) > 0 {
		summary += " Most likely: " + c.Problem.Causes[0].Message
	}
	e := s.note(ctx, c, Broke, summary)
	e.Person = ""
	return e
}

// rewrite writes an edit of what is stored, with the events that it makes. The
// edit says whether there is anything to write; it may run more than once.
func (s *Service) rewrite(ctx context.Context, id string, edit func(*Connection) (bool, []Event, error)) error {
	for {
		c, err := s.Store.Connection(ctx, id)
		if err != nil {
			return fmt.Errorf("reading the connection: %w", err)
		}
		write, events, err := edit(&c)
		if err != nil || !write {
			return err
		}
		err = s.Store.UpdateConnection(ctx, c, nil, events...)
		if problem.Is(err, problem.Stale) {
			continue
		}
		if err != nil {
			return fmt.Errorf("noting the connection's state: %w", err)
		}
		return nil
	}
}

// History lists what happened to a connection, also to one that was deleted,
// the newest event first, beginning behind the id after. The second result is
// the id to go on behind, "" at the end. NotFound when there never was such a
// connection, or it is forgotten.
func (s *Service) History(ctx context.Context, id, after string, limit int) ([]Event, string, error) {
	events, next, err := s.Store.Events(ctx, id, s.Now().Add(-HistoryKept), after, limit)
	if err != nil || len(events) > 0 || after != "" {
		return events, next, err
	}
	_, err = s.Store.Connection(ctx, id)
	return nil, "", err
}

// NoteReleased notes which runs, that a connection had held, go on or are
// skipped now.
func (s *Service) NoteReleased(ctx context.Context, id string, runs []HeldRun) error {
	summary := fmt.Sprintf("%d runs that were held are released.", len(runs))
	if len(runs) == 1 {
		summary = "A run that was held is released."
	}
	if len(runs) > maxTold {
		summary += fmt.Sprintf(" The first %d are named here.", maxTold)
		runs = runs[:maxTold]
	}
	return s.rewrite(ctx, id, func(c *Connection) (bool, []Event, error) {
		e := s.note(ctx, c, RunsReleased, summary)
		e.Runs = slices.Clone(runs)
		return true, []Event{e}, nil
	})
}

// NoteWarned notes that the connection's people were sent a warning.
func (s *Service) NoteWarned(ctx context.Context, c Connection, w Warning) error {
	return s.change(ctx, c, func(c *Connection) (bool, []Event) {
		if c.TokenLife.Warned == w.Kind+" "+w.Of {
			return false, nil
		}
		c.TokenLife.Warned = w.Kind + " " + w.Of
		return true, []Event{s.note(ctx, c, Warned, w.Subject+"; "+toldWords(c.Notify)+" were told.")}
	})
}

// changes tells what an edit changes.
func changes(old, c Connection, newSecret bool) []Change {
	var out []Change
	differ := func(field, from, to string) {
		if from != to {
			out = append(out, Change{Field: field, From: from, To: to})
		}
	}
	differ("name", old.Name, c.Name)
	differ("server_url", old.ServerURL, c.ServerURL)
	differ("site", old.Site, c.Site)
	differ("auth.method", string(old.Auth.Method), string(c.Auth.Method))
	differ("auth.token_name", old.Auth.TokenName, c.Auth.TokenName)
	differ("auth.username", old.Auth.Username, c.Auth.Username)
	if newSecret {
		field := "auth.token_secret"
		if c.Auth.Method == tableau.UsernamePassword {
			field = "auth.password"
		}
		out = append(out, Change{Field: field, To: "replaced"})
	}
	differ("identity.user_name", old.Identity.UserName, c.Identity.UserName)
	differ("notify", strings.Join(old.Notify, ", "), strings.Join(c.Notify, ", "))
	if !newSecret {
		differ("token_expires_on", day(old.TokenLife.ExpiresAt), day(c.TokenLife.ExpiresAt))
	}
	return out
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// toldWords names who is told of a connection's problems.
func toldWords(notify []string) string {
	if len(notify) == 0 {
		return "the administrators"
	}
	return strings.Join(notify, ", ")
}
