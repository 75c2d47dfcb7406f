package run_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// Evidence counts in every state, unless it is of a message whose end is known:
// what is known to have arrived is not sent again and not called failed.
func TestEvidenceInEveryState(t *testing.T) {
	t.Parallel()
	store, err := local.OpenStore(t.Context(), filepath.Join(t.TempDir(), "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	receipts := &run.Receipts{Store: store, Now: time.Now, Log: slog.New(slog.DiscardHandler)}

	type events struct{ sent, delivered, bounced, complained run.DeliveryState }
	all := func(state run.DeliveryState) events { return events{state, state, state, state} }
	found := events{run.Sent, run.Confirmed, run.Bounced, run.Confirmed}
	tests := map[string]struct {
		delivery run.Delivery
		unknown  events // of a message that nobody answered for
		known    events // of the one whose id the delivery has
	}{
		"not tried":                         {run.Delivery{State: run.Waiting}, all(run.Waiting), all(run.Waiting)},
		"put off, refused clearly":          {run.Delivery{State: run.Waiting, Attempts: 2}, all(run.Waiting), all(run.Waiting)},
		"put off after a send in doubt":     {run.Delivery{State: run.Waiting, Attempts: 2, Unanswered: 1}, events{run.Sent, run.Confirmed, run.Waiting, run.Confirmed}, all(run.Waiting)},
		"retried by hand after one":         {run.Delivery{State: run.Waiting, Unanswered: 2, PossibleRepeat: true}, events{run.Sent, run.Confirmed, run.Waiting, run.Confirmed}, all(run.Waiting)},
		"being sent":                        {run.Delivery{State: run.Sending, Attempts: 1}, found, all(run.Sending)},
		"being sent again":                  {run.Delivery{State: run.Sending, Attempts: 1, Unanswered: 1, PossibleRepeat: true}, found, all(run.Sending)},
		"unsure":                            {run.Delivery{State: run.Unsure, Attempts: 1, Unanswered: 1}, found, all(run.Unsure)},
		"failed in doubt":                   {run.Delivery{State: run.DeliveryFailed, Attempts: 2, Unanswered: 2, PossibleRepeat: true}, found, all(run.DeliveryFailed)},
		"failed in doubt, after a retry":    {run.Delivery{State: run.DeliveryFailed, Unanswered: 1, PossibleRepeat: true}, found, all(run.DeliveryFailed)},
		"refused":                           {run.Delivery{State: run.DeliveryFailed, Attempts: 1}, found, all(run.DeliveryFailed)},
		"failed, not tried":                 {run.Delivery{State: run.DeliveryFailed}, all(run.DeliveryFailed), all(run.DeliveryFailed)},
		"sent":                              {run.Delivery{State: run.Sent, Attempts: 1}, all(run.Sent), events{run.Sent, run.Confirmed, run.Bounced, run.Confirmed}},
		"sent twice":                        {run.Delivery{State: run.Sent, Attempts: 2, Unanswered: 1, PossibleRepeat: true}, events{run.Sent, run.Confirmed, run.Sent, run.Confirmed}, events{run.Sent, run.Confirmed, run.Bounced, run.Confirmed}},
		"confirmed":                         {run.Delivery{State: run.Confirmed, Attempts: 1}, all(run.Confirmed), events{run.Confirmed, run.Confirmed, run.Bounced, run.Confirmed}},
		"confirmed, sent twice":             {run.Delivery{State: run.Confirmed, Attempts: 2, Unanswered: 1, PossibleRepeat: true}, all(run.Confirmed), events{run.Confirmed, run.Confirmed, run.Bounced, run.Confirmed}},
		"bounced":                           {run.Delivery{State: run.Bounced, Attempts: 1}, all(run.Bounced), all(run.Bounced)},
		"bounced, and one before it is not": {run.Delivery{State: run.Bounced, Attempts: 2, Unanswered: 1, PossibleRepeat: true}, events{run.Bounced, run.Confirmed, run.Bounced, run.Confirmed}, all(run.Bounced)},
	}
	n := 0
	for name, test := range tests {
		for of, want := range map[string]events{"lost": test.unknown, "known": test.known} {
			for kind, want := range map[run.MailEventKind]run.DeliveryState{
				run.MailSent: want.sent, run.MailDelivered: want.delivered, run.MailBounced: want.bounced, run.MailComplained: want.complained} {
				n++
				id := fmt.Sprintf("01K%023d", n)
				d := test.delivery
				d.Key, d.RunID, d.Type, d.To, d.ProviderID = run.DeliveryKey(id, "mail", "part"), id, report.Email, []string{"ana@example.com"}, "known"
				if d.State == run.Bounced {
					d.BouncedFrom = d.To
				}
				if err := store.CreateDeliveries(t.Context(), nil, []run.Delivery{d}); err != nil {
					t.Fatal(err)
				}
				for range 2 { // each may come twice
					e := run.MailEvent{Kind: kind, RunID: id, Delivery: strings.ReplaceAll(d.Key, ".", "_"), ProviderID: of, Code: string(kind)}
					if err := receipts.Take(t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
				got, err := store.Delivery(t.Context(), d.Key)
				if err != nil {
					t.Fatal(err)
				}
				if got.State != want {
					t.Errorf("%s of the message that is %s, of a delivery %s: got %s, want %s", kind, of, name, got.State, want)
				}
				if got.State.Arrived() && len(got.BouncedFrom) > 0 {
					t.Errorf("%s of the message that is %s, of a delivery %s: it arrived and came back from %q", kind, of, name, got.BouncedFrom)
				}
			}
		}
	}
}

// Proof of a message that comes after a retry by hand, and before that sends it,
// keeps another copy from being sent.
func TestEvidenceAfterARetryByHand(t *testing.T) {
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
		before := len(c.mail.to(c.T, "ana@example.com"))
		_, err := c.runs.Retry(c.Context(), id)
		c.succeed(err)
		c.event(run.MailDelivered, d)
		c.work()
		c.wantDeliveries(id, run.Confirmed)
		c.wantRun(id, run.Delivered, "")
		c.wantMail("ana@example.com", before)
		c.wantIdle()
	})
}

// told gives the subjects of the mails to the owner.
func (w *world) told() []string {
	w.Helper()
	var subjects []string
	for _, e := range w.mail.to(w.T, owner) {
		subjects = append(subjects, e.GetHeader("Subject"))
	}
	return subjects
}

// Who was told that a run failed hears that it was delivered after all; who was
// not told hears nothing.
func TestDeliveredAfterAll(t *testing.T) {
	t.Parallel()
	const after = "was delivered after all"
	tests := map[string]struct {
		told    bool // of the failure, before the proof comes
		notify  []string
		to      string // who is told
		proof   int    // messages of two that turn up
		run     run.State
		subject string // of the last mail; "": none
	}{
		"all of it":              {true, []string{owner}, owner, 2, run.Delivered, after},
		"one of two":             {true, []string{owner}, owner, 1, run.PartlyDelivered, after + ", but not to everyone"},
		"nobody was told":        {false, []string{owner}, owner, 2, run.Delivered, ""},
		"one, nobody was told":   {false, []string{owner}, owner, 1, run.PartlyDelivered, after + ", but not to everyone"},
		"others were told":       {true, nil, ops, 2, run.Delivered, after},
		"others, and not so far": {false, nil, ops, 2, run.Delivered, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWithCarrier(t, func(c *carrier) {
				takes := test.told
				c.mail.answer = func(to string, _ int) (bool, error) {
					switch {
					case to != test.to:
						return true, unknown()
					case takes:
						return true, nil
					default:
						return false, deferred(0)
					}
				}
				c.makeReport("r", to(email("mail", "ana@example.com", "rui@example.com")), func(r *report.Report) { r.Notify = test.notify })
				id := c.start("r")
				c.live(6 * time.Hour)
				c.wantRun(id, run.Failed, "")
				deliveries := c.wantDeliveries(id, run.DeliveryFailed, run.DeliveryFailed)
				before := len(c.mail.to(c.T, test.to))
				if (before > 0) != test.told {
					c.Fatalf("got %d mails before the proof, want some: %v", before, test.told)
				}
				for i := range test.proof {
					c.event(run.MailSent, deliveries[i])
					c.event(run.MailDelivered, deliveries[i])
					c.event(run.MailSent, deliveries[i])
				}
				c.wantRun(id, test.run, "")
				takes = true
				c.live(2 * time.Hour)
				mails := c.mail.to(c.T, test.to)[before:]
				if test.subject == "" {
					if len(mails) > 0 {
						c.Errorf("got %q, want no mail", mails[0].GetHeader("Subject"))
					}
					c.wantIdle()
					return
				}
				if len(mails) == 0 {
					c.Fatal("got no mail, want one")
				}
				last := mails[len(mails)-1]
				if got := last.GetHeader("Subject"); !strings.HasSuffix(got, test.subject) {
					c.Errorf("got a mail %q, want one that ends with %q", got, test.subject)
				}
				for _, e := range mails[:len(mails)-1] {
					if got := e.GetHeader("Subject"); !strings.Contains(got, after) {
						c.Errorf("got a mail %q beside it", got)
					}
				}
				if missing := strings.Contains(last.Text, "rui@example.com") || strings.Contains(last.Text, "ana@example.com"); missing != (test.run == run.PartlyDelivered) {
					c.Errorf("got a mail that names who is missing: %v\n%s", missing, last.Text)
				}
				c.wantIdle()
			})
		})
	}
}

// A server's last answer that comes after its run has ended, since the claim on
// the message could not be renewed, is still a fact.
func TestAnswerAfterTheRunHasEnded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		s := &failing{store: w.store, forever: true}
		s.left.Store(1 << 40)
		slow := w.drainOver(s)
		answer, sent := make(chan struct{}), make(chan struct{})
		slow.Mail, slow.MailTimeout = &stuck{mailbox: w.mail, begun: func() { s.left.Store(0) }, answer: answer}, func(int64) time.Duration { return 12 * time.Hour }
		go func() {
			defer close(sent)
			_ = slow.Site(w.Context(), site)
		}()
		synctest.Wait()
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == owner {
				return true, nil
			}
			return false, unknown()
		}
		w.live(8 * time.Hour)
		w.wantRun(id, run.Failed, "")
		w.wantDeliveries(id, run.DeliveryFailed)
		w.mail.answer = nil
		s.left.Store(1 << 40)
		close(answer)
		<-sent
		d := w.wantDeliveries(id, run.Sent)[0]
		if d.SentAt.IsZero() || d.Message != "" {
			t.Errorf("got delivery %+v, want one that was sent", d)
		}
		w.wantRun(id, run.Delivered, "")
		w.live(time.Minute)
		if told := w.told(); !strings.HasSuffix(told[len(told)-1], "was delivered after all") {
			t.Errorf("the owner was told %q, want at last that it was delivered after all", told)
		}
		w.wantIdle()
	})
}

// A notice that nobody answered for is not sent again once the carrier says that
// it has it, and who was told by it is told when it is over.
func TestEvidenceForNotices(t *testing.T) {
	t.Parallel()
	for _, kind := range []run.MailEventKind{run.MailSent, run.MailDelivered} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inBubbleWithCarrier(t, func(c *carrier) {
				c.makeReport("r", each("*/30 * * * *", report.CatchUpAll))
				c.mail.answer = func(to string, _ int) (bool, error) {
					if to == ops {
						return true, unknown()
					}
					return true, nil
				}
				c.tableau.RevokeTokens("")
				c.live(40 * time.Minute)
				first := len(c.mail.to(c.T, ops))
				if first == 0 || c.state() != connection.NeedsCredentials {
					c.Fatalf("got %d notices and a connection that is %s", first, c.state())
				}
				list, _, err := c.runs.Notices(c.Context(), false, "", 10)
				c.succeed(err)
				if len(list) != 1 {
					c.Fatalf("got notices %+v, want one that is open", list)
				}
				c.mu.Lock()
				tag := c.tags[list[0].Key]["notice"]
				c.mu.Unlock()
				c.succeed(c.receipts.Take(c.Context(), run.MailEvent{Kind: kind, Notice: tag, ProviderID: "mail-1", At: time.Now()}))
				c.live(30 * time.Hour)
				c.wantMail(ops, first)
				d, err := c.store.Delivery(c.Context(), list[0].Key)
				c.succeed(err)
				if want := map[run.MailEventKind]run.DeliveryState{run.MailSent: run.Sent, run.MailDelivered: run.Confirmed}[kind]; d.State != want {
					c.Errorf("got a notice that is %s, want %s", d.State, want)
				}
				c.mail.answer = nil
				_, err = c.connections.Edit(c.Context(), "c", connection.Edit{Credential: c.newToken("new")})
				c.succeed(err)
				c.live(2 * time.Minute)
				n := 0
				for _, e := range c.mail.all(c.T, ops) {
					if saysMended(e) {
						n++
					}
				}
				if n != 1 {
					c.Errorf("got %d mails that it works again, want 1", n)
				}
			})
		})
	}
}

// stuck takes a message and does not answer until it is told to.
type stuck struct {
	*mailbox
	begun  func()
	answer chan struct{}
}

func (s *stuck) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	if err := e.Begin.Do(ctx); err != nil {
		return deliver.Receipt{}, err
	}
	e.Begin = nil
	s.begun()
	<-s.answer
	return deliver.Receipt{ProviderID: "late"}, nil
}
