package tableau

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/vizpost/vizpost/internal/problem"
)

// Hosts of Tableau Cloud, and of the service that has no REST API.
const (
	cloudHost  = "online.tableau.com"
	publicHost = "public.tableau.com"
)

// hostPattern is a host name: letters and digits of any script, and underscores,
// which names should not have and do.
var hostPattern = regexp.MustCompile(`^[\pL\pN]([\pL\pN\pM_-]*[\pL\pN\pM])?(\.[\pL\pN]([\pL\pN\pM_-]*[\pL\pN\pM])?)*$`)

// NormalizeServerURL reads a server's address in any form that people paste:
// with or without scheme, with a path or the whole address of a view. It gives
// "https://host[:port]" (or http://, if that was written), without a default
// port and with a host name in ASCII, and the site's slug when the address names
// one. The error is a [*problem.Error] about the field "server_url".
func NormalizeServerURL(s string) (server, site string, err error) {
	parts, message := splitAddress(s, true)
	if message != "" {
		return "", "", problem.InvalidField("server_url", message)
	}
	site, _, _ = cutSite(parts.segments)
	return parts.server, site, nil
}

// cutServer reads host and port off the front of an address.
func cutServer(scheme, s string) (server, rest, message string) {
	authority := s
	if end := strings.IndexAny(s, `/?#\`); end >= 0 {
		authority, rest = s[:end], s[end:]
	}
	if strings.Contains(authority, "@") {
		return "", "", msgUserInfo
	}
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:colon], authority[colon+1:]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if inner, isBracketed := strings.CutPrefix(host, "["); isBracketed {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || !strings.HasSuffix(inner, "]") {
			return "", "", msgBadServer
		}
		host = addr.String()
	} else {
		var ok bool
		if host, ok = asciiHost(host); !ok {
			return "", "", msgBadServer
		}
	}
	if host == publicHost {
		return "", "", msgPublic
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", "", msgBadServer
		}
		port = strconv.FormatUint(n, 10)
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host, rest, ""
	}
	return scheme + "://" + net.JoinHostPort(host, port), rest, ""
}

// asciiHost gives a host name in the form in which it is looked up and browsers
// copy it: of letters of other scripts there are two, and they are one server.
func asciiHost(name string) (string, bool) {
	if !hostPattern.MatchString(name) {
		return "", false
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", false
		}
		name = ascii
	}
	return name, len(name) <= 253
}

// baseURL gives the normalised "scheme://host[:port]" of an address that is
// absolute.
func baseURL(u *url.URL) string {
	server, _, message := cutServer(strings.ToLower(u.Scheme), u.Host)
	if message != "" {
		return u.Scheme + "://" + u.Host
	}
	return server
}

// isTableauCloud reports whether a host is one of Tableau Cloud's pods, or the
// address that leads to them.
func isTableauCloud(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == cloudHost || strings.HasSuffix(host, "."+cloudHost)
}

// plainAllowed reports whether credentials may go to a base URL, as far as its
// scheme is concerned.
func plainAllowed(base string, allow func(host string) bool) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && allow(u.Hostname())
}
