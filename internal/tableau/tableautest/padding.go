package tableautest

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"strconv"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/drawing"
	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// blank returns a valid file of the format without content; pictures keep the
// size of the original.
func blank(format string, original []byte) ([]byte, error) {
	var out bytes.Buffer
	switch format {
	case "png":
		config, err := png.DecodeConfig(bytes.NewReader(original))
		if err != nil {
			return nil, fmt.Errorf("reading the picture's size: %w", err)
		}
		img := image.NewPaletted(image.Rect(0, 0, config.Width, config.Height), color.Palette{color.White})
		if err := png.Encode(&out, img); err != nil {
			return nil, fmt.Errorf("encoding the blank picture: %w", err)
		}
	case "svg":
		out.WriteString(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="264.85mm" height="211.93mm"></svg>`)
	case "pdf":
		paper := drawing.Paper{Width: 612, Height: 792}
		if err := drawing.EmptyPDF(&out, paper); err != nil {
			return nil, err
		}
	case "xlsx":
		if err := (sample.Table{}).XLSX(&out); err != nil {
			return nil, err
		}
	case "pptx":
		if err := drawing.PPTX(&out, "", nil); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// pad writes a valid file of about size bytes that shows what the original
// shows, without holding it in memory.
func pad(w io.Writer, format string, original []byte, size int64) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var err error
	switch format {
	case "png":
		err = padPNG(out, original, size)
	case "pdf":
		err = padPDF(out, size)
	case "csv":
		err = padCSV(out, original, size)
	case "svg":
		err = padSVG(out, original, size)
	default:
		err = padZIP(out, original, size)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// noise writes n bytes that hold no line breaks and mean nothing.
func noise(w io.Writer, n int64) error {
	const pattern = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "
	block := bytes.Repeat([]byte(pattern), 512)
	for n > 0 {
		part := block[:min(n, int64(len(block)))]
		if _, err := w.Write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

// padPNG puts private ancillary chunks behind the header, which decoders skip
// (PNG specification, section 14).
func padPNG(w io.Writer, original []byte, size int64) error {
	const (
		header    = 8 + 25 // signature and IHDR
		overhead  = 12     // length, type and checksum of a chunk
		chunkName = "viPt"
		chunkSize = 1 << 20
	)
	if _, err := w.Write(original[:header]); err != nil {
		return err
	}
	for left := size - int64(len(original)); left > overhead; {
		n := min(left-overhead, chunkSize)
		left -= n + overhead
		if err := binary.Write(w, binary.BigEndian, uint32(n)); err != nil {
			return err
		}
		sum := crc32.NewIEEE()
		both := io.MultiWriter(w, sum)
		if _, err := io.WriteString(both, chunkName); err != nil {
			return err
		}
		if err := noise(both, n); err != nil {
			return err
		}
		if err := binary.Write(w, binary.BigEndian, sum.Sum32()); err != nil {
			return err
		}
	}
	_, err := w.Write(original[header:])
	return err
}

// padPDF writes a document of one page with a line of text, and beside it a
// stream object of the size that is wanted.
func padPDF(w io.Writer, size int64) error {
	out := &counting{w: w}
	var offsets []int64
	object := func(body string) {
		offsets = append(offsets, out.n)
		out.print(fmt.Sprintf("%d 0 obj\n%s\nendobj\n", len(offsets), body))
	}
	const text = "BT /F1 24 Tf 72 700 Td (A large export) Tj ET"
	out.print("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>")
	object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(text), text))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")

	const rest = 420 // what comes after the stream, about
	length := max(1, size-out.n-rest)
	offsets = append(offsets, out.n)
	out.print(fmt.Sprintf("%d 0 obj\n<< /Length %d >>\nstream\n", len(offsets), length))
	if out.err == nil {
		out.err = noise(out, length)
	}
	out.print("\nendstream\nendobj\n")

	start := out.n
	out.print(fmt.Sprintf("xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1))
	for _, at := range offsets {
		out.print(fmt.Sprintf("%010d 00000 n \n", at))
	}
	out.print(fmt.Sprintf("trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start))
	return out.err
}

// counting knows how much was written, and keeps the first error.
type counting struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counting) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.err = err
	return n, err
}

func (c *counting) print(s string) { _, _ = io.WriteString(c, s) }

// padCSV repeats the rows of the original.
func padCSV(w io.Writer, original []byte, size int64) error {
	head, rows, _ := bytes.Cut(original, []byte("\r\n"))
	if len(rows) == 0 {
		rows = append(bytes.Repeat([]byte{','}, bytes.Count(head, []byte{','})), "\r\n"...)
	}
	if _, err := w.Write(append(head[:len(head):len(head)], "\r\n"...)); err != nil {
		return err
	}
	for n := int64(len(head)); n < size; n += int64(len(rows)) {
		if _, err := w.Write(rows); err != nil {
			return err
		}
	}
	return nil
}

// padSVG puts a comment before the end of the root element.
func padSVG(w io.Writer, original []byte, size int64) error {
	end := bytes.LastIndex(original, []byte("</svg>"))
	if end < 0 {
		end = len(original)
	}
	parts := []func() error{
		func() error { _, err := w.Write(original[:end]); return err },
		func() error { _, err := io.WriteString(w, "<!-- "); return err },
		func() error { return noise(w, max(0, size-int64(len(original))-9)) },
		func() error { _, err := io.WriteString(w, " -->"); return err },
		func() error { _, err := w.Write(original[end:]); return err },
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// padZIP copies the parts of an Office file and adds one that nothing refers
// to, stored as it is.
func padZIP(w io.Writer, original []byte, size int64) error {
	in, err := zip.NewReader(bytes.NewReader(original), int64(len(original)))
	if err != nil {
		return fmt.Errorf("reading the Office file: %w", err)
	}
	out := zip.NewWriter(w)
	for _, part := range in.File {
		if err := out.Copy(part); err != nil {
			return err
		}
	}
	const partSize = 16 << 20
	for i, left := 1, size-int64(len(original)); left > 0; i++ {
		n := min(left, partSize)
		left -= n
		part, err := out.CreateHeader(&zip.FileHeader{
			Name: "media/filler" + strconv.Itoa(i) + ".xml", Method: zip.Store,
			Modified: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
		})
		if err != nil {
			return err
		}
		const head, tail = "<filler>", "</filler>"
		if _, err := io.WriteString(part, head); err != nil {
			return err
		}
		if err := noise(part, n); err != nil {
			return err
		}
		if _, err := io.WriteString(part, tail); err != nil {
			return err
		}
	}
	return out.Close()
}
