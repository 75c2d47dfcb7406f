package drawing_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/drawing"
)

func plain(v float64) string { return fmt.Sprintf("%.0f", v) }

// charts has every kind of chart with what is usual and what is not.
func charts() map[string]drawing.Chart {
	nan := math.NaN()
	long := strings.Repeat("a very long name ", 20)
	return map[string]drawing.Chart{
		"lines": drawing.Lines{Labels: []string{"Jan", "Feb", "Mar"}, Format: plain, Series: []drawing.Series{
			{Name: "now", Values: []float64{1, nan, 3}, Color: drawing.Blue},
			{Name: "before", Values: []float64{-2, 0, 2}, Color: drawing.Silver, Dashed: true},
		}},
		"lines of one point":    drawing.Lines{Labels: []string{"Jan"}, Format: plain, Series: []drawing.Series{{Values: []float64{5}}}},
		"lines of gaps":         drawing.Lines{Labels: []string{"Jan"}, Format: plain, Series: []drawing.Series{{Values: []float64{nan}}}},
		"lines without series":  drawing.Lines{Labels: []string{"Jan", "Feb"}, Format: plain},
		"no lines":              drawing.Lines{},
		"bars":                  drawing.Bars{Format: plain, Bars: []drawing.Bar{{Name: long, Parts: []drawing.Part{{Value: 3}, {Value: 4}}}, {Name: "b", Parts: []drawing.Part{{Value: -1}}}}},
		"bars of nothing":       drawing.Bars{Format: plain, Bars: []drawing.Bar{{Name: "a"}, {Name: "b", Parts: []drawing.Part{{Value: 0}}}}},
		"no bars":               drawing.Bars{},
		"columns":               drawing.Columns{Labels: []string{"Q1", "Q2"}, Format: plain, Series: []drawing.Series{{Name: "x", Values: []float64{2, -3}}, {Name: "y", Values: []float64{1, 4}}}},
		"columns below":         drawing.Columns{Labels: []string{"Q1"}, Format: plain, Series: []drawing.Series{{Values: []float64{-3}}}},
		"columns of nothing":    drawing.Columns{Labels: []string{"Q1"}, Format: plain, Series: []drawing.Series{{Values: []float64{0}}}},
		"no columns":            drawing.Columns{},
		"scatter":               drawing.Scatter{XFormat: plain, YFormat: plain, XTitle: "x", YTitle: "y", Points: []drawing.Dot{{Name: "a", X: 1, Y: -2, Weight: 1}, {Name: long, X: 1, Y: -2, Weight: -1}}},
		"scatter at the origin": drawing.Scatter{XFormat: plain, YFormat: plain, Points: []drawing.Dot{{}}},
		"no scatter":            drawing.Scatter{},
		"grid":                  drawing.Grid{Corner: "what", Columns: []string{"Q1", "Q2"}, Format: plain, Rows: []drawing.GridRow{{Name: long, Values: []float64{-1, 2}, Strong: true}, {Name: "b", Values: []float64{3, 3}}}},
		"no grid":               drawing.Grid{},
	}
}

func page(chart drawing.Chart) drawing.Page {
	return drawing.Page{
		Title: "Größe – “Übersicht”", Subtitle: "a page", Dashboard: true, Footer: "left", Stamp: "right",
		Tiles: []drawing.Tile{
			{Label: "Sales", Value: "$1", Change: "1%", Rising: true, Good: true, Trend: []float64{1, 2, 1}},
			{Label: "Flat", Value: "0", Trend: []float64{1, 1}},
			{Label: "None", Value: "0"},
		},
		Rows: []drawing.Row{{Weight: 1, Cards: []drawing.Card{{Weight: 1, Title: "Chart", Subtitle: "note", Chart: chart}}}},
	}
}

func TestPictures(t *testing.T) {
	t.Parallel()
	for name, chart := range charts() {
		for _, test := range []struct {
			size  drawing.Size
			scale int
		}{{drawing.Size{Width: 1, Height: 1}, 1}, {drawing.Size{Width: 100, Height: 30}, 2}, {drawing.Size{Width: 420, Height: 380}, 1}} {
			var out bytes.Buffer
			if err := drawing.PNG(&out, page(chart), test.size, test.scale); err != nil {
				t.Fatalf("%s %s: %v", name, test.size, err)
			}
			img, err := png.Decode(&out)
			if err != nil {
				t.Fatalf("%s %s: %v", name, test.size, err)
			}
			if got, want := img.Bounds().Size(), image.Pt(test.size.Width*test.scale, test.size.Height*test.scale); got != want {
				t.Errorf("%s %s times %d is %v", name, test.size, test.scale, got)
			}
		}
		var svg, pdf bytes.Buffer
		size := drawing.Size{Width: 700, Height: 500}
		if err := drawing.SVG(&svg, page(chart), size); err != nil {
			t.Fatalf("%s as SVG: %v", name, err)
		}
		if err := xml.Unmarshal(svg.Bytes(), &struct{ XMLName xml.Name }{}); err != nil {
			t.Errorf("%s as SVG: %v", name, err)
		}
		if err := drawing.PDF(&pdf, drawing.Titled{Title: name}, drawing.Paper{Width: 300, Height: 300}, []drawing.Sheet{{Page: page(chart), Size: size}}); err != nil {
			t.Fatalf("%s as PDF: %v", name, err)
		}
		if strings.Contains(svg.String(), "NaN") || bytes.Contains(pdf.Bytes(), []byte("NaN")) {
			t.Errorf("%s has a coordinate that is no number", name)
		}
	}
}

// TestEmptyChart looks for the note that stands where there is no data.
func TestEmptyChart(t *testing.T) {
	t.Parallel()
	const note = "No data for this selection"
	for name, chart := range charts() {
		var svg bytes.Buffer
		if err := drawing.SVG(&svg, page(chart), drawing.Size{Width: 700, Height: 500}); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Contains(svg.String(), note), strings.HasPrefix(name, "no "); got != want {
			t.Errorf("%s: note of no data is %t, want %t", name, got, want)
		}
	}
}

// TestLegendIsWhole looks for all keys of a chart, also where the card is too
// narrow to have them beside its title.
func TestLegendIsWhole(t *testing.T) {
	t.Parallel()
	columns := drawing.Columns{Labels: []string{"Q1"}, Format: plain}
	names := []string{"First Class", "Same Day", "Second Class", "Standard Class"}
	for _, name := range names {
		columns.Series = append(columns.Series, drawing.Series{Name: name, Values: []float64{1}})
	}
	for _, width := range []int{200, 360, 420, 800} {
		var svg bytes.Buffer
		if err := drawing.SVG(&svg, page(columns), drawing.Size{Width: width, Height: 400}); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.Contains(svg.String(), ">"+name+"<") {
				t.Errorf("%d pixels wide the legend lacks %s", width, name)
			}
		}
	}
}

// TestGridFits looks for whole headings in a table that has little room, whose
// type is set smaller for it.
func TestGridFits(t *testing.T) {
	t.Parallel()
	grid := drawing.Grid{Format: plain, Rows: []drawing.GridRow{{Name: "Operating profit", Strong: true}}}
	for i := range 8 {
		grid.Columns = append(grid.Columns, fmt.Sprintf("FY25 Q%d", i))
		grid.Rows[0].Values = append(grid.Rows[0].Values, -12345)
	}
	sizes := map[int]float64{}
	for _, width := range []int{420, 1000} {
		var svg bytes.Buffer
		if err := drawing.SVG(&svg, page(grid), drawing.Size{Width: width, Height: 400}); err != nil {
			t.Fatal(err)
		}
		for _, want := range append(grid.Columns, "-12345") {
			if !strings.Contains(svg.String(), ">"+want+"<") {
				t.Errorf("%d pixels wide the table lacks %s", width, want)
			}
		}
		size := regexp.MustCompile(`font-size:([\d.]+)px;[^>]*">-12345<`).FindStringSubmatch(svg.String())
		if size == nil {
			t.Fatalf("the size of the figures is not told")
		}
		sizes[width], _ = strconv.ParseFloat(size[1], 64)
	}
	if sizes[420] >= sizes[1000] {
		t.Errorf("with less room the figures are as large: %v", sizes)
	}
}

func TestPDFIsRepeatable(t *testing.T) {
	t.Parallel()
	about := drawing.Titled{Title: "Übersicht", Made: time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)}
	size := drawing.Size{Width: 600, Height: 400}
	sheets := []drawing.Sheet{{Page: page(charts()["scatter"]), Size: size}, {Page: page(charts()["bars"]), Size: size}}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := drawing.PDF(out, about, drawing.PaperFor(size), sheets); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same sheets give two different documents")
	}
	if got := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(first.Bytes(), -1)); got != 2 {
		t.Errorf("%d pages, want 2", got)
	}
	if !bytes.Contains(first.Bytes(), []byte("/MediaBox [0 0 522.00 372.00]")) {
		t.Error("the paper is not 0.75 points a pixel and a margin of 36")
	}
	if first.Len() > 100_000 {
		t.Errorf("the document has %d bytes: its fonts are not subsets", first.Len())
	}
}

// TestPaletteGoesRound draws on more series than there are colours.
func TestPaletteGoesRound(t *testing.T) {
	t.Parallel()
	if drawing.Palette(0) != drawing.Palette(6) || drawing.Palette(0) == drawing.Palette(1) {
		t.Error("the palette does not go round")
	}
	var c color.Color = drawing.Color(0x102030)
	if r, g, b, a := c.RGBA(); r>>8 != 0x10 || g>>8 != 0x20 || b>>8 != 0x30 || a != 0xffff {
		t.Errorf("RGBA = %x %x %x %x", r, g, b, a)
	}
}

func BenchmarkPNG(b *testing.B) {
	p := page(charts()["lines"])
	for b.Loop() {
		if err := drawing.PNG(&bytes.Buffer{}, p, drawing.Size{Width: 1000, Height: 800}, 1); err != nil {
			b.Fatal(err)
		}
	}
}
