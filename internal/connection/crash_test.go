package connection_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/storetest"
)

var errCrash = storetest.ErrFailed

// atEachWrite runs an operation again and again, each time in a new world and
// with another write that fails, in each of the ways in which one can.
func atEachWrite(t *testing.T, prepare func(w *world), operation func(w *world, s *connection.Service) error, check func(w *world, err error)) {
	t.Helper()
	// A crash right after a write is one before the next.
	for _, mode := range []struct{ after, forever bool }{{false, true}, {false, false}, {true, false}} {
		t.Run(fmt.Sprintf("after=%v,forever=%v", mode.after, mode.forever), func(t *testing.T) {
			t.Parallel()
			reached := true
			for n := int64(1); reached; n++ {
				inBubble(t, func(w *world) {
					prepare(w)
					store := &storetest.Failing{Store: w.store, After: mode.after, Forever: mode.forever}
					store.FailAt(n)
					err := operation(w, w.process(store, store))
					reached = store.Failed()
					if !reached && err != nil {
						w.Fatalf("without a failing write: %v", err)
					}
					if err != nil {
						w.wantNoSecrets("the error", fmt.Sprintf("%v %+v %#v", err, err, err))
					}
					time.Sleep(31 * time.Second) // a lease runs its course
					w.tableau.ResetStats()
					check(w, err)
					if w.Failed() {
						w.Fatalf("this was with the failure of write %d", n)
					}
				})
			}
		})
	}
}

func TestCreateCrashesAnywhere(t *testing.T) {
	t.Parallel()
	atEachWrite(t, func(*world) {}, func(w *world, s *connection.Service) error {
		_, err := s.Create(w.Context(), "c", w.settings())
		return err
	}, func(w *world, err error) {
		c, readErr := w.Get(w.Context(), "c")
		switch {
		case readErr == nil:
			w.succeed(w.Do(w.Context(), "c", look))
			w.wantOneSecret("c", c.CredentialVersion)
		case err == nil:
			w.Errorf("a connection that was made is not there: %v", readErr)
		default:
			w.wantProblem(readErr, problem.NotFound, problem.CodeNotFound)
			_, err := w.Create(w.Context(), "c", w.settings()) // the token is not claimed
			w.succeed(err)
			w.succeed(w.Do(w.Context(), "c", look))
		}
	})
}

func TestEditCrashesAnywhere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(w *world)
		another bool // another token than before
	}{
		"another token":                   {func(*world) {}, true},
		"the same token":                  {func(*world) {}, false},
		"the same token without session":  {func(w *world) { w.sessionDies() }, false},
		"another token without a session": {func(w *world) { w.sessionDies() }, true},
		"a token for a broken connection": {func(w *world) {
			_, err := w.Unreachable(w.Context(), w.stored("c"), errCrash)
			w.succeed(err)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atEachWrite(t, func(w *world) {
				_, err := w.Create(w.Context(), "c", w.settings())
				w.succeed(err)
				test.prepare(w)
			}, func(w *world, s *connection.Service) error {
				credential, name := w.token(), "Edited"
				if test.another {
					credential = w.newToken("", "another")
				}
				_, err := s.Edit(w.Context(), "c", connection.Edit{Name: &name, Credential: &credential})
				return err
			}, func(w *world, err error) {
				c, readErr := w.Get(w.Context(), "c")
				w.succeed(readErr)
				edited := c.Name == "Edited"
				if edited != (c.Version == 2) || test.another && edited != (c.Auth.TokenName == "another") || !edited && err == nil {
					w.Errorf("got %+v after error %v, want the old or the new, whole", c, err)
				}
				// What is stored signs in: it is not only the session that lives.
				if edited || c.State.Works() {
					w.succeed(w.Do(w.Context(), "c", look))
				}
				w.sessionDies()
				_, err = w.process(w.store, w.store).Test(w.Context(), "c")
				w.succeed(err)
				if owner, err := w.store.FingerprintOwner(w.Context(), c.Fingerprint); err != nil || owner != "c" {
					w.Errorf("got owner %q, error %v, want the token to be claimed", owner, err)
				}
			})
		})
	}
}

func TestDeleteCrashesAnywhere(t *testing.T) {
	t.Parallel()
	atEachWrite(t, func(w *world) {
		_, err := w.Create(w.Context(), "c", w.settings())
		w.succeed(err)
	}, func(w *world, s *connection.Service) error { return s.Delete(w.Context(), "c", 0) }, func(w *world, err error) {
		if _, readErr := w.Get(w.Context(), "c"); readErr == nil {
			w.succeed(w.Do(w.Context(), "c", look))
		} else if err != nil {
			// Asking once more finishes it.
			w.wantProblem(w.Delete(w.Context(), "c", 0), problem.NotFound, problem.CodeNotFound)
			w.wantOneSecret("c", "")
		} else {
			w.wantOneSecret("c", "")
		}
	})
}

func TestSignInCrashesAnywhere(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(w *world){
		"session":  func(w *world) { w.sessionDies() },
		"rejected": func(w *world) { w.tableau.RevokeTokens("") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atEachWrite(t, func(w *world) {
				_, err := w.Create(w.Context(), "c", w.settings())
				w.succeed(err)
				prepare(w)
			}, func(w *world, s *connection.Service) error {
				err := s.Do(w.Context(), "c", look)
				var broken *connection.BrokenError
				if name == "rejected" && errors.As(err, &broken) && !errors.Is(err, errCrash) {
					return nil
				}
				return err
			}, func(w *world, _ error) {
				err := w.Do(w.Context(), "c", look)
				if name == "session" {
					w.succeed(err)
					return
				}
				if got := w.stored("c").State; err == nil || got != connection.NeedsCredentials {
					w.Errorf("got error %v, %s, want the credential to be rejected", err, got)
				}
			})
		})
	}
}
