package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// holdsARun has a report run into Tableau's refusal.
func (s *site) holdsARun(report string) {
	s.t.Helper()
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("a run is held", time.Minute, func(states map[string]int) bool { return states["held"] == 1 })
}

// TestMFAOfAPassword: after multi-factor authentication was enabled for an
// account whose password was used, the way leads to a token, and nothing else
// has to be found first.
func TestMFAOfAPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connectByPassword(), "Morning numbers", "png")
	s.control("/-/enable-mfa", object{})
	s.control("/-/clock", object{"advance": "5h"}) // the session ends
	s.holdsARun(report)
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)

	do(ctx, t, "mfa-01-start", chromedp.Navigate(s.serve.facts["vizpost"]), says("a password alone does not sign in then"), says("Equally likely:"))
	do(ctx, t, "mfa-02-token-tab", press("Enter a token"), settles(`document.querySelector("dialog[open] [role=tab][aria-selected=true]").textContent === "Personal Access Token"`), says("Discard"),
		says("turn it on first, then create the token"), settles(`document.querySelector("dialog .primary").textContent === "Connect"`))
	if got := focused(ctx, t); !strings.HasPrefix(got, "Token name") {
		t.Errorf("the focus is on %q, want Token name", got)
	}
	name, secret := s.newToken(s.tableau["user"], "vizpost only")
	do(ctx, t, "mfa-03-connected", fill("Token name", name), fill("Token secret", secret), press("Connect"), says("Connected as ana@example.com"), says("1 held run is released"))
	s.until("the held run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 && states["held"] == 0 })

	// Whoever enters the right password after all hears why it does not sign in.
	do(ctx, t, "mfa-04-password", press("Done"), press("Settings"), press("Edit Sales"), press("Username & Password"), fill("Username", s.tableau["user"]),
		fill("Password", s.tableau["password"]), press("Connect"), says("a password alone does not sign in then"))
}

// TestDeadTokenIsNotSaved: the dialog of a token that Tableau refuses asks for
// another one. What stands beside it can be saved, and says what it is.
func TestDeadTokenIsNotSaved(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	report := s.report(connection, "Morning numbers", "png")
	s.control("/-/revoke-tokens", object{})
	s.control("/-/clock", object{"advance": "5h"})
	s.holdsARun(report)
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)

	do(ctx, t, "dead-01-asked", chromedp.Navigate(s.serve.facts["vizpost"]), press("Enter a new token"), settles(`document.querySelector("dialog .primary").textContent === "Connect"`),
		says("Tableau refuses the one that is kept"), press("Connect"), says("Paste the secret that Tableau showed"))
	shown := ask(ctx, t, chromedp.Evaluate[string](`document.body.innerText`))
	for _, wrong := range []string{"Leave this empty to keep it", "in 6 months", "this token ends on", "is saved"} {
		if strings.Contains(shown, wrong) {
			t.Errorf("of a dead token it says %q:\n%s", wrong, shown)
		}
	}
	do(ctx, t, "dead-02-beside", fill("Name", "Sales EU"), press("Save without connecting"), says("Sales EU is saved."))
	if got := s.call(http.StatusOK, "GET", "/v1/connections/"+connection, nil); got.text("name") != "Sales EU" || got.text("state") != "needs_credentials" {
		t.Errorf("the connection is %v, want it renamed and still broken", got)
	}
	do(ctx, t, "dead-03-card", press("Settings"), says("Tableau no longer takes this token"))
	if shown := ask(ctx, t, chromedp.Evaluate[string](`document.body.innerText`)); strings.Contains(shown, "in 6 months") {
		t.Errorf("the card says when a dead token ends:\n%s", shown)
	}
	name, secret := s.newToken(s.tableau["user"], "vizpost again")
	do(ctx, t, "dead-04-new", press("Enter a new token"), fill("Token name", name), fill("Token secret", secret), press("Connect"), says("Connected as ana@example.com"))
}
