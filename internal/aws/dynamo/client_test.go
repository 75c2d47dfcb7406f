package dynamo_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/vizpost/vizpost/internal/aws/dynamo"
)

// contentious refuses, as DynamoDB does and moto does not, a write that meets a
// transaction at an item, if only at one that the transaction checks.
type contentious struct {
	*dynamodb.Client

	mu        sync.Mutex
	inFlight  map[string]int // items that transactions are at
	conflicts int
}

var _ dynamo.Client = (*contentious)(nil)

func newContentious(c *dynamodb.Client) *contentious {
	return &contentious{Client: c, inFlight: map[string]int{}}
}

func itemName(table *string, it map[string]types.AttributeValue) string {
	return fmt.Sprint(*table, it["pk"].(*types.AttributeValueMemberS).Value, it["sk"].(*types.AttributeValueMemberS).Value)
}

func (c *contentious) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	var items []string
	for _, w := range in.TransactItems {
		switch {
		case w.Put != nil:
			items = append(items, itemName(w.Put.TableName, w.Put.Item))
		case w.Update != nil:
			items = append(items, itemName(w.Update.TableName, w.Update.Key))
		case w.Delete != nil:
			items = append(items, itemName(w.Delete.TableName, w.Delete.Key))
		default:
			items = append(items, itemName(w.ConditionCheck.TableName, w.ConditionCheck.Key))
		}
	}
	reasons, met := c.begin(items)
	if met {
		return nil, &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	defer c.end(items)
	return c.Client.TransactWriteItems(ctx, in, o...)
}

func (c *contentious) begin(items []string) (reasons []types.CancellationReason, met bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range items {
		code := "None"
		if c.inFlight[name] > 0 {
			code, met = "TransactionConflict", true
		}
		reasons = append(reasons, types.CancellationReason{Code: aws.String(code)})
	}
	if met {
		c.conflicts++
		return reasons, true
	}
	for _, name := range items {
		c.inFlight[name]++
	}
	return nil, false
}

func (c *contentious) end(items []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range items {
		c.inFlight[name]--
	}
}

// single refuses a write that is no transaction.
func (c *contentious) single(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inFlight[name] > 0 {
		c.conflicts++
		return &types.TransactionConflictException{}
	}
	return nil
}

func (c *contentious) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if err := c.single(itemName(in.TableName, in.Item)); err != nil {
		return nil, err
	}
	return c.Client.PutItem(ctx, in, o...)
}

func (c *contentious) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if err := c.single(itemName(in.TableName, in.Key)); err != nil {
		return nil, err
	}
	return c.Client.UpdateItem(ctx, in, o...)
}

func (c *contentious) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	if err := c.single(itemName(in.TableName, in.Key)); err != nil {
		return nil, err
	}
	return c.Client.DeleteItem(ctx, in, o...)
}

// counting counts what it reads and writes.
type counting struct {
	*dynamodb.Client

	mu           sync.Mutex
	requests     map[string]int
	indexed      int // items that queries of indexes gave back
	read         int // items that were read by their keys
	biggestBatch int // actions of a transaction
}

func newCounting(c *dynamodb.Client) *counting {
	return &counting{Client: c, requests: map[string]int{}}
}

func (c *counting) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := c.Client.Query(ctx, in, o...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests["Query"]++
	if err == nil {
		c.indexed += len(out.Items)
	}
	return out, err
}

func (c *counting) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests["BatchGetItem"]++
	for _, request := range in.RequestItems {
		c.read += len(request.Keys)
	}
	return c.Client.BatchGetItem(ctx, in, o...)
}

func (c *counting) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests["TransactWriteItems"]++
	c.biggestBatch = max(c.biggestBatch, len(in.TransactItems))
	return c.Client.TransactWriteItems(ctx, in, o...)
}

// lagging shows indexes as they were when it was frozen.
type lagging struct {
	*dynamodb.Client

	mu     sync.Mutex
	frozen bool
	stale  map[string]*dynamodb.QueryOutput // by partition
}

func newLagging(c *dynamodb.Client) *lagging {
	return &lagging{Client: c, stale: map[string]*dynamodb.QueryOutput{}}
}

func (c *lagging) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if in.IndexName == nil {
		return c.Client.Query(ctx, in, o...)
	}
	partition := *in.TableName + *in.IndexName + in.ExpressionAttributeValues[":partition"].(*types.AttributeValueMemberS).Value
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen {
		if out := c.stale[partition]; out != nil {
			return out, nil
		}
		return &dynamodb.QueryOutput{}, nil
	}
	out, err := c.Client.Query(ctx, in, o...)
	if err == nil {
		c.stale[partition] = out
	}
	return out, err
}

func (c *lagging) freeze(frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = frozen
}

// half answers at most half of what a batch asks for.
type half struct{ *dynamodb.Client }

func (c half) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	asked, left := *in, map[string]types.KeysAndAttributes{}
	asked.RequestItems = map[string]types.KeysAndAttributes{}
	for table, request := range in.RequestItems {
		n := (len(request.Keys) + 1) / 2
		now, later := request, request
		now.Keys, later.Keys = request.Keys[:n], request.Keys[n:]
		asked.RequestItems[table] = now
		if len(later.Keys) > 0 {
			left[table] = later
		}
	}
	out, err := c.Client.BatchGetItem(ctx, &asked, o...)
	if err == nil {
		out.UnprocessedKeys = left
	}
	return out, err
}

// failing fails the nth transaction, before it is made.
type failing struct {
	*dynamodb.Client
	nth int
	err error
}

func (c *failing) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	c.nth--
	if c.nth == 0 {
		return nil, c.err
	}
	return c.Client.TransactWriteItems(ctx, in, o...)
}

// lossy applies the next transaction, loses its answer and says that its repeat
// was cancelled: by throttling, or with whatever error it has.
type lossy struct {
	*dynamodb.Client

	mu   sync.Mutex
	lose bool
	err  error // nil: throttled
	lost int
}

func newLossy(c *dynamodb.Client) *lossy { return &lossy{Client: c} }

// next has the next transaction lose its answer.
func (c *lossy) next(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose, c.err, c.lost = true, err, 0
}

func (c *lossy) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	c.mu.Lock()
	lose, err := c.lose, c.err
	c.lose = false
	c.mu.Unlock()
	out, applied := c.Client.TransactWriteItems(ctx, in, o...)
	if !lose || applied != nil {
		return out, applied
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost++
	if err != nil {
		return nil, err
	}
	throttled := &types.TransactionCanceledException{}
	for range in.TransactItems {
		throttled.CancellationReasons = append(throttled.CancellationReasons, types.CancellationReason{Code: aws.String("ThrottlingError")})
	}
	return nil, throttled
}
