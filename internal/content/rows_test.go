package content_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/vizpost/vizpost/internal/content"
)

func TestDataRowsOfWorkbook(t *testing.T) {
	t.Parallel()
	cells := func(rows ...[]any) []byte {
		file := excelize.NewFile()
		for i, row := range rows {
			cell, err := excelize.CoordinatesToCellName(1, i+1)
			if err == nil {
				err = file.SetSheetRow("Sheet1", cell, &row)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if err := file.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	sheet := func(rows string) []byte {
		return archive(t, "[Content_Types].xml", contentTypes, "xl/workbook.xml", oneSheet, "xl/worksheets/sheet1.xml",
			"<worksheet><sheetData>"+rows+"</sheetData></worksheet>")
	}
	const text, number = `<c t="inlineStr"><is><t>Region</t></is></c>`, `<c><v>5</v></c>`
	var many strings.Builder
	for range 30_000 {
		many.WriteString("<row>" + text + number + "</row>")
	}
	for name, test := range map[string]struct {
		file []byte
		want int
	}{
		"a header alone":                       {cells([]any{"Region", "Sales"}), 0},
		"a header and blank cells":             {cells([]any{"Region", "Sales"}, []any{"", " "}, []any{nil, ""}), 0},
		"a header and a row":                   {cells([]any{"Region", "Sales"}, []any{"West", 1.5}), 1},
		"a header and rows of texts":           {cells([]any{"Region", "State"}, []any{"West", "Utah"}, []any{"", "Ohio"}), 2},
		"blank rows before the header":         {cells([]any{""}, []any{"Region"}, []any{""}, []any{"West"}), 1},
		"one number":                           {cells([]any{42}), 1},
		"a number with its name":               {cells([]any{"Sales", 42}), 1},
		"a header with years, as numbers":      {cells([]any{"Region", 2025, 2026}), 1},
		"truth":                                {cells([]any{"Is late"}, []any{true}), 1},
		"texts within the cells":               {sheet("<row>" + text + "</row><row>" + text + number + "</row>"), 1},
		"a header of texts within the cells":   {sheet("<row>" + text + text + "</row>"), 0},
		"a text in parts":                      {sheet("<row>" + text + `</row><row><c t="inlineStr"><is><r><t> </t></r><r><t>a</t></r></is></c></row>`), 1},
		"a formula's text":                     {sheet("<row>" + text + `</row><row><c t="str"><f>A1</f><v></v></c></row>`), 0},
		"a text that the table does not have":  {sheet(`<row><c t="s"><v>7</v></c></row><row><c t="s"><v>8</v></c></row>`), 1},
		"a sheet of more than is read by cell": {sheet("<row>" + text + "</row>" + many.String()), 30_000},
		"a sheet in a like encoding":           {archive(t, "[Content_Types].xml", contentTypes, "xl/workbook.xml", oneSheet, "xl/worksheets/sheet1.xml", `<?xml version="1.0" encoding="latin1"?><worksheet><row>`+text+"</row></worksheet>"), 0},
		"a header of years, in its own style":  {sheet(`<row><c s="1" t="inlineStr"><is><t>Region</t></is></c><c s="1"><v>2025</v></c><c s="1"><v>2026</v></c></row>`), 0},
		"a header of years and a row":          {sheet(`<row><c s="1" t="inlineStr"><is><t>Region</t></is></c><c s="1"><v>2025</v></c></row><row>` + text + number + `</row>`), 1},
		"a first row in two styles":            {sheet(`<row><c s="1" t="inlineStr"><is><t>Sales</t></is></c><c s="2"><v>42</v></c></row>`), 1},
		"a first row in no style":              {sheet(`<row><c s="0" t="inlineStr"><is><t>Sales</t></is></c><c s="0"><v>42</v></c></row>`), 1},
		"numbers alone in a style":             {sheet(`<row><c s="1"><v>42</v></c></row>`), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := check(t, test.file, content.XLSX)
			if err != nil {
				t.Fatalf("Check: %v", err)
			}
			if got.DataRows != test.want {
				t.Errorf("got %d rows of data, want %d", got.DataRows, test.want)
			}
		})
	}
}
