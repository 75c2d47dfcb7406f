package content

// pdfDanger is what a PDF has that is refused whatever its pages show: what runs
// or opens something, what carries other files, and what is loaded from
// elsewhere. Links that a reader follows by a click are no danger: Tableau makes
// them of a dashboard's addresses.
//
// Source: ISO 32000-1, 12.6 (actions), 7.11 (files), 13 (multimedia).
type pdfDanger struct {
	scripted, external string
	trees              []any // of scripts and files, which may be empty
}

const pdfMaxTrees = 100

// meet looks at a dictionary, without those within it.
func (p *pdfDanger) meet(d pdfDict) {
	for key := range d {
		switch key {
		case "JavaScript", "EmbeddedFiles":
			if p.trees = append(p.trees, d[key]); len(p.trees) > pdfMaxTrees {
				p.scripted = string(key)
				p.trees = p.trees[:0]
			}
		case "RichMediaContent", "RichMediaSettings", "XFA":
			p.scripted = string(key)
		case "JS", "AA", "EF":
			if !isPDFResources(d) {
				p.scripted = string(key)
			}
		}
	}
	switch d["Type"] {
	case pdfName("EmbeddedFile"), pdfName("Collection"):
		p.scripted = "EmbeddedFile"
	case pdfName("StructElem"):
		return // whose S and Subtype are its own
	}
	switch action, _ := d["S"].(pdfName); action {
	case "JavaScript", "Launch", "SubmitForm", "ImportData", "GoToE", "Rendition", "Movie", "Sound", "RichMediaExecute":
		p.scripted = string(action)
	case "GoToR", "Thread":
		if action == "GoToR" || d["F"] != nil {
			p.external = string(action)
		}
	}
	switch kind, _ := d["Subtype"].(pdfName); kind {
	case "RichMedia", "Movie", "Sound", "Screen", "3D", "FileAttachment":
		p.scripted = string(kind)
	}
	if d["FS"] == pdfName("URL") {
		p.external = "URL"
	}
}

// meetName looks at an object that is a name, which others may refer to.
func (p *pdfDanger) meetName(v any) {
	if name, ok := v.(pdfName); ok {
		p.meet(pdfDict{"S": name, "F": true})
		p.meet(pdfDict{"Subtype": name, "FS": name})
	}
}

// isPDFResources reports whether a dictionary is one of names that somebody chose,
// such as those of fonts: all its values are objects of their own.
func isPDFResources(d pdfDict) bool {
	for _, v := range d {
		switch v.(type) {
		case pdfRef, pdfDict, pdfArray:
		default:
			return false
		}
	}
	return len(d) > 1
}

// meetStream looks at the dictionary of a stream.
func (p *pdfDanger) meetStream(d pdfDict) {
	switch {
	case d["F"] != nil, d["FFilter"] != nil:
		p.external = "a stream's data"
	case d["Ref"] != nil, d["OPI"] != nil:
		p.external = "a form"
	}
}

// danger returns the refusal of a file for what was found in it, nil if nothing
// was.
func (f *pdfFile) danger() error {
	for _, v := range f.found.trees {
		tree, ok := f.get(v).(pdfDict)
		names, _ := f.get(tree["Names"]).(pdfArray)
		if v != nil && (!ok || len(names) > 0 || tree["Kids"] != nil) {
			f.found.scripted = "JavaScript or EmbeddedFiles"
		}
	}
	// What is done when the file is opened may be a place in it, and nothing else.
	if root, ok := f.get(f.root).(pdfDict); ok && f.found.scripted == "" {
		if action, ok := f.get(root["OpenAction"]).(pdfDict); ok && f.get(action["S"]) != pdfName("GoTo") {
			f.found.scripted = "OpenAction"
		}
	}
	switch {
	case f.found.scripted != "":
		return &Error{Reason: Scripted, Detail: f.found.scripted}
	case f.found.external != "":
		return &Error{Reason: External, Detail: f.found.external}
	}
	return nil
}
