package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/report"
)

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
