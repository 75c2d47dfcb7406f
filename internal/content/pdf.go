package content

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"regexp"
	"strconv"
)

const (
	pdfHeaderWithin  = 1024 // bytes: readers look for the header in the first kilobyte
	pdfTrailerWithin = 2048
	pdfWindow        = 64 << 10
	pdfLookAhead     = 64   // bytes that a match can take
	pdfDictionary    = 2048 // bytes of a stream's dictionary that are looked at

	// The most that is unpacked of a file's streams, and how many of them are
	// looked at. Both bound the time of a check.
	pdfMaxUnpacked = 256 << 20
	pdfMaxStreams  = 20_000
)

var (
	pdfVersion   = regexp.MustCompile(`%PDF-\d\.\d`)
	pdfStartXref = regexp.MustCompile(`startxref\s+(\d{1,15})\s+%%EOF`)
	pdfSection   = regexp.MustCompile(`^\s*(xref\s|\d+\s+\d+\s+obj)`)
	pdfStream    = regexp.MustCompile(`>>\s*stream(\r\n|\n|\r)`)
)

// checkPDF looks for what every PDF has, counts its pages (the page objects in
// the file and in its compressed object streams), and looks for a mark on them.
// Source for the format: ISO 32000-1, sections 7.5 (file structure), 7.7.3 (page
// tree) and 8.2 (content streams).
func checkPDF(s *source) (Facts, error) {
	head := make([]byte, min(pdfHeaderWithin, s.size))
	if _, err := s.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	start := pdfVersion.FindIndex(head)
	if start == nil {
		if bytes.HasPrefix([]byte("%PDF-"), head) {
			return Facts{}, &Error{Reason: Truncated, Detail: "the header is incomplete"}
		}
		return Facts{}, &Error{Reason: NotFormat}
	}

	tailSize := min(pdfTrailerWithin, s.size)
	tail := make([]byte, tailSize)
	if _, err := s.ReadAt(tail, s.size-tailSize); err != nil && !errors.Is(err, io.EOF) {
		return Facts{}, err
	}
	if !bytes.Contains(tail, []byte("%%EOF")) {
		return Facts{}, &Error{Reason: Truncated, Detail: "the end mark is missing"}
	}
	pointers := pdfStartXref.FindAllSubmatch(tail, -1)
	if len(pointers) == 0 {
		return Facts{}, damaged("the trailer does not point to a cross-reference section")
	}
	offset, err := strconv.ParseInt(string(pointers[len(pointers)-1][1]), 10, 64)
	if err != nil {
		return Facts{}, damaged("the trailer does not point to a cross-reference section")
	}
	// Offsets count from the header, which may have bytes before it.
	if !s.hasSection(offset) && !s.hasSection(offset+int64(start[0])) {
		return Facts{}, damaged("there is no cross-reference section where the trailer says")
	}

	file := &pdfFile{source: s, unpackLeft: pdfMaxUnpacked, streamsLeft: pdfMaxStreams}
	var facts Facts
	if facts.Pages, err = file.countPages(); err != nil {
		return facts, err
	}
	if facts.Pages == 0 {
		return facts, damaged("there are no pages")
	}
	marked, err := file.hasMarks()
	if err != nil {
		return facts, err
	}
	if facts.Blank = !marked; facts.Blank {
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
}

// hasSection reports whether a cross-reference table or stream begins at an
// offset.
func (s *source) hasSection(offset int64) bool {
	if offset <= 0 || offset >= s.size {
		return false
	}
	start := make([]byte, 64)
	n, err := s.ReadAt(start, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	return pdfSection.Match(start[:n])
}

// pdfFile is a PDF while it is read.
type pdfFile struct {
	source      *source
	unpackLeft  int64
	streamsLeft int

	// Kept from one stream to the next.
	packed   *bufio.Reader
	unpacker io.Reader
	window   []byte
}

// find calls found for each keyword in a stream, with the bytes that follow it
// (at least 48, unless the stream ends) and their offset, until found says
// stop. The window is its working memory.
func find(r io.Reader, window []byte, keyword string, found func(after []byte, offset int64) (stop bool, err error)) error {
	var (
		filled int
		base   int64 // offset of the window in the stream
		atEnd  bool
	)
	for !atEnd {
		n, err := io.ReadFull(r, window[filled:])
		filled += n
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			atEnd = true
		case err != nil:
			return err
		}
		limit := filled
		if !atEnd {
			limit -= pdfLookAhead
		}
		at := 0
		for at < limit {
			i := bytes.Index(window[at:filled], []byte(keyword))
			if i < 0 || at+i >= limit {
				at = limit
				break
			}
			at += i + len(keyword)
			if stop, err := found(window[at:min(at+pdfLookAhead-len(keyword), filled)], base+int64(at)); stop || err != nil {
				return err
			}
		}
		at = min(at, filled)
		copy(window, window[at:filled])
		filled -= at
		base += int64(at)
	}
	return nil
}

// countPages counts the page objects.
func (f *pdfFile) countPages() (int, error) {
	pages := 0
	err := find(f.source.all(), make([]byte, pdfWindow), "/Type", func(after []byte, offset int64) (bool, error) {
		switch pdfName(after) {
		case "Page":
			pages++
		case "ObjStm":
			packed, err := f.countPackedPages(offset)
			pages += packed
			return false, err
		}
		return false, nil
	})
	return pages, err
}

// pdfName reads a name after white space, without its slash. It is empty if
// there is none.
func pdfName(b []byte) string {
	b = bytes.TrimLeft(b, " \t\r\n\f\x00")
	if len(b) == 0 || b[0] != '/' {
		return ""
	}
	b = b[1:]
	if end := bytes.IndexAny(b, " \t\r\n\f\x00/<>[]()%{}"); end >= 0 {
		b = b[:end]
	}
	return string(b)
}

// countPackedPages counts the page objects in the object stream whose type
// stands at an offset. What cannot be unpacked is passed over: its bytes are
// looked at as they are with the rest of the file.
func (f *pdfFile) countPackedPages(offset int64) (int, error) {
	dictionary := make([]byte, pdfDictionary)
	n, err := f.source.ReadAt(dictionary, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	begin := pdfStream.FindIndex(dictionary[:n])
	if begin == nil {
		return 0, nil
	}
	unpacked, err := f.unpack(offset + int64(begin[1]))
	switch {
	case errors.Is(err, errTooMuch):
		return 0, &Error{Reason: TooLarge, Detail: "the object streams unpack to too much"}
	case err != nil:
		return 0, nil
	}
	pages := 0
	err = find(unpacked, f.window, "/Type", func(after []byte, _ int64) (bool, error) {
		if pdfName(after) == "Page" {
			pages++
		}
		return false, nil
	})
	return pages, err
}

var errTooMuch = errors.New("more than is unpacked of a file")

// unpack gives what is packed with zlib at an offset, to its end or the first
// error. What it gives counts against what may be unpacked in all.
func (f *pdfFile) unpack(offset int64) (io.Reader, error) {
	data, err := f.plain(offset)
	if err != nil {
		return nil, err
	}
	if f.window == nil {
		f.packed, f.window = bufio.NewReaderSize(nil, 16<<10), make([]byte, pdfWindow)
	}
	f.packed.Reset(data.r)
	if resetter, ok := f.unpacker.(zlib.Resetter); ok {
		err = resetter.Reset(f.packed, nil)
	} else {
		f.unpacker, err = zlib.NewReader(f.packed)
	}
	if err != nil {
		return nil, err
	}
	return &pdfData{file: f, r: f.unpacker}, nil
}

// plain gives what stands at an offset, with the same bounds.
func (f *pdfFile) plain(offset int64) (*pdfData, error) {
	if f.streamsLeft--; f.streamsLeft < 0 || f.unpackLeft <= 0 {
		return nil, errTooMuch
	}
	return &pdfData{file: f, r: io.NewSectionReader(f.source, offset, f.source.size-offset)}, nil
}

// pdfData reads a stream's data. It ends at the first error, and where no more
// may be unpacked.
type pdfData struct {
	file *pdfFile
	r    io.Reader
}

func (d *pdfData) Read(p []byte) (int, error) {
	n, err := d.r.Read(p[:min(int64(len(p)), max(d.file.unpackLeft, 0))])
	d.file.unpackLeft -= int64(n)
	if err != nil || d.file.unpackLeft <= 0 {
		return n, io.EOF
	}
	return n, nil
}
