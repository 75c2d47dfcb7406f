package tableau

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// View is a view of a site: a worksheet, dashboard or story of a workbook.
type View struct {
	ID                 string
	Name               string // as people see it
	ContentURL         string // such as "Superstore/sheets/Overview"; stable, unlike the name
	ViewURLName        string // the last part of ContentURL
	SheetType          string // such as "dashboard"; may be empty
	WorkbookID         string
	WorkbookName       string
	WorkbookContentURL string // the first part of ContentURL
	ProjectID          string // empty in a personal space
	ProjectName        string
	UpdatedAt          time.Time // in UTC; zero when Tableau does not say
}

// ViewPage is one page of a site's views.
type ViewPage struct {
	Views []View
	Total int  // of the whole site, as far as the user may see it
	Page  int  // this page's number, from 1
	Last  bool // there is no page after this
}

// viewPageSize is the most that Tableau takes.
const viewPageSize = 1000

// viewFields asks for more than the default fields. Without _default_ an answer
// holds no id; _all_ fails on some servers of 2021.
const viewFields = "_default_,sheetType,workbook.name,workbook.contentUrl,project.name"

// Views reads one page of the views that the user may see, at most 1000, in one
// request. Pages count from 1; a page after the last is empty. The order is
// Tableau's own.
func (c *Client) Views(ctx context.Context, s Session, page int) (ViewPage, error) {
	page = max(page, 1)
	query := url.Values{
		"pageSize":   {fmt.Sprint(viewPageSize)},
		"pageNumber": {fmt.Sprint(page)},
		"fields":     {viewFields},
	}
	var a answer
	err := c.call(ctx, request{op: opViews, method: http.MethodGet, url: s.site() + "/views?" + query.Encode(), token: s.Token}, &a)
	if e, ok := asError(err); ok && e.Code == "400006" && page > 1 {
		return ViewPage{Page: page, Last: true}, nil
	}
	if err != nil {
		return ViewPage{}, err
	}
	views := viewsOf(a.Views)
	size := a.Pagination.PageSize.int()
	if size <= 0 {
		size = viewPageSize
	}
	total := a.Pagination.TotalAvailable.int()
	if total < 0 { // no pagination: what came is all
		return ViewPage{Views: views, Total: len(views), Page: page, Last: true}, nil
	}
	return ViewPage{Views: views, Total: total, Page: page, Last: len(a.Views) == 0 || page*size >= total}, nil
}

// maxPages ends the listing of a server that never comes to a last page.
const maxPages = 2000

// AllViews goes through all views that the user may see, page by page. The
// first error ends it.
func (c *Client) AllViews(ctx context.Context, s Session) iter.Seq2[View, error] {
	return func(yield func(View, error) bool) {
		for page := 1; page <= maxPages; page++ {
			got, err := c.Views(ctx, s, page)
			if err != nil {
				yield(View{}, err)
				return
			}
			for _, v := range got.Views {
				if !yield(v, nil) {
					return
				}
			}
			if got.Last {
				return
			}
		}
		yield(View{}, &Error{Op: opViews, Cause: TooLarge, Detail: fmt.Sprintf("more than %d pages", maxPages)})
	}
}

// FindView finds the view with a content URL, such as
// "Superstore/sheets/Overview" or "Superstore/Overview". None is an error with
// the cause [ViewNotFound].
//
// It makes one request where the server can filter views by content URL and
// finds it. Where the server cannot, or the name holds a character that no
// filter can hold, it goes by the sheet's name, by the workbook, and last by all
// of the site's views.
func (c *Client) FindView(ctx context.Context, s Session, contentURL string) (View, error) {
	workbook, sheet, ok := splitContentURL(contentURL)
	if !ok {
		return View{}, viewNotFound("")
	}
	wanted := workbook + "/sheets/" + sheet

	filters := []string{"contentUrl:eq:" + wanted, "viewUrlName:eq:" + sheet}
	if !filterable(wanted) {
		filters = nil
	}
	refused := len(filters) == 0
	for _, filter := range filters {
		views, err := c.filterViews(ctx, s, filter)
		if err == nil {
			if v, found := pickView(views, wanted); found {
				return v, nil
			}
			refused = false
			break
		}
		if !badFilter(err) {
			return View{}, err
		}
		refused = true
	}

	views, err := c.viewsOfWorkbook(ctx, s, workbook)
	switch {
	case err == nil:
		if v, found := pickView(views, wanted); found {
			return v, nil
		}
		return View{}, viewNotFound("")
	case !badFilter(err) && !isCause(err, ViewNotFound):
		return View{}, err
	case !refused && isCause(err, ViewNotFound):
		return View{}, err
	}

	for v, err := range c.AllViews(ctx, s) {
		if err != nil {
			return View{}, err
		}
		if strings.EqualFold(v.ContentURL, wanted) {
			return v, nil
		}
	}
	return View{}, viewNotFound("")
}

// filterViews reads the views of one filter expression.
func (c *Client) filterViews(ctx context.Context, s Session, filter string) ([]View, error) {
	query := url.Values{"pageSize": {fmt.Sprint(viewPageSize)}, "fields": {viewFields}, "filter": {filter}}
	var a answer
	err := c.call(ctx, request{op: opFindView, method: http.MethodGet, url: s.site() + "/views?" + query.Encode(), token: s.Token}, &a)
	return viewsOf(a.Views), err
}

// viewsOfWorkbook reads the views of the workbook with a content URL. Servers
// that do not know the look-up by key take the name for an id, so a workbook
// that is not found is asked for once more by a filter.
func (c *Client) viewsOfWorkbook(ctx context.Context, s Session, contentURL string) ([]View, error) {
	var a answer
	found := func() (workbook, bool) {
		for _, w := range append([]workbook{a.Workbook}, a.Workbooks...) {
			if w.ID != "" && strings.EqualFold(string(w.ContentURL), contentURL) {
				return w, true
			}
		}
		return workbook{}, false
	}
	err := c.call(ctx, request{op: opFindView, method: http.MethodGet,
		url: s.site() + "/workbooks/" + url.PathEscape(contentURL) + "?key=contentUrl", token: s.Token}, &a)
	if isCause(err, ViewNotFound) || badFilter(err) || isCause(err, NotSupported) {
		if !filterable(contentURL) {
			return nil, viewNotFound("")
		}
		a = answer{}
		query := url.Values{"filter": {"contentUrl:eq:" + contentURL}}
		err = c.call(ctx, request{op: opFindView, method: http.MethodGet, url: s.site() + "/workbooks?" + query.Encode(), token: s.Token}, &a)
	}
	if err != nil {
		return nil, err
	}
	book, ok := found()
	if !ok {
		return nil, viewNotFound("")
	}
	a = answer{}
	err = c.call(ctx, request{op: opFindView, method: http.MethodGet,
		url: s.site() + "/workbooks/" + url.PathEscape(string(book.ID)) + "/views", token: s.Token}, &a)
	if err != nil {
		return nil, err
	}
	// Here the answer names the workbook by its id alone, or not at all.
	for i := range a.Views {
		a.Views[i].Workbook = book
		if a.Views[i].Project.ID == "" {
			a.Views[i].Project = book.Project
		}
	}
	return viewsOf(a.Views), nil
}

// filterable reports whether a value can stand in a filter expression: commas
// and ampersands cannot, not even percent-encoded. Source: Tableau REST API
// reference, "Filtering and sorting".
func filterable(value string) bool { return !strings.ContainsAny(value, ",&[]") }

// badFilter reports whether the server refused a filter, not the look-up as a
// whole.
func badFilter(err error) bool {
	return isCause(err, BadParameter) || isCause(err, MalformedRequest)
}

func viewNotFound(detail string) *Error {
	return &Error{Op: opFindView, Cause: ViewNotFound, Detail: detail}
}

// pickView picks the view with a content URL: the exact one, else the only one
// that differs in upper and lower case.
func pickView(views []View, contentURL string) (View, bool) {
	if i := slices.IndexFunc(views, func(v View) bool { return v.ContentURL == contentURL }); i >= 0 {
		return views[i], true
	}
	similar := slices.DeleteFunc(slices.Clone(views), func(v View) bool { return !strings.EqualFold(v.ContentURL, contentURL) })
	if len(similar) != 1 {
		return View{}, false
	}
	return similar[0], true
}

// viewsOf turns the answer's views into ours. What has no id is left out.
func viewsOf(from []view) []View {
	views := make([]View, 0, len(from))
	for _, v := range from {
		if v.ID == "" {
			continue
		}
		out := View{
			ID:                 string(v.ID),
			Name:               string(v.Name),
			ContentURL:         string(v.ContentURL),
			ViewURLName:        string(v.ViewURLName),
			SheetType:          string(v.SheetType),
			WorkbookID:         string(v.Workbook.ID),
			WorkbookName:       string(v.Workbook.Name),
			WorkbookContentURL: string(v.Workbook.ContentURL),
			ProjectID:          string(v.Project.ID),
			ProjectName:        string(v.Project.Name),
			UpdatedAt:          v.UpdatedAt.time(),
		}
		if book, sheet, ok := splitContentURL(out.ContentURL); ok {
			if out.WorkbookContentURL == "" {
				out.WorkbookContentURL = book
			}
			if out.ViewURLName == "" {
				out.ViewURLName = sheet
			}
		}
		views = append(views, out)
	}
	return views
}

// PreviewImage writes the view's thumbnail, a PNG, in one request. Tableau made
// it when the workbook was published, so it does not show today's data. The
// errors are as of [Client.Export].
func (c *Client) PreviewImage(ctx context.Context, s Session, workbookID, viewID string, w io.Writer) error {
	address := s.site() + "/workbooks/" + url.PathEscape(workbookID) + "/views/" + url.PathEscape(viewID) + "/previewImage"
	_, err := c.download(ctx, request{op: opPreview, method: http.MethodGet, url: address, token: s.Token}, download{
		timeout: c.options.CallTimeout, headerTimeout: c.options.CallTimeout, limit: maxPreview,
	}, w)
	return err
}

// asError finds the [*Error] in an error's chain.
func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

func isCause(err error, cause Cause) bool {
	e, ok := asError(err)
	return ok && e.Cause == cause
}
