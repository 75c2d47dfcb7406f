// Package secret holds the one type in which passwords, token secrets and
// webhook addresses travel through vizpost.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Redacted is what every rendering of a [Text] shows.
const Redacted = "[redacted]"

// Text is a string that must not be seen: every formatting verb, slog, JSON
// and text marshalling show [Redacted] in its place. The only way to the value
// is [Text.Reveal], so a search for that name finds every place where a secret
// leaves the program.
//
// The zero Text is the empty secret.
//
// The value lies behind a pointer because fmt calls no method on what it finds
// in an unexported field: there it shows the pointer.
type Text struct{ value *string }

// New wraps a value that must not be shown.
func New(value string) Text { return Text{&value} }

// Reveal returns the value, for the one call that sends or seals it.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether there is no secret at all.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// Equal compares two secrets in time that does not depend on where they
// differ.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String implements [fmt.Stringer].
func (t Text) String() string { return Redacted }

// GoString implements [fmt.GoStringer].
func (t Text) GoString() string { return Redacted }

// Format implements [fmt.Formatter], so that no verb, %x and %q among them,
// reaches the value.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue implements [slog.LogValuer].
func (t Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler], which JSON uses too: an
// encoder that meets a Text by mistake writes the placeholder.
func (t Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
