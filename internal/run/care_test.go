package run_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Care has read the connection, broken, when somebody mends it.
func TestMendedWhileCareLooks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		w.tableau.RevokeTokens("")
		w.live(2 * time.Minute)
		w.wantRun(id, run.Held, "")
		old := listed{w.connections, nil}
		var err error
		old.list, _, err = w.connections.List(w.Context(), "", 10)
		w.succeed(err)
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.care.Connections = old
		w.succeed(w.care.Run(w.Context()))
		w.live(time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.wantIdle()
	})
}

// listed gives connections as they were listed before.
type listed struct {
	*connection.Service
	list []connection.Connection
}

func (l listed) List(context.Context, string, int) ([]connection.Connection, string, error) {
	return l.list, "", nil
}

const day = 24 * time.Hour

// The sign-in for the token's own sake finds it dead: that is told at once, not
// with the next report.
func TestKeepAliveFindsADeadToken(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.RevokeTokens("")
		time.Sleep(7 * day)
		w.succeed(w.care.Run(w.Context()))
		w.live(0)
		notice := w.wantMail(ops, 1)[0]
		if !strings.Contains(notice.GetHeader("Subject"), "needs attention") {
			w.Errorf("got %q, want the connection to need attention", notice.GetHeader("Subject"))
		}
		if got := strings.Count(notice.Text, "My Account Settings"); got != 1 {
			w.Errorf("the notice says %d times how to make a token, want once:\n%s", got, notice.Text)
		}
		if strings.Contains(notice.Text, "secret here") || !strings.Contains(notice.Text, "secret in vizpost") {
			w.Errorf("the notice does not say where the secret is to be entered:\n%s", notice.Text)
		}
		work := w.openWork()
		if len(work) != 1 || work[0].Kind != run.Probe || time.Until(work[0].NotBefore) != day {
			w.Errorf("got open work %+v, want a probe in a day", work)
		}
		for range 5 {
			time.Sleep(day)
			w.succeed(w.care.Run(w.Context()))
			w.live(0)
		}
		w.wantMail(ops, 1)
	})
}

// A connection that a person's test finds broken, or disturbed, is told of
// although no report is due.
func TestProblemsAreToldWhoeverFindsThem(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tableau.RevokeTokens("")
		_, err := w.connections.Test(w.Context(), "c")
		if err == nil {
			w.Fatal("a revoked token passed a test")
		}
		w.live(2 * time.Minute)
		if text := w.wantMail(ops, 1)[0].Text; !strings.Contains(text, "refuses the personal access token") {
			w.Errorf("got %q, want what is wrong", text)
		}
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.live(2 * time.Minute)
		w.wantIdle()
		w.wantMail(ops, 1)
	})
}

// Another program signs in with the token again and again. People hear of it
// once; and once more when it has been mended and comes back on another day.
func TestTokenUsedElsewhereIsToldOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		token := w.newToken("shared")
		_, err := w.connections.Edit(w.Context(), "c", connection.Edit{Credential: token})
		w.succeed(err)
		for i := range 2 {
			for range 4 { // the run signs in, and its session is ended
				w.start("r")
				w.live(0)
				w.succeed(w.signInElsewhere(*token))
			}
			w.start("r")
			w.live(2 * time.Minute)
			if got := w.stored("c"); got.State != connection.Connected || got.Problem == nil || got.Problem.Code != connection.CodeTokenUsedElsewhere {
				w.Fatalf("got %s, %+v, want a token that is used elsewhere", got.State, got.Problem)
			}
			mails := w.wantMail(ops, i+1)
			if text := mails[i].Text; !strings.Contains(text, "a token of its own") || !strings.Contains(text, "still run") {
				w.Errorf("got %q, want what to do and what becomes of the reports", text)
			}
			w.succeed(w.care.Run(w.Context()))
			w.live(30 * time.Minute) // it lasts: the runs are delivered, and it is mended
			for range 2 {
				w.start("r")
				w.live(11 * time.Minute)
			}
			if got := w.stored("c"); got.Problem != nil {
				w.Errorf("got %+v, want no problem", got.Problem)
			}
			w.wantMail(ops, i+1)
			w.wantIdle()
			time.Sleep(day)
		}
		for _, r := range w.runsOf("r") {
			w.wantRun(r.ID, run.Delivered, "")
		}
	})
}

// signInElsewhere does what another program with the same token does.
func (w *world) signInElsewhere(token tableau.Credential) error {
	w.Helper()
	client, err := tableau.NewClient(serverURL, tableau.Options{Transport: w.network, Now: time.Now})
	w.succeed(err)
	_, err = client.SignIn(w.Context(), token, w.tableau.Site())
	return err
}

// The sign-in for the token's own sake does not reach the server: people hear of
// it while there is time to save the token.
func TestKeepAliveFindsTheServerAway(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		time.Sleep(7 * day)
		w.network.down.Store(true)
		w.succeed(w.care.Run(w.Context()))
		w.live(time.Minute)
		if got := w.state(); got != connection.Unreachable {
			w.Errorf("got %s, want an unreachable server", got)
		}
		w.wantMail(ops, 1)
		w.network.down.Store(false)
		w.live(3 * time.Minute)
		if c := w.stored("c"); c.State != connection.Connected || time.Since(c.TokenLife.LastUsedAt) > time.Hour {
			w.Errorf("got %s, last used %v, want a probe to have signed in", c.State, c.TokenLife.LastUsedAt)
		}
		w.wantMail(ops, 1)
		w.wantIdle()
	})
}

// Whatever happened, no run stays held by a connection that works.
func TestCareReleasesForgottenRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		id := w.start("r")
		r, _ := w.get(id)
		r.State, r.HeldAt = run.Held, time.Now()
		_, err := w.store.UpdateRun(w.Context(), nil, r)
		w.succeed(err)
		w.live(time.Hour)
		w.wantRun(id, run.Held, "")
		w.succeed(w.care.Run(w.Context()))
		w.live(0)
		w.wantRun(id, run.Delivered, "")
		w.wantIdle()
	})
}

// The clock was years ahead when the connection broke, and was put right since:
// it is tried now, and not in years.
func TestProbeOfAClockAhead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		_, err := w.connections.Unreachable(w.Context(), w.stored("c"), &tableau.Error{Cause: tableau.Certificate})
		w.succeed(err)
		broken := w.stored("c")
		broken.ProbeAt = time.Now().AddDate(10, 0, 0)
		w.succeed(w.store.UpdateConnection(w.Context(), broken, nil))
		w.succeed(w.store.PutWork(w.Context(), run.Work{Site: site, Kind: run.Probe, Ref: "c", NotBefore: broken.ProbeAt}))
		w.succeed(w.care.Run(w.Context()))
		w.live(time.Minute)
		if got := w.state(); got != connection.Connected {
			w.Errorf("got %s, want a probe to have restored it", got)
		}
	})
}

// Care sees a connection that broke while nobody's run met it.
func TestCareProbesBrokenConnections(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		_, err := w.connections.Unreachable(w.Context(), w.stored("c"), &tableau.Error{Cause: tableau.Unreachable})
		w.succeed(err)
		time.Sleep(time.Hour)
		w.succeed(w.care.Run(w.Context()))
		w.live(2 * time.Minute) // the people are told of the break, then that it works again
		if got := w.state(); got != connection.Connected {
			w.Errorf("got %s, want the probe to have restored it", got)
		}
		w.wantIdle()
	})
}
