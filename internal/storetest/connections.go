package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

func connectionChecks() []check {
	return []check{
		{"every field comes back", connectionFields},
		{"what was given and what came back is not shared", connectionNotShared},
		{"an id is used once", connectionIDOnce},
		{"what is missing is not found", connectionMissing},
		{"an update counts and needs the current Rev", connectionUpdate},
		{"of updates at once one wins", connectionUpdateRace},
		{"a token belongs to one connection", connectionClaim},
		{"of connections made at once with one token one wins", connectionClaimRace},
		{"a password claims nothing", connectionPassword},
		{"an edit moves the claim and drops the old session", connectionMovesClaim},
		{"an edit that is refused changes nothing", connectionRefusedEdit},
		{"an edit without a new credential keeps the session", connectionKeepsSession},
		{"an edit to a token races with a new connection", connectionMoveRace},
		{"delete takes claim and session along", connectionDelete},
		{"delete is refused while reports use it", connectionInUse},
		{"delete races with a new report", connectionDeleteRace},
		{"delete races with a report that moves to it", connectionDeleteMoveRace},
		{"reports that come and go do not change it", connectionUnchangedByReports},
		{"the list is in order of id, page by page", connectionList},
	}
}

func connectionID(c connection.Connection) string { return c.ID }

func filledConnection(t tester) connection.Connection {
	c := fill[connection.Connection](t)
	c.Auth.Method = tableau.PersonalAccessToken
	return c
}

func connectionFields(t *testing.T, s Store) {
	c := filledConnection(t)
	session := fill[connection.Session](t)
	session.ConnectionID, session.CredentialVersion = c.ID, c.CredentialVersion
	succeed(t, s.CreateConnection(t.Context(), c, &session))

	want := kept(c)
	want.Rev = 1
	same(t, must[connection.Connection](t)(s.Connection(t.Context(), c.ID)), want)
	in := must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint))
	same(t, in.Session, kept(session))
	eventually(t, func() string {
		list, _, err := s.Connections(t.Context(), "", 10)
		succeed(t, err)
		return differs(list, []connection.Connection{want})
	})

	// Replaced whole: what is empty now does not keep its old value.
	replaced := connection.Connection{ID: c.ID, Rev: 1, Auth: connection.Auth{Method: tableau.UsernamePassword},
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
	succeed(t, s.UpdateConnection(t.Context(), replaced, nil))
	replaced.Rev = 2
	same(t, must[connection.Connection](t)(s.Connection(t.Context(), c.ID)), kept(replaced))
}

func connectionNotShared(t *testing.T, s Store) {
	c := filledConnection(t)
	session := fill[connection.Session](t)
	session.ConnectionID, session.CredentialVersion = c.ID, c.CredentialVersion
	before := c.Clone()
	want, wantSession := kept(before), kept(session)
	wantSession.Sealed = slices.Clone(session.Sealed)
	want.Rev = 1
	fingerprint := c.Fingerprint
	succeed(t, s.CreateConnection(t.Context(), c, &session))
	unchanged(t, c, before)
	scribble(c)
	scribble(session)
	for range 2 {
		got := must[connection.Connection](t)(s.Connection(t.Context(), want.ID))
		same(t, got, want)
		scribble(got)
		in := must[connection.SignIn](t)(s.SignIn(t.Context(), fingerprint))
		same(t, in.Session, wantSession)
		scribble(in)
	}
}

func connectionIDOnce(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	other := newConnection("c")
	other.Name, other.Fingerprint = "Other", "token-other"
	wantKind(t, s.CreateConnection(t.Context(), other, nil), problem.Stale)
	wantKind(t, s.CreateConnection(t.Context(), newConnection("c"), nil), problem.Stale)
	same(t, must[connection.Connection](t)(s.Connection(t.Context(), "c")), c)
	_, err := s.FingerprintOwner(t.Context(), "token-other")
	wantKind(t, err, problem.NotFound)
}

func connectionMissing(t *testing.T, s Store) {
	_, err := s.Connection(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	_, err = s.FingerprintOwner(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	wantKind(t, s.UpdateConnection(t.Context(), newConnection("none"), nil), problem.NotFound)
	wantKind(t, s.DeleteConnection(t.Context(), "none", 1), problem.NotFound)
	_, err = s.FingerprintOwner(t.Context(), newConnection("none").Fingerprint)
	wantKind(t, err, problem.NotFound)
	list, next, err := s.Connections(t.Context(), "", 10)
	succeed(t, err)
	if len(list) != 0 || next != "" {
		t.Errorf("got %d connections, next %q, want none", len(list), next)
	}
}

func connectionUpdate(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	if c.Rev != 1 {
		t.Fatalf("got Rev %d of a new connection, want 1", c.Rev)
	}
	c.Name, c.Version, c.Problem = "Renamed", 2, &connection.Problem{Code: "unreachable", Since: start()}
	succeed(t, s.UpdateConnection(t.Context(), c, nil))
	want := c
	want.Rev = 2
	same(t, must[connection.Connection](t)(s.Connection(t.Context(), "c")), want)

	for _, rev := range []int64{0, 1, 3} {
		late := newConnection("c")
		late.Name, late.Rev = "Late", rev
		wantKind(t, s.UpdateConnection(t.Context(), late, nil), problem.Stale)
		wantKind(t, s.DeleteConnection(t.Context(), "c", rev), problem.Stale)
	}
	same(t, must[connection.Connection](t)(s.Connection(t.Context(), "c")), want)
}

func connectionUpdateRace(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	for round := range 5 {
		winner := oneWins(t, race(4, func(i int) error {
			edit := c
			edit.Name = fmt.Sprintf("Edit %d of round %d", i, round)
			return s.UpdateConnection(t.Context(), edit, nil)
		}), isKind(problem.Stale))
		c.Name, c.Rev = fmt.Sprintf("Edit %d of round %d", winner, round), c.Rev+1
		same(t, must[connection.Connection](t)(s.Connection(t.Context(), "c")), c)
	}
}

func connectionClaim(t *testing.T, s Store) {
	a := storeConnection(t, s, newConnection("a"))
	b := newConnection("b")
	b.Fingerprint = a.Fingerprint
	session := sessionOf(b, 1)
	wantCode(t, s.CreateConnection(t.Context(), b, &session), problem.Conflict, problem.CodeTokenInUse)
	_, err := s.Connection(t.Context(), "b")
	wantKind(t, err, problem.NotFound)
	owner := must[string](t)(s.FingerprintOwner(t.Context(), a.Fingerprint))
	same(t, owner, "a")
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), a.Fingerprint)), connection.SignIn{Fingerprint: a.Fingerprint})
}

func connectionClaimRace(t *testing.T, s Store) {
	for round := range 5 {
		token := fmt.Sprint("token-", round)
		winner := oneWins(t, race(4, func(i int) error {
			c := newConnection(fmt.Sprintf("c-%d-%d", round, i))
			c.Fingerprint = token
			return s.CreateConnection(t.Context(), c, nil)
		}), func(err error) bool { return problem.HasCode(err, problem.CodeTokenInUse) })
		owner := must[string](t)(s.FingerprintOwner(t.Context(), token))
		same(t, owner, fmt.Sprintf("c-%d-%d", round, winner))
		for i := range 4 {
			if _, err := s.Connection(t.Context(), fmt.Sprintf("c-%d-%d", round, i)); i == winner {
				succeed(t, err)
			} else {
				wantKind(t, err, problem.NotFound)
			}
		}
	}
}

func connectionPassword(t *testing.T, s Store) {
	for _, id := range []string{"a", "b"} {
		c := newConnection(id)
		c.Auth = connection.Auth{Method: tableau.UsernamePassword, Username: "ada"}
		c.Fingerprint = "password"
		storeConnection(t, s, c)
	}
	_, err := s.FingerprintOwner(t.Context(), "password")
	wantKind(t, err, problem.NotFound)
}

// sessionOf makes a session of a connection's credential.
func sessionOf(c connection.Connection, generation int64) connection.Session {
	return connection.Session{ConnectionID: c.ID, CredentialVersion: c.CredentialVersion, Generation: generation,
		Sealed: []byte(fmt.Sprint("sealed ", generation)), SignedInAt: start()}
}

func connectionMovesClaim(t *testing.T, s Store) {
	c := newConnection("c")
	first := sessionOf(c, 1)
	succeed(t, s.CreateConnection(t.Context(), c, &first))
	leased := must[connection.SignIn](t)(s.LeaseSignIn(t.Context(), "token-c", "me", start(), start()))

	c.Rev, c.Fingerprint, c.CredentialVersion = 1, "token-new", "version-2"
	second := sessionOf(c, 2)
	succeed(t, s.UpdateConnection(t.Context(), c, &second))
	owner := must[string](t)(s.FingerprintOwner(t.Context(), "token-new"))
	same(t, owner, "c")
	_, err := s.FingerprintOwner(t.Context(), "token-c")
	wantKind(t, err, problem.NotFound)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token-new")).Session, second)

	// The old token's session is gone; its fence and recent sign-ins are not.
	old := must[connection.SignIn](t)(s.SignIn(t.Context(), "token-c"))
	same(t, old.Session, connection.Session{})
	same(t, old.Fence, leased.Fence)
	same(t, old.Recent, leased.Recent)
	other := newConnection("other")
	other.Fingerprint = "token-c"
	storeConnection(t, s, other)

	// From a token to a password and back: the claim goes and comes.
	c.Rev, c.Auth.Method, c.Fingerprint = 2, tableau.UsernamePassword, "password-3"
	succeed(t, s.UpdateConnection(t.Context(), c, nil))
	_, err = s.FingerprintOwner(t.Context(), "token-new")
	wantKind(t, err, problem.NotFound)
	_, err = s.FingerprintOwner(t.Context(), "password-3")
	wantKind(t, err, problem.NotFound)
	c.Rev, c.Auth.Method, c.Fingerprint = 3, tableau.PersonalAccessToken, "token-new"
	succeed(t, s.UpdateConnection(t.Context(), c, nil))
	owner = must[string](t)(s.FingerprintOwner(t.Context(), "token-new"))
	same(t, owner, "c")
}

func connectionRefusedEdit(t *testing.T, s Store) {
	a := newConnection("a")
	session := sessionOf(a, 1)
	succeed(t, s.CreateConnection(t.Context(), a, &session))
	a.Rev = 1
	b := storeConnection(t, s, newConnection("b"))
	theirs := sessionOf(b, 7)
	b.Rev = 2
	succeed(t, s.UpdateConnection(t.Context(), storedOf(t, s, "b"), &theirs))

	edit := a
	edit.Name, edit.Fingerprint = "Edited", b.Fingerprint
	mine := sessionOf(edit, 2)
	wantCode(t, s.UpdateConnection(t.Context(), edit, &mine), problem.Conflict, problem.CodeTokenInUse)
	late := a
	late.Rev, late.Fingerprint = 9, "token-late"
	wantKind(t, s.UpdateConnection(t.Context(), late, &mine), problem.Stale)

	same(t, storedOf(t, s, "a"), a)
	same(t, storedOf(t, s, "b"), b)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), a.Fingerprint)).Session, session)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), b.Fingerprint)).Session, theirs)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), "token-late")).Session, connection.Session{})
	owner := must[string](t)(s.FingerprintOwner(t.Context(), a.Fingerprint))
	same(t, owner, "a")
	_, err := s.FingerprintOwner(t.Context(), "token-late")
	wantKind(t, err, problem.NotFound)
}

func storedOf(t tester, s Store, id string) connection.Connection {
	t.Helper()
	return must[connection.Connection](t)(s.Connection(t.Context(), id))
}

func connectionKeepsSession(t *testing.T, s Store) {
	c := newConnection("c")
	session := sessionOf(c, 1)
	succeed(t, s.CreateConnection(t.Context(), c, &session))
	c.Rev, c.Name = 1, "Renamed"
	succeed(t, s.UpdateConnection(t.Context(), c, nil))
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)).Session, session)
	c.Rev = 2
	session = sessionOf(c, 2)
	succeed(t, s.UpdateConnection(t.Context(), c, &session))
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)).Session, session)
}

func connectionMoveRace(t *testing.T, s Store) {
	for round := range 5 {
		token, old := fmt.Sprint("token-", round), storeConnection(t, s, newConnection(fmt.Sprint("old-", round)))
		errs := race(2, func(i int) error {
			if i == 0 {
				edit := old
				edit.Fingerprint = token
				return s.UpdateConnection(t.Context(), edit, nil)
			}
			c := newConnection(fmt.Sprint("new-", round))
			c.Fingerprint = token
			return s.CreateConnection(t.Context(), c, nil)
		})
		winner := oneWins(t, errs, func(err error) bool { return problem.HasCode(err, problem.CodeTokenInUse) })
		owner := must[string](t)(s.FingerprintOwner(t.Context(), token))
		same(t, owner, []string{fmt.Sprint("old-", round), fmt.Sprint("new-", round)}[winner])
	}
}

func connectionDelete(t *testing.T, s Store) {
	c := newConnection("c")
	session := sessionOf(c, 1)
	succeed(t, s.CreateConnection(t.Context(), c, &session))
	leased := must[connection.SignIn](t)(s.LeaseSignIn(t.Context(), c.Fingerprint, "me", start(), start()))
	succeed(t, s.DeleteConnection(t.Context(), "c", 1))

	_, err := s.Connection(t.Context(), "c")
	wantKind(t, err, problem.NotFound)
	_, err = s.FingerprintOwner(t.Context(), c.Fingerprint)
	wantKind(t, err, problem.NotFound)
	same(t, must[connection.SignIn](t)(s.SignIn(t.Context(), c.Fingerprint)).Session, connection.Session{})
	wantError(t, s.StoreSession(t.Context(), c.Fingerprint, leased.Fence, session), connection.ErrFenced)
	wantKind(t, s.DeleteConnection(t.Context(), "c", 1), problem.NotFound)
	eventually(t, func() string {
		list, _, err := s.Connections(t.Context(), "", 10)
		succeed(t, err)
		return differs(list, nil)
	})
	again := newConnection("again")
	again.Fingerprint = c.Fingerprint
	storeConnection(t, s, again)
}

func connectionInUse(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("a"))
	storeConnection(t, s, newConnection("b"))
	one := storeReport(t, s, newReport("one", "a"))
	two := storeReport(t, s, newReport("two", "a"))
	inUse := func(id string) {
		t.Helper()
		wantCode(t, s.DeleteConnection(t.Context(), id, 1), problem.Conflict, problem.CodeInUse)
		succeed(t, func() error { _, err := s.Connection(t.Context(), id); return err }())
		succeed(t, func() error { _, err := s.FingerprintOwner(t.Context(), newConnection(id).Fingerprint); return err }())
	}
	inUse("a")
	one.ConnectionID = "b"
	succeed(t, s.UpdateReport(t.Context(), one))
	inUse("a")
	inUse("b")
	succeed(t, s.DeleteReport(t.Context(), "two", two.Rev))
	succeed(t, s.DeleteConnection(t.Context(), "a", 1))
	inUse("b")
	succeed(t, s.DeleteReport(t.Context(), "one", one.Rev+1))
	succeed(t, s.DeleteConnection(t.Context(), "b", 1))
}

func connectionDeleteRace(t *testing.T, s Store) {
	for round := range 10 {
		c := storeConnection(t, s, newConnection(fmt.Sprint("c-", round)))
		r := newReport(fmt.Sprint("r-", round), c.ID)
		errs := race(2, func(i int) error {
			if i == 0 {
				return s.DeleteConnection(t.Context(), c.ID, c.Rev)
			}
			return s.CreateReport(t.Context(), r)
		})
		deleteOrUse(t, s, c.ID, errs)
	}
}

func connectionDeleteMoveRace(t *testing.T, s Store) {
	storeConnection(t, s, newConnection("home"))
	for round := range 10 {
		c := storeConnection(t, s, newConnection(fmt.Sprint("c-", round)))
		r := storeReport(t, s, newReport(fmt.Sprint("r-", round), "home"))
		errs := race(2, func(i int) error {
			if i == 0 {
				return s.DeleteConnection(t.Context(), c.ID, c.Rev)
			}
			move := r
			move.ConnectionID = c.ID
			return s.UpdateReport(t.Context(), move)
		})
		deleteOrUse(t, s, c.ID, errs)
	}
}

// deleteOrUse wants a connection to be either deleted or used.
func deleteOrUse(t tester, s Store, id string, errs []error) {
	t.Helper()
	_, err := s.Connection(t.Context(), id)
	switch {
	case errs[0] == nil && problem.Is(errs[1], problem.Invalid):
		wantKind(t, err, problem.NotFound)
	case problem.HasCode(errs[0], problem.CodeInUse) && errs[1] == nil:
		succeed(t, err)
	default:
		t.Fatalf("delete got error %v, its use %v; want exactly one to succeed", errs[0], errs[1])
	}
}

func connectionUnchangedByReports(t *testing.T, s Store) {
	c := storeConnection(t, s, newConnection("c"))
	r := storeReport(t, s, newReport("r", "c"))
	same(t, storedOf(t, s, "c"), c)
	c.Name = "Renamed"
	succeed(t, s.UpdateConnection(t.Context(), c, nil)) // also with the Rev from before the report
	c.Rev++
	wantCode(t, s.DeleteConnection(t.Context(), "c", c.Rev), problem.Conflict, problem.CodeInUse)
	succeed(t, s.DeleteReport(t.Context(), "r", r.Rev))
	same(t, storedOf(t, s, "c"), c)
	succeed(t, s.DeleteConnection(t.Context(), "c", c.Rev))
}

func connectionList(t *testing.T, s Store) {
	var name names
	checkList(t, listing[connection.Connection]{
		add: func() string { return storeConnection(t, s, newConnection(name.next())).ID },
		page: func(after string, limit int) ([]connection.Connection, string, error) {
			return s.Connections(t.Context(), after, limit)
		},
		id: connectionID,
	})
}
