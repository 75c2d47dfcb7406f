package report

import (
	"context"
	"slices"
)

// Edit says what to change about a report; what is nil stays as it is. Lists
// are replaced as a whole.
type Edit struct {
	Name         *string
	ConnectionID *string
	Enabled      *bool
	Content      *[]Content
	Schedule     *ScheduleEdit
	NoSchedule   bool // takes the schedule away; Schedule is nil then
	Destinations *[]Destination
	Notify       *[]string

	IfVersion int64 // the version that the edit was made from; 0: any
}

// ScheduleEdit says what to change about a schedule; what is nil stays as it
// is, or is empty for a report that had no schedule.
type ScheduleEdit struct {
	Cron     *string
	TimeZone *string
	StartsOn *Date // the zero Date takes it away
	EndsOn   *Date // the zero Date takes it away
	CatchUp  *CatchUp
}

// Apply gives a schedule with the changes made. Nothing is checked.
func (e ScheduleEdit) Apply(s Schedule) Schedule {
	if e.Cron != nil {
		s.Cron = *e.Cron
	}
	if e.TimeZone != nil {
		s.TimeZone = *e.TimeZone
	}
	if e.CatchUp != nil {
		s.CatchUp = *e.CatchUp
	}
	for _, date := range []struct {
		from *Date
		to   **Date
	}{{e.StartsOn, &s.StartsOn}, {e.EndsOn, &s.EndsOn}} {
		switch {
		case date.from == nil:
		case *date.from == Date{}:
			*date.to = nil
		default:
			day := *date.from
			*date.to = &day
		}
	}
	return s
}

// apply makes an edit's changes to a report and checks the parts that it
// changes.
func (c *checker) apply(ctx context.Context, r *Report, e Edit) error {
	c.wrong, c.failed = nil, nil
	before := r.Content
	if e.ConnectionID != nil && *e.ConnectionID != r.ConnectionID {
		before = nil // what another user sees
	}
	if e.Name != nil {
		r.Name = *e.Name
		c.name(r)
	}
	if e.Enabled != nil {
		r.Enabled = *e.Enabled
	}
	if e.ConnectionID != nil {
		r.ConnectionID = *e.ConnectionID
	}
	if e.Content != nil {
		r.Content = CloneContent(*e.Content)
		skipIfEmpty(r.Content)
	}
	if e.Content != nil || e.ConnectionID != nil {
		if err := c.content(ctx, r); err != nil {
			return err
		}
	}
	switch {
	case e.NoSchedule:
		r.Schedule = nil
	case e.Schedule != nil:
		var before Schedule
		if r.Schedule != nil {
			before = *r.Schedule
		}
		schedule := e.Schedule.Apply(before)
		r.Schedule = &schedule
		c.schedule(r)
	}
	if e.Destinations != nil {
		r.Destinations = CloneDestinations(*e.Destinations)
		if err := c.destinations(ctx, r); err != nil {
			return err
		}
	}
	if e.Notify != nil {
		r.Notify = slices.Clone(*e.Notify)
		c.notify(r)
	}
	if err := c.err(); err != nil {
		return err
	}
	r.Warnings = nil
	if e.Content != nil || e.ConnectionID != nil {
		if err := c.filters(ctx, r, before); err != nil {
			return err
		}
	}
	if e.Content != nil || e.Destinations != nil {
		warnOfUnverified(r)
	}
	return nil
}
