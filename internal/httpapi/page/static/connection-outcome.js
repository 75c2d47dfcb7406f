// What became of a try to connect: the problem at its right place, or who and
// where one is connected as.
import { Causes, CheckedReports } from "/connection-parts.js";
import { Button, Dialog, Failure, Icon, Notice, announce, away, byField, date, html, useEffect, useRef } from "/ui.js";
import { host, many, siteName } from "/words.js";

// placed gives for each field of the form what a problem says of it. With
// causes, the field names the likeliest; the notice has them all.
export function placed(problem, token) {
  const found = byField(problem);
  const likeliest = problem.causes?.[0]?.message;
  const wrong = {
    name: found.name,
    server_url: found.server_url,
    site: found.site,
    token_name: found["auth.token_name"],
    token_secret: found["auth.token_secret"],
    expires_on: found["auth.expires_on"] || found.token_expires_on,
    username: found["auth.username"],
    password: found["auth.password"],
    notify: Object.entries(found).filter(([field]) => field.startsWith("notify")).map(([, message]) => message)[0],
  };
  const secret = token ? "token_secret" : "password";
  if (found.auth) wrong[secret] ||= found.auth;
  switch (problem.code) {
    case "credentials_rejected":
      wrong[secret] = likeliest || wrong[secret] || problem.message;
      break;
    case "tableau_unreachable":
      wrong.server_url = (wrong.server_url || problem.message).split(". ")[0].replace(/\.?$/, "."); // what to do stands above
      break;
    case "token_in_use":
      wrong.token_secret ||= problem.message;
      break;
  }
  return wrong;
}

const leads = {
  identity_change: "This is another user",
  token_in_use: "Another connection has this token",
  stale_version: "Somebody changed this connection in between",
  tableau_timeout: "Tableau did not answer in time",
};

const owner = / \((01[0-9A-Z]{24})\)/; // the id of the connection that has the token

// happened says what happened: without the causes and their remedies, which are
// listed, and without what to send, which is for callers of the API.
export const happened = ({ message, causes = [] }) => causes.reduce((text, cause) => text.replace(` ${cause.remedy}`, ""), message)
  .replace(/ Most likely: .*$/s, "").replace(/ If this is meant, send .*$/s, "").replace(owner, "");

// Trouble is the problem as a whole, above the form. It takes the focus where
// no field is to blame. make is one of newToken.
export function Trouble({ problem, make }) {
  if (!problem || !problem.message || (problem.code === "invalid" && problem.fields.length > 0)) return null;
  const held = problem.code === "identity_change" || problem.code === "stopped";
  const text = happened(problem);
  const owned = problem.code === "token_in_use" && owner.exec(problem.message);
  const lead = leads[problem.code];
  const more = lead && text.replace(`${lead}. `, "");
  return html`<${Notice} tone=${held ? "held" : "bad"} title=${lead || text} tabindex="-1">
    ${more && !problem.theirs && html`<p>${more}</p>`}
    ${problem.more && html`<p>${problem.more}</p>`}
    ${owned && html`<p><a href=${`#/settings/connections/${owned[1]}`}>Open that connection</a>.</p>`}
    ${problem.code === "stale_version" && html`<${Stale} theirs=${problem.theirs} />`}
    ${problem.code === "identity_change" && html`<p>If this is the user that you mean, go on with “Use this user anyway”.</p>`}
    <${Causes} causes=${problem.causes} shown=${1} make=${make} />
  <//>`;
}

// Stale says what others changed, once the form stands on that.
function Stale({ theirs }) {
  if (!theirs) return html`<p>Close this and open it again to see what it is now.</p>`;
  return html`
    ${theirs.length > 0 && html`<ul class="bullets">${theirs.map(([label, value]) => html`<li key=${label}>${label} is now <strong>${value}</strong></li>`)}</ul>`}
    <p>What you typed is still here. Send it again to have it over theirs, or close to leave theirs.</p>`;
}

// Connected says who and where, then what that means for the reports: reports
// is undefined while that is being looked at, and a problem when it failed.
export function Connected({ outcome, title, close }) {
  const { connection: c, was, reports } = outcome;
  const heading = useRef(null);
  const who = `Connected as ${c.identity.user_name}`;
  const where = `to ${siteName(c.site)} on ${host(c.server_url)}, Tableau ${c.server.product_version}`;
  useEffect(() => {
    heading.current?.focus();
    announce(`${who} ${where}.`);
  }, []);
  const failed = reports instanceof Error;
  const unseen = Array.isArray(reports) ? reports.filter((r) => r.views.some((v) => !v.visible)).length : 0;
  useEffect(() => {
    if (Array.isArray(reports) && reports.length > 0) announce(summary(reports, unseen));
  }, [reports]);
  const ends = c.token_life.expires_at;
  return html`<${Dialog} key="done" title=${title} close=${close} footer=${html`
      ${!was && html`<${Button} href=${`#/reports/new?connection=${c.id}`} onClick=${close}>Make a report<//>`}
      <${Button} kind="primary" onClick=${close}>Done<//>`}>
    <div class="connected">
      <span class="connected-icon"><${Icon} name="check" size=${24} /></span>
      <div><h3 tabindex="-1" ref=${heading} data-first>${who}</h3><p class="quiet">${where}.</p>
        ${ends && html`<p class="quiet small">The token ends on ${date(ends)} (${away(ends)}).</p>`}</div>
    </div>
    ${was?.held_runs > 0 && html`<${Notice} tone="good" title=${`${many(was.held_runs, "held run is", "held runs are")} released`}>
      <p>What their reports catch up is being delivered now. <a href=${`#/settings/connections/${c.id}`} onClick=${close}>See what became of them</a>.</p><//>`}
    ${was && reports === undefined && html`<p class="quiet looking"><span class="spinner" aria-hidden="true"></span> Looking whether the views of its reports can be seen…</p>`}
    ${failed && html`<${Failure} problem=${reports} />`}
    ${was && Array.isArray(reports) && html`<div class="stack-small">
      <h3>${reports.length === 0 ? "No report uses this connection yet" : summary(reports, unseen)}</h3>
      ${reports.length > 0 && html`<${CheckedReports} reports=${reports} />`}
    </div>`}
  <//>`;
}

function summary(reports, unseen) {
  if (unseen === 0) return `${reports.length === 1 ? "Its report works" : `${reports.length === 2 ? "Both" : `All ${reports.length}`} reports work`} with this user`;
  return `${many(unseen, "report")} of ${reports.length} cannot see all their views`;
}
