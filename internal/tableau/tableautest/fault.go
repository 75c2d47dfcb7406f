package tableautest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kinds of faults.
const (
	// FaultError answers with Code, and with Summary and Detail where they are
	// given. Status, where given, differs from the code's.
	FaultError = "error"
	// FaultSessionEnded ends the session that the call came with and answers
	// 401002; all further calls with it fail too.
	FaultSessionEnded = "session_ended"
	// FaultTooMany answers 429, with Retry-After where it is given, in seconds or
	// as a date with AsDate, and as a web page with HTML.
	FaultTooMany = "too_many_requests"
	// FaultHTML answers with Status and a proxy's web page.
	FaultHTML = "html"
	// FaultLoginPage answers 200 and the sign-in page of a single sign-on.
	FaultLoginPage = "login_page"
	// FaultRedirect answers with Status, by default 301, and Location, to which
	// the call's path is added where it has none.
	FaultRedirect = "redirect"
	// FaultReset cuts the connection before there is an answer.
	FaultReset = "reset"
	// FaultHang does not answer until the client gives up.
	FaultHang = "hang"
	// FaultSlow spreads the body over Delay.
	FaultSlow = "slow"
	// FaultTruncated announces the whole body, sends half and cuts the
	// connection.
	FaultTruncated = "truncated"
	// FaultBlank sends a valid file without content: a picture of one colour, a
	// PDF with an empty page, an empty CSV, a workbook with an empty sheet.
	FaultBlank = "blank"
	// FaultSize sends a valid file of about Bytes.
	FaultSize = "size"
	// FaultNoCharset leaves the charset out of the Content-Type.
	FaultNoCharset = "no_charset"
)

// Fault makes some answers of a route go wrong. The zero values mean any route,
// any view, once, from the next call on.
type Fault struct {
	Kind string `json:"kind"`
	// Route is the name of a route as in [Stats], or "any", or "export" for all
	// exports.
	Route string `json:"route,omitempty"`
	// View limits the fault to one view, by id or content URL.
	View string `json:"view,omitempty"`
	// Times is how many answers go wrong, 1 by default; -1 is all.
	Times int `json:"times,omitempty"`
	// Skip is how many go right before.
	Skip int `json:"skip,omitempty"`

	Status     int      `json:"status,omitempty"`
	Code       int      `json:"code,omitempty"` // such as 403157
	Summary    string   `json:"summary,omitempty"`
	Detail     string   `json:"detail,omitempty"`
	RetryAfter Duration `json:"retry_after,omitzero"`
	AsDate     bool     `json:"as_date,omitempty"`
	HTML       bool     `json:"html,omitempty"`
	Location   string   `json:"location,omitempty"`
	Delay      Duration `json:"delay,omitzero"`
	Bytes      int64    `json:"bytes,omitempty"`
}

// Duration is a [time.Duration] that is written in JSON as text, such as
// "1m30s" or "15d".
type Duration time.Duration

// MarshalJSON implements [json.Marshaler].
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`a duration is a text such as "30s", "24h" or "15d"`)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			*d = Duration(n * 24 * float64(time.Hour))
			return nil
		}
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errors.New(`a duration is a text such as "30s", "24h" or "15d"`)
	}
	*d = Duration(parsed)
	return nil
}

// AddFault makes answers go wrong. Of several faults that fit a call, the
// oldest takes it. It returns an error for a kind or a route that does not
// exist, and for a fault that lacks what its kind needs.
func (s *Server) AddFault(f Fault) error {
	if err := s.checkFault(f); err != nil {
		return err
	}
	s.faults.add(f)
	return nil
}

// Faults returns the faults that are still to come, with Times and Skip counted
// down.
func (s *Server) Faults() []Fault { return s.faults.all() }

// ClearFaults removes all faults.
func (s *Server) ClearFaults() { s.faults.clear() }

func (s *Server) checkFault(f Fault) error {
	switch f.Kind {
	case FaultError:
		if f.Code < 400000 || f.Code > 599999 {
			return errors.New("the fault needs an error code of six digits, such as 400074")
		}
	case FaultSize:
		if f.Bytes < 1 {
			return errors.New("the fault needs a number of bytes")
		}
	case FaultHTML:
		if f.Status < 200 || f.Status > 599 {
			return errors.New("the fault needs an HTTP status")
		}
	case FaultRedirect:
		if f.Location == "" || f.Status != 0 && (f.Status < 300 || f.Status > 399) {
			return errors.New("the fault needs a location, and a status of redirection if any")
		}
	case FaultSessionEnded, FaultTooMany, FaultLoginPage, FaultReset, FaultHang, FaultSlow, FaultTruncated, FaultBlank, FaultNoCharset:
	default:
		return fmt.Errorf("there is no fault of kind %q", f.Kind)
	}
	if f.Route == "" || f.Route == "any" || f.Route == "export" ||
		slices.ContainsFunc(s.routes, func(r route) bool { return r.name == f.Route }) {
		return nil
	}
	return fmt.Errorf("there is no route %q", f.Route)
}

// replaces reports whether the fault takes the place of the answer. Other
// faults spoil it.
func (f Fault) replaces() bool {
	switch f.Kind {
	case FaultSlow, FaultTruncated, FaultBlank, FaultSize, FaultNoCharset:
		return false
	}
	return true
}

func (f Fault) fits(c *call) bool {
	switch f.Route {
	case "", "any", c.route.name:
	case "export":
		if !c.route.export {
			return false
		}
	default:
		return false
	}
	if f.View == "" {
		return true
	}
	id := c.vars["view"]
	if id == "" || f.View == id {
		return id != ""
	}
	for _, v := range c.site.Views() {
		if v.ID == id {
			return v.ContentURL == f.View
		}
	}
	return false
}

type faultList struct {
	mu     sync.Mutex
	faults []Fault
}

func (l *faultList) add(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, f)
}

func (l *faultList) all() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Fault{}, l.faults...)
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = nil
}

// take returns the fault for a call and counts it down.
func (l *faultList) take(c *call) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.faults {
		f := &l.faults[i]
		if !f.fits(c) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		taken := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				l.faults = slices.Delete(l.faults, i, i+1)
			}
		}
		return taken, true
	}
	return Fault{}, false
}

// misbehave answers with a fault that takes the answer's place.
func (s *Server) misbehave(w http.ResponseWriter, c *call, f Fault, asJSON bool) {
	switch f.Kind {
	case FaultError:
		out := failureText(f.Code, summary(f.Code), f.Detail)
		if f.Summary != "" {
			out = failureText(f.Code, f.Summary, f.Detail)
		}
		if f.Status != 0 {
			out.status = f.Status
		}
		s.write(w, out, asJSON)
	case FaultSessionEnded:
		s.accounts.end(c.session.token)
		s.write(w, failure(401002, "Invalid authentication credentials were provided."), asJSON)
	case FaultTooMany:
		s.tooManyRequests(w, f, asJSON)
	case FaultHTML:
		s.writePage(w, f.Status, http.StatusText(f.Status), "The server could not complete the request. Reference: 0.8f2a1702.")
	case FaultLoginPage:
		s.writePage(w, http.StatusOK, "Sign in", `Sign in with your company account.</p><form method="post"><input name="user"><input name="password" type="password"><button>Sign in</button></form><p>`)
	case FaultRedirect:
		s.redirect(w, c, f)
	case FaultReset:
		reset(w)
	case FaultHang:
		<-c.request.Context().Done()
	}
}

func (s *Server) tooManyRequests(w http.ResponseWriter, f Fault, asJSON bool) {
	out := failure(429000, "Too many requests. Try again later.")
	if f.RetryAfter > 0 {
		value := strconv.Itoa(int(time.Duration(f.RetryAfter).Round(time.Second) / time.Second))
		if f.AsDate {
			value = s.clock().Add(time.Duration(f.RetryAfter)).UTC().Format(http.TimeFormat)
		}
		out.header = http.Header{"Retry-After": {value}}
		w.Header().Set("Retry-After", value)
	}
	if f.HTML {
		s.writePage(w, http.StatusTooManyRequests, "Too Many Requests", "Too many requests were sent in a short time.")
		return
	}
	s.write(w, out, asJSON)
}

// writePage answers as a proxy or a sign-in service does, with a web page.
func (s *Server) writePage(w http.ResponseWriter, status int, title, text string) {
	s.stats.answered(status)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A client that went away is no concern of the server.
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=\"en\"><head><title>%s</title></head><body><h1>%s</h1><p>%s</p></body></html>\n", title, title, text)
}

func (s *Server) redirect(w http.ResponseWriter, c *call, f Fault) {
	location := f.Location
	if u, err := url.Parse(location); err == nil && (u.Path == "" || u.Path == "/") {
		location = strings.TrimSuffix(location, "/") + c.request.URL.RequestURI()
	}
	status := f.Status
	if status == 0 {
		status = http.StatusMovedPermanently
	}
	s.write(w, reply{status: status, header: http.Header{"Location": {location}}}, false)
}

// reset cuts the connection, so that the client sees a reset where the
// connection allows it.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// net/http's own way to cut an answer off, which it does not log.
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// spoil sends an answer with a fault that leaves it recognisable.
func (s *Server) spoil(w http.ResponseWriter, c *call, f Fault, out reply, asJSON bool) {
	if out.file != nil {
		changed := *out.file
		out.file = &changed
	}
	switch f.Kind {
	case FaultBlank:
		if out.file != nil {
			body, err := blank(out.file.format, out.file.body)
			if err != nil {
				out = failure(500000, "The export failed.")
			} else {
				out.file.body = body
			}
		}
	case FaultNoCharset:
		if out.file != nil {
			out.file.contentType, _, _ = strings.Cut(out.file.contentType, ";")
		}
	case FaultSize:
		if out.file != nil {
			s.sendPadded(w, *out.file, f.Bytes)
			return
		}
	case FaultSlow, FaultTruncated:
		s.sendPart(w, c, f, out, asJSON)
		return
	}
	s.write(w, out, asJSON)
}

// sendPart sends a body slowly, or the half of it.
func (s *Server) sendPart(w http.ResponseWriter, c *call, f Fault, out reply, asJSON bool) {
	var buffer recorder
	s.write(&buffer, out, asJSON)
	for key, values := range buffer.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(buffer.status)
	body := buffer.body.Bytes()
	if f.Kind == FaultTruncated {
		// The announced length is not reached, so net/http cuts the connection.
		_, _ = w.Write(body[:len(body)/2])
		return
	}
	const pieces = 8
	for i := range pieces {
		if !wait(c.request.Context(), time.Duration(f.Delay)/pieces) {
			return
		}
		if _, err := w.Write(body[len(body)*i/pieces : len(body)*(i+1)/pieces]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// recorder takes an answer down, to be sent in another way.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// sendPadded streams a file that is blown up to a size.
func (s *Server) sendPadded(w http.ResponseWriter, f file, size int64) {
	s.writeHead(w)
	w.Header().Set("Content-Type", f.contentType)
	s.stats.answered(http.StatusOK)
	w.WriteHeader(http.StatusOK)
	if err := pad(w, f.format, f.body, size); err != nil {
		// The client went away, or the file could not be made: the answer must
		// not look whole.
		panic(http.ErrAbortHandler)
	}
}
