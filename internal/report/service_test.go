package report_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/tableau"
)

func TestCreateCompletes(t *testing.T) {
	t.Parallel()
	o := newOffice()
	in := morning()
	in.Name = "  Morning numbers "
	in.Content = []report.Content{
		{View: " https://t.example.com/#/site/acme/views/Superstore/Overview?Region=West,East&:iid=1 ", Format: tableau.PDF, PDF: tableau.PDFOptions{PageSize: "A4", Orientation: "Landscape"}},
		{View: "https://t.example.com/#/site/acme/views/Superstore/Overview?Region=West", Filters: map[string][]string{"Region": {"South"}}, Format: tableau.CSV, MaxAgeMinutes: 30},
		{View: "https://t.example.com/t/acme/views/Superstore/Product.png"},
	}
	in.Destinations = []report.Destination{
		{Type: report.Email, To: []string{"Ana <ana@Example.com>", "ana@example.com", "b@example.com"}},
		{Type: report.Email, To: []string{"c@example.com"}, Cc: []string{"d@example.com"}, Together: true, Subject: "{{ report.name }}"},
		{Type: report.Slack, DestinationID: "HOOK"},
		{ID: "email-2", Type: report.Email, To: []string{"e@example.com"}},
	}
	in.Notify = []string{"Owner@example.com", "owner@example.com"}

	got, err := o.Create(t.Context(), "R1", in)
	if err != nil {
		t.Fatal(err)
	}
	want := report.Report{
		ID: "R1", Name: "Morning numbers", ConnectionID: "C1", Enabled: true,
		Content: []report.Content{
			{View: "Superstore/sheets/Overview", ViewID: "luid-Overview", ViewName: "Overview", WorkbookName: "Superstore", Format: tableau.PDF,
				Filters: map[string][]string{"Region": {"West", "East"}}, PDF: tableau.PDFOptions{PageSize: "a4", Orientation: "landscape"}, MaxAgeMinutes: 1, IfEmpty: report.SkipEmpty},
			{View: "Superstore/sheets/Overview", ViewID: "luid-Overview", ViewName: "Overview", WorkbookName: "Superstore", Format: tableau.CSV,
				Filters: map[string][]string{"Region": {"South"}}, MaxAgeMinutes: 30, IfEmpty: report.SkipEmpty},
			{View: "Superstore/sheets/Product", ViewID: "luid-Product", ViewName: "Product", WorkbookName: "Superstore", Format: tableau.PNG, MaxAgeMinutes: 1, IfEmpty: report.SkipEmpty},
		},
		Schedule: &report.Schedule{Cron: "0 9 * * MON-FRI", TimeZone: "Europe/Berlin", CatchUp: report.CatchUpLatest},
		Destinations: []report.Destination{
			{ID: "email", Type: report.Email, To: []string{"ana@example.com", "b@example.com"}},
			{ID: "email-3", Type: report.Email, To: []string{"c@example.com"}, Cc: []string{"d@example.com"}, Together: true, Subject: "{{ report.name }}"},
			{ID: "slack", Type: report.Slack, DestinationID: "HOOK"},
			{ID: "email-2", Type: report.Email, To: []string{"e@example.com"}},
		},
		Notify:    []string{"Owner@example.com"},
		NextRunAt: time.Date(2026, time.November, 24, 8, 0, 0, 0, time.UTC), // 9:00 in Berlin
		Version:   1, Rev: 1, CreatedAt: o.clock, UpdatedAt: o.clock,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the report (-want +got):\n%s", diff)
	}
	stored, err := o.Get(t.Context(), "R1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, stored); diff != "" {
		t.Errorf("the stored report (-returned +stored):\n%s", diff)
	}
	if _, err := o.Create(t.Context(), "R1", morning()); !problem.Is(err, problem.Stale) {
		t.Errorf("the same id again: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	many := func(n int, each func(int) string) []string {
		var out []string
		for i := range n {
			out = append(out, each(i))
		}
		return out
	}
	address := func(i int) string { return fmt.Sprintf("a%d@example.com", i) }
	tests := []struct {
		name   string
		change func(*report.Report)
		want   []string
	}{
		{"no name", func(r *report.Report) { r.Name = "  " }, []string{"name"}},
		{"long name", func(r *report.Report) { r.Name = strings.Repeat("ü", 201) }, []string{"name"}},
		{"name with a line break", func(r *report.Report) { r.Name = "a\nb" }, []string{"name"}},
		{"no connection", func(r *report.Report) { r.ConnectionID = "" }, []string{"connection_id"}},
		{"connection that is gone", func(r *report.Report) {
			r.ConnectionID = "GONE"
			r.Content = append(r.Content, report.Content{View: "Superstore/sheets/Product", Format: tableau.PNG})
		}, []string{"connection_id"}},
		{"no content", func(r *report.Report) { r.Content = nil }, []string{"content"}},
		{"too much content", func(r *report.Report) { r.Content = slices.Repeat(r.Content, 21) }, []string{"content"}},
		{"no view", func(r *report.Report) { r.Content[0].View = "" }, []string{"content[0].view"}},
		{"view that does not exist", func(r *report.Report) { r.Content[0].View = "Other/sheets/Overview" }, []string{"content[0].view"}},
		{"address that is no view", func(r *report.Report) { r.Content[0].View = "https://t.example.com/#/site/acme/home" }, []string{"content[0].view"}},
		{"no format", func(r *report.Report) { r.Content[0].Format = "" }, []string{"content[0].format"}},
		{"unknown format", func(r *report.Report) { r.Content[0].Format = "gif" }, []string{"content[0].format"}},
		{"filter without values", func(r *report.Report) { r.Content[0].Filters = map[string][]string{"Region": nil} }, []string{"content[0].filters"}},
		{"unknown page size", func(r *report.Report) { r.Content[0].PDF.PageSize = "a9" }, []string{"content[0].pdf.page_size"}},
		{"unknown orientation", func(r *report.Report) { r.Content[0].PDF.Orientation = "up" }, []string{"content[0].pdf.orientation"}},
		{"page size of a picture", func(r *report.Report) { r.Content[0].Format = tableau.PNG; r.Content[0].PDF.PageSize = "a4" }, []string{"content[0].pdf"}},
		{"width alone", func(r *report.Report) { r.Content[0].Image.Width = 100 }, []string{"content[0].image"}},
		{"size of a table", func(r *report.Report) {
			r.Content[0].Format = tableau.CSV
			r.Content[0].Image = tableau.ImageOptions{Width: 100, Height: 100}
		}, []string{"content[0].image"}},
		{"high resolution of a PDF", func(r *report.Report) { r.Content[0].Image.HighResolution = true }, []string{"content[0].image.high_resolution"}},
		{"old data", func(r *report.Report) { r.Content[0].MaxAgeMinutes = 241 }, []string{"content[0].max_age_minutes"}},
		{"data from the future", func(r *report.Report) { r.Content[0].MaxAgeMinutes = -1 }, []string{"content[0].max_age_minutes"}},
		{"file name with an unknown name", func(r *report.Report) { r.Content[0].FileName = "{{ nobody }}" }, []string{"content[0].file_name"}},
		{"file name with a path", func(r *report.Report) { r.Content[0].FileName = "../../{{ view }}" }, []string{"content[0].file_name"}},
		{"file name with a Windows path", func(r *report.Report) { r.Content[0].FileName = `{{ view }}\x` }, []string{"content[0].file_name"}},
		{"file name with a line break", func(r *report.Report) { r.Content[0].FileName = "a\r\nb" }, []string{"content[0].file_name"}},
		{"long file name", func(r *report.Report) { r.Content[0].FileName = strings.Repeat("a", 301) }, []string{"content[0].file_name"}},
		{"schedule", func(r *report.Report) {
			r.Schedule = &report.Schedule{Cron: "0 9 * *", TimeZone: "Nowhere", CatchUp: "some"}
		}, []string{"schedule.catch_up", "schedule.cron", "schedule.time_zone"}},
		{"schedule that never fires", func(r *report.Report) { r.Schedule.Cron = "0 9 31 2 *" }, []string{"schedule.cron"}},
		{"no destination", func(r *report.Report) { r.Destinations = nil }, []string{"destinations"}},
		{"too many destinations", func(r *report.Report) { r.Destinations = slices.Repeat(r.Destinations, 51) }, []string{"destinations"}},
		{"destination of no type", func(r *report.Report) { r.Destinations[0].Type = "" }, []string{"destinations[0].type"}},
		{"wrong ids", func(r *report.Report) {
			r.Destinations = slices.Repeat(r.Destinations, 5)
			for i, id := range []string{"mail", "mail", "Mail", "-mail", strings.Repeat("a", 33)} {
				r.Destinations[i].ID = id
			}
		}, []string{"destinations[1].id", "destinations[2].id", "destinations[3].id", "destinations[4].id"}},
		{"no recipient", func(r *report.Report) { r.Destinations[0].To = nil }, []string{"destinations[0].to"}},
		{"wrong recipients", func(r *report.Report) {
			r.Destinations[0].To = []string{"a@example.com", "nobody", "a@b\r\nBcc: x@example.com", "b@example.com, c@example.com"}
		}, []string{"destinations[0].to[1]", "destinations[0].to[2]", "destinations[0].to[3]"}},
		{"too many recipients", func(r *report.Report) { r.Destinations[0].To = many(501, address) }, []string{"destinations[0].to"}},
		{"copies alone", func(r *report.Report) {
			r.Destinations[0].Cc, r.Destinations[0].Bcc = []string{"b@example.com"}, []string{"c@example.com"}
		}, []string{"destinations[0].bcc", "destinations[0].cc"}},
		{"together with nobody", func(r *report.Report) { r.Destinations[0].To, r.Destinations[0].Together = nil, true }, []string{"destinations[0].to"}},
		{"subject with a line break", func(r *report.Report) { r.Destinations[0].Subject = "a\r\nBcc: x@example.com" }, []string{"destinations[0].subject"}},
		{"long subject", func(r *report.Report) { r.Destinations[0].Subject = strings.Repeat("a", 501) }, []string{"destinations[0].subject"}},
		{"broken templates", func(r *report.Report) { r.Destinations[0].Subject, r.Destinations[0].Body = "{{", "{{ 1 +" },
			[]string{"destinations[0].body", "destinations[0].subject"}},
		{"fields of Slack in an email", func(r *report.Report) { r.Destinations[0].DestinationID, r.Destinations[0].Text = "HOOK", "x" },
			[]string{"destinations[0].destination_id", "destinations[0].text"}},
		{"fields of an email in Slack", func(r *report.Report) {
			r.Destinations[0] = report.Destination{Type: report.Slack, DestinationID: "HOOK", To: []string{"a@example.com"}, Cc: []string{"a@example.com"},
				Bcc: []string{"a@example.com"}, Together: true, Subject: "x", Body: "x"}
		}, []string{"destinations[0].bcc", "destinations[0].body", "destinations[0].cc", "destinations[0].subject", "destinations[0].to", "destinations[0].together"}},
		{"Slack without a destination", func(r *report.Report) { r.Destinations[0] = report.Destination{Type: report.Slack, Text: "{{"} },
			[]string{"destinations[0].destination_id", "destinations[0].text"}},
		{"destination that is gone", func(r *report.Report) {
			r.Destinations[0] = report.Destination{Type: report.Slack, DestinationID: "X"}
		}, []string{"destinations[0].destination_id"}},
		{"destination of another type", func(r *report.Report) {
			r.Destinations[0] = report.Destination{Type: report.Slack, DestinationID: "FTP"}
		}, []string{"destinations[0].destination_id"}},
		{"wrong people to tell", func(r *report.Report) { r.Notify = []string{"a@example.com", "x"} }, []string{"notify[1]"}},
		{"too many people to tell", func(r *report.Report) { r.Notify = many(21, address) }, []string{"notify"}},
		{"all at once", func(r *report.Report) {
			r.Name, r.Content[0].View, r.Schedule.Cron, r.Destinations[0].To[0], r.Notify = "", "x/y/z/nope", "", "x", []string{"x"}
		}, []string{"content[0].view", "destinations[0].to[0]", "name", "notify[0]", "schedule.cron"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice()
			in := morning()
			test.change(&in)
			_, err := o.Create(t.Context(), "R1", in)
			if diff := cmp.Diff(test.want, fieldsOf(t, err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if len(o.store.rows) != 0 {
				t.Error("it was stored all the same")
			}
		})
	}
}

func TestLimitsAreInclusive(t *testing.T) {
	t.Parallel()
	in := morning()
	in.Name = strings.Repeat("ü", 200)
	in.Content = slices.Repeat(in.Content, 20)
	in.Content[0].MaxAgeMinutes = 240
	in.Destinations = slices.Repeat(in.Destinations, 50)
	in.Destinations[0].To = nil
	for i := range 500 {
		in.Destinations[0].To = append(in.Destinations[0].To, fmt.Sprintf("a%d@example.com", i))
	}
	for i := range 20 {
		in.Notify = append(in.Notify, fmt.Sprintf("a%d@example.com", i))
	}
	o := newOffice()
	if _, err := o.Create(t.Context(), "R1", in); err != nil {
		t.Fatal(err)
	}
	if o.views.asked != 1 {
		t.Errorf("Tableau was asked %d times for one view", o.views.asked)
	}
}

func TestWhatTableauCannotTell(t *testing.T) {
	t.Parallel()
	unreachable := &tableau.Error{Op: "find view", Cause: tableau.Unreachable}
	for _, test := range []struct {
		name string
		fail error
		want problem.Kind
		code string
	}{
		{"unreachable", unreachable, problem.Internal, ""},
		{"slow", problem.New(problem.Timeout, problem.CodeTableauTimeout, "m"), problem.Timeout, problem.CodeTableauTimeout},
		{"rejected credential", problem.New(problem.Invalid, problem.CodeCredentialsRejected, "m"), problem.Conflict, problem.CodeCredentialsRejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice()
			o.views.fail = test.fail
			_, err := o.Create(t.Context(), "R1", morning())
			p, _ := problem.From(err)
			if p.Kind != test.want || test.code != "" && p.Code != test.code || !errors.Is(err, test.fail) {
				t.Errorf("the error is %v of kind %v", err, p.Kind)
			}
			// What is certainly wrong is told first.
			in := morning()
			in.Name = ""
			_, err = o.Create(t.Context(), "R1", in)
			if diff := cmp.Diff([]string{"name"}, fieldsOf(t, err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
	o := newOffice()
	o.views.fail = &tableau.Error{Op: "find view", Cause: tableau.ViewNotFound}
	_, err := o.Create(t.Context(), "R1", morning())
	if diff := cmp.Diff([]string{"content[0].view"}, fieldsOf(t, err)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestEditTouchesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	o := newOffice()
	before, err := o.Create(t.Context(), "R1", morning())
	if err != nil {
		t.Fatal(err)
	}
	// Tableau is away, and the connection too: both do not matter here.
	o.views.fail = errors.New("away")
	o.clock = o.clock.Add(time.Hour)
	name := "Evening numbers"
	got, err := o.Edit(t.Context(), "R1", report.Edit{Name: &name, Notify: &[]string{"x@example.com"}, IfVersion: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := before.Clone()
	want.Name, want.Notify, want.Version, want.Rev, want.UpdatedAt = name, []string{"x@example.com"}, 2, 2, o.clock
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the report (-want +got):\n%s", diff)
	}
	if len(o.skipped) != 0 {
		t.Errorf("runs of %q were skipped", o.skipped)
	}
	if _, err := o.Edit(t.Context(), "R1", report.Edit{Name: &name, IfVersion: 1}); !problem.Is(err, problem.Stale) {
		t.Errorf("an edit of an older version: %v", err)
	}
	if _, err := o.Edit(t.Context(), "R2", report.Edit{Name: &name}); !problem.Is(err, problem.NotFound) {
		t.Errorf("an edit of what is missing: %v", err)
	}
	empty := []report.Destination{}
	_, err = o.Edit(t.Context(), "R1", report.Edit{Destinations: &empty})
	if diff := cmp.Diff([]string{"destinations"}, fieldsOf(t, err)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestEditFindsViewsAnew(t *testing.T) {
	t.Parallel()
	o := newOffice()
	if _, err := o.Create(t.Context(), "R1", morning()); err != nil {
		t.Fatal(err)
	}
	asked := o.views.asked
	other := "C2"
	got, err := o.Edit(t.Context(), "R1", report.Edit{ConnectionID: &other})
	if err != nil {
		t.Fatal(err)
	}
	if got.ConnectionID != other || o.views.asked != asked+1 {
		t.Errorf("moved to %s, and Tableau was asked %d times", got.ConnectionID, o.views.asked-asked)
	}
	gone := "GONE"
	_, err = o.Edit(t.Context(), "R1", report.Edit{ConnectionID: &gone})
	if diff := cmp.Diff([]string{"connection_id"}, fieldsOf(t, err)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	content := []report.Content{{View: "Superstore/sheets/Product", Format: tableau.PNG}}
	if got, err = o.Edit(t.Context(), "R1", report.Edit{Content: &content}); err != nil {
		t.Fatal(err)
	}
	if got.Content[0].ViewID != "luid-Product" || content[0].ViewID != "" {
		t.Errorf("the content is %+v, and the caller's became %+v", got.Content, content)
	}
}

func TestNextRun(t *testing.T) {
	t.Parallel()
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.November, day, hour, minute, 0, 0, time.UTC)
	}
	yes, no := true, false
	cron, date, none := "0 12 * * *", report.Date{Year: 2026, Month: time.November, Day: 30}, report.Date{}
	name := "x"
	tests := []struct {
		name  string
		clock time.Time // of the edit
		edit  report.Edit
		want  time.Time
	}{
		{"name", at(23, 9, 0), report.Edit{Name: &name}, at(24, 8, 0)},
		{"cron", at(23, 9, 0), report.Edit{Schedule: &report.ScheduleEdit{Cron: &cron}}, at(23, 11, 0)},
		{"first day", at(23, 9, 0), report.Edit{Schedule: &report.ScheduleEdit{StartsOn: &date}}, at(30, 8, 0)},
		{"first day taken away", at(23, 9, 0), report.Edit{Schedule: &report.ScheduleEdit{StartsOn: &none}}, at(24, 8, 0)},
		{"no schedule", at(23, 9, 0), report.Edit{NoSchedule: true}, time.Time{}},
		{"paused", at(23, 9, 0), report.Edit{Enabled: &no}, time.Time{}},
		{"enabled as before", at(25, 9, 0), report.Edit{Enabled: &yes}, at(24, 8, 0)},
		{"due, and not run yet", at(24, 8, 0), report.Edit{Name: &name}, at(24, 8, 0)},
		{"due, and another schedule", at(24, 8, 1), report.Edit{Schedule: &report.ScheduleEdit{Cron: &cron}}, at(24, 8, 0)},
		{"due, and paused", at(24, 8, 1), report.Edit{Enabled: &no}, time.Time{}},
		{"due, and no schedule any more", at(24, 8, 1), report.Edit{NoSchedule: true}, time.Time{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice()
			if _, err := o.Create(t.Context(), "R1", morning()); err != nil {
				t.Fatal(err)
			}
			o.clock = test.clock
			got, err := o.Edit(t.Context(), "R1", test.edit)
			if err != nil {
				t.Fatal(err)
			}
			if !got.NextRunAt.Equal(test.want) {
				t.Errorf("the next run is at %v, want %v", got.NextRunAt, test.want)
			}
		})
	}

	o := newOffice()
	paused := morning()
	paused.Enabled = false
	if got, err := o.Create(t.Context(), "R1", paused); err != nil || !got.NextRunAt.IsZero() {
		t.Errorf("made paused: next run at %v, %v", got.NextRunAt, err)
	}
	o.clock = at(25, 10, 0)
	if got, err := o.Edit(t.Context(), "R1", report.Edit{Enabled: &yes}); err != nil || !got.NextRunAt.Equal(at(26, 8, 0)) {
		t.Errorf("enabled again: next run at %v, %v", got.NextRunAt, err)
	}
	unscheduled := morning()
	unscheduled.Schedule = nil
	if got, err := o.Create(t.Context(), "R2", unscheduled); err != nil || !got.NextRunAt.IsZero() {
		t.Errorf("without a schedule: next run at %v, %v", got.NextRunAt, err)
	}
	if got, err := o.Edit(t.Context(), "R2", report.Edit{Schedule: &report.ScheduleEdit{Cron: &cron}}); err == nil {
		t.Errorf("a new schedule without a time zone was taken: %+v", got.Schedule)
	}
}

func TestEditsGiveWayToTheMachineNotToPeople(t *testing.T) {
	t.Parallel()
	o := newOffice()
	if _, err := o.Create(t.Context(), "R1", morning()); err != nil {
		t.Fatal(err)
	}
	name := "x"
	o.store.before = func() { o.store.touch("R1") }
	got, err := o.Edit(t.Context(), "R1", report.Edit{Name: &name, IfVersion: 1})
	if err != nil || got.Version != 2 || got.Rev != 3 {
		t.Errorf("with a tick in between: version %d, rev %d, %v", got.Version, got.Rev, err)
	}
	o.store.before = func() {
		r := o.store.rows["R1"]
		r.Version, r.Rev = r.Version+1, r.Rev+1
		o.store.rows["R1"] = r
	}
	if _, err := o.Edit(t.Context(), "R1", report.Edit{Name: &name, IfVersion: 2}); !problem.Is(err, problem.Stale) {
		t.Errorf("with another edit in between: %v", err)
	}
	// Twenty people who edit at once without a version each get their turn.
	overtaken := 0
	var once func()
	once = func() {
		if o.store.touch("R1"); overtaken < 19 {
			overtaken++
			o.store.before = once
		}
	}
	o.store.before = once
	if _, err := o.Edit(t.Context(), "R1", report.Edit{Name: &name}); err != nil {
		t.Errorf("overtaken %d times: %v", overtaken, err)
	}
	var again func()
	again = func() { o.store.touch("R1"); o.store.before = again }
	o.store.before = again
	if _, err := o.Edit(t.Context(), "R1", report.Edit{Name: &name}); !problem.Is(err, problem.Stale) {
		t.Errorf("with a write in between each time: %v", err)
	}
	if err := o.Delete(t.Context(), "R1", 0); !problem.Is(err, problem.Stale) {
		t.Errorf("a deletion with a write in between each time: %v", err)
	}
}

func TestPausingAndDeletingSkip(t *testing.T) {
	t.Parallel()
	o := newOffice()
	for _, id := range []string{"R1", "R2"} {
		if _, err := o.Create(t.Context(), id, morning()); err != nil {
			t.Fatal(err)
		}
	}
	no := false
	o.skipFail = errors.New("the store is away")
	if _, err := o.Edit(t.Context(), "R1", report.Edit{Enabled: &no}); !errors.Is(err, o.skipFail) {
		t.Errorf("skipping failed, and the edit says %v", err)
	}
	if err := o.Delete(t.Context(), "R2", 0); !errors.Is(err, o.skipFail) {
		t.Errorf("skipping failed, and the deletion says %v", err)
	}

	// Repeating both finishes them.
	o.skipFail = nil
	if got, err := o.Edit(t.Context(), "R1", report.Edit{Enabled: &no}); err != nil || got.Enabled {
		t.Errorf("pausing again: %+v, %v", got, err)
	}
	if err := o.Delete(t.Context(), "R2", 0); !problem.Is(err, problem.NotFound) {
		t.Errorf("deleting again: %v", err)
	}
	if diff := cmp.Diff([]string{"R1", "R2", "R1", "R2"}, o.skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}

	if err := o.Delete(t.Context(), "R1", 7); !problem.Is(err, problem.Stale) {
		t.Errorf("deleting another version: %v", err)
	}
	o.store.before = func() { o.store.touch("R1") }
	if err := o.Delete(t.Context(), "R1", 3); err != nil {
		t.Errorf("deleting with a tick in between: %v", err)
	}
	if left, _, err := o.List(t.Context(), "C1", "", 10); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// What the connection's server is too old for is refused when it is saved.
func TestServerIsTooOld(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version string
		format  tableau.Format
		want    []string
	}{
		{"3.6", tableau.XLSX, []string{"content[0].format"}}, {"3.6", tableau.CSV, nil}, {"3.28", tableau.SVG, []string{"content[0].format"}},
		{"", tableau.SVG, nil}, {"", tableau.XLSX, nil},
	} {
		o := newOffice()
		o.views.version = test.version
		r := morning()
		r.Content = []report.Content{{View: "Superstore/sheets/Overview", Format: test.format}}
		_, err := o.Create(t.Context(), "R1", r)
		if (err == nil) != (test.want == nil) {
			t.Errorf("%s on %q: got error %v", test.format, test.version, err)
			continue
		}
		if err != nil {
			if diff := cmp.Diff(test.want, fieldsOf(t, err)); diff != "" {
				t.Errorf("%s on %q (-want +got):\n%s", test.format, test.version, diff)
			}
		}
	}
}
