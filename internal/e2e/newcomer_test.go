package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestNewcomer goes the way from the empty page to a delivered report, as Start
// leads it: connect, make a report, see it delivered.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)

	do(ctx, t, "f1-empty", inTheAfternoon(), chromedp.Navigate(s.serve.facts["vizpost"]), says("Three steps to the first delivered report."))
	do(ctx, t, "f2-connect", press("Connect"), fill("Name", "Sales"), fill("Server", s.tableau["url"]+"/#/site/"+s.tableau["site"]+"/home"),
		fill("Token name", s.tableau["token name"]), fill("Token secret", s.tableau["token secret"]))
	if got := ask(ctx, t, chromedp.Value(field("Site"))); got != s.tableau["site"] {
		t.Errorf("the site is %q after the address was pasted, want %q", got, s.tableau["site"])
	}
	do(ctx, t, "f3-connected", press("Connect"), says("Connected as ana@example.com"))
	do(ctx, t, "f4-second-step", press("Done"), says("Connected as ana@example.com."), chromedp.WaitVisible(`//li[@aria-current="step"]//h2[. = "Make a report"]`))
	do(ctx, t, "f5-form", press("Make a report"), chromedp.WaitVisible(button("Choose views")), chromedp.SendKeys(labelled("Name"), "Morning numbers"))
	do(ctx, t, "f6-picker", chromedp.Click(button("Choose views")), chromedp.WaitVisible(chromedp.CSS(`.tile img`)),
		chromedp.KeyEvent("overview"), chromedp.WaitNotPresent(`//*[@role="option" and contains(., "Monthly Sales")]`),
		chromedp.WaitVisible(`//*[@role="option" and contains(., "Overview")]`), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(" "), seen("1 view chosen"))
	do(ctx, t, "f7-filled", chromedp.Click(button("Add view")), chromedp.WaitVisible(`//article[@aria-label="Overview"]`), chromedp.SendKeys(labelled("To"), "ana@example.com,,"),
		chromedp.WaitVisible(named("Remove ana@example.com")), settles(`document.activeElement.value === ""`))
	do(ctx, t, "f8-saved", chromedp.Click(button("Save report")), seen("It has not run yet"))
	do(ctx, t, "f9-third-step", press("Start"), chromedp.WaitVisible(`//li[@aria-current="step"]//h2[. = "See it delivered"]`))
	do(ctx, t, "f10-delivered", press("Send it now"), sendToAll(), chromedp.WaitVisible(`//header//*[contains(@class, "state") and contains(., "Delivered")]`))
	s.until("the run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 })
	do(ctx, t, "f11-start", press("Start"), says("All is well: 1 run delivered today."), chromedp.WaitNotPresent(chromedp.CSS(`.first-steps`)))
	if got := len(s.mails()); got != 1 {
		t.Errorf("%d mails in the outbox, want 1", got)
	}
}

// TestSettingsOfSlack keeps a webhook under a name, and never shows its address
// again.
func TestSettingsOfSlack(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	ctx := browser(t, 1280, 860)
	do(ctx, t, "g1-wrong-address", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Add Slack channel"),
		fill("Name", "#sales"), fill("Webhook address", "http://slack.example.com/x"), press("Add and test"), settles(`document.activeElement.id === "d-url" && document.activeElement.ariaInvalid === "true"`))
	do(ctx, t, "g2-added", fill("Webhook address", "https://hooks.slack.com/services/T0/B0/canary"), press("Add and test"), says("#sales is added. The test failed:"), says("Not tested yet"))
	do(ctx, t, "g3-edit", press("Edit #sales"), fill("Name", "#sales-emea"))
	if value := ask(ctx, t, chromedp.Value(field("Webhook address"))); value != "" {
		t.Errorf("the address comes back as %q", value)
	}
	do(ctx, t, "g4-renamed", press("Save"), says("#sales-emea"))
	do(ctx, t, "g5-deleted", press("Delete #sales-emea"), press("Delete"), says("No Slack channel yet"))
	if list, _ := s.call(http.StatusOK, "GET", "/v1/destinations", nil)["destinations"].([]any); len(list) != 0 {
		t.Errorf("%d destinations are left, want none", len(list))
	}
}
