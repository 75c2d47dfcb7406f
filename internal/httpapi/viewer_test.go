package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// Who gets a message as Bcc is hidden from viewers wherever it may show: in the
// report, in the run, in its deliveries, and in what a mail server said.
func TestBccIsHiddenFromViewers(t *testing.T) {
	t.Parallel()
	const hidden, shown = "Hidden@example.com", "not-hidden@example.com"
	for _, role := range []httpapi.Role{httpapi.Viewer, httpapi.Editor, httpapi.Admin} {
		caller := httpapi.Editor
		w := newWorld(t, func(d *httpapi.Deps) {
			d.Authenticate = func(*http.Request) (httpapi.Principal, error) {
				return httpapi.Principal{Subject: "someone", Role: caller}, nil
			}
		})
		w.connections.rows["C1"] = connection.Connection{ID: "C1", Name: "Sales"}
		made := w.call(t, "POST", "/v1/reports", `{"name":"Numbers","connection_id":"C1","content":[{"view":"Superstore/sheets/Overview","format":"pdf"}],
			"destinations":[{"type":"email","to":["`+shown+`"],"bcc":["`+hidden+`"],"together":true}]}`).want(201).object()
		id := made["id"].(string)
		w.runs.rows["R1"] = run.Run{ID: "R1", ReportID: id, Trigger: run.Manual, State: run.Failed,
			Reason:       "550 <hidden@example.com>: no such user; " + shown + " is well.",
			Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{shown}, Bcc: []string{hidden}, Together: true}}}
		w.runs.deliveries["R1"] = []run.Delivery{{Key: "k", Type: report.Email, To: []string{shown}, Bcc: []string{"Ann <" + hidden + ">"}, State: run.DeliveryFailed,
			Message: "The server refused 'hidden@example.com'."}}
		caller = role
		for _, path := range []string{"/v1/reports/" + id, "/v1/reports", "/v1/runs/R1", "/v1/runs", "/v1/reports/" + id + "/runs"} {
			got := w.call(t, "GET", path, "").want(200).Body.String()
			if leaks := strings.Contains(strings.ToLower(strings.ReplaceAll(got, shown, "")), strings.ToLower(hidden)); leaks != (role >= httpapi.Editor) {
				t.Errorf("%s as %s: the Bcc shows: %t\n%s", path, role, leaks, got)
			}
			if !strings.Contains(got, shown) {
				t.Errorf("%s as %s lacks %s:\n%s", path, role, shown, got)
			}
		}
	}
}
