package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/vizpost/vizpost/internal/run"
)

func leaseKey(site string) item { return key("site"+separator+site, "lease") }

// updateLease writes a lease and gives it as it is then. A condition that does
// not hold is refused.
//
// That the SDK may repeat the write does no harm: the same holder may take the
// site again, and renewing and releasing twice is the same as once.
func (s *Store) updateLease(ctx context.Context, site, expression, condition string, values item, refused error) (item, error) {
	leave, err := s.enter(ctx, site)
	if err != nil {
		return nil, err
	}
	defer leave()
	var out *dynamodb.UpdateItemOutput
	err = s.retry(ctx, func() (err error) {
		out, err = s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.runs, Key: leaseKey(site), UpdateExpression: &expression, ConditionExpression: &condition,
			ExpressionAttributeValues: values, ReturnValues: types.ReturnValueAllNew,
		})
		return err
	})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// LeaseSite implements [run.Store].
func (s *Store) LeaseSite(ctx context.Context, site, holder string, now, until time.Time) (run.Lease, error) {
	it, err := s.updateLease(ctx, site, "SET holder = :me, lease_until = :until ADD fence :one",
		"attribute_not_exists(lease_until) OR lease_until <= :now OR lease_until > :ahead OR holder = :me",
		item{":me": text(holder), ":until": text(stamp(until)), ":now": text(stamp(now)),
			":ahead": text(stamp(now.Add(run.LongestLease))), ":one": number(1)}, run.ErrLeaseHeld)
	if err != nil {
		return run.Lease{}, storeError("leasing a site", err)
	}
	return run.Lease{Site: site, Holder: holder, Fence: numberOf(it, fence), Until: utc(until)}, nil
}

// RenewSite implements [run.Store]. A lease that was released is lost too.
func (s *Store) RenewSite(ctx context.Context, lease run.Lease, until time.Time) error {
	_, err := s.updateLease(ctx, lease.Site, "SET lease_until = :until", "fence = :fence AND attribute_exists(lease_until)",
		item{":until": text(stamp(until)), ":fence": number(lease.Fence)}, run.ErrFenced)
	return storeError("renewing a site's lease", err)
}

// ReleaseSite implements [run.Store].
func (s *Store) ReleaseSite(ctx context.Context, lease run.Lease) error {
	_, err := s.updateLease(ctx, lease.Site, "REMOVE lease_until, holder", "fence = :fence",
		item{":fence": number(lease.Fence)}, run.ErrFenced)
	if errors.Is(err, run.ErrFenced) {
		return nil
	}
	return storeError("releasing a site's lease", err)
}

// fenced writes all or nothing, and nothing when the site was leased again
// since. A nil lease is no drain's.
func (s *Store) fenced(ctx context.Context, lease *run.Lease, actions ...action) error {
	if lease == nil {
		return s.transact(ctx, actions...)
	}
	leave, err := s.enter(ctx, lease.Site)
	if err != nil {
		return err
	}
	defer leave()
	current := check(s.runs, leaseKey(lease.Site), condition{"fence = :fence", item{":fence": number(lease.Fence)},
		func(item) error { return run.ErrFenced }})
	return s.transact(ctx, append([]action{current}, actions...)...)
}

// holds refuses a drain whose site was leased again since.
func (s *Store) holds(ctx context.Context, lease *run.Lease) error {
	if lease == nil {
		return nil
	}
	it, _, err := s.get(ctx, s.runs, leaseKey(lease.Site))
	if err == nil && (numberOf(it, fence) != lease.Fence || lease.Fence == 0) {
		err = run.ErrFenced
	}
	return err
}

// enter waits until no other of this process writes under the site's lease.
// DynamoDB cancels transactions that meet at an item, if only to check it; the
// workers of a drain, which all check their lease, would do nothing but try
// again.
func (s *Store) enter(ctx context.Context, site string) (leave func(), err error) {
	gate, _ := s.gates.LoadOrStore(site, make(chan struct{}, 1))
	inside := gate.(chan struct{})
	select {
	case inside <- struct{}{}:
		return func() { <-inside }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
