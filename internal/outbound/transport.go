package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

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

func orDefault(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
