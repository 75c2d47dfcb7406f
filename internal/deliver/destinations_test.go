package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

const webhook = "https://hooks.slack.com/services/T/B/one"

// desk is a destination service with everything behind it in memory.
type desk struct {
	*deliver.Destinations
	rows   map[string]deliver.Destination
	vault  map[string]string // by owner@version
	posted []string          // addresses and messages
	clock  time.Time

	before    func() // ahead of the next write, once
	storeFail error
	postFail  error
	dropFail  error
}

func newDesk() *desk {
	d := &desk{rows: map[string]deliver.Destination{}, vault: map[string]string{},
		clock: time.Date(2026, time.November, 23, 8, 30, 0, 0, time.UTC)}
	ids := 0
	d.Destinations = &deliver.Destinations{Store: d, Vault: d, Poster: d, AllowedOrigins: []string{"http://127.0.0.1:9000"},
		Now:   func() time.Time { return d.clock },
		NewID: func() string { ids++; return fmt.Sprintf("v%d", ids) }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	return d
}

func (d *desk) CreateDestination(_ context.Context, row deliver.Destination) error {
	if d.storeFail != nil {
		return d.storeFail
	}
	if _, ok := d.rows[row.ID]; ok {
		return problem.Changed("destination")
	}
	row.Rev = 1
	d.rows[row.ID] = row
	return nil
}

func (d *desk) Destination(_ context.Context, id string) (deliver.Destination, error) {
	row, ok := d.rows[id]
	if !ok {
		return row, problem.Missing("destination", id)
	}
	return row, nil
}

func (d *desk) UpdateDestination(_ context.Context, row deliver.Destination) error {
	if f := d.before; f != nil {
		d.before = nil
		f()
	}
	switch old, ok := d.rows[row.ID]; {
	case d.storeFail != nil:
		return d.storeFail
	case !ok:
		return problem.Missing("destination", row.ID)
	case old.Rev != row.Rev:
		return problem.Changed("destination")
	}
	row.Rev++
	d.rows[row.ID] = row
	return nil
}

func (d *desk) DeleteDestination(_ context.Context, id string, rev int64) error {
	if d.rows[id].Rev != rev {
		return problem.Changed("destination")
	}
	delete(d.rows, id)
	return d.storeFail
}

func (d *desk) PutSecret(_ context.Context, owner, version string, value []byte) error {
	d.vault[owner+"@"+version] = string(value)
	return nil
}

func (d *desk) Secret(_ context.Context, owner, version string) ([]byte, error) {
	value, ok := d.vault[owner+"@"+version]
	if !ok {
		return nil, problem.Missing("secret", owner)
	}
	return []byte(value), nil
}

func (d *desk) DropSecret(_ context.Context, owner, version string) error {
	if d.dropFail != nil {
		return d.dropFail
	}
	delete(d.vault, owner+"@"+version)
	return nil
}

func (d *desk) RemoveSecret(_ context.Context, owner string) error {
	maps.DeleteFunc(d.vault, func(key, _ string) bool { return strings.HasPrefix(key, owner+"@") })
	return nil
}

func (d *desk) Post(_ context.Context, address secret.Text, body []byte) (deliver.Receipt, error) {
	d.posted = append(d.posted, address.Reveal()+" "+string(body))
	return deliver.Receipt{}, d.postFail
}

// shelf is the desk's store under the method name that the service's List has
// too.
func (d *desk) List(ctx context.Context, after string, limit int) ([]deliver.Destination, string, error) {
	return d.Destinations.List(ctx, after, limit)
}

func (d *desk) make(t *testing.T) deliver.Destination {
	t.Helper()
	row, err := d.Create(t.Context(), "D1", "#sales", "slack", secret.New(webhook))
	if err != nil {
		t.Fatal(err)
	}
	return row
}
