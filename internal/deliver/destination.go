package deliver

import (
	"context"
	"time"
)

// The states of a named destination.
const (
	DestinationUntested = "untested" // nothing was sent to its address yet
	DestinationWorks    = "ok"       // it accepted a message
	DestinationBroken   = "broken"   // refused for good; not used again until it is edited or tested
)

// CodeSecretMissing says that the address of a destination is not in the vault
// any more, which only somebody outside of vizpost can have brought about.
const CodeSecretMissing = "secret_missing"

// Destination is a named place that several reports may deliver to, such as a
// Slack incoming webhook. Its address is a secret and lies in the vault, under
// the destination's id and SecretVersion.
type Destination struct {
	ID            string
	Name          string
	Type          string // "slack"
	SecretVersion string
	State         string
	Problem       string    // for people, when broken
	BrokenAt      time.Time // when broken, since when; zero where it is not known
	ProblemCode   string    // stable, when broken, "" where it is not known: such as CodeSecretMissing

	Version   int64 // counts edits by people
	Rev       int64 // counts all writes; the store's optimistic lock
	CreatedAt time.Time
	UpdatedAt time.Time // of the last edit by people
}

// DestinationStore keeps named destinations. All methods are safe for
// concurrent use by many processes; what they return is the caller's.
//
// Where a comment names NotFound, Stale or Conflict, the error is a
// [problem.Error] of that kind.
type DestinationStore interface {
	// CreateDestination stores a new one with Rev 1. Stale when the id exists.
	CreateDestination(ctx context.Context, d Destination) error

	// Destination reads one, consistently. NotFound when there is none.
	Destination(ctx context.Context, id string) (Destination, error)

	// Destinations lists in order of id, beginning behind the id after. The
	// second result is the id to go on behind, "" at the end.
	Destinations(ctx context.Context, after string, limit int) ([]Destination, string, error)

	// UpdateDestination replaces the stored one if its Rev is still d.Rev, and
	// stores Rev+1. Stale, NotFound.
	UpdateDestination(ctx context.Context, d Destination) error

	// DeleteDestination removes one if its Rev is still rev. Conflict with
	// [problem.CodeInUse] while reports use it, also when such a report is
	// being made at the same time; Stale, NotFound.
	DeleteDestination(ctx context.Context, id string, rev int64) error
}
