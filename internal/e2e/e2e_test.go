// Package e2e tests vizpost as its users have it: the built command in
// processes of its own, and its page and mails in a real browser.
package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const token = "operator-token-of-the-tests"

// vizpost is the built command. It is written once, before the tests run.
var vizpost string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vizpost-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	vizpost = filepath.Join(dir, "vizpost")
	build := exec.Command("go", "build", "-o", vizpost, "github.com/vizpost/vizpost/cmd/vizpost")
	build.Stderr = os.Stderr
	status := 1
	if err := build.Run(); err == nil {
		status = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// process is a running vizpost command.
type process struct {
	cmd   *exec.Cmd
	facts map[string]string // the lines "name: value" that it printed first
}

// start runs a command until the test ends and waits for its first lines.
func start(t *testing.T, env []string, until string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(vizpost, args...)
	cmd.Env = append(os.Environ(), env...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting vizpost: %v", err)
	}
	p := &process{cmd: cmd, facts: map[string]string{}}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("log of vizpost %v:\n%s", args, b)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		p.facts[name] = strings.TrimSpace(value)
		if name == until {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return p
		}
	}
	t.Fatalf("vizpost %v ended before it said its %q", args, until)
	return nil
}

// site is a stand-in and an installation, in two processes.
type site struct {
	t       *testing.T
	data    string
	tableau map[string]string
	serve   *process
	address string // of the API and the page
}

func newSite(t *testing.T, latency string) *site {
	t.Helper()
	s := &site{t: t, data: filepath.Join(t.TempDir(), "data")}
	s.tableau = start(t, nil, "password", "tableau", "--addr", "127.0.0.1:0", "--latency", latency).facts
	s.open()
	return s
}

func (s *site) open() {
	s.t.Helper()
	s.serve = start(s.t, []string{"VIZPOST_TOKEN=" + token, "VIZPOST_PRIVATE_NETWORKS=127.0.0.0/8"},
		"api", "serve", "--addr", "127.0.0.1:0", "--data", s.data)
	s.address = s.serve.facts["vizpost"]
	s.serve.facts["vizpost"] += "/#token=" + token // as on a terminal
}

type object map[string]any

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

// call sends a request to the API and gives the JSON of the answer, which must
// have the status wanted.
func (s *site) call(want int, method, path string, body any) object {
	s.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.address+path, bytes.NewReader(b))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var o object
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil && resp.StatusCode != http.StatusNoContent {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.StatusCode != want {
		s.t.Fatalf("%s %s: status %d, want %d: %v", method, path, resp.StatusCode, want, o)
	}
	return o
}

func (s *site) connect() string {
	s.t.Helper()
	return s.call(http.StatusCreated, "POST", "/v1/connections", object{
		"name": "Sales", "server_url": s.tableau["url"], "site": s.tableau["site"],
		"auth": object{"method": "personal_access_token", "token_name": s.tableau["token name"], "token_secret": s.tableau["token secret"]},
	}).text("id")
}

// report makes one that is due once a day at most, and ten hours from now at
// the earliest: no run of its own mixes with those that a test asks for.
func (s *site) report(connection, name string, formats ...string) string {
	s.t.Helper()
	var content []object
	for _, f := range formats {
		content = append(content, object{"view": s.tableau["url"] + "/#/site/" + s.tableau["site"] + "/views/Superstore/Overview", "format": f})
	}
	return s.call(http.StatusCreated, "POST", "/v1/reports", object{
		"name": name, "connection_id": connection, "content": content,
		"schedule":     object{"cron": fmt.Sprintf("0 %d * * MON-FRI", (time.Now().UTC().Hour()+13)%24), "time_zone": "Europe/Berlin"},
		"destinations": []object{{"type": "email", "to": []string{"ana@example.com"}}},
	}).text("id")
}

// states counts the runs by their state.
func (s *site) states() map[string]int {
	s.t.Helper()
	list, _ := s.call(http.StatusOK, "GET", "/v1/runs?limit=200", nil)["runs"].([]any)
	states := map[string]int{}
	for _, r := range list {
		o, _ := r.(map[string]any)
		states[object(o).text("state")]++
	}
	return states
}

// until waits for a condition of the runs' states.
func (s *site) until(what string, patience time.Duration, ok func(map[string]int) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		states := s.states()
		if ok(states) {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("waiting until %s: the runs are %v", what, states)
		case <-look.C:
		}
	}
}

func (s *site) mails() []string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.data, "outbox", "*.eml"))
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

// TestKilledInMidRun kills the process with SIGKILL while runs are in hand.
// After a restart they are finished once the dead drain's lease has run out,
// and each message lies in the outbox once.
func TestKilledInMidRun(t *testing.T) {
	t.Parallel()
	const runs = 24
	s := newSite(t, "300ms")
	report := s.report(s.connect(), "Morning numbers", "png")
	for range runs {
		s.call(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{})
	}
	s.until("some runs are delivered and some in hand", time.Minute, func(states map[string]int) bool {
		return states["delivered"] > 0 && states["running"] > 0
	})
	if err := s.serve.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = s.serve.cmd.Wait()
	if got := len(s.mails()); got >= runs {
		t.Fatalf("all %d mails were written before the kill: nothing was tested", got)
	}

	s.open()
	s.until("all runs are delivered", 3*time.Minute, func(states map[string]int) bool { return states["delivered"] == runs })
	if got := len(s.mails()); got != runs {
		t.Errorf("%d mails in the outbox, want %d", got, runs)
	}
}
