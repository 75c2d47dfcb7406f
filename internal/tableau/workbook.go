package tableau

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Workbook is a workbook of a site.
type Workbook struct {
	ID            string
	Name          string // as people see it
	ContentURL    string // such as "Superstore"; stable, unlike the name
	WebpageURL    string // of its page on the server, such as "https://host/#/site/acme/workbooks/10222"; may be empty
	ShowTabs      bool   // whether all of its sheets are shown, and exported, as tabs
	DefaultViewID string // of the sheet that is exported where ShowTabs is not set; may be empty
	ProjectID     string // empty in a personal space
	ProjectName   string
	OwnerID       string
	OwnerName     string
	UpdatedAt     time.Time // in UTC; zero when Tableau does not say
}

// Workbooks lists the workbooks that the user may see: one request for each
// thousand. Every version has it. Source: Tableau REST API reference, "Query
// Workbooks for Site".
func (c *Client) Workbooks(ctx context.Context, s Session) ([]Workbook, error) {
	books, err := all(c.workbooks(ctx, s))
	for i := range books {
		books[i] = books[i].ofServer(s)
	}
	return books, err
}

// ofServer gives the workbook without the address of its page where that is not
// of the session's server: people are sent there.
func (w Workbook) ofServer(s Session) Workbook {
	w.WebpageURL = OwnURL(w.WebpageURL, s.ServerURL)
	return w
}

// workbooks gives the addresses of their pages as Tableau does: behind a proxy
// they may name another host, and the number in them is right all the same.
func (c *Client) workbooks(ctx context.Context, s Session) iter.Seq2[Workbook, error] {
	return pages(opWorkbooks, func(page, size int) (onePage[Workbook], error) {
		query := url.Values{"pageSize": {fmt.Sprint(size)}, "pageNumber": {fmt.Sprint(page)}}
		var a answer
		err := c.call(ctx, request{op: opWorkbooks, method: http.MethodGet, url: s.site() + "/workbooks?" + query.Encode(), token: s.Token}, &a)
		return onePage[Workbook]{items: workbooksOf(a.Workbooks), last: a.Pagination.isLast(page, size, len(a.Workbooks))}, err
	})
}

// TextSize returns how many bytes of text the workbook has.
func (w Workbook) TextSize() int {
	return len(w.ID) + len(w.Name) + len(w.ContentURL) + len(w.WebpageURL) + len(w.DefaultViewID) +
		len(w.ProjectID) + len(w.ProjectName) + len(w.OwnerID) + len(w.OwnerName)
}

// FindWorkbook finds the workbook with a content URL, such as "Superstore", in
// one request, or two on servers that cannot look it up by key; the last resort
// are the requests of [Client.Workbooks]. None is an error with the cause
// [WorkbookNotFound]. Every version has it. Source: Tableau REST API reference,
// "Query Workbook" and "Filtering and sorting".
func (c *Client) FindWorkbook(ctx context.Context, s Session, contentURL string) (Workbook, error) {
	found, err := c.findWorkbook(ctx, s, opFindWorkbook, contentURL)
	if err == nil {
		return workbooksOf([]workbook{found})[0].ofServer(s), nil
	}
	// A server that takes neither key nor filter, or a name that no filter can
	// hold.
	if !badFilter(err) && (!isCause(err, WorkbookNotFound) || filterable(contentURL)) {
		return Workbook{}, err
	}
	return c.pickWorkbook(ctx, s, func(w Workbook) bool { return strings.EqualFold(w.ContentURL, contentURL) })
}

// FindWorkbookPage finds the workbook whose page has a number, such as "10222"
// of https://host/#/site/acme/workbooks/10222/views. The REST API does not know
// the number, so it is found in the addresses of all workbooks, with the
// requests of [Client.Workbooks]. None is an error with the cause
// [WorkbookNotFound]. Every version has it. Source: Tableau REST API reference,
// "Query Workbooks for Site", webpageUrl.
func (c *Client) FindWorkbookPage(ctx context.Context, s Session, number string) (Workbook, error) {
	return c.pickWorkbook(ctx, s, func(w Workbook) bool { return pageNumber(w.WebpageURL) == number && number != "" })
}

func (c *Client) pickWorkbook(ctx context.Context, s Session, fits func(Workbook) bool) (Workbook, error) {
	for w, err := range c.workbooks(ctx, s) {
		if err != nil {
			return Workbook{}, err
		}
		if fits(w) {
			return w.ofServer(s), nil
		}
	}
	return Workbook{}, &Error{Op: opFindWorkbook, Cause: WorkbookNotFound}
}

// pageNumber gives the number in the address of a workbook's page, "" if there
// is none.
func pageNumber(webpage string) string {
	_, after, found := strings.Cut(webpage, "/workbooks/")
	if !found {
		return ""
	}
	number, _, _ := strings.Cut(after, "/")
	number, _, _ = strings.Cut(number, "?")
	if !isNumber(number) {
		return ""
	}
	return number
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// WorkbookViews lists the views of a workbook that the user may see, in one
// request. A workbook that is not there has the cause [WorkbookNotFound]. Every
// version has it. Source: Tableau REST API reference, "Query Views for Workbook".
func (c *Client) WorkbookViews(ctx context.Context, s Session, w Workbook) ([]View, error) {
	return c.viewsIn(ctx, s, opViews, workbook{
		ID: scalar(w.ID), Name: scalar(w.Name), ContentURL: scalar(w.ContentURL),
		Project: project{ID: scalar(w.ProjectID), Name: scalar(w.ProjectName)},
	})
}

// viewsIn reads the views of a workbook. The answer names the workbook by its
// id alone, or not at all, so its names come from what is known.
func (c *Client) viewsIn(ctx context.Context, s Session, op string, book workbook) ([]View, error) {
	var a answer
	err := c.call(ctx, request{op: op, method: http.MethodGet,
		url: s.site() + "/workbooks/" + url.PathEscape(string(book.ID)) + "/views", token: s.Token}, &a)
	if err != nil {
		return nil, err
	}
	for i := range a.Views {
		a.Views[i].Workbook = book
		if a.Views[i].Project.ID == "" {
			a.Views[i].Project = book.Project
		}
	}
	return viewsOf(a.Views), nil
}

// findWorkbook reads the workbook with a content URL. Servers that do not know
// the look-up by key take the name for an id, so a workbook that is not found is
// asked for once more by a filter.
func (c *Client) findWorkbook(ctx context.Context, s Session, op, contentURL string) (workbook, error) {
	var a answer
	err := c.call(ctx, request{op: op, method: http.MethodGet,
		url: s.site() + "/workbooks/" + url.PathEscape(contentURL) + "?key=contentUrl", token: s.Token}, &a)
	notFound := isCause(err, ViewNotFound) || isCause(err, WorkbookNotFound)
	if notFound || badFilter(err) || isCause(err, NotSupported) {
		if !filterable(contentURL) {
			return workbook{}, workbookNotFound(op)
		}
		a = answer{}
		err = c.call(ctx, request{op: op, method: http.MethodGet, url: s.site() + "/workbooks?" + s.filterQuery("contentUrl:eq:"+contentURL), token: s.Token}, &a)
	}
	if err != nil {
		return workbook{}, err
	}
	for _, w := range append([]workbook{a.Workbook}, a.Workbooks...) {
		if w.ID != "" && strings.EqualFold(string(w.ContentURL), contentURL) {
			return w, nil
		}
	}
	return workbook{}, workbookNotFound(op)
}

func workbookNotFound(op string) *Error {
	if op == opFindView {
		return viewNotFound("")
	}
	return &Error{Op: op, Cause: WorkbookNotFound}
}

// workbooksOf turns the answer's workbooks into ours. What has no id is left
// out.
func workbooksOf(from []workbook) []Workbook {
	books := make([]Workbook, 0, len(from))
	for _, w := range from {
		if w.ID == "" {
			continue
		}
		books = append(books, Workbook{
			ID:            string(w.ID),
			Name:          string(w.Name),
			ContentURL:    string(w.ContentURL),
			WebpageURL:    string(w.WebpageURL),
			ShowTabs:      strings.EqualFold(string(w.ShowTabs), "true"),
			DefaultViewID: string(w.DefaultViewID),
			ProjectID:     string(w.Project.ID),
			ProjectName:   string(w.Project.Name),
			OwnerID:       string(w.Owner.ID),
			OwnerName:     string(w.Owner.Name),
			UpdatedAt:     w.UpdatedAt.time(),
		})
	}
	return books
}
