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

// list gives a claim that is a list of texts.
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
		return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(`[]", `, r) })
	}
	return nil
}

// The claims of Amazon Cognito's access tokens (Amazon Cognito developer guide,
// Understanding the access token), and the one that package admission adds.
const (
	tokenUse = "token_use"
	groups   = "cognito:groups"
	subject  = "sub"
	username = "username" // no name that people know
)

// Authenticate finds out who calls from the claims of a request that came
// through [Handler]. The groups admin, editor and viewer are the roles. It does
// not rely on there being an authorizer: without claims nobody is let in.
func Authenticate(r *http.Request) (httpapi.Principal, error) {
	c, _ := r.Context().Value(claimsKey{}).(claims)
	who := httpapi.Principal{Subject: c.text(subject), Name: cmp.Or(c.text(admission.Name), c.text(username), c.text(subject))}
	if len(c) == 0 || who.Subject == "" {
		return httpapi.Principal{}, problem.New(problem.Unauthenticated, problem.CodeUnauthenticated,
			"Sign in: send the header Authorization: Bearer with an access token of the user pool.")
	}
	if c.text(tokenUse) != "access" {
		return httpapi.Principal{}, problem.New(problem.Unauthenticated, problem.CodeUnauthenticated,
			"This is not an access token. Send the user pool's access token, not the ID token.")
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
