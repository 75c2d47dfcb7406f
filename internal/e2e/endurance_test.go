package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	endurePeople   = 4  // processes on one data folder
	endureReports  = 25 // of which the first goes to Slack, the others to the outbox
	endureRuns     = 20 // of each report
	endureContents = 20 // different exports of each run
	endureExports  = endureReports * endureRuns * endureContents
	endurePatience = 12 * time.Minute
)

// TestTenThousandExports has four processes on one data folder make ten
// thousand exports with one token, while people test the connection, look for
// views and look at previews in all of them, the session's life passes once,
// and a process is killed now and then. Nothing fails for the session's sake,
// nothing is lost or sent twice, and the token is signed in with once for the
// connection and once for the session that ended.
func TestTenThousandExports(t *testing.T) {
	t.Parallel()
	slack := &channel{}
	hooks := httptest.NewServer(slack)
	t.Cleanup(hooks.Close)
	standIn := newTableau(t)
	began := time.Now()
	c := newCrew(t, endurePeople, "VIZPOST_WEBHOOK_ORIGINS="+hooks.URL)

	connection := c.must(http.StatusCreated, "POST", "/v1/connections", standIn.connection()).text("id")
	destination := c.must(http.StatusCreated, "POST", "/v1/destinations",
		object{"name": "#sales", "type": "slack", "url": hooks.URL + "/services/T0/B0/x"}).text("id")
	reports := make([]string, endureReports)
	for i := range reports {
		to := object{"type": "email", "to": []string{"ana@example.com"}}
		if i == 0 {
			to = object{"type": "slack", "destination_id": destination, "text": "run {{ run.id }}"}
		}
		reports[i] = c.must(http.StatusCreated, "POST", "/v1/reports", object{
			"name": fmt.Sprintf("Report %d", i), "connection_id": connection, "content": manyContents(), "destinations": []object{to},
		}).text("id")
	}

	ctx, stop := context.WithCancel(t.Context())
	var starters, people sync.WaitGroup
	t.Cleanup(func() { stop(); starters.Wait(); people.Wait() })
	var looks, started atomic.Int64
	for i, m := range c.members {
		starters.Go(func() { c.startRuns(ctx, i, reports, &started) })
		people.Go(func() { m.lookAround(ctx, connection, &looks) })
	}

	// By progress, not by time: so it is the same on a slow machine. Each is
	// killed once, so at least one of them has the site in hand.
	kills := 0
	kill := func(at int) {
		c.waitUntil(standIn, at)
		m := c.members[kills%len(c.members)]
		m.kill()
		kills++
		if err := m.start(); err != nil {
			t.Fatal(err)
		}
	}
	kill(endureExports / 10)
	kill(3 * endureExports / 10)
	c.waitUntil(standIn, endureExports/2)
	standIn.steer("POST", "clock", object{"advance": "5h"}) // the session has ended, the token has not
	kill(7 * endureExports / 10)
	kill(9 * endureExports / 10)
	starters.Wait()
	c.waitForRuns()
	took := time.Since(began)
	stop()
	people.Wait()

	stats := standIn.stats()
	t.Logf("%d exports in %d runs by %d processes in %s (%.0f a second); %d started, %d kills, %d tests, lists and previews beside them; stand-in: %v",
		standIn.exports(), endureReports*endureRuns, endurePeople, took.Round(time.Second), float64(endureExports)/took.Seconds(),
		started.Load(), kills, looks.Load(), stats)
	if got := stats.number("sign_ins"); got != 2 {
		t.Errorf("%d sign-ins, want 2: the first and one for the session that ended", got)
	}
	for _, name := range []string{"sign_ins_failed", "sessions_ended_by_sign_in", "exports_refused"} {
		if got := stats.number(name); got != 0 {
			t.Errorf("%s is %d, want 0", name, got)
		}
	}
	if got := stats.number("exports_in_flight_max"); got > 8+kills {
		t.Errorf("%d exports at once", got)
	}
	if looks.Load() < 100 {
		t.Errorf("only %d tests, lists and previews beside the exports: nothing was shown", looks.Load())
	}
	c.checkRuns(slack)
	c.wantNoPanics()
}

// manyContents is what one report exports: each a view and filters of its own.
func manyContents() []object {
	var contents []object
	for _, view := range []string{"SalesbyRegion", "ProfitbyCategory", "MonthlySales", "TopCustomers", "Overview"} {
		for _, region := range []string{"West", "East", "Central", "South"} {
			contents = append(contents, object{"view": "Superstore/sheets/" + view, "format": "csv", "filters": object{"Region": []string{region}}})
		}
	}
	contents[0]["format"] = "png"
	return contents[:endureContents]
}

// startRuns starts a share of the runs through one process, and through the
// next while that one is down. The key sees to it that each is made once.
func (c *crew) startRuns(ctx context.Context, share int, reports []string, started *atomic.Int64) {
	for n := share; n < len(reports)*endureRuns; n += len(c.members) {
		path := "/v1/reports/" + reports[n%len(reports)] + "/runs"
		for turn := share; ; turn++ {
			status, answer, err := c.members[turn%len(c.members)].ask(ctx, "POST", path, object{}, "Idempotency-Key", fmt.Sprintf("run-%d", n))
			if err == nil && status == http.StatusAccepted {
				started.Add(1)
				break
			}
			if ctx.Err() != nil {
				return
			}
			if !errors.Is(err, errDown) {
				c.Errorf("starting a run: status %d, %v: %v", status, err, answer)
				return
			}
			_ = pause(ctx, 50*time.Millisecond)
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return
		}
	}
}

// lookAround does what people do in a process's page, as long as the test goes
// on: all of it must work, whatever the other processes do.
func (m *member) lookAround(ctx context.Context, connection string, looks *atomic.Int64) {
	path := "/v1/connections/" + connection
	look := func(method, path string) object {
		status, answer, err := m.ask(ctx, method, path, nil)
		switch {
		case ctx.Err() != nil, errors.Is(err, errDown):
		case err != nil:
			m.crew.Errorf("looking around: %v", err)
		case status != http.StatusOK:
			m.crew.Errorf("process %d: %s %s: status %d: %v", m.number, method, path, status, answer)
		default:
			looks.Add(1)
		}
		return answer
	}
	for ctx.Err() == nil {
		look("POST", path+"/test")
		views := look("GET", path+"/views?search="+url.QueryEscape("sales")).list("views")
		if len(views) > 0 {
			look("GET", path+"/views/"+views[0].text("id")+"/preview")
		}
		look("GET", path)
		_ = pause(ctx, 300*time.Millisecond)
	}
}

// waitUntil waits until the stand-in has delivered a number of exports.
func (c *crew) waitUntil(s *tableau, exports int) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), endurePatience)
	defer cancel()
	for s.exports() < exports {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			c.Fatalf("%d exports, waiting for %d: %v", s.exports(), exports, err)
		}
	}
}

// waitForRuns waits until all runs are delivered. A message to Slack that was
// on its way when its process was killed may have arrived: it is unsure for ten
// minutes and not waited for.
func (c *crew) waitForRuns() {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), endurePatience)
	defer cancel()
	for {
		open := map[string]int{}
		for _, r := range c.runs() {
			if state := r.text("state"); state != "delivered" && !c.onItsWay(r) {
				open[state]++
			}
		}
		if len(open) == 0 {
			return
		}
		if err := pause(ctx, time.Second); err != nil {
			c.Fatalf("waiting for the runs: %v are not delivered", open)
		}
	}
}

// onItsWay reports whether a run waits only to hear of a message that was being
// sent when its process was killed.
func (c *crew) onItsWay(r object) bool {
	if r.text("state") != "queued" && r.text("state") != "running" {
		return false
	}
	all := c.must(http.StatusOK, "GET", "/v1/runs/"+r.text("id"), nil).list("deliveries")
	return len(all) == 1 && all[0].text("type") == "slack" && (all[0].text("state") == "unsure" || all[0].text("state") == "sending")
}

// checkRuns counts what came of the runs.
func (c *crew) checkRuns(slack *channel) {
	c.Helper()
	runs := c.runs()
	if got, want := len(runs), endureReports*endureRuns; got != want {
		c.Errorf("%d runs, want %d", got, want)
	}
	files, tries := 0, 0
	var messages, onTheirWay int
	for _, r := range runs {
		files += len(r.list("files"))
		tries += r.number("attempts")
		id := r.text("id")
		deliveries := c.must(http.StatusOK, "GET", "/v1/runs/"+id, nil).list("deliveries")
		if len(deliveries) != 1 {
			c.Errorf("run %s has %d deliveries, want 1", id, len(deliveries))
			continue
		}
		sent := deliveries[0].text("state") == "sent"
		if !sent {
			onTheirWay++
		}
		if deliveries[0].text("type") == "email" {
			if _, err := os.Stat(filepath.Join(c.data, deliveries[0].text("where"))); err != nil || !sent {
				c.Errorf("run %s: its mail is %q: %v", id, deliveries[0].text("state"), err)
			}
			messages++
			continue
		}
		if got := slack.about(id); got > 1 || sent && got != 1 {
			c.Errorf("run %s: %d messages to Slack, want 1", id, got)
		}
	}
	if files != endureExports {
		c.Errorf("%d files, want %d", files, endureExports)
	}
	if mails, err := filepath.Glob(filepath.Join(c.data, "outbox", "*.eml")); err != nil || len(mails) != messages {
		c.Errorf("%d mails in the outbox, want %d: %v", len(mails), messages, err)
	}
	c.Logf("%d files, %d mails, %d messages to Slack, of %d it is not known; %d passing failures", files, messages, len(slack.got), onTheirWay, tries)
}
