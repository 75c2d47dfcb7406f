package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// The checker, as make e2e installs it. It is put into the page by the
// browser's debugger, which the page's policy does not bind.
const axe = "../../build/axe/node_modules/axe-core/axe.min.js"

// violations runs the checker on what the page shows.
const violations = `axe.run(document, {resultTypes: ["violations"], iframes: false}).then((r) =>
	r.violations.map((v) => v.id + ": " + v.help + "\n" + v.nodes.map((n) => "    " + n.target.join(" ") + "\n      " + n.failureSummary.replaceAll("\n", " ")).join("\n")).join("\n"))`

// checker looks at each state of the page in light and dark, on a desktop and on
// a phone, and keeps a picture of each.
type checker struct {
	t      *testing.T
	ctx    context.Context
	source string
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	return checkerIn(browser(t, 1280, 860), t)
}

// checkerIn looks at what an open tab shows.
func checkerIn(ctx context.Context, t *testing.T) *checker {
	t.Helper()
	source, err := os.ReadFile(axe)
	if err != nil {
		t.Fatalf("there is no accessibility checker: run these tests by make e2e, which installs it (%v)", err)
	}
	return &checker{t: t, ctx: ctx, source: string(source)}
}

func (c *checker) check(name string, actions ...action) {
	c.t.Helper()
	do(c.ctx, c.t, name, append([]action{look(false, false)}, actions...)...)
	for _, dark := range []bool{false, true} {
		for _, phone := range []bool{false, true} {
			which := name + "-light"
			if dark {
				which = name + "-dark"
			}
			if phone {
				which += "-phone"
			}
			do(c.ctx, c.t, which, look(dark, phone), still(dark), chromedp.Sleep(100*time.Millisecond))
			if !ask(c.ctx, c.t, chromedp.Evaluate[bool](`"axe" in window`)) {
				ask(c.ctx, c.t, chromedp.Evaluate[bool](c.source+`; "axe" in window`))
			}
			if found := ask(c.ctx, c.t, chromedp.Evaluate[string](violations, chromedp.EvalAwaitPromise)); found != "" {
				c.t.Errorf("%s:\n%s", which, found)
			}
			if over := ask(c.ctx, c.t, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); over > 0 {
				c.t.Errorf("%s: the page is %d pixels wider than what is seen", which, over)
			}
			if over := ask(c.ctx, c.t, chromedp.Evaluate[int](`Math.ceil((document.querySelector("dialog[open]")?.getBoundingClientRect().right ?? 0) - document.body.getBoundingClientRect().right)`)); over > 0 {
				c.t.Errorf("%s: %d pixels of the dialog are not seen", which, over)
			}
		}
	}
	do(c.ctx, c.t, name, look(false, false))
}

// still has nothing move, so that no colour is seen half faded in.
func still(dark bool) action {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
}

// at goes to an address within the page.
func at(path string) action {
	return settles(fmt.Sprintf(`(location.hash = %q, true)`, "#"+path))
}

func TestAccessibleWhenEmpty(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	c := newChecker(t)
	c.check("x01-sign-in", chromedp.Navigate(s.address), says("Sign in to vizpost"))
	c.check("x02-sign-in-refused", fill("Token", "not-the-token-of-this-machine"), press("Sign in"), chromedp.WaitVisible(chromedp.CSS(`[role=alert]`)))
	c.check("x03-start-empty", chromedp.Navigate(s.serve.facts["vizpost"]), chromedp.Reload(), says("Three steps to the first delivered report."))
	c.check("x04-reports-empty", at("/reports"), chromedp.WaitVisible(`//h1[. = "Reports"]`), settles(`!document.querySelector(".loading")`))
	c.check("x05-settings-empty", at("/settings"), says("Connect vizpost to Tableau"))
	c.check("x06-connect", press("Connect"), says("Personal Access Token"), press("How to make a token in Tableau"))
	c.check("x07-connect-missing", press("Connect"), says("Give the connection a name"))
	c.check("x08-connect-password", press("Username & Password"), fill("Username", "ana@example.com"))
	c.check("x09-connect-leave", press("Cancel"), says("Close and lose what you typed?"))
	c.check("x10-slack", press("Discard"), press("Add Slack channel"), says("Webhook address"))
	c.check("x11-nowhere", press("Cancel"), at("/nowhere"), says("There is no such page"))
}

func TestAccessibleWhenFull(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	report := s.report(connection, "Morning numbers", "png", "pdf", "csv")
	paused := s.report(connection, "Weekly review", "pdf")
	s.call(http.StatusOK, "PATCH", "/v1/reports/"+paused, object{"enabled": false})
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("a run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 })
	run := object(s.list("/v1/runs", "runs")[0]).text("id")
	s.call(http.StatusCreated, "POST", "/v1/destinations", object{"name": "#sales", "type": "slack", "url": "https://hooks.slack.com/services/T0/B0/x"})
	c := newChecker(t)

	c.check("y01-start", chromedp.Navigate(s.serve.facts["vizpost"]), says("All is well"))
	c.check("y02-settings", at("/settings"), says("token kept until"), says("#sales"))
	c.check("y03-edit", press("Edit Sales"), says("Leave this empty to keep it."))
	c.check("y04-refused", fill("Token secret", "wrong:secret"), press("Connect"), says("Likely causes"))
	c.check("y05-test", press("Cancel"), press("Discard"), press("Test Sales"), says("It signs in as ana@example.com"))
	c.check("y06-connection", press("Done"), at("/settings/connections/"+connection), says("History"), chromedp.WaitVisible(chromedp.CSS(`.history`)))
	c.check("y07-delete", press("Delete this connection"), says("2 reports use this connection"))
	c.check("y08-reports", press("Close"), at("/reports"), says("Morning numbers"))
	c.check("y09-new-report", at("/reports/new"), chromedp.WaitVisible(chromedp.CSS(`main h1`)), settles(`!document.querySelector(".loading")`))
	c.check("y09-picker", chromedp.Click(button("Choose views")), chromedp.WaitVisible(chromedp.CSS(`.tile img`)))
	c.check("y10-report", chromedp.Reload(), at("/reports/"+report), says("Delivered"))
	c.check("y11-run", at("/runs/"+run), says("Deliveries"), chromedp.WaitVisible(chromedp.CSS(`img.exported`)))
	c.check("y12-outbox", at("/outbox"), says("ana@example.com"))
	mails := s.mails()
	c.check("y13-mail", at("/outbox/"+mails[0][strings.LastIndex(mails[0], "/")+1:]), chromedp.WaitVisible(chromedp.CSS(`iframe.mail`)), chromedp.Sleep(time.Second))

	// Tableau deletes the token: a run is held.
	s.control("/-/enable-mfa", object{})
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("a run is held", time.Minute, func(states map[string]int) bool { return states["held"] == 1 })
	c.check("y14-start-broken", at("/"), says("your attention"))
	c.check("y15-settings-broken", at("/settings"), says("1 run held"))
	c.check("y16-connection-broken", at("/settings/connections/"+connection), says("Held runs"))
	c.check("y17-docs", chromedp.Navigate(s.address+"/docs"), chromedp.WaitVisible(chromedp.CSS(`h1`)))
}

// list reads the first part of a list.
func (s *site) list(path, noun string) []map[string]any {
	s.t.Helper()
	var found []map[string]any
	items, _ := s.call(http.StatusOK, "GET", path, nil)[noun].([]any)
	for _, item := range items {
		o, _ := item.(map[string]any)
		found = append(found, o)
	}
	return found
}
