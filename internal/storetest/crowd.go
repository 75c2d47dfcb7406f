package storetest

import (
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

const day = 24 * time.Hour

// crowd has everything done to one connection at once, by several processes:
// its session has ended, its token is due for a sign-in, and while exports,
// tests and keepalives renew it, somebody enters a new token, somebody else the
// old one once more, and a third connects with it anew. The exports never
// notice, and of who enters what, each is either done whole or refused.
func crowd(d *desk) {
	_, token := d.connect("c")
	for round := range 4 {
		d.sessionsEnd()
		d.wait(8 * day) // but to Tableau: the token is not idle
		d.tableau.ResetStats()
		next, second := d.token(fmt.Sprintf("round-%d", round)), fmt.Sprintf("second-%d", round)
		processes := []*connection.Service{d.fresh(), d.fresh(), d.fresh()}
		deeds := []struct {
			name string
			do   func(s *connection.Service) error
			may  func(error) bool // what it may answer but success; nil for nothing
		}{
			{"an export", func(s *connection.Service) error { return s.Do(d.Context(), "c", look) }, nil},
			{"an export", func(s *connection.Service) error { return s.Do(d.Context(), "c", look) }, nil},
			{"an export", func(s *connection.Service) error { return s.Do(d.Context(), "c", look) }, nil},
			{"a keepalive", func(s *connection.Service) error { return s.KeepAlive(d.Context(), "c") }, isError(connection.ErrFenced)},
			{"a test", func(s *connection.Service) error { _, err := s.Test(d.Context(), "c"); return err }, nil},
			{"a test of the token", func(s *connection.Service) error {
				_, err := s.TestSettings(d.Context(), d.settings(token))
				return err
			}, nil},
			{"an edit to a new token", func(s *connection.Service) error {
				_, err := s.Edit(d.Context(), "c", connection.Edit{Credential: &next})
				return err
			}, isKind(problem.Stale)},
			{"an edit to the token that it has", func(s *connection.Service) error {
				_, err := s.Edit(d.Context(), "c", connection.Edit{Credential: &token})
				return err
			}, func(err error) bool {
				return problem.Is(err, problem.Stale) || problem.HasCode(err, problem.CodeTokenInUse)
			}},
			{"an edit of the name", func(s *connection.Service) error {
				name := fmt.Sprint("Round ", round)
				_, err := s.Edit(d.Context(), "c", connection.Edit{Name: &name})
				return err
			}, nil},
			{"a connection with the same token", func(s *connection.Service) error {
				_, err := s.Create(d.Context(), second, d.settings(token))
				return err
			}, func(err error) bool { return problem.HasCode(err, problem.CodeTokenInUse) }},
		}
		for i, err := range race(len(deeds), func(i int) error { return deeds[i].do(processes[i%len(processes)]) }) {
			if err == nil {
				continue
			}
			if deeds[i].may == nil || !deeds[i].may(err) {
				d.Errorf("round %d: %s got error %v", round, deeds[i].name, err)
			}
		}
		if got := d.tableau.Stats(); got.SignInsFailed > 0 || got.SignIns > 6 {
			d.Errorf("round %d: got %d sign-ins and %d refused ones, want no more than three of each token", round, got.SignIns, got.SignInsFailed)
		}

		c := d.wantWorks("c")
		same(d.T, c.Name, fmt.Sprint("Round ", round))
		switch owner, err := d.store.Connection(d.Context(), second); {
		case err == nil:
			same(d.T, owner.Auth.TokenName, token.TokenName)
			same(d.T, c.Auth.TokenName, next.TokenName)
			d.wantWorks(second)
			succeed(d.T, d.fresh().Delete(d.Context(), second, 0))
		default:
			wantKind(d.T, err, problem.NotFound)
		}
		token = map[string]tableau.Credential{token.TokenName: token, next.TokenName: next}[c.Auth.TokenName]
	}
}
