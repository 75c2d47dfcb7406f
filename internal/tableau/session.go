package tableau

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

// ServerInfo is what a server says of itself.
type ServerInfo struct {
	ProductVersion string // such as "2026.2.0"
	Build          string // such as "20262.26.0601.1010"
	RESTAPIVersion string // the newest that the server speaks, such as "3.29"
}

// Method is a way to sign in.
type Method string

// The methods.
const (
	PersonalAccessToken Method = "personal_access_token"
	UsernamePassword    Method = "username_password"
)

// Credential is what signs in.
type Credential struct {
	Method    Method
	TokenName string      // with PersonalAccessToken
	Username  string      // with UsernamePassword
	Secret    secret.Text // the token's secret or the password
}

// Session is a sign-in that has succeeded. It is a plain value: whoever holds it
// can make calls until Tableau ends it, which it does after about two hours on
// Tableau Cloud and four on Tableau Server, when the same token signs in again,
// and sometimes without a reason. A call then fails with the cause
// [SessionEnded].
type Session struct {
	ServerURL      string // the host that signed in, after redirects; all calls go there
	APIVersion     string // version of the REST API to speak, such as "3.27"
	ProductVersion string // such as "2025.3.3"
	SiteID         string
	SiteContentURL string // the site's slug; "" is the default site of a Tableau Server
	UserID         string
	Token          secret.Text

	// TokenExpiresIn is how long the personal access token itself, not the
	// session, still lives, as Tableau estimates; 0 when it gave no estimate,
	// as for a password.
	TokenExpiresIn time.Duration
}

// User is a user of a site.
type User struct {
	ID       string
	Name     string // what the user signs in with
	FullName string
	SiteRole string // such as "Viewer" or "ExplorerCanPublish"
}

// ServerInfo asks the server for its versions: one request without a session,
// and one more for each redirect to an address of the same server. Where the
// address has http:// and what answers is no Tableau server, https:// is tried
// once. Every version has it.
//
// What answers and is no Tableau server has the cause [NotTableau], with a
// message that names what it is as far as it shows. Source: Tableau REST API
// reference, "Server Info".
func (c *Client) ServerInfo(ctx context.Context) (ServerInfo, error) {
	info, _, err := c.serverInfo(ctx)
	return info, err
}

// maxRedirects is how many redirects in a row a call follows.
const maxRedirects = 5

// serverInfo also gives the base URL that answered. Where http:// was typed for
// a server that speaks https there, it finds that out before anything secret is
// sent.
func (c *Client) serverInfo(ctx context.Context) (ServerInfo, string, error) {
	info, base, err := c.serverInfoAt(ctx, c.base)
	e, ok := asError(err)
	if !ok {
		return info, base, err
	}
	if rest, plain := strings.CutPrefix(c.base, "http://"); plain && maySpeakTLS(e) {
		if info, base, err := c.serverInfoAt(ctx, "https://"+rest); err == nil {
			return info, base, nil
		}
	}
	if c.upgraded && maySpeakTLS(e) && e.Status == 0 {
		e.hint = "The server does not answer over https at this address, and http:// is only for private networks that the administrator has listed in VIZPOST_PRIVATE_NETWORKS, since it would show the credential to everyone on the way. Check the address and its port."
	}
	return ServerInfo{}, "", err
}

// maySpeakTLS reports whether a failure is one that a server of https gives to
// http, itself or by a proxy, or the other way round.
func maySpeakTLS(e *Error) bool {
	switch e.Cause {
	case NotTableau, Unreachable, ServerError, MalformedRequest, BadParameter:
		return e.Code == ""
	}
	return false
}

func (c *Client) serverInfoAt(ctx context.Context, base string) (ServerInfo, string, error) {
	var a answer
	base, err := c.follow(ctx, base, request{op: opServerInfo, method: http.MethodGet}, "/api/"+serverInfoVersion+"/serverinfo", &a)
	if err != nil {
		return ServerInfo{}, "", err
	}
	info := ServerInfo{
		ProductVersion: strings.TrimSpace(string(a.ServerInfo.Product.Value)),
		Build:          strings.TrimSpace(string(a.ServerInfo.Product.Build)),
		RESTAPIVersion: strings.TrimSpace(string(a.ServerInfo.APIVersion)),
	}
	if _, _, ok := parseVersion(info.RESTAPIVersion); !ok {
		return ServerInfo{}, "", &Error{Op: opServerInfo, Status: http.StatusOK, Cause: NotTableau}
	}
	return info, base, nil
}

// follow makes a call that needs no session and follows redirects, with the same
// method and body, as far as mayFollow allows. It gives the base URL that
// answered.
func (c *Client) follow(ctx context.Context, base string, r request, path string, into *answer) (string, error) {
	for range maxRedirects {
		r.url = base + path
		next, err := c.callOnce(ctx, r, into)
		if err != nil {
			return "", err
		}
		if next == "" {
			return base, nil
		}
		base = next
	}
	return "", &Error{Op: r.op, Cause: NotTableau, hint: "This address leads in a circle. Use the address that you see in the browser when you are signed in to Tableau."}
}

// callOnce is call, except that a redirect that may be followed gives the base
// URL to call next.
func (c *Client) callOnce(ctx context.Context, r request, into *answer) (string, error) {
	ctx, cancel := withTimeout(ctx, c.options.CallTimeout)
	defer cancel()
	r.accept = acceptJSON
	resp, err := c.send(ctx, r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if location := redirectTarget(resp); location != nil && c.mayFollow(resp.Request.URL, location, r.body != nil) {
		return baseURL(location), nil
	}
	if err := c.checkStatus(ctx, r, resp); err != nil {
		return "", err
	}
	return "", c.decode(ctx, r, resp, into)
}

// mayFollow reports whether a redirect of a call without a session is followed:
// never from https to http, and only to the same host or to a pod of Tableau
// Cloud; with a credential only to https. A redirect within the same base URL
// leads to a page, not to the API.
func (c *Client) mayFollow(from, to *url.URL, credential bool) bool {
	sameHost := strings.EqualFold(from.Hostname(), to.Hostname())
	switch {
	case to.User != nil || to.Hostname() == "" || baseURL(from) == baseURL(to):
		return false
	case to.Scheme == "https":
		return sameHost || isTableauCloud(to.Hostname())
	case to.Scheme == "http":
		return !credential && sameHost && from.Scheme == "http" && plainAllowed(baseURL(to), c.options.AllowPlainHTTP)
	default:
		return false
	}
}

// SignIn starts a session. It makes two requests, server info and sign in, and
// one more for each redirect that it follows: to https on the same host, or to a
// pod of Tableau Cloud. The session stays with the host that answered last. Site
// is the site's slug as in its addresses; "" is the
// default site.
//
// Signing in with a personal access token ends that token's session before.
// Tableau counts failed sign-ins and locks the account after a few, so an error
// with the cause [CredentialsRejected] must not be retried: Tableau gives the same
// answer for a wrong name, secret or site, a token that has expired or was
// revoked, a locked account, and a password where it wants multi-factor or single
// sign-on. After an error with Retry set, whether a session was started is not
// known.
//
// A personal access token needs version 3.6, a password 2.8; below, the cause is
// [NotSupported] and the credential is not sent. A credential without a name or
// secret is a [*problem.Error] about the fields "token_name" and "token_secret",
// or "username" and "password". Source: Tableau REST API reference, "Sign In".
func (c *Client) SignIn(ctx context.Context, credential Credential, site string) (Session, error) {
	if err := credential.validate(); err != nil {
		return Session{}, err
	}
	info, base, err := c.serverInfo(ctx)
	if err != nil {
		return Session{}, err
	}
	version := speakVersion(info.RESTAPIVersion, c.options.APIVersion)
	if err := credential.supportedBy(version); err != nil {
		return Session{}, err
	}
	body, err := credential.body(site)
	if err != nil {
		return Session{}, fmt.Errorf("writing the sign-in request: %w", err)
	}
	var a answer
	base, err = c.follow(ctx, base, request{
		op: opSignIn, method: http.MethodPost, body: body,
		redact: []string{credential.Secret.Reveal()},
	}, "/api/"+version+"/auth/signin", &a)
	if err != nil {
		return Session{}, err
	}
	session := Session{
		ServerURL:      base,
		APIVersion:     version,
		ProductVersion: info.ProductVersion,
		SiteID:         string(a.Credentials.Site.ID),
		SiteContentURL: string(a.Credentials.Site.ContentURL),
		UserID:         string(a.Credentials.User.ID),
		Token:          secret.New(string(a.Credentials.Token)),
		TokenExpiresIn: parseTokenLife(string(a.Credentials.Expiration)),
	}
	if session.Token.IsZero() || session.SiteID == "" || len(a.Credentials.Token) >= maxScalar-utf8.UTFMax { // it may have been cut
		return Session{}, &Error{Op: opSignIn, Status: http.StatusOK, Cause: Unknown}
	}
	if session.SiteContentURL == "" {
		session.SiteContentURL = site
	}
	return session, nil
}

func (k Credential) validate() error {
	var wrong problem.Fields
	switch k.Method {
	case PersonalAccessToken:
		if k.TokenName == "" {
			wrong.Add("token_name", "Enter the token's name as Tableau shows it.")
		}
		if k.Secret.IsZero() {
			wrong.Add("token_secret", "Enter the token's secret.")
		}
	case UsernamePassword:
		if k.Username == "" {
			wrong.Add("username", "Enter the user name.")
		}
		if k.Secret.IsZero() {
			wrong.Add("password", "Enter the password.")
		}
	default:
		wrong.Add("method", "Choose %q or %q.", PersonalAccessToken, UsernamePassword)
	}
	return wrong.Err()
}

// supportedBy gives the error of a credential that the version to speak does not
// know.
func (k Credential) supportedBy(version string) error {
	tooOld := func(needed, hint string) error {
		return &Error{Op: opSignIn, Cause: NotSupported, Detail: fmt.Sprintf("REST API %s, needs %s", bounded(version, 16), needed), hint: hint}
	}
	switch {
	case compareVersions(version, oldestVersion) < 0:
		return tooOld(oldestVersion, "This Tableau Server is too old: vizpost needs Tableau 10.5 or later.")
	case k.Method == PersonalAccessToken && compareVersions(version, tokenVersion) < 0:
		return tooOld(tokenVersion, "This Tableau Server is too old for personal access tokens, which came with Tableau 2019.4. Use a user name and password.")
	}
	return nil
}

// body is the request of Sign In. Source: Tableau REST API reference,
// "Authentication methods".
func (k Credential) body(site string) ([]byte, error) {
	type siteRef struct {
		ContentURL string `json:"contentUrl"`
	}
	type request struct {
		TokenName   string  `json:"personalAccessTokenName,omitempty"`
		TokenSecret string  `json:"personalAccessTokenSecret,omitempty"`
		Name        string  `json:"name,omitempty"`
		Password    string  `json:"password,omitempty"`
		Site        siteRef `json:"site"`
	}
	r := request{Site: siteRef{site}}
	if k.Method == PersonalAccessToken {
		r.TokenName, r.TokenSecret = k.TokenName, k.Secret.Reveal()
	} else {
		r.Name, r.Password = k.Username, k.Secret.Reveal()
	}
	return json.Marshal(map[string]request{"credentials": r})
}

// parseTokenLife reads estimatedTimeToExpiration: DAYS:HH:MM, not hours,
// minutes and seconds. What is not that is 0. Source: Tableau REST API
// reference, Sign In.
func parseTokenLife(s string) time.Duration {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0
	}
	var numbers [3]int
	for i, part := range parts {
		n, ok := parseDigits(part)
		if !ok {
			return 0
		}
		numbers[i] = n
	}
	return time.Duration(numbers[0])*24*time.Hour + time.Duration(numbers[1])*time.Hour + time.Duration(numbers[2])*time.Minute
}

// SignOut ends a session, in one request. A session that had ended before is no
// error. It ends the session for everyone who shares it. Every version has it.
// Source: Tableau REST API reference, "Sign Out".
func (c *Client) SignOut(ctx context.Context, s Session) error {
	err := c.call(ctx, request{op: opSignOut, method: http.MethodPost, url: s.api() + "/auth/signout", token: s.Token}, nil)
	if e, ok := asError(err); ok && e.Cause == SessionEnded {
		return nil
	}
	return err
}

// User reads a user of the session's site, in one request. Everyone may read
// themselves, and only administrators others. None is an error with the cause
// [UserNotFound]. Every version has it. Source: Tableau REST API reference,
// "Query User On Site".
func (c *Client) User(ctx context.Context, s Session, userID string) (User, error) {
	var a answer
	err := c.call(ctx, request{op: opUser, method: http.MethodGet, url: s.site() + "/users/" + url.PathEscape(userID), token: s.Token}, &a)
	if err != nil {
		return User{}, err
	}
	if a.User.ID == "" {
		return User{}, &Error{Op: opUser, Status: http.StatusOK, Cause: Unknown}
	}
	return User{
		ID:       string(a.User.ID),
		Name:     string(a.User.Name),
		FullName: string(a.User.FullName),
		SiteRole: string(a.User.SiteRole),
	}, nil
}

// api is the base of every path of the session.
func (s Session) api() string { return s.ServerURL + "/api/" + s.APIVersion }

// site is the base of the paths below the session's site.
func (s Session) site() string { return s.api() + "/sites/" + url.PathEscape(s.SiteID) }
