package e2e_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// canaries are secrets that must not be found anywhere, by name.
type canaries map[string]string

// add takes in a secret, and the parts of it that are secret by themselves.
func (c canaries) add(name, value string) string {
	c[name] = value
	for i, part := range strings.Split(value, ":") {
		if part != value && len(part) >= 16 {
			c[fmt.Sprintf("%s, part %d", name, i+1)] = part
		}
	}
	return value
}

// leaks names the secrets that a text holds, in clear or in a form from which
// anybody can read them.
func (c canaries) leaks(text []byte) []string {
	var found []string
	for _, text := range readings(text) {
		for name, value := range c {
			for form, want := range forms(value) {
				if bytes.Contains(text, []byte(want)) {
					found = append(found, fmt.Sprintf("%s (%s)", name, form))
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// readings gives a text as it stands, without the line breaks of a mail, and
// what is compressed in it.
func readings(text []byte) [][]byte {
	const most = 16 << 20
	all := [][]byte{text}
	joined := bytes.ReplaceAll(text, []byte("=\r\n"), nil) // quoted-printable
	joined = bytes.ReplaceAll(joined, []byte("\r\n"), nil)
	all = append(all, bytes.ReplaceAll(joined, []byte("\n"), nil))
	for rest := text; ; {
		i := bytes.Index(rest, []byte{0x1f, 0x8b, 8})
		if i < 0 {
			return all
		}
		rest = rest[i:]
		if r, err := gzip.NewReader(bytes.NewReader(rest)); err == nil {
			r.Multistream(false)
			if plain, _ := io.ReadAll(io.LimitReader(r, most)); len(plain) > 0 {
				all = append(all, plain)
			}
		}
		rest = rest[3:]
	}
}

// forms are the ways in which a text may be written.
func forms(value string) map[string]string {
	quoted, _ := json.Marshal(value)
	all := map[string]string{
		"in clear": value, "in lower case": strings.ToLower(value),
		"of a query": url.QueryEscape(value), "of a path": url.PathEscape(value),
		"in JSON": strings.Trim(string(quoted), `"`), "in HTML": html.EscapeString(value),
		"in hexadecimal": hex.EncodeToString([]byte(value)), "in upper hexadecimal": strings.ToUpper(hex.EncodeToString([]byte(value))),
	}
	// In base64 a text looks different at each of three places. What hangs
	// together with its neighbours at the ends is cut off.
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			encoded := encoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + value))
			begin := (shift*8 + 5) / 6
			end := (shift + len(value)) * 8 / 6
			all[fmt.Sprintf("in %s, %d behind", name, shift)] = encoded[begin:end]
		}
	}
	return all
}

// TestLeaksAreFound shows that the search for secrets would find one.
func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	secret := `AbCd+/"=&<ü 0123456789`
	c := canaries{}
	c.add("it", secret)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte("before " + secret + " after"))
	_ = w.Close()
	quoted, _ := json.Marshal("x" + secret + "y")
	encoded := base64.StdEncoding.EncodeToString([]byte("ab" + secret + "c"))
	for name, text := range map[string]string{
		"clear": "a" + secret + "b", "lower": strings.ToLower(secret), "query": "?a=" + url.QueryEscape(secret),
		"path": "/" + url.PathEscape(secret) + "/", "json": string(quoted), "html": html.EscapeString("<" + secret),
		"hex": hex.EncodeToString([]byte("abc" + secret)), "base64 in lines": encoded[:10] + "\r\n" + encoded[10:],
		"base64 1": base64.URLEncoding.EncodeToString([]byte("x" + secret + "yz")), "base64 2": base64.StdEncoding.EncodeToString([]byte(secret)),
		"quoted-printable": secret[:5] + "=\r\n" + secret[5:], "gzip": "....\x1f\x8b\x08.." + zipped.String() + "....",
	} {
		if len(c.leaks([]byte(text))) == 0 {
			t.Errorf("%s: the secret was not found", name)
		}
	}
	if got := c.leaks([]byte("AbCd+/ 0123456789")); len(got) > 0 {
		t.Errorf("found %q where there is nothing", got)
	}
}
