package content

import "math"

// pdfFont is what of a font tells whether a string has a glyph that shows.
type pdfFont struct {
	composite bool         // codes of two bytes, or of numbers of bytes that are not known
	vertical  bool         // what is shown may lead down
	spaces    map[int]bool // codes that are white space; nil where a font says so itself
	widest    float64      // of its glyphs, in text space for a size of 1
}

// pdfPlainFont is a font of which nothing special is known.
var pdfPlainFont = &pdfFont{widest: 1}

// font reads a font.
func (f *pdfFile) font(v any) *pdfFont {
	d, ok := v.(pdfDict)
	if !ok {
		return pdfPlainFont
	}
	font := &pdfFont{widest: 1}
	switch f.get(d["Subtype"]) {
	case pdfName("Type0"):
		font.composite = true
		font.vertical = true
		if name, ok := f.get(d["Encoding"]).(pdfName); ok {
			font.vertical = len(name) > 0 && name[len(name)-1] == 'V'
		}
		font.widest = 2
		font.spaces = f.spacesByUnicode(d)
	case pdfName("Type3"):
		// Its glyphs are of any size.
		font.spaces = map[int]bool{}
		font.widest = 1000
	default:
		descriptor, _ := f.get(d["FontDescriptor"]).(pdfDict)
		embedded := descriptor["FontFile"] != nil || descriptor["FontFile2"] != nil || descriptor["FontFile3"] != nil
		if encoding, ok := f.get(d["Encoding"]).(pdfDict); ok {
			font.spaces = f.spacesOf(encoding)
		} else if d["Encoding"] == nil && embedded { // with an encoding of its own
			font.spaces = f.spacesByUnicode(d)
		}
		if widths := f.numbers(d["Widths"]); len(widths) > 0 {
			font.widest = 0
			for _, w := range widths {
				font.widest = max(font.widest, w/1000)
			}
			if font.widest == 0 {
				font.widest = 1
			}
		}
	}
	return font
}

// spacesOf returns the codes for which an encoding names a space, or none of its
// own.
func (f *pdfFile) spacesOf(encoding pdfDict) map[int]bool {
	spaces := map[int]bool{' ': true}
	differences, _ := f.get(encoding["Differences"]).(pdfArray)
	code := 0
	for _, v := range differences {
		switch v := f.get(v).(type) {
		case float64:
			code = int(v)
		case pdfName:
			if v == "space" || v == "nbspace" || v == "uni00A0" || v == "uni0020" {
				spaces[code] = true
			} else {
				delete(spaces, code)
			}
			code++
		}
	}
	return spaces
}

// spacesByUnicode returns the codes that a font's map to Unicode says are white
// space. Source: ISO 32000-1, 9.10.3.
func (f *pdfFile) spacesByUnicode(font pdfDict) map[int]bool {
	spaces := map[int]bool{}
	stream, ok := f.get(font["ToUnicode"]).(*pdfStream)
	if !ok {
		return spaces
	}
	data, err := f.open(stream)
	if err != nil {
		return spaces
	}
	defer data.Close()
	l := newPDFLexer(data, 1<<10)
	each := 0 // values of an entry
	var entry []any
	for {
		t, err := l.next()
		if err != nil {
			return spaces
		}
		if t.kind == pdfWordToken {
			entry = entry[:0]
			switch string(t.text) {
			case "beginbfchar":
				each = 2
			case "beginbfrange":
				each = 3
			default:
				each = 0
			}
			continue
		}
		l.values = 0
		v, err := l.build(t, 0)
		if err != nil {
			return spaces
		}
		if each == 0 {
			continue
		}
		if entry = append(entry, v); len(entry) == each {
			addSpaces(spaces, entry)
			entry = entry[:0]
		}
	}
}

// addSpaces adds what an entry says: a code, or the first and last of some, and
// the text of the first, or the texts of all.
func addSpaces(spaces map[int]bool, entry []any) {
	first, ok := codeOf(entry[0])
	last, okLast := codeOf(entry[len(entry)-2])
	if !ok || !okLast || last-first > 255 {
		return
	}
	for code := first; code <= last; code++ {
		text := entry[len(entry)-1]
		offset := code - first
		if all, ok := text.(pdfArray); ok {
			if offset >= len(all) {
				return
			}
			text, offset = all[offset], 0
		}
		unicode, ok := codeOf(text)
		switch unicode += offset; {
		case ok && (unicode == ' ' || unicode == 0xA0 || unicode >= 0x2000 && unicode <= 0x200B || unicode == 0x3000):
			spaces[code] = true
		default:
			delete(spaces, code)
		}
	}
}

// codeOf returns the number that a string of one or two bytes is.
func codeOf(v any) (int, bool) {
	switch s, _ := v.(pdfString); len(s) {
	case 1:
		return int(s[0]), true
	case 2:
		return int(s[0])<<8 | int(s[1]), true
	}
	return 0, false
}

// shows reports whether a string has anything but white space.
func (f *pdfFont) shows(text pdfString) bool {
	if f.composite {
		for ; len(text) >= 2; text = text[2:] {
			if code, _ := codeOf(text[:2]); !f.spaces[code] {
				return true
			}
		}
		return len(text) > 0
	}
	for _, b := range []byte(text) {
		if f.spaces != nil && !f.spaces[int(b)] || f.spaces == nil && !isPDFSpace(b) {
			return true
		}
	}
	return false
}

// paintText follows the operators of text. It returns whether the operator is one.
func (c *pdfContent) paintText(operator string) bool {
	one := func(to *float64) {
		if n, ok := c.numbers(1); ok {
			*to = n[0]
		}
	}
	switch operator {
	case "BT":
		c.startLine(pdfMatrix{1, 0, 0, 1, 0, 0})
	case "Tf":
		if n, ok := c.numbers(1); ok {
			c.now.size = n[0]
		}
		if len(c.operands) >= 2 {
			if name, ok := c.operands[len(c.operands)-2].(pdfName); ok {
				c.now.font = c.fontNamed(name)
			}
		}
	case "Tc":
		one(&c.now.space)
	case "Tw":
		one(&c.now.wordSpace)
	case "TL":
		one(&c.now.leading)
	case "Ts":
		one(&c.now.rise)
	case "Tz":
		if n, ok := c.numbers(1); ok {
			c.now.stretch = n[0] / 100
		}
	case "Tr":
		if n, ok := c.numbers(1); ok {
			c.now.mode = int(n[0])
		}
	case "Td":
		if n, ok := c.numbers(2); ok {
			c.moveLine(n[0], n[1])
		}
	case "TD":
		if n, ok := c.numbers(2); ok {
			c.now.leading = -n[1]
			c.moveLine(n[0], n[1])
		}
	case "Tm":
		if n, ok := c.numbers(6); ok {
			c.startLine(pdfMatrix(n))
		}
	case "T*":
		c.moveLine(0, -c.now.leading)
	case "Tj", "TJ":
		c.show()
	case "'":
		c.moveLine(0, -c.now.leading)
		c.show()
	case `"`:
		if len(c.operands) >= 3 {
			c.now.wordSpace, _ = c.operands[len(c.operands)-3].(float64)
			c.now.space, _ = c.operands[len(c.operands)-2].(float64)
		}
		c.moveLine(0, -c.now.leading)
		c.show()
	case "ET":
	default:
		return false
	}
	return true
}

func (c *pdfContent) startLine(m pdfMatrix) {
	c.line, c.text, c.advance = m, m, pdfBox{}
}

func (c *pdfContent) moveLine(x, y float64) {
	c.startLine(pdfMatrix{1, 0, 0, 1, x, y}.times(c.line))
}

// fontNamed returns a font of the resources.
func (c *pdfContent) fontNamed(name pdfName) *pdfFont {
	if font, ok := c.fonts[name]; ok {
		return font
	}
	font := c.file.font(c.resource("Font", name))
	if c.fonts == nil {
		c.fonts = map[pdfName]*pdfFont{}
	}
	c.fonts[name] = font
	return font
}

// show shows the strings of the last operand.
func (c *pdfContent) show() {
	if len(c.operands) == 0 {
		return
	}
	switch v := c.operands[len(c.operands)-1].(type) {
	case pdfString:
		c.showString(v)
	case pdfArray:
		for _, part := range v {
			switch part := part.(type) {
			case pdfString:
				c.showString(part)
			case float64:
				by := -part / 1000 * c.now.size
				c.lead(by, by)
			}
		}
	}
}

// lead moves on by between two distances.
func (c *pdfContent) lead(least, most float64) {
	if c.now.font != nil && c.now.font.vertical {
		c.advance.y0 += min(least, most, -least, -most)
		c.advance.y1 += max(least, most, -least, -most)
	}
	least, most = least*c.now.stretch, most*c.now.stretch
	c.advance.x0 += min(least, most, 0)
	c.advance.x1 += max(least, most, 0)
}

// showString paints a string in the place where it may be.
func (c *pdfContent) showString(text pdfString) {
	font := c.now.font
	if font == nil {
		font = pdfPlainFont
	}
	from := c.advance
	n := float64(len(text))
	each := font.widest * c.now.size
	c.lead(min(0, each*n)+n*min(0, c.now.space)+n*min(0, c.now.wordSpace), max(0, each*n)+n*max(0, c.now.space)+n*max(0, c.now.wordSpace))
	if !font.shows(text) {
		return
	}
	shade := pngShade{}
	switch c.now.mode {
	case 3, 7:
		return
	case 0, 4:
		shade = c.now.filled()
	case 1, 5:
		shade = c.now.stroked()
	default:
		shade = c.now.filled()
		if s := c.now.stroked(); s.distance > shade.distance {
			shade = s
		}
	}
	if shade.distance == 0 || c.now.size == 0 || c.now.stretch == 0 {
		return
	}
	to := c.advance
	low, high := -0.35*c.now.size, c.now.size
	if font.widest > 2 { // glyphs of any height
		low, high = -font.widest*c.now.size, font.widest*c.now.size
	}
	area := pdfBox{
		min(from.x0, to.x0), min(from.y0, to.y0) + min(low, high) + c.now.rise,
		max(from.x1, to.x1), max(from.y1, to.y1) + max(low, high) + c.now.rise,
	}
	m := c.text.times(c.now.matrix)
	place := m.box(area)
	height := math.Abs(c.now.size) * math.Hypot(m[2], m[3])
	width := math.Abs(c.now.size*c.now.stretch) * math.Hypot(m[0], m[1])
	seen := place.touches(c.now.clip) && place.touches(c.raster.page) && !c.now.clip.empty() || !place.known()
	if seen && shade.distance > paleMark && (min(height, width) >= 0.5 || math.IsNaN(height+width)) {
		c.raster.shown = true // a text is content, however small it is
		return
	}
	c.raster.box(place, c.now.clip, shade)
}
