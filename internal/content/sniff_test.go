package content_test

import (
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/content"
)

const (
	tableauXML  = `<?xml version='1.0' encoding='UTF-8'?><tsResponse xmlns="http://tableau.com/api"><error code="400074"><summary>Bad Request</summary><detail/></error></tsResponse>`
	tableauJSON = `{"error":{"summary":"Bad Request","detail":"","code":"400074"}}`
)

// errorBodies are what comes in place of a file, by what it is.
func errorBodies() map[content.Reason]map[string]string {
	return map[content.Reason]map[string]string{
		content.HTML: {
			"html":                        "<!DOCTYPE html><html><body>Sign in</body></html>",
			"html in lower case":          "\r\n <html lang=en><head></head></html>",
			"html in upper case":          "<HTML><HEAD></HEAD></HTML>",
			"html with a mark":            "\uFEFF<HTML>\n",
			"html with a mark and space":  "\uFEFF \r\n\t<!doctype HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html>",
			"html as xml":                 `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"></html>`,
			"xhtml with its type":         `<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd"><html/>`,
			"html behind a comment":       "<!-- sorry --><html></html>",
			"html behind a long comment":  "<!-- " + strings.Repeat("sorry ", 200) + "--><html></html>",
			"html cut in its type":        "<!DOCTYPE html",
			"a piece of html":             "<center><h1>502 Bad Gateway</h1></center>",
			"a page's head alone":         `<meta http-equiv="refresh" content="0; url=/login">`,
			"xml of a gateway":            `<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>`,
			"xml without its declaration": `<Error><Code>SlowDown</Code></Error>`,
			"soap":                        `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body/></soap:Envelope>`,
			"a gateway's text":            "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
			"a gateway's line":            "502 Bad Gateway\r\n",
			"another gateway's line":      "Service Unavailable",
			"a status line":               "HTTP/1.1 503 Service Unavailable\r\nServer: x\r\n\r\n",
		},
		content.TableauError: {
			"tableau's error, xml":             tableauXML,
			"tableau's error, bare":            `<tsResponse><error code="401002"/></tsResponse>`,
			"tableau's error, xml with prefix": `<ns0:tsResponse xmlns:ns0="http://tableau.com/api"><ns0:error code="401002"/></ns0:tsResponse>`,
			"tableau's error, with a mark":     "\uFEFF\n" + tableauXML,
			"tableau's error, json":            tableauJSON,
			"json with a mark":                 "\uFEFF  " + tableauJSON,
			"json of several errors":           "{\n \"errors\": [{}]}",
			"json of a gateway":                `{"timestamp":"2026-01-01T00:00:00Z","status":500,"path":"/"}`,
			"json of a cloud":                  `{"Message":"Internal server error"}`,
			"json of problem details":          `{"type":"about:blank","title":"Bad Gateway","status":502}`,
			"a list of errors":                 `[{"code":500}]`,
			"an empty object":                  "{}\n",
		},
	}
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	for want, bodies := range errorBodies() {
		for name, body := range bodies {
			for _, format := range formats() {
				if _, err := check(t, []byte(body), format); reason(t, err) != want {
					t.Errorf("%s as %s: %v, want %s", name, format, err, want)
				}
			}
			// What the client sees is the beginning.
			head := body[:min(len(body), 512)]
			if got, found := content.SniffError([]byte(head)); strings.Contains(name, "long comment") == found || found && got != want {
				t.Errorf("SniffError of %s = %s, %t", name, got, found)
			}
		}
	}
}

// Nothing that a file may begin with is taken for an error.
func TestSniffErrorPassesFiles(t *testing.T) {
	t.Parallel()
	for format, file := range standIn(t).full {
		if got, found := content.SniffError(file[:min(len(file), 512)]); found {
			t.Errorf("SniffError of a %s = %s", format, got)
		}
	}
	for _, head := range []string{
		"", " ", "<", "{", "[", "<5,{\"x\"\n1,2\n", "<Sales>,<Profit>\n1,2\n", "{x},y\n", "[Region],[Sales]\n", "\"{\"\"a\"\":1}\",b\n",
		"Bad Gateway,Service Unavailable\n1,2\n", "Service Unavailable\n3\n", "502,503\n", "<!,x\n", "<b>,x\n",
		"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "<?xml version=\"1.0\"?>\n<!-- made -->\n<!DOCTYPE svg PUBLIC \"x\" \"y\">\n<svg>",
		"<?xml version=\"1.0\"?><!-- " + strings.Repeat("licence ", 100),
		"<" + strings.Repeat("sales", 200) + "><profit>", "\r\nForbidden\r\n" + strings.Repeat("\n", 499),
	} {
		if got, found := content.SniffError([]byte(head)); found {
			t.Errorf("SniffError(%q) = %s", head, got)
		}
	}
}

func TestSniffSVG(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]bool{
		`<svg xmlns="http://www.w3.org/2000/svg"/>`:                         true,
		"\uFEFF\n<s:svg xmlns:s=\"http://www.w3.org/2000/svg\">":            true,
		"<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"x\" \"y\">\n<svg ": true,
		"<?xml version=\"1.0\"?><!-- " + strings.Repeat("licence ", 100):    true,
		"": false, "x<svg/>": false, "<svgs/>": false, "<html><svg/></html>": false,
		"\x89PNG\r\n\x1a\n": false, tableauXML: false, "<!DOCTYPE html><!-- ": false,
	} {
		if got := content.SniffSVG([]byte(head)); got != want {
			t.Errorf("SniffSVG(%q) = %t, want %t", head, got, want)
		}
	}
}
