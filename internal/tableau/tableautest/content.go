package tableautest

import (
	"slices"
	"strconv"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

func boolean(b bool) string { return strconv.FormatBool(b) }

func tagList(tags []string) *node {
	items := make([]*node, len(tags))
	for i, t := range tags {
		items[i] = element("tag", "label", t)
	}
	return listOf("tags", items...).asField()
}

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

func siteNode(site *sample.Site, admin bool) *node {
	n := element("site", "id", site.ID, "name", site.Name, "contentUrl", site.ContentURL)
	if admin {
		n.attrs = append(n.attrs, attr{"adminMode", "ContentAndUsers"}, attr{"state", "Active"})
	}
	return n
}

func (c *call) admin() bool { return c.session.role() == roleAdministrator }

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

func (c *call) listUsers() reply {
	name := textColumn(func(m member) string { return m.name })
	return collection[member]{
		container: "users",
		columns: map[string]column[member]{
			"name":         name,
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

func (c *call) projects() []*sample.Project {
	return slices.DeleteFunc(slices.Clone(c.site.Projects), func(p *sample.Project) bool { return !c.session.sees(p) })
}

func (c *call) workbooks() []*sample.Workbook {
	return slices.DeleteFunc(slices.Clone(c.site.Workbooks), func(w *sample.Workbook) bool { return !c.session.sees(w.Project) })
}

func (c *call) views() []*sample.View {
	var out []*sample.View
	for _, w := range c.workbooks() {
		out = append(out, w.Views...)
	}
	return out
}

func (c *call) listProjects() reply {
	type project = *sample.Project
	owner := c.server.owner(c.site)
	parent := func(p project) string {
		if p.Parent == nil {
			return ""
		}
		return p.Parent.ID
	}
	created := func(p project) time.Time { return p.CreatedAt }
	return collection[project]{
		container: "projects",
		columns: map[string]column[project]{
			"name":            textColumn(func(p project) string { return p.Name }),
			"ownerName":       textColumn(func(project) string { return owner.fullName }),
			"ownerEmail":      textColumn(func(project) string { return owner.name }),
			"ownerDomain":     textColumn(func(project) string { return "local" }),
			"parentProjectId": textColumn(parent),
			"topLevelProject": eqColumn(func(p project) string { return boolean(p.Parent == nil) }),
			"createdAt":       timeColumn(created),
			"updatedAt":       timeColumn(created),
		},
		render: func(p project) *node {
			n := element("project",
				"id", p.ID, "name", p.Name, "description", p.Description,
				"createdAt", stamp(p.CreatedAt), "updatedAt", stamp(p.CreatedAt), "contentPermissions", "ManagedByOwner",
				"topLevelProject", boolean(p.Parent == nil), "writeable", boolean(c.admin()))
			if p.Parent != nil {
				n.attrs = append(n.attrs, attr{"parentProjectId", p.Parent.ID})
			}
			return n.add(owner.node(), c.contentsCounts(p))
		},
		defaults: []string{"id", "name", "description", "createdAt", "updatedAt", "contentPermissions", "parentProjectId", "owner.id"},
	}.serve(c, c.projects())
}

func (c *call) contentsCounts(p *sample.Project) *node {
	projects, workbooks, views := 0, 0, 0
	for _, other := range c.projects() {
		if other.Parent == p {
			projects++
		}
	}
	for _, w := range c.workbooks() {
		if w.Project == p {
			workbooks++
			views += len(w.Views)
		}
	}
	return element("contentsCounts",
		"projectCount", strconv.Itoa(projects), "workbookCount", strconv.Itoa(workbooks),
		"viewCount", strconv.Itoa(views), "datasourceCount", "0")
}

func workbookDefaults() []string {
	return []string{
		"id", "name", "description", "contentUrl", "webpageUrl", "showTabs", "size", "createdAt", "updatedAt",
		"encryptExtracts", "defaultViewId", "tags", "owner.id", "owner.name", "project.id", "project.name",
	}
}

func (c *call) workbookNode(w *sample.Workbook, owner member) *node {
	return element("workbook",
		"id", w.ID, "name", w.Name, "description", w.Description, "contentUrl", w.ContentURL,
		"webpageUrl", c.webpage(w), "showTabs", boolean(w.ShowTabs), "size", strconv.Itoa(w.Size),
		"createdAt", stamp(w.CreatedAt), "updatedAt", stamp(w.UpdatedAt), "lastPublishedAt", stamp(w.UpdatedAt),
		"sheetCount", strconv.Itoa(len(w.Views)), "hasExtracts", "false", "encryptExtracts", "false",
		"defaultViewId", w.Views[0].ID,
	).add(
		projectNode(w.Project),
		element("location", "id", w.Project.ID, "type", "Project", "name", w.Project.Name).asField(),
		owner.node(),
		tagList(w.Tags),
	)
}

// webpage is the address of a workbook's page, on the host that was asked.
func (c *call) webpage(w *sample.Workbook) string {
	scheme, site := "http", ""
	if c.request.TLS != nil {
		scheme = "https"
	}
	if c.site.ContentURL != "" {
		site = "/site/" + c.site.ContentURL
	}
	return scheme + "://" + c.request.Host + "/#" + site + "/workbooks/" + strconv.Itoa(w.Number)
}

func projectNode(p *sample.Project) *node {
	return element("project", "id", p.ID, "name", p.Name, "description", p.Description)
}

func (c *call) listWorkbooks() reply {
	type book = *sample.Workbook
	owner := c.server.owner(c.site)
	return collection[book]{
		container: "workbooks",
		columns: map[string]column[book]{
			"name":               textColumn(func(w book) string { return w.Name }),
			"contentUrl":         textColumn(func(w book) string { return w.ContentURL }),
			"projectName":        textColumn(func(w book) string { return w.Project.Name }),
			"ownerName":          textColumn(func(book) string { return owner.fullName }),
			"ownerEmail":         textColumn(func(book) string { return owner.name }),
			"ownerDomain":        textColumn(func(book) string { return "local" }),
			"tags":               {operators: textOps, text: func(w book) []string { return w.Tags }},
			"displayTabs":        eqColumn(func(w book) string { return boolean(w.ShowTabs) }),
			"hasAlerts":          eqColumn(func(book) string { return "false" }),
			"hasExtracts":        eqColumn(func(book) string { return "false" }),
			"createdAt":          timeColumn(func(w book) time.Time { return w.CreatedAt }),
			"updatedAt":          timeColumn(func(w book) time.Time { return w.UpdatedAt }),
			"sheetCount":         numberColumn(func(w book) float64 { return float64(len(w.Views)) }),
			"size":               numberColumn(func(w book) float64 { return float64(w.Size) }),
			"favoritesTotal":     numberColumn(func(book) float64 { return 0 }),
			"subscriptionsTotal": numberColumn(func(book) float64 { return 0 }),
		},
		render:   func(w book) *node { return c.workbookNode(w, owner) },
		defaults: workbookDefaults(),
	}.serve(c, c.workbooks())
}

// workbook finds the workbook of the path: by its id or, with the key
// contentUrl, by its content URL, whose case matters.
func (c *call) workbook() (*sample.Workbook, reply) {
	id := c.vars["workbook"]
	for _, w := range c.site.Workbooks {
		if c.query.Get("key") == "contentUrl" && w.ContentURL == id || w.ID == id {
			if !c.session.sees(w.Project) {
				return nil, failure(403004, "The user is not authorized to perform this operation on workbook '%s'.", id)
			}
			return w, reply{}
		}
	}
	return nil, failure(404006, "Workbook '%s' could not be found.", id)
}

// view finds the view of the path.
func (c *call) view() (*sample.View, reply) {
	id := c.vars["view"]
	for _, v := range c.site.Views() {
		if v.ID != id {
			continue
		}
		if !c.session.sees(v.Workbook.Project) {
			return nil, failure(403004, "The user is not authorized to perform this operation on view '%s'.", id)
		}
		return v, reply{}
	}
	return nil, failure(404011, "View '%s' could not be found.", id)
}

func (c *call) getWorkbook() reply {
	w, refused := c.workbook()
	if refused.status != 0 {
		return refused
	}
	n := c.workbookNode(w, c.server.owner(c.site))
	n.prune("", selectFields("", append(workbookDefaults(), "views")))
	return answer(n.add(listOf("views", shortViews(w, false)...)))
}

// usage reads includeUsageStatistics.
func (c *call) usage() (bool, reply) {
	switch value := c.query.Get("includeUsageStatistics"); value {
	case "", "false":
		return false, reply{}
	case "true":
		return true, reply{}
	default:
		return false, failure(400008, "The value '%s' of includeUsageStatistics is neither true nor false.", value)
	}
}

func (c *call) listWorkbookViews() reply {
	w, refused := c.workbook()
	if refused.status != 0 {
		return refused
	}
	usage, refused := c.usage()
	if refused.status != 0 {
		return refused
	}
	return answer(listOf("views", shortViews(w, usage)...))
}

// shortViews is a workbook's views without what the workbook says already.
func shortViews(w *sample.Workbook, usage bool) []*node {
	var out []*node
	for _, v := range w.Views {
		n := element("view",
			"id", v.ID, "name", v.Name, "contentUrl", v.ContentURL,
			"createdAt", stamp(w.CreatedAt), "updatedAt", stamp(w.UpdatedAt), "viewUrlName", v.URLName).add(tagList(w.Tags))
		if usage {
			n.add(usageNode(v))
		}
		out = append(out, n)
	}
	return out
}

func usageNode(v *sample.View) *node {
	return element("usage", "totalViewCount", strconv.Itoa(v.Hits)).asField()
}

func viewNode(v *sample.View, owner member) *node {
	w := v.Workbook
	return element("view",
		"id", v.ID, "name", v.Name, "contentUrl", v.ContentURL,
		"createdAt", stamp(w.CreatedAt), "updatedAt", stamp(w.UpdatedAt),
		"sheetType", v.Kind, "favoritesTotal", strconv.Itoa(v.Favorites), "viewUrlName", v.URLName,
	).add(
		element("workbook",
			"id", w.ID, "name", w.Name, "description", w.Description, "contentUrl", w.ContentURL,
			"showTabs", boolean(w.ShowTabs), "size", strconv.Itoa(w.Size),
			"createdAt", stamp(w.CreatedAt), "updatedAt", stamp(w.UpdatedAt),
			"sheetCount", strconv.Itoa(len(w.Views)), "hasExtracts", "false").add(tagList(w.Tags)),
		owner.node(),
		projectNode(w.Project),
		tagList(w.Tags),
		usageNode(v),
		element("location", "id", w.Project.ID, "type", "Project", "name", w.Project.Name).asField(),
	)
}

func viewDefaults(usage bool) []string {
	fields := []string{
		"id", "name", "contentUrl", "createdAt", "updatedAt", "viewUrlName", "tags", "workbook.id", "owner.id", "project.id",
	}
	if usage {
		fields = append(fields, "usage")
	}
	return fields
}

func (c *call) listViews() reply {
	type view = *sample.View
	usage, refused := c.usage()
	if refused.status != 0 {
		return refused
	}
	owner := c.server.owner(c.site)
	name := textColumn(func(v view) string { return v.Name })
	return collection[view]{
		container: "views",
		columns: map[string]column[view]{
			"name":                name,
			"caption":             name,
			"title":               name,
			"contentUrl":          textColumn(func(v view) string { return v.ContentURL }),
			"viewUrlName":         textColumn(func(v view) string { return v.URLName }),
			"sheetType":           textColumn(func(v view) string { return v.Kind }),
			"projectName":         textColumn(func(v view) string { return v.Workbook.Project.Name }),
			"workbookName":        textColumn(func(v view) string { return v.Workbook.Name }),
			"workbookDescription": textColumn(func(v view) string { return v.Workbook.Description }),
			"ownerName":           eqColumn(func(view) string { return owner.fullName }),
			"ownerEmail":          textColumn(func(view) string { return owner.name }),
			"ownerDomain":         textColumn(func(view) string { return "local" }),
			"tags":                {operators: textOps, text: func(v view) []string { return v.Workbook.Tags }},
			"createdAt":           timeColumn(func(v view) time.Time { return v.Workbook.CreatedAt }),
			"updatedAt":           timeColumn(func(v view) time.Time { return v.Workbook.UpdatedAt }),
			"favoritesTotal":      numberColumn(func(v view) float64 { return float64(v.Favorites) }),
			"hitsTotal":           numberColumn(func(v view) float64 { return float64(v.Hits) }),
			"sheetNumber":         numberColumn(func(v view) float64 { return float64(v.Number) }),
		},
		render:   func(v view) *node { return viewNode(v, owner) },
		defaults: viewDefaults(usage),
	}.serve(c, c.views())
}

func (c *call) getView() reply {
	v, refused := c.view()
	if refused.status != 0 {
		return refused
	}
	usage, refused := c.usage()
	if refused.status != 0 {
		return refused
	}
	n := viewNode(v, c.server.owner(c.site))
	n.prune("", selectFields("", viewDefaults(usage)))
	return answer(n)
}
