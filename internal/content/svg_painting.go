package content

import (
	"math"
	"strconv"
	"strings"
)

// svgKeeps reports whether an attribute may decide what is seen.
func svgKeeps(name string) bool {
	switch name {
	case "class", "color", "cx", "cy", "display", "dx", "dy", "fill", "fill-opacity", "filter", "font-size",
		"height", "href", "opacity", "points", "r", "rotate", "rx", "ry", "stroke", "stroke-opacity", "stroke-width", "style",
		"text-anchor", "textLength", "transform", "viewBox", "visibility", "width", "x", "x1", "x2", "xlink:href", "y", "y1", "y2":
		return true
	}
	return false
}

// svgPaint is a color, as far as it matters: how far it is from white, from 0 to
// 255, and whether it is as good as grey.
type svgPaint struct {
	distance float64
	grey     bool
}

var svgAnyPaint = svgPaint{distance: 255}

// svgState is what an element passes on to those within it.
type svgState struct {
	fill, stroke, color        svgPaint
	fillOpacity, strokeOpacity float64
	opacity                    float64 // of the element and all around it
	own                        float64 // opacity of the element
	undisplayed                bool
	strokeWidth                float64
	fontSize                   float64
	x, y                       float64 // where a text begins
	matrix                     svgMatrix
	placed                     bool // it is known where the element is
	textPlaced                 bool // and where its text begins
	hidden                     bool // nothing within is painted where it stands
	invisible                  bool // nor is the element, but elements within may be
	text                       bool // characters within are painted
}

func (s *svgState) strength(paint svgPaint, opacity float64) float64 {
	return paint.distance * opacity * s.opacity
}

func (s *svgState) fills() bool { return s.strength(s.fill, s.fillOpacity) > nearWhite }

func (s *svgState) strokes() bool {
	return s.strokeWidth > 0 && s.strength(s.stroke, s.strokeOpacity) > nearWhite
}

// svgPainting looks for a mark. A doubt counts as one: a document is blank only
// when all of its shapes are certainly white or nearly so, not painted, of no
// size, or outside of what the document shows. A pale grey over all of it is its
// ground.
type svgPainting struct {
	marked bool
	styled bool // a style sheet may paint anything
	drew   bool // a shape or a text came before one
	states []svgState

	rooted     bool
	viewport   svgBox
	bounded    bool // the viewport is known
	none       bool // the document says that it shows nothing
	textLength int  // bytes of the text since it was placed
}

func newSVGPainting() *svgPainting {
	return &svgPainting{states: []svgState{{
		fill: svgPaint{255, true}, color: svgPaint{255, true}, fillOpacity: 1, strokeOpacity: 1, opacity: 1,
		strokeWidth: 1, fontSize: 16, matrix: svgSame, placed: true,
	}}}
}

func (p *svgPainting) see(doc *xmlScanner, guard *svgGuard) {
	top := p.states[len(p.states)-1]
	switch doc.kind {
	case xmlEndTag:
		p.states = p.states[:len(p.states)-1]
	case xmlText:
		if top.text && !doc.blank {
			p.marked = p.marked || p.writes(top, doc)
			p.textLength += doc.length
		}
	case xmlStartTag:
		now := p.inherit(top, doc)
		p.states = append(p.states, now)
		if !p.marked && !p.none && !now.hidden && !now.invisible {
			p.marked = p.paints(now, doc, guard)
		}
		guard.path.reset() // the next one may have no data
	}
}

func (p *svgPainting) inherit(now svgState, doc *xmlScanner) svgState {
	if p.marked { // nothing matters any more but the depth
		return now
	}
	if !p.rooted {
		p.rooted = true
		width, _, _ := doc.attribute("width")
		height, _, _ := doc.attribute("height")
		viewBox, _, _ := doc.attribute("viewBox")
		p.viewport, p.bounded, p.none = svgViewport(width, height, viewBox)
	} else if doc.local() == "svg" {
		now.placed = false
		if isZero(doc, "width") || isZero(doc, "height") {
			now.hidden = true
		}
	}
	doubt, outer, hidden := false, now.opacity, now.hidden
	now.own, now.undisplayed = 1, false
	for _, a := range doc.attributes {
		switch a.name {
		case "style":
			doubt = doubt || a.cut
		case "class":
			doubt = doubt || p.styled
		case "transform":
			m, known := svgTransform(a.value)
			now.matrix, now.placed = now.matrix.times(m), now.placed && known && !a.cut
		case "display", "visibility", "opacity", "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "color", "font-size", "filter":
			doubt = doubt || a.cut
			now.declare(a.name, a.value)
		}
	}
	// A style goes before attributes, wherever it stands.
	style, _, _ := doc.attribute("style")
	for declaration := range strings.SplitSeq(style, ";") {
		name, value, _ := strings.Cut(declaration, ":")
		value, _, _ = strings.Cut(value, "!")
		now.declare(strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value))
	}
	now.opacity = outer * now.own
	now.hidden = now.hidden || now.undisplayed
	if doubt || p.styled {
		now.fill, now.fillOpacity, now.opacity = svgAnyPaint, 1, 1
		now.hidden, now.invisible, now.placed = hidden, false, false
	}
	switch doc.local() {
	case "defs", "symbol", "clipPath", "mask", "pattern", "marker", "title", "desc", "metadata", "script":
		now.hidden = true
	case "style":
		now.hidden, p.styled = true, true
		p.marked = p.marked || p.drew // it may change how that is painted
	case "text":
		now.text, now.textPlaced = true, true
		now.x, now.y = 0, 0
		p.textLength = 0
	case "textPath":
		now.textPlaced = false
	}
	if now.text {
		p.place(&now, doc)
	}
	return now
}

// declare takes a property.
func (s *svgState) declare(name, value string) {
	switch name {
	case "display":
		s.undisplayed = value == "none"
	case "visibility":
		switch value {
		case "visible":
			s.invisible = false
		case "hidden", "collapse":
			s.invisible = true
		}
	case "color":
		s.color = s.paint(value, s.color)
	case "fill":
		s.fill = s.paint(value, s.fill)
	case "stroke":
		s.stroke = s.paint(value, s.stroke)
	case "opacity":
		s.own = svgOpacity(value, 1)
	case "fill-opacity":
		s.fillOpacity = svgOpacity(value, s.fillOpacity)
	case "stroke-opacity":
		s.strokeOpacity = svgOpacity(value, s.strokeOpacity)
	case "stroke-width":
		if width, known := svgLength(value); known {
			s.strokeWidth = width
		} else if value != "inherit" {
			s.strokeWidth = math.Inf(1)
		}
	case "font-size":
		if size, known := svgUnit(value); known {
			s.fontSize = size
		} else if value != "inherit" {
			s.fontSize = math.Inf(1)
		}
	case "transform", "translate", "rotate", "scale", "filter", "x", "y", "cx", "cy", "r", "rx", "ry", "width", "height", "d", "offset-path":
		s.placed = s.placed && value == "none"
	}
}

// svgOpacity reads an opacity. One that cannot be read is inherited.
func svgOpacity(value string, inherited float64) float64 {
	number, percent := strings.CutSuffix(strings.TrimSpace(value), "%")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return inherited
	}
	if percent {
		v /= 100
	}
	return min(max(v, 0), 1)
}

// place finds where a text begins.
func (p *svgPainting) place(now *svgState, doc *xmlScanner) {
	for _, a := range doc.attributes {
		switch a.name {
		case "x", "y":
			v, known := svgLength(a.value)
			if a.name == "x" {
				now.x = v
			} else {
				now.y = v
			}
			now.textPlaced = now.textPlaced && known && !a.cut
			p.textLength = 0
		case "dx", "dy", "rotate", "textLength":
			now.textPlaced = false
		}
	}
}

// writes reports whether a text shows.
func (p *svgPainting) writes(s svgState, doc *xmlScanner) bool {
	p.drew = true
	if p.none || s.hidden || s.invisible || s.fontSize == 0 || !s.fills() && !s.strokes() {
		return false
	}
	if !p.bounded || !s.placed || !s.textPlaced {
		return true
	}
	// No character is wider than its size; the text may end where it is placed.
	reach := float64(p.textLength+doc.length+1) * s.fontSize
	box := svgBox{s.x - reach, s.y - 2*s.fontSize, s.x + reach, s.y + 2*s.fontSize}
	return !s.matrix.box(box).apart(p.viewport)
}

// paints reports whether an element shows.
func (p *svgPainting) paints(s svgState, doc *xmlScanner, guard *svgGuard) bool {
	switch doc.local() {
	case "path", "rect", "circle", "ellipse", "polyline", "polygon", "line":
		p.drew = true
		return p.shape(s, doc, guard)
	case "image":
		_, _, linked := doc.attribute("href")
		_, _, old := doc.attribute("xlink:href")
		if !linked && !old || guard.image.blank || s.opacity*255 <= nearWhite || isZero(doc, "width") || isZero(doc, "height") {
			return false
		}
		box, known := svgRect(doc)
		return !p.outside(s, box, known, 0)
	case "use":
		return s.opacity*255 > nearWhite
	}
	return false
}

func isZero(doc *xmlScanner, name string) bool {
	value, _, found := doc.attribute(name)
	v, known := svgUnit(strings.TrimSuffix(value, "%"))
	return found && known && v == 0
}

// number reads an attribute that is 0 where it is missing.
func number(doc *xmlScanner, name string) (float64, bool) {
	value, cut, found := doc.attribute(name)
	if !found {
		return 0, true
	}
	v, known := svgLength(value)
	return v, known && !cut
}

func svgRect(doc *xmlScanner) (svgBox, bool) {
	x, hasX := number(doc, "x")
	y, hasY := number(doc, "y")
	w, hasW := number(doc, "width")
	h, hasH := number(doc, "height")
	return svgBox{x, y, x + w, y + h}, hasX && hasY && hasW && hasH && w > 0 && h > 0
}

// outside reports that a part of an element's plane is outside of what the
// document shows.
func (p *svgPainting) outside(s svgState, box svgBox, known bool, stroke float64) bool {
	if !p.bounded || !s.placed || !known {
		return false
	}
	// A corner may reach out by four times the line's half width.
	return s.matrix.box(box.grown(2 * stroke)).apart(p.viewport)
}

// shape reports whether a shape shows.
func (p *svgPainting) shape(s svgState, doc *xmlScanner, guard *svgGuard) bool {
	var box svgBox
	known, area := false, true
	switch doc.local() {
	case "path":
		if !guard.path.drawn {
			return p.styled
		}
		box, known = guard.path.box, true
	case "rect":
		if !p.styled && s.placed && (lacks(doc, "width") || lacks(doc, "height")) {
			return false
		}
		box, known = svgRect(doc)
	case "circle", "ellipse":
		cx, hasX := number(doc, "cx")
		cy, hasY := number(doc, "cy")
		rx, hasRX := number(doc, "r")
		ry, hasRY := rx, hasRX
		if doc.local() == "ellipse" {
			rx, hasRX = number(doc, "rx")
			ry, hasRY = number(doc, "ry")
			if rx == 0 { // which is as the other one is
				rx = ry
			} else if ry == 0 {
				ry = rx
			}
			if isZero(doc, "rx") || isZero(doc, "ry") {
				rx, ry = 0, 0
			}
		}
		if hasRX && hasRY && rx <= 0 && ry <= 0 && !p.styled && s.placed {
			return false
		}
		box, known = svgBox{cx - rx, cy - ry, cx + rx, cy + ry}, hasX && hasY && hasRX && hasRY
	case "line":
		x1, has1 := number(doc, "x1")
		y1, has2 := number(doc, "y1")
		x2, has3 := number(doc, "x2")
		y2, has4 := number(doc, "y2")
		box = svgBox{min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)}
		known, area = has1 && has2 && has3 && has4, false
	default: // polyline, polygon
		value, cut, _ := doc.attribute("points")
		box, known = svgPoints(value), !cut
		if box == svgNowhere {
			return p.styled
		}
	}
	if p.styled {
		return true
	}
	if known && (box.right == box.left || box.bottom == box.top) {
		area = false
	}
	width := 0.
	if s.strokes() {
		width = s.strokeWidth
	}
	if p.outside(s, box, known, width) {
		return false
	}
	if width > 0 {
		return true
	}
	return area && s.fills() && !p.isGround(s, box, known)
}

// lacks reports that a length is missing or not above 0.
func lacks(doc *xmlScanner, name string) bool {
	value, _, found := doc.attribute(name)
	v, known := svgUnit(strings.TrimSuffix(value, "%"))
	return !found || known && v <= 0
}

// isGround reports that a fill covers all that the document shows with a pale
// grey.
func (p *svgPainting) isGround(s svgState, box svgBox, known bool) bool {
	return s.fill.grey && s.strength(s.fill, s.fillOpacity) <= paleGround && p.bounded && s.placed && known &&
		s.matrix.box(box).covers(p.viewport)
}

// svgPoints gives the box around a list of points.
func svgPoints(value string) svgBox {
	box := svgNowhere
	var x float64
	n := 0
	for field := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == ' ' || c == ',' }) {
		v, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return svgEverywhere
		}
		if n++; n%2 == 1 {
			x = v
		} else {
			box.add(x, v)
		}
	}
	return box
}

// svgNamed are the named colors that are white or nearly so, in hexadecimal.
var svgNamed = map[string]string{
	"white": "ffffff", "snow": "fffafa", "ghostwhite": "f8f8ff", "ivory": "fffff0", "floralwhite": "fffaf0",
	"mintcream": "f5fffa", "azure": "f0ffff", "whitesmoke": "f5f5f5",
}

// paint reads a color or another paint. One that cannot be read shows.
func (s *svgState) paint(value string, inherited svgPaint) svgPaint {
	value = strings.ToLower(strings.TrimSpace(value))
	switch value {
	case "inherit", "":
		return inherited
	case "none", "transparent":
		return svgPaint{}
	case "currentcolor":
		return s.color
	}
	digits, hex := strings.CutPrefix(value, "#")
	if named, found := svgNamed[value]; found {
		digits, hex = named, true
	}
	if hex {
		return svgHex(digits)
	}
	for _, prefix := range []string{"rgb(", "rgba("} {
		if inside, found := strings.CutPrefix(value, prefix); found {
			return svgRGB(strings.TrimSuffix(inside, ")"))
		}
	}
	return svgAnyPaint
}

func svgHex(digits string) svgPaint {
	if len(digits) == 3 || len(digits) == 4 {
		var twice strings.Builder
		for _, d := range []byte(digits) {
			twice.WriteByte(d)
			twice.WriteByte(d)
		}
		digits = twice.String()
	}
	if len(digits) == 6 {
		digits += "ff"
	}
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || len(digits) != 8 {
		return svgAnyPaint
	}
	return svgColor(float64(v>>24), float64(v>>16&255), float64(v>>8&255), float64(v&255)/255)
}

// svgRGB reads red, green, blue and perhaps opacity.
func svgRGB(inside string) svgPaint {
	fields := strings.FieldsFunc(inside, func(c rune) bool { return c == ',' || c == '/' || c == ' ' })
	if len(fields) != 3 && len(fields) != 4 {
		return svgAnyPaint
	}
	v := [4]float64{3: 1}
	for i, field := range fields {
		number, percent := strings.CutSuffix(field, "%")
		n, err := strconv.ParseFloat(number, 64)
		switch {
		case err != nil:
			return svgAnyPaint
		case percent && i < 3:
			n *= 2.55
		case percent:
			n /= 100
		}
		v[i] = n
	}
	return svgColor(v[0], v[1], v[2], v[3])
}

func svgColor(r, g, b, alpha float64) svgPaint {
	clamp := func(v float64) float64 { return min(max(v, 0), 255) }
	r, g, b, alpha = clamp(r), clamp(g), clamp(b), min(max(alpha, 0), 1)
	low, high := min(r, g, b), max(r, g, b)
	return svgPaint{(255 - low) * alpha, (high-low)*alpha <= 6}
}
