// Package tableautest is a stand-in for a Tableau server: an HTTP handler that
// speaks enough of Tableau's REST API for vizpost, for Tableau's own clients
// and for tests, over a small made-up sales site whose views it draws itself.
//
// It keeps the rules that clients stumble over: a personal access token has one
// session at a time, sessions end, tokens die of age and of disuse, nine bad
// sign-ins lock an account, a site serves twenty exports at once and no more.
// Its clock can be moved and its answers can be made to fail, from Go and under
// /-/ over HTTP.
//
// What it does follows the Tableau REST API reference at version 3.29 and, where
// that is silent, what others measured on live servers.
package tableautest

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// Defaults of [Options].
const (
	DefaultAPIVersion = "3.29"
	DefaultSite       = "demo"
	DefaultUser       = "ana@example.com"
	DefaultTokenName  = "vizpost"

	// SecondUser is a viewer who sees all but the private project.
	SecondUser = "rui@example.com"
	// SecondSite is a smaller site of which the first two users are members. A
	// Tableau Server also has a default site, whose content URL is empty; the
	// first user alone is a member.
	SecondSite = "finance"

	// SiteAdministrator administers the main site and is a member of no other.
	SiteAdministrator = "eva@example.com"

	defaultTokenLife  = 180 * 24 * time.Hour
	serverSessionLife = 240 * time.Minute
	cloudSessionLife  = 120 * time.Minute
)

// Options configure a [Server]. The zero value is a server of the newest
// version with random secrets.
type Options struct {
	// APIVersion is the newest version that the server speaks. An empty one, or
	// one that [ValidAPIVersion] refuses, means DefaultAPIVersion.
	APIVersion string
	// ProductVersion is what the server calls itself, by default the release
	// that goes with APIVersion.
	ProductVersion string
	// Cloud makes it a Tableau Cloud rather than a Tableau Server: users can list
	// and revoke personal access tokens, and cannot list or switch sites; there
	// is no default site.
	Cloud bool
	// IgnoreUnequal makes exports ignore all their filters where these have
	// different numbers of values. Otherwise such exports fail. What a real server
	// does is not known.
	IgnoreUnequal bool
	// Latency is how long each export takes, drawing included.
	Latency time.Duration
	// Now is the clock before [Server.Advance] moves it. Default time.Now.
	Now func() time.Time
	// Rand is where tokens and secrets come from. Default crypto/rand. Should it
	// run dry, crypto/rand takes over.
	Rand io.Reader

	// SiteContentURL is the content URL of the site with most of the content.
	SiteContentURL string
	// User and Password sign in the first user, an administrator.
	User, Password string
	// TokenName and TokenSecret are that user's first personal access token.
	TokenName, TokenSecret string
	// TokenLife is how long tokens live when they are used. Default 180 days.
	TokenLife time.Duration
	// SessionLife is how long a session lives without use. Default 240 minutes,
	// on Tableau Cloud 120.
	SessionLife time.Duration
}

// Server is a Tableau server. It starts nothing in the background and is safe
// for concurrent use.
type Server struct {
	version version
	kind    kind
	product string
	build   string
	now     func() time.Time
	offset  atomic.Int64 // nanoseconds by which the clock was moved
	latency atomic.Int64 // nanoseconds

	orders   []sample.Order
	sites    []*sample.Site
	accounts *accounts
	faults   faultList
	troubles sync.Map // Trouble by view id
	unequal  bool     // filters of different lengths are ignored
	stats    counter
	slots    slots
	cache    *cache
	drawing  chan struct{} // one place for each picture drawn at a time
	routes   []route
	pages    http.Handler

	user, password         string
	tokenName, tokenSecret string
}

// New returns a server with its sample sites.
func New(o Options) *Server {
	v, err := parseVersion(o.APIVersion)
	if err != nil {
		v = version{3, 29}
	}
	if o.ProductVersion == "" {
		o.ProductVersion = v.product() + ".0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.SiteContentURL == "" {
		o.SiteContentURL = DefaultSite
	}
	if o.User == "" {
		o.User = DefaultUser
	}
	if o.TokenName == "" {
		o.TokenName = DefaultTokenName
	}
	if o.TokenLife <= 0 {
		o.TokenLife = defaultTokenLife
	}
	where, sites := onPremises, sample.Sites(o.SiteContentURL)
	if o.Cloud {
		where = cloud
		sites = slices.DeleteFunc(sites, func(site *sample.Site) bool { return site.ContentURL == "" })
	}
	if o.SessionLife <= 0 {
		o.SessionLife = serverSessionLife
		if o.Cloud {
			o.SessionLife = cloudSessionLife
		}
	}
	s := &Server{
		version:  v,
		kind:     where,
		unequal:  o.IgnoreUnequal,
		product:  o.ProductVersion,
		build:    v.build(),
		now:      o.Now,
		orders:   sample.Orders(),
		sites:    sites,
		accounts: newAccounts(o.Rand, o.TokenLife, o.SessionLife),
		slots:    newSlots(),
		cache:    newCache(),
		drawing:  make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		user:     o.User,
	}
	s.latency.Store(int64(o.Latency))
	if s.password = o.Password; s.password == "" {
		s.password = s.accounts.phrase(16)
	}
	everywhere := make(map[string]string, len(s.sites))
	for _, site := range s.sites {
		everywhere[site.ID] = roleAdministrator
	}
	s.accounts.add(o.User, "Ana Silva", s.password, everywhere)
	viewer := map[string]string{}
	for _, site := range s.sites {
		if site.ContentURL != "" {
			viewer[site.ID] = roleViewer
		}
	}
	s.accounts.add(SecondUser, "Rui Costa", s.accounts.phrase(16), viewer)
	s.accounts.add(SiteAdministrator, "Eva Brandt", s.accounts.phrase(16), map[string]string{s.sites[0].ID: roleAdministrator})
	s.tokenName = o.TokenName
	s.tokenSecret = s.accounts.newToken(o.User, o.TokenName, o.TokenSecret, s.clock())
	s.routes = s.apiRoutes()
	s.pages = s.controlRoutes()
	return s
}

// ValidAPIVersion reports whether text is a version that a server can have:
// from 3.0 on, such as "3.29".
func ValidAPIVersion(text string) bool {
	v, err := parseVersion(text)
	return err == nil && v.major >= 3
}

// PAT returns the name and secret of the first user's first personal access
// token.
func (s *Server) PAT() (name, secret string) { return s.tokenName, s.tokenSecret }

// Password returns the first user's name and password.
func (s *Server) Password() (user, password string) { return s.user, s.password }

// Site returns the content URL of the site with most of the content.
func (s *Server) Site() string { return s.sites[0].ContentURL }

// NewPAT makes another personal access token and returns its secret. A token of
// that user and name is replaced. The empty user is the first one. It returns
// the empty string where there is no such user.
func (s *Server) NewPAT(user, name string) (secret string) {
	if user == "" {
		user = s.user
	}
	return s.accounts.newToken(user, name, "", s.clock())
}

// NewPassword gives a user a new random password and returns it, or the empty
// string where there is no such user.
func (s *Server) NewPassword(user string) string { return s.accounts.newPassword(user) }

// RevokeTokens deletes the user's personal access tokens, of all users where
// user is empty, ends their sessions, and returns how many tokens there were.
func (s *Server) RevokeTokens(user string) int { return s.accounts.revoke(user) }

// EnableMFA does what switching on multi-factor authentication does to a user,
// or to all where user is empty: passwords are refused from then on and the
// personal access tokens of before are deleted. New ones work.
func (s *Server) EnableMFA(user string) { s.accounts.enableMFA(user) }

// Advance moves the server's clock.
func (s *Server) Advance(d time.Duration) { s.offset.Add(int64(d)) }

// SetLatency sets how long each export takes, drawing included.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

func (s *Server) clock() time.Time {
	return s.now().Add(time.Duration(s.offset.Load()))
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if parts := pathParts(r.URL); len(parts) > 0 && strings.EqualFold(parts[0], "api") {
		s.serveAPI(w, r, parts[1:])
		return
	}
	s.pages.ServeHTTP(w, r)
}

// pathParts splits a path at its slashes and decodes the parts, so that a name
// may hold an encoded slash. Doubled and trailing slashes are ignored.
func pathParts(u *url.URL) []string {
	var parts []string
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		if part == "" {
			continue
		}
		if decoded, err := url.PathUnescape(part); err == nil {
			part = decoded
		}
		parts = append(parts, part)
	}
	return parts
}

// queryValues reads a query as Tableau does: pairs end at & alone, and what
// cannot be decoded is taken as it stands. The standard library drops pairs
// that hold a semicolon.
func queryValues(raw string) url.Values {
	values := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); err == nil {
			key = decoded
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		values[key] = append(values[key], value)
	}
	return values
}
