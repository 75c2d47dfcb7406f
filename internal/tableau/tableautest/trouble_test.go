package tableautest_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestViewWithoutCredentials(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	const broken = "Superstore/sheets/Shipping"
	view, other := "/views/"+c.view(broken), "/views/"+c.view("Superstore/sheets/Overview")
	book := "/workbooks/" + c.workbook("Superstore")
	c.file(view+"/image", "image/png") // the cache does not help
	if err := c.server.SetTrouble(broken, tableautest.Trouble{NoCredentials: true}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		view + "/image": "400074", view + "/pdf": "400080", view + "/data": "400081", view + "/crosstab/excel": "400130",
		book + "/pdf": "400101", book + "/powerpoint": "400126",
	} {
		d := c.get(path).document(t)
		if d.Error.Code != want || !strings.Contains(d.Error.Detail, "data sources not connected") {
			t.Errorf("%s: %+v, want code %s and the cause", path, d.Error, want)
		}
	}
	c.file(other+"/image", "image/png") // of another sheet
	// Thumbnails are of when the workbook was published, and stay.
	c.file(book+view+"/previewImage", "image/png")
	if diff := cmp.Diff(map[string]tableautest.Trouble{broken: {NoCredentials: true}}, c.server.Troubles()); diff != "" {
		t.Errorf("troubles (-want +got):\n%s", diff)
	}
	c.server.ClearTroubles()
	c.file(view+"/image", "image/png")
	if err := c.server.SetTrouble("No/sheets/Such", tableautest.Trouble{}); err == nil {
		t.Error("a view that does not exist can be troubled")
	}
}

func TestViewThatIgnoresFilters(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	const view = "Superstore/sheets/SalesbyRegion"
	path := "/views/" + c.view(view) + "/data"
	all, west := c.file(path, typeCSV), c.file(path+"?vf_Region=West", typeCSV)
	a := c.do(http.MethodPost, "/-/troubles", `{"view":"`+view+`","ignores_filters":true}`, nil)
	if a.Status != http.StatusOK || !strings.Contains(string(a.Body), `"ignores_filters": true`) {
		t.Fatalf("POST answers %d: %s", a.Status, a.Body)
	}
	if got := c.file(path+"?vf_Region=West", typeCSV); !bytes.Equal(got, all) {
		t.Errorf("the data are filtered:\n%s", got)
	}
	if a := c.do(http.MethodDelete, "/-/troubles", "", nil); a.Status != http.StatusNoContent {
		t.Errorf("DELETE answers %d", a.Status)
	}
	if got := c.file(path+"?vf_Region=West", typeCSV); !bytes.Equal(got, west) {
		t.Errorf("set right, the data are not filtered:\n%s", got)
	}
	if a := c.do(http.MethodPost, "/-/troubles", `{"view":"nothing"}`, nil); a.Status != http.StatusNotFound {
		t.Errorf("POST for no view answers %d, want 404", a.Status)
	}
}

// A view that readers may not read is missing from their lists and from exports
// of its workbook; hidden in the first place, it hides the workbook.
func TestHiddenView(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	reader := c.as(tableautest.SecondUser, "demo")
	const hidden = "Superstore/sheets/Shipping"
	view, book := "/views/"+c.view(hidden), "/workbooks/"+c.workbook("Superstore")
	if a := c.do(http.MethodPost, "/-/troubles", `{"view":"`+hidden+`","hidden":true}`, nil); a.Status != http.StatusOK {
		t.Fatalf("POST answers %d: %s", a.Status, a.Body)
	}
	for path, want := range map[string]string{
		view: "403004", view + "/image": "403004", view + "/crosstab/excel": "403004", view + "/pdf": "403032", view + "/data": "403032",
		book + view + "/previewImage": "403004", book: "", book + "/views": "",
	} {
		if code := reader.get(path).code(t); code != want {
			t.Errorf("%s for a reader: %q, want %q", path, code, want)
		}
		if a := c.get(path); a.Status != http.StatusOK {
			t.Errorf("%s for an administrator answers %d", path, a.Status)
		}
	}
	for path, n := range map[string]int{"/views?filter=contentUrl:eq:" + hidden: 0, book + "/views": 5} {
		if got := reader.get(path).document(t).Views; len(got) != n {
			t.Errorf("%s lists %d views for a reader, want %d", path, len(got), n)
		}
	}
	if d := reader.get(book).document(t); d.Workbook == nil || strings.Contains(string(reader.get(book).Body), "Shipping") {
		t.Error("the workbook tells a reader of the hidden view")
	}
	if pages, _ := pdfPages(t, reader.file(book+"/pdf", "application/pdf")); pages != 5 {
		t.Errorf("the workbook's PDF has %d pages for a reader, want 5", pages)
	}
	if pages, _ := pdfPages(t, c.file(book+"/pdf", "application/pdf")); pages != 6 {
		t.Errorf("the workbook's PDF has %d pages for an administrator, want 6", pages)
	}

	if err := c.server.SetTrouble("Superstore/sheets/Overview", tableautest.Trouble{Hidden: true}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{book, book + "/pdf", book + "/views", book + "/previewImage", "/workbooks/Superstore?key=contentUrl"} {
		if code := reader.get(path).code(t); code != "403004" {
			t.Errorf("%s with the first view hidden: %q, want 403004", path, code)
		}
	}
	if d := reader.get("/workbooks?filter=contentUrl:eq:Superstore").document(t); len(d.Workbooks) != 0 {
		t.Error("the workbook whose first view is hidden is in the list")
	}
	if d := reader.get("/customviews?filter=workbookId:eq:" + c.workbook("Superstore")).document(t); len(d.CustomViews) != 0 {
		t.Errorf("custom views of the hidden view are listed: %q", names(d.CustomViews))
	}
	c.server.ClearTroubles()
	reader.file(view+"/pdf", "application/pdf")
}

func TestUnequalFiltersIgnored(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{IgnoreUnequal: true}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/data"
	if got := c.file(path+"?vf_Region=West,East&vf_Category=Furniture", typeCSV); !bytes.Equal(got, c.file(path, typeCSV)) {
		t.Errorf("the data are filtered:\n%s", got)
	}
}
