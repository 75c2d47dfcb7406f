package content

import (
	"errors"
	"math"
	"testing"
)

// inPieces has a text read in pieces of a size, and gives why it is refused.
func inPieces(text []byte, size int, read func([]byte) error, end func() error) Reason {
	for at := 0; at < len(text); at += size {
		if err := read(text[at:min(at+size, len(text))]); err != nil {
			return reasonOf(err)
		}
	}
	return reasonOf(end())
}

func reasonOf(err error) Reason {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}

// A style is judged alike in whatever pieces it comes.
func FuzzStyle(f *testing.F) {
	for _, text := range []string{
		"fill:url(#a)", "fill:url( 'https://example.com/a' )", "@import 'a'", `@\69mport "a"`, `a:\75 rl(b)`, "/* url(a) */b:c", `a:"url(b)";c:url("d"`,
		"@namespace a url(http://a);b{c:url(data:image/png;base64,QQ==)}", "a:expression(b)", `a:image-set("b" 1x)`, `\`, `url(\`, "url(/*)*/",
	} {
		f.Add([]byte(text), uint8(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, pieces cssScanner
		want := inPieces(text, len(text)+1, whole.read, whole.end)
		if got := inPieces(text, 1+int(size), pieces.read, pieces.end); got != want {
			t.Errorf("in pieces of %d: %q, want %q", size, got, want)
		}
		if len(pieces.name) > 32 || len(pieces.address) > xmlMaxName {
			t.Errorf("%d bytes of a name and %d of an address are kept", len(pieces.name), len(pieces.address))
		}
	})
}

// A path is followed alike in whatever pieces it comes.
func FuzzPath(f *testing.F) {
	for _, text := range []string{
		"M0,0 L1000,0 L1000,600z", "m1 1h9v9z", "M110 50a20 20 0 01-40 0", "M.5.5-1e3+2E-2,3", "M0 0C1 2 3 4 5 6s1 2 3 4 5 6 7 8q1 2 3 4t5 6",
		"L1 1", "M1", "M1 1x", "M1 1L", "M0 0A1 1 0 1 1 9 9 1 1 0 00 3 3", "M1e999 0L1 1",
	} {
		f.Add([]byte(text), uint8(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var whole, pieces svgPath
		whole.reset()
		pieces.reset()
		whole.read(text, true)
		for step := 1 + int(size); len(text) > 0; {
			n := min(step, len(text))
			pieces.read(text[:n], n == len(text))
			text = text[n:]
		}
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if whole.drawn != pieces.drawn || whole.wrong != pieces.wrong || !same(whole.x, pieces.x) || !same(whole.box.right, pieces.box.right) {
			t.Errorf("in pieces of %d: %+v, want %+v", size, pieces, whole)
		}
		if whole.drawn && !math.IsInf(whole.x, 0) && !math.IsNaN(whole.x) && (whole.x < whole.box.left || whole.x > whole.box.right) {
			t.Errorf("the path ends outside of its box: %+v", whole)
		}
	})
}

// A formula is judged alike in whatever pieces it comes.
func FuzzFormula(f *testing.F) {
	for _, text := range []string{"SUM(A1)", "WEBSERVICE(1)", "1+_xlfn.IMAGE (2)", "RECALL(1)+CALL(2)", "RECALL(A1:A1000,B1:B1000)", "MYIMAGE(1)", "image("} {
		f.Add([]byte(text), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		whole, pieces := formulaGuard{in: true}, formulaGuard{in: true}
		none := func() error { return nil }
		want := inPieces(text, len(text)+1, whole.chars, none)
		if got := inPieces(text, 1+int(size), pieces.chars, none); got != want {
			t.Errorf("in pieces of %d: %q, want %q", size, got, want)
		}
	})
}
