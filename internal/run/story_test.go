package run_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// story is a connection's bad week: things happen to it in an order of chance,
// which a seed decides.
type story struct {
	*world
	random *rand.Rand
	told   []string // what happened, for whoever has to understand a failure
	byHand []string
	token  tableau.Credential
	tokens int
}

// TestConnectionStories has many bad weeks end well: once the server is there
// and a token works, nothing stays held, every run that somebody asked for
// arrives, and nobody hears of the same problem twice.
func TestConnectionStories(t *testing.T) {
	t.Parallel()
	forSeeds(t, fewer(16, 4), func(t *testing.T, seed uint64) {
		inBubble(t, func(w *world) {
			s := &story{world: w, random: rand.New(rand.NewPCG(seed, 0))}
			w.makeReport("hand", to(email("mail", "hand@example.com")))
			w.makeReport("hourly", each("0 * * * *", report.CatchUpLatest))
			s.enter()
			for range 25 {
				s.happen()
			}
			s.end()
			if w.Failed() {
				for i, what := range s.told {
					w.Logf("%2d %s", i, what)
				}
			}
		})
	})
}

func (s *story) tell(format string, args ...any) {
	s.told = append(s.told, time.Now().Format("2 Jan 15:04:05 ")+fmt.Sprintf(format, args...))
}

// happen has one thing happen.
func (s *story) happen() {
	switch s.random.IntN(11) {
	case 0, 1:
		id := s.start("hand")
		s.byHand = append(s.byHand, id)
		s.tell("run %s is asked for", id)
	case 2:
		s.tableau.RevokeTokens("")
		s.tell("the token is revoked")
	case 3:
		s.enter()
	case 4:
		away := s.random.IntN(2) == 0
		s.network.down.Store(away)
		s.tell("the server is away: %v", away)
	case 5:
		s.tell("the token is used elsewhere: %v", s.signInElsewhere(s.token))
	case 6:
		s.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin"})
		s.tell("the next sign-in is refused")
	case 7:
		_, err := s.connections.Test(s.Context(), "c")
		s.tell("a test: %v", err)
	case 8:
		s.succeed(s.care.Run(s.Context()))
		s.tell("a round of care")
	case 9:
		s.die()
	}
	pause := time.Duration(s.random.IntN(50)) * time.Minute
	s.live(pause)
	s.tell("%v go by: the connection is %s", pause, s.state())
}

// enter connects with a new token, if the server lets it.
func (s *story) enter() {
	s.tokens++
	token := s.newToken(fmt.Sprint("token-", s.tokens))
	_, err := s.connections.Edit(s.Context(), "c", connection.Edit{Credential: token})
	if err == nil {
		s.token = *token
	}
	s.tell("a new token is entered: %v", err)
}

// die has a process die at one of the writes of its tick and drain.
func (s *story) die() {
	n := 1 + s.random.Int64N(12)
	dying := &failing{store: s.store, forever: true}
	dying.left.Store(n)
	s.wire(dying)
	_, _ = s.tick.Run(s.Context())
	_ = s.drain.Site(s.Context(), site) // fails or not
	s.wire(s.store)
	s.tell("a process dies at write %d", n)
}

// end mends everything and checks what became of it.
func (s *story) end() {
	s.network.down.Store(false)
	s.tableau.ClearFaults()
	s.enter()
	s.live(3 * time.Hour)
	if got := s.stored("c"); got.State != connection.Connected || got.Problem != nil {
		s.Errorf("got %s, %+v, want the connection to work", got.State, got.Problem)
	}
	for _, id := range s.byHand {
		s.wantRun(id, run.Delivered, "")
	}
	for _, r := range s.runsOf("hourly") {
		if r.State != run.Delivered && r.State != run.Skipped && time.Since(r.ScheduledFor) > time.Hour {
			s.Errorf("got the run of %s %s: %q, want it delivered or another to stand for it", r.ScheduledFor, r.State, r.Reason)
		}
	}
	letters := map[string]int{}
	for _, l := range s.mail.arrived {
		letters[l.key]++
	}
	for key, n := range letters {
		if n > 2 { // a process that dies while it sends does not know
			s.Errorf("got %d letters of %s", n, key)
		}
	}
	s.wantMail(owner, 0)
}
