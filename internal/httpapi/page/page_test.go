package page_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/httpapi/page"
)

func get(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return from(t, page.Handler(), method, path, headers...)
}

func from(t *testing.T, h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFiles(t *testing.T) {
	t.Parallel()
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/index.html": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8",
		"/vendor/preact.mjs": "text/javascript; charset=utf-8", "/app.css": "text/css; charset=utf-8", "/vendor/inter-latin.woff2": "font/woff2",
		"/icon.svg": "image/svg+xml", "/vendor/LICENSE-htm.txt": "text/plain; charset=utf-8",
	} {
		w := get(t, "GET", path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType || w.Body.Len() == 0 {
			t.Errorf("%s: status %d, %q, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
		if head := get(t, "HEAD", path); head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
			t.Errorf("HEAD %s: status %d, %d bytes", path, head.Code, head.Body.Len())
		}
		if again := get(t, "GET", path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s again: status %d, %d bytes", path, again.Code, again.Body.Len())
		}
	}
	for call, status := range map[string]int{"GET /none": 404, "GET /vendor": 404, "GET /../page.go": 404, "GET /static/index.html": 404, "POST /": 405} {
		method, path, _ := strings.Cut(call, " ")
		if w := get(t, method, path); w.Code != status {
			t.Errorf("%s: status %d, want %d", call, w.Code, status)
		}
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	const strict = "default-src 'none'; script-src 'self'; "
	main := get(t, "GET", "/").Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(main, strict) || strings.Contains(main, "unsafe") || !strings.Contains(main, "frame-ancestors 'none'") {
		t.Errorf("the page's policy is %q", main)
	}
	if !strings.Contains(main, "; connect-src 'self'; ") {
		t.Errorf("by its policy %q the page may call others", main)
	}
	h := page.Handler("https://x.auth.eu-central-1.amazoncognito.com", "https://bucket.s3.eu-central-1.amazonaws.com")
	called := from(t, h, "GET", "/").Header().Get("Content-Security-Policy")
	if want := strings.Replace(main, "connect-src 'self';", "connect-src 'self' https://x.auth.eu-central-1.amazoncognito.com https://bucket.s3.eu-central-1.amazonaws.com;", 1); called != want {
		t.Errorf("with others to call the page's policy is %q, want %q", called, want)
	}
	mail := from(t, h, "GET", "/mail.html").Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(mail, strict) || !strings.Contains(mail, "sandbox allow-scripts") || strings.Contains(mail, "allow-same-origin") ||
		strings.Contains(mail, "connect-src") || strings.Contains(mail, "http") {
		t.Errorf("the mail frame's policy is %q", mail)
	}
}

// What the policy would refuse, or would have to be fetched from elsewhere.
var foreign = regexp.MustCompile(`(?i)<script(?: [^>]*)?>[^<]|<style|\sstyle=|\son[a-z]+="|(?:src|href)="https?://|@import|url\(["']?https?:`)

func TestFilesKeepToThePolicy(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(os.DirFS("static"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(name, "vendor/LICENSE") {
			return err
		}
		text, err := fs.ReadFile(os.DirFS("static"), name)
		if found := foreign.Find(text); found != nil {
			t.Errorf("%s holds %q", name, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
