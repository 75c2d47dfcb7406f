package sample

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Selection filters orders. Each tuple names a value for some fields; an order
// is selected when it has all values of any one tuple. So two values of two
// fields are two pairs and not four combinations: "year=2017,2018" with
// "region=west,east" is (2017 and west) or (2018 and east), as the Tableau REST
// API reference says under Filter query views. The empty Selection selects all.
type Selection []Tuple

// Tuple maps field captions to values.
type Tuple map[string]string

// dates are the fields that are taken from the order date.
var dates = [...]string{"Order Date", "Month of Order Date", "Fiscal Quarter", "Year of Order Date"}

// IsField reports whether the data source has a field of that caption, which
// is case-sensitive.
func IsField(caption string) bool {
	_, ok := field(Order{}, caption)
	return ok
}

// Fields returns the captions of all fields that can be filtered on.
func Fields() []string {
	out := []string{
		"Category", "City", "Customer Name", "Order ID", "Quantity", "Region", "Segment",
		"Ship Mode", "State", "Sub-Category",
	}
	out = append(out, dates[:]...)
	sort.Strings(out)
	return out
}

// field returns an order's value of a field as the view shows it.
func field(o Order, caption string) (string, bool) {
	switch caption {
	case "Category":
		return o.Category, true
	case "City":
		return o.City, true
	case "Customer Name":
		return o.Customer, true
	case "Order ID":
		return o.ID, true
	case "Quantity":
		return strconv.Itoa(o.Quantity), true
	case "Region":
		return o.Region, true
	case "Segment":
		return o.Segment, true
	case "Ship Mode":
		return o.ShipMode, true
	case "State":
		return o.State, true
	case "Sub-Category":
		return o.SubCategory, true
	case "Order Date":
		return o.Date.Format(time.DateOnly), true
	case "Month of Order Date":
		return o.Date.Format("January 2006"), true
	case "Year of Order Date":
		return o.Date.Format("2006"), true
	case "Fiscal Quarter":
		return quarter(o.Date), true
	}
	return "", false
}

func (s Selection) apply(orders []Order) []Order {
	if len(s) == 0 {
		return orders
	}
	var out []Order
	for _, o := range orders {
		if slices.ContainsFunc(s, func(t Tuple) bool { return t.has(o) }) {
			out = append(out, o)
		}
	}
	return out
}

func (t Tuple) has(o Order) bool {
	for caption, want := range t {
		if caption == "Order Date" {
			// A date may come with a time of day; the orders have none.
			want = strings.TrimSuffix(want, " 00:00:00")
		}
		if got, _ := field(o, caption); got != want {
			return false
		}
	}
	return true
}

// dated reports whether a date is among the fields, so that comparing with the
// year before makes no sense.
func (s Selection) dated() bool {
	for _, t := range s {
		for _, caption := range dates {
			if _, ok := t[caption]; ok {
				return true
			}
		}
	}
	return false
}

// String says what is selected, for the foot of a picture: the values of each
// field, or those that go together where not all combinations are selected.
func (s Selection) String() string {
	values := map[string][]string{}
	for _, t := range s {
		for caption, v := range t {
			if !slices.Contains(values[caption], v) {
				values[caption] = append(values[caption], v)
			}
		}
	}
	if len(values) == 0 {
		return ""
	}
	captions := slices.Sorted(maps.Keys(values))
	var tuples []string
	for _, t := range s {
		parts := make([]string, len(captions))
		for i, caption := range captions {
			parts[i] = t[caption]
		}
		if text := strings.Join(parts, " / "); !slices.Contains(tuples, text) {
			tuples = append(tuples, text)
		}
	}
	combinations := 1
	for _, caption := range captions {
		// More than there are tuples is more than enough to know.
		combinations = min(combinations*len(values[caption]), len(tuples)+1)
	}
	if combinations != len(tuples) {
		return strings.Join(captions, " / ") + ": " + strings.Join(tuples, ", ")
	}
	parts := make([]string, len(captions))
	for i, caption := range captions {
		parts[i] = caption + ": " + strings.Join(values[caption], ", ")
	}
	return join(parts...)
}

// quarter names the fiscal quarter of a date: fiscal year 2026 begins on
// 1 November 2025.
func quarter(day time.Time) string {
	shifted := time.Date(day.Year(), day.Month()+2, 1, 0, 0, 0, 0, time.UTC)
	return "FY" + shifted.Format("06") + " Q" + strconv.Itoa((int(shifted.Month())-1)/3+1)
}

// shortQuarter is the name of a fiscal quarter on an axis: Q1 '26.
func shortQuarter(name string) string {
	year, q, _ := strings.Cut(strings.TrimPrefix(name, "FY"), " ")
	return q + " ’" + year
}
