package e2e_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/vizpost/vizpost/internal/aws/gateway"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/httpapi/page"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/standalone"
)

// cloud is vizpost as it is on AWS, seen from a browser: the functions api and
// public behind an authorizer, a user pool with its sign-in page, and a bucket.
// What is kept lies in a data folder.
type cloud struct {
	t       *testing.T
	pool    *userPool
	bucket  *bucket
	address string
	calls   atomic.Int64 // of the API
	silent  atomic.Bool  // nothing but the page's files is answered
}

// bucket gives one file, to those who come as the API sends them.
type bucket struct {
	*httptest.Server
	asked chan http.Header
}

func (b *bucket) Link(_ context.Context, f run.File) (string, error) {
	return b.URL + "/" + f.Object + "?X-Amz-Signature=x", nil
}

const exportedText = "Region,Sales\r\nWest,1\r\n"

// oneFile is the service of runs, with a file that no export has to be waited
// for.
type oneFile struct{ *run.Service }

func (oneFile) File(context.Context, string, string) (run.File, error) {
	return run.File{ID: "f", Object: "runs/r/f.csv", Name: "Sales.csv", ContentType: "text/csv", Size: int64(len(exportedText))}, nil
}

func newCloud(t *testing.T, providers ...string) *cloud {
	t.Helper()
	c := &cloud{t: t, pool: newUserPool(t), bucket: &bucket{asked: make(chan http.Header, 10)}}
	log := slog.New(slog.DiscardHandler)
	v, err := standalone.Open(t.Context(), standalone.Config{DataDir: t.TempDir(), PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Random: rand.Reader, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	c.bucket.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.bucket.asked <- r.Header.Clone()
		if r.Header.Get("Origin") == c.address { // as the template has it
			w.Header().Set("Access-Control-Allow-Origin", c.address)
		}
		_, _ = io.WriteString(w, exportedText)
	}))
	t.Cleanup(c.bucket.Close)
	slackRole := ""
	if slices.Contains(providers, "slack") {
		slackRole = "viewer"
	}
	signIn := httpapi.SignIn{Domain: c.pool.URL, Issuer: poolIssuer, ClientID: poolClient, Providers: providers}
	api := httpapi.New(httpapi.Deps{
		Connections: v.Connections, Reports: v.Reports, Destinations: v.Destinations, Runs: oneFile{v.Runs}, Requests: v.Store, FileLinks: c.bucket,
		Authenticate: gateway.Pool{Issuer: poolIssuer, Client: poolClient}.Authenticate, Installation: httpapi.Installation{Mode: "aws", Mail: "ses", TimeZone: "UTC", SlackRole: slackRole},
		Now: time.Now, NewID: v.NewID, Log: log,
	})
	public := httpapi.NewPublic(httpapi.Public{Page: page.Handler(c.pool.URL, c.bucket.URL), SignIn: signIn, Now: time.Now, NewID: v.NewID, Log: log})
	behind := c.pool.apiGateway(api, public)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			c.calls.Add(1)
		}
		if c.silent.Load() && (strings.HasPrefix(r.URL.Path, "/v1/") || r.URL.Path == "/config.json") {
			http.Error(w, `{"message":"Service Unavailable"}`, http.StatusServiceUnavailable)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.address, c.pool.home = server.URL, server.URL
	c.pool.does(admin)
	return c
}

var admin = behaviour{user: "ana@example.com", groups: []string{"admin"}}

// open opens a browser that takes the test's certificates.
func (c *cloud) open(width, height int) context.Context {
	c.t.Helper()
	return browser(c.t, width, height, chromedp.Flag("ignore-certificate-errors", true))
}

const (
	signInButton = `//button[contains(., "Sign in")]`
	slackButton  = `//button[contains(., "Sign in with Slack")]`
	signedIn     = `//button[contains(., "Sign out")]`
)

// notice waits for a notice and checks what it says.
func notice(title, text string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(`//*[@role="alert"][contains(., "` + title + `") and contains(., "` + text + `")]`)
}

// evaluate runs a promise in the page and gives what it resolves to.
func evaluate(ctx context.Context, t *testing.T, expression string) string {
	t.Helper()
	return ask(ctx, t, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
}

func TestSignInAtTheUserPool(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito")
	ctx := c.open(1200, 800)
	do(ctx, t, "cognito-sign-in", chromedp.Navigate(c.address+"/#/settings"), chromedp.WaitVisible(signInButton))
	if n := c.calls.Load(); n != 0 {
		t.Errorf("%d calls of the API before anybody signed in", n)
	}
	do(ctx, t, "cognito-signed-in", chromedp.Click(signInButton), chromedp.WaitVisible(signedIn), chromedp.WaitVisible(`//h1[contains(., "Settings")]`))
	if got, want := c.pool.asked(), []string{"authorize COGNITO", "authorization_code"}; !slices.Equal(got, want) {
		t.Errorf("the user pool was asked %q, want %q", got, want)
	}
	if got, want := ask(ctx, t, chromedp.Location()), c.address+"/#/settings"; got != want {
		t.Errorf("the address is %s, want that of before, %s", got, want)
	}
	if got := evaluate(ctx, t, `import("/api.js").then((api) => api.get("/v1/me")).then((me) => me.name + " " + me.role)`); got != "ana@example.com admin" {
		t.Errorf("the API says that it is %q", got)
	}

	// The sign-in lasts over a reload, and ends here and there.
	do(ctx, t, "cognito-reloaded", chromedp.Reload(), chromedp.WaitVisible(signedIn))
	if got := c.pool.asked(); len(got) > 0 {
		t.Errorf("after a reload the user pool was asked %q", got)
	}
	do(ctx, t, "cognito-signed-out", chromedp.Click(signedIn), chromedp.WaitVisible(signInButton))
	if got, want := c.pool.asked(), []string{"revoke", "logout"}; !slices.Equal(got, want) {
		t.Errorf("at the end the user pool was asked %q, want %q", got, want)
	}
	if left := evaluate(ctx, t, `Promise.resolve(Object.keys({...sessionStorage, ...localStorage}).join(" ") + document.cookie)`); left != "" {
		t.Errorf("after signing out the browser keeps %q", left)
	}
}

func TestTokensAreRenewed(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito")
	ctx := c.open(1200, 800)
	// A token that ends within a minute is renewed before it is used.
	c.pool.does(behaviour{user: "ana@example.com", groups: []string{"admin"}, lasts: 30})
	do(ctx, t, "cognito-renewed", chromedp.Navigate(c.address+"/"), chromedp.Click(signInButton), chromedp.WaitVisible(signedIn))
	log := c.pool.asked()
	if !has(log, "refresh_token") {
		t.Errorf("the user pool was asked %q, want the token to be renewed", log)
	}
	// Many that ask at once renew it once.
	c.pool.does(admin)
	const many = `import("/signin.js").then(async (s) => new Set(await Promise.all(Array.from({length: 8}, () => s.accessToken()))).size + " token")`
	c.pool.asked()
	if got := evaluate(ctx, t, many); got != "1 token" {
		t.Errorf("eight calls at once carry %s", got)
	}
	if got := c.pool.asked(); len(got) > 1 {
		t.Errorf("eight calls at once asked the user pool %q", got)
	}
	// One that the API does not take any longer is renewed once, and the call
	// is made again.
	const spoilt = `sessionStorage.setItem("vizpost.sign-in", JSON.stringify({...JSON.parse(sessionStorage.getItem("vizpost.sign-in")), access: "x.y.z"}));`
	me := `import("/api.js").then((api) => { ` + spoilt + ` return api.get("/v1/me"); }).then((me) => me.name, (problem) => problem.message)`
	if got := evaluate(ctx, t, me); got != "ana@example.com" {
		t.Errorf("with a token that the API does not take: %q", got)
	}
	if got := c.pool.asked(); !slices.Equal(got, []string{"refresh_token"}) {
		t.Errorf("the user pool was asked %q, want it once for another token", got)
	}

	// When there is no other, the sign-in has ended, and the way back is kept.
	do(ctx, t, "cognito-ended", chromedp.Navigate(c.address+"/#/reports"), chromedp.WaitVisible(`//h1[contains(., "Reports")]`))
	c.pool.does(behaviour{noRefresh: true})
	evaluate(ctx, t, `import("/api.js").then((api) => { `+spoilt+` return api.get("/v1/me"); }).then(() => "", (problem) => problem.message)`)
	do(ctx, t, "cognito-ended", notice("Your sign-in has ended", "you come back"))
	c.pool.does(admin)
	do(ctx, t, "cognito-again", chromedp.Click(signInButton), chromedp.WaitVisible(`//h1[contains(., "Reports")]`))
}

// A file is fetched from the bucket: the policy of the page lets it, and the
// access token does not go there.
func TestFilesComeFromTheBucket(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito")
	ctx := c.open(1200, 800)
	do(ctx, t, "cognito-file", chromedp.Navigate(c.address+"/"), chromedp.Click(signInButton), chromedp.WaitVisible(signedIn))
	got := evaluate(ctx, t, `import("/api.js").then((api) => api.blob("/v1/runs/r/files/f")).then((b) => b.text()).catch((p) => p.message)`)
	if got != exportedText {
		t.Errorf("the page gets %q, want the file", got)
	}
	select {
	case header := <-c.bucket.asked:
		if got := header.Get("Authorization"); got != "" {
			t.Error("the access token goes to the bucket")
		}
	default:
		t.Error("the bucket was not asked")
	}
}

// failure is a sign-in that fails, and what the page says of it.
type failure struct {
	name        string
	button      string
	does        behaviour
	title, text string
}

// fail tries a sign-in, and checks that the page says which failure it was, and
// is ready for another.
func (c *cloud) fail(ctx context.Context, f failure) {
	c.t.Helper()
	c.pool.does(f.does)
	do(ctx, c.t, "cognito-fails-"+f.name, chromedp.Navigate(c.address+"/?"+f.name+"#/settings"), chromedp.Click(f.button), notice(f.title, f.text))
	if got := evaluate(ctx, c.t, `Promise.resolve(location.href + " " + Object.keys(sessionStorage).join(" "))`); got != c.address+"/#/settings " && f.name != "other-state" {
		c.t.Errorf("%s: afterwards there is %s", f.name, got)
	}
}

// with changes what the user pool does with an administrator.
func with(change func(*behaviour)) behaviour {
	b := admin
	change(&b)
	return b
}

func TestSignInPageRefuses(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito", "slack")
	ctx := c.open(1000, 800)
	said := func(code, description string) behaviour {
		return with(func(b *behaviour) { b.refuse = url.Values{"error": {code}, "error_description": {description}} })
	}
	for _, f := range []failure{
		{"other-team", slackButton, said("invalid_request", "PreSignUp failed with error This Slack workspace may not sign in here [other_slack_team]."),
			"This Slack workspace may not sign in here", "choose the right workspace at Slack"},
		{"other-team-at-the-token", slackButton, said("invalid_request", "PreTokenGeneration failed with error This Slack workspace may not sign in here [other_slack_team]."),
			"This Slack workspace may not sign in here", "choose the right workspace at Slack"},
		{"no-team", slackButton, said("invalid_request", "PreSignUp failed with error Slack did not say which workspace this is [no_slack_team]."),
			"Slack did not say which workspace you are in", "the Slack app needs the scopes"},
		{"no-slack", slackButton, said("invalid_request", "PreTokenGeneration failed with error Nobody may sign in here by another service [no_slack]."),
			"Signing in with Slack is switched off", "email address and password"},
		{"check-failed", slackButton, said("invalid_request", "PreSignUp invocation failed due to error TooManyRequestsException."),
			"The check of who may come in failed", "the log of the function admission"},
		{"cancelled-at-slack", slackButton, said("access_denied", ""), "The sign-in was cancelled", "choose Allow"},
		{"cancelled", signInButton, said("access_denied", "The user denied the request."), "The sign-in was cancelled", "on the sign-in page"},
		{"no-email", slackButton, said("invalid_request", "attributes required: [email]"), "Slack did not give your email address", "the scope email"},
		{"slack-secret", slackButton, said("invalid_request", "Exception processing authorization code: invalid_client"),
			"The user pool could not finish with Slack", "SlackClientSecret"},
		{"disabled", signInButton, said("invalid_request", "User is disabled."), "Your account is disabled", "can enable it again"},
		{"client", signInButton, said("unauthorized_client", ""), "The user pool does not let this page sign in", "Deploying the template again"},
		{"server", signInButton, said("server_error", ""), "a problem of its own", "in a few minutes"},
		{"other-error", signInButton, said("invalid_request", "Something <b>new</b>"), "The sign-in page refused", "invalid_request: Something <b>new</b>"},
	} {
		c.fail(ctx, f)
	}
	// A link of somebody else's is not followed, and what it says is not shown.
	do(ctx, t, "cognito-fails-foreign", chromedp.Navigate(c.address+"/?error=invalid_request&error_description=Call+this+number&state=x"),
		notice("This sign-in was not begun here", "somebody else"))
	if text := evaluate(ctx, t, `Promise.resolve(document.body.innerText)`); strings.Contains(text, "Call this number") {
		t.Error("the page shows what a link says")
	}
	// vizpost itself does not answer.
	c.silent.Store(true)
	do(ctx, t, "cognito-fails-silent", chromedp.Navigate(c.address+"/#/settings"), chromedp.Reload(), notice("vizpost does not answer", "online"))
	c.silent.Store(false)
	c.pool.does(admin)
	do(ctx, t, "cognito-answers", chromedp.Click(`//button[contains(., "Try again")]`), chromedp.WaitVisible(slackButton))
	do(ctx, t, "cognito-succeeds", chromedp.Click(slackButton), chromedp.WaitVisible(signedIn))
	// Nor does it end a sign-in.
	do(ctx, t, "cognito-link", chromedp.Navigate(c.address+"/?code=x&state=x"), chromedp.WaitVisible(signedIn))
}

func TestNoTokenForTheCode(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito", "slack")
	ctx := c.open(1000, 800)
	exchange := func(code, description string) behaviour {
		return with(func(b *behaviour) {
			b.refuseToken = object{"error": code}
			if description != "" {
				b.refuseToken["error_description"] = description
			}
		})
	}
	for _, f := range []failure{
		{"other-team-at-the-exchange", slackButton, exchange("invalid_grant", "PreTokenGeneration failed with error This Slack workspace may not sign in here [other_slack_team]."),
			"This Slack workspace may not sign in here", "ask an administrator for an account"},
		{"too-late", signInButton, exchange("invalid_grant", ""), "The sign-in took too long", "works once"},
		{"unknown-client", signInButton, exchange("invalid_client", ""), "The user pool does not know this page", "Deploying the template again"},
		{"no-token", signInButton, exchange("invalid_request", "Something new"), "The user pool gave no token", "invalid_request: Something new"},
		{"no-answer", signInButton, with(func(b *behaviour) { b.down = true }), "The sign-in service does not answer", strings.TrimPrefix(c.pool.URL, "https://")},
		{"clock", signInButton, with(func(b *behaviour) { b.shift = -2 * time.Hour }), "The clocks do not agree", "to be set automatically"},
		{"other-nonce", signInButton, with(func(b *behaviour) { b.otherNonce = true }), "not meant for this sign-in", "was not used"},
		{"other-state", signInButton, with(func(b *behaviour) { b.otherState = true }), "This sign-in was not begun here", "was not used"},
		{"other-pool", signInButton, with(func(b *behaviour) { b.otherAPI = true }), "vizpost did not accept the sign-in", "another user pool"},
	} {
		c.fail(ctx, f)
	}
}

// Who is in no group is told who they are, and gets on once they are in one.
func TestSignInWithoutRole(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito", "slack")
	ctx := c.open(1000, 800)
	c.pool.does(behaviour{user: "mia@example.com", groups: []string{"eu-central-1_Example_Slack"}})
	do(ctx, t, "cognito-no-role", chromedp.Navigate(c.address+"/#/reports"), chromedp.Click(slackButton),
		notice("mia@example.com has no access yet", "into one, then check again"))
	do(ctx, t, "cognito-no-role-still", chromedp.Click(`//button[contains(., "Check again")]`),
		notice("mia@example.com has no access yet", "into one, then check again"))
	c.pool.does(behaviour{user: "mia@example.com", groups: []string{"eu-central-1_Example_Slack", "viewer"}})
	do(ctx, t, "cognito-role", chromedp.Click(`//button[contains(., "Check again")]`), chromedp.WaitVisible(`//h1[contains(., "Reports")]`))

	c.pool.does(behaviour{user: "rui@example.com"})
	do(ctx, t, "cognito-no-role-other", chromedp.Click(signedIn), chromedp.Click(signInButton), notice("rui@example.com has no access yet", "Ask an administrator"),
		chromedp.Click(`//button[contains(., "somebody else")]`), chromedp.WaitVisible(slackButton))
	if log := c.pool.asked(); log[len(log)-1] != "logout" {
		t.Errorf("the user pool was asked %q, want a sign-out at the end", log)
	}
}

// A clock that is hours ahead keeps nobody out.
func TestSignInWithAWrongClock(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito")
	c.pool.clock = -3 * time.Hour
	ctx := c.open(1000, 800)
	do(ctx, t, "cognito-clock", chromedp.Navigate(c.address+"/"), chromedp.Click(signInButton), chromedp.WaitVisible(signedIn))
}

// In light and dark, on a desktop and on a phone.
func TestAccessibleSignIn(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito", "slack")
	checker := checkerIn(c.open(1280, 860), t)
	c.pool.does(behaviour{refuse: url.Values{"error": {"invalid_request"}, "error_description": {"PreSignUp failed with error [other_slack_team]."}}})
	checker.check("cognito-looks", chromedp.Navigate(c.address+"/"), chromedp.WaitVisible(slackButton))
	checker.check("cognito-looks-failed", chromedp.Click(slackButton), notice("This Slack workspace may not sign in here", "Slack"))
	c.pool.does(behaviour{user: "mia@example.com"})
	checker.check("cognito-looks-no-role", chromedp.Click(slackButton), notice("mia@example.com has no access yet", "Ask an administrator"))
}
