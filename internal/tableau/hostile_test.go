package tableau_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/tableau"
)

const (
	workbooksRoute   = "GET /api/3.27/sites/site-1/workbooks"
	customViewsRoute = "GET /api/3.27/sites/site-1/customviews"
)

// A small packed answer does not take the memory of what it stands for. It is
// not run beside others, whose memory would be counted too.
func TestSmallAnswersTakeLittleMemory(t *testing.T) {
	const bound = 128 << 20 // bytes allocated, of which the collector takes most back
	repeated := func(open, item, end string, n int) []byte {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = io.WriteString(w, open)
		for i := range n {
			if i > 0 {
				_, _ = io.WriteString(w, ",")
			}
			_, _ = io.WriteString(w, item)
		}
		_, _ = io.WriteString(w, end)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return packed.Bytes()
	}
	const paged = `{"pagination":{"pageNumber":"1","pageSize":"1000","totalAvailable":"1"},`
	for _, tt := range []struct {
		name string
		body []byte
		says string // what the error's message does
	}{
		{"many views, 30 MB", repeated(paged+`"views":{"view":[`, `{"id":"a"}`, `]}}`, 2_700_000), "more than 4 MiB"},
		{"many views, below 4 MiB", repeated(paged+`"views":{"view":[`, `{"id":"a"}`, `]}}`, 350_000), "more than 1000 items"},
		{"the fewest bytes for a view", repeated(paged+`"views":[`, `{}`, `]}`, 1_300_000), "more than 1000 items"},
		{"many arrays", repeated(paged+`"views":{`, `"a":[{},{}]`, `}}`, 300_000), "more than 1000 items"},
		{"many members", repeated(paged+`"views":{`, `"a":{}`, `}}`, 550_000), "more than 1000 items"},
		{"many members without an item", repeated(paged+`"views":{`, `"a":0`, `}}`, 650_000), "more than 1000 items"},
		{"a list often", repeated(paged+`"x":0,`, `"views":[{},{},{},{},{},{},{},{}]`, `}`, 100_000), "more than 1000 items"},
		{"an item of many members", repeated(paged+`"views":[{`, `"id":""`, `}]}`, 500_000), ""},
		{"an item of many escapes", repeated(paged+`"views":[{"id":"a",`, `"name":"\n"`, `}]}`, 300_000), ""},
		{"versions", repeated(paged, `"serverInfo":{"productVersion":{}}`, `}`, 110_000), ""},
		{"nested as deep as can be", repeated(paged+`"views":`, strings.Repeat("[", 4_000_000), `}`, 1), "cannot read"},
		{"a long name", repeated(paged+`"views":[{"id":"a","name":"`, strings.Repeat("x", 4_000_000), `"}]}`, 1), ""},
		{"white space", repeated(paged, strings.Repeat(" ", 30_000_000), `}`, 1), "more than 4 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			served := newFake().on(viewsRoute, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(tt.body)
			}).listen(t)
			c := client(t, served, tableau.Options{Transport: guarded(t)})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Views(t.Context(), session(served), 1)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > bound {
				t.Errorf("an answer of %d bytes took %d MiB, want at most %d", len(tt.body), took>>20, bound>>20)
			}
			switch {
			case tt.says == "" && err != nil:
				t.Errorf("Views: %v", err)
			case tt.says != "" && !strings.Contains(asError(t, err).Message(), tt.says):
				t.Errorf("message = %q, want one that says %q", asError(t, err).Message(), tt.says)
			}
		})
	}
}

// Every list is bounded, wherever it comes from, and what is too long is not
// asked for again.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	many := func(name string) http.HandlerFunc {
		return answerJSON(200, fmt.Sprintf(`{"pagination":{"totalAvailable":"1"},%q:[%s{"id":"x","tokenName":"x"}]}`, name, strings.Repeat(`{"id":"x","tokenName":"x"},`, 1000)))
	}
	for name, tt := range map[string]struct {
		route string
		body  http.HandlerFunc
		call  func(context.Context, *tableau.Client, tableau.Session) error
	}{
		"views": {viewsRoute, many("views"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.Views(ctx, s, 1)
			return err
		}},
		"views of a workbook": {"GET /api/3.27/sites/site-1/workbooks/w/views", many("views"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.WorkbookViews(ctx, s, tableau.Workbook{ID: "w"})
			return err
		}},
		"a workbook": {"GET /api/3.27/sites/site-1/workbooks/Book", many("workbooks"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.FindWorkbook(ctx, s, "Book")
			return err
		}},
		"workbooks": {workbooksRoute, many("workbooks"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.Workbooks(ctx, s)
			return err
		}},
		"custom views": {customViewsRoute, many("customViews"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.CustomViews(ctx, s, "v")
			return err
		}},
		"tokens": {"GET /api/3.27/sites/site-1/users/user-1/personal-access-tokens", many("personalAccessTokens"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.AccessTokens(ctx, s, "user-1")
			return err
		}},
		"a list in the answer to a sign-in": {"POST /api/3.27/auth/signin", many("views"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.SignIn(ctx, token, "acme")
			return err
		}},
		"a list in the server info": {"GET /api/2.4/serverinfo", many("views"), func(ctx context.Context, c *tableau.Client, s tableau.Session) error {
			_, err := c.ServerInfo(ctx)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, base, tableau.Options{Transport: tableauServer().on(tt.route, tt.body)})
			e := asError(t, tt.call(t.Context(), c, session(base)))
			if e.Cause != tableau.TooLarge || e.Retry || !strings.Contains(e.Message(), "more than 1000 items") {
				t.Errorf("error = %v, retry %t, message %q; want that the list is too long", e, e.Retry, e.Message())
			}
		})
	}
}

// A page that is too long in bytes is asked for in smaller ones, from where the
// list was.
func TestLongPagesAreReadInSmallerOnes(t *testing.T) {
	t.Parallel()
	const n, longFrom = 2345, 1500
	served := newFake().on(workbooksRoute, func(w http.ResponseWriter, r *http.Request) {
		page, size := 1, 0
		_, _ = fmt.Sscan(r.URL.Query().Get("pageNumber"), &page)
		_, _ = fmt.Sscan(r.URL.Query().Get("pageSize"), &size)
		var books []string
		for i := (page - 1) * size; i < min(page*size, n); i++ {
			description := ""
			if i >= longFrom {
				description = strings.Repeat("x", 20_000)
			}
			books = append(books, fmt.Sprintf(`{"id":"w%d","description":%q}`, i, description))
		}
		answerJSON(200, fmt.Sprintf(`{"pagination":{"totalAvailable":"%d"},"workbooks":{"workbook":[%s]}}`, n, strings.Join(books, ",")))(w, r)
	})
	c := client(t, base, tableau.Options{Transport: served})
	books, err := c.Workbooks(t.Context(), session(base))
	if err != nil || len(books) != n {
		t.Fatalf("Workbooks = %d of %d, %v", len(books), n, err)
	}
	for i, w := range books {
		if w.ID != fmt.Sprintf("w%d", i) {
			t.Fatalf("workbook %d is %s", i, w.ID)
		}
	}
	if got, want := len(served.requests()), 1+1+14; got != want {
		t.Errorf("%d requests, want %d: one of a thousand, one too long, and the rest in hundreds", got, want)
	}
}

// A list that goes on within all limits of a page ends at those of the whole.
func TestWholeListsAreBounded(t *testing.T) {
	t.Parallel()
	const pagination = `{"pagination":{"pageSize":"1000","totalAvailable":"999999999"},`
	for name, tt := range map[string]struct{ item, says string }{
		"items": {`{"id":"x"}`, "200000 items"},
		"text":  {`{"id":"x","name":"` + strings.Repeat("n", 4000) + `"}`, "64 MiB of names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := answerJSON(200, pagination+`"views":[`+strings.Repeat(tt.item+",", 999)+tt.item+`]}`)
			c := client(t, base, tableau.Options{Transport: newFake().on(viewsRoute, page)})
			var last error
			for _, err := range c.AllViews(t.Context(), session(base)) {
				last = err
			}
			if e := asError(t, last); e.Cause != tableau.TooLarge || !strings.Contains(e.Message(), tt.says) {
				t.Errorf("error = %v, message %q; want one that says %q", e, e.Message(), tt.says)
			}
		})
	}
}

// What names something is never longer than it can be stored and shown, and a
// session's token is whole.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"plain": strings.Repeat("x", 100_000), "umlauts": "x" + strings.Repeat("ü", 50_000), "escaped": strings.Repeat(`\n\u00fc`, 10_000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"views":[{"id":"v","name":"` + text + `","contentUrl":"` + text + `"}],"user":{"id":"u","fullName":"` + text + `"}}`
			served := tableauServer().on(viewsRoute, answerJSON(200, body)).on("GET /api/3.27/sites/site-1/users/u", answerJSON(200, body)).
				on("POST /api/3.27/auth/signin", answerJSON(200, strings.Replace(signInBody, sessionToken, text, 1)))
			c := client(t, base, tableau.Options{Transport: served})
			page, err := c.Views(t.Context(), session(base), 1)
			if err != nil || len(page.Views) != 1 {
				t.Fatalf("Views = %+v, %v", page, err)
			}
			user, err := c.User(t.Context(), session(base), "u")
			if err != nil {
				t.Fatalf("User: %v", err)
			}
			for _, got := range []string{page.Views[0].Name, page.Views[0].ContentURL, user.FullName} {
				if len(got) > 4096 || len(got) < 4000 || !utf8.ValidString(got) {
					t.Errorf("a text of %d bytes, valid %t; want one that is cut to 4096", len(got), utf8.ValidString(got))
				}
			}
			if s, err := c.SignIn(t.Context(), token, "acme"); asError(t, err).Cause != tableau.Unknown {
				t.Errorf("SignIn = %d bytes of a token, %v; want an error", len(s.Token.Reveal()), err)
			}
		})
	}
}

// drops is a body that brings a byte a second and never ends, and takes no notice
// of the request's context.
type drops struct{}

func (drops) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	p[0] = ' '
	return 1, nil
}

func (drops) Close() error { return nil }

// A body that drips ends with the call's deadline, whatever the call is.
func TestDrippingBodiesEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 202, 400, 500} {
		for name, call := range map[string]func(*tableau.Client) error{
			"a list": func(c *tableau.Client) error {
				_, err := c.Views(context.Background(), session(base), 1)
				return err
			},
			"server info": func(c *tableau.Client) error {
				_, err := c.ServerInfo(context.Background())
				return err
			},
			"an export": func(c *tableau.Client) error {
				_, err := c.Export(context.Background(), session(base), tableau.ExportRequest{ViewID: "v", Format: tableau.CSV}, io.Discard)
				return err
			},
			"a thumbnail": func(c *tableau.Client) error {
				return c.PreviewImage(context.Background(), session(base), "w", "v", io.Discard)
			},
		} {
			if status == 202 && name != "a list" && name != "server info" {
				continue // a success without the file, whose body is not read
			}
			t.Run(fmt.Sprint(status, " ", name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					transport := roundTripper(func(r *http.Request) (*http.Response, error) {
						return &http.Response{StatusCode: status, Header: http.Header{}, Body: drops{}, ContentLength: -1, Request: r}, nil
					})
					c := client(t, base, tableau.Options{Transport: transport, CallTimeout: 20 * time.Second, ExportTimeout: time.Minute})
					start := time.Now()
					e := asError(t, call(c))
					if took := time.Since(start); e.Cause != tableau.Timeout || took > time.Minute+time.Second {
						t.Errorf("after %s: %v, want a timeout", took, e)
					}
				})
			})
		}
	}
}
