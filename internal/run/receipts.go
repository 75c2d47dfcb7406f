package run

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/problem"
)

// Receipts notes what a mail carrier reports of messages that it took: proof
// for the deliveries, and for the runs that they belong to. Its fields are set
// before its first use and not changed after it; it is safe for concurrent use.
type Receipts struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
}

// MailEvent is what a carrier reports of one message. The same event may come
// more than once, and later ones before earlier ones.
type MailEvent struct {
	Kind       MailEventKind
	RunID      string    // the message's tag "run"
	Delivery   string    // the message's tag "delivery"
	Notice     string    // the message's tag "notice", of one that belongs to no run
	ProviderID string    // the carrier's own id of the message
	At         time.Time // when it happened; zero if not known

	Recipients []string // whom it is about; none: all of the message's
	Passing    bool     // of a bounce: the mailbox may take the next message
	Code       string   // of a bounce or complaint, stable
	Message    string   // of a bounce or complaint, for people
}

// MailEventKind says what happened to a message.
type MailEventKind string

// The kinds of events.
const (
	MailSent       MailEventKind = "sent"       // the carrier took it and will try to hand it on
	MailDelivered  MailEventKind = "delivered"  // the recipient's server took it
	MailBounced    MailEventKind = "bounced"    // it was sent back, or not handed on for good
	MailComplained MailEventKind = "complained" // the recipient calls it spam
)

// receiptTries bounds how often an event is tried that other writers overtake.
const receiptTries = 8

// Take notes an event. One of a message that vizpost does not know is logged
// and is no error: taking it again would not help. After any error it would.
func (rc *Receipts) Take(ctx context.Context, e MailEvent) error {
	if e.Notice != "" {
		return rc.takeNotice(ctx, e)
	}
	for try := 1; ; try++ {
		d, known, err := rc.find(ctx, e)
		if err != nil {
			return err
		}
		if !known {
			rc.Log.WarnContext(ctx, "an event of a message that is not known", "kind", e.Kind, "run", e.RunID, "delivery", e.Delivery)
			return nil
		}
		changed, err := e.apply(&d, rc.Now())
		if err != nil {
			return err
		}
		if !changed {
			break
		}
		_, err = rc.Store.UpdateDelivery(ctx, nil, d)
		if problem.Is(err, problem.Stale) && try < receiptTries {
			continue
		}
		if err != nil {
			return fmt.Errorf("noting that a message was %s: %w", e.Kind, err)
		}
		rc.Log.InfoContext(ctx, "a message was "+string(e.Kind), "run", e.RunID, "delivery", d.Key, "state", d.State)
		break
	}
	// Also after an event that changed nothing: the time before, what follows
	// from it may not have been written.
	return follow(ctx, rc.Store, e.RunID, rc.Now)
}

// find gives the delivery that an event is about.
func (rc *Receipts) find(ctx context.Context, e MailEvent) (Delivery, bool, error) {
	deliveries, err := rc.Store.Deliveries(ctx, e.RunID)
	if err != nil {
		return Delivery{}, false, fmt.Errorf("reading the run's deliveries: %w", err)
	}
	i := slices.IndexFunc(deliveries, func(d Delivery) bool { return tag(d.Key) == e.Delivery })
	if i < 0 {
		return Delivery{}, false, nil
	}
	return deliveries[i], true, nil
}

// apply moves a delivery forward and reports whether that changed anything. Proof
// that a message was taken counts in every state, unless it is of one whose end
// is known.
func (e MailEvent) apply(d *Delivery, now time.Time) (bool, error) {
	known := d.ProviderID == e.ProviderID
	switch d.State {
	case Waiting:
		// It waits to be sent again, and here is a message that nobody answered
		// for. That one came back is no reason not to send another.
		if known || !d.mayHaveArrived() || e.Kind == MailBounced {
			return false, nil
		}
	case Sending, Unsure, DeliveryFailed:
		// Nobody answered for the message that was tried last, and here it is.
		if known || d.Attempts == 0 && d.Unanswered == 0 {
			return false, nil
		}
	case Bounced:
		// Of a message that went out twice, the one that arrives counts.
		if known || !d.PossibleRepeat || e.Kind != MailDelivered && e.Kind != MailComplained {
			return e.advanceKnown(d, known)
		}
		if rest := e.stillBounced(*d); len(rest) > 0 {
			changed := len(rest) < len(d.BouncedFrom)
			d.BouncedFrom = rest
			return changed, nil
		}
	default:
		if !known && !(d.PossibleRepeat && (e.Kind == MailDelivered || e.Kind == MailComplained)) {
			return false, nil
		}
		return e.advance(d)
	}
	at := e.At
	if at.IsZero() {
		at = now
	}
	if err := d.find(at, e.ProviderID); err != nil {
		return false, err
	}
	_, err := e.advance(d)
	return true, err
}

// advanceKnown moves a delivery forward if the event is of its own message.
func (e MailEvent) advanceKnown(d *Delivery, known bool) (bool, error) {
	if !known {
		return false, nil
	}
	return e.advance(d)
}

// stillBounced gives those recipients that a message came back from and that no
// other arrived at either.
func (e MailEvent) stillBounced(d Delivery) []string {
	arrived := e.concerned(d)
	return slices.DeleteFunc(slices.Clone(d.BouncedFrom), func(to string) bool { return address.Contains(arrived, to) })
}

// advance moves a delivery that is known to have been sent.
func (e MailEvent) advance(d *Delivery) (bool, error) {
	switch {
	case e.Kind == MailDelivered && d.State == Sent:
		return true, d.confirm(d.Code, d.Message)
	case e.Kind == MailBounced && d.State == Confirmed && e.Passing:
		// Automatic replies, such as those of people on holiday, look like this.
		return false, nil
	case e.Kind == MailBounced:
		from := slices.DeleteFunc(e.concerned(*d), func(address string) bool {
			return slices.ContainsFunc(d.BouncedFrom, func(known string) bool { return strings.EqualFold(known, address) })
		})
		if d.State == Bounced && len(from) == 0 {
			return false, nil
		}
		return true, d.bounce(from, e.Code, e.Message)
	case e.Kind == MailComplained && d.State != Bounced && d.Code != e.Code:
		return true, d.confirm(e.Code, e.Message) // who complains has it
	}
	return false, nil
}

// concerned gives the delivery's recipients that an event is about.
func (e MailEvent) concerned(d Delivery) []string {
	all := d.addresses()
	if len(e.Recipients) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(address string) bool {
		return !slices.ContainsFunc(e.Recipients, func(r string) bool { return strings.EqualFold(r, address) })
	})
}

// follow has a run follow from its deliveries. One that waits for a message
// that has turned up is looked at with the next tick.
func follow(ctx context.Context, store Store, id string, clock func() time.Time) error {
	r, err := store.Run(ctx, id)
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the run: %w", err)
	}
	if r.State != Queued {
		return reconcile(ctx, store, nil, r, clock)
	}
	now := clock()
	if !r.NotBefore.After(now) {
		return nil
	}
	deliveries, err := store.Deliveries(ctx, id)
	if err != nil {
		return fmt.Errorf("reading the run's deliveries: %w", err)
	}
	if count(deliveries).open > 0 {
		return nil
	}
	r.NotBefore = now
	if _, err := store.UpdateRun(ctx, nil, r); err != nil && !problem.Is(err, problem.Stale) {
		return fmt.Errorf("having the run looked at: %w", err)
	}
	return nil
}

// tally counts the deliveries of a run.
type tally struct {
	arrived  int // all or some of its recipients have it, as far as is known
	failed   int // all or some of its recipients do not
	partial  int // of those that arrived: without some of their files
	doubtful int // of those that failed: an earlier send may have arrived
	open     int
	next     time.Time // when the first of those that are open is to be looked at
}

// count counts a run's deliveries. One that came back from some of its
// recipients alone counts on both sides.
func count(deliveries []Delivery) tally {
	var t tally
	for _, d := range deliveries {
		switch {
		case d.State.Arrived():
			t.arrived++
			if len(d.LeftOut) > 0 {
				t.partial++
			}
		case d.State == Bounced && len(d.BouncedFrom) < len(d.addresses()):
			t.arrived++
			t.failed++
		case d.State.Settled():
			t.failed++
			if d.mayHaveArrived() {
				t.doubtful++
			}
		default:
			t.open++
			at := d.NotBefore
			if d.State == Sending {
				at = d.ClaimedUntil
			}
			if t.next.IsZero() || at.Before(t.next) {
				t.next = at
			}
		}
	}
	return t
}

// outcome gives the state of a run all of whose deliveries are settled, and why.
func (t tally) outcome(r Run, deliveries int) (State, string) {
	switch {
	case t.failed == 0 && t.partial > 0:
		which := fmt.Sprintf("%d of %d messages", t.partial, deliveries)
		if deliveries == 1 {
			which = "The message"
		}
		return PartlyDelivered, which + " went without files that are too large for an email."
	case t.failed == 0:
		return Delivered, standsForReason(r)
	case t.arrived > 0:
		return PartlyDelivered, fmt.Sprintf("%d of %d messages could not be delivered.", t.failed, deliveries)
	default:
		return Failed, "No message could be delivered."
	}
}

// reconcile has a run that was closed follow its deliveries where they have
// changed since, with one notice to the report's people: of bad news, and of
// what was delivered after all although they may have been told that it was not.
// A run that is open is left to its drain.
//
// Whoever writes the one after the other has been written calls it: the drain
// after the run, [Receipts] after a delivery. So of two that write at the same
// time, the one or the other sees both.
func reconcile(ctx context.Context, store Store, lease *Lease, r Run, clock func() time.Time) error {
	for try := 1; ; try++ {
		if r.State != Delivered && r.State != PartlyDelivered && r.State != Failed {
			return nil
		}
		deliveries, err := store.Deliveries(ctx, r.ID)
		if err != nil {
			return fmt.Errorf("reading the run's deliveries: %w", err)
		}
		t := count(deliveries)
		if len(deliveries) == 0 || t.open > 0 {
			return nil
		}
		before := r.State
		state, reason := t.outcome(r, len(deliveries))
		if state == before {
			return nil
		}
		if err := r.recount(state, reason); err != nil {
			return err
		}
		kind, notice := episodeBounced, failureNotice(r, deliveries)
		if state == Delivered || before == Failed {
			kind, notice = episodeRecovered+string(state), recoveredNotice(r, deliveries)
		}
		// The notice comes first: a crash in between tells it once all the same.
		if err := createNotices(ctx, store, lease, r.Site, noticesOfRun(r), episodeVersion(r), kind, r.Notify, notice, clock); err != nil {
			return err
		}
		_, err = store.UpdateRun(ctx, lease, r)
		if err == nil || problem.Is(err, problem.NotFound) {
			return nil
		}
		if !problem.Is(err, problem.Stale) || try == receiptTries {
			return fmt.Errorf("noting what became of the run's messages: %w", err)
		}
		if r, err = store.Run(ctx, r.ID); err != nil {
			return fmt.Errorf("reading the run: %w", err)
		}
	}
}
