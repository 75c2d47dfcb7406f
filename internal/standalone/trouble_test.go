package standalone_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/health"
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
	if status, body := m.health(); status != http.StatusServiceUnavailable || body != `{"status":"trouble"}` {
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

// postman takes mail for some people alone.
type postman struct {
	mu    sync.Mutex
	says  map[string]deliver.Outcome // to those who are not among them it is delivered
	mails map[string][]string        // subjects, by recipient
}

func (p *postman) Send(_ context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := e.Recipients[0]
	if outcome, ok := p.says[to]; ok {
		return deliver.Receipt{}, &deliver.SendError{Outcome: outcome, Code: "no", Message: "No."}
	}
	var text strings.Builder
	if _, err := e.Message.WriteTo(&text); err != nil {
		return deliver.Receipt{}, err
	}
	_, subject, _ := strings.Cut(text.String(), "Subject: ")
	subject, _, _ = strings.Cut(subject, "\r\n")
	p.mails[to] = append(p.mails[to], subject)
	return deliver.Receipt{}, nil
}

// Each administrator is told once of what stops everything, and once that it is
// over, whoever else cannot be told, and however often vizpost is restarted
// meanwhile.
func TestTroublesAreToldOnce(t *testing.T) {
	t.Parallel()
	const ana, rui, eva = "ana@example.com", "rui@example.com", "eva@example.com"
	m := newMachine(t)
	post := &postman{says: map[string]deliver.Outcome{ana: deliver.Deferred, rui: deliver.Deferred, eva: deliver.Refused}, mails: map[string][]string{}}
	restart := func(trouble bool) {
		m.open(func(c *standalone.Config) { c.Administrators = []string{ana, rui, eva} })
		m.vizpost.Drain.Mail = post
		if trouble {
			m.vizpost.Health.Set("test", &health.Trouble{Code: health.DiskFull, Message: "The disk is full.", ToDo: "Make room."})
		}
	}
	rounds := func() {
		for range 10 {
			m.vizpost.Check(t.Context())
			m.advance(15 * time.Second)
		}
	}
	want := func(when string, toAna, toRui int, last string) {
		t.Helper()
		for to, n := range map[string]int{ana: toAna, rui: toRui, eva: 0} {
			if got := post.mails[to]; len(got) != n || n > 0 && got[n-1] != last {
				t.Errorf("%s: %s got %q, want %d mails, the last %q", when, to, got, n, last)
			}
		}
	}
	const bad, good = "vizpost needs attention: The disk is full.", "vizpost works again"
	restart(true)
	rounds()
	want("while no mail is taken", 0, 0, "")
	restart(true)
	delete(post.says, ana)
	m.advance(time.Hour)
	rounds()
	want("after a restart, with mail for one", 1, 0, bad)
	restart(true)
	rounds()
	delete(post.says, rui)
	m.advance(time.Hour)
	rounds()
	want("after another, with mail for both", 1, 1, bad)
	for range 3 {
		restart(true)
		rounds()
	}
	want("after more restarts", 1, 1, bad)
	post.says[ana] = deliver.Deferred
	restart(false)
	rounds()
	if len(post.mails[ana]) != 1 || len(post.mails[rui]) != 2 {
		t.Errorf("once it is over, with mail for one: got %q, want that he hears it", post.mails)
	}
	restart(false)
	delete(post.says, ana)
	m.advance(time.Hour)
	rounds()
	want("once it is over", 2, 2, good)
	restart(false)
	rounds()
	want("later", 2, 2, good)
	m.vizpost.Health.Set("test", &health.Trouble{Code: health.DiskFull, Message: "The disk is full.", ToDo: "Make room."})
	rounds()
	want("when it is there again", 3, 3, bad)
}

func (m *machine) health() (status int, body string) {
	m.t.Helper()
	status, answer := m.call("GET", "/healthz", nil)
	text, err := json.Marshal(answer)
	if err != nil {
		m.t.Fatal(err)
	}
	return status, string(text)
}
