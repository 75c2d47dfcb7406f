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
	"regexp"
	"slices"
	"strings"
	"testing"

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
