package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/httpapi"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for _, test := range []struct {
		name   string
		signIn httpapi.SignIn
		want   object
	}{
		{"by token", httpapi.SignIn{}, object{"sign_in": object{"type": "token"}}},
		{"by Cognito",
			httpapi.SignIn{Domain: "https://x.auth.eu-central-1.amazoncognito.com/", Issuer: "https://cognito-idp.eu-central-1.amazonaws.com/p", ClientID: "c", Providers: []string{"cognito", "slack"}},
			object{"sign_in": object{"type": "cognito", "domain": "https://x.auth.eu-central-1.amazoncognito.com",
				"issuer": "https://cognito-idp.eu-central-1.amazonaws.com/p", "client_id": "c", "providers": []any{"cognito", "slack"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(d *httpapi.Deps) {
				d.SignIn = test.signIn
				d.Page = http.NotFoundHandler()
			})
			a := w.call(t, "GET", "/config.json", "", "Authorization", "").want(200)
			if diff := cmp.Diff(test.want, a.object()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := a.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if got := a.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
		})
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	installation := map[string]any{"mode": "aws", "mail": "ses", "version": "test", "time_zone": "UTC"}
	for _, test := range []struct {
		who    httpapi.Principal
		status int
	}{
		{httpapi.Principal{Subject: "1", Name: "ana@example.com", Role: httpapi.Admin}, 200},
		{httpapi.Principal{Subject: "2", Name: "mia@example.com", Role: httpapi.Viewer}, 200},
		{httpapi.Principal{Subject: "3", Name: "rui@example.com"}, 403},
	} {
		w := newWorld(t, func(d *httpapi.Deps) {
			d.Installation = httpapi.Installation{Mode: "aws", Mail: "ses", TimeZone: "UTC"}
			d.Authenticate = func(*http.Request) (httpapi.Principal, error) { return test.who, nil }
		})
		a := w.call(t, "GET", "/v1/me", "").want(test.status)
		if test.status != 200 {
			continue
		}
		want := map[string]any{"name": test.who.Name, "role": test.who.Role.String(), "installation": installation}
		if diff := cmp.Diff(want, a.object()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.who.Name, diff)
		}
	}
	newWorld(t).call(t, "GET", "/v1/me", "", "Authorization", "").want(401)
	if got := newWorld(t).call(t, "GET", "/v1/me", "").want(200).object()["name"]; got != "operator" {
		t.Errorf("the operator is called %v", got)
	}
}
