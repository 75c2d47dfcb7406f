package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
)

type connectionJSON struct {
	ID        string                          `json:"id" example:"01K8ZK3V9T0R6M8Q2C4X5N7B1D"`
	Name      string                          `json:"name" example:"Sales"`
	ServerURL string                          `json:"server_url" example:"https://10ay.online.tableau.com"`
	Site      string                          `json:"site" doc:"The site's name in addresses; empty for the default site of a Tableau Server." example:"acme"`
	Auth      authJSON                        `json:"auth"`
	State     connection.State                `json:"state" enum:"connected,needs_credentials,unreachable,unverified" doc:"Whether the connection can be used. While it is needs_credentials or unreachable, its runs are held." example:"connected"`
	Problem   nullable[connectionProblemJSON] `json:"problem" doc:"Why the connection does not work; null when nothing is wrong."`
	Identity  identityJSON                    `json:"identity"`
	Server    serverJSON                      `json:"server"`
	TokenLife tokenLifeJSON                   `json:"token_life"`
	Notify    []string                        `json:"notify" nullable:"false" doc:"Addresses that are told of problems and warnings." example:"[\"ops@example.com\"]"`
	Version   int64                           `json:"version" doc:"Counts edits by people; for If-Match." example:"3"`
	CreatedAt time.Time                       `json:"created_at"`
	UpdatedAt time.Time                       `json:"updated_at" doc:"When people last edited it."`
}

type authJSON struct {
	Method    tableau.Method `json:"method" enum:"personal_access_token,username_password" example:"personal_access_token"`
	TokenName string         `json:"token_name,omitempty" doc:"Of a personal access token." example:"vizpost"`
	Username  string         `json:"username,omitempty" doc:"With user name and password."`
}

type connectionProblemJSON struct {
	Code    string      `json:"code" doc:"Stable." example:"credentials_rejected"`
	Message string      `json:"message" doc:"What happened."`
	Causes  []causeJSON `json:"causes" nullable:"false" doc:"Explanations, the likeliest first."`
	Since   time.Time   `json:"since"`
}

type causeJSON struct {
	Code    string `json:"code" doc:"Stable." example:"idle"`
	Message string `json:"message"`
	Remedy  string `json:"remedy" doc:"What to do."`
}

type identityJSON struct {
	SiteID   string `json:"site_id" doc:"Tableau's id of the site."`
	UserID   string `json:"user_id" doc:"Tableau's id of the user."`
	UserName string `json:"user_name" doc:"Who the credential signs in as." example:"reports@example.com"`
}

type serverJSON struct {
	ProductVersion string `json:"product_version" example:"2026.2.0"`
	RESTAPIVersion string `json:"rest_api_version" example:"3.29"`
}

type tokenLifeJSON struct {
	ExpiresAt  *time.Time              `json:"expires_at" doc:"When the token ends; null when it is not known."`
	Source     connection.ExpirySource `json:"source" enum:"unknown,tableau,entered" doc:"Where expires_at is known from."`
	LastUsedAt *time.Time              `json:"last_used_at" doc:"Of the last sign-in."`
	IdleUntil  *time.Time              `json:"idle_until" doc:"When Tableau removes the token if nothing signs in until then. vizpost signs in at least every 7 days."`
}

type connectionListJSON struct {
	Connections []connectionJSON `json:"connections" nullable:"false"`
	NextCursor  *string          `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

// secretText is a secret in a request. It is read and never written.
type secretText struct{ secret.Text }

// UnmarshalJSON implements [json.Unmarshaler].
func (s *secretText) UnmarshalJSON(data []byte) error {
	var value string
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	s.Text = secret.New(value)
	return nil
}

// Schema implements [huma.SchemaProvider].
func (secretText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "password", WriteOnly: true}
}

type authInputJSON struct {
	Method      tableau.Method `json:"method" enum:"personal_access_token,username_password" example:"personal_access_token"`
	TokenName   string         `json:"token_name,omitempty" doc:"With personal_access_token: the token's name in Tableau." example:"vizpost"`
	TokenSecret secretText     `json:"token_secret,omitempty" doc:"With personal_access_token: the secret that Tableau showed once."`
	ExpiresOn   string         `json:"expires_on,omitempty" format:"date" doc:"With personal_access_token: the day on which it ends, where Tableau does not tell." example:"2027-05-22"`
	Username    string         `json:"username,omitempty" doc:"With username_password."`
	Password    secretText     `json:"password,omitempty" doc:"With username_password."`
}

type connectionCreateJSON struct {
	Name      string        `json:"name" maxLength:"200" example:"Sales"`
	ServerURL string        `json:"server_url" doc:"The server's address, also as pasted from the browser." example:"https://10ay.online.tableau.com"`
	Site      string        `json:"site,omitempty" doc:"The site's name in addresses, between /site/ and the next slash. Empty for the default site, and where server_url names it." example:"acme"`
	Auth      authInputJSON `json:"auth"`
	Notify    []string      `json:"notify,omitempty" nullable:"false" maxItems:"20" doc:"Addresses that are told of problems and warnings." example:"[\"ops@example.com\"]"`
}

type connectionTestJSON struct {
	Name      string        `json:"name,omitempty" doc:"Not needed to try."`
	ServerURL string        `json:"server_url" doc:"The server's address, also as pasted from the browser." example:"https://10ay.online.tableau.com"`
	Site      string        `json:"site,omitempty" doc:"As for a new connection." example:"acme"`
	Auth      authInputJSON `json:"auth"`
	Notify    []string      `json:"notify,omitempty" nullable:"false" doc:"Not needed to try."`
}

type connectionPatchJSON struct {
	Name                 optional[string]        `json:"name,omitempty" maxLength:"200"`
	ServerURL            optional[string]        `json:"server_url,omitempty" doc:"Only together with auth: a stored secret is never sent to a new address."`
	Site                 optional[string]        `json:"site,omitempty" doc:"Only together with auth."`
	Auth                 optional[authInputJSON] `json:"auth,omitempty" doc:"The whole credential. It is tried first, and replaces the old one only when it works."`
	Notify               optional[[]string]      `json:"notify,omitempty" nullable:"false" maxItems:"20"`
	AcceptIdentityChange optional[bool]          `json:"accept_identity_change,omitempty" doc:"Accepts that the credential signs in as another user, or to another site, than before."`
}

type testResultJSON struct {
	Identity  identityJSON  `json:"identity"`
	Server    serverJSON    `json:"server"`
	TokenLife tokenLifeJSON `json:"token_life"`
}

type connectionTestResultJSON struct {
	Identity  identityJSON     `json:"identity"`
	Server    serverJSON       `json:"server"`
	TokenLife tokenLifeJSON    `json:"token_life"`
	Views     []testedViewJSON `json:"views" nullable:"false" doc:"The views of the connection's reports."`
}

type testedViewJSON struct {
	View    string          `json:"view" doc:"Content URL." example:"Superstore/sheets/Overview"`
	Visible bool            `json:"visible" doc:"Whether this user can see it."`
	Message string          `json:"message,omitempty" doc:"What is wrong, if it cannot be seen."`
	Reports []referenceJSON `json:"reports" nullable:"false" doc:"The reports that export it."`
}

type referenceJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type viewJSON struct {
	ID         string     `json:"id" doc:"Tableau's id of the view."`
	Name       string     `json:"name" example:"Overview"`
	ContentURL string     `json:"content_url" example:"Superstore/sheets/Overview"`
	Workbook   string     `json:"workbook" example:"Superstore"`
	Project    string     `json:"project" example:"Samples"`
	SheetType  string     `json:"sheet_type,omitempty" doc:"Such as dashboard, worksheet or story, where Tableau tells." example:"dashboard"`
	UpdatedAt  *time.Time `json:"updated_at"`
}

type viewListJSON struct {
	Views      []viewJSON `json:"views" nullable:"false"`
	NextCursor *string    `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

func viewOut(v tableau.View) viewJSON {
	return viewJSON{ID: v.ID, Name: v.Name, ContentURL: v.ContentURL, Workbook: v.WorkbookName,
		Project: v.ProjectName, SheetType: v.SheetType, UpdatedAt: moment(v.UpdatedAt)}
}

func connectionOut(c connection.Connection) connectionJSON {
	out := connectionJSON{
		ID: c.ID, Name: c.Name, ServerURL: c.ServerURL, Site: c.Site,
		Auth:     authJSON{Method: c.Auth.Method, TokenName: c.Auth.TokenName, Username: c.Auth.Username},
		State:    c.State,
		Identity: identityJSON(c.Identity), Server: serverJSON(c.Server), TokenLife: tokenLifeOut(c.TokenLife, c.Auth.Method),
		Notify: list(c.Notify), Version: c.Version, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
	if p := c.Problem; p != nil {
		trouble := connectionProblemJSON{Code: p.Code, Message: p.Message, Causes: []causeJSON{}, Since: p.Since.UTC()}
		for _, cause := range p.Causes {
			trouble.Causes = append(trouble.Causes, causeJSON(cause))
		}
		out.Problem.value = &trouble
	}
	return out
}

func tokenLifeOut(l connection.TokenLife, method tableau.Method) tokenLifeJSON {
	source := l.Source
	if source == "" {
		source = connection.ExpiryUnknown
	}
	return tokenLifeJSON{ExpiresAt: moment(l.ExpiresAt), Source: source, LastUsedAt: moment(l.LastUsedAt), IdleUntil: moment(l.IdleUntil(method))}
}

func testResultOut(r connection.TestResult) testResultJSON {
	return testResultJSON{Identity: identityJSON(r.Identity), Server: serverJSON(r.Server), TokenLife: tokenLifeOut(r.TokenLife, r.Auth.Method)}
}

// moment gives a time in UTC, null when it is zero.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// list is never null in JSON.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// credential checks the form of a credential: that it is whole, and of one
// method. What is in it is judged by the service.
func (in authInputJSON) credential(wrong *problem.Fields) (tableau.Credential, time.Time) {
	c := tableau.Credential{Method: in.Method}
	var expires time.Time
	foreign := func(name string, given bool) {
		if given {
			wrong.Add("auth."+name, "This does not belong to the method %s. Leave it out.", in.Method)
		}
	}
	need := func(name string, missing bool) {
		if missing {
			wrong.Add("auth."+name, "This is missing. A credential is always given whole.")
		}
	}
	switch in.Method {
	case tableau.PersonalAccessToken:
		c.TokenName, c.Secret = in.TokenName, in.TokenSecret.Text
		need("token_name", in.TokenName == "")
		need("token_secret", in.TokenSecret.IsZero())
		foreign("username", in.Username != "")
		foreign("password", !in.Password.IsZero())
		if in.ExpiresOn != "" {
			var err error
			if expires, err = time.Parse(time.DateOnly, in.ExpiresOn); err != nil {
				wrong.Add("auth.expires_on", "Give a date, such as 2027-05-22.")
			}
		}
	case tableau.UsernamePassword:
		c.Username, c.Secret = in.Username, in.Password.Text
		need("username", in.Username == "")
		need("password", in.Password.IsZero())
		foreign("token_name", in.TokenName != "")
		foreign("token_secret", !in.TokenSecret.IsZero())
		foreign("expires_on", in.ExpiresOn != "")
	default:
		wrong.Add("auth.method", "Choose %s or %s.", tableau.PersonalAccessToken, tableau.UsernamePassword)
	}
	return c, expires
}

func (in connectionCreateJSON) settings() (connection.Settings, error) {
	var wrong problem.Fields
	credential, expires := in.Auth.credential(&wrong)
	return connection.Settings{Name: in.Name, ServerURL: in.ServerURL, Site: in.Site, Credential: credential,
		Notify: in.Notify, ExpiresAt: expires}, wrong.Err()
}

func (in connectionPatchJSON) edit() (connection.Edit, error) {
	var wrong problem.Fields
	e := connection.Edit{
		Name: in.Name.pointer("name", &wrong), ServerURL: in.ServerURL.pointer("server_url", &wrong),
		Site: in.Site.pointer("site", &wrong), Notify: in.Notify.pointer("notify", &wrong),
		AcceptIdentityChange: in.AcceptIdentityChange.value,
	}
	if auth := in.Auth.pointer("auth", &wrong); auth != nil {
		credential, expires := auth.credential(&wrong)
		// Also without a day: that of the old token says nothing of the new one.
		e.Credential, e.ExpiresAt = &credential, &expires
	}
	return e, wrong.Err()
}

func (a *api) registerConnections() {
	const tag = tagConnections
	credential := map[string]any{"method": "personal_access_token", "token_name": "vizpost", "token_secret": "…"}
	example := map[string]any{"name": "Sales", "server_url": "https://10ay.online.tableau.com", "site": "acme", "auth": credential}

	register(a, operation{id: "list-connections", method: http.MethodGet, path: "/v1/connections", tag: tag, role: Viewer,
		summary: "List connections", detail: "In the order in which they were made."},
		func(ctx context.Context, in *struct{ Paging }) (*plain[connectionListJSON], error) {
			after, err := in.after()
			if err != nil {
				return nil, err
			}
			found, next, err := a.deps.Connections.List(ctx, after, in.Limit)
			if err != nil {
				return nil, err
			}
			out := connectionListJSON{Connections: []connectionJSON{}, NextCursor: cursor(next)}
			for _, c := range found {
				out.Connections = append(out.Connections, connectionOut(c))
			}
			return &plain[connectionListJSON]{out}, nil
		})

	register(a, operation{id: "create-connection", method: http.MethodPost, path: "/v1/connections", tag: tag, role: Admin,
		status: http.StatusCreated, waits: true, example: example,
		summary: "Connect to a Tableau site",
		detail:  "Signs in with the credential first; the connection is stored only when that works. The secret is kept and never shown again. A personal access token belongs to one connection: a second connection with it is refused (409, code token_in_use)."},
		func(ctx context.Context, in *struct {
			Idempotent
			Body connectionCreateJSON
		}) (*made[connectionJSON], error) {
			settings, err := in.Body.settings()
			if err != nil {
				return nil, err
			}
			c, err := create(ctx, a, "connection", in.Idempotent, in.Body,
				func(id string) (connection.Connection, error) { return a.deps.Connections.Create(ctx, id, settings) },
				func(id string) (connection.Connection, error) { return a.deps.Connections.Get(ctx, id) })
			if err != nil {
				return nil, err
			}
			return &made[connectionJSON]{ETag: etag(c.Version), Location: "/v1/connections/" + c.ID, Body: connectionOut(c)}, nil
		})

	register(a, operation{id: "get-connection", method: http.MethodGet, path: "/v1/connections/{id}", tag: tag, role: Viewer,
		summary: "Read a connection", detail: "Its state, who it signs in as, and what is known of its token's life. Never its secret."},
		func(ctx context.Context, in *struct{ ByID }) (*one[connectionJSON], error) {
			c, err := a.deps.Connections.Get(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &one[connectionJSON]{ETag: etag(c.Version), Body: connectionOut(c)}, nil
		})

	register(a, operation{id: "edit-connection", method: http.MethodPatch, path: "/v1/connections/{id}", tag: tag, role: Admin,
		waits: true, example: map[string]any{"auth": credential}, fails: []int{http.StatusConflict},
		summary: "Edit a connection, or change its credential",
		detail:  "What is left out stays. A new credential is tried first and replaces the old one only when it works; id and reports stay. Signing in as another user, or to another site, than before is refused (409, code identity_change) unless accept_identity_change is true."},
		func(ctx context.Context, in *struct {
			ByVersion
			Body connectionPatchJSON
		}) (*one[connectionJSON], error) {
			edit, err := in.Body.edit()
			if err != nil {
				return nil, err
			}
			if edit.IfVersion, err = in.version(); err != nil {
				return nil, err
			}
			c, err := a.deps.Connections.Edit(ctx, in.ID, edit)
			if err != nil {
				return nil, err
			}
			return &one[connectionJSON]{ETag: etag(c.Version), Body: connectionOut(c)}, nil
		})

	register(a, operation{id: "delete-connection", method: http.MethodDelete, path: "/v1/connections/{id}", tag: tag, role: Admin,
		fails:   []int{http.StatusConflict},
		summary: "Delete a connection", detail: "Refused while reports use it (409, code in_use). Its secret is removed."},
		func(ctx context.Context, in *struct{ ByVersion }) (*struct{}, error) {
			version, err := in.version()
			if err != nil {
				return nil, err
			}
			return nil, a.deps.Connections.Delete(ctx, in.ID, version)
		})

	register(a, operation{id: "test-settings", method: http.MethodPost, path: "/v1/connections/test", tag: tag, role: Admin,
		waits: true, example: example, fails: []int{http.StatusConflict},
		summary: "Try settings without storing them",
		detail:  "Signs in and says as whom. A token that a connection has already is tried through that connection's session, so nothing is disturbed."},
		func(ctx context.Context, in *struct{ Body connectionTestJSON }) (*plain[testResultJSON], error) {
			settings, err := connectionCreateJSON(in.Body).settings()
			if err != nil {
				return nil, err
			}
			if settings.Name == "" {
				settings.Name = "test"
			}
			result, err := a.deps.Connections.TestSettings(ctx, settings)
			if err != nil {
				return nil, err
			}
			return &plain[testResultJSON]{testResultOut(result)}, nil
		})

	register(a, operation{id: "test-connection", method: http.MethodPost, path: "/v1/connections/{id}/test", tag: tag, role: Admin,
		waits: true, fails: []int{http.StatusConflict},
		summary: "Test a connection",
		detail:  "Uses the session that there is, so it disturbs no export. Success restores a broken connection. Also says which of its reports' views its user can see."},
		func(ctx context.Context, in *struct{ ByID }) (*plain[connectionTestResultJSON], error) {
			result, err := a.deps.Connections.Test(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			views, err := a.testViews(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			r := testResultOut(result)
			return &plain[connectionTestResultJSON]{connectionTestResultJSON{r.Identity, r.Server, r.TokenLife, views}}, nil
		})

	a.registerViews()
}

// testViews tells for each view of a connection's reports whether it can be
// seen.
func (a *api) testViews(ctx context.Context, connectionID string) ([]testedViewJSON, error) {
	tested := []testedViewJSON{}
	places := map[string]int{}
	for after := ""; ; {
		reports, next, err := a.deps.Reports.List(ctx, connectionID, after, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, r := range reports {
			tested = addViews(tested, places, r)
		}
		if next == "" {
			break
		}
		after = next
	}

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range tested {
		group.Go(func() error {
			_, _, err := a.deps.Connections.Resolve(ctx, connectionID, tested[i].View)
			var p *problem.Error
			switch {
			case err == nil:
				tested[i].Visible = true
			case errors.As(err, &p) && (p.Code == problem.CodeInvalid || p.Code == problem.CodeViewNotFound):
				tested[i].Message = p.Message
				if len(p.Fields) > 0 {
					tested[i].Message = p.Fields[0].Message
				}
			default:
				return fmt.Errorf("looking for a report's view: %w", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return tested, nil
}

// addViews notes a report under each of its views. places has the index of
// those that are noted.
func addViews(tested []testedViewJSON, places map[string]int, r report.Report) []testedViewJSON {
	for _, c := range r.Content {
		i, ok := places[c.Address()]
		if !ok {
			i = len(tested)
			places[c.Address()] = i
			tested = append(tested, testedViewJSON{View: c.Address(), Reports: []referenceJSON{}})
		}
		refer := referenceJSON{ID: r.ID, Name: r.Name}
		if !slices.Contains(tested[i].Reports, refer) {
			tested[i].Reports = append(tested[i].Reports, refer)
		}
	}
	return tested
}

func (a *api) registerViews() {
	register(a, operation{id: "list-views", method: http.MethodGet, path: "/v1/connections/{id}/views", tag: tagConnections, role: Viewer, waits: true,
		summary: "List the site's views", detail: "Those that the connection's user can see, to pick from. The list may be some minutes old."},
		func(ctx context.Context, in *struct {
			ByID
			Search string `query:"search" maxLength:"200" doc:"Only views in whose name, workbook or project this text occurs."`
			Paging
		}) (*plain[viewListJSON], error) {
			after, err := in.after()
			if err != nil {
				return nil, err
			}
			start := 0
			if after != "" {
				if start, err = strconv.Atoi(after); err != nil || start < 0 {
					return nil, problem.InvalidField("cursor", "Send the next_cursor of the answer before, unchanged.")
				}
			}
			views, err := a.deps.Connections.Views(ctx, in.ID, strings.TrimSpace(in.Search))
			if err != nil {
				return nil, err
			}
			start = min(start, len(views))
			end := min(start+in.Limit, len(views))
			out := viewListJSON{Views: []viewJSON{}}
			for _, v := range views[start:end] {
				out.Views = append(out.Views, viewOut(v))
			}
			if end < len(views) {
				out.NextCursor = cursor(strconv.Itoa(end))
			}
			return &plain[viewListJSON]{out}, nil
		})

	register(a, operation{id: "preview-view", method: http.MethodGet, path: "/v1/connections/{id}/views/{view_id}/preview", tag: tagConnections, role: Viewer, waits: true,
		produces: []string{"image/png"},
		summary:  "See a view's thumbnail", detail: "A small picture (PNG) that Tableau keeps of the view; it may be older than its data."},
		func(ctx context.Context, in *struct {
			ByID
			ViewID string `path:"view_id" maxLength:"64" doc:"Tableau's id of the view."`
		}) (*picture, error) {
			var b bytes.Buffer
			if err := a.deps.Connections.Preview(ctx, in.ID, in.ViewID, limited{&b, maxPreview}); err != nil {
				return nil, err
			}
			return &picture{ContentType: "image/png", ContentSecurityPolicy: untrustedContent, Body: b.Bytes()}, nil
		})
}

// maxPreview bounds a thumbnail, in bytes; Tableau's are some 10 KB.
const maxPreview = 5 << 20

// picture is the answer of a small picture.
type picture struct {
	ContentType           string `header:"Content-Type" hidden:"true"`
	ContentSecurityPolicy string `header:"Content-Security-Policy" hidden:"true"`
	Body                  []byte
}

// limited writes to a buffer until it would become too large.
type limited struct {
	b    *bytes.Buffer
	most int
}

func (l limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > l.most {
		return 0, errors.New("the picture is too large")
	}
	return l.b.Write(p)
}
