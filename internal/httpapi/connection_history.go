package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/run"
)

type eventJSON struct {
	ID      string            `json:"id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	At      time.Time         `json:"at"`
	By      actorJSON         `json:"by" doc:"Who did it."`
	Action  connection.Action `json:"action" enum:"created,edited,credential_changed,tested,broke,mended,runs_released,kept_alive,warned,deleted" example:"credential_changed"`
	Summary string            `json:"summary" doc:"What happened, in a sentence."`
	Changes []changeJSON      `json:"changes" nullable:"false" doc:"Of an edit: the fields that it changed."`
	Runs    []releasedRunJSON `json:"runs" nullable:"false" doc:"Of runs_released: the runs that were held, at most 100, with what has become of them by now."`
}

type actorJSON struct {
	Type string `json:"type" enum:"person,vizpost" doc:"vizpost for what it does by itself." example:"person"`
	Name string `json:"name" example:"ana@example.com"`
}

type changeJSON struct {
	Field string `json:"field" example:"auth.token_name"`
	From  string `json:"from" doc:"Empty where there was nothing, and for a secret."`
	To    string `json:"to" doc:"For a secret, that it was replaced."`
}

type releasedRunJSON struct {
	ID           string              `json:"id"`
	ReportID     string              `json:"report_id"`
	ReportName   string              `json:"report_name" example:"Morning numbers"`
	ScheduledFor time.Time           `json:"scheduled_for"`
	State        nullable[run.State] `json:"state" doc:"As it is now; null when the run is not kept any more."`
	StandsFor    int                 `json:"stands_for" doc:"Occurrences that it stands for, itself among them." example:"1"`
}

type eventListJSON struct {
	Events     []eventJSON `json:"events" nullable:"false"`
	NextCursor *string     `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

func (a *api) registerHistory() {
	register(a, operation{id: "list-connection-events", method: http.MethodGet, path: "/v1/connections/{id}/history", tag: tagConnections, role: Viewer,
		summary: "Read a connection's history",
		detail: "Who changed what and when, and what happened to the connection, the newest first; without secrets. Also of a connection that was deleted. " +
			"The newest 500 changes by people and the newest 200 other events are kept, for two years."},
		a.listConnectionEvents)
}

func (a *api) listConnectionEvents(ctx context.Context, in *struct {
	ByID
	Paging
}) (*plain[eventListJSON], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	events, next, err := a.deps.Connections.History(ctx, in.ID, after, in.Limit)
	if err != nil {
		return nil, err
	}
	runs, err := a.releasedRuns(ctx, events)
	if err != nil {
		return nil, err
	}
	out := eventListJSON{Events: []eventJSON{}, NextCursor: cursor(next)}
	for _, e := range events {
		out.Events = append(out.Events, eventOut(e, runs))
	}
	return &plain[eventListJSON]{out}, nil
}

// releasedRuns reads the runs that events tell of, by id.
func (a *api) releasedRuns(ctx context.Context, events []connection.Event) (map[string]run.Run, error) {
	var ids []string
	for _, e := range events {
		for _, r := range e.Runs {
			ids = append(ids, r.ID)
		}
	}
	found := map[string]run.Run{}
	if len(ids) == 0 {
		return found, nil
	}
	runs, err := a.deps.Runs.Some(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		found[r.ID] = r
	}
	return found, nil
}

func eventOut(e connection.Event, runs map[string]run.Run) eventJSON {
	out := eventJSON{ID: e.ID, At: e.At.UTC(), By: actorJSON{Type: "person", Name: e.Person}, Action: e.Action, Summary: e.Summary,
		Changes: []changeJSON{}, Runs: []releasedRunJSON{}}
	if e.Person == "" {
		out.By = actorJSON{Type: "vizpost", Name: "vizpost"}
	}
	for _, c := range e.Changes {
		out.Changes = append(out.Changes, changeJSON(c))
	}
	for _, held := range e.Runs {
		released := releasedRunJSON{ID: held.ID, ReportID: held.ReportID, ReportName: held.ReportName,
			ScheduledFor: held.ScheduledFor.UTC(), StandsFor: held.StandsFor}
		if r, ok := runs[held.ID]; ok {
			released.State.value, released.StandsFor = &r.State, r.StandsFor
		}
		out.Runs = append(out.Runs, released)
	}
	return out
}
