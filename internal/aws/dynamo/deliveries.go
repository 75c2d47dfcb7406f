package dynamo

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

const (
	deliveryPrefix = "delivery"
	noticePrefix   = "notice" // of open notices, in the lists
)

// placeKey is the key of the item that there is for each delivery by its own
// key. Of a notice it is the notice itself; of a run's delivery it tells the
// run, among whose items the delivery is, so that a run's deliveries can be
// read together and consistently.
func placeKey(delivery string) item { return key(deliveryPrefix+separator+delivery, deliveryPrefix) }

func deliveryKey(d run.Delivery) item {
	if d.RunID == "" {
		return placeKey(d.Key)
	}
	return deliveryOfRun(d.RunID, d.Key)
}

func deliveryOfRun(run, delivery string) item {
	return key(runPrefix+separator+run, deliveryPrefix+separator+delivery)
}

func deliveryItem(d run.Delivery) (item, error) {
	d.NotBefore, d.ClaimedUntil = utc(d.NotBefore), utc(d.ClaimedUntil)
	d.CreatedAt, d.SentAt = utc(d.CreatedAt), utc(d.SentAt)
	doc, err := encode(d)
	if err != nil {
		return nil, err
	}
	it := deliveryKey(d)
	it[revAttribute], it[docAttribute] = number(d.Rev), doc
	if d.Notice != nil && !d.State.Settled() {
		fileWork(it, run.Work{Site: d.Site, Kind: run.SendNote, Ref: d.Key, NotBefore: d.NotBefore})
		lists.file(it, shard(noticePrefix, d.Key), d.Key)
	}
	return it, nil
}

func viewDelivery(it item) (run.Delivery, error) { return decode[run.Delivery](it, docAttribute) }

// CreateDeliveries implements [run.Store]. More than 98 are several
// transactions, each under the lease; those that a lost lease or a crash leaves
// out are stored by the next call.
func (s *Store) CreateDeliveries(ctx context.Context, lease *run.Lease, deliveries []run.Delivery) error {
	return storeError("storing deliveries", s.retry(ctx, func() error { return s.createDeliveries(ctx, lease, deliveries) }))
}

func (s *Store) createDeliveries(ctx context.Context, lease *run.Lease, deliveries []run.Delivery) error {
	missing, err := s.missing(ctx, deliveries)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return s.holds(ctx, lease)
	}
	together := make([][]action, 0, len(missing))
	for _, d := range missing {
		d.Rev = 1
		it, err := deliveryItem(d)
		if err != nil {
			return err
		}
		// Another has stored it in between: look again what is missing.
		actions := []action{put(s.runs, it, absent(errOvertaken))}
		if d.RunID != "" {
			place := placeKey(d.Key)
			place[runID] = text(d.RunID)
			actions = append(actions, put(s.runs, place, absent(errOvertaken)))
		}
		together = append(together, actions)
	}
	for _, actions := range groups(together, 1) {
		if err := s.fenced(ctx, lease, actions...); err != nil {
			return err
		}
	}
	return nil
}

// missing gives the deliveries whose key does not exist, each once.
func (s *Store) missing(ctx context.Context, deliveries []run.Delivery) ([]run.Delivery, error) {
	var keys []item
	seen := map[string]bool{}
	deliveries = slices.DeleteFunc(slices.Clone(deliveries), func(d run.Delivery) bool {
		if seen[d.Key] {
			return true
		}
		seen[d.Key] = true
		keys = append(keys, placeKey(d.Key))
		return false
	})
	there, err := s.getMany(ctx, s.runs, keys, runID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(deliveries, func(d run.Delivery) bool {
		_, ok := there[keyName(placeKey(d.Key))]
		return ok
	}), nil
}

// Deliveries implements [run.Store].
func (s *Store) Deliveries(ctx context.Context, runID string) ([]run.Delivery, error) {
	if runID == "" {
		return nil, nil
	}
	list, err := s.deliveries(ctx, runID)
	return list, storeError("listing deliveries", err)
}

func (s *Store) deliveries(ctx context.Context, id string) ([]run.Delivery, error) {
	in := &dynamodb.QueryInput{
		TableName: &s.runs, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("pk = :run AND begins_with(sk, :delivery)"),
		ExpressionAttributeValues: item{":run": text(runPrefix + separator + id),
			":delivery": text(deliveryPrefix + separator)},
	}
	var list []run.Delivery
	for {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, it := range out.Items {
			d, err := viewDelivery(it)
			if err != nil {
				return nil, err
			}
			list = append(list, d)
		}
		if len(out.LastEvaluatedKey) == 0 {
			return list, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// Delivery implements [run.Store].
func (s *Store) Delivery(ctx context.Context, key string) (run.Delivery, error) {
	d, err := s.delivery(ctx, key)
	return d, storeError("reading a delivery", err)
}

func (s *Store) delivery(ctx context.Context, key string) (run.Delivery, error) {
	it, found, err := s.get(ctx, s.runs, placeKey(key))
	if err != nil {
		return run.Delivery{}, err
	}
	if id := textOf(it, runID); id != "" {
		if it, found, err = s.get(ctx, s.runs, deliveryOfRun(id, key)); err != nil {
			return run.Delivery{}, err
		}
	}
	if !found {
		return run.Delivery{}, problem.Missing("delivery", key)
	}
	return viewDelivery(it)
}

// OpenNotices implements [run.Store].
func (s *Store) OpenNotices(ctx context.Context, prefix, after string, limit int) ([]run.Delivery, string, error) {
	const last = "\U0010FFFF" // above all that has the prefix
	above := prefix
	if after > above {
		above = after
	}
	q := span{table: s.runs, index: lists, partitions: sharded(noticePrefix), above: above, below: prefix + last}
	list, next, err := collectPage(ctx, s, q, limit, nil, func(it item) (run.Delivery, bool, error) {
		d, err := viewDelivery(it)
		return d, err == nil && d.Notice != nil && !d.State.Settled(), err
	}, func(d run.Delivery) string { return d.Key })
	return list, next, storeError("listing notices", err)
}

// UpdateDelivery implements [run.Store].
func (s *Store) UpdateDelivery(ctx context.Context, lease *run.Lease, d run.Delivery) (run.Delivery, error) {
	kept, err := s.updateDelivery(ctx, lease, d)
	return kept, storeError("storing a delivery", err)
}

func (s *Store) updateDelivery(ctx context.Context, lease *run.Lease, d run.Delivery) (run.Delivery, error) {
	same := at(d.Rev, "delivery", d.Key)
	d.Rev++
	it, err := deliveryItem(d)
	if err != nil {
		return run.Delivery{}, err
	}
	if err := s.fenced(ctx, lease, put(s.runs, it, same)); err != nil {
		return run.Delivery{}, err
	}
	return viewDelivery(it)
}
