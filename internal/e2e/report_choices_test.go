package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// leadsTo waits until the picker says what an address leads to.
func leadsTo(words string) action {
	return chromedp.WaitVisible(`//*[@class="resolved" and contains(., ` + quoted(words) + `)]`)
}

// TestWhatAddressesLeadTo takes a custom view and a workbook from their
// addresses, and leaves a filter unverified.
func TestWhatAddressesLeadTo(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	s.connect()
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	site := s.tableau["url"] + "/#/site/" + s.tableau["site"]
	custom := sample.ID("customview", sample.ID("view", s.tableau["site"], "Superstore/sheets/Overview"), "West only")
	search := chromedp.CSS(`.picker input`)

	do(ctx, t, "reports-60-custom-view", inTheAfternoon(), chromedp.Navigate(s.serve.facts["vizpost"]), says("Three steps"), at("/reports/new"),
		chromedp.SendKeys(labelled("Name"), "Three ways"), chromedp.Click(button("Choose views")), write(search, site+"/views/Superstore/Overview/"+custom+"/WestOnly"),
		leadsTo("Overview (West only)"))
	do(ctx, t, "reports-61-workbook", press("Add view"), press("Add another view"), write(search, "workbooks/Superstore.twbx"), leadsTo("The whole workbook"))
	c.check("reports-61-workbook")
	do(ctx, t, "reports-62-another-server", write(search, "https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview"), seen("This address is of another server"))
	do(ctx, t, "reports-63-filter", write(search, site+"/views/Superstore/MonthlySales?Region=West"), leadsTo("Region: West"), press("Add view"),
		chromedp.WaitVisible(`//article[@aria-label="Monthly Sales"]`), chromedp.Focus(labelled("Verify filters")), chromedp.KeyEvent(" "))
	do(ctx, t, "reports-64-workbook-chosen", press("Add another view"), write(search, "workbooks/Superstore.twbx"), leadsTo("The whole workbook"), press("Add view"),
		chromedp.Click(`//article[@aria-label="Superstore"]//label[contains(., "Slides")]/input`), seen("a slide for each view"),
		chromedp.SendKeys(labelled("To"), "ana@example.com,"))
	c.check("reports-64-workbook-chosen")
	do(ctx, t, "reports-65-saved", press("Save report"), seen("It has not run yet"))

	list := s.list("/v1/reports", "reports")
	if len(list) != 1 {
		t.Fatalf("%d reports, want 1", len(list))
	}
	contents := func(report map[string]any) (got [][4]any) {
		for _, one := range report["content"].([]any) {
			c := one.(map[string]any)
			name := any(nil)
			if custom, ok := c["custom_view"].(map[string]any); ok {
				name = custom["name"]
			}
			got = append(got, [4]any{c["format"], c["scope"], name, c["verify_filters"]})
		}
		return got
	}
	want := [][4]any{{"pdf", "view", "West only", true}, {"pdf", "view", nil, false}, {"pptx", "workbook", nil, true}}
	if diff := cmp.Diff(want, contents(list[0])); diff != "" {
		t.Errorf("the content (-want +got):\n%s", diff)
	}

	// An edit of one content leaves the others what they are.
	id := object(list[0]).text("id")
	do(ctx, t, "reports-66-edited", at("/reports/"+id+"?edit"), chromedp.WaitVisible(`//article[@aria-label="Overview (West only)"]`),
		chromedp.Click(`//article[@aria-label="Overview (West only)"]//label[contains(., "Image")]/input`), press("Save"), seen("It has not run yet"))
	want[0][0] = "png"
	if diff := cmp.Diff(want, contents(s.call(http.StatusOK, "GET", "/v1/reports/"+id, nil))); diff != "" {
		t.Errorf("the edited content (-want +got):\n%s", diff)
	}
	do(ctx, t, "reports-67-delivered", press("Send now"), sendToAll(), says("Delivered"))
	c.check("reports-67-delivered")
}

// TestManyReports reads the list page by page, and finds one in it.
func TestManyReports(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	for n := range 30 {
		s.report(connection, fmt.Sprintf("Report %d", n+1), "png")
	}
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	rows := func() int {
		return ask(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll(".report-row").length`))
	}
	do(ctx, t, "reports-70-many", chromedp.Navigate(s.serve.facts["vizpost"]), press("Reports"), chromedp.WaitVisible(button("Load more")))
	if got := rows(); got != 25 {
		t.Errorf("%d reports at first, want a page of 25", got)
	}
	do(ctx, t, "reports-71-all", press("Load more"), chromedp.WaitNotPresent(button("Load more")))
	// The button is gone, and the focus goes to what it has brought.
	do(ctx, t, "reports-71-focus", settles(`document.activeElement === document.querySelectorAll(".report-row")[25]?.querySelector("a")`))
	if got := rows(); got != 30 {
		t.Errorf("%d reports, want all 30", got)
	}
	do(ctx, t, "reports-72-found", chromedp.SendKeys(chromedp.CSS(`.list-search input`), "report 28"), chromedp.WaitNotPresent(`//a[. = "Report 1"]`), says("Report 28"))
	if got := rows(); got != 1 {
		t.Errorf("%d reports match, want 1", got)
	}
	c.check("reports-72-found")
	do(ctx, t, "reports-73-none", chromedp.SendKeys(chromedp.CSS(`.list-search input`), "x"), seen("No report matches"))
}

// TestOlderHistory reads what happened to a connection back to its beginning.
func TestOlderHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	for n := range 19 {
		s.call(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"name": fmt.Sprintf("Name %d", n+1)})
	}
	ctx := browser(t, 1280, 860)
	noExceptions(ctx, t)
	do(ctx, t, "reports-80-latest", chromedp.Navigate(s.serve.facts["vizpost"]), says("Make a report"), at("/settings/connections/"+connection), says("Show older"))
	do(ctx, t, "reports-81-whole", press("Show older"), settles(`document.querySelectorAll(".history > li").length === 20 && document.activeElement === document.querySelectorAll(".history > li")[15]`),
		chromedp.WaitNotPresent(named("Show older")))
}
