package content

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
)

// Whether a PDF is blank is decided so that a doubt counts as a mark: a page that
// is sent though it is empty does less harm than one that is held back though it
// is full. A page is blank only when all that it paints was read, and is nearly
// nothing by the rule for pictures. What is painted in a place that is clipped
// away or off the page, in white, or so that it cannot be seen, is nothing.
// Clipping is followed as far as what is around the clipping path, and nothing
// that covers other things takes them away.

const (
	pdfMaxOperators = 4 << 20  // of all pages
	pdfMaxPoints    = 1 << 16  // of a path
	pdfMaxPainted   = 64 << 20 // pixels
	pdfMaxSaved     = 1024     // graphics states
	pdfMaxForms     = 24       // one in another
	pdfMaxInline    = 64 << 10 // bytes of an image within a content stream
	pdfMaxAnnots    = 10_000
)

// paintNothing reports whether all pages are blank. A blank page among others does
// not make a file blank: what is longer than a page can leave the last one empty.
func (f *pdfFile) paintNothing(pages []int) bool {
	f.unpackLeft, f.pixelsLeft = pdfMaxUnpacked, pdfMaxPixels
	p := &pdfPainter{file: f, operatorsLeft: pdfMaxOperators, raster: &pdfRaster{workLeft: pdfMaxPainted}}
	for _, number := range pages {
		if p.page(number); p.marked() || p.raster.shows() {
			return false
		}
	}
	return !f.inDoubt
}

// pdfPainter follows what a page paints.
type pdfPainter struct {
	file          *pdfFile
	raster        *pdfRaster
	operatorsLeft int
	resources     pdfDict
	fonts         map[pdfName]*pdfFont
	forms         int         // within which it is
	savedStates   int         // in all of them
	lexers        []*pdfLexer // that are free
}

// marked reports that nothing more has to be looked at.
func (p *pdfPainter) marked() bool { return p.raster.shown || p.file.inDoubt }

func (p *pdfPainter) doubt() { p.file.inDoubt = true }

// page paints a page.
func (p *pdfPainter) page(number int) {
	f := p.file
	page, ok := f.get(pdfRef(number)).(pdfDict)
	if !ok {
		p.doubt()
		return
	}
	box, ok := p.pageBox(page)
	if !ok {
		p.doubt()
		return
	}
	scale := p.raster.fit(box.x1-box.x0, box.y1-box.y0)
	now := newPDFState(pdfMatrix{scale, 0, 0, scale, -box.x0 * scale, -box.y0 * scale}, p.raster.page)
	p.resources, _ = p.inherited(page, "Resources").(pdfDict)
	p.fonts = nil
	if contents := f.get(page["Contents"]); contents != nil {
		streams, ok := contents.(pdfArray)
		if !ok {
			streams = pdfArray{contents}
		}
		joined := &pdfJoined{file: f, streams: streams}
		err := p.paint(joined, now)
		joined.close()
		if err != nil {
			p.doubt()
		}
	}
	p.annotations(page, now)
}

// inherited returns an entry of a page, which may be one of a node above it.
func (p *pdfPainter) inherited(page pdfDict, key pdfName) any {
	for range pdfMaxRefs {
		if v := p.file.get(page[key]); v != nil {
			return v
		}
		parent, ok := p.file.get(page["Parent"]).(pdfDict)
		if !ok {
			return nil
		}
		page = parent
	}
	p.doubt()
	return nil
}

// pageBox returns what of the page is seen.
func (p *pdfPainter) pageBox(page pdfDict) (pdfBox, bool) {
	media, ok := p.boxOf(p.inherited(page, "MediaBox"))
	if !ok {
		return pdfBox{}, false
	}
	if v := p.inherited(page, "CropBox"); v != nil {
		crop, ok := p.boxOf(v)
		if !ok {
			return pdfBox{}, false
		}
		if both := crop.and(media); !both.empty() {
			return both, true
		}
	}
	return media, true
}

func (p *pdfPainter) boxOf(v any) (pdfBox, bool) {
	n := p.file.numbers(v)
	if len(n) != 4 {
		return pdfBox{}, false
	}
	b := boundsOf(pdfPoint{n[0], n[1]}, pdfPoint{n[2], n[3]})
	return b, !b.empty() && b.known()
}

// pdfJoined reads the streams of a page's content as if they were one.
type pdfJoined struct {
	file    *pdfFile
	streams pdfArray
	now     *pdfData
}

func (j *pdfJoined) Read(b []byte) (int, error) {
	for {
		if j.now == nil {
			if len(j.streams) == 0 {
				return 0, io.EOF
			}
			v := j.file.get(j.streams[0])
			j.streams = j.streams[1:]
			stream, ok := v.(*pdfStream)
			if !ok {
				if v == nil {
					continue
				}
				return 0, errPDFSyntax
			}
			data, err := j.file.open(stream)
			if err != nil {
				return 0, noEOF(err)
			}
			if data.image != "" {
				data.Close()
				return 0, errPDFFilter
			}
			j.now = data
		}
		n, err := j.now.Read(b)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, io.EOF):
			j.close()
			if len(b) > 0 { // a token ends with its stream
				b[0] = '\n'
				return 1, nil
			}
		case err != nil:
			return 0, err
		}
	}
}

func (j *pdfJoined) close() {
	if j.now != nil {
		j.now.Close()
		j.now = nil
	}
}

// annotations looks at what is laid over a page. Links are not content.
func (p *pdfPainter) annotations(page pdfDict, now *pdfState) {
	all, _ := p.file.get(page["Annots"]).(pdfArray)
	if len(all) > pdfMaxAnnots {
		p.doubt()
	}
	for _, v := range all {
		if p.marked() {
			return
		}
		annotation, _ := p.file.get(v).(pdfDict)
		flags, _ := p.file.get(annotation["F"]).(float64)
		kind := p.file.get(annotation["Subtype"])
		const hidden, notViewed = 1 << 1, 1 << 5
		if annotation == nil || kind == pdfName("Link") || kind == pdfName("Popup") || int(flags)&(hidden|notViewed) != 0 {
			continue
		}
		rect, ok := p.boxOf(annotation["Rect"])
		if !ok {
			continue // of no size
		}
		looks, _ := p.file.get(annotation["AP"]).(pdfDict)
		if form, ok := p.file.get(looks["N"]).(*pdfStream); ok {
			place := *now
			if bounds, ok := p.boxOf(form.dict["BBox"]); ok {
				if m, ok := p.matrixOf(form.dict["Matrix"]); ok {
					bounds = m.box(bounds)
				}
				if !bounds.empty() {
					sx, sy := (rect.x1-rect.x0)/(bounds.x1-bounds.x0), (rect.y1-rect.y0)/(bounds.y1-bounds.y0)
					place.matrix = pdfMatrix{sx, 0, 0, sy, rect.x0 - bounds.x0*sx, rect.y0 - bounds.y0*sy}.times(now.matrix)
				}
			}
			p.form(form, &place)
			continue
		}
		// Readers draw it themselves, or choose one of its states.
		p.raster.box(now.matrix.box(rect), now.clip, pngShade{distance: 255})
	}
}

func (p *pdfPainter) matrixOf(v any) (pdfMatrix, bool) {
	n := p.file.numbers(v)
	if len(n) != 6 {
		return pdfMatrix{1, 0, 0, 1, 0, 0}, false
	}
	return pdfMatrix(n), true
}

// pdfPaint is what fills or strokes.
type pdfPaint struct {
	space   *pdfSpace
	values  []float64 // never changed
	pattern bool
}

// colorOf returns the color. It is not known where it is a pattern.
func (c *pdfPaint) colorOf() (pdfColor, bool) {
	if c.pattern || c.space.kind == "Pattern" {
		return pdfUnknown, false
	}
	return c.space.color(c.values), true
}

func (c *pdfPaint) set(space *pdfSpace, values []float64) {
	c.space, c.values, c.pattern = space, slices.Clone(values), false
}

// pdfState is the graphics state. Source: ISO 32000-1, 8.4 and 9.3.
type pdfState struct {
	matrix                 pdfMatrix // to pixels
	clip                   pdfBox
	fill, stroke           pdfPaint
	fillAlpha, strokeAlpha float64
	outer                  float64 // the opacity of the groups around
	odd                    bool    // blended so that white may show
	width                  float64
	capped                 bool

	font                *pdfFont
	size, rise, stretch float64
	space, wordSpace    float64
	leading             float64
	mode                int
}

func newPDFState(m pdfMatrix, clip pdfBox) *pdfState {
	s := &pdfState{matrix: m, clip: clip, fillAlpha: 1, strokeAlpha: 1, outer: 1, width: 1, stretch: 1, size: 12}
	s.fill.set(pdfGray, []float64{0})
	s.stroke.set(pdfGray, []float64{0})
	return s
}

// shade returns how what is painted shows.
func (s *pdfState) shade(paint *pdfPaint, alpha float64) pngShade {
	alpha = math.Round(min(max(alpha*s.outer, 0), 1) * 255)
	color, known := paint.colorOf()
	if !known || s.odd {
		return pngShade{distance: byte(alpha)}
	}
	return shadeOf(int(color.r), int(color.g), int(color.b), int(alpha))
}

func (s *pdfState) filled() pngShade  { return s.shade(&s.fill, s.fillAlpha) }
func (s *pdfState) stroked() pngShade { return s.shade(&s.stroke, s.strokeAlpha) }

// pdfContent is one content stream while it is painted.
type pdfContent struct {
	*pdfPainter
	lexer *pdfLexer
	now   *pdfState
	saved []pdfState

	operands []any
	scratch  []float64

	path      [][]pdfPoint
	points    int
	at, begun pdfPoint // in the page's space before the matrix
	clipping  bool     // the path clips when it is painted

	line, text pdfMatrix // of the text
	advance    pdfBox    // how far what was shown since may have led
}

// paint follows a content stream.
func (p *pdfPainter) paint(r io.Reader, start *pdfState) error {
	state := *start
	c := &pdfContent{pdfPainter: p, now: &state}
	if n := len(p.lexers); n > 0 {
		c.lexer, p.lexers = p.lexers[n-1], p.lexers[:n-1]
		c.lexer.reset(r, 0)
	} else {
		c.lexer = newPDFLexer(r, 4<<10)
	}
	c.line, c.text = pdfMatrix{1, 0, 0, 1, 0, 0}, pdfMatrix{1, 0, 0, 1, 0, 0}
	defer func() {
		p.savedStates -= len(c.saved)
		p.lexers = append(p.lexers, c.lexer)
	}()
	for !p.marked() {
		t, err := c.lexer.next()
		switch {
		case errors.Is(err, io.EOF) && len(c.operands) > 0:
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case t.kind == pdfWordToken && string(t.text) != "true" && string(t.text) != "false" && string(t.text) != "null":
			if p.operatorsLeft--; p.operatorsLeft < 0 {
				return errTooMuch
			}
			if err := c.operate(string(t.text)); err != nil {
				return err
			}
			c.operands = c.operands[:0]
			c.lexer.values = 0
			continue
		case t.kind == pdfOtherToken || t.kind == pdfCloseArray || t.kind == pdfCloseDict:
			continue
		}
		v, err := c.lexer.build(t, 0)
		if err != nil {
			if errors.Is(err, io.EOF) { // the stream ends within a string
				return io.ErrUnexpectedEOF
			}
			return err
		}
		if len(c.operands) == pdfMaxComponents+1 {
			copy(c.operands, c.operands[1:])
			c.operands = c.operands[:pdfMaxComponents]
		}
		c.operands = append(c.operands, v)
	}
	return nil
}

// numbers returns the last n operands if they are numbers, until it is called
// again.
func (c *pdfContent) numbers(n int) ([]float64, bool) {
	if len(c.operands) < n {
		return nil, false
	}
	c.scratch = c.scratch[:0]
	for _, v := range c.operands[len(c.operands)-n:] {
		number, ok := v.(float64)
		if !ok {
			return nil, false
		}
		c.scratch = append(c.scratch, number)
	}
	return c.scratch, true
}

func (c *pdfContent) name() pdfName {
	if len(c.operands) == 0 {
		return ""
	}
	name, _ := c.operands[len(c.operands)-1].(pdfName)
	return name
}

// resource returns a named resource.
func (c *pdfContent) resource(kind, name pdfName) any {
	all, _ := c.file.get(c.resources[kind]).(pdfDict)
	return c.file.get(all[name])
}

// operate does what an operator says. One that has too few operands does nothing,
// as in readers.
func (c *pdfContent) operate(operator string) error {
	switch operator {
	case "q":
		if c.savedStates++; c.savedStates > pdfMaxSaved {
			return errPDFDepth
		}
		c.saved = append(c.saved, *c.now)
	case "Q":
		if n := len(c.saved); n > 0 {
			*c.now, c.saved = c.saved[n-1], c.saved[:n-1]
			c.savedStates--
		} else { // which readers take in different ways
			c.now.fill.set(pdfGray, []float64{0})
			c.now.stroke.set(pdfGray, []float64{0})
		}
	case "cm":
		if n, ok := c.numbers(6); ok {
			c.now.matrix = pdfMatrix(n).times(c.now.matrix)
		}
	case "w":
		if n, ok := c.numbers(1); ok {
			c.now.width = math.Abs(n[0])
		}
	case "J":
		if n, ok := c.numbers(1); ok {
			c.now.capped = n[0] != 0
		}
	case "gs":
		c.setState(c.name())
	case "Do":
		c.place(c.name())
	case "sh":
		c.raster.box(c.now.clip, c.now.clip, pngShade{distance: byteOf(c.now.fillAlpha * c.now.outer)})
	case "BI":
		return c.inline()
	case "j", "M", "d", "ri", "i", "d0", "d1", "MP", "DP", "BMC", "BDC", "EMC", "BX", "EX":
		// They paint nothing, or change little of what is painted.
	default:
		// What no reader knows is none of a content stream, so it was not unpacked to
		// what it is.
		if !c.paintColor(operator) && !c.paintPath(operator) && !c.paintText(operator) {
			return errPDFSyntax
		}
	}
	return nil
}

// setState sets what a dictionary of the graphics state has.
func (c *pdfContent) setState(name pdfName) {
	d, _ := c.resource("ExtGState", name).(pdfDict)
	c.operatorsLeft -= len(d)
	for key, v := range d {
		v = c.file.get(v)
		number, isNumber := v.(float64)
		switch {
		case key == "ca" && isNumber:
			c.now.fillAlpha = number
		case key == "CA" && isNumber:
			c.now.strokeAlpha = number
		case key == "LW" && isNumber:
			c.now.width = math.Abs(number)
		case key == "LC" && isNumber:
			c.now.capped = number != 0
		case key == "BM":
			c.now.odd = c.blendsOddly(v)
		case (key == "TR" || key == "TR2") && v != pdfName("Identity") && v != pdfName("Default"):
			c.now.odd = true
		case key == "Font":
			if a, ok := v.(pdfArray); ok && len(a) == 2 {
				c.now.font = c.file.font(c.file.get(a[0]))
				if size, ok := c.file.get(a[1]).(float64); ok {
					c.now.size = size
				}
			}
		}
	}
}

// blendsOddly reports whether white that is blended with white may be something
// else.
func (c *pdfContent) blendsOddly(mode any) bool {
	if a, ok := mode.(pdfArray); ok { // the first that a reader knows
		return slices.ContainsFunc(a, func(v any) bool { return c.blendsOddly(c.file.get(v)) })
	}
	switch mode {
	case pdfName("Normal"), pdfName("Compatible"), pdfName("Multiply"), pdfName("Screen"), pdfName("Darken"), pdfName("Lighten"),
		pdfName("Overlay"), pdfName("HardLight"), pdfName("SoftLight"), pdfName("ColorDodge"), pdfName("ColorBurn"),
		pdfName("Hue"), pdfName("Saturation"), pdfName("Color"), pdfName("Luminosity"):
		return false
	}
	return true
}

// place paints a form or an image.
func (c *pdfContent) place(name pdfName) {
	stream, ok := c.resource("XObject", name).(*pdfStream)
	if !ok {
		c.doubt()
		return
	}
	switch c.file.get(stream.dict["Subtype"]) {
	case pdfName("Image"):
		data, err := c.file.open(stream)
		if err != nil {
			c.doubt()
			return
		}
		defer data.Close()
		c.paintImage(stream.dict, data, c.now)
	case pdfName("Form"):
		c.form(stream, c.now)
	default:
		c.doubt()
	}
}

// form paints a form.
func (p *pdfPainter) form(stream *pdfStream, start *pdfState) {
	if p.forms >= pdfMaxForms {
		p.doubt()
		return
	}
	now := *start
	if m, ok := p.matrixOf(stream.dict["Matrix"]); ok {
		now.matrix = m.times(now.matrix)
	}
	if v := p.file.get(stream.dict["BBox"]); v != nil {
		if n := p.file.numbers(v); len(n) == 4 {
			now.clip = now.clip.and(now.matrix.box(boundsOf(pdfPoint{n[0], n[1]}, pdfPoint{n[2], n[3]})))
		}
	}
	if group, ok := p.file.get(stream.dict["Group"]).(pdfDict); ok && group != nil {
		now.outer *= now.fillAlpha
		now.fillAlpha, now.strokeAlpha = 1, 1
	}
	if now.clip.empty() {
		return
	}
	data, err := p.file.open(stream)
	if err != nil || data.image != "" {
		p.doubt()
		return
	}
	defer data.Close()
	resources, fonts := p.resources, p.fonts
	if own, ok := p.file.get(stream.dict["Resources"]).(pdfDict); ok {
		p.resources, p.fonts = own, nil
	}
	p.forms++
	if err := p.paint(data, &now); err != nil {
		p.doubt()
	}
	p.forms--
	p.resources, p.fonts = resources, fonts
}

// inline paints an image within the content.
func (c *pdfContent) inline() error {
	d := pdfDict{}
	for {
		t, err := c.lexer.next()
		if err != nil {
			return noEOF(err)
		}
		if t.kind == pdfWordToken && string(t.text) == "ID" {
			break
		}
		if t.kind != pdfNameToken {
			return errPDFSyntax
		}
		key := pdfName(t.text)
		if d[key], err = c.lexer.value(); err != nil {
			return noEOF(err)
		}
	}
	raw, err := c.inlineData(d)
	if err != nil {
		return err
	}
	data, err := c.file.unpack(d, bytes.NewReader(raw))
	if err != nil {
		return noEOF(err)
	}
	defer data.Close()
	c.paintImage(d, data, c.now)
	return nil
}

// inlineData reads the data of an image within the content: as much as it has to
// be if it is not packed, or up to what looks like its end.
func (c *pdfContent) inlineData(d pdfDict) ([]byte, error) {
	if _, err := c.lexer.read(); err != nil { // one white space
		return nil, noEOF(err)
	}
	least := 0
	if len(c.file.list(d, "Filter", "F")) == 0 {
		width, _ := c.file.key(d, "Width", "W").(float64)
		height, _ := c.file.key(d, "Height", "H").(float64)
		depth, _ := c.file.key(d, "BitsPerComponent", "BPC").(float64)
		space := pdfGray
		if mask, _ := c.file.key(d, "ImageMask", "IM").(bool); mask {
			depth = 1
		} else {
			space = c.file.space(c.file.key(d, "ColorSpace", "CS"), c.resources, 0)
		}
		if size := math.Ceil(width*float64(space.components)*depth/8) * height; size >= 0 && size <= pdfMaxInline {
			least = int(size)
		}
	}
	var raw []byte
	for {
		b, err := c.lexer.read()
		if err != nil {
			return nil, noEOF(err)
		}
		raw = append(raw, b)
		if n := len(raw); n >= least+2 && raw[n-2] == 'E' && raw[n-1] == 'I' && (n == 2 || n == least+2 || isPDFSpace(raw[n-3])) {
			if after, _ := c.lexer.in.Peek(1); len(after) == 0 || !isPDFRegular(after[0]) {
				return raw[:n-2], nil
			}
		}
		if len(raw) > pdfMaxInline {
			return nil, errTooMuch
		}
	}
}

// paintColor sets a color if the operator does that.
func (c *pdfContent) paintColor(operator string) bool {
	paint := &c.now.fill
	switch operator {
	case "G", "RG", "K", "CS", "SC", "SCN":
		paint = &c.now.stroke
	}
	device := func(space *pdfSpace) {
		if n, ok := c.numbers(space.components); ok {
			paint.set(space, n)
		}
	}
	switch operator {
	case "g", "G":
		device(pdfGray)
	case "rg", "RG":
		device(pdfRGB)
	case "k", "K":
		device(pdfCMYK)
	case "cs", "CS":
		space := c.file.space(c.name(), c.resources, 0)
		paint.set(space, space.first())
	case "sc", "SC", "scn", "SCN":
		if c.name() != "" {
			paint.pattern = true
			break
		}
		if n, ok := c.numbers(min(len(c.operands), pdfMaxComponents)); ok {
			paint.set(paint.space, n)
		}
	default:
		return false
	}
	return true
}

// move begins an outline, and draw goes on with it.
func (c *pdfContent) move(x, y float64) {
	c.at, c.begun = pdfPoint{x, y}, pdfPoint{x, y}
	c.path = append(c.path, []pdfPoint{c.now.matrix.point(x, y)})
	c.points++
}

func (c *pdfContent) draw(x, y float64) {
	if len(c.path) == 0 {
		c.move(x, y)
		return
	}
	c.at = pdfPoint{x, y}
	last := len(c.path) - 1
	c.path[last] = append(c.path[last], c.now.matrix.point(x, y))
	c.points++
}

// curve draws a Bézier curve as some lines.
func (c *pdfContent) curve(x1, y1, x2, y2, x3, y3 float64) {
	const steps = 12
	from := c.at
	if len(c.path) == 0 {
		c.move(x1, y1)
		from = c.at
	}
	for i := 1; i <= steps; i++ {
		t := float64(i) / steps
		u := 1 - t
		a, b, d, e := u*u*u, 3*u*u*t, 3*u*t*t, t*t*t
		c.draw(a*from.x+b*x1+d*x2+e*x3, a*from.y+b*y1+d*y2+e*y3)
	}
	c.at = pdfPoint{x3, y3}
}

func (c *pdfContent) closePath() {
	if len(c.path) > 0 {
		c.draw(c.begun.x, c.begun.y)
	}
}

// paintPath makes or paints a path if the operator does that.
func (c *pdfContent) paintPath(operator string) bool {
	if c.points > pdfMaxPoints {
		c.doubt()
		return true
	}
	switch operator {
	case "m":
		if n, ok := c.numbers(2); ok {
			c.move(n[0], n[1])
		}
	case "l":
		if n, ok := c.numbers(2); ok {
			c.draw(n[0], n[1])
		}
	case "c":
		if n, ok := c.numbers(6); ok {
			c.curve(n[0], n[1], n[2], n[3], n[4], n[5])
		}
	case "v":
		if n, ok := c.numbers(4); ok {
			c.curve(c.at.x, c.at.y, n[0], n[1], n[2], n[3])
		}
	case "y":
		if n, ok := c.numbers(4); ok {
			c.curve(n[0], n[1], n[2], n[3], n[2], n[3])
		}
	case "h":
		c.closePath()
	case "re":
		if n, ok := c.numbers(4); ok {
			c.move(n[0], n[1])
			c.draw(n[0]+n[2], n[1])
			c.draw(n[0]+n[2], n[1]+n[3])
			c.draw(n[0], n[1]+n[3])
			c.closePath()
		}
	case "W", "W*":
		c.clipping = true
	case "n":
		c.endPath(false, false, false)
	case "f", "F":
		c.endPath(true, false, false)
	case "f*":
		c.endPath(true, true, false)
	case "S":
		c.endPath(false, false, true)
	case "s":
		c.closePath()
		c.endPath(false, false, true)
	case "B":
		c.endPath(true, false, true)
	case "B*":
		c.endPath(true, true, true)
	case "b":
		c.closePath()
		c.endPath(true, false, true)
	case "b*":
		c.closePath()
		c.endPath(true, true, true)
	default:
		return false
	}
	return true
}

// endPath paints the path, and clips what follows with it if that was said.
func (c *pdfContent) endPath(fill, evenOdd, stroke bool) {
	if fill {
		c.raster.fill(c.path, evenOdd, c.now.clip, c.now.filled())
	}
	if shade := c.now.stroked(); stroke && shade.distance > 0 {
		width := c.now.width * c.now.matrix.scale()
		for _, path := range c.path {
			for i := range path {
				if i > 0 && !c.marked() {
					c.raster.stroke(path[i-1], path[i], width, c.now.capped, c.now.clip, shade)
				}
			}
		}
	}
	if c.clipping && len(c.path) > 0 {
		all := pdfBox{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
		for _, path := range c.path {
			b := boundsOf(path...)
			all = pdfBox{min(all.x0, b.x0), min(all.y0, b.y0), max(all.x1, b.x1), max(all.y1, b.y1)}
		}
		c.now.clip = c.now.clip.and(all)
	}
	c.path, c.points, c.clipping = c.path[:0], 0, false
}
