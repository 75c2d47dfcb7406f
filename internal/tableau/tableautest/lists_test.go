package tableautest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestServerInfo(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{APIVersion: "3.27", ProductVersion: "2025.3.3"})
	for _, path := range []string{"/api/2.4/serverInfo", "/api/3.27/serverinfo", "//api/3.15/SERVERINFO/"} {
		a := c.do(http.MethodGet, path, "", nil)
		want := `<?xml version='1.0' encoding='UTF-8'?><tsResponse xmlns="http://tableau.com/api" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://tableau.com/api https://help.tableau.com/samples/en-us/rest_api/ts-api_3_27.xsd"><serverInfo><productVersion build="20253.25.0115.1010">2025.3.3</productVersion><restApiVersion>3.27</restApiVersion></serverInfo></tsResponse>`
		if diff := cmp.Diff(want, string(a.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	a := c.do(http.MethodGet, "/api/3.27/serverinfo", "", http.Header{"Accept": {"application/json"}})
	want := `{"serverInfo":{"productVersion":{"value":"2025.3.3","build":"20253.25.0115.1010"},"restApiVersion":"3.27"}}`
	if diff := cmp.Diff(want, string(a.Body)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestProductVersions(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]string{
		"3.0": "2018.1.0", "3.6": "2019.4.0", "3.18": "2022.4.0", "3.19": "2023.1.0", "3.27": "2025.3.0", "3.29": "2026.2.0",
		"nonsense": "2026.2.0", "": "2026.2.0",
	} {
		c := newClient(t, tableautest.Options{APIVersion: api})
		body := c.do(http.MethodGet, "/api/2.4/serverinfo", "", http.Header{"Accept": {"application/json"}}).json(t)
		if got := at(body, "serverInfo", "productVersion", "value"); got != want {
			t.Errorf("API %q is release %v, want %s", api, got, want)
		}
	}
	for text, want := range map[string]bool{"3.29": true, "3.0": true, "2.8": false, "3": false, "": false, "3.x": false} {
		if got := tableautest.ValidAPIVersion(text); got != want {
			t.Errorf("ValidAPIVersion(%q) = %t", text, got)
		}
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	d := c.get("/views").document(t)
	if d.Pagination == nil || d.Pagination.Number != 1 || d.Pagination.Size != 100 || d.Pagination.Total != len(d.Views) {
		t.Fatalf("pagination = %+v for %d views", d.Pagination, len(d.Views))
	}
	all := names(d.Views)
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.IntRange(1, len(all)+3).Draw(r, "size")
		var got []string
		for page := 1; len(got) < len(all); page++ {
			d := c.get(fmt.Sprintf("/views?pageSize=%d&pageNumber=%d", size, page)).document(t)
			if len(d.Views) == 0 || d.Pagination.Total != len(all) || d.Pagination.Number != page || d.Pagination.Size != size {
				r.Fatalf("page %d of size %d: %d views, %+v", page, size, len(d.Views), d.Pagination)
			}
			got = append(got, names(d.Views)...)
		}
		if !slices.Equal(got, all) {
			r.Fatalf("pages of %d give %v, want %v", size, got, all)
		}
	})

	empty := c.get("/views?filter=name:eq:Nowhere")
	if empty.Status != http.StatusOK || !strings.Contains(string(empty.Body), `totalAvailable="0"/><views/>`) {
		t.Errorf("an empty list is %s", empty.Body)
	}
	body := c.getAs("application/json", "/views?filter=name:eq:Nowhere").Body
	if want := `{"pagination":{"pageNumber":"1","pageSize":"100","totalAvailable":"0"},"views":{}}`; string(body) != want {
		t.Errorf("an empty list in JSON is %s, want %s", body, want)
	}
}

func TestViewFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	ask := func(query string) []string {
		t.Helper()
		a := c.get("/views?" + query)
		if a.Status != http.StatusOK {
			t.Fatalf("%s answers %d %s", query, a.Status, a.Body)
		}
		return names(a.document(t).Views)
	}
	filter := func(expression string) string { return "filter=" + url.QueryEscape(expression) }
	for expression, want := range map[string][]string{
		"contentUrl:eq:Superstore/sheets/Overview":               {"Overview"},
		"viewUrlName:eq:Overview":                                {"Overview", "Overview", "Overview"},
		"name:eq:Overview,workbookName:eq:Finance":               {"Overview"},
		"name:in:[Shipping,Monthly Sales]":                       {"Monthly Sales", "Shipping", "Monthly Sales"},
		"name:eq:overview":                                       {},
		"name:eq:Shipping,name:eq:Monthly Sales":                 {"Monthly Sales", "Monthly Sales"}, // the last one wins
		"contentUrl:eq:MarketÉcoles/sheets/Vuedensemble":         {"Vue d'ensemble"},
		"projectName:eq:Écoles,sheetType:eq:view":                {"Ventes / Région", "Panier moyen", "Marge & volume", "Ventes Région"},
		"tags:in:[finance,nothing],sheetNumber:gte:3":            {"Budget / Actual", "Operating Profit"},
		"updatedAt:gt:2026-11-04T06:30:00Z,sheetNumber:lt:2":     {"Overview", "Sales by Region"},
		"contentUrl:eq:MarketÉcoles/sheets/VentesRégion_0":       {"Ventes Région"}, // another's name without its slash
		"workbookName:eq:Superstore,name:eq:Sales by Region":     {"Sales by Region", "Sales by Region"},
		"updatedAt:lte:2026-11-02T06:30:00Z,sheetNumber:gt:5":    {"Shipping"},
		"ownerEmail:eq:ana@example.com,sheetNumber:eq:6":         {"Shipping"},
		"ownerName:eq:Ana Silva,name:eq:Shipping":                {"Shipping"},
		"workbookDescription:eq:Confidential.,sheetType:eq:view": {"Budget / Actual"},
	} {
		if diff := cmp.Diff(want, ask(filter(expression))); diff != "" {
			t.Errorf("filter %s (-want +got):\n%s", expression, diff)
		}
	}
	if got := ask("filter=name:in:[Shipping]"); len(got) != 1 {
		t.Errorf("an unencoded filter gives %v", got)
	}
	sorted := ask(filter("workbookName:eq:Superstore,projectName:eq:Sales") + "&sort=sheetType:asc,name:desc")
	want := []string{"Overview", "Top Customers", "Shipping", "Sales by Region", "Profit by Category", "Monthly Sales"}
	if diff := cmp.Diff(want, sorted); diff != "" {
		t.Errorf("sort (-want +got):\n%s", diff)
	}
	byHits := c.get("/views?sort=hitsTotal:desc&includeUsageStatistics=true").document(t).Views
	last := 1 << 30
	for _, v := range byHits {
		usage, _ := v.child("usage")
		hits, err := strconv.Atoi(usage.attr("totalViewCount"))
		if err != nil || hits > last {
			t.Fatalf("usage %q after %d (%v)", usage.attr("totalViewCount"), last, err)
		}
		last = hits
	}
}

// Servers before 2020.1 take a filter as it stands in the address, so that what
// is encoded in it is no separator to them.
func TestFiltersOfOldServers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ version, filter, code string }{
		{"3.6", "contentUrl:eq:Superstore/sheets/Overview", ""},
		{"3.6", "contentUrl:eq:Superstore%2Fsheets%2FOverview", ""},
		{"3.6", "contentUrl%3Aeq%3ASuperstore%2Fsheets%2FOverview", "400065"},
		{"3.6", "name:in:%5BOverview%5D", "400065"},
		{"3.7", "contentUrl%3Aeq%3ASuperstore%2Fsheets%2FOverview", ""},
		{"3.7", "name:in:%5BOverview%5D", ""},
	} {
		c := newClient(t, tableautest.Options{APIVersion: test.version})
		c.version = test.version
		c.signIn()
		if code := c.get("/views?pageSize=5&filter=" + test.filter).code(t); code != test.code {
			t.Errorf("%s at %s: %q, want %q", test.filter, test.version, code, test.code)
		}
	}
}

func TestViewFields(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	one := func(query string) item {
		t.Helper()
		return c.get("/views?filter=contentUrl:eq:Superstore/sheets/Overview" + query).document(t).Views[0]
	}
	v := one("")
	for _, name := range []string{"id", "name", "contentUrl", "createdAt", "updatedAt", "viewUrlName"} {
		if v.attr(name) == "" {
			t.Errorf("the default fields lack %s", name)
		}
	}
	if v.attr("sheetType") != "" {
		t.Error("the default fields have sheetType")
	}
	if _, ok := v.child("usage"); ok {
		t.Error("the default fields have usage")
	}
	if w, _ := v.child("workbook"); w.attr("id") == "" || w.attr("name") != "" {
		t.Errorf("the default fields have workbook %+v, want its id alone", w.Attrs)
	}
	v = one("&fields=_default_,sheetType,workbook.name,workbook.contentUrl,owner.name,project.name")
	workbook, _ := v.child("workbook")
	project, _ := v.child("project")
	if v.attr("sheetType") != "dashboard" || v.attr("id") == "" || workbook.attr("contentUrl") != "Superstore" || project.attr("name") != "Sales" {
		t.Errorf("fields give %+v", v)
	}
	v = one("&fields=name,nothing,project.name")
	if len(v.Attrs) != 1 || len(v.Inner) != 1 || v.attr("name") != "Overview" {
		t.Errorf("explicit fields give %+v, want the name and the project's", v)
	}
	v = one("&fields=_all_")
	if usage, ok := v.child("usage"); !ok || usage.attr("totalViewCount") == "" || v.attr("favoritesTotal") == "" {
		t.Errorf("_all_ gives %+v", v)
	}
	tags, _ := v.child("tags")
	if len(tags.Inner) != 2 || tags.Inner[0].attr("label") != "sales" {
		t.Errorf("tags = %+v", tags)
	}
	body := c.getAs("application/json", "/views?filter=contentUrl:eq:Superstore/sheets/Overview&includeUsageStatistics=true").json(t)
	list, ok := at(body, "views", "view").([]any)
	if !ok || len(list) != 1 || at(list[0], "usage", "totalViewCount") != "427" || at(list[0], "workbook", "id") == nil {
		t.Errorf("JSON = %v", body)
	}
}

func TestWorkbooksAndProjects(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	books := c.get("/workbooks").document(t).Workbooks
	if diff := cmp.Diff([]string{"Superstore", "Finance", "Market – Écoles", "Plan 2027", "Superstore"}, names(books)); diff != "" {
		t.Errorf("workbooks (-want +got):\n%s", diff)
	}
	if got := books[4].attr("contentUrl"); got != "Superstore_0" {
		t.Errorf("the second Superstore is at %q, want Superstore_0", got)
	}
	book := books[2]
	if got, want := book.attr("webpageUrl"), c.address+"/#/site/demo/workbooks/10222"; got != want {
		t.Errorf("webpageUrl = %q, want %q", got, want)
	}
	byKey := c.get("/workbooks/Market%C3%89coles?key=contentUrl").document(t)
	if byKey.Workbook == nil || byKey.Workbook.attr("id") != book.attr("id") {
		t.Errorf("by content URL: %+v", byKey.Workbook)
	}
	views := c.get("/workbooks/" + book.attr("id") + "/views?includeUsageStatistics=true").document(t)
	if views.Pagination != nil || len(views.Views) != 5 {
		t.Errorf("the workbook's views: pagination %v, %d views; want none and 5", views.Pagination, len(views.Views))
	}
	if _, ok := views.Views[0].child("usage"); !ok {
		t.Error("the workbook's views lack the usage")
	}
	if d := c.get("/workbooks?filter=tags:in:[kpi]&sort=createdAt:desc").document(t); len(d.Workbooks) != 1 {
		t.Errorf("filter by tag gives %v", names(d.Workbooks))
	}
	if d := c.get("/workbooks?filter=sheetCount:gt:5,displayTabs:eq:true").document(t); len(d.Workbooks) != 1 {
		t.Errorf("filter by sheet count gives %v", names(d.Workbooks))
	}

	projects := c.get("/projects?fields=_all_").document(t).Projects
	if diff := cmp.Diff([]string{"Sales", "Finance", "Marketing", "Écoles", "Privé"}, names(projects)); diff != "" {
		t.Errorf("projects (-want +got):\n%s", diff)
	}
	if projects[3].attr("parentProjectId") != projects[2].attr("id") || projects[3].attr("topLevelProject") != "false" {
		t.Errorf("nested project = %+v", projects[3])
	}
	counts, _ := projects[0].child("contentsCounts")
	if counts.attr("workbookCount") != "1" || counts.attr("viewCount") != "6" {
		t.Errorf("contentsCounts = %+v", counts)
	}
	if d := c.get("/projects?filter=topLevelProject:eq:false").document(t); len(d.Projects) != 1 {
		t.Errorf("nested projects: %v", names(d.Projects))
	}
}

func TestSitesAndUsers(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{SiteContentURL: "Acme"})
	name, secret := c.server.PAT()
	c.use(c.post(tokenBody(name, secret, "acme")))
	if got := c.server.Site(); got != "Acme" {
		t.Errorf("Site() = %q", got)
	}
	d := c.do(http.MethodGet, "/api/3.29/sites", "", http.Header{"X-Tableau-Auth": {c.token}}).document(t)
	if diff := cmp.Diff([]string{"Demo", "Finance", "Default"}, names(d.Sites)); diff != "" {
		t.Errorf("sites (-want +got):\n%s", diff)
	}
	for _, path := range []string{c.site, "Demo?key=name", "ACME?key=contentUrl"} {
		a := c.do(http.MethodGet, "/api/3.29/sites/"+path, "", http.Header{"X-Tableau-Auth": {c.token}})
		if !strings.Contains(string(a.Body), `contentUrl="Acme"`) {
			t.Errorf("site %s: %s", path, a.Body)
		}
	}
	users := c.get("/users?fields=_all_").document(t).Users
	if diff := cmp.Diff([]string{tableautest.DefaultUser, tableautest.SiteAdministrator, tableautest.SecondUser}, names(users)); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if users[0].attr("siteRole") != "SiteAdministratorCreator" || users[0].attr("fullName") != "Ana Silva" || users[0].attr("lastLogin") != "2026-11-23T09:00:00Z" {
		t.Errorf("user = %+v", users[0])
	}
	for filter, want := range map[string][]string{
		"name:cieq:RUI@Example.com":                          {tableautest.SecondUser},
		"name:eq:RUI@Example.com":                            {},
		"siteRole:eq:Viewer":                                 {tableautest.SecondUser},
		"domainName:in:[local,x],friendlyName:eq:Eva Brandt": {tableautest.SiteAdministrator},
		"isLocal:eq:false":                                   {},
		"lastLogin:gte:2026-11-23T09:00:00Z":                 {tableautest.DefaultUser},
	} {
		if diff := cmp.Diff(want, names(c.get("/users?filter="+url.QueryEscape(filter)).document(t).Users)); diff != "" {
			t.Errorf("users with %s (-want +got):\n%s", filter, diff)
		}
	}
	if u := c.get("/users/" + users[2].attr("id")).document(t).User; u == nil || u.attr("siteRole") != "Viewer" {
		t.Errorf("user = %+v", u)
	}
	viewer := *c.use(c.post(tokenBody("x", c.server.NewPAT(tableautest.SecondUser, "x"), "acme")))
	if code := viewer.get("/users/" + users[0].attr("id")).code(t); code != "403133" {
		t.Errorf("a viewer asking for another user: %q, want 403133", code)
	}
	// The default site has the empty content URL, in the body or left out.
	c.use(c.post(`<tsRequest><credentials personalAccessTokenName="` + name + `" personalAccessTokenSecret="` + secret + `"/></tsRequest>`))
	if d := c.get("/views").document(t); len(d.Views) != 2 {
		t.Errorf("the default site has %d views, want 2", len(d.Views))
	}
}

func FuzzQueries(f *testing.F) {
	f.Add("filter=name:in:[a,b],x:eq:y&sort=name:asc&fields=_all_,x&pageSize=3")
	f.Add("vf_Region=West\\,x,East&vf_=;&vf_Parameters.Top N=%zz&maxAge=1")
	f.Add("filter=[[,]:::&sort=,&fields=,")
	server := tableautest.New(tableautest.Options{})
	name, secret := server.PAT()
	session := serve(server, http.MethodPost, "/api/3.29/auth/signin", tokenBody(name, secret, "demo"), nil)
	d := decode(session)
	header := http.Header{"X-Tableau-Auth": {d.Credentials.Token}}
	site := "/api/3.29/sites/" + d.Credentials.Site.ID
	views := decode(serve(server, http.MethodGet, site+"/views", "", header)).Views
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/views", "/views/" + views[1].attr("id") + "/data"} {
			r := serve(server, http.MethodGet, site+path+"?"+escapeQuery(query), "", header)
			if r.Code != http.StatusOK && (r.Code < 400 || r.Code > 499) {
				t.Errorf("%s?%s answers %d", path, query, r.Code)
			}
		}
	})
}

// escapeQuery leaves of a query what an HTTP request can carry.
func escapeQuery(query string) string {
	var out strings.Builder
	for _, b := range []byte(query) {
		if b <= ' ' || b >= 0x7f || b == '#' {
			fmt.Fprintf(&out, "%%%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}
