package content

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// checkPPTX unpacks every entry, which verifies its checksum, counts slides and
// looks for something to see on each of them. Tableau puts a picture of each sheet
// on a slide of its own, behind a title slide that has text alone: so a slide with
// pictures is judged by them, and one without by its text. Source for the format:
// ECMA-376, part 1 (PresentationML).
func checkPPTX(s *source) (Facts, error) {
	archive, err := openOffice(s)
	if err != nil {
		return Facts{}, err
	}
	var (
		facts                      Facts
		contentTypes, presentation bool
		parts                      []*zip.File // slides
		ends                       = countTags("/sld")
		pictures                   deckPictures
	)
	for _, entry := range archive.entries {
		var err error
		switch folder, name := path.Split(entry.Name); {
		case folder == "ppt/slides/" && path.Ext(name) == ".xml":
			parts = append(parts, entry)
			ends.begin()
			err = archive.unpack(entry, ends)
		case isPicture(entry.Name):
			err = pictures.unpack(archive, entry)
		default:
			err = archive.unpack(entry, io.Discard)
		}
		if err != nil {
			return facts, err
		}
		switch entry.Name {
		case "[Content_Types].xml":
			contentTypes = true
		case "ppt/presentation.xml":
			presentation = true
			if facts.Slides, err = countListed(entry, "presentation", "sldIdLst", "sldId"); err != nil {
				return facts, err
			}
		}
	}
	switch {
	case !contentTypes:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no [Content_Types].xml"}
	case !presentation:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no presentation"}
	case len(parts) < facts.Slides:
		return facts, damaged("slides are missing")
	case ends.counts[0] < len(parts):
		return facts, damaged("a slide breaks off")
	}
	if err := archive.refuseActive(); err != nil {
		return facts, err
	}
	blank, err := archive.blankSlides(parts, &pictures)
	switch {
	case err != nil:
		return facts, err
	case facts.Slides == 0:
		facts.Blank = true
		return facts, &Error{Reason: Blank, Detail: "there are no slides"}
	case blank > 0:
		facts.Blank = true
		return facts, &Error{Reason: Blank, Detail: fmt.Sprintf("%d of %d slides show nothing", blank, len(parts))}
	}
	return facts, nil
}

// blankSlides counts the slides that show nothing.
func (o *office) blankSlides(parts []*zip.File, pictures *deckPictures) (int, error) {
	related := map[string]*zip.File{}
	for _, entry := range o.entries {
		if folder, name := path.Split(entry.Name); folder == "ppt/slides/_rels/" {
			related[strings.TrimSuffix(name, ".rels")] = entry
		}
	}
	blank := 0
	for _, part := range parts {
		slide := deckSlide{pictures: map[string]string{}}
		if err := o.scan(part, slideNames, nil, slide.see); err != nil {
			return 0, err
		}
		if relations := related[path.Base(part.Name)]; relations != nil && len(slide.pictures) > 0 {
			if err := o.scan(relations, relationshipNames, nil, slide.relate); err != nil {
				return 0, err
			}
		}
		shows, err := slide.shows(pictures)
		if err != nil {
			return 0, err
		}
		if !shows {
			blank++
		}
	}
	return blank, nil
}

// deckSlide is what of a slide can be seen.
type deckSlide struct {
	text     bool
	frame    bool              // a table or a chart
	more     bool              // more pictures than are looked at
	pictures map[string]string // their parts by their relation's id, "" where it is not known

	inText, inField int
}

func slideNames(name string) bool {
	return name == "action" || name == "embed" || strings.HasSuffix(name, ":embed")
}

func (d *deckSlide) see(doc *xmlScanner) error {
	switch doc.kind {
	case xmlStartTag:
		if action, cut, _ := doc.attribute("action"); cut || isActive(action) {
			return &Error{Reason: Scripted, Detail: "a slide runs something or opens a file when it is clicked"}
		}
		switch doc.local() {
		case "t":
			d.inText++
		case "fld": // the slide's number or the date
			d.inField++
		case "graphicFrame":
			d.frame = true
		case "blip":
			for _, a := range doc.attributes {
				switch {
				case !strings.HasSuffix(a.name, "embed"):
				case len(d.pictures) == 64:
					d.more = true
				default:
					d.pictures[a.value] = ""
				}
			}
		}
	case xmlEndTag:
		switch doc.local() {
		case "t":
			d.inText--
		case "fld":
			d.inField--
		}
	case xmlText:
		d.text = d.text || d.inText > 0 && d.inField == 0 && !doc.blank
	}
	return nil
}

// isActive reports whether a click does more than lead to a page or a slide.
func isActive(action string) bool {
	action = strings.ToLower(strings.TrimSpace(action))
	for _, active := range []string{"program", "macro", "ole", "hlinkfile", "hlinkpres"} {
		if strings.HasPrefix(action, "ppaction://"+active) {
			return true
		}
	}
	return false
}

// relate finds the parts of the slide's pictures.
func (d *deckSlide) relate(doc *xmlScanner) error {
	if doc.kind != xmlStartTag || doc.local() != "Relationship" {
		return nil
	}
	id, _, _ := doc.attribute("Id")
	target, cut, _ := doc.attribute("Target")
	if _, wanted := d.pictures[id]; wanted && !cut {
		if !strings.HasPrefix(target, "/") {
			target = path.Join("ppt/slides", target)
		}
		d.pictures[id] = strings.ToLower(strings.TrimPrefix(target, "/"))
	}
	return nil
}

func (d *deckSlide) shows(all *deckPictures) (bool, error) {
	if len(d.pictures) == 0 {
		return d.text || d.frame, nil
	}
	if all.none() {
		return false, damaged("the slides' pictures are missing")
	}
	shows := d.frame || d.more
	for _, part := range d.pictures {
		blank, found := all.blank[part]
		switch {
		case part == "": // it may be any
			blank = all.other == 0
		case !found:
			return false, damaged("a slide's picture is missing")
		}
		shows = shows || !blank
	}
	return shows, nil
}

// isPicture reports whether a part may be a picture of a slide. Their folder is
// ppt/media, which is a habit and no rule.
func isPicture(name string) bool {
	folder, name := path.Split(name)
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".emf", ".wmf", ".svg":
		return folder != "docProps/" // the document's own thumbnail
	}
	return folder == "ppt/media/"
}

// deckPictures are the pictures in a presentation. One that is no PNG, or that
// is too large to look at, counts as one that shows something.
type deckPictures struct {
	blank  map[string]bool // by the name of its part, in lower case
	other  int             // that show something
	pixels int             // looked at
}

func (d *deckPictures) none() bool { return len(d.blank) == 0 }

func (d *deckPictures) add(entry *zip.File, blank bool) {
	if d.blank == nil {
		d.blank = map[string]bool{}
	}
	d.blank[strings.ToLower(entry.Name)] = blank
	if !blank {
		d.other++
	}
}

// unpack unpacks a picture and looks at it on the way. A PNG that is damaged is
// refused: its slide would show that it cannot be shown.
func (d *deckPictures) unpack(archive *office, entry *zip.File) error {
	if !strings.EqualFold(path.Ext(entry.Name), ".png") {
		d.add(entry, false)
		return archive.unpack(entry, io.Discard)
	}
	pixels := d.pixels <= MaxPixels // so many bound the time that it takes
	in, out := io.Pipe()
	looked := make(chan finding, 1)
	go func() {
		facts, err := lookAtPicture(archive.ctx, in, pixels)
		_, _ = io.Copy(io.Discard, in) // what follows a refusal
		looked <- finding{facts, err}
	}()
	err := archive.unpack(entry, out)
	_ = out.Close()
	found := <-looked
	d.pixels += found.facts.Width * found.facts.Height
	d.add(entry, found.facts.Blank)
	if err != nil {
		return err
	}
	return found.err
}

// finding is what was found in a picture, and the refusal of a damaged one.
type finding struct {
	facts Facts
	err   error
}

// lookAtPicture reads a part that is called PNG. Its error is the refusal of one
// that shows nothing because it is damaged or an error page. One of another
// format is shown all the same.
func lookAtPicture(ctx context.Context, r io.Reader, pixels bool) (Facts, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, _ := in.Peek(sniffBytes) // an error comes again
	if _, found := SniffError(head); found {
		return Facts{}, damaged("a picture is an error page")
	}
	facts, err := readPNG(ctx, in, pixels)
	var refusal *Error
	if errors.As(err, &refusal) && (refusal.Reason == Truncated || refusal.Reason == Damaged) {
		refusal.Format = PNG
		return facts, &Error{Reason: Damaged, Detail: "a picture is damaged", Err: err}
	}
	return facts, nil
}
