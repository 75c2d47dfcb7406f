package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// memoSize is the size of the file of a [Memo], whatever is in it.
const memoSize = 16 << 10

// Memo is a small file that is overwritten where it lies, so that it can be
// written on a disk that is full. One that a crash tore apart reads as empty.
type Memo struct {
	Path string
}

// Make makes the file if it does not exist, while there is room for it.
func (m Memo) Make() error {
	f, err := os.OpenFile(m.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = f.Write(bytes.Repeat([]byte(" "), memoSize))
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("making %s: %w", m.Path, err)
	}
	return nil
}

// Read returns what was written last, nothing if nothing was.
func (m Memo) Read() ([]byte, error) {
	b, err := os.ReadFile(m.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", m.Path, err)
	}
	return bytes.TrimRight(b, " "), nil
}

// Write replaces what is in the file.
func (m Memo) Write(b []byte) error {
	if len(b) > memoSize {
		return fmt.Errorf("writing %s: %d bytes are too many", m.Path, len(b))
	}
	f, err := os.OpenFile(m.Path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteAt(append(bytes.Clone(b), bytes.Repeat([]byte(" "), memoSize-len(b))...), 0)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", m.Path, err)
	}
	return nil
}
