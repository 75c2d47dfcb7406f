package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
		{"view":" Superstore ","scope":"workbook","format":"pdf","language":"fr"},
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
			got = append(got, fmt.Sprint(item["view"], " ", item["scope"], " ", item["view_name"], " ", item["format"], " ", item["language"], " ", item["verify_filters"], " ", name))
		}
		want := []string{
			"workbooks/Superstore.twbx workbook  pptx  true ",
			"workbooks/Superstore.twbx workbook  pdf de true ",
			"workbooks/Superstore.twbx workbook  pdf fr true ",
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
		`{"view":"workbooks/Superstore.twbx","format":"png"}`:                                                     "content[0].view",
		`{"view":"Superstore/sheets/Overview","scope":"workbook","format":"csv"}`:                                 "content[0].format",
		`{"view":"Superstore/sheets/Overview","scope":"project","format":"csv"}`:                                  "content[0].scope",
		`{"view":"Superstore/sheets/Overview","format":"csv","require_filter_proof":true,"verify_filters":false}`: "content[0].verify_filters",
		`{"view":"Superstore/sheets/Overview","format":"csv","require_filter_proof":false,"verify_filters":true}`: "content[0].verify_filters",
		`{"view":"Superstore/sheets/Overview","format":"csv","verify_filters":null}`:                              "content[0].verify_filters",
		`{"view":"Superstore/sheets/Overview","format":"csv","check_view":"Superstore/sheets/NoSuchView"}`:        "content[0].check_view",
	} {
		if diff := cmp.Diff([]string{field}, w.call(t, "PATCH", "/v1/reports/"+id, `{"content":[`+body+`]}`).want(422).trouble().fields()); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", body, diff)
		}
	}
}

// The former name of verify_filters is still taken.
func TestVerifyFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, id := w.report(t)
	for given, want := range map[string]bool{
		``: true, `,"verify_filters":true`: true, `,"verify_filters":false`: false,
		`,"require_filter_proof":true`: true, `,"require_filter_proof":false`: false,
		`,"require_filter_proof":true,"verify_filters":true`: true, `,"require_filter_proof":false,"verify_filters":false`: false,
	} {
		body := `{"content":[{"view":"Superstore/sheets/Overview","format":"csv"` + given + `}]}`
		item := w.call(t, "PATCH", "/v1/reports/"+id, body).want(200).object()["content"].([]any)[0].(map[string]any)
		if item["verify_filters"] != want {
			t.Errorf("%s: verify_filters is %v, want %v", given, item["verify_filters"], want)
		}
		if _, there := item["require_filter_proof"]; there {
			t.Errorf("%s: the answer has the former name", given)
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
			"filters":{"Region":["West"]},"pdf":{"page_size":"a4","orientation":"landscape"},"max_age_minutes":1,"language":"","file_name":"","if_empty":"skip","escape_formulas":false,"allow_blank":false,"verify_filters":true,"check_view":null}],
		"schedule":{"cron":"0 9 * * MON-FRI","time_zone":"Europe/Berlin","starts_on":null,"ends_on":null,"catch_up":"latest",
			"description":"every weekday at 09:00 (Europe/Berlin)"},
		"destinations":[{"id":"email","type":"email","to":["a@example.com"]}],
		"notify":["owner@example.com"],"alerts":{"to":["owner@example.com"],"from":"report","unreachable":[]},
		"next_run_at":"2026-11-24T08:00:00Z","version":1,
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
	delete(read, "alerts")
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

// Tableau tells fields apart by their case.
func TestFiltersThatDifferInCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, id := w.report(t)
	filters := map[string]any{"Region": []any{"West"}, "region": []any{"Ost"}, "filters": []any{"a"}, "Filters": []any{"b"}}
	content, err := json.Marshal(map[string]any{"content": []any{map[string]any{"view": "Superstore/sheets/Overview", "format": "png", "filters": filters}}})
	if err != nil {
		t.Fatal(err)
	}
	got := w.call(t, "PATCH", "/v1/reports/"+id, string(content)).want(200).object()["content"].([]any)[0].(map[string]any)["filters"]
	if diff := cmp.Diff(any(filters), got); diff != "" {
		t.Errorf("filters (-want +got):\n%s", diff)
	}
}

func TestEscapeFormulas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, id := w.report(t)
	const item = `{"content":[{"view":"Superstore/sheets/Overview","escape_formulas":true,"format":`
	edited := w.call(t, "PATCH", "/v1/reports/"+id, item+`"csv"}]}`).want(200).object()
	if got := edited["content"].([]any)[0].(map[string]any)["escape_formulas"]; got != true {
		t.Errorf("got %v, want true", got)
	}
	if got := w.call(t, "PATCH", "/v1/reports/"+id, item+`"xlsx"}]}`).want(422).trouble().fields(); len(got) != 1 || got[0] != "content[0].escape_formulas" {
		t.Errorf("got the fields %q", got)
	}
}

func TestAllowBlank(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, id := w.report(t)
	for format, allowed := range map[string]bool{"png": true, "pdf": true, "csv": false, "xlsx": false} {
		a := w.call(t, "PATCH", "/v1/reports/"+id, `{"content":[{"view":"Superstore/sheets/Overview","allow_blank":true,"format":"`+format+`"}]}`)
		if !allowed {
			if got := a.want(422).trouble().fields(); len(got) != 1 || got[0] != "content[0].allow_blank" {
				t.Errorf("%s: got the fields %q", format, got)
			}
			continue
		}
		if got := a.want(200).object()["content"].([]any)[0].(map[string]any)["allow_blank"]; got != true {
			t.Errorf("%s: got %v, want true", format, got)
		}
	}
}

// What is given without a word about it is left out when it has no data; what was
// stored before there was a choice, and is sent back as it was read, is sent.
func TestIfEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, id := w.report(t)
	old, err := w.reports.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	old.Content[0].IfEmpty = ""
	if err := w.reports.Store.UpdateReport(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	read := w.call(t, "GET", "/v1/reports/"+id, "").want(200).object()["content"]
	back, err := json.Marshal(map[string]any{"content": read})
	if err != nil {
		t.Fatal(err)
	}
	const item = `{"content":[{"view":"Superstore/sheets/Overview","format":"csv"`
	for _, test := range []struct{ name, body, want string }{
		{"another field", `{"name":"Numbers"}`, "send"},
		{"as it was read", string(back), "send"},
		{"left out", item + `}]}`, "skip"},
		{"fail", item + `,"if_empty":"fail"}]}`, "fail"},
		{"another field again", `{"name":"More numbers"}`, "fail"},
	} {
		edited := w.call(t, "PATCH", "/v1/reports/"+id, test.body).want(200).object()
		if got := edited["content"].([]any)[0].(map[string]any)["if_empty"]; got != test.want {
			t.Errorf("%s: got %v, want %s", test.name, got, test.want)
		}
	}
	if got := w.call(t, "PATCH", "/v1/reports/"+id, item+`,"if_empty":"drop"}]}`).want(422).trouble().fields(); len(got) != 1 || got[0] != "content[0].if_empty" {
		t.Errorf("got the fields %q", got)
	}
}
