package local_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/local"
)

// attendance notes who is handled when.
type attendance struct {
	mu     sync.Mutex
	busy   map[string]int
	most   int // handlers at once
	counts map[string]int
}

func newAttendance() *attendance {
	return &attendance{busy: map[string]int{}, counts: map[string]int{}}
}

// begin notes a handler and reports whether it is alone at its site.
func (a *attendance) begin(site string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy[site]++
	a.counts[site]++
	total := 0
	for _, n := range a.busy {
		total += n
	}
	a.most = max(a.most, total)
	return a.busy[site] == 1
}

func (a *attendance) end(site string) {
	a.mu.Lock()
	a.busy[site]--
	a.mu.Unlock()
}

func ring(t *testing.T, b *local.Bell, sites ...string) {
	t.Helper()
	for _, site := range sites {
		if err := b.Ring(t.Context(), site); err != nil {
			t.Errorf("ringing: %v", err)
		}
	}
}

func TestBell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bell, seen := local.NewBell(), newAttendance()
		ring(t, bell, "early", "early") // before anybody listens
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			bell.Run(ctx, func(_ context.Context, site string) {
				if !seen.begin(site) {
					t.Errorf("two handlers are at %s", site)
				}
				time.Sleep(time.Minute)
				seen.end(site)
			})
		}()
		synctest.Wait()
		ring(t, bell, "a", "b", "a", "a")
		time.Sleep(30 * time.Second)
		for range 1000 { // while its handler is at it: once more, not a thousand times
			ring(t, bell, "a")
		}
		time.Sleep(10 * time.Minute)
		seen.mu.Lock()
		if seen.counts["early"] != 1 || seen.counts["b"] != 1 || seen.counts["a"] != 2 {
			t.Errorf("got handlers %v, want early and b once and a twice", seen.counts)
		}
		if seen.most != 3 {
			t.Errorf("got %d sites handled at once, want 3", seen.most)
		}
		seen.mu.Unlock()

		ring(t, bell, "a")
		time.Sleep(10 * time.Minute)
		seen.mu.Lock()
		if seen.counts["a"] != 3 {
			t.Errorf("got %d handlers of a, want 3", seen.counts["a"])
		}
		seen.mu.Unlock()
		cancel()
		<-ended
	})
}

func TestBellWaitsForHandlers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bell := local.NewBell()
		ctx, cancel := context.WithCancel(t.Context())
		var order []string
		var mu sync.Mutex
		note := func(what string) {
			mu.Lock()
			order = append(order, what)
			mu.Unlock()
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			bell.Run(ctx, func(ctx context.Context, site string) {
				note("begin " + site)
				<-ctx.Done()
				time.Sleep(5 * time.Second) // what it takes to write the last state
				note("end " + site)
			})
			note("ended")
		}()
		ring(t, bell, "a")
		synctest.Wait()
		ring(t, bell, "a") // too late to be attended to
		cancel()
		<-ended
		ring(t, bell, "a")
		synctest.Wait()
		if want := []string{"begin a", "end a", "ended"}; !slices.Equal(order, want) {
			t.Errorf("got %q, want %q", order, want)
		}
	})
}

func TestBellUnderLoad(t *testing.T) {
	t.Parallel()
	bell, seen := local.NewBell(), newAttendance()
	ctx, cancel := context.WithCancel(t.Context())
	sites := []string{"a", "b", "c"}
	var mu sync.Mutex
	pending := map[string]bool{} // rung, and no handler has begun since
	left := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		bell.Run(ctx, func(_ context.Context, site string) {
			if !seen.begin(site) {
				t.Errorf("two handlers are at %s", site)
			}
			mu.Lock()
			delete(pending, site)
			if len(pending) == 0 {
				select {
				case left <- struct{}{}:
				default:
				}
			}
			mu.Unlock()
			seen.end(site)
		})
	}()
	var group sync.WaitGroup
	for worker := range 6 {
		group.Go(func() {
			for i := range 500 {
				site := sites[(worker+i)%len(sites)]
				mu.Lock()
				pending[site] = true
				mu.Unlock()
				ring(t, bell, site)
			}
		})
	}
	group.Wait()
	for { // no ring is lost: every site is attended to after its last ring
		mu.Lock()
		done := len(pending) == 0
		mu.Unlock()
		if done {
			break
		}
		select {
		case <-left:
		case <-time.After(10 * time.Second):
			t.Fatal("a ring was not heard")
		}
	}
	cancel()
	<-ended
}
