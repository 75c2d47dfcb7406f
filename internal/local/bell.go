package local

import (
	"context"
	"sync"

	"github.com/vizpost/vizpost/internal/run"
)

// Bell tells the drains of this process that their sites have work. Rings of
// one site that come before it is attended to count as one.
type Bell struct {
	mu   sync.Mutex
	rung map[string]bool // sites that wait to be attended to
	busy map[string]bool // sites that a handler is at
	wake chan struct{}   // holds one token when there may be something to start
}

var _ run.Bell = (*Bell)(nil)

// NewBell makes a bell. It keeps what is rung before [Bell.Run] begins.
func NewBell() *Bell {
	return &Bell{rung: map[string]bool{}, busy: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// Ring implements [run.Bell]. It does not wait and does not fail.
func (b *Bell) Ring(_ context.Context, site string) error {
	b.mu.Lock()
	b.rung[site] = true
	b.mu.Unlock()
	b.wakeUp()
	return nil
}

// Run calls handle for each site that is rung, until the context ends; then it
// waits for the handlers, whose context ends too. Sites are handled in
// parallel, but each by one handler at a time: one that is rung meanwhile is
// handled once more afterwards.
func (b *Bell) Run(ctx context.Context, handle func(ctx context.Context, site string)) {
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for ctx.Err() == nil {
		for _, site := range b.take() {
			handlers.Go(func() {
				defer b.done(site)
				handle(ctx, site)
			})
		}
		select {
		case <-ctx.Done():
		case <-b.wake:
		}
	}
}

// take marks the rung sites that nobody is at as busy and gives them.
func (b *Bell) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sites []string
	for site := range b.rung {
		if !b.busy[site] {
			delete(b.rung, site)
			b.busy[site] = true
			sites = append(sites, site)
		}
	}
	return sites
}

func (b *Bell) done(site string) {
	b.mu.Lock()
	delete(b.busy, site)
	b.mu.Unlock()
	b.wakeUp()
}

func (b *Bell) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
