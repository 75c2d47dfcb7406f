package tableautest_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestDataSources(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	found := c.get("/datasources").document(t)
	if diff := cmp.Diff([]string{"Superstore / Orders"}, names(found.DataSources)); diff != "" {
		t.Fatalf("data sources (-want +got):\n%s", diff)
	}
	source := found.DataSources[0]
	if source.attr("contentUrl") != "SuperstoreOrders" || source.attr("updatedAt") == "" || found.Pagination.Total != 1 {
		t.Errorf("the data source is %+v", source)
	}
	if project, _ := source.child("project"); project.attr("name") != "Sales" {
		t.Errorf("its project is %+v", project)
	}
	if d := c.get("/datasources?filter=contentUrl:eq:Superstore").document(t); len(d.DataSources) != 0 {
		t.Errorf("another content URL finds %q", names(d.DataSources))
	}
	path := "/datasources/" + source.attr("id")
	if d := c.get(path).document(t); d.DataSource == nil || d.DataSource.attr("name") != "Superstore / Orders" {
		t.Errorf("by its id: %+v", d.DataSource)
	}
	for query, want := range map[string][]string{"": {"Superstore - Orders.tds", "Data/Orders.csv"}, "?includeExtract=False": {"Superstore - Orders.tds"}} {
		a := c.get(path + "/content" + query)
		if got := a.Header.Get("Content-Disposition"); got != `name="tableau_datasource"; filename="Superstore+%2F+Orders.tdsx"` {
			t.Errorf("Content-Disposition = %s", got)
		}
		if diff := cmp.Diff(want, zipped(t, a.Body)); diff != "" {
			t.Errorf("content%s (-want +got):\n%s", query, diff)
		}
	}
	if code := c.as(tableautest.SecondUser, "demo").get(path + "/content").code(t); code != "403004" {
		t.Errorf("a viewer's download: %q, want 403004", code)
	}
	if code := c.get("/datasources/nothing").code(t); code != "404004" {
		t.Errorf("an unknown data source: %q, want 404004", code)
	}
	if d := c.get("/flows").document(t); d.Pagination == nil || d.Pagination.Total != 0 {
		t.Errorf("flows: %+v, want an empty list", d)
	}
}

// zipped returns the names of an archive's files, and fails where one is empty.
func zipped(t *testing.T, body []byte) []string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatalf("the file is no archive: %v", err)
	}
	var out []string
	for _, f := range archive.File {
		out = append(out, f.Name)
		if f.UncompressedSize64 == 0 {
			t.Errorf("%s is empty", f.Name)
		}
	}
	return out
}

func TestRevisions(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	source := c.get("/datasources").document(t).DataSources[0].attr("id")
	for _, path := range []string{"/workbooks/" + c.workbook("Superstore"), "/datasources/" + source} {
		revisions := c.get(path + "/revisions").document(t).Revisions
		if len(revisions) != 1 || revisions[0].attr("revisionNumber") != "1" || revisions[0].attr("current") != "true" {
			t.Errorf("%s has the revisions %+v", path, revisions)
		}
		if !slices.Equal(zipped(t, c.get(path+"/revisions/1/content").Body), zipped(t, c.get(path+"/content").Body)) {
			t.Errorf("the only revision of %s is not what it is now", path)
		}
		if a := c.get(path + "/revisions/2/content"); a.Status != http.StatusNotFound {
			t.Errorf("a revision that %s does not have answers %d", path, a.Status)
		}
	}
}

func TestWorkbooksOfAUser(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	reader := c.as(tableautest.SecondUser, "demo")
	me, other := c.userID(tableautest.DefaultUser), c.userID(tableautest.SecondUser)
	all := names(c.get("/workbooks").document(t).Workbooks)
	for _, test := range []struct {
		name string
		as   *client
		path string
		want []string
	}{
		{"an administrator's own", c, me + "/workbooks?ownedBy=true", all},
		{"all that one may read", c, me + "/workbooks", all},
		{"a reader owns none", reader, other + "/workbooks?ownedBy=true", []string{}},
		{"and reads what is not private", reader, other + "/workbooks?ownedBy=false", slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == "Plan 2027" })},
		{"an administrator asks for the reader", c, other + "/workbooks", slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == "Plan 2027" })},
		{"page by page", c, me + "/workbooks?pageSize=2&pageNumber=2", all[2:4]},
	} {
		if diff := cmp.Diff(test.want, names(test.as.get("/users/"+test.path).document(t).Workbooks)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if code := reader.get("/users/" + me + "/workbooks").code(t); code != "403018" {
		t.Errorf("a reader asks for an administrator: %q, want 403018", code)
	}
	if code := c.get("/users/nobody/workbooks").code(t); code != "404002" {
		t.Errorf("of nobody: %q, want 404002", code)
	}
}

func TestCustomViewContent(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/sites/" + c.site + "/customviews/" + c.customView("West only") + "/content"
	ask := func(version string) answer {
		return c.do(http.MethodGet, "/api/"+version+path, "", http.Header{"X-Tableau-Auth": {c.token}})
	}
	a := ask("exp")
	if a.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), `name="tableau_customview"; filename="`) {
		t.Errorf("headers %v", a.Header)
	}
	var parts []struct {
		IsSourceView  bool
		ViewName, TCV string
	}
	decodeJSON(t, a.Body, &parts)
	if len(parts) != 1 || !parts[0].IsSourceView || parts[0].ViewName != "Overview" {
		t.Fatalf("the definition is %s", a.Body)
	}
	definition, err := base64.URLEncoding.DecodeString(parts[0].TCV)
	if err != nil || !strings.Contains(string(definition), `<customized-view dashboard="Overview"`) || !strings.Contains(string(definition), `member="West"`) {
		t.Errorf("the view's definition is %s (%v)", definition, err)
	}
	// It has no number of a version yet.
	if code := ask("3.29").code(t); code != "404008" {
		t.Errorf("at 3.29: %q, want 404008", code)
	}
	old := newClient(t, tableautest.Options{APIVersion: "3.19"})
	old.version = "3.19"
	old.signIn()
	if code := old.do(http.MethodGet, "/api/exp"+path, "", http.Header{"X-Tableau-Auth": {old.token}}).code(t); code != "404008" {
		t.Errorf("on a server of 3.19: %q, want 404008", code)
	}
	reader := c.as(tableautest.SecondUser, "demo")
	private := "/api/exp/sites/" + c.site + "/customviews/" + c.customView("Furniture / Draft") + "/content"
	if code := reader.do(http.MethodGet, private, "", http.Header{"X-Tableau-Auth": {reader.token}}).code(t); code != "403162" {
		t.Errorf("of another's that is not shared: %q, want 403162", code)
	}
}
