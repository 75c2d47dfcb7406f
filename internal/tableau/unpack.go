package tableau

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// unpack undoes the compression that a gateway has put on an answer although
// none was asked for: it counts as an answer without a length then.
func unpack(resp *http.Response) {
	if c := coding(resp); c == "gzip" || c == "x-gzip" {
		resp.Body = &gunzipper{packed: resp.Body}
		resp.ContentLength = -1
		resp.Header.Del("Content-Encoding")
	}
}

// checkUnpacked gives the error of an answer that is still packed.
func checkUnpacked(r request, resp *http.Response) error {
	c := coding(resp)
	if c == "" || c == "identity" {
		return nil
	}
	return &Error{Op: r.op, Status: resp.StatusCode, Cause: NotTableau, Retry: true,
		hint: fmt.Sprintf("A proxy between vizpost and Tableau packs the answers in a way (%s) that vizpost does not read and did not ask for. Ask the administrator to leave those of Tableau as they are.", r.quotable(c))}
}

func coding(resp *http.Response) string {
	return strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
}

// gunzipper unpacks a body from its first read on, so that what is wrong with it
// is an error of reading. A body without a byte is empty.
type gunzipper struct {
	packed io.ReadCloser
	plain  *gzip.Reader
	err    error
}

func (g *gunzipper) Read(p []byte) (int, error) {
	if g.plain == nil && g.err == nil {
		g.plain, g.err = gzip.NewReader(g.packed)
	}
	if g.err != nil {
		return 0, g.err
	}
	return g.plain.Read(p)
}

func (g *gunzipper) Close() error { return g.packed.Close() }
