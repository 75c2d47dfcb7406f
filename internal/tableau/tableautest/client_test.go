package tableautest_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// start is the instant at which the clocks of these tests begin.
var start = time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)

// answer is what came back, with the parts of a document that tests look at.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
	Err    error // of reading the body
}

// document is the union of the XML answers.
type document struct {
	XMLName xml.Name
	Error   struct {
		Code    string `xml:"code,attr"`
		Summary string `xml:"summary"`
		Detail  string `xml:"detail"`
	} `xml:"error"`
	Credentials struct {
		Token    string `xml:"token,attr"`
		Estimate string `xml:"estimatedTimeToExpiration,attr"`
		Site     struct {
			ID         string `xml:"id,attr"`
			ContentURL string `xml:"contentUrl,attr"`
		} `xml:"site"`
		User struct {
			ID string `xml:"id,attr"`
		} `xml:"user"`
	} `xml:"credentials"`
	Pagination *struct {
		Number int `xml:"pageNumber,attr"`
		Size   int `xml:"pageSize,attr"`
		Total  int `xml:"totalAvailable,attr"`
	} `xml:"pagination"`
	Views     []item `xml:"views>view"`
	View      *item  `xml:"view"`
	Workbooks []item `xml:"workbooks>workbook"`
	Workbook  *item  `xml:"workbook"`
	Projects  []item `xml:"projects>project"`
	Sites     []item `xml:"sites>site"`
	Users     []item `xml:"users>user"`
	User      *item  `xml:"user"`

	CustomViews []item `xml:"customViews>customView"`
	CustomView  *item  `xml:"customView"`
	Tokens      []item `xml:"personalAccessTokens>personalAccessToken"`
	DataSources []item `xml:"datasources>datasource"`
	DataSource  *item  `xml:"datasource"`
	Revisions   []item `xml:"revisions>revision"`
}

// item is an element with all its attributes and elements.
type item struct {
	Name  xml.Name
	Attrs []xml.Attr
	Inner []item
}

func (i item) attr(name string) string {
	for _, a := range i.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (i item) child(name string) (item, bool) {
	for _, c := range i.Inner {
		if c.Name.Local == name {
			return c, true
		}
	}
	return item{}, false
}

// UnmarshalXML implements [xml.Unmarshaler]: struct tags cannot keep the names
// of elements that are not known beforehand.
func (i *item) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	i.Name, i.Attrs = start.Name, start.Attr
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			var inner item
			if err := inner.UnmarshalXML(d, t); err != nil {
				return err
			}
			i.Inner = append(i.Inner, inner)
		case xml.EndElement:
			return nil
		}
	}
}

func names(items []item) []string {
	out := []string{}
	for _, i := range items {
		out = append(out, i.attr("name"))
	}
	return out
}

func (a answer) document(t *testing.T) document {
	t.Helper()
	if got, want := a.Header.Get("Content-Type"), "application/xml;charset=utf-8"; got != want {
		t.Fatalf("Content-Type = %q, want %q; body: %s", got, want, a.Body)
	}
	if !bytes.HasPrefix(a.Body, []byte("<?xml version='1.0' encoding='UTF-8'?><tsResponse xmlns=\"http://tableau.com/api\"")) {
		t.Fatalf("body does not begin as Tableau's: %s", a.Body)
	}
	var d document
	if err := xml.Unmarshal(a.Body, &d); err != nil {
		t.Fatalf("answer is no XML: %v\n%s", err, a.Body)
	}
	return d
}

// code is the error code, or the empty string.
func (a answer) code(t *testing.T) string {
	t.Helper()
	return a.document(t).Error.Code
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	if got, want := a.Header.Get("Content-Type"), "application/json;charset=utf-8"; got != want {
		t.Fatalf("Content-Type = %q, want %q; body: %s", got, want, a.Body)
	}
	var out map[string]any
	if err := json.Unmarshal(a.Body, &out); err != nil {
		t.Fatalf("answer is no JSON: %v\n%s", err, a.Body)
	}
	return out
}

func decodeJSON(t *testing.T, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("this is no JSON: %v\n%s", err, body)
	}
}

// at walks into decoded JSON by keys.
func at(v any, keys ...string) any {
	for _, k := range keys {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[k]
	}
	return v
}

// client talks to a stand-in over HTTP.
type client struct {
	t       *testing.T
	server  *tableautest.Server
	address string
	version string
	token   string
	site    string
}

// newClient starts a server whose clock stands still.
func newClient(t *testing.T, o tableautest.Options) *client {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return start }
	}
	server := tableautest.New(o)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	return &client{t: t, server: server, address: web.URL, version: "3.29"}
}

func (c *client) do(method, path, body string, header http.Header) answer {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.address+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatalf("making the request: %v", err)
	}
	if header != nil {
		request.Header = header
	}
	transport := &http.Transport{DisableKeepAlives: true}
	web := &http.Client{
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := web.Do(request)
	if err != nil {
		return answer{Err: err}
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{Status: response.StatusCode, Header: response.Header, Body: read, Err: err}
}

// post sends a sign-in body as XML, without a Content-Type, as Tableau's Python
// client does.
func (c *client) post(body string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/api/"+c.version+"/auth/signin", body, http.Header{})
}

func tokenBody(name, secret, site string) string {
	return `<tsRequest><credentials personalAccessTokenName="` + name + `" personalAccessTokenSecret="` + secret +
		`"><site contentUrl="` + site + `"/></credentials></tsRequest>`
}

func passwordBody(user, password, site string) string {
	return `<tsRequest><credentials name="` + user + `" password="` + password +
		`"><site contentUrl="` + site + `"/></credentials></tsRequest>`
}

// signIn signs in with the first token on the main site and keeps the session.
func (c *client) signIn() *client {
	c.t.Helper()
	name, secret := c.server.PAT()
	return c.use(c.post(tokenBody(name, secret, "demo")))
}

// use takes over the session of a sign-in.
func (c *client) use(a answer) *client {
	c.t.Helper()
	d := a.document(c.t)
	if a.Status != http.StatusOK {
		c.t.Fatalf("sign-in answered %d: %s", a.Status, a.Body)
	}
	c.token, c.site = d.Credentials.Token, d.Credentials.Site.ID
	return c
}

// get asks for a path below the site.
func (c *client) get(path string) answer {
	c.t.Helper()
	return c.getAs("*/*", path)
}

func (c *client) getAs(accept, path string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, "/api/"+c.version+"/sites/"+c.site+path, "",
		http.Header{"X-Tableau-Auth": {c.token}, "Accept": {accept}})
}

// view returns the id of a view by its content URL.
func (c *client) view(contentURL string) string {
	c.t.Helper()
	d := c.get("/views?filter=" + url.QueryEscape("contentUrl:eq:"+contentURL)).document(c.t)
	if len(d.Views) != 1 {
		c.t.Fatalf("found %d views at %s, want 1", len(d.Views), contentURL)
	}
	return d.Views[0].attr("id")
}

// file asks for an export and fails where there is none.
func (c *client) file(path, contentType string) []byte {
	c.t.Helper()
	a := c.get(path)
	if a.Status != http.StatusOK || a.Err != nil {
		c.t.Fatalf("GET %s answered %d (%v): %.300s", path, a.Status, a.Err, a.Body)
	}
	if got := a.Header.Get("Content-Type"); got != contentType {
		c.t.Fatalf("GET %s: Content-Type = %q, want %q", path, got, contentType)
	}
	return a.Body
}
