package run_test

import (
	"context"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

// A view may take long. One that takes all the time that it may is tried once
// more, and then its people hear of the limit.
func TestSlowView(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		takes, within time.Duration
		state         run.State
		reason        string
		exports       int
	}{
		"within the limit": {29 * time.Minute, 30 * time.Minute, run.Delivered, "", 1},
		"beyond the limit": {31 * time.Minute, 65 * time.Minute, run.Failed, "longer than 30 minutes", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				id := w.start("r")
				w.tableau.SetLatency(test.takes)
				begun := time.Now()
				w.live(4 * time.Hour)
				r := w.wantRun(id, test.state, test.reason)
				if got := r.FinishedAt.Sub(begun); got > test.within {
					w.Errorf("it took %v, want at most %v", got, test.within)
				}
				if got := w.tableau.Stats().Calls["data"]; got != test.exports {
					w.Errorf("got %d exports, want %d", got, test.exports)
				}
				w.wantIdle()
			})
		})
	}
}

// A worker whose time is over before an export is leaves the run to one that has
// time for a whole export, and to no other.
func TestSlowViewInShortTime(t *testing.T) {
	t.Parallel()
	const longest = 13 * time.Minute
	for name, test := range map[string]struct {
		takes   time.Duration
		state   run.State
		reason  string
		exports int
	}{
		"within the limit": {12 * time.Minute, run.Delivered, "", 2},
		"beyond the limit": {14 * time.Minute, run.Failed, "longer than 13 minutes", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.drain.Reserve, w.drain.LongestExport = 2*time.Minute, longest
				w.connections.Dial = func(server string) (*tableau.Client, error) {
					return tableau.NewClient(server, tableau.Options{Transport: w.network, Now: time.Now, ExportTimeout: longest})
				}
				w.makeReport("r")
				id := w.start("r")
				w.tableau.SetLatency(test.takes)
				call := func(d time.Duration) {
					w.Helper()
					ctx, cancel := context.WithTimeout(w.Context(), d)
					defer cancel()
					w.succeed(w.drain.Site(ctx, site))
				}
				call(5 * time.Minute) // it is begun, since nobody knows how long it takes
				exports := func(want int) {
					w.Helper()
					if got := w.tableau.Stats().Calls["data"]; got != want {
						w.Errorf("got %d exports, want %d", got, want)
					}
				}
				exports(1)
				call(5 * time.Minute)
				exports(1)
				for range 4 {
					call(880 * time.Second)
					time.Sleep(time.Minute)
				}
				exports(test.exports)
				w.wantRun(id, test.state, test.reason)
				w.wantIdle()
			})
		})
	}
}
