package tableautest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// BenchmarkExport draws the dashboard anew each time.
func BenchmarkExport(b *testing.B) {
	server := tableautest.New(tableautest.Options{})
	name, secret := server.PAT()
	session := decode(serve(server, http.MethodPost, "/api/3.29/auth/signin", tokenBody(name, secret, "demo"), nil))
	header := http.Header{"X-Tableau-Auth": {session.Credentials.Token}}
	views := "/api/3.29/sites/" + session.Credentials.Site.ID + "/views"
	id := decode(serve(server, http.MethodGet, views, "", header)).Views[0].attr("id")
	for _, path := range []string{"/image?", "/image?resolution=high&", "/pdf?", "/data?", "/crosstab/excel?"} {
		b.Run(path, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n++
				if w := serve(server, http.MethodGet, fmt.Sprintf("%s/%s%svf_Parameters.Top+N=%d", views, id, path, n), "", header); w.Code != http.StatusOK {
					b.Fatalf("answer %d", w.Code)
				}
			}
		})
	}
}
