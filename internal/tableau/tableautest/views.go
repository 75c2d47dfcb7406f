package tableautest

import (
	"strconv"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

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
	return answer(listOf("views", c.shortViews(w, usage)...))
}

// shortViews is a workbook's views without what the workbook says already.
func (c *call) shortViews(w *sample.Workbook, usage bool) []*node {
	var out []*node
	for _, v := range c.viewsOf(w) {
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
