// Package httpapi is vizpost's HTTP API: JSON in and out, RFC 9457 problems for
// errors, OpenAPI 3.1 at /openapi.json and a readable page of it at /docs.
//
// The package turns requests into calls of the services and their results into
// answers. It decides nothing about connections, reports, runs and
// destinations: that is the services' part.
package httpapi

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/httpapi/mailview"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Deps is what the API is made of. All but Outbox, Page, Hosts and SignIn is required.
type Deps struct {
	Connections  Connections
	Reports      Reports
	Runs         Runs
	Destinations Destinations
	Requests     Requests

	// FileLinks answers downloads of files with a redirect to where they lie;
	// nil: the API sends them itself.
	FileLinks FileLinks

	// Outbox holds the mails that were not sent but written to a folder; nil
	// where mail is sent.
	Outbox Outbox

	// ReadMail takes a mail of the outbox apart; required with Outbox.
	ReadMail func(io.Reader) (mailview.Mail, error)

	// Page answers what is not the API: the start page and its files. It is
	// served without signing in. nil: there is none.
	Page http.Handler

	// Authenticate finds out who calls. Its error is a problem of kind
	// Unauthenticated or Forbidden; any other is a failure of vizpost.
	Authenticate func(*http.Request) (Principal, error)

	// Hosts are the Host headers that are answered to, such as
	// "127.0.0.1:8080" and the public URL's host. Empty: any, for where
	// something in front chooses by host already.
	Hosts []string

	Now   func() time.Time
	NewID func() string
	Log   *slog.Logger

	// SignIn is how people sign in on the page.
	SignIn SignIn

	// Health knows what keeps all of vizpost from its work; nil: nobody does.
	Health Health

	// Installation is what answers.
	Installation Installation

	// Pause is what an installation has that can be restored from a backup;
	// nil where none can.
	Pause Pause

	// Version is vizpost's own.
	Version string
}

// Connections is what the API does with connections; see [connection.Service].
type Connections interface {
	// Create signs in with the settings and stores the connection under the id.
	// Stale when the id exists.
	Create(ctx context.Context, id string, in connection.Settings) (connection.Connection, error)
	Get(ctx context.Context, id string) (connection.Connection, error)
	// List gives connections in order of id behind the id after, and the id to
	// go on behind, "" at the end.
	List(ctx context.Context, after string, limit int) ([]connection.Connection, string, error)
	Edit(ctx context.Context, id string, e connection.Edit) (connection.Connection, error)
	Delete(ctx context.Context, id string, ifVersion int64) error
	// TestSettings tries settings without storing anything of them.
	TestSettings(ctx context.Context, in connection.Settings) (connection.TestResult, error)
	Test(ctx context.Context, id string) (connection.TestResult, error)
	// Views lists the views that the connection sees, those that match search
	// if it is not "", always in the same order.
	Views(ctx context.Context, id, search string) ([]tableau.View, error)
	// Preview writes a small PNG of a view.
	Preview(ctx context.Context, id, viewID string, w io.Writer) error
	// Resolve finds the view, custom view or workbook that an address means.
	Resolve(ctx context.Context, id, pasted string) (tableau.Target, tableau.Address, error)
	// SeeViews tells of each view, in the same order, whether the connection's
	// user can see it now.
	SeeViews(ctx context.Context, id string, wanted []connection.Wanted) ([]connection.Seen, error)
	// ReportCounts tells by how many reports each connection is used; one that
	// none uses may be left out.
	ReportCounts(ctx context.Context, ids []string) (map[string]int, error)
	// History gives a connection's events, also of one that is gone, the newest
	// first, behind the id after, and the id to go on behind, "" at the end.
	History(ctx context.Context, id, after string, limit int) ([]connection.Event, string, error)
}

// Reports is what the API does with reports; see [report.Service].
type Reports interface {
	Create(ctx context.Context, id string, in report.Report) (report.Report, error)
	Get(ctx context.Context, id string) (report.Report, error)
	List(ctx context.Context, connectionID, after string, limit int) ([]report.Report, string, error)
	Edit(ctx context.Context, id string, e report.Edit) (report.Report, error)
	Delete(ctx context.Context, id string, ifVersion int64) error
}

// Runs is what the API does with runs; see [run.Service].
type Runs interface {
	// Start makes a run; the same request of the same report gives the same.
	Start(ctx context.Context, reportID string, o run.Start) (run.Run, error)
	// Retry queues again what failed of a run.
	Retry(ctx context.Context, runID string) (run.Run, error)
	Get(ctx context.Context, id string) (run.Run, []run.Delivery, error)
	// List gives runs, the newest first, behind the id after, and the id to go
	// on behind, "" at the end.
	List(ctx context.Context, f run.Filter, after string, limit int) ([]run.Run, string, error)
	// Some gives those of the runs that there are, in no particular order.
	Some(ctx context.Context, ids []string) ([]run.Run, error)
	// HeldCount counts the runs that a connection holds.
	HeldCount(ctx context.Context, c connection.Connection) (int, error)
	// Notices lists what people were not told yet, those alone that nobody can
	// be told of if undeliverable, behind the key after, and the key to go on
	// behind, "" at the end.
	Notices(ctx context.Context, undeliverable bool, after string, limit int) ([]run.Delivery, string, error)
	// File gives a run's file without its content. NotFound.
	File(ctx context.Context, runID, fileID string) (run.File, error)
	// OpenFile opens a run's file. The caller closes it. NotFound.
	OpenFile(ctx context.Context, runID, fileID string) (run.File, io.ReadCloser, error)
}

// FileLinks gives addresses at which files are fetched directly.
type FileLinks interface {
	// Link gives the address of a file. It works for some minutes, without
	// signing in, and shows pictures while anything else is an attachment.
	Link(ctx context.Context, f run.File) (string, error)
}

// Destinations is what the API does with named destinations; see
// [deliver.Destinations].
type Destinations interface {
	Create(ctx context.Context, id, name, kind string, address secret.Text) (deliver.Destination, error)
	Get(ctx context.Context, id string) (deliver.Destination, error)
	List(ctx context.Context, after string, limit int) ([]deliver.Destination, string, error)
	Edit(ctx context.Context, id string, e deliver.DestinationEdit) (deliver.Destination, error)
	Delete(ctx context.Context, id string, ifVersion int64) error
	// Test sends a short message and gives the destination as it is then.
	Test(ctx context.Context, id string) (deliver.Destination, error)
}

// Requests remembers requests that make something, so that one that comes
// twice makes one thing.
type Requests interface {
	// ClaimRequest keeps id as that of the thing to be made and gives it back,
	// or, when the key was claimed in its scope before, the id that was kept
	// then. Conflict when the digest is not that of the first claim.
	ClaimRequest(ctx context.Context, scope, key, digest, id string, now time.Time) (string, error)
}

// Outbox is the folder of mails that were written instead of sent.
type Outbox interface {
	// List gives the mails that there are, in no particular order: their names,
	// sizes in bytes, and when they were written.
	List(ctx context.Context) ([]fs.FileInfo, error)

	// Open reads a mail in the form of RFC 5322. NotFound when there is none of
	// that name, and for every name that List would not give. The caller closes
	// it.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// tableauWait is how long a call may wait for Tableau. It lies within the 30 s
// after which API Gateway gives up.
const tableauWait = 25 * time.Second

type api struct {
	deps Deps
	log  *slog.Logger
	huma huma.API
}

// New makes the handler of the API.
func New(deps Deps) http.Handler {
	a, routes := registered(deps)
	publish(routes, deps)
	serveConfig(routes, deps.SignIn)
	keepShape(a.huma.OpenAPI().Components.Schemas.Map())
	return a.outermost(dispatch(routes, deps.Page))
}

// registered makes an API with all its operations, as they are published.
func registered(deps Deps) (*api, *http.ServeMux) {
	a := &api{deps: deps, log: deps.Log}
	routes := http.NewServeMux()
	a.huma = humago.New(routes, a.config())

	a.registerConnections()
	a.registerResolve()
	a.registerReports()
	a.registerRuns()
	a.registerDestinations()
	a.registerSchedules()
	if deps.Outbox != nil {
		a.registerOutbox()
	}
	a.registerMe()
	a.registerResume()
	a.registerNotices()
	a.registerHealth()
	return a, routes
}

// config leaves out of huma's defaults what vizpost does itself or does not
// want; see shape.go.
func (a *api) config() huma.Config {
	json := jsonFormat()
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "vizpost", Version: a.deps.Version, Description: introduction},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", Description: "On one machine, the operator's token; on AWS, an access token of the user pool."},
				},
				Responses: map[string]*huma.Response{},
			},
			Tags: tags(a.deps.Outbox != nil),
		},
		Formats:       map[string]huma.Format{"application/json": json, "json": json},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{a.answerInOurForm},
	}
}
