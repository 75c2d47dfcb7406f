package standalone_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver/slacktest"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const token = "operator-token-of-the-tests"

// machine is an installation with its API, a stand-in and a Slack receiver.
type machine struct {
	t       *testing.T
	dir     string
	vizpost *standalone.Vizpost
	api     string
	tableau *tableautest.Server
	server  string // address of the stand-in
	slack   *slacktest.Receiver
	ahead   atomic.Int64 // of the clock, for both
	log     *logBuffer
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), log: &logBuffer{}, slack: slacktest.New(t)}
	m.tableau = tableautest.New(tableautest.Options{Now: m.now})
	server := httptest.NewServer(m.tableau)
	t.Cleanup(server.Close)
	m.server = server.URL
	m.open()
	return m
}

func (m *machine) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

func (m *machine) advance(d time.Duration) { m.ahead.Add(int64(d)) }

func (m *machine) open(change ...func(*standalone.Config)) {
	m.t.Helper()
	config := standalone.Config{
		DataDir: m.dir, WebhookOrigins: []string{m.slack.URL}, PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Now: m.now, Random: rand.Reader, Log: slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&config)
	}
	v, err := standalone.Open(m.t.Context(), config)
	if err != nil {
		m.t.Fatalf("opening the installation: %v", err)
	}
	m.vizpost = v
	server := httptest.NewServer(v.Handler(standalone.Web{Token: secret.New(token)}))
	m.api = server.URL
	m.t.Cleanup(func() {
		server.Close()
		if err := v.Close(); err != nil {
			m.t.Errorf("closing: %v", err)
		}
	})
}

// work runs the machine until the test, or stop, ends it.
func (m *machine) work() (stop func()) {
	ctx, cancel := context.WithCancel(m.t.Context())
	var group sync.WaitGroup
	group.Go(func() { m.vizpost.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); group.Wait() })
	m.t.Cleanup(stop)
	return stop
}

// object is a JSON object of the API.
type object map[string]any

func (o object) text(path string) string {
	var v any = map[string]any(o)
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// call sends a request and gives the status and the JSON of the answer.
func (m *machine) call(method, path string, body any) (int, object) {
	m.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			m.t.Fatalf("encoding a request: %v", err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.api+path, r)
	if err != nil {
		m.t.Fatalf("making a request: %v", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		m.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatalf("%s %s: %v", method, path, err)
	}
	if len(b) == 0 {
		return resp.StatusCode, nil
	}
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		m.t.Fatalf("%s %s: the answer is no JSON: %s", method, path, b)
	}
	return resp.StatusCode, o
}

// must is call with a status that is wanted.
func (m *machine) must(want int, method, path string, body any) object {
	m.t.Helper()
	got, o := m.call(method, path, body)
	if got != want {
		m.t.Fatalf("%s %s: status %d, want %d: %v", method, path, got, want, o)
	}
	return o
}

func (m *machine) token() object {
	name, tokenSecret := m.tableau.PAT()
	return object{"method": "personal_access_token", "token_name": name, "token_secret": tokenSecret}
}

func (m *machine) password() object {
	user, password := m.tableau.Password()
	return object{"method": "username_password", "username": user, "password": password}
}

func (m *machine) connect(auth object) string {
	m.t.Helper()
	return m.must(http.StatusCreated, "POST", "/v1/connections", object{
		"name": "Sales", "server_url": m.server, "site": m.tableau.Site(), "auth": auth, "notify": []string{"ops@example.com"},
	}).text("id")
}

func (m *machine) report(connection string, change ...object) string {
	m.t.Helper()
	r := object{
		"name": "Morning numbers", "connection_id": connection,
		"content":      []object{{"view": m.server + "/#/site/" + m.tableau.Site() + "/views/Superstore/Overview?:iid=1", "format": "png"}},
		"destinations": []object{{"id": "mail", "type": "email", "to": []string{"reader@example.com"}}},
		"notify":       []string{"owner@example.com"},
	}
	for _, c := range change {
		for k, v := range c {
			r[k] = v
		}
	}
	return m.must(http.StatusCreated, "POST", "/v1/reports", r).text("id")
}

// run runs a report and waits until the run has one of the states.
func (m *machine) run(report string, states ...string) object {
	m.t.Helper()
	id := m.must(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
	return m.wait(id, states...)
}

func (m *machine) wait(run string, states ...string) object {
	m.t.Helper()
	var r object
	if !m.until(2*time.Minute, func() bool {
		r = m.must(http.StatusOK, "GET", "/v1/runs/"+run, nil)
		return slices.Contains(states, r.text("state"))
	}) {
		m.t.Fatalf("the run is still %v, want %v\nlog:\n%s", r, states, m.log)
	}
	return r
}

// until looks again and again, and reports whether what is waited for was seen
// in time.
func (m *machine) until(limit time.Duration, seen func() bool) bool {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !seen() {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
	}
	return true
}

// mails reads the outbox: file name to content.
func (m *machine) mails() map[string]string {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "outbox", "*.eml"))
	if err != nil {
		m.t.Fatal(err)
	}
	mails := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			m.t.Fatal(err)
		}
		mails[filepath.Base(f)] = string(b)
	}
	return mails
}

func (m *machine) mailsTo(address string) int {
	m.t.Helper()
	n := 0
	for _, mail := range m.mails() {
		if strings.Contains(mail, "To: "+address) || strings.Contains(mail, "To: <"+address+">") {
			n++
		}
	}
	return n
}

// waitRuns waits until a report has as many runs.
func (m *machine) waitRuns(report string, n int) []object {
	m.t.Helper()
	var runs []object
	if !m.until(time.Minute, func() bool {
		list, _ := m.must(http.StatusOK, "GET", "/v1/reports/"+report+"/runs", nil)["runs"].([]any)
		runs = nil
		for _, r := range list {
			o, _ := r.(map[string]any)
			runs = append(runs, o)
		}
		return len(runs) >= n
	}) {
		m.t.Fatalf("%d runs, want %d\nlog:\n%s", len(runs), n, m.log)
	}
	return runs
}

// waitMails gives how many mails came to an address, at the latest after a
// minute.
func (m *machine) waitMails(address string, n int) int {
	m.t.Helper()
	var got int
	m.until(time.Minute, func() bool {
		got = m.mailsTo(address)
		return got >= n
	})
	return got
}
