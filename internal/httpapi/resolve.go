package httpapi

import (
	"context"
	"net/http"

	"github.com/vizpost/vizpost/internal/tableau"
)

type resolveInputJSON struct {
	View string `json:"view" doc:"The view's address as pasted from the browser or from Tableau's share dialog, or its content URL." example:"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview?Region=West"`
}

type resolvedJSON struct {
	View       nullable[viewJSON]       `json:"view" doc:"null where the address leads to a workbook."`
	CustomView nullable[customViewJSON] `json:"custom_view" doc:"The custom view of the view; null for the view as it was published."`
	Workbook   nullable[workbookJSON]   `json:"workbook" doc:"The workbook that the address leads to; null where it leads to a view."`
	Filters    map[string][]string      `json:"filters" doc:"Those that the address carries."`
	Format     tableau.Format           `json:"format" doc:"The format that the address asks for; empty if none." example:""`
}

type workbookJSON struct {
	ID         string `json:"id" doc:"Tableau's id of the workbook."`
	Name       string `json:"name" example:"Superstore"`
	ContentURL string `json:"content_url" example:"Superstore"`
	Project    string `json:"project" example:"Samples"`
}

func (a *api) registerResolve() {
	register(a, operation{id: "resolve-view", method: http.MethodPost, path: "/v1/connections/{id}/views/resolve", tag: tagConnections, role: Editor, waits: true,
		example: map[string]any{"view": "Superstore/sheets/Overview"},
		summary: "Find what an address leads to",
		detail:  "Says which view, custom view or workbook an address leads to, and with which filters, as a report that names it would have it. Nothing is stored."},
		a.resolveView)
}

func (a *api) resolveView(ctx context.Context, in *struct {
	ByID
	Body resolveInputJSON
}) (*plain[resolvedJSON], error) {
	target, address, err := a.deps.Connections.Resolve(ctx, in.ID, in.Body.View)
	if err != nil {
		return nil, err
	}
	out := resolvedJSON{Filters: map[string][]string{}, Format: address.FormatHint}
	if target.View.ID == "" {
		w := target.Workbook
		out.Workbook.value = &workbookJSON{ID: w.ID, Name: w.Name, ContentURL: w.ContentURL, Project: w.ProjectName}
	} else {
		view := viewOut(target.View)
		out.View.value = &view
	}
	if target.CustomView.ID != "" {
		out.CustomView.value = &customViewJSON{ID: target.CustomView.ID, Name: target.CustomView.Name}
	}
	for _, f := range address.Filters {
		out.Filters[f.Field] = append(out.Filters[f.Field], f.Values...)
	}
	return &plain[resolvedJSON]{out}, nil
}
