package dynamo_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/secrets"
	"github.com/vizpost/vizpost/internal/storetest"
)

// TestMain has the models of storetest tried less often than they are with an
// embedded database: the emulator takes some milliseconds for each of their
// thousands of requests. The flags of rapid set other numbers.
func TestMain(m *testing.M) {
	flag.Parse()
	few := map[string]string{"rapid.checks": "3", "rapid.steps": "20"}
	flag.Visit(func(f *flag.Flag) { delete(few, f.Name) })
	for name, value := range few {
		if err := flag.Set(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// names keeps the tables of tests apart.
var names atomic.Int64

// open gives a store in tables of its own, and the client that it reaches them
// by.
//
// What moto does not show: its indexes never lag, its transactions never meet,
// nothing is throttled or too large, and nothing expires. The clients of this
// package's tests stand in for some of it.
func open(t *testing.T) (*dynamo.Store, *dynamodb.Client) {
	t.Helper()
	client := dynamodb.NewFromConfig(awstest.Start(t))
	app, runs := tables(t, client)
	return dynamo.New(client, app, runs), client
}

// openThrough is open with a client around that of the emulator.
func openThrough[C dynamo.Client](t *testing.T, around func(*dynamodb.Client) C) (*dynamo.Store, C) {
	t.Helper()
	client := dynamodb.NewFromConfig(awstest.Start(t))
	app, runs := tables(t, client)
	through := around(client)
	if c, ok := any(through).(*named); ok {
		c.app, c.runs = app, runs
	}
	return dynamo.New(through, app, runs), through
}

// tables makes tables that are deleted when the test ends: a transaction costs
// the emulator a copy of its tables.
func tables(t *testing.T, client *dynamodb.Client) (app, runs string) {
	t.Helper()
	n := names.Add(1)
	app, runs = fmt.Sprintf("app-%d", n), fmt.Sprintf("runs-%d", n)
	for _, table := range []*dynamodb.CreateTableInput{dynamo.AppTable(app), dynamo.RunsTable(runs)} {
		// The name is this test's own: a table that is there was made by a try
		// whose answer was lost, which the SDK repeats.
		var there *dynamodbtypes.ResourceInUseException
		if _, err := client.CreateTable(t.Context(), table); err != nil && !errors.As(err, &there) {
			t.Fatalf("making a table: %v", err)
		}
		t.Cleanup(func() { // the test's context has ended
			var gone *dynamodbtypes.ResourceNotFoundException
			if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: table.TableName}); err != nil && !errors.As(err, &gone) {
				t.Errorf("deleting a table: %v", err)
			}
		})
	}
	return app, runs
}

// whole is a store with its vault, which are two services.
type whole struct {
	*dynamo.Store
	*secrets.Vault
}

// strict refuses a value for a secret that was removed, as AWS does and moto
// does not.
type strict struct{ *secretsmanager.Client }

func (c strict) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	known, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: in.SecretId})
	if err == nil && known.DeletedDate != nil {
		return nil, &types.InvalidRequestException{Message: aws.String("You can't perform this operation on the secret because it was marked for deletion.")}
	}
	return c.Client.PutSecretValue(ctx, in, o...)
}

func openWhole(t *testing.T) storetest.Store {
	store, _ := openThrough(t, newContentious)
	prefix := strings.NewReplacer(" ", "-", ":", "-", ",", "-", "'", "-").Replace(t.Name())
	return whole{store, &secrets.Vault{Client: strict{secretsmanager.NewFromConfig(awstest.Start(t))}, Prefix: prefix}}
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openWhole)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	storetest.Credentials(t, openWhole)
}
