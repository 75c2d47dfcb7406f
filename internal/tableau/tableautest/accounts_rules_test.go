package tableautest_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// accountModel is what the reference says of users, tokens and sessions, in its
// plainest form.
type accountModel struct {
	now    time.Time
	users  map[string]*modelUser
	tokens map[[2]string]*modelToken // by user and name
	live   []*modelSession
}

type modelUser struct {
	password string
	mfa      bool
	failures int // in a row
	lock     time.Duration
	until    time.Time
}

type modelToken struct {
	secret        string
	used, expires time.Time
}

type modelSession struct {
	id    string      // what the server gave
	token *modelToken // nil of a password
	used  time.Time
}

const (
	modelTokenLife   = 40 * day
	modelSessionLife = 4 * time.Hour
)

func (m *accountModel) locked(user string) bool { return m.users[user].until.After(m.now) }

func (m *accountModel) fail(user string) {
	u := m.users[user]
	if u.failures++; u.failures >= 9 {
		u.lock = min(max(10*time.Minute, 10*u.lock), 10000*time.Minute)
		u.until = m.now.Add(u.lock)
	}
}

func (m *accountModel) succeed(user string) {
	m.users[user].failures, m.users[user].lock = 0, 0
}

// pass ends what time has ended.
func (m *accountModel) pass() {
	for key, t := range m.tokens {
		if m.now.Sub(t.used) > 15*day || !m.now.Before(t.expires) {
			delete(m.tokens, key)
		}
	}
	m.live = slices.DeleteFunc(m.live, func(s *modelSession) bool {
		return m.now.Sub(s.used) > modelSessionLife || s.token != nil && !m.alive(s.token)
	})
}

func (m *accountModel) alive(t *modelToken) bool {
	for _, known := range m.tokens {
		if known == t {
			return true
		}
	}
	return false
}

func (m *accountModel) revoke(user string) {
	for key := range m.tokens {
		if key[0] == user {
			delete(m.tokens, key)
		}
	}
	m.pass()
}

// TestAccountRules compares the stand-in with the model over random lives of two
// users whose tokens have the same names.
func TestAccountRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		m := &accountModel{now: start, tokens: map[[2]string]*modelToken{}, users: map[string]*modelUser{
			tableautest.DefaultUser: {}, tableautest.SecondUser: {},
		}}
		server := tableautest.New(tableautest.Options{Now: func() time.Time { return start }, TokenLife: modelTokenLife, SessionLife: modelSessionLife})
		server.RevokeTokens("")
		for user, u := range m.users {
			u.password = server.NewPassword(user)
		}
		users := rapid.SampledFrom([]string{tableautest.DefaultUser, tableautest.SecondUser})
		names := rapid.SampledFrom([]string{"a", "b"})
		sites := rapid.SampledFrom([]string{"demo", "demo", "finance", "nowhere"})
		signIn := func(body string) (int, string) {
			w := serve(server, http.MethodPost, "/api/3.29/auth/signin", body, nil)
			return w.Code, decode(w).Credentials.Token
		}
		r.Repeat(map[string]func(*rapid.T){
			"new token": func(r *rapid.T) {
				user, name := users.Draw(r, "user"), names.Draw(r, "name")
				delete(m.tokens, [2]string{user, name})
				m.pass()
				m.tokens[[2]string{user, name}] = &modelToken{server.NewPAT(user, name), m.now, m.now.Add(modelTokenLife)}
			},
			"sign in with a token": func(r *rapid.T) {
				user, name, site := users.Draw(r, "user"), names.Draw(r, "name"), sites.Draw(r, "site")
				key, secret, want := [2]string{user, name}, "wrong", http.StatusUnauthorized
				token, right := m.tokens[key], rapid.Bool().Draw(r, "right")
				switch {
				case !right || token == nil:
					for other := range m.users {
						if m.tokens[[2]string{other, name}] != nil && !m.locked(other) {
							m.fail(other)
						}
					}
				default:
					secret = token.secret
					if !m.locked(user) && site != "nowhere" {
						m.succeed(user)
						want, token.used = http.StatusOK, m.now
						m.live = slices.DeleteFunc(m.live, func(s *modelSession) bool { return s.token == token })
					}
				}
				code, session := signIn(tokenBody(name, secret, site))
				if code != want {
					r.Fatalf("%s's token %s on %s, right %t: %d, want %d", user, name, site, right, code, want)
				}
				if want == http.StatusOK {
					m.live = append(m.live, &modelSession{session, token, m.now})
				}
			},
			"sign in with a password": func(r *rapid.T) {
				user, site, right := users.Draw(r, "user"), sites.Draw(r, "site"), rapid.Bool().Draw(r, "right")
				password, want := "wrong", http.StatusUnauthorized
				if right {
					password = m.users[user].password
				}
				switch {
				case m.locked(user):
				case !right || m.users[user].mfa:
					m.fail(user)
				case site != "nowhere":
					m.succeed(user)
					want = http.StatusOK
				}
				code, session := signIn(passwordBody(user, password, site))
				if code != want {
					r.Fatalf("%s's password on %s, right %t: %d, want %d", user, site, right, code, want)
				}
				if want == http.StatusOK {
					m.live = append(m.live, &modelSession{session, nil, m.now})
				}
			},
			"sign out": func(r *rapid.T) {
				if len(m.live) == 0 {
					r.Skip("no session")
				}
				i := rapid.IntRange(0, len(m.live)-1).Draw(r, "session")
				serve(server, http.MethodPost, "/api/3.29/auth/signout", "", http.Header{"X-Tableau-Auth": {m.live[i].id}})
				m.live = slices.Delete(m.live, i, i+1)
			},
			"time": func(r *rapid.T) {
				passes := rapid.SampledFrom([]time.Duration{
					time.Minute, 10 * time.Minute, 100 * time.Minute, modelSessionLife, modelSessionLife + time.Second,
					15 * day, 15*day + time.Second, 7 * day,
				}).Draw(r, "passes")
				server.Advance(passes)
				m.now = m.now.Add(passes)
				m.pass()
			},
			"use a session": func(r *rapid.T) {
				if len(m.live) == 0 {
					r.Skip("no session")
				}
				used := rapid.SampledFrom(m.live).Draw(r, "session")
				w := serve(server, http.MethodGet, "/api/3.29/sessions/current", "", http.Header{"X-Tableau-Auth": {used.id}})
				if w.Code != http.StatusOK {
					r.Fatalf("a session that should live answers %d", w.Code)
				}
				used.used = m.now
			},
			"revoke": func(r *rapid.T) {
				user := users.Draw(r, "user")
				server.RevokeTokens(user)
				m.revoke(user)
			},
			"enable MFA": func(r *rapid.T) {
				user := users.Draw(r, "user")
				server.EnableMFA(user)
				m.users[user].mfa = true
				m.revoke(user)
			},
			"": func(r *rapid.T) {
				m.pass()
				if got, want := server.Stats().SessionsLive, len(m.live); got != want {
					r.Fatalf("%d sessions live, want %d: %s", got, want, fmt.Sprint(m.now.Sub(start)))
				}
			},
		})
	})
}
