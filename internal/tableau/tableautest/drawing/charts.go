package drawing

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
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
	p.X.Min, p.X.Max = 0, max(1, float64(len(l.Labels)-1))
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

// Bars compares named things by horizontal bars, the first on top.
type Bars struct {
	Bars   []Bar
	Format Format
	Keys   []Key
}

// Bar is one bar of one or more parts. Parts of more than one are stacked.
type Bar struct {
	Name  string
	Parts []Part
}

// Part is one coloured part of a bar.
type Part struct {
	Value float64
	Color Color
}

func (b Bar) total() float64 {
	sum := 0.0
	for _, p := range b.Parts {
		sum += p.Value
	}
	return sum
}

func (b Bars) empty() bool { return len(b.Bars) == 0 }

func (b Bars) keys() []Key { return b.Keys }

func (b Bars) paint(c draw.Canvas) {
	step := c.Size().Y / vg.Length(len(b.Bars))
	thick := min(step*0.64, 30*px)
	size := min(12, max(8, float64(step/px)*0.62))
	label := regular(size, ink)
	value := regular(size, muted)

	var names, figures vg.Length
	low, high := 0.0, 0.0
	for _, bar := range b.Bars {
		names = max(names, label.Width(bar.Name))
		figures = max(figures, value.Width(b.Format(bar.total())))
		low, high = min(low, bar.total()), max(high, bar.total())
	}
	names = min(names, c.Size().X*0.4)
	if high == low {
		high = 1
	}
	// Figures stand outside the bars, on both sides where there are negative
	// ones.
	left, right := c.Min.X+names+10*px, c.Max.X-figures-6*px
	if low < 0 {
		left += figures + 6*px
	}
	x := func(v float64) vg.Length {
		return left + (right-left)*vg.Length((v-low)/(high-low))
	}
	for i, bar := range b.Bars {
		y := c.Max.Y - step*(vg.Length(i)+0.5)
		middle(c, label, c.Min.X, y, fit(label, bar.Name, names))
		from := 0.0
		for _, part := range bar.Parts {
			a, z := x(from), x(from+part.Value)
			from += part.Value
			shape := vg.Rectangle{
				Min: vg.Point{X: min(a, z), Y: y - thick/2},
				Max: vg.Point{X: max(a, z), Y: y + thick/2},
			}
			if len(bar.Parts) == 1 {
				fill(c, part.Color, roundRect(shape, 2*px))
			} else {
				shape.Max.X -= min(1*px, shape.Size().X/2)
				fill(c, part.Color, shape.Path())
			}
		}
		total := bar.total()
		if total < 0 {
			middle(c, aligned(value, draw.XRight, draw.YBottom), x(total)-6*px, y, b.Format(total))
		} else {
			middle(c, value, x(total)+6*px, y, b.Format(total))
		}
	}
	line(c, Silver, 1*px, vg.Point{X: x(0), Y: c.Min.Y}, vg.Point{X: x(0), Y: c.Max.Y})
}

// Columns compares periods by upright columns, stacked where there are more
// series than one.
type Columns struct {
	Labels []string
	Series []Series
	Format Format
}

func (b Columns) empty() bool { return len(b.Labels) == 0 }

func (b Columns) keys() []Key { return seriesKeys(b.Series) }

func (b Columns) paint(c draw.Canvas) {
	p := newPlot()
	low, high := 0.0, 0.0
	for i := range b.Labels {
		up, down := 0.0, 0.0
		for _, s := range b.Series {
			up += max(0, s.Values[i])
			down += min(0, s.Values[i])
		}
		low, high = min(low, down), max(high, up)
	}
	scale(&p.Y, low, high*1.04, ticksFor(c.Size().Y), b.Format)
	p.X.Min, p.X.Max = -0.5, float64(len(b.Labels))-0.5
	name(&p.X, b.Labels, c.Size().X-45*px)
	p.Add(gridlines(false), stack(b))
	p.Draw(draw.Crop(c, 0, -4*px, 0, -8*px))
}

// stack plots the columns of [Columns].
type stack Columns

func (b stack) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	step := x(1) - x(0)
	thick := min(step*0.62, 64*px)
	label := aligned(regular(11, ink), draw.XCenter, draw.YBottom)
	for i := range b.Labels {
		up, down := 0.0, 0.0
		for _, s := range b.Series {
			v := s.Values[i]
			from := up
			if v < 0 {
				from = down
			}
			a, z := y(from), y(from+v)
			shape := vg.Rectangle{
				Min: vg.Point{X: x(float64(i)) - thick/2, Y: min(a, z)},
				Max: vg.Point{X: x(float64(i)) + thick/2, Y: max(a, z)},
			}
			if len(b.Series) > 1 {
				shape.Max.Y -= min(1*px, shape.Size().Y/2)
				fill(c, s.Color, shape.Path())
			} else {
				fill(c, s.Color, roundRect(shape, 2*px))
			}
			if v < 0 {
				down += v
			} else {
				up += v
			}
		}
		total := b.Format(up + down)
		if label.Width(total) < step-2*px {
			at := y(up) + 4*px
			if up == 0 {
				at = y(down) - 13*px
			}
			baseline(c, label, x(float64(i)), at, total)
		}
	}
	line(c, Silver, 1*px, vg.Point{X: c.Min.X, Y: y(0)}, vg.Point{X: c.Max.X, Y: y(0)})
}

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

// Grid is a table of numbers whose cells are tinted by their value.
type Grid struct {
	Corner  string
	Columns []string
	Rows    []GridRow
	Format  Format
}

// GridRow is one line of a [Grid]. A strong line is written in bold and not
// tinted.
type GridRow struct {
	Name   string
	Values []float64
	Strong bool
}

func (g Grid) empty() bool { return len(g.Rows) == 0 || len(g.Columns) == 0 }

func (g Grid) keys() []Key { return nil }

func (g Grid) paint(c draw.Canvas) {
	step := min(c.Size().Y/vg.Length(len(g.Rows)+1), 64*px)
	size := min(12, max(8, float64(step/px)*0.45))
	plain, head, strong := regular(size, ink), regular(size, muted), bold(size, ink)

	names := strong.Width(g.Corner)
	for _, row := range g.Rows {
		names = max(names, strong.Width(row.Name))
	}
	names = min(names+16*px, c.Size().X*0.35)
	width := (c.Size().X - names) / vg.Length(len(g.Columns))

	y := c.Max.Y - step/2
	middle(c, head, c.Min.X, y, fit(head, g.Corner, names))
	for j, col := range g.Columns {
		right := c.Min.X + names + width*vg.Length(j+1) - 10*px
		middle(c, aligned(head, draw.XRight, draw.YBottom), right, y, fit(head, col, width-12*px))
	}
	line(c, Silver, 1*px, vg.Point{X: c.Min.X, Y: y - step/2}, vg.Point{X: c.Max.X, Y: y - step/2})
	for i, row := range g.Rows {
		y := c.Max.Y - step*(vg.Length(i)+1.5)
		style := plain
		if row.Strong {
			style = strong
		}
		middle(c, style, c.Min.X, y, fit(style, row.Name, names-8*px))
		low, high := reach(row.Values)
		for j, v := range row.Values {
			cell := vg.Rectangle{
				Min: vg.Point{X: c.Min.X + names + width*vg.Length(j) + 1*px, Y: y - step/2 + 1*px},
				Max: vg.Point{X: c.Min.X + names + width*vg.Length(j+1) - 1*px, Y: y + step/2 - 1*px},
			}
			if !row.Strong {
				fill(c, tint(math.Abs(v), low, high), cell.Path())
			}
			figure := aligned(style, draw.XRight, draw.YBottom)
			if row.Strong && v < 0 {
				figure.Color = bad
			}
			middle(c, figure, cell.Max.X-9*px, y, g.Format(v))
		}
		if row.Strong {
			line(c, edge, 1*px, vg.Point{X: c.Min.X, Y: y - step/2}, vg.Point{X: c.Max.X, Y: y - step/2})
		}
	}
}

// reach is the least and greatest of some values without their signs.
func reach(values []float64) (low, high float64) {
	sizes := make([]float64, len(values))
	for i, v := range values {
		sizes[i] = math.Abs(v)
	}
	return span(sizes)
}

// tint is darker the higher a value lies in its range.
func tint(v, low, high float64) Color {
	if high == low {
		return Blue.mix(white, 0.8)
	}
	return Blue.mix(white, 0.94-0.4*(v-low)/(high-low))
}
