package connection_test

import (
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// TestHeldOutHistories plays histories that the rules were not made from, and
// so shows whether the rules hold for more than their own examples.
func TestHeldOutHistories(t *testing.T) {
	t.Parallel()
	all := heldOutHistories()
	right := playHistories(t, all)
	if want := 19; right < want {
		t.Errorf("the cause stands first in %d of %d histories, want %d", right, len(all), want)
	}
	t.Logf("the cause stands first, or among equals, in %d of %d histories", right, len(all))
}

func heldOutHistories() []history {
	var all []history
	add := func(source, what, cause string, play func(p *player)) {
		all = append(all, history{source, what, cause, play})
	}

	// What is entered is wrong, and what works beside it says where.
	add(defaultTSC, "the default site is entered as DEFAULT", "wrong_site", func(p *player) { p.enter("DEFAULT", p.token()) })
	add(podPage, "no site is entered for Cloud, with a password", "wrong_site", func(p *player) {
		p.server = pod
		p.refuses()
		p.enter("", p.password())
	})
	add(kb1496614, "the name of a site is entered where a connection to another one works", "wrong_site", func(p *player) {
		p.connects("other", p.newToken(ana, "other"))
		p.enter("Demo-Site", p.token())
	})
	add(podPage, "the same site works on another pod", "wrong_pod", func(p *player) {
		p.server = "https://prod-useast-b.online.tableau.com"
		p.connects("other", p.newToken(ana, "other"))
		p.server = pod
		p.refuses()
		p.enter(p.tableau.Site(), p.token())
	})
	add(kb1496614, "a token's name and secret are swapped", "mistyped", func(p *player) {
		name, value := p.tableau.PAT()
		p.enter(p.tableau.Site(), tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: value, Secret: secret.New(name)})
	})
	add(signInPage, "a password is mistyped that works in another connection", "mistyped", func(p *player) {
		p.connects("other", p.password())
		p.enter(p.tableau.Site(), p.wrongPassword())
	})
	add(tokensPage, "a new token of the same name is mistyped while the old one works", "mistyped", func(p *player) {
		p.connects("c", p.token())
		c := p.wrongSecret()
		_, err := p.Edit(p.Context(), "c", connection.Edit{Credential: &c})
		p.heard(err)
	})
	add(tokensPage, "after a token was revoked, the new one is mistyped", "mistyped", func(p *player) {
		p.connects("c", p.token())
		time.Sleep(30 * day)
		p.tableau.RevokeTokens(ana)
		p.ends()
		p.fails("c")
		c := p.newToken(ana, "second")
		c.Secret = secret.New("mistyped:secret")
		_, err := p.Edit(p.Context(), "c", connection.Edit{Credential: &c})
		p.heard(err)
	})
	add(tokensPage, "a token was made three weeks before it is entered for the first time", "idle", func(p *player) {
		c := p.newToken(ana, "kept in a drawer")
		time.Sleep(21 * day)
		p.enter(p.tableau.Site(), c)
	})

	// Tokens that worked and die of their age.
	add(tokensPage, "a token is kept alive for a month, and then vizpost is off for 16 days", "idle", func(p *player) {
		p.connects("c", p.token())
		p.keptAlive(30*day, "c")
		time.Sleep(16 * day)
		p.fails("c")
	})
	add(tokensPage, "two tokens of one user die while vizpost is off for 20 days", "idle", func(p *player) {
		p.connects("a", p.token())
		p.connects("b", p.newToken(ana, "second"))
		p.keptAlive(10*day, "a", "b")
		time.Sleep(20 * day)
		p.fails("a")
		p.fails("b")
	})
	add(tokensPage, "a token of a Server that tells no end dies after its year", "expired", func(p *player) {
		p.withLife(365 * day)
		nothing := ""
		p.network.life.Store(&nothing)
		p.connects("c", p.token())
		p.keptAlive(366*day, "c")
		p.ends()
		p.fails("c")
	})
	add(tokensPage, "a token dies on the day that somebody entered as its end", "expired", func(p *player) {
		p.withLife(90 * day)
		nothing := ""
		p.network.life.Store(&nothing)
		in := p.at(p.tableau.Site(), p.token())
		in.ExpiresAt = time.Now().Add(90 * day)
		_, err := p.Create(p.Context(), "c", in)
		p.succeed(err)
		p.keptAlive(91*day, "c")
		p.ends()
		p.fails("c")
	})

	// Somebody ended them.
	add(tokensPage, "a token is revoked three days after another of its user expired", "revoked", func(p *player) {
		p.withLife(60 * day)
		p.connects("a", p.token())
		p.keptAlive(30*day, "a")
		p.connects("b", p.newToken(ana, "second"))
		p.keptAlive(31*day, "a", "b")
		p.ends()
		p.fails("a")
		p.keptAlive(3*day, "b")
		p.tableau.RevokeTokens(ana)
		p.ends()
		p.fails("b")
	})
	add(tokensPage, "a token is revoked while the password of its user goes on", "revoked", func(p *player) {
		p.connects("token", p.token())
		p.connects("password", p.password())
		p.keptAlive(20*day, "token", "password")
		p.tableau.RevokeTokens(ana)
		p.ends()
		p.succeed(p.Do(p.Context(), "password", look))
		p.fails("token")
	})
	add(tokensPage, "one of two new tokens is revoked two months after MFA ended the old ones", "revoked", func(p *player) {
		p.connects("a", p.token())
		p.connects("b", p.newToken(ana, "second"))
		p.tableau.EnableMFA(ana)
		p.ends()
		p.fails("a")
		p.fails("b")
		for _, id := range []string{"a", "b"} {
			c := p.newToken(ana, "new "+id)
			_, err := p.Edit(p.Context(), id, connection.Edit{Credential: &c})
			p.succeed(err)
		}
		p.keptAlive(60*day, "a", "b")
		p.newToken(ana, "new a") // ends the one before
		p.ends()
		p.succeed(p.Do(p.Context(), "b", look))
		p.fails("a")
	})
	add(mfaPage, "MFA is enabled for everybody, and two users have two tokens each", "mfa_enabled", func(p *player) {
		ids := []string{"a", "b", "c", "d"}
		for i, id := range ids {
			user := []string{ana, rui}[i/2]
			p.connects(id, p.newToken(user, "token "+id))
		}
		p.keptAlive(20*day, ids...)
		p.tableau.EnableMFA("")
		p.ends()
		for _, id := range ids {
			p.fails(id)
		}
	})
	add(mfaPage, "after MFA ended two tokens, an old one is entered again", "mfa_enabled", func(p *player) {
		p.connects("a", p.token())
		p.connects("b", p.newToken(ana, "second"))
		p.tableau.EnableMFA(ana)
		p.ends()
		p.fails("a")
		p.fails("b")
		c := p.token()
		_, err := p.Edit(p.Context(), "a", connection.Edit{Credential: &c})
		p.heard(err)
	})
	add(tokensPage, "the sign-in method of a user with a token and a password is changed", "sign_in_changed", func(p *player) {
		p.connects("token", p.token())
		p.connects("password", p.password())
		p.keptAlive(20*day, "token", "password")
		p.tableau.RevokeTokens(ana)
		p.fault(tableautest.Fault{Kind: tableautest.FaultError, Code: 401001, Route: "signin", Times: -1})
		p.ends()
		p.fails("password")
		p.fails("token")
	})

	// Nine refusals lock the account of a user of Cloud.
	add(lockPage, "the right password is entered after nine wrong ones", "locked_out", func(p *player) {
		p.server = pod
		for n := range 9 {
			if n == 5 {
				time.Sleep(20 * time.Minute)
			}
			p.enter(p.tableau.Site(), p.wrongPassword())
		}
		time.Sleep(5 * time.Minute)
		p.enter(p.tableau.Site(), p.password())
	})
	return all
}
