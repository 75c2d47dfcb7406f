package content

import (
	"io"
	"strings"
)

// checkXLSX unpacks every entry, which verifies its checksum, and counts sheets
// and rows. Source for the format: ECMA-376, part 1 (SpreadsheetML).
func checkXLSX(s *source) (Facts, error) {
	archive, err := openOffice(s)
	if err != nil {
		return Facts{}, err
	}
	var (
		facts        Facts
		contentTypes bool
		worksheets   int
		cells        = countTags("row", "v", "is") // a cell's value, and a text in place of one
	)
	for _, entry := range archive.entries {
		into := io.Discard
		if strings.HasPrefix(entry.Name, "xl/worksheets/") && strings.HasSuffix(entry.Name, ".xml") {
			worksheets++
			cells.inTag = false
			into = cells
		}
		if err := archive.unpack(entry, into); err != nil {
			return facts, err
		}
		switch entry.Name {
		case "[Content_Types].xml":
			contentTypes = true
		case "xl/workbook.xml":
			if facts.Sheets, err = countListed(entry, "workbook", "sheets", "sheet"); err != nil {
				return facts, err
			}
		}
	}
	facts.Rows = cells.counts[0]
	switch {
	case !contentTypes:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no [Content_Types].xml"}
	case facts.Sheets == 0 || worksheets == 0:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no workbook with a sheet"}
	case cells.counts[1]+cells.counts[2] == 0:
		facts.Blank = true
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
}
