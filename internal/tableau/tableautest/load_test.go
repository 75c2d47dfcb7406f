package tableautest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestTwentyExportsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDirect(t, tableautest.Options{})
		if err := c.server.AddFault(tableautest.Fault{Kind: tableautest.FaultHang, Route: "image", Times: -1}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 20 {
			go c.get(ctx, c.view+"/image")
		}
		synctest.Wait()
		if got := c.server.Stats(); got.ExportsInFlight != 20 || got.ExportsInFlightMax != 20 {
			t.Fatalf("%d in flight, at most %d; want 20", got.ExportsInFlight, got.ExportsInFlightMax)
		}
		refused := c.get(t.Context(), c.view+"/pdf")
		if refused.Code != http.StatusTooManyRequests || decode(refused).Error.Code != "429000" {
			t.Errorf("the 21st export answers %d %s, want 429000", refused.Code, refused.Body)
		}
		if w := c.get(t.Context(), c.views); w.Code != http.StatusOK {
			t.Errorf("the list of views answers %d; only exports are limited", w.Code)
		}
		cancel()
		synctest.Wait()
		if w := c.get(t.Context(), c.view+"/pdf"); w.Code != http.StatusOK {
			t.Errorf("after they ended an export answers %d", w.Code)
		}
		if got := c.server.Stats(); got.ExportsInFlight != 0 || got.ExportsRefused != 1 {
			t.Errorf("%d in flight, %d refused; want 0 and 1", got.ExportsInFlight, got.ExportsRefused)
		}
	})
}

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDirect(t, tableautest.Options{Latency: time.Second})
		began := time.Now()
		for range 8 {
			go c.get(t.Context(), c.view+"/data")
		}
		synctest.Wait()
		if w := c.get(t.Context(), c.view+"/pdf"); w.Code != http.StatusOK || time.Since(began) != time.Second {
			t.Errorf("an export answers %d after %s, want 200 after 1s", w.Code, time.Since(began))
		}
		synctest.Wait()
		if got := c.server.Stats().Exports["csv"]; got != 8 {
			t.Errorf("%d files, want 8 in the same second", got)
		}
		began = time.Now()
		if c.get(t.Context(), c.views); time.Since(began) != 0 {
			t.Error("the latency is that of exports alone")
		}
		c.server.SetLatency(3 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began = time.Now()
		if c.get(ctx, c.view+"/image"); time.Since(began) != 2*time.Second {
			t.Errorf("given up after 2s, ended after %s", time.Since(began))
		}
	})
}
