package run_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
	"github.com/vizpost/vizpost/internal/verify"
)

// All that can be exported arrives, checked, under names that say what it is.
func TestEveryContent(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		custom := w.customView("West only")
		w.makeReport("r", func(r *report.Report) {
			r.Content = []report.Content{
				{View: overview, Format: tableau.SVG},
				{View: "workbooks/Superstore.twbx", Format: tableau.PPTX},
				{View: overview, Scope: report.OfWorkbook, Format: tableau.PDF, Filters: map[string][]string{"Region": {"West"}}, Unverified: true},
				{View: overview + "/" + custom, Format: tableau.PNG},
				{View: overview + "/" + custom, Format: tableau.CSV},
			}
		})
		id := w.start("r")
		w.work()
		r := w.wantRun(id, run.Delivered, "")
		var got []string
		for i, f := range r.Files {
			opens := "the view"
			switch {
			case strings.Contains(f.ViewURL, "/workbooks/"):
				opens = "the workbook"
			case strings.HasSuffix(f.ViewURL, custom+"/West%20only"):
				opens = "the custom view"
			}
			got = append(got, fmt.Sprint(f.Name, ", ", f.ContentType, ", opens ", opens))
			if f.Size == 0 {
				w.Errorf("file %d is empty", i)
			}
		}
		want := []string{
			"Overview.svg, image/svg+xml, opens the view",
			"Superstore.pptx, application/vnd.openxmlformats-officedocument.presentationml.presentation, opens the workbook",
			"Superstore.pdf, application/pdf, opens the view",
			"Overview – West only.png, image/png, opens the custom view",
			"Overview – West only.csv, text/csv; charset=utf-8, opens the custom view",
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			w.Errorf("files (-want +got):\n%s", diff)
		}
	})
}

// A report says of its filters what was seen, and nothing is sent that they were
// not applied to.
func TestVerifyFilters(t *testing.T) {
	t.Parallel()
	const sheet, dashboard = "Superstore/sheets/SalesbyRegion", overview
	type filters = map[string][]string
	for name, test := range map[string]struct {
		view, check string
		formats     []tableau.Format
		filters     filters
		trouble     tableautest.Trouble
		state       run.State
		reason      string // or the mail's text, where it was delivered
		on          string
		rows        []int // of each file, -1 for none
		told        int   // notices to the owner
	}{
		"applied": {view: sheet, formats: []tableau.Format{tableau.PNG, tableau.CSV, tableau.XLSX}, filters: filters{"Region": {"West"}},
			state: run.Delivered, reason: "Region: West (verified on Sales by Region)", on: "Sales by Region", rows: []int{3, 3, 3}},
		"two fields": {view: sheet, formats: []tableau.Format{tableau.PDF}, filters: filters{"Region": {"West", "East"}, "Category": {"Furniture"}},
			state: run.Delivered, reason: "Category: Furniture; Region: West, East (verified on Sales by Region)", on: "Sales by Region", rows: []int{2}},
		"a field that is no column": {view: sheet, formats: []tableau.Format{tableau.PNG, tableau.CSV}, filters: filters{"Segment": {"Consumer"}},
			state: run.Delivered, reason: "(verified on Sales by Region)", on: "Sales by Region", rows: []int{12, 12}},
		"no such field": {view: sheet, formats: []tableau.Format{tableau.PNG}, filters: filters{"region": {"West"}},
			state: run.Failed, reason: "The view has the field \"Region\". The view's fields are: Region, Category, Sales, Profit.", told: 1},
		"no such field, as data": {view: sheet, formats: []tableau.Format{tableau.CSV}, filters: filters{"Regoin": {"West"}},
			state: run.Failed, reason: "The view's fields are: Region", told: 1},
		"no such field, as a crosstab": {view: sheet, formats: []tableau.Format{tableau.XLSX}, filters: filters{"Regoin": {"West"}},
			state: run.Failed, reason: "The view's fields are: Region", told: 1},
		"a value in the wrong case": {view: sheet, formats: []tableau.Format{tableau.PNG}, filters: filters{"Region": {"West", "east"}},
			state: run.Failed, reason: "The view has \"East\"", told: 1},
		"one of two": {view: sheet, formats: []tableau.Format{tableau.PNG, tableau.CSV}, filters: filters{"Region": {"West"}, "Regoin": {"West"}},
			state: run.Failed, reason: "does not apply the filter on \"Regoin\"", told: 1},
		"ignored by the view": {view: sheet, formats: []tableau.Format{tableau.PNG, tableau.CSV}, filters: filters{"Region": {"West"}},
			trouble: tableautest.Trouble{IgnoresFilters: true}, state: run.Failed, reason: "does not apply", told: 1},
		"a value of another kind": {view: sheet, formats: []tableau.Format{tableau.PNG}, filters: filters{"Quantity": {"many"}},
			state: run.Failed, reason: "does not apply", told: 1},
		"a dashboard by a worksheet": {view: dashboard, check: sheet, formats: []tableau.Format{tableau.PNG, tableau.PDF}, filters: filters{"Region": {"West"}},
			state: run.Delivered, reason: "Region: West (verified on Sales by Region)", on: "Sales by Region", rows: []int{3, 3}},
		"a dashboard by pictures": {view: dashboard, formats: []tableau.Format{tableau.PNG}, filters: filters{"Region": {"West"}},
			state: run.Delivered, reason: "Region: West (verified on Overview)", on: "Overview", rows: []int{-1}},
		"a dashboard that ignores it": {view: dashboard, formats: []tableau.Format{tableau.PNG}, filters: filters{"region": {"West"}},
			state: run.Failed, reason: "The picture is the same without the filter, with it, and with another value.", told: 1},
		"a parameter": {view: "Superstore/sheets/TopCustomers", formats: []tableau.Format{tableau.PNG}, filters: filters{"Parameters.Top N": {"5"}},
			state: run.Delivered, reason: "Parameters.Top N: 5 (verified on Top Customers)", on: "Top Customers", rows: []int{-1}},
		"a field and a parameter": {view: "Superstore/sheets/TopCustomers", formats: []tableau.Format{tableau.CSV}, filters: filters{"Segment": {"Consumer"}, "Parameters.Top N": {"5"}},
			state: run.Delivered, reason: "(verified on Top Customers)", on: "Top Customers", rows: []int{5}},
		"nothing matches": {view: sheet, formats: []tableau.Format{tableau.PNG}, filters: filters{"Region": {"Atlantis"}},
			state: run.Delivered, reason: "Region: Atlantis (verified on Sales by Region)", on: "Sales by Region", rows: []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.succeed(w.tableau.SetTrouble(test.view, test.trouble))
				w.storeReport("r", func(r *report.Report) {
					r.Content = nil
					for _, format := range test.formats {
						r.Content = append(r.Content, report.Content{View: test.view, CheckView: test.check, Format: format, Filters: test.filters,
							IfEmpty: report.SendEmpty})
					}
				})
				id := w.start("r")
				w.work()
				if test.state == run.Failed {
					w.wantRun(id, run.Failed, test.reason)
					w.wantMail("ana@example.com", 0)
					w.wantMail(owner, test.told)
					return
				}
				r := w.wantRun(id, test.state, "")
				mail := w.wantMail("ana@example.com", 1)[0]
				if !strings.Contains(mail.Text, test.reason) {
					w.Errorf("the mail says %q, want %q in it", mail.Text, test.reason)
				}
				for i, c := range r.Content {
					f := r.Files[slices.IndexFunc(r.Files, func(f run.File) bool { return f.Export == run.ExportKey(c) })]
					rows := -1
					if f.CheckedRows != nil {
						rows = *f.CheckedRows
					}
					if f.FilterVerdict != verify.Applied || f.VerifiedOn != test.on || rows != test.rows[i] || f.FilterEvidence == "" {
						w.Errorf("%s: got %s on %q with %d rows: %q, want %s on %q with %d", c.Format, f.FilterVerdict, f.VerifiedOn, rows,
							f.FilterEvidence, verify.Applied, test.on, test.rows[i])
					}
				}
				w.wantMail(owner, test.told)
			})
		})
	}
}

// What a spreadsheet would run is escaped where that is asked for: the file that
// is kept, its checksum and what is sent are the same, and say so.
func TestEscapeFormulas(t *testing.T) {
	t.Parallel()
	const exported = "\uFEFFName,Sales\r\n=1+1,-5\r\n\"@x\",\"+3.2\"\r\n"
	for escape, want := range map[bool]string{false: exported, true: "\uFEFFName,Sales\r\n'=1+1,-5\r\n\"'@x\",\"+3.2\"\r\n"} {
		t.Run(fmt.Sprint(escape), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.storeReport("r", content(report.Content{View: sales, Format: tableau.CSV, EscapeFormulas: escape,
					Filters: map[string][]string{"Name": {"=1+1", "@x"}}})) // which are seen in what Tableau exported
				real := w.network.Handler
				w.network.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if !strings.HasSuffix(r.URL.Path, "/data") {
						real.ServeHTTP(rw, r)
						return
					}
					rw.Header().Set("Content-Type", "text/csv;charset=utf-8")
					_, _ = rw.Write([]byte(exported))
				})
				id := w.start("r")
				w.work()
				r := w.wantRun(id, run.Delivered, "")
				f, body, err := w.runs.OpenFile(w.Context(), id, r.Files[0].ID)
				w.succeed(err)
				kept, err := io.ReadAll(body)
				w.succeed(errors.Join(err, body.Close()))
				sum := sha256.Sum256([]byte(want))
				if string(kept) != want || f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(want)) || f.Escaped != escape || *f.Rows != 2 {
					w.Errorf("got the file %+v with %q, want %q", f, kept, want)
				}
				if sent := w.wantMail("ana@example.com", 1)[0].Attachments[0].Content; string(sent) != want {
					w.Errorf("%q was sent, want %q", sent, want)
				}
			})
		})
	}
}

// A blank picture is sent where the content permits it, and fails the run
// elsewhere. What is no whole picture is not sent either way.
func TestAllowBlank(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault   string
		allowed bool
		want    run.State
	}{
		"blank, not permitted": {tableautest.FaultBlank, false, run.Failed},
		"blank, permitted":     {tableautest.FaultBlank, true, run.Delivered},
		"cut, permitted":       {tableautest.FaultTruncated, true, run.Queued},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r", content(report.Content{View: overview, Format: tableau.PNG, AllowBlank: test.allowed}))
				w.fault(tableautest.Fault{Kind: test.fault, Route: "export", Times: -1})
				id := w.start("r")
				w.work()
				w.wantRun(id, test.want, "")
			})
		})
	}
}
