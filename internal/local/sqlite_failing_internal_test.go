package local

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var pages int
	if err := s.write.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages+1)); err != nil {
		t.Fatal(err)
	}
	d := deliver.Destination{ID: "D1", Name: strings.Repeat("x", 1<<20)}
	err = s.CreateDestination(t.Context(), d)
	if p, _ := problem.From(err); p.Kind != problem.Unavailable || !strings.Contains(p.Message, "disk") {
		t.Errorf("the error is %v, want one that tells of the disk", err)
	}
	// What does not need room goes on, and so does all when there is room again.
	if _, _, err := s.Destinations(t.Context(), "", 1); err != nil {
		t.Errorf("reading: %v", err)
	}
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateDestination(t.Context(), d); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(file []byte) []byte{
		"its beginning": func(file []byte) []byte { return append(bytes.Repeat([]byte("x"), 100), file[100:]...) },
		"its pages": func(file []byte) []byte {
			return append(file[:4096:4096], bytes.Repeat([]byte("x"), len(file)-4096)...)
		},
		"its end": func(file []byte) []byte { return file[:5000] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "vizpost.db")
			s, err := OpenStore(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(file), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenStore(t.Context(), path); err == nil || !strings.Contains(err.Error(), "vizpost restore") {
				t.Errorf("the error is %v, want one that says what to do", err)
			}
		})
	}
}
