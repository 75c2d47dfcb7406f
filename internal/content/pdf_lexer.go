package content

import (
	"bufio"
	"errors"
	"io"
	"math"
)

// The values of a PDF: numbers are float64, and null is nil.
type (
	pdfName   string
	pdfString string
	pdfWord   string // a keyword or an operator
	pdfRef    int    // the number of an object
	pdfArray  []any
	pdfDict   map[pdfName]any
)

const (
	pdfMaxDepth  = 100     // of arrays and dictionaries
	pdfMaxText   = 4096    // bytes of a name or string that are kept
	pdfMaxKept   = 100_000 // values of an object, beyond which arrays are not kept
	pdfMaxValues = 1 << 20 // of an object
)

var (
	errPDFSyntax = errors.New("this is no value of a PDF")
	errPDFDepth  = errors.New("a value of the PDF is nested too deep or too large")
)

type pdfKind int

const (
	pdfNumberToken pdfKind = iota
	pdfNameToken
	pdfStringToken
	pdfWordToken
	pdfOpenArray
	pdfCloseArray
	pdfOpenDict
	pdfCloseDict
	pdfOtherToken
)

// pdfToken is a token. Its text is the lexer's until the next one.
type pdfToken struct {
	kind   pdfKind
	number float64
	text   []byte
}

// pdfLexer reads tokens, and values made of them. Source for the syntax: ISO
// 32000-1, 7.2 and 7.3.
type pdfLexer struct {
	in   *bufio.Reader
	at   int64 // offset of what is read next
	text []byte
	cut  bool // the last name or string is longer than what is kept

	values int           // made since reset
	met    func(pdfDict) // is told of each dictionary, the inner ones first
}

func newPDFLexer(r io.Reader, size int) *pdfLexer {
	return &pdfLexer{in: bufio.NewReaderSize(r, size), met: func(pdfDict) {}}
}

// reset goes on with another reader, whose first byte is at an offset.
func (l *pdfLexer) reset(r io.Reader, at int64) {
	l.in.Reset(r)
	l.at, l.values = at, 0
}

func (l *pdfLexer) read() (byte, error) {
	b, err := l.in.ReadByte()
	if err == nil {
		l.at++
	}
	return b, err
}

func (l *pdfLexer) unread() {
	if l.in.UnreadByte() == nil {
		l.at--
	}
}

// next reads a token. Comments are passed over.
func (l *pdfLexer) next() (pdfToken, error) {
	l.text, l.cut = l.text[:0], false
	for {
		b, err := l.read()
		switch {
		case err != nil:
			return pdfToken{}, err
		case isPDFSpace(b):
			continue
		}
		switch b {
		case '%':
			for b != '\n' && b != '\r' {
				if b, err = l.read(); err != nil {
					return pdfToken{}, err
				}
			}
			continue
		case '[':
			return pdfToken{kind: pdfOpenArray}, nil
		case ']':
			return pdfToken{kind: pdfCloseArray}, nil
		case '(':
			return l.literal()
		case '<':
			return l.hex()
		case '>':
			if b, err := l.read(); err == nil && b != '>' {
				l.unread()
				return pdfToken{kind: pdfOtherToken}, nil
			}
			return pdfToken{kind: pdfCloseDict}, nil
		case '/':
			return l.name()
		case ')', '{', '}':
			return pdfToken{kind: pdfOtherToken}, nil
		}
		return l.word(b)
	}
}

func (l *pdfLexer) keep(b byte) {
	if len(l.text) < pdfMaxText {
		l.text = append(l.text, b)
	} else {
		l.cut = true
	}
}

// word reads a number or a word to its end.
func (l *pdfLexer) word(b byte) (pdfToken, error) {
	for {
		l.keep(b)
		var err error
		if b, err = l.read(); err != nil {
			break
		}
		if !isPDFRegular(b) {
			l.unread()
			break
		}
	}
	if n, ok := pdfNumber(l.text); ok {
		return pdfToken{kind: pdfNumberToken, number: n}, nil
	}
	return pdfToken{kind: pdfWordToken, text: l.text}, nil
}

// pdfNumber reads a number as readers do, which take more than the standard
// allows: several signs, and what follows a second point.
func pdfNumber(text []byte) (float64, bool) {
	var n, unit float64
	negative, digits := false, 0
	for _, b := range text {
		switch {
		case b == '-' || b == '+':
			if digits > 0 || unit != 0 {
				return finish(n, negative), true
			}
			negative = negative || b == '-'
		case b == '.':
			if unit != 0 {
				return finish(n, negative), digits > 0
			}
			unit = 1
		case b >= '0' && b <= '9':
			digits++
			if unit == 0 {
				n = n*10 + float64(b-'0')
			} else {
				unit /= 10
				n += unit * float64(b-'0')
			}
		default:
			return 0, false
		}
	}
	return finish(n, negative), digits > 0
}

func finish(n float64, negative bool) float64 {
	const most = 1 << 50
	n = min(n, most)
	if negative {
		return -n
	}
	return n
}

// name reads a name after its slash; #xx in it stands for a byte.
func (l *pdfLexer) name() (pdfToken, error) {
	for {
		b, err := l.read()
		if err != nil {
			break
		}
		if !isPDFRegular(b) {
			l.unread()
			break
		}
		if b == '#' {
			if next, _ := l.in.Peek(2); len(next) == 2 {
				high, low := hexDigit(next[0]), hexDigit(next[1])
				if high >= 0 && low >= 0 {
					_, _ = l.in.Discard(2)
					l.at += 2
					b = byte(high<<4 | low)
				}
			}
		}
		l.keep(b)
	}
	return pdfToken{kind: pdfNameToken, text: l.text}, nil
}

// literal reads a string after its parenthesis.
func (l *pdfLexer) literal() (pdfToken, error) {
	for depth := 1; ; {
		b, err := l.read()
		if err != nil {
			return pdfToken{}, noEOF(err)
		}
		switch b {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return pdfToken{kind: pdfStringToken, text: l.text}, nil
			}
		case '\\':
			if err := l.escape(); err != nil {
				return pdfToken{}, noEOF(err)
			}
			continue
		}
		l.keep(b)
	}
}

func (l *pdfLexer) escape() error {
	b, err := l.read()
	if err != nil {
		return noEOF(err)
	}
	switch b {
	case 'n':
		b = '\n'
	case 'r':
		b = '\r'
	case 't':
		b = '\t'
	case 'b':
		b = '\b'
	case 'f':
		b = '\f'
	case '\n':
		return nil
	case '\r':
		if next, err := l.read(); err == nil && next != '\n' {
			l.unread()
		}
		return nil
	case '0', '1', '2', '3', '4', '5', '6', '7':
		code := int(b - '0')
		for range 2 {
			next, err := l.read()
			if err != nil {
				break
			}
			if next < '0' || next > '7' {
				l.unread()
				break
			}
			code = code<<3 | int(next-'0')
		}
		b = byte(code)
	}
	l.keep(b)
	return nil
}

// hex reads a string in hexadecimal digits after its bracket, or the beginning
// of a dictionary.
func (l *pdfLexer) hex() (pdfToken, error) {
	high := -1
	for first := true; ; first = false {
		b, err := l.read()
		if err != nil {
			return pdfToken{}, noEOF(err)
		}
		switch digit := hexDigit(b); {
		case b == '<' && first:
			return pdfToken{kind: pdfOpenDict}, nil
		case b == '>':
			if high >= 0 {
				l.keep(byte(high << 4))
			}
			return pdfToken{kind: pdfStringToken, text: l.text}, nil
		case digit < 0:
		case high < 0:
			high = digit
		default:
			l.keep(byte(high<<4 | digit))
			high = -1
		}
	}
}

func hexDigit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

func isPDFSpace(b byte) bool {
	return b == ' ' || b == '\n' || b == '\r' || b == '\t' || b == '\f' || b == 0
}

// isPDFRegular reports whether a byte is neither white space nor a delimiter.
func isPDFRegular(b byte) bool {
	switch b {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return false
	}
	return !isPDFSpace(b)
}

// value reads a value.
func (l *pdfLexer) value() (any, error) {
	t, err := l.next()
	if err != nil {
		return nil, err
	}
	return l.build(t, 0)
}

func (l *pdfLexer) build(t pdfToken, depth int) (any, error) {
	if l.values++; l.values > pdfMaxValues || depth > pdfMaxDepth {
		return nil, errPDFDepth
	}
	switch t.kind {
	case pdfNumberToken:
		return t.number, nil
	case pdfNameToken:
		return pdfName(t.text), nil
	case pdfStringToken:
		return pdfString(t.text), nil
	case pdfOpenArray:
		return l.array(depth + 1)
	case pdfOpenDict:
		return l.dict(depth + 1)
	case pdfWordToken:
		switch string(t.text) {
		case "null":
			return nil, nil
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return pdfWord(t.text), nil
	}
	return nil, errPDFSyntax
}

func (l *pdfLexer) array(depth int) (any, error) {
	all := pdfArray{}
	for {
		t, err := l.next()
		switch {
		case err != nil:
			return nil, err
		case t.kind == pdfCloseArray:
			return all, nil
		case endsObject(t):
			return nil, errPDFSyntax
		}
		v, err := l.build(t, depth)
		if err != nil {
			return nil, err
		}
		if v == pdfWord("R") {
			if n := len(all); n >= 2 {
				if number, ok := all[n-2].(float64); ok {
					all = append(all[:n-2], refTo(number))
				}
			}
			continue
		}
		if l.values < pdfMaxKept {
			all = append(all, v)
		}
	}
}

// dict reads keys and values. Of two with the same key, the last counts, and the
// others are told of by themselves, since other readers may take them.
func (l *pdfLexer) dict(depth int) (any, error) {
	d := pdfDict{}
	var key pdfName
	var held []any // since the key: a value, or the two numbers of a reference
	store := func() {
		if key == "" || len(held) == 0 {
			return
		}
		if before, twice := d[key]; twice {
			l.met(pdfDict{key: before})
		}
		d[key] = held[0]
	}
	hasKey := false
	for {
		t, err := l.next()
		switch {
		case err != nil:
			return nil, err
		case t.kind == pdfCloseDict:
			store()
			l.met(d)
			return d, nil
		case endsObject(t):
			return nil, errPDFSyntax
		case t.kind == pdfNameToken && (!hasKey || len(held) > 0):
			store()
			if l.values++; l.values > pdfMaxValues {
				return nil, errPDFDepth
			}
			key, hasKey, held = pdfName(t.text), true, held[:0]
			continue
		}
		v, err := l.build(t, depth)
		if err != nil {
			return nil, err
		}
		if v == pdfWord("R") && len(held) >= 2 {
			if number, ok := held[0].(float64); ok {
				held = append(held[:0], refTo(number))
			}
			continue
		}
		if hasKey && len(held) < 2 {
			held = append(held, v)
		}
	}
}

// endsObject reports whether a token is where no value may be any more.
func endsObject(t pdfToken) bool {
	if t.kind != pdfWordToken {
		return false
	}
	switch string(t.text) {
	case "obj", "endobj", "stream", "endstream", "xref", "trailer", "startxref":
		return true
	}
	return false
}

func refTo(number float64) pdfRef {
	if number < 0 || number > math.MaxInt32 {
		return -1
	}
	return pdfRef(number)
}
