package deliver_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

// message is a webhook's body as Slack reads it.
type message struct {
	Text        string
	Blocks      []block
	UnfurlLinks *bool `json:"unfurl_links"`
	UnfurlMedia *bool `json:"unfurl_media"`
}

type block struct {
	Type     string
	Text     *text
	Elements []text
	ImageURL string `json:"image_url"`
	AltText  string `json:"alt_text"`
	Title    *text
}

type text struct{ Type, Text string }

func slackOf(t testing.TB, p deliver.Post) message {
	t.Helper()
	body, err := deliver.BuildSlack(p)
	if err != nil {
		t.Fatalf("BuildSlack: %v", err)
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("reading the message back: %v\n%s", err, body)
	}
	return m
}

func TestSlack(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Text = "Numbers for {{ filters.Region }} <!channel> & *all*"
	p.Files[0].Link = "https://reports.example.com/f/pic?a=1&b=2"
	p.Files[1].Link = "https://reports.example.com/f/pdf"
	p.Files[1].Name = "Q3 <final>.pdf"
	no := false
	want := message{
		Text: "Morning numbers – Monday, 23 November 2026 at 09:00 CET\nNumbers for West, East &lt;!channel&gt; &amp; *all*\n" +
			"Overview: https://tableau.example.com/#/views/Superstore/Overview",
		Blocks: []block{
			{Type: "header", Text: &text{"plain_text", "Morning numbers"}},
			{Type: "context", Elements: []text{{"mrkdwn", "Monday, 23 November 2026 at 09:00 CET · Sales"}}},
			{Type: "section", Text: &text{"mrkdwn", "Numbers for West, East &lt;!channel&gt; &amp; *all*"}},
			{Type: "image", ImageURL: "https://reports.example.com/f/pic?a=1&b=2", AltText: "Overview (Superstore)", Title: &text{"plain_text", "Overview"}},
			{Type: "section", Text: &text{"mrkdwn", "*<https://tableau.example.com/#/views/Superstore/Overview|Overview>* · Superstore\n" +
				"Region: West, East (verified on Sales by Region) · exported at 09:00\n" +
				"• <https://reports.example.com/f/pic?a=1&amp;b=2|Overview.png> (" + "78 B" + ")\n" +
				"• <https://reports.example.com/f/pdf|Q3 &lt;final&gt;.pdf> (3.0 kB)"}},
		},
		UnfurlLinks: &no, UnfurlMedia: &no,
	}
	got := slackOf(t, p)
	want.Blocks[4].Text.Text = strings.Replace(want.Blocks[4].Text.Text, "78 B", fmt.Sprintf("%d B", p.Files[0].Size), 1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestSlackWithoutPublicAddress(t *testing.T) {
	t.Parallel()
	for _, link := range []string{
		"", "http://reports.example.com/f/tok", "https://127.0.0.1:8080/f/tok", "https://localhost/f/tok", "https://10.1.2.3/f/tok",
		"https://[::1]/f", "https://[fd00::1]/f", "https://[::ffff:10.0.0.1]/f", "https://vizpost.internal/f", "https://vizpost.local./f",
		"https://user:pass@reports.example.com/f", "https://reports.example.com/" + strings.Repeat("x", 3000), "javascript:alert(1)", "https://a b/",
	} {
		p := morning(t)
		p.Files[0].Link = link
		m := slackOf(t, p)
		for _, b := range m.Blocks {
			if b.Type == "image" {
				t.Errorf("with the link %.60q the message has a picture", link)
			}
			if b.Type == "section" && !strings.HasPrefix(b.Text.Text, "*<https://tableau.example.com/") {
				t.Errorf("with the link %.60q the view is not linked: %s", link, b.Text.Text)
			}
		}
		last := m.Blocks[len(m.Blocks)-1]
		if want := "Slack webhooks carry no files: open the view in Tableau to see it."; last.Type != "context" || last.Elements[0].Text != want {
			t.Errorf("with the link %.60q the last block is %+v, want %q", link, last, want)
		}
	}
}

func TestSlackSaysWhatItIs(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Test, p.PossibleRepeat, p.StandsFor = true, true, 10
	p.Files = nil
	m := slackOf(t, p)
	var said []string
	for _, b := range m.Blocks[2:] {
		said = append(said, b.Elements[0].Text)
	}
	want := []string{
		"This is a test. The other recipients of the report did not get it.",
		"This report stands for 10 occurrences that were missed.",
		"You may have received this message before: the first sending was never confirmed, so it was sent once more.",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if got, want := m.Blocks[0].Text.Text, "[Test] Morning numbers"; got != want {
		t.Errorf("the header is %q, want %q", got, want)
	}
	for _, note := range want {
		if !strings.Contains(m.Text, note) {
			t.Errorf("the fallback does not say %q:\n%s", note, m.Text)
		}
	}
}

func TestSlackOfNothing(t *testing.T) {
	t.Parallel()
	m := slackOf(t, deliver.Post{ReportName: " \n "})
	want := []block{{Type: "header", Text: &text{"plain_text", "Message from vizpost"}}}
	if diff := cmp.Diff(want, m.Blocks); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

func TestSlackRefuses(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"{{ foo }}", "{{ files[9].name }}"} {
		p := morning(t)
		p.Text = words
		if _, err := deliver.BuildSlack(p); !problem.Is(err, problem.Invalid) {
			t.Errorf("BuildSlack with %q gives %v, want a problem of kind Invalid", words, err)
		}
	}
}

func TestSlackCountsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Text = strings.Repeat("All is well.\n", 1000)
	file := p.Files[0]
	p.Files = nil
	for i := range 60 {
		file.View = fmt.Sprintf("View %d", i)
		p.Files = append(p.Files, file)
	}
	m := slackOf(t, p)
	shown, left := 0, ""
	for _, b := range m.Blocks {
		switch {
		case b.Type == "section" && strings.Contains(b.Text.Text, "|View "):
			shown++
		case b.Type == "context" && strings.HasPrefix(b.Elements[0].Text, "And "):
			left = b.Elements[0].Text
		}
	}
	if want := fmt.Sprintf("And %d more views that a Slack message has no room for.", 60-shown); shown < 5 || left != want {
		t.Errorf("%d views are shown and it says %q, want %q", shown, left, want)
	}
	if words := m.Blocks[2].Text.Text; !strings.HasSuffix(words, "\nAll is well.") {
		t.Errorf("the text is not split at a line: %q", words)
	}
}

func TestSlackOfManyFilesOfOneView(t *testing.T) {
	t.Parallel()
	p := morning(t)
	file := p.Files[1]
	file.Name = strings.Repeat("n", 100) + ".pdf"
	p.Files = nil
	for range 60 {
		p.Files = append(p.Files, file)
	}
	m := slackOf(t, p)
	list := m.Blocks[2].Text.Text
	if lines := strings.Split(list, "\n"); len(lines) < 20 || lines[len(lines)-1] != "…" || unitsIn(list) > 3000 {
		t.Errorf("the list of files has %d lines and %d characters, and ends in %q", len(lines), unitsIn(list), lines[len(lines)-1])
	}
}

var brokenEntity = regexp.MustCompile(`&(amp|lt|gt);|[&<>]`)

func unitsIn(s string) int { return len(utf16.Encode([]rune(s))) }

// checkMrkdwn fails on a text that is too long, empty, or holds a mention, an
// unknown entity or a link other than to the web.
func checkMrkdwn(t *rapid.T, s string, limit int) {
	t.Helper()
	if n := unitsIn(s); n > limit || n == 0 {
		t.Fatalf("a text has %d characters, want 1 to %d: %q", n, limit, s)
	}
	rest := regexp.MustCompile(`<https?://[^<>|\s]+\|[^<>|\n]+>`).ReplaceAllString(s, "")
	for _, sign := range brokenEntity.FindAllString(rest, -1) {
		if len(sign) == 1 {
			t.Fatalf("a text holds a bare %s: %q", sign, s)
		}
	}
}

// Whatever a post holds, its message keeps Slack's limits.
func TestSlackKeepsLimits(t *testing.T) {
	t.Parallel()
	post := morning(t)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.StringMatching(`[<>&|*a😀\n ]{0,40}`), rapid.Map(rapid.IntRange(0, 4000), func(n int) string { return strings.Repeat("&", n) }))
		p := post
		p.ReportName, p.ConnectionName = word.Draw(t, "report"), word.Draw(t, "connection")
		p.Text = deliver.Literal(strings.ToValidUTF8(strings.Repeat(word.Draw(t, "text"), rapid.IntRange(0, 10).Draw(t, "times")), ""))
		p.Test, p.PossibleRepeat, p.StandsFor = rapid.Bool().Draw(t, "test"), rapid.Bool().Draw(t, "repeat"), rapid.IntRange(0, 3).Draw(t, "stands for")
		p.Files = nil
		for i := range rapid.IntRange(0, 70).Draw(t, "files") {
			f := post.Files[0]
			f.Format = rapid.SampledFrom([]string{"png", "pdf"}).Draw(t, "format")
			f.Name, f.View, f.Workbook = fmt.Sprint("file ", i), word.Draw(t, "view"), word.Draw(t, "workbook")
			f.Filters = map[string][]string{word.Draw(t, "filter"): {word.Draw(t, "value")}}
			f.Link = rapid.SampledFrom([]string{"", "https://reports.example.com/f/" + strings.Repeat("x", 200), "http://127.0.0.1/f"}).Draw(t, "link")
			f.ViewURL = rapid.SampledFrom([]string{"", "https://tableau.example.com/v?a=<b>|c&d=e f", "https://tableau.example.com/" + strings.Repeat("y", 2900)}).Draw(t, "view URL")
			p.Files = append(p.Files, f)
		}
		if len(p.Text) > 64<<10 {
			p.Text = ""
		}
		body, err := deliver.BuildSlack(p)
		if err != nil {
			t.Fatalf("BuildSlack: %v", err)
		}
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("reading the message back: %v", err)
		}
		if len(m.Blocks) > 50 || unitsIn(string(body))-unitsIn(m.Text) > 13_200 {
			t.Fatalf("the message has %d blocks and %d characters", len(m.Blocks), unitsIn(string(body)))
		}
		checkMrkdwn(t, m.Text, 3000)
		for _, b := range m.Blocks {
			switch b.Type {
			case "header":
				if n := unitsIn(b.Text.Text); n > 150 || n == 0 {
					t.Fatalf("the header has %d characters", n)
				}
			case "section":
				checkMrkdwn(t, b.Text.Text, 3000)
			case "context":
				checkMrkdwn(t, b.Elements[0].Text, 3000)
			case "image":
				if unitsIn(b.AltText) > 2000 || b.AltText == "" || unitsIn(b.Title.Text) > 2000 || b.Title.Text == "" || len(b.ImageURL) > 3000 {
					t.Fatalf("the picture is %+v", b)
				}
			default:
				t.Fatalf("there is a block of type %q", b.Type)
			}
		}
	})
}
