package local

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

// KeyFile is the name of the file, beside the database, with the key that
// seals the secrets: 32 random bytes in hexadecimal, mode 0600. Who has the
// database alone cannot read them; a backup needs both, kept apart.
const KeyFile = "vizpost.key"

// keyCheck is sealed into each database, so that another key is noticed.
const keyCheck = "vizpost key check"

// vault seals and opens secrets with AES-256-GCM.
type vault struct{ aead cipher.AEAD }

// seal encrypts a value so that it opens only as this version of this owner's
// secret.
func (v vault) seal(owner, version string, value []byte) []byte {
	return v.aead.Seal(nil, nil, value, additionalData(owner, version))
}

func (v vault) open(owner, version string, sealed []byte) ([]byte, error) {
	return v.aead.Open([]byte{}, nil, sealed, additionalData(owner, version))
}

// additionalData joins two names so that no other two give the same.
func additionalData(owner, version string) []byte {
	return []byte(strconv.Itoa(len(owner)) + ":" + owner + version)
}

func newVault(key []byte) (vault, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return vault{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return vault{aead}, err
}

// openVault prepares the key for use. A database that was never opened before
// gets one; the write lock sees to it that of several processes one makes it.
func (s *Store) openVault(ctx context.Context, keyPath string) (v vault, err error) {
	err = s.update(ctx, "reading the key "+keyPath, func(tx *sql.Tx) error {
		var check []byte
		err := tx.QueryRowContext(ctx, "SELECT sealed FROM vault_key").Scan(&check)
		fresh := errors.Is(err, sql.ErrNoRows)
		if err != nil && !fresh {
			return err
		}
		if fresh {
			if err := makeKey(keyPath); err != nil {
				return err
			}
		}
		key, err := readKey(keyPath)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the file is missing, and without it the secrets in the database cannot be read: put it back from your backup (%w)", err)
		}
		if err != nil {
			return err
		}
		if v, err = newVault(key); err != nil {
			return err
		}
		if fresh {
			_, err = tx.ExecContext(ctx, "INSERT INTO vault_key (only, sealed) VALUES (1, ?)", v.seal("", "", []byte(keyCheck)))
			return err
		}
		if plain, err := v.open("", "", check); err != nil || string(plain) != keyCheck {
			return errors.New("the file holds another key than the one that sealed the secrets in the database: put the right one back from your backup")
		}
		return nil
	})
	return v, err
}

// makeKey makes the key file, unless it is there: then it was made by hand, or
// by a process that stopped before it could note the key in the database.
func makeKey(path string) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand
	return CreateWhole(path, []byte(hex.EncodeToString(key)+"\n"))
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("the file has mode %#o, so other users of this machine can reach the key: run chmod 600 %s",
			mode, filepath.Base(path))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		// The cause could quote the key.
		return nil, errors.New("the file does not hold a key of 64 hexadecimal digits: put it back from your backup")
	}
	return key, nil
}

// PutSecret implements [connection.Vault].
func (s *Store) PutSecret(ctx context.Context, owner, version string, value []byte) error {
	sealed := s.vault.seal(owner, version, value)
	return s.update(ctx, "storing a secret", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO secrets (owner, version, sealed, created_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (owner, version) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at, removed_at = NULL`,
			owner, version, sealed, micros(s.Now()))
		return err
	})
}

// Secret implements [connection.Vault].
func (s *Store) Secret(ctx context.Context, owner, version string) ([]byte, error) {
	var sealed []byte
	err := s.read.QueryRowContext(ctx, "SELECT sealed FROM secrets WHERE owner = ? AND version = ? AND removed_at IS NULL", owner, version).
		Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.New(problem.NotFound, problem.CodeNotFound, "The stored secret does not exist any more. Enter it again.")
	}
	if err != nil {
		return nil, storeError("reading a secret", err)
	}
	value, err := s.vault.open(owner, version, sealed)
	if err != nil {
		return nil, fmt.Errorf("opening a sealed secret: %w", err)
	}
	return value, nil
}

// SecretVersions implements [connection.Vault].
func (s *Store) SecretVersions(ctx context.Context, owner string) (versions []secret.Version, err error) {
	const what = "listing the versions of a secret"
	rows, err := s.read.QueryContext(ctx, "SELECT version, created_at FROM secrets WHERE owner = ? AND removed_at IS NULL", owner)
	if err != nil {
		return nil, storeError(what, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v secret.Version
		var at int64
		if err := rows.Scan(&v.Name, &at); err != nil {
			return nil, storeError(what, err)
		}
		v.PutAt = fromMicros(at)
		versions = append(versions, v)
	}
	return versions, rows.Err()
}

// DropSecret implements [connection.Vault].
func (s *Store) DropSecret(ctx context.Context, owner, version string) error {
	return s.update(ctx, "dropping a secret", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM secrets WHERE owner = ? AND version = ? AND removed_at IS NULL", owner, version)
		return err
	})
}

// RemoveSecret implements [connection.Vault].
func (s *Store) RemoveSecret(ctx context.Context, owner string) error {
	return s.update(ctx, "removing a secret", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE secrets SET removed_at = ? WHERE owner = ? AND removed_at IS NULL", micros(s.Now()), owner)
		return err
	})
}

// RemovedSecret is the secret of something that was deleted.
type RemovedSecret struct {
	Owner     string // such as "connection/01K…"
	RemovedAt time.Time
}

// RemovedSecrets lists the secrets that can be recovered, the last removed
// first.
func (s *Store) RemovedSecrets(ctx context.Context) (removed []RemovedSecret, err error) {
	const what = "listing removed secrets"
	rows, err := s.read.QueryContext(ctx, `SELECT owner, max(removed_at) AS at FROM secrets
		WHERE removed_at IS NOT NULL GROUP BY owner ORDER BY at DESC, owner`)
	if err != nil {
		return nil, storeError(what, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r RemovedSecret
		var at int64
		if err := rows.Scan(&r.Owner, &at); err != nil {
			return nil, storeError(what, err)
		}
		r.RemovedAt = fromMicros(at)
		removed = append(removed, r)
	}
	return removed, rows.Err()
}

// RecoverSecret reads the version of a removed secret that was stored last,
// for an operator who deleted too much. It stays removed. NotFound when there is
// none, or no longer.
func (s *Store) RecoverSecret(ctx context.Context, owner string) ([]byte, error) {
	var version string
	var sealed []byte
	err := s.read.QueryRowContext(ctx, `SELECT version, sealed FROM secrets WHERE owner = ? AND removed_at IS NOT NULL
		ORDER BY created_at DESC, version DESC LIMIT 1`, owner).Scan(&version, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.New(problem.NotFound, problem.CodeNotFound, "There is no removed secret of this name, or it is not kept any more.")
	}
	if err != nil {
		return nil, storeError("reading a removed secret", err)
	}
	value, err := s.vault.open(owner, version, sealed)
	if err != nil {
		return nil, fmt.Errorf("opening a sealed secret: %w", err)
	}
	return value, nil
}

// PurgeRemovedSecrets forgets for good the secrets that were removed before a
// time.
func (s *Store) PurgeRemovedSecrets(ctx context.Context, before time.Time) error {
	return s.update(ctx, "purging removed secrets", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM secrets WHERE removed_at < ?", micros(before))
		return err
	})
}
