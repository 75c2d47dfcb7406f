package content

import (
	"archive/zip"
	"io"
	"path"
)

// checkXLSX unpacks every entry, which verifies its checksum, and counts sheets
// and rows. A workbook shows something where one of its sheets does: Tableau
// writes one sheet, and a blank one beside it hides nothing. Source for the
// format: ECMA-376, part 1 (SpreadsheetML).
func checkXLSX(s *source) (Facts, error) {
	archive, err := openOffice(s)
	if err != nil {
		return Facts{}, err
	}
	var (
		facts              Facts
		contentTypes       bool
		workbook, texts    *zip.File
		worksheets, others int // parts: of cells, and of charts and the like
		tags               = countTags("row", "f", "/worksheet")
		sheets             []sheetPart
	)
	for _, entry := range archive.entries {
		into, before, sheet := io.Discard, tags.counts[0], false
		if folder, name := path.Split(entry.Name); path.Ext(name) == ".xml" {
			switch folder {
			case "xl/worksheets/":
				worksheets++
				tags.begin()
				into, sheet = tags, true
			case "xl/chartsheets/", "xl/dialogsheets/":
				others++
			}
		}
		if err := archive.unpack(entry, into); err != nil {
			return facts, err
		}
		if sheet {
			sheets = append(sheets, sheetPart{entry, tags.counts[0] - before})
		}
		switch entry.Name {
		case "xl/sharedStrings.xml":
			texts = entry
		case "[Content_Types].xml":
			contentTypes = true
		case "xl/workbook.xml":
			workbook = entry
			if facts.Sheets, err = countListed(entry, "workbook", "sheets", "sheet"); err != nil {
				return facts, err
			}
		}
	}
	facts.Rows = tags.counts[0]
	formulas, ended := tags.counts[1], tags.counts[2]
	switch {
	case !contentTypes:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no [Content_Types].xml"}
	case facts.Sheets == 0 || worksheets == 0:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no workbook with a sheet"}
	case worksheets+others < facts.Sheets:
		return facts, damaged("sheets are missing")
	case ended < worksheets:
		return facts, damaged("a sheet breaks off")
	}
	if err := archive.refuseActive(); err != nil {
		return facts, err
	}
	if err := archive.refuseFormulas(workbook, sheets, formulas > 0); err != nil {
		return facts, err
	}
	content, rows, err := archive.sheetRows(sheets, texts)
	if err != nil {
		return facts, err
	}
	if !content {
		facts.Blank = true
		return facts, &Error{Reason: Blank, Detail: "no cell has content"}
	}
	facts.DataRows = rows
	return facts, nil
}

// refuseFormulas looks at the names that the workbook defines, and at the sheets
// where there is a formula in one of them.
func (o *office) refuseFormulas(workbook *zip.File, sheets []sheetPart, inSheets bool) error {
	none := func(string) bool { return false }
	guard := &formulaGuard{}
	if workbook.UncompressedSize64 > 0 {
		if err := o.scan(workbook, none, guard, guard.judge); err != nil {
			return err
		}
	}
	for _, sheet := range sheets {
		if !inSheets {
			return nil
		}
		if err := o.scan(sheet.entry, none, guard, guard.judge); err != nil {
			return err
		}
	}
	return nil
}
