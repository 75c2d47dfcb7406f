package tableautest_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func (c *client) switchSite(body string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/api/"+c.version+"/auth/switchSite", body, http.Header{"X-Tableau-Auth": {c.token}})
}

func TestSwitchSite(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	before := *c
	a := c.switchSite(`<tsRequest><site contentUrl="Finance"/></tsRequest>`)
	if got := a.document(t).Credentials.Estimate; got != "180:00:00" {
		t.Errorf("estimatedTimeToExpiration = %q", got)
	}
	c.use(a)
	if d := c.get("/workbooks").document(t); len(d.Workbooks) != 1 || d.Workbooks[0].attr("name") != "Ledger" {
		t.Errorf("the other site has %v", names(d.Workbooks))
	}
	if code := before.get("/views").code(t); code != "401002" {
		t.Errorf("the session of before: %q, want 401002", code)
	}
	// The token's one session is now the new one.
	after := *c
	c.signIn()
	if code := after.get("/views").code(t); code != "401002" {
		t.Errorf("the switched session after a further sign-in: %q, want 401002", code)
	}

	// A password's session can switch too, to the default site, in JSON.
	user, password := c.server.Password()
	c.use(c.post(passwordBody(user, password, "demo")))
	j := c.do(http.MethodPost, "/api/3.29/auth/switchSite", `{"site":{"contentUrl":""}}`,
		http.Header{"X-Tableau-Auth": {c.token}, "Content-Type": {"application/json"}}).json(t)
	if at(j, "credentials", "site", "contentUrl") != "" || at(j, "credentials", "estimatedTimeToExpiration") != nil {
		t.Errorf("switched to %v", j)
	}

	c.signIn()
	viewer := c.as(tableautest.SecondUser, "demo")
	for _, test := range []struct {
		name string
		as   *client
		body string
		want string
	}{
		{"the same site", c, `<tsRequest><site contentUrl="demo"/></tsRequest>`, "403070"},
		{"no such site", c, `<tsRequest><site contentUrl="nowhere"/></tsRequest>`, "401003"},
		{"not a member", viewer, `<tsRequest><site contentUrl=""/></tsRequest>`, "401003"},
		{"no site", c, `<tsRequest/>`, "400000"},
		{"no XML", c, `demo`, "400000"},
	} {
		if a := test.as.switchSite(test.body); a.code(t) != test.want || strconv.Itoa(a.Status) != test.want[:3] {
			t.Errorf("%s: %d %s, want %s", test.name, a.Status, a.Body, test.want)
		}
	}
	if code := c.get("/views").code(t); code != "" {
		t.Errorf("after switches that failed the session answers %q", code)
	}
}

func TestCloud(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Cloud: true}).signIn()
	for _, test := range []struct {
		name string
		got  answer
		want string
	}{
		{"switching sites", c.switchSite(`<tsRequest><site contentUrl="finance"/></tsRequest>`), "404003"},
		{"listing sites", c.do(http.MethodGet, "/api/3.29/sites", "", http.Header{"X-Tableau-Auth": {c.token}}), "403069"},
		{"the default site", c.post(passwordBody(tableautest.DefaultUser, c.server.NewPassword(tableautest.DefaultUser), "")), "401001"},
	} {
		if code := test.got.code(t); code != test.want {
			t.Errorf("%s: %q, want %q", test.name, code, test.want)
		}
	}
	if got := c.post(tokenBody("no", "no", "demo")).document(t).Error.Detail; got != "Error signing in to Tableau Cloud" {
		t.Errorf("a wrong token: %q", got)
	}
	c.server.Advance(119 * time.Minute)
	if code := c.get("/views").code(t); code != "" {
		t.Errorf("after 119 minutes: %q", code)
	}
	c.server.Advance(121 * time.Minute)
	if code := c.get("/views").code(t); code != "401002" {
		t.Errorf("after 121 idle minutes: %q, want 401002", code)
	}
}
