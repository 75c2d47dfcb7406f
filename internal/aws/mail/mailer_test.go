package mail_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/mail"
	"github.com/vizpost/vizpost/internal/deliver"
)

const message = "From: reports@example.com\r\nTo: ada@example.com\r\nSubject: Morning numbers\r\n\r\nHello\r\n"

func envelope(raw string) deliver.Envelope {
	return deliver.Envelope{
		Key: "01K.mail.abc", From: "reports@example.com", Recipients: []string{"ada@example.com"}, Message: text(raw),
		Tags: map[string]string{"run": "01K", "delivery": "01K_mail_abc"},
	}
}

// text is a message that may be written more than once.
type text string

func (s text) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(s))
	return int64(n), err
}

// at gives a mailer that talks to an address.
func at(endpoint string) *mail.Mailer {
	return &mail.Mailer{ConfigurationSet: "vizpost", Client: ses.New(ses.Options{
		Region: "eu-central-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "not-a-secret", ""),
	})}
}

// answering gives a mailer whose SES answers as it is told, and counts the
// requests.
func answering(t *testing.T, handle http.HandlerFunc) (*mail.Mailer, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	return at(server.URL), &requests
}

func accept(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendRawEmailResult>`+
		`<MessageId>0107-id</MessageId></SendRawEmailResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></SendRawEmailResponse>`)
}

// refuse answers with an error as SES words it.
func refuse(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>Sender</Type>`+
			`<Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, message)
	}
}

func sendError(t *testing.T, err error) *deliver.SendError {
	t.Helper()
	var failed *deliver.SendError
	if !errors.As(err, &failed) {
		t.Fatalf("got error %v, want a SendError", err)
	}
	if failed.Message == "" || failed.Code == "" {
		t.Errorf("got %+v, want a message and a code", failed)
	}
	return failed
}

func TestTheRequest(t *testing.T) {
	t.Parallel()
	var got url.Values
	m, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Errorf("reading the request: %v", err)
		}
		got = r.PostForm
		accept(w, r)
	})
	e := envelope(message)
	e.Recipients = append(e.Recipients, "bob@example.com")
	receipt, err := m.Send(t.Context(), e)
	if err != nil {
		t.Fatalf("got error %v", err)
	}
	if diff := cmp.Diff(deliver.Receipt{ProviderID: "0107-id"}, receipt); diff != "" {
		t.Errorf("the receipt is not as wanted (-want +got):\n%s", diff)
	}
	want := url.Values{
		"Action": {"SendRawEmail"}, "Version": {"2010-12-01"},
		"Source": {"reports@example.com"}, "Destinations.member.1": {"ada@example.com"}, "Destinations.member.2": {"bob@example.com"},
		"RawMessage.Data": {base64.StdEncoding.EncodeToString([]byte(message))}, "ConfigurationSetName": {"vizpost"},
		"Tags.member.1.Name": {"delivery"}, "Tags.member.1.Value": {"01K_mail_abc"},
		"Tags.member.2.Name": {"run"}, "Tags.member.2.Value": {"01K"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request is not as wanted (-want +got):\n%s", diff)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]struct {
		answer  http.HandlerFunc
		outcome deliver.Outcome
		code    string
		waits   bool
	}{
		"too fast":                  {refuse(400, "Throttling", "Maximum sending rate exceeded."), deliver.Deferred, "ses_rate", true},
		"too fast, other name":      {refuse(429, "TooManyRequestsException", "Rate exceeded"), deliver.Deferred, "ses_rate", true},
		"quota used up":             {refuse(400, "Throttling", "Daily message quota exceeded."), deliver.Deferred, "ses_quota", true},
		"account paused":            {refuse(400, "AccountSendingPausedException", "paused"), deliver.Deferred, "ses_paused", true},
		"configuration set paused":  {refuse(400, "ConfigurationSetSendingPausedException", "paused"), deliver.Deferred, "ses_paused", true},
		"no MX record":              {refuse(400, "MailFromDomainNotVerifiedException", "no MX"), deliver.Deferred, "ses_mail_from", true},
		"credentials ran out":       {refuse(403, "ExpiredToken", "expired"), deliver.Deferred, "ses_credentials", true},
		"down":                      {refuse(503, "ServiceUnavailable", "down"), deliver.Deferred, "ses_unavailable", true},
		"sender not verified":       {refuse(400, "MessageRejected", "Email address is not verified."), deliver.Refused, "ses_rejected", false},
		"no configuration set":      {refuse(400, "ConfigurationSetDoesNotExist", "missing"), deliver.Deferred, "ses_configuration_set", true},
		"not allowed":               {refuse(403, "AccessDenied", "not authorized"), deliver.Deferred, "ses_denied", true},
		"bad parameter":             {refuse(400, "InvalidParameterValue", "Illegal address"), deliver.Refused, "ses_refused", false},
		"a new error":               {refuse(400, "SomethingNew", ""), deliver.Refused, "ses_refused", false},
		"broken inside":             {refuse(500, "InternalFailure", "oops"), deliver.Unknown, "ses_fault", false},
		"a gateway that gave up":    {raw(504, "<html>Gateway timeout</html>"), deliver.Unknown, "ses_fault", false},
		"a gateway's 503":           {raw(503, "<html>Service unavailable"), deliver.Deferred, "ses_unavailable", true},
		"a gateway's 502":           {raw(502, "<html>Bad gateway"), deliver.Unknown, "ses_fault", false},
		"a proxy's page":            {raw(403, "<html>Blocked"), deliver.Unknown, "ses_fault", false},
		"an answer cut off":         {raw(200, "<SendRawEmailResponse><SendRaw"), deliver.Unknown, "unsure", false},
		"an answer without content": {raw(200, ""), deliver.Unknown, "unsure", false},
		"a connection that breaks":  {hangUp, deliver.Unknown, "unsure", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				try.answer(w, r)
			})
			_, err := m.Send(t.Context(), envelope(message))
			failed := sendError(t, err)
			if failed.Outcome != try.outcome || failed.Code != try.code || failed.RetryAfter > 0 != try.waits {
				t.Errorf("got %v %q after %v, want %v %q", failed.Outcome, failed.Code, failed.RetryAfter, try.outcome, try.code)
			}
			if failed.Answered != (try.code == "ses_fault") {
				t.Errorf("answered is %v of %q", failed.Answered, failed.Code)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("it was tried %d times, want once", n)
			}
		})
	}
}

func raw(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := at(server.URL).Send(t.Context(), envelope(message))
	if failed := sendError(t, err); failed.Outcome != deliver.Deferred || failed.Code != "ses_unreachable" {
		t.Errorf("got %v %q, want that it was not sent", failed.Outcome, failed.Code)
	}
}

func TestAContextThatEnds(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		m, requests := answering(t, accept)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := m.Send(ctx, envelope(message))
		if failed := sendError(t, err); failed.Outcome != deliver.Deferred || requests.Load() != 0 {
			t.Errorf("got %v after %d requests, want that it was not sent", failed.Outcome, requests.Load())
		}
	})
	t.Run("while it is written", func(t *testing.T) {
		t.Parallel()
		// A server that reads nothing: a large message stays in the pipe.
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1)) // it has begun
			cancel()
			<-t.Context().Done()
			_ = c.Close()
		}()
		_, err = at("http://"+listener.Addr().String()).Send(ctx, envelope(message+strings.Repeat("x", 9<<20)))
		if failed := sendError(t, err); failed.Outcome != deliver.Deferred {
			t.Errorf("got %v of a message that went half, want that it was not sent", failed.Outcome)
		}
	})
	t.Run("after it was written", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		m, _ := answering(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		})
		_, err := m.Send(ctx, envelope(message))
		if failed := sendError(t, err); failed.Outcome != deliver.Unknown {
			t.Errorf("got %v, want that it may have been sent", failed.Outcome)
		}
	})
}

func TestWhatSESWouldNotTake(t *testing.T) {
	t.Parallel()
	m, requests := answering(t, accept)
	large := envelope(message + strings.Repeat("x", 10_000_001-len(message)))
	many := envelope(message)
	many.Recipients = make([]string, 51)
	unreadable := envelope(message)
	unreadable.Message = brokenMessage{}
	for want, e := range map[string]deliver.Envelope{"message_too_large": large, "too_many_recipients": many, "message_unreadable": unreadable} {
		_, err := m.Send(t.Context(), e)
		if failed := sendError(t, err); failed.Code != want || failed.Outcome == deliver.Unknown {
			t.Errorf("got %v %q, want %q", failed.Outcome, failed.Code, want)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d of them were sent", n)
	}
}

type brokenMessage struct{}

func (brokenMessage) WriteTo(io.Writer) (int64, error) { return 0, errors.New("the file is gone") }

// TestSendingByTheEmulator shows that requests and answers have SES's form.
// moto knows of verified senders, and neither of configuration sets and tags
// nor of rates, quotas and sizes: TestAnswers stands in for those.
func TestSendingByTheEmulator(t *testing.T) {
	t.Parallel()
	cfg := awstest.Start(t)
	client := ses.NewFromConfig(cfg)
	m := &mail.Mailer{Client: client}
	_, err := m.Send(t.Context(), envelope(message))
	if failed := sendError(t, err); failed.Outcome != deliver.Refused || failed.Code != "ses_rejected" {
		t.Errorf("got %v %q of a sender that is not verified", failed.Outcome, failed.Code)
	}
	if _, err := client.VerifyEmailIdentity(t.Context(), &ses.VerifyEmailIdentityInput{EmailAddress: aws.String("reports@example.com")}); err != nil {
		t.Fatalf("verifying the sender: %v", err)
	}
	receipt, err := m.Send(t.Context(), envelope(message))
	if err != nil || receipt.ProviderID == "" {
		t.Fatalf("got %+v, error %v", receipt, err)
	}

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, *cfg.BaseEndpoint+"/moto-api/data.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: time.Minute}).Do(request)
	if err != nil {
		t.Fatalf("asking for what was sent: %v", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Contains(data, []byte(receipt.ProviderID)) || !bytes.Contains(data, []byte(`Subject: Morning numbers\r\n`)) {
		t.Errorf("the message %s is not among what was sent, error %v", receipt.ProviderID, err)
	}
}
