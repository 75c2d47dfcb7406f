package dynamo

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names in both tables.
const (
	partitionKey = "pk"
	sortKey      = "sk"

	// TTLAttribute holds when DynamoDB may delete an item of the app table, in
	// seconds since 1970. That it does so, up to days later, only saves space:
	// nothing is decided by it.
	TTLAttribute = "expires_at"
)

// index is the name of a global secondary index. Its keys are the attributes
// <name>_pk and <name>_sk, and it holds the items that have them. It projects
// keys alone: what is found is then read from the table, consistently, which
// costs less than a copy of each item that is written with every change.
type index string

// The indexes. All but byReport, whose partitions are those of single reports,
// are spread over shards.
const (
	lists        index = "lists"         // both tables: things by id
	byConnection index = "by_connection" // reports of a connection by id
	due          index = "due"           // reports by next time; only those that have one
	byReport     index = "by_report"     // runs of a report by id, all and by state
	work         index = "work"          // open work by site and time, held runs by site, connection and id
)

func (i index) pk() string { return string(i) + "_pk" }
func (i index) sk() string { return string(i) + "_sk" }

// AppTable defines the table of what people have set up, and of what belongs to
// it. It holds, by partition key and sort key:
//
//	connection#<id>   connection   a connection, and how many reports use it
//	connection#<id>   event#<slot> what happened to the connection
//	fingerprint#<fp>  claim        which connection has this token
//	fingerprint#<fp>  sign-in      lease and session of a credential
//	attempts#<hash>   attempts     when something was tried
//	destination#<id>  destination  a named destination, and how many reports use it
//	report#<id>       report       a report
//	request#<hash>    request      what a request with an Idempotency-Key made
//	verdict#<key>     verdict      what was learned of filters
//
// An item's value is JSON in the attribute doc; what keys and conditions need of
// it stands beside it.
func AppTable(name string) *dynamodb.CreateTableInput { return table(name, lists, byConnection, due) }

// RunsTable defines the table of runs. It is apart from [AppTable] because it
// grows and is written all the time, and so that a function can be given the
// one without the other. It holds:
//
//	run#<id>            run             a run with its open work
//	run#<id>            delivery#<key>  a delivery of the run
//	run-key#<key>       run-key         which run has this key
//	delivery#<key>      delivery        a notice with its open work, listed while it is open, or whose delivery this is
//	work#<kind>#<ref>   <site>          a probe or keepalive of a connection
//	site#<site>         lease           who drains a site
func RunsTable(name string) *dynamodb.CreateTableInput { return table(name, lists, byReport, work) }

func table(name string, indexes ...index) *dynamodb.CreateTableInput {
	definition := &dynamodb.CreateTableInput{TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest}
	keys := func(partition, sort string) []types.KeySchemaElement {
		for _, attribute := range []string{partition, sort} {
			definition.AttributeDefinitions = append(definition.AttributeDefinitions,
				types.AttributeDefinition{AttributeName: aws.String(attribute), AttributeType: types.ScalarAttributeTypeS})
		}
		return []types.KeySchemaElement{
			{AttributeName: aws.String(partition), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	definition.KeySchema = keys(partitionKey, sortKey)
	for _, i := range indexes {
		definition.GlobalSecondaryIndexes = append(definition.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(string(i)), KeySchema: keys(i.pk(), i.sk()),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		})
	}
	return definition
}

// shards is over how many partitions an index spreads what belongs together.
// One partition takes 1,000 writes a second (Amazon DynamoDB developer guide,
// Designing partition keys), and an index that takes no more makes the table
// refuse writes. It may be raised when there is data, and never lowered.
const shards = 16

// shard is where an index has the thing with an id.
func shard(prefix, id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return shardOf(prefix, int(h.Sum32()%shards))
}

func shardOf(prefix string, n int) string { return fmt.Sprintf("%s#%02d", prefix, n) }

// sharded gives all the partitions of an index that prefixes name.
func sharded(prefixes ...string) []string {
	partitions := make([]string, 0, shards*len(prefixes))
	for _, prefix := range prefixes {
		for n := range shards {
			partitions = append(partitions, shardOf(prefix, n))
		}
	}
	return partitions
}

const (
	separator = "#"
	behind    = "$" // the sign after the separator: above all that has the prefix
)

// escape makes a site key fit to be part of a sort key: without separator and
// with no sign below the one behind it.
func escape(site string) string { return url.QueryEscape(site) }

// unescape is the inverse of escape.
func unescape(name string) (string, error) {
	site, err := url.QueryUnescape(name)
	if err != nil {
		return "", fmt.Errorf("decoding a site key: %w", err)
	}
	return site, nil
}

// timeLayout is the form of times outside of docs: of fixed width, so that it
// sorts.
const timeLayout = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return utc(t).Format(timeLayout) }

// unstamp is the inverse of stamp.
func unstamp(s string) (time.Time, error) {
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("decoding a time: %w", err)
	}
	return utc(t), nil
}

// utc gives a time as it is kept: to the microsecond.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
