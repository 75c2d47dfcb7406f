package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
)

func TestKindsBecomeStatuses(t *testing.T) {
	t.Parallel()
	known := func(kind problem.Kind) error { return problem.New(kind, "some_code", "What happened.") }
	tests := []struct {
		name       string
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{"bad request", known(problem.BadRequest), 400, "some_code", ""},
		{"unauthenticated", known(problem.Unauthenticated), 401, "some_code", ""},
		{"forbidden", known(problem.Forbidden), 403, "some_code", ""},
		{"not found", known(problem.NotFound), 404, "some_code", ""},
		{"conflict", known(problem.Conflict), 409, "some_code", ""},
		{"stale", known(problem.Stale), 412, "some_code", ""},
		{"too large", known(problem.TooLarge), 413, "some_code", ""},
		{"invalid", known(problem.Invalid), 422, "some_code", ""},
		{"too many", &problem.Error{Kind: problem.TooMany, Code: "some_code", Message: "m", After: 1500 * time.Millisecond}, 429, "some_code", "2"},
		{"unavailable", &problem.Error{Kind: problem.Unavailable, Code: "some_code", Message: "m", After: time.Minute}, 503, "some_code", "60"},
		{"timeout", known(problem.Timeout), 504, "some_code", ""},
		{"wrapped", fmt.Errorf("doing this: %w", known(problem.Conflict)), 409, "some_code", ""},
		{"deadline", fmt.Errorf("doing this: %w", context.DeadlineExceeded), 504, problem.CodeTableauTimeout, ""},
		{"Tableau rejects", &tableau.Error{Cause: tableau.CredentialsRejected}, 422, problem.CodeCredentialsRejected, ""},
		{"Tableau is slow", &tableau.Error{Cause: tableau.Timeout}, 504, problem.CodeTableauTimeout, ""},
		{"Tableau is away", &tableau.Error{Cause: tableau.Unreachable}, 503, problem.CodeTableauUnreachable, ""},
		{"Tableau is busy", &tableau.Error{Cause: tableau.TooManyRequests, RetryAfter: 3 * time.Second}, 429, problem.CodeTooMany, "3"},
		{"Tableau does not know the view", &tableau.Error{Cause: tableau.ViewNotFound}, 404, problem.CodeViewNotFound, ""},
		{"Tableau does not allow it", &tableau.Error{Cause: tableau.NotPermitted}, 409, "not_permitted", ""},
		{"no Tableau", &tableau.Error{Cause: tableau.NotTableau}, 422, "not_tableau", ""},
		{"Tableau fails", &tableau.Error{Cause: tableau.ServerError}, 503, "server_error", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connections.fail = test.err
			a := w.send(t, "GET", "/v1/connections/x/views", "").want(test.status)
			if got := a.trouble().Code; got != test.code {
				t.Errorf("code %q, want %q", got, test.code)
			}
			if got := a.Header().Get("Retry-After"); got != test.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, test.retryAfter)
			}
		})
	}
}

func TestInternalErrorsAreLoggedAndNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connections.fail = errors.New("table conns is on fire")
	a := w.call(t, "GET", "/v1/connections/x/views", "").want(500)
	p := a.trouble()
	if strings.Contains(a.Body.String(), "fire") {
		t.Errorf("the caller is told the cause: %s", a.Body)
	}
	if log := w.log.String(); !strings.Contains(log, "table conns is on fire") || !strings.Contains(log, p.RequestID) {
		t.Errorf("the log has not the cause and the request's id %s: %s", p.RequestID, log)
	}
}

func TestWaitingForTableauEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connections.block = true
		began := time.Now()
		a := w.call(t, "POST", "/v1/connections", `{"name":"a","server_url":"https://t.example.com","auth":{"method":"username_password","username":"u","password":"p"}}`).want(504)
		if got := a.trouble().Code; got != problem.CodeTableauTimeout {
			t.Errorf("code %q", got)
		}
		if got := time.Since(began); got != 25*time.Second {
			t.Errorf("it took %v, want 25s", got)
		}
	})
}

func TestCallerWhoLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connections.block = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest("GET", "/v1/connections/x/views", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer operator-token")
	w.ServeHTTP(httptest.NewRecorder(), r)
	if log := w.log.String(); !strings.Contains(log, `"status":499`) || strings.Contains(log, "ERROR") {
		t.Errorf("the log does not say that the caller left, and only that: %s", log)
	}
}

func TestPanicsAreSurvived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(d *httpapi.Deps) {
		d.Page = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") })
	})
	w.call(t, "POST", "/anything", `{"password":"`+canary+`"}`).want(500).trouble()
	log := w.log.String()
	if !strings.Contains(log, "a defect") || !strings.Contains(log, "stack") {
		t.Errorf("the log does not have the panic: %s", log)
	}
	if strings.Contains(log, canary) {
		t.Errorf("the log has the request's body: %s", log)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(d *httpapi.Deps) {
		d.Hosts = []string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080", "reports.example.com"}
		d.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })
	})
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "LocalHost:8080": 200, "[::1]:8080": 200, "reports.example.com": 200,
		"localhost": 421, "127.0.0.1": 421, "127.0.0.1:9090": 421, "evil.example.com": 421, "evil.example.com:8080": 421,
		"localhost:8080.evil.example.com": 421, "": 421,
	} {
		for _, path := range []string{"/", "/healthz", "/docs", "/openapi.json", "/v1/connections"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = host
			r.Header.Set("Authorization", "Bearer operator-token")
			recorder := httptest.NewRecorder()
			w.ServeHTTP(recorder, r)
			if recorder.Code != want {
				t.Errorf("%s with the host %q: status %d, want %d", path, host, recorder.Code, want)
			}
			if want == 421 && (answer{recorder, t}).trouble().Code != "misdirected_request" {
				t.Errorf("%s with the host %q: %s", path, host, recorder.Body)
			}
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	needs := map[string]httpapi.Role{
		"GET /v1/connections": httpapi.Viewer, "GET /v1/connections/x": httpapi.Viewer, "GET /v1/connections/x/views": httpapi.Editor,
		"GET /v1/connections/x/views/y/preview": httpapi.Editor, "GET /v1/connections/x/history": httpapi.Viewer, "POST /v1/connections/x/views/resolve": httpapi.Editor,
		"GET /v1/reports": httpapi.Viewer, "GET /v1/reports/x": httpapi.Viewer, "GET /v1/reports/x/runs": httpapi.Viewer,
		"GET /v1/runs": httpapi.Viewer, "GET /v1/runs/x": httpapi.Viewer, "GET /v1/runs/x/files/y": httpapi.Viewer,
		"GET /v1/destinations": httpapi.Viewer, "GET /v1/destinations/x": httpapi.Viewer,
		"GET /v1/outbox": httpapi.Viewer, "GET /v1/outbox/x": httpapi.Viewer, "GET /v1/outbox/x/raw": httpapi.Viewer,
		"GET /v1/outbox/x/attachments/0": httpapi.Viewer, "POST /v1/schedules/preview": httpapi.Viewer, "GET /v1/me": httpapi.Viewer,
		"GET /v1/notices": httpapi.Editor, "GET /v1/health": httpapi.Viewer,
		"POST /v1/reports": httpapi.Editor, "PATCH /v1/reports/x": httpapi.Editor, "DELETE /v1/reports/x": httpapi.Editor,
		"POST /v1/reports/x/runs": httpapi.Editor, "POST /v1/runs/x/retry": httpapi.Editor,
		"POST /v1/destinations": httpapi.Editor, "PATCH /v1/destinations/x": httpapi.Editor,
		"DELETE /v1/destinations/x": httpapi.Editor, "POST /v1/destinations/x/test": httpapi.Editor,
		"POST /v1/connections": httpapi.Admin, "PATCH /v1/connections/x": httpapi.Admin, "DELETE /v1/connections/x": httpapi.Admin,
		"POST /v1/connections/test": httpapi.Admin, "POST /v1/connections/x/test": httpapi.Admin, "POST /v1/resume": httpapi.Admin,
	}
	for _, role := range []httpapi.Role{httpapi.NoRole, httpapi.Viewer, httpapi.Editor, httpapi.Admin} {
		w := newWorld(t, func(d *httpapi.Deps) {
			d.Authenticate = func(*http.Request) (httpapi.Principal, error) {
				return httpapi.Principal{Subject: "someone", Role: role}, nil
			}
		})
		for call, need := range needs {
			method, path, _ := strings.Cut(call, " ")
			got := w.call(t, method, path, "").Code
			if refused := got == 403; refused != (role < need) {
				t.Errorf("%s as %s: status %d, and it needs %s", call, role, got, need)
			}
		}
	}

	// No route is left out above.
	var api struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string
		}
	}
	newWorld(t).call(t, "GET", "/openapi.json", "").want(200).into(&api)
	count := 0
	for path, methods := range api.Paths {
		for method, operation := range methods {
			if len(operation.Security) == 0 {
				if path != "/healthz" && path != "/livez" {
					t.Errorf("%s %s asks for no sign-in", method, path)
				}
				continue
			}
			count++
		}
	}
	if count != len(needs) {
		t.Errorf("there are %d operations that ask for a sign-in, and %d are tested", count, len(needs))
	}
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		token, header string
		want          bool
	}{
		{"operator-token", "Bearer operator-token", true},
		{"operator-token", "bearer operator-token", true},
		{"operator-token", "Bearer operator-toke", false},
		{"operator-token", "Bearer operator-token2", false},
		{"operator-token", "Bearer ", false},
		{"operator-token", "Basic operator-token", false},
		{"operator-token", "operator-token", false},
		{"operator-token", "", false},
		{"", "Bearer ", false},
		{"", "Bearer x", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", test.header)
		who, err := httpapi.BearerToken(secret.New(test.token))(r)
		if got := err == nil; got != test.want {
			t.Errorf("token %q, header %q: %v", test.token, test.header, err)
		}
		if test.want && who.Role != httpapi.Admin {
			t.Errorf("the operator is %s", who.Role)
		}
		if !test.want && !problem.Is(err, problem.Unauthenticated) {
			t.Errorf("token %q, header %q: the error is %v", test.token, test.header, err)
		}
	}
	a := newWorld(t).call(t, "GET", "/v1/runs", "", "Authorization", "").want(401)
	if got := a.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
		t.Errorf("WWW-Authenticate: %q", got)
	}
}

func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1/connections", "/v1/nothing", "/docs", "/openapi.json", "/healthz", "/"} {
		h := w.call(t, "GET", path, "").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if got := h.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
			t.Errorf("%s: Content-Security-Policy is %q", path, got)
		}
		if h.Get("X-Request-Id") == "" {
			t.Errorf("%s: no request id", path)
		}
	}
}

func TestAccessLogNamesRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(t, "GET", "/v1/connections/some-id/views?search=quarterly", "").want(200)
	var line map[string]any
	if err := json.Unmarshal([]byte(strings.TrimSpace(w.log.String())), &line); err != nil {
		t.Fatalf("the log is not one line: %v\n%s", err, w.log)
	}
	delete(line, "time")
	delete(line, "bytes")
	want := map[string]any{"level": "INFO", "msg": "request", "request_id": "ID0001", "method": "GET", "route": "/v1/connections/{id}/views",
		"status": 200.0, "took": 0.0, "subject": "operator", "client": "192.0.2.1"}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

func TestPageIsEverythingButTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(d *httpapi.Deps) {
		d.Page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page ", r.URL.Path) })
	})
	for path, want := range map[string]string{"/": "page /", "/app.js": "page /app.js", "/deep/path": "page /deep/path"} {
		if got := w.call(t, "GET", path, "", "Authorization", "").want(200).Body.String(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	w.call(t, "GET", "/v1", "").want(404).trouble()
	w.call(t, "GET", "/v1/nothing", "").want(404).trouble()
	a := w.call(t, "PUT", "/v1/reports/x", "{}").want(405)
	if got := a.Header().Get("Allow"); got != "DELETE, GET, HEAD, PATCH" {
		t.Errorf("Allow: %q", got)
	}
}

// A proxy that compresses answers makes their tags weak. Who sends one back is
// told so, and not that somebody else was faster.
func TestWeakVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, report := w.report(t)
	for _, request := range []struct{ method, body string }{{"PATCH", `{"name":"Other"}`}, {"DELETE", ""}} {
		p := w.call(t, request.method, "/v1/reports/"+report, request.body, "If-Match", `W/"1"`).want(412).trouble()
		if p.Code != problem.CodeStale || !strings.Contains(p.Detail, "without W/") {
			t.Errorf("%s: %+v", request.method, p)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	const body = `{"name":"Sales","server_url":"https://t.example.com","auth":{"method":"username_password","username":"u","password":"p"}}`
	for _, test := range []struct {
		name, ifMatch string
		status        int
	}{
		{"none", "", 200}, {"any", "*", 200}, {"current", `"1"`, 200}, {"older", `"7"`, 412}, {"weak", `W/"1"`, 412},
		{"without quotes", "1", 400}, {"a list", `"1", "2"`, 400}, {"no number", `"abc"`, 400}, {"zero", `"0"`, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.call(t, "POST", "/v1/connections", body).want(201)
			if got := a.Header().Get("ETag"); got != `"1"` {
				t.Errorf("ETag %q of what was made", got)
			}
			path := a.Header().Get("Location")
			a = w.call(t, "PATCH", path, `{"name":"Other"}`, "If-Match", test.ifMatch).want(test.status)
			if test.status == 200 {
				if got := a.Header().Get("ETag"); got != `"2"` {
					t.Errorf("ETag %q of what was edited", got)
				}
				w.call(t, "DELETE", path, "", "If-Match", `"1"`).want(412)
				w.call(t, "DELETE", path, "", "If-Match", `"2"`).want(204)
				w.call(t, "GET", path, "").want(404)
			}
		})
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := func(name, password string) string {
		return `{"name":"` + name + `","server_url":"https://t.example.com","auth":{"method":"username_password","username":"u","password":"` + password + `"}}`
	}
	key := []string{"Idempotency-Key", "key-1"}

	// The first try fails, and can be repeated with the right secret.
	w.call(t, "POST", "/v1/connections", body("Sales", "wrong"), key...).want(422)
	first := w.call(t, "POST", "/v1/connections", body("Sales", "right"), key...).want(201).object()
	signIns := w.connections.signIns
	again := w.call(t, "POST", "/v1/connections", body("Sales", "right"), key...).want(201).object()
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the repeated request gave another thing (-first +again):\n%s", diff)
	}
	if w.connections.signIns != signIns {
		t.Error("the repeated request signed in again")
	}
	if len(w.connections.rows) != 1 {
		t.Errorf("%d connections were made", len(w.connections.rows))
	}
	if got := w.call(t, "POST", "/v1/connections", body("Sales", "another"), key...).want(409).trouble().Code; got != problem.CodeKeyReused {
		t.Errorf("with another secret: code %q", got)
	}
	if got := w.call(t, "POST", "/v1/connections", body("Other", "right"), key...).want(409).trouble().Code; got != problem.CodeKeyReused {
		t.Errorf("code %q", got)
	}
	w.call(t, "POST", "/v1/connections", body("Sales", "right"), "Idempotency-Key", "key-2").want(201)
	w.call(t, "POST", "/v1/connections", body("Sales", "right")).want(201)
	if len(w.connections.rows) != 3 {
		t.Errorf("%d connections were made, want 3", len(w.connections.rows))
	}

	// The key is one of each sort of thing.
	const destination = `{"name":"#sales","type":"slack","url":"https://hooks.slack.com/services/T/B/x"}`
	one := w.call(t, "POST", "/v1/destinations", destination, key...).want(201).object()["id"]
	two := w.call(t, "POST", "/v1/destinations", destination, key...).want(201).object()["id"]
	w.call(t, "POST", "/v1/destinations", strings.Replace(destination, "/x", "/y", 1), key...).want(409)
	for _, claim := range w.requests.claims {
		if len(claim[0]) != 64 {
			t.Errorf("the digest %q is kept", claim[0])
		}
	}
	if one != two || one == first["id"] {
		t.Errorf("the same request made the destinations %v and %v", one, two)
	}
}

// The same request may be written in another way. Each field that decides over
// what is made counts, also one that may be left out.
func TestIdempotencyKeyOfAnotherReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connection, _ := w.report(t)
	body := func(fields string) string {
		return `{"name":"Evening","connection_id":"` + connection + `","destinations":[{"type":"email","to":["a@example.com"]}],` + fields + `}`
	}
	const content, schedule = `"content":[{"view":"Superstore/sheets/Overview","format":"png","filters":{"Region":["West"],"City":["Bonn"]}}]`, `"schedule":{"cron":"0 9 * * *","time_zone":"UTC"}`
	key := []string{"Idempotency-Key", "key-1"}
	first := w.call(t, "POST", "/v1/reports", body(content+","+schedule), key...).want(201).object()["id"]
	for _, same := range []string{
		schedule + ", " + content,
		strings.Replace(content, `"Region":["West"],"City":["Bonn"]`, `"City": ["Bonn"], "Region": ["West"]`, 1) + ",\n" + schedule,
	} {
		if got := w.call(t, "POST", "/v1/reports", body(same), key...).want(201).object()["id"]; got != first {
			t.Errorf("%s made %v, want %v again", same, got, first)
		}
	}
	for _, other := range []string{
		content,
		content + "," + strings.Replace(schedule, "0 9", "0 10", 1),
		content + "," + strings.Replace(schedule, "UTC", "Europe/Berlin", 1),
		content + "," + strings.Replace(schedule, "{", `{"catch_up":"all",`, 1),
		content + "," + strings.Replace(schedule, "{", `{"ends_on":"2026-12-01",`, 1),
		content + "," + schedule + `,"enabled":false`,
		strings.Replace(content, `"png"`, `"png","max_age_minutes":60`, 1) + "," + schedule,
	} {
		if a := w.call(t, "POST", "/v1/reports", body(other), key...); a.Code != 409 || a.trouble().Code != problem.CodeKeyReused {
			t.Errorf("%s: status %d, want 409: another report was asked for", other, a.Code)
		}
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 7 {
		id := fmt.Sprintf("C%d", i)
		w.connections.rows[id] = connection.Connection{ID: id, State: connection.Connected, Auth: connection.Auth{Method: tableau.PersonalAccessToken}}
	}
	got, pages := w.pages(t, "/v1/connections?limit=3", "connections", "id")
	if diff := cmp.Diff([]string{"C0", "C1", "C2", "C3", "C4", "C5", "C6"}, got); diff != "" || pages != 3 {
		t.Errorf("%d pages, want 3 (-want +got):\n%s", pages, diff)
	}
	for _, limit := range []string{"0", "201", "-1", "x", "1.5"} {
		if got := w.call(t, "GET", "/v1/connections?limit="+limit, "").want(422).trouble().fields(); !cmp.Equal(got, []string{"limit"}) {
			t.Errorf("limit=%s: the fields are %q", limit, got)
		}
	}
	if got := newWorld(t).call(t, "GET", "/v1/connections", "").want(200).Body.String(); got != `{"connections":[],"next_cursor":null}`+"\n" {
		t.Errorf("the empty list is %s", got)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	if got := newWorld(t).call(t, "GET", "/healthz", "", "Authorization", "").want(200).Body.String(); got != `{"status":"ok"}`+"\n" {
		t.Errorf("the answer is %s", got)
	}
}
