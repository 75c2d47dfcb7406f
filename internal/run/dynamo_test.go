package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// TestHistoriesOnDynamoDB is TestHistories with all but the secrets kept in
// DynamoDB, or what an emulator shows of it: its indexes do not lag.
func TestHistoriesOnDynamoDB(t *testing.T) {
	t.Parallel()
	cfg := awstest.Start(t)
	var tables atomic.Int64
	forSeeds(t, fewer(3, 1), func(t *testing.T, seed uint64) {
		n := tables.Add(1)
		app, runs := fmt.Sprint("app-", n), fmt.Sprint("runs-", n)
		makeTables(t, dynamodb.NewFromConfig(cfg), dynamo.AppTable(app), dynamo.RunsTable(runs))
		inside := cfg.Copy()
		inside.HTTPClient = newOutside(t)
		inBubbleOver(t, tableautest.Options{}, func(s *local.Store) store {
			return onDynamoDB{dynamo.New(dynamodb.NewFromConfig(inside), app, runs), s}
		}, func(w *world) { newHistory(w, seed).live() })
	})
}

// onDynamoDB is a store with its vault, which are two services.
type onDynamoDB struct {
	*dynamo.Store
	connection.Vault
}

// makeTables makes tables that are deleted when the test ends.
func makeTables(t *testing.T, client *dynamodb.Client, tables ...*dynamodb.CreateTableInput) {
	t.Helper()
	for _, table := range tables {
		// A table that is there was made by a try whose answer was lost, which the
		// SDK repeats.
		var there *types.ResourceInUseException
		if _, err := client.CreateTable(t.Context(), table); err != nil && !errors.As(err, &there) {
			t.Fatalf("making a table: %v", err)
		}
		t.Cleanup(func() {
			// The test's context has ended.
			in := &dynamodb.DeleteTableInput{TableName: table.TableName}
			if _, err := client.DeleteTable(context.Background(), in); err != nil {
				t.Errorf("deleting a table: %v", err)
			}
		})
	}
}

// outside carries the requests of a bubble to the network. A wait for the network
// inside would look like one for time to pass, so that deadlines would be over
// before the answer is there. The bubble waits for an exchange that was made
// outside of it instead, and its time stands still.
type outside struct {
	idle chan *exchange
}

var _ aws.HTTPClient = (*outside)(nil)

// exchange carries one request at a time.
type exchange struct {
	request chan *http.Request
	answer  chan answered
}

type answered struct {
	response *http.Response
	body     []byte
	err      error
}

// newOutside is to be called outside of the bubble. It ends with the test.
func newOutside(t *testing.T) *outside {
	const atOnce = 16 // as many as a store sends
	transport := &http.Transport{MaxIdleConnsPerHost: atOnce}
	o := &outside{idle: make(chan *exchange, atOnce)}
	var all []*exchange
	for range atOnce {
		e := &exchange{request: make(chan *http.Request), answer: make(chan answered)}
		go e.serve(transport)
		all = append(all, e)
		o.idle <- e
	}
	t.Cleanup(func() {
		for _, e := range all {
			close(e.request)
		}
		transport.CloseIdleConnections()
	})
	return o
}

func (e *exchange) serve(transport http.RoundTripper) {
	for request := range e.request {
		var a answered
		if a.response, a.err = transport.RoundTrip(request); a.err == nil {
			a.body, a.err = io.ReadAll(a.response.Body)
			a.err = errors.Join(a.err, a.response.Body.Close())
		}
		e.answer <- a
	}
}

func (o *outside) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	// Nothing of the bubble leaves it, the context among it.
	request, err := http.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = r.Header.Clone()
	e := <-o.idle
	e.request <- request
	a := <-e.answer
	o.idle <- e
	if a.err != nil {
		return nil, a.err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	h := a.response.Header.Clone()
	h.Del("Date") // of the machine's clock, by which the bubble's is years behind
	return &http.Response{StatusCode: a.response.StatusCode, Status: a.response.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r}, nil
}
