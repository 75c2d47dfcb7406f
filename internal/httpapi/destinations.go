package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

type destinationJSON struct {
	ID        string    `json:"id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	Name      string    `json:"name" example:"#sales"`
	Type      string    `json:"type" enum:"slack" example:"slack"`
	State     string    `json:"state" enum:"untested,ok,broken" doc:"untested: nothing was sent to its address yet. ok: it accepted a message. broken: refused for good; not used again until it is edited or tested." example:"ok"`
	Problem   *string   `json:"problem" doc:"Why it is broken, for people; null when nothing is wrong."`
	Code      *string   `json:"problem_code" doc:"What to decide by in a program, such as secret_missing: the stored address does not exist any more and must be entered again. null when nothing is wrong or it is not known."`
	Version   int64     `json:"version" doc:"Counts edits by people; for If-Match." example:"1"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at" doc:"When people last edited it."`
}

type destinationListJSON struct {
	Destinations []destinationJSON `json:"destinations" nullable:"false"`
	NextCursor   *string           `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

type destinationCreateJSON struct {
	Name string     `json:"name" maxLength:"200" example:"#sales"`
	Type string     `json:"type" enum:"slack" example:"slack"`
	URL  secretText `json:"url" doc:"The incoming webhook's address as Slack shows it, https://hooks.slack.com/services/…. It is a secret: whoever has it can post."`
}

type destinationPatchJSON struct {
	Name optional[string]     `json:"name,omitempty" maxLength:"200"`
	URL  optional[secretText] `json:"url,omitempty" doc:"A new address; it repairs a broken destination."`
}

func destinationOut(d deliver.Destination) destinationJSON {
	out := destinationJSON{ID: d.ID, Name: d.Name, Type: d.Type, State: d.State, Version: d.Version,
		CreatedAt: d.CreatedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC()}
	if d.Problem != "" {
		out.Problem = &d.Problem
	}
	if d.ProblemCode != "" {
		out.Code = &d.ProblemCode
	}
	return out
}

func (a *api) registerDestinations() {
	const tag = tagDestinations

	register(a, operation{id: "list-destinations", method: http.MethodGet, path: "/v1/destinations", tag: tag, role: Viewer,
		summary: "List destinations", detail: "In the order in which they were made."},
		a.listDestinations)

	register(a, operation{id: "create-destination", method: http.MethodPost, path: "/v1/destinations", tag: tag, role: Editor,
		unsure:  mayBeSaved,
		status:  http.StatusCreated,
		example: map[string]any{"name": "#sales", "type": "slack", "url": "https://hooks.slack.com/services/…"},
		summary: "Keep a Slack webhook", detail: "Its address is stored as a secret and never shown again. Reports name the destination by its id."},
		a.createDestination)

	register(a, operation{id: "get-destination", method: http.MethodGet, path: "/v1/destinations/{id}", tag: tag, role: Viewer,
		summary: "Read a destination", detail: "Never its address."},
		a.getDestination)

	register(a, operation{id: "edit-destination", method: http.MethodPatch, path: "/v1/destinations/{id}", tag: tag, role: Editor,
		example: map[string]any{"name": "#sales-emea"},
		summary: "Edit a destination", detail: "What is left out stays. A new address repairs a broken destination."},
		a.editDestination)

	register(a, operation{id: "delete-destination", method: http.MethodDelete, path: "/v1/destinations/{id}", tag: tag, role: Editor,
		fails:   []int{http.StatusConflict},
		summary: "Delete a destination", detail: "Refused while reports use it (409, code in_use, which names them). Its address is removed."},
		a.deleteDestination)

	register(a, operation{id: "test-destination", method: http.MethodPost, path: "/v1/destinations/{id}/test", tag: tag, role: Editor,
		fails:   []int{http.StatusConflict, http.StatusServiceUnavailable},
		summary: "Send a test message", detail: "Success repairs a broken destination; a refusal for good (409) breaks it."},
		a.testDestination)
}

func (a *api) listDestinations(ctx context.Context, in *struct{ Paging }) (*plain[destinationListJSON], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, next, err := a.deps.Destinations.List(ctx, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := destinationListJSON{Destinations: []destinationJSON{}, NextCursor: cursor(next)}
	for _, d := range found {
		out.Destinations = append(out.Destinations, destinationOut(d))
	}
	return &plain[destinationListJSON]{out}, nil
}

func (a *api) createDestination(ctx context.Context, in *struct {
	Idempotent
	Body destinationCreateJSON
}) (*made[destinationJSON], error) {
	d, err := create(ctx, a, "destination", in.Idempotent, in.Body,
		func(id string) (deliver.Destination, error) {
			return a.deps.Destinations.Create(ctx, id, in.Body.Name, in.Body.Type, in.Body.URL.Text)
		},
		func(id string) (deliver.Destination, error) { return a.deps.Destinations.Get(ctx, id) })
	if err != nil {
		return nil, err
	}
	return &made[destinationJSON]{ETag: etag(d.Version), Location: "/v1/destinations/" + d.ID, Body: destinationOut(d)}, nil
}

func (a *api) getDestination(ctx context.Context, in *struct{ ByID }) (*one[destinationJSON], error) {
	d, err := a.deps.Destinations.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &one[destinationJSON]{ETag: etag(d.Version), Body: destinationOut(d)}, nil
}

func (a *api) editDestination(ctx context.Context, in *struct {
	ByVersion
	Body destinationPatchJSON
}) (*one[destinationJSON], error) {
	var wrong problem.Fields
	edit := deliver.DestinationEdit{Name: in.Body.Name.pointer("name", &wrong)}
	if address := in.Body.URL.pointer("url", &wrong); address != nil {
		edit.URL = &address.Text
	}
	err := wrong.Err()
	if err != nil {
		return nil, err
	}
	if edit.IfVersion, err = in.version(); err != nil {
		return nil, err
	}
	d, err := a.deps.Destinations.Edit(ctx, in.ID, edit)
	if err != nil {
		return nil, err
	}
	return &one[destinationJSON]{ETag: etag(d.Version), Body: destinationOut(d)}, nil
}

func (a *api) deleteDestination(ctx context.Context, in *struct{ ByVersion }) (*struct{}, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	err = a.deps.Destinations.Delete(ctx, in.ID, version)
	if problem.HasCode(err, problem.CodeInUse) {
		err = a.namingUsesOfDestination(ctx, in.ID, err)
	}
	return nil, err
}

// maxUsesRead is how many reports are read in search of those that use a
// destination.
const maxUsesRead = 2000

// namingUsesOfDestination adds to a refusal the reports that use a destination.
// No index leads to them, so they are looked for among the oldest reports;
// where there are more than that, they are not counted.
func (a *api) namingUsesOfDestination(ctx context.Context, id string, refusal error) error {
	used := &usedError{err: refusal}
	after, count := "", 0
	for range maxUsesRead / maxLimit {
		reports, next, err := a.deps.Reports.List(ctx, "", after, maxLimit)
		if err != nil {
			return err
		}
		for _, r := range reports {
			if slices.ContainsFunc(r.Destinations, func(d report.Destination) bool { return d.DestinationID == id }) {
				used.name(r)
				count++
			}
		}
		if next == "" {
			used.count = count
			break
		}
		after = next
	}
	return used
}

func (a *api) testDestination(ctx context.Context, in *struct{ ByID }) (*one[destinationJSON], error) {
	d, err := a.deps.Destinations.Test(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &one[destinationJSON]{ETag: etag(d.Version), Body: destinationOut(d)}, nil
}
