package tableau_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/tableau"
)

// What is accepted as an address names a view or a workbook, and the address
// that people open for it leads to the same one.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"https://tableau.example.com/#/site/Marketing/views/Superstore/Overview?:iid=2",
		"https://10ay.online.tableau.com/t/acme/views/Superstore/Overview.png?Region=West,East",
		"Superstore/sheets/Overview", "views/Wb/Sheet/3fa85f64-5717-4562-b3fc-2c963f66afa6/My", "/workbooks/Wb.twbx",
		"http://[fd00::1]:8000/trusted/x/t/a/authoring/%C3%9C/B#1", "tableau:80/views/a/b", "https://x/workbooks/5/views",
		"https://host/#/views/Superstore/Overview?:iid=1", "https://prod-useast-b.online.tableau.com/#/site/acme/views/A/B",
		"https://host/views/Superstore/Overview?:showAppBanner=false&:origin=viz_share_link", "https://host/site/Marketing/views/A/B",
		"https://host/t/x/views/Superstore/Overview.csv", "https://host/views/A/B?Region=West%2CEast&Name=Smith\\,%20J&:format=pdf",
		"https://host/#/site/x/views/Superstore/Overview/jsmith/MyView", "https://host/#/site/x/workbooks/10222/views?:origin=card",
		"https://host/#/site/x/projects/123", "https://host/#/site/x/redirect_to_view/1234", "https://public.tableau.com/app/profile/a/viz/A/B",
		"https://host/t/x/views/A/B?Region=West&amp;Sub=x&#38;y=1", "<https://host/views/A/B?a=100%25%20off%|B>", "https://host/views/A/B/3fa85f64-5717-4562-b3fc-2c963f66afa6/a%2Fb", "https://host/views/A/B?:embed=y®ion=West",
		"https://host/#/site/x/views/%E5%A3%B2%E4%B8%8A/Taleof100Start-ups_1", "https://host/views/A%2525/100%?%zz=%", "//host:08443//views//A/B/", "Wb/Sheet",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		server, _, err := tableau.NormalizeServerURL(s)
		if err == nil {
			if again, _, err := tableau.NormalizeServerURL(server); err != nil || again != server {
				t.Errorf("NormalizeServerURL(%q) = %q, then %q, %v", s, server, again, err)
			}
		}
		a, err := tableau.ParseAddress(s)
		if err != nil {
			return
		}
		if (a.WorkbookContentURL == "") == (a.WorkbookNumber == "") || !utf8.ValidString(a.ContentURL) {
			t.Fatalf("ParseAddress(%q) = %+v", s, a)
		}
		if a.ContentURL == "" {
			return
		}
		workbook, sheet, ok := strings.Cut(a.ContentURL, "/sheets/")
		if !ok || workbook != a.WorkbookContentURL || sheet == "" || strings.Contains(workbook+sheet, "/") {
			t.Fatalf("ParseAddress(%q): content URL %q of workbook %q", s, a.ContentURL, a.WorkbookContentURL)
		}
		server = a.ServerURL
		if server == "" {
			server = base
		}
		again, err := tableau.ParseAddress(tableau.ViewURL(server, a.Site, a.ContentURL))
		if err != nil {
			t.Fatalf("the address of %+v is refused: %v", a, err)
		}
		// A sheet may be called as if it asked for a format.
		if again.FormatHint != "" {
			return
		}
		if again.ContentURL != a.ContentURL || again.Site != a.Site || again.ServerURL != server {
			t.Errorf("ParseAddress(%q) = %+v, by its own address %+v", s, a, again)
		}
	})
}

// What is sent as a filter is what Tableau reads.
func FuzzFilters(f *testing.F) {
	f.Add("Region", "West", "East", "Year", "2026")
	f.Add(`a\`, `,`, `\,`, "b&c=d", "%2C+ ")
	f.Add(`\`, `\\`, `C:\`, `\,,\`, "Smith, Jane")
	f.Add("Order Date", "2026-01-31", "2026-02-01 09:00:00", "Rückgabe?", "true")
	f.Add("A&B=C#D", "50% + 1", `"x" 'y' <z>`, "vf_", "\u00a0\u2028 ")
	f.Add("Länder", "日本", `\\server\x`, "Parameters.X", `"5"`)
	f.Fuzz(func(t *testing.T, field, value1, value2, field2, value3 string) {
		ask := tableau.ExportRequest{ViewID: "v", Format: tableau.CSV, Filters: []tableau.Filter{
			{Field: field, Values: []string{value1, value2}}, {Field: field2, Values: []string{value3}},
		}}
		if ask.Validate() != nil {
			return
		}
		got, err := exportRequest(t, ask)
		if err != nil {
			t.Fatalf("Export: %v", err)
		}
		_, query, _ := strings.Cut(got.URL, "?")
		combinations, alone := decodeFilters(t, query)
		want := ask.Filters
		if strings.HasPrefix(field2, "Parameters.") || value3 == "" {
			if alone[field2] != value3 {
				t.Errorf("%q = %q, want %q", field2, alone[field2], value3)
			}
			want = want[:1]
		}
		if diff := cmp.Diff(product(want), combinations); diff != "" {
			t.Errorf("combinations (-want +got):\n%s", diff)
		}
	})
}

// Whatever a server answers, a call ends in a value or in an error that says
// something.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"pagination":{"totalAvailable":"1"},"views":{"view":[` + overview + `]}}`, `{"views":[{}]}`, `{"views":{"view":{}}}`,
		signInBody, `{"serverInfo":{"productVersion":"1","restApiVersion":3.27}}`, `{"error":{"code":401002}}`,
		`<tsResponse xmlns="http://tableau.com/api"><error code="400074"><summary>s</summary><detail>d</detail></error></tsResponse>`,
		htmlPage, "", "a,b\n", "\uFEFF{}", `{"customViews":{"customView":` + mine + `}}`, `{"customView":` + mine + `}`,
		`{"workbook":` + workbookOne + `}`, `{"pagination":{"totalAvailable":"1"},"workbooks":[` + workbookTwo + `]}`,
		`{"personalAccessTokens":[{"tokenName":"a","tokenGuid":"b","lastUsedAt":"2026-11-01T08:00:00Z","expiresAt":"x"}]}`,
		`{"personalAccessTokens":{"personalAccessToken":{"tokenName":5}}}`, `{"views":{"view":[],"x":{"id":[]}},"customViews":[[]],"workbooks":7}`,
		`<?xml version="1.0"?><!-- x --><svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>`, "Region,Sales\r\nWest,\"1,5\"\r\n\"", "\x89PNG\r\n\x1a\n",
		"<html><title>https://tableau.example.com/api/ vf_</title></html>", "https://tableau.example.com:8443/x", "//online.tableau.com", "/my.policy",
	} {
		f.Add(body, 200)
		f.Add(body, 400)
		f.Add(body, 302)
	}
	f.Fuzz(func(t *testing.T, body string, status int) {
		if status < 200 || status > 599 {
			return
		}
		answers := roundTripper(func(r *http.Request) (*http.Response, error) {
			answer := body
			if strings.HasSuffix(r.URL.Path, "/serverinfo") && len(body)%2 == 0 {
				answer, status = `{"serverInfo":{"restApiVersion":"3.27"}}`, 200
			}
			return &http.Response{StatusCode: status, ContentLength: -1, Header: http.Header{"Location": {body}}, Body: io.NopCloser(strings.NewReader(answer))}, nil
		})
		c := client(t, base, tableau.Options{Transport: answers})
		check := func(err error) {
			if err != nil && !strings.Contains(body, "canary") {
				asError(t, err)
			}
		}
		_, err := c.SignIn(t.Context(), token, "x")
		check(err)
		page, err := c.Views(t.Context(), session(base), 1)
		check(err)
		for _, v := range page.Views {
			if v.ID == "" {
				t.Errorf("a view without an id: %+v", v)
			}
		}
		_, err = c.FindView(t.Context(), session(base), "A/B")
		check(err)
		_, err = c.User(t.Context(), session(base), "u")
		check(err)
		for _, address := range []tableau.Address{{WorkbookNumber: "10222"}, {WorkbookContentURL: "Superstore"}} {
			target, err := c.Resolve(t.Context(), session(base), address)
			check(err)
			if err == nil && target.Workbook.ID == "" {
				t.Errorf("a workbook without an id: %+v", target)
			}
		}
		_, err = c.CustomView(t.Context(), session(base), "c")
		check(err)
		_, err = c.FindCustomView(t.Context(), session(base), "v1", "jsmith", "My view: West")
		check(err)
		_, err = c.AccessTokens(t.Context(), session(base), "u")
		check(err)
		svg := session(base)
		svg.APIVersion = "3.29"
		_, _, err = exportTo(t, c, svg, tableau.ExportRequest{ViewID: "v", Format: tableau.SVG})
		check(err)
		var out bytes.Buffer
		_, err = c.Export(t.Context(), session(base), tableau.ExportRequest{ViewID: "v", Format: tableau.CSV}, &out)
		check(err)
		if err == nil && out.String() != body {
			t.Errorf("exported %q, want %q", out.String(), body)
		}
	})
}
