package tableau_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/tableau"
)

// export exports the one view of a fake server as CSV with a filter.
func export(t testing.TB, serverURL string, o tableau.Options) (string, error) {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	var out bytes.Buffer
	_, err := client(t, serverURL, o).Export(t.Context(), session(serverURL),
		tableau.ExportRequest{ViewID: "view-1", Format: tableau.CSV, Filters: []tableau.Filter{{Field: "Region", Values: []string{"West"}}}}, &out)
	return out.String(), err
}

const exportRoute = "GET /api/3.27/sites/site-1/views/view-1/data"

// The error tables of the export endpoints. Every answer comes as
// XML, which is what an export gets, and as JSON.
func TestExportErrors(t *testing.T) {
	t.Parallel()
	type advice struct {
		retry, once bool
	}
	never, once, again := advice{}, advice{true, true}, advice{true, false}
	tests := []struct {
		status       int
		code, detail string
		want         tableau.Cause
		advice       advice
	}{
		{400, "400000", "SVG export requires API version 3.29", tableau.BadParameter, never},
		{400, "400006", "", tableau.BadParameter, never},
		{400, "400008", "", tableau.BadParameter, never},
		{400, "400010", "", tableau.BadParameter, never},
		{400, "400065", "", tableau.BadParameter, never},
		{400, "400066", "", tableau.BadParameter, never},
		{400, "400074", "There was a problem querying the image for view 'v'.", tableau.RenderFailed, once},
		{400, "400074", "There was a problem (0x5CE10192 : com.tableau.ExportViewException: Error: data sources not connected)", tableau.DataSourceCredentials, never},
		{400, "400080", "", tableau.RenderFailed, once},
		{400, "400081", "", tableau.RenderFailed, once},
		{400, "400081", "com.tableau.FederatedDataSourceException", tableau.DataSourceCredentials, never},
		{400, "400082", "", tableau.RenderFailed, once},
		{400, "400083", "", tableau.NoData, never},
		{400, "400101", "", tableau.RenderFailed, once},
		{400, "400126", "", tableau.RenderFailed, once},
		{400, "400128", "", tableau.ServerError, once},
		{400, "400050", "", tableau.ServerError, once},
		{400, "400053", "", tableau.ServerError, once},
		{400, "400130", "", tableau.NoData, never},
		{400, "400130", "Error: Data Sources Not Connected", tableau.DataSourceCredentials, never},
		{400, "400999", "", tableau.BadParameter, never},
		{401, "401000", "No authentication credentials were provided", tableau.SessionEnded, again},
		{401, "401002", "Invalid authentication credentials were provided.", tableau.SessionEnded, again},
		{401, "401001", "", tableau.SessionEnded, again}, // of a session, never of the credential
		{403, "403004", "", tableau.NotPermitted, never},
		{403, "403032", "", tableau.NotPermitted, never},
		{403, "403018", "", tableau.NotPermitted, never},
		{403, "403010", "", tableau.NotPermitted, never},
		{403, "403162", "", tableau.NotPermitted, never},
		{403, "403068", "", tableau.ExportDisabled, never},
		{403, "403072", "", tableau.ExportDisabled, never},
		{403, "403075", "", tableau.ExportDisabled, never},
		{403, "403105", "", tableau.ExportDisabled, never},
		{403, "403128", "", tableau.ExportDisabled, never},
		{403, "403134", "", tableau.ExportDisabled, never},
		{403, "403157", "", tableau.ExportDisabled, never},
		{403, "403037", "", tableau.NotSupported, never},
		{404, "404000", "", tableau.SiteNotFound, never},
		{404, "404001", "", tableau.NotSupported, never},
		{404, "404003", "", tableau.NotSupported, never},
		{404, "404006", "", tableau.ViewNotFound, never},
		{404, "404008", "", tableau.NotSupported, never},
		{404, "404011", "", tableau.ViewNotFound, never},
		{404, "404999", "", tableau.Unknown, never},
		{405, "405000", "", tableau.MalformedRequest, never},
		{406, "406000", "", tableau.MalformedRequest, never},
		{409, "409004", "", tableau.Unknown, never},
		{429, "429000", "", tableau.TooManyRequests, again},
		{500, "500000", "", tableau.ServerError, again},
		{500, "500001", "", tableau.ServerError, again},
		{503, "", "", tableau.ServerError, again},
	}
	for _, tt := range tests {
		for _, form := range []string{"xml", "json"} {
			t.Run(fmt.Sprintf("%s %s %s", tt.code, form, tt.want), func(t *testing.T) {
				t.Parallel()
				handler := failure(tt.status, tt.code, "Summary of the error", tt.detail)
				if form == "json" {
					handler = answerJSON(tt.status, fmt.Sprintf(`{"error":{"summary":"Summary of the error","detail":%q,"code":%q}}`, tt.detail, tt.code))
				}
				written, err := export(t, base, tableau.Options{Transport: newFake().on(exportRoute, handler)})
				e := asError(t, err)
				if got := (advice{e.Retry, e.RetryOnce}); e.Cause != tt.want || got != tt.advice {
					t.Errorf("cause = %q, advice %v, want %q, %v", e.Cause, got, tt.want, tt.advice)
				}
				if e.Status != tt.status || e.Code != tt.code || e.Summary != "Summary of the error" || e.Detail != tt.detail || e.Op != "export view" {
					t.Errorf("error = %#v", e)
				}
				if !strings.Contains(e.Error(), tt.code) {
					t.Errorf("text = %q, want the code in it", e.Error())
				}
				if written != "" {
					t.Errorf("the error was written as content: %q", written)
				}
			})
		}
	}
}

// What the exports of workbooks and custom views have of their own.
func TestExportErrorsOfWorkbooksAndCustomViews(t *testing.T) {
	t.Parallel()
	workbook := tableau.ExportRequest{WorkbookID: "w", Format: tableau.PPTX}
	custom := tableau.ExportRequest{CustomViewID: "c", Format: tableau.CSV}
	for _, tt := range []struct {
		ask         tableau.ExportRequest
		status      int
		code        string
		want        tableau.Cause
		retry, once bool
	}{
		{workbook, 400, "400101", tableau.RenderFailed, true, true},
		{workbook, 400, "400126", tableau.RenderFailed, true, true},
		{workbook, 400, "400050", tableau.ServerError, true, true},
		{workbook, 403, "403004", tableau.NotPermitted, false, false},
		{workbook, 403, "403105", tableau.ExportDisabled, false, false},
		{workbook, 403, "403128", tableau.ExportDisabled, false, false},
		{workbook, 404, "404006", tableau.WorkbookNotFound, false, false},
		{workbook, 404, "404008", tableau.NotSupported, false, false},
		{workbook, 401, "401002", tableau.SessionEnded, true, false},
		{custom, 400, "400080", tableau.RenderFailed, true, true},
		{custom, 403, "403162", tableau.NotPermitted, false, false},
		{custom, 404, "404006", tableau.CustomViewNotFound, false, false},
		{custom, 404, "404008", tableau.CustomViewNotFound, false, false},
		{custom, 404, "404048", tableau.CustomViewNotFound, false, false},
		{custom, 404, "404003", tableau.NotSupported, false, false},
	} {
		server := newFake().
			on("GET /api/3.27/sites/site-1/workbooks/w/powerpoint", failure(tt.status, tt.code, "Summary", "")).
			on("GET /api/3.27/sites/site-1/customviews/c/data", failure(tt.status, tt.code, "Summary", ""))
		file, _, err := exportTo(t, client(t, base, tableau.Options{Transport: server}), session(base), tt.ask)
		if e := asError(t, err); e.Cause != tt.want || e.Retry != tt.retry || e.RetryOnce != tt.once || len(file) != 0 {
			t.Errorf("%s: %v: retry %t, once %t, wrote %d bytes, want %s, %t, %t", tt.code, e, e.Retry, e.RetryOnce, len(file), tt.want, tt.retry, tt.once)
		}
	}
}

// An old server that does not know the option sends a PNG in place of an SVG.
func TestExportOfSVG(t *testing.T) {
	t.Parallel()
	s := session(base)
	s.APIVersion = "3.29"
	const route = "GET /api/3.29/sites/site-1/views/v/image"
	for name, tt := range map[string]struct {
		contentType, body string
		want              tableau.Cause
	}{
		"svg":               {"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>`, ""},
		"with a prolog":     {"image/svg+xml", "\uFEFF<?xml version='1.0' encoding='UTF-8' standalone='no'?>\n<!-- Tableau -->\n<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'x'>\n<svg xmlns='http://www.w3.org/2000/svg'/>", ""},
		"as xml":            {"application/xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`, ""},
		"a prefix":          {"image/svg+xml", `<s:svg xmlns:s="http://www.w3.org/2000/svg"/>`, ""},
		"a long root":       {"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" style="` + strings.Repeat("a:b;", 500) + `"/>`, ""},
		"a long prolog":     {"image/svg+xml", "<?xml version='1.0'?><!-- " + strings.Repeat("licence ", 100) + "--><svg xmlns='http://www.w3.org/2000/svg'/>", ""},
		"a png":             {"image/png", "\x89PNG\r\n\x1a\n....", tableau.NotSupported},
		"a page with svg":   {"text/html", `<!doctype html><html><body><svg/></body></html>`, tableau.NotTableau},
		"a page as svg":     {"image/svg+xml", `<html><svg/></html>`, tableau.NotTableau},
		"an error as svg":   {"image/svg+xml", `<tsResponse xmlns="http://tableau.com/api"><error code="400074"><summary>x</summary><detail/></error></tsResponse>`, tableau.RenderFailed},
		"text before":       {"image/svg+xml", `x<svg/>`, tableau.NotSupported},
		"something like it": {"application/xml", `<svgs/>`, tableau.NotTableau},
	} {
		server := newFake().on(route, answer(200, tt.contentType, tt.body))
		file, _, err := exportTo(t, client(t, base, tableau.Options{Transport: server}), s, tableau.ExportRequest{ViewID: "v", Format: tableau.SVG})
		if tt.want == "" {
			if err != nil || string(file) != tt.body {
				t.Errorf("%s: wrote %q, %v", name, file, err)
			}
			continue
		}
		if e := asError(t, err); e.Cause != tt.want || len(file) != 0 {
			t.Errorf("%s: %v, wrote %q, want %s", name, e, file, tt.want)
		}
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, retryAfter, contentType, body string
		want                                time.Duration
	}{
		{"xml", "", "application/xml", `<tsResponse xmlns="http://tableau.com/api"><error code="429000"><summary>Too Many Requests</summary><detail/></error></tsResponse>`, 0},
		{"html", "", "text/html", htmlPage, 0},
		{"no body", "", "", "", 0},
		{"seconds", "37", "text/html", htmlPage, 37 * time.Second},
		{"date", now.Add(90 * time.Second).Format(http.TimeFormat), "", "", 90 * time.Second},
		{"date that has passed", now.Add(-time.Hour).Format(http.TimeFormat), "", "", 0},
		{"negative", "-5", "", "", 0},
		{"without end", "99999999999999", "", "", 24 * time.Hour},
		{"nonsense", "soon", "", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on(exportRoute, func(w http.ResponseWriter, r *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				answer(429, tt.contentType, tt.body)(w, r)
			})
			_, err := export(t, base, tableau.Options{Transport: server})
			if e := asError(t, err); e.Cause != tableau.TooManyRequests || !e.Retry || e.RetryOnce || e.RetryAfter != tt.want {
				t.Errorf("error = %#v, want a retry after %v", e, tt.want)
			}
			if n := len(server.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   tableau.Cause
		retry  bool
	}{
		{"a page with status 200", html, tableau.NotTableau, true},
		{"a page as csv", answer(200, "text/csv", " \n<HTML><body>canary"), tableau.NotTableau, true},
		{"a page of unknown type", answer(200, "", htmlPage), tableau.NotTableau, true},
		{"tableau's error with status 200", answer(200, "text/csv", `<?xml version='1.0'?><tsResponse xmlns="http://tableau.com/api"><error code="400074"><summary>Bad Request</summary><detail/></error></tsResponse>`), tableau.RenderFailed, true},
		{"tableau's error as json with status 200", answerJSON(200, `{"error":{"code":"401002"}}`), tableau.SessionEnded, true},
		{"json that is no error", answerJSON(200, `{"a":1}`), tableau.NotTableau, true},
		{"a page with status 403", answer(403, "text/html", htmlPage), tableau.NotTableau, true},
		{"a page with status 404", answer(404, "text/html", htmlPage), tableau.NotTableau, true},
		{"a page with status 502", answer(502, "text/html", htmlPage), tableau.ServerError, true},
		{"a page with status 503", answer(503, "text/html", htmlPage), tableau.ServerError, true},
		{"a page with status 504", answer(504, "text/html", htmlPage), tableau.ServerError, true},
		{"a sign-in page by redirect", redirect(302, "/auth/login"), tableau.NotTableau, true},
		{"a sign-in page elsewhere", redirect(302, "https://login.example.org/"), tableau.NotTableau, true},
		{"another pod", redirect(301, "https://20ay.online.tableau.com/api/x"), tableau.SessionEnded, true},
		{"a proxy", answer(407, "text/html", htmlPage), tableau.NotTableau, false},
		{"a redirect to nowhere", answer(302, "", ""), tableau.Unknown, false},
		{"success without content", answer(204, "", ""), tableau.Unknown, true},
		{"work that is still to be done", answer(202, "text/csv", "a,b\n"), tableau.Unknown, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on(exportRoute, tt.answer)
			written, err := export(t, base, tableau.Options{Transport: server})
			if e := asError(t, err); e.Cause != tt.want || e.Retry != tt.retry {
				t.Errorf("error = %v: retry %t, want %q, %t", e, e.Retry, tt.want, tt.retry)
			}
			if written != "" {
				t.Errorf("written as content: %q", written)
			}
			if n := len(server.requests()); n != 1 {
				t.Errorf("%d requests, want the session to go nowhere else", n)
			}
		})
	}
}

// What a server or the network can do to a connection.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n"
	long := strings.Repeat("a,b\r\n", 20_000)
	tests := []struct {
		name, answer string
		reset        bool
		want         tableau.Cause
	}{
		{"closed before the answer", "", false, tableau.ServerError},
		{"reset before the answer", "", true, tableau.ServerError},
		{"no http", "SSH-2.0-OpenSSH_9.6\r\n", false, tableau.ServerError},
		{"cut in the header", head[:30], false, tableau.ServerError},
		{"shorter than announced", head + "Content-Length: 100\r\n\r\na,b\r\n", false, tableau.Truncated},
		{"much shorter than announced", head + "Content-Length: 500000\r\n\r\n" + long, false, tableau.Truncated},
		{"empty though announced", head + "Content-Length: 5\r\n\r\n", false, tableau.Truncated},
		{"chunks without an end", head + "Transfer-Encoding: chunked\r\n\r\n5\r\na,b\r\n\r\n", false, tableau.Truncated},
		{"reset in the body", head + "Content-Length: 500000\r\n\r\n" + long, true, tableau.Truncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := export(t, rawServer(t, tt.answer, tt.reset), tableau.Options{Transport: guarded(t)})
			e := asError(t, err)
			// A reset may overtake what was sent before it.
			if e.Cause != tt.want && (!tt.reset || e.Cause != tableau.ServerError) {
				t.Errorf("error = %v, want %q", e, tt.want)
			}
			if !e.Retry || e.RetryOnce {
				t.Errorf("error = %#v, want it to be tried again", e)
			}
		})
	}
	t.Run("a list cut short", func(t *testing.T) {
		t.Parallel()
		server := rawServer(t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"views\":", false)
		_, err := client(t, server, tableau.Options{Transport: guarded(t)}).Views(t.Context(), session(server), 1)
		if e := asError(t, err); e.Cause != tableau.Truncated || !e.Retry {
			t.Errorf("error = %v", e)
		}
	})
	t.Run("a body without length", func(t *testing.T) {
		t.Parallel()
		got, err := export(t, rawServer(t, head+"\r\n"+long, false), tableau.Options{Transport: guarded(t)})
		if err != nil || got != long {
			t.Errorf("%d bytes, %v, want %d", len(got), err, len(long))
		}
	})
}

// A gateway may compress what was asked for as it is: the file, and the error
// that says what went wrong, are read all the same.
func TestExportsThatAreCompressed(t *testing.T) {
	t.Parallel()
	packed := func(body string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, body)
		_ = w.Close()
		return b.String()
	}
	encoded := func(status int, encoding, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Header().Set("Content-Type", "text/csv")
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	long := strings.Repeat("a,b\r\n", 50_000)
	const failed = `<tsResponse xmlns="http://tableau.com/api"><error code="400074"><summary>s</summary><detail/></error></tsResponse>`
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   tableau.Cause // "" means the file
		file   string
	}{
		"a file":                    {encoded(200, "gzip", packed(long)), "", long},
		"by its older name":         {encoded(200, "x-gzip", packed(long)), "", long},
		"in capitals":               {encoded(200, "GZIP", packed("a,b\n")), "", "a,b\n"},
		"not at all":                {encoded(200, "identity", long), "", long},
		"nothing":                   {encoded(200, "gzip", ""), "", ""},
		"an error":                  {encoded(400, "gzip", packed(failed)), tableau.RenderFailed, ""},
		"an error with status 200":  {encoded(200, "gzip", packed(failed)), tableau.RenderFailed, ""},
		"a page":                    {encoded(200, "gzip", packed(htmlPage)), tableau.NotTableau, ""},
		"cut":                       {encoded(200, "gzip", packed(long)[:100]), tableau.Truncated, ""},
		"cut in its header":         {encoded(200, "gzip", packed(long)[:5]), tableau.Truncated, ""},
		"in name alone":             {encoded(200, "gzip", long), tableau.Truncated, ""},
		"more than an export takes": {encoded(200, "gzip", packed(strings.Repeat(long, 10))), tableau.TooLarge, ""},
		"in a way that is not read": {encoded(200, "br", "abc"), tableau.NotTableau, ""},
		"twice":                     {encoded(200, "gzip, gzip", packed(packed(long))), tableau.NotTableau, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := newFake().on(exportRoute, tt.answer).listen(t)
			got, err := export(t, address, tableau.Options{Transport: guarded(t), MaxExportBytes: 2 << 20})
			if tt.want == "" {
				if err != nil || got != tt.file {
					t.Errorf("%d bytes, %v, want %d", len(got), err, len(tt.file))
				}
				return
			}
			if e := asError(t, err); e.Cause != tt.want || e.Retry == (tt.want == tableau.TooLarge) {
				t.Errorf("error = %v, retry %t, want %q", e, e.Retry, tt.want)
			}
		})
	}
}

func TestTransportErrors(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedURL := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	t.Cleanup(secure.Close)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	plain := newFake().listen(t)

	trusting := func(roots *x509.CertPool) http.RoundTripper {
		transport := outbound.NewTransport(outbound.Policy{PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: roots})
		t.Cleanup(transport.CloseIdleConnections)
		return transport
	}
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	failing := func(err error) http.RoundTripper {
		return roundTripper(func(*http.Request) (*http.Response, error) { return nil, err })
	}

	tests := []struct {
		name, server string
		transport    http.RoundTripper
		want         tableau.Cause
		retry        bool
		hint         string
	}{
		{"refused", closedURL, trusting(nil), tableau.Unreachable, true, "cannot be reached"},
		{"blocked", "https://10.1.2.3", outbound.NewTransport(outbound.Policy{}), tableau.Blocked, false, "VIZPOST_PRIVATE_NETWORKS"},
		{"unknown authority", secure.URL, trusting(x509.NewCertPool()), tableau.Certificate, false, "VIZPOST_CA_BUNDLE"},
		{"another name", strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), trusting(roots), tableau.Certificate, false, "not for this host name"},
		{"no common version of TLS", old.URL, trusting(roots), tableau.Certificate, false, "TLS 1.2"},
		{"http on the https port", strings.Replace(plain, "http://", "https://", 1), trusting(nil), tableau.NotTableau, false, "https"},
		{"no such host", base, failing(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "tableau.example.com", IsNotFound: true}}), tableau.Unreachable, true, "no server with this host name"},
		{"name server failing", base, failing(&net.DNSError{Err: "server misbehaving"}), tableau.Unreachable, true, ""},
		{"connecting took too long", base, failing(&net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}), tableau.Unreachable, true, ""},
		{"reset", base, failing(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), tableau.ServerError, true, ""},
		{"reading took too long", base, failing(&net.OpError{Op: "read", Err: syscall.ETIMEDOUT}), tableau.Timeout, true, ""},
		{"something else", base, failing(errors.New("http2: stream closed")), tableau.ServerError, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := export(t, tt.server, tableau.Options{Transport: tt.transport})
			e := asError(t, err)
			if e.Cause != tt.want || e.Retry != tt.retry || e.Status != 0 {
				t.Errorf("error = %v: status %d, retry %t, want %q, %t", e, e.Status, e.Retry, tt.want, tt.retry)
			}
			if !strings.Contains(e.Message(), tt.hint) {
				t.Errorf("message = %q, want %q in it", e.Message(), tt.hint)
			}
			if e.Unwrap() == nil {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestErrorTextIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 10_000)
	body := fmt.Sprintf(`{"error":{"code":"400074","summary":"%s","detail":"one\ntwo\u0000 \ufffd %s %s"}}`, long, sessionToken, long)
	_, err := export(t, base, tableau.Options{Transport: newFake().on(exportRoute, answerJSON(400, body))})
	e := asError(t, err)
	if len(e.Summary) > 220 || len(e.Detail) > 520 {
		t.Errorf("summary of %d bytes, detail of %d", len(e.Summary), len(e.Detail))
	}
	if strings.ContainsAny(e.Error(), "\n\x00") || !strings.HasPrefix(e.Detail, "one two") {
		t.Errorf("detail = %q", e.Detail)
	}
	if e.Cause != tableau.RenderFailed {
		t.Errorf("cause = %q, want render_failed", e.Cause)
	}
}

// Every cause has a message of its own, which says what to do.
func TestMessages(t *testing.T) {
	t.Parallel()
	causes := []tableau.Cause{
		tableau.CredentialsRejected, tableau.SessionEnded, tableau.MalformedRequest, tableau.BadParameter,
		tableau.ViewNotFound, tableau.WorkbookNotFound, tableau.CustomViewNotFound, tableau.SiteNotFound, tableau.UserNotFound, tableau.NotPermitted,
		tableau.ExportDisabled, tableau.NotSupported, tableau.TooManyRequests, tableau.RenderFailed, tableau.NoData,
		tableau.DataSourceCredentials, tableau.ServerError, tableau.Unreachable, tableau.Timeout, tableau.Interrupted,
		tableau.Certificate, tableau.NotTableau, tableau.Blocked, tableau.Truncated, tableau.TooLarge, tableau.Unknown,
	}
	messages := make(map[string]tableau.Cause)
	for _, cause := range causes {
		message := (&tableau.Error{Op: "export view", Cause: cause}).Message()
		if earlier, seen := messages[message]; seen || !strings.HasSuffix(message, ".") {
			t.Errorf("%s: message = %q, as of %q", cause, message, earlier)
		}
		messages[message] = cause
	}
	if got := (&tableau.Error{Cause: tableau.Unknown, Code: "409004", Summary: "Resource Conflict"}).Message(); !strings.Contains(got, "409004") {
		t.Errorf("message = %q, want the code in it", got)
	}
}
