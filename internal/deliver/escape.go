package deliver

import (
	"fmt"
	"html"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape is the place that a rendered text goes to, and so what is done to it.
type Escape int

// The places. Literal text and what expressions give are treated alike.
const (
	Plain  Escape = iota // as it is; of a file's name too, which [FileName] then makes safe
	HTML                 // & < > " ' as entities
	Slack                // & < > as entities, so that nothing becomes a mention or a link
	Header               // one line of at most 250 characters
)

var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape treats one piece of text.
func (e Escape) escape(s string) string {
	switch e {
	case HTML:
		return html.EscapeString(s)
	case Slack:
		return slackEscaper.Replace(s)
	default:
		return s
	}
}

// finish treats the whole text.
func (e Escape) finish(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if e == Header {
		return headerText(s)
	}
	return s
}

const (
	maxHeader   = 250 // characters
	maxFileName = 120 // bytes, extension included
)

// isUnsafe is true of control characters, of line and paragraph separators,
// and of the characters that turn the direction of text around, by which
// "gpj.exe" can be made to look like "exe.jpg".
func isUnsafe(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) || r == '\uFEFF'
}

func headerText(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return isUnsafe(r) || unicode.IsSpace(r) }), " ")
	return cutRunes(s, maxHeader)
}

// cutRunes shortens a text to at most n characters, the last an ellipsis.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return strings.TrimRightFunc(string(runes[:n-1]), unicode.IsSpace) + "…"
}

// FileName makes a name that every file system and mail program can keep: no
// path, no control character, no name that Windows reserves, at most 120
// bytes, and the format as its extension.
func FileName(name, format string) string { return fileName(name, "", format) }

// UniqueName is [FileName] of a name with its extension, numbered where taken
// has it already, in whatever case. It notes the name in taken.
func UniqueName(name string, taken map[string]bool) string {
	extension := path.Ext(name)
	stem, format := strings.TrimSuffix(name, extension), strings.TrimPrefix(extension, ".")
	unique := FileName(name, format)
	for i := 2; taken[strings.ToLower(unique)]; i++ {
		unique = fileName(stem, fmt.Sprintf(" (%d)", i), format)
	}
	taken[strings.ToLower(unique)] = true
	return unique
}

// fileName is [FileName] with a suffix that is never cut off.
func fileName(name, suffix, format string) string {
	if format == "" {
		return fileStem(name, maxFileName-len(suffix)) + suffix
	}
	extension := "." + fileStem(strings.ToLower(format), 20)
	if own := path.Ext(name); strings.EqualFold(own, extension) {
		name = strings.TrimSuffix(name, own) // which may be shorter: ".Ⱥ" has one byte less than ".ⱥ"
	}
	return fileStem(name, maxFileName-len(suffix)-len(extension)) + suffix + extension
}

// fileStem makes the part of a file's name before its extension.
func fileStem(name string, limit int) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = strings.Map(func(r rune) rune {
		switch {
		case isUnsafe(r):
			return ' '
		case strings.ContainsRune(`/\:*?"<>|`, r):
			return '_'
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	// A leading dot hides a file, a leading - is read as an option, and Windows
	// drops dots and spaces at the end.
	name = strings.TrimLeft(name, ".- ")
	if stem, _, _ := strings.Cut(name, "."); isReserved(strings.TrimSpace(stem)) {
		name = "_" + name
	}
	name = strings.TrimRight(cutBytes(name, limit), ". ")
	if name == "" {
		return "file"
	}
	return name
}

// isReserved is true of the names that Windows keeps for devices (Microsoft,
// Naming Files, Paths, and Namespaces).
func isReserved(stem string) bool {
	switch stem = strings.ToUpper(stem); stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, device := range []string{"COM", "LPT"} {
		if digit, ok := strings.CutPrefix(stem, device); ok {
			switch digit {
			case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
				return true
			}
		}
	}
	return false
}

// cutBytes shortens a text to at most n bytes, between characters as people
// see them: never within one, nor between a letter and its accents.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 {
		r, _ := utf8.DecodeRuneInString(s[n:])
		last, _ := utf8.DecodeLastRuneInString(s[:n])
		if utf8.RuneStart(s[n]) && !joins(r) && last != zeroWidthJoiner {
			break
		}
		n--
	}
	return s[:n]
}

const zeroWidthJoiner = '\u200D'

// joins is true of a character that belongs to the one before it.
func joins(r rune) bool {
	return unicode.In(r, unicode.M) || r == zeroWidthJoiner || unicode.Is(unicode.Variation_Selector, r) ||
		(r >= '\U0001F3FB' && r <= '\U0001F3FF') // skin tones
}
