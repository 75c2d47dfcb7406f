package content_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/content"
)

const (
	titleSlide   = `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:sp><a:t>Superstore</a:t></p:sp></p:cSld></p:sld>`
	pictureSlide = `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:pic><p:blipFill><a:blip r:embed="rId2"/></p:blipFill></p:pic></p:cSld></p:sld>`
	emptySlide   = `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:sp><p:txBody><a:p/></p:txBody></p:sp></p:cSld></p:sld>`
	tableSlide   = `<p:sld xmlns:p="p" xmlns:a="a"><p:graphicFrame/></p:sld>`
	twoSlides    = `<p:presentation xmlns:p="p"><p:sldMasterIdLst><p:sldMasterId/></p:sldMasterIdLst><p:sldIdLst><p:sldId id="256"/><p:sldId id="257"/></p:sldIdLst><p:sldSz cx="1"/></p:presentation>`
	noSlides     = `<p:presentation xmlns:p="p"><p:sldMasterIdLst/><p:sldSz cx="1"/></p:presentation>`
)

// deck is a presentation of two slides, and what else it has.
func deck(t testing.TB, first, second string, more ...string) []byte {
	t.Helper()
	return archive(t, append([]string{"[Content_Types].xml", contentTypes, "ppt/presentation.xml", twoSlides,
		"ppt/slides/slide1.xml", first, "ppt/slides/slide2.xml", second, "ppt/slides/_rels/slide1.xml.rels", "<Relationships/>"}, more...)...)
}

func TestCheckPPTX(t *testing.T) {
	t.Parallel()
	full := string(chart(8, 8).encode(t))
	white := chart(40, 30)
	white.sample = func(_, _, _ int) uint16 { return 255 }
	blank := string(white.encode(t))
	two := content.Facts{Slides: 2}
	tests := []struct {
		name  string
		file  []byte
		want  content.Reason
		facts content.Facts
	}{
		{"a title and a picture", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", full), "", two},
		{"a picture of another kind", deck(t, titleSlide, pictureSlide, "ppt/media/image1.jpeg", "x"), "", two},
		{"a picture of another kind under a wrong name", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", "\xFF\xD8\xFF\xE0"), "", two},
		{"a picture elsewhere", deck(t, titleSlide, pictureSlide, "media/image1.png", full), "", two},
		{"a blank picture and another", deck(t, pictureSlide, pictureSlide, "ppt/media/image1.png", blank, "ppt/media/image2.PNG", full), "", two},
		{"a table", deck(t, titleSlide, tableSlide), "", two},

		{"text alone", deck(t, titleSlide, titleSlide), "", two},
		{"a picture that is not placed", deck(t, titleSlide, titleSlide, "ppt/media/image1.png", full), "", two},
		{"links to a page and a mailbox", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", full, "ppt/slides/_rels/slide2.xml.rels", relations("hyperlink", `Target="https://example.com/#/views" TargetMode="External"`, "image", `Target="../media/image1.png"`, "hyperlink", `Target="mailto:a@example.com" TargetMode="External"`, "hyperlink", `Target="#2"`)), "", two},
		{"pictures by their relations", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", blank, "ppt/media/Image2.png", full, "ppt/slides/_rels/slide2.xml.rels", relations("slideLayout", `Target="../slideLayouts/slideLayout1.xml"`, "image", `Target="../media/image2.png"`)), "", two},
		{"pictures by their relations from the root", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", full, "ppt/slides/_rels/slide2.xml.rels", relations("image", "", "image", `Target="/ppt/media/image1.png"`)), "", two},

		{"one blank picture of two", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", full, "ppt/media/image2.png", blank, "ppt/slides/_rels/slide2.xml.rels", relations("image", "", "image", `Target="../media/image2.png"`)), content.Blank, content.Facts{Slides: 2, Blank: true}},
		{"a blank picture under a text", deck(t, titleSlide, strings.Replace(pictureSlide, "<p:pic>", "<p:sp><a:t>Sales</a:t></p:sp><p:pic>", 1), "ppt/media/image1.png", blank), content.Blank, content.Facts{Slides: 2, Blank: true}},
		{"a slide of nothing", deck(t, titleSlide, emptySlide), content.Blank, content.Facts{Slides: 2, Blank: true}},
		{"a slide of spaces", deck(t, titleSlide, strings.Replace(titleSlide, "Superstore", " &#160; ", 1)), content.Blank, content.Facts{Slides: 2, Blank: true}},
		{"a slide of its number", deck(t, titleSlide, strings.Replace(titleSlide, "<a:t>Superstore</a:t>", `<a:fld type="slidenum"><a:t>2</a:t></a:fld>`, 1)), content.Blank, content.Facts{Slides: 2, Blank: true}},
		{"blank pictures alone", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", blank, "ppt/media/image2.png", blank), content.Blank, content.Facts{Slides: 2, Blank: true}},
		{"a blank picture and a printer's settings", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", blank, "ppt/printerSettings/printerSettings1.bin", "x"), content.Blank, content.Facts{Slides: 2, Blank: true}},
		{"no slides", archive(t, "[Content_Types].xml", contentTypes, "ppt/presentation.xml", noSlides), content.Blank, content.Facts{Blank: true}},

		{"no bytes", nil, content.Empty, content.Facts{}},
		{"a workbook", workbook(t, 1, 3), content.NotFormat, content.Facts{}},
		{"no content types", archive(t, "ppt/presentation.xml", noSlides), content.NotFormat, content.Facts{}},
		{"another main part", archive(t, "[Content_Types].xml", contentTypes, "ppt/presentation.xml", oneSheet), content.NotFormat, content.Facts{}},
		{"a main part cut", archive(t, "[Content_Types].xml", contentTypes, "ppt/presentation.xml", twoSlides[:120]), content.Damaged, content.Facts{}},
		{"a slide missing", archive(t, "[Content_Types].xml", contentTypes, "ppt/presentation.xml", twoSlides, "ppt/slides/slide1.xml", pictureSlide), content.Damaged, content.Facts{Slides: 2}},
		{"a slide that breaks off", deck(t, titleSlide, strings.TrimSuffix(pictureSlide, "</p:sld>"), "ppt/media/image1.png", full), content.Damaged, two},
		{"no picture", deck(t, titleSlide, pictureSlide, "docProps/thumbnail.jpeg", "x"), content.Damaged, two},
		{"a picture that its relation does not find", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", full, "ppt/slides/_rels/slide2.xml.rels", relations("image", "", "image", `Target="../media/image7.png"`)), content.Damaged, two},
		{"a slide that is no XML", deck(t, titleSlide, strings.Replace(pictureSlide, "<p:pic>", "<p:pic <>", 1), "ppt/media/image1.png", full), content.Damaged, two},
		{"a picture that breaks off", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", full[:60]), content.Damaged, two},
		{"a picture that breaks off after another", deck(t, pictureSlide, pictureSlide, "ppt/media/image1.png", full, "ppt/media/image2.png", full[:60]), content.Damaged, two},
		{"a picture of no bytes", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", ""), content.Damaged, two},
		{"a web page for a picture", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", "<html><body>Sign in</body></html>"), content.Damaged, two},
		{"a bomb", deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", full, "ppt/bomb.xml", strings.Repeat("0", 17<<20)), content.TooLarge, two},
		{"an old PowerPoint file", []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), content.NotFormat, content.Facts{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			facts, err := check(t, tt.file, content.PPTX)
			if got := reason(t, err); got != tt.want {
				t.Errorf("reason = %q (%v), want %q", got, err, tt.want)
			}
			if diff := cmp.Diff(tt.facts, facts); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// Archives that lie are refused, as a workbook and as a presentation.
func TestCheckRefusesTrickyArchives(t *testing.T) {
	t.Parallel()
	good := map[string][]string{
		content.XLSX: {"[Content_Types].xml", contentTypes, "xl/workbook.xml", oneSheet, "xl/worksheets/sheet1.xml", threeRows},
		content.PPTX: {"[Content_Types].xml", contentTypes, "ppt/presentation.xml", twoSlides, "ppt/slides/slide1.xml", titleSlide,
			"ppt/slides/slide2.xml", pictureSlide, "ppt/media/image1.jpeg", "x"},
	}
	for format, parts := range good {
		file := archive(t, parts...)
		if _, err := check(t, file, format); err != nil {
			t.Fatalf("the good %s: %v", format, err)
		}
		with := func(name string) []byte { return archive(t, append(parts[:len(parts):len(parts)], name, "x")...) }
		// directory changes a field of the first entry in the directory.
		directory := func(change func(entry []byte)) []byte {
			out := bytes.Clone(file)
			change(out[bytes.Index(out, []byte("PK\x01\x02")):])
			return out
		}
		put := func(at int, value uint32) func([]byte) {
			return func(entry []byte) { binary.LittleEndian.PutUint32(entry[at:], value) }
		}
		tests := map[string]struct {
			file []byte
			want content.Reason
		}{
			"a name that leads up":          {with("../x"), content.Damaged},
			"a name that leads up within":   {with("xl/../../x"), content.Damaged},
			"a name from the root":          {with("/etc/passwd"), content.Damaged},
			"a name of another system":      {with(`..\x`), content.Damaged},
			"a name of a drive":             {with("C:x"), content.Damaged},
			"a name with an empty step":     {with("xl//x"), content.Damaged},
			"a name with a zero byte":       {with("x\x00.xml"), content.Damaged},
			"a name twice":                  {with("[Content_Types].xml"), content.Damaged},
			"a name twice in another case":  {with("[content_types].XML"), content.Damaged},
			"a length that is too small":    {directory(put(24, 5)), content.Damaged},
			"a length that is too large":    {directory(put(24, 1<<20)), content.Damaged},
			"a packed length of gigabytes":  {directory(put(20, 1<<31)), content.Damaged},
			"an entry outside of the file":  {directory(put(42, 1<<30)), content.Damaged},
			"another checksum":              {directory(put(16, 1)), content.Damaged},
			"an entry that is encrypted":    {directory(func(entry []byte) { entry[8] |= 1 }), content.Encrypted},
			"an entry that is encrypted so": {directory(func(entry []byte) { entry[10] = 99 }), content.Encrypted},
			"an unknown compression":        {directory(func(entry []byte) { entry[10] = 98 }), content.Damaged},
			"an entry that unpacks forever": {archive(t, append(parts[:len(parts):len(parts)], "x", strings.Repeat("\x00", 20<<20))...), content.TooLarge},
			"too many entries":              {archive(t, manyEntries(12_000)...), content.TooLarge},
			"entries that share their data": {overlapping(t, parts, 400), content.Damaged},
		}
		for name, tt := range tests {
			if _, err := check(t, tt.file, format); reason(t, err) != tt.want {
				t.Errorf("%s, %s: %v, want %s", format, name, err, tt.want)
			}
		}
	}
}

// overlapping is an archive with many entries in its directory that all stand for
// the same packed megabyte of zeros.
func overlapping(t testing.TB, parts []string, entries int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	add := func(name, text string) {
		entry, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		must(t)(entry.Write([]byte(text)))
	}
	for i := 0; i < len(parts); i += 2 {
		add(parts[i], parts[i+1])
	}
	add("bomb0000", strings.Repeat("\x00", 1<<20))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	end := bytes.LastIndex(file, []byte("PK\x05\x06"))
	entry := bytes.LastIndex(file[:end], []byte("PK\x01\x02"))
	out := bytes.Clone(file[:end])
	for i := range entries {
		again := bytes.Clone(file[entry:end])
		copy(again[46:], "bomb"+string([]byte{'1' + byte(i/1000), '0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)}))
		out = append(out, again...)
	}
	tail := bytes.Clone(file[end:])
	count := binary.LittleEndian.Uint16(tail[10:]) + uint16(entries)
	binary.LittleEndian.PutUint16(tail[8:], count)
	binary.LittleEndian.PutUint16(tail[10:], count)
	binary.LittleEndian.PutUint32(tail[12:], binary.LittleEndian.Uint32(tail[12:])+uint32(entries*(end-entry)))
	return append(out, tail...)
}
