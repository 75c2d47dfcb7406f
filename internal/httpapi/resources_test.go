package httpapi_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
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
	const path = "/v1/connections/x/views?limit=2"
	names, _ := w.pages(t, path, "views", "name")
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

func TestDestinations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(t, "POST", "/v1/destinations", `{"name":"#sales","type":"slack","url":"https://hooks.slack.com/services/T/B/gone"}`).want(201)
	id := a.object()["id"].(string)
	a.same(`{"id":"` + id + `","name":"#sales","type":"slack","state":"untested","problem":null,"problem_code":null,"version":1,
		"created_at":"2026-11-23T08:30:00Z","updated_at":"2026-11-23T08:30:00Z"}`)
	if got := w.call(t, "POST", "/v1/destinations/"+id+"/test", "").want(409).trouble().Code; got != "no_service" {
		t.Errorf("code %q", got)
	}
	got := w.call(t, "GET", "/v1/destinations/"+id, "").want(200).object()
	if got["state"] != "broken" || got["problem"] != "The webhook was removed." || got["version"] != 1.0 {
		t.Errorf("after a refusal for good: %v", got)
	}
	got = w.call(t, "PATCH", "/v1/destinations/"+id, `{"url":"https://hooks.slack.com/services/T/B/new"}`, "If-Match", `"1"`).want(200).object()
	if got["state"] != "untested" || got["problem"] != nil || got["version"] != 2.0 {
		t.Errorf("after a new address: %v", got)
	}
	got = w.call(t, "POST", "/v1/destinations/"+id+"/test", "").want(200).object()
	if got["state"] != "ok" {
		t.Errorf("after a test: %v", got)
	}
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
