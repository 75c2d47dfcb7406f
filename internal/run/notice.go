package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
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
func problemNotices(ctx context.Context, store Store, lease *Lease, c connection.Connection, clock func() time.Time) error {
	if c.Problem == nil {
		return nil
	}
	n := problemNotice(c)
	if err := createNotices(ctx, store, lease, c.SiteKey(), c.ID, c.CredentialVersion, problemEpisode(c), c.Notify, n, clock); err != nil {
		return err
	}
	return reviveNotices(ctx, store, lease, c, n, clock)
}

// reviveNotices makes those of a connection's notices again that were given up
// although its problem is there: by an earlier version, which tried for a day
// alone, or because the problem seemed to be over.
func reviveNotices(ctx context.Context, store Store, lease *Lease, c connection.Connection, n Notice, clock func() time.Time) error {
	n.What, n.Version, n.Episode = c.ID, c.CredentialVersion, problemEpisode(c)
	for _, to := range reachable(c.Notify) {
		d, err := store.Delivery(ctx, NoticeKey(n.What, n.Version, n.Episode, to))
		if problem.Is(err, problem.NotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a notice: %w", err)
		}
		old := d.Notice.Kind == "" && d.State == DeliveryFailed
		if !old && d.State != Withdrawn {
			continue
		}
		d.Notice, d.Code, d.Message = &n, "", ""
		if err := d.revive(clock()); err != nil {
			return err
		}
		if _, err := store.UpdateDelivery(ctx, lease, d); err != nil && !problem.Is(err, problem.Stale) {
			return fmt.Errorf("making a notice again: %w", err)
		}
	}
	return nil
}

// problemEpisode names the problem that a connection has, "" if it has none. A
// connection that broke, was mended and broke again is told of anew. That a
// token is used elsewhere, which only delays reports, is told once a day at
// most, since it comes and goes with what the other does.
func problemEpisode(c connection.Connection) string {
	p := c.Problem
	switch {
	case p == nil:
		return ""
	case c.State.Works():
		return fmt.Sprintf("%s.%s", p.Code, p.Since.UTC().Format(time.DateOnly))
	default:
		return fmt.Sprintf("%s.%d", p.Code, p.Since.Unix())
	}
}

func problemNotice(c connection.Connection) Notice {
	does, reports := "does not work", "Its reports are held, and none is lost. They are sent once the connection works again."
	if c.State.Works() {
		does, reports = "is disturbed", "Its reports still run, but each may have to wait for ten minutes or more."
	}
	return Notice{
		Kind: ConnectionBroken, ConnectionID: c.ID, Level: OfConnection,
		Subject: fmt.Sprintf("The Tableau connection %q needs attention", c.Name),
		Text: fmt.Sprintf("The connection %q (%s, %s) %s. %s\n\n%s",
			c.Name, c.ServerURL, siteWords(c.Site), does, c.Problem.Message, reports),
		ToDo: remedies(c.Problem.Causes),
	}
}

// remedies says what to do about a problem by its possible causes.
func remedies(causes []connection.Cause) string {
	if len(causes) == 0 {
		return "Open the connection in vizpost and test it."
	}
	if len(causes) == 1 {
		return causes[0].Message + " " + causes[0].Remedy
	}
	var b strings.Builder
	if !slices.ContainsFunc(causes, func(c connection.Cause) bool { return c.Remedy != causes[0].Remedy }) {
		b.WriteString(causes[0].Remedy + "\n\nWhat may have happened, the most likely first:\n")
		for _, cause := range causes {
			fmt.Fprintf(&b, "\n- %s%s", likely(cause), cause.Message)
		}
		return b.String()
	}
	b.WriteString("What may have happened, the most likely first:\n")
	for i, cause := range causes {
		remedy := cause.Remedy
		if same := slices.IndexFunc(causes, func(c connection.Cause) bool { return c.Remedy == remedy }); same < i {
			remedy = fmt.Sprintf("Do the same as for %d.", same+1)
		}
		fmt.Fprintf(&b, "\n%d. %s%s\n%s\n", i+1, likely(cause), cause.Message, remedy)
	}
	return strings.TrimSpace(b.String())
}

func likely(c connection.Cause) string {
	if c.Equal {
		return "Equally likely: "
	}
	return ""
}

// warningNotice tells of a token's coming end.
func warningNotice(c connection.Connection, w connection.Warning) Notice {
	text, todo, _ := strings.Cut(w.Text, "\n\n")
	return Notice{Kind: TokenEnds, ConnectionID: c.ID, Level: OfConnection, Subject: w.Subject, Text: text, ToDo: todo}
}

// siteWords names a site in a sentence.
func siteWords(site string) string {
	if site == "" {
		return "default site"
	}
	return fmt.Sprintf("site %q", site)
}

// maxTold is how many deliveries that failed a notice names.
const maxTold = 20

// noteFailed tells a report's people that a run was not delivered, or not to
// everyone.
func (d *drain) noteFailed(ctx context.Context, r Run, deliveries []Delivery) error {
	return d.notices(ctx, noticesOfRun(r), episodeVersion(r), string(r.State), r.Notify, failureNotice(r, deliveries))
}

// Episodes of a run's notices beside the states that it ends in.
const (
	episodeLate      = "late"
	episodeBounced   = "bounced"
	episodeRecovered = "recovered." // and the state that it has since
)

// episodeVersion tells the notices of a run's tries apart: a run that is tried
// again by hand has a new deadline.
func episodeVersion(r Run) string { return strconv.FormatInt(r.Deadline.Unix(), 10) }

// tellLate is how late messages may be for a channel that does not take them
// before the report's people hear of it.
const tellLate = 30 * time.Minute

// noteLate tells a report's people that a channel has not taken messages of a run
// for a while. next is when they are tried again.
func (d *drain) noteLate(ctx context.Context, r Run, deliveries []Delivery, next time.Time) error {
	begun := r.Deadline.Add(-report.DefaultDeadline)
	if len(r.OnlyTo) > 0 || next.Sub(begun) < tellLate {
		return nil
	}
	return d.notices(ctx, noticesOfRun(r), episodeVersion(r), episodeLate, r.Notify, lateNotice(r, deliveries))
}

func lateNotice(r Run, deliveries []Delivery) Notice {
	var b strings.Builder
	fmt.Fprintf(&b, "Messages of the report %q of %s are late.\n", r.ReportName, timeWords(r.ScheduledFor, r.TimeZone))
	told, more := 0, 0
	for _, delivery := range deliveries {
		switch {
		case delivery.State.Settled() || delivery.Message == "":
		case told == maxTold:
			more++
		default:
			told++
			fmt.Fprintf(&b, "\n- %s: %s", delivery.missing(), delivery.Message)
		}
	}
	if more > 0 {
		fmt.Fprintf(&b, "\n- and %d more, which the run shows", more)
	}
	return Notice{
		Kind: RunLate, ConnectionID: r.ConnectionID, ReportID: r.ReportID, RunID: r.ID, Level: OfReport,
		Subject: fmt.Sprintf("The report %q is late", r.ReportName), Text: b.String(),
	}
}

// lateWords says what has become of a run since a notice that it is late was made.
func (d *drain) lateWords(ctx context.Context, n Notice) string {
	r, err := d.Store.Run(ctx, n.RunID)
	switch {
	case err != nil:
		return ""
	case r.State == Delivered:
		return "It has been delivered since: " + timeWords(r.FinishedAt, r.TimeZone) + ". There is nothing to do."
	default:
		return "vizpost keeps trying until about " + timeWords(r.Deadline, r.TimeZone) +
			". You will be told if they are not delivered by then. Unless you know of something that has to be fixed, there is nothing to do."
	}
}

// noticesOfRun is what a notice about a run is said once for.
func noticesOfRun(r Run) string { return r.ReportID + "." + r.ID }

func failureNotice(r Run, deliveries []Delivery) Notice {
	subject, became := fmt.Sprintf("The report %q was not delivered", r.ReportName), "was not delivered"
	toDo := "Fix the cause, then open the run and choose Try again. It sends only what was not delivered."
	t := count(deliveries)
	switch {
	case r.State == PartlyDelivered && t.failed == 0 && t.partial > 0:
		subject, became = fmt.Sprintf("The report %q was delivered without some files", r.ReportName), "was delivered without some of its files"
		toDo = "Make the files smaller: filter the view, or choose another format or size. The run has them to download."
	case r.State == PartlyDelivered:
		subject, became = subject+" to everyone", "was not delivered to everyone"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The report %q of %s %s.", r.ReportName, timeWords(r.ScheduledFor, r.TimeZone), became)
	if r.Reason != "" {
		fmt.Fprintf(&b, " %s", r.Reason)
	}
	b.WriteString("\n")
	writeMissing(&b, deliveries)
	return Notice{
		Kind: RunFailed, ConnectionID: r.ConnectionID, ReportID: r.ReportID, RunID: r.ID, Level: OfReport,
		Subject: subject, Text: strings.TrimSpace(b.String()),
		ToDo: toDo,
	}
}

// recoveredNotice tells of messages of a run that arrived although the run was
// called failed.
func recoveredNotice(r Run, deliveries []Delivery) Notice {
	n := Notice{
		Kind: RunRecovered, ConnectionID: r.ConnectionID, ReportID: r.ReportID, RunID: r.ID, Level: OfReport,
		Subject: fmt.Sprintf("The report %q was delivered after all", r.ReportName),
		Text: fmt.Sprintf("The report %q of %s was delivered after all: of messages that nobody had answered for it is known now that they were taken.",
			r.ReportName, timeWords(r.ScheduledFor, r.TimeZone)),
		ToDo: "There is nothing to do.",
	}
	if r.State == Delivered {
		return n
	}
	n.Subject += ", but not to everyone"
	n.ToDo = "Fix the cause, then open the run and choose Try again. It sends only what was not delivered."
	var b strings.Builder
	b.WriteString(n.Text + " " + r.Reason + "\n")
	writeMissing(&b, deliveries)
	n.Text = strings.TrimSpace(b.String())
	return n
}

// writeMissing lists whom a run's messages did not reach, or not as a whole, and
// why.
func writeMissing(b *strings.Builder, deliveries []Delivery) {
	told, more := 0, 0
	for _, delivery := range deliveries {
		switch {
		case !delivery.State.Settled() || delivery.State.Arrived() && len(delivery.LeftOut) == 0:
		case told == maxTold:
			more++
		default:
			told++
			delivery.writeMissing(b)
		}
	}
	if more > 0 {
		fmt.Fprintf(b, "\n- and %d more, which the run shows", more)
	}
}

// writeMissing says whom a delivery did not reach, and why.
func (d Delivery) writeMissing(b *strings.Builder) {
	if len(d.Rejections) == 0 {
		fmt.Fprintf(b, "\n- %s: %s", d.missing(), d.Message)
		return
	}
	for _, r := range d.Rejections {
		fmt.Fprintf(b, "\n- %s: %s", r.To, r.Message)
	}
}

// timeWords gives a time as the people of a time zone write it.
func timeWords(t time.Time, zone string) string {
	location, err := time.LoadLocation(zone)
	if err != nil {
		location = time.UTC
	}
	return t.In(location).Format("Monday, 2 January 2006 at 15:04 MST")
}

const maxReportsTold = 10

// noticePost gives a notice the form of a message. What changes with time, such
// as when a report runs next, is as it is now.
func (d *drain) noticePost(ctx context.Context, delivery Delivery) deliver.Post {
	n := delivery.Notice
	post := deliver.Post{Key: delivery.Key, From: d.MailFrom, To: delivery.To, Subject: deliver.Literal(n.Subject),
		PossibleRepeat: delivery.PossibleRepeat, Because: because(*n)}
	if n.Kind == "" {
		post.Body = deliver.Literal(n.Text)
		return post
	}
	text := n.Text
	if n.Kind == ConnectionMended && n.Released > 0 {
		text += "\n\n" + releasedWords(n.Released)
	}
	heading := "What happened"
	if n.Kind == ConnectionMended || n.Kind == DestinationMended {
		heading = ""
	}
	post.Sections = append(post.Sections, deliver.Section{Heading: heading, Text: text})
	if n.ToDo != "" {
		post.Sections = append(post.Sections, deliver.Section{Heading: "What to do", Text: n.ToDo + d.nextDue(ctx, *n)})
	}
	if n.Kind == RunLate {
		if words := d.lateWords(ctx, *n); words != "" {
			post.Sections = append(post.Sections, deliver.Section{Heading: "What happens next", Text: words})
		}
	}
	if items := d.concerned(ctx, *n); len(items) > 0 {
		post.Sections = append(post.Sections, deliver.Section{Heading: "Reports concerned", Items: items})
	}
	if d.PublicURL != "" {
		post.Link, post.LinkText = pageLink(d.PublicURL, *n)
	}
	return post
}

func releasedWords(n int) string {
	if n == 1 {
		return "One run that was held is being sent now."
	}
	return fmt.Sprintf("%d runs that were held are being sent now, as each report's catch-up policy says.", n)
}

// because says why somebody gets a notice.
func because(n Notice) string {
	about := "connection"
	switch {
	case n.ReportID != "":
		about = "report"
	case n.DestinationID != "" && n.Level == OfReport:
		return "You receive this message because your address is entered for alerts in a report that goes to this Slack channel."
	case n.DestinationID != "" && n.Level == OfConnection:
		return "You receive this message because your address is entered in the Tableau connection of a report that goes to this Slack channel, and nobody else could be told."
	case n.DestinationID != "":
		return "You receive this message because you are an administrator of vizpost."
	}
	switch n.Level {
	case OfReport:
		return "You receive this message because your address is entered for alerts in this report."
	case OfConnection:
		if about == "report" {
			return "You receive this message because your address gets the alerts of the report's Tableau connection, and the report names nobody who could be told."
		}
		return "You receive this message because your address is entered in this Tableau connection."
	case OfAdministrators:
		return "You receive this message because you are an administrator of vizpost, and this " + about + " names nobody who could be told."
	}
	return ""
}

// pageLink leads from a notice to the page.
func pageLink(base string, n Notice) (link, text string) {
	base = strings.TrimRight(base, "/")
	switch {
	case n.RunID != "":
		return base + "/#/runs/" + n.RunID, "Open the run"
	case n.ReportID != "":
		return base + "/#/reports/" + n.ReportID, "Open the report"
	case n.DestinationID != "":
		return base + "/#/settings", "Open the settings"
	case n.ConnectionID != "":
		return base + "/#/settings/connections/" + n.ConnectionID, "Open the connection"
	}
	return base + "/", "Open vizpost"
}

// nextDue is a paragraph that says when the report of a failed run runs next.
func (d *drain) nextDue(ctx context.Context, n Notice) string {
	if n.Kind != RunFailed && n.Kind != RunEmpty {
		return ""
	}
	r, err := d.Reports.Report(ctx, n.ReportID)
	if err != nil || !r.Enabled || r.NextRunAt.IsZero() || r.Schedule == nil {
		return ""
	}
	return "\n\nThe report is next due on " + timeWords(r.NextRunAt, r.Schedule.TimeZone) + "."
}

// concerned names the reports of a connection or destination that a notice is
// about, and when they run next. Where they cannot be read, the notice goes without them.
func (d *drain) concerned(ctx context.Context, n Notice) []string {
	if n.ReportID != "" {
		return nil
	}
	connectionID := n.ConnectionID
	if n.DestinationID != "" {
		connectionID = "" // of any
	}
	reports, next, err := d.Reports.Reports(ctx, connectionID, "", 200)
	if err != nil {
		d.Log.Warn("a notice goes without the reports that it is about", "connection", n.ConnectionID, "error", err)
		return nil
	}
	reports = slices.DeleteFunc(reports, func(r report.Report) bool {
		return !r.Enabled || n.DestinationID != "" && !slices.ContainsFunc(r.Destinations, func(dest report.Destination) bool { return dest.DestinationID == n.DestinationID })
	})
	slices.SortStableFunc(reports, func(a, b report.Report) int {
		if a.NextRunAt.IsZero() != b.NextRunAt.IsZero() { // those without a schedule come last
			return cmp.Compare(b.NextRunAt.Unix(), a.NextRunAt.Unix())
		}
		return a.NextRunAt.Compare(b.NextRunAt)
	})
	var items []string
	for i, r := range reports {
		if i == maxReportsTold {
			more := fmt.Sprintf("and %d more", len(reports)-i)
			if next != "" {
				more = "and others"
			}
			return append(items, more)
		}
		items = append(items, nextWords(r))
	}
	return items
}

func nextWords(r report.Report) string {
	if r.NextRunAt.IsZero() || r.Schedule == nil {
		return r.Name + ": no schedule"
	}
	return r.Name + ": next due " + timeWords(r.NextRunAt, r.Schedule.TimeZone)
}

// overdueEpisode names the occurrence that a report has not run for.
func overdueEpisode(r report.Report) string {
	if r.NextRunAt.IsZero() {
		return fmt.Sprintf("overdue.none.%d", r.Version)
	}
	return fmt.Sprintf("overdue.%d", r.NextRunAt.Unix())
}

// missing names for people whom a delivery did not reach.
func (d Delivery) missing() string {
	switch {
	case d.Type == report.Slack:
		return "Slack (" + d.DestinationID + ")"
	default:
		return strings.Join(d.Missing(), ", ")
	}
}

// Missing gives the recipients that an email did not reach, as far as is known.
func (d Delivery) Missing() []string {
	switch {
	case d.State.Arrived():
		return nil
	case d.State == Bounced && len(d.BouncedFrom) > 0:
		return slices.Clone(d.BouncedFrom)
	default:
		return slices.DeleteFunc(d.addresses(), func(to string) bool { return address.Contains(d.Has, to) })
	}
}

// addresses gives the recipients of an email.
func (d Delivery) addresses() []string { return slices.Concat(d.To, d.Cc, d.Bcc) }
