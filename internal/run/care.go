package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
)

// Care looks after the connections each hour: it queues a sign-in for tokens that
// idleness would end and for those that are past their end, warns of those that
// come to it, and sees to it that no problem goes unheard and no run stays held
// because a process stopped at the wrong moment.
type Care struct {
	Store       Store
	Connections interface {
		getter

		// List reads in order of id, beginning behind the id after. The second
		// result is the id to go on behind, "" at the end.
		List(ctx context.Context, after string, limit int) ([]connection.Connection, string, error)

		// NoteWarned notes in the connection's history that its people are
		// warned, once for each warning.
		NoteWarned(ctx context.Context, c connection.Connection, w connection.Warning) error

		// TidySecrets drops what interrupted edits of a connection left in the
		// vault.
		TidySecrets(ctx context.Context, id string) error
	}
	Destinations interface {
		// Care drops what interrupted edits left in the vault, and mends
		// destinations whose address was brought back.
		Care(ctx context.Context) error
	}
	Bell Bell
	Now  func() time.Time
	Log  *slog.Logger
}

// Run makes a round. What fails for one connection does not stop the
// others; the errors come joined.
func (c *Care) Run(ctx context.Context) error {
	now := c.Now()
	var failures []error
	after := ""
	for {
		page, next, err := c.Connections.List(ctx, after, 100)
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("reading connections: %w", err))...)
		}
		for _, conn := range page {
			if err := c.look(ctx, conn, now); err != nil {
				failures = append(failures, fmt.Errorf("connection %s: %w", conn.ID, err))
			}
			if err := c.Connections.TidySecrets(ctx, conn.ID); err != nil {
				failures = append(failures, fmt.Errorf("connection %s: tidying its secrets: %w", conn.ID, err))
			}
		}
		if next == "" {
			break
		}
		after = next
	}
	if err := c.Destinations.Care(ctx); err != nil {
		failures = append(failures, fmt.Errorf("looking after the destinations: %w", err))
	}
	return errors.Join(failures...)
}

func (c *Care) look(ctx context.Context, conn connection.Connection, now time.Time) error {
	keep, err := c.keepAlive(ctx, conn, now)
	if err != nil {
		return err
	}
	release, err := c.probe(ctx, conn, now)
	if err != nil {
		return err
	}
	told, err := c.tell(ctx, conn, now)
	if err != nil {
		return err
	}
	if !keep && !release && !told {
		return nil
	}
	return c.Bell.Ring(ctx, conn.SiteKey())
}

// keepAlive queues a sign-in if one is due.
func (c *Care) keepAlive(ctx context.Context, conn connection.Connection, now time.Time) (bool, error) {
	if !conn.KeepAliveDue(now) {
		return false, nil
	}
	if err := c.Store.PutWork(ctx, Work{Site: conn.SiteKey(), Kind: KeepAlive, Ref: conn.ID, NotBefore: now}); err != nil {
		return false, fmt.Errorf("queueing a sign-in: %w", err)
	}
	return true, nil
}

// probe has a broken connection probed even if no run waits for it, and runs
// released that one which works still holds.
func (c *Care) probe(ctx context.Context, conn connection.Connection, now time.Time) (bool, error) {
	if !conn.State.Works() {
		return false, probeBroken(ctx, c.Store, c.Connections, conn.SiteKey(), conn, now)
	}
	held, err := c.Store.HeldCount(ctx, conn.SiteKey(), conn.ID)
	if err != nil {
		return false, fmt.Errorf("counting held runs: %w", err)
	}
	if held == 0 {
		return false, nil
	}
	return true, putProbe(ctx, c.Store, conn.SiteKey(), conn.ID, now)
}

// tell writes the connection's people of its problem, and warns them of their
// token's end.
func (c *Care) tell(ctx context.Context, conn connection.Connection, now time.Time) (bool, error) {
	told := false
	if conn.Problem != nil {
		if err := problemNotices(ctx, c.Store, nil, conn, c.Now); err != nil {
			return false, err
		}
		told = true
	}
	w, ok := conn.Warn(now)
	if !ok {
		return told, nil
	}
	// Noted first: that is refused where the token was replaced since the list
	// was read.
	err := c.Connections.NoteWarned(ctx, conn, w)
	if errors.Is(err, connection.ErrFenced) || problem.Is(err, problem.NotFound) {
		return told, nil
	}
	if err != nil {
		return told, fmt.Errorf("noting a warning: %w", err)
	}
	if err := createNotices(ctx, c.Store, nil, conn.SiteKey(), conn.ID, w.Of, w.Kind, conn.Notify,
		warningNotice(conn, w), c.Now); err != nil {
		return told, fmt.Errorf("writing a warning: %w", err)
	}
	return true, nil
}
