package outbound_test

import (
	"bufio"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vizpost/vizpost/internal/outbound"
)

func loopbackNetworks() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// secureServer answers "tableau" with a certificate of its own authority.
func secureServer(t *testing.T) (server *httptest.Server, bundle string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "tableau") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func fetch(t *testing.T, p outbound.Policy, address string) (string, error) {
	t.Helper()
	transport := outbound.NewTransport(p)
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := (&http.Client{Transport: transport}).Get(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestLoadRoots(t *testing.T) {
	t.Parallel()
	server, bundle := secureServer(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("# Example authority\n"+bundle+bundle), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"text":                  bundle,
		"a file":                file,
		"spaces as line breaks": strings.Join(strings.Fields(bundle), " "),
		"escaped line breaks":   strings.ReplaceAll(bundle, "\n", `\n`),
		"several on one line":   strings.ReplaceAll(bundle+bundle, "\n", " "),
	} {
		roots, err := outbound.LoadRoots(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if body, err := fetch(t, outbound.Policy{PrivateNetworks: loopbackNetworks(), RootCAs: roots}, server.URL); err != nil || body != "tableau" {
			t.Errorf("%s: got %q, %v", name, body, err)
		}
	}
	var unknown x509.UnknownAuthorityError
	if _, err := fetch(t, outbound.Policy{PrivateNetworks: loopbackNetworks()}, server.URL); !errors.As(err, &unknown) {
		t.Errorf("without the bundle: %v", err)
	}
}

func TestLoadRootsRefuses(t *testing.T) {
	t.Parallel()
	_, bundle := secureServer(t)
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	block := func(kind string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
	}
	for name, tt := range map[string]struct{ value, want string }{
		"no such file":       {filepath.Join(dir, "nowhere.pem"), "neither PEM text nor the name of a file"},
		"a folder":           {dir, "no file of certificates"},
		"an empty file":      {empty, "no certificate in it"},
		"a key":              {bundle + block("PRIVATE KEY", []byte("x")), "leave only certificates"},
		"a broken one":       {block("CERTIFICATE", []byte("nonsense")), "certificate 1 cannot be read"},
		"one cut short":      {bundle + bundle[:len(bundle)/2], "not whole"},
		"the first cut":      {bundle[:len(bundle)/2], "no certificate in it"},
		"a request for one":  {block("CERTIFICATE REQUEST", []byte("x")), "leave only certificates"},
		"something else":     {"-----BEGIN", "no certificate in it"},
		"spaces":             {"   ", "neither PEM text nor the name of a file"},
		"the text in base64": {base64.StdEncoding.EncodeToString([]byte(bundle)), "neither PEM text nor the name of a file"},
	} {
		if _, err := outbound.LoadRoots(tt.value); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tt.want)
		}
	}
}

func TestParseProxy(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://proxy.example.com:3128":         "http://proxy.example.com:3128",
		" https://proxy.example.com/ ":          "https://proxy.example.com",
		"http://user:p%40ss@10.0.0.1:8080":      "http://user:p%40ss@10.0.0.1:8080",
		"http://[fd00::1]:3128":                 "http://[fd00::1]:3128",
		"http://user:canary@proxy.example.com/": "http://user:canary@proxy.example.com",
	} {
		if got, err := outbound.ParseProxy(in); err != nil || got.String() != want {
			t.Errorf("ParseProxy(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "proxy.example.com", "proxy.example.com:3128", "socks5://canary@proxy:1080", "http://", "http://proxy:canary", "http://proxy:0",
		"http://proxy:99999", "http://proxy/canary", "http://proxy?canary=1", "http://proxy#canary", "http://us er:canary@proxy", "http://%zz:canary@proxy",
	} {
		if got, err := outbound.ParseProxy(in); err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "http://proxy.example.com:3128") {
			t.Errorf("ParseProxy(%q) = %v, %v, want it refused with an example and without the value", in, got, err)
		}
	}
}

// proxy is a real one: it connects where CONNECT says, if the user may.
type proxy struct {
	url        *url.URL
	mu         sync.Mutex
	connected  []string
	refuse     int    // status; 0 lets through
	credential string // of the header Proxy-Authorization; "" for any
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(server.Close)
	var err error
	if p.url, err = outbound.ParseProxy(server.URL); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.connected = append(p.connected, r.Method+" "+r.Host)
	p.mu.Unlock()
	switch {
	case p.refuse != 0:
		http.Error(w, "canary-proxy-page", p.refuse)
		return
	case p.credential != "" && r.Header.Get("Proxy-Authorization") != p.credential:
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "canary-proxy-page", http.StatusProxyAuthRequired)
		return
	case r.Method != http.MethodConnect:
		_, _ = io.WriteString(w, "through the proxy")
		return
	}
	target, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, "canary-proxy-page", http.StatusBadGateway)
		return
	}
	defer func() { _ = target.Close() }()
	w.WriteHeader(http.StatusOK)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	var group sync.WaitGroup
	group.Go(func() { relay(target, buffered.Reader) })
	group.Go(func() { relay(conn, bufio.NewReader(target)) })
	group.Wait()
}

// relay copies until one side ends, and then ends the other.
func relay(to net.Conn, from io.Reader) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.connected...)
}

// Requests go through the proxy, and their certificates are checked by vizpost.
func TestConnectProxy(t *testing.T) {
	t.Parallel()
	server, bundle := secureServer(t)
	roots, err := outbound.LoadRoots(bundle)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t)
	p.credential = "Basic " + base64.StdEncoding.EncodeToString([]byte("vizpost:p@ss"))
	withUser := *p.url
	withUser.User = url.UserPassword("vizpost", "p@ss")

	policy := outbound.Policy{PrivateNetworks: loopbackNetworks(), RootCAs: roots, Proxy: &withUser}
	if body, err := fetch(t, policy, server.URL); err != nil || body != "tableau" {
		t.Errorf("got %q, %v", body, err)
	}
	if got := p.requests(); len(got) != 1 || got[0] != "CONNECT "+strings.TrimPrefix(server.URL, "https://") {
		t.Errorf("the proxy was asked %q", got)
	}
	var unknown x509.UnknownAuthorityError
	policy.RootCAs = nil
	if _, err := fetch(t, policy, server.URL); !errors.As(err, &unknown) {
		t.Errorf("a certificate of another authority: %v", err)
	}
	// The guard stands before the proxy.
	var blocked *outbound.BlockedError
	before := len(p.requests())
	if _, err := fetch(t, outbound.Policy{Proxy: &withUser}, server.URL); !errors.As(err, &blocked) {
		t.Errorf("a private address: %v", err)
	}
	if n := len(p.requests()); n != before {
		t.Errorf("the proxy was asked for an address that is refused")
	}
}

func TestConnectProxyThatRefuses(t *testing.T) {
	t.Parallel()
	server, _ := secureServer(t)
	for status, tt := range map[int]struct {
		temporary bool
		message   string
	}{
		407: {false, "VIZPOST_PROXY_URL"},
		403: {false, "allow the server on the proxy"},
		502: {true, "cannot reach this server"},
		503: {true, "cannot reach this server"},
		429: {true, "cannot reach this server"},
	} {
		p := newProxy(t)
		p.refuse = status
		_, err := fetch(t, outbound.Policy{PrivateNetworks: loopbackNetworks(), Proxy: p.url}, server.URL)
		var refused *outbound.ProxyError
		if !errors.As(err, &refused) || refused.Status != status || refused.Temporary() != tt.temporary {
			t.Errorf("%d: %v", status, err)
			continue
		}
		if !strings.Contains(refused.Message(), tt.message) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: message %q, want %q in it", status, refused.Message(), tt.message)
		}
	}
}
