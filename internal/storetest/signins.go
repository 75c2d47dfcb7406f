package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
)

func signInChecks() []check {
	return []check{
		{"a fingerprint never seen is empty", signInUnseen},
		{"a lease is one holder's until it ends", signInLease},
		{"of leases taken at once one wins", signInLeaseRace},
		{"recent sign-ins are those of ten minutes", signInRecent},
		{"a session ends the lease", signInSession},
		{"every field of a session comes back", signInSessionFields},
		{"a late holder stores no session", signInLateHolder},
		{"a session of an old credential is refused", signInOldCredential},
		{"a session races with a new credential", signInCredentialRace},
		{"what a clock far ahead wrote does not hold", signInClockAhead},
		{"a release frees the lease", signInRelease},
		{"a release takes back what did not count", signInReleaseUncounted},
		{"leases follow their model", signInModel},
	}
}

func lease(t tester, s Store, fingerprint, holder string, now time.Time) connection.SignIn {
	t.Helper()
	return must[connection.SignIn](t)(s.LeaseSignIn(t.Context(), fingerprint, holder, now, now.Add(30*time.Second)))
}

func signInUnseen(t *testing.T, s Store) {
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token")), connection.SignIn{Fingerprint: "token"})
	succeed(t, s.ReleaseSignIn(t.Context(), "token", 0, false))
	succeed(t, s.ReleaseSignIn(t.Context(), "token", 1, false))
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token")), connection.SignIn{Fingerprint: "token"})
}

func signInLease(t *testing.T, s Store) {
	now := start()
	first := lease(t, s, "token", "a", now)
	want := connection.SignIn{Fingerprint: "token", Fence: first.Fence, Holder: "a",
		LeaseUntil: now.Add(30 * time.Second), Recent: []time.Time{now}}
	same(t, first, want)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token")), want)

	// Held, by the last microsecond of it; another token's is free.
	for _, at := range []time.Time{now, now.Add(30*time.Second - time.Microsecond)} {
		_, err := s.LeaseSignIn(t.Context(), "token", "b", at, at.Add(time.Minute))
		wantError(t, err, connection.ErrLeaseHeld)
	}
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token")), want)
	lease(t, s, "another token", "b", now)

	// The holder may take it again, and anybody once it has ended.
	second := lease(t, s, "token", "a", now.Add(time.Second))
	third := lease(t, s, "token", "b", now.Add(31*time.Second))
	if first.Fence >= second.Fence || second.Fence >= third.Fence {
		t.Errorf("got the fences %d, %d, %d, want each above the one before", first.Fence, second.Fence, third.Fence)
	}
	same(t, third.Holder, "b")
	same(t, third.Recent, []time.Time{now, now.Add(time.Second), now.Add(31 * time.Second)})
}

func signInLeaseRace(t *testing.T, s Store) {
	now, fence := start(), int64(0)
	for range 5 {
		winner := oneWins(t, race(4, func(i int) error {
			_, err := s.LeaseSignIn(t.Context(), "token", fmt.Sprint("holder ", i), now, now.Add(time.Second))
			return err
		}), isError(connection.ErrLeaseHeld))
		in := must[connection.SignIn](t)(s.SignIn(t.Context(), "token"))
		same(t, in.Holder, fmt.Sprint("holder ", winner))
		if in.Fence <= fence {
			t.Errorf("got the fence %d after %d", in.Fence, fence)
		}
		fence, now = in.Fence, now.Add(time.Second)
		same(t, in.Recent[len(in.Recent)-1], now.Add(-time.Second))
	}
}

func signInRecent(t *testing.T, s Store) {
	now := start()
	for _, minutes := range []int{0, 3, 9} {
		in := lease(t, s, "token", "a", now.Add(time.Duration(minutes)*time.Minute))
		same(t, in.Recent[len(in.Recent)-1], now.Add(time.Duration(minutes)*time.Minute))
	}
	in := lease(t, s, "token", "a", now.Add(12*time.Minute))
	want := []time.Time{now.Add(3 * time.Minute), now.Add(9 * time.Minute), now.Add(12 * time.Minute)}
	same(t, in.Recent, want)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token")).Recent, want)

	// A clock that is behind another does not disturb the order.
	in = lease(t, s, "token", "a", now.Add(11*time.Minute))
	same(t, in.Recent, []time.Time{want[0], want[1], now.Add(11 * time.Minute), want[2]})
}

func signInSession(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	now := start()
	for generation := int64(1); generation <= 2; generation++ {
		leased := lease(t, s, c.Fingerprint, "a", now)
		session := sessionOf(c, generation)
		succeed(t, s.StoreSession(t.Context(), c.Fingerprint, leased.Fence, session))
		in := must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint))
		same(t, in.Session, session)
		same(t, in.Fence, leased.Fence)
		same(t, in.Recent, leased.Recent)
		if in.LeaseUntil.After(now) {
			t.Errorf("the lease runs until %v after the session was stored at %v", in.LeaseUntil, now)
		}
		// The next holder sees the session that there is.
		now = now.Add(time.Second)
		same(t, lease(t, s, c.Fingerprint, "b", now).Session, session)
		now = now.Add(time.Minute)
	}
	same(t, storedOf(t, s, "c"), c)
}

func signInSessionFields(t *testing.T, s Store) {
	session := fill[connection.Session](t)
	c := newConnection(session.ConnectionID)
	c.CredentialVersion = session.CredentialVersion
	storeConnection(t, s, c)
	leased := lease(t, s, c.Fingerprint, "a", start())
	want := kept(session)
	want.Sealed = slices.Clone(session.Sealed)
	succeed(t, s.StoreSession(t.Context(), c.Fingerprint, leased.Fence, session))
	scribble(session)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)).Session, want)
}

func signInLateHolder(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	now := start()
	late := lease(t, s, c.Fingerprint, "late", now)
	now = now.Add(time.Minute)
	current := lease(t, s, c.Fingerprint, "current", now)

	for _, fence := range []int64{0, late.Fence, current.Fence + 1} {
		wantError(t, s.StoreSession(t.Context(), c.Fingerprint, fence, sessionOf(c, 1)), connection.ErrFenced)
		succeed(t, s.ReleaseSignIn(t.Context(), c.Fingerprint, fence, false))
		same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)), current)
	}
	_, err := s.LeaseSignIn(t.Context(), c.Fingerprint, "late", now, now.Add(time.Minute))
	wantError(t, err, connection.ErrLeaseHeld)
	succeed(t, s.StoreSession(t.Context(), c.Fingerprint, current.Fence, sessionOf(c, 1)))
	wantError(t, s.StoreSession(t.Context(), c.Fingerprint, late.Fence, sessionOf(c, 2)), connection.ErrFenced)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)).Session, sessionOf(c, 1))
}

func signInOldCredential(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	leased := lease(t, s, c.Fingerprint, "a", start())
	session := sessionOf(c, 1)
	session.CredentialVersion = "version-0"
	wantError(t, s.StoreSession(t.Context(), c.Fingerprint, leased.Fence, session), connection.ErrFenced)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)), leased)

	// The credential is replaced while a worker signs in with the old one.
	session = sessionOf(c, 1)
	edit := c
	edit.CredentialVersion, edit.Fingerprint = "version-2", "token-new"
	succeed(t, s.UpdateConnection(t.Context(), edit, nil))
	wantError(t, s.StoreSession(t.Context(), c.Fingerprint, leased.Fence, session), connection.ErrFenced)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)).Session, connection.Session{})

	// A connection that does not exist names no credential.
	session = sessionOf(newConnection("none"), 1)
	other := lease(t, s, "token-none", "a", start())
	wantError(t, s.StoreSession(t.Context(), "token-none", other.Fence, session), connection.ErrFenced)
}

func signInCredentialRace(t *testing.T, s Store) {
	for round := range 10 {
		c := storeConnection(t, s, newConnection(fmt.Sprint("c-", round)))
		leased := lease(t, s, c.Fingerprint, "a", start())
		edit := c
		edit.CredentialVersion, edit.Fingerprint = "version-2", fmt.Sprint("token-new-", round)
		errs := race(2, func(i int) error {
			if i == 0 {
				return s.UpdateConnection(t.Context(), edit, nil)
			}
			return s.StoreSession(t.Context(), c.Fingerprint, leased.Fence, sessionOf(c, 1))
		})
		succeed(t, errs[0])
		if errs[1] != nil {
			wantError(t, errs[1], connection.ErrFenced)
		}
		// Before or after: the old token's session is gone either way.
		same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)).Session, connection.Session{})
	}
}

// A machine's clock was set back by an hour after its process died.
func signInClockAhead(t *testing.T, s Store) {
	now := start()
	late := lease(t, s, "token", "dead", now.Add(time.Hour))
	if late.Held(now) {
		t.Error("a lease that runs for an hour yet is told to be held")
	}
	in := lease(t, s, "token", "b", now)
	same(t, in.Recent, []time.Time{now}) // an hour ahead is not within ten minutes
	if in.Fence <= late.Fence {
		t.Errorf("got the fence %d after %d", in.Fence, late.Fence)
	}
	// Clocks that differ a little do not take a lease from one another.
	_, err := s.LeaseSignIn(t.Context(), "token", "c", now.Add(-time.Minute), now)
	wantError(t, err, connection.ErrLeaseHeld)
}

func signInRelease(t *testing.T, s Store) {
	now := start()
	first := lease(t, s, "token", "a", now)
	succeed(t, s.ReleaseSignIn(t.Context(), "token", first.Fence, true))
	in := must[connection.SignIn](t)(s.SignIn(t.Context(), "token"))
	if in.LeaseUntil.After(now) {
		t.Errorf("the lease runs until %v after it was released", in.LeaseUntil)
	}
	same(t, in.Recent, []time.Time{now})
	second := lease(t, s, "token", "b", now)
	if second.Fence <= first.Fence {
		t.Errorf("got the fence %d after %d was released", second.Fence, first.Fence)
	}
	succeed(t, s.ReleaseSignIn(t.Context(), "token", first.Fence, true))
	_, err := s.LeaseSignIn(t.Context(), "token", "c", now, now.Add(time.Minute))
	wantError(t, err, connection.ErrLeaseHeld)
}

func signInReleaseUncounted(t *testing.T, s Store) {
	now := start()
	first := lease(t, s, "token", "a", now.Add(time.Second))
	succeed(t, s.ReleaseSignIn(t.Context(), "token", first.Fence, true))
	// Signed in by a clock that is behind: its own sign-in is not the newest.
	second := lease(t, s, "token", "b", now)
	same(t, second.Recent, []time.Time{now, now.Add(time.Second)})
	for range 2 {
		succeed(t, s.ReleaseSignIn(t.Context(), "token", second.Fence, false))
		same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token")).Recent, []time.Time{now.Add(time.Second)})
	}
}

func signInModel(t *testing.T, s Store) {
	var name names
	rapid.Check(t, func(t *rapid.T) {
		c := storeConnection(t, s, newConnection(name.next()))
		now := start()
		model := connection.SignIn{Fingerprint: c.Fingerprint}
		var noted time.Time // what the lease added
		fences := []int64{0}
		fence := func(t *rapid.T) int64 { return rapid.SampledFrom(fences).Draw(t, "fence") }
		t.Repeat(map[string]func(*rapid.T){
			"lease": func(t *rapid.T) {
				holder := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "holder")
				until := now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second)
				got, err := s.LeaseSignIn(t.Context(), c.Fingerprint, holder, now, until)
				if model.Holder != holder && model.LeaseUntil.After(now) {
					wantError(t, err, connection.ErrLeaseHeld)
					return
				}
				succeed(t, err)
				if got.Fence <= model.Fence {
					t.Fatalf("got the fence %d after %d", got.Fence, model.Fence)
				}
				model.Fence, model.Holder, model.LeaseUntil, noted = got.Fence, holder, until, now
				model.Recent = slices.DeleteFunc(slices.Clone(model.Recent), func(at time.Time) bool { return !at.After(now.Add(-10 * time.Minute)) })
				model.Recent = append(model.Recent, now)
				fences = append(fences, got.Fence)
				same(t, got, model)
			},
			"store": func(t *rapid.T) {
				fence, session := fence(t), sessionOf(c, model.Session.Generation+1)
				err := s.StoreSession(t.Context(), c.Fingerprint, fence, session)
				if fence != model.Fence || fence == 0 {
					wantError(t, err, connection.ErrFenced)
					return
				}
				succeed(t, err)
				model.Session, model.Holder, model.LeaseUntil, noted = session, "", time.Time{}, time.Time{}
			},
			"release": func(t *rapid.T) {
				fence, counted := fence(t), rapid.Bool().Draw(t, "counted")
				succeed(t, s.ReleaseSignIn(t.Context(), c.Fingerprint, fence, counted))
				if fence != model.Fence || fence == 0 {
					return
				}
				if i := slices.IndexFunc(model.Recent, noted.Equal); i >= 0 && !counted {
					model.Recent = slices.Delete(slices.Clone(model.Recent), i, i+1)
				}
				model.Holder, model.LeaseUntil, noted = "", time.Time{}, time.Time{}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)), model)
			},
		})
	})
}

func attemptChecks() []check {
	return []check{
		{"attempts are limited within a window", attemptLimit},
		{"attempts at once do not pass the limit", attemptRace},
		{"an attempt can be taken back", attemptForget},
		{"attempts are counted for a day", attemptCount},
		{"attempts of a clock far ahead do not count", attemptClockAhead},
	}
}

func attemptLimit(t *testing.T, s Store) {
	const window = 10 * time.Minute
	count := func(key string, now time.Time) error {
		return s.CountAttempt(t.Context(), key, now, now.Add(-window), 3)
	}
	now := start()
	for i := range 3 {
		succeed(t, count("ada", now.Add(time.Duration(i)*time.Minute)))
	}
	err := count("ada", now.Add(3*time.Minute))
	wantKind(t, err, problem.TooMany)
	var p *problem.Error
	if errors.As(err, &p); p.After < 0 || p.After > window {
		t.Errorf("got to wait %v, want no more than the window of %v", p.After, window)
	}
	wantKind(t, count("ada", now.Add(9*time.Minute)), problem.TooMany) // a refused one was not noted
	succeed(t, count("bob", now.Add(3*time.Minute)))
	succeed(t, count("ada", now.Add(window+time.Second)))
	wantKind(t, count("ada", now.Add(window+2*time.Second)), problem.TooMany)
	succeed(t, count("ada", now.Add(window+time.Minute+time.Second)))
	wantKind(t, s.CountAttempt(t.Context(), "never", now, now.Add(-window), 0), problem.TooMany)
}

func attemptRace(t *testing.T, s Store) {
	now := start()
	errs := race(8, func(int) error {
		return s.CountAttempt(t.Context(), "ada", now, now.Add(-time.Minute), 5)
	})
	passed := 0
	for _, err := range errs {
		if err == nil {
			passed++
		} else {
			wantKind(t, err, problem.TooMany)
		}
	}
	same(t, passed, 5)
}

func attemptForget(t *testing.T, s Store) {
	now := start()
	succeed(t, s.ForgetAttempt(t.Context(), "ada"))
	count := func(now time.Time) error { return s.CountAttempt(t.Context(), "ada", now, now.Add(-time.Minute), 2) }
	succeed(t, count(now))
	succeed(t, count(now.Add(40*time.Second)))
	succeed(t, s.CountAttempt(t.Context(), "bob", now, now.Add(-time.Minute), 1))
	succeed(t, s.ForgetAttempt(t.Context(), "ada")) // the newest: the first still counts
	succeed(t, count(now.Add(50*time.Second)))
	wantKind(t, count(now.Add(55*time.Second)), problem.TooMany)
	succeed(t, count(now.Add(65*time.Second))) // the first has left the window
	wantKind(t, count(now.Add(66*time.Second)), problem.TooMany)
	wantKind(t, s.CountAttempt(t.Context(), "bob", now, now.Add(-time.Minute), 1), problem.TooMany)
}

func attemptClockAhead(t *testing.T, s Store) {
	now := start()
	count := func(now time.Time) error {
		return s.CountAttempt(t.Context(), "ada", now, now.Add(-10*time.Minute), 2)
	}
	for range 2 {
		succeed(t, count(now.Add(time.Hour)))
	}
	succeed(t, count(now))
	succeed(t, count(now.Add(time.Minute))) // another process, whose clock is a little ahead
	wantKind(t, count(now), problem.TooMany)
}

func attemptCount(t *testing.T, s Store) {
	now := start()
	want := func(since time.Time, want int) {
		t.Helper()
		same(t, must[int](t)(s.Attempts(t.Context(), "ada", since)), want)
	}
	want(now.Add(-24*time.Hour), 0)
	for i := range 4 {
		at := now.Add(time.Duration(i) * 7 * time.Hour)
		succeed(t, s.CountAttempt(t.Context(), "ada", at, at.Add(-10*time.Minute), 5))
	}
	succeed(t, s.CountAttempt(t.Context(), "bob", now, now.Add(-time.Minute), 5))
	want(now.Add(-3*time.Hour), 4)
	want(now, 4)
	want(now.Add(time.Second), 3)
	want(now.Add(20*time.Hour), 1)
	succeed(t, s.ForgetAttempt(t.Context(), "ada"))
	want(now, 3)
}
