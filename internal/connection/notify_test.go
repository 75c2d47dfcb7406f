package connection_test

import (
	"slices"
	"testing"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
)

// An address that mail cannot carry is refused where it is entered, and not
// found out when a token has died.
func TestNotifyTakesWhatMailTakes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		for _, wrong := range []string{"ops@localhost", "jürgen@example.com", "ops@exa_mple.com", "ops@-x.com", "a@example.com; b@example.com"} {
			notify := []string{"ana@example.com", wrong}
			_, err := w.Edit(w.Context(), c.ID, connection.Edit{Notify: &notify})
			w.wantFields(err, "notify[1]")
		}
		notify := []string{"Ops Team <Ops@example.com>", "ops@Example.com", "\u200bana@example.com"}
		got, err := w.Edit(w.Context(), c.ID, connection.Edit{Notify: &notify})
		w.succeed(err)
		if want := []string{"Ops@example.com", "ana@example.com"}; !slices.Equal(got.Notify, want) {
			w.Errorf("got notify %q, want %q", got.Notify, want)
		}
	})
}

// Addresses that an earlier vizpost took stand in the way of no other edit, a
// new token least of all.
func TestStoredNotifyIsNotJudgedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		c.Notify = []string{"ops@localhost"}
		w.succeed(w.store.UpdateConnection(w.Context(), c, nil))
		name := "Renamed"
		_, err := w.Edit(w.Context(), c.ID, connection.Edit{Name: &name})
		w.succeed(err)
		credential := w.newToken("", "another")
		got, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		w.succeed(err)
		if !slices.Equal(got.Notify, c.Notify) {
			w.Errorf("got notify %q, want it as it was", got.Notify)
		}
		_, err = w.Edit(w.Context(), c.ID, connection.Edit{Notify: &got.Notify})
		w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
	})
}
