package content

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
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
		seen                       = countTags("blip", "graphicFrame", "/sld")
		pictures                   deckPictures
	)
	for _, entry := range archive.entries {
		var err error
		switch folder, name := path.Split(entry.Name); {
		case folder == "ppt/slides/" && path.Ext(name) == ".xml":
			parts++
			seen.begin()
			err = archive.unpack(entry, seen)
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
	placed := seen.counts[0] > 0 // pictures, on a slide or as its background
	frames := seen.counts[1]     // charts and tables
	ended := seen.counts[2]
	switch {
	case !contentTypes:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no [Content_Types].xml"}
	case !presentation:
		return facts, &Error{Reason: NotFormat, Detail: "the archive has no presentation"}
	case parts < facts.Slides:
		return facts, damaged("slides are missing")
	case ended < parts:
		return facts, damaged("a slide breaks off")
	case placed && pictures.none():
		return facts, damaged("the slides' pictures are missing")
	case facts.Slides == 0, frames == 0 && (!placed || pictures.allBlank()):
		facts.Blank = true
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
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
	blank, other int
	pixels       int // looked at
}

func (d deckPictures) none() bool { return d.blank+d.other == 0 }

// allBlank reports whether there is nothing but pictures of one colour.
func (d deckPictures) allBlank() bool { return d.other == 0 }

// unpack unpacks a picture and looks at it on the way. A PNG that is damaged is
// refused: its slide would show that it cannot be shown.
func (d *deckPictures) unpack(archive *office, entry *zip.File) error {
	// So many pixels bound the time that it takes.
	if d.other == 0 && d.pixels > MaxPixels || !strings.EqualFold(path.Ext(entry.Name), ".png") {
		d.other++
		return archive.unpack(entry, io.Discard)
	}
	// One that shows something is enough: of the others, that they are whole.
	pixels := d.other == 0
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
	if found.facts.Blank {
		d.blank++
	} else {
		d.other++
	}
	if err != nil {
		return err
	}
	return found.err
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
