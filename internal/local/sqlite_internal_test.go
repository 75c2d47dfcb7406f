package local

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/vizpost/vizpost/internal/problem"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	s, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantVersion := func(want int) {
		t.Helper()
		var got int
		if err := s.read.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&got); err != nil || got != want {
			t.Errorf("got schema %d, error %v; want %d", got, err, want)
		}
	}
	if err := s.PutSecret(t.Context(), "owner", "1", []byte("s3cret")); err != nil {
		t.Fatal(err)
	}
	steps := schemaSteps()
	wantVersion(len(steps))

	second := "CREATE TABLE second (a); INSERT INTO second VALUES (1)"
	for range 2 { // what was done is not done again
		if err := s.migrate(t.Context(), append(steps, second)); err != nil {
			t.Fatal(err)
		}
		wantVersion(len(steps) + 1)
	}
	var rows int
	if err := s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM second").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("got %d rows, error %v of the second step; want 1", rows, err)
	}

	// A step that fails takes those before it back.
	if err := s.migrate(t.Context(), append(steps, second, "CREATE TABLE third (a)", "CREATE TABLE third (a)")); err == nil {
		t.Error("a step that cannot be done was done")
	}
	wantVersion(len(steps) + 1)
	if err := s.migrate(t.Context(), append(steps, second, "CREATE TABLE third (a)")); err != nil {
		t.Fatal(err)
	}
	wantVersion(len(steps) + 2)

	// There is no way back.
	if err := s.migrate(t.Context(), steps); err == nil || !strings.Contains(err.Error(), "newer vizpost") {
		t.Errorf("got error %v, want the newer schema to be refused", err)
	}
	wantVersion(len(steps) + 2)
	if value, err := s.Secret(t.Context(), "owner", "1"); err != nil || string(value) != "s3cret" {
		t.Errorf("got error %v and another secret", err)
	}
}

// TestBusyIsAProblem: who finds the database locked by another process is told
// to try again, and not that vizpost is broken.
func TestBusyIsAProblem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vizpost.db")
	s, err := OpenStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	connector, err := sqlite.NewConnector("file:" + path + "?_txlock=immediate") // which does not wait
	if err != nil {
		t.Fatal(err)
	}
	impatient := &Store{write: sql.OpenDB(connector)}
	defer impatient.Close()
	err = s.update(t.Context(), "writing", func(*sql.Tx) error {
		return impatient.update(context.Background(), "storing a run", func(*sql.Tx) error { return nil })
	})
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "storing a run: ") {
		t.Errorf("got error %v, want it to be Unavailable", err)
	}
}

// TestWriteAheadLogWaits: SQLite refuses at once to change the journal mode
// while another process that opens the same new database writes to it.
func TestWriteAheadLogWaits(t *testing.T) {
	t.Parallel()
	db, err := openPool(filepath.Join(t.TempDir(), "vizpost.db"), 2, "_txlock", "immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE a (b)"); err != nil {
		t.Fatal(err)
	}
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := useWriteAheadLog(ended, db); err == nil {
		t.Error("the journal mode was changed under another's transaction")
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = other.Commit() })
	if err := useWriteAheadLog(t.Context(), db); err != nil {
		t.Error(err)
	}
}

// TestEveryConnectionIsSafe: SQLite keeps these settings by connection, and
// its defaults are others.
func TestEveryConnectionIsSafe(t *testing.T) {
	t.Parallel()
	s, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, pool := range []*sql.DB{s.write, s.read} {
		connections := pool.Stats().MaxOpenConnections
		for range connections { // each is held, so that the next is another
			conn, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
				var got string
				if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
					t.Errorf("got %s = %q, error %v; want %q", pragma, got, err, want)
				}
			}
		}
	}
	if got := s.write.Stats().MaxOpenConnections; got != 1 {
		t.Errorf("got %d connections that write, want 1", got)
	}
}
