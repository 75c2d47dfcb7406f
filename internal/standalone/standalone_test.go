package standalone_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestSwitchFromPasswordToToken(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.work()
	connection := m.connect(m.password())
	report := m.report(connection)
	m.run(report, "delivered")

	wrong := m.token()
	wrong["token_secret"] = "AAAAAAAAAAAAAAAAAAAAAA==:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	before := m.must(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	status, problem := m.call("PATCH", "/v1/connections/"+connection, object{"auth": wrong})
	if status != http.StatusUnprocessableEntity || problem.text("code") != "credentials_rejected" {
		t.Errorf("a wrong token: %d %v, want 422 credentials_rejected", status, problem)
	}
	after := m.must(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("a rejected token changed the connection:\n%v\n%v", before, after)
	}

	switched := m.must(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"auth": m.token()})
	if switched.text("id") != connection || switched.text("auth.method") != "personal_access_token" || switched.text("state") != "connected" {
		t.Errorf("switched to a token: %v", switched)
	}
	r := m.run(report, "delivered")
	if r.text("connection_id") != connection || r.text("report_id") != report {
		t.Errorf("the run is of other ids: %v", r)
	}
	if got := len(m.mails()); got != 2 {
		t.Errorf("%d mails, want 2", got)
	}
}

func TestRunsAndTestsShareOneSession(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	connection := m.connect(m.token())
	reports := make([]string, 50)
	for i := range reports {
		reports[i] = m.report(connection, object{"name": fmt.Sprintf("Report %d", i)})
	}
	m.tableau.SetLatency(50 * time.Millisecond)
	m.work()
	runs := make([]string, len(reports))
	for i, report := range reports {
		runs[i] = m.must(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
	}
	var tests sync.WaitGroup
	for range 20 {
		tests.Go(func() {
			if status, o := m.call("POST", "/v1/connections/"+connection+"/test", nil); status != http.StatusOK {
				t.Errorf("testing the connection: %d %v", status, o)
			}
		})
	}
	tests.Wait()
	for _, run := range runs {
		m.wait(run, "delivered")
	}
	stats := m.tableau.Stats()
	if stats.SignIns != 1 || stats.SessionsEndedBySignIn != 0 || stats.SignInsFailed != 0 {
		t.Errorf("sign-ins %d, failed %d, sessions ended by another %d; want 1, 0, 0",
			stats.SignIns, stats.SignInsFailed, stats.SessionsEndedBySignIn)
	}
	if stats.ExportsInFlightMax > 8 {
		t.Errorf("%d exports at once, want at most 8", stats.ExportsInFlightMax)
	}
	if got := len(m.mails()); got != 50 {
		t.Errorf("%d mails, want 50", got)
	}
}

func TestTenMissedOccurrencesAreOneRun(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	connection := m.connect(m.token())
	report := m.report(connection, object{"schedule": object{"cron": "0 * * * *", "time_zone": "UTC"}})
	first, err := time.Parse(time.RFC3339, m.must(http.StatusOK, "GET", "/v1/reports/"+report, nil).text("next_run_at"))
	if err != nil {
		t.Fatalf("next_run_at: %v", err)
	}
	m.advance(first.Add(9*time.Hour + 30*time.Minute).Sub(m.now())) // the tenth was half an hour ago
	m.work()
	runs := m.waitRuns(report, 1)
	r := m.wait(runs[0].text("id"), "delivered")
	if got := r["stands_for"]; got != float64(10) {
		t.Errorf("the run stands for %v occurrences, want 10", got)
	}
	for _, mail := range m.mails() {
		if !strings.Contains(mail, "10 occurrences") {
			t.Errorf("the mail does not say that it stands for ten")
		}
	}
	if got := len(m.waitRuns(report, 1)); got != 1 {
		t.Errorf("%d runs, want 1", got)
	}
}

func TestRevokedTokenHoldsRunsUntilThereIsANewOne(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.work()
	connection := m.connect(m.token())
	report := m.report(connection)
	m.run(report, "delivered")

	m.tableau.RevokeTokens("")
	first := m.run(report, "held")
	second := m.run(report, "held")
	c := m.must(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	if c.text("state") != "needs_credentials" || c.text("problem.code") != "credentials_rejected" {
		t.Errorf("the connection: state %q, problem %v", c.text("state"), c["problem"])
	}
	if got := m.waitMails("ops@example.com", 1); got != 1 {
		t.Errorf("%d notices, want 1", got)
	}
	failed := m.tableau.Stats().SignInsFailed
	if failed != 1 {
		t.Errorf("%d sign-ins with a dead token, want 1", failed)
	}

	user, _ := m.tableau.Password()
	fresh := object{"method": "personal_access_token", "token_name": "fresh", "token_secret": m.tableau.NewPAT(user, "fresh")}
	m.must(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"auth": fresh})
	m.wait(first.text("id"), "delivered")
	m.wait(second.text("id"), "delivered")
	if got := m.mailsTo("reader@example.com"); got != 3 {
		t.Errorf("%d mails to the reader, want 3", got)
	}
	if got := m.waitMails("ops@example.com", 2); got != 2 {
		t.Errorf("%d notices in the end, want the one of the break and one that it works again", got)
	}
}

func TestBadContentReachesNobody(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault tableautest.Fault
		state string
	}{
		"blank":        {tableautest.Fault{Kind: tableautest.FaultBlank, Route: "export", Times: -1}, "failed"},
		"no such view": {tableautest.Fault{Kind: tableautest.FaultError, Route: "export", Code: 404011, Times: -1}, "failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.work()
			report := m.report(m.connect(m.token()))
			if err := m.tableau.AddFault(test.fault); err != nil {
				t.Fatal(err)
			}
			r := m.run(report, test.state)
			if r.text("reason") == "" {
				t.Error("the run gives no reason")
			}
			if got := m.waitMails("owner@example.com", 1); got != 1 {
				t.Errorf("%d notices to the owner, want 1", got)
			}
			if got := m.mailsTo("reader@example.com"); got != 0 {
				t.Errorf("%d mails to the reader, want none", got)
			}
		})
	}
}

func TestSlackAndSecondConnectionWithTheSameToken(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.work()
	connection := m.connect(m.token())
	destination := m.must(http.StatusCreated, "POST", "/v1/destinations", object{
		"name": "Sales channel", "type": "slack", "url": m.slack.URL + "/services/T0/B0/canary-webhook",
	}).text("id")
	report := m.report(connection, object{"destinations": []object{{"id": "sales", "type": "slack", "destination_id": destination, "text": "News"}}})
	m.run(report, "delivered")
	if got := m.slack.Messages(); len(got) != 1 || !strings.Contains(got[0], "/views/Superstore/Overview") {
		t.Errorf("Slack got %q, want one message with a link to the view", got)
	}

	status, problem := m.call("POST", "/v1/connections", object{"name": "Copy", "server_url": m.server, "site": m.tableau.Site(), "auth": m.token()})
	if status != http.StatusConflict || problem.text("code") != "token_in_use" || !strings.Contains(problem.text("detail"), "Sales") {
		t.Errorf("a second connection with the token: %d %v, want 409 token_in_use that names the first", status, problem)
	}
	if got := m.tableau.Stats().SignIns; got != 1 {
		t.Errorf("%d sign-ins, want 1", got)
	}
	if strings.Contains(m.log.String(), "canary-webhook") {
		t.Error("the webhook's address is in the log")
	}
}
