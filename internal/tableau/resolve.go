package tableau

import (
	"context"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Target is what an address leads to: a view, with the custom view of it that
// the address names, or a workbook. What it does not lead to is zero.
type Target struct {
	View       View
	CustomView CustomView
	Workbook   Workbook
}

// Resolve finds what an address means on the session's site. Whether the address
// is of this server and site is for the caller to say. It makes the requests of
// the calls that it stands for, and has their errors. Names whose letters and
// accents stand apart, as macOS writes them, are looked for as they are and then
// with one sign for each.
//
//   - a view: [Client.FindView]
//   - a custom view: [Client.FindView] and [Client.CustomView], or
//     [Client.FindCustomView] for the older addresses with user and name
//   - a workbook: [Client.FindWorkbook], or [Client.FindWorkbookPage] for the
//     address of its page
func (c *Client) Resolve(ctx context.Context, s Session, a Address) (Target, error) {
	if a.ContentURL == "" {
		book, err := c.resolveWorkbook(ctx, s, a)
		return Target{Workbook: book}, err
	}
	view, err := c.FindView(ctx, s, a.ContentURL)
	if composed := norm.NFC.String(a.ContentURL); isCause(err, ViewNotFound) && composed != a.ContentURL {
		view, err = c.FindView(ctx, s, composed)
	}
	if err != nil || a.CustomView == "" {
		return Target{View: view}, err
	}
	custom, err := c.resolveCustomView(ctx, s, view, a.CustomView)
	if err != nil {
		return Target{}, err
	}
	return Target{View: view, CustomView: custom}, nil
}

func (c *Client) resolveWorkbook(ctx context.Context, s Session, a Address) (Workbook, error) {
	if a.WorkbookNumber != "" {
		return c.FindWorkbookPage(ctx, s, a.WorkbookNumber)
	}
	book, err := c.FindWorkbook(ctx, s, a.WorkbookContentURL)
	if composed := norm.NFC.String(a.WorkbookContentURL); isCause(err, WorkbookNotFound) && composed != a.WorkbookContentURL {
		book, err = c.FindWorkbook(ctx, s, composed)
	}
	return book, err
}

func (c *Client) resolveCustomView(ctx context.Context, s Session, view View, name string) (CustomView, error) {
	if user, name, older := strings.Cut(name, "/"); older {
		return c.FindCustomView(ctx, s, view.ID, user, name)
	}
	custom, err := c.CustomView(ctx, s, name)
	if err != nil {
		return CustomView{}, err
	}
	if custom.ViewID != "" && custom.ViewID != view.ID {
		return CustomView{}, &Error{Op: opFindCustomView, Cause: CustomViewNotFound,
			hint: "This address names a custom view of another view. Open the custom view in Tableau and copy its address again."}
	}
	return custom, nil
}
