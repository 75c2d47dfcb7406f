package connection

import (
	"context"
	"time"

	"github.com/vizpost/vizpost/internal/secret"
)

// Store keeps connections and the state of their sessions. All methods are
// safe for concurrent use by many processes; what they return is the caller's.
//
// Where a comment names NotFound, Stale, Conflict or TooMany, the error is a
// [problem.Error] of that kind.
type Store interface {
	// CreateConnection stores a new connection with Rev 1, its events and, when
	// session is not nil, its first session, in one transaction. A connection with a
	// personal access token claims its fingerprint: Conflict with
	// [problem.CodeTokenInUse] when another connection has it. Stale when the
	// id exists.
	CreateConnection(ctx context.Context, c Connection, session *Session, events ...Event) error

	// Connection reads one, consistently. NotFound when there is none.
	Connection(ctx context.Context, id string) (Connection, error)

	// Connections lists in order of id, beginning behind the id after. The
	// second result is the id to go on behind, "" at the end.
	Connections(ctx context.Context, after string, limit int) ([]Connection, string, error)

	// UpdateConnection replaces the stored connection if its Rev is still
	// c.Rev, and stores Rev+1. In the same transaction it moves the claim on
	// the fingerprint if that changed, forgets the session of the old
	// fingerprint, stores the session if one is given, and the events. Stale
	// when Rev moved on, NotFound when the connection is gone, Conflict with
	// [problem.CodeTokenInUse] when the new fingerprint is another's.
	UpdateConnection(ctx context.Context, c Connection, session *Session, events ...Event) error

	// DeleteConnection removes a connection, its claim and its session if its
	// Rev is still rev, and stores the events; those that there are stay.
	// Conflict with [problem.CodeInUse] while reports use it, also when such a
	// report is being made at the same time; Stale, NotFound.
	DeleteConnection(ctx context.Context, id string, rev int64, events ...Event) error

	// Events lists the events of a connection, also of one that is gone, that
	// are not older than since, the newest id first, beginning behind the id
	// after. The second result is the id to go on behind, "" at the end. Of
	// events with the same slot there is the one that was stored last.
	Events(ctx context.Context, connectionID string, since time.Time, after string, limit int) ([]Event, string, error)

	// ReportCounts tells by how many reports each of the connections is used;
	// one that none uses may be left out.
	ReportCounts(ctx context.Context, ids []string) (map[string]int, error)

	// FingerprintOwner gives the id of the connection that claimed a
	// fingerprint. NotFound when none did.
	FingerprintOwner(ctx context.Context, fingerprint string) (string, error)

	// SignIn reads what is known of a fingerprint's sign-in, consistently. One
	// that was never seen gives an empty SignIn with its name: there is no
	// difference between "never" and "nothing left".
	SignIn(ctx context.Context, fingerprint string) (SignIn, error)

	// LeaseSignIn takes the right to sign in until the time given. Each
	// success raises the fence, and notes now among the recent sign-ins, of
	// which it keeps those that lie within ten minutes of now. [ErrLeaseHeld]
	// while another holder's lease is held; see [SignIn.Held].
	LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (SignIn, error)

	// StoreSession stores a session under the fingerprint and ends the lease,
	// if fence is the current one and the connection still names the session's
	// credential version. [ErrFenced] when either is not so.
	StoreSession(ctx context.Context, fingerprint string, fence int64, session Session) error

	// ReleaseSignIn ends a lease early; with counted false it takes its
	// sign-in off the recent ones. A fence that is not the current one changes
	// nothing.
	ReleaseSignIn(ctx context.Context, fingerprint string, fence int64, counted bool) error

	// CountAttempt notes an attempt under a key, unless limit attempts are
	// noted since the time given: then TooMany. Those that lie further ahead
	// of now than since lies behind it were noted by a clock that was wrong,
	// and are forgotten.
	CountAttempt(ctx context.Context, key string, now, since time.Time, limit int) error

	// ForgetAttempt takes back the newest attempt under a key; none is no
	// error.
	ForgetAttempt(ctx context.Context, key string) error

	// Attempts counts the attempts that are noted under a key since the time
	// given, which is not longer ago than a day.
	Attempts(ctx context.Context, key string, since time.Time) (int, error)
}

// Session is a Tableau session as it is stored: sealed, and bound to the
// credential that made it.
type Session struct {
	ConnectionID      string
	CredentialVersion string
	Generation        int64 // rises with each sign-in of the fingerprint
	Sealed            []byte
	SignedInAt        time.Time
}

// SignIn is the state of a fingerprint: who may sign in, and the session that
// there is.
type SignIn struct {
	Fingerprint string
	Fence       int64
	Holder      string
	LeaseUntil  time.Time
	Recent      []time.Time // sign-ins of the last ten minutes, oldest first
	Session     Session     // empty (Generation 0) when there is none
}

// LongestLease is more than any sign-in lease runs for.
const LongestLease = 2 * time.Minute

// Held reports whether somebody has the right to sign in. A lease that would
// run for longer than [LongestLease] was taken by a clock that was wrong, and is
// nobody's any more.
func (in SignIn) Held(now time.Time) bool {
	return in.LeaseUntil.After(now) && !in.LeaseUntil.After(now.Add(LongestLease))
}

// SecretKept is how long the secret of a deleted connection can be recovered.
const SecretKept = 30 * 24 * time.Hour

// Vault keeps secrets by owner and version. On AWS it is Secrets Manager, with
// a version label for each version.
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
	// any is no error. An operator can recover them for the time [SecretKept].
	RemoveSecret(ctx context.Context, owner string) error
}
