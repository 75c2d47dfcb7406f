package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/verify"
)

func verdictChecks() []check {
	return []check{
		{"what was learned of filters is remembered", verdictRemembered},
		{"what is learned at once is whole", verdictRace},
	}
}

func verdictRemembered(t *testing.T, s Store) {
	read := func(key string, since, made time.Time, want string) {
		t.Helper()
		doc, at, err := s.Verdict(t.Context(), key, since)
		succeed(t, err)
		if string(doc) != want || !at.Equal(made) {
			t.Errorf("got %q of %v under %q since %v, want %q of %v", doc, at, key, since, want, made)
		}
	}
	put := func(key, doc string, made time.Time) {
		t.Helper()
		succeed(t, s.PutVerdict(t.Context(), key, []byte(doc), made))
	}
	first := start()
	read("a", first.Add(-verify.Kept), time.Time{}, "")
	put("a", `{"Verdict":"applied"}`, first)
	put("b", `{"Verdict":"unknown"}`, first.Add(time.Second))
	read("a", first.Add(-time.Microsecond), first, `{"Verdict":"applied"}`)
	read("a", first, time.Time{}, "")
	read("b", first, first.Add(time.Second), `{"Verdict":"unknown"}`)

	later := first.Add(verify.Kept - time.Minute)
	put("a", `{"Rows":12}`, later)
	read("a", later.Add(-verify.Kept), later, `{"Rows":12}`)
	read("b", later.Add(-verify.Kept), first.Add(time.Second), `{"Verdict":"unknown"}`)

	// A store may forget what is older, and does not give it either way.
	put("c", `{}`, later.Add(time.Hour))
	read("b", later.Add(time.Hour).Add(-verify.Kept), time.Time{}, "")
	read("a", later.Add(time.Hour).Add(-verify.Kept), later, `{"Rows":12}`)
}

func verdictRace(t *testing.T, s Store) {
	docs := []string{`{"Rows":1}`, `{"Rows":2}`, `{"Rows":3}`, `{"Rows":4}`}
	for round := range 3 {
		key := fmt.Sprint("key ", round)
		for _, err := range race(len(docs), func(i int) error { return s.PutVerdict(t.Context(), key, []byte(docs[i]), start()) }) {
			succeed(t, err)
		}
		doc, _, err := s.Verdict(t.Context(), key, start().Add(-time.Second))
		succeed(t, err)
		found := false
		for _, want := range docs {
			found = found || string(doc) == want
		}
		if !found {
			t.Errorf("got %q, want one of %q", doc, docs)
		}
	}
}
