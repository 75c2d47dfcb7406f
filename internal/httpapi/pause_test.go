package httpapi_test

import (
	"context"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/run"
)

// restored is an installation that was restored from a backup.
type restored struct{ resumed time.Time }

func (r *restored) Paused(context.Context) (run.Pause, bool, error) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return run.Pause{BackupAt: at, RestoredAt: at.Add(time.Hour)}, r.resumed.IsZero(), nil
}

func (r *restored) Resume(_ context.Context, now time.Time) error {
	r.resumed = now
	return nil
}

func TestPauseIsToldAndEnded(t *testing.T) {
	t.Parallel()
	type me struct {
		Installation struct {
			Paused *struct {
				BackupAt time.Time `json:"backup_at"`
			}
		}
	}
	paused := &restored{}
	w := newWorld(t, func(d *httpapi.Deps) { d.Pause = paused })
	var before, after me
	w.call(t, "GET", "/v1/me", "").want(200).into(&before)
	if p := before.Installation.Paused; p == nil || p.BackupAt.Format(time.RFC3339) != "2026-11-23T09:00:00Z" {
		t.Errorf("got %+v, want the backup's time", p)
	}
	w.call(t, "POST", "/v1/resume", "").want(204)
	if paused.resumed.IsZero() {
		t.Error("it was not resumed")
	}
	w.call(t, "GET", "/v1/me", "").want(200).into(&after)
	if after.Installation.Paused != nil {
		t.Errorf("got %+v after it was resumed", after.Installation.Paused)
	}

	// What vizpost deletes, and from when on, is told with it.
	var keeping struct {
		Installation struct {
			Retention *struct {
				Days     int
				From     time.Time
				Upgraded bool
			}
		}
	}
	from := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	keeper := newWorld(t, func(d *httpapi.Deps) {
		d.Installation.Retention = &httpapi.Retention{Days: 30, From: from, Upgraded: true}
	})
	keeper.call(t, "GET", "/v1/me", "").want(200).into(&keeping)
	if r := keeping.Installation.Retention; r == nil || r.Days != 30 || !r.From.Equal(from) || !r.Upgraded {
		t.Errorf("got %+v, want 30 days", r)
	}

	// Where nothing can be paused, there is nothing to resume.
	never := newWorld(t)
	never.call(t, "POST", "/v1/resume", "").want(204)
}
