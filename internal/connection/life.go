package connection

import (
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
)

const (
	// keepAliveAfter is how long a token may go without a sign-in before one
	// is made for its own sake: half of what Tableau allows.
	keepAliveAfter = 7 * 24 * time.Hour

	// afterEnd is how long after a token's end a sign-in shows that it has
	// ended: Tableau gives the end in whole minutes.
	afterEnd = 5 * time.Minute

	// clockSlack is how far the clocks of processes may be apart. What lies
	// further ahead was noted by a clock that was wrong.
	clockSlack = time.Hour

	// A refused credential is tried once a day, since an administrator may have
	// mended it in Tableau; later only once a month, since each refusal counts
	// towards the nine that lock the account.
	refusedProbe     = 24 * time.Hour
	lateRefusedProbe = 30 * 24 * time.Hour
	dailyProbes      = 4

	// A secret that is missing costs Tableau nothing to look for: it may not
	// have been seen at once, or an operator may bring it back.
	firstMissingProbe = time.Minute
	missingProbe      = 30 * time.Minute
)

// probePause is how long to wait before a connection that needs a credential is
// tried again, after a number of probes.
func probePause(code string, probes int) time.Duration {
	switch {
	case code != CodeSecretMissing:
		return refusedPause(probes)
	case probes == 0:
		return firstMissingProbe
	}
	return missingProbe
}

// refusedPause is how long to wait after a number of probes that were refused.
func refusedPause(probes int) time.Duration {
	if probes < dailyProbes {
		return refusedProbe
	}
	return lateRefusedProbe
}

// ProbeDue is when a broken connection is to be tried again. What lies further
// ahead than any pause was noted by a clock that was wrong: then it is now.
func (c Connection) ProbeDue(now time.Time) time.Time {
	if c.ProbeAt.After(now.Add(lateRefusedProbe + clockSlack)) {
		return now
	}
	if c.Problem != nil && c.Problem.Code == CodeSecretMissing && c.ProbeAt.After(now.Add(missingProbe)) {
		return now // noted before such a secret was looked for so often
	}
	return c.ProbeAt
}

// unreachableProbes are the pauses between tries of a server that does not
// answer; the last one goes on.
var unreachableProbes = [...]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}

func unreachableProbe(probes int) time.Duration {
	return unreachableProbes[min(probes, len(unreachableProbes)-1)]
}

// used notes a sign-in, and the end that Tableau gave with it. An end that a
// person gave stands above that, until the token signs in after it: then it has
// been wrong.
func (l TokenLife) used(method tableau.Method, now time.Time, expiresIn time.Duration) TokenLife {
	l.LastUsedAt = now
	entered := l.Source == ExpiryEntered
	switch {
	case method != tableau.PersonalAccessToken, entered && now.Before(l.ended()):
	case expiresIn > 0:
		l.ExpiresAt, l.Source = now.Add(expiresIn), ExpiryTableau
	case entered:
		l.ExpiresAt, l.Source = time.Time{}, ExpiryUnknown
	}
	return l
}

// ended is when the token is no longer expected to sign in; zero when its end
// is not known. A person gives a day, in which the token ends at some time.
func (l TokenLife) ended() time.Time {
	switch {
	case l.ExpiresAt.IsZero():
		return time.Time{}
	case l.Source == ExpiryEntered:
		return l.ExpiresAt.AddDate(0, 0, 1).Add(afterEnd)
	}
	return l.ExpiresAt.Add(afterEnd)
}

// told notes the end of a token that a person gave with its secret; what Tableau
// said at the sign-in stands above it.
func (l TokenLife) told(expiresAt time.Time) TokenLife {
	if l.Source == ExpiryTableau {
		return l
	}
	return l.entered(expiresAt)
}

// entered notes the end of a token that a person gave by itself, whatever is
// known of it; zero for one that they do not know: then Tableau's word counts,
// which the next sign-in brings.
func (l TokenLife) entered(expiresAt time.Time) TokenLife {
	switch {
	case expiresAt.IsZero() && l.Source == ExpiryTableau:
	case expiresAt.IsZero():
		l.ExpiresAt, l.Source = time.Time{}, ExpiryUnknown
	default:
		l.ExpiresAt, l.Source = expiresAt.UTC(), ExpiryEntered
	}
	return l
}

// KeepAliveDue reports whether the connection's token needs a sign-in for its
// own sake: so as not to die of idleness, or, once its end has passed, so that
// its people hear of it before a report is due.
func (c Connection) KeepAliveDue(now time.Time) bool {
	if c.Auth.Method != tableau.PersonalAccessToken || !c.State.Works() {
		return false
	}
	last, ended := c.TokenLife.LastUsedAt, c.TokenLife.ended()
	return !now.Before(last.Add(keepAliveAfter)) || last.After(now.Add(clockSlack)) ||
		!ended.IsZero() && !now.Before(ended) && last.Before(ended)
}

// Warning is a message about a token's coming end. Each kind is said once for
// a credential.
type Warning struct {
	Kind    string // such as "expires_in_7_days"
	Of      string // what the kind is said once for: the credential, and its end if a person entered that
	Subject string
	Text    string
}

// warnSlack is how long after a whole day a warning still names that day: rounds
// of care come some time after it.
const warnSlack = 3 * time.Hour

// warnDays are the days before a token's end on which people are warned.
var warnDays = [...]int{1, 7, 14, 30}

// Warn gives the warning that is due for the connection's token: that of the
// nearest threshold already crossed. The second result is false when there is
// none, or the token has ended already: then [Connection.KeepAliveDue] has it
// found out; nor of a token that Tableau refuses, of which people were told.
func (c Connection) Warn(now time.Time) (Warning, bool) {
	end := c.TokenLife.ExpiresAt
	if c.Auth.Method != tableau.PersonalAccessToken || end.IsZero() || !now.Before(end) || c.State == NeedsCredentials {
		return Warning{}, false
	}
	for _, days := range warnDays {
		if now.Before(end.AddDate(0, 0, -days)) {
			continue
		}
		left := int((end.Sub(now) + warnSlack).Hours()) / 24
		when := fmt.Sprintf("in %d days", left)
		switch left {
		case 0:
			when = "within a day"
		case 1:
			when = "in a day"
		}
		of := c.CredentialVersion
		if c.TokenLife.Source == ExpiryEntered { // which people correct; Tableau's varies by minutes
			of += " " + end.UTC().Format(time.DateOnly)
		}
		return Warning{
			Kind:    fmt.Sprintf("expires_in_%d_days", days),
			Of:      of,
			Subject: fmt.Sprintf("The Tableau token of %q ends %s", c.Name, when),
			Text: fmt.Sprintf("The personal access token %q, with which vizpost signs in for the connection %q (%s, %s), ends on %s UTC.\n\n"+
				"%s\n\nUntil then nothing changes. After it, reports are held until there is a new token; none is lost.\n",
				c.Auth.TokenName, c.Name, c.ServerURL, siteName(c.Site), end.UTC().Format("2 January 2006 at 15:04"), newToken),
		}, true
	}
	return Warning{}, false
}
