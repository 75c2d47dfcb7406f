// Care is the Lambda function that EventBridge Scheduler calls each hour: it
// queues sign-ins for tokens that idleness would end or that are past their end,
// warns of those that come to it, and writes of problems that nobody has been
// told of; it drops secrets that interrupted edits left, and mends a destination
// whose secret was brought back. It reads no secret.
package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/function"
	"github.com/vizpost/vizpost/internal/aws/queue"
	"github.com/vizpost/vizpost/internal/aws/secrets"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/run"
)

func main() { function.Main(build) }

// build gives a function that takes any event: all connections are looked at.
func build(s *function.Settings, log *slog.Logger) (func(context.Context) error, error) {
	cfg := s.AWS()
	now := assembly.Clock(time.Now)
	store := dynamo.New(dynamodb.NewFromConfig(function.Database(cfg)), s.AppTable(), s.RunsTable())
	store.Now = now
	newID := assembly.NewIDs(now, rand.Reader)
	vault := &secrets.Vault{Client: secretsmanager.NewFromConfig(cfg), Prefix: s.SecretsPrefix()}
	care := &run.Care{
		Store:        store,
		Connections:  &connection.Service{Store: store, Vault: vault, Now: now, NewID: newID, Log: log},
		Destinations: &deliver.Destinations{Store: store, Vault: vault, Now: now, NewID: newID, Log: log},
		Bell:         &queue.Bell{Client: sqs.NewFromConfig(cfg), URL: s.BellURL()},
		Now:          now, Log: log,
	}
	return care.Run, nil
}
