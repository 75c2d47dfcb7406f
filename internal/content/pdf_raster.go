package content

import (
	"cmp"
	"math"
	"slices"
)

// pdfMatrix is a, b, c, d, e, f as ISO 32000-1, 8.3.3, has them.
type pdfMatrix [6]float64

// times returns the matrix that does m first, and then n.
func (m pdfMatrix) times(n pdfMatrix) pdfMatrix {
	return pdfMatrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

func (m pdfMatrix) point(x, y float64) pdfPoint {
	return pdfPoint{m[0]*x + m[2]*y + m[4], m[1]*x + m[3]*y + m[5]}
}

// scale returns by how much the matrix makes things larger, at most.
func (m pdfMatrix) scale() float64 {
	return max(math.Hypot(m[0], m[1]), math.Hypot(m[2], m[3]))
}

type pdfPoint struct{ x, y float64 }

type pdfBox struct{ x0, y0, x1, y1 float64 }

// box returns what a rectangle takes after the matrix: of one that is turned,
// what is around it.
func (m pdfMatrix) box(b pdfBox) pdfBox {
	return boundsOf(m.point(b.x0, b.y0), m.point(b.x1, b.y0), m.point(b.x1, b.y1), m.point(b.x0, b.y1))
}

func boundsOf(points ...pdfPoint) pdfBox {
	b := pdfBox{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, p := range points {
		b.x0, b.y0 = min(b.x0, p.x), min(b.y0, p.y)
		b.x1, b.y1 = max(b.x1, p.x), max(b.y1, p.y)
	}
	return b
}

func (b pdfBox) and(o pdfBox) pdfBox {
	return pdfBox{max(b.x0, o.x0), max(b.y0, o.y0), min(b.x1, o.x1), min(b.y1, o.y1)}
}

// empty reports whether nothing is within. A box that is not a number is not
// empty, since nothing is known of it.
func (b pdfBox) empty() bool { return b.x0 >= b.x1 || b.y0 >= b.y1 }

// touches reports whether two boxes have a point in common.
func (b pdfBox) touches(o pdfBox) bool {
	return !(b.x1 < o.x0 || b.x0 > o.x1 || b.y1 < o.y0 || b.y0 > o.y1)
}

func (b pdfBox) known() bool {
	sum := b.x0 + b.y0 + b.x1 + b.y1
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

const (
	pdfMaxSide     = 1000    // pixels: a larger page is looked at smaller
	pdfMaxCrossing = 1 << 18 // of the outline of a shape with rows of pixels
)

// pdfRaster is a page in pixels, of about a point each, by their distances from
// white. What is painted is never taken away again: what covers it may not.
type pdfRaster struct {
	width, height int
	pixels        []byte // a distance of at most 31, and pdfColored
	page          pdfBox
	inner         pdfBox // without the border
	shown         bool   // there is certainly something
	touched       bool   // something was painted since the page began
	workLeft      int    // pixels that may be painted in all; what is more may show
	painted       int    // pixels since the last look
	lookAt        int    // when to look next
	crossings     []pdfCrossing
}

const (
	pdfFar     = 31   // a distance that is as good as any larger one
	pdfColored = 0x80 // the pixel is of no shade of grey
)

// fit makes the raster for a page of a size, and returns the scale.
func (r *pdfRaster) fit(width, height float64) float64 {
	scale := min(1, pdfMaxSide/max(width, height))
	old := r.width * r.height
	r.width, r.height = max(int(math.Ceil(width*scale)), 1), max(int(math.Ceil(height*scale)), 1)
	if r.touched {
		clear(r.pixels[:old])
	}
	r.pixels = slices.Grow(r.pixels[:0], r.width*r.height)[:r.width*r.height]
	r.page = pdfBox{0, 0, width * scale, height * scale}
	border := float64(borderOf(r.width, r.height))
	r.inner = pdfBox{border, border, float64(r.width) - border, float64(r.height) - border}
	r.shown, r.touched, r.painted, r.lookAt = false, false, 0, 4*surePart
	return scale
}

// shows looks at what was painted, as at any picture.
func (r *pdfRaster) shows() bool {
	if r.shown || !r.touched {
		return r.shown
	}
	r.workLeft -= len(r.pixels)
	look := newInk(r.width, r.height)
	distances := make([]byte, r.width)
	for y := range r.height {
		for x, v := range r.pixels[y*r.width : (y+1)*r.width] {
			distances[x] = v & pdfFar
			if v&pdfColored == 0 {
				look.grey(v & pdfFar)
			}
		}
		look.row(distances)
	}
	return look.shows()
}

// count counts painted pixels, and looks at the page now and then.
func (r *pdfRaster) count(n int) {
	r.touched = true
	if r.workLeft -= n; r.workLeft < 0 {
		r.shown = true
	}
	if r.painted += n; r.painted > r.lookAt && !r.shown {
		r.lookAt *= 2
		r.painted = 0
		r.shown = r.shows()
	}
}

// packed makes a pixel of a shade.
func packed(s pngShade) byte {
	v := min(s.distance, pdfFar)
	if !s.grey {
		v |= pdfColored
	}
	return v
}

// sure notes a shape of so many pixels that touch one another.
func (r *pdfRaster) sure(n float64, shade pngShade) {
	r.shown = r.shown || n >= surePart && shade.distance > paleMark
}

func (r *pdfRaster) run(y, from, to int, v byte) {
	row := r.pixels[y*r.width : (y+1)*r.width]
	for x := from; x < to; x++ {
		if v&pdfFar > row[x]&pdfFar {
			row[x] = v
		}
	}
}

// box paints all pixels that a rectangle touches.
func (r *pdfRaster) box(b, clip pdfBox, shade pngShade) {
	switch {
	case shade.distance == 0 || clip.empty() || !b.touches(clip):
		return
	case !b.known() || !clip.known():
		r.shown = r.shown || shade.distance > nearWhite
		return
	}
	b = b.and(clip).and(r.page)
	if b.x0 > b.x1 || b.y0 > b.y1 {
		return
	}
	x0, y0 := min(int(b.x0), r.width-1), min(int(b.y0), r.height-1)
	x1, y1 := min(max(int(math.Ceil(b.x1)), x0+1), r.width), min(max(int(math.Ceil(b.y1)), y0+1), r.height)
	if in := (pdfBox{float64(x0), float64(y0), float64(x1), float64(y1)}).and(r.inner); !in.empty() {
		r.sure((in.x1-in.x0)*(in.y1-in.y0), shade)
	}
	if r.shown {
		return
	}
	v := packed(shade)
	for y := y0; y < y1; y++ {
		r.run(y, x0, x1, v)
	}
	r.count((x1 - x0) * (y1 - y0))
}

// line paints the pixels along a line of no width.
func (r *pdfRaster) line(a, b pdfPoint, clip pdfBox, shade pngShade) {
	bounds := boundsOf(a, b)
	if !bounds.known() {
		r.box(bounds, clip, shade)
		return
	}
	if shade.distance == 0 || clip.empty() || !bounds.touches(clip) {
		return
	}
	area := clip.and(r.page)
	if area.x0 > area.x1 || area.y0 > area.y1 {
		return
	}
	a, b, ok := within(a, b, area)
	if !ok {
		return
	}
	steps := math.Ceil(max(math.Abs(b.x-a.x), math.Abs(b.y-a.y)))
	v, inner := packed(shade), 0.0
	for i := 0.0; i <= steps; i++ {
		t := 0.0
		if steps > 0 {
			t = i / steps
		}
		x, y := a.x+(b.x-a.x)*t, a.y+(b.y-a.y)*t
		px, py := min(int(x), r.width-1), min(int(y), r.height-1)
		r.run(py, px, px+1, v)
		if x >= r.inner.x0 && x < r.inner.x1 && y >= r.inner.y0 && y < r.inner.y1 {
			inner++
		}
	}
	r.sure(inner-1, shade)
	r.count(int(steps) + 1)
}

// within cuts a line to a box.
func within(a, b pdfPoint, box pdfBox) (pdfPoint, pdfPoint, bool) {
	from, to := 0.0, 1.0
	dx, dy := b.x-a.x, b.y-a.y
	for _, edge := range [4][2]float64{{-dx, a.x - box.x0}, {dx, box.x1 - a.x}, {-dy, a.y - box.y0}, {dy, box.y1 - a.y}} {
		switch p, q := edge[0], edge[1]; {
		case p == 0 && q < 0:
			return a, b, false
		case p < 0:
			from = max(from, q/p)
		case p > 0:
			to = min(to, q/p)
		}
	}
	if from > to {
		return a, b, false
	}
	start, end := pdfPoint{a.x + dx*from, a.y + dy*from}, pdfPoint{a.x + dx*to, a.y + dy*to}
	inside := func(p pdfPoint) pdfPoint { // whatever rounding did
		return pdfPoint{min(max(p.x, box.x0), box.x1), min(max(p.y, box.y0), box.y1)}
	}
	return inside(start), inside(end), true
}

// pdfCrossing is where an outline crosses the middle of a row of pixels.
type pdfCrossing struct {
	y, turn int32
	x       float64
}

// fill paints what outlines surround, and the outlines.
func (r *pdfRaster) fill(paths [][]pdfPoint, evenOdd bool, clip pdfBox, shade pngShade) {
	if shade.distance == 0 || clip.empty() {
		return
	}
	area := clip.and(r.page)
	r.crossings = r.crossings[:0]
	for _, path := range paths {
		if box, ok := asBox(path); ok && len(paths) == 1 {
			r.box(box, clip, shade)
			return
		}
		for i, a := range path {
			b := path[(i+1)%len(path)]
			r.line(a, b, clip, shade)
			if r.shown {
				return
			}
			r.cross(a, b, area)
			if len(r.crossings) > pdfMaxCrossing {
				r.shown = r.shown || shade.distance > nearWhite
				return
			}
		}
	}
	r.count(4 * len(r.crossings)) // what sorting costs
	slices.SortFunc(r.crossings, func(a, b pdfCrossing) int { return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x)) })
	v := packed(shade)
	winding := int32(0)
	for i := 0; i+1 < len(r.crossings); i++ {
		c, next := r.crossings[i], r.crossings[i+1]
		if i > 0 && r.crossings[i-1].y != c.y {
			winding = 0
		}
		winding += c.turn
		if next.y != c.y || winding == 0 || evenOdd && winding%2 == 0 {
			continue
		}
		from, to := int(max(c.x, area.x0)), int(math.Ceil(min(next.x, area.x1)))
		if from < to {
			r.run(int(c.y), from, min(to, r.width), v)
			r.count(to - from)
		}
	}
}

// cross notes where an edge crosses the rows of an area.
func (r *pdfRaster) cross(a, b pdfPoint, area pdfBox) {
	turn := int32(1)
	if a.y > b.y {
		a, b, turn = b, a, -1
	}
	if !boundsOf(a, b).known() || a.y == b.y || area.empty() {
		return
	}
	first := math.Ceil(max(a.y, area.y0) - 0.5)
	for y := max(first, 0); y+0.5 < min(b.y, area.y1) && y < float64(r.height); y++ {
		x := a.x + (b.x-a.x)*(y+0.5-a.y)/(b.y-a.y)
		r.crossings = append(r.crossings, pdfCrossing{int32(y), turn, x})
	}
}

// asBox returns the rectangle that an outline is.
func asBox(path []pdfPoint) (pdfBox, bool) {
	if len(path) == 5 && path[4] == path[0] {
		path = path[:4]
	}
	if len(path) != 4 {
		return pdfBox{}, false
	}
	a, b, c, d := path[0], path[1], path[2], path[3]
	ok := a.x == b.x && b.y == c.y && c.x == d.x && d.y == a.y || a.y == b.y && b.x == c.x && c.y == d.y && d.x == a.x
	return boundsOf(a, b, c, d), ok
}

// stroke paints a line of a width. Its ends may reach beyond it.
func (r *pdfRaster) stroke(a, b pdfPoint, width float64, capped bool, clip pdfBox, shade pngShade) {
	length := math.Hypot(b.x-a.x, b.y-a.y)
	switch {
	case length == 0 && !capped:
		return
	case width <= 1.5 && length > 0:
		r.line(a, b, clip, shade)
		return
	}
	half := width / 2
	ux, uy := 1.0, 0.0
	if length > 0 {
		ux, uy = (b.x-a.x)/length, (b.y-a.y)/length
	}
	if capped {
		a, b = pdfPoint{a.x - ux*half, a.y - uy*half}, pdfPoint{b.x + ux*half, b.y + uy*half}
	}
	nx, ny := -uy*half, ux*half
	r.fill([][]pdfPoint{{{a.x + nx, a.y + ny}, {b.x + nx, b.y + ny}, {b.x - nx, b.y - ny}, {a.x - nx, a.y - ny}}}, false, clip, shade)
}
