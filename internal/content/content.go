// Package content answers one question about an exported file: is it what it
// says it is? A file that is blank, cut short, an error page or something else
// than its format is never sent to anyone.
//
// [Check] reads a file from end to end in a small, bounded amount of memory,
// whatever the file claims about itself: it decodes an image row by row and an
// archive entry by entry, and refuses what unpacks to more than any report has.
package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// The formats that [Check] knows.
const (
	PNG  = "png"
	PDF  = "pdf"
	CSV  = "csv"
	XLSX = "xlsx"
)

// Facts are what a check learns about a file. Those that a format does not have
// are zero.
type Facts struct {
	Width, Height int  // of a PNG, in pixels
	Pages         int  // of a PDF
	Rows          int  // of a CSV, without its header; of an Excel workbook, in all sheets, with headers
	Sheets        int  // of an Excel workbook
	Blank         bool // a PNG of a single colour, a PDF or Excel workbook without content
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
		return fmt.Sprintf("The %s is blank. Open the view in Tableau and check that it shows data with the report's filters.", name)
	case Truncated:
		return fmt.Sprintf("The %s broke off before its end, so it was not sent. Run the report again.", name)
	case HTML:
		return fmt.Sprintf("Tableau sent a web page in place of the %s, perhaps a sign-in or maintenance page. Test the connection, then run the report again.", name)
	case TableauError:
		return fmt.Sprintf("Tableau sent an error message in place of the %s. Open the view in Tableau and check that it loads without an error, then run the report again.", name)
	case TooLarge:
		return fmt.Sprintf("The %s is larger than vizpost can check and send. Export a smaller view, or filter it.", name)
	case NotFormat:
		return fmt.Sprintf("What Tableau sent is not a %s, so it was not sent on. Run the report again; if it stays so, choose another format.", name)
	default:
		return fmt.Sprintf("The %s is damaged, so it was not sent. Run the report again; if it stays so, choose another format.", name)
	}
}

var formatNames = map[string]string{
	PNG: "PNG image", PDF: "PDF", CSV: "CSV file", XLSX: "Excel workbook",
}

// sniffBytes is how much of a file's beginning shows an error body.
const sniffBytes = 512

// Check reads a file of size bytes and says whether it is what its format says:
// one of [PNG], [PDF], [CSV] and [XLSX]. A refusal is an [*Error]; the facts
// found until then come with it. Another error means that the file could not be
// read, that ctx has ended, or that the format is unknown.
//
//   - PNG: every chunk's checksum, every row of pixels, and more than one colour.
//   - PDF: header, end mark, a cross-reference section where the trailer says, at
//     least one page, and something on one of them other than white.
//   - CSV: UTF-8, and a header that is not blank. A header without rows is no
//     error: see Rows.
//   - XLSX: every entry's checksum, a workbook with at least one sheet, and a value
//     in one of them.
func Check(ctx context.Context, r io.ReaderAt, size int64, format string) (Facts, error) {
	if _, known := formatNames[format]; !known {
		return Facts{}, fmt.Errorf("checking a file: unknown format %q", format)
	}
	src := &source{ctx: ctx, r: r, size: size}
	facts, err := src.check(format)
	if src.err != nil {
		return Facts{}, fmt.Errorf("reading the %s file to check it: %w", format, src.err)
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		refusal.Format = format
	}
	return facts, err
}

func (s *source) check(format string) (Facts, error) {
	if s.size <= 0 {
		return Facts{}, &Error{Reason: Empty}
	}
	head := make([]byte, min(sniffBytes, s.size))
	if _, err := s.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	if reason, found := SniffError(head); found {
		return Facts{}, &Error{Reason: reason}
	}
	switch format {
	case PNG:
		return checkPNG(s)
	case PDF:
		return checkPDF(s)
	case XLSX:
		return checkXLSX(s)
	default:
		return checkCSV(s)
	}
}

var (
	htmlStart    = regexp.MustCompile(`(?i)^(<!doctype html|<(html|head|body|script|title)[\s>])`)
	tableauStart = regexp.MustCompile(`(?i)^(<\?xml[^>]*>\s*)?<([a-z0-9]+:)?tsResponse[\s>]`)
	xmlStart     = regexp.MustCompile(`(?i)^(<\?xml\s|<!--)`)
	jsonStart    = regexp.MustCompile(`^\{\s*"(error|errors|message|code|status|httpErrorCode)"\s*:`)
)

// SniffError reports whether a file begins as an error body does: a web page, or
// an error of Tableau as XML or JSON. None of the formats begins so. The first
// 512 bytes are enough.
func SniffError(head []byte) (Reason, bool) {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\uFEFF")), " \t\r\n")
	switch {
	case tableauStart.Match(head), jsonStart.Match(head):
		return TableauError, true
	case htmlStart.Match(head), xmlStart.Match(head):
		return HTML, true
	}
	return "", false
}

// source is the file. It remembers an error that is the disk's or the
// context's, which a decoder above it might report as a fault of the file.
type source struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	err  error
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
func (s *source) all() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

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
