package tableautest_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	const nobody = "00000000-0000-4000-8000-000000000000"
	overview := c.view("Superstore/sheets/Overview")
	finance := c.use(c.post(tokenBody("other", c.server.NewPAT("", "other"), "finance"))).site
	c.signIn()
	site := "/api/3.29/sites/" + c.site
	for _, test := range []struct{ path, code, detail string }{
		{"/api/3.99/serverinfo", "404001", "Version '3.99' is not a valid version of the API."},
		{"/api/x/serverinfo", "404001", "Version 'x' is not a valid version of the API."},
		{"/api/2.4/nothing/here", "404003", "Unknown resource '/2.4/nothing/here' specified in URI."},
		{"/api", "404003", ""},
		{"/api/3.17/sites/" + c.site + "/customviews", "404008", "API version '3.17' does not support access to the given resource."},
		{"/api/3.8/sites/" + c.site + "/views/" + overview + "/crosstab/excel", "404008", ""},
		{"/api/3.29/auth/signout", "405000", "The HTTP method 'GET' is not supported for the given resource"},
		{"/api/3.29/sites/" + nobody + "/views", "404000", "Site '" + nobody + "' could not be found."},
		{"/api/3.29/sites/" + finance + "/views", "403010", ""},
		{"/api/3.29/sites/" + nobody, "404000", ""},
		{site + "/views/" + nobody, "404011", "View '" + nobody + "' could not be found."},
		{site + "/views/" + nobody + "/pdf", "404011", ""},
		{site + "/workbooks/" + nobody, "404006", "Workbook '" + nobody + "' could not be found."},
		{site + "/workbooks/superstore?key=contentUrl", "404006", ""},
		{site + "/users/" + nobody, "404002", "User '" + nobody + "' could not be found."},
		{site + "/customviews/" + nobody, "404048", ""},
		{site + "/views?pageSize=0", "400007", ""},
		{site + "/views?pageSize=abc", "400007", ""},
		{site + "/views?pageSize=1001", "403014", ""},
		{site + "/views?pageNumber=0", "400006", ""},
		{site + "/views?pageNumber=99", "400006", "0xB4EAB088 : The start index '9800' is greater than or equal to the total count.)"},
		{site + "/views?includeUsageStatistics=yes", "400008", ""},
		{site + "/views?filter=nothing:eq:x", "400065", "The filter query contains a key which is not recognized for this api version."},
		{site + "/views?filter=name:eq", "400065", "The filter query is missing a value for key 'name'."},
		{site + "/views?filter=name:eq:Profit+%26+Loss", "400065", "The filter query is missing a value for key 'name'."},
		{site + "/views?filter=name:gt:A", "400065", ""},
		{site + "/views?filter=createdAt:gt:yesterday", "400065", ""},
		{site + "/views?filter=sheetNumber:gt:one", "400065", ""},
		{site + "/views?sort=name", "400066", ""},
		{site + "/views?sort=nothing:asc", "400066", ""},
		{site + "/views/" + overview + "/image?resolution=HIGH", "400010", ""},
		{site + "/views/" + overview + "/image?format=jpg", "400010", ""},
		{"/api/3.28/sites/" + c.site + "/views/" + overview + "/image?format=svg", "400000", "SVG export requires API version 3.29 or later"},
		{site + "/views/" + overview + "/image?maxAge=-1", "400008", ""},
		{site + "/views/" + overview + "/image?maxAge=soon", "400008", ""},
		{site + "/views/" + overview + "/image?vizWidth=4000&vizHeight=5000", "400010", ""},
		{site + "/views/" + overview + "/image?vizWidth=3000&vizHeight=3000&resolution=high", "400010", ""},
		{site + "/views/" + overview + "/pdf?type=napkin", "400010", ""},
		{site + "/views/" + overview + "/pdf?orientation=diagonal", "400010", ""},
		{site + "/views/" + overview + "/data?vf_Region=West,East&vf_Category=Furniture", "400000", ""},
		{site + "/views/" + overview + "/crosstab/excel?vf_Region=Nowhere", "400130", ""},
	} {
		a := c.do(http.MethodGet, test.path, "", http.Header{"X-Tableau-Auth": {c.token}})
		d := a.document(t)
		if d.Error.Code != test.code || strconv.Itoa(a.Status) != test.code[:3] || d.Error.Summary == "" {
			t.Errorf("GET %s answers %d %+v, want %s", test.path, a.Status, d.Error, test.code)
		}
		if test.detail != "" && d.Error.Detail != test.detail {
			t.Errorf("GET %s: detail %q, want %q", test.path, d.Error.Detail, test.detail)
		}
		// The same as JSON, at endpoints of files too.
		j := c.do(http.MethodGet, test.path, "", http.Header{"X-Tableau-Auth": {c.token}, "Accept": {"application/json"}})
		if got := at(j.json(t), "error", "code"); got != test.code {
			t.Errorf("GET %s as JSON: code %v, want %s", test.path, got, test.code)
		}
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{APIVersion: "3.27"})
	c.version = "3.27"
	c.signIn()
	id := c.view("Superstore/sheets/Overview")
	for _, test := range []struct{ path, code string }{
		{"/API/3.27/Sites/" + c.site + "/VIEWS/" + id, ""},
		{"//api//3.27/sites/" + strings.ToUpper(c.site) + "/views/", ""},
		{"/api/exp/sites/" + c.site + "/customviews", ""},
		{"/api/EXP/serverInfo", ""},
		{"/api/3.28/serverinfo", "404001"},
		{"/api/4.0/sites/" + c.site + "/views", "404001"},
		{"/api/v3/serverinfo", "404001"},
		{"/api/-/serverinfo", "404003"},
		{"/api/3.27/sites/" + c.site + "/views/" + id + "/powerpoint", "404003"},
		{"/api/3.27/sites/" + c.site + "/subscriptions", "404003"},
		{"/api/3.17/sites/" + c.site + "/customviews/" + id + "/image", "404008"},
		{"/api/3.22/sites/" + c.site + "/customviews/" + id + "/pdf", "404008"},
		{"/api/3.7/sites/" + c.site + "/workbooks/" + id + "/powerpoint", "404008"},
		{"/api/3.3/sites/" + c.site + "/workbooks/" + id + "/pdf", "404008"},
		{"/api/3.0/sessions/current", "404008"},
	} {
		a := c.do(http.MethodGet, test.path, "", http.Header{"X-Tableau-Auth": {c.token}})
		if code := a.code(t); code != test.code {
			t.Errorf("GET %s: %q, want %q", test.path, code, test.code)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		a := c.do(method, "/api/3.27/sites/"+c.site+"/views/"+id+"/image", "", http.Header{"X-Tableau-Auth": {c.token}})
		if d := a.document(t); a.Status != http.StatusMethodNotAllowed || d.Error.Code != "405000" || !strings.Contains(d.Error.Detail, "'"+method+"'") {
			t.Errorf("%s of an image answers %d %+v, want 405000", method, a.Status, d.Error)
		}
	}
}

func TestVersionGates(t *testing.T) {
	t.Parallel()
	old := newClient(t, tableautest.Options{APIVersion: "3.5"})
	old.version = "3.5"
	name, secret := old.server.PAT()
	if code := old.post(tokenBody(name, secret, "demo")).code(t); code != "400000" {
		t.Errorf("a server of 3.5 answers a token with %q, want 400000", code)
	}
	user, password := old.server.Password()
	if code := old.post(passwordBody(user, password, "demo")).code(t); code != "" {
		t.Errorf("a server of 3.5 answers a password with %s, want a sign-in", code)
	}

	// The official Python client signs in as 2.4, before it asks for the version.
	c := newClient(t, tableautest.Options{})
	c.version = "2.4"
	c.signIn()

	// Servers that do not know a parameter ignore it.
	before := newClient(t, tableautest.Options{APIVersion: "3.28"})
	before.version = "3.28"
	before.signIn()
	before.file("/views/"+before.view("Superstore/sheets/Shipping")+"/image?format=svg", "image/png")
}
