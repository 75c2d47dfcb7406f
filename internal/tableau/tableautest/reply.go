package tableautest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// node is an element of an answer. It is written as XML, or as the JSON that
// Tableau makes of that XML: attributes become properties, every scalar a
// string, and lists are wrapped twice.
type node struct {
	name  string
	attrs []attr
	text  string
	kids  []*node
	// scalar marks an element that is nothing but its text, even an empty one.
	scalar bool
	// item marks one of a list, which JSON writes as an array in its parent.
	item bool
	// plain marks a list that JSON does not wrap twice: an array.
	plain bool
	// field marks an element that is selected by its own name in a fields
	// parameter, and not by those of its attributes.
	field bool
}

type attr struct{ name, value string }

// element makes a node from pairs of attribute names and values.
func element(name string, pairs ...string) *node {
	n := &node{name: name}
	for i := 0; i+1 < len(pairs); i += 2 {
		n.attrs = append(n.attrs, attr{pairs[i], pairs[i+1]})
	}
	return n
}

func (n *node) add(kids ...*node) *node {
	n.kids = append(n.kids, kids...)
	return n
}

// asField marks n as selected by its own name.
func (n *node) asField() *node {
	n.field = true
	return n
}

func boolean(b bool) string { return strconv.FormatBool(b) }

// scalar makes an element that holds a text alone.
func scalar(name, text string) *node { return &node{name: name, text: text, scalar: true} }

// listOf wraps nodes in a container.
func listOf(name string, items ...*node) *node {
	for _, item := range items {
		item.item = true
	}
	return &node{name: name, kids: items}
}

func (n *node) xml(out *strings.Builder) {
	out.WriteString("<" + n.name)
	for _, a := range n.attrs {
		out.WriteString(" " + a.name + `="` + strings.ReplaceAll(escapeXML(a.value), `"`, "&quot;") + `"`)
	}
	if n.text == "" && len(n.kids) == 0 {
		out.WriteString("/>")
		return
	}
	out.WriteString(">" + escapeXML(n.text))
	for _, kid := range n.kids {
		kid.xml(out)
	}
	out.WriteString("</" + n.name + ">")
}

// escapeXML escapes a text. Quotation marks stay, as in a real server's answers.
func escapeXML(s string) string {
	var out strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&out, []byte(s))
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`).Replace(out.String())
}

func (n *node) json(out *strings.Builder) {
	if n.scalar {
		writeString(out, n.text)
		return
	}
	if n.plain {
		n.jsonArray(out)
		return
	}
	out.WriteByte('{')
	first := true
	key := func(name string) {
		if !first {
			out.WriteByte(',')
		}
		first = false
		writeString(out, name)
		out.WriteByte(':')
	}
	if n.text != "" {
		key("value")
		writeString(out, n.text)
	}
	for _, a := range n.attrs {
		key(a.name)
		writeString(out, a.value)
	}
	for i := 0; i < len(n.kids); i++ {
		kid := n.kids[i]
		key(kid.name)
		if !kid.item {
			kid.json(out)
			continue
		}
		out.WriteByte('[')
		kid.json(out)
		for i+1 < len(n.kids) && n.kids[i+1].item && n.kids[i+1].name == kid.name {
			i++
			out.WriteByte(',')
			n.kids[i].json(out)
		}
		out.WriteByte(']')
	}
	out.WriteByte('}')
}

func (n *node) jsonArray(out *strings.Builder) {
	out.WriteByte('[')
	for i, kid := range n.kids {
		if i > 0 {
			out.WriteByte(',')
		}
		kid.json(out)
	}
	out.WriteByte(']')
}

func writeString(out *strings.Builder, s string) {
	// A string always encodes.
	encoded, _ := json.Marshal(s)
	out.Write(encoded)
}

// reply is what a handler answers: a document, a file, or nothing but a status.
type reply struct {
	status int
	header http.Header
	doc    []*node
	file   *file
	// code is Tableau's error code, 0 for none.
	code int
}

// file is an exported file.
type file struct {
	format      string // png, svg, pdf, csv, xlsx, pptx
	contentType string
	body        []byte
	cached      bool // not made for this call
}

func answer(doc ...*node) reply { return reply{status: http.StatusOK, doc: doc} }

// failure answers with one of Tableau's error codes, whose first three digits
// are the HTTP status.
func failure(code int, format string, args ...any) reply {
	return failureText(code, summary(code), fmt.Sprintf(format, args...))
}

func failureText(code int, summary, detail string) reply {
	body := element("error", "code", strconv.Itoa(code)).add(
		scalar("summary", summary), scalar("detail", detail))
	return reply{status: code / 1000, doc: []*node{body}, code: code}
}

func summary(code int) string {
	switch {
	case code == 401001 || code == 401009:
		return "Signin Error"
	case code == 500000:
		return "Internal Server Error"
	}
	switch code / 1000 {
	case 401:
		return "Unauthorized Access"
	case 403:
		return "Forbidden"
	case 404:
		return "Resource Not Found"
	case 405:
		return "Method Not Allowed"
	case 406:
		return "Not Acceptable"
	case 429:
		return "Too Many Requests"
	}
	return "Bad Request"
}

// encode writes a document in the negotiated language. JSON keeps an error's
// parts as properties and leaves out the XML's outer element.
func (s *Server) encode(doc []*node, asJSON bool) (contentType string, body []byte) {
	var out strings.Builder
	if asJSON {
		root := &node{kids: doc}
		root.json(&out)
		return "application/json;charset=utf-8", []byte(out.String())
	}
	root := element("tsResponse",
		"xmlns", "http://tableau.com/api",
		"xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance",
		"xsi:schemaLocation", "http://tableau.com/api https://help.tableau.com/samples/en-us/rest_api/ts-api_"+
			strings.Replace(s.version.String(), ".", "_", 1)+".xsd")
	root.kids = doc
	out.WriteString("<?xml version='1.0' encoding='UTF-8'?>")
	root.xml(&out)
	return "application/xml;charset=utf-8", []byte(out.String())
}

// wantsJSON decides the language of the answer: by Accept where it names one,
// else by the request's Content-Type, else XML.
func wantsJSON(r *http.Request) bool {
	switch language(r.Header.Get("Accept")) {
	case "json":
		return true
	case "xml":
		return false
	}
	return language(r.Header.Get("Content-Type")) == "json"
}

// language is the first of XML and JSON that a header names.
func language(header string) string {
	header = strings.ToLower(header)
	inJSON, inXML := strings.Index(header, "json"), strings.Index(header, "xml")
	switch {
	case inJSON >= 0 && (inXML < 0 || inJSON < inXML):
		return "json"
	case inXML >= 0:
		return "xml"
	}
	return ""
}
