package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// SignIn is how people sign in on the page. The zero SignIn is by the
// operator's token.
type SignIn struct {
	Domain    string   // address of the user pool's sign-in pages, such as https://x.auth.eu-central-1.amazoncognito.com
	Issuer    string   // whom the pool's tokens name as theirs
	ClientID  string   // the page's, in the pool
	Providers []string // "cognito" for the pool's own users, "slack"
}

// Installation is what /v1/me says of the one that answers.
type Installation struct {
	Mode     string // "local" or "aws"
	Mail     string // where mail goes: "outbox", "smtp" or "ses"
	TimeZone string // IANA name of the one that new schedules begin with

	Retention *Retention // nil where vizpost itself deletes nothing

	Administrators []string // who is told of what goes wrong where nobody else is named

	// SlackRole is what members of the Slack workspace may do who are in no
	// group: "viewer", "editor" or "none"; "" where nobody signs in with Slack.
	SlackRole string
}

// Retention is how long an installation keeps what is finished.
type Retention struct {
	Days     int
	From     time.Time // when the first thing may be deleted
	Upgraded bool      // it came into force with an upgrade
}

type retentionJSON struct {
	Days     int       `json:"days" doc:"For how many days runs, deliveries, files and mails in the outbox are kept after they are finished." example:"90"`
	From     time.Time `json:"from" doc:"Nothing is deleted before this time."`
	Upgraded bool      `json:"upgraded" doc:"Whether it came into force with an upgrade, for what was there already."`
}

type configJSON struct {
	SignIn signInJSON `json:"sign_in"`
}

type signInJSON struct {
	Type      string   `json:"type"` // token or cognito
	Domain    string   `json:"domain,omitempty"`
	Issuer    string   `json:"issuer,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Providers []string `json:"providers,omitempty"`
}

// serveConfig answers what the page must know before anybody has signed in.
// There is no secret in it.
func serveConfig(routes *http.ServeMux, s SignIn) {
	config := configJSON{signInJSON{Type: "token"}}
	if s.Domain != "" {
		config.SignIn = signInJSON{Type: "cognito", Domain: strings.TrimSuffix(s.Domain, "/"), Issuer: s.Issuer, ClientID: s.ClientID, Providers: s.Providers}
	}
	body, err := json.Marshal(config)
	if err != nil {
		panic("httpapi: the page's settings cannot be encoded: " + err.Error()) // plain data: a defect
	}
	routes.HandleFunc("GET /config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // nobody is left to be told
	})
}

type meJSON struct {
	Name         string           `json:"name" doc:"Who calls: an email address, or operator on one machine." example:"ana@example.com"`
	Role         string           `json:"role" enum:"viewer,editor,admin" example:"admin"`
	Installation installationJSON `json:"installation"`
}

type installationJSON struct {
	Mode     string `json:"mode" enum:"local,aws" doc:"Whether this is one machine or an AWS account."`
	Mail     string `json:"mail" enum:"outbox,smtp,ses" doc:"Where mail goes; in the outbox it is written and not sent."`
	Version  string `json:"version" doc:"Of vizpost." example:"v1.2.0"`
	TimeZone string `json:"time_zone" doc:"IANA name of the time zone that new schedules begin with." example:"Europe/Berlin"`

	Retention *retentionJSON `json:"retention,omitempty" doc:"How long what is finished is kept; absent where everything is kept, or AWS deletes."`

	Paused *pausedJSON `json:"paused,omitempty" doc:"Present while an installation that was restored from a backup waits to be resumed: nothing is scheduled, sent or signed in."`

	SlackRole string `json:"slack_role,omitempty" enum:"viewer,editor,none" doc:"The role of members of the Slack workspace who are in no group; absent where nobody signs in with Slack."`
}

func (a *api) registerMe() {
	register(a, operation{id: "me", method: http.MethodGet, path: "/v1/me", tag: tagMe, role: Viewer,
		summary: "See who calls", detail: "Gives the caller's name and role, and what installation answers."},
		a.me)
}

func (a *api) me(ctx context.Context, _ *struct{}) (*plain[meJSON], error) {
	who, i := callOf(ctx).who, a.deps.Installation
	paused, err := a.paused(ctx)
	if err != nil {
		return nil, err
	}
	var retention *retentionJSON
	if r := i.Retention; r != nil {
		retention = &retentionJSON{Days: r.Days, From: r.From.UTC(), Upgraded: r.Upgraded}
	}
	return &plain[meJSON]{meJSON{Name: who.Name, Role: who.Role.String(),
		Installation: installationJSON{Mode: i.Mode, Mail: i.Mail, Version: a.deps.Version, TimeZone: i.TimeZone, Paused: paused, Retention: retention, SlackRole: i.SlackRole}}}, nil
}
