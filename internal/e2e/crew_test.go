package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// crew is several processes of vizpost serve on one data folder.
type crew struct {
	*testing.T
	data    string
	logs    string // folder of what the processes wrote to standard error
	env     []string
	members []*member
}

// member is one place in a crew. The process in it may be killed and replaced.
type member struct {
	crew   *crew
	number int
	lives  int // processes that it has had

	mu      sync.Mutex
	cmd     *exec.Cmd
	log     *os.File
	address string // of the API; "" while there is no process
	token   string
}

// newCrew starts the processes, all at the same time.
func newCrew(t *testing.T, size int, env ...string) *crew {
	t.Helper()
	c := &crew{T: t, data: filepath.Join(t.TempDir(), "data"), logs: t.TempDir(),
		env: append([]string{"VIZPOST_PRIVATE_NETWORKS=127.0.0.0/8"}, env...)}
	started := make(chan error)
	for i := range size {
		m := &member{crew: c, number: i}
		c.members = append(c.members, m)
		t.Cleanup(m.kill)
		go func() { started <- m.start() }()
	}
	var failures []error
	for range size {
		failures = append(failures, <-started)
	}
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	return c
}

// start puts a new process into the place and waits until it serves.
func (m *member) start() error {
	log, err := os.OpenFile(m.logName(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(vizpost, "serve", "--addr", "127.0.0.1:0", "--data", m.crew.data)
	cmd.Env, cmd.Stderr = append(os.Environ(), m.crew.env...), log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cmd, m.log = cmd, log
	m.lives++
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		page, ok := strings.CutPrefix(lines.Text(), "vizpost: ")
		if !ok {
			continue
		}
		m.address = page
		if m.token, err = m.crew.operatorToken(); err != nil {
			return err
		}
		go func() { _, _ = io.Copy(io.Discard, out) }()
		return nil
	}
	return fmt.Errorf("process %d did not serve: %s", m.number, m.journal())
}

// operatorToken returns the token that the processes were given, or made.
func (c *crew) operatorToken() (string, error) {
	for _, setting := range c.env {
		if token, ok := strings.CutPrefix(setting, "VIZPOST_TOKEN="); ok {
			return token, nil
		}
	}
	b, err := os.ReadFile(filepath.Join(c.data, "token"))
	return strings.TrimSpace(string(b)), err
}

// kill ends the process in the place as a power failure does.
func (m *member) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.address = ""
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
	_ = m.log.Close()
	m.cmd = nil
}

func (m *member) logName() string {
	return filepath.Join(m.crew.logs, fmt.Sprintf("serve-%d.log", m.number))
}

// journal gives what all processes of the place logged.
func (m *member) journal() string {
	b, _ := os.ReadFile(m.logName())
	return string(b)
}

func (m *member) access() (address, token string, lives int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.address, m.token, m.lives
}

// errDown says that a process was not there, or not to the end of a call.
var errDown = errors.New("the process is down")

// ask sends a request to the API of the process. The error is errDown when the
// process was killed meanwhile, so that nothing is known of the answer.
func (m *member) ask(ctx context.Context, method, path string, body any, headers ...string) (int, object, error) {
	address, token, lives := m.access()
	if address == "" {
		return 0, nil, errDown
	}
	status, answer, err := request(ctx, address, token, method, path, body, headers...)
	if err != nil {
		if now, _, livesNow := m.access(); now == "" || livesNow != lives {
			return 0, nil, errDown
		}
		return 0, nil, fmt.Errorf("process %d: %s %s: %w", m.number, method, path, err)
	}
	return status, answer, nil
}

// request sends one request and gives the status and the answer, which is empty
// when it is no JSON.
func request(ctx context.Context, address, token, method, path string, body any, headers ...string) (int, object, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address+path, in)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	var answer object
	if json.Unmarshal(b, &answer) != nil {
		answer = object{}
	}
	return resp.StatusCode, answer, nil
}

// must asks the first process that is there, again while one is killed in the
// middle of it, and wants a status.
func (c *crew) must(want int, method, path string, body any) object {
	c.Helper()
	for {
		for _, m := range c.members {
			status, answer, err := m.ask(c.Context(), method, path, body)
			if errors.Is(err, errDown) {
				continue
			}
			if err != nil {
				c.Fatal(err)
			}
			if status != want {
				c.Fatalf("%s %s: status %d, want %d: %v", method, path, status, want, answer)
			}
			return answer
		}
		if err := pause(c.Context(), 50*time.Millisecond); err != nil {
			c.Fatal(err)
		}
	}
}

// runs reads all runs.
func (c *crew) runs() []object {
	c.Helper()
	var all []object
	cursor := ""
	for {
		answer := c.must(http.StatusOK, "GET", "/v1/runs?limit=200"+cursor, nil)
		all = append(all, answer.list("runs")...)
		next := answer.text("next_cursor")
		if next == "" {
			return all
		}
		cursor = "&cursor=" + next
	}
}

func (o object) number(name string) int {
	n, _ := o[name].(float64)
	return int(n)
}

// wantNoPanics looks into the processes' logs.
func (c *crew) wantNoPanics() {
	c.Helper()
	for _, m := range c.members {
		if log := m.journal(); strings.Contains(log, "panic:") || strings.Contains(log, "goroutine ") {
			c.Errorf("process %d panicked:\n%s", m.number, log)
		}
	}
}

// tableau is a stand-in in a process of its own.
type tableau struct {
	*testing.T
	facts map[string]string
}

func newTableau(t *testing.T, args ...string) *tableau {
	t.Helper()
	args = append([]string{"tableau", "--addr", "127.0.0.1:0"}, args...)
	return &tableau{t, start(t, nil, "password", args...).facts}
}

// steer calls one of the stand-in's own endpoints.
func (s *tableau) steer(method, path string, body any) object {
	s.Helper()
	status, answer, err := request(s.Context(), s.facts["url"], "", method, "/-/"+path, body)
	if err != nil || status >= 300 {
		s.Fatalf("%s /-/%s: status %d, %v: %v", method, path, status, err, answer)
	}
	return answer
}

// stats are the stand-in's counts.
func (s *tableau) stats() object { s.Helper(); return s.steer("GET", "stats", nil) }

// exports are the files that the stand-in has delivered.
func (s *tableau) exports() int {
	s.Helper()
	n := 0
	counts, _ := s.stats()["exports"].(map[string]any)
	for format := range counts {
		n += object(counts).number(format)
	}
	return n
}

// token is the stand-in's token as a connection's auth.
func (s *tableau) token() object {
	return object{"method": "personal_access_token", "token_name": s.facts["token name"], "token_secret": s.facts["token secret"]}
}

// connection is a connection with the stand-in's token, as the API takes it.
func (s *tableau) connection() object {
	return object{"name": "Sales", "server_url": s.facts["url"], "site": s.facts["site"], "auth": s.token(), "notify": []string{"ops@example.com"}}
}

// channel stands in for Slack: it keeps the bodies of the messages.
type channel struct {
	mu  sync.Mutex
	got []string
}

func (c *channel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, string(body))
	_, _ = io.WriteString(w, "ok")
}

// about counts the messages that hold a word.
func (c *channel) about(word string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, body := range c.got {
		if strings.Contains(body, word) {
			n++
		}
	}
	return n
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
