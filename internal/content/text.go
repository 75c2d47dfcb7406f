package content

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"
)

// isText reports whether a text is UTF-8 without zero bytes.
func isText(b []byte) bool {
	if bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	// What is ASCII, as most is, is passed over quickly.
	const tops = 0x80_80_80_80_80_80_80_80
	at := 0
	for ; at+64 <= len(b); at += 64 {
		p := (*[64]byte)(b[at:])
		if (binary.LittleEndian.Uint64(p[0:])|binary.LittleEndian.Uint64(p[8:])|
			binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:])|
			binary.LittleEndian.Uint64(p[32:])|binary.LittleEndian.Uint64(p[40:])|
			binary.LittleEndian.Uint64(p[48:])|binary.LittleEndian.Uint64(p[56:]))&tops != 0 {
			break
		}
	}
	return utf8.Valid(b[at:])
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
