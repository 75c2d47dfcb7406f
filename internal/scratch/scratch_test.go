package scratch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/scratch"
)

func create(t interface {
	Helper()
	Fatal(...any)
}, s *scratch.Space) *scratch.File {
	t.Helper()
	f, err := s.Create(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// A file that is open has no name, so that it ends with its process.
func TestFilesHaveNoName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := create(t, scratch.New(dir, 0))
	if _, err := io.WriteString(f, "Region,Sales\n"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) > 0 && runtime.GOOS != "windows" {
		t.Errorf("the folder has %q while the file is open, want nothing", got)
	}
	if got, err := io.ReadAll(f.Reader()); err != nil || string(got) != "Region,Sales\n" {
		t.Errorf("Reader = %q, %v", got, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("the folder has %q afterwards, want nothing", got)
	}
}

// What others left is removed, and nothing else; what is in use stays readable.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"vizpost-export-3631511089", "vizpost-export-1", "vizpost-export-", "vizpost-export-1.csv", "vizpost-exports", "notes"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("Sales"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "vizpost-export-2"), 0o700); err != nil {
		t.Fatal(err)
	}
	inUse, err := os.Open(filepath.Join(dir, "vizpost-export-1")) // of an older version that still runs
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inUse.Close() }()
	s := scratch.New(dir, 0)
	own := create(t, s)
	if _, err := io.WriteString(own, "own"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(); err != nil || n != 2 && runtime.GOOS != "windows" {
		t.Errorf("Sweep = %d, %v, want 2", n, err)
	}
	want := []string{"notes", "vizpost-export-", "vizpost-export-1.csv", "vizpost-export-2", "vizpost-exports"}
	if got := names(t, dir); !slices.Equal(got, want) && runtime.GOOS != "windows" {
		t.Errorf("the folder has %q, want %q", got, want)
	}
	for name, r := range map[string]io.Reader{"Sales": inUse, "own": own.Reader()} {
		if got, err := io.ReadAll(r); err != nil || string(got) != name {
			t.Errorf("what is in use reads %q, %v; want %q", got, err, name)
		}
	}
	if err := own.Close(); err != nil {
		t.Error(err)
	}
	if _, err := scratch.New(filepath.Join(dir, "none"), 0).Sweep(); err == nil {
		t.Error("a folder that is not there is swept")
	}
}

func TestSpaceIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scratch.New(t.TempDir(), 100)
		first, second := create(t, s), create(t, s)
		write := func(f *scratch.File, n int) error {
			_, err := f.Write(make([]byte, n))
			return err
		}
		for _, err := range []error{write(second, 30), write(first, 60), write(second, 10)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		// The second began to fill before the first did.
		if err := write(first, 1); !errors.Is(err, scratch.ErrFull) {
			t.Errorf("the younger one beyond the bound: %v, want that there is no room", err)
		}
		start := time.Now()
		time.AfterFunc(10*time.Second, func() {
			if err := first.Reset(); err != nil {
				t.Error(err)
			}
		})
		if err := write(second, 50); err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("the older one beyond the bound: %v after %s, want that it waits for the other", err, time.Since(start))
		}
		if err := write(first, 10); err != nil {
			t.Error(err)
		}
		// Nobody waits for ever.
		start = time.Now()
		if err := write(second, 1); !errors.Is(err, scratch.ErrFull) || time.Since(start) != time.Minute {
			t.Errorf("after %s: %v, want an end after a minute", time.Since(start), err)
		}
		for _, f := range []*scratch.File{first, second} {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}

		// One that nobody could make room for fails at once.
		alone := create(t, s)
		start = time.Now()
		if err := write(alone, 101); !errors.Is(err, scratch.ErrFull) || time.Since(start) != 0 {
			t.Errorf("larger than all: %v after %s", err, time.Since(start))
		}
		if err := write(alone, 100); err != nil {
			t.Error(err)
		}
		if err := alone.Close(); err != nil {
			t.Error(err)
		}

		// A wait ends with the work.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		old, err := s.Create(ctx)
		if err != nil {
			t.Fatal(err)
		}
		young := create(t, s)
		if err := errors.Join(write(old, 50), write(young, 50)); err != nil {
			t.Fatal(err)
		}
		if err := write(old, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		if err := errors.Join(old.Close(), young.Close()); err != nil {
			t.Error(err)
		}
	})
}

// Whatever is done with the files, they hold what was written to them, never
// have more than the bound together, and all of it is free afterwards.
func TestSpaceRules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		const bound = 1000
		s := scratch.New(dir, bound)
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nobody waits
		var files []*scratch.File
		held := map[*scratch.File][]byte{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			what := rapid.IntRange(0, 9).Draw(t, "what")
			if what == 0 || len(files) == 0 {
				f, err := s.Create(ctx)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, f)
				continue
			}
			i := rapid.IntRange(0, len(files)-1).Draw(t, "file")
			f := files[i]
			var err error
			switch what {
			case 1:
				err = f.Close()
				files = slices.Delete(files, i, i+1)
				delete(held, f)
			case 2:
				err = f.Reset()
				delete(held, f)
			default:
				p := bytes.Repeat([]byte{byte('a' + i)}, rapid.IntRange(0, 400).Draw(t, "bytes"))
				all := len(p)
				for _, b := range held {
					all += len(b)
				}
				_, err = f.Write(p)
				if (err == nil) != (all <= bound) {
					t.Fatalf("writing %d bytes, %d in all: %v", len(p), all, err)
				}
				if err == nil {
					held[f] = append(held[f], p...)
				} else if errors.Is(err, scratch.ErrFull) || errors.Is(err, context.Canceled) {
					err = nil
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if got, err := io.ReadAll(f.Reader()); err != nil || !bytes.Equal(got, held[f]) {
					t.Fatalf("a file has %d bytes, %v; want %d", len(got), err, len(held[f]))
				}
			}
		}
		for _, f := range files {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		last := create(t, s)
		if _, err := last.Write(make([]byte, bound)); err != nil {
			t.Fatalf("after all are closed: %v", err)
		}
		if err := last.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
