package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

const (
	// sendDeadline is how long a send takes at most, where its channel has no time
	// of its own. A claim is renewed while a send takes longer, so that whoever
	// finds one that has run out knows that nothing is under way any more.
	sendDeadline = 60 * time.Second
	sendClaim    = 90 * time.Second
	claimRenew   = 30 * time.Second

	// unsureAnswered is the shortest wait for a message to turn up after an error
	// was answered: Amazon SES reports what it took within some seconds.
	unsureAnswered = 2 * time.Minute

	// unsureFor is how long the channel has to say that it has a message which
	// nobody answered for, before it is sent once more.
	unsureFor = 10 * time.Minute

	// longestUnsure is that time after several sends that nobody answered for.
	longestUnsure = time.Hour

	codeUnsure = "unsure" // of a delivery that may have been sent

	stoppedWhileSending = "vizpost stopped while it was being sent."

	sendsAtOnce   = 4
	maxRecipients = 50 // of one message (Amazon SES, Service quotas)
)

// message is a rendered message, ready to be sent once. Release gives back
// what it holds.
type message struct {
	send    func(context.Context, deliver.Begin) (deliver.Receipt, error)
	timeout time.Duration             // that the send takes at most
	size    int64                     // bytes of an email, at most
	carried int                       // files in an email
	leftOut []string                  // names of the files that it does not carry, since they are too large
	arrived func(ctx context.Context) // called once it is recorded that the channel accepted it; may be nil
	release func()
}

// errNoTime says that too little is left of the function's time for a send.
var errNoTime = errors.New("too little time is left for a send")

// plan gives the deliveries of a run, as its snapshot has them.
func plan(r Run, now time.Time) []Delivery {
	var all []Delivery
	for _, destination := range r.Destinations {
		base := Delivery{RunID: r.ID, Site: r.Site, DestinationID: destination.ID, Type: destination.Type}
		base.plan(now)
		base.PossibleRepeat = r.PossibleRepeat
		add := func(part string, to, cc, bcc []string) {
			d := base
			d.Key, d.To, d.Cc, d.Bcc = DeliveryKey(r.ID, destination.ID, part), to, cc, bcc
			if !slices.ContainsFunc(all, func(other Delivery) bool { return other.Key == d.Key }) {
				all = append(all, d)
			}
		}
		switch {
		case destination.Type == report.Slack:
			add("slack", nil, nil, nil)
		case destination.Together:
			for i, part := range together(destination) {
				add(fmt.Sprintf("together-%d", i+1), part[0], part[1], part[2])
			}
		default:
			for _, address := range destination.To {
				add(PartOf(address), []string{address}, nil, nil)
			}
		}
	}
	return all
}

// together splits To, Cc and Bcc of one message so that no part has more
// recipients than a message may have.
func together(d report.Destination) [][3][]string {
	var parts [][3][]string
	n := maxRecipients
	for kind, addresses := range [][]string{d.To, d.Cc, d.Bcc} {
		for _, address := range addresses {
			if n == maxRecipients {
				parts, n = append(parts, [3][]string{}), 0
			}
			last := &parts[len(parts)-1]
			last[kind] = append(last[kind], address)
			n++
		}
	}
	return parts
}

// deliverAll sends what the run still has to send. What becomes of each message
// is written to its delivery; one that fails does not stop the others. The last
// try of a run does not wait for the pauses of its messages.
func (d *drain) deliverAll(ctx context.Context, r Run, c connection.Connection, last bool) (Run, error) {
	if err := d.Store.CreateDeliveries(ctx, &d.lease, plan(r, d.Now())); err != nil {
		return r, fmt.Errorf("noting the deliveries: %w", err)
	}
	deliveries, err := d.Store.Deliveries(ctx, r.ID)
	if err != nil {
		return r, fmt.Errorf("reading the deliveries: %w", err)
	}
	var mu sync.Mutex
	var failures []error
	var group sync.WaitGroup
	room := make(chan struct{}, sendsAtOnce)
	for _, delivery := range deliveries {
		if delivery.State.Settled() {
			continue
		}
		if delivery.heal(d.Now()) {
			if delivery, err = d.Store.UpdateDelivery(ctx, &d.lease, delivery); err != nil {
				return r, fmt.Errorf("healing the times of a delivery: %w", err)
			}
		}
		if last {
			delivery.hurry(d.Now())
		}
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			err := d.deliver(ctx, delivery, func(ctx context.Context, delivery Delivery, maxBytes int64) (message, error) {
				return d.render(ctx, r, c, delivery, maxBytes)
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
			}
		})
	}
	group.Wait()
	if others := slices.DeleteFunc(slices.Clone(failures), func(err error) bool { return errors.Is(err, errNoTime) }); len(others) > 0 {
		failures = others
	}
	return r, errors.Join(failures...)
}

// rehearse renders all messages of a run and sends none.
func (d *drain) rehearse(ctx context.Context, r Run, c connection.Connection) error {
	for _, delivery := range plan(r, d.Now()) {
		m, err := d.render(ctx, r, c, delivery, 0)
		if unsendable(err) {
			return &neverError{message: text(err), err: err}
		}
		if err != nil {
			return err
		}
		m.release()
	}
	return nil
}

// renderer renders the message of a delivery. Where maxBytes is not 0, it has no
// more than so many, if leaving out files makes it so.
type renderer func(ctx context.Context, delivery Delivery, maxBytes int64) (message, error)

// deliver claims a delivery, sends its message and records the outcome. A send
// is not idempotent, so no claim is ever taken for a send that may be under
// way, and what nobody answered for is given time to turn up before it is sent
// once more. The error is one inside vizpost; the channel's is recorded.
func (d *drain) deliver(ctx context.Context, delivery Delivery, render renderer) error {
	now := d.Now()
	repeats := d.MailRepeats && delivery.Type == report.Email
	switch {
	case delivery.State == Sending && !repeats:
		if now.Before(delivery.ClaimedUntil) {
			return nil
		}
		// Its drain died between claim and record.
		if err := delivery.leaveOpen(now, unsureWait(delivery.Unanswered+1, false), codeUnsure, stoppedWhileSending); err != nil {
			return err
		}
		_, err := d.Store.UpdateDelivery(ctx, &d.lease, delivery)
		return err
	case delivery.State != Sending && now.Before(delivery.NotBefore):
		return nil
	}
	// A message that turns out to be too large is sent again without its largest
	// file, until it is taken or has no file left.
	for maxBytes := int64(0); ; {
		h, m, err := d.attempt(ctx, delivery, render, maxBytes)
		if err != nil || h.given || h.settled {
			return err
		}
		failure, ok := errors.AsType[*deliver.SendError](h.sendErr)
		if !ok || failure.Code != deliver.TooLarge || m.carried == 0 {
			ctx = context.WithoutCancel(ctx)
			if err := d.record(ctx, h.delivery, h.receipt, h.sendErr, repeats); err != nil {
				return err
			}
			if h.sendErr == nil && m.arrived != nil {
				m.arrived(ctx)
			}
			return nil
		}
		d.Log.Warn("a message is larger than its carrier takes", "delivery", delivery.Key, "bytes", m.size, "limit", failure.MaxBytes, "error", failure)
		maxBytes = m.size - 1
		if failure.MaxBytes > 0 {
			maxBytes = min(maxBytes, failure.MaxBytes)
		}
		if err := h.delivery.putOff(d.Now(), failure.Code, failure.Message); err != nil {
			return err
		}
		if delivery, err = d.Store.UpdateDelivery(ctx, &d.lease, h.delivery); err != nil {
			return fmt.Errorf("recording that a message is too large: %w", err)
		}
	}
}

// attempt renders and sends the message of a delivery once. Its outcome is not
// recorded yet, unless the message cannot be rendered.
func (d *drain) attempt(ctx context.Context, delivery Delivery, render renderer, maxBytes int64) (handed, message, error) {
	delivery.PossibleRepeat = delivery.mayHaveArrived() // the message says so
	if !d.fits(ctx, sendDeadline) {
		return handed{}, message{}, errNoTime // before anything is rendered in vain
	}
	m, err := render(ctx, delivery, maxBytes)
	if is[*damagedError](err) {
		return handed{}, m, err // the run has it exported again
	}
	if unsendable(err) {
		p, _ := problem.From(err)
		if err := delivery.refuse(p.Code, text(err)); err != nil {
			return handed{}, m, err
		}
		if _, err := d.Store.UpdateDelivery(ctx, &d.lease, delivery); err != nil || delivery.Type != report.Slack {
			return handed{settled: true}, m, err
		}
		return handed{settled: true}, m, d.noteDestination(ctx, delivery)
	}
	if err != nil {
		return handed{}, m, fmt.Errorf("rendering the message: %w", err)
	}
	defer m.release()
	delivery.LeftOut = m.leftOut
	if !d.fits(ctx, m.timeout) {
		return handed{}, m, errNoTime
	}
	if err := delivery.claim(d.Now().Add(sendClaim)); err != nil {
		return handed{}, m, err
	}
	h, err := d.hand(ctx, delivery, m)
	return h, m, err
}

// fits reports whether a send that takes so long at most ends before the
// function's time does.
func (d *drain) fits(ctx context.Context, timeout time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= timeout
}

// handed is what came of handing a message to its channel.
type handed struct {
	delivery Delivery // as it is claimed
	receipt  deliver.Receipt
	sendErr  error
	given    bool // the claim was given back, and nothing was sent
	settled  bool // the message cannot be rendered, which is recorded
}

// hand sends a message under the claim that the delivery holds already. The
// claim is written right before the message can arrive, and renewed until it is
// known whether it did: so a process that ends before costs the message nothing,
// and none that ends later leaves it for longer than a claim. The error is one
// of the claim, and then nothing was sent.
func (d *drain) hand(ctx context.Context, delivery Delivery, m message) (handed, error) {
	c := &claim{drain: d, delivery: delivery, ended: make(chan struct{})}
	sendCtx, cancel := untilStopped(ctx, m.timeout)
	receipt, sendErr := m.send(sendCtx, c.begin)
	cancel()
	h := handed{delivery: c.end(), receipt: receipt, sendErr: sendErr, given: c.given}
	return h, c.err
}

// claim is the claim on a message that is being sent.
type claim struct {
	drain *drain
	ended chan struct{} // closed when the send is over
	group sync.WaitGroup

	mu       sync.Mutex // only guards the delivery once the claim is renewed
	delivery Delivery
	given    bool
	err      error
}

// begin writes the claim.
func (c *claim) begin(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.drain
	c.delivery.begin(d.Now().Add(sendClaim))
	stored, err := d.Store.UpdateDelivery(ctx, &d.lease, c.delivery)
	if err != nil {
		c.err = fmt.Errorf("claiming the delivery: %w", err)
		return errors.Join(c.err, c.takeBack(ctx))
	}
	c.delivery = stored
	if d.Now().After(c.delivery.ClaimedUntil.Add(-sendDeadline)) {
		// The store was slow, or the process stood still: the claim might end
		// before the send does, and another send it too.
		c.err = c.unclaim(ctx, c.delivery)
		c.given = c.err == nil
		return errors.Join(errors.New("claiming the delivery took too long"), c.err)
	}
	c.group.Go(func() { c.renew(context.WithoutCancel(ctx)) })
	return nil
}

// unclaim gives a claim back: nothing was sent.
func (c *claim) unclaim(ctx context.Context, delivery Delivery) error {
	if err := delivery.unclaim(c.drain.Now()); err != nil {
		return err
	}
	_, err := c.drain.Store.UpdateDelivery(ctx, &c.drain.lease, delivery)
	return err
}

// takeBack gives a claim back whose write failed and was made all the same, as
// far as that can be told: else its message would be taken for one that may have
// been sent.
func (c *claim) takeBack(ctx context.Context) error {
	if errors.Is(c.err, ErrFenced) || problem.Is(c.err, problem.Stale) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	latest, err := c.drain.Store.Delivery(ctx, c.delivery.Key)
	if err != nil || latest.State != Sending || latest.Rev != c.delivery.Rev+1 || !latest.ClaimedUntil.Equal(c.delivery.ClaimedUntil) {
		return err
	}
	return c.unclaim(ctx, latest)
}

// renew keeps the claim until the send is over. That it is under way is a fact,
// whoever has the site by now.
func (c *claim) renew(ctx context.Context) {
	t := time.NewTicker(claimRenew)
	defer t.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-t.C:
		}
		c.mu.Lock()
		next := c.delivery
		next.begin(c.drain.Now().Add(sendClaim))
		renewCtx, cancel := context.WithTimeout(ctx, claimRenew)
		stored, err := c.drain.Store.UpdateDelivery(renewCtx, nil, next)
		cancel()
		if err == nil {
			c.delivery = stored
		}
		c.mu.Unlock()
		if problem.Is(err, problem.Stale) || problem.Is(err, problem.NotFound) {
			return // its channel has said more, or another took it for lost
		}
		if err != nil {
			c.drain.Log.Warn("the claim on a message was not renewed", "delivery", next.Key, "error", err)
		}
	}
}

// end ends the renewals and returns the delivery as it was written last.
func (c *claim) end() Delivery {
	close(c.ended)
	c.group.Wait()
	return c.delivery
}

// untilStopped gives a send's context. It ends with the work's, but not because
// the site went to another drain: the claim holds all the same, and to cut the
// send off would only leave open whether the message arrives.
func untilStopped(ctx context.Context, deadline time.Duration) (context.Context, context.CancelFunc) {
	sendCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(context.Cause(ctx), ErrFenced) {
			cancel()
		}
	})
	return sendCtx, func() { stop(); cancel() }
}

// unsendable reports whether a message that cannot be rendered never can.
func unsendable(err error) bool {
	return problem.Is(err, problem.Invalid) || problem.Is(err, problem.NotFound) || problem.Is(err, problem.Conflict)
}

// record writes what became of a send. That a message was accepted is written
// whoever has the site by now: it is a fact.
func (d *drain) record(ctx context.Context, delivery Delivery, receipt deliver.Receipt, sendErr error, repeats bool) error {
	now := d.Now()
	var failure *deliver.SendError
	switch {
	case sendErr == nil:
		return d.accepted(ctx, delivery, receipt, now)
	case !errors.As(sendErr, &failure):
		failure = &deliver.SendError{Outcome: deliver.Unknown, Code: codeUnsure, Message: "The message was sent without an answer.", Err: sendErr}
	}
	d.Log.Warn("a message was not accepted", "delivery", delivery.Key, "outcome", failure.Outcome, "error", failure)
	var err error
	switch {
	case failure.Outcome == deliver.Refused:
		err = delivery.refuse(failure.Code, failure.Message)
	case failure.Outcome == deliver.Deferred && len(failure.Rejected) > 0:
		delivery.reject(failure.Rejected)
		err = delivery.putOff(now.Add(max(retryAfter(delivery.Attempts), failure.RetryAfter)), delivery.Code, delivery.Message)
	case failure.Outcome == deliver.Deferred, repeats:
		err = delivery.putOff(now.Add(max(retryAfter(delivery.Attempts), failure.RetryAfter)), failure.Code, failure.Message)
	default:
		err = delivery.leaveOpen(now, unsureWait(delivery.Unanswered+1, failure.Answered), failure.Code, failure.Message)
	}
	if err != nil {
		return err
	}
	_, err = d.Store.UpdateDelivery(ctx, &d.lease, delivery)
	if problem.Is(err, problem.Stale) {
		// While nobody answered, the channel may have reported that it has it.
		if latest, readErr := d.Store.Delivery(ctx, delivery.Key); readErr == nil && latest.State.Settled() {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("recording that a message was not accepted: %w", err)
	}
	if failure.BreaksDestination && delivery.Type == report.Slack {
		return d.breakDestination(ctx, delivery, failure.Message)
	}
	return nil
}

// accepted writes that a message was accepted. Where that is known only after
// others have written what they knew, such as that the run ended without it, the
// run follows.
func (d *drain) accepted(ctx context.Context, delivery Delivery, receipt deliver.Receipt, at time.Time) error {
	for late := false; ; late = true {
		var err error
		if len(receipt.Rejected) == 0 {
			err = delivery.accept(at, receipt.ProviderID, receipt.Where)
		} else {
			d.Log.Warn("some recipients of a message were not accepted", "delivery", delivery.Key, "recipients", len(receipt.Rejected))
			err = delivery.acceptSome(at, receipt.ProviderID, receipt.Where, receipt.Rejected, at.Add(retryAfter(delivery.Attempts)))
		}
		if err != nil {
			return err
		}
		_, err = d.Store.UpdateDelivery(ctx, nil, delivery)
		if err == nil {
			d.worksAgain(ctx, channelOf(delivery))
		}
		if err == nil && late {
			return follow(ctx, d.Store, delivery.RunID, d.Now)
		}
		if !problem.Is(err, problem.Stale) {
			return err
		}
		latest, err := d.Store.Delivery(ctx, delivery.Key)
		if err != nil || latest.State.Taken() {
			return err // the channel's own word is later than ours
		}
		delivery = latest
	}
}

// breakDestination notes that a named destination refused for good, and tells.
func (d *drain) breakDestination(ctx context.Context, delivery Delivery, why string) error {
	r, id, err := d.namedDestination(ctx, delivery)
	if err != nil || id == "" {
		return err
	}
	if err := d.Destinations.Break(ctx, id, why); err != nil && !problem.Is(err, problem.NotFound) {
		return fmt.Errorf("noting that the destination is broken: %w", err)
	}
	return d.noteBrokenDestination(ctx, r, id)
}

// noteDestination tells that the named destination of a delivery is broken, if it
// is.
func (d *drain) noteDestination(ctx context.Context, delivery Delivery) error {
	r, id, err := d.namedDestination(ctx, delivery)
	if err != nil || id == "" {
		return err
	}
	return d.noteBrokenDestination(ctx, r, id)
}

// namedDestination gives the run of a delivery and the id of its named
// destination, "" if it has none.
func (d *drain) namedDestination(ctx context.Context, delivery Delivery) (Run, string, error) {
	r, err := d.Store.Run(ctx, delivery.RunID)
	if err != nil {
		return Run{}, "", fmt.Errorf("reading the run: %w", err)
	}
	for _, destination := range r.Destinations {
		if destination.ID == delivery.DestinationID {
			return r, destination.DestinationID, nil
		}
	}
	return r, "", nil
}

// render gives a run's delivery the form of its channel. Where maxBytes is not 0,
// an email has no more than so many, if leaving out files makes it so.
func (d *drain) render(ctx context.Context, r Run, c connection.Connection, delivery Delivery, maxBytes int64) (message, error) {
	i := slices.IndexFunc(r.Destinations, func(dest report.Destination) bool { return dest.ID == delivery.DestinationID })
	if i < 0 {
		return message{}, problem.Missing("destination", delivery.DestinationID)
	}
	destination := r.Destinations[i]
	files, noData, err := d.files(r, c)
	if err != nil {
		return message{}, err
	}
	e := env(r, c, files)
	post := deliver.Post{
		Key: delivery.Key, RunID: r.ID, ReportID: r.ReportID, ReportName: r.ReportName, ConnectionName: c.Name,
		ScheduledFor: r.ScheduledFor, Location: e.Location, StandsFor: r.StandsFor,
		PossibleRepeat: delivery.PossibleRepeat, Test: len(r.OnlyTo) > 0, Files: files, NoData: noData,
		Subject: destination.Subject, Body: destination.Body, Text: destination.Text,
	}
	if destination.Type == report.Slack {
		return d.slack(ctx, post, destination.DestinationID)
	}
	post.From, post.To, post.Cc, post.Bcc = d.MailFrom, delivery.To, delivery.Cc, delivery.Bcc
	post.UnsubscribeAddress, post.MaxBytes = d.Unsubscribe, maxBytes
	return d.email(ctx, post, map[string]string{"run": r.ID, "delivery": tag(delivery.Key)}, slices.Concat(delivery.Has, delivery.BouncedFrom))
}

// codeLeftOut is the code of a message that does not carry all of its files.
const codeLeftOut = "file_too_large"

// tooLarge names files that are too large for an email, as the end of a sentence.
func tooLarge(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	if len(names) == 1 {
		return quoted[0] + ", which is too large for an email."
	}
	return strings.Join(quoted, ", ") + ", which are too large for an email."
}

// tag makes a delivery's key fit for an SES message tag, which takes letters,
// digits, hyphens and underscores (Amazon SES API reference, MessageTag).
func tag(key string) string { return strings.ReplaceAll(key, ".", "_") }

// email renders an email. It is not sent to those of its recipients who have it
// already or were refused, while it says to all of them who they are.
func (d *drain) email(ctx context.Context, post deliver.Post, tags map[string]string, skip []string) (message, error) {
	email, err := d.Emails.Build(ctx, post)
	if err != nil {
		return message{}, err
	}
	if len(email.LeftOut) > 0 && len(email.LeftOut) == len(post.Files) {
		email.Release()
		return message{}, problem.Newf(problem.Conflict, codeLeftOut, "It was not sent, since nothing would have been in it but %s", tooLarge(email.LeftOut))
	}
	return message{
		leftOut: email.LeftOut,
		send: func(ctx context.Context, begin deliver.Begin) (deliver.Receipt, error) {
			e := email.Envelope(post.Key, tags)
			e.Begin = begin
			e.Recipients = slices.DeleteFunc(slices.Clone(e.Recipients), func(recipient string) bool { return address.Contains(skip, recipient) })
			return d.Mail.Send(ctx, e)
		},
		timeout: d.mailTimeout(email.Size), size: email.Size, carried: email.Carried,
		release: email.Release,
	}, nil
}

// mailTimeout is how long the carrier may take over an email.
func (d *drain) mailTimeout(bytes int64) time.Duration {
	if d.MailTimeout == nil {
		return sendDeadline
	}
	return d.MailTimeout(bytes)
}

func (d *drain) slack(ctx context.Context, post deliver.Post, destinationID string) (message, error) {
	webhook, destination, err := d.Destinations.Reveal(ctx, destinationID)
	if err != nil {
		return message{}, err
	}
	if destination.State == deliver.DestinationBroken {
		return message{}, problem.Newf(problem.Conflict, "destination_broken",
			"The Slack destination %q does not work: %s", destination.Name, destination.Problem)
	}
	body, err := deliver.BuildSlack(post)
	if err != nil {
		return message{}, err
	}
	return message{
		send: func(ctx context.Context, begin deliver.Begin) (deliver.Receipt, error) {
			return d.Slack.Post(ctx, webhook, body, begin)
		},
		arrived: func(ctx context.Context) {
			if destination.State != deliver.DestinationUntested {
				return
			}
			if err := d.Destinations.Works(ctx, destination); err != nil {
				d.Log.Warn("it was not noted that a destination works", "destination", destinationID, "error", err)
			}
		},
		timeout: sendDeadline,
		release: func() {},
	}, nil
}

// files returns a run's files as its messages carry them: one for each content,
// in its order, with names that differ. Those that are left out because they
// have no data come apart.
func (d *drain) files(r Run, c connection.Connection) (out, noData []deliver.File, err error) {
	taken := map[string]bool{}
	for _, what := range r.Content {
		key := ExportKey(what)
		i := slices.IndexFunc(r.Files, func(f File) bool { return f.Export == key })
		if i < 0 {
			return nil, nil, fmt.Errorf("the run has no file for its content %s", what.View)
		}
		f := r.Files[i]
		name, err := fileName(r, c, what, f)
		if err != nil {
			return nil, nil, problem.InvalidField("content", text(err))
		}
		if r.LeftOut(f) {
			noData = append(noData, deliver.File{Name: name, Format: f.Format, View: f.View, Workbook: f.Workbook})
			continue
		}
		out = append(out, deliver.File{
			Name: deliver.UniqueName(name, taken), Format: f.Format, ContentType: f.ContentType, Size: f.Size, Width: f.Width, Height: f.Height,
			View: f.View, Workbook: f.Workbook, ViewURL: f.ViewURL, Filters: f.Filters, VerifiedOn: f.VerifiedOn, ExportedAt: f.ExportedAt,
			Open: func(ctx context.Context) (io.ReadCloser, error) { return openExported(ctx, d.Files, f) },
		})
	}
	return out, noData, nil
}

// env is what the run's templates may name.
func env(r Run, c connection.Connection, files []deliver.File) deliver.Env {
	location, err := time.LoadLocation(r.TimeZone)
	if err != nil {
		location = time.UTC
	}
	return deliver.Env{
		ReportID: r.ReportID, ReportName: r.ReportName, RunID: r.ID, ConnectionName: c.Name,
		ScheduledFor: r.ScheduledFor, Location: location, StandsFor: r.StandsFor, Test: len(r.OnlyTo) > 0, Files: files,
	}
}
