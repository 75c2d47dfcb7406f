package connection_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestResolve(t *testing.T) {
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
		serverURL + "/t/demo/workbooks/Nothing.twb":                                                    "no such workbook",
		serverURL + "/#/site/demo/workbooks/1234":                                                      "no such workbook",
		"Superstore/sheets/NoSuchView":                                                                 tableautest.DefaultUser,
		"Nothing/sheets/Overview":                                                                      tableautest.DefaultUser,
		"":                                                                                             "Paste the address",
	} {
		t.Run(pasted, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				target, address, err := w.Resolve(w.Context(), c.ID, pasted)
				if says == "" {
					w.succeed(err)
					if view := target.View; view.ContentURL != overview || view.ID == "" || !strings.EqualFold(address.ContentURL, overview) {
						w.Errorf("got %+v from %+v, want the overview", target, address)
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

// A connection to Tableau Cloud may have been entered without its pod, and the
// browser shows the pod.
func TestResolveOnAnyAddressOfTableauCloud(t *testing.T) {
	t.Parallel()
	const otherPod = "https://20ay.online.tableau.com"
	view := func(server string) string { return server + "/#/site/demo/views/Superstore/Overview" }
	for _, tt := range []struct {
		entered, pasted string
		works           bool
	}{
		{noPod, view(pod), true},
		{noPod, view(noPod), true},
		{pod, view(noPod), true},
		{pod, view("https://sso.online.tableau.com"), true},
		{pod, view(otherPod), false},
		{noPod, view(serverURL), false},
		{serverURL, view(pod), false},
		{noPod, pod + "/#/site/other/views/Superstore/Overview", false},
	} {
		t.Run(tt.entered+" "+tt.pasted, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				in := w.settings()
				in.ServerURL = tt.entered
				c, err := w.Create(w.Context(), w.newID(), in)
				w.succeed(err)
				target, _, err := w.Resolve(w.Context(), c.ID, tt.pasted)
				if !tt.works {
					w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
					return
				}
				w.succeed(err)
				if target.View.ContentURL != "Superstore/sheets/Overview" {
					w.Errorf("got %+v, want the overview", target)
				}
			})
		})
	}
}

func TestResolvePublishedSince(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		_, _, err := w.Resolve(w.Context(), c.ID, "Superstore/sheets/Overview")
		w.succeed(err)
		// One that is not in the list read some minutes ago is asked for.
		_, _, err = w.Resolve(w.Context(), c.ID, "Superstore/sheets/New")
		w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
		if got := w.tableau.Stats().Calls["views"]; got < 2 {
			w.Errorf("got %d calls for views, want the list and a look for the view", got)
		}
		w.tableau.RevokeTokens("")
		_, _, err = w.Resolve(w.Context(), c.ID, "Superstore/sheets/New")
		w.wantProblem(err, problem.Conflict, problem.CodeCredentialsRejected)
		_, _, err = w.Resolve(w.Context(), "none", "Superstore/sheets/Overview")
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
	})
}

func TestResolveCustomViewsAndWorkbooks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		var custom tableau.CustomView
		w.succeed(w.Do(w.Context(), c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
			view, err := client.FindView(ctx, session, "Superstore/sheets/Overview")
			if err != nil {
				return err
			}
			all, err := client.CustomViews(ctx, session, view.ID)
			if i := slices.IndexFunc(all, func(v tableau.CustomView) bool { return v.Name == "West only" }); i >= 0 {
				custom = all[i]
			}
			return err
		}))
		for _, pasted := range []string{
			serverURL + "/#/site/demo/views/Superstore/Overview/" + custom.ID + "/Westonly?:iid=1",
			"Superstore/sheets/Overview/" + custom.ID,
		} {
			target, _, err := w.Resolve(w.Context(), c.ID, pasted)
			w.succeed(err)
			if target.CustomView.ID != custom.ID || target.CustomView.Name != "West only" || target.View.ContentURL != "Superstore/sheets/Overview" {
				w.Errorf("%s: got %+v, want the custom view", pasted, target)
			}
		}
		for _, pasted := range []string{serverURL + "/t/demo/workbooks/Superstore.twb", "workbooks/Superstore.twbx"} {
			target, _, err := w.Resolve(w.Context(), c.ID, pasted)
			w.succeed(err)
			if target.Workbook.ID == "" || target.Workbook.ContentURL != "Superstore" || target.View.ID != "" {
				w.Errorf("%s: got %+v, want the workbook", pasted, target)
			}
		}
	})
}

func TestResolveOnDefaultSite(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		in := w.settings()
		in.Site = ""
		c, err := w.Create(w.Context(), w.newID(), in)
		w.succeed(err)
		_, _, err = w.Resolve(w.Context(), c.ID, serverURL+"/#/views/Regional/SalesbyRegion")
		w.succeed(err)
		_, _, err = w.Resolve(w.Context(), c.ID, serverURL+"/#/site/demo/views/Regional/SalesbyRegion")
		p := w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
		if !strings.Contains(p.Fields[0].Message, "default site") {
			w.Errorf("got %q, want the default site to be named", p.Fields[0].Message)
		}
	})
}
