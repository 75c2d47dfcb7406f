package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// asks tells in the page whether closing its tab would be asked about.
const asks = `!dispatchEvent(new Event("beforeunload", { cancelable: true }))`

// TestNothingTypedIsLost: the browser's way back, a link and closing the tab
// ask before a dialog goes with what was typed in it.
func TestNothingTypedIsLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	s.connect()
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	back := settles(`(history.back(), true)`)
	kept := settles(`document.querySelector("#c-token-name")?.value === "another" && location.hash === "#/settings"`)

	do(ctx, t, "u1-untouched", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Edit Sales"), settles(`document.querySelector("dialog[open]")`))
	if ask(ctx, t, chromedp.Evaluate[bool](asks)) {
		t.Error("closing the tab is asked about though nothing was typed")
	}
	do(ctx, t, "u2-back", fill("Token name", "another"), back, says("Close and lose what you typed?"), kept)
	if !ask(ctx, t, chromedp.Evaluate[bool](asks)) {
		t.Error("closing the tab is not asked about")
	}
	do(ctx, t, "u3-keep", press("Keep editing"), settles(`!document.querySelector(".asking")`), kept)
	do(ctx, t, "u4-back-again", back, says("Close and lose what you typed?"), press("Discard"), chromedp.WaitVisible(`//h1[. = "Start"]`), settles(`!document.querySelector("dialog")`))

	// With nothing typed, the way back is free.
	do(ctx, t, "u5-free", press("Settings"), press("Edit Sales"), settles(`document.querySelector("dialog[open]")`), back, chromedp.WaitVisible(`//h1[. = "Start"]`))

	// A link in the dialog itself.
	do(ctx, t, "u6-link", press("Settings"), press("Add connection"), fill("Name", "Second"), fill("Server", s.tableau["url"]), fill("Site", s.tableau["site"]),
		fill("Token name", s.tableau["token name"]), fill("Token secret", s.tableau["token secret"]), press("Connect"), press("Open that connection"),
		says("Close and lose what you typed?"))
	do(ctx, t, "u7-followed", press("Discard"), chromedp.WaitVisible(`//h1[. = "Sales"]`), says("History"))
}

// TestOneQuestionForAll: of a dialog over a form, both with something to lose,
// it is asked once.
func TestOneQuestionForAll(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connect(), "Morning numbers", "png")
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	do(ctx, t, "q1-both", chromedp.Navigate(s.serve.facts["vizpost"]), says("See it delivered"), at("/reports/"+report+"?edit"), chromedp.WaitVisible(labelled("Name")),
		write(labelled("Name"), "Evening numbers"), chromedp.Click(button("Add Slack")), chromedp.WaitVisible(`//dialog`), chromedp.SendKeys(`//dialog//input[@type="text"]`, "#sales"))
	do(ctx, t, "q2-asked", settles(`(history.back(), true)`), says("Leave without saving?"))
	do(ctx, t, "q3-left", chromedp.Click(`//dialog//button[. = "Leave"]`), chromedp.WaitVisible(`//h1[. = "Start"]`), settles(`!document.querySelector("dialog")`))
}

// TestStopConnecting: who does not want to wait stops it. Nothing changed, and
// what was typed is still there to try again.
func TestStopConnecting(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	name, secret := s.newToken(s.tableau["user"], "vizpost anew")
	s.control("/-/faults", object{"kind": "hang", "route": "signin"})
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)

	waits := chromedp.WaitVisible(`//dialog//*[. = "Connecting…"]`)
	stopped := chromedp.Steps(press("Stop"), says("You stopped it before Tableau answered."), settles(`document.activeElement.classList.contains("notice")`))

	// First a request that never ends, so that what is seen meanwhile does not
	// depend on how long the API waits. The secret is as it is copied from a
	// terminal: broken over two lines.
	do(ctx, t, "v1-connecting", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Edit Sales"),
		settles(`(window.sent = 0, window.real = fetch, window.fetch = (path, asked) => asked?.method !== "PATCH" ? real(path, asked)
			: new Promise((_, refuse) => (window.sent++, asked.signal.addEventListener("abort", () => refuse(asked.signal.reason)))), true)`),
		fill("Token name", name), fill("Token secret", " "+secret[:12]+" "+secret[12:]+" "), chromedp.KeyEvent("\r"), waits, settles(`document.activeElement.textContent === "Connecting…"`))
	c.check("v1-connecting")
	// Escape and the way back wait too; a second Enter sends nothing.
	do(ctx, t, "v2-still", chromedp.KeyEvent("\r"), chromedp.KeyEvent("\x1b"), settles(`(addEventListener("vizpost:leaving", () => { window.left = true; }), history.back(), true)`),
		settles(`window.left && location.hash === "#/settings"`), waits)
	do(ctx, t, "v3-stopped", stopped, settles(`document.querySelector("#c-token-name")?.value === "`+name+`" && document.querySelector("#c-token-secret").value !== ""`))
	if sent := ask(ctx, t, chromedp.Evaluate[int](`window.sent`)); sent != 1 {
		t.Errorf("%d requests were sent, want 1", sent)
	}

	// Then one that Tableau does not answer. It is stopped once it is there.
	do(ctx, t, "v4-stopped", settles(`(window.fetch = real, true)`), press("Connect"), waits, s.faultsMet(), stopped)
	if got := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil); got["version"] != 1.0 || got.text("state") != "connected" {
		t.Errorf("the connection changed: version %v, state %v", got["version"], got["state"])
	}
	// Tableau may still be at it, so that very token has to wait; another does not.
	name, secret = s.newToken(s.tableau["user"], "vizpost once more")
	do(ctx, t, "v5-again", fill("Token name", name), fill("Token secret", secret), press("Connect"), says("Connected as ana@example.com"))
}

// TestTwoTabs: what somebody else changed meanwhile is shown beside what was
// typed, and only a second press puts that over it.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	name, secret := s.newToken(s.tableau["user"], "vizpost anew")
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	do(ctx, t, "w1-typed", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Edit Sales"), fill("Send alerts to", "me@example.com"),
		fill("Token name", name), fill("Token secret", secret))
	s.call(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"name": "Sales EU", "notify": []string{"zoe@example.com"}})
	do(ctx, t, "w2-stale", press("Connect"), says("Somebody changed this connection in between"), seen("Name is now Sales EU"), seen("Send alerts to is now zoe@example.com"),
		settles(`document.querySelector("#c-name")?.value === "Sales EU" && document.querySelector("#c-notify")?.value === "me@example.com" && document.querySelector("#c-token-secret").value !== ""`))
	c.check("w2-stale")
	if got := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil); got["version"] != 2.0 {
		t.Errorf("the connection has version %v: it was overwritten at once", got["version"])
	}
	do(ctx, t, "w3-over-theirs", press("Connect"), says("Connected as ana@example.com"))
	got := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	auth, _ := got["auth"].(map[string]any)
	if notify, _ := got["notify"].([]any); got.text("name") != "Sales EU" || len(notify) != 1 || notify[0] != "me@example.com" || auth["token_name"] != name {
		t.Errorf("the connection is %v, want theirs with what was typed over it", got)
	}
}

// TestNoAnswer: while vizpost does not answer, the dialog says so and keeps what
// was typed; when the sign-in has ended meanwhile, the page asks for it.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	s.connect()
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	fails := func(answer string) action {
		return settles(`(window.real ||= fetch, window.fetch = (path, asked) => asked?.method === "PATCH" ? ` + answer + ` : real(path, asked), true)`)
	}
	do(ctx, t, "z1-down", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Edit Sales"), fill("Name", "Sales EU"),
		fails(`Promise.reject(new TypeError("Failed to fetch"))`), press("Save"), says("Check that it is still running and that you are online"))
	do(ctx, t, "z2-proxy", fails(`Promise.resolve(new Response("<h1>Bad Gateway</h1>", { status: 502 }))`), press("Save"), says("vizpost does not answer. What you asked for may have been done"))
	if typed := ask(ctx, t, chromedp.Value(chromedp.CSS(`#c-name`))); typed != "Sales EU" {
		t.Errorf("the name is %q after that, want what was typed", typed)
	}
	do(ctx, t, "z3-ended", fails(`real(path, asked)`), settles(`(sessionStorage.setItem("vizpost.token", "of-another-installation"), document.querySelector("dialog .primary").click(), true)`),
		says("Sign in to vizpost"), says("Your sign-in ended. What you typed is kept"))
	do(ctx, t, "z4-back-in", fill("Token", token), press("Sign in"), settles(`document.querySelector("dialog[open] #c-name")?.value === "Sales EU"`))
	if title := ask(ctx, t, chromedp.Title()); !strings.HasPrefix(title, "Settings") {
		t.Errorf("after signing in again the page is %q, want the one of before", title)
	}
}

// TestChangedInBetween: what is refused since somebody else was faster works
// when it is pressed again, without waiting for the page to read anew.
func TestChangedInBetween(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connect(), "Morning numbers", "png")
	slack := s.call(http.StatusCreated, "POST", "/v1/destinations", object{"name": "#sales", "type": "slack", "url": "https://hooks.slack.com/services/T0/B0/x"}).text("id")
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	// The page does not read by itself any more, as between two readings.
	still := settles(`(window.setTimeout = ((real) => (act, wait, ...rest) => real(act, wait > 5000 ? 1e9 : wait, ...rest))(setTimeout), true)`)

	do(ctx, t, "i1-slack", chromedp.Navigate(s.serve.facts["vizpost"]), says("See it delivered"), still, press("Settings"), press("Edit #sales"), fill("Name", "#mine"))
	s.call(http.StatusOK, "PATCH", "/v1/destinations/"+slack, object{"name": "#theirs"})
	do(ctx, t, "i2-refused", press("Save"), says("save again to have it over theirs"))
	do(ctx, t, "i3-again", press("Save"), says("#mine is saved."), settles(`!document.querySelector("dialog")`))

	// Of what was not typed here, theirs stays.
	do(ctx, t, "i3-address", press("Edit #mine"), fill("Webhook address", "https://hooks.slack.com/services/T0/B0/y"))
	s.call(http.StatusOK, "PATCH", "/v1/destinations/"+slack, object{"name": "#renamed"})
	do(ctx, t, "i3-kept", press("Save and test"), says("save again to have it over theirs"), settles(`document.querySelector("#d-name")?.value === "#renamed"`),
		press("Save and test"), says("#renamed is saved."), settles(`!document.querySelector("dialog")`))

	do(ctx, t, "i4-list", press("Reports"), chromedp.WaitVisible(named("Pause Morning numbers")))
	s.call(http.StatusOK, "PATCH", "/v1/reports/"+report, object{"notify": []string{"ops@example.com"}})
	do(ctx, t, "i5-refused", press("Pause Morning numbers"), chromedp.WaitVisible(`//li//*[@role="alert"]`))
	do(ctx, t, "i6-again", press("Pause Morning numbers"), chromedp.WaitVisible(named("Resume Morning numbers")))
}

// TestChannelMadeInTheForm: a Slack channel that is added from a report's form
// is chosen there, also when the list of channels cannot be read anew.
func TestChannelMadeInTheForm(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	s.connect()
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	do(ctx, t, "l1-added", chromedp.Navigate(s.serve.facts["vizpost"]), says("Make a report"), at("/reports/new"), chromedp.Click(button("Add Slack")), chromedp.WaitVisible(`//dialog`),
		settles(`(window.real = fetch, window.fetch = (path, asked) => asked?.method === "GET" && String(path).startsWith("/v1/destinations") ? Promise.reject(new TypeError("Failed to fetch")) : real(path, asked), true)`),
		fill("Name", "#sales"), fill("Webhook address", "https://hooks.slack.com/services/T0/B0/x"), press("Add and test"),
		settles(`!document.querySelector("dialog") && [...document.querySelectorAll("select option:checked")].some((o) => o.textContent.startsWith("#sales"))`))
}
