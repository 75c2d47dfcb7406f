package httpapi_test

import (
	"strings"
	"testing"
)

// FuzzBody looks for bodies at which the API fails, answers otherwise than it
// says, or takes one field twice.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"name":"Sales","server_url":"https://10ay.online.tableau.com","site":"acme","auth":{"method":"personal_access_token","token_name":"vizpost","token_secret":"a:b"},"notify":["ops@example.com"]}`,
		`{"name":"Morning numbers","connection_id":"x","content":[{"view":"Superstore/sheets/Overview","format":"pdf","filters":{"Region":["West"]},"pdf":{"page_size":"a4"},"max_age_minutes":5,"custom_view":null}],
			"schedule":{"cron":"0 9 * * MON-FRI","time_zone":"Europe/Berlin","starts_on":null,"catch_up":"latest"},"destinations":[{"type":"email","to":["a@example.com"],"subject":"{{ report.name }}"}]}`,
		`{"name":"#sales","type":"slack","url":"https://hooks.slack.com/services/T/B/x"}`,
		`{"cron":"0 9 * * *","time_zone":"UTC","ends_on":"2026-12-01","count":5}`,
		`{"only_to":["me@example.com"],"dry_run":true}`,
		`{"name":"a","name":"b"}`, `{"":1,"":1}`, `{"content":[{"filters":{"a":[],"a":[]}}]}`, `{"count":1e999}`, `{"name":null,"auth":null,"content":[null]}`,
		`null`, `[]`, `""`, `{`, `{"a":1}{`, "{\"name\":\"\xff\"}", `{"name":"\ud800"}`, strings.Repeat("[", 300), strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300),
	} {
		f.Add(body)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, request := range []struct{ method, path string }{
			{"POST", "/v1/connections/test"}, {"PATCH", "/v1/connections/x"}, {"POST", "/v1/connections/x/views/resolve"},
			{"POST", "/v1/reports"}, {"PATCH", "/v1/reports/x"}, {"POST", "/v1/reports/x/runs"},
			{"POST", "/v1/destinations"}, {"PATCH", "/v1/destinations/x"}, {"POST", "/v1/schedules/preview"},
		} {
			if a := w.call(t, request.method, request.path, body); a.Code >= 500 {
				t.Errorf("%s %s: status %d: %s", request.method, request.path, a.Code, a.Body)
			}
		}
	})
}
