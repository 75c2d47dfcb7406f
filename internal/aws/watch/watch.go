// Package watch finds what keeps vizpost on AWS from its work, as far as a
// function can see it: whether the tables and the secrets can be read, and
// whether the scheduler is alive.
package watch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/health"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

const (
	// answerFor is how long an answer is good for, so that whoever asks often
	// costs no more than who asks twice a minute.
	answerFor = 30 * time.Second

	// standsStill is how long the scheduler, which runs each minute, may be silent.
	standsStill = 5 * time.Minute

	// patience is how long a part may take to answer.
	patience = 10 * time.Second

	probe = "health" // names a connection and an owner of secrets that do not exist
)

// Store reads one item of each table.
type Store interface {
	// Pulse reads that of the scheduler; its Rev is 0 when there is none yet.
	Pulse(ctx context.Context) (run.Pulse, error)

	// Connection reads one. NotFound when there is none.
	Connection(ctx context.Context, id string) (connection.Connection, error)
}

// Vault reads secrets.
type Vault interface {
	// Secret reads a version. NotFound when there is none.
	Secret(ctx context.Context, owner, version string) ([]byte, error)
}

// Watch looks when it is asked. Make it with [New]; it is safe for concurrent use.
type Watch struct {
	store Store
	vault Vault
	now   func() time.Time
	log   *slog.Logger

	mu       sync.Mutex
	registry *health.Registry
	asked    time.Time
}

// New makes a watch that has not looked yet.
func New(store Store, vault Vault, now func() time.Time, log *slog.Logger) *Watch {
	return &Watch{store: store, vault: vault, now: now, log: log, registry: health.New(now)}
}

// Troubles returns what is wrong, as it was at most half a minute ago.
func (w *Watch) Troubles(ctx context.Context) []health.Trouble {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.now(); w.asked.IsZero() || now.Sub(w.asked) >= answerFor || now.Before(w.asked) {
		w.look(ctx)
		if ctx.Err() == nil {
			w.asked = now
		}
	}
	return w.registry.Troubles(ctx)
}

// look asks all parts at once.
func (w *Watch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var pulse run.Pulse
	var ofRuns, ofApp, ofSecrets error
	var group sync.WaitGroup
	group.Go(func() { pulse, ofRuns = w.store.Pulse(ctx) })
	group.Go(func() { _, ofApp = w.store.Connection(ctx, probe) })
	group.Go(func() { _, ofSecrets = w.vault.Secret(ctx, probe, probe) })
	group.Wait()

	w.note("runs", ofRuns, health.Trouble{Code: health.Database, Message: "The table of runs and deliveries in DynamoDB cannot be read.",
		ToDo: "Look at the log of the function api, and whether the table is there and its role may read it."})
	w.note("app", ofApp, health.Trouble{Code: health.Database, Message: "The table of connections and reports in DynamoDB cannot be read.",
		ToDo: "Look at the log of the function api, and whether the table is there and its role may read it."})
	w.note("secrets", ofSecrets, health.Trouble{Code: health.Secrets, Message: "The secrets in Secrets Manager cannot be read. No connection can be tested or used.",
		ToDo: "Look at the log of the function api, and whether its role may read the stack's secrets."})
	if ofRuns != nil {
		return // what the scheduler does is not known
	}
	var still *health.Trouble
	switch age := w.now().Sub(pulse.At); {
	case pulse.Rev == 0:
		still = &health.Trouble{Message: "The scheduler has not run yet. No report runs by its schedule."}
	case age > standsStill:
		still = &health.Trouble{Message: fmt.Sprintf("The scheduler has not run for %d minutes. No report runs by its schedule.", int(age.Minutes()))}
	}
	if still != nil {
		still.Code = health.Scheduler
		still.ToDo = "Look whether the stack's schedule in EventBridge Scheduler is enabled, and at the log of the function tick. What was missed is caught up by itself."
	}
	w.registry.Set("scheduler", still)
}

// note notes what reading a part came to. That there is nothing to read means
// that it can be read.
func (w *Watch) note(part string, err error, trouble health.Trouble) {
	if err == nil || problem.Is(err, problem.NotFound) {
		w.registry.Set(part, nil)
		return
	}
	w.log.Error("a part of vizpost cannot be read", "part", part, "error", err)
	w.registry.Set(part, &trouble)
}
