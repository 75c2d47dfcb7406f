package content

import (
	"math"
	"strconv"
	"strings"
)

// svgBox is a part of the plane. It is empty while its right is left of its left.
type svgBox struct{ left, top, right, bottom float64 }

var (
	svgNowhere    = svgBox{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	svgEverywhere = svgBox{math.Inf(-1), math.Inf(-1), math.Inf(1), math.Inf(1)}
)

func (b *svgBox) add(x, y float64) {
	b.left, b.right = min(b.left, x), max(b.right, x)
	b.top, b.bottom = min(b.top, y), max(b.bottom, y)
}

func (b svgBox) grown(by float64) svgBox {
	return svgBox{b.left - by, b.top - by, b.right + by, b.bottom + by}
}

// apart reports that the boxes have no point in common. Boxes of what is no
// number are not apart.
func (b svgBox) apart(o svgBox) bool {
	return b.right < o.left || b.left > o.right || b.bottom < o.top || b.top > o.bottom
}

func (b svgBox) covers(o svgBox) bool {
	dx, dy := (o.right-o.left)/100, (o.bottom-o.top)/100
	return b.left <= o.left+dx && b.right >= o.right-dx && b.top <= o.top+dy && b.bottom >= o.bottom-dy
}

// svgMatrix maps the coordinates of an element to those of the document.
type svgMatrix struct{ a, b, c, d, e, f float64 }

var svgSame = svgMatrix{a: 1, d: 1}

func (m svgMatrix) times(n svgMatrix) svgMatrix {
	return svgMatrix{
		m.a*n.a + m.c*n.b, m.b*n.a + m.d*n.b,
		m.a*n.c + m.c*n.d, m.b*n.c + m.d*n.d,
		m.a*n.e + m.c*n.f + m.e, m.b*n.e + m.d*n.f + m.f,
	}
}

func (m svgMatrix) box(b svgBox) svgBox {
	out := svgNowhere
	for _, x := range [2]float64{b.left, b.right} {
		for _, y := range [2]float64{b.top, b.bottom} {
			out.add(m.a*x+m.c*y+m.e, m.b*x+m.d*y+m.f)
		}
	}
	return out
}

// svgTransform reads the value of a transform attribute.
func svgTransform(value string) (svgMatrix, bool) {
	m := svgSame
	for {
		value = strings.TrimLeft(value, " ,")
		if value == "" {
			return m, true
		}
		name, rest, found := strings.Cut(value, "(")
		inside, after, closed := strings.Cut(rest, ")")
		if !found || !closed {
			return m, false
		}
		var n []float64
		for _, field := range strings.FieldsFunc(inside, func(c rune) bool { return c == ' ' || c == ',' }) {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return m, false
			}
			n = append(n, v)
		}
		step, known := svgStep(strings.TrimSpace(name), n)
		if !known {
			return m, false
		}
		m, value = m.times(step), after
	}
}

func svgStep(name string, n []float64) (svgMatrix, bool) {
	switch {
	case name == "matrix" && len(n) == 6:
		return svgMatrix{n[0], n[1], n[2], n[3], n[4], n[5]}, true
	case name == "translate" && len(n) == 1:
		return svgMatrix{1, 0, 0, 1, n[0], 0}, true
	case name == "translate" && len(n) == 2:
		return svgMatrix{1, 0, 0, 1, n[0], n[1]}, true
	case name == "scale" && len(n) == 1:
		return svgMatrix{n[0], 0, 0, n[0], 0, 0}, true
	case name == "scale" && len(n) == 2:
		return svgMatrix{n[0], 0, 0, n[1], 0, 0}, true
	case name == "rotate" && (len(n) == 1 || len(n) == 3):
		sin, cos := math.Sincos(n[0] * math.Pi / 180)
		m := svgMatrix{cos, sin, -sin, cos, 0, 0}
		if len(n) == 3 {
			m = svgMatrix{1, 0, 0, 1, n[1], n[2]}.times(m).times(svgMatrix{1, 0, 0, 1, -n[1], -n[2]})
		}
		return m, true
	}
	return svgSame, false
}

// svgLength reads a length in the document's units. Where it is in others, it is
// not known.
func svgLength(value string) (length float64, known bool) {
	length, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), "px"), 64)
	return length, err == nil
}

// svgUnit reads a length in any unit that does not depend on something else.
func svgUnit(value string) (float64, bool) {
	value = strings.TrimSpace(value)
	for unit, pixels := range map[string]float64{"mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96, "pt": 96. / 72, "pc": 16} {
		if number, found := strings.CutSuffix(value, unit); found {
			length, err := strconv.ParseFloat(number, 64)
			return length * pixels, err == nil
		}
	}
	return svgLength(value)
}

// svgViewport gives the part of the plane that a document shows, from the
// attributes of its root. With width and height, that is more than the viewBox
// where their proportions differ. Where it does not say, all of the plane counts;
// where it says that there is none, nothing is shown.
func svgViewport(width, height, viewBox string) (box svgBox, known, none bool) {
	w, hasWidth := svgUnit(width)
	h, hasHeight := svgUnit(height)
	if hasWidth && w == 0 || hasHeight && h == 0 {
		return svgBox{}, false, true
	}
	n := strings.FieldsFunc(viewBox, func(c rune) bool { return c == ' ' || c == ',' })
	if len(n) != 4 {
		return svgBox{0, 0, w, h}, hasWidth && hasHeight && w > 0 && h > 0, false
	}
	var v [4]float64
	for i, field := range n {
		var err error
		if v[i], err = strconv.ParseFloat(field, 64); err != nil {
			return svgBox{}, false, false
		}
	}
	if v[2] == 0 || v[3] == 0 {
		return svgBox{}, false, true
	}
	if v[2] < 0 || v[3] < 0 {
		return svgBox{}, false, false
	}
	box = svgBox{v[0], v[1], v[0] + v[2], v[1] + v[3]}
	if hasWidth && hasHeight && w > 0 && h > 0 {
		// What is left over may be on either side.
		scale := min(w/v[2], h/v[3])
		dx, dy := w/scale-v[2], h/scale-v[3]
		box = svgBox{box.left - dx, box.top - dy, box.right + dx, box.bottom + dy}
	}
	return box, true, false
}

// svgPath follows the data of a path, which come in pieces, as far as they are
// well-formed, which is as far as they are drawn.
type svgPath struct {
	box     svgBox // holds all that is drawn
	drawn   bool   // there is a line
	wrong   bool
	command byte
	n       [7]float64 // arguments of the command
	count   int
	number  []byte // that is not complete

	x, y           float64
	startX, startY float64
}

func (p *svgPath) reset() { *p = svgPath{box: svgNowhere, number: p.number[:0]} }

func (p *svgPath) read(piece []byte, last bool) {
	for _, b := range piece {
		if p.wrong {
			return
		}
		p.byte(b)
	}
	if last {
		p.endNumber()
	}
}

func (p *svgPath) byte(b byte) {
	previous := byte(0)
	if len(p.number) > 0 {
		previous = p.number[len(p.number)-1]
	}
	// The flags of an arc may stand without spaces.
	if (p.command == 'A' || p.command == 'a') && (p.count == 3 || p.count == 4) && len(p.number) == 1 {
		p.endNumber()
		previous = 0
	}
	switch {
	case b >= '0' && b <= '9':
	case b == '.':
		for _, d := range p.number {
			if d == '.' || d == 'e' || d == 'E' {
				p.endNumber()
				break
			}
		}
	case (b == 'e' || b == 'E') && previous != 0:
	case b == '-' || b == '+':
		if previous != 'e' && previous != 'E' {
			p.endNumber()
		}
	default:
		p.endNumber()
		switch b {
		case ' ', ',', '\t', '\n', '\r', '\f':
		default:
			p.begin(b)
		}
		return
	}
	if len(p.number) == 64 {
		p.wrong = true
		return
	}
	p.number = append(p.number, b)
}

// svgArguments is how many numbers a command has.
func svgArguments(command byte) int {
	switch command | 0x20 {
	case 'm', 'l', 't':
		return 2
	case 'h', 'v':
		return 1
	case 'c':
		return 6
	case 's', 'q':
		return 4
	case 'a':
		return 7
	case 'z':
		return 0
	}
	return -1
}

func (p *svgPath) begin(command byte) {
	switch {
	case svgArguments(command) < 0, p.count > 0, p.command == 0 && command|0x20 != 'm':
		p.wrong = true
		return
	case command|0x20 == 'z':
		p.line(p.startX, p.startY)
	}
	p.command = command
}

func (p *svgPath) endNumber() {
	if len(p.number) == 0 {
		return
	}
	v, err := strconv.ParseFloat(string(p.number), 64)
	p.number = p.number[:0]
	need := svgArguments(p.command)
	if err != nil || p.command == 0 || need == 0 {
		p.wrong = true
		return
	}
	p.n[p.count] = v
	if p.count++; p.count == need {
		p.count = 0
		p.draw()
	}
}

func (p *svgPath) draw() {
	var x, y float64 // where the command's numbers count from
	if p.command >= 'a' {
		x, y = p.x, p.y
	}
	n := p.n
	switch p.command | 0x20 {
	case 'm':
		p.x, p.y = x+n[0], y+n[1]
		p.startX, p.startY = p.x, p.y
		p.command-- // to l: what follows are lines
	case 'l':
		p.line(x+n[0], y+n[1])
	case 't': // bends as the one before does
		p.line(x+n[0], y+n[1])
		p.box = svgEverywhere
	case 'h':
		p.line(x+n[0], p.y)
	case 'v':
		p.line(p.x, y+n[0])
	case 'c':
		p.curve(x+n[0], y+n[1])
		p.curve(x+n[2], y+n[3])
		p.line(x+n[4], y+n[5])
	case 'q':
		p.curve(x+n[0], y+n[1])
		p.line(x+n[2], y+n[3])
	case 's': // as with t
		p.line(x+n[2], y+n[3])
		p.box = svgEverywhere
	case 'a':
		reach := 2 * max(math.Abs(n[0]), math.Abs(n[1]), math.Hypot(x+n[5]-p.x, y+n[6]-p.y))
		for _, at := range [4][2]float64{{-reach, 0}, {reach, 0}, {0, -reach}, {0, reach}} {
			p.curve(p.x+at[0], p.y+at[1])
		}
		p.line(x+n[5], y+n[6])
	}
}

// curve takes a point towards which the line bends.
func (p *svgPath) curve(x, y float64) {
	p.box.add(p.x, p.y)
	p.box.add(x, y)
}

func (p *svgPath) line(x, y float64) {
	p.box.add(p.x, p.y)
	p.box.add(x, y)
	p.drawn = true
	p.x, p.y = x, y
}
