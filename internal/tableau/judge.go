package tableau

import (
	"fmt"
	"regexp"
	"slices"
)

// finding is the verdict that data allow, with its evidence.
type finding struct {
	verdict  FilterVerdict // "" where another request could tell
	evidence string
	differ   bool // it rests on data being different from those without the filter
}

// judge gives the finding that the data with a filter and without it allow, and
// none where they are the same and another request could tell.
func judge(f Filter, before, after digest) finding {
	counts := fmt.Sprintf("%s with it, %d without", rows(after.rows), before.rows)
	same := before.same(after)
	takesAway := !f.isParameter() && !f.combines()
	switch column := after.values[f.Field]; {
	case after.rows == 0:
		return unsure("No row is left of %d: nothing in the data matches. Check the spelling of the values, upper and lower case included.", before.rows)
	case f.isParameter() && same:
		return unsure("The data are the same with the parameter and without it: %s. The parameter may have this value already, or another name.", rows(after.rows))
	case takesAway && same:
		return unsure("The data are the same: %s. The view may have no filter on this field.", rows(after.rows))
	case f.isParameter(), takesAway:
		return finding{FilterApplied, fmt.Sprintf("The data differ: %s.", counts), true}
	case column != nil:
		return judgeColumn(f, before, after, counts)
	case same:
		return finding{}
	case after.rows > before.rows:
		return unsure("There are more rows than without the filter: %s. The data may have changed meanwhile.", counts)
	default:
		return finding{FilterApplied, fmt.Sprintf("The data differ: %s. The field is no column of them.", counts), true}
	}
}

func judgeColumn(f Filter, before, after digest, counts string) finding {
	left := after.values[f.Field]
	all := before.values[f.Field]
	if all == nil { // a column that comes with the filter only
		all = &values{}
	}
	same := before.same(after)
	fewer := !left.more && (all.more || len(left.seen) < len(all.seen))
	switch {
	case left.only(f.Values) && !all.only(f.Values):
		return finding{verdict: FilterApplied, evidence: fmt.Sprintf("Every row holds a wanted value in the column of the field: %s.", counts)}
	case left.only(f.Values) && same:
		return finding{}
	case left.only(f.Values):
		return unsure("Every row holds a wanted value, with the filter and without: %s. The data may have changed meanwhile.", counts)
	case same && left.any(f.Values):
		return finding{verdict: FilterNotApplied, evidence: fmt.Sprintf("The data are the same with and without the filter, and hold other values in the column of the field: %s.", rows(after.rows))}
	case same:
		return finding{}
	case left.any(f.Values) && !fewer:
		return finding{verdict: FilterNotApplied, evidence: fmt.Sprintf("Rows hold other values in the column of the field, as without the filter: %s.", counts)}
	case fewer && !left.any(f.Values) && len(left.seen) <= len(f.Values):
		return finding{FilterApplied, fmt.Sprintf("The column of the field has %d different values left, displayed in another form: %s.", len(left.seen), counts), true}
	default:
		return unsure("The data differ, and the column of the field holds other values too, perhaps displayed in another form: %s.", counts)
	}
}

// unsure is the finding that nothing can be told.
func unsure(format string, args ...any) finding {
	return finding{verdict: FilterUnknown, evidence: fmt.Sprintf(format, args...)}
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

var (
	datePattern   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?$`)
	numberPattern = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
)

// missingMember gives a member that no data have, of the kind of the given ones.
func missingMember(wanted []string) (string, bool) {
	fits := func(fits func(string) bool) bool {
		return !slices.ContainsFunc(wanted, func(v string) bool { return !fits(v) })
	}
	var candidate string
	switch {
	case fits(func(v string) bool { return v == "true" || v == "false" }):
		if slices.Contains(wanted, "true") {
			candidate = "false"
		} else {
			candidate = "true"
		}
	case fits(datePattern.MatchString):
		candidate = "1601-01-01"
		if len(wanted[0]) > len(candidate) {
			candidate += " 00:00:00"
		}
	case fits(numberPattern.MatchString):
		candidate = "-987654321"
	default:
		candidate = "vizpost - no such member"
	}
	return candidate, !slices.Contains(wanted, candidate)
}
