package content_test

import (
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/content"
)

// svgFile is a document around what it paints, as Tableau's writer makes it.
func svgFile(painting string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg width="352.778mm" height="211.667mm" viewBox="0 0 1000 600" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.2" baseProfile="tiny">
<title>Overview</title>
<defs><clipPath id="c"><rect width="9" height="9"/></clipPath></defs>
<g fill="none" stroke="black" stroke-width="1" fill-rule="evenodd">
` + painting + `
</g>
</svg>
`)
}

const svgText = `<text fill="#333333" stroke="none" x="9" y="9">Sales &amp; profit</text>`

func TestCheckSVG(t *testing.T) {
	t.Parallel()
	const space = ` xmlns="http://www.w3.org/2000/svg"`
	root := func(inner string) string { return "<svg" + space + ">" + inner + "</svg>" }
	tests := []struct {
		name, file string
		want       content.Reason
	}{
		{"as a writer makes it", string(svgFile(svgText)), ""},
		{"without a declaration", root(svgText), ""},
		{"with a prefix", `<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:circle r="1"/></s:svg>`, ""},
		{"with a mark", "\uFEFF" + root(svgText), ""},
		{"with a document type", `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + root(svgText), ""},
		{"with comments around it", "<!-- a > b --- --><?made by='x'?>" + root(svgText) + "<!-- end -->\n<?end?>\n", ""},
		{"with single quotes", "<svg xmlns='http://www.w3.org/2000/svg' a = '\"' ><path d='M0 0'/></svg >", ""},
		{"with a picture of megabytes", root(`<image href="data:image/png;base64,` + strings.Repeat("QUJD", 1<<19) + `"/>`), ""},
		{"with text in a section", root("<text><![CDATA[a ]] ]> b]]></text>"), ""},
		{"with a style sheet", root("<style>path{fill:red}</style><path fill='white'/>"), ""},

		{"painting nothing", string(svgFile("")), content.Blank},
		{"empty", "<svg" + space + "/>", content.Blank},
		{"a white page", root(`<rect width="100%" height="100%" fill="#FFFFFF"/>`), content.Blank},
		{"a white page by style", root(`<rect style="fill: rgb(255, 255, 255); stroke:none"/>`), content.Blank},
		{"white by inheritance", root(`<g fill="white"><g><path d="M0 0"/></g></g>`), content.Blank},
		{"a line without a stroke", root(`<line x1="0" x2="9"/>`), content.Blank},
		{"white text", root(`<text fill="white">Sales</text>`), content.Blank},
		{"text of spaces", root("<text> \n</text>"), content.Blank},
		{"a title alone", root("<title>Sales</title><desc>Sales</desc>"), content.Blank},
		{"definitions alone", root("<defs><path d='M0 0'/><text>a</text></defs>"), content.Blank},

		{"black by default", root("<path d='M0 0'/>"), ""},
		{"a white shape with a line around it", root(`<rect fill="white" stroke="grey"/>`), ""},
		{"black restored", root(`<g fill="white"></g><rect/>`), ""},
		{"coloured in white", root(`<g fill="white"><rect fill="#4e79a7"/></g>`), ""},
		{"a gradient", root(`<rect fill="url(#a)"/>`), ""},
		{"text in pieces", root("<text fill='white'><tspan fill='red'>a</tspan></text>"), ""},
		{"something placed", root("<defs><path id='a'/></defs><use href='#a'/>"), ""},
		{"a style of more than is read", root("<path fill='white' style='" + strings.Repeat("a:b;", 100) + "fill:red'/>"), ""},

		{"no bytes", "", content.Empty},
		{"white space", " \n ", content.Truncated},
		{"a declaration alone", `<?xml version="1.0"?>`, content.Truncated},
		{"the root not closed", "<svg" + space + "><path/>", content.Truncated},
		{"cut in a comment", root("") + "<!-- a", content.Truncated},
		{"cut in a rune", "<svg" + space + "><text>a\xC3", content.Truncated},
		{"closed by another", "<svg" + space + "><g></svg></g>", content.Damaged},
		{"closed twice", root("") + "</svg>", content.Damaged},
		{"two roots", root(svgText) + root(svgText), content.Damaged},
		{"text after the end", root(svgText) + "Error 500", content.Damaged},
		{"a page after the end", root(svgText) + "<html></html>", content.Damaged},
		{"a value without quotes", "<svg" + space + "><path d=M0/></svg>", content.Damaged},
		{"an attribute without a value", "<svg" + space + "><path d/></svg>", content.Damaged},
		{"a tag in a value", "<svg" + space + "><path d='<g>'/></svg>", content.Damaged},
		{"a name that is none", root("<5/>"), content.Damaged},
		{"entities of its own", `<!DOCTYPE svg [<!ENTITY a "b">]>` + root("<text>&a;</text>"), content.NotFormat},
		{"a zero byte", root("<text>\x00</text>"), content.NotFormat},
		{"Latin-1", root("<text>\xE9</text>"), content.NotFormat},
		{"UTF-16", "\xFF\xFE<\x00s\x00v\x00g\x00", content.NotFormat},
		{"nested without end", root(strings.Repeat("<g>", 5000)), content.TooLarge},
		{"without its namespace", "<svg><path/></svg>", content.NotFormat},
		{"another root", `<?xml version="1.0"?><!-- ` + strings.Repeat("x", 600) + ` --><kml></kml>`, content.NotFormat},
		{"a page behind a long comment", `<?xml version="1.0"?><!-- ` + strings.Repeat("x", 600) + ` --><html></html>`, content.HTML},
		{"tableau's error behind a long comment", `<?xml version="1.0"?><!-- ` + strings.Repeat("x", 600) + ` --><tsResponse/>`, content.TableauError},
		{"a png", string(chart(8, 8).encode(t)), content.NotFormat},
		{"a csv", "a,b\n1,2\n", content.NotFormat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			facts, err := check(t, []byte(tt.file), content.SVG)
			if got := reason(t, err); got != tt.want || facts.Blank != (got == content.Blank) {
				t.Errorf("reason = %q (%v), facts %+v, want %q", got, err, facts, tt.want)
			}
		})
	}
}

// However a document is cut into reads, it reads the same.
func TestSVGAcrossBuffers(t *testing.T) {
	t.Parallel()
	for pad := 65_400; pad < 65_700; pad++ {
		file := []byte(`<svg xmlns="http://www.w3.org/2000/svg"><text>` + strings.Repeat("x", pad) + `</text><!-- é --><![CDATA[]]]]><path d="é"/></svg>`)
		if _, err := check(t, file, content.SVG); err != nil {
			t.Fatalf("text of %d bytes: %v", pad, err)
		}
	}
}
