package tableau_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Values that must not be seen in any error.
const (
	tokenSecret  = "canary-token-secret=="
	sessionToken = "canary|session|token"
)

// seen is a request as a server received it.
type seen struct {
	Method, URL string // URL with scheme and host
	Header      http.Header
	Body        string
}

// fake is a Tableau server of fixed answers, by path or by whole URL. It
// notes what it is asked.
type fake struct {
	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by "METHOD path" or "METHOD scheme://host/path"
	asked   []seen
}

func newFake() *fake { return &fake{answers: make(map[string]http.HandlerFunc)} }

// on sets the answer to a method and path, with or without host. Queries and
// escapes do not count.
func (f *fake) on(route string, answer http.HandlerFunc) *fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[route] = answer
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request, host string) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.asked = append(f.asked, seen{r.Method, host + r.URL.RequestURI(), r.Header.Clone(), string(body)})
	answer, ok := f.answers[r.Method+" "+host+r.URL.Path]
	if !ok {
		answer, ok = f.answers[r.Method+" "+r.URL.Path]
	}
	f.mu.Unlock()
	if !ok {
		answer = failure(404, "404003", "Resource Not Found", "Unknown resource")
	}
	answer(w, r)
}

// RoundTrip answers without a network, so that a test can have any host.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	f.serve(recorder, r, r.URL.Scheme+"://"+r.URL.Host)
	resp := recorder.Result()
	resp.Request = r
	return resp, nil
}

func (f *fake) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]seen(nil), f.asked...)
}

// paths gives what was asked, as "METHOD path?query".
func (f *fake) paths() []string {
	var paths []string
	for _, r := range f.requests() {
		u, err := url.Parse(r.URL)
		if err != nil {
			panic(err) // it came from a request
		}
		paths = append(paths, r.Method+" "+u.RequestURI())
	}
	return paths
}

// listen serves the fake on a real port.
func (f *fake) listen(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, "http://"+r.Host) }))
	t.Cleanup(server.Close)
	return server.URL
}

func answerJSON(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// failure answers with an error as Tableau writes it for the request's Accept.
func failure(status int, code, summary, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "application/json" {
			answerJSON(status, fmt.Sprintf(`{"error":{"summary":%q,"detail":%q,"code":%q}}`, summary, detail, code))(w, r)
			return
		}
		answer(status, "application/xml;charset=utf-8", fmt.Sprintf(`<?xml version='1.0' encoding='UTF-8'?><tsResponse xmlns="http://tableau.com/api" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><error code="%s"><summary>%s</summary><detail>%s</detail></error></tsResponse>`, code, summary, detail))(w, r)
	}
}

func redirect(status int, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}
}

const htmlPage = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>canary-html</body></html>"

var html = answer(200, "text/html;charset=utf-8", htmlPage)

func serverInfo(version string) http.HandlerFunc {
	return answerJSON(200, fmt.Sprintf(`{"serverInfo":{"productVersion":{"value":"2025.3.3","build":"20253.26.0115.1010"},"restApiVersion":%q}}`, version))
}

const signInBody = `{"credentials":{"site":{"id":"5ae00000-0000-4000-8000-000000000001","contentUrl":"MarketingTeam"},` +
	`"user":{"id":"5ae00000-0000-4000-8000-000000000002"},"token":"` + sessionToken + `","estimatedTimeToExpiration":"177:05:38"}}`

// tableauServer is a fake that signs in at version 3.27.
func tableauServer() *fake {
	return newFake().
		on("GET /api/2.4/serverinfo", serverInfo("3.27")).
		on("POST /api/3.27/auth/signin", answerJSON(200, signInBody))
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// guarded is the transport that the program uses, allowed on this machine.
func guarded(t *testing.T) http.RoundTripper {
	t.Helper()
	transport := outbound.NewTransport(outbound.Policy{PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// client makes a client. Without a transport in the options it goes to this
// machine.
func client(t testing.TB, serverURL string, o tableau.Options) *tableau.Client {
	t.Helper()
	if o.AllowPlainHTTP == nil {
		o.AllowPlainHTTP = loopback
	}
	c, err := tableau.NewClient(serverURL, o)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	return c
}

var token = tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: "nightly", Secret: secret.New(tokenSecret)}

// session is one of the fake server at an address.
func session(serverURL string) tableau.Session {
	return tableau.Session{
		ServerURL:  serverURL,
		APIVersion: "3.27",
		SiteID:     "site-1",
		UserID:     "user-1",
		Token:      secret.New(sessionToken),
	}
}

const base = "https://tableau.example.com"

// asError checks what every error of a call must be: an Error with texts that
// give nothing away.
func asError(t testing.TB, err error) *tableau.Error {
	t.Helper()
	var e *tableau.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want a tableau.Error", err)
	}
	for _, text := range []string{e.Error(), e.Message(), fmt.Sprintf("%+v", err), e.Summary, e.Detail} {
		for _, hidden := range []string{tokenSecret, sessionToken, "canary", "https://tableau.example.com/api", "vf_"} {
			if strings.Contains(text, hidden) {
				t.Errorf("the error's text %q shows %q", text, hidden)
			}
		}
	}
	if e.Op == "" || e.Cause == "" || e.Message() == "" {
		t.Errorf("the error lacks its operation, cause or message: %#v", e)
	}
	if e.RetryOnce && !e.Retry {
		t.Errorf("the error may be retried once, and not at all: %#v", e)
	}
	return e
}

// rawServer answers every connection with bytes, and then closes or resets it.
func rawServer(t *testing.T, answer string, reset bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// The request is read before the answer is given, or the client would
			// see the end of the connection as its own failure to write.
			buffer := make([]byte, 8<<10)
			for n := 0; !bytes.Contains(buffer[:n], []byte("\r\n\r\n")); {
				more, err := conn.Read(buffer[n:])
				if err != nil {
					break
				}
				n += more
			}
			_, _ = io.WriteString(conn, answer)
			if tcp, ok := conn.(*net.TCPConn); ok && reset {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

// roundTripper is a transport by function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// silent never answers, until the request's context ends.
var silent = roundTripper(func(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
})

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
