package tableautest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestControlEndpoints(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Password: "pw"}).signIn()
	call := func(method, path, body string, status int) map[string]any {
		t.Helper()
		a := c.do(method, path, body, nil)
		if a.Status != status {
			t.Fatalf("%s %s answers %d %s, want %d", method, path, a.Status, a.Body, status)
		}
		var out map[string]any
		if status != http.StatusNoContent {
			if err := json.Unmarshal(a.Body, &out); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
		}
		return out
	}
	if got := call(http.MethodGet, "/-/stats", "", 200); got["sign_ins"] != 1.0 || at(got, "calls", "signin") != 1.0 {
		t.Errorf("stats = %v", got)
	}
	call(http.MethodDelete, "/-/stats", "", 204)
	if got := call(http.MethodGet, "/-/stats", "", 200); got["total"] != 0.0 {
		t.Errorf("stats after a reset = %v", got)
	}

	call(http.MethodPost, "/-/faults", `{"kind":"too_many_requests","route":"views","retry_after":"30s"}`, 200)
	got := call(http.MethodPost, "/-/faults", `[{"kind":"size","bytes":52428800,"route":"image"},{"kind":"slow","delay":"1m30s","times":-1}]`, 200)
	want := map[string]any{"faults": []any{
		map[string]any{"kind": "too_many_requests", "route": "views", "times": 1.0, "retry_after": "30s"},
		map[string]any{"kind": "size", "route": "image", "times": 1.0, "bytes": 52428800.0},
		map[string]any{"kind": "slow", "delay": "1m30s", "times": -1.0},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if a := c.get("/views"); a.Status != 429 || a.Header.Get("Retry-After") != "30" {
		t.Errorf("views answer %d", a.Status)
	}
	call(http.MethodDelete, "/-/faults", "", 204)
	if got := call(http.MethodGet, "/-/faults", "", 200); len(got["faults"].([]any)) != 0 {
		t.Errorf("faults after clearing = %v", got)
	}
	for _, bad := range []string{`{"kind":"nonsense"}`, `{"knid":"hang"}`, `{"kind":"slow","delay":5}`, `{"kind":"slow","delay":"soon"}`, `[`} {
		call(http.MethodPost, "/-/faults", bad, 400)
	}

	call(http.MethodPost, "/-/clock", `{"advance":"16d"}`, 200)
	if got := call(http.MethodGet, "/-/clock", "", 200); got["now"] != "2026-12-09T09:00:00Z" || got["offset"] != "384h0m0s" {
		t.Errorf("clock = %v", got)
	}
	name, secret := c.server.PAT()
	if code := c.post(tokenBody(name, secret, "demo")).code(t); code != "401001" {
		t.Errorf("after 16 days: %q, want 401001", code)
	}
	made := call(http.MethodPost, "/-/new-token", `{"name":"vizpost"}`, 200)
	if code := c.post(tokenBody("vizpost", made["token_secret"].(string), "demo")).code(t); code != "" || made["token_name"] != "vizpost" {
		t.Errorf("the new token %v: %s", made["token_name"], code)
	}
	named := call(http.MethodPost, "/-/new-token", "", 200)
	if code := c.post(tokenBody(named["token_name"].(string), named["token_secret"].(string), "demo")).code(t); code != "" {
		t.Errorf("the new token %v: %s", named["token_name"], code)
	}
	call(http.MethodPost, "/-/new-token", `{"user":"nobody"}`, 404)
	if got := call(http.MethodPost, "/-/revoke-tokens", "", 200); got["revoked"] != 2.0 {
		t.Errorf("revoked = %v, want 2", got)
	}
	call(http.MethodPost, "/-/enable-mfa", `{"user":"ana@example.com"}`, 204)
	if code := c.post(passwordBody(tableautest.DefaultUser, "pw", "demo")).code(t); code != "401001" {
		t.Errorf("a password with MFA: %q", code)
	}
	call(http.MethodPost, "/-/latency", `{"latency":"250ms"}`, 200)
	if got := call(http.MethodGet, "/-/latency", "", 200); got["latency"] != "250ms" {
		t.Errorf("latency = %v", got)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{})
	for _, path := range []string{"/", "/views/Superstore/Overview?:iid=1", "/t/demo/views/Superstore/Overview", "/site/demo/views/x/y"} {
		a := c.do(http.MethodGet, path, "", nil)
		if a.Status != http.StatusOK || !strings.Contains(string(a.Body), "#/site/demo/views/Superstore/Overview") {
			t.Errorf("%s answers %d", path, a.Status)
		}
		_, secret := c.server.PAT()
		if strings.Contains(string(a.Body), secret) {
			t.Error("the page shows the token's secret")
		}
	}
	for path, contentType := range map[string]string{"/-/page.js": "text/javascript; charset=utf-8", "/-/page.css": "text/css; charset=utf-8"} {
		if a := c.do(http.MethodGet, path, "", nil); a.Status != http.StatusOK || a.Header.Get("Content-Type") != contentType {
			t.Errorf("%s answers %d %s", path, a.Status, a.Header.Get("Content-Type"))
		}
	}
	plain := c.do(http.MethodGet, "/-/picture/Superstore/Shipping.png", "", nil)
	west := c.do(http.MethodGet, "/-/picture/superstore/shipping.png?site=demo&vf_Region=West", "", nil)
	if colors(decodePNG(t, plain.Body)) < 100 || bytes.Equal(plain.Body, west.Body) || west.Status != http.StatusOK {
		t.Errorf("the pictures are %d and %d bytes", len(plain.Body), len(west.Body))
	}
	for _, path := range []string{"/-/picture/Regional/MonthlySales.png?site=", "/-/picture/Market%C3%89coles/VentesR%C3%A9gion.png"} {
		if a := c.do(http.MethodGet, path, "", nil); a.Status != http.StatusOK || a.Header.Get("Content-Type") != "image/png" {
			t.Errorf("%s answers %d %s", path, a.Status, a.Header.Get("Content-Type"))
		}
	}
	c.signIn()
	kept := c.customView("West only")
	custom := c.do(http.MethodGet, "/-/picture/Superstore/Overview.png?customview="+kept, "", nil)
	if asked := c.do(http.MethodGet, "/-/picture/Superstore/Overview.png", "", nil); custom.Status != http.StatusOK || bytes.Equal(custom.Body, asked.Body) {
		t.Errorf("the picture of a custom view answers %d, or is that of its view", custom.Status)
	}
	calls := c.server.Stats().Total
	for _, path := range []string{"/-/picture/Superstore/Shipping.png?customview=" + kept, "/-/picture/Superstore/Nothing.png", "/-/picture/Superstore/Overview.png?site=nowhere", "/nowhere"} {
		if a := c.do(http.MethodGet, path, "", nil); a.Status != http.StatusNotFound {
			t.Errorf("%s answers %d, want 404", path, a.Status)
		}
	}
	if got := c.server.Stats().Total - calls; got != 0 {
		t.Errorf("the page counts as %d calls of the API", got)
	}
}
