package httpapi_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
)

// pageOf gives rows in order of id.
func pageOf[T any](rows map[string]T, after string, limit int) ([]T, string, error) {
	var out []T
	next := ""
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		if id <= after {
			continue
		}
		if len(out) == limit {
			return out, next, nil
		}
		out, next = append(out, rows[id]), id
	}
	return out, "", nil
}

// table keeps rows with an optimistic lock.
type table[T any] struct {
	mu   sync.Mutex
	what string
	rows map[string]T
}

func (s *table[T]) get(id string) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[id]
	if !ok {
		return row, problem.Missing(s.what, id)
	}
	return row, nil
}

func (s *table[T]) put(id string, row T, rev int64, revOf func(T) int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.rows[id]; ok && revOf(old) != rev || !ok && rev != 0 {
		return problem.Changed(s.what)
	}
	s.rows[id] = row
	return nil
}

type destinationStore struct {
	*table[deliver.Destination]
	used func(id string) bool
}

func (s destinationStore) CreateDestination(ctx context.Context, d deliver.Destination) error {
	return s.UpdateDestination(ctx, d)
}

func (s destinationStore) UpdateDestination(_ context.Context, d deliver.Destination) error {
	rev := d.Rev
	d.Rev++
	return s.put(d.ID, d, rev, func(d deliver.Destination) int64 { return d.Rev })
}

func (s destinationStore) Destination(_ context.Context, id string) (deliver.Destination, error) {
	return s.get(id)
}

func (s destinationStore) Destinations(_ context.Context, after string, limit int) ([]deliver.Destination, string, error) {
	return pageOf(s.rows, after, limit)
}

func (s destinationStore) DeleteDestination(_ context.Context, id string, _ int64) error {
	if s.used(id) {
		return problem.New(problem.Conflict, problem.CodeInUse, "Reports use this destination.")
	}
	delete(s.rows, id)
	return nil
}

type reportStore struct{ *table[report.Report] }

func (s reportStore) CreateReport(ctx context.Context, r report.Report) error {
	return s.UpdateReport(ctx, r)
}

func (s reportStore) UpdateReport(_ context.Context, r report.Report) error {
	rev := r.Rev
	r.Rev++
	return s.put(r.ID, r.Clone(), rev, func(r report.Report) int64 { return r.Rev })
}

func (s reportStore) Report(_ context.Context, id string) (report.Report, error) { return s.get(id) }

func (s reportStore) Reports(_ context.Context, connectionID, after string, limit int) ([]report.Report, string, error) {
	rows := maps.Clone(s.rows)
	maps.DeleteFunc(rows, func(_ string, r report.Report) bool { return connectionID != "" && r.ConnectionID != connectionID })
	return pageOf(rows, after, limit)
}

func (s reportStore) DeleteReport(_ context.Context, id string, _ int64) error {
	delete(s.rows, id)
	return nil
}

type vault map[string][]byte

func (v vault) PutSecret(_ context.Context, owner, version string, value []byte) error {
	v[owner+"@"+version] = value
	return nil
}

func (v vault) Secret(_ context.Context, owner, version string) ([]byte, error) {
	value, ok := v[owner+"@"+version]
	if !ok {
		return nil, problem.Missing("secret", owner)
	}
	return value, nil
}

func (v vault) SecretVersions(_ context.Context, owner string) ([]secret.Version, error) {
	var versions []secret.Version
	for key := range v {
		if name, ok := strings.CutPrefix(key, owner+"@"); ok {
			versions = append(versions, secret.Version{Name: name})
		}
	}
	return versions, nil
}

func (v vault) DropSecret(_ context.Context, owner, version string) error {
	delete(v, owner+"@"+version)
	return nil
}

func (v vault) RemoveSecret(_ context.Context, owner string) error {
	maps.DeleteFunc(v, func(key string, _ []byte) bool { return strings.HasPrefix(key, owner+"@") })
	return nil
}

// poster refuses addresses that end in "gone".
type poster struct{ posted int }

func (p *poster) Post(_ context.Context, webhook secret.Text, _ []byte, _ deliver.Begin) (deliver.Receipt, error) {
	p.posted++
	if strings.HasSuffix(webhook.Reveal(), "gone") {
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "The webhook was removed.", BreaksDestination: true}
	}
	return deliver.Receipt{}, nil
}

type runs struct {
	mu         sync.Mutex
	rows       map[string]run.Run
	deliveries map[string][]run.Delivery
	files      map[string]string // by object
	started    []run.Start
	skipped    []string
	notices    []run.Delivery
}

func (r *runs) Notices(_ context.Context, undeliverable bool, after string, limit int) ([]run.Delivery, string, error) {
	var found []run.Delivery
	for _, d := range r.notices {
		if d.Key > after && (!undeliverable || d.Notice.Undeliverable) {
			found = append(found, d)
		}
	}
	if len(found) > limit {
		return found[:limit], found[limit-1].Key, nil
	}
	return found, "", nil
}

func (s *runs) Start(_ context.Context, reportID string, o run.Start) (run.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, o)
	if reportID == "missing" {
		return run.Run{}, problem.Missing("report", reportID)
	}
	id := fmt.Sprintf("RUN%04d", len(s.rows)+1)
	if o.Request != "" {
		id = "RUN-" + o.Request
	}
	r := run.Run{ID: id, ReportID: reportID, ReportName: "Morning numbers", ScheduledFor: now, Trigger: run.Manual, State: run.Queued,
		StandsFor: 1, OnlyTo: o.OnlyTo, DryRun: o.DryRun, CreatedAt: now, NotBefore: now}
	s.rows[id] = r
	return r, nil
}

func (s *runs) Retry(_ context.Context, runID string) (run.Run, error) {
	r, ok := s.rows[runID]
	if !ok {
		return r, problem.Missing("run", runID)
	}
	if r.State != run.Failed {
		return r, problem.New(problem.Conflict, problem.CodeConflict, "Only a run that failed can be tried again.")
	}
	r.State = run.Queued
	return r, nil
}

func (s *runs) Get(_ context.Context, id string) (run.Run, []run.Delivery, error) {
	r, ok := s.rows[id]
	if !ok {
		return r, nil, problem.Missing("run", id)
	}
	return r, s.deliveries[id], nil
}

func (s *runs) List(_ context.Context, f run.Filter, after string, limit int) ([]run.Run, string, error) {
	rows := slices.SortedFunc(maps.Values(s.rows), func(a, b run.Run) int { return cmp.Compare(b.ID, a.ID) })
	rows = slices.DeleteFunc(rows, func(r run.Run) bool {
		return after != "" && r.ID >= after || f.ReportID != "" && r.ReportID != f.ReportID ||
			f.ConnectionID != "" && r.ConnectionID != f.ConnectionID || len(f.States) > 0 && !slices.Contains(f.States, r.State)
	})
	if len(rows) > limit {
		return rows[:limit], rows[limit-1].ID, nil
	}
	return rows, "", nil
}

func (s *runs) Some(_ context.Context, ids []string) ([]run.Run, error) {
	var some []run.Run
	for _, id := range ids {
		if r, ok := s.rows[id]; ok {
			some = append(some, r)
		}
	}
	return some, nil
}

func (s *runs) HeldCount(_ context.Context, c connection.Connection) (int, error) {
	n := 0
	for _, r := range s.rows {
		if r.ConnectionID == c.ID && r.State == run.Held {
			n++
		}
	}
	return n, nil
}

func (s *runs) File(_ context.Context, runID, fileID string) (run.File, error) {
	for _, f := range s.rows[runID].Files {
		if f.ID == fileID {
			return f, nil
		}
	}
	return run.File{}, problem.Missing("file", fileID)
}

func (s *runs) OpenFile(_ context.Context, runID, fileID string) (run.File, io.ReadCloser, error) {
	for _, f := range s.rows[runID].Files {
		if f.ID == fileID {
			return f, io.NopCloser(strings.NewReader(s.files[f.Object])), nil
		}
	}
	return run.File{}, nil, problem.Missing("file", fileID)
}

func (s *runs) SkipQueued(_ context.Context, reportID, reason string) error {
	s.skipped = append(s.skipped, reportID+": "+reason)
	return nil
}

type requests struct{ claims map[string][2]string }

func (r *requests) ClaimRequest(_ context.Context, scope, key, digest, id string, _ time.Time) (string, error) {
	claim, ok := r.claims[scope+" "+key]
	if !ok {
		r.claims[scope+" "+key] = [2]string{digest, id}
		return id, nil
	}
	if claim[0] != digest {
		return "", problem.KeyReused()
	}
	return claim[1], nil
}

type outbox struct{ mails fstest.MapFS }

func (o *outbox) List(context.Context) ([]fs.FileInfo, error) {
	entries, err := fs.ReadDir(o.mails, ".")
	var out []fs.FileInfo
	for _, e := range entries {
		info, infoErr := e.Info()
		err = errors.Join(err, infoErr)
		out = append(out, info)
	}
	return out, err
}

func (o *outbox) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := o.mails.Open(name)
	if err != nil {
		return nil, problem.Missing("mail", name)
	}
	return f, nil
}
