package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

// Outbox is a directory where emails end as .eml files, for a machine without
// an SMTP server. It makes the directory if it is missing and implements
// [deliver.Mailer]: a file bears the name of its delivery's key, so that
// sending again changes nothing.
type Outbox struct {
	Dir string
}

var _ deliver.Mailer = Outbox{}

// Send implements [deliver.Mailer].
func (o Outbox) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	name := outboxName(e.Key)
	if err := o.write(ctx, name, e); err != nil {
		if notBegun, ok := errors.AsType[*deliver.SendError](err); ok {
			return deliver.Receipt{}, notBegun
		}
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Deferred, Code: "outbox", Err: err,
			Message: "The email could not be written to the outbox folder. Check that there is room on the disk and that vizpost may write there."}
	}
	return deliver.Receipt{Where: "outbox/" + name}, nil
}

func (o Outbox) write(ctx context.Context, name string, e deliver.Envelope) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path := filepath.Join(o.Dir, name)
	if _, err := os.Lstat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(o.Dir, unfinished+"*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err := e.Message.WriteTo(temp); err != nil {
		_ = temp.Close()
		return err
	}
	if err := writeSynced(temp, nil); err != nil {
		return err
	}
	if err := e.Begin.Do(ctx); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(o.Dir)
}

const outboxExtension = ".eml"

// outboxName makes a file's name of a key: the key itself where it is a safe
// name, else what is safe of it and a digest, so that no two keys share one.
func outboxName(key string) string {
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", r) {
			return r
		}
		return '_'
	}, key)
	const longest = 100
	if safe == key && key != "" && len(key) <= longest && key[0] != '.' && key[0] != '-' {
		return key + outboxExtension
	}
	digest := sha256.Sum256([]byte(key))
	safe = strings.TrimLeft(safe[:min(len(safe), longest)], ".-")
	return safe + "~" + hex.EncodeToString(digest[:8]) + outboxExtension
}

// unfinished begins the name of a message that is being written.
const unfinished = ".mail-"

// Sweep removes messages that a process left which ended while it wrote them:
// those of before a time at which nobody still writes one.
func (o Outbox) Sweep(before time.Time) error {
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for unfinished messages: %w", err)
	}
	var failures []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), unfinished) || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			err = os.Remove(filepath.Join(o.Dir, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = append(failures, fmt.Errorf("removing an unfinished message: %w", err))
		}
	}
	return errors.Join(failures...)
}

// List gives the messages that there are: their names, sizes and times. A
// folder that does not exist yet is empty.
func (o Outbox) List(context.Context) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the outbox: %w", err)
	}
	var messages []fs.FileInfo
	for _, entry := range entries {
		if !isOutboxName(entry.Name()) || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return nil, fmt.Errorf("listing the outbox: %w", err)
		}
		messages = append(messages, info)
	}
	return messages, nil
}

// Open opens a message by the name that List gave; the caller closes it.
// NotFound when there is none.
func (o Outbox) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if !isOutboxName(name) {
		return nil, problem.Missing("mail", name)
	}
	f, err := os.OpenInRoot(o.Dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.Missing("mail", name)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a message in the outbox: %w", err)
	}
	return f, nil
}

func isOutboxName(name string) bool {
	return strings.HasSuffix(name, outboxExtension) && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, "/\\\x00")
}
