package tableautest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// controlRoutes are the endpoints that no Tableau server has: under /-/ those
// that steer the stand-in, and everywhere else a small page for people.
func (s *Server) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Stats()) })
	mux.HandleFunc("DELETE /-/stats", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetStats()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /-/faults", func(w http.ResponseWriter, _ *http.Request) { s.writeFaults(w) })
	mux.HandleFunc("POST /-/faults", s.postFaults)
	mux.HandleFunc("DELETE /-/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /-/troubles", func(w http.ResponseWriter, _ *http.Request) { s.writeTroubles(w) })
	mux.HandleFunc("POST /-/troubles", s.postTrouble)
	mux.HandleFunc("DELETE /-/troubles", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearTroubles()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /-/revoke-tokens", s.postRevoke)
	mux.HandleFunc("POST /-/enable-mfa", s.postMFA)
	mux.HandleFunc("POST /-/new-token", s.postToken)
	mux.HandleFunc("GET /-/clock", func(w http.ResponseWriter, _ *http.Request) { s.writeClock(w) })
	mux.HandleFunc("POST /-/clock", s.postClock)
	mux.HandleFunc("GET /-/latency", func(w http.ResponseWriter, _ *http.Request) { s.writeLatency(w) })
	mux.HandleFunc("POST /-/latency", s.postLatency)
	mux.HandleFunc("GET /-/picture/{workbook}/{sheet}", s.getPicture)
	mux.HandleFunc("GET /-/page.js", pageFile("page/page.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /-/page.css", pageFile("page/page.css", "text/css; charset=utf-8"))
	// Addresses of views, with a hash and without one.
	for _, pattern := range []string{"GET /{$}", "GET /views/", "GET /t/", "GET /site/"} {
		mux.HandleFunc(pattern, s.getPage)
	}
	return mux
}

// writeJSON writes an answer of a control endpoint. A client that went away is
// no concern of the server.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v)
}

// readJSON reads the body of a control call; none is the zero value. It
// reports false after it has answered with an error.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		refuse(w, http.StatusBadRequest, err)
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

func (s *Server) writeFaults(w http.ResponseWriter) {
	writeJSON(w, map[string][]Fault{"faults": s.Faults()})
}

// postFaults takes one fault or an array of them.
func (s *Server) postFaults(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if !readJSON(w, r, &raw) {
		return
	}
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		raw = append(append(json.RawMessage{'['}, raw...), ']')
	}
	var faults []Fault
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&faults); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	for _, f := range faults {
		if err := s.checkFault(f); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
	}
	for _, f := range faults {
		s.faults.add(f)
	}
	s.writeFaults(w)
}

func (s *Server) writeTroubles(w http.ResponseWriter) {
	writeJSON(w, map[string]map[string]Trouble{"troubles": s.Troubles()})
}

func (s *Server) postTrouble(w http.ResponseWriter, r *http.Request) {
	var in struct {
		View string `json:"view"`
		Trouble
	}
	if !readJSON(w, r, &in) {
		return
	}
	if err := s.SetTrouble(in.View, in.Trouble); err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	s.writeTroubles(w)
}

func (s *Server) postRevoke(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User string `json:"user"`
	}
	if readJSON(w, r, &in) {
		writeJSON(w, map[string]int{"revoked": s.RevokeTokens(in.User)})
	}
}

func (s *Server) postMFA(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User string `json:"user"`
	}
	if readJSON(w, r, &in) {
		s.EnableMFA(in.User)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) postToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User string `json:"user"`
		Name string `json:"name"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if in.User == "" {
		in.User = s.user
	}
	secret := s.NewPAT(in.User, in.Name)
	if secret == "" {
		refuse(w, http.StatusNotFound, fmt.Errorf("there is no user %q", in.User))
		return
	}
	writeJSON(w, map[string]string{
		"user": in.User, "token_name": s.accounts.tokenNamed(in.User, secret), "token_secret": secret,
	})
}

func (s *Server) writeClock(w http.ResponseWriter) {
	writeJSON(w, map[string]string{
		"now":    s.clock().UTC().Format(time.RFC3339Nano),
		"offset": time.Duration(s.offset.Load()).String(),
	})
}

func (s *Server) postClock(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Advance Duration `json:"advance"`
	}
	if readJSON(w, r, &in) {
		s.Advance(time.Duration(in.Advance))
		s.writeClock(w)
	}
}

func (s *Server) writeLatency(w http.ResponseWriter) {
	writeJSON(w, map[string]Duration{"latency": Duration(s.latency.Load())})
}

func (s *Server) postLatency(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Latency Duration `json:"latency"`
	}
	if readJSON(w, r, &in) {
		s.SetLatency(time.Duration(in.Latency))
		s.writeLatency(w)
	}
}
