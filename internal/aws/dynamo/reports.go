package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

const (
	reportPrefix = "report"
	duePrefix    = "due"

	nextRunAt = "next_run_at" // of a report that has one; not in its doc

	// maxReport bounds a report so that its runs, which carry a copy of it and
	// the filters of each file once more, fit into an item too.
	maxReport = 180_000

	// maxFire is how many runs [Store.Fire] takes.
	maxFire = 100
)

func reportKey(id string) item { return key(reportPrefix+separator+id, reportPrefix) }

// reportItem gives a report as it is kept. Its Rev and next time, which move
// without the rest, stand beside its doc.
func reportItem(r report.Report) (item, error) {
	next, rev := utc(r.NextRunAt), r.Rev
	r.NextRunAt, r.Rev = time.Time{}, 0
	r.CreatedAt, r.UpdatedAt = utc(r.CreatedAt), utc(r.UpdatedAt)
	doc, err := encode(r)
	if err != nil {
		return nil, err
	}
	it := reportKey(r.ID)
	it[revAttribute], it[docAttribute] = number(rev), doc
	if size(it) > maxReport {
		return nil, problem.New(problem.TooLarge, problem.CodeTooLarge,
			"The report is too large to be stored. Use fewer recipients or filters, or make several reports of it.")
	}
	lists.file(it, shard(reportPrefix, r.ID), r.ID)
	byConnection.file(it, shard(r.ConnectionID, r.ID), r.ID)
	if !next.IsZero() {
		it[nextRunAt] = text(stamp(next))
		due.file(it, shard(duePrefix, r.ID), dueSort(next, r.ID))
	}
	return it, nil
}

func dueSort(next time.Time, id string) string { return stamp(next) + separator + id }

func viewReport(it item) (report.Report, bool, error) {
	r, err := decode[report.Report](it, docAttribute)
	if err != nil {
		return r, false, err
	}
	r.Rev = numberOf(it, revAttribute)
	if next := textOf(it, nextRunAt); next != "" {
		r.NextRunAt, err = unstamp(next)
	}
	return r, true, err
}

// uses gives the keys of what a report uses, by the field that names it. What
// is used twice is one use.
func uses(r report.Report) map[string]item {
	keys := map[string]item{"connection_id" + separator + r.ConnectionID: connectionKey(r.ConnectionID)}
	for _, d := range r.Destinations {
		if d.DestinationID != "" {
			keys["destinations"+separator+d.DestinationID] = destinationKey(d.DestinationID)
		}
	}
	return keys
}

// moveUses counts what a report uses that it did not use before, which must
// exist, and what it uses no more. The connection comes first.
func (s *Store) moveUses(before, after map[string]item) []action {
	var actions []action
	count := func(name string, used item, n int64) {
		field := splitSort(name, 2)[0]
		actions = append(actions, update(s.app, used, "ADD report_uses :n", item{":n": number(n)},
			condition{expression: "attribute_exists(pk)", refused: func(item) error { return usesMissing(field) }}))
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] == nil {
			count(name, after[name], 1)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if after[name] == nil {
			count(name, before[name], -1)
		}
	}
	return actions
}

func usesMissing(field string) error {
	if field == "connection_id" {
		return problem.InvalidField(field, "There is no such connection any more. Choose one that exists.")
	}
	return problem.InvalidField(field, "One of the named destinations does not exist any more. Choose one that exists.")
}

// CreateReport implements [report.Store].
func (s *Store) CreateReport(ctx context.Context, r report.Report) error {
	r.Rev = 1
	it, err := reportItem(r)
	if err != nil {
		return storeError("storing a report", err)
	}
	return storeError("storing a report", s.transact(ctx,
		append([]action{put(s.app, it, absent(problem.Changed("report")))}, s.moveUses(nil, uses(r))...)...))
}

// Report implements [report.Store].
func (s *Store) Report(ctx context.Context, id string) (report.Report, error) {
	r, err := s.report(ctx, id)
	return r, storeError("reading a report", err)
}

func (s *Store) report(ctx context.Context, id string) (report.Report, error) {
	it, found, err := s.get(ctx, s.app, reportKey(id))
	if err != nil {
		return report.Report{}, err
	}
	if !found {
		return report.Report{}, problem.Missing("report", id)
	}
	r, _, err := viewReport(it)
	return r, err
}

// reportAt reads a report that must have a Rev.
func (s *Store) reportAt(ctx context.Context, id string, rev int64) (report.Report, error) {
	r, err := s.report(ctx, id)
	if err == nil && r.Rev != rev {
		err = problem.Changed("report")
	}
	return r, err
}

// Reports implements [report.Store].
func (s *Store) Reports(ctx context.Context, connectionID, after string, limit int) ([]report.Report, string, error) {
	q := span{table: s.app, index: lists, partitions: sharded(reportPrefix), above: after}
	view := viewReport
	if connectionID != "" {
		q.index, q.partitions = byConnection, sharded(connectionID)
		view = func(it item) (report.Report, bool, error) {
			r, _, err := viewReport(it)
			return r, r.ConnectionID == connectionID, err
		}
	}
	list, next, err := collectPage(ctx, s, q, limit, nil, view, func(r report.Report) string { return r.ID })
	return list, next, storeError("listing reports", err)
}

// UpdateReport implements [report.Store].
func (s *Store) UpdateReport(ctx context.Context, r report.Report) error {
	return storeError("storing a report", s.updateReport(ctx, r))
}

func (s *Store) updateReport(ctx context.Context, r report.Report) error {
	old, err := s.reportAt(ctx, r.ID, r.Rev)
	if err != nil {
		return err
	}
	r.Rev++
	it, err := reportItem(r)
	if err != nil {
		return err
	}
	actions := append([]action{put(s.app, it, at(old.Rev, "report", r.ID))}, s.moveUses(uses(old), uses(r))...)
	if len(actions) > maxActions {
		return problem.InvalidField("destinations", "So many named destinations cannot be replaced at once. Replace some of them first, then the others.")
	}
	return s.transact(ctx, actions...)
}

// DeleteReport implements [report.Store].
func (s *Store) DeleteReport(ctx context.Context, id string, rev int64) error {
	return storeError("deleting a report", s.deleteReport(ctx, id, rev))
}

func (s *Store) deleteReport(ctx context.Context, id string, rev int64) error {
	old, err := s.reportAt(ctx, id, rev)
	if err != nil {
		return err
	}
	return s.transact(ctx, append([]action{remove(s.app, reportKey(id), at(rev, "report", id))}, s.moveUses(uses(old), nil)...)...)
}

// DueReports implements [run.Store]. What is read is what is due: the index
// holds reports by their next time, and is read up to now and no further.
func (s *Store) DueReports(ctx context.Context, now time.Time, limit int) ([]report.Report, error) {
	now = utc(now)
	q := span{table: s.app, index: due, partitions: sharded(duePrefix), below: stamp(now) + behind}
	reports, err := collect(ctx, s, q, limit, nil, func(it item) (report.Report, bool, error) {
		r, _, err := viewReport(it)
		return r, !r.NextRunAt.IsZero() && !r.NextRunAt.After(now), err
	})
	if err != nil {
		return nil, storeError("looking for due reports", err)
	}
	slices.SortFunc(reports, func(a, b report.Report) int {
		return cmp.Or(a.NextRunAt.Compare(b.NextRunAt), cmp.Compare(a.ID, b.ID))
	})
	return reports, nil
}

// Fire implements [run.Store].
//
// The runs and the report's next time are one transaction as long as they fit
// into one, which is 49 runs. Of more, the first are written before the others,
// each transaction on the condition that the report is still the same, and the
// next time moves with the last. A crash in between leaves the report due: the
// next Fire finds by their keys the runs that are there and makes the others.
// So none is lost and none doubled; but Stale may then come after some of the
// runs, all of them due, were made.
func (s *Store) Fire(ctx context.Context, r report.Report, next time.Time, runs []run.Run) error {
	if len(runs) > maxFire {
		return fmt.Errorf("firing a report: %d runs at once, at most %d can be made", len(runs), maxFire)
	}
	return storeError("firing a report", s.fire(ctx, r, next, runs))
}

func (s *Store) fire(ctx context.Context, r report.Report, next time.Time, runs []run.Run) error {
	together := make([][]action, 0, len(runs))
	keys := map[string]bool{}
	for _, r := range runs {
		if keys[r.Key] {
			continue
		}
		keys[r.Key] = true
		actions, err := s.createRunActions(r)
		if err != nil {
			return err
		}
		together = append(together, actions)
	}
	moved := s.moveNext(r, utc(next))
	packed := groups(together, 1)
	if len(packed) == 0 {
		return s.transact(ctx, moved)
	}
	same := check(s.app, reportKey(r.ID), at(r.Rev, "report", r.ID))
	for i, actions := range packed {
		first := same
		if i == len(packed)-1 {
			first = moved
		}
		err := s.transact(ctx, append([]action{first}, actions...)...)
		if errors.Is(err, errKeyTaken) {
			left, err := s.leaveOut(ctx, runs)
			if err != nil {
				return err
			}
			if len(left) < len(runs) {
				return s.fire(ctx, r, next, left)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// moveNext moves a report's next time.
func (s *Store) moveNext(r report.Report, next time.Time) action {
	same := at(r.Rev, "report", r.ID)
	if next.IsZero() {
		return update(s.app, reportKey(r.ID), "SET rev = :new REMOVE next_run_at, due_pk, due_sk", item{":new": number(r.Rev + 1)}, same)
	}
	return update(s.app, reportKey(r.ID), "SET rev = :new, next_run_at = :next, due_pk = :pk, due_sk = :sk",
		item{":new": number(r.Rev + 1), ":next": text(stamp(next)),
			":pk": text(shard(duePrefix, r.ID)), ":sk": text(dueSort(next, r.ID))}, same)
}

// leaveOut gives the runs whose key no run has.
func (s *Store) leaveOut(ctx context.Context, runs []run.Run) ([]run.Run, error) {
	keys := make([]item, 0, len(runs))
	for _, r := range runs {
		keys = append(keys, runKeyKey(r.Key))
	}
	taken, err := s.getMany(ctx, s.runs, keys)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r run.Run) bool {
		_, ok := taken[keyName(runKeyKey(r.Key))]
		return ok
	}), nil
}
