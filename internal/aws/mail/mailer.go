// Package mail sends email by Amazon SES.
package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/aws/aws-sdk-go-v2/service/ses/types"
	"github.com/aws/smithy-go"

	"github.com/vizpost/vizpost/internal/deliver"
)

// What SES takes of one message (Amazon SES developer guide, Service quotas).
const (
	maxMessage    = 10_000_000 // bytes, attachments encoded
	maxRecipients = 50         // To, Cc and Bcc together
)

// Pauses that SES does not name itself.
const (
	afterRate    = time.Second      // its rate counts by the second
	afterQuota   = 30 * time.Minute // its quota counts the last 24 hours
	afterOutages = time.Minute
)

// Client is what a [Mailer] needs of SES; a [ses.Client] has it.
type Client interface {
	SendRawEmail(context.Context, *ses.SendRawEmailInput, ...func(*ses.Options)) (*ses.SendRawEmailOutput, error)
}

// Mailer sends by SES's SendRawEmail. It implements [deliver.Mailer]: each
// message is tried once, for a message that was sent twice has no remedy.
//
// A message is in memory three times over while it is sent: as it is, in
// base64, and as the form that carries it.
//
// It needs ses:SendRawEmail on the sender's identity and on the configuration
// set.
type Mailer struct {
	Client Client

	// ConfigurationSet is the name of the one whose event destination reports
	// what becomes of messages; "" is none.
	ConfigurationSet string
}

var _ deliver.Mailer = (*Mailer)(nil)

// Send implements [deliver.Mailer].
func (m *Mailer) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	var message bytes.Buffer
	if _, err := e.Message.WriteTo(&message); err != nil {
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Deferred, Code: "message_unreadable",
			Message: "The message could not be put together. It is tried again.", Err: err}
	}
	switch {
	case message.Len() > maxMessage:
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Refused, Code: deliver.TooLarge, MaxBytes: maxMessage,
			Message: "The message is larger than the 10 MB that Amazon SES takes. Export fewer or smaller views."}
	case len(e.Recipients) > maxRecipients:
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Refused, Code: "too_many_recipients",
			Message: fmt.Sprintf("Amazon SES takes at most %d recipients for a message.", maxRecipients)}
	}

	in := &ses.SendRawEmailInput{
		Source:       aws.String(e.From),
		Destinations: e.Recipients,
		RawMessage:   &types.RawMessage{Data: message.Bytes()},
		Tags:         tags(e.Tags),
	}
	if m.ConfigurationSet != "" {
		in.ConfigurationSetName = aws.String(m.ConfigurationSet)
	}
	var sent atomic.Bool
	out, err := m.Client.SendRawEmail(ctx, in, func(o *ses.Options) {
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = watch{o.HTTPClient, &sent, e.Begin}
	})
	switch {
	case err != nil:
		return deliver.Receipt{}, failure(err, sent.Load())
	case aws.ToString(out.MessageId) == "":
		return deliver.Receipt{}, failure(errors.New("the answer names no message"), true)
	}
	return deliver.Receipt{ProviderID: *out.MessageId}, nil
}

// tags gives the message tags, which SES's events repeat, in order of name.
func tags(m map[string]string) []types.MessageTag {
	list := make([]types.MessageTag, 0, len(m))
	for name, value := range m {
		list = append(list, types.MessageTag{Name: aws.String(name), Value: aws.String(value)})
	}
	slices.SortFunc(list, func(a, b types.MessageTag) int { return strings.Compare(*a.Name, *b.Name) })
	return list
}

// failure says what is known of a message whose sending failed. sent is
// whether SES may have the whole request.
func failure(err error, sent bool) *deliver.SendError {
	var notBegun *deliver.SendError
	if errors.As(err, &notBegun) && !sent {
		return notBegun
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) || answer.ErrorCode() == "UnknownError" { // a page, perhaps, which names no code
		switch status := answeredStatus(err); {
		case status == http.StatusServiceUnavailable:
			return unavailable(err)
		case status == 0 && !sent:
			return &deliver.SendError{Outcome: deliver.Deferred, Code: "ses_unreachable", RetryAfter: afterOutages,
				Message: "Amazon SES could not be reached. It is tried again.", Err: err}
		default:
			return unknown(err, status > 0)
		}
	}
	deferred := func(code string, after time.Duration, message string) *deliver.SendError {
		return &deliver.SendError{Outcome: deliver.Deferred, Code: code, RetryAfter: after, Message: message, Err: err}
	}
	refused := func(code, message string) *deliver.SendError {
		return &deliver.SendError{Outcome: deliver.Refused, Code: code, Message: message, Err: err}
	}
	// Codes beside those of the operation's own errors: Amazon SES API
	// reference, Common Errors.
	switch code := strings.TrimSuffix(answer.ErrorCode(), "Exception"); code {
	case "Throttling", "TooManyRequests", "RequestLimitExceeded":
		if strings.Contains(strings.ToLower(answer.ErrorMessage()), "quota") {
			return deferred("ses_quota", afterQuota,
				"Amazon SES has sent as many messages in 24 hours as the account's quota allows. It is tried again; ask AWS for a higher quota if this comes often.")
		}
		return deferred("ses_rate", afterRate, "Messages come faster than Amazon SES takes them from this account. It is tried again.")
	case "AccountSendingPaused":
		return deferred("ses_paused", afterQuota, "Amazon SES has paused all sending of the AWS account. Look at the account's reputation in the SES console.")
	case "ConfigurationSetSendingPaused":
		return deferred("ses_paused", afterQuota, "Sending is paused for the configuration set in Amazon SES. Resume it in the SES console.")
	case "MailFromDomainNotVerified":
		return deferred("ses_mail_from", afterQuota,
			"Amazon SES finds no MX record for the custom MAIL FROM domain of the sender. Set the record that the SES console shows for the identity.")
	case "ServiceUnavailable":
		return unavailable(err)
	case "ExpiredToken", "RequestExpired", "InvalidClientTokenId", "SignatureDoesNotMatch", "IncompleteSignature":
		return deferred("ses_credentials", afterOutages, "Amazon SES did not accept vizpost's AWS credentials. It is tried again.")
	case "ConfigurationSetDoesNotExist":
		// This and the next concern all messages, and somebody can mend them in time.
		return deferred("ses_configuration_set", afterOutages,
			"The configuration set that vizpost sends with does not exist in Amazon SES. Deploy vizpost's template again; the message is tried until then.")
	case "AccessDenied", "NotAuthorized", "OptInRequired":
		return deferred("ses_denied", afterOutages,
			"vizpost may not send from this address: its role lacks ses:SendRawEmail for the sender's identity in Amazon SES. The message is tried until it may.")
	case "MessageRejected":
		return refused("ses_rejected", "Amazon SES did not take the message: "+said(answer))
	default:
		switch status := answeredStatus(err); {
		case status == http.StatusServiceUnavailable:
			return unavailable(err)
		case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
			return refused("ses_refused", "Amazon SES did not take the message: "+said(answer))
		}
		return unknown(err, true)
	}
}

// answeredStatus is the status that was answered with an error, 0 where nothing
// or a success was.
func answeredStatus(err error) int {
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) && response.HTTPStatusCode() >= 400 {
		return response.HTTPStatusCode()
	}
	return 0
}

// unavailable is the failure of a request that was not handled: so the status
// 503 has it, whoever answers it (RFC 9110, section 15.6.4).
func unavailable(err error) *deliver.SendError {
	return &deliver.SendError{Outcome: deliver.Deferred, Code: "ses_unavailable", RetryAfter: afterOutages,
		Message: "Amazon SES is not available at present. It is tried again.", Err: err}
}

// unknown is the failure of a message that may have been sent. An error that was
// answered, such as InternalFailure or a gateway's page, makes that unlikely, but
// does not say how far the request had come.
func unknown(err error, answered bool) *deliver.SendError {
	e := &deliver.SendError{Outcome: deliver.Unknown, Code: "unsure", Answered: answered, Err: err,
		Message: "Amazon SES gave no clear answer, so the message may have been sent."}
	if answered {
		e.Code, e.Message = "ses_fault", "Amazon SES answered with a fault of its own, so it is not certain that the message was not sent."
	}
	return e
}

// said gives SES's own words. They may name addresses of the message.
func said(answer smithy.APIError) string {
	words := []rune(strings.TrimSpace(answer.ErrorMessage()))
	if len(words) == 0 {
		return answer.ErrorCode() + "."
	}
	return string(words[:min(len(words), 500)])
}

// watch notes when the last byte of a request is handed to the connection.
// Until then, SES cannot have acted on it: the request says how long it is.
// Right before that the message is noted as begun.
type watch struct {
	next  ses.HTTPClient
	sent  *atomic.Bool
	begin deliver.Begin
}

func (w watch) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength <= 0 { // its end cannot be told
		if err := w.begin.Do(r.Context()); err != nil {
			return nil, err
		}
		w.sent.Store(true)
		return w.next.Do(r)
	}
	body := &watched{ReadCloser: r.Body, ctx: r.Context(), left: r.ContentLength, watch: w}
	r = r.WithContext(r.Context()) // a copy: the body is replaced
	r.GetBody = nil                // would send what is not watched
	r.Body = body
	answer, err := w.next.Do(r)
	if failure := body.failure.Load(); failure != nil { // whatever the transport makes of it
		if err == nil {
			_ = answer.Body.Close()
		}
		return nil, failure
	}
	return answer, err
}

type watched struct {
	io.ReadCloser
	ctx     context.Context
	left    int64
	watch   watch
	failure atomic.Pointer[deliver.SendError] // of the note
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if (b.left <= 0 || err == io.EOF) && !b.watch.sent.Load() {
		if failure := b.watch.begin.Do(b.ctx); failure != nil {
			b.failure.Store(failure)
			return 0, failure
		}
		b.watch.sent.Store(true)
	}
	return n, err
}
