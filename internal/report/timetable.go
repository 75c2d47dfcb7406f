package report

import (
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

const (
	// The rarest day that cron fields can name is 29 February on one given
	// weekday. It is up to 40 years away, since 2100 is no leap year.
	searchYears = 50

	// Local time is never further from UTC than this, and no change of a
	// zone's offset moves it further either.
	widestOffset = 48 * time.Hour
)

// timetable is a schedule made ready to be searched.
//
// Wall-clock times, those that the zone's clocks show, are kept as the same
// reading in UTC, where no change of the clocks disturbs the arithmetic.
type timetable struct {
	location *time.Location
	elapsed  bool // follows real elapsed time, not the clock

	minutes, hours, months uint64 // bit n is set when n matches
	days                   []string
	gron                   *gronx.Gronx

	first, end time.Time // wall clock: from first, before end
}

func (s Schedule) timetable() (*timetable, error) {
	fields, err := parseCron(s.Cron)
	if err != nil {
		return nil, err
	}
	location, err := s.Location()
	if err != nil {
		return nil, err
	}
	table := &timetable{
		location: location,
		elapsed:  strings.HasPrefix(fields[cronHour], "*"),
		minutes:  cronValues(fields, cronMinute),
		hours:    cronValues(fields, cronHour),
		months:   cronValues(fields, cronMonth),
		days:     []string{"*", "*", "*", fields[cronMonthDay], "*", fields[cronWeekDay]},
		gron:     gronx.New(),
		end:      Date{Year: maxYear, Month: time.December, Day: 31}.midnight().AddDate(0, 0, 1),
	}
	if s.StartsOn != nil {
		if !s.StartsOn.valid() {
			return nil, errors.New("starts_on is no date")
		}
		table.first = s.StartsOn.midnight()
	}
	if s.EndsOn != nil {
		if !s.EndsOn.valid() {
			return nil, errors.New("ends_on is no date")
		}
		table.end = s.EndsOn.midnight().AddDate(0, 0, 1)
	}
	return table, nil
}

// next gives the first occurrence strictly after the given instant.
func (t *timetable) next(after time.Time) (time.Time, bool) {
	earliest := later(time.Time{}, t.first.Add(-widestOffset))
	from := later(earliest, after.UTC().Round(0)).Add(1)
	horizon := earlier(t.end, wallClock(from.In(t.location)).AddDate(searchYears, 0, 0))
	if t.elapsed {
		return t.nextElapsed(from, horizon)
	}
	return t.nextByClock(from, horizon)
}

// nextByClock finds the first matching time of the calendar that is reached
// at from or later.
func (t *timetable) nextByClock(from, horizon time.Time) (time.Time, bool) {
	// What the clocks show just before from is over. At from itself they may
	// already have left out a time that is due at this very instant.
	shown := wallClock(from.Add(-1).In(t.location))
	wall := later(t.first, shown.Add(1))
	for {
		match, ok := t.match(wall, horizon)
		if !ok {
			return time.Time{}, false
		}
		// When the clocks have just been put back, the next times have been
		// shown before.
		if at := t.reached(match); !at.Before(from) {
			return at, true
		}
		wall = match.Add(time.Minute)
	}
}

// nextElapsed finds the first instant, from or later, at which the clocks
// show a matching time. Between two changes of the clocks they run evenly.
func (t *timetable) nextElapsed(from, horizon time.Time) (time.Time, bool) {
	for {
		local := from.In(t.location)
		wall, ahead := wallClock(local), ahead(local)
		if wall.After(horizon.Add(widestOffset)) {
			return time.Time{}, false
		}
		until, changes := steadyUntil(local)
		untilWall := horizon
		if changes {
			untilWall = earlier(horizon, until.Add(ahead))
		}
		if match, ok := t.match(later(t.first, wall), untilWall); ok {
			return match.Add(-ahead), true
		}
		if !changes {
			return time.Time{}, false
		}
		from = until
	}
}

// reached gives the first instant at which the clocks show a wall-clock time
// or a later one.
func (t *timetable) reached(wall time.Time) time.Time {
	at := wall.Add(-widestOffset)
	for {
		local := at.In(t.location)
		until, changes := steadyUntil(local)
		shown := wall.Add(-ahead(local))
		if !changes || shown.Before(until) {
			return later(shown, at)
		}
		at = until
	}
}

// match finds the first whole minute that the fields match, from one
// wall-clock time to before another.
func (t *timetable) match(from, until time.Time) (time.Time, bool) {
	if whole := from.Truncate(time.Minute); whole.Before(from) {
		from = whole.Add(time.Minute)
	}
	day := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	hour, minute := from.Hour(), from.Minute()
	for day.Before(until) {
		if !has(t.months, int(day.Month())) {
			day = time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			hour, minute = 0, 0
			continue
		}
		if t.onDay(day) {
			if clock, ok := t.timeOfDay(hour, minute); ok {
				at := day.Add(clock)
				return at, at.Before(until)
			}
		}
		day = day.AddDate(0, 0, 1)
		hour, minute = 0, 0
	}
	return time.Time{}, false
}

// onDay asks gronx whether day of month and day of week match. Its own search
// (NextTickAfter) is not used: it cannot be told where to stop, and takes what
// it has not found after a number of steps for something that never comes.
func (t *timetable) onDay(day time.Time) bool {
	t.gron.C.SetRef(day)
	days := t.days
	if monthDay := days[monthDaySegment]; strings.Contains(monthDay, lastWeekday) { // which gronx does not know
		days = slices.Clone(days)
		days[monthDaySegment] = strings.ReplaceAll(monthDay, lastWeekday, strconv.Itoa(lastWeekdayOf(day)))
	}
	due, err := t.gron.SegmentsDue(days)
	return err == nil && due
}

// monthDaySegment is where gronx has the day of month: its first field is of
// seconds.
const monthDaySegment = cronMonthDay + 1

// lastWeekdayOf returns the last day from Monday to Friday of a day's month.
func lastWeekdayOf(day time.Time) int {
	last := time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC)
	switch last.Weekday() {
	case time.Saturday:
		return last.Day() - 1
	case time.Sunday:
		return last.Day() - 2
	}
	return last.Day()
}

// timeOfDay finds the first matching time of a matching day, not before the
// given one, as the time since midnight.
func (t *timetable) timeOfDay(hour, minute int) (time.Duration, bool) {
	next, ok := nextBit(t.minutes, minute)
	if !ok || !has(t.hours, hour) {
		if hour, ok = nextBit(t.hours, hour+1); !ok {
			return 0, false
		}
		next, _ = nextBit(t.minutes, 0)
	}
	return time.Duration(hour)*time.Hour + time.Duration(next)*time.Minute, true
}

func has(set uint64, n int) bool { return set&(1<<n) != 0 }

// nextBit gives the smallest number in the set that is not below n.
func nextBit(set uint64, n int) (int, bool) {
	rest := set >> n
	if rest == 0 {
		return 0, false
	}
	return n + bits.TrailingZeros64(rest), true
}

// wallClock gives what a clock at the time's location shows, as if it were UTC.
func wallClock(local time.Time) time.Time { return local.UTC().Add(ahead(local)) }

// steadyUntil gives a later instant before which the clocks at the time's
// location are not changed. It reports false when they never are again.
func steadyUntil(local time.Time) (time.Time, bool) {
	_, end := local.ZoneBounds()
	if end.IsZero() {
		return time.Time{}, false
	}
	if !end.After(local) {
		// On the last day of a leap year ZoneBounds may give the beginning of
		// that day as the end, a known fault of Go 1.26. Where it does, the
		// clocks are not changed before the new year.
		end = local.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	}
	return end.UTC(), true
}

// ahead gives how far the clocks at the time's location are ahead of UTC.
func ahead(local time.Time) time.Duration {
	_, seconds := local.Zone()
	return time.Duration(seconds) * time.Second
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
