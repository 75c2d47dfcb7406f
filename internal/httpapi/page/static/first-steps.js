// The way from nothing to a delivered report, as three steps.
import { SendAllDialog } from "/send-dialog.js";
import { Button, Icon, State, html, useState } from "/ui.js";
import { runStates } from "/words.js";

export function FirstSteps({ data: { connections, reports, runs }, can, lacks, connect }) {
  const [sending, setSending] = useState(false);
  const report = reports[0];
  const run = runs.at(-1);
  const now = connections.length === 0 ? 1 : reports.length === 0 ? 2 : 3;

  return html`<ol class="first-steps card" aria-label="First steps">
    <${Step} n=${1} now=${now} title="Connect to Tableau" done=${connections[0] && `Connected as ${connections[0].identity.user_name}.`}
      action=${can("admin") && html`<${Button} kind="primary" onClick=${connect}>Connect<//>`}>
      ${lacks("admin") ? "An administrator has to do this." : "Make a personal access token in Tableau and enter it here. vizpost tries it at once."}<//>
    <${Step} n=${2} now=${now} title="Make a report" done=${report && `${report.name} is made.`}
      action=${can("editor") && html`<${Button} kind="primary" href=${`#/reports/new${connections[0] ? `?connection=${connections[0].id}` : ""}`}>Make a report<//>`}>
      ${lacks("editor") ? "An editor has to do this." : "Pick a view, a format, a time, and who gets it."}<//>
    <${Step} n=${3} now=${now} title="See it delivered"
      action=${run && ["queued", "running", "held"].includes(run.state) ? html`<a href=${`#/runs/${run.id}`}><${State} states=${runStates} state=${run.state} /></a>`
        : report && can("editor") && html`<${Button} kind="primary" icon="play" onClick=${() => setSending(true)}>Send it now<//>`}>
      Send it once now, look at what arrives, and let the schedule do the rest.<//>
    ${sending && html`<${SendAllDialog} report=${report} close=${() => setSending(false)} started=${(sent) => { location.hash = `#/runs/${sent.id}`; }} />`}
  </ol>`;
}

function Step({ n, now, title, done, action, children }) {
  const state = n < now ? "done" : n === now ? "now" : "later";
  return html`<li class=${`first-step ${state}`} aria-current=${state === "now" ? "step" : undefined}>
    <span class="first-step-mark">${state === "done" ? html`<${Icon} name="check" /><span class="visually-hidden">Done:</span>` : n}</span>
    <div class="grow"><h2>${title}</h2><p class="quiet">${state === "done" ? done : children}</p></div>
    ${state === "now" && html`<div class="actions">${action}</div>`}
  </li>`;
}
