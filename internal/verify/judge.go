package verify

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/vizpost/vizpost/internal/tableau"
)

// finding is the verdict on one filter, with its evidence.
type finding struct {
	Field    string
	Verdict  Verdict // "" where another request could tell
	Evidence string  // for people: counts of rows, and no data
	Column   bool    // the field is a column of the data
	differ   bool    // it rests on data being different from those without the filter
}

func found(f tableau.Filter, verdict Verdict, format string, args ...any) finding {
	return finding{Field: f.Field, Verdict: verdict, Evidence: fmt.Sprintf(format, args...)}
}

// differs is the finding that the filter is applied, since the data differ.
func differs(f tableau.Filter, format string, args ...any) finding {
	out := found(f, Applied, format, args...)
	out.differ = true
	return out
}

// takesAway reports whether a filter takes the workbook's own one away.
func takesAway(f tableau.Filter) bool { return len(f.Values) == 1 && f.Values[0] == "" }

// inRows gives the finding that the rows alone allow: each holds a wanted value.
func inRows(f tableau.Filter, d digest) (finding, bool) {
	column := d.Values[f.Field]
	if d.Rows == 0 || column == nil || takesAway(f) || !column.only(f.Values) {
		return finding{}, false
	}
	return found(f, Applied, "Every row of the data holds a wanted value of %s: %s.", strconv.Quote(f.Field), rows(d.Rows)), true
}

// misspelled finds a wanted value that no row has without the filter either,
// beside one that differs from it in upper and lower case or spaces alone.
func misspelled(f tableau.Filter, before digest) (finding, bool) {
	column := before.Values[f.Field]
	if column == nil || column.More || takesAway(f) {
		return finding{}, false
	}
	for _, wanted := range f.Values {
		if column.Seen[wanted] {
			continue
		}
		for _, value := range slices.Sorted(column.all()) {
			if nameKey(value) == nameKey(wanted) && nameKey(wanted) != "" {
				return found(f, NotApplied, "No row has the value %s. The view has %s: upper and lower case and spaces count.",
					quoted(wanted), quoted(value)), true
			}
		}
	}
	return finding{}, false
}

// judge gives the finding that the data with a filter alone and without it
// allow, and none where they are the same and another request could tell.
func judge(f tableau.Filter, before, after digest) finding {
	counts := fmt.Sprintf("%s with it, %d without", rows(after.Rows), before.Rows)
	same := before.same(after)
	switch column := after.Values[f.Field]; {
	case takesAway(f) && same:
		return found(f, Unknown, "The data are the same with the filter and without it: %s. The view may have no filter of its own on this field.", rows(after.Rows))
	case takesAway(f):
		return differs(f, "The data differ: %s.", counts)
	case after.Rows == 0:
		return differs(f, "No row is left of %d.", before.Rows)
	case column != nil:
		return judgeColumn(f, before, after, counts)
	case same:
		return finding{Field: f.Field}
	case after.Rows > before.Rows:
		return found(f, Unknown, "There are more rows than without the filter: %s. The data may have changed meanwhile.", counts)
	default:
		return differs(f, "The data differ: %s. The field is no column of them.", counts)
	}
}

func judgeColumn(f tableau.Filter, before, after digest, counts string) finding {
	left := after.Values[f.Field]
	all := before.Values[f.Field]
	if all == nil { // a column that comes with the filter only
		all = &values{}
	}
	fewer := !left.More && (all.More || len(left.Seen) < len(all.Seen))
	switch {
	case left.only(f.Values):
		return found(f, Applied, "Every row of the data holds a wanted value of %s: %s.", strconv.Quote(f.Field), counts)
	case before.same(after), left.other(all):
		// A column whose values are not those from before is no list of members but
		// of sums, which a filter changes.
		return finding{Field: f.Field}
	case left.any(f.Values):
		return found(f, NotApplied, "Rows hold other values of the field, as without the filter: %s.", counts)
	case fewer && len(left.Seen) <= len(f.Values):
		return differs(f, "The field has %d different values left, shown in another form than the filter has them: %s.", len(left.Seen), counts)
	default:
		return found(f, Unknown, "The data differ, and hold other values of the field too, perhaps shown in another form than the filter has them: %s.", counts)
	}
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

var datePattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?$`)

func isNumber(v string) bool {
	_, err := strconv.ParseFloat(v, 64)
	return err == nil
}

// kind is what the values of a filter are. Tableau drops a filter on numbers
// whose values are none, so what is known of a field is known for one kind.
func kind(f tableau.Filter) string {
	every := func(fits func(string) bool) bool {
		return !slices.ContainsFunc(f.Values, func(v string) bool { return !fits(v) })
	}
	switch {
	case takesAway(f):
		return "empty"
	case every(func(v string) bool { return v == "true" || v == "false" }):
		return "boolean"
	case every(datePattern.MatchString):
		return "date"
	case every(isNumber):
		return "number"
	default:
		return "text"
	}
}

// another gives a filter of the same kind whose value no data have; of a
// parameter one that differs from the given one. There may be none.
func another(f tableau.Filter) (tableau.Filter, bool) {
	candidate := "vizpost - no such member"
	switch kind(f) {
	case "empty":
		return f, false
	case "boolean":
		candidate = strconv.FormatBool(!slices.Contains(f.Values, "true"))
	case "date":
		candidate = "1601-01-01"
		if len(f.Values[0]) > len(candidate) {
			candidate += " 00:00:00"
		}
	case "number":
		candidate = "-987654321"
		if n, err := strconv.ParseInt(f.Values[0], 10, 64); f.IsParameter() && err == nil {
			candidate = strconv.FormatInt(n+1, 10) // within the range that it may have
			if n > 1 {
				candidate = strconv.FormatInt(n-1, 10)
			}
		}
	default:
		if f.IsParameter() {
			return f, false // it takes none but its own
		}
	}
	return tableau.Filter{Field: f.Field, Values: []string{candidate}}, !slices.Contains(f.Values, candidate)
}

// nameKey is the same for names that differ in upper and lower case or spaces
// alone.
func nameKey(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '_' || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// quoted writes a name or value in a sentence, bounded.
func quoted(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return strconv.Quote(s)
}
