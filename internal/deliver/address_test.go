package deliver_test

import (
	"net/mail"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/deliver"
)

func TestParseRecipient(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"ann@example.com", "ann@example.com"},
		{"  Ann.B+x@Example.COM ", "Ann.B+x@example.com"},
		{"Ann Müller <ann@example.com>", "ann@example.com"},
		{"o'brien@example.co.uk", "o'brien@example.co.uk"},
		{"ann@bücher.example", "ann@xn--bcher-kva.example"},
		{strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	}
	for _, tt := range tests {
		if got, err := deliver.ParseRecipient(tt.in); err != nil || got != tt.want {
			t.Errorf("ParseRecipient(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestParseRecipientRefuses(t *testing.T) {
	t.Parallel()
	const (
		form    = "This is not an email address such as name@example.com."
		local   = "The part of the email address before the @ may hold at most 64 letters without accents, digits and signs such as . _ + and -."
		domain  = "The part of the email address after the @ is not the name of a domain such as example.com."
		control = "The email address holds a line break or another control character."
	)
	tests := []struct{ name, in, want string }{
		{"empty", " ", "An email address is missing."},
		{"no domain", "ann", form},
		{"no local part", "@example.com", form},
		{"two", "a@example.com, b@example.com", "There is more than one email address where one is expected."},
		{"list by semicolon", "a@example.com; b@example.com", form},
		{"header", "a@example.com\r\nBcc: b@example.com", control},
		{"header in the name", "\"A\nBcc: x\" <a@example.com>", control},
		{"encoded line break in the name", "=?utf-8?b?YQ0KQmNjOiBi?= <a@example.com>", "The name before the email address holds a control character."},
		{"NUL", "a\x00@example.com", control},
		{"accents", "änn@example.com", local},
		{"quoted", `"a b"@example.com`, local},
		{"quoted at", `"a@b"@example.com`, local},
		{"long local part", strings.Repeat("a", 65) + "@example.com", local},
		{"one label", "ann@localhost", domain},
		{"address literal", "ann@[192.0.2.1]", domain},
		{"bad domain", "ann@exa_mple.com", domain},
		{"long", "a@" + strings.Repeat("a.", 200) + "com", "The email address is too long: at most 320 characters are possible."},
		{"long label", "a@" + strings.Repeat("a", 64) + ".com", domain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := deliver.ParseRecipient(tt.in)
			if message := fieldMessage(t, err); message != tt.want || got != "" {
				t.Errorf("ParseRecipient(%q) = %q, %q, want %q", tt.in, got, message, tt.want)
			}
		})
	}
}

func TestParseSender(t *testing.T) {
	t.Parallel()
	name, address, err := deliver.ParseSender(`"Reports, daily" <Reports@Example.com>`)
	if err != nil || name != "Reports, daily" || address != "Reports@example.com" {
		t.Errorf("ParseSender = %q, %q, %v", name, address, err)
	}
	if _, _, err := deliver.ParseSender("reports"); err == nil {
		t.Error("ParseSender accepts a word")
	}
}

// What is accepted can be written into a header and a command as it is, and
// means the same there.
func TestParsedRecipientsAreSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`[a-zA-Z0-9.+"\\ <>\n-]{1,12}@[a-zäß0-9.-]{1,20}`),
		).Draw(t, "in")
		got, err := deliver.ParseRecipient(in)
		if err != nil {
			return
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || strings.ContainsRune(`<>",;:\()[]`, r) }) {
			t.Fatalf("ParseRecipient(%q) = %q, which is not safe", in, got)
		}
		if again, err := deliver.ParseRecipient(got); err != nil || again != got {
			t.Fatalf("ParseRecipient is not stable: %q becomes %q, %v", got, again, err)
		}
		if a, err := mail.ParseAddress("<" + got + ">"); err != nil || a.Address != got {
			t.Fatalf("%q is read back as %v, %v", got, a, err)
		}
	})
}
