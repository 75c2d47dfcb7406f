package connection

import (
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/tableau"
)

func TestLookForViews(t *testing.T) {
	t.Parallel()
	site := newSiteViews([]tableau.View{
		{ID: "1", ContentURL: "Sales/sheets/Overview"},
		{ID: "2", ContentURL: "Sales/sheets/Moved"},
		{ID: "3", ContentURL: "Ops/sheets/plan"},
		{ID: "4", ContentURL: "Ops/sheets/Plan"},
		{ID: "1", ContentURL: "Sales/sheets/Overview"}, // the list moved between two pages
	})
	for name, test := range map[string]struct {
		wanted  Wanted
		visible bool
		says    string
	}{
		"as it was":                      {Wanted{"Sales/sheets/Overview", "1"}, true, ""},
		"published anew":                 {Wanted{"Sales/sheets/Overview", "gone"}, true, ""},
		"without an id":                  {Wanted{"Sales/sheets/Overview", ""}, true, ""},
		"in other letters":               {Wanted{"sales/Sheets/OVERVIEW", "gone"}, true, ""},
		"in other letters, by its id":    {Wanted{"sales/sheets/overview", "1"}, true, ""},
		"moved":                          {Wanted{"Sales/sheets/Old", "2"}, true, "another address by now: Sales/sheets/Moved"},
		"one of two in other letters":    {Wanted{"OPS/sheets/PLAN", "gone"}, false, "capital letters"},
		"exactly one of two":             {Wanted{"Ops/sheets/Plan", "gone"}, true, ""},
		"one of two, by its id":          {Wanted{"OPS/sheets/PLAN", "3"}, true, ""},
		"not there, or not to be seen":   {Wanted{"Board/sheets/Secret", "9"}, false, "ana@example.com cannot see this view"},
		"an address that begins as one":  {Wanted{"Sales/sheets/Over", ""}, false, "cannot see"},
		"nothing":                        {Wanted{"", ""}, false, "cannot see"},
		"its place was taken by another": {Wanted{"Sales/sheets/Overview", "2"}, true, "Sales/sheets/Moved"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := site.look(test.wanted, "ana@example.com")
			if got.Visible != test.visible || !strings.Contains(got.Message, test.says) || (test.says == "") != (got.Message == "") {
				t.Errorf("got %+v, want visible %v and that it says %q", got, test.visible, test.says)
			}
		})
	}
}
