package standalone_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	slack   *receiver
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

// receiver stands in for Slack.
type receiver struct {
	url string
	mu  sync.Mutex
	got []string
}

func (r *receiver) messages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.got...)
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), log: &logBuffer{}, slack: &receiver{}}
	m.tableau = tableautest.New(tableautest.Options{Now: m.now})
	server := httptest.NewServer(m.tableau)
	t.Cleanup(server.Close)
	m.server = server.URL
	slack := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.slack.mu.Lock()
		defer m.slack.mu.Unlock()
		m.slack.got = append(m.slack.got, string(body))
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(slack.Close)
	m.slack.url = slack.URL
	m.open()
	return m
}

func (m *machine) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

func (m *machine) advance(d time.Duration) { m.ahead.Add(int64(d)) }

func (m *machine) open(change ...func(*standalone.Config)) {
	m.t.Helper()
	config := standalone.Config{
		DataDir: m.dir, WebhookOrigins: []string{m.slack.url}, PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
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
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		r := m.must(http.StatusOK, "GET", "/v1/runs/"+run, nil)
		for _, s := range states {
			if r.text("state") == s {
				return r
			}
		}
		select {
		case <-ctx.Done():
			m.t.Fatalf("the run is still %v, want %v\nlog:\n%s", r, states, m.log)
		case <-look.C:
		}
	}
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

func TestSwitchFromPasswordToToken(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.work()
	connection := m.connect(m.password())
	report := m.report(connection)
	m.run(report, "delivered")

	wrong := m.token()
	wrong["token_secret"] = "AAAAAAAAAAAAAAAAAAAAAA==:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	before := m.must(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	status, problem := m.call("PATCH", "/v1/connections/"+connection, object{"auth": wrong})
	if status != http.StatusUnprocessableEntity || problem.text("code") != "credentials_rejected" {
		t.Errorf("a wrong token: %d %v, want 422 credentials_rejected", status, problem)
	}
	after := m.must(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("a rejected token changed the connection:\n%v\n%v", before, after)
	}

	switched := m.must(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"auth": m.token()})
	if switched.text("id") != connection || switched.text("auth.method") != "personal_access_token" || switched.text("state") != "connected" {
		t.Errorf("switched to a token: %v", switched)
	}
	r := m.run(report, "delivered")
	if r.text("connection_id") != connection || r.text("report_id") != report {
		t.Errorf("the run is of other ids: %v", r)
	}
	if got := len(m.mails()); got != 2 {
		t.Errorf("%d mails, want 2", got)
	}
}

func TestRunsAndTestsShareOneSession(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	connection := m.connect(m.token())
	reports := make([]string, 50)
	for i := range reports {
		reports[i] = m.report(connection, object{"name": fmt.Sprintf("Report %d", i)})
	}
	m.tableau.SetLatency(50 * time.Millisecond)
	m.work()
	runs := make([]string, len(reports))
	for i, report := range reports {
		runs[i] = m.must(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
	}
	var tests sync.WaitGroup
	for range 20 {
		tests.Go(func() {
			if status, o := m.call("POST", "/v1/connections/"+connection+"/test", nil); status != http.StatusOK {
				t.Errorf("testing the connection: %d %v", status, o)
			}
		})
	}
	tests.Wait()
	for _, run := range runs {
		m.wait(run, "delivered")
	}
	stats := m.tableau.Stats()
	if stats.SignIns != 1 || stats.SessionsEndedBySignIn != 0 || stats.SignInsFailed != 0 {
		t.Errorf("sign-ins %d, failed %d, sessions ended by another %d; want 1, 0, 0",
			stats.SignIns, stats.SignInsFailed, stats.SessionsEndedBySignIn)
	}
	if stats.ExportsInFlightMax > 8 {
		t.Errorf("%d exports at once, want at most 8", stats.ExportsInFlightMax)
	}
	if got := len(m.mails()); got != 50 {
		t.Errorf("%d mails, want 50", got)
	}
}

func TestTenMissedOccurrencesAreOneRun(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	connection := m.connect(m.token())
	report := m.report(connection, object{"schedule": object{"cron": "0 * * * *", "time_zone": "UTC"}})
	first, err := time.Parse(time.RFC3339, m.must(http.StatusOK, "GET", "/v1/reports/"+report, nil).text("next_run_at"))
	if err != nil {
		t.Fatalf("next_run_at: %v", err)
	}
	m.advance(first.Add(9*time.Hour + 30*time.Minute).Sub(m.now())) // the tenth was half an hour ago
	m.work()
	runs := m.waitRuns(report, 1)
	r := m.wait(runs[0].text("id"), "delivered")
	if got := r["stands_for"]; got != float64(10) {
		t.Errorf("the run stands for %v occurrences, want 10", got)
	}
	for _, mail := range m.mails() {
		if !strings.Contains(mail, "10 occurrences") {
			t.Errorf("the mail does not say that it stands for ten")
		}
	}
	if got := len(m.waitRuns(report, 1)); got != 1 {
		t.Errorf("%d runs, want 1", got)
	}
}

// waitRuns waits until a report has as many runs.
func (m *machine) waitRuns(report string, n int) []object {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		list, _ := m.must(http.StatusOK, "GET", "/v1/reports/"+report+"/runs", nil)["runs"].([]any)
		if len(list) >= n {
			var runs []object
			for _, r := range list {
				o, _ := r.(map[string]any)
				runs = append(runs, o)
			}
			return runs
		}
		select {
		case <-ctx.Done():
			m.t.Fatalf("%d runs, want %d\nlog:\n%s", len(list), n, m.log)
		case <-look.C:
		}
	}
}

func TestRevokedTokenHoldsRunsUntilThereIsANewOne(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.work()
	connection := m.connect(m.token())
	report := m.report(connection)
	m.run(report, "delivered")

	m.tableau.RevokeTokens("")
	first := m.run(report, "held")
	second := m.run(report, "held")
	c := m.must(http.StatusOK, "GET", "/v1/connections/"+connection, nil)
	if c.text("state") != "needs_credentials" || c.text("problem.code") != "credentials_rejected" {
		t.Errorf("the connection: state %q, problem %v", c.text("state"), c["problem"])
	}
	if got := m.waitMails("ops@example.com", 1); got != 1 {
		t.Errorf("%d notices, want 1", got)
	}
	failed := m.tableau.Stats().SignInsFailed
	if failed != 1 {
		t.Errorf("%d sign-ins with a dead token, want 1", failed)
	}

	user, _ := m.tableau.Password()
	fresh := object{"method": "personal_access_token", "token_name": "fresh", "token_secret": m.tableau.NewPAT(user, "fresh")}
	m.must(http.StatusOK, "PATCH", "/v1/connections/"+connection, object{"auth": fresh})
	m.wait(first.text("id"), "delivered")
	m.wait(second.text("id"), "delivered")
	if got := m.mailsTo("reader@example.com"); got != 3 {
		t.Errorf("%d mails to the reader, want 3", got)
	}
	if got := m.mailsTo("ops@example.com"); got != 1 {
		t.Errorf("%d notices in the end, want 1", got)
	}
}

func (m *machine) waitMails(address string, n int) int {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		got := m.mailsTo(address)
		if got >= n || ctx.Err() != nil {
			return got
		}
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

func TestBadContentReachesNobody(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault tableautest.Fault
		state string
	}{
		"blank":        {tableautest.Fault{Kind: tableautest.FaultBlank, Route: "export", Times: -1}, "failed"},
		"no such view": {tableautest.Fault{Kind: tableautest.FaultError, Route: "export", Code: 404011, Times: -1}, "failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.work()
			report := m.report(m.connect(m.token()))
			if err := m.tableau.AddFault(test.fault); err != nil {
				t.Fatal(err)
			}
			r := m.run(report, test.state)
			if r.text("reason") == "" {
				t.Error("the run gives no reason")
			}
			if got := m.waitMails("owner@example.com", 1); got != 1 {
				t.Errorf("%d notices to the owner, want 1", got)
			}
			if got := m.mailsTo("reader@example.com"); got != 0 {
				t.Errorf("%d mails to the reader, want none", got)
			}
		})
	}
}

func TestSlackAndSecondConnectionWithTheSameToken(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.work()
	connection := m.connect(m.token())
	destination := m.must(http.StatusCreated, "POST", "/v1/destinations", object{
		"name": "Sales channel", "type": "slack", "url": m.slack.url + "/services/T0/B0/canary-webhook",
	}).text("id")
	report := m.report(connection, object{"destinations": []object{{"id": "sales", "type": "slack", "destination_id": destination, "text": "News"}}})
	m.run(report, "delivered")
	if got := m.slack.messages(); len(got) != 1 || !strings.Contains(got[0], "/views/Superstore/Overview") {
		t.Errorf("Slack got %q, want one message with a link to the view", got)
	}

	status, problem := m.call("POST", "/v1/connections", object{"name": "Copy", "server_url": m.server, "site": m.tableau.Site(), "auth": m.token()})
	if status != http.StatusConflict || problem.text("code") != "token_in_use" || !strings.Contains(problem.text("detail"), "Sales") {
		t.Errorf("a second connection with the token: %d %v, want 409 token_in_use that names the first", status, problem)
	}
	if got := m.tableau.Stats().SignIns; got != 1 {
		t.Errorf("%d sign-ins, want 1", got)
	}
	if strings.Contains(m.log.String(), "canary-webhook") {
		t.Error("the webhook's address is in the log")
	}
}
