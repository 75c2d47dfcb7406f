package content_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/content"
)

// receive writes a file piece by piece while it is checked.
func receive(t testing.TB, file []byte, piece int, format string) (content.Facts, error) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	return content.Receive(t.Context(), out, format, func(w io.Writer) error {
		for at := 0; at < len(file); at += piece {
			if _, err := w.Write(file[at:min(at+piece, len(file))]); err != nil {
				return err
			}
		}
		return nil
	})
}

// A file is judged alike whether it is there or still comes, in pieces of any
// size.
func TestReceive(t *testing.T) {
	t.Parallel()
	for _, format := range formats() {
		full := standIn(t).full[format]
		for name, file := range map[string][]byte{"full": full, "blank": standIn(t).blank[format], "cut": full[:len(full)*2/3], "empty": nil} {
			wantFacts, wantErr := check(t, file, format)
			for _, piece := range []int{1 + len(file)/7, 1 + len(file)/1000, 1 << 20} {
				facts, err := receive(t, file, piece, format)
				if diff := cmp.Diff(wantFacts, facts); diff != "" || reason(t, err) != reason(t, wantErr) {
					t.Errorf("%s, %s, in pieces of %d: %v, want %v; facts (-want +got):\n%s", format, name, piece, err, wantErr, diff)
				}
			}
		}
	}
}

// The error of what fills the file comes first, and the check has ended then.
func TestReceiveGivesUp(t *testing.T) {
	t.Parallel()
	failure := errors.New("the connection broke")
	for _, format := range formats() {
		file := standIn(t).full[format]
		out, err := os.Create(filepath.Join(t.TempDir(), "file"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = content.Receive(t.Context(), out, format, func(w io.Writer) error {
			must(t)(w.Write(file[:len(file)/2]))
			return failure
		})
		if !errors.Is(err, failure) {
			t.Errorf("%s: error = %v, want %v", format, err, failure)
		}
		if err := out.Close(); err != nil {
			t.Errorf("closing the file afterwards: %v", err)
		}
	}
	_, err := content.Receive(t.Context(), &unwritable{}, content.CSV, func(w io.Writer) error {
		_, err := io.WriteString(w, "a\n")
		return err
	})
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a full disk: error = %v, want %v", err, io.ErrShortWrite)
	}
}

type unwritable struct{ bytes.Reader }

func (u *unwritable) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// What cannot be read back is no fault of the file.
func TestReceiveReportsReadErrors(t *testing.T) {
	t.Parallel()
	failure := errors.New("the disk is gone")
	for _, format := range formats() {
		_, err := content.Receive(t.Context(), unreadable{failingReader{failure}}, format, func(w io.Writer) error {
			_, err := w.Write(standIn(t).full[format])
			return err
		})
		var refusal *content.Error
		if !errors.Is(err, failure) || errors.As(err, &refusal) {
			t.Errorf("%s: error = %v, want the reader's and no refusal", format, err)
		}
	}
}

type unreadable struct{ failingReader }

func (unreadable) Write(p []byte) (int, error) { return len(p), nil }
