package connection

import (
	"errors"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Codes of a [Problem] beside those of package problem.
const (
	CodeTokenUsedElsewhere = "token_used_elsewhere"
)

// How to make a token, in the words of Tableau's own pages.
const newToken = "In Tableau open My Account Settings, Personal Access Tokens, and create a token that only vizpost uses. " +
	"Copy its secret, close the dialog with the X (Discard would delete the token), and enter name and secret here."

// rejected explains why Tableau refuses a credential. Tableau answers every
// cause with the same 401001, so what is known of the credential's past ranks
// them. Sources: Tableau REST API reference, Sign In; Tableau knowledge base
// 001496614; the help pages on personal access tokens.
func rejected(c Connection, now time.Time) *Problem {
	p := &Problem{Code: problem.CodeCredentialsRejected, Since: now}
	life := c.TokenLife
	if c.Auth.Method == tableau.PersonalAccessToken {
		p.Message = fmt.Sprintf("Tableau refuses the personal access token %q.", c.Auth.TokenName)
		mistyped := Cause{"mistyped", "The token's name or secret is not exactly what Tableau shows.",
			"Enter both again. The name is case-sensitive, and the secret has the form of two parts with a colon between. " + newToken}
		wrongSite := Cause{"wrong_site", "The token belongs to another site or server.",
			"Compare server and site with the address in the browser when you are signed in to Tableau."}
		gone := Cause{"revoked", "The token was revoked, or multi-factor authentication was enabled, which deletes all of a user's tokens.", newToken}
		idle := Cause{"idle", "The token was not used for 15 days; Tableau deletes such tokens.", newToken}
		expired := Cause{"expired", "The token is past its expiry.", newToken}
		switch {
		case !life.ExpiresAt.IsZero() && !now.Before(life.ExpiresAt):
			p.Causes = []Cause{expired, gone, idle}
		case life.LastUsedAt.IsZero():
			p.Causes = []Cause{mistyped, wrongSite, expired, gone}
		case now.Sub(life.LastUsedAt) >= IdleLimit:
			p.Causes = []Cause{idle, gone, expired}
		default:
			p.Causes = []Cause{gone, expired}
		}
		return p
	}
	p.Message = fmt.Sprintf("Tableau refuses the password of %q.", c.Auth.Username)
	useToken := "Switch the connection to a personal access token. " + newToken
	sso := Cause{"mfa_or_single_sign_on", "The account has multi-factor authentication or single sign-on: a password does not sign in to Tableau's API then.", useToken}
	locked := Cause{"locked_out", "The account is locked after too many wrong passwords.", "Wait ten minutes, check that you can sign in to Tableau in the browser, then try again."}
	if life.LastUsedAt.IsZero() {
		p.Causes = []Cause{
			{"mistyped", "The user name or password is wrong.", "Enter both again. On Tableau Cloud the user name is an email address."},
			sso,
			{"wrong_site", "The user has no access to this site, or the site belongs to another server.", "Compare server and site with the address in the browser when you are signed in to Tableau."},
			locked,
		}
	} else {
		p.Causes = []Cause{
			sso,
			{"changed", "The password was changed or has expired.", "Enter the new password, or better: " + useToken},
			locked,
		}
	}
	return p
}

// unreachable explains why a server does not answer as Tableau.
func unreachable(c Connection, err error, now time.Time) *Problem {
	p := &Problem{Code: problem.CodeTableauUnreachable, Message: "The Tableau server does not answer.", Since: now}
	var t *tableau.Error
	if !errors.As(err, &t) {
		return p
	}
	p.Message = t.Message()
	switch t.Cause {
	case tableau.Certificate:
		p.Causes = []Cause{{"certificate", "The server's certificate is not trusted.",
			"Have the server send its whole certificate chain, or give vizpost the authority that signed it."}}
	case tableau.NotTableau:
		p.Causes = []Cause{{"not_tableau", "Something other than Tableau answers at " + c.ServerURL + ".",
			"Check the address. A sign-on page, a proxy or a maintenance page may stand in front of the server."}}
	case tableau.Blocked:
		p.Causes = []Cause{{"blocked", "The address lies in a network that vizpost may not reach.",
			"Have the operator allow the network, or use the server's public address."}}
	default:
		p.Causes = []Cause{
			{"server_down", "The server is down or restarts.", "Open " + c.ServerURL + " in a browser. vizpost tries again by itself."},
			{"network", "A firewall or the network lies between.", "Let the network that vizpost runs in reach the server."},
		}
	}
	return p
}

// usedElsewhere explains that a token's session keeps ending.
func usedElsewhere(now time.Time) *Problem {
	return &Problem{
		Code:    CodeTokenUsedElsewhere,
		Message: "The session of this token keeps being ended: Tableau allows one session for each token, and something else signs in with it.",
		Causes: []Cause{{CodeTokenUsedElsewhere, "Another program, or another vizpost, uses the same token.",
			"Give vizpost a token of its own. " + newToken}},
		Since: now,
	}
}

// asProblem turns what Tableau said about settings that somebody just entered
// into the answer they get.
func asProblem(t *tableau.Error, trial Connection, now time.Time) error {
	p := &problem.Error{Kind: problem.Invalid, Code: "tableau_refused", Message: t.Message(), Err: t}
	switch t.Cause {
	case tableau.CredentialsRejected:
		why := rejected(trial, now)
		likely := why.Causes[0].Message + " " + why.Causes[0].Remedy
		field := "auth.token_secret"
		if trial.Auth.Method != tableau.PersonalAccessToken {
			field = "auth.password"
		}
		p.Code, p.Message = problem.CodeCredentialsRejected, why.Message+" Most likely: "+likely
		p.Fields = []problem.Field{{Name: field, Message: likely}}
	case tableau.Timeout:
		return tooSlow(t)
	case tableau.Unreachable, tableau.Certificate, tableau.NotTableau, tableau.Blocked:
		p.Code, p.Fields = problem.CodeTableauUnreachable, []problem.Field{{Name: "server_url", Message: t.Message()}}
	case tableau.TooManyRequests:
		p.Kind, p.Code, p.After = problem.TooMany, problem.CodeTooMany, t.RetryAfter
	default:
		if t.Retry {
			p.Kind, p.Code, p.After = problem.Unavailable, problem.CodeUnavailable, t.RetryAfter
		}
	}
	return p
}
