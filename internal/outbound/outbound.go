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
//     services of clouds are refused even then, also in the IPv6 forms that a
//     translator makes IPv4 of, and so are the policy's blocked addresses (on
//     Lambda: the Runtime API).
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
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
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

// The instance metadata services hand out the machine's own credentials. Most
// have the link-local address 169.254.169.254 and are refused as such; these
// lie elsewhere, some in ranges that a private network may cover. Sources:
// Amazon EC2 User Guide, "Access instance metadata"; Amazon ECS and EKS agent
// endpoints; the clouds' own pages on instance metadata.
var metadataAddrs = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:ec2::23"),    // AWS, credentials of EKS pods
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure's wire server
}

// neverReached reports whether an address is refused whatever is configured.
func neverReached(addr netip.Addr) bool {
	return addr.IsLinkLocalUnicast() || addr.IsUnspecified() || addr.IsMulticast() || slices.Contains(metadataAddrs, addr)
}

// metadata reports whether an IPv4 address may be of a metadata service. An
// embedded 0.0.0.0 is not: local translation leaves such bits unused.
func metadata(addr netip.Addr) bool { return !addr.IsUnspecified() && neverReached(addr) }

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
)

// embedded returns the IPv4 addresses that an IPv6 address may be translated
// to on its way.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	v4 := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	switch {
	case nat64.Contains(addr), compatible.Contains(addr):
		return []netip.Addr{v4(12, 13, 14, 15)}
	case localNAT64.Contains(addr): // the translator's prefix may have each of these lengths: 48, 56, 64, 96
		return []netip.Addr{v4(6, 7, 9, 10), v4(7, 9, 10, 11), v4(9, 10, 11, 12), v4(12, 13, 14, 15)}
	case sixToFour.Contains(addr):
		return []netip.Addr{v4(2, 3, 4, 5)}
	}
	return nil
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
	if neverReached(addr) || slices.ContainsFunc(embedded(addr), metadata) {
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
