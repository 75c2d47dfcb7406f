package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

type action = chromedp.Action[chromedp.Void]

// noExceptions has the test fail when a script of the page throws.
func noExceptions(ctx context.Context, t *testing.T) {
	t.Helper()
	err := chromedp.Listen(ctx, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("the page threw: %v", thrown.ExceptionDetails)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// labelled finds an input by the beginning of its label.
func labelled(label string) string {
	return fmt.Sprintf(`//*[self::input or self::select or self::textarea][@id=//label[starts-with(normalize-space(.), %q)]/@for]`, label)
}

func button(words string) string { return fmt.Sprintf(`//button[contains(., %q)]`, words) }

// seen waits for words, also such as are put together from several parts.
func seen(words string) action {
	return chromedp.WaitVisible(fmt.Sprintf(`//body//*[contains(normalize-space(.), %[1]q) and not(*[contains(normalize-space(.), %[1]q)])]`, words))
}

// write puts text in place of what an input holds, by its keys.
func write[S chromedp.Selectable](sel S, text string) action {
	return chromedp.Steps(chromedp.Focus(sel), chromedp.Evaluate[chromedp.Void](`void document.activeElement.select()`),
		chromedp.KeyEvent(kb.Backspace), chromedp.KeyEvent(text))
}

// choose takes an entry of a select, as a person does.
func choose(label, value string) action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := chromedp.WaitVisible(labelled(label))(ctx, t); err != nil {
			return err
		}
		script := fmt.Sprintf(`(() => {
			const label = [...document.querySelectorAll("label")].find((l) => l.textContent.startsWith(%q));
			const select = document.getElementById(label.htmlFor);
			select.value = %q;
			select.dispatchEvent(new Event("change", { bubbles: true }));
			return select.value;
		})()`, label, value)
		got, err := chromedp.Evaluate[string](script)(ctx, t)
		if err == nil && got != value {
			err = fmt.Errorf("%s has no entry %q", label, value)
		}
		return err
	})
}

// TestFirstReport goes a new user's way: from the empty page to a
// report that was made, sent to oneself, and looked at.
func TestFirstReport(t *testing.T) {
	t.Parallel()
	s := newSite(t, "200ms")
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	page := s.serve.facts["vizpost"]

	do(ctx, t, "reports-01-connect-first", chromedp.Navigate(page), says("Three steps"), press("Reports"), seen("Connect to Tableau first"))
	do(ctx, t, "reports-02-connect", press("Go to Settings"), press("Connect"), fill("Name", "Sales"), fill("Server", s.tableau["url"]), fill("Site", s.tableau["site"]),
		fill("Token name", s.tableau["token name"]), fill("Token secret", s.tableau["token secret"]), press("Connect"), says("Connected as ana@example.com"))
	do(ctx, t, "reports-02-empty", press("Done"), press("Reports"), seen("Make the first report"))
	c.check("reports-02-empty")
	do(ctx, t, "reports-03-new", press("New report"), chromedp.WaitVisible(button("Choose views")))
	c.check("reports-03-new")

	do(ctx, t, "reports-04-picker", chromedp.SendKeys(labelled("Name"), "Morning numbers"), chromedp.Click(button("Choose views")),
		chromedp.WaitVisible(chromedp.CSS(`.tile img`)))
	c.check("reports-04-picker")
	// By keyboard alone: search, down into the list, choose, add.
	do(ctx, t, "reports-05-picked", chromedp.KeyEvent("overview"), chromedp.WaitNotPresent(`//*[@role="option" and contains(., "Monthly Sales")]`),
		chromedp.WaitVisible(`//*[@role="option" and contains(., "Overview")]`), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(" "),
		chromedp.WaitVisible(`//*[@role="option" and @aria-selected="true"]`), seen("1 view chosen"))
	do(ctx, t, "reports-06-address", write(chromedp.CSS(`.picker input`), s.tableau["url"]+"/#/site/"+s.tableau["site"]+"/views/Superstore/MonthlySales?Region=West"),
		seen("This address leads to"), seen("Region: West"))
	do(ctx, t, "reports-07-content", chromedp.Click(button("Add 2 views")), chromedp.WaitVisible(`//article[@aria-label="Overview"]`),
		chromedp.WaitVisible(`//article[@aria-label="Monthly Sales"]`),
		chromedp.Click(`//article[@aria-label="Overview"]//label[contains(., "Image")]/input`),
		seen("High resolution"))

	do(ctx, t, "reports-08-schedule", choose("Repeats", "weekly"), chromedp.Click(`//input[@aria-label="Thursday"]`),
		write(labelled("Time zone"), "Europe/Berlin"),
		seen("Runs every Monday and Thursday at 09:00 (Europe/Berlin)"))
	do(ctx, t, "reports-09-filled", chromedp.SendKeys(labelled("To"), "ana@example.com, ben@example.com,"), chromedp.WaitVisible(`//button[@aria-label="Remove ben@example.com"]`),
		chromedp.Click(`//summary[contains(., "Subject and text")]`), chromedp.SendKeys(labelled("Subject"), "Sales of "),
		chromedp.Click(`//*[@aria-label="Insert into subject"]/button[contains(., "Date")]`))
	c.check("reports-09-filled")

	do(ctx, t, "reports-10-saved", chromedp.Click(button("Save report")), seen("It has not run yet"), seen("Every Monday and Thursday at 09:00 (Europe/Berlin)"))
	c.check("reports-10-saved")
	do(ctx, t, "reports-11-send-to-me", chromedp.Click(button("Send to me now")), chromedp.WaitVisible(labelled("Your address")))
	do(ctx, t, "reports-12-running", chromedp.SendKeys(labelled("Your address"), "me@example.com"), chromedp.KeyEvent(kb.Enter),
		chromedp.WaitVisible(`//*[@aria-label="Progress"]`))
	do(ctx, t, "reports-13-delivered", chromedp.WaitVisible(`//header//*[contains(@class, "state") and contains(., "Delivered")]`),
		chromedp.WaitVisible(chromedp.CSS(`img.exported`)), chromedp.WaitVisible(`//*[contains(@class, "delivery") and contains(., "me@example.com")]`))
	c.check("reports-13-delivered")
	do(ctx, t, "reports-14-mail", chromedp.Click(`//a[contains(., "See the mail")]`), chromedp.WaitVisible(chromedp.CSS(`iframe.mail`)), chromedp.Sleep(time.Second))
	do(ctx, t, "reports-15-list", chromedp.Click(`//nav//a[contains(., "Reports")]`), chromedp.WaitVisible(chromedp.CSS(`.report-row`)))
	c.check("reports-15-list")

	mails := s.mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want the one to me alone", len(mails))
	}
}
