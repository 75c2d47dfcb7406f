package connection_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/storetest"
)

func (w *world) history(id string) []connection.Event {
	w.Helper()
	events, _, err := w.History(w.Context(), id, "", 1000)
	w.succeed(err)
	w.wantNoSecrets("the history", fmt.Sprintf("%+v", events))
	return events
}

// wantLast checks what the history told last.
func (w *world) wantLast(id string, action connection.Action, person string) connection.Event {
	w.Helper()
	events := w.history(id)
	if len(events) == 0 || events[0].Action != action || events[0].Person != person {
		w.Fatalf("got the history %+v, want %s by %q last", events, action, person)
	}
	if e := events[0]; e.Summary == "" || !e.At.Equal(time.Now()) {
		w.Errorf("got the event %+v, want what happened, and when", e)
	}
	return events[0]
}

// What people do is noted with who did it, and what vizpost finds out as its
// own.
func TestHistory(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		ana := connection.WithPerson(w.Context(), "ana@example.com")
		rui := connection.WithPerson(w.Context(), "rui@example.com")
		wantChanges := func(e connection.Event, want ...connection.Change) {
			w.Helper()
			if diff := cmp.Diff(want, e.Changes); diff != "" {
				w.Errorf("the changes (-want +got):\n%s", diff)
			}
		}

		_, err := w.Create(ana, "c", w.settings())
		w.succeed(err)
		w.wantLast("c", connection.Created, "ana@example.com")

		time.Sleep(time.Hour)
		name, notify := "Sales EU", []string{"ops@example.com", "eu@example.com"}
		_, err = w.Edit(rui, "c", connection.Edit{Name: &name, Notify: &notify})
		w.succeed(err)
		e := w.wantLast("c", connection.Edited, "rui@example.com")
		wantChanges(e, connection.Change{Field: "name", From: "Sales", To: "Sales EU"},
			connection.Change{Field: "notify", From: "ops@example.com", To: "ops@example.com, eu@example.com"})
		if e.Summary != "Changed the name and who is told of problems." {
			w.Errorf("got summary %q", e.Summary)
		}
		_, err = w.Edit(rui, "c", connection.Edit{Name: &name}) // changes nothing
		w.succeed(err)
		if got := len(w.history("c")); got != 2 {
			w.Errorf("got %d events, want none of an edit that changed nothing", got)
		}

		credential := w.newToken("", "second")
		_, err = w.Edit(ana, "c", connection.Edit{Credential: &credential})
		w.succeed(err)
		wantChanges(w.wantLast("c", connection.CredentialChanged, "ana@example.com"),
			connection.Change{Field: "auth.token_name", From: w.token().TokenName, To: "second"},
			connection.Change{Field: "auth.token_secret", To: "replaced"})
		_, err = w.Test(rui, "c")
		w.succeed(err)
		w.wantLast("c", connection.Tested, "rui@example.com")

		// It breaks, whoever finds it out; a test does not mend it, a new
		// credential does.
		w.tableau.RevokeTokens("")
		_, err = w.Test(rui, "c")
		w.wantProblem(err, problem.Invalid, problem.CodeCredentialsRejected)
		w.wantLast("c", connection.Tested, "rui@example.com")
		broke := w.history("c")[1]
		if broke.Action != connection.Broke || broke.Person != "" || !strings.Contains(broke.Summary, "revoked") {
			w.Errorf("got %+v, want that it broke, and why", broke)
		}
		password := w.password()
		_, err = w.Edit(ana, "c", connection.Edit{Credential: &password})
		w.succeed(err)
		w.wantLast("c", connection.Mended, "ana@example.com")
		wantChanges(w.history("c")[1],
			connection.Change{Field: "auth.method", From: "personal_access_token", To: "username_password"},
			connection.Change{Field: "auth.token_name", From: "second"},
			connection.Change{Field: "auth.username", To: password.Username},
			connection.Change{Field: "auth.password", To: "replaced"})

		_, err = w.Unreachable(w.Context(), w.stored("c"), errCrash)
		w.succeed(err)
		w.wantLast("c", connection.Broke, "")
		time.Sleep(2 * time.Minute)
		if works, err := w.Probe(w.Context(), "c"); !works || err != nil {
			w.Fatalf("got %v, error %v, want it to work", works, err)
		}
		w.wantLast("c", connection.Mended, "")

		before := len(w.history("c"))
		w.succeed(w.Delete(ana, "c", 0))
		wantChanges(w.wantLast("c", connection.Deleted, "ana@example.com"),
			connection.Change{Field: "name", From: "Sales EU"}, connection.Change{Field: "server_url", From: serverURL},
			connection.Change{Field: "site", From: w.tableau.Site()}, connection.Change{Field: "auth.method", From: "username_password"},
			connection.Change{Field: "auth.username", From: password.Username}, connection.Change{Field: "identity.user_name", From: password.Username},
			connection.Change{Field: "notify", From: "ops@example.com, eu@example.com"})
		if got := len(w.history("c")); got != before+1 {
			w.Errorf("got %d events of the deleted connection, want all %d", got, before+1)
		}

		// Nothing is kept forever, and what never was has no history.
		time.Sleep(connection.HistoryKept + time.Second)
		for _, id := range []string{"c", "none"} {
			_, _, err := w.History(w.Context(), id, "", 10)
			w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
		}
	})
}

func TestHistoryOfATokensLife(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.connect().ID
		w.wantLast(id, connection.Created, "") // by nobody who is known
		time.Sleep(8 * day)
		w.succeed(w.KeepAlive(w.Context(), id))
		w.wantLast(id, connection.KeptAlive, "")
		w.sessionDies()
		w.succeed(w.Do(w.Context(), id, look)) // an ordinary sign-in is no event
		w.succeed(w.KeepAlive(w.Context(), id))
		if got := len(w.history(id)); got != 2 {
			w.Errorf("got %d events, want 2", got)
		}

		for range 2 { // once for each warning
			stored := w.stored(id)
			warning := connection.Warning{Kind: "expires_in_7_days", Of: stored.CredentialVersion, Subject: "The token ends in 7 days"}
			w.succeed(w.NoteWarned(w.Context(), stored, warning))
		}
		if e := w.wantLast(id, connection.Warned, ""); !strings.Contains(e.Summary, "ops@example.com") || len(w.history(id)) != 3 {
			w.Errorf("got %+v, want once who was told", e)
		}
	})
}

// A server that comes and goes for days does not push out who changed what.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		for range 150 {
			_, err := w.Unreachable(w.Context(), w.stored(c.ID), errCrash)
			w.succeed(err)
			_, err = w.Test(w.Context(), c.ID)
			w.succeed(err)
		}
		events := w.history(c.ID)
		if got := len(events); got != 201 {
			w.Errorf("got %d events, want the newest 200 and the one of a person", got)
		}
		if events[200].Action != connection.Created {
			w.Errorf("got %s at the end, want %s", events[200].Action, connection.Created)
		}
		for i := range 510 {
			name := fmt.Sprintf("Name %d", i)
			_, err := w.Edit(w.Context(), c.ID, connection.Edit{Name: &name})
			w.succeed(err)
		}
		if got := len(w.history(c.ID)); got != 700 {
			w.Errorf("got %d events, want 500 edits and 200 others", got)
		}
		var got []string
		after := ""
		for {
			page, next, err := w.History(w.Context(), c.ID, after, 300)
			w.succeed(err)
			for _, e := range page {
				got = append(got, e.ID)
			}
			if next == "" {
				break
			}
			after = next
		}
		if len(got) != 700 {
			w.Errorf("got %d events page by page, want 700", len(got))
		}
	})
}

func TestNoteReleased(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.succeed(w.NoteReleased(w.Context(), c.ID, make([]connection.HeldRun, 120)))
		e := w.wantLast(c.ID, connection.RunsReleased, "")
		if len(e.Runs) != 100 || e.Summary != "120 runs that were held are released. The first 100 are named here." {
			w.Errorf("got %d runs, %q, want the first 100 of 120", len(e.Runs), e.Summary)
		}
		w.wantProblem(w.NoteReleased(w.Context(), "none", make([]connection.HeldRun, 1)), problem.NotFound, problem.CodeNotFound)
	})
}

// A history that cannot be written keeps nobody from testing.
func TestTestWithoutHistory(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		store := &storetest.Failing{Store: w.store, Forever: true}
		store.FailAt(1)
		_, err := w.process(store, w.store).Test(w.Context(), c.ID)
		w.succeed(err)
		if !strings.Contains(w.log.String(), "an event was not noted") {
			w.Error("the log does not say that an event was not noted")
		}
	})
}
