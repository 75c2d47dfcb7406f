package tableau

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/problem"
)

// Format is what a view is exported as.
type Format string

// The formats.
const (
	PNG  Format = "png"
	PDF  Format = "pdf"
	CSV  Format = "csv"  // the view's summary data; of a dashboard, its first worksheet by name
	XLSX Format = "xlsx" // the crosstab as an Excel workbook; of a dashboard, as CSV
)

// ExportRequest says what to export.
type ExportRequest struct {
	ViewID   string
	Format   Format
	Filters  []Filter     // combined with one another; their values are alternatives
	MaxAge   int          // minutes that a result in Tableau's cache may be old, at least 1; 0 means 1
	Image    ImageOptions // with PNG; Width and Height also with PDF
	PDF      PDFOptions   // with PDF
	Language string       // of the labels and number formats, such as "de" or "en_GB"; "" means the user's own
}

// ImageOptions are the options of an image.
type ImageOptions struct {
	HighResolution bool // twice the pixels in each direction
	Width, Height  int  // in pixels; both or neither. Views of fixed size ignore them
}

// PDFOptions are the options of a PDF.
type PDFOptions struct {
	PageSize    string // such as "A4", "Letter" or "Unspecified" (the view's own size), in any case; "" means "A4"
	Orientation string // "Portrait" or "Landscape", in any case; "" means "Portrait"
}

// ExportInfo is what Tableau said of a file that it sent.
type ExportInfo struct {
	ContentType string
	Bytes       int64 // written
}

// pageSizes are the values of the parameter type, by their lower-case form.
// Source: Tableau REST API reference, "Query View PDF"; B4 and Unspecified are
// taken as well.
var pageSizes = map[string]string{
	"a3": "A3", "a4": "A4", "a5": "A5", "b4": "B4", "b5": "B5", "executive": "Executive",
	"folio": "Folio", "ledger": "Ledger", "legal": "Legal", "letter": "Letter", "note": "Note",
	"quarto": "Quarto", "tabloid": "Tabloid", "unspecified": "Unspecified",
}

var orientations = map[string]string{"portrait": "Portrait", "landscape": "Landscape"}

var languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`)

// maxImageSide is the most that is asked for, in pixels.
const maxImageSide = 10_000

// Validate says what cannot be sent, as a [*problem.Error] with the fields
// "format", "filters", "max_age_minutes", "image", "pdf.page_size",
// "pdf.orientation" and "language". It does not look at ViewID.
func (r ExportRequest) Validate() error {
	var wrong problem.Fields
	switch r.Format {
	case PNG, PDF, CSV, XLSX:
	default:
		wrong.Add("format", "Choose one of png, pdf, csv and xlsx.")
	}
	validateFilters(r.Filters, &wrong)
	if r.MaxAge < 0 || r.MaxAge > 7*24*60 {
		wrong.Add("max_age_minutes", "Give whole minutes from 1 to %d.", 7*24*60)
	}
	if (r.Image.Width == 0) != (r.Image.Height == 0) {
		wrong.Add("image", "Give both width and height, or neither.")
	}
	if min(r.Image.Width, r.Image.Height) < 0 || max(r.Image.Width, r.Image.Height) > maxImageSide {
		wrong.Add("image", "Width and height are pixels, from 1 to %d.", maxImageSide)
	}
	if _, ok := pageSizes[strings.ToLower(r.PDF.PageSize)]; !ok && r.PDF.PageSize != "" {
		wrong.Add("pdf.page_size", "Choose one of A3, A4, A5, B4, B5, Executive, Folio, Ledger, Legal, Letter, Note, Quarto, Tabloid and Unspecified.")
	}
	if _, ok := orientations[strings.ToLower(r.PDF.Orientation)]; !ok && r.PDF.Orientation != "" {
		wrong.Add("pdf.orientation", "Choose portrait or landscape.")
	}
	if r.Language != "" && !languagePattern.MatchString(r.Language) {
		wrong.Add("language", "Give a language as Tableau names it, such as de or en_GB.")
	}
	return wrong.Err()
}

// Export writes a view to w as it arrives, in one HTTP request and without
// retrying. (Only where a connection kept from an earlier request turns out to
// be closed before the first byte of an answer, net/http sends the request once
// more on another.) What it writes has the length that Tableau announced and is
// no error page; whether it is a whole file of its format is for the content
// package to say.
//
// On an error, w may hold a part of the file. An error of w itself is returned
// wrapped and is no [*Error]. The request is checked as by
// [ExportRequest.Validate] first.
func (c *Client) Export(ctx context.Context, s Session, r ExportRequest, w io.Writer) (ExportInfo, error) {
	if err := r.Validate(); err != nil {
		return ExportInfo{}, err
	}
	if r.Format == XLSX && compareVersions(s.APIVersion, excelVersion) < 0 {
		return ExportInfo{}, &Error{Op: opExport, Cause: NotSupported,
			hint: "This Tableau Server cannot export Excel files, which came with Tableau 2020.3. Choose CSV, or ask the administrator to upgrade it."}
	}
	address := s.site() + "/views/" + url.PathEscape(r.ViewID) + "/" + r.path() + "?" + r.query()
	return c.download(ctx, request{op: opExport, method: http.MethodGet, url: address, token: s.Token}, download{
		timeout: c.options.ExportTimeout, headerTimeout: c.options.ResponseHeaderTimeout, limit: c.options.MaxExportBytes,
	}, w)
}

// path is the last part of the endpoint's path.
func (r ExportRequest) path() string {
	switch r.Format {
	case PDF:
		return "pdf"
	case CSV:
		return "data"
	case XLSX:
		return "crosstab/excel"
	default:
		return "image"
	}
}

// query is the endpoint's query. What can be said is said, since the defaults
// differ between servers and from the reference: without maxAge a result may be
// hours old, without type a page is Letter or Legal.
func (r ExportRequest) query() string {
	query := url.Values{"maxAge": {strconv.Itoa(max(r.MaxAge, 1))}}
	if r.Format == PNG && r.Image.HighResolution {
		query.Set("resolution", "high")
	}
	if r.Format == PDF {
		query.Set("type", pageSizes[strings.ToLower(orElse(r.PDF.PageSize, "A4"))])
		query.Set("orientation", orientations[strings.ToLower(orElse(r.PDF.Orientation, "Portrait"))])
	}
	if (r.Format == PNG || r.Format == PDF) && r.Image.Width > 0 {
		query.Set("vizWidth", strconv.Itoa(r.Image.Width))
		query.Set("vizHeight", strconv.Itoa(r.Image.Height))
	}
	if r.Language != "" {
		query.Set("language", r.Language)
	}
	encoded := query.Encode()
	if filters := encodeFilters(r.Filters); filters != "" {
		encoded += "&" + filters
	}
	return encoded
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// download bounds a file that is streamed.
type download struct {
	timeout       time.Duration // of the whole
	headerTimeout time.Duration // until the status
	limit         int64         // bytes
}

const (
	copyBuffer = 64 << 10
	sniffBytes = 512
)

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
	if err := c.checkStatus(ctx, r, resp); err != nil {
		return ExportInfo{}, err
	}

	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(resp.Body, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return ExportInfo{}, bodyError(ctx, r.op, resp, err)
	}
	if isErrorBody(resp, head) {
		return ExportInfo{}, c.errorBody(ctx, r, resp, head)
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
	rest, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody-sniffBytes))
	if err != nil && ctx.Err() != nil {
		return transportError(ctx, r.op, err)
	}
	body := append(head, rest...)
	if _, ok := decodeError(body); ok {
		return c.statusError(r, resp, body)
	}
	return &Error{Op: r.op, Status: resp.StatusCode, Cause: NotTableau, Retry: true}
}

func (c *Client) copyBody(ctx context.Context, r request, resp *http.Response, limit int64, head []byte, w io.Writer) (ExportInfo, error) {
	info := ExportInfo{ContentType: resp.Header.Get("Content-Type")}
	if resp.ContentLength > limit {
		return info, &Error{Op: r.op, Status: resp.StatusCode, Cause: TooLarge}
	}
	out := &countingWriter{w: w}
	if len(head) > 0 {
		if _, err := out.Write(head); err != nil {
			return info, writeError(r.op, err)
		}
	}
	// Both sides are wrapped, so that io.CopyBuffer uses this buffer.
	_, err := io.CopyBuffer(out, io.LimitReader(resp.Body, limit+1-out.written), make([]byte, copyBuffer))
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
