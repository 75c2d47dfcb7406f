package content

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
)

const (
	zipSignature = "PK\x03\x04"
	oleSignature = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"

	zipMaxDirectory = 1 << 20   // bytes read to list the archive's entries
	zipMaxEntries   = 10_000    //
	zipMaxUnpacked  = 512 << 20 // bytes of all entries
	zipMaxRatio     = 250       // of unpacked to packed; worksheets reach about 30
	zipRatioFrom    = 16 << 20  // bytes below which any ratio will do
)

// office is an Office file: an archive of parts. Source for the format: ECMA-376,
// part 2 (Open Packaging Conventions), and PKWARE's APPNOTE (ZIP).
type office struct {
	ctx     context.Context
	entries []*zip.File
	left    int64 // bytes that may still be unpacked
	buffer  []byte
}

// openOffice lists the archive's entries. It refuses names that lead out of the
// folder into which somebody unpacks it, and entries that claim more bytes than
// the file has.
func openOffice(s *source) (*office, error) {
	head := make([]byte, len(oleSignature))
	n, err := s.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	switch {
	case string(head) == oleSignature:
		return nil, refuseOLE(s)
	case !bytes.HasPrefix([]byte(zipSignature), head[:min(n, len(zipSignature))]):
		return nil, &Error{Reason: NotFormat}
	}
	size, err := s.size()
	if err != nil {
		return nil, err
	}

	// Listing an archive holds every entry in memory, so how much is listed is
	// bounded by what is read for it.
	in := &meteredReader{r: s, metered: true, left: zipMaxDirectory}
	archive, err := zip.NewReader(in, size)
	in.metered = false
	switch {
	case in.left < 0, err == nil && len(archive.File) > zipMaxEntries:
		return nil, &Error{Reason: TooLarge, Detail: "the archive has too many entries"}
	case errors.Is(err, zip.ErrFormat):
		return nil, &Error{Reason: Truncated, Detail: "the archive's directory is missing", Err: err}
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return nil, refuse(err, "the archive's directory cannot be read")
	}

	names := make([]string, 0, len(archive.File))
	packed := uint64(0)
	for _, entry := range archive.File {
		if !isPartName(entry.Name) {
			return nil, damaged("an entry's name leads out of the archive")
		}
		// Names of parts are equal without regard to case.
		names = append(names, strings.ToLower(entry.Name))
		if packed += entry.CompressedSize64; entry.CompressedSize64 > uint64(size) || packed > uint64(size) {
			return nil, damaged("the entries claim to be larger than the archive")
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) < len(archive.File) {
		return nil, damaged("two entries have one name")
	}
	return &office{ctx: s.ctx, entries: archive.File, buffer: make([]byte, 32<<10),
		left: min(zipMaxUnpacked, max(zipRatioFrom, size*zipMaxRatio))}, nil
}

// refuseOLE refuses a compound file, which is what Office puts around a file that
// it encrypts, and what its formats before 2007 are. Its directory names the
// encrypted file in UTF-16. Source: MS-OFFCRYPTO, section 2.3.4.
func refuseOLE(s *source) error {
	name := make([]byte, 0, 32)
	for _, b := range []byte("EncryptedPackage") {
		name = append(name, b, 0)
	}
	in, window := s.all(), make([]byte, 0, 64<<10)
	for {
		n, err := in.Read(window[len(window):cap(window)])
		window = window[:len(window)+n]
		switch {
		case bytes.Contains(window, name):
			return &Error{Reason: Encrypted, Detail: "it is encrypted, in a compound file"}
		case errors.Is(err, io.EOF):
			return &Error{Reason: NotFormat, Detail: "it is a compound file, as Office made before 2007"}
		case err != nil:
			return err
		}
		keep := min(len(window), len(name)-1)
		window = window[:copy(window, window[len(window)-keep:])]
	}
}

// isPartName reports whether a name stays within the archive.
func isPartName(name string) bool {
	if name == "" || strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\:\x00") {
		return false
	}
	for step := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if step == "" || step == "." || step == ".." {
			return false
		}
	}
	return true
}

// meteredReader fails after so many bytes, while it is metered.
type meteredReader struct {
	r       io.ReaderAt
	metered bool
	left    int64
}

var errMetered = errors.New("more bytes than allowed")

func (m *meteredReader) ReadAt(p []byte, offset int64) (int, error) {
	if m.metered {
		if m.left -= int64(len(p)); m.left < 0 {
			return 0, errMetered
		}
	}
	return m.r.ReadAt(p, offset)
}

// unpack writes an entry to w and verifies its length and checksum. It has to
// be called for every entry once, whether its content matters or not.
func (o *office) unpack(entry *zip.File, w io.Writer) error {
	const aes = 99 // the method that stands for encryption
	if entry.Flags&1 != 0 || entry.Method == aes {
		return &Error{Reason: Encrypted, Detail: "an entry of the archive is encrypted"}
	}
	unpacked, err := entry.Open()
	if err != nil {
		return entryRefusal(err, "an entry cannot be opened")
	}
	defer func() { _ = unpacked.Close() }()
	// Without other methods than Write, io.CopyBuffer uses this buffer.
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(inTime{o.ctx, unpacked}, o.left+1), o.buffer)
	switch {
	case n > o.left:
		return &Error{Reason: TooLarge, Detail: "the archive unpacks to too much"}
	case err != nil:
		return entryRefusal(err, "an entry cannot be unpacked")
	}
	o.left -= n
	return nil
}

// inTime reads until its context ends. What unpacks to very much asks seldom for
// more of the file, which is where the context is looked at otherwise.
type inTime struct {
	ctx context.Context
	r   io.Reader
}

func (t inTime) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	return t.r.Read(p)
}

// entryRefusal makes the refusal of an entry. Its archive is whole, since the
// directory at the end has been read: an entry that ends too early lies about
// its length.
func entryRefusal(err error, detail string) error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return err
	}
	return &Error{Reason: Damaged, Detail: detail, Err: err}
}
