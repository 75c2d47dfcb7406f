package deliver

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// Lengths of an address (RFC 5321, section 4.5.3.1; the whole as SES takes it).
const (
	maxAddress   = 320
	maxLocalPart = 64
	maxDomain    = 255
)

// localPart is the part before the @ without quotes (RFC 5322, dot-atom), as
// SES takes it: 7-bit ASCII.
var localPart = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")

// ParseRecipient reads one address, with or without a name, and gives the
// address alone: in ASCII, its domain in lower case and, where it is an
// international one, in its xn-- form. The error is a [problem.Error] of kind
// Invalid without a field name.
func ParseRecipient(s string) (string, error) {
	a, err := parseAddress(s)
	if err != nil {
		return "", err
	}
	return a.Address, nil
}

// ParseSender reads the address that mail comes from, such as
// "Reports <reports@example.com>". It differs from [ParseRecipient] in keeping
// the name.
func ParseSender(s string) (name, address string, err error) {
	a, err := parseAddress(s)
	if err != nil {
		return "", "", err
	}
	return a.Name, a.Address, nil
}

func parseAddress(s string) (*mail.Address, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return nil, invalid("An email address is missing.")
	case len(s) > maxAddress:
		return nil, invalid("The email address is too long: at most %d characters are possible.", maxAddress)
	case strings.ContainsFunc(s, func(r rune) bool { return isUnsafe(r) || r == unicode.ReplacementChar }):
		return nil, invalid("The email address holds a line break or another control character.")
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		if list, listErr := mail.ParseAddressList(s); listErr == nil && len(list) > 1 {
			return nil, invalid("There is more than one email address where one is expected.")
		}
		return nil, invalid("This is not an email address such as name@example.com.")
	}
	if strings.ContainsFunc(a.Name, isUnsafe) {
		return nil, invalid("The name before the email address holds a control character.")
	}
	at := strings.LastIndexByte(a.Address, '@')
	local, domain := a.Address[:at], a.Address[at+1:]
	if len(local) > maxLocalPart || !localPart.MatchString(local) {
		return nil, invalid("The part of the email address before the @ may hold at most %d letters without accents, digits and signs such as . _ + and -.", maxLocalPart)
	}
	domain, err = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true)).ToASCII(domain)
	if err != nil || len(domain) > maxDomain || !strings.Contains(domain, ".") {
		return nil, invalid("The part of the email address after the @ is not the name of a domain such as example.com.")
	}
	a.Address = local + "@" + domain
	if len(a.Address) > maxAddress {
		return nil, invalid("The email address is too long: at most %d characters are possible.", maxAddress)
	}
	return a, nil
}
