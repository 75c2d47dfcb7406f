package e2e_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// spoil has the API no longer take the operator's token that the tab has.
func spoil() action {
	return settles(`(sessionStorage.setItem("vizpost.token", "of-another-installation"), true)`)
}

// visited are the addresses in the tab's history.
func visited(ctx context.Context, t *testing.T) string {
	t.Helper()
	var all []string
	do(ctx, t, "session-history", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		history, err := cdp.Call(ctx, target, page.GetNavigationHistory, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, entry := range history.Entries {
			all = append(all, entry.URL)
		}
		return nil
	}))
	return strings.Join(all, "\n")
}

// TestTokenAddressInAnOpenTab: the address that vizpost prints signs in where
// the page is open already, signed in or not, and its token stays neither in the
// address bar nor in the history.
func TestTokenAddressInAnOpenTab(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	s.connect()
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	paste := func(token string) action {
		return settles(`(location.assign("/#token=` + token + `"), true)`)
	}
	clean := settles(`!location.href.includes("token=")`)

	do(ctx, t, "paste-01-signed-out", chromedp.Navigate(s.address), says("Sign in to vizpost"), paste(token), chromedp.WaitVisible(`//h1[. = "Start"]`), clean)

	// Signed in: one stays where one is, with what was typed there.
	do(ctx, t, "paste-02-typed", press("Settings"), press("Edit Sales"), fill("Name", "Sales EU"), spoil(), paste(token),
		settles(`sessionStorage.getItem("vizpost.token") === "`+token+`" && location.hash === "#/settings"`), clean,
		press("Save"), says("Sales EU is saved."), says("Sales EU"))

	// A token that is wrong changes nothing and says so, and helps nobody in.
	do(ctx, t, "paste-03-wrong", paste("a-token-of-another-machine"), says("is not valid. You are still signed in as before."), clean,
		settles(`sessionStorage.getItem("vizpost.token") === "`+token+`" && document.querySelector("h1").textContent === "Settings"`))
	do(ctx, t, "paste-04-signed-out", press("Sign out"), says("Sign in to vizpost"), paste("a-token-of-another-machine"), says("The token is not the right one."), clean)
	do(ctx, t, "paste-05-right", paste(token), chromedp.WaitVisible(`//h1[. = "Start"] | //h1[. = "Settings"]`), clean)
	if got := visited(ctx, t); strings.Contains(got, "token=") {
		t.Errorf("the history has an address with a token:\n%s", got)
	}
}

// TestTokenAddressOnAWS: where people sign in at the user pool, an address with
// a token changes nothing: its token would make one work as somebody else.
func TestTokenAddressOnAWS(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito")
	ctx := c.open(1280, 860)
	noExceptions(ctx, t)
	unused := settles(`!location.href.includes("token=") && !sessionStorage.getItem("vizpost.token")`)
	do(ctx, t, "paste-11-fresh", chromedp.Navigate(c.address+"/#token=of-an-attacker"), chromedp.WaitVisible(signInButton), unused)
	do(ctx, t, "paste-12-open", settles(`(location.assign("/#token=of-an-attacker"), true)`), unused, chromedp.WaitVisible(signInButton))
	if n := c.calls.Load(); n != 0 {
		t.Errorf("%d calls of the API with the token of somebody else", n)
	}
	do(ctx, t, "paste-13-signed-in", chromedp.Click(signInButton), chromedp.WaitVisible(signedIn), settles(`(location.assign("/#token=of-an-attacker"), true)`), unused,
		press("Settings"), chromedp.WaitVisible(`//h1[. = "Settings"]`))
	// One that was left in the tab by an earlier version counts no more either.
	do(ctx, t, "paste-14-left", settles(`(sessionStorage.setItem("vizpost.token", "of-an-attacker"), true)`), chromedp.Reload(), chromedp.WaitVisible(`//h1[. = "Settings"]`), unused)
	if got := evaluate(ctx, t, `import("/api.js").then((api) => api.get("/v1/me")).then((me) => me.name, (problem) => problem.message)`); got != "ana@example.com" {
		t.Errorf("the page works as %q, want ana@example.com", got)
	}
	if got := visited(ctx, t); strings.Contains(got, "token=") {
		t.Errorf("the history has an address with a token:\n%s", got)
	}
}

const endedTyped = "Your sign-in ended. What you typed is kept"

// TestTypedIsKeptOverTheEndOfASignIn: what was typed in the form of a report and
// in the dialog of a connection is there again after one has signed in again,
// but for secrets.
func TestTypedIsKeptOverTheEndOfASignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	report := s.report(connection, "Morning numbers", "png")
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	back := func() action { return chromedp.Steps(fill("Token", token), press("Sign in")) }

	// A new report.
	do(ctx, t, "ended-01-new", inTheAfternoon(), chromedp.Navigate(s.serve.facts["vizpost"]), chromedp.WaitVisible(`//h1[. = "Start"]`), at("/reports/new"), chromedp.WaitVisible(labelled("Name")),
		write(labelled("Name"), "Evening numbers"), chromedp.SendKeys(labelled("To"), "ana@example.com,"), spoil(), press("Save report"), says(endedTyped))
	do(ctx, t, "ended-02-back", back(), says(endedTyped), says("ana@example.com"), settles(`location.hash === "#/reports/new"`))
	if got := ask(ctx, t, chromedp.Value(labelled("Name"))); got != "Evening numbers" {
		t.Errorf("the name is %q after signing in again, want what was typed", got)
	}
	do(ctx, t, "ended-03-left", at("/settings"), press("Leave"), chromedp.WaitVisible(`//h1[. = "Settings"]`), at("/reports/new"), chromedp.WaitVisible(labelled("Name")),
		settles(`document.querySelector("form input")?.value === ""`))

	// A report that others change while one is signed out: theirs is not undone.
	do(ctx, t, "ended-04-edit", at("/reports/"+report+"?edit"), chromedp.WaitVisible(`//h1[contains(., "Edit Morning numbers")]`), write(labelled("Name"), "Evening numbers"),
		spoil(), press("Save"), says(endedTyped))
	s.call(200, "PATCH", "/v1/reports/"+report, object{"name": "Noon numbers"})
	do(ctx, t, "ended-05-edit-back", back(), says(endedTyped), settles(`document.querySelector("form input")?.value === "Evening numbers"`),
		press("Save"), says("Somebody else changed this report"))

	// The dialog of a connection, with a secret in it.
	do(ctx, t, "ended-06-dialog", at("/settings"), press("Leave"), press("Edit Sales"), fill("Name", "Sales EU"), fill("Token name", "another"), fill("Token secret", "canary-secret"),
		spoil(), settles(`(document.querySelector("dialog .primary").click(), true)`), says(endedTyped))
	if got := evaluate(ctx, t, `JSON.stringify({...sessionStorage, ...localStorage})`); strings.Contains(got, "canary-secret") || !strings.Contains(got, "Sales EU") {
		t.Errorf("the tab keeps %s, want what was typed without the secret", got)
	}
	do(ctx, t, "ended-07-dialog-back", back(), says("Only the secret is not: enter it again."), settles(`document.querySelector("dialog[open] #c-token-name")?.value === "another"`),
		settles(`document.querySelector("#c-name")?.value === "Sales EU" && document.querySelector("#c-token-secret")?.value === ""`))
	do(ctx, t, "ended-08-saved", fill("Token name", s.tableau["token name"]), press("Save"), says("Sales EU is saved."))

	// Who signs out leaves nothing behind.
	do(ctx, t, "ended-09-out", press("Sign out"), says("Sign in to vizpost"), settles(`sessionStorage.length === 0`))
}

// TestTypedIsKeptAtTheUserPool: the same where signing in leaves the page; what
// one typed is given back to nobody else.
func TestTypedIsKeptAtTheUserPool(t *testing.T) {
	t.Parallel()
	tableau := start(t, nil, "password", "tableau", "--addr", "127.0.0.1:0").facts
	c := newCloud(t, "cognito")
	ctx := c.open(1280, 860)
	noExceptions(ctx, t)
	ends := settles(`(sessionStorage.setItem("vizpost.sign-in", JSON.stringify({...JSON.parse(sessionStorage.getItem("vizpost.sign-in")), access: "x.y.z"})), true)`)
	c.enters(ctx, "ended-11-in", "ana@example.com", "admin")
	c.made(ctx, "/v1/connections", object{"name": "Sales", "server_url": tableau["url"], "site": tableau["site"],
		"auth": object{"method": "personal_access_token", "token_name": tableau["token name"], "token_secret": tableau["token secret"]}})
	typed := func(name string) {
		t.Helper()
		do(ctx, t, name, at("/reports/new"), chromedp.WaitVisible(labelled("Name")), write(labelled("Name"), "Evening numbers"))
		c.pool.does(behaviour{noRefresh: true})
		do(ctx, t, name+"-ended", ends, press("Save report"), says(endedTyped))
	}
	typed("ended-12")
	c.pool.does(behaviour{user: "ana@example.com", groups: []string{"admin"}})
	do(ctx, t, "ended-13-back", chromedp.Click(signInButton), says(endedTyped), settles(`document.querySelector("form input")?.value === "Evening numbers"`))
	typed("ended-14")
	c.pool.does(behaviour{user: "edi@example.com", groups: []string{"editor"}})
	do(ctx, t, "ended-15-another", chromedp.Click(signInButton), chromedp.WaitVisible(labelled("Name")), settles(`document.querySelector("form input")?.value === ""`))
}
