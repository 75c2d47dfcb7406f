package function_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/vizpost/vizpost/internal/aws/function"
)

// A connection to DynamoDB died, as while Lambda kept the function frozen. The
// request goes over another one while a site's lease of 25 seconds still runs.
func TestDatabaseOverADeadConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := function.Database(aws.Config{Region: "eu-central-1", BaseEndpoint: aws.String("http://dynamodb.test"),
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
		var dials atomic.Int64
		cfg.HTTPClient = cfg.HTTPClient.(*awshttp.BuildableClient).WithTransportOptions(func(tr *http.Transport) {
			tr.DisableKeepAlives = true
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				dead := dials.Add(1) == 1
				go answer(server, dead)
				return client, nil
			}
		})
		began := time.Now()
		_, err := dynamodb.NewFromConfig(cfg).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("runs")})
		if took := time.Since(began); err != nil || dials.Load() != 2 || took > 12*time.Second {
			t.Errorf("got error %v after %v and %d connections, want an answer over the second within seconds", err, took, dials.Load())
		}
	})
}

// answer reads a request, and gives an empty answer unless the
// connection is dead.
func answer(conn net.Conn, dead bool) {
	defer func() { _ = conn.Close() }()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if dead {
		_, _ = conn.Read(make([]byte, 1)) // until the other end gives up
		return
	}
	_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"))
}
