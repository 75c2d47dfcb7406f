package content

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
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
// whole: every element is closed by its own end tag, every value by its quote.
// Entities that a document declares for itself are refused, since a few lines of
// them can stand for gigabytes. Source for the syntax: W3C, Extensible Markup
// Language (XML) 1.0, Fifth Edition.
type xmlScanner struct {
	in    *bufio.Reader
	names []byte // of the open elements, one after the other
	open  []int  // where in names each begins

	// The current token.
	kind       xmlKind
	name       string     // of an element that starts or ends, with its prefix
	attributes []xmlValue // of an element that starts: xmlns, and those of keep
	keep       func(name string) bool
	blank      bool // a text: white space alone

	known   map[string]string // names and values seen before, so that most are no garbage
	closing bool              // the element that started is empty and ends next
	rooted  bool              // the root element has been seen
	scratch [xmlMaxName]byte
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
	return &xmlScanner{in: bufio.NewReaderSize(&utf8Reader{in: r}, 64<<10), keep: keep, known: map[string]string{}}
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
			if found, err := x.text(); found || err != nil {
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

// text reads up to the next tag. Outside of the root element there is none but
// white space, which is no token.
func (x *xmlScanner) text() (bool, error) {
	x.kind, x.blank = xmlText, true
	for {
		part, err := x.in.ReadSlice('<')
		if err == nil {
			part = part[:len(part)-1]
		}
		x.blank = x.blank && len(bytes.Trim(part, " \t\r\n\uFEFF")) == 0
		switch {
		case !x.blank && len(x.open) == 0:
			return false, damaged("there is text outside of the root element")
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

// tag reads what follows a "<". It is no token where it is a comment, an
// instruction or a document type.
func (x *xmlScanner) tag() (bool, error) {
	b, err := x.in.ReadByte()
	if err != nil {
		return false, x.cutShort(err)
	}
	switch b {
	case '?':
		return false, x.skip("?>")
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
		return false, x.skip("-->")
	case bytes.Equal(start, []byte("[CDATA[")):
		if len(x.open) == 0 {
			return false, damaged("there is text outside of the root element")
		}
		if _, err := x.in.Discard(7); err != nil {
			return false, err
		}
		x.kind, x.blank = xmlText, false
		return true, x.skip("]]>")
	case bytes.Equal(start, []byte("DOCTYPE")) && !x.rooted:
		return false, x.doctype()
	case err != nil:
		return false, x.cutShort(err)
	}
	return false, damaged("there is a declaration where none belongs")
}

func (x *xmlScanner) doctype() error {
	for quote := byte(0); ; {
		b, err := x.in.ReadByte()
		switch {
		case err != nil:
			return x.cutShort(err)
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'':
			quote = b
		case b == '[':
			return damaged("the document declares entities of its own")
		case b == '>':
			return nil
		}
	}
}

// skip reads to the end of a text, and over it.
func (x *xmlScanner) skip(end string) error {
	last := end[len(end)-1]
	var tail []byte // of what was read, as long as end
	for {
		part, err := x.in.ReadSlice(last)
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
	for {
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

// utf8Reader passes text on, and fails where it is not UTF-8 or has a zero
// byte.
type utf8Reader struct {
	in   io.Reader
	rest [utf8.UTFMax]byte // of a rune that was read in part
	n    int
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	n, err := u.in.Read(p)
	text := p[:n]
	for u.n > 0 && len(text) > 0 && !utf8.FullRune(u.rest[:u.n]) {
		u.rest[u.n] = text[0]
		u.n++
		text = text[1:]
	}
	if u.n > 0 && utf8.FullRune(u.rest[:u.n]) {
		if !utf8.Valid(u.rest[:u.n]) {
			return 0, notUTF8()
		}
		u.n = 0
	}
	if u.n == 0 {
		whole := wholeRunes(text)
		u.n = copy(u.rest[:], text[len(whole):])
		text = whole
		if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			return 0, notUTF8()
		}
	}
	if u.n > 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func notUTF8() error { return &Error{Reason: NotFormat, Detail: "the text is not UTF-8"} }
