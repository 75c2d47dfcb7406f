package tableau_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/tableau"
)

// What stands before a Tableau server is named, as far as it shows.
func TestForeignAnswersAreNamed(t *testing.T) {
	t.Parallel()
	page := func(title, body string) http.HandlerFunc {
		return answer(200, "text/html", "<!doctype html><html><head><TITLE>"+title+"</TITLE></head><body>"+body+"</body></html>")
	}
	proxied := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			answer(403, "text/html", "<html><body>Denied</body></html>")(w, r)
		}
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   []string
	}{
		"Entra by redirect":       {redirect(302, "https://login.microsoftonline.com/x/saml2?SAMLRequest=canary"), []string{"Microsoft Entra ID", "login.microsoftonline.com"}},
		"Okta by redirect":        {redirect(302, "https://acme.okta.com/app/tableau"), []string{"Okta", "acme.okta.com"}},
		"AD FS by redirect":       {redirect(302, "https://sts.example.com/adfs/ls/?wa=canary"), []string{"AD FS", "sts.example.com"}},
		"Keycloak":                {redirect(302, "https://sso.example.com/realms/x/protocol/openid-connect/auth?client_id=canary"), []string{"Keycloak"}},
		"F5 on the same host":     {redirect(302, "/my.policy"), []string{"F5 BIG-IP"}},
		"looks like Okta":         {redirect(302, "https://notokta.com/"), []string{"leads on to notokta.com"}},
		"Google as a page":        {page("Sign in", `<form action="https://accounts.google.com/x">`), []string{"Google sign-in", `"Sign in"`}},
		"a page with a title":     {page("Acme &amp; Sons\n SSO", ""), []string{`"Acme & Sons SSO"`}},
		"a page with status":      {answer(401, "text/html", "<html><title>Portal</title></html>"), []string{`"Portal"`}},
		"a page without title":    {answer(200, "text/html", "<html></html>"), []string{"not Tableau's REST API but a web page"}},
		"Squid":                   {proxied("X-Squid-Error", "ERR_ACCESS_DENIED 0"), []string{"Squid", "let vizpost through"}},
		"another proxy":           {proxied("Via", "1.1 gateway.example.com"), []string{"1.1 gateway.example.com"}},
		"a title with an address": {page("Denied: https://tableau.example.com/api/2.4/serverinfo?vf_x=y", ""), []string{"not Tableau's REST API but a web page, perhaps"}},
		"a long title":            {page(strings.Repeat("x", 300), ""), []string{strings.Repeat("x", 80) + "…"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on("GET /api/2.4/serverinfo", tt.answer)
			_, err := client(t, base, tableau.Options{Transport: server}).ServerInfo(t.Context())
			e := asError(t, err)
			if e.Cause != tableau.NotTableau || e.Retry {
				t.Errorf("error = %v (retry %t)", e, e.Retry)
			}
			for _, want := range tt.want {
				if !strings.Contains(e.Message(), want) {
					t.Errorf("message = %q, want %q in it", e.Message(), want)
				}
			}
		})
	}
}

// Only the beginning of a page is searched, since an answer may be of many
// megabytes.
func TestForeignAnswersAreReadToABound(t *testing.T) {
	t.Parallel()
	page := "<html>" + strings.Repeat("<title>", 100_000) + "<p>oktacdn.com</p>" + strings.Repeat(" ", 600) + "<title>Far down</title>"
	server := newFake().on(viewsRoute, answer(200, "text/html", page))
	_, err := client(t, base, tableau.Options{Transport: server}).Views(t.Context(), session(base), 1)
	if e := asError(t, err); e.Cause != tableau.NotTableau || strings.Contains(e.Message(), "Far down") || strings.Contains(e.Message(), "Okta") {
		t.Errorf("error = %v: %q, want the beginning of the page to count", e, e.Message())
	}
}

// An answer that holds nothing of what the REST API answers is not taken for an
// empty one: a view would seem to be gone.
func TestAnswersOfSomethingElse(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"another service":        answerJSON(200, `{"status":"maintenance"}`),
		"an empty object":        answerJSON(200, `{}`),
		"null in every place":    answerJSON(200, `{"views":null,"user":null,"workbooks":null}`),
		"xml in place of json":   answer(200, "application/xml", `<?xml version='1.0'?><tsResponse xmlns="http://tableau.com/api"><pagination pageNumber="1" pageSize="100" totalAvailable="1"/><views><view id="v1" contentUrl="A/sheets/B"/></views><user id="u"/></tsResponse>`),
		"xml larger than any is": answer(200, "application/xml", `<tsResponse>`+strings.Repeat(" ", 2<<20)+`<error code="400074"/></tsResponse>`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, base, tableau.Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				recorder := httptest.NewRecorder()
				handler(recorder, r)
				return recorder.Result(), nil
			})})
			s := session(base)
			calls := map[string]func() error{
				"Views":         func() error { _, err := c.Views(t.Context(), s, 1); return err },
				"FindView":      func() error { _, err := c.FindView(t.Context(), s, "A/B"); return err },
				"Workbooks":     func() error { _, err := c.Workbooks(t.Context(), s); return err },
				"WorkbookViews": func() error { _, err := c.WorkbookViews(t.Context(), s, tableau.Workbook{ID: "w"}); return err },
				"CustomView":    func() error { _, err := c.CustomView(t.Context(), s, "c"); return err },
				"CustomViews":   func() error { _, err := c.CustomViews(t.Context(), s, "v"); return err },
				"User":          func() error { _, err := c.User(t.Context(), s, "u"); return err },
				"AccessTokens":  func() error { _, err := c.AccessTokens(t.Context(), s, "u"); return err },
			}
			for call, do := range calls {
				if e := asError(t, do()); e.Cause != tableau.NotTableau || !e.Retry || !strings.Contains(e.Message(), "proxy") {
					t.Errorf("%s: %v, retry %t: %q", call, e, e.Retry, e.Message())
				}
			}
			_, err := c.ServerInfo(t.Context())
			if e := asError(t, err); e.Cause != tableau.NotTableau || e.Retry {
				t.Errorf("ServerInfo: %v, retry %t", e, e.Retry)
			}
		})
	}
}

// http:// that was typed for a server of https is corrected before anything
// secret is sent.
func TestSignInCorrectsTheScheme(t *testing.T) {
	t.Parallel()
	plainText := answer(400, "", "Client sent an HTTP request to an HTTPS server.\n")
	for name, tt := range map[string]struct {
		typed string
		plain http.HandlerFunc // what http:// answers; nil: nothing does
		want  string
	}{
		"not allowed, so https":         {"http://tableau.example.com", nil, base},
		"a TLS port":                    {"http://127.0.0.1:8443", plainText, "https://127.0.0.1:8443"},
		"a TLS port, with a page":       {"http://127.0.0.1:8443", answer(400, "text/html", htmlPage), "https://127.0.0.1:8443"},
		"no plain port":                 {"http://127.0.0.1", nil, "https://127.0.0.1"},
		"a page that is not forwarding": {"http://127.0.0.1", html, "https://127.0.0.1"},
		"forwarded":                     {"http://127.0.0.1", redirect(301, "https://127.0.0.1/"), "https://127.0.0.1"},
		"really plain":                  {"http://127.0.0.1:8000", serverInfo("3.27"), "http://127.0.0.1:8000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := tableauServer()
			if tt.plain != nil {
				server.on("GET "+tt.typed+"/api/2.4/serverinfo", tt.plain)
			}
			transport := roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Scheme == "http" && tt.plain == nil {
					return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
				}
				return server.RoundTrip(r)
			})
			got, err := client(t, tt.typed, tableau.Options{Transport: transport}).SignIn(t.Context(), token, "x")
			if err != nil || got.ServerURL != tt.want {
				t.Errorf("session at %q, %v, want %q", got.ServerURL, err, tt.want)
			}
			for _, r := range server.requests() {
				if strings.Contains(r.Body, tokenSecret) && !strings.HasPrefix(r.URL, tt.want+"/") {
					t.Errorf("the credential went to %s", r.URL)
				}
			}
		})
	}
	for name, tt := range map[string]struct {
		typed string
		error error
		want  string
	}{
		"neither answers, allowed":     {"http://127.0.0.1:8000", &net.OpError{Op: "dial", Err: errors.New("refused")}, "cannot be reached"},
		"neither answers, not allowed": {"http://tableau.example.com:8000", &net.OpError{Op: "dial", Err: errors.New("refused")}, "VIZPOST_PRIVATE_NETWORKS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			transport := roundTripper(func(*http.Request) (*http.Response, error) { asked++; return nil, tt.error })
			_, err := client(t, tt.typed, tableau.Options{Transport: transport}).SignIn(t.Context(), token, "x")
			if e := asError(t, err); e.Cause != tableau.Unreachable || !strings.Contains(e.Message(), tt.want) || asked > 2 {
				t.Errorf("error = %v: %q after %d requests, want %q", e, e.Message(), asked, tt.want)
			}
		})
	}
}

// With real connections: a TLS server that is called by http.
func TestPlainHTTPToATLSServer(t *testing.T) {
	t.Parallel()
	server := tableauServer()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.serve(w, r, "https://"+r.Host) }))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	transport := trusting(t, secure)
	typed := strings.Replace(secure.URL, "https://", "http://", 1)
	got, err := client(t, typed, tableau.Options{Transport: transport}).SignIn(t.Context(), token, "x")
	if err != nil || got.ServerURL != secure.URL {
		t.Errorf("session at %q, %v, want %q", got.ServerURL, err, secure.URL)
	}
}

// A credential is never posted again without TLS, though server info may lead
// from one port of a host to another.
func TestSignInDoesNotPostAgainInPlain(t *testing.T) {
	t.Parallel()
	server := tableauServer().on("POST http://127.0.0.1:8000/api/3.27/auth/signin", redirect(307, "http://127.0.0.1:9000/api/3.27/auth/signin"))
	_, err := client(t, "http://127.0.0.1:8000", tableau.Options{Transport: server}).SignIn(t.Context(), token, "x")
	if e := asError(t, err); e.Cause != tableau.NotTableau || e.Retry {
		t.Errorf("error = %v", e)
	}
	if n := len(server.requests()); n != 2 {
		t.Errorf("%d requests: %q", n, server.paths())
	}
}

// trusting is the program's transport with a test server's authority.
func trusting(t *testing.T, server *httptest.Server) http.RoundTripper {
	t.Helper()
	transport, ok := guarded(t).(*http.Transport)
	if !ok {
		t.Fatal("the transport is of another type")
	}
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return transport
}

// A proxy that is configured and does not let vizpost through.
func TestConfiguredProxy(t *testing.T) {
	t.Parallel()
	for err, tt := range map[error]struct {
		retry bool
		want  string
	}{
		&outbound.ProxyError{Status: 407}:                            {false, "VIZPOST_PROXY_URL"},
		&outbound.ProxyError{Status: 403}:                            {false, "allow the server"},
		&outbound.ProxyError{Status: 503}:                            {true, "cannot reach this server"},
		&net.OpError{Op: "proxyconnect", Err: fmt.Errorf("refused")}: {true, "VIZPOST_PROXY_URL"},
	} {
		transport := roundTripper(func(*http.Request) (*http.Response, error) { return nil, err })
		_, got := client(t, base, tableau.Options{Transport: transport}).ServerInfo(t.Context())
		if e := asError(t, got); e.Cause != tableau.Unreachable || e.Retry != tt.retry || !strings.Contains(e.Message(), tt.want) {
			t.Errorf("%v: %v, retry %t, message %q", err, e, e.Retry, e.Message())
		}
	}
}
