package run_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const sales = "Superstore/sheets/SalesbyRegion"

// regions is content that shows one region; there is no Atlantis.
func regions(format tableau.Format, region string, policy report.IfEmpty) report.Content {
	return report.Content{View: sales, Format: format, Filters: map[string][]string{"Region": {region}}, IfEmpty: policy}
}

func TestNoData(t *testing.T) {
	t.Parallel()
	answer := func(body string) func(*world) {
		return func(w *world) {
			real := w.network.Handler
			w.network.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/data") {
					real.ServeHTTP(rw, r)
					return
				}
				rw.Header().Set("Content-Type", "text/csv;charset=utf-8")
				_, _ = rw.Write([]byte(body))
			})
		}
	}
	refuse := func(code int, route string) func(*world) {
		return func(w *world) {
			w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: code, Route: route, Times: -1})
		}
	}
	const nothing = `"Sales by Region" of the workbook "Superstore" as `
	for name, test := range map[string]struct {
		content report.Content
		before  func(*world)
		state   run.State
		reason  string
	}{
		"csv, left out":                    {regions(tableau.CSV, "Atlantis", report.SkipEmpty), nil, run.Skipped, nothing + "CSV has no data, so nothing was sent."},
		"csv, left out unless said":        {regions(tableau.CSV, "Atlantis", ""), nil, run.Skipped, "so nothing was sent"},
		"csv, sent":                        {regions(tableau.CSV, "Atlantis", report.SendEmpty), nil, run.Delivered, ""},
		"csv, fails":                       {regions(tableau.CSV, "Atlantis", report.FailEmpty), nil, run.Failed, nothing + "CSV has no data, and the report is set to fail then."},
		"csv with data, left out":          {regions(tableau.CSV, "West", report.SkipEmpty), nil, run.Delivered, ""},
		"csv with data, fails":             {regions(tableau.CSV, "West", report.FailEmpty), nil, run.Delivered, ""},
		"a blank line, left out":           {regions(tableau.CSV, "West", report.SkipEmpty), answer("\r\n"), run.Skipped, "so nothing was sent"},
		"no bytes, left out":               {regions(tableau.CSV, "West", report.SkipEmpty), answer(""), run.Skipped, "so nothing was sent"},
		"no bytes, fails":                  {regions(tableau.CSV, "West", report.FailEmpty), answer(""), run.Failed, "set to fail then"},
		"no bytes, sent":                   {regions(tableau.CSV, "West", report.SendEmpty), answer(""), run.Failed, "empty CSV file"},
		"an error message":                 {regions(tableau.CSV, "West", report.SkipEmpty), answer(`{"error":{"code":"400081"}}`), run.Failed, "could not render"},
		"excel, left out":                  {regions(tableau.XLSX, "Atlantis", report.SkipEmpty), nil, run.Skipped, nothing + "XLSX has no data"},
		"excel, fails":                     {regions(tableau.XLSX, "Atlantis", report.FailEmpty), nil, run.Failed, "set to fail then"},
		"excel, sent":                      {regions(tableau.XLSX, "Atlantis", report.SendEmpty), nil, run.Failed, "no data to export"},
		"excel with data, left out":        {regions(tableau.XLSX, "West", report.SkipEmpty), nil, run.Delivered, ""},
		"excel refused though it has data": {regions(tableau.XLSX, "West", report.SkipEmpty), refuse(400130, "crosstab"), run.Failed, "although it has data"},
		"csv refused as without data":      {regions(tableau.CSV, "West", report.SkipEmpty), refuse(400083, "data"), run.Skipped, "so nothing was sent"},
		"a picture without data, left out": {regions(tableau.PNG, "Atlantis", report.SkipEmpty), nil, run.Skipped, nothing + "PNG has no data"},
		"a picture without data, fails":    {regions(tableau.PNG, "Atlantis", report.FailEmpty), nil, run.Failed, "set to fail then"},
		"a picture without data, sent":     {regions(tableau.PNG, "Atlantis", report.SendEmpty), nil, run.Delivered, ""},
		"a picture":                        {regions(tableau.PNG, "West", report.SkipEmpty), nil, run.Delivered, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				if w.makeReport("r", content(test.content)); test.before != nil {
					test.before(w)
				}
				id := w.start("r")
				w.work()
				r := w.wantRun(id, test.state, test.reason)
				if r.NoData != (test.state == run.Skipped) {
					w.Errorf("got NoData %v of a run that is %s", r.NoData, r.State)
				}
				switch test.state {
				case run.Delivered:
					w.wantMail("ana@example.com", 1)
				case run.Skipped, run.Failed:
					w.wantMail("ana@example.com", 0)
					w.wantMail(owner, 1)
					w.wantIdle()
				}
				for _, f := range r.Files {
					tells := test.content.Format != tableau.PNG
					if tells != (f.Rows != nil) || tells && (*f.Rows == 0) != (r.LeftOut(f) || test.content.IfEmpty == report.SendEmpty) {
						w.Errorf("got the file %+v", f)
					}
				}
			})
		})
	}
}

// Content that was stored before there was a choice goes on as it was.
func TestNoDataOfStoredContent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		r := w.makeReport("r", content(regions(tableau.CSV, "Atlantis", "")))
		r.Content[0].IfEmpty = ""
		w.succeed(w.store.UpdateReport(w.Context(), r))
		name := "Renamed"
		_, err := w.reports.Edit(w.Context(), "r", report.Edit{Name: &name})
		w.succeed(err)
		id := w.start("r")
		w.work()
		w.wantRun(id, run.Delivered, "")
	})
}

// Of several contents, those with data arrive, and the message says what was
// left out.
func TestSomeWithoutData(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo, content(regions(tableau.CSV, "Atlantis", ""), regions(tableau.CSV, "West", ""),
			regions(tableau.XLSX, "Atlantis", "")))
		id := w.start("r")
		w.work()
		r := w.wantRun(id, run.Delivered, "")
		if len(r.Files) != 3 {
			w.Errorf("got %d files, want 3", len(r.Files))
		}
		const said = "These have no data this time, so they were left out: Sales by Region (CSV), Sales by Region (XLSX)."
		mail := w.wantMail("ana@example.com", 1)[0]
		if len(mail.Attachments) != 1 || !strings.Contains(string(mail.Attachments[0].Content), "West") {
			w.Errorf("got %d attachments, want the one with data", len(mail.Attachments))
		}
		for where, text := range map[string]string{"the mail's text": mail.Text, "the mail's HTML": mail.HTML, "Slack": w.slack.arrived[0]} {
			if !strings.Contains(text, said) {
				w.Errorf("%s does not say what was left out:\n%s", where, text)
			}
		}
		w.wantMail(owner, 0)
	})
}

// The report's people hear of the first run in a row that had no data, and again
// once one was delivered in between.
func TestNoDataIsToldOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", content(regions(tableau.CSV, "Atlantis", "")))
		turn := func(region string) {
			w.Helper()
			items := []report.Content{regions(tableau.CSV, region, "")}
			_, err := w.reports.Edit(w.Context(), "r", report.Edit{Content: &items})
			w.succeed(err)
		}
		runs := func(state run.State, o run.Start) {
			w.Helper()
			id := w.start("r", o)
			w.work()
			w.wantRun(id, state, "")
			time.Sleep(time.Hour)
		}
		told := 0
		wantTold := func(n int) {
			w.Helper()
			w.work()
			told += n
			for _, e := range w.wantMail(owner, told) {
				if !strings.Contains(e.GetHeader("Subject"), "had no data and was not sent") {
					w.Errorf("got the subject %q", e.GetHeader("Subject"))
				}
			}
		}
		runs(run.Skipped, run.Start{DryRun: true})
		runs(run.Skipped, run.Start{OnlyTo: []string{"me@example.com"}})
		wantTold(0)
		runs(run.Skipped, run.Start{})
		wantTold(1)
		runs(run.Skipped, run.Start{})
		wantTold(0)
		turn("West")
		runs(run.Delivered, run.Start{OnlyTo: []string{"me@example.com"}}) // a test is none in between
		turn("Atlantis")
		runs(run.Skipped, run.Start{})
		wantTold(0)
		turn("West")
		runs(run.Delivered, run.Start{})
		turn("Atlantis")
		runs(run.Skipped, run.Start{})
		wantTold(1)
	})
}
