package run_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

// killAtEachWrite runs a drain again and again, each time in a new world and
// with another write that fails, in each of the ways in which one can. Then the
// site is worked off by a new process.
func killAtEachWrite(t *testing.T, prepare func(w *world), check func(w *world)) {
	t.Helper()
	// A crash right after a write is one before the next.
	for _, mode := range []struct{ after, forever bool }{{false, true}, {false, false}, {true, false}} {
		t.Run(fmt.Sprintf("after=%v,forever=%v", mode.after, mode.forever), func(t *testing.T) {
			t.Parallel()
			reached := true
			for n := int64(1); reached; n++ {
				inBubble(t, func(w *world) {
					prepare(w)
					s := &failing{store: w.store, after: mode.after, forever: mode.forever}
					s.left.Store(n)
					repeats := w.drain.MailRepeats
					w.wire(s)
					w.drain.MailRepeats = repeats
					_, _ = w.tick.Run(w.Context())
					_ = w.drain.Site(w.Context(), site) // fails or not: what counts is what is left
					reached = s.left.Load() <= 0
					w.wire(w.store)
					w.drain.MailRepeats = repeats
					w.liveEach(3*time.Minute, 33*time.Minute)
					check(w)
					w.wantIdle()
					if w.Failed() {
						w.Fatalf("this was with the failure of write %d", n)
					}
				})
			}
		})
	}
}

// noteSending is called when a process has died: what is being sent has arrived or
// has not, and nobody can know.
func (w *world) noteSending() {
	w.Helper()
	open, _, err := w.runs.List(w.Context(), run.Filter{States: []run.State{run.Queued, run.Running, run.Held}}, "", 1000)
	w.succeed(err)
	for _, r := range open {
		_, deliveries := w.get(r.ID)
		for _, d := range deliveries {
			if d.State == run.Sending {
				w.mail.note(d.Key)
			}
		}
	}
}

// wantEachOnce checks that each report's mail arrived once and unmarked, or, where
// nobody could know whether it has, again and marked.
func (w *world) wantEachOnce() {
	w.Helper()
	arrived := map[string][]letter{}
	for _, l := range w.mail.arrived {
		arrived[l.key] = append(arrived[l.key], l)
	}
	for key, letters := range arrived {
		unsure := w.mail.unsure[key] || strings.HasPrefix(key, "notice.")
		for i, l := range letters {
			switch {
			case !unsure && i > 0:
				w.Errorf("message %s to %s arrived %d times, the last at %v", key, l.to, i+1, l.at)
			case !unsure && l.marked():
				w.Errorf("message %s to %s says that it may be a repeat", key, l.to)
			case i > 0 && !l.marked():
				w.Errorf("message %s to %s arrived again at %v, unmarked", key, l.to, l.at)
			}
		}
	}
}

// wantOnce checks that a recipient got a report's message, and never twice
// unless the repetition says that it may be one.
func wantOnce(w *world, who string, texts []string) {
	w.Helper()
	if len(texts) == 0 {
		w.Errorf("%s got no message", who)
	}
	for i, text := range texts {
		if i > 0 && !strings.Contains(text, mayBeARepeat) {
			w.Errorf("%s got message %d unmarked", who, i+1)
		}
	}
}

func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for name, repeats := range map[string]bool{"outbox": true, "SMTP": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killAtEachWrite(t, func(w *world) {
				w.drain.MailRepeats = repeats
				w.makeReport("r", twoPeople, slackToo, each("* * 1 1 *", report.CatchUpLatest))
				r, err := w.store.Report(w.Context(), "r")
				w.succeed(err)
				time.Sleep(time.Until(r.NextRunAt))
				ends := report.Date{Year: 1999, Month: 1, Day: 1}
				r.Schedule.EndsOn = &ends // this occurrence alone
				w.succeed(w.store.UpdateReport(w.Context(), r))
			}, func(w *world) {
				runs := w.runsOf("r")
				if len(runs) != 1 {
					w.Fatalf("got %d runs, want one for the one occurrence", len(runs))
				}
				w.wantRun(runs[0].ID, run.Delivered, "")
				w.wantDeliveries(runs[0].ID, run.Sent, run.Sent, run.Sent)
				w.wantMail(owner, 0)
				w.wantMail(ops, 0)
				for _, address := range []string{"ana@example.com", "rui@example.com"} {
					keys := map[string]bool{}
					for _, l := range w.mail.arrived {
						if l.to == address {
							keys[l.key] = true
						}
					}
					if len(keys) != 1 {
						w.Errorf("%s got messages under the names %v, want one name", address, keys)
					}
					if !repeats {
						wantOnce(w, address, decoded(w, address))
					}
				}
				wantOnce(w, "Slack", w.slack.arrived)
			})
		})
	}
}

// decoded gives the texts of a recipient's mails.
func decoded(w *world, address string) []string {
	var texts []string
	for _, e := range w.mail.to(w.T, address) {
		texts = append(texts, strings.Join(strings.Fields(e.Text), " "))
	}
	return texts
}

// The token dies, and the process that finds out dies too: the run is held, its
// people hear of it once, and a new token releases it.
func TestKilledWhileHolding(t *testing.T) {
	t.Parallel()
	killAtEachWrite(t, func(w *world) {
		w.makeReport("r")
		w.start("r")
		w.tableau.RevokeTokens("")
	}, func(w *world) {
		id := w.runsOf("r")[0].ID
		w.wantRun(id, run.Held, "refuses")
		wantOnce(w, ops, decoded(w, ops))
		if got := w.openWork(); len(got) != 1 || got[0].Kind != run.Probe {
			w.Errorf("got open work %+v, want a probe", got)
		}
		_, err := w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.live(2 * time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
		w.wantMail(owner, 0)
		wantOnce(w, ops, decoded(w, ops))
	})
}

// Runs are released, and the process dies in between.
func TestKilledWhileReleasing(t *testing.T) {
	t.Parallel()
	killAtEachWrite(t, func(w *world) {
		w.makeReport("r", each("*/5 * * * *", report.CatchUpLatest))
		w.tableau.RevokeTokens("")
		w.live(16 * time.Minute)
		r, err := w.store.Report(w.Context(), "r")
		w.succeed(err)
		ends := report.Date{Year: 1999, Month: 1, Day: 1}
		r.Schedule.EndsOn, r.NextRunAt = &ends, time.Time{} // no more
		w.succeed(w.store.UpdateReport(w.Context(), r))
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
	}, func(w *world) {
		runs := w.runsOf("r")
		if len(runs) != 3 {
			w.Fatalf("got %d runs, want 3", len(runs))
		}
		w.wantRun(runs[0].ID, run.Skipped, "")
		w.wantRun(runs[1].ID, run.Skipped, "")
		w.wantRun(runs[2].ID, run.Delivered, "")
		wantOnce(w, "ana@example.com", decoded(w, "ana@example.com"))
		w.wantMail(owner, 0)
	})
}

// A run that fails for good tells its people once, whenever the process dies.
func TestKilledWhileFailing(t *testing.T) {
	t.Parallel()
	killAtEachWrite(t, func(w *world) {
		w.makeReport("r", twoPeople)
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == "rui@example.com" {
				return false, refused()
			}
			return true, nil
		}
		w.start("r")
	}, func(w *world) {
		w.wantRun(w.runsOf("r")[0].ID, run.PartlyDelivered, "1 of 2")
		wantOnce(w, "ana@example.com", decoded(w, "ana@example.com"))
		wantOnce(w, owner, decoded(w, owner))
	})
}

// A run that takes its process down each time is tried by itself, at growing
// distance, until its time is over. The runs that were in hand at the first time
// are delivered, and so is what comes later.
func TestPoisonousRun(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		var neighbours []string
		for i := range 3 {
			w.makeReport(fmt.Sprint("r", i))
		}
		w.makeReport("poison")
		neighbours = append(neighbours, w.start("r0"))
		poison := w.start("poison")
		neighbours = append(neighbours, w.start("r1"), w.start("r2"))
		w.tableau.SetLatency(time.Second)
		deaths, alone := 0, true
		begun := time.Now()
		for time.Since(begun) < 6*time.Hour {
			s := &failing{store: w.store, forever: true}
			s.left.Store(1 << 40)
			w.wire(s)
			files := &deadly{Files: w.files, object: "runs/" + poison, kill: func() {
				s.left.Store(0)
				if deaths < 2 {
					return
				}
				in, _, err := w.store.Runs(w.Context(), run.Filter{States: []run.State{run.Running}}, "", 10)
				w.succeed(err)
				alone = alone && len(in) == 1
			}}
			w.drain.Files = files
			_, _ = w.tick.Run(w.Context())
			_ = w.drain.Site(w.Context(), site)
			if files.died.Load() {
				deaths++
			}
			w.wire(w.store)
			time.Sleep(time.Minute)
			if deaths == 5 && len(neighbours) == 3 {
				neighbours = append(neighbours, w.start("r0"))
			}
		}
		w.live(15 * time.Minute) // a neighbour's message may have been under way
		if deaths < 6 || deaths > 14 {
			w.Errorf("the run took its process down %d times in four hours, want it at growing distance", deaths)
		}
		if !alone {
			w.Error("the run was tried beside others after it had killed the process twice")
		}
		r := w.wantRun(poison, run.Failed, "stopped in the middle")
		if took := r.FinishedAt.Sub(begun); took < 4*time.Hour || took > 5*time.Hour {
			w.Errorf("got the run failed after %v, want it at its deadline", took)
		}
		for _, id := range neighbours {
			if r := w.wantRun(id, run.Delivered, ""); r.Resumed > 1 {
				w.Errorf("got a neighbour resumed %d times, want once at most", r.Resumed)
			}
		}
		messages := map[string]bool{}
		for _, l := range w.mail.arrived {
			if l.to == "ana@example.com" {
				messages[l.key] = true
			}
		}
		if len(messages) != 4 {
			w.Errorf("got %d messages, want one of each neighbour", len(messages))
		}
		w.wantMail(owner, 1)
		w.wantIdle()
	})
}

// Processes die one after the other, each at some write, while mail is answered or
// not: all that was asked for arrives, once where that can be known.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	forSeeds(t, fewer(60, 6), func(t *testing.T, seed uint64) {
		inBubble(t, func(w *world) {
			random := rand.New(rand.NewPCG(seed, 3))
			pick := random.IntN
			people := []string{"ana@example.com", "rui@example.com", "kim@example.com"}
			for i := range 1 + pick(3) {
				w.makeReport(fmt.Sprint("r", i), to(email("mail", people[:1+pick(3)]...)), func(r *report.Report) {
					if pick(2) == 0 {
						slackToo(r)
					}
					if pick(2) == 0 {
						r.Content = append(r.Content, report.Content{View: overview, Format: tableau.PDF})
					}
				})
				w.start(fmt.Sprint("r", i))
			}
			silent := uint64(pick(3)) // what goes unanswered at first
			w.mail.answer = func(to string, n int) (bool, error) {
				if n == 1 && silent > 0 && uint64(to[0])%3 == silent {
					return seed%2 == 0, unknown()
				}
				return true, nil
			}
			for range 2 + pick(6) {
				s := &failing{store: w.store, after: pick(2) == 0, forever: pick(4) > 0}
				s.left.Store(int64(1 + pick(30)))
				w.wire(s)
				_, _ = w.tick.Run(w.Context())
				_ = w.drain.Site(w.Context(), site)
				w.wire(w.store)
				w.noteSending()
				time.Sleep(time.Duration(pick(20)) * time.Minute)
			}
			w.live(90 * time.Minute)
			runs, _, err := w.runs.List(w.Context(), run.Filter{}, "", 10)
			w.succeed(err)
			for _, r := range runs {
				w.wantRun(r.ID, run.Delivered, "")
				_, deliveries := w.get(r.ID)
				for _, d := range deliveries {
					if d.State != run.Sent {
						w.Errorf("got delivery %s %s, want it sent", d.Key, d.State)
					}
				}
			}
			w.wantEachOnce()
			w.wantMail(owner, 0)
			w.wantIdle()
		})
	})
}

// Any number of ordinary restarts ends no run: one that does no harm is delivered
// once vizpost stays up.
func TestRestartsEndNoRun(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		for i := range 40 { // each time somewhere else
			s := &failing{store: w.store, forever: true}
			s.left.Store(int64(1 + i%4))
			w.wire(s)
			_, _ = w.tick.Run(w.Context())
			_ = w.drain.Site(w.Context(), site)
			w.wire(w.store)
			time.Sleep(30 * time.Second)
		}
		w.live(time.Hour)
		w.wantRun(id, run.Delivered, "")
		wantOnce(w, "ana@example.com", decoded(w, "ana@example.com"))
		w.wantMail(owner, 0)
		w.wantIdle()
	})
}

// deadly kills its process when the file of a run is stored.
type deadly struct {
	run.Files
	object string
	kill   func()
	died   atomic.Bool
}

func (d *deadly) Put(ctx context.Context, name, contentType string, r io.Reader, size int64) error {
	if strings.HasPrefix(name, d.object) {
		d.died.Store(true)
		d.kill()
		return errStore
	}
	return d.Files.Put(ctx, name, contentType, r, size)
}

// The process dies while a notice is being sent: whoever comes next waits for
// the claim to run out, and does not turn in circles until then.
func TestClaimedNoticeIsWaitedFor(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		note := run.Delivery{Key: "notice.x", Site: site, Type: report.Email, To: []string{owner}, Notice: &run.Notice{Subject: "A", Text: "B"},
			State: run.Waiting, NotBefore: time.Now(), CreatedAt: time.Now()}
		w.succeed(w.store.CreateDeliveries(w.Context(), nil, []run.Delivery{note}))
		s := &failing{store: w.store, forever: true, only: func(what string) bool { return what == "UpdateDelivery" }}
		s.left.Store(2) // the claim is written, what became of it is not
		w.wire(s)
		w.work()
		w.wire(counting{w.store, new(atomic.Int64)})
		reads := w.drain.Store.(counting).reads
		w.work()
		if got := reads.Load(); got > 5 {
			w.Errorf("got %d looks at the site's work, want few", got)
		}
		w.live(20 * time.Minute)
		wantOnce(w, owner, decoded(w, owner))
		if got := len(decoded(w, owner)); got != 2 {
			w.Errorf("got %d notices, want the one that nobody answered for and its repetition", got)
		}
		w.wantIdle()
	})
}

// counting counts the readings of a site's work.
type counting struct {
	store
	reads *atomic.Int64
}

func (c counting) Work(ctx context.Context, site string, now time.Time, limit int) ([]run.Work, error) {
	c.reads.Add(1)
	return c.store.Work(ctx, site, now, limit)
}

// A message whose sending kills the process each time is sent again at growing
// distance, marked.
func TestProcessDiesAtEachSend(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		for range 6 {
			s := &failing{store: w.store, forever: true}
			s.left.Store(1 << 40)
			w.wire(s)
			w.mail.answer = func(to string, _ int) (bool, error) {
				if to == "ana@example.com" {
					s.left.Store(0)
				}
				return true, nil
			}
			_ = w.drain.Site(w.Context(), site)
			time.Sleep(15 * time.Minute)
		}
		w.mail.answer = nil
		w.wire(w.store)
		w.live(5 * time.Hour)
		w.wantRun(id, run.Delivered, "")
		texts := decoded(w, "ana@example.com")
		wantOnce(w, "ana@example.com", texts)
		if len(texts) > 5 {
			w.Errorf("got %d messages in an hour and a half, want them at growing distance", len(texts))
		}
		w.wantMail(owner, 0)
	})
}
