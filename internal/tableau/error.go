package tableau

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/outbound"
)

// Cause is what vizpost decides by. The values are stable: they are stored and
// shown by the API.
type Cause string

// The causes, with the answers that mean them.
const (
	CredentialsRejected   Cause = "credentials_rejected"    // 401001: never to be retried, repeated tries lock the account
	SessionEnded          Cause = "session_ended"           // 401000, 401002: sign in anew
	MalformedRequest      Cause = "malformed_request"       // the request was not understood: 400000 and 401009 at sign-in, 405000, 406000
	BadParameter          Cause = "bad_parameter"           // 400000, 400006-10, 400065, 400066: an option or filter that Tableau refuses
	ViewNotFound          Cause = "view_not_found"          // 404011, and 404006 where a view was asked for
	WorkbookNotFound      Cause = "workbook_not_found"      // 404006
	CustomViewNotFound    Cause = "custom_view_not_found"   // 404048, and 404006, 404008 and 404011 where a custom view was asked for
	SiteNotFound          Cause = "site_not_found"          // 404000
	UserNotFound          Cause = "user_not_found"          // 404002
	NotPermitted          Cause = "not_permitted"           // 403: the user may not do this
	ExportDisabled        Cause = "export_disabled"         // 403068, 403072, 403075, 403134, 403157 …: switched off by an administrator
	NotSupported          Cause = "not_supported"           // 404001, 404003, 404008, or a server older than what is asked for
	TooManyRequests       Cause = "too_many_requests"       // 429
	RenderFailed          Cause = "render_failed"           // 400048, 400052, 400074, 400080, 400081, 400082, 400101, 400126: worth one more try
	NoData                Cause = "no_data"                 // 400083, 400130: the view is empty
	DataSourceCredentials Cause = "data_source_credentials" // Tableau cannot sign in to the view's own data source
	ServerError           Cause = "server_error"            // 5xx, a connection that Tableau dropped before it answered, or 400023, 400050, 400053, 400128: worth one more try
	Unreachable           Cause = "unreachable"             // no such host, refused, or no connection in time
	Timeout               Cause = "timeout"                 // connected, but no whole answer in time
	Interrupted           Cause = "interrupted"             // the caller cancelled the call
	Certificate           Cause = "certificate"             // TLS: the server's certificate or encryption is not acceptable
	NotTableau            Cause = "not_tableau"             // a web page, a sign-in page or a proxy answered
	Blocked               Cause = "blocked"                 // the address is one that vizpost does not go to
	Truncated             Cause = "truncated"               // the answer broke off
	TooLarge              Cause = "too_large"               // the answer is larger than the client takes
	Unknown               Cause = "unknown"                 // an answer that fits none of these
)

// Error is the failure of a call. Every error of a [Client]'s calls is one,
// except a failing writer that the caller gave (see [Client.Export]) and wrong
// arguments.
type Error struct {
	Op      string // what was being done, such as "sign in" or "export view"
	Status  int    // HTTP status; 0 when there was no answer
	Code    string // Tableau's code, such as "401002"; "" if there was none
	Summary string // Tableau's own words, bounded; they may be in the server's language
	Detail  string // Tableau's own words, bounded; may name internals of Tableau
	Cause   Cause

	// Retry says that the same call may succeed later, unchanged. RetryOnce
	// narrows it to a single further try. RetryAfter is what Tableau asked to
	// wait, 0 if it did not say.
	Retry      bool
	RetryOnce  bool
	RetryAfter time.Duration

	// Limit is how long the client waits for an export, where one took all of
	// that time; else 0.
	Limit time.Duration

	Err error // the cause in the transport, without the URL that was called; may be nil

	hint string // replaces the message of the cause, where more is known
}

// Error gives the text for logs. It holds no secret, and no URL with its filters.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.Cause)
	switch {
	case e.Code != "":
		fmt.Fprintf(&b, ": Tableau answered %s", e.Code)
	case e.Status != 0:
		fmt.Fprintf(&b, ": HTTP status %d", e.Status)
	}
	for _, text := range []string{e.Summary, e.Detail} {
		if text != "" {
			fmt.Fprintf(&b, ": %s", text)
		}
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause in the transport.
func (e *Error) Unwrap() error { return e.Err }

// Message says to people what happened and what to do next.
func (e *Error) Message() string {
	if e.hint != "" {
		return e.hint
	}
	if message, ok := messages[e.Cause]; ok {
		return message
	}
	if e.Summary != "" {
		return fmt.Sprintf("Tableau answered with an error that vizpost does not know: %s (%s).", strings.TrimSuffix(e.Summary, "."), e.Code)
	}
	return "Tableau gave an answer that vizpost cannot read. Try again; if it stays so, check that the server address is right."
}

var messages = map[Cause]string{
	CredentialsRejected:   "Tableau did not accept these credentials for this site. Check the token name and its secret (or the user name and password) and the site. A token that has expired or was revoked gets the same answer, and so does a password where multi-factor or single sign-on is required: use a personal access token there.",
	SessionEnded:          "Tableau ended the session. This happens when the same token signs in elsewhere; vizpost signs in again by itself.",
	MalformedRequest:      "Tableau did not understand the request. Check that the server address begins with https:// and, on Tableau Cloud, names your pod, such as https://10ay.online.tableau.com.",
	BadParameter:          "Tableau refused one of the options or filters. Check their names and values.",
	ViewNotFound:          "The view does not exist on this site, or this user may not see it. Open it in Tableau, copy its address again, and check that the user has permission to view it.",
	WorkbookNotFound:      "The workbook does not exist on this site, or this user may not see it. Check its address and the user's permissions.",
	CustomViewNotFound:    "The custom view does not exist on this site, or this user may not see it. Open it in Tableau, copy its address again, and check that its owner shares it.",
	SiteNotFound:          "The site does not exist on this server, or this user may not see it. Check the site in the connection.",
	UserNotFound:          "Tableau does not know this user on the site.",
	NotPermitted:          "The Tableau user of this connection may not do this. Ask the content's owner for permission to view the content and to download its image, PDF and data.",
	ExportDisabled:        "This kind of export is switched off on the Tableau server. Choose another format, or ask the Tableau administrator to allow it.",
	NotSupported:          "The Tableau server is too old for this. Choose another format, or ask the administrator to upgrade it.",
	TooManyRequests:       "Tableau is busy with too many requests at once. vizpost tries again later.",
	RenderFailed:          "Tableau could not render the view. Open it in Tableau and check that it loads without an error; if it does, try again.",
	NoData:                "The view has no data to export. Check its filters.",
	DataSourceCredentials: "Tableau cannot sign in to a data source of the view, since no working credentials are embedded in it. In Tableau open the workbook and its tab Data Sources (or the published data source), choose Edit Connection of each connection that asks for a password, and set the password to be embedded in the connection; where it signs in with OAuth, embed saved credentials. Then run the report again.",
	ServerError:           "Tableau had an internal error or was interrupted. Try again later; if it stays so, tell the Tableau administrator.",
	Unreachable:           "The Tableau server cannot be reached. Check the server address, and that the server runs and can be reached from where vizpost runs.",
	Timeout:               "Tableau did not answer in time. Try again; if a view takes this long in the browser too, ask its author to make it faster.",
	Interrupted:           "The call to Tableau was stopped before it was done.",
	Certificate:           "No secure connection to the Tableau server could be made, since its certificate is not valid for this address or comes from an unknown authority. Ask the Tableau administrator to install a valid certificate with its whole chain.",
	NotTableau:            "What answers at this address is not Tableau's REST API but a web page, perhaps a sign-in page or a proxy. Use the address that you see in the browser when you are signed in to Tableau.",
	Blocked:               "This address is one that vizpost does not connect to.",
	Truncated:             "Tableau's answer broke off before it was complete. Try again.",
	TooLarge:              "Tableau's answer is larger than vizpost takes. Export a smaller view, or filter it.",
}

// codeCauses maps Tableau's codes. Source: Tableau REST API reference, "Handling
// errors" and the error table of each method.
var codeCauses = map[string]Cause{
	"400006": BadParameter, "400007": BadParameter, "400008": BadParameter, "400010": BadParameter,
	"400065": BadParameter, "400066": BadParameter, "403014": BadParameter,
	"400048": RenderFailed, "400052": RenderFailed, "400074": RenderFailed, "400080": RenderFailed,
	"400081": RenderFailed, "400082": RenderFailed, "400101": RenderFailed, "400126": RenderFailed,
	"400083": NoData, "400130": NoData,
	"400023": ServerError, "400050": ServerError, "400053": ServerError, "400128": ServerError,
	"401000": SessionEnded, "401002": SessionEnded, "401009": MalformedRequest,
	"403037": NotSupported, "403144": NotSupported,
	"403068": ExportDisabled, "403072": ExportDisabled, "403075": ExportDisabled, "403105": ExportDisabled,
	"403128": ExportDisabled, "403134": ExportDisabled, "403157": ExportDisabled,
	"404000": SiteNotFound, "404002": UserNotFound, "404006": WorkbookNotFound, "404011": ViewNotFound,
	"404001": NotSupported, "404003": NotSupported, "404008": NotSupported, "404048": CustomViewNotFound,
	"405000": MalformedRequest, "406000": MalformedRequest, "408000": Timeout,
}

// classify sets the cause and the retry advice of an answer with an error.
func (e *Error) classify() {
	e.Cause = e.causeOfAnswer()
	if e.Code == "403162" {
		e.hint = "This custom view belongs to somebody else, who does not share it with the Tableau user of this connection. Ask its owner to share it, or use the published view with filters."
	}
	switch e.Cause {
	case RenderFailed:
		e.Retry, e.RetryOnce = true, true
	case ServerError:
		e.Retry, e.RetryOnce = true, e.Status < 500
	case TooManyRequests, SessionEnded, Timeout:
		e.Retry = true
	}
}

func (e *Error) causeOfAnswer() Cause {
	signIn := e.Op == opSignIn
	customView := e.Op == opExportCustomView || e.Op == opFindCustomView
	// A class of its own before the table: the same code stands for a failed
	// rendering and for a data source that cannot be opened.
	switch cause := codeCauses[e.Code]; {
	case (cause == RenderFailed || cause == NoData) && dataSourceFailed(e.Detail):
		return DataSourceCredentials
	case customView && (cause == WorkbookNotFound || cause == ViewNotFound || e.Code == "404008"):
		// The reference gives 404008 for a custom view that is not there; that
		// the version has them has been checked before.
		return CustomViewNotFound
	case cause == WorkbookNotFound && (e.Op == opExport || e.Op == opFindView || e.Op == opPreview):
		return ViewNotFound
	case signIn && e.Status == http.StatusUnauthorized && cause != MalformedRequest:
		return CredentialsRejected
	case cause != "":
		return cause
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		return SessionEnded
	case e.Status == http.StatusBadRequest && (signIn || e.Op == opSignOut):
		return MalformedRequest
	case e.Status == http.StatusBadRequest || e.Status == http.StatusRequestURITooLong || e.Status == http.StatusRequestEntityTooLarge:
		return BadParameter
	case e.Status == http.StatusForbidden:
		return NotPermitted
	case e.Status == http.StatusMethodNotAllowed:
		return MalformedRequest
	case e.Status == http.StatusRequestTimeout:
		return Timeout
	case e.Status == http.StatusTooManyRequests:
		return TooManyRequests
	case e.Status >= 500:
		return ServerError
	default:
		return Unknown
	}
}

// dataSourceFailed recognises the two exceptions that Tableau names when a
// view's data source refuses its credentials. They are class names and a fixed
// English text of the server, not among what is translated.
func dataSourceFailed(detail string) bool {
	detail = strings.ToLower(detail)
	return strings.Contains(detail, "data sources not connected") || strings.Contains(detail, "federateddatasourceexception")
}

// transportError makes the error of a call that got no answer, or only a part
// of one. ctx is the call's own; its cause tells the client's deadlines from
// the caller's.
func transportError(ctx context.Context, op string, err error) *Error {
	e := &Error{Op: op, Err: withoutAddress(err)}
	if ctx.Err() != nil {
		e.Err = context.Cause(ctx)
		if errors.Is(e.Err, context.DeadlineExceeded) {
			e.Cause, e.Retry = Timeout, true
			e.limited()
		} else {
			e.Cause, e.Retry = Interrupted, true
		}
		return e
	}

	var (
		blocked    *outbound.BlockedError
		proxy      *outbound.ProxyError
		untrusted  *tls.CertificateVerificationError
		authority  x509.UnknownAuthorityError
		record     tls.RecordHeaderError
		dns        *net.DNSError
		opError    *net.OpError
		netTimeout net.Error
	)
	switch {
	case errors.As(err, &blocked):
		e.Cause, e.hint = Blocked, blocked.Message()
	case errors.As(err, &proxy):
		e.Cause, e.Retry, e.hint = Unreachable, proxy.Temporary(), proxy.Message()
	case errors.As(err, &untrusted), errors.As(err, &authority):
		e.Cause, e.hint = Certificate, certificateHint(err)
	case errors.As(err, &record):
		e.Cause = NotTableau
		e.hint = "The server does not speak https at this address. Check the port in the server address."
	case strings.Contains(err.Error(), "tls: "):
		// The other failures of a handshake have no type, only this prefix.
		e.Cause = Certificate
		e.hint = "The Tableau server and vizpost could not agree on an encrypted connection (TLS 1.2 or later is needed). Ask the Tableau administrator to enable it."
	case errors.As(err, &dns):
		e.Cause, e.Retry = Unreachable, true
		if dns.IsNotFound {
			e.hint = "There is no server with this host name. Check the spelling of the server address."
		}
	case errors.As(err, &opError) && opError.Op == "proxyconnect":
		e.Cause, e.Retry = Unreachable, true
		e.hint = "The proxy that vizpost uses cannot be reached. Ask the administrator to check VIZPOST_PROXY_URL and that the proxy runs."
	case errors.As(err, &opError) && opError.Op == "dial":
		e.Cause, e.Retry = Unreachable, true
	case errors.As(err, &netTimeout) && netTimeout.Timeout():
		e.Cause, e.Retry = Timeout, true
	default: // connected, then reset, closed or something that is not HTTP
		e.Cause, e.Retry = ServerError, true
	}
	return e
}

// limited notes which limit an export met.
func (e *Error) limited() {
	var limit *limitError
	if !errors.As(e.Err, &limit) || e.Op != opExport && e.Op != opExportWorkbook && e.Op != opExportCustomView {
		return
	}
	e.Limit = limit.limit
	e.hint = fmt.Sprintf("Tableau took longer than %s for this export, which is the most that vizpost waits. "+
		"Have the view load faster, or filter it to fewer data. The administrator of vizpost can set another limit by VIZPOST_EXPORT_TIMEOUT (on AWS, the parameter ExportTimeout).", inWords(e.Limit))
}

// inWords writes a duration of whole minutes or seconds.
func inWords(d time.Duration) string {
	n, unit := int(d/time.Second), "second"
	if d >= time.Minute && d%time.Minute == 0 {
		n, unit = int(d/time.Minute), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// certificateHint says what is wrong with a certificate, where it is known.
func certificateHint(err error) string {
	var (
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &name):
		return "The certificate of the Tableau server is not for this host name. Enter the host name that the certificate is for, or ask the Tableau administrator to install a valid one."
	case errors.As(err, &authority):
		return "The certificate of the Tableau server comes from an authority that vizpost does not know, or its chain is not complete. Ask the Tableau administrator to install the whole chain; where your organisation has an authority of its own, ask the administrator of vizpost to set VIZPOST_CA_BUNDLE."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The certificate of the Tableau server has expired or is not valid yet. Ask the Tableau administrator to renew it."
	default:
		return ""
	}
}

// withoutAddress takes the url.Error, which prints the whole address with its
// filters, off an error.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

const (
	maxSummary = 200 // bytes
	maxDetail  = 500 // bytes
)

// bounded makes a text of Tableau fit for a log line: one line, valid UTF-8, of
// bounded length, without the given secrets.
func bounded(s string, limit int, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// maxRetryAfter bounds what a server may ask to wait.
const maxRetryAfter = 24 * time.Hour

// parseRetryAfter reads a Retry-After header: seconds or an HTTP date (RFC 9110,
// section 10.2.3). What it cannot read, or what has passed, is 0.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return min(max(time.Duration(min(seconds, int64(maxRetryAfter/time.Second)))*time.Second, 0), maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// asError finds the [*Error] in an error's chain.
func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

func isCause(err error, cause Cause) bool {
	e, ok := asError(err)
	return ok && e.Cause == cause
}
