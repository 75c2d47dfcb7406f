package tableautest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

func tagList(tags []string) *node {
	items := make([]*node, len(tags))
	for i, t := range tags {
		items[i] = element("tag", "label", t)
	}
	return listOf("tags", items...).asField()
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

func (c *call) listWorkbooks() reply { return c.workbookList(c.workbooks()) }

// listUserWorkbooks lists the workbooks that a user may read or, with ownedBy,
// owns: one's own, and those of others as an administrator.
func (c *call) listUserWorkbooks() reply {
	id := c.vars["user"]
	for _, m := range c.server.accounts.members(c.site) {
		switch owner := c.server.owner(c.site).id; {
		case m.id != id:
		case m.id != c.session.person.id && !c.admin():
			return failure(403018, "The user is not authorized to query the workbooks of user '%s'.", id)
		case strings.EqualFold(c.query.Get("ownedBy"), "true") && m.id != owner:
			return c.workbookList(nil)
		case m.role == roleAdministrator:
			return c.workbookList(c.workbooks())
		default:
			return c.workbookList(slices.DeleteFunc(c.workbooks(), func(w *sample.Workbook) bool { return !c.server.readable(w.Views[0]) }))
		}
	}
	return failure(404002, "User '%s' could not be found.", id)
}

func (c *call) workbookList(books []*sample.Workbook) reply {
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
	}.serve(c, books)
}

func (c *call) getWorkbook() reply {
	w, refused := c.workbook()
	if refused.status != 0 {
		return refused
	}
	n := c.workbookNode(w, c.server.owner(c.site))
	n.prune("", selectFields("", append(workbookDefaults(), "views")))
	return answer(n.add(listOf("views", c.shortViews(w, false)...)))
}
