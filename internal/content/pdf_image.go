package content

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"io"
)

const (
	// Pictures with a side below this are parts of one, such as a tile of a single
	// color or a strip, so that they are looked at where they are painted. Larger
	// ones are looked at by themselves, as a PNG is.
	pdfPartOfPicture = 32

	pdfMaxPixels = 48 << 20 // of all pictures; what is more may show something
	pdfMaxJPEG   = 1 << 19  // pixels of one that is decoded
)

// pdfPicture is an image while its rows are read. Source: ISO 32000-1, 8.9.
type pdfPicture struct {
	width, height int
	next          func(colors []pdfColor, alpha []byte) error // the next row; alpha is 255 before

	// Of samples:
	r        io.Reader
	depth    int
	space    *pdfSpace
	decode   []float64
	row      []byte
	table    []pdfColor // of the samples, if there is one for each pixel
	through  []float64  // the samples that are transparent, from and to
	values   []float64
	stencil  bool     // the samples say where the color is painted
	painting pdfColor // of a stencil
}

// key returns an entry of an image's dictionary, which has a short name too.
func (f *pdfFile) key(d pdfDict, long, short pdfName) any {
	if v, ok := d[long]; ok {
		return f.get(v)
	}
	return f.get(d[short])
}

// picture begins to read an image. It is not ok where it cannot be read.
func (f *pdfFile) picture(d pdfDict, data *pdfData, resources pdfDict, painting pdfColor) (*pdfPicture, bool) {
	width, _ := f.key(d, "Width", "W").(float64)
	height, _ := f.key(d, "Height", "H").(float64)
	if width < 1 || height < 1 || width > maxSide || height > maxSide || width*height > float64(f.pixelsLeft) {
		return nil, false
	}
	f.pixelsLeft -= max(int(width*height), 1024)
	p := &pdfPicture{width: int(width), height: int(height), r: data, painting: painting}
	p.stencil, _ = f.key(d, "ImageMask", "IM").(bool)
	p.decode = f.numbers(f.key(d, "Decode", "D"))
	if space := f.key(d, "ColorSpace", "CS"); p.stencil {
		p.space, p.depth = pdfGray, 1
	} else if space != nil {
		p.space = f.space(space, resources, 0)
		depth, _ := f.key(d, "BitsPerComponent", "BPC").(float64)
		p.depth = int(depth)
	}
	if data.image != "" {
		return p, f.jpeg(p, data, d)
	}
	if p.space == nil || p.space.components < 1 || p.depth != 1 && p.depth != 2 && p.depth != 4 && p.depth != 8 && p.depth != 16 {
		return nil, false
	}
	n := p.space.components
	length := (p.width*n*p.depth + 7) / 8
	if length > pdfMaxRow || len(p.decode) != 0 && len(p.decode) < 2*n {
		return nil, false
	}
	f.unpackLeft -= int64(length)
	if key := f.numbers(d["Mask"]); len(key) >= 2*n {
		p.through = key[:2*n]
	}
	p.row, p.values = make([]byte, length), make([]float64, n)
	if n == 1 && p.depth <= 8 {
		p.table = make([]pdfColor, 1<<p.depth)
		for i := range p.table {
			p.values[0] = p.decoded(0, float64(i))
			p.table[i] = p.space.color(p.values)
		}
	}
	p.next = p.samples
	return p, true
}

// decoded returns what a sample of a component stands for.
func (p *pdfPicture) decoded(component int, sample float64) float64 {
	most := float64(uint(1)<<p.depth - 1)
	if len(p.decode) > 0 {
		low, high := p.decode[2*component], p.decode[2*component+1]
		return low + sample*(high-low)/most
	}
	if p.space.kind == "Indexed" {
		return sample
	}
	return p.space.scaled(component, sample/most)
}

// samples reads a row of samples.
func (p *pdfPicture) samples(colors []pdfColor, alpha []byte) error {
	if _, err := io.ReadFull(p.r, p.row); err != nil {
		return noEOF(err)
	}
	n := p.space.components
	if p.space == pdfRGB && p.depth == 8 && len(p.decode) == 0 && p.through == nil {
		for x := range colors {
			colors[x] = pdfColor{p.row[3*x], p.row[3*x+1], p.row[3*x+2]}
		}
		return nil
	}
	for x := range colors {
		masked := p.through != nil
		sample := 0
		for c := range n {
			sample = p.sample(x*n + c)
			if p.table == nil {
				p.values[c] = p.decoded(c, float64(sample))
			}
			masked = masked && float64(sample) >= p.through[2*c] && float64(sample) <= p.through[2*c+1]
		}
		if p.table != nil {
			colors[x] = p.table[sample]
		} else {
			colors[x] = p.space.color(p.values)
		}
		switch {
		case masked:
			alpha[x] = 0
		case p.stencil:
			if colors[x].r > 127 {
				alpha[x] = 0
			}
			colors[x] = p.painting
		}
	}
	return nil
}

func (p *pdfPicture) sample(i int) int {
	switch p.depth {
	case 8:
		return int(p.row[i])
	case 16:
		return int(p.row[2*i])<<8 | int(p.row[2*i+1])
	}
	bit := i * p.depth
	return int(p.row[bit/8]) >> (8 - p.depth - bit%8) & (1<<p.depth - 1)
}

// jpeg decodes a JPEG of moderate size whose colors are what they seem.
func (f *pdfFile) jpeg(p *pdfPicture, data *pdfData, d pdfDict) bool {
	if data.image != "DCTDecode" && data.image != "DCT" || len(p.decode) > 0 || p.stencil || data.parms["ColorTransform"] != nil {
		return false
	}
	if _, keyed := f.get(d["Mask"]).(pdfArray); keyed {
		return false
	}
	var begin bytes.Buffer
	config, err := jpeg.DecodeConfig(io.TeeReader(data, &begin))
	if err != nil || config.Width != p.width || config.Height != p.height || config.Width*config.Height > pdfMaxJPEG {
		return false
	}
	switch {
	case config.ColorModel == color.GrayModel && p.space == pdfGray:
	case config.ColorModel == color.YCbCrModel && p.space == pdfRGB:
	default:
		return false
	}
	decoded, err := jpeg.Decode(io.MultiReader(&begin, data))
	if err != nil {
		return false
	}
	y := 0
	p.next = func(colors []pdfColor, _ []byte) error {
		for x := range colors {
			switch img := decoded.(type) {
			case *image.Gray:
				v := img.GrayAt(x, y).Y
				colors[x] = pdfColor{v, v, v}
			case *image.YCbCr:
				c := img.YCbCrAt(x, y)
				r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
				colors[x] = pdfColor{r, g, b}
			default:
				colors[x] = pdfUnknown
			}
		}
		y++
		return nil
	}
	return true
}

// pdfAlpha is the mask of an image, which may be of another size.
type pdfAlpha struct {
	picture *pdfPicture
	data    *pdfData
	stencil bool
	read    int // rows
	colors  []pdfColor
	opaque  []byte
	row     []byte
}

// alphaOf begins to read the mask of an image, nil if there is none. It is not ok
// where the mask cannot be read.
func (f *pdfFile) alphaOf(d pdfDict) (*pdfAlpha, bool) {
	mask, soft := f.get(d["SMask"]).(*pdfStream)
	if !soft {
		var explicit bool
		if mask, explicit = f.get(d["Mask"]).(*pdfStream); !explicit {
			return nil, true
		}
	}
	data, err := f.open(mask)
	if err != nil {
		return nil, false
	}
	dict := mask.dict
	if soft && dict["ColorSpace"] == nil || !soft && dict["ImageMask"] == nil {
		data.Close()
		return nil, false
	}
	p, ok := f.picture(dict, data, nil, pdfColor{})
	if !ok {
		data.Close()
		return nil, false
	}
	return &pdfAlpha{picture: p, data: data, stencil: !soft,
		colors: make([]pdfColor, p.width), opaque: make([]byte, p.width), row: make([]byte, p.width)}, true
}

// at returns the mask of a row of an image in alpha: of several that fall on a pixel, what
// lets most show.
func (a *pdfAlpha) at(y, height int, alpha []byte) error {
	from := y * a.picture.height / height
	to := max((y+1)*a.picture.height/height, from+1)
	for first := true; a.read < to; {
		for i := range a.opaque {
			a.opaque[i] = 255
		}
		if err := a.picture.next(a.colors, a.opaque); err != nil {
			return err
		}
		a.read++
		if a.read <= from {
			continue
		}
		if first {
			clear(a.row)
			first = false
		}
		for i, c := range a.colors {
			v := a.opaque[i]
			if !a.stencil {
				v = c.r
			}
			a.row[i] = max(a.row[i], v)
		}
	}
	width := len(alpha)
	for x := range alpha {
		from := x * a.picture.width / width
		to := max((x+1)*a.picture.width/width, from+1)
		most := byte(0)
		for _, v := range a.row[from:to] {
			most = max(most, v)
		}
		alpha[x] = min(alpha[x], most)
	}
	return nil
}

// paintImage looks at an image where it is placed. One that cannot be read counts
// as a mark.
func (p *pdfPainter) paintImage(d pdfDict, data *pdfData, now *pdfState) {
	place := now.matrix.box(pdfBox{0, 0, 1, 1})
	seen := place.and(now.clip).and(p.raster.page)
	if place.known() && (!place.touches(now.clip) || !place.touches(p.raster.page) || now.clip.empty()) {
		return
	}
	opacity := now.outer * now.fillAlpha
	painting, known := now.fill.colorOf()
	if byteOf(opacity) == 0 {
		return
	}
	picture, ok := p.file.picture(d, data, p.resources, painting)
	if !ok || now.odd || !known && picture.stencil {
		p.raster.box(place, now.clip, pngShade{distance: 255})
		return
	}
	mask, ok := p.file.alphaOf(d)
	if !ok {
		p.raster.box(place, now.clip, pngShade{distance: 255})
		return
	}
	if mask != nil {
		defer mask.data.Close()
	}
	colors, alpha, distances := make([]pdfColor, picture.width), make([]byte, picture.width), make([]byte, picture.width)
	whole := min(picture.width, picture.height) >= pdfPartOfPicture
	look := newInk(picture.width, picture.height)
	for y := 0; y < picture.height && !p.raster.shown && !look.decided(); y++ {
		for i := range alpha {
			alpha[i] = 255
		}
		err := picture.next(colors, alpha)
		if err == nil && mask != nil {
			err = mask.at(y, picture.height, alpha)
		}
		if err != nil {
			p.raster.box(place, now.clip, pngShade{distance: 255})
			return
		}
		for x, c := range colors {
			shade := shadeOf(int(c.r), int(c.g), int(c.b), int(float64(alpha[x])*opacity))
			distances[x] = shade.distance
			switch {
			case whole && shade.grey:
				look.grey(shade.distance)
			case !whole && shade.distance > 0:
				w, h := float64(picture.width), float64(picture.height)
				top := h - float64(y)
				p.raster.box(now.matrix.box(pdfBox{float64(x) / w, (top - 1) / h, float64(x+1) / w, top / h}), now.clip, shade)
			}
		}
		if whole {
			look.row(distances)
		}
	}
	if whole && (look.decided() || look.shows()) {
		// As much of it as is seen, which may be too little.
		p.raster.box(seen, now.clip, pngShade{distance: 255})
	}
}
