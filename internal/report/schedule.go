package report

import (
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a Lambda's runtime need not carry the time zone database, and a report must not depend on it

	"github.com/adhocore/gronx"

	"github.com/vizpost/vizpost/internal/problem"
)

// OccurrenceCountLimit is where [Schedule.Occurrences] stops counting: a
// total of this size means "this many or more".
const OccurrenceCountLimit = 10_000

const (
	maxCronBytes = 256

	// The rarest day that cron fields can name is 29 February on one given
	// weekday. It is up to 40 years away, since 2100 is no leap year.
	searchYears = 50

	// Local time is never further from UTC than this, and no change of a
	// zone's offset moves it further either.
	widestOffset = 48 * time.Hour
)

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
	due, err := t.gron.SegmentsDue(t.days)
	return err == nil && due
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

// The fields of a cron expression, in order.
const (
	cronMinute = iota
	cronHour
	cronMonthDay
	cronMonth
	cronWeekDay
)

// cronField is what one field may hold.
type cronField struct {
	name      string
	low, high int
	names     []string // for the values from low on
}

var cronFields = [5]cronField{
	cronMinute:   {name: "minute", low: 0, high: 59},
	cronHour:     {name: "hour", low: 0, high: 23},
	cronMonthDay: {name: "day of month", low: 1, high: 31},
	cronMonth: {name: "month", low: 1, high: 12, names: []string{
		"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	cronWeekDay: {name: "day of week", low: 0, high: 7, names: []string{
		"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// parseCron checks an expression and gives its fields with names as numbers.
//
// gronx reads expressions loosely: it lets six-field and @ forms through,
// replaces names in every field and within words, takes "15Wx", "9L" and "?",
// and finds a wrong item of a list only when none before it matches. So all
// that it is given is checked here, and it only says which days and times
// match.
func parseCron(expression string) ([5]string, error) {
	var parsed [5]string
	if len(expression) > maxCronBytes {
		return parsed, wrongCron("The expression is longer than %d characters. Use ranges and steps, or several reports.", maxCronBytes)
	}
	fields := strings.Fields(strings.ToUpper(expression))
	if err := checkCronShape(fields); err != nil {
		return parsed, err
	}
	for i, field := range fields {
		items := strings.Split(field, ",")
		for j, item := range items {
			checked, err := cronFields[i].item(i, item, len(items) == 1)
			if err != nil {
				return parsed, err
			}
			items[j] = checked
		}
		parsed[i] = strings.Join(items, ",")
	}
	return parsed, nil
}

// checkCronShape refuses what is not five fields, and says what the well-known
// other forms would be as five.
func checkCronShape(fields []string) error {
	const order = "minute, hour, day of month, month, day of week"
	if len(fields) == 0 {
		return wrongCron("Give five fields: %s. 0 9 * * MON-FRI is every weekday at 9:00.", order)
	}
	if strings.HasPrefix(fields[0], "@") {
		shorthands := map[string]string{
			"@HOURLY": "0 * * * *", "@DAILY": "0 0 * * *", "@MIDNIGHT": "0 0 * * *", "@WEEKLY": "0 0 * * SUN",
			"@MONTHLY": "0 0 1 * *", "@YEARLY": "0 0 1 1 *", "@ANNUALLY": "0 0 1 1 *",
		}
		if plain, ok := shorthands[fields[0]]; ok {
			return wrongCron("Shorthands are not taken. Write %s instead of %s.", plain, strings.ToLower(fields[0]))
		}
		return wrongCron("Shorthands are not taken. Give five fields: %s.", order)
	}
	if strings.HasPrefix(fields[0], "TZ=") || strings.HasPrefix(fields[0], "CRON_TZ=") {
		return wrongCron("The time zone does not belong here. Give it as time_zone, and here five fields: %s.", order)
	}
	switch {
	case len(fields) == 6 && fourDigits.MatchString(fields[5]):
		return wrongCron("There are six fields, the last for the year. Leave the year out: %s.", order)
	case len(fields) == 6:
		return wrongCron("There are six fields instead of five. Leave out the seconds at the front: %s.", order)
	case len(fields) != 5:
		return wrongCron("There must be five fields, not %d: %s.", len(fields), order)
	}
	return nil
}

var fourDigits = regexp.MustCompile(`^\d{4}`)

// item checks one item of a field's list and gives it with numbers for names.
func (f cronField) item(position int, item string, alone bool) (string, error) {
	base, step, stepped := strings.Cut(item, "/")
	if stepped {
		most := f.high - f.low
		n, ok := smallNumber(step)
		if !ok || n < 1 || n > most {
			return "", wrongCron("In the %s, a step is a number from 1 to %d.", f.name, most)
		}
	}
	switch {
	case item == "":
		return "", wrongCron("In the %s, something is missing beside a comma.", f.name)
	case base == "?":
		return "", wrongCron("In the %s, write * instead of ?.", f.name)
	case base == "*" && !stepped && !alone:
		return "", wrongCron("In the %s, * already means all: leave out the rest of the list.", f.name)
	case base == "*":
		return item, nil
	case !stepped && position == cronMonthDay && strings.ContainsAny(base, "LW"):
		return f.monthDay(base)
	case !stepped && position == cronWeekDay && (strings.HasSuffix(base, "L") || strings.Contains(base, "#")):
		return f.weekDay(base)
	}

	from, to, ranged := strings.Cut(base, "-")
	low, err := f.value(from)
	if err != nil {
		return "", err
	}
	checked := strconv.Itoa(low)
	if ranged {
		high, err := f.value(to)
		if err != nil {
			return "", err
		}
		if position == cronWeekDay && to == "SUN" && low > 0 {
			high = 7 // Sunday ends the week here, as in FRI-SUN
		}
		if high < low {
			return "", wrongCron("In the %s, a range runs upwards. Write one that passes the end as two, with a comma.", f.name)
		}
		checked += "-" + strconv.Itoa(high)
	}
	if stepped {
		checked += "/" + step
	}
	return checked, nil
}

// monthDay checks L, the last day of the month, and such as 15W, the weekday
// nearest the 15th in the same month.
func (f cronField) monthDay(item string) (string, error) {
	if item == "L" {
		return item, nil
	}
	if number, ok := strings.CutSuffix(item, "W"); ok {
		if day, ok := smallNumber(number); ok && f.low <= day && day <= f.high {
			return strconv.Itoa(day) + "W", nil
		}
	}
	return "", wrongCron("In the %s, L is the last day and 15W the weekday nearest the 15th; other uses of L and W are not taken.", f.name)
}

// weekDay checks such as FRIL, the month's last Friday, and FRI#2, its second.
func (f cronField) weekDay(item string) (string, error) {
	name, nth, counted := strings.Cut(item, "#")
	if !counted {
		name = strings.TrimSuffix(item, "L")
	}
	day, err := f.value(name)
	if err != nil {
		return "", err
	}
	if !counted {
		return strconv.Itoa(day) + "L", nil
	}
	if n, ok := smallNumber(nth); !ok || n < 1 || n > 5 {
		return "", wrongCron("In the %s, the number after # is one from 1 to 5: FRI#2 is the second Friday.", f.name)
	}
	return strconv.Itoa(day) + "#" + nth, nil
}

// value reads a number or a name.
func (f cronField) value(text string) (int, error) {
	for i, name := range f.names {
		if text == name {
			return f.low + i, nil
		}
	}
	n, ok := smallNumber(text)
	if !ok || n < f.low || n > f.high {
		names := ""
		if len(f.names) > 0 {
			names = fmt.Sprintf(" or names from %s to %s", f.names[0], f.names[len(f.names)-1])
		}
		return 0, wrongCron("In the %s, use numbers from %d to %d%s.", f.name, f.low, f.high, names)
	}
	return n, nil
}

// smallNumber reads one or two decimal digits.
func smallNumber(text string) (int, bool) {
	if len(text) < 1 || len(text) > 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 8)
	return int(n), err == nil
}

func wrongCron(format string, args ...any) error {
	return problem.InvalidField("cron", fmt.Sprintf(format, args...))
}

// cronValues gives the minutes, hours or months that a checked field matches,
// as a set of bits.
func cronValues(fields [5]string, position int) uint64 {
	var set uint64
	for n := cronFields[position].low; n <= cronFields[position].high; n++ {
		// A day, hour and minute that exist in every month.
		at := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
		switch position {
		case cronMinute:
			at = at.Add(time.Duration(n) * time.Minute)
		case cronHour:
			at = at.Add(time.Duration(n) * time.Hour)
		case cronMonth:
			at = at.AddDate(0, n-1, 0)
		}
		checker := gronx.SegmentChecker{}
		checker.SetRef(at)
		// gronx counts the seconds as the first field.
		if due, err := checker.CheckDue(fields[position], position+1); err == nil && due {
			set |= 1 << n
		}
	}
	return set
}

const maxYear = 9999 // the last that JSON's times can carry

// Date is a day of the calendar, written "2026-01-31". The zero Date is no
// day.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// String gives the date as year-month-day.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// MarshalText implements [encoding.TextMarshaler], which JSON uses too. It
// fails when there is no such day.
func (d Date) MarshalText() ([]byte, error) {
	if !d.valid() {
		return nil, fmt.Errorf("writing a date: there is no %s", d)
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler], which JSON uses too. It
// takes only days that exist.
func (d *Date) UnmarshalText(text []byte) error {
	day, err := time.Parse(time.DateOnly, string(text))
	if err != nil || day.Year() < 1 {
		return errors.New("a date is written year-month-day, such as 2026-01-31, and must exist in the calendar")
	}
	d.Year, d.Month, d.Day = day.Date()
	return nil
}

// midnight gives the wall-clock time at which the day begins.
func (d Date) midnight() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

func (d Date) valid() bool {
	year, month, day := d.midnight().Date()
	return 1 <= year && year <= maxYear && d == Date{year, month, day}
}
