package connection

import (
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
)

// Codes of causes.
const (
	causeMistyped      = "mistyped"
	causeWrongSite     = "wrong_site"
	causeWrongPod      = "wrong_pod"
	causeExpired       = "expired"
	causeIdle          = "idle"
	causeRevoked       = "revoked"
	causeMFA           = "mfa_enabled"
	causeSignInChanged = "sign_in_changed"
	causeSingleSignOn  = "single_sign_on"
	causeLockedOut     = "locked_out"
	causeChanged       = "changed"
)

// evidence is something that is known, or not, of a credential that Tableau
// refuses.
type evidence int

const (
	token       evidence = iota // it is a personal access token
	password                    // it is a user's password
	untried                     // it never signed in
	worked                      // it signed in before
	cloudSite                   // the server is Tableau Cloud
	noPodNamed                  // the address names no pod of Tableau Cloud
	noSite                      // no site is given, and Tableau Cloud needs one
	siteDefault                 // the site is given as Default, on a Tableau Server
	siteWorks                   // another credential signs in to the same site
	userWorks                   // the same user signed in to the same site, with something else
	elsewhere                   // the same token works at another address
	otherPod                    // that address is another server, of Tableau Cloud
	pastEnd                     // its known end had passed
	endUnknown                  // its end is not known
	endKnown                    // its end is known
	unused                      // it was not used for 15 days
	unusedFirst                 // and these were over before its known end
	yearOld                     // it was entered a year ago, on a Tableau Server
	otherDied                   // another credential of the user died at the same time
	otherLives                  // a credential of the user that is older signed in since
	manyRefused                 // nine or more refusals within a day
)

// rule gives a cause points where all of the evidence holds. Points only order
// causes: those with more stand first, those with equally many cannot be told
// apart, and one without any is none.
type rule struct {
	cause  string
	points int
	when   []evidence
}

// ruledOut is more than all points of a cause.
const ruledOut = -10_000

// rules say how evidence and causes go together. Tableau's answer does not: it
// is the same for all of them (REST API reference, "Sign In"; knowledge base
// 001496614). Other sources: on tokens, the help pages on personal access
// tokens; on multi-factor authentication, the release notes of February 2022
// for Tableau Cloud; on locked accounts, knowledge base "Your account is
// temporarily locked".
var rules = []rule{
	// A token that never signed in: name, secret, site and server may be wrong,
	// and nothing tells which. That it died before it was entered is rare.
	{causeMistyped, 50, []evidence{token, untried}},
	{causeWrongSite, 50, []evidence{token, untried}},
	{causeWrongPod, 50, []evidence{token, untried, cloudSite}},
	{causeExpired, 20, []evidence{token, untried}},
	{causeIdle, 18, []evidence{token, untried}},
	{causeRevoked, 15, []evidence{token, untried}},
	{causeMFA, 12, []evidence{token, untried}},
	{causeWrongSite, -10, []evidence{untried, siteWorks}},
	{causeWrongPod, -25, []evidence{untried, siteWorks, cloudSite}},

	// One that works elsewhere is not mistyped: a token belongs to one site.
	{causeMistyped, ruledOut, []evidence{token, elsewhere}},
	{causeIdle, ruledOut, []evidence{token, elsewhere}},
	{causeWrongSite, 500, []evidence{token, elsewhere}},
	{causeWrongPod, 600, []evidence{token, otherPod}},

	// A token that signed in before: somebody deleted it, multi-factor
	// authentication did, or it ended.
	{causeRevoked, 40, []evidence{token, worked}},
	{causeMFA, 40, []evidence{token, worked}},
	{causeExpired, 30, []evidence{token, worked, endUnknown}},
	{causeExpired, 30, []evidence{token, worked, endUnknown, yearOld}},
	{causeExpired, 90, []evidence{token, worked, pastEnd}},
	{causeIdle, 5, []evidence{token, worked, pastEnd}},
	{causeIdle, 70, []evidence{token, worked, unused}},
	{causeIdle, 45, []evidence{token, worked, unusedFirst}},
	{causeExpired, 20, []evidence{token, worked, unused, endKnown}},
	{causeWrongPod, 10, []evidence{token, worked, cloudSite}},

	// Two credentials of one user that die together were ended by what ends all
	// of them: multi-factor authentication, or another way of signing in.
	{causeMFA, 30, []evidence{token, worked, otherDied}},
	{causeSignInChanged, 70, []evidence{token, worked, otherDied}},
	{causeMFA, 50, []evidence{password, otherDied}},
	{causeSingleSignOn, 50, []evidence{password, otherDied}},
	{causeMFA, ruledOut, []evidence{worked, otherLives}},
	{causeSignInChanged, ruledOut, []evidence{worked, otherLives}},
	{causeSingleSignOn, ruledOut, []evidence{worked, otherLives}},

	// A password that never signed in.
	{causeMistyped, 50, []evidence{password, untried}},
	{causeWrongSite, 50, []evidence{password, untried}},
	{causeSingleSignOn, 30, []evidence{password, untried}},
	{causeMFA, 20, []evidence{password, untried}},
	{causeLockedOut, 10, []evidence{password}},

	// Tableau Cloud requires multi-factor authentication or single sign-on of
	// all but a few.
	{causeMFA, 40, []evidence{password, untried, cloudSite}},
	{causeSingleSignOn, 30, []evidence{password, untried, cloudSite}},
	{causeMistyped, -10, []evidence{password, untried, cloudSite}},
	{causeWrongSite, -15, []evidence{password, untried, cloudSite}},
	{causeWrongPod, 30, []evidence{password, untried, cloudSite}},

	// The user's earlier password worked here, so user and site are right; that
	// a second one is refused speaks as much for the account as for the typing.
	{causeMFA, 35, []evidence{password, untried, userWorks}},
	{causeSingleSignOn, 25, []evidence{password, untried, userWorks}},
	{causeMistyped, 5, []evidence{password, untried, userWorks}},
	{causeWrongSite, -30, []evidence{password, untried, userWorks}},

	// A password that signed in before.
	{causeMFA, 40, []evidence{password, worked}},
	{causeSingleSignOn, 40, []evidence{password, worked}},
	{causeChanged, 40, []evidence{password, worked}},
	{causeMFA, 20, []evidence{password, worked, cloudSite}},
	{causeSingleSignOn, 20, []evidence{password, worked, cloudSite}},

	// Addresses that cannot be right.
	{causeWrongSite, 100, []evidence{untried, siteDefault}},
	{causeWrongSite, 100, []evidence{untried, noSite}},
	{causeWrongPod, 2000, []evidence{noPodNamed}},

	// Nine refusals lock an account.
	{causeLockedOut, 50, []evidence{token, untried, manyRefused}},
	{causeLockedOut, 35, []evidence{token, worked, manyRefused}},
	{causeLockedOut, 1000, []evidence{password, manyRefused}},
}

// causeOrder is in which order causes stand that have equally many points.
var causeOrder = []string{
	causeRevoked, causeMFA, causeSignInChanged, causeSingleSignOn, causeChanged, causeMistyped, causeLockedOut,
	causeWrongSite, causeWrongPod, causeExpired, causeIdle,
}

// rank is a cause's place among the causes.
type rank struct {
	cause  string
	points int
	equal  bool // it cannot be told apart from the one before
}

// ranked orders the causes by the evidence.
func ranked(facts map[evidence]bool) []rank {
	points := map[string]int{}
	for _, r := range rules {
		if !slices.ContainsFunc(r.when, func(e evidence) bool { return !facts[e] }) {
			points[r.cause] += r.points
		}
	}
	var out []rank
	for _, cause := range causeOrder {
		if points[cause] > 0 {
			out = append(out, rank{cause: cause, points: points[cause]})
		}
	}
	slices.SortStableFunc(out, func(a, b rank) int { return b.points - a.points })
	for i := 1; i < len(out); i++ {
		out[i].equal = out[i].points == out[i-1].points
	}
	return out
}

// known is what is known of a refused credential beside its connection.
type known struct {
	refusals   int        // within a day
	worked     Connection // where the same token works, if it was entered for elsewhere
	siteWorks  bool
	userWorks  bool
	otherDied  bool
	otherLives bool
}

// evidenceOf collects what is known of a credential that is refused. One that
// has been refused for a while is judged as of then: what has passed since does
// not count.
func evidenceOf(c Connection, now time.Time, k known) map[evidence]bool {
	if refused := refusedSince(c); !refused.IsZero() && refused.Before(now) {
		now = refused
	}
	life := c.TokenLife
	end := life.ended()
	isToken := c.Auth.Method == tableau.PersonalAccessToken
	didWork := !life.LastUsedAt.IsZero()
	idleUntil := life.LastUsedAt.Add(IdleLimit)
	idle := didWork && !now.Before(idleUntil)
	return map[evidence]bool{
		token: isToken, password: !isToken,
		untried: !didWork, worked: didWork,
		cloudSite: onCloud(c.ServerURL), noPodNamed: noPod(c.ServerURL),
		noSite: onCloud(c.ServerURL) && c.Site == "", siteDefault: namedDefault(c),
		siteWorks: k.siteWorks, userWorks: k.userWorks,
		elsewhere: k.worked.Fingerprint != "",
		otherPod:  k.worked.Fingerprint != "" && k.worked.ServerURL != c.ServerURL && onCloud(c.ServerURL),
		pastEnd:   !end.IsZero() && !now.Before(life.ExpiresAt), endUnknown: end.IsZero(), endKnown: !end.IsZero(),
		unused: idle, unusedFirst: idle && (end.IsZero() || idleUntil.Before(life.ExpiresAt)),
		yearOld:   aYearOld(c, now),
		otherDied: k.otherDied, otherLives: k.otherLives,
		manyRefused: k.refusals >= lockedAfter,
	}
}

// aYearOld reports whether a year, which a Tableau Server gives its tokens
// unless it is set otherwise, is over since a connection was last edited: its
// token was then new, or some weeks old.
func aYearOld(c Connection, now time.Time) bool {
	const day = 24 * time.Hour
	age := now.Sub(c.UpdatedAt)
	return !onCloud(c.ServerURL) && !c.UpdatedAt.IsZero() && age >= 330*day && age <= 366*day+keepAliveAfter
}
