package dynamo

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/vizpost/vizpost/internal/connection"
)

const eventPrefix = "event"

// putEvents writes events into their slots. They are updates, not puts, so that
// those who write connections need no further permission.
func (s *Store) putEvents(connectionID string, events []connection.Event) ([]action, error) {
	var actions []action
	for _, e := range events {
		doc, err := encode(keptEvent(e))
		if err != nil {
			return nil, err
		}
		slot := connectionKey(connectionID)
		slot[sortKey] = text(eventPrefix + separator + e.Slot)
		actions = append(actions, update(s.app, slot, "SET doc = :doc, expires_at = :expires",
			item{":doc": doc, ":expires": s.expiry(connection.HistoryKept)}, condition{}))
	}
	return actions, nil
}

func keptEvent(e connection.Event) connection.Event {
	e.At = utc(e.At)
	e.Runs = slices.Clone(e.Runs)
	for i := range e.Runs {
		e.Runs[i].ScheduledFor = utc(e.Runs[i].ScheduledFor)
	}
	return e
}

// Events implements [connection.Store]. A connection's events are few: they are
// all read, and put in order here, since they lie by slot.
func (s *Store) Events(ctx context.Context, connectionID string, since time.Time, after string, limit int) ([]connection.Event, string, error) {
	events, err := s.events(ctx, connectionID)
	if err != nil {
		return nil, "", storeError("listing a connection's events", err)
	}
	events = slices.DeleteFunc(events, func(e connection.Event) bool {
		return e.At.Before(utc(since)) || after != "" && e.ID >= after
	})
	slices.SortFunc(events, func(a, b connection.Event) int { return cmp.Compare(b.ID, a.ID) })
	if len(events) <= limit {
		return events, "", nil
	}
	if limit <= 0 {
		return nil, "", nil
	}
	return events[:limit], events[limit-1].ID, nil
}

func (s *Store) events(ctx context.Context, connectionID string) ([]connection.Event, error) {
	var events []connection.Event
	var start item
	for {
		var out *dynamodb.QueryOutput
		if err := s.retry(ctx, func() (err error) {
			out, err = s.client.Query(ctx, &dynamodb.QueryInput{
				TableName: &s.app, ConsistentRead: aws.Bool(true), ExclusiveStartKey: start,
				KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :prefix)"),
				ExpressionAttributeValues: item{
					":pk": connectionKey(connectionID)[partitionKey], ":prefix": text(eventPrefix + separator)},
			})
			return err
		}); err != nil {
			return nil, err
		}
		for _, it := range out.Items {
			e, err := decode[connection.Event](it, docAttribute)
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
		if start = out.LastEvaluatedKey; len(start) == 0 {
			return events, nil
		}
	}
}
