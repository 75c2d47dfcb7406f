package verify

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/vizpost/vizpost/internal/tableau"
)

func picture(t testing.TB, level png.CompressionLevel, dot color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	img.Set(3, 4, dot)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: level}).Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// noted is the picture with a chunk that says when it was made.
func noted(t testing.TB, picture []byte, text string) []byte {
	t.Helper()
	const afterHead = 8 + 25
	chunk := append([]byte{0, 0, 0, byte(len(text))}, "tEXt"+text+"\x00\x00\x00\x00"...)
	return slices.Concat(picture[:afterHead], chunk, picture[afterHead:])
}

func TestPixels(t *testing.T) {
	t.Parallel()
	plain := picture(t, png.DefaultCompression, color.Black)
	sum := func(b []byte) [32]byte {
		t.Helper()
		got, err := pixels(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for name, test := range map[string]struct {
		picture []byte
		same    bool
	}{
		"itself":          {plain, true},
		"packed less":     {picture(t, png.BestSpeed, color.Black), true},
		"with its time":   {noted(t, plain, "Made at 09:00"), true},
		"another pixel":   {picture(t, png.DefaultCompression, color.White), false},
		"nearly the same": {picture(t, png.DefaultCompression, color.NRGBA{A: 254}), false},
	} {
		if got := sum(test.picture) == sum(plain); got != test.same {
			t.Errorf("%s: the same is %t, want %t", name, got, test.same)
		}
	}
	for name, broken := range map[string][]byte{
		"nothing": nil, "no picture": []byte("<html>sign in</html>"), "cut short": plain[:len(plain)/2], "without an end": plain[:len(plain)-12],
	} {
		if _, err := pixels(bytes.NewReader(broken)); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func FuzzPixels(f *testing.F) {
	f.Add(picture(f, png.DefaultCompression, color.Black))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = pixels(bytes.NewReader(b)) })
}

func crosstab(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	book := excelize.NewFile()
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		if err == nil {
			err = book.SetSheetRow("Sheet1", cell, &row)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := book.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadSheet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rows   [][]any
		n      int
		values string // of Region
	}{
		"plain":                  {[][]any{{"Region", "Sales"}, {"West", 12.5}, {"East", 3}}, 2, "East, West"},
		"below a title":          {[][]any{{"Sales of the regions"}, {nil, "Region"}, {2026, "West"}}, 1, "West"},
		"a value for many rows":  {[][]any{{"Region", "Category"}, {"West", "A"}, {nil, "B"}, {"East", "A"}}, 3, "East, West"},
		"a header alone":         {[][]any{{"Region", "Sales"}}, 0, ""},
		"without the field":      {[][]any{{"Area", "Sales"}, {"West", 1}}, 0, "-"},
		"with letters of others": {[][]any{{"Region"}, {"Süd <&> \"é\""}}, 1, "Süd <&> \"é\""},
	} {
		b := crosstab(t, test.rows...)
		d, err := readSheet(t.Context(), bytes.NewReader(b), int64(len(b)), []string{"Region"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		values := "-"
		if column := d.Values["Region"]; column != nil {
			values = strings.Join(slices.Sorted(maps.Keys(column.Seen)), ", ")
		}
		if d.Rows != test.n || values != test.values {
			t.Errorf("%s: got %d rows with %q, want %d with %q", name, d.Rows, values, test.n, test.values)
		}
	}
}

func FuzzReadSheet(f *testing.F) {
	f.Add(crosstab(f, []any{"Region"}, []any{"West"}))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = readSheet(context.Background(), bytes.NewReader(b), int64(len(b)), []string{"Region"})
	})
}

// Two digests are of the same data whatever the order of the rows.
func TestDigest(t *testing.T) {
	t.Parallel()
	read := func(text string) digest {
		t.Helper()
		d, err := readDigest(strings.NewReader(text), []string{"Region"})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := read("Region,Sales\r\nWest,\"1,000\"\r\nEast,2\r\n")
	for name, test := range map[string]struct {
		text string
		same bool
	}{
		"in another order": {"Region,Sales\r\nEast,2\r\nWest,\"1,000\"\r\n", true},
		"with a mark":      {"\uFEFFRegion,Sales\nWest,\"1,000\"\nEast,2\n", true},
		"a row more":       {"Region,Sales\nWest,\"1,000\"\nEast,2\nEast,2\n", false},
		"another cut":      {"Region,Sales\nWest1,000\nEast,2\n", false},
		"another header":   {"Area,Sales\nWest,\"1,000\"\nEast,2\n", false},
		"nothing":          {"", false},
	} {
		if got := read(test.text).same(base); got != test.same {
			t.Errorf("%s: the same is %t, want %t", name, got, test.same)
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		field  string
		values []string
		kind   string
		other  string // "" where there is none
	}{
		{"Region", []string{"West", "East"}, "text", "vizpost - no such member"},
		{"Quantity", []string{"1", "2.5"}, "number", "-987654321"},
		{"Quantity", []string{"1", "many"}, "text", "vizpost - no such member"},
		{"Day", []string{"2026-01-31"}, "date", "1601-01-01"},
		{"Day", []string{"2026-01-31 09:00:00"}, "date", "1601-01-01 00:00:00"},
		{"Late", []string{"true"}, "boolean", "false"},
		{"Late", []string{"true", "false"}, "boolean", ""},
		{"Region", []string{""}, "empty", ""},
		{"Parameters.Top N", []string{"5"}, "number", "4"},
		{"Parameters.Scenario", []string{"Best"}, "text", ""},
	} {
		f := tableau.Filter{Field: test.field, Values: test.values}
		other, ok := another(f)
		if got := kind(f); got != test.kind || ok != (test.other != "") || ok && other.Values[0] != test.other {
			t.Errorf("%s %q: got kind %s and another %q (%t), want %s and %q", test.field, test.values, got, other.Values, ok, test.kind, test.other)
		}
	}
}
