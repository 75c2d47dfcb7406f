package tableau

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/problem"
)

// Address is what an address that people paste says.
type Address struct {
	ServerURL string // "https://host[:port]"; "" when the address names no server
	Site      string // the site's slug; "" is the default site, if SiteKnown

	// SiteKnown says whether the address names the site. Without it the site is
	// that of the connection: for a bare content URL, and on Tableau Cloud, which
	// has no default site.
	SiteKnown bool

	ContentURL         string   // of the view, such as "Superstore/sheets/Overview"; "" when only a workbook is named
	WorkbookContentURL string   // of the workbook, such as "Superstore"; "" when its page's number is all there is
	WorkbookNumber     string   // of the workbook's page, such as "10222"; "" if none. The REST API does not know it: see [Client.Resolve]
	Filters            []Filter // that the address carries
	CustomView         string   // its id, or "user/name" in older addresses; "" if none
	FormatHint         Format   // the format that the address asks for; "" if none
}

// The most that is read of a pasted address and of a name in it, in bytes.
const (
	maxAddress = 8 << 10
	maxName    = 512
)

// ParseAddress reads the address of a view or workbook in the forms in which
// people copy it: from the browser, from Tableau's share dialog, from an embed
// code, with or without server, or the content URL itself.
//
//	…/#/site/acme/views/Superstore/Overview?:iid=1   also without #, or /site/acme for the default site
//	…/t/acme/views/Superstore/Overview?Region=West   filters are kept, options such as :embed are not
//	…/views/Superstore/Overview.png                  the end is a hint at a format, as is :format=pdf
//	…/views/Superstore/Overview/3fa85f64-…/MyView    a custom view, by its id
//	…/views/Superstore/Overview/jsmith/MyView        a custom view, by its owner and name
//	…/trusted/TICKET/t/acme/views/…                  the one-time ticket is dropped
//	…/#/site/acme/authoring/Superstore/Overview      a view that is being edited
//	…/#/site/acme/workbooks/10222/views              a workbook, by the number of its page
//	…/t/acme/workbooks/Superstore.twbx               a workbook, by its content URL
//	Superstore/sheets/Overview, Superstore/Overview  the content URL
//
// Names are decoded once. The error is a [*problem.Error] about the field "view"
// that says what to paste instead: for pages of projects, addresses by a number
// that the REST API does not know, Tableau Public, and what is no address.
// Source: Tableau Help on the structure of embed code, and the addresses that
// Tableau's pages have.
func ParseAddress(s string) (Address, error) {
	parts, message := splitAddress(s, false)
	if message == "" {
		var a Address
		if a, message = parts.address(); message == "" {
			return a, nil
		}
	}
	return Address{}, problem.InvalidField("view", message)
}

// ViewURL gives the address at which a person opens a view. Site "" is the
// default site.
func ViewURL(serverURL, site, contentURL string) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(serverURL, "/"))
	b.WriteString("/#")
	if site != "" {
		b.WriteString("/site/" + url.PathEscape(site))
	}
	b.WriteString("/views")
	workbook, sheet, ok := splitContentURL(contentURL)
	if !ok {
		workbook, sheet = contentURL, ""
	}
	b.WriteString("/" + url.PathEscape(workbook))
	if sheet != "" {
		b.WriteString("/" + url.PathEscape(sheet))
	}
	return b.String()
}

// FilteredURL gives the address of a view, as of [ViewURL], with filters and
// parameters: the view opens with them. Source: Tableau Help, "Using Custom
// Queries" and "Pass Parameters and Filters in a URL": fields are combined, and
// the values of one are separated by commas.
func FilteredURL(address string, filters []Filter) string {
	if address == "" || len(filters) == 0 {
		return address
	}
	parts := make([]string, len(filters))
	for i, f := range filters {
		values := make([]string, len(f.Values))
		for j, v := range f.Values {
			values[j] = escapeQuery(escapeValue(v))
		}
		parts[i] = escapeQuery(strings.TrimPrefix(f.Field, parameterPrefix)) + "=" + strings.Join(values, filterSeparator)
	}
	return address + "?" + strings.Join(parts, "&")
}

// OwnURL gives an address that an answer held as one of the server itself, so
// that people may be sent there, and "" where it names another host or port, or
// is no web address. A server behind a proxy may say http where it is reached by
// https.
func OwnURL(address, serverURL string) string {
	a, err := url.Parse(address)
	if err != nil || a.User != nil || a.Scheme != "http" && a.Scheme != "https" {
		return ""
	}
	s, err := url.Parse(serverURL)
	if err != nil || s.Host == "" || !strings.EqualFold(a.Hostname(), s.Hostname()) {
		return ""
	}
	usual := func(u *url.URL) bool {
		return u.Port() == map[string]string{"http": "80", "https": "443"}[u.Scheme] || u.Port() == ""
	}
	if a.Port() != s.Port() && (!usual(a) || !usual(s)) {
		return ""
	}
	a.Scheme, a.Host = s.Scheme, s.Host
	return a.String()
}

// splitContentURL splits "Wb/sheets/Sheet" or "Wb/Sheet".
func splitContentURL(s string) (workbook, sheet string, ok bool) {
	parts := strings.Split(s, "/")
	if len(parts) == 3 && parts[1] == "sheets" {
		parts = []string{parts[0], parts[2]}
	}
	if len(parts) != 2 || slices.ContainsFunc(parts, func(name string) bool { return name == "" || name == "." || name == ".." }) {
		return "", "", false
	}
	return parts[0], parts[1], true
}

// What is told about addresses that cannot be used.
const (
	msgEmptyAddress  = "Paste the address of a view, as the browser shows it."
	msgEmptyServer   = "Enter the address of your Tableau server, such as https://10ay.online.tableau.com."
	msgBadServer     = "This is not the address of a server. Enter it as the browser shows it, such as https://tableau.example.com."
	msgBadScheme     = "The address must begin with https://."
	msgUserInfo      = "The address holds a user name or password. Leave that out."
	msgPublic        = "Tableau Public has no REST API, so vizpost cannot export from it. Use a view on Tableau Cloud or Tableau Server."
	msgTooLong       = "The address is too long."
	msgNoView        = "This is not the address of a view. Open the view in Tableau and copy the address from the browser; it has /views/ in it."
	msgProjectPage   = "This is the address of a project or an overview page. Open a view in it and copy the address from the browser."
	msgRedirectPage  = "This address leads on to a view by a number that Tableau's REST API does not know. Open it and copy the address that the browser shows then."
	msgEscaped       = "The address was changed on its way here: it holds parts of a web page's code, such as &amp;, so its filters cannot be told for sure. Copy it again from the browser, or enter the filters themselves."
	msgBracket       = "The address ends with a bracket that is not opened in it, which may belong to the text around it. Paste the address alone."
	msgBadCharacters = "The address has characters that no address of Tableau has. Copy it again from the browser."
)

// addressParts is an address taken apart, before its path is understood.
type addressParts struct {
	server   string   // "" when the address has none
	segments []string // of the path, decoded, without empty ones
	query    string   // raw
}

var (
	schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	uuidPattern   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// splitAddress takes an address apart. With wantServer it must name a server.
// The second result says what is wrong, and is empty if nothing is.
func splitAddress(s string, wantServer bool) (addressParts, string) {
	s, message := unwrap(s)
	if message != "" {
		return addressParts{}, message
	}
	switch {
	case s == "" && wantServer:
		return addressParts{}, msgEmptyServer
	case s == "":
		return addressParts{}, msgEmptyAddress
	case len(s) > maxAddress:
		return addressParts{}, msgTooLong
	case !isLine(s):
		return addressParts{}, msgBadCharacters
	}

	var (
		parts addressParts
		rest  = s
	)
	switch {
	case schemePattern.MatchString(s):
		scheme, after, _ := strings.Cut(s, "://")
		scheme = strings.ToLower(scheme)
		if scheme != "http" && scheme != "https" {
			return addressParts{}, msgBadScheme
		}
		var message string
		if parts.server, rest, message = cutServer(scheme, after); message != "" {
			return addressParts{}, message
		}
	case wantServer || startsWithHost(s):
		var message string
		if parts.server, rest, message = cutServer("https", strings.TrimLeft(s, "/")); message != "" {
			return addressParts{}, message
		}
	}

	// Tableau's pages have path and query in the fragment; a fragment of
	// another form is the state of an embedded view. Some mail programs encode
	// its sign.
	if page, encoded := strings.CutPrefix(rest, "/%23/"); encoded {
		rest = "/#/" + page
	}
	path, fragment, _ := strings.Cut(rest, "#")
	if strings.HasPrefix(fragment, "/") {
		path, _, _ = strings.Cut(fragment, "#")
	}
	path, parts.query, _ = strings.Cut(path, "?")
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" {
			continue
		}
		if isCustomView(parts.segments) {
			break // its name follows, which may be anything
		}
		segment = unescape(segment, false)
		if segment == "" || segment == "." || segment == ".." || strings.Contains(segment, "/") || !isLine(segment) {
			return addressParts{}, msgBadCharacters
		}
		if len(segment) > maxName {
			return addressParts{}, msgTooLong
		}
		parts.segments = append(parts.segments, segment)
	}
	return parts, ""
}

// isCustomView reports whether a path names a custom view by its id, which is
// all that is read of one.
func isCustomView(segments []string) bool {
	_, names, known := cutSite(segments)
	if len(names) > 0 && (names[0] == "views" || names[0] == "authoring") {
		names = names[1:]
	} else if known {
		return false
	}
	if len(names) >= 3 && names[1] == "sheets" {
		names = names[1:]
	}
	return len(names) == 3 && uuidPattern.MatchString(names[2])
}

// startsWithHost reports whether an address without scheme begins with a host:
// the first part looks like one, and what follows is one of Tableau's paths.
func startsWithHost(s string) bool {
	end := strings.IndexAny(s, "/?#")
	if end < 0 {
		return false
	}
	first, rest := s[:end], strings.TrimLeft(s[end:], "/#")
	if !strings.Contains(first, ".") && !strings.Contains(first, ":") && first != "localhost" {
		return false
	}
	next, _, _ := strings.Cut(rest, "/")
	return slices.Contains([]string{"views", "t", "site", "workbooks", "authoring", "trusted"}, next)
}

// cutSite reads the site off the front of a path: /site/x or /t/x, after a
// ticket where there is one.
func cutSite(segments []string) (site string, rest []string, known bool) {
	if len(segments) >= 2 && segments[0] == "trusted" {
		segments = segments[2:]
	}
	if len(segments) >= 2 && (segments[0] == "site" || segments[0] == "t") {
		return segments[1], segments[2:], true
	}
	return "", segments, false
}

// address understands the path and the query.
func (p addressParts) address() (Address, string) {
	a := Address{ServerURL: p.server}
	site, segments, known := cutSite(p.segments)
	a.Site, a.SiteKnown = site, known
	if !known && p.server != "" {
		u, err := url.Parse(p.server)
		a.SiteKnown = err == nil && !isTableauCloud(u.Hostname())
	}
	var message string
	if a.Filters, a.FormatHint, message = parseQuery(p.query); message != "" {
		return Address{}, message
	}

	if len(segments) == 0 {
		return Address{}, msgNoView
	}
	kind, names := segments[0], segments[1:]
	bare := p.server == "" && !known
	// "views/sheets/Overview" is a content URL, "views/Superstore/Overview" a
	// path.
	if bare && (len(segments) == 2 && kind != "workbooks" || len(segments) >= 3 && segments[1] == "sheets") {
		kind, names = "views", segments
	}
	switch kind {
	case "views", "authoring":
		return a.view(names)
	case "workbooks":
		return a.workbook(names)
	case "redirect_to_view":
		return Address{}, msgRedirectPage
	case "projects", "explore", "home", "favorites", "recents", "recommendations", "datasources", "collections":
		return Address{}, msgProjectPage
	}
	if bare && len(segments) == 3 && uuidPattern.MatchString(segments[2]) {
		return a.view(segments)
	}
	return Address{}, msgNoView
}

// view reads Workbook/Sheet, or Workbook/sheets/Sheet, with a custom view after
// it.
func (a Address) view(names []string) (Address, string) {
	if len(names) >= 3 && names[1] == "sheets" {
		names = slices.Concat(names[:1], names[2:])
	}
	if len(names) < 2 {
		return Address{}, msgNoView
	}
	workbook, sheet, custom := names[0], names[1], names[2:]
	if base, format := cutFormat(sheet, PNG, PDF, CSV); format != "" {
		sheet, a.FormatHint = base, format
	}
	a.WorkbookContentURL = workbook
	a.ContentURL = workbook + "/sheets/" + sheet
	switch {
	case len(custom) == 0:
	case uuidPattern.MatchString(custom[0]):
		a.CustomView = strings.ToLower(custom[0])
	case len(custom) >= 2:
		a.CustomView = custom[0] + "/" + custom[1]
	default:
		return Address{}, msgNoView
	}
	return a, ""
}

// workbook reads Workbook.twb or .twbx, or the number of a workbook's page with
// the name of a tab of that page after it.
func (a Address) workbook(names []string) (Address, string) {
	if len(names) == 0 {
		return Address{}, msgProjectPage
	}
	if isNumber(names[0]) {
		a.WorkbookNumber = names[0]
		return a, ""
	}
	name, format := cutFormat(names[0], "twbx", "twb")
	if format == "" || len(names) > 1 {
		return Address{}, msgNoView
	}
	a.WorkbookContentURL = name
	return a, ""
}

// cutFormat cuts a suffix such as ".png" off a name.
func cutFormat(name string, formats ...Format) (string, Format) {
	for _, format := range formats {
		dot := len(name) - len(format) - 1
		if dot > 0 && name[dot] == '.' && strings.EqualFold(name[dot+1:], string(format)) {
			return name[:dot], format
		}
	}
	return name, ""
}

// parseQuery reads the filters of an address. Keys that begin with a colon are
// options of the display. The message says why the filters cannot be told for
// sure, and is empty where they can: none is left out and none is made up.
func parseQuery(query string) (filters []Filter, format Format, message string) {
	if endsOpen(query) {
		return nil, "", msgBracket
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		more := strings.Contains(value, "=") // that is not encoded
		key, value = unescape(key, true), unescape(value, true)
		switch {
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			return nil, "", msgBadCharacters
		case entityRest.MatchString(key), more && (strings.HasPrefix(key, ":") || swallowedKey.MatchString(value)):
			return nil, "", msgEscaped
		}
		key = strings.TrimPrefix(key, filterQueryKey) // of an address of the REST API
		if key == ":format" {
			switch f := Format(strings.ToLower(value)); f {
			case PNG, PDF, CSV, XLSX:
				format = f
			}
		}
		if key == "" || value == "" || strings.HasPrefix(key, ":") {
			continue
		}
		values := slices.DeleteFunc(splitValues(value), func(v string) bool { return v == "" })
		if len(values) == 0 {
			continue
		}
		if i := slices.IndexFunc(filters, func(f Filter) bool { return f.Field == key }); i >= 0 {
			filters[i].Values = append(filters[i].Values, values...)
			continue
		}
		filters = append(filters, Filter{Field: key, Values: values})
	}
	return filters, format, ""
}

// unescape decodes what is percent-encoded in a part of an address. A stray
// percent sign stays as it is. In a query, + is a space.
func unescape(s string, query bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil && s[i+1] != '+' && s[i+1] != '-' {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		if query && s[i] == '+' {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
