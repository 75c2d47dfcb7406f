package content

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// MaxPixels is the most that a PNG may have. It is above what Tableau renders (a
// dashboard of 4000 by 4000 in high resolution), and bounds the time of a check.
const MaxPixels = 64 << 20

const (
	pngSignature = "\x89PNG\r\n\x1a\n"

	// maxSide bounds the memory of a check: a row has at most 8 bytes a pixel,
	// and two are held.
	maxSide = 1 << 16
)

// checkPNG decodes the image row by row. Source for the format: W3C, Portable
// Network Graphics (PNG) Specification, Third Edition.
func checkPNG(s *source) (Facts, error) { return readPNG(s.all()) }

func readPNG(r io.Reader) (Facts, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	signature := make([]byte, len(pngSignature))
	n, err := io.ReadFull(in, signature)
	switch {
	case !bytes.HasPrefix([]byte(pngSignature), signature[:n]):
		return Facts{}, &Error{Reason: NotFormat}
	case err != nil:
		return Facts{}, refuse(err, "the signature is incomplete")
	}

	chunks := &pngChunks{in: in, crc: crc32.NewIEEE()}
	header, err := chunks.header()
	if err != nil {
		return Facts{}, err
	}
	facts := Facts{Width: header.width, Height: header.height}
	if header.width > maxSide || header.height > maxSide || header.width*header.height > MaxPixels {
		return facts, &Error{Reason: TooLarge, Detail: fmt.Sprintf("%d by %d pixels", header.width, header.height)}
	}

	var palette pngPalette
	seenPixels := false
	for {
		if err := chunks.next(); err != nil {
			return facts, err
		}
		switch chunks.kind {
		case "PLTE":
			if seenPixels || palette.colours != nil {
				return facts, damaged("there is a palette where none belongs")
			}
			palette.colours, err = chunks.data(3 * 256)
			if err == nil && len(palette.colours)%3 != 0 {
				err = damaged("the palette is incomplete")
			}
		case "tRNS":
			palette.alpha, err = chunks.data(256)
		case "IDAT":
			if seenPixels {
				return facts, damaged("the pixels are not in one piece")
			}
			seenPixels = true
			facts.Blank, err = header.readPixels(chunks, palette)
		case "IEND":
			switch {
			case !seenPixels:
				return facts, damaged("there are no pixels")
			case facts.Blank:
				return facts, &Error{Reason: Blank}
			}
			return facts, chunks.skip()
		default:
			if chunks.critical() {
				return facts, damaged("there is a chunk that no decoder reads")
			}
			err = chunks.skip()
		}
		if err != nil {
			return facts, err
		}
	}
}

// pngChunks reads chunk after chunk and verifies each one's checksum.
type pngChunks struct {
	in      *bufio.Reader
	crc     hash.Hash32
	kind    string // of the current chunk
	left    int64  // bytes of its data not yet read
	waiting bool   // the current chunk has been begun by Read and is the caller's next
}

// next begins the next chunk.
func (c *pngChunks) next() error {
	if c.waiting {
		c.waiting = false
		return nil
	}
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return refuse(err, "a chunk or the end mark is missing")
	}
	c.left = int64(binary.BigEndian.Uint32(head[:4]))
	c.kind = string(head[4:])
	if c.left > 1<<31-1 {
		return damaged("a chunk is too long")
	}
	c.crc.Reset()
	_, _ = c.crc.Write(head[4:])
	return nil
}

// critical reports whether a decoder has to understand the current chunk.
// Source: PNG specification, section 5.4.
func (c *pngChunks) critical() bool { return c.kind[0]&0x20 == 0 }

// end verifies the current chunk, all of whose data has been read.
func (c *pngChunks) end() error {
	var sum [4]byte
	if _, err := io.ReadFull(c.in, sum[:]); err != nil {
		return refuse(err, "a checksum is missing")
	}
	if binary.BigEndian.Uint32(sum[:]) != c.crc.Sum32() {
		return damaged("a checksum does not match")
	}
	return nil
}

// skip reads the current chunk and keeps only its checksum.
func (c *pngChunks) skip() error {
	if _, err := io.CopyN(c.crc, c.in, c.left); err != nil {
		return refuse(err, "a chunk is incomplete")
	}
	c.left = 0
	return c.end()
}

// data reads the current chunk, of at most limit bytes.
func (c *pngChunks) data(limit int64) ([]byte, error) {
	if c.left > limit {
		return nil, damaged("a chunk is too long")
	}
	data := make([]byte, c.left)
	if _, err := io.ReadFull(c.in, data); err != nil {
		return nil, refuse(err, "a chunk is incomplete")
	}
	_, _ = c.crc.Write(data)
	c.left = 0
	return data, c.end()
}

// Read gives the data of consecutive IDAT chunks, of which the first is the
// current one, as one stream.
func (c *pngChunks) Read(p []byte) (int, error) {
	if c.waiting {
		return 0, io.EOF
	}
	for c.left == 0 {
		if err := c.end(); err != nil {
			return 0, err
		}
		if err := c.next(); err != nil {
			return 0, err
		}
		if c.kind != "IDAT" {
			c.waiting = true
			return 0, io.EOF
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	_, _ = c.crc.Write(p[:n])
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// pngHeader is the IHDR chunk.
type pngHeader struct {
	width, height int
	depth         int // bits of a sample
	colour        byte
	interlaced    bool
}

// Colour types of the IHDR chunk.
const (
	grey      = 0
	rgb       = 2
	indexed   = 3
	greyAlpha = 4
	rgbAlpha  = 6
)

// samples is the number of samples of a pixel.
func (h pngHeader) samples() int {
	return map[byte]int{grey: 1, rgb: 3, indexed: 1, greyAlpha: 2, rgbAlpha: 4}[h.colour]
}

func (c *pngChunks) header() (pngHeader, error) {
	if err := c.next(); err != nil {
		return pngHeader{}, err
	}
	if c.kind != "IHDR" || c.left != 13 {
		return pngHeader{}, damaged("there is no header")
	}
	data, err := c.data(13)
	if err != nil {
		return pngHeader{}, err
	}
	width, height := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	h := pngHeader{depth: int(data[8]), colour: data[9], interlaced: data[12] == 1}
	allowed := map[byte][]byte{grey: {1, 2, 4, 8, 16}, rgb: {8, 16}, indexed: {1, 2, 4, 8}, greyAlpha: {8, 16}, rgbAlpha: {8, 16}}[h.colour]
	if width == 0 || height == 0 || width > 1<<31-1 || height > 1<<31-1 ||
		!bytes.Contains(allowed, data[8:9]) || data[10] != 0 || data[11] != 0 || data[12] > 1 {
		return pngHeader{}, damaged("the header has impossible values")
	}
	h.width, h.height = int(width), int(height)
	return h, nil
}

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
