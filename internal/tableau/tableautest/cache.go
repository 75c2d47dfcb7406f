package tableautest

import (
	"container/list"
	"sync"
	"time"
)

const (
	// maxExports is how many exports a site serves at once (Tableau knowledge
	// base, Concurrency Limits in REST APIs on Tableau Cloud).
	maxExports = 20

	cacheEntries = 64
	cacheBytes   = 32 << 20
)

// cache keeps the newest results of exports, as Tableau's own does: a report
// made twice within its maxAge is the same file, render time and all. What was
// used longest ago goes first.
type cache struct {
	mu    sync.Mutex
	order *list.List // of *cached, the last used in front
	byKey map[string]*list.Element
	bytes int
}

type cached struct {
	key  string
	at   time.Time
	body []byte
}

func newCache() *cache { return &cache{order: list.New(), byKey: map[string]*list.Element{}} }

// get returns a result that is younger than maxAge, and not of a time to come:
// the clock may have been moved back. The caller must not change it.
func (c *cache) get(key string, now time.Time, maxAge time.Duration) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	found := e.Value.(*cached)
	if age := now.Sub(found.at); age >= maxAge || age < 0 {
		return nil, false
	}
	c.order.MoveToFront(e)
	return found.body, true
}

func (c *cache) put(key string, at time.Time, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.remove(e)
	}
	c.byKey[key] = c.order.PushFront(&cached{key, at, body})
	c.bytes += len(body)
	for c.order.Len() > cacheEntries || c.bytes > cacheBytes {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	old := c.order.Remove(e).(*cached)
	delete(c.byKey, old.key)
	c.bytes -= len(old.body)
}

// slots counts the exports in flight on each site.
type slots struct {
	mu    sync.Mutex
	inUse map[string]int
}

func newSlots() slots { return slots{inUse: map[string]int{}} }

func (s *slots) take(site string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inUse[site] >= maxExports {
		return false
	}
	s.inUse[site]++
	return true
}

func (s *slots) free(site string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse[site]--
}
