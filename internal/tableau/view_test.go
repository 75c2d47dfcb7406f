package tableau_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vizpost/vizpost/internal/tableau"
)

const viewsRoute = "GET /api/3.27/sites/site-1/views"

const overview = `{"id":"v1","name":"Overview","contentUrl":"Superstore/sheets/Overview","createdAt":"2026-01-02T03:04:05Z","updatedAt":"2026-01-05T03:04:05Z",` +
	`"viewUrlName":"Overview","sheetType":"dashboard","workbook":{"id":"w1","name":"Super store","contentUrl":"Superstore"},"owner":{"id":"o"},` +
	`"project":{"id":"p1","name":"Samples"},"tags":{},"usage":{"totalViewCount":"7"}}`

var overviewWant = tableau.View{
	ID: "v1", Name: "Overview", ContentURL: "Superstore/sheets/Overview", ViewURLName: "Overview", SheetType: "dashboard",
	WorkbookID: "w1", WorkbookName: "Super store", WorkbookContentURL: "Superstore", ProjectID: "p1", ProjectName: "Samples",
	UpdatedAt: time.Date(2026, 1, 5, 3, 4, 5, 0, time.UTC),
}

func TestViews(t *testing.T) {
	t.Parallel()
	server := newFake().on(viewsRoute, answerJSON(200, `{"pagination":{"pageNumber":"2","pageSize":"1000","totalAvailable":"2001"},"views":{"view":[`+overview+`]}}`))
	got, err := client(t, base, tableau.Options{Transport: server}).Views(t.Context(), session(base), 2)
	if err != nil {
		t.Fatalf("Views: %v", err)
	}
	want := tableau.ViewPage{Views: []tableau.View{overviewWant}, Total: 2001, Page: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	request := server.requests()[0]
	u, err := url.Parse(request.URL)
	if err != nil {
		t.Fatal(err)
	}
	wantQuery := url.Values{"pageSize": {"1000"}, "pageNumber": {"2"}, "fields": {"_default_,sheetType,workbook.name,workbook.contentUrl,project.name"}}
	if diff := cmp.Diff(wantQuery, u.Query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if request.Header.Get("X-Tableau-Auth") != sessionToken || request.Header.Get("Accept") != "application/json" {
		t.Errorf("headers = %v", request.Header)
	}
}

// The forms in which servers have been seen to write lists and values.
func TestViewsDecodesTolerantly(t *testing.T) {
	t.Parallel()
	one := []tableau.View{overviewWant}
	tests := []struct {
		name, body string
		want       []tableau.View
		total      int
		last       bool
	}{
		{"wrapped list", `{"pagination":{"pageNumber":"1","pageSize":"1000","totalAvailable":"1"},"views":{"view":[` + overview + `]}}`, one, 1, true},
		{"flat list", `{"pagination":{"totalAvailable":"1"},"views":[` + overview + `]}`, one, 1, true},
		{"single object", `{"pagination":{"totalAvailable":"1"},"views":{"view":` + overview + `}}`, one, 1, true},
		{"single flat object", `{"pagination":{"totalAvailable":"1"},"views":` + overview + `}`, one, 1, true},
		{"empty object", `{"pagination":{"totalAvailable":"0"},"views":{}}`, nil, 0, true},
		{"empty list", `{"pagination":{"totalAvailable":"0"},"views":[]}`, nil, 0, true},
		{"null", `{"pagination":{"totalAvailable":"0"},"views":null}`, nil, 0, true},
		{"missing", `{"pagination":{"totalAvailable":"0"}}`, nil, 0, true},
		{"text", `{"pagination":{"totalAvailable":"0"},"views":""}`, nil, 0, true},
		{"numbers", `{"pagination":{"pageNumber":1,"pageSize":1000,"totalAvailable":1},"views":{"view":[` + overview + `]}}`, one, 1, true},
		{"no pagination", `{"views":{"view":[` + overview + `]}}`, one, 1, true},
		{"smaller pages than asked for", `{"pagination":{"pageNumber":"1","pageSize":"100","totalAvailable":"150"},"views":{"view":[` + overview + `]}}`, one, 150, false},
		{"unquoted values and odd ones", `{"pagination":{"totalAvailable":"1"},"views":{"view":[{"id":7,"name":true,"contentUrl":"Wb/sheets/Sheet 1","sheetType":null,"updatedAt":"soon","workbook":{"id":{"a":1}},"project":{},"tags":[]}]}}`,
			[]tableau.View{{ID: "7", Name: "true", ContentURL: "Wb/sheets/Sheet 1", ViewURLName: "Sheet 1", WorkbookContentURL: "Wb"}}, 1, true},
		{"without an id", `{"pagination":{"totalAvailable":"1"},"views":{"view":[{"name":"x"},` + overview + `]}}`, one, 1, true},
		{"unknown members", `{"pagination":{"totalAvailable":"1","x":[]},"views":{"view":[` + overview + `]},"more":{"a":[1]}}`, one, 1, true},
		{"a byte order mark", "\uFEFF" + `{"pagination":{"totalAvailable":"0"},"views":{}}`, nil, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := client(t, base, tableau.Options{Transport: newFake().on(viewsRoute, answerJSON(200, tt.body))}).Views(t.Context(), session(base), 1)
			if err != nil {
				t.Fatalf("Views: %v", err)
			}
			want := tableau.ViewPage{Views: tt.want, Total: tt.total, Page: 1, Last: tt.last}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
		})
	}
	for name, body := range map[string]string{"no json": "views", "broken json": `{"views":{"view":[`, "a number": "5", "nothing": "", "views of numbers": `{"views":[1,2]}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := client(t, base, tableau.Options{Transport: newFake().on(viewsRoute, answerJSON(200, body))}).Views(t.Context(), session(base), 1)
			if e := asError(t, err); e.Cause != tableau.Unknown || !e.Retry {
				t.Errorf("error = %v", e)
			}
		})
	}
}

func TestViewsAfterTheLastPage(t *testing.T) {
	t.Parallel()
	c := client(t, base, tableau.Options{Transport: newFake().on(viewsRoute, failure(400, "400006", "Bad Request", "0xB4EAB088"))})
	got, err := c.Views(t.Context(), session(base), 3)
	if err != nil || len(got.Views) != 0 || !got.Last {
		t.Errorf("page 3 = %+v, %v, want an empty last page", got, err)
	}
	if _, err := c.Views(t.Context(), session(base), 1); asError(t, err).Cause != tableau.BadParameter {
		t.Errorf("page 1: %v, want an error", err)
	}
}

// pagedViews serves n views, in pages.
func pagedViews(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page, size := 1, 2
		_, _ = fmt.Sscan(r.URL.Query().Get("pageNumber"), &page)
		var views []string
		for i := (page - 1) * size; i < min(page*size, n); i++ {
			views = append(views, fmt.Sprintf(`{"id":"v%d","contentUrl":"Wb/sheets/S%d"}`, i, i))
		}
		answerJSON(200, fmt.Sprintf(`{"pagination":{"pageNumber":"%d","pageSize":"%d","totalAvailable":"%d"},"views":{"view":[%s]}}`, page, size, n, strings.Join(views, ",")))(w, r)
	}
}

func TestAllViews(t *testing.T) {
	t.Parallel()
	for n, wantRequests := range map[int]int{0: 1, 1: 1, 2: 1, 3: 2, 5: 3} {
		server := newFake().on(viewsRoute, pagedViews(n))
		c := client(t, base, tableau.Options{Transport: server})
		var ids []string
		for v, err := range c.AllViews(t.Context(), session(base)) {
			if err != nil {
				t.Fatalf("%d views: %v", n, err)
			}
			ids = append(ids, v.ID)
		}
		if len(ids) != n || !slices.IsSorted(ids) {
			t.Errorf("%d views: got %q", n, ids)
		}
		if got := len(server.requests()); got != wantRequests {
			t.Errorf("%d views: %d requests, want %d", n, got, wantRequests)
		}
	}

	server := newFake().on(viewsRoute, pagedViews(9))
	for range client(t, base, tableau.Options{Transport: server}).AllViews(t.Context(), session(base)) {
		break
	}
	if n := len(server.requests()); n != 1 {
		t.Errorf("stopped after the first view: %d requests, want 1", n)
	}

	calls := 0
	for _, err := range client(t, base, tableau.Options{Transport: newFake().on(viewsRoute, failure(401, "401002", "", ""))}).AllViews(t.Context(), session(base)) {
		calls++
		if asError(t, err).Cause != tableau.SessionEnded {
			t.Errorf("error = %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls after an error, want 1", calls)
	}
}

// A server that never comes to an end is left.
func TestAllViewsEnds(t *testing.T) {
	t.Parallel()
	var last error
	n := 0
	c := client(t, base, tableau.Options{Transport: newFake().on(viewsRoute, answerJSON(200, `{"pagination":{"pageSize":"1","totalAvailable":"999999999"},"views":[`+overview+`]}`))})
	for _, err := range c.AllViews(t.Context(), session(base)) {
		n++
		last = err
	}
	if e := asError(t, last); e.Cause != tableau.TooLarge || n > 10_000 {
		t.Errorf("after %d views: %v", n, e)
	}
}

// byFilter answers the views route by the filter that is asked for.
func byFilter(answers map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		handler, ok := answers[r.URL.Query().Get("filter")]
		if !ok {
			handler = failure(400, "400065", "Bad Request", "The filter query contains a key which is not recognized for this api version.")
		}
		handler(w, r)
	}
}

func listed(views ...string) http.HandlerFunc {
	return answerJSON(200, fmt.Sprintf(`{"pagination":{"pageNumber":"1","pageSize":"1000","totalAvailable":"%d"},"views":{"view":[%s]}}`, len(views), strings.Join(views, ",")))
}

func TestFindView(t *testing.T) {
	t.Parallel()
	const (
		bare        = `{"id":"v1","name":"Overview","contentUrl":"Superstore/sheets/Overview","viewUrlName":"Overview","updatedAt":"2026-01-05T03:04:05Z","sheetType":"dashboard"}`
		book        = `{"workbook":{"id":"w1","name":"Super store","contentUrl":"Superstore","project":{"id":"p1","name":"Samples"}}}`
		other       = `{"id":"v2","name":"Overview","contentUrl":"Other/sheets/Overview"}`
		byKey       = "GET /api/3.27/sites/site-1/workbooks/Superstore"
		workbooks   = "GET /api/3.27/sites/site-1/workbooks"
		viewsOfBook = "GET /api/3.27/sites/site-1/workbooks/w1/views"
		byContent   = "contentUrl:eq:Superstore/sheets/Overview"
		byName      = "viewUrlName:eq:Overview"
	)
	noBook := failure(404, "404006", "Resource Not Found", "Workbook could not be found.")
	tests := []struct {
		name    string
		server  *fake
		ask     string // content URL; "" means Superstore/sheets/Overview
		want    tableau.Cause
		maximum int // requests
	}{
		{"by content url", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byContent: listed(overview)})), "", "", 1},
		{"without /sheets/", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byContent: listed(overview)})), "Superstore/Overview", "", 1},
		{"the filter is not known", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byName: listed(other, overview)})), "", "", 2},
		{"the filter is broken and finds nothing", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byContent: listed()})).
			on(byKey, answerJSON(200, book)).on(viewsOfBook, answerJSON(200, `{"views":{"view":[`+other+`,`+bare+`]}}`)), "", "", 3},
		{"the filter ignores its value", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byContent: listed(other)})).
			on(byKey, answerJSON(200, book)).on(viewsOfBook, answerJSON(200, `{"views":[`+bare+`]}`)), "", "", 3},
		{"no filter is known", newFake().on(viewsRoute, byFilter(nil)).
			on(byKey, answerJSON(200, book)).on(viewsOfBook, answerJSON(200, `{"views":`+bare+`}`)), "", "", 4},
		{"the key is not known either", newFake().on(viewsRoute, byFilter(nil)).on(byKey, noBook).
			on(workbooks, answerJSON(200, `{"workbooks":{"workbook":[{"id":"w0","contentUrl":"X"},`+strings.TrimSuffix(strings.TrimPrefix(book, `{"workbook":`), "}")+`]}}`)).
			on(viewsOfBook, answerJSON(200, `{"views":{"view":[`+bare+`]}}`)), "", "", 5},
		{"nothing is known but the list", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{"": listed(other, overview)})).
			on(byKey, noBook).on(workbooks, failure(400, "400065", "Bad Request", "")), "", "", 5},
		{"in other letters", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{"contentUrl:eq:superstore/sheets/overview": listed(overview)})), "superstore/sheets/overview", "", 1},
		{"not there", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byContent: listed()})).
			on(byKey, noBook).on(workbooks, answerJSON(200, `{"workbooks":{}}`)), "", tableau.ViewNotFound, 3},
		{"workbook without the view", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byContent: listed()})).
			on(byKey, answerJSON(200, book)).on(viewsOfBook, answerJSON(200, `{"views":{"view":[`+other+`]}}`)), "", tableau.ViewNotFound, 3},
		{"not there, by the list", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{"": listed(other)})).
			on(byKey, noBook).on(workbooks, failure(400, "400065", "Bad Request", "")), "", tableau.ViewNotFound, 5},
		{"no content url", newFake(), "Superstore", tableau.ViewNotFound, 0},
		{"session ended", newFake().on(viewsRoute, failure(401, "401002", "", "")), "", tableau.SessionEnded, 1},
		{"session ended later", newFake().on(viewsRoute, byFilter(nil)).on(byKey, failure(401, "401002", "", "")), "", tableau.SessionEnded, 3},
		{"server failing", newFake().on(viewsRoute, answer(502, "text/html", htmlPage)), "", tableau.ServerError, 1},
		{"not permitted", newFake().on(viewsRoute, byFilter(map[string]http.HandlerFunc{byContent: listed()})).on(byKey, failure(403, "403018", "", "")), "", tableau.NotPermitted, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ask := tt.ask
			if ask == "" {
				ask = "Superstore/sheets/Overview"
			}
			got, err := client(t, base, tableau.Options{Transport: tt.server}).FindView(t.Context(), session(base), ask)
			if tt.want == "" {
				if diff := cmp.Diff(overviewWant, got); err != nil || diff != "" {
					t.Errorf("FindView: %v (-want +got):\n%s", err, diff)
				}
			} else if e := asError(t, err); e.Cause != tt.want {
				t.Errorf("error = %v, want %q", e, tt.want)
			}
			if n := len(tt.server.requests()); n > tt.maximum {
				t.Errorf("%d requests, want at most %d: %q", n, tt.maximum, tt.server.paths())
			}
		})
	}
}

// A name with characters that no filter can hold is looked up in another way.
func TestFindViewWithReservedCharacters(t *testing.T) {
	t.Parallel()
	server := newFake().
		on("GET /api/3.27/sites/site-1/workbooks/R&D, äöü", answerJSON(200, `{"workbook":{"id":"w1","contentUrl":"R&D, äöü"}}`)).
		on("GET /api/3.27/sites/site-1/workbooks/w1/views", answerJSON(200, `{"views":{"view":[{"id":"v1","contentUrl":"R&D, äöü/sheets/Ü"}]}}`))
	got, err := client(t, base, tableau.Options{Transport: server}).FindView(t.Context(), session(base), "R&D, äöü/sheets/Ü")
	if err != nil || got.ID != "v1" {
		t.Fatalf("FindView = %+v, %v", got, err)
	}
	if want := "GET /api/3.27/sites/site-1/workbooks/R&D%2C%20%C3%A4%C3%B6%C3%BC?key=contentUrl"; server.paths()[0] != want {
		t.Errorf("request = %q, want %q", server.paths()[0], want)
	}
}

// Servers before 2020.1 do not find the parts of a filter whose colons are
// percent-encoded.
func TestFiltersOfOldServers(t *testing.T) {
	t.Parallel()
	var asked []string
	raw := func(found http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.RawQuery)
			if strings.Contains(r.URL.RawQuery, "%3A") {
				failure(400, "400065", "Bad Request", "The filter query is missing a value for key 'name'.")(w, r)
				return
			}
			found(w, r)
		}
	}
	server := newFake().
		on("GET /api/3.6/sites/site-1/views", raw(listed(`{"id":"v1","contentUrl":"Wb/sheets/Übersicht"}`))).
		on("GET /api/3.6/sites/site-1/workbooks", raw(answerJSON(200, `{"workbooks":{"workbook":[{"id":"w1","contentUrl":"Wb"}]}}`)))
	c := client(t, base, tableau.Options{Transport: server})
	s := session(base)
	s.APIVersion = "3.6"
	if view, err := c.FindView(t.Context(), s, "Wb/Übersicht"); err != nil || view.ID != "v1" || len(asked) != 1 {
		t.Errorf("FindView = %+v, %v, asked %q", view, err, asked)
	}
	if want := "filter=contentUrl:eq:Wb/sheets/%C3%9Cbersicht"; !strings.Contains(asked[0], want) {
		t.Errorf("query = %q, want %q in it", asked[0], want)
	}
	if book, err := c.FindWorkbook(t.Context(), s, "Wb"); err != nil || book.ID != "w1" || len(asked) != 2 {
		t.Errorf("FindWorkbook = %+v, %v, asked %q", book, err, asked)
	}
}

func TestPreviewImage(t *testing.T) {
	t.Parallel()
	const route = "GET /api/3.27/sites/site-1/workbooks/w1/views/v1/previewImage"
	server := newFake().on(route, answer(200, "image/png", "\x89PNG..."))
	c := client(t, base, tableau.Options{Transport: server})
	var out bytes.Buffer
	if err := c.PreviewImage(t.Context(), session(base), "w1", "v1", &out); err != nil || out.String() != "\x89PNG..." {
		t.Errorf("PreviewImage = %q, %v", out.String(), err)
	}

	out.Reset()
	server.on(route, html)
	if err := c.PreviewImage(t.Context(), session(base), "w1", "v1", &out); asError(t, err).Cause != tableau.NotTableau || out.Len() != 0 {
		t.Errorf("a page: %v, written %q", err, out.String())
	}
	server.on(route, answer(200, "image/png", strings.Repeat("x", 16<<20+1)))
	if err := c.PreviewImage(t.Context(), session(base), "w1", "v1", &out); asError(t, err).Cause != tableau.TooLarge {
		t.Errorf("too large: %v", err)
	}
}
