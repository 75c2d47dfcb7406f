package connection_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
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

func TestResolveView(t *testing.T) {
	t.Parallel()
	const overview = "Superstore/sheets/Overview"
	for pasted, says := range map[string]string{ // what is wrong; "" if nothing is
		overview:              "",
		"Superstore/Overview": "",
		"SUPERSTORE/overview": "",
		serverURL + "/#/site/demo/views/Superstore/Overview?:iid=1":                                    "",
		"http://tableau.test/t/demo/views/Superstore/Overview":                                         "",
		"https://other.test/#/site/demo/views/Superstore/Overview":                                     "another server",
		serverURL + "/#/site/finance/views/Superstore/Overview":                                        "another site",
		serverURL + "/#/views/Superstore/Overview":                                                     "another site",
		serverURL + "/#/site/demo/views/Superstore/Overview/0f1e2d3c-4b5a-4978-8697-a5b4c3d2e1f0/mine": "custom view",
		serverURL + "/t/demo/workbooks/Superstore.twb":                                                 "names no view",
		serverURL + "/#/site/demo/workbooks/1234":                                                      "workbook",
		"Superstore/sheets/NoSuchView":                                                                 tableautest.DefaultUser,
		"Nothing/sheets/Overview":                                                                      tableautest.DefaultUser,
		"":                                                                                             "Paste the address",
	} {
		t.Run(pasted, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				view, address, err := w.ResolveView(w.Context(), c.ID, pasted)
				if says == "" {
					w.succeed(err)
					if view.ContentURL != overview || view.ID == "" || !strings.EqualFold(address.ContentURL, overview) {
						w.Errorf("got %+v from %+v, want the overview", view, address)
					}
					return
				}
				p := w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
				if len(p.Fields) != 1 || p.Fields[0].Name != "view" || !strings.Contains(p.Fields[0].Message, says) {
					w.Errorf("got fields %+v, want one about the view that says %q", p.Fields, says)
				}
			})
		})
	}
}

func TestResolveViewPublishedSince(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		_, _, err := w.ResolveView(w.Context(), c.ID, "Superstore/sheets/Overview")
		w.succeed(err)
		// One that is not in the list read some minutes ago is asked for.
		_, _, err = w.ResolveView(w.Context(), c.ID, "Superstore/sheets/New")
		w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
		if got := w.tableau.Stats().Calls["views"]; got < 2 {
			w.Errorf("got %d calls for views, want the list and a look for the view", got)
		}
		w.tableau.RevokeTokens("")
		_, _, err = w.ResolveView(w.Context(), c.ID, "Superstore/sheets/New")
		w.wantProblem(err, problem.Conflict, problem.CodeCredentialsRejected)
		_, _, err = w.ResolveView(w.Context(), "none", "Superstore/sheets/Overview")
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
	})
}

func TestDefaultSite(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		in := w.settings()
		in.Site = ""
		c, err := w.Create(w.Context(), w.newID(), in)
		w.succeed(err)
		_, _, err = w.ResolveView(w.Context(), c.ID, serverURL+"/#/views/Regional/SalesbyRegion")
		w.succeed(err)
		_, _, err = w.ResolveView(w.Context(), c.ID, serverURL+"/#/site/demo/views/Regional/SalesbyRegion")
		p := w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
		if !strings.Contains(p.Fields[0].Message, "default site") {
			w.Errorf("got %q, want the default site to be named", p.Fields[0].Message)
		}
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
