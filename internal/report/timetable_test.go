package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/report"
)

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
		{"the last weekday", "0 9 LW * *", "2026-01-01T00:00:00Z", []string{"2026-01-30 09:00", "2026-02-27 09:00", "2026-03-31 09:00", "2026-04-30 09:00", "2026-05-29 09:00"}},
		{"the last weekday among others", "0 9 1,LW 8 *", "2026-01-01T00:00:00Z", []string{"2026-08-01 09:00", "2026-08-31 09:00", "2027-08-01 09:00", "2027-08-31 09:00"}},
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
