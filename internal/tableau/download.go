package tableau

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/vizpost/vizpost/internal/content"
)

// download bounds a file that is streamed.
type download struct {
	timeout       time.Duration // of the whole
	headerTimeout time.Duration // until the status
	limit         int64         // bytes
	format        Format        // that must come, where an old server sends another; "" for any
}

const sniffBytes = 512

// writeSize is how much of a body is gathered before it is written, in bytes. It
// comes in pieces of up to 16 KB, and a file in the page cache takes large writes
// at round offsets in half the time.
const writeSize = 128 << 10

// download makes one request and streams its body to w.
func (c *Client) download(ctx context.Context, r request, d download, w io.Writer) (ExportInfo, error) {
	ctx, cancel := withTimeout(ctx, d.timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	waiting := time.AfterFunc(d.headerTimeout, func() { stop(timeoutError("no answer", d.headerTimeout)) })
	defer waiting.Stop()

	r.accept = acceptAny
	resp, err := c.send(ctx, r)
	if err != nil {
		return ExportInfo{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if !waiting.Stop() {
		return ExportInfo{}, transportError(ctx, r.op, context.Cause(ctx))
	}
	unpack(resp)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{inTime{ctx, resp.Body}, resp.Body}
	if err := c.checkStatus(ctx, r, resp); err != nil {
		return ExportInfo{}, err
	}
	if resp.StatusCode != http.StatusOK { // a success without the file
		return ExportInfo{}, &Error{Op: r.op, Status: resp.StatusCode, Cause: Unknown, Retry: true}
	}
	if err := checkUnpacked(r, resp); err != nil {
		return ExportInfo{}, err
	}

	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(resp.Body, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return ExportInfo{}, bodyError(ctx, r.op, resp, err)
	}
	if isErrorBody(resp, head) && !(d.format == SVG && content.SniffSVG(head)) {
		return ExportInfo{}, c.errorBody(ctx, r, resp, head)
	}
	if d.format == SVG && n > 0 && !content.SniffSVG(head) {
		return ExportInfo{}, &Error{Op: r.op, Status: resp.StatusCode, Cause: NotSupported,
			hint: "Tableau sent another image in place of an svg, as servers before Tableau 2026.2 do. Choose png."}
	}
	// ReadFull hides whether a short body ended or broke off; reading on tells.
	return c.copyBody(ctx, r, resp, d.limit, head, w)
}

// isErrorBody reports whether a body with a status of success is an error all
// the same: a sign-in page, or an error of Tableau or of what stands before it.
func isErrorBody(resp *http.Response, head []byte) bool {
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil {
		switch mediaType {
		case "text/html", "application/xhtml+xml", "application/xml", "text/xml", "application/json":
			return true
		}
	}
	_, found := content.SniffError(head)
	return found
}

func (c *Client) errorBody(ctx context.Context, r request, resp *http.Response, head []byte) *Error {
	rest, err := readBody(ctx, resp.Body, maxErrorBody-sniffBytes)
	if err != nil && ctx.Err() != nil {
		return transportError(ctx, r.op, err)
	}
	body := append(head, rest...)
	if _, ok := decodeError(body); ok {
		return c.statusError(r, resp, body)
	}
	return &Error{Op: r.op, Status: resp.StatusCode, Cause: NotTableau, Retry: true, hint: pageHint(r, resp, body)}
}

func (c *Client) copyBody(ctx context.Context, r request, resp *http.Response, limit int64, head []byte, w io.Writer) (ExportInfo, error) {
	info := ExportInfo{ContentType: resp.Header.Get("Content-Type")}
	if resp.ContentLength > limit {
		return info, &Error{Op: r.op, Status: resp.StatusCode, Cause: TooLarge}
	}
	out := &countingWriter{w: w}
	gathered := bufio.NewWriterSize(out, writeSize)
	_, _ = gathered.Write(head) // a failure comes again
	_, err := io.Copy(gathered, io.LimitReader(resp.Body, limit+1-int64(len(head))))
	if flushErr := gathered.Flush(); err == nil {
		err = flushErr
	}
	info.Bytes = out.written
	switch {
	case out.err != nil:
		return info, writeError(r.op, out.err)
	case err != nil:
		return info, bodyError(ctx, r.op, resp, err)
	case out.written > limit:
		return info, &Error{Op: r.op, Status: resp.StatusCode, Cause: TooLarge}
	case resp.ContentLength >= 0 && out.written < resp.ContentLength:
		return info, bodyError(ctx, r.op, resp, io.ErrUnexpectedEOF)
	}
	return info, nil
}

func writeError(op string, err error) error {
	return fmt.Errorf("%s: writing what Tableau sent: %w", op, err)
}

// countingWriter tells a failing writer from a failing reader.
type countingWriter struct {
	w       io.Writer
	written int64
	err     error
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.written += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}
