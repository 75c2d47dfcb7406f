package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// enters signs somebody in who is in the groups.
func (c *cloud) enters(ctx context.Context, name, user string, groups ...string) {
	c.t.Helper()
	c.pool.does(behaviour{user: user, groups: groups})
	do(ctx, c.t, name, chromedp.Navigate(c.address+"/#/"), chromedp.Click(signInButton), chromedp.WaitVisible(signedIn))
}

// leaves signs out again.
func (c *cloud) leaves(ctx context.Context, name string) {
	c.t.Helper()
	do(ctx, c.t, name, chromedp.Click(signedIn), chromedp.WaitVisible(signInButton))
}

// made makes something by the API as who is signed in, and gives its id.
func (c *cloud) made(ctx context.Context, path string, body object) string {
	c.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	got := evaluate(ctx, c.t, `import("/api.js").then((api) => api.post(`+quote(c.t, path)+`, `+string(b)+`)).then((made) => made.id, (problem) => "no: " + problem.message)`)
	if strings.HasPrefix(got, "no: ") {
		c.t.Fatalf("POST %s: %s", path, got)
	}
	return got
}

// offered names the buttons of the page's content, in order.
const offered = `[...document.querySelectorAll("main button, main a.button")].filter((e) => e.checkVisibility()).map((e) => e.ariaLabel || e.textContent.trim())`

// offers waits until the page has learnt who looks at it, and offers what is
// wanted and nothing else.
func offers(want []string) action {
	list, _ := json.Marshal(append([]string{}, want...))
	return chromedp.Steps(settles(`performance.getEntriesByType("resource").some((e) => e.name.endsWith("/v1/me")) && !document.querySelector(".loading")`),
		settles(`JSON.stringify(`+offered+`) === `+"`"+string(list)+"`"))
}

// TestSlackRoleIsNoticed: where members of the Slack workspace are viewers by a
// default of before, administrators are told until they say that it is meant.
func TestSlackRoleIsNoticed(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "cognito", "slack")
	ctx := c.open(1280, 860)
	noExceptions(ctx, t)
	const title = "Everybody in your Slack workspace can read all reports"
	gone := settles(`!document.body.innerText.includes("` + title + `")`)
	in := func(name, user, group string) {
		c.pool.does(behaviour{user: user, groups: []string{group}})
		do(ctx, t, name, chromedp.Navigate(c.address+"/#/settings"), press("Sign in with email and password"), chromedp.WaitVisible(`//h1[. = "Settings"]`), says("This installation"))
	}
	in("slack-role-01-editor", "edi@example.com", "editor")
	do(ctx, t, "slack-role-02-not-theirs", gone, says("Members of the workspace in no group are viewers"), chromedp.Click(signedIn), chromedp.WaitVisible(slackButton))
	in("slack-role-03-admin", "ana@example.com", "admin")
	do(ctx, t, "slack-role-04-told", says(title), press("Start"), says(title), press("Keep it so"), gone)
	do(ctx, t, "slack-role-05-kept", press("Settings"), says("This installation"), gone, chromedp.Reload(), says("This installation"), gone)
}

// TestRoles: what viewers and editors may not do is not offered to them, what
// they find empty says who has to do it, and what was taken from them meanwhile
// is refused in plain words.
func TestRoles(t *testing.T) {
	t.Parallel()
	tableau := start(t, nil, "password", "tableau", "--addr", "127.0.0.1:0").facts
	c := newCloud(t, "cognito")
	look := checkerIn(c.open(1280, 860), t)
	ctx := look.ctx
	noExceptions(ctx, t)
	anew := settles(`(performance.clearResourceTimings(), true)`)
	sees := func(name, path, heading, words string, want ...string) {
		t.Helper()
		do(ctx, t, name, anew, at(path), chromedp.WaitVisible(`//h1[. = `+quoted(heading)+`]`), says(words), offers(want))
	}

	// Nothing is there yet.
	c.enters(ctx, "roles-01-viewer", "vera@example.com", "viewer")
	sees("roles-03-viewer-reports", "/reports", "Reports", "An administrator has to make it.")
	sees("roles-02-viewer-start", "/", "Start", "An administrator has to do this.")
	sees("roles-04-viewer-settings", "/settings", "Settings", "There is no connection yet. An administrator has to make it.")
	c.leaves(ctx, "roles-05-viewer-out")

	c.enters(ctx, "roles-06-admin", "ana@example.com", "admin")
	connection := c.made(ctx, "/v1/connections", object{"name": "Sales", "server_url": tableau["url"], "site": tableau["site"],
		"auth": object{"method": "personal_access_token", "token_name": tableau["token name"], "token_secret": tableau["token secret"]}})
	report := c.made(ctx, "/v1/reports", object{"name": "Morning numbers", "connection_id": connection,
		"content":      []object{{"view": "Superstore/sheets/Overview", "format": "pdf"}},
		"schedule":     object{"cron": fmt.Sprintf("0 %d * * MON-FRI", (time.Now().UTC().Hour()+12)%24), "time_zone": "UTC"},
		"destinations": []object{{"type": "email", "to": []string{"ana@example.com"}}}})
	c.made(ctx, "/v1/destinations", object{"name": "#sales", "type": "slack", "url": "https://hooks.slack.com/services/T0/B0/x"})
	c.leaves(ctx, "roles-07-admin-out")

	c.enters(ctx, "roles-10-viewer", "vera@example.com", "viewer")
	sees("roles-12-viewer-settings", "/settings", "Settings", "with the token vizpost")
	sees("roles-11-viewer-start", "/", "Start", "See it delivered")
	sees("roles-13-viewer-connection", "/settings/connections/"+connection, "Sales", "History")
	sees("roles-14-viewer-reports", "/reports", "Reports", "Morning numbers")
	sees("roles-15-viewer-report", "/reports/"+report, "Morning numbers", "Its runs are listed here.")
	sees("roles-16-viewer-form", "/reports/new", "New report", "Only editors can make reports", "Go back")
	look.check("roles-16-viewer-form")
	sees("roles-17-viewer-edit", "/reports/"+report+"?edit", "Edit Morning numbers", "You have the role viewer.", "Go back")
	c.leaves(ctx, "roles-18-viewer-out")

	c.enters(ctx, "roles-20-editor", "edi@example.com", "editor")
	sees("roles-22-editor-settings", "/settings", "Settings", "with the token vizpost", "Add Slack channel", "Send a test message to #sales", "Edit #sales", "Delete #sales")
	sees("roles-21-editor-start", "/", "Start", "See it delivered", "Send it now")
	sees("roles-23-editor-connection", "/settings/connections/"+connection, "Sales", "History")
	sees("roles-24-editor-report", "/reports/"+report, "Morning numbers", "It has not run yet", "Pause", "Edit", "Send to me now", "Send now", "Send to me now", "Delete")
	sees("roles-25-editor-reports", "/reports", "Reports", "Morning numbers", "New report", "Send now: Morning numbers", "Pause Morning numbers")

	// The role is taken away while the page is open: the user pool's next token
	// says so, and the API refuses.
	c.pool.does(behaviour{user: "edi@example.com", groups: []string{"viewer"}})
	evaluate(ctx, t, `import("/signin.js").then((signIn) => signIn.renew()).then(String)`)
	do(ctx, t, "roles-30-taken-away", chromedp.Click(named("Send now: Morning numbers")), sendToAll(), chromedp.WaitVisible(`//dialog//*[@role="alert"][contains(., "This needs the role editor; you have the role viewer. Ask an administrator.")]`))
	look.check("roles-30-taken-away")
	do(ctx, t, "roles-31-reload", chromedp.Reload(), says("Morning numbers"), offers(nil))
}
