package httpapi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/problem"
)

// A write whose outcome is not known says that it may have been made; one that
// was refused, and one that only reads, does not.
func TestAnAnswerThatLeavesAWriteOpenSaysSo(t *testing.T) {
	t.Parallel()
	unsure := problem.New(problem.Unavailable, problem.CodeUnavailable, "The database is busy.")
	unsure.Unsure = true
	refused := problem.New(problem.Unavailable, problem.CodeUnavailable, "There is no room.")
	const create = `{"name":"a","server_url":"https://t.example.com","auth":{"method":"username_password","username":"u","password":"p"}}`
	for name, test := range map[string]struct {
		method, path, body string
		err                error
		status             int
		want               string // "": nothing of the kind
	}{
		"a new one, inside":    {"POST", "/v1/connections", create, errors.New("reset"), 500, "It may have been saved. Reload"},
		"a new one, busy":      {"POST", "/v1/connections", create, unsure, 503, "It may have been saved. Reload"},
		"a new one, refused":   {"POST", "/v1/connections", create, refused, 503, ""},
		"an edit, inside":      {"PATCH", "/v1/connections/x", `{"name":"b"}`, errors.New("reset"), 500, "It may have been saved. Reload"},
		"an edit, busy":        {"PATCH", "/v1/connections/x", `{"name":"b"}`, unsure, 503, "It may have been saved. Reload"},
		"a deletion, inside":   {"DELETE", "/v1/connections/x", "", errors.New("reset"), 500, "It may have been deleted. Reload"},
		"what only reads":      {"GET", "/v1/connections/x/views", "", errors.New("reset"), 500, ""},
		"what only reads here": {"GET", "/v1/connections/x/views", "", unsure, 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connections.fail, w.connections.storing = test.err, test.err
			got := w.send(t, test.method, test.path, test.body).want(test.status).trouble().Detail
			if says := strings.Contains(got, "It may have been"); says != (test.want != "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want it to say %q", got, test.want)
			}
		})
	}
}
