package local

import (
	"context"
	"database/sql"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

// CreateDestination implements [deliver.DestinationStore].
func (s *Store) CreateDestination(ctx context.Context, d deliver.Destination) error {
	return s.update(ctx, "storing a destination", func(tx *sql.Tx) error {
		if taken, err := exists(ctx, tx, "SELECT 1 FROM destinations WHERE id = ?", d.ID); err != nil {
			return err
		} else if taken {
			return problem.Changed("destination")
		}
		d.Rev = 1
		return putDestination(ctx, tx, d)
	})
}

// Destination implements [deliver.DestinationStore].
func (s *Store) Destination(ctx context.Context, id string) (deliver.Destination, error) {
	d, err := destinationByID(ctx, s.read, id)
	if err != nil {
		return deliver.Destination{}, storeError("reading a destination", err)
	}
	return d, nil
}

func destinationByID(ctx context.Context, q querier, id string) (deliver.Destination, error) {
	d, found, err := document[deliver.Destination](ctx, q, "SELECT doc FROM destinations WHERE id = ?", id)
	if err == nil && !found {
		err = problem.Missing("destination", id)
	}
	return d, err
}

// destinationAt reads a destination that must have a Rev.
func destinationAt(ctx context.Context, tx *sql.Tx, id string, rev int64) error {
	d, err := destinationByID(ctx, tx, id)
	if err == nil && d.Rev != rev {
		err = problem.Changed("destination")
	}
	return err
}

// Destinations implements [deliver.DestinationStore].
func (s *Store) Destinations(ctx context.Context, after string, limit int) ([]deliver.Destination, string, error) {
	list, err := documents[deliver.Destination](ctx, s.read,
		"SELECT doc FROM destinations WHERE id > ? ORDER BY id LIMIT ?", after, fetch(limit))
	if err != nil {
		return nil, "", storeError("listing destinations", err)
	}
	list, next := page(list, limit, func(d deliver.Destination) string { return d.ID })
	return list, next, nil
}

// UpdateDestination implements [deliver.DestinationStore].
func (s *Store) UpdateDestination(ctx context.Context, d deliver.Destination) error {
	return s.update(ctx, "storing a destination", func(tx *sql.Tx) error {
		if err := destinationAt(ctx, tx, d.ID, d.Rev); err != nil {
			return err
		}
		d.Rev++
		return putDestination(ctx, tx, d)
	})
}

// DeleteDestination implements [deliver.DestinationStore].
func (s *Store) DeleteDestination(ctx context.Context, id string, rev int64) error {
	return s.update(ctx, "deleting a destination", func(tx *sql.Tx) error {
		if err := destinationAt(ctx, tx, id, rev); err != nil {
			return err
		}
		if used, err := exists(ctx, tx, "SELECT 1 FROM report_destinations WHERE destination_id = ?", id); err != nil {
			return err
		} else if used {
			return problem.New(problem.Conflict, problem.CodeInUse,
				"Reports use this destination. Take it out of them first.")
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM destinations WHERE id = ?", id)
		return err
	})
}

func putDestination(ctx context.Context, tx *sql.Tx, d deliver.Destination) error {
	d.BrokenAt, d.CreatedAt, d.UpdatedAt = utc(d.BrokenAt), utc(d.CreatedAt), utc(d.UpdatedAt)
	doc, err := encode(d)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO destinations (id, rev, doc) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET rev = excluded.rev, doc = excluded.doc`, d.ID, d.Rev, doc)
	return err
}
