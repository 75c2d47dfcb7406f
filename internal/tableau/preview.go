package tableau

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// PreviewImage writes a view's thumbnail, a small PNG, in one request. Tableau
// made it when the workbook was published, so it does not show today's data, and
// it has no options. The errors are as of [Client.Export]. Every version has it.
// Source: Tableau REST API reference, "Query View Preview Image".
func (c *Client) PreviewImage(ctx context.Context, s Session, workbookID, viewID string, w io.Writer) error {
	path := "/workbooks/" + url.PathEscape(workbookID) + "/views/" + url.PathEscape(viewID) + "/previewImage"
	return c.preview(ctx, s, opPreview, path, w)
}

// WorkbookPreviewImage writes a workbook's thumbnail, which is that of its
// first view, as [Client.PreviewImage] does. Source: Tableau REST API reference,
// "Query Workbook Preview Image".
func (c *Client) WorkbookPreviewImage(ctx context.Context, s Session, workbookID string, w io.Writer) error {
	return c.preview(ctx, s, opWorkbookPreview, "/workbooks/"+url.PathEscape(workbookID)+"/previewImage", w)
}

func (c *Client) preview(ctx context.Context, s Session, op, path string, w io.Writer) error {
	_, err := c.download(ctx, request{op: op, method: http.MethodGet, url: s.site() + path, token: s.Token}, download{
		timeout: c.options.CallTimeout, headerTimeout: c.options.CallTimeout, limit: maxPreview, format: PNG,
	}, w)
	return err
}
