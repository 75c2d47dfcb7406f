package run_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// Delivered means that everything arrived: a file that is too large for an email
// makes the run partly delivered, and its people are told. A message that would
// carry nothing is not sent.
func TestFileThatIsTooLarge(t *testing.T) {
	t.Parallel()
	large := tableautest.Fault{Kind: tableautest.FaultSize, Route: "data", Bytes: 12_000_000, Times: -1}
	t.Run("some", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(w *world) {
			w.makeReport("r", func(r *report.Report) {
				picture := r.Content[0]
				picture.Format = tableau.PNG
				r.Content[0].Format = tableau.CSV
				r.Content = append(r.Content, picture)
			}, twoPeople)
			w.fault(large)
			id := w.start("r")
			w.live(time.Minute)
			w.wantRun(id, run.PartlyDelivered, "2 of 2 messages went without files that are too large for an email.")
			_, deliveries := w.get(id)
			for _, d := range deliveries {
				if d.State != run.Sent || len(d.LeftOut) != 1 || !strings.Contains(d.Message, d.LeftOut[0]) {
					t.Errorf("got delivery %s %q without %q, want it sent without the CSV", d.State, d.Message, d.LeftOut)
				}
			}
			w.wantMail("ana@example.com", 1)
			notice := w.wantMail(owner, 1)[0]
			if subject := notice.GetHeader("Subject"); !strings.Contains(subject, "delivered without some files") || !strings.Contains(notice.Text, ".csv") {
				t.Errorf("got notice %q: %s", subject, notice.Text)
			}
			if _, err := w.runs.Retry(w.Context(), id); !problem.Is(err, problem.Conflict) {
				t.Errorf("Retry: got %v, want that there is nothing to send again", err)
			}
			w.wantIdle()
		})
	})
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(w *world) {
			w.makeReport("r", func(r *report.Report) { r.Content[0].Format = tableau.CSV })
			w.fault(large)
			id := w.start("r")
			w.live(time.Minute)
			w.wantRun(id, run.Failed, "No message could be delivered.")
			_, deliveries := w.get(id)
			if i := slices.IndexFunc(deliveries, func(d run.Delivery) bool { return d.Code != "file_too_large" }); i >= 0 || len(deliveries) == 0 {
				t.Errorf("got deliveries %+v, want each to say that its file is too large", deliveries)
			}
			w.wantMail("ana@example.com", 0)
			w.wantMail(owner, 1)
			w.wantIdle()
		})
	})
}
