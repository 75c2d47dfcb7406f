package connection_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/storetest"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestViews(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		all, err := w.Views(w.Context(), c.ID, "")
		w.succeed(err)
		if len(all) < 5 || !slices.IsSortedFunc(all, func(a, b tableau.View) int { return strings.Compare(a.WorkbookName, b.WorkbookName) }) {
			w.Errorf("got %d views, want those of the site in the order of their workbooks", len(all))
		}
		for search, want := range map[string]string{
			" OVERVIEW ": "Superstore/sheets/Overview", "superstore": "Superstore/sheets/SalesbyRegion", "écoles": "Market-coles",
			"sheets/monthly": "", "no such view": "",
		} {
			found, err := w.Views(w.Context(), c.ID, search)
			w.succeed(err)
			has := slices.ContainsFunc(found, func(v tableau.View) bool { return v.ContentURL == want })
			if want != "" && search != "écoles" && !has || search == "no such view" && len(found) != 0 || search == "écoles" && len(found) == 0 {
				w.Errorf("searching %q: got %d views, want %q among them", search, len(found), want)
			}
			if len(found) == len(all) {
				w.Errorf("searching %q: got all views", search)
			}
		}
		calls := func() int { return w.tableau.Stats().Calls["views"] }
		if got := calls(); got != 1 {
			w.Errorf("got %d readings of the list, want 1 for some minutes", got)
		}
		time.Sleep(5 * time.Minute)
		_, err = w.Views(w.Context(), c.ID, "")
		w.succeed(err)
		if got := calls(); got != 2 {
			w.Errorf("got %d readings of the list, want 2 after five minutes", got)
		}
		// Another credential may see other views.
		credential := w.newToken(tableautest.SecondUser, "viewer")
		_, err = w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential, AcceptIdentityChange: true})
		w.succeed(err)
		fewer, err := w.Views(w.Context(), c.ID, "")
		w.succeed(err)
		if len(fewer) >= len(all) || len(fewer) == 0 {
			w.Errorf("got %d views of a viewer, want some of the administrator's %d", len(fewer), len(all))
		}
		_, err = w.Views(w.Context(), "none", "")
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
	})
}

// The list is long: those who ask for it at the same time share one reading.
func TestViewsAreReadOnceAtATime(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		slow := func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/views") {
				time.Sleep(time.Second)
			}
		}
		w.network.before.Store(&slow)
		var asked sync.WaitGroup
		for range 20 {
			asked.Go(func() {
				_, err := w.Views(w.Context(), c.ID, "")
				w.succeed(err)
			})
		}
		asked.Wait()
		if got := w.tableau.Stats().Calls["views"]; got != 1 {
			w.Errorf("got %d readings of the list, want 1", got)
		}
		// Who does not want to wait is not kept.
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
		defer cancel()
		go func() { _, _ = w.Views(w.Context(), c.ID, "") }()
		synctest.Wait()
		_, err := w.Views(ctx, c.ID, "")
		w.wantProblem(err, problem.Timeout, problem.CodeTableauTimeout)
		time.Sleep(time.Minute)
	})
}

func TestViewsFail(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.fault(tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "views"})
		_, err := w.Views(w.Context(), c.ID, "")
		var failed *tableau.Error
		if !errors.As(err, &failed) || failed.Cause != tableau.ServerError {
			w.Errorf("got error %v, want Tableau's", err)
		}
		w.fault(tableautest.Fault{Kind: tableautest.FaultHang, Route: "views"})
		_, err = w.Views(w.Context(), c.ID, "")
		w.wantProblem(err, problem.Timeout, problem.CodeTableauTimeout)
		// A failure is not remembered.
		_, err = w.Views(w.Context(), c.ID, "")
		w.succeed(err)
	})
}

func TestPreview(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		views, err := w.Views(w.Context(), c.ID, "overview")
		w.succeed(err)
		var picture bytes.Buffer
		w.succeed(w.Preview(w.Context(), c.ID, views[0].ID, &picture))
		if _, err := content.Check(w.Context(), bytes.NewReader(picture.Bytes()), int64(picture.Len()), content.PNG); err != nil {
			w.Errorf("the preview is no picture: %v", err)
		}
		w.wantProblem(w.Preview(w.Context(), c.ID, "none", &picture), problem.NotFound, problem.CodeNotFound)
		w.wantProblem(w.Preview(w.Context(), "none", views[0].ID, &picture), problem.NotFound, problem.CodeNotFound)
	})
}

// What the user of a connection can see is read anew, with one list however many
// views there are.
func TestSeeViews(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		all, err := w.Views(w.Context(), c.ID, "")
		w.succeed(err)
		var wanted []connection.Wanted
		for _, v := range all {
			wanted = append(wanted, connection.Wanted{ContentURL: v.ContentURL, ViewID: v.ID})
		}
		look := func() (visible int) {
			w.Helper()
			w.tableau.ResetStats()
			seen, err := w.SeeViews(w.Context(), c.ID, wanted)
			w.succeed(err)
			if len(seen) != len(wanted) {
				w.Fatalf("got %d answers to %d views", len(seen), len(wanted))
			}
			for _, s := range seen {
				if s.Visible {
					visible++
				} else if !strings.Contains(s.Message, w.stored(c.ID).Identity.UserName) {
					w.Errorf("got %q, want who cannot see it", s.Message)
				}
			}
			if got := w.tableau.Stats().Calls; got["views"] != 1 || len(got) != 1 {
				w.Errorf("got calls %v, want one reading of the list, not that of minutes ago", got)
			}
			return visible
		}
		if got := look(); got != len(all) {
			w.Errorf("got %d of %d views to be seen", got, len(all))
		}
		credential := w.newToken(tableautest.SecondUser, "viewer")
		_, err = w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential, AcceptIdentityChange: true})
		w.succeed(err)
		if got := look(); got == 0 || got >= len(all) {
			w.Errorf("got %d of %d views to be seen by a viewer", got, len(all))
		}

		// A list that does not come in time is not that the credential fails.
		w.fault(tableautest.Fault{Kind: tableautest.FaultHang, Route: "views", Times: -1})
		ctx, cancel := context.WithTimeout(w.Context(), 25*time.Second)
		defer cancel()
		_, err = w.SeeViews(ctx, c.ID, wanted)
		if p := w.wantProblem(err, problem.Timeout, problem.CodeTableauTimeout); !strings.Contains(p.Message, "The connection works") {
			w.Errorf("got %q, want that the connection works", p.Message)
		}
		if got := w.stored(c.ID).State; got != connection.Connected {
			w.Errorf("got the connection %s, want it connected", got)
		}
		_, err = w.SeeViews(w.Context(), "none", wanted)
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
		seen, err := w.SeeViews(w.Context(), c.ID, nil)
		if len(seen) != 0 || err != nil {
			w.Errorf("got %v, error %v of no views", seen, err)
		}
	})
}

// A keepalive that stopped before it was noted with the connection is noted
// later, and not made once more.
func TestKeepAliveIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		time.Sleep(8 * day)
		store := &storetest.Failing{Store: w.store, Forever: true}
		store.FailAt(3) // after the lease and the session
		w.tableau.ResetStats()
		if err := w.process(store, w.store).KeepAlive(w.Context(), c.ID); err == nil {
			w.Fatal("nothing failed")
		}
		w.wantSignIns(1, 0)
		at := time.Now().UTC()
		time.Sleep(time.Hour)
		w.succeed(w.KeepAlive(w.Context(), c.ID))
		w.wantSignIns(0, 0)
		if got := w.stored(c.ID).TokenLife.LastUsedAt; !got.Equal(at) {
			w.Errorf("got the last sign-in at %v, want %v", got, at)
		}
	})
}
