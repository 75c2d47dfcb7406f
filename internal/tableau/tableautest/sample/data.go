package sample

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/drawing"
)

// Query is what one export asks of a view.
type Query struct {
	Selection Selection
	Saved     Selection // what a custom view is filtered to beforehand
	TopN      int       // the parameter "Top N"; 0 for its default of 10
	Language  Language  // of numbers and months
}

// data is the orders that a view shows.
type data struct {
	all     []Order
	current []Order // the last twelve months, or all where a date was filtered on
	before  []Order // the twelve months before, or none
	compare bool    // current and before are comparable years
	topN    int
	in      Language
}

func (q Query) data(orders []Order) data {
	d := data{
		all: q.Selection.apply(q.Saved.apply(orders)), compare: !q.Selection.dated() && !q.Saved.dated(), topN: q.TopN,
		in: q.Language,
	}
	if d.topN <= 0 {
		d.topN = 10
	}
	if !d.compare {
		d.current = d.all
		return d
	}
	// Orders are sorted by date.
	cut, _ := slices.BinarySearchFunc(d.all, lastYear, func(o Order, t time.Time) int { return o.Date.Compare(t) })
	d.before, d.current = d.all[:cut], d.all[cut:]
	return d
}

// period names the time that the current orders cover.
func (d data) period() string {
	if d.compare {
		return d.in.months(lastYear, lastYear.AddDate(0, 11, 0))
	}
	return d.wholePeriod()
}

// wholePeriod names the time that all orders cover.
func (d data) wholePeriod() string {
	if d.compare {
		return d.in.months(firstMonth, firstMonth.AddDate(0, months-1, 0))
	}
	if len(d.all) == 0 {
		return ""
	}
	return d.in.months(d.all[0].Date, d.all[len(d.all)-1].Date)
}

// measure is a number taken from a set of orders.
type measure func([]Order) float64

func sum(of func(Order) float64) measure {
	return func(orders []Order) float64 {
		total := 0.0
		for _, o := range orders {
			total += of(o)
		}
		return total
	}
}

func sales(o []Order) float64    { return sum(func(o Order) float64 { return o.Sales })(o) }
func profit(o []Order) float64   { return sum(func(o Order) float64 { return o.Profit })(o) }
func quantity(o []Order) float64 { return sum(func(o Order) float64 { return float64(o.Quantity) })(o) }
func costs(o []Order) float64    { return sales(o) - profit(o) }

func margin(o []Order) float64 {
	if s := sales(o); s != 0 {
		return profit(o) / s
	}
	return 0
}

func distinct(of func(Order) string) measure {
	return func(orders []Order) float64 {
		seen := map[string]bool{}
		for _, o := range orders {
			seen[of(o)] = true
		}
		return float64(len(seen))
	}
}

func orderCount(o []Order) float64    { return distinct(func(o Order) string { return o.ID })(o) }
func customerCount(o []Order) float64 { return distinct(func(o Order) string { return o.Customer })(o) }

func basket(o []Order) float64 {
	if n := orderCount(o); n > 0 {
		return sales(o) / n
	}
	return 0
}

func daysToShip(o []Order) float64 {
	if len(o) == 0 {
		return 0
	}
	return sum(func(o Order) float64 { return float64(o.ShipDays) })(o) / float64(len(o))
}

// group is the orders that have one value of a field.
type group struct {
	name   string
	orders []Order
}

// by groups orders by a field, in the order in which the values first appear.
func by(orders []Order, of func(Order) string) []group {
	var out []group
	at := map[string]int{}
	for _, o := range orders {
		name := of(o)
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, group{name: name})
		}
		out[i].orders = append(out[i].orders, o)
	}
	return out
}

func region(o Order) string        { return o.Region }
func category(o Order) string      { return o.Category }
func subCategory(o Order) string   { return o.SubCategory }
func segment(o Order) string       { return o.Segment }
func shipMode(o Order) string      { return o.ShipMode }
func buyer(o Order) string         { return o.Customer }
func month(o Order) string         { return o.Date.Format("January 2006") }
func fiscalQuarter(o Order) string { return quarter(o.Date) }

// byName sorts groups by their names.
func byName(groups []group) []group {
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(a.name, b.name) })
	return groups
}

// largest sorts groups by a measure, the greatest first.
func largest(groups []group, of measure) []group {
	value := make(map[string]float64, len(groups))
	for _, g := range groups {
		value[g.name] = of(g.orders)
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(value[b.name], value[a.name]) })
	return groups
}

// monthly is the course of a measure over months from first on, with gaps
// where there are no orders.
func monthly(orders []Order, of measure, first time.Time, n int) []float64 {
	parts := make([][]Order, n)
	for _, o := range orders {
		i := (o.Date.Year()-first.Year())*12 + int(o.Date.Month()) - int(first.Month())
		if i >= 0 && i < n {
			parts[i] = append(parts[i], o)
		}
	}
	out := make([]float64, n)
	for i, part := range parts {
		if out[i] = of(part); len(part) == 0 {
			out[i] = math.NaN()
		}
	}
	return out
}

// course is the months that the current orders cover.
func (d data) course() (first time.Time, n int) {
	if d.compare {
		return lastYear, 12
	}
	if len(d.current) == 0 {
		return lastYear, 0
	}
	from, to := d.current[0].Date, d.current[len(d.current)-1].Date
	first = time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
	return first, (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month()) + 1
}

// tile makes a figure with its change against the twelve months before.
func (d data) tile(label string, of measure, write drawing.Format, versus string) drawing.Tile {
	t := drawing.Tile{Label: label, Value: write(of(d.current))}
	first, n := d.course()
	for _, v := range monthly(d.current, of, first, n) {
		if !math.IsNaN(v) {
			t.Trend = append(t.Trend, v)
		}
	}
	now, then := of(d.current), of(d.before)
	if !d.compare || then == 0 || now == 0 {
		return t
	}
	change := now/then - 1
	t.Rising, t.Good = change >= 0, change >= 0
	t.Change = d.in.percent(math.Abs(change)) + " " + versus
	return t
}

// points makes a tile of a ratio, whose change is in points.
func (d data) points(label string, of measure, versus, unit string) drawing.Tile {
	t := d.tile(label, of, d.in.percent, versus)
	if t.Change != "" {
		change := of(d.current) - of(d.before)
		t.Rising, t.Good = change >= 0, change >= 0
		t.Change = Decimal.Format(math.Abs(change)*100, d.in) + " " + unit + " " + versus
	}
	return t
}

// categoryColor gives each category one colour in all pictures.
func categoryColor(name string) drawing.Color {
	switch name {
	case "Furniture":
		return drawing.Amber
	case "Office Supplies":
		return drawing.Teal
	}
	return drawing.Blue
}

func categoryKeys(orders []Order) []drawing.Key {
	var keys []drawing.Key
	for _, g := range byName(by(orders, category)) {
		keys = append(keys, drawing.Key{Name: g.name, Color: categoryColor(g.name)})
	}
	return keys
}
