package outbound_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vizpost/vizpost/internal/outbound"
)

func prefixes(t *testing.T, s string) []netip.Prefix {
	t.Helper()
	networks, err := outbound.ParseNetworks(s)
	if err != nil {
		t.Fatalf("ParseNetworks(%q): %v", s, err)
	}
	return networks
}

// get makes a request through the policy's transport, as a caller does.
func get(t *testing.T, p outbound.Policy, address string) (*http.Response, error) {
	t.Helper()
	transport := outbound.NewTransport(p)
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatalf("making the request: %v", err)
	}
	resp, err := client.Do(req)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

// Every range must be refused at the moment of dialling, whatever was checked
// before. Nothing is sent: the refusal comes before the connection.
func TestTransportRefusesSpecialAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, host string
		want       outbound.Reason
	}{
		{"loopback", "127.0.0.1", outbound.Loopback},
		{"loopback, another", "127.8.8.8", outbound.Loopback},
		{"loopback, IPv6", "[::1]", outbound.Loopback},
		{"loopback by name", "localhost", outbound.Loopback},
		{"loopback mapped into IPv6", "[::ffff:127.0.0.1]", outbound.Loopback},
		{"private 10/8", "10.1.2.3", outbound.Private},
		{"private 172.16/12", "172.31.255.255", outbound.Private},
		{"private 192.168/16", "192.168.0.1", outbound.Private},
		{"private mapped into IPv6", "[::ffff:10.1.2.3]", outbound.Private},
		{"unique local IPv6", "[fd12:3456::1]", outbound.Private},
		{"link-local, instance metadata", "169.254.169.254", outbound.LinkLocal},
		{"link-local, container credentials", "169.254.170.2", outbound.LinkLocal},
		{"link-local IPv6", "[fe80::1]", outbound.LinkLocal},
		{"instance metadata, IPv6", "[fd00:ec2::254]", outbound.LinkLocal},
		{"unspecified", "0.0.0.0", outbound.LinkLocal},
		{"unspecified IPv6", "[::]", outbound.LinkLocal},
		{"multicast", "224.0.0.1", outbound.LinkLocal},
		{"multicast IPv6", "[ff02::1]", outbound.LinkLocal},
		{"this network 0/8", "0.1.2.3", outbound.Reserved},
		{"shared 100.64/10", "100.64.0.1", outbound.Reserved},
		{"shared 100.64/10, its end", "100.127.255.255", outbound.Reserved},
		{"protocol assignments 192.0.0/24", "192.0.0.8", outbound.Reserved},
		{"documentation 192.0.2/24", "192.0.2.1", outbound.Reserved},
		{"benchmarking 198.18/15", "198.19.255.255", outbound.Reserved},
		{"documentation 203.0.113/24", "203.0.113.9", outbound.Reserved},
		{"reserved 240/4", "240.0.0.1", outbound.Reserved},
		{"broadcast", "255.255.255.255", outbound.Reserved},
		{"NAT64 of loopback", "[64:ff9b::7f00:1]", outbound.Reserved},
		{"NAT64 of a public address", "[64:ff9b::808:808]", outbound.Reserved},
		{"local NAT64", "[64:ff9b:1::1]", outbound.Reserved},
		{"6to4 of loopback", "[2002:7f00:1::]", outbound.Reserved},
		{"Teredo", "[2001::1]", outbound.Reserved},
		{"documentation IPv6", "[2001:db8::1]", outbound.Reserved},
		{"IPv4 compatible", "[::7f00:1]", outbound.Reserved},
		{"site-local", "[fec0::1]", outbound.Reserved},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, scheme := range []string{"https", "http"} {
				_, err := get(t, outbound.Policy{}, scheme+"://"+tt.host+":8443/secret-path")
				var blocked *outbound.BlockedError
				if !errors.As(err, &blocked) {
					t.Fatalf("%s: error = %v, want a BlockedError", scheme, err)
				}
				if blocked.Reason != tt.want {
					t.Errorf("%s: reason = %q, want %q", scheme, blocked.Reason, tt.want)
				}
				if blocked.Message() == "" || strings.Contains(blocked.Message(), blocked.Addr.String()) {
					t.Errorf("%s: message = %q, want a text without the address", scheme, blocked.Message())
				}
			}
			err := outbound.Policy{}.CheckAddress(t.Context(), strings.Trim(tt.host, "[]"), 443)
			var blocked *outbound.BlockedError
			if !errors.As(err, &blocked) || blocked.Reason != tt.want {
				t.Errorf("CheckAddress: error = %v, want the reason %q", err, tt.want)
			}
		})
	}
}

func TestTransportReachesPrivateNetworks(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	plain := httptest.NewServer(handler)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())

	tests := []struct{ name, address, want string }{
		{"http", plain.URL, "HTTP/1.1"},
		{"https", secure.URL, "HTTP/2.0"},
		{"mapped into IPv6", strings.Replace(plain.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1), "HTTP/1.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			policy := outbound.Policy{PrivateNetworks: prefixes(t, "127.0.0.0/8"), RootCAs: roots}
			resp, err := get(t, policy, tt.address)
			if err != nil {
				t.Fatalf("request: %v", err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != tt.want {
				t.Errorf("protocol = %q, %v, want %q", body, err, tt.want)
			}
		})
	}
}

func TestTransportRefusesUntrustedCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	_, err := get(t, outbound.Policy{PrivateNetworks: prefixes(t, "127.0.0.1"), RootCAs: x509.NewCertPool()}, server.URL)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("error = %v, want an unknown authority", err)
	}
}

func TestBlockedAddrs(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().(*net.TCPAddr).AddrPort()
	policy := outbound.Policy{PrivateNetworks: prefixes(t, "0.0.0.0/0,::/0"), BlockedAddrs: []netip.AddrPort{addr}}

	for _, host := range []string{"127.0.0.1", "127.0.0.2", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]"} {
		_, err := get(t, policy, "http://"+host+":"+server.URL[strings.LastIndex(server.URL, ":")+1:])
		var blocked *outbound.BlockedError
		if !errors.As(err, &blocked) || blocked.Reason != outbound.Forbidden {
			t.Errorf("%s: error = %v, want it forbidden", host, err)
		}
	}
	if err := policy.CheckAddress(t.Context(), "127.0.0.1", addr.Port()+1); err != nil {
		t.Errorf("another port: %v, want it allowed", err)
	}
}

func TestConfiguredNetworksNeverReachMetadata(t *testing.T) {
	t.Parallel()
	everything := outbound.Policy{PrivateNetworks: prefixes(t, "0.0.0.0/0,::/0")}
	for name, host := range map[string]string{
		"AWS":                        "169.254.169.254",
		"AWS, IPv6":                  "fd00:ec2::254",
		"AWS, pods":                  "fd00:ec2::23",
		"Google Cloud, IPv6":         "fd20:ce::254",
		"Alibaba Cloud":              "100.100.100.200",
		"Oracle Cloud":               "192.0.0.192",
		"Azure's wire server":        "168.63.129.16",
		"mapped":                     "::ffff:100.100.100.200",
		"IPv4 compatible":            "::169.254.169.254",
		"NAT64":                      "64:ff9b::169.254.169.254",
		"NAT64 of a link-local":      "64:ff9b::169.254.1.2",
		"NAT64 of Alibaba Cloud":     "64:ff9b::100.100.100.200",
		"NAT64 of Azure":             "64:ff9b::168.63.129.16",
		"local NAT64, 96 bits":       "64:ff9b:1:1234::169.254.169.254",
		"local NAT64, 64 bits":       "64:ff9b:1:1234:a9:fea9:fe00:0",
		"local NAT64, 56 bits":       "64:ff9b:1:12a9:fe:a9fe::",
		"local NAT64, 48 bits":       "64:ff9b:1:a9fe:a9:fe00::",
		"6to4":                       "2002:a9fe:a9fe::1",
		"link-local IPv6":            "fe80::1%1",
		"unspecified":                "0.0.0.0",
		"multicast behind a NAT64":   "64:ff9b::224.0.0.1",
		"Azure's wire server, again": "::ffff:168.63.129.16",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var blocked *outbound.BlockedError
			if err := everything.CheckAddress(t.Context(), host, 80); !errors.As(err, &blocked) || blocked.Reason != outbound.LinkLocal {
				t.Errorf("CheckAddress(%s) = %v, want it refused", host, err)
			}
		})
	}
	var blocked *outbound.BlockedError
	if err := (outbound.Policy{}).CheckAddress(t.Context(), "168.63.129.16", 443); !errors.As(err, &blocked) {
		t.Errorf("168.63.129.16 over https: %v, want it refused", err)
	}
	for _, host := range []string{"fd12::1", "100.100.100.201", "192.0.0.193", "168.63.129.17", "64:ff9b::10.1.2.3", "64:ff9b:1:1234::10.1.2.3", "2002:a01:203::1"} {
		if err := everything.CheckAddress(t.Context(), host, 80); err != nil {
			t.Errorf("%s: %v, want it allowed", host, err)
		}
	}
}

// lookup is a resolver with fixed answers.
func lookup(names map[string][]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, host string) ([]netip.Addr, error) {
		var addrs []netip.Addr
		for _, s := range names[host] {
			addrs = append(addrs, netip.MustParseAddr(s))
		}
		return addrs, nil
	}
}

func TestCheckAddressByName(t *testing.T) {
	t.Parallel()
	names := lookup(map[string][]string{
		"public.example.com":    {"93.184.216.34", "2606:2800:220:1::1"},
		"internal.example.com":  {"10.0.0.7"},
		"mixed.example.com":     {"93.184.216.34", "64:ff9b::5db8:d822"},
		"loop.example.com":      {"127.0.0.1"},
		"xn--mller-kva.example": {"10.0.0.7"},
		"a_b.example.com":       {"10.0.0.7"},
	})
	proxy := &url.URL{Scheme: "http", Host: "proxy.example.com:3128"}
	tests := []struct {
		name, host, networks string
		proxy                *url.URL
		want                 outbound.Reason
	}{
		{name: "public", host: "public.example.com"},
		{name: "internal", host: "internal.example.com", want: outbound.Private},
		{name: "internal, configured", host: "internal.example.com", networks: "10.0.0.0/24"},
		{name: "internal, another configured", host: "internal.example.com", networks: "10.0.1.0/24", want: outbound.Private},
		{name: "one address of two", host: "mixed.example.com"},
		{name: "one address of two, by proxy", host: "mixed.example.com", proxy: proxy, want: outbound.Reserved},
		{name: "public, by proxy", host: "public.example.com", proxy: proxy},
		{name: "beyond ASCII", host: "müller.example", want: outbound.Private},
		{name: "with an underscore", host: "a_b.example.com", want: outbound.Private},
		{name: "this machine", host: "loop.example.com", want: outbound.Loopback},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			policy := outbound.Policy{PrivateNetworks: prefixes(t, tt.networks), Proxy: tt.proxy, Lookup: names}
			err := policy.CheckAddress(t.Context(), tt.host, 0)
			if tt.want == "" {
				if err != nil {
					t.Errorf("error = %v, want none", err)
				}
				return
			}
			var blocked *outbound.BlockedError
			if !errors.As(err, &blocked) {
				t.Fatalf("error = %v, want a BlockedError", err)
			}
			if blocked.Reason != tt.want || blocked.Host != tt.host {
				t.Errorf("got host %q, reason %q, want %q, %q", blocked.Host, blocked.Reason, tt.host, tt.want)
			}
		})
	}

	var dns *net.DNSError
	if err := (outbound.Policy{Lookup: names}).CheckAddress(t.Context(), "nowhere.example.com", 0); !errors.As(err, &dns) {
		t.Errorf("unknown name: error = %v, want a DNSError", err)
	}
}

func TestAllowsPlainHTTP(t *testing.T) {
	t.Parallel()
	policy := outbound.Policy{
		PrivateNetworks: prefixes(t, "10.0.0.0/8, ::1"),
		Lookup: lookup(map[string][]string{
			"internal.example.com": {"10.0.0.7", "::ffff:10.0.0.8"},
			"mixed.example.com":    {"10.0.0.7", "93.184.216.34"},
		}),
	}
	want := map[string]bool{
		"internal.example.com": true,
		"mixed.example.com":    false,
		"nowhere.example.com":  false,
		"10.255.0.1":           true,
		"::1":                  true,
		"93.184.216.34":        false,
		"127.0.0.1":            false,
	}
	got := make(map[string]bool)
	for host := range want {
		got[host] = policy.AllowsPlainHTTP(t.Context(), host)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("AllowsPlainHTTP (-want +got):\n%s", diff)
	}
}

// A public address that is asked for over http is refused at the dial: that it
// was private when it was stored does not help.
func TestTransportRefusesPlainHTTPToPublicAddress(t *testing.T) {
	t.Parallel()
	_, err := get(t, outbound.Policy{PrivateNetworks: prefixes(t, "10.0.0.0/8")}, "http://93.184.216.34/")
	var blocked *outbound.BlockedError
	if !errors.As(err, &blocked) || blocked.Reason != outbound.PlainHTTP {
		t.Errorf("error = %v, want plain http refused", err)
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	var (
		mu    sync.Mutex
		asked []string
	)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(proxy.Close)
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	policy := outbound.Policy{
		PrivateNetworks: prefixes(t, "10.0.0.0/24"),
		Proxy:           proxyURL,
		Lookup: lookup(map[string][]string{
			"internal.example.com": {"10.0.0.7"},
			"other.example.com":    {"10.0.9.9"},
			"metadata.example.com": {"169.254.169.254"},
			"public.example.com":   {"93.184.216.34"},
		}),
	}

	resp, err := get(t, policy, "http://internal.example.com/a")
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("allowed target: %v, %v", resp, err)
	}
	for address, want := range map[string]outbound.Reason{
		"http://other.example.com/":     outbound.Private,
		"https://other.example.com/":    outbound.Private,
		"https://metadata.example.com/": outbound.LinkLocal,
		"http://public.example.com/":    outbound.PlainHTTP,
		"https://127.0.0.1/":            outbound.Loopback,
	} {
		var blocked *outbound.BlockedError
		if _, err := get(t, policy, address); !errors.As(err, &blocked) || blocked.Reason != want {
			t.Errorf("%s: error = %v, want the reason %q", address, err, want)
		}
	}
	// The answer to CONNECT is not what makes a tunnel, so the request fails;
	// that the proxy was asked is what counts.
	if _, err := get(t, policy, "https://public.example.com/"); err == nil {
		t.Error("a proxy without a tunnel gave an answer")
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"GET internal.example.com", "CONNECT public.example.com:443"}, asked); diff != "" {
		t.Errorf("the proxy was asked (-want +got):\n%s", diff)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	// A server that accepts and never says a word.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	policy := outbound.Policy{PrivateNetworks: prefixes(t, "127.0.0.1"), TLSTimeout: 10 * time.Millisecond}
	_, err = get(t, policy, "https://"+silent.Addr().String())
	var opError *net.OpError
	if !errors.As(err, &opError) || opError.Op != "dial" {
		t.Errorf("error = %v, want a failed dial", err)
	}
}

func TestNewTransportDefaults(t *testing.T) {
	t.Parallel()
	transport := outbound.NewTransport(outbound.Policy{})
	if transport.Proxy != nil {
		t.Error("a proxy is used though none is configured")
	}
	if transport.TLSHandshakeTimeout == 0 || transport.IdleConnTimeout == 0 || !transport.ForceAttemptHTTP2 {
		t.Errorf("got %v, %v, %v, want timeouts and HTTP/2", transport.TLSHandshakeTimeout, transport.IdleConnTimeout, transport.ForceAttemptHTTP2)
	}
}

func TestParseNetworks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" , ", nil},
		{"10.0.0.0/8", []string{"10.0.0.0/8"}},
		{"10.0.0.0/8, fd00::/8,192.168.1.7", []string{"10.0.0.0/8", "fd00::/8", "192.168.1.7/32"}},
		{"::1", []string{"::1/128"}},
		{"::ffff:10.0.0.1", []string{"10.0.0.1/32"}},
	}
	for _, tt := range tests {
		got, err := outbound.ParseNetworks(tt.in)
		if err != nil {
			t.Errorf("ParseNetworks(%q): %v", tt.in, err)
		}
		var text []string
		for _, network := range got {
			text = append(text, network.String())
		}
		if diff := cmp.Diff(tt.want, text, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("ParseNetworks(%q) (-want +got):\n%s", tt.in, diff)
		}
	}
	for _, in := range []string{"10.0.0.0/33", "10.0.0.1/8", "example.com", "10.0.0.0-10.0.0.9", "::ffff:10.0.0.0/104", "fe80::1%eth0"} {
		if got, err := outbound.ParseNetworks(in); err == nil {
			t.Errorf("ParseNetworks(%q) = %v, want an error", in, got)
		}
	}
}
