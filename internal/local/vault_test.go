package local_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/problem"
)

func keyPath(databasePath string) string {
	return filepath.Join(filepath.Dir(databasePath), local.KeyFile)
}

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	const canary = "canary-5f0d2c1b9a"
	path := databasePath(t)
	s := openStore(t, path)
	if err := s.PutSecret(t.Context(), "connection/c", "1", []byte(canary)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // in the write-ahead log, then in the database
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) == 0 {
			t.Fatalf("got files %v, error %v", files, err)
		}
		found := false
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(content, []byte(canary)) {
				t.Errorf("the secret can be read in %s", filepath.Base(file))
			}
			found = found || bytes.Contains(content, []byte("connection/c"))
		}
		if !found {
			t.Error("the secret's owner is in none of the files: the test looks in the wrong place")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSealedSecretsCannotBeMoved: who can write to the table cannot make a
// secret serve another owner.
func TestSealedSecretsCannotBeMoved(t *testing.T) {
	t.Parallel()
	for _, to := range []struct{ owner, version string }{{"b", "1"}, {"a", "2"}, {"a1", ""}, {"", "a1"}} {
		path := databasePath(t)
		s := openStore(t, path)
		if err := s.PutSecret(t.Context(), "a", "1", []byte("s3cret")); err != nil {
			t.Fatal(err)
		}
		execRaw(t, path, "UPDATE secrets SET owner = ?, version = ?", to.owner, to.version)
		value, err := s.Secret(t.Context(), to.owner, to.version)
		if err == nil || problem.Is(err, problem.NotFound) {
			t.Errorf("got %q, error %v of a secret moved to %v, want it not to open", value, err, to)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	openStore(t, path)
	text, err := os.ReadFile(keyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if key, err := hex.DecodeString(strings.TrimSpace(string(text))); err != nil || len(key) != 32 {
		t.Errorf("the key file holds %d bytes, error %v; want 32 in hexadecimal", len(key), err)
	}
	other := databasePath(t)
	openStore(t, other)
	if second, err := os.ReadFile(keyPath(other)); err != nil || bytes.Equal(text, second) {
		t.Errorf("got error %v, and the same key twice: %t", err, bytes.Equal(text, second))
	}
}

// TestKeyFileAlone: a key without a database is that of one which was lost.
func TestKeyFileAlone(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	want := strings.Repeat("0123456789abcdef", 4)
	if err := os.WriteFile(keyPath(path), []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := local.OpenStore(t.Context(), path); err == nil {
		_ = s.Close()
		t.Error("an empty installation was made beside a key")
	}
	if got, err := os.ReadFile(keyPath(path)); err != nil || string(got) != want {
		t.Errorf("got error %v and another key than was there", err)
	}
}

func TestOpenStoreRefusesKeyFile(t *testing.T) {
	t.Parallel()
	const canary = "canary-0a1b2c3d4e5f"
	write := func(content string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		want  string
	}{
		{"missing", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "the file is missing"},
		{"another's", write(strings.Repeat("00", 32) + "\n"), "another key"},
		{"too short", write(strings.Repeat("00", 31)), "64 hexadecimal digits"},
		{"no key", write(canary), "64 hexadecimal digits"},
		{"empty", write(""), "64 hexadecimal digits"},
		{"open to others", func(t *testing.T, path string) {
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
		}, "run chmod 600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := databasePath(t)
			s := openStore(t, path)
			if err := s.PutSecret(t.Context(), "owner", "1", []byte("s3cret")); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			key, err := os.ReadFile(keyPath(path))
			if err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, keyPath(path))

			for range 2 { // the first refusal must not make the second opening succeed
				s, err = local.OpenStore(t.Context(), path)
				if err == nil {
					_ = s.Close()
					t.Fatal("the store was opened")
				}
				if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), keyPath(path)) {
					t.Errorf("got error %q, want it to name the file and say %q", err, tt.want)
				}
				if strings.Contains(err.Error(), canary) {
					t.Errorf("the error quotes the file: %v", err)
				}
			}

			// With the right key again, all is as before.
			if err := os.Remove(keyPath(path)); err != nil && tt.name != "missing" {
				t.Fatal(err)
			}
			if err := os.WriteFile(keyPath(path), key, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := openStore(t, path).Secret(t.Context(), "owner", "1"); err != nil || string(got) != "s3cret" {
				t.Errorf("got error %v and another secret", err)
			}
		})
	}
}

func TestPurgeRemovedSecrets(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	s := openStore(t, path)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	s.Now = func() time.Time { return now }
	for _, owner := range []string{"used", "removed", "removed later"} {
		if err := s.PutSecret(t.Context(), owner, "1", []byte("s3cret")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RemoveSecret(t.Context(), "removed"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	for _, owner := range []string{"removed", "removed later"} { // the first for a second time
		if err := s.RemoveSecret(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (owners string) {
		t.Helper()
		err := openRaw(t, path).QueryRow("SELECT group_concat(owner, ', ' ORDER BY owner) FROM secrets").Scan(&owners)
		if err != nil {
			t.Fatal(err)
		}
		return owners
	}
	for _, step := range []struct {
		before time.Time
		want   string
	}{
		{now.Add(-time.Hour), "removed, removed later, used"},
		{now, "removed later, used"},
		{now.Add(time.Second), "used"},
		{now.AddDate(100, 0, 0), "used"},
	} {
		if err := s.PurgeRemovedSecrets(t.Context(), step.before); err != nil {
			t.Fatal(err)
		}
		if got := left(); got != step.want {
			t.Errorf("after a purge of what was removed before %v, the secrets of %q are left, want %q", step.before, got, step.want)
		}
	}
	if got, err := s.Secret(t.Context(), "used", "1"); err != nil || string(got) != "s3cret" {
		t.Errorf("got error %v and another secret", err)
	}
}
