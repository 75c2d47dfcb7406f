package content

import (
	"bytes"
	"regexp"
)

// sniffBytes is how much of a file's beginning shows an error body.
const sniffBytes = 512

// SniffError reports whether a file begins as an error body does: a web page, an
// error of Tableau as XML or JSON, or what a gateway says in a line of text.
// None of the formats begins so. The first 512 bytes are looked at; a line of text
// counts only where it is all that is given.
func SniffError(head []byte) (Reason, bool) {
	switch sniff(head) {
	case sniffedPage:
		return HTML, true
	case sniffedError:
		return TableauError, true
	}
	return "", false
}

// SniffSVG reports whether a file begins as an SVG document does, or ends before
// its first element, which may be long comments in front of one. The first 512
// bytes are looked at.
func SniffSVG(head []byte) bool {
	found := sniff(head)
	return found == sniffedSVG || found == sniffedMarkup
}

type sniffed int

const (
	sniffedOther  sniffed = iota // neither an error nor XML
	sniffedPage                  // a web page, or XML of something that is not Tableau
	sniffedError                 // an error of Tableau
	sniffedSVG                   // an SVG document
	sniffedMarkup                // XML or HTML whose first element is not in sight
)

var (
	// RFC 4180 has no bare field that holds quotes, so no CSV begins as an
	// object.
	jsonStart = regexp.MustCompile(`^(\[\s*)?\{\s*("[^"\\]{1,64}"\s*:|\}\s*$)`)

	// Text that gateways send without markup. The short ones could be the caption
	// of a column, so they have to be all that there is.
	gatewayStart = regexp.MustCompile(`(?i)^(upstream (connect error|request timeout)|no healthy upstream|HTTP/[\d.]+ [45]\d\d\b)`)
	// Single words are captions unless a status comes before them.
	gatewayLine = regexp.MustCompile(`(?i)^(((error )?[45]\d\d[ :-]+)?(bad gateway|service (temporarily )?unavailable|gateway time-?out|internal server error|stream timeout|404 page not found|proxy error|request timeout|too many requests)|(error )?[45]\d\d[ :-]+(forbidden|unauthorized))[.!]?\s*$`)

	// Elements with which a page may begin. Source: WHATWG, MIME Sniffing
	// Standard, section 7.1, without those that could be somebody's caption.
	htmlElement = regexp.MustCompile(`(?i)^<(html|head|body|script|title|meta|iframe|style|h1|div|font|table|br|center|pre|form)(\s|/?>|$)`)

	xmlElement  = regexp.MustCompile(`^<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)(\s|/?>)`)
	xmlNested   = regexp.MustCompile(`^<[^<>]*[^<>/]>\s*<[A-Za-z_!?/]`)
	doctypeName = regexp.MustCompile(`(?i)^<!doctype\s+([A-Za-z]+)`)
)

// sniff looks at a file's first bytes.
func sniff(head []byte) sniffed {
	all := len(head) < sniffBytes
	head = trimStart(head[:min(len(head), sniffBytes)])
	switch {
	case len(head) == 0:
		return sniffedOther
	case head[0] == '{' || head[0] == '[':
		if jsonStart.Match(head) {
			return sniffedError
		}
		return sniffedOther
	case head[0] != '<':
		if gatewayStart.Match(head) || all && gatewayLine.Match(head) {
			return sniffedPage
		}
		return sniffedOther
	}
	return sniffMarkup(head)
}

// trimStart takes off a byte order mark and white space.
func trimStart(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\uFEFF")), " \t\r\n")
}

// sniffMarkup passes over what stands before the first element and judges by
// that element's name.
func sniffMarkup(head []byte) sniffed {
	prolog := false // of XML, or of HTML
	for {
		end := ""
		switch {
		case bytes.HasPrefix(head, []byte("<!--")):
			end = "-->"
		case bytes.HasPrefix(head, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(head, []byte("<!")):
			name := doctypeName.FindSubmatch(head)
			switch {
			case name == nil:
				return markupIf(prolog)
			case bytes.EqualFold(name[1], []byte("html")):
				return sniffedPage
			}
			end = ">"
		}
		if end == "" {
			return sniffElement(head, prolog)
		}
		prolog = true
		at := bytes.Index(head, []byte(end))
		if at < 0 {
			return sniffedMarkup
		}
		head = bytes.TrimLeft(head[at+len(end):], " \t\r\n")
	}
}

func markupIf(prolog bool) sniffed {
	if prolog {
		return sniffedMarkup
	}
	return sniffedOther
}

func sniffElement(head []byte, prolog bool) sniffed {
	if htmlElement.Match(head) {
		return sniffedPage
	}
	element := xmlElement.FindSubmatch(head)
	switch {
	case element == nil:
		return markupIf(prolog)
	case bytes.EqualFold(element[2], []byte("tsResponse")):
		return sniffedError
	case string(element[2]) == "svg":
		return sniffedSVG
	case prolog, xmlNested.Match(head): // a caption in angle brackets stands alone
		return sniffedPage
	}
	return sniffedOther
}
