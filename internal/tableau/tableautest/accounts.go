package tableautest

import (
	"cmp"
	"crypto/rand"
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
