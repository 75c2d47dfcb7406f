package standalone_test

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vizpost/vizpost/internal/deliver/slacktest"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// connectProxy connects where it is told to, and counts how often.
func connectProxy(t *testing.T) (*url.URL, *atomic.Int64) {
	t.Helper()
	var connected atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, err := net.Dial("tcp", r.Host)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		defer func() { _ = target.Close() }()
		connected.Add(1)
		w.WriteHeader(http.StatusOK)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var group sync.WaitGroup
		group.Go(func() { _, _ = io.Copy(target, conn); _ = target.Close() })
		group.Go(func() { _, _ = io.Copy(conn, target); _ = conn.Close() })
		group.Wait()
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, &connected
}

// A server with a certificate of the organisation's own authority, behind a
// proxy, typed with http://: with the authority and the proxy set it connects
// and a report is exported from it.
func TestOwnAuthorityAndProxy(t *testing.T) {
	t.Parallel()
	server := tableautest.New(tableautest.Options{})
	secure := httptest.NewUnstartedServer(server)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	proxy, connected := connectProxy(t)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())

	open := func(change func(*standalone.Config)) *machine {
		m := &machine{t: t, dir: t.TempDir(), log: &logBuffer{}, slack: &slacktest.Receiver{URL: "https://hooks.example.com"}, tableau: server}
		m.server = strings.Replace(secure.URL, "https://", "http://", 1)
		m.open(change)
		return m
	}
	m := open(func(c *standalone.Config) { c.RootCAs, c.Proxy = roots, proxy })
	report := m.report(m.connect(m.token()))
	m.work()
	m.run(report, "delivered")
	if connected.Load() == 0 {
		t.Error("the proxy was not used")
	}

	m = open(func(*standalone.Config) {})
	status, problem := m.call("POST", "/v1/connections", object{
		"name": "Sales", "server_url": secure.URL, "site": server.Site(), "auth": m.token(), "notify": []string{"ops@example.com"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(problem.text("detail"), "VIZPOST_CA_BUNDLE") {
		t.Errorf("without the authority: %d %v", status, problem)
	}
}
