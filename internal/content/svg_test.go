package content_test

import (
	"encoding/base64"
	"image/color"
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
		{"with single quotes", "<svg xmlns='http://www.w3.org/2000/svg' a = '\"' ><path d='M1 1h9v9z'/></svg >", ""},
		{"with a picture of megabytes", root(`<image href="data:image/png;base64,` + strings.Repeat("QUJD", 1<<19) + `"/>`), ""},
		{"with text in a section", root("<text><![CDATA[a ]] ]> b]]></text>"), ""},
		{"with a style sheet", root("<style>path{fill:red}</style><path fill='white'/>"), ""},

		{"painting nothing", string(svgFile("")), content.Blank},
		{"empty", "<svg" + space + "/>", content.Blank},
		{"a white page", root(`<rect width="100%" height="100%" fill="#FFFFFF"/>`), content.Blank},
		{"a white page by style", root(`<rect width="9" height="9" style="fill: rgb(255, 255, 255); stroke:none"/>`), content.Blank},
		{"white by inheritance", root(`<g fill="white"><g><path d="M1 1h9v9z"/></g></g>`), content.Blank},
		{"a line without a stroke", root(`<line x1="0" x2="9"/>`), content.Blank},
		{"white text", root(`<text fill="white">Sales</text>`), content.Blank},
		{"text of spaces", root("<text> \n</text>"), content.Blank},
		{"a title alone", root("<title>Sales</title><desc>Sales</desc>"), content.Blank},
		{"definitions alone", root("<defs><path d='M1 1h9v9z'/><text>a</text></defs>"), content.Blank},

		{"black by default", root("<path d='M1 1h9v9z'/>"), ""},
		{"a white shape with a line around it", root(`<rect width="9" height="9" fill="white" stroke="grey"/>`), ""},
		{"black restored", root(`<g fill="white"></g><rect width="9" height="9"/>`), ""},
		{"coloured in white", root(`<g fill="white"><rect width="9" height="9" fill="#4e79a7"/></g>`), ""},
		{"a gradient", root(`<rect width="9" height="9" fill="url(#a)"/>`), ""},
		{"text in pieces", root("<text fill='white'><tspan fill='red'>a</tspan></text>"), ""},
		{"something placed", root("<defs><path id='a'/></defs><use href='#a'/>"), ""},
		{"a style of more than is read", root("<path d='M1 1h9v9z' fill='white' style='" + strings.Repeat("a:b;", 100) + "fill:red'/>"), ""},

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

// A document that runs or loads something when it is opened, or where a link in
// it is followed, is refused, in whatever way that is written; allow_blank changes
// nothing about it.
func TestActiveSVG(t *testing.T) {
	t.Parallel()
	const open = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">` + svgText
	root := func(inner string) string { return open + inner + "</svg>" }
	tests := map[content.Reason]map[string]string{
		content.Scripted: {
			"a script":                          root(`<script>alert(1)</script>`),
			"a script with a prefix":            `<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:script/></s:svg>`,
			"a script in capitals":              root(`<SCRIPT/>`),
			"a script alone":                    `<svg xmlns="http://www.w3.org/2000/svg"><script href="#a"/></svg>`,
			"a script of HTML":                  root(`<h:script xmlns:h="http://www.w3.org/1999/xhtml"/>`),
			"a handler at the root":             `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">` + svgText + `</svg>`,
			"a handler of a click":              root(`<rect width="9" height="9" onclick='a()'/>`),
			"a handler in capitals":             root(`<rect onClick='a()'/>`),
			"a handler without a value":         root(`<rect onfocus=''/>`),
			"an element of handlers":            root(`<handler type="application/ecmascript">a()</handler>`),
			"a piece of a page":                 root(`<foreignObject width="9" height="9"/>`),
			"an element of a page":              root(`<iframe xmlns="http://www.w3.org/1999/xhtml"/>`),
			"a picture of a page":               root(`<h:img xmlns:h="http://www.w3.org/1999/xhtml"/>`),
			"a namespace with a reference":      root(`<h:img xmlns:h="http://www.w3.org/1999/xht&#109;l"/>`),
			"a namespace around it":             `<svg xmlns="http://www.w3.org/2000/svg" xmlns:h="http://www.w3.org/1999/xhtml"><g><h:b/></g></svg>`,
			"a link to a script":                root(`<a href="javascript:alert(1)">` + svgText + `</a>`),
			"an old link to a script":           root(`<a xlink:href="javascript:alert(1)"/>`),
			"a link with another prefix":        root(`<a xmlns:l="http://www.w3.org/1999/xlink" l:href="javascript:alert(1)"/>`),
			"a link in capitals, after space":   root(`<a href="  JavaScript:alert(1)"/>`),
			"a link after very many spaces":     root(`<a href="` + strings.Repeat(" &#9;", 100_000) + `javascript:alert(1)"/>`),
			"a link with references":            root(`<a href="&#x6A;ava&#115;cript&#58;alert(1)"/>`),
			"a link with line ends in it":       root("<a href=\"java&#10;scr\nipt:alert(1)\"/>"),
			"a link to another script":          root(`<a href="vbscript:x"/>`),
			"a link to a document in it":        root(`<a href="data:text/html,&lt;script>alert(1)&lt;/script>"/>`),
			"a link to a file":                  root(`<a href="file:///C:/x"/>`),
			"an animation of a link":            root(`<a href="#a"><animate attributeName="href" values="javascript:alert(1)"/></a>`),
			"an animation of an old link":       root(`<a><set attributeName="xlink:href" to="javascript:alert(1)"/></a>`),
			"an animation of a handler":         root(`<set attributeName="onclick" to="a()"/>`),
			"a picture that is a document":      root(`<image href="data:image/svg+xml;base64,PHN2Zy8+"/>`),
			"a use of a document in an address": root(`<use href="data:image/svg+xml,x#a"/>`),
			"a use of a picture in an address":  root(`<use href="data:image/png;base64,QUJD"/>`),
			"a script's address in a style":     root(`<rect style="fill:url(javascript:alert(1))"/>`),
			"a style that is computed":          root(`<rect style="width:expression(alert(1))"/>`),
			"a video":                           root(`<video/>`),
			"a script behind a lot":             root(strings.Repeat(svgText, 5000) + `<script/>`),
			"a script in what is not drawn":     root(`<defs><script/></defs>`),
			"a long value before the handler":   root(`<path d="` + strings.Repeat("M1 1h9", 20_000) + `" onload=""/>`),
			"more attributes than are kept":     root(`<rect ` + strings.Repeat(`x="1" `, 90) + `onload=""/>`),
			"a link behind more than is kept":   root(`<a ` + strings.Repeat(`x="1" `, 90) + `href="javascript:alert(1)"/>`),
		},
		content.External: {
			"a picture elsewhere":                   root(`<image href="https://example.com/a.png" width="9" height="9"/>`),
			"an old picture elsewhere":              root(`<image xlink:href="http://example.com/a.png"/>`),
			"a picture elsewhere alone":             `<svg xmlns="http://www.w3.org/2000/svg"><image href="//example.com/a.png"/></svg>`,
			"a picture beside it":                   root(`<image href="a.png"/>`),
			"a picture in a file":                   root(`<image href="file:///etc/passwd"/>`),
			"a picture on a share":                  root(`<image href="\\\\host\\a.png"/>`),
			"a picture for a filter":                root(`<filter><feImage href="https://example.com/a.png"/></filter>`),
			"a shape elsewhere":                     root(`<use href="https://example.com/a.svg#b"/>`),
			"a gradient elsewhere":                  root(`<linearGradient xlink:href="a.svg#b"/>`),
			"a paint elsewhere":                     root(`<rect fill="url(https://example.com/a.svg#b)"/>`),
			"a paint elsewhere, in quotes":          root(`<rect fill="url( 'https://example.com/a.svg#b' )"/>`),
			"a paint elsewhere, after many spaces":  root(`<rect fill="url('` + strings.Repeat(" ", 1000) + `http://a/b')"/>`),
			"a picture elsewhere, after spaces":     root(`<image href="` + strings.Repeat(" ", 1000) + `http://a/b"/>`),
			"a paint elsewhere, by a reference":     root(`<rect fill="u&#114;l(a.svg#b)"/>`),
			"a paint elsewhere, in capitals":        root(`<rect fill="URL(a.svg#b)"/>`),
			"a paint elsewhere, by an escape":       root(`<rect fill="\75 rl(a.svg#b)"/>`),
			"a paint elsewhere, without an end":     root(`<rect fill="url(a.svg#b"/>`),
			"a filter elsewhere":                    root(`<g filter="url(a.svg#b)"/>`),
			"a style elsewhere":                     root(`<g style="a:b;mask:url(a.svg#b)"/>`),
			"a style elsewhere, behind a lot":       root(`<g style="` + strings.Repeat("a:b;", 30_000) + `mask:url(a.svg#b)"/>`),
			"a style elsewhere, behind a comment":   root(`<g style="/* url(#a) */mask:url(a.svg#b)"/>`),
			"a style elsewhere, behind a string":    root("<g style=\"a:'\n';mask:url(a.svg#b);b:'\n'\"/>"),
			"a style with a set of pictures":        root(`<g style="mask-image:image-set('https://example.com/a.png' 1x)"/>`),
			"an animation's paint":                  root(`<set attributeName="fill" to="url(a.svg#b)"/>`),
			"an import":                             root(`<style>@import "https://example.com/a.css";</style>`),
			"an import by url":                      root(`<style>@import url(a.css);</style>`),
			"an import in a section":                root(`<style><![CDATA[ @IMPORT 'a.css' ]]></style>`),
			"an import by escapes":                  root(`<style>@\69mp\6frt "a.css"</style>`),
			"an import without space":               root(`<style>@import"a.css"</style>`),
			"a font elsewhere":                      root(`<style>@font-face{font-family:a;src:url("https://example.com/a.woff2")}</style>`),
			"a font elsewhere, behind a font in it": root(`<style>@font-face{src:url(data:font/woff2;base64,QUJD),url(a.woff2)}</style>`),
			"a background":                          root(`<style>svg{background:url(//example.com/a)}</style>`),
			"a style sheet's address":               `<?xml-stylesheet href="https://example.com/a.css" type="text/css"?>` + root(""),
			"a style sheet's address after it":      root("") + `<?xml-stylesheet href="a.css"?>`,
			"a document type elsewhere":             `<!DOCTYPE svg SYSTEM "https://example.com/a.dtd">` + root(""),
			"a public document type elsewhere":      `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "file:///a.dtd">` + root(""),
			"another base":                          `<svg xmlns="http://www.w3.org/2000/svg" xml:base="https://example.com/"><use href="#a"/></svg>`,
			"a link that tells of itself":           root(`<a href="https://example.com/" ping="https://example.org/"/>`),
			"an included document":                  root(`<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="a.xml"/>`),
		},
		content.Damaged: {
			"a reference to no character":  root(`<text>&nbsp;</text>`),
			"a reference without an end":   root(`<text>a & b</text>`),
			"a reference to a zero byte":   root(`<g id="&#0;"/>`),
			"a reference of many digits":   root(`<g id="&#` + strings.Repeat("0", 99) + `65;"/>`),
			"a reference beyond Unicode":   root(`<g id="&#x110000;"/>`),
			"a reference that is cut off":  root(`<g id="&#65"/>`),
			"a reference to half of a one": root(`<g id="&#xD800;"/>`),
		},
		content.NotFormat: {
			"another encoding":          `<?xml version="1.0" encoding="UTF-7"?>` + root("+ADw-script+AD4-"),
			"another encoding's letter": `<?xml version='1.0' encoding = 'utf-16'?>` + root(""),
		},
		"": {
			"a picture within":                root(`<image href="data:image/png;base64,QUJD" width="9" height="9"/>`),
			"a picture of another kind":       root(`<image xlink:href=" data:image/jpeg;base64,QUJD"/>`),
			"a reference to a part":           root(`<use href="#a"/><rect fill="url(#b)" filter="url('#c')" style="mask:url(&quot;#d&quot;)"/>`),
			"a link to a page":                root(`<a href="https://example.com/a?b=c&amp;d=javascript:e">` + svgText + `</a>`),
			"a link to a mailbox":             root(`<a href="mailto:a@example.com"/>`),
			"a link within":                   root(`<a href="#a"/>`),
			"a font within":                   root(`<style>@font-face{font-family:a;src:url(data:font/woff2;base64,QUJD)}text{font-family:a}</style>`),
			"namespaces of a style":           root(`<style>@namespace svg url(http://www.w3.org/2000/svg);svg|text{fill:red}</style>`),
			"words that are no script":        root(`<text>javascript: on onload= url(http://a) @import &lt;script></text>`),
			"words in values":                 root(`<g id="javascript:" class="once onset" data-on="x"/>`),
			"words in a comment":              root(`<!-- <script> @import --><style>/* @import "a" */</style>`),
			"words in a string of a style":    root(`<style>text{font-family:"url(a) @import"}</style>`),
			"what a drawing program notes":    root(`<metadata><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about="https://example.com/"/></r:RDF></metadata>`),
			"an animation of a size":          root(`<rect><animate attributeName="width" to="9"/></rect>`),
			"an encoding like it":             `<?xml version="1.0" encoding="iso-8859-1"?>` + root(""),
			"a document type without address": `<!DOCTYPE svg>` + root(""),
			"references":                      root(`<text title="&#65;&#x42;&apos;&quot;">&lt;&gt;&amp;</text>`),
			"text in capitals and not":        root(`<text>&#160;a</text>`),
		},
	}
	for want, files := range tests {
		for name, file := range files {
			_, err := content.Check(t.Context(), strings.NewReader(file), int64(len(file)), content.SVG, content.AllowBlank)
			if got := reason(t, err); got != want {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
			if _, err := receive(t, []byte(file), 19, content.SVG); reason(t, err) != want && (want != "" || reason(t, err) != content.Blank) {
				t.Errorf("%s, in pieces: %v, want %q", name, err, want)
			}
		}
	}
}

// A document is blank where all that it draws is certainly not to be seen, and
// where there is a doubt, it is not.
func TestBlankSVG(t *testing.T) {
	t.Parallel()
	png := func(p picture) string {
		return "data:image/png;base64," + base64.StdEncoding.EncodeToString(p.encode(t))
	}
	white := png(painted(40, 40, func(int, int) color.NRGBA { return opaque(255, 255, 255) }))
	full := png(chart(40, 40))
	cut := full[:len(full)-60]
	const shape = `<rect x="10" y="10" width="50" height="50" fill="#4e79a7"/>`
	for name, tt := range map[string]struct {
		attributes, inner string
		want              content.Reason
	}{
		"a shape":                              {`viewBox="0 0 100 100"`, shape, ""},
		"not displayed":                        {`viewBox="0 0 100 100"`, `<g display="none">` + shape + `</g>`, content.Blank},
		"not displayed at all":                 {`style="display:none"`, shape, content.Blank},
		"not displayed by a style":             {"", `<g style="fill:red; display : none !important">` + shape + `</g>`, content.Blank},
		"displayed by a style":                 {"", `<g display="none" style="display:inline">` + shape + `</g>`, ""},
		"displayed within what is not":         {"", `<g display="none"><g display="inline">` + shape + `</g></g>`, content.Blank},
		"hidden":                               {"", `<g visibility="hidden">` + shape + svgText + `</g>`, content.Blank},
		"collapsed":                            {"", `<g style="visibility:collapse">` + shape + `</g>`, content.Blank},
		"visible within what is hidden":        {"", `<g visibility="hidden"><g visibility="visible">` + shape + `</g></g>`, ""},
		"transparent":                          {"", `<g opacity="0">` + shape + `<image width="9" height="9" href="` + full + `"/></g>`, content.Blank},
		"nearly transparent":                   {"", `<g style="opacity:.1"><g opacity="10%">` + shape + `</g></g>`, content.Blank},
		"half transparent":                     {"", `<g opacity="0.5">` + shape + `</g>`, ""},
		"opacity that is not inherited":        {"", `<g opacity="0"></g>` + shape, ""},
		"a transparent fill":                   {"", `<g fill-opacity="0">` + shape + `</g>`, content.Blank},
		"a transparent fill with a line":       {"", `<g fill-opacity="0" stroke="red">` + shape + `</g>`, ""},
		"a transparent line":                   {"", `<line x2="9" stroke="red" stroke-opacity="0"/>`, content.Blank},
		"a line of no width":                   {"", `<line x2="9" stroke="red" stroke-width="0"/>`, content.Blank},
		"a line":                               {"", `<line x2="9" stroke="red"/>`, ""},
		"a color with opacity 0":               {"", `<rect width="9" height="9" fill="#ff000000"/><rect width="9" height="9" fill="rgba(0,0,0,0)"/>`, content.Blank},
		"whites":                               {"", `<g><rect width="9" height="9" fill="#FFFFFE"/><rect width="9" height="9" fill="rgb(252, 253, 254)"/><rect width="9" height="9" fill="snow"/><rect width="9" height="9" fill="rgb(99% 99% 100%)"/></g>`, content.Blank},
		"a pale color":                         {"", `<rect width="9" height="9" fill="#e8f0ff"/>`, ""},
		"a pale grey ground":                   {`viewBox="0 0 100 100"`, `<rect width="100" height="100" fill="#f5f5f5"/>`, content.Blank},
		"a pale grey ground by a path":         {`viewBox="0 0 100 100"`, `<path d="M0,0 L100,0 L100,100 L0,100 L0,0" fill="whitesmoke"/>`, content.Blank},
		"a pale grey ground with a mark":       {`viewBox="0 0 100 100"`, `<rect width="100" height="100" fill="#f5f5f5"/>` + shape, ""},
		"a pale grey shape":                    {`viewBox="0 0 100 100"`, `<rect width="50" height="50" fill="#f0f0f0"/>`, ""},
		"a strong ground":                      {`viewBox="0 0 100 100"`, `<rect width="100" height="100" fill="#c81e1e"/>`, ""},
		"a shape to the right":                 {`viewBox="0 0 100 100"`, `<g transform="translate(200)">` + shape + `</g>`, content.Blank},
		"a shape above":                        {`viewBox="0 0 100 100"`, `<g transform="translate(0,-70)">` + shape + `</g>`, content.Blank},
		"a shape at the edge":                  {`viewBox="0 0 100 100"`, `<g transform="translate(89,0)">` + shape + `</g>`, ""},
		"a shape moved out and in":             {`viewBox="0 0 100 100"`, `<g transform="translate(200)"><g transform="matrix(1,0,0,1,-200,0)">` + shape + `</g></g>`, ""},
		"a shape turned out":                   {`viewBox="0 0 100 100"`, `<g transform="rotate(180)">` + shape + `</g>`, content.Blank},
		"a shape turned about its middle":      {`viewBox="0 0 100 100"`, `<g transform="rotate(180 35 35)">` + shape + `</g>`, ""},
		"a shape that is made large":           {`viewBox="500 500 100 100"`, `<g transform="scale(15)">` + shape + `</g>`, ""},
		"a shape in another unit":              {`viewBox="0 0 100 100"`, `<rect x="90cm" width="50" height="50"/>`, ""},
		"a shape moved by something else":      {`viewBox="0 0 100 100"`, `<g style="transform:translate(-200px)"><rect x="200" width="50" height="50"/></g>`, ""},
		"shapes outside of width and height":   {`width="100" height="50"`, `<circle cx="150" cy="20" r="10"/><ellipse cx="9" cy="90" rx="9" ry="9"/><line x1="-9" x2="-5" y2="9" stroke="red"/><polygon points="0,60 9,60 9,70"/><path d="m200 10 h20 v20 z"/>`, content.Blank},
		"a line at the edge, by its width":     {`viewBox="0 0 100 100"`, `<line x1="-5" x2="-5" y2="90" stroke="red" stroke-width="20"/>`, ""},
		"a path that comes in":                 {`viewBox="0 0 100 100"`, `<path d="M200,200c-100-100,0,0-150-150" fill="none" stroke="red"/>`, ""},
		"an arc with flags side by side":       {`viewBox="0 0 100 100"`, `<path d="M110 50a20 20 0 01-40 0"/>`, ""},
		"a path of no line":                    {"", `<path d="M10 10"/><path d=""/><path/>`, content.Blank},
		"a path that is no area":               {"", `<path d="M10 10H50"/>`, content.Blank},
		"a path that is a line":                {"", `<path d="M10 10H50" stroke="red"/>`, ""},
		"shapes of no size":                    {"", `<rect width="0" height="9"/><rect width="9"/><circle r="0"/><circle/><ellipse rx="9" ry="0"/><polygon points=""/><image width="0" height="9" href="` + full + `"/>`, content.Blank},
		"nothing wide":                         {`width="0" height="100"`, shape, content.Blank},
		"nothing to be seen":                   {`viewBox="0 0 0 0"`, shape, content.Blank},
		"a text outside":                       {`viewBox="0 0 100 100"`, `<text x="500" y="9">Sales</text><text x="9" y="-200">Sales</text>`, content.Blank},
		"a text that ends within":              {`viewBox="0 0 100 100"`, `<text x="120" y="20" text-anchor="end">Sales</text>`, ""},
		"a text that begins before":            {`viewBox="0 0 100 100"`, `<text x="-20" y="20">Sales</text>`, ""},
		"a text of no size":                    {"", `<text y="20" font-size="0">Sales</text>`, content.Blank},
		"a text of spaces that do not break":   {"", `<text y="20">&#160; &#8203;</text>`, content.Blank},
		"a text placed in pieces":              {`viewBox="0 0 100 100"`, `<text x="500" y="9"><tspan x="9" y="20">Sales</tspan></text>`, ""},
		"a picture of nothing":                 {"", `<image width="40" height="40" href="` + white + `"/>`, content.Blank},
		"a picture":                            {"", `<image width="40" height="40" href="` + full + `"/>`, ""},
		"a picture of nothing and another":     {"", `<image href="` + white + `"/><image xlink:href="` + full + `" xmlns:xlink="http://www.w3.org/1999/xlink"/>`, ""},
		"a picture that is cut":                {"", `<image width="40" height="40" href="` + cut + `"/>`, content.Damaged},
		"a picture that is cut behind another": {"", shape + `<image width="40" height="40" href="` + cut + `"/>`, content.Damaged},
		"a picture after spaces":               {"", `<image href="` + strings.Repeat(" ", 1000) + white + `"/>`, content.Blank},
		"a picture in lines":                   {"", "<image href=\"" + white[:90] + "\n" + white[90:] + "\"/>", content.Blank},
		"a picture without an address":         {"", `<image width="40" height="40"/>`, content.Blank},
		"a picture outside":                    {`viewBox="0 0 100 100"`, `<image x="200" width="40" height="40" href="` + full + `"/>`, content.Blank},
		"a dark ground":                        {"", `<rect width="100%" height="100%"/>`, ""},
		"wider than its viewBox":               {`width="200" height="100" viewBox="0 0 100 100"`, `<g transform="translate(100)">` + shape + `</g>`, ""},
		"an inner document":                    {`viewBox="0 0 100 100"`, `<svg x="-200"><rect x="210" width="50" height="50"/></svg>`, ""},
		"an inner document of no size":         {"", `<svg width="0" height="9">` + shape + `</svg>`, content.Blank},
		"a path without data behind another":   {"", `<path d="M1 1h9v9z" fill="white"/><path/>`, content.Blank},
		"a style sheet at the end":             {"", `<rect class="a" width="9" height="9" fill="white"/><style>.a{fill:red}</style>`, ""},
		"a style sheet for nothing":            {"", `<style>.a{fill:red}</style>`, content.Blank},
		"a style sheet":                        {"", `<style>.a{display:none}</style><g class="a">` + shape + `</g>`, ""},
	} {
		file := []byte(`<svg xmlns="http://www.w3.org/2000/svg" ` + tt.attributes + `>` + tt.inner + `</svg>`)
		facts, err := check(t, file, content.SVG)
		if got := reason(t, err); got != tt.want || facts.Blank != (got == content.Blank) {
			t.Errorf("%s: %v, facts %+v, want %q", name, err, facts, tt.want)
		}
		if again, err := receive(t, file, 7, content.SVG); reason(t, err) != tt.want || again != facts {
			t.Errorf("%s, in pieces: %v, facts %+v, want %q", name, err, again, tt.want)
		}
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
