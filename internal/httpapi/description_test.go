package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vizpost/vizpost/internal/httpapi"
)

// description is /openapi.json, against which [world.call] holds every answer
// of every test.
type description struct {
	operations *http.ServeMux            // routes of the description, by the same rules as the API's
	responses  map[string]map[string]any // of each route, by status
	examples   map[string][]byte         // of requests' bodies, by the place of their schema
	compiler   *jsonschema.Compiler
	mu         sync.Mutex // of the compiler
}

const describedAt = "openapi.json"

// published is the description of an API that has all operations. It is made
// once, since it takes longer than most tests.
var published = sync.OnceValues(func() (*description, error) {
	recorder := httptest.NewRecorder()
	all := httpapi.Deps{Outbox: &outbox{}, Now: func() time.Time { return now }, NewID: func() string { return "ID" }, Log: slog.New(slog.DiscardHandler)}
	httpapi.New(all).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	document, err := jsonschema.UnmarshalJSON(recorder.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the description: %w", err)
	}
	d := &description{operations: http.NewServeMux(), responses: map[string]map[string]any{}, examples: map[string][]byte{}, compiler: jsonschema.NewCompiler()}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(describedAt, document); err != nil {
		return nil, fmt.Errorf("reading the description: %w", err)
	}
	for path, methods := range at(document, "paths") {
		for method, operation := range methods.(map[string]any) {
			route := strings.ToUpper(method) + " " + path
			d.operations.Handle(route, http.NotFoundHandler())
			d.responses[route] = at(operation, "responses")
			if example := at(at(at(operation, "requestBody"), "content"), "application/json")["example"]; example != nil {
				text, err := json.Marshal(example)
				if err != nil {
					return nil, fmt.Errorf("reading an example: %w", err)
				}
				d.examples[describedAt+"#/paths/"+pointer(path)+"/"+method+"/requestBody/content/"+pointer("application/json")+"/schema"] = text
			}
		}
	}
	return d, nil
})

// at gives the member of an object, which is one too.
func at(object any, name string) map[string]any {
	member, _ := object.(map[string]any)[name].(map[string]any)
	return member
}

// check tells where the answer to a request is not as the description says.
func (d *description) check(method, path string, answer *http.Response) error {
	r := httptest.NewRequest(method, path, nil)
	if !strings.HasPrefix(r.URL.Path, "/v1/") && r.URL.Path != "/healthz" {
		return nil
	}
	status := answer.StatusCode
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	_, route := d.operations.Handler(r)
	responses := d.responses[route]
	switch {
	case responses == nil, status == http.StatusMisdirectedRequest:
		// Before it comes to an operation, what fails has one form.
		if mediaType != "application/problem+json" {
			return fmt.Errorf("status %d with the content type %q", status, mediaType)
		}
		return d.valid(describedAt+"#/components/schemas/Problem", body)
	case status == 499: // nobody is there to read it
		return nil
	}

	code := strconv.Itoa(status)
	response, known := responses[code].(map[string]any)
	if !known {
		return fmt.Errorf("%s answers %d, which is not described", route, status)
	}
	verb, pattern, _ := strings.Cut(route, " ")
	place := describedAt + "#/paths/" + pointer(pattern) + "/" + strings.ToLower(verb) + "/responses/" + code
	if ref, ok := response["$ref"].(string); ok { // of a problem, which all operations share
		return d.checkContent(mediaType, map[string]any{"application/problem+json": true}, describedAt+ref, body)
	}
	content := at(response, "content")
	if len(content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("%s answers %d with a body, which is not described", route, status)
		}
		return nil
	}
	return d.checkContent(mediaType, content, place, body)
}

// checkContent checks an answer's content against that of one described response.
func (d *description) checkContent(mediaType string, content map[string]any, place string, body []byte) error {
	if content[mediaType] == nil {
		return fmt.Errorf("the content type %q is not described", mediaType)
	}
	if !strings.HasSuffix(mediaType, "json") {
		return nil
	}
	return d.valid(place+"/content/"+pointer(mediaType)+"/schema", body)
}

// valid checks a JSON text against the schema at a place of the description.
func (d *description) valid(place string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	d.mu.Lock()
	schema, err := d.compiler.Compile(place)
	d.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the description's schema: %w", err)
	}
	return schema.Validate(value)
}

// pointer writes a name as a part of a JSON pointer within an address.
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(name)
}

// TestAnswersAreHeldAgainstTheDescription shows that the check of [world.call]
// finds what is wrong.
func TestAnswersAreHeldAgainstTheDescription(t *testing.T) {
	t.Parallel()
	d, err := published()
	if err != nil {
		t.Fatal(err)
	}
	const problem = `{"type":"urn:vizpost:problem:invalid","title":"t","status":422,"detail":"d","code":"invalid","request_id":"r"}`
	for name, test := range map[string]struct {
		method, path string
		status       int
		mediaType    string
		body         string
		wrong        bool
	}{
		"right":                     {"GET", "/healthz", 200, "application/json", `{"status":"ok"}`, false},
		"a value of no enumeration": {"GET", "/healthz", 200, "application/json", `{"status":"bad"}`, true},
		"a field too many":          {"GET", "/healthz", 200, "application/json", `{"status":"ok","more":1}`, true},
		"a field too few":           {"GET", "/v1/reports", 200, "application/json", `{"reports":[]}`, true},
		"a field of another type":   {"GET", "/v1/reports", 200, "application/json", `{"reports":{},"next_cursor":null}`, true},
		"another content type":      {"GET", "/healthz", 200, "text/plain", `{"status":"ok"}`, true},
		"a status not described":    {"GET", "/healthz", 403, "application/problem+json", problem, true},
		"a problem":                 {"GET", "/v1/reports/x", 422, "application/problem+json", problem, false},
		"a problem as other JSON":   {"GET", "/v1/reports/x", 422, "application/json", problem, true},
		"a problem of nothing":      {"GET", "/v1/nothing", 404, "application/problem+json", problem, false},
		"nothing in another form":   {"GET", "/v1/nothing", 404, "text/plain", problem, true},
		"a body too many":           {"DELETE", "/v1/reports/x", 204, "application/json", `{}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := d.check(test.method, test.path, &http.Response{StatusCode: test.status,
				Header: http.Header{"Content-Type": {test.mediaType}}, Body: io.NopCloser(strings.NewReader(test.body))})
			if (err != nil) != test.wrong {
				t.Errorf("the check says %v", err)
			}
		})
	}
}

func TestExamplesAreAsDescribed(t *testing.T) {
	t.Parallel()
	d, err := published()
	if err != nil {
		t.Fatal(err)
	}
	if len(d.examples) < 8 {
		t.Errorf("there are %d examples of bodies", len(d.examples))
	}
	for place, example := range d.examples {
		if err := d.valid(place, example); err != nil {
			t.Errorf("the example %s: %v", example, err)
		}
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(t, "GET", "/openapi.json", "", "Authorization", "").want(200)
	var api struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID, Summary, Description string
			Responses                         map[string]any
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Format    string
					WriteOnly bool
				}
			}
		}
	}
	a.into(&api)
	if !strings.HasPrefix(api.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %q", api.OpenAPI)
	}
	docs := w.call(t, "GET", "/docs", "", "Authorization", "").want(200).Body.String()
	for path, methods := range api.Paths {
		for method, o := range methods {
			if o.Summary == "" || o.Description == "" || o.OperationID == "" || o.Responses["500"] == nil {
				t.Errorf("%s %s is not described: %+v", method, path, o)
			}
			if !strings.Contains(docs, `id="`+o.OperationID+`"`) || !strings.Contains(docs, path) {
				t.Errorf("%s %s is not in /docs", method, path)
			}
		}
	}
	for _, secrets := range []string{"AuthInput.token_secret", "AuthInput.password", "DestinationCreate.url", "DestinationPatch.url"} {
		schema, property, _ := strings.Cut(secrets, ".")
		if p := api.Components.Schemas[schema].Properties[property]; p.Format != "password" || !p.WriteOnly {
			t.Errorf("%s is not marked as a secret: %+v", secrets, p)
		}
	}
	for _, foreign := range []string{"$schema", "ErrorModel", "unpkg", "cdn"} {
		if strings.Contains(a.Body.String(), foreign) || strings.Contains(docs, foreign) {
			t.Errorf("the description holds %q", foreign)
		}
	}
	for _, bound := range []string{"From 1 to 200. 50 if left out.", "From 1 to 240.", "At most 200 characters.", "At most 50 of them."} {
		if !strings.Contains(docs, bound) {
			t.Errorf("/docs does not say %q", bound)
		}
	}
	if strings.Contains(docs, "<script") || strings.Contains(docs, " style=") {
		t.Error("/docs holds a script or an inline style")
	}
	w.call(t, "GET", "/docs/docs.css", "", "Authorization", "").want(200)
}
