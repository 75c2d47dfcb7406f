package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/secret"
)

func TestTextNeverShows(t *testing.T) {
	t.Parallel()
	const canary = "canary-7d1f"
	type holder struct {
		Name string
		Key  secret.Text
		Ptr  *secret.Text

		hidden secret.Text // fmt calls no method of it
	}
	text := secret.New(canary)
	h := holder{Name: "n", Key: text, Ptr: &text, hidden: text}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", text)
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", &h)
	}
	fmt.Fprintln(&out, fmt.Errorf("signing in with %v", h))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "secret", text, "holder", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "secret", text, "holder", h)
	if err := json.NewEncoder(&out).Encode(h); err != nil {
		t.Fatalf("encoding as JSON: %v", err)
	}
	if err := json.NewEncoder(&out).Encode(map[string]any{"a": []any{text, &text}}); err != nil {
		t.Fatalf("encoding as JSON: %v", err)
	}

	if got := out.String(); strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
		t.Errorf("the secret shows in:\n%s", got)
	}
	if got := text.Reveal(); got != canary {
		t.Errorf("Reveal() = %q, want %q", got, canary)
	}
}

func TestTextEqual(t *testing.T) {
	t.Parallel()
	if !secret.New("a").Equal(secret.New("a")) {
		t.Error("equal secrets differ")
	}
	if secret.New("a").Equal(secret.New("b")) || secret.New("a").Equal(secret.New("")) {
		t.Error("different secrets are equal")
	}
	if !(secret.Text{}).IsZero() || secret.New("x").IsZero() {
		t.Error("IsZero is wrong")
	}
}
