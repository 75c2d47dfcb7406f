package tableautest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// TestManyClients lets clients sign in, list and export at once while the clock
// moves, tokens are revoked and views are broken and set right. None may see
// anything but an answer or one of the refusals that these have; the race
// detector watches the rest.
func TestManyClients(t *testing.T) {
	t.Parallel()
	server := tableautest.New(tableautest.Options{})
	site := decode(serve(server, http.MethodPost, "/api/3.29/auth/signin", tokenBody("first", server.NewPAT("", "first"), "demo"), nil)).Credentials.Site.ID
	const views = "Superstore/sheets/"
	sheets := []string{"Overview", "SalesbyRegion", "MonthlySales"}
	paths := []string{
		"/views?filter=contentUrl:eq:" + views + sheets[0], "/workbooks", "/customviews", "/projects", "/users", "/datasources", "/nothing",
		"/views/%s/data?maxAge=1&vf_Region=West", "/views/%s/crosstab/excel", "/views/%s/image?vizWidth=200&vizHeight=150", "/views/%s",
	}
	allowed := []int{http.StatusOK, http.StatusNoContent, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests}
	check := func(what string, code int) {
		if !slices.Contains(allowed, code) {
			t.Errorf("%s answers %d", what, code)
		}
	}
	client := func(n int, user, name, secret string) {
		rnd := rand.New(rand.NewPCG(1, uint64(n)))
		token := ""
		for range 60 {
			switch rnd.IntN(12) {
			case 0, 1:
				w := serve(server, http.MethodPost, "/api/3.29/auth/signin", tokenBody(name, secret, "demo"), nil)
				check("signing in", w.Code)
				if w.Code == http.StatusUnauthorized { // revoked, or locked by others
					secret = server.NewPAT(user, name)
				}
				token = decode(w).Credentials.Token
			case 2:
				server.Advance(time.Duration(rnd.IntN(300)-30) * time.Minute)
			case 3:
				server.RevokeTokens(user)
			case 4:
				if err := server.SetTrouble(views+sheets[rnd.IntN(len(sheets))], tableautest.Trouble{Hidden: rnd.IntN(2) == 0, NoCredentials: rnd.IntN(3) == 0}); err != nil {
					t.Error(err)
				}
				server.Troubles()
			case 5:
				check("signing out", serve(server, http.MethodPost, "/api/3.29/auth/signout", "", http.Header{"X-Tableau-Auth": {token}}).Code)
			case 6:
				if err := server.AddFault(tableautest.Fault{Kind: tableautest.FaultSessionEnded, Route: "data"}); err != nil {
					t.Error(err)
				}
				server.Faults()
			default:
				path, id := paths[rnd.IntN(len(paths))], ""
				found := decode(serve(server, http.MethodGet, "/api/3.29/sites/"+site+"/views", "", http.Header{"X-Tableau-Auth": {token}})).Views
				if len(found) > 0 {
					id = found[rnd.IntN(min(4, len(found)))].attr("id")
				}
				if slices.Contains(paths[7:], path) {
					path = fmt.Sprintf(path, id)
				}
				check(path, serve(server, http.MethodGet, "/api/3.29/sites/"+site+path, "", http.Header{"X-Tableau-Auth": {token}}).Code)
			}
		}
	}
	var clients sync.WaitGroup
	for pair := range 4 {
		// Two clients share a token, and end one another's sessions.
		user, name := []string{tableautest.DefaultUser, tableautest.SecondUser}[pair%2], fmt.Sprint("token ", pair)
		secret := server.NewPAT(user, name)
		for n := range 2 {
			clients.Go(func() { client(2*pair+n, user, name, secret) })
		}
	}
	clients.Wait()
	server.ClearFaults()
	if got := server.Stats(); got.ExportsInFlight != 0 || got.SessionsLive > 5 {
		t.Errorf("at the end %d exports are in flight and %d sessions live, of four tokens and one more", got.ExportsInFlight, got.SessionsLive)
	}
}
