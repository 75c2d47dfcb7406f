package content

import (
	"context"
	"errors"
	"io"
	"iter"
)

// File is where a file is kept while it is received. Its writes follow one
// another from its beginning, and can be read at once: an [*os.File] is one.
type File interface {
	io.Writer
	io.ReaderAt
}

// Receive fills a file and checks it as [Check] does, at the same time: each
// piece is looked at when it is written, while it is at hand, so that the check
// of a large file takes hardly any time of its own. (An archive's directory is at
// its end, so an XLSX or PPTX is checked once it is whole.)
//
// The file must be empty, and fill writes it to w. An error of fill is returned
// as it is, whatever the check found. The check runs within fill's writes and
// after it, in no goroutine of its own; a refusal does not end fill.
func Receive(ctx context.Context, file File, format string, fill func(w io.Writer) error, options ...Option) (Facts, error) {
	a := &arriving{file: file}
	var facts Facts
	var err error
	resume, stop := iter.Pull(func(yield func(struct{}) bool) {
		a.pause = func() bool { return yield(struct{}{}) }
		facts, err = check(&source{ctx: ctx, r: a, size: a.size, arriving: a}, format, options)
	})
	defer stop() // ends a check that waits for more
	a.resume = func() { _, a.checking = resume() }
	a.resume()
	if err := fill(a); err != nil {
		return Facts{}, err
	}
	a.ended = true
	if a.checking {
		a.resume()
	}
	return facts, err
}

var errGivenUp = errors.New("the file was given up before it was whole")

// arriving is a file that is being written. Its reader, the check, is a
// coroutine: where it wants what is not there yet, it pauses until that has been
// written.
type arriving struct {
	file    File
	written int64
	ended   bool

	last     []byte // that was written, while it is at hand
	awaited  int64  // bytes that the check waits for
	checking bool
	resume   func()
	pause    func() bool // false when the file is given up
}

func (a *arriving) Write(p []byte) (int, error) {
	n, err := a.file.Write(p)
	a.written += int64(n)
	if err == nil && a.checking && a.written >= a.awaited {
		a.last = p[:n]
		a.resume()
		a.last = nil // the caller's
	}
	return n, err
}

// await waits until so many bytes are there, or the end.
func (a *arriving) await(n int64) error {
	a.awaited = n
	for !a.ended && a.written < n {
		if !a.pause() {
			return errGivenUp
		}
	}
	return nil
}

// size waits for the end.
func (a *arriving) size() (int64, error) {
	const never = 1<<63 - 1
	err := a.await(never)
	return a.written, err
}

func (a *arriving) ReadAt(p []byte, offset int64) (int, error) {
	end := offset + int64(len(p))
	if end < offset {
		return 0, io.EOF
	}
	if err := a.await(end); err != nil {
		return 0, err
	}
	if offset >= a.written {
		return 0, io.EOF
	}
	if end > a.written {
		n, err := a.read(p[:a.written-offset], offset)
		return n, orEOF(err)
	}
	return a.read(p, offset)
}

// atHand gives what is in memory from an offset on, if all that is there is.
// It waits for one byte.
func (a *arriving) atHand(offset int64) []byte {
	if a.await(offset+1) != nil || offset >= a.written || offset < a.written-int64(len(a.last)) {
		return nil
	}
	return a.last[offset-(a.written-int64(len(a.last))):]
}

// readSome reads at least one byte.
func (a *arriving) readSome(p []byte, offset int64) (int, error) {
	if err := a.await(offset + 1); err != nil {
		return 0, err
	}
	there := a.written - offset
	if there <= 0 {
		return 0, io.EOF
	}
	if at := a.written - int64(len(a.last)); offset < at && len(a.last) > 0 {
		there = at - offset // and the last piece next
	}
	return a.read(p[:min(there, int64(len(p)))], offset)
}

// read reads what is there, from memory where it can.
func (a *arriving) read(p []byte, offset int64) (int, error) {
	if at := offset - (a.written - int64(len(a.last))); at >= 0 {
		return copy(p, a.last[at:]), nil
	}
	n, err := a.file.ReadAt(p, offset)
	if n == len(p) {
		err = nil
	}
	return n, err
}

func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}
