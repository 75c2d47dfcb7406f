package functions_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	sestypes "github.com/aws/aws-sdk-go-v2/service/ses/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/aws/runtimetest"
	"github.com/vizpost/vizpost/internal/deliver/slacktest"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// What the files in events/ name. What is made while a test runs takes the
// place of the first four.
const (
	eventConnection = "01KAS00000000000000000C0NN"
	eventReport     = "01KAS00000000000000000REPT"
	eventRun        = "01KAS000000000000000000RVN"
	eventDelivery   = eventRun + "_mail_0a1b2c3d4e5f"
	eventMessage    = "0107019aa1b2c3d4-5e6f7a8b-9c0d-1e2f-3a4b-5c6d7e8f9a0b-000000"
	eventTableau    = "127.0.0.1:8081" // where `vizpost tableau` listens

	eventPassword    = "a-sample-password"
	eventTokenSecret = "c2FtcGxlIHRva2VuIHNlY3JldA==:SampleSampleSampleSampleSample01"
)

// account is an AWS account in which the template is deployed: the emulator has
// what is kept, and functions run as processes with the settings that the
// template gives them. What calls them is the test.
type account struct {
	*testing.T
	stack    *stack
	recorder *recorder
	store    *dynamo.Store
	tableau  *tableautest.Server
	server   string // host and port of the stand-in
	slack    *slacktest.Receiver
	timeout  time.Duration // of a call

	dynamo  *dynamodb.Client
	s3      *s3.Client
	sqs     *sqs.Client
	ses     *ses.Client
	secrets *secretsmanager.Client

	mu        sync.Mutex
	processes map[string]*runtimetest.Function
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{T: t, timeout: 5 * time.Minute, processes: map[string]*runtimetest.Function{}, slack: slacktest.New(t)}
	a.tableau = tableautest.New(tableautest.Options{Password: eventPassword, TokenSecret: eventTokenSecret})
	server := httptest.NewServer(a.tableau)
	t.Cleanup(server.Close)
	a.server = strings.TrimPrefix(server.URL, "http://")

	cfg := awstest.Start(t)
	cfg.HTTPClient = &http.Client{Timeout: time.Minute}
	a.recorder = newRecorder(t, *cfg.BaseEndpoint)
	a.stack = newStack(t, map[string]string{"PrivateNetworks": "127.0.0.0/8", "WebhookOrigins": a.slack.URL,
		"SlackClientId": "1234567890.1234567890123", "SlackClientSecret": "not-a-secret", "SlackTeamId": "T0EXAMPLE", "SlackRole": "viewer"})
	a.deploy(cfg)
	t.Cleanup(a.wantPermitted)
	return a
}

// deploy makes what the template names, as far as functions use it.
func (a *account) deploy(cfg aws.Config) {
	a.Helper()
	a.dynamo, a.s3, a.sqs = dynamodb.NewFromConfig(cfg), s3.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	a.ses, a.secrets = ses.NewFromConfig(cfg), secretsmanager.NewFromConfig(cfg)
	own := strings.ToLower(a.Name())
	for id, define := range map[string]func(string) *dynamodb.CreateTableInput{"AppTable": dynamo.AppTable, "RunsTable": dynamo.RunsTable} {
		name := own + "-" + id
		a.must(a.dynamo.CreateTable(a.Context(), define(name)))
		a.stack.names[id] = name
	}
	a.stack.names["FilesBucket"] = own
	a.must(a.s3.CreateBucket(a.Context(), &s3.CreateBucketInput{Bucket: aws.String(own),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region}}))
	queue, err := a.sqs.CreateQueue(a.Context(), &sqs.CreateQueueInput{QueueName: aws.String(own)})
	a.must(queue, err)
	a.stack.names["Bells"] = aws.ToString(queue.QueueUrl)
	a.stack.names["Mail"] = own
	// The events' tokens are of this pool and for this client.
	a.stack.names["Users"], a.stack.names["SignInClient"] = "eu-central-1_Example", "1example23456789"
	a.must(a.ses.CreateConfigurationSet(a.Context(), &ses.CreateConfigurationSetInput{ConfigurationSet: &sestypes.ConfigurationSet{Name: aws.String(own)}}))
	a.must(a.ses.VerifyDomainIdentity(a.Context(), &ses.VerifyDomainIdentityInput{Domain: aws.String("example.com")}))
	a.store = dynamo.New(a.dynamo, a.stack.names["AppTable"], a.stack.names["RunsTable"])
}

// must ends the test on an error.
func (a *account) must(_ any, err error) {
	a.Helper()
	if err != nil {
		a.Fatalf("got error %v", err)
	}
}

// settings gives the environment of a function: the template's and what Lambda
// itself sets.
func (a *account) settings(f lambda) map[string]string {
	env := maps.Clone(f.env)
	maps.Copy(env, map[string]string{
		"AWS_REGION": region, "AWS_ACCESS_KEY_ID": keyPrefix + f.name, "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_SESSION_TOKEN": "session",
		"AWS_ENDPOINT_URL": a.recorder.URL,
	})
	return env
}

// process gives a function's process, started if it does not run.
func (a *account) process(name string) *runtimetest.Function {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.processes[name]; ok {
		return p
	}
	for _, f := range a.stack.functions() {
		if f.name != name {
			continue
		}
		p, err := runtimetest.Start(context.WithoutCancel(a.Context()), runtimetest.Options{
			Binary: binary(a, name), Env: a.settings(f), Memory: f.memory, Timeout: a.timeout,
		})
		if err != nil {
			a.Fatal(err)
		}
		a.Cleanup(func() {
			if err := p.Close(); err != nil {
				a.Errorf("ending %s: %v", name, err)
			}
			if a.Failed() {
				a.Logf("%s printed:\n%s", name, p.Log())
			}
			for _, canary := range []string{eventPassword, eventTokenSecret, "canary"} {
				if strings.Contains(p.Log(), canary) {
					a.Errorf("%s logged a secret", name)
				}
			}
		})
		a.processes[name] = p
		return p
	}
	a.Fatalf("the template has no function %s", name)
	return nil
}

// restart ends a function's process: the next call starts another.
func (a *account) restart(name string) {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.processes, name) // it is ended with the test
}

// start starts a function that is expected to end by itself, and gives what it
// printed and how it ended.
func (a *account) start(name string, env map[string]string) (string, error) {
	a.Helper()
	p, err := runtimetest.Start(a.Context(), runtimetest.Options{Binary: binary(a, name), Env: env})
	a.must(p, err)
	defer func() { _ = p.Close() }()
	ctx, cancel := context.WithTimeout(a.Context(), 10*time.Second)
	defer cancel()
	err = p.Wait(ctx)
	if ctx.Err() != nil {
		return p.Log(), nil // it runs
	}
	return p.Log(), err
}

// fetch follows a link and gives the status and size of what it leads to.
func (a *account) fetch(link string) (status int, size int64) {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), http.MethodGet, link, nil)
	a.must(r, err)
	client := http.Client{Timeout: time.Minute}
	response, err := client.Do(r)
	a.must(response, err)
	defer func() { _ = response.Body.Close() }()
	size, err = io.Copy(io.Discard, response.Body)
	a.must(size, err)
	return response.StatusCode, size
}

// invoke has a function answer an event.
func (a *account) invoke(name string, event []byte) []byte {
	a.Helper()
	out, err := a.process(name).Invoke(a.Context(), event)
	if err != nil {
		a.Fatalf("%s: got error %v", name, err)
	}
	return out
}

// event reads a file of events/, with what it names replaced.
func (a *account) event(file string, replace ...string) []byte {
	a.Helper()
	b, err := os.ReadFile(filepath.Join("..", "events", file))
	if err != nil {
		a.Fatal(err)
	}
	replace = append(replace, eventTableau, a.server)
	return []byte(strings.NewReplacer(replace...).Replace(string(b)))
}

// answer is what the API answers.
type answer struct {
	status int
	header map[string]string
	body   object
	text   string
}

// get gives a text in the body.
func (r answer) get(path ...string) string {
	var v any = r.body
	for _, name := range path {
		o, _ := v.(object)
		v = o[name]
	}
	s, _ := v.(string)
	return s
}

// call has the API, or the public function, answer an event.
func (a *account) call(name string, event []byte, want int) answer {
	a.Helper()
	out := a.invoke(name, event)
	var response struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
		Body       string            `json:"body"`
	}
	if err := json.Unmarshal(out, &response); err != nil {
		a.Fatalf("%s answered %q: %v", name, out, err)
	}
	r := answer{status: response.StatusCode, header: response.Headers, text: response.Body}
	if strings.Contains(response.Headers["Content-Type"], "json") {
		if err := json.Unmarshal([]byte(response.Body), &r.body); err != nil {
			a.Fatalf("%s answered %q: %v", name, response.Body, err)
		}
	}
	if r.status != want {
		a.Fatalf("%s answered %d, want %d: %s", name, r.status, want, response.Body)
	}
	return r
}

// api calls the API as an administrator does through API Gateway.
func (a *account) api(method, path string, body object, want int) answer {
	a.Helper()
	return a.call("api", a.request(method, path, body), want)
}

// request makes an event of the API after the form of a file of events/.
func (a *account) request(method, path string, body object, change ...func(object)) []byte {
	a.Helper()
	var e object
	if err := json.Unmarshal(a.event("api-list-runs.json"), &e); err != nil {
		a.Fatal(err)
	}
	e["rawPath"] = path
	e["requestContext"].(object)["http"].(object)["method"] = method
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			a.Fatal(err)
		}
		e["body"] = string(b)
		e["headers"].(object)["content-type"] = "application/json"
	}
	for _, change := range change {
		change(e)
	}
	b, err := json.Marshal(e)
	if err != nil {
		a.Fatal(err)
	}
	return b
}

// bells takes the messages out of the queue, as Lambda does for the function
// export, and gives their bodies.
func (a *account) bells() []string {
	a.Helper()
	var bodies []string
	for {
		out, err := a.sqs.ReceiveMessage(a.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(a.stack.names["Bells"]), MaxNumberOfMessages: 10})
		a.must(out, err)
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
			a.must(a.sqs.DeleteMessage(a.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(a.stack.names["Bells"]), ReceiptHandle: m.ReceiptHandle}))
		}
	}
}

// bell is the event of a message of the queue.
func (a *account) bell(body string) []byte {
	a.Helper()
	var e object
	if err := json.Unmarshal(a.event("export-bell.json"), &e); err != nil {
		a.Fatal(err)
	}
	e["Records"].([]any)[0].(object)["body"] = body
	b, err := json.Marshal(e)
	if err != nil {
		a.Fatal(err)
	}
	return b
}

// work hands all bells to the function export, as long as there are some.
func (a *account) work() {
	a.Helper()
	for range 10 {
		bells := a.bells()
		if len(bells) == 0 {
			return
		}
		for _, body := range bells {
			a.invoke("export", a.bell(body))
		}
	}
	a.Fatal("bells are rung without end")
}

// mails gives what was sent to a recipient.
func (a *account) mails(to string) []mail {
	a.recorder.mu.Lock()
	defer a.recorder.mu.Unlock()
	var found []mail
	for _, m := range a.recorder.mails {
		if slices.Contains(m.to, to) {
			found = append(found, m)
		}
	}
	return found
}

// files gives the names of the objects in the bucket.
func (a *account) files() []string {
	a.Helper()
	out, err := a.s3.ListObjectsV2(a.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(a.stack.names["FilesBucket"])})
	a.must(out, err)
	var names []string
	for _, o := range out.Contents {
		names = append(names, aws.ToString(o.Key))
	}
	return names
}
