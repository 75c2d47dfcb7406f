package tableautest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
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
