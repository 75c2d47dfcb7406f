package local

import (
	"context"
	"database/sql"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

const pulseDocument = "SELECT doc FROM pulse WHERE only = 1"

// Pulse implements [run.Store].
func (s *Store) Pulse(ctx context.Context) (run.Pulse, error) {
	p, _, err := document[run.Pulse](ctx, s.read, pulseDocument)
	if err != nil {
		return run.Pulse{}, storeError("reading the pulse", err)
	}
	return p, nil
}

// PutPulse implements [run.Store].
func (s *Store) PutPulse(ctx context.Context, p run.Pulse) error {
	return s.update(ctx, "writing the pulse", func(tx *sql.Tx) error {
		old, _, err := document[run.Pulse](ctx, tx, pulseDocument)
		if err != nil {
			return err
		}
		if old.Rev != p.Rev {
			return problem.Changed("pulse")
		}
		p.Rev++
		p.At, p.HealedAt = utc(p.At), utc(p.HealedAt)
		p.Since, p.From, p.Before = utc(p.Since), utc(p.From), utc(p.Before)
		doc, err := encode(p)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO pulse (only, rev, doc) VALUES (1, ?, ?)
			ON CONFLICT (only) DO UPDATE SET rev = excluded.rev, doc = excluded.doc`, p.Rev, doc)
		return err
	})
}
