package tableau

import (
	"html"
	"regexp"
	"strings"
	"unicode"
)

// What an address looks like that passed through the code of a web page. None of
// it is in an address as browsers show it: they write each of these signs
// percent-encoded where it is part of a name.
var (
	// entity is an escaped sign, such as &amp; or &#38;.
	entity = regexp.MustCompile(`&(?:(?i:amp|quot|apos|lt|gt)|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});`)

	// entityRest is what another escaped sign leaves at the beginning of a key.
	entityRest = regexp.MustCompile(`^#?[A-Za-z0-9]{1,31};`)

	// swallowedKey is a value with the next key in it: its & and the letters after
	// it were read as one sign, as in "®ion=" of "&region=".
	swallowedKey = regexp.MustCompile(`[\x{A1}-\x{FF}][^=&]*=`)

	markdownLink = regexp.MustCompile(`^!?\[[^\]]*\]\(\s*<?(https?://.*?)>?\s*\)$`)
)

// unwrap takes off an address what text, mail and web pages put around or into
// it. The message says what is wrong where that is not sure.
func unwrap(s string) (string, string) {
	s = strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if m := markdownLink.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	if inside, ok := strings.CutPrefix(s, "<"); ok { // <address> of mail, <address|name> of a chat
		inside, _, _ = strings.Cut(inside, ">")
		s, _, _ = strings.Cut(inside, "|")
	}
	for range maxEscapes {
		if !entity.MatchString(s) {
			break
		}
		s = entity.ReplaceAllStringFunc(s, func(e string) string { return html.UnescapeString(strings.ToLower(e)) })
	}
	switch {
	case entity.MatchString(s):
		return "", msgEscaped
	case strings.ContainsRune(s, '\uFFFD'): // in place of a sign that was lost
		return "", msgBadCharacters
	}
	s = strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("<>\"'\u201C\u201D\u2018\u2019", r)
	})
	if !strings.Contains(s, "?") { // no sign of a view's address; in a filter's value it may be one
		for len(s) > 0 && (endsOpen(s) || strings.ContainsRune(".,;:!", rune(s[len(s)-1]))) {
			s = s[:len(s)-1]
		}
	}
	return s, ""
}

// endsOpen reports whether a text ends with a bracket that is not opened in it.
func endsOpen(s string) bool {
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.HasSuffix(s, pair[1:]) && strings.Count(s, pair[:1]) < strings.Count(s, pair[1:]) {
			return true
		}
	}
	return false
}

// maxEscapes is how often an address may have been escaped, one time after the
// other.
const maxEscapes = 5

// invisible reports whether a sign shows nothing and is in a text for its layout
// alone: browsers write it percent-encoded where it is part of a name.
func invisible(r rune) bool {
	switch {
	case r == '\u00AD', r == '\u200B', r == '\u200E', r == '\u200F', r == '\u2060', r == '\uFEFF':
		return true
	case r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return false
}
