package tableautest

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// downloadWorkbook sends the workbook as it was published: an archive with its
// definition and, unless includeExtract says no, its data. Viewers may not.
func (c *call) downloadWorkbook() reply {
	w, refused := c.workbook()
	if refused.status != 0 {
		return refused
	}
	if !c.admin() {
		return failure(403019, "The user is not allowed to download workbook '%s'.", w.ID)
	}
	definition := element("workbook", "version", "18.1", "source-build", c.server.sourceBuild()).add(
		element("datasources").add(element("datasource", "caption", "Orders", "name", "orders", "version", "18.1")),
	)
	sheets, dashboards := element("worksheets"), element("dashboards")
	for _, v := range w.Views {
		if v.Kind == sample.Dashboard {
			dashboards.add(element("dashboard", "name", v.Name))
		} else {
			sheets.add(element("worksheet", "name", v.Name))
		}
	}
	return c.download("tableau_workbook", w.Name, "twb", definition.add(sheets, dashboards))
}

func (c *call) listWorkbookRevisions() reply {
	w, refused := c.workbook()
	if refused.status != 0 {
		return refused
	}
	return c.revisions(w.UpdatedAt)
}

// revisions lists what was published under a name: here nothing ever twice.
func (c *call) revisions(published time.Time) reply {
	owner := c.server.owner(c.site)
	return collection[time.Time]{
		container: "revisions",
		render: func(at time.Time) *node {
			return element("revision",
				"revisionNumber", onlyRevision, "publishedAt", stamp(at), "deleted", "false", "current", "true",
			).add(element("publisher", "id", owner.id, "name", owner.name))
		},
		defaults: []string{"revisionNumber", "publishedAt", "deleted", "current", "publisher.id", "publisher.name"},
	}.serve(c, []time.Time{published})
}

const onlyRevision = "1"

// download answers with a packaged file: its definition, under the suffix, and
// unless includeExtract says no, the orders. The part's name is how Tableau calls
// the kind of file.
func (c *call) download(part, name, suffix string, definition *node) reply {
	if n, asked := c.vars["revision"]; asked && n != onlyRevision {
		return failure(404029, "Revision '%s' could not be found.", n)
	}
	orders := c.server.orders
	if strings.EqualFold(c.query.Get("includeExtract"), "false") {
		orders = nil
	}
	body, err := packaged(strings.ReplaceAll(name, "/", "-")+"."+suffix, definition, orders)
	if err != nil {
		return failure(500000, "The download failed.")
	}
	return attachment(part, name+"."+suffix+"x", body)
}

// attachment answers with a file in the form in which a real server names it:
// without a disposition type, and form-encoded.
func attachment(part, name string, body []byte) reply {
	out := answer()
	out.file = &file{contentType: "application/octet-stream", body: body}
	out.header = http.Header{"Content-Disposition": {`name="` + part + `"; filename="` + url.QueryEscape(name) + `"`}}
	return out
}

// packaged makes an archive of a definition and the orders, if there are any.
func packaged(name string, definition *node, orders []sample.Order) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	entry, err := archive.Create(name)
	if err != nil {
		return nil, fmt.Errorf("adding the definition: %w", err)
	}
	if _, err := entry.Write(definition.document()); err != nil {
		return nil, fmt.Errorf("writing the definition: %w", err)
	}
	if len(orders) > 0 {
		entry, err := archive.Create("Data/Orders.csv")
		if err != nil {
			return nil, fmt.Errorf("adding the data: %w", err)
		}
		if err := sample.WriteOrders(entry, orders); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("closing the archive: %w", err)
	}
	return out.Bytes(), nil
}

// document writes a node as a file of its own.
func (n *node) document() []byte {
	var out strings.Builder
	out.WriteString("<?xml version='1.0' encoding='utf-8' ?>\n")
	n.xml(&out)
	return []byte(out.String())
}

// downloadCustomView sends the definition of a custom view: in JSON, and in it
// the view's own in XML and Base64.
func (c *call) downloadCustomView() reply {
	v, refused := c.customView()
	if refused.status != 0 {
		return refused
	}
	definition := element("customized-view", "dashboard", v.View.Name, "source-build", c.server.sourceBuild(), "version", "18.1")
	for _, tuple := range v.Selection {
		filters := element("filters")
		for _, caption := range slices.Sorted(maps.Keys(tuple)) {
			filters.add(element("filter", "column", caption, "member", tuple[caption]))
		}
		definition.add(filters)
	}
	body, err := json.Marshal([]map[string]any{{
		"isSourceView": true, "viewName": v.View.Name, "tcv": base64.URLEncoding.EncodeToString(definition.document()),
	}})
	if err != nil {
		return failure(500000, "The download failed.")
	}
	return attachment("tableau_customview", v.Name+".json", body)
}
