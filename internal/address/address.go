// Package address is the one rule for email addresses: what counts as one,
// how it is written when it is kept, and when two are the same. Whatever takes
// an address from a person asks this package, so that an address that is
// accepted in one place can be sent to from every other.
package address

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/vizpost/vizpost/internal/problem"
)

// Lengths of an address (RFC 5321, section 4.5.3.1; the whole as SES takes it).
const (
	maxAddress   = 320
	maxLocalPart = 64
	maxDomain    = 255
	maxEntry     = 1000 // bytes of an entry, with a name before the address
)

// localPart is the part before the @ without quotes (RFC 5322, dot-atom), as
// SES takes it: 7-bit ASCII.
var localPart = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")

// Parse reads one address, such as "ana@example.com" or
// "Ana Silva <ana@example.com>", and returns the address alone, in ASCII: its
// domain is in lower case and, if it is an international one, in its xn-- form.
//
// White space, invisible characters, and commas and semicolons around the
// address are dropped: they come with what is copied. The error is a
// [problem.Error] of kind Invalid without a field name.
func Parse(s string) (string, error) {
	_, address, err := ParseNamed(s)
	return address, err
}

// ParseNamed is [Parse], and returns the name too; "" if there is none.
func ParseNamed(s string) (name, address string, err error) {
	s = clean(s)
	switch {
	case s == "":
		return "", "", invalid("An email address is missing.")
	case len(s) > maxEntry, !strings.Contains(s, "<") && len(s) > maxAddress:
		return "", "", tooLong()
	case strings.ContainsFunc(s, func(r rune) bool { return unsafe(r) || r == unicode.ReplacementChar }):
		return "", "", invalid("The email address contains a line break or another control character.")
	}
	name, address, err = split(s)
	if err != nil {
		return "", "", err
	}
	if strings.ContainsFunc(name, unsafe) {
		return "", "", invalid("The name before the email address contains a control character.")
	}
	at := strings.LastIndexByte(address, '@')
	local, domain := address[:at], address[at+1:]
	if len(local) > maxLocalPart || !localPart.MatchString(local) {
		return "", "", invalid("The part of the email address before the @ may have at most %d letters without accents, digits, "+
			"and signs such as . _ + and -.", maxLocalPart)
	}
	domain, err = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true)).ToASCII(domain)
	if err != nil || len(domain) > maxDomain || !strings.Contains(domain, ".") {
		return "", "", invalid("The part of the email address after the @ is not the name of a domain such as example.com.")
	}
	address = local + "@" + domain
	if len(address) > maxAddress {
		return "", "", tooLong()
	}
	return name, address, nil
}

// List reads addresses, one an entry, and returns each once, as it was written
// first. The error names every entry that is wrong: "[2]".
func List(entries []string) ([]string, error) {
	var wrong problem.Fields
	var list []string
	for i, entry := range entries {
		address, err := Parse(entry)
		if err != nil {
			wrong.AddErr(fmt.Sprintf("[%d]", i), err)
			continue
		}
		if !Contains(list, address) {
			list = append(list, address)
		}
	}
	return list, wrong.Err()
}

// ParseList reads addresses with commas or semicolons between them, as a
// setting has them. None is no error.
func ParseList(s string) ([]string, error) {
	var entries []string
	for _, entry := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }) {
		if clean(entry) != "" {
			entries = append(entries, entry)
		}
	}
	return List(entries)
}

// Key is the same for addresses that count as one: the case of letters is of
// no account.
func Key(address string) string { return strings.ToLower(address) }

// Contains reports whether a list has an address, however its letters are
// written.
func Contains(list []string, address string) bool {
	return slices.ContainsFunc(list, func(other string) bool { return strings.EqualFold(other, address) })
}

// split takes the name and the address of an entry apart. The address has an @.
func split(s string) (name, address string, err error) {
	if a, err := mail.ParseAddress(s); err == nil {
		return a.Name, a.Address, nil
	}
	if list, err := mail.ParseAddressList(strings.ReplaceAll(s, ";", ",")); err == nil && len(list) > 1 {
		return "", "", several()
	}
	// Outlook writes names with a comma and without quotes: Müller, Anna <…>.
	open := strings.IndexByte(s, '<')
	if open >= 0 && strings.HasSuffix(s, ">") && !strings.Contains(s[:open], "@") {
		inner := strings.TrimSpace(s[open+1 : len(s)-1])
		if a, err := mail.ParseAddress("<" + inner + ">"); err == nil {
			return strings.Trim(s[:open], ` "'`), a.Address, nil
		}
	}
	if strings.Count(s, "@") > 1 && strings.ContainsAny(s, ",; ") {
		return "", "", several()
	}
	return "", "", invalid("This is not an email address such as name@example.com.")
}

// clean drops what is copied along with an address.
func clean(s string) string {
	around := func(r rune) bool {
		return unicode.IsSpace(r) || invisible(r) || unicode.Is(unicode.Bidi_Control, r) || r == ',' || r == ';'
	}
	s = strings.TrimFunc(s, around)
	// A name may need its joiners; an address has no use for them.
	name, address := "", s
	if open := strings.LastIndexByte(s, '<'); open >= 0 {
		name, address = s[:open], s[open:]
	}
	address = strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, address)
	if rest, found := cutPrefixFold(address, "mailto:"); found && name == "" {
		address = rest
	}
	return strings.TrimFunc(name+address, around)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// invisible is true of characters that take no room and turn nothing around,
// such as the zero-width space that chat programs put before an address.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Bidi_Control, r)
}

// unsafe is true of control characters, of line and paragraph separators, and
// of the characters that turn the direction of text around, by which one
// address can be made to look like another.
func unsafe(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

func several() error {
	return invalid("There is more than one email address here. Give one address per entry.")
}

func tooLong() error {
	return invalid("The email address is too long: at most %d characters are possible.", maxAddress)
}

func invalid(format string, args ...any) error {
	return problem.InvalidField("", fmt.Sprintf(format, args...))
}
