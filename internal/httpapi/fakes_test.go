package httpapi_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
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
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
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

func newWorld(t *testing.T, change ...func(*httpapi.Deps)) *world {
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
	w.destinations = &deliver.Destinations{Store: destinationStore{&table[deliver.Destination]{what: "destination", rows: map[string]deliver.Destination{}}},
		Vault: vault{}, Poster: &poster{}, Now: clock, NewID: newID, Log: log}
	w.reports = &report.Service{Store: reportStore{&table[report.Report]{what: "report", rows: map[string]report.Report{}}},
		Connections: w.connections, Destinations: w.destinations, Runs: w.runs, Now: clock}
	deps := httpapi.Deps{
		Connections: w.connections, Reports: w.reports, Runs: w.runs, Destinations: w.destinations, Requests: w.requests, Outbox: w.outbox, ReadMail: parse.Mail,
		Authenticate: httpapi.BearerToken(secret.New("operator-token")),
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
	t *testing.T
}

// call sends a request as the operator. Headers are given as name and value.
func (w *world) call(t *testing.T, method, path, body string, headers ...string) answer {
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

// connections accepts each credential whose secret is not "wrong".
type connections struct {
	mu      sync.Mutex
	rows    map[string]connection.Connection
	signIns int
	fail    error               // of every call that waits for Tableau
	block   bool                // such a call waits until its context ends
	preview []byte              // what Preview writes
	lastSet connection.Settings // of the last Create or TestSettings

	uses     func(id string) int // how many reports use a connection
	events   map[string][]connection.Event
	listings int    // of views
	person   string // who called Create, as its context has it
}

func (c *connections) begin(ctx context.Context) error {
	if c.block {
		<-ctx.Done()
		return fmt.Errorf("waiting for Tableau: %w", ctx.Err())
	}
	return c.fail
}

func (c *connections) try(in tableau.Credential) error {
	c.signIns++
	if in.Secret.Reveal() == "wrong" {
		return &tableau.Error{Op: "sign in", Status: 401, Code: "401001", Cause: tableau.CredentialsRejected}
	}
	return nil
}

func (c *connections) Create(ctx context.Context, id string, in connection.Settings) (connection.Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastSet, c.person = in, connection.PersonOf(ctx)
	if err := c.begin(ctx); err != nil {
		return connection.Connection{}, err
	}
	wrong := in.Wrong
	if in.Name == "" {
		wrong.Add("name", "is missing")
	}
	if len(in.Name) > 200 {
		wrong.Add("name", "is too long")
	}
	if err := wrong.Err(); err != nil {
		return connection.Connection{}, err
	}
	if err := c.try(in.Credential); err != nil {
		return connection.Connection{}, err
	}
	if _, ok := c.rows[id]; ok {
		return connection.Connection{}, problem.New(problem.Stale, problem.CodeStale, "exists")
	}
	row := connection.Connection{
		ID: id, Name: in.Name, ServerURL: in.ServerURL, Site: in.Site, State: connection.Connected, Notify: in.Notify,
		Auth:      connection.Auth{Method: in.Credential.Method, TokenName: in.Credential.TokenName, Username: in.Credential.Username},
		Identity:  connection.Identity{SiteID: "site-1", UserID: "user-1", UserName: "ana"},
		Server:    connection.Server{ProductVersion: "2026.2.0", RESTAPIVersion: "3.29"},
		TokenLife: connection.TokenLife{ExpiresAt: in.ExpiresAt, Source: connection.ExpiryEntered, LastUsedAt: now},
		Version:   1, CreatedAt: now, UpdatedAt: now,
	}
	if in.ExpiresAt.IsZero() {
		row.TokenLife.Source = connection.ExpiryUnknown
	}
	c.rows[id] = row
	return row, nil
}

func (c *connections) Get(_ context.Context, id string) (connection.Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.rows[id]
	if !ok {
		return row, problem.Missing("connection", id)
	}
	return row, nil
}

func (c *connections) List(_ context.Context, after string, limit int) ([]connection.Connection, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return pageOf(c.rows, after, limit)
}

// pageOf gives rows in order of id.
func pageOf[T any](rows map[string]T, after string, limit int) ([]T, string, error) {
	var out []T
	next := ""
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		if id <= after {
			continue
		}
		if len(out) == limit {
			return out, next, nil
		}
		out, next = append(out, rows[id]), id
	}
	return out, "", nil
}

func (c *connections) Edit(ctx context.Context, id string, e connection.Edit) (connection.Connection, error) {
	row, err := c.Get(ctx, id)
	if err != nil {
		return row, err
	}
	if e.IfVersion != 0 && e.IfVersion != row.Version {
		return row, problem.Changed("connection")
	}
	if err := e.Wrong.Err(); err != nil {
		return row, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Credential != nil {
		if err := c.try(*e.Credential); err != nil {
			return row, err
		}
		row.Auth = connection.Auth{Method: e.Credential.Method, TokenName: e.Credential.TokenName, Username: e.Credential.Username}
	}
	if e.ExpiresAt != nil {
		row.TokenLife.ExpiresAt = *e.ExpiresAt
	}
	if e.Name != nil {
		row.Name = *e.Name
	}
	if e.Notify != nil {
		row.Notify = *e.Notify
	}
	row.Version++
	c.rows[id] = row
	return row, nil
}

func (c *connections) Delete(ctx context.Context, id string, ifVersion int64) error {
	row, err := c.Get(ctx, id)
	if err != nil {
		return err
	}
	if ifVersion != 0 && ifVersion != row.Version {
		return problem.Changed("connection")
	}
	if c.uses(id) > 0 {
		return problem.New(problem.Conflict, problem.CodeInUse, "Reports use this connection.")
	}
	delete(c.rows, id)
	return nil
}

func (c *connections) TestSettings(ctx context.Context, in connection.Settings) (connection.TestResult, error) {
	c.lastSet = in
	if err := c.begin(ctx); err != nil {
		return connection.TestResult{}, err
	}
	if err := in.Wrong.Err(); err != nil {
		return connection.TestResult{}, err
	}
	return connection.TestResult{Identity: connection.Identity{UserName: "ana"}}, c.try(in.Credential)
}

func (c *connections) Test(ctx context.Context, id string) (connection.TestResult, error) {
	if err := c.begin(ctx); err != nil {
		return connection.TestResult{}, err
	}
	row, err := c.Get(ctx, id)
	return connection.TestResult{Auth: row.Auth, Identity: row.Identity, Server: row.Server, TokenLife: row.TokenLife}, err
}

func (c *connections) Views(ctx context.Context, _, search string) ([]tableau.View, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	all := []tableau.View{
		{ID: "view-1", Name: "Overview", ContentURL: "Superstore/sheets/Overview", WorkbookID: "workbook-1", WorkbookName: "Superstore", WorkbookContentURL: "Superstore", ProjectName: "Samples", SheetType: "dashboard"},
		{ID: "view-2", Name: "Product", ContentURL: "Superstore/sheets/Product", WorkbookName: "Superstore", ProjectName: "Samples"},
		{ID: "view-3", Name: "Secret plan", ContentURL: "Plan/sheets/Plan", WorkbookName: "Plan", ProjectName: "Board"},
	}
	return slices.DeleteFunc(all, func(v tableau.View) bool { return !strings.Contains(v.Name, search) }), nil
}

func (c *connections) Preview(_ context.Context, _, viewID string, w io.Writer) error {
	if viewID != "view-1" {
		return &tableau.Error{Op: "read preview", Status: 404, Cause: tableau.ViewNotFound}
	}
	_, err := w.Write(c.preview)
	return err
}

func (c *connections) Resolve(ctx context.Context, id, pasted string) (tableau.Target, tableau.Address, error) {
	if _, err := c.Get(ctx, id); err != nil {
		return tableau.Target{}, tableau.Address{}, err
	}
	address, err := tableau.ParseAddress(pasted)
	if err != nil {
		return tableau.Target{}, tableau.Address{}, err
	}
	if address.WorkbookContentURL == "Superstore" && address.ContentURL == "" {
		return tableau.Target{Workbook: tableau.Workbook{ID: "workbook-1", Name: "Superstore", ContentURL: "Superstore"}}, address, nil
	}
	views, _ := c.Views(ctx, id, "")
	for _, v := range views {
		if v.ContentURL != address.ContentURL || v.ID == "view-3" {
			continue
		}
		target := tableau.Target{View: v}
		if address.CustomView != "" {
			target.CustomView = tableau.CustomView{ID: address.CustomView, Name: "West only", ViewID: v.ID}
		}
		return target, address, nil
	}
	return tableau.Target{}, tableau.Address{}, problem.InvalidField("view", "This view does not exist on the connection's site.")
}

func (c *connections) SeeViews(ctx context.Context, id string, wanted []connection.Wanted) ([]connection.Seen, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.listings++
	c.mu.Unlock()
	var seen []connection.Seen
	for _, w := range wanted {
		if _, _, err := c.Resolve(ctx, id, w.ContentURL); err != nil {
			seen = append(seen, connection.Seen{Message: "ana cannot see this view."})
		} else {
			seen = append(seen, connection.Seen{Visible: true})
		}
	}
	return seen, nil
}

func (c *connections) ReportCounts(_ context.Context, ids []string) (map[string]int, error) {
	counts := map[string]int{}
	for _, id := range ids {
		if n := c.uses(id); n > 0 {
			counts[id] = n
		}
	}
	return counts, nil
}

func (c *connections) History(_ context.Context, id, after string, limit int) ([]connection.Event, string, error) {
	events, ok := c.events[id]
	if !ok {
		return nil, "", problem.Missing("connection", id)
	}
	start := 0
	if after != "" {
		start = 1 + slices.IndexFunc(events, func(e connection.Event) bool { return e.ID == after })
	}
	if len(events)-start > limit {
		return events[start : start+limit], events[start+limit-1].ID, nil
	}
	return events[start:], "", nil
}

// table keeps rows with an optimistic lock.
type table[T any] struct {
	mu   sync.Mutex
	what string
	rows map[string]T
}

func (s *table[T]) get(id string) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[id]
	if !ok {
		return row, problem.Missing(s.what, id)
	}
	return row, nil
}

func (s *table[T]) put(id string, row T, rev int64, revOf func(T) int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.rows[id]; ok && revOf(old) != rev || !ok && rev != 0 {
		return problem.Changed(s.what)
	}
	s.rows[id] = row
	return nil
}

type destinationStore struct{ *table[deliver.Destination] }

func (s destinationStore) CreateDestination(ctx context.Context, d deliver.Destination) error {
	return s.UpdateDestination(ctx, d)
}

func (s destinationStore) UpdateDestination(_ context.Context, d deliver.Destination) error {
	rev := d.Rev
	d.Rev++
	return s.put(d.ID, d, rev, func(d deliver.Destination) int64 { return d.Rev })
}

func (s destinationStore) Destination(_ context.Context, id string) (deliver.Destination, error) {
	return s.get(id)
}

func (s destinationStore) Destinations(_ context.Context, after string, limit int) ([]deliver.Destination, string, error) {
	return pageOf(s.rows, after, limit)
}

func (s destinationStore) DeleteDestination(_ context.Context, id string, _ int64) error {
	delete(s.rows, id)
	return nil
}

type reportStore struct{ *table[report.Report] }

func (s reportStore) CreateReport(ctx context.Context, r report.Report) error {
	return s.UpdateReport(ctx, r)
}

func (s reportStore) UpdateReport(_ context.Context, r report.Report) error {
	rev := r.Rev
	r.Rev++
	return s.put(r.ID, r.Clone(), rev, func(r report.Report) int64 { return r.Rev })
}

func (s reportStore) Report(_ context.Context, id string) (report.Report, error) { return s.get(id) }

func (s reportStore) Reports(_ context.Context, connectionID, after string, limit int) ([]report.Report, string, error) {
	rows := maps.Clone(s.rows)
	maps.DeleteFunc(rows, func(_ string, r report.Report) bool { return connectionID != "" && r.ConnectionID != connectionID })
	return pageOf(rows, after, limit)
}

func (s reportStore) DeleteReport(_ context.Context, id string, _ int64) error {
	delete(s.rows, id)
	return nil
}

type vault map[string][]byte

func (v vault) PutSecret(_ context.Context, owner, version string, value []byte) error {
	v[owner+"@"+version] = value
	return nil
}

func (v vault) Secret(_ context.Context, owner, version string) ([]byte, error) {
	value, ok := v[owner+"@"+version]
	if !ok {
		return nil, problem.Missing("secret", owner)
	}
	return value, nil
}

func (v vault) DropSecret(_ context.Context, owner, version string) error {
	delete(v, owner+"@"+version)
	return nil
}

func (v vault) RemoveSecret(_ context.Context, owner string) error {
	maps.DeleteFunc(v, func(key string, _ []byte) bool { return strings.HasPrefix(key, owner+"@") })
	return nil
}

// poster refuses addresses that end in "gone".
type poster struct{ posted int }

func (p *poster) Post(_ context.Context, webhook secret.Text, _ []byte) (deliver.Receipt, error) {
	p.posted++
	if strings.HasSuffix(webhook.Reveal(), "gone") {
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "The webhook was removed.", BreaksDestination: true}
	}
	return deliver.Receipt{}, nil
}

type runs struct {
	mu         sync.Mutex
	rows       map[string]run.Run
	deliveries map[string][]run.Delivery
	files      map[string]string // by object
	started    []run.Start
	skipped    []string
}

func (s *runs) Start(_ context.Context, reportID string, o run.Start) (run.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, o)
	if reportID == "missing" {
		return run.Run{}, problem.Missing("report", reportID)
	}
	id := fmt.Sprintf("RUN%04d", len(s.rows)+1)
	if o.Request != "" {
		id = "RUN-" + o.Request
	}
	r := run.Run{ID: id, ReportID: reportID, ReportName: "Morning numbers", ScheduledFor: now, Trigger: run.Manual, State: run.Queued,
		StandsFor: 1, OnlyTo: o.OnlyTo, DryRun: o.DryRun, CreatedAt: now, NotBefore: now}
	s.rows[id] = r
	return r, nil
}

func (s *runs) Retry(_ context.Context, runID string) (run.Run, error) {
	r, ok := s.rows[runID]
	if !ok {
		return r, problem.Missing("run", runID)
	}
	if r.State != run.Failed {
		return r, problem.New(problem.Conflict, problem.CodeConflict, "Only a run that failed can be tried again.")
	}
	r.State = run.Queued
	return r, nil
}

func (s *runs) Get(_ context.Context, id string) (run.Run, []run.Delivery, error) {
	r, ok := s.rows[id]
	if !ok {
		return r, nil, problem.Missing("run", id)
	}
	return r, s.deliveries[id], nil
}

func (s *runs) List(_ context.Context, f run.Filter, after string, limit int) ([]run.Run, string, error) {
	rows := slices.SortedFunc(maps.Values(s.rows), func(a, b run.Run) int { return cmp.Compare(b.ID, a.ID) })
	rows = slices.DeleteFunc(rows, func(r run.Run) bool {
		return after != "" && r.ID >= after || f.ReportID != "" && r.ReportID != f.ReportID ||
			f.ConnectionID != "" && r.ConnectionID != f.ConnectionID || len(f.States) > 0 && !slices.Contains(f.States, r.State)
	})
	if len(rows) > limit {
		return rows[:limit], rows[limit-1].ID, nil
	}
	return rows, "", nil
}

func (s *runs) Some(_ context.Context, ids []string) ([]run.Run, error) {
	var some []run.Run
	for _, id := range ids {
		if r, ok := s.rows[id]; ok {
			some = append(some, r)
		}
	}
	return some, nil
}

func (s *runs) HeldCount(_ context.Context, c connection.Connection) (int, error) {
	n := 0
	for _, r := range s.rows {
		if r.ConnectionID == c.ID && r.State == run.Held {
			n++
		}
	}
	return n, nil
}

func (s *runs) File(_ context.Context, runID, fileID string) (run.File, error) {
	for _, f := range s.rows[runID].Files {
		if f.ID == fileID {
			return f, nil
		}
	}
	return run.File{}, problem.Missing("file", fileID)
}

func (s *runs) OpenFile(_ context.Context, runID, fileID string) (run.File, io.ReadCloser, error) {
	for _, f := range s.rows[runID].Files {
		if f.ID == fileID {
			return f, io.NopCloser(strings.NewReader(s.files[f.Object])), nil
		}
	}
	return run.File{}, nil, problem.Missing("file", fileID)
}

func (s *runs) SkipQueued(_ context.Context, reportID, reason string) error {
	s.skipped = append(s.skipped, reportID+": "+reason)
	return nil
}

type requests struct{ claims map[string][2]string }

func (r *requests) ClaimRequest(_ context.Context, scope, key, digest, id string, _ time.Time) (string, error) {
	claim, ok := r.claims[scope+" "+key]
	if !ok {
		r.claims[scope+" "+key] = [2]string{digest, id}
		return id, nil
	}
	if claim[0] != digest {
		return "", problem.New(problem.Conflict, "idempotency_key_reused", "This key came with another request before.")
	}
	return claim[1], nil
}

type outbox struct{ mails fstest.MapFS }

func (o *outbox) List(context.Context) ([]fs.FileInfo, error) {
	entries, err := fs.ReadDir(o.mails, ".")
	var out []fs.FileInfo
	for _, e := range entries {
		info, infoErr := e.Info()
		err = errors.Join(err, infoErr)
		out = append(out, info)
	}
	return out, err
}

func (o *outbox) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := o.mails.Open(name)
	if err != nil {
		return nil, problem.Missing("mail", name)
	}
	return f, nil
}
