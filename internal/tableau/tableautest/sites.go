package tableautest

import (
	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

func siteNode(site *sample.Site, admin bool) *node {
	n := element("site", "id", site.ID, "name", site.Name, "contentUrl", site.ContentURL)
	if admin {
		n.attrs = append(n.attrs, attr{"adminMode", "ContentAndUsers"}, attr{"state", "Active"})
	}
	return n
}

// listSites lists the sites of the user. Tableau Cloud has no list for anybody.
func (c *call) listSites() reply {
	if c.server.kind == cloud {
		return failure(403069, "Querying sites is not allowed on this server.")
	}
	var items []*sample.Site
	for _, site := range c.server.sites {
		if c.session.person.roles[site.ID] != "" {
			items = append(items, site)
		}
	}
	return collection[*sample.Site]{
		container: "sites",
		columns:   map[string]column[*sample.Site]{"id": eqColumn(func(s *sample.Site) string { return s.ID })},
		render:    func(s *sample.Site) *node { return siteNode(s, c.admin()) },
		defaults:  []string{"id", "name", "contentUrl", "adminMode", "state"},
	}.serve(c, items)
}

func (c *call) getSite() reply { return answer(siteNode(c.site, c.admin())) }
