package tableau

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// AccessToken is a personal access token as Tableau lists it, without its
// secret.
type AccessToken struct {
	Name       string
	ID         string
	LastUsedAt time.Time // in UTC; zero when it was never used or Tableau does not say
	ExpiresAt  time.Time // in UTC; zero when Tableau does not say. Not using a token for 15 days ends it sooner
}

// AccessTokens lists the personal access tokens of a user, in one request.
// Everyone may list their own, and only administrators those of others. Tokens
// that have expired or were revoked are not in the list.
//
// Only Tableau Cloud has it, from version 3.21 on; elsewhere the cause is
// [NotSupported]. Source: Tableau REST API reference, "List Personal Access
// Tokens".
func (c *Client) AccessTokens(ctx context.Context, s Session, userID string) ([]AccessToken, error) {
	unsupported := &Error{Op: opTokens, Cause: NotSupported,
		hint: "This Tableau server does not list personal access tokens; Tableau Cloud does since its release 2023.3 (REST API 3.21). Look up when the token expires in Tableau, under My Account Settings, and enter it here."}
	if compareVersions(s.APIVersion, tokenListVersion) < 0 {
		return nil, unsupported
	}
	var a answer
	err := c.call(ctx, request{op: opTokens, method: http.MethodGet,
		url: s.site() + "/users/" + url.PathEscape(userID) + "/personal-access-tokens", token: s.Token}, &a)
	if e, ok := asError(err); ok && e.Cause == NotSupported {
		e.hint = unsupported.hint
	}
	if err != nil {
		return nil, err
	}
	tokens := make([]AccessToken, 0, len(a.Tokens))
	for _, t := range a.Tokens {
		if t.Name == "" {
			continue
		}
		tokens = append(tokens, AccessToken{Name: string(t.Name), ID: string(t.ID), LastUsedAt: t.LastUsedAt.time(), ExpiresAt: t.ExpiresAt.time()})
	}
	return tokens, nil
}
