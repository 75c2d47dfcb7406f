// Package local holds what vizpost needs of its surroundings when it runs as
// one process on one machine: a store in SQLite, sealed secrets, files in a
// directory, an outbox or SMTP for mail, and a bell that rings in the process.
package local

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/verify"
)

// The steps of the schema. A step that was ever released never changes.
var (
	//go:embed schema.sql
	schema string

	//go:embed schema-2.sql
	schema2 string

	//go:embed schema-3.sql
	schema3 string

	//go:embed schema-4.sql
	schema4 string

	//go:embed schema-5.sql
	schema5 string
)

func schemaSteps() []string { return []string{schema, schema2, schema3, schema4, schema5} }

const (
	applicationID = 0x76697a70 // "vizp", in the file's header
	busyTimeout   = 5 * time.Second
	readers       = 4

	// checkTime bounds the look for damage at each opening.
	checkTime = 5 * time.Second
)

// Store keeps all that vizpost knows in one SQLite database, and its secrets
// sealed in the same file. It is safe for concurrent use, also by several
// processes with the same file.
//
// A write is on the disk when its method returns (write-ahead log with
// synchronous=FULL): a power failure takes nothing back that was answered.
// Times are kept in UTC with a precision of microseconds.
type Store struct {
	// Now tells the time at which secrets are stored and removed. It may be
	// replaced before the store is used.
	Now func() time.Time

	// SQLite has one writer at a time. With one connection for all writes they
	// queue in this process, in order, rather than compete for the file's lock.
	write *sql.DB
	read  *sql.DB
	vault vault
}

var (
	_ connection.Store         = (*Store)(nil)
	_ connection.Vault         = (*Store)(nil)
	_ report.Store             = (*Store)(nil)
	_ run.Store                = (*Store)(nil)
	_ deliver.DestinationStore = (*Store)(nil)
	_ verify.Store             = (*Store)(nil)
)

// OpenStore opens the database file, which it creates together with its
// folder and the key file beside it ([KeyFile]) if there is none yet. It
// brings an older schema up to date. It refuses a database that a newer vizpost
// wrote, one that is not vizpost's, one that is damaged, and one whose key file
// is missing, is another's or can be read by other users of the machine; also a
// key file whose database is missing or empty.
func OpenStore(ctx context.Context, path string) (*Store, error) {
	s, err := openStore(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	return s, nil
}

func openStore(ctx context.Context, path string) (_ *Store, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := checkLost(path); err != nil {
		return nil, err
	}
	if err := makePrivate(path); err != nil {
		return nil, unwritable(filepath.Dir(path), err)
	}
	s := &Store{Now: time.Now}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()

	if s.write, err = openPool(path, 1, "_txlock", "immediate"); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, schemaSteps()); err != nil {
		return nil, unwritable(filepath.Dir(path), err)
	}
	checking, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := s.check(checking, "quick_check(1)"); err != nil {
		return nil, storeError("looking for damage", err)
	}
	if err := useWriteAheadLog(ctx, s.write); err != nil {
		return nil, err
	}
	if s.vault, err = s.openVault(ctx, filepath.Join(filepath.Dir(path), KeyFile)); err != nil {
		return nil, err
	}
	if s.read, err = openPool(path, readers, "_query_only", "true"); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the use of the database.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// makePrivate sees to it that the file exists and nobody else may read it.
// SQLite gives the files beside it the same mode.
//
// It must not open a database that is there: SQLite locks with POSIX record
// locks, and closing any descriptor of the file gives up all those that the
// process holds on it, another Store's too.
func makePrivate(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return CreateWhole(path, nil)
	}
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(path, 0o600)
	}
	return nil
}

// CreateWhole makes a file of mode 0600 that appears with its whole content, so
// that of several processes each finds none or all of it. One that is there
// already is left as it is. The folder exists.
func CreateWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := writeSynced(f, content); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func openPool(path string, connections int, option, value string) (*sql.DB, error) {
	file := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		file = "/" + file
	}
	query := url.Values{
		"_busy_timeout": {fmt.Sprint(busyTimeout.Milliseconds())},
		"_foreign_keys": {"true"},
		"_synchronous":  {"full"},
		"_dqs":          {"false"},
		"_pragma":       {"journal_size_limit(67108864)"},
		option:          {value},
	}
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: file}).EscapedPath() + "?" + query.Encode())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// useWriteAheadLog turns on the journal mode in which readers and the writer
// do not wait for one another. SQLite does not wait by itself for another
// process that uses the file at this moment.
func useWriteAheadLog(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(&mode)
		if err == nil && mode != "wal" {
			return fmt.Errorf("the file system has no shared memory, which the database's write-ahead log needs: use a local disk")
		}
		if err == nil || codeOf(err) != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// migrate brings the schema up to date. Step n leads from version n to n+1; the
// file's user_version tells which it has.
func (s *Store) migrate(ctx context.Context, steps []string) error {
	return s.update(ctx, "bringing the schema up to date", func(tx *sql.Tx) error {
		var have, tables, application int
		err := tx.QueryRowContext(ctx, `SELECT
			(SELECT user_version FROM pragma_user_version),
			(SELECT application_id FROM pragma_application_id),
			(SELECT count(*) FROM sqlite_schema)`).Scan(&have, &application, &tables)
		switch {
		case err != nil:
			return err
		case tables > 0 && application != applicationID:
			return errors.New("this is another program's database: choose another data folder")
		case have > len(steps):
			return fmt.Errorf("a newer vizpost wrote this database (schema %d, this one knows %d): use the newer vizpost, or another data folder",
				have, len(steps))
		case have == len(steps):
			return nil
		}
		for _, step := range steps[have:] {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(steps)))
		return err
	})
}

// update runs a transaction that writes. It begins with the write lock, so
// that what fn reads stays true until it is committed.
func (s *Store) update(ctx context.Context, what string, fn func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return storeError(what, err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := fn(tx); err != nil {
		return storeError(what, err)
	}
	if err := tx.Commit(); err != nil {
		return storeError(what, err)
	}
	return nil
}

// storeError says what was being done. What an operator can mend becomes an
// error that says how.
func storeError(what string, err error) error {
	switch codeOf(err) {
	case sqlite3.SQLITE_BUSY:
		p := problem.New(problem.Unavailable, problem.CodeUnavailable,
			"The database is busy: another process has been writing to it for seconds. Try again in a moment.")
		p.After, p.Err = time.Second, err
		err = p
	case sqlite3.SQLITE_FULL:
		p := problem.New(problem.Unavailable, problem.CodeUnavailable,
			"There is no room left on the disk of the data folder. Nothing was changed. Make room, and try again.")
		p.Err = err
		err = p
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		err = errDamaged(err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func errDamaged(why error) error {
	return fmt.Errorf("the file is damaged: stop vizpost, keep the folder, and make a new one of your last backup with \"vizpost restore\" (%w)", why)
}

// isInterrupt reports whether SQLite stopped because it was told to.
func isInterrupt(err error) bool { return codeOf(err) == sqlite3.SQLITE_INTERRUPT }

// checkLost refuses a folder that has a key and no database, or an empty one. A
// database has its tables before it gets its key, so it was there and was lost:
// to begin anew would look well, and send nothing.
//
// The key is looked for first: another process may be making both.
func checkLost(path string) error {
	key := filepath.Join(filepath.Dir(path), KeyFile)
	if _, err := os.Stat(key); err != nil {
		return nil
	}
	info, err := os.Stat(path)
	what := "is missing"
	switch {
	case err == nil && (info.Size() > 0 || !info.Mode().IsRegular()):
		return nil
	case err == nil:
		what = "is empty"
	case !errors.Is(err, os.ErrNotExist):
		return nil // opening it tells
	}
	return fmt.Errorf("the database %s, but its key %s is there, so it was lost: make a new folder of your last backup with \"vizpost restore\", "+
		"or put the file back; to begin with nothing, move %s away or name another folder", what, KeyFile, KeyFile)
}

// unwritable says of a folder that cannot be written that this is so.
func unwritable(dir string, err error) error {
	switch code := codeOf(err); {
	case errors.Is(err, syscall.EROFS), code == sqlite3.SQLITE_READONLY:
		return fmt.Errorf("the folder %s is read-only: make it writable, or name another (%w)", dir, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("the folder %s cannot be written by this user: give it to the user that runs vizpost, or name another (%w)", dir, err)
	case code == sqlite3.SQLITE_CANTOPEN:
		if probeErr := probe(dir); probeErr != nil {
			return unwritable(dir, errors.Join(probeErr, err))
		}
	}
	return err
}

// probe writes a file into a folder and takes it away again.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// codeOf gives the primary result code of SQLite's errors, and 0 for others.
func codeOf(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return sqlite3.SQLITE_OK
	}
	return e.Code() & 0xff
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// document reads the one value that a query for a doc column finds. found is
// false when there is no row.
func document[T any](ctx context.Context, q querier, query string, args ...any) (value T, found bool, err error) {
	var doc []byte
	if err := q.QueryRowContext(ctx, query, args...).Scan(&doc); errors.Is(err, sql.ErrNoRows) {
		return value, false, nil
	} else if err != nil {
		return value, false, err
	}
	value, err = decode[T](doc)
	return value, err == nil, err
}

// documents reads the values that a query for a doc column finds.
func documents[T any](ctx context.Context, q querier, query string, args ...any) (values []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		value, err := decode[T](doc)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}

// encode gives the form of a value in a doc column.
func encode(value any) (string, error) {
	doc, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encoding a %T: %w", value, err)
	}
	return string(doc), nil
}

// decode is the inverse of encode. What it gives shares nothing with what was
// encoded.
func decode[T any](doc []byte) (value T, err error) {
	if err := json.Unmarshal(doc, &value); err != nil {
		return value, fmt.Errorf("decoding a %T: %w", value, err)
	}
	return value, nil
}

// exists reports whether a query finds a row.
func exists(ctx context.Context, q querier, query string, args ...any) (bool, error) {
	var found bool
	err := q.QueryRowContext(ctx, "SELECT EXISTS ("+query+")", args...).Scan(&found)
	return found, err
}

// fetch is how many rows to ask for so that a page of a size shows whether
// another follows. A page is never larger than maxPage.
func fetch(limit int) int { return min(max(limit, 0), maxPage) + 1 }

const maxPage = 100_000

// page cuts what was fetched to the page's size and gives the id to go on
// behind.
func page[T any](fetched []T, limit int, id func(T) string) ([]T, string) {
	limit = fetch(limit) - 1
	if len(fetched) <= limit {
		return fetched, ""
	}
	if limit == 0 {
		return nil, ""
	}
	return fetched[:limit], id(fetched[limit-1])
}

// utc gives a time as it is kept.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// micros gives a time's column value; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros.
func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
