// Package health keeps what keeps all of vizpost from its work, such as a full
// disk or a mail server that refuses everything, until it is over.
package health

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
)

// The codes of troubles. They never change their meaning.
const (
	DiskFull        = "disk_full"
	DatabaseLocked  = "database_locked"
	DatabaseDamaged = "database_damaged"
	Database        = "database"
	Mail            = "mail"
	Secrets         = "secrets"
	Scheduler       = "scheduler"
)

// Trouble is one thing that is wrong with all of vizpost.
type Trouble struct {
	Code    string
	Message string // for people: what is wrong
	ToDo    string // for people: what to do
	Since   time.Time
}

// Registry keeps the troubles of one process. Make it with [New]; it is safe
// for concurrent use.
type Registry struct {
	now func() time.Time

	mu       sync.Mutex
	troubles map[string]Trouble // by part
}

// New makes a registry in which nothing is wrong.
func New(now func() time.Time) *Registry {
	return &Registry{now: now, troubles: map[string]Trouble{}}
}

// Set notes what is wrong with a part of vizpost; nil: nothing. A trouble that
// goes on keeps the time since when it is there.
func (r *Registry) Set(part string, t *Trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t == nil {
		delete(r.troubles, part)
		return
	}
	fresh := *t
	fresh.Since = r.now()
	if old, ok := r.troubles[part]; ok && old.Code == t.Code {
		fresh.Since = old.Since
	}
	r.troubles[part] = fresh
}

// Troubles returns all that is wrong, the oldest first.
func (r *Registry) Troubles(context.Context) []Trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Trouble, 0, len(r.troubles))
	for _, t := range r.troubles {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Trouble) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Code, b.Code)) })
	return all
}

// How long and how often all mail must fail until that is a trouble.
const (
	mailFailsFor   = 10 * time.Minute
	mailFailsTimes = 3
	refusedPeople  = 3 // recipients that are refused for good, one after the other
)

// Mailer hands mail to another and notes when that takes none any more.
type Mailer struct {
	deliver.Mailer
	Registry *Registry

	mu      sync.Mutex
	since   time.Time // of the first failure since a message was taken
	times   int
	refused map[string]bool // recipients of messages that were refused for good since then
	passing bool            // whether one failed that was not refused for good
}

// Send implements [deliver.Mailer].
func (m *Mailer) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	receipt, err := m.Mailer.Send(ctx, e)
	if err != nil && ctx.Err() != nil {
		return receipt, err // cut off, which says nothing of the server
	}
	if failure, ok := errors.AsType[*deliver.SendError](err); ok && (failure.Code == deliver.NotBegun || failure.Code == deliver.TooLarge) {
		return receipt, err // nor does this: the message was not handed over, or may be without a file
	}
	m.note(e, err)
	return receipt, err
}

func (m *Mailer) note(e deliver.Envelope, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.since, m.times, m.refused, m.passing = time.Time{}, 0, nil, false
		m.Registry.Set(Mail, nil)
		return
	}
	now := m.Registry.now()
	if m.times == 0 {
		m.since, m.refused = now, map[string]bool{}
	}
	m.times++
	var failure *deliver.SendError
	words := "It gives no clear answer."
	if errors.As(err, &failure) {
		words = failure.Message
	}
	if failure != nil && failure.Outcome == deliver.Refused {
		for _, to := range e.Recipients {
			if len(m.refused) < refusedPeople {
				m.refused[strings.ToLower(to)] = true
			}
		}
	} else {
		m.passing = true
	}
	if m.times < mailFailsTimes || now.Sub(m.since) < mailFailsFor || !m.passing && len(m.refused) < refusedPeople {
		return
	}
	m.Registry.Set(Mail, &Trouble{Code: Mail, Message: "No mail can be sent. " + words,
		ToDo: "Check the mail server and vizpost's mail settings. Reports wait and are sent once mail works again, until their deadline."})
}
