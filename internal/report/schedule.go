package report

import (
	"regexp"
	"sort"
	"time"
	_ "time/tzdata" // a Lambda's runtime need not carry the time zone database, and a report must not depend on it

	"github.com/vizpost/vizpost/internal/problem"
)

// OccurrenceCountLimit is where [Schedule.Occurrences] stops counting: a
// total of this size means "this many or more".
const OccurrenceCountLimit = 10_000

// CatchUp says which of the occurrences that could not run in time still run
// once they can.
type CatchUp string

// The catch-up policies. An empty CatchUp means [CatchUpLatest].
const (
	CatchUpLatest CatchUp = "latest" // only the last one missed
	CatchUpAll    CatchUp = "all"    // each one missed
	CatchUpNone   CatchUp = "none"   // none: wait for the next
)

// Schedule says when a report runs.
//
// Where the hour field of Cron starts with "*", the schedule follows real
// elapsed time: it runs at each minute at which the clocks of the zone show a
// matching time, so an hour that the clocks go through twice runs twice and
// one that they leave out does not run. Every other schedule follows the
// clock: each matching time of the calendar runs exactly once, at the first
// instant at which the clocks show that time or a later one. A time that the
// clocks leave out therefore runs at the end of the gap, and of a time that
// they repeat only the first is meant. Several times that fall into one gap
// run once. An occurrence belongs to the date for which it is set down, also
// where the gap carries it past midnight.
//
// Day of month and day of week are alternatives when both are restricted, as
// in cron(8): "0 9 13 * FRI" runs on each 13th and on each Friday. Where one
// of them starts with "*", both must match.
type Schedule struct {
	Cron     string  `json:"cron"`      // five fields: minute, hour, day of month, month, day of week
	TimeZone string  `json:"time_zone"` // IANA name, such as "Europe/Berlin"
	StartsOn *Date   `json:"starts_on"` // first date in TimeZone; nil: at once
	EndsOn   *Date   `json:"ends_on"`   // last date in TimeZone; nil: never
	CatchUp  CatchUp `json:"catch_up"`
}

// Validate reports all that is wrong with the schedule as a problem of kind
// [problem.Invalid], whose fields are named as in JSON, without a prefix. A
// schedule that has no occurrence after now is wrong too.
func (s Schedule) Validate(now time.Time) error {
	var fields problem.Fields
	if _, err := parseCron(s.Cron); err != nil {
		fields.AddErr("", err)
	}
	if _, err := s.Location(); err != nil {
		fields.AddErr("", err)
	}
	for _, date := range []struct {
		name string
		date *Date
	}{{"starts_on", s.StartsOn}, {"ends_on", s.EndsOn}} {
		if date.date != nil && !date.date.valid() {
			fields.Add(date.name, "There is no such date. Give one of the calendar, such as 2026-01-31.")
		}
	}
	switch s.CatchUp {
	case "", CatchUpLatest, CatchUpAll, CatchUpNone:
	default:
		fields.Add("catch_up", "Give latest, all or none.")
	}
	if err := fields.Err(); err != nil {
		return err
	}
	return s.validateFires(now)
}

// validateFires refuses a schedule, otherwise sound, that has no occurrence
// after now.
func (s Schedule) validateFires(now time.Time) error {
	if s.StartsOn != nil && s.EndsOn != nil && s.EndsOn.midnight().Before(s.StartsOn.midnight()) {
		return problem.InvalidField("ends_on", "The last date lies before the first. Give a later one, or none.")
	}
	if _, ok := s.Next(now); ok {
		return nil
	}
	boundless := Schedule{Cron: s.Cron, TimeZone: s.TimeZone}
	if _, ok := boundless.Next(now); !ok {
		return problem.InvalidField("cron", "This never comes due, as 31 February would not. Change the day or the month.")
	}
	if s.EndsOn == nil {
		return problem.InvalidField("starts_on", "The first date lies too far ahead. Give an earlier one.")
	}
	return problem.InvalidField("ends_on", "Nothing comes due until the end of this date. Give a later one, or none.")
}

// Location gives the schedule's time zone, or a problem of kind
// [problem.Invalid] with the field time_zone.
func (s Schedule) Location() (*time.Location, error) {
	if s.TimeZone == "" {
		return nil, problem.InvalidField("time_zone", "Name the time zone, such as Europe/Berlin or UTC.")
	}
	if s.TimeZone == "Local" {
		return nil, problem.InvalidField("time_zone",
			"Local would be another zone on each machine. Name the time zone, such as Europe/Berlin or UTC.")
	}
	unknown := problem.InvalidField("time_zone",
		"There is no time zone of this name. Give one of the IANA time zone database, such as Europe/Berlin or UTC.")
	if !zoneName.MatchString(s.TimeZone) {
		return nil, unknown
	}
	location, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		unknown.Err = err
		return nil, unknown
	}
	return location, nil
}

// zoneName is the form of an IANA name. Lower-case first letters are left out
// since only files that a machine keeps beside the database have them
// ("localtime", "posix/…", "right/…").
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)

// Next gives the first occurrence strictly after the given instant, in UTC.
// It reports false when there is none any more, or when the schedule is not
// valid.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	table, err := s.timetable()
	if err != nil {
		return time.Time{}, false
	}
	return table.next(after)
}

// Occurrences gives those after the first and up to and including the second
// instant, in order and in UTC: the first limit of them as a list, and how
// many there are in all. Counting stops at [OccurrenceCountLimit].
func (s Schedule) Occurrences(after, until time.Time, limit int) (list []time.Time, total int) {
	table, err := s.timetable()
	if err != nil {
		return nil, 0
	}
	for total < OccurrenceCountLimit {
		at, ok := table.next(after)
		if !ok || at.After(until) {
			break
		}
		if len(list) < limit {
			list = append(list, at)
		}
		total++
		after = at
	}
	return list, total
}

// Latest gives the last occurrence after the first and up to and including
// the second instant, in UTC, however many there are. It reports false when
// there is none.
func (s Schedule) Latest(after, until time.Time) (time.Time, bool) {
	table, err := s.timetable()
	if err != nil {
		return time.Time{}, false
	}
	if at, ok := table.next(after); !ok || at.After(until) {
		return time.Time{}, false
	}
	// The last occurrence is the first instant whose next one lies beyond
	// until, and occurrences lie on whole seconds.
	start := later(after, time.Time{}).Unix()
	seconds := sort.Search(int(until.Unix()-start), func(n int) bool {
		at, ok := table.next(time.Unix(start+int64(n), 0))
		return !ok || at.After(until)
	})
	return time.Unix(start+int64(seconds), 0).UTC(), true
}
