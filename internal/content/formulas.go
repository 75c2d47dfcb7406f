package content

import (
	"bytes"
	"io"
	"regexp"
)

// FormulaEscaper passes a CSV on with an apostrophe before each value that a
// spreadsheet would run: one that begins with =, +, -, @, a tab or a line end
// (OWASP, "CSV Injection"), spaces before it or not. Numbers stay as they are. It
// takes commas, semicolons and tabs for separators, since a spreadsheet may, and
// holds no more than the beginning of one value.
type FormulaEscaper struct {
	w         io.Writer
	out       []byte
	state     csvState
	begun     []byte // of the file, while it may be a byte order mark
	open      bool   // the value's beginning does not tell yet
	head      []byte // the value as far as it is held back
	pastBegin bool
}

// NewFormulaEscaper returns an escaper that writes to w. Close it to have the end
// written.
func NewFormulaEscaper(w io.Writer) *FormulaEscaper { return &FormulaEscaper{w: w} }

// longestNumber is how many bytes of a value are looked at for whether it is a
// number.
const longestNumber = 64

// plainNumber is a number as people write one: with a sign, separators, a
// currency, a percent sign or an exponent. No two numbers are calculated with.
var plainNumber = regexp.MustCompile(`^[+-]?\s?\p{Sc}?\s?(\d([\d.,'’ \x{A0}\x{202F}]*\d)?[.]?|[.,]\d+)([eE][+-]?\d+)?\s?[%‰\p{Sc}]?\s*$`)

// Write implements [io.Writer].
func (e *FormulaEscaper) Write(p []byte) (int, error) {
	e.out = e.out[:0]
	for _, b := range p {
		e.byte(b)
	}
	if _, err := e.w.Write(e.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the writer below.
func (e *FormulaEscaper) Close() error {
	e.out = append(e.out[:0], e.begun...)
	e.begun = nil
	quoteHeld := e.state == afterQuote
	e.decide(true)
	if quoteHeld {
		e.out = append(e.out, '"')
	}
	_, err := e.w.Write(e.out)
	return err
}

func (e *FormulaEscaper) byte(b byte) {
	const mark = "\uFEFF"
	if !e.pastBegin {
		e.begun = append(e.begun, b)
		if bytes.HasPrefix([]byte(mark), e.begun) && len(e.begun) < len(mark) {
			return
		}
		begun := e.begun
		e.begun, e.pastBegin = nil, true
		if string(begun) == mark {
			e.out = append(e.out, mark...)
			return
		}
		for _, b := range begun {
			e.value(b)
		}
		return
	}
	e.value(b)
}

func (e *FormulaEscaper) value(b byte) {
	ends := b == ',' || b == ';' || b == '\t' || b == '\r' || b == '\n'
	switch e.state {
	case quotedField:
		if b == '"' {
			e.state = afterQuote
			return
		}
		e.keep(b)
		return
	case afterQuote:
		if b == '"' {
			e.state = quotedField
			e.keep(b)
			e.keep(b)
			return
		}
		e.decide(true)
		e.out = append(e.out, '"')
		e.state = bareField
	case fieldStart:
		e.open = true
		if b == '"' {
			e.state = quotedField
			e.out = append(e.out, b)
			return
		}
		e.state = bareField
	}
	if ends {
		e.decide(true)
		e.out = append(e.out, b)
		e.state = fieldStart
		return
	}
	e.keep(b)
}

// keep takes a byte of a value.
func (e *FormulaEscaper) keep(b byte) {
	if !e.open {
		e.out = append(e.out, b)
		return
	}
	e.head = append(e.head, b)
	e.decide(false)
}

// decide writes the value's beginning once it is known whether it is run, at the
// latest at the value's end.
func (e *FormulaEscaper) decide(end bool) {
	if !e.open {
		return
	}
	end = end || len(e.head) > longestNumber
	text := bytes.TrimLeft(e.head, " ")
	run := false
	switch {
	case len(text) == 0:
		if !end {
			return
		}
	case bytes.IndexByte([]byte("=@\t\r\n"), text[0]) >= 0:
		run = true
	case text[0] == '+' || text[0] == '-':
		if !end {
			return
		}
		run = len(text) > 1 && (len(e.head) > longestNumber || !plainNumber.Match(text))
	case text[0] == 0xEF: // the signs in full width
		if len(text) < 3 && !end {
			return
		}
		for _, sign := range []string{"＝", "＋", "－", "＠"} {
			run = run || bytes.HasPrefix(text, []byte(sign))
		}
	}
	if run {
		e.out = append(e.out, '\'')
	}
	e.out = append(e.out, e.head...)
	e.open, e.head = false, e.head[:0]
}
