package tableautest_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// TestFilterRules compares the stand-in with the rule of the reference: the n-th
// values of all fields belong together, a row is shown when it has all values
// of any such set, a backslash escapes a comma, and unknown fields do not count.
func TestFilterRules(t *testing.T) {
	t.Parallel()
	server := tableautest.New(tableautest.Options{})
	name, secret := server.PAT()
	signedIn := decode(serve(server, http.MethodPost, "/api/3.29/auth/signin", tokenBody(name, secret, "demo"), nil))
	header := http.Header{"X-Tableau-Auth": {signedIn.Credentials.Token}}
	site := "/api/3.29/sites/" + signedIn.Credentials.Site.ID
	views := decode(serve(server, http.MethodGet, site+"/views?filter=contentUrl:eq:Superstore/sheets/SalesbyRegion", "", header)).Views
	path := site + "/views/" + views[0].attr("id") + "/data?"
	pairs := func(query string) []string {
		w := serve(server, http.MethodGet, path+query, "", header)
		records, err := csv.NewReader(bytes.NewReader(w.Body.Bytes())).ReadAll()
		if err != nil || len(records) == 0 {
			t.Fatalf("%s: %v %s", query, err, w.Body)
		}
		out := []string{}
		for _, r := range records[1:] {
			out = append(out, r[0]+"|"+r[1])
		}
		slices.Sort(out) // the view sorts by sales
		return out
	}
	all := pairs("")
	if len(all) != 12 {
		t.Fatalf("the view has the rows %q", all)
	}
	escape := strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace
	rapid.Check(t, func(r *rapid.T) {
		// Names of no region or category, hard to decode, are among the values.
		regions := rapid.SampledFrom([]string{"West", "East", "Central", "South", "west", "We,st", `W\est`, "W&=+%"})
		categories := rapid.SampledFrom([]string{"Furniture", "Office Supplies", "Technology", "Tech,nology", "Möbel;"})
		n := rapid.IntRange(1, 4).Draw(r, "values")
		var want, region, category []string
		for range n {
			a, b := regions.Draw(r, "region"), categories.Draw(r, "category")
			region, category = append(region, escape(a)), append(category, escape(b))
			want = append(want, a+"|"+b)
		}
		query := url.Values{"vf_Region": {strings.Join(region, ",")}, "vf_Category": {strings.Join(category, ",")}}
		if rapid.Bool().Draw(r, "with an unknown field") {
			query.Set("vf_category", "a,b,c,d,e")
		}
		encoded := query.Encode()
		if rapid.Bool().Draw(r, "with encoded spaces") {
			encoded = strings.ReplaceAll(encoded, "+", "%20")
		}
		shown := slices.DeleteFunc(slices.Clone(all), func(pair string) bool { return !slices.Contains(want, pair) })
		if diff := cmp.Diff(shown, pairs(encoded)); diff != "" {
			r.Fatalf("%s (-want +got):\n%s", encoded, diff)
		}
	})
}

// A selection that is no cross product says in a picture's foot which values go
// together.
func TestFootNamesTuples(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/image?format=svg&"
	for query, want := range map[string]string{
		"vf_Region=West,East": "Region: West, East",
		"vf_Region=West,West&vf_Category=Furniture,Technology":                       "Category: Furniture, Technology  ·  Region: West",
		"vf_Region=West,East&vf_Category=Furniture,Technology":                       "Category / Region: Furniture / West, Technology / East",
		"vf_Region=West,West,East,East&vf_Category=Furniture,Paper,Paper,Furniture":  "Category: Furniture, Paper  ·  Region: West, East",
		"vf_Region=West,West,East&vf_Category=Furniture,Furniture,Technology&vf_x=y": "Category / Region: Furniture / West, Technology / East",
	} {
		if svg := string(c.file(path+query, "image/svg+xml")); !strings.Contains(svg, want+"<") {
			t.Errorf("%s: the foot does not say %q", query, want)
		}
	}
}
