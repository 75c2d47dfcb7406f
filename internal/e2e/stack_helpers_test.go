package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jhillyerd/enmime/v2"
)

// account is an emulated AWS account in which vizpost's template is deployed, as
// make stack does it.
type account struct {
	API       string            `json:"api"`
	Token     string            `json:"token"` // of the signed-in user
	Emulator  string            `json:"emulator"`
	Log       string            `json:"log"`
	Resources map[string]string `json:"resources"` // by their names in the template, their names in the account
}

// deploy runs the command stack until the test ends.
func deploy(t *testing.T, parameters ...string) account {
	t.Helper()
	dir := t.TempDir()
	command := filepath.Join(dir, "stack")
	if out, err := exec.Command("go", "build", "-o", command, "github.com/vizpost/vizpost/cmd/stack").CombinedOutput(); err != nil {
		t.Fatalf("building the command stack: %v\n%s", err, out)
	}
	args := []string{"up", "--attached", "--dir", filepath.Join(dir, "account"), "--port", "0"}
	for _, p := range parameters {
		args = append(args, "--parameter", p)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command, args...)
	cmd.Stderr = log
	// The stack ends when its input does, thus also when this process dies.
	life, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var a account
	t.Cleanup(func() {
		_ = life.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the stack: %v", err)
		}
		_ = log.Close()
		if t.Failed() {
			printed, _ := os.ReadFile(log.Name())
			emulator, _ := os.ReadFile(a.Log)
			t.Logf("the command stack:\n%s\nthe emulator:\n%s", printed, emulator)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "token: ") {
			facts, err := os.ReadFile(filepath.Join(dir, "account", "stack.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(facts, &a); err != nil {
				t.Fatal(err)
			}
			return a
		}
	}
	t.Fatal("the stack ended before it was up")
	return account{}
}

// resource gives what a resource of the template is called in the account.
func (a account) resource(t *testing.T, name string) string {
	t.Helper()
	value := a.Resources[name]
	if value == "" {
		t.Fatalf("the template has no resource %s", name)
	}
	return value
}

// api gives vizpost's API in the account, as the signed-in user calls it.
func (a account) api(t *testing.T) *api {
	return &api{t: t, address: a.API, token: a.Token, client: &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			// Its name is below "localhost", which not every resolver knows to
			// be this machine.
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
		},
	}}
}

// api is the HTTP API at an address.
type api struct {
	t       *testing.T
	address string
	token   string
	client  *http.Client
}

// call sends a request and gives the JSON of the answer, which must have the
// status wanted.
func (a *api) call(want int, method, path string, body any) object {
	a.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.address+path, bytes.NewReader(b))
	if err != nil {
		a.t.Fatal(err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var o object
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		a.t.Fatalf("%s %s: status %d: %v", method, path, resp.StatusCode, err)
	}
	if resp.StatusCode != want {
		a.t.Fatalf("%s %s: status %d, want %d: %v", method, path, resp.StatusCode, want, o)
	}
	return o
}

// wait reads a path until the answer is as wanted.
func (a *api) wait(what string, patience time.Duration, path string, ok func(object) bool) object {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		o := a.call(http.StatusOK, http.MethodGet, path, nil)
		if ok(o) {
			return o
		}
		select {
		case <-ctx.Done():
			a.t.Fatalf("waiting until %s: %v", what, o)
		case <-look.C:
		}
	}
}

// list gives the objects of a list.
func (o object) list(name string) []object {
	var list []object
	values, _ := o[name].([]any)
	for _, v := range values {
		m, _ := v.(map[string]any)
		list = append(list, m)
	}
	return list
}

// service calls an AWS service in the name of the account's owner, whose
// signature the emulator does not check, and gives the answer.
func (a account) service(t *testing.T, service, method, path string, header http.Header, body any) []byte {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.Emulator+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=root/20060102/eu-central-1/"+service+"/aws4_request, SignedHeaders=host, Signature=none")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", service, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", service, err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Amz-Function-Error") != "" {
		t.Fatalf("%s %s: %s %s", service, path, resp.Status, answer)
	}
	return answer
}

// invoke calls a function with an event, as the service that sends such events
// does.
func (a account) invoke(t *testing.T, function string, event any) {
	t.Helper()
	a.service(t, "lambda", http.MethodPost, "/2015-03-31/functions/"+url.PathEscape(function)+"/invocations", nil, event)
}

// email is a message that SES was given.
type email struct {
	id   string
	to   []string
	tags map[string]string
	mime *enmime.Envelope
}

// emails gives the messages that lie in SES for a recipient, with what SES was
// told of them, in the order in which they were sent. The trail of calls has
// what the emulator's list of messages leaves out.
func (a account) emails(t *testing.T, recipient string) []email {
	t.Helper()
	var stored struct {
		Messages map[string][]struct {
			MessageID string `json:"MessageId"`
			To        []string
		} `json:"messages"`
	}
	if err := json.Unmarshal(a.service(t, "ses", http.MethodGet, "/_ministack/ses/messages", nil, nil), &stored); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, messages := range stored.Messages {
		for _, m := range messages {
			if slices.ContainsFunc(m.To, func(to string) bool { return strings.Contains(to, recipient) }) {
				ids = append(ids, m.MessageID)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}

	var trail struct {
		Events []struct{ CloudTrailEvent string }
	}
	answer := a.service(t, "cloudtrail", http.MethodPost, "/", http.Header{"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"}},
		object{"LookupAttributes": []object{{"AttributeKey": "EventSource", "AttributeValue": "ses.amazonaws.com"}}})
	if err := json.Unmarshal(answer, &trail); err != nil {
		t.Fatal(err)
	}
	var emails []email
	for _, event := range slices.Backward(trail.Events) {
		var call struct{ RequestParameters map[string]any }
		if err := json.Unmarshal([]byte(event.CloudTrailEvent), &call); err != nil {
			t.Fatal(err)
		}
		p := object(call.RequestParameters)
		e := email{to: p.members("Destinations.member.%d"), tags: map[string]string{}}
		if p.text("Action") != "SendRawEmail" || !slices.Contains(e.to, recipient) {
			continue
		}
		values := p.members("Tags.member.%d.Value")
		for i, name := range p.members("Tags.member.%d.Name") {
			e.tags[name] = values[i]
		}
		raw, err := base64.StdEncoding.DecodeString(p.text("RawMessage.Data"))
		if err != nil {
			t.Fatalf("reading a mail: %v", err)
		}
		if e.mime, err = enmime.ReadEnvelope(bytes.NewReader(raw)); err != nil {
			t.Fatalf("reading a mail: %v", err)
		}
		emails = append(emails, e)
	}
	if len(emails) > len(ids) {
		t.Fatalf("SES was called for %d messages for %s, and %d lie there", len(emails), recipient, len(ids))
	}
	for i := range emails { // a call is in the trail a moment after its message is there
		emails[i].id = ids[i]
	}
	return emails
}

// waitEmails waits until messages for a recipient lie in SES.
func (a account) waitEmails(t *testing.T, recipient string) []email {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		if emails := a.emails(t, recipient); len(emails) > 0 {
			return emails
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no mail for %s lies in SES", recipient)
		case <-look.C:
		}
	}
}

// members gives the values of a list in AWS's query protocol.
func (o object) members(name string) []string {
	var list []string
	for i := 1; ; i++ {
		value, ok := o[fmt.Sprintf(name, i)].(string)
		if !ok {
			return list
		}
		list = append(list, value)
	}
}

// sesSays calls the function receipts with what SES says of a message.
//
// The emulator knows the event destination of the configuration set and sends
// nothing to it, and nobody but SES may put its events on the bus; the rule
// from there to the function is thus left out.
func (a account) sesSays(t *testing.T, detailType, eventType string, e email) {
	t.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	tags := map[string][]string{"ses:configuration-set": {a.resource(t, "Mail")}}
	for name, value := range e.tags {
		tags[name] = []string{value}
	}
	detail := object{"eventType": eventType, "mail": object{"timestamp": now, "messageId": e.id, "destination": e.to, "tags": tags}}
	if eventType == "Delivery" {
		detail["delivery"] = object{"timestamp": now, "recipients": e.to, "smtpResponse": "250 OK"}
	}
	a.invoke(t, a.resource(t, "ReceiptsFunction"), object{"version": "0", "id": "00000000-0000-0000-0000-000000000000", "source": "aws.ses",
		"detail-type": detailType, "time": now, "region": "eu-central-1", "account": "000000000000", "resources": []string{}, "detail": detail})
}

// files gives the SHA-256 of what lies in the bucket of exported files.
func (a account) files(t *testing.T) []string {
	t.Helper()
	client := s3.New(s3.Options{Region: "eu-central-1", BaseEndpoint: aws.String(a.Emulator), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("root", "root", "")})
	bucket := aws.String(a.resource(t, "FilesBucket"))
	list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for _, o := range list.Contents {
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		_, err = io.Copy(sum, out.Body)
		_ = out.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, hex.EncodeToString(sum.Sum(nil)))
	}
	return sums
}

// denied gives what functions tried that their roles do not allow.
func (a account) denied(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(a.Log)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		if what, ok := strings.CutPrefix(line, "denied: "); ok {
			list = append(list, strings.TrimSpace(what))
		}
	}
	return list
}

// kill ends the processes of a function with SIGKILL.
func (a account) kill(t *testing.T, function string) {
	t.Helper()
	killed := 0
	processes, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range processes {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended, or is another user's
		}
		environment := strings.Split(string(b), "\x00")
		if !slices.Contains(environment, "AWS_LAMBDA_FUNCTION_NAME="+function) ||
			!slices.Contains(environment, "AWS_ENDPOINT_URL="+a.Emulator) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatalf("killing %s: %v", function, err)
		}
		killed++
	}
	if killed == 0 {
		t.Fatalf("no process of %s runs", function)
	}
}

// standIn is a stand-in for Tableau in a process of its own.
type standIn map[string]string

func newStandIn(t *testing.T, latency string) standIn {
	t.Helper()
	return start(t, nil, "password", "tableau", "--addr", "127.0.0.1:0", "--latency", latency).facts
}

func (s standIn) password() object {
	return object{"method": "username_password", "username": s["user"], "password": s["password"]}
}

func (s standIn) token() object {
	return object{"method": "personal_access_token", "token_name": s["token name"], "token_secret": s["token secret"]}
}

func (s standIn) view() string {
	return s["url"] + "/#/site/" + s["site"] + "/views/Superstore/Overview"
}

// stats reads what the stand-in has counted.
func (s standIn) stats(t *testing.T) map[string]any {
	t.Helper()
	a := &api{t: t, address: s["url"], client: &http.Client{Timeout: time.Minute}}
	return a.call(http.StatusOK, http.MethodGet, "/-/stats", nil)
}
