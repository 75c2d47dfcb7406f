package tableau

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/secret"
)

// What a call does, as its errors say it.
const (
	opServerInfo = "read server info"
	opSignIn     = "sign in"
	opSignOut    = "sign out"
	opUser       = "read user"
	opViews      = "list views"
	opFindView   = "find view"
	opPreview    = "read preview image"

	opExport           = "export view"
	opExportWorkbook   = "export workbook"
	opExportCustomView = "export custom view"

	opWorkbooks       = "list workbooks"
	opFindWorkbook    = "find workbook"
	opWorkbookPreview = "read workbook preview image"
	opCustomViews     = "list custom views"
	opFindCustomView  = "find custom view"
	opTokens          = "list personal access tokens"
)

const (
	maxAnswer    = 4 << 20 // unpacked; a page of 1000 views takes about 1 MB
	maxErrorBody = 64 << 10
	maxPreview   = 16 << 20
)

// request is one HTTP request.
type request struct {
	op     string
	method string
	url    string
	token  secret.Text // of the session; zero where none is needed
	body   []byte      // JSON, or nil
	accept string
	redact []string // what must not come back in an error's text
}

// send makes the request and gives the answer whatever its status. The caller
// closes the body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		// The address is ours or has been checked; what is left is a host name
		// that only fails here.
		return nil, &Error{Op: r.op, Cause: Unreachable, Err: withoutAddress(err)}
	}
	req.Header.Set("User-Agent", c.options.UserAgent)
	req.Header.Set("Accept", r.accept)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.accept == acceptAny {
		// A file is compressed by itself, and uncompressed it has a length that
		// shows when it breaks off.
		req.Header.Set("Accept-Encoding", "identity")
	}
	if !r.token.IsZero() {
		req.Header.Set("X-Tableau-Auth", r.token.Reveal())
	}
	// Not by an http.Client: redirects are ours to judge, since it would turn a
	// sign-in into a GET, and its errors print addresses with their filters.
	resp, err := c.options.Transport.RoundTrip(req)
	if err != nil {
		return nil, transportError(ctx, r.op, err)
	}
	resp.Request = req
	return resp, nil
}

const (
	acceptJSON = "application/json"
	acceptAny  = "*/*"
)

// call makes one short request and decodes its answer into into, which may be
// nil where only success counts.
func (c *Client) call(ctx context.Context, r request, into *answer) error {
	ctx, cancel := withTimeout(ctx, c.options.CallTimeout)
	defer cancel()
	r.accept = acceptJSON
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := c.checkStatus(ctx, r, resp); err != nil {
		return err
	}
	if into == nil {
		return checkNoPage(ctx, r, resp)
	}
	return c.decode(ctx, r, resp, into)
}

// checkNoPage gives the error of a success that is a web page's: what was asked
// for has not been done then. The call wants nothing else of its answer, so one
// that cannot be read to its end is as good as empty.
func checkNoPage(ctx context.Context, r request, resp *http.Response) error {
	body, _ := readBody(ctx, resp.Body, maxErrorBody)
	var read answer
	if len(body) == 0 || !looksLikeMarkup(resp, body) || decodeAnswer(body, &read) == nil {
		return nil
	}
	return &Error{Op: r.op, Status: resp.StatusCode, Cause: NotTableau, Retry: true, hint: pageHint(r, resp, body)}
}

// withTimeout gives a context with the client's deadline. Its cause says so,
// to tell it from the caller's.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, timeoutError("no whole answer", d))
}

func timeoutError(what string, d time.Duration) error {
	return &limitError{what: what, limit: d}
}

// limitError says that one of the client's own deadlines has passed.
type limitError struct {
	what  string
	limit time.Duration
}

func (e *limitError) Error() string { return fmt.Sprintf("%s within %s", e.what, e.limit) }

// Unwrap returns what a deadline is.
func (e *limitError) Unwrap() error { return context.DeadlineExceeded }

// checkStatus gives the error of an answer that is no success. It reads the
// body then.
func (c *Client) checkStatus(ctx context.Context, r request, resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return nil
	}
	if location := redirectTarget(resp); location != nil {
		return c.redirectError(r, resp, location)
	}
	body, err := readBody(ctx, resp.Body, maxErrorBody)
	if err != nil && ctx.Err() != nil {
		return transportError(ctx, r.op, err)
	}
	return c.statusError(r, resp, body)
}

// statusError makes the error of an answer from its status and body.
func (c *Client) statusError(r request, resp *http.Response, body []byte) *Error {
	e := &Error{Op: r.op, Status: resp.StatusCode}
	if reported, ok := decodeError(body); ok {
		e.Code = bounded(string(reported.Code), 16)
		redact := append(r.redact, r.token.Reveal())
		e.Summary = bounded(string(reported.Summary), maxSummary, redact...)
		e.Detail = bounded(string(reported.Detail), maxDetail, redact...)
		// The first three digits of a code are the status; an error that came
		// with status 200 has no other.
		if e.Status < 400 && len(e.Code) == 6 {
			if n, ok := parseDigits(e.Code[:3]); ok {
				e.Status = n
			}
		}
	}
	e.classify()
	foreign := e.Code == "" && looksLikeMarkup(resp, body)
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired:
		e.Cause, e.Retry = NotTableau, false
		e.hint = "A proxy between vizpost and Tableau asks for a sign-in of its own. Ask the administrator to let vizpost through."
	case foreign && e.Status < 500 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout:
		// A gateway in front of Tableau answered. Once a session is there the
		// address has proved right, and the page is a passing one.
		e.Cause, e.Retry = NotTableau, !r.token.IsZero()
		e.hint = pageHint(r, resp, body)
	case e.Code == "" && isOfGateway(r, resp):
		e.Cause, e.Retry = NotTableau, false
		e.hint = gatewayHint(r, resp)
	}
	if e.Retry {
		e.RetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), c.options.Now())
	}
	return e
}

// redirectTarget gives where a redirect leads, or nil if the answer is none.
func redirectTarget(resp *http.Response) *url.URL {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	location, err := resp.Location()
	if err != nil {
		return nil
	}
	return location
}

// redirectError makes the error of a redirect that is not followed.
func (c *Client) redirectError(r request, resp *http.Response, location *url.URL) *Error {
	e := &Error{Op: r.op, Status: resp.StatusCode, Cause: NotTableau}
	if r.token.IsZero() {
		e.hint = redirectHint(resp.Request.URL, location)
		return e
	}
	// A session's calls never go elsewhere: the session is of this host. Where
	// the site has moved to another pod of Tableau Cloud, a new sign-in finds
	// it there.
	if isTableauCloud(location.Hostname()) && !strings.EqualFold(location.Hostname(), resp.Request.URL.Hostname()) {
		e.Cause = SessionEnded
	}
	e.Retry = true
	return e
}
