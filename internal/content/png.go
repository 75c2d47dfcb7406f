package content

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
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
func checkPNG(s *source) (Facts, error) { return readPNG(s.ctx, s.all(), true) }

// readPNG reads chunk after chunk, and decodes the pixels where it is asked to.
func readPNG(ctx context.Context, r io.Reader, pixels bool) (Facts, error) {
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
	if !header.fits(MaxPixels) {
		return facts, &Error{Reason: TooLarge, Detail: fmt.Sprintf("%d by %d pixels", header.width, header.height)}
	}
	p := &pngReader{ctx: ctx, chunks: chunks, header: header, decode: pixels}
	for {
		if err := chunks.next(); err != nil {
			return facts, err
		}
		if chunks.kind == "IEND" {
			break
		}
		if err := p.chunk(); err != nil {
			return facts, err
		}
	}
	if !p.seenPixels {
		return facts, damaged("there are no pixels")
	}
	if err := chunks.skip(); err != nil {
		return facts, err
	}
	if err := nothingBehind(in); err != nil {
		return facts, err
	}
	if facts.Blank = pixels && p.blank(); facts.Blank {
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
}

// nothingBehind refuses what follows the end mark, but for white space and zeros:
// another file may stand there, which other readers see.
func nothingBehind(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case b != 0 && !isXMLSpace(b):
			return damaged("there is data behind the end mark")
		}
	}
}

// pngReader is a PNG while its chunks are read.
type pngReader struct {
	ctx     context.Context
	chunks  *pngChunks
	header  pngHeader
	palette pngPalette
	decode  bool

	seenPixels bool
	blankImage bool

	// Of an animation.
	animated   bool
	frame      *pngHeader // whose pixels come next; nil if the pixels are of no frame
	whole      bool       // it covers the picture
	frames     int
	area       int // pixels of the frames so far
	blankWhole bool
	shown      bool // a frame has something to see
}

// blank reports whether the picture, or what an animation shows in its place, has
// nothing on it. Some readers show an animation's picture and others its frames,
// so both have to have content, and each frame that covers all that was before.
func (p *pngReader) blank() bool {
	return p.blankImage || p.blankWhole || p.animated && p.frames > 0 && !p.shown
}

// chunk reads the current chunk.
func (p *pngReader) chunk() (err error) {
	switch p.chunks.kind {
	case "PLTE":
		if p.seenPixels || p.palette.colours != nil {
			return damaged("there is a palette where none belongs")
		}
		p.palette.colours, err = p.chunks.data(3 * 256)
		if err == nil && len(p.palette.colours)%3 != 0 {
			err = damaged("the palette is incomplete")
		}
		return err
	case "tRNS":
		p.palette.alpha, err = p.chunks.data(256)
		return err
	case "IDAT":
		switch {
		case !p.decode:
			p.seenPixels = true
			return p.chunks.skip()
		case p.seenPixels:
			return damaged("the pixels are not in one piece")
		}
		p.seenPixels = true
		p.blankImage, err = p.header.readPixels(p.ctx, p.chunks, p.palette)
		if p.frame != nil {
			p.endFrame(p.blankImage)
		}
		return err
	case "acTL":
		p.animated = true
		return p.chunks.skip()
	case "fcTL":
		return p.frameHeader()
	case "fdAT":
		switch {
		case !p.decode:
			return p.chunks.skip()
		case p.frame == nil:
			return damaged("there are pixels of no frame")
		}
		blank, err := p.frame.readPixels(p.ctx, p.chunks, p.palette)
		p.endFrame(blank)
		return err
	}
	if p.chunks.critical() {
		return damaged("there is a chunk that no decoder reads")
	}
	return p.chunks.skip()
}

// frameHeader reads the size and place of a frame.
func (p *pngReader) frameHeader() error {
	if p.chunks.left != 26 {
		return damaged("a frame's header is incomplete")
	}
	data, err := p.chunks.data(26)
	if err != nil {
		return err
	}
	number := func(at int) int { return int(binary.BigEndian.Uint32(data[at:])) }
	frame := p.header
	frame.width, frame.height = number(4), number(8)
	x, y := number(12), number(16)
	if frame.width == 0 || frame.height == 0 || x+frame.width > p.header.width || y+frame.height > p.header.height {
		return damaged("a frame is outside of the picture")
	}
	if p.area += frame.width * frame.height; p.area > MaxPixels {
		return &Error{Reason: TooLarge, Detail: "the frames have too many pixels"}
	}
	p.frame = &frame
	p.whole = frame.width == p.header.width && frame.height == p.header.height
	return nil
}

func (p *pngReader) endFrame(blank bool) {
	p.frame = nil
	p.frames++
	p.shown = p.shown || !blank
	p.blankWhole = p.blankWhole || blank && p.whole
}

// pngChunks reads chunk after chunk and verifies each one's checksum.
type pngChunks struct {
	in      *bufio.Reader
	crc     hash.Hash32
	kind    string // of the current chunk
	left    int64  // bytes of its data not yet read
	waiting bool   // the current chunk has been begun by Read and is the caller's next
	number  int    // bytes of a frame's sequence number that are still to be read
}

// next begins the next chunk.
func (c *pngChunks) next() error {
	if c.waiting {
		c.waiting = false
		return nil
	}
	var head [8]byte
	if c.number > 0 {
		return damaged("a frame's number is missing")
	}
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
	if c.kind == "fdAT" {
		c.number = 4
	}
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
	c.left, c.number = 0, 0
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

// Read gives the data of consecutive chunks of one kind, of which the first is the
// current one, as one stream: of IDAT, or of fdAT without the frame's numbers.
func (c *pngChunks) Read(p []byte) (int, error) {
	if c.waiting {
		return 0, io.EOF
	}
	for {
		for c.number > 0 && c.left > 0 {
			b, err := c.in.ReadByte()
			if err != nil {
				return 0, orUnexpected(err)
			}
			_, _ = c.crc.Write([]byte{b})
			c.number--
			c.left--
		}
		if c.left > 0 {
			break
		}
		kind := c.kind
		if err := c.end(); err != nil {
			return 0, err
		}
		if err := c.next(); err != nil {
			return 0, err
		}
		if c.kind != kind {
			c.waiting = true
			return 0, io.EOF
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	_, _ = c.crc.Write(p[:n])
	c.left -= int64(n)
	return n, orUnexpected(err)
}

func orUnexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
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

// fits reports whether the picture has at most so many pixels, and sides that the
// memory of a check is made for.
func (h pngHeader) fits(pixels int) bool {
	return h.width <= maxSide && h.height <= maxSide && h.width*h.height <= pixels
}

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
