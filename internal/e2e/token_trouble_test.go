package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// signIn signs in to the stand-in as another program does, which ends the
// token's session before.
func (s *site) signIn(name, secret string) {
	s.t.Helper()
	b, err := json.Marshal(object{"credentials": object{"personalAccessTokenName": name, "personalAccessTokenSecret": secret, "site": object{"contentUrl": s.tableau["site"]}}})
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.tableau["url"]+"/api/3.29/auth/signin", bytes.NewReader(b))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("signing in: status %d", resp.StatusCode)
	}
}

// TestTokenUsedElsewhere: a connection whose session others keep ending works
// between times. Everywhere it is said that this is so, and that a token of its
// own mends it.
func TestTokenUsedElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	report := s.report(connection, "Morning numbers", "png")
	for range 2 {
		s.signIn(s.tableau["token name"], s.tableau["token secret"])
		s.call(http.StatusOK, "POST", "/v1/connections/"+connection+"/test", object{})
	}
	s.signIn(s.tableau["token name"], s.tableau["token secret"])
	s.call(http.StatusTooManyRequests, "POST", "/v1/connections/"+connection+"/test", object{})
	name, secret := s.newToken(s.tableau["user"], "vizpost only")
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)

	do(ctx, t, "n1-start", chromedp.Navigate(s.serve.facts["vizpost"]), says("your attention"), says("something else signs in with it"), says("Give vizpost a token of its own."),
		chromedp.WaitVisible(named("Enter a new token")))
	do(ctx, t, "n2-settings", press("Settings"), says("Token used elsewhere"), says("Its runs come late"))
	c.check("n2-settings")
	do(ctx, t, "n3-report", at("/reports/"+report), says("something else signs in with it"), says("Its runs come late"), press("Fix the connection"), says("History"))
	// The test says it once, and leads on.
	do(ctx, t, "n4-test", press("Test"), says("Another program, or another vizpost, uses the same token."))
	c.check("n4-test")
	if told := ask(ctx, t, chromedp.Evaluate[int](`document.querySelector("dialog .notice").innerText.split("Give vizpost a token of its own").length - 1`)); told != 1 {
		t.Errorf("the dialog says %d times what to do, want once", told)
	}
	do(ctx, t, "n5-edit", press("Edit the connection"), settles(`document.activeElement.id === "c-token-name"`), says("Copy Secret"))
	do(ctx, t, "n6-mended", fill("Token name", name), fill("Token secret", secret), press("Connect"), says("Connected as ana@example.com"), press("Done"))
	do(ctx, t, "n7-start", settles(`!document.querySelector("dialog")`), press("Start"), settles(`!document.querySelector(".attention")`), says("See it delivered"))
}

// TestDayOfTheTokenBefore: the day that was entered for a token is no longer
// shown once another token is typed, and is not sent with it.
func TestDayOfTheTokenBefore(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	entered := time.Now().AddDate(0, 0, 40).Format(time.DateOnly)
	other := time.Now().AddDate(0, 0, 90).Format(time.DateOnly)
	connection := s.connectByPassword()
	// The stand-in tells when its tokens end, and that goes first. This connection
	// is shown as one of a server that does not.
	name, secret := s.newToken(s.tableau["user"], "first")
	s.call(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"auth": object{"method": "personal_access_token", "token_name": name, "token_secret": secret}})
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	const sent = `window.sent?.auth`
	day := chromedp.CSS(`#c-expires`)
	do(ctx, t, "o1-kept", chromedp.Navigate(s.serve.facts["vizpost"]), settles(`document.querySelector("h1")`),
		settles(`(window.real = fetch, window.fetch = async (path, asked) => {
			if (asked?.method === "PATCH") window.sent = JSON.parse(asked.body);
			const answer = await real(path, asked);
			if (!String(path).startsWith("/v1/connections?")) return answer;
			const list = await answer.json();
			for (const c of list.connections) Object.assign(c.token_life, { source: "entered", expires_at: "`+entered+`T00:00:00Z" });
			return Response.json(list);
		}, true)`),
		press("Settings"), press("Edit Sales"), chromedp.WaitVisible(day))
	if got := ask(ctx, t, chromedp.Value(day)); got != entered {
		t.Errorf("the day is %q, want the one that was entered, %s", got, entered)
	}
	name, secret = s.newToken(s.tableau["user"], "second")
	do(ctx, t, "o2-another-token", fill("Token name", name), fill("Token secret", secret), says("for the token before"))
	if got := ask(ctx, t, chromedp.Value(day)); got != "" {
		t.Errorf("the day is %q with another token, want none", got)
	}
	do(ctx, t, "o3-connected", press("Connect"), says("Connected as ana@example.com"), press("Done"))
	if got := ask(ctx, t, chromedp.Evaluate[string](sent+`.expires_on ?? "none"`)); got != "none" {
		t.Errorf("the day %s is sent with the new token", got)
	}
	// A day that is typed goes with it.
	name, secret = s.newToken(s.tableau["user"], "third")
	do(ctx, t, "o4-typed", settles(`!document.querySelector("dialog")`), press("Edit Sales"), fill("Token name", name), fill("Token secret", secret),
		settles(`((e) => (e.value = "`+other+`", e.dispatchEvent(new Event("input", { bubbles: true })), true))(document.querySelector("#c-expires"))`),
		settles(`document.querySelector("#c-expires")?.value === "`+other+`"`), press("Connect"), says("Connected as ana@example.com"))
	if got := ask(ctx, t, chromedp.Evaluate[string](sent+`.expires_on ?? "none"`)); got != other {
		t.Errorf("the day that is sent is %s, want %s", got, other)
	}
}
