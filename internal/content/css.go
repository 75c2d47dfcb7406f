package content

import (
	"unicode/utf8"
)

// cssScanner looks in a style sheet, or in a value of one, for what is loaded or
// run. It takes the text in pieces and holds the beginning of one name or address.
// Source for the syntax: W3C, CSS Syntax Module Level 3.
type cssScanner struct {
	state   cssState
	quote   byte   // of the string
	starred bool   // the comment's last byte is a star
	slashed bool   // the last byte is a slash, perhaps of a comment
	name    []byte // the identifier before, in lower case
	at      bool   // it follows an @
	spaces  bool   // the rule is @namespace: its address is a name
	address []byte // of a url()

	escaping bool
	escape   rune
	digits   int // of the escape
}

type cssState int

const (
	cssPlain cssState = iota
	cssComment
	cssString
	cssAddress       // after "url("
	cssQuotedAddress // in a string after it
	cssAfterAddress  // behind that string
)

// cssLoads are the functions that load what a string in them names.
var cssLoads = []string{"src", "image", "image-set", "-webkit-image-set", "cross-fade", "-webkit-cross-fade"}

// read goes on with the next piece.
func (c *cssScanner) read(piece []byte) error {
	for _, b := range piece {
		if err := c.byte(b); err != nil {
			return err
		}
	}
	return nil
}

// byte resolves escapes, which stand for characters that are no syntax.
func (c *cssScanner) byte(b byte) error {
	if !c.escaping {
		if b == '\\' && c.state != cssComment {
			c.escaping, c.escape, c.digits = true, 0, 0
			return nil
		}
		return c.plain(b)
	}
	digit := -1
	switch {
	case b >= '0' && b <= '9':
		digit = int(b - '0')
	case b >= 'a' && b <= 'f':
		digit = int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		digit = int(b-'A') + 10
	}
	switch {
	case digit >= 0 && c.digits < 6:
		c.escape, c.digits = c.escape<<4|rune(digit), c.digits+1
		return nil
	case c.digits == 0: // the byte stands for itself, but a line end for nothing
		c.escaping = false
		if b != '\n' && b != '\r' && b != '\f' {
			c.literal(b)
		}
		return nil
	}
	c.escaping = false
	if !utf8.ValidRune(c.escape) {
		c.escape = utf8.RuneError
	}
	for _, e := range utf8.AppendRune(nil, c.escape) {
		c.literal(e)
	}
	if isXMLSpace(b) || b == '\f' { // which ends the escape
		return nil
	}
	return c.plain(b)
}

// literal takes a byte that is part of a name, a string or an address.
func (c *cssScanner) literal(b byte) {
	c.slashed = false
	switch c.state {
	case cssAddress, cssQuotedAddress:
		c.keep(b)
	case cssPlain:
		c.named(b)
	}
}

func (c *cssScanner) named(b byte) {
	if b >= 'A' && b <= 'Z' {
		b += 'a' - 'A'
	}
	if len(c.name) < 32 {
		c.name = append(c.name, b)
	}
}

func (c *cssScanner) keep(b byte) {
	if len(c.address) < xmlMaxName && (b > ' ' || len(c.address) > 0) {
		c.address = append(c.address, b)
	}
}

func (c *cssScanner) plain(b byte) error {
	switch c.state {
	case cssComment:
		if c.starred && b == '/' {
			c.state = cssPlain
		}
		c.starred = b == '*'
		return nil
	case cssString:
		if b == c.quote || b == '\n' || b == '\r' || b == '\f' {
			c.state = cssPlain
		}
		return nil
	case cssAddress:
		switch {
		case (b == '"' || b == '\'') && len(c.address) == 0:
			c.state, c.quote = cssQuotedAddress, b
		case b == ')':
			return c.endAddress()
		case len(c.address) > 0 || b > ' ':
			c.keep(b)
		}
		return nil
	case cssQuotedAddress:
		if b == c.quote || b == '\n' || b == '\r' || b == '\f' {
			c.state = cssAfterAddress
			return nil
		}
		c.keep(b)
		return nil
	case cssAfterAddress:
		if b == ')' {
			return c.endAddress()
		}
		return nil
	}
	return c.syntax(b)
}

// syntax takes a byte outside of comments, strings and addresses.
func (c *cssScanner) syntax(b byte) error {
	switch {
	case c.slashed && b == '*':
		c.state, c.slashed, c.starred, c.name, c.at = cssComment, false, false, c.name[:0], false
		return nil
	case b == '(':
		return c.function()
	case b == '-' || b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= utf8.RuneSelf:
		c.slashed = false
		c.named(b)
		return nil
	}
	if c.at {
		switch string(c.name) {
		case "import":
			return &Error{Reason: External, Detail: "a style sheet imports another"}
		case "namespace":
			c.spaces = true
		}
	}
	switch b {
	case '"', '\'':
		c.state, c.quote = cssString, b
	case ';':
		c.spaces = false
	}
	c.slashed, c.at, c.name = b == '/', b == '@', c.name[:0]
	return nil
}

// function takes the bracket behind a name.
func (c *cssScanner) function() error {
	name := string(c.name)
	c.slashed, c.name = false, c.name[:0]
	if c.at && name == "import" {
		return &Error{Reason: External, Detail: "a style sheet imports another"}
	}
	c.at = false
	switch name {
	case "url", "url-prefix", "domain":
		c.state, c.address = cssAddress, c.address[:0]
		return nil
	case "expression":
		return &Error{Reason: Scripted, Detail: "a style is computed by a script"}
	}
	for _, loads := range cssLoads {
		if name == loads {
			return &Error{Reason: External, Detail: "a style loads a picture"}
		}
	}
	return nil
}

func (c *cssScanner) endAddress() error {
	c.state = cssPlain
	if c.spaces {
		return nil
	}
	return judgeAddress(string(c.address), addressOfStyle)
}

// end judges what the text ends with: readers close what is open.
func (c *cssScanner) end() error {
	if c.escaping && c.digits > 0 {
		c.escaping = false
		for _, e := range utf8.AppendRune(nil, c.escape) {
			c.literal(e)
		}
	}
	switch c.state {
	case cssAddress, cssQuotedAddress, cssAfterAddress:
		return c.endAddress()
	case cssPlain:
		return c.syntax(';')
	}
	return nil
}

// reset makes the scanner ready for another text.
func (c *cssScanner) reset() {
	*c = cssScanner{name: c.name[:0], address: c.address[:0]}
}
