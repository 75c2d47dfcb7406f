package tableau_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const (
	dataRoute = "GET /api/3.27/sites/site-1/views/v1/data"
	plainData = "Region,Sales\r\nWest,$1\r\nEast,$2\r\nWest,$3\r\n"

	// control is what is asked for to see whether the data change by themselves:
	// a field that no view has, so that the answer is not the one before from
	// Tableau's cache.
	control = "vizpost%20-%20no%20such%20field=x"
)

// data answers a view's data by the filters that are asked for: "" without
// any, otherwise field=values, in the order of the query. The control has the
// answer of "" unless it has one of its own.
func data(answers map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked []string
		for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
			if key, value, _ := strings.Cut(pair, "="); strings.HasPrefix(key, "vf_") {
				asked = append(asked, strings.TrimPrefix(key, "vf_")+"="+value)
			}
		}
		body, ok := answers[strings.Join(asked, "&")]
		if !ok && slices.Equal(asked, []string{control}) {
			body, ok = answers[""], true
		}
		switch {
		case !ok:
			failure(500, "500000", "Internal Server Error", "not expected: "+strings.Join(asked, " "))(w, r)
		case strings.HasPrefix(body, "error "):
			failure(400, strings.TrimPrefix(body, "error "), "Bad Request", "")(w, r)
		default:
			answer(200, "text/csv;charset=UTF-8", body)(w, r)
		}
	}
}

func TestProveFilters(t *testing.T) {
	t.Parallel()
	const (
		missing   = "vizpost%20-%20no%20such%20member"
		noDate    = "1601-01-01"
		applied   = tableau.FilterApplied
		ignored   = tableau.FilterNotApplied
		unknown   = tableau.FilterUnknown
		onlyWest  = "Region,Sales\r\nWest,$1\r\nWest,$3\r\n"
		header    = "Region,Sales\r\n"
		dates     = "Order Date,Sales\r\n1/31/2026,1\r\n2/1/2026,2\r\n"
		oneDate   = "Order Date,Sales\r\n1/31/2026,1\r\n"
		longForm  = "Region,Measure Names,Measure Values\r\nWest,Sales,$1\r\nWest,Profit,$2\r\nEast,Sales,$3\r\nEast,Profit,$4\r\n"
		longSales = "Region,Measure Names,Measure Values\r\nWest,Sales,$1\r\nEast,Sales,$3\r\n"
	)
	tests := []struct {
		name     string
		filters  []tableau.Filter
		answers  map[string]string
		want     []tableau.FilterVerdict
		overall  tableau.FilterVerdict
		evidence string
		requests int
	}{
		{"every row is wanted", filters("Region", "West"), map[string]string{"": plainData, "Region=West": onlyWest},
			[]tableau.FilterVerdict{applied}, applied, "2 rows with it, 3 without", 2},
		{"a byte order mark", filters("Region", "West"), map[string]string{"": "\uFEFF" + plainData, "Region=West": "\uFEFF" + onlyWest},
			[]tableau.FilterVerdict{applied}, applied, "column of the field", 2},
		{"rows in another order are the same", filters("Region", "West"), map[string]string{"": plainData, "Region=West": "Region,Sales\r\nWest,$3\r\nWest,$1\r\nEast,$2\r\n"},
			[]tableau.FilterVerdict{ignored}, ignored, "hold other values", 2},
		{"the filter is ignored", filters("Region", "West"), map[string]string{"": plainData, "Region=West": plainData},
			[]tableau.FilterVerdict{ignored}, ignored, "hold other values", 2},
		{"all rows are wanted anyway", filters("Region", "West|East"), map[string]string{"": plainData, "Region=West%2CEast": plainData, "Region=" + missing: header},
			[]tableau.FilterVerdict{applied}, applied, "All 3 rows match", 3},
		{"all rows are wanted anyway, and the filter is ignored", filters("Region", "West|East"), map[string]string{"": plainData, "Region=West%2CEast": plainData, "Region=" + missing: plainData},
			[]tableau.FilterVerdict{ignored}, ignored, "with another value: 3 rows", 3},
		{"no column, the data differ", filters("City", "Bonn"), map[string]string{"": plainData, "City=Bonn": "Region,Sales\r\nWest,$1\r\n"},
			[]tableau.FilterVerdict{applied}, applied, "no column", 3},
		{"no column, as many rows", filters("City", "Bonn"), map[string]string{"": plainData, "City=Bonn": strings.ReplaceAll(plainData, "$3", "$9")},
			[]tableau.FilterVerdict{applied}, applied, "3 rows with it, 3 without", 3},
		{"no column, more rows", filters("City", "Bonn"), map[string]string{"": plainData, "City=Bonn": plainData + "North,$1\r\n"},
			[]tableau.FilterVerdict{unknown}, unknown, "more rows", 2},
		{"no column, the same data, known", filters("Country", "Germany"), map[string]string{"": plainData, "Country=Germany": plainData, "Country=" + missing: header},
			[]tableau.FilterVerdict{applied}, applied, "With another value there are 0", 3},
		{"no column, the same data, known, no data", filters("Country", "Germany"), map[string]string{"": plainData, "Country=Germany": plainData, "Country=" + missing: "error 400083"},
			[]tableau.FilterVerdict{applied}, applied, "With another value there are 0", 3},
		{"no column, the same data, refused", filters("Country", "Germany"), map[string]string{"": plainData, "Country=Germany": plainData, "Country=" + missing: "error 400081"},
			[]tableau.FilterVerdict{unknown}, unknown, "refused another value", 3},
		{"a field that does not exist", filters("region", "West"), map[string]string{"": plainData, "region=West": plainData, "region=" + missing: plainData},
			[]tableau.FilterVerdict{ignored}, ignored, `The view has a field "Region".`, 3},
		{"no row is left", filters("Region", "west"), map[string]string{"": plainData, "Region=west": header},
			[]tableau.FilterVerdict{unknown}, unknown, "nothing in the data matches", 2},
		{"no row is left, as an empty body", filters("Region", "west"), map[string]string{"": plainData, "Region=west": ""},
			[]tableau.FilterVerdict{unknown}, unknown, "nothing in the data matches", 2},
		{"no row is left, as an error", filters("Region", "west"), map[string]string{"": plainData, "Region=west": "error 400083"},
			[]tableau.FilterVerdict{unknown}, unknown, "nothing in the data matches", 2},
		{"no data at all", filters("Region", "West"), map[string]string{"": header},
			[]tableau.FilterVerdict{unknown}, unknown, "no data without the filter", 1},
		{"dates in another form", filters("Order Date", "2026-01-31"), map[string]string{"": dates, "Order%20Date=2026-01-31": oneDate},
			[]tableau.FilterVerdict{applied}, applied, "displayed in another form", 3},
		{"dates in another form, ignored", filters("Order Date", "2026-01-31"), map[string]string{"": dates, "Order%20Date=2026-01-31": dates, "Order%20Date=" + noDate: dates},
			[]tableau.FilterVerdict{ignored}, ignored, "with another value", 3},
		{"dates in another form, all wanted", filters("Order Date", "2026-01-31"), map[string]string{"": oneDate, "Order%20Date=2026-01-31": oneDate, "Order%20Date=" + noDate: "Order Date,Sales\r\n"},
			[]tableau.FilterVerdict{applied}, applied, "All 1 row match", 3},
		{"numbers", filters("Quantity", "5"), map[string]string{"": plainData, "Quantity=5": plainData, "Quantity=-987654321": header},
			[]tableau.FilterVerdict{applied}, applied, "", 3},
		{"booleans", filters("Returned", "true"), map[string]string{"": plainData, "Returned=true": plainData, "Returned=false": header},
			[]tableau.FilterVerdict{applied}, applied, "", 3},
		{"both booleans", filters("Returned", "true|false"), map[string]string{"": plainData, "Returned=true%2Cfalse": plainData},
			[]tableau.FilterVerdict{unknown}, unknown, "the same with and without", 2},
		{"the data have changed meanwhile", filters("Region", "West"), map[string]string{"": plainData, "Region=West": plainData + "North,$1\r\n"},
			[]tableau.FilterVerdict{ignored}, ignored, "as without the filter", 2},
		{"a parameter", filters("Parameters.Top N", "5"), map[string]string{"": plainData, "Parameters.Top%20N=5": onlyWest},
			[]tableau.FilterVerdict{applied}, applied, "The data differ", 3},
		{"a parameter that changes nothing", filters("Parameters.Top N", "5"), map[string]string{"": plainData, "Parameters.Top%20N=5": plainData},
			[]tableau.FilterVerdict{unknown}, unknown, "may have this value already", 2},
		{"a filter that is taken away", []tableau.Filter{{Field: "Region", Values: []string{""}}}, map[string]string{"": onlyWest, "Region=": plainData},
			[]tableau.FilterVerdict{applied}, applied, "The data differ", 3},
		{"a filter that is taken away and was not there", []tableau.Filter{{Field: "Region", Values: []string{""}}}, map[string]string{"": plainData, "Region=": plainData},
			[]tableau.FilterVerdict{unknown}, unknown, "may have no filter", 2},
		{"measure names", filters("Measure Names", "Sales"), map[string]string{"": longForm, "Measure%20Names=Sales": longSales},
			[]tableau.FilterVerdict{applied}, applied, "column of the field", 2},
		{"a member with line break and quotes in the data", filters("Region", `a "b", c`), map[string]string{"": "Region\r\n\"a \"\"b\"\", c\"\r\n\"x\r\ny\"\r\n", "Region=a%20%22b%22%5C%2C%20c": "Region\r\n\"a \"\"b\"\", c\"\r\n"},
			[]tableau.FilterVerdict{applied}, applied, "1 row with it, 2 without", 2},
		{"no column, and the data change by themselves", filters("City", "Bonn"), map[string]string{"": plainData, "City=Bonn": strings.ReplaceAll(plainData, "$3", "$9"), control: strings.ReplaceAll(plainData, "$3", "$8")},
			[]tableau.FilterVerdict{unknown}, unknown, "change by themselves", 3},
		{"a parameter, and the data change by themselves", filters("Parameters.Top N", "5"), map[string]string{"": plainData, "Parameters.Top%20N=5": onlyWest, control: onlyWest},
			[]tableau.FilterVerdict{unknown}, unknown, "change by themselves", 3},
		{"dates in another form, and the data change by themselves", filters("Order Date", "2026-01-31"), map[string]string{"": dates, "Order%20Date=2026-01-31": oneDate, control: oneDate},
			[]tableau.FilterVerdict{unknown}, unknown, "change by themselves", 3},
		{"all rows are wanted, and another value shows that the data change by themselves", filters("Region", "West|East"), map[string]string{"": plainData, "Region=West%2CEast": plainData, "Region=" + missing: plainData + "North,$1\r\n", control: plainData + "North,$2\r\n"},
			[]tableau.FilterVerdict{unknown}, unknown, "change by themselves", 4},
		{"a column, and the data change by themselves", filters("Region", "West"), map[string]string{"": plainData, "Region=West": strings.ReplaceAll(onlyWest, "$3", "$9")},
			[]tableau.FilterVerdict{applied}, applied, "column of the field", 2},
		{"the control is refused", filters("City", "Bonn"), map[string]string{"": plainData, "City=Bonn": "Region,Sales\r\nWest,$1\r\n", control: "error 400010"},
			[]tableau.FilterVerdict{unknown}, unknown, "cannot be seen", 3},
		{"two fields that are no columns share a control", filters("Town", "Bonn", "City", "Bonn"), map[string]string{"": plainData, "Town=Bonn&City=Bonn": "Region,Sales\r\nWest,$1\r\n", "Town=Bonn": "Region,Sales\r\nWest,$3\r\n", "City=Bonn": "Region,Sales\r\nEast,$2\r\n"},
			[]tableau.FilterVerdict{applied, applied}, applied, "", 5},
		{"two fields, one a column", filters("Region", "West", "City", "Bonn"), map[string]string{"": plainData, "Region=West&City=Bonn": onlyWest, "City=Bonn": "Region,Sales\r\nEast,$2\r\n"},
			[]tableau.FilterVerdict{applied, applied}, applied, "", 4},
		{"two fields, one unknown to Tableau", filters("Region", "West", "Town", "Bonn"), map[string]string{"": plainData, "Region=West&Town=Bonn": onlyWest, "Town=Bonn": plainData, "Town=" + missing: plainData},
			[]tableau.FilterVerdict{applied, ignored}, ignored, "", 4},
		{"two fields that leave nothing together", filters("Region", "West", "City", "Bonn"), map[string]string{"": plainData, "Region=West&City=Bonn": header, "Region=West": onlyWest, "City=Bonn": "Region,Sales\r\nEast,$2\r\n"},
			[]tableau.FilterVerdict{applied, applied}, unknown, "no row matches all of them", 5},
		{"two fields that Tableau ignores together", filters("City", "Bonn", "Region", "West"), map[string]string{"": plainData, "City=Bonn&Region=West": plainData, "Region=West": onlyWest, "City=Bonn": "Region,Sales\r\nEast,$2\r\n"},
			[]tableau.FilterVerdict{applied, applied}, ignored, "together they change nothing", 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on(dataRoute, data(tt.answers))
			got, err := client(t, base, tableau.Options{Transport: server}).ProveFilters(t.Context(), session(base),
				tableau.ExportRequest{ViewID: "v1", Format: tableau.PDF, Filters: tt.filters, MaxAge: 90, Image: tableau.ImageOptions{Width: 3, Height: 4}})
			if err != nil {
				t.Fatalf("ProveFilters: %v", err)
			}
			var verdicts []tableau.FilterVerdict
			text := got.Note
			for i, f := range got.Fields {
				verdicts = append(verdicts, f.Verdict)
				text += " " + f.Evidence
				if f.Field != tt.filters[i].Field || f.Evidence == "" {
					t.Errorf("field = %+v, want it of %q with evidence", f, tt.filters[i].Field)
				}
			}
			if got.Verdict != tt.overall || !slices.Equal(verdicts, tt.want) {
				t.Errorf("proof = %+v, want %s of %v", got, tt.overall, tt.want)
			}
			if !strings.Contains(text, tt.evidence) {
				t.Errorf("evidence = %q, want %q in it", text, tt.evidence)
			}
			if tt.overall != applied && tt.evidence != "" && !strings.Contains(got.Message(), tt.evidence) {
				t.Errorf("message = %q, want %q in it", got.Message(), tt.evidence)
			}
			if n := len(server.requests()); n != tt.requests {
				t.Errorf("%d requests, want %d: %q", n, tt.requests, server.paths())
			}
			for _, path := range server.paths() {
				if !strings.Contains(path, "maxAge=1") || strings.Contains(path, "vizWidth") {
					t.Errorf("request = %s", path)
				}
			}
		})
	}
}

// What cannot be tried is said without a request.
func TestProveFiltersWithoutData(t *testing.T) {
	t.Parallel()
	old := session(base)
	old.APIVersion = "3.19"
	for name, tt := range map[string]struct {
		session tableau.Session
		ask     tableau.ExportRequest
		want    string
	}{
		"workbook":    {session(base), tableau.ExportRequest{WorkbookID: "w", Format: tableau.PDF, Filters: filters("Region", "West")}, "one of its views"},
		"custom view": {old, tableau.ExportRequest{CustomViewID: "c", Format: tableau.PNG, Filters: filters("Region", "West")}, "2024.2"},
		"no filters":  {session(base), tableau.ExportRequest{ViewID: "v", Format: tableau.PNG}, "no filters"},
	} {
		server := newFake()
		got, err := client(t, base, tableau.Options{Transport: server}).ProveFilters(t.Context(), tt.session, tt.ask)
		if err != nil || got.Verdict != tableau.FilterUnknown || !strings.Contains(got.Message(), tt.want) || len(server.requests()) != 0 {
			t.Errorf("%s: %+v, %v, %q", name, got, err, server.paths())
		}
	}
}

func TestProveFiltersErrors(t *testing.T) {
	t.Parallel()
	prove := func(answers http.HandlerFunc, ask []tableau.Filter) (tableau.FilterProof, error) {
		return client(t, base, tableau.Options{Transport: newFake().on(dataRoute, answers), MaxExportBytes: 8 << 20}).
			ProveFilters(t.Context(), session(base), tableau.ExportRequest{ViewID: "v1", Filters: ask})
	}
	west := filters("Region", "West")
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   tableau.Cause
	}{
		"session ended":            {failure(401, "401002", "", ""), tableau.SessionEnded},
		"a page":                   {html, tableau.NotTableau},
		"a quote without an end":   {answer(200, "text/csv", "Region\r\n\""+strings.Repeat("x", 4<<20)), tableau.Unknown},
		"too many columns":         {answer(200, "text/csv", strings.Repeat("a,", 3000)+"\r\n"), tableau.Unknown},
		"larger than may be":       {answer(200, "text/csv", strings.Repeat("a,b\r\n", 2<<20)), tableau.TooLarge},
		"a row that never ends":    {answer(200, "text/csv", "Region\r\n"+strings.Repeat("x,", 2<<20)), tableau.Unknown},
		"a header that never ends": {answer(200, "text/csv", strings.Repeat("x", 4<<20)), tableau.Unknown},
	} {
		_, err := prove(tt.answer, west)
		if e := asError(t, err); e.Cause != tt.want {
			t.Errorf("%s: %v, want %q", name, e, tt.want)
		}
	}
	if _, err := prove(html, filters("Region", "")); fieldsOf(err) != nil {
		t.Errorf("taking a filter away: %v", err)
	}
	if _, err := prove(html, []tableau.Filter{{Field: "Region"}}); !slices.Equal(fieldsOf(err), []string{"filters"}) {
		t.Errorf("a filter without values: %v", err)
	}
}

// The number of requests has a bound, whatever is asked for.
func TestProveFiltersOfManyFields(t *testing.T) {
	t.Parallel()
	var pairs []string
	for i := range 14 {
		pairs = append(pairs, fmt.Sprintf("Field %d", i), "x")
	}
	server := newFake().on(dataRoute, answer(200, "text/csv", plainData))
	got, err := client(t, base, tableau.Options{Transport: server}).ProveFilters(t.Context(), session(base), tableau.ExportRequest{ViewID: "v1", Filters: filters(pairs...)})
	if err != nil || got.Verdict != tableau.FilterNotApplied || len(got.Fields) != 14 || got.Fields[13].Verdict != tableau.FilterUnknown {
		t.Errorf("proof = %+v, %v", got, err)
	}
	if n := len(server.requests()); n != 22 {
		t.Errorf("%d requests, want 22", n)
	}
}

// The stand-in treats filters as Tableau does.
func TestStandInProvesFilters(t *testing.T) {
	t.Parallel()
	_, c, s := standIn(t, tableautest.Options{})
	view := mustFind(t, c, s, "Superstore/SalesbyRegion")
	custom, err := c.CustomViews(t.Context(), s, mustFind(t, c, s, customOf).ID)
	if err != nil || len(custom) == 0 {
		t.Fatalf("CustomViews = %+v, %v", custom, err)
	}
	ofView := func(pairs ...string) tableau.ExportRequest {
		return tableau.ExportRequest{ViewID: view.ID, Filters: filters(pairs...)}
	}
	for name, tt := range map[string]struct {
		ask  tableau.ExportRequest
		want tableau.FilterVerdict
	}{
		"column":               {ofView("Region", "West"), tableau.FilterApplied},
		"several":              {ofView("Region", "West|East", "Category", "Technology|Furniture"), tableau.FilterApplied},
		"no column":            {ofView("City", "San José"), tableau.FilterApplied},
		"comma":                {ofView("Customer Name", "Ellis, Ltd."), tableau.FilterApplied},
		"ampersand":            {ofView("Customer Name", "Nakamura & Ito"), tableau.FilterApplied},
		"all members":          {ofView("Region", "West|East|South|Central|North"), tableau.FilterApplied},
		"misspelt field":       {ofView("region", "West"), tableau.FilterNotApplied},
		"misspelt member":      {ofView("Region", "west"), tableau.FilterUnknown},
		"one misspelt":         {ofView("Region", "West", "category", "Technology"), tableau.FilterNotApplied},
		"parameter of nothing": {ofView("Parameters.Nothing", "5"), tableau.FilterUnknown},
		"custom view":          {tableau.ExportRequest{CustomViewID: custom[0].ID, Filters: filters("Category", "Furniture")}, tableau.FilterApplied},
	} {
		got, err := c.ProveFilters(t.Context(), s, tt.ask)
		if err != nil || got.Verdict != tt.want {
			t.Errorf("%s: %+v, %v, want %s", name, got, err, tt.want)
		}
	}
}
