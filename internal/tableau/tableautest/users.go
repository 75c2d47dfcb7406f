package tableautest

import (
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// owner is who published everything: the first user.
func (s *Server) owner(site *sample.Site) member { return s.member(site, s.user) }

// member is a user as the site knows them; the zero value where it does not.
func (s *Server) member(site *sample.Site, name string) member {
	for _, m := range s.accounts.members(site) {
		if m.name == name {
			return m
		}
	}
	return member{}
}

func (m member) node() *node {
	n := element("owner", "id", m.id, "name", m.name, "fullName", m.fullName, "email", m.name, "siteRole", m.role)
	if !m.lastLogin.IsZero() {
		n.attrs = append(n.attrs, attr{"lastLogin", stamp(m.lastLogin)})
	}
	return n
}

func (m member) userNode() *node {
	n := m.node()
	n.name = "user"
	n.attrs = append(n.attrs, attr{"externalAuthUserId", ""}, attr{"authSetting", "ServerDefault"})
	return n.add(element("domain", "name", "local").asField())
}

func (c *call) listUsers() reply {
	name := textColumn(func(m member) string { return m.name })
	return collection[member]{
		container: "users",
		columns: map[string]column[member]{
			"name":         {operators: []string{"eq", "in", "cieq"}, text: name.text},
			"domainName":   textColumn(func(member) string { return "local" }),
			"isLocal":      eqColumn(func(member) string { return "true" }),
			"friendlyName": textColumn(func(m member) string { return m.fullName }),
			"luid":         textColumn(func(m member) string { return m.id }),
			"siteRole":     textColumn(func(m member) string { return m.role }),
			"lastLogin":    timeColumn(func(m member) time.Time { return m.lastLogin }),
		},
		render:   member.userNode,
		defaults: []string{"id", "name", "siteRole", "lastLogin", "externalAuthUserId"},
	}.serve(c, c.server.accounts.members(c.site))
}

func (c *call) getUser() reply {
	id := c.vars["user"]
	for _, m := range c.server.accounts.members(c.site) {
		if m.id != id {
			continue
		}
		if m.id != c.session.person.id && !c.admin() {
			return failure(403133, "The user is not allowed to query other users.")
		}
		return answer(m.userNode())
	}
	return failure(404002, "User '%s' could not be found.", id)
}
