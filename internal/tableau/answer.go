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
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

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
// all of them as strings in most places and unquoted in others. One that is longer
// than any name, address or token is cut: it would be stored and shown.
type scalar string

// maxScalar is in bytes.
const maxScalar = 4 << 10

func (s *scalar) UnmarshalJSON(data []byte) error {
	text := ""
	switch {
	case bytes.HasPrefix(data, []byte(`"`)) && !bytes.ContainsRune(data, '\\') && utf8.Valid(data):
		data = data[1 : len(data)-1] // as most are, without the means of a whole document
		text = string(data[:min(len(data), maxScalar+1)])
	case bytes.HasPrefix(data, []byte(`"`)):
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	case bytes.Equal(data, []byte("null")), bytes.HasPrefix(data, []byte("{")), bytes.HasPrefix(data, []byte("[")):
		// not a scalar: as good as missing
	default:
		text = string(data[:min(len(data), maxScalar+1)])
	}
	if len(text) > maxScalar {
		text = strings.Clone(strings.ToValidUTF8(text[:maxScalar], ""))
	}
	*s = scalar(text)
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
// none. It is nil where the answer has no such collection.
//
// An item takes a hundred times the memory of the few bytes that can stand for
// it, so items are read one by one, and no more than a page may hold.
type list[T any] []T

// errTooMany ends the reading of a list that is longer than a page.
var errTooMany = errors.New("more items than a page holds")

func (l *list[T]) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	if *l != nil {
		return errTooMany // it was there before
	}
	*l = list[T]{}
	return l.appendFrom(data, true)
}

func (l *list[T]) appendFrom(data []byte, mayWrap bool) error {
	switch {
	case bytes.HasPrefix(data, []byte("[")):
		return l.appendItems(data)
	case !bytes.HasPrefix(data, []byte("{")):
		return nil
	case mayWrap:
		// Whether it is an item shows in what it is known by.
		var known struct {
			ID    *scalar `json:"id"`
			Token *scalar `json:"tokenName"`
		}
		if err := json.Unmarshal(data, &known); err != nil {
			return err
		}
		if known.ID == nil && known.Token == nil {
			return l.appendMembers(data)
		}
	}
	return l.appendItem(json.NewDecoder(bytes.NewReader(data)))
}

// appendItems appends what an array holds.
func (l *list[T]) appendItems(data []byte) error {
	items := json.NewDecoder(bytes.NewReader(data))
	if _, err := items.Token(); err != nil {
		return err
	}
	for items.More() {
		if err := l.appendItem(items); err != nil {
			return err
		}
	}
	return nil
}

// appendMembers appends what the members of an object hold.
func (l *list[T]) appendMembers(data []byte) error {
	members := json.NewDecoder(bytes.NewReader(data))
	if _, err := members.Token(); err != nil {
		return err
	}
	for n := 0; members.More(); n++ {
		if n == maxPageSize {
			return errTooMany
		}
		if _, err := members.Token(); err != nil { // its name
			return err
		}
		var value json.RawMessage
		if err := members.Decode(&value); err != nil {
			return err
		}
		if err := l.appendFrom(value, false); err != nil {
			return err
		}
	}
	return nil
}

func (l *list[T]) appendItem(from *json.Decoder) error {
	if len(*l) == maxPageSize {
		return errTooMany
	}
	var item T
	if err := from.Decode(&item); err != nil {
		return err
	}
	*l = append(*l, item)
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
	body, err := readBody(ctx, resp.Body, maxAnswer)
	switch {
	case errors.Is(err, errTooLong):
		return &Error{Op: r.op, Status: resp.StatusCode, Cause: TooLarge, Err: err,
			hint: fmt.Sprintf("What answers at this address sends more than %d MiB in one answer, and Tableau does not. Check the server address.", maxAnswer>>20)}
	case err != nil:
		return bodyError(ctx, r.op, resp, err)
	}
	switch err := decodeAnswer(body, into); {
	case errors.Is(err, errTooMany):
		return &Error{Op: r.op, Status: resp.StatusCode, Cause: TooLarge, Err: err,
			hint: fmt.Sprintf("What answers at this address sends a list of more than %d items at once, and Tableau does not. Check the server address.", maxPageSize)}
	case err != nil:
		e := &Error{Op: r.op, Status: resp.StatusCode, Cause: Unknown, Retry: true}
		if looksLikeMarkup(resp, body) {
			e.Cause, e.Retry = NotTableau, !r.token.IsZero()
			e.hint = pageHint(r, resp, body)
		}
		return e
	}
	switch {
	case into.Error != nil:
		return c.statusError(r, resp, body)
	case reflect.ValueOf(*into).IsZero():
		// It is none of the REST API, or XML though JSON was asked for. Taken for
		// an empty list it would say that a view is gone.
		e := &Error{Op: r.op, Status: resp.StatusCode, Cause: NotTableau}
		if !r.token.IsZero() {
			e.Retry = true
			e.hint = "Something between vizpost and Tableau, such as a proxy, answers in its place or changes its answers. Ask the administrator to let vizpost through to Tableau."
		}
		return e
	}
	return nil
}

// errTooLong is the error of a body that is longer than it may be.
var errTooLong = errors.New("the answer is too long")

// readBody reads a body of at most limit bytes. The deadline of ctx holds
// between any two pieces of it, whatever the transport makes of it.
func readBody(ctx context.Context, from io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(inTime{ctx, from}, limit+1))
	if int64(len(body)) > limit {
		return body[:limit], errTooLong
	}
	return body, err
}

// inTime reads until a context ends.
type inTime struct {
	ctx  context.Context
	from io.Reader
}

func (r inTime) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
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
	if len(body) > maxErrorBody {
		return errNoAnswer
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
