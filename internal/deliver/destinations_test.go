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
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

const webhook = "https://hooks.slack.com/services/T/B/one"

// desk is what lies behind a destination service.
type desk struct {
	rows   map[string]deliver.Destination
	vault  map[string]string // by owner@version
	putAt  map[string]time.Time
	posted []string // addresses and messages
	clock  time.Time
	seenAt time.Time // until then, no address can be read

	before    func() // ahead of the next write, once
	storeFail error
	lost      error // answers writes that were made, of which the answer was lost
	postFail  error
	dropFail  error
}

func newDesk() (*deliver.Destinations, *desk) {
	d := &desk{rows: map[string]deliver.Destination{}, vault: map[string]string{}, putAt: map[string]time.Time{},
		clock: time.Date(2026, time.November, 23, 8, 30, 0, 0, time.UTC)}
	ids := 0
	return &deliver.Destinations{Store: d, Vault: d, Poster: d, AllowedOrigins: []string{"http://127.0.0.1:9000"},
		Now:   func() time.Time { return d.clock },
		NewID: func() string { ids++; return fmt.Sprintf("v%d", ids) }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, d
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
	return d.lost
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
	return d.lost
}

func (d *desk) DeleteDestination(_ context.Context, id string, rev int64) error {
	if d.rows[id].Rev != rev {
		return problem.Changed("destination")
	}
	delete(d.rows, id)
	return d.storeFail
}

func (d *desk) PutSecret(_ context.Context, owner, version string, value []byte) error {
	d.vault[owner+"@"+version], d.putAt[owner+"@"+version] = string(value), d.clock
	return nil
}

func (d *desk) Secret(_ context.Context, owner, version string) ([]byte, error) {
	value, ok := d.vault[owner+"@"+version]
	if !ok || time.Now().Before(d.seenAt) {
		return nil, problem.Missing("secret", owner)
	}
	return []byte(value), nil
}

func (d *desk) SecretVersions(_ context.Context, owner string) ([]secret.Version, error) {
	var versions []secret.Version
	for key := range d.vault {
		if name, ok := strings.CutPrefix(key, owner+"@"); ok {
			versions = append(versions, secret.Version{Name: name, PutAt: d.putAt[key]})
		}
	}
	return versions, nil
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

func (d *desk) Post(_ context.Context, address secret.Text, body []byte, _ deliver.Begin) (deliver.Receipt, error) {
	d.posted = append(d.posted, address.Reveal()+" "+string(body))
	return deliver.Receipt{}, d.postFail
}

func (d *desk) Destinations(_ context.Context, after string, limit int) ([]deliver.Destination, string, error) {
	var out []deliver.Destination
	for _, id := range slices.Sorted(maps.Keys(d.rows)) {
		if id > after && len(out) < limit {
			out = append(out, d.rows[id])
		}
	}
	return out, "", d.storeFail
}

// kept makes a destination.
func kept(t *testing.T, s *deliver.Destinations) deliver.Destination {
	t.Helper()
	row, err := s.Create(t.Context(), "D1", "#sales", "slack", secret.New(webhook))
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestDestinationIsKept(t *testing.T) {
	t.Parallel()
	s, d := newDesk()
	got, err := s.Create(t.Context(), "D1", " #sales ", "slack", secret.New(" "+webhook+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := deliver.Destination{ID: "D1", Name: "#sales", Type: "slack", SecretVersion: "v1", State: deliver.DestinationUntested,
		Version: 1, Rev: 1, CreatedAt: d.clock, UpdatedAt: d.clock}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the destination (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, d.rows["D1"]); diff != "" {
		t.Errorf("the stored destination (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"destination/D1@v1": webhook}, d.vault); diff != "" {
		t.Errorf("the vault (-want +got):\n%s", diff)
	}
	address, row, err := s.Reveal(t.Context(), "D1")
	if err != nil || address.Reveal() != webhook || row.Name != "#sales" {
		t.Errorf("revealed %q of %q, %v", address.Reveal(), row.Name, err)
	}
	if _, err := s.Create(t.Context(), "D1", "other", "slack", secret.New(webhook)); !problem.Is(err, problem.Stale) {
		t.Errorf("the same id again: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"destination/D1@v1": webhook}, d.vault); diff != "" {
		t.Errorf("the vault after the same id again (-want +got):\n%s", diff)
	}
	if list, _, err := s.List(t.Context(), "", 10); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
	if _, err := s.Get(t.Context(), "D2"); !problem.Is(err, problem.NotFound) {
		t.Errorf("what is missing: %v", err)
	}
}

func TestDestinationIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, label, kind, url string
		want                   []string
	}{
		{"nothing", "", "", "", []string{"name", "type", "url"}},
		{"long name", strings.Repeat("ü", 201), "slack", webhook, []string{"name"}},
		{"name with a line break", "a\nb", "slack", webhook, []string{"name"}},
		{"unknown type", "a", "teams", webhook, []string{"type"}},
		{"webhook elsewhere", "a", "slack", "https://example.com/hidden", []string{"url"}},
		{"webhook in the clear", "a", "slack", "http://hooks.slack.com/services/T/B/hidden", []string{"url"}},
		{"no address", "a", "slack", "hidden", []string{"url"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, d := newDesk()
			_, err := s.Create(t.Context(), "D1", test.label, test.kind, secret.New(test.url))
			p, ok := problem.From(err)
			if !ok || p.Kind != problem.Invalid {
				t.Fatalf("the error is %v", err)
			}
			var got []string
			for _, f := range p.Fields {
				got = append(got, f.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows the address: %v", err)
			}
			if len(d.rows)+len(d.vault) != 0 {
				t.Errorf("something was stored: %v %v", d.rows, d.vault)
			}
		})
	}
	s, _ := newDesk()
	if _, err := s.Create(t.Context(), "D1", "a", "slack", secret.New("http://127.0.0.1:9000/hook")); err != nil {
		t.Errorf("an allowed origin: %v", err)
	}
}

func TestDestinationEdits(t *testing.T) {
	t.Parallel()
	s, d := newDesk()
	kept(t, s)
	if err := s.Break(t.Context(), "D1", "The webhook was removed."); err != nil {
		t.Fatal(err)
	}
	if row := d.rows["D1"]; row.State != deliver.DestinationBroken || row.Problem != "The webhook was removed." || row.Version != 1 {
		t.Errorf("broken: %+v", row)
	}
	name := "#emea"
	got, err := s.Edit(t.Context(), "D1", deliver.DestinationEdit{Name: &name, IfVersion: 1})
	if err != nil || got.Name != name || got.Version != 2 || got.State != deliver.DestinationBroken {
		t.Errorf("a new name: %+v, %v", got, err)
	}
	if _, err := s.Edit(t.Context(), "D1", deliver.DestinationEdit{Name: &name, IfVersion: 1}); !problem.Is(err, problem.Stale) {
		t.Errorf("an edit of an older version: %v", err)
	}

	address := secret.New("https://hooks.slack.com/services/T/B/two")
	d.before = func() { // the drain writes in between
		row := d.rows["D1"]
		row.Rev++
		d.rows["D1"] = row
	}
	got, err = s.Edit(t.Context(), "D1", deliver.DestinationEdit{URL: &address, IfVersion: 2})
	if err != nil || got.State != deliver.DestinationUntested || got.Problem != "" || got.Version != 3 {
		t.Errorf("a new address: %+v, %v", got, err)
	}
	if diff := cmp.Diff(map[string]string{"destination/D1@" + got.SecretVersion: address.Reveal()}, d.vault); diff != "" {
		t.Errorf("the vault (-want +got):\n%s", diff)
	}
	if _, err := s.Edit(t.Context(), "D2", deliver.DestinationEdit{URL: &address}); !problem.Is(err, problem.NotFound) {
		t.Errorf("an edit of what is missing: %v", err)
	}
	wrong := secret.New("https://example.com/")
	if _, err := s.Edit(t.Context(), "D1", deliver.DestinationEdit{URL: &wrong}); !problem.Is(err, problem.Invalid) {
		t.Errorf("a webhook elsewhere: %v", err)
	}
	if len(d.vault) != 1 {
		t.Errorf("the vault keeps %v", slices.Collect(maps.Keys(d.vault)))
	}
}

// TestAddressIsNeverHalfReplaced breaks off a new address at each step.
func TestAddressIsNeverHalfReplaced(t *testing.T) {
	t.Parallel()
	address := secret.New("https://hooks.slack.com/services/T/B/two")
	tests := []struct {
		name string
		fail func(*desk)
		want string // the address in force
		keep int    // addresses in the vault
	}{
		{"refused", func(d *desk) {
			d.before = func() { // somebody else's edit
				row := d.rows["D1"]
				row.Version, row.Rev = row.Version+1, row.Rev+1
				d.rows["D1"] = row
			}
		}, webhook, 1},
		{"unclear whether it was stored", func(d *desk) { d.storeFail = errors.New("no answer") }, webhook, 2},
		{"the old one is not dropped", func(d *desk) { d.dropFail = errors.New("no answer") }, address.Reveal(), 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, d := newDesk()
			kept(t, s)
			test.fail(d)
			_, err := s.Edit(t.Context(), "D1", deliver.DestinationEdit{URL: &address, IfVersion: 1})
			if succeeded := err == nil; succeeded != (test.want == address.Reveal()) {
				t.Errorf("the edit says %v", err)
			}
			d.storeFail = nil
			if got, _, err := s.Reveal(t.Context(), "D1"); err != nil || got.Reveal() != test.want {
				t.Errorf("in force is %q, %v", got.Reveal(), err)
			}
			if len(d.vault) != test.keep {
				t.Errorf("the vault keeps %d addresses, want %d", len(d.vault), test.keep)
			}
		})
	}
}

func TestDestinationTest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fail  error
		kind  problem.Kind
		state string
	}{
		{"arrives", nil, 0, deliver.DestinationWorks},
		{"refused for good", &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "m", BreaksDestination: true}, problem.Conflict, deliver.DestinationBroken},
		{"refused once", &deliver.SendError{Outcome: deliver.Refused, Code: "msg_too_long", Message: "m"}, problem.Conflict, deliver.DestinationUntested},
		{"busy", &deliver.SendError{Outcome: deliver.Deferred, Code: "rate_limited", Message: "m", RetryAfter: time.Minute}, problem.Unavailable, deliver.DestinationUntested},
		{"unclear", &deliver.SendError{Outcome: deliver.Unknown, Code: "no_answer", Message: "m"}, problem.Unavailable, deliver.DestinationUntested},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, d := newDesk()
			kept(t, s)
			d.postFail = test.fail
			got, err := s.Test(t.Context(), "D1")
			if row := d.rows["D1"]; row.State != test.state || row.Version != 1 {
				t.Errorf("afterwards it is %+v", row)
			}
			if len(d.posted) != 1 || !strings.HasPrefix(d.posted[0], webhook+" {") || !strings.Contains(d.posted[0], "#sales") {
				t.Errorf("posted was %q", d.posted)
			}
			if test.fail == nil {
				if err != nil || got.ID != "D1" {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			var sent *deliver.SendError
			p, ok := problem.From(err)
			if !ok || !errors.As(test.fail, &sent) || p.Kind != test.kind || p.Code != sent.Code || p.After != sent.RetryAfter {
				t.Errorf("the error is %+v", p)
			}
		})
	}

	// A success repairs; a template in the name is only a name.
	s, d := newDesk()
	if _, err := s.Create(t.Context(), "D1", "{{ nobody }}", "slack", secret.New(webhook)); err != nil {
		t.Fatal(err)
	}
	if err := s.Break(t.Context(), "D1", "why"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Test(t.Context(), "D1"); err != nil || got.State != deliver.DestinationWorks || got.Problem != "" {
		t.Errorf("after a test that arrived: %+v, %v", got, err)
	}
	if !strings.Contains(d.posted[0], "{{ nobody }}") {
		t.Errorf("posted was %q", d.posted)
	}
}

// TestOldAddressDoesNotBreakTheNew replaces the address while a message is
// under way to the old one.
func TestOldAddressDoesNotBreakTheNew(t *testing.T) {
	t.Parallel()
	s, d := newDesk()
	kept(t, s)
	d.postFail = &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "m", BreaksDestination: true}
	d.before = func() {
		address := secret.New("https://hooks.slack.com/services/T/B/two")
		if _, err := s.Edit(t.Context(), "D1", deliver.DestinationEdit{URL: &address}); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Test(t.Context(), "D1"); !problem.Is(err, problem.Conflict) {
		t.Errorf("the test says %v", err)
	}
	if row := d.rows["D1"]; row.State != deliver.DestinationUntested {
		t.Errorf("the new address is %s", row.State)
	}
}

func TestDestinationIsDeleted(t *testing.T) {
	t.Parallel()
	s, d := newDesk()
	kept(t, s)
	if err := s.Delete(t.Context(), "D1", 2); !problem.Is(err, problem.Stale) {
		t.Errorf("another version: %v", err)
	}
	if err := s.Delete(t.Context(), "D1", 1); err != nil {
		t.Fatal(err)
	}
	if len(d.rows)+len(d.vault) != 0 {
		t.Errorf("left are %v %v", d.rows, d.vault)
	}
	if err := s.Delete(t.Context(), "D1", 0); !problem.Is(err, problem.NotFound) {
		t.Errorf("deleting again: %v", err)
	}
	if err := s.Break(t.Context(), "D1", "why"); err != nil {
		t.Errorf("breaking what is gone: %v", err)
	}
	if _, _, err := s.Reveal(t.Context(), "D1"); !problem.Is(err, problem.NotFound) {
		t.Errorf("revealing what is gone: %v", err)
	}
}

// A store may apply a write, lose the answer and refuse its own repeat, or say
// nothing: then what the destination names stays in the vault.
func TestARefusalOfAWriteThatWasMadeDropsNoAddress(t *testing.T) {
	t.Parallel()
	unsure := problem.New(problem.Unavailable, problem.CodeUnavailable, "The database is busy.")
	unsure.Unsure = true
	for name, lost := range map[string]error{
		"stale": problem.Changed("destination"), "missing": problem.Missing("destination", "D1"),
		"busy": unsure, "no answer": errors.New("connection reset by peer"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, d := newDesk()
			d.lost = lost
			made, err := s.Create(t.Context(), "D1", "#sales", "slack", secret.New(webhook))
			if err != nil || d.vault["destination/D1@"+made.SecretVersion] != webhook {
				t.Fatalf("making: got %+v, error %v, vault %v", made, err, d.vault)
			}
			other := secret.New(webhook + "-2")
			edited, err := s.Edit(t.Context(), "D1", deliver.DestinationEdit{URL: &other})
			if err != nil || edited.SecretVersion == made.SecretVersion || edited.Version != 2 {
				t.Fatalf("editing: got %+v, error %v", edited, err)
			}
			want := map[string]string{"destination/D1@" + edited.SecretVersion: webhook + "-2"}
			if diff := cmp.Diff(want, d.vault); diff != "" {
				t.Errorf("vault (-want +got):\n%s", diff)
			}
		})
	}
}

// What may have been written after all keeps its secret: nobody knows that
// nothing names it.
func TestAnOpenWriteKeepsTheAddress(t *testing.T) {
	t.Parallel()
	busy := problem.New(problem.Unavailable, problem.CodeUnavailable, "The database is busy.")
	s, d := newDesk()
	d.storeFail = busy
	if _, err := s.Create(t.Context(), "D1", "#sales", "slack", secret.New(webhook)); !problem.Is(err, problem.Unavailable) {
		t.Errorf("got error %v, want that the database is busy", err)
	}
	if len(d.vault) != 1 {
		t.Errorf("got %d addresses in the vault, want the one that may be named", len(d.vault))
	}
}

// A destination whose address is gone is broken and says so; one whose address
// was brought back works again, by whoever looks first.
func TestAnAddressThatIsGone(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(s *deliver.Destinations) error{
		"found by care": func(s *deliver.Destinations) error { return s.Care(t.Context()) },
		"found by use": func(s *deliver.Destinations) error {
			_, _, err := s.Reveal(t.Context(), "D1")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, d := newDesk()
				row := kept(t, s)
				key := "destination/D1@" + row.SecretVersion
				delete(d.vault, key)
				for range 2 {
					_, err := s.Test(t.Context(), "D1")
					if !problem.Is(err, problem.Conflict) || !problem.HasCode(err, deliver.CodeSecretMissing) || !strings.Contains(err.Error(), "Enter the address again") {
						t.Errorf("got error %v, want that the address is missing", err)
					}
				}
				if got := d.rows["D1"]; got.State != deliver.DestinationBroken || got.ProblemCode != deliver.CodeSecretMissing ||
					!strings.Contains(got.Problem, "Enter it again") || got.Version != row.Version {
					t.Errorf("got %+v, want it broken with %s", got, deliver.CodeSecretMissing)
				}
				if err := s.Care(t.Context()); err != nil || d.rows["D1"].State != deliver.DestinationBroken {
					t.Errorf("got error %v and %+v, want it broken as long as the address is gone", err, d.rows["D1"])
				}
				d.vault[key] = webhook
				if err := back(s); err != nil {
					t.Fatal(err)
				}
				if got := d.rows["D1"]; got.State != deliver.DestinationUntested || got.Problem != "" || got.ProblemCode != "" {
					t.Errorf("got %+v, want it mended", got)
				}
			})
		})
	}
}

// An address that is not seen at once breaks nothing.
func TestAnAddressThatIsNotSeenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := newDesk()
		kept(t, s)
		d.seenAt = time.Now().Add(time.Second)
		if address, got, err := s.Reveal(t.Context(), "D1"); err != nil || address.Reveal() != webhook || got.State != deliver.DestinationUntested {
			t.Errorf("got %+v, error %v; want the address", got, err)
		}
	})
}

// Care drops what interrupted edits left, but not what an edit may just have put,
// and nothing while what is named is not there.
func TestCareDropsWhatInterruptedEditsLeft(t *testing.T) {
	t.Parallel()
	s, d := newDesk()
	row := kept(t, s)
	named := "destination/D1@" + row.SecretVersion
	d.vault["destination/D1@old"], d.putAt["destination/D1@old"] = "old", d.clock.Add(-2*time.Hour)
	d.vault["destination/D1@late"], d.putAt["destination/D1@late"] = "late", d.clock.Add(-time.Minute)
	care := func(want ...string) {
		t.Helper()
		if err := s.Care(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(d.vault)); !slices.Equal(got, want) {
			t.Errorf("got the addresses %v, want %v", got, want)
		}
	}
	delete(d.vault, named)
	care("destination/D1@late", "destination/D1@old")
	d.vault[named] = webhook
	care("destination/D1@late", named)
	d.clock = d.clock.Add(2 * time.Hour)
	care(named)
}
