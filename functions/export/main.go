// Export is the Lambda function that the queue of bells calls: it works off a
// site, that is, exports views from Tableau and delivers them.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/function"
	"github.com/vizpost/vizpost/internal/aws/mail"
	"github.com/vizpost/vizpost/internal/aws/objects"
	"github.com/vizpost/vizpost/internal/aws/queue"
	"github.com/vizpost/vizpost/internal/aws/secrets"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/scratch"
	"github.com/vizpost/vizpost/internal/verify"
)

const (
	// closing is kept back of the time that Lambda gives a call, to write what
	// became of the work, give up the site and ring again.
	closing = 20 * time.Second

	// reserve is what a run is given at least when it is begun. It is cut off
	// when the time is over, and goes on with the next bell.
	reserve = 2 * time.Minute

	// scratchBytes is what the temporary files of exports may take at once. The
	// function has somewhat more (EphemeralStorage in template.yaml).
	scratchBytes = 1900 << 20
)

func main() { function.Main(build) }

func build(s *function.Settings, log *slog.Logger) (func(context.Context, events.SQSEvent) error, error) {
	cfg, policy := s.AWS(), s.Outbound()
	now := assembly.Clock(time.Now)
	newID := assembly.NewIDs(now, rand.Reader)
	store := dynamo.New(dynamodb.NewFromConfig(function.Database(cfg)), s.AppTable(), s.RunsTable())
	store.Now = now
	vault := &secrets.Vault{Client: secretsmanager.NewFromConfig(cfg), Prefix: s.SecretsPrefix()}
	bell := &queue.Bell{Client: sqs.NewFromConfig(cfg), URL: s.BellURL()}
	transport := outbound.NewTransport(policy)
	server := assembly.Tableau{Policy: policy, Transport: transport, Now: now, ExportTimeout: s.ExportTimeout()}
	slack := deliver.NewSlackPoster(&http.Client{Transport: transport}, now)
	sender, address := s.MailFrom()
	files := scratch.New("", scratchBytes)
	if _, err := files.Sweep(); err != nil {
		log.Warn("temporary files that a process before this one left could not be removed", "error", err)
	}

	drain := &run.Drain{
		Store: store, Reports: store, Bell: bell,
		Filters: &verify.Service{Store: store, Now: now, Log: log},
		Connections: &connection.Service{
			Store: store, Vault: vault, Holds: &run.Holds{Store: store, Bell: bell, Now: now},
			Dial: server.Dial, CheckServer: server.CheckServer, Now: now, NewID: newID, Random: rand.Reader, Log: log,
		},
		Destinations: &deliver.Destinations{
			Store: store, Vault: vault, Poster: slack, AllowedOrigins: s.WebhookOrigins(), Notices: &run.Holds{Store: store, Bell: bell, Now: now}, Now: now, NewID: newID, Log: log,
		},
		Files: &objects.Files{Client: s3.NewFromConfig(cfg), Bucket: s.FilesBucket()},
		Mail:  &mail.Mailer{Client: ses.NewFromConfig(cfg), ConfigurationSet: s.ConfigurationSet()}, MailFrom: sender, Unsubscribe: address,
		Emails:         &deliver.EmailBuilder{MaxBytes: s.MaxEmail(), Budget: deliver.NewBudget(int64(s.MemoryMB()) << 20 / 4), Now: now},
		Slack:          slack,
		Administrators: s.Administrators(), PublicURL: s.PublicURL(),
		Exports: s.Exports(), Scratch: files, Reserve: reserve, LongestExport: s.ExportTimeout(),
		Now: now, NewID: newID, Jitter: assembly.Jitter, Log: log,
	}
	return func(ctx context.Context, event events.SQSEvent) error { return heard(ctx, drain, event) }, nil
}

// heard works off the sites that were rung for. What is no bell is an error, so
// that it ends where somebody sees it: in the dead-letter queue.
func heard(ctx context.Context, drain *run.Drain, event events.SQSEvent) error {
	if len(event.Records) == 0 {
		return errors.New("the event holds no message of the queue")
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-closing))
		defer cancel()
	}
	var failures []error
	for _, message := range event.Records {
		site, err := queue.Site(message.Body)
		if err == nil {
			err = drain.Site(ctx, site)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("message %s: %w", message.MessageId, err))
		}
	}
	return errors.Join(failures...)
}
