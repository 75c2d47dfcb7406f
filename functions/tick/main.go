// Tick is the Lambda function that EventBridge Scheduler calls each minute: it
// makes runs of the reports that are due and has the bells rung that went
// unheard.
package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/function"
	"github.com/vizpost/vizpost/internal/aws/queue"
	"github.com/vizpost/vizpost/internal/run"
)

func main() { function.Main(build) }

// build gives a function that takes any event: what is due is read from the
// store.
func build(s *function.Settings, log *slog.Logger) (func(context.Context) (run.Tally, error), error) {
	cfg := s.AWS()
	now := assembly.Clock(time.Now)
	store := dynamo.New(dynamodb.NewFromConfig(function.Database(cfg)), s.AppTable(), s.RunsTable())
	store.Now = now
	tick := &run.Tick{
		Store: store, Connections: store, Bell: &queue.Bell{Client: sqs.NewFromConfig(cfg), URL: s.BellURL()},
		Now: now, NewID: assembly.NewIDs(now, rand.Reader), Log: log,
	}
	return tick.Run, nil
}
