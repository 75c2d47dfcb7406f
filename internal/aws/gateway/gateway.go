// Package gateway serves events of an API Gateway HTTP API (payload format 2.0)
// by an [http.Handler].
package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// request is what API Gateway sends of a request (Amazon API Gateway developer
// guide, Lambda proxy integrations for HTTP APIs).
type request struct {
	Version         string            `json:"version"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies"`
	Headers         map[string]string `json:"headers"` // values of one name joined by commas
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	Context         struct {
		DomainName string `json:"domainName"`
		Stage      string `json:"stage"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Authorizer struct {
			JWT struct {
				Claims claims `json:"claims"`
			} `json:"jwt"`
		} `json:"authorizer"`
	} `json:"requestContext"`
}

// Response is what API Gateway is given back.
type Response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies,omitempty"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// maxBody is how large an answer may be, so that the response that carries it
// in base64 stays below the 6 MB that Lambda takes (AWS Lambda quotas).
const maxBody = 4 << 20

// tooLarge is answered in place of what is larger.
const tooLarge = `{"type":"about:blank","title":"Internal Server Error","status":500,"code":"answer_too_large",` +
	`"detail":"The answer is larger than the 4 MB that can be given this way. A file that large is found in the bucket of exported files, or in the message that carried it."}`

// Handler gives the function that serves the events. An event that is none of
// API Gateway's is an error.
func Handler(h http.Handler) func(context.Context, json.RawMessage) (Response, error) {
	return func(ctx context.Context, event json.RawMessage) (Response, error) {
		var in request
		if err := json.Unmarshal(event, &in); err != nil {
			return Response{}, fmt.Errorf("reading an event of API Gateway: %w", err)
		}
		r, err := in.http(ctx)
		if err != nil {
			return Response{}, fmt.Errorf("reading an event of API Gateway: %w", err)
		}
		out := &answer{header: http.Header{}}
		if err := serve(h, out, r); err != nil {
			return Response{}, err
		}
		return out.response(), nil
	}
}

// serve passes panics on, but for the one by which a handler gives up an
// answer that it has begun.
func serve(h http.Handler, out *answer, r *http.Request) (err error) {
	defer func() {
		switch value := recover(); {
		case value == nil:
		case value == http.ErrAbortHandler:
			err = http.ErrAbortHandler
		default:
			panic(value)
		}
	}()
	h.ServeHTTP(out, r)
	return nil
}

func (in *request) http(ctx context.Context) (*http.Request, error) {
	if in.Version != "2.0" || in.Context.HTTP.Method == "" || !strings.HasPrefix(in.RawPath, "/") {
		return nil, errors.New("it is not in payload format 2.0")
	}
	body := []byte(in.Body)
	if in.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(in.Body); err != nil {
			return nil, errors.New("its body is no base64") // the cause would quote it
		}
	}
	path := in.RawPath
	if in.Context.Stage != "$default" {
		path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, "/"+in.Context.Stage), "/")
	}
	address := &url.URL{Path: path, RawQuery: in.RawQueryString}
	if decoded, err := url.PathUnescape(path); err == nil {
		address.Path, address.RawPath = decoded, path
	}
	header := http.Header{}
	for name, value := range in.Headers {
		header.Set(name, value)
	}
	if len(in.Cookies) > 0 {
		header.Set("Cookie", strings.Join(in.Cookies, "; "))
	}
	host := header.Get("Host")
	if host == "" {
		host = in.Context.DomainName
	}
	header.Del("Host")
	r := &http.Request{
		Method: in.Context.HTTP.Method, URL: address, RequestURI: address.RequestURI(), Header: header, Host: host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: in.Context.HTTP.SourceIP + ":0",
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	return r.WithContext(context.WithValue(ctx, claimsKey{}, maps.Clone(in.Context.Authorizer.JWT.Claims))), nil
}

// answer takes what a handler answers.
type answer struct {
	header http.Header
	sent   http.Header // the header when the status was written
	status int
	body   bytes.Buffer
	over   bool // it was larger than maxBody
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.over = a.over || a.body.Len()+len(b) > maxBody; a.over {
		return 0, errors.New("the answer is too large for API Gateway")
	}
	return a.body.Write(b)
}

func (a *answer) response() Response {
	a.WriteHeader(http.StatusOK)
	if a.over {
		return Response{StatusCode: http.StatusInternalServerError, Body: tooLarge,
			Headers: map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store"}}
	}
	out := Response{StatusCode: a.status, Headers: map[string]string{}, Cookies: a.sent["Set-Cookie"], Body: a.body.String()}
	for name, values := range a.sent {
		if name != "Set-Cookie" {
			out.Headers[name] = strings.Join(values, ", ")
		}
	}
	if !utf8.ValidString(out.Body) {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(a.body.Bytes()), true
	}
	return out
}
