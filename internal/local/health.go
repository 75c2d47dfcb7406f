package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/vizpost/vizpost/internal/health"
)

// leastRoom is what must be left on the data folder's disk, in bytes: less is
// not enough for the next exports.
const leastRoom = 32 << 20

// Check writes to the database and says what keeps it from being written to;
// nil: nothing.
func (s *Store) Check(ctx context.Context) *health.Trouble {
	err := s.update(ctx, "checking the database", func(tx *sql.Tx) error {
		// Writes the file's header as it is.
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(schemaSteps())))
		return err
	})
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if t := Trouble(err); t != nil {
		return t
	}
	return &health.Trouble{Code: health.Database, Message: "The database cannot be written to. No report can run.",
		ToDo: "Look at vizpost's log, and at the disk of the data folder and who may write to it."}
}

// CheckPages reads the whole database and says whether it is damaged.
func (s *Store) CheckPages(ctx context.Context) *health.Trouble {
	var answer string
	err := s.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer)
	switch {
	case err == nil && answer != "ok":
		return damaged()
	case err != nil:
		return Trouble(err)
	}
	return nil
}

// CheckRoom says whether a folder's disk is nearly full.
func CheckRoom(dir string) *health.Trouble {
	if room, known := roomOf(dir); known && room < leastRoom {
		return full()
	}
	return nil
}

// Trouble says what an error shows to be wrong with all of vizpost; nil: nothing.
func Trouble(err error) *health.Trouble {
	switch codeOf(err) {
	case sqlite3.SQLITE_FULL:
		return full()
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged()
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &health.Trouble{Code: health.DatabaseLocked, Message: "Another program keeps the database locked. No report can run.",
			ToDo: "End the program that has the file vizpost.db open, such as a database tool or a backup."}
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return &health.Trouble{Code: health.Database, Message: "The database cannot be written to. No report can run.",
			ToDo: "Look at vizpost's log, and at the disk of the data folder and who may write to it."}
	}
	if errors.Is(err, syscall.ENOSPC) {
		return full()
	}
	return nil
}

func full() *health.Trouble {
	return &health.Trouble{Code: health.DiskFull, Message: "The disk of the data folder is full. No report can run.",
		ToDo: "Make room on it. Reports that are due run by themselves then."}
}

func damaged() *health.Trouble {
	return &health.Trouble{Code: health.DatabaseDamaged, Message: "The database is damaged. Reports may not run, or not be shown.",
		ToDo: "Stop vizpost, put the data folder back from a backup, and start it again."}
}
