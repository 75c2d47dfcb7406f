package local

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/run"
)

// A backup is a tar file: the database, the exported files if they were asked
// for, and last a manifest with the size and SHA-256 of each. One that was cut
// off has no manifest and is refused. The key is never in it.
const (
	databaseName = "vizpost.db"
	filesName    = "files"
	manifestName = "vizpost-backup.json"
	backupFormat = 1
	maxManifest  = 256 << 20
)

// manifest is what a backup says of itself.
type manifest struct {
	Format    int             `json:"format"`
	CreatedAt time.Time       `json:"created_at"` // just before the database was copied
	Version   string          `json:"version"`    // of the vizpost that made it
	Schema    int             `json:"schema"`
	Entries   []manifestEntry `json:"entries"`
}

type manifestEntry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Backup says what [MakeBackup] does.
type Backup struct {
	Dir     string // the data folder
	To      string // the file that is written
	Files   bool   // the exported files too
	Version string // of vizpost
	Now     func() time.Time
}

// BackupSummary is what a backup holds.
type BackupSummary struct {
	CreatedAt time.Time
	Files     int   // exported files
	Bytes     int64 // of the backup
}

// MakeBackup writes a whole, consistent copy of an installation, also while
// vizpost works in the folder. The file appears under its name when it is
// complete and on the disk; one that is there is replaced then.
func MakeBackup(ctx context.Context, b Backup) (BackupSummary, error) {
	summary, err := b.make(ctx)
	if err != nil {
		return BackupSummary{}, fmt.Errorf("making a backup of %s: %w", b.Dir, err)
	}
	return summary, nil
}

func (b Backup) make(ctx context.Context) (_ BackupSummary, err error) {
	source, err := filepath.Abs(filepath.Join(b.Dir, databaseName))
	if err != nil {
		return BackupSummary{}, err
	}
	if info, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return BackupSummary{}, errors.New("there is no database: name the data folder with --data")
	} else if err != nil {
		return BackupSummary{}, err
	}
	dir := filepath.Dir(b.To)
	out, err := os.CreateTemp(dir, "."+filepath.Base(b.To)+"-*") // of mode 0600
	if err != nil {
		return BackupSummary{}, unwritable(dir, err)
	}
	defer os.Remove(out.Name())
	defer out.Close()

	copied, err := os.CreateTemp(dir, "."+filepath.Base(b.To)+"-db-*")
	if err != nil {
		return BackupSummary{}, unwritable(dir, err)
	}
	defer os.Remove(copied.Name())
	if err := copied.Close(); err != nil {
		return BackupSummary{}, err
	}
	m := manifest{Format: backupFormat, CreatedAt: utc(b.Now()), Version: b.Version}
	if m.Schema, err = copyDatabase(ctx, source, copied.Name()); err != nil {
		return BackupSummary{}, err
	}

	archive := tar.NewWriter(out)
	add := func(name, path string) error {
		entry, err := addFile(ctx, archive, name, path, m.CreatedAt)
		if err == nil {
			m.Entries = append(m.Entries, entry)
		}
		return err
	}
	if err := add(databaseName, copied.Name()); err != nil {
		return BackupSummary{}, err
	}
	if b.Files {
		if err := addFolder(filepath.Join(b.Dir, filesName), add); err != nil {
			return BackupSummary{}, err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return BackupSummary{}, err
	}
	if err := archive.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: m.CreatedAt}); err != nil {
		return BackupSummary{}, err
	}
	if _, err := archive.Write(text); err != nil {
		return BackupSummary{}, err
	}
	if err := errors.Join(archive.Close(), out.Sync()); err != nil {
		return BackupSummary{}, err
	}
	info, err := out.Stat()
	if err != nil {
		return BackupSummary{}, err
	}
	if err := os.Rename(out.Name(), b.To); err != nil {
		return BackupSummary{}, err
	}
	return BackupSummary{CreatedAt: m.CreatedAt, Files: len(m.Entries) - 1, Bytes: info.Size()}, syncDir(dir)
}

// copyDatabase copies a database as it is at one moment into an empty file, and
// gives the version of its schema. It waits for nobody, and nobody waits for it.
func copyDatabase(ctx context.Context, source, to string) (version int, err error) {
	db, err := openPool(source, 1, "mode", "rw") // a log that a killed process left is folded in
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if version, err = schemaOf(ctx, db); err != nil {
		return 0, err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return 0, storeError("copying the database", err)
	}
	copied, err := openPool(to, 1, "mode", "ro")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	var found string
	if err := copied.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return 0, storeError("checking the copy", err)
	}
	if found != "ok" {
		return 0, errDamaged(errors.New(found))
	}
	return version, nil
}

// schemaOf gives the version of a database's schema, which must be vizpost's and
// not a newer one's.
func schemaOf(ctx context.Context, db *sql.DB) (version int, err error) {
	var application int
	err = db.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id)`).
		Scan(&version, &application)
	switch {
	case err != nil:
		return 0, storeError("reading the database", err)
	case application != applicationID:
		return 0, errors.New("the database is another program's")
	case version > len(schemaSteps()):
		return 0, fmt.Errorf("a newer vizpost wrote this database (schema %d, this one knows %d): use the newer vizpost", version, len(schemaSteps()))
	}
	return version, nil
}

func addFile(ctx context.Context, archive *tar.Writer, name, path string, at time.Time) (manifestEntry, error) {
	f, err := os.Open(path)
	if err != nil {
		return manifestEntry{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return manifestEntry{}, err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: at}); err != nil {
		return manifestEntry{}, err
	}
	digest := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(archive, digest), contextReader{ctx, f}, info.Size()); err != nil {
		return manifestEntry{}, fmt.Errorf("copying %s: %w", name, err)
	}
	return manifestEntry{Name: name, Size: info.Size(), SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// addFolder adds the files of a folder. One that is deleted meanwhile is left
// out: its time had come.
func addFolder(dir string, add func(name, path string) error) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), "."): // the latter is being written
			return nil
		}
		inside, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if err := add(path.Join(filesName, filepath.ToSlash(inside)), file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Restore says what [RestoreBackup] does.
type Restore struct {
	From string // a backup
	Dir  string // the folder to be made; one that is there must be empty
	Key  string // the key file of the installation that was backed up
	Now  func() time.Time
}

// RestoreBackup makes a data folder of a backup and its key. It starts paused:
// see [run.Pause]. A backup that is cut off or changed, or that the key does not
// open, leaves nothing behind.
func RestoreBackup(ctx context.Context, r Restore) (BackupSummary, error) {
	summary, err := r.restore(ctx)
	if err != nil {
		return BackupSummary{}, fmt.Errorf("restoring %s: %w", r.From, err)
	}
	return summary, nil
}

func (r Restore) restore(ctx context.Context) (_ BackupSummary, err error) {
	key, err := readKey(r.Key)
	if err != nil {
		return BackupSummary{}, fmt.Errorf("reading the key %s: %w", r.Key, err)
	}
	dir, err := filepath.Abs(r.Dir)
	if err != nil {
		return BackupSummary{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return BackupSummary{}, err
	}
	inside, err := os.ReadDir(dir)
	if err != nil {
		return BackupSummary{}, err
	}
	if len(inside) > 0 {
		return BackupSummary{}, fmt.Errorf("the folder %s is not empty: name a new one with --data", r.Dir)
	}
	from, err := os.Open(r.From)
	if err != nil {
		return BackupSummary{}, err
	}
	defer from.Close()
	work, err := os.MkdirTemp(dir, ".restore-*")
	if err != nil {
		return BackupSummary{}, unwritable(dir, err)
	}
	defer os.RemoveAll(work)

	m, err := unpack(ctx, from, work)
	if err != nil {
		return BackupSummary{}, err
	}
	if err := CreateWhole(filepath.Join(work, KeyFile), []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return BackupSummary{}, err
	}
	if err := r.prepare(ctx, filepath.Join(work, databaseName), m); err != nil {
		return BackupSummary{}, err
	}
	// The database comes last: without it the folder is none.
	for _, name := range []string{filesName, KeyFile, databaseName} {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return BackupSummary{}, err
		}
	}
	summary := BackupSummary{CreatedAt: m.CreatedAt, Files: len(m.Entries) - 1}
	return summary, errors.Join(os.RemoveAll(work), syncDir(dir), syncDir(filepath.Dir(dir)))
}

// prepare checks a restored database and has it begin paused.
func (r Restore) prepare(ctx context.Context, file string, m manifest) error {
	store, err := openStore(ctx, file)
	if err != nil {
		return err
	}
	err = store.check(ctx, "integrity_check(1)")
	if err == nil {
		err = store.beginPause(ctx, run.Pause{BackupAt: m.CreatedAt, RestoredAt: r.Now()})
	}
	return errors.Join(err, store.Close()) // which folds the log into the file
}

// unpack writes what a backup holds into a folder, and checks it against the
// manifest.
func unpack(ctx context.Context, from io.Reader, dir string) (manifest, error) {
	var m manifest
	found := map[string]manifestEntry{}
	archive := tar.NewReader(contextReader{ctx, from})
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, fmt.Errorf("this is no backup of vizpost, or it is damaged: %w", err)
		}
		switch {
		case m.Format != 0:
			return m, errors.New("this is no backup of vizpost: something comes after its manifest")
		case header.Name == manifestName:
			text, err := io.ReadAll(io.LimitReader(archive, maxManifest))
			if err == nil {
				err = json.Unmarshal(text, &m)
			}
			if err != nil || m.Format == 0 {
				return m, fmt.Errorf("this is no backup of vizpost, or it is damaged: its manifest cannot be read (%w)", errors.Join(err))
			}
			if m.Format > backupFormat {
				return m, fmt.Errorf("a newer vizpost made this backup (format %d): use the newer vizpost", m.Format)
			}
		case header.Typeflag != tar.TypeReg || !backedUp(header.Name):
			return m, fmt.Errorf("this is no backup of vizpost: it holds %q", header.Name)
		default:
			entry, err := unpackFile(archive, header, dir)
			if err != nil {
				return m, err
			}
			if _, twice := found[entry.Name]; twice {
				return m, fmt.Errorf("this is no backup of vizpost: it holds %q twice", entry.Name)
			}
			found[entry.Name] = entry
		}
	}
	if m.Format == 0 {
		return m, errors.New("the backup is not whole: its manifest is missing, so it was cut off or is none of vizpost's")
	}
	for _, want := range m.Entries {
		if got, ok := found[want.Name]; !ok || got != want {
			return m, fmt.Errorf("the backup is damaged: %s is not what its manifest says", want.Name)
		}
	}
	if _, ok := found[databaseName]; !ok || len(found) != len(m.Entries) {
		return m, errors.New("the backup is damaged: it does not hold what its manifest says")
	}
	return m, nil
}

// backedUp reports whether a name is one that a backup holds.
func backedUp(name string) bool {
	return name == databaseName || strings.HasPrefix(name, filesName+"/") && fs.ValidPath(name) && filepath.IsLocal(filepath.FromSlash(name))
}

func unpackFile(archive io.Reader, header *tar.Header, dir string) (entry manifestEntry, err error) {
	file := filepath.Join(dir, filepath.FromSlash(header.Name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return entry, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return entry, err
	}
	var digest hash.Hash = sha256.New()
	n, err := io.Copy(io.MultiWriter(f, digest), archive)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return entry, fmt.Errorf("unpacking %s: the backup is damaged, or there is no room: %w", header.Name, err)
	}
	return manifestEntry{Name: header.Name, Size: n, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// PrivateFolder closes a data folder to other users of the machine, and reports
// whether it was open to them.
func PrivateFolder(dir string) (wasOpen bool, err error) {
	info, err := os.Stat(dir)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return false, err
	}
	return true, os.Chmod(dir, 0o700)
}
