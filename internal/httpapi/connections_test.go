package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

func TestConnectionTellsWhatUsesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.report(t)
	w.call(t, "POST", "/v1/reports", `{"name":"Second","connection_id":"`+id+`","content":[{"view":"Superstore/sheets/Overview","format":"png"}],
		"destinations":[{"type":"email","to":["a@example.com"]}]}`).want(201)
	w.runs.rows["RUN1"] = run.Run{ID: "RUN1", ConnectionID: id, Trigger: run.Scheduled, State: run.Held, HeldAt: now}
	w.runs.rows["RUN2"] = run.Run{ID: "RUN2", ConnectionID: "another", State: run.Held}
	w.runs.rows["RUN3"] = run.Run{ID: "RUN3", ConnectionID: id, State: run.Delivered, HeldAt: now, ReleasedAt: now.Add(time.Hour)}

	uses := func(c any) string {
		o := c.(map[string]any)
		return fmt.Sprint(o["report_count"], " ", o["held_runs"])
	}
	listed := func() any {
		return w.call(t, "GET", "/v1/connections", "").want(200).object()["connections"].([]any)[0]
	}
	if got := uses(w.call(t, "GET", "/v1/connections/"+id, "").want(200).object()); got != "2 1" {
		t.Errorf("got reports and held runs %s, want 2 1", got)
	}
	if got := uses(listed()); got != "2 0" { // it works: nothing stays held
		t.Errorf("got reports and held runs %s in the list, want 2 0", got)
	}
	row := w.connections.rows[id]
	row.State = connection.Unreachable
	w.connections.rows[id] = row
	if got := uses(listed()); got != "2 1" {
		t.Errorf("got reports and held runs %s in the list, want 2 1", got)
	}

	held := w.call(t, "GET", "/v1/runs?state=held&connection_id="+id, "").want(200).object()["runs"].([]any)
	if len(held) != 1 || held[0].(map[string]any)["id"] != "RUN1" || held[0].(map[string]any)["held_at"] != "2026-11-23T08:30:00Z" {
		t.Errorf("got held runs %v, want the one of this connection", held)
	}
	for _, query := range []string{"", "&state=delivered", "&state=held,failed"} {
		got := w.call(t, "GET", "/v1/runs?connection_id="+id+query, "").want(422).trouble().fields()
		if diff := cmp.Diff([]string{"connection_id"}, got); diff != "" {
			t.Errorf("with %q: fields (-want +got):\n%s", query, diff)
		}
	}
}

func TestDeleteNamesTheReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.report(t)
	for i := range 24 {
		w.call(t, "POST", "/v1/reports", fmt.Sprintf(`{"name":"Report %d","connection_id":"%s","content":[{"view":"Superstore/sheets/Overview","format":"png"}],
			"destinations":[{"type":"email","to":["a@example.com"]}]}`, i, id)).want(201)
	}
	got := w.call(t, "DELETE", "/v1/connections/"+id, "").want(409).trouble()
	if got.Code != "in_use" || got.ReportCount != 25 || len(got.Reports) != 20 || got.Reports[0].Name != "Morning numbers" || got.Reports[0].ID == "" {
		t.Errorf("got %+v, want 20 of 25 reports named", got)
	}
}

func TestDeleteOfADestinationNamesTheReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connection, _ := w.report(t)
	destination := w.call(t, "POST", "/v1/destinations", `{"name":"#sales","type":"slack","url":"https://hooks.slack.com/services/T/B/x"}`).want(201).object()["id"].(string)
	report := func(name string) {
		w.call(t, "POST", "/v1/reports", fmt.Sprintf(`{"name":%q,"connection_id":%q,"content":[{"view":"Superstore/sheets/Overview","format":"png"}],
			"destinations":[{"type":"slack","destination_id":%q}]}`, name, connection, destination)).want(201)
	}
	report("Report")
	got := w.call(t, "DELETE", "/v1/destinations/"+destination, "").want(409).trouble()
	if got.Code != "in_use" || got.ReportCount != 1 || len(got.Reports) != 1 || got.Reports[0].Name != "Report" || got.Reports[0].ID == "" {
		t.Errorf("got %+v, want the report named", got)
	}
	for i := range 24 {
		report(fmt.Sprint("Report ", i))
	}
	got = w.call(t, "DELETE", "/v1/destinations/"+destination, "").want(409).trouble()
	if len(got.Reports) != 20 || got.ReportCount != 25 {
		t.Errorf("got %d of %d reports named, want 20 of 25", len(got.Reports), got.ReportCount)
	}
}

func TestRejectedCredentialTellsTheCauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connections.fail = &problem.Error{Kind: problem.Invalid, Code: problem.CodeCredentialsRejected, Message: "Tableau refuses the token.",
		Fields: []problem.Field{{Name: "auth.token_secret", Message: "Enter it again."}},
		Causes: []problem.Cause{{Code: "mistyped", Message: "It is mistyped.", Remedy: "Enter it again."}, {Code: "wrong_site", Message: "It is of another site.", Remedy: "Compare."}}}
	const body = `{"name":"n","server_url":"https://t.example.com","auth":{"method":"personal_access_token","token_name":"n","token_secret":"` + canary + `"}}`
	for _, path := range []string{"/v1/connections", "/v1/connections/test"} {
		got := w.call(t, "POST", path, body).want(422).trouble()
		if len(got.Causes) != 2 || got.Causes[0] != (struct{ Code, Message, Remedy string }{"mistyped", "It is mistyped.", "Enter it again."}) || got.Code != "credentials_rejected" {
			t.Errorf("%s: got %+v, want the causes in their order", path, got)
		}
	}
}

func TestTokenExpiresOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.report(t)
	expires := func(body string) any {
		return w.call(t, "PATCH", "/v1/connections/"+id, body).want(200).object()["token_life"].(map[string]any)["expires_at"]
	}
	for _, test := range []struct {
		body string
		want any
	}{
		{`{"token_expires_on":"2027-05-22"}`, "2027-05-22T00:00:00Z"},
		{`{"name":"Other"}`, "2027-05-22T00:00:00Z"},
		{`{"token_expires_on":null}`, nil},
		{`{"token_expires_on":"2027-06-01","auth":{"method":"personal_access_token","token_name":"n","token_secret":"s"}}`, "2027-06-01T00:00:00Z"},
		{`{"token_expires_on":"2027-06-01","auth":{"method":"personal_access_token","token_name":"n","token_secret":"s","expires_on":"2027-07-01"}}`, "2027-07-01T00:00:00Z"},
	} {
		if got := expires(test.body); got != test.want {
			t.Errorf("%s: got %v, want %v", test.body, got, test.want)
		}
	}
	got := w.call(t, "PATCH", "/v1/connections/"+id, `{"token_expires_on":"tomorrow"}`).want(422).trouble().fields()
	if diff := cmp.Diff([]string{"token_expires_on"}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestConnectionHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(d *httpapi.Deps) {
		d.Authenticate = func(*http.Request) (httpapi.Principal, error) {
			return httpapi.Principal{Subject: "sub-1", Name: "ana@example.com", Role: httpapi.Admin}, nil
		}
	})
	w.runs.rows["RUN1"] = run.Run{ID: "RUN1", State: run.Delivered, StandsFor: 3}
	w.connections.events = map[string][]connection.Event{"c": {
		{ID: "E3", At: now, Action: connection.RunsReleased, Summary: "2 runs that were held are released.", Runs: []connection.HeldRun{
			{ID: "RUN1", ReportID: "REP1", ReportName: "Morning numbers", ScheduledFor: now, StandsFor: 1},
			{ID: "GONE", ReportID: "REP1", ReportName: "Morning numbers", ScheduledFor: now, StandsFor: 1},
		}},
		{ID: "E2", At: now, Person: "ana@example.com", Action: connection.CredentialChanged, Summary: "The credential was replaced.",
			Changes: []connection.Change{{Field: "auth.token_secret", To: "replaced"}}},
		{ID: "E1", At: now, Person: "ana@example.com", Action: connection.Created, Summary: "Connected."},
	}}
	var page struct {
		NextCursor string `json:"next_cursor"`
	}
	first := w.call(t, "GET", "/v1/connections/c/history?limit=2", "").want(200)
	first.into(&page)
	if page.NextCursor == "" {
		t.Fatal("there is no next page")
	}
	first.same(`{"events":[
		{"id":"E3","at":"2026-11-23T08:30:00Z","by":{"type":"vizpost","name":"vizpost"},"action":"runs_released","summary":"2 runs that were held are released.","changes":[],
			"runs":[{"id":"RUN1","report_id":"REP1","report_name":"Morning numbers","scheduled_for":"2026-11-23T08:30:00Z","state":"delivered","stands_for":3},
				{"id":"GONE","report_id":"REP1","report_name":"Morning numbers","scheduled_for":"2026-11-23T08:30:00Z","state":null,"stands_for":1}]},
		{"id":"E2","at":"2026-11-23T08:30:00Z","by":{"type":"person","name":"ana@example.com"},"action":"credential_changed","summary":"The credential was replaced.",
			"changes":[{"field":"auth.token_secret","from":"","to":"replaced"}],"runs":[]}],
		"next_cursor":"` + page.NextCursor + `"}`)
	last := w.call(t, "GET", "/v1/connections/c/history?limit=2&cursor="+page.NextCursor, "").want(200).object()
	if got := last["events"].([]any); len(got) != 1 || last["next_cursor"] != nil {
		t.Errorf("the second page: %v", last)
	}
	w.call(t, "GET", "/v1/connections/none/history", "").want(404)

	// Who calls is known to those who note it.
	w.call(t, "POST", "/v1/connections", `{"name":"n","server_url":"https://t.example.com","auth":{"method":"username_password","username":"u","password":"p"}}`).want(201)
	if got := w.connections.person; got != "ana@example.com" {
		t.Errorf("the connection was made by %q, want ana@example.com", got)
	}
	if strings.Contains(w.log.String(), "ana@example.com") {
		t.Error("the log names the person")
	}
}

// White space that came along with a token when it was copied is no part of it;
// of a password it may be.
func TestCopiedWhiteSpace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"name":"n","server_url":"https://t.example.com","auth":%s}`
	w.call(t, "POST", "/v1/connections", fmt.Sprintf(body, `{"method":"personal_access_token","token_name":" vizpost\n","token_secret":"\tabc==:def \n"}`)).want(201)
	if got := w.connections.lastSet.Credential; got.TokenName != "vizpost" || got.Secret.Reveal() != "abc==:def" {
		t.Errorf("got the token %q with the secret %q", got.TokenName, got.Secret.Reveal())
	}
	w.call(t, "POST", "/v1/connections", fmt.Sprintf(body, `{"method":"personal_access_token","token_name":"n","token_secret":" "}`)).want(422)
	w.call(t, "POST", "/v1/connections", fmt.Sprintf(body, `{"method":"username_password","username":"u","password":" p "}`)).want(201)
	if got := w.connections.lastSet.Credential.Secret.Reveal(); got != " p " {
		t.Errorf("got the password %q", got)
	}
}
