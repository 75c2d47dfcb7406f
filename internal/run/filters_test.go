package run_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
	"github.com/vizpost/vizpost/internal/verify"
)

const sheet = "Superstore/sheets/SalesbyRegion"

func west() map[string][]string { return map[string][]string{"Region": {"West"}} }

// A picture that changes by itself says nothing of filters: the report is sent
// without a word of them, and its people are told once.
func TestFiltersThatCannotBeTold(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		// Each picture is drawn anew, with the time on it.
		slow := func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/image") {
				time.Sleep(2 * time.Minute)
			}
		}
		w.network.before.Store(&slow)
		ownWords := func(r *report.Report) {
			r.Destinations[0].Subject = `Numbers [{{ filters }}]`
			r.Destinations[0].Body = `Those of {{ filters.Region[0] }}, {{ files[0].filters }}.`
		}
		w.storeReport("r", content(report.Content{View: overview, Format: tableau.PNG, Filters: west(), FileName: "Of {{ filters }}"}), slackToo, ownWords)
		for i := range 3 {
			id := w.start("r")
			w.work()
			f := w.wantRun(id, run.Delivered, "").Files[0]
			if f.Name != "Of.png" {
				t.Errorf("run %d: the file is called %q, want nothing of filters in it", i, f.Name)
			}
			if f.FilterVerdict != verify.Unknown || f.VerifiedOn != "" || f.CheckedRows != nil {
				t.Errorf("run %d: got the verdict %s on %q with rows %v, want unknown and nothing", i, f.FilterVerdict, f.VerifiedOn, f.CheckedRows)
			}
		}
		for _, mail := range w.wantMail("ana@example.com", 3) {
			if mail.GetHeader("Subject") != "Numbers []" || !strings.Contains(mail.Text, "Those of , .") || strings.Contains(mail.HTML, "Region: West") {
				t.Errorf("the mail %q says %q, want nothing of filters", mail.GetHeader("Subject"), mail.Text)
			}
			if !strings.Contains(mail.Text, "Overview?Region=West") {
				t.Errorf("the mail says %q, want the link with the filter", mail.Text)
			}
		}
		for _, message := range w.slack.arrived {
			if strings.Contains(message, "Region: West") || !strings.Contains(message, "Overview?Region=West") {
				t.Errorf("Slack got %s, want the link with the filter and nothing else of it", message)
			}
		}
		told := w.wantMail(owner, 1)[0]
		for _, want := range []string{"cannot be told", "differ", "check_view", "verify_filters"} {
			if !strings.Contains(told.Text, want) {
				t.Errorf("the owner is told %q, want %q in it", told.Text, want)
			}
		}
	})
}

// A report that required a proof before there was a choice sends nothing without
// one, as it did.
func TestRequiredProofStays(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.storeReport("r", content(report.Content{View: overview, Scope: report.OfWorkbook, Format: tableau.PDF, Filters: west(), RequireFilterProof: true}))
		id := w.start("r")
		w.work()
		w.wantRun(id, run.Failed, "cannot be told")
		w.wantMail(owner, 1)
	})
}

// What was learned is remembered for a day, for a workbook as it was published.
func TestFiltersAreRemembered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		ask := func(what string, want int, change ...func(*report.Content)) {
			t.Helper()
			c := report.Content{View: sheet, Format: tableau.PNG, Filters: west()}
			for _, change := range change {
				change(&c)
			}
			id := what
			w.storeReport(id, content(c))
			before := w.tableau.Stats().Exports["csv"]
			started := w.start(id)
			w.work()
			w.wantRun(started, run.Delivered, "")
			if got := w.tableau.Stats().Exports["csv"] - before; got != want {
				t.Errorf("%s: the data were read %d times, want %d", what, got, want)
			}
		}
		pdf := func(c *report.Content) { c.Format = tableau.PDF }
		segment := func(values ...string) func(*report.Content) {
			return func(c *report.Content) { c.Filters = map[string][]string{"Segment": values} }
		}
		ask("first", 1)
		ask("again", 0)
		ask("another format", 0, pdf)
		ask("another value", 1, func(c *report.Content) { c.Filters = map[string][]string{"Region": {"East"}} })
		ask("a field that is no column", 3, segment("Consumer"))
		ask("another value of it", 1, segment("Corporate"))
		ask("the same", 0, segment("Corporate"))
		time.Sleep(24*time.Hour + time.Minute)
		ask("a day later", 1)
		ask("a field a day later", 3, segment("Consumer"))
		w.succeed(w.tableau.Republish(sheet, "", ""))
		time.Sleep(6 * time.Minute) // what a view is called is known for five
		ask("published anew", 1)
	})
}

// Messages name no filters that are not verified. Who writes them into the words
// of a report hears of it.
func TestWordsOfUnverifiedFilters(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		unverified := report.Content{View: sheet, Format: tableau.PNG, Filters: west(), Unverified: true}
		verified, named := unverified, unverified
		verified.Unverified = false
		named.FileName = "{{ view }} {{ filters.Region }}"
		without := unverified
		without.Filters = nil
		for name, test := range map[string]struct {
			content report.Content
			subject string
			want    string
		}{
			"in the subject":  {unverified, "{{ filters.Region }}", "destinations[0].subject"},
			"of a file":       {unverified, "{{ files[0].filters }}", "destinations[0].subject"},
			"in a file name":  {named, "", "content[0].file_name"},
			"verified":        {verified, "{{ filters.Region }}", ""},
			"no filters":      {without, "{{ filters.Region }}", ""},
			"a word":          {unverified, "All filters of {{ view }}", ""},
			"nothing of them": {unverified, "{{ view }}", ""},
		} {
			to := email("mail", "ana@example.com")
			to.Subject = test.subject
			r, err := w.reports.Create(w.Context(), name, report.Report{Name: name, ConnectionID: "c", Content: []report.Content{test.content}, Notify: []string{owner},
				Destinations: []report.Destination{to}})
			w.succeed(err)
			var got []string
			for _, warning := range r.Warnings {
				got = append(got, warning.Field)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%s: got warnings %v, want one of %q", name, r.Warnings, test.want)
			}
			edited, err := w.reports.Edit(w.Context(), name, report.Edit{Destinations: &r.Destinations})
			if w.succeed(err); len(edited.Warnings) != len(got) {
				t.Errorf("%s: got warnings %v of an edit of the destinations, want as many as before", name, edited.Warnings)
			}
			off := false
			paused, err := w.reports.Edit(w.Context(), name, report.Edit{Enabled: &off})
			if w.succeed(err); len(paused.Warnings) > 0 {
				t.Errorf("%s: got warnings %v of a pause, want none", name, paused.Warnings)
			}
		}
	})
}

// While a report is saved its filters are looked at: what is wrong is refused
// with what would be right, and what takes too long is left to the first run.
func TestFiltersWhenSaving(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		save := func(id string, c report.Content) (report.Report, error) {
			return w.reports.Create(w.Context(), id, report.Report{Name: id, ConnectionID: "c", Content: []report.Content{c}, Notify: []string{owner},
				Destinations: []report.Destination{email("mail", "ana@example.com")}})
		}
		for name, test := range map[string]struct {
			content report.Content
			want    []string // of what is wrong; none: it is saved
		}{
			"right":                     {report.Content{View: sheet, Format: tableau.PNG, Filters: west()}, nil},
			"misspelled":                {report.Content{View: sheet, Format: tableau.PNG, Filters: map[string][]string{"Regoin": {"West"}}}, []string{`"Regoin"`, "The view's fields are: Region, Category, Sales, Profit."}},
			"misspelled, of data":       {report.Content{View: sheet, Format: tableau.CSV, Filters: map[string][]string{"region": {"West"}}}, []string{`"region"`, `The view has the field "Region"`}},
			"a value, of data":          {report.Content{View: sheet, Format: tableau.CSV, Filters: map[string][]string{"Region": {"west"}}}, []string{`The view has "West"`}},
			"misspelled, of pictures":   {report.Content{View: overview, Format: tableau.PNG, Filters: map[string][]string{"region": {"West"}}}, []string{`"region"`, "The view's data have the fields: Month of Order Date", "those of one worksheet"}},
			"a workbook":                {report.Content{View: overview, Scope: report.OfWorkbook, Format: tableau.PDF, Filters: west()}, []string{"cannot be told", "one by one"}},
			"a parameter of no name":    {report.Content{View: overview, Format: tableau.PNG, Filters: map[string][]string{"Parameters.Topn": {"5"}}}, []string{"cannot be told", `"Parameters.Topn"`, "Data pane", "as it stands there"}},
			"a parameter in lower case": {report.Content{View: overview, Format: tableau.PNG, Filters: map[string][]string{"parameters.Top N": {"3"}}}, []string{`"parameters.Top N"`, `a parameter as "Parameters.Name"`}},
			"a workbook, unverified":    {report.Content{View: overview, Scope: report.OfWorkbook, Format: tableau.PDF, Filters: west(), Unverified: true}, nil},
			"misspelled and unverified": {report.Content{View: sheet, Format: tableau.PNG, Filters: map[string][]string{"region": {"West"}}, Unverified: true}, nil},
			"a check by a dashboard":    {report.Content{View: overview, CheckView: overview, Format: tableau.PNG, Filters: west()}, []string{"This is a dashboard"}},
			"a check by a worksheet":    {report.Content{View: overview, CheckView: sheet, Format: tableau.PNG, Filters: west()}, nil},
		} {
			r, err := save(name, test.content)
			if len(test.want) == 0 {
				if err != nil || len(r.Warnings) > 0 {
					t.Errorf("%s: got error %v and warnings %v, want none", name, err, r.Warnings)
				}
				continue
			}
			p, _ := problem.From(err)
			if len(p.Fields) != 1 || !strings.HasPrefix(p.Fields[0].Name, "content[0].") {
				t.Errorf("%s: got error %v, want one of the content", name, err)
				continue
			}
			for _, want := range test.want {
				if !strings.Contains(p.Fields[0].Message, want) {
					t.Errorf("%s: got %q, want %q in it", name, p.Fields[0].Message, want)
				}
			}
			if _, err := w.reports.Get(w.Context(), name); !problem.Is(err, problem.NotFound) {
				t.Errorf("%s: it was stored: %v", name, err)
			}
		}

		slow := func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/data") {
				select {
				case <-time.After(time.Minute):
				case <-r.Context().Done():
				}
			}
		}
		w.network.before.Store(&slow)
		began := time.Now()
		ctx, cancel := context.WithTimeout(w.Context(), 25*time.Second)
		defer cancel()
		r, err := w.reports.Create(ctx, "slow", report.Report{Name: "slow", ConnectionID: "c", Enabled: true, Notify: []string{owner},
			Content:      []report.Content{{View: "Superstore/sheets/ProfitbyCategory", Format: tableau.PNG, Filters: map[string][]string{"category": {"Furniture"}}}},
			Destinations: []report.Destination{email("mail", "bea@example.com")}})
		w.succeed(err)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s, want some time left to answer", took)
		}
		if len(r.Warnings) != 1 || r.Warnings[0].Field != "content[0].filters" || !strings.Contains(r.Warnings[0].Message, "first run") {
			t.Errorf("got warnings %v, want that the first run decides", r.Warnings)
		}
		w.network.before.Store(nil)
		id := w.start("slow")
		w.work()
		w.wantRun(id, run.Failed, `The view has the field "Category"`)
		w.wantMail("bea@example.com", 0)
	})
}

// An edit of something else asks Tableau nothing of filters that are as they were.
func TestUnchangedFiltersAreNotAskedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		r := w.storeReport("r", content(report.Content{View: sheet, Format: tableau.PNG, Filters: map[string][]string{"region": {"West"}}}))
		items := report.CloneContent(r.Content)
		items[0].FileName = "Another"
		_, err := w.reports.Edit(w.Context(), "r", report.Edit{Content: &items})
		w.succeed(err)
		items[0].Filters = map[string][]string{"region": {"East"}}
		if _, err := w.reports.Edit(w.Context(), "r", report.Edit{Content: &items}); !problem.Is(err, problem.Invalid) {
			t.Errorf("got error %v for other filters, want them refused", err)
		}
	})
}

// Where the data of a view may not be read, pictures decide.
func TestFiltersWithoutPermissionForData(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.fault(tableautest.Fault{Kind: "error", Route: "data", Code: 403004, Status: 403, Times: -1})
		w.storeReport("r", content(report.Content{View: sheet, Format: tableau.PNG, Filters: west()}))
		id := w.start("r")
		w.work()
		f := w.wantRun(id, run.Delivered, "").Files[0]
		if f.FilterVerdict != verify.Applied || f.CheckedRows != nil || !strings.Contains(f.FilterEvidence, "picture") {
			t.Errorf("got %s with rows %v: %q, want it applied by pictures", f.FilterVerdict, f.CheckedRows, f.FilterEvidence)
		}
	})
}

// Views and workbooks go by the names that they have now.
func TestNamesFollowARename(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", content(report.Content{View: sheet, Format: tableau.PNG, Filters: west()},
			report.Content{View: "workbooks/Finance.twbx", Scope: report.OfWorkbook, Format: tableau.PDF}))
		w.succeed(w.tableau.Republish(sheet, "Revenue by Region", "Shop"))
		w.succeed(w.tableau.Republish("Finance/sheets/Overview", "", "Money"))
		time.Sleep(6 * time.Minute) // a view is known for five, where only its name counts for two hours
		id := w.start("r")
		w.work()
		names := map[string]bool{}
		for _, f := range w.wantRun(id, run.Delivered, "").Files {
			names[f.View+" of "+f.Workbook+" as "+f.Name+" on "+f.VerifiedOn] = true
		}
		for _, want := range []string{"Revenue by Region of Shop as Revenue by Region.png on Revenue by Region", "Money of Money as Money.pdf on "} {
			if !names[want] {
				t.Errorf("got files %v, want %s", names, want)
			}
		}
		mail := w.wantMail("ana@example.com", 1)[0]
		if !strings.Contains(mail.Text, "Revenue by Region (Region: West (verified on Revenue by Region)") {
			t.Errorf("the mail says %q, want the new name", mail.Text)
		}

		w.makeReport("plain", content(report.Content{View: overview, Format: tableau.PNG}))
		w.succeed(w.tableau.Republish(overview, "Summary", ""))
		time.Sleep(2*time.Hour + time.Minute)
		id = w.start("plain")
		w.work()
		if got := w.wantRun(id, run.Delivered, "").Files[0]; got.View != "Summary" || got.Name != "Summary.png" {
			t.Errorf("got the file %q of %q, want the new name", got.Name, got.View)
		}
	})
}

// A link leads to no address that an answer named but the server's own, also
// where an earlier version stored it.
func TestForeignPageOfAWorkbook(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"javascript:window.__x=1//workbooks/10220":       "",
		"https://phish.example/#/workbooks/10220":        "",
		"https://tableau.test/#/site/demo/workbooks/1":   "https://tableau.test/#/site/demo/workbooks/",
		"http://tableau.test/#/site/demo/workbooks/7777": "https://tableau.test/#/site/demo/workbooks/",
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				r := w.makeReport("r", content(report.Content{View: "workbooks/Superstore.twbx", Format: tableau.PPTX}))
				// As it was stored, and as Tableau says it now where it can be asked.
				stored := report.CloneContent(r.Content)
				stored[0].WorkbookPage = page
				if want == "" {
					stored[0].WorkbookURL = "Gone" // so that its name cannot be had
				}
				r.Content = stored
				w.succeed(w.store.UpdateReport(w.Context(), r))
				id := w.start("r")
				w.work()
				f := w.wantRun(id, run.Delivered, "").Files[0]
				if (want == "") != (f.ViewURL == "") || !strings.HasPrefix(f.ViewURL, want) {
					t.Errorf("got the address %q, want %q", f.ViewURL, want)
				}
				if mail := w.wantMail("ana@example.com", 1)[0]; strings.Contains(mail.HTML, "phish.example") || strings.Contains(mail.HTML, "javascript:") {
					t.Errorf("the mail leads elsewhere: %s", mail.HTML)
				}
			})
		})
	}
}
