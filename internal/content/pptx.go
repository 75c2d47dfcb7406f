package content

import (
	"archive/zip"
	"io"
	"path"
	"strings"
)

// checkPPTX unpacks every entry, which verifies its checksum, counts slides and
// looks for something to see on them. Tableau puts a picture of each sheet on a
// slide of its own, behind a title slide that has text alone; so text does not
// count. Source for the format: ECMA-376, part 1 (PresentationML).
func checkPPTX(s *source) (Facts, error) {
	archive, err := openOffice(s)
	if err != nil {
		return Facts{}, err
	}
	var (
		facts                      Facts
		contentTypes, presentation bool
		parts                      int // slides
		seen                       = countTags("blip", "graphicFrame")
		pictures                   deckPictures
	)
	for _, entry := range archive.entries {
		var err error
		switch folder, name := path.Split(entry.Name); {
		case folder == "ppt/slides/" && path.Ext(name) == ".xml":
			parts++
			seen.inTag = false
			err = archive.unpack(entry, seen)
		case folder == "ppt/media/":
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
	frames := seen.counts[1]     // charts and tables
	placed := seen.counts[0] > 0 // pictures, on a slide or as its background
	switch {
	case !contentTypes:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no [Content_Types].xml"}
	case !presentation:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no presentation"}
	case parts < facts.Slides:
		return facts, damaged("slides are missing")
	case facts.Slides == 0, frames == 0 && (!placed || pictures.allBlank()):
		facts.Blank = true
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
}

// deckPictures are the pictures in a presentation. One that is no PNG, or that
// is too large to look at, counts as one that shows something.
type deckPictures struct {
	blank, other int
	pixels       int // looked at
}

// allBlank reports whether there is nothing but pictures of one colour.
func (d deckPictures) allBlank() bool { return d.blank > 0 && d.other == 0 }

// unpack unpacks a picture and looks at it on the way.
func (d *deckPictures) unpack(archive *office, entry *zip.File) error {
	// One that shows something is enough.
	if d.other > 0 || d.pixels > MaxPixels || !strings.EqualFold(path.Ext(entry.Name), ".png") {
		d.other++
		return archive.unpack(entry, io.Discard)
	}
	in, out := io.Pipe()
	looked := make(chan Facts, 1)
	go func() {
		facts, _ := readPNG(in)
		_, _ = io.Copy(io.Discard, in) // what follows a refusal
		looked <- facts
	}()
	err := archive.unpack(entry, out)
	_ = out.Close()
	facts := <-looked
	d.pixels += facts.Width * facts.Height
	if facts.Blank {
		d.blank++
	} else {
		d.other++
	}
	return err
}
