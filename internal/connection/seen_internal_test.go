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
		"as it was":                      {Wanted{ContentURL: "Sales/sheets/Overview", ViewID: "1"}, true, ""},
		"published anew":                 {Wanted{ContentURL: "Sales/sheets/Overview", ViewID: "gone"}, true, ""},
		"without an id":                  {Wanted{ContentURL: "Sales/sheets/Overview", ViewID: ""}, true, ""},
		"in other letters":               {Wanted{ContentURL: "sales/Sheets/OVERVIEW", ViewID: "gone"}, true, ""},
		"in other letters, by its id":    {Wanted{ContentURL: "sales/sheets/overview", ViewID: "1"}, true, ""},
		"moved":                          {Wanted{ContentURL: "Sales/sheets/Old", ViewID: "2"}, true, "another address by now: Sales/sheets/Moved"},
		"one of two in other letters":    {Wanted{ContentURL: "OPS/sheets/PLAN", ViewID: "gone"}, false, "capital letters"},
		"exactly one of two":             {Wanted{ContentURL: "Ops/sheets/Plan", ViewID: "gone"}, true, ""},
		"one of two, by its id":          {Wanted{ContentURL: "OPS/sheets/PLAN", ViewID: "3"}, true, ""},
		"not there, or not to be seen":   {Wanted{ContentURL: "Board/sheets/Secret", ViewID: "9"}, false, "ana@example.com cannot see this view"},
		"an address that begins as one":  {Wanted{ContentURL: "Sales/sheets/Over", ViewID: ""}, false, "cannot see"},
		"nothing":                        {Wanted{ContentURL: "", ViewID: ""}, false, "cannot see"},
		"its place was taken by another": {Wanted{ContentURL: "Sales/sheets/Overview", ViewID: "2"}, true, "Sales/sheets/Moved"},
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
