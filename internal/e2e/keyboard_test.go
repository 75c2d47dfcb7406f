package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// keyboard is somebody who has no mouse.
type keyboard struct {
	t   *testing.T
	ctx context.Context
}

func (k keyboard) press(keys string, options ...chromedp.KeyOption) {
	k.t.Helper()
	if err := chromedp.Do(k.ctx, chromedp.KeyEvent(keys, options...)); err != nil {
		k.t.Fatal(err)
	}
}

func (k keyboard) back() { k.press(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)) }

// to goes on by Tab until something with a name has the focus, and says where
// it passed when it never comes there.
func (k keyboard) to(name string) {
	k.t.Helper()
	var passed []string
	for range 60 {
		k.press(kb.Tab)
		at := focused(k.ctx, k.t)
		if at == name {
			return
		}
		passed = append(passed, at)
	}
	k.t.Fatalf("Tab never comes to %q; it passes %s", name, strings.Join(passed, " → "))
}

// at fails when something else has the focus.
func (k keyboard) at(name string) {
	k.t.Helper()
	if got := focused(k.ctx, k.t); got != name {
		k.t.Errorf("the focus is on %q, want %q", got, name)
	}
}

func (k keyboard) sees(name string, actions ...action) {
	k.t.Helper()
	do(k.ctx, k.t, name, actions...)
}

// TestKeyboardOnly connects a site and then gives the connection another token,
// with Tab, the arrows, Enter and Escape alone.
func TestKeyboardOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, "0s")
	ctx := browser(t, 1280, 860)
	k := keyboard{t, ctx}
	k.sees("k1-start", chromedp.Navigate(s.serve.facts["vizpost"]), says("Three steps to the first delivered report."))

	k.to("Skip to the content")
	k.press(kb.Enter)
	k.at("Start")
	k.to("Connect")
	k.press(kb.Enter)
	k.sees("k2-dialog", settles(`document.querySelector("dialog[open]")`))
	k.at("Name")

	// The focus stays inside: round and round, in both directions.
	inside := map[string]bool{}
	for i := range 60 {
		if i < 40 {
			k.press(kb.Tab)
		} else {
			k.back()
		}
		if out := ask(ctx, t, chromedp.Evaluate[bool](`!document.querySelector("dialog").contains(document.activeElement)`)); out {
			t.Fatalf("Tab leaves the dialog, to %q", focused(ctx, t))
		}
		inside[focused(ctx, t)] = true
	}
	for _, name := range []string{"Close", "Name", "Server", "Site", "Personal Access Token", "Token name", "Token secret", "Send alerts to", "Cancel", "Connect"} {
		if !inside[name] {
			t.Errorf("Tab never comes to %q in the dialog", name)
		}
	}
	if inside["Username & Password"] {
		t.Error("Tab stops at each tab; the arrows are for that")
	}

	// Escape with nothing typed closes, and gives the focus back.
	k.press(kb.Escape)
	k.sees("k3-closed", settles(`!document.querySelector("dialog")`), settles(`document.activeElement.tagName === "BUTTON"`))
	k.at("Connect")

	k.press(kb.Enter)
	k.sees("k4-dialog", settles(`document.activeElement.id === "c-name"`))
	k.press("Sales")
	// Now there is something to lose: Escape asks, and Escape again goes on.
	k.press(kb.Escape)
	k.sees("k5-asks", says("Close and lose what you typed?"))
	k.at("Keep editing")
	k.press(kb.Escape)
	k.sees("k6-goes-on", settles(`document.querySelector("#c-name")?.value === "Sales"`), settles(`!document.querySelector(".asking")`))
	k.at("Name")
	k.to("Server")
	// An address from the browser gives server and site.
	k.press(s.tableau["url"] + "/#/site/" + s.tableau["site"] + "/home")
	k.to("Personal Access Token")
	k.press(kb.ArrowLeft)
	k.at("Username & Password")
	k.to("Username")
	k.press(s.tableau["user"])
	k.to("Password")
	k.press("not it")
	k.press(kb.Enter)
	k.sees("k7-refused", settles(`document.activeElement.id === "c-password" && document.activeElement.ariaInvalid === "true"`))
	k.press(kb.End)
	for range len("not it") {
		k.press(kb.Backspace)
	}
	k.press(s.tableau["password"])
	k.press(kb.Enter)
	k.sees("k8-connected", says("Connected as ana@example.com"))
	k.to("Done")
	k.press(kb.Enter)
	k.sees("k9-start", settles(`!document.querySelector("dialog")`), says("Connected as ana@example.com."))

	// Where it was opened from is gone by now: the focus is not lost.
	k.sees("k9-focus", settles(`document.activeElement !== document.body`))

	name, secret := s.newToken(s.tableau["user"], "vizpost")
	k.to("Settings")
	k.press(kb.Enter)
	k.sees("k10-settings", says("with a password"))
	k.at("Settings") // the heading
	k.to("Edit Sales")
	k.press(kb.Enter)
	k.sees("k11-edit", settles(`document.querySelector("dialog[open]")`))
	k.to("Username & Password")
	k.press(kb.ArrowRight)
	k.to("Token name")
	k.press(name)
	k.to("Token secret")
	k.press(secret)
	k.to("Connect")
	k.press(kb.Enter)
	k.sees("k12-connected", says("Connected as ana@example.com"))
	k.press(kb.Escape)
	k.sees("k13-settings", says("with the token vizpost"), settles(`document.activeElement.ariaLabel === "Edit Sales"`))
	list := s.list("/v1/connections", "connections")
	if len(list) != 1 {
		t.Fatalf("%d connections, want 1", len(list))
	}
	if auth, _ := s.call(http.StatusOK, "GET", "/v1/connections/"+object(list[0]).text("id"), nil)["auth"].(map[string]any); auth["token_name"] != name {
		t.Errorf("the connection signs in with %v, want the token %q", auth, name)
	}
}
