package e2e_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cage is an installation into which secrets are put by every route.
type cage struct {
	*testing.T
	secrets canaries
	crew    *crew
	site    *tableau
	slack   string
}

// send sends a request as it stands and looks for secrets in the answer, which
// it gives with its status.
func (c *cage) send(method, path, body string, headers ...string) (int, object) {
	c.Helper()
	address, token, _ := c.crew.members[0].access()
	req, err := http.NewRequestWithContext(c.Context(), method, address+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	head, _ := json.Marshal(resp.Header)
	c.look(fmt.Sprintf("the answer to %s %.60s %.90s", method, path, body), append(head, answer...))
	var o object
	_ = json.Unmarshal(answer, &o)
	return resp.StatusCode, o
}

// must is send with a status that is wanted and a value as the body.
func (c *cage) must(want int, method, path string, body any) object {
	c.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		c.Fatal(err)
	}
	status, answer := c.send(method, path, string(b))
	if status != want {
		c.Fatalf("%s %s: status %d, want %d: %v", method, path, status, want, answer)
	}
	return answer
}

// look looks for secrets. What it says names them but does not show them.
func (c *cage) look(where string, text []byte) {
	c.Helper()
	if found := c.secrets.leaks(text); len(found) > 0 {
		for _, value := range c.secrets {
			where = strings.ReplaceAll(where, value, "…")
		}
		c.Errorf("%s holds %s", where, strings.Join(found, ", "))
	}
}

// lookAround looks into everything that the process wrote.
func (c *cage) lookAround() {
	c.Helper()
	seen := 0
	for _, dir := range []string{c.crew.data, c.crew.logs} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			seen++
			c.look(filepath.Base(path), b)
			c.look("the name of a file", []byte(path))
			return err
		})
		if err != nil {
			c.Fatal(err)
		}
	}
	if seen < 3 {
		c.Errorf("only %d files were looked into", seen)
	}
}

// newCage opens an installation that logs all it can.
func newCage(t *testing.T, env ...string) *cage {
	t.Helper()
	c := &cage{T: t, secrets: canaries{}, site: newTableau(t)}
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no_service", http.StatusNotFound) // breaks the destination
	}))
	t.Cleanup(hooks.Close)
	c.slack = hooks.URL
	operator := c.secrets.add("the operator's token", "operator-canary-5f1d20a7b3")
	c.secrets.add("the token's secret", c.site.facts["token secret"])
	c.secrets.add("the password", c.site.facts["password"])
	c.crew = newCrew(t, 1, append([]string{"VIZPOST_TOKEN=" + operator, "VIZPOST_LOG_LEVEL=debug", "GOTRACEBACK=all",
		"VIZPOST_WEBHOOK_ORIGINS=" + hooks.URL}, env...)...)
	return c
}

// TestSecretsAreFoundNowhere puts secrets into a process by every route, right
// and wrong, and looks for them in all that comes out of it: answers, page, log
// at its most talkative, database, files, mails, and what it prints when it
// crashes.
func TestSecretsAreFoundNowhere(t *testing.T) {
	t.Parallel()
	c := newCage(t)
	wrong := c.secrets.add("a wrong secret", "V3JvbmctY2FuYXJ5LXNlY3JldA==:WrongCanaryWrongCanaryWrongCanary")
	hook := c.secrets.add("the webhook", "hookcanary-Zq81mXw20Lk")

	// Where they belong.
	user := c.site.facts["user"]
	password := object{"method": "username_password", "username": user, "password": c.site.facts["password"]}
	made := c.site.connection()
	made["auth"] = password
	connection := "/v1/connections/" + c.must(http.StatusCreated, "POST", "/v1/connections", made).text("id")
	trial := object{"server_url": c.site.facts["url"], "site": c.site.facts["site"], "auth": c.site.token()}
	c.must(http.StatusOK, "POST", "/v1/connections/test", trial)
	c.must(http.StatusOK, "PATCH", connection, object{"auth": c.site.token()})
	c.must(http.StatusOK, "POST", connection+"/test", nil)
	c.must(http.StatusUnprocessableEntity, "PATCH", connection, object{"auth": object{
		"method": "personal_access_token", "token_name": c.site.facts["token name"], "token_secret": wrong}})
	c.must(http.StatusUnprocessableEntity, "PATCH", connection, object{"auth": object{
		"method": "username_password", "username": user, "password": wrong}})
	c.must(http.StatusUnprocessableEntity, "PATCH", connection, object{"auth": object{ // name and secret changed places
		"method": "personal_access_token", "token_name": wrong, "token_secret": c.site.facts["token name"]}})
	destination := "/v1/destinations/" + c.must(http.StatusCreated, "POST", "/v1/destinations",
		object{"name": "#sales", "type": "slack", "url": c.slack + "/services/T0/B0/" + hook}).text("id")
	c.must(http.StatusOK, "PATCH", destination, object{"url": c.slack + "/services/T1/B1/" + hook})
	c.send("POST", destination+"/test", "")
	report := c.must(http.StatusCreated, "POST", "/v1/reports", object{
		"name": "Numbers", "connection_id": strings.TrimPrefix(connection, "/v1/connections/"), "notify": []string{"owner@example.com"},
		"content": []object{{"view": "Superstore/sheets/Overview", "format": "csv"}, {"view": "Superstore/sheets/Overview", "format": "png"}},
		"destinations": []object{{"type": "email", "to": []string{"ana@example.com"}},
			{"type": "slack", "destination_id": strings.TrimPrefix(destination, "/v1/destinations/")}},
	}).text("id")
	c.run(report, "partly_delivered") // the channel refuses, and its people hear of it

	// Where they do not belong.
	for name, secret := range c.secrets {
		if !strings.Contains(name, "part") {
			c.misplace(connection, destination, report, secret)
		}
	}

	// The token dies: a run is held, and people hear of it.
	c.site.steer("POST", "revoke-tokens", nil)
	c.run(report, "held")
	c.send("POST", connection+"/test", "")
	for _, path := range []string{"/", "/app.js", "/openapi.json", "/docs", "/config.json", "/v1/connections", connection, connection + "/history",
		"/v1/destinations", destination, "/v1/reports", "/v1/runs", "/v1/outbox", "/v1/me"} {
		c.send("GET", path, "")
	}
	c.lookAround()

	// It crashes while it signs in.
	c.site.steer("POST", "faults", object{"kind": "hang", "route": "signin"})
	fresh := c.site.steer("POST", "new-token", object{"name": "fresh"})
	c.secrets.add("the new token's secret", fresh.text("token_secret"))
	go func() {
		body := object{"auth": object{"method": "personal_access_token", "token_name": "fresh", "token_secret": fresh.text("token_secret")}}
		_, _, _ = c.crew.members[0].ask(t.Context(), "PATCH", connection, body)
	}()
	for len(c.site.steer("GET", "faults", nil).list("faults")) > 0 {
		if err := pause(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	c.crew.members[0].crash()
	log := c.crew.members[0].journal()
	if !strings.Contains(log, "SIGQUIT") || !strings.Contains(log, "SignIn") {
		t.Errorf("there is no dump of a sign-in, so nothing was shown")
	}
	if !strings.Contains(log, "level=DEBUG") && !strings.Contains(log, "level=INFO") {
		t.Errorf("the log is empty, so nothing was shown")
	}
	c.lookAround()
}

// run starts a run and waits for its state.
func (c *cage) run(report, state string) {
	c.Helper()
	run := c.must(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
	for end := time.Now().Add(2 * time.Minute); ; {
		got := c.must(http.StatusOK, "GET", "/v1/runs/"+run, nil)
		if got.text("state") == state {
			return
		}
		if time.Now().After(end) {
			c.Fatalf("the run is %v, want it %s", got, state)
		}
		if err := pause(c.Context(), 50*time.Millisecond); err != nil {
			c.Fatal(err)
		}
	}
}

// misplace sends a secret by every wrong way that there is.
func (c *cage) misplace(connection, destination, report, secret string) {
	c.Helper()
	q, _ := json.Marshal(secret)
	text := string(q)
	auth := `{"method":"personal_access_token","token_name":"vizpost","token_secret":` + text + `}`
	long := strings.Repeat("x", 1<<20)
	bodies := []string{
		text, `[` + text + `]`, `{"` + strings.Trim(text, `"`) + `":1}`, secret, `{"auth":{"token_secret":` + text, `{"auth":` + auth + `}x` + secret,
		`{"name":"a\q` + secret + `"}`, "{\"name\":\"\xff\",\"auth\":" + auth + "}", `{"name":"` + long + `","auth":` + auth + `}`,
		`{"name":"` + strings.Repeat("n", 400) + `","auth":` + auth + `}`,
		`{"name":"Sales","colour":` + text + `,"auth":` + auth + `}`, `{"name":7,"auth":` + auth + `}`, `{"auth":` + text + `}`, `{"auth":[` + text + `]}`,
		`{"auth":{"method":` + text + `,"token_name":"a","token_secret":` + text + `}}`, `{"auth":{"method":"personal_access_token","secret":` + text + `}}`,
		`{"auth":{"method":"personal_access_token","token_name":"a","token_secret":[` + text + `]}}`,
		`{"auth":{"method":"personal_access_token","token_name":"a","token_secret":{"value":` + text + `}}}`,
		`{"auth":{"method":"personal_access_token","token_name":"a","token_secret":` + text + `,"password":` + text + `}}`,
		`{"auth":{"method":"personal_access_token","token_name":"a","token_secret":` + text + `,"expires_on":` + text + `}}`,
		`{"name":"a","server_url":` + text + `,"site":` + text + `,"auth":` + auth + `}`, `{"name":"a","server_url":"https://` + secret + `/","auth":` + auth + `}`,
		`{"name":"a","server_url":"https://user:` + secret + `@tableau.example.com","auth":` + auth + `}`,
		`{"token_expires_on":` + text + `}`, `{"notify":[` + text + `]}`, `{"notify":` + text + `}`, `{"accept_identity_change":` + text + `}`,
		`{"name":"a","type":"slack","url":"https://example.com/` + secret + `"}`, `{"name":"a","type":"slack","url":"://` + secret + `"}`,
		`{"name":"a","type":` + text + `,"url":"https://hooks.slack.com/services/T/B/` + secret + `"}`, `{"url":` + text + `}`,
		`{"cron":` + text + `,"time_zone":` + text + `}`, `{"only_to":[` + text + `]}`, `{"dry_run":` + text + `}`,
		`{"name":"a","connection_id":` + text + `,"content":[{"view":` + text + `,"format":` + text + `}],"destinations":[{"type":` + text + `}]}`,
	}
	for _, body := range bodies {
		for _, to := range []struct{ method, path string }{
			{"POST", "/v1/connections"}, {"POST", "/v1/connections/test"}, {"PATCH", connection}, {"POST", connection + "/test"},
			{"POST", "/v1/destinations"}, {"PATCH", destination}, {"POST", "/v1/reports"}, {"PATCH", "/v1/reports/" + report},
			{"POST", "/v1/reports/" + report + "/runs"}, {"POST", "/v1/schedules/preview"},
		} {
			if status, _ := c.send(to.method, to.path, body); status >= 500 {
				c.Errorf("%s %s: status %d", to.method, to.path, status)
			}
		}
	}
	for _, query := range []string{"limit=", "cursor=", "state=", "search=", "token=", "access_token=", "sort=%zz"} {
		for _, path := range []string{"/", "/v1/connections", "/v1/runs", connection + "/views", "/v1/outbox", "/docs"} {
			c.send("GET", path+"?"+query+urlSafe(secret), "")
		}
	}
	for _, path := range []string{"/", "/v1/", "/v1/connections/", "/v1/runs/", "/v1/outbox/", "/f/", "/hooks/", connection + "/views/"} {
		for _, method := range []string{"GET", "POST", "DELETE", "PATCH"} {
			c.send(method, path+urlSafe(secret), "")
		}
	}
	for _, header := range []string{"Authorization", "Cookie", "X-Api-Key", "If-Match", "If-None-Match", "Content-Type", "Accept", "Accept-Encoding",
		"Content-Encoding", "Host", "Origin", "Referer", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Request-Id", "Traceparent"} {
		c.send("PATCH", connection, `{"nom":1}`, header, secret)
		c.send("GET", "/", "", header, secret)
	}
	for _, scheme := range []string{"Bearer x", "Basic ", "Token "} {
		c.send("GET", "/v1/connections", "", "Authorization", scheme+secret)
	}
	c.send("POST", "/v1/connections", `{"auth":`+auth+`}`, "Idempotency-Key", secret+" x")
}

// urlSafe escapes what a path or a query cannot hold.
func urlSafe(secret string) string {
	return strings.NewReplacer("/", "%2F", "+", "%2B", "=", "%3D").Replace(secret)
}

// crash has the process print all that it is doing, and end.
func (m *member) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.address = ""
	_ = m.cmd.Process.Signal(syscall.SIGQUIT)
	_ = m.cmd.Wait()
	_ = m.log.Close()
	m.cmd = nil
}

// TestMailPasswordIsFoundNowhere has a mail server refuse the password and
// repeat it in its answer.
func TestMailPasswordIsFoundNowhere(t *testing.T) {
	t.Parallel()
	secret := "smtp-canary-Wm40sTz9"
	address := rudeMailServer(t)
	c := newCage(t, "VIZPOST_SMTP_URL=smtp://reports:"+secret+"@"+address, "VIZPOST_MAIL_FROM=reports@example.com")
	c.secrets.add("the mail server's password", secret)
	connection := c.must(http.StatusCreated, "POST", "/v1/connections", c.site.connection()).text("id")
	report := c.must(http.StatusCreated, "POST", "/v1/reports", object{
		"name": "Numbers", "connection_id": connection, "content": []object{{"view": "Superstore/sheets/Overview", "format": "csv"}},
		"destinations": []object{{"type": "email", "to": []string{"ana@example.com"}}},
	}).text("id")
	run := c.must(http.StatusAccepted, "POST", "/v1/reports/"+report+"/runs", object{}).text("id")
	for {
		deliveries := c.must(http.StatusOK, "GET", "/v1/runs/"+run, nil).list("deliveries")
		if len(deliveries) == 1 && deliveries[0].text("message") != "" {
			t.Logf("what people are told: %s", deliveries[0].text("message"))
			break
		}
		if err := pause(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	c.lookAround()
	for _, bad := range []string{"smtp://a:" + secret + "@", "://" + secret, "smtp://a:" + secret + "@127.0.0.1:port", "imap://a:" + secret + "@127.0.0.1"} {
		m := &member{crew: &crew{T: t, data: filepath.Join(t.TempDir(), "data"), logs: t.TempDir(),
			env: []string{"VIZPOST_SMTP_URL=" + bad, "VIZPOST_MAIL_FROM=reports@example.com"}}}
		err := m.start()
		m.kill()
		if err == nil {
			t.Error("a mail server's address that is none was taken")
			continue
		}
		c.look("the complaint about an address", []byte(err.Error()))
	}
}

// rudeMailServer is a mail server that refuses all passwords, and says which.
func rudeMailServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go beRude(conn)
		}
	}()
	return l.Addr().String()
}

func beRude(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 mail.example.com ESMTP")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-mail.example.com")
			say("250 AUTH PLAIN")
		case "AUTH":
			_, encoded, _ := strings.Cut(rest, " ")
			plain, _ := base64.StdEncoding.DecodeString(encoded)
			say("535 5.7.8 " + strings.ReplaceAll(string(plain), "\x00", " ") + " are no good, " + encoded)
		case "QUIT":
			say("221 Bye")
			return
		default:
			say("250 OK")
		}
	}
}
