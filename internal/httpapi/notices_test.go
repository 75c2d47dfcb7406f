package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/health"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

func TestNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(t, "GET", "/v1/notices", "").want(200).same(`{"notices":[],"next_cursor":null}`)
	for i, n := range []run.Notice{
		{Kind: run.ConnectionBroken, Subject: "A", Text: "It broke.", ToDo: "Mend it.", ConnectionID: "c", Level: run.OfConnection},
		{Kind: run.RunFailed, Subject: "B", ReportID: "r", RunID: "x", Level: run.OfAdministrators, Undeliverable: true},
		{Subject: "C", Text: "of an earlier version"},
	} {
		d := run.Delivery{Key: fmt.Sprint("notice.", i), Notice: &n, State: run.Waiting, NotBefore: now.Add(time.Hour), CreatedAt: now}
		if i == 0 {
			d.To, d.Attempts, d.Message = []string{"ops@example.com"}, 3, "Busy."
		}
		w.runs.notices = append(w.runs.notices, d)
	}
	var got struct {
		Notices []struct {
			ID, Kind, State, Problem, Level string
			To                              []string
			RunID                           string `json:"run_id"`
		}
		NextCursor string `json:"next_cursor"`
	}
	w.call(t, "GET", "/v1/notices?limit=2", "").want(200).into(&got)
	if len(got.Notices) != 2 || got.NextCursor == "" {
		t.Fatalf("got %+v, want two and more", got)
	}
	first, second := got.Notices[0], got.Notices[1]
	if first.Kind != "connection_broken" || first.State != "retrying" || first.Problem != "Busy." || first.To[0] != "ops@example.com" {
		t.Errorf("got %+v, want one that is tried again", first)
	}
	if second.State != "undeliverable" || second.RunID != "x" || second.Level != "administrators" {
		t.Errorf("got %+v, want one that nobody can be told of", second)
	}
	w.call(t, "GET", "/v1/notices?cursor="+got.NextCursor, "").want(200).into(&got)
	if len(got.Notices) != 1 || got.Notices[0].Kind != "other" || got.Notices[0].State != "waiting" {
		t.Errorf("got %+v, want the third", got.Notices)
	}
	w.call(t, "GET", "/v1/notices?state=undeliverable", "").want(200).into(&got)
	if len(got.Notices) != 1 || got.Notices[0].ID != "notice.1" {
		t.Errorf("got %+v, want the second alone", got.Notices)
	}
	w.call(t, "GET", "/v1/notices?state=lost", "").want(422)
}

// Who is told of what goes wrong is said with reports and connections.
func TestAlerts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		report, connection, administrators []string
		want                               string // of the report
	}{
		"its own":            {[]string{"o@example.com"}, []string{"c@example.com"}, []string{"a@example.com"}, `{"to":["o@example.com"],"from":"report","unreachable":[]}`},
		"the connection's":   {nil, []string{"c@example.com"}, []string{"a@example.com"}, `{"to":["c@example.com"],"from":"connection","unreachable":[]}`},
		"the administrators": {nil, nil, []string{"a@example.com"}, `{"to":["a@example.com"],"from":"administrators","unreachable":[]}`},
		"nobody":             {nil, nil, nil, `{"to":[],"from":"nobody","unreachable":[]}`},
		"one that no mail reaches": {[]string{"o@localhost"}, []string{"c@example.com"}, nil,
			`{"to":["c@example.com"],"from":"connection","unreachable":["o@localhost"]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(d *httpapi.Deps) { d.Installation.Administrators = test.administrators })
			w.connections.rows["c"] = connection.Connection{ID: "c", Notify: test.connection}
			if err := w.reports.Store.CreateReport(t.Context(), report.Report{ID: "r", ConnectionID: "c", Notify: test.report, Version: 1}); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/v1/reports/r", "/v1/reports"} {
				if got := w.call(t, "GET", path, "").want(200).Body.String(); !strings.Contains(got, `"alerts":`+test.want) {
					t.Errorf("%s: got %s, want the alerts %s", path, got, test.want)
				}
			}
			for _, path := range []string{"/v1/connections/c", "/v1/connections"} {
				if got := w.send(t, "GET", path, "").want(200).Body.String(); !strings.Contains(got, `"alerts":{`) {
					t.Errorf("%s: got %s, want its alerts", path, got)
				}
			}
		})
	}
}

// What keeps all of vizpost from its work makes /healthz an error, and is told in
// words to who is signed in.
func TestTroubles(t *testing.T) {
	t.Parallel()
	registry := health.New(func() time.Time { return now })
	w := newWorld(t, func(d *httpapi.Deps) { d.Health = registry })
	w.call(t, "GET", "/healthz", "", "Authorization", "").want(200).same(`{"status":"ok"}`)
	w.call(t, "GET", "/v1/health", "").want(200).same(`{"troubles":[]}`)
	registry.Set("disk", &health.Trouble{Code: health.DiskFull, Message: "The disk is full.", ToDo: "Make room."})
	w.call(t, "GET", "/healthz", "", "Authorization", "").want(503).same(`{"status":"trouble"}`)
	w.call(t, "GET", "/livez", "", "Authorization", "").want(200).same(`{"status":"ok"}`)
	w.call(t, "GET", "/v1/health", "").want(200).
		same(`{"troubles":[{"code":"disk_full","message":"The disk is full.","to_do":"Make room.","since":"2026-11-23T08:30:00Z"}]}`)
	w.call(t, "GET", "/v1/health", "", "Authorization", "").want(401)
	registry.Set("disk", nil)
	w.call(t, "GET", "/healthz", "", "Authorization", "").want(200)
}
