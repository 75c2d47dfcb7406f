package content

import "math"

// pdfSpace is a color space. Source: ISO 32000-1, 8.6.
type pdfSpace struct {
	kind       pdfName // DeviceGray, DeviceRGB, DeviceCMYK, Lab, Indexed, Separation, Pattern, None, or ""
	components int     // 0 if that is not known
	base       *pdfSpace
	table      []byte // of Indexed
	highest    int    // its last index
	rangeAB    [4]float64
	tint       *[2][]float64 // the colors of Separation at 0 and 1, if they say it all
}

const pdfMaxComponents = 32

var (
	pdfGray = &pdfSpace{kind: "DeviceGray", components: 1}
	pdfRGB  = &pdfSpace{kind: "DeviceRGB", components: 3}
	pdfCMYK = &pdfSpace{kind: "DeviceCMYK", components: 4}
)

// pdfColor is a color on white paper, each part from 0 to 255.
type pdfColor struct{ r, g, b byte }

// pdfUnknown is a color of which nothing is known, so that it counts as one that
// shows.
var pdfUnknown = pdfColor{0, 0, 0}

// space reads a color space.
func (f *pdfFile) space(v any, resources pdfDict, depth int) *pdfSpace {
	unknown := &pdfSpace{}
	if depth > 8 {
		return unknown
	}
	f.unpackLeft -= 64 // what it costs, as bytes to unpack
	v = f.get(v)
	if name, ok := v.(pdfName); ok {
		switch name {
		case "DeviceGray", "G", "CalGray":
			return pdfGray
		case "DeviceRGB", "RGB", "CalRGB":
			return pdfRGB
		case "DeviceCMYK", "CMYK":
			return pdfCMYK
		case "Pattern":
			return &pdfSpace{kind: "Pattern"}
		}
		spaces, _ := f.get(resources["ColorSpace"]).(pdfDict)
		if named, ok := spaces[name]; ok {
			if again, ok := f.get(named).(pdfName); ok && again == name {
				return unknown
			}
			return f.space(named, resources, depth+1)
		}
		return unknown
	}
	a, _ := v.(pdfArray)
	if len(a) == 0 {
		return unknown
	}
	family, _ := f.get(a[0]).(pdfName)
	at := func(i int) any {
		if i < len(a) {
			return a[i]
		}
		return nil
	}
	switch family {
	case "DeviceGray", "G", "DeviceRGB", "RGB", "DeviceCMYK", "CMYK", "CalGray", "CalRGB", "Pattern":
		return f.space(family, nil, depth+1)
	case "ICCBased":
		if profile, ok := f.get(at(1)).(*pdfStream); ok {
			switch f.get(profile.dict["N"]) {
			case 1.0:
				return pdfGray
			case 3.0:
				if alternate, ok := f.get(profile.dict["Alternate"]).(pdfArray); ok {
					if s := f.space(alternate, resources, depth+1); s.kind == "Lab" {
						return s
					}
				}
				return pdfRGB
			case 4.0:
				return pdfCMYK
			}
		}
	case "Lab":
		s := &pdfSpace{kind: "Lab", components: 3, rangeAB: [4]float64{-100, 100, -100, 100}}
		dict, _ := f.get(at(1)).(pdfDict)
		if limits := f.numbers(dict["Range"]); len(limits) == 4 {
			copy(s.rangeAB[:], limits)
		}
		return s
	case "Indexed", "I":
		base := f.space(at(1), resources, depth+1)
		highest, _ := f.get(at(2)).(float64)
		s := &pdfSpace{kind: "Indexed", components: 1, base: base, highest: int(min(max(highest, 0), 255))}
		switch table := f.get(at(3)).(type) {
		case pdfString:
			s.table = []byte(table)
		case *pdfStream:
			s.table = f.head(table, 256*4)
		}
		return s
	case "Separation", "DeviceN":
		s := &pdfSpace{kind: "Separation", components: 1, base: f.space(at(2), resources, depth+1)}
		if family == "DeviceN" {
			names, _ := f.get(at(1)).(pdfArray)
			if s.components = len(names); s.components < 1 || s.components > pdfMaxComponents {
				return unknown
			}
		} else if f.get(at(1)) == pdfName("None") {
			s.kind = "None"
		}
		if function, ok := f.get(at(3)).(pdfDict); ok && s.components == 1 && f.get(function["FunctionType"]) == 2.0 {
			zero, one := f.numbers(function["C0"]), f.numbers(function["C1"])
			if n := s.base.components; n > 0 && len(zero) == n && len(one) == n {
				s.tint = &[2][]float64{zero, one}
			}
		}
		return s
	}
	return unknown
}

// numbers returns an array's numbers, nil if it is none or has other values.
func (f *pdfFile) numbers(v any) []float64 {
	a, _ := f.get(v).(pdfArray)
	if len(a) > 256 {
		return nil
	}
	all := make([]float64, 0, len(a))
	for _, v := range a {
		n, ok := f.get(v).(float64)
		if !ok {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// head returns the first bytes of a stream, at most so many.
func (f *pdfFile) head(stream *pdfStream, most int) []byte {
	data, err := f.open(stream)
	if err != nil {
		f.inDoubt = true
		return nil
	}
	defer data.Close()
	out := make([]byte, most)
	n := 0
	for n < most {
		read, err := data.Read(out[n:])
		n += read
		if err != nil {
			break
		}
	}
	return out[:n]
}

// first returns the color that a space begins with.
func (s *pdfSpace) first() []float64 {
	switch s.kind {
	case "DeviceCMYK":
		return []float64{0, 0, 0, 1}
	case "Separation", "None":
		all := make([]float64, s.components)
		for i := range all {
			all[i] = 1
		}
		return all
	}
	return make([]float64, s.components)
}

// color returns what a space's components stand for. Of a space that is not
// known, three ones are taken for white and nothing else is.
func (s *pdfSpace) color(v []float64) pdfColor {
	if s.components > 0 && len(v) != s.components {
		if len(v) < s.components {
			return pdfUnknown
		}
		v = v[len(v)-s.components:]
	}
	switch s.kind {
	case "DeviceGray":
		n := byteOf(v[0])
		return pdfColor{n, n, n}
	case "DeviceRGB":
		return pdfColor{byteOf(v[0]), byteOf(v[1]), byteOf(v[2])}
	case "DeviceCMYK":
		return pdfColor{byteOf(1 - v[0] - v[3]), byteOf(1 - v[1] - v[3]), byteOf(1 - v[2] - v[3])}
	case "Lab": // as far as it tells white from what is not
		light := byteOf(v[0] / 100)
		tone := byteOf(max(math.Abs(v[1]), math.Abs(v[2])) / 100)
		return pdfColor{light, light, light - min(tone, light)}
	case "Indexed":
		n := s.base.components
		i := int(min(max(v[0], 0), float64(s.highest)))
		if n == 0 || (i+1)*n > len(s.table) {
			return pdfUnknown
		}
		parts := make([]float64, n)
		for c := range parts {
			parts[c] = s.base.scaled(c, float64(s.table[i*n+c])/255)
		}
		return s.base.color(parts)
	case "None":
		return pdfColor{255, 255, 255}
	case "Separation":
		if s.tint != nil {
			parts := make([]float64, s.base.components)
			for c := range parts {
				parts[c] = s.tint[0][c] + min(max(v[0], 0), 1)*(s.tint[1][c]-s.tint[0][c])
			}
			return s.base.color(parts)
		}
		// No tint is the lightest color that there is.
		most := 0.0
		for _, tint := range v {
			most = max(most, tint)
		}
		n := byteOf(1 - most)
		return pdfColor{n, n, n}
	}
	if len(v) == 3 && v[0] == 1 && v[1] == 1 && v[2] == 1 {
		return pdfColor{255, 255, 255}
	}
	return pdfUnknown
}

// scaled returns a component of an image, from 0 to 1, in the range that the
// space has for it.
func (s *pdfSpace) scaled(component int, v float64) float64 {
	if s.kind != "Lab" {
		return v
	}
	if component == 0 {
		return v * 100
	}
	low, high := s.rangeAB[2*component-2], s.rangeAB[2*component-1]
	return low + v*(high-low)
}

func byteOf(v float64) byte { return byte(math.Round(min(max(v, 0), 1) * 255)) }
