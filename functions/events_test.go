package functions_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/run"
)

// TestEventFiles has the built functions answer every file of events/, one
// after the other as a first day would bring them, and looks at the answers and
// at what was stored.
func TestEventFiles(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	used := map[string]bool{}
	event := func(file string, replace ...string) []byte {
		used[file] = true
		return a.event(file, replace...)
	}

	page := a.call("public", event("public-page.json"), http.StatusOK)
	if !strings.Contains(page.text, "<html") || page.header["Content-Security-Policy"] == "" {
		t.Errorf("the page is %.200q with the headers %v", page.text, page.header)
	}

	made := a.call("api", event("api-create-connection.json"), http.StatusCreated)
	connection := made.get("id")
	if made.get("state") != "connected" || made.get("auth", "method") != "username_password" || made.get("identity", "user_name") != "ana@example.com" {
		t.Errorf("got the connection %v, want one that is connected as Ana", made.body)
	}
	again := a.call("api", event("api-create-connection.json"), http.StatusCreated)
	if again.get("id") != connection {
		t.Errorf("the same request made the connection %s beside %s", again.get("id"), connection)
	}

	edited := a.call("api", event("api-edit-connection-to-token.json", eventConnection, connection), http.StatusOK)
	if edited.get("id") != connection || edited.get("auth", "method") != "personal_access_token" || edited.get("state") != "connected" {
		t.Errorf("got the connection %v, want the same with a token", edited.body)
	}
	kept, err := a.store.Connection(t.Context(), connection)
	a.must(kept, err)
	if kept.Auth.TokenName != "vizpost" || kept.TokenLife.LastUsedAt.IsZero() {
		t.Errorf("the store has %+v", kept)
	}

	created := a.call("api", event("api-create-report.json", eventConnection, connection), http.StatusCreated)
	report := created.get("id")
	if created.get("next_run_at") == "" || created.get("connection_id") != connection {
		t.Errorf("got the report %v, want one with a next run", created.body)
	}

	a.bells() // that the edit rang, for runs that had been held
	started := a.call("api", event("api-run-report.json", eventReport, report), http.StatusAccepted)
	first := started.get("id")
	if started.get("state") != "queued" {
		t.Errorf("got the run %v, want one that is queued", started.body)
	}
	if bells := a.bells(); len(bells) != 1 || !strings.Contains(bells[0], a.server+"/demo") {
		t.Errorf("got the bells %q, want one for the site", bells)
	}

	a.invoke("export", event("export-bell.json"))
	delivered := a.wantRun(first, run.Delivered, run.Sent)
	if len(delivered.Files) != 1 || delivered.Files[0].Format != "pdf" || !slices.Contains(a.files(), delivered.Files[0].Object) {
		t.Errorf("got the files %+v in %q, want one", delivered.Files, a.files())
	}
	mails := a.mails("reader@example.com")
	if len(mails) != 1 || !strings.Contains(mails[0].raw, "Overview.pdf") || mails[0].tags["run"] != first {
		t.Fatalf("got %d mails with the tags %v, want one with the file", len(mails), mails)
	}

	list := a.call("api", event("api-list-runs.json"), http.StatusOK)
	if runs, _ := list.body["runs"].([]any); len(runs) != 1 || runs[0].(object)["id"] != first {
		t.Errorf("got the runs %v, want the one", list.body)
	}

	// What SES tells of the message.
	told := func(file string, runID string, m mail) {
		t.Helper()
		_, deliveries := a.runOf(runID)
		a.invoke("receipts", event(file, eventDelivery, m.tags["delivery"], eventRun, runID, eventMessage, deliveries[0].ProviderID))
	}
	told("receipts-send.json", first, mails[0])
	a.wantRun(first, run.Delivered, run.Sent)
	told("receipts-delivery.json", first, mails[0])
	a.wantRun(first, run.Delivered, run.Confirmed)
	told("receipts-complaint.json", first, mails[0])
	a.wantRun(first, run.Delivered, run.Confirmed)
	if _, deliveries := a.runOf(first); deliveries[0].Code != "complained" {
		t.Errorf("the complaint is not noted: %+v", deliveries[0])
	}

	// A scheduled run.
	a.makeDue(report)
	if out := a.invoke("tick", event("tick-minute.json")); !strings.Contains(string(out), `"Runs":1`) {
		t.Errorf("tick answered %s, want one run", out)
	}
	a.work()
	runs := a.runsOf(report)
	if len(runs) != 2 || runs[0].Trigger != run.Scheduled {
		t.Fatalf("got the runs %+v, want a scheduled one too", runs)
	}
	second := runs[0].ID
	a.wantRun(second, run.Delivered, run.Sent)
	mails = a.mails("reader@example.com")
	told("receipts-bounce.json", second, mails[1])
	bounced := a.wantRun(second, run.Failed, run.Bounced)
	if _, deliveries := a.runOf(second); !strings.Contains(deliveries[0].Message, "550 5.1.1 user unknown") || bounced.Reason == "" {
		t.Errorf("the bounce is not told: %+v, %q", deliveries[0], bounced.Reason)
	}
	a.invoke("tick", event("tick-minute.json"))
	a.work()
	if notices := a.mails("owner@example.com"); len(notices) != 1 {
		t.Errorf("got %d notices of the bounce, want one", len(notices))
	}

	// A token that has not signed in for eight days.
	kept, err = a.store.Connection(t.Context(), connection)
	a.must(kept, err)
	a.unusedForDays(kept, 8)
	signIns := a.tableau.Stats().SignIns
	a.invoke("care", event("care-hour.json"))
	a.work()
	if got := a.tableau.Stats().SignIns; got != signIns+1 {
		t.Errorf("got %d sign-ins, want one more than %d", got, signIns)
	}

	admissionOf(a, func(file string) []byte { return event(file) })

	files, err := os.ReadDir(filepath.Join("..", "events"))
	a.must(files, err)
	for _, f := range files {
		if !used[f.Name()] {
			t.Errorf("events/%s is not tried", f.Name())
		}
	}
}

// runOf reads a run from the store.
func (a *account) runOf(id string) (run.Run, []run.Delivery) {
	a.Helper()
	r, err := a.store.Run(a.Context(), id)
	a.must(r, err)
	deliveries, err := a.store.Deliveries(a.Context(), id)
	a.must(deliveries, err)
	return r, deliveries
}

// wantRun checks the state of a run and of each of its deliveries.
func (a *account) wantRun(id string, state run.State, deliveries ...run.DeliveryState) run.Run {
	a.Helper()
	r, got := a.runOf(id)
	var states []run.DeliveryState
	for _, d := range got {
		states = append(states, d.State)
	}
	if r.State != state || !slices.Equal(states, deliveries) {
		a.Fatalf("got the run %s (%s) with deliveries %v, want %s with %v", r.State, r.Reason, states, state, deliveries)
	}
	return r
}

// runsOf gives a report's runs, the newest first.
func (a *account) runsOf(report string) []run.Run {
	a.Helper()
	runs, _, err := a.store.Runs(a.Context(), run.Filter{ReportID: report}, "", 100)
	a.must(runs, err)
	return runs
}

// makeDue moves a report's next run a minute into the past.
func (a *account) makeDue(report string) {
	a.Helper()
	r, err := a.store.Report(a.Context(), report)
	a.must(r, err)
	// What is stored is due only if the schedule says so, too.
	now := time.Now()
	due, ok := r.Schedule.Latest(now.AddDate(0, 0, -8), now)
	if !ok {
		a.Fatalf("the schedule of %s has no time in the last week", r.Name)
	}
	r.NextRunAt, r.CreatedAt, r.UpdatedAt = due, due.AddDate(0, 0, -1), due.AddDate(0, 0, -1)
	a.must(nil, a.store.UpdateReport(a.Context(), r))
}

// steadyClock has the clock of vizpost gone on steadily for an hour, so that the
// next tick compares what is stored with it.
func (a *account) steadyClock() {
	a.Helper()
	p, err := a.store.Pulse(a.Context())
	a.must(p, err)
	p.At, p.Since, p.From, p.HealedAt = time.Now().Add(-time.Minute), time.Now().Add(-time.Hour), time.Now().Add(-time.Hour), time.Time{}
	a.must(nil, a.store.PutPulse(a.Context(), p))
}

// sam local start-api checks no token: what came through no authorizer is
// refused, whatever it says of itself.
func TestRequestsWithoutClaims(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for name, change := range map[string]func(object){
		"no authorizer": func(e object) { delete(e["requestContext"].(object), "authorizer") },
		"no claims": func(e object) {
			e["requestContext"].(object)["authorizer"].(object)["jwt"].(object)["claims"] = object{}
		},
		"an ID token": func(e object) {
			e["requestContext"].(object)["authorizer"].(object)["jwt"].(object)["claims"].(object)["token_use"] = "id"
		},
		"a token for another client": func(e object) {
			e["requestContext"].(object)["authorizer"].(object)["jwt"].(object)["claims"].(object)["client_id"] = "2example"
		},
		"a token of another pool": func(e object) {
			e["requestContext"].(object)["authorizer"].(object)["jwt"].(object)["claims"].(object)["iss"] = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other"
		},
	} {
		for _, call := range []struct {
			method, path string
			body         object
		}{
			{"GET", "/v1/connections", nil}, {"GET", "/v1/runs/x/files/y", nil}, {"POST", "/v1/reports/x/runs", object{}},
			{"POST", "/v1/connections", object{"name": "x", "server_url": "https://x.example.com", "site": "", "auth": object{"method": "username_password", "username": "a", "password": "b"}}},
		} {
			got := a.call("api", a.request(call.method, call.path, call.body, change), http.StatusUnauthorized)
			if got.get("code") != "unauthenticated" {
				t.Errorf("%s: %s %s: got %v, want a problem", name, call.method, call.path, got.body)
			}
		}
	}
	// A viewer may read and nothing else; who is in no group may nothing.
	groups := func(groups any) func(object) {
		return func(e object) {
			e["requestContext"].(object)["authorizer"].(object)["jwt"].(object)["claims"].(object)["cognito:groups"] = groups
		}
	}
	a.call("api", a.request("GET", "/v1/runs", nil, groups("[viewer]")), http.StatusOK)
	a.call("api", a.request("DELETE", "/v1/connections/x", nil, groups("[viewer]")), http.StatusForbidden)
	a.call("api", a.request("GET", "/v1/runs", nil, groups("[others]")), http.StatusForbidden)
}

// Whoever is not signed in learns whether vizpost can do its work, and no more.
func TestHealth(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	anybody := func(e object) { delete(e["requestContext"].(object), "authorizer") }
	want := func(status int, body string, codes ...string) {
		t.Helper()
		a.restart("api") // which keeps its answer for half a minute
		got := a.call("api", a.request("GET", "/healthz", nil, anybody), status)
		if fmt.Sprint(got.body) != body {
			t.Errorf("got %v, want %s", got.body, body)
		}
		a.call("api", a.request("GET", "/v1/health", nil, anybody), http.StatusUnauthorized)
		said := fmt.Sprint(a.api("GET", "/v1/health", nil, http.StatusOK).body)
		for _, code := range codes {
			if !strings.Contains(said, "code:"+code) {
				t.Errorf("got %s, want %s in it", said, code)
			}
		}
		if n := strings.Count(said, "code:"); n != len(codes) {
			t.Errorf("got %s, want %d troubles", said, len(codes))
		}
	}
	want(http.StatusServiceUnavailable, "map[status:trouble]", "scheduler")
	a.invoke("tick", []byte("{}"))
	want(http.StatusOK, "map[status:ok]")
	p, err := a.store.Pulse(t.Context())
	a.must(p, err)
	p.At = time.Now().Add(-time.Hour)
	a.must(nil, a.store.PutPulse(t.Context(), p))
	want(http.StatusServiceUnavailable, "map[status:trouble]", "scheduler")
}

// A function refuses to start with a setting that is missing, and says which.
func TestFunctionsSayWhatSettingIsMissing(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, f := range a.stack.functions() {
		for name := range f.env {
			switch name {
			case "VIZPOST_PRIVATE_NETWORKS", "VIZPOST_CA_BUNDLE", "VIZPOST_PROXY_URL", "VIZPOST_WEBHOOK_ORIGINS", "VIZPOST_SLACK_TEAM",
				"VIZPOST_ADMINS", "VIZPOST_PUBLIC_URL", "VIZPOST_EXPORT_TIMEOUT", "VIZPOST_MAX_EMAIL_BYTES": // may be empty
				continue
			}
			env := a.settings(f)
			delete(env, name)
			log, err := a.start(f.name, env)
			if err == nil || !strings.Contains(log, name+" is missing: it must be ") {
				t.Errorf("%s without %s: ended with %v and printed %q", f.name, name, err, log)
			}
		}
	}
}

// What is no event of a function's is an error, which Lambda tries again and
// then puts where somebody sees it.
func TestEventsOfOthers(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for function, file := range map[string]string{
		"api": "tick-minute.json", "public": "export-bell.json", "export": "api-list-runs.json", "receipts": "care-hour.json",
		"admission": "tick-minute.json",
	} {
		if out, err := a.process(function).Invoke(t.Context(), a.event(file)); err == nil {
			t.Errorf("%s answered %s to %s, want an error", function, out, file)
		}
	}
	if _, err := a.process("export").Invoke(t.Context(), a.bell("no bell")); err == nil {
		t.Error("export took what is no bell")
	}
}

// Near the end of its time a function begins with nothing and rings again.
func TestExportRingsAgainBeforeItsTimeIsOver(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.timeout = 30 * time.Second
	connection := a.call("api", a.event("api-create-connection.json"), http.StatusCreated).get("id")
	report := a.call("api", a.event("api-create-report.json", eventConnection, connection), http.StatusCreated).get("id")
	id := a.call("api", a.event("api-run-report.json", eventReport, report), http.StatusAccepted).get("id")
	a.bells()
	a.invoke("export", a.event("export-bell.json"))
	a.wantRun(id, run.Queued)
	bells := a.bells()
	if len(bells) != 1 {
		t.Fatalf("got the bells %q, want one", bells)
	}
	// The site is free: another process goes on at once.
	a.timeout = 5 * time.Minute
	a.restart("export")
	a.invoke("export", a.bell(bells[0]))
	a.wantRun(id, run.Delivered, run.Sent)
}

// A file is a redirect to S3, since a function can answer with 6 MB at most.
func TestFilesAreFetchedFromS3(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	connection := a.call("api", a.event("api-create-connection.json"), http.StatusCreated).get("id")
	report := a.call("api", a.event("api-create-report.json", eventConnection, connection), http.StatusCreated).get("id")
	id := a.call("api", a.event("api-run-report.json", eventReport, report), http.StatusAccepted).get("id")
	a.work()
	file := a.wantRun(id, run.Delivered, run.Sent).Files[0]
	link := a.api("GET", "/v1/runs/"+id+"/files/"+file.ID, nil, http.StatusFound).header["Location"]
	if status, size := a.fetch(link); status != http.StatusOK || size != file.Size {
		t.Errorf("got status %d and %d bytes, want the file's %d", status, size, file.Size)
	}
}
