package gateway_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/gateway"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/problem"
)

// object is a JSON object.
type object map[string]any

// event makes one as API Gateway sends it.
func event(t *testing.T, method, path string, change ...object) json.RawMessage {
	t.Helper()
	e := object{
		"version": "2.0", "routeKey": "ANY /v1/{proxy+}", "rawPath": path, "rawQueryString": "",
		"headers":         object{"host": "api.example.com", "accept": "a/b,c/d"},
		"requestContext":  object{"stage": "$default", "domainName": "api.example.com", "http": object{"method": method, "sourceIp": "192.0.2.7"}},
		"isBase64Encoded": false,
	}
	for _, c := range change {
		for name, value := range c {
			e[name] = value
		}
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func withClaims(claims any) object {
	return object{"requestContext": object{"stage": "$default", "http": object{"method": "GET"}, "authorizer": object{"jwt": object{"claims": claims}}}}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, Path, Query, Host, Accept, Cookie, RemoteAddr, Body string }
	tests := map[string]struct {
		event json.RawMessage
		want  seen
	}{
		"plain": {
			event(t, "GET", "/v1/runs", object{"rawQueryString": "state=failed&limit=2"}),
			seen{Method: "GET", Path: "/v1/runs", Query: "state=failed&limit=2", Host: "api.example.com", Accept: "a/b,c/d", RemoteAddr: "192.0.2.7:0"},
		},
		"with a body": {
			event(t, "POST", "/v1/reports", object{"body": `{"name":"é"}`}),
			seen{Method: "POST", Path: "/v1/reports", Host: "api.example.com", Accept: "a/b,c/d", RemoteAddr: "192.0.2.7:0", Body: `{"name":"é"}`},
		},
		"with a body in base64, and cookies": {
			event(t, "POST", "/v1/reports", object{"body": base64.StdEncoding.EncodeToString([]byte("\xff\x00")), "isBase64Encoded": true, "cookies": []string{"a=1", "b=2"}}),
			seen{Method: "POST", Path: "/v1/reports", Host: "api.example.com", Accept: "a/b,c/d", RemoteAddr: "192.0.2.7:0", Cookie: "a=1; b=2", Body: "\xff\x00"},
		},
		"with an escaped path": {
			event(t, "GET", "/v1/a%20b"),
			seen{Method: "GET", Path: "/v1/a b", Host: "api.example.com", Accept: "a/b,c/d", RemoteAddr: "192.0.2.7:0"},
		},
		"with a path that cannot be unescaped": {
			event(t, "GET", "/v1/100%"),
			seen{Method: "GET", Path: "/v1/100%", Host: "api.example.com", Accept: "a/b,c/d", RemoteAddr: "192.0.2.7:0"},
		},
		"of a stage with a name, without a header Host": {
			event(t, "GET", "/live/v1/runs", object{"headers": object{},
				"requestContext": object{"stage": "live", "domainName": "x.example.com", "http": object{"method": "GET", "sourceIp": "192.0.2.7"}}}),
			seen{Method: "GET", Path: "/v1/runs", Host: "x.example.com", RemoteAddr: "192.0.2.7:0"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got seen
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || int64(len(body)) != r.ContentLength {
					t.Errorf("got %d bytes and error %v, want %d bytes", len(body), err, r.ContentLength)
				}
				got = seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.Header.Get("Accept"), r.Header.Get("Cookie"), r.RemoteAddr, string(body)}
				w.WriteHeader(http.StatusNoContent)
			})
			out, err := gateway.Handler(h)(t.Context(), test.event)
			if err != nil || out.StatusCode != http.StatusNoContent {
				t.Fatalf("got %+v, error %v; want status 204", out, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the request is not as wanted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler http.HandlerFunc
		want    gateway.Response
	}{
		"nothing": {
			func(http.ResponseWriter, *http.Request) {},
			gateway.Response{StatusCode: 200, Headers: map[string]string{}},
		},
		"text": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Add("Vary", "A")
				w.Header().Add("Vary", "B")
				w.Header().Add("Set-Cookie", "a=1")
				w.Header().Add("Set-Cookie", "b=2")
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusCreated)
				w.Header().Set("Too-Late", "1")
				_, _ = io.WriteString(w, `{"é":`)
				_, _ = io.WriteString(w, `1}`)
			},
			gateway.Response{StatusCode: 201, Headers: map[string]string{"Content-Type": "application/json", "Vary": "A, B"},
				Cookies: []string{"a=1", "b=2"}, Body: `{"é":1}`},
		},
		"binary": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\x89PNG\xff")) },
			gateway.Response{StatusCode: 200, Headers: map[string]string{}, IsBase64Encoded: true,
				Body: base64.StdEncoding.EncodeToString([]byte("\x89PNG\xff"))},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := gateway.Handler(test.handler)(t.Context(), event(t, "GET", "/"))
			if err != nil {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the response is not as wanted (-want +got):\n%s", diff)
			}
		})
	}
}

// Lambda takes a response of 6 MB.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{4 << 20: 200, 4<<20 + 1: 500} {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, bytes.NewReader(bytes.Repeat([]byte{0xff}, size)))
		})
		out, err := gateway.Handler(h)(t.Context(), event(t, "GET", "/"))
		if err != nil || out.StatusCode != want {
			t.Errorf("%d bytes: got status %d, error %v; want %d", size, out.StatusCode, err, want)
		}
		b, err := json.Marshal(out)
		if err != nil || len(b) > 6<<20 {
			t.Errorf("%d bytes: the response has %d bytes, error %v; want at most 6 MB", size, len(b), err)
		}
		if want == 500 && !strings.Contains(out.Body, "answer_too_large") {
			t.Errorf("got %q, want a problem", out.Body)
		}
	}
}

func TestWhatIsNoEventOfAPIGateway(t *testing.T) {
	t.Parallel()
	h := gateway.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }))
	for name, e := range map[string]json.RawMessage{
		"no JSON":            json.RawMessage("{"),
		"a bell":             json.RawMessage(`{"Records":[{"body":"{}"}]}`),
		"payload format 1.0": event(t, "GET", "/", object{"version": "1.0"}),
		"no method":          event(t, "", "/"),
		"no path":            event(t, "GET", ""),
		"no base64":          event(t, "POST", "/", object{"body": "canary-secret!", "isBase64Encoded": true}),
		"claims as text":     event(t, "GET", "/", withClaims("canary")),
	} {
		_, err := h(t.Context(), e)
		if err == nil {
			t.Errorf("%s: got no error", name)
		} else if strings.Contains(err.Error(), "canary-secret") {
			t.Errorf("%s: the error quotes the body: %v", name, err)
		}
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	h := gateway.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if _, err := h(t.Context(), event(t, "GET", "/")); !errors.Is(err, http.ErrAbortHandler) {
		t.Errorf("an answer that was given up: got error %v, want that", err)
	}
	h = gateway.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") }))
	defer func() {
		if got := recover(); got != "a defect" {
			t.Errorf("got panic %v, want it passed on", got)
		}
	}()
	_, _ = h(t.Context(), event(t, "GET", "/"))
	t.Error("the panic is gone")
}

var pool = gateway.Pool{Issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example", Client: "1example"}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	claims := func(change ...object) object {
		c := object{"sub": "8d1c", "token_use": "access", "cognito:groups": "[editor]", "exp": "1795000000", "iss": pool.Issuer, "client_id": pool.Client}
		for _, o := range change {
			for name, value := range o {
				if value == nil {
					delete(c, name)
				} else {
					c[name] = value
				}
			}
		}
		return c
	}
	in := func(groups any) object { return claims(object{"cognito:groups": groups}) }
	tests := map[string]struct {
		claims any
		role   httpapi.Role
		kind   problem.Kind // of the error; Internal: none
	}{
		"no claims":                     {nil, httpapi.NoRole, problem.Unauthenticated},
		"empty claims":                  {object{}, httpapi.NoRole, problem.Unauthenticated},
		"no subject":                    {claims(object{"sub": nil}), httpapi.NoRole, problem.Unauthenticated},
		"an ID token":                   {claims(object{"token_use": "id"}), httpapi.NoRole, problem.Unauthenticated},
		"no use":                        {claims(object{"token_use": nil}), httpapi.NoRole, problem.Unauthenticated},
		"no groups":                     {claims(object{"cognito:groups": nil}), httpapi.NoRole, problem.Internal},
		"other groups":                  {in("[administrators viewers Admin]"), httpapi.NoRole, problem.Internal},
		"a group as API Gateway has it": {in("[viewer]"), httpapi.Viewer, problem.Internal},
		"groups as API Gateway has it":  {in("[viewer admin editor]"), httpapi.Admin, problem.Internal},
		"a group with a comma":          {in("[x,admin]"), httpapi.NoRole, problem.Internal},
		"a group with commas around":    {in("[viewer ,admin,]"), httpapi.Viewer, problem.Internal},
		"a group in quotes":             {in(`['admin' "admin"]`), httpapi.NoRole, problem.Internal},
		"a group in brackets":           {in("[[admin] viewer]"), httpapi.Viewer, problem.Internal},
		"a group of one bracket":        {in("[] admin]"), httpapi.Admin, problem.Internal},
		"groups in other letters":       {in("[ADMIN Admin]"), httpapi.NoRole, problem.Internal},
		"other white space":             {in("[x\tadmin x\u00a0admin]"), httpapi.NoRole, problem.Internal},
		"no list":                       {in("admin"), httpapi.NoRole, problem.Internal},
		"half a list":                   {in("[admin"), httpapi.NoRole, problem.Internal},
		"groups with commas":            {in("viewer,editor"), httpapi.NoRole, problem.Internal},
		"groups as JSON in text":        {in(`["viewer","editor"]`), httpapi.NoRole, problem.Internal},
		"a list with a comma":           {in([]any{"x,admin", "'admin'"}), httpapi.NoRole, problem.Internal},
		"another pool":                  {claims(object{"iss": pool.Issuer + "2"}), httpapi.NoRole, problem.Unauthenticated},
		"no pool":                       {claims(object{"iss": nil}), httpapi.NoRole, problem.Unauthenticated},
		"another client":                {claims(object{"client_id": "2example"}), httpapi.NoRole, problem.Unauthenticated},
		"no client":                     {claims(object{"client_id": nil}), httpapi.NoRole, problem.Unauthenticated},
		"an audience for a client":      {claims(object{"client_id": nil, "aud": pool.Client}), httpapi.NoRole, problem.Unauthenticated},
		"groups as a list":              {in([]any{"viewer", "editor", 7}), httpapi.Editor, problem.Internal},
		"groups as a number":            {in(7), httpapi.NoRole, problem.Internal},
		"numbers as numbers":            {claims(object{"exp": 1795000000, "iat": 1.5e9, "email_verified": true}), httpapi.Editor, problem.Internal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var who httpapi.Principal
			var err error
			h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who, err = pool.Authenticate(r) })
			if _, err := gateway.Handler(h)(t.Context(), event(t, "GET", "/", withClaims(test.claims))); err != nil {
				t.Fatal(err)
			}
			if test.kind != problem.Internal {
				if !problem.Is(err, test.kind) || who != (httpapi.Principal{}) {
					t.Errorf("got %+v, error %v; want nobody and a problem of kind %d", who, err, test.kind)
				}
				return
			}
			if want := (httpapi.Principal{Subject: "8d1c", Name: "8d1c", Role: test.role}); err != nil || who != want {
				t.Errorf("got %+v, error %v; want %+v", who, err, want)
			}
		})
	}
}

// People know a user by the name that the token was given; Cognito's own is a
// number, or Slack's.
func TestAuthenticateNamesTheUser(t *testing.T) {
	t.Parallel()
	for want, claims := range map[string]object{
		"ana@example.com": {"vizpost_name": "ana@example.com", "username": "8d1c"},
		"Slack_U1":        {"username": "Slack_U1"},
		"8d1c":            {"username": 7},
	} {
		claims["sub"], claims["token_use"], claims["iss"], claims["client_id"] = "8d1c", "access", pool.Issuer, pool.Client
		var who httpapi.Principal
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who, _ = pool.Authenticate(r) })
		if _, err := gateway.Handler(h)(t.Context(), event(t, "GET", "/", withClaims(claims))); err != nil {
			t.Fatal(err)
		}
		if who.Name != want || who.Subject != "8d1c" {
			t.Errorf("got %+v, want the name %s", who, want)
		}
	}
}

// A request that did not come through API Gateway has no claims, whatever it
// says of itself.
func TestAuthenticateWithoutAPIGateway(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	if who, err := pool.Authenticate(r); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("got %+v, error %v; want nobody", who, err)
	}
}

func FuzzHandler(f *testing.F) {
	f.Add([]byte(`{"version":"2.0","rawPath":"/a%2Fb","headers":{"a":"b"},"requestContext":{"http":{"method":"GET"},"authorizer":{"jwt":{"claims":{"sub":"x","cognito:groups":"[admin]"}}}}}`))
	f.Add([]byte(`{"version":"2.0","rawPath":"//","body":"AAA=","isBase64Encoded":true,"cookies":["a"],"requestContext":{"stage":"x","http":{"method":"X"}}}`))
	h := gateway.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		who, err := pool.Authenticate(r)
		_, _ = fmt.Fprint(w, r.Method, r.URL, r.Host, r.Header, len(body), who, err)
	}))
	f.Fuzz(func(t *testing.T, event []byte) {
		out, err := h(context.Background(), event)
		if err == nil && out.StatusCode != http.StatusOK {
			t.Errorf("got %+v, want an answer or an error", out)
		}
	})
}
