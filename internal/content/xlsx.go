package content

import (
	"io"
	"path"
)

// checkXLSX unpacks every entry, which verifies its checksum, and counts sheets
// and rows. Source for the format: ECMA-376, part 1 (SpreadsheetML).
func checkXLSX(s *source) (Facts, error) {
	archive, err := openOffice(s)
	if err != nil {
		return Facts{}, err
	}
	var (
		facts              Facts
		contentTypes       bool
		worksheets, others int // parts: of cells, and of charts and the like
		// A cell has a value, or a text in place of one.
		cells = countTags("row", "v", "is", "/worksheet")
		data  sheetRows
	)
	for _, entry := range archive.entries {
		into, before, sheet := io.Discard, cells.counts[0], false
		if folder, name := path.Split(entry.Name); path.Ext(name) == ".xml" {
			switch folder {
			case "xl/worksheets/":
				worksheets++
				cells.begin()
				into, sheet = cells, true
			case "xl/chartsheets/", "xl/dialogsheets/", "xl/macrosheets/":
				others++
			}
		}
		if err := archive.unpack(entry, into); err != nil {
			return facts, err
		}
		if sheet {
			data.add(entry, cells.counts[0]-before)
		}
		switch entry.Name {
		case "xl/sharedStrings.xml":
			data.texts = entry
		case "[Content_Types].xml":
			contentTypes = true
		case "xl/workbook.xml":
			if facts.Sheets, err = countListed(entry, "workbook", "sheets", "sheet"); err != nil {
				return facts, err
			}
		}
	}
	rows, values, ended := cells.counts[0], cells.counts[1]+cells.counts[2], cells.counts[3]
	facts.Rows = rows
	switch {
	case !contentTypes:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no [Content_Types].xml"}
	case facts.Sheets == 0 || worksheets == 0:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no workbook with a sheet"}
	case worksheets+others < facts.Sheets:
		return facts, damaged("sheets are missing")
	case ended < worksheets:
		return facts, damaged("a sheet breaks off")
	case values == 0:
		facts.Blank = true
		return facts, &Error{Reason: Blank}
	}
	facts.DataRows = data.count()
	return facts, nil
}
