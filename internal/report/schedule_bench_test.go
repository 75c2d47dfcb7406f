package report_test

import (
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/report"
)

func BenchmarkNext(b *testing.B) {
	for _, bench := range []struct{ name, cron string }{
		{"weekdays", "0 9 * * MON-FRI"},
		{"every minute", "* * * * *"},
		{"second Friday", "0 9 * * FRI#2"},
		{"years ahead", "0 9 29 2 */7"},
		{"years ahead in real time", "0 * 29 2 */7"},
		{"never", "0 9 31 2 *"},
		{"never, as slowly as can be", "0 9 */30 * " + strings.Repeat("0#3,1#4,2#3,3#2,", 14) + "6#3"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := report.Schedule{Cron: bench.cron, TimeZone: "Europe/Berlin"}
			after := instant(b, "2026-11-23T00:00:00Z")
			for b.Loop() {
				s.Next(after)
			}
		})
	}
}

func BenchmarkOccurrencesOfAYear(b *testing.B) {
	for _, bench := range []struct{ name, cron string }{
		{"weekdays", "0 9 * * MON-FRI"},
		{"every hour", "0 * * * *"},
		{"every minute", "* * * * *"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := report.Schedule{Cron: bench.cron, TimeZone: "Europe/Berlin"}
			after := instant(b, "2026-11-23T00:00:00Z")
			until := after.AddDate(1, 0, 0)
			for b.Loop() {
				s.Occurrences(after, until, 100)
			}
		})
	}
}
