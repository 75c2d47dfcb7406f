package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestDrawingIsNoPage: an exported drawing, which may hold scripts, is shown as
// a picture, which cannot run them, and nothing opens it as a page.
func TestDrawingIsNoPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connect(), "Morning numbers", "svg", "png")
	run := s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
	s.until("a run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 })
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	do(ctx, t, "drawing-01", chromedp.Navigate(s.serve.facts["vizpost"]), says("Start"), at("/runs/"+run),
		settles(`document.querySelectorAll("img.exported").length === 2 && [...document.querySelectorAll("img.exported")].every((img) => img.complete && img.naturalWidth > 0)`))
	got := ask(ctx, t, chromedp.Evaluate[[]string](`[...document.querySelectorAll("img.exported")].map((img) => img.src.split(/[,;]/)[0].replace(/^blob:.*/, "blob") + " " + (img.closest("a")?.protocol || "no link")).sort()`))
	if len(got) != 2 || got[0] != "blob blob:" || got[1] != "data:image/svg+xml no link" {
		t.Errorf("the pictures are %q, want the drawing as data without a link", got)
	}
}

// TestOnlyExport: a run that was to export and send nothing is called exported
// wherever it is shown, and not skipped.
func TestOnlyExport(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connect(), "Morning numbers", "png")
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	exported := chromedp.WaitVisible(`//*[contains(@class, "state") and normalize-space(.) = "Exported"]`)
	never := settles(`!/Skipped|Trial|dry run/i.test(document.querySelector("main").innerText)`)
	do(ctx, t, "export-01-run", chromedp.Navigate(s.serve.facts["vizpost"]), says("Start"), at("/reports/"+report), press("Send to me now"), press("Only export, send nothing"),
		exported, says("Everything was exported, and nothing was sent, as asked."), says("Export only"), never)
	do(ctx, t, "export-02-list", at("/reports/"+report), exported, says("Nothing was sent"), never)
	do(ctx, t, "export-03-start", at("/"), exported, never)
	if got := len(s.mails()); got != 0 {
		t.Errorf("%d mails, want none", got)
	}
}
