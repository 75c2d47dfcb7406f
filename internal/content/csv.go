package content

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"unicode/utf8"
)

// checkCSV counts the records of a CSV, checks its encoding and looks for an error
// body among them. Source for the dialect: RFC 4180.
//
// A quoted value or a character that never ends is how a file that broke off
// looks. A quote where none belongs may look so too: Tableau writes none, but
// data that come another way may have one. A file has stray quotes and is whole
// where each of its lines is a record of as many values as the header has, at
// least two, and ends as the header's line does.
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
	begin := c.offset
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
			if c.counter.state == quotedField && c.counter.wrong == "" {
				stray := csvStray{header: c.counter.header}
				if err := readOn(s.from(begin), stray.read); err != nil {
					return Facts{}, err
				}
				if rows, whole := stray.finish(); whole {
					return Facts{Rows: rows, DataRows: rows}, nil
				}
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
	begun   bool
	first   int64 // offset of the rest
	lines   int   // with a line end
	last    int64 // offset of the line that follows them
	quotes  int   // in those lines
	after   int   // quotes in the line that follows
	within  bool  // a line has begun
	suspect bool  // a line begins as an error body does
}

func (l *csvLines) begin(offset int64, c csvCounter) {
	if c.atRecord() {
		l.begun, l.first, l.last = true, offset, offset
	}
}

func (l *csvLines) read(text []byte, offset int64) {
	l.suspect = l.suspect || l.suspects(text)
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
	c.bodyText = true // of so much, some
	from := l.last
	if l.quotes%2 == 0 && !l.suspect {
		c.rows += l.lines
	} else {
		from = l.first
	}
	return readOn(s.from(from), func(text []byte) error {
		c.read(text)
		return nil
	})
}

// suspects reports whether a line in the next piece of the text begins as an error
// body does.
func (l *csvLines) suspects(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	begins := !l.within && (text[0] == '<' || text[0] == '{')
	l.within = text[len(text)-1] != '\n'
	// Most text has no brackets, and looking for one byte is the fastest.
	has := func(bracket byte) bool {
		return bytes.IndexByte(text, bracket) >= 0 && bytes.Contains(text, []byte{'\n', bracket})
	}
	return begins || has('<') || has('{')
}

// readOn has a text read to its end, piece by piece.
func readOn(in io.Reader, read func([]byte) error) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		if wrong := read(buffer[:n]); wrong != nil {
			return wrong
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
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
	bodyText   bool   // a row has more than white space
	wrong      Reason // a record is an error body

	lead     [64]byte // the beginning of the record, where an error body may begin so
	leadEnd  int
	leadOpen csvLead
}

// csvLead is whether the beginning of a record is kept.
type csvLead int

const (
	leadAwaited csvLead = iota // nothing but white space so far
	leadKept
	leadPassed
)

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
		if c.bodyText && c.atRecord() {
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
// themselves: not empty, with a line end that is not within quotes, and no
// beginning of an error body. That shows at
// the last quote: if another byte than a comma, a quote or the line's beginning
// comes before it, it ends a value or is a stray one, and begins none. It gives
// the lines' length too.
func plainRows(text []byte) (n, rows int) {
	quotes := quoteFinder{text: text}
	for {
		length := bytes.IndexByte(text[n:], '\n')
		if length <= 0 {
			return n, rows
		}
		switch text[n] {
		case '\r', '<', '{', ' ', '\t':
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
		c.keepLead(b)
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

// keepLead keeps the beginning of a record that begins with a bracket.
func (c *csvCounter) keepLead(b byte) {
	switch c.leadOpen {
	case leadAwaited:
		switch b {
		case ' ', '\t', '\r', '\n':
			return
		case '<', '{':
			c.leadOpen, c.leadEnd = leadKept, 0
		default:
			c.leadOpen = leadPassed
			return
		}
	case leadPassed:
		return
	}
	if c.leadEnd < len(c.lead) {
		c.lead[c.leadEnd] = b
		c.leadEnd++
	}
}

func (c *csvCounter) endRecord() {
	if c.leadOpen == leadKept && c.wrong == "" {
		c.wrong = c.judge(c.lead[:c.leadEnd])
	}
	switch {
	case !c.hasBytes: // an empty line is no record
	case c.header == 0:
		c.header, c.headerText = c.fields+1, c.hasText
	default:
		c.rows++
		c.bodyText = c.bodyText || c.hasText
	}
	c.state, c.fields, c.hasBytes, c.hasText, c.leadOpen = fieldStart, 0, false, false, leadAwaited
}

var (
	pageRow    = regexp.MustCompile(`(?i)^<(!doctype\s+html|html)(\s|>|$)`)
	xmlRow     = regexp.MustCompile(`^<\?xml\s`)
	tableauRow = regexp.MustCompile(`(?i)^(<([\w.-]+:)?tsResponse(\s|>|$)|\{\s*"errors?"\s*:)`)
)

// judge says why a record is refused that is the beginning of an error body, given
// the beginning of it. A page that follows rows is told from a value by how many
// values the record has; where there is only one column, not at all. What Tableau's
// errors begin with would be in quotes, were it a value.
func (c *csvCounter) judge(lead []byte) Reason {
	lead = bytes.TrimRight(lead, "\r\n")
	if c.header == 0 {
		switch sniff(lead) {
		case sniffedError:
			return TableauError
		case sniffedPage, sniffedMarkup:
			return HTML
		case sniffedSVG:
			return NotFormat
		}
		return ""
	}
	other := c.header == 1 || c.fields+1 != c.header
	switch {
	case tableauRow.Match(lead), other && xmlRow.Match(lead) && bytes.Contains(lead, []byte("tsResponse")):
		return TableauError
	case other && (xmlRow.Match(lead) || pageRow.Match(lead)):
		return HTML
	}
	return ""
}

func (c *csvCounter) finish() (Facts, error) {
	broken := ""
	switch {
	case c.state == quotedField:
		broken = "a quoted value has no end"
	case c.hasBytes && c.header > 0 && c.fields+1 < c.header:
		broken = "the last line breaks off"
	}
	rows := c.rows
	c.endRecord()
	switch {
	case c.wrong != "":
		return Facts{Rows: rows}, &Error{Reason: c.wrong, Detail: "a row is the beginning of something else"}
	case broken != "":
		return Facts{Rows: rows}, &Error{Reason: Truncated, Detail: broken}
	case !c.headerText && !c.bodyText:
		return Facts{Rows: c.rows}, &Error{Reason: Empty, Detail: "nothing has a text"}
	}
	facts := Facts{Rows: c.rows}
	if c.bodyText {
		facts.DataRows = c.rows
	}
	return facts, nil
}

// csvStray goes through a CSV line by line and asks whether it is whole, with a
// quote that is part of a value.
type csvStray struct {
	header int // fields of the header

	lines   int
	wrong   bool // the file is not of such lines
	returns bool // lines end with a carriage return and a line feed

	// Of the current line.
	state  csvState
	fields int // by its quotes
	commas int // within quotes or not
	length int
	last   byte
}

func (l *csvStray) read(text []byte) error {
	for _, b := range text {
		switch {
		case b == '\n':
			l.endLine()
			continue
		case b == '"' && l.state == fieldStart:
			l.state = quotedField
		case b == '"' && l.state == quotedField:
			l.state = afterQuote
		case b == '"' && l.state == afterQuote:
			// Whoever doubles the quotes in a value has no stray ones.
			l.wrong = true
		case b == ',':
			l.commas++
			if l.state != quotedField {
				l.fields++
				l.state = fieldStart
			}
		case b == '\r':
		case l.state != quotedField:
			l.state = bareField
		}
		l.last = b
		l.length++
	}
	return nil
}

func (l *csvStray) endLine() {
	returns := l.last == '\r'
	if l.lines == 0 {
		l.returns = returns
	}
	fields := l.fields + 1
	if l.state == quotedField { // the quote is part of the value
		fields = l.commas + 1
	}
	l.wrong = l.wrong || fields != l.header || returns != l.returns
	l.lines++
	l.state, l.fields, l.commas, l.length, l.last = fieldStart, 0, 0, 0, 0
}

// finish returns how many rows there are below the header, if the file is whole.
func (l *csvStray) finish() (rows int, whole bool) {
	return l.lines - 1, !l.wrong && l.length == 0 && l.header > 1
}
