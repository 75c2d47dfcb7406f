package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

const bigExport = 50 << 20 // bytes

// memory measures eight exports of 50 MB each at once, through check and file
// store to delivery: the peak of this process's resident memory above what it
// has when idle.
func memory(ctx context.Context, b bench) (_ []figure, err error) {
	server, err := b.standIn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	v, err := b.open(ctx, time.Now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	c, err := v.Connections.Create(ctx, v.NewID(), connection.Settings{Name: "Site", ServerURL: server.url, Site: server.site,
		Credential: server.credential()})
	if err != nil {
		return nil, fmt.Errorf("making the connection: %w", err)
	}
	fault := map[string]any{"kind": "size", "route": "export", "times": -1, "bytes": bigExport}
	if err := server.control(ctx, http.MethodPost, "/-/faults", fault, nil); err != nil {
		return nil, err
	}
	formats := []tableau.Format{tableau.PNG, tableau.PDF, tableau.CSV}
	for i := range run.DefaultExports {
		r, err := v.Reports.Create(ctx, v.NewID(), report.Report{
			Name: fmt.Sprintf("Report %d", i), ConnectionID: c.ID, Enabled: true,
			Content:      []report.Content{{View: "Superstore/sheets/Overview", Format: formats[i%len(formats)]}},
			Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{"reader@example.com"}}},
		})
		if err == nil {
			_, err = v.Runs.Start(ctx, r.ID, run.Start{})
		}
		if err != nil {
			return nil, fmt.Errorf("making a report: %w", err)
		}
	}

	debug.FreeOSMemory()
	idle, err := resident("VmRSS")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return nil, fmt.Errorf("resetting the peak: %w", err)
	}
	working, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { v.Run(working) })
	// No email carries so large a file, and one that carries nothing is not sent.
	err = untilEnded(ctx, v, run.Failed, run.DefaultExports, 2*time.Minute)
	stop()
	group.Wait()
	if err != nil {
		return nil, err
	}
	peak, err := resident("VmHWM")
	if err != nil {
		return nil, err
	}
	var stats struct {
		AtOnce int `json:"exports_in_flight_max"`
	}
	if err := server.control(ctx, http.MethodGet, "/-/stats", nil, &stats); err != nil {
		return nil, err
	}
	if stats.AtOnce != run.DefaultExports {
		return nil, fmt.Errorf("%d exports ran at once instead of %d", stats.AtOnce, run.DefaultExports)
	}
	return []figure{{"export_memory_mb", float64(peak-idle) / (1 << 20), "MB", 96}}, nil
}

// resident reads one of this process's memory figures, in bytes (proc(5)).
func resident(field string) (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("reading this process's memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		if name != field {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading this process's memory: %w", err)
		}
		return kb << 10, nil
	}
	return 0, fmt.Errorf("reading this process's memory: no %s", field)
}
