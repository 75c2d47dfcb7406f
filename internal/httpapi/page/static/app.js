// The shell: who is signed in, where one is (the address after #), and what is
// shown there.
import { render } from "/vendor/preact.mjs";
import { signedOut } from "/drafts.js";
import { ResumedConnection } from "/connection-resumed.js";
import { SignIn, begin, forget, leave as signOut, refusedToken, takeToken, tokenInAddress } from "/signin.js";
import { Live, Page, html, toast, useEffect, useRef, useState } from "/ui.js";
import { Keeps, Paused } from "/paused.js";
import { Start } from "/start.js";
import { Troubles } from "/trouble.js";
import { Settings } from "/settings.js";
import { ConnectionPage } from "/connection-page.js";
import { ReportPage, Reports } from "/reports.js";
import { RunPage } from "/runs.js";
import { MailPage, Outbox } from "/outbox.js";

// Each address has a view, which gets the parts of the address that are named
// here, and the entry of the menu that it belongs to.
const routes = [
  ["/", Start, "/"],
  ["/settings", Settings, "/settings"],
  ["/settings/connections/:id", ConnectionPage, "/settings"],
  ["/reports", Reports, "/reports"],
  ["/reports/:id", ReportPage, "/reports"], // "new" is the id of one that is not made yet
  ["/runs/:id", RunPage, "/reports"],
  ["/outbox", Outbox, "/"],
  ["/outbox/:name", MailPage, "/"],
];

const menu = [["/", "Start"], ["/reports", "Reports"], ["/settings", "Settings"]];

// place reads the address: its path, the view and its parts, and what follows
// a question mark.
function place() {
  const [path, query = ""] = (location.hash.slice(1) || "/").split("?");
  const parts = path.split("/");
  for (const [pattern, view, entry] of routes) {
    const wanted = pattern.split("/");
    if (wanted.length !== parts.length || !wanted.every((w, i) => (w.startsWith(":") ? parts[i] : w === parts[i]))) continue;
    const named = Object.fromEntries(wanted.flatMap((w, i) => (w.startsWith(":") ? [[w.slice(1), decode(parts[i])]] : [])));
    return { path, view, entry, named, query: Object.fromEntries(new URLSearchParams(query)) };
  }
  return { path, view: Nowhere, entry: "", named: {}, query: {} };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function App({ signedInAtFirst }) {
  const [signedIn, setSignedIn] = useState(signedInAtFirst);
  const [why, setWhy] = useState("");
  const [at, setAt] = useState(place);
  const inside = useRef(signedInAtFirst);
  inside.current = signedIn;

  useEffect(() => {
    let here = location.hash;
    const moved = async () => {
      // A token leaves the address before anything else looks at it. Where one
      // is stays as it is, with what was typed there.
      if (tokenInAddress()) {
        takeToken(here);
        const refused = await refusedToken();
        if (refused && inside.current) toast("The token of that address is not valid. You are still signed in as before.", "bad");
        else if (refused) setWhy(refused);
        else if (await begin()) {
          setWhy("");
          setSignedIn(true);
          toast("You are signed in with the token of that address.");
        }
        return;
      }
      // What is not saved yet may keep one where one is.
      if (!dispatchEvent(new CustomEvent("vizpost:leaving", { cancelable: true }))) return;
      here = location.hash;
      document.documentElement.dataset.moved = "true"; // from now on a heading takes the focus
      setAt(place());
    };
    const ended = async (event) => {
      await forget();
      setWhy(event.detail || "");
      setSignedIn(false);
    };
    addEventListener("hashchange", moved);
    addEventListener(signedOut, ended);
    return () => {
      removeEventListener("hashchange", moved);
      removeEventListener(signedOut, ended);
    };
  }, []);

  if (!signedIn) {
    return html`<${SignIn} key=${why} why=${why} done=${() => { setWhy(""); setSignedIn(true); }} /><${Live} />`;
  }
  const leave = async () => {
    await signOut();
    setWhy("");
    setSignedIn(false);
  };
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${Top} entry=${at.entry} leave=${leave} />
    <${Troubles} />
    <${Paused} />
    <${Keeps} />
    <${at.view} key=${at.path} ...${at.named} query=${at.query} />
    <${ResumedConnection} />
    <${Live} />`;
}

// The address's part after # names a view, so this link moves the focus alone.
function skip(event) {
  event.preventDefault();
  document.querySelector("h1")?.focus();
}

function Top({ entry, leave }) {
  return html`<header class="top"><div class="top-inside">
    <a class="brand" href="#/"><img src="/icon.svg" alt="" width="24" height="24" />vizpost</a>
    <nav aria-label="Main"><ul>
      ${menu.map(([path, name]) => html`<li key=${path}><a href=${`#${path}`} aria-current=${path === entry ? "page" : undefined}>${name}</a></li>`)}
      <li><a href="/docs">API</a></li>
    </ul></nav>
    <button type="button" class="button quiet small" onClick=${leave}>Sign out</button>
  </div></header>`;
}

function Nowhere() {
  return html`<${Page} title="There is no such page"><p>The address may be mistyped, or what it showed was deleted. <a href="#/">Go to the start</a>.</p><//>`;
}

begin().then((signedIn) => {
  const app = document.getElementById("app");
  app.textContent = "";
  render(html`<${App} signedInAtFirst=${signedIn} />`, app);
});
