package run_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
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

// A message that its carrier calls too large although its limit was kept, or
// where it names none, goes once more without its largest file, and so on until
// nothing is left of it. Refused is refused: none of these is a repeat.
func TestServerThatFindsAMessageTooLarge(t *testing.T) {
	t.Parallel()
	large := func(limit int64) error {
		return &deliver.SendError{Outcome: deliver.Refused, Code: deliver.TooLarge, MaxBytes: limit, Message: "The mail server does not accept the message: 552 5.3.4 too large"}
	}
	tests := map[string]struct {
		tooLarge int   // tries that are refused
		limit    int64 // that the server names
		leftOut  int   // files of three
		run      run.State
		code     string
	}{
		"once":              {1, 0, 1, run.PartlyDelivered, "file_too_large"},
		"twice":             {2, 0, 2, run.PartlyDelivered, "file_too_large"},
		"to the last file":  {3, 0, 0, run.Failed, "file_too_large"},
		"with a low limit":  {1, 20_000, 2, run.PartlyDelivered, "file_too_large"},
		"with a lower one":  {1, 1000, 0, run.Failed, "file_too_large"},
		"with a high limit": {1, 1 << 30, 1, run.PartlyDelivered, "file_too_large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r", func(r *report.Report) {
					pdf, picture := r.Content[0], r.Content[0]
					pdf.Format, picture.Format = tableau.PDF, tableau.PNG
					r.Content = append(r.Content, pdf, picture)
				})
				w.mail.answer = func(to string, n int) (bool, error) {
					if to == owner || n > test.tooLarge {
						return true, nil
					}
					return false, large(test.limit)
				}
				id := w.start("r")
				w.work()
				w.wantRun(id, test.run, "")
				_, deliveries := w.get(id)
				d := deliveries[0]
				if d.PossibleRepeat || d.Unanswered > 0 || d.Code != test.code {
					t.Errorf("got delivery %+v, want code %s and no possible repeat", d, test.code)
				}
				if test.run == run.Failed {
					w.wantMail("ana@example.com", 0)
				} else {
					w.wantMail("ana@example.com", 1)
					if len(d.LeftOut) != test.leftOut {
						t.Errorf("got %q left out, want %d files", d.LeftOut, test.leftOut)
					}
				}
				w.live(time.Minute)
				w.wantMail(owner, 1)
				w.wantIdle()
			})
		})
	}
}
