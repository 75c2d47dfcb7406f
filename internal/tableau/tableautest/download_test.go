package tableautest_test

import (
	"archive/zip"
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestWorkbookContent(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/workbooks/" + c.workbook(url.QueryEscape("MarketÉcoles")) + "/content"
	entries := func(query string) []string {
		t.Helper()
		body := c.file(path+query, "application/octet-stream")
		archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range archive.File {
			out = append(out, f.Name)
		}
		return out
	}
	if diff := cmp.Diff([]string{"Market – Écoles.twb", "Data/Orders.csv"}, entries("")); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Market – Écoles.twb"}, entries("?includeExtract=False")); diff != "" {
		t.Errorf("entries without the extract (-want +got):\n%s", diff)
	}
	disposition := c.get(path).Header.Get("Content-Disposition")
	if want := `name="tableau_workbook"; filename="Market+%E2%80%93+%C3%89coles.twbx"`; disposition != want {
		t.Errorf("Content-Disposition = %s, want %s", disposition, want)
	}
	if _, _, err := mime.ParseMediaType(disposition); err == nil {
		t.Error("the header has a disposition type, which a real server's has not")
	}
	viewer := c.as(tableautest.SecondUser, "demo")
	if a := viewer.get(path); a.Status != http.StatusForbidden || a.code(t) != "403019" {
		t.Errorf("a viewer's download answers %d %s, want 403019", a.Status, a.Body)
	}
}
