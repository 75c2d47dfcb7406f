package drawing

import (
	"archive/zip"
	"bytes"
	"embed"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/template"
	"time"
)

// The parts of a presentation, as templates: those under deck lie where they
// lie in the file, those under slide are written once for each slide.
//
//go:embed all:pptx
var pptxParts embed.FS

// Slide size in English Metric Units, of which an inch has 914400.
const (
	slideWidth  = 12192000
	slideHeight = 6858000
)

type slide struct {
	Number, ID          int
	Name                string
	X, Y, Width, Height int
}

// PPTX writes a presentation with one slide for each sheet, its picture as
// large as the slide allows.
func PPTX(w io.Writer, title string, sheets []Sheet) error {
	slides := make([]slide, len(sheets))
	for i, sheet := range sheets {
		slides[i] = place(i, sheet)
	}
	deck := struct {
		Title  string
		Slides []slide
	}{title, slides}

	out := zip.NewWriter(w)
	const root = "pptx/deck"
	err := fs.WalkDir(pptxParts, root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return pptxPart(out, strings.TrimPrefix(path, root+"/"), path, deck)
	})
	if err != nil {
		return fmt.Errorf("writing the presentation: %w", err)
	}
	for i, sheet := range sheets {
		if err := pptxPart(out, fmt.Sprintf("ppt/slides/slide%d.xml", i+1), "pptx/slide/slide.xml", slides[i]); err != nil {
			return err
		}
		if err := pptxPart(out, fmt.Sprintf("ppt/slides/_rels/slide%d.xml.rels", i+1), "pptx/slide/slide.xml.rels", slides[i]); err != nil {
			return err
		}
		picture, err := out.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("ppt/media/image%d.png", i+1), Method: zip.Store, Modified: zipTime()})
		if err != nil {
			return fmt.Errorf("writing the presentation: %w", err)
		}
		if err := PNG(picture, sheet.Page, sheet.Size, 1); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing the presentation: %w", err)
	}
	return nil
}

// place centres a sheet's picture on its slide.
func place(i int, sheet Sheet) slide {
	width := slideWidth
	height := width * sheet.Size.Height / sheet.Size.Width
	if height > slideHeight {
		height = slideHeight
		width = height * sheet.Size.Width / sheet.Size.Height
	}
	const firstID = 256 // the least that the format allows
	return slide{
		Number: i + 1, ID: firstID + i, Name: sheet.Page.Title,
		X: (slideWidth - width) / 2, Y: (slideHeight - height) / 2, Width: width, Height: height,
	}
}

// zipTime is the time of all parts; the epoch of ZIP files would do, but some
// readers warn of it.
func zipTime() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// pptxPart writes one part of the file from its template.
func pptxPart(out *zip.Writer, name, source string, data any) error {
	text, err := pptxParts.ReadFile(source)
	if err != nil {
		return fmt.Errorf("reading a part of the presentation: %w", err)
	}
	part, err := template.New(source).Funcs(template.FuncMap{"xml": escaped}).Parse(string(text))
	if err != nil {
		return fmt.Errorf("reading a part of the presentation: %w", err)
	}
	file, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: zipTime()})
	if err != nil {
		return fmt.Errorf("writing the presentation: %w", err)
	}
	if err := part.Execute(file, data); err != nil {
		return fmt.Errorf("writing the presentation: %w", err)
	}
	return nil
}

func escaped(s string) (string, error) {
	var out bytes.Buffer
	if err := xml.EscapeText(&out, []byte(s)); err != nil {
		return "", err
	}
	return out.String(), nil
}
