package local

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/vizpost/vizpost/internal/verify"
)

// Verdict implements [verify.Store].
func (s *Store) Verdict(ctx context.Context, key string, since time.Time) ([]byte, time.Time, error) {
	var doc string
	var made int64
	err := s.read.QueryRowContext(ctx, "SELECT doc, made_at FROM verdicts WHERE key = ? AND made_at > ?", key, micros(since)).Scan(&doc, &made)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, time.Time{}, nil
	case err != nil:
		return nil, time.Time{}, storeError("reading a verdict on filters", err)
	}
	return []byte(doc), fromMicros(made), nil
}

// PutVerdict implements [verify.Store].
func (s *Store) PutVerdict(ctx context.Context, key string, doc []byte, made time.Time) error {
	return s.update(ctx, "storing a verdict on filters", func(tx *sql.Tx) error {
		// What a clock that was wrong wrote ahead of time would never be old.
		if _, err := tx.ExecContext(ctx, "DELETE FROM verdicts WHERE made_at <= ? OR made_at > ?",
			micros(made.Add(-verify.Kept)), micros(made.Add(verify.Kept))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO verdicts (key, made_at, doc) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET made_at = excluded.made_at, doc = excluded.doc",
			key, micros(made), string(doc))
		return err
	})
}
