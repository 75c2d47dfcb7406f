package content

import (
	"bufio"
	"bytes"
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
func checkPNG(s *source) (Facts, error) { return readPNG(s.all(), true) }

// readPNG reads chunk after chunk, and decodes the pixels where it is asked to.
func readPNG(r io.Reader, pixels bool) (Facts, error) {
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
			switch {
			case !pixels:
				err = chunks.skip()
			case seenPixels:
				err = damaged("the pixels are not in one piece")
			default:
				facts.Blank, err = header.readPixels(chunks, palette)
			}
			seenPixels = true
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
