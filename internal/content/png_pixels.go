package content

import (
	"bufio"
	"compress/zlib"
	"io"
)

// readPixels decodes all pixels and reports whether they have the same colour.
func (h pngHeader) readPixels(chunks *pngChunks, palette pngPalette) (blank bool, err error) {
	if h.colour == indexed && len(palette.colours) < 3 {
		return false, damaged("the palette is missing")
	}
	pixels, err := zlib.NewReader(bufio.NewReaderSize(chunks, 16<<10))
	if err != nil {
		return false, refuse(err, "the pixels cannot be unpacked")
	}
	look := pngUniform{header: h, palette: palette.canonical(), uniform: true}
	for _, pass := range h.passes() {
		if err := h.readPass(pixels, pass, &look); err != nil {
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
	return look.uniform, nil
}

// pngPass is one of the reduced images of an interlaced PNG, or the image
// itself.
type pngPass struct{ width, height int }

func (h pngHeader) passes() []pngPass {
	if !h.interlaced {
		return []pngPass{{h.width, h.height}}
	}
	var passes []pngPass
	for _, p := range []struct{ x, y, dx, dy int }{ // Adam7
		{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
	} {
		pass := pngPass{(h.width - p.x + p.dx - 1) / p.dx, (h.height - p.y + p.dy - 1) / p.dy}
		if pass.width > 0 && pass.height > 0 {
			passes = append(passes, pass)
		}
	}
	return passes
}

func (h pngHeader) readPass(pixels io.Reader, pass pngPass, look *pngUniform) error {
	bits := h.depth * h.samples()
	length := (pass.width*bits + 7) / 8
	distance := max(bits/8, 1)
	row, above := make([]byte, 1+length), make([]byte, 1+length)
	for range pass.height {
		if _, err := io.ReadFull(pixels, row); err != nil {
			return err
		}
		if row[0] > 4 {
			return damaged("a row has an unknown filter")
		}
		// Once two colours have been seen, the values no longer matter.
		if look.uniform {
			unfilter(row[0], row[1:], above[1:], distance)
			look.row(row[1:], pass.width)
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

// canonical gives for each index the first one of the same look, or the index
// itself where it has no colour.
func (p pngPalette) canonical() [256]byte {
	var out [256]byte
	first := make(map[[4]byte]byte, 256)
	for i := range 256 {
		out[i] = byte(i)
		if 3*i+3 > len(p.colours) {
			continue
		}
		look := [4]byte{p.colours[3*i], p.colours[3*i+1], p.colours[3*i+2], 255}
		if i < len(p.alpha) {
			look[3] = p.alpha[i]
		}
		if look[3] == 0 {
			look = [4]byte{}
		}
		if earlier, seen := first[look]; seen {
			out[i] = earlier
		} else {
			first[look] = byte(i)
		}
	}
	return out
}

// pngUniform watches whether all pixels look the same. Pixels that are wholly
// transparent do, whatever colour they have below.
type pngUniform struct {
	header  pngHeader
	palette [256]byte
	first   uint64
	started bool
	uniform bool
}

func (u *pngUniform) row(row []byte, width int) {
	if u.header.depth < 8 {
		u.packedRow(row, width)
		return
	}
	bytesEach := u.header.depth / 8 * u.header.samples()
	alphaBytes := 0
	if u.header.colour == greyAlpha || u.header.colour == rgbAlpha {
		alphaBytes = u.header.depth / 8
	}
	alphaMask := uint64(1)<<(8*alphaBytes) - 1
	for len(row) >= bytesEach {
		var pixel uint64
		for _, b := range row[:bytesEach] {
			pixel = pixel<<8 | uint64(b)
		}
		row = row[bytesEach:]
		if alphaBytes > 0 && pixel&alphaMask == 0 {
			pixel = 0
		}
		if u.header.colour == indexed {
			pixel = uint64(u.palette[pixel])
		}
		if !u.see(pixel) {
			return
		}
	}
}

// packedRow reads samples of fewer than 8 bits, the leftmost in the high bits.
func (u *pngUniform) packedRow(row []byte, width int) {
	depth := u.header.depth
	for x := range width {
		bit := x * depth
		value := row[bit/8] >> (8 - depth - bit%8) & (1<<depth - 1)
		if u.header.colour == indexed {
			value = u.palette[value]
		}
		if !u.see(uint64(value)) {
			return
		}
	}
}

func (u *pngUniform) see(pixel uint64) bool {
	if !u.started {
		u.started, u.first = true, pixel
	}
	u.uniform = u.uniform && pixel == u.first
	return u.uniform
}
