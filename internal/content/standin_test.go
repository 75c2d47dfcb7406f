package content_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// formats are all that there are.
func formats() []string {
	return []string{content.PNG, content.SVG, content.PDF, content.CSV, content.XLSX, content.PPTX}
}

// exports are what the stand-in sends of a dashboard, by format, as it is and
// without content.
type exports struct{ full, blank map[string][]byte }

// exported asks the stand-in once for all tests.
var exported = sync.OnceValues(askStandIn)

func standIn(t testing.TB) exports {
	t.Helper()
	e, err := exported()
	if err != nil {
		t.Fatalf("exporting from the stand-in: %v", err)
	}
	return e
}

func askStandIn() (exports, error) {
	server := tableautest.New(tableautest.Options{})
	token := ""
	ask := func(method, path, body string) ([]byte, error) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("X-Tableau-Auth", token)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code >= 300 {
			return nil, fmt.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.Bytes(), nil
	}
	name, secret := server.PAT()
	answer, err := ask(http.MethodPost, "/api/3.29/auth/signin", fmt.Sprintf(
		`{"credentials":{"personalAccessTokenName":%q,"personalAccessTokenSecret":%q,"site":{"contentUrl":%q}}}`, name, secret, server.Site()))
	if err != nil {
		return exports{}, err
	}
	var session struct {
		Credentials struct {
			Token string
			Site  struct{ ID string }
		}
	}
	if err := json.Unmarshal(answer, &session); err != nil {
		return exports{}, err
	}
	token = session.Credentials.Token
	site := "/api/3.29/sites/" + session.Credentials.Site.ID
	if answer, err = ask(http.MethodGet, site+"/views", ""); err != nil {
		return exports{}, err
	}
	var list struct {
		Views struct {
			View []struct {
				ID       string
				Workbook struct{ ID string }
			}
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return exports{}, err
	}
	view := list.Views.View[0]
	out := exports{full: map[string][]byte{}, blank: map[string][]byte{}}
	for format, path := range map[string]string{
		content.PNG: "/views/" + view.ID + "/image", content.SVG: "/views/" + view.ID + "/image?format=svg",
		content.PDF: "/views/" + view.ID + "/pdf", content.CSV: "/views/" + view.ID + "/data",
		content.XLSX: "/views/" + view.ID + "/crosstab/excel", content.PPTX: "/workbooks/" + view.Workbook.ID + "/powerpoint",
	} {
		if out.full[format], err = ask(http.MethodGet, site+path, ""); err != nil {
			return exports{}, err
		}
		if _, err := ask(http.MethodPost, "/-/faults", `{"kind":"blank","route":"any"}`); err != nil {
			return exports{}, err
		}
		if out.blank[format], err = ask(http.MethodGet, site+path, ""); err != nil {
			return exports{}, err
		}
	}
	return out, nil
}
