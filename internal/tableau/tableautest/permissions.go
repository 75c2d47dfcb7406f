package tableautest

import (
	"slices"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

func (c *call) admin() bool { return c.session.role() == roleAdministrator }

// seesProject reports whether the session's user may see what is in a project.
func (c *call) seesProject(p *sample.Project) bool { return !p.Private || c.admin() }

// reads reports whether the session's user may read a view.
func (c *call) reads(v *sample.View) bool { return c.admin() || c.server.readable(v) }

// readable reports whether all may read a view.
func (s *Server) readable(v *sample.View) bool {
	return !v.Workbook.Project.Private && !s.trouble(v).Hidden
}

// reaches reports whether the session's user may reach a workbook. One whose
// first view they may not read cannot be reached by the REST API
// (github.com/tableau/rest-api-samples/issues/100).
func (c *call) reaches(w *sample.Workbook) bool { return c.reads(w.Views[0]) }

func (c *call) projects() []*sample.Project {
	return slices.DeleteFunc(slices.Clone(c.site.Projects), func(p *sample.Project) bool { return !c.seesProject(p) })
}

func (c *call) workbooks() []*sample.Workbook {
	return slices.DeleteFunc(slices.Clone(c.site.Workbooks), func(w *sample.Workbook) bool { return !c.reaches(w) })
}

func (c *call) views() []*sample.View {
	return slices.DeleteFunc(c.site.Views(), func(v *sample.View) bool { return !c.reads(v) })
}

// viewsOf returns what the session's user may read of a workbook.
func (c *call) viewsOf(w *sample.Workbook) []*sample.View {
	return slices.DeleteFunc(slices.Clone(w.Views), func(v *sample.View) bool { return !c.reads(v) })
}

// workbook finds the workbook of the path: by its id or, with the key
// contentUrl, by its content URL, whose case matters.
func (c *call) workbook() (*sample.Workbook, reply) {
	id := c.vars["workbook"]
	for _, w := range c.site.Workbooks {
		switch {
		case w.ID != id && (c.query.Get("key") != "contentUrl" || w.ContentURL != id):
		case !c.reaches(w):
			return nil, failure(403004, "The user is not authorized to perform this operation on workbook '%s'.", id)
		default:
			return w, reply{}
		}
	}
	return nil, failure(404006, "Workbook '%s' could not be found.", id)
}

// view finds the view of the path.
func (c *call) view() (*sample.View, reply) {
	id := c.vars["view"]
	for _, v := range c.site.Views() {
		switch {
		case v.ID != id:
		case c.reads(v):
			return v, reply{}
		case c.route.name == "pdf" || c.route.name == "data":
			// Their own code for it (Tableau REST API reference, Query View PDF and
			// Query View Data).
			return nil, failure(403032, "The user is not authorized to read view '%s'.", id)
		default:
			return nil, failure(403004, "The user is not authorized to perform this operation on view '%s'.", id)
		}
	}
	return nil, failure(404011, "View '%s' could not be found.", id)
}
