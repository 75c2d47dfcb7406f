package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func TestStartPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	ctx := browser(t, 1200, 900)
	page := s.serve.facts["vizpost"]

	do(ctx, t, "start-empty", chromedp.Navigate(page), chromedp.WaitVisible(`//h1[. = "Start"]`))
	address := ask(ctx, t, chromedp.Location())
	if strings.Contains(address, token) {
		t.Errorf("the token stays in the address bar: %s", address)
	}

	connection := s.connect()
	s.report(connection, "Morning numbers", "png", "pdf")
	do(ctx, t, "report-run", chromedp.Click(`//nav//a[. = "Reports"]`), chromedp.Click(`//main//a[. = "Morning numbers"]`),
		chromedp.WaitVisible(`//h1[. = "Morning numbers"]`), press("Send now"), sendToAll(), chromedp.WaitVisible(`//*[contains(@class, "state") and . = "Delivered"]`),
		chromedp.WaitVisible(chromedp.CSS(`img.exported`)))
	do(ctx, t, "report-mail", chromedp.Click(`//a[. = "See the mail"]`), chromedp.WaitVisible(chromedp.CSS(`iframe.mail`)), chromedp.Sleep(time.Second))
}

func TestStartPageWithoutToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	ctx := browser(t, 420, 800)
	do(ctx, t, "sign-in", chromedp.Navigate(s.address), chromedp.WaitVisible(chromedp.CSS(`input`)))
	do(ctx, t, "sign-in-refused", chromedp.SendKeys(chromedp.CSS(`input`), "not-the-token-of-this-machine"),
		chromedp.Click(chromedp.CSS(`button[type=submit]`)), chromedp.WaitVisible(chromedp.CSS(`[role=alert]`)))
}

// TestMailInBrowser renders the HTML part of a mail: its picture shows and
// leads to the view.
func TestMailInBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connect(), "Morning numbers", "png", "pdf", "csv")
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("the run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 })
	mails := s.mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	mail := s.call(http.StatusOK, "GET", "/v1/outbox/"+filepath.Base(mails[0]), nil)
	file := filepath.Join(t.TempDir(), "mail.html")
	if err := os.WriteFile(file, []byte(mail.text("html")), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := browser(t, 760, 1000)
	do(ctx, t, "mail", chromedp.Navigate("file://"+file), chromedp.WaitVisible(chromedp.CSS(`img`)))
	width := ask(ctx, t, chromedp.Evaluate[int](`document.querySelector("img").naturalWidth`))
	link := ask(ctx, t, chromedp.Evaluate[string](`document.querySelector("a img").closest("a").href`))
	if width < 500 {
		t.Errorf("the picture is %d pixels wide, want a dashboard", width)
	}
	if want := s.tableau["url"] + "/#/site/" + s.tableau["site"] + "/views/Superstore/Overview"; link != want {
		t.Errorf("the picture leads to %s, want %s", link, want)
	}
	attachments, _ := mail["attachments"].([]any)
	if len(attachments) != 2 {
		t.Errorf("%d attachments, want the PDF and the CSV", len(attachments))
	}
}
