package connection

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
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

// Codes of causes.
const (
	causeMistyped     = "mistyped"
	causeWrongSite    = "wrong_site"
	causeWrongPod     = "wrong_pod"
	causeExpired      = "expired"
	causeIdle         = "idle"
	causeRevoked      = "revoked"
	causeMFA          = "mfa_enabled"
	causeSingleSignOn = "single_sign_on"
	causeLockedOut    = "locked_out"
	causeChanged      = "changed"
)

// lockedAfter is how many refused sign-ins lock a Tableau account, for ten
// minutes at first and ten times as long each time after (Tableau knowledge
// base, "Your account is temporarily locked").
const lockedAfter = 9

// past is what is known of a credential that is refused.
type past struct {
	refusals int        // within a day
	worked   Connection // where the same token works, if it was entered for elsewhere
}

// rejected explains why Tableau refuses a credential. Tableau answers every
// cause with the same 401001, so what is known of the credential's past ranks
// them; past is what is known beside the connection. Sources: Tableau
// REST API reference, Sign In; Tableau knowledge base 001496614; the help pages
// on personal access tokens.
func rejected(c Connection, now time.Time, past past) *Problem {
	p := &Problem{Code: problem.CodeCredentialsRejected, Since: now}
	if c.Auth.Method == tableau.PersonalAccessToken {
		p.Message = fmt.Sprintf("Tableau refuses the personal access token %q.", c.Auth.TokenName)
		p.Causes = tokenCauses(c, now)
		if past.worked.Fingerprint != "" {
			p.Causes = movedFirst(p.Causes, past.worked, c)
		}
		if past.refusals >= lockedAfter {
			p.Causes = slices.Insert(p.Causes, 1, lockedOut())
		}
	} else {
		p.Message = fmt.Sprintf("Tableau refuses the password of %q.", c.Auth.Username)
		p.Causes = passwordCauses(c)
		if past.refusals >= lockedAfter {
			p.Causes = slices.DeleteFunc(p.Causes, func(c Cause) bool { return c.Code == causeLockedOut })
			p.Causes = slices.Insert(p.Causes, 0, lockedOut())
		}
	}
	if noPod(c.ServerURL) {
		p.Causes = slices.DeleteFunc(p.Causes, func(c Cause) bool { return c.Code == causeWrongPod })
		p.Causes = slices.Insert(p.Causes, 0, wrongPod(c.ServerURL))
	}
	return p
}

func tokenCauses(c Connection, now time.Time) []Cause {
	idle := Cause{causeIdle, "The token was not used for 15 days; Tableau deletes such tokens.", newToken}
	expired := Cause{causeExpired, "The token is past its expiry.", newToken}
	mfa := Cause{causeMFA, "Multi-factor authentication was enabled for the user, which deletes all of the user's tokens.", newToken}
	revoked := Cause{causeRevoked, "The token was revoked, by its user or an administrator.", newToken}
	life := c.TokenLife
	var causes []Cause
	switch {
	case !life.ExpiresAt.IsZero() && !now.Before(life.ExpiresAt):
		causes = []Cause{expired, revoked, mfa, idle}
	case life.LastUsedAt.IsZero(): // it never worked
		causes = []Cause{
			{causeMistyped, "The token's name or secret is not exactly what Tableau shows.",
				"Enter both again. The name is case-sensitive, and the secret consists of two parts with a colon between. If the secret is lost: " + newToken},
			wrongSite(c, "The token belongs to another site or server."),
		}
		if onCloud(c.ServerURL) {
			causes = append(causes, wrongPod(c.ServerURL))
		}
		return append(causes, expired, revoked, mfa)
	case now.Sub(life.LastUsedAt) >= IdleLimit:
		causes = []Cause{idle, revoked, mfa, expired}
	default:
		causes = []Cause{revoked, mfa}
		if life.ExpiresAt.IsZero() {
			causes = append(causes, expired)
		}
	}
	if onCloud(c.ServerURL) {
		causes = append(causes, Cause{causeWrongPod, "The site was moved to another pod of Tableau Cloud.",
			"Sign in to Tableau in the browser. If the address there begins with another host than " + c.ServerURL +
				", enter that as the server, together with the credential."})
	}
	return causes
}

// movedFirst puts what was changed before all else: as the token works where it
// was, it is not mistyped.
func movedFirst(causes []Cause, worked, c Connection) []Cause {
	first := wrongSite(c, "The token works on "+worked.ServerURL+", "+siteName(worked.Site)+", and belongs to that site alone.")
	if worked.ServerURL != c.ServerURL && onCloud(c.ServerURL) {
		first = wrongPod(c.ServerURL)
	}
	causes = slices.DeleteFunc(causes, func(c Cause) bool { return c.Code == first.Code || c.Code == causeMistyped })
	return slices.Insert(causes, 0, first)
}

func passwordCauses(c Connection) []Cause {
	useToken := "Use a personal access token instead of the password. " + newToken
	mfa := Cause{causeMFA, "The account has multi-factor authentication: a password alone does not sign in then.", useToken}
	sso := Cause{causeSingleSignOn, "The account signs in by single sign-on: it has no password that Tableau's API takes.", useToken}
	mistyped := Cause{causeMistyped, "The user name or password is wrong.", "Enter both again."}
	site := wrongSite(c, "The user has no access to this site, or the site belongs to another server.")
	changed := Cause{causeChanged, "The password was changed or has expired.", "Enter the new password. Better: " + useToken}
	worked := !c.TokenLife.LastUsedAt.IsZero()
	if !onCloud(c.ServerURL) {
		if worked {
			return []Cause{changed, mfa, sso, lockedOut()}
		}
		return []Cause{mistyped, site, sso, mfa, lockedOut()}
	}
	// Tableau Cloud requires multi-factor authentication of all but a few.
	mistyped.Remedy = "Enter both again. On Tableau Cloud the user name is an email address."
	if worked {
		return []Cause{mfa, sso, changed, lockedOut()}
	}
	return []Cause{mfa, sso, mistyped, site, wrongPod(c.ServerURL), lockedOut()}
}

func wrongSite(c Connection, message string) Cause {
	remedy := "Compare server and site with the address in the browser when you are signed in to Tableau: the site stands between /site/ and the next slash."
	if c.Site == "" {
		remedy += " Now it is empty, which means the default site of a Tableau Server."
		if onCloud(c.ServerURL) {
			remedy = "Enter the site: it stands between /site/ and the next slash of the address in the browser when you are signed in to Tableau. Tableau Cloud has no default site."
		}
	}
	return Cause{causeWrongSite, message, remedy}
}

func wrongPod(serverURL string) Cause {
	const remedy = "Sign in to Tableau in the browser and enter the beginning of the address there, such as https://10ay.online.tableau.com."
	if noPod(serverURL) {
		return Cause{causeWrongPod, "The address does not name the pod of Tableau Cloud on which the site lies.", remedy}
	}
	return Cause{causeWrongPod, "The site lies on another pod of Tableau Cloud than " + serverURL + ".", remedy}
}

func lockedOut() Cause {
	return Cause{causeLockedOut, "The account is locked after too many refused sign-ins.",
		"Wait ten minutes, check that you can sign in to Tableau in the browser, then try again. Each further refusal while it is locked makes it longer."}
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
func usedElsewhere(c Connection, now time.Time) *Problem {
	p := &Problem{
		Code:    CodeTokenUsedElsewhere,
		Message: "The session of this token keeps being ended: Tableau allows one session for each token, and most likely something else signs in with it.",
		Causes: []Cause{{CodeTokenUsedElsewhere, "Another program, or another vizpost, uses the same token.",
			"Give vizpost a token of its own. " + newToken}},
		Since: now,
	}
	if onCloud(c.ServerURL) {
		p.Causes = append(p.Causes, Cause{"session_cut_short", "Tableau Cloud itself ends the sessions early, as it does at times after a few exports.",
			"If nothing else uses the token, there is nothing to do: vizpost signs in again by itself, and reports only come later."})
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
		p.Causes = []Cause{{"moved", "The server has moved to another address.",
			"Sign in to Tableau in the browser and compare the beginning of the address there with " + c.ServerURL + "."}}
		if onCloud(c.ServerURL) {
			p.Causes = []Cause{wrongPod(c.ServerURL)}
		}
	case tableau.NotPermitted:
		p.Message = "Tableau does not let this user sign in."
		p.Causes = []Cause{{"not_permitted", "The user may not sign in to this site any more.",
			"Ask the Tableau administrator for access to the site, or enter the credential of another user."}}
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
		Causes: []Cause{{CodeSecretMissing, "Somebody removed it where secrets are kept.", remedy}}, Since: now}
}

// asProblem turns what Tableau said about settings that somebody just entered
// into the answer they get.
func asProblem(t *tableau.Error, trial Connection, now time.Time, past past) error {
	p := &problem.Error{Kind: problem.Invalid, Code: codeRefused, Message: t.Message(), Err: t}
	switch t.Cause {
	case tableau.CredentialsRejected:
		why := rejected(trial, now, past)
		likely := why.Causes[0]
		p.Code, p.Causes = problem.CodeCredentialsRejected, told(why.Causes)
		p.Message = why.Message + " Most likely: " + likely.Message + " " + likely.Remedy
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
