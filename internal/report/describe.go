package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// Longer lists than this are no easier to read than the cron expression.
const (
	mostTimesInWords = 6
	mostDaysInWords  = 5
)

// Describe says in words when the schedule runs, such as "every weekday at
// 09:00 (Europe/Berlin)". Where words would be unwieldy, and where the
// expression is not valid, it gives the cron text in their place.
func (s Schedule) Describe() string {
	text, ok := cronInWords(s.Cron)
	if !ok {
		text = strings.Join(strings.Fields(s.Cron), " ")
	}
	text += " (" + s.TimeZone + ")"
	if s.StartsOn != nil {
		text += ", from " + s.StartsOn.String()
	}
	if s.EndsOn != nil {
		text += ", until " + s.EndsOn.String()
	}
	return text
}

func cronInWords(expression string) (string, bool) {
	fields, err := parseCron(expression)
	if err != nil {
		return "", false
	}
	days, ok := daysInWords(fields)
	if !ok {
		return "", false
	}
	times, ok := timesInWords(fields)
	switch {
	case !ok:
		return "", false
	case strings.HasPrefix(times, "at "):
		return days + " " + times, true
	case days == "every day":
		return times, true
	}
	return days + ", " + times, true
}

// timesInWords says when in a day: "at 09:00", or, such as "every hour", how
// often.
func timesInWords(fields [5]string) (string, bool) {
	minutes := members(cronValues(fields, cronMinute))
	hours := members(cronValues(fields, cronHour))
	often, regular := minutesInWords(minutes)
	everyHour := len(hours) == 24

	switch {
	case everyHour && regular:
		return often, true
	case everyHour && len(minutes) <= mostTimesInWords:
		return "every hour at " + minutesPast(minutes), true
	case strings.HasPrefix(fields[cronHour], "*/") && len(minutes) == 1 && evenly(hours, 24):
		often := fmt.Sprintf("every %d hours", 24/len(hours))
		if minutes[0] > 0 {
			often += " at " + minutesPast(minutes)
		}
		return often, true
	case len(hours)*len(minutes) <= mostTimesInWords:
		var times []string
		for _, hour := range hours {
			for _, minute := range minutes {
				times = append(times, clockTime(hour, minute))
			}
		}
		return "at " + inWords(times), true
	case unbroken(hours) && (regular || len(minutes) == 1):
		if len(minutes) == 1 {
			often = "every hour"
		}
		first := clockTime(hours[0], minutes[0])
		last := clockTime(hours[len(hours)-1], minutes[len(minutes)-1])
		return often + " from " + first + " to " + last, true
	}
	return "", false
}

// minutesInWords says how often within an hour, if evenly from its beginning.
func minutesInWords(minutes []int) (string, bool) {
	switch {
	case !evenly(minutes, 60):
		return "", false
	case len(minutes) == 1:
		return "every hour", true
	case len(minutes) == 60:
		return "every minute", true
	}
	return fmt.Sprintf("every %d minutes", 60/len(minutes)), true
}

func minutesPast(minutes []int) string {
	var texts []string
	for _, minute := range minutes {
		texts = append(texts, strconv.Itoa(minute))
	}
	if len(minutes) == 1 && minutes[0] == 1 {
		return "1 minute past"
	}
	return inWords(texts) + " minutes past"
}

func clockTime(hour, minute int) string { return fmt.Sprintf("%02d:%02d", hour, minute) }

// daysInWords says on which days: "every weekday", "on the 1st of every month".
func daysInWords(fields [5]string) (string, bool) {
	months := members(cronValues(fields, cronMonth))
	everyMonth := len(months) == 12
	ofMonths, inMonths := "of every month", ""
	if !everyMonth {
		var names []string
		for _, month := range months {
			names = append(names, time.Month(month).String())
		}
		ofMonths = "of " + inWords(names)
		inMonths = " in " + inWords(names)
	}

	monthDay, weekDay := fields[cronMonthDay], fields[cronWeekDay]
	switch {
	case monthDay == "*" && weekDay == "*":
		return "every day" + inMonths, true
	case weekDay == "*":
		words, ok := monthDaysInWords(monthDay)
		return "on " + words + " " + ofMonths, ok
	case monthDay == "*" && strings.ContainsAny(weekDay, "L#"):
		words, ok := countedWeekDaysInWords(weekDay)
		return "on " + words + " " + ofMonths, ok
	case monthDay == "*":
		return weekDaysInWords(weekDay) + inMonths, true
	case everyMonth && !strings.HasPrefix(monthDay, "*") && !strings.HasPrefix(weekDay, "*") && !strings.ContainsAny(weekDay, "L#"):
		words, ok := monthDaysInWords(monthDay)
		return "on " + words + " of every month and " + weekDaysInWords(weekDay), ok
	}
	return "", false
}

// monthDaysInWords reads "1,15", "1-7", "L" and "15W".
func monthDaysInWords(field string) (string, bool) {
	items := strings.Split(field, ",")
	if len(items) > mostDaysInWords || strings.Contains(field, "/") {
		return "", false
	}
	var words []string
	for _, item := range items {
		from, to, ranged := strings.Cut(item, "-")
		number, nearest := strings.CutSuffix(from, "W")
		day, _ := strconv.Atoi(number)
		switch {
		case item == lastWeekday:
			words = append(words, "the last weekday")
		case item == "L":
			words = append(words, "the last day")
		case nearest:
			words = append(words, "the weekday nearest the "+ordinal(day))
		case ranged:
			last, _ := strconv.Atoi(to)
			words = append(words, "the "+ordinal(day)+" to "+ordinal(last))
		default:
			words = append(words, "the "+ordinal(day))
		}
	}
	return inWords(words), true
}

// weekDaysInWords reads a field of plain days of the week.
func weekDaysInWords(field string) string {
	var days []time.Weekday
	for n := range 7 {
		day := (time.Monday + time.Weekday(n)) % 7
		checker := gronx.SegmentChecker{}
		checker.SetRef(time.Date(2023, time.January, 1+int(day), 0, 0, 0, 0, time.UTC)) // that 1 January was a Sunday
		if due, err := checker.CheckDue(field, cronWeekDay+1); err == nil && due {
			days = append(days, day)
		}
	}
	switch {
	case len(days) == 7:
		return "every day"
	case slices.Equal(days, []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}):
		return "every weekday"
	}
	var names []string
	for _, day := range days {
		names = append(names, day.String())
	}
	return "every " + inWords(names)
}

// countedWeekDaysInWords reads "5#2" and "5L", alone or in a list of such.
func countedWeekDaysInWords(field string) (string, bool) {
	items := strings.Split(field, ",")
	if len(items) > mostDaysInWords {
		return "", false
	}
	var words []string
	for _, item := range items {
		number, nth, counted := strings.Cut(item, "#")
		which := "last"
		if counted {
			n, _ := strconv.Atoi(nth)
			which = [...]string{"first", "second", "third", "fourth", "fifth"}[n-1]
		} else if number, counted = strings.CutSuffix(item, "L"); !counted {
			return "", false
		}
		day, _ := strconv.Atoi(number)
		words = append(words, "the "+which+" "+time.Weekday(day%7).String())
	}
	return inWords(words), true
}

func ordinal(n int) string {
	suffix := "th"
	if n/10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// inWords lists as English does: "a, b and c".
func inWords(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

// members gives the numbers in a set of bits, in order.
func members(set uint64) []int {
	var numbers []int
	for n := range 64 {
		if has(set, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// evenly reports whether numbers divide a whole into equal steps from 0.
func evenly(numbers []int, whole int) bool {
	if len(numbers) == 0 || whole%len(numbers) != 0 {
		return false
	}
	step := whole / len(numbers)
	for i, n := range numbers {
		if n != i*step {
			return false
		}
	}
	return true
}

// unbroken reports whether numbers follow one upon the other.
func unbroken(numbers []int) bool {
	return len(numbers) > 0 && numbers[len(numbers)-1]-numbers[0] == len(numbers)-1
}
