// Connect: a new connection, or another credential for one that there is. What
// was typed stays until it worked or the person leaves; secrets only ever leave
// the page in the request.
import { get, patch, post } from "/api.js";
import { blank, compared, filled, fromAddress, missing, rebased, toRequest } from "/connection-draft.js";
import { useDraft } from "/drafts.js";
import { TokenSteps, isDead, needsNewToken, newToken, usesToken, wantsToken } from "/connection-parts.js";
import { Connected, Trouble, happened, placed } from "/connection-outcome.js";
import { Button, Dialog, Disclosure, Field, Notice, Tabs, announce, date, focusWrong, html, toast, useEffect, useRef, useState } from "/ui.js";
import { host } from "/words.js";

const methods = [
  { key: "username_password", label: "Username & Password" },
  { key: "personal_access_token", label: "Personal Access Token" },
];

const credential = ["server_url", "site", "token_name", "token_secret", "username", "password"];

// ConnectionDialog edits connection, or makes a new one without it. close is
// called with the connection as it is now, if it was changed. typed is what was
// typed before a sign-in ended.
export function ConnectionDialog({ connection: given, typed, close }) {
  // As it was when the dialog opened, whatever is read meanwhile; and the draft
  // that it gave.
  const [{ connection, start }, setBase] = useState(() => ({ connection: given, start: given && filled(given) }));
  const [form, setForm] = useState(() => resumed(typed, given) || (start && { ...start, ...(wantsToken(given) && { method: "personal_access_token" }) }) || blank);
  const [dated, setDated] = useState(typed ? typed.dated : !given); // the day of a token's end was typed here
  const [phase, setPhase] = useState("form"); // connecting, connected
  const [problem, setProblem] = useState(null);
  const [outcome, setOutcome] = useState(null); // {connection, reports}
  const abort = useRef(null);
  const body = useRef(null);
  const set = (name) => (value) => {
    if (name === "expires_on") setDated(true);
    // Who was found belongs to the credential that was tried, and to no other.
    if (asksIdentity && credential.includes(name)) setProblem(null);
    setForm((before) => ({ ...before, [name]: value }));
  };
  useEffect(() => () => abort.current?.abort(), []);
  // The form that had the focus is inert while it waits.
  useEffect(() => {
    if (phase === "connecting") body.current.closest("dialog").querySelector(".dialog-foot .busy").focus();
  }, [phase]);

  // A credential that Tableau refuses is not kept: another one is to be tried.
  const is = compared(form, start, connection && isDead(connection));
  const { token, signsIn } = is;
  const { token_secret, password, ...rest } = form;
  const lost = Boolean(token_secret || password || (typed?.lost && !(token ? token_secret : password)));
  useDraft("connection", phase !== "connected" && is.dirty ? { id: connection?.id, start, form: rest, dated, lost } : null);
  const wrong = problem ? placed(problem, token) : {};
  const atCredential = ["credentials_rejected", "token_in_use", "identity_change"].includes(problem?.code);
  const asksIdentity = problem?.code === "identity_change";

  // submit tries the credential; with rest, only what stands beside it is saved.
  const submit = async (event, accept = false, rest = false) => {
    event?.preventDefault();
    if (phase !== "form") return;
    const fields = missing(form, rest ? { ...is, signsIn: false } : is);
    if (fields.length > 0) {
      setProblem({ code: "invalid", message: "", fields, causes: [] });
      focusWrong(body.current);
      return;
    }
    setPhase("connecting");
    setProblem(null);
    abort.current = new AbortController();
    const { signal } = abort.current;
    const sent = { ...toRequest(form, start, dated, rest ? false : signsIn), ...(accept && { accept_identity_change: true }) };
    try {
      const saved = connection ? await patch(`/v1/connections/${connection.id}`, sent, connection.version, { signal })
        : await post("/v1/connections", sent, { signal });
      if (!signsIn || rest) {
        toast(`${saved.name} is saved.`);
        close(saved);
        return;
      }
      // From here on it is kept; what follows only looks.
      setForm((before) => ({ ...before, token_secret: "", password: "" }));
      setOutcome({ connection: saved, was: connection, reports: connection ? undefined : [] });
      setPhase("connected");
      if (connection) {
        const reports = await post(`/v1/connections/${saved.id}/test`, {}, { signal }).then((tested) => tested.reports, (failed) => failed);
        setOutcome((before) => ({ ...before, reports }));
      }
    } catch (failed) {
      if (signal.aborted) return;
      if (failed.code === "stale_version") await takeUp(failed);
      setPhase("form");
      setProblem(failed);
      announce(happened(failed));
      focusWrong(body.current);
    }
  };
  // takeUp goes on from what others made of the connection.
  const takeUp = async (stale) => {
    const now = await get(`/v1/connections/${connection.id}`).catch(() => null); // then it is told as it came
    if (!now) return;
    const next = rebased(form, start, now);
    stale.theirs = next.theirs;
    setBase({ connection: now, start: next.start });
    setForm(next.draft);
  };
  const stop = () => {
    abort.current.abort();
    setPhase("form");
    setProblem({ code: "stopped", message: "You stopped it before Tableau answered.", fields: [], causes: [],
      body: {}, more: "Nothing was changed, unless it was at its very last step. What you typed is still here. Another try with it may have to wait half a minute, until it is sure that the first one is over." });
    focusWrong(body.current);
  };

  const title = connection ? `Edit ${connection.name}` : "Connect to Tableau";
  if (phase === "connected") {
    return html`<${Connected} outcome=${outcome} title=${title} close=${() => close(outcome.connection)} />`;
  }
  const connecting = phase === "connecting";
  const footer = connecting
    ? html`<${Waiting} signsIn=${signsIn} form=${form} token=${token} />
        ${signsIn && html`<${Button} onClick=${stop}>Stop<//>`}
        <${Button} kind="primary" busy>${signsIn ? "Connecting…" : "Saving…"}<//>`
    : (leave) => html`<${Button} onClick=${leave}>Cancel<//>
        ${is.beside && html`<${Button} onClick=${() => submit(null, false, true)}>Save without connecting<//>`}
        ${asksIdentity ? html`<${Button} kind="primary" onClick=${() => submit(null, true)}>Use this user anyway<//>`
          : html`<${Button} submit kind="primary" form="connection">${signsIn ? "Connect" : "Save"}<//>`}`;

  return html`<${Dialog} key="form" title=${title} lead=${connection ? `${host(connection.server_url)}${connection.site && ` · site ${connection.site}`}` : "vizpost signs in first, and keeps nothing that does not work."}
    close=${() => close()} dirty=${phase === "form" && is.dirty} locked=${connecting} footer=${footer}>
    <form id="connection" class="stack" novalidate ref=${body} onSubmit=${submit} inert=${connecting} autocomplete="off">
      ${typed && html`<${Notice} tone="held" title="Your sign-in ended. What you typed is kept.">${typed.lost && html`<p>Only the ${token ? "secret" : "password"} is not: enter it again.</p>`}<//>`}
      ${!atCredential && html`<${Trouble} problem=${problem} />`}
      <${Field} id="c-name" label="Name" value=${form.name} error=${wrong.name} onInput=${set("name")} maxlength="200" />
      <div class="fields server-and-site">
        <${Field} id="c-server" label="Server" value=${form.server_url} error=${wrong.server_url} inputmode="url" placeholder="https://10ay.online.tableau.com"
          onInput=${set("server_url")} onBlur=${() => setForm((before) => ({ ...before, ...fromAddress(before.server_url) }))} hint="Paste any address of the site: the rest is taken off." />
        <${Field} id="c-site" label="Site" optional value=${form.site} error=${wrong.site} placeholder="acme" onInput=${set("site")}
          hint="What follows /site/ in the address; nothing for the default site." />
      </div>
      <${Tabs} label="How to sign in" tabs=${methods} chosen=${form.method} choose=${(m) => { set("method")(m); setProblem(null); }}>
        ${atCredential && html`<${Trouble} problem=${problem} make=${token && newToken.below} />`}
        ${token ? html`<${TokenFields} form=${form} set=${set} dated=${dated} wrong=${wrong} connection=${connection} signsIn=${signsIn} />`
          : html`<${PasswordFields} form=${form} set=${set} wrong=${wrong} connection=${connection} signsIn=${signsIn} />`}
      <//>
      <${Field} id="c-notify" label="Send alerts to" optional value=${form.notify} error=${wrong.notify} onInput=${set("notify")} inputmode="email" placeholder="ops@example.com"
        hint="Who gets a mail when it breaks or its token nears its end; several with commas." />
    </form>
  <//>`;
}

// resumed gives the draft that goes on from what was typed, with what others
// changed in the connection meanwhile.
function resumed(typed, connection) {
  if (!typed) return null;
  const draft = { ...blank, ...typed.form };
  return typed.start && connection ? rebased(draft, typed.start, connection).draft : draft;
}

function TokenFields({ form, set, dated, wrong, connection, signsIn }) {
  const kept = connection && usesToken(connection) && !signsIn;
  const dead = connection && usesToken(connection) && isDead(connection);
  const fromTableau = kept && connection.token_life.source === "tableau" && connection.token_life.expires_at;
  // Who comes to mend a token begins with it.
  const broken = connection && needsNewToken(connection);
  // A day that was entered for the token before says nothing of a new one.
  const day = signsIn && !dated ? "" : form.expires_on;
  const before = day !== form.expires_on && ` It was ${date(form.expires_on)} for the token before.`;
  const asked = broken ? "" : undefined;
  return html`
    <p class="hint">Enabling multi-factor authentication deletes all of a user's tokens: turn it on first, then create the token.</p>
    <${TokenSteps} open=${broken && !wrong.token_secret} server=${/^https?:/.test(form.server_url) ? form.server_url : ""} />
    <${Field} id="c-token-name" label="Token name" value=${form.token_name} error=${wrong.token_name} onInput=${set("token_name")} data-first=${asked} autocomplete="off" spellcheck="false" autocapitalize="none" />
    <${Field} id="c-token-secret" label="Token secret" type="password" value=${form.token_secret} error=${wrong.token_secret} onInput=${set("token_secret")}
      autocomplete="new-password" hint=${kept ? "One is kept, and never shown. Leave this empty to keep it." : dead ? "Tableau refuses the one that is kept: paste the secret of a new token." : "It is kept sealed, and never shown again."} />
    ${fromTableau && html`<p class="hint">Tableau says that this token ends on ${date(connection.token_life.expires_at)}.</p>`}
    ${html`<${Disclosure} title="Enter yourself when the token ends" open=${Boolean(form.expires_on || wrong.expires_on)}>
          <${Field} id="c-expires" label="Ends on" optional type="date" value=${day} error=${wrong.expires_on} onInput=${set("expires_on")}
            hint=${`vizpost warns before that day. ${kept ? "It stands above what Tableau says." : "If Tableau says a day at the sign-in, that one counts."}${before || ""}`} /><//>`}`;
}

function PasswordFields({ form, set, wrong, connection, signsIn }) {
  const kept = connection && !usesToken(connection) && !signsIn;
  return html`
    <p class="hint">Accounts with multi-factor authentication or single sign-on cannot sign in like this: use a personal access token for them.</p>
    <${Field} id="c-username" label="Username" value=${form.username} error=${wrong.username} onInput=${set("username")} autocomplete="off" spellcheck="false" autocapitalize="none" />
    <${Field} id="c-password" label="Password" type="password" value=${form.password} error=${wrong.password} onInput=${set("password")}
      autocomplete="new-password" hint=${kept ? "One is kept, and never shown. Leave this empty to keep it." : "It is kept sealed, and never shown again."} />`;
}

// Waiting says what is under way, and that it still is.
function Waiting({ signsIn, form, token }) {
  const [long, setLong] = useState(false);
  const who = token ? `with the token ${form.token_name}` : `as ${form.username}`;
  const text = !signsIn ? "Saving…" : long ? "Still waiting for Tableau’s answer…" : `Signing in to ${host(form.server_url)} ${who}…`;
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), 6000);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => announce(text), [text]);
  return html`<p class="quiet waiting">${text}</p>`;
}
