package connection

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

// What becomes of one credential of a user says something of the others: they
// are looked at when one is refused.

const (
	// relativesRead bounds how many connections are read to find those of the
	// same site.
	relativesRead = 1000

	// together is how far apart two credentials are found to be dead that died
	// together: each is used at least every [keepAliveAfter].
	together = keepAliveAfter + 24*time.Hour
)

// relatives returns the other connections to the same site.
func (s *Service) relatives(ctx context.Context, c Connection) ([]Connection, error) {
	var found []Connection
	for after, read := "", 0; read < relativesRead; {
		page, next, err := s.Store.Connections(ctx, after, 100)
		if err != nil {
			return nil, fmt.Errorf("reading the other connections of the site: %w", err)
		}
		for _, other := range page {
			if other.ID != c.ID && other.SiteKey() == c.SiteKey() {
				found = append(found, other)
			}
		}
		if next == "" {
			break
		}
		after, read = next, read+len(page)
	}
	return found, nil
}

// known collects what other connections say of a credential that is refused;
// stored is what there is of the connection so far. What cannot be read is not
// known: the causes are told all the same.
func (s *Service) known(ctx context.Context, c, stored Connection) (known, []Connection) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonDeadline)
	defer cancel()
	others, err := s.relatives(ctx, c)
	if err != nil {
		s.Log.Warn("the causes of a refusal are ranked by less than could be known", "connection", c.ID, "error", err)
	}
	return knownFrom(c, stored, others, s.Now()), others
}

func knownFrom(c, stored Connection, others []Connection, now time.Time) known {
	var k known
	if stored.ID == c.ID && stored.SiteKey() == c.SiteKey() {
		k.siteWorks = !stored.TokenLife.LastUsedAt.IsZero()
		k.userWorks = k.siteWorks && sameName(c.Auth.Username, stored.Identity.UserName, stored.Auth.Username)
	}
	refused := now
	if since := refusedSince(c); !since.IsZero() {
		refused = since
	}
	for _, other := range others {
		if other.State == Connected {
			k.siteWorks = true
		}
		mine := sameUser(c, other)
		if !mine {
			// One that was never tried has no identity yet, only a name.
			mine = c.TokenLife.LastUsedAt.IsZero() && sameName(c.Auth.Username, other.Identity.UserName, other.Auth.Username)
			k.userWorks = k.userWorks || mine && !other.TokenLife.LastUsedAt.IsZero()
		}
		if !mine {
			continue
		}
		since := refusedSince(other)
		switch {
		case !since.IsZero() && !endedByItself(other) && refused.Sub(since).Abs() < together &&
			!c.TokenLife.LastUsedAt.After(since) && !other.TokenLife.LastUsedAt.After(refused):
			k.otherDied = true
		case other.State == Connected && other.UpdatedAt.Before(c.TokenLife.LastUsedAt) && other.TokenLife.LastUsedAt.After(refused):
			k.otherLives = true
		}
	}
	return k
}

// sameUser reports whether two credentials signed in as the same user.
func sameUser(a, b Connection) bool {
	return a.Identity.UserID != "" && !a.TokenLife.LastUsedAt.IsZero() && a.Identity.UserID == b.Identity.UserID && a.Identity.SiteID == b.Identity.SiteID
}

// sameName reports whether a user's name is one of others.
func sameName(name string, others ...string) bool {
	for _, other := range others {
		if name != "" && strings.EqualFold(name, other) {
			return true
		}
	}
	return false
}

// refusedSince is since when a connection's credential is refused; zero where
// it is not.
func refusedSince(c Connection) time.Time {
	if c.State != NeedsCredentials || c.Problem == nil || c.Problem.Code != problem.CodeCredentialsRejected {
		return time.Time{}
	}
	return c.Problem.Since
}

// endedByItself reports whether a token was not used for too long, or past its
// end, when it was refused: then its death says nothing of others.
func endedByItself(c Connection) bool {
	facts := evidenceOf(c, c.Problem.Since, known{})
	return facts[token] && (facts[pastEnd] || facts[unused])
}

// rankAgain ranks anew why the other credentials of a user are refused, now
// that c is refused too.
func (s *Service) rankAgain(ctx context.Context, c Connection, others []Connection) {
	for _, other := range others {
		if !sameUser(c, other) || refusedSince(other).IsZero() {
			continue
		}
		among := append([]Connection{c}, others...)
		err := s.change(ctx, other, func(now *Connection) (bool, []Event) {
			if refusedSince(*now).IsZero() {
				return false, nil
			}
			why := rejected(*now, now.Problem.Since, knownFrom(*now, *now, without(among, now.ID), now.Problem.Since))
			if reflect.DeepEqual(why.Causes, now.Problem.Causes) {
				return false, nil
			}
			now.Problem.Causes = why.Causes
			return true, nil
		})
		if err != nil && !errors.Is(err, ErrFenced) {
			s.Log.Warn("the causes of a refusal were not ranked again", "connection", other.ID, "error", err)
		}
	}
}

func without(connections []Connection, id string) []Connection {
	var out []Connection
	for _, c := range connections {
		if c.ID != id {
			out = append(out, c)
		}
	}
	return out
}
