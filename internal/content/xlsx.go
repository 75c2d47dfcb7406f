package content

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

const (
	zipSignature = "PK\x03\x04"

	xlsxMaxDirectory = 1 << 20   // bytes read to list the archive's entries
	xlsxMaxEntries   = 10_000    //
	xlsxMaxUnpacked  = 512 << 20 // bytes of all entries
	xlsxMaxRatio     = 250       // of unpacked to packed; worksheets reach about 30
	xlsxRatioFrom    = 16 << 20  // bytes below which any ratio will do
	xlsxMaxWorkbook  = 1 << 20   // bytes of xl/workbook.xml
	xlsxMaxDepth     = 100       // of elements in it
)

// checkXLSX unpacks every entry, which verifies its checksum, and counts sheets
// and rows. Source for the format: ECMA-376, part 1 (SpreadsheetML) and part 2
// (packages).
func checkXLSX(s *source) (Facts, error) {
	head := make([]byte, min(int64(len(zipSignature)), s.size))
	if _, err := s.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	if !bytes.HasPrefix([]byte(zipSignature), head) {
		return Facts{}, &Error{Reason: NotFormat}
	}

	// Listing an archive holds every entry in memory, so how much is listed is
	// bounded by what is read for it.
	in := &meteredReader{r: s, metered: true, left: xlsxMaxDirectory}
	archive, err := zip.NewReader(in, s.size)
	in.metered = false
	switch {
	case in.left < 0, err == nil && len(archive.File) > xlsxMaxEntries:
		return Facts{}, &Error{Reason: TooLarge, Detail: "the archive has too many entries"}
	case errors.Is(err, zip.ErrFormat):
		return Facts{}, &Error{Reason: Truncated, Detail: "the archive's directory is missing", Err: err}
	case err != nil:
		return Facts{}, refuse(err, "the archive's directory cannot be read")
	}

	var (
		facts        Facts
		contentTypes bool
		reader       = xlsxReader{left: min(xlsxMaxUnpacked, max(xlsxRatioFrom, s.size*xlsxMaxRatio))}
	)
	for _, file := range archive.File {
		if err := reader.readEntry(file); err != nil {
			return facts, err
		}
		switch file.Name {
		case "[Content_Types].xml":
			contentTypes = true
		case "xl/workbook.xml":
			if facts.Sheets, err = countSheets(file); err != nil {
				return facts, err
			}
		}
	}
	facts.Rows = reader.rows
	switch {
	case !contentTypes:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no [Content_Types].xml"}
	case facts.Sheets == 0 || reader.worksheets == 0:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no workbook with a sheet"}
	case reader.values == 0:
		facts.Blank = true
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
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

// xlsxReader unpacks entries.
type xlsxReader struct {
	left       int64 // bytes that may still be unpacked
	worksheets int
	rows       int
	values     int
}

func (r *xlsxReader) readEntry(file *zip.File) error {
	if file.Flags&1 != 0 {
		return damaged("the archive is encrypted")
	}
	unpacked, err := file.Open()
	if err != nil {
		return refuse(err, "an entry cannot be opened")
	}
	defer func() { _ = unpacked.Close() }()

	// The counter has no ReadFrom, so that io.CopyBuffer uses this buffer.
	tags := &tagCounter{}
	n, err := io.CopyBuffer(tags, io.LimitReader(unpacked, r.left+1), make([]byte, 32<<10))
	switch {
	case err != nil:
		return refuse(err, "an entry cannot be unpacked")
	case n > r.left:
		return &Error{Reason: TooLarge, Detail: "the archive unpacks to too much"}
	}
	r.left -= n
	if strings.HasPrefix(file.Name, "xl/worksheets/") && strings.HasSuffix(file.Name, ".xml") {
		r.worksheets++
		r.rows += tags.rows
		r.values += tags.values
	}
	return nil
}

// tagCounter counts rows and values of a worksheet in the XML that is written to
// it, by their start tags, with or without a prefix.
type tagCounter struct {
	rows, values int
	inTag        bool
	name         []byte // of the tag, as far as it has been seen
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
		switch b {
		case ' ', '\t', '\r', '\n', '>', '/':
			name := c.name
			if colon := bytes.IndexByte(name, ':'); colon >= 0 {
				name = name[colon+1:]
			}
			switch string(name) {
			case "row":
				c.rows++
			case "v", "is": // a cell's value, and a text in place of one
				c.values++
			}
			c.inTag = false
		default:
			if len(c.name) == 64 { // no name that counts
				c.inTag = false
			} else {
				c.name = append(c.name, b)
			}
		}
	}
	return len(p), nil
}

// countSheets counts the sheets that a workbook lists.
func countSheets(file *zip.File) (int, error) {
	unpacked, err := file.Open()
	if err != nil {
		return 0, refuse(err, "the workbook cannot be opened")
	}
	defer func() { _ = unpacked.Close() }()
	decoder := xml.NewDecoder(io.LimitReader(unpacked, xlsxMaxWorkbook))
	sheets, depth, inList := 0, 0, false
	for {
		token, err := decoder.RawToken()
		if err != nil {
			// Whether the whole was unpacked has been checked before.
			return 0, &Error{Reason: Damaged, Detail: "the workbook's list of sheets cannot be read", Err: err}
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > xlsxMaxDepth {
				return 0, damaged("the workbook is nested too deep")
			}
			inList = inList || t.Name.Local == "sheets"
			if inList && t.Name.Local == "sheet" {
				sheets++
			}
		case xml.EndElement:
			depth--
			if t.Name.Local == "sheets" {
				return sheets, nil
			}
		}
	}
}
