package connection

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Codes of a [Problem] beside those of package problem.
const (
	CodeTokenUsedElsewhere = "token_used_elsewhere"
	CodeSecretMissing      = "secret_missing"

	codeRefused = "tableau_refused"
)

// newToken is how to make a token, in the words of Tableau's own pages. It is
// the remedy wherever a token is needed.
const newToken = "In Tableau open your account settings (your picture, then My Account Settings), go to Personal Access Tokens, " +
	"and create a token with a name of its own that only vizpost uses. Copy its secret, which is shown once, and close the dialog " +
	"with the X: Discard would delete the token. Then enter its name and secret in vizpost."

// lockedAfter is how many refused sign-ins lock a Tableau account, for ten
// minutes at first and ten times as long each time after (Tableau knowledge
// base, "Your account is temporarily locked").
const lockedAfter = 9

// rejected explains why Tableau refuses a credential. Tableau answers every
// cause with the same 401001, so what is known besides ranks them; see [rules].
func rejected(c Connection, now time.Time, known known) *Problem {
	p := &Problem{Code: problem.CodeCredentialsRejected, Since: now}
	if c.Auth.Method == tableau.PersonalAccessToken {
		p.Message = fmt.Sprintf("Tableau refuses the personal access token %q.", c.Auth.TokenName)
	} else {
		p.Message = fmt.Sprintf("Tableau refuses the password of %q.", c.Auth.Username)
	}
	facts := evidenceOf(c, now, known)
	for _, r := range ranked(facts) {
		cause := explained(r.cause, c, facts, known)
		cause.Equal = r.equal
		p.Causes = append(p.Causes, cause)
	}
	return p
}

// explained puts a cause into words.
func explained(code string, c Connection, facts map[evidence]bool, known known) Cause {
	const useToken = "Use a personal access token instead of the password. " + newToken
	token := facts[token]
	switch code {
	case causeMistyped:
		switch {
		case token:
			return Cause{Code: code, Message: "The token's name or secret is not exactly what Tableau shows.",
				Remedy: "Enter both again. The name is case-sensitive, and the secret consists of two parts with a colon between. If the secret is lost: " + newToken}
		case facts[cloudSite]:
			return Cause{Code: code, Message: "The user name or password is wrong.",
				Remedy: "Enter both again. On Tableau Cloud the user name is an email address."}
		}
		return Cause{Code: code, Message: "The user name or password is wrong.", Remedy: "Enter both again."}
	case causeWrongSite:
		switch {
		case facts[elsewhere] && !facts[otherPod]:
			return wrongSite(c, "The token works on "+known.worked.ServerURL+", "+siteName(known.worked.Site)+", and belongs to that site alone.")
		case token:
			return wrongSite(c, "The token belongs to another site or server.")
		}
		return wrongSite(c, "The user has no access to this site, or the site belongs to another server.")
	case causeWrongPod:
		if token && facts[worked] && !facts[noPodNamed] {
			return Cause{Code: code, Message: "The site was moved to another pod of Tableau Cloud.",
				Remedy: "Sign in to Tableau in the browser. If the address there begins with another host than " + c.ServerURL +
					", enter that as the server, together with the credential."}
		}
		return wrongPod(c.ServerURL)
	case causeExpired:
		return Cause{Code: code, Message: "The token is past its expiry.", Remedy: newToken}
	case causeIdle:
		return Cause{Code: code, Message: "The token was not used for 15 days; Tableau deletes such tokens.", Remedy: newToken}
	case causeRevoked:
		return Cause{Code: code, Message: "The token was revoked, by its user or an administrator.", Remedy: newToken}
	case causeMFA:
		if token {
			return Cause{Code: code, Message: "Multi-factor authentication was enabled for the user, which deletes all of the user's tokens.", Remedy: newToken}
		}
		return Cause{Code: code, Message: "The account has multi-factor authentication: a password alone does not sign in then.", Remedy: useToken}
	case causeSignInChanged:
		return Cause{Code: code, Message: "The user now signs in to Tableau in another way, such as single sign-on, which revokes all of the user's tokens.", Remedy: newToken}
	case causeSingleSignOn:
		return Cause{Code: code, Message: "The account signs in by single sign-on: it has no password that Tableau's API takes.", Remedy: useToken}
	case causeChanged:
		return Cause{Code: code, Message: "The password was changed or has expired.", Remedy: "Enter the new password. Better: " + useToken}
	}
	return lockedOut()
}

func wrongSite(c Connection, message string) Cause {
	remedy := "Compare server and site with the address in the browser when you are signed in to Tableau: the site stands between /site/ and the next slash."
	switch {
	case namedDefault(c):
		message = "The default site of a Tableau Server has no name in its address; \"Default\" is only what Tableau shows for it."
		remedy = "Leave the site empty."
	case c.Site == "" && onCloud(c.ServerURL):
		remedy = "Enter the site: it stands between /site/ and the next slash of the address in the browser when you are signed in to Tableau. Tableau Cloud has no default site."
	case c.Site == "":
		remedy += " Now it is empty, which means the default site of a Tableau Server."
	}
	return Cause{Code: causeWrongSite, Message: message, Remedy: remedy}
}

// namedDefault reports whether the default site of a Tableau Server was entered
// by the name that Tableau shows for it.
func namedDefault(c Connection) bool {
	return strings.EqualFold(c.Site, "default") && !onCloud(c.ServerURL)
}

func wrongPod(serverURL string) Cause {
	const remedy = "Sign in to Tableau in the browser and enter the beginning of the address there, such as https://10ay.online.tableau.com."
	if noPod(serverURL) {
		return Cause{Code: causeWrongPod, Message: "The address does not name the pod of Tableau Cloud on which the site lies.", Remedy: remedy}
	}
	return Cause{Code: causeWrongPod, Message: "The site lies on another pod of Tableau Cloud than " + serverURL + ".", Remedy: remedy}
}

func lockedOut() Cause {
	return Cause{Code: causeLockedOut, Message: "The account is locked after too many refused sign-ins.",
		Remedy: "Wait ten minutes, check that you can sign in to Tableau in the browser, then try again. Each further refusal while it is locked makes it longer."}
}

const cloud = "online.tableau.com"

// onCloud reports whether a server is Tableau Cloud, whose hosts are its pods.
func onCloud(serverURL string) bool {
	host := hostOf(serverURL)
	return host == cloud || strings.HasSuffix(host, "."+cloud)
}

// noPod reports whether an address is of Tableau Cloud and names no pod.
func noPod(serverURL string) bool {
	host := hostOf(serverURL)
	return host == cloud || host == "www."+cloud || host == "sso."+cloud
}

func hostOf(serverURL string) string {
	u, err := url.Parse(serverURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
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
		p.Causes = []Cause{{Code: "certificate", Message: "The server's certificate is not trusted.",
			Remedy: "Have the server send its whole certificate chain, or give vizpost the authority that signed it."}}
	case tableau.NotTableau:
		p.Causes = []Cause{{Code: "not_tableau", Message: "Something other than Tableau answers at " + c.ServerURL + ".",
			Remedy: "Check the address. A sign-on page, a proxy or a maintenance page may stand in front of the server."}}
	case tableau.Blocked:
		p.Causes = []Cause{{Code: "blocked", Message: "The address lies in a network that vizpost may not reach.",
			Remedy: "Have the operator allow the network, or use the server's public address."}}
	default:
		p.Causes = []Cause{
			{Code: "server_down", Message: "The server is down or restarts.", Remedy: "Open " + c.ServerURL + " in a browser. vizpost tries again by itself."},
			{Code: "network", Message: "A firewall or the network lies between.", Remedy: "Let the network that vizpost runs in reach the server."},
		}
	}
	return p
}

// usedElsewhere explains that a token's session keeps ending.
func usedElsewhere(c Connection, now time.Time) *Problem {
	p := &Problem{
		Code:    CodeTokenUsedElsewhere,
		Message: "The session of this token keeps being ended: Tableau allows one session for each token, and most likely something else signs in with it.",
		Causes: []Cause{{Code: CodeTokenUsedElsewhere, Message: "Another program, or another vizpost, uses the same token.",
			Remedy: "Give vizpost a token of its own. " + newToken}},
		Since: now,
	}
	if onCloud(c.ServerURL) {
		p.Causes = append(p.Causes, Cause{Code: "session_cut_short", Message: "Tableau Cloud itself ends the sessions early, as it does at times after a few exports.",
			Remedy: "If nothing else uses the token, there is nothing to do: vizpost signs in again by itself, and reports only come later."})
	}
	return p
}

// signInRefused explains that Tableau does not let anybody sign in in this way,
// for another reason than the credential.
func signInRefused(c Connection, t *tableau.Error, now time.Time) *Problem {
	p := &Problem{Code: codeRefused, Message: "Tableau refuses the sign-in. " + t.Message(), Since: now}
	switch t.Cause {
	case tableau.SiteNotFound:
		p.Causes = []Cause{wrongSite(c, "The site was renamed or deleted, or this user has lost access to it.")}
	case tableau.MalformedRequest: // such as a POST that a redirect made a GET of
		p.Causes = []Cause{{Code: "moved", Message: "The server has moved to another address.",
			Remedy: "Sign in to Tableau in the browser and compare the beginning of the address there with " + c.ServerURL + "."}}
		if onCloud(c.ServerURL) {
			p.Causes = []Cause{wrongPod(c.ServerURL)}
		}
	case tableau.NotPermitted:
		p.Message = "Tableau does not let this user sign in."
		p.Causes = []Cause{{Code: "not_permitted", Message: "The user may not sign in to this site any more.",
			Remedy: "Ask the Tableau administrator for access to the site, or enter the credential of another user."}}
	}
	return p
}

// secretMissing explains that the secret is not there any more.
func secretMissing(c Connection, now time.Time) *Problem {
	remedy := "Enter the password again."
	if c.Auth.Method == tableau.PersonalAccessToken {
		remedy = "Enter the token's name and secret again. If the secret is lost: " + newToken
	}
	return &Problem{Code: CodeSecretMissing, Message: "The stored secret of this connection does not exist any more.",
		Causes: []Cause{{Code: CodeSecretMissing, Message: "Somebody removed it where secrets are kept.", Remedy: remedy}}, Since: now}
}

// asProblem turns what Tableau said about settings that somebody just entered
// into the answer they get.
func asProblem(t *tableau.Error, trial Connection, now time.Time, known known) error {
	p := &problem.Error{Kind: problem.Invalid, Code: codeRefused, Message: t.Message(), Err: t}
	switch t.Cause {
	case tableau.CredentialsRejected:
		why := rejected(trial, now, known)
		likely := why.Causes[0]
		p.Code, p.Causes = problem.CodeCredentialsRejected, told(why.Causes)
		p.Message = why.Message + " Most likely: " + likely.Message
		for _, c := range why.Causes[1:] {
			if !c.Equal {
				break
			}
			p.Message += " Or, equally likely: " + c.Message
		}
		p.Message += " " + likely.Remedy
		p.Fields = []problem.Field{{Name: fieldOf(likely, trial.Auth.Method), Message: likely.Message + " " + likely.Remedy}}
	case tableau.Timeout:
		return tooSlow(t)
	case tableau.Unreachable, tableau.Certificate, tableau.NotTableau, tableau.Blocked:
		p.Code, p.Causes = problem.CodeTableauUnreachable, told(unreachable(trial, t, now).Causes)
		p.Fields = []problem.Field{{Name: "server_url", Message: t.Message()}}
	case tableau.MalformedRequest: // such as a POST that a redirect made a GET of
		p.Fields = []problem.Field{{Name: "server_url", Message: t.Message()}}
		if onCloud(trial.ServerURL) {
			p.Causes = told([]Cause{wrongPod(trial.ServerURL)})
		}
	case tableau.TooManyRequests:
		p.Kind, p.Code, p.After = problem.TooMany, problem.CodeTooMany, t.RetryAfter
	default:
		if t.Retry {
			p.Kind, p.Code, p.After = problem.Unavailable, problem.CodeUnavailable, t.RetryAfter
		}
	}
	return p
}

// fieldOf names the field at which a cause is remedied.
func fieldOf(c Cause, method tableau.Method) string {
	switch c.Code {
	case causeWrongSite:
		return "site"
	case causeWrongPod:
		return "server_url"
	}
	if method == tableau.PersonalAccessToken {
		return "auth.token_secret"
	}
	return "auth.password"
}
