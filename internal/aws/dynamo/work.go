package dynamo

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/vizpost/vizpost/internal/run"
)

const (
	workPrefix = "work"
	running    = "running" // of a run in hand

	// sitesAtOnce is how much of a shard's open work is read to find the sites
	// that have some: what one read unit takes.
	sitesAtOnce = 20
)

// fileWork puts an item into the index as open work: by site, time and
// reference.
func fileWork(it item, w run.Work) {
	work.file(it, shard(workPrefix, w.Ref), escape(w.Site)+separator+stamp(w.NotBefore)+separator+string(w.Kind)+separator+w.Ref)
	if w.Running {
		it[running] = &types.AttributeValueMemberBOOL{Value: true}
	}
}

// readWork is the inverse of fileWork, with the sort key apart from the item.
func readWork(site, sort string, it item) (w run.Work, err error) {
	parts := splitSort(sort, 4)
	w.Site, w.Kind, w.Ref = site, run.WorkKind(parts[2]), parts[3]
	_, w.Running = it[running]
	w.NotBefore, err = unstamp(parts[1])
	return w, err
}

// Work implements [run.Store]. The oldest work is that which has been due the
// longest.
func (s *Store) Work(ctx context.Context, site string, now time.Time, limit int) ([]run.Work, error) {
	now = utc(now)
	name := escape(site) + separator
	return s.workWithin(ctx, site, name, name+stamp(now)+behind, limit, func(w run.Work) bool { return !w.NotBefore.After(now) })
}

// FutureWork implements [run.Store].
func (s *Store) FutureWork(ctx context.Context, site string, after time.Time, limit int) ([]run.Work, error) {
	after = utc(after)
	name := escape(site)
	return s.workWithin(ctx, site, name+separator+stamp(after)+behind, name+behind, limit,
		func(w run.Work) bool { return w.NotBefore.After(after) })
}

// workWithin reads a site's work between two sort keys, of that only what is
// wanted.
func (s *Store) workWithin(ctx context.Context, site, above, below string, limit int, wanted func(run.Work) bool) ([]run.Work, error) {
	list, err := collect(ctx, s, span{table: s.runs, index: work, partitions: sharded(workPrefix), above: above, below: below}, limit, nil,
		func(it item) (w run.Work, ok bool, err error) {
			sort := textOf(it, work.sk())
			if splitSort(textOf(it, work.pk()), 2)[0] != workPrefix || splitSort(sort, 2)[0] != escape(site) {
				return w, false, nil // held or done by now
			}
			w, err = readWork(site, sort, it)
			return w, wanted(w), err
		}, work.pk(), work.sk(), running)
	if err != nil {
		return nil, storeError("reading a site's work", err)
	}
	slices.SortStableFunc(list, func(a, b run.Work) int {
		return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Ref, b.Ref))
	})
	return list, nil
}

// WorkSites implements [run.Store]. It goes by the index alone: a bell too many
// does no harm, and one too few is rung a minute later.
func (s *Store) WorkSites(ctx context.Context, now time.Time) ([]string, error) {
	sites, err := s.workSites(ctx, utc(now))
	return sites, storeError("looking for sites with work", err)
}

func (s *Store) workSites(ctx context.Context, now time.Time) ([]string, error) {
	var mu sync.Mutex
	found := map[string]bool{}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, partition := range sharded(workPrefix) {
		group.Go(func() error {
			return s.sitesOf(groupCtx, partition, now, func(site string) {
				mu.Lock()
				defer mu.Unlock()
				found[site] = true
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return s.withoutLease(ctx, slices.Sorted(maps.Keys(found)), now)
}

// sitesOf steps from site to site through a shard of the open work, so that it
// costs a look-up or less for each site that has any, however much it has.
func (s *Store) sitesOf(ctx context.Context, partition string, now time.Time, found func(site string)) error {
	q := span{table: s.runs, index: work, partitions: []string{partition}}
	for {
		c := &cursor{partition: partition, page: sitesAtOnce}
		for len(c.ahead) == 0 && !c.end {
			if err := s.read(ctx, q, c); err != nil {
				return err
			}
		}
		last := ""
		for i, e := range c.ahead {
			name := splitSort(e.sort, 2)[0]
			if i > 0 && name == last {
				continue // a site's first work is its oldest
			}
			last = name
			site, err := unescape(name)
			if err != nil {
				return err
			}
			w, err := readWork(site, e.sort, nil)
			if err != nil {
				return err
			}
			if !w.NotBefore.After(now) {
				found(site)
			}
		}
		if c.end {
			return nil
		}
		q.above = last + behind
	}
}

// withoutLease leaves out the sites whose lease holds.
func (s *Store) withoutLease(ctx context.Context, sites []string, now time.Time) ([]string, error) {
	keys := make([]item, 0, len(sites))
	for _, site := range sites {
		keys = append(keys, leaseKey(site))
	}
	leases, err := s.getMany(ctx, s.runs, keys, leaseUntil)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sites, func(site string) bool {
		until := textOf(leases[keyName(leaseKey(site))], leaseUntil)
		return until > stamp(now) && until <= stamp(now.Add(run.LongestLease))
	}), nil
}

// workKey is the key of work that is no run and no notice.
func workKey(w run.Work) item {
	return key(workPrefix+separator+string(w.Kind)+separator+w.Ref, w.Site)
}

// PutWork implements [run.Store].
func (s *Store) PutWork(ctx context.Context, w run.Work) error {
	it := workKey(w)
	fileWork(it, w)
	return storeError("storing work", s.retry(ctx, func() error {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.runs, Item: it})
		return err
	}))
}

// DropWork implements [run.Store].
func (s *Store) DropWork(ctx context.Context, w run.Work) error {
	return storeError("taking work away", s.retry(ctx, func() error {
		_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.runs, Key: workKey(w)})
		return err
	}))
}
