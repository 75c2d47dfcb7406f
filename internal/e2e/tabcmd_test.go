package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// tabcmd is Tableau's command with a home of its own, where it keeps its
// session.
type tabcmd struct {
	t             *testing.T
	program, home string
}

// run runs a command that must succeed, and returns what it logged.
func (c tabcmd) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("tabcmd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c tabcmd) try(args ...string) (string, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Dir = c.home
	cmd.Env = append(os.Environ(), "HOME="+c.home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestTabcmd runs Tableau's command-line client against stand-ins of several
// versions.
func TestTabcmd(t *testing.T) {
	t.Parallel()
	program := official(t, "tabcmd")
	for _, test := range []struct {
		version string
		sizes   bool // before 3.23 the client refuses sizes, which export --png always sends
	}{{"3.19", false}, {"3.29", true}} {
		t.Run(test.version, func(t *testing.T) {
			t.Parallel()
			tableau := start(t, nil, "password", "tableau", "--addr", "127.0.0.1:0", "--api-version", test.version).facts
			c := tabcmd{t, program, t.TempDir()}
			// tabcmd writes the site's name in lower case.
			login := []string{"login", "-s", tableau["url"], "-t", "Demo"}
			token := []string{"--token-name", tableau["token name"], "--token-value", tableau["token secret"]}
			c.run(append(login, token...)...)

			for _, list := range []struct {
				args []string
				want string
			}{
				{[]string{"list", "workbooks", "-n", "-o", "-a", "-d"}, "Market – Écoles"},
				{[]string{"list", "workbooks", "--machine", "--address"}, ", Superstore_0"},
				{[]string{"list", "projects", "-n"}, "Écoles"},
				{[]string{"list", "datasources", "-n"}, "Superstore / Orders"},
				{[]string{"list", "flows"}, ""},
				{[]string{"listsites"}, "Finance"},
			} {
				if out := c.run(list.args...); !strings.Contains(out, list.want) {
					t.Errorf("%s: %s, want %q", list.args, out, list.want)
				}
			}
			view := sample.ID("view", "demo", "Superstore/sheets/Overview")
			custom := "Superstore/Overview/" + sample.ID("customview", view, "West only") + "/Westonly"
			files := map[string]content.Facts{}
			for _, export := range []struct {
				name  string
				sizes bool // asks for a size, or for a custom view's PDF or data: at 3.23 and later
				args  []string
				want  content.Facts
			}{
				{"export.pdf", false, []string{"export", "Superstore/Overview", "--pdf", "--pagelayout", "landscape", "--pagesize", "a4"}, content.Facts{Pages: 1}},
				{"filter.pdf", false, []string{"export", "Superstore/Overview?:refresh=yes", "--pdf", "--filter", "Region=West", "--language", "de"}, content.Facts{Pages: 1}},
				{"export.csv", false, []string{"export", "Superstore/SalesbyRegion?Region=West&Sub-Category=Chairs", "--csv"}, content.Facts{Rows: 1}},
				{"filter.csv", false, []string{"export", "Superstore/SalesbyRegion", "--csv", "--filter", "Region=East,West"}, content.Facts{Rows: 6}},
				{"german.csv", false, []string{"export", "Superstore/MonthlySales", "--csv", "--language", "de"}, content.Facts{Rows: 24}},
				{"full.pdf", false, []string{"export", "Superstore/Overview", "--fullpdf", "--pagesize", "tabloid"}, content.Facts{Pages: 6}},
				{"export.png", true, []string{"export", "Superstore/Overview?Region=West&Parameters.Top%20N=3", "--png"}, content.Facts{Width: 2000, Height: 1600}},
				{"sized.png", true, []string{"export", "Superstore/Shipping", "--png", "--width", "500", "--height", "400", "--resolution", "standard"}, content.Facts{Width: 500, Height: 400}},
				{"custom.png", true, []string{"export", custom, "--png"}, content.Facts{Width: 2000, Height: 1600}},
				{"custom.pdf", true, []string{"export", custom, "--pdf", "--pagesize", "a5"}, content.Facts{Pages: 1}},
				{"custom.csv", true, []string{"export", custom, "--csv", "--filter", "Month of Order Date=May 2026"}, content.Facts{Rows: 1}},
				{"full west.pdf", true, []string{"export", "Superstore/Overview?Region=West", "--fullpdf", "--pagelayout", "portrait"}, content.Facts{Pages: 6}},
				{"get.png", false, []string{"get", "/views/Superstore/Overview.png?:refresh=yes"}, content.Facts{Width: 1000, Height: 800}},
				{"get sized.png", true, []string{"get", "/views/Superstore/Shipping.png?:size=400,500"}, content.Facts{Width: 500, Height: 400}},
				{"get.pdf", false, []string{"get", "/views/Superstore/Overview.pdf"}, content.Facts{Pages: 1}},
				{"get.csv", false, []string{"get", "/views/Superstore/SalesbyRegion.csv"}, content.Facts{Rows: 12}},
				{"get custom.png", false, []string{"get", "/views/" + custom + ".png"}, content.Facts{Width: 1000, Height: 800}},
				{"get custom.pdf", true, []string{"get", "/views/" + custom + ".pdf"}, content.Facts{Pages: 1}},
				{"get custom.csv", true, []string{"get", "/views/" + custom + ".csv"}, content.Facts{Rows: 24}},
				{"get.twbx", false, []string{"get", "/workbooks/Superstore.twbx"}, content.Facts{Pages: 1}},
				{"get.tdsx", false, []string{"get", "/datasources/SuperstoreOrders.tdsx"}, content.Facts{Pages: 1}},
			} {
				if export.sizes && !test.sizes {
					continue
				}
				c.run(append(export.args, "-f", export.name)...)
				files[export.name] = export.want
			}
			for name, want := range files {
				if diff := cmp.Diff(want, exported(t, c.home, name)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if german, err := os.ReadFile(filepath.Join(c.home, "german.csv")); err != nil || !strings.Contains(string(german), "Mai 2026") {
				t.Errorf("the German data are %s (%v)", german, err)
			}

			wrong := []string{"--token-name", tableau["token name"], "--token-value", "wrong"}
			if out, err := c.try(append(login, wrong...)...); err == nil {
				t.Errorf("a wrong token signs in: %s", out)
			}
			// It does not keep passwords.
			c.run("export", "Superstore/Overview", "--fullpdf", "--pagesize", "letter", "-f", "password.pdf",
				"-s", tableau["url"], "-t", "Demo", "--username", tableau["user"], "--password", tableau["password"])
			if got := exported(t, c.home, "password.pdf").Pages; got != 6 {
				t.Errorf("the workbook's PDF has %d pages, want 6", got)
			}
			c.run("logout")
			if _, err := os.Stat(filepath.Join(c.home, "tableau_auth.json")); err == nil {
				t.Error("the session is still kept after logging out")
			}
			if n := countsOf(t, tableau["url"]).Calls["unknown"]; n != 0 {
				t.Errorf("tabcmd asked %d times for what the stand-in does not know", n)
			}
		})
	}
}
