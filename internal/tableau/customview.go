package tableau

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// CustomView is a view with the filters and selections that somebody saved
// under a name.
type CustomView struct {
	ID         string
	Name       string
	ViewID     string // of the published view that it is of
	ViewName   string
	WorkbookID string
	OwnerID    string
	OwnerName  string // may be empty
	Shared     bool   // with everyone who may see the view
	UpdatedAt  time.Time
}

var listCustomViews = gate{customViewVersion, customRelease, "list custom views", "Choose the published view with filters" + orUpgrade}

// CustomView reads a custom view by its id, in one request. None is an error
// with the cause [CustomViewNotFound]; one that the user may not see has the
// cause [NotPermitted]. Below version 3.18 it is [NotSupported]. Source: Tableau
// REST API reference, "Get Custom View".
func (c *Client) CustomView(ctx context.Context, s Session, id string) (CustomView, error) {
	if !s.has(listCustomViews) {
		return CustomView{}, listCustomViews.refusal(opFindCustomView, s)
	}
	var a answer
	err := c.call(ctx, request{op: opFindCustomView, method: http.MethodGet, url: s.site() + "/customviews/" + url.PathEscape(id), token: s.Token}, &a)
	if err != nil {
		return CustomView{}, err
	}
	found := customViewsOf(append([]customView{a.CustomView}, a.CustomViews...))
	if len(found) == 0 {
		return CustomView{}, &Error{Op: opFindCustomView, Cause: CustomViewNotFound}
	}
	return found[0], nil
}

// CustomViews lists the custom views of a view that the user may see: one
// request for each thousand. Tableau gives those of others only where they are
// shared or the user may edit the view. Below version 3.18 it is
// [NotSupported]. Source: Tableau REST API reference, "List Custom Views".
func (c *Client) CustomViews(ctx context.Context, s Session, viewID string) ([]CustomView, error) {
	if !s.has(listCustomViews) {
		return nil, listCustomViews.refusal(opCustomViews, s)
	}
	return all(pages(opCustomViews, func(page, size int) (onePage[CustomView], error) {
		query := url.Values{
			"pageSize": {fmt.Sprint(size)}, "pageNumber": {fmt.Sprint(page)},
			"filter": {"viewId:eq:" + viewID},
		}
		var a answer
		err := c.call(ctx, request{op: opCustomViews, method: http.MethodGet, url: s.site() + "/customviews?" + query.Encode(), token: s.Token}, &a)
		return onePage[CustomView]{items: customViewsOf(a.CustomViews), last: a.Pagination.isLast(page, size, len(a.CustomViews))}, err
	}))
}

// TextSize returns how many bytes of text the custom view has.
func (v CustomView) TextSize() int {
	return len(v.ID) + len(v.Name) + len(v.ViewID) + len(v.ViewName) + len(v.WorkbookID) + len(v.OwnerID) + len(v.OwnerName)
}

// FindCustomView finds a custom view of a view by what the older form of its
// address says: the user who owns it and its name, each as it stands in the
// address. It makes the requests of [Client.CustomViews]. None is an error with
// the cause [CustomViewNotFound]; so are several that fit, with a message that
// asks for the address by id.
//
// An address has names without spaces and punctuation, so names are compared by
// their letters and digits where none is the same.
func (c *Client) FindCustomView(ctx context.Context, s Session, viewID, user, name string) (CustomView, error) {
	all, err := c.CustomViews(ctx, s, viewID)
	if err != nil {
		return CustomView{}, err
	}
	for _, key := range []func(string) string{func(s string) string { return s }, nameKey} {
		var owned, unowned []CustomView
		for _, v := range all {
			switch {
			case key(v.Name) != key(name):
			case v.OwnerName == "": // not every list names the owner
				unowned = append(unowned, v)
			case nameKey(v.OwnerName) == nameKey(user):
				owned = append(owned, v)
			}
		}
		if len(owned) == 0 {
			owned = unowned
		}
		switch {
		case len(owned) == 1:
			return owned[0], nil
		case len(owned) > 1:
			return CustomView{}, &Error{Op: opFindCustomView, Cause: CustomViewNotFound,
				hint: "Several custom views of this view have this name. Open the one that you mean in Tableau and copy its address again; it then holds the custom view's id."}
		}
	}
	return CustomView{}, &Error{Op: opFindCustomView, Cause: CustomViewNotFound}
}

// nameKey gives what is left of a name in addresses, in lower case.
func nameKey(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

func customViewsOf(from []customView) []CustomView {
	views := make([]CustomView, 0, len(from))
	for _, v := range from {
		if v.ID == "" {
			continue
		}
		views = append(views, CustomView{
			ID:         string(v.ID),
			Name:       string(v.Name),
			ViewID:     string(v.View.ID),
			ViewName:   string(v.View.Name),
			WorkbookID: string(v.Workbook.ID),
			OwnerID:    string(v.Owner.ID),
			OwnerName:  string(v.Owner.Name),
			Shared:     strings.EqualFold(string(v.Shared), "true"),
			UpdatedAt:  v.UpdatedAt.time(),
		})
	}
	return views
}
