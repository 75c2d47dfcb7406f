package tableau_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const (
	customID    = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	customRoute = "GET /api/3.27/sites/site-1/customviews"
	mine        = `{"id":"` + customID + `","name":"My view: West","shared":"true","updatedAt":"2026-01-05T03:04:05Z",` +
		`"view":{"id":"v1","name":"Overview"},"workbook":{"id":"w1","name":"Super store"},"owner":{"id":"u1","name":"j.smith"}}`
	other       = `{"id":"c2","name":"My view: West","shared":false,"view":{"id":"v1"},"owner":{"id":"u2","name":"alice"}}`
	twice       = `{"id":"c4","name":"A b","view":{"id":"v1"},"owner":{"name":"alice"}},{"id":"c5","name":"A-b","view":{"id":"v1"},"owner":{"name":"alice"}}`
	unowned     = `{"id":"c3","name":"Other","view":{"id":"v1"},"owner":{"id":"u3"}}`
	workbookOne = `{"id":"w1","name":"Super store","contentUrl":"Superstore","webpageUrl":"https://tableau.example.com/#/site/x/workbooks/10222","showTabs":"true",` +
		`"size":"1","updatedAt":"2026-01-05T03:04:05Z","defaultViewId":"v1","project":{"id":"p1","name":"Samples"},"owner":{"id":"o1","name":"ana"},"tags":{}}`
	workbookTwo = `{"id":"w2","name":"R&D","contentUrl":"R&D, äöü","webpageUrl":"https://tableau.example.com/#/workbooks/102/views","showTabs":false}`
)

var mineWant = tableau.CustomView{ID: customID, Name: "My view: West", ViewID: "v1", ViewName: "Overview", WorkbookID: "w1",
	OwnerID: "u1", OwnerName: "j.smith", Shared: true, UpdatedAt: time.Date(2026, 1, 5, 3, 4, 5, 0, time.UTC)}

// site is a fake with a view, custom views of it, and workbooks.
func site() *fake {
	return newFake().
		on(viewsRoute, byFilter(map[string]http.HandlerFunc{"contentUrl:eq:Superstore/sheets/Overview": listed(overview)})).
		on(customRoute, answerJSON(200, `{"pagination":{"totalAvailable":"5"},"customViews":{"customView":[`+mine+`,`+other+`,`+unowned+`,`+twice+`]}}`)).
		on(customRoute+"/"+customID, answerJSON(200, `{"customView":`+mine+`}`)).
		on(customRoute+"/gone", failure(404, "404008", "Resource Not Found", "")).
		on(customRoute+"/c9", answerJSON(200, `{"customView":{"id":"c9","view":{"id":"v9"}}}`)).
		on("GET /api/3.27/sites/site-1/workbooks/Superstore", answerJSON(200, `{"workbook":`+workbookOne+`}`)).
		on("GET /api/3.27/sites/site-1/workbooks", answerJSON(200, `{"pagination":{"totalAvailable":"2"},"workbooks":{"workbook":[`+workbookTwo+`,`+workbookOne+`]}}`))
}

// From each pasted form to what it means on the site.
func TestResolve(t *testing.T) {
	t.Parallel()
	const host = base + "/#/site/x"
	tests := []struct {
		pasted   string
		view     string // ids
		custom   string
		workbook string
		want     tableau.Cause
		message  string
	}{
		{host + "/views/Superstore/Overview?:iid=1", "v1", "", "", "", ""},
		{"Superstore/Overview", "v1", "", "", "", ""},
		{host + "/views/Superstore/Overview/" + customID + "/MyviewWest", "v1", customID, "", "", ""},
		{host + "/views/Superstore/Overview/j.smith/My%20view:%20West", "v1", customID, "", "", ""},
		{host + "/views/Superstore/Overview/jsmith/MyviewWest", "v1", customID, "", "", ""},
		{host + "/views/Superstore/Overview/alice/MyviewWest", "v1", "c2", "", "", ""},
		{host + "/views/Superstore/Overview/anybody/Other", "v1", "c3", "", "", ""},
		{host + "/views/Superstore/Overview/bob/MyviewWest", "", "", "", tableau.CustomViewNotFound, "does not exist"},
		{host + "/views/Superstore/Overview/alice/Ab", "", "", "", tableau.CustomViewNotFound, "Several custom views"},
		{host + "/views/Superstore/Overview/alice/A-b", "v1", "c5", "", "", ""},
		{host + "/views/Superstore/Overview/jsmith/Nothing", "", "", "", tableau.CustomViewNotFound, "does not exist"},
		{host + "/views/Superstore/Overview/3fa85f64-0000-4562-b3fc-2c963f66afa6/x", "", "", "", tableau.NotSupported, ""},
		{host + "/workbooks/10222/views", "", "", "w1", "", ""},
		{host + "/workbooks/102", "", "", "w2", "", ""},
		{host + "/workbooks/1", "", "", "", tableau.WorkbookNotFound, "workbook"},
		{base + "/t/x/workbooks/Superstore.twb", "", "", "w1", "", ""},
		{base + "/t/x/workbooks/R&D,%20%C3%A4%C3%B6%C3%BC.twbx", "", "", "w2", "", ""},
		{base + "/t/x/workbooks/R&D,%20a%CC%88o\u0308%C3%BC.twbx", "", "", "w2", "", ""}, // as macOS writes it
		{base + "/t/x/workbooks/Nowhere.twbx", "", "", "", tableau.WorkbookNotFound, "workbook"},
	}
	for _, tt := range tests {
		t.Run(tt.pasted, func(t *testing.T) {
			t.Parallel()
			address, err := tableau.ParseAddress(tt.pasted)
			if err != nil {
				t.Fatalf("ParseAddress: %v", err)
			}
			server := site()
			if tt.want == tableau.NotSupported { // an unknown path, not a custom view that is gone
				server.on(customRoute+"/3fa85f64-0000-4562-b3fc-2c963f66afa6", failure(404, "404003", "Resource Not Found", ""))
			}
			got, err := client(t, base, tableau.Options{Transport: server}).Resolve(t.Context(), session(base), address)
			if tt.want != "" {
				if e := asError(t, err); e.Cause != tt.want || !strings.Contains(e.Message(), tt.message) {
					t.Errorf("error = %v: %q, want %q with %q", e, e.Message(), tt.want, tt.message)
				}
				return
			}
			if err != nil || got.View.ID != tt.view || got.CustomView.ID != tt.custom || got.Workbook.ID != tt.workbook {
				t.Errorf("target = %+v, %v", got, err)
			}
		})
	}
}

func TestCustomViews(t *testing.T) {
	t.Parallel()
	server := site()
	c := client(t, base, tableau.Options{Transport: server})
	got, err := c.CustomView(t.Context(), session(base), customID)
	if diff := cmp.Diff(mineWant, got); err != nil || diff != "" {
		t.Errorf("CustomView: %v (-want +got):\n%s", err, diff)
	}
	for id, want := range map[string]tableau.Cause{"gone": tableau.CustomViewNotFound} {
		if _, err := c.CustomView(t.Context(), session(base), id); asError(t, err).Cause != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	for code, want := range map[string]tableau.Cause{"404048": tableau.CustomViewNotFound, "404006": tableau.CustomViewNotFound, "404011": tableau.CustomViewNotFound, "403162": tableau.NotPermitted, "401002": tableau.SessionEnded} {
		server := newFake().on(customRoute+"/x", failure(int(code[0]-'0')*100+int(code[1]-'0')*10+int(code[2]-'0'), code, "", "")).
			on("GET /api/3.27/sites/site-1/customviews/x/image", failure(404, "404008", "", ""))
		c := client(t, base, tableau.Options{Transport: server})
		if _, err := c.CustomView(t.Context(), session(base), "x"); asError(t, err).Cause != want {
			t.Errorf("%s: %v, want %s", code, err, want)
		}
		if _, _, err := exportTo(t, c, session(base), tableau.ExportRequest{CustomViewID: "x", Format: tableau.PNG}); asError(t, err).Cause != tableau.CustomViewNotFound {
			t.Errorf("exporting one that is gone: %v", err)
		}
	}
	list, err := c.CustomViews(t.Context(), session(base), "v1")
	if err != nil || len(list) != 5 || list[0] != mineWant {
		t.Errorf("CustomViews = %+v, %v", list, err)
	}
	if want := "filter=viewId%3Aeq%3Av1"; !strings.Contains(server.paths()[len(server.paths())-1], want) {
		t.Errorf("requests = %q, want %q in the last", server.paths(), want)
	}
	address := tableau.Address{ContentURL: "Superstore/Overview", CustomView: "c9"}
	if _, err := c.Resolve(t.Context(), session(base), address); asError(t, err).Cause != tableau.CustomViewNotFound {
		t.Errorf("a custom view of another view: %v", err)
	}

	old, asked := session(base), len(server.requests())
	old.APIVersion = "3.17"
	_, one := c.CustomView(t.Context(), old, customID)
	_, all := c.CustomViews(t.Context(), old, "v1")
	for _, err := range []error{one, all} {
		if e := asError(t, err); e.Cause != tableau.NotSupported || !strings.Contains(e.Message(), "2023.1") {
			t.Errorf("at 3.17: %v", e)
		}
	}
	if n := len(server.requests()); n != asked {
		t.Errorf("at 3.17: %d requests", n-asked)
	}
}

// The forms in which servers have been seen to write custom views and tokens.
func TestCustomViewsDecodeTolerantly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want int
	}{
		"flat list":     {`{"customViews":[` + mine + `]}`, 1},
		"single":        {`{"customViews":{"customView":` + mine + `}}`, 1},
		"single, bare":  {`{"customView":` + mine + `}`, 0},
		"none":          {`{"pagination":{"totalAvailable":"0"},"customViews":{}}`, 0},
		"shared as yes": {`{"customViews":[` + strings.Replace(mine, `"true"`, `true`, 1) + `]}`, 1},
	} {
		got, err := client(t, base, tableau.Options{Transport: newFake().on(customRoute, answerJSON(200, tt.body))}).CustomViews(t.Context(), session(base), "v1")
		if err != nil || len(got) != tt.want || len(got) == 1 && got[0] != mineWant {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestWorkbooks(t *testing.T) {
	t.Parallel()
	server := site().on("GET /api/3.27/sites/site-1/workbooks/w1/views", answerJSON(200, `{"views":{"view":[{"id":"v1","name":"Overview","contentUrl":"Superstore/sheets/Overview"}]}}`))
	c := client(t, base, tableau.Options{Transport: server})
	got, err := c.FindWorkbook(t.Context(), session(base), "Superstore")
	want := tableau.Workbook{ID: "w1", Name: "Super store", ContentURL: "Superstore", WebpageURL: base + "/#/site/x/workbooks/10222", ShowTabs: true, DefaultViewID: "v1",
		ProjectID: "p1", ProjectName: "Samples", OwnerID: "o1", OwnerName: "ana", UpdatedAt: time.Date(2026, 1, 5, 3, 4, 5, 0, time.UTC)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("FindWorkbook: %v (-want +got):\n%s", err, diff)
	}
	views, err := c.WorkbookViews(t.Context(), session(base), got)
	if err != nil || len(views) != 1 || views[0].WorkbookName != "Super store" || views[0].ProjectID != "p1" || views[0].WorkbookContentURL != "Superstore" {
		t.Errorf("WorkbookViews = %+v, %v", views, err)
	}
	server.on("GET /api/3.27/sites/site-1/workbooks", failure(403, "403018", "", ""))
	if _, err := c.FindWorkbookPage(t.Context(), session(base), "10222"); asError(t, err).Cause != tableau.NotPermitted {
		t.Errorf("not permitted: %v", err)
	}
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	const (
		route = "GET /api/3.27/sites/site-1/users/user-1/personal-access-tokens"
		one   = `{"tokenName":"nightly","tokenGuid":"g1","lastUsedAt":"2026-11-01T08:00:00Z","expiresAt":"2027-01-31T00:00:00Z"}`
	)
	want := tableau.AccessToken{Name: "nightly", ID: "g1", LastUsedAt: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC), ExpiresAt: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}
	for name, body := range map[string]string{
		"plain list": `{"personalAccessTokens":[` + one + `]}`,
		"wrapped":    `{"personalAccessTokens":{"personalAccessToken":[` + one + `]}}`,
		"single":     `{"personalAccessTokens":{"personalAccessToken":` + one + `}}`,
		"bare":       `{"personalAccessTokens":` + one + `}`,
		"and odd":    `{"personalAccessTokens":[{"tokenGuid":"x"},` + one + `]}`,
	} {
		got, err := client(t, base, tableau.Options{Transport: newFake().on(route, answerJSON(200, body))}).AccessTokens(t.Context(), session(base), "user-1")
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	none, err := client(t, base, tableau.Options{Transport: newFake().on(route, answerJSON(200, `{"personalAccessTokens":[]}`))}).AccessTokens(t.Context(), session(base), "user-1")
	if err != nil || len(none) != 0 {
		t.Errorf("none: %+v, %v", none, err)
	}
	old := session(base)
	old.APIVersion = "3.20"
	for name, s := range map[string]tableau.Session{"too old": old, "a Tableau Server": session(base)} {
		_, err := client(t, base, tableau.Options{Transport: newFake()}).AccessTokens(t.Context(), s, "user-1")
		if e := asError(t, err); e.Cause != tableau.NotSupported || !strings.Contains(e.Message(), "Tableau Cloud") {
			t.Errorf("%s: %v: %q", name, e, e.Message())
		}
	}
	if _, err := client(t, base, tableau.Options{Transport: newFake().on(route, failure(403, "403004", "", ""))}).AccessTokens(t.Context(), session(base), "user-1"); asError(t, err).Cause != tableau.NotPermitted {
		t.Errorf("of others: %v", err)
	}
}

// The same against the stand-in, a Tableau Cloud and a Tableau Server.
func TestStandInFindsAndLists(t *testing.T) {
	t.Parallel()
	server, c, s := standIn(t, tableautest.Options{Cloud: true})
	tokens, err := c.AccessTokens(t.Context(), s, s.UserID)
	name, _ := server.PAT()
	if err != nil || len(tokens) != 1 || tokens[0].Name != name || !tokens[0].ExpiresAt.After(tokens[0].LastUsedAt) {
		t.Errorf("AccessTokens = %+v, %v", tokens, err)
	}
	books, err := c.Workbooks(t.Context(), s)
	if err != nil || len(books) < 3 {
		t.Fatalf("Workbooks = %+v, %v", books, err)
	}
	for _, want := range books {
		found, err := c.FindWorkbook(t.Context(), s, want.ContentURL)
		if diff := cmp.Diff(want, found); err != nil || diff != "" {
			t.Errorf("FindWorkbook(%q): %v (-listed +found):\n%s", want.ContentURL, err, diff)
		}
		address, err := tableau.ParseAddress(want.WebpageURL + "/views")
		if err != nil {
			t.Fatalf("ParseAddress(%q): %v", want.WebpageURL, err)
		}
		if target, err := c.Resolve(t.Context(), s, address); err != nil || target.Workbook != want {
			t.Errorf("Resolve(%q) = %+v, %v", want.WebpageURL, target, err)
		}
		var thumbnail bytes.Buffer
		if err := c.WorkbookPreviewImage(t.Context(), s, want.ID, &thumbnail); err != nil {
			t.Errorf("WorkbookPreviewImage: %v", err)
		}
		if _, err := content.Check(t.Context(), bytes.NewReader(thumbnail.Bytes()), int64(thumbnail.Len()), content.PNG); err != nil {
			t.Errorf("the thumbnail of %s: %v", want.Name, err)
		}
	}
	view := mustFind(t, c, s, customOf)
	custom, err := c.CustomViews(t.Context(), s, view.ID)
	if err != nil || len(custom) < 2 {
		t.Fatalf("CustomViews = %+v, %v", custom, err)
	}
	for _, want := range custom {
		found, err := c.CustomView(t.Context(), s, want.ID)
		if err != nil || found != want {
			t.Errorf("CustomView = %+v, %v, want %+v", found, err, want)
		}
		if found, err = c.FindCustomView(t.Context(), s, view.ID, want.OwnerName, want.Name); err != nil || found != want {
			t.Errorf("FindCustomView(%q, %q) = %+v, %v", want.OwnerName, want.Name, found, err)
		}
		address, err := tableau.ParseAddress(tableau.ViewURL(s.ServerURL, s.SiteContentURL, view.ContentURL) + "/" + want.ID + "/x?:iid=1")
		if err != nil {
			t.Fatalf("ParseAddress: %v", err)
		}
		if target, err := c.Resolve(t.Context(), s, address); err != nil || target.CustomView != want || target.View.ID != view.ID {
			t.Errorf("Resolve = %+v, %v", target, err)
		}
	}
	if _, err := c.CustomView(t.Context(), s, customID); asError(t, err).Cause != tableau.CustomViewNotFound {
		t.Errorf("a custom view that is not there: %v", err)
	}
	_, own, session := standIn(t, tableautest.Options{})
	if _, err := own.AccessTokens(t.Context(), session, session.UserID); asError(t, err).Cause != tableau.NotSupported {
		t.Errorf("on a Tableau Server: %v", err)
	}
}

// A list that never ends is given up, and the error says which list it was.
func TestEndlessLists(t *testing.T) {
	t.Parallel()
	server := newFake().
		on("GET /api/3.27/sites/site-1/workbooks", answer(200, "application/json", `{"pagination":{"pageSize":"1","totalAvailable":"999999999"},"workbooks":{"workbook":[{"id":"w"}]}}`)).
		on("GET /api/3.27/sites/site-1/customviews", answer(200, "application/json", `{"pagination":{"pageSize":"1","totalAvailable":"999999999"},"customViews":{"customView":[{"id":"c"}]}}`))
	c := client(t, base, tableau.Options{Transport: server})
	_, err := c.Workbooks(t.Context(), session(base))
	if e := asError(t, err); e.Cause != tableau.TooLarge || e.Op != "list workbooks" {
		t.Errorf("got %v, want the workbooks to be too many", e)
	}
	_, err = c.CustomViews(t.Context(), session(base), "v")
	if e := asError(t, err); e.Cause != tableau.TooLarge || e.Op != "list custom views" {
		t.Errorf("got %v, want the custom views to be too many", e)
	}
}
