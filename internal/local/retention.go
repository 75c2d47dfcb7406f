package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vizpost/vizpost/internal/run"
)

const (
	// DefaultRetention is how long what is finished is kept.
	DefaultRetention = 90 * 24 * time.Hour

	// RetentionGrace is how long after retention came into force the first
	// thing is deleted, so that whoever upgrades can choose another time.
	RetentionGrace = 7 * 24 * time.Hour

	// retentionStep is how far retention's own clock moves in a round at most:
	// a clock that is a year ahead for a minute deletes nothing of that year.
	retentionStep = 24 * time.Hour

	// What one round does at most; what is over waits for the next.
	expireRuns    = 2000
	expireNotices = 5000
	expireMails   = 5000
	expireBatch   = 100 // runs of a transaction, which others wait for
)

// Retention deletes what was finished long ago: runs with their deliveries and
// files, notices, and mails in the outbox. What is open or unsettled stays.
//
// A run's record goes first and its files after it; files that a crash leaves
// are found by their run's missing.
type Retention struct {
	Store  *Store
	Files  Files
	Outbox *Outbox       // nil where mail goes by SMTP
	Keep   time.Duration // negative: for ever
	Now    func() time.Time
	Log    *slog.Logger
}

// retentionState is kept of retention.
type retentionState struct {
	Since    time.Time // when it came into force
	At       time.Time // its own clock
	Upgraded bool      // there were runs then
}

// RetentionNotice says what retention does, for people.
type RetentionNotice struct {
	Days     int       // how long what is finished is kept; 0: for ever
	From     time.Time // when the first thing may be deleted
	Upgraded bool      // it came into force with an upgrade
}

// Begin notes when retention came into force, if that is not noted yet, and says
// what it does.
func (r *Retention) Begin(ctx context.Context) (RetentionNotice, error) {
	state, err := r.Store.beginRetention(ctx, r.Now())
	if err != nil || r.Keep < 0 {
		return RetentionNotice{}, err
	}
	return RetentionNotice{Days: int(r.Keep / (24 * time.Hour)), From: state.Since.Add(RetentionGrace), Upgraded: state.Upgraded}, nil
}

func (s *Store) beginRetention(ctx context.Context, now time.Time) (retentionState, error) {
	var state retentionState
	err := s.update(ctx, "noting since when retention is in force", func(tx *sql.Tx) error {
		var found bool
		var err error
		if state, found, err = entry[retentionState](ctx, tx, retentionEntry); err != nil || found {
			return err
		}
		state = retentionState{Since: utc(now), At: utc(now)}
		if state.Upgraded, err = exists(ctx, tx, "SELECT 1 FROM runs"); err != nil {
			return err
		}
		return putEntry(ctx, tx, retentionEntry, state)
	})
	return state, err
}

// tickRetention moves retention's clock towards now, and gives it.
func (s *Store) tickRetention(ctx context.Context, now time.Time) (state retentionState, err error) {
	if state, err = s.beginRetention(ctx, now); err != nil {
		return state, err
	}
	state.At = utc(now)
	return state, s.update(ctx, "moving retention's clock", func(tx *sql.Tx) error {
		stored, _, err := entry[retentionState](ctx, tx, retentionEntry)
		if err != nil {
			return err
		}
		if most := stored.At.Add(retentionStep); state.At.After(most) {
			state.At = most
		}
		if state.Since.After(state.At) { // noted by a clock that was wrong
			state.Since = state.At
		}
		return putEntry(ctx, tx, retentionEntry, state)
	})
}

// Run makes a round.
func (r *Retention) Run(ctx context.Context) error {
	state, err := r.Store.tickRetention(ctx, r.Now())
	if err != nil || r.Keep < 0 || state.At.Before(state.Since.Add(RetentionGrace)) {
		return err
	}
	before := state.At.Add(-r.Keep)
	runs, runsErr := r.runs(ctx, before)
	notices, noticesErr := r.Store.expireNotices(ctx, before)
	mails, mailsErr := r.mails(ctx, before)
	orphans, orphansErr := r.orphans(ctx, before)
	if runs+notices+mails+orphans > 0 {
		r.Log.Info("what was finished long ago was deleted", "before", before, "runs", runs, "notices", notices, "mails", mails,
			"left_over_files", orphans)
	}
	return errors.Join(runsErr, noticesErr, mailsErr, orphansErr)
}

// firstID is below all ids that were made at a time or later, and above those of
// earlier milliseconds.
func firstID(at time.Time) string {
	var id ulid.ULID
	if ms := at.UnixMilli(); ms > 0 {
		_ = id.SetTime(uint64(ms)) // fails in the year 10889
	}
	return id.String()
}

// runs deletes runs that ended before a time.
func (r *Retention) runs(ctx context.Context, before time.Time) (int, error) {
	deleted := 0
	for _, state := range []run.State{run.Delivered, run.PartlyDelivered, run.Failed, run.Skipped} {
		after := ""
		for deleted < expireRuns {
			ids, next, err := r.Store.expireRuns(ctx, state, after, before)
			if err != nil {
				return deleted, err
			}
			for _, id := range ids {
				if err := os.RemoveAll(r.folder(id)); err != nil {
					return deleted, fmt.Errorf("deleting the files of a run: %w", err)
				}
			}
			deleted += len(ids)
			if after = next; after == "" {
				break
			}
		}
	}
	return deleted, nil
}

// folder is where a run's files lie; see the names that runs give them.
func (r *Retention) folder(runID string) string {
	return filepath.Join(r.Files.Dir, "runs", filepath.Base(runID))
}

const (
	expirableRuns = "SELECT doc FROM runs WHERE state = ? AND id > ? AND id < ? ORDER BY id LIMIT ?"
	unsettledOf   = `SELECT 1 FROM deliveries WHERE run_id = ? AND run_id <> ''
		AND json_extract(doc, '$.State') IN ('waiting', 'sending', 'unsure')`
)

// expireRuns deletes the records of some runs of a state behind an id that ended
// before a time, and gives their ids, and the id to go on behind; "" at the end.
func (s *Store) expireRuns(ctx context.Context, state run.State, after string, before time.Time) (ids []string, next string, err error) {
	err = s.update(ctx, "deleting old runs", func(tx *sql.Tx) error {
		ids, next = nil, ""
		old, err := documents[run.Run](ctx, tx, expirableRuns, state, after, firstID(before), expireBatch)
		if err != nil {
			return err
		}
		for _, r := range old {
			if r.FinishedAt.IsZero() || !r.FinishedAt.Before(before) {
				continue
			}
			if open, err := exists(ctx, tx, unsettledOf, r.ID); err != nil {
				return err
			} else if open {
				continue
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM deliveries WHERE run_id = ? AND run_id <> ''", r.ID); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM runs WHERE id = ?", r.ID); err != nil {
				return err
			}
			ids = append(ids, r.ID)
		}
		if len(old) == expireBatch {
			next = old[len(old)-1].ID
		}
		return nil
	})
	return ids, next, err
}

// oldNotices are notices by age. Times are written in UTC with a Z at the end, so
// that they compare as texts.
const oldNotices = `DELETE FROM deliveries WHERE key IN (SELECT key FROM deliveries
	WHERE run_id = '' AND json_extract(doc, '$.CreatedAt') < ?
		AND json_extract(doc, '$.State') NOT IN ('waiting', 'sending', 'unsure') LIMIT ?)`

func (s *Store) expireNotices(ctx context.Context, before time.Time) (n int, err error) {
	err = s.update(ctx, "deleting old notices", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, oldNotices, before.UTC().Truncate(time.Second).Format(time.RFC3339), expireNotices)
		if err != nil {
			return err
		}
		deleted, err := result.RowsAffected()
		n = int(deleted)
		return err
	})
	return n, err
}

// mails deletes mails of the outbox.
func (r *Retention) mails(ctx context.Context, before time.Time) (int, error) {
	if r.Outbox == nil {
		return 0, nil
	}
	messages, err := r.Outbox.List(ctx)
	if err != nil {
		return 0, err
	}
	deleted := 0
	for _, m := range messages {
		if !m.ModTime().Before(before) {
			continue
		}
		if deleted == expireMails {
			break
		}
		if err := os.Remove(filepath.Join(r.Outbox.Dir, m.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return deleted, fmt.Errorf("deleting an old mail: %w", err)
		}
		deleted++
	}
	return deleted, nil
}

// orphans deletes the files of runs that are gone, which a crash left.
func (r *Retention) orphans(ctx context.Context, before time.Time) (int, error) {
	dir := filepath.Join(r.Files.Dir, "runs")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("looking for the files of old runs: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() || e.Name() >= firstID(before) })
	deleted := 0
	for _, e := range entries[:min(len(entries), expireRuns)] {
		there, err := exists(ctx, r.Store.read, "SELECT 1 FROM runs WHERE id = ?", e.Name())
		if err != nil {
			return deleted, storeError("looking for a file's run", err)
		}
		if there {
			continue
		}
		if err := os.RemoveAll(r.folder(e.Name())); err != nil {
			return deleted, fmt.Errorf("deleting files that a run left: %w", err)
		}
		deleted++
	}
	return deleted, nil
}
