package content

import (
	"bytes"
	"errors"
	"io"
	"unicode"
	"unicode/utf8"
)

// isText reports whether a text is UTF-8 without zero bytes.
func isText(b []byte) bool { return bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) }

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
		if !isText(u.rest[:u.n]) {
			return 0, notUTF8()
		}
		u.n = 0
	}
	if u.n == 0 {
		whole := wholeRunes(text)
		u.n = copy(u.rest[:], text[len(whole):])
		text = whole
		if !isText(text) {
			return 0, notUTF8()
		}
	}
	if u.n > 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func notUTF8() error {
	return &Error{Reason: NotFormat, Detail: "the text is not UTF-8 without zero bytes"}
}

// isBlank reports whether a text shows nothing: it has only white space, and
// characters without a shape. A piece of a character counts as one that shows.
func isBlank(text []byte) bool {
	if len(bytes.Trim(text, " \t\r\n")) == 0 {
		return true
	}
	return bytes.IndexFunc(text, func(c rune) bool {
		return !unicode.IsSpace(c) && !unicode.IsControl(c) && !unicode.Is(unicode.Cf, c)
	}) < 0
}
