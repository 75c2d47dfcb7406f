package tableau

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
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
	maxAnswer    = 32 << 20 // of a list; a page of 1000 views takes about 1 MB
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
		return nil
	}
	return c.decode(ctx, r, resp, into)
}

// withTimeout gives a context with the client's deadline. Its cause says so,
// to tell it from the caller's.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, timeoutError("no whole answer", d))
}

func timeoutError(what string, d time.Duration) error {
	return fmt.Errorf("%s within %s: %w", what, d, context.DeadlineExceeded)
}

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
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
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
		e.hint = pageHint(resp, body)
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

// answer is everything that vizpost reads from the answers, in the names of the
// schema. Fields that an answer lacks stay empty.
type answer struct {
	Error       *reportedError    `json:"error"`
	Pagination  pagination        `json:"pagination"`
	ServerInfo  serverInfo        `json:"serverInfo"`
	Credentials credentials       `json:"credentials"`
	User        user              `json:"user"`
	Views       list[view]        `json:"views"`
	Workbook    workbook          `json:"workbook"`
	Workbooks   list[workbook]    `json:"workbooks"`
	CustomView  customView        `json:"customView"`
	CustomViews list[customView]  `json:"customViews"`
	Tokens      list[accessToken] `json:"personalAccessTokens"`
}

type reportedError struct {
	Code    scalar `json:"code" xml:"code,attr"`
	Summary scalar `json:"summary" xml:"summary"`
	Detail  scalar `json:"detail" xml:"detail"`
}

type pagination struct {
	PageNumber     scalar `json:"pageNumber"`
	PageSize       scalar `json:"pageSize"`
	TotalAvailable scalar `json:"totalAvailable"`
}

type credentials struct {
	Token      scalar `json:"token"`
	Expiration scalar `json:"estimatedTimeToExpiration"`
	Site       struct {
		ID         scalar `json:"id"`
		ContentURL scalar `json:"contentUrl"`
	} `json:"site"`
	User user `json:"user"`
}

type user struct {
	ID       scalar `json:"id"`
	Name     scalar `json:"name"`
	FullName scalar `json:"fullName"`
	SiteRole scalar `json:"siteRole"`
}

type view struct {
	ID          scalar   `json:"id"`
	Name        scalar   `json:"name"`
	ContentURL  scalar   `json:"contentUrl"`
	ViewURLName scalar   `json:"viewUrlName"`
	SheetType   scalar   `json:"sheetType"`
	UpdatedAt   scalar   `json:"updatedAt"`
	Workbook    workbook `json:"workbook"`
	Project     project  `json:"project"`
}

type workbook struct {
	ID            scalar  `json:"id"`
	Name          scalar  `json:"name"`
	ContentURL    scalar  `json:"contentUrl"`
	WebpageURL    scalar  `json:"webpageUrl"`
	ShowTabs      scalar  `json:"showTabs"`
	DefaultViewID scalar  `json:"defaultViewId"`
	UpdatedAt     scalar  `json:"updatedAt"`
	Project       project `json:"project"`
	Owner         user    `json:"owner"`
}

type customView struct {
	ID        scalar   `json:"id"`
	Name      scalar   `json:"name"`
	Shared    scalar   `json:"shared"`
	UpdatedAt scalar   `json:"updatedAt"`
	View      project  `json:"view"` // its id and name
	Workbook  workbook `json:"workbook"`
	Owner     user     `json:"owner"`
}

type accessToken struct {
	Name       scalar `json:"tokenName"`
	ID         scalar `json:"tokenGuid"`
	LastUsedAt scalar `json:"lastUsedAt"`
	ExpiresAt  scalar `json:"expiresAt"`
}

// project is a reference to something by id and name.
type project struct {
	ID   scalar `json:"id"`
	Name scalar `json:"name"`
}

type serverInfo struct {
	Product    productVersion `json:"productVersion" xml:"productVersion"`
	APIVersion scalar         `json:"restApiVersion" xml:"restApiVersion"`
}

// productVersion is an object in JSON and, on some servers, only its text.
type productVersion struct {
	Value scalar `json:"value" xml:",chardata"`
	Build scalar `json:"build" xml:"build,attr"`
}

func (p *productVersion) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("{")) {
		type plain productVersion
		return json.Unmarshal(data, (*plain)(p))
	}
	return json.Unmarshal(data, &p.Value)
}

// scalar is a string, number or boolean of an answer, as text. Tableau writes
// all of them as strings in most places and unquoted in others.
type scalar string

func (s *scalar) UnmarshalJSON(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte(`"`)):
		return json.Unmarshal(data, (*string)(s))
	case bytes.Equal(data, []byte("null")), bytes.HasPrefix(data, []byte("{")), bytes.HasPrefix(data, []byte("[")):
		*s = "" // not a scalar: as good as missing
	default:
		*s = scalar(data)
	}
	return nil
}

// int gives the number that a scalar holds, or -1.
func (s scalar) int() int {
	n, ok := 0, len(s) > 0 && len(s) < 10
	for _, r := range s {
		ok = ok && r >= '0' && r <= '9'
		n = n*10 + int(r-'0')
	}
	if !ok {
		return -1
	}
	return n
}

func (s scalar) time() time.Time {
	t, err := time.Parse(time.RFC3339, string(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// list is a collection of an answer. Tableau writes {"views":{"view":[…]}}, and
// in places {"views":[…]}, a single object in place of the array, or {} for
// none.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	return l.appendFrom(data, true)
}

func (l *list[T]) appendFrom(data []byte, mayWrap bool) error {
	switch {
	case bytes.HasPrefix(data, []byte("[")):
		return json.Unmarshal(data, (*[]T)(l))
	case !bytes.HasPrefix(data, []byte("{")):
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	_, single := members["id"]
	_, token := members["tokenName"]
	if single || token || !mayWrap {
		var item T
		if err := json.Unmarshal(data, &item); err != nil {
			return err
		}
		*l = append(*l, item)
		return nil
	}
	for _, member := range members {
		if err := l.appendFrom(bytes.TrimSpace(member), false); err != nil {
			return err
		}
	}
	return nil
}

// xmlAnswer is the little that is read as XML: the errors of exports, and
// servers whose version 2.4 of the API does not know JSON.
type xmlAnswer struct {
	XMLName    xml.Name       `xml:"tsResponse"`
	Error      *reportedError `xml:"error"`
	ServerInfo serverInfo     `xml:"serverInfo"`
}

// decode reads a successful answer.
func (c *Client) decode(ctx context.Context, r request, resp *http.Response, into *answer) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return bodyError(ctx, r.op, resp, err)
	}
	if len(body) > maxAnswer {
		return &Error{Op: r.op, Status: resp.StatusCode, Cause: TooLarge}
	}
	if decodeAnswer(body, into) != nil {
		e := &Error{Op: r.op, Status: resp.StatusCode, Cause: Unknown, Retry: true}
		if looksLikeMarkup(resp, body) {
			e.Cause, e.Retry = NotTableau, !r.token.IsZero()
			e.hint = pageHint(resp, body)
		}
		return e
	}
	if into.Error != nil {
		return c.statusError(r, resp, body)
	}
	return nil
}

// bodyError makes the error of an answer whose body could not be read to its
// end.
func bodyError(ctx context.Context, op string, resp *http.Response, err error) *Error {
	e := transportError(ctx, op, err)
	e.Status = resp.StatusCode
	if ctx.Err() == nil {
		e.Cause, e.Retry, e.hint = Truncated, true, ""
	}
	return e
}

// decodeAnswer reads JSON, or XML where that is what came.
func decodeAnswer(body []byte, into *answer) error {
	body = trimStart(body)
	if !bytes.HasPrefix(body, []byte("<")) {
		if !bytes.HasPrefix(body, []byte("{")) {
			return errNoAnswer
		}
		return json.Unmarshal(body, into)
	}
	var decoded xmlAnswer
	if err := xml.Unmarshal(body, &decoded); err != nil {
		return err
	}
	into.Error, into.ServerInfo = decoded.Error, decoded.ServerInfo
	return nil
}

var errNoAnswer = errors.New("the answer is neither JSON nor XML")

// decodeError reads the error in a body, JSON or XML.
func decodeError(body []byte) (reportedError, bool) {
	var a answer
	if err := decodeAnswer(body, &a); err != nil || a.Error == nil {
		return reportedError{}, false
	}
	return *a.Error, true
}
