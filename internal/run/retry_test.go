package run_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestPassingFailuresAreTriedAgainInPlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault tableautest.Fault
		took  time.Duration
	}{
		"server error":    {tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "export", Times: 2}, 10 * time.Second},
		"reset":           {tableautest.Fault{Kind: tableautest.FaultReset, Route: "export", Times: 2}, 10 * time.Second},
		"truncated":       {tableautest.Fault{Kind: tableautest.FaultTruncated, Route: "export", Times: 2}, 10 * time.Second},
		"a web page":      {tableautest.Fault{Kind: tableautest.FaultLoginPage, Route: "export", Times: 2}, 10 * time.Second},
		"blank":           {tableautest.Fault{Kind: tableautest.FaultBlank, Route: "export"}, 2 * time.Second},
		"render failed":   {tableautest.Fault{Kind: tableautest.FaultError, Code: 400074, Route: "export"}, 2 * time.Second},
		"not permitted":   {tableautest.Fault{Kind: tableautest.FaultError, Code: 403004, Route: "export"}, 2 * time.Second},
		"view not found":  {tableautest.Fault{Kind: tableautest.FaultError, Code: 404011, Route: "export"}, 2 * time.Second},
		"session ended":   {tableautest.Fault{Kind: tableautest.FaultSessionEnded, Route: "export"}, 0},
		"ended twice":     {tableautest.Fault{Kind: tableautest.FaultSessionEnded, Route: "export", Times: 2}, 2 * time.Second},
		"busy, no word":   {tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "export"}, 2 * time.Second},
		"busy for 20 s":   {tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "export", RetryAfter: tableautest.Duration(20 * time.Second)}, 20 * time.Second},
		"busy, with date": {tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "export", RetryAfter: tableautest.Duration(20 * time.Second), AsDate: true}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				id := w.start("r")
				w.fault(test.fault)
				begun := time.Now()
				w.work()
				if r := w.wantRun(id, run.Delivered, ""); r.Attempts != 0 {
					w.Errorf("got %d attempts, want none that ended the try", r.Attempts)
				}
				if took := time.Since(begun); took != test.took {
					w.Errorf("it took %v, want %v", took, test.took)
				}
				w.wantMail("ana@example.com", 1)
				w.wantMail(owner, 0)
				w.wantIdle()
			})
		})
	}
}

// sentEmpty has content sent that has no data, so that a file of nothing is a
// fault.
func sentEmpty(r *report.Report) { r.Content[0].IfEmpty = report.SendEmpty }

// A failure that is worth one more try gets it, whatever failed before it.
func TestOneMoreTryAfterAnotherFailure(t *testing.T) {
	t.Parallel()
	busy := tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "export"}
	render := tableautest.Fault{Kind: tableautest.FaultError, Code: 400074, Route: "export"}
	blank := tableautest.Fault{Kind: tableautest.FaultBlank, Route: "export"}
	for name, test := range map[string]struct {
		faults []tableautest.Fault
		state  run.State
		reason string
		calls  int
	}{
		"busy, then a rendering":       {[]tableautest.Fault{busy, render}, run.Delivered, "", 3},
		"busy, then blank":             {[]tableautest.Fault{busy, blank}, run.Delivered, "", 3},
		"busy twice, then a rendering": {[]tableautest.Fault{busy, busy, render}, run.Queued, "render", 3},
		"busy twice, then blank":       {[]tableautest.Fault{busy, busy, blank}, run.Queued, "empty", 3},
		"a rendering, busy, and again": {[]tableautest.Fault{render, busy, render}, run.Failed, "render", 3},
		"a rendering, then blank":      {[]tableautest.Fault{render, blank}, run.Failed, "empty", 2},
		"a rendering that fails twice": {[]tableautest.Fault{render, render}, run.Failed, "render", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r", sentEmpty)
				id := w.start("r")
				for _, f := range test.faults {
					w.fault(f)
				}
				w.work()
				w.wantRun(id, test.state, test.reason)
				if got := w.tableau.Stats().Calls["data"]; got != test.calls {
					w.Errorf("got %d exports, want %d", got, test.calls)
				}
			})
		})
	}
}

// What does not pass within the run is tried again after 1, 5, 15 and then each
// 30 minutes, until the deadline; then the report's people hear of it, once.
func TestFailuresThatStay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  tableautest.Fault
		reason string
	}{
		"server error": {tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "export", Times: -1}, "internal error"},
		"truncated":    {tableautest.Fault{Kind: tableautest.FaultTruncated, Route: "export", Times: -1}, "broke off"},
		"a web page":   {tableautest.Fault{Kind: tableautest.FaultLoginPage, Route: "export", Times: -1}, "web page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				id := w.start("r")
				w.fault(test.fault)
				begun := time.Now()
				for i, pause := range []time.Duration{1, 5, 15, 30, 30, 30, 30, 30, 30, 30} {
					w.work()
					r := w.wantRun(id, run.Queued, test.reason)
					if got := time.Until(r.NotBefore); got != pause*time.Minute || r.Attempts != i+1 {
						w.Errorf("got try %d again in %v, want try %d in %v", r.Attempts, got, i+1, pause*time.Minute)
					}
					calls := w.tableau.Stats().Calls["data"]
					w.work() // not yet due
					if got := w.tableau.Stats().Calls["data"]; got != calls {
						w.Errorf("got %d calls before it was due", got-calls)
					}
					w.idle(time.Until(r.NotBefore))
				}
				w.live(time.Until(begun.Add(4*time.Hour + time.Minute)))
				r := w.wantRun(id, run.Failed, "in time")
				if took := r.FinishedAt.Sub(begun); !strings.Contains(r.Reason, test.reason) || took < 4*time.Hour || took > 4*time.Hour+time.Minute {
					w.Errorf("got %q after %v, want the reason at the deadline", r.Reason, took)
				}
				notice := w.wantMail(owner, 1)[0]
				if !strings.Contains(notice.Text, test.reason) || !strings.Contains(notice.GetHeader("Subject"), "Numbers of r") {
					w.Errorf("got notice %q: %q, want it to say which report and why", notice.GetHeader("Subject"), notice.Text)
				}
				w.live(24 * time.Hour)
				w.wantMail(owner, 1)
				w.wantMail("ana@example.com", 0)
				w.wantIdle()
			})
		})
	}
}

func TestFailuresForGood(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  tableautest.Fault
		change func(*report.Content)
		calls  int
		reason string
	}{
		"not permitted":   {fault: tableautest.Fault{Kind: tableautest.FaultError, Code: 403004, Route: "export", Times: -1}, calls: 2, reason: "permission"},
		"export disabled": {fault: tableautest.Fault{Kind: tableautest.FaultError, Code: 403157, Route: "export", Times: -1}, calls: 1, reason: "switched off"},
		"bad filter":      {fault: tableautest.Fault{Kind: tableautest.FaultError, Code: 400065, Route: "export", Times: -1}, calls: 1, reason: "filters"},
		"render failed":   {fault: tableautest.Fault{Kind: tableautest.FaultError, Code: 400074, Route: "export", Times: -1}, calls: 2, reason: "render"},
		"blank":           {fault: tableautest.Fault{Kind: tableautest.FaultBlank, Route: "export", Times: -1}, calls: 2, reason: "empty"},
		"view is gone": {change: func(c *report.Content) {
			c.View, c.ViewID = "Superstore/sheets/Gone", "00000000-0000-4000-8000-000000000000"
		},
			calls: 2, reason: "does not exist"},
		"not what can be asked for": {change: func(c *report.Content) { c.MaxAgeMinutes = -5 }, calls: 0, reason: "whole minutes"},
		"file name":                 {change: func(c *report.Content) { c.FileName = "{{ 1 / }}" }, calls: 1, reason: "file name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r", sentEmpty)
				id := w.start("r")
				if test.change != nil {
					r, _ := w.get(id)
					test.change(&r.Content[0])
					_, err := w.store.UpdateRun(w.Context(), nil, r)
					w.succeed(err)
				}
				if test.fault.Kind != "" {
					w.fault(test.fault)
				}
				w.work()
				r := w.wantRun(id, run.Failed, test.reason)
				if got := w.tableau.Stats().Calls["data"]; got != test.calls {
					w.Errorf("got %d exports, want %d", got, test.calls)
				}
				notice := w.wantMail(owner, 1)[0]
				if !strings.Contains(notice.Text, r.Reason) {
					w.Errorf("got notice %q, want it to say %q", notice.Text, r.Reason)
				}
				w.wantMail("ana@example.com", 0)
				w.wantIdle()
			})
		})
	}
}

// Who mends a view must know which of the report's it is.
func TestFailureNamesTheView(t *testing.T) {
	t.Parallel()
	view := report.Content{View: overview, Format: tableau.CSV}
	workbook := report.Content{View: overview, Scope: report.OfWorkbook, Format: tableau.PDF}
	custom := report.Content{View: "West only", Format: tableau.PNG}
	for name, test := range map[string]struct {
		content []report.Content
		route   string
		code    int
		want    string
	}{
		"view":         {[]report.Content{view, workbook}, "data", 403004, `"Overview" of the workbook "Superstore" as CSV: The Tableau user`},
		"workbook":     {[]report.Content{view, workbook}, "workbook-pdf", 403004, `The workbook "Superstore" as PDF: The Tableau user`},
		"custom view":  {[]report.Content{custom, view}, "customview-image", 403004, `"Overview – West only" of the workbook "Superstore" as PNG: The Tableau user`},
		"may pass":     {[]report.Content{view, workbook}, "data", 500000, `"Overview" of the workbook "Superstore" as CSV: Tableau had`},
		"the only one": {[]report.Content{view}, "data", 403004, "The Tableau user"},
		"same for all": {[]report.Content{view, workbook}, "workbook-pdf", 401002, "The session of this token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r", func(r *report.Report) {
					r.Content = nil
					for _, c := range test.content {
						if c.View == "West only" {
							c.View = overview + "/" + w.customView(c.View)
						}
						r.Content = append(r.Content, c)
					}
				})
				id := w.start("r")
				w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: test.code, Route: test.route, Times: -1})
				w.work()
				if r, _ := w.get(id); !strings.HasPrefix(r.Reason, test.want) {
					w.Errorf("got %s: %q, want %q", r.State, r.Reason, test.want)
				}
			})
		})
	}
}

// A workbook that was deleted and published again has new ids under the old
// addresses.
func TestRepublishedView(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		r, _ := w.get(id)
		r.Content[0].ViewID = "00000000-0000-4000-8000-000000000000"
		_, err := w.store.UpdateRun(w.Context(), nil, r)
		w.succeed(err)
		w.work()
		w.wantRun(id, run.Delivered, "")
		w.wantMail("ana@example.com", 1)
	})
}

// Tableau asks to wait for longer than a run waits in place.
func TestLongRetryAfter(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]time.Duration{40 * time.Second: time.Minute, 10 * time.Minute: 10 * time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				id := w.start("r")
				w.fault(tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "export", RetryAfter: tableautest.Duration(after)})
				w.work()
				r := w.wantRun(id, run.Queued, "busy")
				if got := time.Until(r.NotBefore); got != want {
					w.Errorf("got the next try in %v, want %v", got, want)
				}
				w.live(want)
				w.wantRun(id, run.Delivered, "")
			})
		})
	}
	t.Run("beyond the deadline", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(w *world) {
			w.makeReport("r")
			id := w.start("r")
			w.fault(tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "export", Times: -1, RetryAfter: tableautest.Duration(20 * time.Hour)})
			w.work()
			w.live(4 * time.Hour)
			w.wantRun(id, run.Failed, "busy")
			w.wantMail(owner, 1)
		})
	})
}

// One of two views fails in a passing way. The other's file is kept, and is
// not exported again.
func TestPartOfTheExportsFails(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.SetLatency(20 * time.Second)
		w.makeReport("r", content(report.Content{View: overview, Format: tableau.CSV}, report.Content{View: "Finance/sheets/Overview", Format: tableau.CSV}))
		id := w.start("r")
		w.fault(tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "export", View: overview, Times: 3})
		w.work()
		if r := w.wantRun(id, run.Queued, "internal error"); len(r.Files) != 1 {
			w.Errorf("got %d files, want that of the other view", len(r.Files))
		}
		w.live(time.Minute)
		w.wantRun(id, run.Delivered, "")
		if got := w.tableau.Stats().Exports["csv"]; got != 2 {
			w.Errorf("got %d exports, want 2", got)
		}
	})
}

// A run that nobody tried in time, since the machine slept, is tried all the
// same: late is better than never.
func TestDeadlinePassedUntried(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		time.Sleep(9 * time.Hour)
		w.work()
		w.wantRun(id, run.Delivered, "")
		w.wantMail(owner, 0)
	})
}

// What goes wrong inside vizpost is tried again a minute later, and does not
// keep a processor busy until then.
func TestFailuresInside(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		files := &fullDisk{Files: w.files, full: true}
		w.drain.Files = files
		w.work()
		r := w.wantRun(id, run.Queued, "inside vizpost")
		if got := time.Until(r.NotBefore); got != time.Minute || r.Attempts != 1 || files.puts != 1 {
			w.Errorf("got try %d again in %v after %d writes, want try 1 in a minute", r.Attempts, got, files.puts)
		}
		files.full = false
		w.live(time.Minute)
		w.wantRun(id, run.Delivered, "")

		again := w.start("r")
		files.full = true
		w.live(5 * time.Hour)
		w.wantRun(again, run.Failed, "in time")
		w.wantMail(owner, 1)
		w.wantIdle()
	})
}

// fullDisk stores no files while it is full.
type fullDisk struct {
	run.Files
	full bool
	puts int
}

func (f *fullDisk) Put(ctx context.Context, name, contentType string, r io.Reader, size int64) error {
	f.puts++
	if f.full {
		return errors.New("no space left on device")
	}
	return f.Files.Put(ctx, name, contentType, r, size)
}

// A store that takes no writes must not make the drain turn in circles: what
// cannot even be noted is left to the next drain.
func TestStoreThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	for name, only := range map[string]func(string) bool{
		"at all":     func(what string) bool { return what == "UpdateRun" || what == "PutWork" || what == "UpdateDelivery" },
		"deliveries": func(what string) bool { return what == "UpdateDelivery" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				id := w.start("r")
				note := run.Delivery{Key: "notice.x", Site: site, Type: report.Email, To: []string{owner}, Notice: &run.Notice{Subject: "A", Text: "B"},
					State: run.Waiting, NotBefore: time.Now(), CreatedAt: time.Now()}
				w.succeed(w.store.CreateDeliveries(w.Context(), nil, []run.Delivery{note}))
				broken := &failing{store: w.store, forever: true, only: only}
				broken.left.Store(1)
				w.wire(broken)
				w.bell.take()
				w.work()
				if tries := -broken.left.Load(); tries > 20 {
					w.Errorf("got %d writes that failed, want few", tries)
				}
				if got := w.bell.take(); len(got) > 0 {
					w.Errorf("got bells for %q, want the next tick to ring", got)
				}
				w.wire(w.store)
				w.live(5 * time.Minute)
				w.wantRun(id, run.Delivered, "")
				w.wantMail(owner, 1)
				w.wantIdle()
			})
		})
	}
}

// A server that answers sign-ins with a web page is not to be reached as
// Tableau; its runs wait for it.
func TestWebPageAtSignIn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		time.Sleep(5 * time.Hour) // the session ends of disuse
		id := w.start("r")
		w.fault(tableautest.Fault{Kind: tableautest.FaultLoginPage, Route: "serverinfo", Times: -1})
		w.work()
		w.wantRun(id, run.Held, "not Tableau's REST API")
		if got := w.state(); got != connection.Unreachable {
			w.Errorf("got %s, want an unreachable server", got)
		}
		w.tableau.ClearFaults()
		w.live(2 * time.Minute)
		w.wantRun(id, run.Delivered, "")
	})
}

// Another program's sign-ins use up the allowance: that passes, and the
// connection's problem says what it is.
func TestTokenUsedElsewhere(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.fault(tableautest.Fault{Kind: tableautest.FaultSessionEnded, Route: "export", Times: -1})
		w.work()
		w.wantRun(id, run.Queued, "something else signs in")
		c, err := w.connections.Get(w.Context(), "c")
		w.succeed(err)
		if c.Problem == nil || c.Problem.Code != connection.CodeTokenUsedElsewhere {
			w.Errorf("got problem %+v, want the token to be used elsewhere", c.Problem)
		}
		if got := w.tableau.Stats().SignIns; got > 3 {
			w.Errorf("got %d sign-ins, want at most 3", got)
		}
		w.tableau.ClearFaults()
		w.live(15 * time.Minute)
		w.wantRun(id, run.Delivered, "")
	})
}

func TestServiceErrors(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		_, err := w.runs.Start(w.Context(), "none", run.Start{})
		w.wantKind(err, problem.NotFound)
		_, _, err = w.runs.Get(w.Context(), "none")
		w.wantKind(err, problem.NotFound)
		_, err = w.runs.Retry(w.Context(), "none")
		w.wantKind(err, problem.NotFound)
		_, _, err = w.runs.OpenFile(w.Context(), "none", "none")
		w.wantKind(err, problem.NotFound)
		w.makeReport("r")
		id := w.start("r")
		_, _, err = w.runs.OpenFile(w.Context(), id, "none")
		w.wantKind(err, problem.NotFound)
		_, err = w.runs.Start(w.Context(), "r", run.Start{OnlyTo: []string{"ana@example.com", "nobody"}})
		p := w.wantKind(err, problem.Invalid)
		if len(p.Fields) != 1 || p.Fields[0].Name != "only_to[1]" {
			w.Errorf("got fields %+v, want the second address", p.Fields)
		}
	})
}

func (w *world) wantKind(err error, kind problem.Kind) *problem.Error {
	w.Helper()
	p, ok := problem.From(err)
	if !ok || p.Kind != kind {
		w.Fatalf("got error %v, want kind %d", err, kind)
	}
	return p
}
