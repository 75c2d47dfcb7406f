package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

const (
	dynamoReports = 20_000
	dynamoDue     = 200
)

// dynamoTick measures whether the due queries of a tick on DynamoDB read only
// what is due: the items that they returned, over an emulator, less the reports
// that were due.
func dynamoTick(ctx context.Context, b bench) ([]figure, error) {
	cfg, err := awstest.Serve()
	if err != nil {
		return nil, fmt.Errorf("starting the AWS emulator: %w", err)
	}
	client := &countingClient{Client: dynamodb.NewFromConfig(cfg)}
	for _, table := range []*dynamodb.CreateTableInput{dynamo.AppTable("app"), dynamo.RunsTable("runs")} {
		if _, err := client.CreateTable(ctx, table); err != nil {
			return nil, fmt.Errorf("making a table: %w", err)
		}
	}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	newID := assembly.NewIDs(clock, rand.Reader)
	store := dynamo.New(client, "app", "runs")
	store.Now = clock
	c := connection.Connection{ID: newID(), Name: "Site", ServerURL: "https://tableau.example.com", State: connection.Connected,
		Fingerprint: "none", CredentialVersion: "none", CreatedAt: now, UpdatedAt: now}
	if err := store.CreateConnection(ctx, c, nil); err != nil {
		return nil, fmt.Errorf("storing a connection: %w", err)
	}
	client.filling = true
	for i := range dynamoReports {
		r := report.Report{ID: newID(), Name: fmt.Sprintf("Report %d", i), ConnectionID: c.ID, Enabled: true,
			Schedule:     &report.Schedule{Cron: "0 9 * * *", TimeZone: "UTC"},
			Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{"reader@example.com"}}},
			NextRunAt:    now.Add(24 * time.Hour), Version: 1, CreatedAt: now, UpdatedAt: now}
		if i%(dynamoReports/dynamoDue) == 0 {
			r.NextRunAt = now
		}
		if err := store.CreateReport(ctx, r); err != nil {
			return nil, fmt.Errorf("storing a report: %w", err)
		}
	}

	client.filling = false
	tick := &run.Tick{Store: store, Connections: store, Bell: silent{}, Now: clock, NewID: newID, Log: slog.New(slog.NewTextHandler(b.stderr, nil))}
	tally, err := tick.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("ticking: %w", err)
	}
	if tally.Runs != dynamoDue {
		return nil, fmt.Errorf("the tick made %d runs of %d due reports", tally.Runs, dynamoDue)
	}
	return []figure{{"dynamo_tick_items_over_due", float64(client.due.Load() - dynamoDue), "items", 0}}, nil
}

// countingClient counts the items that queries of the due index return.
type countingClient struct {
	*dynamodb.Client
	due     atomic.Int64
	filling bool // while the reports are stored, by nobody else
}

// TransactWriteItems implements [dynamo.Client]. The emulator copies all of its
// tables for each transaction, so they are filled by the writes alone.
func (c *countingClient) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if !c.filling {
		return c.Client.TransactWriteItems(ctx, in, o...)
	}
	for _, item := range in.TransactItems {
		var err error
		switch {
		case item.Put != nil:
			_, err = c.PutItem(ctx, &dynamodb.PutItemInput{TableName: item.Put.TableName, Item: item.Put.Item})
		case item.Update != nil:
			_, err = c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: item.Update.TableName, Key: item.Update.Key,
				UpdateExpression: item.Update.UpdateExpression, ExpressionAttributeNames: item.Update.ExpressionAttributeNames,
				ExpressionAttributeValues: item.Update.ExpressionAttributeValues, ConditionExpression: item.Update.ConditionExpression})
		default:
			err = errors.New("a write that filling does not know")
		}
		if err != nil {
			return nil, err
		}
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

// Query implements [dynamo.Client].
func (c *countingClient) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := c.Client.Query(ctx, in, o...)
	if err == nil && aws.ToString(in.IndexName) == "due" {
		c.due.Add(int64(out.ScannedCount))
	}
	return out, err
}

// silent is a bell that nobody hears.
type silent struct{}

// Ring implements [run.Bell].
func (silent) Ring(context.Context, string) error { return nil }
