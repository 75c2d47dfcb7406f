package connection_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const day = 24 * time.Hour

func TestWarn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		left time.Duration
		kind string // "" for none
		when string
	}{
		{31 * day, "", ""},
		{30*day + time.Second, "", ""},
		{30 * day, "expires_in_30_days", "in 30 days"},
		{29*day + 23*time.Hour, "expires_in_30_days", "in 30 days"},
		{29*day + 12*time.Hour, "expires_in_30_days", "in 29 days"},
		{14*day + time.Second, "expires_in_30_days", "in 14 days"},
		{14 * day, "expires_in_14_days", "in 14 days"},
		{8 * day, "expires_in_14_days", "in 8 days"},
		{7 * day, "expires_in_7_days", "in 7 days"},
		{36 * time.Hour, "expires_in_7_days", "in a day"},
		{day, "expires_in_1_days", "in a day"},
		{23 * time.Hour, "expires_in_1_days", "in a day"},
		{time.Hour, "expires_in_1_days", "within a day"},
		{0, "", ""},
		{-time.Hour, "", ""},
	} {
		c := connection.Connection{Name: "Sales", ServerURL: "https://tableau.test", Site: "acme",
			Auth:      connection.Auth{Method: tableau.PersonalAccessToken, TokenName: "vizpost"},
			TokenLife: connection.TokenLife{ExpiresAt: now.Add(test.left), Source: connection.ExpiryTableau}}
		got, ok := c.Warn(now)
		if ok != (test.kind != "") || got.Kind != test.kind || !strings.HasSuffix(got.Subject, test.when) {
			t.Errorf("%v before the end: got %q, %q, want %q, %q", test.left, got.Kind, got.Subject, test.kind, test.when)
		}
		if ok && (!strings.Contains(got.Text, `"vizpost"`) || !strings.Contains(got.Text, c.TokenLife.ExpiresAt.Format("2 January 2006 at 15:04"))) {
			t.Errorf("got text %q, want it to name the token and its end", got.Text)
		}
		c.State = connection.Unreachable
		if _, still := c.Warn(now); still != ok {
			t.Errorf("%v before the end, got a warning: %v while the server is not reached, want %v", test.left, still, ok)
		}
		c.State = connection.NeedsCredentials // its people know already that it needs a new one
		if _, ok := c.Warn(now); ok {
			t.Errorf("%v before the end, got a warning of a token that Tableau refuses", test.left)
		}
		c.State = connection.Connected
		c.Auth.Method = tableau.UsernamePassword
		if _, ok := c.Warn(now); ok {
			t.Error("got a warning of a password")
		}
	}
	unknown := connection.Connection{Auth: connection.Auth{Method: tableau.PersonalAccessToken}}
	if _, ok := unknown.Warn(now); ok {
		t.Error("got a warning of an end that is not known")
	}
}

func TestKeepAliveDue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		method tableau.Method
		state  connection.State
		unused time.Duration
		want   bool
	}{
		{tableau.PersonalAccessToken, connection.Connected, 7*day - time.Second, false},
		{tableau.PersonalAccessToken, connection.Connected, 7 * day, true},
		{tableau.PersonalAccessToken, connection.Unverified, 14 * day, true},
		{tableau.PersonalAccessToken, connection.NeedsCredentials, 14 * day, false},
		{tableau.PersonalAccessToken, connection.Unreachable, 14 * day, false},
		{tableau.UsernamePassword, connection.Connected, 14 * day, false},
	} {
		life := connection.TokenLife{LastUsedAt: now.Add(-test.unused)}
		c := connection.Connection{Auth: connection.Auth{Method: test.method}, State: test.state, TokenLife: life}
		if got := c.KeepAliveDue(now); got != test.want {
			t.Errorf("%+v: got %v, want %v", test, got, test.want)
		}
		if got := life.IdleUntil(tableau.PersonalAccessToken); !got.Equal(life.LastUsedAt.Add(15 * day)) {
			t.Errorf("got idle until %v, want 15 days after the last use", got)
		}
		if got := life.IdleUntil(tableau.UsernamePassword); !got.IsZero() {
			t.Errorf("got idle until %v of a password, want none", got)
		}
	}
	// Past its end, a sign-in shows whether the token has ended.
	used := now.Add(-time.Hour)
	for _, test := range []struct {
		source  connection.ExpirySource
		end     time.Duration // until it
		used    time.Time
		want    bool
		because string
	}{
		{connection.ExpiryTableau, time.Minute, used, false, "its end is to come"},
		{connection.ExpiryTableau, -time.Minute, used, false, "Tableau gives the end in whole minutes"},
		{connection.ExpiryTableau, -5 * time.Minute, used, true, "its end has passed"},
		{connection.ExpiryTableau, -5 * time.Minute, now, false, "it has signed in since"},
		{connection.ExpiryEntered, -23 * time.Hour, used, false, "it ends on this day"},
		{connection.ExpiryEntered, -25 * time.Hour, used.Add(-day), true, "its day has passed"},
		{connection.ExpiryEntered, -25 * time.Hour, now, false, "it has signed in since"},
		{connection.ExpiryUnknown, 100 * day, now.AddDate(1, 0, 0), true, "its last use was noted by a clock that was wrong"},
		{connection.ExpiryUnknown, 100 * day, now.Add(time.Minute), false, "clocks differ a little"},
	} {
		c := connection.Connection{Auth: connection.Auth{Method: tableau.PersonalAccessToken}, State: connection.Connected,
			TokenLife: connection.TokenLife{ExpiresAt: now.Add(test.end), Source: test.source, LastUsedAt: test.used}}
		if got := c.KeepAliveDue(now); got != test.want {
			t.Errorf("%+v: got %v, want %v: %s", test, got, test.want, test.because)
		}
		c.Auth.Method = tableau.UsernamePassword
		if c.KeepAliveDue(now) {
			t.Errorf("%+v: got a sign-in for a password", test)
		}
	}
	if got := (connection.TokenLife{}).IdleUntil(tableau.PersonalAccessToken); !got.IsZero() {
		t.Errorf("got idle until %v of a token that was never used, want none", got)
	}
}

// What Tableau answers to all of these is the same. The likely cause comes from
// what is known of the token.
func TestLikelyCause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		password bool
		breaks   func(w *world)
		causes   []string
	}{
		"idle":          {false, func(*world) { time.Sleep(16 * day) }, []string{"idle", "revoked", "mfa_enabled", "expired"}},
		"expired":       {false, func(w *world) { w.keepUntil(180 * day) }, []string{"expired", "revoked", "mfa_enabled", "idle"}},
		"revoked":       {false, func(w *world) { time.Sleep(time.Hour); w.tableau.RevokeTokens("") }, []string{"revoked", "mfa_enabled"}},
		"mfa":           {false, func(w *world) { w.tableau.EnableMFA("") }, []string{"revoked", "mfa_enabled"}},
		"password":      {true, func(w *world) { w.tableau.NewPassword(tableautest.DefaultUser); w.sessionDies() }, []string{"mfa_enabled", "single_sign_on", "changed", "locked_out"}},
		"mfa, password": {true, func(w *world) { w.tableau.EnableMFA(""); w.sessionDies() }, []string{"mfa_enabled", "single_sign_on", "changed", "locked_out"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				in := w.settings()
				if test.password {
					in.Credential = w.password()
				}
				c, err := w.Create(w.Context(), "c", in)
				w.succeed(err)
				test.breaks(w)
				if err := w.Do(w.Context(), "c", look); err == nil {
					w.Fatal("a dead credential worked")
				}
				got := w.stored(c.ID)
				if got.State != connection.NeedsCredentials || got.Problem == nil {
					w.Fatalf("got %s, want a rejected credential", got.State)
				}
				var causes []string
				for _, cause := range got.Problem.Causes {
					causes = append(causes, cause.Code)
					if cause.Message == "" || cause.Remedy == "" {
						w.Errorf("the cause %q lacks its words", cause.Code)
					}
				}
				if strings.Join(causes, " ") != strings.Join(test.causes, " ") {
					w.Errorf("got causes %q, want %q", causes, test.causes)
				}
			})
		})
	}
}

// keepUntil lets time pass and keeps the token alive.
func (w *world) keepUntil(d time.Duration) {
	for range d / (7 * day) {
		time.Sleep(7 * day)
		w.succeed(w.KeepAlive(w.Context(), "c"))
	}
	time.Sleep(d%(7*day) + time.Second)
}

func TestEnteredExpiry(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.network.life.Store(new(""))
		in := w.settings()
		in.ExpiresAt = time.Now().Add(-day)
		_, err := w.Create(w.Context(), "c", in)
		w.wantFields(err, "auth.expires_on")
		in.ExpiresAt = time.Now().Add(40 * day)
		c, err := w.Create(w.Context(), "c", in)
		w.succeed(err)
		wantEnd := func(c connection.Connection, end time.Time, source connection.ExpirySource) {
			w.Helper()
			if !c.TokenLife.ExpiresAt.Equal(end) || c.TokenLife.Source != source {
				w.Errorf("got %+v, want the end %v, known from %s", c.TokenLife, end, source)
			}
		}
		wantEnd(c, in.ExpiresAt, connection.ExpiryEntered)

		end := time.Now().Add(90 * day).In(time.FixedZone("somewhere", 3600))
		for _, test := range []struct {
			end    time.Time
			source connection.ExpirySource
		}{{end, connection.ExpiryEntered}, {time.Time{}, connection.ExpiryUnknown}, {end, connection.ExpiryEntered}} {
			c, err = w.Edit(w.Context(), "c", connection.Edit{ExpiresAt: &test.end})
			w.succeed(err)
			wantEnd(c, test.end, test.source)
		}
		past := time.Now().Add(-day)
		_, err = w.Edit(w.Context(), "c", connection.Edit{ExpiresAt: &past})
		w.wantFields(err, "token_expires_on")

		// A token that still signs in after it shows that it was wrong.
		soon := time.Now().Add(2 * day)
		_, err = w.Edit(w.Context(), "c", connection.Edit{ExpiresAt: &soon})
		w.succeed(err)
		time.Sleep(4 * day)
		if !w.stored("c").KeepAliveDue(time.Now()) {
			w.Error("that the day has passed is not looked into")
		}
		w.succeed(w.KeepAlive(w.Context(), "c"))
		wantEnd(w.stored("c"), time.Time{}, connection.ExpiryUnknown)
		_, err = w.Edit(w.Context(), "c", connection.Edit{ExpiresAt: &end})
		w.succeed(err)

		// The same credential once more keeps it.
		credential, none := w.token(), time.Time{}
		c, err = w.Edit(w.Context(), "c", connection.Edit{Credential: &credential, ExpiresAt: &none})
		w.succeed(err)
		wantEnd(c, end, connection.ExpiryEntered)

		// Tableau's own word stands above it.
		w.network.life.Store(nil)
		another := w.newToken("", "another")
		c, err = w.Edit(w.Context(), "c", connection.Edit{Credential: &another, ExpiresAt: &end})
		w.succeed(err)
		wantEnd(c, time.Now().Add(180*day), connection.ExpiryTableau)

		// Unless the day is given by itself: it stands, also after a sign-in, until
		// the token signs in after it or the day is taken back.
		late := time.Now().Add(10 * day)
		for _, back := range []bool{false, true} {
			c, err = w.Edit(w.Context(), "c", connection.Edit{ExpiresAt: &late})
			w.succeed(err)
			wantEnd(c, late, connection.ExpiryEntered)
			w.succeed(w.KeepAlive(w.Context(), "c"))
			wantEnd(w.stored("c"), late, connection.ExpiryEntered)
			if back {
				c, err = w.Edit(w.Context(), "c", connection.Edit{ExpiresAt: &none})
				w.succeed(err)
				wantEnd(c, none, connection.ExpiryUnknown)
				time.Sleep(8 * day)
			} else {
				time.Sleep(12 * day)
			}
			ends := time.Now()
			w.succeed(w.KeepAlive(w.Context(), "c"))
			if got := w.stored("c").TokenLife; got.Source != connection.ExpiryTableau || got.ExpiresAt.Before(ends) {
				w.Errorf("taken back %v: got the end %+v, want Tableau's", back, got)
			}
			late = time.Now().Add(10 * day)
		}

		// A password has none.
		password := w.password()
		_, err = w.Edit(w.Context(), "c", connection.Edit{Credential: &password, ExpiresAt: &end})
		w.wantFields(err, "token_expires_on")
		c, err = w.Edit(w.Context(), "c", connection.Edit{Credential: &password, ExpiresAt: &none})
		w.succeed(err)
		wantEnd(c, time.Time{}, connection.ExpiryUnknown)
		_, err = w.Edit(w.Context(), "c", connection.Edit{ExpiresAt: &end})
		w.wantFields(err, "token_expires_on")
	})
}

// Whatever Tableau says of a token's end, the connection is made, and what is no
// end is none.
func TestOddEnds(t *testing.T) {
	t.Parallel()
	for life, want := range map[string]time.Duration{
		"": 0, "0:00:00": 0, "-1:00:00": 0, "soon": 0, "1:00": 0, "99999:00:00": 0, "99999999999999999999:00:00": 0, "1e3:00:00": 0,
		"0:00:01": time.Minute, "0:00:90": 90 * time.Minute, "9999:23:59": 9999*day + 24*time.Hour - time.Minute,
	} {
		t.Run(life, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.network.life.Store(&life)
				got := w.connect().TokenLife
				if source := connection.ExpiryTableau; want > 0 && (got.Source != source || !got.ExpiresAt.Equal(time.Now().Add(want))) {
					t.Errorf("got %+v, want the end in %v", got, want)
				}
				if want == 0 && (got.Source != connection.ExpiryUnknown || !got.ExpiresAt.IsZero()) {
					t.Errorf("got %+v, want no end", got)
				}
			})
		})
	}
}

func TestSiteKey(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"https://Tableau.test", "Acme", "tableau.test/acme"},
		{"http://tableau.test", "acme", "tableau.test/acme"},
		{"https://tableau.test", "", "tableau.test/"},
	} {
		if got := connection.SiteKey(test[0], test[1]); got != test[2] {
			t.Errorf("site key of %q, %q: got %q, want %q", test[0], test[1], got, test[2])
		}
	}
}
