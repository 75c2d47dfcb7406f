package tableau

import (
	"context"
	"io"
	"net/http"
)

// ExportInfo is what Tableau said of a file that it sent.
type ExportInfo struct {
	ContentType string // as Tableau says; it gives no name of a file
	Bytes       int64  // written
}

// Export writes an export to w as it arrives, in one HTTP request and without
// retrying. (Only where a connection kept from an earlier request turns out to
// be closed before the first byte of an answer, net/http sends the request once
// more on another.)
//
// What there is, with the version of the REST API and the release of Tableau
// that it needs:
//
//	view         png           2.8
//	             svg           3.29 (2026.2)
//	             pdf, csv      2.8  (10.5)
//	             xlsx          3.9  (2020.3)
//	custom view  png           3.18 (2022.4 on Tableau Cloud, 2023.1 on Tableau Server)
//	             svg           3.29 (2026.2)
//	             pdf, csv      3.23 (an update of 2024.2)
//	workbook     pdf           3.4  (2019.2)
//	             pptx          3.8  (2020.2)
//
//	filters of a view's xlsx                   3.19 (2023.1)
//	width and height of a view's png or svg    3.23 (an update of 2024.2)
//	filters of a workbook's pdf                3.23 (an update of 2024.2)
//	width and height of a workbook's pdf       3.26 (2025.2 on Tableau Cloud, 2025.3 on Tableau Server)
//
// Below that the call fails with the cause [NotSupported] and a message that
// names the release, and nothing is sent: an older server would ignore the
// option and answer without it. All else needs no more than its format. Source:
// Tableau REST API reference, "Workbooks and Views Methods".
//
// A workbook's pdf and pptx hold the sheets that are shown as tabs and that the
// user may export; with tabs switched off, the first sheet alone.
//
// What it writes has the length that Tableau announced, is no error page, and
// begins as an SVG where one was asked for; whether it is a whole file of its
// format is for the content package to say. On an error, w may hold a part of
// the file. An error of w itself is returned wrapped and is no [*Error].
//
// The causes of its own errors: [ViewNotFound], [WorkbookNotFound] and
// [CustomViewNotFound]; [NoData] where the filters leave nothing of an xlsx or
// csv; [RenderFailed], worth one more try; [DataSourceCredentials] and
// [ExportDisabled], which somebody has to mend in Tableau; [BadParameter].
//
// The request is checked as by [ExportRequest.Validate] first, and a
// [*problem.Error] about the field "view" says that it does not name exactly one
// thing.
func (c *Client) Export(ctx context.Context, s Session, r ExportRequest, w io.Writer) (ExportInfo, error) {
	if err := r.validateSubject(); err != nil {
		return ExportInfo{}, err
	}
	if err := r.Validate(); err != nil {
		return ExportInfo{}, err
	}
	if err := r.supportedBy(s); err != nil {
		return ExportInfo{}, err
	}
	return c.export(ctx, s, r, c.options.MaxExportBytes, w)
}

// Supports says whether the session's server has an export and all of its
// options: nil, or the error that [Client.Export] would give. Nothing is sent.
func (s Session) Supports(r ExportRequest) error {
	if err := r.Validate(); err != nil {
		return err
	}
	return r.supportedBy(s)
}

// export sends a request that has been checked.
func (c *Client) export(ctx context.Context, s Session, r ExportRequest, limit int64, w io.Writer) (ExportInfo, error) {
	return c.download(ctx, request{op: r.op(), method: http.MethodGet, url: s.site() + r.path() + "?" + r.query(), token: s.Token}, download{
		timeout: c.options.ExportTimeout, headerTimeout: c.options.ResponseHeaderTimeout, limit: limit, format: r.Format,
	}, w)
}

func (r ExportRequest) op() string {
	switch r.subject() {
	case aWorkbook:
		return opExportWorkbook
	case aCustomView:
		return opExportCustomView
	default:
		return opExport
	}
}
