package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/local"
)

const backupText = `
vizpost backup writes a whole, consistent copy of an installation into one file,
also while "vizpost serve" works in the folder. With --files it holds the
exported files too. It never holds the key: keep vizpost.key apart from it.

The file is a tar archive of mode 0600: vizpost.db, files/ if they were asked
for, and last vizpost-backup.json with the size and SHA-256 of each. It appears
under its name when it is complete; one that is there is replaced then.

Example: vizpost backup --data data --to backups/vizpost.tar
`

func backup(ctx context.Context, c command) error {
	f := c.flags("backup", backupText)
	data := f.String("data", "data", "folder of the installation")
	to := f.String("to", "", "file to write; required")
	files := f.Bool("files", false, "with the exported files")
	if err := c.parse(f); err != nil {
		return err
	}
	if *to == "" {
		return usageError{errors.New("backup: name the file to write with --to (see --help)")}
	}
	made, err := local.MakeBackup(ctx, local.Backup{Dir: *data, To: *to, Files: *files, Version: assembly.Version(), Now: time.Now})
	if err != nil {
		return err
	}
	c.printf("backup:  %s (%d bytes, as of %s)\n", *to, made.Bytes, made.CreatedAt.Format(time.RFC3339))
	if *files {
		c.printf("files:   %d\n", made.Files)
	}
	c.printf("key:     not in it; keep a copy of %s apart from it\n", filepath.Join(*data, local.KeyFile))
	return nil
}

const restoreText = `
vizpost restore makes a data folder of a backup and the key that belongs to it.
The folder must not exist, or be empty. The backup is checked first: a file that
is cut off or changed, or that the key does not open, leaves nothing behind.

The installation starts paused: it schedules, sends and signs in nothing until
somebody resumes it, on the page or with "vizpost resume". Resume it once no
other copy of it works any more: vizpost cannot recognize a copied folder, and
two copies both send. What was waiting at the backup, and what was due since, is
sent then and marked as a possible repeat.

Example: vizpost restore --from vizpost.tar --data data --key vizpost.key
`

func restore(ctx context.Context, c command) error {
	f := c.flags("restore", restoreText)
	from := f.String("from", "", "backup to restore; required")
	data := f.String("data", "", "folder to make; required")
	key := f.String("key", "", "key file of the installation that was backed up; required")
	if err := c.parse(f); err != nil {
		return err
	}
	if *from == "" || *data == "" || *key == "" {
		return usageError{errors.New("restore: name the backup with --from, the folder with --data and the key file with --key (see --help)")}
	}
	restored, err := local.RestoreBackup(ctx, local.Restore{From: *from, Dir: *data, Key: *key, Now: time.Now})
	if err != nil {
		return err
	}
	c.printf("restored: %s, as of %s\n", *data, restored.CreatedAt.Format(time.RFC3339))
	c.printf("paused:   until \"vizpost resume --data %s\", or Resume on the page\n", *data)
	return nil
}

const resumeText = `
vizpost resume ends the pause of an installation that was restored from a backup.
From then on it schedules, sends and signs in. Run it once no other copy of the
installation works any more: two copies both send. It may run beside "vizpost
serve".

Example: vizpost resume --data data
`

func resume(ctx context.Context, c command) (err error) {
	f := c.flags("resume", resumeText)
	data := f.String("data", "data", "folder of the installation")
	if err := c.parse(f); err != nil {
		return err
	}
	path := filepath.Join(*data, "vizpost.db")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no database in %s: name the data folder with --data", *data)
	}
	store, err := local.OpenStore(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	p, paused, err := store.Paused(ctx)
	if err != nil {
		return err
	}
	if !paused {
		c.printf("vizpost is not paused\n")
		return nil
	}
	if err := store.Resume(ctx, time.Now()); err != nil {
		return err
	}
	c.printf("resumed: the copy of %s works from now on; what was due since is sent, marked as a possible repeat\n",
		p.BackupAt.Format(time.RFC3339))
	return nil
}
