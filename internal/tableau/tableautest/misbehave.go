package tableautest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

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
