package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

// Public is what the part of the API is made of that needs no sign-in.
type Public struct {
	Page    http.Handler // answers what is not the API; nil: there is none
	SignIn  SignIn       // how people sign in on the page
	Now     func() time.Time
	NewID   func() string
	Log     *slog.Logger
	Version string
}

// NewPublic makes the handler of what needs no sign-in: the page and its
// settings, the API's description, and that it answers. It has no services, and lets nobody in to
// what would need them.
func NewPublic(p Public) http.Handler {
	return New(Deps{Page: p.Page, SignIn: p.SignIn, Now: p.Now, NewID: p.NewID, Log: p.Log, Version: p.Version,
		Authenticate: func(*http.Request) (Principal, error) {
			return Principal{}, problem.New(problem.Unauthenticated, problem.CodeUnauthenticated,
				"Sign in, and call the API's own address: this one serves what is public.")
		}})
}
