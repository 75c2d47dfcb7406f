package tableautest_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const (
	typeCSV  = "text/csv;charset=UTF-8"
	typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	typePPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
)

func decodePNG(t *testing.T, body []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("the picture does not decode: %v", err)
	}
	return img
}

// colors counts the colours of a picture, up to a hundred.
func colors(img image.Image) int {
	seen := map[color.Color]bool{}
	var last color.Color
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y && len(seen) < 100; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if c := img.At(x, y); c != last {
				seen[c], last = true, c
			}
		}
	}
	return len(seen)
}

func TestImage(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	overview, sheet := c.view("Superstore/sheets/Overview"), c.view("Superstore/sheets/SalesbyRegion")
	for _, test := range []struct {
		view, query   string
		width, height int
	}{
		{overview, "", 1000, 800},
		{overview, "?resolution=high", 2000, 1600},
		{overview, "?vizWidth=400&vizHeight=300", 1000, 800}, // its size is fixed
		{sheet, "", 800, 600},
		{sheet, "?vizWidth=480&vizHeight=640", 480, 640},
		{sheet, "?vizWidth=480&vizHeight=640&resolution=high", 960, 1280},
		{sheet, "?vizWidth=480", 800, 600}, // one alone has no effect
		{sheet, "?vizWidth=1&vizHeight=1", 1, 1},
		{sheet, "?format=PNG&language=de", 800, 600},
	} {
		img := decodePNG(t, c.file("/views/"+test.view+"/image"+test.query, "image/png"))
		if got := img.Bounds().Size(); got != image.Pt(test.width, test.height) {
			t.Errorf("image%s is %v, want %dx%d", test.query, got, test.width, test.height)
		}
		if test.width > 1 && colors(img) < 100 {
			t.Errorf("image%s is blank", test.query)
		}
	}
	old := *c
	old.version = "3.22"
	if img := decodePNG(t, old.file("/views/"+sheet+"/image?vizWidth=480&vizHeight=640", "image/png")); img.Bounds().Dx() != 800 {
		t.Errorf("before 3.23 the size counts: %v", img.Bounds())
	}
	for _, path := range []string{"/workbooks/" + c.workbook("Superstore") + "/previewImage", "/workbooks/" + c.workbook("Superstore") + "/views/" + sheet + "/previewImage"} {
		if img := decodePNG(t, c.file(path, "image/png")); img.Bounds().Size() != image.Pt(192, 192) || colors(img) < 20 {
			t.Errorf("%s is %v with %d colours", path, img.Bounds(), colors(img))
		}
	}
	if code := c.get("/workbooks/" + c.workbook("Finance") + "/views/" + sheet + "/previewImage").code(t); code != "404011" {
		t.Errorf("preview of another workbook's view: %q, want 404011", code)
	}
}

func (c *client) workbook(contentURL string) string {
	c.t.Helper()
	d := c.get("/workbooks?filter=contentUrl:eq:" + contentURL).document(c.t)
	if len(d.Workbooks) != 1 {
		c.t.Fatalf("found %d workbooks at %s", len(d.Workbooks), contentURL)
	}
	return d.Workbooks[0].attr("id")
}

func TestSVG(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	body := c.file("/views/"+c.view("Superstore/sheets/Overview")+"/image?format=SVG", "image/svg+xml")
	var root struct {
		XMLName xml.Name
		Width   string `xml:"width,attr"`
		Height  string `xml:"height,attr"`
	}
	if err := xml.Unmarshal(body, &root); err != nil || root.XMLName.Local != "svg" {
		t.Fatalf("root = %v (%v)", root.XMLName, err)
	}
	// 1001 by 801 pixels of 1/96 inch.
	if root.Width != "264.85mm" || root.Height != "211.93mm" {
		t.Errorf("the size is %s by %s, want millimetres of the dashboard's size and a pixel more", root.Width, root.Height)
	}
	if !bytes.Contains(body, []byte("Monthly Sales")) {
		t.Error("the picture's text is not in it")
	}
}

var (
	pagePattern = regexp.MustCompile(`/Type\s*/Page\b`)
	boxPattern  = regexp.MustCompile(`/MediaBox\s*\[\s*([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s*\]`)
)

// pdfPages returns the number of pages and the size of the last.
func pdfPages(t *testing.T, body []byte) (pages int, size string) {
	t.Helper()
	if !bytes.HasPrefix(body, []byte("%PDF-1.")) || !bytes.HasSuffix(bytes.TrimSpace(body), []byte("%%EOF")) {
		t.Fatalf("this is no PDF: %.40q … %.20q", body, body[max(0, len(body)-20):])
	}
	boxes := boxPattern.FindAllSubmatch(body, -1)
	if len(boxes) == 0 {
		t.Fatal("the PDF has no MediaBox")
	}
	box := boxes[0]
	return len(pagePattern.FindAll(body, -1)), strings.TrimSuffix(string(box[3]), ".00") + "x" + strings.TrimSuffix(string(box[4]), ".00")
}

func TestPDF(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	overview, sheet := c.view("Superstore/sheets/Overview"), c.view("Superstore/sheets/Shipping")
	for _, test := range []struct{ path, size string }{
		{overview + "/pdf", "612x792"},
		{overview + "/pdf?type=a4&orientation=landscape", "842x595"},
		{overview + "/pdf?type=Legal&orientation=Portrait", "612x1008"},
		{overview + "/pdf?type=Unspecified", "822x672"},
		{sheet + "/pdf?type=A3&maxAge=0", "842x1191"},
		{sheet + "/pdf?type=Unspecified&vizWidth=400&vizHeight=200", "372x222"},
	} {
		pages, size := pdfPages(t, c.file("/views/"+test.path, "application/pdf"))
		if pages != 1 || size != test.size {
			t.Errorf("%s: %d pages of %s, want 1 of %s", test.path, pages, size, test.size)
		}
	}
	// All sheets where they are shown as tabs, else the first.
	if pages, _ := pdfPages(t, c.file("/workbooks/"+c.workbook("Superstore")+"/pdf?type=A4", "application/pdf")); pages != 6 {
		t.Errorf("the workbook has %d pages, want 6", pages)
	}
	if pages, _ := pdfPages(t, c.file("/workbooks/"+c.workbook("Finance")+"/pdf", "application/pdf")); pages != 1 {
		t.Errorf("the workbook without tabs has %d pages, want 1", pages)
	}
}

func TestWorkbookPDFFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/workbooks/" + c.workbook("Superstore") + "/pdf"
	plain := c.file(path, "application/pdf")
	if bytes.Equal(plain, c.file(path+"?vf_Region=West&vizWidth=300&vizHeight=300", "application/pdf")) {
		t.Error("the filter changed nothing")
	}
	old := *c
	old.version = "3.22"
	if !bytes.Equal(plain, old.file(path+"?vf_Region=West&vizWidth=300&vizHeight=300", "application/pdf")) {
		t.Error("before 3.23 the filter counts")
	}
}

func records(t *testing.T, body []byte) [][]string {
	t.Helper()
	if bytes.Count(body, []byte("\n")) != bytes.Count(body, []byte("\r\n")) {
		t.Error("not all lines end with CRLF")
	}
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatalf("the CSV does not parse: %v", err)
	}
	return rows
}

func TestData(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	rows := records(t, c.file("/views/"+c.view("Superstore/sheets/SalesbyRegion")+"/data", typeCSV))
	if diff := cmp.Diff([]string{"Region", "Category", "Sales", "Profit"}, rows[0]); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if len(rows) != 13 || !regexp.MustCompile(`^\$\d{1,3}(,\d{3})*$`).MatchString(rows[1][2]) {
		t.Errorf("%d rows, the first %q; want 12 with formatted sales", len(rows)-1, rows[1])
	}
	// A dashboard gives its alphabetically first sheet.
	dashboard := c.file("/views/"+c.view("Superstore/sheets/Overview")+"/data", typeCSV)
	sheet := c.file("/views/"+c.view("Superstore/sheets/MonthlySales")+"/data", typeCSV)
	if !bytes.Equal(dashboard, sheet) {
		t.Error("the dashboard's data are not those of Monthly Sales")
	}
}

func TestCrosstab(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	for view, sheet := range map[string]string{
		"Superstore/sheets/TopCustomers":   "Top Customers",
		"Superstore/sheets/Overview":       "Monthly Sales",
		"MarketÉcoles/sheets/VentesRégion": "Ventes - Région",
		"Finance/sheets/ProfitLoss":        "Profit & Loss",
	} {
		book, err := excelize.OpenReader(bytes.NewReader(c.file("/views/"+c.view(view)+"/crosstab/excel", typeXLSX)))
		if err != nil {
			t.Fatalf("%s does not open: %v", view, err)
		}
		if diff := cmp.Diff([]string{sheet}, book.GetSheetList()); diff != "" {
			t.Errorf("%s: sheets (-want +got):\n%s", view, diff)
		}
		rows, err := book.GetRows(sheet)
		if err != nil || len(rows) < 5 {
			t.Errorf("%s has %d rows (%v)", view, len(rows), err)
		}
		if err := book.Close(); err != nil {
			t.Errorf("closing the workbook: %v", err)
		}
	}
	book, err := excelize.OpenReader(bytes.NewReader(c.file("/views/"+c.view("Superstore/sheets/TopCustomers")+"/crosstab/excel?vf_Parameters.Top+N=3", typeXLSX)))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Top Customers")
	if err != nil || len(rows) != 4 {
		t.Errorf("%d rows with Top N = 3 (%v), want a header and 3", len(rows), err)
	}
	kind, err := book.GetCellType("Top Customers", "D2")
	if err != nil || kind == excelize.CellTypeSharedString || !strings.HasPrefix(rows[1][3], "$") {
		t.Errorf("sales are %v %q (%v), want a number shown in dollars", kind, rows[1][3], err)
	}
}

func TestPowerPoint(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	body := c.file("/workbooks/"+c.workbook("Superstore")+"/powerpoint?maxAge=1", typePPTX)
	deck, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, f := range deck.File {
		parts = append(parts, f.Name)
		if !strings.HasSuffix(f.Name, ".xml") && !strings.HasSuffix(f.Name, ".rels") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		decoder := xml.NewDecoder(r)
		for {
			if _, err := decoder.Token(); err != nil {
				if err.Error() != "EOF" {
					t.Errorf("%s is no XML: %v", f.Name, err)
				}
				break
			}
		}
	}
	for n := 1; n <= 6; n++ {
		for _, want := range []string{"ppt/slides/slide%d.xml", "ppt/slides/_rels/slide%d.xml.rels", "ppt/media/image%d.png"} {
			if name := fmt.Sprintf(want, n); !slices.Contains(parts, name) {
				t.Errorf("the presentation lacks %s", name)
			}
		}
	}
	if parts[0] != "[Content_Types].xml" || slices.Contains(parts, "ppt/slides/slide7.xml") {
		t.Errorf("parts = %v", parts)
	}
}

func TestFiltersFilter(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion")
	pairs := func(query string) []string {
		t.Helper()
		var out []string
		for _, row := range records(t, c.file(path+"/data?"+query, typeCSV))[1:] {
			out = append(out, row[0]+" "+row[1])
		}
		return out
	}
	all := pairs("")
	for _, test := range []struct {
		name, query string
		want        []string
	}{
		{"one value", "vf_Region=West", []string{"West Furniture", "West Office Supplies", "West Technology"}},
		{"two values", "vf_Region=South,East&vf_Category=Technology,Technology", []string{"East Technology", "South Technology"}},
		{"pairs, not a product", "vf_Region=West,East&vf_Category=Furniture,Technology", []string{"West Furniture", "East Technology"}},
		{"a field beside the view", "vf_City=San+Jos%C3%A9", []string{"West Furniture", "West Office Supplies", "West Technology"}},
		{"an unknown field", "vf_region=West", all},
		{"no value matches", "vf_Region=west", nil},
		{"an escaped comma", `vf_Customer+Name=Ellis\,+Ltd.&vf_Category=Technology`, []string{pairsOf(t, c, "Ellis, Ltd.") + " Technology"}},
		{"an encoded ampersand", "vf_Customer%20Name=Nakamura+%26+Ito&vf_Category=Technology", []string{pairsOf(t, c, "Nakamura & Ito") + " Technology"}},
	} {
		if diff := cmp.Diff(test.want, pairs(test.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	months := records(t, c.file("/views/"+c.view("Superstore/sheets/MonthlySales")+"/data?vf_Year+of+Order+Date=2025", typeCSV))
	if len(months) != 13 || months[1][0] != "January 2025" {
		t.Errorf("the year 2025 has %d months from %s", len(months)-1, months[1][0])
	}
	one := records(t, c.file("/views/"+c.view("Superstore/sheets/MonthlySales")+"/data?vf_Order+Date=2025-03-01,2025-05-01%2000:00:00", typeCSV))
	if len(one) != 3 || one[1][0] != "March 2025" || one[2][0] != "May 2025" {
		t.Errorf("two dates give %v", one)
	}

	plain, west := c.file(path+"/image", "image/png"), c.file(path+"/image?vf_Region=West", "image/png")
	if bytes.Equal(plain, west) {
		t.Error("the filter does not change the picture")
	}
	if !bytes.Equal(plain, c.file(path+"/image?vf_Nothing=West&vf_Parameters.Other=1", "image/png")) {
		t.Error("a field that does not exist changes the picture")
	}
	empty := c.file(path+"/data?vf_Region=Nowhere", typeCSV)
	if string(empty) != "Region,Category,Sales,Profit\r\n" {
		t.Errorf("without a match the data are %q, want the header alone", empty)
	}
}

// pairsOf is the region of a customer.
func pairsOf(t *testing.T, c *client, customer string) string {
	t.Helper()
	for _, region := range []string{"West", "East", "Central", "South"} {
		query := "?vf_Parameters.Top+N=1000&vf_Region=" + region
		rows := records(t, c.file("/views/"+c.view("Superstore/sheets/TopCustomers")+"/data"+query, typeCSV))
		if slices.ContainsFunc(rows, func(row []string) bool { return row[0] == customer }) {
			return region
		}
	}
	t.Fatalf("there is no customer %q", customer)
	return ""
}

func TestCache(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/Overview") + "/image"
	first := c.file(path, "image/png")
	c.server.Advance(59 * time.Minute)
	if !bytes.Equal(first, c.file(path, "image/png")) {
		t.Error("within an hour the picture is drawn anew")
	}
	fresh := c.file(path+"?maxAge=1", "image/png")
	if bytes.Equal(first, fresh) {
		t.Error("maxAge=1 gives an old picture")
	}
	c.server.Advance(30 * time.Second)
	if !bytes.Equal(fresh, c.file(path+"?maxAge=0", "image/png")) {
		t.Error("maxAge=0 is not the same as 1")
	}
	c.server.Advance(time.Hour)
	if bytes.Equal(fresh, c.file(path, "image/png")) {
		t.Error("after an hour the picture is the old one")
	}
	// Each format has a cache of its own, so that they can disagree.
	pdf, aged := strings.TrimSuffix(path, "/image")+"/pdf", c.file(path, "image/png")
	before := c.file(pdf, "application/pdf")
	c.server.Advance(10 * time.Minute)
	if after := c.file(pdf+"?maxAge=1", "application/pdf"); bytes.Equal(before, after) || !bytes.Equal(aged, c.file(path, "image/png")) {
		t.Error("a fresh PDF makes the picture fresh")
	}
	got := c.server.Stats()
	if got.Rendered != 5 || got.ServedFromCache != 4 || got.Exports["png"] != 7 {
		t.Errorf("stats: %d rendered, %d from the cache, %v; want 5, 4 and 7 pictures", got.Rendered, got.ServedFromCache, got.Exports)
	}
}

// The same values in other tuples select other rows, though a picture's foot
// names the same values.
func TestCacheTellsTuplesApart(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/data?vf_Category=Furniture,Technology,Technology&vf_Region=East,West,"
	east := c.file(path+"East", typeCSV)
	if twice := c.file(path+"West", typeCSV); bytes.Equal(east, twice) {
		t.Errorf("without East's technology gives what was made with it:\n%s", twice)
	}
}

// A selection that is no cross product says in a picture's foot which values go
// together.
func TestFootNamesTuples(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/image?format=svg&"
	for query, want := range map[string]string{
		"vf_Region=West,East": "Region: West, East",
		"vf_Region=West,West&vf_Category=Furniture,Technology":                       "Category: Furniture, Technology  ·  Region: West",
		"vf_Region=West,East&vf_Category=Furniture,Technology":                       "Category / Region: Furniture / West, Technology / East",
		"vf_Region=West,West,East,East&vf_Category=Furniture,Paper,Paper,Furniture":  "Category: Furniture, Paper  ·  Region: West, East",
		"vf_Region=West,West,East&vf_Category=Furniture,Furniture,Technology&vf_x=y": "Category / Region: Furniture / West, Technology / East",
	} {
		if svg := string(c.file(path+query, "image/svg+xml")); !strings.Contains(svg, want+"<") {
			t.Errorf("%s: the foot does not say %q", query, want)
		}
	}
}

// The language parameter decides how numbers and months are written, in
// pictures and data, and has results of its own in the cache.
func TestLanguage(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	view := "/views/" + c.view("Superstore/sheets/MonthlySales")
	english := records(t, c.file(view+"/data", typeCSV))
	for _, test := range []struct{ language, month, sales string }{
		{"de", "November 2024", "."}, {"fr_FR", "novembre 2024", "\u202f"}, {"en", "November 2024", ","}, {"xx", "November 2024", ","},
	} {
		rows := records(t, c.file(view+"/data?language="+test.language, typeCSV))
		if len(rows) != len(english) || rows[1][0] != test.month || !strings.Contains(rows[1][1], test.sales) {
			t.Errorf("in %s the first row is %q, want %s and sales with %q", test.language, rows[1], test.month, test.sales)
		}
	}
	// Members are filtered by as the data have them.
	if rows := records(t, c.file(view+"/data?language=de&vf_Month+of+Order+Date=May+2026", typeCSV)); len(rows) != 2 || rows[1][0] != "Mai 2026" {
		t.Errorf("May in German: %q", rows)
	}
	for path, contentType := range map[string]string{
		view + "/image?format=svg": "image/svg+xml", view + "/image?": "image/png", view + "/pdf?": "application/pdf",
		"/workbooks/" + c.workbook("Superstore") + "/pdf?":               "application/pdf",
		"/customviews/" + c.customView("West only") + "/image?":          "image/png",
		"/views/" + c.view("Superstore/sheets/Overview") + "/image?x=y&": "image/png",
	} {
		if bytes.Equal(c.file(path, contentType), c.file(path+"&language=pt-BR", contentType)) {
			t.Errorf("%s: the language changes nothing", path)
		}
	}
	svg := string(c.file(view+"/image?format=svg&language=pt-BR", "image/svg+xml"))
	for _, want := range []string{">fev<", "novembro de 2025 – outubro de 2026"} {
		if !strings.Contains(svg, want) {
			t.Errorf("in Portuguese the picture lacks %q", want)
		}
	}
}

// The same clock as before does not make a result of its future fresh.
func TestCacheWhenTheClockIsMovedBack(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/image"
	c.server.Advance(24 * time.Hour)
	c.signIn()
	later := c.file(path, "image/png")
	c.server.Advance(-24 * time.Hour)
	c.signIn()
	if bytes.Equal(later, c.file(path, "image/png")) {
		t.Error("the picture is from the future")
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	id := c.view("Superstore/sheets/Shipping")
	c.file("/views/"+id+"/data", typeCSV)
	c.file("/views/"+id+"/pdf", "application/pdf")
	c.get("/views/nothing/pdf")
	c.do(http.MethodGet, "/-/stats", "", nil) // does not count
	want := tableautest.Stats{
		Total:              5,
		Calls:              map[string]int{"signin": 1, "views": 1, "data": 1, "pdf": 2},
		Statuses:           map[string]int{"200": 4, "404": 1},
		SignIns:            1,
		SessionsLive:       1,
		Exports:            map[string]int{"csv": 1, "pdf": 1},
		ExportsInFlightMax: 1,
		Rendered:           2,
	}
	if diff := cmp.Diff(want, c.server.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	c.server.ResetStats()
	want = tableautest.Stats{SessionsLive: 1, Calls: map[string]int{}, Statuses: map[string]int{}, Exports: map[string]int{}}
	if diff := cmp.Diff(want, c.server.Stats()); diff != "" {
		t.Errorf("stats after a reset (-want +got):\n%s", diff)
	}
}
