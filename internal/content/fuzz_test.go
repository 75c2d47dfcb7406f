package content_test

import (
	"bytes"
	"image/png"
	"runtime"
	"testing"

	"github.com/vizpost/vizpost/internal/content"
)

// endMarks are what every file that is whole has; a CSV has none.
var endMarks = map[string]string{content.PNG: "IEND\xAE\x42\x60\x82", content.SVG: ">", content.PDF: "%%EOF",
	content.XLSX: "PK\x05\x06", content.PPTX: "PK\x05\x06"}

// FuzzCheck tries files and pieces of them as every format. Whatever comes, a
// check ends within its memory; what it accepts is no error body, is accepted
// alike while it arrives, and is refused once it is cut before its end mark.
func FuzzCheck(f *testing.F) {
	var files [][]byte
	for _, whole := range wholes(f) {
		for _, file := range whole {
			if len(file) < 20_000 {
				files = append(files, file)
			}
		}
	}
	files = append(files,
		svgFile(`<g style="mask:url('#a')" transform="translate(1)"><image href="data:image/png;base64,iVBORw0KGgo="/><a href="mailto:a"/></g>`),
		[]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><style>@import "a";</style><text>&#65;</text></svg>`),
		archive(f, "[Content_Types].xml", types("a"), "xl/workbook.xml", oneSheet, "xl/worksheets/sheet1.xml", threeRows, "a/b.rels", relations("hyperlink", `Target="https://a" TargetMode="External"`)),
		deck(f, titleSlide, pictureSlide, "ppt/media/image1.png", string(chart(8, 8).encode(f)), "ppt/slides/_rels/slide2.xml.rels", relations("image", "", "image", `Target="../media/image1.png"`)),
		compoundFile(1, "EncryptedPackage"), []byte("a,b\r\n1,\"big\r\n"), []byte("a,b\n1,2\n<html>\n"))
	files = append(files, archive(f, "a", "b"), []byte("a,b\n1,\"2\"\n"), []byte("\uFEFFa,b\r\n\"1\n\",2"))
	for _, bodies := range errorBodies() {
		for _, body := range bodies {
			files = append(files, []byte(body))
		}
	}
	for _, file := range files {
		for i := range formats() {
			f.Add(file, uint8(i), uint16(len(file)*2/3))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, n uint8, cut uint16) {
		format := formats()[int(n)%len(formats())]
		facts, err := measured(t, file, format)
		if reason(t, err) == content.Blank != facts.Blank {
			t.Errorf("facts = %+v with error %v", facts, err)
		}
		if err != nil {
			return
		}
		if got, found := content.SniffError(file); found {
			t.Errorf("what is accepted begins as an error body: %s", got)
		}
		mustHave(t, format, facts)
		if again, err := receive(t, file, 1+len(file)/3, format); err != nil || again != facts {
			t.Errorf("accepted, but not while it arrives: %+v, %v; want %+v", again, err, facts)
		}
		readsElsewhere(t, file, format)

		mark, whole := endMarks[format]
		short := file[:int(cut)%(len(file)+1)]
		if _, err := check(t, short, format); err == nil && whole && !bytes.Contains(short, []byte(mark)) {
			t.Errorf("cut to %d of %d bytes, it is accepted", len(short), len(file))
		}
		if end := bytes.LastIndex(file, []byte(mark)); whole && format != content.PDF {
			if end < 0 {
				t.Fatalf("accepted without an end mark")
			}
			if _, err := check(t, file[:end], format); err == nil && !bytes.Contains(file[:end], []byte(mark)) {
				t.Errorf("cut before its end mark, it is accepted")
			}
		}
	})
}

// measured checks a file and holds the check to its memory.
func measured(t *testing.T, file []byte, format string) (content.Facts, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	facts, err := check(t, file, format)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<20 {
		t.Errorf("the check of %d bytes allocates %d KB", len(file), allocated>>10)
	}
	return facts, err
}

func mustHave(t *testing.T, format string, facts content.Facts) {
	t.Helper()
	switch {
	case format == content.PNG && (facts.Width < 1 || facts.Height < 1):
		t.Errorf("a picture without pixels is accepted: %+v", facts)
	case format == content.PDF && facts.Pages < 1:
		t.Errorf("a PDF without pages is accepted: %+v", facts)
	case format == content.XLSX && facts.Sheets < 1:
		t.Errorf("a workbook without sheets is accepted: %+v", facts)
	case format == content.PPTX && facts.Slides < 1:
		t.Errorf("a presentation without slides is accepted: %+v", facts)
	case facts.Rows < 0:
		t.Errorf("facts = %+v", facts)
	}
}

// readsElsewhere asks the standard library whether it can read what was accepted.
func readsElsewhere(t *testing.T, file []byte, format string) {
	t.Helper()
	if format == content.PNG {
		if _, err := png.DecodeConfig(bytes.NewReader(file)); err != nil {
			t.Errorf("another decoder refuses it: %v", err)
		}
	}
}
