package httpapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The page at /docs is made here from the API's description: the known
// viewers weigh megabytes and need inline styles or code made at run time,
// which a strict Content-Security-Policy refuses.

//go:embed docs/docs.html docs/docs.css
var docsFiles embed.FS

// docsPolicy lets the page load its style sheet and nothing else.
const docsPolicy = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type docsPage struct {
	Title, Version string
	Introduction   []string
	SignIn         string
	Groups         []docsGroup
	Problem        []docsField
}

type docsGroup struct {
	Name, Anchor, Description string
	Operations                []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description string
	Parameters, Body, Answer               []docsField
	Example                                string
	Status                                 string // of success
	Errors                                 []docsError
}

type docsField struct {
	Name, In, Type, Meaning string
	Required                bool
}

type docsError struct{ Status, Meaning string }

// docsHTML writes the page of the API's description.
func docsHTML(api *huma.OpenAPI) []byte {
	page, err := template.ParseFS(docsFiles, "docs/docs.html")
	var html bytes.Buffer
	if err == nil {
		err = page.Execute(&html, docsOf(api))
	}
	if err != nil {
		panic("httpapi: the documentation cannot be written: " + err.Error()) // embedded: a defect
	}
	return html.Bytes()
}

func docsStyle() []byte {
	css, err := docsFiles.ReadFile("docs/docs.css")
	if err != nil {
		panic("httpapi: " + err.Error()) // embedded: a defect
	}
	return css
}

func serveDocs(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Security-Policy", docsPolicy)
	_, _ = w.Write(body) // nobody is left to be told
}

func docsOf(api *huma.OpenAPI) docsPage {
	schemas := api.Components.Schemas
	page := docsPage{
		Title: api.Info.Title, Version: api.Info.Version, Introduction: strings.Split(api.Info.Description, "\n\n"),
		SignIn:  api.Components.SecuritySchemes["bearer"].Description,
		Problem: fieldsOf(schemas, schemas.Map()["Problem"], ""),
	}
	for _, tag := range api.Tags {
		group := docsGroup{Name: tag.Name, Anchor: strings.ToLower(tag.Name), Description: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(api.Paths)) {
			item := api.Paths[path]
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
				if op != nil && slices.Contains(op.Tags, tag.Name) {
					group.Operations = append(group.Operations, docsOfOperation(api, op))
				}
			}
		}
		page.Groups = append(page.Groups, group)
	}
	return page
}

func docsOfOperation(api *huma.OpenAPI, op *huma.Operation) docsOperation {
	schemas := api.Components.Schemas
	out := docsOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		out.Parameters = append(out.Parameters, docsField{Name: p.Name, In: p.In, Type: typeOf(schemas, p.Schema), Meaning: meaning(p.Schema)})
	}
	if op.RequestBody != nil {
		body := op.RequestBody.Content["application/json"]
		out.Body = fieldsOf(schemas, resolved(schemas, body.Schema), "")
		if body.Example != nil {
			// Maps of plain values, which always encode.
			text, _ := json.MarshalIndent(body.Example, "", "  ")
			out.Example = string(text)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		if name, ok := strings.CutPrefix(response.Ref, "#/components/responses/"); ok {
			out.Errors = append(out.Errors, docsError{Status: status, Meaning: api.Components.Responses[name].Description})
			continue
		}
		out.Status = status + " " + response.Description
		if answer := response.Content["application/json"]; answer != nil {
			out.Answer = fieldsOf(schemas, resolved(schemas, answer.Schema), "")
		} else if len(response.Content) > 0 {
			out.Status += ", " + strings.Join(slices.Sorted(maps.Keys(response.Content)), " or ")
		}
	}
	return out
}

// fieldsOf lists the fields of an object, those of its objects behind them.
func fieldsOf(schemas huma.Registry, s *huma.Schema, prefix string) []docsField {
	var out []docsField
	if s == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		field := docsField{Name: prefix + name, Type: typeOf(schemas, property), Meaning: meaning(property),
			Required: slices.Contains(s.Required, name)}
		out = append(out, field)

		inner, below := resolved(schemas, property), prefix+name+"."
		if inner.Type == huma.TypeArray {
			inner, below = resolved(schemas, inner.Items), prefix+name+"[]."
		}
		out = append(out, fieldsOf(schemas, inner, below)...)
	}
	return out
}

// resolved follows references, also that of a value that may be null.
func resolved(schemas huma.Registry, s *huma.Schema) *huma.Schema {
	for {
		switch {
		case s.Ref != "":
			s = schemas.SchemaFromRef(s.Ref)
		case len(s.AnyOf) == 2:
			s = s.AnyOf[0]
		default:
			return s
		}
	}
}

func typeOf(schemas huma.Registry, s *huma.Schema) string {
	null := ""
	if s.Nullable || len(s.AnyOf) == 2 {
		null = " or null"
	}
	s = resolved(schemas, s)
	switch {
	case s.Type == huma.TypeArray:
		return "list of " + typeOf(schemas, s.Items) + null
	case s.Type == huma.TypeObject && len(s.Properties) == 0:
		return "object of lists" + null
	case s.Format == "date-time":
		return "time" + null
	case s.Format == "date":
		return "date" + null
	case s.Format == "password":
		return "secret" + null
	default:
		return s.Type + null
	}
}

// meaning says what a value is for, and which values are possible.
func meaning(s *huma.Schema) string {
	values := s.Enum
	if s.Items != nil {
		values = append(slices.Clone(values), s.Items.Enum...)
	}
	sentences := []string{s.Description}
	if len(values) > 0 {
		var names []string
		for _, v := range values {
			names = append(names, fmt.Sprint(v))
		}
		sentences = append(sentences, "One of "+strings.Join(names, ", ")+".")
	}
	if s.Minimum != nil && s.Maximum != nil {
		sentences = append(sentences, fmt.Sprintf("From %v to %v.", *s.Minimum, *s.Maximum))
	}
	if s.MaxLength != nil {
		sentences = append(sentences, fmt.Sprintf("At most %d characters.", *s.MaxLength))
	}
	if s.MaxItems != nil {
		sentences = append(sentences, fmt.Sprintf("At most %d of them.", *s.MaxItems))
	}
	if s.Default != nil {
		sentences = append(sentences, fmt.Sprintf("%v if left out.", s.Default))
	}
	return strings.TrimSpace(strings.Join(sentences, " "))
}
