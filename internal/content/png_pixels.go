package content

import (
	"bufio"
	"compress/zlib"
	"context"
	"io"
)

// readPixels decodes all pixels of a picture or a frame and reports whether there
// is nothing to see.
func (h pngHeader) readPixels(ctx context.Context, chunks *pngChunks, palette pngPalette) (blank bool, err error) {
	if h.colour == indexed && len(palette.colours) < 3 {
		return false, damaged("the palette is missing")
	}
	pixels, err := zlib.NewReader(bufio.NewReaderSize(chunks, 16<<10))
	if err != nil {
		return false, refuse(err, "the pixels cannot be unpacked")
	}
	look := newPNGLook(h, palette)
	for _, pass := range h.passes() {
		if err := h.readPass(ctx, pixels, pass, look); err != nil {
			return false, refuse(err, "the pixels are incomplete")
		}
	}
	var one [1]byte
	switch n, err := io.ReadFull(pixels, one[:]); {
	case n > 0:
		return false, damaged("there are more pixels than the header says")
	case err != io.EOF:
		return false, refuse(err, "the pixels cannot be unpacked")
	}
	if _, err := io.Copy(io.Discard, chunks); err != nil {
		return false, refuse(err, "the pixels are incomplete")
	}
	return !look.shows(), nil
}

// pngPass is one of the reduced images of an interlaced PNG, or the image
// itself: its size, and where its pixels are in the image.
type pngPass struct{ width, height, x, y, dx, dy int }

func (h pngHeader) passes() []pngPass {
	if !h.interlaced {
		return []pngPass{{h.width, h.height, 0, 0, 1, 1}}
	}
	var passes []pngPass
	for _, p := range []pngPass{ // Adam7
		{x: 0, y: 0, dx: 8, dy: 8}, {x: 4, y: 0, dx: 8, dy: 8}, {x: 0, y: 4, dx: 4, dy: 8}, {x: 2, y: 0, dx: 4, dy: 4},
		{x: 0, y: 2, dx: 2, dy: 4}, {x: 1, y: 0, dx: 2, dy: 2}, {x: 0, y: 1, dx: 1, dy: 2},
	} {
		p.width, p.height = (h.width-p.x+p.dx-1)/p.dx, (h.height-p.y+p.dy-1)/p.dy
		if p.width > 0 && p.height > 0 {
			passes = append(passes, p)
		}
	}
	return passes
}

func (h pngHeader) readPass(ctx context.Context, pixels io.Reader, pass pngPass, look *pngLook) error {
	bits := h.depth * h.samples()
	length := (pass.width*bits + 7) / 8
	distance := max(bits/8, 1)
	row, above := make([]byte, 1+length), make([]byte, 1+length)
	for y := range pass.height {
		// A few bytes may unpack to very many rows.
		if y%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := io.ReadFull(pixels, row); err != nil {
			return err
		}
		if row[0] > 4 {
			return damaged("a row has an unknown filter")
		}
		// Once something has been seen, the values no longer matter.
		if !look.decided() {
			unfilter(row[0], row[1:], above[1:], distance)
			look.row(row[1:], pass, y)
			row, above = above, row
		}
	}
	return nil
}

// unfilter turns a filtered row into its values, given the row above and the
// distance in bytes to the pixel at the left. Source: PNG specification,
// section 9.
func unfilter(filter byte, row, above []byte, distance int) {
	switch filter {
	case 1: // Sub
		for i := distance; i < len(row); i++ {
			row[i] += row[i-distance]
		}
	case 2: // Up
		for i := range row {
			row[i] += above[i]
		}
	case 3: // Average
		for i := range row {
			left := 0
			if i >= distance {
				left = int(row[i-distance])
			}
			row[i] += byte((left + int(above[i])) / 2)
		}
	case 4: // Paeth
		for i := range row {
			left, corner := 0, 0
			if i >= distance {
				left, corner = int(row[i-distance]), int(above[i-distance])
			}
			row[i] += byte(paeth(left, int(above[i]), corner))
		}
	}
}

// paeth gives whichever of left, above and corner is nearest to left + above -
// corner.
func paeth(left, above, corner int) int {
	estimate := left + above - corner
	toLeft, toAbove, toCorner := abs(estimate-left), abs(estimate-above), abs(estimate-corner)
	switch {
	case toLeft <= toAbove && toLeft <= toCorner:
		return left
	case toAbove <= toCorner:
		return above
	default:
		return corner
	}
}

func abs(n int) int { return max(n, -n) }

// pngPalette is the colours of an indexed image.
type pngPalette struct {
	colours []byte // three bytes each
	alpha   []byte // of the first colours; the others are opaque
}

// pngLook looks at the pixels as they come.
type pngLook struct {
	header    pngHeader
	ink       *ink
	distances []byte
	steps     [256]pngShade // of a palette's colours, or of the greys of up to 8 bits
	through   []byte        // the one colour that is transparent, as it is in a row; nil if there is none

	// Of an interlaced picture, the marks by row, a bit for each pixel. Rows without
	// marks have none.
	faint, strong [][]uint64
}

// pngShade is how far a colour is from white, and whether it is as good as grey.
type pngShade struct {
	distance byte
	grey     bool
}

func shadeOf(r, g, b, alpha int) pngShade {
	low, high := min(r, g, b), max(r, g, b)
	return pngShade{byte((255 - low) * alpha / 255), (high-low)*alpha/255 <= 6}
}

func newPNGLook(h pngHeader, palette pngPalette) *pngLook {
	l := &pngLook{header: h, ink: newInk(h.width, h.height)}
	switch {
	case h.colour == indexed:
		for i := range l.steps {
			// An index without a colour shows in some readers as black.
			r, g, b, alpha := 0, 0, 0, 255
			if 3*i+3 <= len(palette.colours) {
				r, g, b = int(palette.colours[3*i]), int(palette.colours[3*i+1]), int(palette.colours[3*i+2])
			}
			if i < len(palette.alpha) {
				alpha = int(palette.alpha[i])
			}
			l.steps[i] = shadeOf(r, g, b, alpha)
		}
	case h.colour == grey && h.depth <= 8:
		highest := 1<<h.depth - 1
		for i := range highest + 1 {
			v := i * 255 / highest
			l.steps[i] = shadeOf(v, v, v, 255)
		}
		if len(palette.alpha) == 2 {
			if i := int(palette.alpha[0])<<8 | int(palette.alpha[1]); i <= highest {
				l.steps[i] = pngShade{0, true}
			}
		}
	case h.colour == grey && len(palette.alpha) == 2, h.colour == rgb && h.depth == 16 && len(palette.alpha) == 6:
		l.through = palette.alpha
	case h.colour == rgb && len(palette.alpha) == 6:
		l.through = []byte{palette.alpha[1], palette.alpha[3], palette.alpha[5]}
	}
	if h.interlaced {
		l.faint, l.strong = make([][]uint64, h.height), make([][]uint64, h.height)
	}
	return l
}

func (l *pngLook) decided() bool { return l.ink.decided() }

// row takes a row of a pass.
func (l *pngLook) row(row []byte, pass pngPass, y int) {
	if len(l.distances) < pass.width {
		l.distances = make([]byte, pass.width)
	}
	distances := l.distances[:pass.width]
	l.measure(row, distances)
	if !l.header.interlaced {
		l.ink.row(distances)
		return
	}
	at := pass.y + y*pass.dy
	for i, d := range distances {
		if d > nearWhite {
			setBit(l.faint, at, pass.x+i*pass.dx, l.header.width)
		}
		if d > paleMark {
			setBit(l.strong, at, pass.x+i*pass.dx, l.header.width)
		}
	}
}

func setBit(rows [][]uint64, y, x, width int) {
	if rows[y] == nil {
		rows[y] = make([]uint64, (width+63)/64)
	}
	rows[y][x/64] |= 1 << (x % 64)
}

// shows reports, after the last row, whether there is something to see.
func (l *pngLook) shows() bool {
	if l.header.interlaced && !l.decided() {
		row := make([]byte, l.header.width)
		for y := range l.header.height {
			for x := range row {
				row[x] = 0
				if l.faint[y] != nil && l.faint[y][x/64]>>(x%64)&1 == 1 {
					row[x] = nearWhite + 1
				}
				if l.strong[y] != nil && l.strong[y][x/64]>>(x%64)&1 == 1 {
					row[x] = paleMark + 1
				}
			}
			l.ink.row(row)
		}
	}
	return l.decided() || l.ink.shows()
}

// measure gives each pixel's distance from white.
func (l *pngLook) measure(row, distances []byte) {
	depth := l.header.depth
	if l.header.colour == indexed || l.header.colour == grey && depth <= 8 {
		for x := range distances {
			value := row[x*depth/8]
			if depth < 8 { // the leftmost in the high bits
				value = value >> (8 - depth - x*depth%8) & (1<<depth - 1)
			}
			l.set(distances, x, l.steps[value])
		}
		return
	}
	step := depth / 8 // of a 16-bit sample the high byte is looked at
	each := step * l.header.samples()
	for x := range distances {
		pixel := row[x*each : (x+1)*each]
		if l.through != nil && string(pixel) == string(l.through) {
			l.set(distances, x, pngShade{0, true})
			continue
		}
		r, g, b, alpha := int(pixel[0]), int(pixel[0]), int(pixel[0]), 255
		if l.header.colour == rgb || l.header.colour == rgbAlpha {
			g, b = int(pixel[step]), int(pixel[2*step])
		}
		switch l.header.colour {
		case greyAlpha:
			alpha = int(pixel[step])
		case rgbAlpha:
			alpha = int(pixel[3*step])
		}
		l.set(distances, x, shadeOf(r, g, b, alpha))
	}
}

func (l *pngLook) set(distances []byte, x int, s pngShade) {
	distances[x] = s.distance
	if s.grey {
		l.ink.grey(s.distance)
	}
}
