package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

// scripted answers transactions with errors, one after the other, then with
// success.
type scripted struct {
	dynamo.Client // nil: nothing else is asked
	answers       []error
	asked         int
}

func (c *scripted) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	c.asked++
	if c.asked > len(c.answers) {
		return &dynamodb.TransactWriteItemsOutput{}, nil
	}
	return nil, c.answers[c.asked-1]
}

// GetItem finds nothing.
func (c *scripted) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return &dynamodb.GetItemOutput{}, nil
}

func cancelled(codes ...string) error {
	e := &types.TransactionCanceledException{}
	for _, code := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
	}
	return e
}

func TestWhatOthersGetInTheWayOfIsTriedAgain(t *testing.T) {
	t.Parallel()
	meets := cancelled("None", "TransactionConflict")
	for name, try := range map[string]struct {
		answers []error
		tries   int
		want    func(error) bool
	}{
		"a conflict":              {[]error{meets}, 2, succeeded},
		"conflicts and throttles": {[]error{meets, cancelled("ThrottlingError"), &types.TransactionInProgressException{}, cancelled("ProvisionedThroughputExceeded")}, 5, succeeded},
		"a throttled table":       {[]error{&types.ProvisionedThroughputExceededException{}, &types.RequestLimitExceeded{}}, 3, succeeded},
		"a conflict beside a condition that fails": {[]error{cancelled("ConditionalCheckFailed", "TransactionConflict"),
			cancelled("ConditionalCheckFailed", "None")}, 2, kind(problem.Stale)},
		"conflicts without end": {slices.Repeat([]error{meets}, 100), 12, kind(problem.Unavailable)},
		"a condition":           {[]error{cancelled("ConditionalCheckFailed")}, 1, kind(problem.Stale)},
		"another reason":        {[]error{cancelled("ValidationError")}, 1, kind(problem.Internal)},
		"another error":         {[]error{errors.New("no route")}, 1, kind(problem.Internal)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				client := &scripted{answers: try.answers}
				err := dynamo.New(client, "app", "runs").CreateDestination(t.Context(), deliver.Destination{ID: "d"})
				if !try.want(err) || client.asked != try.tries {
					t.Errorf("got error %v after %d tries, want %d", err, client.asked, try.tries)
				}
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("it took %v, longer than somebody waits for it", took)
				}
			})
		})
	}
}

func succeeded(err error) bool { return err == nil }

func kind(k problem.Kind) func(error) bool {
	return func(err error) bool {
		p, _ := problem.From(err)
		return err != nil && p.Kind == k
	}
}

// TestTokens looks at the token by which DynamoDB knows a transaction again: it
// stays as long as the answer to the transaction is not known.
func TestTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tokens []string
		answers := []struct {
			status int
			body   string
		}{
			{500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`},
			{400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionInProgressException"}`},
			{400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{"Code":"TransactionConflict"}]}`},
			{500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`},
			{200, `{}`},
		}
		client := dynamodb.New(dynamodb.Options{
			Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "not-a-secret", ""),
			HTTPClient: roundTrip(func(r *http.Request) (*http.Response, error) {
				var sent struct{ ClientRequestToken string }
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
					return nil, err
				}
				tokens = append(tokens, sent.ClientRequestToken)
				answer := answers[len(tokens)-1]
				return &http.Response{StatusCode: answer.status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
					Body: io.NopCloser(strings.NewReader(answer.body))}, nil
			}),
		})
		succeed(t, dynamo.New(client, "app", "runs").CreateDestination(t.Context(), deliver.Destination{ID: "d"}))
		if len(tokens) != len(answers) {
			t.Fatalf("got %d requests, want %d", len(tokens), len(answers))
		}
		first, second := tokens[0], tokens[3]
		if first == "" || first == second {
			t.Errorf("got the tokens %q and %q of two transactions", first, second)
		}
		same(t, tokens, []string{first, first, first, second, second})
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestAContextThatEndsEndsTheTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		client := &scripted{answers: slices.Repeat([]error{cancelled("TransactionConflict")}, 100)}
		err := dynamo.New(client, "app", "runs").CreateDestination(ctx, deliver.Destination{ID: "d"})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want that the context has ended", err)
		}
	})
}

// TestADrainsWorkersDoNotMeet has many workers write under one lease: they take
// turns, rather than cancel one another's transactions.
func TestADrainsWorkersDoNotMeet(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, newContentious)
	lease, err := s.LeaseSite(t.Context(), "tableau.example.com/acme", "me", start(), start().Add(time.Minute))
	succeed(t, err)
	var workers sync.WaitGroup
	for i := range 16 {
		workers.Go(func() {
			r, err := s.CreateRun(t.Context(), newRun(fmt.Sprint("run-", i), fmt.Sprint("r-", i), start()))
			for range 3 {
				if err == nil {
					r.State = run.Running
					r, err = s.UpdateRun(t.Context(), &lease, r)
				}
			}
			if err != nil {
				t.Errorf("worker %d got error %v", i, err)
			}
		})
	}
	workers.Go(func() {
		for i := range 5 {
			if err := s.RenewSite(t.Context(), lease, start().Add(time.Duration(i+1)*time.Minute)); err != nil {
				t.Errorf("renewing: got error %v", err)
			}
		}
	})
	workers.Wait()
	if client.conflicts != 0 {
		t.Errorf("they met %d times", client.conflicts)
	}
}

// TestThoseWhoMeetAllGetThrough has many processes, which share no gate, write
// what they have in common.
func TestThoseWhoMeetAllGetThrough(t *testing.T) {
	t.Parallel()
	emulator := dynamodb.NewFromConfig(awstest.Start(t))
	app, runs := tables(t, emulator)
	client := newContentious(emulator)
	process := func() *dynamo.Store { return dynamo.New(client, app, runs) }
	succeed(t, process().CreateConnection(t.Context(), newConnection("c"), nil))
	var processes sync.WaitGroup
	for i := range 12 {
		processes.Go(func() {
			s := process()
			if err := s.CreateReport(t.Context(), newReport(fmt.Sprint("r-", i), start())); err != nil {
				t.Errorf("storing a report: got error %v", err)
			}
			if err := s.CountAttempt(t.Context(), "ada", start(), start().Add(-time.Minute), 100); err != nil {
				t.Errorf("counting an attempt: got error %v", err)
			}
		})
	}
	processes.Wait()
	if client.conflicts == 0 {
		t.Error("they never met: the test shows nothing")
	}
	s := process()
	for i := range 12 {
		if err := s.DeleteConnection(t.Context(), "c", 1); !problem.HasCode(err, problem.CodeInUse) {
			t.Fatalf("with %d reports left: got error %v, want that it is in use", 12-i, err)
		}
		succeed(t, s.DeleteReport(t.Context(), fmt.Sprint("r-", i), 1))
	}
	succeed(t, s.DeleteConnection(t.Context(), "c", 1))
	if err := s.CountAttempt(t.Context(), "ada", start(), start().Add(-time.Minute), 12); !problem.Is(err, problem.TooMany) {
		t.Errorf("got error %v, want TooMany after 12 attempts", err)
	}
}

// TestIndexesLag shows indexes as they were: what they show that is no longer
// so is not given.
func TestIndexesLag(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, newLagging)
	site := newRun("", "", start()).Site
	r := storeReport(t, s, newReport("r", start()))
	gone := storeReport(t, s, newReport("gone", start()))
	moved := storeReport(t, s, newReport("moved", start().Add(time.Hour)))
	queued, err := s.CreateRun(t.Context(), newRun("queued", "r", start().Add(-time.Hour)))
	succeed(t, err)
	later, err := s.CreateRun(t.Context(), newRun("later", "r", start().Add(-2*time.Hour)))
	succeed(t, err)
	held := newRun("held", "r", start().Add(-3*time.Hour))
	held.State = run.Held
	held, err = s.CreateRun(t.Context(), held)
	succeed(t, err)
	succeed(t, s.PutWork(t.Context(), run.Work{Site: site, Kind: run.Probe, Ref: "c", NotBefore: start()}))

	type view struct {
		Due, Listed, OfConnection, Queued, OfReport, Held []string
		Work                                              []string
	}
	look := func() (v view) {
		due, err := s.DueReports(t.Context(), start(), 10)
		succeed(t, err)
		v.Due = idsOf(due)
		listed, _, err := s.Reports(t.Context(), "", "", 10)
		succeed(t, err)
		v.Listed = idsOf(listed)
		listed, _, err = s.Reports(t.Context(), "c", "", 10)
		succeed(t, err)
		v.OfConnection = idsOf(listed)
		for _, list := range []struct {
			filter run.Filter
			ids    *[]string
		}{{run.Filter{States: []run.State{run.Queued}}, &v.Queued}, {run.Filter{ReportID: "r", States: []run.State{run.Queued, run.Held}}, &v.OfReport}} {
			runs, _, err := s.Runs(t.Context(), list.filter, "", 10)
			succeed(t, err)
			for _, r := range runs {
				*list.ids = append(*list.ids, r.ID)
			}
		}
		heldRuns, err := s.HeldRuns(t.Context(), site, held.ConnectionID, "", 10)
		succeed(t, err)
		for _, r := range heldRuns {
			v.Held = append(v.Held, r.ID)
		}
		work, err := s.Work(t.Context(), site, start(), 10)
		succeed(t, err)
		for _, w := range work {
			v.Work = append(v.Work, string(w.Kind)+" "+w.Ref)
		}
		return v
	}
	same(t, look(), view{
		Due: []string{"gone", "r"}, Listed: []string{"gone", "moved", "r"}, OfConnection: []string{"gone", "moved", "r"},
		Queued: []string{"queued", "later"}, OfReport: []string{"queued", "later", "held"}, Held: []string{"held"},
		Work: []string{"probe c", "run later", "run queued"},
	})

	client.freeze(true)
	succeed(t, s.Fire(t.Context(), r, start().Add(time.Hour), nil))
	succeed(t, s.DeleteReport(t.Context(), gone.ID, gone.Rev))
	succeed(t, s.CreateConnection(t.Context(), connection.Connection{ID: "other"}, nil))
	moved.ConnectionID = "other"
	succeed(t, s.UpdateReport(t.Context(), moved))
	queued.State, held.State, later.NotBefore = run.Delivered, run.Skipped, start().Add(time.Hour)
	for _, r := range []run.Run{queued, held, later} {
		if _, err := s.UpdateRun(t.Context(), nil, r); err != nil {
			t.Fatal(err)
		}
	}
	succeed(t, s.DropWork(t.Context(), run.Work{Site: site, Kind: run.Probe, Ref: "c"}))
	same(t, look(), view{Listed: []string{"moved", "r"}, OfConnection: []string{"r"}, Queued: []string{"later"}, OfReport: []string{"later"}})
	client.freeze(false)
	same(t, look(), view{Listed: []string{"moved", "r"}, OfConnection: []string{"r"}, Queued: []string{"later"}, OfReport: []string{"later"}})
}

func TestABatchThatIsAnsweredInPart(t *testing.T) {
	t.Parallel()
	s, _ := openThrough(t, func(c *dynamodb.Client) half { return half{c} })
	var want []string
	for i := range 30 {
		want = append(want, storeReport(t, s, newReport(fmt.Sprintf("r-%02d", i), start().Add(time.Duration(i-60)*time.Minute))).ID)
	}
	due, err := s.DueReports(t.Context(), start(), 100)
	succeed(t, err)
	same(t, idsOf(due), want)
	due, err = s.DueReports(t.Context(), start(), 7)
	succeed(t, err)
	same(t, idsOf(due), want[:7])
}
