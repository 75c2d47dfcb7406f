package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// connections accepts each credential whose secret is not "wrong".
type connections struct {
	mu      sync.Mutex
	rows    map[string]connection.Connection
	signIns int
	fail    error               // of every call that waits for Tableau
	storing error               // of every write
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

func (c *connections) Edit(ctx context.Context, id string, e connection.Edit) (connection.Connection, error) {
	if c.storing != nil {
		return connection.Connection{}, c.storing
	}
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
	if c.storing != nil {
		return c.storing
	}
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

func (c *connections) Supports(ctx context.Context, id string, r tableau.ExportRequest) error {
	row, err := c.Get(ctx, id)
	if err != nil {
		return err
	}
	return r.SupportedBy(row.Server.RESTAPIVersion, row.Server.ProductVersion)
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
