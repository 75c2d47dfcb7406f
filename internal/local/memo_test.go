package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/local"
)

func TestMemo(t *testing.T) {
	t.Parallel()
	m := local.Memo{Path: filepath.Join(t.TempDir(), "memo")}
	read := func(want string) {
		t.Helper()
		if got, err := m.Read(); err != nil || string(got) != want {
			t.Errorf("got %q, error %v, want %q", got, err, want)
		}
	}
	read("")
	if err := m.Make(); err != nil {
		t.Fatal(err)
	}
	read("")
	size := func() int64 {
		info, err := os.Stat(m.Path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("got %v, error %v, want a file of mode 0600", info, err)
		}
		return info.Size()
	}
	before := size()
	for _, text := range []string{"a longer text", "text", ""} {
		if err := m.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		read(text)
		if err := m.Make(); err != nil { // of what is there already
			t.Fatal(err)
		}
		read(text)
	}
	if after := size(); after != before {
		t.Errorf("the file grew from %d to %d bytes, want it written in place", before, after)
	}
	if err := m.Write([]byte(strings.Repeat("x", 1<<20))); err == nil {
		t.Error("got no error of what does not fit")
	}
}
