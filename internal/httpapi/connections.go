package httpapi

import (
	"context"
	"net/http"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
)

func (a *api) registerConnections() {
	const tag = tagConnections
	credential := map[string]any{"method": "personal_access_token", "token_name": "vizpost", "token_secret": "…"}
	example := map[string]any{"name": "Sales", "server_url": "https://10ay.online.tableau.com", "site": "acme", "auth": credential}

	register(a, operation{id: "list-connections", method: http.MethodGet, path: "/v1/connections", tag: tag, role: Viewer,
		summary: "List connections", detail: "In the order in which they were made."},
		a.listConnections)

	register(a, operation{id: "create-connection", method: http.MethodPost, path: "/v1/connections", tag: tag, role: Admin,
		unsure: mayBeSaved,
		status: http.StatusCreated, waits: true, example: example,
		summary: "Connect to a Tableau site",
		detail:  "Signs in with the credential first; the connection is stored only when that works. The secret is kept and never shown again. A personal access token belongs to one connection: a second connection with it is refused (409, code token_in_use)."},
		a.createConnection)

	register(a, operation{id: "get-connection", method: http.MethodGet, path: "/v1/connections/{id}", tag: tag, role: Viewer,
		summary: "Read a connection", detail: "Its state, who it signs in as, and what is known of its token's life. Never its secret."},
		a.getConnection)

	register(a, operation{id: "edit-connection", method: http.MethodPatch, path: "/v1/connections/{id}", tag: tag, role: Admin,
		waits: true, example: map[string]any{"auth": credential}, fails: []int{http.StatusConflict},
		summary: "Edit a connection, or change its credential",
		detail:  "What is left out stays. A new credential is tried first and replaces the old one only when it works; id and reports stay. Signing in as another user, or to another site, than before is refused (409, code identity_change) unless accept_identity_change is true."},
		a.editConnection)

	register(a, operation{id: "delete-connection", method: http.MethodDelete, path: "/v1/connections/{id}", tag: tag, role: Admin,
		fails:   []int{http.StatusConflict},
		summary: "Delete a connection", detail: "Refused while reports use it (409, code in_use, which names them). Its secret is removed; an operator can recover it for 30 days. Its history stays."},
		a.deleteConnection)

	a.registerTests()
	a.registerViews()
	a.registerHistory()
}

func (a *api) listConnections(ctx context.Context, in *struct{ Paging }) (*plain[connectionListJSON], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, next, err := a.deps.Connections.List(ctx, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := connectionListJSON{Connections: []connectionJSON{}, NextCursor: cursor(next)}
	for _, c := range found {
		shape := connectionOut(c)
		alerts := a.alerts(ctx, nil, c.Notify, c.Notify)
		shape.Alerts = &alerts
		out.Connections = append(out.Connections, shape)
	}
	if err := a.countUses(ctx, found, out.Connections, connection.State.Works); err != nil {
		return nil, err
	}
	return &plain[connectionListJSON]{out}, nil
}

func (a *api) createConnection(ctx context.Context, in *struct {
	Idempotent
	Body connectionCreateJSON
}) (*made[connectionJSON], error) {
	settings := in.Body.settings()
	c, err := create(ctx, a, "connection", in.Idempotent, in.Body,
		func(id string) (connection.Connection, error) { return a.deps.Connections.Create(ctx, id, settings) },
		func(id string) (connection.Connection, error) { return a.deps.Connections.Get(ctx, id) })
	if err != nil {
		return nil, err
	}
	return &made[connectionJSON]{ETag: etag(c.Version), Location: "/v1/connections/" + c.ID, Body: connectionOut(c)}, nil
}

func (a *api) getConnection(ctx context.Context, in *struct{ ByID }) (*one[connectionJSON], error) {
	c, err := a.deps.Connections.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := []connectionJSON{connectionOut(c)}
	alerts := a.alerts(ctx, nil, c.Notify, c.Notify)
	out[0].Alerts = &alerts
	if err := a.countUses(ctx, []connection.Connection{c}, out, func(connection.State) bool { return false }); err != nil {
		return nil, err
	}
	return &one[connectionJSON]{ETag: etag(c.Version), Body: out[0]}, nil
}

func (a *api) editConnection(ctx context.Context, in *struct {
	ByVersion
	Body connectionPatchJSON
}) (*one[connectionJSON], error) {
	edit := in.Body.edit()
	var err error
	if edit.IfVersion, err = in.version(); err != nil {
		return nil, err
	}
	c, err := a.deps.Connections.Edit(ctx, in.ID, edit)
	if err != nil {
		return nil, err
	}
	return &one[connectionJSON]{ETag: etag(c.Version), Body: connectionOut(c)}, nil
}

func (a *api) deleteConnection(ctx context.Context, in *struct{ ByVersion }) (*struct{}, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	err = a.deps.Connections.Delete(ctx, in.ID, version)
	if problem.HasCode(err, problem.CodeInUse) {
		err = a.namingUsesOfConnection(ctx, in.ID, err)
	}
	return nil, err
}

// countUses fills in what uses connections. Held runs are not counted of those
// that skip says.
func (a *api) countUses(ctx context.Context, connections []connection.Connection, out []connectionJSON, skip func(connection.State) bool) error {
	ids := make([]string, len(connections))
	for i, c := range connections {
		ids[i] = c.ID
	}
	reports, err := a.deps.Connections.ReportCounts(ctx, ids)
	if err != nil {
		return err
	}
	for i, c := range connections {
		used, held := reports[c.ID], 0
		if !skip(c.State) {
			if held, err = a.deps.Runs.HeldCount(ctx, c); err != nil {
				return err
			}
		}
		out[i].Reports, out[i].HeldRuns = &used, &held
	}
	return nil
}

// namingUsesOfConnection adds to a refusal the reports that use a connection.
func (a *api) namingUsesOfConnection(ctx context.Context, id string, refusal error) error {
	reports, _, err := a.deps.Reports.List(ctx, id, "", maxUsesNamed)
	if err != nil {
		return err
	}
	counts, err := a.deps.Connections.ReportCounts(ctx, []string{id})
	if err != nil {
		return err
	}
	used := &usedError{err: refusal, count: max(counts[id], len(reports))}
	used.name(reports...)
	return used
}
