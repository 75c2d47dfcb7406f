package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

func (a *api) registerReports() {
	const tag = tagReports
	example := map[string]any{
		"name": "Morning numbers", "connection_id": exampleID,
		"content":      []any{map[string]any{"view": "Superstore/sheets/Overview", "format": "pdf", "filters": map[string]any{"Region": []string{"West"}}, "pdf": map[string]any{"page_size": "a4", "orientation": "landscape"}}},
		"schedule":     map[string]any{"cron": "0 9 * * MON-FRI", "time_zone": "Europe/Berlin"},
		"destinations": []any{map[string]any{"type": "email", "to": []string{"a@example.com"}}, map[string]any{"type": "slack", "destination_id": exampleID}},
		"notify":       []string{"owner@example.com"},
	}

	register(a, operation{id: "list-reports", method: http.MethodGet, path: "/v1/reports", tag: tag, role: Viewer,
		summary: "List reports", detail: "In the order in which they were made."},
		a.listReports)

	register(a, operation{id: "create-report", method: http.MethodPost, path: "/v1/reports", tag: tag, role: Editor,
		unsure: mayBeSaved,
		status: http.StatusCreated, waits: true, example: example,
		summary: "Make a report",
		detail:  "Its views are looked for on the connection's site, so an address that does not exist or lies elsewhere is refused. " + templateHelp},
		a.createReport)

	register(a, operation{id: "get-report", method: http.MethodGet, path: "/v1/reports/{id}", tag: tag, role: Viewer,
		summary: "Read a report", detail: "With its schedule in words and its next occurrence."},
		a.getReport)

	register(a, operation{id: "edit-report", method: http.MethodPatch, path: "/v1/reports/{id}", tag: tag, role: Editor,
		waits: true, example: map[string]any{"enabled": false},
		summary: "Edit, pause or resume a report",
		detail:  "What is left out stays; lists are replaced as a whole. Runs that exist keep what they were made with. Pausing skips those that have not begun."},
		a.editReport)

	register(a, operation{id: "delete-report", method: http.MethodDelete, path: "/v1/reports/{id}", tag: tag, role: Editor,
		summary: "Delete a report", detail: "Skips its runs that have not begun. Its history stays."},
		a.deleteReport)
}

func (a *api) listReports(ctx context.Context, in *struct {
	ConnectionID string `query:"connection_id" maxLength:"64" doc:"Only the reports of this connection."`
	LastRun      bool   `query:"last_run" doc:"Tell of each report's newest run too."`
	Paging
}) (*plain[reportListJSON], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, next, err := a.deps.Reports.List(ctx, in.ConnectionID, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := reportListJSON{Reports: []reportJSON{}, NextCursor: cursor(next)}
	for _, r := range found {
		out.Reports = append(out.Reports, reportFor(ctx, r))
	}
	if err := a.addAlerts(ctx, out.Reports); err != nil {
		return nil, err
	}
	if in.LastRun {
		if err := a.addLastRuns(ctx, out.Reports); err != nil {
			return nil, err
		}
	}
	return &plain[reportListJSON]{out}, nil
}

// addLastRuns notes the newest run of each report. Each is one read of one
// entry in the store's index of a report's runs.
func (a *api) addLastRuns(ctx context.Context, reports []reportJSON) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range reports {
		group.Go(func() error {
			runs, _, err := a.deps.Runs.List(ctx, run.Filter{ReportID: reports[i].ID}, "", 1)
			if err != nil {
				return fmt.Errorf("reading a report's last run: %w", err)
			}
			if len(runs) > 0 {
				r := runs[0]
				reports[i].LastRun = &lastRunJSON{ID: r.ID, State: r.State, ScheduledFor: r.ScheduledFor.UTC(), FinishedAt: moment(r.FinishedAt)}
			}
			return nil
		})
	}
	return group.Wait()
}

func (a *api) createReport(ctx context.Context, in *struct {
	Idempotent
	Body reportCreateJSON
}) (*made[reportJSON], error) {
	wanted, err := in.Body.report()
	if err != nil {
		return nil, err
	}
	r, err := create(ctx, a, "report", in.Idempotent, in.Body,
		func(id string) (report.Report, error) { return a.deps.Reports.Create(ctx, id, wanted) },
		func(id string) (report.Report, error) { return a.deps.Reports.Get(ctx, id) })
	if err != nil {
		return nil, err
	}
	return &made[reportJSON]{ETag: etag(r.Version), Location: "/v1/reports/" + r.ID, Body: reportOut(r)}, nil
}

func (a *api) getReport(ctx context.Context, in *struct{ ByID }) (*one[reportJSON], error) {
	r, err := a.deps.Reports.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := []reportJSON{reportFor(ctx, r)}
	if err := a.addAlerts(ctx, out); err != nil {
		return nil, err
	}
	return &one[reportJSON]{ETag: etag(r.Version), Body: out[0]}, nil
}

func (a *api) editReport(ctx context.Context, in *struct {
	ByVersion
	Body reportPatchJSON
}) (*one[reportJSON], error) {
	edit, err := in.Body.edit()
	if err != nil {
		return nil, err
	}
	if edit.IfVersion, err = in.version(); err != nil {
		return nil, err
	}
	r, err := a.deps.Reports.Edit(ctx, in.ID, edit)
	if err != nil {
		return nil, err
	}
	return &one[reportJSON]{ETag: etag(r.Version), Body: reportOut(r)}, nil
}

func (a *api) deleteReport(ctx context.Context, in *struct{ ByVersion }) (*struct{}, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	return nil, a.deps.Reports.Delete(ctx, in.ID, version)
}
