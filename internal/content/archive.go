package content

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

const (
	zipSignature = "PK\x03\x04"

	zipMaxDirectory = 1 << 20   // bytes read to list the archive's entries
	zipMaxEntries   = 10_000    //
	zipMaxUnpacked  = 512 << 20 // bytes of all entries
	zipMaxRatio     = 250       // of unpacked to packed; worksheets reach about 30
	zipRatioFrom    = 16 << 20  // bytes below which any ratio will do
	partMaxXML      = 1 << 20   // bytes of a part that is parsed
	partMaxDepth    = 100       // of elements in it
)

// office is an Office file: an archive of parts. Source for the format: ECMA-376,
// part 2 (Open Packaging Conventions), and PKWARE's APPNOTE (ZIP).
type office struct {
	entries []*zip.File
	left    int64 // bytes that may still be unpacked
	buffer  []byte
}

// openOffice lists the archive's entries. It refuses names that lead out of the
// folder into which somebody unpacks it, and entries that claim more bytes than
// the file has.
func openOffice(s *source) (*office, error) {
	head := make([]byte, len(zipSignature))
	n, err := s.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.HasPrefix([]byte(zipSignature), head[:n]) {
		return nil, &Error{Reason: NotFormat}
	}
	size, err := s.size()
	if err != nil {
		return nil, err
	}

	// Listing an archive holds every entry in memory, so how much is listed is
	// bounded by what is read for it.
	in := &meteredReader{r: s, metered: true, left: zipMaxDirectory}
	archive, err := zip.NewReader(in, size)
	in.metered = false
	switch {
	case in.left < 0, err == nil && len(archive.File) > zipMaxEntries:
		return nil, &Error{Reason: TooLarge, Detail: "the archive has too many entries"}
	case errors.Is(err, zip.ErrFormat):
		return nil, &Error{Reason: Truncated, Detail: "the archive's directory is missing", Err: err}
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return nil, refuse(err, "the archive's directory cannot be read")
	}

	names := make([]string, 0, len(archive.File))
	packed := uint64(0)
	for _, entry := range archive.File {
		if !isPartName(entry.Name) {
			return nil, damaged("an entry's name leads out of the archive")
		}
		// Names of parts are equal without regard to case.
		names = append(names, strings.ToLower(entry.Name))
		if packed += entry.CompressedSize64; entry.CompressedSize64 > uint64(size) || packed > uint64(size) {
			return nil, damaged("the entries claim to be larger than the archive")
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) < len(archive.File) {
		return nil, damaged("two entries have one name")
	}
	return &office{entries: archive.File, buffer: make([]byte, 32<<10),
		left: min(zipMaxUnpacked, max(zipRatioFrom, size*zipMaxRatio))}, nil
}

// isPartName reports whether a name stays within the archive.
func isPartName(name string) bool {
	if name == "" || strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\:\x00") {
		return false
	}
	for step := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if step == "" || step == "." || step == ".." {
			return false
		}
	}
	return true
}

// meteredReader fails after so many bytes, while it is metered.
type meteredReader struct {
	r       io.ReaderAt
	metered bool
	left    int64
}

var errMetered = errors.New("more bytes than allowed")

func (m *meteredReader) ReadAt(p []byte, offset int64) (int, error) {
	if m.metered {
		if m.left -= int64(len(p)); m.left < 0 {
			return 0, errMetered
		}
	}
	return m.r.ReadAt(p, offset)
}

// unpack writes an entry to w and verifies its length and checksum. It has to
// be called for every entry once, whether its content matters or not.
func (o *office) unpack(entry *zip.File, w io.Writer) error {
	if entry.Flags&1 != 0 {
		return damaged("the archive is encrypted")
	}
	unpacked, err := entry.Open()
	if err != nil {
		return entryRefusal(err, "an entry cannot be opened")
	}
	defer func() { _ = unpacked.Close() }()
	// Without other methods than Write, io.CopyBuffer uses this buffer.
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(unpacked, o.left+1), o.buffer)
	switch {
	case n > o.left:
		return &Error{Reason: TooLarge, Detail: "the archive unpacks to too much"}
	case err != nil:
		return entryRefusal(err, "an entry cannot be unpacked")
	}
	o.left -= n
	return nil
}

// entryRefusal makes the refusal of an entry. Its archive is whole, since the
// directory at the end has been read: an entry that ends too early lies about
// its length.
func entryRefusal(err error, detail string) error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return err
	}
	return &Error{Reason: Damaged, Detail: detail, Err: err}
}

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
		case xml.Directive: // Open Packaging Conventions, section 8: no document types
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
