package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/deliver/slacktest"
)

// TestDeployed deploys the template, as it is, to an emulated AWS account, and
// uses it as its users do: what they would call is called, and the rest is done
// by the account's schedules, queue and functions, with what their roles allow.
func TestDeployed(t *testing.T) {
	slack := slacktest.New(t)
	a := deploy(t, "WebhookOrigins="+slack.URL, "SlackClientId=1234567890.1234567890123", "SlackClientSecret=notasecret", "SlackTeamId=T0EXAMPLE")
	t.Parallel() // from here on: building takes the whole machine, and browsers are not to wait for it

	t.Run("from the schedule to the recipients", func(t *testing.T) { testSchedule(t, a, slack) })
	t.Run("killed in the middle of an export", func(t *testing.T) { testKilledExport(t, a) })
	t.Run("killed as SES takes the message", func(t *testing.T) { testKilledSend(t, a) })

	if denied := a.denied(t); len(denied) > 0 {
		t.Errorf("functions were denied what they asked for: %q", denied)
	}
}

func testSchedule(t *testing.T, a account, slack *slacktest.Receiver) {
	tableau := newStandIn(t, "0s")
	vizpost := a.api(t)

	stranger := *vizpost
	stranger.token = ""
	stranger.call(http.StatusUnauthorized, "GET", "/v1/connections", nil)
	// The user pool has asked the function admission for the name.
	if me := vizpost.call(http.StatusOK, "GET", "/v1/me", nil); me.text("name") != "admin@example.com" || me.text("role") != "admin" {
		t.Errorf("the API says that the one signed in is %v", me)
	}
	how := object(vizpost.call(http.StatusOK, "GET", "/config.json", nil)["sign_in"].(map[string]any))
	if how.text("type") != "cognito" || how.text("client_id") != a.resource(t, "SignInClient") || !strings.HasPrefix(how.text("domain"), "https://") {
		t.Errorf("the page is told to sign in by %v", how)
	}

	connection := vizpost.call(http.StatusCreated, "POST", "/v1/connections", object{
		"name": "Sales", "server_url": tableau["url"], "site": tableau["site"], "auth": tableau.password(),
	}).text("id")
	switched := vizpost.call(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"auth": tableau.token()})
	if switched.text("state") != "connected" {
		t.Errorf("switched to a token: %v", switched)
	}
	channel := vizpost.call(http.StatusCreated, "POST", "/v1/destinations", object{
		"name": "Sales channel", "type": "slack", "url": slack.URL + "/services/T000/B000/end-to-end",
	}).text("id")
	due := soon(time.Now())
	report := vizpost.call(http.StatusCreated, "POST", "/v1/reports", object{
		"name": "Morning numbers", "connection_id": connection,
		"content":  []object{{"view": tableau.view(), "format": "png"}, {"view": tableau.view(), "format": "pdf"}},
		"schedule": object{"cron": fmt.Sprintf("%d %d * * *", due.Minute(), due.Hour()), "time_zone": "UTC"},
		"destinations": []object{
			{"id": "mail", "type": "email", "to": []string{"ana@example.com"}},
			{"id": "sales", "type": "slack", "destination_id": channel, "text": "News"},
		},
	})
	if got := report.text("next_run_at"); got != due.Format(time.RFC3339) {
		t.Fatalf("the report is due at %s, want %s", got, due.Format(time.RFC3339))
	}

	runs := vizpost.wait("the schedule has made a run", 3*time.Minute, "/v1/reports/"+report.text("id")+"/runs",
		func(o object) bool { return len(o.list("runs")) > 0 }).list("runs")
	if len(runs) != 1 || runs[0].text("trigger") != "schedule" {
		t.Errorf("the runs are %v, want one of the schedule", runs)
	}
	path := "/v1/runs/" + runs[0].text("id")
	run := vizpost.wait("the run is delivered", time.Minute, path, delivered)

	emails := a.emails(t, "ana@example.com")
	if len(emails) != 1 {
		t.Fatalf("%d mails, want 1", len(emails))
	}
	mail := emails[0]
	if len(mail.mime.Inlines) != 1 || len(mail.mime.Attachments) != 1 || !strings.Contains(mail.mime.HTML, tableau.view()) {
		t.Errorf("the mail has %d pictures and %d attachments, want one of each and a link to the view:\n%s",
			len(mail.mime.Inlines), len(mail.mime.Attachments), mail.mime.HTML)
	}
	if messages := slack.Messages(); len(messages) != 1 || !strings.Contains(messages[0], tableau.view()) {
		t.Errorf("Slack got %q, want one message with a link to the view", messages)
	}
	var want []string
	for _, file := range run.list("files") {
		want = append(want, file.text("sha256"))
	}
	got := a.files(t)
	slices.Sort(want)
	slices.Sort(got)
	if len(want) != 2 || !slices.Equal(got, want) {
		t.Errorf("in the bucket lie files with the sums %v, want %v", got, want)
	}

	// One sign-in each to try the password and the token: the export uses the
	// session that trying the token left.
	stats := tableau.stats(t)
	signIns := []any{stats["sign_ins"], stats["sign_ins_failed"], stats["sessions_ended_by_sign_in"]}
	if diff := cmp.Diff([]any{2.0, 0.0, 0.0}, signIns); diff != "" {
		t.Errorf("sign-ins, failed ones, and sessions that they ended (-want +got):\n%s", diff)
	}

	sent := delivery(run, "mail")
	if sent.text("state") != "sent" {
		t.Errorf("the mail is %s, want sent", sent.text("state"))
	}
	a.sesSays(t, "Email Delivered", "Delivery", mail)
	if got := delivery(vizpost.call(http.StatusOK, "GET", path, nil), "mail").text("state"); got != "confirmed" {
		t.Errorf("after SES has said that it was delivered, the mail is %s, want confirmed", got)
	}
}

// testKilledExport kills the function while it waits for Tableau. Nothing was
// sent by then.
func testKilledExport(t *testing.T, a account) {
	tableau := newStandIn(t, "5s")
	vizpost := a.api(t)
	path := startRun(vizpost, tableau, "bob@example.com")
	vizpost.wait("the run is in hand", time.Minute, path, func(o object) bool {
		return o.text("state") == "running" && tableau.stats(t)["exports_in_flight"] == 1.0
	})
	a.kill(t, a.resource(t, "ExportFunction"))

	run := vizpost.wait("the run is delivered", 2*time.Minute, path, delivered)
	if emails := a.emails(t, "bob@example.com"); len(emails) != 1 {
		t.Errorf("%d mails, want 1", len(emails))
	}
	if d := delivery(run, "mail"); d["possible_repeat"] != false {
		t.Errorf("the message is marked as a possible repeat, though none was sent before: %v", d)
	}
	if n := tableau.stats(t)["sign_ins"]; n != 1.0 {
		t.Errorf("%v sign-ins, want 1: the next function has the session", n)
	}
}

// testKilledSend kills the function when the message lies in SES, and before
// the answer that it does has come. SES's event is then the proof.
func testKilledSend(t *testing.T, a account) {
	tableau := newStandIn(t, "0s")
	vizpost := a.api(t)
	path := startRun(vizpost, tableau, "cleo@example.com")
	emails := a.waitEmails(t, "cleo@example.com")
	a.kill(t, a.resource(t, "ExportFunction"))
	if state := delivery(vizpost.call(http.StatusOK, "GET", path, nil), "mail").text("state"); state != "sending" {
		t.Fatalf("the message was %s when the function was killed, want sending: nothing is tested", state)
	}
	a.sesSays(t, "Email Sent", "Send", emails[0])

	run := vizpost.wait("the run is delivered", 2*time.Minute, path, delivered)
	if emails := a.emails(t, "cleo@example.com"); len(emails) != 1 {
		t.Errorf("%d mails, want 1", len(emails))
	}
	if d := delivery(run, "mail"); d["possible_repeat"] != false {
		t.Errorf("the message is marked as a possible repeat, though it went once: %v", d)
	}
}

// startRun makes a connection and a report without a schedule, runs it, and
// gives the run's path.
func startRun(vizpost *api, tableau standIn, to string) string {
	vizpost.t.Helper()
	connection := vizpost.call(http.StatusCreated, "POST", "/v1/connections", object{
		"name": to, "server_url": tableau["url"], "site": tableau["site"], "auth": tableau.token(),
	}).text("id")
	report := vizpost.call(http.StatusCreated, "POST", "/v1/reports", object{
		"name": "Numbers for " + to, "connection_id": connection,
		"content":      []object{{"view": tableau.view(), "format": "png"}},
		"destinations": []object{{"id": "mail", "type": "email", "to": []string{to}}},
	}).text("id")
	return "/v1/runs/" + vizpost.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
}

// soon is the next full minute but for one that is too near to make a report
// before it.
func soon(now time.Time) time.Time {
	return now.UTC().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
}

func delivered(run object) bool { return run.text("state") == "delivered" }

// delivery gives a run's delivery to a destination.
func delivery(run object, destination string) object {
	for _, d := range run.list("deliveries") {
		if d.text("destination_id") == destination {
			return d
		}
	}
	return nil
}
