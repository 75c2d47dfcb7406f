package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"github.com/vizpost/vizpost/internal/problem"
)

const maxCronBytes = 256

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

// lastWeekday is the month's last day from Monday to Friday.
const lastWeekday = "LW"

// monthDay checks L, the last day of the month, LW, its last weekday, and such as
// 15W, the weekday nearest the 15th in the same month.
func (f cronField) monthDay(item string) (string, error) {
	if item == "L" || item == lastWeekday {
		return item, nil
	}
	if number, ok := strings.CutSuffix(item, "W"); ok {
		if day, ok := smallNumber(number); ok && f.low <= day && day <= f.high {
			return strconv.Itoa(day) + "W", nil
		}
	}
	return "", wrongCron("In the %s, L is the last day, LW the last weekday, and 15W the weekday nearest the 15th; other uses of L and W are not taken.", f.name)
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
