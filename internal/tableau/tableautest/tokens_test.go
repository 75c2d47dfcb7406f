package tableautest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func (c *client) delete(path string) answer {
	c.t.Helper()
	return c.do(http.MethodDelete, "/api/"+c.version+"/sites/"+c.site+path, "", http.Header{"X-Tableau-Auth": {c.token}})
}

// userID returns the id of a user of the site.
func (c *client) userID(name string) string {
	c.t.Helper()
	for _, u := range c.get("/users").document(c.t).Users {
		if u.attr("name") == name {
			return u.attr("id")
		}
	}
	c.t.Fatalf("the site has no user %s", name)
	return ""
}

func TestListTokens(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Cloud: true, TokenLife: 90 * 24 * time.Hour}).signIn()
	c.server.Advance(time.Hour)
	c.server.NewPAT("", "spare / unused")
	path := "/users/" + c.userID(tableautest.DefaultUser) + "/personal-access-tokens"
	tokens := c.get(path).document(t).Tokens
	if len(tokens) != 2 {
		t.Fatalf("found %d tokens, want 2", len(tokens))
	}
	spare, used := tokens[0], tokens[1]
	for _, test := range []struct{ got, want string }{
		{spare.attr("tokenName"), "spare / unused"}, {spare.attr("lastUsedAt"), ""}, {spare.attr("expiresAt"), "2027-02-21T10:00:00Z"},
		{used.attr("tokenName"), "vizpost"}, {used.attr("lastUsedAt"), "2026-11-23T09:00:00Z"}, {used.attr("expiresAt"), "2027-02-21T09:00:00Z"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
	if len(used.attr("tokenGuid")) != 36 || used.attr("tokenGuid") == spare.attr("tokenGuid") {
		t.Errorf("guids %q and %q", used.attr("tokenGuid"), spare.attr("tokenGuid"))
	}
	list, isArray := c.getAs("application/json", path).json(t)["personalAccessTokens"].([]any)
	if !isArray || len(list) != 2 || at(list[1], "tokenName") != "vizpost" {
		t.Errorf("in JSON: %v", list)
	}
	// What has died of disuse is not listed.
	c.server.Advance(15 * 24 * time.Hour)
	c.server.NewPAT("", "new")
	c.as(tableautest.DefaultUser, "demo")
	secret := c.server.NewPAT("", "another")
	c.use(c.post(tokenBody("another", secret, "demo")))
	c.server.Advance(time.Minute)
	var got []string
	for _, item := range c.get(path).document(t).Tokens {
		got = append(got, item.attr("tokenName"))
	}
	if diff := cmp.Diff([]string{"another", "new", "t-" + tableautest.DefaultUser}, got); diff != "" {
		t.Errorf("tokens 15 days later (-want +got):\n%s", diff)
	}
	if a := c.get(path); strings.Contains(string(a.Body), secret) {
		t.Error("the list tells secrets")
	}
}

func TestRevokeToken(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Cloud: true}).signIn()
	path := "/users/" + c.userID(tableautest.DefaultUser) + "/personal-access-tokens/"
	secret := c.server.NewPAT("", "a/b c")
	other := *c
	other.use(c.post(tokenBody("a/b c", secret, "demo")))
	if a := c.delete(path + "a%2Fb%20c"); a.Status != http.StatusNoContent || len(a.Body) != 0 {
		t.Fatalf("revoking answers %d: %s", a.Status, a.Body)
	}
	if code := other.get("/views").code(t); code != "401002" {
		t.Errorf("the session of the revoked token: %q, want 401002", code)
	}
	if code := c.post(tokenBody("a/b c", secret, "demo")).code(t); code != "401001" {
		t.Errorf("signing in with the revoked token: %q, want 401001", code)
	}
	if code := c.delete(path + "a%2Fb%20c").code(t); code != "404051" {
		t.Errorf("revoking it again: %q, want 404051", code)
	}
	if code := c.delete(strings.TrimSuffix(path, "/")).code(t); code != "405000" {
		t.Errorf("revoking without a name: %q, want 405000", code)
	}
	if a := c.delete(path + "vizpost"); a.Status != http.StatusNoContent {
		t.Errorf("revoking the token in use answers %d", a.Status)
	}
	if code := c.get("/views").code(t); code != "401002" {
		t.Errorf("the caller's own session after that: %q, want 401002", code)
	}
}

func TestWhoMayManageTokens(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Cloud: true}).signIn()
	siteAdmin, viewer := c.as(tableautest.SiteAdministrator, "demo"), c.as(tableautest.SecondUser, "demo")
	first, second := c.userID(tableautest.DefaultUser), c.userID(tableautest.SecondUser)
	for _, test := range []struct {
		name string
		as   *client
		of   string
		want string
	}{
		{"one's own", viewer, second, ""},
		{"a viewer, another's", viewer, first, "403004"},
		{"an administrator of all the owner's sites", c, second, ""},
		{"an administrator of some of them", siteAdmin, first, "403010"},
		{"of nobody", c, c.site, "404002"},
	} {
		path := "/users/" + test.of + "/personal-access-tokens"
		if code := test.as.get(path).code(t); code != test.want {
			t.Errorf("%s: list: %q, want %q", test.name, code, test.want)
		}
		if test.want == "" {
			test.want = "404051"
		}
		if code := test.as.delete(path + "/nothing").code(t); code != test.want {
			t.Errorf("%s: revoke: %q, want %q", test.name, code, test.want)
		}
	}
	old := *c
	old.version = "3.20"
	if code := old.get("/users/" + first + "/personal-access-tokens").code(t); code != "404008" {
		t.Errorf("at 3.20: %q, want 404008", code)
	}
	server := newClient(t, tableautest.Options{}).signIn()
	if code := server.get("/users/" + first + "/personal-access-tokens").code(t); code != "404003" {
		t.Errorf("on a Tableau Server: %q, want 404003", code)
	}
}

// A server's administrator can end all tokens of its administrators at once.
func TestRevokeTokensOfServerAdministrators(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, method, path, old string }{
		{"as documented", http.MethodDelete, "serverAdminAccessTokens", "3.10"},
		{"as the Python client asks", http.MethodPost, "revokeAllServerAdminTokens", "3.9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, tableautest.Options{}).signIn()
			viewer, siteAdmin := c.as(tableautest.SecondUser, "demo"), c.as(tableautest.SiteAdministrator, "demo")
			ask := func(c *client, version string) answer {
				return c.do(test.method, "/api/"+version+"/auth/"+test.path, "", http.Header{"X-Tableau-Auth": {c.token}})
			}
			for name, other := range map[string]*client{"viewer": viewer, "site administrator": siteAdmin} {
				if code := ask(other, "3.29").code(t); code != "403004" {
					t.Errorf("a %s: %q, want 403004", name, code)
				}
			}
			if code := ask(c, test.old).code(t); code != "404008" {
				t.Errorf("at %s: %q, want 404008", test.old, code)
			}
			if a := ask(c, "3.29"); a.Status != http.StatusNoContent {
				t.Fatalf("the server's administrator: %d %s", a.Status, a.Body)
			}
			if code := c.get("/views").code(t); code != "401002" {
				t.Errorf("their session after that: %q, want 401002", code)
			}
			name, secret := c.server.PAT()
			if code := c.post(tokenBody(name, secret, "demo")).code(t); code != "401001" {
				t.Errorf("their token: %q, want 401001", code)
			}
			for name, other := range map[string]*client{"viewer": viewer, "site administrator": siteAdmin} {
				if a := other.get("/views"); a.Status != http.StatusOK {
					t.Errorf("the session of the %s answers %d", name, a.Status)
				}
			}
		})
	}
	cloud := newClient(t, tableautest.Options{Cloud: true}).signIn()
	if a := cloud.do(http.MethodDelete, "/api/3.29/auth/serverAdminAccessTokens", "", http.Header{"X-Tableau-Auth": {cloud.token}}); a.code(t) != "404003" {
		t.Errorf("on Tableau Cloud: %d %s, want 404003", a.Status, a.Body)
	}
}
