package run

import (
	"context"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

// noticeSite is the site of notices about reports whose own site is not known.
const noticeSite = "vizpost/notices"

// overdue tells a report's people that it should have run and did not: once for
// each occurrence. It is called for reports whose run could not be made.
func (t *Tick) overdue(ctx context.Context, r report.Report, site string, why error, now time.Time) error {
	if now.Sub(r.NextRunAt) <= onTime {
		return nil // the next ticks may make it
	}
	if site == "" {
		site = noticeSite
	}
	n := overdueNotice(r)
	n.Text = fmt.Sprintf("The report %q was due on %s, and vizpost cannot start it. It is tried again each minute.",
		r.Name, timeWords(r.NextRunAt, zoneOf(r)))
	if p, told := problem.From(why); told {
		n.Text += " " + p.Message
	}
	n.ToDo = "Open the report and save it again. If that does not help, look at vizpost's log for the report " + r.ID + "."
	return t.tellOverdue(ctx, r, site, n)
}

// without tells a report's people that its schedule has no occurrence any more,
// although it does not end.
func (t *Tick) without(ctx context.Context, r report.Report, site string) error {
	n := overdueNotice(r)
	n.Subject = fmt.Sprintf("The report %q has no next run", r.Name)
	n.Text = fmt.Sprintf("vizpost finds no next time in the schedule of the report %q. It has run for %s, and does not run again by itself.",
		r.Name, timeWords(r.NextRunAt, zoneOf(r)))
	n.ToDo = "Open the report, look at its schedule, and save it."
	r.NextRunAt = time.Time{}
	return t.tellOverdue(ctx, r, site, n)
}

func overdueNotice(r report.Report) Notice {
	return Notice{Kind: ReportOverdue, ConnectionID: r.ConnectionID, ReportID: r.ID, Level: OfReport,
		Subject: fmt.Sprintf("The report %q did not run", r.Name)}
}

func (t *Tick) tellOverdue(ctx context.Context, r report.Report, site string, n Notice) error {
	return createNotices(ctx, t.Store, nil, site, r.ID, "", overdueEpisode(r), r.Notify, n, t.Now)
}

func zoneOf(r report.Report) string {
	if r.Schedule == nil {
		return "UTC"
	}
	return r.Schedule.TimeZone
}
