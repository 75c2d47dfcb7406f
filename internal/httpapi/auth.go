package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

// Role is what a caller may do. Each role may do what those before it may.
type Role int

// The roles. The zero Role may do nothing.
const (
	NoRole Role = iota
	Viewer      // reads reports, runs and their files, without Bcc
	Editor      // sees all views, changes reports and destinations, and runs reports
	Admin       // changes connections
)

// String gives the role's name, as the groups of users have it.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Editor:
		return "editor"
	case Admin:
		return "admin"
	default:
		return "none"
	}
}

// Principal is who calls.
type Principal struct {
	Subject string // names the caller in the log; no secret
	Name    string // names the caller to people: an email address, or "operator"
	Role    Role
}

// BearerToken recognises the one operator of a machine by a token in the
// Authorization header, and makes them admin. The comparison takes the same
// time wherever the tokens differ. An empty token lets nobody in.
func BearerToken(token secret.Text) func(*http.Request) (Principal, error) {
	want := sha256.Sum256([]byte(token.Reveal()))
	return func(r *http.Request) (Principal, error) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || given == "" {
			return Principal{}, problem.New(problem.Unauthenticated, problem.CodeUnauthenticated,
				"Sign in: send the header Authorization: Bearer with your token.")
		}
		got := sha256.Sum256([]byte(given))
		if token.IsZero() || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return Principal{}, problem.New(problem.Unauthenticated, problem.CodeUnauthenticated,
				"The token is not the right one. Use the token that belongs to this installation.")
		}
		return Principal{Subject: "operator", Name: "operator", Role: Admin}, nil
	}
}

// authorize finds out who calls and whether they may do what needs a role.
func (a *api) authorize(r *http.Request, needs Role) (Principal, error) {
	who, err := a.deps.Authenticate(r)
	if err != nil {
		return Principal{}, err
	}
	if who.Role < needs {
		return who, problem.Newf(problem.Forbidden, problem.CodeForbidden,
			"This needs the role %s; you have the role %s. Ask an administrator.", needs, who.Role)
	}
	return who, nil
}
