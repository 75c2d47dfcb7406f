package sample

import (
	"math"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/drawing"
)

// worksheet is one sheet: its data as a table, and the same data as a chart.
type worksheet struct {
	name  string
	note  string // what the chart shows, after its title
	whole bool   // the chart shows all orders and not the last year's
	table func(data) Table
	chart func(data) drawing.Chart
}

func (w worksheet) data(d data) Table {
	t := w.table(d)
	t.Name, t.Language = w.name, d.in
	return t
}

func (w worksheet) card(d data, weight float64) drawing.Card {
	return drawing.Card{Weight: weight, Title: w.name, Subtitle: w.note, Chart: w.chart(d)}
}

func salesByRegion(name, note string) worksheet {
	return worksheet{
		name: name,
		note: note,
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Region", Text}, {"Category", Text}, {"Sales", Dollars}, {"Profit", Dollars}}}
			for _, r := range largest(by(d.current, region), sales) {
				for _, c := range byName(by(r.orders, category)) {
					t.Rows = append(t.Rows, []Value{words(r.name), words(c.name), figure(sales(c.orders)), figure(profit(c.orders))})
				}
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			chart := drawing.Bars{Format: d.in.money, Keys: categoryKeys(d.current)}
			for _, r := range largest(by(d.current, region), sales) {
				bar := drawing.Bar{Name: r.name}
				for _, c := range byName(by(r.orders, category)) {
					bar.Parts = append(bar.Parts, drawing.Part{Value: sales(c.orders), Color: categoryColor(c.name)})
				}
				chart.Bars = append(chart.Bars, bar)
			}
			return chart
		},
	}
}

func profitByCategory() worksheet {
	return worksheet{
		name: "Profit by Category",
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Category", Text}, {"Sub-Category", Text}, {"Profit", Dollars}, {"Sales", Dollars}, {"Profit Ratio", Percent}}}
			for _, c := range byName(by(d.current, category)) {
				for _, s := range largest(by(c.orders, subCategory), profit) {
					t.Rows = append(t.Rows, []Value{words(c.name), words(s.name), figure(profit(s.orders)), figure(sales(s.orders)), figure(margin(s.orders))})
				}
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			chart := drawing.Bars{Format: d.in.money, Keys: categoryKeys(d.current)}
			for _, s := range largest(by(d.current, subCategory), profit) {
				color := categoryColor(s.orders[0].Category)
				chart.Bars = append(chart.Bars, drawing.Bar{Name: s.name, Parts: []drawing.Part{{Value: profit(s.orders), Color: color}}})
			}
			return chart
		},
	}
}

func monthlySales() worksheet {
	return worksheet{
		name: "Monthly Sales",
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Month of Order Date", Text}, {"Sales", Dollars}, {"Profit", Dollars}, {"Orders", Number}}}
			for _, m := range by(d.all, month) {
				t.Rows = append(t.Rows, []Value{words(d.in.month(m.orders[0].Date)), figure(sales(m.orders)), figure(profit(m.orders)), figure(orderCount(m.orders))})
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			return d.years(sales, "Last 12 months", "Previous 12 months", d.in.shortMonth)
		},
	}
}

// years draws a measure by month, beside the year before where there is one.
func (d data) years(of measure, now, before string, label func(time.Time) string) drawing.Lines {
	first, n := d.course()
	chart := drawing.Lines{Format: d.in.money}
	if len(d.current) == 0 {
		return chart
	}
	for i := range n {
		chart.Labels = append(chart.Labels, label(first.AddDate(0, i, 0)))
	}
	chart.Series = []drawing.Series{{Name: now, Values: monthly(d.current, of, first, n), Color: drawing.Blue}}
	if d.compare && before != "" {
		chart.Series = append(chart.Series, drawing.Series{
			Name: before, Values: monthly(d.before, of, first.AddDate(-1, 0, 0), n), Color: drawing.Silver, Dashed: true,
		})
	}
	return chart
}

func topCustomers() worksheet {
	return worksheet{
		name: "Top Customers",
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Customer Name", Text}, {"Segment", Text}, {"City", Text}, {"Sales", Dollars}, {"Profit", Dollars}, {"Quantity", Number}}}
			for _, c := range d.top() {
				t.Rows = append(t.Rows, []Value{
					words(c.name), words(c.orders[0].Segment), words(c.orders[0].City),
					figure(sales(c.orders)), figure(profit(c.orders)), figure(quantity(c.orders)),
				})
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			chart := drawing.Bars{Format: d.in.money}
			for _, c := range d.top() {
				chart.Bars = append(chart.Bars, drawing.Bar{Name: c.name, Parts: []drawing.Part{{Value: sales(c.orders), Color: drawing.Blue}}})
			}
			return chart
		},
	}
}

// top is the best customers, as many as the parameter "Top N" says.
func (d data) top() []group {
	groups := largest(by(d.current, buyer), sales)
	return groups[:min(len(groups), d.topN)]
}

func shippingSheet() worksheet {
	return worksheet{
		name:  "Shipping",
		note:  "orders by ship mode",
		whole: true,
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Fiscal Quarter", Text}, {"Ship Mode", Text}, {"Orders", Number}, {"Avg. Days to Ship", Decimal}}}
			for _, q := range by(d.all, fiscalQuarter) {
				for _, m := range byName(by(q.orders, shipMode)) {
					t.Rows = append(t.Rows, []Value{words(q.name), words(m.name), figure(orderCount(m.orders)), figure(daysToShip(m.orders))})
				}
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			quarters := by(d.all, fiscalQuarter)
			chart := drawing.Columns{Format: d.in.count}
			for _, q := range quarters {
				chart.Labels = append(chart.Labels, shortQuarter(q.name))
			}
			for i, m := range byName(by(d.all, shipMode)) {
				series := drawing.Series{Name: m.name, Color: drawing.Palette(i), Values: make([]float64, len(quarters))}
				for j, q := range quarters {
					for _, part := range by(q.orders, shipMode) {
						if part.name == m.name {
							series.Values[j] = orderCount(part.orders)
						}
					}
				}
				chart.Series = append(chart.Series, series)
			}
			return chart
		},
	}
}

// account is one line of the profit and loss statement.
type account struct {
	name   string
	of     measure
	strong bool
}

// accounts derives a statement from orders: selling and sending take fixed
// shares of the revenue, and what remains beside the profit is what the goods
// cost.
func accounts() []account {
	const selling, sending = 0.061, 0.034
	return []account{
		{"Revenue", sales, true},
		{"Cost of goods", func(o []Order) float64 { return -(costs(o) - (selling+sending)*sales(o)) }, false},
		{"Marketing", func(o []Order) float64 { return -selling * sales(o) }, false},
		{"Logistics", func(o []Order) float64 { return -sending * sales(o) }, false},
		{"Operating profit", profit, true},
	}
}

func profitAndLoss(name string) worksheet {
	return worksheet{
		name:  name,
		note:  "by fiscal quarter",
		whole: true,
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Account", Text}, {"Fiscal Quarter", Text}, {"Amount", Dollars}}}
			for _, a := range accounts() {
				for _, q := range by(d.all, fiscalQuarter) {
					t.Rows = append(t.Rows, []Value{words(a.name), words(q.name), figure(a.of(q.orders))})
				}
			}
			if len(d.all) == 0 {
				t.Rows = nil
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			quarters := by(d.all, fiscalQuarter)
			chart := drawing.Grid{Format: d.in.money}
			for _, q := range quarters {
				chart.Columns = append(chart.Columns, q.name)
			}
			for _, a := range accounts() {
				row := drawing.GridRow{Name: a.name, Strong: a.strong}
				for _, q := range quarters {
					row.Values = append(row.Values, a.of(q.orders))
				}
				chart.Rows = append(chart.Rows, row)
			}
			return chart
		},
	}
}

func operatingProfit() worksheet {
	return worksheet{
		name:  "Operating Profit",
		note:  "by fiscal quarter",
		whole: true,
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Fiscal Quarter", Text}, {"Operating Profit", Dollars}, {"Margin", Percent}}}
			for _, q := range by(d.all, fiscalQuarter) {
				t.Rows = append(t.Rows, []Value{words(q.name), figure(profit(q.orders)), figure(margin(q.orders))})
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			chart := drawing.Columns{Format: d.in.money}
			series := drawing.Series{Name: "Operating profit", Color: drawing.Teal}
			for _, q := range by(d.all, fiscalQuarter) {
				chart.Labels = append(chart.Labels, shortQuarter(q.name))
				series.Values = append(series.Values, profit(q.orders))
			}
			chart.Series = []drawing.Series{series}
			return chart
		},
	}
}

// budget is what was planned: ten percent above the year before, or where
// there is none, a little below what came of it.
func (d data) budget() []float64 {
	first, n := d.course()
	factor, base := 0.97, monthly(d.current, sales, first, n)
	if d.compare && len(d.before) > 0 {
		factor, base = 1.10, monthly(d.before, sales, first.AddDate(-1, 0, 0), n)
	}
	for i := range base {
		base[i] *= factor
	}
	return base
}

func budgetAndActual() worksheet {
	return worksheet{
		name: "Budget / Actual",
		note: "revenue by month",
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Month of Order Date", Text}, {"Actual", Dollars}, {"Budget", Dollars}, {"Variance", Dollars}}}
			first, n := d.course()
			plan := d.budget()
			for i, actual := range monthly(d.current, sales, first, n) {
				if math.IsNaN(actual) || math.IsNaN(plan[i]) {
					continue
				}
				name := d.in.month(first.AddDate(0, i, 0))
				t.Rows = append(t.Rows, []Value{words(name), figure(actual), figure(plan[i]), figure(actual - plan[i])})
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			chart := d.years(sales, "Actual", "", d.in.shortMonth)
			if len(chart.Labels) > 0 {
				chart.Series = append(chart.Series, drawing.Series{Name: "Budget", Values: d.budget(), Color: drawing.Amber, Dashed: true})
			}
			return chart
		},
	}
}

func averageBasket() worksheet {
	return worksheet{
		name:  "Panier moyen",
		note:  "par segment et trimestre",
		whole: true,
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Segment", Text}, {"Fiscal Quarter", Text}, {"Panier moyen", Dollars}, {"Commandes", Number}}}
			for _, s := range byName(by(d.all, segment)) {
				for _, q := range by(s.orders, fiscalQuarter) {
					t.Rows = append(t.Rows, []Value{words(s.name), words(q.name), figure(basket(q.orders)), figure(orderCount(q.orders))})
				}
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			chart := drawing.Lines{Format: d.in.money}
			for _, q := range by(d.all, fiscalQuarter) {
				chart.Labels = append(chart.Labels, shortQuarter(q.name))
			}
			for i, s := range byName(by(d.all, segment)) {
				series := drawing.Series{Name: s.name, Color: drawing.Palette(i), Values: make([]float64, len(chart.Labels))}
				for j, label := range chart.Labels {
					series.Values[j] = math.NaN()
					for _, q := range by(s.orders, fiscalQuarter) {
						if shortQuarter(q.name) == label {
							series.Values[j] = basket(q.orders)
						}
					}
				}
				chart.Series = append(chart.Series, series)
			}
			return chart
		},
	}
}

func marginAndVolume() worksheet {
	return worksheet{
		name: "Marge & volume",
		note: "par sous-catégorie",
		table: func(d data) Table {
			t := Table{Columns: []Column{{"Category", Text}, {"Sub-Category", Text}, {"Ventes", Dollars}, {"Taux de marge", Percent}, {"Quantité", Number}}}
			for _, s := range byName(by(d.current, subCategory)) {
				t.Rows = append(t.Rows, []Value{
					words(s.orders[0].Category), words(s.name),
					figure(sales(s.orders)), figure(margin(s.orders)), figure(quantity(s.orders)),
				})
			}
			return t
		},
		chart: func(d data) drawing.Chart {
			chart := drawing.Scatter{
				XTitle: "Ventes", YTitle: "Taux de marge", XFormat: d.in.money, YFormat: d.in.wholePercent,
				Keys: categoryKeys(d.current),
			}
			groups := largest(by(d.current, subCategory), quantity)
			for _, s := range groups {
				chart.Points = append(chart.Points, drawing.Dot{
					Name: s.name, X: sales(s.orders), Y: margin(s.orders),
					Weight: quantity(s.orders) / quantity(groups[0].orders),
					Color:  categoryColor(s.orders[0].Category),
				})
			}
			return chart
		},
	}
}
