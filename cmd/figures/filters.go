package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau"
)

const (
	filteredReports = 200
	filteredSheets  = 10
	filteredValues  = filteredReports / filteredSheets
)

// filtered measures what it costs Tableau that filters are verified: 200 reports
// of ten worksheets, each with twenty filters, are made and run, with nothing
// remembered before. The calls are all but the sign-in: those while the reports
// are saved, too.
func filtered(ctx context.Context, b bench) ([]figure, error) {
	var out []figure
	for _, m := range []struct {
		name   string
		format tableau.Format
		limit  float64
	}{{"tableau_calls_per_filtered_png", tableau.PNG, 2.2}, {"tableau_calls_per_filtered_csv", tableau.CSV, 1.25}} {
		calls, err := b.filteredCalls(ctx, m.format)
		if err != nil {
			return out, fmt.Errorf("%s: %w", m.format, err)
		}
		out = append(out, figure{m.name, calls, "calls", m.limit})
	}
	return out, nil
}

func (b bench) filteredCalls(ctx context.Context, format tableau.Format) (_ float64, err error) {
	b.dir = filepath.Join(b.dir, string(format))
	server, err := b.standIn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	content, err := server.filteredContent(ctx, format)
	if err != nil {
		return 0, err
	}
	before, err := server.calls(ctx)
	if err != nil {
		return 0, err
	}

	var ahead atomic.Int64 // of the clock
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	v, err := b.open(ctx, now)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	c, err := v.Connections.Create(ctx, v.NewID(), connection.Settings{Name: "Site", ServerURL: server.url, Site: server.site,
		Credential: server.credential()})
	if err != nil {
		return 0, fmt.Errorf("making the connection: %w", err)
	}
	due := now().UTC().Truncate(time.Minute).Add(time.Hour)
	for i, item := range content {
		made, err := v.Reports.Create(ctx, v.NewID(), report.Report{
			Name: fmt.Sprintf("Report %d", i), ConnectionID: c.ID, Enabled: true, Content: []report.Content{item},
			Schedule:     &report.Schedule{Cron: fmt.Sprintf("%d %d * * *", due.Minute(), due.Hour()), TimeZone: "UTC"},
			Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{"reader@example.com"}}},
		})
		if err != nil {
			return 0, fmt.Errorf("making a report with the filters %v: %w", item.Filters, err)
		}
		if len(made.Warnings) > 0 {
			return 0, fmt.Errorf("making a report with the filters %v: %s", item.Filters, made.Warnings[0].Message)
		}
	}

	ahead.Store(int64(time.Until(due)))
	working, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { v.Run(working) })
	err = untilDelivered(ctx, v, filteredReports, 5*time.Minute)
	stop()
	group.Wait()
	if err != nil {
		return 0, err
	}
	if err := allVerified(ctx, v); err != nil {
		return 0, err
	}
	after, err := server.calls(ctx)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / filteredReports, nil
}

// calls counts what Tableau was asked for but sign-ins.
func (s tableauServer) calls(ctx context.Context) (int, error) {
	var stats struct {
		Total   int `json:"total"`
		SignIns int `json:"sign_ins"`
	}
	err := s.control(ctx, http.MethodGet, "/-/stats", nil, &stats)
	return stats.Total - stats.SignIns, err
}

// allVerified fails unless each file's filters were seen to be applied.
func allVerified(ctx context.Context, v *standalone.Vizpost) error {
	runs, _, err := v.Runs.List(ctx, run.Filter{States: []run.State{run.Delivered}}, "", 2*filteredReports)
	if err != nil {
		return fmt.Errorf("looking at the runs: %w", err)
	}
	for _, r := range runs {
		for _, f := range r.Files {
			if f.FilterVerdict != "applied" {
				return fmt.Errorf("the filters %v of %s are %q: %s", f.Filters, f.View, f.FilterVerdict, f.FilterEvidence)
			}
		}
	}
	return nil
}

// filteredContent gives the content of the reports: for each worksheet twenty
// filters on the columns that it has, of one value, of two, and of two fields.
func (s tableauServer) filteredContent(ctx context.Context, format tableau.Format) ([]report.Content, error) {
	policy := outbound.Policy{PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	client, err := assembly.Tableau{Policy: policy, Transport: outbound.NewTransport(policy), Now: time.Now}.Dial(s.url)
	if err != nil {
		return nil, err
	}
	session, err := client.SignIn(ctx, s.credential(), s.site)
	if err != nil {
		return nil, err
	}
	var content []report.Content
	for v, err := range client.AllViews(ctx, session) {
		if err != nil {
			return nil, err
		}
		if !v.IsWorksheet() || len(content) == filteredReports {
			continue
		}
		var out bytes.Buffer
		if _, err := client.Export(ctx, session, tableau.ExportRequest{ViewID: v.ID, Format: tableau.CSV}, &out); err != nil {
			return nil, err
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			return nil, err
		}
		filters := filtersOf(rows)
		if len(filters) < filteredValues {
			continue
		}
		for _, f := range filters[:filteredValues] {
			content = append(content, report.Content{View: v.ContentURL, Format: format, Filters: f})
		}
	}
	if len(content) < filteredReports {
		return nil, fmt.Errorf("there are filters for %d reports only", len(content))
	}
	return content, client.SignOut(ctx, session)
}

// dimensions are the columns that hold members of a field.
var dimensions = []string{"Region", "Category", "Sub-Category", "Segment", "Ship Mode", "Fiscal Quarter", "Month of Order Date", "Customer Name", "City"}

// filtersOf gives different filters on a worksheet's columns that leave a row:
// of each value, of two of a column, and of two columns.
func filtersOf(rows [][]string) []map[string][]string {
	var filters []map[string][]string
	var columns []int
	values := map[int][]string{}
	for i, name := range rows[0] {
		if !slices.Contains(dimensions, name) {
			continue
		}
		columns = append(columns, i)
		for _, row := range rows[1:] {
			if !slices.Contains(values[i], row[i]) {
				values[i] = append(values[i], row[i])
			}
		}
	}
	for _, i := range columns {
		for _, v := range values[i] {
			filters = append(filters, map[string][]string{rows[0][i]: {v}})
		}
	}
	for _, i := range columns {
		for a, v := range values[i] {
			for _, other := range values[i][a+1:] {
				filters = append(filters, map[string][]string{rows[0][i]: {v, other}})
			}
		}
	}
	for a, i := range columns {
		for _, j := range columns[a+1:] {
			var seen []string
			for _, row := range rows[1:] {
				if key := row[i] + "\n" + row[j]; !slices.Contains(seen, key) {
					seen = append(seen, key)
					filters = append(filters, map[string][]string{rows[0][i]: {row[i]}, rows[0][j]: {row[j]}})
				}
			}
		}
	}
	return filters
}
