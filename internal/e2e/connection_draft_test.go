package e2e_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// TestConnectionDraft: what is typed of a connection, put on what others made of
// it meanwhile, and taken out of an address.
func TestConnectionDraft(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	ctx := browser(t, 800, 600)
	do(ctx, t, "draft", chromedp.Navigate(s.address), settles(`document.querySelector("input")`))

	type draft struct{ Name, Server, Site, Method, TokenName, Secret, Username, Password, Notify string }
	const is = `const is = (d) => ({ Name: d.name, Server: d.server_url, Site: d.site, Method: d.method, TokenName: d.token_name, Secret: d.token_secret, Username: d.username, Password: d.password, Notify: d.notify });`
	const token, password = "personal_access_token", "username_password"
	const now = `{ name: "Sales EU", server_url: "https://t.example.com", site: "eu", auth: { method: "personal_access_token", token_name: "theirs" }, token_life: { source: "tableau", expires_at: null }, notify: ["zoe@example.com"] }`
	for what, c := range map[string]struct {
		typed string // over name Sales, no site, a token called "old", nobody to tell
		want  draft
	}{
		"nothing": {``, draft{Name: "Sales EU", Server: "https://t.example.com", Site: "eu", Method: token, TokenName: "theirs", Notify: "zoe@example.com"}},
		"what others changed too": {`name: "Mine", notify: "me@example.com"`,
			draft{Name: "Mine", Server: "https://t.example.com", Site: "eu", Method: token, TokenName: "theirs", Notify: "me@example.com"}},
		"a secret, which keeps the name that it belongs to": {`token_secret: "s3"`,
			draft{Name: "Sales EU", Server: "https://t.example.com", Site: "eu", Method: token, TokenName: "old", Secret: "s3", Notify: "zoe@example.com"}},
		"a password, with its user name": {`method: "username_password", username: "ana", password: "p4"`,
			draft{Name: "Sales EU", Server: "https://t.example.com", Site: "eu", Method: password, TokenName: "theirs", Username: "ana", Password: "p4", Notify: "zoe@example.com"}},
	} {
		got := ask(ctx, t, chromedp.Evaluate[draft](`import("/connection-draft.js").then(({ blank, rebased }) => {
			`+is+`
			const start = { ...blank, name: "Sales", server_url: "https://t.example.com", token_name: "old" };
			return is(rebased({ ...start, `+c.typed+` }, start, `+now+`).draft);
		})`, chromedp.EvalAwaitPromise))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("with %s typed (-want +got):\n%s", what, diff)
		}
	}

	for address, want := range map[string]draft{
		"https://t.example.com/#/site/eu/home":          {Server: "https://t.example.com", Site: "eu"},
		" https://t.example.com/t/eu/views/Sales/Total": {Server: "https://t.example.com", Site: "eu"},
		"https://t.example.com/#/site/caf%C3%A9/home":   {Server: "https://t.example.com", Site: "café"},
		"https://t.example.com/#/site/100%/home":        {Server: "https://t.example.com", Site: "100%"},
		"https://t.example.com":                         {},
	} {
		got := ask(ctx, t, chromedp.Evaluate[draft](`import("/connection-draft.js").then(({ blank, fromAddress }) => {
			`+is+`
			return is({ ...blank, method: "", ...fromAddress(`+quote(t, address)+`) });
		})`, chromedp.EvalAwaitPromise))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("out of %s (-want +got):\n%s", address, diff)
		}
	}
}
