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
	pdfEnd           = "%%EOF"
	pdfWindow        = 64 << 10
	pdfLookAhead     = 64   // bytes that a match can take
	pdfDictionary    = 2048 // bytes of a stream's dictionary that are looked at

	// The most that is unpacked of a file's streams, and how many of them are
	// looked at: for a mark, and for pages. They bound the time of a check.
	pdfMaxUnpacked = 256 << 20
	pdfMaxStreams  = 20_000
)

var (
	pdfVersion   = regexp.MustCompile(`%PDF-\d\.\d`)
	pdfStartXref = regexp.MustCompile(`startxref\s+(\d{1,15})\s+%%EOF`)
	pdfSection   = regexp.MustCompile(`^\s*(xref\s|\d+\s+\d+\s+obj)`)
	pdfEncrypt   = regexp.MustCompile(`/Encrypt\s+\d+\s+\d+\s+R\b`)
	pdfObject    = regexp.MustCompile(`^\s*\d+\s+\d+\s+obj\b`)
	pdfStream    = regexp.MustCompile(`>>\s*stream(\r\n|\n|\r)`)
)

// checkPDF looks for what every PDF has, counts its pages (the page objects in
// the file and in its compressed object streams), and looks for a mark on them.
// It reads from the beginning to the end and only then at the trailer, so that
// most is done when the last byte of a file arrives.
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

	file := &pdfFile{source: s, unpackLeft: pdfMaxUnpacked, streamsLeft: pdfMaxStreams, packedLeft: pdfMaxStreams}
	if err := file.scan(); err != nil {
		return Facts{Pages: file.pages}, err
	}
	encrypted, err := s.pdfTrailer(int64(start[0]))
	facts := Facts{Pages: file.pages, Blank: !file.painting.shows()}
	switch {
	case err != nil:
		return Facts{Pages: file.pages}, err
	case encrypted: // whatever its painting looks like
		return Facts{Pages: file.pages}, &Error{Reason: Encrypted}
	case facts.Pages == 0:
		return Facts{}, damaged("there are no pages")
	case facts.Blank:
		return facts, &Error{Reason: Blank}
	}
	return facts, nil
}

// pdfTrailer checks the end of a file whose header begins at an offset, and says
// whether the file is encrypted.
func (s *source) pdfTrailer(header int64) (encrypted bool, err error) {
	size, err := s.size()
	if err != nil {
		return false, err
	}
	tail := make([]byte, min(pdfTrailerWithin, size))
	if _, err := s.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	end := bytes.LastIndex(tail, []byte(pdfEnd))
	if end < 0 {
		return false, &Error{Reason: Truncated, Detail: "the end mark is missing"}
	}
	if pdfObject.Match(tail[end+len(pdfEnd):]) {
		// The file goes on after its end mark with what changes it.
		return false, &Error{Reason: Truncated, Detail: "the last part of the file breaks off"}
	}
	pointers := pdfStartXref.FindAllSubmatch(tail, -1)
	if len(pointers) == 0 {
		return false, damaged("the trailer does not point to a cross-reference section")
	}
	offset, err := strconv.ParseInt(string(pointers[len(pointers)-1][1]), 10, 64)
	if err != nil {
		return false, damaged("the trailer does not point to a cross-reference section")
	}
	// Offsets count from the header, which may have bytes before it.
	for _, at := range []int64{offset, offset + header} {
		if section := s.pdfSection(at); section != nil {
			// The trailer, or the dictionary of a cross-reference stream.
			return pdfEncrypt.Match(tail) || pdfEncrypt.Match(section), nil
		}
	}
	return false, damaged("there is no cross-reference section where the trailer says")
}

// pdfSection gives the beginning of the cross-reference table or stream at an
// offset, nil if none begins there.
func (s *source) pdfSection(offset int64) []byte {
	if offset <= 0 {
		return nil
	}
	start := make([]byte, pdfDictionary)
	n, err := s.ReadAt(start, offset)
	if err != nil && !errors.Is(err, io.EOF) || !pdfSection.Match(start[:n]) {
		return nil
	}
	return start[:n]
}

// pdfFile is a PDF while it is read.
type pdfFile struct {
	source      *source
	unpackLeft  int64
	streamsLeft int // to look at for a mark
	packedLeft  int // object streams

	pages    int
	painting pdfPainting

	// Kept from one stream to the next.
	packed   *bufio.Reader
	unpacker io.Reader
	window   []byte
}

// pdfWanted is a keyword that is looked for, with what is done about it. It gets
// the bytes that follow it (at least 48, unless the data ends) and their offset,
// until it says stop.
type pdfWanted struct {
	keyword string
	found   func(after []byte, offset int64) (stop bool, err error)
	at      int // where to look on, in the window
	stopped bool
}

// find looks for keywords in data. The window is its working memory.
func find(r io.Reader, window []byte, wanted ...*pdfWanted) error {
	var (
		filled int
		base   int64 // offset of the window in the data
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
		stopped := true
		for _, w := range wanted {
			if err := w.look(window[:filled], limit, base); err != nil {
				return err
			}
			stopped = stopped && w.stopped
		}
		if stopped {
			return nil
		}
		limit = max(limit, 0)
		copy(window, window[limit:filled])
		filled -= limit
		base += int64(limit)
		for _, w := range wanted {
			w.at = max(w.at-limit, 0)
		}
	}
	return nil
}

// look goes through those matches that begin before the limit.
func (w *pdfWanted) look(window []byte, limit int, base int64) error {
	for !w.stopped && w.at < limit {
		i := bytes.Index(window[w.at:], []byte(w.keyword))
		if i < 0 || w.at+i >= limit {
			break
		}
		w.at += i + len(w.keyword)
		var err error
		w.stopped, err = w.found(window[w.at:min(w.at+pdfLookAhead-len(w.keyword), len(window))], base+int64(w.at))
		if err != nil {
			return err
		}
	}
	return nil
}

// scan goes through the file once: it counts the page objects, and looks for a
// mark until there is one.
func (f *pdfFile) scan() error {
	types := &pdfWanted{keyword: "/Type", found: func(after []byte, offset int64) (bool, error) {
		switch pdfName(after) {
		case "Page":
			f.pages++
		case "ObjStm":
			packed, err := f.countPackedPages(offset)
			f.pages += packed
			return false, err
		}
		return false, nil
	}}
	streams := &pdfWanted{keyword: "stream", found: f.seeStream}
	return find(f.source.all(), make([]byte, pdfWindow), types, streams)
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
	if f.packedLeft--; f.packedLeft < 0 {
		return 0, &Error{Reason: TooLarge, Detail: "there are too many object streams"}
	}
	unpacked, err := f.unpack(offset + int64(begin[1]))
	switch {
	case errors.Is(err, errTooMuch):
		return 0, &Error{Reason: TooLarge, Detail: "the object streams unpack to too much"}
	case err != nil:
		return 0, nil
	}
	pages := 0
	err = find(unpacked, f.window, &pdfWanted{keyword: "/Type", found: func(after []byte, _ int64) (bool, error) {
		if pdfName(after) == "Page" {
			pages++
		}
		return false, nil
	}})
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

// plain gives what stands at an offset, within the same bound.
func (f *pdfFile) plain(offset int64) (*pdfData, error) {
	if f.unpackLeft <= 0 {
		return nil, errTooMuch
	}
	return &pdfData{file: f, r: f.source.from(offset)}, nil
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
