// What is shown of a connection in more than one place.
import { Button, Disclosure, Gauge, Icon, Notice, State, away, date, html, moment } from "/ui.js";
import { connectionStates, many } from "/words.js";

export const usesToken = (c) => c.auth.method === "personal_access_token";

// disturbed tells whether a connection works, and something keeps ending its
// session.
const disturbed = (c) => c.problem?.code === "token_used_elsewhere";

const late = "Its runs come late for as long as it goes on.";

// needsNewToken tells whether another credential mends a connection.
export const needsNewToken = (c) => c.state === "needs_credentials" || disturbed(c);

// isDead tells whether Tableau no longer takes the credential, or it is gone:
// only another one mends the connection.
export const isDead = (c) => c.state === "needs_credentials" && ["credentials_rejected", "secret_missing"].includes(c.problem?.code);

// first are the causes that stand first: one, or several that are equally likely.
function first(causes) {
  const next = causes.findIndex((cause, i) => i > 0 && !cause.equally_likely);
  return next < 0 ? causes : causes.slice(0, next);
}

// wantsToken tells whether a password no longer signs in as it seems, and a
// token would.
export const wantsToken = (c) => isDead(c) && !usesToken(c) && first(c.problem.causes).some((cause) => ["mfa_enabled", "single_sign_on"].includes(cause.code));

// ConnectionState is the state of a connection in words.
export const ConnectionState = ({ connection: c }) => html`<${State} states=${connectionStates} state=${disturbed(c) ? "disturbed" : c.state} />`;

const day = 86_400_000;

// TokenLife shows when the token of a connection that uses one ends, and what
// keeps it alive until then.
export function TokenLife({ connection: c, whole = false }) {
  const { expires_at: ends, idle_until: idle, source } = c.token_life;
  const left = ends ? new Date(ends) - Date.now() : null;
  const idleLeft = idle ? new Date(idle) - Date.now() : null;
  const over = left !== null && left <= 0;
  const idleSoon = idleLeft !== null && idleLeft < 5 * day;
  const broken = c.state === "needs_credentials";
  if (isDead(c)) return html`<div class="token-life"><p class="small"><span class="quiet">Tableau no longer takes this token</span></p></div>`;
  const tone = broken ? "still" : left === null ? "still" : left < 7 * day ? "bad" : left < 30 * day ? "held" : "good";
  const words = ends ? html`${over ? "Ended" : "Ends"} <strong>${date(ends)}</strong>, ${away(ends)}` : "Its end is not known";
  const label = ends ? `The token ${over ? "ended" : "ends"} on ${date(ends)}, ${away(ends)}` : "The token's end is not known";
  return html`<div class="token-life">
    <${Gauge} share=${left === null ? null : left / (365 * day)} tone=${tone} label=${label} />
    <p class="small"><span class="quiet">${words}</span>
      ${whole && source === "entered" && html` <span class="quiet">(as somebody entered it)</span>`}</p>
    ${!broken && idle && (whole || idleSoon) && html`<p class=${`small ${idleSoon ? "idle-soon" : "quiet"}`}>
      Without a sign-in Tableau removes it on ${date(idle)}. vizpost signs in at least every 7 days.</p>`}
  </div>`;
}

// How a remedy says to make a token, which TokenSteps say at greater length;
// and what is said instead, by where those are and for whom.
const stepsInWords = /In Tableau open your account settings.*$/s;
export const newToken = {
  below: "Make a new token in Tableau; the steps are below.",
  there: "Make a new token in Tableau; the steps are shown where you enter it.",
  others: "An administrator has to make a new token in Tableau and enter it.",
};

// Causes are the likely reasons of a problem, each with what to do; a remedy
// that several share is said with the first of them. The first are shown, the
// rest is there for who asks. make is one of newToken.
export function Causes({ causes, shown, make }) {
  if (!causes || causes.length === 0) return null;
  const said = new Set();
  const items = causes.map((cause) => {
    const repeated = said.has(cause.remedy);
    said.add(cause.remedy);
    return html`<li key=${cause.code}>${cause.equally_likely && html`<em class="quiet">Equally likely: </em>`}<strong>${cause.message}</strong>${!repeated && html` <span>${make ? cause.remedy.replace(stepsInWords, make) : cause.remedy}</span>`}</li>`;
  });
  shown = Math.max(shown, first(causes).length);
  const rest = items.length - shown;
  return html`
    <p class="causes-title">${items.length > 1 ? "Likely causes, most likely first" : "The likely cause"}</p>
    <ol class="causes">${items.slice(0, shown)}</ol>
    ${rest > 0 && html`<${Disclosure} title=${many(rest, "other possible cause")}><ol class="causes" start=${shown + 1}>${items.slice(shown)}</ol><//>`}`;
}

// Ailing says on a report's page that its connection does not work, and what
// that means for it; with the way to the connection.
export function Ailing({ connection: c, can, children }) {
  if (!c?.problem) return null;
  return html`<${Notice} tone=${disturbed(c) ? "held" : "bad"} title=${c.problem.message}
    actions=${html`<${Button} small href=${`#/settings/connections/${c.id}`}>${can("admin") ? "Fix the connection" : "See the connection"}<//>`}>
    ${disturbed(c) ? late : children}<//>`;
}

// Broken says why a connection does not work, since when, and what waits for
// it. edit opens its dialog, for those who may; actions are further buttons.
export function Broken({ connection: c, edit, actions, named = false }) {
  if (!c.problem) return null;
  const mend = edit && needsNewToken(c) && html`<${Button} small kind="primary" onClick=${edit}>${usesToken(c) ? "Enter a new token" : wantsToken(c) ? "Enter a token" : "Enter credentials"}<//>`;
  return html`<${Notice} tone=${disturbed(c) ? "held" : "bad"} title=${named ? `${c.name}: ${c.problem.message}` : c.problem.message} actions=${(mend || actions) && html`${mend}${actions}`}>
    <p class="quiet">Since ${moment(c.problem.since)}.
      ${disturbed(c) ? ` ${late}`
        : c.held_runs > 0 ? ` ${many(c.held_runs, "run is", "runs are")} held and will be delivered once it works again.` : " Its runs wait until it works again."}</p>
    <${Causes} causes=${c.problem.causes} shown=${2}
      make=${mend ? newToken.there : newToken.others} />
  <//>`;
}

// TokenSteps are the steps to make a token in Tableau.
export function TokenSteps({ open = false, server }) {
  return html`<${Disclosure} title="How to make a token in Tableau" open=${open}>
    <ol class="numbered">
      <li>Sign in to ${server ? html`<a href=${server} target="_blank" rel="noopener noreferrer">Tableau</a>` : "Tableau"} as the user whose views are to be exported.</li>
      <li>Click your picture at the top right, then <strong>My Account Settings</strong>.</li>
      <li>Under <strong>Personal Access Tokens</strong>, enter a name that is for vizpost only, such as <strong>vizpost</strong>, and click <strong>Create Token</strong>.</li>
      <li>Click <strong>Copy Secret</strong>: Tableau shows it only this once. Paste name and secret here.</li>
      <li>Close Tableau's window with the <strong>X</strong>. <strong>Discard</strong> would delete the token again.</li>
    </ol>
  <//>`;
}

// CheckedReports lists the reports of a connection, each with the views that
// its user cannot see.
export function CheckedReports({ reports }) {
  return html`<ul class="checked">${reports.map((r) => {
    const missing = r.views.filter((v) => !v.visible);
    return html`<li key=${r.id} class=${missing.length ? "wrong" : "right"}>
      <${Icon} name=${missing.length ? "alert" : "check"} />
      <div class="grow"><a href=${`#/reports/${r.id}`}>${r.name}</a>${!r.enabled && html` <span class="quiet small">(paused)</span>`}
        <p class="small quiet">${missing.length === 0
          ? r.views.length === 1 ? "Its view can be seen." : `All ${r.views.length} views can be seen.`
          : `${many(missing.length, "view")} of ${r.views.length} cannot be seen:`}</p>
        ${missing.map((v) => html`<p class="small" key=${v.view}><strong>${v.view}</strong> ${v.message}</p>`)}
      </div>
    </li>`;
  })}</ul>`;
}
