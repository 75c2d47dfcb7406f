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
// The file must be empty, and fill writes it to w, which is its alone. An error
// of fill is returned as it is, whatever the check found; a refusal does not end
// fill. Once Receive returns, the file is no longer read.
func Receive(ctx context.Context, file File, format string, fill func(w io.Writer) error) (Facts, error) {
	a := &arriving{file: file}
	a.news.L = &a.mu
	var (
		facts    Facts
		err      error
		checking sync.WaitGroup
	)
	checking.Go(func() {
		facts, err = check(&source{ctx: ctx, r: a, size: a.size, arriving: a}, format)
	})
	// Also when fill panics, the check ends.
	defer checking.Wait()
	defer a.end(errGivenUp)
	if err := fill(a); err != nil {
		return Facts{}, err
	}
	a.end(nil)
	checking.Wait()
	return facts, err
}

var errGivenUp = errors.New("the file was given up before it was whole")

// arrivingStep is how much the check waits for where it reads on and on. To wake
// it for every piece would cost more than the check.
const arrivingStep = 1 << 20

// arriving is a file that is being written. Who reads what is not there yet waits
// for it.
type arriving struct {
	file File

	mu      sync.Mutex
	news    sync.Cond
	written int64
	awaited int64 // bytes that the reader waits for; 0 when it does not wait
	ended   bool
	err     error // why it ended
}

func (a *arriving) Write(p []byte) (int, error) {
	n, err := a.file.Write(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written += int64(n)
	if a.awaited > 0 && a.written >= a.awaited {
		a.news.Signal()
	}
	return n, err
}

// end says that no more comes. What it says first counts.
func (a *arriving) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		a.ended, a.err = true, err
		a.news.Signal()
	}
}

// await gives how many bytes are there, once they are at least so many or all.
// Where they are not, it waits for more than that.
func (a *arriving) await(least, better int64) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.written < least {
		a.awaited = max(least, better)
		for !a.ended && a.written < a.awaited {
			a.news.Wait()
		}
		a.awaited = 0
	}
	return a.written, a.err
}

// size waits for the end.
func (a *arriving) size() (int64, error) {
	const never = 1<<63 - 1
	return a.await(never, never)
}

func (a *arriving) ReadAt(p []byte, offset int64) (int, error) {
	end := offset + int64(len(p))
	if end < offset {
		return 0, io.EOF
	}
	there, err := a.await(end, end)
	switch {
	case err != nil:
		return 0, err
	case offset >= there:
		return 0, io.EOF
	case end <= there:
		return a.file.ReadAt(p, offset)
	}
	n, err := a.file.ReadAt(p[:there-offset], offset)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// readSome reads at least one byte.
func (a *arriving) readSome(p []byte, offset int64) (int, error) {
	there, err := a.await(offset+1, offset+arrivingStep)
	switch {
	case err != nil:
		return 0, err
	case offset >= there:
		return 0, io.EOF
	}
	n, err := a.file.ReadAt(p[:min(there-offset, int64(len(p)))], offset)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
