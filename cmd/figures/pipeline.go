package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau"
)

const (
	pipelineReports = 200
	rendering       = time.Second

	// What no scheduler can beat: 200 views of one second, eight at a time.
	pipelineFloor = pipelineReports / run.DefaultExports * rendering
)

// pipeline measures 200 reports that fall due in the same minute on one
// connection: from the tick that finds them until the last is delivered. The
// calls are all that Tableau got, from the first sign-in on.
func pipeline(ctx context.Context, b bench) (_ []figure, err error) {
	server, err := b.standIn(ctx, "--latency", rendering.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	var ahead atomic.Int64 // of the clock
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	v, err := b.open(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()

	c, err := v.Connections.Create(ctx, v.NewID(), connection.Settings{Name: "Site", ServerURL: server.url, Site: server.site,
		Credential: server.credential()})
	if err != nil {
		return nil, fmt.Errorf("making the connection: %w", err)
	}
	due := now().UTC().Truncate(time.Minute).Add(time.Hour)
	for i := range pipelineReports {
		_, err := v.Reports.Create(ctx, v.NewID(), report.Report{
			Name: fmt.Sprintf("Report %d", i), ConnectionID: c.ID, Enabled: true,
			Content:  []report.Content{{View: "Superstore/sheets/Overview", Format: tableau.PNG}},
			Schedule: &report.Schedule{Cron: fmt.Sprintf("%d %d * * *", due.Minute(), due.Hour()), TimeZone: "UTC"},
			Destinations: []report.Destination{
				{ID: "mail", Type: report.Email, To: []string{fmt.Sprintf("reader%d@example.com", i)}},
			},
		})
		if err != nil {
			return nil, fmt.Errorf("making a report: %w", err)
		}
	}

	ahead.Store(int64(time.Until(due)))
	working, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	begun := time.Now()
	group.Go(func() { v.Run(working) })
	err = untilDelivered(ctx, v, pipelineReports, 3*pipelineFloor)
	took := time.Since(begun)
	stop()
	group.Wait()
	if err != nil {
		return nil, err
	}
	var stats struct {
		Total   int `json:"total"`
		SignIns int `json:"sign_ins"`
	}
	if err := server.control(ctx, http.MethodGet, "/-/stats", nil, &stats); err != nil {
		return nil, err
	}
	if stats.SignIns != 1 {
		return nil, fmt.Errorf("there were %d sign-ins instead of one", stats.SignIns)
	}
	return []figure{
		{"pipeline_ratio", took.Seconds() / pipelineFloor.Seconds(), "ratio", 1.10},
		{"tableau_calls_per_report", float64(stats.Total) / pipelineReports, "calls", 1.02},
	}, nil
}

// untilDelivered waits until as many runs are delivered, and fails when one
// ends otherwise.
func untilDelivered(ctx context.Context, v *standalone.Vizpost, runs int, patience time.Duration) error {
	return untilEnded(ctx, v, run.Delivered, runs, patience)
}

// untilEnded waits until as many runs have ended in a state, and fails when one
// ends otherwise.
func untilEnded(ctx context.Context, v *standalone.Vizpost, as run.State, runs int, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		others := slices.DeleteFunc([]run.State{run.Delivered, run.Failed, run.PartlyDelivered, run.Skipped, run.Held}, func(s run.State) bool { return s == as })
		bad, _, err := v.Runs.List(ctx, run.Filter{States: others}, "", 1)
		if err != nil {
			return fmt.Errorf("looking at the runs: %w", err)
		}
		if len(bad) > 0 {
			return fmt.Errorf("run %s is %s: %s", bad[0].ID, bad[0].State, bad[0].Reason)
		}
		done, after := 0, ""
		for {
			page, next, err := v.Runs.List(ctx, run.Filter{States: []run.State{as}}, after, 200)
			if err != nil {
				return fmt.Errorf("looking at the runs: %w", err)
			}
			done += len(page)
			if after = next; next == "" {
				break
			}
		}
		if done >= runs {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d runs are %s after %s", done, runs, as, patience)
		case <-look.C:
		}
	}
}
