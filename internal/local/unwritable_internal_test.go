package local

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// A folder that cannot be written says so, and what to do.
func TestAFolderThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	other := errors.New("no space left")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"read-only file system": {&fs.PathError{Op: "open", Path: "data/vizpost.db", Err: syscall.EROFS}, "the folder data is read-only"},
		"another user's":        {fmt.Errorf("x: %w", &fs.PathError{Op: "open", Path: "data/vizpost.db", Err: syscall.EACCES}), "cannot be written by this user"},
		"anything else":         {other, "no space left"},
	} {
		got := unwritable("data", test.err)
		if !errors.Is(got, test.err) || !strings.Contains(got.Error(), test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	if got := unwritable("data", nil); got != nil {
		t.Errorf("got %v of no error", got)
	}
}
