package content_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/content"
)

// painted is a picture of which each pixel is of one color.
func painted(width, height int, at func(x, y int) color.NRGBA) picture {
	return picture{width: width, height: height, colour: rgbAlpha, depth: 8, level: 1, sample: func(x, y, c int) uint16 {
		p := at(x, y)
		return uint16([4]byte{p.R, p.G, p.B, p.A}[c])
	}}
}

func opaque(r, g, b byte) color.NRGBA { return color.NRGBA{r, g, b, 255} }

// Pictures of nothing but background are refused, and what is sparse is not.
func TestPictures(t *testing.T) {
	t.Parallel()
	white, black := opaque(255, 255, 255), opaque(0, 0, 0)
	noise := rand.New(rand.NewPCG(1, 2))
	// on paints some pixels on a ground.
	on := func(ground, ink color.NRGBA, is func(x, y int) bool) func(x, y int) color.NRGBA {
		return func(x, y int) color.NRGBA {
			if is(x, y) {
				return ink
			}
			return ground
		}
	}
	one := func(c color.NRGBA) func(x, y int) color.NRGBA { return func(int, int) color.NRGBA { return c } }
	digit := []string{"..#", ".##", "#.#", "..#", "..#", "..#", "..#"}
	label := func(atX, atY int) func(x, y int) bool {
		return func(x, y int) bool {
			x, y = x-atX, y-atY
			return x >= 0 && y >= 0 && y < len(digit) && x < 3 && digit[y][x] == '#'
		}
	}
	near := func(x, y, border int) bool { return min(x, y, 599-x, 399-y) < border }
	const width, height = 600, 400
	tests := []struct {
		name          string
		width, height int
		at            func(x, y int) color.NRGBA
		blank         bool
	}{
		{"white", width, height, one(white), true},
		{"nearly white", width, height, one(opaque(253, 254, 253)), true},
		{"a pale grey", width, height, one(opaque(245, 245, 245)), true},
		{"noise of 254 and 255", width, height, func(int, int) color.NRGBA {
			return opaque(byte(254+noise.IntN(2)), byte(254+noise.IntN(2)), byte(254+noise.IntN(2)))
		}, true},
		{"noise on a pale grey", width, height, func(int, int) color.NRGBA {
			v := byte(243 + noise.IntN(4))
			return opaque(v, v, v)
		}, true},
		{"transparent, whatever is below", width, height, func(x, y int) color.NRGBA { return color.NRGBA{byte(x), byte(y), 0, 0} }, true},
		{"nearly transparent", width, height, func(x, y int) color.NRGBA { return color.NRGBA{byte(x), byte(y), 0, byte(x % 5)} }, true},
		{"a border of one pixel", width, height, on(white, black, func(x, y int) bool { return near(x, y, 1) }), true},
		{"a border of four pixels", width, height, on(white, black, func(x, y int) bool { return near(x, y, 4) }), true},
		{"a border of a few pixels on pale grey", width, height, on(opaque(245, 245, 245), black, func(x, y int) bool { return near(x, y, 3) }), true},
		{"a line along one edge", width, height, on(white, black, func(_, y int) bool { return y >= height-2 }), true},
		{"a single pixel", width, height, on(white, black, func(x, y int) bool { return x == 300 && y == 200 }), true},
		{"a pixel that is hardly another", width, height, on(white, opaque(254, 254, 254), func(x, y int) bool { return x == 300 && y == 200 }), true},
		{"single pixels here and there", width, height, on(white, black, func(x, y int) bool { return (x*7+y*13)%997 == 0 }), true},
		{"dust", width, height, on(white, black, func(int, int) bool { return noise.IntN(100) == 0 }), true},
		{"a faint grid", width, height, on(white, opaque(249, 249, 249), func(x, y int) bool { return x%50 == 0 || y%50 == 0 }), true},
		{"one pixel in all", 1, 1, one(black), true},
		{"two pixels in all", 2, 1, on(white, black, func(x, _ int) bool { return x == 0 }), true},

		{"red", width, height, one(opaque(200, 20, 30)), false},
		{"green", width, height, one(opaque(0, 160, 60)), false},
		{"a pale blue", width, height, one(opaque(225, 240, 255)), false},
		{"black", width, height, one(black), false},
		{"red that is half transparent", width, height, one(color.NRGBA{200, 20, 30, 128}), false},
		{"a tiny tile", 6, 4, one(opaque(200, 20, 30)), false},
		{"a small picture", 60, 30, on(white, black, label(20, 10)), false},
		{"one digit", width, height, on(white, black, label(300, 200)), false},
		{"one digit in a corner", width, height, on(white, black, label(10, 10)), false},
		{"one digit on black", width, height, on(black, white, label(300, 200)), false},
		{"one digit on pale grey", width, height, on(opaque(245, 245, 245), black, label(300, 200)), false},
		{"one digit in grey", width, height, on(white, opaque(190, 190, 190), label(300, 200)), false},
		{"one digit and dust", width, height, on(white, black, func(x, y int) bool {
			return label(300, 200)(x, y) || (x*7+y*13)%99_991 == 0
		}), false},
		{"a border and a digit", width, height, on(white, black, func(x, y int) bool { return near(x, y, 4) || label(300, 200)(x, y) }), false},
		{"a thin line across", width, height, on(white, black, func(_, y int) bool { return y == 200 }), false},
		{"a thin line down", width, height, on(white, black, func(x, _ int) bool { return x == 300 }), false},
		{"a thin slanted line", width, height, on(white, black, func(x, y int) bool { return x == y }), false},
		{"a faint heat map", width, height, func(x, y int) color.NRGBA { return opaque(byte(240+x/60), byte(240+y/40), 255) }, false},
		{"a title at the top", width, height, on(white, black, func(x, y int) bool { return y > 10 && y < 20 && x > 20 && x < 200 && x%5 != 0 }), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := painted(tt.width, tt.height, tt.at).encode(t)
			facts, err := check(t, file, content.PNG)
			if got := reason(t, err) == content.Blank; got != tt.blank || facts.Blank != tt.blank {
				t.Errorf("blank = %t (%v, %+v), want %t", got, err, facts, tt.blank)
			}
			if tt.blank {
				facts, err := content.Check(t.Context(), bytes.NewReader(file), int64(len(file)), content.PNG, content.AllowBlank)
				if err != nil || !facts.Blank || facts.Width != tt.width {
					t.Errorf("where it may be blank: %v, %+v", err, facts)
				}
			}
		})
	}
}

// drawn is a picture as a program draws it, with letters of a font.
type drawn struct{ *image.RGBA }

func canvas(width, height int, ground color.Color) drawn {
	d := drawn{image.NewRGBA(image.Rect(0, 0, width, height))}
	draw.Draw(d, d.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	return d
}

func (d drawn) text(t testing.TB, x, y int, size float64, ink color.Color, text string) drawn {
	t.Helper()
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72})
	if err != nil {
		t.Fatal(err)
	}
	drawer := font.Drawer{Dst: d, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(x, y)}
	drawer.DrawString(text)
	return d
}

func (d drawn) fill(x0, y0, x1, y1 int, ink color.Color) drawn {
	draw.Draw(d, image.Rect(x0, y0, x1, y1), image.NewUniform(ink), image.Point{}, draw.Src)
	return d
}

// frame draws a frame that begins so far from the edges.
func (d drawn) frame(inset, width int, ink color.Color) drawn {
	right, bottom := d.Bounds().Dx()-inset, d.Bounds().Dy()-inset
	return d.fill(inset, inset, right, inset+width, ink).fill(inset, bottom-width, right, bottom, ink).
		fill(inset, inset, inset+width, bottom, ink).fill(right-width, inset, right, bottom, ink)
}

// each paints every pixel.
func (d drawn) each(at func(x, y int) color.Color) drawn {
	for y := range d.Bounds().Dy() {
		for x := range d.Bounds().Dx() {
			d.Set(x, y, at(x, y))
		}
	}
	return d
}

// curve draws a line of one pixel across.
func (d drawn) curve(from, to int, ink color.Color) drawn {
	for x := from; x < to; x++ {
		d.Set(x, d.Bounds().Dy()/2+int(40*math.Sin(float64(x)/40)), ink)
	}
	return d
}

// Pictures as programs draw them: what is sparse is content, and what decorates an
// empty view is not.
func TestDrawnPictures(t *testing.T) {
	t.Parallel()
	const width, height = 400, 300
	shade := func(v byte) color.Color { return color.Gray{v} }
	white := func() drawn { return canvas(width, height, color.White) }
	noise := rand.New(rand.NewPCG(3, 4))
	grain := func(sigma float64) drawn {
		return white().each(func(int, int) color.Color { return shade(byte(255 - min(255, math.Abs(noise.NormFloat64()*sigma)))) })
	}
	jpegOf := func(d drawn, quality int) drawn {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, d, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		decoded, err := jpeg.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		draw.Draw(d, d.Bounds(), decoded, image.Point{}, draw.Src)
		return d
	}
	grainy := func(ground float64) drawn {
		return white().each(func(int, int) color.Color { return shade(byte(min(255, ground+noise.NormFloat64()*3))) })
	}
	dither := func(v byte, is func(x, y int) bool) drawn {
		return white().each(func(x, y int) color.Color {
			if is(x, y) {
				return shade(v)
			}
			return color.White
		})
	}
	checker := func(x, y int) bool { return (x+y)%2 == 0 }
	quarter := func(x, y int) bool { return x%2 == 0 && y%2 == 0 }
	grid := func(d drawn, ink color.Color) drawn {
		for i := range 6 {
			d.fill(20, 20+50*i, 371, 21+50*i, ink)
		}
		for i := range 8 {
			d.fill(20+50*i, 20, 21+50*i, 271, ink)
		}
		return d
	}
	cards := func() drawn {
		return canvas(width, height, shade(245)).fill(20, 20, 190, 280, color.White).fill(210, 20, 380, 280, color.White)
	}
	blank := map[string]drawn{
		"fine grain":                        grain(2),
		"grain":                             grain(6),
		"coarse grain":                      grain(12),
		"a JPEG of grain":                   jpegOf(grainy(253), 10),
		"a JPEG of grain, well kept":        jpegOf(grainy(250), 90),
		"a JPEG of grain on pale grey":      jpegOf(grainy(243), 50),
		"dithered paper":                    dither(240, checker),
		"dithered paper, by a quarter":      dither(230, quarter),
		"dense dust":                        dither(0, func(int, int) bool { return noise.IntN(12) == 0 }),
		"a frame":                           white().frame(20, 1, shade(0)),
		"a frame of three pixels":           white().frame(12, 3, shade(120)),
		"a border of one pixel":             white().frame(0, 1, shade(0)),
		"a border of three pixels":          white().frame(0, 3, shade(0)),
		"a thick frame in a large picture":  canvas(1800, 1600, color.White).frame(50, 3, shade(0)),
		"a grid":                            grid(white(), shade(225)),
		"a strong grid":                     grid(white(), shade(100)),
		"a grid on pale grey":               grid(canvas(width, height, shade(245)), shade(200)),
		"a pair of axes":                    white().fill(40, 270, 380, 271, shade(100)).fill(40, 20, 41, 271, shade(100)),
		"white cards on pale grey":          cards(),
		"white cards on pale grey, blurred": jpegOf(cards(), 60),
		"a full stop":                       white().text(t, 100, 100, 10, shade(0), "."),
		"text that nobody can read":         white().text(t, 100, 100, 24, shade(249), "No data"),
	}
	content := map[string]drawn{
		"a digit of 8 pixels":               white().text(t, 100, 100, 8, shade(60), "7"),
		"a letter of 8 pixels":              white().text(t, 100, 100, 8, shade(60), "i"),
		"a minus":                           white().text(t, 100, 100, 14, shade(60), "-"),
		"a digit of 10 pixels in a corner":  white().text(t, 2, 10, 10, shade(0), "4"),
		"a digit in the last corner":        white().text(t, width-8, height-3, 10, shade(0), "4"),
		"a pale digit":                      white().text(t, 100, 100, 10, shade(210), "42"),
		"a large digit that is hardly seen": white().text(t, 100, 100, 60, shade(240), "42"),
		"a digit on pale grey":              canvas(width, height, shade(245)).text(t, 100, 100, 10, shade(120), "42"),
		"a large pale digit on pale grey":   canvas(width, height, shade(245)).text(t, 100, 200, 60, shade(220), "42"),
		"a digit on a white card":           cards().text(t, 100, 100, 10, shade(90), "7"),
		"a digit on grain":                  grain(4).text(t, 100, 100, 14, shade(0), "42"),
		"a digit on dithered paper":         dither(240, checker).text(t, 100, 100, 14, shade(0), "42"),
		"a digit in a JPEG":                 jpegOf(white().text(t, 100, 100, 14, shade(0), "42"), 60),
		"a digit in a frame":                white().frame(20, 1, shade(180)).text(t, 100, 100, 10, shade(90), "7"),
		"a digit in a grid":                 grid(white(), shade(225)).text(t, 30, 60, 10, shade(90), "7"),
		"a thin curve":                      white().curve(20, 380, shade(80)),
		"a thin curve, half across":         white().curve(20, 200, shade(200)),
		"a thin curve in its axes":          white().fill(40, 270, 380, 271, shade(100)).fill(40, 20, 41, 271, shade(100)).curve(41, 380, shade(80)),
		"a thin curve in a grid":            grid(white(), shade(225)).curve(21, 370, shade(120)),
		"a line of steps":                   white().fill(20, 200, 200, 201, shade(50)).fill(200, 100, 201, 201, shade(50)).fill(200, 100, 380, 101, shade(50)),
		"lines across":                      white().fill(20, 100, 380, 101, shade(50)).fill(20, 200, 380, 201, shade(50)),
		"a sparkline":                       canvas(100, 80, color.White).curve(0, 100, shade(80)),
		"a thin bar":                        white().fill(60, 50, 62, 270, shade(0)),
		"a bar in its axes":                 white().fill(40, 270, 380, 271, shade(100)).fill(40, 20, 41, 271, shade(100)).fill(60, 100, 80, 270, shade(150)),
		"two tiles":                         white().fill(20, 20, 190, 280, color.RGBA{0, 160, 60, 255}).fill(210, 20, 380, 280, color.RGBA{200, 20, 30, 255}),
		"a dark tile":                       canvas(width, height, shade(20)),
		"a dark tile with dim text":         canvas(width, height, shade(20)).text(t, 100, 100, 14, shade(60), "42"),
		"small dots":                        white(),
		"a pale bar":                        white().fill(60, 50, 80, 270, shade(240)),
	}
	for i := range 20 {
		x, y := 20+i*17, 30+i*i*53%240
		content["small dots"].fill(x, y, x+2, y+2, shade(60))
	}
	for want, pictures := range map[bool]map[string]drawn{true: blank, false: content} {
		for name, picture := range pictures {
			var b bytes.Buffer
			if err := png.Encode(&b, picture); err != nil {
				t.Fatal(err)
			}
			if facts, err := check(t, b.Bytes(), "png"); facts.Blank != want || (err != nil) != want {
				t.Errorf("%s: %v, %+v, want blank %t", name, err, facts, want)
			}
		}
	}
}

// form is a way to write a picture of black and white as a PNG.
func form(rt *rapid.T, width, height int) picture {
	depths := map[byte][]int{grey: {1, 2, 4, 8, 16}, rgb: {8, 16}, indexed: {1, 2, 4, 8}, greyAlpha: {8, 16}, rgbAlpha: {8, 16}}
	colour := rapid.SampledFrom([]byte{grey, rgb, indexed, greyAlpha, rgbAlpha}).Draw(rt, "colour type")
	p := picture{
		width: width, height: height, colour: colour,
		depth:      rapid.SampledFrom(depths[colour]).Draw(rt, "depth"),
		interlaced: rapid.Bool().Draw(rt, "interlaced"),
		level:      rapid.IntRange(0, 6).Draw(rt, "level"),
	}
	filters := rapid.SliceOfN(rapid.ByteRange(0, 4), 1, 80).Draw(rt, "filters")
	p.filter = func(row int) byte { return filters[row%len(filters)] }
	if colour == indexed {
		p.palette = []byte{0, 0, 0, 255, 255, 255}
	}
	return p
}

// ink is what the form has for black and for white.
func (p picture) ink(black bool, channel int) uint16 {
	limit := uint16(1<<p.depth - 1)
	switch {
	case p.colour == indexed && black:
		return 0
	case p.colour == indexed:
		return 1
	case black && !(p.colour == greyAlpha && channel == 1 || p.colour == rgbAlpha && channel == 3):
		return 0
	}
	return limit
}

// In every form that a PNG can have, one thin line or one small label in a
// picture is content; a border, or pixels of which none touches another, is none.
func TestSparsePictures(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		width, height := rapid.IntRange(30, 300).Draw(rt, "width"), rapid.IntRange(30, 200).Draw(rt, "height")
		p := form(rt, width, height)
		const margin = 8
		var mark func(x, y int) bool
		blank := false
		switch kind := rapid.SampledFrom([]string{"across", "down", "slanted", "label", "nothing", "border", "dots"}).Draw(rt, "kind"); kind {
		case "across":
			at := rapid.IntRange(margin, height-1-margin).Draw(rt, "at")
			from := rapid.IntRange(0, width/4).Draw(rt, "from")
			mark = func(x, y int) bool { return y == at && x >= from && x < width-from }
		case "down":
			at := rapid.IntRange(margin, width-1-margin).Draw(rt, "at")
			mark = func(x, _ int) bool { return x == at }
		case "slanted":
			slope := rapid.Float64Range(-1, 1).Draw(rt, "slope")
			middle := float64(height) / 2
			mark = func(x, y int) bool { return y == int(math.Round(middle+slope*float64(x-width/2))) }
		case "label":
			atX, atY := rapid.IntRange(margin, width-margin-5).Draw(rt, "x"), rapid.IntRange(margin, height-margin-7).Draw(rt, "y")
			mark = func(x, y int) bool { // a 7 in five by seven
				x, y = x-atX, y-atY
				return y == 0 && x >= 0 && x < 5 || y > 0 && y < 7 && x == 4-y/2
			}
		case "nothing":
			blank, mark = true, func(int, int) bool { return false }
		case "border":
			border := rapid.IntRange(1, min(4, min(width, height)/8)).Draw(rt, "border")
			blank, mark = true, func(x, y int) bool { return min(x, y, width-1-x, height-1-y) < border }
		case "dots":
			step := rapid.IntRange(2, 40).Draw(rt, "step")
			blank, mark = true, func(x, y int) bool { return x%step == 1 && y%step == 1 }
		}
		p.sample = func(x, y, c int) uint16 { return p.ink(mark(x, y), c) }
		file := p.encode(t)
		if _, err := png.Decode(bytes.NewReader(file)); err != nil {
			rt.Fatalf("the test's own picture is none: %v", err)
		}
		facts, err := check(t, file, content.PNG)
		if got := reason(t, err) == content.Blank; got != blank || facts.Blank != blank {
			rt.Errorf("blank = %t, facts %+v, error %v, want %t", got, facts, err, blank)
		}
		if facts.Width != width || facts.Height != height {
			rt.Errorf("facts = %+v, want %d by %d", facts, width, height)
		}
	})
}

// A color that a PNG declares transparent is none.
func TestTransparentColors(t *testing.T) {
	t.Parallel()
	half := func(x, y, _ int) uint16 { return uint16(x / 20) }
	tests := map[string]struct {
		picture picture
		blank   bool
	}{
		"entries that are transparent and white": {picture{colour: indexed, depth: 4, palette: []byte{1, 2, 3, 255, 255, 255}, alpha: []byte{0}}, true},
		"entries of two whites":                  {picture{colour: indexed, depth: 4, palette: []byte{254, 255, 254, 255, 255, 255}}, true},
		"an entry that shows":                    {picture{colour: indexed, depth: 4, palette: []byte{1, 2, 3, 255, 255, 255}}, false},
		"an entry that the palette lacks":        {picture{colour: indexed, depth: 4, palette: []byte{255, 255, 255}}, false},
		"a grey of one byte":                     {picture{colour: grey, depth: 8, alpha: []byte{0, 0}, sample: func(int, int, int) uint16 { return 0 }}, true},
		"a grey of two bytes":                    {picture{colour: grey, depth: 16, alpha: []byte{1, 2}, sample: func(int, int, int) uint16 { return 0x102 }}, true},
		"another grey":                           {picture{colour: grey, depth: 16, alpha: []byte{1, 3}, sample: func(int, int, int) uint16 { return 0x102 }}, false},
		"a color": {picture{colour: rgb, depth: 8, alpha: []byte{0, 1, 0, 2, 0, 3},
			sample: func(_, _, c int) uint16 { return uint16(c + 1) }}, true},
		"another color": {picture{colour: rgb, depth: 8, alpha: []byte{0, 1, 0, 2, 0, 4},
			sample: func(_, _, c int) uint16 { return uint16(c + 1) }}, false},
	}
	for name, tt := range tests {
		p := tt.picture
		p.width, p.height = 40, 40
		if p.sample == nil {
			p.sample = half
		}
		if _, err := check(t, p.encode(t), content.PNG); (reason(t, err) == content.Blank) != tt.blank {
			t.Errorf("%s: %v, want blank %t", name, err, tt.blank)
		}
	}
}

// An animation is judged by its picture and by the frames that are shown.
func TestAnimations(t *testing.T) {
	t.Parallel()
	white, full := painted(40, 40, func(int, int) color.NRGBA { return opaque(255, 255, 255) }), chart(40, 40)
	small := painted(10, 10, func(int, int) color.NRGBA { return color.NRGBA{} })
	still := full.encode(t)
	tests := map[string]struct {
		file []byte
		want content.Reason
	}{
		"frames with content":                        {animation(t, full, true, full, full), ""},
		"blank frames beside a picture":              {animation(t, full, false, white, white), content.Blank},
		"a blank frame after one with content":       {animation(t, full, true, full, white), content.Blank},
		"a small clear frame after one with content": {animation(t, full, true, full, small), ""},
		"small clear frames alone":                   {animation(t, full, false, small, small), content.Blank},
		"a blank picture beside frames with content": {animation(t, white, false, full), content.Blank},
		"no frames, with a picture that has content": {animation(t, full, false), ""},
		"a frame that breaks off":                    {bytes.Replace(animation(t, full, false, full), []byte("fdAT"), []byte("fdAU"), 1), content.Damaged},
		"a frame outside":                            {animation(t, chart(9, 9), false, full), content.Damaged},
		"the same picture without an animation":      {still, ""},
		"pixels of a frame without a header":         {bytes.Replace(animation(t, full, false, full), []byte("fcTL"), []byte("fcTM"), 1), content.Damaged},
	}
	for name, tt := range tests {
		if _, err := check(t, tt.file, content.PNG); reason(t, err) != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// animation is a PNG with frames; the picture is the first one of them, or none.
func animation(t testing.TB, p picture, first bool, frames ...picture) []byte {
	t.Helper()
	number := uint32(0)
	var out bytes.Buffer
	control := func(f picture) {
		data := binary.BigEndian.AppendUint32(nil, number)
		number++
		for _, v := range []int{f.width, f.height, 0, 0} {
			data = binary.BigEndian.AppendUint32(data, uint32(v))
		}
		writeChunk(t, &out, "fcTL", append(data, 0, 1, 0, 10, 0, 0))
	}
	pixels := func(f picture) []byte { // the data of its IDAT chunks
		file := f.encode(t)
		var data []byte
		for at := 8; at < len(file); {
			n := int(binary.BigEndian.Uint32(file[at:]))
			if string(file[at+4:at+8]) == "IDAT" {
				data = append(data, file[at+8:at+8+n]...)
			}
			at += 12 + n
		}
		return data
	}
	out.Write(p.encode(t)[:8+25])
	writeChunk(t, &out, "acTL", []byte{0, 0, 0, byte(len(frames)), 0, 0, 0, 0})
	if first {
		control(p)
		frames = frames[1:]
	}
	writeChunk(t, &out, "IDAT", pixels(p))
	for _, f := range frames {
		control(f)
		data := pixels(f)
		for len(data) > 0 {
			n := min(len(data), 100)
			writeChunk(t, &out, "fdAT", append(binary.BigEndian.AppendUint32(nil, number), data[:n]...))
			number++
			data = data[n:]
		}
	}
	writeChunk(t, &out, "IEND", nil)
	return out.Bytes()
}

// A picture of few bytes and very many pixels ends with its deadline.
func TestDeadlineWhileUnpacking(t *testing.T) {
	t.Parallel()
	p := picture{width: 8192, height: 8192, colour: grey, depth: 8, level: 9}
	row := bytes.Repeat([]byte{255}, 8193)
	row[0] = 0
	p.rows = func(int) []byte { return row }
	file := p.encode(t)
	ctx, cancel := context.WithCancel(t.Context())
	reader := &cancelling{Reader: bytes.NewReader(file), cancel: cancel}
	begun := time.Now()
	_, err := content.Check(ctx, reader, int64(len(file)), content.PNG)
	var refusal *content.Error
	if !errors.Is(err, context.Canceled) || errors.As(err, &refusal) {
		t.Errorf("got %v after %s, want context.Canceled", err, time.Since(begun))
	}
}

// cancelling ends the context once all of the file has been read.
type cancelling struct {
	*bytes.Reader
	cancel context.CancelFunc
}

func (c *cancelling) ReadAt(p []byte, offset int64) (int, error) {
	if offset > 0 {
		c.cancel()
	}
	return c.Reader.ReadAt(p, offset)
}
