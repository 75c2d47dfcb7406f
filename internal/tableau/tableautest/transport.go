package tableautest

import (
	"context"
	"io"
	"net/http"
	"strconv"
)

// Transport is an [http.RoundTripper] that calls a handler directly, as the
// other end of a connection without a socket. What a handler waits for then
// stays within a synctest bubble. Bodies stream, and an answer that is cut off
// is seen as such.
type Transport struct{ Handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	request := r.Clone(ctx)
	request.RequestURI, request.Host = r.URL.RequestURI(), r.URL.Host
	if request.Body == nil {
		request.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: writer, begun: make(chan struct{})}
	go func() {
		defer func() {
			failure := recover()
			if failure != nil && failure != http.ErrAbortHandler {
				panic(failure)
			}
			w.end(failure != nil)
		}()
		t.Handler.ServeHTTP(w, request)
	}()
	select {
	case <-w.begun:
	case <-ctx.Done():
		cancel()
		_ = reader.Close()
		return nil, r.Context().Err()
	}
	if w.status == 0 {
		cancel()
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: w.status, Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, ContentLength: w.length, Request: r,
		Body: &pipeBody{reader, cancel},
	}, nil
}

// pipeWriter is the handler's end of an answer.
type pipeWriter struct {
	header, sent  http.Header
	status        int
	length, wrote int64 // announced, -1 if it was not, and written
	body          *io.PipeWriter
	begun         chan struct{} // closed when the header is sent, or there will be none
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.sent, w.length = status, w.header.Clone(), -1
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		w.length = n
	}
	close(w.begun)
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	n, err := w.body.Write(p)
	w.wrote += int64(n)
	return n, err
}

// end ends the answer as net/http does: a handler that gave up, or that wrote
// less than it had announced, leaves it broken off.
func (w *pipeWriter) end(aborted bool) {
	switch {
	case w.status == 0 && aborted:
		close(w.begun)
		return
	case w.status == 0:
		w.WriteHeader(http.StatusOK)
	}
	if aborted || w.wrote < w.length {
		_ = w.body.CloseWithError(io.ErrUnexpectedEOF) // never fails
		return
	}
	_ = w.body.Close() // never fails
}

// pipeBody ends its request when it is closed.
type pipeBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *pipeBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}
