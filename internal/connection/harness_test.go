package connection_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const serverURL = "https://tableau.test"

// world is a Tableau server, a store and a service, all in one synctest bubble:
// time passes only where a test sleeps or everybody waits.
type world struct {
	*testing.T
	tableau *tableautest.Server
	network *network
	store   *local.Store
	dir     string // of the store
	holds   *holds
	log     *journal
	lastID  atomic.Int64
	*connection.Service
}

// inBubble runs a test with a world of its own.
func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, tableau: tableautest.New(tableautest.Options{}), holds: &holds{}, log: &journal{}}
		w.network = &network{Transport: tableautest.Transport{Handler: w.tableau}}
		w.dir = t.TempDir()
		store, err := local.OpenStore(t.Context(), filepath.Join(w.dir, "vizpost.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		w.store = store
		w.Service = w.process(store, store)
		test(w)
		w.wantNoSecrets("the log", w.log.String())
	})
}

// process makes a service with a memory of its own, as another process has it.
func (w *world) process(store connection.Store, vault connection.Vault) *connection.Service {
	return &connection.Service{
		Store: store, Vault: vault, Holds: w.holds,
		Dial: func(server string) (*tableau.Client, error) {
			return tableau.NewClient(server, tableau.Options{Transport: w.network, Now: time.Now})
		},
		CheckServer: func(_ context.Context, server string) error {
			if strings.Contains(server, "blocked.test") {
				return errors.New("lies in a network that vizpost may not reach")
			}
			return nil
		},
		Now: time.Now, NewID: w.newID, Random: rand.Reader,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// twoProcesses are the service of the world and that of another process.
func (w *world) twoProcesses() []*connection.Service {
	return []*connection.Service{w.Service, w.process(w.store, w.store)}
}

// together calls n times at once, by the services in turn, and waits for all.
func together(n int, services []*connection.Service, call func(i int, s *connection.Service)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { call(i, services[i%len(services)]) })
	}
	group.Wait()
}

func (w *world) newID() string { return idNumber(w.lastID.Add(1)) }

func idNumber(n int64) string { return fmt.Sprintf("01K%023d", n) }

// token gives the credential of the stand-in's first token.
func (w *world) token() tableau.Credential {
	name, value := w.tableau.PAT()
	return tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(value)}
}

// newToken makes another token in Tableau.
func (w *world) newToken(user, name string) tableau.Credential {
	return tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(w.tableau.NewPAT(user, name))}
}

func (w *world) password() tableau.Credential {
	user, password := w.tableau.Password()
	return tableau.Credential{Method: tableau.UsernamePassword, Username: user, Secret: secret.New(password)}
}

func (w *world) settings() connection.Settings {
	return connection.Settings{Name: "Sales", ServerURL: serverURL, Site: w.tableau.Site(), Credential: w.token(), Notify: []string{"ops@example.com"}}
}

// connect makes a connection with the stand-in's first token.
func (w *world) connect() connection.Connection {
	w.Helper()
	c, err := w.Create(w.Context(), w.newID(), w.settings())
	if err != nil {
		w.Fatalf("connecting: %v", err)
	}
	return c
}

func (w *world) stored(id string) connection.Connection {
	w.Helper()
	c, err := w.store.Connection(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// fault makes answers of the stand-in go wrong.
func (w *world) fault(f tableautest.Fault) {
	w.Helper()
	if err := w.tableau.AddFault(f); err != nil {
		w.Fatal(err)
	}
}

// sessionDies lets the session end of disuse, but not the token.
func (w *world) sessionDies() { time.Sleep(5 * time.Hour) }

// wantSignIns compares the sign-ins since the last look at them.
func (w *world) wantSignIns(succeeded, failed int) {
	w.Helper()
	got := w.tableau.Stats()
	w.tableau.ResetStats()
	if got.SignIns != succeeded || got.SignInsFailed != failed {
		w.Errorf("got %d sign-ins and %d refused ones, want %d and %d", got.SignIns, got.SignInsFailed, succeeded, failed)
	}
}

// wantNoSecrets looks for the secrets of all tokens and passwords.
func (w *world) wantNoSecrets(where, text string) {
	w.Helper()
	_, token := w.tableau.PAT()
	_, password := w.tableau.Password()
	first, second, _ := strings.Cut(token, ":")
	for _, canary := range []string{token, first, second, password, "canary"} {
		if canary != "" && strings.Contains(text, canary) {
			w.Errorf("%s holds a secret", where)
		}
	}
}

// wantProblem checks an error and that nothing in it is secret.
func (w *world) wantProblem(err error, kind problem.Kind, code string) *problem.Error {
	w.Helper()
	w.wantNoSecrets("the error", fmt.Sprintf("%v %+v %#v", err, err, err))
	p, ok := problem.From(err)
	if !ok || p.Kind != kind || p.Code != code {
		w.Fatalf("got error %v (kind %d, code %q), want kind %d, code %q", err, p.Kind, p.Code, kind, code)
	}
	return p
}

// wantFields checks that an error is of wrong fields, and names these.
func (w *world) wantFields(err error, want ...string) {
	w.Helper()
	p := w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
	var got []string
	for _, f := range p.Fields {
		got = append(got, f.Name)
	}
	if !slices.Equal(got, want) {
		w.Errorf("got fields %q, want %q", got, want)
	}
}

func (w *world) succeed(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("got error %v, want none", err)
	}
}

// look calls Tableau once with the shared session.
func look(ctx context.Context, client *tableau.Client, session tableau.Session) error {
	_, err := client.User(ctx, session, session.UserID)
	return err
}

// holds notes for which connections held runs were to be released.
type holds struct {
	mu                 sync.Mutex
	prepared, released []string
	err, releaseErr    error // what the methods answer
}

func (h *holds) Prepare(_ context.Context, c connection.Connection) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prepared = append(h.prepared, c.ID)
	return h.err
}

func (h *holds) Release(_ context.Context, c connection.Connection) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = append(h.released, c.ID)
	return h.releaseErr
}

// journal is a log that can be read.
type journal struct {
	mu  sync.Mutex
	log bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.String()
}

// network leads to the stand-in, without a socket, whose waiting would keep the
// bubble's clock from moving.
type network struct {
	tableautest.Transport
	down   atomic.Bool
	before atomic.Pointer[func(*http.Request)] // called before each request

	unreachable atomic.Pointer[string] // address of a server that is not there

	// life is what Tableau says of a token's end in place of the truth; "" is
	// nothing, as of older servers.
	life atomic.Pointer[string]
}

var tokensEnd = regexp.MustCompile(`"estimatedTimeToExpiration":"[^"]*"`)

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	gone := n.unreachable.Load()
	if n.down.Load() || gone != nil && strings.HasSuffix(*gone, "://"+r.URL.Host) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	if before := n.before.Load(); before != nil {
		(*before)(r)
	}
	resp, err := n.Transport.RoundTrip(r)
	life := n.life.Load()
	if err != nil || life == nil || !strings.HasSuffix(r.URL.Path, "/auth/signin") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	body = tokensEnd.ReplaceAll(body, []byte(`"estimatedTimeToExpiration":"`+*life+`"`))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}
