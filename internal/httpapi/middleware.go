package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
)

// call is what is known of the request in hand.
type call struct {
	id      string
	subject string          // who calls; "" until they have been recognised
	who     Principal       // the same, where the call needs a role
	context context.Context // the request's own, without deadlines of vizpost's
	unsure  string          // what an answer says that leaves it open whether a write was made
}

type callKey struct{}

// callOf gives the call that a context belongs to.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{context: context.Background()}
}

// outermost surrounds everything: it names the request, sets the headers that
// every answer has, refuses foreign hosts, survives panics and writes the
// access log. The log names the route, never the address: that may hold what
// only the caller and the called may know.
func (a *api) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := a.deps.Now()
		c := &call{id: a.deps.NewID(), context: r.Context()}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		out := &response{ResponseWriter: w}

		h := out.Header()
		h.Set("X-Request-Id", c.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")

		defer func() {
			a.log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("request_id", c.id), slog.String("method", loggedMethod(r.Method)), slog.String("route", route(r)),
				slog.Int("status", out.status), slog.Int64("bytes", out.bytes),
				slog.Duration("took", a.deps.Now().Sub(began)), slog.String("subject", c.subject), slog.String("client", clientOf(r)))
		}()
		defer func() {
			value := recover()
			switch {
			case value == nil:
				return
			case value == http.ErrAbortHandler: // cuts off an answer that cannot be finished
				panic(value)
			}
			a.log.ErrorContext(r.Context(), "panic", "request_id", c.id, "value", fmt.Sprint(value), "stack", string(debug.Stack()))
			if out.status != 0 {
				panic(http.ErrAbortHandler)
			}
			httpProblem(r.Context(), http.StatusInternalServerError).write(out)
		}()

		if !a.answersTo(r.Host) {
			httpProblem(r.Context(), http.StatusMisdirectedRequest).write(out)
			return
		}
		next.ServeHTTP(out, r)
	})
}

// answersTo reports whether a Host header is one of ours. A page of somebody
// else whose name was made to point here (DNS rebinding) has another.
func (a *api) answersTo(host string) bool {
	return len(a.deps.Hosts) == 0 ||
		slices.ContainsFunc(a.deps.Hosts, func(known string) bool { return strings.EqualFold(known, host) })
}

func route(r *http.Request) string {
	if _, path, ok := strings.Cut(r.Pattern, " "); ok {
		return path
	}
	if r.Pattern != "" {
		return r.Pattern
	}
	return "none"
}

// loggedMethod keeps what a caller makes up out of the log.
func loggedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// response notes what was answered.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap gives [http.ResponseController] the writer itself.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// dispatch sends a request to the API, to the page, or answers that there is
// nothing, as a problem and with the methods that there are.
func dispatch(routes *http.ServeMux, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fallback, pattern := routes.Handler(r)
		if pattern != "" {
			routes.ServeHTTP(w, r)
			return
		}
		missing := &fallbackAnswer{header: http.Header{}}
		fallback.ServeHTTP(missing, r)
		if missing.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = missing.header["Allow"]
			httpProblem(r.Context(), http.StatusMethodNotAllowed).write(w)
			return
		}
		isAPI := r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/")
		if page == nil || isAPI {
			httpProblem(r.Context(), http.StatusNotFound).write(w)
			return
		}
		r.Pattern = "/" // the page's files, for the log
		page.ServeHTTP(w, r)
	})
}

// fallbackAnswer takes what ServeMux answers on its own.
type fallbackAnswer struct {
	header http.Header
	status int
}

func (w *fallbackAnswer) Header() http.Header         { return w.header }
func (w *fallbackAnswer) Write(b []byte) (int, error) { return len(b), nil }
func (w *fallbackAnswer) WriteHeader(status int)      { w.status = status }
