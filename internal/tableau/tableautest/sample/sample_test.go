package sample_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/drawing"
	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

func TestOrders(t *testing.T) {
	t.Parallel()
	orders := sample.Orders()
	if diff := cmp.Diff(orders[:5], sample.Orders()[:5]); diff != "" {
		t.Errorf("two calls differ (-first +second):\n%s", diff)
	}
	if !slices.IsSortedFunc(orders, func(a, b sample.Order) int { return a.Date.Compare(b.Date) }) {
		t.Error("the orders are not in the order of their dates")
	}
	first, last := orders[0].Date, orders[len(orders)-1].Date
	if first.Before(time.Date(2024, 11, 1, 0, 0, 0, 0, time.UTC)) || !last.Before(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the orders are from %s to %s", first, last)
	}
	regions, total := map[string]bool{}, 0.0
	for _, o := range orders {
		regions[o.Region] = true
		total += o.Sales
		if o.Sales <= 0 || o.Quantity < 1 || o.Customer == "" || o.City == "" || o.ShipDays < 0 {
			t.Fatalf("order %+v", o)
		}
	}
	if len(regions) != 4 || total < 500_000 || total > 5_000_000 {
		t.Errorf("%d regions with sales of %.0f", len(regions), total)
	}
}

func TestSites(t *testing.T) {
	t.Parallel()
	sites := sample.Sites("demo")
	if len(sites) != 3 || len(sample.Sites("Finance")) != 2 {
		t.Fatalf("%d sites, and %d where the first is called like the second", len(sites), len(sample.Sites("Finance")))
	}
	ids, addresses := map[string]bool{}, []string{}
	pattern := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	note := func(id string) {
		if ids[id] || !pattern.MatchString(id) {
			t.Errorf("id %q is taken or no UUID", id)
		}
		ids[id] = true
	}
	for _, s := range sites {
		note(s.ID)
		for _, p := range s.Projects {
			note(p.ID)
		}
		for _, w := range s.Workbooks {
			note(w.ID)
		}
		for _, v := range s.Views() {
			note(v.ID)
			addresses = append(addresses, s.ContentURL+": "+v.ContentURL)
		}
	}
	for _, want := range []string{
		"demo: Superstore/sheets/Overview", "demo: Superstore/sheets/SalesbyRegion", "demo: Finance/sheets/ProfitLoss",
		"demo: Finance/sheets/BudgetActual", "demo: MarketÉcoles/sheets/VentesRégion", "demo: MarketÉcoles/sheets/Vuedensemble",
		"finance: Ledger/sheets/ProfitLoss", ": Regional/sheets/SalesbyRegion",
	} {
		if !slices.Contains(addresses, want) {
			t.Errorf("there is no view %q", want)
		}
	}
}

// TestViews draws and tabulates every view under every kind of selection.
func TestViews(t *testing.T) {
	t.Parallel()
	orders := sample.Orders()
	at := time.Date(2026, time.November, 23, 9, 0, 3, 0, time.UTC)
	for name, q := range map[string]sample.Query{
		"all":              {},
		"west":             {Selection: sample.Selection{{"Region": "West"}}},
		"one day":          {Selection: sample.Selection{{"Order Date": "2025-03-01"}}},
		"a year":           {Selection: sample.Selection{{"Year of Order Date": "2025"}}, TopN: 3},
		"quarter":          {Selection: sample.Selection{{"Fiscal Quarter": "FY25 Q1"}}},
		"nothing":          {Selection: sample.Selection{{"Region": "Nowhere"}}},
		"nothing of a day": {Selection: sample.Selection{{"Order Date": "1999-01-01"}}},
	} {
		for _, site := range sample.Sites("demo") {
			for _, v := range site.Views() {
				table := v.Table(orders, q)
				if got := len(table.Rows) == 0; got != strings.HasPrefix(name, "nothing") {
					t.Errorf("%s, %s: %s", v.ContentURL, name, table)
				}
				for _, row := range table.Rows {
					if len(row) != len(table.Columns) {
						t.Fatalf("%s: row %v of %d columns", v.ContentURL, row, len(table.Columns))
					}
				}
				page := v.Page(orders, q, at)
				if !strings.Contains(page.Stamp, "23 November 2026, 09:00:03 UTC") {
					t.Errorf("%s: stamp %q", v.ContentURL, page.Stamp)
				}
				if err := drawing.SVG(&bytes.Buffer{}, page, v.Size); err != nil {
					t.Errorf("%s, %s: %v", v.ContentURL, name, err)
				}
			}
		}
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	var view *sample.View
	for _, v := range sample.Sites("demo")[0].Views() {
		if v.Name == "Sales by Region" {
			view = v
		}
	}
	orders := sample.Orders()
	for _, test := range []struct {
		selection sample.Selection
		want      []string
		text      string
	}{
		{sample.Selection{{"Region": "West", "Category": "Furniture"}}, []string{"West Furniture"}, "Category: Furniture  ·  Region: West"},
		{
			sample.Selection{{"Region": "West", "Category": "Furniture"}, {"Region": "East", "Category": "Technology"}},
			[]string{"East Technology", "West Furniture"}, "Category / Region: Furniture / West, Technology / East",
		},
		{sample.Selection{{"Region": "west"}}, nil, "Region: west"},
	} {
		var got []string
		for _, row := range view.Table(orders, sample.Query{Selection: test.selection}).Rows {
			got = append(got, row[0].Text+" "+row[1].Text)
		}
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
		if got := test.selection.String(); got != test.text {
			t.Errorf("String() = %q, want %q", got, test.text)
		}
	}
	for _, none := range []sample.Selection{nil, {}, {{}}} {
		if got := none.String(); got != "" {
			t.Errorf("String() of nothing selected = %q", got)
		}
	}
	page := view.Page(orders, sample.Query{}, time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC))
	if page.Footer != "No filters" {
		t.Errorf("the foot without filters is %q", page.Footer)
	}
	for caption, want := range map[string]bool{"Region": true, "region": false, "Sub-Category": true, "Fiscal Quarter": true, "": false} {
		if got := sample.IsField(caption); got != want {
			t.Errorf("IsField(%q) = %t", caption, got)
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sample.Language{
		"de": "de", "de_AT": "de", "pt-BR": "pt", "FR": "fr", "en": "", "en_GB": "", "tlh": "", "": "",
	} {
		if got := sample.LanguageOf(text); got != want {
			t.Errorf("LanguageOf(%q) = %q, want %q", text, got, want)
		}
	}
	var monthly *sample.View
	for _, v := range sample.Sites("demo")[0].Views() {
		if v.URLName == "MonthlySales" && monthly == nil {
			monthly = v
		}
	}
	orders := sample.Orders()
	may := sample.Selection{{"Month of Order Date": "May 2026"}}
	for in, want := range map[sample.Language]string{
		"": "May 2026", "de": "Mai 2026", "es": "mayo de 2026", "fr": "mai 2026", "it": "maggio 2026", "pt": "maio de 2026",
	} {
		q := sample.Query{Selection: may, Language: in}
		if rows := monthly.Table(orders, q).Rows; len(rows) != 1 || rows[0][0].Text != want {
			t.Errorf("in %q the month of May is %v, want %q", in, rows, want)
		}
		page := monthly.Page(orders, q, time.Date(2026, time.November, 23, 9, 0, 3, 0, time.UTC))
		if !strings.Contains(page.Subtitle, want) {
			t.Errorf("in %q the page covers %q, want %q", in, page.Subtitle, want)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind sample.Kind
		v    float64
		in   sample.Language
		want string
	}{
		{sample.Dollars, 12345.6, "", "$12,346"},
		{sample.Dollars, -1234567, "", "-$1,234,567"},
		{sample.Dollars, -0.2, "", "$0"},
		{sample.Number, 999, "", "999"},
		{sample.Number, -1000, "", "-1,000"},
		{sample.Percent, 0.1234, "", "12.3%"},
		{sample.Decimal, 4.06, "", "4.1"},
		{sample.Dollars, -1234567, "de", "-$1.234.567"},
		{sample.Number, 1000, "fr", "1\u202f000"},
		{sample.Percent, -0.1234, "pt", "-12,3%"},
		{sample.Decimal, 4.06, "it", "4,1"},
	} {
		if got := test.kind.Format(test.v, test.in); got != test.want {
			t.Errorf("%d of %v in %q is %q, want %q", test.kind, test.v, test.in, got, test.want)
		}
	}
	for name, want := range map[string]string{
		"Ventes / Région": "Ventes - Région", "": "Sheet", "'a'": "a", "[x]:y?": "-x--y-",
		strings.Repeat("é", 40): strings.Repeat("é", 31),
	} {
		if got := sample.SheetName(name); got != want {
			t.Errorf("SheetName(%q) = %q, want %q", name, got, want)
		}
	}
}
