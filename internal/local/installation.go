package local

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/vizpost/vizpost/internal/run"
)

// Names of what is known of the installation.
const (
	pauseEntry     = "pause"     // a [pause], of one that was restored from a backup
	retentionEntry = "retention" // a [retentionState]
)

// pause is kept of an installation that was restored from a backup.
type pause struct {
	run.Pause
	ResumedAt time.Time // zero while it is paused
}

// entry reads what is known under a name.
func entry[T any](ctx context.Context, q querier, name string) (value T, found bool, err error) {
	return document[T](ctx, q, "SELECT value FROM installation WHERE name = ?", name)
}

func putEntry(ctx context.Context, tx *sql.Tx, name string, value any) error {
	doc, err := encode(value)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO installation (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, doc)
	return err
}

// Paused tells from which backup an installation was restored that nobody has
// resumed yet. The second result is false when it is not paused.
func (s *Store) Paused(ctx context.Context) (run.Pause, bool, error) {
	p, found, err := entry[pause](ctx, s.read, pauseEntry)
	if err != nil {
		return run.Pause{}, false, storeError("reading whether vizpost is paused", err)
	}
	return p.Pause, found && p.ResumedAt.IsZero(), nil
}

// Resume ends a pause; where there is none, nothing changes.
func (s *Store) Resume(ctx context.Context, now time.Time) error {
	return s.update(ctx, "resuming", func(tx *sql.Tx) error {
		p, found, err := entry[pause](ctx, tx, pauseEntry)
		if err != nil || !found || !p.ResumedAt.IsZero() {
			return err
		}
		p.ResumedAt = utc(now)
		return putEntry(ctx, tx, pauseEntry, p)
	})
}

// MayRepeatUntil implements [run.Repeats]: what was due up to the moment at which
// a restored installation was resumed may have been sent by the one that the
// backup was made of.
func (s *Store) MayRepeatUntil(ctx context.Context) (time.Time, error) {
	p, _, err := entry[pause](ctx, s.read, pauseEntry)
	if err != nil {
		return time.Time{}, storeError("reading when vizpost was resumed", err)
	}
	return p.ResumedAt, nil
}

var _ run.Repeats = (*Store)(nil)

// beginPause marks a database that was just restored from a backup. What was
// open in it may have been sent since the backup was made, which says so from
// now on.
func (s *Store) beginPause(ctx context.Context, p run.Pause) error {
	return s.update(ctx, "pausing", func(tx *sql.Tx) error {
		p.BackupAt, p.RestoredAt = utc(p.BackupAt), utc(p.RestoredAt)
		if err := putEntry(ctx, tx, pauseEntry, pause{Pause: p}); err != nil {
			return err
		}
		for _, statement := range []string{
			`UPDATE runs SET doc = json_set(doc, '$.PossibleRepeat', json('true')) WHERE state NOT IN ('delivered', 'skipped')`,
			`UPDATE deliveries SET doc = json_set(doc, '$.PossibleRepeat', json('true'))
				WHERE json_extract(doc, '$.State') NOT IN ('sent', 'confirmed', 'bounced')`,
			// Nobody holds anything here.
			`UPDATE site_leases SET lease_until = 0`,
			`UPDATE sign_ins SET lease_until = 0`,
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// check looks for damage, for as long as the context lasts: a large database is
// looked at in part.
func (s *Store) check(ctx context.Context, pragma string) error {
	var found string
	err := s.write.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&found)
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err()) || isInterrupt(err)):
		return nil
	case err != nil:
		return err
	case found != "ok":
		return errDamaged(errors.New(found))
	}
	return nil
}
