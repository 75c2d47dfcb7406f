package httpapi

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/verify"
)

type runJSON struct {
	ID           string         `json:"id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	ReportID     string         `json:"report_id"`
	ReportName   string         `json:"report_name" example:"Morning numbers"`
	ConnectionID string         `json:"connection_id"`
	ScheduledFor time.Time      `json:"scheduled_for" doc:"The occurrence; of a manual run, when it was asked for."`
	Trigger      run.Trigger    `json:"trigger" enum:"schedule,manual"`
	State        run.State      `json:"state" enum:"queued,running,held,delivered,partly_delivered,failed,skipped" example:"delivered"`
	Reason       string         `json:"reason" doc:"Why it is held, waits, was skipped or failed, for people."`
	StandsFor    int            `json:"stands_for" doc:"Occurrences that it stands for, itself among them." example:"1"`
	Progress     progressJSON   `json:"progress"`
	Attempts     int            `json:"attempts" doc:"Tries that a passing failure ended."`
	NotBefore    *time.Time     `json:"not_before" doc:"When it is tried next, while it is queued."`
	Files        []fileJSON     `json:"files" nullable:"false" doc:"In the order of the report's content."`
	Deliveries   []deliveryJSON `json:"deliveries,omitzero" nullable:"false" doc:"Only where one run is read."`
	OnlyTo       []string       `json:"only_to" nullable:"false" doc:"Of a test: the addresses that it went to alone."`
	DryRun       bool           `json:"dry_run" doc:"Exports and renders, and sends nothing."`
	CreatedAt    time.Time      `json:"created_at"`
	StartedAt    *time.Time     `json:"started_at"`
	FinishedAt   *time.Time     `json:"finished_at"`
	HeldAt       *time.Time     `json:"held_at" doc:"When it was last held because its connection did not work; null when it never was."`
	ReleasedAt   *time.Time     `json:"released_at" doc:"When it was held no longer."`
}

type progressJSON struct {
	FilesDone       int  `json:"files_done" example:"1"`
	FilesTotal      int  `json:"files_total" example:"1"`
	DeliveriesDone  *int `json:"deliveries_done,omitempty" doc:"Only where one run is read." example:"2"`
	DeliveriesTotal *int `json:"deliveries_total,omitempty" doc:"Only where one run is read." example:"2"`
}

type fileJSON struct {
	ID          string              `json:"id"`
	Name        string              `json:"name" example:"Overview.pdf"`
	Format      string              `json:"format" example:"pdf"`
	ContentType string              `json:"content_type" example:"application/pdf"`
	Size        int64               `json:"size" doc:"In bytes." example:"48213"`
	Rows        *int                `json:"rows" doc:"Rows of data in it, of a CSV or Excel file; null where that is not known." example:"12"`
	LeftOut     string              `json:"left_out" enum:",no_data" doc:"Why the messages do not carry it: no_data, where it has no row and the report leaves it out then. Empty where they do." example:""`
	SHA256      string              `json:"sha256" doc:"In hexadecimal."`
	Escaped     bool                `json:"formulas_escaped" doc:"It is not byte for byte what Tableau exported: values that a spreadsheet would run have an apostrophe before them."`
	View        string              `json:"view" doc:"Name of the view." example:"Overview"`
	Workbook    string              `json:"workbook" example:"Superstore"`
	ViewURL     string              `json:"view_url" doc:"Opens the view in Tableau."`
	Filters     map[string][]string `json:"filters"`
	FilterProof string              `json:"filter_proof" doc:"Of runs from before filter_verdict: what Tableau's own data showed of the filters; else empty."`

	FilterVerdict  verify.Verdict `json:"filter_verdict" doc:"Whether Tableau applied the filters: applied, or unknown; empty where there are none or verify_filters is false. Where it does not apply them, nothing is sent." example:"applied"`
	FilterEvidence string         `json:"filter_evidence" doc:"What was seen of them, in words." example:"Every row of the data holds a wanted value of \"Region\": 12 rows."`
	VerifiedOn     string         `json:"verified_on" doc:"Name of the view on which they were seen to be applied; empty unless they were." example:"Sales by Region"`
	CheckedRows    *int           `json:"checked_rows" doc:"How many rows of data the check saw with these filters; null where it compared pictures or was not made."`
	ExportedAt     time.Time      `json:"exported_at"`
	Width          int            `json:"width" doc:"Of a picture, in pixels; else 0."`
	Height         int            `json:"height"`
}

type deliveryJSON struct {
	Key            string            `json:"key" doc:"Names the delivery and its message."`
	DestinationID  string            `json:"destination_id" doc:"Id of the destination in the report." example:"mail"`
	Type           string            `json:"type" enum:"email,slack"`
	To             []string          `json:"to" nullable:"false"`
	Cc             []string          `json:"cc" nullable:"false"`
	Bcc            []string          `json:"bcc,omitempty" nullable:"false" doc:"Left out for viewers."`
	State          run.DeliveryState `json:"state" enum:"waiting,sending,sent,confirmed,bounced,failed,unsure" example:"sent"`
	Missing        []string          `json:"missing" nullable:"false" doc:"Recipients of an email that do not have it, as far as is known. A message to several may have reached some of them: then it is waiting while the others are tried again, alone, and bounced when they are not. For viewers without Bcc."`
	Attempts       int               `json:"attempts"`
	PossibleRepeat bool              `json:"possible_repeat" doc:"An earlier try may have arrived too."`
	Code           string            `json:"code" doc:"Of the last failure; stable."`
	Message        string            `json:"message" doc:"Of the last failure, for people."`
	ProviderID     string            `json:"provider_id" doc:"The channel's own id of the message."`
	Where          string            `json:"where" doc:"The file in the outbox, where mail is not sent but written."`
	LeftOut        []string          `json:"left_out" nullable:"false" doc:"Names of the files that were too large to go with the message."`
	SentAt         *time.Time        `json:"sent_at"`
}

type runListJSON struct {
	Runs       []runJSON `json:"runs" nullable:"false"`
	NextCursor *string   `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

type startJSON struct {
	OnlyTo []string `json:"only_to,omitempty" nullable:"false" minItems:"1" doc:"Sends a test to these addresses alone. Leave it out to send to everyone; an empty list is refused." example:"[\"me@example.com\"]"`
	DryRun bool     `json:"dry_run,omitempty" doc:"Exports and renders, and sends nothing."`
}

// runOut gives a run as it stands in a list.
func runOut(r run.Run) runJSON {
	exports := map[string]bool{}
	for _, c := range r.Content {
		exports[run.ExportKey(c)] = true
	}
	out := runJSON{
		ID: r.ID, ReportID: r.ReportID, ReportName: r.ReportName, ConnectionID: r.ConnectionID, ScheduledFor: r.ScheduledFor.UTC(),
		Trigger: r.Trigger, State: r.State, Reason: r.Reason, StandsFor: r.StandsFor, Attempts: r.Attempts,
		Progress: progressJSON{FilesDone: len(r.Files), FilesTotal: max(len(exports), len(r.Files))},
		Files:    []fileJSON{}, OnlyTo: list(r.OnlyTo), DryRun: r.DryRun,
		CreatedAt: r.CreatedAt.UTC(), StartedAt: moment(r.StartedAt), FinishedAt: moment(r.FinishedAt),
		HeldAt: moment(r.HeldAt), ReleasedAt: moment(r.ReleasedAt),
	}
	if r.State == run.Queued {
		out.NotBefore = moment(r.NotBefore)
	}
	for _, f := range inOrder(r) {
		file := fileJSON{ID: f.ID, Name: f.Name, Format: f.Format, ContentType: f.ContentType, Size: f.Size, Rows: f.Rows, Escaped: f.Escaped, SHA256: f.SHA256,
			View: f.View, Workbook: f.Workbook, ViewURL: webAddress(f.ViewURL), Filters: f.Filters, ExportedAt: f.ExportedAt.UTC(),
			FilterProof: f.FilterProof, FilterVerdict: f.FilterVerdict, FilterEvidence: f.FilterEvidence, VerifiedOn: f.VerifiedOn,
			CheckedRows: f.CheckedRows, Width: f.Width, Height: f.Height}
		if r.LeftOut(f) {
			file.LeftOut = "no_data"
		}
		if file.Filters == nil {
			file.Filters = map[string][]string{}
		}
		out.Files = append(out.Files, file)
	}
	return out
}

// inOrder returns a run's files in the order of its content. They are stored in
// the order in which their exports ended.
func inOrder(r run.Run) []run.File {
	place := map[string]int{}
	for i, c := range r.Content {
		if key := run.ExportKey(c); place[key] == 0 {
			place[key] = i + 1
		}
	}
	files := slices.Clone(r.Files)
	slices.SortStableFunc(files, func(a, b run.File) int {
		return cmp.Compare(cmp.Or(place[a.Export], len(place)+1), cmp.Or(place[b.Export], len(place)+1))
	})
	return files
}

// webAddress gives an address that a page may link to, "" for any other: those
// of runs from before they were checked were stored as Tableau gave them.
func webAddress(address string) string {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return address
}

// runWithDeliveries gives a run as it is read alone.
func runWithDeliveries(r run.Run, deliveries []run.Delivery) runJSON {
	out := runOut(r)
	out.Deliveries = []deliveryJSON{}
	done := 0
	for _, d := range deliveries {
		if d.State.Settled() {
			done++
		}
		out.Deliveries = append(out.Deliveries, deliveryJSON{
			Key: d.Key, DestinationID: d.DestinationID, Type: d.Type, To: list(d.To), Cc: list(d.Cc), Bcc: d.Bcc,
			State: d.State, Missing: list(d.Missing()), Attempts: d.Attempts, PossibleRepeat: d.PossibleRepeat, Code: d.Code, Message: d.Message,
			ProviderID: d.ProviderID, Where: d.Where, LeftOut: list(d.LeftOut), SentAt: moment(d.SentAt),
		})
	}
	total := len(deliveries)
	if total == 0 && r.State.Open() && !r.DryRun {
		total = expectedDeliveries(r)
	}
	out.Progress.DeliveriesDone, out.Progress.DeliveriesTotal = &done, &total
	return out
}

// expectedDeliveries is how many deliveries a run will have that has none yet.
func expectedDeliveries(r run.Run) int {
	n := 0
	for _, d := range r.Destinations {
		if d.Type == report.Email && !d.Together {
			n += len(d.To)
		} else {
			n++
		}
	}
	return n
}

func (a *api) registerRuns() {
	const tag = tagRuns

	register(a, operation{id: "start-run", method: http.MethodPost, path: "/v1/reports/{id}/runs", tag: tag, role: Editor,
		unsure: mayBeStarted,
		status: http.StatusAccepted, example: map[string]any{"only_to": []string{"me@example.com"}},
		summary: "Run a report now",
		detail:  "The body may be left out. The answer comes at once; read the run to see how it goes. With the same Idempotency-Key, the same run is given again."},
		a.startRun)

	register(a, operation{id: "list-report-runs", method: http.MethodGet, path: "/v1/reports/{id}/runs", tag: tag, role: Viewer,
		summary: "List a report's runs", detail: "The newest first, also of a report that was deleted."},
		a.listReportRuns)

	register(a, operation{id: "list-runs", method: http.MethodGet, path: "/v1/runs", tag: tag, role: Viewer,
		summary: "List runs", detail: "The newest first; by state, such as state=queued,running,held for what is open, and state=held&connection_id=… for what a connection holds."},
		a.listRuns)

	register(a, operation{id: "get-run", method: http.MethodGet, path: "/v1/runs/{id}", tag: tag, role: Viewer,
		summary: "Read a run", detail: "With its progress, files and deliveries."},
		a.getRun)

	register(a, operation{id: "retry-run", method: http.MethodPost, path: "/v1/runs/{id}/retry", tag: tag, role: Editor,
		unsure: mayBeStarted,
		status: http.StatusAccepted, fails: []int{http.StatusConflict},
		summary: "Try a failed run again", detail: "Sends only what failed. Refused (409) for a run that is open or was delivered."},
		a.retryRun)

	register(a, operation{id: "download-file", method: http.MethodGet, path: "/v1/runs/{id}/files/{file_id}", tag: tag, role: Viewer,
		produces: []string{"image/png", "application/pdf", "text/csv", "image/svg+xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
			"application/vnd.openxmlformats-officedocument.presentationml.presentation"},
		summary: "Download a run's file", detail: "The file as it was delivered, or a redirect (302) to where it lies. Pictures are shown; anything else is an attachment."},
		a.downloadFile)
}

func (a *api) startRun(ctx context.Context, in *struct {
	ByID
	Idempotent
	Body *startJSON
}) (*plainMade[runJSON], error) {
	key, err := in.checked()
	if err != nil {
		return nil, err
	}
	o := run.Start{Request: key}
	if in.Body != nil {
		if o.OnlyTo, o.DryRun = in.Body.OnlyTo, in.Body.DryRun; o.OnlyTo != nil && len(o.OnlyTo) == 0 {
			return nil, problem.InvalidField("only_to", "Give at least one address. To send to everyone, leave this out.")
		}
	}
	r, err := a.deps.Runs.Start(ctx, in.ID, o)
	if err != nil {
		return nil, err
	}
	return &plainMade[runJSON]{Location: "/v1/runs/" + r.ID, Body: runOut(r)}, nil
}

func (a *api) listReportRuns(ctx context.Context, in *struct {
	ByID
	RunFilter
}) (*plain[runListJSON], error) {
	return a.runPage(ctx, run.Filter{ReportID: in.ID}, in.State, in.Paging)
}

func (a *api) listRuns(ctx context.Context, in *struct {
	RunFilter
	ConnectionID string `query:"connection_id" maxLength:"64" doc:"Only runs of this connection. Needs a state of queued, running or held: no list of what is finished goes by connection."`
}) (*plain[runListJSON], error) {
	open := func(state string) bool { return run.State(state).Open() }
	if in.ConnectionID != "" && (len(in.State) == 0 || !slices.ContainsFunc(in.State, open) || slices.ContainsFunc(in.State, func(s string) bool { return !open(s) })) {
		return nil, problem.InvalidField("connection_id", "Send state=held, or queued or running, with it: the finished runs of a connection are found by its reports.")
	}
	return a.runPage(ctx, run.Filter{ConnectionID: in.ConnectionID}, in.State, in.Paging)
}

func (a *api) getRun(ctx context.Context, in *struct{ ByID }) (*plain[runJSON], error) {
	r, deliveries, err := a.deps.Runs.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &plain[runJSON]{runFor(ctx, r, deliveries)}, nil
}

func (a *api) retryRun(ctx context.Context, in *struct{ ByID }) (*plain[runJSON], error) {
	r, err := a.deps.Runs.Retry(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &plain[runJSON]{runOut(r)}, nil
}

func (a *api) downloadFile(ctx context.Context, in *struct {
	ByID
	FileID string `path:"file_id" maxLength:"64" doc:"The file's id."`
}) (*huma.StreamResponse, error) {
	if a.deps.FileLinks != nil {
		return a.redirectToFile(ctx, in.ID, in.FileID)
	}
	f, body, err := a.deps.Runs.OpenFile(ctx, in.ID, in.FileID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) { a.stream(ctx, f, body) }}, nil
}

// redirectToFile answers with the address at which a file is fetched directly.
func (a *api) redirectToFile(ctx context.Context, runID, fileID string) (*huma.StreamResponse, error) {
	f, err := a.deps.Runs.File(ctx, runID, fileID)
	if err != nil {
		return nil, err
	}
	link, err := a.deps.FileLinks.Link(ctx, f)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Location", link)
		ctx.SetStatus(http.StatusFound)
	}}, nil
}

// RunFilter is the input of the lists of runs; see [ByID] for why its name is
// exported.
type RunFilter struct {
	State []string `query:"state" enum:"queued,running,held,delivered,partly_delivered,failed,skipped" doc:"Only runs in one of these states, separated by commas."`
	Paging
}

const emptyList = "Name at least one, or leave this out."

// Resolve implements [huma.Resolver].
func (RunFilter) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	if values := u.Query()["state"]; len(values) > 0 && strings.Trim(strings.Join(values, ""), ", ") == "" {
		return []error{&huma.ErrorDetail{Location: "query.state", Message: emptyList}}
	}
	return nil
}

// plainMade is the answer of what made a thing without versions.
type plainMade[T any] struct {
	Location string `header:"Location" doc:"Address of what was made."`
	Body     T
}

func (a *api) runPage(ctx context.Context, filter run.Filter, states []string, p Paging) (*plain[runListJSON], error) {
	after, err := p.after()
	if err != nil {
		return nil, err
	}
	for _, state := range states {
		filter.States = append(filter.States, run.State(state))
	}
	runs, next, err := a.deps.Runs.List(ctx, filter, after, p.Limit)
	if err != nil {
		return nil, err
	}
	out := runListJSON{Runs: []runJSON{}, NextCursor: cursor(next)}
	for _, r := range runs {
		out.Runs = append(out.Runs, runListedFor(ctx, r))
	}
	return &plain[runListJSON]{out}, nil
}

// untrustedContent is the policy of what came from elsewhere: should a browser
// show it as a page after all, nothing in it runs or loads.
const untrustedContent = "sandbox; default-src 'none'; frame-ancestors 'none'"

// stream answers with a file. One that breaks off cuts the connection, so that
// the caller does not take it for whole.
func (a *api) stream(ctx huma.Context, f run.File, body io.ReadCloser) {
	defer body.Close()
	disposition := "attachment"
	contentType := "application/octet-stream"
	if mediaType, params, err := mime.ParseMediaType(f.ContentType); err == nil {
		contentType = mime.FormatMediaType(mediaType, params)
		if mediaType == "image/png" {
			disposition = "inline"
		}
	}
	ctx.SetHeader("Content-Type", contentType)
	ctx.SetHeader("Content-Length", strconv.FormatInt(f.Size, 10))
	ctx.SetHeader("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": f.Name}))
	ctx.SetHeader("Content-Security-Policy", untrustedContent)
	if f.SHA256 != "" {
		ctx.SetHeader("ETag", strconv.Quote(f.SHA256))
	}
	ctx.SetStatus(http.StatusOK)
	if ctx.Method() == http.MethodHead {
		return
	}
	n, err := io.Copy(ctx.BodyWriter(), io.LimitReader(body, f.Size))
	if err == nil && n != f.Size {
		err = errors.New("the stored file is shorter than it was")
	}
	if err == nil {
		return
	}
	if callOf(ctx.Context()).context.Err() == nil {
		a.log.ErrorContext(ctx.Context(), "a file broke off", "request_id", callOf(ctx.Context()).id, "error", err)
	}
	panic(http.ErrAbortHandler)
}
