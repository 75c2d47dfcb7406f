package tableautest_test

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const day = 24 * time.Hour

func TestSignInWithToken(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{TokenLife: 177*day + 5*time.Hour + 38*time.Minute})
	name, secret := c.server.PAT()
	if !regexp.MustCompile(`^[A-Za-z0-9+/]{22}==:[A-Za-z0-9]{32}$`).MatchString(secret) {
		t.Error("the token secret does not look like Tableau's")
	}
	a := c.post(tokenBody(name, secret, "DEMO")) // the case of a site does not count
	d := a.document(t)
	if a.Status != http.StatusOK {
		t.Fatalf("status = %d, want 200: %s", a.Status, a.Body)
	}
	if got := d.Credentials.Site.ContentURL; got != "demo" {
		t.Errorf("site = %q, want demo", got)
	}
	if got, want := d.Credentials.Estimate, "177:05:38"; got != want {
		t.Errorf("estimatedTimeToExpiration = %q, want %q", got, want)
	}
	pattern := `^[A-Za-z0-9_-]{22}\|[A-Za-z0-9]{32}\|` + d.Credentials.Site.ID + `$`
	if !regexp.MustCompile(pattern).MatchString(d.Credentials.Token) {
		t.Error("the session token is not 22 + 32 characters and the site's id")
	}
	for key, want := range map[string]string{
		"Server": "Tableau", "X-Tableau": "Tableau Server", "X-Content-Type-Options": "nosniff",
	} {
		if got := a.Header.Get(key); got != want {
			t.Errorf("header %s = %q, want %q", key, got, want)
		}
	}
}

func TestSignInWithPassword(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{User: "kim@example.com", Password: "p&ss"})
	user, password := c.server.Password()
	if user != "kim@example.com" || password != "p&ss" {
		t.Fatalf("Password() = %q and another password, want the given ones", user)
	}
	a := c.do(http.MethodPost, "/api/3.29/auth/signin",
		`{"credentials":{"name":"kim@example.com","password":"p&ss","site":{"contentUrl":"demo"}}}`,
		http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}})
	body := a.json(t)
	if a.Status != http.StatusOK || at(body, "credentials", "site", "contentUrl") != "demo" {
		t.Fatalf("sign-in answered %d: %s", a.Status, a.Body)
	}
	if got := at(body, "credentials", "estimatedTimeToExpiration"); got != nil {
		t.Errorf("estimatedTimeToExpiration = %v, want none for a password", got)
	}

	// Sessions of a password live side by side.
	first := *c.use(c.post(passwordBody(user, "p&amp;ss", "demo")))
	second := *c.use(c.post(passwordBody(user, "p&amp;ss", "demo")))
	for _, c := range []*client{&first, &second} {
		if a := c.get("/views"); a.Status != http.StatusOK {
			t.Errorf("views answered %d, want 200", a.Status)
		}
	}
}

func TestSignInFailures(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Password: "right", TokenSecret: "secret"})
	for name, test := range map[string]struct {
		body   string
		header http.Header
		code   string
	}{
		"wrong secret":       {body: tokenBody("vizpost", "wrong", "demo"), code: "401001"},
		"unknown token":      {body: tokenBody("nobody", "secret", "demo"), code: "401001"},
		"wrong password":     {body: passwordBody(tableautest.DefaultUser, "wrong", "demo"), code: "401001"},
		"unknown user":       {body: passwordBody("nobody", "right", "demo"), code: "401001"},
		"unknown site":       {body: tokenBody("vizpost", "secret", "nosuch"), code: "401001"},
		"JSON web token":     {body: `<tsRequest><credentials jwt="x.y.z"><site contentUrl="demo"/></credentials></tsRequest>`, code: "401001"},
		"empty":              {body: "", code: "401009"},
		"no XML":             {body: "hello", code: "400000"},
		"no credentials":     {body: "<tsRequest/>", code: "400000"},
		"half credentials":   {body: `<tsRequest><credentials name="ana"/></tsRequest>`, code: "400000"},
		"both credentials":   {body: `<tsRequest><credentials name="a" password="b" personalAccessTokenName="c" personalAccessTokenSecret="d"/></tsRequest>`, code: "400000"},
		"JSON sent as XML":   {body: `{"credentials":{}}`, code: "400000"},
		"contrary languages": {body: "<tsRequest/>", header: http.Header{"Content-Type": {"application/xml"}, "Accept": {"application/json"}}, code: "406000"},
		"impersonation": {
			body: `<tsRequest><credentials personalAccessTokenName="vizpost" personalAccessTokenSecret="secret"><site contentUrl="demo"/><user id="x"/></credentials></tsRequest>`,
			code: "403004",
		},
	} {
		t.Run(name, func(t *testing.T) {
			header := test.header
			if header == nil {
				header = http.Header{}
			}
			a := c.do(http.MethodPost, "/api/3.29/auth/signin", test.body, header)
			var got string
			if header.Get("Accept") == "application/json" {
				got, _ = at(a.json(t), "error", "code").(string)
			} else {
				got = a.code(t)
			}
			if got != test.code || strconv.Itoa(a.Status) != test.code[:3] {
				t.Errorf("answered %d %s, want code %s", a.Status, a.Body, test.code)
			}
		})
	}
	a := c.post(tokenBody("vizpost", "wrong", "demo"))
	d := a.document(t)
	if a.Status != http.StatusUnauthorized || d.Error.Summary != "Signin Error" || d.Error.Detail != "Error signing in to Tableau Server" {
		t.Errorf("a wrong secret answers %d %+v", a.Status, d.Error)
	}
	if got := c.server.Stats(); got.SignIns != 0 || got.SignInsFailed != 15 {
		t.Errorf("stats count %d sign-ins and %d failed ones, want 0 and 15", got.SignIns, got.SignInsFailed)
	}
	if a := c.do(http.MethodGet, "/api/3.29/auth/signin", "", nil); a.code(t) != "405000" || a.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET of sign-in answers %d %s, want 405000", a.Status, a.Body)
	}
}

func TestOneSessionForEachToken(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{})
	first := *c.signIn()
	second := *c.signIn()
	if code := first.get("/views").code(t); code != "401002" {
		t.Errorf("the first session answers %q after the second sign-in, want 401002", code)
	}
	if a := second.get("/views"); a.Status != http.StatusOK {
		t.Errorf("the second session answers %d, want 200", a.Status)
	}
	// On another site it is the same token, so the same session.
	name, secret := c.server.PAT()
	third := *c.use(c.post(tokenBody(name, secret, tableautest.SecondSite)))
	if code := second.get("/views").code(t); code != "401002" {
		t.Errorf("the second session answers %q after a sign-in on another site, want 401002", code)
	}
	if d := third.get("/views").document(t); len(d.Views) == 0 {
		t.Error("the second site has no views")
	}
	// Another token has a session of its own.
	other := c.server.NewPAT("", "other")
	c.use(c.post(tokenBody("other", other, "demo")))
	if a := third.get("/views"); a.Status != http.StatusOK {
		t.Errorf("a sign-in with another token ended the session: %d", a.Status)
	}
	got := c.server.Stats()
	if got.SignIns != 4 || got.SessionsEndedBySignIn != 2 || got.SessionsLive != 2 {
		t.Errorf("stats = %d sign-ins, %d ended, %d live; want 4, 2, 2", got.SignIns, got.SessionsEndedBySignIn, got.SessionsLive)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	a := c.do(http.MethodPost, "/api/3.29/auth/signout", "", http.Header{"X-Tableau-Auth": {c.token}, "Content-Type": {"text/xml"}})
	if a.Status != http.StatusNoContent || len(a.Body) != 0 || a.Header.Get("Content-Type") != "" {
		t.Errorf("sign-out answers %d with %d bytes of %q, want an empty 204", a.Status, len(a.Body), a.Header.Get("Content-Type"))
	}
	if code := c.get("/views").code(t); code != "401002" {
		t.Errorf("after sign-out views answer %q, want 401002", code)
	}
	// A sign-in after a sign-out ends nothing.
	c.signIn()
	if got := c.server.Stats().SessionsEndedBySignIn; got != 0 {
		t.Errorf("%d sessions ended by sign-in, want 0", got)
	}
}

func TestCurrentSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	a := c.do(http.MethodGet, "/api/3.29/sessions/current", "", http.Header{"X-Tableau-Auth": {c.token}, "Accept": {"application/json"}})
	body := a.json(t)
	if at(body, "session", "site", "contentUrl") != "demo" || at(body, "session", "user", "name") != tableautest.DefaultUser {
		t.Errorf("session = %s", a.Body)
	}
	a = c.do(http.MethodGet, "/api/3.29/sessions/current", "", nil)
	d := a.document(t)
	if d.Error.Code != "401000" || d.Error.Summary != "Unauthorized Access" || d.Error.Detail != "No authentication credentials were provided" {
		t.Errorf("without a token: %+v", d.Error)
	}
	d = c.do(http.MethodGet, "/api/3.29/sessions/current", "", http.Header{"X-Tableau-Auth": {"x|y|z"}}).document(t)
	if d.Error.Code != "401002" || d.Error.Detail != "Invalid authentication credentials were provided." {
		t.Errorf("with a wrong token: %+v", d.Error)
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	signIn := func(c *client) string {
		name, secret := c.server.PAT()
		return c.post(tokenBody(name, secret, "demo")).code(t)
	}
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, tableautest.Options{})
		c.server.Advance(15 * day)
		if code := signIn(c); code != "" {
			t.Fatalf("after 15 days: %s, want a sign-in", code)
		}
		c.server.Advance(15*day + time.Minute)
		if code := signIn(c); code != "401001" {
			t.Errorf("after more than 15 days without use: %q, want 401001", code)
		}
	})
	t.Run("expiry", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, tableautest.Options{TokenLife: 30 * day})
		for range 2 {
			c.server.Advance(14 * day)
			if code := signIn(c); code != "" {
				t.Fatalf("within its life: %s", code)
			}
		}
		c.server.Advance(2 * day)
		if code := signIn(c); code != "401001" {
			t.Errorf("at its expiry: %q, want 401001", code)
		}
	})
	// A session does not outlive its token, whoever else signs in meanwhile or not.
	t.Run("session of an expired token", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, tableautest.Options{TokenLife: 3 * time.Hour}).signIn()
		c.server.Advance(2 * time.Hour)
		if a := c.get("/projects"); a.Status != http.StatusOK {
			t.Fatalf("within the token's life the session answers %d", a.Status)
		}
		c.server.Advance(time.Hour)
		if code := c.get("/projects").code(t); code != "401002" {
			t.Errorf("at the token's expiry the session answers %q, want 401002", code)
		}
		if got := c.server.Stats().SessionsLive; got != 0 {
			t.Errorf("%d sessions live, want none", got)
		}
	})
	t.Run("session", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, tableautest.Options{SessionLife: time.Hour}).signIn()
		for range 3 {
			c.server.Advance(50 * time.Minute)
			if a := c.get("/projects"); a.Status != http.StatusOK {
				t.Fatalf("a session in use answers %d", a.Status)
			}
		}
		c.server.Advance(61 * time.Minute)
		if code := c.get("/projects").code(t); code != "401002" {
			t.Errorf("an idle session answers %q, want 401002", code)
		}
	})
}

func TestRevokeAndMFA(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Password: "right"}).signIn()
	c.server.NewPAT(tableautest.SecondUser, "rui's")
	if n := c.server.RevokeTokens(tableautest.DefaultUser); n != 1 {
		t.Errorf("RevokeTokens = %d, want 1", n)
	}
	if code := c.get("/views").code(t); code != "401002" {
		t.Errorf("the revoked token's session answers %q, want 401002", code)
	}
	name, secret := c.server.PAT()
	if code := c.post(tokenBody(name, secret, "demo")).code(t); code != "401001" {
		t.Errorf("the revoked token: %q, want 401001", code)
	}
	if n := c.server.RevokeTokens(""); n != 1 {
		t.Errorf("RevokeTokens of all = %d, want the other user's 1", n)
	}

	before := c.server.NewPAT("", "before")
	c.server.EnableMFA("")
	if code := c.post(passwordBody(tableautest.DefaultUser, "right", "demo")).code(t); code != "401001" {
		t.Errorf("a password with MFA: %q, want 401001", code)
	}
	if code := c.post(tokenBody("before", before, "demo")).code(t); code != "401001" {
		t.Errorf("a token from before MFA: %q, want 401001", code)
	}
	after := c.server.NewPAT("", "after")
	if code := c.post(tokenBody("after", after, "demo")).code(t); code != "" {
		t.Errorf("a token made after MFA: %s, want a sign-in", code)
	}
	if got := c.server.NewPAT("nobody", "x"); got != "" {
		t.Error("a user that does not exist got a token")
	}
}

func TestSecondUser(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	private := c.view("Plan2027/sheets/Overview")
	secret := c.server.NewPAT(tableautest.SecondUser, "mine")
	viewer := *c.use(c.post(tokenBody("mine", secret, "demo")))
	for _, p := range viewer.get("/projects").document(t).Projects {
		if p.attr("name") == "Privé" {
			t.Error("the viewer sees the private project")
		}
	}
	if code := viewer.get("/views/" + private).code(t); code != "403004" {
		t.Errorf("the private view answers %q, want 403004", code)
	}
	if code := viewer.get("/views/" + private + "/image").code(t); code != "403004" {
		t.Errorf("its image answers %q, want 403004", code)
	}
	for path, want := range map[string]string{"/pdf": "403032", "/data": "403032", "/crosstab/excel": "403004"} {
		if code := viewer.get("/views/" + private + path).code(t); code != want {
			t.Errorf("its %s answers %q, want %s", path, code, want)
		}
	}
	if d := viewer.get("/views?filter=contentUrl:eq:Plan2027/sheets/Overview").document(t); len(d.Views) != 0 {
		t.Error("the private view is in the list")
	}
	if code := c.post(tokenBody("mine", secret, "")).code(t); code != "401001" {
		t.Errorf("signing in to a site without membership: %q, want 401001", code)
	}
	if password := c.server.NewPassword(tableautest.SecondUser); c.post(passwordBody("RUI@example.com", password, "demo")).code(t) != "" {
		t.Error("the new password does not sign in")
	}
}

func TestSecretsStay(t *testing.T) {
	t.Parallel()
	o := tableautest.Options{TokenName: "kept", TokenSecret: "AAAAAAAAAAAAAAAAAAAAAA==:BBBBBBBB", Password: "pw"}
	first := newClient(t, o).signIn()
	again := newClient(t, o)
	if code := again.post(tokenBody(o.TokenName, o.TokenSecret, "demo")).code(t); code != "" {
		t.Errorf("the token does not survive a restart: %s", code)
	}
	again.signIn()
	if a, b := first.view("Superstore/sheets/Overview"), again.view("Superstore/sheets/Overview"); a != b {
		t.Errorf("the view's id changed with a restart: %s, %s", a, b)
	}
}

// dry is a source of randomness that ends after some bytes.
type dry struct{ left int }

func (d *dry) Read(p []byte) (int, error) {
	if d.left < len(p) {
		return 0, http.ErrBodyReadAfterClose
	}
	d.left -= len(p)
	return len(p), nil
}

func TestRandomSourceRunsDry(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Rand: &dry{left: 80}})
	first := c.signIn().token
	if second := c.signIn().token; first == second {
		t.Error("two sessions have one token")
	}
}
