package content

import (
	"bytes"
	"strings"
)

const htmlNamespace = "http://www.w3.org/1999/xhtml"

// svgGuard refuses a document that runs something, loads something from
// elsewhere, or has a document of another kind in it, when it is opened or when a
// link in it is followed. An SVG is opened in a browser, which does all of that.
// What passes is a reference to a part of the document itself, a picture of
// pixels in an address, and a link to a page or a mailbox.
type svgGuard struct {
	doc     *xmlScanner
	css     cssScanner
	address []byte          // the beginning of the value that is an address
	html    map[string]bool // prefixes that stand for HTML
	inStyle bool
	image   svgImage // the picture that the current element shows
	path    svgPath  // of the current element
}

// svgRuns are the elements that run or hold what is no picture.
var svgRuns = map[string]bool{
	"script": true, "handler": true, "listener": true, "foreignobject": true, "iframe": true, "frame": true, "object": true,
	"embed": true, "applet": true, "audio": true, "video": true, "animation": true, "canvas": true,
}

// element judges an element once its tag is read. Attributes have been judged
// before.
func (g *svgGuard) element() error {
	prefix, local, found := strings.Cut(g.doc.name, ":")
	if !found {
		prefix, local = "", g.doc.name
	}
	for _, a := range g.doc.attributes {
		space, isSpace := strings.CutPrefix(a.name, "xmlns")
		if !isSpace || a.value != htmlNamespace {
			continue
		}
		if g.html == nil {
			g.html = map[string]bool{}
		}
		if len(g.html) < 64 {
			g.html[strings.TrimPrefix(space, ":")] = true
		}
	}
	local = strings.ToLower(local)
	switch {
	case svgRuns[local]:
		return &Error{Reason: Scripted, Detail: "there is an element that runs or holds another document"}
	case g.html[prefix]:
		return &Error{Reason: Scripted, Detail: "there is a piece of a web page in it"}
	case strings.HasPrefix(local, "animate"), local == "set":
		target, cut, _ := g.doc.attribute("attributeName")
		_, name, found := strings.Cut(target, ":")
		if !found {
			name = target
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if cut || name == "href" || name == "src" || strings.HasPrefix(name, "on") {
			return &Error{Reason: Scripted, Detail: "an animation changes what is run or loaded"}
		}
	case local == "style":
		g.css.reset()
		g.inStyle = true
	}
	return nil
}

// endElement ends a style sheet.
func (g *svgGuard) endElement() error {
	if !g.inStyle {
		return nil
	}
	g.inStyle = false
	return g.css.end()
}

// value implements [xmlWatch].
func (g *svgGuard) value(name string, piece []byte, first, last bool) error {
	_, local, found := strings.Cut(name, ":")
	if !found {
		local = name
	}
	switch local {
	case "d":
		if g.image.shown { // then no path matters
			return nil
		}
		if first {
			g.path.reset()
		}
		g.path.read(piece, last)
		return nil
	case "points", "transform", "id":
		return nil
	case "href", "src":
		return g.link(piece, first, last)
	}
	switch {
	case name == "xml:base" && len(piece) > 0:
		return &Error{Reason: External, Detail: "the document's addresses begin elsewhere"}
	case first && !found && len(name) > 2 && strings.EqualFold(name[:2], "on"):
		return &Error{Reason: Scripted, Detail: "an element has a script for what happens to it"}
	case first && !found && name == "ping":
		return &Error{Reason: External, Detail: "a link tells another address that it was followed"}
	case strings.HasPrefix(name, "xmlns"):
		return nil
	}
	if first && last && bytes.IndexByte(piece, '(') < 0 && bytes.IndexByte(piece, '\\') < 0 {
		return nil // no function, which takes a bracket or an escape
	}
	if first {
		g.css.reset()
	}
	if err := g.css.read(piece); err != nil {
		return err
	}
	if last {
		return g.css.end()
	}
	return nil
}

func (g *svgGuard) link(piece []byte, first, last bool) error {
	if first {
		g.address = g.address[:0]
	}
	before := len(g.address)
	begun := piece
	if before == 0 { // spaces in front do not count, however many there are
		begun = bytes.TrimLeftFunc(piece, func(c rune) bool { return c <= ' ' })
	}
	g.address = append(g.address, begun[:min(len(begun), xmlMaxName-before)]...)
	if g.doc.local() == "image" {
		if err := g.image.read(g.address, begun, first, last); err != nil {
			return err
		}
	}
	// The address is judged once its beginning is known.
	if !last && len(g.address) < xmlMaxName || before == xmlMaxName {
		return nil
	}
	use := addressOfElement
	switch g.doc.local() {
	case "a":
		use = addressOfLink
	case "image", "feImage":
		use = addressOfPicture
	case "font-face-uri":
		use = addressOfStyle
	}
	return judgeAddress(string(g.address), use)
}

// chars implements [xmlWatch].
func (g *svgGuard) chars(piece []byte) error {
	if !g.inStyle {
		return nil
	}
	return g.css.read(piece)
}

// instruction implements [xmlWatch].
func (g *svgGuard) instruction(target string) error {
	if target == "xml-stylesheet" {
		return &Error{Reason: External, Detail: "the document names a style sheet"}
	}
	return nil
}

// doctype implements [xmlWatch]. Readers know the document types of W3C and do
// not ask for them.
func (g *svgGuard) doctype(address string) error {
	for _, known := range []string{"http://www.w3.org/", "https://www.w3.org/", "-//"} {
		if strings.HasPrefix(address, known) {
			return nil
		}
	}
	if address == "" {
		return nil
	}
	return &Error{Reason: External, Detail: "the document's type is elsewhere"}
}
