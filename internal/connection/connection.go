// Package connection is about reaching one Tableau site with one credential:
// what a connection is, how its credential is tried and changed, the one
// session that everyone shares, and the life of its token.
package connection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
)

// State says whether a connection can be used.
type State string

// The states of a connection.
const (
	Connected        State = "connected"         // the credential worked when it was last used
	NeedsCredentials State = "needs_credentials" // Tableau refuses the credential; runs are held
	Unreachable      State = "unreachable"       // the server does not answer as Tableau; runs are held
	Unverified       State = "unverified"        // not tried yet
)

// Works reports whether runs may use the connection.
func (s State) Works() bool { return s == Connected || s == Unverified }

// Connection is one Tableau site, reachable with one credential.
type Connection struct {
	ID        string
	Name      string
	ServerURL string // scheme and host, no path, no trailing slash
	Site      string // content URL of the site; "" is the default site of a Tableau Server
	Auth      Auth

	// CredentialVersion names the version of the credential in the [Vault]
	// that signs in. Whoever used another version must not write what it
	// learned.
	CredentialVersion string
	// Fingerprint identifies the credential without revealing it. Sessions and
	// sign-in leases are kept under it.
	Fingerprint string

	State     State
	Problem   *Problem // nil when nothing is wrong
	Identity  Identity
	Server    Server
	TokenLife TokenLife
	Notify    []string // addresses that are told of problems and warnings

	// ProbeAt is when a broken connection is tried again; zero while it works.
	ProbeAt time.Time
	Probes  int // tries since it broke

	// Noted counts what the history was told; see [Event].
	Noted Noted

	Version   int64 // counts edits by people
	Rev       int64 // counts all writes; the store's optimistic lock
	CreatedAt time.Time
	UpdatedAt time.Time // of the last edit by people
}

// Auth says how a connection signs in, without the secret.
type Auth struct {
	Method    tableau.Method
	TokenName string // with a personal access token
	Username  string // with user name and password
}

// Name gives the token's or the user's name.
func (a Auth) Name() string {
	if a.Method == tableau.PersonalAccessToken {
		return a.TokenName
	}
	return a.Username
}

// describe names the credential in a sentence.
func (a Auth) describe() string {
	if a.Method == tableau.PersonalAccessToken {
		return fmt.Sprintf("the token %q", a.TokenName)
	}
	return fmt.Sprintf("the password of %q", a.Username)
}

// Identity is who the credential signs in as.
type Identity struct {
	SiteID   string
	UserID   string
	UserName string
}

// Server is what the server said of itself.
type Server struct {
	ProductVersion string
	RESTAPIVersion string
}

// ExpirySource says where a token's end is known from.
type ExpirySource string

// The sources of [TokenLife.ExpiresAt].
const (
	ExpiryUnknown ExpirySource = "unknown"
	ExpiryTableau ExpirySource = "tableau" // estimatedTimeToExpiration of a sign-in
	ExpiryEntered ExpirySource = "entered" // by a person
)

// IdleLimit is how long Tableau keeps a personal access token that is not
// used (Tableau knowledge base 001496614).
const IdleLimit = 15 * 24 * time.Hour

// TokenLife is what is known of a personal access token's end.
type TokenLife struct {
	ExpiresAt  time.Time // zero when unknown
	Source     ExpirySource
	LastUsedAt time.Time // of the last sign-in; zero when there was none
	Warned     string    // kind of the last [Warning] that people were sent
}

// IdleUntil is when Tableau will have deleted a token if nothing signs in until
// then; zero when it was never used, and for passwords, which do not idle.
func (l TokenLife) IdleUntil(method tableau.Method) time.Time {
	if method != tableau.PersonalAccessToken || l.LastUsedAt.IsZero() {
		return time.Time{}
	}
	return l.LastUsedAt.Add(IdleLimit)
}

// Problem says why a connection does not work, for people.
type Problem struct {
	Code    string  // stable, such as "credentials_rejected"
	Message string  // what happened
	Causes  []Cause // the likeliest first
	Since   time.Time
}

// Cause is one explanation of a problem with its remedy; see [problem.Cause].
type Cause struct {
	Code    string // stable, such as "idle", "expired", "mistyped"
	Message string
	Remedy  string
	Equal   bool // as likely as the one before it
}

// SiteKey names a site of a server: the unit of work and of concurrency, since
// Tableau limits exports by site. Connections to one site share it.
func SiteKey(serverURL, site string) string {
	host := serverURL
	if _, after, ok := strings.Cut(serverURL, "://"); ok {
		host = after
	}
	return strings.ToLower(host) + "/" + strings.ToLower(site)
}

// SiteKey names the connection's site.
func (c Connection) SiteKey() string { return SiteKey(c.ServerURL, c.Site) }

// Clone gives a copy that shares nothing with the original.
func (c Connection) Clone() Connection {
	c.Notify = slices.Clone(c.Notify)
	if c.Problem != nil {
		p := *c.Problem
		p.Causes = slices.Clone(p.Causes)
		c.Problem = &p
	}
	return c
}

// mend notes that the connection works.
func (c *Connection) mend() {
	c.State, c.Problem, c.ProbeAt, c.Probes = Connected, nil, time.Time{}, 0
}

// What a [Store] answers beside the problems that its methods name.
var (
	ErrLeaseHeld = errors.New("the sign-in lease is held by another")
	ErrFenced    = errors.New("the sign-in lease or the credential was replaced by another")
)
