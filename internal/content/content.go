// Package content answers one question about an exported file: is it what it
// says it is? A file that is blank, cut short, an error page or something else
// than its format is never sent to anyone.
//
// [Check] reads a file from end to end in a small, bounded amount of memory,
// whatever the file claims about itself: it decodes an image row by row and an
// archive entry by entry, and refuses what unpacks to more than any report has.
package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The formats that [Check] knows.
const (
	PNG  = "png"
	SVG  = "svg"
	PDF  = "pdf"
	CSV  = "csv"
	XLSX = "xlsx"
	PPTX = "pptx"
)

// Facts are what a check learns about a file. Those that a format does not have
// are zero.
type Facts struct {
	// Width and Height are a PNG's size in pixels: as many as it says, all of
	// which were decoded. They are not held against the size that was asked for,
	// since Tableau ignores that where a view's size is fixed; nor against
	// another export of the view, which may have changed. A picture of another
	// size than asked is a whole picture.
	Width, Height int

	Pages  int // of a PDF
	Slides int // of a presentation, the title among them
	Sheets int // of an Excel workbook

	// Rows of a CSV, without its header: 0 where the view has no data with these
	// filters. Beyond 1 MiB its lines are counted in place of its records, so that
	// a value of two lines counts as a row more. Of an Excel workbook, the rows of
	// all sheets, with headers.
	Rows int

	// DataRows of a CSV are its Rows, if one of them has a text; of an Excel workbook, those rows of its sheets
	// that have content, without a header: a first row of texts alone, or one with a
	// text whose cells all have one style of their own, since a caption may be a year.
	// 0 says that the view has no data with these filters. The rows of a sheet beyond
	// 1 MiB are counted whether they have content or not.
	DataRows int

	// Blank says that there is nothing to see: a picture of nothing but background,
	// a PDF whose pages show no more than that, an SVG that paints nothing that shows,
	// a workbook of which no cell has content, a presentation without slides or with
	// one that shows nothing. A CSV is never blank: its header says what there is none
	// of.
	Blank bool
}

// Reason says why a file is refused. The values are stable.
type Reason string

// The reasons.
const (
	Empty        Reason = "empty"         // no bytes, or nothing in them
	Blank        Reason = "blank"         // whole, and without content
	Truncated    Reason = "truncated"     // the end is missing
	Damaged      Reason = "damaged"       // begins as its format does, and then is none
	NotFormat    Reason = "not_format"    // another format than it should be
	HTML         Reason = "html"          // a web page, such as a sign-in page
	TableauError Reason = "tableau_error" // an error message of Tableau
	TooLarge     Reason = "too_large"     // larger, once unpacked, than any report
	Encrypted    Reason = "encrypted"     // with or without a password
	Scripted     Reason = "scripted"      // has scripts or macros, actions that do more than lead somewhere, or files within
	External     Reason = "external"      // shows what is loaded from elsewhere
)

// Error is the refusal of a file.
type Error struct {
	Reason Reason
	Format string // that the file should have
	Detail string // what was found, for logs; never the file's content
	Err    error  // the decoder's error; may be nil
}

// Error gives the text for logs.
func (e *Error) Error() string {
	text := fmt.Sprintf("the %s file is refused: %s", e.Format, e.Reason)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += fmt.Sprintf(": %v", e.Err)
	}
	return text
}

// Unwrap gives the decoder's error.
func (e *Error) Unwrap() error { return e.Err }

// Message says to the report's owner what was wrong with the file and what to
// do.
func (e *Error) Message() string {
	name := formatNames[e.Format]
	switch e.Reason {
	case Empty:
		return fmt.Sprintf("Tableau sent an empty %s. Open the view in Tableau and check that it shows data with the report's filters.", name)
	case Blank:
		return fmt.Sprintf("The %s is blank. Open the view in Tableau and check that it shows data with the report's filters. If it may be blank, allow that in the report's content.", name)
	case Truncated:
		return fmt.Sprintf("The %s broke off before its end, so it was not sent. Run the report again.", name)
	case HTML:
		return fmt.Sprintf("Tableau sent a web page in place of the %s, perhaps a sign-in or maintenance page. Test the connection, then run the report again.", name)
	case TableauError:
		return fmt.Sprintf("Tableau sent an error message in place of the %s. Open the view in Tableau and check that it loads without an error, then run the report again.", name)
	case TooLarge:
		return fmt.Sprintf("The %s is larger than vizpost can check and send. Export a smaller view, or filter it.", name)
	case Encrypted:
		return fmt.Sprintf("The %s is encrypted or password-protected, so vizpost cannot check it and its readers may not be able to open it. It was not sent. Find out what encrypts it on its way from Tableau, or choose another format.", name)
	case Scripted:
		return fmt.Sprintf("The %s contains a script, a macro, an action or an embedded file that could harm its readers, so it was not sent. Remove it from the view, or choose another format.", name)
	case External:
		return fmt.Sprintf("The %s shows content that is loaded from elsewhere when it is opened, so it was not sent. Remove it from the view, or choose another format.", name)
	case NotFormat:
		return fmt.Sprintf("What Tableau sent is not a %s, so it was not sent on. Run the report again; if it stays so, choose another format.", name)
	default:
		return fmt.Sprintf("The %s is damaged, so it was not sent. Run the report again; if it stays so, choose another format.", name)
	}
}

var formatNames = map[string]string{
	PNG: "PNG image", SVG: "SVG image", PDF: "PDF", CSV: "CSV file", XLSX: "Excel workbook", PPTX: "PowerPoint presentation",
}

// Check reads a file of size bytes and says whether it is what its format says:
// one of [PNG], [SVG], [PDF], [CSV], [XLSX] and [PPTX]. A refusal is an [*Error];
// the facts found until then come with it. Another error means that the file
// could not be read, that ctx has ended, or that the format is unknown.
//
//   - PNG: every chunk's checksum and, where a decoder has to know it, kind; every
//     row of pixels; and more than one colour.
//   - SVG: XML in UTF-8 whose every element is closed, without entities of its
//     own, with the root element svg, nothing that is run or loaded from
//     elsewhere, and something to see within what it shows.
//   - PDF: header, end mark, a cross-reference section where the trailer says, at
//     least one page, something on one of them other than background, and no
//     encryption, scripts, files within or content from elsewhere.
//   - CSV: UTF-8, and a text in its header or below. A header without rows is no
//     error: see DataRows.
//   - XLSX: every entry's name, length and checksum, a workbook with at least one
//     sheet, all that it lists, each to its end, nothing that is run or loaded from
//     elsewhere, no other file within, and content in a cell of one of them.
//   - PPTX: every entry as in XLSX, all the slides that are listed, each to its
//     end, no PNG that is damaged, nothing of what XLSX must not have, and something
//     to see on every slide: a picture that is not blank, a table or a chart, or, if
//     there are no pictures, a text.
//
// A file that was cut is refused wherever that shows: in all formats but CSV,
// which has no end mark. A CSV is refused where it was cut within quotes or a
// character, or before its last column. An error body is refused too where it
// follows a CSV's rows.
func Check(ctx context.Context, r io.ReaderAt, size int64, format string, options ...Option) (Facts, error) {
	whole := &source{ctx: ctx, r: io.NewSectionReader(r, 0, size), size: func() (int64, error) { return size, nil }}
	return check(whole, format, options)
}

// Option changes what [Check] and [Receive] accept.
type Option int

// AllowBlank accepts a file that is refused as [Blank], and for nothing else: it
// is whole and of its format, with nothing to see on it or on a part of it.
const AllowBlank Option = 1

func check(src *source, format string, options []Option) (Facts, error) {
	if _, known := formatNames[format]; !known {
		return Facts{}, fmt.Errorf("checking a file: unknown format %q", format)
	}
	facts, err := src.check(format)
	if src.err == nil && err != nil {
		src.err = src.ctx.Err() // whatever a decoder made of it
	}
	if src.err != nil {
		return Facts{}, fmt.Errorf("reading the %s file to check it: %w", format, src.err)
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		refusal.Format = format
		if refusal.Reason == Blank && slices.Contains(options, AllowBlank) {
			return facts, nil
		}
	}
	return facts, err
}

func (s *source) check(format string) (Facts, error) {
	head := make([]byte, sniffBytes)
	n, err := s.ReadAt(head, 0)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return Facts{}, err
	case n == 0:
		return Facts{}, &Error{Reason: Empty}
	}
	switch found := sniff(head[:n]); {
	case found == sniffedError:
		return Facts{}, &Error{Reason: TableauError}
	case found == sniffedPage, found == sniffedMarkup && format != SVG:
		return Facts{}, &Error{Reason: HTML}
	case found == sniffedSVG && format != SVG:
		return Facts{}, &Error{Reason: NotFormat, Detail: "it is an SVG document"}
	}
	switch format {
	case PNG:
		return checkPNG(s)
	case SVG:
		return checkSVG(s)
	case PDF:
		return checkPDF(s)
	case XLSX:
		return checkXLSX(s)
	case PPTX:
		return checkPPTX(s)
	default:
		return checkCSV(s)
	}
}

// source is the file. It remembers an error that is the disk's or the
// context's, which a decoder above it might report as a fault of the file.
type source struct {
	ctx  context.Context
	r    io.ReaderAt
	size func() (int64, error) // known once the file is whole
	err  error

	arriving *arriving // r, unless the file is whole
}

func (s *source) ReadAt(p []byte, offset int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	if offset < 0 { // an archive may say so of its entries
		return 0, errOutside
	}
	n, err := s.r.ReadAt(p, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

var errOutside = errors.New("the file points to a place outside of itself")

// all reads the file from its beginning.
func (s *source) all() io.Reader { return s.from(0) }

// from reads the file from an offset to its end.
func (s *source) from(offset int64) io.Reader { return &sourceReader{s, offset} }

type sourceReader struct {
	source *source
	offset int64
}

// next gives a piece of the file, in the buffer or where it is at hand. It is
// the reader's until the next call, to read only.
func (r *sourceReader) next(buffer []byte) ([]byte, error) {
	if a := r.source.arriving; a != nil {
		if piece := a.atHand(r.offset); len(piece) > 0 {
			r.offset += int64(len(piece))
			return piece, r.source.ctx.Err()
		}
	}
	n, err := r.Read(buffer)
	return buffer[:n], err
}

func (r *sourceReader) Read(p []byte) (int, error) {
	s := r.source
	if s.arriving == nil {
		n, err := s.ReadAt(p, r.offset)
		r.offset += int64(n)
		return n, err
	}
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.arriving.readSome(p, r.offset)
	r.offset += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// refuse makes the refusal for a decoder's error: a file that ends too early, or
// one that is damaged.
func refuse(err error, detail string) error {
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Reason: Truncated, Detail: detail}
	default:
		return &Error{Reason: Damaged, Detail: detail, Err: err}
	}
}

func damaged(detail string) error { return &Error{Reason: Damaged, Detail: detail} }
