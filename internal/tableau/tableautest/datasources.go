package tableautest

import (
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

func (c *call) dataSources() []*sample.DataSource {
	var out []*sample.DataSource
	for _, d := range c.site.DataSources {
		if c.seesProject(d.Project) {
			out = append(out, d)
		}
	}
	return out
}

// listDataSources lists what was published for workbooks to share.
func (c *call) listDataSources() reply {
	type source = *sample.DataSource
	return collection[source]{
		container: "datasources",
		columns: map[string]column[source]{
			"name":        textColumn(func(d source) string { return d.Name }),
			"contentUrl":  textColumn(func(d source) string { return d.ContentURL }),
			"projectName": textColumn(func(d source) string { return d.Project.Name }),
			"createdAt":   timeColumn(func(d source) time.Time { return d.CreatedAt }),
			"updatedAt":   timeColumn(func(d source) time.Time { return d.UpdatedAt }),
		},
		render:   c.dataSourceNode,
		defaults: dataSourceDefaults(),
	}.serve(c, c.dataSources())
}

func dataSourceDefaults() []string {
	return []string{
		"id", "name", "description", "contentUrl", "type", "createdAt", "updatedAt", "encryptExtracts", "hasExtracts",
		"isCertified", "tags", "owner.id", "project.id", "project.name",
	}
}

func (c *call) dataSourceNode(d *sample.DataSource) *node {
	return element("datasource",
		"id", d.ID, "name", d.Name, "description", d.Description, "contentUrl", d.ContentURL, "type", "textscan",
		"createdAt", stamp(d.CreatedAt), "updatedAt", stamp(d.UpdatedAt),
		"encryptExtracts", "false", "hasExtracts", "false", "isCertified", "false",
	).add(projectNode(d.Project), c.server.owner(c.site).node(), tagList(nil))
}

// dataSource finds the data source of the path.
func (c *call) dataSource() (*sample.DataSource, reply) {
	id := c.vars["datasource"]
	for _, d := range c.dataSources() {
		if d.ID == id {
			return d, reply{}
		}
	}
	return nil, failure(404004, "Datasource '%s' could not be found.", id)
}

func (c *call) getDataSource() reply {
	d, refused := c.dataSource()
	if refused.status != 0 {
		return refused
	}
	n := c.dataSourceNode(d)
	n.prune("", selectFields("", dataSourceDefaults()))
	return answer(n)
}

// downloadDataSource sends a data source as it was published: its definition
// and, unless includeExtract says no, its data. Viewers may not.
func (c *call) downloadDataSource() reply {
	d, refused := c.dataSource()
	if refused.status != 0 {
		return refused
	}
	if !c.admin() {
		return failure(403004, "The user is not authorized to perform this operation on data source '%s'.", d.ID)
	}
	definition := element("datasource",
		"formatted-name", d.ContentURL, "version", "18.1", "source-build", c.server.sourceBuild(), "caption", d.Name)
	for _, caption := range sample.Fields() {
		definition.add(element("column", "caption", caption))
	}
	return c.download("tableau_datasource", d.Name, "tds", definition)
}

func (c *call) listDataSourceRevisions() reply {
	d, refused := c.dataSource()
	if refused.status != 0 {
		return refused
	}
	return c.revisions(d.UpdatedAt)
}

// listFlows lists the flows of a site, which has none.
func (c *call) listFlows() reply {
	return collection[struct{}]{container: "flows", columns: map[string]column[struct{}]{
		"name": textColumn(func(struct{}) string { return "" }),
	}}.serve(c, nil)
}

// sourceBuild is how files name the product that wrote them.
func (s *Server) sourceBuild() string { return s.product + " (" + s.build + ")" }
