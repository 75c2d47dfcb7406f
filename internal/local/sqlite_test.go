package local_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/storetest"
	"github.com/vizpost/vizpost/internal/tableau"
)

// What a child process of a test does, and with which database.
const (
	childDoes     = "VIZPOST_TEST_CHILD"
	childDatabase = "VIZPOST_TEST_DATABASE"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childDoes) {
	case "":
		os.Exit(m.Run())
	case "count":
		exit(countUp(os.Getenv(childDatabase), 40))
	case "write":
		exit(writeForever(os.Getenv(childDatabase)))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// openStore opens a store for a test, which closes it.
func openStore(t testing.TB, path string) *local.Store {
	t.Helper()
	s, err := local.OpenStore(context.Background(), path)
	if err != nil {
		t.Fatalf("opening a store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing a store: %v", err)
		}
	})
	return s
}

func databasePath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "vizpost.db")
}

// openRaw opens a database behind the store's back.
func openRaw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func execRaw(t testing.TB, path, query string, args ...any) {
	t.Helper()
	db := openRaw(t, path)
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func newRun(id string) run.Run {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return run.Run{ID: id, Key: run.ManualKey("report", id), ReportID: "report", Site: "site", State: run.Queued, NotBefore: at, CreatedAt: at}
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store { return openStore(t, databasePath(t)) })
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	storetest.Credentials(t, func(t *testing.T) storetest.Store { return openStore(t, databasePath(t)) })
}

func TestOpenStoreMakesPrivateFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "of vizpost?#%41")
	s := openStore(t, filepath.Join(dir, "vizpost.db"))
	if _, err := s.CreateRun(t.Context(), newRun("r")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the folder has mode %#o, want 0700", got)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %#o, want 0600", e.Name(), got)
		}
	}
	if diff := cmp.Diff([]string{"vizpost.db", "vizpost.db-shm", "vizpost.db-wal", "vizpost.key"}, names); diff != "" {
		t.Errorf("the folder's files are not as wanted (-want +got):\n%s", diff)
	}
}

func TestOpenStoreClosesAnOpenFile(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	if err := openStore(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openStore(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the database has mode %#o, want 0600", got)
	}
}

func TestOpenStoreFindsWhatWasStored(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	s := openStore(t, path)
	want, err := s.CreateRun(t.Context(), newRun("r"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutSecret(t.Context(), "owner", "1", []byte("s3cret")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	got, err := s.Run(t.Context(), "r")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("got error %v and another run (-want +got):\n%s", err, diff)
	}
	if secret, err := s.Secret(t.Context(), "owner", "1"); err != nil || string(secret) != "s3cret" {
		t.Errorf("got error %v and another secret", err)
	}
}

func TestOpenStoreRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"a newer vizpost's", func(t *testing.T, path string) {
			if err := openStore(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			execRaw(t, path, "PRAGMA user_version = 1000")
		}, "a newer vizpost wrote this database (schema 1000"},
		{"another program's", func(t *testing.T, path string) {
			execRaw(t, path, "CREATE TABLE songs (title TEXT)")
		}, "another program's database"},
		{"no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "file is not a database"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "unable to open database file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := databasePath(t)
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			s, err := local.OpenStore(t.Context(), path)
			if err == nil {
				_ = s.Close()
				t.Fatal("the database was opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got error %q, want it to name %s and say %q", err, path, tt.want)
			}
			if after, _ := os.ReadFile(path); string(before) != string(after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenStoreAtOnce(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	stores := make([]*local.Store, 6)
	errs := make([]error, len(stores))
	var group sync.WaitGroup
	for i := range stores {
		group.Go(func() { stores[i], errs[i] = local.OpenStore(context.Background(), path) })
	}
	group.Wait()
	for i, s := range stores {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		defer s.Close()
		if err := s.PutSecret(t.Context(), "owner", fmt.Sprint(i), []byte("s3cret")); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range stores {
		for version := range stores {
			if value, err := s.Secret(t.Context(), "owner", fmt.Sprint(version)); err != nil || string(value) != "s3cret" {
				t.Errorf("handle %d reads the secret of %d with error %v", i, version, err)
			}
		}
	}
}

// TestStoreSharedByHandles lets several goroutines with two handles of one
// file, as two processes have, do what only one of them may.
func TestStoreSharedByHandles(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	stores := []*local.Store{openStore(t, path), openStore(t, path)}
	ctx := t.Context()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	c := connection.Connection{ID: "c", Auth: connection.Auth{Method: tableau.PersonalAccessToken}, Fingerprint: "token"}
	if err := stores[0].CreateConnection(ctx, c, nil); err != nil {
		t.Fatal(err)
	}
	if err := stores[1].CreateReport(ctx, report.Report{ID: "report", ConnectionID: "c", NextRunAt: now}); err != nil {
		t.Fatal(err)
	}
	due, err := stores[0].DueReports(ctx, now, 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("got %d due reports and error %v, want one", len(due), err)
	}
	if _, err := stores[0].CreateRun(ctx, newRun("counter")); err != nil {
		t.Fatal(err)
	}

	const workers, turns = 8, 10
	var leases, fired, attempts, claims atomic.Int64
	var group sync.WaitGroup
	for worker := range workers {
		s, me := stores[worker%len(stores)], fmt.Sprint("worker ", worker)
		check := func(what string, err error, refused func(error) bool, wins *atomic.Int64) {
			if err == nil {
				wins.Add(1)
			} else if !refused(err) {
				t.Errorf("%s: %s got error %v", what, me, err)
			}
		}
		group.Go(func() {
			_, err := s.LeaseSite(ctx, "site", me, now, now.Add(time.Minute))
			check("leasing", err, func(err error) bool { return errors.Is(err, run.ErrLeaseHeld) }, &leases)
			r := newRun("run of " + me)
			r.Key = run.ScheduledKey("report", now)
			check("firing", s.Fire(ctx, due[0], now.Add(time.Hour), []run.Run{r}),
				func(err error) bool { return problem.Is(err, problem.Stale) }, &fired)
			check("counting", s.CountAttempt(ctx, "ada", now, now.Add(-time.Minute), 5),
				func(err error) bool { return problem.Is(err, problem.TooMany) }, &attempts)
			id, err := s.ClaimRequest(ctx, "runs", "key", "digest", me, now)
			if err == nil && id != me {
				err = errors.New("another's")
			}
			check("claiming", err, func(err error) bool { return err.Error() == "another's" }, &claims)
			if err := count(ctx, s, turns); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got := []int64{leases.Load(), fired.Load(), attempts.Load(), claims.Load()}
	if diff := cmp.Diff([]int64{1, 1, 5, 1}, got); diff != "" {
		t.Errorf("leases, fires, attempts and claims that succeeded (-want +got):\n%s", diff)
	}
	wantCount(t, stores[0], workers*turns)
	wantCount(t, stores[1], workers*turns)
}

// count adds to a run's attempts as often as told, each time on top of what is
// stored.
func count(ctx context.Context, s *local.Store, times int) error {
	for done := 0; done < times; {
		r, err := s.Run(ctx, "counter")
		if err != nil {
			return err
		}
		r.Attempts++
		_, err = s.UpdateRun(ctx, nil, r)
		switch {
		case err == nil:
			done++
		case !problem.Is(err, problem.Stale):
			return err
		}
	}
	return nil
}

func wantCount(t *testing.T, s *local.Store, want int) {
	t.Helper()
	r, err := s.Run(t.Context(), "counter")
	if err != nil {
		t.Fatal(err)
	}
	if r.Attempts != want || r.Rev != int64(want)+1 {
		t.Errorf("counted to %d with Rev %d, want %d and Rev %d", r.Attempts, r.Rev, want, want+1)
	}
}

// countUp is a child process of [TestStoreSharedByProcesses].
func countUp(path string, times int) error {
	s, err := local.OpenStore(context.Background(), path)
	if err != nil {
		return err
	}
	if _, err := s.CreateRun(context.Background(), newRun("counter")); err != nil {
		return err
	}
	return errors.Join(count(context.Background(), s, times), s.Close())
}

func child(ctx context.Context, does, path string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childDoes+"="+does, childDatabase+"="+path)
	return cmd
}

func TestStoreSharedByProcesses(t *testing.T) {
	t.Parallel()
	path := databasePath(t) // which does not exist yet
	const processes = 3
	var group sync.WaitGroup
	for range processes {
		group.Go(func() {
			if out, err := child(t.Context(), "count", path).CombinedOutput(); err != nil {
				t.Errorf("a process that counts: %v\n%s", err, out)
			}
		})
	}
	group.Wait()
	wantCount(t, openStore(t, path), processes*40)
}

// writeForever is a child process of [TestStoreOutlivesAKilledProcess]: it
// says what it has stored.
func writeForever(path string) error {
	s, err := local.OpenStore(context.Background(), path)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		id := fmt.Sprintf("run-%06d", i)
		if _, err := s.CreateRun(context.Background(), newRun(id)); err != nil {
			return err
		}
		fmt.Println(id)
	}
}

func TestStoreOutlivesAKilledProcess(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	cmd := child(t.Context(), "write", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		told = append(told, lines.Text())
		if len(told) == 50 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if len(told) < 50 {
		t.Fatalf("the process told of %d runs before it ended, want 50", len(told))
	}
	s := openStore(t, path)
	for _, id := range told {
		if _, err := s.Run(t.Context(), id); err != nil {
			t.Fatalf("the process was told that %s is stored: %v", id, err)
		}
	}
	work, err := s.Work(t.Context(), "site", time.Now(), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	runs, _, err := s.Runs(t.Context(), run.Filter{}, "", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(work) != len(runs) || len(runs) < len(told) {
		t.Errorf("got %d runs and %d pieces of work after %d runs were told of", len(runs), len(work), len(told))
	}
}

func TestStoreObeysTheContext(t *testing.T) {
	t.Parallel()
	path := databasePath(t)
	s := openStore(t, path)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.CreateRun(ended, newRun("r")); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v of a write, want it to be cancelled", err)
	}
	if _, err := s.Run(ended, "r"); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v of a read, want it to be cancelled", err)
	}
	if _, err := s.Run(t.Context(), "r"); !problem.Is(err, problem.NotFound) {
		t.Errorf("got error %v, want the run not to be there", err)
	}

	// While another process writes, the wait ends with the context.
	raw := openRaw(t, path)
	raw.SetMaxOpenConns(1)
	if _, err := raw.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.CreateRun(soon, newRun("r")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v of a write that waits, want it to end with the context", err)
	}
	if _, _, err := s.Runs(t.Context(), run.Filter{}, "", 10); err != nil {
		t.Errorf("reading while another process writes: %v", err)
	}
	if _, err := raw.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateRun(t.Context(), newRun("r")); err != nil {
		t.Error(err)
	}
}

func TestInsertReports(t *testing.T) {
	t.Parallel()
	s := openStore(t, databasePath(t))
	ctx := t.Context()
	if err := s.CreateConnection(ctx, connection.Connection{ID: "c"}, nil); err != nil {
		t.Fatal(err)
	}
	many := func(connectionOf func(i int) string) func(yield func(report.Report) bool) {
		return func(yield func(report.Report) bool) {
			for i := range 1000 {
				if !yield(report.Report{ID: fmt.Sprintf("r-%04d", i), ConnectionID: connectionOf(i), Rev: 99}) {
					return
				}
			}
		}
	}
	err := s.InsertReports(ctx, many(func(i int) string {
		if i == 700 {
			return "none"
		}
		return "c"
	}))
	if !problem.Is(err, problem.Invalid) {
		t.Errorf("got error %v, want one to be Invalid", err)
	}
	if list, _, err := s.Reports(ctx, "", "", 10); err != nil || len(list) != 0 {
		t.Errorf("got error %v and %d reports of which one could not be stored, want none", err, len(list))
	}

	if err := s.InsertReports(ctx, many(func(int) string { return "c" })); err != nil {
		t.Fatal(err)
	}
	list, _, err := s.Reports(ctx, "c", "", 2000)
	if err != nil || len(list) != 1000 {
		t.Fatalf("got error %v and %d reports, want 1000", err, len(list))
	}
	if list[0].Rev != 1 {
		t.Errorf("got Rev %d, want 1", list[0].Rev)
	}
	if err := s.DeleteConnection(ctx, "c", 1); !problem.HasCode(err, problem.CodeInUse) {
		t.Errorf("got error %v, want the connection to be in use", err)
	}
}
