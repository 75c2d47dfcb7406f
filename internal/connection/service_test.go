package connection_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		in := w.settings()
		in.Name, in.ServerURL, in.Site = "  Sales ", "tableau.test/#/site/"+w.tableau.Site()+"/home", ""
		in.ExpiresAt = time.Now().AddDate(1, 0, 0) // Tableau says better
		c, err := w.Create(w.Context(), "c1", in)
		w.succeed(err)
		want := connection.Connection{
			ID: "c1", Name: "Sales", ServerURL: serverURL, Site: w.tableau.Site(),
			Auth:              connection.Auth{Method: tableau.PersonalAccessToken, TokenName: tableautest.DefaultTokenName},
			CredentialVersion: c.CredentialVersion, Fingerprint: c.Fingerprint,
			State:    connection.Connected,
			Identity: connection.Identity{SiteID: c.Identity.SiteID, UserID: c.Identity.UserID, UserName: tableautest.DefaultUser},
			Server:   connection.Server{ProductVersion: c.Server.ProductVersion, RESTAPIVersion: tableautest.DefaultAPIVersion},
			TokenLife: connection.TokenLife{ExpiresAt: time.Now().UTC().AddDate(0, 0, 180), Source: connection.ExpiryTableau,
				LastUsedAt: time.Now().UTC()},
			Notify: []string{"ops@example.com"}, Noted: connection.Noted{Edits: 1}, Version: 1, Rev: 1, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(),
		}
		if diff := cmp.Diff(want, c); diff != "" {
			w.Errorf("the connection differs (-want +got):\n%s", diff)
		}
		if c.Identity.SiteID == "" || c.Identity.UserID == "" || c.Server.ProductVersion == "" || c.CredentialVersion == "" {
			w.Errorf("got %+v, want identity, server and credential version to be known", c)
		}
		// Its first use needs no sign-in of its own.
		w.succeed(w.Do(w.Context(), "c1", look))
		w.wantSignIns(1, 0)

		again := w.settings()
		again.Credential = w.newToken("", "another")
		_, err = w.Create(w.Context(), "c1", again)
		w.wantProblem(err, problem.Stale, problem.CodeStale)
		w.succeed(w.Do(w.Context(), "c1", look))
	})
}

// What is stored is the address at which the credential was taken, so that
// nobody sees http:// of a server that is called by https://.
func TestHTTPEnteredForHTTPSServer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		entered := "http://tableau.test/#/site/" + w.tableau.Site()
		in := w.settings()
		in.ServerURL = entered
		c, err := w.Create(w.Context(), "c", in)
		w.succeed(err)
		if c.ServerURL != serverURL {
			w.Errorf("got server %q, want %q", c.ServerURL, serverURL)
		}
		history, _, err := w.History(w.Context(), "c", "", 10)
		w.succeed(err)
		if text := fmt.Sprintf("%+v", history); strings.Contains(text, "http://") {
			w.Errorf("got history %s, want no http://", text)
		}

		// It is the same server when it is entered in this way again.
		name := "Renamed"
		c, err = w.Edit(w.Context(), "c", connection.Edit{Name: &name, ServerURL: &entered})
		w.succeed(err)
		if c.ServerURL != serverURL {
			w.Errorf("got server %q after an edit, want %q", c.ServerURL, serverURL)
		}
		w.tableau.ResetStats()
		credential := w.token()
		c, err = w.Edit(w.Context(), "c", connection.Edit{ServerURL: &entered, Credential: &credential})
		w.succeed(err)
		if c.ServerURL != serverURL {
			w.Errorf("got server %q after the same token again, want %q", c.ServerURL, serverURL)
		}
		w.wantSignIns(0, 0)
		w.succeed(w.Do(w.Context(), "c", look))
		w.wantSignIns(0, 0)

		elsewhere := "http://elsewhere.test"
		_, err = w.Edit(w.Context(), "c", connection.Edit{ServerURL: &elsewhere})
		w.wantFields(err, "auth")
	})
}

// Plain http that the administrator allows is stored as such, and https:// of
// such a server is another address.
func TestPlainHTTPStays(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.Dial = func(server string) (*tableau.Client, error) {
			return tableau.NewClient(server, tableau.Options{Transport: w.network, Now: time.Now, AllowPlainHTTP: func(string) bool { return true }})
		}
		in := w.settings()
		in.ServerURL = "http://tableau.test"
		c, err := w.Create(w.Context(), "c", in)
		w.succeed(err)
		if c.ServerURL != in.ServerURL {
			w.Errorf("got server %q, want %q", c.ServerURL, in.ServerURL)
		}
		secure := serverURL
		_, err = w.Edit(w.Context(), "c", connection.Edit{ServerURL: &secure})
		w.wantFields(err, "auth")
	})
}

func TestCreateSameRequestTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.connect()
		w.wantSignIns(1, 0)
		list, _, err := w.List(w.Context(), "", 10)
		w.succeed(err)
		_, err = w.Create(w.Context(), list[0].ID, w.settings())
		w.wantProblem(err, problem.Stale, problem.CodeStale)
		w.wantSignIns(0, 0)
	})
}

func TestKnownTokenIsRefused(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		first := w.connect()
		other, err := w.Create(w.Context(), w.newID(), connection.Settings{Name: "Other", ServerURL: serverURL, Site: w.tableau.Site(), Credential: w.newToken("", "other")})
		w.succeed(err)
		w.wantSignIns(2, 0)

		in := w.settings()
		in.Name = "Second"
		_, createErr := w.Create(w.Context(), w.newID(), in)
		credential := w.token()
		_, editErr := w.Edit(w.Context(), other.ID, connection.Edit{Credential: &credential})
		in.Site = "finance"
		_, testErr := w.TestSettings(w.Context(), in)
		for _, err := range []error{createErr, editErr, testErr} {
			p := w.wantProblem(err, problem.Conflict, problem.CodeTokenInUse)
			if !strings.Contains(p.Message, first.Name) || !strings.Contains(p.Message, first.ID) {
				w.Errorf("got %q, want it to name the first connection", p.Message)
			}
		}
		w.wantSignIns(0, 0)
		w.succeed(w.Do(w.Context(), first.ID, look))
		w.wantSignIns(0, 0)
		if got := w.stored(other.ID); got.Rev != other.Rev {
			w.Errorf("got Rev %d of the other connection, want it unchanged at %d", got.Rev, other.Rev)
		}

		// Trying it uses the session of the connection that has it.
		in.Site = w.tableau.Site()
		result, err := w.TestSettings(w.Context(), in)
		w.succeed(err)
		if diff := cmp.Diff(first.Identity, result.Identity); diff != "" {
			w.Errorf("the identity differs (-want +got):\n%s", diff)
		}
		w.wantSignIns(0, 0)
	})
}

// Two people connect with the same new token at the same moment: the one who
// comes second must not end the session of the first.
func TestSameNewTokenTwiceAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		other := w.process(w.store, w.store)
		errs := make(chan error, 2)
		for _, service := range []*connection.Service{w.Service, other} {
			go func() {
				_, err := service.Create(w.Context(), w.newID(), w.settings())
				errs <- err
			}()
		}
		a, b := <-errs, <-errs
		if a == nil {
			a, b = b, a
		}
		w.wantProblem(a, problem.Conflict, problem.CodeTokenInUse)
		w.succeed(b)
		if got := w.tableau.Stats().SessionsEndedBySignIn; got != 0 {
			w.Errorf("got %d ended sessions, want none", got)
		}
		w.wantSignIns(1, 0)
	})
}

func TestRefusedSettings(t *testing.T) {
	t.Parallel()
	wrongToken := func(in *connection.Settings) { in.Credential.Secret = secret.New("canary:canary") }
	for name, test := range map[string]struct {
		change   func(*connection.Settings)
		fault    tableautest.Fault
		down     bool
		deadline time.Duration
		kind     problem.Kind
		code     string
		fields   []string
	}{
		"wrong secret": {change: wrongToken, kind: problem.Invalid, code: problem.CodeCredentialsRejected, fields: []string{"auth.token_secret"}},
		"wrong password": {change: func(in *connection.Settings) {
			in.Credential = tableau.Credential{Method: tableau.UsernamePassword, Username: tableautest.DefaultUser, Secret: secret.New("canary")}
		}, kind: problem.Invalid, code: problem.CodeCredentialsRejected, fields: []string{"auth.password"}},
		"wrong site": {change: func(in *connection.Settings) { in.Site = "none" }, kind: problem.Invalid, code: problem.CodeCredentialsRejected,
			fields: []string{"auth.token_secret"}},
		"unreachable": {down: true, kind: problem.Invalid, code: problem.CodeTableauUnreachable, fields: []string{"server_url"}},
		"a web page": {fault: tableautest.Fault{Kind: tableautest.FaultLoginPage, Route: "serverinfo"}, kind: problem.Invalid,
			code: problem.CodeTableauUnreachable, fields: []string{"server_url"}},
		"an error page": {fault: tableautest.Fault{Kind: tableautest.FaultHTML, Status: 404, Route: "serverinfo"}, kind: problem.Invalid,
			code: problem.CodeTableauUnreachable, fields: []string{"server_url"}},
		"server error": {fault: tableautest.Fault{Kind: tableautest.FaultHTML, Status: 503, Route: "signin"}, kind: problem.Unavailable,
			code: problem.CodeUnavailable},
		"cut off": {fault: tableautest.Fault{Kind: tableautest.FaultReset, Route: "signin"}, kind: problem.Unavailable, code: problem.CodeUnavailable},
		"busy": {fault: tableautest.Fault{Kind: tableautest.FaultTooMany, Route: "signin", RetryAfter: tableautest.Duration(time.Minute)},
			kind: problem.TooMany, code: problem.CodeTooMany},
		"sign-in hangs": {fault: tableautest.Fault{Kind: tableautest.FaultHang, Route: "signin"}, kind: problem.Timeout, code: problem.CodeTableauTimeout},
		"user hangs": {fault: tableautest.Fault{Kind: tableautest.FaultHang, Route: "user"}, deadline: 20 * time.Second, kind: problem.Timeout,
			code: problem.CodeTableauTimeout},
		"user is not told": {fault: tableautest.Fault{Kind: tableautest.FaultError, Code: 403133, Route: "user"}, kind: problem.Invalid, code: "tableau_refused"},
		"blocked server":   {change: func(in *connection.Settings) { in.ServerURL = "https://blocked.test" }, kind: problem.Invalid, code: problem.CodeInvalid, fields: []string{"server_url"}},
		"all wrong": {change: func(in *connection.Settings) {
			*in = connection.Settings{Name: "\x00", ServerURL: "ftp://x", Site: "a/b", Notify: []string{"ops@example.com", "nobody"}}
		}, kind: problem.Invalid, code: problem.CodeInvalid, fields: []string{"name", "server_url", "site", "notify[1]", "auth.method"}},
		"empty secret": {change: func(in *connection.Settings) { in.Credential.Secret = secret.Text{} }, kind: problem.Invalid, code: problem.CodeInvalid,
			fields: []string{"auth.token_secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				good := w.newToken("", "good")
				old, err := w.Create(w.Context(), "old", connection.Settings{Name: "Old", ServerURL: serverURL, Site: w.tableau.Site(), Credential: good})
				w.succeed(err)
				old = w.stored(old.ID)

				in := w.settings()
				if test.change != nil {
					test.change(&in)
				}
				for what, try := range map[string]func(context.Context) error{
					"create": func(ctx context.Context) error { _, err := w.Create(ctx, "new", in); return err },
					"edit": func(ctx context.Context) error {
						_, err := w.Edit(ctx, "old", connection.Edit{Name: &in.Name, ServerURL: &in.ServerURL, Site: &in.Site, Notify: &in.Notify, Credential: &in.Credential})
						return err
					},
					"test": func(ctx context.Context) error { _, err := w.TestSettings(ctx, in); return err },
				} {
					if test.fault.Kind != "" {
						w.fault(test.fault)
					}
					w.network.down.Store(test.down)
					ctx, cancel := w.Context(), func() {}
					if test.deadline != 0 {
						ctx, cancel = context.WithTimeout(ctx, test.deadline)
					}
					p := w.wantProblem(try(ctx), test.kind, test.code)
					cancel()
					var fields []string
					for _, f := range p.Fields {
						fields = append(fields, f.Name)
					}
					if !slices.Equal(fields, test.fields) {
						w.Errorf("%s: got fields %q, want %q", what, fields, test.fields)
					}
					w.network.down.Store(false)
					w.tableau.ClearFaults()
					time.Sleep(time.Minute) // a lease may run its course
				}

				// Nothing is stored, and what was there works.
				_, err = w.store.Connection(w.Context(), "new")
				w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
				if diff := cmp.Diff(old, w.stored("old")); diff != "" {
					w.Errorf("the connection differs (-want +got):\n%s", diff)
				}
				w.wantOneSecret("new", "")
				w.wantOneSecret("old", old.CredentialVersion)
				w.tableau.ResetStats()
				w.succeed(w.Do(w.Context(), "old", look))
				w.wantSignIns(0, 0)
				if live := w.tableau.Stats().SessionsLive; test.code != problem.CodeTableauTimeout && live != 1 {
					w.Errorf("got %d live sessions in Tableau, want 1: those of tries are to be ended", live)
				}
			})
		})
	}
}

// wantOneSecret checks that the vault holds this version for a connection and
// no other that was made in this test; none for "".
func (w *world) wantOneSecret(id, version string) {
	w.Helper()
	for n := range w.lastID.Load() {
		candidate := idNumber(n + 1)
		_, err := w.store.Secret(w.Context(), "connection/"+id, candidate)
		if found := err == nil; found != (candidate == version) {
			w.Errorf("the vault has version %s of %s: %v, want %v", candidate, id, found, candidate == version)
		}
	}
}

func TestSwitchMethodKeepsConnection(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		in := w.settings()
		in.Credential = w.password()
		c, err := w.Create(w.Context(), "c", in)
		w.succeed(err)
		w.succeed(w.store.CreateReport(w.Context(), report.Report{ID: "r", ConnectionID: "c", Version: 1}))
		if c.Auth != (connection.Auth{Method: tableau.UsernamePassword, Username: tableautest.DefaultUser}) || c.TokenLife.Source != connection.ExpiryUnknown {
			w.Errorf("got %+v, %+v, want a user name and no known expiry", c.Auth, c.TokenLife)
		}
		// Two connections may have one password.
		_, err = w.Create(w.Context(), "twin", in)
		w.succeed(err)

		credential := w.token()
		edited, err := w.Edit(w.Context(), "c", connection.Edit{Credential: &credential})
		w.succeed(err)
		want := c
		want.Auth = connection.Auth{Method: tableau.PersonalAccessToken, TokenName: tableautest.DefaultTokenName}
		want.CredentialVersion, want.Fingerprint, want.TokenLife = edited.CredentialVersion, edited.Fingerprint, edited.TokenLife
		want.Version, want.Rev, want.Noted = 2, 2, connection.Noted{Edits: 2}
		if diff := cmp.Diff(want, edited); diff != "" {
			w.Errorf("the connection differs (-want +got):\n%s", diff)
		}
		if edited.CredentialVersion == c.CredentialVersion || edited.Fingerprint == c.Fingerprint {
			w.Error("the credential's version and fingerprint stayed the same")
		}
		w.wantOneSecret("c", edited.CredentialVersion)
		w.tableau.ResetStats()
		w.succeed(w.Do(w.Context(), "c", look))
		w.wantSignIns(0, 0)
		r, err := w.store.Report(w.Context(), "r")
		w.succeed(err)
		if r.ConnectionID != "c" || r.Rev != 1 {
			w.Errorf("got report %+v, want it unchanged", r)
		}

		// The same token again changes the version and signs in to nothing.
		renamed := credential
		again, err := w.Edit(w.Context(), "c", connection.Edit{Credential: &renamed})
		w.succeed(err)
		w.succeed(w.Do(w.Context(), "c", look))
		w.wantSignIns(0, 0)
		if again.Fingerprint != edited.Fingerprint || again.CredentialVersion == edited.CredentialVersion || again.TokenLife != edited.TokenLife {
			w.Errorf("got %+v, want the fingerprint and life of before under a new version", again)
		}
		w.wantOneSecret("c", again.CredentialVersion)
	})
}

// What is wrong with the form of a request is told together with all else, each
// field once.
func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.wantSignIns(1, 0)
		form := problem.Fields{{Name: "auth.token_secret", Message: "This is missing."}}
		credential := tableau.Credential{Method: tableau.PersonalAccessToken}
		in := connection.Settings{ServerURL: serverURL, Site: "a/b", Notify: []string{"x"}, Credential: credential, Wrong: form}
		_, createErr := w.Create(w.Context(), w.newID(), in)
		_, testErr := w.TestSettings(w.Context(), in)
		name := ""
		_, editErr := w.Edit(w.Context(), c.ID, connection.Edit{Name: &name, Site: &in.Site, Notify: &in.Notify, Credential: &credential, Wrong: form})
		for _, err := range []error{createErr, testErr, editErr} {
			w.wantFields(err, "auth.token_secret", "name", "site", "notify[0]")
		}
		_, err := w.Edit(w.Context(), c.ID, connection.Edit{Name: &name, Wrong: problem.Fields{{Name: "token_expires_on"}}})
		w.wantFields(err, "token_expires_on", "name")
		w.wantSignIns(0, 0)
	})
}

// The token that a connection has is entered again with another server, site or
// name: these are tried, and not taken for the ones with which it works.
func TestEditTriesKnownTokenElsewhere(t *testing.T) {
	t.Parallel()
	otherSite, otherServer, unsafe, down := "nosuch", "https://other.test", "http://tableau.test", "https://down.test"
	misspelt := func(c tableau.Credential) tableau.Credential { c.TokenName = "misspelt"; return c }
	for _, test := range []struct {
		name    string
		edit    connection.Edit
		refused string // code; "" when it works
		cause   string
		signIns int
	}{
		{"another site", connection.Edit{Site: &otherSite}, problem.CodeCredentialsRejected, "wrong_site", 0},
		{"another server that is down", connection.Edit{ServerURL: &down}, problem.CodeTableauUnreachable, "server_down", 0},
		{"another server", connection.Edit{ServerURL: &otherServer}, "", "", 1},
		{"another scheme", connection.Edit{ServerURL: &unsafe}, "", "", 0},
		{"another name", connection.Edit{}, problem.CodeCredentialsRejected, "mistyped", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				before := w.connect()
				w.wantSignIns(1, 0)
				w.network.unreachable.Store(&down)
				edit, credential := test.edit, w.token()
				if edit.Site == nil && edit.ServerURL == nil {
					credential = misspelt(credential)
				}
				edit.Credential = &credential
				after, err := w.Edit(w.Context(), before.ID, edit)
				if test.refused == "" {
					w.succeed(err)
					// A server that speaks https is known by it.
					want := strings.Replace(*edit.ServerURL, "http://", "https://", 1)
					if after.ServerURL != want || after.Site != before.Site {
						w.Errorf("got %s, site %q, want %s, site %q", after.ServerURL, after.Site, want, before.Site)
					}
				} else {
					p := w.wantProblem(err, problem.Invalid, test.refused)
					if test.cause == "wrong_site" && (len(p.Fields) != 1 || p.Fields[0].Name != "site") {
						w.Errorf("got fields %+v, want the site", p.Fields)
					}
					if len(p.Causes) == 0 || p.Causes[0].Code != test.cause {
						w.Errorf("got causes %+v, want %s first", p.Causes, test.cause)
					}
					if diff := cmp.Diff(before, w.stored(before.ID)); diff != "" {
						w.Errorf("the connection changed (-want +got):\n%s", diff)
					}
				}
				if got := w.tableau.Stats().SignIns; got != test.signIns {
					w.Errorf("got %d sign-ins, want %d", got, test.signIns)
				}
				w.succeed(w.Do(w.Context(), before.ID, look))
			})
		})
	}
}

func TestIdentityChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		user, site string
		says       string
	}{
		"another user": {user: tableautest.SecondUser, site: tableautest.DefaultSite, says: tableautest.SecondUser},
		"another site": {user: tableautest.DefaultUser, site: tableautest.SecondSite, says: `another site (site "finance")`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				old := w.connect()
				credential := w.newToken(test.user, "other")
				edit := connection.Edit{Credential: &credential, Site: &test.site}
				_, err := w.Edit(w.Context(), old.ID, edit)
				p := w.wantProblem(err, problem.Conflict, problem.CodeIdentityChange)
				if !strings.Contains(p.Message, test.says) {
					w.Errorf("got %q, want it to say %q", p.Message, test.says)
				}
				if diff := cmp.Diff(old, w.stored(old.ID)); diff != "" {
					w.Errorf("the connection differs (-want +got):\n%s", diff)
				}
				w.wantOneSecret(old.ID, old.CredentialVersion)
				if live := w.tableau.Stats().SessionsLive; live != 1 {
					w.Errorf("got %d live sessions, want the tried one to be ended", live)
				}

				edit.AcceptIdentityChange = true
				c, err := w.Edit(w.Context(), old.ID, edit)
				w.succeed(err)
				if c.Identity == old.Identity || c.Site != test.site || c.Identity.UserName != test.user {
					w.Errorf("got %+v, want the new identity", c.Identity)
				}
				w.succeed(w.Do(w.Context(), old.ID, look))
			})
		})
	}
}

func TestEditWithoutCredential(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.wantSignIns(1, 0)
		server, site := "https://elsewhere.test", "finance"
		pasted := serverURL + "/#/site/finance/views/A/B"
		for _, e := range []connection.Edit{{ServerURL: &server}, {Site: &site}, {ServerURL: &server, Site: &site}} {
			_, err := w.Edit(w.Context(), c.ID, e)
			p := w.wantProblem(err, problem.Invalid, problem.CodeInvalid)
			if len(p.Fields) != 1 || p.Fields[0].Name != "auth" {
				w.Errorf("got fields %+v, want auth", p.Fields)
			}
		}

		name, notify, same, sameSite := "New name", []string{"a@example.com", "a@example.com", "b@example.com"}, strings.ToUpper(serverURL), strings.ToUpper(c.Site)
		time.Sleep(time.Hour)
		got, err := w.Edit(w.Context(), c.ID, connection.Edit{Name: &name, Notify: &notify, ServerURL: &same, Site: &sameSite, IfVersion: 1})
		w.succeed(err)
		want := c
		want.Name, want.Notify, want.Version, want.Rev, want.UpdatedAt = name, []string{"a@example.com", "b@example.com"}, 2, 2, time.Now().UTC()
		want.Noted = connection.Noted{Edits: 2}
		if diff := cmp.Diff(want, got); diff != "" {
			w.Errorf("the connection differs (-want +got):\n%s", diff)
		}
		_, err = w.Edit(w.Context(), c.ID, connection.Edit{Name: &name, IfVersion: 1})
		w.wantProblem(err, problem.Stale, problem.CodeStale)
		_, err = w.Edit(w.Context(), c.ID, connection.Edit{ServerURL: &pasted})
		w.succeed(err) // the site is known already
		_, err = w.Edit(w.Context(), "none", connection.Edit{Name: &name})
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
		w.wantSignIns(0, 0)
	})
}

// While a person's new credential is tried, another person renames the
// connection: the first is told.
func TestEditsOvertake(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		credential := w.newToken("", "new")
		var once bool
		rename := func(*world) {
			name := "Renamed"
			_, err := w.Edit(w.Context(), c.ID, connection.Edit{Name: &name})
			w.succeed(err)
		}
		w.onRoute("/auth/signin", func() {
			if !once {
				once = true
				rename(w)
			}
		})
		_, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		w.wantProblem(err, problem.Stale, problem.CodeStale)
		if got := w.stored(c.ID); got.Name != "Renamed" || got.CredentialVersion != c.CredentialVersion {
			w.Errorf("got %+v, want the new name and the old credential", got)
		}
		w.wantOneSecret(c.ID, c.CredentialVersion)

		// What the machine writes meanwhile does not stand in the way.
		w.onRoute("/auth/signin", func() {
			w.onRoute("", nil)
			_, err := w.Unreachable(w.Context(), w.stored(c.ID), &tableau.Error{Cause: tableau.Unreachable})
			w.succeed(err)
		})
		got, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		w.succeed(err)
		if got.State != connection.Connected || got.Problem != nil {
			w.Errorf("got %s with problem %v, want it to be connected", got.State, got.Problem)
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		w.succeed(w.store.CreateReport(w.Context(), report.Report{ID: "r", ConnectionID: c.ID, Version: 1}))
		w.wantProblem(w.Delete(w.Context(), c.ID, 0), problem.Conflict, problem.CodeInUse)
		w.wantOneSecret(c.ID, c.CredentialVersion)
		w.succeed(w.Do(w.Context(), c.ID, look))

		w.succeed(w.store.DeleteReport(w.Context(), "r", 1))
		w.wantProblem(w.Delete(w.Context(), c.ID, 7), problem.Stale, problem.CodeStale)
		w.succeed(w.Delete(w.Context(), c.ID, 1))
		w.wantOneSecret(c.ID, "")
		w.wantProblem(w.Delete(w.Context(), c.ID, 0), problem.NotFound, problem.CodeNotFound)
		w.wantProblem(w.Do(w.Context(), c.ID, look), problem.NotFound, problem.CodeNotFound)
		_, err := w.Create(w.Context(), w.newID(), w.settings())
		w.succeed(err) // the token is free again
	})
}

// While a person's new credential is tried, another person deletes the
// connection: its secret is the one that can be recovered.
func TestDeleteOvertakesAnEdit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		credential := w.newToken("", "new")
		vault := &watchedVault{Vault: w.store}
		editor := w.process(w.store, vault)
		w.onRoute("/auth/signin", func() {
			w.onRoute("", nil)
			w.succeed(w.Delete(w.Context(), c.ID, 0))
		})
		_, err := editor.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
		// In Secrets Manager, to put a version is to restore the secret.
		if vault.puts != 0 {
			w.Errorf("got %d secrets put for a connection that is gone, want none", vault.puts)
		}
		value, err := w.store.RecoverSecret(w.Context(), connection.VaultOwner(c.ID))
		w.succeed(err)
		got, err := connection.DecodeCredential(value)
		w.succeed(err)
		if want := w.token(); got.TokenName != want.TokenName || got.Secret.Reveal() != want.Secret.Reveal() {
			w.Errorf("got the token %q recovered, want %q", got.TokenName, want.TokenName)
		}
	})
}

// watchedVault counts what is put into a vault.
type watchedVault struct {
	connection.Vault
	puts int
}

func (v *watchedVault) PutSecret(ctx context.Context, owner, version string, value []byte) error {
	v.puts++
	return v.Vault.PutSecret(ctx, owner, version, value)
}

// The connection that a token belongs to is deleted, or given another token, at
// the moment at which the token is entered for another.
func TestTokenComesFree(t *testing.T) {
	t.Parallel()
	for name, free := range map[string]func(w *world, id string) error{
		"deleted": func(w *world, id string) error { return w.Delete(w.Context(), id, 0) },
		"edited": func(w *world, id string) error {
			credential := w.newToken("", "another")
			_, err := w.Edit(w.Context(), id, connection.Edit{Credential: &credential})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				for _, test := range []func(s *connection.Service) error{
					func(s *connection.Service) error {
						_, err := s.TestSettings(w.Context(), w.settings())
						return err
					},
					func(s *connection.Service) error {
						_, err := s.Create(w.Context(), "second", w.settings())
						return err
					},
				} {
					c := w.connect()
					s := w.process(&ownerRead{w.store, func() { w.succeed(free(w, c.ID)) }}, w.store)
					w.succeed(test(s))
				}
				if got := w.stored("second"); got.State != connection.Connected {
					w.Errorf("got %s, want it connected", got.State)
				}
			})
		})
	}
}

// Of two that connect with one token at once, the later is told whose it is,
// also where the first one's lease has run out.
func TestTokenTakenAtTheLastMoment(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		vault := &slowVault{Vault: w.store, before: func() {
			time.Sleep(31 * time.Second) // the first one's lease
			in := w.settings()
			in.Name = "Quick"
			_, err := w.Create(w.Context(), "quick", in)
			w.succeed(err)
		}}
		_, err := w.process(w.store, vault).Create(w.Context(), "slow", w.settings())
		p := w.wantProblem(err, problem.Conflict, problem.CodeTokenInUse)
		if !strings.Contains(p.Message, `"Quick"`) {
			w.Errorf("got %q, want the connection to be named", p.Message)
		}
		w.succeed(w.Do(w.Context(), "quick", look))
	})
}

// ownerRead lets something happen after the first look at whose a token is.
type ownerRead struct {
	connection.Store
	after func()
}

func (o *ownerRead) FingerprintOwner(ctx context.Context, fingerprint string) (string, error) {
	id, err := o.Store.FingerprintOwner(ctx, fingerprint)
	if after := o.after; after != nil {
		o.after = nil
		after()
	}
	return id, err
}

// slowVault lets something happen before the first secret is put.
type slowVault struct {
	connection.Vault
	before func()
}

func (v *slowVault) PutSecret(ctx context.Context, owner, version string, value []byte) error {
	if before := v.before; before != nil {
		v.before = nil
		before()
	}
	return v.Vault.PutSecret(ctx, owner, version, value)
}

func TestTestRestores(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		_, err := w.Unreachable(w.Context(), w.stored(c.ID), &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		w.holds.prepared = nil // for its people to hear of it
		w.network.down.Store(true)
		_, err = w.Test(w.Context(), c.ID)
		w.wantProblem(err, problem.Invalid, problem.CodeTableauUnreachable)
		w.network.down.Store(false)
		if got := w.stored(c.ID); got.State != connection.Unreachable || got.Problem == nil || got.Problem.Code != problem.CodeTableauUnreachable {
			w.Errorf("got %s, %+v, want it to be unreachable", got.State, got.Problem)
		}

		w.tableau.ResetStats()
		result, err := w.Test(w.Context(), c.ID)
		w.succeed(err)
		if result.Identity != c.Identity || result.Server != c.Server {
			w.Errorf("got %+v, want the connection's identity and server", result)
		}
		if got := w.stored(c.ID); got.State != connection.Connected || got.Problem != nil || !got.ProbeAt.IsZero() {
			w.Errorf("got %s, %+v, want it to be connected", got.State, got.Problem)
		}
		if !slices.Equal(w.holds.prepared, []string{c.ID}) || !slices.Equal(w.holds.released, []string{c.ID}) {
			w.Errorf("got held runs prepared %q and released %q, want each once", w.holds.prepared, w.holds.released)
		}
		w.wantSignIns(0, 0)
	})
}

// onRoute calls a function before each request whose path ends so.
func (w *world) onRoute(suffix string, f func()) {
	if f == nil {
		w.network.before.Store(nil)
		return
	}
	w.network.before.Store(new(func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, suffix) {
			f()
		}
	}))
}

// Neither what is stored nor any rendering of it shows a secret.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		var token string
		w.succeed(w.Do(w.Context(), c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
			token = session.Token.Reveal()
			return look(ctx, client, session)
		}))
		row, err := w.store.SignIn(w.Context(), c.Fingerprint)
		w.succeed(err)
		result, err := w.Test(w.Context(), c.ID)
		w.succeed(err)
		w.tableau.RevokeTokens("")
		brokenErr := w.Do(w.Context(), c.ID, look)
		_, testErr := w.Test(w.Context(), c.ID)
		for _, v := range []any{c, w.stored(c.ID), row, result, brokenErr, testErr, w.Service, w.settings()} {
			encoded, err := json.Marshal(v)
			if err != nil {
				encoded = nil // a service has functions, which have no JSON
			}
			text := fmt.Sprintf("%v %+v %#v %s", v, v, v, encoded)
			w.wantNoSecrets(fmt.Sprintf("%T", v), text)
			if strings.Contains(text, token) {
				w.Errorf("%T holds the session's token", v)
			}
		}
		files, err := os.ReadDir(w.dir)
		w.succeed(err)
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(w.dir, f.Name()))
			w.succeed(err)
			w.wantNoSecrets(f.Name(), string(b))
			if strings.Contains(string(b), token) {
				w.Errorf("%s holds the session's token", f.Name())
			}
		}
	})
}

func TestTestSettings(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		for _, credential := range []tableau.Credential{w.token(), w.password()} {
			in := w.settings()
			in.Credential = credential
			result, err := w.TestSettings(w.Context(), in)
			w.succeed(err)
			if result.Identity.UserName != tableautest.DefaultUser || result.Server.RESTAPIVersion != tableautest.DefaultAPIVersion || result.Auth.Method != credential.Method {
				w.Errorf("got %+v, want who and where", result)
			}
		}
		list, _, err := w.List(w.Context(), "", 10)
		w.succeed(err)
		if live := w.tableau.Stats().SessionsLive; live != 0 || len(list) != 0 {
			w.Errorf("got %d live sessions and %d connections, want none", live, len(list))
		}
		w.connect() // the lease is free
	})
}

// The time is up just before what was tried would be stored: nothing is.
func TestTimeIsUpBeforeTheWrite(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		w.Random = readerFunc(func(p []byte) (int, error) {
			if len(p) < 32 { // the nonce of the session, sealed last
				cancel()
			}
			return rand.Read(p)
		})
		_, err := w.Create(ctx, "c", w.settings())
		w.wantProblem(err, problem.Timeout, problem.CodeTableauTimeout)
		_, err = w.Get(w.Context(), "c")
		w.wantProblem(err, problem.NotFound, problem.CodeNotFound)
		w.wantOneSecret("c", "")
		if live := w.tableau.Stats().SessionsLive; live != 0 {
			w.Errorf("got %d live sessions, want none", live)
		}
		w.connect()
	})
}

// Once the write has begun, it is a success that is told, and all that follows
// is done, also if the time is up meanwhile.
func TestTimeIsUpDuringTheWrite(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		vault := &cancellingVault{Vault: w.store}
		s := w.process(w.store, vault)
		ctx, cancel := context.WithCancel(w.Context())
		vault.cancel = cancel
		c, err := s.Create(ctx, "c", w.settings())
		w.succeed(err)

		ctx, cancel = context.WithCancel(w.Context())
		vault.cancel = cancel
		credential := w.newToken("", "new")
		changed, err := s.Edit(ctx, "c", connection.Edit{Credential: &credential})
		w.succeed(err)
		if changed.Auth.TokenName != "new" || changed.CredentialVersion == c.CredentialVersion {
			w.Errorf("got %+v, want the new credential", changed)
		}
		w.wantOneSecret("c", changed.CredentialVersion)
		if got := w.holds.released; !slices.Equal(got, []string{"c"}) {
			w.Errorf("got releases %q, want one", got)
		}
	})
}

// cancellingVault ends the caller's time while a secret is put.
type cancellingVault struct {
	connection.Vault
	cancel func()
}

func (v *cancellingVault) PutSecret(ctx context.Context, owner, version string, value []byte) error {
	v.cancel()
	return v.Vault.PutSecret(ctx, owner, version, value)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestHeldRunsCannotBePrepared(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		credential := w.newToken("", "new")
		w.holds.err = errCrash
		_, err := w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		if !errors.Is(err, errCrash) {
			w.Errorf("got error %v, want that of the held runs", err)
		}
		if diff := cmp.Diff(c, w.stored(c.ID)); diff != "" {
			w.Errorf("the connection differs (-want +got):\n%s", diff)
		}
		w.wantOneSecret(c.ID, c.CredentialVersion)

		// Once the new credential is in force, a failure only delays them.
		w.holds.err, w.holds.releaseErr = nil, errCrash
		_, err = w.Edit(w.Context(), c.ID, connection.Edit{Credential: &credential})
		w.succeed(err)
	})
}

// People rename the connection while the machine writes what it learns.
func TestRenameWhileTheMachineWrites(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		overtaken := w.process(&stale{Store: w.store, left: 3, write: func() {
			stored := w.stored(c.ID)
			stored.Probes++
			w.succeed(w.store.UpdateConnection(w.Context(), stored, nil))
		}}, w.store)
		name := "Renamed"
		got, err := overtaken.Edit(w.Context(), c.ID, connection.Edit{Name: &name})
		w.succeed(err)
		if got.Name != name || got.Probes != 3 || got.Version != 2 {
			w.Errorf("got %+v, want both what was edited and what was learned", got)
		}
		overtaken = w.process(&stale{Store: w.store, left: 1, write: func() {
			_, err := w.Edit(w.Context(), c.ID, connection.Edit{Name: &name})
			w.succeed(err)
		}}, w.store)
		_, err = overtaken.Edit(w.Context(), c.ID, connection.Edit{Name: &name, IfVersion: 2})
		w.wantProblem(err, problem.Stale, problem.CodeStale)
	})
}

// stale lets something be written before an update.
type stale struct {
	connection.Store
	left  int
	write func()
}

func (s *stale) UpdateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	if s.left > 0 {
		s.left--
		s.write()
	}
	return s.Store.UpdateConnection(ctx, c, session, events...)
}

func TestWhyUnreachable(t *testing.T) {
	t.Parallel()
	for cause, want := range map[tableau.Cause]string{
		tableau.Unreachable: "server_down", tableau.Certificate: "certificate", tableau.NotTableau: "not_tableau", tableau.Blocked: "blocked",
	} {
		t.Run(string(cause), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				c := w.connect()
				got, err := w.Unreachable(w.Context(), w.stored(c.ID), fmt.Errorf("exporting: %w", &tableau.Error{Cause: cause}))
				w.succeed(err)
				if got.Problem == nil || got.Problem.Code != problem.CodeTableauUnreachable || got.Problem.Message == "" || got.Problem.Causes[0].Code != want {
					w.Errorf("got problem %+v, want the cause %s first", got.Problem, want)
				}
				_, err = w.Views(w.Context(), c.ID, "")
				w.wantProblem(err, problem.Conflict, problem.CodeTableauUnreachable)
			})
		})
	}
}

// A store may apply a write, lose the answer and refuse its own repeat. What was
// put is then in force, and its secret stays.
func TestARefusalOfAWriteThatWasMadeDropsNothing(t *testing.T) {
	t.Parallel()
	refusals := map[string]error{
		"stale":     problem.Changed("connection"),
		"in use":    problem.New(problem.Conflict, problem.CodeTokenInUse, "Another connection uses this token."),
		"not found": problem.Missing("connection", "c"),
	}
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				s := w.process(&selfRefusing{Store: w.store, refusal: refusal}, w.store)
				c, err := s.Create(w.Context(), "c", w.settings())
				w.succeed(err)
				w.wantOneSecret("c", c.CredentialVersion)

				credential := w.newToken("", "another")
				edited, err := s.Edit(w.Context(), "c", connection.Edit{Credential: &credential})
				w.succeed(err)
				if edited.CredentialVersion == c.CredentialVersion || edited.Auth.TokenName != "another" || edited.Version != 2 {
					w.Errorf("got %+v, want the new credential in force", edited)
				}
				w.wantOneSecret("c", edited.CredentialVersion)
				w.succeed(w.process(w.store, w.store).Do(w.Context(), "c", look))
			})
		})
	}
}

// selfRefusing makes each write of a connection, and says that it was refused.
type selfRefusing struct {
	connection.Store
	refusal error
}

func (s *selfRefusing) CreateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return firstError(s.Store.CreateConnection(ctx, c, session, events...), s.refusal)
}

func (s *selfRefusing) UpdateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return firstError(s.Store.UpdateConnection(ctx, c, session, events...), s.refusal)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// What interrupted edits left is dropped by care: not what an edit may just have
// put, and nothing while what the connection names is not there.
func TestTidySecrets(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		owner := connection.VaultOwner(c.ID)
		value, err := w.store.Secret(w.Context(), owner, c.CredentialVersion)
		w.succeed(err)
		put := func(version string) { w.succeed(w.store.PutSecret(w.Context(), owner, version, []byte("left"))) }
		want := func(want ...string) {
			w.Helper()
			w.succeed(w.TidySecrets(w.Context(), c.ID))
			versions, err := w.store.SecretVersions(w.Context(), owner)
			w.succeed(err)
			var got []string
			for _, v := range versions {
				got = append(got, v.Name)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				w.Errorf("got the versions %v, want %v", got, want)
			}
		}
		w.store.Now = time.Now
		put("left-1")
		put("left-2")
		time.Sleep(2 * time.Hour)
		put("late")
		w.succeed(w.store.DropSecret(w.Context(), owner, c.CredentialVersion))
		want("late", "left-1", "left-2")
		w.succeed(w.store.PutSecret(w.Context(), owner, c.CredentialVersion, value))
		want("late", c.CredentialVersion)
		time.Sleep(2 * time.Hour)
		want(c.CredentialVersion)
		w.succeed(w.process(w.store, w.store).Do(w.Context(), c.ID, look))

		w.succeed(w.TidySecrets(w.Context(), "none"))
	})
}

// A secret that is missing is looked for after a minute and then each half hour,
// so that one that was restored is noticed within the hour.
func TestAMissingSecretIsLookedForOften(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		owner := connection.VaultOwner(c.ID)
		value, err := w.store.Secret(w.Context(), owner, c.CredentialVersion)
		w.succeed(err)
		w.succeed(w.store.DropSecret(w.Context(), owner, c.CredentialVersion))
		s := w.process(w.store, w.store) // which does not remember it
		if err := s.Do(w.Context(), c.ID, look); err == nil {
			w.Fatal("it works without its secret")
		}
		for i, most := range []time.Duration{time.Minute, 30 * time.Minute, 30 * time.Minute, 30 * time.Minute} {
			wait := time.Until(w.stored(c.ID).ProbeDue(time.Now()))
			if wait <= 0 || wait > most {
				w.Errorf("probe %d is due in %v, want within %v", i, wait, most)
			}
			time.Sleep(wait)
			if works, err := s.Probe(w.Context(), c.ID); err != nil || works {
				w.Errorf("probe %d: works %t, error %v", i, works, err)
			}
		}
		w.succeed(w.store.PutSecret(w.Context(), owner, c.CredentialVersion, value))
		time.Sleep(time.Until(w.stored(c.ID).ProbeDue(time.Now())))
		if works, err := s.Probe(w.Context(), c.ID); err != nil || !works {
			w.Errorf("works %t, error %v after the secret was put back", works, err)
		}

		// One that was noted by an earlier version, for a day ahead, is due now.
		old := w.stored(c.ID)
		old.Problem, old.ProbeAt = &connection.Problem{Code: connection.CodeSecretMissing}, time.Now().Add(20*time.Hour)
		if due := old.ProbeDue(time.Now()); due.After(time.Now()) {
			w.Errorf("it is due at %v, want now", due)
		}
	})
}
