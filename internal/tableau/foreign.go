package tableau

import (
	"bytes"
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// portal is something that stands in front of a Tableau server and answers in
// its place.
type portal struct {
	name  string
	hosts []string // that it redirects to: the host itself, or what it ends with after a dot
	marks []string // in lower case, in the address that it redirects to or in its page
}

// portals are those that can be named, by the hosts and paths at which they
// answer. A page of another is told by its title.
var portals = []portal{
	{"Microsoft Entra ID", []string{"login.microsoftonline.com", "login.microsoftonline.us", "login.windows.net"}, []string{"login.microsoftonline.com"}},
	{"Microsoft Entra application proxy", []string{"msappproxy.net"}, nil},
	{"AD FS", nil, []string{"/adfs/ls"}},
	{"Okta", []string{"okta.com", "oktapreview.com", "okta-emea.com"}, []string{"oktacdn.com"}},
	{"Google sign-in", []string{"accounts.google.com"}, []string{"accounts.google.com"}},
	{"Cloudflare Access", []string{"cloudflareaccess.com"}, []string{"cloudflareaccess.com"}},
	{"OneLogin", []string{"onelogin.com"}, nil},
	{"PingOne", []string{"pingone.com", "pingone.eu", "pingidentity.com"}, nil},
	{"Auth0", []string{"auth0.com"}, nil},
	{"Duo", []string{"duosecurity.com"}, nil},
	{"Keycloak", nil, []string{"/protocol/openid-connect/auth", "/protocol/saml"}},
	{"Shibboleth", nil, []string{"/idp/profile/saml2"}},
	{"F5 BIG-IP", nil, []string{"/my.policy"}},
	{"Citrix Gateway", nil, []string{"/vpn/index.html", "/logon/logonpoint"}},
	{"SiteMinder", nil, []string{"/siteminderagent/"}},
	{"Zscaler", []string{"zscaler.net", "zscalertwo.net", "zscloud.net"}, []string{"zscaler"}},
}

// portalAt names the portal that an address belongs to, "" if none is known.
func portalAt(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	address := strings.ToLower(u.EscapedPath())
	for _, p := range portals {
		for _, h := range p.hosts {
			if host == h || strings.HasSuffix(host, "."+h) {
				return p.name
			}
		}
		for _, mark := range p.marks {
			if strings.HasPrefix(mark, "/") && strings.Contains(address, mark) {
				return p.name
			}
		}
	}
	return ""
}

// redirectHint is the message of a redirect of a call without session that is
// not followed; "" where the cause's own says enough.
func redirectHint(from, to *url.URL) string {
	host := bounded(to.Host, maxSummary)
	if name := portalAt(to); name != "" {
		return fmt.Sprintf("This address leads to a sign-in page of %s at %s, not to Tableau's REST API. Ask the administrator for the address at which the REST API can be reached without it.", name, host)
	}
	if strings.EqualFold(from.Hostname(), to.Hostname()) {
		return ""
	}
	return fmt.Sprintf("This address leads on to %s. If that is the address of your Tableau server, enter it; if it is a sign-in page, ask the administrator for the address at which Tableau's REST API can be reached.", host)
}

var titlePattern = regexp.MustCompile(`(?i)<title[^>]*>([^<]+)`)

const (
	maxPage  = 64 << 10 // bytes of a page that are searched
	maxTitle = 80       // bytes
)

// pageHint is the message of a web page in place of an answer: whose it is, as
// far as the page says.
func pageHint(r request, resp *http.Response, body []byte) string {
	body = body[:min(len(body), maxPage)]
	who := ""
	lower := strings.ToLower(string(body))
	for _, p := range portals {
		for _, mark := range p.marks {
			if strings.Contains(lower, mark) {
				who = p.name
			}
		}
	}
	title := ""
	if m := titlePattern.FindSubmatch(body); m != nil {
		title = r.quotable(html.UnescapeString(string(m[1])))
	}
	proxy := r.quotable(proxyOf(resp))
	switch {
	case who == "" && title == "" && proxy != "":
		return fmt.Sprintf("A proxy (%s) between vizpost and Tableau answered in its place. Ask the administrator to let vizpost through to Tableau.", proxy)
	case who == "" && title == "":
		return ""
	case who == "":
		who = fmt.Sprintf("a web page with the title %q", title)
	case title == "":
		who = "a page of " + who
	default:
		who = fmt.Sprintf("a page of %s with the title %q", who, title)
	}
	return fmt.Sprintf("What answers at this address is not Tableau's REST API but %s. If it is a sign-in page or a proxy, ask the administrator for the address at which the REST API can be reached; otherwise use the address that you see in the browser when you are signed in to Tableau.", who)
}

// isOfGateway reports whether an answer without one of Tableau's codes comes from
// what stands before a Tableau server. Everyone may read server info, and
// Tableau, when it refuses a sign-in, asks for no other.
func isOfGateway(r request, resp *http.Response) bool {
	switch r.op {
	case opServerInfo:
		return resp.StatusCode >= 400 && resp.StatusCode < 500 &&
			resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests
	case opSignIn:
		return resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") != ""
	}
	return false
}

// gatewayHint is the message of an answer without a page that only a gateway
// gives; "" where the cause's own says enough.
func gatewayHint(r request, resp *http.Response) string {
	if hint := pageHint(r, resp, nil); hint != "" {
		return hint
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return "Something in front of Tableau, such as a proxy, asks for a sign-in of its own. Ask the administrator for the address at which Tableau's REST API can be reached without it."
	case http.StatusForbidden:
		return "Something in front of Tableau, such as a firewall, refuses vizpost. Ask the administrator to let it through to Tableau's REST API."
	}
	return ""
}

// quotable gives what may be told to people of a text that is not Tableau's: one
// short line without secrets, and nothing where it repeats an address that was
// called, with its filters.
func (r request) quotable(text string) string {
	for _, mark := range []string{"://", "/api/", filterQueryKey} {
		if strings.Contains(text, mark) {
			return ""
		}
	}
	return bounded(text, maxTitle, append(slices.Clone(r.redact), r.token.Reveal())...)
}

// proxyOf names the proxy that answered, from headers that only a proxy sets;
// "" if there are none.
func proxyOf(resp *http.Response) string {
	if resp.Header.Get("X-Squid-Error") != "" {
		return "Squid"
	}
	if via := resp.Header.Get("Via"); via != "" {
		return via
	}
	return ""
}

// looksLikeMarkup reports whether an answer is a web page or other text that no
// part of the REST API gives.
func looksLikeMarkup(resp *http.Response, body []byte) bool {
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && (mediaType == "text/html" || mediaType == "application/xhtml+xml" || mediaType == "text/plain") {
		return true
	}
	return bytes.HasPrefix(trimStart(body), []byte("<"))
}

// trimStart drops a byte order mark and white space.
func trimStart(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\uFEFF")), " \t\r\n")
}
