package httpapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
)

// operation is one method of one address.
type operation struct {
	id, method, path string
	summary, detail  string // for the documentation
	tag              string
	role             Role     // NoRole: no sign-in is asked for
	status           int      // of success; 0: 200, or 204 without a body
	waits            bool     // for Tableau, at most tableauWait
	example          any      // of the body; nil: none is shown
	produces         []string // media types of an answer that is not JSON
	fails            []int    // error statuses beside those that the input implies
}

// register adds an operation. What handle returns as an error goes through
// [api.failure].
func register[I, O any](a *api, op operation, handle func(context.Context, *I) (*O, error)) {
	o := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, DefaultStatus: op.status,
		Summary: op.summary, Description: op.detail, Tags: []string{op.tag},
		MaxBodyBytes: maxBody + 1, // huma refuses a body of exactly this size
		Responses:    a.failures(op, reflect.TypeFor[I]()),
		Security:     []map[string][]string{},
	}
	if len(op.produces) > 0 {
		r := &huma.Response{Content: map[string]*huma.MediaType{}}
		for _, mediaType := range op.produces {
			r.Content[mediaType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		}
		r.Description = http.StatusText(http.StatusOK)
		o.Responses[strconv.Itoa(http.StatusOK)] = r
	}
	if op.example != nil {
		o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: op.example}}}
	}
	if op.role != NoRole {
		o.Description += " Needs the role " + op.role.String() + "."
		o.Security = []map[string][]string{{"bearer": {}}}
		o.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			r, w := humago.Unwrap(ctx)
			who, err := a.authorize(r, op.role)
			c := callOf(r.Context())
			c.subject, c.who = who.Subject, who
			if err != nil {
				a.failure(r.Context(), err).write(w)
				return
			}
			next(ctx)
		}}
	}
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*O, error) {
		if op.role != NoRole {
			who := callOf(ctx).who
			ctx = connection.WithPerson(ctx, cmp.Or(who.Name, who.Subject))
		}
		if op.waits {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, tableauWait)
			defer cancel()
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.failure(ctx, err)
		}
		return out, nil
	})
}

// failures documents the errors of an operation.
func (a *api) failures(op operation, input reflect.Type) map[string]*huma.Response {
	statuses := []int{http.StatusInternalServerError}
	if op.role != NoRole {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(op.path, "{") {
		statuses = append(statuses, http.StatusNotFound)
	}
	if input.NumField() > 0 {
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}
	if _, ok := input.FieldByName("Body"); ok {
		statuses = append(statuses, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if _, ok := input.FieldByName("IfMatch"); ok {
		statuses = append(statuses, http.StatusBadRequest, http.StatusPreconditionFailed)
	}
	if _, ok := input.FieldByName("IdempotencyKey"); ok {
		statuses = append(statuses, http.StatusConflict)
	}
	if op.waits {
		statuses = append(statuses, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	}
	components := a.huma.OpenAPI().Components
	responses := map[string]*huma.Response{}
	for _, status := range append(statuses, op.fails...) {
		name := "Problem" + strconv.Itoa(status)
		if components.Responses[name] == nil {
			components.Responses[name] = a.problemResponse(status)
		}
		responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + name}
	}
	return responses
}

func (a *api) problemResponse(status int) *huma.Response {
	schemas := a.huma.OpenAPI().Components.Schemas
	r := &huma.Response{
		Description: failureTexts[status],
		Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[problemJSON](), true, "")},
		},
	}
	switch status {
	case http.StatusUnauthorized:
		r.Headers = map[string]*huma.Param{"WWW-Authenticate": {Description: "Bearer", Schema: &huma.Schema{Type: huma.TypeString}}}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds after which to try again, where that is known.",
			Schema: &huma.Schema{Type: huma.TypeInteger}}}
	}
	return r
}

// The inputs that several operations share. Their names are exported because
// huma passes over embedded types whose names are not.

// ByID is the input of what concerns one thing.
type ByID struct {
	ID string `path:"id" doc:"The id." example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D" maxLength:"64"`
}

// ByVersion is the input of what changes one thing.
type ByVersion struct {
	ByID
	IfMatch string `header:"If-Match" doc:"The version that the change was made from, as the header ETag gave it, such as \"3\". Without it, whichever version there is is changed." example:"\"3\""`
}

// version reads the header If-Match: 0 when any version is meant.
func (in ByVersion) version() (int64, error) {
	value := strings.TrimSpace(in.IfMatch)
	if value == "" || value == "*" {
		return 0, nil
	}
	if strings.HasPrefix(value, "W/") {
		// RFC 9110, section 13.1.1.
		return 0, problem.New(problem.Stale, problem.CodeStale,
			`The header If-Match holds a weak tag, which never matches. Send the version without W/, such as "3".`)
	}
	quoted, ok := strings.CutPrefix(value, `"`)
	quoted, closed := strings.CutSuffix(quoted, `"`)
	if n, err := strconv.ParseInt(quoted, 10, 64); ok && closed && err == nil && n > 0 {
		return n, nil
	}
	return 0, problem.New(problem.BadRequest, problem.CodeBadRequest,
		`The header If-Match holds one version in quotes, such as "3", as the header ETag gave it.`)
}

// etag gives a version as a header.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// one is the answer of what concerns one thing that people edit.
type one[T any] struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body T
}

// made is the answer of what made a thing.
type made[T any] struct {
	ETag     string `header:"ETag" doc:"The version, for If-Match."`
	Location string `header:"Location" doc:"Address of what was made."`
	Body     T
}

// plain is an answer without a version.
type plain[T any] struct{ Body T }

// Paging is the input of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many to give at most."`
	Cursor string `query:"cursor" maxLength:"400" doc:"Where to go on: next_cursor of the answer before. It has no meaning of its own."`
}

// after reads the cursor.
func (p Paging) after() (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil {
		return "", problem.InvalidField("cursor", "Send the next_cursor of the answer before, unchanged.")
	}
	return string(b), nil
}

// maxLimit is the most that a list gives at once.
const maxLimit = 200

// cursor gives where to go on; nil at the end.
func cursor(after string) *string {
	if after == "" {
		return nil
	}
	s := base64.RawURLEncoding.EncodeToString([]byte(after))
	return &s
}

// Idempotent is the input of what makes something.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"A text of your choosing that is the same each time the same request is sent again, such as a UUID. However often it comes within 24 hours, one thing is made." example:"3f2b8c1e-5b0e-4a57-9a0e-0c1d2e3f4a5b"`
}

var idempotencyKey = regexp.MustCompile(`^[!-~]{1,200}$`)

// checked gives the key, or "" if there is none.
func (in Idempotent) checked() (string, error) {
	if in.IdempotencyKey != "" && !idempotencyKey.MatchString(in.IdempotencyKey) {
		return "", problem.InvalidField("Idempotency-Key", "The key has at most 200 letters, digits and signs without spaces.")
	}
	return in.IdempotencyKey, nil
}

// create makes one thing for all requests with the same key. kind names the
// sort of thing; body is the decoded request, whose secrets encode as a
// placeholder and so are not part of what is compared and kept.
func create[T any](ctx context.Context, a *api, kind string, in Idempotent, body any,
	build func(id string) (T, error), read func(id string) (T, error)) (T, error) {
	var none T
	key, err := in.checked()
	if err != nil {
		return none, err
	}
	id := a.deps.NewID()
	if key == "" {
		return build(id)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return none, fmt.Errorf("taking the digest of a request: %w", err)
	}
	digest := sha256.Sum256(text)
	kept, err := a.deps.Requests.ClaimRequest(ctx, kind+"/"+callOf(ctx).subject, key, hex.EncodeToString(digest[:]), id, a.deps.Now())
	if err != nil {
		return none, fmt.Errorf("looking for the same request before: %w", err)
	}
	if kept != id {
		// Making a connection signs in, which would end the session of the one
		// that exists: so it is looked for first.
		if known, err := read(kept); !problem.Is(err, problem.NotFound) {
			return known, err
		}
	}
	thing, err := build(kept)
	if problem.Is(err, problem.Stale) {
		return read(kept)
	}
	return thing, err
}
