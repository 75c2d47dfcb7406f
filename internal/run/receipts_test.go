package run_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// carrier is a mailbox that reports what becomes of messages, as SES does: by
// the tags that they carry.
type carrier struct {
	*world
	receipts *run.Receipts
	mu       sync.Mutex
	tags     map[string]map[string]string // by key
	answer   func(deliver.Envelope)       // called while a message is being sent
}

func (c *carrier) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	c.mu.Lock()
	c.tags[e.Key] = e.Tags
	c.mu.Unlock()
	if c.answer != nil {
		if err := e.Begin.Do(ctx); err != nil {
			return deliver.Receipt{}, err
		}
		e.Begin = nil
		c.answer(e)
	}
	return c.mail.Send(ctx, e)
}

func inBubbleWithCarrier(t *testing.T, test func(c *carrier)) {
	t.Helper()
	inBubble(t, func(w *world) {
		c := &carrier{world: w, tags: map[string]map[string]string{}}
		c.receipts = &run.Receipts{Store: w.store, Now: time.Now, Log: slog.New(slog.NewTextHandler(w.log, nil))}
		w.drain.Mail = c
		test(c)
	})
}

// event is what the carrier reports of a delivery's message.
func (c *carrier) event(kind run.MailEventKind, d run.Delivery, change ...func(*run.MailEvent)) {
	c.Helper()
	c.mu.Lock()
	tags := c.tags[d.Key]
	c.mu.Unlock()
	e := run.MailEvent{Kind: kind, RunID: tags["run"], Delivery: tags["delivery"], ProviderID: "mail-1", At: time.Now()}
	switch kind {
	case run.MailBounced:
		e.Code, e.Message = "bounced", "There is no such mailbox."
	case run.MailComplained:
		e.Code, e.Message = "complained", "They call it spam."
	}
	for _, change := range change {
		change(&e)
	}
	c.succeed(c.receipts.Take(c.Context(), e))
}

func passing(e *run.MailEvent) { e.Passing = true }

func about(recipients ...string) func(*run.MailEvent) {
	return func(e *run.MailEvent) { e.Recipients = recipients }
}

func of(providerID string) func(*run.MailEvent) {
	return func(e *run.MailEvent) { e.ProviderID = providerID }
}

func TestWhatBecomesOfAMessage(t *testing.T) {
	t.Parallel()
	type step struct {
		kind   run.MailEventKind
		change func(*run.MailEvent)
	}
	same := func(*run.MailEvent) {}
	sent, delivered := step{run.MailSent, same}, step{run.MailDelivered, same}
	bounced, passes := step{run.MailBounced, same}, step{run.MailBounced, passing}
	complained := step{run.MailComplained, same}
	tests := map[string]struct {
		events   []step
		delivery run.DeliveryState
		code     string
		run      run.State
		notices  int
	}{
		"taken":                           {[]step{sent}, run.Sent, "", run.Delivered, 0},
		"arrived":                         {[]step{sent, delivered}, run.Confirmed, "", run.Delivered, 0},
		"arrived, out of order":           {[]step{delivered, sent}, run.Confirmed, "", run.Delivered, 0},
		"bounced":                         {[]step{sent, bounced}, run.Bounced, "bounced", run.Failed, 1},
		"bounced, each told three times":  {[]step{sent, sent, bounced, bounced, sent, bounced}, run.Bounced, "bounced", run.Failed, 1},
		"bounced after it had arrived":    {[]step{sent, delivered, bounced}, run.Bounced, "bounced", run.Failed, 1},
		"bounced, out of order":           {[]step{bounced, delivered, sent}, run.Bounced, "bounced", run.Failed, 1},
		"bounced for now":                 {[]step{sent, passes}, run.Bounced, "bounced", run.Failed, 1},
		"an automatic reply":              {[]step{sent, delivered, passes}, run.Confirmed, "", run.Delivered, 0},
		"called spam":                     {[]step{sent, delivered, complained, complained}, run.Confirmed, "complained", run.Delivered, 0},
		"called spam before it arrived":   {[]step{sent, complained, delivered}, run.Confirmed, "complained", run.Delivered, 0},
		"a bounce is not undone by spam":  {[]step{bounced, complained}, run.Bounced, "bounced", run.Failed, 1},
		"what is said of another message": {[]step{{run.MailBounced, of("another")}, {run.MailDelivered, of("another")}}, run.Sent, "", run.Delivered, 0},
		"what is not known":               {[]step{{run.MailEventKind("opened"), same}}, run.Sent, "", run.Delivered, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWithCarrier(t, func(c *carrier) {
				c.makeReport("r")
				id := c.start("r")
				c.work()
				d := c.wantDeliveries(id, run.Sent)[0]
				for _, e := range test.events {
					c.event(e.kind, d, e.change)
				}
				got := c.wantDeliveries(id, test.delivery)[0]
				if got.Code != test.code || (got.Message == "") != (test.code == "") {
					c.Errorf("got code %q and message %q, want code %q", got.Code, got.Message, test.code)
				}
				c.wantRun(id, test.run, "")
				c.work()
				notices := c.wantMail(owner, test.notices)
				if test.notices > 0 && !strings.Contains(notices[0].Text, "There is no such mailbox.") {
					c.Errorf("the notice does not say what happened:\n%s", notices[0].Text)
				}
				c.wantMail("ana@example.com", 1)
				c.wantIdle()
			})
		})
	}
}

func TestBouncesOfSomeRecipients(t *testing.T) {
	t.Parallel()
	inBubbleWithCarrier(t, func(c *carrier) {
		c.makeReport("r", to(email("mail", "ana@example.com", "rui@example.com", "eva@example.com")))
		id := c.start("r")
		c.work()
		deliveries := c.wantDeliveries(id, run.Sent, run.Sent, run.Sent)
		c.event(run.MailBounced, deliveries[0])
		c.wantRun(id, run.PartlyDelivered, "1 of 3")
		c.event(run.MailBounced, deliveries[1])
		c.wantRun(id, run.PartlyDelivered, "")
		c.work()
		c.wantMail(owner, 1)
		c.event(run.MailBounced, deliveries[2])
		c.wantRun(id, run.Failed, "")
		c.work()
		if got := c.wantMail(owner, 1)[0].GetHeader("Subject"); !strings.Contains(got, "not delivered to everyone") {
			c.Errorf("got the notice %q, want one about some of the recipients", got)
		}
		c.wantIdle()
	})
}

func TestBounceOfOneMessageToSeveral(t *testing.T) {
	t.Parallel()
	inBubbleWithCarrier(t, func(c *carrier) {
		together := email("mail", "ana@example.com", "rui@example.com")
		together.Cc, together.Together = []string{"eva@example.com"}, true
		c.makeReport("r", to(together))
		id := c.start("r")
		c.work()
		d := c.wantDeliveries(id, run.Sent)[0]
		c.event(run.MailDelivered, d, about("rui@example.com"))
		c.event(run.MailBounced, d, about("Ana@Example.com"))
		c.event(run.MailBounced, d, about("ana@example.com"))
		c.wantRun(id, run.PartlyDelivered, "")
		if got := c.wantDeliveries(id, run.Bounced)[0].BouncedFrom; !slices.Equal(got, []string{"ana@example.com"}) {
			c.Errorf("it came back from %q, want ana alone", got)
		}
		c.work()
		if text := c.wantMail(owner, 1)[0].Text; !strings.Contains(text, "ana@example.com") || strings.Contains(text, "rui@example.com") {
			c.Errorf("the notice does not name her alone:\n%s", text)
		}
		c.event(run.MailBounced, d)
		c.wantRun(id, run.Failed, "")
	})
}

// A message that nobody answered for is not sent again once the carrier says
// that it has it.
func TestUnsureIsSettledByAnEvent(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"told while it is being sent": true, "told later": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWithCarrier(t, func(c *carrier) {
				c.mail.answer = func(to string, _ int) (bool, error) {
					if to == owner {
						return true, nil
					}
					return true, unknown()
				}
				c.makeReport("r")
				id := c.start("r")
				key := ""
				c.answer = func(e deliver.Envelope) {
					key = e.Key
					if before {
						c.event(run.MailSent, run.Delivery{Key: e.Key})
					}
				}
				c.work()
				if before {
					c.wantRun(id, run.Delivered, "")
				} else {
					c.wantDeliveries(id, run.Unsure)
					c.wantRun(id, run.Queued, "")
					time.Sleep(time.Minute)
					c.event(run.MailSent, run.Delivery{Key: key})
					c.work() // not after ten minutes only
				}
				d := c.wantDeliveries(id, run.Sent)[0]
				if d.ProviderID != "mail-1" || d.PossibleRepeat || d.SentAt.IsZero() || d.Message != "" {
					c.Errorf("got delivery %+v, want one that was sent once", d)
				}
				c.wantRun(id, run.Delivered, "")
				c.live(time.Hour)
				c.wantMail("ana@example.com", 1)
				c.wantMail(owner, 0)
				c.wantIdle()
			})
		})
	}
}

// What was given up after tries without an answer did arrive.
func TestProofForWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	inBubbleWithCarrier(t, func(c *carrier) {
		c.mail.answer = func(to string, _ int) (bool, error) {
			if to == owner {
				return true, nil
			}
			return true, unknown()
		}
		c.makeReport("r")
		id := c.start("r")
		c.live(6 * time.Hour)
		d := c.wantDeliveries(id, run.DeliveryFailed)[0]
		c.wantRun(id, run.Failed, "")
		c.event(run.MailDelivered, d)
		c.wantDeliveries(id, run.Confirmed)
		c.wantRun(id, run.Delivered, "")
	})
}

func TestEventsOfEarlierTriesSayNothing(t *testing.T) {
	t.Parallel()
	inBubbleWithCarrier(t, func(c *carrier) {
		c.makeReport("r")
		id := c.start("r")
		c.work()
		d := c.wantDeliveries(id, run.Sent)[0]
		c.event(run.MailBounced, d)
		_, err := c.runs.Retry(c.Context(), id)
		c.succeed(err)
		again := func(state run.DeliveryState) {
			c.Helper()
			for _, kind := range []run.MailEventKind{run.MailSent, run.MailBounced, run.MailComplained, run.MailDelivered} {
				c.event(kind, d)
			}
			if d := c.wantDeliveries(id, state)[0]; len(d.BouncedFrom) > 0 {
				c.Errorf("it still comes back from %q", d.BouncedFrom)
			}
		}
		again(run.Waiting)
		c.answer = func(e deliver.Envelope) {
			if e.Key == d.Key { // and not the notice
				again(run.Sending)
			}
		}
		c.work()
		again(run.Sent)
		c.wantRun(id, run.Delivered, "")
		c.event(run.MailDelivered, d, of("mail-2"))
		c.wantDeliveries(id, run.Confirmed)
	})
}

// closing is a store that lets a bounce in just before a run is closed.
type closing struct {
	store
	bounce func()
}

func (s closing) UpdateRun(ctx context.Context, lease *run.Lease, r run.Run) (run.Run, error) {
	if r.State == run.Delivered {
		s.bounce()
	}
	return s.store.UpdateRun(ctx, lease, r)
}

func TestBounceWhileTheRunIsBeingClosed(t *testing.T) {
	t.Parallel()
	inBubbleWithCarrier(t, func(c *carrier) {
		c.makeReport("r")
		id := c.start("r")
		c.wire(closing{c.store, func() {
			_, deliveries := c.get(id)
			c.event(run.MailBounced, deliveries[0])
		}})
		c.drain.Mail = c
		c.work()
		c.wantDeliveries(id, run.Bounced)
		c.wantRun(id, run.Failed, "")
		c.wantMail(owner, 1)
		c.wantIdle()
	})
}

func TestEventsOfMessagesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	inBubbleWithCarrier(t, func(c *carrier) {
		c.makeReport("r")
		id := c.start("r")
		c.work()
		for _, e := range []run.MailEvent{
			{Kind: run.MailBounced, RunID: "01K00000000000000000000000", Delivery: "x"},
			{Kind: run.MailBounced, RunID: id, Delivery: "x"},
		} {
			if err := c.receipts.Take(c.Context(), e); err != nil {
				c.Errorf("%+v: got error %v, want none", e, err)
			}
		}
		c.wantDeliveries(id, run.Sent)
	})
}

// rank orders the states of a message that was sent.
var rank = map[run.DeliveryState]int{run.Sending: 0, run.Unsure: 0, run.Sent: 1, run.Confirmed: 2, run.Bounced: 3}

// Whatever comes, in whatever order and how often ever: states move forward
// alone, and end where the furthest event puts them.
func TestStatesMoveForward(t *testing.T) {
	t.Parallel()
	store, err := local.OpenStore(t.Context(), filepath.Join(t.TempDir(), "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	receipts := &run.Receipts{Store: store, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		id := fmt.Sprintf("01K%023d", runs)
		key := run.DeliveryKey(id, "mail", "part")
		d := run.Delivery{Key: key, RunID: id, Type: report.Email, To: []string{"ana@example.com"}, Attempts: 1,
			State: rapid.SampledFrom([]run.DeliveryState{run.Sending, run.Unsure, run.Sent}).Draw(t, "state")}
		if d.State == run.Sent {
			d.ProviderID = "m"
		}
		if err := store.CreateDeliveries(t.Context(), nil, []run.Delivery{d}); err != nil {
			t.Fatal(err)
		}
		kinds := rapid.SliceOfN(rapid.SampledFrom([]run.MailEventKind{run.MailSent, run.MailDelivered, run.MailBounced, run.MailComplained}), 1, 8).Draw(t, "events")
		furthest := rank[d.State]
		for _, kind := range kinds {
			e := run.MailEvent{Kind: kind, RunID: id, Delivery: strings.ReplaceAll(key, ".", "_"), ProviderID: "m", Code: string(kind)}
			if err := receipts.Take(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			furthest = max(furthest, map[run.MailEventKind]int{run.MailSent: 1, run.MailDelivered: 2, run.MailComplained: 2, run.MailBounced: 3}[kind])
			got, err := store.Delivery(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if rank[got.State] != furthest {
				t.Fatalf("after %s: got %s, want rank %d", kind, got.State, furthest)
			}
		}
	})
}
