package tableau_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// standIn starts the stand-in on this machine and signs in to it.
func standIn(t *testing.T, o tableautest.Options) (*tableautest.Server, *tableau.Client, tableau.Session) {
	t.Helper()
	server := tableautest.New(o)
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	c := client(t, listening.URL, tableau.Options{Transport: guarded(t)})
	return server, c, signIn(t, server, c)
}

func signIn(t *testing.T, server *tableautest.Server, c *tableau.Client) tableau.Session {
	t.Helper()
	name, value := server.PAT()
	s, err := c.SignIn(t.Context(), tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(value)}, server.Site())
	if err != nil {
		t.Fatalf("SignIn: %v", err)
	}
	return s
}

// From a pasted address to a file that is what it says it is.
func TestStandInExports(t *testing.T) {
	t.Parallel()
	server, c, s := standIn(t, tableautest.Options{})
	if s.TokenExpiresIn < 100*24*time.Hour || s.SiteContentURL != server.Site() || s.APIVersion != tableautest.DefaultAPIVersion {
		t.Errorf("session = %+v", s)
	}
	if user, err := c.User(t.Context(), s, s.UserID); err != nil || user.Name != tableautest.DefaultUser {
		t.Errorf("User = %+v, %v", user, err)
	}

	address, err := tableau.ParseAddress(tableau.ViewURL(s.ServerURL, s.SiteContentURL, "Superstore/sheets/SalesbyRegion") + "?:iid=1")
	if err != nil || address.Site != s.SiteContentURL || address.ServerURL != s.ServerURL {
		t.Fatalf("ParseAddress = %+v, %v", address, err)
	}
	view, err := c.FindView(t.Context(), s, address.ContentURL)
	if err != nil || view.WorkbookName == "" || view.ProjectName == "" || view.SheetType == "" {
		t.Fatalf("FindView = %+v, %v", view, err)
	}

	tests := []struct {
		ask  tableau.ExportRequest
		want func(content.Facts) bool
	}{
		{tableau.ExportRequest{Format: tableau.PNG}, func(f content.Facts) bool { return f.Width > 100 && f.Height > 100 }},
		{tableau.ExportRequest{Format: tableau.PNG, Image: tableau.ImageOptions{HighResolution: true, Width: 400, Height: 300}}, func(f content.Facts) bool { return f.Width == 800 && f.Height == 600 }},
		{tableau.ExportRequest{Format: tableau.PDF, PDF: tableau.PDFOptions{PageSize: "letter", Orientation: "landscape"}}, func(f content.Facts) bool { return f.Pages == 1 }},
		{tableau.ExportRequest{Format: tableau.CSV}, func(f content.Facts) bool { return f.Rows > 5 }},
		{tableau.ExportRequest{Format: tableau.XLSX}, func(f content.Facts) bool { return f.Sheets == 1 && f.Rows > 5 }},
	}
	for _, tt := range tests {
		tt.ask.ViewID = view.ID
		var file bytes.Buffer
		info, err := c.Export(t.Context(), s, tt.ask, &file)
		if err != nil || info.Bytes != int64(file.Len()) {
			t.Fatalf("%s: %+v, %v", tt.ask.Format, info, err)
		}
		facts, err := content.Check(t.Context(), bytes.NewReader(file.Bytes()), info.Bytes, string(tt.ask.Format))
		if err != nil || !tt.want(facts) {
			t.Errorf("%s: facts %+v, %v", tt.ask.Format, facts, err)
		}
	}

	var thumbnail bytes.Buffer
	if err := c.PreviewImage(t.Context(), s, view.WorkbookID, view.ID, &thumbnail); err != nil {
		t.Fatalf("PreviewImage: %v", err)
	}
	if _, err := content.Check(t.Context(), bytes.NewReader(thumbnail.Bytes()), int64(thumbnail.Len()), content.PNG); err != nil {
		t.Errorf("the preview image: %v", err)
	}

	if err := c.SignOut(t.Context(), s); err != nil {
		t.Errorf("SignOut: %v", err)
	}
	if _, err := c.Views(t.Context(), s, 1); asError(t, err).Cause != tableau.SessionEnded {
		t.Errorf("after the sign-out: %v", err)
	}
	if err := c.SignOut(t.Context(), s); err != nil {
		t.Errorf("SignOut again: %v", err)
	}
}

func TestStandInViews(t *testing.T) {
	t.Parallel()
	server, c, s := standIn(t, tableautest.Options{})
	n := 0
	for v, err := range c.AllViews(t.Context(), s) {
		if err != nil {
			t.Fatalf("AllViews: %v", err)
		}
		n++
		server.ResetStats()
		found, err := c.FindView(t.Context(), s, v.ContentURL)
		if diff := cmp.Diff(v, found); err != nil || diff != "" {
			t.Errorf("FindView(%q): %v (-listed +found):\n%s", v.ContentURL, err, diff)
		}
		if calls := server.Stats().Total; calls != 1 {
			t.Errorf("FindView(%q) made %d calls, want 1", v.ContentURL, calls)
		}
		address, err := tableau.ParseAddress(tableau.ViewURL(s.ServerURL, s.SiteContentURL, v.ContentURL))
		if err != nil || address.ContentURL != v.ContentURL {
			t.Errorf("by its address: %+v, %v, want %q", address, err, v.ContentURL)
		}
	}
	if n < 10 {
		t.Errorf("%d views, want the sample site's", n)
	}
	if _, err := c.FindView(t.Context(), s, "Superstore/sheets/Nowhere"); asError(t, err).Cause != tableau.ViewNotFound {
		t.Errorf("a view that is not there: %v", err)
	}
	if _, err := c.FindView(t.Context(), s, "Nowhere/sheets/Overview"); asError(t, err).Cause != tableau.ViewNotFound {
		t.Errorf("a workbook that is not there: %v", err)
	}
}

// Filters are every combination of their values, whatever Tableau makes of
// several fields by itself.
func TestStandInFilters(t *testing.T) {
	t.Parallel()
	_, c, s := standIn(t, tableautest.Options{})
	view, err := c.FindView(t.Context(), s, "Superstore/SalesbyRegion")
	if err != nil {
		t.Fatalf("FindView: %v", err)
	}
	tests := []struct {
		name string
		ask  []tableau.Filter
		want []string // region and category of each row
	}{
		{"one value", filters("Region", "West"), []string{"West Furniture", "West Office Supplies", "West Technology"}},
		{"one of each", filters("Region", "West", "Category", "Technology"), []string{"West Technology"}},
		{"one with several", filters("Region", "West|East", "Category", "Technology"), []string{"East Technology", "West Technology"}},
		{"several of each", filters("Region", "West|East", "Category", "Technology|Furniture"), []string{"East Furniture", "East Technology", "West Furniture", "West Technology"}},
		{"no such member", filters("Region", "west"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var file bytes.Buffer
			if _, err := c.Export(t.Context(), s, tableau.ExportRequest{ViewID: view.ID, Format: tableau.CSV, Filters: tt.ask}, &file); err != nil {
				t.Fatalf("Export: %v", err)
			}
			records, err := csv.NewReader(&file).ReadAll()
			if err != nil || len(records) == 0 {
				t.Fatalf("reading the CSV: %v", err)
			}
			var got []string
			for _, record := range records[1:] {
				got = append(got, record[0]+" "+record[1])
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStandInEndsTheEarlierSession(t *testing.T) {
	t.Parallel()
	server, c, first := standIn(t, tableautest.Options{})
	second := signIn(t, server, c)
	if _, err := c.Views(t.Context(), first, 1); asError(t, err).Cause != tableau.SessionEnded {
		t.Errorf("the first session: %v", err)
	}
	if _, err := c.Views(t.Context(), second, 1); err != nil {
		t.Errorf("the second session: %v", err)
	}
	if stats := server.Stats(); stats.SignIns != 2 {
		t.Errorf("%d sign-ins, want 2", stats.SignIns)
	}
}

func TestStandInSignInFailures(t *testing.T) {
	t.Parallel()
	server, c, _ := standIn(t, tableautest.Options{})
	tokenName, tokenValue := server.PAT()
	user, password := server.Password()
	pat := func(name, value string) tableau.Credential {
		return tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(value)}
	}
	login := func(name, value string) tableau.Credential {
		return tableau.Credential{Method: tableau.UsernamePassword, Username: name, Secret: secret.New(value)}
	}
	if s, err := c.SignIn(t.Context(), login(user, password), strings.ToUpper(server.Site())); err != nil || s.TokenExpiresIn != 0 {
		t.Errorf("password: %+v, %v", s, err)
	}
	for name, tt := range map[string]struct {
		credential tableau.Credential
		site       string
	}{
		"token name":   {pat("other", tokenValue), server.Site()},
		"token secret": {pat(tokenName, "wrong"), server.Site()},
		"site":         {pat(tokenName, tokenValue), "nowhere"},
		"password":     {login(user, "wrong"), server.Site()},
		"user":         {login("nobody@example.com", password), server.Site()},
	} {
		_, err := c.SignIn(t.Context(), tt.credential, tt.site)
		if e := asError(t, err); e.Cause != tableau.CredentialsRejected || e.Code != "401001" || e.Retry {
			t.Errorf("wrong %s: %v", name, e)
		}
	}
}

func TestStandInFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault tableautest.Fault
		want  tableau.Cause
		retry bool
		after time.Duration
	}{
		{"session ended", tableautest.Fault{Kind: tableautest.FaultSessionEnded}, tableau.SessionEnded, true, 0},
		{"too many", tableautest.Fault{Kind: tableautest.FaultTooMany}, tableau.TooManyRequests, true, 0},
		{"too many, as a page, with a wait", tableautest.Fault{Kind: tableautest.FaultTooMany, HTML: true, RetryAfter: tableautest.Duration(40 * time.Second)}, tableau.TooManyRequests, true, 40 * time.Second},
		{"gateway", tableautest.Fault{Kind: tableautest.FaultHTML, Status: 502}, tableau.ServerError, true, 0},
		{"sign-in page", tableautest.Fault{Kind: tableautest.FaultLoginPage}, tableau.NotTableau, true, 0},
		{"redirect", tableautest.Fault{Kind: tableautest.FaultRedirect, Location: "https://login.example.org"}, tableau.NotTableau, true, 0},
		{"reset", tableautest.Fault{Kind: tableautest.FaultReset}, tableau.ServerError, true, 0},
		{"truncated", tableautest.Fault{Kind: tableautest.FaultTruncated}, tableau.Truncated, true, 0},
		{"rendering", tableautest.Fault{Kind: tableautest.FaultError, Code: 400074}, tableau.RenderFailed, true, 0},
		{"data source", tableautest.Fault{Kind: tableautest.FaultError, Code: 400074, Detail: "(0x5CE10192 : ExportViewException: Error: data sources not connected)"}, tableau.DataSourceCredentials, false, 0},
		{"switched off", tableautest.Fault{Kind: tableautest.FaultError, Code: 403157}, tableau.ExportDisabled, false, 0},
		{"internal", tableautest.Fault{Kind: tableautest.FaultError, Code: 500000}, tableau.ServerError, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, c, s := standIn(t, tableautest.Options{})
			view, err := c.FindView(t.Context(), s, "Superstore/Shipping")
			if err != nil {
				t.Fatalf("FindView: %v", err)
			}
			tt.fault.Route = "export"
			if err := server.AddFault(tt.fault); err != nil {
				t.Fatalf("AddFault: %v", err)
			}
			var file bytes.Buffer
			ask := tableau.ExportRequest{ViewID: view.ID, Format: tableau.CSV}
			// A connection of its own: on one kept from before, net/http sends a
			// GET once more when it breaks before the answer.
			c = client(t, s.ServerURL, tableau.Options{Transport: guarded(t)})
			_, err = c.Export(t.Context(), s, ask, &file)
			if e := asError(t, err); e.Cause != tt.want || e.Retry != tt.retry || e.RetryAfter != tt.after {
				t.Errorf("error = %v: retry %t after %v, want %q, %t after %v", e, e.Retry, e.RetryAfter, tt.want, tt.retry, tt.after)
			}
			if strings.Contains(file.String(), "<") {
				t.Errorf("written as content: %q", file.String())
			}
			if tt.want == tableau.SessionEnded {
				s = signIn(t, server, c)
			}
			file.Reset()
			if _, err := c.Export(t.Context(), s, ask, &file); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// What the stand-in can make of a file, the check tells.
func TestStandInFiles(t *testing.T) {
	t.Parallel()
	server, c, s := standIn(t, tableautest.Options{})
	view, err := c.FindView(t.Context(), s, "Superstore/Shipping")
	if err != nil {
		t.Fatalf("FindView: %v", err)
	}
	for _, format := range []tableau.Format{tableau.PNG, tableau.PDF, tableau.CSV, tableau.XLSX} {
		for _, tt := range []struct {
			fault tableautest.Fault
			bad   bool
		}{
			{tableautest.Fault{Kind: tableautest.FaultBlank}, true},
			{tableautest.Fault{Kind: tableautest.FaultSize, Bytes: 3 << 20}, false},
			{tableautest.Fault{Kind: tableautest.FaultNoCharset}, false},
		} {
			tt.fault.Route = "export"
			if err := server.AddFault(tt.fault); err != nil {
				t.Fatalf("AddFault: %v", err)
			}
			var file bytes.Buffer
			if _, err := c.Export(t.Context(), s, tableau.ExportRequest{ViewID: view.ID, Format: format}, &file); err != nil {
				t.Fatalf("%s, %s: %v", format, tt.fault.Kind, err)
			}
			facts, err := content.Check(t.Context(), bytes.NewReader(file.Bytes()), int64(file.Len()), string(format))
			if (err != nil) != tt.bad {
				t.Errorf("%s, %s: facts %+v, %v", format, tt.fault.Kind, facts, err)
			}
		}
	}
}

// A server that sends its callers on: sign-in finds the host that answers, and
// the session stays there.
func TestStandInBehindARedirect(t *testing.T) {
	t.Parallel()
	server, direct, s := standIn(t, tableautest.Options{APIVersion: "3.19"})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, direct.ServerURL()+r.URL.RequestURI(), http.StatusMovedPermanently)
	}))
	t.Cleanup(front.Close)
	c := client(t, front.URL, tableau.Options{Transport: guarded(t)})
	got := signIn(t, server, c)
	if got.ServerURL != s.ServerURL || got.APIVersion != "3.19" {
		t.Errorf("session = %+v, want it at %s", got, s.ServerURL)
	}
	if _, err := c.Views(t.Context(), got, 1); err != nil {
		t.Errorf("Views: %v", err)
	}
}
