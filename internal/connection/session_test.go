package connection_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// outsideSignIn does what another program with the same token does.
func (w *world) outsideSignIn() {
	w.Helper()
	client, err := w.Dial(serverURL)
	w.succeed(err)
	_, err = client.SignIn(w.Context(), w.token(), w.tableau.Site())
	w.succeed(err)
	w.tableau.ResetStats()
}

// Two processes with many callers each, and no session that lives: one of them
// signs in, and all use it.
func TestOneSignInForAll(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		services := w.twoProcesses()
		for _, s := range services {
			w.succeed(s.Do(w.Context(), c.ID, look)) // each knows the session that dies now
		}
		w.sessionDies()
		w.tableau.ResetStats()
		together(70, services, func(i int, s *connection.Service) {
			var err error
			if i < 50 {
				err = s.Do(w.Context(), c.ID, look)
			} else {
				_, err = s.Test(w.Context(), c.ID)
			}
			if err != nil {
				w.Errorf("call %d: %v", i, err)
			}
		})
		if got := w.tableau.Stats().SessionsEndedBySignIn; got != 0 {
			w.Errorf("got %d ended sessions, want none", got)
		}
		w.wantSignIns(1, 0)
	})
}

func TestSessionEndedOutsideIsRenewedOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		other := w.process(w.store, w.store)
		w.succeed(other.Do(w.Context(), c.ID, look))
		w.outsideSignIn()
		calls := 0
		w.succeed(w.Do(w.Context(), c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
			calls++
			return look(ctx, client, session)
		}))
		if calls != 2 {
			w.Errorf("got %d calls, want the call and one repetition", calls)
		}
		w.wantSignIns(1, 0)
		// The other process still knows the session that has ended.
		w.succeed(other.Do(w.Context(), c.ID, look))
		w.wantSignIns(0, 0)
		if got := w.stored(c.ID); got.TokenLife.LastUsedAt != time.Now().UTC() || got.State != connection.Connected {
			w.Errorf("got %+v, want the sign-in to be noted", got)
		}

		// The repeated call fails the same way: that is transient, not a
		// reason for a third try.
		ended := 0
		err := w.Do(w.Context(), c.ID, func(context.Context, *tableau.Client, tableau.Session) error {
			ended++
			return &tableau.Error{Cause: tableau.SessionEnded, Retry: true}
		})
		var failed *tableau.Error
		if !errors.As(err, &failed) || failed.Cause != tableau.SessionEnded || !failed.Retry || ended != 2 {
			w.Errorf("got error %v after %d calls, want an ended session after 2", err, ended)
		}
		w.wantSignIns(1, 0)
		if got := w.stored(c.ID); got.State != connection.Connected || got.Problem != nil {
			w.Errorf("got %s, %+v, want it to be connected", got.State, got.Problem)
		}
	})
}

// The last sign-in that the token may make for a while is under way: whoever
// comes meanwhile waits for its session.
func TestLastSignInIsWaitedFor(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		other := w.process(w.store, w.store)
		w.outsideSignIn()
		w.succeed(other.Do(w.Context(), c.ID, look)) // the second one
		w.outsideSignIn()
		w.onRoute("/auth/signin", func() { time.Sleep(5 * time.Second) })
		var group sync.WaitGroup
		for i, s := range []*connection.Service{w.Service, other, w.process(w.store, w.store)} {
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if err := s.Do(w.Context(), c.ID, look); err != nil {
					w.Errorf("process %d: %v", i, err)
				}
			})
		}
		group.Wait()
		w.wantSignIns(1, 0)
	})
}

// While a sign-in's outcome is not known, nobody signs in: the two would
// overlap, and one session would end the other.
func TestUnknownSignInKeepsTheLease(t *testing.T) {
	t.Parallel()
	for name, sign := range map[string]func(w *world, id string) error{
		"use": func(w *world, id string) error { return w.Do(w.Context(), id, look) },
		"connect": func(w *world, id string) error {
			credential := w.token()
			_, err := w.Edit(w.Context(), id, connection.Edit{Credential: &credential})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				w.sessionDies()
				w.fault(tableautest.Fault{Kind: tableautest.FaultHang, Route: "signin"})
				begun := time.Now()
				if err := sign(w, c.ID); err == nil {
					w.Fatal("a sign-in without an answer succeeded")
				}
				w.tableau.ResetStats()
				var at time.Duration
				w.onRoute("/auth/signin", func() { at = time.Since(begun) })
				w.succeed(w.process(w.store, w.store).Do(w.Context(), c.ID, look))
				w.wantSignIns(1, 0)
				if at < 30*time.Second {
					w.Errorf("the next sign-in came after %v, want the lease of 30 s to run its course", at)
				}
			})
		})
	}
}

// A store that took so long to give the lease that a sign-in might outlast it:
// another would overlap with it.
func TestLateLeaseIsNotUsed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.sessionDies()
		w.tableau.ResetStats()
		slow := w.process(slowLease{w.store}, w.store)
		var busy *connection.BusyError
		if err := slow.Do(w.Context(), c.ID, look); !errors.As(err, &busy) {
			w.Errorf("got error %v, want to be told to wait", err)
		}
		credential := w.token()
		_, err := slow.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		w.wantProblem(err, problem.TooMany, problem.CodeTooMany)
		w.wantSignIns(0, 0)
		begun := time.Now()
		w.succeed(w.Do(w.Context(), c.ID, look))
		if waited := time.Since(begun); waited > time.Second {
			w.Errorf("the next sign-in waited %v for a lease that nobody used", waited)
		}
		w.wantSignIns(1, 0)
	})
}

// A request has waited long for another's sign-in, and then gets no answer to its
// own: its caller still hears in time.
func TestSignInEndsWithItsCallersTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		waited  time.Duration // for another's lease
		signIns int
	}{{15 * time.Second, 1}, {22 * time.Second, 0}} {
		t.Run(test.waited.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				w.sessionDies()
				_, err := w.store.LeaseSignIn(w.Context(), c.Fingerprint, "another", time.Now(), time.Now().Add(test.waited))
				w.succeed(err)
				w.fault(tableautest.Fault{Kind: tableautest.FaultHang, Route: "signin", Times: -1})
				asked := 0
				w.onRoute("/auth/signin", func() { asked++ })
				begun := time.Now()
				ctx, cancel := context.WithTimeout(w.Context(), 25*time.Second)
				defer cancel()
				_, err = w.Test(ctx, c.ID)
				if took := time.Since(begun); err == nil || took > 25*time.Second {
					w.Errorf("got error %v after %v, want one within 25 s", err, took)
				}
				if asked != test.signIns {
					w.Errorf("got %d sign-ins, want %d: there must be time for its answer", asked, test.signIns)
				}
			})
		})
	}
}

// slowLease is a store that takes long to answer that the lease was taken.
type slowLease struct{ connection.Store }

func (s slowLease) LeaseSignIn(ctx context.Context, fingerprint, holder string, now, until time.Time) (connection.SignIn, error) {
	in, err := s.Store.LeaseSignIn(ctx, fingerprint, holder, now, until)
	time.Sleep(20 * time.Second)
	return in, err
}

// A store that never answers whether it has the session must not keep everybody
// in this process waiting for ever.
func TestHangingStoreEndsASignIn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.sessionDies()
		w.tableau.ResetStats()
		s := w.process(&hangingStore{Store: w.store}, w.store)
		begun := time.Now()
		if err := s.Do(w.Context(), c.ID, look); err == nil {
			w.Error("a session was used that the store did not take")
		}
		w.succeed(s.Do(w.Context(), c.ID, look))
		if took := time.Since(begun); took > 31*time.Second {
			w.Errorf("it took %v, want the lease of 30 s at most", took)
		}
	})
}

// hangingStore is a store that never answers the first session.
type hangingStore struct {
	connection.Store
	asked atomic.Bool
}

func (h *hangingStore) StoreSession(ctx context.Context, fingerprint string, fence int64, session connection.Session) error {
	if h.asked.CompareAndSwap(false, true) {
		<-ctx.Done()
		return ctx.Err()
	}
	return h.Store.StoreSession(ctx, fingerprint, fence, session)
}

func TestCallerGoneDoesNotStopSignIn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.sessionDies()
		ctx, cancel := context.WithCancel(w.Context())
		w.onRoute("/auth/signin", cancel)
		w.tableau.ResetStats()
		if err := w.Do(ctx, c.ID, look); err == nil {
			w.Error("a call under a context that has ended succeeded")
		}
		w.succeed(w.process(w.store, w.store).Do(w.Context(), c.ID, look))
		w.wantSignIns(1, 0)
	})
}

// A worker that holds an old credential must not undo a new one, wherever it
// is when the edit happens.
func TestOldWorkerCannotUndoNewCredential(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		breaks func(w *world)
		route  string // at which the edit overtakes the worker
	}{
		"before the old sign-in":           {func(w *world) { w.sessionDies() }, "/auth/signin"},
		"before the old call":              {func(*world) {}, "/users/"},
		"before the old sign-in's refusal": {func(w *world) { w.tableau.RevokeTokens("") }, "/auth/signin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				worker := w.process(w.store, w.store)
				w.succeed(worker.Do(w.Context(), c.ID, look))
				test.breaks(w)
				credential := w.newToken("", "new")
				var edited connection.Connection
				var once atomic.Bool
				w.network.before.Store(new(func(r *http.Request) {
					if strings.Contains(r.URL.Path+"/", test.route) && once.CompareAndSwap(false, true) {
						var err error
						edited, err = w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
						w.succeed(err)
					}
				}))
				w.succeed(worker.Do(w.Context(), c.ID, look))
				w.network.before.Store(nil)
				if !once.Load() {
					w.Fatal("the edit did not happen")
				}
				got := w.stored(c.ID)
				if got.CredentialVersion != edited.CredentialVersion || got.State != connection.Connected || got.Problem != nil || got.TokenLife != edited.TokenLife {
					w.Errorf("got %+v, want what the edit made: %+v", got, edited)
				}
				w.tableau.ResetStats()
				w.succeed(w.Do(w.Context(), c.ID, look))
				w.succeed(worker.Do(w.Context(), c.ID, look))
				w.succeed(w.process(w.store, w.store).Do(w.Context(), c.ID, look))
				w.wantSignIns(0, 0)
			})
		})
	}
}

// The old credential's sessions were many: its generations say nothing of the
// new credential's first session.
func TestGenerationsOfAnotherCredential(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.sessionDies()
		w.succeed(w.Do(w.Context(), c.ID, look))
		w.sessionDies()
		credential := w.newToken("", "new")
		edited := false
		w.tableau.ResetStats()
		w.succeed(w.Do(w.Context(), c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
			if !edited {
				edited = true
				_, err := w.Edit(ctx, c.ID, connection.Edit{Credential: &credential})
				w.succeed(err)
			}
			return look(ctx, client, session)
		}))
		w.wantSignIns(1, 0) // that of the edit
	})
}

func TestStoredSessionOfNoUse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		row, err := w.store.SignIn(w.Context(), c.Fingerprint)
		w.succeed(err)
		row.Session.Sealed[len(row.Session.Sealed)-1] ^= 1
		w.succeed(w.store.UpdateConnection(w.Context(), c, &row.Session))
		w.tableau.ResetStats()
		w.succeed(w.process(w.store, w.store).Do(w.Context(), c.ID, look))
		w.wantSignIns(1, 0)

		// A session opens only for its connection, version and generation.
		row, err = w.store.SignIn(w.Context(), c.Fingerprint)
		w.succeed(err)
		row.Session.Generation++
		w.succeed(w.store.UpdateConnection(w.Context(), w.stored(c.ID), &row.Session))
		w.succeed(w.process(w.store, w.store).Do(w.Context(), c.ID, look))
		w.wantSignIns(1, 0)
	})
}

func TestWaitingForASignInEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.sessionDies()
		_, err := w.store.LeaseSignIn(w.Context(), c.Fingerprint, "another", time.Now(), time.Now().Add(time.Minute))
		w.succeed(err)
		ctx, cancel := context.WithTimeout(w.Context(), 5050*time.Millisecond)
		defer cancel()
		errs := make(chan error)
		for range 3 {
			go func() { errs <- w.Do(ctx, c.ID, look) }()
		}
		for range 3 {
			var busy *connection.BusyError
			if err := <-errs; !errors.As(err, &busy) {
				w.Errorf("got error %v, want to be told to wait", err)
			}
		}
		credential := w.token()
		ctx, cancel = context.WithTimeout(w.Context(), 5050*time.Millisecond)
		defer cancel()
		_, err = w.Edit(ctx, c.ID, connection.Edit{Credential: &credential})
		w.wantProblem(err, problem.TooMany, problem.CodeTooMany)
	})
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		other := w.process(w.store, w.store)
		w.succeed(other.Do(w.Context(), c.ID, look))
		w.tableau.ResetStats()
		time.Sleep(7*24*time.Hour - time.Second)
		w.succeed(w.KeepAlive(w.Context(), c.ID))
		w.wantSignIns(0, 0)
		time.Sleep(time.Second)
		w.succeed(w.KeepAlive(w.Context(), c.ID))
		w.wantSignIns(1, 0)
		if got := w.stored(c.ID).TokenLife.LastUsedAt; got != time.Now().UTC() {
			w.Errorf("got last use at %v, want now", got)
		}
		w.succeed(other.Do(w.Context(), c.ID, look)) // takes the new session
		w.succeed(w.KeepAlive(w.Context(), c.ID))
		w.wantSignIns(0, 0)
		time.Sleep(20 * 24 * time.Hour)
		err := w.KeepAlive(w.Context(), c.ID)
		var broken *connection.BrokenError
		if !errors.As(err, &broken) || broken.Connection.Problem.Causes[0].Code != "idle" {
			w.Errorf("got error %v, want the token to have died of idleness", err)
		}
		w.wantProblem(w.KeepAlive(w.Context(), "none"), problem.NotFound, problem.CodeNotFound)
	})
}
