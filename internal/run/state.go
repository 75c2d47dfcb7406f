package run

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/report"
)

// This file holds all that moves a run or a delivery from one state to another:
// a table of what may follow what, and a method for each event. Nothing else in
// this package assigns a State.

// event is what happens to a run or to a delivery.
type event string

// The events of a run.
const (
	onTake    event = "taken in hand"   //
	onPutBack event = "put back"        // for a later try
	onEnding  event = "about to end"    // once nothing of it is under way
	onHold    event = "held"            // its connection is broken
	onRelease event = "released"        // its connection works again
	onEnd     event = "ended"           // as far as vizpost can tell
	onRecount event = "counted again"   // evidence changed what became of its messages
	onRetry   event = "retried by hand" //
)

// The events of a delivery.
const (
	onClaim    event = "claimed"      // it is about to be sent
	onUnclaim  event = "unclaimed"    // the send was not begun
	onAccept   event = "accepted"     //
	onPutOff   event = "put off"      // it was not taken, but may be later
	onRefuse   event = "refused"      // for good, by the channel or because it cannot be rendered
	onNoAnswer event = "not answered" // it may have been sent
	onGiveUp   event = "given up"     // its run ends
	onFind     event = "found"        // evidence that it was sent
	onConfirm  event = "confirmed"    //
	onBounce   event = "bounced"      //
	onPart     event = "sent to some" // and not to be sent to the others
	onWithdraw event = "withdrawn"    // of a notice: its reason is gone, or others are told
	onKeep     event = "kept"         // of a notice: to be looked at later
	onRevive   event = "made again"   // of a notice
)

// runMoves is what may become of a run in a state.
var runMoves = map[State]map[event][]State{
	Queued: {onTake: {Running}, onPutBack: {Queued}, onEnding: {Queued}, onHold: {Held},
		onEnd: {Delivered, PartlyDelivered, Failed, Skipped}},
	Running: {onTake: {Running}, onPutBack: {Queued}, onEnding: {Queued}, onHold: {Held},
		onEnd: {Delivered, PartlyDelivered, Failed, Skipped}},
	Held:            {onEnding: {Queued}, onRelease: {Queued}, onEnd: {PartlyDelivered, Failed, Skipped}},
	Delivered:       {onRecount: {Delivered, PartlyDelivered, Failed}},
	PartlyDelivered: {onRecount: {Delivered, PartlyDelivered, Failed}, onRetry: {Queued}},
	Failed:          {onRecount: {Delivered, PartlyDelivered, Failed}, onRetry: {Queued}},
	Skipped:         {},
}

// deliveryMoves is what becomes of a delivery in a state. A claim of one in
// [Sending] takes over a claim, where sending again does no harm. [Sending] never
// ends with its run, and [Unsure] only after the wait for evidence. Proof that a
// message was taken counts in every state.
var deliveryMoves = map[DeliveryState]map[event]DeliveryState{
	Waiting: {onClaim: Sending, onAccept: Sent, onRefuse: DeliveryFailed, onGiveUp: DeliveryFailed, onFind: Sent, onPart: Bounced,
		onWithdraw: Withdrawn, onKeep: Waiting},
	Sending: {onClaim: Sending, onUnclaim: Waiting, onAccept: Sent, onPutOff: Waiting, onRefuse: DeliveryFailed, onNoAnswer: Unsure,
		onFind: Sent, onPart: Bounced, onWithdraw: Withdrawn, onKeep: Waiting},
	Unsure: {onClaim: Sending, onAccept: Sent, onRefuse: DeliveryFailed, onGiveUp: DeliveryFailed, onFind: Sent, onPart: Bounced,
		onWithdraw: Withdrawn, onKeep: Waiting},
	Sent:           {onConfirm: Confirmed, onBounce: Bounced},
	Confirmed:      {onConfirm: Confirmed, onBounce: Bounced},
	Bounced:        {onFind: Sent, onBounce: Bounced, onRetry: Waiting, onRevive: Waiting},
	DeliveryFailed: {onAccept: Sent, onFind: Sent, onPart: Bounced, onRetry: Waiting, onRevive: Waiting},
	Withdrawn:      {onAccept: Sent, onFind: Sent, onRevive: Waiting},
}

// move moves a run if what happens to it may lead there.
func (r *Run) move(e event, to State) error {
	if !slices.Contains(runMoves[r.State][e], to) {
		return fmt.Errorf("run %s is %q and cannot be %s and then %s", r.ID, r.State, e, to)
	}
	r.State = to
	return nil
}

// move moves a delivery if what happens to it may happen.
func (d *Delivery) move(e event) error {
	to, ok := deliveryMoves[d.State][e]
	if !ok {
		return fmt.Errorf("delivery %s is %q and cannot be %s", d.Key, d.State, e)
	}
	d.State = to
	return nil
}

// queue begins a run.
func (r *Run) queue(now time.Time) {
	r.State, r.NotBefore, r.CreatedAt, r.Deadline = Queued, now, now, now.Add(report.DefaultDeadline)
}

// miss begins and ends a run that stands for what is not to be caught up on.
func (r *Run) miss(now time.Time, reason string) {
	r.queue(now)
	r.State, r.Reason, r.FinishedAt = Skipped, reason, now
}

// take takes a run in hand. Its time begins when that is done first, however
// long it lay.
func (r *Run) take(now time.Time, worked time.Duration) error {
	if r.StartedAt.IsZero() {
		r.StartedAt, r.Deadline = now, now.Add(report.DefaultDeadline)
	}
	if r.Begun == 0 || worked < r.Begun {
		r.Begun = worked
	}
	r.WaitsFor = ""
	return r.move(onTake, Running)
}

// putBack queues a run for later.
func (r *Run) putBack(at time.Time, reason string) error {
	r.NotBefore, r.Reason = at, reason
	return r.move(onPutBack, Queued)
}

// endAs has a run end once nothing of it is under way any more: it is looked at
// again at a time, and sends nothing new.
func (r *Run) endAs(as State, reason string, at time.Time) error {
	if r.State == Held {
		r.ReleasedAt = at
	}
	r.Ending, r.Reason, r.NotBefore = as, reason, at
	return r.move(onEnding, Queued)
}

// hold puts a run aside.
func (r *Run) hold(now time.Time, reason string) error {
	r.HeldAt, r.ReleasedAt, r.Reason = now, time.Time{}, reason
	return r.move(onHold, Held)
}

// release queues a run that was held, with all its time before it.
func (r *Run) release(now time.Time) error {
	r.NotBefore, r.Deadline, r.ReleasedAt, r.Reason = now, now.Add(report.DefaultDeadline), now, standsForReason(*r)
	r.Attempts, r.Resumed, r.Begun = 0, 0, 0
	return r.move(onRelease, Queued)
}

// end ends a run.
func (r *Run) end(as State, reason string, now time.Time) error {
	if r.State == Held {
		r.ReleasedAt = now
	}
	r.Reason, r.FinishedAt, r.Ending = reason, now, ""
	return r.move(onEnd, as)
}

// recount has a run that has ended follow its messages.
func (r *Run) recount(as State, reason string) error {
	r.Reason = reason
	return r.move(onRecount, as)
}

// retry queues a run that has ended again, with all its time before it.
func (r *Run) retry(now time.Time) error {
	r.NotBefore, r.Deadline, r.FinishedAt, r.Reason = now, now.Add(report.DefaultDeadline), time.Time{}, "Tried again by hand."
	r.Attempts, r.Resumed, r.Begun, r.Ending = 0, 0, 0, ""
	return r.move(onRetry, Queued)
}

// plan begins a delivery.
func (d *Delivery) plan(now time.Time) { d.State, d.NotBefore, d.CreatedAt = Waiting, now, now }

// claim is written before a message is sent. One that may have been sent before
// is marked from now on.
func (d *Delivery) claim(until time.Time) error {
	d.PossibleRepeat = d.mayHaveArrived()
	d.ClaimedUntil, d.NotBefore = until, until // nobody has anything to do until then
	d.Attempts++
	return d.move(onClaim)
}

// unclaim gives a claim back whose send was not begun.
func (d *Delivery) unclaim(at time.Time) error {
	d.NotBefore, d.ClaimedUntil = at, time.Time{}
	d.Attempts--
	return d.move(onUnclaim)
}

// accept notes that the channel has the message for all of its recipients, but
// for those that were refused before.
func (d *Delivery) accept(at time.Time, providerID, where string) error {
	d.SentAt, d.Code, d.Message = at, "", ""
	d.ProviderID, d.Where, d.ClaimedUntil = providerID, where, time.Time{}
	d.noteLeftOut()
	if len(d.BouncedFrom) > 0 {
		d.give(d.rest())
		return d.part("", "")
	}
	d.Has, d.Rejections = nil, nil
	return d.move(onAccept)
}

// acceptSome notes that the channel has the message for all that it was sent to
// but those that were rejected. Those of them that it may accept later get it
// then, and nobody else does.
func (d *Delivery) acceptSome(at time.Time, providerID, where string, rejected []deliver.Rejection, again time.Time) error {
	d.give(slices.DeleteFunc(d.rest(), func(to string) bool {
		return slices.ContainsFunc(rejected, func(r deliver.Rejection) bool { return address.Key(r.Recipient) == address.Key(to) })
	}))
	d.reject(rejected)
	d.SentAt, d.ProviderID, d.Where = at, providerID, where
	open := len(d.rest()) > 0
	switch {
	case open && d.State == Sending:
		return d.putOff(again, d.Code, d.Message)
	case open && !d.State.Settled(): // another has it in hand again
		return nil
	}
	return d.part("", "")
}

// give notes that recipients have the message.
func (d *Delivery) give(to []string) {
	d.Has = append(slices.Clone(d.Has), to...)
	d.Rejections = slices.DeleteFunc(slices.Clone(d.Rejections), func(r Rejection) bool { return address.Contains(to, r.To) })
}

// reject notes what was said of recipients that were not accepted.
func (d *Delivery) reject(rejected []deliver.Rejection) {
	for _, r := range rejected {
		d.Rejections = slices.DeleteFunc(slices.Clone(d.Rejections), func(old Rejection) bool { return address.Key(old.To) == address.Key(r.Recipient) })
		d.Rejections = append(d.Rejections, Rejection{To: r.Recipient, Code: r.Code, Message: r.Message})
		if r.Outcome == deliver.Refused && !address.Contains(d.BouncedFrom, r.Recipient) {
			d.BouncedFrom = append(slices.Clone(d.BouncedFrom), r.Recipient)
		}
	}
	d.Code, d.Message = d.rejections()
}

// rejections puts together what was said of the recipients that were not accepted.
func (d *Delivery) rejections() (code, message string) {
	said := make([]string, len(d.Rejections))
	for i, r := range d.Rejections {
		code, said[i] = r.Code, r.To+": "+r.Message
	}
	return code, strings.Join(said, " ")
}

// rest gives the recipients that are still to get the message.
func (d *Delivery) rest() []string {
	return slices.DeleteFunc(d.addresses(), func(to string) bool { return address.Contains(d.Has, to) || address.Contains(d.BouncedFrom, to) })
}

// part ends a delivery that some of its recipients have and the others are not to
// get. Without a code and message they are those of the recipients.
func (d *Delivery) part(code, message string) error {
	d.BouncedFrom = append(slices.Clone(d.BouncedFrom), d.rest()...)
	if d.Code, d.Message = code, message; code == "" {
		d.Code, d.Message = d.rejections()
	}
	d.Has, d.ClaimedUntil = nil, time.Time{}
	return d.move(onPart)
}

// fail ends a delivery that was not sent to those who do not have it.
func (d *Delivery) fail(e event) error {
	if len(d.Has) > 0 {
		return d.part(d.Code, d.Message)
	}
	d.BouncedFrom, d.Rejections = nil, nil
	return d.move(e)
}

// noteLeftOut says of a message that was sent which files it does not carry.
func (d *Delivery) noteLeftOut() {
	if len(d.LeftOut) > 0 {
		d.Code, d.Message = codeLeftOut, "It was sent without "+tooLarge(d.LeftOut)
	}
}

// putOff notes that the message was not taken, but may be later.
func (d *Delivery) putOff(until time.Time, code, message string) error {
	d.NotBefore, d.ClaimedUntil, d.Code, d.Message = until, time.Time{}, code, message
	return d.move(onPutOff)
}

// refuse notes that the message is not taken for good, or cannot be made.
func (d *Delivery) refuse(code, message string) error {
	d.PossibleRepeat = d.mayHaveArrived()
	d.ClaimedUntil, d.Code, d.Message = time.Time{}, code, message
	return d.fail(onRefuse)
}

// leaveOpen notes that it is not known of a message whether it was sent. If
// nothing shows within a while that it arrived it is sent once more, marked; see
// [unsureWait].
func (d *Delivery) leaveOpen(now time.Time, wait time.Duration, code, message string) error {
	d.Unanswered++
	d.NotBefore, d.ClaimedUntil = now.Add(wait), time.Time{}
	d.Code, d.Message = code, message
	return d.move(onNoAnswer)
}

// unsureWait is how long a message of which it is not known whether it was sent
// has to turn up before it is sent once more, after so many such sends: where
// nobody answered 10, 20, 40 minutes, and then an hour each time. An error that
// was answered makes it unlikely that the message was sent.
func unsureWait(times int, answered bool) time.Duration {
	if answered {
		return max(retryAfter(times), unsureAnswered)
	}
	return min(unsureFor<<min(max(times-1, 0), 3), longestUnsure)
}

// begin moves the end of a claim to where it counts from: the message is about
// to be handed over.
func (d *Delivery) begin(until time.Time) { d.ClaimedUntil, d.NotBefore = until, until }

// giveUp ends a delivery whose run ends, if nothing of it is under way. What may
// have been sent is waited for first. It reports whether that changed anything.
func (d *Delivery) giveUp(now time.Time, reason string) (bool, error) {
	switch {
	case d.State == Sending && now.Before(d.ClaimedUntil), d.State == Unsure && now.Before(d.NotBefore):
		return false, nil
	case d.State == Sending:
		return true, d.leaveOpen(now, unsureWait(d.Unanswered+1, false), codeUnsure, stoppedWhileSending)
	case d.State.Settled():
		return false, nil
	case d.mayHaveArrived():
		d.PossibleRepeat, d.Code = true, codeUnsure
		d.Message = strings.TrimSpace("It was sent without an answer and may have arrived. Ask the recipient before you retry the run. " + d.Message)
	case !strings.Contains(reason, d.Message):
		d.Message = reason + " " + d.Message // the channel's own words
	default:
		d.Message = reason
	}
	return true, d.fail(onGiveUp)
}

// hurry has a delivery tried now in the last try of its run, whatever is left of
// its pause. One that may have been sent keeps the time that its channel has to
// say so.
func (d *Delivery) hurry(now time.Time) {
	switch {
	case !now.Before(d.NotBefore):
	case d.State == Waiting:
		d.NotBefore = now
	case d.State == Unsure && !now.Before(d.NotBefore.Add(unsureFor-unsureWait(d.Unanswered, false))):
		d.NotBefore = now
	}
}

// mayHaveArrived reports whether an earlier send was left without an answer.
func (d *Delivery) mayHaveArrived() bool {
	return d.PossibleRepeat || d.Unanswered > 0 || d.State == Unsure
}

// retry queues a delivery that failed or came back.
func (d *Delivery) retry(now time.Time) error {
	if d.State == Bounced { // whom it did not come back from has it
		d.Has = slices.DeleteFunc(d.addresses(), func(to string) bool { return address.Contains(d.BouncedFrom, to) })
	}
	d.Attempts, d.NotBefore, d.BouncedFrom, d.Rejections = 0, now, nil, nil
	d.PossibleRepeat = d.mayHaveArrived()
	return d.move(onRetry)
}

// find notes evidence that the message was sent.
func (d *Delivery) find(at time.Time, providerID string) error {
	d.SentAt, d.ProviderID, d.Code, d.Message, d.ClaimedUntil, d.BouncedFrom = at, providerID, "", "", time.Time{}, nil
	d.noteLeftOut()
	return d.move(onFind)
}

// confirm notes that the message arrived, and with what remark.
func (d *Delivery) confirm(code, message string) error {
	d.Code, d.Message = code, message
	return d.move(onConfirm)
}

// bounce notes that the message came back from some of its recipients.
func (d *Delivery) bounce(from []string, code, message string) error {
	d.BouncedFrom, d.Code, d.Message = append(d.BouncedFrom, from...), code, message
	return d.move(onBounce)
}

// withdraw ends a notice that is not to be sent any more.
func (d *Delivery) withdraw(why string) error {
	d.ClaimedUntil, d.Message = time.Time{}, why
	return d.move(onWithdraw)
}

// keep has a notice looked at again at a time.
func (d *Delivery) keep(until time.Time) error {
	d.NotBefore, d.ClaimedUntil = until, time.Time{}
	return d.move(onKeep)
}

// revive begins a notice again that was settled.
func (d *Delivery) revive(now time.Time) error {
	d.NotBefore, d.ClaimedUntil, d.Attempts = now, time.Time{}, 0
	return d.move(onRevive)
}
