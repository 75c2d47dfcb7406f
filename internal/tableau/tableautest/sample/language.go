package sample

import (
	"strings"
	"time"
)

// Language is the language in which numbers and months are written: "de", "es",
// "fr", "it" or "pt", and English for any other. What authors write, such as
// titles and captions, is in the language of the author, and filters take
// members as the data have them.
type Language string

// LanguageOf returns the language of a language parameter, such as de or en_GB.
func LanguageOf(text string) Language {
	base, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(text, "_", "-")), "-")
	switch known := Language(base); known {
	case "de", "es", "fr", "it", "pt":
		return known
	}
	return ""
}

// separators returns what stands between thousands and before decimals.
func (l Language) separators() (group, decimal string) {
	switch l {
	case "de", "es", "it", "pt":
		return ".", ","
	case "fr":
		return "\u202f", "," // a narrow space at which no line breaks
	}
	return ",", "."
}

// separate puts the language's own separators into an English number.
func (l Language) separate(number string) string {
	group, decimal := l.separators()
	return strings.NewReplacer(",", group, ".", decimal).Replace(number)
}

// month names the month of a date with its year: January 2026.
func (l Language) month(at time.Time) string {
	var names string
	between := " "
	switch l {
	case "de":
		names = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
	case "es":
		names = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
		between = " de "
	case "fr":
		names = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
	case "it":
		names = "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
	case "pt":
		names = "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"
		between = " de "
	default:
		return at.Format("January 2006")
	}
	return strings.Fields(names)[at.Month()-1] + between + at.Format("2006")
}

// shortMonth names the month of a date on an axis: Jan.
func (l Language) shortMonth(at time.Time) string {
	var names string
	switch l {
	case "de":
		names = "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez"
	case "es":
		names = "ene feb mar abr may jun jul ago sep oct nov dic"
	case "fr":
		names = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."
	case "it":
		names = "gen feb mar apr mag giu lug ago set ott nov dic"
	case "pt":
		names = "jan fev mar abr mai jun jul ago set out nov dez"
	default:
		return at.Format("Jan")
	}
	return strings.Fields(names)[at.Month()-1]
}

// months names a span of months.
func (l Language) months(from, to time.Time) string {
	a, b := l.month(from), l.month(to)
	if a == b {
		return a
	}
	return a + " – " + b
}
