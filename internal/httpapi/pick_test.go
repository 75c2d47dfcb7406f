package httpapi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/run"
)

func TestResolveView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.report(t)
	path := "/v1/connections/" + id + "/views/resolve"
	got := w.call(t, "POST", path, `{"view":"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview?Region=West,East&:iid=1"}`).want(200).object()
	if diff := cmp.Diff(map[string]any{"Region": []any{"West", "East"}}, got["filters"]); diff != "" {
		t.Errorf("the filters (-want +got):\n%s", diff)
	}
	if view := got["view"].(map[string]any); view["content_url"] != "Superstore/sheets/Overview" || view["name"] != "Overview" || got["format"] != "" {
		t.Errorf("the answer is %v", got)
	}
	if got := w.call(t, "POST", path, `{"view":"https://10ay.online.tableau.com/t/acme/views/Superstore/Overview.pdf"}`).want(200).object(); got["format"] != "pdf" {
		t.Errorf("the format is %v, want that of the address", got["format"])
	}
	if got := w.call(t, "POST", path, `{"view":"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview/1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9/West"}`).want(200).object(); got["custom_view"].(map[string]any)["name"] != "West only" || got["view"].(map[string]any)["name"] != "Overview" {
		t.Errorf("the custom view is %v", got)
	}
	got = w.call(t, "POST", path, `{"view":"workbooks/Superstore.twbx"}`).want(200).object()
	if got["view"] != nil || got["custom_view"] != nil || got["workbook"].(map[string]any)["content_url"] != "Superstore" {
		t.Errorf("the workbook is %v", got)
	}
	for _, body := range []string{`{"view":""}`, `{"view":"Superstore/sheets/Nothing"}`} {
		if diff := cmp.Diff([]string{"view"}, w.call(t, "POST", path, body).want(422).trouble().fields()); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", body, diff)
		}
	}
	w.call(t, "POST", "/v1/connections/none/views/resolve", `{"view":"Superstore/sheets/Overview"}`).want(404)
}

func TestListOfReportsWithLastRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, first := w.report(t)
	_, never := w.report(t)
	w.call(t, "POST", "/v1/reports/"+first+"/runs", "").want(202)
	last := w.call(t, "POST", "/v1/reports/"+first+"/runs", "").want(202).object()["id"].(string)
	row := w.runs.rows[last]
	row.State, row.FinishedAt = run.Delivered, now
	w.runs.rows[last] = row

	runs := map[string]any{}
	for _, r := range w.call(t, "GET", "/v1/reports?last_run=true", "").want(200).object()["reports"].([]any) {
		runs[r.(map[string]any)["id"].(string)] = r.(map[string]any)["last_run"]
	}
	want := map[string]any{never: nil, first: map[string]any{"id": last, "state": "delivered",
		"scheduled_for": "2026-11-23T08:30:00Z", "finished_at": "2026-11-23T08:30:00Z"}}
	if diff := cmp.Diff(want, runs); diff != "" {
		t.Errorf("the last runs (-want +got):\n%s", diff)
	}
	for _, r := range w.call(t, "GET", "/v1/reports", "").want(200).object()["reports"].([]any) {
		if _, ok := r.(map[string]any)["last_run"]; ok {
			t.Errorf("a list that was not asked for last runs has them: %v", r)
		}
	}
}
