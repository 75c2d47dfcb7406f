package run_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/scratch"
	"github.com/vizpost/vizpost/internal/tableau"
)

// exportSize is how many bytes each export has.
const exportSize = 40_000

// sizedExports has each CSV be of one size, and arrive in pieces, so that exports
// which run at the same time grow together. It returns how many there were.
func (w *world) sizedExports() *atomic.Int64 {
	var made atomic.Int64
	real := w.network.Handler
	w.network.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/data") {
			real.ServeHTTP(rw, r)
			return
		}
		made.Add(1)
		rw.Header().Set("Content-Type", "text/csv;charset=utf-8")
		time.Sleep(time.Second)
		_, _ = rw.Write([]byte("Region,Sales\r\n" + strings.Repeat("West,1000\r\n", exportSize/11)))
	})
	return &made
}

// An export for which there is no room among the temporary files is made once
// there is, and the run says what it waits for.
func TestExportWaitsForRoom(t *testing.T) {
	t.Parallel()
	for _, escape := range []bool{false, true} {
		t.Run(fmt.Sprint(escape), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				bytes := int64(exportSize / 2)
				if escape {
					bytes = exportSize * 3 / 2 // for the export, and not for the escaped one too
				}
				w.drain.Scratch = scratch.New(w.TempDir(), bytes)
				w.sizedExports()
				w.makeReport("r", content(report.Content{View: sales, Format: tableau.CSV, EscapeFormulas: escape}))
				id := w.start("r")
				w.live(10 * time.Minute)
				w.wantRun(id, run.Queued, "not enough room")
				w.drain.Scratch = scratch.New(w.TempDir(), 10*exportSize)
				w.live(time.Hour)
				w.wantRun(id, run.Delivered, "")
				w.wantIdle()
			})
		})
	}
}

// Of many exports at once, all are made although only few of them have room, and
// nothing of them is left.
func TestExportsShareTheRoom(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		dir := w.TempDir()
		space := scratch.New(dir, exportSize*5/2)
		w.drain.Scratch = space
		made := w.sizedExports()
		another, err := space.Create(t.Context()) // has all the room at first
		w.succeed(err)
		_, err = another.Write(make([]byte, exportSize*2))
		w.succeed(err)
		var ids []string
		for i := range 12 {
			name := fmt.Sprint("r", i)
			w.makeReport(name, content(report.Content{View: sales, Format: tableau.CSV}))
			ids = append(ids, w.start(name))
		}
		w.live(2 * time.Minute)
		w.succeed(another.Close())
		w.live(2 * time.Hour)
		for _, id := range ids {
			w.wantRun(id, run.Delivered, "")
		}
		if made.Load() <= int64(len(ids)) {
			w.Errorf("%d exports were made, want more than %d: the room was never too small", made.Load(), len(ids))
		}
		left, err := os.ReadDir(dir)
		w.succeed(err)
		if len(left) > 0 {
			w.Errorf("%d temporary files are left", len(left))
		}
	})
}
