package tableau

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/problem"
)

// Filter restricts an export to the members of a field, or sets a parameter.
//
// Field is the field's caption exactly as the view shows it, upper and lower
// case included; a parameter is "Parameters." and its name. Tableau ignores a
// field that it does not know and answers with unfiltered data.
//
// Values are members, exactly as they are: no wildcards or ranges, and
// comparisons such as "gt:1000", which Tableau leaves out silently, are refused.
// Dates are "2026-01-31" or "2026-01-31 09:00:00", booleans "true" and "false",
// numbers plain. Several values are alternatives, and those of several fields
// combine in every way, up to 100 combinations of two fields and more: Tableau itself pairs them by their
// places, so each combination is written out. One empty value is sent as it
// is, for servers that take away the workbook's own filter on the field then;
// Tableau does not document it, so see the package verify for what it does.
// Source: Tableau REST API reference, "Query View Image", view filters.
type Filter struct {
	Field  string
	Values []string
}

const (
	parameterPrefix    = "Parameters."
	maxCombinations    = 100
	maxFilterQuery     = 6000 // bytes, encoded; gateways refuse addresses above 8 KB
	maxFilterFields    = 50
	maxFieldName       = 200 // characters
	filterQueryKey     = "vf_"
	filterSeparator    = ","
	escapedSeparator   = `\,`
	filterFieldMessage = "Name a field's caption as the view shows it, of at most 200 characters; of a parameter, Parameters. and its name."
)

// comparisonPattern is the form in which lists of the REST API are filtered. In
// the filters of a view Tableau drops it without a word.
var comparisonPattern = regexp.MustCompile(`^(?i:gt|gte|lt|lte):\s*-?\d`)

// validateFilters notes what cannot be sent.
func validateFilters(filters []Filter, wrong *problem.Fields) {
	if len(filters) > maxFilterFields {
		wrong.Add("filters", "At most %d fields can be filtered.", maxFilterFields)
		return
	}
	seen := make(map[string]bool, len(filters))
	combinations, several := 1, 0 // fields with several values
	for _, f := range filters {
		if f.Field == "" || f.Field == parameterPrefix || utf8.RuneCountInString(f.Field) > maxFieldName || !isLine(f.Field) {
			wrong.Add("filters", filterFieldMessage)
			continue
		}
		if seen[f.Field] {
			wrong.Add("filters", "A field stands twice. Put all of its values in one filter.")
		}
		seen[f.Field] = true
		switch {
		case len(f.Values) == 0:
			wrong.Add("filters", "A filter has no value. Leave the filter out to export everything.")
		case f.IsParameter() && len(f.Values) > 1:
			wrong.Add("filters", "A parameter takes a single value.")
		}
		for _, v := range f.Values {
			if v == "" && len(f.Values) > 1 {
				wrong.Add("filters", "A filter has an empty value among others.")
			}
			if !isLine(v) {
				wrong.Add("filters", "A filter's value has a line break or another control character.")
			}
			if !f.IsParameter() && comparisonPattern.MatchString(v) {
				wrong.Add("filters", "A filter's value is a comparison, such as gt:1000. Tableau takes members alone here and would leave such a filter out. Filter by a calculated field of the view with a parameter in it.")
			}
		}
		if !f.IsParameter() {
			combinations = min(combinations*max(len(f.Values), 1), maxCombinations+1)
			if len(f.Values) > 1 {
				several++
			}
		}
	}
	if combinations > maxCombinations && several > 1 { // one field alone combines with nothing
		wrong.Add("filters", "The filters have more than %d combinations of values. Use fewer values, or filter in the view itself.", maxCombinations)
		return
	}
	if len(*wrong) == 0 && len(encodeFilters(filters)) > maxFilterQuery {
		wrong.Add("filters", "The filters are too long for a request to Tableau. Use fewer or shorter values.")
	}
}

// isLine reports whether a text is one line of readable text.
func isLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// IsParameter reports whether the filter sets a parameter.
func (f Filter) IsParameter() bool { return strings.HasPrefix(f.Field, parameterPrefix) }

// encodeFilters writes filters as a query, without a leading "&".
//
// Tableau combines the values of several fields by position: two fields of two
// values each are two pairs, not four combinations. What people mean by several
// filters is every combination, so that is written out. Source: Tableau REST API
// reference, "Query View Image", view filters.
func encodeFilters(filters []Filter) string {
	var parts []string
	for _, f := range expand(filters) {
		values := make([]string, len(f.Values))
		for i, v := range f.Values {
			values[i] = escapeValue(v)
		}
		parts = append(parts, escapeQuery(filterQueryKey+f.Field)+"="+escapeQuery(strings.Join(values, filterSeparator)))
	}
	return strings.Join(parts, "&")
}

// expand repeats the values of the filters so that each position is one
// combination. A parameter and a filter that is taken away stand alone.
func expand(filters []Filter) []Filter {
	total, fields := 1, 0
	for _, f := range filters {
		if f.combines() {
			total *= len(f.Values)
			fields++
		}
	}
	if fields < 2 || total == 1 {
		return filters
	}
	expanded := make([]Filter, len(filters))
	period := total
	for i, f := range filters {
		expanded[i] = f
		if !f.combines() {
			continue
		}
		period /= len(f.Values)
		values := make([]string, total)
		for n := range values {
			values[n] = f.Values[n/period%len(f.Values)]
		}
		expanded[i].Values = values
	}
	return expanded
}

func (f Filter) combines() bool {
	return !f.IsParameter() && len(f.Values) > 0 && (len(f.Values) > 1 || f.Values[0] != "")
}

// escapeValue writes one value of a list. A comma is written \, as Tableau
// documents. Of a backslash it documents nothing, so one stays as it is, that
// values such as DOMAIN\user match, except where it would be read as escaping
// what follows.
func escapeValue(v string) string {
	var b strings.Builder
	for i := range len(v) {
		switch {
		case v[i] == ',':
			b.WriteString(escapedSeparator)
		case v[i] == '\\' && (i+1 == len(v) || v[i+1] == ',' || v[i+1] == '\\'):
			b.WriteString(`\\`)
		default:
			b.WriteByte(v[i])
		}
	}
	return b.String()
}

// splitValues is the inverse of joining escaped values. A backslash before
// anything but a comma or another stays: people paste values as they are.
func splitValues(s string) []string {
	var (
		values []string
		b      strings.Builder
	)
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == ',' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case s[i] == ',':
			values = append(values, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(values, b.String())
}

// escapeQuery percent-encodes a key or value, with spaces as %20, which means a
// space whether or not a server takes + for one.
func escapeQuery(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
