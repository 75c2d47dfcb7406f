package tableautest_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestCache(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/Overview") + "/image"
	first := c.file(path, "image/png")
	c.server.Advance(59 * time.Minute)
	if !bytes.Equal(first, c.file(path, "image/png")) {
		t.Error("within an hour the picture is drawn anew")
	}
	fresh := c.file(path+"?maxAge=1", "image/png")
	if bytes.Equal(first, fresh) {
		t.Error("maxAge=1 gives an old picture")
	}
	c.server.Advance(30 * time.Second)
	if !bytes.Equal(fresh, c.file(path+"?maxAge=0", "image/png")) {
		t.Error("maxAge=0 is not the same as 1")
	}
	c.server.Advance(time.Hour)
	if bytes.Equal(fresh, c.file(path, "image/png")) {
		t.Error("after an hour the picture is the old one")
	}
	// Each format has a cache of its own, so that they can disagree.
	pdf, aged := strings.TrimSuffix(path, "/image")+"/pdf", c.file(path, "image/png")
	before := c.file(pdf, "application/pdf")
	c.server.Advance(10 * time.Minute)
	if after := c.file(pdf+"?maxAge=1", "application/pdf"); bytes.Equal(before, after) || !bytes.Equal(aged, c.file(path, "image/png")) {
		t.Error("a fresh PDF makes the picture fresh")
	}
	got := c.server.Stats()
	if got.Rendered != 5 || got.ServedFromCache != 4 || got.Exports["png"] != 7 {
		t.Errorf("stats: %d rendered, %d from the cache, %v; want 5, 4 and 7 pictures", got.Rendered, got.ServedFromCache, got.Exports)
	}
}

// The same values in other tuples select other rows, though a picture's foot
// names the same values.
func TestCacheTellsTuplesApart(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/data?vf_Category=Furniture,Technology,Technology&vf_Region=East,West,"
	east := c.file(path+"East", typeCSV)
	if twice := c.file(path+"West", typeCSV); bytes.Equal(east, twice) {
		t.Errorf("without East's technology gives what was made with it:\n%s", twice)
	}
}

// The same clock as before does not make a result of its future fresh.
func TestCacheWhenTheClockIsMovedBack(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	path := "/views/" + c.view("Superstore/sheets/SalesbyRegion") + "/image"
	c.server.Advance(24 * time.Hour)
	c.signIn()
	later := c.file(path, "image/png")
	c.server.Advance(-24 * time.Hour)
	c.signIn()
	if bytes.Equal(later, c.file(path, "image/png")) {
		t.Error("the picture is from the future")
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{}).signIn()
	id := c.view("Superstore/sheets/Shipping")
	c.file("/views/"+id+"/data", typeCSV)
	c.file("/views/"+id+"/pdf", "application/pdf")
	c.get("/views/nothing/pdf")
	c.do(http.MethodGet, "/-/stats", "", nil) // does not count
	want := tableautest.Stats{
		Total:              5,
		Calls:              map[string]int{"signin": 1, "views": 1, "data": 1, "pdf": 2},
		Statuses:           map[string]int{"200": 4, "404": 1},
		SignIns:            1,
		SessionsLive:       1,
		Exports:            map[string]int{"csv": 1, "pdf": 1},
		ExportsInFlightMax: 1,
		Rendered:           2,
	}
	if diff := cmp.Diff(want, c.server.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	c.server.ResetStats()
	want = tableautest.Stats{SessionsLive: 1, Calls: map[string]int{}, Statuses: map[string]int{}, Exports: map[string]int{}}
	if diff := cmp.Diff(want, c.server.Stats()); diff != "" {
		t.Errorf("stats after a reset (-want +got):\n%s", diff)
	}
}
