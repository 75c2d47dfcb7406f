package httpapi

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
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
	Alerts    *alertsJSON                     `json:"alerts,omitempty" doc:"Who is told of problems. Only where connections are read."`
	Reports   *int                            `json:"report_count,omitempty" doc:"How many reports use it. Only where connections are read." example:"4"`
	HeldRuns  *int                            `json:"held_runs,omitempty" doc:"How many runs it holds now. Only where connections are read; in the list, 0 for connections that work." example:"0"`
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
	Equal   bool   `json:"equally_likely,omitempty" doc:"As likely as the cause before it: nothing that is known tells the two apart."`
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
	TokenExpiresOn       optional[string]        `json:"token_expires_on,omitempty" format:"date" doc:"The day on which the personal access token ends. It stands above what Tableau says, until the token signs in after it; null has Tableau's word count again. Does not need auth." example:"2027-05-22"`
	AcceptIdentityChange optional[bool]          `json:"accept_identity_change,omitempty" doc:"Accepts that the credential signs in as another user, or to another site, than before."`
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
		// Neither has white space at its ends, which comes along when it is copied.
		in.TokenName = strings.TrimSpace(in.TokenName)
		c.TokenName, c.Secret = in.TokenName, secret.New(strings.TrimSpace(in.TokenSecret.Reveal()))
		need("token_name", in.TokenName == "")
		need("token_secret", c.Secret.IsZero())
		if strings.Contains(in.TokenName, "==:") {
			// Secrets have this in their middle. Names are shown and stored.
			wrong.Add("auth.token_name", "This looks like a token's secret. Enter the token's name here, and its secret in token_secret.")
		}
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

func (in connectionCreateJSON) settings() connection.Settings {
	var wrong problem.Fields
	credential, expires := in.Auth.credential(&wrong)
	return connection.Settings{Name: in.Name, ServerURL: in.ServerURL, Site: in.Site, Credential: credential,
		Notify: in.Notify, ExpiresAt: expires, Wrong: wrong}
}

func (in connectionPatchJSON) edit() connection.Edit {
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
	if end := in.TokenExpiresOn; end.given {
		var expires time.Time
		if !end.null {
			var err error
			if expires, err = time.Parse(time.DateOnly, end.value); err != nil {
				wrong.Add("token_expires_on", "Give a date, such as 2027-05-22, or null when it is not known.")
			}
		}
		if e.Credential == nil || e.ExpiresAt.IsZero() {
			e.ExpiresAt = &expires
		}
	}
	e.Wrong = wrong
	return e
}
