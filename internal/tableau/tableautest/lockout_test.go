package tableautest_test

import (
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

func TestLockOut(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Password: "right", TokenSecret: "secret"})
	try := func(body string) string { return c.post(body).code(t) }
	right := passwordBody(tableautest.DefaultUser, "right", "demo")
	wrong := passwordBody(tableautest.DefaultUser, "wrong", "demo")
	for range 8 {
		try(wrong)
	}
	if code := try(right); code != "" {
		t.Fatalf("after eight failures: %s, want a sign-in, which also clears the count", code)
	}
	for range 9 {
		try(wrong)
	}
	if code := try(right); code != "401001" {
		t.Fatalf("after nine failures: %q, want 401001", code)
	}
	if code := try(tokenBody("vizpost", "secret", "demo")); code != "401001" {
		t.Errorf("a locked account's token: %q, want 401001", code)
	}
	c.server.Advance(9 * time.Minute)
	if code := try(right); code != "401001" {
		t.Errorf("after 9 minutes: %q, want 401001", code)
	}
	c.server.Advance(time.Minute)
	try(wrong) // locks for 100 minutes
	c.server.Advance(99 * time.Minute)
	if code := try(right); code != "401001" {
		t.Errorf("99 minutes into the second lock: %q, want 401001", code)
	}
	c.server.Advance(time.Minute)
	if code := try(right); code != "" {
		t.Errorf("after the second lock: %s, want a sign-in", code)
	}
	// Wrong secrets of a known token count as well.
	for range 9 {
		try(tokenBody("vizpost", "wrong", "demo"))
	}
	if code := try(right); code != "401001" {
		t.Errorf("after nine wrong token secrets: %q, want 401001", code)
	}
}

// Names of tokens are their owner's alone: of two users with tokens of one name,
// the lock of one is not the other's.
func TestLockOutOfAnotherUser(t *testing.T) {
	t.Parallel()
	c := newClient(t, tableautest.Options{Password: "right", TokenName: "nightly"})
	other := c.server.NewPAT(tableautest.SecondUser, "nightly")
	for range 9 {
		c.post(passwordBody(tableautest.DefaultUser, "wrong", "demo"))
	}
	if code := c.post(tokenBody("nightly", other, "demo")).code(t); code != "" {
		t.Errorf("the other user's token: %s, want a sign-in", code)
	}
	_, locked := c.server.PAT()
	for range 9 {
		if code := c.post(tokenBody("nightly", locked, "demo")).code(t); code != "401001" {
			t.Fatalf("the locked user's token: %q, want 401001", code)
		}
	}
	if code := c.post(tokenBody("nightly", other, "demo")).code(t); code != "" {
		t.Errorf("the other user's token, after more attempts of the locked one: %s, want a sign-in", code)
	}
}
