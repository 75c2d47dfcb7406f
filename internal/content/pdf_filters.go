package content

import (
	"bufio"
	"compress/lzw"
	"compress/zlib"
	"encoding/ascii85"
	"errors"
	"io"

	tifflzw "golang.org/x/image/tiff/lzw"
)

var (
	errPDFFilter = errors.New("the stream is packed in a way that is not known")
	errTooMuch   = errors.New("more than is unpacked of a file")
)

const (
	pdfMaxFilters = 8
	pdfMaxRow     = 1 << 20 // bytes of a row of pixels
)

// pdfData reads a stream's data, unpacked. What it returns counts against what
// may be unpacked of the file.
type pdfData struct {
	file  *pdfFile
	r     io.Reader
	image pdfName // the last filter, if only pictures have it and it is left to do
	parms pdfDict // of that filter
	flate []*pdfFlate
}

func (d *pdfData) Read(p []byte) (int, error) {
	if d.file.unpackLeft <= 0 {
		return 0, errTooMuch
	}
	if err := d.file.source.ctx.Err(); err != nil {
		d.file.source.err = err
		return 0, err
	}
	n, err := d.r.Read(p[:min(int64(len(p)), d.file.unpackLeft)])
	d.file.unpackLeft -= int64(n) + 1 // so that one that never ends does
	return n, err
}

// Close makes what the data was unpacked with available to other streams.
func (d *pdfData) Close() {
	d.file.flates = append(d.file.flates, d.flate...)
	d.flate = nil
}

// pdfFailing keeps to its first error. A decoder that is asked again after one may
// say that the data has ended.
type pdfFailing struct {
	r   io.Reader
	err error
}

func (f *pdfFailing) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.r.Read(p)
	f.err = err
	return n, err
}

// pdfFlate is a reader of zlib's format that is used again and again.
type pdfFlate struct {
	in *bufio.Reader
	z  io.Reader
	r  io.Reader // what is read, until it is begun
}

// Read begins with the first byte that is wanted: no bytes unpack to none.
func (f *pdfFlate) Read(p []byte) (int, error) {
	if f.r != nil {
		f.in.Reset(f.r)
		f.r = nil
		if _, err := f.in.Peek(1); err != nil {
			return 0, err
		}
		var err error
		if resetter, ok := f.z.(zlib.Resetter); ok {
			err = resetter.Reset(f.in, nil)
		} else {
			f.z, err = zlib.NewReader(f.in)
		}
		if err != nil {
			f.z = nil
			return 0, noEOF(err)
		}
	}
	if f.z == nil {
		return 0, io.EOF
	}
	return f.z.Read(p)
}

// noEOF is for an error after which a stream is not whole.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unpack reads the data of a stream with a dictionary through its filters.
func (f *pdfFile) unpack(dict pdfDict, raw io.Reader) (*pdfData, error) {
	d := &pdfData{file: f, r: raw}
	filters := f.list(dict, "Filter", "F")
	parms := f.list(dict, "DecodeParms", "DP")
	if len(filters) > pdfMaxFilters {
		return nil, errPDFFilter
	}
	for i, filter := range filters {
		name, ok := f.get(filter).(pdfName)
		if !ok || d.image != "" {
			d.Close()
			return nil, errPDFFilter
		}
		var p pdfDict
		if i < len(parms) {
			p, _ = f.get(parms[i]).(pdfDict)
		}
		if err := d.filter(name, p); err != nil {
			d.Close()
			return nil, err
		}
		d.r = &pdfFailing{r: d.r}
	}
	return d, nil
}

// list returns a value that is one thing or an array of them. Inline images have
// a short key.
func (f *pdfFile) list(dict pdfDict, key, short pdfName) pdfArray {
	v, found := dict[key]
	if !found && dict["Length"] == nil {
		v, found = dict[short]
	}
	if !found || v == nil {
		return nil
	}
	if a, ok := f.get(v).(pdfArray); ok {
		return a
	}
	return pdfArray{v}
}

func (d *pdfData) filter(name pdfName, parms pdfDict) error {
	switch name {
	case "FlateDecode", "Fl":
		var flate *pdfFlate
		if n := len(d.file.flates); n > 0 {
			flate, d.file.flates = d.file.flates[n-1], d.file.flates[:n-1]
		} else {
			flate = &pdfFlate{in: bufio.NewReaderSize(nil, 4<<10)}
		}
		flate.r = d.r
		d.flate = append(d.flate, flate)
		d.r = flate
		return d.predict(parms)
	case "LZWDecode", "LZW":
		if early, ok := d.file.get(parms["EarlyChange"]).(float64); ok && early == 0 {
			d.r = &pdfEmptyOr{r: d.r, make: func(r io.Reader) io.Reader { return lzw.NewReader(r, lzw.MSB, 8) }}
		} else {
			d.r = &pdfEmptyOr{r: d.r, make: func(r io.Reader) io.Reader { return tifflzw.NewReader(r, tifflzw.MSB, 8) }}
		}
		return d.predict(parms)
	case "ASCII85Decode", "A85":
		d.r = ascii85.NewDecoder(&pdfUntilTilde{in: bufio.NewReaderSize(d.r, 1<<10)})
	case "ASCIIHexDecode", "AHx":
		d.r = &pdfHexDecoder{in: bufio.NewReaderSize(d.r, 1<<10)}
	case "RunLengthDecode", "RL":
		d.r = &pdfRuns{in: bufio.NewReaderSize(d.r, 1<<10)}
	case "Crypt":
		if name, ok := d.file.get(parms["Name"]).(pdfName); ok && name != "Identity" {
			return errPDFFilter
		}
	case "DCTDecode", "DCT", "JPXDecode", "CCITTFaxDecode", "CCF", "JBIG2Decode":
		d.image, d.parms = name, parms
	default:
		return errPDFFilter
	}
	return nil
}

// pdfEmptyOr is a decoder of what is not empty.
type pdfEmptyOr struct {
	r    io.Reader
	make func(io.Reader) io.Reader
	made io.Reader
}

func (e *pdfEmptyOr) Read(p []byte) (int, error) {
	if e.made == nil {
		in := bufio.NewReaderSize(e.r, 1<<10)
		if _, err := in.Peek(1); err != nil {
			return 0, err
		}
		e.made = e.make(in)
	}
	return e.made.Read(p)
}

// pdfUntilTilde ends where data in ASCII base-85 does, and leaves out the mark
// with which some writers begin it.
type pdfUntilTilde struct {
	in    *bufio.Reader
	begun bool
	ended bool
}

func (u *pdfUntilTilde) Read(p []byte) (int, error) {
	if !u.begun {
		u.begun = true
		if head, _ := u.in.Peek(2); string(head) == "<~" {
			_, _ = u.in.Discard(2)
		}
	}
	n := 0
	for n < len(p) && !u.ended {
		b, err := u.in.ReadByte()
		switch {
		case err != nil && n > 0 && errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		case b == '~':
			u.ended = true
		default:
			p[n] = b
			n++
		}
	}
	if n == 0 && u.ended {
		return 0, io.EOF
	}
	return n, nil
}

// pdfHexDecoder reads hexadecimal digits up to a bracket.
type pdfHexDecoder struct {
	in    *bufio.Reader
	ended bool
}

func (h *pdfHexDecoder) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && !h.ended {
		high, err := h.digit()
		if err != nil {
			return n, err
		}
		if high < 0 {
			break
		}
		low, err := h.digit()
		if err != nil {
			return n, err
		}
		p[n] = byte(high<<4 | max(low, 0))
		n++
	}
	if n == 0 && h.ended {
		return 0, io.EOF
	}
	return n, nil
}

// digit returns -1 at the end.
func (h *pdfHexDecoder) digit() (int, error) {
	for !h.ended {
		b, err := h.in.ReadByte()
		switch digit := hexDigit(b); {
		case errors.Is(err, io.EOF), err == nil && b == '>':
			h.ended = true
		case err != nil:
			return 0, err
		case digit >= 0:
			return digit, nil
		case !isPDFSpace(b):
			return 0, errPDFFilter
		}
	}
	return -1, nil
}

// pdfRuns unpacks runs of bytes. Source: ISO 32000-1, 7.4.5.
type pdfRuns struct {
	in     *bufio.Reader
	left   int
	repeat bool
	value  byte
	ended  bool
}

func (r *pdfRuns) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if r.left == 0 {
			if err := r.begin(); err != nil {
				return n, err
			}
			if r.ended {
				break
			}
		}
		b := r.value
		if !r.repeat {
			var err error
			if b, err = r.in.ReadByte(); err != nil {
				return n, noEOF(err)
			}
		}
		p[n] = b
		n++
		r.left--
	}
	if n == 0 && r.ended {
		return 0, io.EOF
	}
	return n, nil
}

func (r *pdfRuns) begin() error {
	if r.ended {
		return nil
	}
	length, err := r.in.ReadByte()
	switch {
	case errors.Is(err, io.EOF), err == nil && length == 128:
		r.ended = true
		return nil
	case err != nil:
		return err
	}
	r.repeat = length > 128
	if !r.repeat {
		r.left = int(length) + 1
		return nil
	}
	r.left = 257 - int(length)
	r.value, err = r.in.ReadByte()
	return noEOF(err)
}

// predict undoes a predictor.
func (d *pdfData) predict(parms pdfDict) error {
	number := func(key pdfName, otherwise int) int {
		if v, ok := d.file.get(parms[key]).(float64); ok {
			return int(v)
		}
		return otherwise
	}
	kind := number("Predictor", 1)
	if kind == 1 {
		return nil
	}
	colors, depth, columns := number("Colors", 1), number("BitsPerComponent", 8), number("Columns", 1)
	if colors < 1 || colors > 32 || depth < 1 || depth > 16 || columns < 1 || columns > 8*pdfMaxRow {
		return errPDFFilter
	}
	bits := colors * depth
	length := (bits*columns + 7) / 8
	if length > pdfMaxRow || kind < 10 && (kind != 2 || depth != 8) {
		return errPDFFilter
	}
	p := &pdfPredictor{r: d.r, row: make([]byte, length), distance: max(bits/8, 1), tiff: kind == 2}
	if !p.tiff {
		p.above = make([]byte, length)
	}
	d.r = p
	return nil
}

// pdfPredictor undoes the predictors of PNG and the one of TIFF.
type pdfPredictor struct {
	r          io.Reader
	row, above []byte
	distance   int
	tiff       bool
	out        []byte // of the row, still to be read
}

func (p *pdfPredictor) Read(b []byte) (int, error) {
	if len(p.out) == 0 {
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

func (p *pdfPredictor) next() error {
	filter := byte(1)
	if !p.tiff {
		p.row, p.above = p.above, p.row
		var kind [1]byte
		if _, err := io.ReadFull(p.r, kind[:]); err != nil {
			return err
		}
		if filter = kind[0]; filter > 4 {
			return errPDFFilter
		}
	}
	n, err := io.ReadFull(p.r, p.row)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF): // a last row may be short
	case err != nil:
		return err
	}
	row := p.row[:n]
	unfilter(filter, row, p.above[:min(n, len(p.above))], p.distance)
	p.out = row
	return nil
}
