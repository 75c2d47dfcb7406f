package tableau_test

import (
	"testing"

	"github.com/vizpost/vizpost/internal/tableau"
)

// People are sent to no address but the server's own.
func TestOwnURL(t *testing.T) {
	t.Parallel()
	const server = "https://tableau.example.com"
	for _, test := range []struct{ address, server, want string }{
		{"https://tableau.example.com/#/site/acme/workbooks/10", server, "https://tableau.example.com/#/site/acme/workbooks/10"},
		{"https://TABLEAU.example.com:443/#/workbooks/10", server, "https://tableau.example.com/#/workbooks/10"},
		{"http://tableau.example.com/#/workbooks/10", server, "https://tableau.example.com/#/workbooks/10"},
		{"http://tableau.example.com:8000/#/workbooks/10", "http://tableau.example.com:8000", "http://tableau.example.com:8000/#/workbooks/10"},
		{"https://tableau.example.com:8443/#/workbooks/10", server, ""},
		{"https://phish.example/#/workbooks/10", server, ""},
		{"https://tableau.example.com.phish.example/", server, ""},
		{"https://tableau.example.com@phish.example/", server, ""},
		{"https://user@tableau.example.com/", server, ""},
		{"javascript:window.x=1//workbooks/10", server, ""},
		{"javascript://tableau.example.com/%0aalert(1)", server, ""},
		{"//tableau.example.com/#/workbooks/10", server, ""},
		{"/#/workbooks/10", server, ""},
		{"data:text/html,x", server, ""},
		{"", server, ""},
		{"https://%zz", server, ""},
	} {
		if got := tableau.OwnURL(test.address, test.server); got != test.want {
			t.Errorf("OwnURL(%q, %q) = %q, want %q", test.address, test.server, got, test.want)
		}
	}
}

// What opens a view with filters is read back as the same filters.
func TestFilteredURL(t *testing.T) {
	t.Parallel()
	view := tableau.ViewURL("https://tableau.example.com", "acme", "Superstore/sheets/Overview")
	for _, test := range []struct {
		filters []tableau.Filter
		want    string
	}{
		{nil, ""},
		{filters("Region", "West"), "?Region=West"},
		{[]tableau.Filter{{Field: "Region", Values: []string{"West", "East"}}, {Field: "Order Date", Values: []string{"2026-01-31"}}}, "?Region=West,East&Order%20Date=2026-01-31"},
		{filters("Customer", "Smith, Jane"), "?Customer=Smith%5C%2C%20Jane"},
		{filters("A&B=C", "R&D + 100% #1 \"é\" <x>"), "?A%26B%3DC=R%26D%20%2B%20100%25%20%231%20%22%C3%A9%22%20%3Cx%3E"},
		{filters("Parameters.Top N", "5"), "?Top%20N=5"},
	} {
		got := tableau.FilteredURL(view, test.filters)
		if got != view+test.want {
			t.Errorf("FilteredURL(%v) = %q, want %q", test.filters, got, view+test.want)
		}
		address, err := tableau.ParseAddress(got)
		if err != nil || len(address.Filters) != len(test.filters) {
			t.Errorf("%q is read as %+v, %v", got, address.Filters, err)
			continue
		}
		for i, f := range address.Filters {
			if !f.IsParameter() && len(f.Values) != len(test.filters[i].Values) || f.Values[0] != test.filters[i].Values[0] {
				t.Errorf("%q is read as the filters %+v, want %+v", got, address.Filters, test.filters)
			}
		}
	}
	if got := tableau.FilteredURL("", filters("Region", "West")); got != "" {
		t.Errorf("got the address %q of nothing", got)
	}
}
