package tableautest

import (
	"crypto/subtle"
	"time"
)

const (
	// allowedFailures is how many bad sign-ins in a row lock an account, for
	// ten minutes at first and ten times as long at each further failure, up to
	// 10,000 minutes (Tableau knowledge base, lock-out).
	allowedFailures = 9
	firstLock       = 10 * time.Minute
	longestLock     = 10000 * time.Minute
)

// credentials is what a sign-in brings along: a name with a password, or a
// token's name with its secret.
type credentials struct {
	user, password         string
	tokenName, tokenSecret string
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
	// Names of tokens are each owner's own. Which user mistyped a secret is not
	// known; all that have a token of the name bear it.
	var bear []*person
	for _, p := range a.people {
		t := p.tokens[c.tokenName]
		if t == nil {
			continue
		}
		right, locked := same(t.secret, c.tokenSecret), p.lockedUntil.After(now)
		switch {
		case right && locked:
			return nil, nil
		case right:
			return p, t
		case !locked:
			bear = append(bear, p)
		}
	}
	for _, p := range bear {
		p.fail(now)
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
