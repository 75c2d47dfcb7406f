package report_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/tableau"
)

// office is a report service with everything behind it in memory.
type office struct {
	*report.Service
	store    *shelf
	views    *site
	skipped  []string // report ids
	skipFail error
	clock    time.Time
}

func newOffice() *office {
	o := &office{clock: time.Date(2026, time.November, 23, 8, 30, 0, 0, time.UTC)} // a Monday
	o.store = &shelf{rows: map[string]report.Report{}}
	o.views = &site{}
	o.Service = &report.Service{Store: o.store, Connections: o.views, Destinations: named{"HOOK": "slack", "FTP": "sftp"}, Runs: o,
		Now: func() time.Time { return o.clock }}
	return o
}

func (o *office) SkipQueued(_ context.Context, reportID, _ string) error {
	o.skipped = append(o.skipped, reportID)
	return o.skipFail
}

// shelf keeps reports. before is called ahead of each write, once.
type shelf struct {
	rows   map[string]report.Report
	before func()
}

func (s *shelf) interrupt() {
	if f := s.before; f != nil {
		s.before = nil
		f()
	}
}

func (s *shelf) CreateReport(_ context.Context, r report.Report) error {
	if _, ok := s.rows[r.ID]; ok {
		return problem.Changed("report")
	}
	r.Rev = 1
	s.rows[r.ID] = r.Clone()
	return nil
}

func (s *shelf) Report(_ context.Context, id string) (report.Report, error) {
	r, ok := s.rows[id]
	if !ok {
		return r, problem.Missing("report", id)
	}
	return r.Clone(), nil
}

func (s *shelf) Reports(_ context.Context, connectionID, after string, limit int) ([]report.Report, string, error) {
	var out []report.Report
	for _, id := range slices.Sorted(maps.Keys(s.rows)) {
		if r := s.rows[id]; id > after && (connectionID == "" || r.ConnectionID == connectionID) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, "", nil
}

func (s *shelf) UpdateReport(_ context.Context, r report.Report) error {
	s.interrupt()
	if s.rows[r.ID].Rev != r.Rev {
		return problem.Changed("report")
	}
	r.Rev++
	s.rows[r.ID] = r.Clone()
	return nil
}

func (s *shelf) DeleteReport(_ context.Context, id string, rev int64) error {
	s.interrupt()
	if s.rows[id].Rev != rev {
		return problem.Changed("report")
	}
	delete(s.rows, id)
	return nil
}

// touch is a write by the machine: only the revision moves.
func (s *shelf) touch(id string) {
	r := s.rows[id]
	r.Rev++
	s.rows[id] = r
}

// site has a few views, and may be out of reach.
type site struct {
	asked   int
	fail    error
	version string // of the server's REST API; "" for the newest
}

func (s *site) Resolve(_ context.Context, connectionID, pasted string) (tableau.Target, tableau.Address, error) {
	s.asked++
	if s.fail != nil {
		return tableau.Target{}, tableau.Address{}, s.fail
	}
	if connectionID == "GONE" {
		return tableau.Target{}, tableau.Address{}, problem.Missing("connection", connectionID)
	}
	address, err := tableau.ParseAddress(pasted)
	if err != nil {
		return tableau.Target{}, tableau.Address{}, err
	}
	if address.WorkbookContentURL != "Superstore" {
		return tableau.Target{}, tableau.Address{}, problem.InvalidField("view", "There is no such view.")
	}
	if address.ContentURL == "" {
		return tableau.Target{Workbook: tableau.Workbook{ID: "luid-Superstore", Name: "Superstore", ContentURL: "Superstore", WebpageURL: "https://tableau.test/#/workbooks/7"}}, address, nil
	}
	name := strings.TrimPrefix(address.ContentURL, "Superstore/sheets/")
	target := tableau.Target{View: tableau.View{ID: "luid-" + name, Name: name, ContentURL: address.ContentURL,
		WorkbookID: "luid-Superstore", WorkbookName: "Superstore", WorkbookContentURL: "Superstore"}}
	if address.CustomView != "" {
		target.CustomView = tableau.CustomView{ID: address.CustomView, Name: "West only", ViewID: target.View.ID}
	}
	return target, address, nil
}

// Supports goes by the version of the site's server.
func (s *site) Supports(_ context.Context, _ string, r tableau.ExportRequest) error {
	if s.version == "" {
		return r.SupportedBy("3.29", "2026.2.0")
	}
	return r.SupportedBy(s.version, "")
}

// named are destinations by id, with their types.
type named map[string]string

func (n named) Get(_ context.Context, id string) (deliver.Destination, error) {
	kind, ok := n[id]
	if !ok {
		return deliver.Destination{}, problem.Missing("destination", id)
	}
	return deliver.Destination{ID: id, Type: kind}, nil
}

// morning is a report that nothing is wrong with.
func morning() report.Report {
	return report.Report{
		Name: "Morning numbers", ConnectionID: "C1", Enabled: true,
		Content:      []report.Content{{View: "Superstore/sheets/Overview", Format: tableau.PDF}},
		Schedule:     &report.Schedule{Cron: "0 9 * * MON-FRI", TimeZone: "Europe/Berlin"},
		Destinations: []report.Destination{{Type: report.Email, To: []string{"a@example.com"}}},
	}
}

// fieldsOf gives the names of the wrong fields, sorted.
func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	p, ok := problem.From(err)
	if !ok || p.Kind != problem.Invalid {
		t.Fatalf("the error is %v, not one of wrong fields", err)
	}
	var names []string
	for _, f := range p.Fields {
		if f.Message == "" {
			t.Errorf("nothing is said of %s", f.Name)
		}
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}
