package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/problem"
)

func put(t *testing.T, f local.Files, name, content string) {
	t.Helper()
	if err := f.Put(t.Context(), name, "text/csv", strings.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, f local.Files, name, want string) {
	t.Helper()
	r, err := f.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got %d bytes %.40q of %s, want %d bytes %.40q", len(got), got, name, len(want), want)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	f := local.Files{Dir: filepath.Join(t.TempDir(), "data", "files")}
	put(t, f, "01K/overview.csv", "a,b\n1,2\n")
	put(t, f, "top.csv", "")
	put(t, f, "01K/large.png", strings.Repeat("0123456789", 100_000))
	wantFile(t, f, "01K/overview.csv", "a,b\n1,2\n")
	wantFile(t, f, "top.csv", "")
	wantFile(t, f, "01K/large.png", strings.Repeat("0123456789", 100_000))
	put(t, f, "01K/overview.csv", "replaced")
	wantFile(t, f, "01K/overview.csv", "replaced")

	for name, mode := range map[string]os.FileMode{"": 0o700, "01K": 0o700, "01K/overview.csv": 0o600} {
		info, err := os.Stat(filepath.Join(f.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("%q has mode %#o, want %#o", name, got, mode)
		}
	}
	wantNoLeftovers(t, f, 3)
}

// wantNoLeftovers wants a number of files, and none but those.
func wantNoLeftovers(t *testing.T, f local.Files, want int) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(f.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != want {
		t.Errorf("got the files %q, want %d", files, want)
	}
}

func TestFilesMissing(t *testing.T) {
	t.Parallel()
	f := local.Files{Dir: t.TempDir()}
	put(t, f, "folder/file", "x")
	for _, name := range []string{"none", "folder", "folder/none", "none/file", ".", "", "../" + filepath.Base(f.Dir) + "/folder/file", "/etc/hostname"} {
		r, err := f.Open(t.Context(), name)
		if !problem.Is(err, problem.NotFound) {
			t.Errorf("got error %v of the name %q, want NotFound", err, name)
		}
		if err == nil {
			_ = r.Close()
		}
	}
}

func TestFilesStayInTheirDirectory(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	f := local.Files{Dir: filepath.Join(outer, "files")}
	for _, name := range []string{"", ".", "..", "../x", "a/../../x", "a/..", "/x", "a//b", "a/", "./x", "a/./b", "..\x00", "a\x00b"} {
		if err := f.Put(t.Context(), name, "text/plain", strings.NewReader("x"), 1); err == nil {
			t.Errorf("a file was stored under the name %q", name)
		}
	}
	entries, err := os.ReadDir(outer)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "files" {
			t.Errorf("there is a file %q outside of the directory", e.Name())
		}
	}
}

func TestFilesWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	broken := errors.New("the connection broke")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		r    io.Reader
		size int64
		want error
	}{
		{"too short", t.Context(), strings.NewReader("12345"), 6, io.ErrUnexpectedEOF},
		{"too long", t.Context(), strings.NewReader("12345"), 4, nil},
		{"breaks off", t.Context(), io.MultiReader(strings.NewReader("123"), iotest.ErrReader(broken)), 5, broken},
		{"breaks off at the end", t.Context(), io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(broken)), 5, broken},
		{"cancelled", ended, strings.NewReader("12345"), 5, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := local.Files{Dir: t.TempDir()}
			put(t, f, "there", "before")
			for _, name := range []string{"there", "new"} {
				err := f.Put(tt.ctx, name, "text/plain", tt.r, tt.size)
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Fatalf("got error %v, want %v", err, tt.want)
				}
				if seeker, ok := tt.r.(io.Seeker); ok {
					_, _ = seeker.Seek(0, io.SeekStart)
				} else {
					break // it can be read once
				}
			}
			wantFile(t, f, "there", "before")
			wantNoLeftovers(t, f, 1)
		})
	}
}

func TestFilesAtOnce(t *testing.T) {
	t.Parallel()
	f := local.Files{Dir: t.TempDir()}
	var group sync.WaitGroup
	for i := range 8 {
		content := bytes.Repeat([]byte(fmt.Sprint(i)), 50_000)
		group.Go(func() {
			if err := f.Put(t.Context(), "folder/file", "text/plain", bytes.NewReader(content), int64(len(content))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	r, err := f.Open(t.Context(), "folder/file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || len(got) != 50_000 || len(bytes.Trim(got, string(got[:1]))) != 0 {
		t.Errorf("got error %v and %d bytes that are not one writer's alone", err, len(got))
	}
	wantNoLeftovers(t, f, 1)
}
