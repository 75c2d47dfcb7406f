package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// Credentials holds a store to what connections promise of their credentials
// with the real [connection.Service] over it: whatever races, crashes or is
// down, a connection works with its old credential or its new one, whole.
func Credentials(t *testing.T, open func(t *testing.T) Store) {
	for name, check := range map[string]func(d *desk){
		"edits race":                            editsRace,
		"an edit races with the session":        editRacesSession,
		"everything at once":                    crowd,
		"a crash in connecting":                 func(d *desk) { d.atEachFailure(connecting()) },
		"a crash in an edit":                    func(d *desk) { d.atEachFailure(editing(true)) },
		"a crash in an edit of the same token":  func(d *desk) { d.atEachFailure(editing(false)) },
		"a crash in a deletion":                 func(d *desk) { d.atEachFailure(deleting()) },
		"a crash in a sign-in":                  func(d *desk) { d.atEachFailure(signingIn()) },
		"the vault is down":                     vaultDown,
		"what was learned with an old one late": lateWorker,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(newDesk(t, open(t)))
		})
	}
}

// desk is a Tableau server and the services of several processes over one
// store. Its clock can be moved on, so that nobody waits for a lease to end.
type desk struct {
	*testing.T
	tableau *tableautest.Server
	store   Store
	ahead   atomic.Int64 // of the real time
	lastID  atomic.Int64
}

func newDesk(t *testing.T, s Store) *desk {
	return &desk{T: t, store: s, tableau: tableautest.New(tableautest.Options{})}
}

func (d *desk) now() time.Time {
	return time.Now().Add(time.Duration(d.ahead.Load())).UTC().Truncate(time.Microsecond)
}

func (d *desk) wait(by time.Duration) { d.ahead.Add(int64(by)) }

func (d *desk) newID() string { return fmt.Sprintf("01K%023d", d.lastID.Add(1)) }

type noHolds struct{}

func (noHolds) Prepare(context.Context, connection.Connection) error { return nil }
func (noHolds) Release(context.Context, connection.Connection) error { return nil }

// process makes the service of a process that remembers nothing.
func (d *desk) process(store connection.Store, vault connection.Vault) *connection.Service {
	return &connection.Service{
		Store: store, Vault: vault, Holds: noHolds{},
		Dial: func(server string) (*tableau.Client, error) {
			return tableau.NewClient(server, tableau.Options{Transport: tableautest.Transport{Handler: d.tableau}, Now: d.now})
		},
		CheckServer: func(context.Context, string) error { return nil },
		Now:         d.now, NewID: d.newID, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}
}

func (d *desk) fresh() *connection.Service { return d.process(d.store, d.store) }

// token makes a token in Tableau.
func (d *desk) token(name string) tableau.Credential {
	return tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(d.tableau.NewPAT("", name))}
}

func (d *desk) settings(token tableau.Credential) connection.Settings {
	return connection.Settings{Name: "Sales", ServerURL: "https://tableau.test", Site: d.tableau.Site(), Credential: token}
}

func (d *desk) connect(id string) (connection.Connection, tableau.Credential) {
	d.Helper()
	token := d.token("old-" + id)
	return must[connection.Connection](d.T)(d.fresh().Create(d.Context(), id, d.settings(token))), token
}

func look(ctx context.Context, client *tableau.Client, session tableau.Session) error {
	_, err := client.User(ctx, session, session.UserID)
	return err
}

// sessionsEnd lets all sessions end of disuse, and what bounds sign-ins pass.
func (d *desk) sessionsEnd() {
	d.tableau.Advance(5 * time.Hour)
	d.wait(11 * time.Minute)
}

// wantWorks checks that a connection works for a process that remembers
// nothing: with the session that there is, and without.
func (d *desk) wantWorks(id string) connection.Connection {
	d.Helper()
	succeed(d.T, d.fresh().Do(d.Context(), id, look))
	d.sessionsEnd()
	must[connection.TestResult](d.T)(d.fresh().Test(d.Context(), id))
	c := must[connection.Connection](d.T)(d.store.Connection(d.Context(), id))
	if c.State != connection.Connected || c.Problem != nil {
		d.Errorf("got the connection %s, %+v, want it connected", c.State, c.Problem)
	}
	same(d.T, must[string](d.T)(d.store.FingerprintOwner(d.Context(), c.Fingerprint)), id)
	return c
}

// operation is what is to survive a failure.
type operation struct {
	prepare func(d *desk, id string)
	run     func(d *desk, s *connection.Service, id string) error
	check   func(d *desk, id string, err error)
}

// atEachFailure runs an operation with another write that fails each time, in
// each of the ways in which one can. A crash right after a write is one before
// the next.
func (d *desk) atEachFailure(o operation) {
	for i, mode := range []*Failing{{Forever: true}, {}, {After: true}} {
		d.untilNoneFails(fmt.Sprintf("m%d", i), mode, o)
	}
}

func (d *desk) untilNoneFails(prefix string, mode *Failing, o operation) {
	for n := int64(1); ; n++ {
		id := fmt.Sprintf("%s-%d", prefix, n)
		o.prepare(d, id)
		failing := &Failing{Store: d.store, After: mode.After, Forever: mode.Forever, Secrets: mode.Secrets}
		failing.FailAt(n)
		err := o.run(d, d.process(failing, failing), id)
		d.wait(31 * time.Second) // a lease runs its course
		o.check(d, id, err)
		if d.Failed() {
			d.Fatalf("this was with the failure of write %d, %+v; the operation answered %v", n, mode, err)
		}
		if !failing.Failed() {
			succeed(d.T, err)
			return
		}
		if n == 50 {
			d.Fatal("there is no end of writes")
		}
	}
}

func connecting() operation {
	tokens := map[string]tableau.Credential{}
	return operation{
		prepare: func(d *desk, id string) { tokens[id] = d.token("new-" + id) },
		run: func(d *desk, s *connection.Service, id string) error {
			_, err := s.Create(d.Context(), id, d.settings(tokens[id]))
			return err
		},
		check: func(d *desk, id string, err error) {
			if _, readErr := d.store.Connection(d.Context(), id); readErr != nil {
				wantKind(d.T, readErr, problem.NotFound)
				if err == nil {
					d.Errorf("a connection that was made is not there")
				}
				must[connection.Connection](d.T)(d.fresh().Create(d.Context(), id, d.settings(tokens[id]))) // the token is not claimed
			}
			d.wantWorks(id)
			same(d.T, d.actions(id)[len(d.actions(id))-1], connection.Created)
		},
	}
}

// actions gives what the history tells, without tests.
func (d *desk) actions(id string) []connection.Action {
	d.Helper()
	events, _, err := d.store.Events(d.Context(), id, time.Time{}, "", 1000)
	succeed(d.T, err)
	var actions []connection.Action
	for _, e := range events {
		if e.Action != connection.Tested {
			actions = append(actions, e.Action)
		}
	}
	return actions
}

func editing(another bool) operation {
	tokens := map[string]tableau.Credential{}
	return operation{
		prepare: func(d *desk, id string) {
			_, old := d.connect(id)
			tokens[id] = old
			if another {
				tokens[id] = d.token("new-" + id)
			}
		},
		run: func(d *desk, s *connection.Service, id string) error {
			name, token := "Edited", tokens[id]
			_, err := s.Edit(d.Context(), id, connection.Edit{Name: &name, Credential: &token})
			return err
		},
		check: func(d *desk, id string, err error) {
			c := d.wantWorks(id)
			edited := c.Name == "Edited"
			if edited != (c.Version == 2) || another && edited != (c.Auth.TokenName == "new-"+id) || !edited && err == nil {
				d.Errorf("got %+v, want the old or the new, whole", c)
			}
			want := []connection.Action{connection.Created}
			if edited {
				want = []connection.Action{connection.CredentialChanged, connection.Created}
			}
			same(d.T, d.actions(id), want)
		},
	}
}

func deleting() operation {
	return operation{
		prepare: func(d *desk, id string) { d.connect(id) },
		run:     func(d *desk, s *connection.Service, id string) error { return s.Delete(d.Context(), id, 0) },
		check: func(d *desk, id string, err error) {
			if _, readErr := d.store.Connection(d.Context(), id); readErr == nil {
				d.wantWorks(id)
				return
			}
			same(d.T, d.actions(id), []connection.Action{connection.Deleted, connection.Created})
			if err != nil { // asking once more finishes it
				wantKind(d.T, d.fresh().Delete(d.Context(), id, 0), problem.NotFound)
			}
		},
	}
}

func signingIn() operation {
	return operation{
		prepare: func(d *desk, id string) {
			d.connect(id)
			d.sessionsEnd()
		},
		run:   func(d *desk, s *connection.Service, id string) error { return s.Do(d.Context(), id, look) },
		check: func(d *desk, id string, _ error) { d.wantWorks(id) },
	}
}

// vaultDown: a vault that does not answer breaks no connection.
func vaultDown(d *desk) {
	for i, o := range []operation{connecting(), editing(true), editing(false), deleting(), signingIn()} {
		for _, mode := range []*Failing{{Secrets: true, Forever: true}, {Secrets: true, After: true}} {
			d.untilNoneFails(fmt.Sprintf("o%d%v", i, mode.Forever), mode, o)
		}
	}
}

// editsRace: of credentials that are entered at once, one is in force and the
// others are refused; nobody's is half stored.
func editsRace(d *desk) {
	c, _ := d.connect("c")
	for round := range 4 {
		before := c.Version
		names := []string{fmt.Sprintf("a-%d", round), fmt.Sprintf("b-%d", round), fmt.Sprintf("c-%d", round)}
		tokens := make([]tableau.Credential, len(names))
		for i, name := range names {
			tokens[i] = d.token(name)
		}
		errs := race(4, func(i int) error {
			if i == 3 {
				name := fmt.Sprintf("Round %d", round)
				_, err := d.fresh().Edit(d.Context(), "c", connection.Edit{Name: &name})
				return err
			}
			_, err := d.fresh().Edit(d.Context(), "c", connection.Edit{Credential: &tokens[i]})
			return err
		})
		won := int64(0)
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				wantKind(d.T, err, problem.Stale)
			}
		}
		c = d.wantWorks("c")
		if won == 0 || c.Version != before+won {
			d.Errorf("got version %d after %d of version %d, want each edit that was answered and no other", c.Version, won, before)
		}
		last := ""
		for i, name := range names {
			if errs[i] == nil && c.Auth.TokenName == name {
				last = name
			}
		}
		if last == "" && strings.HasSuffix(c.Auth.TokenName, fmt.Sprintf("-%d", round)) {
			d.Errorf("got the token %q, whose edit was refused", c.Auth.TokenName)
		}
	}
}

// editRacesSession: the credential is edited while exports renew the session of
// the old one. No export fails for it.
func editRacesSession(d *desk) {
	d.connect("c")
	for round := range 4 {
		d.sessionsEnd()
		d.tableau.ResetStats()
		token := d.token(fmt.Sprintf("round-%d", round))
		processes := []*connection.Service{d.fresh(), d.fresh(), d.fresh()}
		for i, err := range race(7, func(i int) error {
			if i == 0 {
				_, err := processes[0].Edit(d.Context(), "c", connection.Edit{Credential: &token})
				return err
			}
			return processes[i%len(processes)].Do(d.Context(), "c", look)
		}) {
			if err != nil {
				d.Errorf("round %d: %d got error %v", round, i, err)
			}
		}
		if got := d.tableau.Stats(); got.SignIns > 2 || got.SignInsFailed > 0 {
			d.Errorf("got %d sign-ins and %d refused ones, want one of each token at most", got.SignIns, got.SignInsFailed)
		}
		same(d.T, d.wantWorks("c").Auth.TokenName, token.TokenName)
	}
}

// lateWorker: a process that still works with the old credential finds it
// refused, after a new one was entered. That says nothing of the new one.
func lateWorker(d *desk) {
	c, _ := d.connect("c")
	d.sessionsEnd()
	d.tableau.RevokeTokens("")
	token := d.token("new")
	worker := d.process(&slow{Store: d.store, before: func() {
		// It has read the connection and its credential; now it is to sign in.
		must[connection.Connection](d.T)(d.fresh().Edit(d.Context(), "c", connection.Edit{Credential: &token}))
	}}, d.store)
	if err := worker.Do(d.Context(), "c", look); err != nil {
		d.Errorf("got error %v, want the new credential to be used", err)
	}
	got := d.wantWorks("c")
	if got.CredentialVersion == c.CredentialVersion || got.Auth.TokenName != "new" {
		d.Errorf("got the credential %+v, want the new one", got.Auth)
	}
	for _, a := range d.actions("c") {
		if a == connection.Broke {
			d.Error("the old credential's refusal was noted of the new one")
		}
	}
}

// slow lets something happen before the first lease is taken.
type slow struct {
	Store
	before func()
}

func (s *slow) LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (connection.SignIn, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.LeaseSignIn(ctx, fingerprint, holder, now, until)
}
