package tableau

import (
	"context"
	"fmt"
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

// IsWorksheet reports whether Tableau says that the view is a worksheet, so that
// its data are all that it shows.
func (v View) IsWorksheet() bool { return v.SheetType == "view" || v.SheetType == "worksheet" }

// IsDashboard reports whether Tableau says that it is made of several.
func (v View) IsDashboard() bool { return v.SheetType == "dashboard" || v.SheetType == "story" }

// ViewPage is one page of a site's views.
type ViewPage struct {
	Views []View
	Total int  // of the whole site, as far as the user may see it
	Page  int  // this page's number, from 1
	Last  bool // there is no page after this
}

// viewFields asks for more than the default fields. Without _default_ an answer
// holds no id; _all_ fails on some servers of 2021.
const viewFields = "_default_,sheetType,workbook.name,workbook.contentUrl,project.name"

// Views reads one page of the views that the user may see, at most 1000, in one
// request. Pages count from 1; a page after the last is empty. The order is
// Tableau's own, and what is published or deleted between two pages may be missing
// or stand twice. Every version has it. Source: Tableau REST API reference, "Query
// Views for Site" and "Paginating results".
func (c *Client) Views(ctx context.Context, s Session, page int) (ViewPage, error) {
	page = max(page, 1)
	got, err := c.viewPage(ctx, s, page, maxPageSize)
	if e, ok := asError(err); ok && e.Code == codeBeyondLastPage && page > 1 {
		return ViewPage{Page: page, Last: true}, nil
	}
	if err != nil {
		return ViewPage{}, err
	}
	return ViewPage{Views: got.items, Total: got.total, Page: page, Last: got.last}, nil
}

func (c *Client) viewPage(ctx context.Context, s Session, page, size int) (onePage[View], error) {
	query := url.Values{
		"pageSize":   {fmt.Sprint(size)},
		"pageNumber": {fmt.Sprint(page)},
		"fields":     {viewFields},
	}
	var a answer
	err := c.call(ctx, request{op: opViews, method: http.MethodGet, url: s.site() + "/views?" + query.Encode(), token: s.Token}, &a)
	if err != nil {
		return onePage[View]{}, err
	}
	got := onePage[View]{items: viewsOf(a.Views), total: a.Pagination.TotalAvailable.int(), last: a.Pagination.isLast(page, size, len(a.Views))}
	if got.total < 0 {
		got.total = len(got.items)
	}
	return got, nil
}

// AllViews goes through all views that the user may see: the requests of
// [Client.Views], each when its page is reached. The first error ends it; a site
// with more of them than the client lists is one with the cause [TooLarge].
func (c *Client) AllViews(ctx context.Context, s Session) iter.Seq2[View, error] {
	return pages(opViews, func(page, size int) (onePage[View], error) { return c.viewPage(ctx, s, page, size) })
}

// TextSize returns how many bytes of text the view has.
func (v View) TextSize() int {
	return len(v.ID) + len(v.Name) + len(v.ContentURL) + len(v.ViewURLName) + len(v.SheetType) +
		len(v.WorkbookID) + len(v.WorkbookName) + len(v.WorkbookContentURL) + len(v.ProjectID) + len(v.ProjectName)
}

// FindView finds the view with a content URL, such as
// "Superstore/sheets/Overview" or "Superstore/Overview". None is an error with
// the cause [ViewNotFound].
//
// It makes one request where the server can filter views by content URL and
// finds it. Where the server cannot, or the name holds a character that no
// filter can hold, it goes by the sheet's name, by the workbook, and last by all
// of the site's views. Every version has it. Source: Tableau REST API reference,
// "Query Views for Site" and "Filtering and sorting".
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
	query := url.Values{"pageSize": {fmt.Sprint(maxPageSize)}, "fields": {viewFields}}
	var a answer
	err := c.call(ctx, request{op: opFindView, method: http.MethodGet, url: s.site() + "/views?" + query.Encode() + "&" + s.filterQuery(filter), token: s.Token}, &a)
	return viewsOf(a.Views), err
}

// viewsOfWorkbook reads the views of the workbook with a content URL.
func (c *Client) viewsOfWorkbook(ctx context.Context, s Session, contentURL string) ([]View, error) {
	book, err := c.findWorkbook(ctx, s, opFindView, contentURL)
	if err != nil {
		return nil, err
	}
	return c.viewsIn(ctx, s, opFindView, book)
}

// filterable reports whether a value can stand in a filter expression: commas
// and ampersands cannot, not even percent-encoded. Source: Tableau REST API
// reference, "Filtering and sorting".
func filterable(value string) bool { return !strings.ContainsAny(value, ",&[]") }

// filterQuery writes a filter expression as a query. Servers before 2020.1 do not
// find the parts of an expression whose colons are percent-encoded.
func (s Session) filterQuery(filter string) string {
	query := url.Values{"filter": {filter}}.Encode()
	if compareVersions(s.APIVersion, encodedVersion) < 0 {
		query = strings.NewReplacer("%3A", ":", "%2F", "/").Replace(query)
	}
	return query
}

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
