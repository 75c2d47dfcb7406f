package report_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
