// Package drawing paints the pictures that the Tableau stand-in exports: a
// page of cards with charts, as PNG, as SVG and as a vector PDF.
//
// A page is laid out in pixels of 1/96 inch, top to bottom: title, tiles with
// the figures that matter most, rows of cards, and a footer that says which
// filters were applied and when the page was rendered.
package drawing

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"regexp"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// px is the length of one pixel at 96 dots per inch.
const px = vg.Inch / 96

// The smallest page that the layout is made for. A smaller picture shows this
// page scaled down.
const (
	leastWidth  = 360
	leastHeight = 260
)

// Size is the size of a picture in pixels at 96 dots per inch.
type Size struct{ Width, Height int }

func (s Size) String() string { return fmt.Sprintf("%dx%d", s.Width, s.Height) }

// Page is everything that one picture shows.
type Page struct {
	Title    string
	Subtitle string
	// Dashboard puts the charts on cards over a tinted ground. Without it the
	// page is a single sheet on white.
	Dashboard bool
	Tiles     []Tile
	Rows      []Row
	// Footer stands at the lower left, Stamp at the lower right.
	Footer string
	Stamp  string
}

// Tile is one figure with its change and its course.
type Tile struct {
	Label  string
	Value  string
	Change string // such as "8.4% vs previous 12 months"; empty for none
	Rising bool   // the arrow points up
	Good   bool   // the change is drawn in the colour of good news
	Trend  []float64
}

// Row is a row of cards; Weight is its share of the height.
type Row struct {
	Weight float64
	Cards  []Card
}

// Card is one chart with its heading; Weight is its share of the row's width.
type Card struct {
	Weight   float64
	Title    string
	Subtitle string
	Chart    Chart
}

// Chart is one of the kinds of this package: [Lines], [Bars], [Columns],
// [Scatter], [Grid].
type Chart interface {
	// empty reports that there is nothing to draw.
	empty() bool
	// keys explains the colours, for the card's heading.
	keys() []Key
	// paint draws the chart into the whole of the canvas.
	paint(c draw.Canvas)
}

// Key explains one colour of a chart.
type Key struct {
	Name   string
	Color  Color
	Dashed bool
}

// PNG writes the page as a PNG of size*scale pixels.
func PNG(w io.Writer, page Page, size Size, scale int) error {
	canvas := vgimg.NewWith(
		vgimg.UseWH(vg.Length(size.Width)*px, vg.Length(size.Height)*px),
		vgimg.UseDPI(96*scale),
	)
	paint(raster{canvas}, page, size)
	// The picture is drawn once and sent once: speed counts for more than the
	// last percent of size.
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(w, canvas.Image()); err != nil {
		return fmt.Errorf("encoding the PNG: %w", err)
	}
	return nil
}

// raster is a bitmap canvas that sets type well. The face that vgimg draws
// with gives kerning in the font's own units, whatever the size, so a "Te" of
// small type runs into one. Text is therefore drawn in runs that contain no
// kerned pair, each placed by the font's true widths.
type raster struct{ *vgimg.Canvas }

func (r raster) FillString(face font.Face, pt vg.Point, txt string) {
	start := 0
	var before rune
	for i, now := range txt {
		if i > start && kerned(face, before, now) {
			r.Canvas.FillString(face, vg.Point{X: pt.X + face.Width(txt[:i]) - face.Width(txt[start:i]), Y: pt.Y}, txt[start:i])
			start = i
		}
		before = now
	}
	run := txt[start:]
	r.Canvas.FillString(face, vg.Point{X: pt.X + face.Width(txt) - face.Width(run), Y: pt.Y}, run)
}

func kerned(face font.Face, a, b rune) bool {
	var buf sfnt.Buffer
	left, err := face.Face.GlyphIndex(&buf, a)
	if err != nil {
		return false
	}
	right, err := face.Face.GlyphIndex(&buf, b)
	if err != nil {
		return false
	}
	kern, err := face.Face.Kern(&buf, left, right, fixed.Int26_6(face.Face.UnitsPerEm()), xfont.HintingNone)
	return err == nil && kern != 0
}

// SVG writes the page as an SVG that is a pixel wider and higher than size and
// says so in millimetres, as Tableau's do.
func SVG(w io.Writer, page Page, size Size) error {
	size.Width++
	size.Height++
	canvas := vgsvg.New(vg.Length(size.Width)*px, vg.Length(size.Height)*px)
	paint(canvas, page, size)
	var drawn bytes.Buffer
	if _, err := canvas.WriteTo(&drawn); err != nil {
		return fmt.Errorf("writing the SVG: %w", err)
	}
	// The canvas writes its size in points.
	const millimetres = 25.4 / 96
	inPoints := regexp.MustCompile(`<svg width="[^"]*" height="[^"]*"`).FindIndex(drawn.Bytes())
	if inPoints == nil {
		return errors.New("the SVG has no size")
	}
	head, body := drawn.Bytes()[:inPoints[0]], drawn.Bytes()[inPoints[1]:]
	measure := fmt.Sprintf(`<svg width="%.2fmm" height="%.2fmm"`, float64(size.Width)*millimetres, float64(size.Height)*millimetres)
	for _, part := range [][]byte{head, []byte(measure), body} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("writing the SVG: %w", err)
		}
	}
	return nil
}

// paint draws the page into a canvas of the given size.
func paint(canvas vg.Canvas, page Page, size Size) {
	width, height := float64(size.Width), float64(size.Height)
	shrink := min(1, width/leastWidth, height/leastHeight)
	canvas.Push()
	defer canvas.Pop()
	canvas.Scale(shrink, shrink)
	page.paint(draw.NewCanvas(canvas, vg.Length(width/shrink)*px, vg.Length(height/shrink)*px))
}
