package content

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
)

const (
	pdfHeaderWithin  = 1024 // bytes: readers look for the header in the first kilobyte
	pdfTrailerWithin = 2048
	pdfEnd           = "%%EOF"
	pdfSectionBegins = 64 // bytes that show that a cross-reference section begins
)

var (
	pdfVersion   = regexp.MustCompile(`%PDF-\d\.\d`)
	pdfStartXref = regexp.MustCompile(`startxref\s+(\d{1,15})\s+%%EOF`)
	pdfSection   = regexp.MustCompile(`^\s*(xref\s|\d+\s+\d+\s+obj)`)
	pdfBegins    = regexp.MustCompile(`^\s*\d+\s+\d+\s+obj\b`)
)

// checkPDF goes through the file once, from its beginning to its end, so that most
// is done when the last byte of a file arrives: it finds the objects, those in
// object streams among them, and what is refused in them. Then it looks at the
// trailer, and at what the pages paint.
//
// Source for the format: ISO 32000-1, sections 7.5 (file structure), 7.7.3 (page
// tree) and 8.2 (content streams).
func checkPDF(s *source) (Facts, error) {
	head := make([]byte, pdfHeaderWithin)
	n, err := s.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	head = head[:n]
	start := pdfVersion.FindIndex(head)
	if start == nil {
		if bytes.HasPrefix([]byte("%PDF-"), head) {
			return Facts{}, &Error{Reason: Truncated, Detail: "the header is incomplete"}
		}
		return Facts{}, &Error{Reason: NotFormat}
	}

	file := newPDFFile(s)
	if err := file.scan(); err != nil {
		return Facts{}, err
	}
	pages := file.pageNumbers()
	facts := Facts{Pages: len(pages)}
	if err := s.pdfTrailer(int64(start[0])); err != nil {
		return facts, err
	}
	switch danger := file.danger(); {
	case file.encrypted:
		return facts, &Error{Reason: Encrypted}
	case danger != nil:
		return facts, danger
	case file.unreadable:
		return facts, damaged("an object stream cannot be unpacked")
	case len(pages) == 0:
		return facts, damaged("there are no pages")
	}
	if facts.Blank = file.paintNothing(pages); facts.Blank {
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
}

// pdfTrailer checks the end of a file whose header begins at an offset.
func (s *source) pdfTrailer(header int64) error {
	size, err := s.size()
	if err != nil {
		return err
	}
	tail := make([]byte, min(pdfTrailerWithin, size))
	if _, err := s.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := bytes.LastIndex(tail, []byte(pdfEnd))
	if end < 0 {
		return &Error{Reason: Truncated, Detail: "the end mark is missing"}
	}
	if pdfBegins.Match(tail[end+len(pdfEnd):]) {
		// The file goes on after its end mark with what changes it.
		return &Error{Reason: Truncated, Detail: "the last part of the file breaks off"}
	}
	pointers := pdfStartXref.FindAllSubmatch(tail, -1)
	if len(pointers) == 0 {
		return damaged("the trailer does not point to a cross-reference section")
	}
	offset, err := strconv.ParseInt(string(pointers[len(pointers)-1][1]), 10, 64)
	if err != nil {
		return damaged("the trailer does not point to a cross-reference section")
	}
	// Offsets count from the header, which may have bytes before it.
	for _, at := range []int64{offset, offset + header} {
		if s.pdfSection(at) {
			return nil
		}
	}
	return damaged("there is no cross-reference section where the trailer says")
}

// pdfSection reports whether a cross-reference table or stream begins at an
// offset.
func (s *source) pdfSection(offset int64) bool {
	if offset <= 0 {
		return false
	}
	start := make([]byte, pdfSectionBegins)
	n, err := s.ReadAt(start, offset)
	return (err == nil || errors.Is(err, io.EOF)) && pdfSection.Match(start[:n])
}
