package run_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
)

const mayBeARepeat = "You may have received this message before"

func twoPeople(r *report.Report) {
	r.Destinations = []report.Destination{email("mail", "ana@example.com", "rui@example.com")}
}

// byName gives the deliveries to an address.
func byName(deliveries []run.Delivery, address string) run.Delivery {
	i := slices.IndexFunc(deliveries, func(d run.Delivery) bool { return slices.Contains(d.To, address) })
	return deliveries[i]
}

func TestDeferredMessageWaits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		after, pause time.Duration
	}{"no word": {0, time.Minute}, "20 minutes": {20 * time.Minute, 20 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r", twoPeople, slackToo)
				w.mail.answer = func(to string, n int) (bool, error) {
					if to == "ana@example.com" && n == 1 {
						return false, deferred(test.after)
					}
					return true, nil
				}
				id := w.start("r")
				w.work()
				r := w.wantRun(id, run.Queued, "tried again later")
				_, deliveries := w.get(id)
				d := byName(deliveries, "ana@example.com")
				if d.State != run.Waiting || time.Until(d.NotBefore) != test.pause || time.Until(r.NotBefore) != test.pause || d.Code != "busy" {
					w.Errorf("got %+v, want it to wait for %v", d, test.pause)
				}
				w.wantMail("rui@example.com", 1) // one's failure does not stop another
				if len(w.slack.arrived) != 1 {
					w.Error("the Slack message did not arrive")
				}
				w.live(test.pause)
				w.wantRun(id, run.Delivered, "")
				d = byName(w.wantDeliveries(id, run.Sent, run.Sent, run.Sent), "ana@example.com")
				if d.Attempts != 2 || d.PossibleRepeat || d.Code != "" || d.Message != "" {
					w.Errorf("got %+v, want a second try that succeeded", d)
				}
				w.wantMail("ana@example.com", 1)
				w.wantMail("rui@example.com", 1)
				if got := w.tableau.Stats().Exports["csv"]; got != 1 || len(w.slack.arrived) != 1 {
					w.Errorf("got %d exports and %d Slack messages, want 1", got, len(w.slack.arrived))
				}
				w.wantIdle()
			})
		})
	}
}

func TestDeferredUntilTheDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", twoPeople)
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == "ana@example.com" {
				return false, deferred(0)
			}
			return true, nil
		}
		id := w.start("r")
		w.live(5 * time.Hour)
		r := w.wantRun(id, run.PartlyDelivered, "in time")
		if took := r.FinishedAt.Sub(r.StartedAt); took != 4*time.Hour {
			w.Errorf("it took %v, want until the deadline", took)
		}
		notice := w.wantMail(owner, 1)[0]
		if !strings.Contains(notice.Text, "ana@example.com") || strings.Contains(notice.Text, "rui@example.com") {
			w.Errorf("got notice %q, want whom it did not reach", notice.Text)
		}
		w.wantIdle()
	})
}

func TestRefusedMessageFails(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", twoPeople)
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == "ana@example.com" {
				return false, refused()
			}
			return true, nil
		}
		id := w.start("r")
		w.work()
		w.wantRun(id, run.PartlyDelivered, "1 of 2 messages")
		_, deliveries := w.get(id)
		if d := byName(deliveries, "ana@example.com"); d.State != run.DeliveryFailed || d.Code != "smtp_550" || d.Message != "There is no such mailbox." {
			w.Errorf("got %+v, want it to have failed", d)
		}
		notice := w.wantMail(owner, 1)[0]
		if !strings.Contains(notice.Text, "ana@example.com: There is no such mailbox.") {
			w.Errorf("got notice %q, want whom it did not reach, and why", notice.Text)
		}

		// A retry sends only what failed.
		w.mail.answer = nil
		_, err := w.runs.Retry(w.Context(), id)
		w.succeed(err)
		w.work()
		w.wantRun(id, run.Delivered, "")
		w.wantDeliveries(id, run.Sent, run.Sent)
		w.wantMail("ana@example.com", 1)
		w.wantMail("rui@example.com", 1)
		if got := w.tableau.Stats().Exports["csv"]; got != 1 {
			w.Errorf("got %d exports, want 1", got)
		}
		_, err = w.runs.Retry(w.Context(), id)
		w.wantKind(err, problem.Conflict)
		w.wantIdle()
	})
}

// A run that fails again after a retry is told again.
func TestRetryThatFailsIsToldAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == "ana@example.com" {
				return false, refused()
			}
			return true, nil
		}
		id := w.start("r")
		w.work()
		w.wantRun(id, run.Failed, "No message")
		time.Sleep(time.Minute)
		_, err := w.runs.Retry(w.Context(), id)
		w.succeed(err)
		_, err = w.runs.Retry(w.Context(), id)
		w.wantKind(err, problem.Conflict)
		w.work()
		w.wantRun(id, run.Failed, "No message")
		w.wantMail(owner, 2)
	})
}

// A destination works once it accepted a message, be it a report's or a test.
func TestDestinationThatWasNeverUsed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		state := func(when, want string) {
			t.Helper()
			d, err := w.destinations.Get(w.Context(), "slack")
			if w.succeed(err); d.State != want {
				t.Errorf("%s: the destination is %q, want %q", when, d.State, want)
			}
		}
		w.makeReport("r", slackToo)
		state("at first", deliver.DestinationUntested)
		w.slack.answer = func(int) (bool, error) {
			return false, &deliver.SendError{Outcome: deliver.Refused, Code: "msg_too_long", Message: "It is too long."}
		}
		w.start("r")
		w.work()
		state("after a message was refused", deliver.DestinationUntested)
		w.slack.answer = nil
		id := w.start("r")
		w.work()
		w.wantRun(id, run.Delivered, "")
		state("after a message was accepted", deliver.DestinationWorks)
	})
}

func TestBrokenSlackDestination(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo)
		w.slack.answer = func(int) (bool, error) {
			return false, &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "Slack does not know this webhook any more.", BreaksDestination: true}
		}
		first := w.start("r")
		w.work()
		w.wantRun(first, run.PartlyDelivered, "")
		d, err := w.destinations.Get(w.Context(), "slack")
		w.succeed(err)
		if d.State != deliver.DestinationBroken || d.Problem != "Slack does not know this webhook any more." {
			w.Errorf("got destination %+v, want it to be broken", d)
		}
		for _, notice := range w.wantMail(owner, 2) { // of the run, and of the destination
			if !strings.Contains(notice.Text, "does not know this webhook") {
				w.Errorf("got notice %q, want the reason", notice.Text)
			}
		}

		// It is not called again until somebody repairs it.
		second := w.start("r")
		w.work()
		w.wantRun(second, run.PartlyDelivered, "")
		_, deliveries := w.get(second)
		i := slices.IndexFunc(deliveries, func(d run.Delivery) bool { return d.Type == report.Slack })
		if w.slack.tries != 1 || !strings.Contains(deliveries[i].Message, "#sales") {
			w.Errorf("got %d tries and %+v, want no call and the destination's name", w.slack.tries, deliveries[i])
		}
		dry := w.start("r", run.Start{DryRun: true})
		w.work()
		w.wantRun(dry, run.Failed, "#sales")

		w.slack.answer = nil
		address := secret.New(webhook)
		_, err = w.destinations.Edit(w.Context(), "slack", deliver.DestinationEdit{URL: &address})
		w.succeed(err)
		for _, id := range []string{first, second} {
			_, err := w.runs.Retry(w.Context(), id)
			w.succeed(err)
		}
		w.work()
		w.wantRun(first, run.Delivered, "")
		w.wantRun(second, run.Delivered, "")
		w.wantMail("ana@example.com", 2)
		if len(w.slack.arrived) != 2 {
			w.Errorf("got %d Slack messages, want 2", len(w.slack.arrived))
		}
	})
}

func TestDeletedDestination(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo)
		id := w.start("r")
		r, _ := w.get(id)
		r.Destinations[1].DestinationID = "gone"
		_, err := w.store.UpdateRun(w.Context(), nil, r)
		w.succeed(err)
		w.work()
		w.wantRun(id, run.PartlyDelivered, "")
		w.wantMail(owner, 1)
	})
}

// Nobody answered for a message: it is given time to turn up, then sent again,
// marked, each time after a longer wait, until the run's time is over.
func TestUnansweredMessage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arrives []bool // each try, none of which is answered; later ones are
		state   run.State
		mails   int
		marked  []bool
	}{
		"it had arrived":      {[]bool{true}, run.Delivered, 2, []bool{false, true}},
		"it had not":          {[]bool{false}, run.Delivered, 1, []bool{true}},
		"twice no answer":     {[]bool{true, true}, run.Delivered, 3, []bool{false, true, true}},
		"never an answer":     {slices.Repeat([]bool{true}, 9), run.Failed, 7, []bool{false, true, true, true, true, true, true}},
		"never a trace of it": {make([]bool, 9), run.Failed, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				w.mail.answer = func(to string, n int) (bool, error) {
					if to == "ana@example.com" && n <= len(test.arrives) {
						return test.arrives[n-1], unknown()
					}
					return true, nil
				}
				id := w.start("r")
				w.work()
				w.wantRun(id, run.Queued, "tried again later")
				if d := w.wantDeliveries(id, run.Unsure)[0]; time.Until(d.NotBefore) != 10*time.Minute {
					w.Errorf("got the next try in %v, want it in ten minutes", time.Until(d.NotBefore))
				}
				w.live(9 * time.Minute)
				w.wantDeliveries(id, run.Unsure)
				w.live(6 * time.Hour)
				w.wantRun(id, test.state, "")
				var marked []bool
				for _, e := range w.wantMail("ana@example.com", test.mails) {
					marked = append(marked, strings.Contains(e.Text, mayBeARepeat))
				}
				if !slices.Equal(marked, test.marked) {
					w.Errorf("got mails marked as possible repeats %v, want %v", marked, test.marked)
				}
				if test.state == run.Delivered {
					w.wantMail(owner, 0)
					return
				}
				if text := w.wantMail(owner, 1)[0].Text; !strings.Contains(text, "It was sent without an answer and may have arrived.") {
					w.Errorf("got notice %q, want what is known", text)
				}
				// The person asks, and has it sent once more: still marked.
				w.mail.answer = nil
				_, err := w.runs.Retry(w.Context(), id)
				w.succeed(err)
				w.work()
				w.wantRun(id, run.Delivered, "")
				mails := w.wantMail("ana@example.com", test.mails+1)
				if !strings.Contains(mails[test.mails].Text, mayBeARepeat) {
					w.Error("a message that may have arrived before was sent unmarked")
				}
			})
		})
	}
}

// Where the carrier names what it stores by the delivery's key, sending again
// does no harm.
func TestRepeatableMailIsSentAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.drain.MailRepeats = true
		w.makeReport("r")
		w.mail.answer = func(_ string, n int) (bool, error) {
			if n == 1 {
				return false, unknown()
			}
			return true, nil
		}
		id := w.start("r")
		w.work()
		if d := w.wantDeliveries(id, run.Waiting)[0]; time.Until(d.NotBefore) != time.Minute {
			w.Errorf("got the next try in %v, want it in a minute", time.Until(d.NotBefore))
		}
		w.live(time.Minute)
		w.wantRun(id, run.Delivered, "")
		if text := w.wantMail("ana@example.com", 1)[0].Text; strings.Contains(text, mayBeARepeat) {
			w.Error("the message was marked as a possible repeat")
		}
	})
}

// A send that takes longer than its deadline ends there, within its claim.
func TestSendHasADeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(to string, n int) (bool, error) {
			if to == "ana@example.com" && n == 1 {
				time.Sleep(61 * time.Second)
				return false, unknown()
			}
			return true, nil
		}
		id := w.start("r")
		w.live(15 * time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
	})
}

// That a message was accepted is a fact, whoever has the site by now.
func TestSendAcceptedAfterTheLeaseWasLost(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		taken := false
		w.mail.answer = func(string, int) (bool, error) {
			if !taken {
				taken = true
				lease, err := w.store.LeaseSite(w.Context(), site, "another", time.Now().Add(2*time.Minute), time.Now().Add(3*time.Minute))
				w.succeed(err)
				w.succeed(w.store.ReleaseSite(w.Context(), lease))
			}
			return true, nil
		}
		w.work()
		w.wantRunState(id, run.Running) // it is the next drain's
		w.wantDeliveries(id, run.Sent)
		w.work()
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
	})
}

// A drain lost its lease while it sends. Who has the site then leaves the
// message alone for as long as it may be under way.
func TestMessageUnderWayIsLeftAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.mail.answer = func(string, int) (bool, error) { time.Sleep(50 * time.Second); return true, nil }
		done := make(chan error)
		go func() { done <- w.drain.Site(w.Context(), site) }()
		time.Sleep(10 * time.Second)
		lease, err := w.store.LeaseSite(w.Context(), site, "another", time.Now().Add(2*time.Minute), time.Now().Add(3*time.Minute))
		w.succeed(err)
		w.succeed(w.store.ReleaseSite(w.Context(), lease))
		w.work()
		d := w.wantDeliveries(id, run.Sending)[0]
		r := w.wantRun(id, run.Queued, "tried again later")
		if !r.NotBefore.Equal(d.ClaimedUntil) {
			w.Errorf("got the next look at %v, want it when the claim runs out at %v", r.NotBefore, d.ClaimedUntil)
		}
		w.succeed(<-done)
		w.wantDeliveries(id, run.Sent)
		w.live(5 * time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
	})
}

func (w *world) wantRunState(id string, state run.State) {
	w.Helper()
	if r, _ := w.get(id); r.State != state {
		w.Errorf("got run %s, want %s", r.State, state)
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		var cc []string
		for i := range 60 {
			cc = append(cc, string(rune('a'+i%26))+strings.Repeat("x", i/26+1)+"@example.com")
		}
		w.makeReport("r", to(report.Destination{ID: "mail", Type: report.Email, To: []string{"ana@example.com"}, Cc: cc[:20], Bcc: cc[20:], Together: true}))
		id := w.start("r")
		w.work()
		w.wantRun(id, run.Delivered, "")
		w.wantDeliveries(id, run.Sent, run.Sent)
		for _, address := range append(cc, "ana@example.com") {
			w.wantMail(address, 1)
		}
		for _, l := range w.mail.arrived {
			if n := len(strings.Split(l.to, ",")); n > 50 {
				w.Errorf("got a message to %d recipients, want at most 50", n)
			}
			if header, _, _ := strings.Cut(l.raw, "\r\n\r\n"); strings.Contains(header, cc[59]) {
				w.Error("a hidden recipient is named in the header")
			}
		}
	})
}

func TestOnlyTo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo, func(r *report.Report) { r.Destinations[0].Subject = "Mine" })
		id := w.start("r", run.Start{OnlyTo: []string{"me@example.com", "me@example.com"}})
		w.work()
		w.wantRun(id, run.Delivered, "")
		mail := w.wantMail("me@example.com", 1)[0]
		if !strings.Contains(mail.Text, "This is a test") || !strings.Contains(mail.GetHeader("Subject"), "Mine") {
			w.Errorf("got %q: %q, want the report's mail, marked as a test", mail.GetHeader("Subject"), mail.Text)
		}
		w.wantMail("ana@example.com", 0)
		if len(w.slack.arrived) != 0 {
			w.Error("a test went to Slack")
		}
	})
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo)
		id := w.start("r", run.Start{DryRun: true})
		w.work()
		r := w.wantRun(id, run.Skipped, "dry run")
		if len(r.Files) != 1 || len(w.mail.arrived) != 0 || len(w.slack.arrived) != 0 {
			w.Errorf("got %d files, %d mails and %d Slack messages, want one file alone", len(r.Files), len(w.mail.arrived), len(w.slack.arrived))
		}
		w.wantDeliveries(id)
		w.wantIdle()
	})
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		first := w.start("r", run.Start{Request: "request"})
		if again := w.start("r", run.Start{Request: "request"}); again != first {
			w.Errorf("got another run for the same request")
		}
		if other := w.start("r"); other == first {
			w.Errorf("got the same run for another request")
		}

		// A key that comes again with other wishes is somebody's mistake: the
		// run that it names does not do what is asked for now.
		w.start("r", run.Start{Request: "few", OnlyTo: []string{"me@example.com", "you@example.com"}})
		w.start("r", run.Start{Request: "few", OnlyTo: []string{"me@example.com", "you@example.com"}})
		w.start("r", run.Start{Request: "dry", DryRun: true})
		for name, o := range map[string]run.Start{
			"a dry run":         {Request: "request", DryRun: true},
			"not to all":        {Request: "request", OnlyTo: []string{"me@example.com"}},
			"to fewer":          {Request: "few", OnlyTo: []string{"me@example.com"}},
			"a dry run no more": {Request: "dry"},
		} {
			if _, err := w.runs.Start(w.Context(), "r", o); !problem.HasCode(err, problem.CodeKeyReused) {
				w.Errorf("%s: got %v, want that the key is refused", name, err)
			}
		}
	})
}

func TestSkipQueued(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", each("* * * * *", report.CatchUpLatest))
		w.makeReport("other")
		other := w.start("other")
		w.tableau.RevokeTokens("")
		w.live(time.Minute)
		var ids []string
		for range 120 {
			ids = append(ids, w.start("r"))
		}
		paused := false
		_, err := w.reports.Edit(w.Context(), "r", report.Edit{Enabled: &paused})
		w.succeed(err)
		for _, r := range w.runsOf("r") {
			w.wantRun(r.ID, run.Skipped, "paused")
		}
		if len(w.runsOf("r")) != len(ids)+1 {
			w.Errorf("got %d runs, want %d", len(w.runsOf("r")), len(ids)+1)
		}
		w.wantRun(other, run.Held, "")
		w.live(10 * time.Minute)
		if got := len(w.runsOf("r")); got != len(ids)+1 {
			w.Errorf("got %d runs after the report was paused, want no more", got)
		}
		w.wantMail(ops, 1)
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.work()
		w.wantMail("ana@example.com", 1) // of the other report
	})
}
