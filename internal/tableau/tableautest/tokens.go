package tableautest

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// tokenState is a personal access token as its owner may know it: all but the
// secret.
type tokenState struct {
	name, guid      string
	used, expiresAt time.Time // used is zero where it never was
}

// tokensOf returns the live tokens of a person by name.
func (a *accounts) tokensOf(person string, now time.Time) []tokenState {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	var out []tokenState
	for _, p := range a.people {
		if p.id != person {
			continue
		}
		for name, t := range p.tokens {
			state := tokenState{name: name, guid: t.guid, expiresAt: t.expiresAt}
			if t.signedIn {
				state.used = t.used
			}
			out = append(out, state)
		}
	}
	slices.SortFunc(out, func(a, b tokenState) int { return cmp.Compare(a.name, b.name) })
	return out
}

// revokeNamed deletes one token of a person and ends its session. It reports
// false where there is none.
func (a *accounts) revokeNamed(person, name string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(now)
	for _, p := range a.people {
		if p.id == person && p.tokens[name] != nil {
			a.drop(p, name)
			return true
		}
	}
	return false
}

// rules reports whether a person administers every site of another.
func (a *accounts) rules(administrator, other string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	byID := map[string]*person{}
	for _, p := range a.people {
		byID[p.id] = p
	}
	for site := range byID[other].roles {
		if byID[administrator].roles[site] != roleAdministrator {
			return false
		}
	}
	return true
}

// tokenOwner finds the user of the path, whose tokens the caller asks for:
// their own, or as an administrator of all sites that the owner is on (Tableau
// REST API reference, List and Revoke Personal Access Tokens).
func (c *call) tokenOwner() (string, reply) {
	id := c.vars["user"]
	switch self := c.session.person.id; {
	case !slices.ContainsFunc(c.server.accounts.members(c.site), func(m member) bool { return m.id == id }):
		return "", failure(404002, "User '%s' could not be found.", id)
	case id == self:
	case !c.admin():
		return "", failure(403004, "The user is not authorized to manage the personal access tokens of user '%s'.", id)
	case !c.server.accounts.rules(self, id):
		return "", failure(403010, "The user does not administer all sites of user '%s'.", id)
	}
	return id, reply{}
}

func (c *call) listTokens() reply {
	owner, refused := c.tokenOwner()
	if refused.status != 0 {
		return refused
	}
	list := listOf("personalAccessTokens")
	list.plain = true
	for _, t := range c.server.accounts.tokensOf(owner, c.server.clock()) {
		n := element("personalAccessToken", "tokenName", t.name, "tokenGuid", t.guid)
		if !t.used.IsZero() {
			n.attrs = append(n.attrs, attr{"lastUsedAt", stamp(t.used)})
		}
		n.attrs = append(n.attrs, attr{"expiresAt", stamp(t.expiresAt)})
		list.add(n)
	}
	return answer(list)
}

func (c *call) revokeToken() reply {
	owner, refused := c.tokenOwner()
	if refused.status != 0 {
		return refused
	}
	if name := c.vars["token"]; !c.server.accounts.revokeNamed(owner, name, c.server.clock()) {
		return failure(404051, "Personal access token '%s' could not be found.", name)
	}
	return reply{status: http.StatusNoContent}
}

// revokeAdministratorTokens deletes the tokens of all who administer the server,
// the caller among them: here those who administer all of its sites.
func (c *call) revokeAdministratorTokens() reply {
	s := c.server
	if !s.accounts.administers(c.session.person.id, s.sites) {
		return failure(403004, "The user is not authorized to revoke the tokens of server administrators.")
	}
	s.accounts.revokeAdministrators(s.sites)
	return reply{status: http.StatusNoContent}
}

// administers reports whether a person administers all of the sites.
func (a *accounts) administers(id string, sites []*sample.Site) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.people, func(p *person) bool { return p.id == id && p.administers(sites) })
}

func (p *person) administers(sites []*sample.Site) bool {
	return !slices.ContainsFunc(sites, func(s *sample.Site) bool { return p.roles[s.ID] != roleAdministrator })
}

func (a *accounts) revokeAdministrators(sites []*sample.Site) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.people {
		if p.administers(sites) {
			a.dropAll(p)
		}
	}
}
