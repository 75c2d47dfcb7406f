package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/vizpost/vizpost/internal/verify"
)

func verdictKey(name string) item { return key("verdict"+separator+name, "verdict") }

// Verdict implements [verify.Store].
func (s *Store) Verdict(ctx context.Context, name string, since time.Time) ([]byte, time.Time, error) {
	var it item
	var found bool
	if err := s.retry(ctx, func() (err error) {
		it, found, err = s.get(ctx, s.app, verdictKey(name))
		return err
	}); err != nil {
		return nil, time.Time{}, storeError("reading a verdict on filters", err)
	}
	if !found {
		return nil, time.Time{}, nil
	}
	made, err := unstamp(textOf(it, madeAttribute))
	if err != nil {
		return nil, time.Time{}, storeError("reading a verdict on filters", err)
	}
	if !made.After(since) {
		return nil, time.Time{}, nil
	}
	return []byte(textOf(it, docAttribute)), made, nil
}

// PutVerdict implements [verify.Store]. The last one to write is right, so it
// needs no condition.
func (s *Store) PutVerdict(ctx context.Context, name string, doc []byte, made time.Time) error {
	if err := s.retry(ctx, func() error {
		_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.app, Key: verdictKey(name),
			UpdateExpression: aws.String("SET " + docAttribute + " = :doc, " + madeAttribute + " = :made, " + TTLAttribute + " = :expires"),
			ExpressionAttributeValues: item{
				":doc": text(string(doc)), ":made": text(stamp(made)), ":expires": s.expiry(verify.Kept)},
		})
		return err
	}); err != nil {
		return storeError("storing a verdict on filters", err)
	}
	return nil
}
