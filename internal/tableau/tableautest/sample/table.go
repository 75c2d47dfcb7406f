package sample

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Table is the data of one worksheet as it is displayed.
type Table struct {
	Name     string // of the worksheet
	Language Language
	Columns  []Column
	Rows     [][]Value
}

// Column is one column of a [Table].
type Column struct {
	Caption string
	Kind    Kind
}

// Value is one cell: a text, or a number to be written in the column's kind.
type Value struct {
	Text   string
	Number float64
}

func words(s string) Value     { return Value{Text: s} }
func figure(v float64) Value   { return Value{Number: v} }
func (t Table) String() string { return fmt.Sprintf("%s: %d rows", t.Name, len(t.Rows)) }

// CSV writes the table as Tableau does: a header row, numbers formatted as
// they are displayed, CRLF at the ends of lines.
func (t Table) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	record := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		record[i] = c.Caption
	}
	if err := out.Write(record); err != nil {
		return fmt.Errorf("writing the CSV: %w", err)
	}
	for _, row := range t.Rows {
		for i, c := range t.Columns {
			if record[i] = row[i].Text; c.Kind != Text {
				record[i] = c.Kind.Format(row[i].Number, t.Language)
			}
		}
		if err := out.Write(record); err != nil {
			return fmt.Errorf("writing the CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing the CSV: %w", err)
	}
	return nil
}

// XLSX writes the table as a workbook with one sheet of the worksheet's name.
func (t Table) XLSX(w io.Writer) (err error) {
	book := excelize.NewFile()
	defer func() {
		if closing := book.Close(); err == nil && closing != nil {
			err = fmt.Errorf("closing the workbook: %w", closing)
		}
	}()
	sheet := SheetName(t.Name)
	if err := book.SetSheetName("Sheet1", sheet); err != nil {
		return fmt.Errorf("naming the sheet: %w", err)
	}
	if err := t.fill(book, sheet); err != nil {
		return fmt.Errorf("filling the sheet: %w", err)
	}
	if err := book.Write(w); err != nil {
		return fmt.Errorf("writing the workbook: %w", err)
	}
	return nil
}

func (t Table) fill(book *excelize.File, sheet string) error {
	head, err := book.NewStyle(&excelize.Style{
		Font:      &excelize.Font{Bold: true, Color: "1F2A37"},
		Fill:      excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E6EAEF"}},
		Alignment: &excelize.Alignment{Vertical: "center"},
	})
	if err != nil {
		return err
	}
	for i, c := range t.Columns {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		widest := len([]rune(c.Caption))
		for _, row := range t.Rows {
			widest = max(widest, len([]rune(row[i].Text)))
		}
		if err := book.SetColWidth(sheet, name, name, float64(max(10, widest+3))); err != nil {
			return err
		}
		if c.Kind == Text || len(t.Rows) == 0 {
			continue
		}
		pattern := c.Kind.Pattern()
		style, err := book.NewStyle(&excelize.Style{CustomNumFmt: &pattern})
		if err != nil {
			return err
		}
		if err := book.SetCellStyle(sheet, name+"2", fmt.Sprintf("%s%d", name, len(t.Rows)+1), style); err != nil {
			return err
		}
	}
	captions := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		captions[i] = c.Caption
	}
	if err := book.SetSheetRow(sheet, "A1", &captions); err != nil {
		return err
	}
	if err := book.SetRowStyle(sheet, 1, 1, head); err != nil {
		return err
	}
	for i, row := range t.Rows {
		cells := make([]any, len(row))
		for j, v := range row {
			if cells[j] = any(v.Text); t.Columns[j].Kind != Text {
				cells[j] = v.Number
			}
		}
		if err := book.SetSheetRow(sheet, fmt.Sprintf("A%d", i+2), &cells); err != nil {
			return err
		}
	}
	return book.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}

// SheetName makes a name that a spreadsheet accepts: no more than 31
// characters, none of : \ / ? * [ ] and no apostrophe at its ends.
func SheetName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]`, r) {
			return '-'
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > 31 {
		name = string(runes[:31])
	}
	if name = strings.Trim(name, "' "); name == "" {
		return "Sheet"
	}
	return name
}
