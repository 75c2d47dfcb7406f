package httpapi

import (
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

type reportJSON struct {
	ID           string                  `json:"id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	Name         string                  `json:"name" example:"Morning numbers"`
	ConnectionID string                  `json:"connection_id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	Enabled      bool                    `json:"enabled" doc:"false while it is paused."`
	Content      []contentJSON           `json:"content" nullable:"false"`
	Schedule     nullable[scheduleJSON]  `json:"schedule" doc:"null for a report that runs only when it is asked to."`
	Destinations []reportDestinationJSON `json:"destinations" nullable:"false"`
	Notify       []string                `json:"notify" nullable:"false" doc:"Addresses that are told when a run fails; without one, those of the connection, else the administrators." example:"[\"owner@example.com\"]"`
	Alerts       *alertsJSON             `json:"alerts,omitempty" doc:"Who is told when it fails. Only where reports are read."`
	NextRunAt    *time.Time              `json:"next_run_at" doc:"null when nothing is scheduled."`
	LastRun      *lastRunJSON            `json:"last_run,omitempty" doc:"Only in a list with last_run=true, and where it has run."`
	Version      int64                   `json:"version" doc:"Counts edits by people; for If-Match." example:"1"`
	CreatedAt    time.Time               `json:"created_at"`
	UpdatedAt    time.Time               `json:"updated_at" doc:"When people last edited it."`
	Warnings     []warningJSON           `json:"warnings,omitempty" nullable:"false" doc:"Only in the answer to who saved it: what to know of it, such as filters that could not be verified in time and that the first run verifies."`
}

type warningJSON struct {
	Field   string `json:"field" example:"content[0].filters"`
	Message string `json:"message" example:"Tableau was too slow to verify the filters now. The first run verifies them."`
}

// lastRunJSON is what a list of reports says of each one's newest run.
type lastRunJSON struct {
	ID           string     `json:"id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	State        run.State  `json:"state" enum:"queued,running,held,delivered,partly_delivered,failed,skipped" example:"delivered"`
	ScheduledFor time.Time  `json:"scheduled_for"`
	FinishedAt   *time.Time `json:"finished_at"`
}

type contentJSON struct {
	View           string                   `json:"view" doc:"The view's content URL, with the id behind it of a custom view; of a workbook its address." example:"Superstore/sheets/Overview"`
	Scope          report.Scope             `json:"scope" enum:"view,workbook" doc:"Whether one view is exported or the whole workbook." example:"view"`
	ViewID         string                   `json:"view_id" doc:"Tableau's id of the view when the report was saved; empty for a workbook."`
	ViewName       string                   `json:"view_name" doc:"Empty for a workbook." example:"Overview"`
	Workbook       string                   `json:"workbook" example:"Superstore"`
	CustomView     nullable[customViewJSON] `json:"custom_view" doc:"The custom view of the view that is exported; null for the view as it was published."`
	Format         tableau.Format           `json:"format" enum:"png,svg,pdf,csv,xlsx,pptx" example:"pdf"`
	Filters        map[string][]string      `json:"filters" doc:"Field captions, or Parameters. and a parameter's name, to values." example:"{\"Region\":[\"West\"]}"`
	PDF            *pdfJSON                 `json:"pdf,omitempty" doc:"With the format pdf."`
	Image          *imageJSON               `json:"image,omitempty" doc:"With the formats png, svg and pdf."`
	MaxAgeMinutes  int                      `json:"max_age_minutes" doc:"How old Tableau's cached result may be." example:"1"`
	Language       string                   `json:"language" doc:"Of labels and numbers; empty for the Tableau user's own." example:""`
	FileName       string                   `json:"file_name" doc:"Template of the file's name, without its extension; empty for the view's name."`
	EscapeFormulas bool                     `json:"escape_formulas" doc:"Values of the CSV that a spreadsheet would run are exported with an apostrophe before them."`
	AllowBlank     bool                     `json:"allow_blank" doc:"Whether a picture, page or slide that is blank is sent."`
	IfEmpty        report.IfEmpty           `json:"if_empty" enum:"skip,send,fail" doc:"What becomes of it when it has no data. send for content that was stored before there was a choice." example:"skip"`

	VerifyFilters bool    `json:"verify_filters" doc:"Whether the filters are verified: nothing is sent where Tableau does not apply them." example:"true"`
	CheckView     *string `json:"check_view" doc:"Content URL of the worksheet whose data show whether the filters of a dashboard were applied; null where there is none." example:"Superstore/sheets/SalesbyRegion"`
}

type customViewJSON struct {
	ID   string `json:"id" doc:"Tableau's id of the custom view."`
	Name string `json:"name" example:"West only"`
}

type pdfJSON struct {
	PageSize    string `json:"page_size,omitempty" enum:"a3,a4,a5,b4,b5,executive,folio,ledger,legal,letter,note,quarto,tabloid,unspecified" doc:"unspecified is the view's own size; a4 if left out." example:"a4"`
	Orientation string `json:"orientation,omitempty" enum:"portrait,landscape" doc:"portrait if left out." example:"landscape"`
}

type imageJSON struct {
	HighResolution bool `json:"high_resolution,omitempty" doc:"Twice the pixels in each direction; with the format png."`
	Width          int  `json:"width,omitempty" minimum:"0" maximum:"10000" doc:"In pixels; both width and height, or neither. Views of a fixed size ignore them."`
	Height         int  `json:"height,omitempty" minimum:"0" maximum:"10000"`
}

type scheduleJSON struct {
	Cron        string         `json:"cron" doc:"Five fields: minute, hour, day of month, month, day of week." example:"0 9 * * MON-FRI"`
	TimeZone    string         `json:"time_zone" doc:"IANA name." example:"Europe/Berlin"`
	StartsOn    *string        `json:"starts_on" format:"date" doc:"First day in the time zone; null: at once."`
	EndsOn      *string        `json:"ends_on" format:"date" doc:"Last day in the time zone; null: never."`
	CatchUp     report.CatchUp `json:"catch_up" enum:"latest,all,none" doc:"Which occurrences still run that could not run in time." example:"latest"`
	Description string         `json:"description" readOnly:"true" doc:"The schedule in words." example:"every weekday at 09:00 (Europe/Berlin)"`
}

type reportDestinationJSON struct {
	ID            string   `json:"id" doc:"Unique in the report." example:"mail"`
	Type          string   `json:"type" enum:"email,slack" example:"email"`
	To            []string `json:"to,omitempty" nullable:"false" example:"[\"a@example.com\"]"`
	Cc            []string `json:"cc,omitempty" nullable:"false"`
	Bcc           []string `json:"bcc,omitempty" nullable:"false" doc:"Left out for viewers."`
	Together      bool     `json:"together,omitempty" doc:"One message to all, rather than one each."`
	Subject       string   `json:"subject,omitempty"`
	Body          string   `json:"body,omitempty"`
	DestinationID string   `json:"destination_id,omitempty" doc:"The kept destination, with the type slack."`
	Text          string   `json:"text,omitempty"`
}

type reportListJSON struct {
	Reports    []reportJSON `json:"reports" nullable:"false"`
	NextCursor *string      `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

type contentInputJSON struct {
	View           string                   `json:"view" doc:"The view's address as pasted from the browser or from Tableau's share dialog, or its content URL; with the scope workbook also a workbook's. An address of a custom view exports that. Filters in the address count where filters is left out." example:"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview"`
	Scope          report.Scope             `json:"scope,omitempty" enum:"view,workbook" doc:"view if left out, and workbook with the format pptx. workbook exports all of its sheets that are shown as tabs, as pdf or pptx." example:"view"`
	ViewID         string                   `json:"view_id,omitempty" readOnly:"true" doc:"Ignored: what a read report has may be sent back."`
	ViewName       string                   `json:"view_name,omitempty" readOnly:"true" doc:"Ignored."`
	Workbook       string                   `json:"workbook,omitempty" readOnly:"true" doc:"Ignored."`
	CustomView     nullable[customViewJSON] `json:"custom_view,omitempty" readOnly:"true" doc:"Ignored: the view's address names it."`
	Format         tableau.Format           `json:"format" enum:"png,svg,pdf,csv,xlsx,pptx" doc:"svg needs Tableau 2026.2; pptx is of a whole workbook." example:"pdf"`
	Filters        map[string][]string      `json:"filters,omitempty" doc:"Field captions exactly as the view shows them, or Parameters. and a parameter's name, to values. If left out, those in the view's address count; {} means no filters, and is refused with an address that carries some." example:"{\"Region\":[\"West\"]}"`
	PDF            *pdfJSON                 `json:"pdf,omitempty" doc:"With the format pdf."`
	Image          *imageJSON               `json:"image,omitempty" doc:"With the formats png, svg and pdf."`
	MaxAgeMinutes  optional[int]            `json:"max_age_minutes,omitempty" minimum:"1" maximum:"240" doc:"How old Tableau's cached result may be; 1 if left out." example:"1"`
	Language       string                   `json:"language,omitempty" maxLength:"20" doc:"Of labels and numbers, such as de or en_GB; the Tableau user's own if left out." example:"de"`
	FileName       string                   `json:"file_name,omitempty" doc:"Template of the file's name, without its extension; the view's name if left out." example:"Overview {{ date(run.scheduled_for, \"%Y-%m-%d\") }}"`
	EscapeFormulas bool                     `json:"escape_formulas,omitempty" doc:"With the format csv: an apostrophe is put before each value that begins with =, +, -, @, a tab or a line end, unless it is a number, so that no spreadsheet runs it. false if left out: the file is what Tableau exported, byte for byte."`
	AllowBlank     bool                     `json:"allow_blank,omitempty" doc:"With the formats png, svg, pdf and pptx: a picture, page or slide with nothing on it is sent; a file that is incomplete or an error page never is. false if left out: a blank one fails the run."`
	IfEmpty        report.IfEmpty           `json:"if_empty,omitempty" enum:"skip,send,fail" doc:"What becomes of it when a CSV or Excel file has no row of data, or the check of a picture's filters saw none: skip leaves it out, and with all content left out the run ends as skipped; send sends it as it is; fail fails the run. skip if left out, also in an edit." example:"skip"`

	VerifyFilters optional[bool]   `json:"verify_filters,omitempty" doc:"true if left out: Tableau ignores a filter on a field that it does not know, so vizpost looks whether it applied them. Filters that it does not apply, and those of which it cannot be told, are refused when the report is saved; a run whose filters are not applied sends nothing. With false nobody looks, and messages do not name the filters." example:"true"`
	CheckView     nullable[string] `json:"check_view,omitempty" doc:"Of a dashboard: a worksheet of it that is published as a view of its own, named as view is. Its data show whether the filters were applied; without one, pictures are compared."`

	RequireFilterProof optional[bool] `json:"require_filter_proof,omitempty" deprecated:"true" doc:"The former name of verify_filters. Leave it out: it will be refused in a later release."`
}

type scheduleInputJSON struct {
	Cron        optional[string]           `json:"cron,omitempty" doc:"Five fields: minute, hour, day of month, month, day of week; L, W and # are taken, @daily and six fields are not. Needed for a new schedule." example:"0 9 * * MON-FRI"`
	TimeZone    optional[string]           `json:"time_zone,omitempty" doc:"IANA name. Needed for a new schedule." example:"Europe/Berlin"`
	StartsOn    optional[nullable[string]] `json:"starts_on,omitempty" doc:"First day in the time zone, such as 2026-12-01; null: at once."`
	EndsOn      optional[nullable[string]] `json:"ends_on,omitempty" doc:"Last day in the time zone; null: never."`
	CatchUp     optional[report.CatchUp]   `json:"catch_up,omitempty" enum:"latest,all,none" doc:"Which occurrences still run that could not run in time; latest if left out." example:"latest"`
	Description string                     `json:"description,omitempty" readOnly:"true" doc:"Ignored: what a read report has may be sent back."`
}

type reportDestinationInputJSON struct {
	ID            string   `json:"id,omitempty" doc:"Unique in the report: lower-case letters, digits, hyphens and underscores. Given by vizpost if left out." maxLength:"32" example:"mail"`
	Type          string   `json:"type" enum:"email,slack" example:"email"`
	To            []string `json:"to,omitempty" nullable:"false" maxItems:"500" doc:"With email: each gets a message of their own, unless together is true." example:"[\"a@example.com\"]"`
	Cc            []string `json:"cc,omitempty" nullable:"false" doc:"With email and together."`
	Bcc           []string `json:"bcc,omitempty" nullable:"false" doc:"With email and together."`
	Together      bool     `json:"together,omitempty" doc:"With email: one message to all."`
	Subject       string   `json:"subject,omitempty" maxLength:"500" doc:"With email: template of one line; the report's name and date if left out." example:"{{ report.name }}, {{ date(run.scheduled_for, \"%d %B %Y\") }}"`
	Body          string   `json:"body,omitempty" doc:"With email: template of the text above the files."`
	DestinationID string   `json:"destination_id,omitempty" doc:"With slack: the kept destination that the message goes to."`
	Text          string   `json:"text,omitempty" doc:"With slack: template of the text above the views."`
}

type reportCreateJSON struct {
	Name         string                       `json:"name" maxLength:"200" example:"Morning numbers"`
	ConnectionID string                       `json:"connection_id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	Enabled      optional[bool]               `json:"enabled,omitempty" doc:"true if left out."`
	Content      []contentInputJSON           `json:"content" nullable:"false" minItems:"1" maxItems:"20" doc:"What is exported."`
	Schedule     nullable[scheduleInputJSON]  `json:"schedule,omitempty" doc:"When it runs; without one, only when it is asked to."`
	Destinations []reportDestinationInputJSON `json:"destinations" nullable:"false" minItems:"1" maxItems:"50" doc:"To whom it goes."`
	Notify       []string                     `json:"notify,omitempty" nullable:"false" maxItems:"20" doc:"Addresses that are told when a run fails." example:"[\"owner@example.com\"]"`
}

type reportPatchJSON struct {
	Name         optional[string]                       `json:"name,omitempty" maxLength:"200"`
	ConnectionID optional[string]                       `json:"connection_id,omitempty" doc:"The views are looked for anew on this connection's site."`
	Enabled      optional[bool]                         `json:"enabled,omitempty" doc:"false pauses it and skips its runs that have not begun."`
	Content      optional[[]contentInputJSON]           `json:"content,omitempty" nullable:"false" doc:"Replaces the whole content."`
	Schedule     optional[nullable[scheduleInputJSON]]  `json:"schedule,omitempty" doc:"Fields that are left out stay; null takes the schedule away."`
	Destinations optional[[]reportDestinationInputJSON] `json:"destinations,omitempty" nullable:"false" doc:"Replaces all destinations."`
	Notify       optional[[]string]                     `json:"notify,omitempty" nullable:"false"`
}

func reportOut(r report.Report) reportJSON {
	out := reportJSON{
		ID: r.ID, Name: r.Name, ConnectionID: r.ConnectionID, Enabled: r.Enabled,
		Content: []contentJSON{}, Destinations: []reportDestinationJSON{}, Notify: list(r.Notify), NextRunAt: moment(r.NextRunAt),
		Version: r.Version, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	for _, c := range r.Content {
		item := contentJSON{View: c.Address(), Scope: c.Scope, ViewID: c.ViewID, ViewName: c.ViewName, Workbook: c.WorkbookName, Format: c.Format,
			Filters: c.Filters, MaxAgeMinutes: c.MaxAgeMinutes, Language: c.Language, FileName: c.FileName, IfEmpty: c.IfEmpty, EscapeFormulas: c.EscapeFormulas,
			AllowBlank: c.AllowBlank, VerifyFilters: !c.Unverified}
		if c.Scope == "" {
			item.Scope = report.OfView
		}
		if c.IfEmpty == "" {
			item.IfEmpty = report.SendEmpty
		}
		if c.CheckView != "" {
			item.CheckView = &c.CheckView
		}
		if c.CustomViewID != "" {
			item.CustomView.value = &customViewJSON{ID: c.CustomViewID, Name: c.CustomViewName}
		}
		if item.Filters == nil {
			item.Filters = map[string][]string{}
		}
		if c.PDF != (tableau.PDFOptions{}) {
			item.PDF = &pdfJSON{PageSize: c.PDF.PageSize, Orientation: c.PDF.Orientation}
		}
		if c.Image != (tableau.ImageOptions{}) {
			item.Image = &imageJSON{HighResolution: c.Image.HighResolution, Width: c.Image.Width, Height: c.Image.Height}
		}
		out.Content = append(out.Content, item)
	}
	if r.Schedule != nil {
		s := scheduleOut(*r.Schedule)
		out.Schedule.value = &s
	}
	for _, w := range r.Warnings {
		out.Warnings = append(out.Warnings, warningJSON(w))
	}
	for _, d := range r.Destinations {
		out.Destinations = append(out.Destinations, reportDestinationJSON(d))
	}
	return out
}

func scheduleOut(s report.Schedule) scheduleJSON {
	out := scheduleJSON{Cron: s.Cron, TimeZone: s.TimeZone, CatchUp: s.CatchUp, Description: s.Describe()}
	for _, date := range []struct {
		from *report.Date
		to   **string
	}{{s.StartsOn, &out.StartsOn}, {s.EndsOn, &out.EndsOn}} {
		if date.from != nil {
			text := date.from.String()
			*date.to = &text
		}
	}
	return out
}

// verifies tells whether the filters of a content are to be verified, which has
// a new name and a former one.
func verifies(in contentInputJSON, at string, wrong *problem.Fields) bool {
	verify := in.VerifyFilters.pointer(at+".verify_filters", wrong)
	former := in.RequireFilterProof.pointer(at+".require_filter_proof", wrong)
	switch {
	case verify != nil && former != nil && *verify != *former:
		wrong.Add(at+".verify_filters", "This is the new name of require_filter_proof, which is given too and says otherwise. Leave require_filter_proof out.")
		return true
	case verify != nil:
		return *verify
	case former != nil:
		return *former
	}
	return true
}

func contentIn(in []contentInputJSON, wrong *problem.Fields) []report.Content {
	var out []report.Content
	for i, c := range in {
		at := fmt.Sprintf("content[%d]", i)
		item := report.Content{View: c.View, Scope: c.Scope, Format: c.Format, Filters: c.Filters, Language: c.Language, FileName: c.FileName,
			IfEmpty: c.IfEmpty, EscapeFormulas: c.EscapeFormulas, AllowBlank: c.AllowBlank, MaxAgeMinutes: c.MaxAgeMinutes.value, Unverified: !verifies(c, at, wrong)}
		if c.CheckView.value != nil {
			item.CheckView = *c.CheckView.value
		}
		if c.MaxAgeMinutes.given && !c.MaxAgeMinutes.null && c.MaxAgeMinutes.value == 0 {
			item.MaxAgeMinutes = -1 // 0 would mean that it was left out
		}
		if c.PDF != nil {
			item.PDF = tableau.PDFOptions{PageSize: c.PDF.PageSize, Orientation: c.PDF.Orientation}
		}
		if c.Image != nil {
			item.Image = tableau.ImageOptions{HighResolution: c.Image.HighResolution, Width: c.Image.Width, Height: c.Image.Height}
		}
		out = append(out, item)
	}
	return out
}

func targetsIn(in []reportDestinationInputJSON) []report.Destination {
	var out []report.Destination
	for _, d := range in {
		out = append(out, report.Destination(d))
	}
	return out
}

// edit reads the given fields of a schedule.
func (in scheduleInputJSON) edit(wrong *problem.Fields) *report.ScheduleEdit {
	return &report.ScheduleEdit{
		Cron:     in.Cron.pointer("schedule.cron", wrong),
		TimeZone: in.TimeZone.pointer("schedule.time_zone", wrong),
		CatchUp:  in.CatchUp.pointer("schedule.catch_up", wrong),
		StartsOn: dateIn(in.StartsOn, "schedule.starts_on", wrong),
		EndsOn:   dateIn(in.EndsOn, "schedule.ends_on", wrong),
	}
}

// dateIn gives a day, the zero Date for null, and nil if none was given.
func dateIn(in optional[nullable[string]], field string, wrong *problem.Fields) *report.Date {
	var day report.Date
	switch {
	case !in.given:
		return nil
	case in.null:
		return &day
	}
	if err := day.UnmarshalText([]byte(*in.value.value)); err != nil {
		wrong.Add(field, "Give a day of the calendar, such as 2026-01-31.")
	}
	return &day
}

func (in reportPatchJSON) edit() (report.Edit, error) {
	var wrong problem.Fields
	e := report.Edit{
		Name: in.Name.pointer("name", &wrong), ConnectionID: in.ConnectionID.pointer("connection_id", &wrong),
		Enabled: in.Enabled.pointer("enabled", &wrong), Notify: in.Notify.pointer("notify", &wrong),
	}
	if content := in.Content.pointer("content", &wrong); content != nil {
		items := contentIn(*content, &wrong)
		e.Content = &items
	}
	if targets := in.Destinations.pointer("destinations", &wrong); targets != nil {
		destinations := targetsIn(*targets)
		e.Destinations = &destinations
	}
	switch {
	case in.Schedule.null:
		e.NoSchedule = true
	case in.Schedule.given:
		e.Schedule = in.Schedule.value.value.edit(&wrong)
	}
	return e, wrong.Err()
}

func (in reportCreateJSON) report() (report.Report, error) {
	var wrong problem.Fields
	r := report.Report{Name: in.Name, ConnectionID: in.ConnectionID, Enabled: true,
		Content: contentIn(in.Content, &wrong), Destinations: targetsIn(in.Destinations), Notify: in.Notify}
	if enabled := in.Enabled.pointer("enabled", &wrong); enabled != nil {
		r.Enabled = *enabled
	}
	if in.Schedule.value != nil {
		s := in.Schedule.value.edit(&wrong).Apply(report.Schedule{})
		r.Schedule = &s
	}
	return r, wrong.Err()
}
