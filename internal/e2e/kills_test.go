package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestKilledWithTheLease kills a process while it signs in. The other one gets
// a session once the dead one's lease has run out, by one sign-in, and the run
// that waited for it meanwhile is delivered without a failure.
func TestKilledWithTheLease(t *testing.T) {
	t.Parallel()
	standIn := newTableau(t)
	c := newCrew(t, 2)
	connection := c.must(http.StatusCreated, "POST", "/v1/connections", standIn.connection()).text("id")
	report := c.must(http.StatusCreated, "POST", "/v1/reports", object{
		"name": "Numbers", "connection_id": connection, "content": []object{{"view": "Superstore/sheets/Overview", "format": "csv"}},
		"destinations": []object{{"type": "email", "to": []string{"ana@example.com"}}},
	}).text("id")
	standIn.steer("POST", "clock", object{"advance": "5h"}) // the session has ended
	standIn.steer("POST", "faults", object{"kind": "hang", "route": "signin"})

	dying, living := c.members[0], c.members[1]
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _, _ = dying.ask(t.Context(), "POST", "/v1/connections/"+connection+"/test", nil)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for len(standIn.steer("GET", "faults", nil).list("faults")) > 0 { // until the sign-in is there
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			t.Fatalf("the process did not sign in: %v", err)
		}
	}
	dying.kill()
	<-asked
	killed := time.Now()

	status, run, err := living.ask(ctx, "POST", "/v1/reports/"+report+"/runs", object{})
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("starting a run: status %d, %v: %v", status, err, run)
	}
	for {
		status, answer, err := living.ask(ctx, "POST", "/v1/connections/"+connection+"/test", nil)
		if err == nil && status == http.StatusOK {
			break
		}
		// An answer never takes longer than 25 s, the lease may.
		if err != nil || status != http.StatusGatewayTimeout && status != http.StatusTooManyRequests {
			t.Fatalf("testing the connection: status %d, %v: %v", status, err, answer)
		}
	}
	t.Logf("the other process had a session %s after the kill", time.Since(killed).Round(time.Second))
	for c.must(http.StatusOK, "GET", "/v1/runs/"+run.text("id"), nil).text("state") != "delivered" {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			t.Fatalf("the run is not delivered: %v", err)
		}
	}
	if got := c.must(http.StatusOK, "GET", "/v1/runs/"+run.text("id"), nil).number("attempts"); got != 0 {
		t.Errorf("the run failed %d times for the session's sake", got)
	}
	stats := standIn.stats()
	if stats.number("sign_ins") != 2 || stats.number("sessions_ended_by_sign_in") != 0 || stats.number("sign_ins_failed") != 0 {
		t.Errorf("the stand-in counts %v, want two sign-ins: the connection's and one for the session that ended", stats)
	}
}

const (
	restlessReports     = 8
	restlessOccurrences = 2 // that all reports have at least
)

// TestKilledAtRandom kills two processes on one data folder at random moments,
// while reports are due each minute: no occurrence is lost or doubled, and no
// message.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	slack := &channel{}
	hooks := httptest.NewServer(slack)
	t.Cleanup(hooks.Close)
	standIn := newTableau(t, "--latency", "200ms")
	c := newCrew(t, 2, "VIZPOST_WEBHOOK_ORIGINS="+hooks.URL)
	connection := c.must(http.StatusCreated, "POST", "/v1/connections", standIn.connection()).text("id")
	destination := c.must(http.StatusCreated, "POST", "/v1/destinations",
		object{"name": "#sales", "type": "slack", "url": hooks.URL + "/services/T0/B0/x"}).text("id")
	var reports []string
	due := map[string]string{} // each report's first occurrence
	for i := range restlessReports {
		to := object{"type": "email", "to": []string{"ana@example.com", "rui@example.com"}}
		if i%2 == 0 {
			to = object{"type": "slack", "destination_id": destination, "text": "run {{ run.id }}"}
		}
		made := c.must(http.StatusCreated, "POST", "/v1/reports", object{
			"name": fmt.Sprintf("Report %d", i), "connection_id": connection, "destinations": []object{to},
			"content":  manyContents()[1:5],
			"schedule": object{"cron": "* * * * *", "time_zone": "UTC", "catch_up": "all"},
		})
		reports = append(reports, made.text("id"))
		due[made.text("id")] = made.text("next_run_at")
	}

	kills := 0
	for end := time.Now().Truncate(time.Minute).Add(restlessOccurrences*time.Minute + 20*time.Second); time.Now().Before(end); {
		if err := pause(t.Context(), time.Second+time.Duration(random.Int64N(int64(5*time.Second)))); err != nil {
			t.Fatal(err)
		}
		m := c.members[random.IntN(len(c.members))]
		m.kill()
		kills++
		if err := m.start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, report := range reports { // no further occurrence; what is queued goes on
		c.must(http.StatusOK, "PATCH", "/v1/reports/"+report, object{"schedule": nil})
	}
	c.waitForRuns()

	minutes, onTheirWay := map[string][]time.Time{}, 0
	var mails int
	for _, r := range c.runs() {
		at, err := time.Parse(time.RFC3339, r.text("scheduled_for"))
		if err != nil {
			t.Fatal(err)
		}
		minutes[r.text("report_id")] = append(minutes[r.text("report_id")], at)
		if r.number("stands_for") != 1 {
			t.Errorf("the run of %s stands for %d occurrences, want 1", at, r.number("stands_for"))
		}
		for _, d := range c.must(http.StatusOK, "GET", "/v1/runs/"+r.text("id"), nil).list("deliveries") {
			sent := d.text("state") == "sent"
			switch {
			case d.text("type") == "slack":
				if got := slack.about(r.text("id")); got > 1 || sent && got != 1 {
					t.Errorf("run %s: %d messages to Slack, want 1", r.text("id"), got)
				}
				if !sent {
					onTheirWay++
				}
			case !sent:
				t.Errorf("run %s: a mail is %q", r.text("id"), d.text("state"))
			default:
				mails++
				if _, err := os.Stat(filepath.Join(c.data, d.text("where"))); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for _, report := range reports {
		times := minutes[report]
		slices.SortFunc(times, time.Time.Compare)
		for i := 1; i < len(times); i++ {
			if times[i].Sub(times[i-1]) != time.Minute {
				t.Errorf("report %s ran for %v, want each minute once", report, times)
			}
		}
		if len(times) < restlessOccurrences || times[0].UTC().Format(time.RFC3339) != due[report] {
			t.Errorf("report %s ran for %v, want %d occurrences from %s on", report, times, restlessOccurrences, due[report])
		}
	}
	if files, err := filepath.Glob(filepath.Join(c.data, "outbox", "*.eml")); err != nil || len(files) != mails {
		t.Errorf("%d mails in the outbox, want %d: %v", len(files), mails, err)
	}
	stats := standIn.stats()
	if got, most := stats.number("sign_ins"), 1+kills; got > most || stats.number("sign_ins_failed") > 0 {
		t.Errorf("the stand-in counts %v, want at most %d sign-ins", stats, most)
	}
	c.wantNoPanics()
	t.Logf("%d kills; %d reports, %d runs, %d mails, %d messages to Slack, of %d it is not known; %d sign-ins",
		kills, len(reports), len(c.runs()), mails, len(slack.got), onTheirWay, stats.number("sign_ins"))
}
