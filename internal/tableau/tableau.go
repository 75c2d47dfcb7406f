// Package tableau is a client of Tableau's REST API, for Tableau Server and
// Tableau Cloud: sign in, find what is to be exported, and export it. Whether
// its filters were applied is for the package verify to say.
//
// # Use
//
//	client, err := tableau.NewClient("https://10ay.online.tableau.com", tableau.Options{
//		Transport: outbound.NewTransport(policy),
//	})
//	session, err := client.SignIn(ctx, credential, "acme")
//	address, err := tableau.ParseAddress("https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview?Region=West")
//	target, err := client.Resolve(ctx, session, address)
//	request := tableau.ExportRequest{ViewID: target.View.ID, Format: tableau.PDF, Filters: address.Filters}
//	info, err := client.Export(ctx, session, request, file)
//	err = client.SignOut(ctx, session)
//
// The example runs the same against the stand-in of the package tableautest.
//
// A [Client] knows one server and holds no session: a [Session] is a value that
// the caller keeps, shares and stores. That is because a personal access token
// has one session at a time: signing in again with the same token ends the
// session before, for everyone who uses it. Whoever owns the credential decides
// when to sign in.
//
// # Calls
//
//	server and session  ServerInfo, SignIn, SignOut, User, AccessTokens
//	what there is       Session.Supports, ExportRequest.Validate: without a request
//	from an address     ParseAddress, Resolve; the way back is ViewURL
//	views               Views, AllViews, FindView
//	custom views        CustomView, CustomViews, FindCustomView
//	workbooks           Workbooks, FindWorkbook, FindWorkbookPage, WorkbookViews
//	files               Export: png, svg, pdf, csv, xlsx, pptx
//	thumbnails          PreviewImage, WorkbookPreviewImage
//
// # Versions
//
// A session speaks the newest version of the REST API that both sides know, from
// 2.8 (Tableau 10.5) to 3.29 (Tableau 2026.2); signing in with a personal access
// token needs 3.6 (2019.4). What a call, a format or an option needs beyond that
// is said where it is described. Below it the call fails with the cause
// [NotSupported] and a message that names the release, and nothing is sent, since
// Tableau ignores most of what it does not know. [Session.Supports] tells before.
// A combination that no version has, such as filters on a PowerPoint, is refused
// by [ExportRequest.Validate].
//
// # Errors
//
// A call fails with an [*Error]. Its Cause is what to decide by, Retry and
// RetryOnce say whether the same call may succeed later, RetryAfter how long
// Tableau asks to wait, and Message is the text for people. No call retries
// anything by itself; each makes the HTTP requests that its comment names and no
// more. An error holds no secret and no URL. [Error] has an example of a caller.
//
//	401001 at sign-in                    never again: repeated tries lock the account
//	401000, 401002                       sign in anew, once, then again
//	429                                  later, after RetryAfter where it is set
//	5xx, broken connections, timeouts,
//	answers that break off, cannot be
//	read or lack the file, and pages
//	of a gateway during a session        later
//	failed renderings and look-ups
//	(400023, 400048, 400050, 400052,
//	400053, 400074, 400080, 400081,
//	400082, 400101, 400126, 400128)      once
//	all others                           not without a change
//
// A call names the causes that are its own. Beside them every call can find that
// nothing answers ([Unreachable], [Blocked], [Certificate]) or something else
// does ([NotTableau], [Unknown]), that the answer is late, too long or cut
// ([Timeout], [TooLarge], [Truncated]), that its context has ended
// ([Interrupted]), and that Tableau has no time or fails ([TooManyRequests],
// [ServerError]); with a session also that the session is over or its user may
// not do this ([SessionEnded], [NotPermitted], [SiteNotFound]).
//
// Arguments that are wrong are a problem.Error with the names of the fields.
//
// # Network
//
// Requests go where the transport of the package outbound lets them, through its
// proxy and by its certificate authorities. A redirect is followed by
// [Client.SignIn] and [Client.ServerInfo] alone, and a credential is posted again
// only by https, to the same host or a pod of Tableau Cloud; the session then
// stays there. A call ends after [Options].CallTimeout, an export after
// ExportTimeout, and one whose answer does not begin after ResponseHeaderTimeout.
//
// # Limits
//
// Of the client: 4 MiB of an answer after unpacking, 64 KiB of an error, 16 MiB
// of a thumbnail, [Options].MaxExportBytes of an export, which streams through
// 128 KB; pages of 1000 items, and of a whole list 2000 pages, 200,000 items and
// 64 MiB of their text; 4096 bytes of one text, the rest of which is cut; 5
// redirects in a row; 50 fields, 100 combinations of values and 6000 bytes of
// filters; 10,000 pixels a side.
//
// Of Tableau, for the caller to keep: 20 exports at once on a site of Tableau
// Cloud, where the next is answered with 429; one session of a personal access
// token, which lasts about two hours on Tableau Cloud and four on Tableau Server;
// nine refused sign-ins, after which an account is locked.
//
// Source for what is said of Tableau here: the Tableau REST API reference for
// version 3.29.
package tableau

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Options of a [Client]. Only Transport is required.
type Options struct {
	// Transport carries the requests; it comes from the outbound package, whose
	// guard lives in it.
	Transport http.RoundTripper

	// AllowPlainHTTP reports whether credentials may go unencrypted to a host
	// (a name or IP address without port). nil means to no host. A server URL
	// with http:// of another host is called by https://.
	AllowPlainHTTP func(host string) bool

	APIVersion            string           // highest version of the REST API to speak; "" means "3.29"
	CallTimeout           time.Duration    // of one short request: sign-in, lists; 0 means 20 s
	ExportTimeout         time.Duration    // of a whole export; 0 means 30 min, as Tableau gives a view's subscription
	ResponseHeaderTimeout time.Duration    // of an export until its first byte: the rendering; 0 means ExportTimeout
	MaxExportBytes        int64            // of one export; 0 means 512 MiB
	UserAgent             string           // "" means "vizpost"
	Now                   func() time.Time // for a Retry-After that is a date; nil means time.Now
}

// Client speaks to one server. It is safe for concurrent use and holds no
// session.
type Client struct {
	base     string // "https://host[:port]"
	upgraded bool   // from http://
	options  Options
}

const (
	defaultCallTimeout    = 20 * time.Second
	defaultMaxExportBytes = 512 << 20

	// DefaultExportTimeout is how long an export may take.
	DefaultExportTimeout = 30 * time.Minute
)

// NewClient makes a client of the server at an address, in any form that
// [NormalizeServerURL] takes. An address that cannot be used is a
// problem.Error about the field "server_url". Nothing is sent.
//
// Where http:// was typed and plain http is not allowed for the host, the client
// uses https://, which most servers that people reach by http lead on to.
func NewClient(serverURL string, o Options) (*Client, error) {
	base, _, err := NormalizeServerURL(serverURL)
	if err != nil {
		return nil, err
	}
	if o.AllowPlainHTTP == nil {
		o.AllowPlainHTTP = func(string) bool { return false }
	}
	upgraded := !plainAllowed(base, o.AllowPlainHTTP)
	if upgraded {
		if base, _, err = NormalizeServerURL("https" + strings.TrimPrefix(base, "http")); err != nil {
			return nil, err
		}
	}
	if o.APIVersion == "" {
		o.APIVersion = newestVersion
	}
	if _, _, ok := parseVersion(o.APIVersion); !ok || compareVersions(o.APIVersion, oldestVersion) < 0 {
		return nil, fmt.Errorf("making a Tableau client: %q is no version of the REST API from %s on, such as %s", o.APIVersion, oldestVersion, newestVersion)
	}
	if o.Transport == nil {
		return nil, errors.New("making a Tableau client: it needs a Transport")
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = defaultCallTimeout
	}
	if o.ExportTimeout <= 0 {
		o.ExportTimeout = DefaultExportTimeout
	}
	if o.ResponseHeaderTimeout <= 0 {
		o.ResponseHeaderTimeout = o.ExportTimeout
	}
	if o.MaxExportBytes <= 0 {
		o.MaxExportBytes = defaultMaxExportBytes
	}
	if o.UserAgent == "" {
		o.UserAgent = "vizpost"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{base: base, upgraded: upgraded, options: o}, nil
}

// ServerURL gives the server's address as the client calls it, such as
// "https://10ay.online.tableau.com": with https:// where that replaced http://.
func (c *Client) ServerURL() string { return c.base }
