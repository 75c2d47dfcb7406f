package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestSendNowAsks: nothing goes to everybody by a single click, and what is asked
// says how many people that is.
func TestSendNowAsks(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	id := s.report(s.connect(), "Morning numbers", "png")
	var to []string
	for i := range 40 {
		to = append(to, fmt.Sprintf("person%d@example.com", i))
	}
	s.call(http.StatusOK, "PATCH", "/v1/reports/"+id, object{"destinations": []object{{"type": "email", "to": to}}})
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	for i, where := range []struct{ at, button string }{{"/", "Send it now"}, {"/reports", "Send now: Morning numbers"}, {"/reports/" + id, "Send now"}} {
		name := fmt.Sprintf("send-%d", i)
		do(ctx, t, name, chromedp.Navigate(s.serve.facts["vizpost"]), seen("Start"), at(where.at), press(where.button),
			chromedp.WaitVisible(named("Send to 40 people")), seen("and 34 more"))
		c.check(name)
		do(ctx, t, name+"-cancelled", press("Cancel"), chromedp.WaitNotPresent(`//dialog`))
	}
	if got := s.states(); len(got) != 0 {
		t.Fatalf("there are runs %v before anybody agreed", got)
	}
	do(ctx, t, "send-4-agreed", press("Send now"), sendToAll(), chromedp.WaitVisible(`//header//*[contains(@class, "state") and contains(., "Delivered")]`))
	if got := len(s.mails()); got != 40 {
		t.Errorf("%d mails in the outbox, want 40", got)
	}
}

// TestRunWithoutAFile: what is missing since it was too large for an email cannot
// be sent again, and is not offered to be.
func TestRunWithoutAFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	id := s.report(s.connect(), "Morning numbers", "png", "csv")
	s.control("/-/faults", object{"kind": "size", "route": "data", "bytes": 12_000_000, "times": -1})
	run := s.call(http.StatusAccepted, "POST", "/v1/reports/"+id+"/runs", object{}).text("id")
	s.until("the run is over", time.Minute, func(states map[string]int) bool { return states["partly_delivered"] == 1 })
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	do(ctx, t, "left-out-1-start", chromedp.Navigate(s.serve.facts["vizpost"]), says("Morning numbers was not delivered in full"), seen("The message went without files that are too large for an email."),
		chromedp.WaitNotPresent(button("Try again")), says("Email is not being sent"))
	c.check("left-out-1-start")
	do(ctx, t, "left-out-2-run", at("/runs/"+run), seen(`which is too large for an email`), chromedp.WaitNotPresent(button("Try again")))
	c.check("left-out-2-run")
}
