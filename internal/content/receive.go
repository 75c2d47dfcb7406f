package content

import (
	"context"
	"errors"
	"io"
	"sync"
)

// File is where a file is kept while it is received. Its writes follow one
// another from its beginning, and can be read at once: an [*os.File] is one.
type File interface {
	io.Writer
	io.ReaderAt
}

// Receive fills a file and checks it as [Check] does, at the same time: what has
// been written is read while the rest arrives, so that the check of a large file
// takes hardly any time of its own. (An archive's directory is at its end, so an
// XLSX or PPTX is checked once it is whole.)
//
// The file must be empty, and fill writes it to w. An error of fill is returned
// as it is, whatever the check found. No more is read once Receive returns.
func Receive(ctx context.Context, file File, format string, fill func(w io.Writer) error) (Facts, error) {
	a := &arriving{file: file}
	a.news.L = &a.mu
	type verdict struct {
		facts Facts
		err   error
	}
	verdicts := make(chan verdict, 1)
	go func() {
		facts, err := check(&source{ctx: ctx, r: a, size: a.size}, format)
		verdicts <- verdict{facts, err}
	}()
	filled := false
	// Also when fill panics, the check must not wait for more.
	defer func() {
		if !filled {
			a.end(errGivenUp)
		}
	}()
	err := fill(a)
	filled = true
	if err != nil {
		a.end(errGivenUp)
		<-verdicts
		return Facts{}, err
	}
	a.end(nil)
	v := <-verdicts
	return v.facts, v.err
}

var errGivenUp = errors.New("the file was given up before it was whole")

// arriving is a file that is being written: whoever reads what is not there yet
// waits for it.
type arriving struct {
	file File

	mu      sync.Mutex
	news    sync.Cond
	written int64
	awaited int64 // what the reader waits for
	ended   bool
	err     error // why it ended
}

func (a *arriving) Write(p []byte) (int, error) {
	n, err := a.file.Write(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written += int64(n)
	if a.written >= a.awaited {
		a.news.Broadcast()
	}
	return n, err
}

func (a *arriving) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended, a.err = true, err
	a.news.Broadcast()
}

// await waits until so many bytes are there, or the end. It gives how many are.
func (a *arriving) await(n int64) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.awaited = n; !a.ended && a.written < n; {
		a.news.Wait()
	}
	return a.written, a.err
}

func (a *arriving) ReadAt(p []byte, offset int64) (int, error) {
	end := offset + int64(len(p))
	if end < offset {
		return 0, io.EOF
	}
	there, err := a.await(end)
	switch {
	case err != nil:
		return 0, err
	case end <= there:
		return a.file.ReadAt(p, offset)
	case offset >= there:
		return 0, io.EOF
	}
	n, err := a.file.ReadAt(p[:there-offset], offset)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

func (a *arriving) size() (int64, error) {
	const never = 1<<63 - 1
	return a.await(never)
}
