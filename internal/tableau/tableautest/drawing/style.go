package drawing

import (
	"image/color"
	"strings"

	xfont "golang.org/x/image/font"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Color is a colour as web pages write it: 0xRRGGBB, opaque.
type Color uint32

// RGBA implements [color.Color].
func (c Color) RGBA() (r, g, b, a uint32) {
	return color.NRGBA{R: uint8(c >> 16), G: uint8(c >> 8), B: uint8(c), A: 255}.RGBA()
}

// mix returns the colour that lies share of the way from c to other.
func (c Color) mix(other Color, share float64) Color {
	part := func(shift uint) Color {
		from, to := float64(c>>shift&255), float64(other>>shift&255)
		return Color(from+(to-from)*share+0.5) << shift
	}
	return part(16) | part(8) | part(0)
}

// Colours for data.
const (
	Blue   Color = 0x3A6EA5
	Teal   Color = 0x2F9C95
	Amber  Color = 0xE09F3E
	Rose   Color = 0xC8553D
	Plum   Color = 0x7F6A93
	Silver Color = 0xB4BFCA
)

// Colours of everything else.
const (
	ink    Color = 0x1F2A37
	muted  Color = 0x667485
	faint  Color = 0xE6EAEF
	edge   Color = 0xDDE3EA
	ground Color = 0xF3F5F8
	white  Color = 0xFFFFFF
	good   Color = 0x2E7D5B
	bad    Color = 0xB4443A
)

// Palette returns the i-th of the colours for data, round and round.
func Palette(i int) Color {
	colors := [...]Color{Blue, Amber, Teal, Plum, Rose, Silver}
	return colors[i%len(colors)]
}

func sans(size float64, c Color, weight xfont.Weight) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: vg.Length(size) * px},
		Handler: plot.DefaultTextHandler,
		YAlign:  draw.YBottom,
	}
}

func regular(size float64, c Color) text.Style { return sans(size, c, xfont.WeightNormal) }
func bold(size float64, c Color) text.Style    { return sans(size, c, xfont.WeightBold) }

func aligned(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

// fit shortens a text with an ellipsis until it is at most width long.
func fit(s text.Style, txt string, width vg.Length) string {
	if s.Width(txt) <= width {
		return txt
	}
	runes := []rune(txt)
	for n := len(runes) - 1; n > 0; n-- {
		short := strings.TrimRight(string(runes[:n]), " ") + "…"
		if s.Width(short) <= width {
			return short
		}
	}
	return ""
}

// baseline writes txt with its baseline at y; x is where the style's alignment
// puts it.
func baseline(c draw.Canvas, s text.Style, x, y vg.Length, txt string) {
	if txt == "" {
		return
	}
	switch s.XAlign {
	case draw.XRight:
		x -= s.Width(txt)
	case draw.XCenter:
		x -= s.Width(txt) / 2
	}
	c.SetColor(s.Color)
	c.FillString(s.Handler.Cache().Lookup(s.Font, s.Font.Size), vg.Point{X: x, Y: y}, txt)
}

// middle writes txt with the middle of its capitals at y.
func middle(c draw.Canvas, s text.Style, x, y vg.Length, txt string) {
	const capHeight = 0.729 // of the font's size, in Liberation Sans
	baseline(c, s, x, y-s.Font.Size*capHeight/2, txt)
}

// roundRect returns a rectangle with rounded corners.
func roundRect(r vg.Rectangle, radius vg.Length) vg.Path {
	size := r.Size()
	radius = min(radius, size.X/2, size.Y/2)
	const k = 0.5523 // of the radius: a Bézier's handle for a quarter circle
	h := radius * (1 - k)
	lo, hi := r.Min, r.Max
	var p vg.Path
	p.Move(vg.Point{X: lo.X + radius, Y: lo.Y})
	p.Line(vg.Point{X: hi.X - radius, Y: lo.Y})
	p.CubeTo(vg.Point{X: hi.X - h, Y: lo.Y}, vg.Point{X: hi.X, Y: lo.Y + h}, vg.Point{X: hi.X, Y: lo.Y + radius})
	p.Line(vg.Point{X: hi.X, Y: hi.Y - radius})
	p.CubeTo(vg.Point{X: hi.X, Y: hi.Y - h}, vg.Point{X: hi.X - h, Y: hi.Y}, vg.Point{X: hi.X - radius, Y: hi.Y})
	p.Line(vg.Point{X: lo.X + radius, Y: hi.Y})
	p.CubeTo(vg.Point{X: lo.X + h, Y: hi.Y}, vg.Point{X: lo.X, Y: hi.Y - h}, vg.Point{X: lo.X, Y: hi.Y - radius})
	p.Line(vg.Point{X: lo.X, Y: lo.Y + radius})
	p.CubeTo(vg.Point{X: lo.X, Y: lo.Y + h}, vg.Point{X: lo.X + h, Y: lo.Y}, vg.Point{X: lo.X + radius, Y: lo.Y})
	p.Close()
	return p
}

func fill(c draw.Canvas, col color.Color, p vg.Path) {
	c.SetColor(col)
	c.Fill(p)
}

func stroke(c draw.Canvas, col color.Color, width vg.Length, p vg.Path) {
	c.SetColor(col)
	c.SetLineWidth(width)
	c.SetLineDash(nil, 0)
	c.Stroke(p)
}

func line(c draw.Canvas, col color.Color, width vg.Length, from, to vg.Point) {
	var p vg.Path
	p.Move(from)
	p.Line(to)
	stroke(c, col, width, p)
}
