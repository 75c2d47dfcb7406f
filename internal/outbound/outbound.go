// Package outbound is the one way out: every request that vizpost makes to an
// address somebody typed in (a Tableau server, a webhook) leaves through a
// transport of this package.
//
// A [Policy] says where requests may go. The rules:
//
//   - Public addresses only. What IANA lists as special purpose (private,
//     loopback, link-local, shared, benchmarking, documentation, multicast,
//     reserved, NAT64, IPv4 mapped into IPv6) is refused, unless it lies in one
//     of the policy's private networks.
//   - Link-local, unspecified and multicast addresses and the instance metadata
//     services of AWS are refused even then, and so are the policy's blocked
//     addresses (on Lambda: the Runtime API).
//   - Unencrypted http only to the policy's private networks, since what is sent
//     there are credentials.
//
// The rules are applied to the address that is dialled, after the name has been
// resolved, so a name that changes its address between two look-ups gains
// nothing. A refusal is a [*BlockedError] and can be found with [errors.As] in
// what an http.Client returns.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"code.dny.dev/ssrf"
	"golang.org/x/net/idna"
)

// Policy says where requests may go and how long a connection may take. The
// zero Policy allows public addresses over https and nothing else. A Policy is
// not changed once it is in use.
type Policy struct {
	// PrivateNetworks may be reached although they are private or loopback,
	// and without TLS.
	PrivateNetworks []netip.Prefix

	// BlockedAddrs are never reached, even inside a private network. Where one
	// is a loopback address, its port is blocked on every loopback address.
	BlockedAddrs []netip.AddrPort

	ConnectTimeout time.Duration // of one TCP connection; 0 means 10 s
	TLSTimeout     time.Duration // of one TLS handshake; 0 means 10 s
	IdleTimeout    time.Duration // after which an unused connection is closed; 0 means 90 s

	// RootCAs are the certificate authorities that a server's certificate may
	// come from; nil means those of the system.
	RootCAs *x509.CertPool

	// Proxy, if set, carries every request. Its own address comes from the
	// operator and is not checked; each request's target is resolved and
	// checked before the proxy is asked, and all of its addresses must be
	// allowed, since the proxy chooses among them. The environment's proxy
	// settings are not used.
	Proxy *url.URL

	// Lookup resolves a host name for the checks made before a connection
	// ([Policy.CheckAddress], [Policy.AllowsPlainHTTP], a proxy's target); nil
	// means the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Reason says why an address is refused.
type Reason string

// The reasons.
const (
	Private   Reason = "private"    // a private network that is not configured
	Loopback  Reason = "loopback"   // this machine
	LinkLocal Reason = "link_local" // link-local, unspecified, multicast or an instance metadata service: never allowed
	Reserved  Reason = "reserved"   // another special-purpose range
	Forbidden Reason = "forbidden"  // one of the policy's blocked addresses: never allowed
	PlainHTTP Reason = "plain_http" // http:// to anything but a configured private network
)

// BlockedError is the refusal of an address. No request was sent.
type BlockedError struct {
	Host   string     // as it was asked for, without port; may be empty
	Addr   netip.Addr // the address it has
	Reason Reason
}

// Error gives the text for logs; it names the address. See
// [BlockedError.Message] for the user's.
func (e *BlockedError) Error() string {
	if e.Host == "" || e.Host == e.Addr.String() {
		return fmt.Sprintf("address %s is refused: %s", e.Addr, e.Reason)
	}
	return fmt.Sprintf("host %q is refused: its address %s is %s", e.Host, e.Addr, e.Reason)
}

// Message says to the user what is wrong with the address and what to do. It
// does not tell what a name resolves to.
func (e *BlockedError) Message() string {
	switch e.Reason {
	case Private:
		return "This address lies in a private network. vizpost goes there only when the administrator has listed the network in VIZPOST_PRIVATE_NETWORKS."
	case Loopback:
		return "This address is the machine that vizpost itself runs on. vizpost goes there only when the administrator has listed it in VIZPOST_PRIVATE_NETWORKS."
	case PlainHTTP:
		return "This address is not encrypted. Use https://; http:// is only for private networks that the administrator has listed in VIZPOST_PRIVATE_NETWORKS."
	case Reserved:
		return "This address is in a reserved range that is not part of the public internet. Use the address that people open in their browser."
	default:
		return "This address is one that vizpost never connects to. Use the address that people open in their browser."
	}
}

// The instance metadata services of AWS hand out the machine's own
// credentials. The IPv4 ones are link-local and refused as such; these lie in
// the private range fd00::/8. Source: Amazon EC2 User Guide, "Access instance
// metadata"; Amazon ECS and EKS agent endpoints.
var metadataAddrs = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd00:ec2::23"),
}

const (
	defaultConnectTimeout = 10 * time.Second
	defaultTLSTimeout     = 10 * time.Second
	defaultIdleTimeout    = 90 * time.Second
)

// NewTransport makes the guarded transport of a policy. It speaks HTTP/2 where
// the server does. It sets no deadline for an answer: that is the caller's, by
// context.
func NewTransport(p Policy) *http.Transport {
	d := guardedDialer{policy: p, guard: p.guardian()}
	t := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{
			RootCAs:    p.RootCAs,
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"h2", "http/1.1"},
		},
		TLSHandshakeTimeout:    orDefault(p.TLSTimeout, defaultTLSTimeout),
		IdleConnTimeout:        orDefault(p.IdleTimeout, defaultIdleTimeout),
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    20, // the most exports that run at once on a Tableau site
		MaxResponseHeaderBytes: 1 << 20,
		// An export is silent for minutes while Tableau renders; a ping tells
		// that from a connection that has died.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	if p.Proxy != nil {
		t.DialContext = (&net.Dialer{Timeout: orDefault(p.ConnectTimeout, defaultConnectTimeout)}).DialContext
		t.OnProxyConnectResponse = checkConnect
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			if err := p.checkTarget(r.Context(), r.URL); err != nil {
				return nil, err
			}
			return p.Proxy, nil
		}
		return t
	}
	t.DialContext = d.dialPlain
	t.DialTLSContext = d.dialTLS(t.TLSClientConfig, t.TLSHandshakeTimeout)
	return t
}

var errHandshakeTimeout = errors.New("the TLS handshake took too long")

// guardedDialer makes connections to allowed addresses.
type guardedDialer struct {
	policy Policy
	guard  *ssrf.Guardian
}

// dialPlain makes the connections that stay unencrypted: the transport asks
// for them for http:// addresses only.
func (d guardedDialer) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	return d.dial(ctx, network, address, true)
}

func (d guardedDialer) dialTLS(base *tls.Config, timeout time.Duration) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("reading the address to connect to: %w", err)
		}
		conn, err := d.dial(ctx, network, address, false)
		if err != nil {
			return nil, err
		}
		config := base.Clone()
		config.ServerName = strings.TrimSuffix(host, ".")
		secured := tls.Client(conn, config)
		handshakeCtx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := secured.HandshakeContext(handshakeCtx); err != nil {
			_ = conn.Close()
			if handshakeCtx.Err() != nil && ctx.Err() == nil {
				// Not to be taken for the request's own deadline.
				return nil, &net.OpError{Op: "dial", Net: network, Addr: conn.RemoteAddr(), Err: errHandshakeTimeout}
			}
			return nil, err
		}
		return secured, nil
	}
}

func (d guardedDialer) dial(ctx context.Context, network, address string, plain bool) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout: orDefault(d.policy.ConnectTimeout, defaultConnectTimeout),
		Control: func(network, address string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("reading the address to connect to: %w", err)
			}
			return d.policy.check(d.guard, target, plain)
		},
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		var blocked *BlockedError
		if errors.As(err, &blocked) {
			if host, _, splitErr := net.SplitHostPort(address); splitErr == nil {
				blocked.Host = host
			}
		}
		return nil, err
	}
	return conn, nil
}

// CheckAddress says whether a server may be reached at a host name or IP
// address and port, before the address is stored. Port 0 means any. It resolves
// the name and refuses it with a [*BlockedError] when none of its addresses is
// allowed (with a proxy: when one of them is not); an error of another type
// means that the name could not be resolved. It does not connect.
func (p Policy) CheckAddress(ctx context.Context, host string, port uint16) error {
	return p.checkHost(ctx, host, port, false)
}

// AllowsPlainHTTP reports whether a host lies in a configured private network
// with all of its addresses, so that http:// may be used with it. A name that
// cannot be resolved does not.
func (p Policy) AllowsPlainHTTP(ctx context.Context, host string) bool {
	addrs, err := p.resolve(ctx, host)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !p.inPrivateNetwork(a) })
}

func (p Policy) checkTarget(ctx context.Context, u *url.URL) error {
	port := uint16(443)
	if u.Scheme == "http" {
		port = 80
	}
	if s := u.Port(); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return fmt.Errorf("reading the port to connect to: %w", errors.Unwrap(err))
		}
		port = uint16(n)
	}
	return p.checkHost(ctx, u.Hostname(), port, u.Scheme == "http")
}

func (p Policy) checkHost(ctx context.Context, host string, port uint16, plain bool) error {
	addrs, err := p.resolve(ctx, host)
	if err != nil {
		return err
	}
	guard := p.guardian()
	var refused error
	for _, addr := range addrs {
		err := p.check(guard, netip.AddrPortFrom(addr, port), plain)
		var blocked *BlockedError
		if errors.As(err, &blocked) {
			blocked.Host = host
		}
		switch {
		case err != nil && p.Proxy != nil:
			return err
		case err != nil && refused == nil:
			refused = err
		case err == nil && p.Proxy == nil:
			return nil
		}
	}
	return refused
}

// resolve gives the addresses of a host, at least one.
func (p Policy) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{addr}, nil
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		ascii, err := idna.Lookup.ToASCII(host) // as net/http does before it dials
		if err != nil {
			return nil, fmt.Errorf("looking up the host name: %w", err)
		}
		host = ascii
	}
	lookup := p.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(p.ConnectTimeout, defaultConnectTimeout))
	defer cancel()
	addrs, err := lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("looking up the host name: %w", err)
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address for the host", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

func (p Policy) guardian() *ssrf.Guardian {
	// IPv4 mapped into IPv6 is unmapped before the check, so the networks are
	// compared in the form that they have.
	var v4, v6 []netip.Prefix
	for _, network := range p.PrivateNetworks {
		if network.Addr().Is4() {
			v4 = append(v4, network)
		} else {
			v6 = append(v6, network)
		}
	}
	return ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
}

// check applies the policy to one address. An IPv4 address mapped into IPv6 is
// what the kernel connects to over IPv4, so it counts as that.
func (p Policy) check(guard *ssrf.Guardian, target netip.AddrPort, plain bool) error {
	addr := target.Addr().Unmap().WithZone("")
	blocked := func(reason Reason) error { return &BlockedError{Addr: addr, Reason: reason} }

	for _, forbidden := range p.BlockedAddrs {
		other := forbidden.Addr().Unmap()
		if forbidden.Port() == target.Port() && (other == addr || other.IsLoopback() && (addr.IsLoopback() || addr.IsUnspecified())) {
			return blocked(Forbidden)
		}
	}
	if addr.IsLinkLocalUnicast() || addr.IsUnspecified() || addr.IsMulticast() || slices.Contains(metadataAddrs, addr) {
		return blocked(LinkLocal)
	}
	if err := guard.SafeAddr(addr); err != nil {
		switch {
		case addr.IsLoopback():
			return blocked(Loopback)
		case addr.IsPrivate():
			return blocked(Private)
		default:
			return blocked(Reserved)
		}
	}
	if plain && !p.inPrivateNetwork(addr) {
		return blocked(PlainHTTP)
	}
	return nil
}

func (p Policy) inPrivateNetwork(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p.PrivateNetworks, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// ParseNetworks reads a comma-separated list of networks in CIDR form, such as
// the value of VIZPOST_PRIVATE_NETWORKS. An address without a length is that
// one address. An empty list is no network.
func ParseNetworks(s string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		network, err := parseNetwork(part)
		if err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network: write it like 10.0.0.0/8 or fd00::/8", s)
	}
	if network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4 network in IPv6 form: write it like 10.0.0.0/8", s)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has address bits beyond its length: did you mean %s?", s, network.Masked())
	}
	return network, nil
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
