package dynamo

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"
)

// span is a part of an index: partitions that are read as if they were one, in
// order of the sort key.
type span struct {
	table      string
	index      index
	partitions []string
	above      string // sort keys are above it; "" is no bound
	below      string // sort keys are below it; "" is no bound, and with above it is no sort key itself
	descending bool
}

// entry is an item of an index: where it is in order, and its key in the table.
type entry struct {
	sort string
	key  item
}

// cursor is a place in one partition of an index.
type cursor struct {
	partition string
	page      int32   // how many to read at once
	ahead     []entry // read and not used
	start     item    // where to read on
	end       bool    // nothing is left behind ahead
}

// merge is a span as it is being read.
type merge struct {
	store   *Store
	span    span
	cursors []*cursor
	seen    map[string]bool
}

// merge begins with a span that is expected to use so many entries: each partition
// is asked for its part of them and some more, and again once that is used up.
func (s *Store) merge(q span, expected int) *merge {
	m := &merge{store: s, span: q, seen: map[string]bool{}}
	page := expected
	if n := len(q.partitions); n > 1 {
		page = 2*(expected/n) + 4
	}
	for _, partition := range q.partitions {
		m.cursors = append(m.cursors, &cursor{partition: partition, page: int32(min(max(page, 1), 1000))})
	}
	return m
}

// next gives the next entry; ok is false at the end. While an item moves
// within an index, the index may show it twice: it is given once.
func (m *merge) next(ctx context.Context) (e entry, ok bool, err error) {
	for {
		if err := m.fill(ctx); err != nil {
			return entry{}, false, err
		}
		var first *cursor
		for _, c := range m.cursors {
			if len(c.ahead) > 0 && (first == nil || m.before(c.ahead[0].sort, first.ahead[0].sort)) {
				first = c
			}
		}
		if first == nil {
			return entry{}, false, nil
		}
		e, first.ahead = first.ahead[0], first.ahead[1:]
		if name := keyName(e.key); !m.seen[name] {
			m.seen[name] = true
			return e, true, nil
		}
	}
}

func (m *merge) before(a, b string) bool { return a < b != m.span.descending && a != b }

// fill sees to it that each partition that has more shows its next entry.
func (m *merge) fill(ctx context.Context) error {
	m.cursors = slices.DeleteFunc(m.cursors, func(c *cursor) bool { return c.end && len(c.ahead) == 0 })
	var group errgroup.Group
	group.SetLimit(shards)
	for _, c := range m.cursors {
		if len(c.ahead) > 0 {
			continue
		}
		group.Go(func() error {
			for len(c.ahead) == 0 && !c.end {
				if err := m.store.read(ctx, m.span, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	m.cursors = slices.DeleteFunc(m.cursors, func(c *cursor) bool { return len(c.ahead) == 0 })
	return nil
}

// read reads the next page of a partition.
func (s *Store) read(ctx context.Context, q span, c *cursor) error {
	pk, sk := q.index.pk(), q.index.sk()
	where := pk + " = :partition"
	values := item{":partition": text(c.partition)}
	switch {
	case q.above != "" && q.below != "":
		where += " AND " + sk + " BETWEEN :above AND :below"
	case q.above != "":
		where += " AND " + sk + " > :above"
	case q.below != "":
		where += " AND " + sk + " < :below"
	}
	if q.above != "" {
		values[":above"] = text(q.above)
	}
	if q.below != "" {
		values[":below"] = text(q.below)
	}
	var out *dynamodb.QueryOutput
	if err := s.retry(ctx, func() (err error) {
		out, err = s.client.Query(ctx, &dynamodb.QueryInput{
			TableName: &q.table, IndexName: aws.String(string(q.index)),
			KeyConditionExpression: &where, ExpressionAttributeValues: values,
			ScanIndexForward: aws.Bool(!q.descending), Limit: aws.Int32(c.page), ExclusiveStartKey: c.start,
		})
		return err
	}); err != nil {
		return err
	}
	for _, it := range out.Items {
		if e := (entry{sort: textOf(it, sk), key: key(textOf(it, partitionKey), textOf(it, sortKey))}); e.sort != q.above {
			c.ahead = append(c.ahead, e)
		}
	}
	c.start, c.end = out.LastEvaluatedKey, len(out.LastEvaluatedKey) == 0
	c.page = min(2*c.page, 1000)
	return nil
}

// collect follows a span until it has as many values as wanted or the end. The
// items are read from the table, and view says what they are: what an index
// shows and the table knows better, it leaves out.
//
// at gives the key of the item that an entry stands for; nil: the entry's own.
func collect[T any](ctx context.Context, s *Store, q span, want int, at func(entry) item, view func(item) (value T, ok bool, err error), attributes ...string) ([]T, error) {
	var values []T
	m := s.merge(q, want)
	for len(values) < want {
		var keys []item
		for len(keys) < min(want-len(values), maxBatch) {
			e, ok, err := m.next(ctx)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			if at != nil {
				e.key = at(e)
			}
			keys = append(keys, e.key)
		}
		if len(keys) == 0 {
			break
		}
		items, err := s.getMany(ctx, q.table, keys, attributes...)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			it, found := items[keyName(key)]
			if !found {
				continue
			}
			value, ok, err := view(it)
			if err != nil {
				return nil, err
			}
			if ok {
				values = append(values, value)
			}
		}
	}
	return values, nil
}

// collectPage is collect for a page of a list by id. It gives the id to go on
// behind, "" at the end.
func collectPage[T any](ctx context.Context, s *Store, q span, limit int, at func(entry) item, view func(item) (T, bool, error), id func(T) string) ([]T, string, error) {
	if limit <= 0 {
		return nil, "", nil
	}
	values, err := collect(ctx, s, q, limit+1, at, view)
	if err != nil {
		return nil, "", err
	}
	if len(values) <= limit {
		return values, "", nil
	}
	return values[:limit], id(values[limit-1]), nil
}

// splitSort takes a sort key apart into so many parts.
func splitSort(sort string, parts int) []string {
	split := strings.SplitN(sort, separator, parts)
	for len(split) < parts {
		split = append(split, "")
	}
	return split
}
