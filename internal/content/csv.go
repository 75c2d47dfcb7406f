package content

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// checkCSV counts the records of a CSV and checks its encoding. It is tolerant
// of quotes where none belong, and strict about a quoted value or a character
// that never ends, which is how a file that broke off looks. Source for the
// dialect: RFC 4180.
//
// Of a file that broke off elsewhere, nothing shows: there is no end mark, and a
// last line without a line end is allowed.
func checkCSV(s *source) (Facts, error) {
	mark := []byte("\uFEFF")
	head := make([]byte, len(mark))
	n, err := s.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	c := csvCheck{}
	if bytes.Equal(head[:n], mark) {
		c.offset = int64(n)
	}
	var (
		in     = &sourceReader{source: s, offset: c.offset}
		buffer = make([]byte, 64<<10)
		cut    = make([]byte, 0, utf8.UTFMax) // a rune that is not complete yet
	)
	for {
		piece, err := in.next(buffer)
		for len(cut) > 0 && len(piece) > 0 && !utf8.FullRune(cut) {
			cut, piece = append(cut, piece[0]), piece[1:]
		}
		if utf8.FullRune(cut) {
			if err := c.read(cut); err != nil {
				return Facts{}, err
			}
			cut = cut[:0]
		}
		if len(cut) == 0 {
			whole := wholeRunes(piece)
			cut = append(cut, piece[len(whole):]...)
			if err := c.read(whole); err != nil {
				return Facts{}, err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && len(cut) > 0:
			return Facts{Rows: c.counter.rows}, &Error{Reason: Truncated, Detail: "the last character breaks off"}
		case errors.Is(err, io.EOF):
			if err := c.lines.finish(s, &c.counter); err != nil {
				return Facts{}, err
			}
			return c.counter.finish()
		case err != nil:
			return Facts{}, err
		}
	}
}

// csvCheck takes a file's text piece by piece.
type csvCheck struct {
	offset  int64 // of the next piece
	counter csvCounter
	lines   csvLines
}

func (c *csvCheck) read(text []byte) error {
	if !isText(text) {
		return notUTF8()
	}
	c.offset += int64(len(text))
	if c.offset > csvExact && !c.lines.begun {
		text = c.counter.readRecord(text)
		c.lines.begin(c.offset-int64(len(text)), c.counter)
	}
	if c.lines.begun {
		c.lines.read(text, c.offset-int64(len(text)))
	} else {
		c.counter.read(text)
	}
	return nil
}

// csvExact is how much of a file is gone through record by record, in bytes. Of
// what follows, lines are counted, which is many times as fast.
const csvExact = 1 << 20

// csvLines counts the lines in the rest of a large file, from the beginning of a
// record on.
type csvLines struct {
	begun  bool
	first  int64 // offset of the rest
	lines  int   // with a line end
	last   int64 // offset of the line that follows them
	quotes int   // in those lines
	after  int   // quotes in the line that follows
}

func (l *csvLines) begin(offset int64, c csvCounter) {
	if c.atRecord() {
		l.begun, l.first, l.last = true, offset, offset
	}
}

func (l *csvLines) read(text []byte, offset int64) {
	quote := []byte{'"'}
	end := bytes.LastIndexByte(text, '\n') + 1
	if end > 0 {
		l.lines += bytes.Count(text[:end], []byte{'\n'})
		l.quotes += l.after + bytes.Count(text[:end], quote)
		l.last, l.after = offset+int64(end), 0
	}
	l.after += bytes.Count(text[end:], quote)
}

// finish has the last line counted as a record that may have been cut. Quotes
// come in pairs; where there is an odd number before that line, it does not begin
// a record or one was stray, and the whole rest is gone through after all.
func (l *csvLines) finish(s *source, c *csvCounter) error {
	if !l.begun {
		return nil
	}
	from := l.last
	if l.quotes%2 == 0 {
		c.rows += l.lines
	} else {
		from = l.first
	}
	in, buffer := s.from(from), make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		c.read(buffer[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// csvCounter goes through a CSV byte by byte.
type csvCounter struct {
	state csvState

	fields     int  // complete fields of the current record
	hasBytes   bool // the current record has any
	hasText    bool // the current record has more than white space
	header     int  // fields of the header; 0 before it has been seen
	headerText bool
	rows       int
}

type csvState int

const (
	fieldStart csvState = iota
	bareField
	quotedField
	afterQuote // a quote in a quoted field: its end, or the first of two
)

// read goes on with the next piece of the text. Lines that are records by
// themselves, which are nearly all, are only counted: a large file is mostly such.
func (c *csvCounter) read(text []byte) {
	for len(text) > 0 {
		if c.header > 0 && c.atRecord() {
			n, rows := plainRows(text)
			text, c.rows = text[n:], c.rows+rows
		}
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line = text[:i+1]
		}
		c.step(line)
		text = text[len(line):]
	}
}

// atRecord reports whether a record begins next.
func (c *csvCounter) atRecord() bool { return !c.hasBytes && c.state == fieldStart }

// readRecord goes on to where a record begins, or the text ends, and gives what
// follows.
func (c *csvCounter) readRecord(text []byte) []byte {
	for len(text) > 0 && !c.atRecord() {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line = text[:i+1]
		}
		c.step(line)
		text = text[len(line):]
	}
	return text
}

// plainRows counts the lines at the beginning of a text that are records by
// themselves: not empty, with a line end that is not within quotes. That shows at
// the last quote: if another byte than a comma, a quote or the line's beginning
// comes before it, it ends a value or is a stray one, and begins none. It gives
// the lines' length too.
func plainRows(text []byte) (n, rows int) {
	quotes := quoteFinder{text: text}
	for {
		length := bytes.IndexByte(text[n:], '\n')
		if length <= 0 || text[n] == '\r' {
			return n, rows
		}
		end := n + length
		last := quotes.last(n, end)
		if last == n || last > n && (text[last-1] == ',' || text[last-1] == '"' || text[last-1] == '\r') {
			return n, rows
		}
		n = end + 1
		rows++
	}
}

// quoteFinder finds the last quote of each line of a text.
type quoteFinder struct {
	text []byte
	next int // the first quote of a line that was asked for, or a later one
}

// last gives where the last quote is in a line, or -1. It looks at the line's
// end first, where it often is, and does not search a text without quotes again
// and again.
func (q *quoteFinder) last(line, end int) int {
	at := end - 1
	for ; at >= line && at >= end-16; at-- {
		if q.text[at] == '"' {
			return at
		}
	}
	if at < line {
		return -1
	}
	if q.next < line {
		i := bytes.IndexByte(q.text[line:], '"')
		if i < 0 {
			i = len(q.text)
		}
		q.next = line + i
	}
	if q.next >= end {
		return -1
	}
	return q.next + bytes.LastIndexByte(q.text[q.next:end], '"')
}

func (c *csvCounter) step(text []byte) {
	for _, b := range text {
		if c.state == quotedField {
			if b == '"' {
				c.state = afterQuote
			} else if b > ' ' {
				c.hasText = true
			}
			continue
		}
		switch {
		case b == '\n':
			c.endRecord()
			continue
		case b == '\r':
			continue // before a line feed, or no part of any value
		case b == ',':
			c.fields++
			c.state = fieldStart
		case b == '"' && (c.state == fieldStart || c.state == afterQuote):
			c.state = quotedField
		default:
			c.state = bareField
			if b > ' ' && b != '"' {
				c.hasText = true
			}
		}
		c.hasBytes = true
	}
}

func (c *csvCounter) endRecord() {
	switch {
	case !c.hasBytes: // an empty line is no record
	case c.header == 0:
		c.header, c.headerText = c.fields+1, c.hasText
	default:
		c.rows++
	}
	c.state, c.fields, c.hasBytes, c.hasText = fieldStart, 0, false, false
}

func (c *csvCounter) finish() (Facts, error) {
	if c.state == quotedField {
		return Facts{Rows: c.rows}, &Error{Reason: Truncated, Detail: "a quoted value has no end"}
	}
	if c.hasBytes && c.header > 0 && c.fields+1 < c.header {
		return Facts{Rows: c.rows}, &Error{Reason: Truncated, Detail: "the last line breaks off"}
	}
	c.endRecord()
	if !c.headerText {
		return Facts{Rows: c.rows}, &Error{Reason: Empty, Detail: "the header is blank"}
	}
	return Facts{Rows: c.rows}, nil
}
