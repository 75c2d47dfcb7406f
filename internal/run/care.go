package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// Care looks after the tokens once a day: it queues a sign-in for those that
// idleness would end, and warns of those that come to their expiry.
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
	}
	Bell Bell
	Now  func() time.Time
	Log  *slog.Logger
}

// Run makes the day's round. What fails for one connection does not stop the
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
		}
		if next == "" {
			return errors.Join(failures...)
		}
		after = next
	}
}

func (c *Care) look(ctx context.Context, conn connection.Connection, now time.Time) error {
	work := false
	if conn.KeepAliveDue(now) {
		if err := c.Store.PutWork(ctx, Work{Site: conn.SiteKey(), Kind: KeepAlive, Ref: conn.ID, NotBefore: now}); err != nil {
			return fmt.Errorf("queueing a sign-in: %w", err)
		}
		work = true
	}
	if !conn.State.Works() {
		// A broken connection is probed even if no run waits for it.
		if err := probeBroken(ctx, c.Store, c.Connections, conn.SiteKey(), conn, now); err != nil {
			return err
		}
	}
	if w, ok := conn.Warn(now); ok {
		if err := createNotices(ctx, c.Store, nil, conn.SiteKey(), conn.ID, w.Of, w.Kind, conn.Notify,
			Notice{Subject: w.Subject, Text: w.Text}, c.Now); err != nil {
			return fmt.Errorf("writing a warning: %w", err)
		}
		work = true
		if len(conn.Notify) > 0 {
			if err := c.Connections.NoteWarned(ctx, conn, w); err != nil && !errors.Is(err, connection.ErrFenced) && !problem.Is(err, problem.NotFound) {
				return fmt.Errorf("noting a warning: %w", err)
			}
		}
	}
	if !work {
		return nil
	}
	return c.Bell.Ring(ctx, conn.SiteKey())
}

// createNotices makes the deliveries of a notice, one to each address.
func createNotices(ctx context.Context, store Store, lease *Lease, site, what, version, kind string, to []string, n Notice, clock func() time.Time) error {
	if len(to) == 0 {
		return nil
	}
	now := clock()
	deliveries := make([]Delivery, len(to))
	for i, address := range to {
		deliveries[i] = Delivery{Key: NoticeKey(what, version, kind, address), Site: site, Type: report.Email,
			To: []string{address}, Notice: &n, State: Waiting, NotBefore: now, CreatedAt: now}
	}
	if err := store.CreateDeliveries(ctx, lease, deliveries); err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	return nil
}
