package run

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// destinationEpisode names the problem that a destination has, "" if it has none.
// One that broke, was mended and broke again is told of anew.
func destinationEpisode(d deliver.Destination) string {
	if d.State != deliver.DestinationBroken {
		return ""
	}
	return fmt.Sprintf("broken.%d", d.BrokenAt.Unix())
}

// noteBrokenDestination tells of a named destination that is broken: the people
// of the run that met it, and the administrators, who may mend it.
func (d *drain) noteBrokenDestination(ctx context.Context, r Run, id string) error {
	destination, err := d.Destinations.Get(ctx, id)
	if problem.Is(err, problem.NotFound) || err == nil && destination.State != deliver.DestinationBroken {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the destination: %w", err)
	}
	n := Notice{
		Kind: DestinationBroken, ConnectionID: r.ConnectionID, DestinationID: id, Level: OfReport,
		Subject: fmt.Sprintf("The Slack channel %q needs attention", destination.Name),
		Text: fmt.Sprintf("Slack no longer takes messages for %q. %s\n\nUntil that is mended, the Slack messages of all reports that go there fail; their emails are not concerned.",
			destination.Name, destination.Problem),
		ToDo: "Enter a new address for the channel in vizpost's settings, and send a test message. Then open the runs that failed and choose Try again: it sends only what was not delivered.",
	}
	episode, people := destinationEpisode(destination), reachable(r.Notify)
	if err := d.notices(ctx, id, destination.SecretVersion, episode, people, n); err != nil {
		return err
	}
	var administrators []string
	for _, to := range reachable(d.Administrators) {
		if !address.Contains(people, to) {
			administrators = append(administrators, to)
		}
	}
	if len(administrators) == 0 {
		return nil
	}
	n.Level = OfAdministrators
	return d.notices(ctx, id, destination.SecretVersion, episode, administrators, n)
}

// ofDestination says whether a notice about a destination is still to be sent.
func (d *drain) ofDestination(ctx context.Context, n Notice) (standing, error) {
	destination, err := d.Destinations.Get(ctx, n.DestinationID)
	switch {
	case problem.Is(err, problem.NotFound):
		return standing{gone: "The destination was deleted."}, nil
	case err != nil:
		return standing{}, fmt.Errorf("reading the destination: %w", err)
	case n.Kind == DestinationMended:
		return standing{wait: destination.State != deliver.DestinationWorks}, nil
	case destinationEpisode(destination) != n.Episode:
		return standing{gone: "The problem is over."}, nil
	}
	return standing{}, nil
}

// followUpDestination has who was told that a destination is broken told when it
// works again.
func (d *drain) followUpDestination(ctx context.Context, delivery Delivery) error {
	n := delivery.Notice
	destination, err := d.Destinations.Get(ctx, n.DestinationID)
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the destination: %w", err)
	}
	now := d.Now()
	follow := Notice{
		Kind: DestinationMended, ConnectionID: n.ConnectionID, DestinationID: n.DestinationID, Level: n.Level, What: n.What, Version: "mended", Episode: "mended." + n.Episode,
		Subject: fmt.Sprintf("The Slack channel %q works again", destination.Name),
		Text:    fmt.Sprintf("Slack takes messages for %q again. Reports go there as they are due. Slack messages that failed meanwhile are sent once somebody opens their run and chooses Try again.", destination.Name),
	}
	made := Delivery{Key: NoticeKey(n.What, follow.Version, follow.Episode, strings.Join(delivery.To, ",")), Site: delivery.Site, Type: report.Email,
		To: delivery.To, Notice: &follow}
	made.plan(now)
	made.NotBefore = now.Add(mendedLook)
	if err := d.Store.CreateDeliveries(ctx, &d.lease, []Delivery{made}); err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	// Whoever mended it in between did not see what was just made.
	if destination, err = d.Destinations.Get(ctx, n.DestinationID); err == nil && destination.State == deliver.DestinationWorks {
		_, err = lookAtDestination(ctx, d.Store, n.DestinationID, now)
	}
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	return err
}

// DestinationWorks implements [deliver.Destinations.Notices].
func (h *Holds) DestinationWorks(ctx context.Context, id string) error {
	sites, err := lookAtDestination(ctx, h.Store, id, h.Now())
	if err != nil {
		return err
	}
	for site := range sites {
		if err := h.Bell.Ring(ctx, site); err != nil {
			return err
		}
	}
	return nil
}

// lookAtDestination has the open notices about a destination looked at now, and
// gives the sites whose drains do that.
func lookAtDestination(ctx context.Context, store Store, id string, now time.Time) (map[string]bool, error) {
	sites := map[string]bool{}
	after := ""
	for {
		list, next, err := store.OpenNotices(ctx, NoticesOf(id), after, 100)
		if err != nil {
			return nil, fmt.Errorf("reading the destination's notices: %w", err)
		}
		for _, notice := range list {
			if notice.State != Waiting {
				continue // another is at it, or it may have been sent
			}
			notice.NotBefore = now
			if _, err := store.UpdateDelivery(ctx, nil, notice); err != nil && !problem.Is(err, problem.Stale) {
				return nil, fmt.Errorf("having a notice looked at: %w", err)
			}
			sites[notice.Site] = true
		}
		if next == "" {
			return sites, nil
		}
		after = next
	}
}
