package address_test

import (
	"errors"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/problem"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"ann@example.com", "ann@example.com"},
		{"  Ann.B+x@Example.COM ", "Ann.B+x@example.com"},
		{"Ann Müller <ann@example.com>", "ann@example.com"},
		{`"Müller, Anna" <anna@example.com>`, "anna@example.com"},
		{"Müller, Anna <anna@example.com>", "anna@example.com"},
		{"Müller, Dr. Anna (Sales) <anna@example.com>", "anna@example.com"},
		{"o'brien@example.co.uk", "o'brien@example.co.uk"},
		{"ann@bücher.example", "ann@xn--bcher-kva.example"},
		{strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
		{"\u200bann@example.com", "ann@example.com"},
		{"ann@exam\u200bple.com\ufeff", "ann@example.com"},
		{"\u202aann@example.com\u202c", "ann@example.com"},
		{"Ann <\u200bann@example.com\u200b>", "ann@example.com"},
		{"\u00a0ann@example.com\u00a0", "ann@example.com"},
		{"ann@example.com,", "ann@example.com"},
		{"ann@example.com ; ", "ann@example.com"},
		{"Ann <ann@example.com>;", "ann@example.com"},
		{"mailto:ann@example.com", "ann@example.com"},
	}
	for _, tt := range tests {
		if got, err := address.Parse(tt.in); err != nil || got != tt.want {
			t.Errorf("Parse(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const (
		form  = "This is not an email address such as name@example.com."
		local = "The part of the email address before the @ may have at most 64 letters without accents, digits, " +
			"and signs such as . _ + and -."
		domain  = "The part of the email address after the @ is not the name of a domain such as example.com."
		control = "The email address contains a line break or another control character."
		several = "There is more than one email address here. Give one address per entry."
		long    = "The email address is too long: at most 320 characters are possible."
	)
	tests := []struct{ name, in, want string }{
		{"empty", " ", "An email address is missing."},
		{"a comma", ",", "An email address is missing."},
		{"invisible alone", "\u200b", "An email address is missing."},
		{"no domain", "ann", form},
		{"no local part", "@example.com", form},
		{"two", "a@example.com, b@example.com", several},
		{"two by semicolon", "a@example.com; b@example.com", several},
		{"two by space", "a@example.com b@example.com", several},
		{"two with names", "Müller, Anna <a@example.com>; b@example.com", several},
		{"two, the second with a name", "a@example.com; Ben <b@example.com>", several},
		{"header", "a@example.com\r\nBcc: b@example.com", control},
		{"header in the name", "\"A\nBcc: x\" <a@example.com>", control},
		{"encoded line break in the name", "=?utf-8?b?YQ0KQmNjOiBi?= <a@example.com>",
			"The name before the email address contains a control character."},
		{"NUL", "a\x00@example.com", control},
		{"turned around", "a@exa\u202emoc.elp", control},
		{"accents", "änn@example.com", local},
		{"quoted", `"a b"@example.com`, local},
		{"quoted at", `"a@b"@example.com`, local},
		{"long local part", strings.Repeat("a", 65) + "@example.com", local},
		{"one label", "ann@localhost", domain},
		{"address literal", "ann@[192.0.2.1]", domain},
		{"bad domain", "ann@exa_mple.com", domain},
		{"hyphen first", "ann@-x.com", domain},
		{"long", "a@" + strings.Repeat("a.", 200) + "com", long},
		{"long with a name", strings.Repeat("n", 1000) + " <a@example.com>", long},
		{"long label", "a@" + strings.Repeat("a", 64) + ".com", domain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := address.Parse(tt.in)
			if message := fieldMessage(t, err); message != tt.want || got != "" {
				t.Errorf("Parse(%q) = %q, %q, want %q", tt.in, got, message, tt.want)
			}
		})
	}
}

func fieldMessage(t *testing.T, err error) string {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != problem.Invalid || len(p.Fields) != 1 || p.Fields[0].Name != "" {
		t.Fatalf("got %v, want an Invalid problem without a field's name", err)
	}
	return p.Fields[0].Message
}

func TestParseNamed(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, name, address string }{
		{`"Reports, daily" <Reports@Example.com>`, "Reports, daily", "Reports@example.com"},
		{"Reports, daily <reports@example.com>", "Reports, daily", "reports@example.com"},
		{"reports@example.com", "", "reports@example.com"},
	}
	for _, tt := range tests {
		name, got, err := address.ParseNamed(tt.in)
		if err != nil || name != tt.name || got != tt.address {
			t.Errorf("ParseNamed(%q) = %q, %q, %v, want %q, %q", tt.in, name, got, err, tt.name, tt.address)
		}
	}
	if _, _, err := address.ParseNamed("reports"); err == nil {
		t.Error("ParseNamed accepts a word")
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	got, err := address.List([]string{"Ops@example.com", "Ben <ben@example.com>", "ops@Example.com ", "ben@example.com,"})
	if want := []string{"Ops@example.com", "ben@example.com"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("List = %q, %v, want %q", got, err, want)
	}
	_, err = address.List([]string{"a@example.com", "ops@localhost", "b@example.com", "no"})
	var p *problem.Error
	if !errors.As(err, &p) || len(p.Fields) != 2 || p.Fields[0].Name != "[1]" || p.Fields[1].Name != "[3]" {
		t.Errorf("List of two wrong entries = %v, want fields [1] and [3]", err)
	}
}

func TestParseList(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" , ;", nil},
		{"a@example.com", []string{"a@example.com"}},
		{"a@example.com, Ben <b@example.com>; A@example.com,", []string{"a@example.com", "b@example.com"}},
	}
	for _, tt := range tests {
		if got, err := address.ParseList(tt.in); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("ParseList(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	if _, err := address.ParseList("a@example.com,ops"); err == nil {
		t.Error("ParseList accepts a word")
	}
}

// What is accepted can be written into a header and a command as it is, and
// means the same there.
func TestParsedAddressesAreSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`[a-zA-Z0-9.+"\\ <>\n,;-]{1,12}@[a-zß0-9.-]{1,20}>?`),
		).Draw(t, "in")
		check(t, in)
	})
}

func FuzzParse(f *testing.F) {
	for _, in := range []string{"ann@example.com", "Müller, Anna <a@example.com>", "a@b.c; d@e.f", "\u200ba@b.c", "<<a@b.c>>", "mailto:a@b.c"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) { check(t, in) })
}

type failer interface{ Fatalf(string, ...any) }

func check(t failer, in string) {
	got, err := address.Parse(in)
	if err != nil {
		return
	}
	if strings.ContainsFunc(got, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || strings.ContainsRune(`<>",;:\()[]`, r) }) {
		t.Fatalf("Parse(%q) = %q, which is not safe", in, got)
	}
	if again, err := address.Parse(got); err != nil || again != got {
		t.Fatalf("Parse is not stable: %q becomes %q, %v", got, again, err)
	}
	if a, err := mail.ParseAddress("<" + got + ">"); err != nil || a.Address != got {
		t.Fatalf("%q is read back as %v, %v", got, a, err)
	}
}
