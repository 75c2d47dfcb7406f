package tableautest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func (c *client) fault(f tableautest.Fault) {
	c.t.Helper()
	if err := c.server.AddFault(f); err != nil {
		c.t.Fatalf("adding %+v: %v", f, err)
	}
}

func TestFaultsThatReplaceTheAnswer(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	id := c.view("Superstore/sheets/Overview")
	for name, test := range map[string]struct {
		fault  tableautest.Fault
		status int
		header map[string]string
		body   string
	}{
		"error": {
			fault:  tableautest.Fault{Kind: tableautest.FaultError, Code: 400074, Detail: "There was a problem querying the image for view 'x'."},
			status: 400, body: `<error code="400074"><summary>Bad Request</summary><detail>There was a problem querying the image for view 'x'.</detail></error>`,
		},
		"error with its own words and status": {
			fault:  tableautest.Fault{Kind: tableautest.FaultError, Code: 500000, Status: 503, Summary: "Busy"},
			status: 503, body: `<error code="500000"><summary>Busy</summary><detail/></error>`,
		},
		"too many": {
			fault:  tableautest.Fault{Kind: tableautest.FaultTooMany},
			status: 429, header: map[string]string{"Retry-After": ""}, body: `code="429000"`,
		},
		"too many, with seconds": {
			fault:  tableautest.Fault{Kind: tableautest.FaultTooMany, RetryAfter: tableautest.Duration(30 * time.Second)},
			status: 429, header: map[string]string{"Retry-After": "30"}, body: `code="429000"`,
		},
		"too many, with a date": {
			fault:  tableautest.Fault{Kind: tableautest.FaultTooMany, RetryAfter: tableautest.Duration(90 * time.Second), AsDate: true},
			status: 429, header: map[string]string{"Retry-After": "Mon, 23 Nov 2026 09:01:30 GMT"},
		},
		"too many, as a page": {
			fault:  tableautest.Fault{Kind: tableautest.FaultTooMany, HTML: true, RetryAfter: tableautest.Duration(time.Second)},
			status: 429, header: map[string]string{"Retry-After": "1", "Content-Type": "text/html; charset=utf-8"}, body: "<html",
		},
		"gateway": {
			fault:  tableautest.Fault{Kind: tableautest.FaultHTML, Status: 504},
			status: 504, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: "Gateway Timeout",
		},
		"broken server": {
			fault:  tableautest.Fault{Kind: tableautest.FaultHTML, Status: 500},
			status: 500, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: "Internal Server Error",
		},
		"bad gateway": {
			fault:  tableautest.Fault{Kind: tableautest.FaultHTML, Status: 502},
			status: 502, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: "Bad Gateway",
		},
		"a feature switched off": {
			fault:  tableautest.Fault{Kind: tableautest.FaultError, Code: 403157},
			status: 403, body: `<error code="403157"><summary>Forbidden</summary><detail/></error>`,
		},
		"sign-in page": {
			fault:  tableautest.Fault{Kind: tableautest.FaultLoginPage},
			status: 200, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: `type="password"`,
		},
		"redirect": {
			fault:  tableautest.Fault{Kind: tableautest.FaultRedirect, Location: "https://10ay.example.com"},
			status: 301, header: map[string]string{"Location": "https://10ay.example.com/api/3.29/sites/" + c.site + "/views/" + id + "/image?maxAge=1"},
		},
		"redirect found": {
			fault:  tableautest.Fault{Kind: tableautest.FaultRedirect, Location: "https://10ay.example.com/", Status: 302},
			status: 302, header: map[string]string{"Location": "https://10ay.example.com/api/3.29/sites/" + c.site + "/views/" + id + "/image?maxAge=1"},
		},
		"redirect to a page": {
			fault:  tableautest.Fault{Kind: tableautest.FaultRedirect, Location: "https://sso.example.com/login", Status: 307},
			status: 307, header: map[string]string{"Location": "https://sso.example.com/login"},
		},
	} {
		test.fault.Route = "image"
		c.fault(test.fault)
		a := c.get("/views/" + id + "/image?maxAge=1")
		if a.Status != test.status || !strings.Contains(string(a.Body), test.body) {
			t.Errorf("%s: %d %s, want %d with %q", name, a.Status, a.Body, test.status, test.body)
		}
		for key, want := range test.header {
			if got := a.Header.Get(key); got != want {
				t.Errorf("%s: header %s = %q, want %q", name, key, got, want)
			}
		}
		c.file("/views/"+id+"/image", "image/png") // once is enough
	}
}

func TestFaultSessionEnded(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	c.fault(tableautest.Fault{Kind: tableautest.FaultSessionEnded, Route: "views"})
	for range 2 { // the session is really over
		if code := c.get("/views").code(t); code != "401002" {
			t.Errorf("code = %q, want 401002", code)
		}
	}
	if a := c.signIn().get("/views"); a.Status != http.StatusOK {
		t.Errorf("after a new sign-in: %d", a.Status)
	}
}

func TestFaultReset(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	c.fault(tableautest.Fault{Kind: tableautest.FaultReset})
	a := c.get("/views")
	if a.Err == nil || !errors.Is(a.Err, syscall.ECONNRESET) && !errors.Is(a.Err, io.EOF) {
		t.Errorf("err = %v, want a reset connection", a.Err)
	}
	if a := c.get("/views"); a.Status != http.StatusOK {
		t.Errorf("the next call answers %d (%v)", a.Status, a.Err)
	}
}

func TestFaultTruncated(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	id := c.view("Superstore/sheets/Overview")
	c.fault(tableautest.Fault{Kind: tableautest.FaultTruncated, Route: "export", Times: 2})
	for _, path := range []string{"/image", "/pdf"} {
		a := c.get("/views/" + id + path)
		if a.Status != http.StatusOK || !errors.Is(a.Err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d, %v; want 200 and an unexpected end", path, a.Status, a.Err)
		}
		if announced, _ := strconv.Atoi(a.Header.Get("Content-Length")); announced <= len(a.Body) || len(a.Body) == 0 {
			t.Errorf("%s: %d of %d bytes", path, len(a.Body), announced)
		}
	}
}

func TestFaultScope(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	one, other := c.view("Superstore/sheets/Shipping"), c.view("Superstore/sheets/Overview")
	c.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 400081, Route: "data", View: "Superstore/sheets/Shipping", Skip: 1, Times: 2})
	statuses := func(id string, n int) []int {
		var out []int
		for range n {
			out = append(out, c.get("/views/"+id+"/data").Status)
		}
		return out
	}
	if diff := cmp.Diff([]int{200, 400, 400, 200}, statuses(one, 4)); diff != "" {
		t.Errorf("the view (-want +got):\n%s", diff)
	}
	c.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 400081, View: one, Times: -1})
	if diff := cmp.Diff([]int{200, 200}, statuses(other, 2)); diff != "" {
		t.Errorf("another view (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{400, 400, 400}, statuses(one, 3)); diff != "" {
		t.Errorf("without end (-want +got):\n%s", diff)
	}
	if got := c.server.Faults(); len(got) != 1 || got[0].Times != -1 {
		t.Errorf("Faults() = %+v", got)
	}
	c.server.ClearFaults()
	if diff := cmp.Diff([]int{200}, statuses(one, 1)); diff != "" {
		t.Errorf("after clearing (-want +got):\n%s", diff)
	}
	for _, bad := range []tableautest.Fault{
		{Kind: "nonsense"}, {Kind: tableautest.FaultReset, Route: "nowhere"}, {Kind: tableautest.FaultError},
		{Kind: tableautest.FaultSize}, {Kind: tableautest.FaultHTML}, {Kind: tableautest.FaultRedirect},
	} {
		if c.server.AddFault(bad) == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func TestFaultOnSignIn(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{})
	c.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 500000, Route: "signin"})
	name, secret := c.server.PAT()
	if code := c.post(tokenBody(name, secret, "demo")).code(t); code != "500000" {
		t.Errorf("code = %q, want 500000", code)
	}
	if code := c.post(tokenBody(name, secret, "demo")).code(t); code != "" {
		t.Errorf("then %s, want a sign-in", code)
	}
}

func TestFaultBlankAndCharset(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/Overview")
	blank := tableautest.Fault{Kind: tableautest.FaultBlank, Route: "export"}
	c.fault(blank)
	if img := decodePNG(t, c.file(path+"/image", "image/png")); colors(img) != 1 || img.Bounds().Dx() != 1000 {
		t.Errorf("the blank picture has %d colours and is %v", colors(img), img.Bounds())
	}
	c.fault(blank)
	if pages, _ := pdfPages(t, c.file(path+"/pdf", "application/pdf")); pages != 1 {
		t.Errorf("the blank PDF has %d pages", pages)
	}
	c.fault(blank)
	if body := c.file(path+"/data", typeCSV); len(body) != 0 {
		t.Errorf("the blank CSV is %q", body)
	}
	c.fault(blank)
	book, err := excelize.OpenReader(bytes.NewReader(c.file(path+"/crosstab/excel", typeXLSX)))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if rows, err := book.GetRows(book.GetSheetName(0)); err != nil || len(rows) != 0 {
		t.Errorf("the blank workbook has %d rows (%v)", len(rows), err)
	}
	c.fault(blank)
	if body := c.file(path+"/image?format=svg", "image/svg+xml"); xml.Unmarshal(body, &struct{ XMLName xml.Name }{}) != nil {
		t.Errorf("the blank SVG is %s", body)
	}
	c.fault(blank)
	body := c.file("/workbooks/"+c.workbook("Superstore")+"/powerpoint", typePPTX)
	deck, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range deck.File {
		if strings.HasPrefix(part.Name, "ppt/slides/") {
			t.Errorf("the blank presentation has %s", part.Name)
		}
	}
	c.fault(tableautest.Fault{Kind: tableautest.FaultNoCharset, Route: "data"})
	c.file(path+"/data", "text/csv")
}

func TestFaultSize(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/Overview")
	big := func(path, contentType string) []byte {
		t.Helper()
		c.fault(tableautest.Fault{Kind: tableautest.FaultSize, Bytes: size, Route: "export"})
		body := c.file(path, contentType)
		if len(body) < size*99/100 || len(body) > size*101/100 {
			t.Errorf("%s has %d bytes, want about %d", path, len(body), size)
		}
		return body
	}
	if img := decodePNG(t, big(path+"/image", "image/png")); colors(img) < 100 {
		t.Error("the big picture is blank")
	}
	checkXref(t, big(path+"/pdf", "application/pdf"))
	rows, err := csv.NewReader(bytes.NewReader(big(path+"/data", typeCSV))).ReadAll()
	if err != nil || len(rows) < 10000 {
		t.Errorf("the big CSV has %d rows (%v)", len(rows), err)
	}
	book, err := excelize.OpenReader(bytes.NewReader(big(path+"/crosstab/excel", typeXLSX)))
	if err != nil {
		t.Fatalf("the big workbook: %v", err)
	}
	if err := book.Close(); err != nil {
		t.Error(err)
	}
	if body := big(path+"/image?format=svg", "image/svg+xml"); xml.Unmarshal(body, &struct{ XMLName xml.Name }{}) != nil {
		t.Error("the big SVG is no XML")
	}
}

// checkXref looks whether a PDF's table of objects is right.
func checkXref(t *testing.T, body []byte) {
	t.Helper()
	tail := regexp.MustCompile(`startxref\s+(\d+)\s+%%EOF\s*$`).FindSubmatch(body)
	if tail == nil {
		t.Fatal("the PDF has no end")
	}
	start, _ := strconv.Atoi(string(tail[1]))
	if !bytes.HasPrefix(body[start:], []byte("xref\n0 7\n")) {
		t.Fatalf("startxref points to %.20q", body[start:])
	}
	for n, entry := range regexp.MustCompile(`(\d{10}) 00000 n `).FindAllSubmatch(body[start:], -1) {
		offset, _ := strconv.Atoi(string(entry[1]))
		if want := strconv.Itoa(n+1) + " 0 obj"; !bytes.HasPrefix(body[offset:], []byte(want)) {
			t.Errorf("object %d is not at %d: %.20q", n+1, offset, body[offset:])
		}
	}
	length := regexp.MustCompile(`<< /Length (\d{5,}) >>\nstream\n`).FindSubmatchIndex(body)
	n, _ := strconv.Atoi(string(body[length[2]:length[3]]))
	if !bytes.HasPrefix(body[length[1]+n:], []byte("\nendstream")) {
		t.Error("the big stream is not as long as it says")
	}
}

// serve calls the handler without a network.
func serve(server http.Handler, method, path, body string, header http.Header) *httptest.ResponseRecorder {
	return serveIn(context.Background(), server, method, path, body, header)
}

func serveIn(ctx context.Context, server http.Handler, method, path, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	for key, values := range header {
		r.Header[key] = values
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w
}

func decode(w *httptest.ResponseRecorder) document {
	var d document
	if err := xml.Unmarshal(w.Body.Bytes(), &d); err != nil {
		return document{}
	}
	return d
}

// direct is a client without a network, for tests with a clock of their own.
type direct struct {
	server *tableautest.Server
	header http.Header
	views  string // path of the views
	view   string // path of the first one
}

func newDirect(t *testing.T, o tableautest.Options) direct {
	t.Helper()
	server := tableautest.New(o)
	name, secret := server.PAT()
	d := decode(serve(server, http.MethodPost, "/api/3.29/auth/signin", tokenBody(name, secret, "demo"), nil))
	c := direct{
		server: server,
		header: http.Header{"X-Tableau-Auth": {d.Credentials.Token}},
		views:  "/api/3.29/sites/" + d.Credentials.Site.ID + "/views",
	}
	views := decode(serve(server, http.MethodGet, c.views, "", c.header)).Views
	if len(views) == 0 {
		t.Fatal("the site has no views")
	}
	c.view = c.views + "/" + views[0].attr("id")
	return c
}

func (c direct) get(ctx context.Context, path string) *httptest.ResponseRecorder {
	return serveIn(ctx, c.server, http.MethodGet, path, "", c.header)
}

func TestTwentyExportsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDirect(t, tableautest.Options{})
		if err := c.server.AddFault(tableautest.Fault{Kind: tableautest.FaultHang, Route: "image", Times: -1}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 20 {
			go c.get(ctx, c.view+"/image")
		}
		synctest.Wait()
		if got := c.server.Stats(); got.ExportsInFlight != 20 || got.ExportsInFlightMax != 20 {
			t.Fatalf("%d in flight, at most %d; want 20", got.ExportsInFlight, got.ExportsInFlightMax)
		}
		refused := c.get(t.Context(), c.view+"/pdf")
		if refused.Code != http.StatusTooManyRequests || decode(refused).Error.Code != "429000" {
			t.Errorf("the 21st export answers %d %s, want 429000", refused.Code, refused.Body)
		}
		if w := c.get(t.Context(), c.views); w.Code != http.StatusOK {
			t.Errorf("the list of views answers %d; only exports are limited", w.Code)
		}
		cancel()
		synctest.Wait()
		if w := c.get(t.Context(), c.view+"/pdf"); w.Code != http.StatusOK {
			t.Errorf("after they ended an export answers %d", w.Code)
		}
		if got := c.server.Stats(); got.ExportsInFlight != 0 || got.ExportsRefused != 1 {
			t.Errorf("%d in flight, %d refused; want 0 and 1", got.ExportsInFlight, got.ExportsRefused)
		}
	})
}

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDirect(t, tableautest.Options{Latency: time.Second})
		began := time.Now()
		for range 8 {
			go c.get(t.Context(), c.view+"/data")
		}
		synctest.Wait()
		if w := c.get(t.Context(), c.view+"/pdf"); w.Code != http.StatusOK || time.Since(began) != time.Second {
			t.Errorf("an export answers %d after %s, want 200 after 1s", w.Code, time.Since(began))
		}
		synctest.Wait()
		if got := c.server.Stats().Exports["csv"]; got != 8 {
			t.Errorf("%d files, want 8 in the same second", got)
		}
		began = time.Now()
		if c.get(t.Context(), c.views); time.Since(began) != 0 {
			t.Error("the latency is that of exports alone")
		}
		c.server.SetLatency(3 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began = time.Now()
		if c.get(ctx, c.view+"/image"); time.Since(began) != 2*time.Second {
			t.Errorf("given up after 2s, ended after %s", time.Since(began))
		}
	})
}

func TestFaultSlowAndHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newDirect(t, tableautest.Options{})
		add := func(f tableautest.Fault) {
			if err := c.server.AddFault(f); err != nil {
				t.Fatal(err)
			}
		}
		whole := c.get(t.Context(), c.view+"/image").Body.Bytes()
		add(tableautest.Fault{Kind: tableautest.FaultSlow, Delay: tableautest.Duration(40 * time.Second)})
		began := time.Now()
		slow := c.get(t.Context(), c.view+"/image")
		if time.Since(began) != 40*time.Second || !bytes.Equal(slow.Body.Bytes(), whole) {
			t.Errorf("the slow body took %s and has %d of %d bytes", time.Since(began), slow.Body.Len(), len(whole))
		}
		for _, f := range []tableautest.Fault{
			{Kind: tableautest.FaultSlow, Delay: tableautest.Duration(time.Hour)},
			{Kind: tableautest.FaultHang},
		} {
			add(f)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			began = time.Now()
			if c.get(ctx, c.view+"/image"); time.Since(began) != 10*time.Second {
				t.Errorf("%s: given up after 10s, ended after %s", f.Kind, time.Since(began))
			}
			cancel()
		}
	})
}

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
