package content

import (
	"archive/zip"
	"bytes"
	"errors"
	"strconv"
)

// exactSheet is how many bytes of a sheet are read cell by cell to count its rows
// of data. A larger one is read to its first content, and its rows are counted by
// their tags.
const exactSheet = 1 << 20

// maxTexts is of how many of a workbook's texts it is known that they show
// nothing. The others count as texts that show something.
const maxTexts = 8 << 20

// sheetPart is a sheet of cells.
type sheetPart struct {
	entry *zip.File
	rows  int // by their tags
}

// sheetRows reports whether a cell of any sheet has content, and how many rows do
// that are not a header.
func (o *office) sheetRows(sheets []sheetPart, texts *zip.File) (content bool, rows int, err error) {
	var blank blankTexts
	if texts != nil {
		if err := o.scan(texts, func(string) bool { return false }, nil, blank.see); err != nil {
			return false, 0, err
		}
	}
	for _, sheet := range sheets {
		cells := sheetCells{blank: &blank, first: true, whole: sheet.entry.UncompressedSize64 <= exactSheet}
		err := o.scan(sheet.entry, cellNames, nil, cells.see)
		switch {
		case errors.Is(err, errSeen):
			rows += max(sheet.rows-1, 1)
		case err != nil:
			return false, 0, err
		default:
			rows += cells.rows
		}
		content = content || cells.content
	}
	return content, rows, nil
}

// errSeen ends the scan of a large sheet.
var errSeen = errors.New("there is content")

func cellNames(name string) bool { return name == "t" || name == "s" }

// sheetCells goes through a sheet's cells and counts the rows with content, but
// for a header: the first of them, if it has texts alone, or if its cells have a
// style of their own and one of them has a text. Years and dates may be captions.
type sheetCells struct {
	blank *blankTexts
	whole bool // the sheet is read to its end

	content bool
	rows    int
	first   bool // no row with content has been seen

	// Of the row.
	value, number, text, plain bool
	style                      string

	// Of the cell.
	kind, cellStyle   string
	inCell, inContent bool
	shown             bool   // what was seen so far shows
	index             []byte // of a text in the workbook's table
}

func (c *sheetCells) see(doc *xmlScanner) error {
	switch doc.kind {
	case xmlStartTag:
		switch doc.local() {
		case "row":
			c.value, c.number, c.text, c.plain, c.style = false, false, false, false, ""
		case "c":
			c.inCell, c.shown, c.index = true, false, c.index[:0]
			c.kind, _, _ = doc.attribute("t")
			c.cellStyle, _, _ = doc.attribute("s")
		case "v", "t":
			c.inContent = c.inCell
		}
	case xmlText:
		if c.inContent && !doc.blank {
			c.shown = true
			c.index = append(c.index, doc.text[:min(len(doc.text), 32-len(c.index))]...)
		}
	case xmlEndTag:
		switch doc.local() {
		case "v", "t":
			c.inContent = false
		case "c":
			c.endCell()
			if c.content && !c.whole {
				return errSeen
			}
		case "row":
			c.endRow()
		}
	}
	return nil
}

func (c *sheetCells) endCell() {
	c.inCell = false
	if c.shown && c.kind == "s" && c.blank.is(c.index) {
		c.shown = false
	}
	if !c.shown {
		return
	}
	switch c.kind {
	case "s", "str", "inlineStr":
		c.text = true
	default:
		c.number = true
	}
	if !c.value {
		c.style = c.cellStyle
	}
	c.plain = c.plain || c.cellStyle == "" || c.cellStyle == "0" || c.cellStyle != c.style
	c.value, c.content = true, true
}

func (c *sheetCells) endRow() {
	if !c.value {
		return
	}
	header := c.first && c.text && (!c.number || !c.plain)
	if !header {
		c.rows++
	}
	c.first = false
}

// blankTexts are those of a workbook's table of texts that show nothing, a bit for
// each.
type blankTexts struct {
	bits          []uint64
	n             int
	shows, inText bool
}

func (b *blankTexts) see(doc *xmlScanner) error {
	switch doc.kind {
	case xmlStartTag:
		switch doc.local() {
		case "si":
			b.shows = false
		case "t":
			b.inText = true
		}
	case xmlText:
		b.shows = b.shows || b.inText && !doc.blank
	case xmlEndTag:
		switch doc.local() {
		case "t":
			b.inText = false
		case "si":
			if !b.shows && b.n < maxTexts {
				for b.n/64 >= len(b.bits) {
					b.bits = append(b.bits, 0)
				}
				b.bits[b.n/64] |= 1 << (b.n % 64)
			}
			b.n++
		}
	}
	return nil
}

// is reports whether a text shows nothing.
func (b *blankTexts) is(index []byte) bool {
	i, err := strconv.Atoi(string(bytes.TrimSpace(index)))
	return err == nil && i >= 0 && i/64 < len(b.bits) && b.bits[i/64]>>(i%64)&1 == 1
}
