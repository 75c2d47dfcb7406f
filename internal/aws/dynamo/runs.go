package dynamo

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
	"golang.org/x/sync/errgroup"
)

const (
	runPrefix    = "run"
	runKeyPrefix = "run-key"
	heldPrefix   = "held"

	runID = "run_id" // of a run's key, and of the item that tells whose a delivery is
)

func runKey(id string) item { return key(runPrefix+separator+id, runPrefix) }

// runKeyKey is the key of the item that holds a run's Key.
func runKeyKey(name string) item { return key(runKeyPrefix+separator+name, runKeyPrefix) }

// errKeyTaken says that there is a run with the key.
var errKeyTaken = errors.New("there is a run with this key")

// createRunActions makes a run and its key. The item of the key is written once
// and never again, so it stands for the run in the lists that no change of the
// run moves: that of all, and that of its report. The run itself is in those of
// its state.
func (s *Store) createRunActions(r run.Run) ([]action, error) {
	r.Rev = 1
	it, err := runItem(r)
	if err != nil {
		return nil, err
	}
	name := runKeyKey(r.Key)
	name[runID] = text(r.ID)
	lists.file(name, shard(runPrefix, r.ID), r.ID)
	byReport.file(name, ofReport(r.ReportID, ""), r.ID)
	return []action{put(s.runs, name, absent(errKeyTaken)), put(s.runs, it, absent(problem.Changed("run")))}, nil
}

// ofReport names the partition of a report's runs; of those in a state, if it
// is not "".
func ofReport(id string, state run.State) string {
	if state == "" {
		return id
	}
	return id + separator + string(state)
}

// ofState names the partitions of the runs in a state.
func ofState(state run.State) string { return runPrefix + separator + string(state) }

func runItem(r run.Run) (item, error) {
	r = keptRun(r)
	doc, err := encode(r)
	if err != nil {
		return nil, err
	}
	it := runKey(r.ID)
	it[revAttribute], it[docAttribute] = number(r.Rev), doc
	lists.file(it, shard(ofState(r.State), r.ID), r.ID)
	byReport.file(it, ofReport(r.ReportID, r.State), r.ID)
	switch r.State {
	case run.Queued, run.Running:
		fileWork(it, run.Work{Site: r.Site, Kind: run.WorkRun, Ref: r.ID, NotBefore: r.NotBefore, Running: r.State == run.Running})
	case run.Held:
		work.file(it, shard(heldPrefix, r.ID), heldBy(r.Site, r.ConnectionID)+separator+r.ID)
	}
	return it, nil
}

func keptRun(r run.Run) run.Run {
	r.Files = slices.Clone(r.Files)
	r.ScheduledFor, r.NotBefore, r.Deadline = utc(r.ScheduledFor), utc(r.NotBefore), utc(r.Deadline)
	r.CreatedAt, r.StartedAt, r.FinishedAt = utc(r.CreatedAt), utc(r.StartedAt), utc(r.FinishedAt)
	r.HeldAt, r.ReleasedAt = utc(r.HeldAt), utc(r.ReleasedAt)
	for i := range r.Files {
		r.Files[i].ExportedAt = utc(r.Files[i].ExportedAt)
	}
	return r
}

func viewRun(it item) (run.Run, bool, error) {
	r, err := decode[run.Run](it, docAttribute)
	return r, true, err
}

// CreateRun implements [run.Store].
func (s *Store) CreateRun(ctx context.Context, r run.Run) (run.Run, error) {
	kept, err := s.createRun(ctx, r)
	return kept, storeError("storing a run", err)
}

func (s *Store) createRun(ctx context.Context, r run.Run) (run.Run, error) {
	actions, err := s.createRunActions(r)
	if err != nil {
		return run.Run{}, err
	}
	err = s.transact(ctx, actions...)
	if errors.Is(err, errKeyTaken) {
		it, found, err := s.get(ctx, s.runs, runKeyKey(r.Key))
		if err != nil {
			return run.Run{}, err
		}
		if !found {
			return run.Run{}, errKeyTaken
		}
		return s.run(ctx, textOf(it, runID))
	}
	if err != nil {
		return run.Run{}, err
	}
	return written(actions[1])
}

// written gives the run that an action has put, sharing nothing with the one
// that it was made of.
func written(a action) (run.Run, error) {
	r, _, err := viewRun(a.write.Put.Item)
	return r, err
}

// Run implements [run.Store].
func (s *Store) Run(ctx context.Context, id string) (run.Run, error) {
	r, err := s.run(ctx, id)
	return r, storeError("reading a run", err)
}

func (s *Store) run(ctx context.Context, id string) (run.Run, error) {
	it, found, err := s.get(ctx, s.runs, runKey(id))
	if err != nil {
		return run.Run{}, err
	}
	if !found {
		return run.Run{}, problem.Missing("run", id)
	}
	r, _, err := viewRun(it)
	return r, err
}

// Runs implements [run.Store].
func (s *Store) Runs(ctx context.Context, f run.Filter, after string, limit int) ([]run.Run, string, error) {
	q := span{table: s.runs, index: lists, below: after, descending: true}
	states := slices.Compact(slices.Sorted(slices.Values(f.States)))
	switch {
	case f.ReportID == "" && len(states) == 0:
		q.partitions = sharded(runPrefix)
	case f.ReportID == "":
		for _, state := range states {
			q.partitions = append(q.partitions, sharded(ofState(state))...)
		}
	case len(states) == 0:
		q.index, q.partitions = byReport, []string{ofReport(f.ReportID, "")}
	default:
		q.index = byReport
		for _, state := range states {
			q.partitions = append(q.partitions, ofReport(f.ReportID, state))
		}
	}
	list, next, err := collectPage(ctx, s, q, limit,
		func(e entry) item { return runKey(e.sort) },
		func(it item) (run.Run, bool, error) {
			r, _, err := viewRun(it)
			return r, (len(states) == 0 || slices.Contains(states, r.State)) && (f.ConnectionID == "" || f.ConnectionID == r.ConnectionID), err
		},
		func(r run.Run) string { return r.ID })
	return list, next, storeError("listing runs", err)
}

// UpdateRun implements [run.Store].
func (s *Store) UpdateRun(ctx context.Context, lease *run.Lease, r run.Run) (run.Run, error) {
	kept, err := s.updateRun(ctx, lease, r)
	return kept, storeError("storing a run", err)
}

func (s *Store) updateRun(ctx context.Context, lease *run.Lease, r run.Run) (run.Run, error) {
	same := at(r.Rev, "run", r.ID)
	r.Rev++
	it, err := runItem(r)
	if err != nil {
		return run.Run{}, err
	}
	a := put(s.runs, it, same)
	if err := s.fenced(ctx, lease, a); err != nil {
		return run.Run{}, err
	}
	return written(a)
}

// heldBy begins the sort keys of the runs that a connection holds.
func heldBy(site, connectionID string) string { return escape(site) + separator + escape(connectionID) }

// HeldRuns implements [run.Store].
func (s *Store) HeldRuns(ctx context.Context, site, connectionID, after string, limit int) ([]run.Run, error) {
	by := heldBy(site, connectionID)
	held, err := collect(ctx, s,
		span{table: s.runs, index: work, partitions: sharded(heldPrefix), above: by + separator + after, below: by + behind}, limit, nil,
		func(it item) (run.Run, bool, error) {
			r, _, err := viewRun(it)
			return r, r.State == run.Held && r.Site == site && r.ConnectionID == connectionID, err
		})
	return held, storeError("listing held runs", err)
}

// HeldCount implements [run.Store]. It goes by the index alone.
func (s *Store) HeldCount(ctx context.Context, site, connectionID string) (int, error) {
	var held atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for _, partition := range sharded(heldPrefix) {
		group.Go(func() error {
			n, err := s.count(ctx, partition, heldBy(site, connectionID)+separator)
			held.Add(int64(n))
			return err
		})
	}
	err := group.Wait()
	return int(held.Load()), storeError("counting held runs", err)
}

// count counts the entries of a partition of the index of work whose sort key
// has a prefix.
func (s *Store) count(ctx context.Context, partition, prefix string) (int, error) {
	n := 0
	var start item
	for {
		var out *dynamodb.QueryOutput
		if err := s.retry(ctx, func() (err error) {
			out, err = s.client.Query(ctx, &dynamodb.QueryInput{
				TableName: &s.runs, IndexName: aws.String(string(work)), Select: types.SelectCount, ExclusiveStartKey: start,
				KeyConditionExpression:    aws.String(work.pk() + " = :pk AND begins_with(" + work.sk() + ", :prefix)"),
				ExpressionAttributeValues: item{":pk": text(partition), ":prefix": text(prefix)},
			})
			return err
		}); err != nil {
			return 0, err
		}
		n += int(out.Count)
		if start = out.LastEvaluatedKey; len(start) == 0 {
			return n, nil
		}
	}
}

// SomeRuns implements [run.Store].
func (s *Store) SomeRuns(ctx context.Context, ids []string) ([]run.Run, error) {
	keys := make([]item, 0, len(ids))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		keys = append(keys, runKey(id))
	}
	found, err := s.getMany(ctx, s.runs, keys)
	if err != nil {
		return nil, storeError("reading runs", err)
	}
	var some []run.Run
	for _, it := range found {
		r, _, err := viewRun(it)
		if err != nil {
			return nil, storeError("reading runs", err)
		}
		some = append(some, r)
	}
	return some, nil
}
