package content

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// checkCSV counts the records of a CSV and checks its encoding. It is tolerant
// of quotes where none belong, and strict about a quoted value that never ends,
// which is how a file that broke off looks. Source for the dialect: RFC 4180.
//
// Of a file that broke off elsewhere, nothing shows: there is no end mark, and a
// last line without a line end is allowed.
func checkCSV(s *source) (Facts, error) {
	var (
		counter csvCounter
		in      = s.all()
		buffer  = make([]byte, 64<<10)
		filled  int
		first   = true
	)
	for {
		n, err := io.ReadFull(in, buffer[filled:])
		filled += n
		atEnd := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !atEnd {
			return Facts{}, err
		}
		text := buffer[:filled]
		if !atEnd {
			text = wholeRunes(text)
		}
		switch {
		case !utf8.Valid(text):
			return Facts{}, &Error{Reason: NotFormat, Detail: "the text is not UTF-8"}
		case bytes.IndexByte(text, 0) >= 0:
			return Facts{}, &Error{Reason: NotFormat, Detail: "the text has zero bytes"}
		}
		if first {
			text, first = bytes.TrimPrefix(text, []byte("\uFEFF")), false
		}
		counter.read(text)
		used := len(wholeRunes(buffer[:filled]))
		if atEnd {
			return counter.finish()
		}
		filled = copy(buffer, buffer[used:filled])
	}
}

// wholeRunes cuts a rune that is not complete off the end of a text.
func wholeRunes(text []byte) []byte {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
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

// read goes on with the next piece of the text. Whole lines without peculiarities,
// which are nearly all, are only counted.
func (c *csvCounter) read(text []byte) {
	for len(text) > 0 {
		if c.header > 0 && !c.hasBytes && c.state == fieldStart {
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

// plainRows counts the lines at the beginning of a text that are records for
// certain: not empty, with a line end, and whose quotes all begin and end a
// value. It gives their length too.
func plainRows(text []byte) (n, rows int) {
	for {
		end := bytes.IndexByte(text[n:], '\n')
		if end < 0 || end == 0 || text[n] == '\r' || !plainQuotes(text[n:n+end]) {
			return n, rows
		}
		n += end + 1
		rows++
	}
}

func plainQuotes(line []byte) bool {
	for at := 0; ; {
		i := bytes.IndexByte(line[at:], '"')
		if i < 0 {
			return true
		}
		if at += i; at > 0 && line[at-1] != ',' {
			return false
		}
		i = bytes.IndexByte(line[at+1:], '"')
		if i < 0 {
			return false
		}
		if at += i + 2; at < len(line) && line[at] != ',' {
			return at == len(line)-1 && line[at] == '\r'
		}
	}
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
