package content

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

const svgNamespace = "http://www.w3.org/2000/svg"

// checkSVG reads the document from end to end and looks for a mark in it. Source
// for the format: W3C, Scalable Vector Graphics (SVG) 2.
func checkSVG(s *source) (Facts, error) {
	in := bufio.NewReaderSize(s.all(), 4<<10)
	head, err := in.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	if first := trimStart(head); len(first) > 0 && first[0] != '<' {
		return Facts{}, &Error{Reason: NotFormat}
	}
	doc := newXMLScanner(in, func(name string) bool {
		return name == "fill" || name == "stroke" || name == "style" || name == "class"
	})
	painting := svgPainting{states: []svgState{{fill: true}}}
	for {
		first := !doc.rooted
		switch err := doc.next(); {
		case errors.Is(err, io.EOF):
			if !painting.marked {
				return Facts{Blank: true}, &Error{Reason: Blank}
			}
			return Facts{}, nil
		case err != nil:
			return Facts{}, svgRefusal(err, doc)
		case first:
			if err := svgRoot(doc); err != nil {
				return Facts{}, err
			}
		}
		painting.see(doc)
	}
}

// svgRefusal gives a reader's refusal its sense: before there is an element,
// text that is not XML is another format.
func svgRefusal(err error, doc *xmlScanner) error {
	var refusal *Error
	if !errors.As(err, &refusal) || doc.rooted || refusal.Reason != Damaged {
		return err
	}
	return &Error{Reason: NotFormat, Detail: refusal.Detail}
}

// svgRoot refuses a document of another kind.
func svgRoot(doc *xmlScanner) error {
	prefix, local, found := strings.Cut(doc.name, ":")
	space := "xmlns:" + prefix
	if !found {
		local, space = doc.name, "xmlns"
	}
	if local != "svg" {
		switch sniff([]byte("<" + strings.ToLower(local) + ">")) {
		case sniffedError:
			return &Error{Reason: TableauError}
		case sniffedPage:
			return &Error{Reason: HTML}
		}
		return &Error{Reason: NotFormat, Detail: "the root element is not svg"}
	}
	if value, _, _ := doc.attribute(space); value != svgNamespace {
		return &Error{Reason: NotFormat, Detail: "the root element is not in SVG's namespace"}
	}
	return nil
}

// svgState is what an element passes on to those within it.
type svgState struct {
	fill, stroke bool // painting with it shows
	hidden       bool // nothing within is painted where it stands
	text         bool // characters within are painted
}

// svgPainting looks for a mark. As with a PDF, a doubt counts as one: a document
// is blank only when all its shapes are certainly white or unpainted.
type svgPainting struct {
	marked bool
	styled bool // a style sheet may paint anything
	states []svgState
}

func (p *svgPainting) see(doc *xmlScanner) {
	top := p.states[len(p.states)-1]
	switch doc.kind {
	case xmlEndTag:
		p.states = p.states[:len(p.states)-1]
	case xmlText:
		p.marked = p.marked || top.text && !doc.blank && !top.hidden && (top.fill || top.stroke)
	case xmlStartTag:
		now := p.inherit(top, doc)
		p.states = append(p.states, now)
		p.marked = p.marked || !now.hidden && p.paints(now, doc)
	}
}

func (p *svgPainting) inherit(now svgState, doc *xmlScanner) svgState {
	if value, cut, found := doc.attribute("fill"); found {
		now.fill = cut || svgShows(value, now.fill)
	}
	if value, cut, found := doc.attribute("stroke"); found {
		now.stroke = cut || svgShows(value, now.stroke)
	}
	if value, cut, found := doc.attribute("style"); found {
		now.style(value, cut)
	}
	if _, _, found := doc.attribute("class"); found && p.styled {
		now.fill = true
	}
	switch doc.local() {
	case "defs", "symbol", "clipPath", "mask", "pattern", "marker", "title", "desc", "metadata", "script":
		now.hidden = true
	case "style":
		now.hidden, p.styled = true, true
	case "text":
		now.text = true
	}
	return now
}

// style reads fill and stroke from a style attribute.
func (s *svgState) style(value string, cut bool) {
	if cut {
		s.fill = true
		return
	}
	for declaration := range strings.SplitSeq(value, ";") {
		name, value, _ := strings.Cut(declaration, ":")
		switch strings.TrimSpace(name) {
		case "fill":
			s.fill = svgShows(value, s.fill)
		case "stroke":
			s.stroke = svgShows(value, s.stroke)
		}
	}
}

func (p *svgPainting) paints(now svgState, doc *xmlScanner) bool {
	switch doc.local() {
	case "path", "rect", "circle", "ellipse", "polyline", "polygon":
		return now.fill || now.stroke || p.styled
	case "line": // has nothing to fill
		return now.stroke || p.styled
	case "image", "use", "foreignObject":
		return true
	}
	return false
}

// svgShows reports whether a paint shows on white.
func svgShows(paint string, inherited bool) bool {
	switch strings.ToLower(strings.ReplaceAll(strings.TrimSpace(paint), " ", "")) {
	case "inherit":
		return inherited
	case "none", "transparent", "white", "#fff", "#ffffff", "rgb(255,255,255)", "rgb(100%,100%,100%)":
		return false
	}
	return true
}
