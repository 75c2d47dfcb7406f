package tableautest

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

//go:embed page
var pageFiles embed.FS

// getPicture shows a view to anyone: /-/picture/Superstore/Overview.png, of
// another site with site=finance, filtered with vf_ parameters, in another
// language with language=de, and as a custom view of it with customview=, its id.
func (s *Server) getPicture(w http.ResponseWriter, r *http.Request) {
	query := queryValues(r.URL.RawQuery)
	slug := s.sites[0].ContentURL
	if given, ok := query["site"]; ok {
		slug = given[0]
	}
	wanted := r.PathValue("workbook") + "/sheets/" + strings.TrimSuffix(r.PathValue("sheet"), ".png")
	v := s.viewAt(slug, wanted)
	q, ok := viewQuery(query)
	if v == nil || !ok {
		http.NotFound(w, r)
		return
	}
	q.Language = sample.LanguageOf(query.Get("language"))
	if id := query.Get("customview"); id != "" {
		kept := v.CustomView(id)
		if kept == nil {
			http.NotFound(w, r)
			return
		}
		q.Saved = kept.Selection
	}
	e := export{format: "png", views: []*sample.View{v}, query: q, scale: 2, maxAge: time.Minute, subject: v.ID}
	out := s.export(r.Context(), e)
	if out.file == nil {
		http.Error(w, "The picture could not be drawn.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", out.file.contentType)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(out.file.body)
}

// viewAt finds a view by its site's content URL and its own.
func (s *Server) viewAt(slug, contentURL string) *sample.View {
	site := s.lookUpSite(slug, "contentUrl")
	if site == nil {
		return nil
	}
	for _, v := range site.Views() {
		if strings.EqualFold(v.ContentURL, contentURL) {
			return v
		}
	}
	return nil
}

func pageFile(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := pageFiles.ReadFile(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}

// pageView is one entry of the page's list.
type pageView struct {
	Site, SiteName, Project, Workbook, Name, Link, Picture string

	Custom []pageLink // its custom views
}

type pageLink struct{ Name, Link string }

func (s *Server) getPage(w http.ResponseWriter, r *http.Request) {
	page, err := template.ParseFS(pageFiles, "page/index.html")
	if err != nil {
		http.Error(w, "The page could not be read.", http.StatusInternalServerError)
		return
	}
	var views []pageView
	for _, site := range s.sites {
		for _, v := range site.Views() {
			prefix := "#"
			if site.ContentURL != "" {
				prefix += "/site/" + url.PathEscape(site.ContentURL)
			}
			address := url.PathEscape(v.Workbook.ContentURL) + "/" + url.PathEscape(v.URLName)
			var custom []pageLink
			for _, kept := range v.CustomViews {
				custom = append(custom, pageLink{kept.Name, prefix + "/views/" + address + "/" + kept.ID + "/" + url.PathEscape(kept.Name)})
			}
			views = append(views, pageView{
				Custom: custom,
				Site:   site.ContentURL, SiteName: site.Name, Project: v.Workbook.Project.Name,
				Workbook: v.Workbook.Name, Name: v.Name,
				Link:    prefix + "/views/" + address,
				Picture: "/-/picture/" + address + ".png?site=" + url.QueryEscape(site.ContentURL),
			})
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'")
	_ = page.Execute(w, struct {
		Version, Product, Fields string
		Views                    []pageView
	}{s.version.String(), s.product, strings.Join(sample.Fields(), ", "), views})
}
