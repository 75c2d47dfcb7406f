package content_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/content"
)

// What the stand-in exports is accepted, and what it exports without content is
// not.
func TestCheckOfTheStandIn(t *testing.T) {
	t.Parallel()
	for _, format := range formats() {
		if facts, err := check(t, standIn(t).full[format], format); err != nil {
			t.Errorf("%s: %v (%+v)", format, err, facts)
		}
		want := content.Blank
		if format == content.CSV {
			want = content.Empty
		}
		if _, err := check(t, standIn(t).blank[format], format); reason(t, err) != want {
			t.Errorf("%s without content: %v, want %s", format, err, want)
		}
		for _, other := range formats() {
			if _, err := check(t, standIn(t).full[format], other); other != format && reason(t, err) == "" {
				t.Errorf("a %s is accepted as %s", format, other)
			}
		}
	}
}

// wholes are files of every format whose end shows, without what may follow it.
func wholes(t testing.TB) map[string][][]byte {
	t.Helper()
	all := map[string][][]byte{
		content.PNG:  {chart(20, 20).encode(t), interlaced(t)},
		content.SVG:  {svgFile(svgText), []byte(`<svg xmlns="http://www.w3.org/2000/svg"><!-- é --><path style='a' d="M1 1h9v9z"/><![CDATA[x]]></svg>`)},
		content.PDF:  {pdfFile(2), packedPDF(t, 2, someText)},
		content.XLSX: {workbook(t, 1, 3)},
		content.PPTX: {deck(t, titleSlide, pictureSlide, "ppt/media/image1.png", string(chart(8, 8).encode(t)))},
	}
	for format, files := range all {
		all[format] = append(files, standIn(t).full[format])
		for i, file := range all[format] {
			all[format][i] = bytes.TrimRight(file, "\r\n")
			if format == content.XLSX || format == content.PPTX {
				all[format][i] = file // which may end so
			}
		}
	}
	return all
}

func interlaced(t testing.TB) []byte {
	t.Helper()
	return picture{width: 9, height: 9, colour: indexed, depth: 2, interlaced: true, palette: []byte{1, 2, 3, 4, 5, 6},
		sample: func(x, _, _ int) uint16 { return uint16(x % 2) }}.encode(t)
}

// Whatever is cut off a file's end, it is refused: small files at every byte,
// large ones near both ends and at places all over.
func TestCheckRefusesEveryCut(t *testing.T) {
	t.Parallel()
	for format, files := range wholes(t) {
		for i, file := range files {
			t.Run(format, func(t *testing.T) {
				t.Parallel()
				if _, err := check(t, file, format); err != nil {
					t.Fatalf("%s %d uncut: %v", format, i, err)
				}
				step := 1 + len(file)/150
				for n := 0; n < len(file); n++ {
					if n > 800 && n < len(file)-800 && n%step != 0 {
						continue
					}
					if facts, err := check(t, file[:n], format); err == nil {
						t.Errorf("%s %d of %d bytes cut to %d: no error, %+v", format, i, len(file), n, facts)
					}
				}
			})
		}
	}
}

// A part that is missing from a file's middle is noticed too, where the format
// says where its parts are or sums them up.
func TestCheckRefusesHoles(t *testing.T) {
	t.Parallel()
	all := wholes(t)
	rapid.Check(t, func(rt *rapid.T) {
		format := rapid.SampledFrom([]string{content.PNG, content.XLSX, content.PPTX}).Draw(rt, "format")
		file := rapid.SampledFrom(all[format]).Draw(rt, "file")
		from := rapid.IntRange(0, len(file)-2).Draw(rt, "from")
		to := rapid.IntRange(from+1, len(file)-1).Draw(rt, "to")
		if _, err := check(t, append(bytes.Clone(file[:from]), file[to:]...), format); err == nil {
			rt.Errorf("%s of %d bytes without those from %d to %d: no error", format, len(file), from, to)
		}
	})
}

// A CSV has no end mark. It is refused where a cut shows, and otherwise all that
// is lost is at its end.
func TestCutCSV(t *testing.T) {
	t.Parallel()
	const file = "Region,Note,Sales\r\nWest,\"a, \"\"b\"\"\",10\r\nEast,\"é\nc\",20\r\n"
	want := map[int]bool{} // accepted
	for n := range len(file) {
		switch {
		case n > 0 && n < len("Region,Note,Sales\r\n"): // a header of fewer columns
			want[n] = true
		case file[n-min(n, 1)] == '\n' && bytes.Count([]byte(file[:n]), []byte(`"`))%2 == 0:
			want[n] = true
		}
	}
	// In the last column.
	for _, line := range []string{"\",10\r\n", "\",20\r\n"} {
		at := bytes.Index([]byte(file), []byte(line)) + 2
		for n := at; n < at+len(line)-2; n++ {
			want[n] = true
		}
	}
	for n := range len(file) {
		_, err := check(t, []byte(file[:n]), content.CSV)
		if got := err == nil; got != want[n] {
			t.Errorf("%q: %v, want accepted %t", file[:n], err, want[n])
		}
	}
}

// A PDF that was changed after it was made has its changes at the end: without
// them it is not whole.
func TestCutUpdateOfPDF(t *testing.T) {
	t.Parallel()
	old := pdfFile(1)
	whole := append(bytes.Clone(old), "9 0 obj\n<</Type/Annot>>\nendobj\n"...)
	start := len(whole)
	whole = append(whole, "xref\n9 1\n0000000001 00000 n \ntrailer\n<</Size 10>>\nstartxref\n"...)
	whole = append(whole, strconv.Itoa(start)+"\n%%EOF"...)
	if _, err := check(t, whole, content.PDF); err != nil {
		t.Fatalf("the whole: %v", err)
	}
	for n := len(old) + len("9 0 obj"); n < len(whole); n++ {
		if _, err := check(t, whole[:n], content.PDF); reason(t, err) != content.Truncated {
			t.Errorf("cut to %d of %d: %v, want truncated", n, len(whole), err)
		}
	}
}

// A large CSV is counted and found cut like a small one.
func TestLargeCSV(t *testing.T) {
	t.Parallel()
	const header, row = "Region,Note,Sales\r\n", "West,\"a, \"\"b\"\"\",10\r\n"
	rows := 9 << 20 / len(row)
	file := header + strings.Repeat(row, rows)
	tests := []struct {
		name, tail string
		want       content.Reason
		rows       int
	}{
		{"whole", "", "", rows},
		{"a last line without a line end", "East,,1", "", rows + 1},
		{"a last line that breaks off", "East,", content.Truncated, rows},
		{"a value that breaks off", "East,\"b", content.Truncated, rows},
		{"a value that breaks off in its second line", "East,\"b\nc", content.Truncated, rows},
		{"a last value of two lines", "East,\"b\nc\",1\r\n", "", rows + 1},
		{"a stray quote", "East,5\" pipe,1\r\nEast,b,2\r\n", "", rows + 2},
		{"a zero byte", "East,\x00,1\r\n", content.NotFormat, 0},
	}
	for _, tt := range tests {
		for name, judge := range map[string]func() (content.Facts, error){
			"whole":    func() (content.Facts, error) { return check(t, []byte(file+tt.tail), content.CSV) },
			"arriving": func() (content.Facts, error) { return receive(t, []byte(file+tt.tail), 100_000, content.CSV) },
		} {
			facts, err := judge()
			// A value of two lines that is not the last one's counts twice.
			if reason(t, err) != tt.want || facts.Rows < tt.rows || facts.Rows > tt.rows+1 {
				t.Errorf("%s, %s: %d rows, %v; want %d, %q", tt.name, name, facts.Rows, err, tt.rows, tt.want)
			}
		}
	}
}

// A quote that no value is in is told from a file that was cut within quotes.
func TestStrayQuotes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file string
		want content.Reason
		rows int
	}{
		"in the last row":                     {"a,b\n1,\"big\n", "", 1},
		"in a row of many":                    {"a,b\r\n0,x\r\n1,\"big\r\n2,y\r\n3,w\r\n", "", 4},
		"in the first column":                 {"a,b\n\"big,1\nsmall,2\n", "", 2},
		"in one column of three":              {"a,b,c\n1,\"big,3\n", "", 1},
		"in several rows":                     {"a,b\n1,\"big\n2,\"small\n3,\"so\n", "", 3},
		"within a value":                      {"a,b\n1,5\" pipe\n", "", 1},
		"in a large file":                     {"a,b\n" + strings.Repeat("1,word\n", 400_000) + "2,\"big\n3,small\n", "", 400_002},
		"a cut without a line end":            {"a,b\n1,\"big", content.Truncated, 0},
		"a cut behind rows":                   {"a,b\n1,\"big\n2,small\n3,x", content.Truncated, 0},
		"a cut in a value of lines":           {"a,b\r\n1,\"one\n", content.Truncated, 0},
		"a cut in a value of other lines":     {"a,b\n1,\"one\ntwo\n", content.Truncated, 0},
		"a cut in a value with commas":        {"a,b\n1,\"one, two\n", content.Truncated, 0},
		"a cut in a value of a single column": {"a\n\"one\ntwo\n", content.Truncated, 0},
		"a cut where quotes are doubled":      {"a,b\n\"5\"\" pipe\",1\n2,\"big\n", content.Truncated, 0},
		"a cut in the header":                 {"a,\"b\n", content.Truncated, 0},
	} {
		facts, err := check(t, []byte(tt.file), content.CSV)
		if got := reason(t, err); got != tt.want || got == "" && (facts.Rows != tt.rows || facts.DataRows != tt.rows) {
			t.Errorf("%s: %v, %+v, want %q and %d rows", name, err, facts, tt.want, tt.rows)
		}
		if again, err := receive(t, []byte(tt.file), 1000, content.CSV); reason(t, err) != tt.want || again != facts {
			t.Errorf("%s, in pieces: %v, %+v, want %q", name, err, again, tt.want)
		}
	}
}

// An error body is refused wherever a CSV turns into one, and a value that looks
// like one is not.
func TestErrorsWithinCSV(t *testing.T) {
	t.Parallel()
	const page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"
	rows := strings.Repeat("West,1\n", 300_000)
	tests := map[content.Reason]map[string]string{
		content.HTML: {
			"behind blank lines":             strings.Repeat("\r\n", 400) + page,
			"behind a mark and blank lines":  "\uFEFF" + strings.Repeat(" \n", 400) + page,
			"behind spaces":                  strings.Repeat(" ", 700) + "<html>",
			"behind the header":              "Region,Sales\n" + page,
			"behind rows":                    "Region,Sales\r\nWest,1\r\n" + page,
			"behind rows, in capitals":       "Region,Sales\nWest,1\n<HTML lang=en>\n",
			"behind rows, without an end":    "Region,Sales\nWest,1\n<html",
			"behind rows, with spaces":       "Region,Sales\nWest,1\n \t<html>\n",
			"behind rows, in one line":       "Region,Sales\nWest,1\n<html><body>Sign in</body></html>",
			"behind rows, with commas":       "Region,Sales\nWest,1\n<html><body>Sorry, this, failed</body></html>\n",
			"behind rows, as XML":            "Region,Sales\nWest,1\n<?xml version=\"1.0\"?>\n<Error/>\n",
			"behind a single column":         "Region\nWest\n" + page,
			"behind many rows":               "Region,Sales\n" + rows + page,
			"behind many rows, among others": "Region,Sales\n" + rows + page + rows,
		},
		content.TableauError: {
			"behind blank lines":        strings.Repeat("\n", 700) + tableauJSON,
			"behind blank lines, xml":   strings.Repeat("\n", 700) + "<tsResponse>",
			"behind rows, json":         "Region,Sales\nWest,1\n" + tableauJSON,
			"behind rows, of errors":    "Region,Sales\nWest,1\n{ \"errors\" : [{}]}\n",
			"behind rows, xml":          "Region,Sales\nWest,1\n" + tableauXML,
			"behind rows, bare":         "Region,Sales\nWest,1\n<tsResponse xmlns=\"http://tableau.com/api\">\n<error/>\n",
			"behind many rows":          "Region,Sales\n" + rows + tableauJSON + "\n",
			"behind many rows, as well": "Region,Sales\n" + rows + tableauXML + "\n",
		},
		"": {
			"in a quoted value":          "Note,Sales\n\"" + page + "\",1\n",
			"in a quoted value of many":  "Note,Sales\n" + rows + "\"" + page + "\",1\n",
			"in a value":                 "Note,Sales\n<html>,1\n<html><body>,2\n",
			"in a quoted value of JSON":  "Note,Sales\n\"{\"\"error\"\":1}\",1\n",
			"within a line":              "Note,Sales\nx<html>,1\n",
			"a word in brackets":         "Note,Sales\n<htmlx>,1\n{error},2\n<none>\n",
			"a bracket at the beginning": "Note,Sales\n<5,1\n{,1\n" + rows + "<5,1\n",
			"a message in words":         "Note,Sales\nError 500,1\nAccess denied\n",
		},
	}
	for want, files := range tests {
		for name, file := range files {
			if _, err := check(t, []byte(file), content.CSV); reason(t, err) != want {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
			if _, err := receive(t, []byte(file), 1+len(file)/11, content.CSV); reason(t, err) != want {
				t.Errorf("%s, in pieces: %v, want %q", name, err, want)
			}
		}
	}
}
