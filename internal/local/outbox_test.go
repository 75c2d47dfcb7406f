package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/problem"
)

// mailText is a message that writes itself.
type mailText string

func (m mailText) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(m))
	return int64(n), err
}

// mailBroken is a message that fails in its middle.
type mailBroken struct{ err error }

func (m mailBroken) WriteTo(w io.Writer) (int64, error) {
	n, _ := io.WriteString(w, "Subject: half\r\n")
	return int64(n), m.err
}

func outboxFile(t *testing.T, o local.Outbox, where string) string {
	t.Helper()
	name, ok := strings.CutPrefix(where, "outbox/")
	if !ok {
		t.Fatalf("the receipt says %q, want a file in outbox/", where)
	}
	f, err := o.Open(t.Context(), name)
	if err != nil {
		t.Fatalf("Open(%q): %v", name, err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatalf("reading %q: %v", name, err)
	}
	return string(content)
}

func outboxNames(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("ReadDir: %v", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOutboxSend(t *testing.T) {
	t.Parallel()
	o := local.Outbox{Dir: filepath.Join(t.TempDir(), "data", "outbox")}
	receipt, err := o.Send(t.Context(), deliver.Envelope{Key: "01N.mail.1", Message: mailText("Subject: one\r\n\r\nfirst")})
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	if want := (deliver.Receipt{Where: "outbox/01N.mail.1.eml"}); !cmp.Equal(receipt, want) {
		t.Errorf("the receipt is %+v, want %+v", receipt, want)
	}
	if got, want := outboxFile(t, o, receipt.Where), "Subject: one\r\n\r\nfirst"; got != want {
		t.Errorf("the file holds %q, want %q", got, want)
	}
	info, err := os.Stat(filepath.Join(o.Dir, "01N.mail.1.eml"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v (%v), want 0600", info.Mode(), err)
	}

	// The same delivery again leaves the message as it is.
	again, err := o.Send(t.Context(), deliver.Envelope{Key: "01N.mail.1", Message: mailText("Subject: two\r\n\r\nsecond")})
	if err != nil || !cmp.Equal(again, receipt) {
		t.Errorf("Send again gives %+v, %v, want %+v", again, err, receipt)
	}
	if got, want := outboxFile(t, o, receipt.Where), "Subject: one\r\n\r\nfirst"; got != want {
		t.Errorf("the file holds %q after sending again, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"01N.mail.1.eml"}, outboxNames(t, o.Dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOutboxSendFails(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	o := local.Outbox{Dir: t.TempDir()}
	ended, end := context.WithCancel(t.Context())
	end()
	inFile := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		ctx     context.Context
		outbox  local.Outbox
		message io.WriterTo
		want    error
	}{
		{"message", t.Context(), o, mailBroken{lost}, lost},
		{"context", ended, o, mailText("x"), context.Canceled},
		{"folder", t.Context(), local.Outbox{Dir: filepath.Join(inFile, "outbox")}, mailText("x"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.outbox.Send(tt.ctx, deliver.Envelope{Key: "k", Message: tt.message})
			e, ok := errors.AsType[*deliver.SendError](err)
			if !ok || e.Outcome != deliver.Deferred || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Send gives %v, want Deferred because of %v", err, tt.want)
			}
			if names := outboxNames(t, o.Dir); len(names) > 0 {
				t.Errorf("%v is left behind", names)
			}
		})
	}
}

// No two keys share a file, and every file lies in the folder.
func TestOutboxNames(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "outbox-*")
		if err != nil {
			t.Fatalf("making a folder: %v", err)
		}
		o := local.Outbox{Dir: dir}
		key := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9#@/.\\-]{0,130}`))
		keys := rapid.SliceOfNDistinct(key, 1, 6, rapid.ID).Draw(t, "keys")
		for i, k := range keys {
			receipt, err := o.Send(context.Background(), deliver.Envelope{Key: k, Message: mailText(fmt.Sprint("Subject: ", i, "\r\n\r\n"))})
			if err != nil {
				t.Fatalf("Send(%q): %v", k, err)
			}
			if name := strings.TrimPrefix(receipt.Where, "outbox/"); filepath.Base(name) != name || len(name) > 150 {
				t.Fatalf("the key %q became the file %q", k, name)
			}
		}
		messages, err := o.List(context.Background())
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if len(messages) != len(keys) {
			t.Fatalf("%d keys made %d messages: %+v", len(keys), len(messages), messages)
		}
	})
}

func TestOutboxList(t *testing.T) {
	t.Parallel()
	o := local.Outbox{Dir: filepath.Join(t.TempDir(), "outbox")}
	if got, err := o.List(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("List without a folder gives %v, %v", got, err)
	}
	for _, text := range []string{"a", "bcd"} {
		if _, err := o.Send(t.Context(), deliver.Envelope{Key: "k" + text, Message: mailText(text)}); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	for _, other := range []string{".mail-123", "notes.txt", ".hidden.eml"} {
		if err := os.WriteFile(filepath.Join(o.Dir, other), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(o.Dir, "folder.eml"), 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := o.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	got := map[string]int64{}
	for _, f := range files {
		got[f.Name()] = f.Size()
	}
	if diff := cmp.Diff(map[string]int64{"ka.eml": 1, "kbcd.eml": 3}, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}

// What a crash left of a message is removed, once nobody can be writing it.
func TestOutboxSweep(t *testing.T) {
	t.Parallel()
	o := local.Outbox{Dir: filepath.Join(t.TempDir(), "outbox")}
	if err := o.Sweep(time.Now()); err != nil {
		t.Errorf("without a folder: %v", err)
	}
	if _, err := o.Send(t.Context(), deliver.Envelope{Key: "k", Message: mailText("a")}); err != nil {
		t.Fatalf("Send: %v", err)
	}
	now := time.Now()
	for name, age := range map[string]time.Duration{".mail-old": 2 * time.Hour, ".mail-new": time.Minute, ".other": 2 * time.Hour, "k.eml": 2 * time.Hour} {
		path := filepath.Join(o.Dir, name)
		if _, err := os.Stat(path); err != nil {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Sweep(now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff([]string{".mail-new", ".other", "k.eml"}, got); diff != "" {
		t.Errorf("after Sweep (-want +got):\n%s", diff)
	}
}

func TestOutboxOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := local.Outbox{Dir: filepath.Join(dir, "outbox")}
	if _, err := o.Send(t.Context(), deliver.Envelope{Key: "k", Message: mailText("x")}); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.eml"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "missing.eml", "../secret.eml", "..\\secret.eml", filepath.Join(dir, "secret.eml"), ".eml", "k", "k.eml/"} {
		f, err := o.Open(t.Context(), name)
		if !problem.Is(err, problem.NotFound) {
			t.Errorf("Open(%q) gives %v, %v, want NotFound", name, f, err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret.eml"), filepath.Join(o.Dir, "link.eml")); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Open(t.Context(), "a\x00.eml"); !problem.Is(err, problem.NotFound) {
		t.Errorf("a name with a NUL: got %v, want that there is none", err)
	}
	if _, err := o.Open(t.Context(), "link.eml"); err == nil {
		t.Error("Open follows a link out of the folder")
	}
}
