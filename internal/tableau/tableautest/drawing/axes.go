package drawing

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Format writes a number as the chart's labels show it.
type Format func(float64) string

// newPlot returns a plot with quiet axes: no lines, no tick marks, grey labels.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.LineStyle.Width = 0
		axis.Tick.LineStyle.Width = 0
		axis.Tick.Length = 4 * px
		axis.Padding = 8 * px
		label := regular(11, muted)
		axis.Tick.Label.Font = label.Font
		axis.Tick.Label.Color = label.Color
		axis.Label.TextStyle.Font = label.Font
		axis.Label.TextStyle.Color = label.Color
	}
	return p
}

// gridlines returns faint horizontal lines, and vertical ones where wanted.
func gridlines(vertical bool) *plotter.Grid {
	grid := plotter.NewGrid()
	grid.Horizontal = draw.LineStyle{Color: faint, Width: 1 * px}
	grid.Vertical = draw.LineStyle{}
	if vertical {
		grid.Vertical = grid.Horizontal
	}
	return grid
}

// span returns the least and greatest of some values, and 0, 0 of none.
func span(values []float64) (low, high float64) {
	for i, v := range values {
		if i == 0 || v < low {
			low = v
		}
		if i == 0 || v > high {
			high = v
		}
	}
	return low, high
}

// scale puts about count round numbers on an axis, so that they enclose low and
// high and include 0.
func scale(axis *plot.Axis, low, high float64, count int, format Format) {
	low, high = min(low, 0), max(high, 0)
	if high == low {
		high = 1
	}
	step := roundStep((high - low) / float64(count))
	axis.Min, axis.Max = math.Floor(low/step+1e-9)*step, math.Ceil(high/step-1e-9)*step
	var ticks []plot.Tick
	for i := 0; ; i++ {
		v := axis.Min + float64(i)*step
		if v > axis.Max+step/2 {
			break
		}
		if math.Abs(v) < step/1e6 {
			v = 0
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: format(v)})
	}
	axis.Tick.Marker = plot.ConstantTicks(ticks)
}

// roundStep rounds a step up to 1, 2, 2.5 or 5 times a power of ten.
func roundStep(step float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if step <= m*power*1.0001 {
			return m * power
		}
	}
	return 10 * power
}

// name labels an axis of positions 0, 1, 2, …; labels that would touch in
// width are thinned out so that the last one stays.
func name(axis *plot.Axis, labels []string, width vg.Length) {
	widest := vg.Length(0)
	for _, l := range labels {
		widest = max(widest, axis.Tick.Label.Width(l))
	}
	every := 1
	for vg.Length(len(labels))*(widest+6*px)/vg.Length(every) > width && every < len(labels) {
		every++
	}
	ticks := make([]plot.Tick, 0, len(labels))
	for i, l := range labels {
		if (len(labels)-1-i)%every != 0 {
			l = ""
		}
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: l})
	}
	axis.Tick.Marker = plot.ConstantTicks(ticks)
}

// ticksFor returns how many steps suit an axis of that length.
func ticksFor(length vg.Length) int {
	return min(8, max(2, int(length/(48*px))))
}
