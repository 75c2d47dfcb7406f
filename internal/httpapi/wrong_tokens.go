package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

// Wrong tokens are answered slowly, so that guessing gets nowhere and is seen.
// The limits are of one address:
const (
	freeWrong   = 10 // wrong tokens within wrongMemory that are answered at once
	firstDelay  = 100 * time.Millisecond
	mostDelay   = 2 * time.Second
	mostDelayed = 8           // answers that wait at once; further wrong tokens get 429
	wrongMemory = time.Minute // after which an address is forgotten
	mostAddrs   = 1024        // addresses that are remembered
)

// SlowWrongTokens slows down whoever sends wrong tokens, by address. Each token
// is looked at before anything waits, so the right one is never kept waiting,
// not even behind a proxy that others guess through.
func SlowWrongTokens(authenticate func(*http.Request) (Principal, error), now func() time.Time, log *slog.Logger) func(*http.Request) (Principal, error) {
	w := &wrongTokens{now: now, log: log, seen: map[netip.Addr]*wrongOnes{}}
	return func(r *http.Request) (Principal, error) {
		who, err := authenticate(r)
		if r.Header.Get("Authorization") == "" || !problem.Is(err, problem.Unauthenticated) {
			return who, err
		}
		if tooMany := w.slow(r.Context(), clientAddr(r)); tooMany != nil {
			return who, tooMany
		}
		return who, err
	}
}

type wrongTokens struct {
	now func() time.Time
	log *slog.Logger

	mu   sync.Mutex
	seen map[netip.Addr]*wrongOnes
}

// wrongOnes counts those of one address.
type wrongOnes struct {
	last    time.Time
	count   int
	delayed int // answers that wait now
}

// slow notes a wrong token and waits as long as its answer is to wait.
func (w *wrongTokens) slow(ctx context.Context, from netip.Addr) error {
	delay, refuse, done := w.note(from)
	defer done()
	if refuse {
		return &problem.Error{Kind: problem.TooMany, Code: problem.CodeTooMany, After: mostDelay,
			Message: "Too many wrong tokens came from this address. Wait a little, then send the right one."}
	}
	if delay <= 0 {
		return nil
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
}

func (w *wrongTokens) note(from netip.Addr) (delay time.Duration, refuse bool, done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	at := w.seen[from]
	if at == nil || now.Sub(at.last).Abs() >= wrongMemory && at.delayed == 0 {
		w.makeRoom(now)
		at = &wrongOnes{}
		w.seen[from] = at
	}
	at.last = now
	at.count++
	if at.count <= freeWrong {
		return 0, false, func() {}
	}
	if at.count == freeWrong+1 {
		w.log.Warn("many wrong tokens come from one address", "client", from.String(), "count", at.count)
	}
	if at.delayed >= mostDelayed {
		return 0, true, func() {}
	}
	at.delayed++
	delay = mostDelay
	if n := at.count - freeWrong - 1; n < 5 {
		delay = min(firstDelay<<n, mostDelay)
	}
	return delay, false, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		at.delayed--
	}
}

// makeRoom forgets addresses that were quiet, and if all are busy the one that
// was quiet the longest.
func (w *wrongTokens) makeRoom(now time.Time) {
	if len(w.seen) < mostAddrs {
		return
	}
	var oldest netip.Addr
	for addr, at := range w.seen {
		if now.Sub(at.last).Abs() >= wrongMemory {
			delete(w.seen, addr)
		} else if !oldest.IsValid() || at.last.Before(w.seen[oldest].last) {
			oldest = addr
		}
	}
	if len(w.seen) >= mostAddrs {
		delete(w.seen, oldest)
	}
}

// clientAddr is where a request comes from, of IPv6 the network, whose
// addresses one machine has by the billion. The zero Addr where that is not
// known.
func clientAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return addr
}

// clientOf names in the log where a request comes from.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
