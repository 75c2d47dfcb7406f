package connection_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/problem"
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
