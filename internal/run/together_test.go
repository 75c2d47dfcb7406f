package run_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// choosy is a mail server that answers for each recipient by itself, as SMTP does.
type choosy struct {
	*mailbox
	tries  map[string]int // by recipient
	answer func(to string, n int) deliver.Outcome
	whole  func(n int) error // what it says of the n-th message in the end
	n      int
}

const accepted = deliver.Outcome(-1)

func (c *choosy) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	if e.Recipients[0] == owner {
		return c.mailbox.Send(ctx, e)
	}
	var rejected []deliver.Rejection
	worst := &deliver.SendError{Outcome: deliver.Refused, Code: "smtp_550", Message: "550 No such user."}
	for _, to := range e.Recipients {
		c.tries[to]++
		r := deliver.Rejection{Recipient: to, Outcome: c.answer(to, c.tries[to]), Code: "smtp_550", Message: "550 No such user."}
		if r.Outcome == deliver.Deferred {
			r.Code, r.Message = "smtp_451", "451 Greylisted."
			worst = &deliver.SendError{Outcome: deliver.Deferred, Code: r.Code, Message: r.Message}
		}
		if r.Outcome != accepted {
			rejected = append(rejected, r)
		}
	}
	all := e.Recipients
	e.Recipients = slices.DeleteFunc(slices.Clone(all), func(to string) bool {
		return slices.ContainsFunc(rejected, func(r deliver.Rejection) bool { return r.Recipient == to })
	})
	if len(e.Recipients) == 0 {
		if worst.Rejected = rejected; len(all) == 1 {
			worst.Rejected = nil
		}
		return deliver.Receipt{}, worst
	}
	receipt, err := c.mailbox.Send(ctx, e)
	c.n++
	if err == nil && c.whole != nil {
		err = c.whole(c.n)
	}
	if err != nil {
		return deliver.Receipt{}, err
	}
	receipt.Rejected = rejected
	return receipt, nil
}

// One recipient of a message to several who is refused, or to be tried again
// later, keeps it from nobody else; whoever has it does not get it once more.
func TestTogetherWithoutSome(t *testing.T) {
	t.Parallel()
	const ana, rui, eva = "ana@example.com", "rui@example.com", "eva@example.com"
	always := func(o deliver.Outcome) func(int) deliver.Outcome {
		return func(int) deliver.Outcome { return o }
	}
	until := func(n int, o, then deliver.Outcome) func(int) deliver.Outcome {
		return func(try int) deliver.Outcome {
			if try < n {
				return o
			}
			return then
		}
	}
	no, later := deliver.Refused, deliver.Deferred
	tests := map[string]struct {
		ana, rui, eva func(n int) deliver.Outcome
		whole         func(n int) error
		run           run.State
		delivery      run.DeliveryState
		got           [3]int // messages to ana, rui, eva
		missing       string // whom the owner is told of
		retried       string // who gets it after a retry by hand that everybody accepts
	}{
		"one refused":            {always(accepted), always(no), always(accepted), nil, run.PartlyDelivered, run.Bounced, [3]int{1, 0, 1}, "rui", "rui"},
		"one later":              {always(accepted), until(3, later, accepted), always(accepted), nil, run.Delivered, run.Sent, [3]int{1, 1, 1}, "", ""},
		"one of each":            {always(accepted), until(2, later, accepted), always(no), nil, run.PartlyDelivered, run.Bounced, [3]int{1, 1, 0}, "eva", "eva"},
		"one never":              {always(accepted), always(later), always(accepted), nil, run.PartlyDelivered, run.Bounced, [3]int{1, 0, 1}, "rui", "rui"},
		"one later and then not": {always(accepted), until(3, later, no), always(accepted), nil, run.PartlyDelivered, run.Bounced, [3]int{1, 0, 1}, "rui", "rui"},
		"two refused":            {always(no), always(no), always(accepted), nil, run.PartlyDelivered, run.Bounced, [3]int{0, 0, 1}, "ana rui", "ana rui"},
		"all refused":            {always(no), always(no), always(no), nil, run.Failed, run.DeliveryFailed, [3]int{}, "ana rui eva", "ana rui eva"},
		"all later":              {until(2, later, accepted), until(2, later, accepted), until(2, later, accepted), nil, run.Delivered, run.Sent, [3]int{1, 1, 1}, "", ""},
		"none at first, one not": {until(2, later, accepted), always(no), until(2, later, accepted), nil, run.PartlyDelivered, run.Bounced, [3]int{1, 0, 1}, "rui", "rui"},
		"refused one by one":     {until(2, later, no), always(no), until(3, later, no), nil, run.Failed, run.DeliveryFailed, [3]int{}, "ana rui eva", "ana rui eva"},
		"one later, then a doubt": {always(accepted), until(2, later, accepted), always(accepted), func(n int) error {
			if n == 2 {
				return unknown()
			}
			return nil
		}, run.Delivered, run.Sent, [3]int{1, 2, 1}, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				answers := map[string]func(int) deliver.Outcome{ana: test.ana, rui: test.rui, eva: test.eva}
				server := &choosy{mailbox: w.mail, tries: map[string]int{}, whole: test.whole,
					answer: func(to string, n int) deliver.Outcome { return answers[to](n) }}
				w.drain.Mail = server
				w.makeReport("r", to(report.Destination{ID: "mail", Type: report.Email, To: []string{ana}, Cc: []string{rui}, Bcc: []string{eva}, Together: true}))
				id := w.start("r")
				w.live(5 * time.Hour)
				w.wantRun(id, test.run, "")
				d := w.wantDeliveries(id, test.delivery)[0]
				for i, to := range []string{ana, rui, eva} {
					texts := w.wantMail(to, test.got[i])
					for _, e := range texts {
						if to, cc := e.GetHeader("To"), e.GetHeader("Cc"); !strings.Contains(to, ana) || !strings.Contains(cc, rui) {
							t.Errorf("got a message to %q, cc %q, want the same for everybody", to, cc)
						}
					}
					if len(texts) > 0 {
						wantOnce(w, to, decoded(w, to))
					}
				}
				if told := w.mail.to(w.T, owner); (len(told) == 1) != (test.missing != "") {
					t.Errorf("the owner got %d mails", len(told))
				} else if len(told) == 1 {
					for _, user := range []string{"ana", "rui", "eva"} {
						if got, want := strings.Contains(told[0].Text, user+"@"), strings.Contains(test.missing, user); got != want {
							t.Errorf("the owner is told of %s: %v, want %v:\n%s", user, got, want, told[0].Text)
						}
					}
				}
				w.wantIdle()
				if test.retried == "" {
					return
				}
				if d.Message == "" || d.Code == "" {
					t.Errorf("got delivery %+v, want what the server said", d)
				}
				server.answer = func(string, int) deliver.Outcome { return accepted }
				_, err := w.runs.Retry(w.Context(), id)
				w.succeed(err)
				w.live(time.Minute)
				w.wantRun(id, run.Delivered, "")
				w.wantDeliveries(id, run.Sent)
				for i, to := range []string{ana, rui, eva} {
					user, _, _ := strings.Cut(to, "@")
					want := test.got[i]
					if strings.Contains(test.retried, user) {
						want++
					}
					w.wantMail(to, want)
				}
				w.wantIdle()
			})
		})
	}
}

// A retry by hand of a message to several that came back from some goes to these
// alone.
func TestRetryOfWhatCameBackFromSome(t *testing.T) {
	t.Parallel()
	inBubbleWithCarrier(t, func(c *carrier) {
		c.makeReport("r", to(report.Destination{ID: "mail", Type: report.Email, To: []string{"ana@example.com", "rui@example.com"}, Together: true}))
		id := c.start("r")
		c.work()
		d := c.wantDeliveries(id, run.Sent)[0]
		c.event(run.MailBounced, d, about("rui@example.com"))
		_, err := c.runs.Retry(c.Context(), id)
		c.succeed(err)
		c.live(time.Minute)
		c.wantRun(id, run.Delivered, "")
		c.wantMail("ana@example.com", 1)
		c.wantMail("rui@example.com", 2)
		c.wantIdle()
	})
}
