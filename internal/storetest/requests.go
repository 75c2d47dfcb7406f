package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

func requestChecks() []check {
	return []check{
		{"a request that comes again gives the first id", requestAgain},
		{"requests at once give one id", requestRace},
	}
}

func requestAgain(t *testing.T, s Store) {
	claim := func(scope, key, digest, id string, now time.Time) string {
		t.Helper()
		return must[string](t)(s.ClaimRequest(t.Context(), scope, key, digest, id, now))
	}
	now := start()
	same(t, claim("reports", "key", "digest", "first", now), "first")
	same(t, claim("reports", "key", "digest", "second", now.Add(time.Minute)), "first")
	same(t, claim("reports", "key 2", "digest", "third", now), "third")
	same(t, claim("connections", "key", "another digest", "fourth", now), "fourth")

	_, err := s.ClaimRequest(t.Context(), "reports", "key", "another digest", "fifth", now.Add(time.Minute))
	wantCode(t, err, problem.Conflict, problem.CodeKeyReused)
	same(t, claim("reports", "key", "digest", "sixth", now.Add(24*time.Hour-time.Second)), "first")

	// A day after the first claim, whatever came in between, the key is free.
	later := now.Add(24*time.Hour + time.Second)
	same(t, claim("reports", "key", "another digest", "seventh", later), "seventh")
	same(t, claim("reports", "key", "another digest", "eighth", later.Add(time.Minute)), "seventh")
}

func requestRace(t *testing.T, s Store) {
	for round := range 5 {
		got := make([]string, 4)
		for _, err := range race(len(got), func(i int) (err error) {
			got[i], err = s.ClaimRequest(t.Context(), "reports", fmt.Sprint("key ", round), "digest", fmt.Sprint("id ", i), start())
			return err
		}) {
			succeed(t, err)
		}
		for i := range got {
			if got[i] != got[0] {
				t.Fatalf("got the ids %q of one request, want one", got)
			}
		}
	}
}
