package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestSwitchToToken is what the page is for: a connection that signs in with a
// password, and has a report, gets a personal access token. The report goes on.
func TestSwitchToToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connectByPassword()
	s.report(connection, "Morning numbers", "png", "pdf")
	name, secret := s.newToken(s.tableau["user"], "vizpost only")
	ctx := browser(t, 1280, 860)

	do(ctx, t, "a1-find-it", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), says("Sales"), says("with a password"))
	do(ctx, t, "a2-edit", press("Edit Sales"), chromedp.WaitVisible(chromedp.CSS(`dialog[open]`)), says("Username & Password"))
	do(ctx, t, "a3-token-tab", press("Personal Access Token"), press("How to make a token in Tableau"), says("Discard"))
	do(ctx, t, "a4-filled", press("How to make a token in Tableau"), fill("Token name", name), fill("Token secret", secret))
	do(ctx, t, "a5-connected", press("Connect"), says("Connected as ana@example.com"), says("to site demo on"), says("Tableau 2026.2"),
		says("Its report works with this user"), says("Its view can be seen."))
	if got := focused(ctx, t); !strings.HasPrefix(got, "Connected as ana@example.com") {
		t.Errorf("the focus is on %q, want the success", got)
	}
	if kept := ask(ctx, t, chromedp.Evaluate[bool](`[document.documentElement.outerHTML, ...[...document.querySelectorAll("input")].map((i) => i.value)].some((text) => text.includes(`+quoted(secret)+`))`)); kept {
		t.Error("the secret is still in the page")
	}
	do(ctx, t, "a6-settings", press("Done"), says("with the token vizpost only"))
	auth, _ := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil)["auth"].(map[string]any)
	if auth["method"] != "personal_access_token" || auth["token_name"] != name {
		t.Errorf("the connection signs in with %v, want the token %q", auth, name)
	}

	do(ctx, t, "a7-run", press("Reports"), press("Morning numbers"), says("It has not run yet"), press("Send now"), sendToAll(), says("Delivered"), chromedp.WaitVisible(chromedp.CSS(`img.exported`)))
	if got := len(s.mails()); got != 1 {
		t.Errorf("%d mails in the outbox, want 1", got)
	}
	do(ctx, t, "a8-history", press("Settings"), press("Sales"), says("History"), says("Morning numbers"))
}

// TestWrongSecret: what is refused changes nothing, says so at the field, and
// keeps what was typed.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connectByPassword()
	name, secret := s.newToken(s.tableau["user"], "vizpost only")
	before := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	ctx := browser(t, 1280, 860)

	do(ctx, t, "b1-nothing-typed", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Edit Sales"),
		press("Personal Access Token"), press("Connect"), says("Give the token's name as Tableau shows it."))
	if got := focused(ctx, t); got != "Token name" {
		t.Errorf("the focus is on %q, want the token's name, which is missing", got)
	}
	do(ctx, t, "b2-wrong-secret", fill("Token name", name), fill("Token secret", "wrong:"+secret), press("Connect"),
		says("Tableau refuses the personal access token"), says("Likely causes"))
	do(ctx, t, "b2-wrong-secret-field", settles(`document.activeElement.id === "c-token-secret"`))
	invalid := ask(ctx, t, chromedp.Evaluate[bool](`(() => {
		const e = document.activeElement;
		return e.ariaInvalid === "true" && document.getElementById(e.getAttribute("aria-describedby").split(" ")[1] || e.getAttribute("aria-describedby").split(" ")[0]) !== null;
	})()`))
	if !invalid {
		t.Error("the secret's field is not marked wrong, with what is wrong")
	}
	if typed := ask(ctx, t, chromedp.Value(chromedp.CSS(`#c-token-name`))); typed != name {
		t.Errorf("the token's name is %q after the refusal, want what was typed", typed)
	}
	after := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	if before["version"] != after["version"] || after.text("state") != "connected" {
		t.Errorf("the connection changed: version %v, state %v", after["version"], after["state"])
	}
	// Escape does not lose what was typed without asking.
	do(ctx, t, "b3-escape-asks", chromedp.KeyEvent("\x1b"), says("Close and lose what you typed?"))
	do(ctx, t, "b4-keep-editing", press("Keep editing"), fill("Token secret", secret), press("Connect"), says("Connected as ana@example.com"))
}

// TestTokensDeleted: multi-factor authentication is enabled, which deletes all
// tokens. A run is held, the page says why, and a new token releases it.
func TestTokensDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connect(), "Morning numbers", "png")
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("a run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 })
	s.control("/-/enable-mfa", object{})
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("a run is held", time.Minute, func(states map[string]int) bool { return states["held"] == 1 })
	ctx := browser(t, 1280, 860)

	do(ctx, t, "c1-start", chromedp.Navigate(s.serve.facts["vizpost"]), says("your attention"), says("Multi-factor authentication was enabled"), says("1 run is held"))
	do(ctx, t, "c2-details", press("Details"), says("Held runs"), says("Morning numbers"))
	name, secret := s.newToken(s.tableau["user"], "vizpost again")
	do(ctx, t, "c3-new-token", press("Enter a new token"), fill("Token name", name), fill("Token secret", secret))
	do(ctx, t, "c4-connected", press("Connect"), says("Connected as ana@example.com"), says("1 held run is released"), says("Its view can be seen."))
	do(ctx, t, "c5-delivered", press("Done"), chromedp.WaitVisible(`//*[contains(@class, "history-runs")]//*[. = "Delivered"]`))
	s.until("the held run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 2 && states["held"] == 0 })
	do(ctx, t, "c6-start", press("Start"), says("All is well"))
}

// TestAnotherUsersToken: signing in as somebody else than before is said with
// its consequence, and done only when it is meant.
func TestAnotherUsersToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	s.report(connection, "Morning numbers", "png")
	name, secret := s.newToken("rui@example.com", "of rui")
	ctx := browser(t, 1280, 860)

	do(ctx, t, "d1-another-user", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Edit Sales"), fill("Token name", name), fill("Token secret", secret),
		press("Connect"), says("This is another user"), says("rui@example.com"), says("Nothing was changed."))
	if got, _ := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil)["identity"].(map[string]any); got["user_name"] != "ana@example.com" {
		t.Errorf("the connection signs in as %v before it was said that this is meant", got["user_name"])
	}
	// That is meant of this token alone: with another, it is asked anew.
	name, secret = s.newToken("rui@example.com", "another of rui")
	do(ctx, t, "d1-another-token", fill("Token name", name), chromedp.WaitNotPresent(named("Use this user anyway")), fill("Token secret", secret),
		press("Connect"), says("This is another user"))
	do(ctx, t, "d2-meant", press("Use this user anyway"), says("Connected as rui@example.com"))
	do(ctx, t, "d3-settings", press("Done"), says("rui@example.com"))

	// The token that ana's connection had is free now; rui's belongs to this one.
	do(ctx, t, "d4-in-use", press("Add connection"), fill("Name", "Second"), fill("Server", s.tableau["url"]), fill("Site", s.tableau["site"]),
		fill("Token name", name), fill("Token secret", secret), press("Connect"), says("Another connection has this token"), says("Open that connection"))
}

// TestDeleteConnection: the reports that would break are named, and keep the
// connection.
func TestDeleteConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	report := s.report(connection, "Morning numbers", "png")
	ctx := browser(t, 1280, 860)

	do(ctx, t, "e1-in-use", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Sales"), press("Delete this connection"),
		says("1 report uses this connection"), chromedp.WaitVisible(`//dialog//li[. = "Morning numbers"]`))
	s.call(http.StatusNoContent, "DELETE", "/v1/reports/"+report, nil)
	do(ctx, t, "e2-free", press("Close"), chromedp.Reload(), press("Delete this connection"), says("No report uses it."))
	do(ctx, t, "e3-gone", press("Delete"), says("Connect vizpost to Tableau"))
	if list, _ := s.call(http.StatusOK, "GET", "/v1/connections", nil)["connections"].([]any); len(list) != 0 {
		t.Errorf("%d connections are left, want none", len(list))
	}
}
