package gateway

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/vizpost/vizpost/internal/aws/admission"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/problem"
)

// claims are what the token says that API Gateway's authorizer has checked:
// signature, issuer, client and life. API Gateway gives all values as text,
// lists like "[admin editor]"; emulators give numbers and lists as they are in
// the token.
type claims map[string]any

type claimsKey struct{}

// text gives a claim; "" when it is missing or no text.
func (c claims) text(name string) string {
	s, ok := c[name].(string)
	if !ok {
		return ""
	}
	return s
}

// list returns a claim that is a list of texts. API Gateway writes one as
// "[admin editor]": names of groups hold no white space (Amazon Cognito API
// reference, CreateGroup), but commas, quotes and brackets, so nothing else
// separates them. Any other text is no list.
func (c claims) list(name string) []string {
	switch value := c[name].(type) {
	case []any:
		var items []string
		for _, v := range value {
			if s, ok := v.(string); ok {
				items = append(items, s)
			}
		}
		return items
	case string:
		if inner, ok := strings.CutPrefix(value, "["); ok {
			if inner, ok := strings.CutSuffix(inner, "]"); ok {
				return strings.Split(inner, " ")
			}
		}
	}
	return nil
}

// The claims of Amazon Cognito's access tokens (Amazon Cognito developer guide,
// Understanding the access token), and the one that package admission adds.
const (
	tokenUse = "token_use"
	issuer   = "iss"
	clientID = "client_id"
	groups   = "cognito:groups"
	subject  = "sub"
	username = "username" // no name that people know
)

// Pool is the user pool whose access tokens are taken, and the client that they
// are for.
type Pool struct {
	Issuer string // such as https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example
	Client string
}

// Authenticate finds out who calls from the claims of a request that came
// through [Handler]. The groups admin, editor and viewer are the roles. It does
// not rely on there being an authorizer, nor on it being set up rightly: without
// claims, and with those of another pool or client, nobody is let in.
func (p Pool) Authenticate(r *http.Request) (httpapi.Principal, error) {
	c, _ := r.Context().Value(claimsKey{}).(claims)
	who := httpapi.Principal{Subject: c.text(subject), Name: cmp.Or(c.text(admission.Name), c.text(username), c.text(subject))}
	refused := func(message string) (httpapi.Principal, error) {
		return httpapi.Principal{}, problem.New(problem.Unauthenticated, problem.CodeUnauthenticated, message)
	}
	if len(c) == 0 || who.Subject == "" {
		return refused("Sign in: send the header Authorization: Bearer with an access token of the user pool.")
	}
	if c.text(tokenUse) != "access" {
		return refused("This is not an access token. Send the user pool's access token, not the ID token.")
	}
	if p.Issuer == "" || p.Client == "" || c.text(issuer) != p.Issuer || c.text(clientID) != p.Client {
		return refused("This token is for something else. Send an access token of this installation's user pool and client.")
	}
	for _, group := range c.list(groups) {
		for _, role := range []httpapi.Role{httpapi.Viewer, httpapi.Editor, httpapi.Admin} {
			if group == role.String() {
				who.Role = max(who.Role, role)
			}
		}
	}
	return who, nil
}
