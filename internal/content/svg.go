package content

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

const svgNamespace = "http://www.w3.org/2000/svg"

// checkSVG reads the document from end to end, refuses what is run or loaded from
// elsewhere, and looks for a mark in it. Source for the format: W3C, Scalable
// Vector Graphics (SVG) 2.
func checkSVG(s *source) (Facts, error) {
	in := bufio.NewReaderSize(s.all(), 4<<10)
	head, err := in.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	if first := trimStart(head); len(first) > 0 && first[0] != '<' {
		return Facts{}, &Error{Reason: NotFormat}
	}
	painting := newSVGPainting()
	doc := newXMLScanner(in, func(name string) bool {
		return name == "attributeName" || !painting.marked && svgKeeps(name)
	})
	guard := &svgGuard{doc: doc, image: svgImage{ctx: s.ctx, pixels: MaxPixels}}
	defer func() { _ = guard.image.close() }()
	doc.watch = guard
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
		switch doc.kind {
		case xmlStartTag:
			if err := guard.element(); err != nil {
				return Facts{}, err
			}
		case xmlEndTag:
			if err := guard.endElement(); err != nil {
				return Facts{}, err
			}
		}
		painting.see(doc, guard)
		guard.image.shown = painting.marked
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
