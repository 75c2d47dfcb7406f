package tableau_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// exportRequest sends one export and gives the address that was asked for.
func exportRequest(t testing.TB, r tableau.ExportRequest) (seen, error) {
	t.Helper()
	var got seen
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		got = seen{Method: req.Method, URL: req.URL.RequestURI(), Header: req.Header}
		return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("a,b\n"))}, nil
	})
	_, err := client(t, base, tableau.Options{Transport: transport}).Export(t.Context(), session(base), r, io.Discard)
	return got, err
}

func TestExportRequests(t *testing.T) {
	t.Parallel()
	const site = "/api/3.27/sites/site-1/views/v%201/"
	tests := []struct {
		name string
		ask  tableau.ExportRequest
		want string
	}{
		{"png", tableau.ExportRequest{Format: tableau.PNG}, site + "image?maxAge=1"},
		{"png with options", tableau.ExportRequest{Format: tableau.PNG, MaxAge: 30, Image: tableau.ImageOptions{HighResolution: true, Width: 800, Height: 600}},
			site + "image?maxAge=30&resolution=high&vizHeight=600&vizWidth=800"},
		{"pdf", tableau.ExportRequest{Format: tableau.PDF}, site + "pdf?maxAge=1&orientation=Portrait&type=A4"},
		{"pdf with options", tableau.ExportRequest{Format: tableau.PDF, PDF: tableau.PDFOptions{PageSize: "letter", Orientation: "LANDSCAPE"}, Image: tableau.ImageOptions{Width: 1, Height: 2}},
			site + "pdf?maxAge=1&orientation=Landscape&type=Letter&vizHeight=2&vizWidth=1"},
		{"csv", tableau.ExportRequest{Format: tableau.CSV, MaxAge: 5, Language: "de"}, site + "data?language=de&maxAge=5"},
		{"xlsx", tableau.ExportRequest{Format: tableau.XLSX}, site + "crosstab/excel?maxAge=1"},
		{"one filter", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Region", "West")}, site + "data?maxAge=1&vf_Region=West"},
		{"several values", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Region", "West|East")}, site + "data?maxAge=1&vf_Region=West%2CEast"},
		{"commas", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Name", "Smith, Jane|Doe")}, site + `data?maxAge=1&vf_Name=Smith%5C%2C%20Jane%2CDoe`},
		{"backslashes", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("User", `DOMAIN\jsmith`)}, site + `data?maxAge=1&vf_User=DOMAIN%5Cjsmith`},
		{"backslash at the end", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Path", `C:\|D`)}, site + `data?maxAge=1&vf_Path=C%3A%5C%5C%2CD`},
		{"ampersand, plus, quotes, per cent", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Sub Category", `A & B+C "D" 'E' 5% #1`)},
			site + "data?maxAge=1&vf_Sub%20Category=A%20%26%20B%2BC%20%22D%22%20%27E%27%205%25%20%231"},
		{"non-ASCII", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Länder", "Österreich|日本")}, site + "data?maxAge=1&vf_L%C3%A4nder=%C3%96sterreich%2C%E6%97%A5%E6%9C%AC"},
		{"dates", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Order Date", "2026-01-31|2026-02-01 09:00:00")}, site + "data?maxAge=1&vf_Order%20Date=2026-01-31%2C2026-02-01%2009%3A00%3A00"},
		{"every combination", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Year", "2017|2018", "Region", "West|East")},
			site + "data?maxAge=1&vf_Year=2017%2C2017%2C2018%2C2018&vf_Region=West%2CEast%2CWest%2CEast"},
		{"one value with several", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Year", "2017|2018", "Region", "West")}, site + "data?maxAge=1&vf_Year=2017%2C2018&vf_Region=West%2CWest"},
		{"single values", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Year", "2017", "Region", "West")}, site + "data?maxAge=1&vf_Year=2017&vf_Region=West"},
		{"parameters stand alone", tableau.ExportRequest{Format: tableau.CSV, Filters: filters("Year", "2017|2018", "Parameters.Top N", "5", "Region", "West")},
			site + "data?maxAge=1&vf_Year=2017%2C2018&vf_Parameters.Top%20N=5&vf_Region=West%2CWest"},
		{"a filter taken away", tableau.ExportRequest{Format: tableau.CSV, Filters: []tableau.Filter{{"Region", []string{""}}, {"Year", []string{"1", "2"}}}}, site + "data?maxAge=1&vf_Region=&vf_Year=1%2C2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.ask.ViewID = "v 1"
			got, err := exportRequest(t, tt.ask)
			if err != nil || got.Method != "GET" || got.URL != tt.want {
				t.Errorf("request = %s %s, %v,\nwant      GET %s", got.Method, got.URL, err, tt.want)
			}
			for name, want := range map[string]string{"Accept": "*/*", "Accept-Encoding": "identity", "X-Tableau-Auth": sessionToken, "Content-Type": ""} {
				if v := got.Header.Get(name); v != want {
					t.Errorf("header %s = %q, want %q", name, v, want)
				}
			}
		})
	}
}

// filters writes filters short: field, values separated by bars, and so on.
func filters(pairs ...string) []tableau.Filter {
	var out []tableau.Filter
	for pair := range slices.Chunk(pairs, 2) {
		out = append(out, tableau.Filter{Field: pair[0], Values: strings.Split(pair[1], "|")})
	}
	return out
}

// One field combines with nothing, however many values it has.
func TestManyValuesOfOneField(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat("x|", 400), "|")
	ask := tableau.ExportRequest{ViewID: "v", Format: tableau.PDF, Filters: filters("x", many, "y", "1", "Parameters.z", "2")}
	if err := ask.Validate(); err != nil {
		t.Errorf("error = %v, want none", err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat("x|", 101), "|")
	tests := []struct {
		name string
		ask  tableau.ExportRequest
		want []string // fields
	}{
		{"options of other formats", tableau.ExportRequest{Format: tableau.CSV, PDF: tableau.PDFOptions{PageSize: "A5"}, Image: tableau.ImageOptions{HighResolution: true, Width: 5, Height: 5}}, []string{"pdf", "image.high_resolution", "image"}},
		{"no format", tableau.ExportRequest{}, []string{"format"}},
		{"unknown format", tableau.ExportRequest{Format: "jpg"}, []string{"format"}},
		{"one side", tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{Width: 100}}, []string{"image"}},
		{"negative side", tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{Width: -1, Height: 5}}, []string{"image"}},
		{"huge side", tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{Width: 5, Height: 10_001}}, []string{"image"}},
		{"too many pixels", tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{Width: 10_000, Height: 10_000}}, []string{"image"}},
		{"too many pixels in high resolution", tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{HighResolution: true, Width: 5000, Height: 5000}}, []string{"image"}},
		{"page", tableau.ExportRequest{Format: tableau.PDF, PDF: tableau.PDFOptions{PageSize: "A44", Orientation: "sideways"}}, []string{"pdf.page_size", "pdf.orientation"}},
		{"age", tableau.ExportRequest{Format: tableau.PDF, MaxAge: -1}, []string{"max_age_minutes"}},
		{"language", tableau.ExportRequest{Format: tableau.PDF, Language: "de&x=1"}, []string{"language"}},
		{"no field", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("", "x")}, []string{"filters"}},
		{"a long field", tableau.ExportRequest{Format: tableau.PDF, Filters: filters(strings.Repeat("ü", 201), "x")}, []string{"filters"}},
		{"a parameter without a name", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("Parameters.", "x")}, []string{"filters"}},
		{"no value", tableau.ExportRequest{Format: tableau.PDF, Filters: []tableau.Filter{{Field: "x"}}}, []string{"filters"}},
		{"an empty value among others", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "a||b")}, []string{"filters"}},
		{"a field twice", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "a", "x", "b")}, []string{"filters"}},
		{"a parameter with several values", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("Parameters.P", "a|b")}, []string{"filters"}},
		{"a comparison", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "gt:1000")}, []string{"filters"}},
		{"a comparison among others", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "5|LTE: -3.5")}, []string{"filters"}},
		{"a comparison of dates", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "gte:2026-01-31")}, []string{"filters"}},
		{"a control character", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "a\nb")}, []string{"filters"}},
		{"a control character in the field", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x\x00", "a")}, []string{"filters"}},
		{"no text", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "a\xffb")}, []string{"filters"}},
		{"more values than an address holds", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", strings.Repeat(many+"|", 30))}, []string{"filters"}},
		{"too many combinations", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", "1|2|3|4|5|6|7|8|9|10|11", "y", "1|2|3|4|5|6|7|8|9|10")}, []string{"filters"}},
		{"more than can be counted", tableau.ExportRequest{Format: tableau.PDF, Filters: []tableau.Filter{
			{"a", slices.Repeat([]string{"v"}, 1<<16)}, {"b", slices.Repeat([]string{"v"}, 1<<16)}, {"c", slices.Repeat([]string{"v"}, 1<<16)}, {"d", slices.Repeat([]string{"v"}, 1<<16)}}}, []string{"filters"}},
		{"too long", tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", strings.Repeat("y", 7000))}, []string{"filters"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.ask.Validate()
			var p *problem.Error
			if !errors.As(err, &p) || p.Kind != problem.Invalid {
				t.Fatalf("error = %v, want invalid fields", err)
			}
			var names []string
			for _, f := range p.Fields {
				names = append(names, f.Name)
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if got, err := exportRequest(t, tt.ask); err == nil || got.URL != "" {
				t.Errorf("it was sent all the same: %s", got.URL)
			}
		})
	}
	for _, size := range []string{"A3", "a4", "A5", "b4", "B5", "Executive", "folio", "Ledger", "Legal", "Letter", "Note", "Quarto", "Tabloid", "unspecified"} {
		if err := (tableau.ExportRequest{Format: tableau.PDF, PDF: tableau.PDFOptions{PageSize: size}}).Validate(); err != nil {
			t.Errorf("page size %s: %v", size, err)
		}
	}
	for _, ask := range []tableau.ExportRequest{
		{Format: tableau.PNG, Image: tableau.ImageOptions{HighResolution: true, Width: 4000, Height: 4000}},
		{Format: tableau.PNG, Image: tableau.ImageOptions{Width: 8000, Height: 8000}},
		{Format: tableau.PDF, Image: tableau.ImageOptions{Width: 10_000, Height: 10_000}},
		{Format: tableau.SVG, Image: tableau.ImageOptions{Width: 10_000, Height: 10_000}},
	} {
		if err := ask.Validate(); err != nil {
			t.Errorf("%+v: %v", ask.Image, err)
		}
	}
	for _, value := range []string{"gt:abc", "lt", "a gt:1000", "gt 1000", "GT: Premium", ">1000"} {
		if err := (tableau.ExportRequest{Format: tableau.PDF, Filters: filters("x", value)}).Validate(); err != nil {
			t.Errorf("value %s: %v", value, err)
		}
	}
	for _, field := range []string{strings.Repeat("ü", 200), strings.Repeat("売", 200), "Parameters.P", "Parameters"} {
		if err := (tableau.ExportRequest{Format: tableau.PDF, Filters: filters(field, "x")}).Validate(); err != nil {
			t.Errorf("field %s: %v", field, err)
		}
	}
}

// decodeFilters reads vf_ values the way Tableau describes it: keys and values
// are percent-decoded, values are split at commas, a backslash escapes a comma
// or a backslash, and the values of several fields belong together by position.
func decodeFilters(t testing.TB, query string) (combinations []map[string]string, alone map[string]string) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatalf("the query %q is none: %v", query, err)
	}
	alone = make(map[string]string)
	for key, texts := range values {
		field, isFilter := strings.CutPrefix(key, "vf_")
		if !isFilter {
			continue
		}
		if len(texts) != 1 {
			t.Fatalf("the key %q stands %d times", key, len(texts))
		}
		var list []string
		current := ""
		for i := 0; i < len(texts[0]); i++ {
			switch rest := texts[0][i:]; {
			case strings.HasPrefix(rest, `\,`), strings.HasPrefix(rest, `\\`):
				i++
				current += rest[1:2]
			case rest[0] == ',':
				list, current = append(list, current), ""
			default:
				current += rest[:1]
			}
		}
		list = append(list, current)
		if strings.HasPrefix(field, "Parameters.") || len(list) == 1 && list[0] == "" {
			alone[field] = strings.Join(list, "\x00")
			continue
		}
		if combinations == nil {
			combinations = make([]map[string]string, len(list))
		}
		if len(combinations) != len(list) {
			t.Fatalf("the field %q has %d values, another %d", field, len(list), len(combinations))
		}
		for i, v := range list {
			if combinations[i] == nil {
				combinations[i] = make(map[string]string)
			}
			combinations[i][field] = v
		}
	}
	return combinations, alone
}

// product gives every combination of the filters' values.
func product(filters []tableau.Filter) []map[string]string {
	out := []map[string]string{{}}
	for _, f := range filters {
		var next []map[string]string
		for _, combination := range out {
			for _, v := range f.Values {
				more := map[string]string{f.Field: v}
				for k, v := range combination {
					more[k] = v
				}
				next = append(next, more)
			}
		}
		out = next
	}
	return out
}

// Whatever the names and values are, what Tableau reads is every combination of
// the values, and nothing else.
func TestFiltersRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.OneOf(
			rapid.SampledFrom([]rune(`,\&=+%#"';?/[]() äß日`)),
			rapid.RuneFrom([]rune("abcXYZ019")),
		), 1, 8, -1)
		names := rapid.SliceOfNDistinct(text, 1, 3, rapid.ID[string]).Draw(rt, "fields")
		var ask []tableau.Filter
		for _, name := range names {
			ask = append(ask, tableau.Filter{Field: name, Values: rapid.SliceOfN(text, 1, 4).Draw(rt, "values of "+name)})
		}
		got, err := exportRequest(t, tableau.ExportRequest{ViewID: "v", Format: tableau.CSV, Filters: ask})
		if err != nil {
			rt.Fatalf("Export: %v", err)
		}
		_, query, _ := strings.Cut(got.URL, "?")
		combinations, _ := decodeFilters(t, query)
		key := func(m map[string]string) string {
			var parts []string
			for _, name := range names {
				parts = append(parts, fmt.Sprintf("%q=%q", name, m[name]))
			}
			return strings.Join(parts, " ")
		}
		less := cmpopts.SortSlices(func(a, b map[string]string) bool { return key(a) < key(b) })
		if diff := cmp.Diff(product(ask), combinations, less); diff != "" {
			rt.Errorf("combinations (-want +got):\n%s", diff)
		}
	})
}

func TestExportStreams(t *testing.T) {
	t.Parallel()
	file := bytes.Repeat([]byte("%PDF-1.7 some bytes\n"), 200_000)
	server := newFake().on("GET /api/3.27/sites/site-1/views/view-1/pdf", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pdf")
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		_, _ = w.Write(file)
	})
	address := server.listen(t)
	out := &watchedWriter{}
	info, err := client(t, address, tableau.Options{Transport: guarded(t)}).
		Export(t.Context(), session(address), tableau.ExportRequest{ViewID: "view-1", Format: tableau.PDF}, out)
	if err != nil {
		t.Fatalf("Export: %v", err)
	}
	if want := (tableau.ExportInfo{ContentType: "application/pdf", Bytes: int64(len(file))}); info != want {
		t.Errorf("info = %+v, want %+v", info, want)
	}
	if !bytes.Equal(out.Bytes(), file) {
		t.Error("the file has other bytes than were sent")
	}
	if out.largest > 128<<10 {
		t.Errorf("a write of %d bytes, want at most 128 KB in memory", out.largest)
	}
	if n := len(server.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

type watchedWriter struct {
	bytes.Buffer
	largest int
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	w.largest = max(w.largest, len(p))
	return w.Buffer.Write(p)
}

// ReadFrom would take the whole body past the exporter's buffer.
func (w *watchedWriter) ReadFrom(io.Reader) (int64, error) {
	return 0, errors.New("the writer's own ReadFrom was used")
}

func TestExportOfSmallFiles(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"nothing": "", "a byte": "a", "a header": "Region,Sales\r\n", "511": strings.Repeat("x", 511), "512": strings.Repeat("x", 512), "513": strings.Repeat("x", 513)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := newFake().on(exportRoute, answer(200, "text/csv", body)).listen(t)
			if got, err := export(t, address, tableau.Options{Transport: guarded(t)}); err != nil || got != body {
				t.Errorf("got %q, %v, want %q", got, err, body)
			}
		})
	}
}

func TestExportReportsTheWritersError(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	for _, at := range []int{0, 1000} {
		server := newFake().on(exportRoute, answer(200, "text/csv", strings.Repeat("a,b\n", 50_000)))
		_, err := client(t, base, tableau.Options{Transport: server}).
			Export(t.Context(), session(base), tableau.ExportRequest{ViewID: "view-1", Format: tableau.CSV}, &fullWriter{left: at, err: full})
		var e *tableau.Error
		if !errors.Is(err, full) || errors.As(err, &e) {
			t.Errorf("error = %v, want the writer's and none of Tableau", err)
		}
	}
}

type fullWriter struct {
	left int
	err  error
}

func (w *fullWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return w.left, w.err
	}
	w.left -= len(p)
	return len(p), nil
}

func TestExportIsLimited(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("a,b\n", 1000)
	for name, length := range map[string]string{"announced": "4000", "not announced": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newFake().on(exportRoute, func(w http.ResponseWriter, _ *http.Request) {
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
				_, _ = io.WriteString(w, body)
			})
			address := server.listen(t)
			if _, err := export(t, address, tableau.Options{Transport: guarded(t), MaxExportBytes: 3999}); asError(t, err).Cause != tableau.TooLarge {
				t.Errorf("one byte too many: %v", err)
			}
			if got, err := export(t, address, tableau.Options{Transport: guarded(t), MaxExportBytes: 4000}); err != nil || got != body {
				t.Errorf("as many as allowed: %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestExportOfExcelNeedsTheServer(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]tableau.Cause{"3.8": tableau.NotSupported, "3.9": "", "3.10": ""} {
		s := session(base)
		s.APIVersion = version
		server := newFake().on("GET /api/"+version+"/sites/site-1/views/v/crosstab/excel", answer(200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK"))
		_, err := client(t, base, tableau.Options{Transport: server}).Export(t.Context(), s, tableau.ExportRequest{ViewID: "v", Format: tableau.XLSX}, io.Discard)
		if want == "" && err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if want != "" && asError(t, err).Cause != want {
			t.Errorf("%s: %v, want %q", version, err, want)
		}
	}
}

// A rendering may take minutes until the first byte; both that wait and the
// whole export have an end.
func TestExportTimeouts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		transport http.RoundTripper
		options   tableau.Options
		want      time.Duration
		cause     tableau.Cause
	}{
		{"no answer, by option", silent, tableau.Options{ResponseHeaderTimeout: time.Minute}, time.Minute, tableau.Timeout},
		{"no answer", silent, tableau.Options{}, 30 * time.Minute, tableau.Timeout},
		{"no end", endless, tableau.Options{}, 30 * time.Minute, tableau.Timeout},
		{"no end, by option", endless, tableau.Options{ExportTimeout: 90 * time.Second}, 90 * time.Second, tableau.Timeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.options.Transport = tt.transport
				start := time.Now()
				_, err := export(t, base, tt.options)
				e := asError(t, err)
				if e.Cause != tt.cause && e.Cause != tableau.Timeout || !e.Retry || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error = %v", e)
				}
				if got := time.Since(start); got != tt.want || e.Limit != tt.want {
					t.Errorf("it took %v by a limit of %v, want %v", got, e.Limit, tt.want)
				}
				if want := "Tableau took longer than " + strings.TrimSuffix(strings.TrimSuffix(tt.want.String(), "m0s"), "0s"); tt.want%time.Minute == 0 && !strings.HasPrefix(e.Message(), want) {
					t.Errorf("the message is %q, want %q in it", e.Message(), want)
				}
			})
		})
	}
}

// endless sends a byte each second.
var endless = roundTripper(func(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{}, Body: io.NopCloser(drip{r.Context()})}, nil
})

type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = 'x'
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}
