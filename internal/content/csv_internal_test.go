package content

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Counting whole lines gives what going through them byte by byte does.
func TestCSVShortcut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "a", "\"", "\"", ",", ",", "\n", "\n", "\r", "\r\n", "\"\"", " ", "é", "<html>", "{\"error\":"})
		text := "h,i\n" + strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(rt, "pieces"), "")
		cut := rapid.IntRange(0, len(text)).Draw(rt, "cut")
		var slow, fast csvCounter
		slow.step([]byte(text))
		fast.read([]byte(text[:cut]))
		fast.read([]byte(text[cut:]))
		if slow != fast {
			rt.Fatalf("%q, cut at %d: %+v, byte by byte %+v", text, cut, fast, slow)
		}
	})
}
