// Who is signed in, and how. The operator's token lives in the tab's session
// storage; the start-up address brings it (/#token=…).
import { Button, Field, Notice, html, useState } from "/ui.js";

const kept = "vizpost.token";

// begin takes what the address brings, out of the address bar and the history
// too, and tells whether somebody is signed in. It is awaited before anything
// is shown, and again when an address with a token is pasted into the tab.
export async function begin() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(kept, given.trim());
    history.replaceState(null, "", location.pathname);
  }
  return Boolean(sessionStorage.getItem(kept));
}

// accessToken is what calls of the API carry; empty when nobody is signed in.
export async function accessToken() {
  return sessionStorage.getItem(kept) || "";
}

// forget drops the sign-in. What it resolves to is not used; it may leave the
// page.
export async function forget() {
  sessionStorage.removeItem(kept);
}

// SignIn is the page for those who are not signed in. why says what ended an
// earlier sign-in, if anything did; done is called when there is one.
export function SignIn({ why, done }) {
  const [token, setToken] = useState("");
  const [missing, setMissing] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (!token.trim()) {
      setMissing("Paste the token first.");
      document.getElementById("token")?.focus();
      return;
    }
    sessionStorage.setItem(kept, token.trim());
    done();
  };
  return html`<main id="main" class="signin">
    <form class="card stack" onSubmit=${submit} novalidate>
      <img src="/icon.svg" alt="" width="40" height="40" />
      <h1 tabindex="-1">Sign in to vizpost</h1>
      ${why && html`<${Notice} tone="bad" alert>${why}<//>`}
      <p class="quiet">vizpost prints its address with the token when it starts. Open that address, or paste the token here.</p>
      <${Field} id="token" label="Token" type="password" autocomplete="off" required value=${token} error=${missing} onInput=${setToken} />
      <${Button} submit kind="primary">Sign in<//>
      <p class="small quiet">The token is kept until you close this tab.</p>
    </form>
  </main>`;
}
