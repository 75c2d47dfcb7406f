package e2e_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vizpost/vizpost/internal/content"
)

// official returns a program of Tableau's own clients, which make e2e installs.
func official(t *testing.T, program string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".venv-tableau", "bin", program))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("Tableau's clients are not installed: run `make e2e`, which installs them into .venv-tableau")
	}
	return path
}

// standInCounts are parts of what the stand-in says at /-/stats.
type standInCounts struct {
	SignIns  int `json:"sign_ins"`
	SignOuts int `json:"sign_outs"`
	Live     int `json:"sessions_live"`
	Ended    int `json:"sessions_ended_by_sign_in"`
	Calls    map[string]int
}

func countsOf(t *testing.T, address string) standInCounts {
	t.Helper()
	response, err := http.Get(address + "/-/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var counts standInCounts
	if err := json.NewDecoder(response.Body).Decode(&counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

// exported checks a file of a client by its suffix and returns its facts; those
// of formats that package content does not know are pages alone.
func exported(t *testing.T, folder, name string) content.Facts {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Errorf("%s was not exported: %v", name, err)
		return content.Facts{}
	}
	switch format := strings.TrimPrefix(filepath.Ext(name), "."); format {
	case content.PNG, content.PDF, content.CSV, content.XLSX:
		facts, err := content.Check(t.Context(), bytes.NewReader(body), int64(len(body)), format)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if header := facts.Sheets; facts.DataRows != facts.Rows-header {
			t.Errorf("%s has %d rows of data, want %d", name, facts.DataRows, facts.Rows-header)
		}
		facts.DataRows = 0
		return facts
	case "svg":
		if !bytes.Contains(body, []byte("<svg")) {
			t.Errorf("%s is none", name)
		}
		return content.Facts{}
	default:
		archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return content.Facts{}
		}
		pages := 0
		for _, f := range archive.File {
			if slide.MatchString(f.Name) || strings.HasSuffix(f.Name, ".twb") || strings.HasSuffix(f.Name, ".tds") {
				pages++
			}
		}
		return content.Facts{Pages: pages}
	}
}

var slide = regexp.MustCompile(`^ppt/slides/slide\d+\.xml$`)

// TestPythonClient runs a script of Tableau's Python client against stand-ins of
// several versions. It negotiates the version by itself.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	python := official(t, "python")
	files := map[string]content.Facts{
		"preview.png":             {Width: 192, Height: 192},
		"plain.png":               {Width: 1000, Height: 800},
		"high.png":                {Width: 2000, Height: 1600},
		"sized.png":               {Width: 640, Height: 480},
		"as png.png":              {Width: 800, Height: 600},
		"image.svg":               {},
		"view.pdf":                {Pages: 1},
		"plain.pdf":               {Pages: 1},
		"upright.pdf":             {Pages: 1},
		"all.csv":                 {Rows: 12},
		"west.csv":                {Rows: 1},
		"tuples.csv":              {Rows: 2},
		"customer.csv":            {Rows: 1},
		"german.csv":              {Rows: 24},
		"view.xlsx":               {Rows: 13, Sheets: 1},
		"west.xlsx":               {Rows: 4, Sheets: 1},
		"workbook preview.png":    {Width: 192, Height: 192},
		"workbook.pdf":            {Pages: 6},
		"west workbook.pdf":       {Pages: 6},
		"workbook.pptx":           {Pages: 6},
		"fresh workbook.pptx":     {Pages: 6},
		"Superstore.twbx":         {Pages: 1},
		"without data.twbx":       {Pages: 1},
		"revision.twbx":           {Pages: 1},
		"Superstore2FOrders.tdsx": {Pages: 1},
		"revision.tdsx":           {Pages: 1},
		"custom.png":              {Width: 1000, Height: 800},
		"high custom.png":         {Width: 2000, Height: 1600},
		"custom.svg":              {},
		"custom.pdf":              {Pages: 1},
		"lying custom.pdf":        {Pages: 1},
		"custom.csv":              {Rows: 24},
		"may custom.csv":          {Rows: 1},
	}
	formats := []string{"as png.png", "image.svg"} // the client names a format from 3.29 on
	since323 := []string{"sized.png", "west workbook.pdf"}
	for _, test := range []struct {
		version, release string
		args             []string
		unavailable      []string // what the client refuses to ask for
		unused           []string // exports that it does not come to
	}{
		{"3.6", "2019.4.", nil, slices.Concat(formats, since323, []string{"view.xlsx", "west.xlsx", "workbook.pptx", "fresh workbook.pptx", "custom views"}),
			[]string{"CustomViews.download", "CustomViews.populate_csv", "CustomViews.populate_image", "CustomViews.populate_pdf"}},
		{"3.19", "2023.1.", nil, slices.Concat(formats, since323, []string{
			"custom.svg", "custom.pdf", "lying custom.pdf", "custom.csv", "may custom.csv", "custom.json",
		}), []string{}},
		{"3.23", "2024.2.", nil, append(formats, "custom.svg"), []string{}},
		{"3.29", "2026.2.", nil, nil, []string{}},
		{"3.30", "2026.3.", []string{"--cloud"}, nil, []string{}},
	} {
		t.Run(test.version, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"tableau", "--addr", "127.0.0.1:0", "--api-version", test.version}, test.args...)
			tableau := start(t, nil, "password", args...).facts
			folder := t.TempDir()
			got := pythonClient(t, python, tableau, folder)

			sorted := cmpopts.SortSlices(strings.Compare)
			if diff := cmp.Diff(test.unavailable, got.Unavailable, sorted, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("unavailable (-want +got):\n%s", diff)
			}
			for name, want := range files {
				if slices.Contains(test.unavailable, name) || strings.Contains(name, "custom") && slices.Contains(test.unavailable, "custom views") {
					continue
				}
				if diff := cmp.Diff(want, exported(t, folder, name)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			got.check(t, test.version, test.release, tableau)
			if !slices.Contains(test.unavailable, "custom views") {
				want := []string{"West only", "Furniture / Draft", "My consumers", "Été 2026 – Est", "Technology"}
				if diff := cmp.Diff(want, got.CustomViews); diff != "" {
					t.Errorf("custom views (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"Overview", "Superstore", tableau["user"]}, got.CustomViewOf); diff != "" {
					t.Errorf("custom view of (-want +got):\n%s", diff)
				}
				if got.Definition == nil && !slices.Contains(test.unavailable, "custom.json") {
					t.Error("there is no definition of a custom view")
				}
			}
			if diff := cmp.Diff(test.unused, got.Unused); diff != "" {
				t.Errorf("exports of the library that were not tried (-want +got):\n%s", diff)
			}
			counts := countsOf(t, tableau["url"])
			if counts.SignIns != 5 || counts.SignOuts != 4 || counts.Ended != 1 || counts.Live != 0 {
				t.Errorf("counts = %+v, want 5 sign-ins, 4 sign-outs, 1 session ended by a sign-in, none live", counts)
			}
			if n := counts.Calls["unknown"]; n != 0 {
				t.Errorf("the client asked %d times for what the stand-in does not know", n)
			}
		})
	}
}

// pythonFacts is what official/client.py prints.
type pythonFacts struct {
	Version      string
	API          string
	Product      string
	User         string
	Projects     []string
	Workbooks    []string
	Sheets       []string
	Webpage      string
	Paged        []string
	Filtered     []string
	Tagged       []string
	Usage        bool
	CustomViews  []string `json:"custom views"`
	CustomViewOf []string `json:"custom view of"`
	Definition   []string // the views that a custom view's definition is of
	Unavailable  []string
	Unused       []string
	Options      map[string][]string   // parameters that were asked for, by the kind of options
	Paper        map[string][2]float64 // sizes of pages, lying, by page type
	OwnWorkbooks []string              `json:"own workbooks"`
	DataSource   []string              `json:"data source"`
	Revisions    []string
	WithoutData  bool `json:"without data"` // a workbook without data is smaller

	Beyond           string
	UnknownFilter    string `json:"unknown filter"`
	UnknownView      string `json:"unknown view"`
	AfterSecond      string `json:"after a second sign-in"`
	WrongToken       string `json:"a wrong token"`
	ViewsOfTheSecond int    `json:"the second"`
	WithPassword     []int  `json:"with a password"`
}

func pythonClient(t *testing.T, python string, tableau map[string]string, folder string) pythonFacts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, filepath.Join("official", "client.py"), tableau["url"], tableau["site"], folder)
	cmd.Env = append(os.Environ(),
		"TABLEAU_TOKEN_NAME="+tableau["token name"], "TABLEAU_TOKEN_SECRET="+tableau["token secret"],
		"TABLEAU_USER="+tableau["user"], "TABLEAU_PASSWORD="+tableau["password"])
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the client failed: %v\n%s", err, stderr.Bytes())
	}
	var facts pythonFacts
	if err := json.Unmarshal(out, &facts); err != nil {
		t.Fatalf("the client said %s: %v", out, err)
	}
	return facts
}

// check compares what does not depend on the version.
func (f pythonFacts) check(t *testing.T, version, release string, tableau map[string]string) {
	t.Helper()
	if len(f.Paged) < 10 || !slices.Contains(f.Paged, "Superstore/sheets/Overview") {
		t.Errorf("paging found %d views: %q", len(f.Paged), f.Paged)
	}
	if want := tableau["url"] + "/#/site/demo/workbooks/"; !strings.HasPrefix(f.Webpage, want) {
		t.Errorf("the workbook's page is %s, want one below %s", f.Webpage, want)
	}
	n := len(f.Paged)
	for name, texts := range map[string][2]any{
		"negotiated version":      {version, f.Version},
		"server's version":        {version, f.API},
		"release of " + f.Product: {true, strings.HasPrefix(f.Product, release)},
		"user":                    {tableau["user"], f.User},
		"filtered and sorted":     {[]string{"Overview", "Operating Profit"}, f.Filtered},
		"with a tag":              {[]string{"Market – Écoles"}, f.Tagged},
		"page beyond the end":     {"400006", f.Beyond},
		"unknown filter":          {"400065", f.UnknownFilter},
		"unknown view":            {"404011", f.UnknownView},
		"usage":                   {true, f.Usage},
		"after another sign-in":   {"401002", f.AfterSecond},
		"views of the other":      {n, f.ViewsOfTheSecond},
		"two with a password":     {[]int{n, n}, f.WithPassword},
		"wrong token":             {"401001", f.WrongToken},
		"workbooks of the user":   {f.Workbooks, f.OwnWorkbooks},
		"data source":             {[]string{"Superstore / Orders", "Sales"}, f.DataSource},
		"revisions":               {[]string{"1"}, f.Revisions},
		"without data":            {true, f.WithoutData},
		"options": {map[string][]string{
			"CSVRequestOptions":   {"language", "maxAge", "vf_", "vf_Parameters."},
			"ExcelRequestOptions": {"language", "maxAge", "vf_", "vf_Parameters."},
			"ImageRequestOptions": {"format", "language", "maxAge", "resolution", "vf_", "vf_Parameters.", "vizHeight", "vizWidth"},
			"PDFRequestOptions":   {"language", "maxAge", "orientation", "type", "vf_", "vf_Parameters.", "vizHeight", "vizWidth"},
			"PPTXRequestOptions":  {"maxAge"},
		}, f.Options},
		"paper": {map[string][2]float64{
			"a3": {1191, 842}, "a4": {842, 595}, "a5": {595, 420}, "b4": {1032, 729}, "b5": {729, 516},
			"executive": {756, 522}, "folio": {936, 612}, "ledger": {792, 1224}, "legal": {1008, 612}, "letter": {792, 612},
			"note": {720, 540}, "quarto": {780, 610}, "tabloid": {1224, 792}, "unspecified": {372, 222},
		}, f.Paper},
		"sheets": {[]string{"Overview", "Sales by Region", "Profit by Category", "Monthly Sales", "Top Customers", "Shipping"}, f.Sheets},
	} {
		if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, project := range []string{"Sales", "Écoles", "Privé"} {
		if !slices.Contains(f.Projects, project) {
			t.Errorf("the projects %q lack %s", f.Projects, project)
		}
	}
	if !slices.Contains(f.Workbooks, "Superstore") || !slices.Contains(f.Workbooks, "Market – Écoles") {
		t.Errorf("the workbooks are %q", f.Workbooks)
	}
}
