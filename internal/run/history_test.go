package run_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// TestHistories lives through random histories: schedules, edits, failures of
// Tableau and of mail, processes that die between any two writes, downtime, a
// clock that is wrong, retries by hand. In each no occurrence is lost or run
// twice, no message arrives twice unmarked, what is recorded of a message is
// true, and somebody hears of what did not arrive.
func TestHistories(t *testing.T) {
	t.Parallel()
	forSeeds(t, fewer(500, 24), func(t *testing.T, seed uint64) {
		inBubble(t, func(w *world) { newHistory(w, seed).live() })
	})
}

// history is a world in which random things happen, and a model of what is due.
type history struct {
	*world
	seed    uint64
	random  *rand.Rand
	reports map[string]*modelReport
	trouble string // what befalls mail at the moment
	dead    bool   // the token
	story   []string
}

// modelReport is what is known of a report: the times in which it was scheduled.
type modelReport struct {
	stints  []stint
	deleted bool
	to      []string
}

type stint struct {
	cron     string
	from, to time.Time // to is zero while it goes on
	off      bool      // ended by a pause or a deletion, not by another schedule
}

func newHistory(w *world, seed uint64) *history {
	return &history{world: w, seed: seed, random: rand.New(rand.NewPCG(seed, 1)), reports: map[string]*modelReport{}}
}

func (h *history) pick(n int) int { return h.random.IntN(n) }

func (h *history) note(format string, args ...any) {
	h.story = append(h.story, time.Now().UTC().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

var crons = [...]string{"*/10 * * * *", "*/7 * * * *", "0 * * * *", "30 */2 * * *", "15 6 * * *"}

func (h *history) live() {
	h.mail.answer = h.answer
	for range 1 + h.pick(2) {
		h.create()
	}
	blinked := false
	for range 4 + h.pick(5) {
		switch h.pick(12) {
		case 0:
			h.create()
		case 1:
			h.editOne()
		case 2:
			h.deleteOne()
		case 3:
			h.startOne()
		case 4:
			h.retryOne()
		case 5:
			off := time.Duration(1+h.pick(9)) * time.Hour
			h.note("off for %v", off)
			time.Sleep(off)
		case 6:
			if !blinked {
				blinked = true
				by := []time.Duration{366 * day, 5 * time.Hour, -5 * time.Hour, 3 * day}[h.pick(4)]
				h.note("the clock is wrong by %v", by)
				h.blink(by)
				time.Sleep(50 * time.Second)
				h.world.live(3 * time.Minute)
			}
		case 7:
			h.trouble = []string{"", "deferred", "unknown", "lost", "refused", "unreachable"}[h.pick(6)]
			h.note("mail is %q", h.trouble)
		case 8:
			times := 1 + h.pick(12)
			h.note("Tableau fails %d times", times)
			h.fault(tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "export", Times: times})
		case 9:
			h.note("the token dies")
			h.tableau.RevokeTokens("")
			h.dead = true
			h.minutes(5 + h.pick(30))
			h.mend()
		}
		h.minutes(2 + h.pick(15))
	}
	// All is well again, and what waits has its time.
	h.trouble = ""
	h.tableau.ClearFaults()
	h.mend()
	for range 8 {
		h.world.liveEach(2*time.Minute, time.Hour)
		if open, _, err := h.runs.List(h.Context(), run.Filter{States: []run.State{run.Queued, run.Running, run.Held}}, "", 10); err != nil || len(open) == 0 {
			break
		}
	}
	h.check()
	if h.Failed() {
		h.Logf("history %d:\n%s", h.seed, strings.Join(h.story, "\n"))
	}
}

// answer is what becomes of a message. Several are sent at once, so it has a
// random source of its own, by which a story goes the same each time.
func (h *history) answer(to string, n int) (bool, error) {
	if to == owner || to == ops {
		return true, nil
	}
	if n%2 == 0 && rand.New(rand.NewPCG(h.seed, uint64(n)<<8|uint64(to[0]))).IntN(3) > 0 {
		return true, nil
	}
	switch h.trouble {
	case "deferred":
		return false, deferred(0)
	case "unreachable":
		return false, unreachableMail()
	case "unknown":
		return true, unknown()
	case "lost":
		return false, unknown()
	case "refused":
		if strings.HasPrefix(to, "b") {
			return false, refused()
		}
	}
	return true, nil
}

// minutes lets vizpost work; now and then its process dies at some write.
func (h *history) minutes(n int) {
	for range n {
		if h.pick(6) > 0 {
			h.world.live(0)
			time.Sleep(time.Minute)
			continue
		}
		s := &failing{store: h.store, after: h.pick(2) == 0, forever: h.pick(3) > 0}
		s.left.Store(int64(1 + h.pick(12)))
		h.wire(s)
		_, _ = h.tick.Run(h.Context())
		for _, site := range append(h.bell.take(), site) {
			_ = h.drain.Site(h.Context(), site)
		}
		if s.left.Load() <= 0 {
			h.note("a process dies, after: %v, for good: %v", s.after, s.forever)
		}
		h.wire(h.store)
		h.noteSending()
		time.Sleep(time.Minute)
	}
}

// between has something done in the middle of a minute, when all that is due has
// been made.
func (h *history) between(do func()) {
	h.world.live(0)
	time.Sleep(30 * time.Second)
	do()
	time.Sleep(30 * time.Second)
}

func (h *history) create() {
	if len(h.reports) == 3 {
		return
	}
	h.between(func() {
		id := fmt.Sprint("r", len(h.reports))
		m := &modelReport{to: []string{fmt.Sprintf("a.%s@example.com", id), fmt.Sprintf("b.%s@example.com", id)}[:1+h.pick(2)]}
		cron := crons[h.pick(len(crons))]
		policy := []report.CatchUp{report.CatchUpLatest, report.CatchUpAll, report.CatchUpNone}[h.pick(3)]
		h.makeReport(id, each(cron, policy), to(email("mail", m.to...)))
		m.stints = []stint{{cron: cron, from: time.Now()}}
		h.reports[id] = m
		h.note("report %s at %s, %s", id, cron, policy)
	})
}

// some returns a report that is there.
func (h *history) some() (string, *modelReport) {
	ids := make([]string, 0, len(h.reports))
	for id, m := range h.reports {
		if !m.deleted {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", nil
	}
	slices.Sort(ids)
	id := ids[h.pick(len(ids))]
	return id, h.reports[id]
}

func (h *history) editOne() {
	id, m := h.some()
	if m == nil {
		return
	}
	h.between(func() {
		last := &m.stints[len(m.stints)-1]
		on := last.to.IsZero()
		if on {
			last.to = time.Now()
		}
		if on && h.pick(2) == 0 {
			last.off = true
			paused := false
			_, err := h.world.reports.Edit(h.Context(), id, report.Edit{Enabled: &paused})
			h.succeed(err)
			h.note("%s is paused", id)
			return
		}
		cron, enabled := crons[h.pick(len(crons))], true
		schedule := report.ScheduleEdit{Cron: &cron}
		_, err := h.world.reports.Edit(h.Context(), id, report.Edit{Enabled: &enabled, Schedule: &schedule})
		h.succeed(err)
		m.stints = append(m.stints, stint{cron: cron, from: time.Now()})
		h.note("%s is at %s from now on", id, cron)
	})
}

func (h *history) deleteOne() {
	id, m := h.some()
	if m == nil || h.pick(2) == 0 {
		return
	}
	h.between(func() {
		h.succeed(h.world.reports.Delete(h.Context(), id, 0))
		m.deleted = true
		if last := &m.stints[len(m.stints)-1]; last.to.IsZero() {
			last.to, last.off = time.Now(), true
		}
		h.note("%s is deleted", id)
	})
}

func (h *history) startOne() {
	if id, m := h.some(); m != nil {
		h.note("%s is run now", id)
		h.start(id)
	}
}

func (h *history) retryOne() {
	failed, _, err := h.runs.List(h.Context(), run.Filter{States: []run.State{run.Failed, run.PartlyDelivered}}, "", 10)
	h.succeed(err)
	if len(failed) > 0 {
		r := failed[h.pick(len(failed))]
		h.note("run %s is tried again", r.ID)
		_, err := h.runs.Retry(h.Context(), r.ID)
		h.succeed(err)
	}
}

// mend gives the connection a token that works, if it needs one.
func (h *history) mend() {
	h.world.live(0)
	if h.dead {
		h.dead = false
		_, err := h.connections.Edit(h.Context(), "c", h.newCredential())
		h.succeed(err)
		h.note("a new token")
	}
}

// check compares what was with the model.
func (h *history) check() {
	arrived := map[string][]letter{} // by key of the delivery
	for _, l := range h.mail.arrived {
		arrived[l.key] = append(arrived[l.key], l)
	}
	told := ""
	for key, letters := range arrived { // the name of a notice has the run in it
		if letters[0].to == owner {
			told += key + "\n"
		}
	}
	covered := map[string]bool{}
	for id, m := range h.reports {
		made := map[int64]string{}
		for _, r := range h.runsOf(id) {
			if r.State.Open() {
				h.Errorf("run %s is %s at the end: %s", r.ID, r.State, r.Reason)
			}
			if r.Trigger == run.Scheduled {
				if other := made[r.ScheduledFor.Unix()]; other != "" && r.State != run.Skipped {
					h.Errorf("runs %s and %s are both for %v", other, r.ID, r.ScheduledFor)
				}
				if r.State != run.Skipped {
					made[r.ScheduledFor.Unix()] = r.ID
				}
				m.cover(id, r, covered)
			}
			h.checkRun(r, arrived, told)
		}
		for _, s := range m.stints {
			end := s.to
			switch {
			case s.to.IsZero():
				end = time.Now().Add(-5 * time.Minute)
			case s.off: // in the minute before the scheduler came to it
				end = s.to.Add(-time.Minute)
			}
			schedule := report.Schedule{Cron: s.cron, TimeZone: "UTC"}
			for at, _ := schedule.Next(s.from); at.Before(end); at, _ = schedule.Next(at) {
				if !covered[fmt.Sprint(id, at.Unix())] {
					h.Errorf("the occurrence of %s at %v was lost", id, at.UTC())
				}
			}
		}
	}
	h.wantEachOnce()
}

// cover notes the occurrences that a run stands for: its own and those before.
func (m *modelReport) cover(id string, r run.Run, covered map[string]bool) {
	covered[fmt.Sprint(id, r.ScheduledFor.Unix())] = true
	if r.StandsFor < 2 {
		return
	}
	for _, s := range m.stints {
		schedule := report.Schedule{Cron: s.cron, TimeZone: "UTC"}
		var before []time.Time
		for at, _ := schedule.Next(s.from); at.Before(r.ScheduledFor) && (s.to.IsZero() || at.Before(s.to)) && len(before) < 5000; at, _ = schedule.Next(at) {
			before = append(before, at)
		}
		for _, at := range before[max(0, len(before)-r.StandsFor+1):] {
			covered[fmt.Sprint(id, at.Unix())] = true
		}
	}
}

// checkRun compares what is recorded of a run's messages with what arrived.
func (h *history) checkRun(r run.Run, arrived map[string][]letter, told string) {
	_, deliveries := h.get(r.ID)
	for _, d := range deliveries {
		n := len(arrived[d.Key])
		switch {
		case !d.State.Settled() && !r.State.Open():
			h.Errorf("run %s is %s, and its delivery %s is %s", r.ID, r.State, d.Key, d.State)
		case d.State == run.Sent && n == 0:
			h.Errorf("delivery %s is recorded as sent and never arrived", d.Key)
		case d.State == run.DeliveryFailed && n > 0 && !d.PossibleRepeat:
			h.Errorf("delivery %s is recorded as failed (%s) and arrived", d.Key, d.Message)
		case r.State == run.Delivered && n == 0:
			h.Errorf("run %s is delivered, and %s did not arrive", r.ID, d.Key)
		}
	}
	if (r.State == run.Failed || r.State == run.PartlyDelivered) && !strings.Contains(told, r.ID) {
		h.Errorf("nobody was told that run %s is %s: %s", r.ID, r.State, r.Reason)
	}
}
