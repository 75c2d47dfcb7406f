package tableautest

import (
	"maps"
	"strconv"
	"sync"
)

// Stats counts what a [Server] did since its start or the last
// [Server.ResetStats]. Calls of the control endpoints do not count.
type Stats struct {
	Total int `json:"total"` // calls of the REST API
	// Calls are by route, such as "signin", "views" or "image", Statuses by HTTP
	// status. A call that got no answer has no status.
	Calls    map[string]int `json:"calls"`
	Statuses map[string]int `json:"statuses"`

	SignIns       int `json:"sign_ins"`
	SignInsFailed int `json:"sign_ins_failed"`
	SignOuts      int `json:"sign_outs"`
	// SessionsEndedBySignIn are the sessions that ended because their personal
	// access token was signed in with again.
	SessionsEndedBySignIn int `json:"sessions_ended_by_sign_in"`
	SessionsLive          int `json:"sessions_live"` // now

	// Exports are the files delivered, by format: png, svg, pdf, csv, xlsx, pptx.
	Exports            map[string]int `json:"exports"`
	ExportsInFlight    int            `json:"exports_in_flight"` // now
	ExportsInFlightMax int            `json:"exports_in_flight_max"`
	ExportsRefused     int            `json:"exports_refused"` // as too many at once
	Rendered           int            `json:"rendered"`
	ServedFromCache    int            `json:"served_from_cache"`

	Faults int `json:"faults"` // answers spoiled on purpose
}

type counter struct {
	mu    sync.Mutex
	stats Stats
}

// add changes the counts. The function must not call back.
func (c *counter) add(change func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.stats)
}

func increase(counts *map[string]int, key string) {
	if *counts == nil {
		*counts = map[string]int{}
	}
	(*counts)[key]++
}

func (c *counter) called(route string) {
	c.add(func(s *Stats) { s.Total++; increase(&s.Calls, route) })
}

func (c *counter) answered(status int) {
	c.add(func(s *Stats) { increase(&s.Statuses, strconv.Itoa(status)) })
}

func (c *counter) signedIn()     { c.add(func(s *Stats) { s.SignIns++ }) }
func (c *counter) signInFailed() { c.add(func(s *Stats) { s.SignInsFailed++ }) }
func (c *counter) signedOut()    { c.add(func(s *Stats) { s.SignOuts++ }) }
func (c *counter) sessionEnded() { c.add(func(s *Stats) { s.SessionsEndedBySignIn++ }) }
func (c *counter) tooMany()      { c.add(func(s *Stats) { s.ExportsRefused++ }) }
func (c *counter) faulted()      { c.add(func(s *Stats) { s.Faults++ }) }

func (c *counter) exported(f *file) {
	c.add(func(s *Stats) {
		increase(&s.Exports, f.format)
		if f.cached {
			s.ServedFromCache++
		} else {
			s.Rendered++
		}
	})
}

// exporting counts an export as in flight until the returned function is
// called.
func (c *counter) exporting() (done func()) {
	c.add(func(s *Stats) {
		s.ExportsInFlight++
		s.ExportsInFlightMax = max(s.ExportsInFlightMax, s.ExportsInFlight)
	})
	return func() { c.add(func(s *Stats) { s.ExportsInFlight-- }) }
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.stats.mu.Lock()
	out := s.stats.stats
	out.Calls, out.Statuses, out.Exports = copied(out.Calls), copied(out.Statuses), copied(out.Exports)
	s.stats.mu.Unlock()
	out.SessionsLive = s.accounts.live(s.clock())
	return out
}

// copied copies counts and makes an empty map of none.
func copied(counts map[string]int) map[string]int {
	out := make(map[string]int, len(counts))
	maps.Copy(out, counts)
	return out
}

// ResetStats sets the counts to zero; exports in flight stay counted.
func (s *Server) ResetStats() {
	s.stats.add(func(st *Stats) {
		*st = Stats{ExportsInFlight: st.ExportsInFlight, ExportsInFlightMax: st.ExportsInFlight}
	})
}
