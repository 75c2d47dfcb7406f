package tableautest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// exporter asks a server, which it signs in to, for exports.
type exporter struct {
	server *tableautest.Server
	header http.Header
	site   string
}

func newExporter() exporter {
	server := tableautest.New(tableautest.Options{Now: func() time.Time { return start }})
	name, secret := server.PAT()
	signedIn := decode(serve(server, http.MethodPost, "/api/3.29/auth/signin", tokenBody(name, secret, "demo"), nil))
	return exporter{server, http.Header{"X-Tableau-Auth": {signedIn.Credentials.Token}}, "/sites/" + signedIn.Credentials.Site.ID}
}

func (e exporter) ids(path string, of func(document) []item) []string {
	var out []string
	for _, i := range of(decode(serve(e.server, http.MethodGet, "/api/3.29"+e.site+path, "", e.header))) {
		out = append(out, i.attr("id"))
	}
	return out
}

func (e exporter) export(path string) (int, []byte) {
	w := serve(e.server, http.MethodGet, "/api/3.29"+e.site+path, "", e.header)
	return w.Code, w.Body.Bytes()
}

// TestCacheRules asks one server for several exports that differ in few things,
// and for each a server that has made none before: what is in the cache must not
// show. The clock stands still, so that the same is the same to the byte.
func TestCacheRules(t *testing.T) {
	t.Parallel()
	first := newExporter()
	views := first.ids("/views?filter=workbookName:eq:Superstore,projectName:eq:Sales", func(d document) []item { return d.Views })
	books := first.ids("/workbooks", func(d document) []item { return d.Workbooks })
	customViews := first.ids("/customviews?filter=workbookId:eq:"+books[0], func(d document) []item { return d.CustomViews })
	var subjects []string
	for _, id := range views[1:3] { // worksheets, which are drawn as small as is asked
		subjects = append(subjects, "/views/"+id+"/data", "/views/"+id+"/image", "/views/"+id+"/crosstab/excel", "/views/"+id+"/pdf")
	}
	for _, id := range customViews {
		subjects = append(subjects, "/customviews/"+id+"/data")
	}
	some := func(r *rapid.T, query url.Values, name string, values ...string) {
		if v := rapid.SampledFrom(values).Draw(r, name); v != "" {
			query.Set(name, v)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		warm := newExporter()
		format := rapid.SampledFrom(subjects).Draw(r, "subject")
		for i := range 3 {
			path := format
			if rapid.IntRange(0, 3).Draw(r, "another subject") == 0 {
				path = rapid.SampledFrom(subjects).Draw(r, "subject")
			}
			query := url.Values{"vizHeight": {"90"}}
			n := rapid.IntRange(0, 2).Draw(r, "values")
			for _, field := range []struct {
				name    string
				members []string
			}{{"vf_Region", []string{"West", "East", `We\,st`, `"West"`}}, {"vf_Category", []string{"Furniture", "Technology", "Furniture}"}}} {
				members := ""
				for j := range n {
					if j > 0 {
						members += ","
					}
					members += rapid.SampledFrom(field.members).Draw(r, field.name)
				}
				if members != "" && rapid.IntRange(0, 2).Draw(r, "with "+field.name) > 0 {
					query.Set(field.name, members)
				}
			}
			some(r, query, "vf_Parameters.Top N", "", "", "3", "4")
			some(r, query, "language", "", "", "de", "fr_CA", "pt")
			some(r, query, "vizWidth", "120", "130")
			some(r, query, "format", "svg", "svg", "")
			some(r, query, "resolution", "", "high")
			some(r, query, "type", "", "a5", "A4", "unspecified")
			some(r, query, "orientation", "", "landscape")
			path += "?" + query.Encode()
			wantCode, want := newExporter().export(path)
			code, got := warm.export(path)
			if code != wantCode || !bytes.Equal(got, want) {
				r.Fatalf("export %d, %s: %d and %s, want %d and %s", i, path, code, digest(got), wantCode, digest(want))
			}
		}
	})
}

// digest shortens a body for a failure's text.
func digest(body []byte) string { return fmt.Sprintf("%d bytes %.60q", len(body), body) }
