package content

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
)

const (
	pdfWindow      = 64 << 10
	pdfLongestWord = len("endstream") // the longest word that is looked for

	// The most that is unpacked of a file's object streams, and again of what its
	// pages paint. They bound the time of a check.
	pdfMaxUnpacked = 256 << 20
	pdfMaxPacked   = 20_000  // object streams
	pdfMaxObjects  = 1 << 19 // of which it is known where they are
	pdfMaxFailed   = 64 << 20
	pdfOpening     = 2048    // bytes to unpack, as which the opening of a stream counts
	pdfMaxCached   = 256     // objects
	pdfMaxHeld     = 1 << 20 // bytes of an object stream that are held
	pdfMaxRefs     = 32      // from one object to the next
)

// pdfFile is a PDF while it is read.
type pdfFile struct {
	source     *source
	unpackLeft int64
	packedLeft int
	pixelsLeft int   // of images
	failedLeft int64 // bytes that may be read of what is no object after all

	objects    []pdfObject // in the order in which they were found, then sorted
	containers []int64     // the object streams: where their objects begin
	pages      []int       // the numbers of the page objects
	root       any         // of the last trailer
	encrypted  bool
	unreadable bool // an object stream, in whole or in part
	found      pdfDanger

	// inDoubt says that something could not be read that pages may paint.
	inDoubt bool
	sorted  bool // the objects are, so that they can be found

	scanned *pdfSearch // while the file is gone through

	lexer  *pdfLexer
	packed *pdfLexer // for object streams
	flates []*pdfFlate
	cache  map[pdfRef]any
	held   struct { // an unpacked object stream
		container int32
		data      []byte
		whole     bool
	}
}

// pdfObject says where an object is.
type pdfObject struct {
	number, container int32 // -1 if it is in none
	at                int64 // after its keyword; or in the unpacked container
}

// pdfStream is an object with data.
type pdfStream struct {
	dict  pdfDict
	at    int64 // of the object, after its keyword
	start int64 // of the data
}

func newPDFFile(s *source) *pdfFile {
	f := &pdfFile{source: s, unpackLeft: pdfMaxUnpacked, packedLeft: pdfMaxPacked, failedLeft: pdfMaxFailed, cache: map[pdfRef]any{}}
	f.lexer, f.packed = newPDFLexer(nil, 1<<10), newPDFLexer(nil, 4<<10)
	f.held.container = -1
	return f
}

// pdfSearch looks for words in the file.
type pdfSearch struct {
	source *source
	window []byte
	base   int64
	last   bool // the window ends with the file
}

// next returns the offset of the first of some words from an offset on, and which
// of them it is. The offset is negative if there is none.
func (s *pdfSearch) next(from int64, words ...string) (at int64, word int, err error) {
	for {
		if from < s.base || from > s.base+int64(len(s.window)) || !s.last && s.base+int64(len(s.window))-from < int64(pdfLongestWord) {
			if err := s.fill(from); err != nil {
				return 0, 0, err
			}
		}
		part := s.window[from-s.base:]
		best := -1
		for i, w := range words {
			if at := bytes.Index(part, []byte(w)); at >= 0 {
				best, word = at, i
				part = part[:min(at+len(w)-1, len(part))] // of the others, only an earlier one
			}
		}
		switch {
		case best >= 0:
			return from + int64(best), word, nil
		case s.last:
			return -1, 0, nil
		}
		from = s.base + int64(len(s.window)-pdfLongestWord+1)
	}
}

func (s *pdfSearch) fill(from int64) error {
	window := s.window[:cap(s.window)]
	n, err := s.source.ReadAt(window, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.window, s.base, s.last = window[:n], from, n < len(window)
	return nil
}

// ReadAt reads from the window where it can.
func (s *pdfSearch) ReadAt(p []byte, offset int64) (int, error) {
	if in := offset - s.base; in >= 0 && in+int64(len(p)) <= int64(len(s.window)) {
		return copy(p, s.window[in:]), nil
	}
	return s.source.ReadAt(p, offset)
}

// from reads from an offset on.
func (s *pdfSearch) from(offset int64) io.Reader { return &pdfWindowReader{s, offset} }

type pdfWindowReader struct {
	search *pdfSearch
	offset int64
}

func (r *pdfWindowReader) Read(p []byte) (int, error) {
	s := r.search
	var n int
	var err error
	if in := r.offset - s.base; in >= 0 && in < int64(len(s.window)) {
		n = copy(p, s.window[in:])
	} else {
		n, err = s.source.from(r.offset).Read(p)
	}
	r.offset += int64(n)
	return n, err
}

// scan goes through the file once. It finds the objects and, in all of them, what
// is refused. What looks like an object within a stream's data or a string counts
// as one only for what is refused: a reader that is pointed there takes it for one.
func (f *pdfFile) scan() error {
	f.lexer.met, f.packed.met = f.found.meet, f.found.meet
	search := &pdfSearch{source: f.source, window: make([]byte, 0, pdfWindow)}
	f.scanned = search
	defer func() { f.scanned = nil }()
	var (
		from, dataEnd int64
		objectEnd     int64
		inData        bool
	)
	for {
		at, word, err := search.next(from, "obj", "trailer", "endstream")
		if err != nil || at < 0 {
			return err
		}
		from = at + 3
		switch word {
		case 0:
			within := inData || at < objectEnd
			stream, err := f.scanObject(at, within)
			if err != nil {
				return err
			}
			if within {
				if err := f.failed(f.lexer.at - at); err != nil {
					return err
				}
				break
			}
			objectEnd = f.lexer.at
			if stream != nil {
				dataEnd, inData = stream.start, true
				if length, ok := stream.dict["Length"].(float64); ok && f.endsAt(stream.start+int64(length)) {
					dataEnd = stream.start + int64(length)
				}
			}
		case 1:
			if inData || at < objectEnd {
				break
			}
			after := at + int64(len("trailer"))
			f.lexer.reset(search.from(after), after)
			if v, err := f.lexer.value(); err == nil {
				f.trailer(v)
			} else if err := f.failed(f.lexer.at - after); err != nil {
				return err
			}
		default:
			if at >= max(dataEnd, objectEnd) {
				inData = false
			}
		}
	}
}

// reader reads the file, from what is at hand where it can.
func (f *pdfFile) reader() io.ReaderAt {
	if f.scanned != nil {
		return f.scanned
	}
	return f.source
}

// endsAt reports whether a stream's data ends at an offset.
func (f *pdfFile) endsAt(offset int64) bool {
	var after [16]byte
	n, err := f.reader().ReadAt(after[:], offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(after[:n], "\r\n\t \x00"), []byte("endstream"))
}

// failed counts what was read in vain.
func (f *pdfFile) failed(n int64) error {
	if f.source.err != nil {
		return f.source.err
	}
	if f.failedLeft -= n; f.failedLeft < 0 {
		return &Error{Reason: TooLarge, Detail: "there are too many objects that break off"}
	}
	return nil
}

func (f *pdfFile) trailer(v any) {
	d, ok := v.(pdfDict)
	if !ok {
		return
	}
	f.encrypted = f.encrypted || d["Encrypt"] != nil
	if d["Root"] != nil {
		f.root = d["Root"]
	}
}

// scanObject reads the object whose keyword is at an offset, if one is, which may
// be within another. It returns its stream if it has one. The lexer is left behind
// the object.
func (f *pdfFile) scanObject(at int64, within bool) (*pdfStream, error) {
	number, ok, err := f.numberBefore(at)
	if err != nil || !ok {
		f.lexer.at = at
		return nil, err
	}
	v, stream, err := f.read(f.lexer, f.scanned.from(at+3), at+3)
	if err != nil {
		n := f.lexer.at - at
		f.lexer.at = at
		if errors.Is(err, errPDFDepth) {
			return nil, &Error{Reason: TooLarge, Detail: "an object is nested too deep or has too many values"}
		}
		return nil, f.failed(n)
	}
	end := f.lexer.at
	dict, _ := v.(pdfDict)
	f.found.meetName(v)
	if stream != nil {
		f.found.meetStream(dict)
	}
	if !within {
		f.add(pdfObject{number: number, container: -1, at: at + 3}, dict)
	}
	switch {
	case stream == nil:
	case dict["Type"] == pdfName("XRef") && !within:
		f.trailer(dict)
	case dict["Type"] == pdfName("ObjStm"), dict["N"] != nil && dict["First"] != nil:
		if err := f.scanPacked(stream, within); err != nil {
			return nil, err
		}
	}
	f.lexer.at = end
	return stream, nil
}

// numberBefore returns the number that stands before an object's keyword. It is
// not ok where the word is part of another.
func (f *pdfFile) numberBefore(at int64) (number int32, ok bool, err error) {
	var around [48]byte
	start := max(at-32, 0)
	n, err := f.reader().ReadAt(around[:at-start+4], start)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	before, after := around[:min(at-start, int64(n))], around[min(at-start+3, int64(n)):n]
	if len(after) > 0 && isPDFRegular(after[0]) && (after[0] < '0' || after[0] > '9') && after[0] != '-' {
		return 0, false, nil
	}
	if len(before) > 0 && (before[len(before)-1] >= 'a' && before[len(before)-1] <= 'z' || before[len(before)-1] >= 'A' && before[len(before)-1] <= 'Z') {
		return 0, false, nil
	}
	digits := func() (int64, bool) {
		before = bytes.TrimRight(before, " \t\r\n\f\x00")
		end := len(before)
		for len(before) > 0 && before[len(before)-1] >= '0' && before[len(before)-1] <= '9' && end-len(before) < 10 {
			before = before[:len(before)-1]
		}
		var n int64
		for _, b := range around[len(before):end] {
			n = n*10 + int64(b-'0')
		}
		return n, end > len(before)
	}
	if _, ok := digits(); !ok {
		return -1, true, nil // an object without a number, which is looked at all the same
	}
	value, ok := digits()
	if !ok || value > 1<<30 {
		return -1, true, nil
	}
	return int32(value), true, nil
}

// add notes where an object is, and what it is.
func (f *pdfFile) add(o pdfObject, dict pdfDict) {
	if o.number < 0 {
		return
	}
	if len(f.objects) >= pdfMaxObjects {
		f.inDoubt = true
		return
	}
	f.objects = append(f.objects, o)
	if dict["Type"] == pdfName("Page") {
		f.pages = append(f.pages, int(o.number))
	}
}

// read reads an object's value with a lexer, and begins its stream if it has one.
func (f *pdfFile) read(l *pdfLexer, r io.Reader, at int64) (any, *pdfStream, error) {
	l.reset(r, at)
	v, err := l.value()
	if err != nil {
		return nil, nil, err
	}
	dict, ok := v.(pdfDict)
	if !ok {
		return v, nil, nil
	}
	end := l.at
	t, err := l.next()
	if err != nil || t.kind != pdfWordToken || string(t.text) != "stream" {
		l.at = end
		return v, nil, nil
	}
	// A line end follows, which is not part of the data.
	if b, err := l.read(); err == nil {
		if b == '\r' {
			b, err = l.read()
		}
		if err == nil && b != '\n' {
			l.unread()
		}
	}
	return v, &pdfStream{dict, at, l.at}, nil
}

// scanPacked goes through an object stream.
func (f *pdfFile) scanPacked(stream *pdfStream, within bool) error {
	if f.packedLeft--; f.packedLeft < 0 {
		return &Error{Reason: TooLarge, Detail: "there are too many object streams"}
	}
	n, okN := stream.dict["N"].(float64)
	first, okFirst := stream.dict["First"].(float64)
	// Its dictionary holds no references, but for its length.
	data, err := f.unpack(stream.dict, f.source.from(stream.start))
	if err != nil || !okN || !okFirst || n > pdfMaxObjects || n < 0 || first < 0 {
		f.unreadable = true
		return nil
	}
	defer data.Close()
	l := f.packed
	l.reset(data, 0)
	type entry struct{ number, at int64 }
	var entries []entry
	for range int(n) {
		number, err1 := l.next()
		numberOf := number.number
		at, err2 := l.next()
		if err := errors.Join(err1, err2); err != nil || number.kind != pdfNumberToken || at.kind != pdfNumberToken || at.number < 0 {
			return f.packedEnds(err, len(entries) < int(n))
		}
		entries = append(entries, entry{int64(numberOf), int64(at.number)})
	}
	if len(f.containers) >= pdfMaxPacked {
		f.inDoubt = true
	}
	if !within {
		f.containers = append(f.containers, stream.at)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	for i, e := range entries {
		if e.at+int64(first) < l.at { // within the one before, or at the same place
			if i > 0 && entries[i-1].at == e.at {
				continue
			}
			f.unreadable = true
			return nil
		}
		if _, err := l.in.Discard(int(e.at + int64(first) - l.at)); err != nil {
			return f.packedEnds(err, true)
		}
		l.at, l.values = e.at+int64(first), 0
		v, err := l.value()
		if err != nil {
			return f.packedEnds(err, true)
		}
		dict, _ := v.(pdfDict)
		f.found.meetName(v)
		if !within && e.number <= 1<<30 {
			f.add(pdfObject{number: int32(e.number), container: int32(len(f.containers) - 1), at: e.at + int64(first)}, dict)
		}
	}
	return nil
}

// packedEnds is for an object stream that ends before its objects do.
func (f *pdfFile) packedEnds(err error, early bool) error {
	switch {
	case f.source.err != nil:
		return f.source.err
	case errors.Is(err, errTooMuch):
		return &Error{Reason: TooLarge, Detail: "the object streams unpack to too much"}
	case errors.Is(err, errPDFDepth):
		return &Error{Reason: TooLarge, Detail: "an object is nested too deep or has too many values"}
	}
	f.unreadable = f.unreadable || early
	return nil
}

// pageNumbers returns the numbers of the pages, and has the objects in order.
// Where an object was changed, the one that comes last counts.
func (f *pdfFile) pageNumbers() []int {
	slices.SortStableFunc(f.objects, func(a, b pdfObject) int { return cmp.Compare(a.number, b.number) })
	f.sorted = true
	f.lexer.met, f.packed.met = func(pdfDict) {}, func(pdfDict) {}
	slices.Sort(f.pages)
	return slices.Compact(f.pages)
}

// get returns a value, and what it stands for if it is a reference: nil if there
// is no such object.
func (f *pdfFile) get(v any) any {
	for range pdfMaxRefs {
		ref, ok := v.(pdfRef)
		switch {
		case !ok:
			return v
		case !f.sorted:
			return nil
		}
		cached, ok := f.cache[ref]
		if !ok {
			cached = f.load(ref)
			if len(f.cache) >= pdfMaxCached {
				clear(f.cache)
			}
			f.cache[ref] = cached
		}
		v = cached
	}
	f.inDoubt = true
	return nil
}

func (f *pdfFile) load(ref pdfRef) any {
	i, _ := slices.BinarySearchFunc(f.objects, int32(ref)+1, func(o pdfObject, n int32) int { return cmp.Compare(o.number, n) })
	if i == 0 || f.objects[i-1].number != int32(ref) {
		return nil
	}
	o := f.objects[i-1]
	if f.unpackLeft -= 512; f.unpackLeft < 0 { // what it costs at least
		f.inDoubt = true
		return nil
	}
	if o.container >= 0 {
		return f.loadPacked(o)
	}
	v, stream, err := f.read(f.lexer, f.source.from(o.at), o.at)
	f.unpackLeft -= f.lexer.at - o.at
	switch {
	case err != nil:
		f.inDoubt = true
		return nil
	case stream != nil:
		return stream
	}
	return v
}

func (f *pdfFile) loadPacked(o pdfObject) any {
	if f.held.container != o.container {
		f.hold(o.container)
	}
	if !f.held.whole && o.at >= int64(len(f.held.data)) {
		f.inDoubt = true
		return nil
	}
	f.packed.reset(bytes.NewReader(f.held.data[min(o.at, int64(len(f.held.data))):]), o.at)
	v, err := f.packed.value()
	f.unpackLeft -= f.packed.at - o.at
	if err != nil {
		f.inDoubt = true
		return nil
	}
	return v
}

// hold unpacks an object stream, as much of it as is held.
func (f *pdfFile) hold(container int32) {
	f.held.container, f.held.data, f.held.whole = container, f.held.data[:0], false
	_, stream, err := f.read(f.lexer, f.source.from(f.containers[container]), f.containers[container])
	if err != nil || stream == nil {
		f.inDoubt = true
		return
	}
	data, err := f.unpack(stream.dict, f.source.from(stream.start))
	if err != nil {
		f.inDoubt = true
		return
	}
	defer data.Close()
	for len(f.held.data) < pdfMaxHeld {
		f.held.data = slices.Grow(f.held.data, 32<<10)
		n, err := data.Read(f.held.data[len(f.held.data):cap(f.held.data)])
		f.held.data = f.held.data[:len(f.held.data)+n]
		if err != nil {
			f.held.whole = errors.Is(err, io.EOF)
			return
		}
	}
}

// open reads a stream's data, unpacked, from its beginning to its end.
func (f *pdfFile) open(stream *pdfStream) (*pdfData, error) {
	if f.unpackLeft -= pdfOpening; f.unpackLeft < 0 {
		return nil, errTooMuch
	}
	end, err := f.dataEnd(stream)
	if err != nil {
		return nil, err
	}
	return f.unpack(stream.dict, io.LimitReader(f.source.from(stream.start), end-stream.start))
}

// dataEnd finds where a stream's data ends: where its length says, if the keyword
// for it follows there, or else before the next such keyword.
func (f *pdfFile) dataEnd(stream *pdfStream) (int64, error) {
	if length, ok := f.get(stream.dict["Length"]).(float64); ok && length >= 0 {
		if end := stream.start + int64(length); f.endsAt(end) {
			return end, nil
		}
	}
	search := &pdfSearch{source: f.source, window: make([]byte, 0, 4<<10)}
	end, _, err := search.next(stream.start, "endstream")
	if err != nil {
		return 0, err
	}
	if end < 0 {
		return 0, errPDFSyntax
	}
	if f.unpackLeft -= end - stream.start; f.unpackLeft < 0 {
		return 0, errTooMuch
	}
	return end, nil
}
