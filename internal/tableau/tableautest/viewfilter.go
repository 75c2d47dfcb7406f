package tableautest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// viewQuery reads the vf_ parameters. Fields that do not exist are ignored, as
// Tableau does. It reports false where the fields have different numbers of
// values.
func viewQuery(query url.Values) (sample.Query, bool) {
	var q sample.Query
	fields := map[string][]string{}
	for key, values := range query {
		caption, ok := strings.CutPrefix(key, "vf_")
		if !ok {
			continue
		}
		if name := strings.TrimPrefix(caption, "Parameters."); name == "Top N" {
			if n, err := strconv.Atoi(values[0]); err == nil && n > 0 {
				q.TopN = n
			}
			continue
		}
		if !sample.IsField(caption) {
			continue
		}
		var members []string
		for _, v := range values {
			members = append(members, splitValues(v)...)
		}
		// A comparison such as gt:5 is no member of a field of numbers and is dropped
		// (github.com/tableau/server-client-python/issues/1752).
		if !sample.IsNumeric(caption) || !slices.ContainsFunc(members, notNumeric) {
			fields[caption] = members
		}
	}
	for caption, values := range fields {
		if q.Selection == nil {
			q.Selection = make(sample.Selection, len(values))
			for i := range q.Selection {
				q.Selection[i] = sample.Tuple{}
			}
		}
		if len(values) != len(q.Selection) {
			return sample.Query{}, false
		}
		for i, v := range values {
			q.Selection[i][caption] = v
		}
	}
	return q, true
}

func notNumeric(member string) bool {
	_, err := strconv.ParseFloat(member, 64)
	return err != nil
}

// splitValues splits at commas that no backslash stands before. A backslash
// before anything but a comma or another is one of the value's own.
func splitValues(text string) []string {
	var out []string
	var current strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == ',' || text[i+1] == '\\'):
			i++
			current.WriteByte(text[i])
		case text[i] == ',':
			out = append(out, current.String())
			current.Reset()
		default:
			current.WriteByte(text[i])
		}
	}
	return append(out, current.String())
}
