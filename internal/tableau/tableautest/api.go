package tableautest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// route is one endpoint of the REST API.
type route struct {
	name   string // as statistics and faults name it
	method string
	path   []string // after the version; {x} stands for one part
	since  version  // the first version that has it
	open   bool     // needs no session
	export bool     // counts as one of the site's concurrent exports
	only   kind     // the kind of server that has it, if not both
	exp    bool     // found under /api/exp alone, since it has no version yet
	handle func(*call) reply
}

// call is one request to the REST API.
type call struct {
	server  *Server
	request *http.Request
	route   route
	version version
	vars    map[string]string
	query   url.Values
	session session      // zero on an open route
	site    *sample.Site // that of the session
}

func (s *Server) apiRoutes() []route {
	get := func(name, path string, since version, handle func(*call) reply) route {
		return route{name: name, method: http.MethodGet, path: strings.Split(path, "/"), since: since, handle: handle}
	}
	export := func(name, path string, since version, handle func(*call) reply) route {
		r := get(name, path, since, handle)
		r.export = true
		return r
	}
	serverInfo := get("serverinfo", "serverinfo", version{2, 4}, (*call).serverInfo)
	serverInfo.open = true
	customViewContent := get("customview-content", "sites/{site}/customviews/{customview}/content", version{3, 21}, (*call).downloadCustomView)
	customViewContent.exp = true
	return []route{
		serverInfo,
		{name: "signin", method: http.MethodPost, path: []string{"auth", "signin"}, open: true, handle: (*call).signIn},
		{name: "signout", method: http.MethodPost, path: []string{"auth", "signout"}, handle: (*call).signOut},
		{
			name: "switch-site", method: http.MethodPost, path: []string{"auth", "switchSite"},
			since: version{2, 6}, only: onPremises, handle: (*call).switchSite,
		},
		get("session", "sessions/current", version{3, 1}, (*call).currentSession),
		get("sites", "sites", version{}, (*call).listSites),
		get("site", "sites/{site}", version{}, (*call).getSite),
		get("users", "sites/{site}/users", version{}, (*call).listUsers),
		get("user", "sites/{site}/users/{user}", version{2, 0}, (*call).getUser),
		{
			name: "tokens", method: http.MethodGet, path: strings.Split("sites/{site}/users/{user}/personal-access-tokens", "/"),
			since: version{3, 21}, only: cloud, handle: (*call).listTokens,
		},
		{
			name: "token-revoke", method: http.MethodDelete, since: version{3, 21}, only: cloud, handle: (*call).revokeToken,
			path: strings.Split("sites/{site}/users/{user}/personal-access-tokens/{token}", "/"),
		},
		get("user-workbooks", "sites/{site}/users/{user}/workbooks", version{}, (*call).listUserWorkbooks),
		get("projects", "sites/{site}/projects", version{2, 0}, (*call).listProjects),
		get("workbooks", "sites/{site}/workbooks", version{2, 3}, (*call).listWorkbooks),
		get("workbook", "sites/{site}/workbooks/{workbook}", version{2, 0}, (*call).getWorkbook),
		get("workbook-content", "sites/{site}/workbooks/{workbook}/content", version{2, 0}, (*call).downloadWorkbook),
		get("workbook-revisions", "sites/{site}/workbooks/{workbook}/revisions", version{2, 3}, (*call).listWorkbookRevisions),
		get("workbook-revision", "sites/{site}/workbooks/{workbook}/revisions/{revision}/content", version{2, 3}, (*call).downloadWorkbook),
		get("workbook-views", "sites/{site}/workbooks/{workbook}/views", version{}, (*call).listWorkbookViews),
		get("workbook-preview", "sites/{site}/workbooks/{workbook}/previewImage", version{}, (*call).workbookPreview),
		get("view-preview", "sites/{site}/workbooks/{workbook}/views/{view}/previewImage", version{}, (*call).viewPreview),
		get("views", "sites/{site}/views", version{2, 2}, (*call).listViews),
		get("view", "sites/{site}/views/{view}", version{3, 0}, (*call).getView),
		get("customviews", "sites/{site}/customviews", version{3, 18}, (*call).listCustomViews),
		get("customview", "sites/{site}/customviews/{customview}", version{3, 18}, (*call).getCustomView),
		customViewContent,
		get("datasources", "sites/{site}/datasources", version{2, 0}, (*call).listDataSources),
		get("datasource", "sites/{site}/datasources/{datasource}", version{2, 0}, (*call).getDataSource),
		get("datasource-content", "sites/{site}/datasources/{datasource}/content", version{2, 0}, (*call).downloadDataSource),
		get("datasource-revisions", "sites/{site}/datasources/{datasource}/revisions", version{2, 3}, (*call).listDataSourceRevisions),
		get("datasource-revision", "sites/{site}/datasources/{datasource}/revisions/{revision}/content", version{2, 3}, (*call).downloadDataSource),
		get("flows", "sites/{site}/flows", version{3, 3}, (*call).listFlows),
		export("customview-image", "sites/{site}/customviews/{customview}/image", version{3, 18}, (*call).customViewImage),
		export("customview-pdf", "sites/{site}/customviews/{customview}/pdf", version{3, 23}, (*call).customViewPDF),
		export("customview-data", "sites/{site}/customviews/{customview}/data", version{3, 23}, (*call).customViewData),
		export("image", "sites/{site}/views/{view}/image", version{2, 5}, (*call).viewImage),
		export("pdf", "sites/{site}/views/{view}/pdf", version{2, 7}, (*call).viewPDF),
		export("data", "sites/{site}/views/{view}/data", version{2, 7}, (*call).viewData),
		export("crosstab", "sites/{site}/views/{view}/crosstab/excel", version{3, 9}, (*call).viewCrosstab),
		export("workbook-pdf", "sites/{site}/workbooks/{workbook}/pdf", version{3, 4}, (*call).workbookPDF),
		export("workbook-powerpoint", "sites/{site}/workbooks/{workbook}/powerpoint", version{3, 8}, (*call).workbookPowerPoint),
	}
}

// serveAPI answers one request; parts is its path after /api.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, parts []string) {
	started := time.Now()
	asJSON := wantsJSON(r)
	c, refused := s.open(r, parts)
	s.stats.called(c.route.name)
	if refused.status == 0 {
		refused = c.authorize()
	}
	if refused.status != 0 {
		s.write(w, refused, asJSON)
		return
	}
	if c.route.export {
		if !s.slots.take(c.site.ID) {
			s.stats.tooMany()
			s.write(w, failure(429000, "Too many requests. The site serves %d exports at once.", maxExports), asJSON)
			return
		}
		defer s.slots.free(c.site.ID)
		defer s.stats.exporting()()
	}
	fault, faulty := s.faults.take(c)
	if faulty {
		s.stats.faulted()
		if fault.replaces() {
			s.misbehave(w, c, fault, asJSON)
			return
		}
	}
	out := c.route.handle(c)
	if c.route.export && out.file != nil {
		latency := time.Duration(s.latency.Load())
		if !wait(r.Context(), latency-time.Since(started)) {
			return
		}
		s.stats.exported(out.file)
	}
	if faulty {
		s.spoil(w, c, fault, out, asJSON)
		return
	}
	s.write(w, out, asJSON)
}

// wait pauses, and reports false where the request was given up.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// open finds the version and the route of a request. The reply has a status
// where there is none.
func (s *Server) open(r *http.Request, parts []string) (*call, reply) {
	c := &call{server: s, request: r, vars: map[string]string{}, query: queryValues(r.URL.RawQuery), route: route{name: "unknown"}}
	if len(parts) == 0 {
		return c, failure(404003, "Unknown resource '/' specified in URI.")
	}
	v, err := parseVersion(parts[0])
	switch {
	case strings.EqualFold(parts[0], "exp"):
		v = s.version
	case parts[0] == "-": // the newer family of endpoints, of which this server has none
		return c, failure(404003, "Unknown resource '/%s' specified in URI.", strings.Join(parts, "/"))
	case err != nil || s.version.before(v):
		return c, failure(404001, "Version '%s' is not a valid version of the API.", parts[0])
	}
	c.version = v
	known := false
	for _, candidate := range s.routes {
		vars, ok := candidate.match(parts[1:])
		if !ok || candidate.only != both && candidate.only != s.kind {
			continue
		}
		known = true
		if candidate.method == r.Method {
			c.route, c.vars = candidate, vars
			break
		}
	}
	switch {
	case !known:
		return c, failure(404003, "Unknown resource '/%s' specified in URI.", strings.Join(parts, "/"))
	case c.route.handle == nil:
		return c, failure(405000, "The HTTP method '%s' is not supported for the given resource", r.Method)
	case v.before(c.route.since), c.route.exp && !strings.EqualFold(parts[0], "exp"):
		return c, failure(404008, "API version '%s' does not support access to the given resource.", parts[0])
	}
	return c, reply{}
}

// match compares a path with the route's, in whatever case.
func (r route) match(parts []string) (map[string]string, bool) {
	if len(parts) != len(r.path) {
		return nil, false
	}
	vars := map[string]string{}
	for i, want := range r.path {
		if name, ok := strings.CutPrefix(want, "{"); ok {
			vars[strings.TrimSuffix(name, "}")] = parts[i]
		} else if !strings.EqualFold(want, parts[i]) {
			return nil, false
		}
	}
	return vars, true
}

// authorize finds the session of a request, and whether it may use the site
// that the path names.
func (c *call) authorize() reply {
	if c.route.open {
		return reply{}
	}
	token := c.request.Header.Get("X-Tableau-Auth")
	if token == "" {
		return failure(401000, "No authentication credentials were provided")
	}
	live, ok := c.server.accounts.session(token, c.server.clock())
	if !ok {
		return failure(401002, "Invalid authentication credentials were provided.")
	}
	c.session, c.site = live, live.site
	id, named := c.vars["site"]
	if !named {
		return reply{}
	}
	key := ""
	if c.route.name == "site" {
		key = c.query.Get("key") // elsewhere it is about what follows
	}
	asked := c.server.lookUpSite(id, key)
	switch {
	case asked == nil:
		return failure(404000, "Site '%s' could not be found.", id)
	case asked.ID != c.site.ID:
		return failure(403010, "The site in the request does not match the site that was signed in to.")
	}
	return reply{}
}

// lookUpSite finds a site by its id or, with a key, by its name or content URL.
func (s *Server) lookUpSite(value, key string) *sample.Site {
	for _, site := range s.sites {
		switch {
		case key == "name" && site.Name == value,
			key == "contentUrl" && strings.EqualFold(site.ContentURL, value),
			key == "" && strings.EqualFold(site.ID, value):
			return site
		}
	}
	return nil
}

// write sends a reply.
func (s *Server) write(w http.ResponseWriter, out reply, asJSON bool) {
	s.writeHead(w)
	for key, values := range out.header {
		w.Header()[key] = values
	}
	var body []byte
	switch {
	case out.file != nil:
		w.Header().Set("Content-Type", out.file.contentType)
		body = out.file.body
	case out.doc != nil:
		var contentType string
		contentType, body = s.encode(out.doc, asJSON)
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Vary", "Accept-Encoding")
	}
	s.stats.answered(out.status)
	if body != nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.status)
	// A client that went away is no concern of the server.
	_, _ = w.Write(body)
}

// writeHead sets what each answer of a real server carries.
func (s *Server) writeHead(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Server", "Tableau")
	h.Set("X-Tableau", "Tableau Server")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-UA-Compatible", "IE=Edge")
	h.Set("X-XSS-Protection", "1; mode=block")
	h.Set("P3P", `CP="NON"`)
}

func (c *call) serverInfo() reply {
	s := c.server
	product := element("productVersion", "build", s.build)
	product.text = s.product
	return answer(element("serverInfo").add(product, scalar("restApiVersion", s.version.String())))
}

// stamp writes a time as Tableau does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// daysHoursMinutes writes the estimated time to expiration of a token.
func daysHoursMinutes(d time.Duration) string {
	minutes := int(d / time.Minute)
	return fmt.Sprintf("%d:%02d:%02d", minutes/(24*60), minutes/60%24, minutes%60)
}
