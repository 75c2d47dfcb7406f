package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau"
)

const (
	dueReports = 1000
	tickRounds = 3
)

// tick measures whether a tick's work grows with what is due or with what
// exists: 1,000 due among 1,000,000 over 1,000 due among 10,000, the medians of
// several ticks each, taken in turn.
func tick(ctx context.Context, b bench) (_ []figure, err error) {
	few, err := newTickBench(ctx, b, "few", 10_000)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, few.v.Close()) }()
	many, err := newTickBench(ctx, b, "many", 1_000_000)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, many.v.Close()) }()

	var ofFew, ofMany []time.Duration
	over := 0
	for range tickRounds {
		for _, side := range []struct {
			bench *tickBench
			times *[]time.Duration
		}{{few, &ofFew}, {many, &ofMany}} {
			took, returned, err := side.bench.tick(ctx)
			if err != nil {
				return nil, err
			}
			*side.times = append(*side.times, took)
			over = max(over, returned-dueReports)
		}
	}
	return []figure{
		{"tick_ratio", median(ofMany).Seconds() / median(ofFew).Seconds(), "ratio", 3},
		{"tick_rows_over_due", float64(over), "rows", 0},
	}, nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// tickBench is an installation in which 1,000 reports fall due each time that
// its clock is moved on.
type tickBench struct {
	v   *standalone.Vizpost
	now time.Time
}

func newTickBench(ctx context.Context, b bench, name string, reports int) (*tickBench, error) {
	t := &tickBench{now: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}
	b.dir = filepath.Join(b.dir, name)
	var err error
	if t.v, err = b.open(ctx, func() time.Time { return t.now }); err != nil {
		return nil, err
	}
	c := connection.Connection{ID: t.v.NewID(), Name: "Site", ServerURL: "https://tableau.example.com", State: connection.Connected,
		Fingerprint: "none", CredentialVersion: "none", CreatedAt: t.now, UpdatedAt: t.now}
	err = t.v.Store.CreateConnection(ctx, c, nil)
	if err == nil {
		err = t.v.Store.InsertReports(ctx, t.reports(c.ID, reports))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storing %d reports: %w", reports, err), t.v.Close())
	}
	return t, nil
}

// reports gives reports of which 1,000 run hourly and the others once a year.
func (t *tickBench) reports(connectionID string, n int) iter.Seq[report.Report] {
	return func(yield func(report.Report) bool) {
		for i := range n {
			r := report.Report{
				ID: t.v.NewID(), Name: fmt.Sprintf("Report %d", i), ConnectionID: connectionID, Enabled: true,
				Content:      []report.Content{{View: "Superstore/sheets/Overview", Format: tableau.PDF, MaxAgeMinutes: 1}},
				Schedule:     &report.Schedule{Cron: "0 9 24 12 *", TimeZone: "UTC"},
				Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{"reader@example.com"}}},
				NextRunAt:    time.Date(2026, 12, 24, 9, 0, 0, 0, time.UTC),
				Version:      1, CreatedAt: t.now, UpdatedAt: t.now,
			}
			if i%(n/dueReports) == 0 {
				r.Schedule.Cron, r.NextRunAt = "0 * * * *", t.now.Add(time.Hour)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// tick moves the clock on by an hour and makes one tick.
func (t *tickBench) tick(ctx context.Context) (took time.Duration, returned int, err error) {
	t.now = t.now.Add(time.Hour)
	begun := time.Now()
	tally, err := t.v.Tick.Run(ctx)
	took = time.Since(begun)
	if err == nil && tally.Runs != dueReports {
		err = fmt.Errorf("the tick made %d runs of %d due reports", tally.Runs, dueReports)
	}
	return took, tally.Due, err
}
