package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

func vaultChecks() []check {
	return []check{
		{"a version is kept whole", vaultKept},
		{"versions stand side by side", vaultVersions},
		{"a removed owner has no secret", vaultRemoved},
		{"versions stored at once are all kept", vaultRace},
		{"values are not shared", vaultNotShared},
	}
}

func wantSecret(t tester, s Store, owner, version, want string) {
	t.Helper()
	got, err := s.Secret(t.Context(), owner, version)
	succeed(t, err)
	if string(got) != want {
		t.Fatalf("the secret %s of %s is not as it was stored: got %d bytes, want %d", version, owner, len(got), len(want))
	}
}

func wantNoSecret(t tester, s Store, owner, version string) {
	t.Helper()
	_, err := s.Secret(t.Context(), owner, version)
	wantKind(t, err, problem.NotFound)
}

func vaultKept(t *testing.T, s Store) {
	wantNoSecret(t, s, "connection/c", "1")
	large := make([]byte, 32*1024)
	for i := range large {
		large[i] = byte(i * i)
	}
	for _, value := range []string{"s3cret", "\x00\xff\n", string(large)} {
		version := fmt.Sprint(len(value))
		succeed(t, s.PutSecret(t.Context(), "connection/c", version, []byte(value)))
		wantSecret(t, s, "connection/c", version, value)
	}
}

func vaultVersions(t *testing.T, s Store) {
	succeed(t, s.PutSecret(t.Context(), "a", "1", []byte("a1")))
	succeed(t, s.PutSecret(t.Context(), "a", "2", []byte("a2")))
	succeed(t, s.PutSecret(t.Context(), "b", "1", []byte("b1")))
	wantSecret(t, s, "a", "1", "a1")
	wantSecret(t, s, "a", "2", "a2")
	wantSecret(t, s, "b", "1", "b1")
	wantNoSecret(t, s, "a", "3")
	wantVersions(t, s, "a", "1", "2")
	wantVersions(t, s, "b", "1")
	wantVersions(t, s, "none")

	succeed(t, s.DropSecret(t.Context(), "a", "1"))
	wantNoSecret(t, s, "a", "1")
	wantSecret(t, s, "a", "2", "a2")
	wantSecret(t, s, "b", "1", "b1")
	succeed(t, s.DropSecret(t.Context(), "a", "1"))
	succeed(t, s.DropSecret(t.Context(), "none", "1"))
	wantVersions(t, s, "a", "2")
}

// wantVersions checks which versions are listed, and that each was put just now.
func wantVersions(t tester, s Store, owner string, want ...string) {
	t.Helper()
	versions, err := s.SecretVersions(t.Context(), owner)
	succeed(t, err)
	var got []string
	for _, v := range versions {
		got = append(got, v.Name)
		if v.PutAt.IsZero() || time.Since(v.PutAt).Abs() > time.Hour {
			t.Fatalf("version %s of %s was put at %v, want the time at which it was", v.Name, owner, v.PutAt)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("got the versions %v of %s, want %v", got, owner, want)
	}
}

func vaultRemoved(t *testing.T, s Store) {
	succeed(t, s.PutSecret(t.Context(), "a", "1", []byte("a1")))
	succeed(t, s.PutSecret(t.Context(), "a", "2", []byte("a2")))
	succeed(t, s.PutSecret(t.Context(), "b", "1", []byte("b1")))
	succeed(t, s.RemoveSecret(t.Context(), "a"))
	wantNoSecret(t, s, "a", "1")
	wantNoSecret(t, s, "a", "2")
	wantSecret(t, s, "b", "1", "b1")
	wantVersions(t, s, "a")
	succeed(t, s.RemoveSecret(t.Context(), "a"))
	succeed(t, s.RemoveSecret(t.Context(), "none"))
	succeed(t, s.DropSecret(t.Context(), "a", "1"))
	wantNoSecret(t, s, "a", "1")
}

func vaultRace(t *testing.T, s Store) {
	for _, err := range race(4, func(i int) error {
		return s.PutSecret(t.Context(), "a", fmt.Sprint(i), []byte(fmt.Sprint("value ", i)))
	}) {
		succeed(t, err)
	}
	for i := range 4 {
		wantSecret(t, s, "a", fmt.Sprint(i), fmt.Sprint("value ", i))
	}
}

func vaultNotShared(t *testing.T, s Store) {
	value := []byte("s3cret")
	succeed(t, s.PutSecret(t.Context(), "a", "1", value))
	scribble(value)
	got := must[[]byte](t)(s.Secret(t.Context(), "a", "1"))
	scribble(slices.Clip(got))
	wantSecret(t, s, "a", "1", "s3cret")
}
