package tableautest

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

const (
	roleAdministrator = "SiteAdministratorCreator"
	roleViewer        = "Viewer"

	// tokenIdle is how long a token lives without a sign-in (Tableau help,
	// Personal Access Tokens).
	tokenIdle = 15 * 24 * time.Hour
	// allowedFailures is how many bad sign-ins in a row lock an account, for
	// ten minutes at first and ten times as long at each further failure, up to
	// 10,000 minutes (Tableau knowledge base, lock-out).
	allowedFailures = 9
	firstLock       = 10 * time.Minute
	longestLock     = 10000 * time.Minute
)

// accounts is who may sign in, and who has.
type accounts struct {
	tokenLife, sessionLife time.Duration

	mu       sync.Mutex
	random   io.Reader
	people   []*person
	made     int // tokens
	sessions map[string]*session
}

type person struct {
	id, name, fullName, password string
	roles                        map[string]string // by site id
	tokens                       map[string]*token // by name
	lastLogin                    time.Time
	mfa                          bool
	failures                     int
	lock                         time.Duration // the last lock's length
	lockedUntil                  time.Time
}

// token is a personal access token.
type token struct {
	guid, secret    string
	used, expiresAt time.Time // used is the last sign-in, at first the making
	signedIn        bool
	session         *session
}

// session is one sign-in. All but used is constant.
type session struct {
	token  string
	person *person
	site   *sample.Site
	used   time.Time
}

func (s *session) role() string { return s.person.roles[s.site.ID] }

// sees reports whether the session's user may see what is in a project.
func (s *session) sees(p *sample.Project) bool {
	return !p.Private || s.role() == roleAdministrator
}

func newAccounts(random io.Reader, tokenLife, sessionLife time.Duration) *accounts {
	return &accounts{tokenLife: tokenLife, sessionLife: sessionLife, random: random, sessions: map[string]*session{}}
}

// bytes reads random bytes. It is called with the lock held, or before the
// server is in use.
func (a *accounts) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(a.random, b); err != nil {
		a.random = rand.Reader
		_, _ = rand.Read(b) // never fails
	}
	return b
}

// phrase makes a random text of letters and digits.
func (a *accounts) phrase(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := a.bytes(n)
	for i, b := range out {
		out[i] = letters[int(b)%len(letters)]
	}
	return string(out)
}

func (a *accounts) add(name, fullName, password string, roles map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.people = append(a.people, &person{
		id: sample.ID("user", name), name: name, fullName: fullName, password: password,
		roles: roles, tokens: map[string]*token{},
	})
}

// find returns a person by name, in whatever case.
func (a *accounts) find(name string) (*person, bool) {
	for _, p := range a.people {
		if strings.EqualFold(p.name, name) {
			return p, true
		}
	}
	return nil, false
}

// newToken gives a user a token and returns its secret, a random one where
// secret is empty.
func (a *accounts) newToken(user, name, secret string, now time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.find(user)
	if !ok {
		return ""
	}
	for n := 2; name == ""; n++ {
		if candidate := fmt.Sprintf("token-%d", n); p.tokens[candidate] == nil {
			name = candidate
		}
	}
	if secret == "" {
		secret = base64.StdEncoding.EncodeToString(a.bytes(16)) + ":" + a.phrase(32)
	}
	if old := p.tokens[name]; old != nil {
		a.drop(p, name)
	}
	a.made++
	p.tokens[name] = &token{
		guid: sample.ID("token", p.name, name, strconv.Itoa(a.made)), secret: secret, used: now, expiresAt: now.Add(a.tokenLife),
	}
	return secret
}

func (a *accounts) newPassword(user string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.find(user)
	if !ok {
		return ""
	}
	p.password = a.phrase(16)
	return p.password
}

// tokenNamed returns the name of the token with that secret.
func (a *accounts) tokenNamed(user, secret string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.find(user); ok {
		for name, t := range p.tokens {
			if t.secret == secret {
				return name
			}
		}
	}
	return ""
}

// drop deletes a token and ends its session.
func (a *accounts) drop(p *person, name string) {
	if live := p.tokens[name].session; live != nil {
		delete(a.sessions, live.token)
	}
	delete(p.tokens, name)
}

func (a *accounts) chosen(user string) []*person {
	if user == "" {
		return a.people
	}
	if p, ok := a.find(user); ok {
		return []*person{p}
	}
	return nil
}

func (a *accounts) revoke(user string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, p := range a.chosen(user) {
		n += a.dropAll(p)
	}
	return n
}

func (a *accounts) dropAll(p *person) int {
	names := slices.Collect(maps.Keys(p.tokens))
	for _, name := range names {
		a.drop(p, name)
	}
	return len(names)
}

func (a *accounts) enableMFA(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.chosen(user) {
		p.mfa = true
		a.dropAll(p)
	}
}

// credentials is what a sign-in brings along: a name with a password, or a
// token's name with its secret.
type credentials struct {
	user, password         string
	tokenName, tokenSecret string
}

// signedIn is a successful sign-in.
type signedIn struct {
	session session
	// ended says that an earlier session of the same token ended by it.
	ended bool
	// remaining is the life of the token; 0 for a sign-in with a password.
	remaining time.Duration
}

// signIn checks credentials and makes a session on the site. It reports false
// for whatever is wrong, and does not tell what.
func (a *accounts) signIn(c credentials, site *sample.Site, now time.Time) (signedIn, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	p, t := a.check(c, now)
	if p == nil || site == nil || p.roles[site.ID] == "" {
		return signedIn{}, false
	}
	p.failures, p.lock, p.lastLogin = 0, 0, now
	live := a.open(p, site, now)
	done := signedIn{session: *live}
	if t != nil {
		if t.session != nil {
			_, done.ended = a.sessions[t.session.token]
			delete(a.sessions, t.session.token)
		}
		t.session, t.used, t.signedIn, done.remaining = live, now, true, t.expiresAt.Sub(now)
	}
	return done, true
}

// open makes a session.
func (a *accounts) open(p *person, site *sample.Site, now time.Time) *session {
	live := &session{
		token:  base64.RawURLEncoding.EncodeToString(a.bytes(16)) + "|" + a.phrase(32) + "|" + site.ID,
		person: p, site: site, used: now,
	}
	a.sessions[live.token] = live
	return live
}

// switchSite ends a session and makes one on another site of the same sign-in.
// It reports false where the session has ended meanwhile.
func (a *accounts) switchSite(old string, site *sample.Site, now time.Time) (signedIn, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, ok := a.sessions[old]
	if !ok {
		return signedIn{}, false
	}
	delete(a.sessions, old)
	live := a.open(before.person, site, now)
	done := signedIn{session: *live}
	for _, t := range before.person.tokens {
		if t.session == before {
			t.session, done.remaining = live, t.expiresAt.Sub(now)
		}
	}
	return done, true
}

// check returns the person whose credentials these are, and the token where
// they are one; no person where they are wrong. It counts failures.
func (a *accounts) check(c credentials, now time.Time) (*person, *token) {
	if c.tokenName == "" {
		p, ok := a.find(c.user)
		if !ok || p.lockedUntil.After(now) {
			return nil, nil
		}
		if p.mfa || !same(p.password, c.password) {
			p.fail(now)
			return nil, nil
		}
		return p, nil
	}
	for _, p := range a.people {
		t := p.tokens[c.tokenName]
		if t == nil {
			continue
		}
		if p.lockedUntil.After(now) {
			return nil, nil
		}
		if same(t.secret, c.tokenSecret) {
			return p, t
		}
	}
	// Which user mistyped the secret is not known; all that have a token of the
	// name bear it.
	for _, p := range a.people {
		if p.tokens[c.tokenName] != nil {
			p.fail(now)
		}
	}
	return nil, nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (p *person) fail(now time.Time) {
	if p.failures++; p.failures < allowedFailures {
		return
	}
	p.lock = min(max(firstLock, p.lock*10), longestLock)
	p.lockedUntil = now.Add(p.lock)
}

// sweep forgets tokens and sessions whose time is over.
func (a *accounts) sweep(now time.Time) {
	for _, p := range a.people {
		for name, t := range p.tokens {
			if now.Sub(t.used) > tokenIdle || !now.Before(t.expiresAt) {
				a.drop(p, name)
			}
		}
	}
	for key, s := range a.sessions {
		if now.Sub(s.used) > a.sessionLife {
			delete(a.sessions, key)
		}
	}
}

// session returns the live session with that token and notes its use.
func (a *accounts) session(token string, now time.Time) (session, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	live, ok := a.sessions[token]
	if !ok || now.Sub(live.used) > a.sessionLife {
		delete(a.sessions, token)
		return session{}, false
	}
	live.used = now
	return *live, true
}

// end ends a session.
func (a *accounts) end(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, token)
}

func (a *accounts) live() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sessions)
}

// member is a person as one site knows them.
type member struct {
	id, name, fullName, role string
	lastLogin                time.Time
}

// members returns a site's users by name.
func (a *accounts) members(site *sample.Site) []member {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []member
	for _, p := range a.people {
		if role := p.roles[site.ID]; role != "" {
			out = append(out, member{p.id, p.name, p.fullName, role, p.lastLogin})
		}
	}
	slices.SortFunc(out, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	return out
}
