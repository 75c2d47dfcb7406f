package local

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

// requestsKept is how long a claim of [Store.ClaimRequest] holds.
const requestsKept = 24 * time.Hour

// ClaimRequest makes a request that comes more than once make one thing. The
// first claim of a key within its scope keeps the id of the thing to be made
// and gives it back; a later one with the same digest of the request gives the
// id that the first one kept. Conflict with [problem.CodeKeyReused] when the digest
// differs. A claim is kept for 24 hours.
func (s *Store) ClaimRequest(ctx context.Context, scope, key, digest, id string, now time.Time) (string, error) {
	err := s.update(ctx, "claiming a request", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM requests WHERE created_at <= ?", micros(now.Add(-requestsKept))); err != nil {
			return err
		}
		var keptDigest, keptID string
		err := tx.QueryRowContext(ctx, "SELECT digest, id FROM requests WHERE scope = ? AND key = ?", scope, key).Scan(&keptDigest, &keptID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.ExecContext(ctx, "INSERT INTO requests (scope, key, digest, id, created_at) VALUES (?, ?, ?, ?, ?)",
				scope, key, digest, id, micros(now))
			return err
		case err != nil:
			return err
		case keptDigest != digest:
			return problem.KeyReused()
		}
		id = keptID
		return nil
	})
	if err != nil {
		return "", err
	}
	return id, nil
}
