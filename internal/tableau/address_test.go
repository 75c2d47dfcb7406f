package tableau_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	const (
		host = "https://tableau.example.com"
		uuid = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	)
	// view is the address of Superstore/Overview, with changes.
	view := func(server, site string, known bool, change ...func(*tableau.Address)) tableau.Address {
		a := tableau.Address{ServerURL: server, Site: site, SiteKnown: known, ContentURL: "Superstore/sheets/Overview", WorkbookContentURL: "Superstore"}
		for _, c := range change {
			c(&a)
		}
		return a
	}
	filtered := func(pairs ...string) func(*tableau.Address) {
		return func(a *tableau.Address) { a.Filters = filters(pairs...) }
	}
	format := func(f tableau.Format) func(*tableau.Address) {
		return func(a *tableau.Address) { a.FormatHint = f }
	}
	custom := func(id string) func(*tableau.Address) { return func(a *tableau.Address) { a.CustomView = id } }
	named := func(workbook, sheet string) func(*tableau.Address) {
		return func(a *tableau.Address) {
			a.WorkbookContentURL, a.ContentURL = workbook, workbook+"/sheets/"+sheet
		}
	}
	tests := []struct {
		in   string
		want tableau.Address
	}{
		// The forms of the browser's address bar.
		{host + "/#/views/Superstore/Overview?:iid=1", view(host, "", true)},
		{host + "/#/site/Marketing/views/Superstore/Overview?:iid=2", view(host, "Marketing", true)},
		{"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview?:iid=1", view("https://10ay.online.tableau.com", "acme", true)},
		{"https://prod-useast-b.online.tableau.com/#/site/acme/views/Superstore/Overview", view("https://prod-useast-b.online.tableau.com", "acme", true)},
		{"https://10ay.online.tableau.com/#/views/Superstore/Overview", view("https://10ay.online.tableau.com", "", false)},
		{"http://tableau:8000/#/views/Superstore/Overview", view("http://tableau:8000", "", true)},
		{host + "/site/Marketing/views/Superstore/Overview", view(host, "Marketing", true)},
		{host + "/#/site/Marketing/authoring/Superstore/Overview", view(host, "Marketing", true)},
		{host + "/t/Marketing/authoring/Superstore/Overview#1", view(host, "Marketing", true)},
		// Share links and embed codes.
		{host + "/t/Marketing/views/Superstore/Overview?:embed=y&:tabs=no&%3AshowVizHome=no", view(host, "Marketing", true)},
		{host + "/views/Superstore/Overview?:showAppBanner=false&:origin=viz_share_link", view(host, "", true)},
		{host + "/views/Superstore/Overview?:embed=y#2", view(host, "", true)},
		{host + "/trusted/AbCd-1234/t/Marketing/views/Superstore/Overview", view(host, "Marketing", true)},
		{host + "/trusted/AbCd-1234/views/Superstore/Overview", view(host, "", true)},
		// Static exports, and formats that an address asks for.
		{host + "/views/Superstore/Overview.png", view(host, "", true, format(tableau.PNG))},
		{host + "/t/Marketing/views/Superstore/Overview.pdf?:refresh=yes", view(host, "Marketing", true, format(tableau.PDF))},
		{host + "/views/Superstore/Overview.CSV", view(host, "", true, format(tableau.CSV))},
		{host + "/views/Superstore/Overview?:format=pdf", view(host, "", true, format(tableau.PDF))},
		{host + "/views/Superstore/Overview?:format=jpeg", view(host, "", true)},
		{host + "/views/Superstore/Overview.v2", view(host, "", true, named("Superstore", "Overview.v2"))},
		// Filters.
		{host + "/views/Superstore/Overview?Region=West&:format=pdf", view(host, "", true, format(tableau.PDF), filtered("Region", "West"))},
		{host + "/#/site/x/views/Superstore/Overview?Region=West,East&Sub%20Category=A%26B+C&:iid=3", view(host, "x", true, filtered("Region", "West|East", "Sub Category", "A&B C"))},
		{host + "/views/Superstore/Overview?vf_Region=West&vf_=x", view(host, "", true, filtered("Region", "West"))}, // as the REST API has them
		{host + "/views/Superstore/Overview?Region=West%2CEast&Region=South", view(host, "", true, filtered("Region", "West|East|South"))},
		{host + `/views/Superstore/Overview?Name=Smith\,%20Jane,Doe`, view(host, "", true, filtered("Name", "Smith, Jane|Doe"))},
		{host + "/views/Superstore/Overview?Parameters.Top%20N=5&Empty=&=x&%zz=1", view(host, "", true, filtered("Parameters.Top N", "5", "%zz", "1"))},
		// Custom views.
		{host + "/#/site/x/views/Superstore/Overview/" + strings.ToUpper(uuid) + "/MyView?:iid=1", view(host, "x", true, custom(uuid))},
		{host + "/views/Superstore/Overview/" + uuid, view(host, "", true, custom(uuid))},
		{host + "/views/Superstore/Overview/jsmith/My%20View", view(host, "", true, custom("jsmith/My View"))},
		// Content URLs, and paths without a server.
		{"Superstore/sheets/Overview", view("", "", false)},
		{"Superstore/Overview", view("", "", false)},
		{" Superstore/Overview?Region=West ", view("", "", false, filtered("Region", "West"))},
		{"Superstore/Overview/" + uuid + "/MyView", view("", "", false, custom(uuid))},
		{"/views/Superstore/Overview", view("", "", false)},
		{"views/Superstore/Overview", view("", "", false)},
		{"views/sheets/Overview", view("", "", false, named("views", "Overview"))},
		{"/#/site/x/views/Superstore/Overview", view("", "x", true)},
		{"#/site/x/views/Superstore/Overview", view("", "x", true)},
		{"t/x/views/Superstore/Overview", view("", "x", true)},
		// Without scheme, and untidy.
		{"tableau.example.com/#/site/x/views/Superstore/Overview", view(host, "x", true)},
		{"tableau.example.com:8443/views/Superstore/Overview", view(host+":8443", "", true)},
		{"localhost/t/x/views/Superstore/Overview", view("https://localhost", "x", true)},
		{"  <" + host + "/views/Superstore/Overview>\n", view(host, "", true)},
		{"\u201c" + host + "/views/Superstore/Overview\u201d", view(host, "", true)},
		{host + "/%23/site/x/views/Superstore/Overview?:iid=1", view(host, "x", true)}, // as some mail programs write it
		{host + "/%23/views/Superstore/Overview?Region=West", view(host, "", true, filtered("Region", "West"))},
		{"HTTPS://Tableau.Example.COM:443//views//Superstore/Overview/", view(host, "", true)},
		{host + "/#/site/x/views/Superstore/sheets/Overview", view(host, "x", true)},
		// Names: decoded once, non-ASCII kept.
		{host + "/#/site/M%C3%BCnchen/views/Taleof100Start-ups/%C3%9Cbersicht_1", view(host, "München", true, named("Taleof100Start-ups", "Übersicht_1"))},
		{host + "/views/100%/A%2525", view(host, "", true, named("100%", "A%25"))},
		// Workbooks.
		{host + "/workbooks/Superstore.twbx", tableau.Address{ServerURL: host, SiteKnown: true, WorkbookContentURL: "Superstore"}},
		{host + "/#/site/x/workbooks/10222/views", tableau.Address{ServerURL: host, Site: "x", SiteKnown: true, WorkbookNumber: "10222"}},
		{host + "/#/site/x/workbooks/10222", tableau.Address{ServerURL: host, Site: "x", SiteKnown: true, WorkbookNumber: "10222"}},
		{host + "/#/workbooks/7/views?:origin=card_share_link", tableau.Address{ServerURL: host, SiteKnown: true, WorkbookNumber: "7"}},
		{host + "/t/x/workbooks/Superstore.twb", tableau.Address{ServerURL: host, Site: "x", SiteKnown: true, WorkbookContentURL: "Superstore"}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := tableau.ParseAddress(tt.in)
			if err != nil {
				t.Fatalf("ParseAddress: %v", err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("address (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	t.Parallel()
	const host = "https://tableau.example.com"
	tests := []struct{ in, want string }{
		{"", "Paste the address"},
		{"  ", "Paste the address"},
		{host, "/views/"},
		{host + "/", "/views/"},
		{host + "/#/site/x", "/views/"},
		{host + "/#/site/x/views", "/views/"},
		{host + "/#/site/x/views/Superstore", "/views/"},
		{host + "/#/site/x/views/Superstore/Overview/odd", "/views/"},
		{host + "/#/workbooks", "project or an overview"},
		{host + "/workbooks/Superstore", "/views/"},
		{host + "/#/site/x/projects/123", "project or an overview"},
		{host + "/#/site/x/explore", "project or an overview"},
		{host + "/#/site/x/home", "project or an overview"},
		{host + "/#/site/x/redirect_to_view/1234", "by a number"},
		{host + "/#/site/x/metrics/1", "/views/"},
		{"https://public.tableau.com/app/profile/a/viz/Superstore/Overview", "Tableau Public"},
		{"https://Public.Tableau.com/views/Superstore/Overview", "Tableau Public"},
		{"ftp://tableau.example.com/views/Superstore/Overview", "https://"},
		{"javascript://x/views/a/b", "https://"},
		{"https://alice:secret@tableau.example.com/views/Superstore/Overview", "user name or password"},
		{"https:///views/Superstore/Overview", "address of a server"},
		{"https://tab leau/views/Superstore/Overview", "address of a server"},
		{"https://tableau.example.com:99999/views/Superstore/Overview", "address of a server"},
		{"https://[::1/views/Superstore/Overview", "address of a server"},
		{"Superstore", "/views/"},
		{"a/b/c", "/views/"},
		{"Superstore/Over\x00view", "characters"},
		{"Superstore/Over%2Fview", "characters"},
		{"Superstore/Over%00view", "characters"},
		{host + "/views/%2E%2E/Overview", "characters"},
		{"Superstore/Over\xffview", "characters"},
		{"a/b?c=" + strings.Repeat("d", 9000), "too long"},
		{"a/" + strings.Repeat("b", 600), "too long"},
		{"Paste your view here", "/views/"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := tableau.ParseAddress(tt.in)
			var p *problem.Error
			if !errors.As(err, &p) || p.Kind != problem.Invalid || len(p.Fields) != 1 || p.Fields[0].Name != "view" {
				t.Fatalf("ParseAddress = %+v, %v, want the field view refused", got, err)
			}
			if message := p.Fields[0].Message; !strings.Contains(message, tt.want) || strings.Contains(p.Error(), "secret") {
				t.Errorf("message = %q, want %q in it", message, tt.want)
			}
		})
	}
}

func TestNormalizeServerURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, server, site string }{
		{"https://10ay.online.tableau.com", "https://10ay.online.tableau.com", ""},
		{"https://10ay.online.tableau.com/", "https://10ay.online.tableau.com", ""},
		{"10ay.online.tableau.com", "https://10ay.online.tableau.com", ""},
		{"https://10ay.online.tableau.com/#/site/acme/home", "https://10ay.online.tableau.com", "acme"},
		{"10ay.online.tableau.com/#/site/acme", "https://10ay.online.tableau.com", "acme"},
		{"https://tableau.example.com/t/Marketing/views/A/B?:embed=y", "https://tableau.example.com", "Marketing"},
		{"http://tableau", "http://tableau", ""},
		{"tableau", "https://tableau", ""},
		{"  HTTP://Tableau.Example.com:80/  ", "http://tableau.example.com", ""},
		{"https://tableau.example.com:443", "https://tableau.example.com", ""},
		{"https://tableau.example.com:08443/x", "https://tableau.example.com:8443", ""},
		{"https://tableau.example.com.", "https://tableau.example.com", ""},
		{"https://tableau_prod.example.com", "https://tableau_prod.example.com", ""},
		{"https://tableau.müller.example", "https://tableau.xn--mller-kva.example", ""}, // as browsers copy it
		{"https://TABLEAU.MÜLLER.example.:8443", "https://tableau.xn--mller-kva.example:8443", ""},
		{"https://tableau.xn--mller-kva.example", "https://tableau.xn--mller-kva.example", ""},
		{"https://ｔａｂｌｅａｕ.example.com", "https://tableau.example.com", ""},
		{"192.168.1.7:8000", "https://192.168.1.7:8000", ""},
		{"https://[FD00::1]:8443/", "https://[fd00::1]:8443", ""},
		{"https://[fd00:0::1]", "https://[fd00::1]", ""},
		{"https://tableau.example.com?x=1", "https://tableau.example.com", ""},
		{"https://tableau.example.com\\x@evil.example.org", "https://tableau.example.com", ""}, // as browsers read it
		{"//tableau.example.com/", "https://tableau.example.com", ""},
	}
	for _, tt := range tests {
		server, site, err := tableau.NormalizeServerURL(tt.in)
		if err != nil || server != tt.server || site != tt.site {
			t.Errorf("NormalizeServerURL(%q) = %q, %q, %v, want %q, %q", tt.in, server, site, err, tt.server, tt.site)
		}
		if again, _, err := tableau.NormalizeServerURL(server); err != nil || again != server {
			t.Errorf("NormalizeServerURL(%q) = %q, %v, want it unchanged", server, again, err)
		}
	}
	for _, in := range []string{
		"", " ", "https://", "https:///", "ftp://tableau.example.com", "https://a b", "https://a:b@tableau.example.com",
		"https://public.tableau.com/app", "https://tableau.example.com:0", "https://tableau.example.com:x", "https://tableau..com",
		"https://-tableau.com", "https://[::1%25eth0]", "https://[1.2.3.4]", "https://%74ableau.com",
		"https://ｐｕｂｌｉｃ.tableau.com", "https://\u0301a.example.com", "https://a\u200db.example.com", "https://ünder_score.example.com",
		"mailto:alice@example.com", "https://" + strings.Repeat("a", 300), "https://tableau.example.com/\x00",
	} {
		server, _, err := tableau.NormalizeServerURL(in)
		var p *problem.Error
		if !errors.As(err, &p) || len(p.Fields) != 1 || p.Fields[0].Name != "server_url" || p.Fields[0].Message == "" {
			t.Errorf("NormalizeServerURL(%q) = %q, %v, want the field server_url refused", in, server, err)
		}
	}
}

func TestViewURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ server, site, contentURL, want string }{
		{base, "", "Superstore/sheets/Overview", base + "/#/views/Superstore/Overview"},
		{base + "/", "acme", "Superstore/sheets/Overview", base + "/#/site/acme/views/Superstore/Overview"},
		{base, "München", "Taleof100Start-ups/sheets/Ü 1", base + "/#/site/M%C3%BCnchen/views/Taleof100Start-ups/%C3%9C%201"},
		{base, "a", "odd", base + "/#/site/a/views/odd"},
	}
	for _, tt := range tests {
		if got := tableau.ViewURL(tt.server, tt.site, tt.contentURL); got != tt.want {
			t.Errorf("ViewURL(%q, %q, %q) = %q, want %q", tt.server, tt.site, tt.contentURL, got, tt.want)
		}
	}
}
