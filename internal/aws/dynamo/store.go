// Package dynamo keeps connections, reports, runs and deliveries in Amazon
// DynamoDB.
//
// What decides is read consistently from the tables and written under
// conditions; what must change together is written in one transaction. Indexes
// lag behind: they say where to look, and no more.
package dynamo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/verify"
)

const (
	// maxActions and maxTransaction bound a transaction (TransactWriteItems:
	// 100 actions, 4 MB), maxItem an item (400 KB, names of attributes among
	// it). Something is left for what is not counted.
	maxActions     = 100
	maxTransaction = 3_500_000
	maxItem        = 390_000

	// maxBatch is how many items one BatchGetItem takes.
	maxBatch = 100

	// maxTries is how often something is tried that others get in the way of:
	// for two to three seconds.
	maxTries     = 12
	shortestWait = 10 * time.Millisecond
	longestWait  = 500 * time.Millisecond
)

// Client is what a [Store] needs of DynamoDB; a [dynamodb.Client] has it. The
// store sends up to 16 requests at once for a list, so the client's transport
// should keep as many idle connections.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Store keeps all that vizpost knows but its secrets in two tables, which
// [AppTable] and [RunsTable] define. It is safe for concurrent use, by one
// process and by many. Times are kept in UTC with a precision of microseconds.
type Store struct {
	// Now tells the time that items expire by. It may be replaced before the
	// store is used.
	Now func() time.Time

	client    Client
	app, runs string
	gates     sync.Map // site to its gate; see [Store.enter]
}

var (
	_ connection.Store         = (*Store)(nil)
	_ report.Store             = (*Store)(nil)
	_ run.Store                = (*Store)(nil)
	_ deliver.DestinationStore = (*Store)(nil)
	_ verify.Store             = (*Store)(nil)
)

// New gives a store in the tables with the names app and runs. A caller that
// needs one of them alone may leave the other's name empty, and its methods
// unused.
func New(client Client, app, runs string) *Store {
	return &Store{Now: time.Now, client: client, app: app, runs: runs}
}

// item is what a table holds under a key.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func key(pk, sk string) item { return item{partitionKey: text(pk), sortKey: text(sk)} }

// textOf gives an attribute; "" when it is missing.
func textOf(it item, attribute string) string {
	s, ok := it[attribute].(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}

// numberOf gives an attribute; 0 when it is missing.
func numberOf(it item, attribute string) int64 {
	n, ok := it[attribute].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	value, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0
	}
	return value
}

// file puts an item into an index.
func (i index) file(it item, partition, sort string) {
	it[i.pk()], it[i.sk()] = text(partition), text(sort)
}

const (
	docAttribute = "doc"
	revAttribute = "rev"
)

// encode gives the form of a value in the doc attribute.
func encode(value any) (types.AttributeValue, error) {
	doc, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encoding a %T: %w", value, err)
	}
	return text(string(doc)), nil
}

func decode[T any](it item, attribute string) (value T, err error) {
	if err := json.Unmarshal([]byte(textOf(it, attribute)), &value); err != nil {
		return value, fmt.Errorf("decoding a %T: %w", value, err)
	}
	return value, nil
}

// size is what DynamoDB counts of an item's size: names and values.
func size(it item) int {
	n := 0
	for name, value := range it {
		n += len(name)
		switch value := value.(type) {
		case *types.AttributeValueMemberS:
			n += len(value.Value)
		case *types.AttributeValueMemberN:
			n += len(value.Value)
		}
	}
	return n
}

// errTooLarge is a problem of what somebody has made too large.
func errTooLarge() error {
	return problem.New(problem.TooLarge, problem.CodeTooLarge,
		"This is too large to be stored: DynamoDB takes 400 KB. Use fewer recipients, filters or views, or make several reports of it.")
}

// get reads an item consistently.
func (s *Store) get(ctx context.Context, table string, key item) (it item, found bool, err error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, false, err
	}
	return out.Item, len(out.Item) > 0, nil
}

// keyName names an item for maps.
func keyName(it item) string { return textOf(it, partitionKey) + "\n" + textOf(it, sortKey) }

// getMany reads items consistently; those that are missing are left out.
// attributes, if there are any, are all that is read of each.
func (s *Store) getMany(ctx context.Context, table string, keys []item, attributes ...string) (map[string]item, error) {
	found := map[string]item{}
	for len(keys) > 0 {
		n := min(len(keys), maxBatch)
		if err := s.getBatch(ctx, table, keys[:n], attributes, found); err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return found, nil
}

func (s *Store) getBatch(ctx context.Context, table string, keys []item, attributes []string, found map[string]item) error {
	request := types.KeysAndAttributes{Keys: keys, ConsistentRead: aws.Bool(true)}
	if len(attributes) > 0 {
		request.ProjectionExpression = aws.String(strings.Join(append([]string{partitionKey, sortKey}, attributes...), ", "))
	}
	for try := 1; ; try++ {
		var out *dynamodb.BatchGetItemOutput
		if err := s.retry(ctx, func() (err error) {
			out, err = s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: request}})
			return err
		}); err != nil {
			return err
		}
		for _, it := range out.Responses[table] {
			found[keyName(it)] = it
			try = 1
		}
		left, some := out.UnprocessedKeys[table]
		if !some || len(left.Keys) == 0 {
			return nil
		}
		if try == maxTries {
			return errContended
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
		request = left
	}
}

// action is one write of a transaction.
type action struct {
	write types.TransactWriteItem
	size  int

	// refused says what it means that the condition does not hold. old is what
	// is stored, empty when nothing is.
	refused func(old item) error
}

// condition must hold for an action; values are those that it names.
type condition struct {
	expression string
	values     item
	refused    func(old item) error
}

// absent holds when there is no such item.
func absent(refused error) condition {
	return condition{"attribute_not_exists(pk)", nil, func(item) error { return refused }}
}

// at holds when an item has a Rev.
func at(rev int64, what, id string) condition {
	return condition{"rev = :rev", item{":rev": number(rev)}, func(old item) error {
		if len(old) == 0 {
			return problem.Missing(what, id)
		}
		return problem.Changed(what)
	}}
}

func put(table string, it item, c condition) action {
	w := &types.Put{TableName: &table, Item: it, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	if c.expression != "" {
		w.ConditionExpression, w.ExpressionAttributeValues = &c.expression, c.values
	}
	return action{types.TransactWriteItem{Put: w}, size(it), c.refused}
}

func update(table string, key item, expression string, values item, c condition) action {
	w := &types.Update{TableName: &table, Key: key, UpdateExpression: &expression,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	if c.expression != "" {
		w.ConditionExpression = &c.expression
	}
	all := maps.Clone(values)
	if all == nil {
		all = item{}
	}
	maps.Copy(all, c.values)
	if len(all) > 0 {
		w.ExpressionAttributeValues = all
	}
	return action{types.TransactWriteItem{Update: w}, size(key) + size(values), c.refused}
}

func remove(table string, key item, c condition) action {
	w := &types.Delete{TableName: &table, Key: key, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	if c.expression != "" {
		w.ConditionExpression, w.ExpressionAttributeValues = &c.expression, c.values
	}
	return action{types.TransactWriteItem{Delete: w}, size(key), c.refused}
}

func check(table string, key item, c condition) action {
	return action{types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &table, Key: key,
		ConditionExpression: &c.expression, ExpressionAttributeValues: c.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}}, size(key), c.refused}
}

// writtenBy is the attribute that names the transaction which wrote an item
// last.
const writtenBy = "written_by"

// sign has an action leave the transaction's name at what it writes.
func (a action) sign(name string) {
	switch {
	case a.write.Put != nil:
		a.write.Put.Item[writtenBy] = text(name)
	case a.write.Update != nil:
		expression := aws.ToString(a.write.Update.UpdateExpression)
		if rest, ok := strings.CutPrefix(expression, "SET "); ok {
			expression = "SET " + writtenBy + " = :written_by, " + rest
		} else {
			expression += " SET " + writtenBy + " = :written_by"
		}
		if a.write.Update.ExpressionAttributeValues == nil {
			a.write.Update.ExpressionAttributeValues = item{}
		}
		a.write.Update.UpdateExpression = &expression
		a.write.Update.ExpressionAttributeValues[":written_by"] = text(name)
	}
}

// written names the item that an action writes; ok is false for one that only
// checks or removes.
func (a action) written() (table string, key item, ok bool) {
	switch {
	case a.write.Put != nil:
		return *a.write.Put.TableName, item{partitionKey: a.write.Put.Item[partitionKey], sortKey: a.write.Put.Item[sortKey]}, true
	case a.write.Update != nil:
		return *a.write.Update.TableName, a.write.Update.Key, true
	}
	return "", nil, false
}

// transact writes all or nothing. When conditions do not hold, the error is
// that of the first action whose condition it is.
//
// Also what is a single conditional write goes this way: the SDK gives each
// transaction a token by which DynamoDB knows it again, so one whose answer got
// lost is not refused, on the SDK's next try, for having changed what it asked
// for.
//
// The token does not reach further than that. A transaction that was applied,
// whose answer got lost and whose repeat was throttled comes back as cancelled;
// the next try has another token and finds its own work in its way. So each
// transaction leaves its name at what it writes, and one that finds its own
// name there has succeeded.
func (s *Store) transact(ctx context.Context, actions ...action) error {
	name := rand.Text()
	in := &dynamodb.TransactWriteItemsInput{}
	for _, a := range actions {
		if a.size > maxItem {
			return errTooLarge()
		}
		a.sign(name)
		in.TransactItems = append(in.TransactItems, a.write)
	}
	var cancelled *types.TransactionCanceledException
	tries := 0
	err := s.retry(ctx, func() error {
		tries++
		_, err := s.client.TransactWriteItems(ctx, in)
		if errors.As(err, &cancelled) {
			in.ClientRequestToken = nil // what comes next is another transaction
		}
		return err
	})
	if err == nil {
		return nil
	}
	if !errors.As(err, &cancelled) || contended(err) {
		// Whether it was applied is open, unless its name is there.
		if s.applied(ctx, name, actions) {
			return nil
		}
		return err
	}
	for i, reason := range cancelled.CancellationReasons {
		if aws.ToString(reason.Code) != "ConditionalCheckFailed" || i >= len(actions) {
			continue
		}
		if textOf(reason.Item, writtenBy) == name {
			return nil
		}
		if tries > 1 && actions[i].write.Delete != nil && len(reason.Item) == 0 {
			return nil // it was to be gone, and it is
		}
	}
	if tries > 1 && s.applied(ctx, name, actions) {
		return nil
	}
	for i, reason := range cancelled.CancellationReasons {
		if aws.ToString(reason.Code) == "ConditionalCheckFailed" && i < len(actions) && actions[i].refused != nil {
			return actions[i].refused(reason.Item)
		}
	}
	return err
}

// applied reports whether a transaction's name is found at something that it
// writes. That it is not found proves nothing: others may have written since, or
// it may yet be applied.
func (s *Store) applied(ctx context.Context, name string, actions []action) bool {
	if ctx.Err() != nil {
		return false
	}
	for _, a := range actions {
		table, key, ok := a.written()
		if !ok {
			continue
		}
		it, _, err := s.get(ctx, table, key)
		return err == nil && textOf(it, writtenBy) == name
	}
	for _, a := range actions {
		if a.write.Delete != nil { // it was to be gone
			_, found, err := s.get(ctx, *a.write.Delete.TableName, a.write.Delete.Key)
			return err == nil && !found
		}
	}
	return false
}

// errContended says that others kept getting in the way.
var errContended = errors.New("the item is being written by others all the time")

// errOvertaken says that what was read has changed since; [Store.retry] then
// reads it again.
var errOvertaken = errors.New("the item was changed in between")

// retry repeats a call as long as others get in its way, a bounded number of
// times.
func (s *Store) retry(ctx context.Context, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		if err == nil || !contended(err) || try == maxTries {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// contended reports whether a request failed because of others, so that trying
// it again may succeed: transactions that meet at an item, and throttling.
func contended(err error) bool {
	if errors.Is(err, errOvertaken) || errors.Is(err, errContended) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, reason := range cancelled.CancellationReasons {
			switch aws.ToString(reason.Code) {
			case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
				return true
			}
		}
		return false
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.ErrorCode() {
	case "TransactionConflictException", "TransactionInProgressException", "ThrottlingException",
		"ProvisionedThroughputExceededException", "RequestLimitExceeded":
		return true
	}
	return false
}

// pause waits before the next try: for a random time, so that those who met do
// not meet again.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(mathrand.N(min(shortestWait<<try, longestWait)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// storeError says what was being done. What others kept from being done, or
// what was not answered in time, becomes a problem that tells to try again.
func storeError(what string, err error) error {
	if err == nil {
		return nil
	}
	var p *problem.Error
	switch {
	case errors.As(err, &p):
	case contended(err):
		p = problem.New(problem.Unavailable, problem.CodeUnavailable,
			"The database is busy: others have been writing the same for seconds. Try again in a moment.")
		p.After, p.Unsure, p.Err = time.Second, true, err
		err = p
	case errors.Is(err, context.DeadlineExceeded):
		p = problem.New(problem.Unavailable, problem.CodeUnavailable, "The database did not answer in time. Try again in a moment.")
		p.After, p.Unsure, p.Err = time.Second, true, err
		err = p
	}
	return fmt.Errorf("%s: %w", what, err)
}

// groups packs what must be written together into as few transactions as there
// can be, each of which has room for a number of other actions.
func groups(together [][]action, others int) [][]action {
	var packed [][]action
	var count, bytes int
	for _, actions := range together {
		n := 0
		for _, a := range actions {
			n += a.size
		}
		if len(packed) == 0 || count+len(actions) > maxActions-others || bytes+n > maxTransaction {
			packed, count, bytes = append(packed, nil), 0, 0
		}
		last := &packed[len(packed)-1]
		*last = append(*last, actions...)
		count += len(actions)
		bytes += n
	}
	return packed
}
