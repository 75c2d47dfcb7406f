package content

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	xmlMaxDepth = 4096 // of elements within each other
	xmlMaxName  = 256  // bytes of a name; and what is kept of a value
	xmlMaxKnown = 1024 // names and values that are remembered
)

// xmlScanner reads a document of any size in little memory: unlike
// encoding/xml, it never holds a whole text or value, of which a picture inside
// an attribute may have megabytes. It insists on what shows that a document is
// whole: every element is closed by its own end tag, every value by its quote,
// and every reference is to a character. Entities that a document declares for
// itself are refused, since a few lines of them can stand for gigabytes. Source
// for the syntax: W3C, Extensible Markup Language (XML) 1.0, Fifth Edition.
type xmlScanner struct {
	in    *bufio.Reader
	watch xmlWatch // may be nil
	names []byte   // of the open elements, one after the other
	open  []int    // where in names each begins

	// The current token.
	kind       xmlKind
	name       string     // of an element that starts or ends, with its prefix
	attributes []xmlValue // of an element that starts: xmlns, and those of keep
	keep       func(name string) bool
	blank      bool   // a text: it shows nothing
	text       []byte // a text: its beginning
	length     int    // a text: its bytes

	known      map[string]string // names and values seen before, so that most are no garbage
	closing    bool              // the element that started is empty and ends next
	rooted     bool              // the root element has been seen
	references xmlReferences
	spaces     []byte // a piece of a value with its line ends as spaces
	scratch    [xmlMaxName]byte
}

// xmlWatch sees what a scanner does not keep, piece by piece and with references
// resolved. Its error ends the scan.
type xmlWatch interface {
	// value sees a piece of an attribute's value; the element is the scanner's
	// current one.
	value(name string, piece []byte, first, last bool) error
	// chars sees a piece of a text.
	chars(piece []byte) error
	// instruction sees the target of a processing instruction.
	instruction(target string) error
	// doctype sees the address in a document type, "" if it has none.
	doctype(address string) error
}

type xmlKind int

const (
	xmlStartTag xmlKind = iota
	xmlEndTag
	xmlText
)

type xmlValue struct {
	name, value string
	cut         bool // the value is longer
}

func newXMLScanner(r io.Reader, keep func(string) bool) *xmlScanner {
	return newXMLScannerSize(r, keep, 64<<10)
}

func newXMLScannerSize(r io.Reader, keep func(string) bool, buffer int) *xmlScanner {
	return &xmlScanner{in: bufio.NewReaderSize(&utf8Reader{in: r}, buffer), keep: keep, known: map[string]string{}}
}

// xmlReferences resolves the references in a text that comes in pieces.
type xmlReferences struct {
	begun    [32]byte // a reference that is not complete, from its &
	n        int
	resolved []byte
}

// resolve returns a piece with its references resolved. It is the caller's until
// the next call.
func (r *xmlReferences) resolve(piece []byte, last bool) ([]byte, error) {
	if r.n == 0 && bytes.IndexByte(piece, '&') < 0 {
		return piece, nil
	}
	r.resolved = r.resolved[:0]
	for len(piece) > 0 {
		if r.n == 0 {
			at := bytes.IndexByte(piece, '&')
			if at < 0 {
				r.resolved = append(r.resolved, piece...)
				break
			}
			r.resolved = append(r.resolved, piece[:at]...)
			r.begun[0], r.n, piece = '&', 1, piece[at+1:]
			continue
		}
		b := piece[0]
		piece = piece[1:]
		switch {
		case b == ';':
			c, ok := xmlCharacter(string(r.begun[1:r.n]))
			if !ok {
				return nil, damaged("a reference is to no character")
			}
			r.resolved, r.n = utf8.AppendRune(r.resolved, c), 0
		case r.n == len(r.begun):
			return nil, damaged("a reference has no end")
		default:
			r.begun[r.n] = b
			r.n++
		}
	}
	if last && r.n > 0 {
		return nil, damaged("a reference has no end")
	}
	return r.resolved, nil
}

// xmlCharacter gives the character for which a reference stands.
func xmlCharacter(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, base := strings.CutPrefix(name, "#")
	if !base {
		return 0, false
	}
	radix := 10
	if hex, found := strings.CutPrefix(digits, "x"); found {
		digits, radix = hex, 16
	}
	n, err := strconv.ParseUint(digits, radix, 32)
	c := rune(min(n, unicode.MaxRune+1))
	return c, err == nil && utf8.ValidRune(c) && (c >= ' ' || c == '\t' || c == '\n' || c == '\r')
}

// string gives bytes as a string.
func (x *xmlScanner) string(b []byte) string {
	if s, ok := x.known[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(x.known) < xmlMaxKnown {
		x.known[s] = s
	}
	return s
}

// local is the current name without its prefix.
func (x *xmlScanner) local() string {
	_, local, found := strings.Cut(x.name, ":")
	if !found {
		return x.name
	}
	return local
}

// attribute gives a value that was kept.
func (x *xmlScanner) attribute(name string) (value string, cut, found bool) {
	for _, a := range x.attributes {
		if a.name == name {
			return a.value, a.cut, true
		}
	}
	return "", false, false
}

// next reads the next token. It gives io.EOF after a document that is whole.
func (x *xmlScanner) next() error {
	if x.closing {
		x.closing = false
		return x.end(x.name)
	}
	for {
		b, err := x.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && x.rooted && len(x.open) == 0:
			return io.EOF
		case err != nil:
			return x.cutShort(err)
		case b != '<':
			if err := x.in.UnreadByte(); err != nil {
				return err
			}
			if found, err := x.readText(); found || err != nil {
				return err
			}
		default:
			if found, err := x.tag(); found || err != nil {
				return err
			}
		}
	}
}

func (x *xmlScanner) cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Reason: Truncated, Detail: "the document ends before its root element does"}
	}
	return err
}

// readText reads up to the next tag. Outside of the root element there is none
// but white space, which is no token.
func (x *xmlScanner) readText() (bool, error) {
	x.beginText()
	for {
		part, err := x.in.ReadSlice('<')
		if err == nil {
			part = part[:len(part)-1]
		}
		if len(x.open) == 0 && len(bytes.Trim(part, " \t\r\n\uFEFF")) > 0 {
			return false, damaged("there is text outside of the root element")
		}
		resolved, wrong := x.references.resolve(part, err == nil)
		if wrong == nil {
			wrong = x.seeText(resolved)
		}
		switch {
		case wrong != nil:
			return false, wrong
		case err == nil:
			return len(x.open) > 0, x.in.UnreadByte()
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && x.rooted && len(x.open) == 0:
			return false, nil // next sees the end
		default:
			return false, x.cutShort(err)
		}
	}
}

func (x *xmlScanner) beginText() {
	x.kind, x.blank, x.text, x.length = xmlText, true, x.text[:0], 0
}

func (x *xmlScanner) seeText(part []byte) error {
	x.blank = x.blank && isBlank(part)
	x.text = append(x.text, part[:min(len(part), xmlMaxName-len(x.text))]...)
	x.length += len(part)
	if x.watch == nil || len(x.open) == 0 {
		return nil
	}
	return x.watch.chars(part)
}

// section reads a CDATA section to its end.
func (x *xmlScanner) section() error {
	const end = "]]>"
	x.beginText()
	var held []byte // of the end, perhaps
	for {
		part, err := x.in.ReadSlice('>')
		if len(held) > 0 {
			part = append(held, part...)
		}
		whole := err == nil && bytes.HasSuffix(part, []byte(end))
		if whole {
			part = part[:len(part)-len(end)]
		} else {
			n := max(0, len(part)-len(end)+1)
			held = bytes.Clone(part[n:])
			part = part[:n]
		}
		wrong := x.seeText(part)
		switch {
		case wrong != nil:
			return wrong
		case whole:
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return x.cutShort(err)
		}
	}
}

// tag reads what follows a "<". It is no token where it is a comment, an
// instruction or a document type.
func (x *xmlScanner) tag() (bool, error) {
	b, err := x.in.ReadByte()
	if err != nil {
		return false, x.cutShort(err)
	}
	switch b {
	case '?':
		return false, x.instruction()
	case '!':
		return x.declaration()
	case '/':
		name, err := x.readName()
		if err != nil {
			return false, err
		}
		if b, err = x.afterSpace(); err != nil {
			return false, err
		}
		if b != '>' {
			return false, damaged("an end tag is malformed")
		}
		return true, x.end(name)
	}
	if err := x.in.UnreadByte(); err != nil {
		return false, err
	}
	return true, x.start()
}

func (x *xmlScanner) declaration() (bool, error) {
	// The parts of a document that was cut are looked at no further.
	start, err := x.in.Peek(7)
	switch {
	case bytes.HasPrefix(start, []byte("--")):
		if _, err := x.in.Discard(2); err != nil {
			return false, err
		}
		return false, x.skip("-->", nil)
	case bytes.Equal(start, []byte("[CDATA[")):
		if len(x.open) == 0 {
			return false, damaged("there is text outside of the root element")
		}
		if _, err := x.in.Discard(7); err != nil {
			return false, err
		}
		return true, x.section()
	case bytes.Equal(start, []byte("DOCTYPE")) && !x.rooted:
		return false, x.doctype()
	case err != nil:
		return false, x.cutShort(err)
	}
	return false, damaged("there is a declaration where none belongs")
}

func (x *xmlScanner) doctype() error {
	var address, value []byte // the last value is the address
	for quote := byte(0); ; {
		b, err := x.in.ReadByte()
		switch {
		case err != nil:
			return x.cutShort(err)
		case quote != 0:
			if b == quote {
				quote, address = 0, bytes.Clone(value)
			} else if len(value) < xmlMaxName {
				value = append(value, b)
			}
		case b == '"' || b == '\'':
			quote, value = b, value[:0]
		case b == '[':
			return damaged("the document declares entities of its own")
		case b == '>':
			if x.watch == nil {
				return damaged("the document has a type")
			}
			return x.watch.doctype(string(address))
		}
	}
}

// encodings are those in which a document of ASCII reads as it does in UTF-8.
var encodings = regexp.MustCompile(`(?i)^(utf-?8|(us-)?ascii|latin-?1|iso-8859-\d+|windows-125\d)$`)

var encodingOf = regexp.MustCompile(`\bencoding\s*=\s*["']([^"']*)["']`)

// instruction reads what follows "<?". A document that says that it is in another
// encoding reads as another document elsewhere.
func (x *xmlScanner) instruction() error {
	var target, rest []byte
	for {
		b, err := x.in.ReadByte()
		switch {
		case err != nil:
			return x.cutShort(err)
		case isXMLSpace(b) || b == '?':
			if err := x.in.UnreadByte(); err != nil {
				return err
			}
			if err := x.skip("?>", &rest); err != nil {
				return err
			}
			if string(target) == "xml" {
				if said := encodingOf.FindSubmatch(rest); said != nil && !encodings.Match(said[1]) {
					return &Error{Reason: NotFormat, Detail: "the document says that it is in another encoding than UTF-8"}
				}
				return nil
			}
			if x.watch == nil {
				return nil
			}
			return x.watch.instruction(string(target))
		case len(target) == xmlMaxName:
			return damaged("a name is too long")
		}
		target = append(target, b)
	}
}

// skip reads to the end of a text, and over it. It keeps the beginning where it
// is asked to.
func (x *xmlScanner) skip(end string, kept *[]byte) error {
	last := end[len(end)-1]
	var tail []byte // of what was read, as long as end
	for {
		part, err := x.in.ReadSlice(last)
		if kept != nil {
			*kept = append(*kept, part[:min(len(part), xmlMaxName-len(*kept))]...)
		}
		keep := part[max(0, len(part)-len(end)):]
		tail = append(tail, keep...)
		tail = append(tail[:0], tail[max(0, len(tail)-len(end)):]...)
		switch {
		case err == nil && string(tail) == end:
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return x.cutShort(err)
		}
	}
}

// start reads a start tag.
func (x *xmlScanner) start() error {
	name, err := x.readName()
	switch {
	case err != nil:
		return err
	case x.rooted && len(x.open) == 0:
		return damaged("there is more than one root element")
	case len(x.open) == xmlMaxDepth:
		return &Error{Reason: TooLarge, Detail: "the elements are nested too deep"}
	}
	x.kind, x.name, x.attributes, x.rooted = xmlStartTag, name, x.attributes[:0], true
	x.open = append(x.open, len(x.names))
	x.names = append(x.names, name...)
	for {
		b, err := x.afterSpace()
		switch {
		case err != nil:
			return err
		case b == '>':
			return nil
		case b == '/':
			if b, err = x.in.ReadByte(); err != nil {
				return x.cutShort(err)
			}
			if b != '>' {
				return damaged("a tag is malformed")
			}
			x.closing = true
			return nil
		}
		if err := x.in.UnreadByte(); err != nil {
			return err
		}
		if err := x.readAttribute(); err != nil {
			return err
		}
	}
}

func (x *xmlScanner) end(name string) error {
	if len(x.open) == 0 {
		return damaged("an end tag has no start")
	}
	last := x.open[len(x.open)-1]
	if string(x.names[last:]) != name {
		return damaged("an element is closed by another's end tag")
	}
	x.names, x.open = x.names[:last], x.open[:len(x.open)-1]
	x.kind, x.name = xmlEndTag, name
	return nil
}

// afterSpace gives the first byte that is no white space.
func (x *xmlScanner) afterSpace() (byte, error) {
	for {
		b, err := x.in.ReadByte()
		if err != nil {
			return 0, x.cutShort(err)
		}
		if !isXMLSpace(b) {
			return b, nil
		}
	}
}

func isXMLSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func (x *xmlScanner) readName() (string, error) {
	name := x.scratch[:0]
	for {
		b, err := x.in.ReadByte()
		switch {
		case err != nil:
			return "", x.cutShort(err)
		case isXMLSpace(b) || b == '>' || b == '/' || b == '=':
			if len(name) == 0 {
				return "", damaged("a name is missing")
			}
			return x.string(name), x.in.UnreadByte()
		case b < ' ' || strings.IndexByte("<\"'&;!?", b) >= 0 || len(name) == 0 && strings.IndexByte("-.0123456789", b) >= 0:
			return "", damaged("a name is malformed")
		case len(name) == xmlMaxName:
			return "", damaged("a name is too long")
		}
		name = append(name, b)
	}
}

// asSpaces gives a piece of a value with the white space in it as spaces, as
// readers do before they resolve references.
func (x *xmlScanner) asSpaces(piece []byte) []byte {
	if bytes.IndexByte(piece, '\n') < 0 && bytes.IndexByte(piece, '\t') < 0 && bytes.IndexByte(piece, '\r') < 0 {
		return piece
	}
	x.spaces = append(x.spaces[:0], piece...)
	for i, b := range x.spaces {
		if isXMLSpace(b) {
			x.spaces[i] = ' '
		}
	}
	return x.spaces
}

func (x *xmlScanner) readAttribute() error {
	name, err := x.readName()
	if err != nil {
		return err
	}
	b, err := x.afterSpace()
	if err == nil && b == '=' {
		b, err = x.afterSpace()
	} else if err == nil {
		b = 0
	}
	switch {
	case err != nil:
		return err
	case b != '"' && b != '\'':
		return damaged("an attribute has no value")
	}
	kept := xmlValue{name: name}
	keep := name == "xmlns" || strings.HasPrefix(name, "xmlns:") || x.keep(name)
	for first := true; ; first = false {
		part, err := x.in.ReadSlice(b)
		atEnd := err == nil
		if atEnd {
			part = part[:len(part)-1]
		} else if !errors.Is(err, bufio.ErrBufferFull) {
			return x.cutShort(err)
		}
		if bytes.IndexByte(part, '<') >= 0 {
			return damaged("a value is malformed")
		}
		if part, err = x.references.resolve(x.asSpaces(part), atEnd); err != nil {
			return err
		}
		if x.watch != nil {
			if err := x.watch.value(name, part, first, atEnd); err != nil {
				return err
			}
		}
		if keep {
			room := min(len(part), xmlMaxName-len(kept.value))
			if kept.value == "" {
				kept.value = x.string(part[:room])
			} else {
				kept.value += string(part[:room])
			}
			kept.cut = kept.cut || room < len(part)
		}
		if atEnd {
			break
		}
	}
	if keep && len(x.attributes) < 64 {
		x.attributes = append(x.attributes, kept)
	}
	return nil
}
