package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

// same compares an answer with JSON.
func (a answer) same(want string) answer {
	a.t.Helper()
	var got, wanted any
	a.into(&got)
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		a.t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		a.t.Errorf("the answer (-want +got):\n%s", diff)
	}
	return a
}

func TestConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(t, "POST", "/v1/connections", `{"name":"Sales","server_url":"https://10ay.online.tableau.com","site":"acme",
		"auth":{"method":"personal_access_token","token_name":"vizpost","token_secret":"s","expires_on":"2027-05-22"},"notify":["ops@example.com"]}`).want(201)
	id := a.object()["id"].(string)
	a.same(`{"id":"` + id + `","name":"Sales","server_url":"https://10ay.online.tableau.com","site":"acme",
		"auth":{"method":"personal_access_token","token_name":"vizpost"},
		"state":"connected","problem":null,
		"identity":{"site_id":"site-1","user_id":"user-1","user_name":"ana"},
		"server":{"product_version":"2026.2.0","rest_api_version":"3.29"},
		"token_life":{"expires_at":"2027-05-22T00:00:00Z","source":"entered","last_used_at":"2026-11-23T08:30:00Z","idle_until":"2026-12-08T08:30:00Z"},
		"notify":["ops@example.com"],"version":1,"created_at":"2026-11-23T08:30:00Z","updated_at":"2026-11-23T08:30:00Z"}`)

	row := w.connections.rows[id]
	row.State = connection.NeedsCredentials
	row.Problem = &connection.Problem{Code: "credentials_rejected", Message: "Tableau refuses the token.", Since: now,
		Causes: []connection.Cause{{Code: "idle", Message: "It was idle for 16 days.", Remedy: "Make a new token."}}}
	w.connections.rows[id] = row
	got := w.call(t, "GET", "/v1/connections/"+id, "").want(200).object()
	want := map[string]any{"code": "credentials_rejected", "message": "Tableau refuses the token.", "since": "2026-11-23T08:30:00Z",
		"causes": []any{map[string]any{"code": "idle", "message": "It was idle for 16 days.", "remedy": "Make a new token."}}}
	if diff := cmp.Diff(want, got["problem"]); diff != "" {
		t.Errorf("the problem (-want +got):\n%s", diff)
	}

	// Another method replaces the whole credential, and the old token's end
	// does not stay with it.
	got = w.call(t, "PATCH", "/v1/connections/"+id, `{"auth":{"method":"username_password","username":"ana","password":"p"}}`).want(200).object()
	if diff := cmp.Diff(map[string]any{"method": "username_password", "username": "ana"}, got["auth"]); diff != "" {
		t.Errorf("the credential (-want +got):\n%s", diff)
	}
	if got["name"] != "Sales" || got["token_life"].(map[string]any)["expires_at"] != nil {
		t.Errorf("the edited connection: %v", got)
	}
}

func TestCredentialIsGivenWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, auth string
		fields     []string
	}{
		{"nothing", `{}`, []string{"auth.method"}},
		{"null", `null`, []string{"auth.method"}},
		{"token without all", `{"method":"personal_access_token"}`, []string{"auth.token_name", "auth.token_secret"}},
		{"token without its secret", `{"method":"personal_access_token","token_name":"n","token_secret":null}`, []string{"auth.token_secret"}},
		{"password without all", `{"method":"username_password"}`, []string{"auth.password", "auth.username"}},
		{"both", `{"method":"username_password","username":"u","password":"p","token_name":"n","token_secret":"s","expires_on":"2027-01-01"}`,
			[]string{"auth.expires_on", "auth.token_name", "auth.token_secret"}},
		{"token with a password", `{"method":"personal_access_token","token_name":"n","token_secret":"s","username":"u","password":"p"}`,
			[]string{"auth.password", "auth.username"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, call := range []string{"POST /v1/connections", "POST /v1/connections/test"} {
				method, path, _ := strings.Cut(call, " ")
				got := w.call(t, method, path, `{"name":"n","server_url":"https://t.example.com","auth":`+test.auth+`}`).want(422).trouble().fields()
				if diff := cmp.Diff(test.fields, got); diff != "" {
					t.Errorf("%s: fields (-want +got):\n%s", call, diff)
				}
			}
			if w.connections.signIns != 0 {
				t.Error("something signed in")
			}
		})
	}
}

func TestConnectionTestTellsOfViews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, first := w.report(t)
	second := w.call(t, "POST", "/v1/reports", `{"name":"Second","connection_id":"`+id+`","content":[{"view":"Superstore/sheets/Overview","format":"png"},
		{"view":"Superstore/sheets/Product","format":"csv"}],"destinations":[{"type":"email","to":["a@example.com"]}]}`).want(201).object()["id"].(string)
	w.call(t, "POST", "/v1/connections/"+id+"/test", "").want(200).same(`{
		"identity":{"site_id":"site-1","user_id":"user-1","user_name":"ana"},
		"server":{"product_version":"2026.2.0","rest_api_version":"3.29"},
		"token_life":{"expires_at":null,"source":"unknown","last_used_at":"2026-11-23T08:30:00Z","idle_until":"2026-12-08T08:30:00Z"},
		"views":[
			{"view":"Superstore/sheets/Overview","visible":true,"reports":[{"id":"` + first + `","name":"Morning numbers"},{"id":"` + second + `","name":"Second"}]},
			{"view":"Superstore/sheets/Product","visible":true,"reports":[{"id":"` + second + `","name":"Second"}]}],
		"reports":[
			{"id":"` + first + `","name":"Morning numbers","enabled":true,"views":[{"view":"Superstore/sheets/Overview","visible":true}]},
			{"id":"` + second + `","name":"Second","enabled":true,"views":[{"view":"Superstore/sheets/Overview","visible":true},{"view":"Superstore/sheets/Product","visible":true}]}]}`)
	if w.connections.listings != 1 {
		t.Errorf("the site's views were listed %d times, want once", w.connections.listings)
	}

	r, err := w.reports.Store.Report(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	r.Content = []report.Content{{View: "Plan/sheets/Plan"}}
	if err := w.reports.Store.UpdateReport(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	tested := w.call(t, "POST", "/v1/connections/"+id+"/test", "").want(200).object()
	ofReport := tested["reports"].([]any)[1].(map[string]any)["views"].([]any)
	for _, got := range []any{tested["views"].([]any)[1], ofReport[0]} {
		if got := got.(map[string]any); got["visible"] != false || got["message"] == nil {
			t.Errorf("a view that cannot be seen: %v", got)
		}
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(t, "GET", "/v1/connections/x/views?search=Over", "").want(200).same(`{"views":[{"id":"view-1","name":"Overview",
		"content_url":"Superstore/sheets/Overview","workbook":"Superstore","project":"Samples","sheet_type":"dashboard","updated_at":null}],"next_cursor":null}`)
	var names []string
	path := "/v1/connections/x/views?limit=2"
	for next := ""; ; {
		var list struct {
			Views      []struct{ Name string }
			NextCursor *string `json:"next_cursor"`
		}
		w.call(t, "GET", path+next, "").want(200).into(&list)
		for _, v := range list.Views {
			names = append(names, v.Name)
		}
		if list.NextCursor == nil {
			break
		}
		next = "&cursor=" + *list.NextCursor
	}
	if diff := cmp.Diff([]string{"Overview", "Product", "Secret plan"}, names); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}
	w.call(t, "GET", path+"&cursor=bm9uZQ", "").want(422) // "none"

	w.connections.preview = []byte("\x89PNG")
	a := w.call(t, "GET", "/v1/connections/x/views/view-1/preview", "").want(200)
	if got := a.Header().Get("Content-Type"); got != "image/png" || a.Body.String() != "\x89PNG" {
		t.Errorf("the preview is %q: %q", got, a.Body)
	}
	w.call(t, "GET", "/v1/connections/x/views/view-9/preview", "").want(404).trouble()
	w.connections.preview = bytes.Repeat([]byte("x"), 6<<20)
	w.call(t, "GET", "/v1/connections/x/views/view-1/preview", "").want(500).trouble()
}

// report makes a connection and a report of it.
func (w *world) report(t *testing.T) (connectionID, reportID string) {
	t.Helper()
	connectionID = w.call(t, "POST", "/v1/connections", `{"name":"Sales","server_url":"https://10ay.online.tableau.com","site":"acme",
		"auth":{"method":"personal_access_token","token_name":"vizpost","token_secret":"s"}}`).want(201).object()["id"].(string)
	reportID = w.call(t, "POST", "/v1/reports", `{"name":"Morning numbers","connection_id":"`+connectionID+`",
		"content":[{"view":"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview?Region=West","format":"pdf","pdf":{"page_size":"A4","orientation":"landscape"}}],
		"schedule":{"cron":"0 9 * * MON-FRI","time_zone":"Europe/Berlin"},
		"destinations":[{"type":"email","to":["a@example.com"]}],"notify":["owner@example.com"]}`).want(201).object()["id"].(string)
	return connectionID, reportID
}

func TestReportOfWorkbookAndCustomView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, id := w.report(t)
	const custom = "0f1e2d3c-4b5a-4978-8697-a5b4c3d2e1f0"
	sent := `{"content":[
		{"view":"https://10ay.online.tableau.com/t/acme/workbooks/Superstore.twbx","format":"pptx"},
		{"view":"Superstore/sheets/Overview","scope":"workbook","format":"pdf","language":"de"},
		{"view":"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview/` + custom + `/Westonly","format":"png","filters":{"Region":["West"]},"require_filter_proof":true}]}`
	read := w.call(t, "PATCH", "/v1/reports/"+id, sent).want(200).object()["content"].([]any)
	for range 2 { // also what was read, sent back
		var got []string
		for _, c := range read {
			item := c.(map[string]any)
			name := ""
			if v, ok := item["custom_view"].(map[string]any); ok {
				name = v["id"].(string) + " " + v["name"].(string)
			}
			got = append(got, fmt.Sprint(item["view"], " ", item["scope"], " ", item["view_name"], " ", item["format"], " ", item["language"], " ", item["require_filter_proof"], " ", name))
		}
		want := []string{
			"workbooks/Superstore.twbx workbook  pptx  false ",
			"workbooks/Superstore.twbx workbook  pdf de false ",
			"Superstore/sheets/Overview/" + custom + " view Overview png  true " + custom + " West only",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("content (-want +got):\n%s", diff)
		}
		back, err := json.Marshal(map[string]any{"content": read})
		if err != nil {
			t.Fatal(err)
		}
		read = w.call(t, "PATCH", "/v1/reports/"+id, string(back)).want(200).object()["content"].([]any)
	}
	for body, field := range map[string]string{
		`{"view":"workbooks/Superstore.twbx","format":"png"}`:                                                                               "content[0].view",
		`{"view":"Superstore/sheets/Overview","scope":"workbook","format":"csv"}`:                                                           "content[0].format",
		`{"view":"Superstore/sheets/Overview","scope":"project","format":"csv"}`:                                                            "content[0].scope",
		`{"view":"Superstore/sheets/Overview","format":"csv","require_filter_proof":true}`:                                                  "content[0].require_filter_proof",
		`{"view":"Superstore/sheets/Overview","scope":"workbook","format":"pdf","filters":{"Region":["West"]},"require_filter_proof":true}`: "content[0].require_filter_proof",
	} {
		if diff := cmp.Diff([]string{field}, w.call(t, "PATCH", "/v1/reports/"+id, `{"content":[`+body+`]}`).want(422).trouble().fields()); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", body, diff)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connectionID, id := w.report(t)
	a := w.call(t, "GET", "/v1/reports/"+id, "").want(200)
	a.same(`{"id":"` + id + `","name":"Morning numbers","connection_id":"` + connectionID + `","enabled":true,
		"content":[{"view":"Superstore/sheets/Overview","scope":"view","view_id":"view-1","view_name":"Overview","workbook":"Superstore","custom_view":null,"format":"pdf",
			"filters":{"Region":["West"]},"pdf":{"page_size":"a4","orientation":"landscape"},"max_age_minutes":1,"language":"","file_name":"","require_filter_proof":false}],
		"schedule":{"cron":"0 9 * * MON-FRI","time_zone":"Europe/Berlin","starts_on":null,"ends_on":null,"catch_up":"latest",
			"description":"every weekday at 09:00 (Europe/Berlin)"},
		"destinations":[{"id":"email","type":"email","to":["a@example.com"]}],
		"notify":["owner@example.com"],"next_run_at":"2026-11-24T08:00:00Z","version":1,
		"created_at":"2026-11-23T08:30:00Z","updated_at":"2026-11-23T08:30:00Z"}`)

	// What was read can be sent back.
	read := a.object()
	back, err := json.Marshal(map[string]any{"content": read["content"], "schedule": read["schedule"], "destinations": read["destinations"]})
	if err != nil {
		t.Fatal(err)
	}
	got := w.call(t, "PATCH", "/v1/reports/"+id, string(back)).want(200).object()
	delete(got, "version")
	delete(read, "version")
	if diff := cmp.Diff(read, got); diff != "" {
		t.Errorf("what was read and sent back (-want +got):\n%s", diff)
	}
}

func TestReportEdits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		check      map[string]any // of the answer
	}{
		{"one field of the schedule", `{"schedule":{"cron":"30 7 * * *"}}`, map[string]any{
			"schedule": map[string]any{"cron": "30 7 * * *", "time_zone": "Europe/Berlin", "starts_on": nil, "ends_on": nil, "catch_up": "latest",
				"description": "every day at 07:30 (Europe/Berlin)"},
			"next_run_at": "2026-11-24T06:30:00Z"}},
		{"days", `{"schedule":{"starts_on":"2026-12-01","ends_on":"2026-12-31"}}`, map[string]any{"next_run_at": "2026-12-01T08:00:00Z"}},
		{"no schedule", `{"schedule":null}`, map[string]any{"schedule": nil, "next_run_at": nil}},
		{"pause", `{"enabled":false}`, map[string]any{"enabled": false, "next_run_at": nil, "name": "Morning numbers"}},
		{"nothing", `{}`, map[string]any{"next_run_at": "2026-11-24T08:00:00Z"}},
		{"nobody is told", `{"notify":[]}`, map[string]any{"notify": []any{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_, id := w.report(t)
			got := w.call(t, "PATCH", "/v1/reports/"+id, test.body).want(200).object()
			for name, want := range test.check {
				if diff := cmp.Diff(want, got[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if got["version"] != 2.0 {
				t.Errorf("version %v, want 2", got["version"])
			}
		})
	}
}

func TestReportTellsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connectionID, id := w.report(t)
	wrong := `"content":[{"view":"Superstore/sheets/Nowhere","format":"gif","max_age_minutes":0},{"view":"Superstore/sheets/Overview","format":"csv","pdf":{"page_size":"a4"},"file_name":"a/b"}],
		"schedule":{"cron":"0 9 * *","time_zone":"Mars/Olympus","starts_on":"soon"},
		"destinations":[{"type":"email","to":["a@example.com","b@example.com","nobody"]},{"type":"slack","destination_id":"none","text":"{{ nonsense"},{"type":"fax"}],
		"notify":["not an address"]`
	want := []string{"content[0].format", "content[0].max_age_minutes", "content[0].view", "content[1].file_name", "content[1].pdf",
		"destinations[0].to[2]", "destinations[1].destination_id", "destinations[1].text", "destinations[2].type", "name", "notify[0]",
		"schedule.cron", "schedule.time_zone"}
	// A day that is none is found before the rest.
	got := w.call(t, "POST", "/v1/reports", `{"name":"","connection_id":"`+connectionID+`",`+wrong+`}`).want(422).trouble().fields()
	if diff := cmp.Diff([]string{"schedule.starts_on"}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	wrong = strings.Replace(wrong, `,"starts_on":"soon"`, "", 1)
	got = w.call(t, "POST", "/v1/reports", `{"name":"","connection_id":"`+connectionID+`",`+wrong+`}`).want(422).trouble().fields()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields of a new report (-want +got):\n%s", diff)
	}
	got = w.call(t, "PATCH", "/v1/reports/"+id, `{"name":"",`+wrong+`}`).want(422).trouble().fields()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields of an edit (-want +got):\n%s", diff)
	}
	got = w.call(t, "POST", "/v1/reports", `{}`).want(422).trouble().fields()
	if diff := cmp.Diff([]string{"connection_id", "content", "destinations", "name"}, got); diff != "" {
		t.Errorf("fields of nothing (-want +got):\n%s", diff)
	}
}

func TestReportList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connectionID, id := w.report(t)
	for path, want := range map[string]int{"/v1/reports": 1, "/v1/reports?connection_id=" + connectionID: 1, "/v1/reports?connection_id=other": 0} {
		if got := len(w.call(t, "GET", path, "").want(200).object()["reports"].([]any)); got != want {
			t.Errorf("%s: %d reports, want %d", path, got, want)
		}
	}
	w.call(t, "DELETE", "/v1/reports/"+id, "").want(204)
	w.call(t, "DELETE", "/v1/reports/"+id, "").want(404)
}

func TestStartingRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(t, "POST", "/v1/reports/r/runs", "").want(202)
	if got := a.Header().Get("Location"); got != "/v1/runs/RUN0001" {
		t.Errorf("Location %q", got)
	}
	w.call(t, "POST", "/v1/reports/r/runs", `{"only_to":["me@example.com"]}`).want(202)
	w.call(t, "POST", "/v1/reports/r/runs", `{"dry_run":true}`, "Idempotency-Key", "abc").want(202)
	w.call(t, "POST", "/v1/reports/missing/runs", "{}").want(404)
	w.call(t, "POST", "/v1/reports/r/runs", `{"only_to":"me@example.com"}`).want(422)
	want := []run.Start{{}, {OnlyTo: []string{"me@example.com"}}, {DryRun: true, Request: "abc"}, {}}
	if diff := cmp.Diff(want, w.runs.started); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}

// finished is a run with all that one can have.
func finished() (run.Run, []run.Delivery) {
	r := run.Run{ID: "RUN1", ReportID: "REP1", ReportName: "Morning numbers", ConnectionID: "C1", ScheduledFor: now, Trigger: run.Scheduled,
		StandsFor: 2, State: run.PartlyDelivered, Reason: "One delivery failed.", Attempts: 1, NotBefore: now, DryRun: false,
		Content: []report.Content{{View: "a", Format: tableau.PNG}, {View: "a", Format: tableau.PNG, FileName: "other"}, {View: "a", Format: tableau.PDF}},
		Files: []run.File{
			{ID: "f1", Object: "o1", Name: "Übersicht \"heute\".png", Format: "png", ContentType: "image/png", Size: 4, SHA256: "aa", View: "Overview",
				Workbook: "Superstore", ViewURL: "https://t.example.com/#/views/a", ExportedAt: now, Width: 800, Height: 600},
			{ID: "f2", Object: "o2", Name: "Overview.pdf", Format: "pdf", ContentType: "application/pdf", Size: 4, Filters: map[string][]string{"Region": {"West"}}, ExportedAt: now},
			{ID: "f3", Object: "o3", Name: "page.html", Format: "csv", ContentType: "text/html", Size: 10, ExportedAt: now},
		},
		CreatedAt: now, StartedAt: now.Add(time.Second), FinishedAt: now.Add(time.Minute)}
	return r, []run.Delivery{
		{Key: "RUN1.mail.1", RunID: "RUN1", DestinationID: "mail", Type: report.Email, To: []string{"a@example.com"}, State: run.Sent, Attempts: 1,
			Where: "outbox/RUN1.mail.1.eml", SentAt: now},
		{Key: "RUN1.slack.1", RunID: "RUN1", DestinationID: "slack", Type: report.Slack, State: run.DeliveryFailed, Attempts: 2, PossibleRepeat: true,
			Code: "no_service", Message: "The webhook was removed."},
		{Key: "RUN1.mail.2", RunID: "RUN1", DestinationID: "mail", Type: report.Email, To: []string{"b@example.com"}, State: run.Waiting},
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, deliveries := finished()
	w.runs.rows[r.ID], w.runs.deliveries[r.ID] = r, deliveries
	files := `[{"id":"f1","name":"Übersicht \"heute\".png","format":"png","content_type":"image/png","size":4,"sha256":"aa","view":"Overview","workbook":"Superstore",
			"view_url":"https://t.example.com/#/views/a","filters":{},"filter_proof":"","exported_at":"2026-11-23T08:30:00Z","width":800,"height":600},
		{"id":"f2","name":"Overview.pdf","format":"pdf","content_type":"application/pdf","size":4,"sha256":"","view":"","workbook":"",
			"view_url":"","filters":{"Region":["West"]},"filter_proof":"","exported_at":"2026-11-23T08:30:00Z","width":0,"height":0},
		{"id":"f3","name":"page.html","format":"csv","content_type":"text/html","size":10,"sha256":"","view":"","workbook":"",
			"view_url":"","filters":{},"filter_proof":"","exported_at":"2026-11-23T08:30:00Z","width":0,"height":0}]`
	common := `"id":"RUN1","report_id":"REP1","report_name":"Morning numbers","connection_id":"C1","scheduled_for":"2026-11-23T08:30:00Z","trigger":"schedule",
		"state":"partly_delivered","reason":"One delivery failed.","stands_for":2,"attempts":1,"not_before":null,"only_to":[],"dry_run":false,
		"created_at":"2026-11-23T08:30:00Z","started_at":"2026-11-23T08:30:01Z","finished_at":"2026-11-23T08:31:00Z","held_at":null,"released_at":null,"files":` + files
	w.call(t, "GET", "/v1/runs/RUN1", "").want(200).same(`{` + common + `,
		"progress":{"files_done":3,"files_total":3,"deliveries_done":2,"deliveries_total":3},
		"deliveries":[
			{"key":"RUN1.mail.1","destination_id":"mail","type":"email","to":["a@example.com"],"cc":[],"state":"sent","attempts":1,"possible_repeat":false,
				"code":"","message":"","provider_id":"","where":"outbox/RUN1.mail.1.eml","sent_at":"2026-11-23T08:30:00Z"},
			{"key":"RUN1.slack.1","destination_id":"slack","type":"slack","to":[],"cc":[],"state":"failed","attempts":2,"possible_repeat":true,
				"code":"no_service","message":"The webhook was removed.","provider_id":"","where":"","sent_at":null},
			{"key":"RUN1.mail.2","destination_id":"mail","type":"email","to":["b@example.com"],"cc":[],"state":"waiting","attempts":0,"possible_repeat":false,
				"code":"","message":"","provider_id":"","where":"","sent_at":null}]}`)
	w.call(t, "GET", "/v1/runs", "").want(200).same(`{"runs":[{` + common + `,"progress":{"files_done":3,"files_total":3}}],"next_cursor":null}`)

	for path, want := range map[string]int{
		"/v1/runs?state=partly_delivered": 1, "/v1/runs?state=failed,partly_delivered": 1, "/v1/runs?state=queued,running,held": 0,
		"/v1/reports/REP1/runs": 1, "/v1/reports/REP2/runs": 0, "/v1/reports/REP1/runs?state=failed": 0,
	} {
		if got := len(w.call(t, "GET", path, "").want(200).object()["runs"].([]any)); got != want {
			t.Errorf("%s: %d runs, want %d", path, got, want)
		}
	}
}

func TestProgressOfARunThatHasNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs.rows["R"] = run.Run{ID: "R", State: run.Queued, NotBefore: now,
		Content: []report.Content{{View: "a", Format: tableau.PNG}, {View: "a", Format: tableau.PNG, FileName: "other"}, {View: "a", Format: tableau.PDF}},
		Destinations: []report.Destination{{Type: report.Email, To: []string{"a@example.com", "b@example.com"}},
			{Type: report.Email, To: []string{"a@example.com", "b@example.com"}, Together: true}, {Type: report.Slack}}}
	got := w.call(t, "GET", "/v1/runs/R", "").want(200).object()
	want := map[string]any{"files_done": 0.0, "files_total": 2.0, "deliveries_done": 0.0, "deliveries_total": 4.0}
	if diff := cmp.Diff(want, got["progress"]); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if got["not_before"] != "2026-11-23T08:30:00Z" {
		t.Errorf("not_before is %v", got["not_before"])
	}
	if diff := cmp.Diff(any([]any{}), got["deliveries"]); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs.rows["F"], w.runs.rows["D"] = run.Run{ID: "F", State: run.Failed}, run.Run{ID: "D", State: run.Delivered}
	w.call(t, "POST", "/v1/runs/F/retry", "").want(202)
	w.call(t, "POST", "/v1/runs/D/retry", "").want(409)
	w.call(t, "POST", "/v1/runs/X/retry", "").want(404)
}

func TestDownloads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, _ := finished()
	w.runs.rows[r.ID] = r
	w.runs.files = map[string]string{"o1": "\x89PNG", "o2": "%PDF", "o3": "<script>x"}
	tests := []struct{ file, contentType, disposition, body string }{
		{"f1", "image/png", "inline; filename*=utf-8''%C3%9Cbersicht%20%22heute%22.png", "\x89PNG"},
		{"f2", "application/pdf", "attachment; filename=Overview.pdf", "%PDF"},
	}
	for _, test := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			a := w.call(t, method, "/v1/runs/RUN1/files/"+test.file, "").want(200)
			got := []string{a.Header().Get("Content-Type"), a.Header().Get("Content-Disposition"), a.Header().Get("Content-Length"),
				a.Header().Get("X-Content-Type-Options"), a.Header().Get("Content-Security-Policy")}
			want := []string{test.contentType, test.disposition, "4", "nosniff", "sandbox; default-src 'none'; frame-ancestors 'none'"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s: headers (-want +got):\n%s", method, test.file, diff)
			}
			if body := a.Body.String(); method == "GET" && body != test.body || method == "HEAD" && body != "" {
				t.Errorf("%s %s: body %q", method, test.file, body)
			}
		}
	}
	w.call(t, "GET", "/v1/runs/RUN1/files/f9", "").want(404).trouble()

	// The stored file of f3 is a byte too short: the connection is cut.
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/runs/RUN1/files/f3", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer operator-token")
	response, err := server.Client().Do(request)
	if err != nil {
		return // cut before the head arrived
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Disposition"); got != "attachment; filename=page.html" {
		t.Errorf("a page is sent as %q", got)
	}
	if _, err := new(bytes.Buffer).ReadFrom(response.Body); err == nil {
		t.Error("a file that broke off was taken for whole")
	}
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(t, "POST", "/v1/destinations", `{"name":"#sales","type":"slack","url":"https://hooks.slack.com/services/T/B/gone"}`).want(201)
	id := a.object()["id"].(string)
	a.same(`{"id":"` + id + `","name":"#sales","type":"slack","state":"ok","problem":null,"version":1,
		"created_at":"2026-11-23T08:30:00Z","updated_at":"2026-11-23T08:30:00Z"}`)
	if got := w.call(t, "POST", "/v1/destinations/"+id+"/test", "").want(409).trouble().Code; got != "no_service" {
		t.Errorf("code %q", got)
	}
	got := w.call(t, "GET", "/v1/destinations/"+id, "").want(200).object()
	if got["state"] != "broken" || got["problem"] != "The webhook was removed." || got["version"] != 1.0 {
		t.Errorf("after a refusal for good: %v", got)
	}
	got = w.call(t, "PATCH", "/v1/destinations/"+id, `{"url":"https://hooks.slack.com/services/T/B/new"}`, "If-Match", `"1"`).want(200).object()
	if got["state"] != "ok" || got["problem"] != nil || got["version"] != 2.0 {
		t.Errorf("after a new address: %v", got)
	}
	w.call(t, "POST", "/v1/destinations/"+id+"/test", "").want(200)
	w.call(t, "PATCH", "/v1/destinations/"+id, `{"name":"#emea"}`, "If-Match", `"1"`).want(412)
	w.call(t, "PATCH", "/v1/destinations/"+id, `{"url":null}`).want(422)
	if got := len(w.call(t, "GET", "/v1/destinations", "").want(200).object()["destinations"].([]any)); got != 1 {
		t.Errorf("%d destinations", got)
	}
	w.call(t, "DELETE", "/v1/destinations/"+id, "", "If-Match", `"2"`).want(204)
	w.call(t, "GET", "/v1/destinations/"+id, "").want(404)
}

func TestSchedulePreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(t, "POST", "/v1/schedules/preview", `{"cron":"0 9 * * MON-FRI","time_zone":"Europe/Berlin","count":3}`).want(200).same(
		`{"description":"every weekday at 09:00 (Europe/Berlin)","occurrences":["2026-11-24T08:00:00Z","2026-11-25T08:00:00Z","2026-11-26T08:00:00Z"]}`)
	got := w.call(t, "POST", "/v1/schedules/preview", `{"cron":"0 9 * * *","time_zone":"UTC","ends_on":"2026-11-24"}`).want(200).object()["occurrences"]
	if diff := cmp.Diff([]any{"2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"}, got); diff != "" {
		t.Errorf("occurrences until a day (-want +got):\n%s", diff)
	}
	for body, want := range map[string][]string{
		`{"cron":"0 9 31 2 *","time_zone":"UTC"}`:                      {"cron"},
		`{"cron":"@daily","time_zone":"Nowhere/At"}`:                   {"cron", "time_zone"},
		`{"cron":"0 9 * * *","time_zone":"UTC","count":51}`:            {"count"},
		`{"cron":"0 9 * * *","time_zone":"UTC","count":0}`:             {"count"},
		`{"cron":"0 9 * * *","time_zone":"UTC","starts_on":"31.1.26"}`: {"starts_on"},
		`{}`: {"cron", "time_zone"},
	} {
		if diff := cmp.Diff(want, w.call(t, "POST", "/v1/schedules/preview", body).want(422).trouble().fields()); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", body, diff)
		}
	}
}

const mail = "From: Reports <reports@example.com>\r\nTo: a@example.com, \"B, Second\" <b@example.com>\r\nSubject: =?utf-8?q?=C3=9Cbersicht?=\r\n" +
	"Date: Mon, 23 Nov 2026 09:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n" +
	"--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n" +
	"--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n" +
	"--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe numbers\r\n" +
	"--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>The numbers</p><img src=\"cid:overview@vizpost\"><img src=\"cid:none\">\r\n--a--\r\n" +
	"--r\r\nContent-Type: image/png\r\nContent-ID: <overview@vizpost>\r\nContent-Disposition: inline; filename=o.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n--r--\r\n" +
	"--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=Overview.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--m--\r\n"

func TestOutbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.outbox.mails["one.eml"] = &fstest.MapFile{Data: []byte(mail), ModTime: now}
	w.outbox.mails["two.eml"] = &fstest.MapFile{Data: []byte("no mail at all"), ModTime: now.Add(time.Hour)}
	w.outbox.mails["three.eml"] = &fstest.MapFile{Data: []byte(mail), ModTime: now.Add(-time.Hour)}

	var names []string
	path := "/v1/outbox?limit=2"
	for next := ""; ; {
		var list struct {
			Mails []struct {
				Name, Subject string
				To            []string
			}
			NextCursor *string `json:"next_cursor"`
		}
		w.call(t, "GET", path+next, "").want(200).into(&list)
		for _, m := range list.Mails {
			names = append(names, m.Name+" "+m.Subject+" "+strings.Join(m.To, ";"))
		}
		if list.NextCursor == nil {
			break
		}
		next = "&cursor=" + *list.NextCursor
	}
	const shown = " Übersicht a@example.com;B, Second <b@example.com>"
	if diff := cmp.Diff([]string{"two.eml  ", "one.eml" + shown, "three.eml" + shown}, names); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}

	w.call(t, "GET", "/v1/outbox/one.eml", "").want(200).same(`{"name":"one.eml","subject":"Übersicht","from":"Reports <reports@example.com>",
		"to":["a@example.com","B, Second <b@example.com>"],"cc":[],"date":"2026-11-23T08:00:00Z","text":"The numbers",
		"html":"<p>The numbers</p><img src=\"data:image/png;base64,iVBO\"><img src=\"cid:none\">",
		"attachments":[{"name":"Overview.pdf","content_type":"application/pdf","size":4}]}`)

	a := w.call(t, "GET", "/v1/outbox/one.eml/raw", "").want(200)
	if a.Header().Get("Content-Type") != "message/rfc822" || a.Body.String() != mail {
		t.Errorf("the raw mail: %v\n%s", a.Header(), a.Body)
	}
	a = w.call(t, "GET", "/v1/outbox/one.eml/attachments/0", "").want(200)
	if a.Header().Get("Content-Type") != "application/octet-stream" || a.Header().Get("Content-Disposition") != "attachment; filename=Overview.pdf" || a.Body.String() != "%PDF" {
		t.Errorf("the attachment: %v\n%s", a.Header(), a.Body)
	}
	w.call(t, "GET", "/v1/outbox/one.eml/attachments/1", "").want(404)
	w.call(t, "GET", "/v1/outbox/one.eml/attachments/-1", "").want(422)
	for _, path := range []string{"/v1/outbox/none.eml", "/v1/outbox/none.eml/raw", "/v1/outbox/..%2Fvizpost.key", "/v1/outbox/..%2Fvizpost.key/raw"} {
		w.call(t, "GET", path, "").want(404)
	}
}
