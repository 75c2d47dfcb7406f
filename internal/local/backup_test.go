package local_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/run"
)

func backedUpAt() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }

func makeBackup(t *testing.T, dir string, files bool) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "backup.tar")
	if _, err := local.MakeBackup(t.Context(), local.Backup{Dir: dir, To: to, Files: files, Version: "v1", Now: backedUpAt}); err != nil {
		t.Fatalf("making a backup: %v", err)
	}
	return to
}

func restoreBackup(t *testing.T, from, key string) (string, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	_, err := local.RestoreBackup(t.Context(), local.Restore{From: from, Dir: dir, Key: key, Now: backedUpAt().Add(time.Hour).UTC})
	return dir, err
}

// What is in the write-ahead log alone is in the backup, too, while it is written
// on; and the key is not.
func TestABackupOfARunningStoreIsWhole(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	dir := filepath.Dir(path)
	s := openStore(t, path)
	if err := s.PutSecret(t.Context(), "owner", "1", []byte("s3cret")); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if _, err := s.CreateRun(t.Context(), newRun(fmt.Sprintf("before-%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := (local.Files{Dir: filepath.Join(dir, "files")}).Put(t.Context(), "runs/before-000/a.csv", "text/csv", strings.NewReader("a,b"), 3); err != nil {
		t.Fatal(err)
	}
	writing, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; writing.Err() == nil; i++ {
			_, err := s.CreateRun(writing, newRun(fmt.Sprintf("during-%06d", i)))
			if err != nil && writing.Err() == nil {
				t.Errorf("writing during the backup: %v", err)
			}
		}
	})
	backup := makeBackup(t, dir, true)
	stop()
	writer.Wait()

	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, error %v, want mode 0600", info, err)
	}
	content, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(keyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, bytes.TrimSpace(key)) || bytes.Contains(content, []byte("s3cret")) {
		t.Error("the backup holds the key or what it seals")
	}

	restored, err := restoreBackup(t, backup, keyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	copied := openStore(t, filepath.Join(restored, "vizpost.db"))
	if value, err := copied.Secret(t.Context(), "owner", "1"); err != nil || string(value) != "s3cret" {
		t.Errorf("got error %v and another secret", err)
	}
	for i := range 50 {
		if _, err := copied.Run(t.Context(), fmt.Sprintf("before-%03d", i)); err != nil {
			t.Fatalf("run %d is missing: %v", i, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(restored, "files", "runs", "before-000", "a.csv")); err != nil || string(got) != "a,b" {
		t.Errorf("got the file %q, error %v", got, err)
	}
	left, err := filepath.Glob(filepath.Join(restored, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the folder holds %v", left)
	}
}

// A restored installation is paused until somebody resumes it, and marks what it
// cannot know.
func TestARestoredStoreIsPausedAndMarksWhatMayHaveBeenSent(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	s := openStore(t, path)
	finished := newRun("finished")
	finished.State = run.Delivered
	for _, r := range []run.Run{newRun("open"), finished} {
		if _, err := s.CreateRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	states := map[run.DeliveryState]bool{run.Waiting: true, run.Sending: true, run.Unsure: true, run.DeliveryFailed: true,
		run.Sent: false, run.Confirmed: false, run.Bounced: false}
	for state := range states {
		if err := s.CreateDeliveries(t.Context(), nil, []run.Delivery{{Key: string(state), RunID: "open", State: state}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, paused, err := s.Paused(t.Context()); err != nil || paused {
		t.Fatalf("got paused %t, error %v of one that was never restored", paused, err)
	}

	dir, err := restoreBackup(t, makeBackup(t, filepath.Dir(path), false), keyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	copied := openStore(t, filepath.Join(dir, "vizpost.db"))
	want := run.Pause{BackupAt: backedUpAt(), RestoredAt: backedUpAt().Add(time.Hour)}
	if got, paused, err := copied.Paused(t.Context()); err != nil || !paused || got != want {
		t.Errorf("got %+v, paused %t, error %v; want %+v", got, paused, err, want)
	}
	for id, marked := range map[string]bool{"open": true, "finished": false} {
		if r, err := copied.Run(t.Context(), id); err != nil || r.PossibleRepeat != marked {
			t.Errorf("run %s: marked %t, error %v; want %t", id, r.PossibleRepeat, err, marked)
		}
	}
	for state, marked := range states {
		if d, err := copied.Delivery(t.Context(), string(state)); err != nil || d.PossibleRepeat != marked {
			t.Errorf("delivery %s: marked %t, error %v; want %t", state, d.PossibleRepeat, err, marked)
		}
	}
	at := backedUpAt().Add(2 * time.Hour)
	for _, now := range []time.Time{at, at.Add(time.Hour)} { // the second changes nothing
		if err := copied.Resume(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, paused, err := copied.Paused(t.Context()); err != nil || paused {
		t.Errorf("got paused %t, error %v after it was resumed", paused, err)
	}
	if until, err := copied.MayRepeatUntil(t.Context()); err != nil || !until.Equal(at) {
		t.Errorf("repeats until %v, error %v; want %v", until, err, at)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	dir := filepath.Dir(path)
	s := openStore(t, path)
	if _, err := s.CreateRun(t.Context(), newRun("r")); err != nil {
		t.Fatal(err)
	}
	if err := (local.Files{Dir: filepath.Join(dir, "files")}).Put(t.Context(), "runs/r/a.csv", "text/csv", strings.NewReader("a,b"), 3); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(makeBackup(t, dir, true))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content []byte
		key     string // "": the right one
		want    string
	}{
		"cut off":               {whole[:len(whole)/2], "", "damaged"},
		"without its manifest":  {without(t, whole, "vizpost-backup.json"), "", "its manifest is missing"},
		"without its database":  {without(t, whole, "vizpost.db"), "", "vizpost.db is not what its manifest says"},
		"without a file":        {without(t, whole, "files/runs/r/a.csv"), "", "a.csv is not what its manifest says"},
		"changed":               {bytes.Replace(whole, []byte("a,b"), []byte("a,c"), 1), "", "a.csv is not what its manifest says"},
		"no backup":             {[]byte(strings.Repeat("hello ", 500)), "", "no backup of vizpost"},
		"a path that leads out": {archive(t, "files/../../evil", "x"), "", "it holds"},
		"another key":           {whole, strings.Repeat("00", 32), "another key"},
		"no key":                {whole, "nothing", "64 hexadecimal digits"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := filepath.Join(t.TempDir(), "backup.tar")
			if err := os.WriteFile(from, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			key := keyPath(path)
			if test.key != "" {
				key = filepath.Join(t.TempDir(), "key")
				if err := os.WriteFile(key, []byte(test.key), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			made, err := restoreBackup(t, from, key)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one that says %q", err, test.want)
			}
			if left, err := os.ReadDir(made); err == nil && len(left) > 0 {
				t.Errorf("the folder holds %v", left)
			}
		})
	}
	t.Run("a folder that is not empty", func(t *testing.T) {
		t.Parallel()
		from := filepath.Join(t.TempDir(), "backup.tar")
		if err := os.WriteFile(from, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := local.RestoreBackup(t.Context(), local.Restore{From: from, Dir: filepath.Dir(from), Key: keyPath(path), Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), "is not empty") {
			t.Errorf("got error %v, want that the folder is not empty", err)
		}
	})
}

// without gives a backup without one of its entries.
func without(t *testing.T, backup []byte, name string) []byte {
	t.Helper()
	var out bytes.Buffer
	to, from := tar.NewWriter(&out), tar.NewReader(bytes.NewReader(backup))
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name == name {
			continue
		}
		if err := to.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(to, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func archive(t *testing.T, name, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A database that was lost is not replaced by an empty one.
func TestOpenStoreRefusesALostDatabase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose func(path string) error
		want string
	}{
		"missing": {os.Remove, "the database is missing"},
		"empty":   {func(path string) error { return os.Truncate(path, 0) }, "the database is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := databasePath(t)
			if err := openStore(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			if err := test.lose(path); err != nil {
				t.Fatal(err)
			}
			s, err := local.OpenStore(t.Context(), path)
			if err == nil {
				_ = s.Close()
				t.Fatal("an empty installation was made")
			}
			for _, want := range []string{test.want, "vizpost restore", local.KeyFile} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want it to say %q", err, want)
				}
			}
			if info, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) && (err != nil || info.Size() > 0) {
				t.Errorf("a database was made: %v, error %v", info, err)
			}
		})
	}
}

// Pages that are damaged are told of when the database is opened.
func TestOpenStoreTellsOfDamage(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	s := openStore(t, path)
	for i := range 200 {
		if _, err := s.CreateRun(t.Context(), newRun(fmt.Sprintf("r-%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 20 * 4096; i < len(content)-4096; i++ { // behind the schema
		content[i] ^= 0x5a
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	broken, err := local.OpenStore(t.Context(), path)
	if err == nil {
		_ = broken.Close()
		t.Fatal("the damaged database was opened")
	}
	if !strings.Contains(err.Error(), "the file is damaged") || !strings.Contains(err.Error(), "vizpost restore") {
		t.Errorf("got error %q, want that the file is damaged, and what to do", err)
	}
}
