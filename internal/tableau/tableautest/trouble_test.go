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

func TestUnequalFiltersIgnored(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{IgnoreUnequal: true}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/data"
	if got := c.file(path+"?vf_Region=West,East&vf_Category=Furniture", typeCSV); !bytes.Equal(got, c.file(path, typeCSV)) {
		t.Errorf("the data are filtered:\n%s", got)
	}
}
