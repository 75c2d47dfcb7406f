package content_test

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// The colour types of a PNG's header.
const (
	grey      = 0
	rgb       = 2
	indexed   = 3
	greyAlpha = 4
	rgbAlpha  = 6
)

// picture is a PNG before it is encoded: in any colour type and bit depth,
// interlaced or not, with any filter on any row.
type picture struct {
	width, height int
	colour        byte
	depth         int
	interlaced    bool
	palette       []byte
	alpha         []byte // of the palette
	filter        func(row int) byte
	// sample gives one sample of a pixel.
	sample func(x, y, channel int) uint16
	// rows gives whole rows in place of samples, with their filter, where there
	// are many.
	rows  func(y int) []byte
	level int // of compression, as of package zlib
}

func (p picture) channels() int {
	return map[byte]int{grey: 1, rgb: 3, indexed: 1, greyAlpha: 2, rgbAlpha: 4}[p.colour]
}

func (p picture) encode(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	p.write(t, &out)
	return out.Bytes()
}

func (p picture) write(t testing.TB, out io.Writer) {
	t.Helper()
	must(t)(io.WriteString(out, "\x89PNG\r\n\x1a\n"))
	header := binary.BigEndian.AppendUint32(nil, uint32(p.width))
	header = binary.BigEndian.AppendUint32(header, uint32(p.height))
	interlace := byte(0)
	if p.interlaced {
		interlace = 1
	}
	writeChunk(t, out, "IHDR", append(header, byte(p.depth), p.colour, 0, 0, interlace))
	if p.palette != nil {
		writeChunk(t, out, "PLTE", p.palette)
	}
	if p.alpha != nil {
		writeChunk(t, out, "tRNS", p.alpha)
	}
	pixels, err := zlib.NewWriterLevel(&chunkWriter{t: t, out: out}, p.level)
	if err != nil {
		t.Fatalf("making the compressor: %v", err)
	}
	p.writePixels(t, pixels)
	if err := pixels.Close(); err != nil {
		t.Fatalf("compressing the pixels: %v", err)
	}
	writeChunk(t, out, "IEND", nil)
}

func (p picture) writePixels(t testing.TB, out io.Writer) {
	t.Helper()
	if p.rows != nil {
		for y := range p.height {
			must(t)(out.Write(p.rows(y)))
		}
		return
	}
	type grid struct{ x, y, dx, dy int }
	grids := []grid{{0, 0, 1, 1}}
	if p.interlaced {
		grids = []grid{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
	}
	channels := p.channels()
	bits := p.depth * channels
	distance := max(bits/8, 1)
	rowNumber := 0
	for _, g := range grids {
		width := (p.width - g.x + g.dx - 1) / g.dx
		if width <= 0 {
			continue
		}
		above := make([]byte, (width*bits+7)/8)
		for y := g.y; y < p.height; y += g.dy {
			row := make([]byte, len(above))
			for i := range width {
				for c := range channels {
					put(row, (i*channels+c)*p.depth, p.depth, p.sample(g.x+i*g.dx, y, c))
				}
			}
			filter := byte(0)
			if p.filter != nil {
				filter = p.filter(rowNumber)
			}
			must(t)(out.Write([]byte{filter}))
			must(t)(out.Write(filtered(filter, row, above, distance)))
			above = row
			rowNumber++
		}
	}
}

// put writes a sample of some bits into a row.
func put(row []byte, bit, depth int, value uint16) {
	switch depth {
	case 16:
		binary.BigEndian.PutUint16(row[bit/8:], value)
	case 8:
		row[bit/8] = byte(value)
	default:
		row[bit/8] |= byte(value) << (8 - depth - bit%8)
	}
}

func filtered(filter byte, row, above []byte, distance int) []byte {
	at := func(b []byte, i int) int {
		if i < 0 {
			return 0
		}
		return int(b[i])
	}
	if filter == 0 {
		return row
	}
	out := make([]byte, len(row))
	for i := range row {
		a, b, c := at(row, i-distance), at(above, i), at(above, i-distance)
		predicted := 0
		switch filter {
		case 1:
			predicted = a
		case 2:
			predicted = b
		case 3:
			predicted = (a + b) / 2
		case 4:
			candidates := []int{a, b, c}
			predicted = slices.MinFunc(candidates, func(x, y int) int { return max(x-(a+b-c), (a+b-c)-x) - max(y-(a+b-c), (a+b-c)-y) })
		}
		out[i] = row[i] - byte(predicted)
	}
	return out
}

func writeChunk(t testing.TB, out io.Writer, kind string, data []byte) {
	t.Helper()
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	chunk = append(append(chunk, kind...), data...)
	must(t)(out.Write(binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))))
}

// chunkWriter writes each piece that the compressor gives as an IDAT chunk.
type chunkWriter struct {
	t   testing.TB
	out io.Writer
}

func (c *chunkWriter) Write(p []byte) (int, error) {
	writeChunk(c.t, c.out, "IDAT", p)
	return len(p), nil
}

// must takes the results of a write, which never fails here.
func must(t testing.TB) func(int, error) {
	t.Helper()
	return func(_ int, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("writing a test file: %v", err)
		}
	}
}

// chart is a small RGBA picture with a bar on white.
func chart(width, height int) picture {
	return picture{width: width, height: height, colour: rgbAlpha, depth: 8, level: zlib.DefaultCompression,
		sample: func(x, y, c int) uint16 {
			if x >= width/4 && x <= width*3/4 && y >= height/2-1 && y <= height/2+1 && c == 0 {
				return 10
			}
			return 255
		}}
}

// someText is what a page shows.
const someText = "BT /F1 12 Tf (Sales) Tj ET"

// pdfFile is a PDF as a classic writer makes it: plain objects and a
// cross-reference table, and the text on every page.
func pdfFile(pages int) []byte { return pdfWith(pages, "<</Length 9>>", someText) }

// encryptedPDF is a PDF whose painting nobody can read without decrypting it.
func encryptedPDF(stream bool) []byte {
	file := pdfWith(1, "<</Length 9>>", "\x8F\x12\xC3 \x07\xE0", "<</Filter/Standard/V 1/R 2>>")
	if !stream {
		return bytes.Replace(file, []byte("/Root 1 0 R >>"), []byte("/Root 1 0 R\n/Encrypt 5 0 R >>"), 1)
	}
	// What such a stream holds is not looked at, only that it is longer than the
	// end of a file that is.
	whole := bytes.LastIndex(file, []byte("xref\n0"))
	file = append(bytes.Clone(file[:whole]), "6 0 obj\n<</Type/XRef/Root 1 0 R/Encrypt 5 0 R/Size 7/W[1 2 1]/Length 5000>>\nstream\n"...)
	file = append(file, strings.Repeat("\x01", 5000)+"\nendstream\nendobj\n"...)
	return fmt.Appendf(file, "startxref\n%d\n%%%%EOF\n", whole)
}

// pdfWith is a PDF whose pages share one content stream. The first one of more
// objects is what they know as X0.
func pdfWith(pages int, dictionary, painting string, more ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xE2\xE3\xCF\xD3\n")
	var offsets []int
	object := func(text string) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), text)
	}
	kids := make([]string, pages)
	for i := range kids {
		kids[i] = fmt.Sprintf("%d 0 R", i+4)
	}
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object(fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Join(kids, " "), pages))
	object(fmt.Sprintf("%s\nstream\n%s\nendstream", dictionary, painting))
	for range pages {
		object(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 3 0 R/Resources<</XObject<</X0 %d 0 R>>>>>>", pages+4))
	}
	for _, text := range more {
		object(text)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start)
	return b.Bytes()
}

// packedPDF is a PDF of version 1.5: its objects lie in a compressed object
// stream, and the cross-reference section is a stream too.
func packedPDF(t testing.TB, pages int, painting string) []byte {
	t.Helper()
	objects := []string{"<</Type/Catalog/Pages 2 0 R>>", fmt.Sprintf("<</Type/Pages/Count %d/MediaBox[0 0 595 842]>>", pages)}
	for range pages {
		objects = append(objects, "<</Type\r\n/Page /Parent 2 0 R/Contents 9999 0 R>>")
	}
	var head, body strings.Builder
	for i, text := range objects {
		fmt.Fprintf(&head, "%d %d ", i+1, body.Len())
		body.WriteString(text + " ")
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	packed := deflated(t, painting)
	fmt.Fprintf(&b, "9999 0 obj\n<</Length %d/Filter[/FlateDecode]>>stream\r\n%s\r\nendstream\nendobj\n", len(packed), packed)
	packed = deflated(t, head.String()+body.String())
	fmt.Fprintf(&b, "9998 0 obj\n<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>stream\r\n%s\r\nendstream\nendobj\n",
		len(objects), head.Len(), len(packed), packed)
	start := b.Len()
	table := deflated(t, strings.Repeat("\x01\x00\x00\x00", 4))
	fmt.Fprintf(&b, "9997 0 obj\n<</Type/XRef/W[1 2 1]/Size 11/Root 1 0 R/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF", len(table), table, start)
	return b.Bytes()
}

func deflated(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	must(t)(io.WriteString(w, s))
	if err := w.Close(); err != nil {
		t.Fatalf("compressing: %v", err)
	}
	return b.Bytes()
}

// workbook is an Excel file of an unrelated writer.
func workbook(t testing.TB, sheets, rows int) []byte {
	t.Helper()
	file := excelize.NewFile()
	for i := range sheets {
		name := fmt.Sprintf("Sheet%d", i+1)
		if _, err := file.NewSheet(name); err != nil {
			t.Fatalf("adding a sheet: %v", err)
		}
		for row := range rows {
			if err := file.SetSheetRow(name, fmt.Sprintf("A%d", row+1), &[]any{"West", row, 1.5}); err != nil {
				t.Fatalf("adding a row: %v", err)
			}
		}
	}
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		t.Fatalf("writing the workbook: %v", err)
	}
	return b.Bytes()
}

// archive is a zip of entries in a given order: name, text, name, text.
func archive(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for pair := range slices.Chunk(entries, 2) {
		method := zip.Deflate
		if pair[1] == "" {
			method = zip.Store
		}
		entry, err := w.CreateHeader(&zip.FileHeader{Name: pair[0], Method: method})
		if err != nil {
			t.Fatalf("adding an entry: %v", err)
		}
		must(t)(io.WriteString(entry, pair[1]))
	}
	if err := w.Close(); err != nil {
		t.Fatalf("closing the archive: %v", err)
	}
	return b.Bytes()
}

const (
	contentTypes = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`
	oneSheet     = `<?xml version="1.0"?><x:workbook xmlns:x="m"><x:sheets><x:sheet name="a"/></x:sheets></x:workbook>`
	twoSheets    = `<workbook><sheets><sheet name="a"/><sheet name="b"/></sheets></workbook>`
	threeRows    = `<x:worksheet xmlns:x="m"><x:sheetData><x:row r="1"/><x:row r="2"><x:c r="A2"><x:v>1</x:v></x:c></x:row><x:row></x:row><x:rows/></x:sheetData></x:worksheet>`
)
