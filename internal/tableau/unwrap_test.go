package tableau_test

import (
	"errors"
	"fmt"
	stdhtml "html"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Addresses that passed through web pages, mail and wikis mean what they meant.
func TestAddressesFromElsewhere(t *testing.T) {
	t.Parallel()
	const (
		page = "https://tableau.example.com/t/demo/views/Superstore/SalesbyRegion"
		id   = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
		both = "Region=West Category=Furniture"
	)
	for in, want := range map[string]string{
		page + "?Region=West&amp;Category=Furniture":                        both,
		page + "?Region=West&AMP;Category=Furniture":                        both,
		page + "?Region=West&amp;amp;Category=Furniture":                    both,
		page + "?Region=West&#38;Category=Furniture":                        both,
		page + "?Region=West&#038;Category=Furniture":                       both,
		page + "?Region=West&#x26;Category=Furniture":                       both,
		page + "?Region=West&amp;#38;Category=Furniture":                    both,
		page + "?:embed=y&amp;:showVizHome=no":                              "",
		page + "?:embed=y&amp;Region=West&amp;Category=Furniture":           both,
		page + "?Who=O&#39;Hare&amp;Size=&lt;5":                             "Who=O'Hare Size=<5",
		"<a>" + page + "?Region=West":                                       "refused",
		"<" + page + "?Region=West&amp;Category=Furniture>":                 both,
		"<" + page + "?Region=West|Sales by Region>":                        "Region=West",
		"[Sales](" + page + "?Region=West&Category=Furniture)":              both,
		"\u201C" + page + "?Region=West\u201D":                              "Region=West",
		page + "?Region=We\u200Bst&\u00ADCategory=Fur\u00ADniture\u200B":    both,
		"\u2060" + page + "\u200B?Region=West":                              "Region=West",
		page + ".":                                                          "",
		"(" + page + ")":                                                    "refused",
		page + "),":                                                         "",
		page + "?Company=Acme%20Inc.":                                       "Company=Acme Inc.",
		page + "?Region=West)":                                              "refused",
		page + "?Region=West%29":                                            "Region=West)",
		page + "?Kind=a%20(b)&Region=[West]":                                "Kind=a (b) Region=[West]",
		page + "?Region=100%25%20off%":                                      "Region=100% off%",
		page + "?Region=50%&Share=5%20%zz%":                                 "Region=50% Share=5 %zz%",
		page + "?Region=%E9t%E9":                                            "refused",
		page + "?Region=\uFFFDt":                                            "refused",
		page + "?:embed=y®ion=West":                                         "refused",
		page + "?Category=Furniture®ion=West":                               "refused",
		page + "?Region=West&eacute;Category=x":                             "refused",
		page + "?Region=West&amp%3BCategory=Furniture":                      "refused",
		page + "?Region=West&#0;":                                           "refused",
		page + "?Region=R%26amp%3BD&:redirect=a%3Db":                        "Region=R&amp;D",
		page + "?" + strings.Repeat("&amp;", 4) + "Region=West":             "Region=West",
		page + "?Region=West&amp;amp;amp;amp;amp;amp;amp;Category=x":        "refused",
		page + "/" + id + "/Furniture%20%2F%20Draft":                        "custom " + id,
		page + "/" + id + "/Furniture / Draft?Region=West":                  "custom " + id + " Region=West",
		page + "/" + id + "/%2E%2E":                                         "custom " + id,
		"Superstore/sheets/SalesbyRegion/" + id + "/a%2Fb":                  "custom " + id,
		"Superstore/SalesbyRegion/" + id:                                    "custom " + id,
		"https://tableau.example.com/t/demo/views/" + id + "/SalesbyRegion": "",
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			a, err := tableau.ParseAddress(in)
			if got := told(a, err); got != want {
				t.Errorf("got %q (%v), want %q", got, err, want)
			}
			if err == nil && !strings.HasSuffix(a.ContentURL, "/sheets/SalesbyRegion") {
				t.Errorf("got the view %q", a.ContentURL)
			}
		})
	}
}

// told is what an address says beside its view.
func told(a tableau.Address, err error) string {
	if err != nil {
		if !problem.Is(err, problem.Invalid) {
			return err.Error()
		}
		return "refused"
	}
	var said []string
	if a.CustomView != "" {
		said = append(said, "custom "+a.CustomView)
	}
	for _, f := range a.Filters {
		said = append(said, f.Field+"="+strings.Join(f.Values, "|"))
	}
	return strings.Join(said, " ")
}

// Whatever an address passes through, it has the filters that it had, or it is
// refused: none is left out, and none is made up.
func TestFiltersSurviveOrAreRefused(t *testing.T) {
	t.Parallel()
	// What browsers leave as it is in a query, and what they encode.
	name := rapid.StringOfN(rapid.RuneFrom([]rune("aAbZreg19 -_.'()[]|é®ü/\\&%+#?;:=<>\"漢")), 1, 12, -1)
	encode := func(s string, rt *rapid.T) string {
		var b strings.Builder
		for _, r := range s {
			if strings.ContainsRune("-_.()[]/:é®ü漢", r) && rapid.Bool().Draw(rt, "raw") {
				b.WriteRune(r)
				continue
			}
			b.WriteString(strings.ReplaceAll(url.QueryEscape(string(r)), "+", "%20"))
		}
		return b.String()
	}
	around := map[string]func(s string, rt *rapid.T) string{
		"html":   func(s string, _ *rapid.T) string { return stdhtml.EscapeString(s) },
		"and":    func(s string, _ *rapid.T) string { return strings.ReplaceAll(s, "&", "&amp;") },
		"AND":    func(s string, _ *rapid.T) string { return strings.ReplaceAll(s, "&", "&AMP;") },
		"number": func(s string, _ *rapid.T) string { return strings.ReplaceAll(s, "&", "&#38;") },
		"hex":    func(s string, _ *rapid.T) string { return strings.ReplaceAll(s, "&", "&#x26;") },
		"spaces": func(s string, _ *rapid.T) string { return " \u200B" + s + "\n" },
		"angles": func(s string, _ *rapid.T) string { return "<" + s + ">" },
		"quotes": func(s string, _ *rapid.T) string { return "\"" + s + "\"" },
		"hidden": func(s string, rt *rapid.T) string {
			runes := []rune(s)
			at := rapid.IntRange(0, len(runes)).Draw(rt, "at")
			return string(slices.Concat(runes[:at], []rune{rapid.SampledFrom([]rune("\u200B\u00AD\u2060\uFEFF\u200E")).Draw(rt, "sign")}, runes[at:]))
		},
	}
	ways := make([]string, 0, len(around))
	for way := range around {
		ways = append(ways, way)
	}
	slices.Sort(ways)
	rapid.Check(t, func(rt *rapid.T) {
		var query []string
		want := map[string][]string{}
		for range rapid.IntRange(1, 3).Draw(rt, "fields") {
			field := name.Draw(rt, "field")
			if _, twice := want[field]; twice || strings.HasPrefix(field, ":") || strings.HasPrefix(field, "vf_") {
				continue
			}
			value := name.Draw(rt, "value")
			want[field] = []string{value}
			query = append(query, encode(field, rt)+"="+encode(strings.ReplaceAll(value, `\`, `\\`), rt))
		}
		if rapid.Bool().Draw(rt, "option") {
			query = append(query, ":embed=y")
		}
		address := "https://tableau.example.com/t/demo/views/Superstore/Overview?" + strings.Join(query, "&")
		plain, err := tableau.ParseAddress(address)
		if err == nil && !cmp.Equal(filtersOf(plain), want) {
			rt.Fatalf("%q has the filters %v, want %v", address, filtersOf(plain), want)
		}
		var how []string
		for range rapid.IntRange(1, 3).Draw(rt, "ways") {
			way := rapid.SampledFrom(ways).Draw(rt, "way")
			how, address = append(how, way), around[way](address, rt)
		}
		got, err := tableau.ParseAddress(address)
		var p *problem.Error
		if err != nil && !errors.As(err, &p) {
			rt.Fatal(err)
		}
		if err == nil && !cmp.Equal(filtersOf(got), want) {
			rt.Fatalf("%s: %q has the filters %v, want %v", fmt.Sprint(how), address, filtersOf(got), want)
		}
	})
}

func filtersOf(a tableau.Address) map[string][]string {
	filters := map[string][]string{}
	for _, f := range a.Filters {
		filters[f.Field] = f.Values
	}
	return filters
}
