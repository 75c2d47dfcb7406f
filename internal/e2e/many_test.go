package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// longName is a name as people give who have many, without a place to break it.
var longName = strings.Repeat("Quarterly_sales_of_all_regions_", 6)

// TestManyAndLong: with many connections those that need somebody come first
// and the others are found by a search; long names stay within the page.
func TestManyAndLong(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	byPassword := func(name string) string {
		return s.call(http.StatusCreated, "POST", "/v1/connections", object{"name": name, "server_url": s.tableau["url"], "site": s.tableau["site"],
			"auth": object{"method": "username_password", "username": s.tableau["user"], "password": s.tableau["password"]}}).text("id")
	}
	for i := range 14 {
		byPassword(fmt.Sprintf("Site %02d", i+1))
	}
	long := byPassword(longName)
	for i := range 11 {
		s.report(long, fmt.Sprintf("Report %02d", i+1), "pdf")
	}
	report := s.report(long, longName, "png", "pdf", "csv")
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("a run is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 })
	run := object(s.list("/v1/runs", "runs")[0]).text("id")
	s.connect() // by a token, the last to be made
	s.control("/-/revoke-tokens", object{})
	sales := ""
	for _, c := range s.list("/v1/connections?limit=100", "connections") {
		if o := object(c); o.text("name") == "Sales" {
			sales = o.text("id")
		}
	}
	s.call(http.StatusUnprocessableEntity, "POST", "/v1/connections/"+sales+"/test", object{})
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)

	cards := func() int {
		return ask(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll(".connection").length`))
	}
	do(ctx, t, "m1-settings", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), says("Show all 16 connections"), chromedp.WaitVisible(`(//li[contains(@class, "connection")])[1]//a[. = "Sales"]`))
	if got := cards(); got >= 16 {
		t.Errorf("%d connections are shown at once", got)
	}
	do(ctx, t, "m2-found", write(chromedp.CSS(`.list-search input`), "quarterly"), settles(`document.querySelectorAll(".connection").length === 1`), chromedp.WaitVisible(named(longName)))
	c.check("m2-found")
	do(ctx, t, "m3-none", write(chromedp.CSS(`.list-search input`), "no such"), says("No connection matches"))
	do(ctx, t, "m4-all", write(chromedp.CSS(`.list-search input`), "ana@example.com"), press("Show all 16 connections"), settles(`document.querySelectorAll(".connection").length === 16`),
		settles(`document.activeElement === document.querySelectorAll(".connection")[10].querySelector("a")`))

	do(ctx, t, "m5-connection", at("/settings/connections/"+long), press("Show all 12 reports"), settles(`document.querySelectorAll(".list-row").length === 12`),
		settles(`document.activeElement === document.querySelectorAll(".list-row")[10].querySelector("a")`))
	c.check("m6-run", at("/runs/"+run), says("Deliveries"), chromedp.WaitVisible(chromedp.CSS(`img.exported`)))
	c.check("m7-reports", at("/reports"), chromedp.WaitVisible(chromedp.CSS(`.list-search`)))
}
