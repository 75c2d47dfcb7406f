package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/health"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

type noticeJSON struct {
	ID            string     `json:"id"`
	Kind          string     `json:"kind" enum:"connection_broken,destination_broken,token_ends,run_failed,run_recovered,run_empty,run_late,report_overdue,filters_unknown,other" example:"connection_broken"`
	State         string     `json:"state" enum:"waiting,retrying,undeliverable" doc:"waiting: not tried yet. retrying: mail did not take it yet. undeliverable: nobody can be told; it is tried again each day." example:"undeliverable"`
	Subject       string     `json:"subject" example:"The Tableau connection \"Sales\" needs attention"`
	Text          string     `json:"text" doc:"What happened."`
	ToDo          string     `json:"to_do" doc:"What to do."`
	To            []string   `json:"to" nullable:"false" doc:"Who is to be told; empty when there is nobody."`
	Level         string     `json:"level" enum:"report,connection,administrators," doc:"Whose addresses these are."`
	ConnectionID  string     `json:"connection_id" doc:"The connection that it is about; empty if none."`
	ReportID      string     `json:"report_id" doc:"The report that it is about; empty if none."`
	RunID         string     `json:"run_id" doc:"The run that it is about; empty if none."`
	DestinationID string     `json:"destination_id" doc:"The named destination that it is about; empty if none."`
	Attempts      int        `json:"attempts" doc:"How often it was tried."`
	Problem       string     `json:"problem" doc:"Why it was not delivered; empty if it was not tried yet."`
	NextTryAt     *time.Time `json:"next_try_at"`
	CreatedAt     time.Time  `json:"created_at"`
}

type noticeListJSON struct {
	Notices    []noticeJSON `json:"notices" nullable:"false"`
	NextCursor *string      `json:"next_cursor" doc:"null at the end."`
}

// alertsJSON says who is told when something goes wrong.
type alertsJSON struct {
	To          []string `json:"to" nullable:"false" doc:"Who is told. The administrators' addresses are shown to editors alone." example:"[\"ops@example.com\"]"`
	From        string   `json:"from" enum:"report,connection,administrators,nobody" doc:"Whose addresses these are: the report's own, else its connection's, else the administrators'." example:"connection"`
	Unreachable []string `json:"unreachable" nullable:"false" doc:"Addresses in notify that no mail can be sent to; correct them."`
}

func (a *api) registerNotices() {
	register(a, operation{id: "list-notices", method: http.MethodGet, path: "/v1/notices", tag: tagNotices, role: Editor,
		summary: "List notices that were not delivered yet",
		detail:  "A notice tells people that a connection or a Slack destination is broken, that a token ends, that a run failed, or that a report did not run. It is tried until it is delivered or its reason is gone; then it leaves this list."},
		a.listNotices)
	register(a, operation{id: "read-health", method: http.MethodGet, path: "/v1/health", tag: tagHealth, role: Viewer,
		summary: "See what keeps all of vizpost from its work", detail: "Such as a full disk, or a mail server that takes nothing. On AWS it is whether the tables and the secrets can be read, and whether the scheduler is alive."},
		a.readHealth)
}

func (a *api) listNotices(ctx context.Context, in *struct {
	State string `query:"state" enum:"open,undeliverable" default:"open" doc:"open: all. undeliverable: those that nobody can be told of."`
	Paging
}) (*plain[noticeListJSON], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, next, err := a.deps.Runs.Notices(ctx, in.State == "undeliverable", after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := noticeListJSON{Notices: []noticeJSON{}, NextCursor: cursor(next)}
	for _, d := range found {
		out.Notices = append(out.Notices, noticeOut(d))
	}
	return &plain[noticeListJSON]{out}, nil
}

func noticeOut(d run.Delivery) noticeJSON {
	n := d.Notice
	out := noticeJSON{ID: d.Key, Kind: string(n.Kind), State: "waiting", Subject: n.Subject, Text: n.Text, ToDo: n.ToDo, To: list(d.To), Level: string(n.Level),
		ConnectionID: n.ConnectionID, ReportID: n.ReportID, RunID: n.RunID, DestinationID: n.DestinationID, Attempts: d.Attempts, Problem: d.Message,
		NextTryAt: moment(d.NotBefore), CreatedAt: d.CreatedAt.UTC()}
	switch {
	case n.Undeliverable:
		out.State = "undeliverable"
	case d.Attempts > 0:
		out.State = "retrying"
	}
	if n.Kind == "" {
		out.Kind = "other"
	}
	return out
}

// alerts says who is told of what goes wrong with a report of a connection, or
// with the connection itself.
func (a *api) alerts(ctx context.Context, report, connection []string, own []string) alertsJSON {
	found := run.AlertsOf(report, connection, a.deps.Installation.Administrators)
	out := alertsJSON{To: list(found.To), From: string(found.Level), Unreachable: []string{}}
	switch {
	case found.Level == "":
		out.From = "nobody"
	case found.Level == run.OfAdministrators && callOf(ctx).who.Role < Editor:
		out.To = []string{}
	}
	for _, entry := range own {
		if _, err := address.Parse(entry); err != nil {
			out.Unreachable = append(out.Unreachable, entry)
		}
	}
	return out
}

// addAlerts notes who is told of each report. Each connection is read once.
func (a *api) addAlerts(ctx context.Context, reports []reportJSON) error {
	known := map[string]connection.Connection{}
	for i := range reports {
		r := &reports[i]
		c, ok := known[r.ConnectionID]
		if !ok {
			var err error
			if c, err = a.deps.Connections.Get(ctx, r.ConnectionID); err != nil && !problem.Is(err, problem.NotFound) {
				return fmt.Errorf("reading a report's connection: %w", err)
			}
			known[r.ConnectionID] = c
		}
		alerts := a.alerts(ctx, r.Notify, c.Notify, r.Notify)
		r.Alerts = &alerts
	}
	return nil
}

// Health knows what keeps all of vizpost from its work.
type Health interface {
	Troubles(ctx context.Context) []health.Trouble
}

type troublesJSON struct {
	Troubles []troubleJSON `json:"troubles" nullable:"false"`
}

type troubleJSON struct {
	Code    string    `json:"code" doc:"Stable." example:"disk_full"`
	Message string    `json:"message" doc:"What is wrong."`
	ToDo    string    `json:"to_do" doc:"What to do."`
	Since   time.Time `json:"since"`
}

func (a *api) readHealth(ctx context.Context, _ *struct{}) (*plain[troublesJSON], error) {
	out := troublesJSON{Troubles: []troubleJSON{}}
	for _, t := range a.troubles(ctx) {
		out.Troubles = append(out.Troubles, troubleJSON{Code: t.Code, Message: t.Message, ToDo: t.ToDo, Since: t.Since.UTC()})
	}
	return &plain[troublesJSON]{out}, nil
}

func (a *api) troubles(ctx context.Context) []health.Trouble {
	if a.deps.Health == nil {
		return nil
	}
	return a.deps.Health.Troubles(ctx)
}
