package content

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
)

// Whether a PDF is blank is decided so that a doubt counts as a mark: a page
// that is sent though it is empty does less harm than one that is held back
// though it is full. A file is blank only when every stream that could hold
// what is painted has been read, and paints nothing but white.

var (
	// Streams that hold no painting: object streams, fonts, colour profiles,
	// functions and the like.
	pdfNotPainting = regexp.MustCompile(`/Type\s*/(XRef|ObjStm|Metadata|EmbeddedFile|CMap)\b|/Subtype\s*/(Type1C|CIDFontType0C|OpenType|XML)\b|/Length[123]\b|/FunctionType\b|/ShadingType\b|/N\s+\d`)
	pdfImage       = regexp.MustCompile(`/Subtype\s*/Image\b`)
	pdfFilter      = regexp.MustCompile(`/Filter\s*(\[\s*)?(/FlateDecode|/Fl)\b\s*(\]|/[^A]|>>)`)
	pdfOtherFilter = regexp.MustCompile(`/(ASCIIHex|ASCII85|LZW|RunLength|CCITTFax|JBIG2|DCT|JPX)Decode\b|/Crypt\b|/Predictor\b`)
)

// seeStream looks at what a stream paints. It says stop once something shows.
func (f *pdfFile) seeStream(after []byte, offset int64) (bool, error) {
	dictionary, dataAt, ok, err := f.streamAt(after, offset)
	switch {
	case err != nil:
		return false, err
	case !ok:
		return false, nil
	}
	f.streamsLeft--
	switch {
	case f.streamsLeft < 0:
		f.painting.marked = true // which is a doubt
	case bytes.HasPrefix(bytes.TrimLeft(after, "\r\n"), []byte("endstream")):
		// Of no bytes: nothing to unpack, and nothing that paints.
	case pdfImage.Match(dictionary):
		f.painting.images = true
	case !pdfNotPainting.Match(dictionary):
		if err := f.painting.readStream(f, dictionary, dataAt); err != nil {
			return false, err
		}
	}
	return f.painting.shows(), nil
}

// streamAt gives the dictionary before a stream's keyword and the offset of the
// data after it. It is not ok where the word begins no stream.
func (f *pdfFile) streamAt(after []byte, offset int64) (dictionary []byte, data int64, ok bool, err error) {
	switch {
	case bytes.HasPrefix(after, []byte("\r\n")):
		data = offset + 2
	case bytes.HasPrefix(after, []byte("\n")), bytes.HasPrefix(after, []byte("\r")):
		data = offset + 1
	default:
		return nil, 0, false, nil
	}
	end := offset - int64(len("stream"))
	start := max(end-pdfDictionary, 0)
	dictionary = make([]byte, end-start)
	if _, err := f.source.ReadAt(dictionary, start); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, false, err
	}
	dictionary = bytes.TrimRight(dictionary, " \t\r\n\f\x00")
	if !bytes.HasSuffix(dictionary, []byte(">>")) {
		return nil, 0, false, nil
	}
	if i := bytes.LastIndex(dictionary, []byte("obj")); i >= 0 {
		dictionary = dictionary[i:]
	}
	return dictionary, data, true, nil
}

// pdfPainting reads content streams until it has seen a mark.
type pdfPainting struct {
	marked bool // something other than white was painted
	placed bool // something from elsewhere was placed, which may be an image
	images bool // there are images
}

// shows reports whether anything is painted on any page.
func (p *pdfPainting) shows() bool { return p.marked || p.placed && p.images }

// readStream reads one stream. One that it cannot read counts as a mark.
func (p *pdfPainting) readStream(f *pdfFile, dictionary []byte, offset int64) error {
	var (
		data io.Reader
		err  error
	)
	switch {
	case !bytes.Contains(dictionary, []byte("/Filter")):
		data, err = f.plain(offset)
	case pdfFilter.Match(dictionary) && !pdfOtherFilter.Match(dictionary):
		data, err = f.unpack(offset)
	default:
		err = errOtherFilter
	}
	if err != nil {
		p.marked = true
		return nil
	}
	if err := p.read(bufio.NewReaderSize(data, 16<<10)); err != nil {
		return err
	}
	p.marked = p.marked || f.unpackLeft <= 0
	return nil
}

var errOtherFilter = errors.New("the stream is packed in another way")

// pdfColours are the part of the graphics state that decides whether painting
// shows.
type pdfColours struct {
	whiteFill, whiteStroke, hiddenText bool
}

// pdfMaxSaved is how deep saved graphics states are followed; beyond it, they
// count as black.
const pdfMaxSaved = 64

// read reads a content stream: operands, then their operator, again and again.
func (p *pdfPainting) read(in *bufio.Reader) error {
	var (
		now     pdfColours
		saved   []pdfColours
		numbers []float64 // the last operands, at most 8
		text    bool      // a string among the operands has a byte that shows
	)
	for !p.marked {
		token, kind, err := pdfToken(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch kind {
		case pdfString:
			text = text || token != ""
			continue
		case pdfOther:
			continue
		}
		if n, err := strconv.ParseFloat(token, 64); err == nil {
			if len(numbers) == 8 {
				numbers = append(numbers[:0], numbers[1:]...)
			}
			numbers = append(numbers, n)
			continue
		}
		white := isWhite(token, numbers)
		switch token {
		case "endstream":
			return nil
		case "q":
			saved = append(saved, now)
			if len(saved) > pdfMaxSaved {
				saved = append(saved[:0], saved[1:]...)
			}
		case "Q":
			now = pdfColours{}
			if n := len(saved); n > 0 {
				now, saved = saved[n-1], saved[:n-1]
			}
		case "g", "rg", "k", "sc", "scn", "cs":
			now.whiteFill = white
		case "G", "RG", "K", "SC", "SCN", "CS":
			now.whiteStroke = white
		case "Tr":
			now.hiddenText = len(numbers) > 0 && numbers[len(numbers)-1] == 3
		case "f", "F", "f*":
			p.marked = !now.whiteFill
		case "S", "s":
			p.marked = !now.whiteStroke
		case "B", "B*", "b", "b*":
			p.marked = !now.whiteFill || !now.whiteStroke
		case "Tj", "TJ", "'", `"`:
			p.marked = text && !now.hiddenText && !now.whiteFill
		case "sh", "BI":
			p.marked = true
		case "Do":
			p.placed = true
		}
		numbers, text = numbers[:0], false
	}
	return nil
}

// isWhite reports whether a colour operator sets white. In a colour space of its
// own, three ones are taken for white and nothing else is.
func isWhite(operator string, operands []float64) bool {
	all := func(n int, value float64) bool {
		if len(operands) < n {
			return false
		}
		for _, v := range operands[len(operands)-n:] {
			if v != value {
				return false
			}
		}
		return true
	}
	switch operator {
	case "g", "G":
		return all(1, 1)
	case "rg", "RG":
		return all(3, 1)
	case "k", "K":
		return all(4, 0)
	case "sc", "SC", "scn", "SCN":
		return len(operands) == 3 && all(3, 1)
	default:
		return false
	}
}

type pdfTokenKind int

const (
	pdfWord   pdfTokenKind = iota // a number or an operator
	pdfString                     // "" if it is empty or white space alone
	pdfOther                      // a name, a bracket, a comment
)

// pdfMaxToken is the longest word that is told from others.
const pdfMaxToken = 32

// pdfToken reads the next token of a content stream.
func pdfToken(in *bufio.Reader) (string, pdfTokenKind, error) {
	b, err := in.ReadByte()
	for err == nil && isPDFSpace(b) {
		b, err = in.ReadByte()
	}
	if err != nil {
		return "", pdfOther, err
	}
	switch b {
	case '(':
		return pdfLiteral(in)
	case '<':
		next, err := in.ReadByte()
		if err != nil || next == '<' {
			return "", pdfOther, err
		}
		return pdfHex(in, next)
	case '%':
		for b != '\n' && b != '\r' {
			if b, err = in.ReadByte(); err != nil {
				return "", pdfOther, err
			}
		}
		return "", pdfOther, nil
	case ')', '>', '[', ']', '{', '}':
		return "", pdfOther, nil
	}
	kind := pdfWord
	if b == '/' {
		kind = pdfOther
	}
	word := []byte{b}
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return string(word), kind, nil
		}
		if err != nil {
			return "", pdfOther, err
		}
		if isPDFSpace(b) || bytes.IndexByte([]byte("()<>[]{}/%"), b) >= 0 {
			return string(word), kind, in.UnreadByte()
		}
		if len(word) < pdfMaxToken {
			word = append(word, b)
		}
	}
}

func isPDFSpace(b byte) bool {
	return b == ' ' || b == '\n' || b == '\r' || b == '\t' || b == '\f' || b == 0
}

// pdfLiteral reads a string in parentheses to its end.
func pdfLiteral(in *bufio.Reader) (string, pdfTokenKind, error) {
	shown := ""
	for depth := 1; depth > 0; {
		b, err := in.ReadByte()
		if err != nil {
			return "", pdfOther, err
		}
		switch {
		case b == '\\':
			if _, err := in.ReadByte(); err != nil {
				return "", pdfOther, err
			}
			shown = "x"
		case b == '(':
			depth++
			shown = "x"
		case b == ')':
			depth--
		case !isPDFSpace(b):
			shown = "x"
		}
	}
	return shown, pdfString, nil
}

// pdfHex reads a string in hexadecimal digits to its end.
func pdfHex(in *bufio.Reader, first byte) (string, pdfTokenKind, error) {
	shown := ""
	for b := first; b != '>'; {
		if b != '0' && !isPDFSpace(b) {
			shown = "x"
		}
		var err error
		if b, err = in.ReadByte(); err != nil {
			return "", pdfOther, err
		}
	}
	return shown, pdfString, nil
}
