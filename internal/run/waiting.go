package run

import (
	"context"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// askAgain is how often a worker looks at most for what waits for one thing.
const askAgain = time.Minute

// waitsForTableau is what a run waits for that the connection's site or session
// kept.
func waitsForTableau(connectionID string) string { return "tableau/" + connectionID }

// waitsForChannel is what a run waits for that a channel as a whole kept: the
// first of its messages that was not taken for a reason which has nothing to do
// with its recipient.
func waitsForChannel(deliveries []Delivery) string {
	for _, d := range deliveries {
		if d.State == Waiting && d.Attempts > 0 && ofChannel(d.Code) {
			return channelOf(d)
		}
	}
	return ""
}

// channelOf names what has to work for a delivery.
func channelOf(d Delivery) string {
	if d.Type == report.Slack {
		return "channel/slack/" + d.DestinationID
	}
	return "channel/" + string(d.Type)
}

// worksAgain has the runs of the site tried at once that wait for something which
// was just seen to work, the oldest first and before newer ones. Where that
// fails they wait as long as they would have.
func (d *drain) worksAgain(ctx context.Context, what string) {
	now := d.Now()
	d.mu.Lock()
	recent := now.Sub(d.asked[what]) < askAgain && !d.asked[what].After(now)
	if !recent {
		d.asked[what] = now
	}
	d.mu.Unlock()
	if recent {
		return
	}
	if err := d.pullWaiting(ctx, what, now); err != nil && ctx.Err() == nil {
		d.Log.Warn("older runs wait for longer than they need to", "site", d.lease.Site, "error", err)
	}
}

func (d *drain) pullWaiting(ctx context.Context, what string, now time.Time) error {
	work, err := d.Store.FutureWork(ctx, d.lease.Site, now, duePage)
	if err != nil {
		return err
	}
	var ids []string
	for _, w := range work {
		if w.Kind == WorkRun && !w.Running {
			ids = append(ids, w.Ref)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	runs, err := d.Store.SomeRuns(ctx, ids)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.State != Queued || r.WaitsFor != what {
			continue
		}
		if err := d.pullMessages(ctx, r, what, now); err != nil {
			return err
		}
		// The time at which it was made puts it before those made later.
		r.WaitsFor, r.NotBefore = "", r.CreatedAt
		if r.NotBefore.After(now) {
			r.NotBefore = now
		}
		if _, err := d.Store.UpdateRun(ctx, &d.lease, r); err != nil && !problem.Is(err, problem.Stale) {
			return err
		}
	}
	return nil
}

// pullMessages has the messages of a run tried at once that wait for a channel.
func (d *drain) pullMessages(ctx context.Context, r Run, what string, now time.Time) error {
	if what == waitsForTableau(r.ConnectionID) {
		return nil
	}
	deliveries, err := d.Store.Deliveries(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, delivery := range deliveries {
		if delivery.State != Waiting || channelOf(delivery) != what || !ofChannel(delivery.Code) || !delivery.NotBefore.After(now) {
			continue
		}
		delivery.NotBefore = now
		if _, err := d.Store.UpdateDelivery(ctx, &d.lease, delivery); err != nil && !problem.Is(err, problem.Stale) {
			return err
		}
	}
	return nil
}

// ofChannel reports whether the code of a message that was not taken speaks of
// the channel as a whole. Those of a single mailbox do not: they say nothing
// about others, nor others about them.
func ofChannel(code string) bool {
	switch code {
	case "unreachable", "smtp_unreachable", "ses_unreachable", "smtp_connection", "smtp_setup", "smtp_421", "smtp_454", "http_500", "http_502", "http_503", "http_504":
		return true
	}
	return false
}
