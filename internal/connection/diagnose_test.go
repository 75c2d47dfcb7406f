package connection_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const (
	pod   = "https://10ay.online.tableau.com"
	noPod = "https://online.tableau.com"
)

// What somebody entered is refused: the causes are ranked by what is known, and
// the likeliest stands at the field where it is remedied.
func TestWhyACredentialIsRefused(t *testing.T) {
	t.Parallel()
	refused := tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin", Times: -1}
	for name, test := range map[string]struct {
		server   string
		site     string // "-" for none
		password bool
		fault    tableautest.Fault
		code     string // of the problem
		field    string
		causes   string // in order
	}{
		"a token": {serverURL, "", false, refused, problem.CodeCredentialsRejected, "auth.token_secret",
			"mistyped wrong_site expired idle revoked mfa_enabled"},
		"a token on Tableau Cloud": {pod, "", false, refused, problem.CodeCredentialsRejected, "auth.token_secret",
			"mistyped wrong_site wrong_pod expired idle revoked mfa_enabled"},
		"a token without a pod": {noPod, "", false, refused, problem.CodeCredentialsRejected, "server_url",
			"wrong_pod mistyped wrong_site expired idle revoked mfa_enabled"},
		"a password": {serverURL, "", true, refused, problem.CodeCredentialsRejected, "auth.password",
			"mistyped wrong_site single_sign_on mfa_enabled locked_out"},
		"a password on Tableau Cloud": {pod, "", true, refused, problem.CodeCredentialsRejected, "auth.password",
			"mfa_enabled single_sign_on mistyped wrong_site wrong_pod locked_out"},
		"a password without a pod": {noPod, "", true, refused, problem.CodeCredentialsRejected, "server_url",
			"wrong_pod mfa_enabled single_sign_on mistyped wrong_site locked_out"},
		"a redirect made a GET of the POST": {noPod, "", false, tableautest.Fault{Kind: tableautest.FaultError, Code: 405000, Route: "signin"},
			"tableau_refused", "server_url", "wrong_pod"},
		"an answer that is not Tableau's": {serverURL, "", false, tableautest.Fault{Kind: tableautest.FaultHTML, Status: 200, Route: "signin", Times: -1},
			problem.CodeTableauUnreachable, "server_url", "not_tableau"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				in := w.settings()
				in.ServerURL = test.server
				if test.password {
					in.Credential = w.password()
				}
				w.fault(test.fault)
				_, err := w.Create(w.Context(), "c", in)
				p := w.wantProblem(err, problem.Invalid, test.code)
				if got := codes(p.Causes); got != test.causes {
					w.Errorf("got causes %s, want %s", got, test.causes)
				}
				if len(p.Fields) != 1 || p.Fields[0].Name != test.field {
					w.Errorf("got fields %+v, want %s", p.Fields, test.field)
				}
				w.wantWords(p.Causes)
			})
		})
	}
}

func codes(causes []problem.Cause) string {
	var got []string
	for _, c := range causes {
		got = append(got, c.Code)
	}
	return strings.Join(got, " ")
}

// wantWords checks that each cause says what happened and what to do, and that
// the steps to a new token are there where one is needed.
func (w *world) wantWords(causes []problem.Cause) {
	w.Helper()
	for _, c := range causes {
		if c.Message == "" || c.Remedy == "" {
			w.Errorf("the cause %s lacks its words", c.Code)
		}
		switch c.Code {
		case "expired", "revoked", "mfa_enabled", "single_sign_on", "idle", connection.CodeTokenUsedElsewhere:
			for _, step := range []string{"My Account Settings", "Personal Access Tokens", "a name of its own", "Copy its secret", "the X", "Discard"} {
				if !strings.Contains(c.Remedy, step) {
					w.Errorf("the remedy of %s does not say %q: %s", c.Code, step, c.Remedy)
				}
			}
		}
	}
}

// A credential that worked before fails for other reasons than one that never
// did, and on Tableau Cloud for one more.
func TestWhyACredentialDiedOnTableauCloud(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		password bool
		after    time.Duration
		causes   string
	}{
		"a token an hour ago":  {false, time.Hour, "revoked mfa_enabled wrong_pod"},
		"a token 16 days ago":  {false, 16 * day, "idle revoked mfa_enabled expired wrong_pod"},
		"a token past its end": {false, 181 * day, "idle expired revoked mfa_enabled wrong_pod"},
		"a password hours ago": {true, 5 * time.Hour, "mfa_enabled single_sign_on changed locked_out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				in := w.settings()
				in.ServerURL = pod
				if test.password {
					in.Credential = w.password()
				}
				_, err := w.Create(w.Context(), "c", in)
				w.succeed(err)
				time.Sleep(test.after)
				w.tableau.RevokeTokens("")
				w.tableau.NewPassword(tableautest.DefaultUser)
				_, err = w.Test(w.Context(), "c")
				p := w.wantProblem(err, problem.Invalid, problem.CodeCredentialsRejected)
				if got := codes(p.Causes); got != test.causes {
					w.Errorf("got causes %s, want %s", got, test.causes)
				}
				w.wantWords(p.Causes)
				// Whoever uses it meanwhile learns the same.
				_, err = w.Views(w.Context(), "c", "")
				p = w.wantProblem(err, problem.Conflict, problem.CodeCredentialsRejected)
				if got := codes(p.Causes); got != test.causes {
					w.Errorf("got causes %s of the broken connection, want %s", got, test.causes)
				}
			})
		})
	}
}

// A token that works on one pod is refused on another: it is the address.
func TestKnownTokenOnAnotherPod(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		in := w.settings()
		in.ServerURL = pod
		_, err := w.Create(w.Context(), "c", in)
		w.succeed(err)
		w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin", Times: -1})
		other, credential := "https://prod-useast-b.online.tableau.com", w.token()
		_, err = w.Edit(w.Context(), "c", connection.Edit{ServerURL: &other, Credential: &credential})
		p := w.wantProblem(err, problem.Invalid, problem.CodeCredentialsRejected)
		if got, want := codes(p.Causes), "wrong_pod wrong_site expired revoked mfa_enabled"; got != want {
			w.Errorf("got causes %s, want %s", got, want)
		}
		if len(p.Fields) != 1 || p.Fields[0].Name != "server_url" {
			w.Errorf("got fields %+v, want the server's address", p.Fields)
		}
		w.wantWords(p.Causes)
	})
}

// Whoever tries a wrong password again and again is told of the lock-out: from
// nine refusals on as the likeliest cause, and when vizpost itself refuses.
func TestLockedOut(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		try := func(in connection.Settings) *problem.Error {
			_, err := w.TestSettings(w.Context(), in)
			p, _ := problem.From(err)
			return p
		}
		password, token := w.settings(), w.settings()
		password.Credential = w.password()
		w.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin", Times: -1})
		for n := 1; n <= 10; n++ {
			if n%5 == 1 && n > 1 {
				p := try(password)
				if p.Kind != problem.TooMany || codes(p.Causes) != "locked_out" {
					w.Errorf("got %v, want to be refused before the account is locked", p)
				}
				time.Sleep(11 * time.Minute)
			}
			ofPassword, ofToken := codes(try(password).Causes), codes(try(token).Causes)
			if first := strings.HasPrefix(ofPassword, "locked_out "); first != (n >= 9) || strings.Count(ofPassword, "locked_out") != 1 {
				w.Errorf("refusal %d: got causes %s", n, ofPassword)
			}
			if second := strings.HasPrefix(ofToken, "mistyped locked_out "); second != (n >= 9) {
				w.Errorf("refusal %d: got causes %s of a token", n, ofToken)
			}
		}
		// On another site the user is the same.
		another := password
		another.Site = "finance"
		if got := codes(try(another).Causes); got != "locked_out" {
			w.Errorf("got causes %s on another site, want the user to be locked out", got)
		}
		time.Sleep(2 * day)
		if got := codes(try(password).Causes); strings.HasPrefix(got, "locked_out") {
			w.Errorf("got causes %s two days later", got)
		}
	})
}

// The vault lost what the connection names, which vizpost itself never brings
// about.
func TestSecretIsMissing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		stored, err := w.store.Secret(w.Context(), connection.VaultOwner(c.ID), c.CredentialVersion)
		w.succeed(err)
		w.succeed(w.store.DropSecret(w.Context(), connection.VaultOwner(c.ID), c.CredentialVersion))
		process := w.process(w.store, w.store) // which does not remember it
		for range 2 {
			var broken *connection.BrokenError
			if err := process.Do(w.Context(), c.ID, look); !errors.As(err, &broken) || broken.Connection.Problem.Code != connection.CodeSecretMissing {
				w.Errorf("got error %v, want that the secret is missing", err)
			}
		}
		if got := w.stored(c.ID); got.State != connection.NeedsCredentials {
			w.Errorf("got %s, want a credential to be needed", got.State)
		}
		w.wantLast(c.ID, connection.Broke, "")
		_, err = process.Test(w.Context(), c.ID)
		w.wantProblem(err, problem.Conflict, connection.CodeSecretMissing)

		// The operator puts it back.
		w.succeed(w.store.PutSecret(w.Context(), connection.VaultOwner(c.ID), c.CredentialVersion, stored))
		_, err = process.Test(w.Context(), c.ID)
		w.succeed(err)
		w.succeed(process.Do(w.Context(), c.ID, look))
	})
}

// Somebody else's sign-ins with the token are told with their remedy.
func TestUsedElsewhereTellsTheRemedy(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		c := w.connect()
		for range 3 {
			w.outsideSignIn()
			_, _ = w.Test(w.Context(), c.ID)
		}
		w.outsideSignIn()
		_, err := w.Test(w.Context(), c.ID)
		p := w.wantProblem(err, problem.TooMany, problem.CodeTooMany)
		if got := codes(p.Causes); got != connection.CodeTokenUsedElsewhere {
			w.Errorf("got causes %s, want that it is used elsewhere", got)
		} else if !strings.HasSuffix(p.Message, p.Causes[0].Remedy) {
			w.Errorf("got %q, want the remedy in it", p.Message)
		}
		if e := w.wantLast(c.ID, connection.Tested, ""); strings.Contains(e.Summary, "account settings") {
			w.Errorf("the history says %q, want it without the remedy", e.Summary)
		}
		w.wantWords(p.Causes)
	})
}
