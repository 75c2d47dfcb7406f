package tableautest

import (
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// customViewOwner is who made a custom view: the publisher of the site, or its
// reader.
func (c *call) customViewOwner(v *sample.CustomView) member {
	if v.Reader {
		return c.server.member(c.site, SecondUser)
	}
	return c.server.owner(c.site)
}

// seesCustomView reports whether the session's user may see a custom view: an
// administrator all, everybody their own and those that are shared, as long as
// they see the view itself.
func (c *call) seesCustomView(v *sample.CustomView) bool {
	if !c.reads(v.View) {
		return false
	}
	return c.admin() || v.Shared || c.ownsCustomView(v)
}

func (c *call) ownsCustomView(v *sample.CustomView) bool {
	return c.customViewOwner(v).id == c.session.person.id
}

// listCustomViews lists what the user may see. Of shared ones, users who are no
// administrators learn only where they ask about a view or a workbook (Tableau
// REST API reference, List Custom Views).
func (c *call) listCustomViews() reply {
	type view = *sample.CustomView
	asked := splitTerms(strings.Join(c.query["filter"], ","))
	about := slices.ContainsFunc(asked, func(term string) bool {
		return strings.HasPrefix(term, "viewId:") || strings.HasPrefix(term, "workbookId:")
	})
	items := slices.DeleteFunc(slices.Clone(c.site.CustomViews), func(v view) bool {
		return !c.seesCustomView(v) || !c.admin() && !about && !c.ownsCustomView(v)
	})
	return collection[view]{
		container: "customViews",
		columns: map[string]column[view]{
			"id":         textColumn(func(v view) string { return v.ID }),
			"name":       textColumn(func(v view) string { return v.Name }),
			"ownerId":    eqColumn(func(v view) string { return c.customViewOwner(v).id }),
			"shared":     eqColumn(func(v view) string { return boolean(v.Shared) }),
			"viewId":     eqColumn(func(v view) string { return v.View.ID }),
			"workbookId": eqColumn(func(v view) string { return v.View.Workbook.ID }),
			"createdAt":  timeColumn(func(v view) time.Time { return v.CreatedAt }),
			"updatedAt":  timeColumn(func(v view) time.Time { return v.UpdatedAt }),
		},
		render: c.customViewNode,
		defaults: []string{
			"id", "name", "createdAt", "updatedAt", "lastAccessedAt", "shared",
			"view.id", "view.name", "workbook.id", "workbook.name", "owner.id", "owner.name",
		},
	}.serve(c, items)
}

func (c *call) customViewNode(v *sample.CustomView) *node {
	owner := c.customViewOwner(v)
	return element("customView",
		"id", v.ID, "name", v.Name, "createdAt", stamp(v.CreatedAt), "updatedAt", stamp(v.UpdatedAt),
		"lastAccessedAt", stamp(v.UpdatedAt), "shared", boolean(v.Shared),
	).add(
		element("view", "id", v.View.ID, "name", v.View.Name),
		element("workbook", "id", v.View.Workbook.ID, "name", v.View.Workbook.Name),
		element("owner", "id", owner.id, "name", owner.name),
	)
}

// customView finds the custom view of the path.
func (c *call) customView() (*sample.CustomView, reply) {
	id := c.vars["customview"]
	for _, v := range c.site.CustomViews {
		switch {
		case v.ID != id:
		case !c.seesCustomView(v):
			return nil, failure(403162, "The user is not authorized to perform this operation on custom view '%s'.", id)
		default:
			return v, reply{}
		}
	}
	return nil, failure(404048, "Custom view '%s' could not be found.", id)
}

func (c *call) getCustomView() reply {
	v, refused := c.customView()
	if refused.status != 0 {
		return refused
	}
	return answer(c.customViewNode(v))
}

// customViewExport takes the view with what the custom view has filtered.
func (c *call) customViewExport(format string) (export, reply) {
	v, refused := c.customView()
	if refused.status != 0 {
		return export{}, refused
	}
	e, refused := c.newExport(format, v.ID, v.View)
	e.query.Saved = v.Selection
	return e, refused
}

// customViewImage ignores a size, which the reference does not name here.
func (c *call) customViewImage() reply {
	e, refused := c.customViewExport("png")
	if refused.status != 0 {
		return refused
	}
	return c.image(e)
}

func (c *call) customViewPDF() reply {
	e, refused := c.customViewExport("pdf")
	if refused.status != 0 {
		return refused
	}
	return c.pdf(e)
}

func (c *call) customViewData() reply {
	e, refused := c.customViewExport("csv")
	if refused.status != 0 {
		return refused
	}
	return c.server.export(c.request.Context(), e)
}
