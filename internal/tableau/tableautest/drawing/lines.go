package drawing

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is one line, or one colour of stacked columns. A NaN is a gap.
type Series struct {
	Name   string
	Values []float64
	Color  Color
	Dashed bool
}

// Lines shows courses over time. The area under the first series is tinted,
// and its last value is written out.
type Lines struct {
	Labels []string
	Series []Series
	Format Format
}

func (l Lines) empty() bool { return len(l.Labels) == 0 }

func (l Lines) keys() []Key { return seriesKeys(l.Series) }

func seriesKeys(series []Series) []Key {
	if len(series) < 2 {
		return nil
	}
	keys := make([]Key, len(series))
	for i, s := range series {
		keys[i] = Key{Name: s.Name, Color: s.Color, Dashed: s.Dashed}
	}
	return keys
}

func (l Lines) paint(c draw.Canvas) {
	p := newPlot()
	low, high := 0.0, 0.0
	for _, s := range l.Series {
		for _, v := range s.Values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	scale(&p.Y, low, high, ticksFor(c.Size().Y), l.Format)
	p.X.Min, p.X.Max = 0, float64(len(l.Labels)-1)
	if len(l.Labels) == 1 { // in the middle
		p.X.Min, p.X.Max = -1, 1
	}
	name(&p.X, l.Labels, c.Size().X-100*px)
	if len(l.Series) > 0 {
		p.Add(area(l.Series[0]))
	}
	p.Add(gridlines(false))
	// The first series lies on top of the others.
	for i := len(l.Series) - 1; i >= 0; i-- {
		p.Add(course{series: l.Series[i], first: i == 0, format: l.Format})
	}
	p.Draw(draw.Crop(c, 0, -l.room(), 0, -6*px))
}

// endLabel is the style of a line's last value.
func endLabel(c Color) text.Style { return bold(11, c.mix(ink, 0.25)) }

// room is what the last value needs to the right of the plot.
func (l Lines) room() vg.Length {
	if len(l.Series) == 0 {
		return 0
	}
	for _, v := range slices.Backward(l.Series[0].Values) {
		if !math.IsNaN(v) {
			return endLabel(l.Series[0].Color).Width(l.Format(v)) + 9*px
		}
	}
	return 0
}

// area plots the tint below a series.
type area Series

func (a area) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	var shape vg.Path
	for i, v := range a.Values {
		if math.IsNaN(v) {
			continue
		}
		if len(shape) == 0 {
			shape.Move(vg.Point{X: x(float64(i)), Y: y(0)})
		}
		shape.Line(vg.Point{X: x(float64(i)), Y: y(v)})
	}
	if len(shape) == 0 {
		return
	}
	shape.Line(vg.Point{X: shape[len(shape)-1].Pos.X, Y: y(0)})
	shape.Close()
	fill(c, a.Color.mix(white, 0.9), shape)
}

// course plots one series of [Lines].
type course struct {
	series Series
	first  bool
	format Format
}

func (s course) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	var line vg.Path
	var last vg.Point
	lastValue, open := math.NaN(), false
	for i, v := range s.series.Values {
		if math.IsNaN(v) {
			open = false
			continue
		}
		at := vg.Point{X: x(float64(i)), Y: y(v)}
		if open {
			line.Line(at)
		} else {
			line.Move(at)
		}
		last, lastValue, open = at, v, true
	}
	if math.IsNaN(lastValue) {
		return
	}
	c.SetColor(s.series.Color)
	c.SetLineWidth(2.2 * px)
	c.SetLineDash(nil, 0)
	if s.series.Dashed {
		c.SetLineWidth(1.8 * px)
		c.SetLineDash([]vg.Length{5 * px, 4 * px}, 0)
	}
	c.Stroke(line)
	c.SetLineDash(nil, 0)
	if !s.first {
		return
	}
	dot(c, last, 4.5*px, white)
	dot(c, last, 3.2*px, s.series.Color)
	middle(c, endLabel(s.series.Color), last.X+8*px, last.Y, s.format(lastValue))
}
