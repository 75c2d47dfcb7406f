package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/connection"
)

// TestSecretsNeverComeBack sends a secret beside each kind of mistake.
func TestSecretsNeverComeBack(t *testing.T) {
	t.Parallel()
	const auth = `{"method":"personal_access_token","token_name":"vizpost","token_secret":"` + canary + `"}`
	long := strings.Repeat("x", 300)
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		field                    string // among the wrong ones
	}{
		{name: "missing field", body: `{"server_url":"https://t.example.com","auth":` + auth + `}`, status: 422, field: "name"},
		{name: "unknown field", body: `{"name":"Sales","colour":"red","auth":` + auth + `}`, status: 422, field: "colour"},
		{name: "unknown field in auth", body: `{"name":"Sales","auth":{"method":"personal_access_token","token_name":"a","secret":"` + canary + `"}}`, status: 422, field: "auth.secret"},
		{name: "wrong type", body: `{"name":7,"auth":` + auth + `}`, status: 422, field: "name"},
		{name: "secret of the wrong type", body: `{"name":"a","auth":{"method":"personal_access_token","token_secret":["` + canary + `"]}}`, status: 422, field: "auth.token_secret"},
		{name: "secret in place of an object", body: `{"name":"a","auth":"` + canary + `"}`, status: 422, field: "auth"},
		{name: "secret as the name of a field", body: `{"name":"a","` + canary + `":1}`, status: 422, field: "…"},
		{name: "secret as the name of a field in auth", body: `{"name":"a","auth":{"` + canary + `":1}}`, status: 422, field: "auth.…"},
		{name: "secret in place of the name", body: `{"name":"a","server_url":"https://t.example.com","auth":{"method":"personal_access_token","token_name":"` + canary + `==:` + canary + `","token_secret":"a"}}`, status: 422, field: "auth.token_name"},
		{name: "secret in place of an id", method: http.MethodGet, path: "/v1/connections/" + canary, status: 404},
		{name: "whole body of the wrong type", body: `"` + canary + `"`, status: 422, field: ""},
		{name: "number out of range", method: http.MethodPatch, path: "/v1/reports/x", body: `{"name":"` + canary + `","content":[{"max_age_minutes":99999999999999999999}]}`, status: 422},
		{name: "number beyond all bounds", body: `{"name":1` + strings.Repeat("0", 400) + `,"auth":` + auth + `}`, status: 422, field: "name"},
		{name: "number beyond all bounds where one belongs", method: http.MethodPatch, path: "/v1/reports/x", body: `{"content":[{"max_age_minutes":1e400}]}`, status: 422, field: "content[0].max_age_minutes"},
		{name: "field given twice", body: `{"name":"a","auth":` + auth + `,"name":"` + canary + `"}`, status: 400, field: "name"},
		{name: "field given twice within a list", method: http.MethodPatch, path: "/v1/reports/x", body: `{"name":"a","content":[{},{"view":"a","pdf":{"page_size":"a3","orientation":"portrait","page_size":"` + canary + `"}}]}`, status: 400, field: "content[1].pdf.page_size"},
		{name: "field given twice, once in capitals", body: `{"name":"a","auth":` + auth + `,"NAME":"` + canary + `"}`, status: 400, field: "NAME"},
		{name: "field given twice, with a letter that folds", method: http.MethodPatch, path: "/v1/destinations/x", body: `{"name":"a","url":"` + canary + `","\u017fite":1,"site":1}`, status: 400, field: "site"},
		{name: "secret as the name of a field given twice", body: `{"` + canary + `":1,"` + canary + `":1}`, status: 400, field: "…"},
		{name: "secret given twice", body: `{"name":"a","auth":` + auth + `,"auth":` + auth + `}`, status: 400, field: "auth"},
		{name: "broken JSON", body: `{"name":"Sales","auth":{"token_secret":"` + canary + `"`, status: 400},
		{name: "text behind the JSON", body: `{"name":"Sales","auth":` + auth + `} ` + canary, status: 400},
		{name: "no JSON at all", body: canary, status: 400},
		{name: "bad escape", body: `{"name":"\q` + canary + `"}`, status: 400},
		{name: "invalid UTF-8", body: "{\"name\":\"\xff\",\"auth\":" + auth + "}", status: 400},
		{name: "empty body", body: "", status: 400},
		{name: "too long a value", body: `{"name":"` + long + `","auth":` + auth + `}`, status: 422, field: "name"},
		{name: "too large a body", body: `{"name":"` + strings.Repeat("x", 1<<20) + `","auth":` + auth + `}`, status: 413},
		{name: "wrong content type", body: "token_secret=" + canary, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415},
		{name: "secret as content type", body: `{"auth":` + auth + `}`, headers: []string{"Content-Type", "text/" + canary}, status: 415},
		{name: "unknown method", body: `{"name":"a","auth":{"method":"` + canary + `","token_name":"a","token_secret":"` + canary + `"}}`, status: 422, field: "auth.method"},
		{name: "field of the other method", body: `{"name":"a","auth":{"method":"personal_access_token","token_name":"a","token_secret":"` + canary + `","password":"` + canary + `"}}`, status: 422, field: "auth.password"},
		{name: "day that does not exist", body: `{"name":"a","auth":{"method":"personal_access_token","token_name":"a","token_secret":"` + canary + `","expires_on":"` + canary + `"}}`, status: 422, field: "auth.expires_on"},
		{name: "rejected credential", body: `{"name":"a","server_url":"https://t.example.com","auth":{"method":"username_password","username":"` + canary + `","password":"wrong"}}`, status: 422},
		{name: "null where there must be a value", method: http.MethodPatch, path: "/v1/connections/known", body: `{"name":null,"auth":` + auth + `}`, status: 422, field: "name"},
		{name: "edit of the wrong type", method: http.MethodPatch, path: "/v1/connections/x", body: `{"notify":"` + canary + `","auth":` + auth + `}`, status: 422, field: "notify"},
		{name: "edit of what is missing", method: http.MethodPatch, path: "/v1/connections/x", body: `{"auth":` + auth + `}`, status: 404},
		{name: "test of settings", path: "/v1/connections/test", body: `{"nome":"a","auth":` + auth + `}`, status: 422, field: "nome"},
		{name: "webhook elsewhere", path: "/v1/destinations", body: `{"name":"a","type":"slack","url":"https://example.com/` + canary + `"}`, status: 422, field: "url"},
		{name: "webhook that is no address", path: "/v1/destinations", body: `{"name":"a","type":"slack","url":"://` + canary + `"}`, status: 422, field: "url"},
		{name: "webhook of another type", path: "/v1/destinations", body: `{"name":"a","type":"` + canary + `","url":"https://hooks.slack.com/services/T/B/` + canary + `"}`, status: 422, field: "type"},
		{name: "wrong token", body: `{"auth":` + auth + `}`, headers: []string{"Authorization", "Bearer " + canary}, status: 401},
		{name: "other scheme", body: `{"auth":` + auth + `}`, headers: []string{"Authorization", "Basic " + canary}, status: 401},
		{name: "broken If-Match", method: http.MethodPatch, path: "/v1/connections/x", body: `{}`, headers: []string{"If-Match", canary}, status: 400},
		{name: "broken Idempotency-Key", body: `{"name":"a","auth":` + auth + `}`, headers: []string{"Idempotency-Key", canary + " x"}, status: 422, field: "Idempotency-Key"},
		{name: "broken cursor", method: http.MethodGet, path: "/v1/connections?cursor=!" + canary, status: 422, field: "cursor"},
		{name: "unknown state", method: http.MethodGet, path: "/v1/runs?state=" + canary, status: 422, field: "state[0]"},
		{name: "address that does not exist", method: http.MethodGet, path: "/v1/" + canary, status: 404},
		{name: "method that does not exist", method: canary, path: "/v1/connections", status: 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connections.rows["known"] = connection.Connection{ID: "known", Version: 1}
			method, path := test.method, test.path
			if method == "" {
				method = http.MethodPost
			}
			if path == "" {
				path = "/v1/connections"
			}
			a := w.call(t, method, path, test.body, test.headers...).want(test.status)
			p := a.trouble()
			if p.Status != test.status || p.Code == "" || p.Detail == "" || p.Title == "" || p.RequestID == "" || p.Type != "urn:vizpost:problem:"+p.Code {
				t.Errorf("the problem is not complete: %+v", p)
			}
			if test.field != "" {
				found := false
				for _, f := range p.Errors {
					found = found || f.Field == test.field && f.Message != ""
				}
				if !found {
					t.Errorf("the fields %q do not name %q", p.fields(), test.field)
				}
			}
			for name, text := range map[string]string{"body": a.Body.String(), "log": w.log.String()} {
				if strings.Contains(text, canary) {
					t.Errorf("the %s shows the secret: %s", name, text)
				}
			}
			for name, values := range a.Header() {
				if strings.Contains(strings.Join(values, " "), canary) {
					t.Errorf("the header %s shows the secret", name)
				}
			}
		})
	}
}

func TestSecretsAreWriteOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	check := func(a answer) answer {
		t.Helper()
		if strings.Contains(a.Body.String(), canary) {
			t.Errorf("an answer shows the secret: %s", a.Body)
		}
		return a
	}
	const auth = `{"method":"personal_access_token","token_name":"vizpost","token_secret":"` + canary + `"}`
	made := check(w.call(t, "POST", "/v1/connections", `{"name":"Sales","server_url":"https://t.example.com","auth":`+auth+`}`,
		"Idempotency-Key", "once").want(201)).object()
	if got := w.connections.lastSet.Credential.Secret.Reveal(); got != canary {
		t.Fatalf("the service got the secret %q", got)
	}
	path := "/v1/connections/" + made["id"].(string)
	check(w.call(t, "GET", path, "").want(200))
	check(w.call(t, "GET", "/v1/connections", "").want(200))
	check(w.call(t, "PATCH", path, `{"auth":`+auth+`}`).want(200))
	check(w.call(t, "POST", path+"/test", "").want(200))
	check(w.call(t, "POST", "/v1/connections/test", `{"server_url":"https://t.example.com","auth":`+auth+`}`).want(200))

	hook := `"https://hooks.slack.com/services/T/B/` + canary + `"`
	made = check(w.call(t, "POST", "/v1/destinations", `{"name":"#sales","type":"slack","url":`+hook+`}`).want(201)).object()
	path = "/v1/destinations/" + made["id"].(string)
	check(w.call(t, "GET", path, "").want(200))
	check(w.call(t, "GET", "/v1/destinations", "").want(200))
	check(w.call(t, "PATCH", path, `{"url":`+hook+`}`).want(200))
	check(w.call(t, "POST", path+"/test", "").want(200))

	for claim, kept := range w.requests.claims {
		if strings.Contains(claim+kept[0], canary) {
			t.Errorf("the kept request shows the secret: %s %s", claim, kept)
		}
	}
	if log := w.log.String(); strings.Contains(log, canary) {
		t.Errorf("the log shows the secret: %s", log)
	}
}
