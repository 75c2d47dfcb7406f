package report_test

import (
	"slices"
	"testing"
	"time"

	"github.com/adhocore/gronx"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/report"
)

func TestOccurrencesAgreeWithTheClock(t *testing.T) {
	t.Parallel()
	for _, zoneYear := range oracleYears {
		t.Run(zoneYear.zone, func(t *testing.T) {
			t.Parallel()
			clock := newClockYear(t, zoneYear.zone, zoneYear.year)
			rapid.Check(t, func(t *rapid.T) {
				o := drawOracle(t)
				s := report.Schedule{Cron: o.cron, TimeZone: zoneYear.zone}
				after := 0
				switch rapid.IntRange(0, 2).Draw(t, "from") {
				case 1:
					after = rapid.IntRange(0, len(clock.walls)-1).Draw(t, "minute")
				case 2:
					if len(clock.changes) > 0 {
						after = rapid.SampledFrom(clock.changes).Draw(t, "change") + rapid.IntRange(-3000, 1500).Draw(t, "beside it")
						after = min(max(after, 0), len(clock.walls)-1)
					}
				}
				if rapid.IntRange(0, 3).Draw(t, "has dates") == 0 {
					from := clock.instant(rapid.IntRange(0, len(clock.walls)-1).Draw(t, "starts on"))
					until := clock.instant(rapid.IntRange(0, len(clock.walls)-1).Draw(t, "ends on"))
					s.StartsOn = date(from.Date())
					s.EndsOn = date(until.Date())
				}

				days := rapid.SampledFrom([]int{1, 7, 30, 366}).Draw(t, "days")
				until := min(after+days*24*60, len(clock.walls)-1)
				want := clock.occurrences(o, s.StartsOn, s.EndsOn, after, until)
				end := clock.instant(until)
				got, total := s.Occurrences(clock.instant(after), end, report.OccurrenceCountLimit)
				if !slices.EqualFunc(want, got, time.Time.Equal) {
					t.Fatalf("%q from %v to %v after %v (-want +got):\n%s", o.cron, s.StartsOn, s.EndsOn, clock.instant(after), cmp.Diff(want, got))
				}
				if total != len(want) {
					t.Fatalf("total = %d, want %d", total, len(want))
				}
				latest, ok := s.Latest(clock.instant(after), end)
				if ok != (len(want) > 0) {
					t.Fatalf("Latest() = %v, %v, want one: %v", latest, ok, len(want) > 0)
				}
				if total < report.OccurrenceCountLimit && ok && !latest.Equal(want[total-1]) {
					t.Fatalf("Latest() = %v, want %v", latest, want[total-1])
				}
			})
		})
	}
}

func drawInstant(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
}

func drawZone(t *rapid.T) string {
	return rapid.SampledFrom(oracleYears).Draw(t, "zone").zone
}

func TestNextRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := drawOracle(t)
		s := report.Schedule{Cron: o.cron, TimeZone: drawZone(t)}
		location, err := s.Location()
		if err != nil {
			t.Fatalf("Location() = %v", err)
		}
		start := drawInstant(t)
		if _, ok := s.Next(start); ok != (s.Validate(start) == nil) {
			t.Fatalf("%q: Next() finds one: %v, but Validate() = %v", s.Cron, ok, s.Validate(start))
		}

		var walked []time.Time
		after := start
		for range 20 {
			at, ok := s.Next(after)
			if !ok {
				break
			}
			if !at.After(after) {
				t.Fatalf("%q: Next(%v) = %v, which is not after it", s.Cron, after, at)
			}
			// Asked from anywhere between, the answer is the same.
			between := after.Add(time.Duration(rapid.Int64Range(0, int64(at.Sub(after))-1).Draw(t, "between")))
			for _, between := range []time.Time{between, at.Add(-1)} {
				if again, _ := s.Next(between); !again.Equal(at) {
					t.Fatalf("%q: Next(%v) = %v, but Next(%v) = %v", s.Cron, after, at, between, again)
				}
			}
			local := at.In(location)
			wall := shownBy(local)
			_, before := at.Add(-time.Second).In(location).Zone()
			_, now := local.Zone()
			if !o.shows(wall) && (o.elapsed || now <= before) {
				t.Fatalf("%q: occurrence at %v, which neither matches nor ends a gap", s.Cron, local)
			}
			walked = append(walked, at)
			after = at
		}
		if len(walked) > 0 {
			list, total := s.Occurrences(start, walked[len(walked)-1], len(walked))
			if diff := cmp.Diff(walked, list); diff != "" || total != len(walked) {
				t.Fatalf("%q: Occurrences() counts %d; it differs from repeated Next() (-next +occurrences):\n%s", s.Cron, total, diff)
			}
		}
	})
}

// In UTC, where no clock is ever changed, gronx's own search has to find the
// same.
func TestNextAgreesWithGronxInUTC(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := report.Schedule{Cron: drawOracle(t).cron, TimeZone: "UTC"}
		after := drawInstant(t).UTC().Truncate(time.Second)
		got, ok := s.Next(after)
		want, err := gronx.NextTickAfter(s.Cron, after, false)
		if ok != (err == nil) || ok && !got.Equal(want) {
			t.Fatalf("%q: Next(%v) = %v, %v, but gronx finds %v, %v", s.Cron, after, got, ok, want, err)
		}
	})
}

func TestHourlyRunsCountElapsedHours(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cron    string
		each    time.Duration
		partial bool // also in zones whose changes are not whole hours
	}{
		{"0 * * * *", time.Hour, false},
		{"7 * * * *", time.Hour, false},
		{"*/30 * * * *", 30 * time.Minute, true},
		{"*/15 * * * *", 15 * time.Minute, true},
		{"* * * * *", time.Minute, true},
	}
	rapid.Check(t, func(t *rapid.T) {
		test := rapid.SampledFrom(tests).Draw(t, "cron")
		zones := []string{"America/New_York", "Europe/Berlin", "Africa/Cairo", "Pacific/Chatham", "Asia/Kathmandu", "Antarctica/Troll", "Africa/Casablanca"}
		if test.partial {
			zones = append(zones, "Australia/Lord_Howe")
		}
		s := report.Schedule{Cron: test.cron, TimeZone: rapid.SampledFrom(zones).Draw(t, "zone")}
		// Between two of its own occurrences, real time passes evenly.
		start, ok := s.Next(time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "seconds"), 0))
		if !ok {
			t.Fatalf("%q has no occurrence", s.Cron)
		}
		count := rapid.IntRange(1, report.OccurrenceCountLimit-1).Draw(t, "count")
		until := start.Add(time.Duration(count) * test.each)
		list, total := s.Occurrences(start, until, count)
		if total != count {
			t.Fatalf("%q in %s has %d occurrences from %v to %v, want %d", s.Cron, s.TimeZone, total, start, until, count)
		}
		if last := list[len(list)-1]; !last.Equal(until) {
			t.Fatalf("%q in %s: the last is %v, want %v", s.Cron, s.TimeZone, last, until)
		}
	})
}
