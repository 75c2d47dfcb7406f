package local

import (
	"context"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
)

// TestQueriesSearchTheirIndex holds the queries whose cost must not grow with
// what is stored to an index that finds and orders.
func TestQueriesSearchTheirIndex(t *testing.T) {
	t.Parallel()
	s, err := OpenStore(context.Background(), filepath.Join(t.TempDir(), "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	runs := func(f run.Filter) (string, []any) { return runsQuery(f, "", 10) }
	all, allArgs := runs(run.Filter{})
	ofReport, ofReportArgs := runs(run.Filter{ReportID: "r"})
	ofStates, ofStatesArgs := runs(run.Filter{States: []run.State{run.Failed, run.Queued}})
	ofBoth, ofBothArgs := runs(run.Filter{ReportID: "r", States: []run.State{run.Failed, run.Queued}})
	for _, tt := range []struct {
		name  string
		query string
		args  []any
		want  []string // indexes that are searched
	}{
		{"due reports", dueReports, []any{micros(time.Now()), 100}, []string{"reports_due"}},
		{"a site's work", siteWork, []any{"site", micros(time.Now()), 100}, []string{"work_by_site"}},
		{"held runs", heldRuns, []any{"site", "c", "", 100}, []string{"runs_by_connection_and_state"}},
		{"how many runs are held", heldCount, []any{"site", "c"}, []string{"runs_by_connection_and_state"}},
		{"what happened to a connection", eventsOf, []any{"c", aboveAll, 0, 100}, []string{"events_by_id"}},
		{"runs that ended long ago", expirableRuns, []any{run.Delivered, "", aboveAll, 100}, []string{"runs_by_state"}},
		{"what is unsettled of a run", unsettledOf, []any{"run"}, []string{"deliveries_by_run"}},
		{"old notices", oldNotices, []any{"2026-11-23T09:00:00Z", 100}, []string{"notices_by_age"}},
		{"all runs", all, allArgs, []string{"sqlite_autoindex_runs_1"}},
		{"a report's runs", ofReport, ofReportArgs, []string{"runs_by_report"}},
		{"a run's deliveries", deliveriesOfRun, []any{"run"}, []string{"deliveries_by_run"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := explain(t, s, tt.query, tt.args...)
			if strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("the query scans or sorts:\n%s", plan)
			}
			for _, index := range tt.want {
				if !strings.Contains(plan, "USING INDEX "+index+" ") && !strings.Contains(plan, "USING COVERING INDEX "+index+" ") {
					t.Errorf("the query does not search %s:\n%s", index, plan)
				}
			}
		})
	}

	// Of several states, at most a page of each is read, in order, and then
	// merged.
	for _, tt := range []struct {
		query string
		args  []any
		index string
	}{{ofStates, ofStatesArgs, "runs_by_state"}, {ofBoth, ofBothArgs, "runs_by_report_and_state"}} {
		plan := explain(t, s, tt.query, tt.args...)
		if strings.Count(plan, "SEARCH runs USING INDEX "+tt.index+" ") != 2 || strings.Contains(plan, "SCAN runs") ||
			strings.Count(plan, "TEMP B-TREE") > 1 {
			t.Errorf("the query of two states does not search %s twice, and sort once:\n%s", tt.index, plan)
		}
	}

	// From site to site, and into the work and the lease of each.
	plan := explain(t, s, workSites, micros(time.Now()), micros(time.Now()))
	for _, step := range []string{
		"SEARCH work USING COVERING INDEX work_by_site\n",
		"SEARCH work USING COVERING INDEX work_by_site (site>?)",
		"USING COVERING INDEX work_by_site (site=? AND not_before<?)",
		"SEARCH l USING PRIMARY KEY (site=?)",
	} {
		if !strings.Contains(plan, step) {
			t.Errorf("the query for sites with work has no step %q:\n%s", step, plan)
		}
	}
	for _, scan := range []string{"SCAN work", "SCAN l", "SCAN runs", "TEMP B-TREE"} {
		if strings.Contains(plan, scan) {
			t.Errorf("the query for sites with work has the step %q:\n%s", scan, plan)
		}
	}
}

func explain(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	rows, err := s.read.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(step + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// TestDocumentsHoldNoSecret: a secret.Text in a document would be stored as a
// placeholder, and be lost.
func TestDocumentsHoldNoSecret(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var visit func(typ reflect.Type, path string)
	visit = func(typ reflect.Type, path string) {
		if typ == reflect.TypeFor[secret.Text]() {
			t.Errorf("%s is a secret: seal it into the vault", path)
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			visit(typ.Elem(), path)
		case reflect.Map:
			visit(typ.Key(), path)
			visit(typ.Elem(), path)
		case reflect.Struct:
			for i := range typ.NumField() {
				visit(typ.Field(i).Type, path+"."+typ.Field(i).Name)
			}
		}
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[connection.Connection](), reflect.TypeFor[connection.Session](), reflect.TypeFor[report.Report](),
		reflect.TypeFor[deliver.Destination](), reflect.TypeFor[run.Run](), reflect.TypeFor[run.Delivery](),
	} {
		visit(typ, typ.String())
	}
}
