package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
)

type testResultJSON struct {
	Identity  identityJSON  `json:"identity"`
	Server    serverJSON    `json:"server"`
	TokenLife tokenLifeJSON `json:"token_life"`
}

type connectionTestResultJSON struct {
	Identity  identityJSON       `json:"identity"`
	Server    serverJSON         `json:"server"`
	TokenLife tokenLifeJSON      `json:"token_life"`
	Views     []testedViewJSON   `json:"views" nullable:"false" doc:"The views of the connection's reports."`
	Reports   []testedReportJSON `json:"reports" nullable:"false" doc:"The connection's reports, with what its user can see of each."`
}

type testedReportJSON struct {
	ID      string           `json:"id"`
	Name    string           `json:"name" example:"Morning numbers"`
	Enabled bool             `json:"enabled" doc:"False while it is paused."`
	Views   []reportViewJSON `json:"views" nullable:"false"`
}

type reportViewJSON struct {
	View    string `json:"view" doc:"Address of the view, custom view or workbook on the site." example:"Superstore/sheets/Overview"`
	Visible bool   `json:"visible" doc:"Whether this user can see it."`
	Message string `json:"message,omitempty" doc:"What is wrong, if it cannot be seen, or to be known of it."`
}

type testedViewJSON struct {
	View    string          `json:"view" doc:"Address of the view, custom view or workbook on the site." example:"Superstore/sheets/Overview"`
	Visible bool            `json:"visible" doc:"Whether this user can see it."`
	Message string          `json:"message,omitempty" doc:"What is wrong, if it cannot be seen."`
	Reports []referenceJSON `json:"reports" nullable:"false" doc:"The reports that export it."`
}

type referenceJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func testResultOut(r connection.TestResult) testResultJSON {
	return testResultJSON{Identity: identityJSON(r.Identity), Server: serverJSON(r.Server), TokenLife: tokenLifeOut(r.TokenLife, r.Auth.Method)}
}

func (a *api) registerTests() {
	const tag = tagConnections
	credential := map[string]any{"method": "personal_access_token", "token_name": "vizpost", "token_secret": "…"}
	example := map[string]any{"name": "Sales", "server_url": "https://10ay.online.tableau.com", "site": "acme", "auth": credential}

	register(a, operation{id: "test-settings", method: http.MethodPost, path: "/v1/connections/test", tag: tag, role: Admin,
		waits: true, example: example, fails: []int{http.StatusConflict},
		summary: "Try settings without storing them",
		detail:  "Signs in and says as whom. A token that a connection has already is tried through that connection's session, so nothing is disturbed."},
		a.testSettings)

	register(a, operation{id: "test-connection", method: http.MethodPost, path: "/v1/connections/{id}/test", tag: tag, role: Admin,
		waits: true, fails: []int{http.StatusConflict},
		summary: "Test a connection",
		detail:  "Uses the session that there is, so it disturbs no export. Success restores a broken connection. Also says which of its reports' views its user can see."},
		a.testConnection)

}

func (a *api) testSettings(ctx context.Context, in *struct{ Body connectionTestJSON }) (*plain[testResultJSON], error) {
	settings := connectionCreateJSON(in.Body).settings()
	if settings.Name == "" {
		settings.Name = "test"
	}
	result, err := a.deps.Connections.TestSettings(ctx, settings)
	if err != nil {
		return nil, err
	}
	return &plain[testResultJSON]{testResultOut(result)}, nil
}

func (a *api) testConnection(ctx context.Context, in *struct{ ByID }) (*plain[connectionTestResultJSON], error) {
	result, err := a.deps.Connections.Test(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	views, reports, err := a.testReports(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	r := testResultOut(result)
	return &plain[connectionTestResultJSON]{connectionTestResultJSON{r.Identity, r.Server, r.TokenLife, views, reports}}, nil
}

// testReports tells for each of a connection's reports, and for each view of
// theirs, whether the connection's user can see it.
func (a *api) testReports(ctx context.Context, connectionID string) ([]testedViewJSON, []testedReportJSON, error) {
	var reports []report.Report
	for after := ""; ; {
		page, next, err := a.deps.Reports.List(ctx, connectionID, after, maxLimit)
		if err != nil {
			return nil, nil, err
		}
		reports = append(reports, page...)
		if next == "" {
			break
		}
		after = next
	}

	var wanted []connection.Wanted
	var views []testedViewJSON
	places := map[string]int{} // by the content's address
	for _, r := range reports {
		for _, c := range r.Content {
			if _, ok := places[c.Address()]; ok {
				continue
			}
			places[c.Address()] = len(wanted)
			w := connection.Wanted{ContentURL: c.View, ViewID: c.ViewID}
			if c.Scope == report.OfWorkbook {
				w = connection.Wanted{WorkbookURL: c.WorkbookURL, WorkbookID: c.WorkbookID}
			}
			wanted = append(wanted, w)
			views = append(views, testedViewJSON{View: c.Address(), Reports: []referenceJSON{}})
		}
	}
	seen, err := a.deps.Connections.SeeViews(ctx, connectionID, wanted)
	if err != nil {
		return nil, nil, err
	}

	for i := range views {
		views[i].Visible, views[i].Message = seen[i].Visible, seen[i].Message
	}
	tested := make([]testedReportJSON, len(reports))
	for i, r := range reports {
		tested[i] = testedReportJSON{ID: r.ID, Name: r.Name, Enabled: r.Enabled, Views: []reportViewJSON{}}
		for _, c := range r.Content {
			view := &views[places[c.Address()]]
			refer := referenceJSON{ID: r.ID, Name: r.Name}
			if slices.Contains(view.Reports, refer) { // once more in another format
				continue
			}
			view.Reports = append(view.Reports, refer)
			tested[i].Views = append(tested[i].Views, reportViewJSON{View: view.View, Visible: view.Visible, Message: view.Message})
		}
	}
	return list(views), tested, nil
}
