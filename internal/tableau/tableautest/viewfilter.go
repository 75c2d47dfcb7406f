package tableautest

import (
	"net/url"
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
		if sample.IsField(caption) {
			for _, v := range values {
				fields[caption] = append(fields[caption], splitValues(v)...)
			}
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

// splitValues splits at commas; a backslash takes the special meaning from what
// follows it.
func splitValues(text string) []string {
	var out []string
	var current strings.Builder
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			current.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',':
			out = append(out, current.String())
			current.Reset()
		default:
			current.WriteRune(r)
		}
	}
	return append(out, current.String())
}
