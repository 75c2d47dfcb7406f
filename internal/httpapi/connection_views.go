package httpapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

type viewJSON struct {
	ID         string     `json:"id" doc:"Tableau's id of the view."`
	Name       string     `json:"name" example:"Overview"`
	ContentURL string     `json:"content_url" example:"Superstore/sheets/Overview"`
	Workbook   string     `json:"workbook" example:"Superstore"`
	Project    string     `json:"project" example:"Samples"`
	SheetType  string     `json:"sheet_type,omitempty" doc:"Such as dashboard, worksheet or story, where Tableau tells." example:"dashboard"`
	UpdatedAt  *time.Time `json:"updated_at"`
}

type viewListJSON struct {
	Views      []viewJSON `json:"views" nullable:"false"`
	NextCursor *string    `json:"next_cursor" doc:"For the next request's cursor; null at the end."`
}

func viewOut(v tableau.View) viewJSON {
	return viewJSON{ID: v.ID, Name: v.Name, ContentURL: v.ContentURL, Workbook: v.WorkbookName,
		Project: v.ProjectName, SheetType: v.SheetType, UpdatedAt: moment(v.UpdatedAt)}
}

func (a *api) registerViews() {
	register(a, operation{id: "list-views", method: http.MethodGet, path: "/v1/connections/{id}/views", tag: tagConnections, role: Editor, waits: true,
		summary: "List the site's views", detail: "Those that the connection's user can see, to pick from. The list may be some minutes old."},
		a.listViews)

	register(a, operation{id: "preview-view", method: http.MethodGet, path: "/v1/connections/{id}/views/{view_id}/preview", tag: tagConnections, role: Editor, waits: true,
		produces: []string{"image/png"},
		summary:  "See a view's thumbnail", detail: "A small picture (PNG) that Tableau keeps of the view; it may be older than its data."},
		a.previewView)
}

func (a *api) listViews(ctx context.Context, in *struct {
	ByID
	Search string `query:"search" maxLength:"200" doc:"Only views in whose name, workbook or project this text occurs."`
	Paging
}) (*plain[viewListJSON], error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	start := 0
	if after != "" {
		if start, err = strconv.Atoi(after); err != nil || start < 0 {
			return nil, problem.InvalidField("cursor", "Send the next_cursor of the answer before, unchanged.")
		}
	}
	views, err := a.deps.Connections.Views(ctx, in.ID, strings.TrimSpace(in.Search))
	if err != nil {
		return nil, err
	}
	start = min(start, len(views))
	end := min(start+in.Limit, len(views))
	out := viewListJSON{Views: []viewJSON{}}
	for _, v := range views[start:end] {
		out.Views = append(out.Views, viewOut(v))
	}
	if end < len(views) {
		out.NextCursor = cursor(strconv.Itoa(end))
	}
	return &plain[viewListJSON]{out}, nil
}

func (a *api) previewView(ctx context.Context, in *struct {
	ByID
	ViewID string `path:"view_id" maxLength:"64" doc:"Tableau's id of the view."`
}) (*picture, error) {
	var b bytes.Buffer
	if err := a.deps.Connections.Preview(ctx, in.ID, in.ViewID, limited{&b, maxPreview}); err != nil {
		return nil, err
	}
	return &picture{ContentType: "image/png", ContentSecurityPolicy: untrustedContent, Body: b.Bytes()}, nil
}

// maxPreview bounds a thumbnail, in bytes; Tableau's are some 10 KB.
const maxPreview = 5 << 20

// picture is the answer of a small picture.
type picture struct {
	ContentType           string `header:"Content-Type" hidden:"true"`
	ContentSecurityPolicy string `header:"Content-Security-Policy" hidden:"true"`
	Body                  []byte
}

// limited writes to a buffer until it would become too large.
type limited struct {
	b    *bytes.Buffer
	most int
}

func (l limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > l.most {
		return 0, errors.New("the picture is too large")
	}
	return l.b.Write(p)
}
