package drawing

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

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
	names, width := g.widths(size, c.Size().X)
	// Where there is little room, the type is smaller, down to what can be read.
	for size > 5 && g.widest(size) > width-2*cellMargin {
		size -= 0.5
		names, width = g.widths(size, c.Size().X)
	}
	plain, head, strong := regular(size, ink), regular(size, muted), bold(size, ink)

	y := c.Max.Y - step/2
	middle(c, head, c.Min.X, y, fit(head, g.Corner, names))
	for j, col := range g.Columns {
		right := c.Min.X + names + width*vg.Length(j+1) - cellMargin - 1*px
		middle(c, aligned(head, draw.XRight, draw.YBottom), right, y, fit(head, col, width-2*cellMargin))
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
			middle(c, figure, cell.Max.X-cellMargin, y, g.Format(v))
		}
		if row.Strong {
			line(c, edge, 1*px, vg.Point{X: c.Min.X, Y: y - step/2}, vg.Point{X: c.Max.X, Y: y - step/2})
		}
	}
}

const cellMargin = 6 * px

// widths divides the room between the names of the rows and each of the columns,
// for type of a size.
func (g Grid) widths(size float64, room vg.Length) (names, column vg.Length) {
	strong := bold(size, ink)
	names = strong.Width(g.Corner)
	for _, row := range g.Rows {
		names = max(names, strong.Width(row.Name))
	}
	names = min(names+16*px, room*0.35)
	return names, (room - names) / vg.Length(len(g.Columns))
}

// widest is the width of the widest heading or figure in type of a size.
func (g Grid) widest(size float64) vg.Length {
	strong, width := bold(size, ink), vg.Length(0)
	for _, col := range g.Columns {
		width = max(width, strong.Width(col))
	}
	for _, row := range g.Rows {
		for _, v := range row.Values {
			width = max(width, strong.Width(g.Format(v)))
		}
	}
	return width
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
