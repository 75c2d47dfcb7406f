package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

// Files keeps exported files in a directory, which it makes if it is missing.
// It implements [run.Files].
type Files struct {
	Dir string
}

var _ run.Files = Files{}

// Put implements [run.Files]. A name is made of parts with slashes between
// them, each part but the last a folder; it cannot lead out of the directory.
func (f Files) Put(ctx context.Context, name, _ string, r io.Reader, size int64) error {
	if err := f.put(ctx, name, r, size); err != nil {
		return fmt.Errorf("storing the file %q: %w", name, err)
	}
	return nil
}

func (f Files) put(ctx context.Context, name string, r io.Reader, size int64) error {
	path, ok := f.path(name)
	if !ok {
		return errors.New("this cannot be a file's name")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".put-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := copySize(temp, contextReader{ctx, r}, size); err != nil {
		_ = temp.Close()
		return err
	}
	if err := writeSynced(temp, nil); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) { // folders may be new too
		if err := syncDir(dir); err != nil || dir == filepath.Clean(f.Dir) {
			return err
		}
	}
}

// Open implements [run.Files].
func (f Files) Open(_ context.Context, name string) (io.ReadCloser, error) {
	path, ok := f.path(name)
	if !ok {
		return nil, problem.Missing("file", name)
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.Missing("file", name)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the file %q: %w", name, err)
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, problem.Missing("file", name)
	}
	return file, nil
}

// path gives the place of a file by its name.
func (f Files) path(name string) (string, bool) {
	local := filepath.FromSlash(name)
	if !fs.ValidPath(name) || name == "." || !filepath.IsLocal(local) {
		return "", false
	}
	return filepath.Join(f.Dir, local), true
}

// copySize copies a reader that must hold exactly size bytes.
func copySize(w io.Writer, r io.Reader, size int64) error {
	if n, err := io.CopyN(w, r, size); errors.Is(err, io.EOF) {
		return fmt.Errorf("it ends after %d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
	} else if err != nil {
		return err
	}
	if n, err := io.CopyN(io.Discard, r, 1); n != 0 {
		return fmt.Errorf("it is longer than %d bytes", size)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// contextReader ends with the context's error.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// writeSynced writes the rest of a file and closes it when it is on the disk.
func writeSynced(f *os.File, content []byte) error {
	_, err := f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir sees to it that a new name in a directory outlives a power failure.
// Windows has no such call and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
