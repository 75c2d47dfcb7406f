package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/vizpost/vizpost/internal/run"
)

// Pause is the state of an installation that was restored from a backup.
type Pause interface {
	// Paused tells of the backup while the installation is paused; the second
	// result is false when it is not.
	Paused(ctx context.Context) (run.Pause, bool, error)

	// Resume ends the pause; where there is none, nothing changes.
	Resume(ctx context.Context, now time.Time) error
}

type pausedJSON struct {
	BackupAt   time.Time `json:"backup_at" doc:"When the backup was made."`
	RestoredAt time.Time `json:"restored_at" doc:"When it was restored."`
}

func (a *api) registerResume() {
	register(a, operation{id: "resume", method: http.MethodPost, path: "/v1/resume", tag: tagMe, role: Admin,
		unsure:  "vizpost may have been resumed. Reload before you try again.",
		summary: "Resume after a restore",
		detail: "An installation that was restored from a backup is paused: it schedules, sends and signs in nothing. " +
			"Resume it once no other copy of it works any more: two copies both send, and end each other's Tableau sessions. " +
			"What was due since the backup is then sent, marked as a possible repeat. Where nothing is paused, nothing changes."},
		a.resume)
}

func (a *api) resume(ctx context.Context, _ *struct{}) (*struct{}, error) {
	if a.deps.Pause == nil {
		return nil, nil
	}
	return nil, a.deps.Pause.Resume(ctx, a.deps.Now())
}

// paused is what is answered of the pause; nil where there is none.
func (a *api) paused(ctx context.Context) (*pausedJSON, error) {
	if a.deps.Pause == nil {
		return nil, nil
	}
	p, paused, err := a.deps.Pause.Paused(ctx)
	if err != nil || !paused {
		return nil, err
	}
	return &pausedJSON{BackupAt: p.BackupAt.UTC(), RestoredAt: p.RestoredAt.UTC()}, nil
}
