package connection

import (
	"context"
	"io"
	"log/slog"
	"time"

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

	// Hold says why nothing signs in with a stored credential at present: an
	// error that people are told. nil: nothing ever keeps it from that.
	Hold func(ctx context.Context) error

	Now    func() time.Time
	NewID  func() string
	Random io.Reader
	Log    *slog.Logger

	memory memory
}

// Holds keeps the runs that wait for broken connections.
type Holds interface {
	// Prepare makes sure that the connection is looked at within minutes, also
	// if the caller dies now: its people are told of a problem, and what it
	// holds is released if it works.
	Prepare(ctx context.Context, c Connection) error

	// Release has it looked at now.
	Release(ctx context.Context, c Connection) error
}

const (
	// maxAttempts bounds the tries of credentials that Tableau refused, for a
	// server and user: nine lock the account.
	maxAttempts   = 5
	attemptWindow = 10 * time.Minute
)

// Get reads a connection. NotFound when there is none.
func (s *Service) Get(ctx context.Context, id string) (Connection, error) {
	return s.Store.Connection(ctx, id)
}

// ReportCounts tells by how many reports each of the connections is used; one
// that none uses may be left out.
func (s *Service) ReportCounts(ctx context.Context, ids []string) (map[string]int, error) {
	return s.Store.ReportCounts(ctx, ids)
}

// List reads connections in order of id, beginning behind the id after. The
// second result is the id to go on behind, "" at the end.
func (s *Service) List(ctx context.Context, after string, limit int) ([]Connection, string, error) {
	return s.Store.Connections(ctx, after, limit)
}
