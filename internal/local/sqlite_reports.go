package local

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// CreateReport implements [report.Store].
func (s *Store) CreateReport(ctx context.Context, r report.Report) error {
	return s.update(ctx, "storing a report", func(tx *sql.Tx) error {
		if taken, err := exists(ctx, tx, "SELECT 1 FROM reports WHERE id = ?", r.ID); err != nil {
			return err
		} else if taken {
			return problem.Changed("report")
		}
		r.Rev = 1
		return putReportWithUses(ctx, tx, r)
	})
}

// InsertReports stores many reports with ids of their own in one transaction,
// as [Store.CreateReport] does one: all of them, or none when one cannot be
// stored.
func (s *Store) InsertReports(ctx context.Context, reports iter.Seq[report.Report]) error {
	return s.update(ctx, "storing reports", func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, "INSERT INTO reports (id, rev, connection_id, next_run_at, doc) VALUES (?, 1, ?, ?, ?)")
		if err != nil {
			return err
		}
		defer insert.Close()
		connections := map[string]bool{} // known to exist
		for r := range reports {
			r.Rev = 1
			if !connections[r.ConnectionID] || len(namedDestinations(r)) > 0 {
				if err := checkUses(ctx, tx, r); err != nil {
					return err
				}
				connections[r.ConnectionID] = true
			}
			next, doc, err := reportColumns(r)
			if err != nil {
				return err
			}
			if _, err := insert.ExecContext(ctx, r.ID, r.ConnectionID, next, doc); err != nil {
				return err
			}
			if err := putUses(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// Report implements [report.Store].
func (s *Store) Report(ctx context.Context, id string) (report.Report, error) {
	r, err := reportByID(ctx, s.read, id)
	if err != nil {
		return report.Report{}, storeError("reading a report", err)
	}
	return r, nil
}

func reportByID(ctx context.Context, q querier, id string) (report.Report, error) {
	r, found, err := document[report.Report](ctx, q, "SELECT doc FROM reports WHERE id = ?", id)
	if err == nil && !found {
		err = problem.Missing("report", id)
	}
	return r, err
}

// reportAt reads a report that must have a Rev.
func reportAt(ctx context.Context, tx *sql.Tx, id string, rev int64) (report.Report, error) {
	r, err := reportByID(ctx, tx, id)
	if err == nil && r.Rev != rev {
		err = problem.Changed("report")
	}
	return r, err
}

// Reports implements [report.Store].
func (s *Store) Reports(ctx context.Context, connectionID, after string, limit int) ([]report.Report, string, error) {
	query, args := "SELECT doc FROM reports WHERE id > ? ORDER BY id LIMIT ?", []any{after, fetch(limit)}
	if connectionID != "" {
		query, args = "SELECT doc FROM reports WHERE connection_id = ? AND id > ? ORDER BY id LIMIT ?", []any{connectionID, after, fetch(limit)}
	}
	list, err := documents[report.Report](ctx, s.read, query, args...)
	if err != nil {
		return nil, "", storeError("listing reports", err)
	}
	list, next := page(list, limit, func(r report.Report) string { return r.ID })
	return list, next, nil
}

// UpdateReport implements [report.Store].
func (s *Store) UpdateReport(ctx context.Context, r report.Report) error {
	return s.update(ctx, "storing a report", func(tx *sql.Tx) error {
		if _, err := reportAt(ctx, tx, r.ID, r.Rev); err != nil {
			return err
		}
		r.Rev++
		return putReportWithUses(ctx, tx, r)
	})
}

// DeleteReport implements [report.Store].
func (s *Store) DeleteReport(ctx context.Context, id string, rev int64) error {
	return s.update(ctx, "deleting a report", func(tx *sql.Tx) error {
		if _, err := reportAt(ctx, tx, id, rev); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM reports WHERE id = ?", id)
		return err
	})
}

const dueReports = "SELECT doc FROM reports WHERE next_run_at <= ? ORDER BY next_run_at, id LIMIT ?"

// DueReports implements [run.Store].
func (s *Store) DueReports(ctx context.Context, now time.Time, limit int) ([]report.Report, error) {
	due, err := documents[report.Report](ctx, s.read, dueReports, micros(now), max(limit, 0))
	if err != nil {
		return nil, storeError("looking for due reports", err)
	}
	return due, nil
}

// putReportWithUses writes a report's row and what it uses, which must exist.
func putReportWithUses(ctx context.Context, tx *sql.Tx, r report.Report) error {
	if err := checkUses(ctx, tx, r); err != nil {
		return err
	}
	if err := putReport(ctx, tx, r); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM report_destinations WHERE report_id = ?", r.ID); err != nil {
		return err
	}
	return putUses(ctx, tx, r)
}

// putReport writes a report's row alone.
func putReport(ctx context.Context, tx *sql.Tx, r report.Report) error {
	next, doc, err := reportColumns(r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO reports (id, rev, connection_id, next_run_at, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET rev = excluded.rev, connection_id = excluded.connection_id,
			next_run_at = excluded.next_run_at, doc = excluded.doc`,
		r.ID, r.Rev, r.ConnectionID, next, doc)
	return err
}

func reportColumns(r report.Report) (next sql.NullInt64, doc string, err error) {
	r.NextRunAt, r.CreatedAt, r.UpdatedAt = utc(r.NextRunAt), utc(r.CreatedAt), utc(r.UpdatedAt)
	next = sql.NullInt64{Int64: micros(r.NextRunAt), Valid: !r.NextRunAt.IsZero()}
	doc, err = encode(r)
	return next, doc, err
}

// checkUses tells which of the things that a report uses are gone.
func checkUses(ctx context.Context, tx *sql.Tx, r report.Report) error {
	var fields problem.Fields
	if found, err := exists(ctx, tx, "SELECT 1 FROM connections WHERE id = ?", r.ConnectionID); err != nil {
		return err
	} else if !found {
		fields.Add("connection_id", "There is no such connection any more. Choose one that exists.")
	}
	for id := range namedDestinations(r) {
		if found, err := exists(ctx, tx, "SELECT 1 FROM destinations WHERE id = ?", id); err != nil {
			return err
		} else if !found {
			fields.Add("destinations", "One of the named destinations does not exist any more. Choose one that exists.")
			break
		}
	}
	return fields.Err()
}

func putUses(ctx context.Context, tx *sql.Tx, r report.Report) error {
	for id := range namedDestinations(r) {
		if _, err := tx.ExecContext(ctx, "INSERT INTO report_destinations (destination_id, report_id) VALUES (?, ?)", id, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// namedDestinations gives the ids of the named destinations that a report uses.
func namedDestinations(r report.Report) map[string]bool {
	ids := map[string]bool{}
	for _, d := range r.Destinations {
		if d.DestinationID != "" {
			ids[d.DestinationID] = true
		}
	}
	return ids
}
