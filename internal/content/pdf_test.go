package content_test

import (
	"bytes"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/content"
)

// pdfObjects is a PDF of some objects, numbered from 1, the catalog first.
func pdfObjects(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	for i, text := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, text)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 1\n0000000000 65535 f \ntrailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}

// packedObjects is the same with all objects but the streams in an object stream.
func packedObjects(t testing.TB, objects ...string) []byte {
	t.Helper()
	var head, body, rest strings.Builder
	count := 0
	for i, text := range objects {
		if strings.Contains(text, "endstream") {
			fmt.Fprintf(&rest, "%d 0 obj\n%s\nendobj\n", i+1, text)
			continue
		}
		count++
		fmt.Fprintf(&head, "%d %d ", i+1, body.Len())
		body.WriteString(text + "\n")
	}
	file := "%PDF-1.7\n" + rest.String() + fmt.Sprintf("900 0 obj\n%s\nendobj\n",
		stream(fmt.Sprintf("/Type/ObjStm/N %d/First %d/Filter/FlateDecode", count, head.Len()), string(deflated(t, head.String()+body.String()))))
	return fmt.Appendf([]byte(file), "901 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF", stream("/Type/XRef/W[1 2 1]/Size 1/Root 1 0 R", "\x00\x00\x00\x00"), len(file))
}

func stream(dictionary, data string) string {
	return fmt.Sprintf("<<%s/Length %d>>stream\n%s\nendstream", dictionary, len(data), data)
}

// page is the objects of a file of one page, which knows more objects, from
// number 5 on, by its resources.
func page(painting, resources string, more ...string) []string {
	return append([]string{
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<" + resources + ">>>>",
		stream("", painting),
	}, more...)
}

// What runs something, carries other files or is loaded from elsewhere is refused
// wherever it stands and however it is written, also where a blank page is
// allowed.
func TestDangerousPDFs(t *testing.T) {
	t.Parallel()
	const script = "<</S/JavaScript/JS(app.alert\\(1\\))>>"
	tests := []struct {
		name          string
		catalog, page string   // what they have more
		more          []string // objects from number 5 on
		want          content.Reason
	}{
		{"a script when it is opened", "/OpenAction" + script, "", nil, content.Scripted},
		{"a script in an object of its own", "/OpenAction 5 0 R", "", []string{script}, content.Scripted},
		{"a script whose kind is an object", "/OpenAction<</S 5 0 R/N 1>>", "", []string{"/JavaScript"}, content.Scripted},
		{"a script with names in other characters", "/OpenAction<</S/J#61vaScript/J#53(x)>>", "", nil, content.Scripted},
		{"a script by name", "/Names<</JavaScript<</Names[(a)5 0 R]>>>>", "", []string{script}, content.Scripted},
		{"a script by a name that stands elsewhere", "/Names 5 0 R", "", []string{"<</JavaScript 6 0 R/Dests 7 0 R>>", "<</Kids[8 0 R]>>"}, content.Scripted},
		{"a script after another action", "", "/Annots[<</Subtype/Link/A<</S/URI/URI(https://example.com)/Next " + script + ">>>>]", nil, content.Scripted},
		{"a script behind an action of the same key", "/OpenAction<</S/JavaScript/S/GoTo/D[3 0 R/Fit]>>", "", nil, content.Scripted},
		{"a script as a stream", "/OpenAction<</S/JavaScript/JS 5 0 R>>", "", []string{stream("", "app.alert(1)")}, content.Scripted},
		{"a script in data that is not packed", "", "", []string{stream("", "9 0 obj"+script+"endobj")}, content.Scripted},
		{"a script in an object stream without a type", "", "", []string{stream("/N 1/First 4", "9 0 "+script)}, content.Scripted},
		{"an action of a page", "", "/AA<</O 5 0 R>>", []string{"<</S/Named/N/Print>>"}, content.Scripted},
		{"an action of a field", "/AcroForm<</Fields[5 0 R]>>", "", []string{"<</FT/Tx/T(a)/AA<</K 6 0 R>>>>"}, content.Scripted},
		{"an address that is opened with the file", "/OpenAction<</S/URI/URI(https://example.com)>>", "", nil, content.Scripted},
		{"a program", "", "/Annots[<</Subtype/Link/A<</S/Launch/F(cmd.exe)>>>>]", nil, content.Scripted},
		{"a form that is sent", "", "/Annots[5 0 R]", []string{"<</Subtype/Widget/A<</S/SubmitForm/F(https://example.com)>>>>"}, content.Scripted},
		{"a form that is filled", "/OpenAction<</S/ImportData/F(a.fdf)>>", "", nil, content.Scripted},
		{"a form of XML", "/AcroForm<</XFA 5 0 R>>", "", []string{stream("", "<xdp/>")}, content.Scripted},
		{"a file within", "/Names<</EmbeddedFiles<</Names[(a)5 0 R]>>>>", "", []string{"<</Type/Filespec/F(a)/EF<</F 6 0 R>>>>", stream("/Type/EmbeddedFile", "x")}, content.Scripted},
		{"a file within without a type", "/AF[5 0 R]", "", []string{"<</F(a)/EF<</F 6 0 R>>>>", stream("", "x")}, content.Scripted},
		{"a file as a note", "", "/Annots[<</Subtype/FileAttachment/FS 5 0 R>>]", []string{"<</F(a)>>"}, content.Scripted},
		{"a film", "", "/Annots[<</Subtype/RichMedia>>]", nil, content.Scripted},
		{"a sound", "", "/Annots[<</Subtype/Link/A<</S/Sound/Sound 5 0 R>>>>]", []string{stream("/R 8000", "x")}, content.Scripted},
		{"another file to go to", "", "/Annots[<</Subtype/Link/A<</S/GoToR/F(\\\\server\\a.pdf)/D[0/Fit]>>>>]", nil, content.External},
		{"a file within to go to", "", "/Annots[<</Subtype/Link/A<</S/GoToE/T<</R/C>>>>>>]", nil, content.Scripted},
		{"an image from elsewhere", "", "", []string{stream("/Type/XObject/Subtype/Image/Width 1/Height 1/F(https://example.com/a.png)", "")}, content.External},
		{"an image from an address", "", "", []string{"<</FS/URL/F(https://example.com/a.png)>>"}, content.External},
		{"a page of another file", "", "", []string{stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Ref<</F(b.pdf)/Page 0>>", "")}, content.External},
		{"both", "/OpenAction" + script, "/Annots[<</Subtype/Link/A<</S/GoToR/F(a.pdf)/D[0/Fit]>>>>]", nil, content.Scripted},

		{"a link", "", "/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/F 4/A<</S/URI/URI(https://example.com)>>>>]", nil, ""},
		{"a link to another page", "", "/Annots[<</Subtype/Link/A<</S/GoTo/D[3 0 R/Fit]>>>>]", nil, ""},
		{"a place to begin", "/OpenAction[3 0 R/FitH null]", "", nil, ""},
		{"an action to begin with a place", "/OpenAction 5 0 R", "", []string{"<</S/GoTo/D[3 0 R/Fit]>>"}, ""},
		{"no scripts and no files", "/Names<</JavaScript<</Names[]>>/EmbeddedFiles 5 0 R>>", "", []string{"<</Names[]>>"}, ""},
		{"fonts of such names", "", "/Resources<</Font<</JS 5 0 R/AA 5 0 R/EF 5 0 R>>>>", []string{"<</Type/Font>>"}, ""},
		{"tags of such names", "/StructTreeRoot 5 0 R", "", []string{"<</Type/StructTreeRoot/K<</Type/StructElem/S/Sound>>>>"}, ""},
		{"words in a text", "", "", []string{"<</Title(/JavaScript /JS /Launch)>>", stream("", "(/S /JavaScript)")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for painting, otherwise := range map[string]content.Reason{someText: "", "": content.Blank} {
				objects := page(painting, "", tt.more...)
				objects[0] = strings.TrimSuffix(objects[0], ">>") + tt.catalog + ">>"
				objects[2] = strings.TrimSuffix(objects[2], ">>") + tt.page + ">>"
				want := tt.want
				if want == "" {
					want = otherwise
				}
				for name, file := range map[string][]byte{"plain": pdfObjects(objects...), "packed": packedObjects(t, objects...)} {
					if _, err := check(t, file, content.PDF); reason(t, err) != want {
						t.Errorf("%s, painting %q: %v, want %q", name, painting, err, want)
					}
					if _, err := receive(t, file, 100, content.PDF); reason(t, err) != want {
						t.Errorf("%s, painting %q, while it arrives: %v, want %q", name, painting, err, want)
					}
					_, err := content.Check(t.Context(), bytes.NewReader(file), int64(len(file)), content.PDF, content.AllowBlank)
					if reason(t, err) != tt.want {
						t.Errorf("%s, painting %q, where it may be blank: %v, want %q", name, painting, err, tt.want)
					}
				}
			}
		})
	}
}

// An object that stands within another one is none, but for a reader that is
// pointed there.
func TestHiddenObjects(t *testing.T) {
	t.Parallel()
	const script = "9 0 obj<</S/JavaScript/JS(x)>>endobj"
	for name, object := range map[string]string{
		"a string":  "(" + script + ")",
		"a comment": "<<%" + script + "\n/A 1>>",
		"an array":  "[(" + script + ")]",
	} {
		if _, err := check(t, pdfObjects(page(someText, "", object)...), content.PDF); reason(t, err) != content.Scripted {
			t.Errorf("%s: %v, want scripted", name, err)
		}
	}
}

// The check of a file that is made to take long, or much memory, ends, and says
// what can be said.
func TestHostilePDFs(t *testing.T) {
	bomb := func(n int) string {
		return filters(t)["/FlateDecode"](string(deflated(t, strings.Repeat("q Q\n", n))))
	}
	const x0 = "/XObject<</X0 5 0 R>>"
	form := func(painting string) string {
		return stream("/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X0 6 0 R/X1 6 0 R>>>>", painting)
	}
	with := func(entries string) []string {
		objects := page("", "")
		objects[2] = entries
		return objects
	}
	tests := []struct {
		name    string
		objects []string
		want    content.Reason
	}{
		{"forms that multiply", page("/X0 Do /X0 Do", x0, form("/X0 Do /X1 Do"), stream("/Subtype/Form/BBox[0 0 9 9]", strings.Repeat("/X0 Do ", 1000))), ""},
		{"a form that is painted very often", page(strings.Repeat("/X0 Do ", 200_000), x0, form("")), ""},
		{"a large image of nothing that is painted often", page("9 0 0 9 100 100 cm "+strings.Repeat("/X0 Do ", 2000), x0,
			pixels(5000, 5000, "/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter[/FlateDecode/FlateDecode]", string(deflated(t, string(deflated(t, strings.Repeat("\xff", 75_000_000))))))), ""},
		{"an image of very many pixels", page("9 0 0 9 100 100 cm /X0 Do", x0, pixels(60_000, 60_000, "/ColorSpace/DeviceGray/BitsPerComponent 1", "")), ""},
		{"a page whose content goes on and on", []string{page("", "")[0], page("", "")[1], page("", "")[2], stream("/Filter[/FlateDecode/FlateDecode]", bomb(10_000_000))}, ""},
		{"paths of very many points", page("0.98 g "+strings.Repeat("1 1 m 500 800 l ", 20_000)+"f", ""), content.Blank},
		{"paths of too many points", page("0.98 g "+strings.Repeat("1 1 m 500 800 l ", 40_000)+"f", ""), ""},
		{"very many paths", page("0.98 g "+strings.Repeat("0 0 595 842 re f ", 1000), ""), ""},
		{"numbers that are too large", page("99999999999999999999999999999999 0 0 1e9 9 9 cm 1 g 0 0 9 9 re f", ""), ""},
		{"lengths that point to themselves", with("<</Type/Page/MediaBox[0 0 9 9]/Contents 5 0 R>>"), content.Blank},
		{"parents of one another", with("<</Type/Page/Parent 3 0 R/Contents 4 0 R>>"), ""},
		{"references to one another", append(page("", "/ExtGState 5 0 R"), "6 0 R", "5 0 R"), content.Blank},
		{"deep arrays", append(page("", ""), strings.Repeat("[", 100_000)), content.TooLarge},
		{"deep dictionaries", append(page("", ""), strings.Repeat("<</A", 100_000)), content.TooLarge},
		{"deep arrays in a page", page(strings.Repeat("[", 100_000), ""), ""},
		{"strings in strings", append(page("", ""), strings.Repeat("(1 0 obj ", 30_000)+strings.Repeat(")", 30_000)), content.TooLarge},
		{"objects that break off", append(page("", ""), strings.Repeat("1 0 obj [ ", 30_000)), content.Blank},
		{"an object stream that goes on and on", append(page("", ""), stream("/Type/ObjStm/N 1/First 4/Filter[/FlateDecode/FlateDecode]",
			string(deflated(t, string(deflated(t, "9 0 ["+strings.Repeat("0 ", 200_000_000))))))), content.TooLarge},
		{"very many filters", []string{page("", "")[0], page("", "")[1], page("", "")[2], stream("/Filter["+strings.Repeat("/FlateDecode", 1000)+"]", "x")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := pdfObjects(tt.objects...)
			runtime.GC()
			peak := watchHeap()
			_, err := check(t, file, content.PDF)
			if grown := peak(); grown > 32 {
				t.Errorf("the heap grows by %.0f MB", grown)
			}
			if reason(t, err) != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// An encrypted file is refused as such, whether it looks blank or not.
func TestEncryptedPDFs(t *testing.T) {
	t.Parallel()
	for _, file := range [][]byte{
		encryptedPDF(false), encryptedPDF(true),
		bytes.Replace(pdfObjects(page("", "", "<</Filter/Standard>>")...), []byte("/Root 1 0 R"), []byte("/Root 1 0 R/Encr#79pt 5 0 R"), 1),
		bytes.Replace(pdfObjects(page("", "")...), []byte("/Root 1 0 R"), []byte("/Encrypt<</Filter/Standard/V 4>>/Root 1 0 R"), 1),
	} {
		for _, options := range [][]content.Option{nil, {content.AllowBlank}} {
			_, err := content.Check(t.Context(), bytes.NewReader(file), int64(len(file)), content.PDF, options...)
			if reason(t, err) != content.Encrypted || !strings.Contains(err.(*content.Error).Message(), "encrypted") {
				t.Errorf("options %v: %v, want encrypted", options, err)
			}
		}
	}
}

// filters are ways to pack a stream, by their names.
func filters(t testing.TB) map[string]func(string) string {
	return map[string]func(string) string{
		"/FlateDecode": func(s string) string { return string(deflated(t, s)) },
		"/ASCII85Decode": func(s string) string {
			out := make([]byte, ascii85.MaxEncodedLen(len(s)))
			return string(out[:ascii85.Encode(out, []byte(s))]) + "~>"
		},
		"/ASCIIHexDecode": func(s string) string { return hex.EncodeToString([]byte(s)) + ">" },
		"/LZWDecode": func(s string) string { // of codes of nine bits alone
			var bits strings.Builder
			for i, b := range []byte(s) {
				if i%200 == 0 {
					fmt.Fprintf(&bits, "%09b", 256)
				}
				fmt.Fprintf(&bits, "%09b", b)
			}
			fmt.Fprintf(&bits, "%09b0000000", 257)
			var out []byte
			for i := 0; i+8 <= bits.Len(); i += 8 {
				var b byte
				_, _ = fmt.Sscanf(bits.String()[i:i+8], "%b", &b)
				out = append(out, b)
			}
			return string(out)
		},
		"/RunLengthDecode": func(s string) string {
			var out []byte
			for part := range slices.Chunk([]byte(s), 100) {
				out = append(append(out, byte(len(part)-1)), part...)
			}
			return string(append(out, 254, ' ', 128)) // and three spaces
		},
	}
}

// A page is read whatever it is packed with.
func TestPackedPages(t *testing.T) {
	t.Parallel()
	all := filters(t)
	names := []string{"/FlateDecode", "/ASCII85Decode", "/ASCIIHexDecode", "/LZWDecode", "/RunLengthDecode"}
	rapid.Check(t, func(rt *rapid.T) {
		white := "q 1 g 0 0 595 842 re f Q\n" + strings.Repeat("% nothing\n", rapid.IntRange(0, 40).Draw(rt, "comments"))
		chain := rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(rt, "filters")
		predictor := rapid.Bool().Draw(rt, "predictor")
		for painting, want := range map[string]content.Reason{white: content.Blank, white + someText: ""} {
			parms := "null"
			if last := chain[len(chain)-1]; predictor && (last == "/FlateDecode" || last == "/LZWDecode") {
				painting, parms = predicted(rt, painting), "<</Predictor 15/Columns 10>>"
			}
			for _, name := range slices.Backward(chain) {
				painting = all[name](painting)
			}
			dictionary := "/Filter[" + strings.Join(chain, "") + "]/DecodeParms[" + strings.Repeat("null ", len(chain)-1) + parms + "]"
			objects := page("", "")
			objects[3] = stream(dictionary, painting)
			if _, err := check(t, pdfObjects(objects...), content.PDF); reason(t, err) != want {
				rt.Errorf("%s: %v, want %q", dictionary, err, want)
			}
			if chain[0] == "/RunLengthDecode" {
				continue // which does not notice a change
			}
			// What cannot be unpacked may show something.
			objects[3] = stream(dictionary, "\x01\x02"+painting[min(len(painting), 9):])
			if _, err := check(t, pdfObjects(objects...), content.PDF); reason(t, err) != "" {
				rt.Errorf("%s of something else: %v, want it accepted", dictionary, err)
			}
		}
	})
}

// predicted is a text in rows of ten bytes with the predictors of PNG.
func predicted(rt *rapid.T, text string) string {
	for len(text)%10 != 0 {
		text += " "
	}
	above := make([]byte, 10)
	var out []byte
	for row := range slices.Chunk([]byte(text), 10) {
		kind := byte(rapid.IntRange(0, 4).Draw(rt, "predictor of a row"))
		out = append(append(out, kind), filtered(kind, row, above, 1)...)
		above = row
	}
	return string(out)
}

// A PDF is blank when it certainly paints nothing; whatever cannot be read may
// paint.
func TestBlankPDFs(t *testing.T) {
	t.Parallel()
	const plain = "<</Length 1>>"
	image := "<</Type/XObject/Subtype/Image/Width 1/Height 1/Length 1>>stream\nx\nendstream"
	form := func(painting string) string {
		return "<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 1>>stream\n" + painting + "\nendstream"
	}
	tests := []struct {
		name, dictionary, painting string
		more                       []string
		blank                      bool
	}{
		{"nothing", plain, "", nil, true},
		{"a stream of no bytes that is to be unpacked", "<</Length 0/Filter/FlateDecode>>", "", nil, true},
		{"settings alone", plain, "0 J 0.57 w 0.000 G 0.000 g /GS1 gs", nil, true},
		{"white in grey", plain, "1 g 0 0 595 842 re f", nil, true},
		{"white in rgb", plain, "1 1 1 rg 0 0 595 842 re f*", nil, true},
		{"white in cmyk", plain, "0 0 0 0 k 0 0 595 842 re F", nil, true},
		{"white in a colour space", plain, "/CS0 cs 1.0 1 1 scn 0 0 9 9 re f", nil, true},
		{"white frame", plain, "1 1 1 RG 0 0 9 9 re S", nil, true},
		{"white with a white frame", plain, "1 g 1 G 0 0 9 9 re B", nil, true},
		{"clipping alone", plain, "0 0 9 9 re W n", nil, true},
		{"white restored", plain, "1 g q 0 g Q 0 0 9 9 re f", nil, true},
		{"spaces", plain, "BT (  ) Tj [( ) 5 <00>] TJ ET", nil, true},
		{"hidden text", plain, "BT 3 Tr (text) Tj ET", nil, true},
		{"white text", plain, "BT 1 g (text) Tj ET", nil, true},
		{"a comment", plain, "% (text) Tj\n", nil, true},
		{"an operator in a string", plain, `BT (0 0 9 9 re f \) f ) 3 Tr Tj ET`, nil, true},
		{"an operator in a dictionary", plain, "/Span <</A /f /B (f)>> BDC EMC", nil, true},
		{"a font beside it", plain, "", []string{"<</Length1 9/Length 9>>stream\nf S f\nendstream"}, true},
		{"a colour profile beside it", plain, "", []string{"<</N 3/Length 9>>stream\nf S f\nendstream"}, true},
		{"a profile's data beside it", plain, "", []string{"<</Type /Metadata /Subtype /XML>>stream\nf S f\nendstream"}, true},
		{"an empty form", plain, "/X0 Do", []string{form("1 g 0 0 9 9 re f")}, true},
		{"an image that is not placed", plain, "", []string{image}, true},
		{"black by default", plain, "100 100 9 9 re f", nil, false},
		{"a line", plain, "100 100 m 190 190 l S", nil, false},
		{"a filled frame", plain, "1 g 100 100 9 9 re b*", nil, false},
		{"black restored", plain, "q 1 g Q 100 100 9 9 re f", nil, false},
		{"restored more than saved", plain, "1 g Q 100 100 9 9 re f", nil, false},
		{"nearly white", plain, "1 1 0.98 rg 100 100 9 9 re f", nil, true},
		{"text", plain, someText, nil, false},
		{"text in hexadecimal", plain, "BT <0041> Tj ET", nil, false},
		{"text in an array", plain, "BT [(A) -20 (B)] TJ ET", nil, false},
		{"text by quote", plain, "BT (A) ' ET", nil, false},
		{"a shading", plain, "/S0 sh", nil, false},
		{"an image within", plain, "90 0 0 90 100 100 cm BI /W 1 /H 1 ID x EI", nil, false},
		{"an image", plain, "90 0 0 90 100 100 cm /X0 Do", []string{image}, false},
		{"a form", plain, "/X0 Do", []string{form(someText)}, false},
		{"a pattern", plain, "/Pattern cs /P0 scn 100 100 9 9 re f", nil, false},
		{"one full ink", plain, "/Sep cs 1 scn 100 100 9 9 re f", nil, false},
		{"packed in another way", "<</Filter/LZWDecode/Length 1>>", "x", nil, false},
		{"packed twice", "<</Filter[/ASCII85Decode/FlateDecode]/Length 1>>", "x", nil, false},
		{"packed by reference", "<</Filter 9 0 R/Length 1>>", "x", nil, false},
		{"not to be unpacked", "<</Filter/FlateDecode/Length 1>>", "encrypted", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{"plain": pdfWith(1, tt.dictionary, tt.painting, tt.more...)}
			if tt.dictionary == plain {
				files["packed"] = pdfWith(1, "<</Filter /FlateDecode /Length 9 >>", string(deflated(t, tt.painting)), tt.more...)
			}
			for name, file := range files {
				facts, err := check(t, file, content.PDF)
				if got := reason(t, err) == content.Blank; got != tt.blank || facts.Blank != tt.blank || facts.Pages != 1 {
					t.Errorf("%s: facts %+v, error %v, want blank %t", name, facts, err, tt.blank)
				}
			}
		})
	}
}

// Streams that no page paints are not looked at, however many they are.
func TestPDFOfManyStreams(t *testing.T) {
	t.Parallel()
	fonts := func(n int) []string {
		return slices.Repeat([]string{"<</Length1 9/Length 9>>stream\nf S f\nendstream"}, n)
	}
	for _, n := range []int{100, 25_000} {
		facts, err := check(t, pdfWith(1, "<</Length 1>>", "", fonts(n)...), content.PDF)
		if reason(t, err) != content.Blank || facts.Pages != 1 {
			t.Errorf("%d fonts and nothing else: %+v, %v, want it blank", n, facts, err)
		}
	}
}

// pixels is an image of some size, with its samples.
func pixels(width, height int, dictionary, samples string) string {
	return stream(fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d%s", width, height, dictionary), samples)
}

func TestWhatPagesShow(t *testing.T) {
	t.Parallel()
	jpegOf := func(c color.Color) string {
		img := image.NewRGBA(image.Rect(0, 0, 64, 48))
		for i := range img.Bounds().Dx() * img.Bounds().Dy() {
			img.Set(i%64, i/64, c)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, nil); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const (
		rgb8, gray8 = "/ColorSpace/DeviceRGB/BitsPerComponent 8", "/ColorSpace/DeviceGray/BitsPerComponent 8"
		placed      = "q 300 0 0 200 100 100 cm /X0 Do Q"
		x0          = "/XObject<</X0 5 0 R>>"
		square      = " 100 100 50 50 re f "
	)
	bar := func(width, height int, at func(x, y int) byte) string {
		out := make([]byte, 0, width*height)
		for y := range height {
			for x := range width {
				out = append(out, at(x, y))
			}
		}
		return string(out)
	}
	white := func(n int) string { return strings.Repeat("\xff", n) }
	framed := bar(64, 48, func(x, y int) byte {
		if min(x, y, 63-x, 47-y) < 2 {
			return 0
		}
		return 255
	})
	lined := bar(64, 48, func(_, y int) byte { return byte(255 - y/24*200) })
	form := func(more, painting string) string {
		return stream("/Type/XObject/Subtype/Form/BBox[0 0 595 842]"+more, painting)
	}
	tests := []struct {
		name, painting, resources string
		more                      []string
		blank                     bool
	}{
		{"nearly white", "0.98 g" + square, "", nil, true},
		{"a pale ground", "0.95 g 0 0 595 842 re f", "", nil, true},
		{"a mark on a pale ground", "0.95 g 0 0 595 842 re f 0.7 g" + square, "", nil, false},
		{"nearly white ink", "0.01 0.02 0 0.01 k" + square, "", nil, true},
		{"a border of the page", "2 w 3 3 589 836 re S", "", nil, true},
		{"a frame within", "50 50 300 300 re S", "", nil, false},
		{"single pixels", "100.2 100.2 .5 .5 re f 200.2 300.2 .5 .5 re f", "", nil, true},
		{"of no size", "100 100 0 0 re f 200 200 m 200 200 l S", "", nil, true},
		{"off the page", "700 100 50 50 re f -100 100 50 50 re f 100 -100 50 50 re f 100 900 50 50 re f", "", nil, true},
		{"moved off the page", "1 0 0 1 0 2000 cm" + square + "BT /F1 12 Tf 100 100 Td (text) Tj ET", "", nil, true},
		{"text off the page", "BT /F1 12 Tf 700 100 Td (text) Tj 0 900 Td (text) Tj 1 0 0 1 100 -50 Tm (text) Tj ET", "", nil, true},
		{"clipped away", "0 0 50 50 re W n" + square, "", nil, true},
		{"clipped to nothing", "100 100 0 0 re W n" + square + "BT /F1 12 Tf 100 100 Td (text) Tj ET", "", nil, true},
		{"clipped within", "100 100 20 20 re W n" + square, "", nil, false},
		{"clipped and restored", "q 0 0 50 50 re W n Q" + square, "", nil, false},
		{"transparent", "/G gs" + square + "100 100 m 200 200 l S BT (text) Tj ET", "/ExtGState<</G<</ca 0/CA 0>>>>", nil, true},
		{"half transparent", "/G gs" + square, "/ExtGState<</G<</ca 0.5>>>>", nil, false},
		{"strokes transparent, not fills", "/G gs" + square, "/ExtGState<</G<</CA 0>>>>", nil, false},
		{"white that is blended", "1 g /G gs" + square, "/ExtGState<</G<</BM/Difference>>>>", nil, false},
		{"white that is multiplied", "1 g /G gs" + square, "/ExtGState<</G<</BM/Multiply>>>>", nil, true},
		{"invisible text", "BT /F1 12 Tf 3 Tr 100 100 Td (text) Tj ET", "", nil, true},
		{"text of no size", "BT /F1 0 Tf 100 100 Td (text) Tj ET", "", nil, true},
		{"outlines of text in white", "BT /F1 12 Tf 1 Tr 1 G 100 100 Td (text) Tj ET", "", nil, true},
		{"one digit", "BT /F1 8 Tf 100 100 Td (7) Tj ET", "", nil, false},
		{"small text", "BT /F1 1 Tf 100 100 Td (7) Tj ET", "", nil, false},
		{"text behind text", "BT /F1 8 Tf -20 100 Td (     7) Tj (7) Tj ET", "", nil, false},
		{"text of two bytes", "BT /F1 8 Tf 100 100 Td <0009> Tj ET", "/Font<</F1<</Type/Font/Subtype/Type0/Encoding/Identity-H>>>>", nil, false},
		{"spaces of two bytes", "BT /F1 8 Tf 100 100 Td <00030004> Tj ET", "/Font<</F1<</Type/Font/Subtype/Type0/Encoding/Identity-H/ToUnicode 5 0 R>>>>",
			[]string{stream("", "1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfchar <0003> <0020> endbfchar 1 beginbfrange <0004> <0005> [<00A0> <0041>] endbfrange")}, true},
		{"spaces and a letter", "BT /F1 8 Tf 100 100 Td <00030005> Tj ET", "/Font<</F1<</Type/Font/Subtype/Type0/Encoding/Identity-H/ToUnicode 5 0 R>>>>",
			[]string{stream("", "2 beginbfchar <0003> <0020> endbfchar 1 beginbfrange <0004> <0005> [<00A0> <0041>] endbfrange")}, false},
		{"text in a font with codes of its own", "BT /F1 8 Tf 100 100 Td (\x09 ) Tj ET",
			"/Font<</F1<</Type/Font/Subtype/TrueType/FontDescriptor<</FontFile2 5 0 R>>>>>>", nil, false},
		{"text in a font that begins with a space's code", "BT /F1 8 Tf 100 100 Td ( ) Tj ET",
			"/Font<</F1<</Type/Font/Subtype/TrueType/Encoding<</Differences[32/seven]>>>>>>", nil, false},
		{"one row", "BT /F1 8 Tf 100 100 Td (West) Tj 100 0 Td (7) Tj ET", "", nil, false},
		{"pale text", "BT 0.9 g /F1 8 Tf 100 100 Td (West) Tj ET", "", nil, false},
		{"a thin line", "0 w 100 100 m 500 100 l S", "", nil, false},
		{"a slanted line", "0.2 w 100 100 m 500 700 l S", "", nil, false},
		{"a line as a box", "100 100 300 0.1 re f", "", nil, false},
		{"a curve", "100 100 m 200 300 300 300 400 100 c S", "", nil, false},
		{"a small triangle", "100 100 m 106 100 l 103 106 l f", "", nil, false},
		{"one color", "0.8 0 0 rg 0 0 595 842 re f", "", nil, false},
		{"dark", "0 g 0 0 595 842 re f 1 g BT /F1 12 Tf 100 100 Td (7) Tj ET", "", nil, false},
		{"a pale blue", "0.88 0.94 1 rg 0 0 595 842 re f", "", nil, false},
		{"ink", "0 1 0 0 k" + square, "", nil, false},
		{"no tint", "/S cs 0 scn" + square, "/ColorSpace<</S[/Separation/Red/DeviceCMYK 5 0 R]>>", []string{"<</FunctionType 2/C0[0 0 0 0]/C1[0 1 1 0]/N 1>>"}, true},
		{"a tint", "/S cs 1 scn" + square, "/ColorSpace<</S[/Separation/Red/DeviceCMYK 5 0 R]>>", []string{"<</FunctionType 2/C0[0 0 0 0]/C1[0 1 1 0]/N 1>>"}, false},
		{"a tint of white", "/S cs 1 scn" + square, "/ColorSpace<</S[/Separation/White/DeviceCMYK 5 0 R]>>", []string{"<</FunctionType 2/C0[0 0 0 0]/C1[0 0 0 0]/N 1>>"}, true},
		{"white by a profile", "/C cs 1 1 1 scn" + square, "/ColorSpace<</C[/ICCBased 5 0 R]>>", []string{stream("/N 3", "")}, true},
		{"ink by a profile", "/C cs 1 1 1 0 scn" + square, "/ColorSpace<</C[/ICCBased 5 0 R]>>", []string{stream("/N 4", "")}, false},
		{"white of a table", "/C cs 1 scn" + square, "/ColorSpace<</C[/Indexed/DeviceRGB 1<000000FFFFFF>]>>", nil, true},
		{"black of a table", "/C cs 0 scn" + square, "/ColorSpace<</C[/Indexed/DeviceRGB 1<000000FFFFFF>]>>", nil, false},
		{"white of Lab", "/C cs 100 0 0 scn" + square, "/ColorSpace<</C[/Lab<</WhitePoint[1 1 1]>>]>>", nil, true},
		{"a pattern", "/Pattern cs /P scn" + square, "/Pattern<</P 5 0 R>>", []string{stream("/PatternType 1", "")}, false},
		{"a shading", "100 100 50 50 re W n /S sh", "/Shading<</S<</ShadingType 2>>>>", nil, false},
		{"a shading that is clipped away", "700 100 50 50 re W n /S sh", "/Shading<</S<</ShadingType 2>>>>", nil, true},

		{"a white image", placed, x0, []string{pixels(64, 48, gray8, white(64*48))}, true},
		{"an image nearly white", placed, x0, []string{pixels(64, 48, rgb8, strings.Repeat("\xfb\xfc\xfd", 64*48))}, true},
		{"an image with a border", placed, x0, []string{pixels(64, 48, gray8, framed)}, true},
		{"an image with content", placed, x0, []string{pixels(64, 48, gray8, lined)}, false},
		{"an image with content that is packed", placed, x0, []string{pixels(64, 48, gray8+"/Filter/FlateDecode", string(deflated(t, lined)))}, false},
		{"an image that is packed and white", placed, x0, []string{pixels(64, 48, gray8+"/Filter/FlateDecode", string(deflated(t, white(64*48))))}, true},
		{"an image that ends early", placed, x0, []string{pixels(64, 48, gray8, white(64*40))}, false},
		{"an image that is turned around", placed, x0, []string{pixels(64, 48, gray8+"/Decode[1 0]", strings.Repeat("\x00", 64*48))}, true},
		{"an image of one bit", placed, x0, []string{pixels(64, 48, "/ColorSpace/DeviceGray/BitsPerComponent 1", white(8*48))}, true},
		{"an image of ink", placed, x0, []string{pixels(64, 48, "/ColorSpace/DeviceCMYK/BitsPerComponent 8", white(4*64*48))}, false},
		{"an image without ink", placed, x0, []string{pixels(64, 48, "/ColorSpace/DeviceCMYK/BitsPerComponent 8", strings.Repeat("\x00", 4*64*48))}, true},
		{"an image of a table", placed, x0, []string{pixels(64, 48, "/ColorSpace[/Indexed/DeviceRGB 1<FFFFFFFF0000>]/BitsPerComponent 8", strings.Repeat("\x00", 64*24)+strings.Repeat("\x01", 64*24))}, false},
		{"an image of a table's white", placed, x0, []string{pixels(64, 48, "/ColorSpace[/Indexed/DeviceRGB 1<FFFFFFFF0000>]/BitsPerComponent 8", strings.Repeat("\x00", 64*48))}, true},
		{"an image that is transparent", placed, x0, []string{pixels(64, 48, rgb8+"/SMask 6 0 R", strings.Repeat("\x00", 3*64*48)), pixels(32, 24, gray8, strings.Repeat("\x00", 32*24))}, true},
		{"an image that is transparent in part", placed, x0, []string{pixels(64, 48, rgb8+"/SMask 6 0 R", strings.Repeat("\x00", 3*64*48)), pixels(32, 24, gray8, strings.Repeat("\x00", 32*12)+white(32*12))}, false},
		{"an image that is masked", placed, x0, []string{pixels(64, 48, gray8+"/Mask 6 0 R", lined), pixels(64, 48, "/ImageMask true", white(8*48))}, true},
		{"an image whose mask lets it through", placed, x0, []string{pixels(64, 48, gray8+"/Mask 6 0 R", lined), pixels(64, 48, "/ImageMask true", strings.Repeat("\x00", 8*48))}, false},
		{"an image whose color is transparent", placed, x0, []string{pixels(64, 48, gray8+"/Mask[0 0]", strings.Repeat("\x00", 64*48))}, true},
		{"an image in a transparent state", "/G gs " + placed, x0 + "/ExtGState<</G<</ca 0>>>>", []string{pixels(64, 48, gray8, lined)}, true},
		{"a stencil", placed, x0, []string{pixels(64, 48, "/ImageMask true", strings.Repeat("\xff\x00", 4*48))}, false},
		{"a stencil in white", "1 g " + placed, x0, []string{pixels(64, 48, "/ImageMask true", strings.Repeat("\xff\x00", 4*48))}, true},
		{"a stencil of nothing", placed, x0, []string{pixels(64, 48, "/ImageMask true", white(8*48))}, true},
		{"an image off the page", "q 300 0 0 200 700 100 cm /X0 Do Q", x0, []string{pixels(64, 48, gray8, lined)}, true},
		{"one pixel made large", placed, x0, []string{pixels(1, 1, gray8, "\x00")}, false},
		{"one white pixel made large", placed, x0, []string{pixels(1, 1, gray8, "\xff")}, true},
		{"a strip", placed, x0, []string{pixels(64, 1, gray8, lined[len(lined)-64:])}, false},
		{"a JPEG", placed, x0, []string{pixels(64, 48, rgb8+"/Filter/DCTDecode", jpegOf(color.RGBA{200, 20, 30, 255}))}, false},
		{"a white JPEG", placed, x0, []string{pixels(64, 48, rgb8+"/Filter/DCTDecode", jpegOf(color.White))}, true},
		{"a white JPEG in base 85", placed, x0, []string{pixels(64, 48, rgb8+"/Filter[/ASCII85Decode/DCTDecode]", filters(t)["/ASCII85Decode"](jpegOf(color.White)))}, true},
		{"a JPEG that breaks off", placed, x0, []string{pixels(64, 48, rgb8+"/Filter/DCTDecode", jpegOf(color.White)[:200])}, false},
		{"a JPEG 2000", placed, x0, []string{pixels(64, 48, "/Filter/JPXDecode", "x")}, false},
		{"a fax", placed, x0, []string{pixels(64, 48, "/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/CCITTFaxDecode", "x")}, false},
		{"a JBIG2", placed, x0, []string{pixels(64, 48, "/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/JBIG2Decode", "x")}, false},
		{"an image within", "q 300 0 0 200 100 100 cm BI /W 2 /H 2 /CS /G /BPC 8 ID \x00 \x00 EI Q", "", nil, false},
		{"a white image within", "q 300 0 0 200 100 100 cm BI /W 2 /H 2 /CS /G /BPC 8 ID \xff\xff\xff\xff EI Q", "", nil, true},
		{"a white image within that is packed", "q 300 0 0 200 100 100 cm BI /W 2 /H 2 /CS /G /BPC 8 /F /AHx ID ffffffff> EI Q", "", nil, true},
		{"a square after a white image within", "BI /W 2 /H 2 /CS /G /BPC 8 ID \xff\xff\xff\xff EI" + square, "", nil, false},

		{"forms in forms", "/X0 Do", x0, []string{form("/Resources<</XObject<</X0 6 0 R>>>>", "q /X0 Do Q"), form("", square)}, false},
		{"forms in forms of nothing", "/X0 Do", x0, []string{form("/Resources<</XObject<</X0 6 0 R>>>>", "q /X0 Do Q"), form("", "1 g "+square)}, true},
		{"a form that is not placed", "", x0, []string{form("", square)}, true},
		{"a form in itself", "/X0 Do", x0, []string{form("", "/X0 Do")}, false},
		{"a form outside of its box", "/X0 Do", x0, []string{form("/Matrix[1 0 0 1 0 0]", "700 0 50 50 re f")}, true},
		{"a form that is moved here", "/X0 Do", x0, []string{stream("/Subtype/Form/BBox[700 0 900 100]/Matrix[1 0 0 1 -600 100]", "700 0 50 50 re f")}, false},
		{"a form in white", "1 g /X0 Do", x0, []string{form("", square)}, true},
		{"a transparent group", "/G gs /X0 Do", x0 + "/ExtGState<</G<</ca 0>>>>", []string{form("/Group<</S/Transparency>>", square)}, true},
		{"what there is not", "/X1 Do", "", nil, false},
		{"a string without an end", "BT (text", "", nil, false},
		{"too many saved states", strings.Repeat("q ", 100_000), "", nil, false},
		{"very many operators", strings.Repeat("q Q ", 2_200_000), "", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			objects := page(tt.painting, tt.resources, tt.more...)
			for name, file := range map[string][]byte{"plain": pdfObjects(objects...), "packed": packedObjects(t, objects...)} {
				facts, err := check(t, file, content.PDF)
				if got := reason(t, err) == content.Blank; got != tt.blank || facts.Blank != tt.blank || err != nil && !got {
					t.Errorf("%s: %+v, %v, want blank %t", name, facts, err, tt.blank)
				}
			}
		})
	}
}

// A file is blank only if all its pages are.
func TestPagesOfAFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		kids  []string
		blank bool
	}{
		{"a blank one among others", []string{"/Contents 3 0 R", "", "/Contents 3 0 R"}, false},
		{"blank ones before one", []string{"", "", "/Contents 3 0 R"}, false},
		{"all blank", []string{"", "/Contents[]", "/Contents 99 0 R"}, true},
		{"a page that is cut to a part", []string{"/Contents 3 0 R/CropBox[300 300 500 500]"}, true},
		{"a page that begins elsewhere", []string{"/Contents 3 0 R/MediaBox[-1000 -1000 -100 -100]"}, true},
		{"a page of no size", []string{"/Contents 4 0 R/MediaBox[0 0 0 0]"}, false},
		{"a note", []string{"/Annots[<</Subtype/FreeText/Rect[100 100 200 200]>>]"}, false},
		{"a note with a look", []string{"/Annots[<</Subtype/Stamp/Rect[100 100 200 200]/AP<</N 5 0 R>>>>]"}, false},
		{"a note with a white look", []string{"/Annots[<</Subtype/Stamp/Rect[100 100 200 200]/AP<</N 6 0 R>>>>]"}, true},
		{"a note that is hidden", []string{"/Annots[<</Subtype/FreeText/F 2/Rect[100 100 200 200]>>]"}, true},
		{"a link", []string{"/Annots[<</Subtype/Link/Rect[100 100 200 200]/A<</S/URI/URI(https://example.com)>>>>]"}, true},
	} {
		objects := []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/MediaBox[0 0 595 842]>>", stream("", "100 100 50 50 re f"), stream("", ""),
			stream("/Subtype/Form/BBox[0 0 9 9]", "0 0 9 9 re f"), stream("/Subtype/Form/BBox[0 0 9 9]", "1 g 0 0 9 9 re f")}
		for _, kid := range tt.kids {
			objects = append(objects, "<</Type/Page/Parent 2 0 R"+kid+">>")
		}
		facts, err := check(t, pdfObjects(objects...), content.PDF)
		if got := reason(t, err) == content.Blank; got != tt.blank || facts.Pages != len(tt.kids) || err != nil && !got {
			t.Errorf("%s: %+v, %v, want blank %t", tt.name, facts, err, tt.blank)
		}
	}
}

// FuzzPDF tries PDFs that are written in clear, so that changes reach what they
// paint. Whatever comes, a check ends; it says the same while the file arrives; and
// a page that shows a text is not blank.
func FuzzPDF(f *testing.F) {
	for _, painting := range []string{
		someText, "0 0 595 842 re W n q 1 0 0 1 9 9 cm 0 g 5 5 m 90 90 l 20 50 l b* Q",
		"/Cs cs .5 scn /G gs 100 100 m 200 300 300 300 400 100 c S /X0 Do", "BI /W 2 /H 2 /CS /G /BPC 8 ID abcd EI",
		"BT /F 8 Tf 1 Tr 3 Ts 90 Tz 4 TL (a) ' 1 2 (b) \" [(c) -20 <64>] TJ T* ET /S sh",
	} {
		f.Add(painting, "/Type/XObject/Subtype/Image/Width 2/Height 2/ColorSpace/DeviceRGB/BitsPerComponent 4/SMask 5 0 R", "abcdef")
		f.Add(painting, "/Type/XObject/Subtype/Form/BBox[0 0 99 99]/Matrix[1 0 0 1 5 5]/Group<</S/Transparency>>", "1 g 0 0 9 9 re B")
		f.Add(painting, "/Filter[/ASCIIHexDecode/RunLengthDecode/LZWDecode]/DecodeParms[null null<</Predictor 2/Columns 3>>]", "00ff80>")
		f.Add(painting, "/Type/ObjStm/N 2/First 8", "9 0 8 3 [1] <</S/GoTo>>")
		f.Add(painting, "/Filter/DCTDecode/Subtype/Image/Width 8/Height 8/ColorSpace/DeviceGray/BitsPerComponent 8", "\xff\xd8\xff\xc0")
	}
	const resources = "/XObject<</X0 5 0 R>>/ExtGState<</G<</ca .5/BM/Multiply>>>>/ColorSpace<</Cs[/Separation/A/DeviceCMYK 5 0 R]>>/Font<</F<</Subtype/Type0/ToUnicode 5 0 R>>>>"
	f.Fuzz(func(t *testing.T, painting, dictionary, data string) {
		file := pdfObjects(page(painting, resources, stream(dictionary, data))...)
		facts, err := check(t, file, content.PDF)
		if (reason(t, err) == content.Blank) != facts.Blank {
			t.Errorf("facts = %+v with error %v", facts, err)
		}
		if again, errAgain := receive(t, file, 1+len(file)/3, content.PDF); reason(t, errAgain) != reason(t, err) || err == nil && again != facts {
			t.Errorf("while it arrives: %+v, %v; want %+v, %v", again, errAgain, facts, err)
		}
		full := page(someText, resources, stream(dictionary, data))
		if _, err := check(t, pdfObjects(full...), content.PDF); reason(t, err) == content.Blank {
			t.Errorf("a page with a text is blank")
		}
	})
}

// BenchmarkPDF checks PDFs of about 20 MB: of many small objects, of pictures that
// are looked at, since they are white, and of drawings that are.
func BenchmarkPDF(b *testing.B) {
	const size = 20 << 20
	random := rand.New(rand.NewPCG(1, 2))
	picture := func() string {
		noise := make([]byte, 3*1000*1000)
		for i := range noise {
			noise[i] = 255 - byte(random.Uint32()%4)
		}
		return string(deflated(b, string(noise)))
	}
	files := map[string]func() []string{
		"objects": func() []string {
			small := stream("/Filter/FlateDecode", string(deflated(b, "1 g 0 0 9 9 re f")))
			var objects []string
			for n := 0; n < size; n += len(small) + 100 {
				objects = append(objects, fmt.Sprintf("<</Type/Annot/Subtype/Link/Rect[%d 0 9 9]>>", n), small)
			}
			return page("", "", objects...)
		},
		"pictures": func() []string {
			var pictures []string
			var placed, names strings.Builder
			data := picture()
			for i := range size / len(data) {
				pictures = append(pictures, pixels(1000, 1000, "/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/FlateDecode", data))
				fmt.Fprintf(&placed, "q 500 0 0 500 10 10 cm /X%d Do Q ", i)
				fmt.Fprintf(&names, "/X%d %d 0 R", i, i+5)
			}
			return page(placed.String(), "/XObject<<"+names.String()+">>", pictures...)
		},
		"drawing": func() []string {
			var drawing strings.Builder
			for drawing.Len() < size {
				fmt.Fprintf(&drawing, "q 1 0 0 1 %d %d cm 0.99 0.99 1 rg 0 0 m 10 0 l 10 10 l h f Q\n", random.IntN(500), random.IntN(700))
			}
			return page(drawing.String(), "")
		},
		"export": func() []string {
			data := picture()
			return page(someText, "", slices.Repeat([]string{stream("/Length1 9/Filter/FlateDecode", data)}, size/len(data))...)
		},
	}
	for name, objects := range files {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "file")
			if err := os.WriteFile(path, pdfObjects(objects()...), 0o600); err != nil {
				b.Fatal(err)
			}
			file, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			info, err := file.Stat()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			runtime.GC()
			peak := watchHeap()
			for b.Loop() {
				if _, err := content.Check(b.Context(), file, info.Size(), content.PDF); reason(b, err) != content.Blank && err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(peak(), "heap-MB")
		})
	}
}
