package dynamo_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/secrets"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const (
	lambdas        = 6  // environments of functions, each with a memory of its own
	lambdaRounds   = 25 // in each of which the session has ended
	callsPerLambda = 2  // in each round
)

// region is a Tableau server and tables, with a clock that moves only when a
// test moves it.
type region struct {
	*testing.T
	store   *dynamo.Store
	vault   *secrets.Vault
	tableau *tableautest.Server
	began   time.Time
	ahead   atomic.Int64 // of began
	lastID  atomic.Int64
	waiting atomic.Int64 // times that somebody found the lease held
}

func newRegion(t *testing.T) *region {
	t.Helper()
	r := &region{T: t, began: time.Now()}
	r.store, _ = open(t)
	r.vault = &secrets.Vault{Client: secretsmanager.NewFromConfig(awstest.Start(t)), Prefix: fmt.Sprintf("lambdas-%d", names.Add(1))}
	r.tableau = tableautest.New(tableautest.Options{Now: r.now})
	return r
}

func (r *region) now() time.Time          { return r.began.Add(time.Duration(r.ahead.Load())) }
func (r *region) advance(d time.Duration) { r.ahead.Add(int64(d)) }
func (r *region) newID() string           { return fmt.Sprintf("01K%023d", r.lastID.Add(1)) }

// lambda is a function's environment: a service with a memory of its own, whose
// holds of the lease can be made to die or to be late.
type lambda struct {
	*connection.Service
	leases *leases
}

func (r *region) lambda() *lambda {
	l := &leases{Store: r.store, now: r.now, waiting: &r.waiting}
	return &lambda{leases: l, Service: &connection.Service{
		Store: l, Vault: r.vault, Holds: noHolds{},
		Dial: func(server string) (*tableau.Client, error) {
			return tableau.NewClient(server, tableau.Options{Transport: tableautest.Transport{Handler: r.tableau}, Now: r.now})
		},
		CheckServer: func(context.Context, string) error { return nil },
		Now:         r.now, NewID: r.newID, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}}
}

type noHolds struct{}

func (noHolds) Prepare(context.Context, connection.Connection) error { return nil }
func (noHolds) Release(context.Context, connection.Connection) error { return nil }

// leases is a store in which a holder of the sign-in lease can stop.
type leases struct {
	connection.Store
	now     func() time.Time
	waiting *atomic.Int64

	mu      sync.Mutex
	onLease *stop // of whoever gets the lease
	onStore *stop // of whoever has signed in
}

// stop is where a holder stops until it is let go.
type stop struct {
	reached, goOn chan struct{}
}

func newStop() *stop { return &stop{make(chan struct{}), make(chan struct{})} }

func (s *stop) here() {
	if s != nil {
		close(s.reached)
		<-s.goOn
	}
}

func (l *leases) take(of **stop) *stop {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := *of
	*of = nil
	return s
}

func (l *leases) SignIn(ctx context.Context, fingerprint string) (connection.SignIn, error) {
	row, err := l.Store.SignIn(ctx, fingerprint)
	if err == nil && row.LeaseUntil.After(l.now()) {
		l.waiting.Add(1)
	}
	return row, err
}

func (l *leases) LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (connection.SignIn, error) {
	lease, err := l.Store.LeaseSignIn(ctx, fingerprint, holder, now, until)
	if err == nil {
		l.take(&l.onLease).here()
	}
	return lease, err
}

func (l *leases) StoreSession(ctx context.Context, fingerprint string, fence int64, session connection.Session) error {
	l.take(&l.onStore).here()
	return l.Store.StoreSession(ctx, fingerprint, fence, session)
}

// call uses the connection as an export does.
func (l *lambda) call(ctx context.Context, id string) error {
	return l.Do(ctx, id, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		_, err := client.User(ctx, session, session.UserID)
		return err
	})
}

// TestLambdasShareOneSession has many functions call Tableau with one token, in
// rounds at whose beginning the session has ended. In some rounds whoever gets
// the sign-in lease dies with it, in some it goes on when its lease has long
// gone to another, and in two the credential is changed in the middle. Nobody's
// call fails, and the sign-ins are counted.
func TestLambdasShareOneSession(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	all := make([]*lambda, lambdas)
	for i := range all {
		all[i] = r.lambda()
	}
	tokenName, value := r.tableau.PAT()
	c, err := all[0].Create(t.Context(), r.newID(), connection.Settings{Name: "Sales", ServerURL: "https://tableau.test", Site: r.tableau.Site(),
		Credential: tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: tokenName, Secret: secret.New(value)}})
	succeed(t, err)

	calls := 0
	died, late, edits := 0, 0, 0
	for round := range lambdaRounds {
		r.advance(5 * time.Hour) // longer than a session lives without use
		before := r.tableau.Stats()
		var holder *stop
		switch round % 5 {
		case 1:
			holder = newStop()
			all[round%lambdas].leases.onLease = holder
			died++
		case 3:
			holder = newStop()
			all[round%lambdas].leases.onStore = holder
			late++
		}
		stopped := make(chan error, 1)
		if holder != nil {
			go func() { stopped <- all[round%lambdas].call(t.Context(), c.ID) }()
			<-holder.reached
		}
		var group sync.WaitGroup
		for i, l := range all {
			if holder != nil && i == round%lambdas {
				continue // its process is dead or stands still
			}
			for range callsPerLambda {
				calls++
				group.Go(func() {
					if err := l.call(t.Context(), c.ID); err != nil {
						t.Errorf("round %d, lambda %d: %v", round, i, err)
					}
				})
			}
		}
		if holder != nil {
			made := r.tableau.Stats().SignIns
			r.someWait()
			r.advance(29 * time.Second)
			r.someWait()
			if got := r.tableau.Stats().SignIns; got != made {
				t.Errorf("round %d: somebody signed in while another had the lease", round)
			}
			r.advance(time.Second) // half a minute in all
		}
		edited := round == 12 || round == 13 // in the middle of calls, and while an old holder is late
		if edited {
			tokenName = fmt.Sprintf("fresh-%d", round)
			_, err := all[1].Edit(t.Context(), c.ID, connection.Edit{Credential: &tableau.Credential{
				Method: tableau.PersonalAccessToken, TokenName: tokenName, Secret: secret.New(r.tableau.NewPAT("", tokenName))}})
			succeed(t, err)
			edits++
		}
		group.Wait()
		stored, err := r.store.SignIn(t.Context(), fingerprint(t, r, c.ID))
		succeed(t, err)

		switch {
		case holder == nil:
		case round%5 == 1:
			// A dead process does not come back. Its place is taken by a new one.
			all[round%lambdas] = r.lambda()
			t.Cleanup(func() { close(holder.goOn); <-stopped })
			succeed(t, all[round%lambdas].call(t.Context(), c.ID))
		default:
			close(holder.goOn)
			if err := <-stopped; err != nil {
				t.Errorf("round %d: the late holder's call failed: %v", round, err)
			}
			after, err := r.store.SignIn(t.Context(), fingerprint(t, r, c.ID))
			succeed(t, err)
			if after.Session.Generation != stored.Session.Generation || string(after.Session.Sealed) != string(stored.Session.Sealed) {
				t.Errorf("round %d: the late holder replaced the session of another", round)
			}
		}

		after := r.tableau.Stats()
		signIns, ended := after.SignIns-before.SignIns, after.SessionsEndedBySignIn-before.SessionsEndedBySignIn
		most, mostEnded := 1, 0
		if round%5 == 3 {
			most, mostEnded = 2, 1 // that of the late holder, whose session nobody else knows
		}
		if edited {
			most++ // the new token's
		}
		if signIns < 1 || signIns > most || ended > mostEnded || after.SignInsFailed > 0 {
			t.Errorf("round %d: %d sign-ins that ended %d sessions, want at most %d that end %d", round, signIns, ended, most, mostEnded)
		}
	}
	got := r.tableau.Stats()
	if most := 1 + lambdaRounds + late + edits; got.SignIns > most {
		t.Errorf("%d sign-ins, want at most %d", got.SignIns, most)
	}
	t.Logf("%d calls by %d functions: %d sign-ins for %d ended sessions; %d holders died, %d were late; %d new credentials",
		calls, lambdas, got.SignIns, lambdaRounds, died, late, edits)
	kept, err := all[0].Get(t.Context(), c.ID)
	succeed(t, err)
	if kept.State != connection.Connected || kept.Problem != nil || kept.Auth.TokenName != tokenName {
		t.Errorf("the connection is %s with the token %q and problem %v; want it connected with the new one", kept.State, kept.Auth.TokenName, kept.Problem)
	}
}

// someWait waits until the lease was found held many times more.
func (r *region) someWait() {
	r.Helper()
	until := r.waiting.Load() + lambdas
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	for r.waiting.Load() < until {
		select {
		case <-ctx.Done():
			r.Fatal("nobody waits for the lease")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func fingerprint(t *testing.T, r *region, id string) string {
	t.Helper()
	c, err := r.store.Connection(t.Context(), id)
	succeed(t, err)
	return c.Fingerprint
}
