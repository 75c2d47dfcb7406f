package tableau_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
)

func TestSignInWithToken(t *testing.T) {
	t.Parallel()
	server := tableauServer()
	address := server.listen(t)
	c := client(t, address+"/", tableau.Options{Transport: guarded(t)})

	got, err := c.SignIn(t.Context(), token, "MarketingTeam")
	if err != nil {
		t.Fatalf("SignIn: %v", err)
	}
	want := tableau.Session{
		ServerURL:      address,
		APIVersion:     "3.27",
		ProductVersion: "2025.3.3",
		SiteID:         "5ae00000-0000-4000-8000-000000000001",
		SiteContentURL: "MarketingTeam",
		UserID:         "5ae00000-0000-4000-8000-000000000002",
		Token:          secret.New(sessionToken),
		TokenExpiresIn: 177*24*time.Hour + 5*time.Hour + 38*time.Minute,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	if want := []string{"GET /api/2.4/serverinfo", "POST /api/3.27/auth/signin"}; !slices.Equal(server.paths(), want) {
		t.Errorf("requests = %q, want %q", server.paths(), want)
	}
	request := server.requests()[1]
	for name, want := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "vizpost", "X-Tableau-Auth": ""} {
		if got := request.Header.Get(name); got != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	assertJSON(t, request.Body, `{"credentials":{"personalAccessTokenName":"nightly","personalAccessTokenSecret":"`+tokenSecret+`","site":{"contentUrl":"MarketingTeam"}}}`)
}

func TestSignInWithPassword(t *testing.T) {
	t.Parallel()
	server := tableauServer().on("POST /api/3.27/auth/signin", answerJSON(200, `{"credentials":{"site":{"id":"s","contentUrl":""},"user":{"id":"u"},"token":"t"}}`))
	c := client(t, base, tableau.Options{Transport: server, UserAgent: "vizpost/1"})

	got, err := c.SignIn(t.Context(), tableau.Credential{Method: tableau.UsernamePassword, Username: "alice", Secret: secret.New(`p"ss`)}, "")
	if err != nil {
		t.Fatalf("SignIn: %v", err)
	}
	if got.TokenExpiresIn != 0 || got.SiteContentURL != "" || got.SiteID != "s" {
		t.Errorf("session = %+v", got)
	}
	request := server.requests()[1]
	assertJSON(t, request.Body, `{"credentials":{"name":"alice","password":"p\"ss","site":{"contentUrl":""}}}`)
	if got := request.Header.Get("User-Agent"); got != "vizpost/1" {
		t.Errorf("User-Agent = %q", got)
	}
}

func assertJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("the body %q is no JSON: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestSignInNegotiatesTheVersion(t *testing.T) {
	t.Parallel()
	password := tableau.Credential{Method: tableau.UsernamePassword, Username: "a", Secret: secret.New("b")}
	tests := []struct {
		server, option string
		credential     tableau.Credential
		want           string // "" means refused
	}{
		{"3.30", "", token, "3.29"},
		{"3.29", "", token, "3.29"},
		{"3.9", "3.10", token, "3.9"},
		{"3.10", "3.9", token, "3.9"},
		{"3.6", "", token, "3.6"},
		{"3.5", "", token, ""},
		{"3.5", "", password, "3.5"},
		{"3.29", "3.5", token, ""},
		{"3.29", "3.5", password, "3.5"},
		{"2.8", "", password, "2.8"},
		{"2.7", "", password, ""},
		{"2.10", "", password, "2.10"},
		{"4.0", "", token, "3.29"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %s", tt.server, tt.option, tt.credential.Method), func(t *testing.T) {
			t.Parallel()
			server := newFake().
				on("GET /api/2.4/serverinfo", serverInfo(tt.server)).
				on("POST /api/"+tt.want+"/auth/signin", answerJSON(200, signInBody))
			got, err := client(t, base, tableau.Options{Transport: server, APIVersion: tt.option}).SignIn(t.Context(), tt.credential, "x")
			if tt.want == "" {
				if e := asError(t, err); e.Cause != tableau.NotSupported || e.Retry {
					t.Errorf("error = %v, want it not supported", e)
				}
				if n := len(server.requests()); n != 1 {
					t.Errorf("%d requests, want the credential not to be sent", n)
				}
				return
			}
			if err != nil || got.APIVersion != tt.want {
				t.Errorf("version = %q, %v, want %q", got.APIVersion, err, tt.want)
			}
		})
	}
}

func TestServerInfo(t *testing.T) {
	t.Parallel()
	want := tableau.ServerInfo{ProductVersion: "2025.3.3", Build: "20253.26.0115.1010", RESTAPIVersion: "3.27"}
	for name, body := range map[string]string{
		"json": `{"serverInfo":{"productVersion":{"value":"2025.3.3","build":"20253.26.0115.1010"},"restApiVersion":"3.27"}}`,
		"xml": `<?xml version='1.0' encoding='UTF-8'?><tsResponse xmlns="http://tableau.com/api"><serverInfo>
			<productVersion build="20253.26.0115.1010">2025.3.3</productVersion><prepConductorVersion/>
			<restApiVersion>3.27</restApiVersion></serverInfo></tsResponse>`,
		"xml with prefix": `<n:tsResponse xmlns:n="http://tableau.com/api"><n:serverInfo><n:productVersion build="20253.26.0115.1010">2025.3.3</n:productVersion><n:restApiVersion>3.27</n:restApiVersion></n:serverInfo></n:tsResponse>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on("GET /api/2.4/serverinfo", answer(200, "", body))
			got, err := client(t, base, tableau.Options{Transport: server}).ServerInfo(t.Context())
			if err != nil || got != want {
				t.Errorf("ServerInfo = %+v, %v, want %+v", got, err, want)
			}
		})
	}

	t.Run("version as text", func(t *testing.T) {
		t.Parallel()
		server := newFake().on("GET /api/2.4/serverinfo", answerJSON(200, `{"serverInfo":{"productVersion":"10.5","restApiVersion":2.8}}`))
		got, err := client(t, base, tableau.Options{Transport: server}).ServerInfo(t.Context())
		if want := (tableau.ServerInfo{ProductVersion: "10.5", RESTAPIVersion: "2.8"}); err != nil || got != want {
			t.Errorf("ServerInfo = %+v, %v, want %+v", got, err, want)
		}
	})

	for name, handler := range map[string]http.HandlerFunc{
		"a web page":          html,
		"a page of a gateway": answer(403, "text/html", htmlPage),
		"a page not found":    answer(404, "text/html", htmlPage),
		"a page as text":      answer(200, "application/json", "  \n<html>"),
		"a page by redirect":  redirect(302, "/auth/login?x=1"),
		"another host":        redirect(302, "https://login.example.org/saml"),
		"another service":     answerJSON(200, `{"status":"ok"}`),
		"no version":          answerJSON(200, `{"serverInfo":{"restApiVersion":"Unknown"}}`),
		"proxy":               answer(407, "text/html", htmlPage),
		"a gateway's sign-in": asksForSignIn,
		"refused":             answer(403, "", ""),
		"nothing there":       answerJSON(404, `{"message":"no route"}`),
		"a request refused":   answer(400, "application/json", `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on("GET /api/2.4/serverinfo", handler)
			_, err := client(t, base, tableau.Options{Transport: server}).SignIn(t.Context(), token, "x")
			if e := asError(t, err); e.Cause != tableau.NotTableau || e.Retry {
				t.Errorf("error = %v (retry %t), want not_tableau, for good", e, e.Retry)
			}
			if n := len(server.requests()); n != 1 {
				t.Errorf("%d requests, want the credential not to be sent", n)
			}
		})
	}
}

// asksForSignIn answers as a gateway that has a sign-in of its own.
func asksForSignIn(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", `Negotiate`)
	w.WriteHeader(http.StatusUnauthorized)
}

func TestSignInFollowsRedirects(t *testing.T) {
	t.Parallel()
	const (
		cloud = "https://online.tableau.com"
		pod   = "https://10ay.online.tableau.com"
	)
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprintf("to a pod at server info by %d", status), func(t *testing.T) {
			t.Parallel()
			server := tableauServer().on("GET "+cloud+"/api/2.4/serverinfo", redirect(status, pod+"/api/2.4/serverinfo"))
			got, err := client(t, cloud, tableau.Options{Transport: server}).SignIn(t.Context(), token, "acme")
			if err != nil || got.ServerURL != pod {
				t.Errorf("server = %q, %v, want %q", got.ServerURL, err, pod)
			}
		})
		t.Run(fmt.Sprintf("to a pod at sign-in by %d", status), func(t *testing.T) {
			t.Parallel()
			server := tableauServer().on("POST "+cloud+"/api/3.27/auth/signin", redirect(status, pod+"/api/3.27/auth/signin"))
			got, err := client(t, cloud, tableau.Options{Transport: server}).SignIn(t.Context(), token, "acme")
			if err != nil || got.ServerURL != pod {
				t.Fatalf("server = %q, %v, want %q", got.ServerURL, err, pod)
			}
			last := server.requests()[2]
			if last.Method != "POST" || !strings.HasPrefix(last.URL, pod+"/") || !strings.Contains(last.Body, tokenSecret) {
				t.Errorf("last request = %s %s, want the sign-in posted again to the pod", last.Method, last.URL)
			}
		})
	}
	t.Run("from http to https", func(t *testing.T) {
		t.Parallel()
		server := tableauServer().on("GET http://127.0.0.1:8000/api/2.4/serverinfo", redirect(301, "https://127.0.0.1/api/2.4/serverinfo"))
		got, err := client(t, "http://127.0.0.1:8000", tableau.Options{Transport: server}).SignIn(t.Context(), token, "")
		if err != nil || got.ServerURL != "https://127.0.0.1" {
			t.Errorf("server = %q, %v", got.ServerURL, err)
		}
		for _, r := range server.requests() {
			if strings.HasPrefix(r.URL, "http://") && r.Body != "" {
				t.Error("the credential went to the unencrypted address")
			}
		}
	})
	t.Run("of a host with letters of its own", func(t *testing.T) {
		t.Parallel()
		const ascii = "https://tableau.xn--mller-kva.example"
		server := tableauServer().on("GET "+ascii+"/api/2.4/serverinfo", redirect(302, ascii+":8443/api/2.4/serverinfo"))
		got, err := client(t, "https://Tableau.Müller.example", tableau.Options{Transport: server}).SignIn(t.Context(), token, "")
		if err != nil || got.ServerURL != ascii+":8443" {
			t.Errorf("server = %q, %v", got.ServerURL, err)
		}
	})
	t.Run("relative", func(t *testing.T) {
		t.Parallel()
		server := tableauServer().on("GET "+base+"/api/2.4/serverinfo", redirect(302, "//tableau.example.com:8443/api/2.4/serverinfo"))
		got, err := client(t, base, tableau.Options{Transport: server}).SignIn(t.Context(), token, "")
		if err != nil || got.ServerURL != base+":8443" {
			t.Errorf("server = %q, %v", got.ServerURL, err)
		}
	})
}

func TestSignInDoesNotFollow(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{
		"another host":              "https://evil.example.org/api/3.27/auth/signin",
		"a host that looks alike":   "https://online.tableau.com.example.org/api/3.27/auth/signin",
		"another that looks alike":  "https://notonline.tableau.com/api/3.27/auth/signin",
		"https to http":             "http://tableau.example.com/api/3.27/auth/signin",
		"http on the cloud":         "http://10ay.online.tableau.com/api/3.27/auth/signin",
		"the same address":          base + "/api/3.27/auth/signin",
		"a sign-in page":            "/auth",
		"with a user name":          "https://a:b@tableau.example.com:99/api/3.27/auth/signin",
		"a file":                    "file:///etc/passwd",
		"nowhere":                   "",
		"something that is no link": "https://%zz/",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := tableauServer().on("POST "+base+"/api/3.27/auth/signin", redirect(302, location))
			_, err := client(t, base, tableau.Options{Transport: server}).SignIn(t.Context(), token, "x")
			if e := asError(t, err); e.Retry || e.Cause != tableau.NotTableau && e.Cause != tableau.Unknown {
				t.Errorf("error = %v (retry %t)", e, e.Retry)
			}
			if n := len(server.requests()); n != 2 {
				t.Errorf("%d requests, want the credential to be sent once", n)
			}
		})
	}
	t.Run("in a circle", func(t *testing.T) {
		t.Parallel()
		server := tableauServer().
			on("GET https://a.online.tableau.com/api/2.4/serverinfo", redirect(302, "https://b.online.tableau.com/")).
			on("GET https://b.online.tableau.com/api/2.4/serverinfo", redirect(302, "https://a.online.tableau.com/"))
		_, err := client(t, "https://a.online.tableau.com", tableau.Options{Transport: server}).SignIn(t.Context(), token, "x")
		if e := asError(t, err); e.Cause != tableau.NotTableau {
			t.Errorf("error = %v", e)
		}
		if n := len(server.requests()); n > 6 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("the message names the other host", func(t *testing.T) {
		t.Parallel()
		server := newFake().on("GET /api/2.4/serverinfo", redirect(302, "https://login.example.org/saml?token=canary"))
		_, err := client(t, base, tableau.Options{Transport: server}).ServerInfo(t.Context())
		if e := asError(t, err); !strings.Contains(e.Message(), "login.example.org") {
			t.Errorf("message = %q", e.Message())
		}
	})
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	if _, err := tableau.NewClient("ftp://x", tableau.Options{Transport: newFake()}); !slices.Equal(fieldsOf(err), []string{"server_url"}) {
		t.Errorf("an address that is none: %v", err)
	}
	if _, err := tableau.NewClient(base, tableau.Options{}); err == nil {
		t.Error("no transport: it is taken")
	}
	for _, version := range []string{"latest", "3", "3.x", "-3.1", "3.12345", "2.7"} {
		if _, err := tableau.NewClient(base, tableau.Options{Transport: newFake(), APIVersion: version}); err == nil {
			t.Errorf("version %q is taken", version)
		}
	}
}

func TestSignInFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   tableau.Cause
		retry  bool
	}{
		{"rejected", failure(401, "401001", "Signin Error", "Error signing in to Tableau Server"), tableau.CredentialsRejected, false},
		{"rejected, in another language", failure(401, "401001", "Anmeldefehler", "Fehler"), tableau.CredentialsRejected, false},
		{"rejected without a code", answerJSON(401, `{}`), tableau.CredentialsRejected, false},
		{"rejected, code as number", answerJSON(401, `{"error":{"code":401001}}`), tableau.CredentialsRejected, false},
		{"rejected, xml", answer(401, "application/xml", `<tsResponse xmlns="http://tableau.com/api"><error code="401001"><summary>Signin Error</summary><detail/></error></tsResponse>`), tableau.CredentialsRejected, false},
		{"a gateway's own 401", answer(401, "text/html", htmlPage), tableau.NotTableau, false},
		{"a gateway's own 401 without a page", asksForSignIn, tableau.NotTableau, false},
		{"empty body", failure(401, "401009", "Login error", ""), tableau.MalformedRequest, false},
		{"malformed", failure(400, "400000", "Bad Request", "Payload is either malformed or incomplete"), tableau.MalformedRequest, false},
		{"GET in place of POST", failure(405, "405000", "Method Not Allowed", ""), tableau.MalformedRequest, false},
		{"unknown version", failure(404, "404001", "Resource Not Found", "Version '3.99' is not a valid version of the API."), tableau.NotSupported, false},
		{"forbidden", failure(403, "403004", "Forbidden", ""), tableau.NotPermitted, false},
		{"too many", failure(429, "429000", "Too Many Requests", ""), tableau.TooManyRequests, true},
		{"internal", failure(500, "500000", "Internal Server Error", ""), tableau.ServerError, true},
		{"gateway", answer(502, "text/html", htmlPage), tableau.ServerError, true},
		{"a web page", html, tableau.NotTableau, false},
		{"no session in the answer", answerJSON(200, `{"credentials":{"site":{"id":"s"}}}`), tableau.Unknown, false},
		{"an error with status 200", answerJSON(200, `{"error":{"code":"401001"}}`), tableau.CredentialsRejected, false},
		{"the secret echoed", failure(400, "400000", "Bad Request "+tokenSecret, "malformed: "+tokenSecret), tableau.MalformedRequest, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := tableauServer().on("POST /api/3.27/auth/signin", tt.answer)
			_, err := client(t, base, tableau.Options{Transport: server}).SignIn(t.Context(), token, "x")
			if e := asError(t, err); e.Cause != tt.want || e.Retry != tt.retry {
				t.Errorf("error = %v: cause %q, retry %t, want %q, %t", e, e.Cause, e.Retry, tt.want, tt.retry)
			}
			if n := len(server.requests()); n != 2 {
				t.Errorf("%d requests, want no try again", n)
			}
		})
	}
}

func TestSignInChecksTheCredential(t *testing.T) {
	t.Parallel()
	for _, credential := range []tableau.Credential{
		{},
		{Method: "jwt", Secret: secret.New("x")},
		{Method: tableau.PersonalAccessToken, Secret: secret.New("x")},
		{Method: tableau.PersonalAccessToken, TokenName: "x"},
		{Method: tableau.UsernamePassword, Secret: secret.New("x")},
		{Method: tableau.UsernamePassword, Username: "x"},
	} {
		server := tableauServer()
		_, err := client(t, base, tableau.Options{Transport: server}).SignIn(t.Context(), credential, "x")
		var p *problem.Error
		if !errors.As(err, &p) || p.Kind != problem.Invalid {
			t.Errorf("%+v: error = %v, want an invalid field", credential, err)
		}
		if n := len(server.requests()); n != 0 {
			t.Errorf("%+v: %d requests, want none", credential, n)
		}
	}
}

func TestTokenExpiresIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"2:12:30":     2*24*time.Hour + 12*time.Hour + 30*time.Minute,
		"0:00:05":     5 * time.Minute,
		"":            0,
		"5":           0,
		"1:2":         0,
		"1:2:3:4":     0,
		"-1:00:00":    0,
		"a:b:c":       0,
		"99999:00:00": 0,
		"365:00:00":   365 * 24 * time.Hour,
	} {
		server := tableauServer().on("POST /api/3.27/auth/signin", answerJSON(200, strings.Replace(signInBody, "177:05:38", text, 1)))
		got, err := client(t, base, tableau.Options{Transport: server}).SignIn(t.Context(), token, "x")
		if err != nil || got.TokenExpiresIn != want {
			t.Errorf("%q: %v, %v, want %v", text, got.TokenExpiresIn, err, want)
		}
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   tableau.Cause
	}{
		"done":          {answer(204, "", ""), ""},
		"already ended": {failure(401, "401002", "Unauthorized Access", ""), ""},
		"failed":        {failure(500, "500000", "Internal Server Error", ""), tableau.ServerError},
		"answered":      {answer(200, "application/xml", `<tsResponse xmlns="http://tableau.com/api"/>`), ""},
		"a page":        {html, tableau.NotTableau},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on("POST /api/3.27/auth/signout", tt.answer)
			err := client(t, base, tableau.Options{Transport: server}).SignOut(t.Context(), session(base))
			if tt.want == "" && err != nil {
				t.Errorf("SignOut: %v", err)
			}
			if tt.want != "" && asError(t, err).Cause != tt.want {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if got := server.requests()[0].Header.Get("X-Tableau-Auth"); got != sessionToken {
				t.Errorf("X-Tableau-Auth = %q", got)
			}
		})
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	server := newFake().on("GET /api/3.27/sites/site-1/users/user-1", answerJSON(200, `{"user":{"id":"user-1","name":"alice@example.com","fullName":"Alice","siteRole":"Viewer","externalAuthUserId":"","domain":{"name":"local"}}}`))
	c := client(t, base, tableau.Options{Transport: server})
	got, err := c.User(t.Context(), session(base), "user-1")
	if want := (tableau.User{ID: "user-1", Name: "alice@example.com", FullName: "Alice", SiteRole: "Viewer"}); err != nil || got != want {
		t.Errorf("User = %+v, %v, want %+v", got, err, want)
	}
	server.on("GET /api/3.27/sites/site-1/users/other", failure(404, "404002", "Resource Not Found", "User 'other' could not be found."))
	if _, err := c.User(t.Context(), session(base), "other"); asError(t, err).Cause != tableau.UserNotFound {
		t.Errorf("error = %v", err)
	}
	server.on("GET /api/3.27/sites/site-1/users/odd", answerJSON(200, `{"user":{"name":"odd"}}`))
	if got, err := c.User(t.Context(), session(base), "odd"); asError(t, err).Cause != tableau.Unknown {
		t.Errorf("a user without an id: %+v, %v", got, err)
	}
}

func TestNewClientUsesHTTPSForHTTP(t *testing.T) {
	t.Parallel()
	var asked []string
	allow := func(host string) bool { asked = append(asked, host); return host == "10.0.0.5" }
	for _, tt := range []struct {
		in, want string
		allow    func(string) bool
	}{
		{"http://10.0.0.5:8000/", "http://10.0.0.5:8000", allow},
		{"http://tableau.example.com", "https://tableau.example.com", allow},
		{"http://tableau.example.com", "https://tableau.example.com", nil},
		{"http://tableau.example.com:443", "https://tableau.example.com", nil},
		{"http://tableau.example.com:8000/#/site/a", "https://tableau.example.com:8000", nil},
		{"http://[fd00::1]", "https://[fd00::1]", nil},
	} {
		c, err := tableau.NewClient(tt.in, tableau.Options{Transport: newFake(), AllowPlainHTTP: tt.allow})
		if err != nil || c.ServerURL() != tt.want {
			t.Errorf("NewClient(%q) calls %q, %v, want %q", tt.in, c.ServerURL(), err, tt.want)
		}
	}
	if want := []string{"10.0.0.5", "tableau.example.com"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %q, want %q", asked, want)
	}
}

func TestCallTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := client(t, base, tableau.Options{Transport: silent}).SignIn(t.Context(), token, "x")
		e := asError(t, err)
		if e.Cause != tableau.Timeout || !e.Retry || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", e)
		}
		if got := time.Since(start); got != 20*time.Second {
			t.Errorf("it took %v, want 20 s", got)
		}
	})
}

func TestCallerEndsTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := client(t, base, tableau.Options{Transport: silent})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.ServerInfo(ctx)
		if e := asError(t, err); e.Cause != tableau.Timeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("deadline: error = %v", e)
		}

		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		_, err = c.ServerInfo(ctx)
		if e := asError(t, err); e.Cause != tableau.Interrupted || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: error = %v", e)
		}
	})
}
