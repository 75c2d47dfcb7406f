package local_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vizpost/vizpost/internal/health"
	"github.com/vizpost/vizpost/internal/local"
)

func TestCheckOfAWellStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := local.OpenStore(t.Context(), filepath.Join(dir, "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Check(t.Context()); got != nil {
		t.Errorf("Check = %+v, want nothing", got)
	}
	if got := s.CheckPages(t.Context()); got != nil {
		t.Errorf("CheckPages = %+v, want nothing", got)
	}
	if got := local.CheckRoom(filepath.Join(dir, "none")); got != nil {
		t.Errorf("CheckRoom of a folder that is not there = %+v, want nothing", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.Check(t.Context()); got == nil || got.Code != health.Database {
		t.Errorf("Check of a closed store = %+v, want a database that cannot be written to", got)
	}
}

func TestTroubleOfErrors(t *testing.T) {
	t.Parallel()
	if got := local.Trouble(fmt.Errorf("storing a file: %w", syscall.ENOSPC)); got == nil || got.Code != health.DiskFull {
		t.Errorf("Trouble of no space = %+v, want a full disk", got)
	}
	for _, err := range []error{nil, errors.New("other")} {
		if got := local.Trouble(err); got != nil {
			t.Errorf("Trouble(%v) = %+v, want none", err, got)
		}
	}
}
