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
				{View: overview, Scope: report.OfWorkbook, Format: tableau.PDF, Filters: map[string][]string{"Region": {"West"}}},
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

func TestRequireFilterProof(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		filters map[string][]string
		state   run.State
		reason  string // or the file's proof, where it was delivered
	}{
		"applied":          {map[string][]string{"Region": {"West"}}, run.Delivered, "applies the filters"},
		"no such field":    {map[string][]string{"region": {"West"}}, run.Failed, "does not apply the filters"},
		"nothing matches":  {map[string][]string{"Region": {"Atlantis"}}, run.Failed, "requires a proof"},
		"one of them does": {map[string][]string{"Region": {"West"}, "Regoin": {"West"}}, run.Failed, "does not apply the filters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r", func(r *report.Report) {
					r.Content = nil
					for _, format := range []tableau.Format{tableau.PNG, tableau.CSV} {
						r.Content = append(r.Content, report.Content{View: "Superstore/sheets/SalesbyRegion", Format: format,
							Filters: test.filters, RequireFilterProof: true})
					}
				})
				id := w.start("r")
				w.work()
				if test.state == run.Failed {
					w.wantRun(id, run.Failed, test.reason)
					w.wantMail("ana@example.com", 0)
					w.wantMail(owner, 1)
					return
				}
				for _, f := range w.wantRun(id, test.state, "").Files {
					if !strings.Contains(f.FilterProof, test.reason) {
						w.Errorf("the file's proof is %q, want %q", f.FilterProof, test.reason)
					}
				}
				// One proof serves both formats: with and without the filter, and
				// the file itself.
				if got := w.tableau.Stats().Calls["data"]; got != 3 {
					w.Errorf("got %d calls for data, want 3", got)
				}
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
				w.makeReport("r", content(report.Content{View: overview, Format: tableau.CSV, EscapeFormulas: escape}))
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
