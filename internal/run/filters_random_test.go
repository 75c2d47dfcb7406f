package run_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
	"github.com/vizpost/vizpost/internal/verify"
)

// asked is a random filtered report, and what is to become of it.
type asked struct {
	sheet   *sample.View
	format  tableau.Format
	filters map[string][]string
	deaf    bool // the view ignores filters
	ignored bool // Tableau ignores one of the filters: nothing may be sent
	doubted bool // a value is misspelled: it may be stopped, or sent without other rows
}

// Of random reports over the sample's worksheets none is sent with a row that its
// filters leave out, and none is stopped that is right.
func TestRandomFilters(t *testing.T) {
	t.Parallel()
	forSeeds(t, fewer(2, 1), func(t *testing.T, seed uint64) {
		inBubble(t, func(w *world) {
			const checks = 250 // in one world, which remembers what it has learned
			var outside, stopped, right, wrong, doubted int
			r := rand.New(rand.NewPCG(seed, 5))
			orders := sample.Orders()
			members := membersOf(orders)
			sheets, ignoring := w.sheets(r)
			for i := range checks {
				a := ask(r, members, sheets[r.IntN(len(sheets))], ignoring)
				if a.deaf && !a.ignored { // unless there is nothing to leave out
					a.ignored = !reflect.DeepEqual(a.table(orders).Rows, a.sheet.Table(orders, sample.Query{}).Rows)
					a.doubted = true
				}
				id := fmt.Sprintf("r%d-%d", seed, i)
				w.succeed(w.tableau.SetTrouble(a.sheet.ContentURL, tableautest.Trouble{IgnoresFilters: a.deaf}))
				w.storeReport(id, func(rep *report.Report) {
					rep.Content = []report.Content{{View: a.sheet.ContentURL, Format: a.format, Filters: a.filters, IfEmpty: report.SkipEmpty}}
				})
				runID := w.start(id)
				w.work()
				got, _ := w.get(runID)
				sent := got.State == run.Delivered
				switch {
				case a.ignored:
					wrong++
				case a.doubted:
					doubted++
				default:
					right++
				}
				switch {
				case sent && a.ignored:
					outside++
					w.Errorf("%s of %s with %v was sent, although Tableau ignores a filter: %+v", a.format, a.sheet.ContentURL, a.filters, got.Files)
				case sent:
					for _, row := range w.outside(got.Files[0], a) {
						outside++
						w.Errorf("%s of %s with %v was sent with the row %q", a.format, a.sheet.ContentURL, a.filters, row)
					}
					if f := got.Files[0]; f.FilterVerdict != verify.Applied && !a.doubted {
						w.Errorf("%s of %s with %v: the filters are %s: %s", a.format, a.sheet.ContentURL, a.filters, f.FilterVerdict, f.FilterEvidence)
					}
				case !a.ignored && !a.doubted && got.State != run.Skipped:
					stopped++
					w.Errorf("%s of %s with %v is %s: %s", a.format, a.sheet.ContentURL, a.filters, got.State, got.Reason)
				case !a.ignored && !a.doubted && len(a.table(orders).Rows) > 0:
					stopped++
					w.Errorf("%s of %s with %v was skipped, although %d rows match", a.format, a.sheet.ContentURL, a.filters, len(a.table(orders).Rows))
				}
			}
			t.Logf("%d right reports, %d of them stopped; %d wrong and %d doubtful ones, %d rows or files sent that must not be", right, stopped, wrong, doubted, outside)
			if right < checks/4 || wrong < checks/10 || doubted == 0 {
				t.Errorf("of %d reports %d are right, %d wrong and %d doubtful: too few of one kind say something", checks, right, wrong, doubted)
			}
		})
	})
}

// sheets gives the worksheets that the world's user can see, and by content URL
// those that ignore filters.
func (w *world) sheets(r *rand.Rand) ([]*sample.View, map[string]bool) {
	w.Helper()
	seen := map[string]bool{}
	w.succeed(w.connections.Do(w.Context(), "c", func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		for v, err := range client.AllViews(ctx, session) {
			if err != nil {
				return err
			}
			seen[v.ContentURL] = v.IsWorksheet()
		}
		return nil
	}))
	var sheets []*sample.View
	ignoring := map[string]bool{}
	for _, v := range sample.Sites(w.tableau.Site())[0].Views() {
		if seen[v.ContentURL] {
			sheets = append(sheets, v)
			ignoring[v.ContentURL] = r.IntN(6) == 0
		}
	}
	if len(sheets) < 10 {
		w.Fatalf("got %d worksheets, want more", len(sheets))
	}
	return sheets, ignoring
}

// membersOf gives what the orders have in each field, in the form in which
// Tableau takes it.
func membersOf(orders []sample.Order) map[string][]string {
	members := map[string][]string{}
	add := func(field, value string) {
		if !slices.Contains(members[field], value) {
			members[field] = append(members[field], value)
		}
	}
	for _, o := range orders {
		add("Region", o.Region)
		add("Category", o.Category)
		add("Sub-Category", o.SubCategory)
		add("Segment", o.Segment)
		add("Ship Mode", o.ShipMode)
		add("State", o.State)
		add("City", o.City)
		add("Customer Name", o.Customer)
		add("Quantity", strconv.Itoa(o.Quantity))
		add("Month of Order Date", o.Date.Format("January 2006"))
		add("Order Date", o.Date.Format("2006-01-02"))
	}
	return members
}

func ask(r *rand.Rand, members map[string][]string, sheet *sample.View, ignoring map[string]bool) asked {
	a := asked{sheet: sheet, filters: map[string][]string{}, deaf: ignoring[sheet.ContentURL],
		format: []tableau.Format{tableau.CSV, tableau.CSV, tableau.XLSX, tableau.PNG}[r.IntN(4)]}
	var fields []string
	for field := range members {
		fields = append(fields, field)
	}
	slices.Sort(fields)
	r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	for _, field := range fields[:1+r.IntN(3)] {
		all := members[field]
		var values []string
		for range 1 + r.IntN(3) {
			if v := all[r.IntN(len(all))]; !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		name := field
		switch r.IntN(14) {
		case 0: // the wrong case
			name = strings.ToLower(field)
		case 1: // misspelled
			name = field[:len(field)-1]
		case 2:
			name = " " + field
		case 3:
			i := r.IntN(len(values))
			if lower := strings.ToLower(values[i]); lower != values[i] {
				values[i], a.doubted = lower, true
			}
		case 4: // one value, not two
			if field != "Quantity" && field != "Order Date" {
				values = []string{values[0] + ", " + all[r.IntN(len(all))]}
			}
		case 5: // no number, so that Tableau drops the filter
			if field == "Quantity" {
				values = append(values, "many")
				a.ignored = true
			}
		}
		if name != field {
			a.ignored = true
		}
		a.filters[name] = values
	}
	return a
}

// outside gives the rows of a file that hold a value that was not asked for.
func (w *world) outside(f run.File, a asked) []string {
	w.Helper()
	if a.format != tableau.CSV {
		return nil // its check is of data, and it is right where those of a CSV are
	}
	body, err := w.files.Open(w.Context(), f.Object)
	w.succeed(err)
	defer body.Close()
	rows := csv.NewReader(body)
	var header, out []string
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return out
		}
		w.succeed(err)
		if header == nil {
			header = slices.Clone(row)
			continue
		}
		for i, name := range header {
			// The column Quantity holds sums of the field.
			if wanted, ok := a.filters[name]; ok && name != "Quantity" && !slices.Contains(wanted, row[i]) {
				out = append(out, strings.Join(row, ","))
			}
		}
	}
}

// table is what the view has of the orders that the filters leave.
func (a asked) table(orders []sample.Order) sample.Table {
	selection := sample.Selection{{}}
	for field, values := range a.filters {
		var more sample.Selection
		for _, tuple := range selection {
			for _, v := range values {
				one := sample.Tuple{field: v}
				for f, v := range tuple {
					one[f] = v
				}
				more = append(more, one)
			}
		}
		selection = more
	}
	return a.sheet.Table(orders, sample.Query{Selection: selection})
}
