package content

import (
	"archive/zip"
	"bytes"
	"path"
	"strings"
)

// refuseActive refuses an Office file that runs something, loads something from
// elsewhere, or has another file in it: by the names of its parts, by what it says
// that they are, and by what it says that they are related to. Links to web pages
// and mailboxes pass. Sources: ECMA-376, part 2, and for macros, controls and
// add-ins MS-OFFMACRO2, MS-OE376 and MS-OWEXML.
//
// Every entry has been unpacked before.
func (o *office) refuseActive() error {
	for _, entry := range o.entries {
		name := strings.ToLower(entry.Name)
		if err := judgePartName(name); err != nil {
			return err
		}
		var err error
		switch {
		case name == "[content_types].xml":
			err = o.scan(entry, contentTypeNames, nil, judgeContentType)
		case path.Ext(name) == ".rels":
			err = o.scan(entry, relationshipNames, nil, judgeRelationship)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scan goes through a part of XML and has each of its tokens judged.
func (o *office) scan(entry *zip.File, keep func(string) bool, watch xmlWatch, judge func(*xmlScanner) error) error {
	unpacked, err := entry.Open()
	if err != nil {
		return entryRefusal(err, "a part cannot be opened")
	}
	defer func() { _ = unpacked.Close() }()
	// Most parts are small, and there may be many.
	doc := newXMLScannerSize(inTime{o.ctx, unpacked}, keep, int(min(max(entry.UncompressedSize64, 4<<10), 64<<10)))
	doc.watch = watch
	return scanAll(doc, judge)
}

var (
	scriptedParts = []string{"/vbaproject", "/vbadata", "/activex/", "/macrosheets/", "/intlmacrosheets/", "/customui/", "/webextensions/", "/embeddings/", "/attachedtoolbars"}
	externalParts = []string{"/externallinks/", "/connections.xml", "/querytables/"}

	scriptedTypes = []string{"macroenabled", "vbaproject", "vbadata", "activex", "macrosheet", "oleobject", "attachedtoolbars", "webextension"}
	externalTypes = []string{"externallink", "spreadsheetml.connections", "querytable"}
	// A document within the document has one of these, with nothing behind it.
	wholeTypes = []string{"spreadsheetml.sheet", "presentationml.presentation", "wordprocessingml.document", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"}

	scriptedRelations = []string{"vbaproject", "wordvbadata", "control", "activexcontrolbinary", "oleobject", "package", "xlmacrosheet", "xlintlmacrosheet",
		"webextension", "webextensiontaskpanes", "extensibility", "attachedtoolbars", "attachedtemplate", "frame", "afchunk", "subdocument"}
	externalRelations = []string{"externallink", "externallinkpath", "connections", "querytable"}
)

func contentTypeNames(name string) bool { return name == "ContentType" || name == "PartName" }
func relationshipNames(name string) bool {
	return name == "Id" || name == "Type" || name == "Target" || name == "TargetMode"
}

func judgePartName(name string) error {
	name = "/" + name
	for _, part := range scriptedParts {
		if strings.Contains(name, part) {
			return &Error{Reason: Scripted, Detail: "there is a part for macros, controls, add-ins or other files"}
		}
	}
	for _, part := range externalParts {
		if strings.Contains(name, part) {
			return &Error{Reason: External, Detail: "there is a part for data that are elsewhere"}
		}
	}
	return nil
}

func judgeContentType(doc *xmlScanner) error {
	if doc.kind != xmlStartTag {
		return nil
	}
	kind, cut, _ := doc.attribute("ContentType")
	if cut {
		return damaged("a content type is too long")
	}
	kind = strings.ToLower(strings.TrimSpace(kind))
	for _, scripted := range scriptedTypes {
		if strings.Contains(kind, scripted) {
			return &Error{Reason: Scripted, Detail: "a part is a macro, a control or an add-in"}
		}
	}
	for _, whole := range wholeTypes {
		if strings.HasSuffix(kind, whole) {
			return &Error{Reason: Scripted, Detail: "a part is another document"}
		}
	}
	for _, external := range externalTypes {
		if strings.Contains(kind, external) {
			return &Error{Reason: External, Detail: "a part is for data that are elsewhere"}
		}
	}
	return nil
}

func judgeRelationship(doc *xmlScanner) error {
	if doc.kind != xmlStartTag || doc.local() != "Relationship" {
		return nil
	}
	kind, _, _ := doc.attribute("Type")
	target, cut, _ := doc.attribute("Target")
	mode, _, _ := doc.attribute("TargetMode")
	kind = strings.ToLower(path.Base(strings.TrimSpace(kind)))
	for _, scripted := range scriptedRelations {
		if kind == scripted {
			return &Error{Reason: Scripted, Detail: "a part has a macro, a control, an add-in or another file"}
		}
	}
	for _, external := range externalRelations {
		if kind == external {
			return &Error{Reason: External, Detail: "a part has data that are elsewhere"}
		}
	}
	switch {
	case cut && strings.TrimSpace(target) == "":
		return damaged("a target begins with very many spaces")
	case mode == "" || mode == "Internal":
		if strings.HasPrefix(target, "//") || strings.ContainsAny(target, "\\:") {
			return &Error{Reason: External, Detail: "a part is elsewhere"}
		}
		return nil
	case kind == "hyperlink":
		return judgeAddress(target, addressOfLink)
	}
	return &Error{Reason: External, Detail: "a part is elsewhere"}
}

// formulaGuard refuses formulas that load or run something when a workbook is
// opened. Tableau writes no formulas.
type formulaGuard struct {
	text []byte // the end of the formula so far, in capitals
	in   bool
}

var activeFunctions = [][]byte{[]byte("WEBSERVICE("), []byte("IMAGE("), []byte("RTD("), []byte("CALL("), []byte("REGISTER("), []byte("REGISTER.ID(")}

// judge sees where a formula begins.
func (g *formulaGuard) judge(doc *xmlScanner) error {
	switch doc.kind {
	case xmlStartTag:
		switch doc.local() {
		case "f", "definedName", "formula", "formula1", "formula2":
			g.in, g.text = true, g.text[:0]
		default:
			g.in = false
		}
	case xmlEndTag:
		g.in = false
	}
	return nil
}

// chars implements [xmlWatch].
func (g *formulaGuard) chars(piece []byte) error {
	const longest = 16 // more than the longest name and what stands before it
	for g.in && len(piece) > 0 {
		n, seen := min(len(piece), 4<<10), len(g.text)
		for _, b := range piece[:n] {
			if b >= 'a' && b <= 'z' {
				b -= 'a' - 'A'
			}
			if b > ' ' {
				g.text = append(g.text, b)
			}
		}
		piece = piece[n:]
		for _, function := range activeFunctions {
			if calls(g.text, function, seen) {
				return &Error{Reason: External, Detail: "a formula loads or runs something"}
			}
		}
		g.text = append(g.text[:0], g.text[max(0, len(g.text)-longest):]...)
	}
	return nil
}

// calls reports whether a formula has a function that ends beyond what was seen
// before.
func calls(formula, function []byte, seen int) bool {
	for from := 0; ; {
		at := bytes.Index(formula[from:], function)
		if at < 0 {
			return false
		}
		at += from
		if at+len(function) > seen && (at == 0 || !isNamePart(formula[at-1])) {
			return true
		}
		from = at + 1
	}
}

// isNamePart reports whether a byte may stand within a function's name. Before a
// function that a version of Excel brought, a prefix ends with a full stop.
func isNamePart(b byte) bool { return b == '_' || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' }

// value, instruction and doctype implement [xmlWatch].
func (g *formulaGuard) value(string, []byte, bool, bool) error { return nil }
func (g *formulaGuard) instruction(string) error               { return nil }
func (g *formulaGuard) doctype(string) error                   { return damaged("a part has a document type") }
