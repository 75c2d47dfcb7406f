package connection

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Settings are what somebody enters to make or try a connection.
type Settings struct {
	Name       string
	ServerURL  string // also as pasted from a browser
	Site       string
	Credential tableau.Credential
	Notify     []string
	ExpiresAt  time.Time // end of the token as a person entered it; zero when unknown

	Wrong problem.Fields // what is wrong already, to be told together with all else
}

// Edit says what to change; what is nil stays.
type Edit struct {
	Name       *string
	ServerURL  *string
	Site       *string
	Notify     *[]string
	Credential *tableau.Credential
	ExpiresAt  *time.Time

	AcceptIdentityChange bool  // another user or site than before is meant
	IfVersion            int64 // the version that is edited; 0 for whichever there is

	Wrong problem.Fields // what is wrong already, to be told together with all else
}

// check validates settings and puts them in their stored form. All wrong
// fields are told at once, and no value is repeated.
func (s *Service) check(ctx context.Context, in Settings, withCredential bool) (Settings, error) {
	fields := slices.Clone(in.Wrong)
	in.Name = strings.TrimSpace(in.Name)
	checkName(&fields, in.Name)

	server, site, err := tableau.NormalizeServerURL(in.ServerURL)
	if err != nil {
		fields.AddErr("", fieldNamed("server_url", err))
	} else if withCredential { // which would be sent there
		if err := s.CheckServer(ctx, server); err != nil {
			fields.AddErr("", fieldNamed("server_url", err))
		}
	}
	in.ServerURL = server
	in.Site = strings.TrimSpace(in.Site)
	if in.Site == "" {
		in.Site = site
	}
	if len(in.Site) > 255 || strings.ContainsAny(in.Site, "/?#\\ ") || hasControl(in.Site) {
		fields.Add("site", "Give the site's part of the address in the browser, between /site/ and the next slash. Leave it empty for the default site.")
	}
	in.Notify = checkNotify(&fields, in.Notify)
	formless := slices.ContainsFunc(in.Wrong, func(f problem.Field) bool { return strings.HasPrefix(f.Name, "auth") })
	if withCredential && !formless {
		checkCredential(&fields, in.Credential)
	}
	return in, fields.Err()
}

func checkCredential(fields *problem.Fields, c tableau.Credential) {
	text := func(name, value string) {
		switch {
		case value == "":
			fields.Add("auth."+name, "This is missing.")
		case len(value) > 1024 || !utf8.ValidString(value) || hasControl(value):
			fields.Add("auth."+name, "This must be one line of at most 1024 bytes.")
		}
	}
	switch c.Method {
	case tableau.PersonalAccessToken:
		text("token_name", c.TokenName)
		text("token_secret", c.Secret.Reveal())
	case tableau.UsernamePassword:
		text("username", c.Username)
		text("password", c.Secret.Reveal())
	default:
		fields.Add("auth.method", "Choose %s or %s.", tableau.PersonalAccessToken, tableau.UsernamePassword)
	}
}

const maxNotify = 20

// checkNotify puts addresses that are told of problems in their stored form.
func checkNotify(fields *problem.Fields, addresses []string) []string {
	list, err := address.List(addresses)
	if err != nil {
		fields.AddErr("notify", err)
	}
	if len(list) > maxNotify {
		fields.Add("notify", "At most %d addresses are possible.", maxNotify)
	}
	return list
}

const maxName = 200 // characters

func checkName(fields *problem.Fields, name string) {
	switch {
	case name == "":
		fields.Add("name", "Give the connection a name.")
	case utf8.RuneCountInString(name) > maxName:
		fields.Add("name", "A name has at most %d characters.", maxName)
	case !utf8.ValidString(name) || hasControl(name):
		fields.Add("name", "A name is one line of text without control characters.")
	}
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// fieldNamed puts the text of an error under a field.
func fieldNamed(name string, err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		if len(p.Fields) > 0 {
			return problem.InvalidField(name, p.Fields[0].Message)
		}
		return problem.InvalidField(name, p.Message)
	}
	var m interface{ Message() string }
	if errors.As(err, &m) {
		return problem.InvalidField(name, m.Message())
	}
	return problem.InvalidField(name, err.Error())
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
