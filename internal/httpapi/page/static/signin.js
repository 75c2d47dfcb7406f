// Who is signed in, and how: by the operator's token on one machine, which lives
// in the tab's session storage and which the start-up address brings
// (/#token=…); on AWS at the user pool's page.
import { dropDrafts, hasDrafts, typedBy } from "/drafts.js";
import { Button, Field, Notice, html, useEffect, useState } from "/ui.js";
import { failed } from "/signin-problems.js";
import { dropTokens, hasTokens, userName, userPool } from "/user-pool.js";

const kept = "vizpost.token";
const operatorToken = () => sessionStorage.getItem(kept) || "";

// settings reads how people sign in, once: {type, providers, pool}. It fails
// when vizpost does not answer.
let reading = null;
function settings() {
  reading ||= readSettings().catch((failure) => {
    reading = null;
    throw failure;
  });
  return reading;
}

async function readSettings() {
  const answer = await fetch("/config.json", { cache: "no-store" });
  if (!answer.ok) throw new Error(`/config.json: ${answer.status}`);
  const { sign_in: how } = await answer.json();
  if (how.type !== "cognito") return how;
  const now = Date.parse(answer.headers.get("Date") || "");
  return { ...how, pool: userPool(how, Number.isNaN(now) ? 0 : Math.round((now - Date.now()) / 1000)) };
}

// problem is what the last sign-in found in its way, for SignIn to show:
// {title, text, name}. With a name, somebody is signed in and may do nothing.
let problem = null;

// given is the token that an address brought, until it is known whether people
// sign in with tokens here.
let given = "";

// tokenInAddress tells whether the address brings a token.
export const tokenInAddress = () => /^#(.*&)?token=/.test(location.hash);

// takeToken takes the token out of the address bar and the history, where place
// is put in its stead.
export function takeToken(place = "") {
  given = new URLSearchParams(location.hash.slice(1)).get("token").trim();
  history.replaceState(null, "", location.pathname + place);
}

// begin takes up what the address brought, and tells whether somebody is signed
// in. It is awaited before anything is shown, and again when an address with a
// token is pasted into the tab. A token counts only where people sign in with
// tokens: elsewhere it would make one work under somebody else's name.
export async function begin() {
  if (tokenInAddress()) takeToken();
  problem = null;
  try {
    const { pool, type } = await settings();
    if (type === "token") {
      if (given) keepToken(given);
      given = "";
      return operatorToken() !== "";
    }
    given = "";
    sessionStorage.removeItem(kept);
    const answer = new URLSearchParams(location.search);
    if (pool && (answer.has("code") || answer.has("error"))) problem = await pool.finish(answer);
    if (problem === failed.notBegunHere && hasTokens()) problem = null; // and nothing changes
    if (problem || !hasTokens()) return false;
    problem = await whatIsInTheWay(pool);
    typedBy(userName());
  } catch {
    problem = failed.noAnswer;
  }
  return !problem;
}

// refusedToken tells why the API does not take the token that an address brought
// into an open tab, and drops it then; "" where it may do.
export async function refusedToken() {
  try {
    if ((await settings()).type !== "token") return "";
    const answer = await fetch("/v1/me", { cache: "no-store", headers: { Authorization: `Bearer ${given}` } });
    if (answer.status !== 401) return "";
    given = "";
    return (await answer.json()).detail;
  } catch {
    return ""; // begin says what is in the way
  }
}

function keepToken(token) {
  sessionStorage.setItem(kept, token);
  worked = false;
}

// worked tells whether the API has taken the sign-in, so that one that it takes
// no longer has ended, and was not wrong from the start.
let worked = false;
export const accepted = () => { worked = true; };

// whatIsInTheWay asks the API whether the one who has signed in may come in.
async function whatIsInTheWay(pool) {
  const ask = async () => fetch("/v1/me", { cache: "no-store", headers: { Authorization: `Bearer ${await pool.accessToken()}` } });
  let answer = await ask();
  if (answer.status === 401 && (await pool.renew())) answer = await ask();
  if (answer.status === 403) return { ...failed.noRole(userName()), name: userName() || "?" };
  if (answer.status !== 401) return null;
  const ended = !hasTokens(); // the user pool refused to renew them
  dropTokens();
  return ended ? { title: "", text: hasDrafts() ? failed.endedTyped : failed.ended } : failed.refused;
}

// accessToken is what calls of the API carry; empty when nobody is signed in.
export async function accessToken() {
  if (operatorToken() || !hasTokens()) return operatorToken();
  return (await settings()).pool.accessToken();
}

// renew is asked for when the API does not take the token. It tells whether
// there is another to try with.
export async function renew() {
  return !operatorToken() && hasTokens() && (await settings()).pool.renew();
}

// ended says why the API no longer takes the sign-in, from its problem.
export function ended(told) {
  if (hasDrafts()) return failed.endedTyped;
  return operatorToken() && !worked ? told.detail : failed.ended;
}

// forget drops the sign-in of this tab.
export async function forget() {
  sessionStorage.removeItem(kept);
  dropTokens();
}

// leave signs out. On AWS that leaves the page, for the user pool's.
export async function leave() {
  const here = hasTokens() && !operatorToken();
  dropDrafts();
  if (here) await (await settings()).pool.leave();
  await forget();
}

// SignIn is the page for those who are not signed in. why says what ended an
// earlier sign-in, if anything did; done is called when there is one.
export function SignIn({ why, done }) {
  const [how, setHow] = useState(null);
  const [wrong, setWrong] = useState(why ? { title: "", text: why } : problem);
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    settings().then(setHow, () => setWrong(failed.noAnswer));
  }, [asked]);
  useEffect(() => { document.title = "Sign in · vizpost"; }, []);

  const retry = async () => {
    if (await begin()) done();
    else {
      setWrong(problem);
      setAsked(asked + 1);
    }
  };
  return html`<main id="main" class="signin">
    <div class="card stack">
      <img src="/icon.svg" alt="" width="40" height="40" />
      <h1 tabindex="-1">${wrong?.name ? "Almost there" : "Sign in to vizpost"}</h1>
      ${wrong && html`<${Notice} tone=${wrong.name ? "held" : "bad"} alert title=${wrong.title}><p>${wrong.text}</p><//>`}
      ${wrong?.name ? html`<${WithoutRole} name=${wrong.name} retry=${retry} />`
        : how?.type === "cognito" ? html`<${AtThePool} how=${how} fail=${setWrong} />`
        : how ? html`<${ByToken} done=${done} />`
        : wrong ? html`<${Button} kind="primary" onClick=${retry}>Try again<//>` : html`<p class="quiet" aria-busy="true">Loading…</p>`}
    </div>
  </main>`;
}

function ByToken({ done }) {
  const [token, setToken] = useState("");
  const [missing, setMissing] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (!token.trim()) {
      setMissing("Paste the token first.");
      document.getElementById("token")?.focus();
      return;
    }
    keepToken(token.trim());
    done();
  };
  return html`<form class="stack" onSubmit=${submit} novalidate>
    <p class="quiet">When vizpost starts, it prints its address with the token, or where the token is kept. Open that address, or paste the token here.</p>
    <${Field} id="token" label="Token" type="password" autocomplete="off" required value=${token} error=${missing} onInput=${setToken} />
    <${Button} submit kind="primary">Sign in<//>
    <p class="small quiet">The token is kept until you close this tab.</p>
  </form>`;
}

// AtThePool leads to the user pool's page.
function AtThePool({ how, fail }) {
  const [leaving, setLeaving] = useState("");
  const slack = how.providers?.includes("slack");
  const go = (provider) => () => {
    setLeaving(provider);
    how.pool.start(provider).catch(() => {
      setLeaving("");
      fail(failed.noAnswer);
    });
  };
  // The browser's way back shows the page as it was left.
  useEffect(() => {
    const shown = (event) => event.persisted && setLeaving("");
    addEventListener("pageshow", shown);
    return () => removeEventListener("pageshow", shown);
  }, []);
  return html`
    <p class="quiet">${slack ? "Use the account that an administrator made for you, or your Slack account." : "Use the account that an administrator made for you."}</p>
    <div class="signin-ways">
      <${Button} kind="primary" busy=${leaving === "cognito"} onClick=${go("cognito")}>${slack ? "Sign in with email and password" : "Sign in"}<//>
      ${slack && html`<${Button} icon="slack" busy=${leaving === "slack"} onClick=${go("slack")}>Sign in with Slack<//>`}
    </div>
    <p class="small quiet">This opens the sign-in page, and comes back to where you were.</p>`;
}

// WithoutRole is for those who are signed in and may do nothing.
function WithoutRole({ retry }) {
  const [asking, setAsking] = useState(false);
  const check = async () => {
    setAsking(true);
    await renew(); // the groups are in the token
    await retry();
    setAsking(false);
  };
  return html`<div class="signin-ways">
    <${Button} kind="primary" busy=${asking} onClick=${check}>Check again<//>
    <${Button} onClick=${leave}>Sign in as somebody else<//>
  </div>`;
}
