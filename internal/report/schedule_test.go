package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/adhocore/gronx"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatalf("the test's own time is wrong: %v", err)
	}
	return at
}

func date(year int, month time.Month, day int) *report.Date {
	return &report.Date{Year: year, Month: month, Day: day}
}

// following gives the next n occurrences, as they look in the schedule's zone.
func following(t testing.TB, s report.Schedule, after time.Time, n int) []string {
	t.Helper()
	location, err := s.Location()
	if err != nil {
		t.Fatalf("Location() of %q: %v", s.TimeZone, err)
	}
	var got []string
	for range n {
		at, ok := s.Next(after)
		if !ok {
			break
		}
		if at.Location() != time.UTC {
			t.Errorf("Next() = %v, want it in UTC", at)
		}
		got = append(got, at.In(location).Format(time.RFC3339))
		after = at
	}
	return got
}

func TestNextWhereClocksChange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		cron  string
		zone  string
		after string
		want  []string
	}{
		{
			"a time that does not exist runs at the end of the gap",
			"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{
			"a time that the clocks repeat runs once, the first time",
			"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"},
		},
		{
			"asked between the two, the repeated time is over",
			"30 1 * * *", "America/New_York", "2026-11-01T05:45:00Z",
			[]string{"2026-11-02T01:30:00-05:00"},
		},
		{
			"asked during the repeated hour, later times of the hour are over too",
			"0-59/15 1 * * *", "America/New_York", "2026-11-01T06:05:00Z",
			[]string{"2026-11-02T01:00:00-05:00"},
		},
		{
			"each real hour passes when the clocks go back",
			"0 * * * *", "America/New_York", "2026-11-01T03:30:00Z",
			[]string{"2026-11-01T00:00:00-04:00", "2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"},
		},
		{
			"each real hour passes when the clocks go forward",
			"0 * * * *", "America/New_York", "2026-03-08T05:30:00Z",
			[]string{"2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"},
		},
		{
			"each real quarter of an hour passes when the clocks go back",
			"*/15 * * * *", "Europe/Berlin", "2026-10-25T00:44:00Z",
			[]string{"2026-10-25T02:45:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:15:00+01:00",
				"2026-10-25T02:30:00+01:00", "2026-10-25T02:45:00+01:00", "2026-10-25T03:00:00+01:00"},
		},
		{
			"every two hours leaves out an hour that does not exist",
			"0 */2 * * *", "Europe/Berlin", "2026-03-28T22:30:00Z",
			[]string{"2026-03-29T00:00:00+01:00", "2026-03-29T04:00:00+02:00"},
		},
		{
			"every two hours repeats an hour that does",
			"0 */2 * * *", "Europe/Berlin", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T04:00:00+01:00"},
		},
		{
			"every hour of a list follows the clock and runs once",
			"0 0-23 * * *", "Europe/Berlin", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"},
		},
		{
			"two times in one gap run once",
			"0,30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{
			"a time in the gap and the one at its end run once",
			"30 2,3 * * *", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-08T03:30:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{
			"asked just before the end of the gap",
			"30 2 * * *", "America/New_York", "2026-03-08T06:59:59.999999999Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{
			"a day without midnight: Cairo",
			"0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z",
			[]string{"2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"},
		},
		{
			"midnight happens once when the clocks go back to 23:00: Cairo",
			"0 0 * * *", "Africa/Cairo", "2026-10-29T12:00:00Z",
			[]string{"2026-10-30T00:00:00+02:00", "2026-10-31T00:00:00+02:00"},
		},
		{
			"a day without midnight: Beirut",
			"0 0 * * SUN", "Asia/Beirut", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00+03:00", "2026-04-05T00:00:00+03:00"},
		},
		{
			"a day without midnight: São Paulo in 2018",
			"15 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z",
			[]string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:15:00-02:00"},
		},
		{
			"the gap at the end of a day runs at the next day's beginning: Nuuk",
			"30 23 * * *", "America/Nuuk", "2024-03-30T12:00:00Z",
			[]string{"2024-03-31T00:00:00-01:00", "2024-03-31T23:30:00-01:00"},
		},
		{
			"half an hour forward: Lord Howe",
			"10 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:10:00+11:00"},
		},
		{
			"half an hour back: Lord Howe",
			"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"},
		},
		{
			"each real half hour passes: Lord Howe",
			"*/30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:29:00Z",
			[]string{"2026-04-05T01:30:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"},
		},
		{
			"two hours forward: Troll",
			"30 1,2 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T01:30:00+02:00"},
		},
		{
			"one minute after midnight: St. John's in 2010",
			"30 0 * * *", "America/St_Johns", "2010-03-13T12:00:00Z",
			[]string{"2010-03-14T01:01:00-02:30", "2010-03-15T00:30:00-02:30"},
		},
		{
			"back into the day before: St. John's in 2010",
			"0 0 * * *", "America/St_Johns", "2010-11-06T12:00:00Z",
			[]string{"2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30"},
		},
		{
			"back into the day before, in real time: St. John's in 2010",
			"0 * * * *", "America/St_Johns", "2010-11-07T01:00:00Z",
			[]string{"2010-11-06T23:00:00-02:30", "2010-11-07T00:00:00-02:30", "2010-11-07T00:00:00-03:30", "2010-11-07T01:00:00-03:30"},
		},
		{
			"a day that was left out runs at the beginning of the next: Apia in 2011",
			"0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
			[]string{"2011-12-29T09:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00"},
		},
		{
			"a day that was left out has no hours: Apia in 2011",
			"0 */12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
			[]string{"2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"},
		},
		{
			"a change of the offset that is no daylight saving time: Pyongyang in 2015",
			"45 23 * * *", "Asia/Pyongyang", "2015-08-13T15:00:00Z",
			[]string{"2015-08-14T23:45:00+09:00", "2015-08-15T23:45:00+08:30"},
		},
		{
			"summer time that pauses in Ramadan: Casablanca",
			"30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00:00Z",
			[]string{"2026-03-22T03:00:00+01:00", "2026-03-23T02:30:00+01:00"},
		},
		{
			"45 minutes off the hour: Kathmandu",
			"0 9 * * *", "Asia/Kathmandu", "2026-11-23T00:00:00Z",
			[]string{"2026-11-23T09:00:00+05:45", "2026-11-24T09:00:00+05:45"},
		},
		{
			"45 minutes off the hour, with daylight saving time: Chatham",
			"50 2 * * *", "Pacific/Chatham", "2026-09-26T00:00:00Z",
			[]string{"2026-09-27T03:45:00+13:45", "2026-09-28T02:50:00+13:45"},
		},
		{
			"the last day of a leap year, far ahead, in real time",
			"30 * 31 12 *", "America/New_York", "2040-12-31T23:00:00Z",
			[]string{"2040-12-31T18:30:00-05:00", "2040-12-31T19:30:00-05:00"},
		},
		{
			"the last day of a leap year, far ahead, by the clock",
			"0 12 31 12 *", "Europe/Berlin", "2039-12-31T23:00:00Z",
			[]string{"2040-12-31T12:00:00+01:00", "2041-12-31T12:00:00+01:00"},
		},
		{
			"an offset with seconds: Monrovia before 1972",
			"0 9 * * *", "Africa/Monrovia", "1972-01-06T00:00:00Z",
			[]string{"1972-01-06T09:00:00-00:44", "1972-01-07T09:00:00Z", "1972-01-08T09:00:00Z"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := report.Schedule{Cron: test.cron, TimeZone: test.zone}
			got := following(t, s, instant(t, test.after), len(test.want))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%q in %s after %s (-want +got):\n%s", test.cron, test.zone, test.after, diff)
			}
		})
	}
}

func TestNextByFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		cron  string
		after string
		want  []string // date and time in UTC
	}{
		{"weekdays by name", "0 9 * * MON-FRI", "2026-11-26T09:00:00Z", []string{"2026-11-27 09:00", "2026-11-30 09:00"}},
		{"lower case", "0 9 * dec mon", "2026-11-26T09:00:00Z", []string{"2026-12-07 09:00", "2026-12-14 09:00"}},
		{"Sunday is 0", "0 9 * * 0", "2026-11-26T00:00:00Z", []string{"2026-11-29 09:00", "2026-12-06 09:00"}},
		{"Sunday is 7", "0 9 * * 7", "2026-11-26T00:00:00Z", []string{"2026-11-29 09:00", "2026-12-06 09:00"}},
		{"to Sunday by number", "0 9 * * 6-7", "2026-11-26T00:00:00Z", []string{"2026-11-28 09:00", "2026-11-29 09:00", "2026-12-05 09:00"}},
		{"to Sunday by name", "0 9 * * SAT-SUN", "2026-11-26T00:00:00Z", []string{"2026-11-28 09:00", "2026-11-29 09:00", "2026-12-05 09:00"}},
		{"Sunday alone as a range", "0 9 * * SUN-SUN", "2026-11-26T00:00:00Z", []string{"2026-11-29 09:00", "2026-12-06 09:00"}},
		{"steps of a range that ends on Sunday", "0 9 * * 1-7/3", "2026-11-23T00:00:00Z", []string{"2026-11-23 09:00", "2026-11-26 09:00", "2026-11-29 09:00", "2026-11-30 09:00"}},
		{"steps from a value", "10/20 9 * * *", "2026-11-23T00:00:00Z", []string{"2026-11-23 09:10", "2026-11-23 09:30", "2026-11-23 09:50", "2026-11-24 09:10"}},
		{"steps that do not divide the hour", "*/25 9 * * *", "2026-11-23T00:00:00Z", []string{"2026-11-23 09:00", "2026-11-23 09:25", "2026-11-23 09:50", "2026-11-24 09:00"}},
		{"steps of days begin on the 1st", "0 9 */15 * *", "2026-11-23T00:00:00Z", []string{"2026-12-01 09:00", "2026-12-16 09:00", "2026-12-31 09:00", "2027-01-01 09:00"}},
		{"steps of months begin in January", "0 9 1 */5 *", "2026-11-23T00:00:00Z", []string{"2027-01-01 09:00", "2027-06-01 09:00", "2027-11-01 09:00"}},
		{"several blanks and tabs", "  0\t9  * *   MON ", "2026-11-26T00:00:00Z", []string{"2026-11-30 09:00"}},
		{"both days restricted: either", "0 9 13 * 5", "2026-11-01T00:00:00Z",
			[]string{"2026-11-06 09:00", "2026-11-13 09:00", "2026-11-20 09:00", "2026-11-27 09:00", "2026-12-04 09:00", "2026-12-11 09:00", "2026-12-13 09:00"}},
		{"day of month with a star step: both", "0 9 */2 * 5", "2026-11-01T00:00:00Z", []string{"2026-11-13 09:00", "2026-11-27 09:00", "2026-12-11 09:00"}},
		{"day of week with a star step: both", "0 9 13 * */5", "2026-11-01T00:00:00Z", []string{"2026-11-13 09:00", "2026-12-13 09:00", "2027-06-13 09:00"}},
		{"the 31st leaves out short months", "0 9 31 * *", "2026-01-31T09:00:00Z", []string{"2026-03-31 09:00", "2026-05-31 09:00", "2026-07-31 09:00"}},
		{"29 February", "0 9 29 2 *", "2026-11-23T00:00:00Z", []string{"2028-02-29 09:00", "2032-02-29 09:00"}},
		{"29 February over a century", "0 9 29 2 *", "2096-03-01T00:00:00Z", []string{"2104-02-29 09:00"}},
		{"29 February on a Sunday, with both to match", "0 9 29 2 */7", "2088-03-01T00:00:00Z", []string{"2128-02-29 09:00"}},
		{"the last day of the month", "0 9 L * *", "2026-11-23T00:00:00Z", []string{"2026-11-30 09:00", "2026-12-31 09:00", "2027-01-31 09:00", "2027-02-28 09:00"}},
		{"the last day of a leap year's February", "0 9 L 2 *", "2027-03-01T00:00:00Z", []string{"2028-02-29 09:00", "2029-02-28 09:00"}},
		{"the last day of each quarter", "30 9 L */3 *", "2023-05-05T00:00:00Z", []string{"2023-07-31 09:30", "2023-10-31 09:30", "2024-01-31 09:30"}},
		{"the weekday nearest a Saturday is the Friday before", "0 9 15W 8 *", "2026-08-01T00:00:00Z", []string{"2026-08-14 09:00"}},
		{"the weekday nearest a Sunday is the Monday after", "0 9 15W 11 *", "2026-11-01T00:00:00Z", []string{"2026-11-16 09:00"}},
		{"the weekday nearest a Saturday the 1st is the 3rd", "0 9 1W 8 *", "2026-07-31T00:00:00Z", []string{"2026-08-03 09:00"}},
		{"the weekday nearest a Sunday the 31st is the 29th", "0 9 31W 5 *", "2026-05-01T00:00:00Z", []string{"2026-05-29 09:00"}},
		{"the weekday nearest the 31st leaves out short months", "0 9 31W * *", "2026-08-31T10:00:00Z", []string{"2026-10-30 09:00", "2026-12-31 09:00"}},
		{"a leading zero before W", "0 9 05W 6 *", "2026-06-01T00:00:00Z", []string{"2026-06-05 09:00"}},
		{"the second Friday", "0 9 * * FRI#2", "2026-11-01T00:00:00Z", []string{"2026-11-13 09:00", "2026-12-11 09:00"}},
		{"the first Monday on the 7th", "0 9 * * 1#1", "2026-11-03T00:00:00Z", []string{"2026-12-07 09:00"}},
		{"the fifth Monday leaves out months with four", "0 9 * * 1#5", "2026-11-01T00:00:00Z", []string{"2026-11-30 09:00", "2027-03-29 09:00"}},
		{"the third Sunday as 7", "0 9 * * 7#3", "2026-11-01T00:00:00Z", []string{"2026-11-15 09:00"}},
		{"the last Friday", "0 9 * * FRIL", "2026-11-01T00:00:00Z", []string{"2026-11-27 09:00", "2026-12-25 09:00"}},
		{"the last Sunday as 7", "0 9 * * 7L", "2026-11-01T00:00:00Z", []string{"2026-11-29 09:00"}},
		{"counted days in a list", "0 9 * * MON#1,WED#3", "2026-11-01T00:00:00Z", []string{"2026-11-02 09:00", "2026-11-18 09:00", "2026-12-07 09:00"}},
		{"the 1st and the last day", "0 9 1,L * *", "2026-11-02T00:00:00Z", []string{"2026-11-30 09:00", "2026-12-01 09:00", "2026-12-31 09:00"}},
		{"between two seconds", "* * * * *", "2026-11-23T00:00:59.999999999Z", []string{"2026-11-23 00:01", "2026-11-23 00:02"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := report.Schedule{Cron: test.cron, TimeZone: "UTC"}
			if err := s.Validate(instant(t, test.after)); err != nil {
				t.Fatalf("Validate() = %v", err)
			}
			var want []string
			for _, text := range test.want {
				want = append(want, strings.Replace(text, " ", "T", 1)+":00Z")
			}
			got := following(t, s, instant(t, test.after), len(want))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q after %s (-want +got):\n%s", test.cron, test.after, diff)
			}
		})
	}
}

func TestNextBetweenDates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		s      report.Schedule
		after  string
		want   []string
		beyond int // how many more are asked for than there are
	}{
		{
			"both dates belong to it",
			report.Schedule{Cron: "0 9 * * *", TimeZone: "Europe/Berlin", StartsOn: date(2026, 12, 1), EndsOn: date(2026, 12, 2)},
			"2026-11-23T00:00:00Z",
			[]string{"2026-12-01T09:00:00+01:00", "2026-12-02T09:00:00+01:00"}, 1,
		},
		{
			"dates are those of the zone, ahead of UTC",
			report.Schedule{Cron: "0 0 * * *", TimeZone: "Pacific/Kiritimati", StartsOn: date(2026, 12, 1), EndsOn: date(2026, 12, 1)},
			"2026-11-23T00:00:00Z",
			[]string{"2026-12-01T00:00:00+14:00"}, 1,
		},
		{
			"dates are those of the zone, behind UTC",
			report.Schedule{Cron: "59 23 * * *", TimeZone: "Pacific/Pago_Pago", StartsOn: date(2026, 12, 1), EndsOn: date(2026, 12, 1)},
			"2026-11-23T00:00:00Z",
			[]string{"2026-12-01T23:59:00-11:00"}, 1,
		},
		{
			"hourly from the first to the last hour",
			report.Schedule{Cron: "0 */8 * * *", TimeZone: "America/New_York", StartsOn: date(2026, 12, 1), EndsOn: date(2026, 12, 1)},
			"2026-11-23T00:00:00Z",
			[]string{"2026-12-01T00:00:00-05:00", "2026-12-01T08:00:00-05:00", "2026-12-01T16:00:00-05:00"}, 1,
		},
		{
			"asked after the first date",
			report.Schedule{Cron: "0 9 * * *", TimeZone: "Europe/Berlin", StartsOn: date(2026, 1, 1)},
			"2026-11-23T08:00:00Z",
			[]string{"2026-11-24T09:00:00+01:00"}, 0,
		},
		{
			"asked after the last date",
			report.Schedule{Cron: "0 9 * * *", TimeZone: "Europe/Berlin", EndsOn: date(2026, 11, 22)},
			"2026-11-23T00:00:00Z",
			nil, 1,
		},
		{
			"starting on a day without midnight",
			report.Schedule{Cron: "0 0 * * *", TimeZone: "Africa/Cairo", StartsOn: date(2026, 4, 24)},
			"2026-01-01T00:00:00Z",
			[]string{"2026-04-24T01:00:00+03:00"}, 0,
		},
		{
			"the last date's last occurrence lies in a gap before midnight",
			report.Schedule{Cron: "30 23 * * *", TimeZone: "America/Nuuk", EndsOn: date(2024, 3, 30)},
			"2024-03-30T12:00:00Z",
			[]string{"2024-03-31T00:00:00-01:00"}, 1,
		},
		{
			"the last date comes a second time",
			report.Schedule{Cron: "0 * * * *", TimeZone: "America/St_Johns", EndsOn: date(2010, 11, 6)},
			"2010-11-07T00:29:00Z",
			[]string{"2010-11-06T22:00:00-02:30", "2010-11-06T23:00:00-02:30"}, 1,
		},
		{
			"the last date's half hour comes a second time",
			report.Schedule{Cron: "30 * * * *", TimeZone: "America/St_Johns", StartsOn: date(2010, 11, 6), EndsOn: date(2010, 11, 6)},
			"2010-11-07T01:30:00Z",
			[]string{"2010-11-06T23:30:00-02:30", "2010-11-06T23:30:00-03:30"}, 1,
		},
		{
			"the last date comes a second time, and the clocks show the day after",
			report.Schedule{Cron: "30 * * * *", TimeZone: "America/St_Johns", EndsOn: date(2010, 11, 6)},
			"2010-11-07T02:30:30Z",
			[]string{"2010-11-06T23:30:00-03:30"}, 1,
		},
		{
			"starting far ahead",
			report.Schedule{Cron: "0 * * * *", TimeZone: "America/New_York", StartsOn: date(2500, 1, 1)},
			"2026-11-23T00:00:00Z",
			[]string{"2500-01-01T00:00:00-05:00"}, 0,
		},
		{
			"to the end of the calendar",
			report.Schedule{Cron: "0 0 31 12 *", TimeZone: "UTC"},
			"9998-01-01T00:00:00Z",
			[]string{"9998-12-31T00:00:00Z", "9999-12-31T00:00:00Z"}, 1,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := following(t, test.s, instant(t, test.after), len(test.want)+test.beyond)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("occurrences after %s (-want +got):\n%s", test.after, diff)
			}
		})
	}
}

func TestNextOfWhatIsNotValid(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]report.Schedule{
		"no cron":         {TimeZone: "UTC"},
		"no zone":         {Cron: "0 9 * * *"},
		"no such date":    {Cron: "0 9 * * *", TimeZone: "UTC", StartsOn: date(2026, 2, 30)},
		"no such end":     {Cron: "0 9 * * *", TimeZone: "UTC", EndsOn: date(2026, 0, 1)},
		"never due":       {Cron: "0 9 31 2 *", TimeZone: "UTC"},
		"never, hourly":   {Cron: "0 * 30 2 *", TimeZone: "America/New_York"},
		"ends too early":  {Cron: "0 9 * * *", TimeZone: "UTC", StartsOn: date(2027, 1, 2), EndsOn: date(2027, 1, 1)},
		"six fields":      {Cron: "0 0 9 * * *", TimeZone: "UTC"},
		"beyond all time": {Cron: "0 9 * * *", TimeZone: "UTC", StartsOn: date(10000, 1, 1)},
	} {
		now := instant(t, "2026-11-23T00:00:00Z")
		if at, ok := s.Next(now); ok {
			t.Errorf("%s: Next() = %v, want none", name, at)
		}
		if list, total := s.Occurrences(now, now.AddDate(1, 0, 0), 10); len(list) != 0 || total != 0 {
			t.Errorf("%s: Occurrences() = %v, %d, want none", name, list, total)
		}
		if at, ok := s.Latest(now, now.AddDate(1, 0, 0)); ok {
			t.Errorf("%s: Latest() = %v, want none", name, at)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	valid := report.Schedule{Cron: "0 9 * * MON-FRI", TimeZone: "Europe/Berlin"}
	with := func(change func(*report.Schedule)) report.Schedule {
		s := valid
		change(&s)
		return s
	}
	tests := []struct {
		name string
		s    report.Schedule
		want []string // names of the wrong fields
	}{
		{"plain", valid, nil},
		{"all given", report.Schedule{Cron: "*/15 9-17 1,15W,L JAN-JUN MON#1,5L", TimeZone: "America/Argentina/Buenos_Aires",
			StartsOn: date(2026, 11, 23), EndsOn: date(2027, 11, 23), CatchUp: report.CatchUpAll}, nil},
		{"catch up none", with(func(s *report.Schedule) { s.CatchUp = report.CatchUpNone }), nil},
		{"catch up latest", with(func(s *report.Schedule) { s.CatchUp = report.CatchUpLatest }), nil},
		{"zone with a sign", with(func(s *report.Schedule) { s.TimeZone = "Etc/GMT+5" }), nil},
		{"ends today, later than now", with(func(s *report.Schedule) { s.EndsOn = date(2026, 11, 23) }), nil},
		{"rare but real", with(func(s *report.Schedule) { s.Cron = "0 9 29 2 */7" }), nil},

		{"all wrong", report.Schedule{Cron: "x", TimeZone: "Nowhere", StartsOn: date(2026, 2, 29), EndsOn: date(0, 0, 0), CatchUp: "some"},
			[]string{"cron", "time_zone", "starts_on", "ends_on", "catch_up"}},
		{"nothing given", report.Schedule{}, []string{"cron", "time_zone"}},
		{"zone of the machine", with(func(s *report.Schedule) { s.TimeZone = "Local" }), []string{"time_zone"}},
		{"zone files that are no names", with(func(s *report.Schedule) { s.TimeZone = "posix/Europe/Berlin" }), []string{"time_zone"}},
		{"zone with leap seconds", with(func(s *report.Schedule) { s.TimeZone = "right/Europe/Berlin" }), []string{"time_zone"}},
		{"zone out of its folder", with(func(s *report.Schedule) { s.TimeZone = "../zoneinfo/Europe/Berlin" }), []string{"time_zone"}},
		{"zone with two slashes", with(func(s *report.Schedule) { s.TimeZone = "Europe//Berlin" }), []string{"time_zone"}},
		{"zone by offset", with(func(s *report.Schedule) { s.TimeZone = "+01:00" }), []string{"time_zone"}},
		{"zone by abbreviation", with(func(s *report.Schedule) { s.TimeZone = "CEST" }), []string{"time_zone"}},
		{"31 February", with(func(s *report.Schedule) { s.Cron = "0 9 31 2 *" }), []string{"cron"}},
		{"31st of short months", with(func(s *report.Schedule) { s.Cron = "0 9 31 4,6,9,11 *" }), []string{"cron"}},
		{"nearest to 30 February", with(func(s *report.Schedule) { s.Cron = "0 9 30W FEB *" }), []string{"cron"}},
		{"the third Monday is no 1st", with(func(s *report.Schedule) { s.Cron = "0 9 */30 2 1#3" }), []string{"cron"}},
		{"never due and ended", with(func(s *report.Schedule) { s.Cron, s.EndsOn = "0 9 31 2 *", date(2026, 1, 1) }), []string{"cron"}},
		{"ends before it starts", with(func(s *report.Schedule) { s.StartsOn, s.EndsOn = date(2027, 1, 2), date(2027, 1, 1) }), []string{"ends_on"}},
		{"ended", with(func(s *report.Schedule) { s.EndsOn = date(2026, 11, 22) }), []string{"ends_on"}},
		{"ends today, earlier than now", with(func(s *report.Schedule) { s.Cron, s.EndsOn = "0 8 * * *", date(2026, 11, 23) }), []string{"ends_on"}},
		{"nothing between the dates", with(func(s *report.Schedule) {
			s.Cron, s.StartsOn, s.EndsOn = "0 9 1 * *", date(2026, 12, 2), date(2026, 12, 31)
		}), []string{"ends_on"}},
		{"starts when the calendar ends", with(func(s *report.Schedule) { s.Cron, s.StartsOn = "0 9 1 1 *", date(9999, 1, 2) }), []string{"starts_on"}},
		{"a year of five digits", with(func(s *report.Schedule) { s.StartsOn = date(10000, 1, 1) }), []string{"starts_on"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.s.Validate(instant(t, "2026-11-23T07:30:00Z"))
			var got []string
			var p *problem.Error
			if errors.As(err, &p) {
				for _, field := range p.Fields {
					got = append(got, field.Name)
				}
				if p.Kind != problem.Invalid || p.Code != problem.CodeInvalid {
					t.Errorf("Validate() is of kind %v, code %q, want Invalid", p.Kind, p.Code)
				}
			} else if err != nil {
				t.Fatalf("Validate() = %v, want a problem", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("wrong fields (-want +got):\n%s\nof %v", diff, err)
			}
		})
	}
}

func TestValidateRefusesCron(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cron string
		want string // in the message
	}{
		{"", "Give five fields"},
		{"   ", "Give five fields"},
		{"* * * *", "five fields, not 4"},
		{"0 0 9 * * *", "Leave out the seconds"},
		{"0 9 * * * 2026", "Leave the year out"},
		{"0 9 * * * 2026-2028", "Leave the year out"},
		{"0 0 9 * * * 2026", "five fields, not 7"},
		{"@daily", "0 0 * * * instead of @daily"},
		{"@Hourly", "0 * * * * instead of @hourly"},
		{"@midnight", "0 0 * * * instead of @midnight"},
		{"@weekly", "0 0 * * SUN instead of @weekly"},
		{"@monthly", "0 0 1 * * instead of @monthly"},
		{"@annually", "0 0 1 1 * instead of @annually"},
		{"@everysecond", "Shorthands are not taken"},
		{"@5minutes", "Shorthands are not taken"},
		{"@every 1h", "Shorthands are not taken"},
		{"TZ=UTC 0 9 * * *", "time_zone"},
		{"CRON_TZ=UTC 0 9 * * *", "time_zone"},
		{"60 9 * * *", "minute, use numbers from 0 to 59"},
		{"0 24 * * *", "hour, use numbers from 0 to 23"},
		{"0 9 0 * *", "day of month, use numbers from 1 to 31"},
		{"0 9 32 * *", "day of month, use numbers from 1 to 31"},
		{"0 9 * 0 *", "month, use numbers from 1 to 12 or names from JAN to DEC"},
		{"0 9 * 13 *", "month, use numbers from 1 to 12"},
		{"0 9 * * 8", "day of week, use numbers from 0 to 7 or names from SUN to SAT"},
		{"-1 9 * * *", "minute, use numbers"},
		{"+1 9 * * *", "minute, use numbers"},
		{"1.5 9 * * *", "minute, use numbers"},
		{"000 9 * * *", "minute, use numbers"},
		{"1e1 9 * * *", "minute, use numbers"},
		{"٣ 9 * * *", "minute, use numbers"},
		{"H 9 * * *", "minute, use numbers"},
		{"JAN 9 * * *", "minute, use numbers"},
		{"0 MON * * *", "hour, use numbers"},
		{"0 9 * MON *", "month, use numbers"},
		{"0 9 * * JAN", "day of week, use numbers"},
		{"0 9 * * MONDAY", "day of week, use numbers"},
		{"0 9 * JANUARY *", "month, use numbers"},
		{"0 9 * * 1MON", "day of week, use numbers"},
		{"? 9 * * *", "write * instead of ?"},
		{"0 9 ? * MON", "write * instead of ?"},
		{"0 9 * * ?", "write * instead of ?"},
		{"0 9 ?/2 * *", "write * instead of ?"},
		{",1 9 * * *", "beside a comma"},
		{"1, 9 * * *", "beside a comma"},
		{"1,,2 9 * * *", "beside a comma"},
		{", 9 * * *", "beside a comma"},
		{"*,1 9 * * *", "* already means all"},
		{"0 9 1,* * *", "* already means all"},
		{"** 9 * * *", "minute, use numbers"},
		{"*1 9 * * *", "minute, use numbers"},
		{"*-5 9 * * *", "minute, use numbers"},
		{"1-* 9 * * *", "minute, use numbers"},
		{"*/0 9 * * *", "a step is a number from 1 to 59"},
		{"*/60 9 * * *", "a step is a number from 1 to 59"},
		{"*/90 9 * * *", "a step is a number from 1 to 59"},
		{"*/100 9 * * *", "a step is a number from 1 to 59"},
		{"*/-5 9 * * *", "a step is a number"},
		{"*/ 9 * * *", "a step is a number"},
		{"*/5/2 9 * * *", "a step is a number"},
		{"*/x 9 * * *", "a step is a number"},
		{"/5 9 * * *", "minute, use numbers"},
		{"0 */24 * * *", "a step is a number from 1 to 23"},
		{"0 9 0/5 * *", "day of month, use numbers"},
		{"5-1 9 * * *", "a range runs upwards"},
		{"0 22-6 * * *", "a range runs upwards"},
		{"0 9 * * FRI-MON", "a range runs upwards"},
		{"0 9 * * 7-3", "a range runs upwards"},
		{"0 9 * * 6-0", "a range runs upwards"},
		{"1-60 9 * * *", "minute, use numbers"},
		{"1- 9 * * *", "minute, use numbers"},
		{"-5 9 * * *", "minute, use numbers"},
		{"1-2-3 9 * * *", "minute, use numbers"},
		{"0 9 0W * *", "L is the last day"},
		{"0 9 32W * *", "L is the last day"},
		{"0 9 W * *", "L is the last day"},
		{"0 9 LW * *", "L is the last day"},
		{"0 9 L-3 * *", "L is the last day"},
		{"0 9 3L * *", "L is the last day"},
		{"0 9 15Wx * *", "L is the last day"},
		{"0 9 1-5W * *", "L is the last day"},
		{"0 9 -1W * *", "L is the last day"},
		{"0 9 15W/2 * *", "day of month, use numbers"},
		{"0 9 5#2 * *", "day of month, use numbers"},
		{"L 9 * * *", "minute, use numbers"},
		{"0 9 * L *", "month, use numbers"},
		{"0 9 * * L", "day of week, use numbers"},
		{"0 9 * * 8L", "day of week, use numbers"},
		{"0 9 * * 5Lx", "day of week, use numbers"},
		{"0 9 * * 5W", "day of week, use numbers"},
		{"0 9 * * 1-5L", "day of week, use numbers"},
		{"0 9 * * 5#0", "one from 1 to 5"},
		{"0 9 * * 5#6", "one from 1 to 5"},
		{"0 9 * * 5#", "one from 1 to 5"},
		{"0 9 * * 5#2#3", "one from 1 to 5"},
		{"0 9 * * 5#-1", "one from 1 to 5"},
		{"0 9 * * 8#2", "day of week, use numbers"},
		{"0 9 * * #2", "day of week, use numbers"},
		{"0 9 * * 1#2/2", "day of week, use numbers"},
		{"0 9 * * 1,99", "day of week, use numbers"},
		{strings.Repeat("0,", 130) + "0 9 * * *", "longer than 256"},
		{"0 9 * * *" + strings.Repeat(" ", 256), "longer than 256"},
	}
	for _, test := range tests {
		t.Run(test.cron, func(t *testing.T) {
			t.Parallel()
			s := report.Schedule{Cron: test.cron, TimeZone: "UTC"}
			now := instant(t, "2026-11-23T00:00:00Z")
			var p *problem.Error
			if err := s.Validate(now); !errors.As(err, &p) || len(p.Fields) != 1 || p.Fields[0].Name != "cron" {
				t.Fatalf("Validate() = %v, want a problem of cron alone", err)
			}
			if got := p.Fields[0].Message; !strings.Contains(got, test.want) {
				t.Errorf("message %q does not say %q", got, test.want)
			}
			if at, ok := s.Next(now); ok {
				t.Errorf("Next() = %v, want none", at)
			}
		})
	}
}

func TestLocation(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "Etc/GMT-14", "EST5EDT", "America/Port-au-Prince", "NZ-CHAT", "W-SU", "GB"} {
		location, err := report.Schedule{TimeZone: name}.Location()
		if err != nil {
			t.Errorf("Location() of %s: %v", name, err)
		} else if location.String() != name {
			t.Errorf("Location() of %s = %v", name, location)
		}
	}
	for _, name := range []string{"", "Local", "localtime", "Europe/Berlin ", "zone.tab", "/etc/localtime", "Europe/..", "Nowhere/Town", "Berlin", strings.Repeat("A", 5000)} {
		_, err := report.Schedule{TimeZone: name}.Location()
		if p, ok := problem.From(err); !ok || len(p.Fields) != 1 || p.Fields[0].Name != "time_zone" {
			t.Errorf("Location() of %.40q gives the error %v, want a problem of time_zone", name, err)
		}
	}
}

func TestOccurrences(t *testing.T) {
	t.Parallel()
	daily := report.Schedule{Cron: "0 9 * * *", TimeZone: "UTC"}
	dense := report.Schedule{Cron: "* * * * *", TimeZone: "Europe/Berlin"}
	tests := []struct {
		name         string
		s            report.Schedule
		after, until string
		limit        int
		want         []string
		total        int
	}{
		{"the later end belongs to it, the earlier does not", daily, "2026-11-23T09:00:00Z", "2026-11-25T09:00:00Z", 10,
			[]string{"2026-11-24T09:00:00Z", "2026-11-25T09:00:00Z"}, 2},
		{"counted beyond the limit", daily, "2026-11-23T09:00:00Z", "2026-12-23T09:00:00Z", 1, []string{"2026-11-24T09:00:00Z"}, 30},
		{"only counted", daily, "2026-11-23T09:00:00Z", "2026-12-23T09:00:00Z", 0, nil, 30},
		{"a limit below zero", daily, "2026-11-23T09:00:00Z", "2026-12-23T09:00:00Z", -1, nil, 30},
		{"none between", daily, "2026-11-23T09:00:00Z", "2026-11-24T08:59:59Z", 10, nil, 0},
		{"ends before it begins", daily, "2026-11-23T09:00:00Z", "2026-11-20T08:59:59Z", 10, nil, 0},
		{"counting stops", dense, "2026-11-23T00:00:00Z", "2029-11-23T00:00:00Z", 1, []string{"2026-11-23T00:01:00Z"}, report.OccurrenceCountLimit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list, total := test.s.Occurrences(instant(t, test.after), instant(t, test.until), test.limit)
			var got []string
			for _, at := range list {
				got = append(got, at.Format(time.RFC3339))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			if total != test.total {
				t.Errorf("total = %d, want %d", total, test.total)
			}
		})
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		cron         string
		after, until string
		want         string // empty: none
	}{
		{"of several", "0 9 * * *", "2026-11-20T00:00:00Z", "2026-11-23T08:00:00Z", "2026-11-22T09:00:00Z"},
		{"the later end belongs to it", "0 9 * * *", "2026-11-20T00:00:00Z", "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"},
		{"the earlier end does not", "0 9 * * *", "2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z", ""},
		{"the only one, next to the earlier end", "0 9 * * *", "2026-11-23T08:59:59.5Z", "2026-11-23T10:00:00Z", "2026-11-23T09:00:00Z"},
		{"of more than are counted", "* * * * *", "2020-01-01T00:00:00Z", "2026-11-23T08:00:30Z", "2026-11-23T08:00:00Z"},
		{"from the beginning of time", "0 9 * * *", "0001-01-01T00:00:00Z", "2026-11-23T08:00:00Z", "2026-11-22T09:00:00Z"},
		{"to the end of time", "0 9 1 1 *", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-01-01T09:00:00Z"},
		{"ends before it begins", "* * * * *", "2026-11-23T09:00:00Z", "2026-11-22T10:00:00Z", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := report.Schedule{Cron: test.cron, TimeZone: "UTC"}
			at, ok := s.Latest(instant(t, test.after), instant(t, test.until))
			got := ""
			if ok {
				got = at.Format(time.RFC3339Nano)
			}
			if got != test.want {
				t.Errorf("Latest() = %q, want %q", got, test.want)
			}
		})
	}
}

func TestLatestBetweenExtremes(t *testing.T) {
	t.Parallel()
	s := report.Schedule{Cron: "0 9 * * *", TimeZone: "UTC", EndsOn: date(2026, 11, 23)}
	got, ok := s.Latest(time.Unix(-1<<63, 0), time.Unix(1<<62, 0))
	if want := instant(t, "2026-11-23T09:00:00Z"); !ok || !got.Equal(want) {
		t.Errorf("Latest() = %v, %v, want %v", got, ok, want)
	}
}

func TestDateText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31"} {
		var d report.Date
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("reading %s: %v", text, err)
			continue
		}
		got, err := d.MarshalText()
		if err != nil || string(got) != text || d.String() != text {
			t.Errorf("reading and writing %s gives %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-00", "2026-1-1", "26-01-31", "31.01.2026",
		"2026-01-31T00:00:00Z", " 2026-01-31", "0000-01-01", "10000-01-01", "-001-01-01", "today"} {
		d := report.Date{Year: 2000, Month: 1, Day: 1}
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("reading %q gives %v, want an error", text, d)
		}
		if d != (report.Date{Year: 2000, Month: 1, Day: 1}) {
			t.Errorf("reading %q changed the date to %v", text, d)
		}
	}
	for _, d := range []report.Date{{}, {2026, 2, 30}, {2026, 13, 1}, {10000, 1, 1}, {-1, 1, 1}} {
		if text, err := d.MarshalText(); err == nil {
			t.Errorf("writing %v gives %s, want an error", d, text)
		}
	}
}

func TestScheduleJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"cron":"0 9 * * MON-FRI","time_zone":"Europe/Berlin","starts_on":null,"ends_on":null,"catch_up":"latest"}`,
		`{"cron":"0 9 * * MON-FRI","time_zone":"Europe/Berlin","starts_on":"2026-01-31","ends_on":"2026-12-31","catch_up":"none"}`,
	} {
		var s report.Schedule
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("reading: %v", err)
		}
		got, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("writing: %v", err)
		}
		if diff := cmp.Diff(text, string(got)); diff != "" {
			t.Errorf("read and written again (-want +got):\n%s", diff)
		}
	}
	var s report.Schedule
	if err := json.Unmarshal([]byte(`{"starts_on":"2026-02-30"}`), &s); err == nil {
		t.Errorf("reading 30 February gives %v, want an error", s.StartsOn)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	tests := []struct{ cron, want string }{
		{"* * * * *", "every minute"},
		{"*/15 * * * *", "every 15 minutes"},
		{"0,30 * * * *", "every 30 minutes"},
		{"0 * * * *", "every hour"},
		{"0 0-23 * * *", "every hour"},
		{"1 * * * *", "every hour at 1 minute past"},
		{"5,35 * * * *", "every hour at 5 and 35 minutes past"},
		{"0 */2 * * *", "every 2 hours"},
		{"30 */6 * * *", "every 6 hours at 30 minutes past"},
		{"0 */13 * * *", "every day at 00:00 and 13:00"},
		{"0 9 * * *", "every day at 09:00"},
		{"0 9 * * MON-FRI", "every weekday at 09:00"},
		{"0 9 * * 5,1-4", "every weekday at 09:00"},
		{"0 9,12,17 * * *", "every day at 09:00, 12:00 and 17:00"},
		{"15,45 9,17 * * *", "every day at 09:15, 09:45, 17:15 and 17:45"},
		{"0 9-17 * * 1-5", "every weekday, every hour from 09:00 to 17:00"},
		{"30 9-17 * * *", "every hour from 09:30 to 17:30"},
		{"*/15 9-17 * * MON", "every Monday, every 15 minutes from 09:00 to 17:45"},
		{"* 9-17 * * *", "every minute from 09:00 to 17:59"},
		{"*/5 9 * * *", "every 5 minutes from 09:00 to 09:55"},
		{"0 9 * * 0", "every Sunday at 09:00"},
		{"0 9 * * SAT-SUN", "every Saturday and Sunday at 09:00"},
		{"0 9 * * SUN,MON,WED", "every Monday, Wednesday and Sunday at 09:00"},
		{"0 9 * * 0-6", "every day at 09:00"},
		{"0 9 * JUN *", "every day in June at 09:00"},
		{"0 9 * 6-8 MON", "every Monday in June, July and August at 09:00"},
		{"0 9 1 * *", "on the 1st of every month at 09:00"},
		{"0 9 2,3,11,22 * *", "on the 2nd, the 3rd, the 11th and the 22nd of every month at 09:00"},
		{"0 9 1-7 * *", "on the 1st to 7th of every month at 09:00"},
		{"0 9 1 1,7 *", "on the 1st of January and July at 09:00"},
		{"0 9 L * *", "on the last day of every month at 09:00"},
		{"0 9 15W * *", "on the weekday nearest the 15th of every month at 09:00"},
		{"0 9 * * FRI#2", "on the second Friday of every month at 09:00"},
		{"0 9 * 12 FRIL", "on the last Friday of December at 09:00"},
		{"0 9 * * MON#1,7#3", "on the first Monday and the third Sunday of every month at 09:00"},
		{"0 9 13 * FRI", "on the 13th of every month and every Friday at 09:00"},

		{"*/7 * * * *", "*/7 * * * *"},
		{"*/15 */2 * * *", "*/15 */2 * * *"},
		{"0 8-12,14-18 * * *", "0 8-12,14-18 * * *"},
		{"3,13,23,33,43,52,59 * * * *", "3,13,23,33,43,52,59 * * * *"},
		{"0 9 */2 * *", "0 9 */2 * *"},
		{"0 9 1,2,3,5,8,13 * *", "0 9 1,2,3,5,8,13 * *"},
		{"0 9 */2 * MON", "0 9 */2 * MON"},
		{"0 9 13 6 FRI", "0 9 13 6 FRI"},
		{"0 9 13 * FRI#2", "0 9 13 * FRI#2"},
		{"0 9 * * MON,FRI#2", "0 9 * * MON,FRI#2"},
		{"0 9 * * 0#1,1#1,2#1,3#1,4#1,5#1", "0 9 * * 0#1,1#1,2#1,3#1,4#1,5#1"},
		{"  0\t9   31-1 * *", "0 9 31-1 * *"},
		{"@daily", "@daily"},
	}
	for _, test := range tests {
		s := report.Schedule{Cron: test.cron, TimeZone: "Europe/Berlin"}
		if got, want := s.Describe(), test.want+" (Europe/Berlin)"; got != want {
			t.Errorf("Describe() of %q = %q, want %q", test.cron, got, want)
		}
	}
	s := report.Schedule{Cron: "0 9 * * *", TimeZone: "UTC", StartsOn: date(2026, 12, 1), EndsOn: date(2027, 1, 31)}
	if got, want := s.Describe(), "every day at 09:00 (UTC), from 2026-12-01, until 2027-01-31"; got != want {
		t.Errorf("Describe() = %q, want %q", got, want)
	}
}

// The oracle below knows nothing of how Schedule searches: it looks at the
// clock of a zone minute by minute for a year and compares what it shows with
// fields that it made itself.

// oracleField is a made-up cron field beside what it means. Days are asked
// with the wall-clock day, the other fields with their number.
type oracleField struct {
	text  string
	value func(n int) bool
	day   func(day time.Time) bool
}

func drawField(t *rapid.T, name string, low, high int, names []string, special func(t *rapid.T) (string, func(time.Time) bool), number func(time.Time) int) oracleField {
	if rapid.IntRange(0, 2).Draw(t, name+" is star") == 0 {
		return oracleField{"*", func(int) bool { return true }, func(time.Time) bool { return true }}
	}
	write := func(n int) string {
		if n-low < len(names) && rapid.Bool().Draw(t, "by name") {
			return names[n-low]
		}
		return fmt.Sprint(n)
	}
	var texts []string
	var values []func(int) bool
	var days []func(time.Time) bool
	plain := func(text string, match func(int) bool) {
		texts = append(texts, text)
		values = append(values, match)
		days = append(days, func(day time.Time) bool { return match(number(day)) })
	}
	for range rapid.IntRange(1, 3).Draw(t, name+" items") {
		kind := rapid.IntRange(0, 5).Draw(t, name+" kind")
		first := rapid.IntRange(low, high).Draw(t, "first")
		last := rapid.IntRange(first, high).Draw(t, "last")
		step := rapid.IntRange(1, high-low).Draw(t, "step")
		among := func(first, last, step int) func(int) bool {
			return func(n int) bool {
				for v := first; v <= last; v += step {
					if v == n || name == "day of week" && v == 7 && n == 0 {
						return true
					}
				}
				return false
			}
		}
		switch {
		case kind == 0 && special != nil:
			text, match := special(t)
			texts = append(texts, text)
			days = append(days, match)
		case kind == 1:
			plain(fmt.Sprintf("*/%d", step), among(low, high, step))
			if name == "day of week" { // the week ends on Saturday here
				days[len(days)-1] = func(day time.Time) bool { return among(0, 6, step)(int(day.Weekday())) }
			}
		case kind == 2:
			plain(write(first)+"-"+fmt.Sprint(last), among(first, last, 1))
		case kind == 3:
			plain(write(first)+"-"+fmt.Sprint(last)+fmt.Sprintf("/%d", step), among(first, last, step))
		case kind == 4 && (name != "day of week" || first < 7):
			top := high
			if name == "day of week" {
				top = 6
			}
			plain(write(first)+fmt.Sprintf("/%d", step), among(first, top, step))
		default:
			plain(write(first), among(first, first, 1))
		}
	}
	return oracleField{
		text:  strings.Join(texts, ","),
		value: func(n int) bool { return slices.ContainsFunc(values, func(m func(int) bool) bool { return m(n) }) },
		day: func(d time.Time) bool {
			return slices.ContainsFunc(days, func(m func(time.Time) bool) bool { return m(d) })
		},
	}
}

func drawMonthDay(t *rapid.T) (string, func(time.Time) bool) {
	lastOf := func(day time.Time) int { return time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }
	if rapid.Bool().Draw(t, "last day") {
		return "L", func(day time.Time) bool { return day.Day() == lastOf(day) }
	}
	wanted := rapid.IntRange(1, 31).Draw(t, "nearest")
	return fmt.Sprintf("%dW", wanted), func(day time.Time) bool {
		last := lastOf(day)
		if wanted > last {
			return false
		}
		nearest, distance := 0, 99
		for n := 1; n <= last; n++ {
			weekday := day.AddDate(0, 0, n-day.Day()).Weekday()
			if weekday != time.Saturday && weekday != time.Sunday && max(n-wanted, wanted-n) < distance {
				nearest, distance = n, max(n-wanted, wanted-n)
			}
		}
		return day.Day() == nearest
	}
}

func drawWeekDay(t *rapid.T) (string, func(time.Time) bool) {
	weekday := rapid.IntRange(0, 7).Draw(t, "weekday")
	if rapid.Bool().Draw(t, "last of month") {
		return fmt.Sprintf("%dL", weekday), func(day time.Time) bool {
			return int(day.Weekday()) == weekday%7 && day.AddDate(0, 0, 7).Month() != day.Month()
		}
	}
	nth := rapid.IntRange(1, 5).Draw(t, "nth")
	return fmt.Sprintf("%d#%d", weekday, nth), func(day time.Time) bool {
		count := 0
		for n := 1; n <= day.Day(); n++ {
			if day.AddDate(0, 0, n-day.Day()).Weekday() == day.Weekday() {
				count++
			}
		}
		return int(day.Weekday()) == weekday%7 && count == nth
	}
}

// oracle is a made-up expression beside what it means.
type oracle struct {
	cron    string
	elapsed bool
	minute  [60]bool
	hour    [24]bool
	day     func(day time.Time) bool
}

func drawOracle(t *rapid.T) oracle {
	minute := drawField(t, "minute", 0, 59, nil, nil, time.Time.Minute)
	hour := drawField(t, "hour", 0, 23, nil, nil, time.Time.Hour)
	monthDay := drawField(t, "day of month", 1, 31, nil, drawMonthDay, time.Time.Day)
	month := drawField(t, "month", 1, 12, []string{"JAN", "feb", "Mar", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}, nil,
		func(day time.Time) int { return int(day.Month()) })
	weekDay := drawField(t, "day of week", 0, 7, []string{"SUN", "mon", "Tue", "WED", "THU", "FRI", "SAT"}, drawWeekDay,
		func(day time.Time) int { return int(day.Weekday()) })

	o := oracle{
		cron:    strings.Join([]string{minute.text, hour.text, monthDay.text, month.text, weekDay.text}, " "),
		elapsed: strings.HasPrefix(hour.text, "*"),
	}
	for n := range o.minute {
		o.minute[n] = minute.value(n)
	}
	for n := range o.hour {
		o.hour[n] = hour.value(n)
	}
	either := !strings.HasPrefix(monthDay.text, "*") && !strings.HasPrefix(weekDay.text, "*")
	o.day = func(day time.Time) bool {
		if !month.day(day) {
			return false
		}
		if either {
			return monthDay.day(day) || weekDay.day(day)
		}
		return monthDay.day(day) && weekDay.day(day)
	}
	return o
}

// shows reports whether the fields match what a clock shows.
func (o oracle) shows(wall time.Time) bool {
	return wall.Second() == 0 && o.minute[wall.Minute()] && o.hour[wall.Hour()] && o.day(wall)
}

// oracleYears are zones in a year in which their clocks change.
var oracleYears = []struct {
	zone string
	year int
}{
	{"UTC", 2026}, {"America/New_York", 2026}, {"Europe/Berlin", 2026}, {"Europe/Dublin", 2028}, {"Australia/Lord_Howe", 2026},
	{"Africa/Cairo", 2026}, {"Asia/Beirut", 2026}, {"America/Sao_Paulo", 2018}, {"Pacific/Apia", 2011}, {"America/Nuuk", 2024},
	{"America/Scoresbysund", 2024}, {"America/St_Johns", 2010}, {"Pacific/Chatham", 2026}, {"Asia/Kathmandu", 2026},
	{"Asia/Pyongyang", 2015}, {"Africa/Casablanca", 2026}, {"Antarctica/Troll", 2026}, {"America/Caracas", 2016}, {"America/Havana", 2026},
}

// shownBy gives what a clock shows, as if it were UTC.
func shownBy(local time.Time) time.Time {
	year, month, day := local.Date()
	hour, minute, second := local.Clock()
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
}

// clockYear is what a zone's clocks show at each minute of a year.
type clockYear struct {
	location *time.Location
	begin    int64   // Unix minute of the first
	walls    []int64 // wall clock in minutes since 1970 at each real minute
	changes  []int   // those at which the clocks have just been changed
}

func newClockYear(t testing.TB, zone string, year int) clockYear {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatalf("loading %s: %v", zone, err)
	}
	at := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
	c := clockYear{location: location, begin: at.Unix() / 60}
	for at.Year() == year {
		wall := shownBy(at.In(location))
		c.walls = append(c.walls, wall.Unix()/60)
		if n := len(c.walls); n > 1 && c.walls[n-1] != c.walls[n-2]+1 {
			c.changes = append(c.changes, n-1)
		}
		at = at.Add(time.Minute)
	}
	return c
}

func (c clockYear) instant(minute int) time.Time {
	return time.Unix((c.begin+int64(minute))*60, 0).UTC()
}

// occurrences scans the minutes from the one after the first up to the second,
// for at most as many as Occurrences counts.
func (c clockYear) occurrences(o oracle, first, last *report.Date, after, until int) []time.Time {
	matching := map[int64]bool{}
	matches := func(wall int64) bool {
		if !o.minute[wall%60] || !o.hour[wall/60%24] {
			return false
		}
		number := wall / (24 * 60)
		ok, known := matching[number]
		if !known {
			day := time.Unix(number*24*3600, 0).UTC()
			text := day.Format(time.DateOnly)
			ok = o.day(day) && (first == nil || first.String() <= text) && (last == nil || text <= last.String())
			matching[number] = ok
		}
		return ok
	}
	var found []time.Time
	shown := slices.Max(c.walls[max(0, after-48*60) : after+1])
	for n := after + 1; n <= until && len(found) < report.OccurrenceCountLimit; n++ {
		now := c.walls[n]
		due := o.elapsed && matches(now)
		for wall := shown + 1; !o.elapsed && wall <= now; wall++ {
			due = due || matches(wall)
		}
		if due {
			found = append(found, c.instant(n))
		}
		shown = max(shown, now)
	}
	return found
}

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
