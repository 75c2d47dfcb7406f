package content

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
)

const (
	partMaxXML   = 1 << 20 // bytes of a part that is parsed
	partMaxDepth = 100     // of elements in it
)

// countListed counts the elements named item in the list of a part that lists the
// document's sheets or slides. Without the list there are none.
func countListed(entry *zip.File, root, list, item string) (int, error) {
	unpacked, err := entry.Open()
	if err != nil {
		return 0, entryRefusal(err, "the document's main part cannot be opened")
	}
	defer func() { _ = unpacked.Close() }()
	decoder := xml.NewDecoder(io.LimitReader(unpacked, partMaxXML))
	count, depth, inList := 0, 0, false
	for {
		token, err := decoder.RawToken()
		if err != nil {
			// Whether the whole was unpacked has been checked before.
			return 0, &Error{Reason: Damaged, Detail: "the document's main part cannot be read", Err: err}
		}
		switch t := token.(type) {
		case xml.Directive: // ECMA-376, part 2, "XML usage": there are no document types
			return 0, damaged("the document's main part declares a document type")
		case xml.StartElement:
			switch depth++; {
			case depth > partMaxDepth:
				return 0, damaged("the document's main part is nested too deep")
			case depth == 1 && t.Name.Local != root:
				return 0, &Error{Reason: NotFormat, Detail: "the document's main part is of another kind"}
			}
			inList = inList || t.Name.Local == list
			if inList && t.Name.Local == item {
				count++
			}
		case xml.EndElement:
			depth--
			if t.Name.Local == list || depth <= 0 {
				return count, nil
			}
		}
	}
}

// scanAll goes through a document and has each of its tokens judged.
func scanAll(doc *xmlScanner, judge func(*xmlScanner) error) error {
	for {
		err := doc.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return partRefusal(err)
		}
		if err := judge(doc); err != nil {
			return err
		}
	}
}

// partRefusal makes the refusal of a part. Its archive is whole, so one that ends
// too early was made so.
func partRefusal(err error) error {
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Reason == Truncated {
		return &Error{Reason: Damaged, Detail: "a part breaks off", Err: err}
	}
	return entryRefusal(err, "a part cannot be read")
}

// tagCounter counts tags in the XML that is written to it, part after part: start
// tags by their name, with or without a prefix, and end tags by "/" and their
// name.
type tagCounter struct {
	names  []string
	counts []int // of each name
	inTag  bool
	name   []byte // of the tag, as far as it has been seen
}

func countTags(names ...string) *tagCounter {
	return &tagCounter{names: names, counts: make([]int, len(names))}
}

func (c *tagCounter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if !c.inTag {
			i := bytes.IndexByte(rest, '<')
			if i < 0 {
				break
			}
			c.inTag, c.name, rest = true, c.name[:0], rest[i+1:]
			continue
		}
		b := rest[0]
		rest = rest[1:]
		switch {
		case b == ' ', b == '\t', b == '\r', b == '\n', b == '>', b == '/' && len(c.name) > 0:
			c.count()
			c.inTag = false
		case len(c.name) == 64: // no name that counts
			c.inTag = false
		case b == ':':
			c.name = c.name[:c.slash()]
		default:
			c.name = append(c.name, b)
		}
	}
	return len(p), nil
}

// begin begins the next part, whatever the last one ended with.
func (c *tagCounter) begin() { c.inTag = false }

func (c *tagCounter) count() {
	for i, wanted := range c.names {
		if string(c.name) == wanted {
			c.counts[i]++
		}
	}
}

// slash is 1 in an end tag.
func (c *tagCounter) slash() int {
	if len(c.name) > 0 && c.name[0] == '/' {
		return 1
	}
	return 0
}
