package connection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// answer makes of what went wrong in a try of a credential the problem that its
// user gets; stored is what there is of the connection so far, worked is where the same credential works, if it was entered for
// elsewhere.
func (s *Service) answer(ctx context.Context, err error, c, stored, worked Connection) error {
	var already *problem.Error
	var t *tableau.Error
	if errors.As(err, &already) || !errors.As(err, &t) {
		return answerUse(err)
	}
	var about known
	if t.Cause == tableau.CredentialsRejected {
		about, _ = s.known(ctx, c, stored)
		about.worked = worked
		var countErr error
		about.refusals, countErr = s.Store.Attempts(context.WithoutCancel(ctx), attemptKey(c), s.Now().Add(-24*time.Hour))
		if countErr != nil {
			s.Log.Warn("the refusals of a credential were not counted", "error", countErr)
		}
	}
	return asProblem(t, c, s.Now(), about)
}

// answerUse makes of what went wrong in the use of a connection the problem
// that its user gets. What Tableau said of the call itself is left as it is.
func answerUse(err error) error {
	var busy *BusyError
	var broken *BrokenError
	switch {
	case errors.As(err, &busy):
		p := &problem.Error{Kind: problem.TooMany, Code: problem.CodeTooMany, Message: busy.Message, Causes: told(busy.Causes), After: busy.After, Err: err}
		if len(p.Causes) > 0 {
			p.Message += " " + p.Causes[0].Remedy
		}
		return p
	case errors.As(err, &broken):
		return brokenProblem(broken)
	case errors.Is(err, context.DeadlineExceeded):
		return tooSlow(err)
	}
	return err
}

// tooSlow says that the time for an answer was up.
func tooSlow(err error) error {
	return &problem.Error{Kind: problem.Timeout, Code: problem.CodeTableauTimeout,
		Message: "Tableau did not answer in time. Nothing was changed; try again.", Err: err}
}

func brokenProblem(e *BrokenError) *problem.Error {
	p := &problem.Error{Kind: problem.Conflict, Code: "connection_broken", Err: e,
		Message: fmt.Sprintf("The connection %q does not work at present.", e.Connection.Name)}
	if why := e.Connection.Problem; why != nil {
		p.Code = why.Code
		p.Message += " " + why.Message
		if p.Causes = told(why.Causes); len(why.Causes) > 0 {
			p.Message += " " + why.Causes[0].Remedy
		}
	}
	return p
}

func tokenInUse(owner Connection) error {
	return &problem.Error{Kind: problem.Conflict, Code: problem.CodeTokenInUse,
		Message: fmt.Sprintf("The connection %q (%s) uses this token already. A token allows one session, so two connections would keep ending each other's: "+
			"use that connection, or make a second token in Tableau.", owner.Name, owner.ID),
		Fields: []problem.Field{{Name: "auth.token_secret", Message: fmt.Sprintf("This token belongs to the connection %q.", owner.Name)}}}
}

// identityChange says what it means that a new credential is of another user
// or site than the one before; nil when it is of the same.
func identityChange(old, c Connection) *problem.Error {
	was, is := old.Identity, c.Identity
	if was.UserID == "" || was == is || (was.UserID == is.UserID && was.SiteID == is.SiteID) {
		return nil
	}
	what := fmt.Sprintf("The credential signs in as %s; so far the connection signed in as %s.", is.UserName, was.UserName)
	if was.SiteID != is.SiteID {
		what = fmt.Sprintf("The credential signs in to another site (%s) than so far (%s), as %s.", siteName(c.Site), siteName(old.Site), is.UserName)
	}
	return &problem.Error{Kind: problem.Conflict, Code: problem.CodeIdentityChange,
		Message: what + " Its reports would show what this user may see, and views that are not there would fail. " +
			"Nothing was changed. If this is meant, send accept_identity_change: true with the same request."}
}

// brief gives a problem's message without the remedy at its end, for the history.
func brief(p *problem.Error) string {
	if len(p.Causes) == 0 {
		return p.Message
	}
	return strings.TrimSuffix(p.Message, " "+p.Causes[0].Remedy)
}

// told gives causes as a problem tells them.
func told(causes []Cause) []problem.Cause {
	var out []problem.Cause
	for _, c := range causes {
		out = append(out, problem.Cause(c))
	}
	return out
}
