package run

import (
	"context"
	"time"
)

// Pause is the state of an installation that was restored from a backup, until
// somebody resumes it: nothing is scheduled, sent or signed in. Another copy of
// it may be at work, and which messages went out since the backup is not known.
type Pause struct {
	BackupAt   time.Time // when the backup was made
	RestoredAt time.Time
}

// Repeats tells what may have been sent before, by the installation that a
// backup was made of.
type Repeats interface {
	// MayRepeatUntil is the time up to which occurrences may have been sent;
	// zero where that is not so.
	MayRepeatUntil(ctx context.Context) (time.Time, error)
}
