package e2e_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// kept is all that the page has where secrets could stay: its elements, what is
// typed in them, what it stores, its address and its history.
const kept = `Promise.all([indexedDB.databases(), caches.keys()]).then((stores) => JSON.stringify([
	document.documentElement.outerHTML, [...document.querySelectorAll("input, textarea, select")].map((i) => i.value),
	{...sessionStorage}, {...localStorage}, document.cookie, location.href, history.state, window.name, stores]))`

// traffic is what a tab sends and writes to its console.
type traffic struct {
	mu     sync.Mutex
	bodies []string // of requests that may hold what was typed
	rest   []string // all else: addresses, headers, other bodies, the console
}

// overhear follows a tab from now on.
func overhear(ctx context.Context, t *testing.T) *traffic {
	t.Helper()
	heard := &traffic{}
	err := chromedp.Listen(ctx, func(event any) {
		heard.mu.Lock()
		defer heard.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			r := e.Request
			var body strings.Builder
			for _, part := range r.PostDataEntries {
				body.Write(part.Bytes)
			}
			headers, _ := json.Marshal(r.Headers)
			heard.rest = append(heard.rest, r.Method+" "+r.URL+r.URLFragment+"\n"+string(headers))
			if connects := r.Method == "PATCH" || r.Method == "POST"; connects && strings.Contains(r.URL, "/v1/connections") {
				heard.bodies = append(heard.bodies, body.String())
			} else {
				heard.rest = append(heard.rest, body.String())
			}
		case *runtime.EventConsoleAPICalled:
			written, _ := json.Marshal(e.Args)
			heard.rest = append(heard.rest, "console: "+string(written))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	listen := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		return err
	})
	if err := chromedp.Do(ctx, listen); err != nil {
		t.Fatal(err)
	}
	return heard
}

// TestPageForgetsSecrets: a secret that is typed goes to the API in the body of
// the request that connects, and nowhere else. The page keeps nothing of it once
// it is connected or the dialog is closed.
func TestPageForgetsSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	s.connectByPassword()
	name, secret := s.newToken(s.tableau["user"], "vizpost only")
	c := canaries{}
	c.add("the token's secret", secret)
	wrong := c.add("the wrong secret", "d3JvbmcgYnkgaW50ZW50IQ==:4bKp9ZtX2mWq7RcY5nLs8VhD1fGj3TeA")
	abandoned := c.add("the abandoned secret", "Z2l2ZW4gdXAgaW4gdGltZQ==:7uYt5ReW3qAs9DfG1hJk2LzX4cVb6NmP")
	password := c.add("the wrong password", "canary-password-0123456789")
	ctx := browser(t, 1280, 860)
	heard := overhear(ctx, t)
	look := func(when string) {
		t.Helper()
		if found := c.leaks([]byte(evaluate(ctx, t, kept))); len(found) > 0 {
			t.Errorf("%s, the page keeps %q", when, found)
		}
	}
	empty := func(when, id string) {
		t.Helper()
		if left := ask(ctx, t, chromedp.Value(chromedp.CSS(id))); left != "" {
			t.Errorf("%s, %s is filled", when, id)
		}
	}

	do(ctx, t, "f1-refused", chromedp.Navigate(s.serve.facts["vizpost"]), press("Settings"), press("Edit Sales"), press("Personal Access Token"),
		fill("Token name", name), fill("Token secret", wrong), press("Connect"), says("Tableau refuses the personal access token"))
	// To be corrected, it may stay in its field, and only there.
	if ask(ctx, t, chromedp.Value(chromedp.CSS("#c-token-secret"))) == wrong {
		do(ctx, t, "f2-cleared", fill("Token secret", "x"))
	}
	look("after a refusal")

	do(ctx, t, "f3-password", press("Username & Password"), fill("Username", s.tableau["user"]), fill("Password", password), press("Connect"),
		says("Tableau refuses the password"))
	do(ctx, t, "f4-closed", chromedp.KeyEvent("\x1b"), press("Discard"), settles(`document.querySelector("dialog[open]") === null`))
	look("after a refused password was given up")

	do(ctx, t, "f5-abandoned", press("Edit Sales"), press("Personal Access Token"), fill("Token secret", abandoned), chromedp.KeyEvent("\x1b"),
		press("Discard"), settles(`document.querySelector("dialog[open]") === null`))
	look("after the dialog was closed")

	do(ctx, t, "f6-opened-again", press("Edit Sales"), press("Personal Access Token"))
	empty("when the dialog is opened again", "#c-token-secret")
	do(ctx, t, "f7-connected", fill("Token name", name), fill("Token secret", secret), press("Connect"), says("Connected as ana@example.com"))
	look("after connecting")
	do(ctx, t, "f8-done", press("Done"), says("with the token vizpost only"))
	look("after the dialog is done")
	do(ctx, t, "f9-edit-again", press("Edit Sales"))
	empty("when the connection is edited again", "#c-token-secret")
	look("when the connection is edited again")

	heard.mu.Lock()
	defer heard.mu.Unlock()
	sent := strings.Join(heard.bodies, "\n")
	for what, value := range map[string]string{"the token's secret": secret, "the wrong secret": wrong, "the wrong password": password} {
		if n := strings.Count(sent, value); n != 1 {
			t.Errorf("%s was sent %d times, want once", what, n)
		}
	}
	if strings.Contains(sent, abandoned) {
		t.Error("a secret was sent before Connect was pressed")
	}
	for _, text := range heard.rest {
		if found := c.leaks([]byte(text)); len(found) > 0 {
			first, _, _ := strings.Cut(text, "\n")
			t.Errorf("%q carries %q", first, found)
		}
	}
}
