package standalone_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/standalone"
)

// A restored copy does nothing until it is resumed: it makes no run, sends
// nothing and signs in nowhere, so the one that the backup was made of keeps its
// session. What it sends after that is marked as a possible repeat.
func TestARestoredCopyWaitsToBeResumed(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	connection := m.connect(m.token())
	report := m.report(connection)
	m.must(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}) // waits in the backup
	backup := filepath.Join(t.TempDir(), "vizpost.tar")
	if _, err := local.MakeBackup(t.Context(), local.Backup{Dir: m.dir, To: backup, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	if _, err := local.RestoreBackup(t.Context(), local.Restore{From: backup, Dir: restored, Key: filepath.Join(m.dir, local.KeyFile),
		Now: time.Now}); err != nil {
		t.Fatal(err)
	}

	m.advance(5 * time.Hour) // the session that the backup holds has ended
	c := m.another(restored)
	if got := c.must(http.StatusOK, "GET", "/v1/me", nil).text("installation.paused.backup_at"); got == "" {
		t.Error("nobody is told that it is paused")
	}
	c.work()
	manual := c.must(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
	if status, p := c.call("POST", "/v1/connections/"+connection+"/test", nil); status != http.StatusConflict || p.text("code") != "paused" {
		t.Errorf("testing the connection: %d %v, want 409 paused", status, p)
	}
	before := m.tableau.Stats()
	// Some rounds pass.
	rounds := 0
	c.until(3*time.Second, func() bool { rounds++; return rounds > 100 })
	if got := m.tableau.Stats(); got.SignIns != before.SignIns || got.Total != before.Total {
		t.Errorf("a paused copy signed in or exported: %+v, before %+v", got, before)
	}
	if got := c.mails(); len(got) > 0 {
		t.Errorf("a paused copy sent %d mails", len(got))
	}

	c.must(http.StatusNoContent, "POST", "/v1/resume", object{})
	if got := c.must(http.StatusOK, "GET", "/v1/me", nil).text("installation.paused.backup_at"); got != "" {
		t.Error("it is still paused")
	}
	c.wait(manual, "delivered")
	if got := c.waitMails("reader@example.com", 2); got != 2 {
		t.Fatalf("%d mails, want that of the backup and that of the copy", got)
	}
	marked := 0
	for _, mail := range c.mails() {
		if strings.Contains(mail, "You may have received this message before") {
			marked++
		}
	}
	if marked != 1 {
		t.Errorf("%d mails are marked as a possible repeat, want that of the backup alone", marked)
	}
}

// What ended long ago goes, a week after retention came into force at the
// earliest; each round moves its clock by a day at most.
func TestOldRunsAreDeletedByTheMachine(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	report := m.report(m.connect(m.token()))
	stop := m.work()
	id := m.run(report, "delivered").text("id")
	stop()
	m.advance(30 * 24 * time.Hour)
	deleted := func() bool {
		status, _ := m.call("GET", "/v1/runs/"+id, nil)
		return status == http.StatusNotFound
	}
	rounds := 0
	for gone := false; !gone; rounds++ {
		if rounds == 20 {
			t.Fatalf("the run is still there after %d rounds\nlog:\n%s", rounds, m.log)
		}
		m.open(func(c *standalone.Config) { c.Retention = 24 * time.Hour })
		stop := m.work() // a round at once
		gone = m.until(300*time.Millisecond, deleted)
		stop()
	}
	if rounds < 7 {
		t.Errorf("the run was deleted in round %d, want the seventh at the earliest", rounds)
	}
	if files, err := filepath.Glob(filepath.Join(m.dir, "files", "runs", "*")); err != nil || len(files) > 0 {
		t.Errorf("the files %v are left, error %v", files, err)
	}
	days, _ := m.must(http.StatusOK, "GET", "/v1/me", nil)["installation"].(map[string]any)["retention"].(map[string]any)["days"].(float64)
	if days != 1 {
		t.Errorf("got %v days, want 1", days)
	}
}

// another opens a copy of the machine in a folder of its own, at the same
// stand-in.
func (m *machine) another(dir string) *machine {
	m.t.Helper()
	c := &machine{t: m.t, dir: dir, log: &logBuffer{}, slack: m.slack, tableau: m.tableau, server: m.server}
	c.ahead.Store(m.ahead.Load())
	c.open()
	return c
}
