package tableautest

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// column is a field of a list by which it can be filtered and sorted.
type column[T any] struct {
	operators []string
	text      func(T) []string  // for text; several values for tags
	number    func(T) float64   // for numbers
	when      func(T) time.Time // for times
}

var (
	textOps    = []string{"eq", "in"}
	orderedOps = []string{"eq", "gt", "gte", "lt", "lte"}
)

func textColumn[T any](of func(T) string) column[T] {
	return column[T]{operators: textOps, text: func(v T) []string { return []string{of(v)} }}
}

func eqColumn[T any](of func(T) string) column[T] {
	return column[T]{operators: []string{"eq"}, text: func(v T) []string { return []string{of(v)} }}
}

func numberColumn[T any](of func(T) float64) column[T] {
	return column[T]{operators: orderedOps, number: of}
}

func timeColumn[T any](of func(T) time.Time) column[T] {
	return column[T]{operators: orderedOps, when: of}
}

// collection is a list that a client can page through, filter, sort and pick
// the fields of.
type collection[T any] struct {
	container string
	columns   map[string]column[T]
	render    func(T) *node
	defaults  []string // the fields of "_default_"
}

// encodedSeparators finds what servers before 2020.1 refuse in a filter: colons
// and brackets that are percent-encoded
// (github.com/tableau/server-client-python/issues/442 and 732).
var encodedSeparators = regexp.MustCompile(`(?i)(^|&)filter=[^&]*%(3A|5B|5D)`)

// serve answers with the page that the query asks for.
func (l collection[T]) serve(c *call, items []T) reply {
	if c.server.version.before(version{3, 7}) && encodedSeparators.MatchString(c.request.URL.RawQuery) {
		return failure(400065, "The filter query is missing a value for key 'name'.")
	}
	items, refused := l.filtered(items, strings.Join(c.query["filter"], ","))
	if refused.status != 0 {
		return refused
	}
	if refused := l.sort(items, c.query.Get("sort")); refused.status != 0 {
		return refused
	}
	size, refused := pageNumber(c.query.Get("pageSize"), 100, 400007, "page size")
	if refused.status != 0 {
		return refused
	}
	if size > 1000 {
		return failure(403014, "The page size '%d' exceeds the maximum of 1000.", size)
	}
	number, refused := pageNumber(c.query.Get("pageNumber"), 1, 400006, "page number")
	if refused.status != 0 {
		return refused
	}
	total := len(items)
	start := (number - 1) * size
	if number > 1 && start >= total {
		return failure(400006, "0xB4EAB088 : The start index '%d' is greater than or equal to the total count.)", start)
	}
	keep := selectFields(c.query.Get("fields"), l.defaults)
	nodes := make([]*node, 0, size)
	for _, item := range items[start:min(total, start+size)] {
		n := l.render(item)
		n.prune("", keep)
		nodes = append(nodes, n)
	}
	pagination := element("pagination",
		"pageNumber", strconv.Itoa(number), "pageSize", strconv.Itoa(size), "totalAvailable", strconv.Itoa(total))
	return answer(pagination, listOf(l.container, nodes...))
}

func pageNumber(text string, otherwise, code int, what string) (int, reply) {
	if text == "" {
		return otherwise, reply{}
	}
	n, err := strconv.Atoi(text)
	// More than this many would overflow in the product of the two.
	if err != nil || n < 1 || n > 1<<24 {
		return 0, failure(code, "The %s '%s' is not a positive integer.", what, text)
	}
	return n, reply{}
}

// filtered applies a filter expression: field:operator:value, and-combined by
// commas; the last of several for one field wins. It returns a new slice.
func (l collection[T]) filtered(items []T, expression string) ([]T, reply) {
	tests := map[string]func(T) bool{}
	for _, term := range splitTerms(expression) {
		name, rest, _ := strings.Cut(term, ":")
		operator, value, _ := strings.Cut(rest, ":")
		col, ok := l.columns[name]
		switch {
		// An ampersand ends a value even where it is encoded.
		case value == "" || strings.Contains(value, "&"):
			return nil, failure(400065, "The filter query is missing a value for key '%s'.", name)
		case !ok:
			return nil, failure(400065, "The filter query contains a key which is not recognized for this api version.")
		case !slices.Contains(col.operators, operator):
			return nil, failure(400065, "The filter query contains an operator that is not supported for key '%s'.", name)
		}
		test, ok := col.test(operator, value)
		if !ok {
			return nil, failure(400065, "The filter query contains a value that is not valid for key '%s'.", name)
		}
		tests[name] = test
	}
	out := make([]T, 0, len(items))
	for _, item := range items {
		keep := true
		for _, test := range tests {
			keep = keep && test(item)
		}
		if keep {
			out = append(out, item)
		}
	}
	return out, reply{}
}

// splitTerms splits at the commas outside of brackets.
func splitTerms(expression string) []string {
	if expression == "" {
		return nil
	}
	var terms []string
	depth, start := 0, 0
	for i, r := range expression {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth <= 0 {
				terms = append(terms, expression[start:i])
				start = i + 1
			}
		}
	}
	return append(terms, expression[start:])
}

func (col column[T]) test(operator, value string) (func(T) bool, bool) {
	if col.text != nil {
		accepted := []string{value}
		equal := func(a, b string) bool { return a == b }
		switch operator {
		case "in":
			accepted = strings.Split(strings.TrimSuffix(strings.TrimPrefix(value, "["), "]"), ",")
		case "cieq":
			equal = strings.EqualFold
		}
		return func(item T) bool {
			return slices.ContainsFunc(col.text(item), func(v string) bool {
				return slices.ContainsFunc(accepted, func(want string) bool { return equal(v, want) })
			})
		}, true
	}
	var compare func(T) int
	if col.when != nil {
		limit, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return nil, false
		}
		compare = func(item T) int { return col.when(item).Compare(limit) }
	} else {
		limit, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, false
		}
		compare = func(item T) int { return cmp.Compare(col.number(item), limit) }
	}
	return func(item T) bool {
		switch order := compare(item); operator {
		case "gt":
			return order > 0
		case "gte":
			return order >= 0
		case "lt":
			return order < 0
		case "lte":
			return order <= 0
		default:
			return order == 0
		}
	}, true
}

// sort sorts in place by field:direction terms, the first of them first.
func (l collection[T]) sort(items []T, expression string) reply {
	var orders []func(a, b T) int
	for _, term := range splitTerms(expression) {
		name, direction, _ := strings.Cut(term, ":")
		col, ok := l.columns[name]
		if !ok || direction != "asc" && direction != "desc" {
			return failure(400066, "The sort expression '%s' is not valid.", term)
		}
		sign := 1
		if direction == "desc" {
			sign = -1
		}
		orders = append(orders, func(a, b T) int { return sign * col.compare(a, b) })
	}
	slices.SortStableFunc(items, func(a, b T) int {
		for _, order := range orders {
			if n := order(a, b); n != 0 {
				return n
			}
		}
		return 0
	})
	return reply{}
}

func (col column[T]) compare(a, b T) int {
	switch {
	case col.text != nil:
		return slices.Compare(col.text(a), col.text(b))
	case col.when != nil:
		return col.when(a).Compare(col.when(b))
	default:
		return cmp.Compare(col.number(a), col.number(b))
	}
}

// selectFields reads a fields parameter. Names that are not known select
// nothing.
func selectFields(expression string, defaults []string) func(path string) bool {
	names := []string{"_default_"}
	if expression != "" {
		names = strings.Split(expression, ",")
	}
	if slices.Contains(names, "_all_") {
		return func(string) bool { return true }
	}
	if slices.Contains(names, "_default_") {
		names = append(names, defaults...)
	}
	return func(path string) bool { return slices.Contains(names, path) }
}

// prune removes what is not to be kept. The attributes and elements of a
// resource within have dotted names, such as owner.name.
func (n *node) prune(prefix string, keep func(path string) bool) {
	n.attrs = slices.DeleteFunc(n.attrs, func(a attr) bool { return !keep(prefix + a.name) })
	n.kids = slices.DeleteFunc(n.kids, func(kid *node) bool {
		if kid.field {
			return !keep(prefix + kid.name)
		}
		kid.prune(prefix+kid.name+".", keep)
		return len(kid.attrs) == 0 && len(kid.kids) == 0
	})
}
