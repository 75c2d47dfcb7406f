package tableautest

import (
	"encoding/base64"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// session is one sign-in. All but used is constant.
type session struct {
	token  string
	person *person
	site   *sample.Site
	used   time.Time
}

func (s *session) role() string { return s.person.roles[s.site.ID] }

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

// sweep forgets tokens and sessions whose time is over. A session does not
// outlive its token.
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
	a.sweep(now)
	live, ok := a.sessions[token]
	if !ok {
		return session{}, false
	}
	// The clock may have been moved since the caller read it.
	if now.After(live.used) {
		live.used = now
	}
	return *live, true
}

// end ends a session.
func (a *accounts) end(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, token)
}

// live is how many sessions there are.
func (a *accounts) live(now time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	return len(a.sessions)
}
