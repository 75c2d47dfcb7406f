// Package problem is the small, closed set of errors that vizpost tells its
// users about. A [Error] keeps the text for people apart from the cause: the
// text says what happened and what to do next, the cause goes to the log.
//
// An error that is no problem is internal: the user learns that something went
// wrong inside and nothing more.
package problem

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what sort of problem it is. It decides the HTTP status, and
// nothing else does.
type Kind int

// The kinds, with the HTTP status that the API gives them.
const (
	Internal        Kind = iota // 500: a defect or a failing part of vizpost itself
	BadRequest                  // 400: the request cannot be read at all
	Unauthenticated             // 401: no or no valid sign-in to vizpost
	Forbidden                   // 403: signed in, not allowed
	NotFound                    // 404
	Conflict                    // 409: true of the request, but not with what is stored
	Stale                       // 412: the version named in If-Match is no longer the current one
	TooLarge                    // 413
	Invalid                     // 422: a field is wrong
	TooMany                     // 429: to be tried again later
	Unavailable                 // 503: a part that vizpost needs does not answer
	Timeout                     // 504: Tableau did not answer in time; nothing was changed
)

// Codes that callers and pages decide by. They never change their meaning.
const (
	CodeInternal            = "internal"
	CodeBadRequest          = "bad_request"
	CodeUnauthenticated     = "unauthenticated"
	CodeForbidden           = "forbidden"
	CodeNotFound            = "not_found"
	CodeConflict            = "conflict"
	CodeStale               = "stale_version"
	CodeTooLarge            = "body_too_large"
	CodeInvalid             = "invalid"
	CodeTooMany             = "too_many_requests"
	CodeUnavailable         = "unavailable"
	CodeTableauTimeout      = "tableau_timeout"
	CodeTableauUnreachable  = "tableau_unreachable"
	CodeCredentialsRejected = "credentials_rejected"
	CodeTokenInUse          = "token_in_use"
	CodeInUse               = "in_use"
	CodeIdentityChange      = "identity_change"
	CodeViewNotFound        = "view_not_found"
	CodeKeyReused           = "idempotency_key_reused"
)

// Field is one wrong field of a request, or stands for those beyond [MaxFields].
type Field struct {
	Name    string // path in the request, such as "schedule.cron" or "content[0].view"
	Message string // what is wrong and what would be right; never the value
	More    int    // how many fields it stands for, without a name; 0 for one field
}

// MaxFields is how many wrong fields a request is told. The next says how many
// more there are: nobody reads thousands, and an answer must not be many times
// as long as the request.
const MaxFields = 50

// Cause is one explanation of what went wrong, with its remedy.
type Cause struct {
	Code    string // stable, such as "idle", "expired", "mistyped"
	Message string // what happened, if it is this
	Remedy  string // what to do then
	Equal   bool   // as likely as the one before it
}

// Error is a problem that is told to the user.
type Error struct {
	Kind    Kind
	Code    string        // stable, one of the Code constants or one of Tableau's causes
	Message string        // a whole sentence for people: what happened, what to do next
	Fields  []Field       // wrong fields; only with Invalid and Conflict
	Causes  []Cause       // what it may come from, the likeliest first, where several things may
	After   time.Duration // when to try again, with TooMany and Unavailable; 0 if not known
	Unsure  bool          // what was to be written may have been written all the same
	Err     error         // the cause, for the log only; may be nil
}

// Error gives the text for logs: the message, the fields and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, " [%s: %s]", f.Name, f.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes a problem.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Newf is [New] with a formatted message. No argument may hold a secret.
func Newf(kind Kind, code, format string, args ...any) *Error {
	return New(kind, code, fmt.Sprintf(format, args...))
}

// InvalidField makes the problem of one wrong field. The message says what is
// wrong and what would be right, and does not repeat the value.
func InvalidField(name, message string) *Error {
	return &Error{Kind: Invalid, Code: CodeInvalid, Message: "The request has a field that cannot be used.",
		Fields: []Field{{Name: name, Message: message}}}
}

// Is reports whether there is a problem of a kind in an error's chain.
func Is(err error, kind Kind) bool {
	var p *Error
	return errors.As(err, &p) && p.Kind == kind
}

// HasCode reports whether there is a problem with a code in an error's chain.
func HasCode(err error, code string) bool {
	var p *Error
	return errors.As(err, &p) && p.Code == code
}

// Changed makes the problem of an edit that somebody else's edit overtook.
// What is a noun without article, such as "connection".
func Changed(what string) *Error {
	return Newf(Stale, CodeStale, "The %s was changed in between. Read it again and repeat the change.", what)
}

// KeyReused makes the problem of an Idempotency-Key that came before with a
// request for something else.
func KeyReused() *Error {
	return New(Conflict, CodeKeyReused,
		"This Idempotency-Key came with another request before. Use a new key for each new request.")
}

// Missing makes the problem of a thing that does not exist. What is a noun
// without article, such as "connection". The id may come from anybody and be
// anything, a secret too: it is told only if it could be one of ours.
func Missing(what, id string) *Error {
	if len(id) > 26 || strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return Newf(NotFound, CodeNotFound, "There is no such %s.", what)
	}
	return Newf(NotFound, CodeNotFound, "There is no %s with the id %q.", what, id)
}

// From finds the problem in an error's chain.
func From(err error) (*Error, bool) {
	var p *Error
	if errors.As(err, &p) {
		return p, true
	}
	return &Error{Kind: Internal, Code: CodeInternal,
		Message: "Something went wrong inside vizpost. The log has the details.", Err: err}, false
}

// Fields collects wrong fields, so that a request is told all of them at once,
// up to [MaxFields]. The zero value is ready to use.
type Fields []Field

// Add notes a wrong field.
func (f *Fields) Add(name, format string, args ...any) {
	if len(*f) >= MaxFields {
		f.more(1)
		return
	}
	*f = append(*f, Field{Name: name, Message: fmt.Sprintf(format, args...)})
}

// more counts fields beyond those that are told, which there are [MaxFields] of.
func (f *Fields) more(n int) {
	if len(*f) == MaxFields {
		*f = append(*f, Field{})
	}
	last := &(*f)[MaxFields]
	last.More += n
	last.Message = fmt.Sprintf("There are %d more fields that cannot be used.", last.More)
	if last.More == 1 {
		last.Message = "There is one more field that cannot be used."
	}
}

// AddErr notes the fields of an [Invalid] problem under a prefix such as
// "schedule"; any other error becomes the message of the prefix itself.
func (f *Fields) AddErr(prefix string, err error) {
	var p *Error
	if errors.As(err, &p) && len(p.Fields) > 0 {
		for _, field := range p.Fields {
			if field.More > 0 {
				f.more(field.More)
				continue
			}
			name := prefix + field.Name // also of an item of a list: notify[0]
			if prefix != "" && field.Name != "" && field.Name[0] != '[' {
				name = prefix + "." + field.Name
			}
			f.Add(name, "%s", field.Message)
		}
		return
	}
	if errors.As(err, &p) {
		f.Add(prefix, "%s", p.Message)
		return
	}
	f.Add(prefix, "%s", err.Error())
}

// Len returns how many fields are wrong, with those beyond the ones that are
// told.
func (f Fields) Len() int {
	n := len(f)
	if n > 0 && f[n-1].More > 0 {
		n += f[n-1].More - 1
	}
	return n
}

// Err gives the problem of all noted fields, or nil if there are none.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	message := "The request has a field that cannot be used."
	if n := f.Len(); n > 1 {
		message = fmt.Sprintf("The request has %d fields that cannot be used.", n)
	}
	return &Error{Kind: Invalid, Code: CodeInvalid, Message: message, Fields: f}
}
