package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

const (
	// noticeClaim is more than any claim on a notice runs for, those of earlier
	// versions among them.
	noticeClaim = 12 * time.Minute

	undeliverablePause = 24 * time.Hour // before a notice that nobody can be sent is tried again
	mendedLook         = 24 * time.Hour // at a connection that nobody said was mended
)

// noticePauses are the pauses after tries of a notice that were put off, and
// unsurePauses those after tries that nobody answered: to send a notice once
// more does no harm, but it should not come each hour. The last ones go on.
var (
	noticePauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}
	unsurePauses = [...]time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}
)

func pauseOf(pauses []time.Duration, attempts int) time.Duration {
	return pauses[min(max(attempts, 1), len(pauses))-1]
}

// Alerts are the people who are told when something is wrong.
type Alerts struct {
	To    []string
	Level Level // whose addresses they are; "" when there are none
}

// AlertsOf says who is told of what goes wrong with a report: its own
// addresses, else its connection's, else the installation's administrators.
// Addresses that no mail can be sent to do not count. Of a connection, report
// is nil.
func AlertsOf(report, connection, administrators []string) Alerts {
	for _, level := range []struct {
		of Level
		to []string
	}{{OfReport, report}, {OfConnection, connection}, {OfAdministrators, administrators}} {
		if to := reachable(level.to); len(to) > 0 {
			return Alerts{To: to, Level: level.of}
		}
	}
	return Alerts{}
}

// reachable returns those of the addresses that mail can be sent to. What was
// stored by an earlier version may hold others.
func reachable(entries []string) []string {
	var to []string
	for _, entry := range entries {
		if parsed, err := address.Parse(entry); err == nil && !address.Contains(to, parsed) {
			to = append(to, parsed)
		}
	}
	return to
}

// createNotices makes the deliveries of a notice, one to each address. Without
// an address that can be reached it makes one to nobody: whoever is to send it
// looks for the connection's people and the administrators.
func createNotices(ctx context.Context, store Store, lease *Lease, site, what, version, kind string, to []string, n Notice, clock func() time.Time) error {
	now := clock()
	n.What, n.Version, n.Episode = what, version, kind
	recipients := reachable(to)
	if len(recipients) == 0 {
		recipients = []string{""}
	}
	deliveries := make([]Delivery, len(recipients))
	for i, address := range recipients {
		notice := n
		deliveries[i] = Delivery{Key: NoticeKey(what, version, kind, address), Site: site, Type: report.Email,
			Notice: &notice}
		deliveries[i].plan(now)
		if address != "" {
			deliveries[i].To = []string{address}
		}
	}
	if err := store.CreateDeliveries(ctx, lease, deliveries); err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	return nil
}

// sendNotice tries a notice, unless its reason is gone. What becomes of it is
// written to it.
func (d *drain) sendNotice(ctx context.Context, key string) error {
	delivery, err := d.Store.Delivery(ctx, key)
	if err != nil {
		return fmt.Errorf("reading the notice: %w", err)
	}
	now := d.Now()
	switch {
	case delivery.State.Settled():
		return nil
	case delivery.State == Sending && !d.MailRepeats && now.Before(delivery.ClaimedUntil) && delivery.ClaimedUntil.Sub(now) <= noticeClaim:
		return nil // another is at it
	case delivery.State != Sending && now.Before(delivery.NotBefore):
		return nil
	}
	if delivery.State == Sending && !d.MailRepeats {
		delivery.Unanswered++ // whoever claimed it did not come back
	}
	n := *delivery.Notice
	delivery.Notice = &n
	if n.Found != "" {
		return d.noticeFound(ctx, delivery)
	}
	verdict, err := d.standing(ctx, delivery)
	switch {
	case err != nil:
		return err
	case verdict.gone != "":
		return d.withdraw(ctx, delivery, verdict.gone)
	case verdict.wait:
		return d.keepNotice(ctx, delivery, now.Add(mendedLook))
	case len(delivery.To) == 0 || n.Refused:
		return d.tellOthers(ctx, delivery)
	}

	if !d.fits(ctx, sendDeadline) {
		d.late.Store(true)
		return nil
	}
	if err := delivery.claim(now.Add(sendClaim)); err != nil {
		return err
	}
	m, err := d.email(ctx, d.noticePost(ctx, delivery), map[string]string{"notice": noticeTag(delivery.Key)}, nil)
	if unsendable(err) {
		p, _ := problem.From(err)
		delivery.Code, delivery.Message = p.Code, text(err)
		return d.tellOthers(ctx, delivery)
	}
	if err != nil {
		return fmt.Errorf("rendering a notice: %w", err)
	}
	defer m.release()
	if !d.fits(ctx, m.timeout) {
		d.late.Store(true)
		return nil
	}
	h, err := d.hand(ctx, delivery, m)
	if err != nil || h.given {
		return err
	}
	return d.noticeSent(context.WithoutCancel(ctx), h.delivery, h.receipt, h.sendErr)
}

// noticeFound notes that a notice was taken which nobody had answered for.
func (d *drain) noticeFound(ctx context.Context, delivery Delivery) error {
	if err := d.followUp(ctx, delivery); err != nil {
		return err
	}
	if err := delivery.find(d.Now(), delivery.ProviderID); err != nil {
		return err
	}
	if delivery.Notice.Found == MailDelivered {
		if err := delivery.confirm("", ""); err != nil {
			return err
		}
	}
	return d.writeNotice(ctx, delivery)
}

// noticeSent writes what became of a try of a notice.
func (d *drain) noticeSent(ctx context.Context, delivery Delivery, receipt deliver.Receipt, err error) error {
	now := d.Now()
	if err == nil {
		if err := d.followUp(ctx, delivery); err != nil {
			return err
		}
		for {
			if err := delivery.accept(now, receipt.ProviderID, receipt.Where); err != nil {
				return err
			}
			// Whoever has the site by now, and has written since: it is a fact.
			_, err := d.Store.UpdateDelivery(ctx, nil, delivery)
			if !problem.Is(err, problem.Stale) {
				return err
			}
			latest, err := d.Store.Delivery(ctx, delivery.Key)
			if err != nil || latest.State.Taken() {
				return err
			}
			delivery = latest
		}
	}
	var failure *deliver.SendError
	if !errors.As(err, &failure) {
		failure = &deliver.SendError{Outcome: deliver.Unknown, Code: "unsure", Message: "The message was sent without an answer.", Err: err}
	}
	d.Log.Warn("a notice was not accepted", "notice", delivery.Key, "outcome", failure.Outcome, "attempts", delivery.Attempts, "error", failure)
	switch {
	case failure.Outcome == deliver.Refused:
		delivery.Code, delivery.Message = failure.Code, failure.Message
		return d.tellOthers(ctx, delivery)
	case failure.Outcome == deliver.Deferred || d.MailRepeats:
		pause := max(pauseOf(noticePauses[:], delivery.Attempts), failure.RetryAfter)
		err = delivery.putOff(now.Add(pause), failure.Code, failure.Message)
	default:
		pauses := unsurePauses[:]
		if failure.Answered {
			pauses = noticePauses[:]
		}
		err = delivery.leaveOpen(now, pauseOf(pauses, delivery.Unanswered+1), failure.Code, failure.Message)
	}
	if err != nil {
		return err
	}
	return d.writeNotice(ctx, delivery)
}

// keepNotice has a notice looked at again at a time.
func (d *drain) keepNotice(ctx context.Context, delivery Delivery, until time.Time) error {
	if err := delivery.keep(until); err != nil {
		return err
	}
	return d.writeNotice(ctx, delivery)
}

func (d *drain) writeNotice(ctx context.Context, delivery Delivery) error {
	if _, err := d.Store.UpdateDelivery(ctx, &d.lease, delivery); err != nil {
		return fmt.Errorf("writing what became of a notice: %w", err)
	}
	return nil
}

// withdraw ends a notice that is not to be sent any more.
func (d *drain) withdraw(ctx context.Context, delivery Delivery, why string) error {
	if err := delivery.withdraw(why); err != nil {
		return err
	}
	return d.writeNotice(ctx, delivery)
}

// tellOthers passes a notice on whose recipient cannot be reached, or that has
// none, to the next level. If there is none, it stays, is shown to people, and
// is tried again each day.
func (d *drain) tellOthers(ctx context.Context, delivery Delivery) error {
	n := *delivery.Notice
	n.Refused = len(delivery.To) > 0
	delivery.Notice = &n
	levels, err := d.levels(ctx, n)
	if err != nil {
		return err
	}
	for _, level := range levels {
		var others []string
		for _, other := range level.To {
			if !address.Contains(delivery.To, other) {
				others = append(others, other)
			}
		}
		if len(others) == 0 {
			continue
		}
		passed := n
		passed.Level, passed.Refused, passed.Undeliverable = level.Level, false, false
		if n.Refused {
			passed.Text = strings.TrimSpace(passed.Text) + fmt.Sprintf("\n\nThis message was meant for %s, where it was refused: %s",
				strings.Join(delivery.To, ", "), delivery.Message)
		}
		if err := createNotices(ctx, d.Store, &d.lease, delivery.Site, n.What, n.Version, n.Episode, others, passed, d.Now); err != nil {
			return err
		}
		d.Log.Warn("a notice goes to others, since its recipients cannot be reached", "notice", delivery.Key, "to", level.Level, "reason", delivery.Message)
		if n.Refused {
			if err := delivery.refuse(delivery.Code, delivery.Message); err != nil {
				return err
			}
			return d.writeNotice(ctx, delivery)
		}
		return d.withdraw(ctx, delivery, "Others are told.")
	}
	if n.Kind == RunRecovered || n.Kind == DestinationMended {
		return d.withdraw(ctx, delivery, "Nobody is to be told.") // good news that nobody waits for
	}
	if !n.Undeliverable {
		d.Log.Error("nobody can be told: enter an address in the report, in its connection, or in VIZPOST_ADMINS",
			"notice", delivery.Key, "subject", n.Subject, "reason", delivery.Message)
		if err := d.supersede(ctx, delivery); err != nil {
			return err
		}
	}
	if len(delivery.To) == 0 {
		delivery.Code, delivery.Message = "nobody", "No address is entered in the report, in its connection, or for the installation's administrators."
		if n.ReportID == "" {
			delivery.Message = "No address is entered in the connection or for the installation's administrators."
		}
	}
	// One that was refused is tried again from its own recipient on.
	n.Undeliverable, n.Refused = true, false
	return d.keepNotice(ctx, delivery, d.Now().Add(undeliverablePause))
}

// levels returns the people who come after a notice's own recipients.
func (d *drain) levels(ctx context.Context, n Notice) ([]Alerts, error) {
	var levels []Alerts
	if n.ConnectionID != "" && n.Level != OfAdministrators && n.Level != OfConnection {
		c, err := d.Connections.Get(ctx, n.ConnectionID)
		if err != nil && !problem.Is(err, problem.NotFound) {
			return nil, fmt.Errorf("reading the connection: %w", err)
		}
		if to := reachable(c.Notify); err == nil && len(to) > 0 {
			levels = append(levels, Alerts{To: to, Level: OfConnection})
		}
	}
	if to := reachable(d.Administrators); n.Level != OfAdministrators && len(to) > 0 {
		levels = append(levels, Alerts{To: to, Level: OfAdministrators})
	}
	return levels, nil
}

// supersede withdraws older notices to nobody about the same report or
// connection: one is enough to be shown.
func (d *drain) supersede(ctx context.Context, delivery Delivery) error {
	what, _, _ := strings.Cut(delivery.Notice.What, ".") // the report, of a run
	after := ""
	for {
		list, next, err := d.Store.OpenNotices(ctx, NoticesOf(what), after, 100)
		if err != nil {
			return fmt.Errorf("reading notices: %w", err)
		}
		for _, other := range list {
			if other.Key == delivery.Key || len(other.To) > 0 || other.Notice.Kind != delivery.Notice.Kind || !other.Notice.Undeliverable {
				continue
			}
			if err := d.withdraw(ctx, other, "A later notice says the same."); err != nil && !problem.Is(err, problem.Stale) {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// standing is whether a notice is still to be sent.
type standing struct {
	gone string // why not; "" if it is
	wait bool   // not yet
}

// standing looks whether the reason of a notice is still there.
func (d *drain) standing(ctx context.Context, delivery Delivery) (standing, error) {
	n := *delivery.Notice
	switch n.Kind {
	case ConnectionBroken, ConnectionMended, TokenEnds:
		c, err := d.Connections.Get(ctx, n.ConnectionID)
		if problem.Is(err, problem.NotFound) {
			return standing{gone: "The connection was deleted."}, nil
		}
		if err != nil {
			return standing{}, fmt.Errorf("reading the connection: %w", err)
		}
		return ofConnection(n, c, d.Now()), nil
	case DestinationBroken, DestinationMended:
		return d.ofDestination(ctx, n)
	case RunFailed, RunRecovered, RunEmpty, RunLate, ReportOverdue, FiltersUnknown:
		r, err := d.Reports.Report(ctx, n.ReportID)
		switch {
		case problem.Is(err, problem.NotFound) && n.Kind == RunFailed && !n.Undeliverable:
			return d.ofRun(ctx, delivery) // the deletion itself may be what it tells of
		case problem.Is(err, problem.NotFound):
			return standing{gone: "The report was deleted."}, nil
		case err != nil:
			return standing{}, fmt.Errorf("reading the report: %w", err)
		}
		if n.Kind == FiltersUnknown {
			return standing{}, nil
		}
		if n.Kind == ReportOverdue {
			if !r.Enabled || overdueEpisode(r) != n.Episode {
				return standing{gone: "The report has run, or was changed."}, nil
			}
			return standing{}, nil
		}
		return d.ofRun(ctx, delivery)
	}
	return standing{}, nil
}

func ofConnection(n Notice, c connection.Connection, now time.Time) standing {
	switch n.Kind {
	case ConnectionBroken:
		if problemEpisode(c) != n.Episode {
			return standing{gone: "The problem is over."}
		}
	case ConnectionMended:
		return standing{wait: !c.State.Works()}
	case TokenEnds:
		if w, due := c.Warn(now); !due || w.Of != n.Version || w.Kind != n.Episode {
			return standing{gone: "The token was replaced, or people are told by a later notice."}
		}
	}
	return standing{}
}

func (d *drain) ofRun(ctx context.Context, delivery Delivery) (standing, error) {
	n := *delivery.Notice
	r, err := d.Store.Run(ctx, n.RunID)
	switch {
	case problem.Is(err, problem.NotFound): // its history is no longer kept
		return standing{}, nil
	case err != nil:
		return standing{}, fmt.Errorf("reading the run: %w", err)
	case n.Kind == RunRecovered:
		return d.ofRecovered(ctx, delivery, r)
	case n.Kind == RunFailed && n.Episode == string(Failed) && r.State == PartlyDelivered:
		return standing{gone: "Another notice says what was delivered after all."}, nil
	case n.Kind == RunLate && (r.State == Failed || r.State == PartlyDelivered):
		return standing{gone: "Another notice says what was not delivered."}, nil
	case n.Kind == RunLate && r.State == Skipped:
		return standing{gone: "The run was not sent."}, nil
	case n.Kind == RunLate && !n.Undeliverable:
		return standing{}, nil // also of one that was delivered since: its people may have missed it
	case r.State == Delivered:
		return standing{gone: "The run was delivered after all."}, nil
	case !n.Undeliverable:
		return standing{}, nil
	}
	// What nobody could be told of is of no interest once the report runs again.
	newest, _, err := d.Store.Runs(ctx, Filter{ReportID: n.ReportID}, "", 1)
	if err != nil {
		return standing{}, fmt.Errorf("reading the report's runs: %w", err)
	}
	if len(newest) > 0 && newest[0].State == Delivered {
		return standing{gone: "The report has been delivered since."}, nil
	}
	return standing{}, nil
}

// ofRecovered says whether the recipient of a notice is to hear that a run was
// delivered after all: they are if they were told that it was not, or if some of
// it still was not.
func (d *drain) ofRecovered(ctx context.Context, delivery Delivery, r Run) (standing, error) {
	n := delivery.Notice
	switch {
	case n.Episode != episodeRecovered+string(r.State):
		return standing{gone: "Another notice says what has become of the run since."}, nil
	case r.State == PartlyDelivered || len(delivery.To) == 0: // of nobody, others may have been told
		return standing{}, nil
	}
	for _, episode := range []string{string(Failed), string(PartlyDelivered), episodeBounced, episodeRecovered + string(PartlyDelivered)} {
		told, err := d.Store.Delivery(ctx, NoticeKey(n.What, n.Version, episode, delivery.To[0]))
		if problem.Is(err, problem.NotFound) {
			continue
		}
		if err != nil {
			return standing{}, fmt.Errorf("reading a notice: %w", err)
		}
		if told.State.Taken() || told.State == Sending || told.mayHaveArrived() {
			return standing{}, nil
		}
	}
	return standing{gone: "Nobody was told that it was not delivered."}, nil
}

// followUp has those who were told that a connection is broken told when it
// works again. It is made before the notice is noted as sent: a crash in
// between makes it once all the same.
func (d *drain) followUp(ctx context.Context, delivery Delivery) error {
	n := delivery.Notice
	if n.Kind == DestinationBroken {
		return d.followUpDestination(ctx, delivery)
	}
	if n.Kind != ConnectionBroken || n.ConnectionID == "" {
		return nil
	}
	c, err := d.Connections.Get(ctx, n.ConnectionID)
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the connection: %w", err)
	}
	if c.State.Works() && problemEpisode(c) == n.Episode {
		return nil // disturbed, not broken
	}
	now := d.Now()
	follow := Notice{Kind: ConnectionMended, Subject: fmt.Sprintf("The Tableau connection %q works again", c.Name),
		Text:         fmt.Sprintf("vizpost can sign in again with the connection %q (%s, %s).", c.Name, c.ServerURL, siteWords(c.Site)),
		ConnectionID: n.ConnectionID, Level: n.Level, What: n.What, Version: "mended", Episode: "mended." + n.Episode}
	made := Delivery{Key: NoticeKey(n.What, follow.Version, follow.Episode, strings.Join(delivery.To, ",")), Site: delivery.Site, Type: report.Email,
		To: delivery.To, Notice: &follow}
	made.plan(now)
	if !c.State.Works() {
		made.NotBefore = now.Add(mendedLook)
	}
	if err := d.Store.CreateDeliveries(ctx, &d.lease, []Delivery{made}); err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	if made.NotBefore.Equal(now) {
		return nil
	}
	// Whoever mended the connection in between did not see what was just made.
	if c, err = d.Connections.Get(ctx, c.ID); err == nil && c.State.Works() {
		err = d.mended(ctx, c.ID, 0)
	}
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	return err
}

// mended has the notices of a connection that works looked at: those of its
// problem are withdrawn, and who was told of it is told that it is over. Of
// several of these, each recipient gets one.
func (d *drain) mended(ctx context.Context, connectionID string, released int) error {
	told := map[string]bool{}
	after := ""
	for {
		list, next, err := d.Store.OpenNotices(ctx, NoticesOf(connectionID), after, 100)
		if err != nil {
			return fmt.Errorf("reading the connection's notices: %w", err)
		}
		for _, delivery := range list {
			n := *delivery.Notice
			if n.Kind != ConnectionMended && n.Kind != ConnectionBroken || delivery.State == Sending {
				continue // or another is at it
			}
			if n.Kind == ConnectionMended {
				n.Released = max(n.Released, released)
				if to := address.Key(strings.Join(delivery.To, ",")); told[to] {
					if err := d.withdraw(ctx, delivery, "Another notice says the same."); err != nil && !problem.Is(err, problem.Stale) {
						return err
					}
					continue
				}
				told[address.Key(strings.Join(delivery.To, ","))] = true
			}
			delivery.Notice = &n
			if delivery.State == Waiting {
				delivery.NotBefore = d.Now()
			}
			if err := d.writeNotice(ctx, delivery); err != nil && !problem.Is(err, problem.Stale) {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// noticeTag makes a notice's key fit for an SES message tag, so that it can be
// read back from it.
func noticeTag(key string) string { return fmt.Sprintf("%x", key) }

// keyOfTag is the inverse of noticeTag.
func keyOfTag(tag string) (string, error) {
	var key string
	if _, err := fmt.Sscanf(tag, "%x", &key); err != nil {
		return "", fmt.Errorf("reading the tag of a notice: %w", err)
	}
	return key, nil
}

// tellsOfNotice notes what is reported of a notice that nobody answered for, and
// reports whether that says anything. Who is to be told more now is for the drain
// to see, which can read what it is about.
func (e MailEvent) tellsOfNotice(d *Delivery, now time.Time) bool {
	n := *d.Notice
	known := d.ProviderID == e.ProviderID
	switch {
	case n.Found == "" && (known || d.Attempts == 0 && d.Unanswered == 0), n.Found != "" && !known:
		return false // of an earlier try
	case e.Kind == MailBounced && (e.Passing || n.Refused):
		return false // it is tried again all the same
	case e.Kind == MailBounced:
		n.Found, n.Refused, d.Code, d.Message = "", true, e.Code, e.Message
	case n.Found == MailDelivered || n.Found == e.Kind || e.Kind == MailComplained:
		return false
	default:
		n.Found, d.ProviderID = e.Kind, e.ProviderID
	}
	d.Notice = &n
	switch {
	case d.State == Sending: // whoever sends it looks at it when the claim ends
	case d.State.Settled():
		return d.revive(now) == nil
	default:
		d.NotBefore = now
	}
	return true
}

// takeNotice notes what a carrier reports of a notice. One that came back is
// told to others; one that came back for now is tried again.
func (rc *Receipts) takeNotice(ctx context.Context, e MailEvent) error {
	key, err := keyOfTag(e.Notice)
	if err != nil {
		rc.Log.WarnContext(ctx, "an event of a notice that is not known", "kind", e.Kind, "error", err)
		return nil
	}
	for try := 1; ; try++ {
		d, err := rc.Store.Delivery(ctx, key)
		if problem.Is(err, problem.NotFound) {
			rc.Log.WarnContext(ctx, "an event of a notice that is not known", "kind", e.Kind, "notice", key)
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a notice: %w", err)
		}
		if d.Notice == nil {
			return nil
		}
		taken := d.State.Taken()
		if taken && d.ProviderID != e.ProviderID || d.State == Bounced {
			return nil // of an earlier try, or told already
		}
		switch {
		case !taken:
			if !e.tellsOfNotice(&d, rc.Now()) {
				return nil
			}
		case e.Kind == MailDelivered && d.State == Sent:
			err = d.confirm("", "")
		case e.Kind == MailBounced && !(e.Passing && d.State == Confirmed):
			if err = d.bounce(d.To, e.Code, e.Message); err != nil {
				return err
			}
			n := *d.Notice
			n.Refused = !e.Passing
			d.Notice, d.BouncedFrom = &n, nil
			at := rc.Now()
			if e.Passing {
				at = at.Add(noticePauses[len(noticePauses)-1])
			}
			err = d.revive(at)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		_, err = rc.Store.UpdateDelivery(ctx, nil, d)
		if problem.Is(err, problem.Stale) && try < receiptTries {
			continue
		}
		if err != nil {
			return fmt.Errorf("noting that a notice was %s: %w", e.Kind, err)
		}
		rc.Log.InfoContext(ctx, "a notice was "+string(e.Kind), "notice", key, "code", e.Code)
		return nil
	}
}
