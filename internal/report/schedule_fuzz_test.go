package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/adhocore/gronx"

	"github.com/vizpost/vizpost/internal/report"
)

// FuzzSchedule looks for expressions, zones and instants at which a schedule
// panics, never comes back or contradicts itself.
func FuzzSchedule(f *testing.F) {
	for _, cron := range []string{
		"0 9 * * MON-FRI", "0 9 LW * *", "*/15 * * * *", "0 */2 1,15W,L JAN-JUN/2 MON#1,5L", "30 2 29 2 */7", "0 9 31 2 *", "0 0 * * SAT-SUN",
		"5/10 0-23 */31 1 7#5", "@daily", "0 0 9 * * * 2026", "*/0 60 5-1 ,, ?", "TZ=UTC 0 9 * * *", "0 * 29 2 1#5", "\t* *\u00a0* * *", "L W # - /",
	} {
		f.Add(cron, "Europe/Berlin", int64(1_795_392_000), int64(0), uint16(0), uint16(0))
	}
	f.Add("0 * 29 2 *", "America/New_York", int64(2_240_611_200), int64(1), uint16(0), uint16(0)) // 31 December 2040
	f.Add("0 9 * * *", "Africa/Cairo", int64(-62_135_596_800), int64(0), uint16(1), uint16(9000))
	f.Add("* * * * *", "Pacific/Apia", int64(1<<63-1), int64(-1), uint16(40000), uint16(1))
	f.Add("* 1 * * *", "Asia/Tokyo", int64(-1<<63), int64(999_999_999), uint16(0), uint16(0))

	f.Fuzz(func(t *testing.T, cron, zone string, seconds, nanoseconds int64, startsOn, endsOn uint16) {
		s := report.Schedule{Cron: cron, TimeZone: zone}
		day := time.Date(1950, time.January, 1, 0, 0, 0, 0, time.UTC)
		if startsOn > 0 {
			s.StartsOn = date(day.AddDate(0, 0, int(startsOn)).Date())
		}
		if endsOn > 0 {
			s.EndsOn = date(day.AddDate(0, 0, int(endsOn)).Date())
		}
		after := time.Unix(seconds, nanoseconds)

		if text := s.Describe(); strings.ContainsAny(text, "\r\n") && !strings.ContainsAny(zone, "\r\n") {
			t.Errorf("Describe() = %q, which has a line break", text)
		}
		err := s.Validate(after)
		first, ok := s.Next(after)
		if ok != (err == nil) {
			t.Fatalf("Next(%v) = %v, %v, but Validate() = %v", after, first, ok, err)
		}
		if !ok {
			return
		}
		if !first.After(after) {
			t.Fatalf("Next(%v) = %v, which is not after it", after, first)
		}
		// LW, which gronx does not know, is one of its days of the month.
		known := strings.ReplaceAll(strings.ToUpper(cron), "LW", "31")
		if !gronx.IsValid(strings.Join(strings.Fields(known), " ")) && !strings.Contains(known, "-SUN") {
			t.Errorf("Validate() takes %q, but gronx does not", cron)
		}
		second, ok := s.Next(first)
		if ok && !second.After(first) {
			t.Fatalf("Next(%v) = %v, which is not after it", first, second)
		}
		if !ok {
			second = first
		}
		if list, total := s.Occurrences(after, second, 3); total != len(list) || total < 1 || total > 2 || !list[0].Equal(first) || !list[total-1].Equal(second) {
			t.Errorf("Occurrences(%v, %v) = %v, %d, want those that Next() gave: %v, %v", after, second, list, total, first, second)
		}
		if latest, ok := s.Latest(after, second); !ok || !latest.Equal(second) {
			t.Errorf("Latest(%v, %v) = %v, %v, want the later end", after, second, latest, ok)
		}
	})
}

// FuzzDate looks for text that is read as a date but not written so again.
func FuzzDate(f *testing.F) {
	for _, text := range []string{"2026-01-31", "2024-02-29", "2026-02-29", "0000-01-01", "10000-01-01", "2026-1-1", "", "-001-01-01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d report.Date
		if err := d.UnmarshalText([]byte(text)); err != nil {
			return
		}
		if got, err := d.MarshalText(); err != nil || string(got) != text {
			t.Errorf("reading and writing %q gives %q, %v", text, got, err)
		}
	})
}
