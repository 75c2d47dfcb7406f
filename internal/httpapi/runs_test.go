package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

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
			{ID: "f2", Object: "o2", Name: "Overview.pdf", Format: "pdf", ContentType: "application/pdf", Size: 4, Filters: map[string][]string{"Region": {"West"}}, ExportedAt: now,
				FilterVerdict: verify.Applied, FilterEvidence: "Every row.", VerifiedOn: "Sales by Region", CheckedRows: new(int)},
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
	files := `[{"id":"f1","name":"Übersicht \"heute\".png","format":"png","content_type":"image/png","size":4,"rows":null,"left_out":"","formulas_escaped":false,"sha256":"aa","view":"Overview","workbook":"Superstore",
			"view_url":"https://t.example.com/#/views/a","filters":{},"filter_proof":"",
			"filter_verdict":"","filter_evidence":"","verified_on":"","checked_rows":null,"exported_at":"2026-11-23T08:30:00Z","width":800,"height":600},
		{"id":"f2","name":"Overview.pdf","format":"pdf","content_type":"application/pdf","size":4,"rows":null,"left_out":"","formulas_escaped":false,"sha256":"","view":"","workbook":"",
			"view_url":"","filters":{"Region":["West"]},"filter_proof":"",
			"filter_verdict":"applied","filter_evidence":"Every row.","verified_on":"Sales by Region","checked_rows":0,"exported_at":"2026-11-23T08:30:00Z","width":0,"height":0},
		{"id":"f3","name":"page.html","format":"csv","content_type":"text/html","size":10,"rows":null,"left_out":"","formulas_escaped":false,"sha256":"","view":"","workbook":"",
			"view_url":"","filters":{},"filter_proof":"",
			"filter_verdict":"","filter_evidence":"","verified_on":"","checked_rows":null,"exported_at":"2026-11-23T08:30:00Z","width":0,"height":0}]`
	common := `"id":"RUN1","report_id":"REP1","report_name":"Morning numbers","connection_id":"C1","scheduled_for":"2026-11-23T08:30:00Z","trigger":"schedule",
		"state":"partly_delivered","reason":"One delivery failed.","stands_for":2,"attempts":1,"not_before":null,"only_to":[],"dry_run":false,
		"created_at":"2026-11-23T08:30:00Z","started_at":"2026-11-23T08:30:01Z","finished_at":"2026-11-23T08:31:00Z","held_at":null,"released_at":null,"files":` + files
	w.call(t, "GET", "/v1/runs/RUN1", "").want(200).same(`{` + common + `,
		"progress":{"files_done":3,"files_total":3,"deliveries_done":2,"deliveries_total":3},
		"deliveries":[
			{"key":"RUN1.mail.1","destination_id":"mail","type":"email","to":["a@example.com"],"cc":[],"state":"sent","attempts":1,"possible_repeat":false,
				"code":"","message":"","provider_id":"","where":"outbox/RUN1.mail.1.eml","missing":[],"left_out":[],"sent_at":"2026-11-23T08:30:00Z"},
			{"key":"RUN1.slack.1","destination_id":"slack","type":"slack","to":[],"cc":[],"state":"failed","attempts":2,"possible_repeat":true,
				"code":"no_service","message":"The webhook was removed.","provider_id":"","where":"","missing":[],"left_out":[],"sent_at":null},
			{"key":"RUN1.mail.2","destination_id":"mail","type":"email","to":["b@example.com"],"cc":[],"state":"waiting","attempts":0,"possible_repeat":false,
				"code":"","message":"","provider_id":"","where":"","missing":["b@example.com"],"left_out":[],"sent_at":null}]}`)
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
	w.runs.rows["R"] = run.Run{ID: "R", State: run.Queued, Trigger: run.Manual, NotBefore: now,
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
	w.runs.rows["F"], w.runs.rows["D"] = run.Run{ID: "F", State: run.Failed, Trigger: run.Manual}, run.Run{ID: "D", State: run.Delivered}
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

// Files come in the order of the content, whichever export ended first, and say
// how many rows they have and why the messages do not carry them.
func TestFilesOfRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := []report.Content{
		{View: "a", Format: tableau.CSV, IfEmpty: report.SkipEmpty}, {View: "b", Format: tableau.CSV, IfEmpty: report.SendEmpty},
		{View: "a", Format: tableau.CSV, IfEmpty: report.SkipEmpty, FileName: "again"}, {View: "c", Format: tableau.CSV, IfEmpty: report.SkipEmpty}}
	r := run.Run{ID: "RUN1", ReportID: "REP1", ScheduledFor: now, Trigger: run.Manual, State: run.Running, CreatedAt: now, Content: content}
	for i, n := range []int{3, 1, 0} {
		rows := []int{0, 0, 0, 7}[n]
		r.Files = append(r.Files, run.File{ID: fmt.Sprint("f", i), Export: run.ExportKey(content[n]), View: content[n].View, Format: "csv", Rows: &rows, ExportedAt: now})
	}
	r.Files = append(r.Files, run.File{ID: "f3", Export: "of before", View: "d", Format: "png", ExportedAt: now})
	w.runs.rows[r.ID] = r
	var got []string
	for _, f := range w.call(t, "GET", "/v1/runs/RUN1", "").want(200).object()["files"].([]any) {
		file := f.(map[string]any)
		got = append(got, fmt.Sprint(file["view"], " ", file["rows"], " ", file["left_out"]))
	}
	if want := []string{"a 0 no_data", "b 0 ", "c 7 ", "d <nil> "}; !slices.Equal(got, want) {
		t.Errorf("got the files %q, want %q", got, want)
	}
}
