package local_test

import (
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

// BenchmarkCommit measures what a write costs that is on the disk when it
// returns: alone, and with several that wait for one another.
func BenchmarkCommit(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		s := openStore(b, databasePath(b))
		for i := 0; b.Loop(); i++ {
			if _, err := s.CreateRun(b.Context(), newRun(fmt.Sprint("run-", i))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		s := openStore(b, databasePath(b))
		var last atomic.Int64
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.CreateRun(b.Context(), newRun(fmt.Sprint("run-", last.Add(1)))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkRun(b *testing.B) {
	s := openStore(b, databasePath(b))
	if _, err := s.CreateRun(b.Context(), newRun("r")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Run(b.Context(), "r"); err != nil {
			b.Fatal(err)
		}
	}
}

// benchNow is when the reports of reportsWithNextTime are due.
func benchNow() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }

// reportsWithNextTime makes reports of which the last hundred are due.
func reportsWithNextTime(n int) iter.Seq[report.Report] {
	return func(yield func(report.Report) bool) {
		for i := range n {
			r := report.Report{
				ID: fmt.Sprintf("01K%023d", i), Name: fmt.Sprint("Report ", i), ConnectionID: "c", Enabled: true,
				Content: []report.Content{{View: "Superstore/sheets/Overview", ViewID: "d79634e1-6063-4ec9-95ff-50acbf609ff5",
					ViewName: "Overview", WorkbookName: "Superstore", Format: tableau.PDF, Filters: map[string][]string{"Region": {"West"}}}},
				Schedule:     &report.Schedule{Cron: "0 9 * * MON-FRI", TimeZone: "Europe/Berlin", CatchUp: report.CatchUpLatest},
				Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{"a@example.com"}, Subject: "Numbers"}},
				NextRunAt:    benchNow().Add(time.Duration(1+i%100_000) * time.Second),
				Version:      1, CreatedAt: benchNow(), UpdatedAt: benchNow(),
			}
			if i >= n-100 {
				r.NextRunAt = benchNow()
			}
			if !yield(r) {
				return
			}
		}
	}
}

// BenchmarkTick measures what the tick asks each minute: that must not depend
// on how many reports there are.
func BenchmarkTick(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("reports=%d", n), func(b *testing.B) {
			s := openStore(b, databasePath(b))
			if err := s.CreateConnection(b.Context(), connection.Connection{ID: "c"}, nil); err != nil {
				b.Fatal(err)
			}
			begin := time.Now()
			if err := s.InsertReports(b.Context(), reportsWithNextTime(n)); err != nil {
				b.Fatal(err)
			}
			insert := time.Since(begin)

			b.Run("due=100", func(b *testing.B) {
				for b.Loop() {
					due, err := s.DueReports(b.Context(), benchNow(), 100)
					if err != nil || len(due) != 100 {
						b.Fatalf("got %d due reports, error %v; want 100", len(due), err)
					}
				}
				b.ReportMetric(float64(insert.Microseconds())/float64(n), "µs/insert")
			})
			b.Run("due=0", func(b *testing.B) {
				for b.Loop() {
					due, err := s.DueReports(b.Context(), benchNow().Add(-time.Second), 100)
					if err != nil || len(due) != 0 {
						b.Fatalf("got %d due reports, error %v; want none", len(due), err)
					}
				}
			})
			b.Run("fire", func(b *testing.B) {
				due, err := s.DueReports(b.Context(), benchNow(), 1)
				if err != nil || len(due) != 1 {
					b.Fatalf("got %d due reports, error %v; want one", len(due), err)
				}
				r := due[0]
				for i := 0; b.Loop(); i++ {
					if err := s.Fire(b.Context(), r, r.NextRunAt, []run.Run{newRun(fmt.Sprint("run-", i))}); err != nil {
						b.Fatal(err)
					}
					r.Rev++
				}
			})
		})
	}
}

// BenchmarkWorkSites measures the tick's question for sites with work, of which
// one has a great deal.
func BenchmarkWorkSites(b *testing.B) {
	s := openStore(b, databasePath(b))
	for i := range 2_000 {
		w := run.Work{Site: "busy", Kind: run.Probe, Ref: fmt.Sprint(i)}
		if i < 20 {
			w.Site = fmt.Sprint("site-", i)
		}
		if err := s.PutWork(b.Context(), w); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		sites, err := s.WorkSites(b.Context(), benchNow())
		if err != nil || len(sites) != 21 {
			b.Fatalf("got %d sites, error %v; want 21", len(sites), err)
		}
	}
}
