package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// slackReceiver stands in for Slack's incoming webhooks: it keeps the body of
// each message as it was received, in a file of its own, and answers as Slack
// does.
type slackReceiver struct {
	dir string
	now func() time.Time

	mu sync.Mutex
	n  int
}

const maxSlackBody = 1 << 20

func (s *slackReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "invalid_method", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSlackBody))
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	if err := s.keep(body); err != nil {
		http.Error(w, "fatal_error", http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "ok")
}

func (s *slackReceiver) keep(body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder for Slack messages: %w", err)
	}
	s.n++
	name := fmt.Sprintf("%s-%03d.json", s.now().UTC().Format("20060102T150405"), s.n)
	if err := os.WriteFile(filepath.Join(s.dir, name), body, 0o600); err != nil {
		return fmt.Errorf("keeping a Slack message: %w", err)
	}
	return nil
}
