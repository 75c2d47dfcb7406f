package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

const recoverText = `
vizpost recover shows the credential of a connection that was deleted within the
last 30 days, so that it can be connected again. Without --connection it lists
those that can be recovered, and no secret.

It prints the secret on standard output: mind who sees the screen. It needs the
data folder with its key, and may run beside "vizpost serve".
`

// recoverDeleted shows what was deleted, and its secret.
func recoverDeleted(ctx context.Context, c command) (err error) {
	f := c.flags("recover", recoverText)
	data := f.String("data", "data", "folder of database and key")
	id := f.String("connection", "", "id of the deleted connection")
	if err := c.parse(f); err != nil {
		return err
	}
	path := filepath.Join(*data, "vizpost.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) { // which opening would make
		return fmt.Errorf("there is no database in %s: name the data folder with --data", *data)
	}
	store, err := local.OpenStore(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if *id == "" {
		return listDeleted(ctx, c, store)
	}
	value, err := store.RecoverSecret(ctx, connection.VaultOwner(*id))
	if problem.Is(err, problem.NotFound) {
		return fmt.Errorf("no connection %q was deleted within the last 30 days: without --connection, this command lists those that were", *id)
	}
	if err != nil {
		return err
	}
	credential, err := connection.DecodeCredential(value)
	if err != nil {
		return err
	}
	if credential.Method == tableau.PersonalAccessToken {
		c.printf("token name: %s\ntoken secret: %s\n", credential.TokenName, credential.Secret.Reveal())
		return nil
	}
	c.printf("user: %s\npassword: %s\n", credential.Username, credential.Secret.Reveal())
	return nil
}

// listDeleted prints the deleted connections whose secret is still there, one a
// line: what their history says of the deletion, and until when it can be had.
func listDeleted(ctx context.Context, c command, store *local.Store) error {
	removed, err := store.RemovedSecrets(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, r := range removed {
		id, ok := strings.CutPrefix(r.Owner, connection.VaultOwner(""))
		if !ok {
			continue // of a destination
		}
		found = true
		events, _, err := store.Events(ctx, id, time.Time{}, "", 1)
		if err != nil {
			return err
		}
		what := "deleted"
		if len(events) > 0 {
			what = events[0].Summary
		}
		c.printf("%s  until %s  %s\n", id, r.RemovedAt.Add(connection.SecretKept).UTC().Format(time.DateOnly), what)
	}
	if !found {
		_, _ = fmt.Fprintln(c.stderr, "vizpost: no connection was deleted within the last 30 days")
	}
	return nil
}
