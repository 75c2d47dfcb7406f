package drawing

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	keyMark = 18 * px // a key's mark, and the space to its name
	keyGap  = 14 * px
)

// keysWidth is how wide keys are in one line.
func keysWidth(keys []Key) vg.Length {
	style, width := regular(11, muted), vg.Length(0)
	for i, key := range keys {
		if i > 0 {
			width += keyGap
		}
		width += keyMark + style.Width(key.Name)
	}
	return width
}

// keyLines breaks keys into lines that are no wider than width, unless a single
// key is.
func keyLines(keys []Key, width vg.Length) [][]Key {
	var lines [][]Key
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keysWidth(keys[:n+1]) <= width {
			n++
		}
		lines, keys = append(lines, keys[:n]), keys[n:]
	}
	return lines
}

// paintKeys writes keys from x on into one line with its baseline at y.
func paintKeys(c draw.Canvas, keys []Key, x, y vg.Length) {
	style := regular(11, muted)
	for _, key := range keys {
		baseline(c, style, x+keyMark, y, fit(style, key.Name, c.Max.X-x-keyMark))
		mark := vg.Point{X: x + 8*px, Y: y + 4*px}
		if key.Dashed {
			for d := range 3 {
				from := x + vg.Length(1+5*d)*px
				line(c, key.Color, 2*px, vg.Point{X: from, Y: mark.Y}, vg.Point{X: from + 3*px, Y: mark.Y})
			}
		} else {
			half := vg.Point{X: 5 * px, Y: 5 * px}
			fill(c, key.Color, roundRect(vg.Rectangle{Min: mark.Sub(half), Max: mark.Add(half)}, 2*px))
		}
		x += keyMark + style.Width(key.Name) + keyGap
	}
}
