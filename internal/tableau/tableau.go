// Package tableau is a client of Tableau's REST API, for Tableau Server and
// Tableau Cloud: sign in, find views, export them.
//
// # Use
//
//	client, err := tableau.NewClient("https://10ay.online.tableau.com", tableau.Options{
//		Transport: outbound.NewTransport(policy),
//	})
//	session, err := client.SignIn(ctx, credential, "acme")
//	view, err := client.FindView(ctx, session, "Superstore/sheets/Overview")
//	info, err := client.Export(ctx, session, tableau.ExportRequest{ViewID: view.ID, Format: tableau.PDF}, file)
//
// A [Client] knows one server and holds no session: a [Session] is a value that
// the caller keeps, shares and stores. That is because a personal access token
// has one session at a time: signing in again with the same token ends the
// session before, for everyone who uses it. Whoever owns the credential decides
// when to sign in.
//
// # Errors
//
// A call fails with an [*Error]. Its Cause is what to decide by, Retry says
// whether the same call may succeed later, and Message is the text for people.
// No call retries anything by itself; each makes the HTTP requests that its
// comment names and no more. An error holds no secret and no URL.
//
// # Addresses that people paste
//
// [ParseAddress] understands the forms in which people copy a view's address,
// [NormalizeServerURL] those of a server's. [ViewURL] is the way back.
//
// Source for what is said of Tableau here: the Tableau REST API reference for
// version 3.29.
package tableau

import (
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

	APIVersion            string        // highest version of the REST API to speak; "" means "3.29"
	CallTimeout           time.Duration // of one short request: sign-in, lists; 0 means 20 s
	ExportTimeout         time.Duration // of a whole export; 0 means 10 min
	ResponseHeaderTimeout time.Duration // of an export until its first byte: the rendering; 0 means 5 min
	MaxExportBytes        int64         // of one export; 0 means 512 MiB
	UserAgent             string        // "" means "vizpost"
	Now                   func() time.Time
}

// Client speaks to one server. It is safe for concurrent use and holds no
// session.
type Client struct {
	base     string // "https://host[:port]"
	upgraded bool   // from http://
	options  Options
}

const (
	defaultCallTimeout           = 20 * time.Second
	defaultExportTimeout         = 10 * time.Minute
	defaultResponseHeaderTimeout = 5 * time.Minute
	defaultMaxExportBytes        = 512 << 20
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
	if _, _, ok := parseVersion(o.APIVersion); !ok {
		return nil, fmt.Errorf("making a Tableau client: %q is no version of the REST API, such as %s", o.APIVersion, newestVersion)
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = defaultCallTimeout
	}
	if o.ExportTimeout <= 0 {
		o.ExportTimeout = defaultExportTimeout
	}
	if o.ResponseHeaderTimeout <= 0 {
		o.ResponseHeaderTimeout = defaultResponseHeaderTimeout
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
