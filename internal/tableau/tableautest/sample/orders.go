// Package sample is what the Tableau stand-in has to show: sites with projects,
// workbooks and views, and two years of a made-up shop's orders behind them.
// Every start of the stand-in has the same orders and the same identifiers.
package sample

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Order is one line of one order.
type Order struct {
	ID          string
	Date        time.Time // midnight UTC
	Customer    string
	Segment     string
	Region      string
	State       string
	City        string
	Category    string
	SubCategory string
	ShipMode    string
	ShipDays    int
	Quantity    int
	Sales       float64 // US dollars
	Profit      float64 // US dollars
}

// The orders cover two fiscal years, which begin in November.
var (
	firstMonth = time.Date(2024, time.November, 1, 0, 0, 0, 0, time.UTC)
	lastYear   = firstMonth.AddDate(1, 0, 0) // where the last twelve months begin
)

const months = 24

type place struct{ region, state, city string }

type product struct {
	category, name string
	weight         float64 // share of the lines
	price          float64 // mean sales of a line
	margin         float64
}

type customer struct {
	name, segment string
	place         place
	weight        float64
}

func places() []place {
	return []place{
		{"West", "California", "Los Angeles"}, {"West", "California", "San Francisco"},
		{"West", "California", "San José"}, {"West", "Washington", "Seattle"},
		{"West", "Oregon", "Portland"}, {"West", "Colorado", "Denver"}, {"West", "Arizona", "Phoenix"},
		{"East", "New York", "New York City"}, {"East", "New York", "Buffalo"},
		{"East", "Pennsylvania", "Philadelphia"}, {"East", "Massachusetts", "Boston"}, {"East", "Ohio", "Columbus"},
		{"Central", "Texas", "Houston"}, {"Central", "Texas", "Dallas"},
		{"Central", "Illinois", "Chicago"}, {"Central", "Michigan", "Detroit"}, {"Central", "Minnesota", "Minneapolis"},
		{"South", "Florida", "Miami"}, {"South", "Georgia", "Atlanta"},
		{"South", "North Carolina", "Charlotte"}, {"South", "Tennessee", "Nashville"},
	}
}

func products() []product {
	return []product{
		{"Furniture", "Chairs", 0.10, 520, 0.10},
		{"Furniture", "Tables", 0.05, 620, -0.09},
		{"Furniture", "Bookcases", 0.04, 480, -0.03},
		{"Furniture", "Furnishings", 0.14, 95, 0.16},
		{"Office Supplies", "Binders", 0.15, 120, 0.17},
		{"Office Supplies", "Paper", 0.14, 60, 0.43},
		{"Office Supplies", "Storage", 0.09, 260, 0.11},
		{"Office Supplies", "Appliances", 0.06, 230, 0.18},
		{"Technology", "Phones", 0.09, 370, 0.15},
		{"Technology", "Machines", 0.02, 1500, 0.04},
		{"Technology", "Accessories", 0.10, 215, 0.25},
		{"Technology", "Copiers", 0.02, 2000, 0.34},
	}
}

// customers makes people's names from two lists, and adds a few companies
// whose names have what is hard to send in a query.
func customers(rnd *rand.Rand) []customer {
	first := []string{
		"Anna", "Ben", "Carla", "David", "Elena", "François", "Grace", "Hugo", "Ingrid", "José",
		"Karen", "Liam", "Maya", "Noah", "Olivia", "Pedro", "Quinn", "Rosa", "Samuel", "Zoë",
	}
	last := []string{
		"Adler", "Bennett", "Castillo", "Dubois", "Evans", "Fischer", "García", "Hayes", "Ivanov", "Jensen",
		"Kowalski", "Lambert", "Müller", "Nguyen", "O'Neill", "Petrov", "Quintero", "Rossi", "Sørensen", "Tanaka",
	}
	companies := []string{
		"Hart, Lopez & Sons", "Nakamura & Ito", "Café Lumière", "Northwind Traders", "A/B Supplies", "Ellis, Ltd.",
	}
	segments := []string{"Consumer", "Consumer", "Consumer", "Corporate", "Corporate", "Home Office"}
	at := places()
	out := make([]customer, 0, 160)
	for i := range 154 {
		out = append(out, customer{
			name:    first[(i*7)%len(first)] + " " + last[(i*3+i/len(last))%len(last)],
			segment: segments[rnd.IntN(len(segments))],
			place:   at[rnd.IntN(len(at))],
			weight:  0.2 + math.Pow(rnd.Float64(), 2)*2,
		})
	}
	for _, name := range companies {
		out = append(out, customer{name: name, segment: "Corporate", place: at[rnd.IntN(len(at))], weight: 3 + rnd.Float64()*2})
	}
	return out
}

// Orders returns all orders, oldest first. Each call makes a new slice with
// the same content.
func Orders() []Order {
	rnd := rand.New(rand.NewPCG(20241101, 20261031))
	buyers, goods := customers(rnd), products()
	regional := map[string]float64{"West": 1.3, "East": 1.15, "Central": 0.85, "South": 0.7}
	byWeight := make([]float64, len(buyers))
	for i, b := range buyers {
		byWeight[i] = b.weight * regional[b.place.region]
	}
	byShare := make([]float64, len(goods))
	for i, g := range goods {
		byShare[i] = g.weight
	}
	season := [12]float64{0.78, 0.72, 1.02, 0.9, 0.95, 1.02, 0.88, 0.97, 1.16, 1.02, 1.34, 1.42}

	var out []Order
	number := 100000
	for m := range months {
		month := firstMonth.AddDate(0, m, 0)
		days := month.AddDate(0, 1, -1).Day()
		growth := math.Pow(1.13, float64(m)/12)
		count := int(72 * season[int(month.Month())-1] * growth * (0.95 + rnd.Float64()*0.1))
		for i := range count {
			number++
			buyer := buyers[pick(rnd, byWeight)]
			mode, wait := shipping(rnd)
			for range 1 + rnd.IntN(3) {
				out = append(out, line(rnd, goods[pick(rnd, byShare)], Order{
					ID:       fmt.Sprintf("US-%d-%d", month.Year(), number),
					Date:     month.AddDate(0, 0, i*days/count),
					Customer: buyer.name,
					Segment:  buyer.segment,
					Region:   buyer.place.region,
					State:    buyer.place.state,
					City:     buyer.place.city,
					ShipMode: mode,
					ShipDays: wait,
				}))
			}
		}
	}
	return out
}

func line(rnd *rand.Rand, what product, o Order) Order {
	o.Category, o.SubCategory = what.category, what.name
	o.Quantity = 1 + rnd.IntN(8)
	o.Sales = cents(what.price * float64(o.Quantity) / 4.5 * math.Exp(rnd.NormFloat64()*0.45-0.1))
	o.Profit = cents(o.Sales * (what.margin + rnd.NormFloat64()*0.08))
	return o
}

func shipping(rnd *rand.Rand) (mode string, days int) {
	switch p := rnd.Float64(); {
	case p < 0.06:
		return "Same Day", 0
	case p < 0.21:
		return "First Class", 1 + rnd.IntN(3)
	case p < 0.41:
		return "Second Class", 2 + rnd.IntN(3)
	default:
		return "Standard Class", 4 + rnd.IntN(4)
	}
}

func pick(rnd *rand.Rand, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	at := rnd.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func cents(v float64) float64 { return math.Round(v*100) / 100 }

// WriteOrders writes the orders as the CSV file that the workbooks are made
// from.
func WriteOrders(w io.Writer, orders []Order) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	// The writer keeps the first error.
	_ = out.Write([]string{
		"Order ID", "Order Date", "Customer Name", "Segment", "Region", "State", "City",
		"Category", "Sub-Category", "Ship Mode", "Quantity", "Sales", "Profit",
	})
	for _, o := range orders {
		_ = out.Write([]string{
			o.ID, o.Date.Format(time.DateOnly), o.Customer, o.Segment, o.Region, o.State, o.City,
			o.Category, o.SubCategory, o.ShipMode, strconv.Itoa(o.Quantity),
			strconv.FormatFloat(o.Sales, 'f', 2, 64), strconv.FormatFloat(o.Profit, 'f', 2, 64),
		})
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing the orders: %w", err)
	}
	return nil
}
