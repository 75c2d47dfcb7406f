package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vizpost/vizpost/internal/secret"
)

// CheckSlackURL tells whether an address may be used as a Slack incoming
// webhook: https at hooks.slack.com or hooks.slack-gov.com, or an address at
// one of the further origins that the operator allows, such as
// "http://127.0.0.1:9000". The error is a [problem.Error] of kind Invalid
// without a field name and without the address, which is a secret.
func CheckSlackURL(address string, allowedOrigins []string) error {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" || u.Opaque != "" {
		return invalid("This is not a web address. Paste the webhook's address as Slack shows it; it begins with https://hooks.slack.com/services/.")
	}
	if u.User != nil || u.Fragment != "" {
		return invalid("The webhook's address may hold no user name and no fragment.")
	}
	if unitsOf(address) > slackURL {
		return invalid("The webhook's address is too long.")
	}
	here := origin(u)
	if slices.ContainsFunc(allowedOrigins, func(allowed string) bool {
		a, err := url.Parse(strings.TrimSpace(allowed))
		return err == nil && a.Host != "" && origin(a) == here
	}) {
		return nil
	}
	if u.Scheme != "https" {
		return invalid("The webhook's address must begin with https://.")
	}
	if here != "https://hooks.slack.com" && here != "https://hooks.slack-gov.com" {
		return invalid("The webhook's address must begin with https://hooks.slack.com/. An operator can allow other servers with VIZPOST_WEBHOOK_ORIGINS.")
	}
	if u.RawQuery != "" || path.Clean(u.Path) != u.Path ||
		!strings.HasPrefix(u.Path, "/services/") && !strings.HasPrefix(u.Path, "/triggers/") {
		return invalid("This address at Slack is not a webhook: its path begins with /services/ or /triggers/.")
	}
	return nil
}

// ParseOrigins reads the further origins of [CheckSlackURL] from a text, in
// which they stand with commas. None is no error.
func ParseOrigins(s string) ([]string, error) {
	var origins []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		u, err := url.Parse(part)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !strings.EqualFold(strings.TrimSuffix(part, "/"), u.Scheme+"://"+u.Host) {
			return nil, errors.New("an origin is a web address without a path, such as https://hooks.example.com; several stand with commas between them")
		}
		origins = append(origins, origin(u))
	}
	return origins, nil
}

// origin gives scheme, host and port in one form.
func origin(u *url.URL) string {
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return scheme + "://" + host
}

// SlackPoster posts messages to incoming webhooks. It is safe for concurrent
// use.
type SlackPoster struct {
	client http.Client
	now    func() time.Time
}

// NewSlackPoster makes a poster that uses the client's transport and timeout
// and follows no redirect. The client's transport decides which addresses may
// be dialled.
func NewSlackPoster(client *http.Client, now func() time.Time) *SlackPoster {
	p := &SlackPoster{client: *client, now: now}
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return p
}

// Post sends a body that [BuildSlack] made. It tries once; only where Slack
// refuses the blocks themselves, it sends the message once more without
// pictures. Every error is a [*SendError], and none holds the address.
//
// A workflow's webhook (its path begins with /triggers/) takes variables
// instead of blocks: it is sent the message in plain words as the variable
// "text".
//
// Begin is called before the first byte of the message leaves.
func (p *SlackPoster) Post(ctx context.Context, webhook secret.Text, body []byte, begin Begin) (Receipt, error) {
	var begun atomic.Bool
	once := func(ctx context.Context) *SendError {
		if begun.Load() {
			return nil
		}
		err := begin.Do(ctx)
		begun.Store(err == nil)
		return err
	}
	if isWorkflow(webhook) {
		var m slackMessage
		if err := json.Unmarshal(body, &m); err != nil {
			return Receipt{}, &SendError{Outcome: Refused, Code: "invalid_payload", Message: "The message for Slack cannot be read.", Err: err}
		}
		text, err := json.Marshal(map[string]string{"text": m.Text})
		if err != nil {
			return Receipt{}, &SendError{Outcome: Refused, Code: "invalid_payload", Message: "The message for Slack cannot be written.", Err: err}
		}
		return Receipt{}, p.once(ctx, webhook, text, once).orNil()
	}
	failure := p.once(ctx, webhook, body, once)
	if failure == nil || !strings.HasPrefix(failure.Code, "invalid_blocks") {
		return Receipt{}, failure.orNil()
	}
	plain, ok := withoutPictures(body)
	if !ok {
		return Receipt{}, failure
	}
	return Receipt{}, p.once(ctx, webhook, plain, once).orNil()
}

// orNil keeps a nil pointer from becoming an error that is not nil.
func (e *SendError) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

func isWorkflow(webhook secret.Text) bool {
	u, err := url.Parse(strings.TrimSpace(webhook.Reveal()))
	return err == nil && strings.HasPrefix(u.Path, "/triggers/")
}

// withoutPictures is false if there are none to leave out.
func withoutPictures(body []byte) ([]byte, bool) {
	var m slackMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, false
	}
	before := len(m.Blocks)
	m.Blocks = slices.DeleteFunc(m.Blocks, func(raw json.RawMessage) bool {
		var block struct {
			Type string `json:"type"`
		}
		return json.Unmarshal(raw, &block) == nil && block.Type == "image"
	})
	if len(m.Blocks) == before {
		return nil, false
	}
	plain, err := encodeSlack(m)
	return plain, err == nil
}

// maxSlackAnswer bounds what is read of an answer; Slack's have one word.
const maxSlackAnswer = 4 << 10

func (p *SlackPoster) once(ctx context.Context, webhook secret.Text, body []byte, begin func(context.Context) *SendError) *SendError {
	// Set once the request's head was handed to the connection: from then on
	// the other side may have it. A connection that the transport tries anew
	// begins anew, since it does so only where nothing was sent.
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { written.Store(false) },
		WroteHeaders: func() { written.Store(true) },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSpace(webhook.Reveal()), bytes.NewReader(body))
	if err != nil {
		// The error would repeat the address.
		return &SendError{Outcome: Refused, Code: "invalid_address", BreaksDestination: true,
			Message: "The stored address of this webhook is not a web address. Save the webhook's address again."}
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "vizpost")

	// The body is first asked for once there is a connection. One that the
	// transport gives up unused for another is asked again, and notes nothing new.
	watched := &begunBody{ctx: ctx, begin: begin, body: body}
	request.Body, request.ContentLength = watched.reader(), int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) { return watched.reader(), nil }

	response, err := p.client.Do(request)
	if failure := watched.failed.Load(); failure != nil {
		if err == nil {
			_ = response.Body.Close()
		}
		return failure
	}
	if err != nil {
		return unanswered(err, written.Load() && watched.begun.Load())
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxSlackAnswer))
	if err != nil {
		answer = nil // the status alone decides
	}
	return p.judge(response, answer)
}

// begunBody is the body of a request, before whose first byte a message is noted
// as begun.
type begunBody struct {
	ctx    context.Context
	begin  func(context.Context) *SendError
	body   []byte
	begun  atomic.Bool
	failed atomic.Pointer[SendError]
}

func (b *begunBody) reader() io.ReadCloser {
	return io.NopCloser(&begunReader{of: b, rest: bytes.NewReader(b.body)})
}

type begunReader struct {
	of   *begunBody
	rest *bytes.Reader
}

func (r *begunReader) Read(p []byte) (int, error) {
	if !r.of.begun.Load() {
		if failure := r.of.begin(r.of.ctx); failure != nil {
			r.of.failed.Store(failure)
			return 0, failure
		}
		r.of.begun.Store(true)
	}
	return r.rest.Read(p)
}

// unanswered is the failure without an answer.
func unanswered(err error, written bool) *SendError {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	if written {
		return &SendError{Outcome: Unknown, Code: "no_answer", Err: err,
			Message: "Slack did not answer, so it is not known whether the message arrived."}
	}
	return &SendError{Outcome: Deferred, Code: "unreachable", Err: err,
		Message: "Slack could not be reached. The message was not sent yet and will be tried again."}
}

// judge reads an answer. Slack answers in one word of plain text; workflows
// and some servers that speak the same language, in JSON.
func (p *SlackPoster) judge(response *http.Response, answer []byte) *SendError {
	status := response.StatusCode
	code, ok := slackCode(response.Header.Get("Content-Type"), answer)
	known := code != ""
	if !known {
		code = "http_" + strconv.Itoa(status)
	}
	e := &SendError{Code: code, Err: fmt.Errorf("HTTP status %d", status)}
	advice, breaks := slackAdvice(code)
	switch {
	case status >= 200 && status < 300 && ok:
		return nil
	case status == http.StatusTooManyRequests || code == "rate_limited" || code == "ratelimited":
		e.Outcome, e.RetryAfter = Deferred, p.retryAfter(response.Header.Get("Retry-After"))
		e.Message = "Slack asks to send more slowly. The message will be tried again."
	case breaks || status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusGone:
		e.Outcome, e.BreaksDestination, e.Message = Refused, true, advice
		if e.Message == "" {
			e.Message = "Slack no longer accepts messages at this webhook. Make a new webhook in Slack and save its address here."
		}
	case status == http.StatusFound || status == http.StatusSeeOther || status == http.StatusTemporaryRedirect:
		// Slack never does so: something on the way, for a while.
		e.Outcome = Deferred
		e.Message = "Something between vizpost and Slack led the message elsewhere, so it was not sent. It will be tried again."
	case status >= 300 && status < 400:
		e.Outcome, e.BreaksDestination = Refused, true
		e.Message = "The webhook's address leads elsewhere. Save the address that Slack shows for the webhook."
	case status >= 200 && status < 300:
		// Not an answer of Slack's: something between it and us, perhaps. A page
		// most likely came in its place.
		e.Outcome, e.Answered = Unknown, bytes.HasPrefix(bytes.TrimSpace(answer), []byte("<"))
		e.Message = "The answer was not one of Slack's, so it is not known whether the message arrived."
	case status == http.StatusServiceUnavailable || status >= 500 && status != http.StatusBadGateway && status != http.StatusGatewayTimeout && known:
		// Slack's own word for a fault, or that it could not handle the request
		// at present (RFC 9110, section 15.6.4).
		e.Outcome, e.RetryAfter = Deferred, p.retryAfter(response.Header.Get("Retry-After"))
		e.Message = "Slack had a fault and did not take the message. It will be tried again."
	case status >= 500 || status == http.StatusRequestTimeout:
		// A gateway's word is no proof of what the server behind it has done.
		e.Outcome, e.Answered = Unknown, true
		e.Message = "Slack had a fault, so it is not known whether the message arrived."
	default:
		e.Outcome, e.Message = Refused, advice
		if e.Message == "" {
			e.Message = "Slack did not accept the form of the message."
		}
	}
	return e
}

// slackCode gives the one word of an answer, "" where it has none, and whether
// it says that all is well.
func slackCode(contentType string, answer []byte) (code string, ok bool) {
	text := string(bytes.TrimSpace(answer))
	if mediaType, _, err := mime.ParseMediaType(contentType); err == nil && mediaType == "application/json" || strings.HasPrefix(text, "{") {
		var object struct {
			OK    *bool  `json:"ok"`
			Error string `json:"error"`
		}
		if err := json.Unmarshal(answer, &object); err == nil && object.OK != nil {
			if *object.OK {
				return "ok", true
			}
			text = object.Error
		}
	}
	if text == "ok" {
		return "ok", true
	}
	// Some codes are followed by an explanation: "invalid_blocks: …".
	text, _, _ = strings.Cut(text, ":")
	if len(text) > 64 || text == "" || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "", false
	}
	return text, false
}

// slackAdvice tells people what a code means, and whether it breaks the
// destination. It knows the codes that have something to do next (Slack
// developer documentation, Sending messages using incoming webhooks: handling
// errors).
func slackAdvice(code string) (message string, breaks bool) {
	switch code {
	case "no_service", "no_service_id", "no_active_hooks", "invalid_token", "token_revoked", "no_team", "team_disabled":
		return "Slack does not know this webhook any more: it was removed or switched off. Make a new webhook in Slack and save its address here.", true
	case "channel_not_found":
		return "The channel of this webhook does not exist any more. Make a webhook for another channel and save its address here.", true
	case "channel_is_archived":
		return "The channel of this webhook is archived. Open the channel again, or make a webhook for another one and save its address here.", true
	case "action_prohibited", "posting_to_general_channel_denied", "restricted_action":
		return "A Slack administrator does not allow this webhook to post to its channel. Ask the administrator, or make a webhook for another channel and save its address here.", true
	case "user_not_found":
		return "The person whom this webhook writes to is no longer in the workspace. Make a new webhook and save its address here.", true
	case "invalid_workflow_input", "parameter_validation_failed":
		return "The workflow does not take this message. Give its webhook one variable named text, of the type Text.", true
	case "msg_blocks_too_long", "msg_too_long", "too_many_attachments":
		return "The message is too long for Slack. Shorten the report's text or send fewer views in one message.", false
	default:
		return "", false
	}
}

// retryAfter reads the header of that name (RFC 9110): seconds or a date. It
// is 0 where there is none.
func (p *SlackPoster) retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
		return time.Duration(min(max(seconds, 0), 86400)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(p.now()), 0), 24*time.Hour)
	}
	return 0
}
