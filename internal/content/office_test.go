package content_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"github.com/vizpost/vizpost/internal/content"
)

// compoundFile is a compound file (MS-CFB) with streams of some names, its
// directory behind so many other sectors.
func compoundFile(sectors int, names ...string) []byte {
	const sector = 512
	file := make([]byte, sector*(1+sectors))
	copy(file, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
	binary.LittleEndian.PutUint16(file[26:], 3)
	binary.LittleEndian.PutUint16(file[28:], 0xFFFE)
	binary.LittleEndian.PutUint16(file[30:], 9)
	binary.LittleEndian.PutUint32(file[48:], uint32(sectors))
	for _, name := range append([]string{"Root Entry"}, names...) {
		entry := make([]byte, 128)
		for i, unit := range utf16.Encode([]rune(name)) {
			binary.LittleEndian.PutUint16(entry[2*i:], unit)
		}
		binary.LittleEndian.PutUint16(entry[64:], uint16(2*len(name)+2))
		file = append(file, entry...)
	}
	return file
}

// What Office encrypts is named so, wherever its directory is, and other compound
// files are another format.
func TestCompoundFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file []byte
		want content.Reason
	}{
		"encrypted":                           {compoundFile(1, "EncryptionInfo", "EncryptedPackage"), content.Encrypted},
		"encrypted, with rights":              {compoundFile(9, "\x06DataSpaces", "EncryptedPackage"), content.Encrypted},
		"encrypted, its directory at the end": {compoundFile(1000, "EncryptionInfo", "EncryptedPackage"), content.Encrypted},
		"an old workbook":                     {compoundFile(300, "Workbook"), content.NotFormat},
		"an old presentation":                 {compoundFile(3, "PowerPoint Document"), content.NotFormat},
		"the first bytes alone":               {[]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), content.NotFormat},
	} {
		for _, format := range []string{content.XLSX, content.PPTX} {
			_, err := content.Check(t.Context(), bytes.NewReader(tt.file), int64(len(tt.file)), format, content.AllowBlank)
			if got := reason(t, err); got != tt.want {
				t.Errorf("%s as %s: %v, want %s", name, format, err, tt.want)
			}
			if _, err := receive(t, tt.file, 777, format); reason(t, err) != tt.want {
				t.Errorf("%s as %s, in pieces: %v, want %s", name, format, err, tt.want)
			}
		}
	}
}

// relations is a part of relations: for each, its kind and its other attributes.
func relations(kindsAndMore ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`)
	for i := 0; i < len(kindsAndMore); i += 2 {
		fmt.Fprintf(&b, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" %s/>`,
			i/2+1, kindsAndMore[i], kindsAndMore[i+1])
	}
	return b.String() + "</Relationships>"
}

// types is a list of content types, each of a part.
func types(kinds ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">`)
	for i, kind := range kinds {
		fmt.Fprintf(&b, `<Override PartName="/a%d" ContentType="%s"/>`, i, kind)
	}
	return b.String() + "</Types>"
}

// What an Office file runs, loads from elsewhere or has within it is refused,
// whether or not it may be blank.
func TestActiveOffice(t *testing.T) {
	t.Parallel()
	const (
		sheetMain = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
		deckMain  = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
		external  = ` TargetMode="External"`
	)
	type parts = map[string]string
	both := map[content.Reason]map[string]parts{
		content.Scripted: {
			"macros":                     {"xl/vbaProject.bin": "x"},
			"macros under another name":  {"xl/_rels/workbook.xml.rels": relations("vbaProject", `Target="a.bin"`)},
			"macros by Microsoft's type": {"xl/_rels/workbook.xml.rels": strings.Replace(relations("vbaProject", `Target="a.bin"`), "schemas.openxmlformats.org/officeDocument", "schemas.microsoft.com/office", 1)},
			"macros by their type":       {"[Content_Types].xml": types(sheetMain, "application/vnd.ms-office.vbaProject")},
			"a main part with macros":    {"[Content_Types].xml": types("application/vnd.ms-excel.sheet.macroEnabled.main+xml")},
			"a deck with macros":         {"[Content_Types].xml": types("application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml")},
			"a main part by default":     {"[Content_Types].xml": strings.Replace(types("application/vnd.ms-excel.sheet.MACROENABLED.main+xml"), `Override PartName="/a0"`, `Default Extension="xml"`, 1)},
			"old macros":                 {"xl/macrosheets/sheet1.xml": "<xm:macrosheet/>"},
			"a control":                  {"xl/activeX/activeX1.xml": "<ax:ocx/>"},
			"a control in capitals":      {"PPT/ACTIVEX/x": "x"},
			"a control's relation":       {"xl/worksheets/_rels/sheet1.xml.rels": relations("control", `Target="../a.xml"`)},
			"an embedded file":           {"ppt/embeddings/oleObject1.bin": "x"},
			"an embedded workbook":       {"a/b.rels": relations("package", `Target="c.xlsx"`)},
			"an embedded object":         {"a/b.rels": relations("oleObject", `Target="c.bin"`)},
			"an embedded object's type":  {"[Content_Types].xml": types("application/vnd.openxmlformats-officedocument.oleObject")},
			"an embedded document":       {"[Content_Types].xml": types("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")},
			"a ribbon of its own":        {"customUI/customUI.xml": "<customUI/>"},
			"an add-in":                  {"xl/webextensions/webextension1.xml": "<we/>"},
			"an add-in's relation":       {"_rels/.rels": relations("webextensiontaskpanes", `Target="a.xml"`)},
			"a template":                 {"a/b.rels": relations("attachedTemplate", `Target="http://example.com/a.dotm"`+external)},
			"a link to a script":         {"a/b.rels": relations("hyperlink", `Target="javascript:a()"`+external)},
			"a link to a file":           {"a/b.rels": relations("hyperlink", `Target="file:///C:/a.exe"`+external)},
		},
		content.External: {
			"a link to another workbook":    {"xl/externalLinks/externalLink1.xml": "<externalLink/>"},
			"its relation":                  {"xl/_rels/workbook.xml.rels": relations("externalLink", `Target="a.xml"`)},
			"its type":                      {"[Content_Types].xml": types("application/vnd.openxmlformats-officedocument.spreadsheetml.externalLink+xml")},
			"connections":                   {"xl/connections.xml": "<connections/>"},
			"a query":                       {"xl/queryTables/queryTable1.xml": "<queryTable/>"},
			"a picture elsewhere":           {"xl/drawings/_rels/drawing1.xml.rels": relations("image", `Target="https://example.com/a.png"`+external)},
			"a picture on a share":          {"a/b.rels": relations("image", `Target="\\host\a.png"`)},
			"a picture elsewhere, unmarked": {"a/b.rels": relations("image", `Target="https://example.com/a.png"`)},
			"a picture of another host":     {"a/b.rels": relations("image", `Target="//example.com/a.png"`)},
			"a picture by references":       {"a/b.rels": relations("image", `Target="a.png" TargetMode="E&#120;ternal"`)},
			"a mark that is none":           {"a/b.rels": relations("image", `Target="a.png" TargetMode="external"`)},
			"a link to a file beside it":    {"a/b.rels": relations("hyperlink", `Target="a.xlsx"`+external)},
			"among many others":             {"a/b.rels": relations(append(slices.Repeat([]string{"hyperlink", `Target="https://example.com/"` + external}, 9000), "image", `Target="http://a/b"`+external)...)},
			"in capitals":                   {"A/B.RELS": relations("image", `Target="http://a/b"`+external)},
		},
		content.Damaged: {
			"relations that are no XML":  {"a/b.rels": "no"},
			"relations that break off":   {"a/b.rels": "<Relationships>"},
			"relations of a type":        {"a/b.rels": `<!DOCTYPE a>` + relations()},
			"relations with entities":    {"a/b.rels": `<!DOCTYPE a [<!ENTITY b "c">]>` + relations()},
			"a target after many spaces": {"a/b.rels": relations("hyperlink", `Target="`+strings.Repeat(" ", 1000)+`file:///a"`+external)},
			"content types that are off": {"[Content_Types].xml": "<Types>"},
		},
		content.NotFormat: {
			"relations in another encoding": {"a/b.rels": "\xFF\xFE<\x00R\x00"},
		},
		"": {
			"links": {"a/b.rels": relations("hyperlink", `Target="https://example.com/a?b=c"`+external, "hyperlink", `Target="HTTP://example.com"`+external,
				"hyperlink", `Target="mailto:a@example.com"`+external, "hyperlink", `Target="#a"`+external, "hyperlink", `Target="slide2.xml"`)},
			"parts within":   {"a/b.rels": relations("image", `Target="../media/a.png" TargetMode="Internal"`, "theme", `Target="/xl/theme/theme1.xml"`)},
			"content types":  {"[Content_Types].xml": types(sheetMain, deckMain, "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.printerSettings", "image/png")},
			"other settings": {"xl/printerSettings/printerSettings1.bin": "x", "docProps/app.xml": "<Properties/>", "customXml/item1.xml": "<a/>"},
		},
	}
	good := map[string]parts{
		content.XLSX: {"[Content_Types].xml": contentTypes, "xl/workbook.xml": oneSheet, "xl/worksheets/sheet1.xml": threeRows},
		content.PPTX: {"[Content_Types].xml": contentTypes, "ppt/presentation.xml": twoSlides, "ppt/slides/slide1.xml": titleSlide, "ppt/slides/slide2.xml": titleSlide},
	}
	check := func(name, format string, file []byte, want content.Reason) {
		t.Helper()
		_, err := content.Check(t.Context(), bytes.NewReader(file), int64(len(file)), format, content.AllowBlank)
		if got := reason(t, err); got != want {
			t.Errorf("%s, %s: %v, want %q", format, name, err, want)
		}
	}
	with := func(format string, more parts) []byte {
		var entries []string
		for name, text := range good[format] {
			if _, replaced := more[name]; !replaced {
				entries = append(entries, name, text)
			}
		}
		for name, text := range more {
			entries = append(entries, name, text)
		}
		return archive(t, entries...)
	}
	for want, cases := range both {
		for name, more := range cases {
			for format := range good {
				check(name, format, with(format, more), want)
			}
		}
	}

	sheet := func(cells string) parts {
		return parts{"xl/worksheets/sheet1.xml": "<worksheet><sheetData><row><c><v>1</v></c></row>" + strings.Repeat("<row><c><v>1</v></c></row>", 20) + cells + "</sheetData></worksheet>"}
	}
	formula := func(f string) parts { return sheet("<row><c><f>" + f + "</f><v>1</v></c></row>") }
	for name, tt := range map[string]struct {
		more parts
		want content.Reason
	}{
		"a formula that asks a host":       {formula(`WEBSERVICE("https://example.com/")`), content.External},
		"a formula for a picture":          {formula(`1+_xlfn.IMAGE( "https://example.com/")`), content.External},
		"a formula with a reference in it": {formula(`webs&#101;rvice (A1)`), content.External},
		"a formula in a section":           {formula(`<![CDATA[RTD("a",,"b")]]>`), content.External},
		"a long formula":                   {formula(strings.Repeat("1+", 40_000) + `CALL("a","b","c")`), content.External},
		"a formula of a name":              {parts{"xl/workbook.xml": `<workbook><sheets><sheet name="a"/></sheets><definedNames><definedName name="a">WEBSERVICE("b")</definedName></definedNames></workbook>`}, content.External},
		"a formula behind a large sheet":   {sheet(strings.Repeat("<row><c><v>123456</v></c></row>", 60_000) + "<row><c><f>RTD(1)</f><v>1</v></c></row>"), content.External},
		"a formula that only counts":       {formula(`SUM(A1:A3)+RECALL(2)+MYIMAGE(3)`), ""},
		"a formula's words in a text":      {sheet(`<row><c t="inlineStr"><is><t>WEBSERVICE("b")</t></is></c></row>`), ""},
		"a name in the workbook":           {parts{"xl/workbook.xml": `<workbook><sheets><sheet name="IMAGE("/></sheets><definedNames><definedName name="a">Sheet1!$A$1</definedName></definedNames></workbook>`}, ""},
		"a sheet of another encoding":      {parts{"xl/worksheets/sheet1.xml": `<?xml version="1.0" encoding="utf-16"?><worksheet><row><c><v>1</v></c></row></worksheet>`}, content.NotFormat},
		"a sheet that is no XML":           {parts{"xl/worksheets/sheet1.xml": `<worksheet><row><c></row></c></worksheet>`}, content.Damaged},
		"texts that are no XML":            {parts{"xl/sharedStrings.xml": `<sst><si>`}, content.Damaged},
		"a sheet with a type":              {parts{"xl/worksheets/sheet1.xml": `<!DOCTYPE a><worksheet><row><c><v>1</v></c></row></worksheet>`}, content.Damaged},
	} {
		check(name, content.XLSX, with(content.XLSX, tt.more), tt.want)
	}
	for name, tt := range map[string]struct {
		action string
		want   content.Reason
	}{
		"a click that runs a program": {"ppaction://program", content.Scripted},
		"a click that runs a macro":   {"ppaction://MACRO?name=a", content.Scripted},
		"a click that opens a file":   {"ppaction://hlinkfile", content.Scripted},
		"a click to a slide":          {"ppaction://hlinksldjump", ""},
		"a click to the next one":     {"ppaction://hlinkshowjump?jump=nextslide", ""},
	} {
		check(name, content.PPTX, with(content.PPTX, parts{"ppt/slides/slide2.xml": strings.Replace(titleSlide, "<a:t>", `<a:hlinkClick action="`+tt.action+`"/><a:t>`, 1)}), tt.want)
	}
}

// A workbook is blank where no cell of any of its sheets has content, however
// that is written.
func TestBlankWorkbooks(t *testing.T) {
	t.Parallel()
	book := func(texts string, sheets ...string) []byte {
		list := `<workbook><sheets>` + strings.Repeat(`<sheet name="a"/>`, len(sheets)) + `</sheets></workbook>`
		entries := []string{"[Content_Types].xml", contentTypes, "xl/workbook.xml", list}
		for i, rows := range sheets {
			entries = append(entries, fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), "<worksheet><sheetData>"+rows+"</sheetData></worksheet>")
		}
		if texts != "" {
			entries = append(entries, "xl/sharedStrings.xml", "<sst>"+texts+"</sst>")
		}
		return archive(t, entries...)
	}
	row := func(cells string) string { return "<row>" + cells + "</row>" }
	text := func(index int) string { return row(fmt.Sprintf(`<c t="s"><v>%d</v></c>`, index)) }
	const (
		empty  = `<si><t/></si><si><t xml:space="preserve">  </t></si><si><r><t>&#160;</t></r><r><t>&#10;</t></r></si>`
		number = `<row><c><v>0</v></c></row>`
	)
	styled := strings.Repeat(row(strings.Repeat(`<c s="1"/>`, 20)), 9000) // more than is counted cell by cell
	for name, tt := range map[string]struct {
		file  []byte
		blank bool
	}{
		"styles alone":                    {book("", row(`<c r="A1" s="1"/><c s="2" t="s"/>`)), true},
		"styles alone, in a large sheet":  {book("", styled), true},
		"empty values":                    {book("", row(`<c><v></v></c><c t="str"><v/></c><c t="inlineStr"><is><t></t></is></c>`)), true},
		"spaces":                          {book("", row(`<c t="inlineStr"><is><t> &#9; </t></is></c><c t="str"><v> </v></c>`)), true},
		"blank texts of the table":        {book(empty, text(0)+text(1)+text(2)), true},
		"blank texts in a large sheet":    {book(empty, strings.Repeat(text(1), 60_000)), true},
		"texts that no cell has":          {book(empty+"<si><t>Sales</t></si>", text(1)), true},
		"blank sheets":                    {book("", "", styled, row(`<c t="str"><v> </v></c>`)), true},
		"a formula without a value":       {book("", row(`<c><f>A2</f></c>`)), true},
		"a number":                        {book("", number), false},
		"one number behind a large sheet": {book("", styled, number), false},
		"one number in a large sheet":     {book("", styled+number), false},
		"a blank sheet and another":       {book("", "", number), false},
		"a text":                          {book(empty+"<si><t>Sales</t></si>", text(3)), false},
		"a text in parts":                 {book("<si><r><t> </t></r><r><t>a</t></r></si>", text(0)), false},
		"a text that the table lacks":     {book(empty, text(9)), false},
		"a huge cell":                     {book("", row(`<c t="inlineStr"><is><t>`+strings.Repeat("word ", 400_000)+`</t></is></c>`)), false},
		"a text behind very many spaces":  {book("", row(`<c t="inlineStr"><is><t>`+strings.Repeat(" ", 400_000)+`a</t></is></c>`)), false},
		"an error":                        {book("", row(`<c t="e"><v>#N/A</v></c>`)), false},
	} {
		facts, err := check(t, tt.file, content.XLSX)
		if got := reason(t, err) == content.Blank; got != tt.blank || facts.Blank != tt.blank || !tt.blank && err != nil {
			t.Errorf("%s: %v, %+v, want blank %t", name, err, facts, tt.blank)
		}
	}

	// As a writer makes it.
	file := excelize.NewFile()
	style, err := file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		file.SetCellStyle("Sheet1", "A1", "F9", style), file.SetCellStr("Sheet1", "A1", ""), file.SetCellStr("Sheet1", "B2", " "),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	written := func() []byte {
		var b bytes.Buffer
		if err := file.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if _, err := check(t, written(), content.XLSX); reason(t, err) != content.Blank {
		t.Errorf("a written workbook of styles: %v, want blank", err)
	}
	if err := file.SetCellInt("Sheet1", "C3", 0); err != nil {
		t.Fatal(err)
	}
	if err := file.SetCellHyperLink("Sheet1", "C3", "https://example.com/", "External"); err != nil {
		t.Fatal(err)
	}
	if _, err := check(t, written(), content.XLSX); err != nil {
		t.Errorf("a written workbook of one number with a link: %v", err)
	}
	if err := file.SetCellHyperLink("Sheet1", "C3", "file:///C:/a", "External"); err != nil {
		t.Fatal(err)
	}
	if _, err := check(t, written(), content.XLSX); reason(t, err) != content.Scripted {
		t.Errorf("a written workbook with a link to a file: %v, want %s", err, content.Scripted)
	}
}
