// Package slacktest stands in for Slack's incoming webhooks in tests.
package slacktest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Receiver takes each message that is posted to it, at any path, and answers as
// Slack does.
type Receiver struct {
	URL string // of the server, without a path
	mu  sync.Mutex
	got []string
}

// New starts a receiver, which is stopped when the test ends.
func New(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, string(body))
	_, _ = io.WriteString(w, "ok")
}

// Messages gives the bodies received so far, in their order.
func (r *Receiver) Messages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}
