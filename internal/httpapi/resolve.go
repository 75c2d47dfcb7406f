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
	View    viewJSON            `json:"view"`
	Filters map[string][]string `json:"filters" doc:"Those that the address carries."`
	Format  tableau.Format      `json:"format" enum:"png,pdf,csv," doc:"The format that the address asks for; empty if none." example:""`
}

func (a *api) registerResolve() {
	register(a, operation{id: "resolve-view", method: http.MethodPost, path: "/v1/connections/{id}/views/resolve", tag: tagConnections, role: Viewer, waits: true,
		example: map[string]any{"view": "Superstore/sheets/Overview"},
		summary: "Find the view of an address",
		detail:  "Says which view an address leads to, and with which filters, as a report that names it would have it. Nothing is stored."},
		func(ctx context.Context, in *struct {
			ByID
			Body resolveInputJSON
		}) (*plain[resolvedJSON], error) {
			view, address, err := a.deps.Connections.ResolveView(ctx, in.ID, in.Body.View)
			if err != nil {
				return nil, err
			}
			out := resolvedJSON{View: viewOut(view), Filters: map[string][]string{}, Format: address.FormatHint}
			for _, f := range address.Filters {
				out.Filters[f.Field] = append(out.Filters[f.Field], f.Values...)
			}
			return &plain[resolvedJSON]{out}, nil
		})
}
