// Package scratch hands out the temporary files in which exports lie until they
// are stored. They hold a company's figures, so nothing of them stays behind: a
// file has no name from the moment it is open, and ends with its process however
// that ends. Where a system cannot do that, a file is removed when it is closed,
// and what a crash left is swept at the next start.
//
// All files of a [Space] have a number of bytes together, so that exports which
// run at the same time do not fill the disk.
package scratch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrFull is the error of a write for which there is no room beside the files of
// others, on the disk or in the space.
var ErrFull = errors.New("there is no room for temporary files")

// prefix begins the name of each file, for the moment that it has one.
const prefix = "vizpost-export-"

// longestWait is how long a write waits for others to be done.
const longestWait = time.Minute

// Space is where temporary files are made. It is safe for concurrent use.
type Space struct {
	dir string
	max int64

	mu    sync.Mutex
	used  int64
	files []*File       // that hold bytes, the one that has for longest first
	freed chan struct{} // is closed when there is more room
}

// New makes a space of so many bytes in a folder; "" is the system's for
// temporary files, and without a number only the disk is the limit.
func New(dir string, bytes int64) *Space {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Space{dir: dir, max: bytes, freed: make(chan struct{})}
}

// Sweep removes what processes left behind that ended before they could. It takes
// nothing from those that still run: they hold their files open, which are there
// for them without a name, and where a system cannot do that it refuses. It
// returns how many files it removed.
func (s *Space) Sweep() (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("looking for temporary files: %w", err)
	}
	removed := 0
	for _, e := range entries {
		digits, found := strings.CutPrefix(e.Name(), prefix)
		if !found || digits == "" || strings.Trim(digits, "0123456789") != "" || !e.Type().IsRegular() {
			continue
		}
		// Another user's cannot be removed, nor can on some systems one in use.
		if os.Remove(filepath.Join(s.dir, e.Name())) == nil {
			removed++
		}
	}
	return removed, nil
}

// Create makes an empty file. The caller closes it. A write that waits for room
// ends with ctx.
func (s *Space) Create(ctx context.Context) (*File, error) {
	file, err := os.CreateTemp(s.dir, prefix+"*") // of mode 0600
	if err != nil {
		return nil, fmt.Errorf("making a temporary file: %w", full(err))
	}
	err = os.Remove(file.Name())
	return &File{ctx: ctx, space: s, file: file, named: err != nil && !errors.Is(err, os.ErrNotExist)}, nil
}

// File is a temporary file. It is for one goroutine at a time.
type File struct {
	ctx   context.Context // of the work that the file is for
	space *Space
	file  *os.File
	named bool // until it is closed
	size  int64
}

// Write appends to the file. Where the space has no room it waits for others, if
// this file has been there for longest; else it fails with [ErrFull], so that the
// oldest always comes to its end.
func (f *File) Write(p []byte) (int, error) {
	if err := f.space.take(f, int64(len(p))); err != nil {
		return 0, err
	}
	n, err := f.file.WriteAt(p, f.size-int64(len(p)))
	if err != nil {
		return n, full(err)
	}
	return n, nil
}

// ReadAt implements [io.ReaderAt].
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.file.ReadAt(p, off) }

// Reader reads the file from its beginning.
func (f *File) Reader() io.Reader { return io.NewSectionReader(f, 0, f.size) }

// Reset empties the file.
func (f *File) Reset() error {
	if err := f.file.Truncate(0); err != nil {
		return fmt.Errorf("emptying a temporary file: %w", err)
	}
	f.space.free(f)
	return nil
}

// Close ends the file.
func (f *File) Close() error {
	err := f.file.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.file.Name()))
	}
	f.space.free(f)
	return err
}

// take waits until the file may have n bytes more, and notes them.
func (s *Space) take(f *File, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tooLong <-chan time.Time
	for s.max > 0 && s.used+n > s.max {
		if s.used == f.size || s.files[0] != f { // nobody else, or one that comes first
			return fmt.Errorf("%w: %d bytes are all that exports may take at once", ErrFull, s.max)
		}
		if tooLong == nil {
			t := time.NewTimer(longestWait)
			defer t.Stop()
			tooLong = t.C
		}
		freed := s.freed
		s.mu.Unlock()
		var err error
		select {
		case <-freed:
		case <-tooLong:
			err = fmt.Errorf("%w: the others were not done within %s", ErrFull, longestWait)
		case <-f.ctx.Done():
			err = f.ctx.Err()
		}
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	if f.size == 0 && n > 0 {
		s.files = append(s.files, f)
	}
	f.size += n
	s.used += n
	return nil
}

// free gives back what the file has.
func (s *Space) free(f *File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.size == 0 {
		return
	}
	s.used -= f.size
	f.size = 0
	s.files = slices.DeleteFunc(s.files, func(other *File) bool { return other == f })
	close(s.freed)
	s.freed = make(chan struct{})
}

// full marks the error of a full disk.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
