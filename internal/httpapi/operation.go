package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/vizpost/vizpost/internal/connection"
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
	troubled         any      // what a 503 answers that is no problem; nil: there is none
	fails            []int    // error statuses beside those that the input implies
	unsure           string   // said of a write whose outcome is not known; "": that of the method
}

// What is said of a write whose outcome is not known.
const (
	mayBeSaved   = "It may have been saved. Reload before you try again."
	mayBeDeleted = "It may have been deleted. Reload before you try again."
	mayBeStarted = "The run may have been started. Look at the runs before you try again."
)

// mayBeDone is what an operation says when its outcome is not known; "" for one
// that writes nothing.
func (op operation) mayBeDone() string {
	switch {
	case op.unsure != "":
		return op.unsure
	case op.method == http.MethodPatch:
		return mayBeSaved
	case op.method == http.MethodDelete:
		return mayBeDeleted
	}
	return ""
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
	if op.troubled != nil {
		schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(op.troubled), true, "")
		o.Responses[strconv.Itoa(http.StatusServiceUnavailable)] = &huma.Response{
			Description: "vizpost cannot do its work.", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
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
		callOf(ctx).unsure = op.mayBeDone()
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
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
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
		statuses = append(statuses, http.StatusConflict, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
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
