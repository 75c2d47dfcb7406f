package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

const introduction = `vizpost exports views of a Tableau site on a schedule and delivers them by email and Slack.

A connection is a Tableau site with a credential. A report says what to export, when, and to whom. A run is one occurrence of a report, with its files and deliveries. A destination is a Slack webhook that several reports may use.

Requests and answers are JSON. Times are in UTC (RFC 3339). Secrets are written and never read back. Lists come in pages: send next_cursor of one answer as cursor of the next request. Every error is a problem (RFC 9457) whose code says in a stable way what went wrong; where fields of the request are at fault, errors names them all.`

const templateHelp = "Subject, body, text and file name are templates: plain text with {{ expressions }}, such as {{ report.name }} or {{ date(run.scheduled_for, \"%d %B %Y\") }}."

const exampleID = "01K8ZK3V9T0R6M8Q2C4X5N7B1D"

// The groups of operations.
const (
	tagConnections  = "Connections"
	tagReports      = "Reports"
	tagRuns         = "Runs"
	tagDestinations = "Destinations"
	tagSchedules    = "Schedules"
	tagNotices      = "Notices"
	tagOutbox       = "Outbox"
	tagMe           = "Sign-in"
	tagHealth       = "Health"
)

func tags(outbox bool) []*huma.Tag {
	all := []*huma.Tag{
		{Name: tagConnections, Description: "Tableau sites, each with its credential."},
		{Name: tagReports, Description: "What is exported, when, and to whom."},
		{Name: tagRuns, Description: "Occurrences of reports, with their files and deliveries."},
		{Name: tagDestinations, Description: "Slack webhooks, kept with their secret address."},
		{Name: tagNotices, Description: "What people are still to be told."},
		{Name: tagSchedules, Description: "When a cron expression would run."},
	}
	if outbox {
		all = append(all, &huma.Tag{Name: tagOutbox, Description: "Mails that were written to a folder, since no mail server is configured."})
	}
	return append(all, &huma.Tag{Name: tagMe, Description: "Who calls."},
		&huma.Tag{Name: tagHealth, Description: "Whether vizpost answers."})
}

// failureTexts say what an error status means, for the documentation.
var failureTexts = map[int]string{
	http.StatusBadRequest:            "The request cannot be read.",
	http.StatusUnauthorized:          "Not signed in to vizpost.",
	http.StatusForbidden:             "The caller's role does not allow this.",
	http.StatusNotFound:              "There is no such thing.",
	http.StatusConflict:              "The request does not fit what is stored; the code says how.",
	http.StatusPreconditionFailed:    "The version in If-Match is no longer the current one.",
	http.StatusRequestEntityTooLarge: "The body is over 1 MB.",
	http.StatusUnsupportedMediaType:  "The body is not JSON.",
	http.StatusUnprocessableEntity:   "Fields cannot be used; errors names all of them. A credential that Tableau refuses has the code credentials_rejected.",
	http.StatusTooManyRequests:       "To be tried again later.",
	http.StatusInternalServerError:   "A failure of vizpost itself; the log has the details under request_id.",
	http.StatusServiceUnavailable:    "A part that vizpost needs does not answer; try again.",
	http.StatusGatewayTimeout:        "Tableau did not answer in time, and nothing was changed (code tableau_timeout).",
}

type healthJSON struct {
	Status string `json:"status" enum:"ok,trouble" doc:"/v1/health says what is wrong." example:"ok"`
}

// healthOutput is an answer whose status says whether vizpost can do its work.
type healthOutput struct {
	Status int
	Body   healthJSON
}

type liveJSON struct {
	Status string `json:"status" enum:"ok" example:"ok"`
}

func (a *api) registerHealth() {
	register(a, operation{id: "health", method: http.MethodGet, path: "/healthz", tag: tagHealth, troubled: healthJSON{},
		summary: "Say whether vizpost can do its work",
		detail:  "200 with the status ok, or 503 with the status trouble; what is wrong is told to those who sign in. Needs no sign-in. What decides whether to restart vizpost or to send it requests asks /livez instead: neither makes room on a disk."},
		a.health)
	register(a, operation{id: "live", method: http.MethodGet, path: "/livez", tag: tagHealth,
		summary: "Say that vizpost answers", detail: "Always 200. Needs no sign-in."},
		a.live)
}

func (a *api) health(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	out := &healthOutput{Status: http.StatusOK, Body: healthJSON{Status: "ok"}}
	if len(a.troubles(ctx)) > 0 {
		out.Status, out.Body.Status = http.StatusServiceUnavailable, "trouble"
	}
	return out, nil
}

func (a *api) live(context.Context, *struct{}) (*plain[liveJSON], error) {
	return &plain[liveJSON]{liveJSON{Status: "ok"}}, nil
}

// publish serves the description of the API and its readable page. Both are
// made when they are first asked for: that takes longer than all else at the
// start of a function that is rarely asked. They are made from operations
// registered anew, since those that serve have lost what huma must not check.
func publish(routes *http.ServeMux, deps Deps) {
	description := sync.OnceValue(func() described {
		a, _ := registered(deps)
		api := a.huma.OpenAPI()
		// huma's own form of errors, which no answer has.
		delete(api.Components.Schemas.Map(), "ErrorModel")
		delete(api.Components.Schemas.Map(), "ErrorDetail")
		encoded, err := json.MarshalIndent(api, "", "  ")
		if err != nil {
			panic("httpapi: the description of the API cannot be encoded: " + err.Error()) // plain data: a defect
		}
		return described{openAPI: encoded, docs: docsHTML(api)}
	})
	routes.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(description().openAPI) // nobody is left to be told
	})
	routes.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		serveDocs(w, "text/html; charset=utf-8", description().docs)
	})
	css := docsStyle()
	routes.HandleFunc("GET /docs/docs.css", func(w http.ResponseWriter, _ *http.Request) {
		serveDocs(w, "text/css; charset=utf-8", css)
	})
}

// described is the API's description in its two forms.
type described struct{ openAPI, docs []byte }
