package tableau_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// customOf is the view that has custom views.
const customOf = "Superstore/sheets/Overview"

// subjects are the ids of what the stand-in exports.
type subjects struct{ view, workbook, customView string }

// sampleSubjects are the same on every stand-in, whatever it speaks.
func sampleSubjects(t *testing.T) subjects {
	t.Helper()
	_, c, s := standIn(t, tableautest.Options{})
	view, err := c.FindView(t.Context(), s, "Superstore/sheets/SalesbyRegion")
	if err != nil {
		t.Fatalf("FindView: %v", err)
	}
	custom, err := c.CustomViews(t.Context(), s, mustFind(t, c, s, customOf).ID)
	if err != nil || len(custom) == 0 {
		t.Fatalf("CustomViews = %+v, %v", custom, err)
	}
	return subjects{view.ID, view.WorkbookID, custom[0].ID}
}

func mustFind(t *testing.T, c *tableau.Client, s tableau.Session, contentURL string) tableau.View {
	t.Helper()
	view, err := c.FindView(t.Context(), s, contentURL)
	if err != nil {
		t.Fatalf("FindView(%q): %v", contentURL, err)
	}
	return view
}

// Each export and each option of it either does what it says, or is refused
// with the release that brings it. Nothing is left out silently.
func TestVersions(t *testing.T) {
	t.Parallel()
	ids := sampleSubjects(t)
	west := filters("Region", "West")
	small := tableau.ImageOptions{Width: 400, Height: 300}
	landscape := tableau.PDFOptions{PageSize: "A5", Orientation: "landscape"}
	view := func(r tableau.ExportRequest) tableau.ExportRequest { r.ViewID = ids.view; return r }
	workbook := func(r tableau.ExportRequest) tableau.ExportRequest { r.WorkbookID = ids.workbook; return r }
	custom := func(r tableau.ExportRequest) tableau.ExportRequest { r.CustomViewID = ids.customView; return r }
	tests := []struct {
		name    string
		ask     tableau.ExportRequest
		since   int    // of version 3.x
		release string // that the message names
	}{
		{"view png", view(tableau.ExportRequest{Format: tableau.PNG}), 0, ""},
		{"view png, high", view(tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{HighResolution: true}}), 0, ""},
		{"view png, filtered", view(tableau.ExportRequest{Format: tableau.PNG, Filters: west}), 0, ""},
		{"view png, parameter", view(tableau.ExportRequest{Format: tableau.PNG, Filters: filters("Region", "West", "Parameters.Top N", "3")}), 0, ""},
		{"view png, sized", view(tableau.ExportRequest{Format: tableau.PNG, Image: small}), 23, "2024.2"},
		{"view svg", view(tableau.ExportRequest{Format: tableau.SVG}), 29, "2026.2"},
		{"view svg, sized", view(tableau.ExportRequest{Format: tableau.SVG, Image: small}), 29, "2026.2"},
		{"view pdf", view(tableau.ExportRequest{Format: tableau.PDF}), 0, ""},
		{"view pdf, page", view(tableau.ExportRequest{Format: tableau.PDF, PDF: landscape}), 0, ""},
		{"view pdf, sized", view(tableau.ExportRequest{Format: tableau.PDF, Image: small}), 0, ""},
		{"view pdf, filtered", view(tableau.ExportRequest{Format: tableau.PDF, Filters: west}), 0, ""},
		{"view csv", view(tableau.ExportRequest{Format: tableau.CSV}), 0, ""},
		{"view csv, filtered", view(tableau.ExportRequest{Format: tableau.CSV, Filters: west}), 0, ""},
		{"view xlsx", view(tableau.ExportRequest{Format: tableau.XLSX}), 9, "2020.3"},
		{"view xlsx, filtered", view(tableau.ExportRequest{Format: tableau.XLSX, Filters: west}), 19, "20"},
		{"workbook pdf", workbook(tableau.ExportRequest{Format: tableau.PDF}), 4, "2019.2"},
		{"workbook pdf, page", workbook(tableau.ExportRequest{Format: tableau.PDF, PDF: landscape}), 4, "2019.2"},
		{"workbook pdf, filtered", workbook(tableau.ExportRequest{Format: tableau.PDF, Filters: west}), 23, "2024.2"},
		{"workbook pdf, sized", workbook(tableau.ExportRequest{Format: tableau.PDF, Image: small}), 26, "2025.2"},
		{"workbook pptx", workbook(tableau.ExportRequest{Format: tableau.PPTX}), 8, "2020.2"},
		{"custom view png", custom(tableau.ExportRequest{Format: tableau.PNG}), 18, "2023.1"},
		{"custom view png, high", custom(tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{HighResolution: true}}), 18, "2023.1"},
		{"custom view png, filtered", custom(tableau.ExportRequest{Format: tableau.PNG, Filters: filters("Category", "Furniture")}), 18, "2023.1"},
		{"custom view svg", custom(tableau.ExportRequest{Format: tableau.SVG}), 29, "20"},
		{"custom view pdf", custom(tableau.ExportRequest{Format: tableau.PDF}), 23, "2024.2"},
		{"custom view pdf, sized", custom(tableau.ExportRequest{Format: tableau.PDF, Image: small}), 23, "2024.2"},
		{"custom view csv", custom(tableau.ExportRequest{Format: tableau.CSV}), 23, "2024.2"},
		{"custom view csv, filtered", custom(tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Category", "Furniture")}), 23, "2024.2"},
	}
	for _, version := range []struct {
		name  string
		minor int
	}{{"3.6", 6}, {"3.19", 19}, {"3.23", 23}, {"3.29", 29}} {
		t.Run(version.name, func(t *testing.T) {
			t.Parallel()
			server, c, s := standIn(t, tableautest.Options{APIVersion: version.name})
			if s.APIVersion != version.name {
				t.Fatalf("session = %+v, want it to speak %s", s, version.name)
			}
			for _, tt := range tests {
				server.ResetStats()
				file, info, err := exportTo(t, c, s, tt.ask)
				if version.minor < tt.since {
					e := asError(t, err)
					if e.Cause != tableau.NotSupported || e.Retry || !strings.Contains(e.Message(), tt.release) || !strings.Contains(e.Message(), "REST API "+version.name) {
						t.Errorf("%s: %v: message %q, want it refused with %q", tt.name, e, e.Message(), tt.release)
					}
					if n := server.Stats().Total; n != 0 {
						t.Errorf("%s: refused after %d requests", tt.name, n)
					}
					if s.Supports(tt.ask) == nil {
						t.Errorf("%s: Supports says that it works", tt.name)
					}
					continue
				}
				if err != nil || info.Bytes != int64(len(file)) || s.Supports(tt.ask) != nil {
					t.Errorf("%s: %v, %v", tt.name, err, s.Supports(tt.ask))
					continue
				}
				if _, err := content.Check(t.Context(), bytes.NewReader(file), info.Bytes, string(tt.ask.Format)); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
				// What was asked for shows in the file.
				plain := tt.ask
				plain.Filters, plain.Image, plain.PDF = nil, tableau.ImageOptions{}, tableau.PDFOptions{}
				if tt.name == "custom view pdf, sized" { // it is a dashboard of fixed size, which has that size
					continue
				}
				if len(tt.ask.Filters) == 0 && tt.ask.Image == plain.Image && tt.ask.PDF == plain.PDF {
					continue
				}
				other, _, err := exportTo(t, c, s, plain)
				if err != nil || bytes.Equal(file, other) {
					t.Errorf("%s: %v: the file is the same as without the options", tt.name, err)
				}
			}
		})
	}
}

// fieldsOf gives the names of the fields that an error is about.
func fieldsOf(err error) []string {
	p, ok := problem.From(err)
	if !ok {
		return nil
	}
	var names []string
	for _, f := range p.Fields {
		names = append(names, f.Name)
	}
	return names
}

func exportTo(t *testing.T, c *tableau.Client, s tableau.Session, r tableau.ExportRequest) ([]byte, tableau.ExportInfo, error) {
	t.Helper()
	var file bytes.Buffer
	info, err := c.Export(t.Context(), s, r, &file)
	return file.Bytes(), info, err
}

// Servers up to 2022 give a crosstab without its filters.
func TestVersionsOfFilteredExcel(t *testing.T) {
	t.Parallel()
	ask := tableau.ExportRequest{ViewID: "v", Format: tableau.XLSX, Filters: filters("Region", "West")}
	for version, works := range map[string]bool{"3.9": false, "3.18": false, "3.19": true, "3.29": true} {
		s := session(base)
		s.APIVersion = version
		err := s.Supports(ask)
		if works != (err == nil) {
			t.Errorf("%s: %v, want it to work: %t", version, err, works)
		}
		if !works && !strings.Contains(asError(t, err).Message(), "2023.1") {
			t.Errorf("%s: message %q, want the release in it", version, asError(t, err).Message())
		}
		if err := s.Supports(tableau.ExportRequest{ViewID: "v", Format: tableau.XLSX}); err != nil {
			t.Errorf("%s: without filters: %v", version, err)
		}
	}
}

// The first releases of 2024.2 speak 3.23 without what was added to it later.
func TestVersionsOfEarlyReleases(t *testing.T) {
	t.Parallel()
	s := session(base)
	s.APIVersion = "3.23"
	late := []tableau.ExportRequest{
		{ViewID: "v", Format: tableau.PNG, Image: tableau.ImageOptions{Width: 1, Height: 1}},
		{WorkbookID: "w", Format: tableau.PDF, Filters: filters("a", "b")},
		{CustomViewID: "c", Format: tableau.CSV},
	}
	for product, works := range map[string]bool{"2024.2.0": false, "2024.2.2": false, "2024.2.5": true, "2024.2": true, "2025.1.0": true, "": true} {
		s.ProductVersion = product
		for _, r := range late {
			if err := s.Supports(r); (err == nil) != works {
				t.Errorf("%s: %+v: %v, want it to work: %t", product, r, err, works)
			}
		}
		if err := s.Supports(tableau.ExportRequest{CustomViewID: "c", Format: tableau.PNG}); err != nil {
			t.Errorf("%s: %v", product, err)
		}
	}
}

// What no version has is refused before anything is sent.
func TestCombinationsThatDoNotExist(t *testing.T) {
	t.Parallel()
	small := tableau.ImageOptions{Width: 4, Height: 3}
	for _, tt := range []struct {
		ask   tableau.ExportRequest
		field string
	}{
		{tableau.ExportRequest{ViewID: "v", Format: tableau.PPTX}, "format"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.PNG}, "format"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.SVG}, "format"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.CSV}, "format"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.XLSX}, "format"},
		{tableau.ExportRequest{CustomViewID: "c", Format: tableau.XLSX}, "format"},
		{tableau.ExportRequest{CustomViewID: "c", Format: tableau.PPTX}, "format"},
		{tableau.ExportRequest{CustomViewID: "c", Format: tableau.PNG, Image: small}, "image"},
		{tableau.ExportRequest{CustomViewID: "c", Format: tableau.SVG, Image: small}, "image"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.PPTX, Filters: filters("Region", "West")}, "filters"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.PPTX, Image: small}, "image"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.PPTX, Language: "de"}, "language"},
		{tableau.ExportRequest{WorkbookID: "w", Format: tableau.PPTX, PDF: tableau.PDFOptions{PageSize: "A4"}}, "pdf"},
		{tableau.ExportRequest{ViewID: "v", Format: tableau.SVG, Image: tableau.ImageOptions{HighResolution: true}}, "image.high_resolution"},
		{tableau.ExportRequest{ViewID: "v", Format: tableau.XLSX, Image: small}, "image"},
		{tableau.ExportRequest{Format: tableau.CSV}, "view"},
		{tableau.ExportRequest{ViewID: "v", WorkbookID: "w", Format: tableau.PDF}, "view"},
		{tableau.ExportRequest{ViewID: "v", CustomViewID: "c", Format: tableau.PDF}, "view"},
	} {
		got, err := exportRequest(t, tt.ask)
		if fields := fieldsOf(err); len(fields) != 1 || fields[0] != tt.field || got.URL != "" {
			t.Errorf("%+v: %v, sent %q; want the field %s refused", tt.ask, err, got.URL, tt.field)
		}
	}
}
