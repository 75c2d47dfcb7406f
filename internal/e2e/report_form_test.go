package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// TestCronInTheForm turns choices into cron expressions and back. What has no
// friendly form stays as it was written.
func TestCronInTheForm(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	ctx := browser(t, 800, 600)
	if err := chromedp.Do(ctx, chromedp.Navigate(s.address)); err != nil {
		t.Fatal(err)
	}
	type plan struct{ Kind, Time, Days, MonthDay, Every, Cron string }
	for cron, want := range map[string]plan{
		"0 9 * * *":            {Kind: "daily", Time: "09:00", Cron: "0 9 * * *"},
		"5 17 * * MON-FRI":     {Kind: "weekdays", Time: "17:05", Cron: "5 17 * * MON-FRI"},
		" 05  09 * * 1-5 ":     {Kind: "weekdays", Time: "09:05", Cron: "5 9 * * MON-FRI"},
		"0 9 * * mon,tue,3-5":  {Kind: "weekdays", Time: "09:00", Cron: "0 9 * * MON-FRI"},
		"0 9 * * MON,THU":      {Kind: "weekly", Time: "09:00", Days: "MON,THU", Cron: "0 9 * * MON,THU"},
		"0 9 * * 4,1":          {Kind: "weekly", Time: "09:00", Days: "MON,THU", Cron: "0 9 * * MON,THU"},
		"0 9 * * 0":            {Kind: "weekly", Time: "09:00", Days: "SUN", Cron: "0 9 * * SUN"},
		"0 9 * * 7":            {Kind: "weekly", Time: "09:00", Days: "SUN", Cron: "0 9 * * SUN"},
		"0 9 * * FRI-SUN":      {Kind: "weekly", Time: "09:00", Days: "FRI,SAT,SUN", Cron: "0 9 * * FRI,SAT,SUN"},
		"0 9 * * SUN-TUE":      {Kind: "weekly", Time: "09:00", Days: "MON,TUE,SUN", Cron: "0 9 * * MON,TUE,SUN"},
		"0 9 * * 0-6":          {Kind: "daily", Time: "09:00", Cron: "0 9 * * *"},
		"30 0 1 * *":           {Kind: "monthly", Time: "00:30", MonthDay: "1", Cron: "30 0 1 * *"},
		"0 23 L * *":           {Kind: "monthly", Time: "23:00", MonthDay: "L", Cron: "0 23 L * *"},
		"0 9 * * MON#1":        {Kind: "monthly", Time: "09:00", MonthDay: "MON#1", Cron: "0 9 * * MON#1"},
		"0 9 * * 5L":           {Kind: "monthly", Time: "09:00", MonthDay: "FRIL", Cron: "0 9 * * FRIL"},
		"0 * * * *":            {Kind: "often", Every: "1h", Cron: "0 * * * *"},
		"7 */6 * * MON-FRI":    {Kind: "often", Every: "6h", Cron: "7 */6 * * MON-FRI"},
		"*/15 * * * *":         {Kind: "often", Every: "15m", Cron: "*/15 * * * *"},
		"0 9 13 * FRI":         {Kind: "custom", Cron: "0 9 13 * FRI"},
		"0 9,17 * * *":         {Kind: "custom", Cron: "0 9,17 * * *"},
		"0 9 1,15 * *":         {Kind: "custom", Cron: "0 9 1,15 * *"},
		"0 9 15W * *":          {Kind: "custom", Cron: "0 9 15W * *"},
		"0 9 * JAN *":          {Kind: "custom", Cron: "0 9 * JAN *"},
		"*/7 * * * *":          {Kind: "custom", Cron: "*/7 * * * *"},
		"0 */5 * * *":          {Kind: "custom", Cron: "0 */5 * * *"},
		"0 */2 1 * *":          {Kind: "custom", Cron: "0 */2 1 * *"},
		"0 9-17 * * MON-FRI":   {Kind: "custom", Cron: "0 9-17 * * MON-FRI"},
		"0 9 * * MON#5":        {Kind: "custom", Cron: "0 9 * * MON#5"},
		"0 9 * * MON#1,MON#3":  {Kind: "custom", Cron: "0 9 * * MON#1,MON#3"},
		"0 9 * * MON-":         {Kind: "custom", Cron: "0 9 * * MON-"},
		"0 25 * * *":           {Kind: "custom", Cron: "0 25 * * *"},
		"0 9 0 * *":            {Kind: "custom", Cron: "0 9 0 * *"},
		"every day, 9 o'clock": {Kind: "custom", Cron: "every day, 9 o'clock"},
		"":                     {Kind: "custom"},
	} {
		got := ask(ctx, t, chromedp.Evaluate[plan](`import("/cron.js").then(({ fromCron, toCron, newPlan }) => {
			const p = fromCron(`+quote(t, cron)+`);
			const has = (...kinds) => kinds.includes(p.kind);
			return { Kind: p.kind, Time: has("custom", "often") ? "" : p.time, Days: p.kind === "weekly" ? p.days.join() : "",
				MonthDay: p.kind === "monthly" ? p.monthDay : "", Every: p.kind === "often" ? p.every : "", Cron: toCron(p) };
		})`, chromedp.EvalAwaitPromise))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", cron, diff)
		}
		if want.Cron == "" || want.Kind == "custom" {
			continue
		}
		// The API takes what the choices make, and says the same of it as of what
		// was written.
		words := func(cron string) string {
			return s.call(http.StatusOK, "POST", "/v1/schedules/preview", object{"cron": cron, "time_zone": "Europe/Berlin"}).text("description")
		}
		if was, is := words(cron), words(got.Cron); was != is {
			t.Errorf("%q is %q, and %q is %q", cron, was, got.Cron, is)
		}
	}
}

func quote(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestFormSaysWhatIsWrong shows each error at its field and moves to the first.
func TestFormSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	id := s.report(s.connect(), "Morning numbers", "png")
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)

	do(ctx, t, "reports-20-nothing-filled", chromedp.Navigate(s.serve.facts["vizpost"]), seen("Start"), at("/reports/new"),
		chromedp.WaitVisible(button("Save report")), chromedp.Click(button("Save report")),
		seen("Give the report a name."), seen("Give at least one view to export."), seen("Give at least one recipient."), seen("3 fields need a change."))
	c.check("reports-20-nothing-filled")
	if name := ask(ctx, t, chromedp.Evaluate[string](`document.activeElement.labels[0].textContent`)); name != "Name" {
		t.Errorf("the focus is on %q, want the first field that is wrong", name)
	}

	// What is mended is no longer marked; the rest stays.
	do(ctx, t, "reports-20-mended", chromedp.SendKeys(labelled("Name"), "N"), chromedp.WaitNotPresent(`//form//*[contains(., "Give the report a name.")]`), seen("Give at least one recipient."))

	// Of a report that exists: what only some need opens when it is wrong.
	do(ctx, t, "reports-21-wrong", at("/reports/"+id+"?edit"), press("Leave"), chromedp.WaitVisible(`//h1[contains(., "Edit Morning numbers")]`),
		choose("Repeats", "custom"), write(labelled("Cron expression"), "0 9 31 2 *"),
		seen("This never comes due"),
		chromedp.Click(button("Add filter")), chromedp.SendKeys(labelled("Field"), "Region"),
		chromedp.Click(`//summary[contains(., "More options")]`), chromedp.SendKeys(labelled("Width"), "800"),
		chromedp.Click(`//summary[contains(., "More options")]`),
		chromedp.SendKeys(labelled("To"), "not an address,"),
		chromedp.Click(button("Save")),
		seen("A filter has no value."), seen("Give both width and height, or neither."))
	c.check("reports-21-wrong")
	if open := ask(ctx, t, chromedp.Evaluate[bool](`document.querySelector("[data-field='content[0].image']").closest("details").open`)); !open {
		t.Error("the options that hold a wrong field stayed closed")
	}
	wrong := ask(ctx, t, chromedp.Evaluate[[]string](`[...document.querySelectorAll("form [aria-invalid=true]")].map((e) => e.dataset.field)`))
	if diff := cmp.Diff([]string{"content[0].filters", "content[0].image", "schedule.cron", "destinations[0].to"}, wrong); diff != "" {
		t.Errorf("the fields that are marked (-want +got):\n%s", diff)
	}

	// What is taken away leaves the focus where one goes on.
	do(ctx, t, "reports-21-removed", press("Remove the filter Region"), settles(`document.activeElement.dataset.field === "content[0].filters"`),
		chromedp.WaitNotPresent(`//form//*[contains(., "A filter has no value.")]`))

	// What is not saved is not lost by a click.
	do(ctx, t, "reports-22-leave", chromedp.Click(`//nav//a[contains(., "Reports")]`), chromedp.WaitVisible(`//dialog[contains(., "Leave without saving?")]`))
	do(ctx, t, "reports-22-stay", chromedp.Click(button("Keep editing")), chromedp.WaitNotPresent(`//dialog`), chromedp.WaitVisible(labelled("Cron expression")))
	do(ctx, t, "reports-22-left", chromedp.Click(`//nav//a[contains(., "Reports")]`), chromedp.Click(`//dialog//button[contains(., "Leave")]`), chromedp.WaitVisible(chromedp.CSS(`.report-row`)))
}

// TestEditReport changes a report, and is told when somebody else did.
func TestEditReport(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	id := s.report(s.connect(), "Morning numbers", "pdf")
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	do(ctx, t, "reports-30-edit", chromedp.Navigate(s.serve.facts["vizpost"]), seen("Start"), at("/reports/"+id+"?edit"),
		chromedp.WaitVisible(labelled("Name")))
	s.call(http.StatusOK, "PATCH", "/v1/reports/"+id, object{"notify": []string{"ops@example.com"}})
	do(ctx, t, "reports-30-stale", write(labelled("Name"), "Evening numbers"), choose("Repeats", "monthly"), choose("On the", "FRIL"),
		chromedp.Click(button("Save")), seen("Somebody else changed this report since you opened it."))
	do(ctx, t, "reports-30-saved", chromedp.Click(button("Save mine over it")), chromedp.WaitVisible(`//h1[contains(., "Evening numbers")]`),
		seen("On the last Friday of every month at "))
	r := s.call(http.StatusOK, "GET", "/v1/reports/"+id, nil)
	if notify, _ := r["notify"].([]any); len(notify) != 1 {
		t.Errorf("what the others changed was lost: %v", r["notify"])
	}

	do(ctx, t, "reports-31-paused", chromedp.Click(button("Pause")), chromedp.WaitVisible(button("Resume")), seen("Paused"))
	do(ctx, t, "reports-32-list-paused", chromedp.Click(`//nav//a[contains(., "Reports")]`), chromedp.WaitVisible(`//button[@aria-label="Resume Evening numbers"]`))
	c.check("reports-32-list-paused")
	do(ctx, t, "reports-32-list-resumed", chromedp.Click(`//button[@aria-label="Resume Evening numbers"]`), chromedp.WaitVisible(`//button[@aria-label="Pause Evening numbers"]`))
	if r := s.call(http.StatusOK, "GET", "/v1/reports/"+id, nil); r["enabled"] != true {
		t.Errorf("the report is not resumed: %v", r["enabled"])
	}
	// By the keyboard: the message that it runs again can lie over the button.
	do(ctx, t, "reports-33-delete", chromedp.Click(`//a[contains(., "Evening numbers")]`), chromedp.WaitVisible(button("Delete")),
		chromedp.Focus(button("Delete")), chromedp.KeyEvent(kb.Enter), seen("Delete Evening numbers?"))
	do(ctx, t, "reports-33-deleted", chromedp.Click(button("Delete the report")), seen("Make the first report"))
}

// TestFailedRun shows why a run failed, and tries it again.
func TestFailedRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	id := s.report(s.connect(), "Morning numbers", "png", "pdf")
	s.control("/-/faults", object{"kind": "error", "route": "export", "code": 403157, "times": 1, "skip": 1})
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	do(ctx, t, "reports-40-failed", chromedp.Navigate(s.serve.facts["vizpost"]), seen("Start"), at("/reports/"+id),
		press("Send now"), sendToAll(), chromedp.WaitVisible(`//header//*[contains(@class, "state") and contains(., "Failed")]`), chromedp.WaitVisible(button("Try again")))
	c.check("reports-40-failed")
	if why := ask(ctx, t, chromedp.Text(chromedp.CSS(`.notice.bad`))); !strings.Contains(why, "This kind of export is switched off") {
		t.Errorf("the page says %q, want why the export failed", why)
	}
	do(ctx, t, "reports-41-history", at("/reports/"+id), chromedp.WaitVisible(chromedp.CSS(`.run-row .why`)))
	c.check("reports-41-history")
	do(ctx, t, "reports-42-retried", chromedp.Click(chromedp.CSS(`.run-row a`)), chromedp.Click(button("Try again")),
		chromedp.WaitVisible(`//header//*[contains(@class, "state") and contains(., "Delivered")]`))
	if got := len(s.mails()); got != 1 {
		t.Errorf("%d mails in the outbox, want 1", got)
	}
}

// TestHeldRun shows a run that waits for its connection, and what became of it.
func TestHeldRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	connection := s.connect()
	id := s.report(connection, "Morning numbers", "png")
	s.control("/-/enable-mfa", object{})
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	do(ctx, t, "reports-80-held", chromedp.Navigate(s.serve.facts["vizpost"]), seen("Start"), at("/reports/"+id), press("Send now"), sendToAll(),
		chromedp.WaitVisible(`//*[@aria-label="Progress"]//*[. = "Held"]`), says("delivered once the connection works"))
	c.check("reports-80-held")
	do(ctx, t, "reports-81-report", at("/reports/"+id), seen("Its runs wait until it works again."), chromedp.WaitVisible(chromedp.CSS(`.run-row .state.held`)))
	c.check("reports-81-report")
	name, secret := s.newToken(s.tableau["user"], "anew")
	s.call(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"auth": object{"method": "personal_access_token", "token_name": name, "token_secret": secret}})
	do(ctx, t, "reports-82-released", chromedp.Click(chromedp.CSS(`.run-row a`)), says("Delivered"), seen("released"))
}

// TestSlackInTheForm keeps a webhook from within the form. Its address is sent
// and is not seen again.
func TestSlackInTheForm(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	id := s.report(s.connect(), "Morning numbers", "png")
	c := newChecker(t)
	ctx := c.ctx
	noExceptions(ctx, t)
	do(ctx, t, "reports-50-webhook", chromedp.Navigate(s.serve.facts["vizpost"]), seen("Start"), at("/reports/"+id+"?edit"),
		chromedp.Click(button("Add Slack")), chromedp.WaitVisible(`//dialog`), chromedp.SendKeys(`//dialog//input[@type="text"]`, "#sales"),
		chromedp.SendKeys(`//dialog//input[@type="password"]`, "https://example.com/services/x"), chromedp.KeyEvent(kb.Enter),
		chromedp.WaitVisible(`//dialog//input[@aria-invalid="true"]`))
	c.check("reports-50-webhook")
	if behind := ask(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll("form.report-form article [aria-invalid=true]").length`)); behind > 0 {
		t.Error("the report behind the dialog was sent too")
	}
	do(ctx, t, "reports-51-kept", write(`//dialog//input[@type="password"]`, "https://hooks.slack.com/services/T0/B0/canary"), chromedp.KeyEvent(kb.Enter), chromedp.WaitNotPresent(`//dialog`),
		chromedp.WaitVisible(`//article[@aria-label="Slack"]//select[option[contains(., "#sales")]]`))
	c.check("reports-52-kept")
	if report := s.call(http.StatusOK, "GET", "/v1/reports/"+id, nil); report["version"] != 1.0 {
		t.Errorf("the report has version %v: keeping the webhook saved it too", report["version"])
	}
	if marked := ask(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll("form [aria-invalid=true]").length`)); marked > 0 {
		t.Errorf("%d fields are marked wrong, and nothing was saved", marked)
	}
	page := ask(ctx, t, chromedp.Evaluate[string](`document.documentElement.outerHTML + [...document.querySelectorAll("input")].map((i) => i.value).join()`))
	if strings.Contains(page, "canary") {
		t.Error("the webhook's address is still in the page")
	}
	do(ctx, t, "reports-53-saved", chromedp.Click(button("Save")), chromedp.WaitVisible(`//dd[contains(., "#sales")]`), chromedp.Sleep(100*time.Millisecond))
}
