// Receipts is the Lambda function that a rule of EventBridge calls with what SES
// says of messages: it notes the proof with the deliveries.
package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/function"
	"github.com/vizpost/vizpost/internal/aws/mailevent"
	"github.com/vizpost/vizpost/internal/run"
)

func main() { function.Main(build) }

func build(s *function.Settings, log *slog.Logger) (func(context.Context, events.EventBridgeEvent) error, error) {
	now := assembly.Clock(time.Now)
	store := dynamo.New(dynamodb.NewFromConfig(function.Database(s.AWS())), "", s.RunsTable())
	store.Now = now
	receipts := &run.Receipts{Store: store, Now: now, Log: log}
	return func(ctx context.Context, event events.EventBridgeEvent) error {
		e, err := mailevent.Parse(event.Detail)
		if errors.Is(err, mailevent.ErrNotOurs) || errors.Is(err, mailevent.ErrOther) {
			log.InfoContext(ctx, "an event was passed over", "event", event.ID, "reason", err)
			return nil
		}
		if err != nil {
			return err
		}
		return receipts.Take(ctx, e)
	}, nil
}
