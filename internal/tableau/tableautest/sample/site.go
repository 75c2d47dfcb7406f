package sample

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/drawing"
)

// Site is one Tableau site with what was published to it.
type Site struct {
	ID         string
	Name       string
	ContentURL string // empty for a server's default site
	Projects   []*Project
	Workbooks  []*Workbook
	// DataSources are those that were published by themselves.
	DataSources []*DataSource
	// CustomViews are those of all views, in the order in which they were made.
	CustomViews []*CustomView
}

// Views returns the views of all workbooks.
func (s *Site) Views() []*View {
	var out []*View
	for _, w := range s.Workbooks {
		out = append(out, w.Views...)
	}
	return out
}

// Project holds workbooks, and may lie in another project.
type Project struct {
	ID          string
	Name        string
	Description string
	Parent      *Project // nil at the top
	Private     bool     // none but the owner and administrators see what is in it
	CreatedAt   time.Time
}

// Workbook is a published workbook.
type Workbook struct {
	ID          string
	Name        string
	ContentURL  string
	Description string
	Number      int // the number in its web page's address
	Project     *Project
	ShowTabs    bool
	Size        int // megabytes
	Tags        []string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Views       []*View
}

// Kinds of views.
const (
	Dashboard = "dashboard"
	Sheet     = "view"
)

// View is a sheet or a dashboard of a workbook.
type View struct {
	ID         string
	Name       string
	URLName    string
	ContentURL string
	Kind       string
	Number     int // its place in the workbook, from 1
	Workbook   *Workbook
	Hits       int
	Favorites  int
	// Size is what the view was laid out for. Fixed says that it has no other.
	Size  drawing.Size
	Fixed bool
	// CustomViews are what people have made of it.
	CustomViews []*CustomView

	title    string
	subtitle string
	tiles    func(data) []drawing.Tile
	layout   []layoutRow
}

type layoutRow struct {
	weight float64
	parts  []layoutPart
}

type layoutPart struct {
	weight float64
	sheet  worksheet
}

// Table returns the data of the view, of a dashboard that of the alphabetically
// first of its worksheets, as Tableau does.
func (v *View) Table(orders []Order, q Query) Table {
	var sheets []worksheet
	for _, row := range v.layout {
		for _, part := range row.parts {
			sheets = append(sheets, part.sheet)
		}
	}
	first := slices.MinFunc(sheets, func(a, b worksheet) int { return strings.Compare(a.name, b.name) })
	return first.data(q.data(orders))
}

// Page returns what the view's picture shows.
func (v *View) Page(orders []Order, q Query, at time.Time) drawing.Page {
	d := q.data(orders)
	page := drawing.Page{
		Title:     v.title,
		Subtitle:  join(v.subtitle, d.period()),
		Dashboard: v.Kind == Dashboard,
		Footer:    "No filters",
		Stamp:     "Rendered " + at.UTC().Format("2 January 2006, 15:04:05 UTC"),
	}
	if v.Kind == Sheet && v.layout[0].parts[0].sheet.whole {
		page.Subtitle = join(v.subtitle, d.wholePeriod())
	}
	if s := join(q.Saved.String(), q.Selection.String()); s != "" {
		page.Footer = s
	}
	if q.TopN > 0 {
		page.Footer = join(page.Footer, "Top N: "+strconv.Itoa(q.TopN))
	}
	if v.tiles != nil {
		page.Tiles = v.tiles(d)
	}
	for _, row := range v.layout {
		cards := make([]drawing.Card, len(row.parts))
		for i, part := range row.parts {
			cards[i] = part.sheet.card(d, part.weight)
			if v.Kind != Dashboard {
				// The page's own heading says it.
				cards[i].Title, cards[i].Subtitle = "", ""
			}
		}
		page.Rows = append(page.Rows, drawing.Row{Weight: row.weight, Cards: cards})
	}
	return page
}

func join(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, "  ·  ")
}

// Sites returns the sample's sites: the one of the given content URL with most
// of the content, "finance", and the server's default site.
func Sites(contentURL string) []*Site {
	sites := []*Site{demoSite(contentURL)}
	for _, s := range []*Site{financeSite(), defaultSite()} {
		if !strings.EqualFold(s.ContentURL, contentURL) {
			sites = append(sites, s)
		}
	}
	return sites
}

func demoSite(contentURL string) *Site {
	b := newSite("Demo", contentURL)
	retail := b.project("Sales", "Orders and customers of the sample shop.", nil, false)
	finance := b.project("Finance", "Statements and budgets.", nil, false)
	marketing := b.project("Marketing", "Markets and campaigns.", nil, false)
	schools := b.project("Écoles", "Le marché des écoles.", marketing, false)
	private := b.project("Privé", "Not for everybody.", nil, true)

	b.dataSource(retail, "Superstore / Orders", "Two years of orders of the sample shop.")
	region, months, byProfit := salesByRegion("Sales by Region", ""), monthlySales(), profitByCategory()
	customers, ship := topCustomers(), shippingSheet()
	b.workbook(retail, "Superstore", "Sales, profit and customers of the sample shop.", true, "sales", "kpi")
	b.dashboard("Overview", "Superstore Overview", "Sample shop", superstoreTiles,
		layoutRow{1.06, []layoutPart{{1.3, months}, {1, region}}},
		layoutRow{1, []layoutPart{{1, byProfit}, {1, customers}}})
	b.customView("West only", false, true, Selection{{"Region": "West"}})
	b.customView("Furniture / Draft", false, false, Selection{{"Category": "Furniture"}})
	b.customView("My consumers", true, false, Selection{{"Segment": "Consumer"}})
	b.sheet(region, "Sales by region and category")
	b.sheet(byProfit, "Profit by sub-category")
	b.sheet(months, "Sales by month")
	b.sheet(customers, "Best customers by sales")
	b.sheet(ship, "Orders by fiscal quarter")

	statement, plan, operating := profitAndLoss("Profit & Loss"), budgetAndActual(), operatingProfit()
	b.workbook(finance, "Finance", "Statement, budget and operating profit.", false, "finance")
	b.dashboard("Overview", "Finance Overview", "Statement and budget", financeTiles,
		layoutRow{1, []layoutPart{{1.25, plan}, {1, operating}}},
		layoutRow{1, []layoutPart{{1, statement}}})
	b.sheet(statement, "In US dollars")
	b.sheet(plan, "Revenue against budget")
	b.sheet(operating, "Operating profit")

	ventes, panier, marge := salesByRegion("Ventes / Région", "par catégorie"), averageBasket(), marginAndVolume()
	b.workbook(schools, "Market – Écoles", "Ventes, panier moyen et marge.", true, "marketing", "écoles")
	b.dashboard("Vue d'ensemble", "Market – Écoles : vue d'ensemble", "Marché", marketTiles,
		layoutRow{1, []layoutPart{{1, ventes}, {1.2, panier}}},
		layoutRow{1.15, []layoutPart{{1, marge}}})
	b.customView("Été 2026 – Est", true, true, Selection{
		{"Region": "East", "Month of Order Date": "June 2026"},
		{"Region": "East", "Month of Order Date": "July 2026"},
		{"Region": "East", "Month of Order Date": "August 2026"},
	})
	b.sheet(ventes, "Ventes par région et catégorie")
	b.sheet(panier, "Ventes par commande")
	b.sheet(marge, "Taille : quantité vendue")
	b.sheet(salesByRegion("Ventes Région", ""), "Ventes par région")

	b.workbook(private, "Plan 2027", "Confidential.", true)
	b.dashboard("Overview", "Plan 2027", "Confidential", financeTiles,
		layoutRow{1, []layoutPart{{1, plan}}},
		layoutRow{1, []layoutPart{{1, operating}, {1, months}}})
	b.customView("Technology", false, true, Selection{{"Category": "Technology"}})
	b.sheet(plan, "Confidential")

	b.workbook(marketing, "Superstore", "A copy for the campaigns.", true, "campaigns")
	b.sheet(salesByRegion("Sales by Region", ""), "Sales by region and category")
	b.sheet(monthlySales(), "Sales by month")
	return b.site
}

func financeSite() *Site {
	b := newSite("Finance", "finance")
	ledger := b.project("Ledger", "Books of the finance department.", nil, false)
	b.workbook(ledger, "Ledger", "Statement and budget.", true)
	b.sheet(profitAndLoss("Profit & Loss"), "In US dollars")
	b.sheet(budgetAndActual(), "Revenue against budget")
	return b.site
}

func defaultSite() *Site {
	b := newSite("Default", "")
	home := b.project("default", "The default project that was automatically created by Tableau.", nil, false)
	b.workbook(home, "Regional", "Sales of the regions.", true)
	b.sheet(salesByRegion("Sales by Region", ""), "Sales by region and category")
	b.sheet(monthlySales(), "Sales by month")
	return b.site
}

func superstoreTiles(d data) []drawing.Tile {
	const versus = "vs previous 12 months"
	return []drawing.Tile{
		d.tile("Sales", sales, d.in.money, versus),
		d.tile("Profit", profit, d.in.money, versus),
		d.points("Profit Ratio", margin, versus, "pts"),
		d.tile("Orders", orderCount, d.in.count, versus),
	}
}

func financeTiles(d data) []drawing.Tile {
	const versus = "vs previous 12 months"
	spent := d.tile("Costs", costs, d.in.money, versus)
	spent.Good = !spent.Rising
	return []drawing.Tile{
		d.tile("Revenue", sales, d.in.money, versus),
		spent,
		d.tile("Operating profit", profit, d.in.money, versus),
		d.points("Operating margin", margin, versus, "pts"),
	}
}

func marketTiles(d data) []drawing.Tile {
	const versus = "sur un an"
	return []drawing.Tile{
		d.tile("Ventes", sales, d.in.money, versus),
		d.tile("Panier moyen", basket, d.in.money, versus),
		d.tile("Clients actifs", customerCount, d.in.count, versus),
		d.points("Taux de marge", margin, versus, "pts"),
	}
}

// builder fills a site in the order in which its parts are named.
type builder struct {
	site *Site
	book *Workbook
}

func newSite(name, contentURL string) *builder {
	return &builder{site: &Site{ID: ID("site", contentURL), Name: name, ContentURL: contentURL}}
}

func (b *builder) project(name, description string, parent *Project, private bool) *Project {
	p := &Project{
		ID: ID("project", b.site.ContentURL, name), Name: name, Description: description, Parent: parent,
		Private:   private || parent != nil && parent.Private,
		CreatedAt: time.Date(2025, time.January, 7, 9, len(b.site.Projects), 0, 0, time.UTC),
	}
	b.site.Projects = append(b.site.Projects, p)
	return p
}

func (b *builder) workbook(p *Project, name, description string, tabs bool, tags ...string) {
	n := len(b.site.Workbooks)
	contentURL := unique(urlName(name), func(taken string) bool {
		return slices.ContainsFunc(b.site.Workbooks, func(w *Workbook) bool { return w.ContentURL == taken })
	})
	b.book = &Workbook{
		ID: ID("workbook", b.site.ContentURL, contentURL), Name: name, ContentURL: contentURL, Description: description,
		Number: 10220 + n, Project: p, ShowTabs: tabs, Size: n + 1, Tags: tags,
		CreatedAt: time.Date(2025, time.February, 3+n, 10, 15, 0, 0, time.UTC),
		UpdatedAt: time.Date(2026, time.November, 2+n, 6, 30, 0, 0, time.UTC),
	}
	b.site.Workbooks = append(b.site.Workbooks, b.book)
}

func (b *builder) dashboard(name, title, subtitle string, tiles func(data) []drawing.Tile, layout ...layoutRow) {
	b.view(&View{
		Name: name, Kind: Dashboard, Size: drawing.Size{Width: 1000, Height: 800}, Fixed: true,
		title: title, subtitle: subtitle, tiles: tiles, layout: layout,
	})
}

func (b *builder) sheet(w worksheet, subtitle string) {
	b.view(&View{
		Name: w.name, Kind: Sheet, Size: drawing.Size{Width: 800, Height: 600},
		title: w.name, subtitle: subtitle, layout: []layoutRow{{1, []layoutPart{{1, w}}}},
	})
}

func (b *builder) view(v *View) {
	v.Workbook, v.Number = b.book, len(b.book.Views)+1
	v.URLName = unique(urlName(v.Name), func(taken string) bool {
		return slices.ContainsFunc(b.book.Views, func(other *View) bool { return other.URLName == taken })
	})
	v.ContentURL = b.book.ContentURL + "/sheets/" + v.URLName
	v.ID = ID("view", b.site.ContentURL, v.ContentURL)
	v.Hits, v.Favorites = 420/v.Number+7*len(b.site.Workbooks), 6/v.Number
	b.book.Views = append(b.book.Views, v)
}

// urlName makes the name that stands in addresses: letters, digits and hyphens
// stay, spaces and other punctuation go.
func urlName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, name)
}

// unique adds to a name that is taken what Tableau does: _0, _1 and so on.
func unique(name string, taken func(string) bool) string {
	out := name
	for n := 0; taken(out); n++ {
		out = name + "_" + strconv.Itoa(n)
	}
	return out
}

// ID makes the identifier (LUID) of something from its kind and names. It is
// the same at every start.
func ID(kind string, names ...string) string {
	h := sha256.Sum256([]byte(kind + "\x00" + strings.Join(names, "\x00")))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80 // a UUID's version and variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
