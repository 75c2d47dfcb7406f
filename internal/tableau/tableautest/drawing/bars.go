package drawing

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

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
	// Of bars that are closer than type can be set, some are named.
	every := max(1, int(math.Ceil(float64(9*px/step))))
	for i, bar := range b.Bars {
		y := c.Max.Y - step*(vg.Length(i)+0.5)
		named := i%every == 0
		if named {
			middle(c, label, c.Min.X, y, fit(label, bar.Name, names))
		}
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
		switch total := bar.total(); {
		case !named:
		case total < 0:
			middle(c, aligned(value, draw.XRight, draw.YBottom), x(total)-6*px, y, b.Format(total))
		default:
			middle(c, value, x(total)+6*px, y, b.Format(total))
		}
	}
	line(c, Silver, 1*px, vg.Point{X: x(0), Y: c.Min.Y}, vg.Point{X: x(0), Y: c.Max.Y})
}
