package verify

import (
	"context"
	"time"
)

// Kept is how long what was learned is remembered.
const Kept = 24 * time.Hour

// Store remembers what was learned of filters. Its methods are safe for
// concurrent use by many processes.
type Store interface {
	// Verdict reads what was stored under a key, and when it was learned;
	// nothing where that was at or before since, or nothing was stored.
	Verdict(ctx context.Context, key string, since time.Time) (doc []byte, made time.Time, err error)

	// PutVerdict stores what was learned at a time under a key, in the place of
	// what was stored there. It may forget what is older than [Kept].
	PutVerdict(ctx context.Context, key string, doc []byte, made time.Time) error
}
