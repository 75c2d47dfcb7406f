package drawing

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatter sets two measures against each other.
type Scatter struct {
	Points           []Dot
	XTitle, YTitle   string
	XFormat, YFormat Format
	Keys             []Key
}

// Dot is one mark of a [Scatter]. Its area follows Weight, from 0 to 1.
type Dot struct {
	Name   string
	X, Y   float64
	Weight float64
	Color  Color
}

func (s Scatter) empty() bool { return len(s.Points) == 0 }

func (s Scatter) keys() []Key { return s.Keys }

func (s Scatter) paint(c draw.Canvas) {
	p := newPlot()
	xs, ys := make([]float64, len(s.Points)), make([]float64, len(s.Points))
	for i, d := range s.Points {
		xs[i], ys[i] = d.X, d.Y
	}
	low, high := span(xs)
	scale(&p.X, low, high*1.02, ticksFor(c.Size().X*2/3), s.XFormat)
	low, high = span(ys)
	scale(&p.Y, low, high*1.04, ticksFor(c.Size().Y), s.YFormat)
	p.X.Label.Text, p.Y.Label.Text = s.XTitle, s.YTitle
	p.X.Label.Padding, p.Y.Label.Padding = 4*px, 4*px
	p.Add(gridlines(true), cloud(s))
	p.Draw(draw.Crop(c, 0, -14*px, 0, -8*px))
}

// cloud plots the dots of [Scatter] with as many names as have room.
type cloud Scatter

func (s cloud) Plot(c draw.Canvas, p *plot.Plot) {
	points := make(plotter.XYs, len(s.Points))
	for i, d := range s.Points {
		points[i] = plotter.XY{X: d.X, Y: d.Y}
	}
	radius := func(i int) vg.Length {
		return (4 + 9*vg.Length(math.Sqrt(max(0, s.Points[i].Weight)))) * px
	}
	marks := plotter.Scatter{XYs: points, GlyphStyleFunc: func(i int) draw.GlyphStyle {
		return draw.GlyphStyle{Shape: draw.CircleGlyph{}, Radius: radius(i), Color: s.Points[i].Color.mix(white, 0.2)}
	}}
	marks.Plot(c, p)

	x, y := p.Transforms(&c)
	style := regular(11, ink)
	var taken []vg.Rectangle
	for i, d := range s.Points {
		r := vg.Point{X: radius(i), Y: radius(i)}
		at := vg.Point{X: x(d.X), Y: y(d.Y)}
		taken = append(taken, vg.Rectangle{Min: at.Sub(r), Max: at.Add(r)})
	}
	for i, d := range s.Points {
		at := vg.Point{X: x(d.X), Y: y(d.Y)}
		size := vg.Point{X: style.Width(d.Name), Y: 12 * px}
		for _, corner := range []vg.Point{
			{X: at.X + radius(i) + 4*px, Y: at.Y - 4*px},
			{X: at.X - radius(i) - 4*px - size.X, Y: at.Y - 4*px},
			{X: at.X - size.X/2, Y: at.Y + radius(i) + 4*px},
			{X: at.X - size.X/2, Y: at.Y - radius(i) - 13*px},
		} {
			box := vg.Rectangle{Min: corner, Max: corner.Add(size)}
			if free(box, c.Rectangle, taken) {
				taken = append(taken, box)
				baseline(c, style, corner.X, corner.Y, d.Name)
				break
			}
		}
	}
}

// free reports whether a box lies within the bounds and touches no other.
func free(box, bounds vg.Rectangle, taken []vg.Rectangle) bool {
	if box.Min.X < bounds.Min.X || box.Max.X > bounds.Max.X || box.Min.Y < bounds.Min.Y || box.Max.Y > bounds.Max.Y {
		return false
	}
	for _, t := range taken {
		if box.Min.X < t.Max.X && t.Min.X < box.Max.X && box.Min.Y < t.Max.Y && t.Min.Y < box.Max.Y {
			return false
		}
	}
	return true
}
