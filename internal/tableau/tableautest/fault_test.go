package tableautest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
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
