package content

import "strings"

// addressUse is what becomes of what is at an address.
type addressUse int

const (
	addressOfElement addressUse = iota // used as a part of the document
	addressOfPicture                   // shown
	addressOfStyle                     // shown, or a font
	addressOfLink                      // opened by who follows it
)

// judgeAddress refuses an address from which something is loaded or run when the
// document is opened, or run when a link is followed. Only the beginning of the
// address is needed.
func judgeAddress(address string, use addressUse) error {
	// As readers do: spaces around it, and line ends and tabs within, do not count.
	address = strings.TrimFunc(address, func(c rune) bool { return c <= ' ' })
	address = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(address)
	if address == "" || strings.HasPrefix(address, "#") {
		return nil
	}
	scheme, rest, found := strings.Cut(address, ":")
	if strings.ContainsAny(scheme, "/\\?#") {
		found = false
	}
	scheme = strings.ToLower(strings.TrimSpace(scheme))
	switch {
	case !found:
		return &Error{Reason: External, Detail: "an address is another file's"}
	case scheme == "javascript", scheme == "vbscript", scheme == "livescript":
		return &Error{Reason: Scripted, Detail: "an address is a script"}
	case use == addressOfLink:
		switch scheme {
		case "http", "https", "mailto":
			return nil
		}
		return &Error{Reason: Scripted, Detail: "a link leads elsewhere than to a page or a mailbox"}
	case scheme == "data" && dataOf(use, rest):
		return nil
	case scheme == "data":
		return &Error{Reason: Scripted, Detail: "there is another document in an address"}
	}
	return &Error{Reason: External, Detail: "an address is elsewhere"}
}

// dataOf reports whether data in an address are a picture that is pixels alone,
// or, in a style, a font.
func dataOf(use addressUse, rest string) bool {
	end := strings.IndexAny(rest, ",;")
	if end < 0 {
		end = len(rest)
	}
	kind := strings.ToLower(strings.TrimSpace(rest[:end]))
	switch use {
	case addressOfStyle:
		return isPixels(kind) || strings.HasPrefix(kind, "font/") ||
			strings.HasPrefix(kind, "application/") && (strings.Contains(kind, "font") || kind == "application/octet-stream")
	case addressOfPicture:
		return isPixels(kind)
	}
	return false
}

func isPixels(kind string) bool {
	// An SVG may do all that the document itself must not.
	return strings.HasPrefix(kind, "image/") && !strings.Contains(kind, "svg") && !strings.Contains(kind, "xml")
}
