package connection_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
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

func TestRejectedCredentialIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		processes := w.twoProcesses()
		w.tableau.RevokeTokens("")
		w.tableau.ResetStats()
		together(30, processes, func(_ int, s *connection.Service) {
			err := s.Do(w.Context(), c.ID, look)
			var broken *connection.BrokenError
			if !errors.As(err, &broken) || broken.Connection.State != connection.NeedsCredentials || broken.Connection.Problem == nil {
				w.Errorf("got error %v, want the connection to be broken", err)
			}
			if err != nil {
				w.wantNoSecrets("the error", err.Error())
			}
		})
		w.wantSignIns(0, 1)
		got := w.stored(c.ID)
		if got.Problem.Code != problem.CodeCredentialsRejected || len(got.Problem.Causes) == 0 || got.Problem.Causes[0].Code != "revoked" ||
			!got.ProbeAt.Equal(got.Problem.Since.Add(24*time.Hour)) {
			w.Errorf("got problem %+v, probe at %v, want revoked first and a probe in a day", got.Problem, got.ProbeAt)
		}
		time.Sleep(23 * time.Hour)
		if err := w.Do(w.Context(), c.ID, look); err == nil {
			w.Error("a broken connection was used")
		}
		_, err := w.Views(w.Context(), c.ID, "")
		w.wantProblem(err, problem.Conflict, problem.CodeCredentialsRejected)
		w.succeed(w.KeepAlive(w.Context(), c.ID))
		w.wantSignIns(0, 0)
	})
}

// Nobody knows yet that the token was revoked when many people press Test at
// once. Nine refusals would lock the account.
func TestTestsAtOnceDoNotLockTheAccount(t *testing.T) {
	t.Parallel()
	for name, unreachable := range map[string]bool{"connected": false, "unreachable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				if unreachable {
					_, err := w.Unreachable(w.Context(), w.stored(c.ID), &tableau.Error{Cause: tableau.Unreachable})
					w.succeed(err)
				}
				w.tableau.RevokeTokens("")
				w.tableau.ResetStats()
				together(20, w.twoProcesses(), func(_ int, s *connection.Service) {
					if _, err := s.Test(w.Context(), c.ID); err == nil {
						w.Error("a revoked token passed a test")
					}
				})
				// One finds out; of those that begin after it, five may try.
				if got := w.tableau.Stats().SignInsFailed; got < 1 || got > 6 {
					w.Errorf("got %d refused sign-ins, want at most 6", got)
				}
			})
		})
	}
}

// While a test of a broken connection is refused, another mends it: that it broke
// again is news, of which people are to hear.
func TestRefusedAsItIsMended(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.tableau.RevokeTokens("")
		if err := w.Do(w.Context(), c.ID, look); err == nil {
			w.Fatal("a revoked token worked")
		}
		time.Sleep(time.Hour)
		mended := &stale{Store: w.store, left: 1, write: func() {
			c := w.stored(c.ID)
			c.State, c.Problem = connection.Connected, nil
			w.succeed(w.store.UpdateConnection(w.Context(), c, nil))
		}}
		if _, err := w.process(mended, w.store).Test(w.Context(), c.ID); err == nil {
			w.Fatal("a revoked token passed a test")
		}
		got := w.stored(c.ID)
		if got.State != connection.NeedsCredentials || !got.Problem.Since.Equal(time.Now()) {
			w.Errorf("got %s, %+v, want a problem since now", got.State, got.Problem)
		}
	})
}

func TestExplicitTestsAreLimited(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.tableau.RevokeTokens("")
		w.tableau.ResetStats()
		if err := w.Do(w.Context(), c.ID, look); err == nil {
			w.Fatal("a revoked token worked")
		}
		w.wantSignIns(0, 1)
		for range 5 {
			_, err := w.Test(w.Context(), c.ID)
			w.wantProblem(err, problem.Invalid, problem.CodeCredentialsRejected)
		}
		w.wantSignIns(0, 5)
		wrong := w.token()
		wrong.Secret = secret.New("canary:canary")
		tries := []func() error{
			func() error { _, err := w.Test(w.Context(), c.ID); return err },
			func() error {
				_, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &wrong})
				return err
			},
			func() error {
				in := w.settings()
				in.Credential = wrong
				_, err := w.process(w.store, w.store).TestSettings(w.Context(), in)
				return err
			},
		}
		for _, try := range tries {
			p := w.wantProblem(try(), problem.TooMany, problem.CodeTooMany)
			if p.After <= 0 {
				w.Errorf("got %v to wait, want some time", p.After)
			}
		}
		w.wantSignIns(0, 0)
		time.Sleep(11 * time.Minute)
		for _, try := range tries {
			w.wantProblem(try(), problem.Invalid, problem.CodeCredentialsRejected)
		}
		w.wantSignIns(0, 3)

		// Successful tries do not use the allowance up.
		good := w.newToken("", tableautest.DefaultTokenName)
		_, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &good})
		w.succeed(err)
		for range 12 {
			_, err := w.Test(w.Context(), c.ID)
			w.succeed(err)
		}
		w.wantSignIns(1, 0)
	})
}

// A token has ended, and a session that was made with it lives on. That is no
// reason to say that the connection works: what is tested is the credential.
func TestSessionOutlivesItsToken(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.network.life.Store(new("0:01:00")) // an hour; the stand-in's own end of a token would take the session with it
		c, err := w.Create(w.Context(), "c", w.settings())
		w.succeed(err)
		time.Sleep(time.Hour + 10*time.Minute)
		w.succeed(w.Do(w.Context(), "c", look)) // the session lives
		w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin", Times: -1})
		if !w.stored("c").KeepAliveDue(time.Now()) {
			w.Error("that the token's end has passed is not looked into")
		}
		var broken *connection.BrokenError
		if err := w.KeepAlive(w.Context(), "c"); !errors.As(err, &broken) || broken.Connection.Problem.Causes[0].Code != "expired" {
			w.Fatalf("got error %v, want the token to have ended", err)
		}
		w.tableau.ResetStats()
		_, err = w.Test(w.Context(), "c")
		w.wantProblem(err, problem.Invalid, problem.CodeCredentialsRejected)
		works, err := w.Probe(w.Context(), "c")
		w.succeed(err)
		if works || w.stored("c").State != connection.NeedsCredentials {
			w.Errorf("got a connection that works: %v, %s; want its token to be refused", works, w.stored("c").State)
		}
		if got := w.tableau.Stats().Calls["signin"]; got != 2 {
			w.Errorf("got %d sign-ins, want one for each", got)
		}
		w.tableau.ClearFaults()

		// Once it signs in again, that session serves everyone, whoever tests.
		credential := w.newToken("", "new")
		_, err = w.Edit(w.Context(), "c", connection.Edit{Credential: &credential})
		w.succeed(err)
		w.sessionDies()
		w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin"})
		if err := w.Do(w.Context(), "c", look); err == nil {
			w.Fatal("a refused credential worked")
		}
		time.Sleep(time.Second)
		w.tableau.ResetStats()
		together(4, append(w.twoProcesses(), w.twoProcesses()...), func(_ int, s *connection.Service) {
			_, err := s.Test(w.Context(), c.ID)
			w.succeed(err)
		})
		w.wantSignIns(1, 0)
	})
}

// Tableau refuses to let anybody sign in to a site that is gone: that is no
// matter of one report.
func TestSignInRefusedOtherwise(t *testing.T) {
	t.Parallel()
	for code, cause := range map[int]string{404000: "wrong_site", 405000: "moved", 403004: "not_permitted"} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				w.sessionDies()
				w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: code, Route: "signin", Times: -1})
				var broken *connection.BrokenError
				if err := w.Do(w.Context(), c.ID, look); !errors.As(err, &broken) {
					w.Fatalf("got error %v, want the connection to be broken", err)
				}
				got := w.stored(c.ID)
				if got.State != connection.NeedsCredentials || got.Problem.Code != "tableau_refused" || got.Problem.Causes[0].Code != cause {
					w.Errorf("got %s, %+v, want a sign-in that is refused, since %s", got.State, got.Problem, cause)
				}
				time.Sleep(day)
				works, err := w.Probe(w.Context(), c.ID)
				w.succeed(err)
				if works || !w.stored(c.ID).ProbeAt.Equal(time.Now().Add(day)) {
					w.Errorf("got a connection that works: %v, probe at %v; want the next in a day", works, w.stored(c.ID).ProbeAt)
				}
				w.tableau.ClearFaults()
				time.Sleep(day)
				works, err = w.Probe(w.Context(), c.ID)
				w.succeed(err)
				if !works {
					w.Error("the connection was not found to work again")
				}
			})
		})
	}
}

func TestTokenUsedElsewhere(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		for range 2 { // connecting was the first sign-in
			time.Sleep(time.Minute)
			w.outsideSignIn()
			w.succeed(w.Do(w.Context(), c.ID, look))
			w.wantSignIns(1, 0)
		}
		w.outsideSignIn()
		time.Sleep(time.Minute)
		err := w.Do(w.Context(), c.ID, look)
		var busy *connection.BusyError
		if !errors.As(err, &busy) || busy.After != 7*time.Minute {
			w.Fatalf("got error %v, want to wait 7 minutes", err)
		}
		_, err = w.Test(w.Context(), c.ID)
		p := w.wantProblem(err, problem.TooMany, problem.CodeTooMany)
		if !strings.Contains(p.Message, "something else signs in") {
			w.Errorf("got %q, want the reason", p.Message)
		}
		w.wantSignIns(0, 0)
		got := w.stored(c.ID)
		if got.State != connection.Connected || got.Problem == nil || got.Problem.Code != connection.CodeTokenUsedElsewhere {
			w.Errorf("got %s, %+v, want the problem of a connection that is still connected", got.State, got.Problem)
		}
		if !slices.Equal(w.holds.prepared, []string{c.ID}) {
			w.Errorf("got %q looked at, want the connection, once, for its people to hear of it", w.holds.prepared)
		}

		// The other program stops: the problem goes once a session has lasted.
		time.Sleep(busy.After)
		w.succeed(w.Do(w.Context(), c.ID, look))
		w.wantSignIns(1, 0)
		if got := w.stored(c.ID); got.Problem == nil {
			w.Error("the problem went before the session has lasted")
		}
		time.Sleep(10 * time.Minute)
		w.succeed(w.Do(w.Context(), c.ID, look))
		w.wantSignIns(0, 0)
		if got := w.stored(c.ID); got.Problem != nil {
			w.Errorf("got problem %+v, want none", got.Problem)
		}
	})
}

// A server that does not answer sign-ins is not another program with the same
// token.
func TestUnansweredSignInsAreNotUseElsewhere(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.sessionDies()
		time.Sleep(11 * time.Minute)
		w.fault(tableautest.Fault{Kind: tableautest.FaultHang, Route: "signin", Times: -1})
		for range 3 {
			err := w.Do(w.Context(), c.ID, look)
			var failed *tableau.Error
			if !errors.As(err, &failed) || failed.Cause != tableau.Timeout {
				w.Fatalf("got error %v, want a timeout", err)
			}
		}
		err := w.Do(w.Context(), c.ID, look)
		var busy *connection.BusyError
		if !errors.As(err, &busy) || strings.Contains(err.Error(), "something else") {
			w.Errorf("got error %v, want to wait, and no word of another program", err)
		}
		if got := w.stored(c.ID); got.Problem != nil {
			w.Errorf("got problem %+v, want none", got.Problem)
		}
		w.tableau.ClearFaults()
		time.Sleep(10 * time.Minute)
		w.succeed(w.Do(w.Context(), c.ID, look))
	})
}

func TestProbe(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		works, err := w.Probe(w.Context(), c.ID)
		w.succeed(err)
		if !works {
			w.Error("a connection that works was not found to work")
		}

		w.network.down.Store(true)
		_, err = w.Unreachable(w.Context(), w.stored(c.ID), &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		rev := w.stored(c.ID).Rev
		again, err := w.Unreachable(w.Context(), w.stored(c.ID), &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		if again.State != connection.Unreachable || w.stored(c.ID).Rev != rev {
			w.Errorf("got %s, Rev %d, want what is known already not to be written again", again.State, w.stored(c.ID).Rev)
		}
		since := w.stored(c.ID).Problem.Since
		for _, pause := range []time.Duration{1, 2, 5, 15, 30, 30, 30} {
			if got := time.Until(w.stored(c.ID).ProbeAt); got != pause*time.Minute {
				w.Errorf("got the next probe in %v, want %v", got, pause*time.Minute)
			}
			time.Sleep(pause * time.Minute)
			works, err := w.Probe(w.Context(), c.ID)
			w.succeed(err)
			if works {
				w.Error("an unreachable server was found to work")
			}
		}
		if got := w.stored(c.ID); got.Problem == nil || !got.Problem.Since.Equal(since) {
			w.Errorf("got problem %+v, want it since %v", got.Problem, since)
		}

		// The server comes back, but the token died meanwhile.
		w.network.down.Store(false)
		w.tableau.RevokeTokens("")
		works, err = w.Probe(w.Context(), c.ID)
		w.succeed(err)
		if got := w.stored(c.ID); works || got.State != connection.NeedsCredentials || !got.ProbeAt.Equal(time.Now().Add(24*time.Hour)) {
			w.Errorf("got %s, probe at %v, want a rejected credential that is probed in a day", got.State, got.ProbeAt)
		}
		// A connection that nobody mends does not lock its account.
		failed := w.tableau.Stats().SignInsFailed
		for range 30 {
			time.Sleep(day)
			if time.Now().Before(w.stored(c.ID).ProbeAt) {
				continue
			}
			_, err := w.Probe(w.Context(), c.ID)
			w.succeed(err)
		}
		if got := w.tableau.Stats().SignInsFailed - failed; got != 3 {
			w.Errorf("got %d more refusals in a month, want one on each of three days", got)
		}
		if len(w.holds.released) != 0 {
			w.Error("the runs of a broken connection were released")
		}
		_, err = w.Probe(w.Context(), "none")
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
	})
}

// A credential that is replaced while a probe or a failing call is under way
// is no error of theirs.
func TestVerdictOnReplacedCredential(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		_, err := w.Unreachable(w.Context(), w.stored(c.ID), &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		credential := w.newToken("", "new")
		w.sessionDies()
		w.tableau.RevokeTokens("")
		credential = w.newToken("", "new")
		var once atomic.Bool
		w.onRoute("/auth/signin", func() {
			if once.CompareAndSwap(false, true) {
				_, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
				w.succeed(err)
			}
		})
		works, err := w.Probe(w.Context(), c.ID)
		w.succeed(err)
		if !works {
			w.Error("got a broken connection, want the new credential's state")
		}

		// The same while the probe fails.
		_, err = w.Unreachable(w.Context(), w.stored(c.ID), &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		w.network.before.Store(new(func(r *http.Request) {
			if strings.Contains(r.URL.Path, "/users/") {
				w.onRoute("", nil)
				_, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
				w.succeed(err)
				w.fault(tableautest.Fault{Kind: tableautest.FaultReset, Route: "user"})
			}
		}))
		works, err = w.Probe(w.Context(), c.ID)
		w.succeed(err)
		if !works {
			w.Error("got a broken connection, want the new credential's state")
		}

		// Calls failed with the old credential, and the verdict comes late.
		old := w.stored(c.ID)
		_, err = w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		w.succeed(err)
		got, err := w.Unreachable(w.Context(), old, &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		if !got.State.Works() || w.stored(c.ID).State != connection.Connected {
			w.Errorf("got %s, want the new credential's state", got.State)
		}
	})
}
