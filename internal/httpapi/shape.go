package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/vizpost/vizpost/internal/problem"
)

// How requests are read
//
// huma reads bodies and parameters, checks their shape and describes them in
// OpenAPI. Out of the box it answers a wrong request with the values that were
// sent, and a body that is no JSON with the whole body; here, those are
// secrets. Its error type is chosen by a package variable (huma.NewError),
// which would be state of the process. So vizpost leaves that as it is and
// works with what belongs to one API alone:
//
//   - [jsonFormat] is the only format. Its errors have fixed texts.
//   - [api.answerInOurForm] is a transformer: each answer passes it before it
//     is encoded. It replaces huma's error by a problem that takes over where
//     the fault is, and of the texts only those that stem from the schema.
//   - The schemas of bodies that serve keep only their shape, unlike those published
//     (see [keepShape]): whether a value can be used is judged by the services,
//     which tell of all wrong fields at once.
//
// The transformer that huma's default configuration adds ($schema links), its
// documentation pages, which load from elsewhere, and its schema routes are
// left out.

const maxBody = 1 << 20 // bytes

// answerInOurForm implements [huma.Transformer].
func (a *api) answerInOurForm(ctx huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := httpProblem(ctx.Context(), e.Status)
	if e.Status != http.StatusUnprocessableEntity && e.Status != http.StatusBadRequest {
		if p.Status == http.StatusInternalServerError {
			// huma could not read the body: the caller broke off.
			p = httpProblem(ctx.Context(), http.StatusBadRequest)
			p.Status = e.Status // written already
		}
		return p, nil
	}

	// By their places, since huma finds unknown fields in no particular order.
	slices.SortStableFunc(e.Errors, func(a, b *huma.ErrorDetail) int { return strings.Compare(a.Location, b.Location) })
	var wrong problem.Fields
	for i, detail := range e.Errors {
		var at problem.Field
		if i < problem.MaxFields { // the others are counted alone
			at = fieldOf(detail)
		}
		wrong.Add(at.Name, "%s", at.Message)
	}
	slices.SortStableFunc(wrong[:min(len(wrong), problem.MaxFields)], func(a, b problem.Field) int { return strings.Compare(a.Name, b.Name) })
	if len(wrong) == 0 {
		p.Detail = "The request's body is missing. Send JSON."
		return p, nil
	}
	if e.Status == http.StatusBadRequest {
		p.Detail = wrong[0].Message
		if wrong[0].Name != "" {
			p.Detail = "The request has a field that cannot be used."
			p.Errors = []fieldJSON{{Field: wrong[0].Name, Message: wrong[0].Message}}
		}
		return p, nil
	}
	known, _ := problem.From(wrong.Err())
	return toJSON(ctx.Context(), known), nil
}

// fieldOf says what huma found wrong, without what was sent.
func fieldOf(d *huma.ErrorDetail) problem.Field {
	where := d.Location
	for _, place := range []string{"body", "query", "path", "header"} {
		if rest, ok := strings.CutPrefix(where, place); ok && (rest == "" || rest[0] == '.') {
			where = strings.TrimPrefix(rest, ".")
			break
		}
	}
	message := d.Message
	for _, text := range []string{wrongType, twice, nullList, nullMap, nullBody} {
		if field, ok := strings.CutSuffix(message, atField+text); ok {
			where, message = field, text
		}
	}
	return problem.Field{Name: shownName(where), Message: plainly(message)}
}

// plainly turns huma's words into a sentence. A text that is not known might
// hold what was sent, and is left out.
func plainly(message string) string {
	switch message {
	case notUTF8, notJSON, tooMany, wrongType, twice, nullList, nullMap, nullBody, emptyList:
		return message
	case validation.MsgUnexpectedProperty:
		return "No such field is taken here. Check its spelling, or leave it out; /docs shows the fields."
	case validation.MsgExpectedString:
		return "Give a text."
	case validation.MsgExpectedBoolean, "invalid boolean":
		return "Give true or false."
	case validation.MsgExpectedInteger, "invalid integer":
		return "Give a whole number."
	case validation.MsgExpectedNumber:
		return "Give a number."
	case validation.MsgExpectedArray:
		return "Give a list."
	case validation.MsgExpectedObject:
		return "Give an object."
	}
	// These name bounds of the schema.
	for _, bounded := range []struct{ theirs, before, after string }{
		{validation.MsgExpectedMinimumNumber, "Give a number of at least ", "."},
		{validation.MsgExpectedMaximumNumber, "Give a number of at most ", "."},
		{validation.MsgExpectedMaxLength, "Give at most ", " characters."},
		{validation.MsgExpectedOneOf, "Choose one of ", "."},
	} {
		prefix, _, _ := strings.Cut(bounded.theirs, "%")
		if bound, ok := strings.CutPrefix(message, prefix); ok {
			return bounded.before + strings.Trim(bound, `"`) + bounded.after
		}
	}
	return "This value cannot be used."
}

// plainName is a name in words, such as "server_url", "Idempotency-Key" or
// "content[0]".
var plainName = regexp.MustCompile(`^(\p{Lu}?\p{Ll}+|\p{Lu}+)([ _-](\p{Lu}?\p{Ll}+|\p{Lu}+))*(\[\d+\])*$`)

// shownName gives a field's name with its place. The caller may have made it up,
// or put a secret where a name belongs: what is no name in words is left out.
func shownName(path string) string {
	const most = 100
	parts := strings.Split(path, ".")
	for i, part := range parts {
		if part != "" && (len(path) > most || !plainName.MatchString(part)) {
			return strings.Join(append(parts[:i:i], "…"), ".")
		}
	}
	return path
}

// keepShape takes from the published schemas of bodies what judges values, so
// that huma only checks their shape from here on: types and names of fields.
func keepShape(schemas map[string]*huma.Schema) {
	seen := map[*huma.Schema]bool{}
	var strip func(s *huma.Schema)
	strip = func(s *huma.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		s.Required, s.Enum, s.Format = nil, nil, ""
		s.Minimum, s.Maximum, s.MinLength, s.MaxLength, s.MinItems, s.MaxItems = nil, nil, nil, nil, nil, nil
		if len(s.AnyOf) == 2 { // of nullable, whose null huma lets pass without this
			*s = *s.AnyOf[0]
		}
		strip(s.Items)
		for _, property := range s.Properties {
			strip(property)
		}
		if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
			strip(values)
		}
	}
	for _, s := range schemas {
		strip(s)
	}
	for _, s := range schemas {
		s.PrecomputeMessages()
	}
}

// schemaName names a type in OpenAPI: connectionCreateJSON is ConnectionCreate.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "JSON")
}

// optional is a field of an edit: not given, given as null, or with a value.
type optional[T any] struct {
	given bool
	null  bool
	value T
}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *optional[T]) UnmarshalJSON(data []byte) error {
	o.given = true
	if bytes.Equal(data, []byte("null")) {
		o.null = true
		return nil
	}
	return json.Unmarshal(data, &o.value)
}

// MarshalJSON implements [json.Marshaler], for the digest of a request: what
// makes a thing takes null and nothing alike.
func (o optional[T]) MarshalJSON() ([]byte, error) {
	if !o.given || o.null {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

func (optional[T]) holds() reflect.Type { return reflect.TypeFor[T]() }

// Schema implements [huma.SchemaProvider].
func (optional[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// nullable is a value that is null when there is none.
type nullable[T any] struct{ value *T }

// MarshalJSON implements [json.Marshaler].
func (n nullable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(n.value) }

// UnmarshalJSON implements [json.Unmarshaler].
func (n *nullable[T]) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &n.value) }

func (nullable[T]) holds() reflect.Type { return reflect.TypeFor[T]() }

// Schema implements [huma.SchemaProvider].
func (nullable[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}

// pointer gives the value, nil if it was not given. What cannot be null is
// noted as wrong when it is.
func (o optional[T]) pointer(field string, wrong *problem.Fields) *T {
	switch {
	case !o.given:
		return nil
	case o.null:
		wrong.Add(field, "Null is not taken here. Give a value, or leave the field out.")
		return nil
	}
	return &o.value
}
