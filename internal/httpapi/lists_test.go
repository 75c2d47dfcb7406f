package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// emptyMeansNone are the lists of requests that may be empty, and what an empty
// one then means: no more than what a read thing says when it has none. All
// others are refused, since what is left out there means all, or what is stored.
var emptyMeansNone = map[string]string{
	"notify":              "no addresses of its own, as it is read; the next level's are told",
	"destinations[0].cc":  "nobody gets a copy",
	"destinations[0].bcc": "nobody gets a hidden copy",
	"content[0].filters":  "no filters, as it is read; an address that carries some is refused then",
}

// TestEmptyListsAreNotAbsentOnes sends each list of each request that the
// description has, empty and as null.
func TestEmptyListsAreNotAbsentOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connectionID, report := w.report(t)
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var document map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	of := schemas{at(at(document, "components"), "schemas")}
	lists, refused := 0, 0
	for path, methods := range at(document, "paths") {
		for method, operation := range methods.(map[string]any) {
			where := strings.NewReplacer("/reports/{id}", "/reports/"+report, "{id}", connectionID).Replace(path)
			for _, p := range anyList(operation.(map[string]any)["parameters"]) {
				if parameter := p.(map[string]any); at(parameter, "schema")["type"] == "array" {
					lists++
					a := w.call(t, strings.ToUpper(method), where+"?"+parameter["name"].(string)+"=", "").want(422)
					if got := a.trouble().fields(); !slices.Contains(got, parameter["name"].(string)) {
						t.Errorf("%s %s: an empty %s gives the fields %q", method, path, parameter["name"], got)
					}
				}
			}
			body := at(at(at(operation, "requestBody"), "content"), "application/json")
			for _, l := range of.lists(at(body, "schema")) {
				lists++
				for _, value := range []any{nil, l.empty} {
					text, err := json.Marshal(l.within(value))
					if err != nil {
						t.Fatal(err)
					}
					a := w.call(t, strings.ToUpper(method), where, string(text))
					_, none := emptyMeansNone[l.field]
					if value != nil && none {
						if a.Code == 422 && slices.Contains(a.trouble().fields(), l.field) {
							t.Errorf("%s %s %s: refused: %s", method, path, text, a.Body)
						}
						continue
					}
					refused++
					if a.want(422); !slices.Contains(a.trouble().fields(), l.field) {
						t.Errorf("%s %s %s: the answer does not name %s: %s", method, path, text, l.field, a.Body)
					}
				}
			}
		}
	}
	if lists < 15 || refused < 15 {
		t.Errorf("the description has %d lists of which %d are refused: the test does not see them", lists, refused)
	}
	if runs := w.call(t, "GET", "/v1/reports/"+report+"/runs", "").want(200).object()["runs"].([]any); len(runs) > 0 {
		t.Errorf("%d runs were started", len(runs))
	}
	w.call(t, "POST", "/v1/reports/"+report+"/runs", `null`).want(422)
}

func anyList(v any) []any {
	list, _ := v.([]any)
	return list
}

// schemas finds lists in the schemas of a description.
type schemas struct{ named map[string]any }

// list is one list, or object of free names, of a request.
type list struct {
	field  string          // its path in the request
	empty  any             // [] or {}
	within func(v any) any // the request with a value in its place
}

func (s schemas) lists(schema map[string]any) (found []list) {
	if ref, ok := schema["$ref"].(string); ok {
		return s.lists(at(any(s.named), ref[strings.LastIndex(ref, "/")+1:]))
	}
	if alternatives := anyList(schema["anyOf"]); len(alternatives) > 0 {
		return s.lists(alternatives[0].(map[string]any))
	}
	itself := func(v any) any { return v }
	switch {
	case schema["type"] == "array":
		found = append(found, list{empty: []any{}, within: itself})
		for _, l := range s.lists(at(schema, "items")) {
			found = append(found, list{field: "[0]" + dotted(l.field), empty: l.empty, within: func(v any) any { return []any{l.within(v)} }})
		}
	case at(schema, "additionalProperties") != nil && schema["properties"] == nil:
		found = append(found, list{empty: map[string]any{}, within: itself})
	case schema["type"] == "object":
		properties := at(schema, "properties")
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			for _, l := range s.lists(at(properties, name)) {
				found = append(found, list{field: name + dotted(l.field), empty: l.empty, within: func(v any) any {
					body := map[string]any{name: l.within(v)}
					for _, required := range anyList(schema["required"]) {
						r := fmt.Sprint(required)
						if examples := anyList(at(properties, r)["examples"]); r != name && len(examples) > 0 {
							body[r] = examples[0]
						}
					}
					return body
				}})
			}
		}
	}
	return found
}

// dotted is a path as it goes on behind a name.
func dotted(path string) string {
	if path == "" || path[0] == '[' {
		return path
	}
	return "." + path
}

func TestEmptyFiltersAreNotThoseOfTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connectionID, _ := w.report(t)
	const address = "https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview?Region=West"
	body := func(view, filters string) string {
		return `{"name":"N","connection_id":"` + connectionID + `","content":[{"view":"` + view + `","format":"png"` + filters + `}],
			"destinations":[{"type":"email","to":["a@example.com"]}]}`
	}
	if got := w.call(t, "POST", "/v1/reports", body(address, `,"filters":{}`)).want(422).trouble().fields(); !slices.Equal(got, []string{"content[0].filters"}) {
		t.Errorf("got the fields %q", got)
	}
	for name, test := range map[string]struct{ view, filters, want string }{
		"none":              {"Superstore/sheets/Overview", `,"filters":{}`, `{}`},
		"left out":          {address, ``, `{"Region":["West"]}`},
		"others than there": {address, `,"filters":{"Region":["East"]}`, `{"Region":["East"]}`},
	} {
		made := w.call(t, "POST", "/v1/reports", body(test.view, test.filters)).want(201).object()
		got, err := json.Marshal(made["content"].([]any)[0].(map[string]any)["filters"])
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %s (%v), want %s", name, got, err, test.want)
		}
	}
}
