package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/httpapi/mailview/parse"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
)

// canary is a secret that must not be seen anywhere.
const canary = "cAnArY-5f3a9e"

var now = time.Date(2026, time.November, 23, 8, 30, 0, 0, time.UTC)

// world is an API with everything behind it in memory.
type world struct {
	http.Handler
	connections  *connections
	reports      *report.Service
	runs         *runs
	destinations *deliver.Destinations
	requests     *requests
	outbox       *outbox
	log          *syncBuffer
}

func newWorld(t testing.TB, change ...func(*httpapi.Deps)) *world {
	t.Helper()
	ids := 0
	var mu sync.Mutex
	newID := func() string {
		mu.Lock()
		defer mu.Unlock()
		ids++
		return fmt.Sprintf("ID%04d", ids)
	}
	clock := func() time.Time { return now }
	w := &world{
		connections: &connections{rows: map[string]connection.Connection{}},
		runs:        &runs{rows: map[string]run.Run{}, deliveries: map[string][]run.Delivery{}, files: map[string]string{}},
		requests:    &requests{claims: map[string][2]string{}},
		outbox:      &outbox{mails: fstest.MapFS{}},
		log:         &syncBuffer{},
	}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	used := func(id string) bool {
		reports, _, err := w.reports.List(context.Background(), "", "", 1000)
		if err != nil {
			t.Error(err)
		}
		return slices.ContainsFunc(reports, func(r report.Report) bool {
			return slices.ContainsFunc(r.Destinations, func(d report.Destination) bool { return d.DestinationID == id })
		})
	}
	w.destinations = &deliver.Destinations{Store: destinationStore{&table[deliver.Destination]{what: "destination", rows: map[string]deliver.Destination{}}, used},
		Vault: vault{}, Poster: &poster{}, Now: clock, NewID: newID, Log: log}
	w.reports = &report.Service{Store: reportStore{&table[report.Report]{what: "report", rows: map[string]report.Report{}}},
		Connections: w.connections, Destinations: w.destinations, Runs: w.runs, Now: clock}
	deps := httpapi.Deps{
		Connections: w.connections, Reports: w.reports, Runs: w.runs, Destinations: w.destinations, Requests: w.requests, Outbox: w.outbox, ReadMail: parse.Mail,
		Authenticate: httpapi.BearerToken(secret.New("operator-token")),
		Installation: httpapi.Installation{Mode: "local", Mail: "outbox", TimeZone: "UTC"},
		Now:          clock, NewID: newID, Log: log, Version: "test",
	}
	w.connections.uses = func(id string) int {
		used, _, err := w.reports.List(context.Background(), id, "", 1000)
		if err != nil {
			t.Error(err)
		}
		return len(used)
	}
	for _, c := range change {
		c(&deps)
	}
	w.Handler = httpapi.New(deps)
	return w
}

// answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	t testing.TB
}

// call sends a request as the operator, and holds the answer against the
// published description. Headers are given as name and value.
func (w *world) call(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	a := w.send(t, method, path, body, headers...)
	described, err := published()
	if err != nil {
		t.Fatal(err)
	}
	if err := described.check(method, path, a.Result()); err != nil {
		t.Errorf("%s %s is not answered as /openapi.json says: %v\n%s", method, path, err, a.Body)
	}
	return a
}

// send is call for what no description has: a failure that the test made up.
func (w *world) send(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer operator-token")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	return answer{recorder, t}
}

// pages reads a list to its end, and gives a member of each of its rows and how
// many pages they came in.
func (w *world) pages(t testing.TB, path, rows, member string) (got []string, pages int) {
	t.Helper()
	for next := ""; ; {
		list := w.call(t, "GET", path+next, "").want(200).object()
		pages++
		for _, row := range list[rows].([]any) {
			got = append(got, row.(map[string]any)[member].(string))
		}
		cursor, more := list["next_cursor"].(string)
		if !more {
			return got, pages
		}
		next = "&cursor=" + cursor
	}
}

// want checks the status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("status %d, want %d; body: %s", a.Code, status, a.Body)
	}
	return a
}

// into decodes the body.
func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), v); err != nil {
		a.t.Fatalf("the body is no JSON: %v\n%s", err, a.Body)
	}
}

// object decodes the body as an object.
func (a answer) object() map[string]any {
	a.t.Helper()
	var o map[string]any
	a.into(&o)
	return o
}

// trouble is the body of an error.
type trouble struct {
	Type, Title, Detail, Code string
	Status                    int
	Errors                    []struct{ Field, Message string }
	Causes                    []struct{ Code, Message, Remedy string }
	Reports                   []struct{ ID, Name string }
	ReportCount               int    `json:"report_count"`
	RequestID                 string `json:"request_id"`
}

func (a answer) trouble() trouble {
	a.t.Helper()
	if got := a.Header().Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("content type %q, want application/problem+json", got)
	}
	var p trouble
	a.into(&p)
	return p
}

func (p trouble) fields() []string {
	var names []string
	for _, f := range p.Errors {
		names = append(names, f.Field)
	}
	slices.Sort(names)
	return names
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
