package run

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
)

// notices makes the deliveries of a notice, one to each address. Their keys
// make sure that each is said once.
func (d *drain) notices(ctx context.Context, what, version, kind string, to []string, n Notice) error {
	return createNotices(ctx, d.Store, &d.lease, d.lease.Site, what, version, kind, to, n, d.Now)
}

// noteBroken has a broken connection probed, and tells its people.
func (d *drain) noteBroken(ctx context.Context, c connection.Connection) error {
	if err := probeBroken(ctx, d.Store, d.Connections, d.lease.Site, c, d.Now()); err != nil {
		return err
	}
	return problemNotices(ctx, d.Store, &d.lease, c, d.Now)
}

// problemNotices tells the connection's people of its problem, if it has one.
// A connection that broke, was mended and broke again is told of anew. That a
// token is used elsewhere, which only delays reports, is told once a day at
// most, since it comes and goes with what the other does.
func problemNotices(ctx context.Context, store Store, lease *Lease, c connection.Connection, clock func() time.Time) error {
	p := c.Problem
	if p == nil {
		return nil
	}
	kind := fmt.Sprintf("%s.%d", p.Code, p.Since.Unix())
	if c.State.Works() {
		kind = fmt.Sprintf("%s.%s", p.Code, p.Since.UTC().Format(time.DateOnly))
	}
	return createNotices(ctx, store, lease, c.SiteKey(), c.ID, c.CredentialVersion, kind, c.Notify, problemNotice(c), clock)
}

func problemNotice(c connection.Connection) Notice {
	p, works := c.Problem, c.State.Works()
	var b strings.Builder
	if works {
		fmt.Fprintf(&b, "The connection %q (%s, site %q) is disturbed.\n\n%s\n", c.Name, c.ServerURL, c.Site, p.Message)
	} else {
		fmt.Fprintf(&b, "The connection %q (%s, site %q) does not work.\n\n%s\n", c.Name, c.ServerURL, c.Site, p.Message)
	}
	for i, cause := range p.Causes {
		if i == 0 {
			b.WriteString("\nWhat it may be, the likeliest first:\n")
		}
		remedy := cause.Remedy
		if same := slices.IndexFunc(p.Causes, func(c connection.Cause) bool { return c.Remedy == remedy }); same < i {
			remedy = fmt.Sprintf("Do the same as for %d.", same+1)
		}
		equal := ""
		if cause.Equal {
			equal = "Equally likely: "
		}
		fmt.Fprintf(&b, "\n%d. %s%s\n   %s\n", i+1, equal, cause.Message, remedy)
	}
	if works {
		b.WriteString("\nReports of this connection still run, but each may have to wait for ten minutes or more.\n")
	} else {
		b.WriteString("\nReports of this connection are held, none is lost. They are delivered once the connection works again.\n")
	}
	return Notice{Subject: fmt.Sprintf("The Tableau connection %q needs attention", c.Name), Text: b.String()}
}

// maxTold is how many deliveries that failed a notice names.
const maxTold = 20

// noteFailed tells a report's people that a run was not delivered, or not to
// everyone.
func (d *drain) noteFailed(ctx context.Context, r Run, deliveries []Delivery) error {
	return d.notices(ctx, r.ID, strconv.FormatInt(r.Deadline.Unix(), 10), string(r.State), r.Notify, failureNotice(r, deliveries))
}

func failureNotice(r Run, deliveries []Delivery) Notice {
	var b strings.Builder
	fmt.Fprintf(&b, "The report %q for %s UTC ", r.ReportName, r.ScheduledFor.UTC().Format("2 January 2006 15:04"))
	subject := fmt.Sprintf("The report %q was not delivered", r.ReportName)
	if r.State == PartlyDelivered {
		subject = fmt.Sprintf("The report %q was not delivered to everyone", r.ReportName)
		b.WriteString("was not delivered to everyone.\n")
	} else {
		b.WriteString("was not delivered.\n")
	}
	if r.Reason != "" {
		fmt.Fprintf(&b, "\n%s\n", r.Reason)
	}
	told, more := 0, 0
	for _, delivery := range deliveries {
		switch {
		case !delivery.State.Settled() || delivery.State.Arrived():
		case told == maxTold:
			more++
		default:
			told++
			fmt.Fprintf(&b, "\n- %s: %s\n", delivery.missing(), delivery.Message)
		}
	}
	if more > 0 {
		fmt.Fprintf(&b, "\n- and %d more, which the run shows\n", more)
	}
	fmt.Fprintf(&b, "\nRun %s\n", r.ID)
	return Notice{Subject: subject, Text: b.String()}
}

// missing names for people whom a delivery did not reach.
func (d Delivery) missing() string {
	switch {
	case d.Type == report.Slack:
		return "Slack (" + d.DestinationID + ")"
	case len(d.BouncedFrom) > 0:
		return strings.Join(d.BouncedFrom, ", ")
	default:
		return strings.Join(d.addresses(), ", ")
	}
}

// addresses gives the recipients of an email.
func (d Delivery) addresses() []string { return slices.Concat(d.To, d.Cc, d.Bcc) }
