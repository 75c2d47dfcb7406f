package e2e_test

import (
	"database/sql"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	_ "modernc.org/sqlite"
)

// TestRestoredCopyOnThePage: a restored copy says on each page that it is paused,
// what resuming does, and resumes by its button. What an upgrade deletes from now
// on is said once.
func TestRestoredCopyOnThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	report := s.report(s.connect(), "Morning numbers", "png")
	s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	s.until("the report is delivered", time.Minute, func(states map[string]int) bool { return states["delivered"] == 1 })
	backup, restored := filepath.Join(t.TempDir(), "vizpost.tar"), filepath.Join(t.TempDir(), "restored")
	for _, args := range [][]string{
		{"backup", "--data", s.data, "--to", backup, "--files"},
		{"restore", "--from", backup, "--data", restored, "--key", filepath.Join(s.data, "vizpost.key")},
	} {
		if out, err := exec.Command(vizpost, args...).CombinedOutput(); err != nil {
			t.Fatalf("vizpost %v: %v\n%s", args, err, out)
		}
	}
	// As an installation is that an earlier vizpost made.
	db, err := sql.Open("sqlite", filepath.Join(restored, "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DELETE FROM installation WHERE name = 'retention'"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	again := &site{t: t, data: restored, tableau: s.tableau}
	again.open()
	c := newChecker(t)
	noExceptions(c.ctx, t)
	c.check("paused-01-start", chromedp.Navigate(again.serve.facts["vizpost"]), says("Paused: restored from a backup of"), says("two copies both send"),
		says("Runs older than 90 days are deleted from"))
	do(c.ctx, t, "paused-02-reports", at("/reports"), says("Paused: restored from a backup of"))
	gone := func(text string) action {
		return settles(`document.body?.innerText.includes(` + quoted(text) + `) === false`)
	}
	do(c.ctx, t, "paused-03-told", press("Got it"), gone("Runs older than"), chromedp.Reload(), says("Paused: restored"), gone("Runs older than"))
	do(c.ctx, t, "paused-04-resumed", press("Resume"), gone("Paused: restored"), says("Morning numbers"))
	if me := again.call(http.StatusOK, "GET", "/v1/me", nil); strings.Contains(me.text("installation"), "paused") {
		t.Errorf("it is still paused: %v", me)
	}
}
