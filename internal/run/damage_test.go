package run_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// A file that is not what was exported is never sent: it is exported again while
// the run may, and the run fails where it may not.
func TestDamagedFileIsNotSent(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string, size int64) error{
		"zeros of the same size": func(path string, size int64) error { return os.WriteFile(path, make([]byte, size), 0o600) },
		"one byte":               flipLastByte,
		"shorter":                func(path string, size int64) error { return os.Truncate(path, size/2) },
		"longer":                 func(path string, size int64) error { return os.WriteFile(path, make([]byte, size+1), 0o600) },
		"gone":                   func(path string, _ int64) error { return os.Remove(path) },
	} {
		for _, test := range []struct {
			what    string
			tableau bool // whether the view can be exported again
		}{{"exported again", true}, {"not exported again", false}} {
			t.Run(name+", "+test.what, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(w *world) {
					w.makeReport("r")
					w.mail.answer = func(_ string, try int) (bool, error) {
						if try == 1 {
							return false, deferred(0)
						}
						return true, nil
					}
					id := w.start("r")
					w.work()
					before, _ := w.get(id)
					if len(before.Files) != 1 {
						t.Fatalf("got %d files, want 1", len(before.Files))
					}
					f := before.Files[0]
					w.succeed(damage(filepath.Join(w.files.Dir, filepath.FromSlash(f.Object)), f.Size))
					if _, _, err := w.runs.OpenFile(w.Context(), id, f.ID); !problem.Is(err, problem.NotFound) {
						t.Errorf("OpenFile: got %v, want that the file is no longer what was exported", err)
					}
					if !test.tableau {
						w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 404011, Route: "export", Times: -1})
					}
					w.live(5 * time.Hour)
					if !test.tableau {
						w.wantRun(id, run.Failed, "")
						w.wantMail("ana@example.com", 0)
						w.wantMail(owner, 1)
						return
					}
					after := w.wantRun(id, run.Delivered, "")
					if len(after.Files) != 1 || after.Files[0].ID == f.ID || after.Files[0].SHA256 != f.SHA256 {
						t.Errorf("got files %v, want the view exported again", after.Files)
					}
					mail := w.wantMail("ana@example.com", 1)[0]
					attached := append(mail.Attachments, mail.Inlines...)
					if len(attached) != 1 || int64(len(attached[0].Content)) != f.Size || bytes.Count(attached[0].Content, []byte{0}) == len(attached[0].Content) {
						t.Errorf("the mail's file is not the one that was exported")
					}
				})
			})
		}
	}
}

func flipLastByte(path string, _ int64) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	content[len(content)-1] ^= 1
	return os.WriteFile(path, content, 0o600)
}
