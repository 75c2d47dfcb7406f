package content

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// What is read cell by cell of a workbook. A larger sheet has data, and its rows
// are counted by their tags.
const (
	exactSheet   = 1 << 20 // bytes of a sheet
	exactStrings = 4 << 20 // bytes of the table of texts
)

// sheetRows counts a workbook's rows of data.
type sheetRows struct {
	counted int          // rows of large sheets, without a header each
	sheets  []smallSheet // the others
	texts   *zip.File    // the table of texts; nil if there is none
}

type smallSheet struct {
	entry *zip.File
	rows  int // by its tags
}

// add takes a sheet, in which so many rows were found.
func (s *sheetRows) add(entry *zip.File, rows int) {
	if entry.UncompressedSize64 > exactSheet {
		s.counted += max(rows-1, 1)
		return
	}
	s.sheets = append(s.sheets, smallSheet{entry, rows})
}

// count returns how many rows there are that have a value and are not the first
// of their sheet with nothing but texts, which is its header. What cannot be read
// cell by cell counts as data: the file as a whole has been checked before.
func (s *sheetRows) count() int {
	rows := s.counted
	var blank map[int]bool
	if s.texts != nil && s.texts.UncompressedSize64 <= exactStrings {
		blank, _ = blankTexts(s.texts)
	}
	for _, sheet := range s.sheets {
		n, err := rowsOfSheet(sheet.entry, blank)
		if err != nil {
			n = max(sheet.rows-1, 1)
		}
		rows += n
	}
	return rows
}

// rowsOfSheet counts a sheet's rows of data. blank are the numbers of the texts
// that show nothing.
func rowsOfSheet(entry *zip.File, blank map[int]bool) (rows int, err error) {
	var (
		header            = true // the next row with a value may be one
		value, number     bool   // the row has one
		kind, text        string // of the cell
		inCell, inContent bool
	)
	err = eachToken(entry, exactSheet, func(token xml.Token) {
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "row":
				value, number = false, false
			case "c":
				inCell, kind, text = true, "n", ""
				for _, a := range t.Attr {
					if a.Name.Local == "t" {
						kind = a.Value
					}
				}
			case "v", "t":
				inContent = inCell
			}
		case xml.CharData:
			if inContent && len(text) < 64 {
				text += string(t)
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "v", "t":
				inContent = false
			case "c":
				inCell = false
				text = strings.TrimSpace(text)
				if i, err := strconv.Atoi(text); text == "" || kind == "s" && err == nil && blank[i] {
					break
				}
				value = true
				number = number || kind == "n" || kind == "b" || kind == "d"
			case "row":
				if value && (!header || number) {
					rows++
				}
				header = header && !value
			}
		}
	})
	return rows, err
}

// blankTexts returns the numbers of those texts of a workbook's table that show
// nothing.
func blankTexts(entry *zip.File) (map[int]bool, error) {
	blank := map[int]bool{}
	n, shows, inText := 0, false, false
	err := eachToken(entry, exactStrings, func(token xml.Token) {
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "si":
				shows = false
			case "t":
				inText = true
			}
		case xml.CharData:
			shows = shows || inText && len(strings.TrimSpace(string(t))) > 0
		case xml.EndElement:
			switch t.Name.Local {
			case "t":
				inText = false
			case "si":
				if !shows {
					blank[n] = true
				}
				n++
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return blank, nil
}

// eachToken goes through a part of an archive.
func eachToken(entry *zip.File, limit int64, see func(xml.Token)) error {
	unpacked, err := entry.Open()
	if err != nil {
		return entryRefusal(err, "a part cannot be opened")
	}
	defer func() { _ = unpacked.Close() }()
	decoder := xml.NewDecoder(io.LimitReader(unpacked, limit))
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Error{Reason: Damaged, Detail: "a part cannot be read", Err: err}
		}
		see(token)
	}
}
