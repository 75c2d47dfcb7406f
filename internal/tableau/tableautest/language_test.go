package tableautest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// The language parameter decides how numbers and months are written, in
// pictures and data, and has results of its own in the cache.
func TestLanguage(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	view := "/views/" + c.view("Superstore/sheets/MonthlySales")
	english := records(t, c.file(view+"/data", typeCSV))
	for _, test := range []struct{ language, month, sales string }{
		{"de", "November 2024", "."}, {"fr_FR", "novembre 2024", "\u202f"}, {"en", "November 2024", ","}, {"xx", "November 2024", ","},
	} {
		rows := records(t, c.file(view+"/data?language="+test.language, typeCSV))
		if len(rows) != len(english) || rows[1][0] != test.month || !strings.Contains(rows[1][1], test.sales) {
			t.Errorf("in %s the first row is %q, want %s and sales with %q", test.language, rows[1], test.month, test.sales)
		}
	}
	// Members are filtered by as the data have them.
	if rows := records(t, c.file(view+"/data?language=de&vf_Month+of+Order+Date=May+2026", typeCSV)); len(rows) != 2 || rows[1][0] != "Mai 2026" {
		t.Errorf("May in German: %q", rows)
	}
	for path, contentType := range map[string]string{
		view + "/image?format=svg": "image/svg+xml", view + "/image?": "image/png", view + "/pdf?": "application/pdf",
		"/workbooks/" + c.workbook("Superstore") + "/pdf?":               "application/pdf",
		"/customviews/" + c.customView("West only") + "/image?":          "image/png",
		"/views/" + c.view("Superstore/sheets/Overview") + "/image?x=y&": "image/png",
	} {
		if bytes.Equal(c.file(path, contentType), c.file(path+"&language=pt-BR", contentType)) {
			t.Errorf("%s: the language changes nothing", path)
		}
	}
	svg := string(c.file(view+"/image?format=svg&language=pt-BR", "image/svg+xml"))
	for _, want := range []string{">fev<", "novembro de 2025 – outubro de 2026"} {
		if !strings.Contains(svg, want) {
			t.Errorf("in Portuguese the picture lacks %q", want)
		}
	}
}
