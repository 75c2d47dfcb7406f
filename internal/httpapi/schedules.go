package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

const (
	previewDefault = 5
	previewMost    = 50
)

type previewInputJSON struct {
	Cron     string                     `json:"cron" doc:"As in a report's schedule." example:"0 9 * * MON-FRI"`
	TimeZone string                     `json:"time_zone" doc:"IANA name." example:"Europe/Berlin"`
	StartsOn optional[nullable[string]] `json:"starts_on,omitempty" doc:"First day in the time zone; null: at once."`
	EndsOn   optional[nullable[string]] `json:"ends_on,omitempty" doc:"Last day in the time zone; null: never."`
	CatchUp  report.CatchUp             `json:"catch_up,omitempty" enum:"latest,all,none" doc:"Changes nothing here."`
	Count    optional[int]              `json:"count,omitempty" minimum:"1" maximum:"50" doc:"How many occurrences to give; 5 if left out." example:"5"`
}

type previewJSON struct {
	Description string      `json:"description" doc:"The schedule in words." example:"every weekday at 09:00 (Europe/Berlin)"`
	Occurrences []time.Time `json:"occurrences" nullable:"false" doc:"The next ones, in UTC; fewer than asked for when there are no more."`
}

func (in previewInputJSON) schedule() (report.Schedule, int, error) {
	var wrong problem.Fields
	s := report.ScheduleEdit{
		Cron: &in.Cron, TimeZone: &in.TimeZone, CatchUp: &in.CatchUp,
		StartsOn: dateIn(in.StartsOn, "starts_on", &wrong), EndsOn: dateIn(in.EndsOn, "ends_on", &wrong),
	}.Apply(report.Schedule{})
	count := previewDefault
	if in.Count.given && !in.Count.null {
		count = in.Count.value
	}
	if count < 1 || count > previewMost {
		wrong.Add("count", "Give a whole number from 1 to %d.", previewMost)
	}
	return s, count, wrong.Err()
}

func (a *api) registerSchedules() {
	register(a, operation{id: "preview-schedule", method: http.MethodPost, path: "/v1/schedules/preview", tag: tagSchedules, role: Viewer,
		example: map[string]any{"cron": "0 9 * * MON-FRI", "time_zone": "Europe/Berlin"},
		summary: "See when a schedule would run",
		detail:  "Gives the next occurrences and the schedule in words. Where the hour field begins with *, the schedule follows real elapsed time; otherwise the clock: a time that does not exist runs at the first instant after the gap, one that repeats runs once."},
		a.previewSchedule)
}

func (a *api) previewSchedule(_ context.Context, in *struct{ Body previewInputJSON }) (*plain[previewJSON], error) {
	s, count, err := in.Body.schedule()
	if err != nil {
		return nil, err
	}
	now := a.deps.Now()
	if err := s.Validate(now); err != nil {
		return nil, err
	}
	out := previewJSON{Description: s.Describe(), Occurrences: []time.Time{}}
	for at, ok := s.Next(now); ok && len(out.Occurrences) < count; at, ok = s.Next(at) {
		out.Occurrences = append(out.Occurrences, at.UTC())
	}
	return &plain[previewJSON]{out}, nil
}
