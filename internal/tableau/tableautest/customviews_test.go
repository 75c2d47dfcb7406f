package tableautest_test

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// as signs another user in, with a token of their own.
func (c *client) as(user, site string) *client {
	c.t.Helper()
	other := *c
	return other.use(c.post(tokenBody("t-"+user, c.server.NewPAT(user, "t-"+user), site)))
}

// customView returns the id of a custom view by its name.
func (c *client) customView(name string) string {
	c.t.Helper()
	d := c.get("/customviews?filter=" + url.QueryEscape("name:eq:"+name)).document(c.t)
	if len(d.CustomViews) != 1 {
		c.t.Fatalf("found %d custom views of the name %q, want 1", len(d.CustomViews), name)
	}
	return d.CustomViews[0].attr("id")
}

func TestCustomViewsSeen(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	overview, me := c.view("Superstore/sheets/Overview"), ""
	viewer := c.as(tableautest.SecondUser, "demo")
	for _, u := range c.get("/users").document(t).Users {
		if u.attr("name") == tableautest.SecondUser {
			me = u.attr("id")
		}
	}
	for _, test := range []struct {
		name   string
		as     *client
		filter string
		want   []string
	}{
		{"an administrator sees all", c, "", []string{"West only", "Furniture / Draft", "My consumers", "Été 2026 – Est", "Technology"}},
		{"others see their own", viewer, "", []string{"My consumers", "Été 2026 – Est"}},
		{"also by owner", viewer, "ownerId:eq:" + me, []string{"My consumers", "Été 2026 – Est"}},
		{"and the shared ones of a view", viewer, "viewId:eq:" + overview, []string{"West only", "My consumers"}},
		{"of a workbook", viewer, "workbookId:eq:" + c.workbook("Superstore"), []string{"West only", "My consumers"}},
		{"none of a view that they do not see", viewer, "workbookId:eq:" + c.workbook("Plan2027"), []string{}},
		{"shared ones", c, "shared:eq:true", []string{"West only", "Été 2026 – Est", "Technology"}},
		{"by name", c, "name:in:[West only,Technology]", []string{"West only", "Technology"}},
		{"by time", c, "createdAt:gt:2026-03-04T00:00:00Z,viewId:eq:" + overview, []string{"My consumers"}},
	} {
		a := test.as.get("/customviews?filter=" + url.QueryEscape(test.filter))
		if diff := cmp.Diff(test.want, names(a.document(t).CustomViews)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if code := c.get("/customviews?filter=owner:eq:x").code(t); code != "400065" {
		t.Errorf("an unknown field: %q, want 400065", code)
	}
	for _, test := range []struct{ name, want string }{
		{"West only", ""}, {"My consumers", ""}, {"Furniture / Draft", "403162"}, {"Technology", "403162"},
	} {
		for _, rest := range []string{"", "/image", "/pdf", "/data"} {
			a, code := viewer.get("/customviews/"+c.customView(test.name)+rest), ""
			if test.want != "" || a.Status != http.StatusOK {
				code = a.code(t)
			}
			if code != test.want {
				t.Errorf("%q%s for a viewer: %q, want %q", test.name, rest, code, test.want)
			}
		}
	}
	if code := c.get("/customviews/" + overview).code(t); code != "404048" {
		t.Errorf("an unknown custom view: %q, want 404048", code)
	}
}

func TestCustomViewShape(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	view := c.view("Superstore/sheets/Overview")
	d := c.get("/customviews/" + c.customView("West only")).document(t)
	if d.CustomView == nil {
		t.Fatal("no custom view")
	}
	for name, want := range map[string]string{
		"name": "West only", "shared": "true",
		"createdAt": "2026-03-02T14:20:00Z", "updatedAt": "2026-10-05T08:05:00Z", "lastAccessedAt": "2026-10-05T08:05:00Z",
	} {
		if got := d.CustomView.attr(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for child, want := range map[string][2]string{
		"view": {view, "Overview"}, "workbook": {c.workbook("Superstore"), "Superstore"},
	} {
		got, _ := d.CustomView.child(child)
		if got.attr("id") != want[0] || got.attr("name") != want[1] {
			t.Errorf("%s = %v, want %v", child, got, want)
		}
	}
	if owner, _ := d.CustomView.child("owner"); owner.attr("name") != tableautest.DefaultUser {
		t.Errorf("owner = %v", owner)
	}
	inJSON := c.getAs("application/json", "/customviews?pageSize=1").json(t)
	list, _ := at(inJSON, "customViews", "customView").([]any)
	if len(list) != 1 || at(list[0], "view", "id") != view || at(inJSON, "pagination", "totalAvailable") != "5" {
		t.Errorf("in JSON: %v", inJSON)
	}
}

func TestCustomViewExports(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	view, custom := "/views/"+c.view("Superstore/sheets/Overview"), "/customviews/"+c.customView("West only")
	image := c.file(custom+"/image?maxAge=1", "image/png")
	if size := decodePNG(t, image).Bounds().Size(); size.X != 1000 || size.Y != 800 {
		t.Errorf("the picture measures %v", size)
	}
	if bytes.Equal(image, c.file(view+"/image?maxAge=1", "image/png")) {
		t.Error("the custom view looks like the view that it is of")
	}
	if size := decodePNG(t, c.file(custom+"/image?resolution=high", "image/png")).Bounds().Size(); size.X != 2000 {
		t.Errorf("the picture of high resolution measures %v", size)
	}
	if pages, size := pdfPages(t, c.file(custom+"/pdf?type=a4&orientation=landscape", "application/pdf")); pages != 1 || size != "842x595" {
		t.Errorf("the PDF has %d pages of %s", pages, size)
	}
	if got, want := c.file(custom+"/data", typeCSV), c.file(view+"/data?vf_Region=West", typeCSV); !bytes.Equal(got, want) {
		t.Errorf("the data are\n%s, want those of the view filtered alike\n%s", got, want)
	}
	got, want := c.file(custom+"/data?vf_Category=Furniture", typeCSV), c.file(view+"/data?vf_Region=West&vf_Category=Furniture", typeCSV)
	if !bytes.Equal(got, want) {
		t.Errorf("with a further filter the data are\n%s, want\n%s", got, want)
	}
	if n := len(records(t, c.file(custom+"/data?vf_Region=East", typeCSV))); n != 1 {
		t.Errorf("a filter that contradicts leaves %d records, want the header", n)
	}
	for _, test := range []struct{ version, path, want string }{
		{"3.17", "", "404008"}, {"3.17", "/image", "404008"}, {"3.22", "/pdf", "404008"}, {"3.22", "/data", "404008"},
	} {
		old := *c
		old.version = test.version
		if code := old.get(custom + test.path).code(t); code != test.want {
			t.Errorf("custom view%s at %s: %q, want %q", test.path, test.version, code, test.want)
		}
	}
	for _, query := range []string{"/image?resolution=standard", "/pdf?type=a9", "/data?maxAge=old"} {
		if a := c.get(custom + query); a.Status != http.StatusBadRequest {
			t.Errorf("%s answers %d, want 400", query, a.Status)
		}
	}
}
