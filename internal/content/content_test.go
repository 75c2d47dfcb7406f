package content_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/content"
)

func check(t testing.TB, file []byte, format string) (content.Facts, error) {
	t.Helper()
	return content.Check(t.Context(), bytes.NewReader(file), int64(len(file)), format)
}

// reason gives why a file was refused, "" if it was not.
func reason(t testing.TB, err error) content.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var refusal *content.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("error = %v, want a content.Error", err)
	}
	if refusal.Message() == "" || refusal.Error() == "" {
		t.Errorf("a refusal without a text: %#v", refusal)
	}
	return refusal.Reason
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	encoded := func(img image.Image) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	gradient := image.NewNRGBA(image.Rect(0, 0, 300, 200))
	for i := range gradient.Pix {
		gradient.Pix[i] = byte(i * 7)
	}
	two := image.NewPaletted(image.Rect(0, 0, 33, 5), color.Palette{color.White, color.Black})
	for x := 8; x < 20; x++ {
		two.SetColorIndex(x, 2, 1)
	}
	var extra bytes.Buffer
	writeChunk(t, &extra, "abCD", []byte("more"))

	tests := []struct {
		name, format string
		file         []byte
		want         content.Facts
	}{
		{"png of the standard library", content.PNG, encoded(gradient), content.Facts{Width: 300, Height: 200}},
		{"png with a palette", content.PNG, encoded(two), content.Facts{Width: 33, Height: 5}},
		{"png with white space after the end mark", content.PNG, append(chart(8, 8).encode(t), "\r\n\x00"...), content.Facts{Width: 8, Height: 8}},
		{"png with a chunk that decoders may skip", content.PNG, bytes.Replace(chart(8, 8).encode(t), []byte("\x00\x00\x00\x00IEND"), append(extra.Bytes(), "\x00\x00\x00\x00IEND"...), 1), content.Facts{Width: 8, Height: 8}},
		{"pdf", content.PDF, pdfFile(3), content.Facts{Pages: 3}},
		{"pdf with object streams", content.PDF, packedPDF(t, 700, someText), content.Facts{Pages: 700}},
		{"pdf with bytes before its header", content.PDF, append([]byte("\r\n\r\n"), pdfFile(1)...), content.Facts{Pages: 1}},
		{"pdf with bytes after its end mark", content.PDF, append(pdfFile(1), strings.Repeat("\x00", 900)...), content.Facts{Pages: 1}},
		{"pdf with a page across windows", content.PDF, pdfAcrossWindows(), content.Facts{Pages: 400}},
		{"xlsx", content.XLSX, workbook(t, 2, 10), content.Facts{Sheets: 2, Rows: 20, DataRows: 20}},
		{"xlsx with prefixes", content.XLSX, archive(t, "[Content_Types].xml", contentTypes, "xl/workbook.xml", oneSheet, "xl/worksheets/sheet1.xml", threeRows), content.Facts{Sheets: 1, Rows: 3, DataRows: 1}},
		{"xlsx with a chart for a sheet", content.XLSX, archive(t, "[Content_Types].xml", contentTypes, "xl/workbook.xml", twoSheets, "xl/worksheets/sheet1.xml", threeRows, "xl/chartsheets/sheet1.xml", "<chartsheet/>"), content.Facts{Sheets: 2, Rows: 3, DataRows: 1}},
		{"csv", content.CSV, []byte("Region,Sales\r\nWest,\"1,234\"\r\nEast,5\r\n"), content.Facts{Rows: 2, DataRows: 2}},
		{"csv without a last line end", content.CSV, []byte("Region,Sales\nWest,1\nEast,2"), content.Facts{Rows: 2, DataRows: 2}},
		{"csv with a byte order mark", content.CSV, []byte("\uFEFFRégion\nÎle\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv with a header alone", content.CSV, []byte("Region,Sales\n"), content.Facts{}},
		{"csv with line ends in values", content.CSV, []byte("a,b\n\"one\ntwo\",\"say \"\"hi\"\"\n\"\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv with stray quotes", content.CSV, []byte("a,b\n5\" pipe,6\n\"x\"y,7\n"), content.Facts{Rows: 2, DataRows: 2}},
		{"csv with empty lines", content.CSV, []byte("a\n\n1\n\r\n\n2\n"), content.Facts{Rows: 2, DataRows: 2}},
		{"csv with empty values", content.CSV, []byte("a,b\n,\n\"\",\"\"\n,1\n"), content.Facts{Rows: 3, DataRows: 3}},
		{"csv with empty values alone", content.CSV, []byte("a,b\n,\n\"\",\" \"\n"), content.Facts{Rows: 2}},
		{"csv with a blank caption", content.CSV, []byte(",Sales\nWest,1\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv with blank captions alone", content.CSV, []byte(" , \"\" ,\n1,2,3\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv with a blank caption alone", content.CSV, []byte("\"\"\r\n5\r\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv of one column", content.CSV, []byte("Sales\n1\n2\n"), content.Facts{Rows: 2, DataRows: 2}},
		{"csv of one word", content.CSV, []byte("Forbidden"), content.Facts{}},
		{"csv of one word and a line end", content.CSV, []byte("Unauthorized\r\n"), content.Facts{}},
		{"csv with a word in a cell", content.CSV, []byte("Status,Count\nForbidden,1\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv with a row that is a sentence", content.CSV, []byte("Status\nAccess denied\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv with a huge value", content.CSV, []byte("a,b\n1,\"" + strings.Repeat("word, ", 1<<18) + "\"\n"), content.Facts{Rows: 1, DataRows: 1}},
		{"csv with a header that begins as markup", content.CSV, []byte("<5,{\"x\"\n1,2\n"), content.Facts{Rows: 1, DataRows: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := check(t, tt.file, tt.format)
			if err != nil {
				t.Fatalf("Check: %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// pdfAcrossWindows pads a PDF so that its objects stand at every offset to the
// windows in which it is read.
func pdfAcrossWindows() []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n9999 0 obj<<>>stream\n" + someText + "\nendstream endobj\n")
	for i := range 400 {
		fmt.Fprintf(&b, "%d 0 obj<</Type /Page/MediaBox[0 0 9 9]/Contents 9999 0 R>>endobj %s\n", i+1, strings.Repeat("x", 640+i%3))
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 0\ntrailer<<>>\nstartxref\n%d\n%%%%EOF\n", start)
	return b.Bytes()
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	good := chart(64, 64).encode(t)
	cut := func(file []byte, n int) []byte { return file[:len(file)-n] }
	changed := func(file []byte, at int) []byte {
		out := bytes.Clone(file)
		out[at] ^= 0x55
		return out
	}
	blank := chart(40, 30)
	blank.sample = func(_, _, _ int) uint16 { return 255 }
	transparent := chart(40, 30)
	transparent.sample = func(x, _, c int) uint16 {
		if c == 3 {
			return 0
		}
		return uint16(x)
	}
	huge := func(width, height uint32) []byte {
		file := bytes.Clone(good)
		binary.BigEndian.PutUint32(file[16:], width)
		binary.BigEndian.PutUint32(file[20:], height)
		var b bytes.Buffer
		b.Write(file[:8])
		writeChunk(t, &b, "IHDR", file[16:29])
		b.Write(file[33:])
		return b.Bytes()
	}
	chunk := func(kind string, data []byte) []byte {
		var b bytes.Buffer
		writeChunk(t, &b, kind, data)
		return b.Bytes()
	}
	const signature = "\x89PNG\r\n\x1a\n"
	header := good[8:33]
	sheet := []string{"[Content_Types].xml", contentTypes, "xl/workbook.xml", oneSheet, "xl/worksheets/sheet1.xml", threeRows}

	tests := []struct {
		name, format string
		file         []byte
		want         content.Reason
	}{
		{"png: no bytes", content.PNG, nil, content.Empty},
		{"png: blank", content.PNG, blank.encode(t), content.Blank},
		{"png: transparent", content.PNG, transparent.encode(t), content.Blank},
		{"png: a web page after the end mark", content.PNG, append(chart(8, 8).encode(t), "<html></html>"...), content.Damaged},
		{"png: another after the end mark", content.PNG, append(chart(8, 8).encode(t), chart(8, 8).encode(t)...), content.Damaged},
		{"png: signature cut", content.PNG, good[:5], content.Truncated},
		{"png: cut after the header", content.PNG, good[:33], content.Truncated},
		{"png: cut in the pixels", content.PNG, good[:60], content.Truncated},
		{"png: cut before the end mark", content.PNG, cut(good, 12), content.Truncated},
		{"png: cut in the last checksum", content.PNG, cut(good, 1), content.Truncated},
		{"png: header's checksum", content.PNG, changed(good, 30), content.Damaged},
		{"png: a changed pixel", content.PNG, changed(good, 50), content.Damaged},
		{"png: rows missing", content.PNG, huge(64, 65), content.Truncated},
		{"png: rows too many", content.PNG, huge(64, 63), content.Damaged},
		{"png: too many pixels", content.PNG, huge(60_000, 60_000), content.TooLarge},
		{"png: too wide", content.PNG, huge(1<<20, 1), content.TooLarge},
		{"png: width 0", content.PNG, huge(0, 10), content.Damaged},
		{"png: no header", content.PNG, []byte(signature + string(chunk("IEND", nil))), content.Damaged},
		{"png: no pixels", content.PNG, []byte(signature + string(header) + string(chunk("IEND", nil))), content.Damaged},
		{"png: pixels are noise", content.PNG, []byte(signature + string(header) + string(chunk("IDAT", []byte("no zlib stream")))), content.Damaged},
		{"png: pixels in two pieces", content.PNG, bytes.Replace(good, []byte("\x00\x00\x00\x00IEND"), append(chunk("tEXt", nil), chunk("IDAT", nil)...), 1), content.Damaged},
		{"png: a chunk that no decoder knows", content.PNG, []byte(signature + string(header) + string(chunk("ABCD", nil)) + string(good[33:])), content.Damaged},
		{"png: a second header", content.PNG, []byte(signature + string(header) + string(header) + string(good[33:])), content.Damaged},
		{"png: a second palette", content.PNG, []byte(signature + string(header) + string(chunk("PLTE", []byte("abc"))) + string(chunk("PLTE", []byte("abc"))) + string(good[33:])), content.Damaged},
		{"png: a palette after the pixels", content.PNG, bytes.Replace(good, []byte("\x00\x00\x00\x00IEND"), append(chunk("PLTE", []byte("abc")), "\x00\x00\x00\x00IEND"...), 1), content.Damaged},
		{"png: a palette that breaks off", content.PNG, []byte(signature + string(header) + string(chunk("PLTE", []byte("abcd"))) + string(good[33:])), content.Damaged},
		{"png: palette missing", content.PNG, picture{width: 2, height: 1, colour: indexed, depth: 8, sample: func(x, _, _ int) uint16 { return uint16(x) }}.encode(t), content.Damaged},
		{"png: unknown filter", content.PNG, picture{width: 2, height: 1, colour: grey, depth: 8, filter: func(int) byte { return 5 }, sample: func(x, _, _ int) uint16 { return uint16(x) }}.encode(t), content.Damaged},
		{"png: a jpeg", content.PNG, []byte("\xff\xd8\xff\xe0\x00\x10JFIF"), content.NotFormat},
		{"png: an svg", content.PNG, []byte("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), content.NotFormat},
		{"png: a pdf", content.PNG, pdfFile(1), content.NotFormat},

		{"pdf: no bytes", content.PDF, nil, content.Empty},
		{"pdf: a png", content.PDF, good, content.NotFormat},
		{"pdf: header cut", content.PDF, []byte("%PD"), content.Truncated},
		{"pdf: cut in half", content.PDF, pdfFile(40)[:1000], content.Truncated},
		{"pdf: end mark cut", content.PDF, cut(pdfFile(1), 3), content.Truncated},
		{"pdf: a piece from the middle missing", content.PDF, append(pdfFile(40)[:300], pdfFile(40)[900:]...), content.Damaged},
		{"pdf: no pointer", content.PDF, []byte("%PDF-1.4\n%%EOF"), content.Damaged},
		{"pdf: pointer beyond the file", content.PDF, []byte("%PDF-1.4\n/Type/Page startxref\n9999\n%%EOF"), content.Damaged},
		{"pdf: no pages", content.PDF, pdfFile(0), content.Damaged},
		{"pdf: blank", content.PDF, pdfWith(2, "<</Length 5>>", "0 J\n0 g\n"), content.Blank},
		{"pdf: blank, packed", content.PDF, packedPDF(t, 2, "q 1 1 1 rg 0 0 595 842 re f Q"), content.Blank},
		{"pdf: encrypted", content.PDF, encryptedPDF(false), content.Encrypted},
		{"pdf: encrypted, with a cross-reference stream", content.PDF, encryptedPDF(true), content.Encrypted},
		{"pdf: no pages in its object stream", content.PDF, packedPDF(t, 0, someText), content.Damaged},

		{"xlsx: no bytes", content.XLSX, nil, content.Empty},
		{"xlsx: a csv", content.XLSX, []byte("a,b\n1,2\n"), content.NotFormat},
		{"xlsx: an old Excel file", content.XLSX, []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), content.NotFormat},
		{"xlsx: blank", content.XLSX, workbook(t, 2, 0), content.Blank},
		{"xlsx: rows without values", content.XLSX, archive(t, append(sheet[:5:5], `<worksheet><row r="1"><c r="A1" s="1"/></row></worksheet>`)...), content.Blank},
		{"xlsx: cut", content.XLSX, cut(workbook(t, 1, 5), 100), content.Truncated},
		{"xlsx: a changed entry", content.XLSX, changed(workbook(t, 1, 50), 300), content.Damaged},
		{"xlsx: some zip", content.XLSX, archive(t, "a.txt", "a"), content.NotFormat},
		{"xlsx: no content types", content.XLSX, archive(t, sheet[2:]...), content.NotFormat},
		{"xlsx: no workbook", content.XLSX, archive(t, sheet[0], sheet[1], sheet[4], sheet[5]), content.NotFormat},
		{"xlsx: no worksheet", content.XLSX, archive(t, sheet[:4]...), content.NotFormat},
		{"xlsx: no sheet listed", content.XLSX, archive(t, sheet[0], sheet[1], sheet[2], "<workbook><sheets></sheets></workbook>", sheet[4], sheet[5]), content.NotFormat},
		{"xlsx: workbook no xml", content.XLSX, archive(t, sheet[0], sheet[1], sheet[2], "not xml", sheet[4], sheet[5]), content.Damaged},
		{"xlsx: workbook nested deep", content.XLSX, archive(t, sheet[0], sheet[1], sheet[2], "<workbook>"+strings.Repeat("<a>", 1000), sheet[4], sheet[5]), content.Damaged},
		{"xlsx: a sheet missing", content.XLSX, archive(t, sheet[0], sheet[1], sheet[2], twoSheets, sheet[4], sheet[5]), content.Damaged},
		{"xlsx: a sheet that breaks off", content.XLSX, archive(t, append(sheet[:5:5], strings.TrimSuffix(threeRows, "</x:worksheet>"))...), content.Damaged},
		{"xlsx: a sheet of no bytes", content.XLSX, archive(t, append(sheet, "xl/worksheets/sheet2.xml", "")...), content.Damaged},
		{"xlsx: a document type", content.XLSX, archive(t, sheet[0], sheet[1], sheet[2], `<!DOCTYPE workbook [<!ENTITY a "b">]>`+oneSheet[len(`<?xml version="1.0"?>`):], sheet[4], sheet[5]), content.Damaged},
		{"xlsx: a bomb", content.XLSX, archive(t, append(sheet, "xl/bomb.xml", strings.Repeat("0", 17<<20))...), content.TooLarge},
		{"xlsx: entries without end", content.XLSX, archive(t, manyEntries(12_000)...), content.TooLarge},
		{"xlsx: a directory without end", content.XLSX, archive(t, manyEntries(24_000)...), content.TooLarge},

		{"csv: no bytes", content.CSV, nil, content.Empty},
		{"csv: line ends alone", content.CSV, []byte("\r\n\r\n"), content.Empty},
		{"csv: a blank header", content.CSV, []byte(" , \"\" ,\n"), content.Empty},
		{"csv: a blank header and blank rows", content.CSV, []byte(",\n,\n\"\", \n"), content.Empty},
		{"csv: Latin-1", content.CSV, []byte("Stra\xDFe\n1\n"), content.NotFormat},
		{"csv: UTF-16", content.CSV, []byte("\xFF\xFEa\x00,\x00b\x00"), content.NotFormat},
		{"csv: cut in a rune", content.CSV, []byte("a\n\xE2\x82"), content.Truncated},
		{"csv: cut in a rune, and not UTF-8", content.CSV, []byte("a\n\xE2\x82\xE2"), content.NotFormat},
		{"csv: zero bytes", content.CSV, []byte("a\x00b\n"), content.NotFormat},
		{"csv: a png", content.CSV, good, content.NotFormat},
		{"csv: cut in a quoted value", content.CSV, []byte("a,b\n1,\"no end\n2,3"), content.Truncated},
		{"csv: cut in a row", content.CSV, []byte("a,b,c\n1,2,3\n4,5"), content.Truncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := check(t, tt.file, tt.format)
			if got := reason(t, err); got != tt.want {
				t.Errorf("reason = %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

func manyEntries(n int) []string {
	var entries []string
	for i := range n {
		entries = append(entries, fmt.Sprint(i), "")
	}
	return entries
}

func TestCheckReportsReadErrors(t *testing.T) {
	t.Parallel()
	failure := errors.New("the disk is gone")
	for _, format := range formats() {
		_, err := content.Check(t.Context(), failingReader{failure}, 1000, format)
		var refusal *content.Error
		if !errors.Is(err, failure) || errors.As(err, &refusal) {
			t.Errorf("%s: error = %v, want the reader's and no refusal", format, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := content.Check(ctx, strings.NewReader("a\n1\n"), 4, content.CSV); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error = %v, want context.Canceled", err)
	}
	if _, err := check(t, []byte("x"), "docx"); err == nil {
		t.Error("an unknown format gave no error")
	}
}

type failingReader struct{ err error }

func (f failingReader) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// A file that claims to be longer than it is has been cut.
func TestCheckOfAShorterFile(t *testing.T) {
	t.Parallel()
	file := chart(9, 9).encode(t)
	_, err := content.Check(t.Context(), bytes.NewReader(file[:len(file)-20]), int64(len(file)), content.PNG)
	if got := reason(t, err); got != content.Truncated {
		t.Errorf("reason = %q, want truncated", got)
	}
}
