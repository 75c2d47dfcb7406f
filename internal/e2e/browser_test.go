package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshots is where the pictures of each step are kept, for people.
const screenshots = "../../build/screenshots"

// browser opens a tab in a headless Chromium of its own, which ends with the
// test.
func browser(t *testing.T, width, height int, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("there is no Chromium: run these tests by make e2e, which installs it (%v)", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WindowSize(width, height), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), append(options, more...)...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(closeTab)
	// The browser lives as long as the context that it was started with.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// do runs actions in the browser and keeps a picture under a name.
func do(ctx context.Context, t *testing.T, name string, actions ...action) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 40*time.Second)
	failure := chromedp.Do(limited, actions...)
	cancel()
	shot := chromedp.FullScreenshot(100)
	if ask(ctx, t, chromedp.Evaluate[bool](`document.querySelector("dialog[open]") !== null`)) {
		shot = chromedp.CaptureScreenshot() // a dialog covers what is seen, not all of the page
	}
	picture := ask(ctx, t, shot)
	if err := os.MkdirAll(screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(screenshots, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
	if failure != nil {
		t.Fatalf("%s: %v\nThe page shows:\n%s", name, failure, ask(ctx, t, chromedp.Evaluate[string](`document.body.innerText`)))
	}
}

// ask runs one action in the browser and gives its answer.
func ask[T any](ctx context.Context, t *testing.T, action chromedp.Action[T]) T {
	t.Helper()
	answer, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// look has the page seen in light or dark, and on a desktop or a phone.
func look(dark, phone bool) action {
	scheme, width, height := "light", int64(1280), int64(860)
	if dark {
		scheme = "dark"
	}
	if phone {
		width, height = 390, 844
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		if err != nil {
			return err
		}
		_, err = chromedp.EmulateViewport(width, height)(ctx, target)
		return err
	})
}

// inTheAfternoon has the browser in a zone where it is between two and three
// o'clock: neither midnight nor nine in the morning, when a new report would run
// if nobody chose another time, comes in a test.
func inTheAfternoon() action {
	ahead := 14 - time.Now().UTC().Hour()
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		// These names have their signs the other way round.
		_, err := cdp.Call(ctx, target, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: fmt.Sprintf("Etc/GMT%+d", -ahead)})
		return err
	})
}

// quoted is a text in an XPath expression.
func quoted(text string) string {
	if strings.Contains(text, `"`) {
		return `'` + text + `'`
	}
	return `"` + text + `"`
}

// Where things are: buttons and links by their accessible names, fields by
// their labels, in the dialog when there is one.
const within = `(//dialog[@open] | //body[not(//dialog[@open])])`

func named(name string) string {
	q := quoted(name)
	return within + `//*[self::button or self::a or self::summary][normalize-space(.)=` + q + ` or @aria-label=` + q + `]`
}

func field(label string) string {
	return within + `//label[starts-with(normalize-space(.), ` + quoted(label) + `)]/following-sibling::*[self::input or self::select or self::textarea]`
}

func says(text string) action {
	has := `contains(normalize-space(.), ` + quoted(text) + `)`
	return chromedp.WaitVisible(`//body//*[not(self::script)][` + has + `][not(*[` + has + `])]`)
}

// sendToAll confirms that a report is sent to everybody.
func sendToAll() action {
	return chromedp.Click(`//dialog//button[starts-with(normalize-space(.), "Send to ")]`)
}

func press(name string) action { return chromedp.Click(named(name)) }

// fill replaces what is in a field, as somebody types.
func fill(label, text string) action {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		return chromedp.Do(ctx, chromedp.Focus(field(label)), settles(`(document.activeElement.select(), true)`), chromedp.KeyEvent(text))
	})
}

// focused is the accessible name of what has the focus, near enough.
func focused(ctx context.Context, t *testing.T) string {
	t.Helper()
	return ask(ctx, t, chromedp.Evaluate[string](`(() => {
		const e = document.activeElement;
		return e.labels?.[0]?.firstChild.textContent || e.ariaLabel || e.textContent.trim() || e.tagName;
	})()`))
}

// settles waits until an expression in the page is true.
func settles(expression string) action {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for {
			ok, err := chromedp.Evaluate[bool](`Boolean(`+expression+`)`)(ctx, target)
			if err != nil || ok {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting until %s: %w", expression, ctx.Err())
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// control calls one of the stand-in's endpoints that steer it.
func (s *site) control(path string, body object) object {
	s.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.tableau["url"]+path, bytes.NewReader(b))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		s.t.Fatalf("%s: status %d", path, resp.StatusCode)
	}
	var answer object
	_ = json.NewDecoder(resp.Body).Decode(&answer) // some answer nothing
	return answer
}

// faultsMet waits until the stand-in has answered with all faults that it was
// told, or hangs in them.
func (s *site) faultsMet() action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.tableau["url"]+"/-/faults", nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return fmt.Errorf("reading the faults that are to come: %w", err)
			}
			var left struct{ Faults []any }
			err = json.NewDecoder(resp.Body).Decode(&left)
			_ = resp.Body.Close()
			if err != nil || len(left.Faults) == 0 {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting until the faults are met: %w", ctx.Err())
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// newToken makes a token in the stand-in: its name and secret.
func (s *site) newToken(user, name string) (string, string) {
	s.t.Helper()
	made := s.control("/-/new-token", object{"user": user, "name": name})
	return made.text("token_name"), made.text("token_secret")
}

// connectByPassword makes a connection that signs in with user and password.
func (s *site) connectByPassword() string {
	s.t.Helper()
	return s.call(http.StatusCreated, "POST", "/v1/connections", object{
		"name": "Sales", "server_url": s.tableau["url"], "site": s.tableau["site"], "notify": []string{"ops@example.com"},
		"auth": object{"method": "username_password", "username": s.tableau["user"], "password": s.tableau["password"]},
	}).text("id")
}
