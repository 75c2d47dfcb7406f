// Api is the Lambda function behind the routes of API Gateway that need a
// sign-in: connections, reports, runs and destinations.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/function"
	"github.com/vizpost/vizpost/internal/aws/gateway"
	"github.com/vizpost/vizpost/internal/aws/links"
	"github.com/vizpost/vizpost/internal/aws/queue"
	"github.com/vizpost/vizpost/internal/aws/secrets"
	"github.com/vizpost/vizpost/internal/aws/watch"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/verify"
)

func main() { function.Main(build) }

func build(s *function.Settings, log *slog.Logger) (func(context.Context, json.RawMessage) (gateway.Response, error), error) {
	cfg, policy := s.AWS(), s.Outbound()
	now := assembly.Clock(time.Now)
	newID := assembly.NewIDs(now, rand.Reader)
	store := dynamo.New(dynamodb.NewFromConfig(function.Database(cfg)), s.AppTable(), s.RunsTable())
	store.Now = now
	vault := &secrets.Vault{Client: secretsmanager.NewFromConfig(cfg), Prefix: s.SecretsPrefix()}
	bell := &queue.Bell{Client: sqs.NewFromConfig(cfg), URL: s.BellURL()}
	transport := outbound.NewTransport(policy)
	server := assembly.Tableau{Policy: policy, Transport: transport, Now: now}

	connections := &connection.Service{
		Store: store, Vault: vault, Holds: &run.Holds{Store: store, Bell: bell, Now: now},
		Dial: server.Dial, CheckServer: server.CheckServer, Now: now, NewID: newID, Random: rand.Reader, Log: log,
	}
	destinations := &deliver.Destinations{
		Store: store, Vault: vault, Poster: deliver.NewSlackPoster(&http.Client{Transport: transport}, now),
		AllowedOrigins: s.WebhookOrigins(), Notices: &run.Holds{Store: store, Bell: bell, Now: now}, Now: now, NewID: newID, Log: log,
	}
	runs := &run.Service{Store: store, Reports: store, Connections: store, Bell: bell, Now: now, NewID: newID, Log: log}
	reports := &report.Service{Store: store, Connections: connections, Destinations: destinations, Runs: runs, Now: now,
		Filters: &verify.Service{Store: store, Connections: connections, Now: now, Log: log}}
	slackRole := ""
	if s.SlackTeam() != "" {
		slackRole = cmp.Or(s.SlackRole(), "none")
	}
	return gateway.Handler(httpapi.New(httpapi.Deps{
		Connections: connections, Reports: reports, Runs: runs, Destinations: destinations, Requests: store,
		Health:       watch.New(store, vault, now, log),
		FileLinks:    &links.Links{Config: cfg, Bucket: s.FilesBucket(), Now: now},
		Authenticate: gateway.Pool{Issuer: s.SignInIssuer(), Client: s.SignInClient()}.Authenticate,
		Installation: httpapi.Installation{Mode: "aws", Mail: "ses", TimeZone: "UTC", Administrators: s.Administrators(), SlackRole: slackRole},
		Now:          now, NewID: newID, Log: log, Version: assembly.Version(),
	})), nil
}
