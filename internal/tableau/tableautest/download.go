package tableautest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"

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
	body, err := c.server.twbx(w, !strings.EqualFold(c.query.Get("includeExtract"), "false"))
	if err != nil {
		return failure(500000, "The download failed.")
	}
	out := answer()
	out.file = &file{format: "twbx", contentType: "application/octet-stream", body: body}
	// A real server names the file in this form, without a disposition type.
	name := url.QueryEscape(w.Name + ".twbx")
	out.header = http.Header{"Content-Disposition": {`name="tableau_workbook"; filename="` + name + `"`}}
	return out
}

func (s *Server) twbx(w *sample.Workbook, withData bool) ([]byte, error) {
	var definition strings.Builder
	root := element("workbook", "version", "18.1", "source-build", s.product+" ("+s.build+")").add(
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
	root.add(sheets, dashboards)
	definition.WriteString("<?xml version='1.0' encoding='utf-8' ?>\n")
	root.xml(&definition)

	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	entry, err := archive.Create(strings.ReplaceAll(w.Name, "/", "-") + ".twb")
	if err != nil {
		return nil, fmt.Errorf("adding the definition: %w", err)
	}
	if _, err := entry.Write([]byte(definition.String())); err != nil {
		return nil, fmt.Errorf("writing the definition: %w", err)
	}
	if withData {
		entry, err := archive.Create("Data/Orders.csv")
		if err != nil {
			return nil, fmt.Errorf("adding the data: %w", err)
		}
		if err := sample.WriteOrders(entry, s.orders); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("closing the archive: %w", err)
	}
	return out.Bytes(), nil
}
