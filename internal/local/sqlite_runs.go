package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// maxFire is how many runs [Store.Fire] takes.
const maxFire = 100

// Fire implements [run.Store].
func (s *Store) Fire(ctx context.Context, r report.Report, next time.Time, runs []run.Run) error {
	if len(runs) > maxFire {
		return fmt.Errorf("firing a report: %d runs at once, at most %d can be made", len(runs), maxFire)
	}
	return s.update(ctx, "firing a report", func(tx *sql.Tx) error {
		stored, err := reportAt(ctx, tx, r.ID, r.Rev)
		if err != nil {
			return err
		}
		stored.NextRunAt = next
		stored.Rev++
		if err := putReport(ctx, tx, stored); err != nil {
			return err
		}
		for _, r := range runs {
			if _, err := createRun(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// CreateRun implements [run.Store].
func (s *Store) CreateRun(ctx context.Context, r run.Run) (run.Run, error) {
	var kept run.Run
	err := s.update(ctx, "storing a run", func(tx *sql.Tx) (err error) {
		kept, err = createRun(ctx, tx, r)
		return err
	})
	if err != nil {
		return run.Run{}, err
	}
	return kept, nil
}

// createRun stores a run with its work, unless there is one with its key.
func createRun(ctx context.Context, tx *sql.Tx, r run.Run) (run.Run, error) {
	kept, found, err := document[run.Run](ctx, tx, "SELECT doc FROM runs WHERE key = ?", r.Key)
	if err != nil || found {
		return kept, err
	}
	if taken, err := exists(ctx, tx, "SELECT 1 FROM runs WHERE id = ?", r.ID); err != nil {
		return run.Run{}, err
	} else if taken {
		return run.Run{}, problem.Changed("run")
	}
	r.Rev = 1
	return putRun(ctx, tx, r)
}

// putRun writes a run's row and its work, and gives it back as it is kept.
func putRun(ctx context.Context, tx *sql.Tx, r run.Run) (run.Run, error) {
	r.Files = slices.Clone(r.Files)
	r.ScheduledFor, r.NotBefore, r.Deadline = utc(r.ScheduledFor), utc(r.NotBefore), utc(r.Deadline)
	r.CreatedAt, r.StartedAt, r.FinishedAt = utc(r.CreatedAt), utc(r.StartedAt), utc(r.FinishedAt)
	r.HeldAt, r.ReleasedAt = utc(r.HeldAt), utc(r.ReleasedAt)
	for i := range r.Files {
		r.Files[i].ExportedAt = utc(r.Files[i].ExportedAt)
	}
	doc, err := encode(r)
	if err != nil {
		return run.Run{}, err
	}
	if r, err = decode[run.Run]([]byte(doc)); err != nil {
		return run.Run{}, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO runs (id, key, rev, report_id, site, state, doc) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET key = excluded.key, rev = excluded.rev, report_id = excluded.report_id,
			site = excluded.site, state = excluded.state, doc = excluded.doc`,
		r.ID, r.Key, r.Rev, r.ReportID, r.Site, r.State, doc); err != nil {
		return run.Run{}, err
	}
	w := run.Work{Site: r.Site, Kind: run.WorkRun, Ref: r.ID, NotBefore: r.NotBefore, Running: r.State == run.Running}
	if r.State == run.Queued || r.State == run.Running {
		return r, putWork(ctx, tx, w)
	}
	return r, dropWork(ctx, tx, w)
}

// Run implements [run.Store].
func (s *Store) Run(ctx context.Context, id string) (run.Run, error) {
	r, err := runByID(ctx, s.read, id)
	if err != nil {
		return run.Run{}, storeError("reading a run", err)
	}
	return r, nil
}

func runByID(ctx context.Context, q querier, id string) (run.Run, error) {
	r, found, err := document[run.Run](ctx, q, "SELECT doc FROM runs WHERE id = ?", id)
	if err == nil && !found {
		err = problem.Missing("run", id)
	}
	return r, err
}

// Runs implements [run.Store].
func (s *Store) Runs(ctx context.Context, f run.Filter, after string, limit int) ([]run.Run, string, error) {
	query, args := runsQuery(f, after, fetch(limit))
	list, err := documents[run.Run](ctx, s.read, query, args...)
	if err != nil {
		return nil, "", storeError("listing runs", err)
	}
	list, next := page(list, limit, func(r run.Run) string { return r.ID })
	return list, next, nil
}

// aboveAll is above all ids.
const aboveAll = "\U0010FFFF"

// runsQuery asks for the newest runs behind an id. Several states are asked
// for one by one and then merged: each part comes out of an index in order,
// whereas one query for all would read and sort every run that matches.
func runsQuery(f run.Filter, after string, limit int) (string, []any) {
	if after == "" {
		after = aboveAll
	}
	states := slices.Compact(slices.Sorted(slices.Values(f.States)))
	if len(states) == 0 {
		if f.ReportID == "" {
			return "SELECT doc FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?", []any{after, limit}
		}
		return "SELECT doc FROM runs WHERE report_id = ? AND id < ? ORDER BY id DESC LIMIT ?", []any{f.ReportID, after, limit}
	}
	var parts []string
	var args []any
	for _, state := range states {
		where := "state = ?"
		args = append(args, state)
		if f.ReportID != "" {
			where += " AND report_id = ?"
			args = append(args, f.ReportID)
		}
		if f.ConnectionID != "" {
			where += " AND connection_id = ?"
			args = append(args, f.ConnectionID)
		}
		parts = append(parts, "SELECT * FROM (SELECT id, doc FROM runs WHERE "+where+" AND id < ? ORDER BY id DESC LIMIT ?)")
		args = append(args, after, limit)
	}
	query := "SELECT doc FROM (" + strings.Join(parts, " UNION ALL ") + ") ORDER BY id DESC LIMIT ?"
	return query, append(args, limit)
}

// UpdateRun implements [run.Store].
func (s *Store) UpdateRun(ctx context.Context, lease *run.Lease, r run.Run) (run.Run, error) {
	var kept run.Run
	err := s.update(ctx, "storing a run", func(tx *sql.Tx) error {
		if err := checkFence(ctx, tx, lease); err != nil {
			return err
		}
		old, err := runByID(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if old.Rev != r.Rev {
			return problem.Changed("run")
		}
		r.Rev++
		kept, err = putRun(ctx, tx, r)
		return err
	})
	if err != nil {
		return run.Run{}, err
	}
	return kept, nil
}

const heldRuns = "SELECT doc FROM runs WHERE site = ? AND connection_id = ? AND state = 'held' AND id > ? ORDER BY id LIMIT ?"

// HeldRuns implements [run.Store].
func (s *Store) HeldRuns(ctx context.Context, site, connectionID, after string, limit int) ([]run.Run, error) {
	held, err := documents[run.Run](ctx, s.read, heldRuns, site, connectionID, after, max(limit, 0))
	if err != nil {
		return nil, storeError("listing held runs", err)
	}
	return held, nil
}

const heldCount = "SELECT count(*) FROM runs WHERE site = ? AND connection_id = ? AND state = 'held'"

// HeldCount implements [run.Store].
func (s *Store) HeldCount(ctx context.Context, site, connectionID string) (int, error) {
	var n int
	if err := s.read.QueryRowContext(ctx, heldCount, site, connectionID).Scan(&n); err != nil {
		return 0, storeError("counting held runs", err)
	}
	return n, nil
}

// SomeRuns implements [run.Store].
func (s *Store) SomeRuns(ctx context.Context, ids []string) ([]run.Run, error) {
	var some []run.Run
	for _, id := range ids {
		r, err := runByID(ctx, s.read, id)
		if problem.Is(err, problem.NotFound) {
			continue
		}
		if err != nil {
			return nil, storeError("reading runs", err)
		}
		some = append(some, r)
	}
	return some, nil
}

// CreateDeliveries implements [run.Store].
func (s *Store) CreateDeliveries(ctx context.Context, lease *run.Lease, deliveries []run.Delivery) error {
	return s.update(ctx, "storing deliveries", func(tx *sql.Tx) error {
		if err := checkFence(ctx, tx, lease); err != nil {
			return err
		}
		for _, d := range deliveries {
			if there, err := exists(ctx, tx, "SELECT 1 FROM deliveries WHERE key = ?", d.Key); err != nil {
				return err
			} else if there {
				continue
			}
			d.Rev = 1
			if _, err := putDelivery(ctx, tx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

const deliveriesOfRun = "SELECT doc FROM deliveries WHERE run_id = ? AND run_id <> '' ORDER BY key"

// Deliveries implements [run.Store].
func (s *Store) Deliveries(ctx context.Context, runID string) ([]run.Delivery, error) {
	list, err := documents[run.Delivery](ctx, s.read, deliveriesOfRun, runID)
	if err != nil {
		return nil, storeError("listing deliveries", err)
	}
	return list, nil
}

// Delivery implements [run.Store].
func (s *Store) Delivery(ctx context.Context, key string) (run.Delivery, error) {
	d, err := deliveryByKey(ctx, s.read, key)
	if err != nil {
		return run.Delivery{}, storeError("reading a delivery", err)
	}
	return d, nil
}

func deliveryByKey(ctx context.Context, q querier, key string) (run.Delivery, error) {
	d, found, err := document[run.Delivery](ctx, q, "SELECT doc FROM deliveries WHERE key = ?", key)
	if err == nil && !found {
		err = problem.Missing("delivery", key)
	}
	return d, err
}

const openNotices = `SELECT doc FROM work JOIN deliveries ON deliveries.key = work.ref
	WHERE work.kind = ? AND work.ref > ? AND work.ref >= ? AND work.ref < ? ORDER BY work.ref LIMIT ?`

// OpenNotices implements [run.Store]. A notice is open work as long as it is
// not settled.
func (s *Store) OpenNotices(ctx context.Context, prefix, after string, limit int) ([]run.Delivery, string, error) {
	list, err := documents[run.Delivery](ctx, s.read, openNotices, run.SendNote, after, prefix, prefix+aboveAll, fetch(limit))
	if err != nil {
		return nil, "", storeError("listing notices", err)
	}
	list, next := page(list, limit, func(d run.Delivery) string { return d.Key })
	return list, next, nil
}

// UpdateDelivery implements [run.Store].
func (s *Store) UpdateDelivery(ctx context.Context, lease *run.Lease, d run.Delivery) (run.Delivery, error) {
	var kept run.Delivery
	err := s.update(ctx, "storing a delivery", func(tx *sql.Tx) error {
		if err := checkFence(ctx, tx, lease); err != nil {
			return err
		}
		old, err := deliveryByKey(ctx, tx, d.Key)
		if err != nil {
			return err
		}
		if old.Rev != d.Rev {
			return problem.Changed("delivery")
		}
		d.Rev++
		kept, err = putDelivery(ctx, tx, d)
		return err
	})
	if err != nil {
		return run.Delivery{}, err
	}
	return kept, nil
}

// putDelivery writes a delivery's row and, of a notice, its work, and gives it
// back as it is kept.
func putDelivery(ctx context.Context, tx *sql.Tx, d run.Delivery) (run.Delivery, error) {
	d.NotBefore, d.ClaimedUntil = utc(d.NotBefore), utc(d.ClaimedUntil)
	d.CreatedAt, d.SentAt = utc(d.CreatedAt), utc(d.SentAt)
	doc, err := encode(d)
	if err != nil {
		return run.Delivery{}, err
	}
	if d, err = decode[run.Delivery]([]byte(doc)); err != nil {
		return run.Delivery{}, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO deliveries (key, rev, run_id, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, run_id = excluded.run_id, doc = excluded.doc`,
		d.Key, d.Rev, d.RunID, doc); err != nil {
		return run.Delivery{}, err
	}
	if d.Notice == nil {
		return d, nil
	}
	w := run.Work{Site: d.Site, Kind: run.SendNote, Ref: d.Key, NotBefore: d.NotBefore}
	if d.State.Settled() {
		return d, dropWork(ctx, tx, w)
	}
	return d, putWork(ctx, tx, w)
}

// workSites steps from site to site through the index of open work, so that it
// costs a few look-ups for each site that has any, however much it has.
const workSites = `WITH RECURSIVE sites (site) AS (
		SELECT min(site) FROM work
		UNION ALL
		SELECT (SELECT min(site) FROM work WHERE site > sites.site) FROM sites WHERE sites.site IS NOT NULL
	)
	SELECT site FROM sites WHERE site IS NOT NULL
		AND EXISTS (SELECT 1 FROM work WHERE work.site = sites.site AND not_before <= ?1)
		AND NOT EXISTS (SELECT 1 FROM site_leases AS l WHERE l.site = sites.site AND lease_until > ?1 AND lease_until <= ?2)`

// WorkSites implements [run.Store].
func (s *Store) WorkSites(ctx context.Context, now time.Time) (sites []string, err error) {
	defer func() {
		if err != nil {
			sites, err = nil, storeError("looking for sites with work", err)
		}
	}()
	rows, err := s.read.QueryContext(ctx, workSites, micros(now), micros(now.Add(run.LongestLease)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var site string
		if err := rows.Scan(&site); err != nil {
			return nil, err
		}
		sites = append(sites, site)
	}
	return sites, rows.Err()
}

const (
	siteWork   = "SELECT kind, ref, not_before, running FROM work WHERE site = ? AND not_before <= ? ORDER BY not_before, ref LIMIT ?"
	futureWork = "SELECT kind, ref, not_before, running FROM work WHERE site = ? AND not_before > ? ORDER BY not_before, ref LIMIT ?"
)

// Work implements [run.Store]. The oldest work is that which has been due the
// longest; of the same time, that with the lower reference.
func (s *Store) Work(ctx context.Context, site string, now time.Time, limit int) ([]run.Work, error) {
	return s.work(ctx, siteWork, site, now, limit)
}

// FutureWork implements [run.Store].
func (s *Store) FutureWork(ctx context.Context, site string, after time.Time, limit int) ([]run.Work, error) {
	return s.work(ctx, futureWork, site, after, limit)
}

func (s *Store) work(ctx context.Context, query, site string, at time.Time, limit int) (work []run.Work, err error) {
	defer func() {
		if err != nil {
			work, err = nil, storeError("reading a site's work", err)
		}
	}()
	rows, err := s.read.QueryContext(ctx, query, site, micros(at), max(limit, 0))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		w := run.Work{Site: site}
		var notBefore int64
		if err := rows.Scan(&w.Kind, &w.Ref, &notBefore, &w.Running); err != nil {
			return nil, err
		}
		w.NotBefore = fromMicros(notBefore)
		work = append(work, w)
	}
	return work, rows.Err()
}

// PutWork implements [run.Store].
func (s *Store) PutWork(ctx context.Context, w run.Work) error {
	return s.update(ctx, "storing work", func(tx *sql.Tx) error { return putWork(ctx, tx, w) })
}

// DropWork implements [run.Store].
func (s *Store) DropWork(ctx context.Context, w run.Work) error {
	return s.update(ctx, "taking work away", func(tx *sql.Tx) error { return dropWork(ctx, tx, w) })
}

func putWork(ctx context.Context, tx *sql.Tx, w run.Work) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO work (kind, ref, site, not_before, running) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (kind, ref, site) DO UPDATE SET not_before = excluded.not_before, running = excluded.running`,
		w.Kind, w.Ref, w.Site, micros(w.NotBefore), w.Running)
	return err
}

func dropWork(ctx context.Context, tx *sql.Tx, w run.Work) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM work WHERE kind = ? AND ref = ? AND site = ?", w.Kind, w.Ref, w.Site)
	return err
}

// LeaseSite implements [run.Store].
func (s *Store) LeaseSite(ctx context.Context, site, holder string, now, until time.Time) (run.Lease, error) {
	lease := run.Lease{Site: site, Holder: holder, Until: utc(until)}
	err := s.update(ctx, "leasing a site", func(tx *sql.Tx) error {
		var heldBy string
		var heldUntil int64
		err := tx.QueryRowContext(ctx, "SELECT holder, fence, lease_until FROM site_leases WHERE site = ?", site).
			Scan(&heldBy, &lease.Fence, &heldUntil)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if heldBy != holder && heldUntil > micros(now) && heldUntil <= micros(now.Add(run.LongestLease)) {
			return run.ErrLeaseHeld
		}
		lease.Fence++
		_, err = tx.ExecContext(ctx, `INSERT INTO site_leases (site, holder, fence, lease_until) VALUES (?, ?, ?, ?)
			ON CONFLICT (site) DO UPDATE SET holder = excluded.holder, fence = excluded.fence, lease_until = excluded.lease_until`,
			site, holder, lease.Fence, micros(until))
		return err
	})
	if err != nil {
		return run.Lease{}, err
	}
	return lease, nil
}

// RenewSite implements [run.Store]. A lease that was released is lost too.
func (s *Store) RenewSite(ctx context.Context, lease run.Lease, until time.Time) error {
	return s.update(ctx, "renewing a site's lease", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE site_leases SET lease_until = ? WHERE site = ? AND fence = ? AND lease_until <> 0",
			micros(until), lease.Site, lease.Fence)
		if err != nil {
			return err
		}
		if renewed, err := result.RowsAffected(); err != nil {
			return err
		} else if renewed == 0 {
			return run.ErrFenced
		}
		return nil
	})
}

// ReleaseSite implements [run.Store].
func (s *Store) ReleaseSite(ctx context.Context, lease run.Lease) error {
	return s.update(ctx, "releasing a site's lease", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE site_leases SET lease_until = 0 WHERE site = ? AND fence = ?", lease.Site, lease.Fence)
		return err
	})
}

// checkFence refuses a drain whose site was leased again since. A nil lease is
// no drain's.
func checkFence(ctx context.Context, tx *sql.Tx, lease *run.Lease) error {
	if lease == nil {
		return nil
	}
	if current, err := exists(ctx, tx, "SELECT 1 FROM site_leases WHERE site = ? AND fence = ?", lease.Site, lease.Fence); err != nil {
		return err
	} else if !current {
		return run.ErrFenced
	}
	return nil
}
