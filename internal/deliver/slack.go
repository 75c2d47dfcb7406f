package deliver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf16"
)

// Limits of Block Kit (Slack developer documentation, Reference: blocks). The
// limit of the whole is not documented; messages fail with msg_blocks_too_long
// at about 13,200 characters. Slack counts characters; UTF-16 units are never
// fewer.
const (
	slackBlocks  = 50
	slackHeader  = 150
	slackSection = 3000
	slackAlt     = 2000
	slackTitle   = 2000
	slackURL     = 3000
	slackLinkURL = 1200   // of a link within a section, so that its text has room
	slackTotal   = 12_500 // of all blocks as JSON
	slackWords   = 6_000  // of the report's own text
)

// slackMessage is the body of a webhook call.
type slackMessage struct {
	Text        string            `json:"text"` // for notifications, and where blocks are not shown
	Blocks      []json.RawMessage `json:"blocks,omitempty"`
	UnfurlLinks bool              `json:"unfurl_links"`
	UnfurlMedia bool              `json:"unfurl_media"`
}

type slackText struct {
	Type string `json:"type"` // "plain_text" or "mrkdwn"
	Text string `json:"text"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
	ImageURL string      `json:"image_url,omitempty"`
	AltText  string      `json:"alt_text,omitempty"`
	Title    *slackText  `json:"title,omitempty"`
}

// BuildSlack makes the body of an incoming webhook: Block Kit within Slack's
// limits, and the same in plain words as its fallback. A webhook carries no
// files, so pictures and files go by their Link, which must be a public https
// address for a picture to be shown; without one, the message links to the
// view. A [problem.Error] of kind Invalid means that the post cannot become a
// message.
func BuildSlack(p Post) ([]byte, error) {
	env := p.Env()
	template, err := CompileTemplate(p.Text)
	if err != nil {
		return nil, fmt.Errorf("reading the text for Slack: %w", err)
	}
	words, err := template.Render(env, Slack)
	if err != nil {
		return nil, fmt.Errorf("writing the text for Slack: %w", err)
	}
	words = strings.TrimSpace(words)
	plain, err := template.Render(env, Plain)
	if err != nil {
		return nil, fmt.Errorf("writing the text for Slack: %w", err)
	}

	s := slackBuilder{}
	heading := cmp.Or(headerText(p.ReportName), "Message from vizpost")
	if p.Test {
		heading = "[Test] " + heading
	}
	s.add(slackBlock{Type: "header", Text: &slackText{"plain_text", cutUnits(heading, slackHeader)}})
	var context []string
	if when := whenText(p.ScheduledFor, p.Location); when != "" {
		context = append(context, when)
	}
	if p.ConnectionName != "" {
		context = append(context, slackEscaper.Replace(p.ConnectionName))
	}
	if len(context) > 0 {
		s.add(contextBlock(strings.Join(context, " · ")))
	}
	words = cutSlack(words, slackWords)
	for words != "" {
		var first string
		first, words = splitSlack(words, slackSection)
		s.add(section(first))
	}
	tail := slackTail(p)
	s.files(p, groups(p), jsonUnits(tail)+slackReserve, len(tail)+1)
	for _, block := range tail {
		s.add(block)
	}

	return encodeSlack(slackMessage{Text: slackFallback(p, heading, plain), Blocks: s.blocks})
}

// slackReserve is kept for the line that counts what is not shown.
const slackReserve = 200

// slackBuilder collects blocks and counts what they take.
type slackBuilder struct {
	blocks []json.RawMessage
	units  int
}

func (s *slackBuilder) add(block slackBlock) {
	raw := encodeBlock(block)
	s.blocks = append(s.blocks, raw)
	s.units += unitsOf(string(raw)) + 1
}

// files adds the views as far as they fit beside what is yet to come.
func (s *slackBuilder) files(p Post, all []fileGroup, units, blocks int) {
	for i, g := range all {
		next := g.blocks(p)
		if s.units+jsonUnits(next)+units > slackTotal || len(s.blocks)+len(next)+blocks > slackBlocks {
			s.add(contextBlock(fmt.Sprintf("And %d more %s that a Slack message has no room for.", len(all)-i, plural(len(all)-i, "view", "views"))))
			return
		}
		for _, block := range next {
			s.add(block)
		}
	}
}

// fileGroup is the files of one view with one set of filters.
type fileGroup []File

func groups(p Post) []fileGroup {
	var all []fileGroup
	index := map[string]int{}
	for _, f := range p.Files {
		key := strings.Join([]string{f.View, f.Workbook, f.ViewURL, filterText(f.Filters), f.VerifiedOn}, "\x00")
		i, ok := index[key]
		if !ok {
			i = len(all)
			index[key] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], f)
	}
	return all
}

// blocks shows a view: its pictures, then its name with a link, and its files.
func (g fileGroup) blocks(p Post) []slackBlock {
	var blocks []slackBlock
	for _, f := range g {
		if f.Format != "png" || !isPublic(f.Link) {
			continue
		}
		alt := title(f)
		if workbook := book(f); workbook != "" {
			alt += " (" + workbook + ")"
		}
		blocks = append(blocks, slackBlock{
			Type: "image", ImageURL: f.Link, AltText: cutUnits(alt, slackAlt),
			Title: &slackText{"plain_text", cutUnits(title(f), slackTitle)},
		})
	}

	first := g[0]
	// Escaped, each letter may take five: at most 500, 400, 600 and a link.
	lines := []string{"*" + slackLink(first.ViewURL, cutUnits(title(first), 100)) + "*"}
	if workbook := book(first); workbook != "" {
		lines[0] += " · " + slackEscaper.Replace(cutUnits(workbook, 80))
	}
	if d := detail(p, File{Filters: first.Filters, VerifiedOn: first.VerifiedOn, ExportedAt: first.ExportedAt}); d != "" {
		lines = append(lines, cutSlack(slackEscaper.Replace(d), 600))
	}
	for _, f := range g {
		line := slackLink(f.Link, f.Name) + " (" + sizeText(f.Size) + ")"
		if unitsOf(strings.Join(lines, "\n"))+unitsOf(line) > slackSection-100 {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, "• "+line)
	}
	return append(blocks, section(strings.Join(lines, "\n")))
}

// slackTail is what the reader must know beyond the content.
func slackTail(p Post) []slackBlock {
	said := notes(p)
	for _, f := range p.Files {
		if !isWebAddress(f.Link) {
			said = append(said, "Slack webhooks carry no files: open the view in Tableau to see it.")
			break
		}
	}
	var tail []slackBlock
	for _, note := range said {
		tail = append(tail, contextBlock(slackEscaper.Replace(note)))
	}
	return tail
}

// slackFallback says the message in plain words, with its links.
func slackFallback(p Post, heading, words string) string {
	lines := []string{heading}
	if when := whenText(p.ScheduledFor, p.Location); when != "" {
		lines[0] += " – " + when
	}
	if words = strings.TrimSpace(words); words != "" {
		lines = append(lines, words)
	}
	lines = append(lines, notes(p)...)
	for _, g := range groups(p) {
		line := title(g[0])
		if view := webAddress(g[0].ViewURL); view != "" {
			line += ": " + view
		}
		lines = append(lines, line)
	}
	return cutSlack(slackEscaper.Replace(strings.Join(lines, "\n")), slackSection)
}

func section(text string) slackBlock {
	return slackBlock{Type: "section", Text: &slackText{"mrkdwn", text}}
}

func contextBlock(text string) slackBlock {
	return slackBlock{Type: "context", Elements: []slackText{{"mrkdwn", cutSlack(text, slackSection)}}}
}

// slackLink writes a link as mrkdwn has it, or the text alone where there is
// no address for it.
func slackLink(address, text string) string {
	text = slackEscaper.Replace(text)
	if !isWebAddress(address) {
		return text
	}
	address = strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E", " ", "%20", "&", "&amp;").Replace(address)
	if unitsOf(address) > slackLinkURL {
		return text
	}
	return "<" + address + "|" + strings.ReplaceAll(text, "|", "¦") + ">"
}

// isPublic is true of an https address that Slack's servers could reach and
// that fits a picture.
func isPublic(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || unitsOf(address) > slackURL {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsGlobalUnicast() && !ip.IsPrivate()
	}
	for _, private := range []string{".local", ".localhost", ".internal", ".lan", ".home.arpa", ".test"} {
		if strings.HasSuffix(host, private) {
			return false
		}
	}
	return strings.Contains(host, ".")
}

// encodeBlock writes one block. A block holds texts only, so it cannot fail.
func encodeBlock(block slackBlock) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(block)
	return bytes.TrimSpace(out.Bytes())
}

func encodeSlack(m slackMessage) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		return nil, fmt.Errorf("encoding a message for Slack: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// unitsOf counts UTF-16 units.
func unitsOf(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

func jsonUnits(blocks []slackBlock) int {
	n := 0
	for _, block := range blocks {
		n += unitsOf(string(encodeBlock(block))) + 1
	}
	return n
}

// prefixUnits gives the longest beginning of at most n units, in bytes.
func prefixUnits(s string, n int) int {
	for i, r := range s {
		if n -= max(utf16.RuneLen(r), 1); n < 0 {
			return i
		}
	}
	return len(s)
}

// cutUnits shortens plain text to n units, the last an ellipsis.
func cutUnits(s string, n int) string {
	if unitsOf(s) <= n {
		return s
	}
	return strings.TrimSpace(s[:prefixUnits(s, n-1)]) + "…"
}

// cutSlack is [cutUnits] for escaped text: an entity stays whole.
func cutSlack(s string, n int) string {
	if unitsOf(s) <= n {
		return s
	}
	first, _ := splitSlack(s, n-1)
	return first + "…"
}

// splitSlack splits escaped text after at most n units, at a line's end if
// there is one in the second half, and never within an entity.
func splitSlack(s string, n int) (first, rest string) {
	end := prefixUnits(s, n)
	if end == len(s) {
		return s, ""
	}
	if line := strings.LastIndexByte(s[:end], '\n'); line > end/2 {
		return strings.TrimSpace(s[:line]), strings.TrimSpace(s[line:])
	}
	if amp := strings.LastIndexByte(s[:end], '&'); amp > 0 && end-amp < len("&amp;") && !strings.Contains(s[amp:end], ";") {
		end = amp
	}
	return strings.TrimSpace(s[:end]), strings.TrimSpace(s[end:])
}
