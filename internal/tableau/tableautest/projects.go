package tableautest

import (
	"strconv"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

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
			views += len(c.viewsOf(w))
		}
	}
	sources := 0
	for _, d := range c.dataSources() {
		if d.Project == p {
			sources++
		}
	}
	return element("contentsCounts",
		"projectCount", strconv.Itoa(projects), "workbookCount", strconv.Itoa(workbooks),
		"viewCount", strconv.Itoa(views), "datasourceCount", strconv.Itoa(sources))
}

func projectNode(p *sample.Project) *node {
	return element("project", "id", p.ID, "name", p.Name, "description", p.Description)
}
