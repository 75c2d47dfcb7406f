package functions_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// work is the policy of a role that is about what the function's own code does.
// The other is about what Lambda does for it, which no function is seen to do.
const work = "work"

// permitted reports whether one of the statements permits something.
func permitted(statements []statement, action, resource string) bool {
	return slices.ContainsFunc(statements, func(s statement) bool {
		return slices.Contains(s.actions, action) && slices.ContainsFunc(s.resources, func(r string) bool { return covers(r, resource) })
	})
}

// covers reports whether an ARN of a policy, in which * stands for any text, is
// about a resource.
func covers(pattern, resource string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(resource)
}

// wantPermitted checks that functions did only what their roles permit.
func (a *account) wantPermitted() {
	a.Helper()
	for _, f := range a.stack.functions() {
		statements := a.stack.statements(f.role)
		for _, made := range a.recorder.all() {
			if made.function == f.name && !permitted(statements, made.action, made.resource) {
				a.Errorf("%s does %s on %s, which %s does not permit", f.name, made.action, made.resource, f.role)
			}
		}
	}
}

// wantUsed checks that everything that the roles permit is done by somebody.
func (a *account) wantUsed() {
	a.Helper()
	made := a.recorder.all()
	for _, f := range a.stack.functions() {
		for _, s := range a.stack.statements(f.role) {
			if s.policy != work {
				continue
			}
			for _, action := range s.actions {
				for _, resource := range s.resources {
					if !slices.ContainsFunc(made, func(m access) bool {
						return m.function == f.name && m.action == action && covers(resource, m.resource)
					}) {
						a.Errorf("%s permits %s on %s, which %s does not do", f.role, action, resource, f.name)
					}
				}
			}
		}
	}
}

// TestPermissions has the functions do all that they can do, and compares it
// with what the template permits.
func TestPermissions(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.useAPI()
	connection, report := a.deliverByMailAndSlack()
	a.bounceAndRetry(report)
	a.uploadInPartsThatFails(connection)
	a.breakAndMend(connection)
	a.reachAgain(connection)
	a.catchUp(connection)
	a.lookAfterTokens(connection)
	a.tidySecret(connection)
	a.restoreSecret(connection)
	a.removeAll()
	a.wantUsed()
}

func (a *account) password() object {
	return object{"method": "username_password", "username": "ana@example.com", "password": eventPassword}
}

func (a *account) token(name, secret string) object {
	return object{"method": "personal_access_token", "token_name": name, "token_secret": secret}
}

// newToken makes a token of its own.
func (a *account) newToken(name string) object {
	return a.token(name, a.tableau.NewPAT("ana@example.com", name))
}

func (a *account) connectionOf(name string, auth object) object {
	return object{"name": name, "server_url": "http://" + a.server, "site": "demo", "notify": []string{"ops@example.com"}, "auth": auth}
}

func (a *account) reportOf(connection string, change object) object {
	r := object{
		"name": "Numbers", "connection_id": connection, "notify": []string{"owner@example.com"},
		"content":      []object{{"view": "Superstore/sheets/Overview", "format": "csv"}},
		"destinations": []object{{"id": "mail", "type": "email", "to": []string{"reader@example.com", "rui@example.com"}}},
	}
	for name, value := range change {
		r[name] = value
	}
	return r
}

// useAPI does with a connection of its own what people do.
func (a *account) useAPI() {
	a.Helper()
	wrong := a.connectionOf("Wrong", a.token("vizpost", "AAAAAAAAAAAAAAAAAAAAAA==:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"))
	a.api("POST", "/v1/connections", wrong, http.StatusUnprocessableEntity)
	delete(wrong, "notify")
	wrong["auth"] = a.password()
	a.api("POST", "/v1/connections/test", wrong, http.StatusOK)
	id := a.api("POST", "/v1/connections", a.connectionOf("Passing", a.newToken("first")), http.StatusCreated).get("id")
	path := "/v1/connections/" + id
	a.api("PATCH", path, object{"auth": a.newToken("second")}, http.StatusOK)
	a.api("PATCH", path, object{"name": "Short"}, http.StatusOK)
	a.api("POST", path+"/test", nil, http.StatusOK)
	a.api("GET", path+"/views", nil, http.StatusOK)
	a.api("GET", "/v1/connections", nil, http.StatusOK)
	a.api("GET", path, nil, http.StatusOK)
	a.api("GET", path+"/history", nil, http.StatusOK)

	destination := a.api("POST", "/v1/destinations", object{"name": "Sales", "type": "slack", "url": a.slack.URL + "/services/T0/B0/canary"}, http.StatusCreated).get("id")
	a.api("PATCH", "/v1/destinations/"+destination, object{"url": a.slack.URL + "/services/T0/B0/canary-two"}, http.StatusOK)
	a.api("POST", "/v1/destinations/"+destination+"/test", nil, http.StatusOK)
	a.api("GET", "/v1/destinations", nil, http.StatusOK)

	report := a.api("POST", "/v1/reports", a.reportOf(id, object{
		"schedule":     object{"cron": "0 9 * * *", "time_zone": "UTC"},
		"destinations": []object{{"id": "sales", "type": "slack", "destination_id": destination}},
	}), http.StatusCreated).get("id")
	a.api("DELETE", path, nil, http.StatusConflict) // a report uses it
	a.api("GET", "/v1/reports", nil, http.StatusOK)
	a.api("POST", "/v1/reports/"+report+"/runs", object{"dry_run": true}, http.StatusAccepted)
	a.api("PATCH", "/v1/reports/"+report, object{"enabled": false}, http.StatusOK) // skips the run
	a.api("PATCH", "/v1/reports/"+report, object{"destinations": []object{{"id": "mail", "type": "email", "to": []string{"x@example.com"}}}}, http.StatusOK)
	a.api("GET", "/v1/reports/"+report+"/runs", nil, http.StatusOK)
	a.api("GET", "/v1/runs", nil, http.StatusOK)
	a.api("DELETE", "/v1/reports/"+report, nil, http.StatusNoContent)
	a.api("DELETE", "/v1/destinations/"+destination, nil, http.StatusNoContent)
	a.api("DELETE", path, nil, http.StatusNoContent)
	a.work()
}

func (a *account) deliverByMailAndSlack() (connection, report string) {
	a.Helper()
	connection = a.api("POST", "/v1/connections", a.connectionOf("Sales", a.newToken("sales")), http.StatusCreated).get("id")
	destination := a.api("POST", "/v1/destinations", object{"name": "Sales", "type": "slack", "url": a.slack.URL + "/services/T0/B0/canary"}, http.StatusCreated).get("id")
	report = a.api("POST", "/v1/reports", a.reportOf(connection, object{
		"schedule": object{"cron": "0 9 * * *", "time_zone": "UTC"},
		"destinations": []object{
			{"id": "mail", "type": "email", "to": []string{"reader@example.com", "rui@example.com"}},
			{"id": "sales", "type": "slack", "destination_id": destination},
		},
	}), http.StatusCreated).get("id")
	a.makeDue(report)
	a.steadyClock()
	a.invoke("tick", a.event("tick-minute.json"))
	a.work()
	r := a.runsOf(report)[0]
	a.wantRun(r.ID, run.Delivered, run.Sent, run.Sent, run.Sent)
	if got := a.slack.Messages(); len(got) != 2 || !strings.Contains(got[1], "/views/Superstore/Overview") {
		a.Errorf("Slack got %q, want a test and a message", got)
	}
	link := a.api("GET", "/v1/runs/"+r.ID+"/files/"+r.Files[0].ID, nil, http.StatusFound).header["Location"]
	if status, _ := a.fetch(link); status != http.StatusOK {
		a.Errorf("the file's link answers %d", status)
	}
	return connection, report
}

// bounceAndRetry has a mail come back, and tried again when its file is gone: the
// view is exported again.
func (a *account) bounceAndRetry(report string) {
	a.Helper()
	r := a.runsOf(report)[0]
	_, deliveries := a.runOf(r.ID)
	a.invoke("receipts", a.event("receipts-bounce.json", eventDelivery, strings.ReplaceAll(deliveries[0].Key, ".", "_"),
		eventRun, r.ID, eventMessage, deliveries[0].ProviderID, "reader@example.com", deliveries[0].To[0]))
	a.wantRun(r.ID, run.PartlyDelivered, run.Bounced, run.Sent, run.Sent)
	a.must(a.s3.DeleteObject(a.Context(), &s3.DeleteObjectInput{Bucket: aws.String(a.stack.names["FilesBucket"]), Key: aws.String(r.Files[0].Object)}))
	a.api("POST", "/v1/runs/"+r.ID+"/retry", nil, http.StatusAccepted)
	a.work()
	a.wantRun(r.ID, run.Delivered, run.Sent, run.Sent, run.Sent)
}

// uploadInPartsThatFails exports a file that goes up in parts, of which one is
// refused.
func (a *account) uploadInPartsThatFails(connection string) {
	a.Helper()
	report := a.api("POST", "/v1/reports", a.reportOf(connection, object{"name": "Large"}), http.StatusCreated).get("id")
	a.must(nil, a.tableau.AddFault(tableautest.Fault{Kind: tableautest.FaultSize, Route: "export", Bytes: 9 << 20, Times: 1}))
	parts := 0
	a.recorder.breakDown(func(m access) string {
		if m.function == "export" && m.action == "s3:PutObject" {
			if parts++; parts == 2 { // the first begins the upload
				return "AccessDenied"
			}
		}
		return ""
	})
	defer a.recorder.breakDown(nil)
	id := a.api("POST", "/v1/reports/"+report+"/runs", object{}, http.StatusAccepted).get("id")
	a.work()
	a.wantRun(id, run.Queued)
	a.api("DELETE", "/v1/reports/"+report, nil, http.StatusNoContent)
}

// breakAndMend revokes the token, so that a run is held, and enters another.
func (a *account) breakAndMend(connection string) {
	a.Helper()
	report := a.api("POST", "/v1/reports", a.reportOf(connection, object{"name": "Held"}), http.StatusCreated).get("id")
	a.tableau.RevokeTokens("")
	id := a.api("POST", "/v1/reports/"+report+"/runs", object{}, http.StatusAccepted).get("id")
	a.work()
	a.wantRun(id, run.Held)
	a.invoke("care", a.event("care-hour.json")) // has it probed
	a.invoke("tick", a.event("tick-minute.json"))
	a.work()
	if len(a.mails("ops@example.com")) == 0 {
		a.Error("nobody was told that the connection is broken")
	}
	a.api("PATCH", "/v1/connections/"+connection, object{"auth": a.newToken("mended")}, http.StatusOK)
	a.work()
	a.wantRun(id, run.Delivered, run.Sent, run.Sent)
	a.api("DELETE", "/v1/reports/"+report, nil, http.StatusNoContent)
}

// reachAgain probes a connection that could not be reached, and has the run
// that it held delivered.
func (a *account) reachAgain(connection string) {
	a.Helper()
	a.tableau.Advance(5 * time.Hour) // ends the session
	a.api("POST", "/v1/connections/"+connection+"/test", nil, http.StatusOK)
	report := a.api("POST", "/v1/reports", a.reportOf(connection, object{"name": "Probed"}), http.StatusCreated).get("id")
	c, err := a.store.Connection(a.Context(), connection)
	a.must(c, err)
	c.State, c.ProbeAt = "unreachable", time.Now().Add(-time.Minute)
	a.must(nil, a.store.UpdateConnection(a.Context(), c, nil))
	id := a.api("POST", "/v1/reports/"+report+"/runs", object{}, http.StatusAccepted).get("id")
	a.work()
	a.wantRun(id, run.Delivered, run.Sent, run.Sent)
	a.api("DELETE", "/v1/reports/"+report, nil, http.StatusNoContent)
}

// catchUp has a report run for each of the hours that it missed, which are more
// than one transaction takes.
func (a *account) catchUp(connection string) {
	a.Helper()
	report := a.api("POST", "/v1/reports", a.reportOf(connection, object{"name": "Hourly",
		"schedule": object{"cron": "0 * * * *", "time_zone": "UTC", "catch_up": "all"}}), http.StatusCreated).get("id")
	r, err := a.store.Report(a.Context(), report)
	a.must(r, err)
	r.NextRunAt = time.Now().Add(-60 * time.Hour).Truncate(time.Hour)
	a.must(nil, a.store.UpdateReport(a.Context(), r))
	a.invoke("tick", a.event("tick-minute.json"))
	if got := len(a.runsOf(report)); got < 60 {
		a.Errorf("got %d runs, want one for each of 60 hours", got)
	}
	a.api("DELETE", "/v1/reports/"+report, nil, http.StatusNoContent)
}

// lookAfterTokens has a token kept alive, and its end warned of.
func (a *account) lookAfterTokens(connection string) {
	a.Helper()
	c, err := a.store.Connection(a.Context(), connection)
	a.must(c, err)
	c.TokenLife.ExpiresAt = time.Now().AddDate(0, 0, 5)
	a.unusedForDays(c, 8)
	before := len(a.mails("ops@example.com"))
	a.invoke("care", a.event("care-hour.json"))
	a.invoke("care", a.event("care-hour.json"))
	a.work()
	if got := len(a.mails("ops@example.com")); got != before+1 {
		a.Errorf("got %d warnings, want one", got-before)
	}
}

// unusedForDays stores a connection whose token has not signed in for days.
func (a *account) unusedForDays(c connection.Connection, days int) {
	a.Helper()
	known, err := a.store.SignIn(a.Context(), c.Fingerprint)
	a.must(known, err)
	c.TokenLife.LastUsedAt = time.Now().AddDate(0, 0, -days)
	known.Session.SignedInAt = c.TokenLife.LastUsedAt
	a.must(nil, a.store.UpdateConnection(a.Context(), c, &known.Session))
}

// restoreSecret enters a credential where an operator has removed the secret.
// The emulator takes a value for a secret that was removed; AWS does not.
func (a *account) restoreSecret(connection string) {
	a.Helper()
	puts := 0
	a.recorder.breakDown(func(m access) string {
		if m.action == "secretsmanager:PutSecretValue" {
			if puts++; puts == 1 {
				return "InvalidRequestException"
			}
		}
		return ""
	})
	defer a.recorder.breakDown(nil)
	a.must(a.secrets.DeleteSecret(a.Context(), &secretsmanager.DeleteSecretInput{
		SecretId: aws.String("vizpost/" + stackName + "/connection/" + connection), RecoveryWindowInDays: aws.Int64(30)}))
	a.api("PATCH", "/v1/connections/"+connection, object{"auth": a.newToken("restored")}, http.StatusOK)
	a.api("POST", "/v1/connections/"+connection+"/test", nil, http.StatusOK)
}

const leftLabel = "vizpost-version-left"

// tidySecret has care drop the version of a secret that an interrupted edit left.
func (a *account) tidySecret(connection string) {
	a.Helper()
	id := aws.String("vizpost/" + stackName + "/connection/" + connection)
	a.must(a.secrets.PutSecretValue(a.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: id, SecretBinary: []byte("left"), VersionStages: []string{leftLabel}}))
	a.invoke("care", a.event("care-hour.json"))
	known, err := a.secrets.DescribeSecret(a.Context(), &secretsmanager.DescribeSecretInput{SecretId: id})
	a.must(known, err)
	for _, labels := range known.VersionIdsToStages {
		if slices.Contains(labels, leftLabel) {
			a.Errorf("care left the version %s that nothing names", leftLabel)
		}
	}
	a.api("POST", "/v1/connections/"+connection+"/test", nil, http.StatusOK)
}

// removeAll deletes what there is.
func (a *account) removeAll() {
	a.Helper()
	for _, kind := range []string{"reports", "destinations", "connections"} {
		list, _ := a.api("GET", "/v1/"+kind, nil, http.StatusOK).body[kind].([]any)
		if len(list) == 0 {
			a.Errorf("there are no %s to delete", kind)
		}
		for _, item := range list {
			a.api("DELETE", fmt.Sprint("/v1/", kind, "/", item.(object)["id"]), nil, http.StatusNoContent)
		}
	}
}
