package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/tableau"
)

// statusOf is the one table from kinds of problems to HTTP status codes.
func statusOf(kind problem.Kind) int {
	switch kind {
	case problem.BadRequest:
		return http.StatusBadRequest
	case problem.Unauthenticated:
		return http.StatusUnauthorized
	case problem.Forbidden:
		return http.StatusForbidden
	case problem.NotFound:
		return http.StatusNotFound
	case problem.Conflict:
		return http.StatusConflict
	case problem.Stale:
		return http.StatusPreconditionFailed
	case problem.TooLarge:
		return http.StatusRequestEntityTooLarge
	case problem.Invalid:
		return http.StatusUnprocessableEntity
	case problem.TooMany:
		return http.StatusTooManyRequests
	case problem.Unavailable:
		return http.StatusServiceUnavailable
	case problem.Timeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// Codes of what goes wrong with HTTP itself, before there is a problem of
// vizpost.
const (
	codeMethodNotAllowed = "method_not_allowed"
	codeMediaType        = "unsupported_media_type"
	codeRequestTimeout   = "request_timeout"
	codeMisdirected      = "misdirected_request"
	codeClientGone       = "client_closed_request"
)

// statusClientGone is what the access log shows when the caller did not wait
// for the answer.
const statusClientGone = 499

// problemJSON is the body of every error (RFC 9457).
type problemJSON struct {
	Type   string      `json:"type" doc:"Names the kind of problem; the same for the same code." example:"urn:vizpost:problem:invalid"`
	Title  string      `json:"title" doc:"The HTTP status in words." example:"Unprocessable Entity"`
	Status int         `json:"status" doc:"The HTTP status." example:"422"`
	Detail string      `json:"detail" doc:"What happened and what to do next, for people." example:"The request has a field that cannot be used."`
	Code   string      `json:"code" doc:"What to decide by in a program. A code never changes its meaning." example:"invalid"`
	Errors []fieldJSON `json:"errors,omitempty" nullable:"false" doc:"The fields that cannot be used, up to 50 of them; one more without a name says how many others there are."`
	Causes []causeJSON `json:"causes,omitempty" nullable:"false" doc:"What it may come from, the likeliest first, where several things may."`

	// Of a thing that cannot be deleted because it is used.
	Reports     []referenceJSON `json:"reports,omitempty" nullable:"false" doc:"With the code in_use: reports that use it, at most 20."`
	ReportCount int             `json:"report_count,omitempty" doc:"With the code in_use: how many reports use it; left out where they are too many to be counted."`

	RequestID string `json:"request_id" doc:"Names the request in the log." example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`

	retryAfter time.Duration
}

type fieldJSON struct {
	Field   string `json:"field" doc:"Path in the request; empty for the request as a whole." example:"content[0].view"`
	Message string `json:"message" doc:"What is wrong and what would be right. It never repeats the value." example:"Give the view: its address as the browser shows it in Tableau, or its content URL."`
}

// Error implements the error interface, so that huma takes a problem from a
// handler.
func (p *problemJSON) Error() string { return p.Detail }

// GetStatus implements [huma.StatusError].
func (p *problemJSON) GetStatus() int { return p.Status }

// ContentType implements [huma.ContentTypeFilter].
func (p *problemJSON) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements [huma.HeadersError].
func (p *problemJSON) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="vizpost"`)
	}
	return h
}

// toJSON gives a problem the form in which it is answered.
func toJSON(ctx context.Context, p *problem.Error) *problemJSON {
	out := newProblem(ctx, statusOf(p.Kind), p.Code, p.Message)
	for _, f := range p.Fields {
		out.Errors = append(out.Errors, fieldJSON{Field: f.Name, Message: f.Message})
	}
	for _, c := range p.Causes {
		out.Causes = append(out.Causes, causeJSON(c))
	}
	out.retryAfter = p.After
	return out
}

func newProblem(ctx context.Context, status int, code, detail string) *problemJSON {
	title := http.StatusText(status)
	if title == "" {
		title = "Error"
	}
	return &problemJSON{Type: "urn:vizpost:problem:" + code, Title: title, Status: status, Detail: detail, Code: code,
		RequestID: callOf(ctx).id}
}

// httpProblem is the problem of a request that failed as HTTP.
func httpProblem(ctx context.Context, status int) *problemJSON {
	switch status {
	case http.StatusBadRequest:
		return newProblem(ctx, status, problem.CodeBadRequest, "The request cannot be read.")
	case http.StatusNotFound:
		return newProblem(ctx, status, problem.CodeNotFound, "There is nothing at this address. /docs shows what there is.")
	case http.StatusMethodNotAllowed:
		return newProblem(ctx, status, codeMethodNotAllowed, "This address does not take this method. The header Allow names those that it takes.")
	case http.StatusRequestTimeout:
		return newProblem(ctx, status, codeRequestTimeout, "The request's body did not arrive in time. Send it again.")
	case http.StatusRequestEntityTooLarge:
		return newProblem(ctx, status, problem.CodeTooLarge, "The request's body is too large: at most 1 MB is possible.")
	case http.StatusUnsupportedMediaType:
		return newProblem(ctx, status, codeMediaType, "The request's body must be JSON, with the content type application/json.")
	case http.StatusMisdirectedRequest:
		return newProblem(ctx, status, codeMisdirected, "vizpost does not answer under this host name. Use the address that it printed at its start, or its public URL.")
	default:
		return newProblem(ctx, http.StatusInternalServerError, problem.CodeInternal,
			unsure(ctx, "Something went wrong inside vizpost. The log has the details under the request's id."))
	}
}

// unsure adds to what an answer says that the request may have been carried out
// all the same, if it is one that writes.
func unsure(ctx context.Context, detail string) string {
	if more := callOf(ctx).unsure; more != "" {
		detail += " " + more
	}
	return detail
}

// failure turns the error of a service into what is answered, and logs what
// the caller is not told. It is the one place where errors of Tableau and of
// contexts become problems, for those that the services did not make into ones.
func (a *api) failure(ctx context.Context, err error) *problemJSON {
	var used *usedError
	if errors.As(err, &used) {
		p := a.failure(ctx, used.err)
		p.Reports, p.ReportCount = used.reports, used.count
		return p
	}
	var known *problem.Error
	var of *tableau.Error
	switch {
	case errors.As(err, &known):
	case callOf(ctx).context.Err() != nil:
		return newProblem(ctx, statusClientGone, codeClientGone, "The caller did not wait for the answer.")
	case errors.As(err, &of):
		known = tableauProblem(of)
	case errors.Is(err, context.DeadlineExceeded):
		known = timeout()
	}
	if known != nil && known.Kind != problem.Internal {
		if known.Err != nil {
			a.log.InfoContext(ctx, "request refused", "request_id", callOf(ctx).id, "code", known.Code, "error", err.Error())
		}
		p := toJSON(ctx, known)
		if known.Unsure {
			p.Detail = unsure(ctx, p.Detail)
		}
		return p
	}
	a.log.ErrorContext(ctx, "request failed", "request_id", callOf(ctx).id, "error", err.Error())
	return httpProblem(ctx, http.StatusInternalServerError)
}

// usedError is a problem of code in_use, with the reports that use the thing.
type usedError struct {
	err     error
	reports []referenceJSON
	count   int
}

// maxUsesNamed is how many reports an answer names that use a thing.
const maxUsesNamed = 20

// name notes reports that use the thing, as far as the answer names them.
func (e *usedError) name(reports ...report.Report) {
	for _, r := range reports[:min(len(reports), maxUsesNamed-len(e.reports))] {
		e.reports = append(e.reports, referenceJSON{ID: r.ID, Name: r.Name})
	}
}

func (e *usedError) Error() string { return e.err.Error() }
func (e *usedError) Unwrap() error { return e.err }

func timeout() *problem.Error {
	return problem.New(problem.Timeout, problem.CodeTableauTimeout,
		"Tableau did not answer in time. Nothing was changed. Try again; if it stays so, check that the server is well.")
}

// tableauProblem says how a failed call to Tableau is answered.
func tableauProblem(e *tableau.Error) *problem.Error {
	p := &problem.Error{Kind: problem.Unavailable, Code: string(e.Cause), Message: e.Message(), After: e.RetryAfter, Err: e}
	switch e.Cause {
	case tableau.CredentialsRejected:
		p.Kind, p.Code = problem.Invalid, problem.CodeCredentialsRejected
	case tableau.Timeout, tableau.Interrupted:
		p = timeout()
		p.Err = e
	case tableau.Unreachable:
		p.Code = problem.CodeTableauUnreachable
	case tableau.ViewNotFound, tableau.WorkbookNotFound:
		p.Kind, p.Code = problem.NotFound, problem.CodeViewNotFound
	case tableau.TooManyRequests:
		p.Kind, p.Code = problem.TooMany, problem.CodeTooMany
	case tableau.BadParameter, tableau.MalformedRequest, tableau.SiteNotFound, tableau.UserNotFound,
		tableau.Certificate, tableau.NotTableau, tableau.Blocked:
		p.Kind = problem.Invalid
	case tableau.NotPermitted, tableau.ExportDisabled, tableau.NotSupported, tableau.NoData,
		tableau.DataSourceCredentials, tableau.TooLarge:
		p.Kind = problem.Conflict
	}
	return p
}

// write answers with a problem where huma is not there to do it.
func (p *problemJSON) write(w http.ResponseWriter) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	// Nobody is left to be told when the answer cannot be written.
	_ = json.NewEncoder(w).Encode(p)
}
