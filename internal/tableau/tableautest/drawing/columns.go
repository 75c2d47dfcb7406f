package drawing

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

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
