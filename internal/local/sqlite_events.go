package local

import (
	"context"
	"database/sql"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
)

// putEvents writes events into their slots.
func putEvents(ctx context.Context, tx *sql.Tx, connectionID string, events []connection.Event) error {
	for _, e := range events {
		doc, err := encode(keptEvent(e))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO events (connection_id, slot, id, at, doc) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (connection_id, slot) DO UPDATE SET id = excluded.id, at = excluded.at, doc = excluded.doc`,
			connectionID, e.Slot, e.ID, micros(e.At), doc); err != nil {
			return err
		}
	}
	return nil
}

func keptEvent(e connection.Event) connection.Event {
	e.At = utc(e.At)
	runs := make([]connection.HeldRun, len(e.Runs))
	for i, r := range e.Runs {
		r.ScheduledFor = utc(r.ScheduledFor)
		runs[i] = r
	}
	if len(runs) > 0 {
		e.Runs = runs
	}
	return e
}

const eventsOf = "SELECT doc FROM events WHERE connection_id = ? AND id < ? AND at >= ? ORDER BY id DESC LIMIT ?"

// Events implements [connection.Store].
func (s *Store) Events(ctx context.Context, connectionID string, since time.Time, after string, limit int) ([]connection.Event, string, error) {
	if after == "" {
		after = aboveAll
	}
	list, err := documents[connection.Event](ctx, s.read, eventsOf, connectionID, after, micros(since), fetch(limit))
	if err != nil {
		return nil, "", storeError("listing a connection's events", err)
	}
	list, next := page(list, limit, func(e connection.Event) string { return e.ID })
	return list, next, nil
}

// PurgeEvents forgets the events from before a time.
func (s *Store) PurgeEvents(ctx context.Context, before time.Time) error {
	return s.update(ctx, "purging events", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM events WHERE at < ?", micros(before))
		return err
	})
}

// ReportCounts implements [connection.Store].
func (s *Store) ReportCounts(ctx context.Context, ids []string) (map[string]int, error) {
	counts := map[string]int{}
	for _, id := range ids {
		var n int
		if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM reports WHERE connection_id = ?", id).Scan(&n); err != nil {
			return nil, storeError("counting a connection's reports", err)
		}
		counts[id] = n
	}
	return counts, nil
}
