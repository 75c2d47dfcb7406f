package main_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/local"
)

// The scripts in testdata describe the command as its users see it. They run
// the built command, in processes of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "vizpost"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			return makeDeleted(filepath.Join(env.WorkDir, "deleted"))
		},
	})
}

// makeDeleted makes a data folder from which two connections were deleted.
func makeDeleted(dir string) error {
	ctx := context.Background()
	store, err := local.OpenStore(ctx, filepath.Join(dir, "vizpost.db"))
	if err != nil {
		return err
	}
	defer store.Close()
	key := strings.Repeat("A", 43) + "="
	for id, credential := range map[string]string{
		"token":    `{"method":"personal_access_token","token_name":"reports","secret":"canary-one:two","session_key":"` + key + `"}`,
		"password": `{"method":"username_password","username":"ana@example.com","secret":"canary-three","session_key":"` + key + `"}`,
		"used":     `{"method":"username_password","username":"rui@example.com","secret":"canary-four","session_key":"` + key + `"}`,
	} {
		c := connection.Connection{ID: id, Fingerprint: id, CredentialVersion: "v1"}
		if err := errors.Join(store.CreateConnection(ctx, c, nil), store.PutSecret(ctx, connection.VaultOwner(id), "v1", []byte(credential))); err != nil {
			return err
		}
		if id == "used" {
			continue
		}
		e := connection.Event{ID: "01", At: time.Now(), Action: connection.Deleted, Summary: "The connection " + id + " was deleted.", Slot: "edit-001"}
		if err := errors.Join(store.DeleteConnection(ctx, id, 1, e), store.RemoveSecret(ctx, connection.VaultOwner(id))); err != nil {
			return err
		}
	}
	return nil
}
