package httpapi_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/httpapi"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	h := httpapi.NewPublic(httpapi.Public{
		Page: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") }),
		Now:  time.Now, NewID: func() string { return "id" }, Log: slog.New(slog.DiscardHandler),
	})
	for _, test := range []struct {
		method, path string
		status       int
		body         string // part of it
	}{
		{"GET", "/", 200, "the page"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/openapi.json", 200, "/v1/connections"},
		{"GET", "/docs", 200, "<html"},
		{"GET", "/v1/connections", 401, "unauthenticated"},
		{"POST", "/v1/reports", 401, "unauthenticated"},
		{"GET", "/v1/nothing", 404, "not_found"},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.body) {
			t.Errorf("%s %s: got status %d: %.200q, want %d with %q", test.method, test.path, w.Code, w.Body, test.status, test.body)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: it may be sniffed", test.method, test.path)
		}
	}
}
