package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/vizpost/vizpost/internal/problem"
)

// opener reads stored files; see [Files].
type opener interface {
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// damagedError says that a stored file is gone, or is not what was exported.
type damagedError struct {
	file File
	err  error
}

func (e *damagedError) Error() string { return fmt.Sprintf("the file %s: %v", e.file.Object, e.err) }
func (e *damagedError) Unwrap() error { return e.err }

var errNotExported = errors.New("it is not what was exported")

// openExported opens a file of a run. At its end, the reader holds what was read
// against the checksum of the export: bytes that differ are a [damagedError] in
// place of [io.EOF]. A file that is gone is one at once.
func openExported(ctx context.Context, files opener, f File) (io.ReadCloser, error) {
	body, err := files.Open(ctx, f.Object)
	if problem.Is(err, problem.NotFound) {
		return nil, &damagedError{file: f, err: err}
	}
	if err != nil {
		return nil, err
	}
	if f.SHA256 == "" { // nothing to hold it against
		return body, nil
	}
	return &exportedReader{ReadCloser: body, file: f, sum: sha256.New()}, nil
}

// exportedReader reads a file of a run; see [openExported].
type exportedReader struct {
	io.ReadCloser
	file File
	sum  hash.Hash
	size int64
}

func (r *exportedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.size += int64(n)
	_, _ = r.sum.Write(p[:n])
	switch {
	case r.size > r.file.Size,
		errors.Is(err, io.EOF) && (r.size != r.file.Size || hex.EncodeToString(r.sum.Sum(nil)) != r.file.SHA256):
		return 0, &damagedError{file: r.file, err: errNotExported}
	}
	return n, err
}

// intact reports whether a file of a run is still what was exported, by reading
// it whole. The error is a [damagedError] where it is not.
func intact(ctx context.Context, files opener, f File) error {
	body, err := openExported(ctx, files, f)
	if err != nil {
		return err
	}
	defer discard(body)
	_, err = io.Copy(io.Discard, body)
	return err
}

// exportAgain has a run export a file again that is damaged, in its next try.
// The error says so to people.
func exportAgain(r Run, damaged *damagedError) (Run, error) {
	r = r.Clone()
	r.Files = slices.DeleteFunc(r.Files, func(f File) bool { return f.Export == damaged.file.Export })
	return r, &laterError{message: fmt.Sprintf("The stored file %q is damaged or gone, so it was not sent. It is exported again.", damaged.file.Name),
		err: damaged}
}
