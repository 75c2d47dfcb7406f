package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ParseProxy reads the address of a proxy, such as the value of
// VIZPOST_PROXY_URL: http:// or https://, a host, a port where it is not the
// usual one, and a user name and password where the proxy asks for them. An
// error does not repeat the value, which may hold a password.
func ParseProxy(s string) (*url.URL, error) {
	const want = "write it like http://proxy.example.com:3128 or http://user:password@proxy.example.com:3128"
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("this is not the address of a proxy: " + want)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the address of the proxy must begin with http:// or https://: " + want)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the address of the proxy must end after its host and port: " + want)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("the port of the proxy must be a number from 1 to 65535: " + want)
		}
	}
	u.Path = ""
	return u, nil
}

// ProxyError is the refusal of a proxy to connect to a server. Nothing was sent
// to the server.
type ProxyError struct {
	Status int // of its answer to CONNECT
}

// Error gives the text for logs.
func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy refused to connect: HTTP status %d", e.Status)
}

// Temporary reports whether it may connect later: it has reached nobody now.
func (e *ProxyError) Temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// Message says to the user what happened and what to do.
func (e *ProxyError) Message() string {
	switch {
	case e.Status == http.StatusProxyAuthRequired:
		return "The proxy that vizpost uses does not accept its user name and password. Ask the administrator to check VIZPOST_PROXY_URL."
	case e.Temporary():
		return fmt.Sprintf("The proxy that vizpost uses cannot reach this server (it answered %d). Check the address; if it is right, ask the administrator whether the proxy can reach it.", e.Status)
	default:
		return fmt.Sprintf("The proxy that vizpost uses does not let it through to this server (it answered %d). Ask the administrator to allow the server on the proxy.", e.Status)
	}
}

// checkConnect makes a typed error of a proxy's refusal.
func checkConnect(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Status: resp.StatusCode}
}
