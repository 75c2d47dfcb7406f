// Package page is the page: static files that call the HTTP API in the
// browser, and nothing else. There is no build step; the libraries lie in
// static/vendor with their versions and licences.
package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static
var files embed.FS

// policy lets the page load its own files, and call its own server and the
// origins given. A mail's text is shown in a frame with a policy of its own.
func policy(origins []string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
		"connect-src " + strings.Join(append([]string{"'self'"}, origins...), " ") +
		"; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// mailPolicy is that of the frame that shows a mail: it may be styled as mails
// are, inline, and shows pictures that it brings along. It loads nothing else
// from anywhere, and the only script is the one that takes the mail in. Its
// origin is its own.
const mailPolicy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'self'; sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox"

// The frame and its script.
const (
	mailFrame  = "mail.html"
	mailScript = "mail.js"
)

type file struct {
	contentType string
	body        []byte
	tag         string
}

// Handler serves the page. Beside its own server it may call the origins given,
// such as https://x.example.com: where tokens come from, and where files lie
// that the API redirects to.
func Handler(origins ...string) http.Handler {
	main := policy(origins)
	all := map[string]file{}
	err := fs.WalkDir(files, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		all[strings.TrimPrefix(name, "static/")] = file{contentType: contentType(name), body: body, tag: strconv.Quote(hex.EncodeToString(sum[:8]))}
		return nil
	})
	if err != nil {
		panic("page: the embedded files cannot be read: " + err.Error()) // a defect
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "index.html"
		}
		f, ok := all[name]
		switch {
		case !ok:
			http.Error(w, "There is no such page.", http.StatusNotFound)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This page can only be read.", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("Content-Security-Policy", main)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.tag)
		switch name {
		case mailFrame:
			h.Set("Content-Security-Policy", mailPolicy)
			h.Set("X-Frame-Options", "SAMEORIGIN")
		case mailScript:
			// The frame is an origin of its own, to which this is another's.
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		if r.Header.Get("If-None-Match") == f.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Length", strconv.Itoa(len(f.body)))
		if r.Method == http.MethodHead {
			return
		}
		_, _ = w.Write(f.body) // nobody is left to be told
	})
}

// contentType is fixed here, since what a machine knows of extensions differs.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".svg":
		return "image/svg+xml"
	default:
		return "text/plain; charset=utf-8"
	}
}
